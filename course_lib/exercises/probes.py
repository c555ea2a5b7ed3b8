"""Tiny networks that record how they are called."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.exercises.words import Wrong


class Probe(nn.Module):
    """A tiny network that records how it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 3)
        self.calls: list[dict] = []

    def __getattr__(self, name: str):
        """Not every network has parts of these names."""
        if name in ("backbone", "compare", "features"):
            raise Wrong(
                f"your function uses the network's own `{name}`; call it as a whole, "
                "network(exemplar, search)"
            )
        return super().__getattr__(name)

    def forward(self, exemplar: Tensor, search: Tensor) -> Tensor:
        """Responses (B, n, n), some above 0 and some below."""
        on = torch.is_autocast_enabled("cpu")
        if not on and exemplar.dtype != self.layer.weight.dtype:
            raise Wrong(
                f"the images are {short(exemplar.dtype)} and the weights "
                f"{short(self.layer.weight.dtype)}: leave both as they are, torch.autocast rounds "
                "copies"
            )
        self.calls.append(
            {
                "autocast": short(torch.get_autocast_dtype("cpu")) if on else "",
                "weights": self.layer.weight.dtype,
                "images": (exemplar, search),
                "training": self.training,
                "gradients": torch.is_grad_enabled() and not torch.is_inference_mode_enabled(),
            }
        )
        return 9 * (
            self.layer(search).mean(dim=1)
            + self.layer(exemplar).mean(dim=(1, 2, 3), keepdim=True)[:, 0]
        )


class OnGPU(Tensor):
    """A tensor that says it is on a GPU, so that a check without one sees who asks."""

    device = property(lambda self: torch.device("cuda"))
    is_cuda = property(lambda self: True)


class ProbeOnGPU(nn.Module):
    """Records whether the CPU's autocast is on while images are on a GPU, and the type that the
    GPU's would round to."""

    def __init__(self) -> None:
        super().__init__()
        self.misplaced, self.rounds_to = False, torch.bfloat16

    def parameters(self, recurse: bool = True):
        """One weight, on the GPU."""
        return iter([torch.zeros(1).as_subclass(OnGPU)])

    def forward(self, exemplar: Tensor, search: Tensor) -> Tensor:
        """Responses (1, 2, 2)."""
        self.misplaced = torch.is_autocast_enabled("cpu")
        self.rounds_to = torch.get_autocast_dtype("cuda")
        return torch.zeros(1, 2, 2, requires_grad=True)


def short(dtype: torch.dtype) -> str:
    """A type as in a sentence."""
    return str(dtype).removeprefix("torch.")
