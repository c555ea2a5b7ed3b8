"""Check of lesson 12: one step up the gradient of a judgement."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array, as_parts, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers.climbing import Judge, climb

BOXES, VALUES = 0, 1  # the part of the result by which a mistake is known
WHAT = ("the box after the step", "the value before it")


def climbed(judge: Judge, boxes: Tensor, length: float) -> tuple[Tensor, Tensor]:
    """The boxes (P, 4) after one step, and their values (P,) before it.

    Args:
        judge: from boxes (P, 4) to values (P,), differentiable.
        boxes: (P, 4) x, y, w, h.
        length: factor on the step.
    """
    path = climb(judge, boxes, 1, length)
    return path.boxes[1], path.values[0]


def slope_of(judge: Judge, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Values (P,) of boxes, and their gradients (P, 4)."""
    boxes = boxes.detach().requires_grad_()
    values = judge(boxes)
    (gradient,) = torch.autograd.grad(values.sum(), boxes)
    return values.detach(), gradient


def _sizes(boxes: Tensor, change) -> Tensor:
    """Boxes with other sizes, change(sizes (P, 2))."""
    return torch.cat([boxes[:, :2], change(boxes[:, 2:])], 1)


def _moved(step, sized=lambda sizes: sizes.clamp_min(1)):
    """A mistake: another step, (boxes, gradient, length) → (P, 4), or other limits of the sizes."""

    def code(right, judge, boxes, length):
        values, gradient = slope_of(judge, boxes)
        return _sizes(boxes + step(boxes, gradient, length), sized), values

    return BOXES, code


def _right_step(boxes: Tensor, gradient: Tensor, length: float) -> Tensor:
    return length * gradient * boxes[:, [2, 3, 2, 3]]


def _valued(change):
    """A mistake: other values, change(judge, boxes before, boxes after, values)."""

    def code(right, judge, boxes, length):
        after, values = right(judge, boxes, length)
        return after, change(judge, boxes, after, values)

    return VALUES, code


def _about_the_centre(boxes: Tensor, gradient: Tensor, length: float) -> Tensor:
    """A step in which a box grows to both sides of its centre."""
    step = _right_step(boxes, gradient, length)
    return torch.cat([step[:, :2] - step[:, 2:] / 2, step[:, 2:]], 1)


