"""Check of lesson 16's quality, in which a target that is absent counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_cases
from course_lib.exercises.compare import as_array, as_parts
from course_lib.exercises.core import check

NAMES = ("the quality", "the robustness", "the absence detected")
Q, R, D = 0, 1, 2  # the part of the result by which a mistake is known


def quality(
    overlaps: np.ndarray, present: np.ndarray, reported: np.ndarray
) -> tuple[float, float, float]:
    """Quality, robustness, and the fraction of absences that were noticed; NaN for the last one if
    the target is absent in ten frames or fewer.

    Args:
        overlaps: (T,) of the boxes; 0 where there is none.
        present: (T,) bool, whether there is a true box.
        reported: (T,) bool, whether the tracker gave one.
    """
    noticed = ~present & ~reported
    gone = int((~present).sum())
    return (
        float(np.where(noticed, 1.0, overlaps).mean()),
        float((overlaps[present] > 0).mean()),
        float(noticed.sum() / gone) if gone > 10 else float("nan"),
    )


def _q(value: Callable[..., float]) -> tuple[int, Callable[..., Any]]:
    """A mistake in the quality: overlaps, present, reported → another."""
    return Q, lambda right, *given: (value(*given), *right(*given)[1:])


def _r(value: Callable[..., float]) -> tuple[int, Callable[..., Any]]:
    """A mistake in the robustness."""

    def answer(right, *given):
        found = right(*given)
        return found[Q], value(*given), found[D]

    return R, answer


def _d(value: Callable[..., float]) -> tuple[int, Callable[..., Any]]:
    """A mistake in the absence detected."""
    return D, lambda right, *given: (*right(*given)[:2], value(*given))


def _share(there: np.ndarray, given: np.ndarray, least: int = 11) -> float:
    """Fraction of absences that were noticed, of at least so many."""
    gone = int((~there).sum())
    return float((~there & ~given).sum() / gone) if gone >= least else float("nan")


@check(
    "today.quality",
    reference=quality,
    learns=False,
    mistakes={
        "{about}: an absent target that is reported absent counts 1 in the quality; yours 0": (
            _q(lambda o, there, given: float(o.mean()))
        ),
        "{about}: the quality is a mean over *all* frames, those without a target included": (
            _q(lambda o, there, given: float(o[there].mean()))
        ),
        "{about}: a target that is there and reported absent counts 0 in the quality, not 1": (
            _q(lambda o, there, given: float(np.where(~given, 1.0, o).mean()))
        ),
        "{about}: an absent target for which a box is reported counts 0 in the quality, not 1": (
            _q(lambda o, there, given: float(np.where(~there, 1.0, o).mean()))
        ),
        "{about}: the first frame has no report and counts 0 in the quality; yours leaves it out": (
            _q(lambda o, there, given: float(np.where(~there & ~given, 1.0, o)[1:].mean()))
        ),
        "{about}: the quality is a mean of overlaps, not a fraction of hits": _q(
            lambda o, there, given: float(((~there & ~given) | (o > 0)).mean())
        ),
        "{about}: frames that were reported absent count too; the quality is no mean over reports": (
            _q(lambda o, there, given: float(o[given].mean()))
        ),
        "{about}: robustness is a fraction of the frames *with a target*": (
            _r(lambda o, there, given: float((there & (o > 0)).mean()))
        ),
        "{about}: the robustness asks for an overlap above 0, not for a report": (
            _r(lambda o, there, given: float(given[there].mean()))
        ),
        "{about}: a frame is tracked if the overlap is above 0; yours has another threshold": [
            _r(lambda o, there, given: float((o[there] > 0.1).mean())),
            _r(lambda o, there, given: float((o[there] > 0.5).mean())),
        ],
        "{about}: frames in which a target that is there was reported absent count in the "
        "robustness, as not tracked": _r(
            lambda o, there, given: float((o[there & given] > 0).mean())
        ),
        "{about}: the first frame has a target and no report: it counts in the robustness": (
            _r(lambda o, there, given: float((o[1:][there[1:]] > 0).mean()))
        ),
        "{about}: with ten absent frames or fewer, return NaN for the absence detected": [
            _d(lambda o, there, given: _share(there, given, 1)),
            _d(lambda o, there, given: _share(there, given, 10)),
        ],
        "{about}: eleven absent frames are enough for a number; yours is NaN": (
            _d(lambda o, there, given: _share(there, given, 12))
        ),
        "{about}: divide the absences noticed by the absences, not by the reports of absence": (
            _d(
                lambda o, there, given: (
                    float((~there & ~given).sum() / max((~given).sum(), 1))
                    if (~there).sum() > 10
                    else float("nan")
                )
            )
        ),
        "{about}: yours are the absences that were *not* noticed": (
            _d(lambda o, there, given: 1 - _share(there, given))
        ),
    },
    others={
        "the answer should have three parts": lambda right, *given: right(*given)[:2],
        "expected": lambda right, *given: tuple(v / 3 for v in right(*given)),
        "your function changes": lambda right, o, there, given: (
            right(o, there, given),
            o.fill(0),
        )[0],
    },
)
def examine_quality(answer: Any, rng: np.random.Generator) -> None:
    """Runs whose target is absent often, in ten or eleven frames, or never."""
    cases = []
    for T, gone in ((60, 20), (40, 10), (45, 11), (30, 0)):
        present = np.ones(T, dtype=bool)
        present[1 + rng.permutation(T - 1)[:gone]] = False
        reported = np.where(present, rng.random(T) < 0.8, rng.random(T) < 0.5)
        at = np.flatnonzero(~present)
        if gone:
            reported[at[0]], reported[at[1]] = True, False
        reported[0] = False
        seen = present & reported
        overlaps = np.where(seen, rng.choice([0.0, 0.05, 0.3, 0.6, 0.9], T), 0.0)
        first = np.flatnonzero(seen)
        overlaps[first[:5]] = (0.0, 0.05, 0.3, 0.6, 0.9)
        cases.append((overlaps, present, reported))

    def read(given: Any, case: tuple[Any, ...]) -> list[float]:
        parts = as_array(as_parts(given, *NAMES), (3,), " and ".join(NAMES), allow_nan=True)
        return list(parts)

    compare_cases(answer, cases, NAMES, read, _about)


def _about(overlaps: np.ndarray, present: np.ndarray, reported: np.ndarray) -> str:
    """What a message calls a case."""
    return f"{len(overlaps)} frames, {int((~present).sum())} without a target"
