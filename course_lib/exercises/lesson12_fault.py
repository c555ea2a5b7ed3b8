"""Check of lesson 12's climb with a fault in it: gradients that add up from step to step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson12 import slope_of
from course_lib.trackers.climbing import Judge, climb


def mended_climb(judge: Judge, boxes: Tensor, length: float, steps: int) -> Tensor:
    """The boxes (steps + 1, P, 4) of a climb, before the first step and after each.

    Args:
        judge: from boxes (P, 4) to values (P,), differentiable.
        boxes: (P, 4) x, y, w, h.
        length: factor on each step.
        steps: how many.
    """
    return climb(judge, boxes, steps, length).boxes


def _walked(
    judge: Judge,
    boxes: Tensor,
    length: float,
    steps: int,
    kept: Callable[[Tensor, Tensor, int], Tensor] = lambda old, new, k: new,
    used: Callable[[Tensor, int], Tensor] = lambda gradient, k: gradient,
    asked: Callable[[list[Tensor]], Tensor] = lambda path: path[-1],
    least: float = 1.0,
) -> Tensor:
    """The climb (steps + 1, P, 4), with a part changed.

    Args:
        judge, boxes, length, steps: as of `mended_climb`.
        kept: (gradient kept so far, new gradient, number of the step) → gradient kept.
        used: (gradient kept, number of the step) → gradient of the step.
        asked: path so far → boxes at which the gradient is taken.
        least: limit of w and h, pixels.
    """
    path, old = [boxes.detach().clone()], torch.zeros_like(boxes)
    for k in range(steps):
        old = kept(old, slope_of(judge, asked(path))[1], k)  # (P, 4)
        after = path[-1] + length * used(old, k) * path[-1][:, [2, 3, 2, 3]]
        path.append(torch.cat([after[:, :2], after[:, 2:].clamp_min(least)], 1))
    return torch.stack(path)


def _with(**changed):
    """A mistake: another part."""
    return lambda right, *given: _walked(*given, **changed)


@check(
    "overlap.fault",
    reference=mended_climb,
    learns=False,
    mistakes={
        "the fault is still there: each step goes along the *sum* of all gradients so far": [
            _with(kept=lambda old, new, k: old + new),
            _with(kept=lambda old, new, k: old + new if k > 1 else new),
        ],
        "your boxes never move: the gradient is erased between `backward` and the step": _with(
            used=lambda gradient, k: 0 * gradient
        ),
        "your boxes take one step and then stand still: after it, differentiate with respect to "
        "the boxes as they are then": _with(used=lambda gradient, k: gradient * (k == 0)),
        "all your steps go along the gradient at the start: it has to be taken anew where the "
        "boxes are": _with(asked=lambda path: path[0]),
        "your gradient is one step late: erase the old one, take the new one, then step": _with(
            asked=lambda path: path[max(len(path) - 2, 0)]
        ),
        "a part of the old gradients is still there; none of it belongs in the step": [
            _with(kept=lambda old, new, k: 0.9 * old + new),
            _with(kept=lambda old, new, k: 0.5 * old + new),
            _with(kept=lambda old, new, k: 0.9 * old + 0.1 * new),
            _with(kept=lambda old, new, k: new if k % 2 == 0 else old + new),
        ],
        "divided by the number of steps so far the sum is a mean, but still one of old "
        "gradients": _with(
            kept=lambda old, new, k: old + new, used=lambda gradient, k: gradient / (k + 1)
        ),
        "shorter and shorter steps hide the fault and do not fix it: `length` stays as it is": [
            _with(used=lambda gradient, k: gradient / (k + 1)),
            _with(used=lambda gradient, k: gradient * 0.5**k),
        ],
        "a limit on the gradient hides the fault and does not fix it": [
            _with(used=lambda gradient, k: gradient / gradient.norm(dim=1, keepdim=True)),
            _with(used=lambda gradient, k: gradient.sign()),
            _with(used=lambda gradient, k: gradient.clamp(-0.1, 0.1)),
        ],
        "your boxes walk downhill": _with(used=lambda gradient, k: -gradient),
        "w and h are still at least 1 pixel after each step": _with(least=-1e9),
        "the entries of your path are the boxes after the last step: what was appended changes "
        "with the boxes, so append a copy": [
            lambda right, *given: right(*given)[-1:].expand(given[3] + 1, -1, -1).clone(),
            lambda right, judge, boxes, length, steps: torch.cat(
                [boxes[None], right(judge, boxes, length, steps)[-1:].expand(steps, -1, -1)]
            ),
        ],
    },
    others={
        "the path has shape": [
            lambda right, *given: right(*given)[1:],
            lambda right, *given: right(*given)[-1],
        ],
        "the path at": lambda right, *given: right(*given).round(),
        "your function changes": lambda right, judge, boxes, length, steps: torch.stack(
            [
                boxes.clone(),
                *(boxes.copy_(b).clone() for b in right(judge, boxes, length, steps)[1:]),
            ]
        ),
    },
)
def examine_fault(answer, rng: np.random.Generator) -> None:
    """Four steps, where slopes are gentle and where they are so steep that sizes reach 1."""
    for count, steep, (low, high), length in ((3, 1.0, (25, 60), 0.6), (2, 25.0, (1.2, 3), 1.2)):
        corner, size = rng.uniform(-60, 60, (count, 2)), rng.uniform(low, high, (count, 2))
        boxes = torch.from_numpy(np.concatenate([corner, size], 1)).float()
        amount, period = (
            torch.from_numpy(rng.uniform(*l, 4)).float() for l in ((0.8, 1.2), (9, 16))
        )
        phase = torch.from_numpy(rng.uniform(0, 6, 4)).float()
        if steep > 1:  # where sizes fall steeply, they would fall below 1
            phase[2:] = torch.pi - boxes[0, 2:] / period[2:]

        def judge(boxes, amount=steep * amount, period=period, phase=phase):
            return (amount * torch.sin(boxes / period + phase)).sum(1)

        answer.compare(
            (judge, boxes, length, 4),
            "the path",
            lambda given, count=count: as_array(given, (5, count, 4), "the path"),
            tolerance=1e-4,
        )
