"""SiamFC's public weights in the layouts in which they are distributed, read as plain tensors:
nothing here unpickles code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.errors import DataError, MissingDataError
from course_lib.models.siamfc import SiamFC
from course_lib.models.tensors import fill, read_torch

# ε of siamfc-pytorch's batch norms (siamfc/backbones.py); PyTorch's default is 1e-5
PUBLIC_EPSILON = 1e-6


def load_public_siamfc(path: Path | str) -> SiamFC:
    """SiamFC with public weights, in eval mode: those of huanglianghua/siamfc-pytorch, or
    conversions of the authors' own. Both layouts expect RGB values 0…255.

    Args:
        path: an .npz of plain arrays (`conv1.weight` … `conv5.bias`, batch norm folded in), or a
            PyTorch file with `backbone.conv1.0.weight` (convolution), `backbone.conv1.1.weight`
            (batch norm) and so on; the older name `feature` for `backbone` is understood.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it does not fit; the message names the file and the mismatch.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(
            f"public weights {path} do not exist; give the path of an .npz or .pth file"
        )
    tensors = _read_npz(path) if path.suffix == ".npz" else _read_torch(path)
    folded = not any(name.startswith("bn") for name in tensors)
    network = SiamFC(batch_norm=not folded)
    bias = tensors.pop("bias", None)
    fill(network.backbone, tensors, path)
    if not folded:
        _allow_for_epsilon(network.backbone)
    if bias is not None:
        network.bias.data = bias.reshape(()).float()
    return network.eval()


@torch.no_grad()
def _allow_for_epsilon(backbone: nn.Module) -> None:
    """Correct batch norms that were trained with siamfc-pytorch's ε.

    A batch norm divides by √(variance + ε). The difference between the two ε goes into the stored
    variance, so that the network stays right when it is saved and loaded again: files hold tensors,
    not the ε of batch norms.
    """
    for norm in backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_var.add_(PUBLIC_EPSILON - norm.eps)


def _read_npz(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.array(arrays[name])).float() for name in arrays.files}
    # NumPy, zip and zlib raise many kinds of errors for a file that is cut short or another kind
    except Exception as problem:
        raise DataError(
            f"{path} is not an .npz of plain arrays ({type(problem).__name__}: {problem}); "
            "it may be cut short: fetch it again"
        ) from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    """The tensors of a public PyTorch file under this course's names."""
    renamed = {}
    for name, value in read_torch(path).items():
        match = re.search(r"conv([1-5])\.(?:([01])\.)?(\w+)$", str(name))
        if match and not isinstance(value, Tensor):
            raise DataError(f"{path}: {name} is a {type(value).__name__}; expected a tensor")
        if match and match[2] == "1":
            renamed[f"bn{match[1]}.{match[3]}"] = value
        elif match:
            renamed[f"conv{match[1]}.{match[3]}"] = value
    return renamed
