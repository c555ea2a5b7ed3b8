"""From a recipe to weights with a card: train, then save both where trackers find them."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from course_lib.errors import DataError, SettingsError
from course_lib.models.device import choose_device
from course_lib.models.weights import find_weights, packed, read_card, save_card, save_weights
from course_lib.places import RUNS
from course_lib.provenance import commit, hardware
from course_lib.training.checkpoint import load_checkpoint
from course_lib.training.loop import Trained, train
from course_lib.training.processes import started_rank
from course_lib.training.progress import Progress, Watcher
from course_lib.training.settings import TrainSettings
from course_lib.training.shaping import unlike

# by the beginning of a source's name: where its images are from, and their terms; for anything else
# only its owner knows
ORIGINS = {
    "generated": {
        "from": "made by code from photographs that come with scikit-image (astronaut, brick, "
        "chelsea, coffee, grass, gravel, motorcycle, rocket)",
        "terms": "CC0 or public domain by scikit-image's documentation; motorcycle, of the "
        "Middlebury 2014 stereo benchmark: not recorded there",
    },
    "videos:got10k": {
        "from": "the data root, in GOT-10k's layout",
        "terms": "not recorded; GOT-10k's own videos are under CC BY-NC-SA 4.0",
    },
}
OTHERS = {"from": "the data root", "terms": "not recorded"}


def train_to_weights(
    settings: TrainSettings,
    folder: Path | None = None,
    watchers: list[Watcher] | None = None,
    budget: float | None = None,
    device: str = "auto",
    root: Path | None = None,
    weights: Path | None = None,
) -> Path | None:
    """Train a recipe, or resume its run, and save its weights after the last step.

    Existing weights are replaced only if their card shows that they come from the same recipe. If
    the run is finished, a missing or damaged file is written again from the checkpoint.

    Args:
        settings: the recipe.
        folder: folder of the run; `runs/training/<name>` by default.
        watchers: called after every step.
        budget: stop after this many seconds.
        device: see `models.device.choose_device`.
        root: the data root.
        weights: path of the weights; `<folder>/<name>.safetensors` by default.

    Returns:
        The path of the weights, or None if the run is not finished.

    Raises:
        SettingsError: the weights would overwrite a different file; nothing is trained.
    """
    folder = folder or RUNS / "training" / settings.name
    path = weights or folder / f"{settings.name}.safetensors"
    if started_rank() == 0:
        check_place(path, settings, folder)
    # recorded before the first step: the files may change during training
    made = {
        "hardware": hardware(str(choose_device(device))),
        "python": platform.python_version(),
        "torch": str(torch.__version__),  # a subclass of str, which a checkpoint cannot store
        "commit": commit(),
        **started_from(settings),
    }
    trained = train(settings, folder, device, watchers, budget=budget, root=root, made=made)
    if trained.progress.step < settings.steps:
        return None
    if started_rank() == 0:
        keep(trained, settings, path)
    return path


def check_place(path: Path, settings: TrainSettings, folder: Path) -> None:
    """Check that weights may be written to a path.

    Args:
        path: path of the weights.
        settings: the recipe.
        folder: folder of the run.

    Raises:
        SettingsError: weights or a card that this recipe did not make are already there, or no file
            can be written there.
    """
    if path.suffix != ".safetensors":
        raise SettingsError(
            f"the path of the weights is {path}; expected a name ending in .safetensors"
        )
    if path.is_dir():
        raise SettingsError(
            f"the path of the weights is {path}, which is a folder; give a file in it"
        )
    place = next(p for p in path.absolute().parents if p.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise SettingsError(
            f"the path of the weights is {path}, but no file can be written to {place}"
        )
    fault = not_ours(path, settings)
    if fault and not (path.is_file() and _finished(folder, settings)):
        raise SettingsError(f"{fault}. Move it away, or give another path with --weights")


def not_ours(path: Path, settings: TrainSettings) -> str:
    """Why the weights at `path`, or the card beside them, were not made by this recipe; "" if they
    were, or do not exist.
    """
    card = path.with_suffix(".json")
    there = next((file for file in (path, card) if file.exists()), None)
    if there is None:
        return ""
    try:
        recipe = read_card(path).get("recipe")
    except DataError:
        recipe = None
    if not isinstance(recipe, dict):
        return f"{there} already exists, and no card beside it says how it was made"
    changed = unlike(settings, recipe)
    if changed:
        return f"{there} already exists, made by another recipe ({', '.join(changed[:4])})"
    return ""


def _finished(folder: Path, settings: TrainSettings) -> bool:
    """Whether the folder's checkpoint is from a finished run; its recipe is checked later."""
    state = load_checkpoint(folder / "last.pt")
    return isinstance(state, dict) and state.get("step") == settings.steps


