"""Photometric jitter and blur, applied to a whole batch on its device.

The values were drawn with the pair (`pairs.Augmentation.draw_jitter`), so a batch looks the same
on every device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 6  # radius of the blur kernel, pixels


def photometric_jitter(crops: Tensor, jitter: Tensor) -> Tensor:
    """Jitter and blur crops (B, 3, S, S) uint8 by `jitter` (B, 8); returns floats in 0…255.

    Columns of `jitter`: gain, contrast around the crop's mean, three tints, grey (0 or 1), blur
    along x, blur along y. Which crops are blurred is looked up on the device that holds `jitter`:
    if that is the CPU, nothing waits for a GPU.
    """
    blurred = torch.nonzero(jitter[:, 6:].amax(dim=1) > 0)[:, 0]  # (b,)
    jitter = jitter.to(crops.device, torch.float32, non_blocking=True)
    blurred = blurred.to(crops.device, non_blocking=True)
    gain, contrast, tint, grey = jitter[:, 0], jitter[:, 1], jitter[:, 2:5], jitter[:, 5]
    out = crops.float()  # (B, 3, S, S)
    brightness = out.mean(dim=1, keepdim=True)  # (B, 1, S, S)
    out = torch.lerp(out, brightness.expand_as(out), grey[:, None, None, None])
    # a grey image keeps no tint
    factor = gain[:, None] * torch.where(grey[:, None] > 0.5, 1.0, tint)  # (B, 3)
    mean = out.mean(dim=(1, 2, 3), keepdim=True)  # (B, 1, 1, 1)
    out = ((out - mean) * contrast[:, None, None, None] + mean) * factor[:, :, None, None]
    if len(blurred):
        out[blurred] = gaussian_blur(out[blurred], jitter[blurred, 6:])
    return out.clamp_(0, 255)


def gaussian_blur(crops: Tensor, sigmas: Tensor) -> Tensor:
    """Blur crops (b, 3, S, S), each with its own standard deviations (b, 2) along x and y, in
    pixels."""
    b, C, S, _ = crops.shape
    offsets = torch.arange(-REACH, REACH + 1, device=crops.device, dtype=crops.dtype)  # (K,)
    kernels = torch.exp(-0.5 * (offsets / sigmas.clamp_min(1e-3)[..., None]) ** 2)  # (b, 2, K)
    # (b·C, 2, K)
    kernels = (kernels / kernels.sum(dim=-1, keepdim=True)).repeat_interleave(C, dim=0)
    padded = F.pad(crops, (REACH,) * 4, mode="replicate").reshape(
        1, b * C, S + 2 * REACH, S + 2 * REACH
    )
    along_x = F.conv2d(padded, kernels[:, None, None, 0], groups=b * C)  # (1, b·C, S + 2R, S)
    along_y = F.conv2d(along_x, kernels[:, None, 1, :, None], groups=b * C)  # (1, b·C, S, S)
    return along_y.reshape(b, C, S, S)
