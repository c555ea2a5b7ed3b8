"""Check of lesson 12: proposals around the target."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong

LEAST, CALMER = 0.1, 0.9
WHAT = (
    *("the centre's x", "the centre's y", "the width", "the height"),
    *("40 · IoU", "the product of shift and growth"),
)


def drawn_box(rng: np.random.Generator, box: ArrayLike, noise: ArrayLike) -> np.ndarray:
    """One proposal (4,) around the target.

    Args:
        rng: random generator it is drawn from.
        box: (4,) of the target, pixels.
        noise: deviations to choose from, in roots of the target's area.
    """
    return _proposal(rng, box, noise)


def _overlap(drawn, box) -> float:
    """IoU of two boxes; thousands are drawn here, and for a single pair this is the fastest."""
    wide = min(drawn[0] + drawn[2], box[0] + box[2]) - max(drawn[0], box[0])
    high = min(drawn[1] + drawn[3], box[1] + box[3]) - max(drawn[1], box[1])
    if wide <= 0 or high <= 0 or drawn[2] <= 0 or drawn[3] <= 0:
        return 0.0
    return wide * high / (drawn[2] * drawn[3] + box[2] * box[3] - wide * high)


def _root(box) -> float:
    return (box[2] * box[3]) ** 0.5


def _shifted(box, normal, deviation) -> np.ndarray:
    """The right step: normal noise on centre and sizes."""
    x, y, w, h = box + deviation * normal
    return np.array([x - (w - box[2]) / 2, y - (h - box[3]) / 2, w, h])


def _proposal(
    rng,
    box,
    noise,
    *,
    unit=_root,
    pick=lambda rng, noise: noise[rng.integers(len(noise))],
    normal=lambda rng: rng.normal(size=4),
    move=_shifted,
    good=lambda drawn, box: _overlap(drawn, box) > LEAST,
    calmer=CALMER,
    again=False,
) -> np.ndarray:
    """A proposal, with a place for each mistake.

    Args:
        rng, box, noise: as for `drawn_box`.
        unit: of the noise, from the box.
        pick: the deviation.
        normal: the four numbers.
        move: (box, normal, deviation) → box.
        good: whether it is kept.
        calmer: factor after a miss.
        again: whether each try has a deviation of its own.
    """
    box = np.asarray(box, dtype=float)
    deviation = pick(rng, noise) * unit(box)
    for _ in range(10_000):
        drawn = move(box, normal(rng), deviation)
        if good(drawn, box):
            break
        deviation = pick(rng, noise) * unit(box) if again else deviation * calmer
    return drawn


def _with(**changed):
    """A mistake: a proposal in which some parts are others."""
    return lambda right, rng, box, noise: _proposal(rng, box, noise, **changed)


def _stretched(box, normal, deviation) -> np.ndarray:
    """Sizes that are multiplied by the exponential of the noise."""
    size = box[2:] * np.exp(deviation / _root(box) * normal[2:])
    centre = box[:2] + box[2:] / 2 + deviation * normal[:2]
    return np.append(centre - size / 2, size)


@check(
    "overlap.proposals",
    reference=drawn_box,
    mistakes={
        "your noise is in pixels: multiply by √(w · h), or boxes hardly leave large targets": _with(
            unit=lambda box: 1.0
        ),
        "the noise of all four numbers is measured in √(w · h), the root of the area": [
            _with(unit=lambda box: box[[2, 3, 2, 3]]),
            _with(unit=lambda box: max(box[2:])),
            _with(unit=lambda box: box[2:].mean()),
            _with(unit=lambda box: box[2] * box[3] / 10),
        ],
        "the noise is drawn around the centre; yours moves the corner, and the right and lower "
        "edges move twice": _with(move=lambda box, normal, s: box + s * normal),
        "your noise is uniform; draw it from a normal distribution": [
            _with(normal=lambda rng: rng.uniform(-1, 1, 4)),
            _with(normal=lambda rng: rng.uniform(-0.5, 0.5, 4)),
        ],
        "each box has one of the deviations, chosen at random; yours is always the same": [
            _with(pick=lambda rng, noise: np.mean(noise)),
            _with(pick=lambda rng, noise: noise[0]),
            _with(pick=lambda rng, noise: noise[-1]),
        ],
        "the deviation is one of those given, and not a number between them: the smallest teach "
        "precision to a pixel, the largest the way back from afar": _with(
            pick=lambda rng, noise: rng.uniform(min(noise), max(noise))
        ),
        "the deviation is chosen once for a box, for all four numbers": _with(
            pick=lambda rng, noise: rng.choice(noise, 4)
        ),
        "that is the same noise for all four numbers: draw four": _with(
            normal=lambda rng: np.full(4, rng.normal())
        ),
        "only the centre, or only the size, has noise; both need it": [
            _with(normal=lambda rng: rng.normal(size=4) * [1, 1, 0, 0]),
            _with(normal=lambda rng: rng.normal(size=4) * [0, 0, 1, 1]),
        ],
        "a box whose IoU is at most 0.1 is drawn again; yours are kept": _with(
            good=lambda drawn, box: True
        ),
        "a box is drawn again where its IoU is at most 0.1; you have another limit": [
            _with(good=lambda drawn, box: _overlap(drawn, box) > 0.5),
            _with(good=lambda drawn, box: _overlap(drawn, box) > 0.3),
        ],
        "where a box misses, another is drawn; you return the target itself": (
            lambda right, rng, box, noise: _proposal_or_target(rng, box, noise)
        ),
        "after a miss the next try has 0.9 times the noise of the last one; yours has as much "
        "as before, or a deviation that is chosen anew": [_with(calmer=1.0), _with(again=True)],
        "sizes get noise like centres, added and not multiplied": _with(move=_stretched),
        "the noise is what is added: yours is squared, or has no sign": [
            _with(normal=lambda rng: np.abs(rng.normal(size=4))),
            _with(normal=lambda rng: rng.normal(size=4) ** 2),
        ],
    },
    others={
        "% of them; expected": _with(calmer=0.3),
        "the same draws": lambda right, rng, box, noise: np.asarray(box, dtype=float),
        "a first try has the deviation as it is given": _with(
            pick=lambda rng, noise: CALMER * noise[rng.integers(len(noise))]
        ),
        "draw from the generator that you are given": lambda right, rng, box, noise: right(
            np.random.default_rng(), box, noise
        ),
    },
)
def examine_proposals(answer, rng) -> None:
    """Proposals around a thin box without misses, and around others with some and with many."""
    thin = np.r_[rng.uniform(10, 90, 2), rng.uniform(7, 9), rng.uniform(110, 130)]
    usual = np.r_[rng.uniform(10, 90, 2), rng.uniform(24, 30), rng.uniform(52, 60)]
    for box, noise, draws in (
        (thin, (0.05,), 1000),
        (usual, (0.05, 1.5), 500),
        (usual, (2.5,), 300),
    ):
        found = answer.compare_draws(
            lambda g, box=box, noise=noise: (g, box, noise),
            WHAT,
            partial(_read, box=box),
            draws=draws,
        )
        if box is thin:
            first_tries, deviation = found[:, :4], noise[0] * _root(box)
    _require_spread(first_tries, deviation)


def _require_spread(noise: np.ndarray, deviation: float) -> None:
    """Raise Wrong unless the noise of all four numbers together has the deviation: a tenth less
    does not show in one of them."""
    part = float(np.sqrt((noise**2).mean())) / deviation
    if abs(part - 1) > 0.05:  # its own error is .011
        raise Wrong(
            f"a first try has the deviation as it is given; yours has {part:.2f} times as much: "
            "shrink it after a miss, not before"
        )


def _read(given, box: np.ndarray) -> np.ndarray:
    """What is compared of a box: how far it is off, and its IoU, in pixels."""
    drawn, half = as_array(given, (4,), "the box"), box[2:] / 2
    size = drawn[2:] - box[2:]
    centre = drawn[:2] + drawn[2:] / 2 - box[:2] - half
    together = (centre * size).sum() / _root(box) * 4
    # rounded: two numbers that are the same, as with one noise for all, differ by nothing
    return np.round([*centre, *size, 40 * _overlap(drawn, box), together], 9)


def _proposal_or_target(rng, box, noise) -> np.ndarray:
    """One try, and the target itself if it misses."""
    drawn = _proposal(rng, box, noise, good=lambda drawn, box: True)
    return drawn if _overlap(drawn, box) > LEAST else np.asarray(box, dtype=float)