def keep(trained: Trained, settings: TrainSettings, path: Path) -> None:
    """Save the weights of a finished run and their card, unless they exist already.

    Args:
        trained: result of the run.
        settings: the recipe.
        path: path of the weights.

    Raises:
        SettingsError: a file that this run did not make is in the way.
    """
    content, card = packed(trained.network), make_card(settings, trained.progress)
    if path.is_file() and path.read_bytes() == content:  # only this run can have made these bytes
        if not _described(path, settings, content):
            save_card(trained.network, path, card, content)
        return
    fault = not_ours(path, settings)
    if fault:
        raise SettingsError(f"{fault}. Move it away, or give another path with --weights")
    save_weights(trained.network, path, card)


def _described(path: Path, settings: TrainSettings, content: bytes) -> bool:
    """Whether the weights have an undamaged card of this recipe and this content."""
    if not path.with_suffix(".json").is_file() or not_ours(path, settings):
        return False
    return read_card(path).get("sha256") in (None, hashlib.sha256(content).hexdigest())


def started_from(settings: TrainSettings) -> dict[str, Any]:
    """The card's entry on a run's initial weights: their own card, or the name of a public file,
    which has none.
    """
    if not settings.start_from:
        return {}
    path = find_weights(settings.start_from)
    if path.suffix != ".safetensors":
        return {"started_from": {"file": path.name}}
    return {"started_from": {k: v for k, v in read_card(path).items() if "curve" not in k}}


def origin_of(source: str) -> dict[str, str]:
    """What a card says of a source: its name, where its images are from, and their terms."""
    known = next((o for start, o in ORIGINS.items() if source.startswith(start)), OTHERS)
    return {"source": source, **known}


def make_card(settings: TrainSettings, p: Progress) -> dict[str, Any]:
    """The card of trained weights: data and their terms, recipe, length, machine, seed, commit,
    validation.

    `measured`, success and precision on benchmarks, is added when the weights are measured.
    """
    card = {
        "name": settings.name,
        "trained_on": p.data["used"],
        "data": [origin_of(source) for source in p.data["used"]],
        "data_identity": p.data["identity"],
        "fraction_of_data": settings.fraction,
        "steps": settings.steps,
        "pairs": settings.steps * settings.batch,
        "seed": settings.seed,
        **p.made,
        "recipe": asdict(settings),
    }
    card["validation"] = p.validation[-1] if p.validation else None
    spent = {name: round(s, 1) for name, s in p.spent.items()}
    card["seconds"] = {name: s for name, s in spent.items() if name in p.seconds}
    card["seconds_within_data"] = {name: s for name, s in spent.items() if name not in p.seconds}
    if p.skipped:
        card["pairs_redrawn"] = {
            "times": p.skipped.total(),
            "why": dict(p.skipped.most_common(20)),
        }
    every = max(1, len(p.curve) // 100)
    card["curve"] = [[step, round(loss, 4)] for step, loss in p.curve[::every]]
    card["validation_curve"] = [{k: round(v, 4) for k, v in row.items()} for row in p.validation]
    return card
