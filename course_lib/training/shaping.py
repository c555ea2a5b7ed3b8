"""The settings that shape the weights, and whether two runs agree in them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from course_lib.training.settings import TrainSettings

# Settings that may change when a run is resumed, without changing its final weights.
FREE = ("workers", "checkpoint_every", "validate_every", "validation_pairs", "validation_clips")


def shaping(settings: TrainSettings) -> dict[str, Any]:
    """The settings that shape the weights, as plain lists and numbers: all but FREE."""
    return _plain({name: v for name, v in asdict(settings).items() if name not in FREE})


def _plain(value: Any) -> Any:
    """The value with lists instead of tuples, at every depth, as it returns from JSON."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def unlike(settings: TrainSettings, recipe: dict[str, Any]) -> list[str]:
    """How a card's recipe differs from these settings, in words: "steps 100 instead of 200".

    A setting missing from the card did not exist when it was written and has its default; settings
    that no longer exist are ignored.
    """
    mine, usual = shaping(settings), shaping(TrainSettings())
    theirs = usual | _plain({name: v for name, v in recipe.items() if name in usual})
    for name, value in usual.items():
        if isinstance(value, dict) and isinstance(theirs[name], dict):
            theirs[name] = value | {n: v for n, v in theirs[name].items() if n in value}
    return [f"{n} {theirs[n]} instead of {mine[n]}" for n in mine if theirs[n] != mine[n]]
