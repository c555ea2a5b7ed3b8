"""Checks of lesson 17's further entries: more than KCF, and more than SiamFC, on the same hidden
sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from course_lib.exercises.core import check
from course_lib.exercises.lesson17_entry import FORM, require_beats
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker
from course_lib.trackers.redetection import with_redetection


class Further(Tracker):
    """KCF that looks for what it has lost."""

    name = "further"

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start on the first frame (H, W, 3) and box (4,)."""
        self.inner = with_redetection(make_tracker("kcf"))
        self.inner.init(frame, box)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3)."""
        box = self.inner.update(frame)
        self.last = self.inner.last
        return box


class Best(Tracker):
    """SiamFC that looks for what it has lost."""

    name = "best"

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start on the first frame (H, W, 3) and box (4,)."""
        self.inner = with_redetection(make_tracker("siamfc"))
        self.inner.init(frame, box)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3)."""
        box = self.inner.update(frame)
        self.last = self.inner.last
        return box


def _with_mosse(slip: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake of `FORM` made with MOSSE: its message is the same, and comes sooner."""
    return lambda right: slip(lambda: make_tracker("mosse"))


SLIPS = {words: _with_mosse(slip) for words, slip in FORM.items()}


@check(
    "challenge.kcf",
    reference=Further,
    learns=False,
    others={
        **SLIPS,
        "its earliest miss is in frame": lambda right: make_tracker("kcf"),
    },
)
def examine_further(answer, _rng: np.random.Generator) -> None:
    """More than KCF, which has channels and sizes, and does not look either."""
    require_beats(answer, "kcf")


@check(
    "challenge.siamfc",
    reference=Best,
    learns=False,
    others={
        **SLIPS,
        "expected at least 0.010 more": lambda right: make_tracker("siamfc"),
    },
)
def examine_best(answer, _rng: np.random.Generator) -> None:
    """More than SiamFC, a network that does not learn while it tracks."""
    require_beats(answer, "siamfc")
