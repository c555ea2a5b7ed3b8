"""The mask guide: a box as the fourth channel of the exemplar, for networks that ask for it."""

from __future__ import annotations

import torch
from torch import Tensor


def box_masks(boxes: Tensor, size: int) -> Tensor:
    """Masks (B, 1, size, size) that are 1 at pixels whose centre lies in the box (B, 4), otherwise
    0."""
    at = torch.arange(size, device=boxes.device) + 0.5  # (size,)
    low, high = boxes[:, :2, None], (boxes[:, :2] + boxes[:, 2:])[:, :, None]  # (B, 2, 1)
    inside = (at >= low) & (at < high)  # (B, 2, size): along x, along y
    return (inside[:, 1, :, None] & inside[:, 0, None, :])[:, None].float()
