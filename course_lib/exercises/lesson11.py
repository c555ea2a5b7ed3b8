"""Check of lesson 11, first part: cosine correlation."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models.correlation import cosine_correlate, cross_correlate


def random_features(rng: np.random.Generator, *shape: int) -> Tensor:
    """Features drawn from a normal distribution."""
    return torch.from_numpy(rng.normal(0.4, 1, shape)).float()


def _lengths(features: Tensor) -> Tensor:
    """Length (B, 1, 1) of each pair's features (B, C, h, w)."""
    return features.flatten(1).norm(dim=1)[:, None, None]


def _window_lengths(z: Tensor, x: Tensor) -> Tensor:
    """Length (B, H', W') of every window of x that is as large as z."""
    return F.conv2d(x.square().sum(1, keepdim=True), torch.ones(1, 1, *z.shape[2:]))[:, 0].sqrt()


def _window_sums(z: Tensor, squares: Tensor) -> Tensor:
    """Root (B, H', W') of the sums of squares (B, H, W) in every window as large as z."""
    return F.conv2d(squares[:, None], torch.ones(1, 1, *z.shape[2:]))[:, 0].sqrt()


def _asked(function, z: Tensor, x: Tensor) -> Tensor:
    """The map; raises Wrong if products and lengths are maps of different sizes."""
    try:
        return function(z, x)
    except RuntimeError as problem:
        if "must match the size of tensor" not in str(problem):
            raise
        h, w = z.shape[2:]
        raise Wrong(
            f"with an exemplar of {h} × {w} cells your products and your lengths are maps of "
            f"different sizes ({problem}): is the box filter (h, w), in this order, and is its "
            "stride 1? Without a stride `avg_pool2d` moves by the filter's size"
        ) from None


def _too_large(given, right) -> str:
    """The message for cosines beyond 1."""
    most = np.abs(given).max()
    return f"a cosine lies between −1 and 1; yours reaches {most:.2f}" if most > 1 + 1e-4 else ""


