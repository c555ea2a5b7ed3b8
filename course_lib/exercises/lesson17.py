"""Check of lesson 17: sure, unsure or lost, the states of a tracker that looks again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_cases
from course_lib.exercises.compare import as_number
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable
from course_lib.exercises.words import Wrong

STATES = ("sure", "unsure", "lost")


def next_state(
    unsure: int, score: float, best: float, sure: float, found: float, patience: int
) -> tuple[int, str]:
    """Frames unsure in a row, this one included, and "sure", "unsure" or "lost".

    Args:
        unsure: frames unsure in a row before this one.
        score: confidence where the tracker is; NaN counts as sure.
        best: the highest confidence at other places; -inf if none was asked.
        sure: from which it is believed where it is.
        found: from which it is believed elsewhere.
        patience: frames unsure before the target counts as lost.
    """
    if not score < sure or best >= found:
        return 0, "sure"
    return unsure + 1, "lost" if unsure + 1 > patience else "unsure"


def _read(given: Any, case: tuple[Any, ...]) -> list[float]:
    """Count and number of the state."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise Wrong(
            f"your result is {given!r:.60}; expected two things: a number of frames and a word"
        )
    if str(given[1]) not in STATES:
        raise Wrong(f"your state is {given[1]!r:.40}; expected 'sure', 'unsure' or 'lost'")
    return [as_number(given[0], "the number of frames"), STATES.index(str(given[1]))]


def _about(*case: Any) -> str:
    """What a message calls a case."""
    unsure, score, best, sure, found, patience = case
    return (
        f"score {score:.3g}, best elsewhere {best:.3g}, sure from {sure:.3g}, found from "
        f"{found:.3g}, {unsure} frames unsure before, patience {patience}"
    )


def _with(change: Callable[..., tuple]) -> Callable[..., tuple[int, str]]:
    """A mistake: the right function of other arguments."""
    return lambda right, *case: right(*change(*case))


def _late(right, unsure, score, best, sure, found, patience):
    """The count of before this frame decides."""
    count, state = right(unsure, score, best, sure, found, patience)
    return count, state if state == "sure" else "lost" if unsure > patience else "unsure"


def _kept(right, unsure, *rest):
    """The count is not set back."""
    count, state = right(unsure, *rest)
    return (unsure if state == "sure" else count), state


def _stuck(right, unsure, score, best, sure, found, patience):
    """What is lost stays lost unless it is found elsewhere."""
    count, state = right(unsure, score, best, sure, found, patience)
    gone = unsure > patience and not best >= found
    return (unsure + 1, "lost") if gone else (count, state)


def _strict(own: bool, other: bool) -> Callable[..., tuple[int, str]]:
    """A mistake: above a threshold, not from it on, where the tracker is, elsewhere, or both."""

    def code(right, unsure, score, best, sure, found, patience):
        below = (score <= sure if own else score < sure) and (
            best <= found if other else best < found
        )
        if not below:
            return 0, "sure"
        return right(unsure, sure - 1, found - 1, sure, found, patience)

    return code


@check(
    "challenge.state",
    reference=next_state,
    learns=False,
    mistakes={
        "{about}: it is lost after *more* than `patience` frames unsure; you say so one frame "
        "early": _with(lambda u, s, b, m, f, p: (u, s, b, m, f, p - 1)),
        "{about}: this frame counts as well; add it before you compare with `patience`": _late,
        "{about}: the target was found, so the count of unsure frames begins again at 0": _kept,
        "{about}: a score that is NaN says nothing, so the tracker is left alone: sure": (
            _with(lambda u, s, b, m, f, p: (u, -math.inf if s != s else s, b, m, f, p))
        ),
        "{about}: elsewhere the threshold is `found`, not `sure`: among many places one has a "
        "high score by chance": _with(lambda u, s, b, m, f, p: (u, s, b, m, m, p)),
        "{about}: where the tracker is, the threshold is `sure`, not `found`": (
            _with(lambda u, s, b, m, f, p: (u, s, b, f, f, p))
        ),
        "{about}: you do not look at the best answer elsewhere; a target that is found there is "
        "followed again": _with(lambda u, s, b, m, f, p: (u, s, -math.inf, m, f, p)),
        "{about}: if the tracker is sure again where it is, it has found its target, even after "
        "it was lost": _stuck,
        "{about}: a score that equals the threshold is enough": [
            _strict(True, True),
            _strict(True, False),
            _strict(False, True),
        ],
    },
    others={
        "expected two things": lambda right, *case: right(*case)[1],
        "expected 'sure', 'unsure' or 'lost'": lambda right, *case: (right(*case)[0], "searching"),
    },
)
def examine_state(answer, rng: np.random.Generator) -> None:
    """Scores below, at and above both thresholds, and counts around the patience."""
    cases = []
    for _ in range(2):
        sure = float(rng.integers(3, 9))
        found, patience = sure + float(rng.integers(1, 4)), int(rng.integers(2, 6))
        between = (sure + found) / 2
        for unsure in (0, patience - 1, patience, patience + 2):
            for score in (sure - 1.5, sure, between, found + 1, math.nan):
                for best in (-math.inf, sure - 1, between, found, found + 2):
                    cases.append((unsure, score, best, sure, found, patience))
    cases = [cases[k] for k in rng.permutation(len(cases))]
    names = ("the number of frames", "the state (0 sure, 1 unsure, 2 lost)")
    compare_cases(answer, cases, names, _read, _about)
    require_repeatable(_Numbers(answer), *cases[:4])


class _Numbers:
    """An answer whose results are two numbers."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self, *case: Any) -> np.ndarray:
        return np.array(_read(self.answer(*case), case), dtype=float)

    def right(self, *case: Any) -> np.ndarray:
        """The reference's."""
        return np.array(_read(self.answer.right(*case), case), dtype=float)
