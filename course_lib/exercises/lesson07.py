"""Checks of lesson 07: default boxes and anchors."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import apart, same
from course_lib.exercises.core import check
from course_lib.geometry import anchors

LABELS = "the tensor of labels"


def _shaped(w, h, square) -> np.ndarray:
    """Boxes (K, 2) of the given widths and heights, and the extra square.

    Args:
        w, h: (K,) or one number for all.
        square: side of the extra square.
    """
    boxes = np.stack(np.broadcast_arrays(w, h), 1)
    return np.concatenate([boxes, [[square, square]]])


def _squared(boxes: np.ndarray, square: float) -> np.ndarray:
    """The boxes (K + 1, 2) with an extra square of another side."""
    return _shaped(*boxes[:-1].T, square)


def _reordered(given: np.ndarray, right: np.ndarray) -> str:
    """The message for boxes (K, 2) that are right but for their order, else none."""
    if not same(*(boxes[np.lexsort(boxes.T.round(6))] for boxes in (given, right))):
        return ""
    k = int(np.abs(given - right).max(axis=1).argmax())
    return (
        f"your boxes are right, their order is not: row {k} should be {right[k, 0]:.4g} × "
        f"{right[k, 1]:.4g}. The ratios stay in the order in which they are given"
    )


def _wrong_areas(given, right) -> str:
    """The message for default boxes (K + 1, 2) whose areas differ."""
    if said := _reordered(given, right):
        return said
    areas, square = given[:-1].prod(1), right[0].prod()
    k = int(np.abs(areas - square).argmax())
    if abs(areas[k] - square) > 1e-4 * square:
        mine, wanted = apart(areas[k], square)
        return f"your box {k} has the area {mine}; every box of a ratio has the area s² = {wanted}"
    if not same(given[:-1], right[:-1]):
        return ""
    k = int(np.abs(given[-1] - right[-1]).argmax())
    mine, wanted = apart(given[-1, k], right[-1, k])
    return f"a side of your extra square is {mine}; expected √(s · s') = {wanted}, between two maps"


@check(
    "anchors.default_boxes",
    reference=anchors.default_box_sizes,
    mistakes={
        "the extra square of side √(s · s') is missing: K ratios make K + 1 boxes": (
            lambda right, s, after, a: right(s, after, a)[:-1]
        ),
        "your result has shape {shape}; one row for each box, its width and height side by side: "
        "stack along axis 1": lambda right, *given: right(*given).T,
        "your ratios are always 1, 2, 3, 1/2 and 1/3; take those in `ratios`": (
            lambda right, s, after, a: right(s, after)
        ),
        "the extra square comes last": lambda right, *given: np.roll(right(*given), 1, axis=0),
        "width and height are swapped: a ratio of 2 means twice as wide as high": (
            np.s_[:-1],
            lambda right, *given: right(*given)[:, ::-1],
        ),
        "your box of ratio {ratio:.3g} has the area {area:.4g}, expected {square:.4g}: the height "
        "is s / √a. (The lecture prints s / a; compute the area to see that it cannot be right.)": (
            np.s_[:-1],
            lambda right, s, after, a: _shaped(s * np.sqrt(a), s / np.asarray(a), s),
        ),
        "your box of ratio {ratio:.3g} has the area {area:.4g}, expected {square:.4g}: the width "
        "is s · √a, not s · a": (
            np.s_[:-1],
            lambda right, s, after, a: _shaped(s * np.asarray(a), s / np.sqrt(a), s),
        ),
        "your areas are right, your shapes are not: w / h of the box of ratio {ratio:.3g} is "
        "{shape_of_one:.4g}. It is a where w = s · √a and h = s / √a": (
            np.s_[:-1],
            lambda right, s, after, a: _shaped(s * np.asarray(a), s / np.asarray(a), s),
        ),
        "one side of your boxes is s whatever the ratio; then their areas differ. Both sides "
        "change, by √a": [
            (np.s_[:-1], lambda right, s, after, a: _shaped(s * np.asarray(a), s, s)),
            (np.s_[:-1], lambda right, s, after, a: _shaped(s, s / np.asarray(a), s)),
        ],
        "the root is over a alone: w = s · √a, not √(s · a)": (
            np.s_[:-1],
            lambda right, s, after, a: _shaped(
                np.sqrt(s * np.asarray(a)), np.sqrt(s / np.asarray(a)), s
            ),
        ),
        "your sizes are rounded; s may also be a fraction of the image: keep them exact": [
            lambda right, *given: np.round(right(*given)),
            lambda right, *given: right(*given).astype(int),
        ],
        "the side of your extra square is (s + s') / 2; it is √(s · s')": (
            -1,
            lambda right, s, after, a: _squared(right(s, after, a), (s + after) / 2),
        ),
        "your extra square has only one of the scales: its side is √(s · s')": [
            (-1, lambda right, s, after, a: _squared(right(s, after, a), s)),
            (-1, lambda right, s, after, a: _squared(right(s, after, a), after)),
        ],
        "s · s' is the area of the extra square; its side is the root": (
            -1,
            lambda right, s, after, a: _squared(right(s, after, a), s * after),
        ),
    },
    others={
        "a side of your extra square": lambda right, s, after, a: _squared(
            right(s, after, a), np.hypot(s, after)
        ),
        "every box of a ratio has the area": lambda right, s, after, a: right(s, after, a) * 2,
        "their order is not": [
            lambda right, s, after, a: right(s, after, sorted(a)),
            lambda right, s, after, a: right(s, after, a)[::-1],
        ],
    },
)
def examine_default_boxes(answer, rng) -> None:
    """SSD's default boxes, in pixels and as fractions, of SSD's ratios and of others."""
    others = [*rng.uniform(1.5, 4, 2), *rng.uniform(0.2, 0.8, 2), *rng.uniform(4, 6, 3)]
    for s, after, ratios in (
        *((60.0, 85.0, (2, 3, 1, 1 / 3, 1 / 2)), (0.2, 0.34, others)),
        (40.5, 70.5, (0.7,)),
    ):
        answer.compare(
            (s, after, ratios),
            "your result",
            (len(ratios) + 1, 2),
            otherwise=_wrong_areas,
            hint="the order is that of the ratios, the extra square last",
            ratio=ratios[min(1, len(ratios) - 1)],
            area=lambda given: given[1].prod(),
            shape_of_one=lambda given: given[1, 0] / given[1, 1],
            square=s * s,
        )


@check(
    "anchors.siamrpn",
    reference=anchors.siamrpn_anchor_sizes,
    mistakes={
        "your result has shape {shape}; one row for each anchor, its width and height side by "
        "side: stack along axis 1": lambda right, r: right(r).T,
        "you always return five anchors; there is one for each number in `ratios`": [
            lambda right, r: right((0.33, 0.5, 1, 2, 3)),
            lambda right, r: right(r[:5]),
        ],
        "here the ratio is height over width: r = 3 is a tall box. (SSD's a is the other way "
        "round.)": lambda right, r: right(r)[:, ::-1],
        "your square has a side of {side:g}; the area is that of 64 × 64 pixels": (
            lambda right, r: right(r) / 8
        ),
        "your sizes are truncated to integers as in the public code; keep them exact: all areas 64 "
        "· 64": [
            lambda right, r: right(r, truncated=True),
            lambda right, r: np.floor(right(r)),
        ],
        "your sizes are rounded; keep them exact: all areas 64 · 64": (
            lambda right, r: np.round(right(r))
        ),
        "h is r times the width w, and you take r times 64: w · h is then not 64 · 64": (
            lambda right, r: right(r) * np.c_[np.ones(len(r)), np.sqrt(r)]
        ),
        "one side of your anchors is 64 whatever the ratio; then their areas differ. Both change, "
        "by √r": [
            lambda right, r: np.stack([64 / np.array(r), np.full(len(r), 64)], 1),
            lambda right, r: np.stack([np.full(len(r), 64), 64 * np.array(r)], 1),
        ],
        "your areas are right, your shapes are not: h / w is r where w = 64 / √r": (
            lambda right, r: np.stack([64 / np.array(r), 64 * np.array(r)], 1)
        ),
    },
    others={
        "has the area": lambda right, r: right(r) * 1.1,
        "their order is not": lambda right, r: right(sorted(r)),
    },
)
def examine_anchor_sizes(answer, rng) -> None:
    """SiamRPN's anchors, exact, of its ratios and of others."""

    def areas(given, right):
        if said := _reordered(given, right):
            return said
        found = given.prod(1)
        k = int(np.abs(found - 4096).argmax())
        mine, wanted = apart(found[k], 4096.0)
        said = f"your anchor {k} has the area {mine}; expected {wanted} for every ratio"
        return "" if abs(found[k] - 4096) < 4 else said

    others = (*rng.uniform(2, 4, 2), 1.0, *rng.uniform(0.2, 0.6, 2), *rng.uniform(1, 2, 2))
    for ratios in ((0.33, 0.5, 1.0, 2.0, 3.0), others, (1.0,)):
        square = ratios.index(1.0)
        answer.compare(
            (ratios,),
            "your result",
            (len(ratios), 2),
            tolerance=1e-4,
            otherwise=areas,
            side=lambda given, k=square: given[k, 0],
        )
