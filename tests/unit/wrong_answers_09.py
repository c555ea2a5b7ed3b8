"""Answers to the exercises of lesson 09 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F


def both(x, a, b, c, d, how):
    """The two branches, put together by `how`; padded to keep the size."""
    left = F.conv2d(F.conv2d(x, a, padding="same"), b, padding="same")
    right = F.conv2d(F.conv2d(x, c, padding="same"), d, padding="same")
    return how(left, right)


def centre(rng, box, shift, side, draw=None, at=0.5, scale=True):
    """A crop's centre with something wrong."""
    d = draw(rng, shift) if draw else rng.uniform(-shift, shift, 2)
    return box[:2] + at * box[2:] + d * (side / 255 if scale else 1.0)


def depthwise(z, x, groups):
    """Correlation with as many groups as asked for."""
    B, C = z.shape[:2]
    if groups == "pair":
        return F.conv2d(x.reshape(1, B * C, *x.shape[2:]), z, groups=B)[0]
    return F.conv2d(
        x.reshape(1, B * C, *x.shape[2:]), z.reshape(B * C, 1, *z.shape[2:]), groups=B * C
    )


def mask(boxes, size, end=0, swap=False, inside=1, outside=0):
    """Masks with something wrong."""
    out = torch.full((len(boxes), 1, size, size), float(outside))
    for b, (x, y, w, h) in enumerate(boxes.int().tolist()):
        rows, columns = slice(y, y + h + end), slice(x, x + w + end)
        out[b, 0, *((columns, rows) if swap else (rows, columns))] = inside
    return out


WRONG = {
    "match.count": [
        (lambda k, b, m, a: (k * k * b * a, k * m * (b + a)), "one branch"),
        (lambda k, b, m, a: (k * b * a, 2 * k * m * (b + a)), "k² weights"),
        (lambda k, b, m, a: (2 * k * m * (b + a), k * k * b * a), "plain convolution comes first"),
        (lambda k, b, m, a: (k * k * b * a + a, 2 * k * m * (b + a) + 2 * m + 2 * a), "biases"),
    ],
    "match.separable": [
        (lambda x, *k: both(x, *k, lambda left, right: left), "one of the two branches"),
        (lambda x, *k: both(x, *k, lambda left, right: left * right), "added"),
        (lambda x, a, b, c, d: F.conv2d(F.conv2d(x, a), b) + F.conv2d(F.conv2d(x, c), d), "shrank"),
    ],
    "match.mask": [
        (lambda boxes, size: mask(boxes, size, swap=True), "changed places"),
        (lambda boxes, size: mask(boxes, size, inside=0, outside=1), "turn it round"),
        (lambda boxes, size: mask(boxes, size, end=1), "where the box ends"),
        (lambda boxes, size: mask(boxes, size, inside=255), "0 and 1 alone"),
    ],
    "match.broadcast": [
        (lambda v, x: v, "shape"),
        (lambda v, x: v[:1].expand(len(x), -1, *x.shape[2:]), "own vector"),
        (lambda v, x: v.expand(-1, -1, *x.shape[2:]), "shape"),
        (lambda v, x: torch.cat([v.expand(len(x), -1, *x.shape[2:]), x], 1), "shape"),
    ],
    "match.depthwise": [
        (lambda z, x: depthwise(z, x, "pair"), "added up"),
        (lambda z, x: depthwise(z, x, "channel"), "reshape"),
        (
            lambda z, x: depthwise(z[:1].expand_as(z), x, "channel").reshape(3, 4, 5, 5),
            "first exemplar",
        ),
        (lambda z, x: depthwise(z.flip(2, 3), x, "channel").reshape(3, 4, 5, 5), "upside down"),
    ],
    "match.sampling": [
        (lambda rng, box, shift, side: box[:2] + box[2:] / 2, "never leaves the middle"),
        (lambda *a: centre(*a, scale=False), "one of them is"),
        (lambda *a: centre(*a, at=0.0), "corner"),
        (lambda *a: centre(*a, draw=lambda rng, s: np.full(2, rng.uniform(-s, s))), "same number"),
        (lambda *a: centre(*a, draw=lambda rng, s: rng.uniform(0, s, 2)), "both ways"),
        (
            lambda *a: centre(*a, draw=lambda rng, s: np.clip(rng.normal(0, s / 4, 2), -s, s)),
            "uniformly|both ways",
        ),
    ],
    "match.aggregate": [
        (lambda answers, w: sum(answers), "count the same"),
        (lambda answers, w: sum(answers) / 3, "count the same"),
        (lambda answers, w: sum(k * a for k, a in zip(w, answers, strict=True)), "add up to 1"),
        (
            lambda answers, w: sum(
                k * a for k, a in zip(w.detach().softmax(0), answers, strict=True)
            ),
            "gradient",
        ),
    ],
}
