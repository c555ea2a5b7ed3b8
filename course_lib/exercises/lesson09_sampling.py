"""Checks of lesson 09: spatial-aware sampling."""

from __future__ import annotations

import numpy as np

from course_lib.data.pairs_cut import shifted_centre
from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong


def crop_centre(rng: np.random.Generator, box: np.ndarray, shift: float, side: float) -> np.ndarray:
    """Centre (2,) in frame pixels of a search square: spatial-aware sampling.

    Args:
        rng: of the shift.
        box: (4,) of the target, frame pixels.
        shift: at most, pixels of the search image.
        side: of the square in frame pixels; it is shown at 255.
    """
    return shifted_centre(rng, np.asarray(box, dtype=float), shift, 255 / side)


def _shifted(draw):
    """A mistake: the target's centre, shifted by draw(rng, shift) pixels of the search image."""

    def centre(right, rng, box, shift, side):
        return box[:2] + box[2:] / 2 + draw(rng, shift) * np.ones(2) * side / 255

    return centre


def _disc(rng, shift):
    """A point that is uniform in a disc."""
    angle = rng.uniform(0, 2 * np.pi)
    return shift * np.sqrt(rng.random()) * np.array([np.cos(angle), np.sin(angle)])


def _ring(rng, shift):
    """A point in a random direction, at a uniform distance."""
    angle = rng.uniform(0, 2 * np.pi)
    return rng.uniform(0, shift) * np.array([np.cos(angle), np.sin(angle)])


def _seeded(right, *given):
    """A mistake: the generator of all others is set as well."""
    np.random.seed(0)  # noqa: NPY002
    return right(*given)


