"""Answers to the exercises of lesson 04 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def side_of(f):
    """A side computed from w and h."""
    return lambda box: f(*np.asarray(box)[2:])


def matrix(f, scale=lambda side, size: side / size):
    """A map whose corner is chosen by f(centre, side, step)."""

    def run(cx, cy, side, size):
        step = scale(side, size)
        return np.array([[step, 0, f(cx, side, side / size)], [0, step, f(cy, side, side / size)]])

    return run


def field(start=1, late=False, spread=True, stride="product"):
    """Receptive arithmetic with one thing wrong."""

    def run(layers):
        size, jump = start, 1
        for k, s in layers:
            if late:
                jump *= s
            size += (k - 1) * (jump if spread else 1)
            if not late:
                jump *= s
        return size, sum(s for _, s in layers) if stride == "sum" else jump

    return run


def alexnet(padding=0, groups=(1, 2, 1, 2, 2), last_relu=False, norms=4, pools=(2, 2), bias=True):
    """The network with one thing wrong."""

    def build():
        widths, kernels, layers, before = (96, 256, 384, 384, 256), (11, 5, 3, 3, 3), [], 3
        for k in range(5):
            pad = padding if k else 0
            layers.append(
                nn.Conv2d(
                    before,
                    widths[k],
                    kernels[k],
                    2 if k == 0 else 1,
                    pad,
                    groups=groups[k],
                    bias=bias,
                )
            )
            before = widths[k]
            if k < norms:
                layers.append(nn.BatchNorm2d(before))
            if k < 4 or last_relu:
                layers.append(nn.ReLU())
            if k < 2:
                layers.append(nn.MaxPool2d(3, pools[k]))
        return nn.Sequential(*layers)

    return build


def grouped(z, x):
    """The right responses."""
    B, C, H, W = x.shape
    return F.conv2d(x.reshape(1, B * C, H, W), z, groups=B)


def labels(positive, low=-1.0):
    """Labels from a rule on the offsets in cells."""

    def run(size, stride, radius):
        offset = torch.arange(size) - (size - 1) / 2
        return torch.where(positive(offset[:, None], offset[None, :], stride, radius), 1.0, low)

    return run


def loss(f):
    """A loss with balanced weights at hand."""

    def run(v, y):
        positive = (y > 0).float()
        negative = 1 - positive
        w = 0.5 * (
            positive / positive.sum((-2, -1), keepdim=True)
            + negative / negative.sum((-2, -1), keepdim=True)
        )
        return f(v, y, w)

    return run


WRONG = {
    "siamfc.side": [
        (side_of(lambda w, h: np.sqrt((w + (w + h) / 4) * (h + (w + h) / 4))), "on each side"),
        (side_of(lambda w, h: (w + (w + h) / 2) * (h + (w + h) / 2)), "area: take its root"),
        (side_of(lambda w, h: np.sqrt(w * h)), "context is missing"),
        (side_of(lambda w, h: max(w, h) + (w + h) / 2), "not the longer side"),
    ],
    "siamfc.crop": [
        (matrix(lambda c, side, step: c - side / 2), "half a pixel"),
        (matrix(lambda c, side, step: c), "begins at the target's centre"),
        (
            matrix(lambda c, side, step: -(c - side / 2) / step, lambda side, size: size / side),
            "from the frame to the crop",
        ),
        (matrix(lambda c, side, step: c - side / 2 + 0.5 * step), "− 0.5 is missing"),
    ],
    "siamfc.output": [
        (lambda n, k, s, p: (n + 2 * p - k) // s, "one too few"),
        (lambda n, k, s, p: (n + p - k) // s + 1, "both sides"),
        (lambda n, k, s, p: (n + 2 * p - k) / s + 1, "round down"),
        (lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1, "expected"),
    ],
    "siamfc.field": [
        (field(late=True), "strides before it"),
        (field(spread=False), "further apart"),
        (field(start=0), "sees 1 pixel"),
        (field(stride="sum"), "multiply"),
    ],
    "siamfc.alexnet": [
        (alexnet(padding=1), "padded"),
        (alexnet(groups=(1, 1, 1, 1, 1)), "groups=2"),
        (alexnet(last_relu=True), "no ReLU"),
        (alexnet(norms=5), "batch norms"),
        (alexnet(pools=(2, 1)), "strides and pooling"),
        (alexnet(bias=False), "parameters"),
    ],
    "siamfc.correlate": [
        (lambda z, x: grouped(z, x), "reshape them"),
        (lambda z, x: F.conv2d(x, z), "keeps to its own"),
        (lambda z, x: grouped(z.flip(2, 3), x)[0], "upside down"),
        (lambda z, x: F.conv2d(x, z[:1])[:, 0], "first exemplar"),
        (
            lambda z, x: F.conv2d(
                x.flatten(0, 1)[None], z.flatten(0, 1)[:, None], groups=z.shape[0] * z.shape[1]
            )[0],
            "sum over all channels",
        ),
    ],
    "siamfc.labels": [
        (labels(lambda i, j, k, r: torch.hypot(i, j) <= r), "in pixels"),
        (labels(lambda i, j, k, r: torch.hypot(i, j) * k < r), "exactly the radius"),
        (labels(lambda i, j, k, r: torch.hypot(i, j) * k <= r, low=0.0), "0 and 1"),
        (labels(lambda i, j, k, r: torch.maximum(i.abs(), j.abs()) * k <= r), "square"),
        (labels(lambda i, j, k, r: torch.hypot(i + 1, j) * k <= r), "around the middle"),
    ],
    "siamfc.loss": [
        (lambda v, y: F.softplus(-y * v).mean(), "not balanced"),
        (loss(lambda v, y, w: (w * F.softplus(-y * v)).sum()), "take the mean"),
        (loss(lambda v, y, w: 2 * (w * F.softplus(-y * v)).sum((-2, -1)).mean()), "sum to 2"),
        (loss(lambda v, y, w: (w * F.softplus(y * v)).sum((-2, -1)).mean()), "wrong sign"),
        (
            loss(lambda v, y, w: (w * torch.log(1 + torch.exp(-y * v))).sum((-2, -1)).mean()),
            "overflows",
        ),
        (
            loss(lambda v, y, w: (w * F.softplus(-y * v)).sum((-2, -1)).mean().detach()),
            "lost its gradient",
        ),
    ],
}
