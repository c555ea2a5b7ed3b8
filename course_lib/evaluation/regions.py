"""Overlap of two regions, boxes (4,), polygons (2N,) or masks, in pixels as VOT's toolkit counts
them.

Source: the toolkit's own `vot/region/raster.py` (version 0.9.0). Every number is first rounded to
an integer, halves to even. A box covers the columns x … x + w − 1. A polygon covers its border too,
so the square with corners (0, 0) and (10, 10) has 11 × 11 pixels where the box (0, 0, 10, 10) has
10 × 10. A mask is its pixels. Only pixels of the image count. Two edge cases of the toolkit:
regions that together span at most one column or row count as empty, and two empty regions overlap
by 1; if at most one column or row of both lies in the image, they overlap by 0.
"""

from __future__ import annotations

import numpy as np

from course_lib.errors import DataError
from course_lib.geometry.boxes import clip_to_image, iou
from course_lib.geometry.mask import Mask

FAR = 1e12  # pixels; anything further out is equally far out for any image
Region = np.ndarray | Mask
Bounds = tuple[int, int, int, int]  # first and last column and row: left, top, right, bottom


def is_known(region: Region) -> bool:
    """Whether a true region is given: no number of it is NaN."""
    return isinstance(region, Mask) or bool(np.isfinite(region).all())


def region_overlap(a: Region, b: Region, height: int, width: int) -> float:
    """Overlap, 0 to 1, of two regions inside a height × width image.

    Args:
        a, b: box (4,), polygon (2N,), x1, y1, x2, y2, …, or mask, each.
        height: rows of the image.
        width: its columns.

    Raises:
        DataError: if a number is not finite.
    """
    if not (is_known(a) and is_known(b)):
        raise DataError(f"regions {_shown(a)} and {_shown(b)}: expected finite numbers")
    a, b = _rounded(a), _rounded(b)
    left, top, right, bottom = _around(_bounds(a), _bounds(b))
    if left >= right or top >= bottom:
        return 1.0
    seen = max(left, 0), max(top, 0), min(right, width - 1), min(bottom, height - 1)
    if seen[0] >= seen[2] or seen[1] >= seen[3]:
        return 0.0
    A, B = _pixels(a, seen), _pixels(b, seen)  # (rows, columns) bool of the part in the image
    union = np.count_nonzero(A | B)
    return float(np.count_nonzero(A & B) / union) if union else 0.0


def is_like_a_code(region: Region) -> bool:
    """Whether a region, without NaN, overlaps by 1 with a code, which stands for no region.

    For the toolkit a code lies on the pixel (0, 0). So the box 0,0,0,0, which trackers write for an
    absent target, is like a code, and so is every region that spans at most one column or row
    together with that pixel; a box without area somewhere else is not.
    """
    left, top, right, bottom = _around(_bounds(_rounded(region)), (0, 0, 0, 0))
    return left >= right or top >= bottom


def _shown(region: Region) -> str:
    return str(region) if isinstance(region, Mask) else str(np.asarray(region).tolist())


def _rounded(region: Region) -> Region:
    """A box or polygon in whole pixels. The toolkit keeps single precision: 2.4999999 is 2.5 there,
    and rounds to 2."""
    if isinstance(region, Mask):
        return region
    return np.rint(np.clip(region, -FAR, FAR).astype(np.float32)).astype(np.float64)


def exact_overlap(a: Region, b: Region, height: int, width: int) -> float:
    """Overlap, 0 to 1, of the parts of two boxes inside an image, without rounding to pixels.

    With a polygon or a mask it is `region_overlap`.

    Args:
        a, b, height, width: as in `region_overlap`.
    """
    if any(isinstance(region, Mask) or len(region) != 4 for region in (a, b)):
        return region_overlap(a, b, height, width)
    inside = [clip_to_image(box, height, width) for box in (a, b)]
    return float(iou(*inside))


def _bounds(region: Region) -> Bounds:
    """First and last column and row of a rounded region; an empty one ends before it begins."""
    if isinstance(region, Mask) or len(region) == 4:
        x, y, w, h = region.corner_and_size if isinstance(region, Mask) else map(int, region)
        return x, y, x + w - 1, y + h - 1
    x, y = region[0::2], region[1::2]  # (N,) each
    return int(x.min()), int(y.min()), int(x.max()), int(y.max())


def _around(a: Bounds, b: Bounds) -> Bounds:
    """The bounds of two regions together."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _pixels(region: Region, seen: Bounds) -> np.ndarray:
    """Pixels (rows, columns) of a rounded region within `seen`, as bool."""
    if isinstance(region, Mask):
        return region.within(*seen)
    left, top, right, bottom = seen
    canvas = np.zeros((bottom - top + 1, right - left + 1), dtype=bool)
    if len(region) != 4:
        return _fill_polygon(canvas, region.reshape(-1, 2) - [left, top])
    x, y, w, h = (int(v) for v in region - [left, top, 0, 0])
    canvas[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = True
    return canvas


def _fill_polygon(canvas: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Fill each row of `canvas` between the places where a polygon's border (N, 2) crosses it."""
    start, stop = corners, np.roll(corners, 1, axis=0)  # (N, 2) the two ends of each side
    rows = np.arange(len(canvas))[:, None]  # (rows, 1)
    crossed = (rows >= np.minimum(start, stop)[:, 1]) & (rows <= np.maximum(start, stop)[:, 1])
    run, rise = (stop - start).T  # (N,) each
    along = (rows - start[:, 1]) / np.where(rise == 0, 1, rise) * run  # (rows, N)
    columns = np.trunc(start[:, 0] + np.where(rise == 0, 0, along))  # a fraction is cut off
    for row in np.flatnonzero(crossed.any(axis=1)):
        for first, last in _spans(sorted(columns[row, crossed[row]].tolist())):
            canvas[row, int(max(first, 0)) : int(max(last + 1, 0))] = True
    return canvas


def _spans(crossings: list[float]) -> list[tuple[float, float]]:
    """Crossings of one row in order, two by two; where two sides meet, two coincide."""
    spans, i = [], 0
    while i < len(crossings) - 1:
        if crossings[i] == crossings[i + 1] and i < len(crossings) - 2:
            i += 1
            continue
        spans.append((crossings[i], crossings[i + 1]))
        i += 2
    return spans
