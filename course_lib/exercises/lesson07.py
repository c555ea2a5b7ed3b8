"""Checks of lesson 07: default boxes, anchors, offsets, up-channel correlation."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.geometry import anchors
from course_lib.models import correlation


def _wrong_areas(given, right) -> str:
    """The message for default boxes (6, 2) whose areas differ."""
    side = right[0, 0]
    if np.allclose(given[:5], right[:5]):
        return (
            f"your extra square has the sides {given[5].tolist()}; expected √(s · s') = "
            f"{right[5, 0]:.4g}, between two maps"
        )
    areas = given[:5].prod(1)
    if np.allclose(areas, side**2, rtol=1e-4):
        return ""
    return (
        f"the areas of your five boxes are {np.round(areas, 4).tolist()}; all should be s² = "
        f"{side**2:.4g}"
    )


@check(
    "anchors.default_boxes",
    reference=anchors.default_box_sizes,
    mistakes={
        "your box of ratio 2 has the area {area:.4g}, expected {square:.4g}: the height is s / √a. "
        "(The lecture prints s / a; compute the area to see that it cannot be right.)": (
            np.s_[:5],
            lambda right, s, after, a: right(s, after, a) / np.c_[np.ones(6), [*np.sqrt(a), 1]],
        ),
        "width and height are swapped: a ratio of 2 means twice as wide as high": (
            lambda right, *given: right(*given)[:, ::-1]
        ),
    },
    others={
        "your extra square": lambda right, s, after, a: np.r_[
            right(s, after, a)[:5], [[(s + after) / 2] * 2]
        ],
        "the areas of your five boxes": lambda right, s, after, a: (
            right(s, after, a) * np.c_[[*np.sqrt(a), 1], np.ones(6)]
        ),
    },
)
def examine_default_boxes(answer, rng) -> None:
    """SSD's default boxes."""
    for s, after in ((60.0, 85.0), (0.2, 0.34)):
        answer.compare(
            (s, after, (1, 2, 3, 1 / 2, 1 / 3)),
            "the six sizes",
            (6, 2),
            named="the sizes",
            otherwise=_wrong_areas,
            hint="the order is that of the ratios, the extra square last",
            area=lambda given: given[1].prod(),
            square=s * s,
        )


@check(
    "anchors.siamrpn",
    reference=anchors.siamrpn_anchor_sizes,
    mistakes={
        "here the ratio is height over width: r = 3 is a tall box. (SSD's a is the other way "
        "round.)": lambda right, r: right(r)[:, ::-1],
        "your square has a side of {given[2][0]:g}; the area is that of 64 × 64 pixels": (
            lambda right, r: right(r) / 8
        ),
        "your sizes are truncated to integers as in the public code; keep them exact: all areas 64 "
        "· 64": lambda right, r: right(r, truncated=True),
    },
    others={"your areas are": lambda right, r: [(64 / v, 64) for v in r]},
)
def examine_anchor_sizes(answer, rng) -> None:
    """SiamRPN's anchors, exact."""

    def areas(given, right):
        found = np.round(given.prod(1)).astype(int).tolist()
        said = f"your areas are {found}; expected 4096 for every ratio"
        return "" if np.allclose(given.prod(1), 4096, rtol=1e-3) else said

    ratios = (0.33, 0.5, 1.0, 2.0, 3.0)
    answer.compare(
        (ratios,),
        "the five sizes",
        (5, 2),
        tolerance=1e-4,
        near=1e-3,
        named="the sizes",
        otherwise=areas,
    )


