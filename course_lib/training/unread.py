"""Losses that still lie on the device: a GPU is not waited for at every step, only now and then."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from course_lib.training.progress import Progress

ROW = 20  # steps in a row of the curve, and from one reading of a GPU's losses to the next


@dataclass(frozen=True, eq=False)
class Unread:
    """A step that was taken, with its loss () and its gradient's norm () still on the device."""

    step: int
    rate: float
    loss: Tensor
    norm: Tensor
    sources: list[str]


def read_back(unread: list[Unread], p: Progress) -> tuple[str, Unread] | None:
    """Bring losses and norms from the device, all at once, and write them down in the progress.

    Returns:
        What is wrong with the first step whose loss or norm is not a number, and that step; None
        where all are.
    """
    began = time.perf_counter()
    values = torch.stack([torch.stack([u.loss, u.norm]) for u in unread]).tolist()  # (n, 2)
    p.seconds["network"] += time.perf_counter() - began  # what the device had still to do
    for u, (loss, norm) in zip(unread, values, strict=True):
        if not math.isfinite(loss):
            return f"the loss is {loss}", u
        if not math.isfinite(norm):
            return f"the gradient's norm is {norm}", u
        p.loss = loss
        p.recent.append(loss)
        if (u.step + 1) % ROW == 0:
            p.curve.append((u.step + 1, sum(p.recent) / len(p.recent)))
            p.recent.clear()
    return None
