"""Checks of lesson 05: pairs of one video."""

from __future__ import annotations

import numpy as np

from course_lib.data import pairs_video
from course_lib.exercises.compare import as_number, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong


class Patient(np.random.Generator):
    """A generator for answers that draw until they like what they get: it ends an endless loop."""

    DRAWS = 2000

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self.left = self.DRAWS

    def __getattribute__(self, name: str):
        if name in ("choice", "integers", "random", "uniform", "permutation", "permuted"):
            self.left -= 1
            if self.left < 0:
                raise Wrong(
                    f"your function still draws after {self.DRAWS:,} tries where no other frame is "
                    "within reach: return the first twice"
                )
        return super().__getattribute__(name)


def _within(valid: np.ndarray, first: int, gap: int) -> np.ndarray:
    """The other frames within reach."""
    return valid[(np.abs(valid - first) <= gap) & (valid != first)]


def _neighbouring(right, rng, valid, gap):
    """The frame before or after."""
    i = int(rng.integers(len(valid)))
    reach = _within(np.arange(len(valid)), i, 1)
    near = [j for j in reach if abs(valid[j] - valid[i]) <= gap]
    return valid[i], valid[rng.choice(near)] if near else valid[i]


def _later(right, rng, valid, gap):
    """Only frames that follow; the last frame has none and is not drawn."""
    firsts = [f for f in valid if ((valid > f) & (valid <= f + gap)).any()] or [valid[0]]
    first = rng.choice(firsts)
    near = valid[(valid > first) & (valid <= first + gap)]
    return first, rng.choice(near) if len(near) else first


def _second_first(right, rng, valid, gap):
    """Drawn in the other order."""
    return right(rng, valid, gap)[::-1]


def _counted_in_list(right, rng, valid, gap):
    """`gap` places of the list in place of frames."""
    i, j = right(rng, np.arange(len(valid)), gap)
    return valid[i], valid[j]


def _nearest_to_an_offset(right, rng, valid, gap):
    """A random distance, and the frame that is nearest to it."""
    first = rng.choice(valid)
    near = _within(valid, first, gap)
    if not len(near):
        return first, first
    return first, near[np.abs(near - first - rng.integers(-gap, gap + 1)).argmin()]


@check(
    "training.pair",
    reference=pairs_video.sample_two_frames,
    mistakes={
        "you always take a neighbouring frame; draw among all that are at most `gap` away": (
            _neighbouring
        ),
        "you draw a distance and take the frame nearest to it, so frames beside a stretch without "
        "the target come up more often; draw among the frames within reach, all equally likely": (
            _nearest_to_an_offset
        ),
    },
    others={
        "both frames are": [
            lambda right, *given: (right(*given)[0],) * 2,
            lambda right, rng, valid, gap: (
                first := rng.choice(valid),
                rng.choice(valid[np.abs(valid - first) <= gap]),
            ),
        ],
        "always lies on the same side": [
            lambda right, *given: tuple(sorted(right(*given))),
            _later,
        ],
        "`gap` counts frames, not places in `valid`": _counted_in_list,
        "at most the gap of": lambda right, rng, valid, gap: rng.choice(valid, 2, replace=False),
        "not among the valid": [
            lambda right, rng, valid, gap: rng.integers(0, len(valid), 2),
            lambda right, rng, valid, gap: (f := rng.choice(valid), f + rng.integers(1, gap + 1)),
        ],
        "all equally likely, then the second": _second_first,
        "never comes first": lambda right, rng, valid, gap: (
            first := valid[rng.integers(len(valid) - 1)],
            rng.choice(near) if len(near := _within(valid, first, gap)) else first,
        ),
        "in each of 100 draws": lambda right, rng, valid, gap: (
            valid[0],
            rng.choice(near) if len(near := _within(valid, valid[0], gap)) else valid[0],
        ),
        "exactly the gap apart": lambda right, rng, valid, gap: right(rng, valid, gap - 1),
        "return the first twice": [
            lambda right, rng, valid, gap: right(rng, valid, gap if len(valid) > 2 else 999),
            lambda right, rng, valid, gap: (
                first := rng.choice(valid),
                rng.choice(_within(valid, first, gap)),
            ),
        ],
        "draw from the generator that you are given": lambda right, rng, valid, gap: right(
            np.random.default_rng(), valid, gap
        ),
    },
)
def examine_pair(answer, rng) -> None:
    """Two frames of one video."""
    valid = np.sort(rng.choice(150, 60, replace=False)) + 7
    drawn = np.array([_drawn(answer, rng, valid, 12) for _ in range(100)])  # (100, 2)
    if len(set(drawn[:, 0])) == 1:
        raise Wrong(
            f"your first frame is {drawn[0, 0]} in each of 100 draws: draw it among all valid ones, "
            "from the generator that you are given"
        )
    _check_reach(drawn, valid, 12)
    _check_lonely(answer, rng)
    _check_order(answer, rng)
    crowded = np.array([*range(20, 28), 60])
    names = ("the first frame", "the second frame")
    answer.compare_draws(lambda given: (given, crowded, 40), names, _two, draws=350)


