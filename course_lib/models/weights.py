"""Weights on disk: safetensors with a card beside them, and the layouts in which SiamFC's public weights are passed on.

    weights/siamfc.safetensors   kernels in half precision, everything else in single
    weights/siamfc.json          the card: what the network is, what it was trained on, where, how long, what it measures

Nothing here unpickles code: public PyTorch files are read as plain tensors.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from course_lib.errors import DataError, MissingDataError
from course_lib.files import write_whole
from course_lib.models.alexnet import AlexNet
from course_lib.models.siamfc import SiamFC
from course_lib.places import PROJECT, RUNS

WEIGHTS = PROJECT / "weights"


def save_weights(network: SiamFC, path: Path, card: dict[str, Any]) -> None:
    """Write `path` (.safetensors) and its card beside it, each whole or not at all.

    Kernels in half precision. Batch-norm statistics in single: a variance over 65,504, half precision's end, is common.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: (t.half() if t.ndim == 4 else t).contiguous().cpu() for name, t in network.state_dict().items()}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file(tensors, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    about = {"network": "siamfc", "stride": network.stride, "widths": list(network.backbone.widths)}
    write_whole(path.with_suffix(".json"), json.dumps(about | card, indent=1) + "\n")


def find_weights(name: str) -> Path:
    """The file of weights called `name`: a path, or the name of a run of one's own, or of shipped weights.

    Raises MissingDataError naming what there is.
    """
    places = [Path(name), RUNS / "training" / name / f"{name}.safetensors", WEIGHTS / f"{name}.safetensors"]
    for path in places:
        if path.suffix and path.is_file():
            return path
    shipped = ", ".join(sorted(p.stem for p in WEIGHTS.glob("*.safetensors"))) or "none"
    raise MissingDataError(
        f"there are no weights {name!r} (looked for {', '.join(map(str, places))}); shipped are {shipped}. "
        "Train them with `python -m course_lib train`, or give the path of a .safetensors, .npz or .pth file."
    )


def read_card(path: Path) -> dict[str, Any]:
    """The card that stands beside weights.

    Raises MissingDataError if there is none, DataError if it is not a card.
    """
    card = path.with_suffix(".json")
    if not card.is_file():
        raise MissingDataError(f"weights {path} have no card ({card.name}); copy it along: it says what the network is")
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
        return content | {"widths": tuple(content["widths"]), "stride": int(content["stride"])}
    except (ValueError, KeyError, TypeError) as problem:
        raise DataError(
            f"{card} is not a card ({type(problem).__name__}: {problem}); expected widths and stride"
        ) from None


def load_siamfc(name: str) -> SiamFC:
    """A trained SiamFC in eval mode, by name or path (see `find_weights`); .npz and .pth are read as public weights.

    Raises MissingDataError if there are none, DataError naming the file if they do not fit.
    """
    path = find_weights(name)
    if path.suffix != ".safetensors":
        return load_public_siamfc(path)
    card = read_card(path)
    network = SiamFC(card["stride"], card["widths"])
    try:
        tensors = load_file(path)
    except SafetensorError as problem:
        raise DataError(f"{path} cannot be read ({problem}); copy or train it again") from None
    _fill(network, {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}, path)
    return network.eval()


def load_public_siamfc(path: Path | str) -> SiamFC:
    """SiamFC with public weights, in eval mode; both layouts expect RGB values 0…255.

    Args:
        path: an .npz of plain arrays (`conv1.weight` … `conv5.bias`, batch norm folded in), or a PyTorch file with
            `backbone.conv1.0.weight` (convolution), `backbone.conv1.1.weight` (batch norm) and so on; the older name
            `feature` for `backbone` is understood.

    Raises MissingDataError if there is no such file, DataError naming it and what does not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"public weights {path} do not exist; give the path of an .npz or .pth file")
    tensors = _read_npz(path) if path.suffix == ".npz" else _read_torch(path)
    folded = not any(name.startswith("bn") for name in tensors)
    network = SiamFC()
    if folded:
        network.backbone = AlexNet(batch_norm=False)
    bias = tensors.pop("bias", None)
    _fill(network.backbone, tensors, path)
    if bias is not None:
        network.bias.data = bias.reshape(()).float()
    return network.eval()


def _read_npz(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.array(arrays[name])).float() for name in arrays.files}
    except (OSError, ValueError) as problem:
        raise DataError(f"{path} is not an .npz of plain arrays ({problem})") from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    """The tensors of a public PyTorch file under this course's names."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        raise DataError(
            f"{path} is not a file of plain tensors ({type(problem).__name__}: {problem}); "
            "files that hold code are not opened"
        ) from None
    content = content.get("model", content.get("state_dict", content)) if isinstance(content, dict) else content
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}; expected named tensors")
    renamed = {}
    for name, value in content.items():
        match = re.search(r"conv([1-5])\.(?:([01])\.)?(\w+)$", name)
        if match and match[2] == "1":
            renamed[f"bn{match[1]}.{match[3]}"] = value
        elif match:
            renamed[f"conv{match[1]}.{match[3]}"] = value
    return renamed


def _fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load tensors into a network; what is missing, left over or of another shape is named."""
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
            f"{path} does not fit this network: missing {missing or 'nothing'}, not known {surplus or 'nothing'}, "
            f"of another shape {wrong or 'nothing'}. Is it a SiamFC with an AlexNet of {len(wanted)} tensors?"
        )
    network.load_state_dict(tensors, strict=False)
