"""Check of lesson 06: the window is mixed in."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson06 import bump, each
from course_lib.exercises.words import Wrong
from course_lib.trackers import siamfc


@check(
    "search.blend",
    reference=siamfc.blend_with_window,
    mistakes={
        "the response is not normalised: next to values of several units, a window that sums to "
        "1 has no effect. Minimum to 0, sum to 1": lambda right, r, w, i: (1 - i) * r + i * w,
        "the influence is on the wrong term: it weights the window, 1 − influence the response": (
            lambda right, r, w, i: right(r, w, 1 - i)
        ),
        "you divide by the sum before subtracting the minimum; a response has negative values, "
        "and its sum may be about 0": [
            lambda right, r, w, i: (1 - i) * (r / r.sum() - (r / r.sum()).min()) + i * w,
        ],
        "you divide by the sum of the response as it came, which may be about 0; divide by the sum "
        "of what is left when the minimum is subtracted": (
            lambda right, r, w, i: (1 - i) * (r - r.min()) / r.sum() + i * w
        ),
        "the minimum is not subtracted: it must become 0 before you divide by the sum": (
            lambda right, r, w, i: (1 - i) * r / r.sum() + i * w
        ),
        "the response is not divided by its sum: with the minimum at 0 it must sum to 1": (
            lambda right, r, w, i: (1 - i) * (r - r.min()) + i * w
        ),
        "you scale the response from 0 to 1; then its peak is far above the window's, whose values "
        "sum to 1. Divide by the sum of what is left": (
            lambda right, r, w, i: (1 - i) * (r - r.min()) / np.ptp(r) + i * w
        ),
        "you scale both from 0 to 1: their sums should be 1, and the window's is already": (
            lambda right, r, w, i: (1 - i) * (r - r.min()) / np.ptp(r) + i * w / w.max()
        ),
        "you multiply by the window: then nothing far from the centre can ever win. Add it with "
        "its influence": lambda right, r, w, i: right(r, w, 0.0) * w,
        "you multiply by the window: its values are tiny, since they sum to 1, so your factor is "
        "about 1 − influence everywhere and the window decides nothing. Add it with its "
        "influence": (lambda right, r, w, i: (1 - i) * right(r, w, 0.0) + i * right(r, w, 0.0) * w),
        "the response keeps its whole weight; its weight should be 1 − influence": (
            lambda right, r, w, i: right(r, w, 0.0) + i * w
        ),
        "the window keeps its whole weight; its weight should be the influence": (
            lambda right, r, w, i: (1 - i) * right(r, w, 0.0) + w
        ),
        "the window has no influence in your answer": lambda right, r, w, i: right(r, w, 0.0),
        "you subtract the mean; then half of the response is negative. Subtract the minimum": (
            lambda right, r, w, i: (1 - i) * (r - r.mean()) / (r - r.min()).sum() + i * w
        ),
        "you cut negative values off; subtract the minimum, or differences are lost": (
            lambda right, r, w, i: (1 - i) * r.clip(0) / r.clip(0).sum() + i * w
        ),
        "you mix with a weight of 0.176, whatever `influence` is": (
            lambda right, r, w, i: right(r, w, 0.176)
        ),
        "you subtract the minimum only where it is negative; always make it 0": (
            lambda right, r, w, i: (
                (1 - i) * (r - min(r.min(), 0)) / (r - min(r.min(), 0)).sum() + i * w
            )
        ),
        "you add the minimum, or subtract its magnitude; subtract it: r − min r": [
            lambda right, r, w, i: _normalised(r + r.min(), w, i),
            lambda right, r, w, i: _normalised(r - abs(r.min()), w, i),
        ],
        "you subtract the minimum of each row or column; there is one for the whole response": [
            lambda right, r, w, i: _normalised(r - r.min(axis=0), w, i),
            lambda right, r, w, i: _normalised(r - r.min(axis=1, keepdims=True), w, i),
        ],
        "you divide each row or column by its own sum; there is one sum, over the whole response": [
            lambda right, r, w, i: (
                (1 - i) * (r - r.min()) / (r - r.min()).sum(axis=1, keepdims=True) + i * w
            ),
            lambda right, r, w, i: (1 - i) * (r - r.min()) / (r - r.min()).sum(axis=0) + i * w,
        ],
        "you divide the mixture by its sum; the response is to sum to 1 before the window is mixed "
        "in": lambda right, r, w, i: (
            ((1 - i) * (r - r.min()) + i * w) / ((1 - i) * (r - r.min()) + i * w).sum()
        ),
        "you subtract the window's minimum as well; the window stays as it is": [
            lambda right, r, w, i: right(r, w - w.min(), i),
            lambda right, r, w, i: right(r, (w - w.min()) / (w - w.min()).sum(), i),
        ],
        "you mix in a window of your own; mix in `window`": lambda right, r, w, i: right(
            r, siamfc.unit_window(len(r)), i
        ),
        "your window is transposed or reversed: row and column of response and window belong "
        "together": [
            lambda right, r, w, i: right(r, w.T, i),
            lambda right, r, w, i: right(r, w[::-1, ::-1], i),
        ],
        "you divide by more than the sum": [
            lambda right, r, w, i: (1 - i) * (r - r.min()) / ((r - r.min()).sum() + 1e-3) + i * w,
            lambda right, r, w, i: (1 - i) * (r - r.min()) / ((r - r.min()).sum() + 1) + i * w,
        ],
        "you take magnitudes; what lies far below 0 is the worst match, not a good one": (
            lambda right, r, w, i: (1 - i) * np.abs(r) / np.abs(r).sum() + i * w
        ),
        "your softmax is one way to make a response sum to 1, but not the one asked for: subtract "
        "the minimum, divide by the sum": (
            lambda right, r, w, i: (1 - i) * np.exp(r) / np.exp(r).sum() + i * w
        ),
    },
)
def examine_blend(answer, rng) -> None:
    """Normalise, then blend: responses with and without negative values."""
    cases = []
    for above, unit, influence in (
        *((0.5, 1.0, 0.176), (5.0, 1.0, 0.4), (0.0, 1e-4, 0.75)),
        *((1.0, 1.0, 0.0), (0.2, 1.0, 1.0)),  # all response, all window
    ):
        # no cell of it is 0
        window = (siamfc.unit_window(68) + 1e-4) * rng.uniform(0.5, 1.5, (68, 68))
        response = unit * (siamfc.enlarge(bump(rng), 4) + above)
        cases.append((response.astype(np.float32), window / window.sum(), influence))

    def read(raw) -> np.ndarray:
        results = np.stack([as_array(one, (68, 68), "the result", allow_nan=True) for one in raw])
        if not np.isfinite(results).all():
            raise Wrong(
                "your result is not finite: you divide by 0. Once the minimum is 0, the sum is "
                "above 0"
            )
        return 1e4 * results

    answer.compare(
        (cases,), "10,000 times the result", read, call=each, tolerance=1e-4, near=1e-3,
        otherwise=_outweighed,
    )  # fmt: skip


def _normalised(shifted: np.ndarray, w: np.ndarray, i: float) -> np.ndarray:
    """A mistake: the response (n, n) is shifted by something else.

    Args:
        shifted: the response, what is divided by its sum.
        w: the window.
        i: its influence.
    """
    return (1 - i) * shifted / shifted.sum() + i * w


def _outweighed(given: np.ndarray, right: np.ndarray) -> str:
    """The message where sums say what is wrong, else none."""
    sums = given.sum(axis=(1, 2)) / 1e4
    if np.allclose(sums, 1, atol=1e-3):
        return ""
    return (
        f"your result sums to {sums[int(np.abs(sums - 1).argmax())]:.4g}; response and window "
        "both sum to 1, so their mixture does as well"
    )
