"""Check of lesson 02: the peak-to-sidelobe ratio."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable
from course_lib.trackers import mosse


def _around(up: int, down: int, left: int = -1, right: int = -1, clamped: bool = True):
    """A window cut as slices from `up` pixels above the peak to before `down` below it; its columns
    likewise, as its rows if not given. Unclamped, an index may be negative."""
    left, right = (up, down) if left < 0 else (left, right)

    def window(row, column, h, w):
        mask, lowest = np.zeros((h, w), dtype=bool), 0 if clamped else -h - w
        top, first = max(lowest, row - up), max(lowest, column - left)
        mask[top : row + down, first : column + right] = True
        return mask

    return window


WINDOW = _around(5, 6)


def _sidelobe(left_out=WINDOW, value=lambda g, rest: (g.max() - rest.mean()) / rest.std()):
    """A mistake: another window, (row, column, h, w) → mask (h, w); or another ratio."""

    def mistake(right, response):
        row, column = (int(v) for v in np.unravel_index(response.argmax(), response.shape))
        return value(response, response[~left_out(row, column, *response.shape)])

    return mistake


def _with_nan(right, response):
    """A mistake: the window is NaN, and so is the peak in it."""
    row, column = (int(v) for v in np.unravel_index(response.argmax(), response.shape))
    rest = np.where(WINDOW(row, column, *response.shape), np.nan, response)
    return (rest.max() - np.nanmean(rest)) / np.nanstd(rest)


def _around_the_largest(right, response):
    """A mistake: the window stands around the largest absolute value."""
    return _around_a_place(response, *divmod(int(abs(response).argmax()), response.shape[1]))


def _around_a_place(response, row, column):
    """A mistake: the window stands around another place."""
    rest = response[~WINDOW(int(row), int(column), *response.shape)]
    return (response.max() - rest.mean()) / rest.std()


def _in_the_centre(right, response):
    """A mistake: the centre is taken for the peak."""
    row, column = (n // 2 for n in response.shape)
    rest = response[~WINDOW(row, column, *response.shape)]
    return (response[row, column] - rest.mean()) / rest.std()


def _far(row: int, column: int, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    return abs(np.arange(h)[:, None] - row), abs(np.arange(w)[None, :] - column)


def _wrapped(row: int, column: int, h: int, w: int) -> np.ndarray:
    """A window that goes on at the other side of the map."""
    rows, columns = _far(row, column, h, w)
    return (np.minimum(rows, h - rows) <= 5) & (np.minimum(columns, w - columns) <= 5)


def _shifted_inside(row: int, column: int, h: int, w: int) -> np.ndarray:
    """A window that is moved into the map and keeps its size."""
    return WINDOW(min(max(row, 5), h - 6), min(max(column, 5), w - 6), h, w)


def _cut_out(right, response):
    """A mistake: the window is cut out of the response itself."""
    value = right(response)
    response[response.argmax() // response.shape[1]] = np.nan
    return value


@check(
    "mosse.psr",
    reference=mosse.peak_to_sidelobe,
    mistakes={
        "with the peak at ({row}, {column}), near the border, a start index is negative and counts "
        "from the end: use max(0, …)": _sidelobe(_around(5, 6, clamped=False)),
        "with the peak at ({row}, {column}), near the border, your window wraps around to the "
        "other side of the map; leave out only its part inside the map": _sidelobe(_wrapped),
        "with the peak at ({row}, {column}), near the border, you move the window inside the map; "
        "keep it around the peak, and leave out only its part inside": _sidelobe(_shifted_inside),
        "your mean and deviation include the peak itself: leave out the 11 × 11 window around it": (
            lambda right, g: (g.max() - g.mean()) / g.std()
        ),
        "you leave out the peak's pixel alone; the window is 11 × 11": _sidelobe(_around(0, 1)),
        "your window is not 11 × 11: five pixels on each side of the peak, and the peak": [
            lambda right, g: right(g, 13),
            lambda right, g: right(g, 9),
            *(_sidelobe(_around(up, down)) for up, down in ((6, 6), (11, 11), (11, 12))),
            *(_sidelobe(_around(5, 6, left, right)) for left, right in ((6, 6), (5, 5), (6, 7))),
            *(_sidelobe(_around(up, down, 5, 6)) for up, down in ((6, 6), (5, 5), (6, 7))),
        ],
        "your window is 10 × 10: a slice excludes its end, so it has to stop at row + 6": (
            _sidelobe(_around(5, 5))
        ),
        "your window reaches from row − 6 to row + 5: it is not centred on the peak": (
            _sidelobe(_around(6, 5))
        ),
        "your window has its corner at the peak; the peak belongs at its centre": (
            _sidelobe(_around(0, 11))
        ),
        "your window has row and column exchanged": (
            _sidelobe(lambda row, column, h, w: WINDOW(column, row, h, w))
        ),
        "you leave out whole rows or columns; the window is only where both meet": [
            _sidelobe(lambda *where: (_far(*where)[0] <= 5) | (_far(*where)[1] <= 5)),
            _sidelobe(lambda *where: (_far(*where)[0] <= 5) & (_far(*where)[1] >= 0)),
            _sidelobe(lambda *where: (_far(*where)[0] >= 0) & (_far(*where)[1] <= 5)),
        ],
        "your window is round; it is a square of 11 × 11": _sidelobe(
            lambda *where: np.hypot(*_far(*where)) <= 5
        ),
        "your window stands in the centre of the map; it belongs around the peak": (
            _sidelobe(lambda row, column, h, w: WINDOW(h // 2, w // 2, h, w))
        ),
        "your mean and deviation are those of the window; the sidelobe is what lies outside": (
            _sidelobe(lambda *where: ~WINDOW(*where))
        ),
        "the sidelobe's mean is not subtracted from the peak": (
            _sidelobe(value=lambda g, rest: g.max() / rest.std())
        ),
        "you do not divide by the sidelobe's deviation": (
            _sidelobe(value=lambda g, rest: g.max() - rest.mean())
        ),
        "you divide by the variance; its root, the standard deviation, is asked for": (
            _sidelobe(value=lambda g, rest: (g.max() - rest.mean()) / rest.var())
        ),
        "you divide by the sidelobe's mean; its standard deviation is asked for": (
            _sidelobe(value=lambda g, rest: (g.max() - rest.mean()) / rest.mean())
        ),
        "you divide the peak by the sidelobe's peak; the ratio is (peak − mean) / deviation": (
            _sidelobe(value=lambda g, rest: g.max() / rest.max())
        ),
        "your deviation is that of the whole response; the sidelobe's is asked for": (
            _sidelobe(value=lambda g, rest: (g.max() - rest.mean()) / g.std())
        ),
        "your mean is that of the whole response; the sidelobe's is asked for": (
            _sidelobe(value=lambda g, rest: (g.max() - g.mean()) / rest.std())
        ),
        "your sidelobe takes the median; the mean is asked for": (
            _sidelobe(value=lambda g, rest: (g.max() - np.median(rest)) / rest.std())
        ),
        "your deviation divides by n − 1 (torch's default, ddof=1); np.std's divides by n": (
            _sidelobe(value=lambda g, rest: (g.max() - rest.mean()) / rest.std(ddof=1))
        ),
        "you set the window to 0, and its zeros count in mean and deviation: leave the "
        "window out": (_sidelobe(value=lambda g, rest: _with_zeros(g, rest))),
        "your deviation is measured from 0, not from the sidelobe's mean": (
            _sidelobe(value=lambda g, rest: (g.max() - rest.mean()) / np.sqrt((rest**2).mean()))
        ),
        "your deviation is the mean distance from the mean; the root of the mean square is asked "
        "for": _sidelobe(
            value=lambda g, rest: (g.max() - rest.mean()) / np.abs(rest - rest.mean()).mean()
        ),
        "you subtract the sidelobe's highest value; its mean is asked for": (
            _sidelobe(value=lambda g, rest: (g.max() - rest.max()) / rest.std())
        ),
        "you take 1 for the peak; it is the response's highest value": (
            _sidelobe(value=lambda g, rest: (1 - rest.mean()) / rest.std())
        ),
        "your ratio is in decibels; it is (peak − mean) / deviation": (
            lambda right, g: 20 * np.log10(right(g))
        ),
        "your ratio is upside down": lambda right, g: 1 / right(g),
        "you take the value in the centre of the map, and leave out the window there; the peak is "
        "the highest value": _in_the_centre,
        "your row and column of the peak are wrong: unravel the index with response.shape": [
            lambda right, g: _around_a_place(g, *divmod(int(g.argmax()), len(g))),
            lambda right, g: _around_a_place(g, *divmod(int(g.argmax()), len(g))[::-1]),
            lambda right, g: _around_a_place(g, *np.unravel_index(g.argmax(), g.shape, "F")),
            lambda right, g: _around_a_place(g, g.sum(axis=1).argmax(), g.sum(axis=0).argmax()),
        ],
        "your sign is reversed: the peak lies above the mean": lambda right, g: -right(g),
        "you take the sidelobe's highest value for the peak; take the response's": (
            _sidelobe(value=lambda g, rest: (rest.max() - rest.mean()) / rest.std())
        ),
        "you take the window around the largest absolute value; the peak is the highest value": (
            _around_the_largest
        ),
        "you take absolute values; a response can be negative, and stays so": [
            lambda right, g: right(np.abs(g)),
            _sidelobe(value=lambda g, rest: (g.max() - np.abs(rest).mean()) / np.abs(rest).std()),
            _sidelobe(value=lambda g, rest: (g.max() - np.abs(rest.mean())) / rest.std()),
        ],
    },
    others={
        "your function changes `response`": _cut_out,
        "one of the numbers NaN": _with_nan,
    },
)
def examine_psr(answer, rng) -> None:
    """Peak-to-sidelobe ratio, at the centre, at every border and in corners."""
    cases = []
    for h, w, row, column, mean in (
        (30, 25, 20, 8, 0.4),
        (20, 29, 12, 17, -0.4),
        (24, 32, 2, 20, 0.2),
        (30, 24, 17, 21, -0.3),
        (26, 21, 24, 3, 0.3),
        (19, 28, 0, 0, 0.2),
        (23, 18, 22, 17, -0.2),
        (12, 14, 4, 9, 0.1),
    ):
        response = mean + 0.1 * rng.exponential(size=(h, w))
        response[row, column] = 3.0
        response[row - h // 2, column - w // 2] = -5.0
        response[(row + 9) % h] += 0.6  # the highest row on average is another one
        response[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4] += 1.0
        answer.compare(
            (response,),
            "the PSR",
            tolerance=2e-4,
            near=1e-5,
            named=f"the PSR of a response with its peak at ({row}, {column})",
            row=row,
            column=column,
        )
        cases.append((response,))
    require_repeatable(answer, *cases)


def _with_zeros(response: np.ndarray, rest: np.ndarray) -> float:
    values = np.zeros(response.size)
    values[: rest.size] = rest
    return (response.max() - values.mean()) / values.std()