@check(
    "margin.cosine",
    reference=cosine_correlate,
    mistakes={
        "these are the plain sums of products; divide by both lengths": (
            lambda right, z, x: cross_correlate(z, x)
        ),
        "you divide by the exemplar's length only: a bright window still wins; divide by the "
        "window's too": lambda right, z, x: cross_correlate(z, x) / _lengths(z),
        "you divide by the length of the whole search map; each place needs the length of its own "
        "window": lambda right, z, x: cross_correlate(z, x) / _lengths(z) / _lengths(x),
        "you normalise every cell on its own; the lengths needed are those of whole windows, all "
        "cells together": lambda right, z, x: (
            cross_correlate(F.normalize(z, dim=1), F.normalize(x, dim=1)) / z[0, 0].numel()
        ),
        "you divide by the squares; a length is the root of the sum of squares": (
            lambda right, z, x: right(z, x) ** 2 / cross_correlate(z, x)
        ),
        "the length in your denominator is that of the whole batch, or of its first pair; each "
        "pair has its own": [
            lambda right, z, x: cross_correlate(z, x) / z.norm() / _window_lengths(z, x),
            lambda right, z, x: right(z, x) * _lengths(z) / z[0].norm(),
            lambda right, z, x: right(z, x) * _window_lengths(z, x) / _window_lengths(z, x[:1]),
        ],
        "one exemplar meets every search image; each has its own": lambda right, z, x: right(
            z[:1].expand_as(z), x
        ),
        "that is the mean of the channels' cosines; the lengths needed are those of all channels "
        "together": lambda right, z, x: torch.stack(
            [right(z[:, k : k + 1], x[:, k : k + 1]) for k in range(z.shape[1])]
        ).mean(0),
        "a cosine has a sign: yours is never below 0": [
            lambda right, z, x: right(z, x).abs(),
            lambda right, z, x: right(z, x).clamp_min(0),
        ],
        "your exemplar is flipped: `cross_correlate` takes it as it is": (
            lambda right, z, x: right(z.flip(2, 3), x)
        ),
        "your squares are not those of the values: square each one, then sum over the channels": [
            lambda right, z, x: (
                right(z, x) * _window_lengths(z, x) / _window_sums(z, x.sum(1) ** 2)
            ),
            lambda right, z, x: (
                right(z, x) * _window_lengths(z, x) / _window_sums(z, x.abs().sum(1))
            ),
            lambda right, z, x: right(z, x) * x.shape[1] ** 0.5,
        ],
        "the box filter has to sum the squares of a window, not to average them": [
            lambda right, z, x: right(z, x) * z[0, 0].numel() ** 0.5,
            lambda right, z, x: right(z, x) / z.shape[-1],
            lambda right, z, x: right(z, x) * z.shape[-1],
        ],
    },
    others={
        "yours reaches": lambda right, z, x: 1.5 * right(z, x),
        "where x holds a copy of z it is 1": lambda right, z, x: 0.5 * right(z, x),
        "shape": lambda right, z, x: right(z, x)[:, 1:],
        "NaN": lambda right, z, x: cross_correlate(z, x) / (_lengths(z) * _window_lengths(z, x)),
        "lost its gradient": lambda right, z, x: right(z.detach(), x.detach()),
        "does not reach `z`": lambda right, z, x: right(z.detach(), x),
        "its gradient with respect to `z` and `x` is not": lambda right, z, x: (
            cross_correlate(z, x) / (_lengths(z) * _window_lengths(z, x)).clamp_min(1e-6).detach()
        ),
        "its gradient with respect to `z` is not": lambda right, z, x: (
            cross_correlate(z, x) / (_lengths(z.detach()) * _window_lengths(z, x)).clamp_min(1e-6)
        ),
        "is the box filter (h, w), in this order, and is its stride 1?": [
            lambda right, z, x: cross_correlate(z, x) / _window_lengths(z.transpose(2, 3), x),
            lambda right, z, x: cross_correlate(z, x) / _window_lengths(z[..., :3, :], x),
            lambda right, z, x: cross_correlate(z, x) / F.avg_pool2d(x.norm(dim=1), z.shape[2:]),
        ],
        "but its gradient is not finite": [
            lambda right, z, x: (
                cross_correlate(z, x) / (_lengths(z) * _window_lengths(z, x))
            ).nan_to_num(),
            lambda right, z, x: (
                cross_correlate(z, x) / (_lengths(z) * _window_lengths(z, x)).clamp_min(1e-6)
            ),
        ],
        "the cosine": lambda right, z, x: right(z - z.mean(), x),
    },
)
def examine_cosine(answer, rng) -> None:
    """Cosine correlation, of exemplars that are not square."""
    x = random_features(rng, 2, 5, 9, 8) * torch.linspace(0.5, 3, 8)
    z = torch.stack([2 * x[0, :, 2:6, 3:6], random_features(rng, 5, 4, 3)])
    answer.compare(
        (z.clone().requires_grad_(), x.clone().requires_grad_()),
        "the map",
        (2, 6, 6),
        call=_asked,
        tolerance=1e-4,
        named="the cosine",
        otherwise=_too_large,
        hint="where x holds a copy of z it is 1",
    )
    dark = x.clone()
    dark[0, :, :5, :4] = 0
    for inputs, what in (
        ((z[:1] * 0, x[:1]), "an exemplar of zeros"),
        ((z, dark), "windows of zeros"),
        ((0.02 * z, 0.02 * x), "features that are small"),
    ):
        shape = (len(inputs[0]), 6, 6)
        named = f"the cosine with {what}"
        answer.compare(inputs, f"the map with {what}", shape, tolerance=1e-4, named=named)
    _check_gradient(answer, z, dark)


def _check_gradient(answer, z: Tensor, x: Tensor) -> None:
    """Windows of zeros must not spoil the gradient of the map's sum."""
    z, x = z.detach().clone().requires_grad_(), x.detach().clone().requires_grad_()
    slopes = torch.autograd.grad(answer(z, x).sum(), (z, x))
    if not all(bool(torch.isfinite(slope).all()) for slope in slopes):
        raise Wrong(
            "with windows of zeros your map is right, but its gradient is not finite: the root's "
            "slope is infinite at 0. Clamp what stands under the root; nan_to_num, or a clamp of "
            "the root, fixes only the map"
        )
