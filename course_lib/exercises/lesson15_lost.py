"""Check of lesson 15's area under the ROC curve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.evaluation import lost as course
from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong


def area(scores: np.ndarray, lost: np.ndarray) -> float:
    """How often a lost frame has a lower score than one that is not, a tie counting one half.

    Args:
        scores: (T,) of the frames.
        lost: (T,) whether the target is lost.
    """
    return course.area(scores, lost)


def _pairs(tie: float) -> Callable[..., float]:
    """A mistake: a tie counts something else."""

    def answer(right, scores, lost):
        a, b = scores[lost][:, None], scores[~lost]
        return float(((a < b) + tie * (a == b)).mean())

    return answer


def _of(f: Callable[[np.ndarray, np.ndarray], float]) -> Callable[..., float]:
    """A mistake: another number of the scores of lost frames and those of the others."""
    return lambda right, scores, lost: float(f(scores[lost], scores[~lost]))


def _share(right, scores, lost, divide):
    """The right count of pairs, divided by another number."""
    return right(scores, lost) * lost.sum() * (~lost).sum() / divide(len(scores), lost.sum())


def _ranked(order: slice) -> Callable[..., float]:
    """A mistake: ranks that tied scores do not share, in the order of the frames or reversed."""

    def answer(right, scores, lost):
        ranks = scores[order].argsort(kind="stable").argsort()[order] + 1
        m = (~lost).sum()
        return float((ranks[~lost].sum() - m * (m + 1) / 2) / (m * lost.sum()))

    return answer


def _accuracy(threshold):
    """The fraction of frames that one threshold calls right."""
    return lambda right, scores, lost: float(((scores < threshold(scores)) == lost).mean())


def _stairs(right, scores, lost):
    """The curve as stairs: at each threshold the found fraction of after the step."""
    false_alarm, found = course.roc(scores, lost)
    return float((np.diff(false_alarm) * found[1:]).sum())


def _low_stairs(right, scores, lost):
    """The same with the found fraction of before the step."""
    false_alarm, found = course.roc(scores, lost)
    return float((np.diff(false_alarm) * found[:-1]).sum())


@check(
    "deploy.lost",
    reference=area,
    learns=False,
    mistakes={
        "{about}: your area is 1 minus the right one: a *lost* frame has the lower score": [
            lambda right, scores, lost: 1 - right(scores, lost),
            lambda right, scores, lost: right(-scores, lost),
        ],
        "{about}: a tie counts one half; yours counts as nothing": [_pairs(0.0), _low_stairs],
        "{about}: a tie counts one half; yours counts as if the lost frame had the lower score": [
            _pairs(1.0),
            _stairs,
        ],
        "{about}: frames with the same score share one rank, the mean of theirs; with argsort it "
        "depends on the order of the frames": [
            _ranked(np.s_[:]),
            _ranked(np.s_[::-1]),
        ],
        "{about}: n(n + 1) / 2 is for ranks that begin at 1; yours do not": [
            lambda right, scores, lost: right(scores, lost) - 1 / lost.sum(),
            lambda right, scores, lost: right(scores, lost) + 1 / lost.sum(),
        ],
        "{about}: only pairs of a lost frame and one that is not are counted": [
            lambda right, scores, lost: _share(right, scores, lost, lambda n, m: n * (n - 1) / 2),
            lambda right, scores, lost: _share(right, scores, lost, lambda n, m: n * n),
        ],
        "{about}: this is the number of pairs; divide it by that of all such pairs": (
            lambda right, scores, lost: _share(right, scores, lost, lambda n, m: 1)
        ),
        "{about}: the count is divided by the number of lost frames *and* by that of the others": [
            lambda right, scores, lost: _share(right, scores, lost, lambda n, m: m),
            lambda right, scores, lost: _share(right, scores, lost, lambda n, m: n - m),
        ],
        "{about}: this is how often one threshold is right; the area asks for the order of scores, "
        "at all thresholds": [
            _accuracy(lambda scores: 0.2),
            _accuracy(lambda scores: 0.5),
            _accuracy(np.mean),
            _accuracy(np.median),
        ],
        "{about}: means say nothing about pairs": [
            _of(lambda a, b: b.mean() - a.mean()),
            _of(lambda a, b: a.mean() / b.mean()),
            _of(lambda a, b: (a < b.mean()).mean()),
            _of(lambda a, b: (b > a.mean()).mean()),
            lambda right, scores, lost: abs(np.corrcoef(scores, lost)[0, 1]),
        ],
        "{about}: this compares each lost frame with the lowest or highest of the others; compare "
        "it with every one": [
            _of(lambda a, b: (a < b.min()).mean()),
            _of(lambda a, b: (a < b.max()).mean()),
        ],
    },
    others={
        "only the order of the scores counts": lambda right, scores, lost: right(
            scores.clip(0, 1), lost
        ),
        "should be one number": lambda right, scores, lost: [right(scores, lost)] * 2,
    },
)
def examine_lost(answer, rng: np.random.Generator) -> None:
    """Few lost frames and many, with ties between both kinds and among one."""
    cases = []
    for length, part, step in ((14, 0.3, 0.1), (25, 0.6, 0.2), (9, 0.4, 0.05), (40, 0.15, 0.1)):
        lost = np.zeros(length, bool)
        lost[rng.permutation(length)[: round(part * length)]] = True
        scores = np.where(lost, rng.uniform(0.1, 0.7, length), rng.uniform(0.2, 0.9, length))
        scores = (scores / step).round() * step
        a, b = rng.choice(np.flatnonzero(lost)), rng.choice(np.flatnonzero(~lost))
        scores[a] = scores[b]
        cases.append((scores.round(4), lost))
    read = reads("the area")
    compare_cases(answer, cases, ("the area",), read, _about)
    scores = np.geomspace(5, 40, 12)[rng.permutation(12)]  # as a PSR
    lost = scores < np.median(scores)
    lost[rng.integers(12)] ^= True
    wanted = answer.right(scores, lost)
    if abs(read(answer(scores.copy(), lost.copy()), (scores, lost))[0] - wanted) > 1e-6:
        raise Wrong(
            "only the order of the scores counts, whatever their scale; a PSR goes from 5 to 40, and "
            "with such scores your area is wrong"
        )


def _about(scores, lost) -> str:
    """What a message calls a case."""
    return f"{int(lost.sum())} lost frames and {int((~lost).sum())} others"
