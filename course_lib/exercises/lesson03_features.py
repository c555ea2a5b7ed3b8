"""Checks of lesson 03: histograms of gradients, and the choice of a size."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_number
from course_lib.exercises.core import check
from course_lib.exercises.lesson03 import each
from course_lib.exercises.manners import require_repeatable
from course_lib.trackers import kcf


def plain_histogram(strength: np.ndarray, direction: np.ndarray, cell: int) -> np.ndarray:
    """Summed gradient strength in each cell, for each of 18 directions.

    Args:
        strength: (h, w) of each pixel's gradient.
        direction: (h, w), 0 … 17.
        cell: pixels per side.

    Returns:
        (18, h // cell, w // cell).
    """
    rows, columns = strength.shape[0] // cell, strength.shape[1] // cell
    of_direction = _by_direction(strength, direction)  # (18, h, w)
    return of_direction.reshape(18, rows, cell, columns, cell).sum((2, 4))


def _by_direction(strength, direction, bins=range(18)) -> np.ndarray:
    """A map of strengths (h, w) for each direction, 0 at pixels of other directions."""
    return np.array([np.where(direction == k, strength, 0.0) for k in bins])


def _written_once(right, s, d, cell):
    """Fancy indexing without np.add.at."""
    bins, (rows, columns) = np.zeros_like(right(s, d, cell)), np.indices(s.shape) // cell
    bins[d, rows, columns] = s
    return bins


def _summed(shape: str, axes: tuple[int, int]):
    """Cells cut out by another reshape: "rcab" for (18, rows, columns, cell, cell)."""

    def answer(right, s, d, cell):
        sizes = {"r": len(s) // cell, "c": s.shape[1] // cell, "a": cell, "b": cell}
        return _by_direction(s, d).reshape(18, *(sizes[k] for k in shape)).sum(axes)

    return answer


@check(
    "kcf.histogram",
    reference=plain_histogram,
    mistakes={
        "the directions come last in your answer: channels come first, (18, rows, columns)": (
            lambda right, *given: np.moveaxis(right(*given), 0, -1)
        ),
        "rows and columns are exchanged: expected (18, rows, columns)": (
            lambda right, *given: right(*given).swapaxes(1, 2)
        ),
        "you count 9 directions: here the sign matters, there are 18": (
            lambda right, s, d, cell: right(s, d % 9, cell)[:9]
        ),
        "opposite directions share a bin in your answer: here the sign matters": (
            lambda right, s, d, cell: right(s, d % 9, cell)
        ),
        "your answer has channels only for the directions that occur in this patch: there are "
        "always 18": [
            lambda right, s, d, cell: right(s, d, cell)[np.unique(d)],
            lambda right, s, d, cell: right(s, d, cell)[: d.max() + 1],
        ],
        "your first channel holds direction 1: they count from 0": (
            lambda right, s, d, cell: np.roll(right(s, np.where(d, d, 99), cell), -1, axis=0)
        ),
        "you count pixels: weight each by the strength of its gradient": (
            lambda right, s, d, cell: right(np.ones_like(s), d, cell)
        ),
        "you square the strengths: add them as they are": lambda right, s, d, cell: right(
            s**2, d, cell
        ),
        "you average over the cell; sum it": lambda right, s, d, cell: right(s, d, cell) / cell**2,
        "you divide each histogram by its sum: that step comes later, in `hog`": (
            lambda right, s, d, cell: right(s, d, cell) / right(s, d, cell).sum(0)
        ),
        "you keep only the strongest gradient of each cell; sum "
        "all of them": lambda right, s, d, cell: (
            _by_direction(s, d)
            .reshape(18, len(s) // cell, cell, s.shape[1] // cell, cell)
            .max((2, 4))
        ),
        "your sums are whole numbers: the array that you fill has an integer type": (
            lambda right, *given: right(*given).astype(int)
        ),
        "your cells are not squares: reshape to (18, rows, cell, columns, cell) and sum over the "
        "two cell axes": [
            _summed("rcab", (3, 4)),
            _summed("abrc", (1, 2)),
            _summed("racb", (1, 3)),
            _summed("arbc", (1, 3)),
        ],
        "of several pixels with the same direction in a cell only one counts: an index that occurs "
        "twice in `bins[…] = s` or `bins[…] += s` is written once; np.add.at adds "
        "each": _written_once,
        "your strengths are cut to whole numbers before you add them up": (
            lambda right, s, d, cell: right(np.floor(s), d, cell)
        ),
        "each of your cells holds a single pixel: sum all of its pixels": (
            lambda right, s, d, cell: _by_direction(s, d)[:, ::cell, ::cell]
        ),
        "you share each strength with the next direction: that step comes later, in `hog`": (
            lambda right, s, d, cell: (right(s, d, cell) + right(s, (d + 1) % 18, cell)) / 2
        ),
        "your directions run backwards: channel k holds direction k": (
            lambda right, *given: right(*given)[::-1]
        ),
        "direction 0 is left out: it is a direction like the others": (
            lambda right, s, d, cell: right(np.where(d == 0, 0, s), d, cell)
        ),
        "direction 17 is left out: there are 18, from 0": (
            lambda right, s, d, cell: right(np.where(d == 17, 0, s), d, cell)
        ),
        "weak gradients are left out: each pixel adds its strength": [
            lambda right, s, d, cell, least=least: right(np.where(s < least, 0, s), d, cell)
            for least in (1, 0.1, 0.01)
        ],
        "your cells have 4 pixels per side whatever `cell` says": (
            lambda right, s, d, cell: right(s, d, 4)
        ),
    },
)
def examine_histogram(answer, rng) -> None:
    """Strengths by direction and cell: several cells and shapes, one pixel per cell, one cell;
    directions that do not occur; pixels without a gradient, and faint ones."""
    # sides of a whole number of cells, whatever their size
    settings = ((3, 5), 4, (2, 13)), ((8, 4), 3, (0, 18)), ((6, 10), 2, (0, 18))
    cases = []
    for (rows, columns), cell, bins in (*settings, ((4, 3), 1, (0, 18)), ((1, 1), 5, (0, 18))):
        strength = rng.uniform(0, 9, (rows * cell, columns * cell))
        strength.flat[::7], strength.flat[3::11], strength.flat[5::13] = 0.0, 0.4, 0.004
        direction = rng.integers(*bins, strength.shape)
        cases.append((strength, direction, cell))
        answer.compare(cases[-1], "the histogram", (18, rows, columns))
    require_repeatable(answer, *cases)


def _peaks(responses: np.ndarray, weight: float) -> np.ndarray:
    """Highest value of each response, the others' multiplied by the weight."""
    peaks = responses.max((1, 2))
    return np.array([peaks[0], *(weight * peaks[1:])])


def _best_without_weight(right, responses: np.ndarray, weight: float) -> int:
    """A mistake: in a loop, the best so far is compared without its weight."""
    best = 0
    for k in range(1, len(responses)):
        if weight * responses[k].max() > responses[best].max():
            best = k
    return best


SAYS = "with peaks {peaks} and weight {weight:g} you say {said:g}"


@check(
    "kcf.size",
    reference=kcf.best_size,
    mistakes={
        "your answer is an index into the whole stack: take the maximum of each response first": (
            lambda right, r, weight: r.argmax()
        ),
        SAYS + ": the weight makes no difference in your answer": (
            lambda right, r, weight: right(r, 1.0)
        ),
        SAYS + ": your weight favours the others; the first peak keeps its value, theirs are "
        "multiplied": [
            lambda right, r, weight: np.argmax([weight * r[0].max(), *r[1:].max((1, 2))]),
            lambda right, r, weight: right(r, 1 / weight),
        ],
        SAYS + ": the weight is squared, or multiplied twice": (
            lambda right, r, weight: right(r, weight**2)
        ),
        SAYS + ": you never keep the last frame's size": lambda right, r, weight: (
            1 + r[1:].max((1, 2)).argmax()
        ),
        SAYS + ": your weight is always 0.96": lambda right, r, weight: right(r, 0.96),
        SAYS + ": you subtract; multiply by the weight": lambda right, r, weight: np.argmax(
            r.max((1, 2)) - (1 - weight) * (np.arange(len(r)) > 0)
        ),
        SAYS + ": you weight the second peak only": lambda right, r, weight: np.argmax(
            r.max((1, 2)) * np.where(np.arange(len(r)) == 1, weight, 1)
        ),
        SAYS + ": the last response is not weighted": lambda right, r, weight: np.argmax(
            r.max((1, 2)) * np.array([1, *[weight] * (len(r) - 2), 1])
        ),
        SAYS + ": your index counts from the second response": lambda right, r, weight: max(
            right(r, weight) - 1, 0
        ),
        SAYS + ": you compare the means of the responses, not their peaks": [
            lambda right, r, weight: right(r.mean((1, 2), keepdims=True), weight),
            lambda right, r, weight: right(r.sum((1, 2), keepdims=True), weight),
        ],
        SAYS + ": that is where the magnitude is largest; a peak is the highest value": (
            lambda right, r, weight: right(np.abs(r), weight)
        ),
        SAYS + ": you weight the last peak only": lambda right, r, weight: np.argmax(
            r.max((1, 2)) * np.where(np.arange(len(r)) == len(r) - 1, weight, 1)
        ),
        SAYS + ": you multiply by the weight once for each place: weight, weight², …": (
            lambda right, r, weight: np.argmax(r.max((1, 2)) * weight ** np.arange(len(r)))
        ),
        SAYS + ": the peak in the middle keeps its value; the first is that of the last frame": (
            lambda right, r, weight: np.argmax(
                r.max((1, 2)) * np.where(np.arange(len(r)) == len(r) // 2, 1, weight)
            )
        ),
        SAYS + ": you take the first that beats the last frame's size; the best is asked for": (
            lambda right, r, weight: next(
                (k for k in range(1, len(r)) if weight * r[k].max() > r[0].max()), 0
            )
        ),
        SAYS + ": you compare a weighted peak with an unweighted one; the best so far has its "
        "weight, too, unless it is the first": _best_without_weight,
        SAYS + ": that is the value at one place of each response, not its peak": [
            lambda right, r, weight: right(r[:, :1, :1], weight),
            lambda right, r, weight: right(
                r[:, r.shape[1] // 2, r.shape[2] // 2][:, None, None], weight
            ),
        ],
        SAYS + ": you compare the lowest values of the responses, not their peaks": (
            lambda right, r, weight: right(r.min((1, 2), keepdims=True), weight)
        ),
        SAYS + ": you compare the deviations of the responses, not their peaks": (
            lambda right, r, weight: right(r.std((1, 2), keepdims=True), weight)
        ),
        SAYS + ": peaks below 0 are cut off in your answer": lambda right, r, weight: right(
            np.maximum(r, 0), weight
        ),
        SAYS + ": that is the lowest": lambda right, r, weight: _peaks(r, weight).argmin(),
        "you always say 0": lambda right, r, weight: 0,
        "you return the peak itself; its index is asked for": lambda right, r, weight: _peaks(
            r, weight
        ).max(),
    },
)
def examine_size(answer, rng) -> None:
    """The highest peak, with the others down-weighted: many stacks at once, so that each mistake
    has its own row of answers."""
    cases = []
    for k in range(40):
        S, weight = int(rng.integers(2, 6)), float(np.round(rng.uniform(0.8, 0.97), 2))
        peaks = rng.uniform(0.5, 0.6, S)
        peaks[0] *= rng.uniform(weight**2, 1 / weight)
        responses = rng.uniform(0, 0.4, (S, 6, 7)) * rng.uniform(0.5, 1, (S, 1, 1))
        for response, peak in zip(responses, peaks, strict=True):
            at = rng.permutation(42)[:2]
            response.flat[at] = peak, -rng.uniform(0.5, 0.9)
        cases.append((responses - 2.0 * (k > 35), weight))  # the last ones below 0
    true = np.array([answer.right(*case) for case in cases])

    def first(given):
        k = int(np.argmax(given != true))
        return *cases[k], given[k], true[k]

    facts = {
        "peaks": lambda given: ", ".join(f"{p:.3f}" for p in first(given)[0].max((1, 2))),
        "weight": lambda given: first(given)[1],
        "said": lambda given: first(given)[2],
        "truth": lambda given: first(given)[3],
    }
    words = SAYS + ", expected {truth:g}"
    answer.compare(
        tuple(cases),
        "the index",
        lambda given: np.array([as_number(k, "the index") for k in given]),
        call=each,
        otherwise=words,
        **facts,
    )
    require_repeatable(answer, *cases[::8])
