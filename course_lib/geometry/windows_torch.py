"""Crop windows of a batch, on the frames' device: the same windows as `windows.CropWindow.cut`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cut_batch(frames: Tensor, centres: Tensor, sides: Tensor, size: int) -> Tensor:
    """Crops (B, 3, size, size) float, in the frames' grey levels, one window of each frame.

    `frames` (B, 3, H, W) uint8 or float; `centres` (B, 2), x then y, and `sides` (B,) in frame
    pixels. Bilinear; beyond a frame stands its mean colour. Differs from `CropWindow.cut` by at
    most one grey level, as that one rounds to whole levels; under OpenCV 4, which places pixels to
    1/32 only, by more on noise. Raises ValueError if the batch sizes do not agree.
    """
    B, _, H, W = frames.shape
    if centres.shape != (B, 2) or sides.shape != (B,):
        raise ValueError(
            f"{B} frames with centres {tuple(centres.shape)} and sides {tuple(sides.shape)}; "
            f"expected ({B}, 2) and ({B},): one window of each frame"
        )
    # Half precision cannot tell neighbouring pixels of a wide frame apart.
    frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
    centres, sides = centres.to(frames), sides.to(frames)
    # (size,)
    steps = (torch.arange(size, device=frames.device, dtype=frames.dtype) + 0.5) / size - 0.5
    # (B, size), from the centre of the window to the centres of its pixels
    offsets = sides[:, None] * steps
    # grid_sample without aligned corners has -1 and 1 on the outer edges: continuous coordinates
    # over the size.
    x = (centres[:, :1] + offsets) * (2 / W) - 1  # (B, size)
    y = (centres[:, 1:] + offsets) * (2 / H) - 1  # (B, size)
    columns = x[:, None, :].expand(B, size, size)
    rows = y[:, :, None].expand(B, size, size)
    grid = torch.stack([columns, rows], dim=-1)  # (B, size, size, 2)
    mean = frames.mean(dim=(2, 3), keepdim=True)  # (B, 3, 1, 1)
    # Zeros outside a frame whose mean is 0 blend at its edge exactly as the mean colour outside
    # would.
    return (
        F.grid_sample(
            frames - mean, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
        + mean
    )
