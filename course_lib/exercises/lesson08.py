"""Checks of lesson 08: change, penalty, re-ranking, smoothing, the whole tracker."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.core import check
from course_lib.exercises.scenes import UNKEPT, apart, bent, centred
from course_lib.exercises.words import Wrong
from course_lib.geometry.windows import context_side
from course_lib.trackers import siamrpn


def padded_size(w, h) -> np.ndarray:
    """`context_side` of widths and heights (N,)."""
    return context_side(np.stack([w, h], axis=-1))


@check(
    "choose.padded_size",
    reference=padded_size,
    mistakes={
        "your size is √(w·h), without the context p = (w + h) / 2 on each side": (
            lambda right, w, h: np.sqrt(w * h)
        ),
        "your size is an area; take the square root": lambda right, w, h: right(w, h) ** 2,
        "your p is (w + h) / 4; it is (w + h) / 2": lambda right, w, h: np.sqrt(
            (w + (w + h) / 4) * (h + (w + h) / 4)
        ),
    },
)
def examine_padded_size(answer, rng) -> None:
    """Size with context."""
    answer.compare((rng.uniform(20, 100, 5), rng.uniform(20, 100, 5)), "the sizes", (5,))


@check(
    "choose.change",
    reference=siamrpn.change,
    mistakes={
        "a target that halves changed as much as one that doubles: take the larger of r and 1 / "
        "r": lambda right, r: r,
        "you take the smaller of r and 1 / r; a change is at least 1": lambda right, r: (
            1 / right(r)
        ),
        "a box that did not change should get 1; yours gets {given[2]:g}": [
            lambda right, r: np.abs(np.log(r)),
            lambda right, r: np.abs(r - 1),
        ],
    },
)
def examine_change(answer, rng) -> None:
    """Change, the same for twice as large and half as large."""
    answer.compare((np.array([0.25, 0.5, 1.0, 2.0, 4.0]),), "the changes", (5,))


def _changes(boxes, size, padded=padded_size) -> tuple[np.ndarray, np.ndarray]:
    """Change of the ratio and of the size, (N,) each, from `size` (2,) to boxes (N, 4).

    Args:
        boxes: (N, 4).
        size: (2,) w, h.
        padded: (w, h) → size.
    """
    w, h = boxes[:, 2], boxes[:, 3]
    ratio = siamrpn.change((size[0] / size[1]) / (w / h))
    return ratio, siamrpn.change(padded(w, h) / padded(*size))


@check(
    "choose.penalty",
    reference=siamrpn.change_penalty,
    mistakes={
        "the more a box changed the higher you rate it: a box of the last size gets "
        "{given[0]:.2f}, expected 1. The lecture's slide has lost a minus and a − 1: "
        "exp(−(r·s − 1)·k)": lambda right, b, size, k: np.exp(k) / right(b, size, k),
        "a box that did not change gets {given[0]:.2f}; no change, no penalty: r·s − 1 in the "
        "exponent": lambda right, b, size, k: np.exp(-k) * right(b, size, k),
        "only the size counts in your penalty; the ratio w / h does too": (
            lambda right, b, size, k: np.exp(-(_changes(b, size)[1] - 1) * k)
        ),
        "only the ratio counts in your penalty; the size does too": (
            lambda right, b, size, k: np.exp(-(_changes(b, size)[0] - 1) * k)
        ),
        "the two changes are multiplied, not added": (
            lambda right, b, size, k: np.exp(-(sum(_changes(b, size)) - 2) * k)
        ),
        "the size in s is the padded one": lambda right, b, size, k: np.exp(
            -(np.prod(_changes(b, size, lambda w, h: np.sqrt(w * h)), axis=0) - 1) * k
        ),
    },
)
def examine_penalty(answer, rng) -> None:
    """Penalty for a change of size and shape."""
    boxes = np.concatenate([rng.uniform(0, 200, (6, 2)), rng.uniform(20, 120, (6, 2))], 1)
    size = np.array([64.0, 40.0])
    boxes[0, 2:] = size
    answer.compare((boxes, size, 0.16), "the penalties", (6,))


@check(
    "choose.rerank",
    reference=siamrpn.rerank,
    mistakes={
        "the influence is on the wrong term: it weights the window, the rest the penalised score": (
            lambda right, score, p, w, i: right(score, p, w, 1 - i)
        ),
        "the penalties are missing": lambda right, score, p, w, i: right(score, 1, w, i),
        "you multiply by the window: then nothing at the border can ever win. Add it with its "
        "influence": lambda right, score, p, w, i: p * score * w,
        "the penalty is a factor on the score, not on the window": (
            lambda right, score, p, w, i: right(score, 1, p * w, i)
        ),
        "the score keeps its full weight; it gets 1 − influence": (
            lambda right, score, p, w, i: p * score + i * w
        ),
    },
)
def examine_rerank(answer, rng) -> None:
    """Scores, penalties and window together."""
    inputs = (*(rng.random(9) for _ in range(3)), 0.4)
    answer.compare(inputs, "the ranking", (9,))


@check(
    "choose.smooth",
    reference=siamrpn.smooth_size,
    mistakes={
        "an uncertain proposal moves your size as far as a certain one: the fraction is certainty "
        "· rate": lambda right, last, found, certainty, rate: right(last, found, 1.0, rate),
        "the size jumps to the proposal's; it should move there by the fraction certainty · rate": (
            lambda right, last, found, certainty, rate: found
        ),
        "the fraction belongs to the new size, the rest to the old; yours are swapped": (
            lambda right, last, found, *given: right(found, last, *given)
        ),
    },
)
def examine_smooth(answer, rng) -> None:
    """Size smoothing that trusts certain proposals more."""
    last, found = np.array([60.0, 40.0]), np.array([72.0, 30.0])
    for certainty, rate in ((0.8, 0.3), (0.1, 0.3), (1.0, 0.0)):
        answer.compare((last, found, certainty, rate), "the size", (2,))


@check(
    "choose.tracker",
    reference=siamrpn.SiamRPNTracker,
    others={
        **UNKEPT,
        "the size of frame 0": bent(
            lambda first, box: [*(centred(box) - first[2:] / 2), *first[2:]]
        ),
        "proposals are in search pixels": bent(
            lambda first, box: [*(centred(box) - 0.7 * box[2:]), *(1.4 * box[2:])]
        ),
        "brought to the frame by the window": bent(
            lambda first, box: [*(box[:2] + 0.4 * (centred(box) - centred(first))), *box[2:]]
        ),
    },
)
def examine_tracker(answer, rng) -> None:
    """The whole tracker, compared with the reference frame by frame."""
    for t, given, expected, first in apart(answer, rng):
        centre, wanted = centred(given), centred(expected)
        if np.abs(centre - centred(first)).max() < 0.5:
            raise Wrong(
                f"in frame {t} your box is still where it was in frame 0: keep the new centre in "
                "self.centre"
            )
        if np.abs(given[2:] - first[2:]).max() < 1e-6:
            raise Wrong(
                f"in frame {t} your box has the size of frame 0: keep the smoothed size in "
                "self.size"
            )
        if np.abs(given[2:] - expected[2:]).max() > 0.02 * expected[2:].max():
            raise Wrong(
                f"in frame {t} your box is {given[2]:.1f} × {given[3]:.1f} px, expected "
                f"{expected[2]:.1f} × {expected[3]:.1f}: proposals are in search pixels, the "
                "target's size in frame pixels; window.scale and window.box_to_frame convert "
                "between them. The size is smoothed after that"
            )
        raise Wrong(
            f"in frame {t} your box is centred at ({centre[0]:.1f}, {centre[1]:.1f}), expected "
            f"({wanted[0]:.1f}, {wanted[1]:.1f}): it is the centre of the best proposal, brought "
            "to the frame by the window"
        )