@check(
    "overlap.climb",
    reference=climbed,
    learns=False,
    mistakes={
        "your boxes walk downhill: the step goes along the gradient, not against it": _moved(
            lambda b, g, length: -_right_step(b, g, length)
        ),
        "your step is length · gradient: the factor (w, h, w, h) is missing": _moved(
            lambda b, g, length: length * g
        ),
        "`length` is a factor on the step; yours is always the same, or squared": [
            _moved(lambda b, g, length: _right_step(b, g, 1.0)),
            _moved(lambda b, g, length: _right_step(b, g, length**2)),
        ],
        "the factors are those of x, y, w, h in this order: w, h, w, h": [
            _moved(lambda b, g, length: length * g * b[:, [2, 2, 3, 3]]),
            _moved(lambda b, g, length: length * g * b[:, [3, 2, 3, 2]]),
        ],
        "x and y are multiplied by themselves: the factors are w, h, w, h, not the box": _moved(
            lambda b, g, length: length * g * b
        ),
        "all four numbers have a factor; two of yours have none": [
            _moved(lambda b, g, length: length * g * _sizes(b[:, [2, 3, 2, 3]], torch.ones_like)),
            _moved(
                lambda b, g, length: (
                    length * g * torch.cat([torch.ones_like(b[:, 2:]), b[:, 2:]], 1)
                )
            ),
        ],
        "your factor is the same for both sides, or squared: it is w for x and w, h for y and h": [
            _moved(lambda b, g, length: length * g * b[:, 2:].prod(1, keepdim=True).sqrt()),
            _moved(lambda b, g, length: length * g * b[:, 2:].prod(1, keepdim=True)),
            _moved(lambda b, g, length: length * g * b[:, [2, 3, 2, 3]] ** 2),
        ],
        "your gradient is brought to a fixed length, or only its sign is left; where the slope is "
        "small, the step should be small too": [
            _moved(lambda b, g, length: _right_step(b, g / g.norm(dim=1, keepdim=True), length)),
            _moved(lambda b, g, length: _right_step(b, g.sign(), length)),
        ],
        "your steps are {boxes} times too short: that is the gradient of the *mean* over the boxes; "
        "take the sum, and each box has its own": _moved(
            lambda b, g, length: _right_step(b, g, length) / len(b)
        ),
        "each box follows its own gradient; yours all follow one": [
            _moved(lambda b, g, length: _right_step(b, g.sum(0, keepdim=True), length)),
            _moved(lambda b, g, length: _right_step(b, g.mean(0, keepdim=True), length)),
            _moved(lambda b, g, length: _right_step(b, g[:1], length)),
        ],
        "x, y is the corner, and the gradient is that of the corner: move it by its own part of "
        "the step and nothing else": _moved(_about_the_centre),
        "your step leaves two of the box's numbers as they were: all four move": [
            _moved(lambda b, g, length: _sizes(_right_step(b, g, length), torch.zeros_like)),
            _moved(
                lambda b, g, length: torch.cat(
                    [torch.zeros_like(b[:, :2]), _right_step(b, g, length)[:, 2:]], 1
                )
            ),
        ],
        "after the step w and h are at least 1 pixel; some of yours are smaller": [
            _moved(_right_step, lambda sizes: sizes),
            _moved(_right_step, lambda sizes: sizes.clamp_min(0)),
        ],
        "a size below 1 becomes 1; yours becomes its absolute value": _moved(
            _right_step, torch.abs
        ),
        "the only limit on w and h is that they are at least 1 pixel: yours have another limit": [
            _moved(_right_step, lambda sizes: sizes.clamp_min(2)),
            _moved(_right_step, lambda sizes: sizes.clamp_min(10)),
        ],
        "only w and h are kept at 1 or more; x and y may be anywhere, also beyond the edge": (
            BOXES,
            lambda right, judge, boxes, length: (
                (boxes + _right_step(boxes, slope_of(judge, boxes)[1], length)).clamp_min(1),
                judge(boxes).detach(),
            ),
        ),
        "your values are those *after* the step: a judgement costs a pass of the network, and the "
        "one before the step is there already": _valued(
            lambda judge, boxes, after, values: judge(after).detach()
        ),
        "return the judge's values as they are": [
            _valued(lambda judge, boxes, after, values: (values + 1) / 2),
            _valued(lambda judge, boxes, after, values: values.sigmoid()),
        ],
    },
    others={
        "your two results have changed places: the boxes come first": (
            lambda right, *given: right(*given)[::-1]
        ),
        "the answer should have two parts": lambda right, *given: right(*given)[0],
        "the value before it has shape": lambda right, *given: (
            right(*given)[0],
            right(*given)[1].sum(),
        ),
        "the box after the step at": lambda right, judge, boxes, length: (
            right(judge, boxes, length)[0].round(),
            judge(boxes).detach(),
        ),
        "your function changes": lambda right, judge, boxes, length: (
            boxes.copy_(right(judge, boxes, length)[0]),
            judge(boxes),
        ),
    },
)
def examine_climb(answer, rng) -> None:
    """One step, with judges that are steep and gentle, and boxes that are small and large."""
    for count, steep, (low, high), length in ((3, 1.0, (25, 90), 2.5), (5, 30.0, (1.2, 4), 1.4)):
        boxes = np.c_[rng.uniform(-60, 60, (count, 2)), rng.uniform(low, high, (count, 2))]
        boxes[0, :2] = -40.0, 35.0
        amount, period, phase = (
            rng.uniform(*limits, 4) for limits in ((0.8, 1.2), (8, 16), (0, 6))
        )
        if steep > 1:  # where sizes fall steeply, they would fall below 1
            phase[2:] = np.pi - boxes[0, 2:] / period[2:]
        amount, period, phase = (torch.from_numpy(v).float() for v in (amount, period, phase))

        def judge(boxes, amount=steep * amount, period=period, phase=phase):
            return (amount * torch.sin(boxes / period + phase)).sum(1)

        answer.compare(
            (judge, torch.from_numpy(boxes).float(), length),
            WHAT,
            partial(_read, count=count),
            tolerance=1e-5,
            boxes=count,
        )


def _read(given, count: int):
    boxes, values = as_parts(given, "the boxes", "the values")
    if (shape_of(boxes), shape_of(values)) == ((count,), (count, 4)):
        raise Wrong("your two results have changed places: the boxes come first")
    return as_array(boxes, (count, 4), WHAT[0]), as_array(values, (count,), WHAT[1])
