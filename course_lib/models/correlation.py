"""Cross-correlation of exemplar features with search features: each exemplar slides over its own
search image."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import DataError


def cross_correlate(z: Tensor, x: Tensor) -> Tensor:
    """Responses (B, H − h + 1, W − w + 1): exemplar features z (B, C, h, w) slide over search
    features x (B, C, H, W); the ⋆ of the SiamFC paper (Bertinetto et al., 2016).

    One exemplar (1, C, h, w) may serve all B search images. The result equals `F.conv2d` pair by
    pair, but is faster: one batched matrix product computes the similarity of every cell of z to
    every cell of x; each response cell is then a sum of h · w of these. Raises DataError if the
    shapes do not fit.
    """
    _check(z, x)
    B, C, H, W = x.shape
    h, w = z.shape[2:]
    z = z.expand(B, -1, -1, -1)  # (B, C, h, w)
    # (B, h·w, H·W): the similarity of every cell of z with every cell of x
    cells = torch.bmm(z.reshape(B, C, h * w).transpose(1, 2), x.reshape(B, C, H * W))
    cells = cells.reshape(B, h, w, H, W)
    # cell (i, j) of an exemplar placed at u meets cell u + (i, j) of x
    rows, columns = H - h + 1, W - w + 1
    response = cells.new_zeros(B, rows, columns)
    for i in range(h):
        for j in range(w):
            response = response + cells[:, i, j, i : i + rows, j : j + columns]  # (B, H', W')
    return response


def cosine_correlate(z: Tensor, x: Tensor, eps: float = 1e-6) -> Tensor:
    """Cosine similarity (B, H − h + 1, W − w + 1) of exemplar features z (B or 1, C, h, w) and
    every window of x (B, C, H, W).

    c(u) = ⟨z, x[u]⟩ / (‖z‖ · ‖x[u]‖) in [−1, 1]. The products come from `cross_correlate`; the
    norms of all windows from one box filter over the squares summed over the channels.

    Args:
        z: exemplar features (B or 1, C, h, w).
        x: search features (B, C, H, W).
        eps: lower bound of either norm, so that nothing is divided by 0.
    """
    products = cross_correlate(z, x)  # (B, H', W')
    squares = x.square().sum(1, keepdim=True)  # (B, 1, H, W)
    h, w = z.shape[2:]
    # (B, H', W'). The root's slope is infinite at 0: without the clamp a window of zeros would
    # have a NaN gradient
    lengths = (F.avg_pool2d(squares, (h, w), 1)[:, 0] * (h * w)).clamp_min(eps**2).sqrt()
    own = z.flatten(1).square().sum(1).clamp_min(eps**2).sqrt()  # (B or 1,)
    return products / (own[:, None, None] * lengths)  # (B, H', W')


def cross_correlate_grouped(z: Tensor, x: Tensor) -> Tensor:
    """The same responses (B, H − h + 1, W − w + 1) by one grouped convolution: the batch is folded
    into the channels, one group per pair."""
    _check(z, x)
    B, C, H, W = x.shape
    z = z.expand(B, -1, -1, -1)
    response = F.conv2d(x.reshape(1, B * C, H, W), z, groups=B)  # (1, B, H', W')
    return response[0]


def _check(z: Tensor, x: Tensor) -> None:
    """Raise DataError unless z (B or 1, C, h, w) can slide over x (B, C, H, W)."""
    fits = z.ndim == x.ndim == 4 and len(z) in (1, len(x)) and z.shape[1] == x.shape[1]
    if not fits or z.shape[2] > x.shape[2] or z.shape[3] > x.shape[3]:
        raise DataError(
            f"exemplar features {tuple(z.shape)} cannot slide over search features "
            f"{tuple(x.shape)}; expected (B, C, h, w) and (B, C, H, W) with the same C, h ≤ H, "
            "w ≤ W, and one exemplar or as many as search images"
        )


def cross_correlate_channels(kernels: Tensor, x: Tensor) -> Tensor:
    """Maps (B, n, H − h + 1, W − w + 1): n kernels (B or 1, n, C, h, w) of each pair slide over its
    features (B, C, H, W).

    The up-channel correlation of SiamRPN (Li et al., 2018): a convolution whose weights come from
    the exemplar. One set of kernels for all search images makes it an ordinary convolution;
    otherwise the batch is folded into the channels.
    """
    B, C, H, W = x.shape
    if len(kernels) == 1:
        return F.conv2d(x, kernels[0])  # (B, n, H', W')
    n = kernels.shape[1]
    maps = F.conv2d(x.reshape(1, B * C, H, W), kernels.flatten(0, 1), groups=B)  # (1, B·n, H', W')
    return maps.reshape(B, n, *maps.shape[2:])


def cross_correlate_depthwise(z: Tensor, x: Tensor) -> Tensor:
    """Maps (B, C, H − h + 1, W − w + 1): channel c of z (B or 1, C, h, w) slides over channel c of
    x (B, C, H, W); the depth-wise correlation of SiamRPN++ (Li et al., 2019)."""
    B, C, H, W = x.shape
    z = z.expand(B, -1, -1, -1).reshape(B * C, 1, *z.shape[2:])  # (B·C, 1, h, w)
    x = x.reshape(1, B * C, H, W)
    trained = torch.is_grad_enabled() and (z.requires_grad or x.requires_grad)
    if trained and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
        maps = _PlaneByPlane.apply(z, x)  # (1, B·C, H', W')
    else:
        maps = F.conv2d(x, z, groups=B * C)  # (1, B·C, H', W')
    return maps.reshape(B, C, *maps.shape[2:])


class _PlaneByPlane(torch.autograd.Function):
    """Correlation of N kernels (N, 1, h, w) with N planes (1, N, H, W), one by one: (1, N, H', W').

    Its gradients are correlations too. Computed as such they take a quarter of the time that
    PyTorch's gradient of a grouped convolution takes on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(z, x)
        return F.conv2d(x, z, groups=len(z))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor]:
        z, x = ctx.saved_tensors
        slope = slope.contiguous()  # (1, N, H', W')
        for_z = F.conv2d(x, slope.transpose(0, 1), groups=len(z)).transpose(0, 1)  # (N, 1, h, w)
        padding = z.shape[2] - 1, z.shape[3] - 1
        for_x = F.conv2d(slope, z.flip(2, 3), padding=padding, groups=len(z))  # (1, N, H, W)
        return for_z, for_x