def _random_pairs(rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """n boxes and n anchors (n, 4)."""
    pair = [
        np.concatenate([rng.uniform(0, 150, (n, 2)), rng.uniform(20, 120, (n, 2))], 1)
        for _ in range(2)
    ]
    return pair[0], pair[1]


@check(
    "anchors.encode",
    reference=anchors.encode,
    mistakes={
        "your dx, dy lead from corner to corner; they lead from centre to centre": (
            lambda right, b, a: np.c_[(b[:, :2] - a[:, :2]) / a[:, 2:], right(b, a)[:, 2:]]
        ),
        "your dx, dy are in pixels; divide by the anchor's width and height": (
            np.s_[:, :2],
            lambda right, b, a: right(b, a) * np.c_[a[:, 2:], np.ones((len(a), 2))],
        ),
        "the logarithm of the two size ratios is missing: without it a network could answer with a "
        "negative width": (
            np.s_[:, 2:],
            lambda right, b, a: np.c_[right(b, a)[:, :2], b[:, 2:] / a[:, 2:]],
        ),
        "your offsets lead from the box to the anchor; reverse them": (
            lambda right, b, a: -right(b, a)
        ),
        "box and anchor are swapped: offsets are measured in sizes of the anchor": (
            lambda right, b, a: right(a, b)
        ),
    },
)
def examine_encode(answer, rng) -> None:
    """Offsets of boxes from anchors."""
    answer.compare(_random_pairs(rng, 6), "the offsets", (6, 4))


def _misplaced(given, right) -> str:
    """The message for boxes whose sizes are right but whose positions are not."""
    if not np.allclose(given[:, 2:], right[:, 2:], rtol=0, atol=1e-6 * right.max()):
        return ""
    return (
        f"your sizes are right, the positions not: box 0 is at "
        f"({given[0, 0]:.1f}, {given[0, 1]:.1f}), expected "
        f"({right[0, 0]:.1f}, {right[0, 1]:.1f}). Centre first, in sizes of the anchor, "
        "then the corner with the new size"
    )


@check(
    "anchors.decode",
    reference=anchors.decode,
    mistakes={
        "you return the centre where the corner belongs: x = cx − w / 2": lambda right, o, a: (
            right(o, a) + np.c_[right(o, a)[:, 2:] / 2, np.zeros((len(o), 2))]
        ),
        "dw and dh are logarithms: the sizes are the anchor's times exp of them": [
            (np.s_[:, 2:], lambda right, o, a: np.c_[o[:, :2], a[:, 2:] * (1 + o[:, 2:])]),
            (np.s_[:, 2:], lambda right, o, a: np.c_[o[:, :2], a[:, 2:] * o[:, 2:]]),
        ],
    },
    others={
        "the positions not": lambda right, o, a: (
            right(o, a) - np.c_[a[:, 2:] / 2, np.zeros((len(o), 2))]
        )
    },
)
def examine_decode(answer, rng) -> None:
    """Boxes from offsets."""
    boxes, at = _random_pairs(rng, 6)
    hint = "decode(encode(box)) must be the box"
    inputs = anchors.encode(boxes, at), at
    answer.compare(inputs, "the boxes", (6, 4), otherwise=_misplaced, hint=hint)


@check(
    "anchors.upchannel",
    reference=correlation.cross_correlate_channels,
    mistakes={
        "your maps have shape {shape}: the count is right; reshape them to (3, 2, 6, 5)": (
            lambda right, k, x: right(k, x).flatten(0, 1)[None]
        ),
        "every exemplar's kernels slid over every search image: with groups=B each meets only "
        "its own": lambda right, k, x: F.conv2d(x, k.flatten(0, 1)),
        "the first exemplar's kernels slid over every search image; each has its own": (
            lambda right, k, x: right(k[:1].expand_as(k), x)
        ),
        "your kernels are flipped: F.conv2d already correlates": (
            lambda right, k, x: right(k.flip(3, 4), x)
        ),
        "your kernels are sorted by map, not by pair: flatten (B, n) in that order, so that a "
        "group holds one pair's": lambda right, k, x: right(k.transpose(0, 1).reshape(k.shape), x),
    },
)
def examine_upchannel(answer, rng) -> None:
    """Up-channel cross-correlation of a batch."""
    kernels = torch.from_numpy(rng.normal(size=(3, 2, 4, 3, 3))).float()
    x = torch.from_numpy(rng.normal(size=(3, 4, 8, 7))).float()
    what = "the maps"
    answer.compare((kernels, x), what, lambda r: as_tensor(r, (3, 2, 6, 5), what), tolerance=1e-4)
