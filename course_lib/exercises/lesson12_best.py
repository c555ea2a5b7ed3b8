"""Check of lesson 12: the box that is taken in the end."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers.climbing import Climb, best_box


def chosen(boxes: Tensor, values: Tensor, best: int) -> Tensor | None:
    """The mean (4,) of the boxes judged best; None if all are far too long.

    Args:
        boxes: (P, 4) after the last step.
        values: (P,) judged before it.
        best: how many enter the mean.
    """
    return best_box(Climb(boxes[None], values[None]), best)


def _aspects(boxes: Tensor) -> Tensor:
    return boxes[:, 2] / boxes[:, 3]


def _kept(allow):
    """A mistake: other boxes are allowed, allow(aspects) → bool (P,)."""

    def code(right, boxes, values, best):
        fine = allow(_aspects(boxes))
        if not bool(fine.any()):
            return right(boxes, values, best)
        boxes, values = boxes[fine], values[fine]
        return boxes[values.topk(min(best, len(values))).indices].mean(0)

    return code


def _fine(boxes: Tensor) -> Tensor:
    aspects = _aspects(boxes)
    return (aspects > 1 / 6) & (aspects < 6)


def _of_best(combine):
    """A mistake: the best boxes are combined otherwise, combine(boxes (k, 4), values (k,))."""

    def code(right, boxes, values, best):
        fine = _fine(boxes)
        if not bool(fine.any()):
            return None
        top = values[fine].topk(min(best, int(fine.sum())))
        return combine(boxes[fine][top.indices], top.values)

    return code


def _masked(low, limit=lambda fine: int(fine.sum())):
    """A mistake: boxes that are far too long stay, with the value `low`; at most `limit` enter."""

    def code(right, boxes, values, best):
        fine = _fine(boxes)
        if not bool(fine.any()):
            return None
        return boxes[values.where(fine, low).topk(min(best, limit(fine))).indices].mean(0)

    return code


def _chosen_first(right, boxes, values, best):
    """A mistake: the best are chosen before those far too long are dropped."""
    top = values.topk(min(best, len(values))).indices
    return right(boxes[top], values[top], best)


def _ranked(change, count=lambda best, boxes: best):
    """A mistake: other values, or another number of boxes."""
    return lambda right, boxes, values, best: right(
        boxes, change(values, boxes), count(best, boxes)
    )


def _misplaced(right, boxes, values, best):
    """A mistake: places among the boxes that are left are looked up among all."""
    fine = _fine(boxes)
    if not bool(fine.any()):
        return None
    return boxes[values[fine].topk(min(best, int(fine.sum()))).indices].mean(0)


@check(
    "overlap.best",
    reference=chosen,
    learns=False,
    mistakes={
        "your boxes are those judged worst": _ranked(lambda values, boxes: -values),
        "yours is the one box judged best; take the mean of the best {2}": _ranked(
            lambda values, boxes: values, lambda best, boxes: 1
        ),
        "yours is the mean of all boxes; take the mean of the best {2}": _ranked(
            lambda values, boxes: values, lambda best, boxes: len(boxes)
        ),
        "`best` is an argument; yours is always 3": _ranked(
            lambda values, boxes: values, lambda best, boxes: 3
        ),
        "one box too many, or too few: the mean of the best {2}": [
            _ranked(lambda values, boxes: values, lambda best, boxes: best + 1),
            _ranked(lambda values, boxes: values, lambda best, boxes: best - 1),
        ],
        "you ignore the boxes' values: yours are the first {2} boxes, or the last": [
            _ranked(lambda values, boxes: -torch.arange(len(values)).float()),
            _ranked(lambda values, boxes: torch.arange(len(values)).float()),
        ],
        "a box more than six times as long as wide is dropped; yours is still there": [
            _kept(lambda aspects: aspects > 0),
            _kept(lambda aspects: aspects > 1 / 6),
            _kept(lambda aspects: aspects < 6),
            _kept(lambda aspects: (aspects < 36) & (aspects > 1 / 36)),
            _masked(0.0),  # ahead of all that are judged below 0
            _masked(0.0, len),
            _masked(-1e9, len),  # last, but fewer than `best` are left
        ],
        "your indices count the boxes that are left, but you use them on all boxes: drop from "
        "boxes and values alike": _misplaced,
        "your mask is the wrong way round: the boxes that are far too long are dropped, not kept": (
            _kept(lambda aspects: (aspects >= 6) | (aspects <= 1 / 6))
        ),
        "a box is dropped where w / h is above 6 or below 1/6; yours has other limits": [
            _kept(lambda aspects: (aspects < 3) & (aspects > 1 / 3)),
            _kept(lambda aspects: (aspects < 2) & (aspects > 1 / 2)),
            _kept(lambda aspects: (aspects < 6) & (aspects > 1)),
        ],
        "drop the boxes that are far too long first, then choose: with yours fewer than {2} are "
        "left": _chosen_first,
        "the best boxes count equally in the mean; yours is weighted by the values": [
            _of_best(lambda boxes, values: (boxes * values.softmax(0)[:, None]).sum(0)),
            _of_best(lambda boxes, values: (boxes * (values / values.sum())[:, None]).sum(0)),
        ],
        "that is the median of the best boxes; take the mean": _of_best(
            lambda boxes, values: boxes.median(0).values
        ),
        "that is the sum of the best boxes": _of_best(lambda boxes, values: boxes.sum(0)),
        "all four numbers are averaged; some of yours are those of the best box alone": [
            _of_best(lambda boxes, values: torch.cat([boxes[0, :2], boxes.mean(0)[2:]])),
            _of_best(lambda boxes, values: torch.cat([boxes.mean(0)[:2], boxes[0, 2:]])),
        ],
    },
    others={
        "there is no box to take: return None": lambda right, boxes, values, best: (
            boxes.mean(0) if right(boxes, values, best) is None else right(boxes, values, best)
        ),
        "shape": lambda right, boxes, values, best: boxes[values.topk(1).indices],
        "is None": lambda right, boxes, values, best: (
            right(boxes, values, best) if bool(_fine(boxes).all()) else None
        ),
        "the box at": _of_best(lambda boxes, values: boxes.mean(0).round()),
        "take the mean of as many as there are": [
            lambda right, boxes, values, best: (
                right(boxes, values, best)
                if not bool(_fine(boxes).any())
                else boxes[_fine(boxes)][values[_fine(boxes)].topk(best).indices].mean(0)
            ),
        ],
    },
)
def examine_best(answer, rng) -> None:
    """The best of boxes of which some are too long, some nearly."""
    for count, best in ((12, 6), (6, 2), (7, 5), (4, 5)):
        boxes = np.c_[rng.uniform(-20, 90, (count, 2)), rng.uniform(30, 60, (count, 2))]
        ranks = np.linspace(0.9, -0.7, count)  # the worst two come first and last
        values = np.r_[ranks[-1], rng.permutation(ranks[:-2]), ranks[-2]]
        values += rng.uniform(-0.03, 0.03, count)
        order = np.argsort(-values)
        if count > 4:  # too wide and too high among the best, nearly so next to them
            boxes[order[0], 2:] = 71, 11
            boxes[order[1], 2:] = 9, 63
            boxes[order[2], 2:] = 62, 12
            boxes[order[3], 2:] = 13, 61
        if count == 6:
            boxes[order[1], 2:] = 31, 44
        if count == 7:  # fewer are left than enter the mean
            boxes[order[2:4], 2:] = (74, 12), (10, 66)
        inputs = (torch.from_numpy(a).float() for a in (boxes, values))
        answer.compare((*inputs, best), "the box", _read, call=_asked, tolerance=1e-5)
    boxes[:, 2:] = [[70, 8], [5, 66], [80, 12], [9, 77]]
    long = answer(torch.from_numpy(boxes).float(), torch.from_numpy(values).float(), 3)
    if long is not None:
        raise Wrong("all boxes are far too long, so there is no box to take: return None")


def _asked(function, boxes: Tensor, values: Tensor, best: int) -> Tensor | None:
    """The box; raises Wrong if more boxes were asked for than there are."""
    try:
        return function(boxes, values, best)
    except RuntimeError as problem:
        if "out of range" not in str(problem):
            raise
        fine = int(_fine(boxes).sum())
        raise Wrong(
            f"of {len(boxes)} boxes {fine} have an allowed shape, and `best` is {best}. topk "
            "cannot give more than there are: take the mean of as many as there are"
        ) from None


def _read(given):
    if given is None:
        raise Wrong("the box is None, although some boxes are neither too wide nor too high")
    return as_array(given, (4,), "the box")
