"""Named tensors and the networks they belong to, for weights of every layout."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from course_lib.errors import DataError


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load tensors into a network.

    Args:
        network: the network; its `state_dict` has the same names.
        tensors: by name; a batch norm's count of batches may be missing.
        path: of their file, for the message.

    Raises:
        DataError: if tensors are missing, left over or of another shape; it names them.
    """
    wanted = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    missing = [name for name in wanted if name not in tensors and "num_batches" not in name]
    surplus = [name for name in tensors if name not in wanted]
    wrong = [
        f"{n} {tuple(tensors[n].shape)} instead of {s}"
        for n, s in wanted.items()
        if n in tensors and tuple(tensors[n].shape) != s
    ]
    if missing or surplus or wrong:
        raise DataError(
            f"{path} does not fit this network: missing {_some(missing)}, unknown "
            f"{_some(surplus)}, of another shape {_some(wrong)}. The network that its card "
            f"describes has {len(wanted)} tensors; do file and card belong together?"
        )
    network.load_state_dict(tensors, strict=False)


def read_torch(path: Path) -> dict[str, Tensor]:
    """The named tensors of a public PyTorch file, for a checkpoint those of its network; no code in
    it is run.

    Raises:
        DataError: if it holds code, or no named tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        raise DataError(
            f"{path} is not a file of plain tensors ({type(problem).__name__}: {problem}); "
            "files that hold code are not opened"
        ) from None
    if isinstance(content, dict):
        content = content.get("model", content.get("state_dict", content))
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}; expected named tensors")
    return content


def resnet_name(name: str, upto: int = 4) -> str | None:
    """The name in `models.resnet` of a tensor of torchvision's ResNet; None if it belongs to what
    comes after layer `upto`."""
    head, _, rest = name.partition(".")
    if head in [f"layer{k}" for k in range(1, upto + 1)]:
        return f"layers.{int(head[5:]) - 1}.{rest}"
    return name if head in ("conv1", "bn1") else None


def _some(names: list[str]) -> str:
    """The first few of many names, for a message."""
    rest = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{names[:4]}{rest}" if names else "nothing"
