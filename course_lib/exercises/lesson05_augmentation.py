"""Checks of lesson 05: augmentation that keeps the target where the label says."""

from __future__ import annotations

from functools import partial

import numpy as np

from course_lib.data import pairs_cut
from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong


def _spread(draw):
    """A mistake: the shift in crop pixels is drawn otherwise, draw(rng, shift)."""

    def point(right, rng, box, shift, scale):
        return box[:2] + box[2:] / 2 + draw(rng, shift) / scale

    return point


def _centred(centre):
    """A mistake: the right shift from another point, centre(box, scale)."""

    def point(right, rng, box, shift, scale):
        return right(rng, box, shift, scale) - box[:2] - box[2:] / 2 + centre(box, scale)

    return point


def _in_a_disc(rng, shift):
    """A random direction and distance."""
    angle = rng.uniform(0, 2 * np.pi)
    return shift * np.sqrt(rng.uniform()) * np.array([np.cos(angle), np.sin(angle)])


@check(
    "training.shift",
    reference=pairs_cut.shifted_centre,
    mistakes={
        "one frame pixel is {3:g} crop pixels, so divide the shift by the scale, do not multiply": (
            lambda right, rng, box, shift, scale: right(rng, box, shift * scale**2, scale)
        ),
        "`shift` is in crop pixels, the centre in frame pixels: divide the shift by the scale": (
            lambda right, rng, box, shift, scale: right(rng, box, shift * scale, scale)
        ),
        "your shift is divided by the scale twice": lambda right, rng, box, shift, scale: right(
            rng, box, shift / scale, scale
        ),
        "you divide the box's centre by the scale as well; only the shift is in crop pixels": (
            _centred(lambda box, scale: (box[:2] + box[2:] / 2) / scale)
        ),
        "you multiply the box's centre by the scale: the point is asked for in frame pixels": (
            _centred(lambda box, scale: (box[:2] + box[2:] / 2) * scale)
        ),
        "your centre is (x + w) / 2, (y + h) / 2; a box is x, y, w, h, and w / 2 right of x is "
        "x + w / 2": _centred(lambda box, _: (box[:2] + box[2:]) / 2),
        "your points lie around the lower right corner of the box; half of w and of h leads to the "
        "centre": _centred(lambda box, _: box[:2] + box[2:]),
        "x and y are swapped in your point": lambda right, rng, box, shift, scale: right(
            rng, box[[1, 0, 3, 2]], shift, scale
        ),
        "your centre is half a pixel too far left and up: positions are continuous, x + w / 2": (
            _centred(lambda box, _: box[:2] + (box[2:] - 1) / 2)
        ),
        "your centre or your point is rounded to whole frame pixels; a crop may be cut between "
        "them, so leave fractions": [
            _centred(lambda box, _: box[:2] + box[2:] // 2),
            _centred(lambda box, _: np.rint(box[:2] + box[2:] / 2)),
            _centred(lambda box, _: np.floor(box[:2] + box[2:] / 2)),
            _centred(lambda box, _: np.rint(box[:2]) + np.rint(box[2:]) / 2),
        ],
        "your point is kept inside the frame; the centre of a target may lie outside": _centred(
            lambda box, _: np.maximum(box[:2] + box[2:] / 2, 0)
        ),
        "you return the shift alone; add it to the box's centre": _centred(
            lambda box, _: 0 * box[:2]
        ),
        "you shift by twice as much: `shift` is the largest distance in either direction": (
            lambda right, rng, box, shift, scale: right(rng, box, 2 * shift, scale)
        ),
        "x and y are shifted by the same amount: draw two numbers": _spread(
            lambda rng, shift: rng.uniform(-shift, shift)
        ),
        "you shift to one side only: draw between −shift and +shift": _spread(
            lambda rng, shift: rng.uniform(0, shift, 2)
        ),
        "you shift by half: `shift` is the largest distance in either direction": (
            lambda right, rng, box, shift, scale: right(rng, box, shift / 2, scale)
        ),
        "you draw from a normal distribution, which has no largest distance: draw uniformly": (
            _spread(lambda rng, shift: rng.normal(0, shift, 2))
        ),
        "your points lie around the corner of the box; its centre is x + w / 2, y + h / 2": (
            _centred(lambda box, _: box[:2])
        ),
        "width and height are swapped in your centre: x + w / 2, y + h / 2": (
            lambda right, rng, box, shift, scale: right(rng, box[[0, 1, 3, 2]], shift, scale)
        ),
        "you shift by exactly `shift` every time: draw between −shift and +shift": _spread(
            lambda rng, shift: rng.choice([-shift, shift], 2)
        ),
        "you shift along x only": lambda right, rng, box, shift, scale: (
            right(rng, box, shift, scale) * [1, 0] + (box[1] + box[3] / 2) * np.array([0, 1])
        ),
    },
    others={
        "by whole crop pixels": _spread(
            lambda rng, shift: rng.integers(-int(shift), int(shift) + 1, 2)
        ),
        "you draw whole numbers": _spread(lambda rng, shift: rng.integers(-shift, shift, 2)),
        "whole frame pixels": lambda right, rng, box, shift, scale: (
            box[:2] + box[2:] / 2 + np.rint(rng.uniform(-shift, shift, 2) / scale)
        ),
        "is set by `shift`": lambda right, rng, box, shift, scale: right(rng, box, 4.0, scale),
        "fill a disc": _spread(_in_a_disc),
        "more than `shift`": _spread(lambda rng, shift: rng.normal(0, 0.52 * shift, 2)),
        "draw from the generator that you are given": lambda right, rng, *given: right(
            np.random.default_rng(), *given
        ),
    },
)
def examine_shift(answer, rng) -> None:
    """Centre of a search window, shifted from the target's."""
    read = partial(as_array, shape=(2,), what="the point")
    for box in ([-14.3, 9.8, 23.5, 12.7], [*rng.uniform(20, 90, 4)]):
        try:
            answer.compare(
                (rng, np.array(box), 1e-7, 2.5),
                "for a shift of 1e-7 the point",
                read,
                hint="how far it lies from the box's centre is set by `shift`",
            )
        except ValueError as problem:
            if "high <=" not in str(problem) and "low >=" not in str(problem):
                # these are NumPy's words about rng.integers
                raise
            raise Wrong(
                "you draw whole numbers, and a shift of 1e-7 leaves room for none: rng.uniform "
                "draws any number between"
            ) from None
    box = np.array([40.3, 60.8, 30.4, 52.6]) + rng.uniform(0, 5, 4)
    points = answer.compare_draws(
        lambda given: (given, box, 4.5, 0.3), ("x", "y"), read, draws=1200
    )
    away = points - box[:2] - box[2:] / 2
    if np.abs(away - np.rint(away)).max() < 1e-6:
        raise Wrong("you shift by whole frame pixels: rng.uniform draws any number between")
    _check_spread(away * 0.3, 4.5)
    points = np.array([read(answer(rng, box, 10.0, 2.5)) for _ in range(100)])
    _check_range((points - box[:2] - box[2:] / 2) * 2.5, 10.0)


def _check_range(away: np.ndarray, shift: float) -> None:
    """Refuse offsets (n, 2) in crop pixels that exceed `shift`, or stay far below it."""
    furthest = float(np.abs(away).max())
    if furthest > shift * (1 + 1e-6):
        raise Wrong(
            f"with shift {shift:g} a target is {apart(furthest, shift)[0]} crop pixels off centre, "
            "more than `shift`: draw uniformly between −shift and +shift"
        )
    if furthest < 0.85 * shift:
        raise Wrong(
            f"with shift {shift:g} no target of {len(away)} is more than {furthest:.2g} crop "
            "pixels off centre: draw between −shift and +shift, then divide by the scale"
        )


def _check_spread(away: np.ndarray, shift: float) -> None:
    """Refuse offsets (n, 2) in crop pixels that do not fill the square evenly."""
    _check_range(away, shift)
    if np.abs(away - np.rint(away)).max() < 1e-6:
        raise Wrong("you shift by whole crop pixels: rng.uniform draws any number between")
    if np.hypot(*away.T).max() < 1.1 * shift:
        raise Wrong(
            "your points fill a disc; `shift` is the largest distance along x and along y, each "
            "drawn separately"
        )
    places = np.sort(away.ravel()) / (2 * shift) + 0.5  # evenly spread: as many below p as p
    if np.abs(places - np.arange(places.size) / places.size).max() > 0.06:
        inner = float((np.abs(away) < shift / 2).mean())
        raise Wrong(
            f"{inner:.0%} of your shifts are below half of `shift`; drawn uniformly, 50 % would be"
        )
