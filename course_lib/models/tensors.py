"""Named tensors and the networks they belong to: what weights of every layout need."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from course_lib.errors import DataError


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load tensors into a network.

    Args:
        network: whose `state_dict` names are theirs.
        tensors: by name; how many batches a batch norm has seen may be missing.
        path: of the file they come from, for the message.

    Raises:
        DataError: tensors are missing, left over or of another shape; it names them.
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
            f"{path} does not fit this network: missing {_some(missing)}, not known "
            f"{_some(surplus)}, of another shape {_some(wrong)}. Is it the network its card "
            f"describes, of {len(wanted)} tensors?"
        )
    network.load_state_dict(tensors, strict=False)


def _some(names: list[str]) -> str:
    """The first few of many names."""
    rest = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{names[:4]}{rest}" if names else "nothing"