def _two(value) -> np.ndarray:
    first, second = as_parts(value, "first", "second")
    return np.array([as_number(first, "first"), as_number(second, "second")])


def _drawn(answer, rng: np.random.Generator, valid: np.ndarray, gap: int) -> np.ndarray:
    """Two frames (2,) that differ, both valid."""
    first, second = pair = _two(answer(rng, valid, gap)).astype(int)
    for frame in pair:
        if frame not in valid:
            raise Wrong(
                f"frame {frame} is not among the valid ones: the target is absent there, or cut "
                "off. Draw from `valid`"
            )
    if first == second:
        raise Wrong(
            f"both frames are {first}, although others are within reach: a pair of one frame "
            "teaches nothing about change. Leave out the first"
        )
    return pair


def _check_reach(drawn: np.ndarray, valid: np.ndarray, gap: int) -> None:
    """Refuse pairs (n, 2) that are too far apart, that only look ahead, or only back."""
    first, second = drawn[np.abs(np.diff(drawn)[:, 0]).argmax()]
    if abs(second - first) > gap:
        places = np.abs(np.diff(np.searchsorted(valid, drawn))).max()
        more = "; `gap` counts frames, not places in `valid`" if places <= gap else ""
        raise Wrong(
            f"frames {first} and {second} are {abs(second - first)} apart; at most the gap of "
            f"{gap}{more}"
        )
    if len(set(np.sign(drawn[:, 1] - drawn[:, 0]))) == 1:
        raise Wrong(
            "your second frame always lies on the same side of the first; time may run either way"
        )


def _check_lonely(answer, rng) -> None:
    """Frames exactly the gap apart, and frames too far apart."""
    for far in (7, 8):
        valid = np.array([5, 5 + far])
        try:
            pair = _two(answer(Patient(int(rng.integers(1000))), valid, 7)).astype(int)
            pair = tuple(pair.tolist())
        except (ValueError, IndexError) as problem:
            raise Wrong(
                f"of frames 5 and {5 + far}, with a gap of 7, your function stops ({problem}): if "
                "no other is within reach, return the first twice"
            ) from None
        if far == 7 and pair not in ((5, 12), (12, 5)):
            raise Wrong(f"frames 5 and 12, exactly the gap apart, make a pair; you drew {pair}")
        if far == 8 and pair not in ((5, 5), (13, 13)):
            raise Wrong(
                f"of frames 5 and 13, with a gap of 7, you drew {pair}: if no other is within "
                "reach, return the first twice"
            )


def _check_order(answer, rng) -> None:
    """Of frames 0, 50 and 100 with a gap of 50, the one between comes first in a third of the pairs,
    unless the second was drawn first."""
    valid = np.array([0, 50, 100])
    pairs = np.array([_drawn(answer, rng, valid, 50) for _ in range(250)])
    for frame in valid:
        if frame not in pairs[:, 0]:
            raise Wrong(
                f"of frames 0, 50 and 100, with a gap of 50, frame {frame} never comes first in 250 "
                "draws: draw the first among all valid frames"
            )
    often = float((pairs[:, 0] == 50).mean())
    if abs(often - 1 / 3) > 0.15:  # five standard deviations
        raise Wrong(
            f"of frames 0, 50 and 100, with a gap of 50, frame 50 is your first in {often:.0%} of "
            "250 draws; expected 33 %: draw the first among the valid frames, all equally likely, "
            "then the second"
        )