@check(
    "match.sampling",
    reference=crop_centre,
    mistakes={
        "the shift is in pixels of the 255-pixel search image, and each is side / 255 frame "
        "pixels": [
            lambda right, rng, box, shift, side: right(rng, box, shift * 255 / side, side),
            lambda right, rng, box, shift, side: right(rng, box, shift * (255 / side) ** 2, side),
        ],
        "your crops lie around the box's corner; the target's centre is x + w / 2, y + h / 2": (
            lambda right, rng, box, *given: right(rng, box, *given) - box[2:] / 2
        ),
        "your crops lie around the box's far corner; the target's centre is x + w / 2, y + h / 2": (
            lambda right, rng, box, *given: right(rng, box, *given) + box[2:] / 2
        ),
        "x and y are shifted by the same number; draw one for each": (
            _shifted(lambda rng, shift: rng.uniform(-shift, shift))
        ),
        "your shifts go one way only; draw them from −shift to shift": [
            _shifted(lambda rng, shift: rng.uniform(0, shift, 2)),
            _shifted(lambda rng, shift: -rng.uniform(0, shift, 2)),
        ],
        "every shift from −shift to shift is as likely as any other; yours is −shift or shift": [
            _shifted(lambda rng, shift: rng.choice([-shift, shift], 2)),
            _shifted(lambda rng, shift: rng.choice([-shift, shift])),
        ],
        "your shifts lie in a disc; x and y are drawn independently, so the corners of the square "
        "are reached too": [_shifted(_disc), _shifted(_ring)],
        "your shifts are normally distributed; draw them uniformly: all are equally likely": [
            _shifted(lambda rng, shift: rng.normal(0, shift, 2)),
            _shifted(lambda rng, shift: rng.normal(0, shift / 2, 2)),
            _shifted(lambda rng, shift: rng.normal(0, shift / 3, 2)),
        ],
        "your shifts cluster around 0; draw them uniformly: all are equally likely": [
            _shifted(lambda rng, shift: shift * rng.uniform(-1, 1, 2) ** 3),
            _shifted(lambda rng, shift: rng.triangular(-shift, 0, shift, 2)),
        ],
        "the largest shift is an argument, here {2}": (
            lambda right, rng, box, shift, side: right(rng, box, 64, side)
        ),
        "the target may lie up to `shift` from the centre on either side; yours stays within half "
        "of that": _shifted(lambda rng, shift: rng.uniform(-shift / 2, shift / 2, 2)),
        "your shifts reach twice as far as `shift`, which is the largest *in each direction*; "
        "side / 127 in place of side / 255 does that too": (
            _shifted(lambda rng, shift: rng.uniform(-2 * shift, 2 * shift, 2))
        ),
        "you return the shift alone; the square's centre is the target's, shifted": (
            lambda right, rng, box, *given: right(rng, box, *given) - box[:2] - box[2:] / 2
        ),
        "x and y have changed places in what you return": (
            lambda right, rng, *given: right(rng, *given)[::-1]
        ),
        "half the width goes to x and half the height to y; yours takes one for both": [
            lambda right, rng, box, *given: right(rng, box, *given) + (box[2] - box[2:]) / 2,
            lambda right, rng, box, *given: right(rng, box, *given) + (box[3] - box[2:]) / 2,
        ],
        "your two shifts are one number and its opposite; draw one for each": (
            _shifted(lambda rng, shift: rng.uniform(-shift, shift) * np.array([1, -1]))
        ),
        "only x is shifted; y is drawn as well": (
            _shifted(lambda rng, shift: np.array([rng.uniform(-shift, shift), 0]))
        ),
        "only y is shifted; x is drawn as well": (
            _shifted(lambda rng, shift: np.array([0, rng.uniform(-shift, shift)]))
        ),
    },
    others={
        "nothing is random here": lambda right, rng, box, *given: box[:2] + box[2:] / 2,
        "you draw from np.random": lambda right, rng, box, shift, side: (
            box[:2] + box[2:] / 2 + np.random.uniform(-shift, shift, 2) * side / 255  # noqa: NPY002
        ),
        "two generators with the same seed give different draws": (
            lambda right, rng, *given: right(np.random.default_rng(), *given)
        ),
        "times in": [
            _shifted(lambda rng, shift: rng.integers(-shift, shift + 1, 2)),
            _shifted(lambda rng, shift: np.round(rng.uniform(-shift, shift, 2))),
            _shifted(lambda rng, shift: rng.uniform(-shift, shift, 2) * (rng.random() > 0.08)),
            lambda right, rng, *given: np.maximum(right(rng, *given), 0),
        ],
        "with a shift of 0": _shifted(lambda rng, shift: rng.uniform(-1, 1, 2) * max(shift, 8)),
        "or seed it": _seeded,
        "beyond the largest": _shifted(lambda rng, shift: rng.uniform(-1.03, 1.03, 2) * shift),
        "none of your crops": _shifted(lambda rng, shift: rng.uniform(-0.97, 0.97, 2) * shift),
    },
)
def examine_sampling(answer, rng) -> None:
    """Spatial-aware sampling."""
    what = ("the shift of x", "the shift of y", "the distance from the target")
    cases = (
        ([100.3, 60.8, 96.0, 31.0], 64, 150.0, 800),
        ([7.5, 90.0, 24.6, 80.2], 21, 410.0, 250),
    )
    for box, shift, side, draws in cases:
        box = np.array(box)

        def read(given, centre=box[:2] + box[2:] / 2):
            dx, dy = as_array(given, (2,), "the centre") - centre
            return dx, dy, np.hypot(dx, dy)

        inputs = lambda rng, given=(box, shift, side): (rng, *given)  # noqa: E731
        seed = int(rng.integers(2**31))
        away = answer.compare_draws(inputs, what, read, draws=draws, seed=seed)
        _require_spread(away[:, :2] * 255 / side, shift)
        furthest, limit = np.abs(away[:, :2]).max(), shift * side / 255
        # of 2 · draws numbers the largest is below this once in ten million
        if furthest < limit * (1 - 8 / draws):
            is_now, should_be = apart(furthest, limit)
            raise Wrong(
                f"none of your crops lies more than {is_now} frame pixels off, in {draws} draws; "
                f"the largest shift, {shift} pixels of a search image that shows {side:g} at 255, "
                f"is {should_be}"
            )
        if furthest > limit * (1 + 1e-9):
            is_now, should_be = apart(furthest, limit)
            raise Wrong(
                f"some of your crops lie {is_now} frame pixels off, beyond the largest shift, "
                f"which is {should_be}: {shift} pixels of a search image that shows {side:g} at 255"
            )
    given = as_array(answer(rng, box.copy(), 0, side), (2,), "the centre")
    if not np.allclose(given, box[:2] + box[2:] / 2, rtol=0, atol=1e-9):
        raise Wrong("with a shift of 0 the square's centre is the target's; yours is elsewhere")


def _require_spread(shifts: np.ndarray, largest: float) -> None:
    """Raise Wrong if some of the shifts (draws, 2), pixels of the search image, return."""
    for name, column in zip("xy", shifts.T, strict=True):
        values, counts = np.unique(np.round(column, 7), return_counts=True)
        if counts.max() > 1:
            raise Wrong(
                f"the shift of {name} is {values[counts.argmax()]:.4g} pixels {counts.max()} times "
                f"in {len(column)} draws. Every number from {-largest} to {largest} is as likely "
                "as any other, so none should come up twice: are yours rounded, or limited?"
            )
