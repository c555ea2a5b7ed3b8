"""Check of lesson 16's tracking precision and recall, with a fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_cases
from course_lib.exercises.compare import as_array, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong

NAMES = ("the precision", "the recall", "F")
P, R, F = 0, 1, 2  # the part of the result by which a mistake is known


def mended_f(
    overlaps: np.ndarray, scores: np.ndarray, present: np.ndarray, threshold: float
) -> tuple[float, float, float]:
    """Tracking precision, recall and F of one run at a threshold of the score.

    Args:
        overlaps: (T,) with the truth.
        scores: (T,) how sure the tracker was.
        present: (T,) bool, whether there is a true box.
        threshold: frames with at least this score count as reported.
    """
    return _f(overlaps, scores, present, threshold)


def _f(
    overlaps: np.ndarray,
    scores: np.ndarray,
    present: np.ndarray,
    threshold: float,
    chosen: Callable[[np.ndarray, float], np.ndarray] = lambda scores, limit: scores >= limit,
    above: Callable[..., np.ndarray] = lambda given, there: given,
    below: Callable[..., np.ndarray] = lambda given, there: there,
    none: float = 1.0,
    mean: Callable[[float, float], float] = lambda p, r: 2 * p * r / (p + r) if p + r else 0.0,
) -> tuple[float, float, float]:
    """The three with a part changed.

    Args:
        overlaps, scores, present, threshold: as of `mended_f`.
        chosen: (scores, threshold) → frames reported.
        above, below: (reported, present) → frames by whose number the precision, the recall is
            divided.
        none: the precision of no report.
        mean: (precision, recall) → F.
    """
    given = chosen(scores, threshold)
    total = float(overlaps[given].sum())
    count, there = int(above(given, present).sum()), int(below(given, present).sum())
    p = total / count if count else none
    r = total / there if there else 0.0
    return p, r, mean(p, r)


def _with(part: int | None = None, **changed: Any) -> Any:
    """A mistake: another part of the computation, known by a part of the result."""

    def answer(right, *given):
        return _f(*given, **changed)

    return answer if part is None else (part, answer)


def _hits(right, overlaps, scores, present, threshold):
    """Recall counts targets that are reported, wherever the box is."""
    given = scores >= threshold
    p, r = right(overlaps, scores, present, threshold)[P], (given & present).sum() / present.sum()
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


@check(
    "today.fault",
    reference=mended_f,
    learns=False,
    mistakes={
        "{about}: the fault is still there: divide recall by *all* frames with a target, including "
        "those that were not reported": [
            _with(below=lambda given, there: given & there),
            _with(R, below=lambda given, there: given & there),
        ],
        "{about}: recall sums the overlaps, as precision does; yours counts reported frames": _hits,
        "{about}: recall is not precision: it is divided by the frames with a target": (
            _with(below=lambda given, there: given)
        ),
        "{about}: recall is divided by the frames with a target, not by all frames": (
            _with(below=lambda given, there: np.ones_like(there))
        ),
        "{about}: a report where there is no target lowers the precision: divide by all reported "
        "frames": _with(above=lambda given, there: given & there),
        "{about}: precision is divided by the reported frames, not by all": (
            _with(above=lambda given, there: np.ones_like(given))
        ),
        "{about}: precision is divided by the reported frames, not by those with a target": (
            _with(above=lambda given, there: there)
        ),
        "{about}: a frame with exactly the score of the threshold counts as reported": (
            _with(chosen=lambda scores, limit: scores > limit)
        ),
        "{about}: the frames reported are those with a *high* score": (
            _with(chosen=lambda scores, limit: scores <= limit)
        ),
        "{about}: without any report the precision is 1, as in VOT's toolkit": _with(none=0.0),
        "{about}: F is twice the product over the sum, the harmonic mean": [
            (F, lambda right, *given: (*right(*given)[:2], sum(right(*given)[:2]) / 2)),
            (F, lambda right, *given: (*right(*given)[:2], np.prod(right(*given)[:2]) ** 0.5)),
            (F, lambda right, *given: (*right(*given)[:2], right(*given)[2] / 2)),
        ],
        "{about}: your precision and recall have changed places": (
            lambda right, *given: (right(*given)[1], right(*given)[0], right(*given)[2])
        ),
        "{about}: the threshold is ignored; only frames with at least that score count": (
            _with(chosen=lambda scores, limit: np.ones(len(scores), dtype=bool))
        ),
    },
    others={
        "the answer should have three parts": lambda right, *given: right(*given)[:2],
        "expected": lambda right, *given: tuple(0.7 * v for v in right(*given)),
        "0 / 0": _with(none=float("nan")),
        "holds NaN": lambda right, *given: (float("nan"), *right(*given)[1:]),
    },
)
def examine_fault(answer: Any, rng: np.random.Generator) -> None:
    """Thresholds below, among and above the scores; targets that are absent for a while."""
    cases = []
    for T, gone in ((30, 8), (24, 5), (40, 12)):
        present = np.ones(T, dtype=bool)
        present[rng.permutation(T)[:gone]] = False
        scores = rng.permutation(T) / 10
        overlaps = np.where(present, rng.uniform(0.1, 0.9, T), 0.0)
        for threshold in (scores[T // 2], float(np.median(scores)), 100.0, 0.7):
            cases.append((overlaps, scores, present, float(threshold)))

    def read(given: Any, case: tuple[Any, ...]) -> list[float]:
        values = as_array(as_parts(given, *NAMES), (3,), ", ".join(NAMES), allow_nan=True)
        if np.isnan(values[P]) and not (case[1] >= case[3]).any():
            raise Wrong("without any report your precision is 0 / 0; as in VOT's toolkit, it is 1")
        return list(as_array(values, (3,), ", ".join(NAMES)))

    compare_cases(answer, cases, NAMES, read, _about)


def _about(overlaps: np.ndarray, scores: np.ndarray, present: np.ndarray, threshold: float) -> str:
    """What a message calls a case."""
    given = scores >= threshold
    return (
        f"{len(scores)} frames, {int(present.sum())} with a target, {int(given.sum())} reported, "
        f"{int((given & present).sum())} of them with one"
    )
