"""Checkpoints: everything a run needs to go on as if it had never stopped, written whole or not at
all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_lib.errors import CourseError, DataError, SettingsError
from course_lib.files import whole_file
from course_lib.training.progress import Progress
from course_lib.training.step import restore, snapshot

# what torch and Python raise where a checkpoint holds other values than were written
ODD = (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError)
KEYS = {"network", "optimiser", "step", "settings", "curve", "recent", "validation", "random"}


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` beside `path` under another name, flush it to the disk, then rename.

    Whatever happens on the way, `path` is the old checkpoint or the new one. Raises CourseError
    naming the file if the disk is full or does not take it; the old one is then still there.
    """
    try:
        with whole_file(path) as part, part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
    # torch reports a disk that fills up while it writes as RuntimeError
    except (OSError, RuntimeError) as problem:
        kept = f"{path} of an earlier step is kept" if path.is_file() else "there is no earlier one"
        raise CourseError(
            f"checkpoint {path} could not be written ({problem}); {kept}. "
            "Make room on the disk and run the same command again: training goes on from the last "
            "checkpoint."
        ) from problem


def save_state(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    p: Progress,
    settings: dict[str, Any],
) -> None:
    """Write down where a run stands.

    Args:
        path: of the checkpoint.
        network: with weights that are numbers: every loss up to now has been read.
        optimiser: of its weights.
        p: of the run.
        settings: that shape its weights, see `shaping`.
    """
    state = {**snapshot(network, optimiser, p.step), **p.state(), "settings": settings}
    save_checkpoint(path, {**state, "random": torch.get_rng_state()})


def take_state(
    path: Path,
    state: dict[str, Any],
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    p: Progress,
) -> None:
    """Go on from what `save_state` has written.

    Args:
        path: of the checkpoint, for messages.
        state: what it holds.
        network: to fill.
        optimiser: of its weights.
        p: of the run.

    Raises:
        DataError: it does not fit the network, or its weights are not numbers.
    """
    try:
        p.step = p.started_at = restore(network, optimiser, state)
        if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
            raise ValueError("its weights are not numbers")
        p.take(state)
        torch.set_rng_state(state["random"])
    except ODD as why:
        raise foreign(path, in_short(why)) from None


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state stored in `path`, or None if there is no such file. Only tensors and plain values
    are read.

    Raises:
        DataError: it is damaged, or no file.
    """
    if not path.exists():
        return None
    if not path.is_file():
        raise DataError(f"{path} is a folder; a checkpoint is to be kept there: move it away")
    with path.open("rb") as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as problem:  # a damaged file may lead torch to errors of any kind
            raise DataError(
                f"checkpoint {path} ({path.stat().st_size} bytes) cannot be read "
                f"({in_short(problem)}); {_anew(path)}"
            ) from problem


def load_same_run(
    path: Path, settings: dict[str, Any], data: dict[str, Any], steps: int
) -> dict[str, Any] | None:
    """What a checkpoint of this recipe, on these data, holds; None if there is no such file.

    Args:
        path: of the checkpoint.
        settings: the recipe's, see `shaping`.
        data: "identity", a digest of what the pairs are made of, or None where the source has
            none, and "used", the names of the sources.
        steps: of the run.

    Raises:
        DataError: it is damaged, or not a checkpoint of a training run.
        SettingsError: it is one of another recipe or data.
    """
    state = load_checkpoint(path)
    if state is None:
        return None
    lacking = KEYS - set(state if isinstance(state, dict) else ())
    if lacking:
        raise foreign(path, f"it lacks {', '.join(sorted(lacking))}")
    if type(state["step"]) is not int or not isinstance(state["settings"], dict):
        raise foreign(path, "its step is no number, or its settings are none")
    theirs = state["settings"]
    changed = [key for key in settings if theirs.get(key, settings[key]) != settings[key]]
    if changed:
        raise SettingsError(
            f"{path} belongs to another recipe: it has "
            f"{ {key: theirs.get(key) for key in changed} }, not "
            f"{ {key: settings[key] for key in changed} }. Give the run another name, or delete "
            f"the folder to start anew."
        )
    if not 0 <= state["step"] <= steps:
        raise foreign(path, f"it says step {state['step']} of {steps}")
    _check_same_data(path, state.get("data"), data)
    return state


def _check_same_data(path: Path, theirs: Any, mine: dict[str, Any]) -> None:
    """Checkpoints of before this was kept, and sources without a digest, pass."""
    if not isinstance(theirs, dict) or None in (theirs.get("identity"), mine["identity"]):
        return
    if theirs["identity"] == mine["identity"]:
        return
    before, now = list(theirs.get("used") or []), list(mine["used"])
    what = (
        f"it was trained on {', '.join(before)}, now there are {', '.join(now)}"
        if before != now
        else f"files of {', '.join(now)} were added, removed or changed since"
    )
    raise SettingsError(
        f"{path} belongs to a run on other data: {what}. Bring the data back, give the run another "
        "name, or delete the folder to start anew."
    )


def foreign(path: Path, why: str) -> DataError:
    """The error for a file that is not a checkpoint of a training run of this course."""
    return DataError(f"{path} is not a checkpoint of this run ({why}); {_anew(path)}")


def _anew(path: Path) -> str:
    return f"move {path.name} away, or delete it, to start the run anew"


def in_short(problem: Exception) -> str:
    """Kind and first sentence of an error of torch's: lists of keys and paragraphs of advice may
    follow.
    """
    words = next(iter(str(problem).splitlines()), "").split(". ")[0][:200]
    return f"{type(problem).__name__}: {words}".rstrip(": ")
