"""Which settings shape the weights, and whether two runs agree in them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from course_lib.training.settings import TrainSettings

# What may change between two parts of one run without changing the weights it ends with.
FREE = ("workers", "checkpoint_every", "validate_every", "validation_pairs")


def shaping(settings: TrainSettings) -> dict[str, Any]:
    """The settings that shape the weights, as plain lists and numbers: all but FREE."""
    return _plain({name: v for name, v in asdict(settings).items() if name not in FREE})


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """With lists for tuples, as JSON gives them back."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def unlike(settings: TrainSettings, recipe: dict[str, Any]) -> list[str]:
    """What a card's recipe has otherwise than these settings, in words: "steps 100 instead of 200".

    What a card does not mention was not there yet when it was written, and has its default; what
    is no setting any longer does not count.
    """
    mine, usual = shaping(settings), shaping(TrainSettings())
    theirs = usual | _plain({name: v for name, v in recipe.items() if name in usual})
    for name, value in usual.items():
        if isinstance(value, dict) and isinstance(theirs[name], dict):
            theirs[name] = value | {n: v for n, v in theirs[name].items() if n in value}
    return [f"{n} {theirs[n]} instead of {mine[n]}" for n in mine if theirs[n] != mine[n]]
