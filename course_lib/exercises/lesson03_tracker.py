"""Checks of lesson 03: channels, the choice of size, the tracker."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.scenes import MISPLACED, bent, followed, late, moving_texture, paste
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou
from course_lib.trackers import kcf


def plain_histogram(strength: np.ndarray, direction: np.ndarray, cell: int) -> np.ndarray:
    """Summed gradient strength in each cell, for each of 18 directions.

    Args:
        strength: (h, w) of each pixel's gradient.
        direction: (h, w), 0 … 17.
        cell: pixels per side.

    Returns:
        (18, h // cell, w // cell).
    """
    rows, columns = strength.shape[0] // cell, strength.shape[1] // cell
    of_direction = np.where(direction == np.arange(18)[:, None, None], strength, 0.0)  # (18, h, w)
    return of_direction.reshape(18, rows, cell, columns, cell).sum((2, 4))


@check(
    "kcf.histogram",
    reference=plain_histogram,
    mistakes={
        "the directions come last in your answer: channels come first, (18, rows, columns)": (
            lambda right, *given: np.moveaxis(right(*given), 0, -1)
        ),
        "you count 9 directions: here the sign matters, there are 18": (
            lambda right, s, d, cell: right(s, d % 9, cell)[:9]
        ),
        "you count pixels: weight each by the strength of its gradient": (
            lambda right, s, d, cell: right(np.ones_like(s), d, cell)
        ),
        "you average over the cell; sum it": lambda right, s, d, cell: right(s, d, cell) / cell**2,
        "your cells are not squares: reshape to (18, rows, cell, columns, cell) and sum over the "
        "two cell axes": lambda right, s, d, cell: (
            np.where(d == np.arange(18)[:, None, None], s, 0.0)
            .reshape(18, len(s) // cell, -1, cell, cell)
            .sum((3, 4))
        ),
    },
)
def examine_histogram(answer, rng) -> None:
    """Strengths by direction and cell."""
    strength = rng.uniform(0, 9, (12, 20))
    direction = rng.integers(0, 18, strength.shape)
    answer.compare((strength, direction, 4), "the histogram", (18, 3, 5))


@check(
    "kcf.size",
    reference=kcf.best_size,
    mistakes={
        "your answer is an index into the whole stack: take the maximum of each response first": (
            lambda right, r, weight: r.argmax()
        ),
        "{where}: you say {given:g}; with the weight on the others, {right:g} is the highest": [
            lambda right, r, weight: right(r, 1.0),
            lambda right, r, weight: (weight * r.max((1, 2))).argmax(),
        ],
    },
    others={
        "you say 0, expected": lambda right, r, weight: 0,
        "you say 0.92, expected": lambda right, r, weight: r.max(),
    },
)
def examine_size(answer, rng) -> None:
    """The highest peak, with the others down-weighted."""
    for *peaks, weight in (
        (0.9, 0.92, 0.5, 0.96),
        (0.8, 0.5, 0.9, 0.96),
        (0.5, 0.9, 0.7, 1.0),
        (0.6, 0.62, 0.63, 0.96),
    ):
        responses = rng.uniform(0, 0.2, (3, 6, 7))
        for k, peak in enumerate(peaks):
            responses[k, rng.integers(6), rng.integers(7)] = peak
        answer.compare(
            (responses, weight),
            "the index",
            otherwise="{where}: you say {given:g}, expected {right:g}: the first is not weighted, "
            "the others are",
            where=f"peaks {', '.join(f'{p:g}' for p in peaks)} and weight {weight:g}",
        )


FIXED = kcf.KCFSettings(scale="fixed")


def _half_learning(right):
    """A mistake: only α is updated."""

    class Half(right):
        def _learn(self, frame):
            x = self.X
            super()._learn(frame)
            self.X = x

    return Half(FIXED)


@check(
    "kcf.tracker",
    reference=kcf.KCF,
    others={
        **MISPLACED,
        "a cell is 4 pixels wide": bent(
            lambda first, box: first + np.round((box - first) / [4, 4, 1, 1]), FIXED
        ),
        "has its own": bent(lambda first, box: box * [1, 1, 2.5, 2.5]),
        "changed slowly": [
            lambda right: right(kcf.KCFSettings(scale="fixed", rate=0.0)),
            _half_learning,
        ],
        "cut at the new centre": lambda right: late(right)(FIXED),
    },
)
def examine_tracker(answer, rng) -> None:
    """Follows a texture, keeps its size or nearly, and learns a texture that changes slowly."""
    sequence = moving_texture(rng, step=(8, 4), length=9)
    tracker = answer()
    tracker.init(sequence.frames[0], sequence.boxes[0].copy())
    first = (
        as_array(tracker.update(sequence.frames[1]), (4,), "the box")[:2] - sequence.boxes[0][:2]
    )
    if np.allclose(first, [2, 1]):
        raise Wrong(
            "your box moves 2 right and 1 down where the target moves 8 and 4: a cell is 4 pixels "
            "wide"
        )
    # a drift of two steps of the pyramid is not a mistake
    followed(answer(), sequence, lost="Is the model updated at all?", growth=0.11)
    _check_place(answer(), sequence)
    _check_learning(answer(), rng)


def _check_place(tracker, sequence) -> None:
    """The target jumps back and forth: a model of patches cut at the old position is smeared."""
    places = [sequence.boxes[0][:2] + (t % 2) * np.array([12, 8]) for t in range(40)]
    tracker.init(paste(sequence.scene, sequence.target, places[0]), sequence.boxes[0].copy())
    for place in places[1:]:
        box = as_array(
            tracker.update(paste(sequence.scene, sequence.target, place)), (4,), "the box"
        )
        if float(iou(box, [*place, *sequence.boxes[0][2:]])) < 0.5:
            raise Wrong(
                "your tracker loses a target that jumps back and forth: is the patch it learns "
                "cut at the new centre?"
            )


def _check_learning(tracker, rng) -> None:
    """The target slowly changes into another texture; then it jumps one way, and its old
    appearance shows up on the other side."""
    old, new = moving_texture(rng, (0, 0), 1), moving_texture(rng, (0, 0), 1)
    tracker.init(old.frames[0], old.boxes[0].copy())
    place = old.boxes[0][:2]
    # the second half of the frames shows the new texture only
    for mix in np.minimum(np.linspace(0, 2, 180), 1):
        target = ((1 - mix) * old.target + mix * new.target).astype(np.uint8)
        tracker.update(paste(old.scene, target, place))
    beside = paste(old.scene, old.target, place + [16, 0])[..., 0]
    box = as_array(tracker.update(paste(beside, new.target, place - [16, 0])), (4,), "the box")
    if float(iou(box, [*(place - [16, 0]), *old.boxes[0][2:]])) < 0.5:
        raise Wrong(
            "your tracker loses a target whose appearance changed slowly: are both x and α "
            "updated in every frame?"
        )
