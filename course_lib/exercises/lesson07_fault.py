"""Check of lesson 07's anchors with a fault in them: half a cell off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.compare import apart, same
from course_lib.exercises.core import check
from course_lib.geometry.anchors import place_anchors

STILL = (
    "the fault is still there: {cells} cells are numbered from 0 to {last}, so their centre is at "
    "{centre:g}, and yours comes out at {half:g}"
)
PARTS = ("the left edge", "the top edge", "the width", "the height")


def mended_anchors(sizes: np.ndarray, cells: int, stride: float, search: int) -> np.ndarray:
    """Anchors (K, cells, cells, 4) on every cell of a map. Axis 1 is the row.

    Args:
        sizes: (K, 2) widths and heights.
        cells: per side of the map.
        stride: pixels from one cell to the next.
        search: pixels per side of the search image.
    """
    return place_anchors(sizes, cells, stride, search / 2)


def _moved(by: Callable[..., float], both: tuple[float, float] = (1, 1)) -> Callable:
    """A mistake: anchors moved by (cells, stride, search) → pixels, in x and in y as in `both`."""

    def code(right, sizes, cells, stride, search):
        step = by(cells, stride, search)
        return right(sizes, cells, stride, search) + np.array(
            [step * both[0], step * both[1], 0, 0]
        )

    return code


def _placed(at: Callable[..., np.ndarray]) -> Callable:
    """A mistake: centres (cells,) from (cells, stride, search)."""

    def code(right, sizes, cells, stride, search):
        anchors = right(sizes, cells, stride, search)
        centres = at(cells, stride, search)
        anchors[..., 0] = centres[None, None, :] - sizes[:, None, None, 0] / 2
        anchors[..., 1] = centres[None, :, None] - sizes[:, None, None, 1] / 2
        return anchors

    return code


def _in_words(given: np.ndarray, right: np.ndarray) -> str:
    """What is wrong with anchors (K, n, n, 4) that no known mistake makes."""
    for part in (2, 3):
        if not same(given[..., part], right[..., part]):
            k = tuple(int(i) for i in np.argwhere(np.abs(given - right)[..., part] > 1e-6)[0])
            mine, wanted = apart(given[k][part], right[k][part])
            return f"{PARTS[part]} of anchor {k} is {mine}, expected {wanted}: sizes stay as given"
    k = np.unravel_index(np.abs(given - right)[..., :2].argmax(), (*right.shape[:3], 2))
    place = tuple(int(i) for i in k[:3])
    mine, wanted = apart(given[k], right[k])
    return (
        f"{PARTS[k[3]]} of anchor {place} is {mine}, expected {wanted}: the central cell's anchors "
        "are centred on the search image, and each cell is one stride from the next"
    )


@check(
    "anchors.fault",
    reference=mended_anchors,
    mistakes={
        STILL: [
            lambda right, sizes, cells, stride, search: (
                _moved(lambda n, s, _: -s / 2)(right, sizes, cells, stride, search)
                if cells % 2
                else right(sizes, cells, stride, search)  # there the next one does the same
            ),
        ],
        "with an odd number of cells your anchors are right, with {cells} they are half a cell "
        "off: the centre lies between two cells, and {cells} // 2 is the second of them": _moved(
            lambda n, s, _: 0.0 if n % 2 else -s / 2
        ),
        "with an odd number of cells your anchors are right, with {cells} they are half a cell "
        "off, right and down: the centre lies between two cells, and ({cells} − 1) // 2 is the first "
        "of them": _moved(lambda n, s, _: 0.0 if n % 2 else s / 2),
        "now they are half a cell off in the other direction: right and down": _moved(
            lambda n, s, _: s / 2
        ),
        "4 pixels are half a cell only where the stride is 8; here it is {stride:g}": [
            _moved(lambda n, s, _: 4 - s / 2),
            _moved(lambda n, s, _: s / 2 - 4),
        ],
        "your last cell lies where the central one belongs: it is (cells − 1) / 2 strides from the "
        "first": _placed(lambda n, s, S: (np.arange(n) - (n - 1)) * s + S / 2),
        "you mended x alone; y has the same fault": _moved(lambda n, s, _: -s / 2, (0, 1)),
        "you mended y alone; x has the same fault": _moved(lambda n, s, _: -s / 2, (1, 0)),
        "the search image's centre is at {search} / 2; yours is half a pixel less. Positions are "
        "measured from the image's edge, and neither // 2 nor (search − 1) / 2 is half of it": [
            _moved(lambda n, s, S: S // 2 - S / 2),
            _moved(lambda n, s, S: -0.5),
        ],
        "your search image's centre is always 127.5; here it is {search} / 2": _moved(
            lambda n, s, S: 127.5 - S / 2
        ),
        "your first cell is at the image's edge: centres are counted from the image's centre, not "
        "from its corner": [
            _placed(lambda n, s, S: np.arange(n) * s + 0.0),
            _placed(lambda n, s, S: (np.arange(n) + 0.5) * s),
        ],
        "your cells are spread over the whole image; they are one stride apart, and the map does "
        "not reach the edges": [
            _placed(lambda n, s, S: (np.arange(n) + 0.5) * S / n),
            _placed(lambda n, s, S: np.linspace(0, S, n) if n > 1 else np.array([S / 2])),
        ],
        "your cells are ({cells} − 1) / {cells} of a stride apart: the stride itself stays": _placed(
            lambda n, s, S: (np.arange(n) - (n - 1) / 2) * s * (n - 1) / n + S / 2
        ),
        "axis 1 is the row and axis 2 the column; yours are the other way round": (
            lambda right, *given: right(*given).swapaxes(1, 2)
        ),
        "you return the anchors' centres where their corners belong: x = centre − width / 2": (
            lambda right, sizes, *given: (
                right(sizes, *given) + np.c_[sizes / 2, 0 * sizes].reshape(len(sizes), 1, 1, 4)
            )
        ),
        "your corner lies a whole size before the centre; half a size is right": (
            lambda right, sizes, *given: (
                right(sizes, *given) - np.c_[sizes / 2, 0 * sizes].reshape(len(sizes), 1, 1, 4)
            )
        ),
        "your anchors have width and height swapped: width comes first, then height": (
            lambda right, sizes, *given: right(sizes[:, ::-1], *given)
        ),
        "your result has shape {shape}; keep (K, cells, cells, 4)": [
            lambda right, *given: right(*given).reshape(-1, 4),
            lambda right, *given: np.moveaxis(right(*given), 0, 2),
        ],
    },
    others={
        "sizes stay as given": lambda right, *given: right(*given) * [1, 1, 1.1, 1],
        "one stride from the next": _moved(lambda n, s, S: 0.3 * s),
    },
)
def examine_fault(answer, rng) -> None:
    """Anchors of maps with odd and even numbers of cells, of several strides and image sizes."""
    for cells, stride, search in (
        (17, 8, 255),
        (6, 12, 300),
        (5, 16, 127),
        (8, 4.5, 96),
        (1, 8, 127),
    ):
        sizes = rng.uniform(20, 90, (int(rng.integers(2, 5)), 2))
        answer.compare(
            (sizes, cells, stride, search),
            "the anchors",
            (len(sizes), cells, cells, 4),
            otherwise=_in_words,
            cells=cells,
            last=cells - 1,
            centre=(cells - 1) / 2,
            half=cells / 2,
            stride=stride,
            search=search,
        )
