"""Check of lesson 16's progress: how far a run comes before it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.evaluation import multistart_scores as course
from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.core import check


def progress(overlaps: np.ndarray, present: np.ndarray, grace: int) -> int:
    """Frames before a run fails, all N if it does not.

    Args:
        overlaps: (N,) of the run, the start frame included.
        present: (N,) bool, whether there is a true region.
        grace: bad frames in a row that make a failure.
    """
    return course.progress(overlaps, present, grace)


def _came(
    overlaps: np.ndarray,
    present: np.ndarray,
    grace: int,
    bad: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda o, there: (o <= 0.1) & there,
    needed: int = 0,
    first: int = 0,
    skips: bool = False,
) -> int:
    """Progress with a part changed.

    Args:
        overlaps, present, grace: as of `progress`.
        bad: (overlaps, present) → (N,) bool.
        needed: how many more bad frames than `grace` make a failure.
        first: the first frame that is looked at.
        skips: whether a frame without a true region neither counts nor ends a row.
    """
    row, began = 0, 0
    for t, is_bad in enumerate(bad(overlaps, present)):
        if t < first or (skips and not present[t]):
            continue
        row, began = (row + 1 if is_bad else 0), (t if row == 0 else began)
        if row == grace + needed:
            return began
    return len(overlaps)


def _with(**changed: Any) -> Callable[..., Any]:
    """A mistake: another part."""
    return lambda right, *given: _came(*given, **changed)


def _then(change: Callable[[int, int, int], float]) -> Callable[..., Any]:
    """A mistake: another number of the right one, N and grace."""
    return lambda right, o, there, grace: change(right(o, there, grace), len(o), grace)


def _in_all(right, overlaps, present, grace):
    """Bad frames counted wherever they are."""
    bad = np.flatnonzero((overlaps <= 0.1) & present)
    return int(bad[grace - 1]) + 1 - grace if len(bad) >= grace else len(overlaps)


def _any_window(right, overlaps, present, grace):
    """The mean overlap of `grace` frames is low."""
    for t in range(len(overlaps) - grace + 1):
        if overlaps[t : t + grace].mean() <= 0.1:
            return t
    return len(overlaps)


def _last(right, overlaps, present, grace):
    """The last failure in place of the first."""
    found, cut = len(overlaps), overlaps.copy()
    while (P := right(cut, present, grace)) < len(cut):
        found, cut[: P + grace] = P, 1.0
        while P + grace < len(cut) and cut[P + grace] <= 0.1:  # the rest of the same row
            cut[P + grace], P = 1.0, P + 1
    return found


@check(
    "today.progress",
    reference=progress,
    learns=False,
    mistakes={
        "{about}: yours is where the failure is *noticed*; the run counts up to the first of the "
        "bad frames": [
            _then(lambda P, N, grace: P + grace - 1 if P < N else N),
            _then(lambda P, N, grace: P + grace if P < N else N),
        ],
        "{about}: an overlap of exactly .1 is bad too": (
            _with(bad=lambda o, there: (o < 0.1) & there)
        ),
        "{about}: a frame is bad up to an overlap of .1, not only at 0": (
            _with(bad=lambda o, there: (o <= 0) & there)
        ),
        "{about}: a frame without a true region cannot be bad, and it ends a row of bad ones": (
            _with(bad=lambda o, there: o <= 0.1)
        ),
        "{about}: a frame without a true region *ends* a row of bad ones; yours skips it": (
            _with(skips=True)
        ),
        "{about}: the start frame has overlap 0 and counts as a bad one, as in VOT's toolkit": (
            _with(first=1)
        ),
        "{about}: the bad frames have to be in a row; you count them wherever they are": _in_all,
        "{about}: `grace` bad frames in a row are a failure; yours needs one more": (
            _with(needed=1)
        ),
        "{about}: a failure needs `grace` bad frames in a row; yours needs one less": (
            _with(needed=-1)
        ),
        "{about}: the first bad frame is no failure yet; it takes `grace` in a row": (
            lambda right, o, there, grace: _came(o, there, 1)
        ),
        "{about}: the row of bad frames may end with the run's last frame; you stop before it": (
            _then(lambda P, N, grace: P if P + grace < N else N)
        ),
        "{about}: a run without a failure came through all N frames": [
            _then(lambda P, N, grace: N - 1 if P == N else P),
            _then(lambda P, N, grace: 0 if P == N else P),
            _then(lambda P, N, grace: -1 if P == N else P),
        ],
        "{about}: the answer is a number of frames, not a fraction": _then(
            lambda P, N, grace: P / N
        ),
        "{about}: yours is one frame too few": [
            _then(lambda P, N, grace: max(P - 1, 0)),
            _then(lambda P, N, grace: P - 1 if P < N else N),
        ],
        "{about}: the run fails at the *first* row that is long enough; yours is the last one": _last,
        "{about}: how many bad frames it takes is `grace`; you take ten, whatever it says": (
            lambda right, o, there, grace: _came(o, there, 10)
        ),
        "{about}: every frame of the row has to be bad; you test their mean": _any_window,
    },
    others={
        "should be one number": lambda right, *given: [right(*given)] * 2,
        "expected": _then(lambda P, N, grace: P + 1),
    },
)
def examine_progress(answer: Any, rng: np.random.Generator) -> None:
    """Rows of bad frames that are long enough or not, at the start and the end, with absences."""
    cases = []
    for grace in (10, 4):
        for length, first, bad in ((40, 20, grace), (40, 20, grace - 1), (30, 30 - grace, grace)):
            overlaps = rng.uniform(0.3, 0.9, length)
            overlaps[first : first + bad] = rng.uniform(0.01, 0.09, bad)
            overlaps[0] = 0
            cases.append((overlaps, np.ones(length, dtype=bool), grace))
        start = rng.uniform(0.3, 0.9, 30)
        start[:grace] = 0  # lost from the second frame on
        start[20 : 20 + grace] = 0.1  # exactly at the limit
        cases.append((start, np.ones(30, dtype=bool), grace))
        exactly = start.copy()
        exactly[1:20] = rng.uniform(0.3, 0.9, 19)
        cases.append((exactly, np.ones(30, dtype=bool), grace))
        gone = rng.uniform(0.3, 0.9, 50)
        gone[0] = 0
        gone[12 : 12 + grace + 2] = 0.0
        gone[36 : 36 + grace] = 0.05
        there = np.ones(50, dtype=bool)
        there[12 + grace // 2] = False
        cases.append((gone, there, grace))
        there = there.copy()
        there[12 : 12 + grace + 2] = False
        cases.append((gone, there, grace))
        twice = rng.uniform(0.3, 0.9, 60)
        twice[0] = 0
        twice[[*range(10, 10 + grace), *range(40, 40 + grace)]] = 0.05
        cases.append((twice, np.ones(60, dtype=bool), grace))
        scattered = rng.uniform(0.3, 0.9, 60)
        scattered[0::2] = 0.02
        cases.append((scattered, np.ones(60, dtype=bool), grace))
    compare_cases(answer, cases, ("the progress",), reads("the progress"), _about)


def _about(overlaps: np.ndarray, present: np.ndarray, grace: int) -> str:
    """What a message calls a case."""
    return (
        f"a run of {len(overlaps)} frames, {int((overlaps <= 0.1).sum())} of them with an overlap "
        f"of at most .1, {int((~present).sum())} without a target, grace {grace}"
    )
