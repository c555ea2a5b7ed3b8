"""Checkpoints: everything a run needs to resume as if it had never stopped, written atomically."""

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

# raised by torch and Python if a checkpoint holds unexpected values
ODD = (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError)
KEYS = {"network", "optimiser", "step", "settings", "curve", "recent", "validation", "random"}


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` under another name beside `path`, flush it to disk, then rename it.

    Whatever happens meanwhile, `path` is either the old checkpoint or the new one. Raises
    CourseError, naming the file, if it cannot be written; the old checkpoint is then kept.
    """
    try:
        with whole_file(path) as part, part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
    # torch raises RuntimeError if the disk fills up while writing
    except (OSError, RuntimeError) as problem:
        kept = f"{path} of an earlier step is kept" if path.is_file() else "there is no earlier one"
        raise CourseError(
            f"checkpoint {path} could not be written ({problem}); {kept}. "
            "Free some disk space and run the same command again: training resumes from the last "
            "checkpoint."
        ) from problem


def save_state(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    p: Progress,
    settings: dict[str, Any],
) -> None:
    """Save the state of a run.

    Args:
        path: path of the checkpoint.
        network: its weights are finite: every loss so far has been read.
        optimiser: optimiser of its weights.
        p: progress of the run.
        settings: the settings that shape its weights, see `shaping`.
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
    """Restore a run from the state written by `save_state`.

    Args:
        path: path of the checkpoint, for messages.
        state: content of the checkpoint.
        network: network to fill.
        optimiser: optimiser of its weights.
        p: progress of the run, updated in place.

    Raises:
        DataError: the state does not fit the network, or its weights are not finite.
    """
    try:
        p.step = p.started_at = restore(network, optimiser, state)
        if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
            raise ValueError("its weights are not finite")
        p.take(state)
        torch.set_rng_state(state["random"])
    except ODD as why:
        raise foreign(path, in_short(why)) from None


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state stored in `path`, or None if there is no such file. Only tensors and plain values
    are read.

    Raises:
        DataError: it is damaged, or not a file.
    """
    if not path.exists():
        return None
    if not path.is_file():
        raise DataError(f"{path} is a folder, but the checkpoint needs this name: move it away")
    with path.open("rb") as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as problem:  # torch may raise anything on a damaged file
            raise DataError(
                f"checkpoint {path} ({path.stat().st_size} bytes) cannot be read "
                f"({in_short(problem)}); {_anew(path)}"
            ) from problem


def load_same_run(
    path: Path, settings: dict[str, Any], data: dict[str, Any], steps: int
) -> dict[str, Any] | None:
    """The content of a checkpoint of this recipe on these data; None if there is no such file.

    Args:
        path: path of the checkpoint.
        settings: settings of the recipe, see `shaping`.
        data: "identity", a digest of the data that the pairs are made from, or None if the source
            has none, and "used", the names of the sources.
        steps: number of steps of the run.

    Raises:
        DataError: it is damaged, or not a checkpoint of a training run.
        SettingsError: it belongs to another recipe or to other data.
    """
    state = load_checkpoint(path)
    if state is None:
        return None
    lacking = KEYS - set(state if isinstance(state, dict) else ())
    if lacking:
        raise foreign(path, f"it lacks {', '.join(sorted(lacking))}")
    if type(state["step"]) is not int or not isinstance(state["settings"], dict):
        raise foreign(path, "its step is not a number, or its settings are not a mapping")
    theirs = state["settings"]
    changed = [key for key in settings if theirs.get(key, settings[key]) != settings[key]]
    if changed:
        raise SettingsError(
            f"{path} belongs to another recipe: it has "
            f"{ {key: theirs.get(key) for key in changed} }, not "
            f"{ {key: settings[key] for key in changed} }. Give the run another name, or delete "
            "the folder to start over."
        )
    if not 0 <= state["step"] <= steps:
        raise foreign(path, f"it is at step {state['step']} of {steps}")
    _check_same_data(path, state.get("data"), data)
    return state


def _check_same_data(path: Path, theirs: Any, mine: dict[str, Any]) -> None:
    """Refuse other data; older checkpoints without this entry, and sources without a digest,
    pass."""
    if not isinstance(theirs, dict) or None in (theirs.get("identity"), mine["identity"]):
        return
    if theirs["identity"] == mine["identity"]:
        return
    before, now = list(theirs.get("used") or []), list(mine["used"])
    what = (
        f"it was trained on {', '.join(before)}, the sources are now {', '.join(now)}"
        if before != now
        else f"files of {', '.join(now)} have been added, removed or changed since"
    )
    raise SettingsError(
        f"{path} belongs to a run on other data: {what}. Restore the data, give the run another "
        "name, or delete the folder to start over."
    )


def foreign(path: Path, why: str) -> DataError:
    """The error for a file that is not a checkpoint of one of this course's training runs."""
    return DataError(f"{path} is not a checkpoint of this run ({why}); {_anew(path)}")


def _anew(path: Path) -> str:
    return f"move {path.name} away, or delete it, to start the run over"


def in_short(problem: Exception) -> str:
    """Type and first sentence of an error raised by torch; lists of keys and paragraphs of advice
    may follow it.
    """
    words = next(iter(str(problem).splitlines()), "").split(". ")[0][:200]
    return f"{type(problem).__name__}: {words}".rstrip(": ")
