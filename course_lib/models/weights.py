"""Weights on disk: safetensors with a card beside them.

    weights/siamfc.safetensors   kernels in half precision, everything else in single precision
    weights/siamfc.json          the card: what the network is, what it was trained on, where and
                                 for how long, how it scores, and the SHA-256 sum of its weights

Nothing here unpickles code; `models.weights_public` reads public weights in other layouts.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from course_lib.errors import DataError, MissingDataError
from course_lib.files import json_lines, read_json, whole_file, write_whole
from course_lib.lookup import load
from course_lib.models.networks import build, network_class
from course_lib.models.tensors import fill
from course_lib.places import RUNS, WEIGHTS

CARD_REMEDY = (
    "run the training command that made the weights once more (it rewrites the card without "
    "training), or copy weights and card again"
)
# for the layouts of other programs
PUBLIC = "course_lib.models.weights_public:load_public_siamfc"
# errors that safetensors, or a network's constructor, raises for damaged content
UNFIT = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)


def save_weights(network: nn.Module, path: Path, card: dict[str, Any]) -> None:
    """Write weights and their card, each whole or not at all.

    Kernels are stored in half precision, batch-norm statistics in single: variances over 65,504,
    the largest half-precision number, are common.

    Args:
        network: its `about` says how to build it.
        path: of the weights (.safetensors); the card goes beside them.
        card: further entries of the card.
    """
    content = packed(network)
    # not with safetensors' own writer, so that a full disk is reported as for any other file
    with whole_file(path) as part, part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    save_card(network, path, card, content)


def save_card(network: nn.Module, path: Path, card: dict[str, Any], content: bytes) -> None:
    """Write the card beside weights.

    Args:
        network: its `about` says how to build it.
        path: of the weights.
        card: further entries of the card.
        content: of the weights file, see `packed`.
    """
    card = network.about | card | {"sha256": hashlib.sha256(content).hexdigest()}
    write_whole(path.with_suffix(".json"), json_lines(card))


def packed(network: nn.Module) -> bytes:
    """The content of a network's weights file."""
    return save(
        {
            name: (t.half() if t.ndim == 4 else t).contiguous().cpu()
            for name, t in network.state_dict().items()
        }
    )


def find_weights(name: str) -> Path:
    """The file of the weights called `name`: a path, the name of one of your training runs, or the
    name of shipped weights.

    Raises MissingDataError listing the shipped weights.
    """
    places = [
        Path(name),
        RUNS / "training" / name / f"{name}.safetensors",
        WEIGHTS / f"{name}.safetensors",
    ]
    for path in places:
        if path.suffix and path.is_file():
            return path
    shipped = ", ".join(sorted(p.stem for p in WEIGHTS.glob("*.safetensors"))) or "none"
    raise MissingDataError(
        f"there are no weights {name!r} (looked for {', '.join(map(str, places))}); shipped are "
        f"{shipped}. Train them with `python -m course_lib train`, or give the path of a "
        ".safetensors, .npz or .pth file."
    )


def weights_stamp(name: str) -> tuple[str, int, int]:
    """Path, size and modification time of a weights file: while they are the same, a loaded network
    is still valid."""
    path = find_weights(name)
    status = path.stat()
    return str(path.absolute()), status.st_size, status.st_mtime_ns


def read_card(path: Path) -> dict[str, Any]:
    """The card beside weights.

    Raises MissingDataError if there is none, DataError if it is not a card.
    """
    card = path.with_suffix(".json")
    if not card.is_file():
        raise MissingDataError(
            f"weights {path} have no card ({card.name}), which describes the network; {CARD_REMEDY}"
        )
    content = read_json(card, CARD_REMEDY)
    if not isinstance(content.get("network"), str):
        raise DataError(
            f"{card} is not a card: it does not name the network of {path.name}; {CARD_REMEDY}"
        )
    return content


def load_network(name: str) -> nn.Module:
    """A trained network in eval mode, by name or path (see `find_weights`); .npz and .pth are read
    as public SiamFC weights.

    Raises MissingDataError if there are none, DataError naming the file if they do not fit.
    """
    path = find_weights(name)
    if path.suffix != ".safetensors":
        return load(PUBLIC)(path)
    card = read_card(path)
    tensors = _read_tensors(path, card.get("sha256"))
    try:
        network = build(card)
    except (*UNFIT, RuntimeError, MemoryError) as problem:
        raise DataError(
            f"{path.with_suffix('.json')} does not describe a network ({type(problem).__name__}: "
            f"{problem}); {CARD_REMEDY}"
        ) from None
    fill(
        network,
        {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()},
        path,
    )
    return network.eval()


def _read_tensors(path: Path, expected: str | None) -> dict[str, Tensor]:
    """The tensors of a weights file with the SHA-256 sum `expected`, which old cards lack."""
    try:
        tensors = load_file(path)
    except (SafetensorError, *UNFIT) as problem:
        raise DataError(
            f"{path} ({path.stat().st_size} bytes) cannot be read ({problem}); copy or train it "
            "again"
        ) from None
    if expected and hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise DataError(
            f"{path} is not the file that its card, {path.with_suffix('.json').name}, was written "
            "for (its SHA-256 sum differs): one of the two was replaced. Copy both again, from the "
            "same place"
        )
    odd = [n for n, t in tensors.items() if t.is_floating_point() and not bool(t.isfinite().all())]
    if odd:
        raise DataError(
            f"{path} holds values that are not numbers, in {', '.join(odd[:3])}; copy or train it "
            "again"
        )
    return tensors


def load_siamfc(name: str) -> nn.Module:
    """As `load_network`, but only a SiamFC: DataError for any other."""
    network = load_network(name)
    if not isinstance(network, network_class("siamfc")):
        raise DataError(
            f"weights {name!r} are of network {network.about['network']}, not siamfc; give the "
            "weights of a SiamFC"
        )
    return network
