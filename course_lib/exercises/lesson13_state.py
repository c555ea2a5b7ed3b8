"""Check of lesson 13's conclusions: what two peaks say about the target."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_number
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers.localise import HARD, LOST, NORMAL, UNCERTAIN, LocalisationSettings

STATES = (NORMAL, HARD, UNCERTAIN, LOST)


def conclusion(
    peaks: np.ndarray, before: np.ndarray, half: float, settings: LocalisationSettings
) -> tuple[int, str]:
    """Which of two peaks is the target, 0 or 1, and the state.

    Args:
        peaks: (2, 3), x, y and score of each; the first has the higher score.
        before: (2,) where the target was.
        half: half of the search image's side, pixels.
        settings: thresholds.
    """
    return _concluded(peaks, before, half, settings)


def _far(point: np.ndarray, before: np.ndarray, half: float, s: LocalisationSettings) -> bool:
    """Whether a point (2,) is further away than a target moves."""
    return float(np.hypot(*(point - before))) > s.displacement * half


def _concluded(
    peaks: np.ndarray,
    before: np.ndarray,
    half: float,
    s: LocalisationSettings,
    far: Callable[..., bool] = _far,
    lost: Callable[..., bool] = lambda a, b, s: a < s.not_found,
    twins: Callable[..., bool] = lambda a, b, s: b > s.distractor * a,
    hard: Callable[..., bool] = lambda a, b, s: b > s.hard_negative * a and b > s.hard_score,
    of_two: Callable[[bool, bool], tuple[int, str]] | None = None,
) -> tuple[int, str]:
    """The rules, with one of them changed.

    Args:
        peaks, before, half, s: as of `conclusion`.
        far: (point, before, half, settings) → whether it is too far away.
        lost, twins, hard: (score, other score, settings) → whether that rule applies.
        of_two: (first is far, second is far) → which is taken, and the state.
    """
    a, b = float(peaks[0, 2]), float(peaks[1, 2])
    if lost(a, b, s):
        return 0, LOST
    if twins(a, b, s):
        both = [far(p[:2], before, half, s) for p in peaks]
        return (of_two or _of_two)(*both)
    return 0, HARD if hard(a, b, s) else NORMAL


def _of_two(first: bool, second: bool) -> tuple[int, str]:
    """Which of two peaks that are nearly as high is taken, and the state."""
    return int(first and not second), UNCERTAIN if first == second else HARD


def _rule(**changed):
    """A mistake: another rule."""
    return lambda right, *given: _concluded(*given, **changed)


def _renamed(state, other):
    """A mistake: one state is called another."""

    def answer(right, *given):
        taken, found = right(*given)
        return taken, other if found == state else found

    return answer


def _hard_first(right, peaks, before, half, s):
    """The third rule is asked before the second."""
    a, b = peaks[:, 2]
    if a >= s.not_found and b > s.hard_negative * a and b > s.hard_score:
        return 0, HARD
    return right(peaks, before, half, s)


@check(
    "online.state",
    reference=conclusion,
    learns=False,
    mistakes={
        "{about}: of a near and a far peak take the near one; the *far* one is the hard negative, "
        "and you take it": _rule(
            of_two=lambda a, b: (int(b and not a), UNCERTAIN if a == b else HARD)
        ),
        "{about}: of two peaks nearly as high the near one is the target, if the other is further "
        "away than a target moves; yours always takes the higher one": (
            _rule(of_two=lambda a, b: (0, UNCERTAIN if a == b else HARD))
        ),
        "{about}: this is uncertain, since distance does not tell them apart: both are near, or "
        "both are far": [
            _rule(of_two=lambda a, b: (int(a and not b), HARD)),
            _rule(of_two=lambda a, b: (int(a and not b), UNCERTAIN if a and b else HARD)),
            _rule(of_two=lambda a, b: (int(a and not b), HARD if a and b else _of_two(a, b)[1])),
            _rule(of_two=lambda a, b: (int(a and not b), LOST if a and b else _of_two(a, b)[1])),
        ],
        "{about}: one is near and one is far, so it is known which is the target, and the other "
        "is a hard negative": [
            _rule(of_two=lambda a, b: (int(a and not b), UNCERTAIN)),
            _rule(of_two=lambda a, b: (int(a and not b), UNCERTAIN if a == b else NORMAL)),
        ],
        "{about}: where nothing tells two peaks apart, take the higher one": (
            _rule(of_two=lambda a, b: (int(a), UNCERTAIN if a == b else HARD))
        ),
        "{about}: distances are measured from where the target *was*": (
            _rule(far=lambda p, before, half, s: _far(p, np.full(2, half), half, s))
        ),
        "{about}: a target moves at most displacement · half": [
            _rule(far=lambda p, before, half, s: _far(p, before, 2 * half, s)),
            _rule(far=lambda p, before, half, s: _far(p, before, 1 / s.displacement * half, s)),
            _rule(far=lambda p, before, half, s: float(np.hypot(*(p - before))) > s.displacement),
        ],
        "{about}: the distance is the root of dx² + dy², not the larger or the sum of the two": [
            _rule(
                far=lambda p, before, half, s: (
                    float(np.abs(p - before).max()) > s.displacement * half
                )
            ),
            _rule(
                far=lambda p, before, half, s: (
                    float(np.abs(p - before).sum()) > s.displacement * half
                )
            ),
        ],
        "{about}: lost means that the first score is below `not_found`, whatever the second is": [
            _rule(lost=lambda a, b, s: a < s.not_found and b < s.hard_negative * a),
            _rule(lost=lambda a, b, s: a < 0),
            _rule(lost=lambda a, b, s: False),
        ],
        "{about}: the second score only tells how dangerous the other place is; the target is lost "
        "if the *first* is low": _rule(lost=lambda a, b, s: b < s.not_found),
        "{about}: thresholds of the second peak are relative to the first": [
            _rule(twins=lambda a, b, s: b > s.distractor),
            _rule(hard=lambda a, b, s: b > s.hard_negative),
        ],
        "{about}: a second peak that is low itself is no danger: it has to be above `hard_score` "
        "too": _rule(hard=lambda a, b, s: b > s.hard_negative * a),
        "{about}: a second peak above `hard_score` has to be above hard_negative · first too": (
            _rule(hard=lambda a, b, s: b > s.hard_score)
        ),
        "{about}: the two conditions of a hard negative both have to hold": (
            _rule(hard=lambda a, b, s: b > s.hard_negative * a or b > s.hard_score)
        ),
        "{about}: ask in the order of the rules: two peaks nearly as high come before a hard "
        "negative": _hard_first,
        "{about}: this is a hard negative": [
            _rule(hard=lambda a, b, s: False),
        ],
        '{about}: nothing is wrong here; the state is "found"': _renamed(NORMAL, UNCERTAIN),
    },
    others={
        "the state should be one of": _renamed(HARD, "distractor"),
        "should be the number": lambda right, *given: (7, right(*given)[1]),
        "expected peak 0, 'found'": lambda right, *given: (0, LOST),
    },
)
def examine_state(answer, rng: np.random.Generator) -> None:
    """Every rule on both sides of its thresholds, with two sets of them."""
    cases = []
    for s, half in (
        (LocalisationSettings(), 140.0),
        (LocalisationSettings(0.3, 0.7, 0.4, 0.35, 0.6), 90.0),
    ):
        reach = s.displacement * half
        before = half + rng.uniform(0.2, 0.3, 2) * half * rng.choice([-1, 1], 2)  # (2,)
        near, near_too, edge = 0.5 * reach, 0.7 * reach, 0.92 * reach
        far, far_too = 1.15 * reach, 1.35 * reach
        nearly = (1 + s.distractor) / 2
        low = s.not_found
        for a, b, d, e in (
            (low - 0.03, 0.9 * low, near, near_too),
            (low - 0.02, 0.2 * low, near, far),
            (low + 0.02, 0.1 * low, near, far),
            (1.0, nearly, near, near_too),
            (1.0, nearly, far, far_too),
            (1.0, nearly, far, near),
            (1.1, 1.1 * nearly, near, far),
            (1.0, nearly, edge, far),
            (1.0, nearly, far, edge),
            (0.6, 0.6 * nearly, near, far),
            (0.6, 0.6 * nearly, far_too, near),
            (0.9, 0.9 * (s.distractor + s.hard_negative) / 2, near, far),
            (1.3, 1.3 * (s.distractor + s.hard_negative) / 2, far, near),
            (1.4, s.hard_negative * 1.4 - 0.03, near, far),
            (0.4, 0.4 * (s.distractor + s.hard_negative) / 2, near, far),
            (1.0, 0.5 * s.hard_negative, far, near),
        ):
            angles = rng.choice([0.7, 0.85, 2.2, 2.5, 3.9, 4.1, 5.3, 5.6], 2)
            at = before + np.array([[d], [e]]) * np.stack([np.cos(angles), np.sin(angles)], 1)
            peaks = np.concatenate([at, [[a], [b]]], 1)  # (2, 3)
            cases.append((peaks, before, half, s))
    compare_arrays(
        answer, cases, "the result", _read, _words, about=lambda given, right, *case: _about(*case)
    )


def _words(given, right, *case) -> str:
    """Both results in words."""
    mine, theirs = (f"peak {int(r[0])}, {STATES[int(r[1])]!r}" for r in (given, right))
    return f"{_about(*case)}: your answer is {mine}; expected {theirs}"


def _read(given) -> np.ndarray:
    """The peak and the state as numbers (2,)."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise Wrong(
            "the answer should have two parts: return the number of the peak, and the state"
        )
    taken = as_number(given[0], "the peak taken")
    if taken not in (0, 1):
        raise Wrong(f"your first part is {taken:g}; it should be the number of a peak, 0 or 1")
    if not isinstance(given[1], str) or given[1] not in STATES:
        raise Wrong(f"the state should be one of {', '.join(map(repr, STATES))}; yours is another")
    return np.array([taken, STATES.index(given[1])])


def _about(peaks, before, half, settings) -> str:
    """What a message calls a case."""
    a, b = peaks[:, 2]
    d, e = (np.hypot(*(p[:2] - before)) / half for p in peaks)
    return f"scores {a:.3g} and {b:.3g}, {d:.2f} and {e:.2f} halves of the image away"
