"""Where and in what precision networks run: the device policy, in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.provenance import cpu_name

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class Placement:
    """A device and how networks run on it.

    Attributes:
        device: where tensors live.
        bf16: whether convolutions and matrix products run in bfloat16; sums, losses and weights
            stay in single precision.
        channels_last: whether images are stored pixel by pixel (NHWC), which speeds up
            convolutions.
    """

    device: torch.device
    bf16: bool
    channels_last: bool = True

    def network(self, network: nn.Module) -> nn.Module:
        """The network, moved to the device in its memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return network.to(self.device, memory_format=layout)

    def images(self, images: Tensor) -> Tensor:
        """A batch of images (B, 3, S, S), moved to the device in its memory layout."""
        return self.laid_out(images.to(self.device, non_blocking=True))

    def laid_out(self, images: Tensor) -> Tensor:
        """A batch of images (B, C, S, S) that is already on the device, in its memory layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)


def choose_placement(device: str = "auto", precision: str = "auto") -> Placement:
    """By default the first GPU if there is one, else the CPU, and bf16 where the hardware supports
    it.

    Raises SettingsError for an unknown device or precision, or a GPU that does not exist.
    """
    if precision not in PRECISIONS:
        raise SettingsError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")
    chosen = choose_device(device)
    return Placement(chosen, bf16=has_bf16(chosen) if precision == "auto" else precision == "bf16")


def choose_device(name: str) -> torch.device:
    """The device called `name`: auto, cpu, cuda, cuda:N, or mps (the GPU of Apple's processors).

    Raises SettingsError for any other name, or a GPU that does not exist.
    """
    found = re.fullmatch(r"(auto|cpu|mps)|(cuda)(?::(\d{1,4}))?", str(name))
    if not found:
        raise SettingsError(
            f"device is {str(name)!r}; expected auto, cpu, cuda, cuda:N (GPU number N, from 0) or "
            "mps"
        )
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise SettingsError("device is 'mps', but torch finds no Apple GPU; use auto or cpu")
    if found[2]:
        _check_cuda(str(name), int(found[3] or 0))
    return torch.device(name)


def _check_cuda(name: str, number: int) -> None:
    if not torch.cuda.is_available():
        raise SettingsError(f"device is {name!r}, but torch finds no GPU; use auto or cpu")
    if number >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise SettingsError(
            f"device is {name!r}, but torch finds {last + 1} GPU{'s' * (last > 0)}; expected cuda:0"
            + f" … cuda:{last}" * (last > 0)
        )


def sent(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of any shape (…,) on a device, without waiting for the device: a copy from pinned
    memory is asynchronous."""
    if device.type == "cuda" and values.device.type == "cpu" and torch.cuda.is_available():
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 makes convolutions on the device faster than single precision.

    GPUs that only emulate it are slower. So are Intel's processors with AVX-512 BF16 and without
    AMX: they have the instructions, at no more products per cycle, and a convolution takes 1.3 to 2
    times as long as in single precision; on AMD's it takes about half as long.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    if _cpu_has("amx_tile"):
        return True
    return _cpu_has("avx512_bf16") and "intel" not in cpu_name().lower()


def _cpu_has(feature: str) -> bool:
    """Whether the processor has an instruction set, as PyTorch names it."""
    check = getattr(torch.cpu, f"_is_{feature}_supported", None)
    return bool(check and check())
