"""Checks of lesson 05: pairs of one video."""

from __future__ import annotations

import numpy as np

from course_lib.data import pairs_video
from course_lib.exercises.compare import as_number, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.pair_mistakes import MISTAKES, OTHERS, Patient
from course_lib.exercises.words import Wrong

CROWDED = np.array([*range(20, 28), 60, 200])  # with a gap of 40, all but the last are in reach


@check(
    "training.pair",
    reference=pairs_video.sample_two_frames,
    mistakes=MISTAKES,
    others=OTHERS,
)
def examine_pair(answer, rng) -> None:
    """Two frames of one video."""
    valid = np.sort(rng.choice(150, 60, replace=False)) + 7
    drawn = _drawn(answer, rng, valid, 12, 100)
    if len(set(drawn[:, 0])) == 1:
        raise Wrong(
            f"your first frame is {drawn[0, 0]} in each of 100 draws: draw it among all valid "
            "ones, from the generator that you are given"
        )
    _check_reach(drawn, valid, 12)
    _check_apart(drawn)
    for _ in range(12):
        _check_lonely(answer, rng)
    _check_order(answer, rng)
    names = ("the first frame", "the second frame")
    pairs = answer.compare_draws(lambda given: (given, CROWDED, 40), names, _two, draws=350)
    _check_firsts(pairs.astype(int))
    _check_seconds(pairs.astype(int))


def _two(value) -> np.ndarray:
    first, second = as_parts(value, "first", "second")
    return np.array([as_number(first, "first"), as_number(second, "second")])


def _drawn(answer, rng: np.random.Generator, valid: np.ndarray, gap: int, draws: int) -> np.ndarray:
    """Pairs of frames (draws, 2), all of them valid."""
    pairs = np.array([_two(answer(rng, valid, gap)) for _ in range(draws)])
    strange = pairs[~np.isin(pairs, valid)]
    if not strange.size:
        return pairs.astype(int)
    if pairs.max() < len(valid):
        raise Wrong(
            f"the numbers that you return, such as {strange[0]:g}, are places in `valid`: return "
            "the frames at these places"
        )
    raise Wrong(
        f"frame {strange[0]:g} is not among the valid ones: the target is absent there, or cut "
        "off. Draw from `valid`"
    )


def _check_apart(pairs: np.ndarray) -> None:
    """Refuse pairs (n, 2) that only look ahead, or only back, and pairs of one frame."""
    steps = np.sign(pairs[:, 1] - pairs[:, 0])
    if len(set(steps[steps != 0])) == 1:
        raise Wrong(
            "your second frame always lies on the same side of the first; time may run either way"
        )
    if not steps.all():
        raise Wrong(
            f"both frames are {pairs[steps == 0][0, 0]}, although others are within reach: a pair "
            "of one frame teaches nothing about change. Leave out the first"
        )


def _check_reach(drawn: np.ndarray, valid: np.ndarray, gap: int) -> None:
    """Refuse pairs (n, 2) that are too far apart."""
    first, second = drawn[np.abs(np.diff(drawn)[:, 0]).argmax()]
    furthest = abs(second - first)
    if furthest > gap:
        places = np.abs(np.diff(np.searchsorted(valid, drawn))).max()
        listed = places <= gap and furthest > 1.5 * gap
        more = "; `gap` counts frames, not places in `valid`" if listed else ""
        raise Wrong(
            f"frames {first} and {second} are {furthest} apart; draw frames at most the gap of "
            f"{gap} apart{more}"
        )


def _check_lonely(answer, rng) -> None:
    """Frames exactly the gap apart, and frames too far apart."""
    for far in (7, 8):
        valid = np.array([5, 5 + far])
        try:
            pair = _two(answer(Patient(int(rng.integers(1000))), valid, 7)).astype(int)
            pair = tuple(pair.tolist())
        except (ValueError, IndexError, TypeError, Wrong) as problem:
            raise Wrong(
                f"of frames 5 and {5 + far}, with a gap of 7, your function stops ({problem}): "
                + (
                    "exactly the gap apart, they make a pair"
                    if far == 7
                    else "if no other is within reach, return the first twice"
                )
            ) from None
        if far == 7 and pair not in ((5, 12), (12, 5)):
            raise Wrong(f"frames 5 and 12, exactly the gap apart, make a pair; you drew {pair}")
        if far == 8 and pair not in ((5, 5), (13, 13)):
            raise Wrong(
                f"of frames 5 and 13, with a gap of 7, you drew {pair}: if no other is within "
                "reach, return the first twice"
            )


def _check_order(answer, rng) -> None:
    """Of frames 0, 50 and 100 with a gap of 50, the one between comes first in a third of the
    pairs, unless the second was drawn first."""
    pairs = _drawn(answer, rng, np.array([0, 50, 100]), 50, 300)
    _check_apart(pairs)
    often = float((pairs[:, 0] == 50).mean())
    if abs(often - 1 / 3) > 0.14:  # five standard deviations
        raise Wrong(
            f"of frames 0, 50 and 100, with a gap of 50, frame 50 is your first in {often:.0%} of "
            f"{len(pairs)} draws; expected 33 %: draw the first among the valid frames, all "
            "equally likely, then the second"
        )


def _check_firsts(pairs: np.ndarray) -> None:
    """Every frame of CROWDED comes first equally often in pairs (n, 2)."""
    counts = np.array([(pairs[:, 0] == frame).sum() for frame in CROWDED])
    expected = len(pairs) / len(CROWDED)
    about = f"of frames {CROWDED.tolist()}, with a gap of 40, frame "
    if not counts.all():
        raise Wrong(
            f"{about}{CROWDED[counts.argmin()]} never comes first in {len(pairs)} draws: draw the "
            "first among all valid frames, also those that have no other within reach"
        )
    if ((counts - expected) ** 2 / expected).sum() > 55:  # χ² with 9 degrees of freedom: 1e-8
        worst = np.abs(counts - expected).argmax()
        raise Wrong(
            f"{about}{CROWDED[worst]} comes first in {counts[worst] / len(pairs):.0%} of "
            f"{len(pairs)} draws; expected 10 %: all valid frames are equally likely"
        )


def _check_seconds(pairs: np.ndarray) -> None:
    """Seconds in pairs (n, 2) of CROWDED fit a draw among all frames within reach better than
    one in which a side was drawn first."""
    odds = 0.0
    for first, second in pairs:
        before, after = ((side(CROWDED[:-1], first)).sum() for side in (np.less, np.greater))
        if first != second and before and after:
            of_side = 0.5 / (before if second < first else after)
            odds += np.log(of_side * (before + after))
    if odds > 0:
        raise Wrong(
            "you decide on which side of the first the second lies, and then draw it there: a "
            "frame alone on its side comes up too often. Draw among all within reach at once"
        )
