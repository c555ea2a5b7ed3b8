"""A small filter that answers "the target" by sliding over features: the scores it gives, the
scores it should give, and features of one scale. ATOM's classifier and DiMP's have it in common.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def apply_filters(features: Tensor, filters: Tensor) -> Tensor:
    """Scores (B, N, h + p, w + p) of B filters, each over N maps of features; p is 1 for an even
    kernel, 0 for an odd one.

    The maps are padded by k // 2 cells of zeros, so that a filter may reach over their border. One
    matrix product compares its k² cells with all cells of a map; of the k² planes that this gives,
    `fold` shifts each to its place and adds them up. The derivatives are matrix products as well,
    much faster on a CPU than those of a grouped convolution.

    Args:
        features: (B, N, C, h, w).
        filters: (B, C, k, k).
    """
    B, N, _, h, w = features.shape
    k = filters.shape[-1]
    # flipped, because fold puts a cell's value where the cell goes, not where it comes from
    cells = filters.flip(2, 3).flatten(2).transpose(1, 2)  # (B, k², C)
    planes = cells[:, None] @ features.flatten(3)  # (B, N, k², h·w)
    more = 1 - k % 2
    size = h + more, w + more
    scores = F.fold(planes.flatten(0, 1), size, k, padding=k - 1 - k // 2)  # (B·N, 1, h', w')
    return scores.reshape(B, N, *size)


def shift_of(kernel: int) -> float:
    """How much further a target lies on the score map than on the features, in cells: half a cell
    for an even kernel, whose centre is a corner of cells."""
    return (1 - kernel % 2) / 2


def gaussian_labels(centres: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """The scores wanted, (..., h, w): a Gaussian around each target, 1 at its centre.

    Args:
        centres: (..., 2) x and y of the targets in cells of the score map.
        size: h and w of the score map.
        sigma: standard deviation, in cells.
    """
    axes = [torch.arange(n, dtype=centres.dtype, device=centres.device) for n in size]
    across = axes[1] - centres[..., None, 0:1]  # (..., 1, w)
    down = axes[0][:, None] - centres[..., None, 1:2]  # (..., h, 1)
    return torch.exp(-(across.square() + down.square()) / (2 * sigma**2))  # (..., h, w)


def rms_normalised(features: Tensor, eps: float = 1e-10) -> Tensor:
    """Features (..., C, h, w), each map divided by the root of the mean of its squares: the
    regularisation of a classifier means the same on every image.

    Args:
        features: of one or more images.
        eps: added to the mean, for a map of zeros.
    """
    return features * (features.square().mean((-3, -2, -1), keepdim=True) + eps).rsqrt()
