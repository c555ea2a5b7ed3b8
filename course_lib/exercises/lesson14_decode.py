"""Check of lesson 14's decoding: the box of the best cell under a window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_array, as_number, as_parts
from course_lib.exercises.core import check
from course_lib.trackers.onestream import box_of, hann


def decoded(maps: np.ndarray) -> tuple[np.ndarray, float]:
    """The box (4,) of the cell with the highest score times window, x, y, w, h as fractions of the
    search image, and its score without the window.

    Args:
        maps: (5, n, n) score, width and height, offset along x and y.
    """
    n = maps.shape[-1]
    row, column = divmod(int((maps[0] * hann(n)).argmax()), n)
    return box_of(maps, column, row), float(maps[0, row, column])


def _outer(line: np.ndarray) -> np.ndarray:
    return np.outer(line, line)


def _ranked(score: np.ndarray) -> np.ndarray:
    """Score times window, (n, n)."""
    return score * hann(len(score))


def _place(column: int, row: int, dx: float, dy: float, n: int) -> tuple[float, float]:
    """The centre, as a fraction of the search image."""
    return (column + dx) / n, (row + dy) / n


def _decoded(
    maps: np.ndarray,
    ranked: Callable[[np.ndarray], np.ndarray] = _ranked,
    place: Callable[..., tuple[float, float]] = _place,
    size: Callable[[float, float, int], tuple[float, float]] = lambda w, h, n: (w, h),
    corner: float = 0.5,
    told: Callable[..., float] = lambda score, order, at: float(score[at]),
) -> tuple[np.ndarray, float]:
    """The box and its score, with a part changed.

    Args:
        maps: as of `decoded`.
        ranked: score (n, n) → what the best cell is chosen by.
        place: (column, row, offsets, n) → centre.
        size: (w, h, n) → size.
        corner: how far the corner is from the centre, in sizes.
        told: (score, what was ranked, cell) → score that is returned.
    """
    order, n = ranked(maps[0]), maps.shape[-1]
    row, column = divmod(int(order.argmax()), n)
    _, w, h, dx, dy = maps[:, row, column]
    x, y = place(column, row, dx, dy, n)
    w, h = size(w, h, n)
    box = np.array([x - corner * w, y - corner * h, w, h])
    return box, told(maps[0], order, (row, column))


def _with(**changed):
    """A mistake: another part."""
    return lambda right, maps: _decoded(maps, **changed)


def _window(line):
    """A mistake: another window, n → (n,)."""
    return _with(ranked=lambda score: score * _outer(line(len(score))))


def _at(place):
    """A mistake: another centre, (column, row, dx, dy, n) → x, y."""
    return _with(place=place)


def _transposed(right, maps):
    """Row and column changed places everywhere."""
    return right(maps.transpose(0, 2, 1))


def _mean_box(right, maps):
    """A mean of all boxes, weighted by their scores."""
    n = maps.shape[-1]
    weights = _ranked(maps[0]) / _ranked(maps[0]).sum()  # (n, n)
    boxes = np.array([[box_of(maps, c, r) for c in range(n)] for r in range(n)])
    return (boxes * weights[..., None]).sum((0, 1)), right(maps)[1]


def _largest(right, maps):
    """Sizes and offsets of their own largest cells."""
    n, (row, column) = maps.shape[-1], divmod(int(_ranked(maps[0]).argmax()), maps.shape[-1])
    w, h, dx, dy = maps[1:].max((1, 2))
    return np.array([(column + dx) / n - w / 2, (row + dy) / n - h / 2, w, h]), right(maps)[1]


def _in_cells(box, score, n):
    """A mistake: half of the size is divided by n together with the centre."""
    return np.append(box[:2] + box[2:] / 2 - box[2:] / (2 * n), box[2:]), score


def _two_corners(box, score):
    """A mistake: two corners in place of a corner and a size."""
    return np.append(box[:2], box[:2] + box[2:]), score


def _unpacked(right, maps):
    """Row and column of the best cell are unpacked in the wrong order."""
    column, row = divmod(int(_ranked(maps[0]).argmax()), maps.shape[-1])
    return box_of(maps, column, row), float(maps[0, row, column])


@check(
    "stream.decode",
    reference=decoded,
    learns=False,
    mistakes={
        "there is no window in your choice: a cell at the border of the search image is an "
        "unlikely place": _with(ranked=lambda score: score),
        "your window is 0 at the border, so a target that has reached it can never be found: leave "
        "the two zeros out, np.hanning(n + 2)[1:-1]": _window(np.hanning),
        "your window is lopsided; it is highest at the centre of the map": [
            _window(lambda n: np.hanning(n + 1)[:-1]),
            _window(lambda n: np.hanning(n + 1)[1:]),
            _window(lambda n: np.hanning(n + 2)[:-2]),
            # torch.hann_window without periodic=False
            _window(lambda n: np.hanning(n + 3)[1:-2]),
        ],
        "the score is multiplied by the window; yours is added or blended, as in the trackers of "
        "lessons 06 and 08": [
            _with(ranked=lambda score: score + hann(len(score))),
            _with(ranked=lambda score: 0.7 * score + 0.3 * hann(len(score))),
            _with(ranked=lambda score: 0.51 * score + 0.49 * hann(len(score))),
        ],
        "the window has two axes: np.outer(line, line)": [
            _with(ranked=lambda score: score * np.hanning(len(score) + 2)[1:-1]),
            _with(ranked=lambda score: score * np.hanning(len(score) + 2)[1:-1, None]),
        ],
        "the cell is chosen by the window alone, whatever the score": (
            _with(ranked=lambda score: hann(len(score)))
        ),
        "the window is for the choice; the score returned is the network's own, without it": (
            _with(told=lambda score, order, at: float(order[at]))
        ),
        "return the score of the chosen cell; yours is the highest anywhere in the map": (
            _with(told=lambda score, order, at: float(score.max()))
        ),
        "rows go with y and columns with x; yours are swapped": [
            _transposed,
            _unpacked,
            _at(lambda column, row, dx, dy, n: ((row + dx) / n, (column + dy) / n)),
        ],
        "the offset is left out: the centre lies beside the cell's own place": (
            _at(lambda column, row, dx, dy, n: (column / n, row / n))
        ),
        "the offset along x is the fourth map, along y the fifth": (
            _at(lambda column, row, dx, dy, n: ((column + dy) / n, (row + dx) / n))
        ),
        "half a cell too far: the offset is counted from the *rounded* number, so it contains "
        "that already": _at(
            lambda column, row, dx, dy, n: ((column + 0.5 + dx) / n, (row + 0.5 + dy) / n)
        ),
        "you put the centre in the middle of the cell; the offset says where it is": _at(
            lambda column, row, dx, dy, n: ((column + 0.5) / n, (row + 0.5) / n)
        ),
        "add the offset to the cell; you subtract it": (
            _at(lambda column, row, dx, dy, n: ((column - dx) / n, (row - dy) / n))
        ),
        "the offset is in cells, as column and row are: divide all by n": [
            _at(lambda column, row, dx, dy, n: (column / n + dx, row / n + dy)),
            _at(lambda column, row, dx, dy, n: (column / n + dx / 16, row / n + dy / 16)),
        ],
        "n cells cover the search image, not n − 1": _at(
            lambda column, row, dx, dy, n: ((column + dx) / (n - 1), (row + dy) / (n - 1))
        ),
        "x and y are fractions of the search image, not cells or pixels": [
            _at(lambda column, row, dx, dy, n: (column + dx, row + dy)),
            _at(lambda column, row, dx, dy, n: (16 * (column + dx), 16 * (row + dy))),
        ],
        "w and h are fractions of the search image already": [
            _with(size=lambda w, h, n: (w / n, h / n)),
            _with(size=lambda w, h, n: (w * n, h * n)),
            _with(size=lambda w, h, n: (256 * w, 256 * h)),
        ],
        "the second map is the width, the third the height": (_with(size=lambda w, h, n: (h, w))),
        "x and y are those of the corner: subtract half of the size from the centre": (
            _with(corner=0.0)
        ),
        "half of the size: the corner is w / 2 and h / 2 away from the centre": (_with(corner=1.0)),
        "half of the size is a fraction of the search image already: divide the centre alone "
        "by n": (lambda right, maps: _in_cells(*right(maps), maps.shape[-1])),
        "the last two numbers of a box are its width and height, not its other corner": (
            lambda right, maps: _two_corners(*right(maps))
        ),
        "subtract half of the size, do not add it": _with(corner=-0.5),
        "read size and offset in the chosen cell; yours are the largest of each map": _largest,
        "return one cell's box, not a mean of many": _mean_box,
    },
    others={
        "return": lambda right, maps: right(maps)[0],
        "expected": lambda right, maps: (right(maps)[0] + 0.02, right(maps)[1]),
        "has shape": lambda right, maps: (right(maps)[0][:2], right(maps)[1]),
    },
)
def examine_decode(answer, rng: np.random.Generator) -> None:
    """Maps of even and odd numbers of cells, of noise, or with one peak at the border."""
    cases = []
    for k, n in enumerate((6, 9, 8, 5, 7, 10, 6, 9, 5, 8, 7, 12, 6, 7, 8, 9)):
        maps = np.concatenate(
            [
                rng.uniform(0.05, 0.95, (1, n, n)),
                rng.uniform(0.1, 0.6, (2, n, n)),
                rng.uniform(-0.45, 0.45, (2, n, n)),
            ]
        ).astype(np.float32)
        if k < 12:
            _place_peaks(maps[0], k, int(rng.integers(n // 2)))
        cases.append((maps,))
    compare_arrays(answer, cases, "the box and its score", _read, _words, tolerance=1e-5)


def _place_peaks(score: np.ndarray, k: int, column: int) -> None:
    """Write peaks into a score map (n, n), in one of four ways, by k."""
    n, window = len(score), hann(len(score))
    score *= (0.02, 0.02, 1.0, 0.1)[k % 4]
    if k % 4 == 0:  # at the border, and nothing else
        score[0, 1 + column] = 0.9
    elif k % 4 == 1:  # a product prefers the first, a sum the second
        far = np.unravel_index(abs(window - 0.55).argmin(), window.shape)
        near = np.unravel_index(window.argmax(), window.shape)
        score[far] = 0.3
        score[near] = 0.27 * window[far] / window[near]
    elif k % 4 == 3:  # two at the same distance from the centre
        score[1, 1], score[n - 2, n - 2] = (0.5, 0.49) if k % 8 == 3 else (0.49, 0.5)


def _read(given) -> np.ndarray:
    """Box and score as one array (5,)."""
    box, score = as_parts(given, "the box", "its score")
    return np.append(as_array(box, (4,), "the box"), as_number(score, "the score"))


def _words(given, right, maps) -> str:
    """Both results in words."""
    mine, theirs = ((r[:4].round(3).tolist(), round(float(r[4]), 3)) for r in (given, right))
    return (
        f"in a map of {maps.shape[-1]} × {maps.shape[-1]} cells the box is {mine[0]} with score "
        f"{mine[1]}, expected {theirs[0]} with score {theirs[1]}"
    )
