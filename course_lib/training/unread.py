"""Losses that are still on the device: the loop does not wait for a GPU in every step."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from course_lib.training.progress import Progress

ROW = 20  # steps per row of the curve, and between two readings of a GPU's losses


@dataclass(frozen=True, eq=False)
class Unread:
    """A completed step whose loss () and gradient's norm () are still on the device."""

    step: int
    rate: float
    loss: Tensor
    norm: Tensor
    sources: list[str]


def read_back(unread: list[Unread], p: Progress) -> tuple[str, Unread] | None:
    """Read losses and norms from the device, all at once, and record them in the progress.

    Returns:
        A message about the first step whose loss or norm is not finite, and that step; None if all
        are finite.
    """
    began = time.perf_counter()
    values = torch.stack([torch.stack([u.loss, u.norm]) for u in unread]).tolist()  # (n, 2)
    p.seconds["network"] += time.perf_counter() - began  # the device's remaining work
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
