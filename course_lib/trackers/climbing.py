"""Refining a box by climbing the predicted IoU (Danelljan et al., 2019, sec. 3.1 and 3.3): several
boxes start around the first guess, each goes some steps along the gradient, and the mean of those
judged best is the target's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_lib.recipe import Count, CountFromZero, Positive, Range, Settings

LEAST_SIDE = 1.0  # pixels
MOST_ASPECT = 6.0  # of a box: beyond it, or beyond its inverse, it is not the target's

Judge = Callable[[Tensor], Tensor]  # boxes (P, 4) to 2 · IoU − 1 (P,), differentiable


@dataclass(frozen=True)
class ClimbSettings(Settings):
    """Settings of `climb` and of the boxes it starts from; the defaults are those of ATOM's public
    code."""

    steps: Count = 5
    length: Positive = 1.0  # factor on each step
    random: CountFromZero = 9  # random boxes, besides the first guess
    # ranges of the random boxes' centres and sizes, in roots of the target's area
    place_range: Annotated[float, Range(0, 5)] = 0.1
    size_range: Annotated[float, Range(0, 5)] = 0.5
    best: Count = 3  # boxes whose mean is taken


class Climb(NamedTuple):
    """How P boxes climbed.

    Attributes:
        boxes: (K + 1, P, 4) before the first step and after each.
        values: (K, P) 2 · IoU − 1 as predicted before each step.
    """

    boxes: Tensor
    values: Tensor


def starting_boxes(guess: np.ndarray, rng: np.random.Generator, settings: ClimbSettings) -> Tensor:
    """The boxes (P, 4) to start from: the guess itself, and random ones around it.

    Args:
        guess: (4,) in pixels of the search image.
        rng: random generator.
        settings: how many, and their ranges.
    """
    root = np.sqrt(guess[2] * guess[3])
    noise = root * rng.uniform(-0.5, 0.5, (settings.random, 4))  # (P − 1, 4)
    size = np.maximum(guess[2:] + settings.size_range * noise[:, 2:], guess[2:].min() / 3)
    centre = guess[:2] + guess[2:] / 2 + settings.place_range * noise[:, :2]  # (P − 1, 2)
    boxes = np.concatenate([centre - size / 2, size], 1)  # (P − 1, 4)
    return torch.from_numpy(np.concatenate([guess[None], boxes])).float()


def climb(judge: Judge, boxes: Tensor, steps: int, length: float = 1.0) -> Climb:
    """Move each box along the gradient of its predicted IoU, by length · gradient · (w, h, w, h):
    without these factors, the larger the box, the shorter its step would be in pixels.

    Args:
        judge: from boxes (P, 4) to 2 · IoU − 1 (P,), differentiable in the boxes.
        boxes: (P, 4) x, y, w, h in pixels of the search image.
        steps: how many.
        length: factor on each step.
    """
    path, values = [boxes], []
    for _ in range(steps):
        boxes = boxes.detach().requires_grad_()
        with torch.enable_grad():
            value = judge(boxes)  # (P,)
            (gradient,) = torch.autograd.grad(value.sum(), boxes)  # (P, 4)
        boxes = boxes.detach()
        boxes = boxes + length * gradient * boxes[:, 2:].repeat(1, 2)
        boxes = torch.cat([boxes[:, :2], boxes[:, 2:].clamp_min(LEAST_SIDE)], 1)
        path.append(boxes)
        values.append(value.detach())
    return Climb(torch.stack(path), torch.stack(values))


def best_box(found: Climb, best: int) -> Tensor | None:
    """The mean (4,) of the boxes judged best, after the last step; None if all are far too long.

    As in the public code, the judgement is that before the last step: one after it would cost
    another pass of the network.

    Args:
        found: how the boxes climbed.
        best: how many boxes enter the mean.
    """
    boxes, values = found.boxes[-1], found.values[-1]  # (P, 4) and (P,)
    aspect = boxes[:, 2] / boxes[:, 3]  # (P,)
    fine = (aspect < MOST_ASPECT) & (aspect > 1 / MOST_ASPECT)
    if not bool(fine.any()):
        return None
    boxes, values = boxes[fine], values[fine]
    return boxes[values.topk(min(best, len(values))).indices].mean(0)
