"""Answers to the exercises of lesson 11 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.models.correlation import cross_correlate


def cosine(z, x, own=1.0, root=0.5, box="sum", cells=False, whole=False):
    """Cosine correlation with something wrong."""
    if cells:
        return cross_correlate(F.normalize(z, dim=1), F.normalize(x, dim=1)) / z[0, 0].numel()
    squares = x.square().sum(1, keepdim=True)
    h, w = z.shape[2:]
    windows = F.avg_pool2d(squares, (h, w), 1)[:, 0] * (h * w if box == "sum" else 1)
    if whole:
        windows = squares.sum((2, 3))[:, :, None].expand(windows.shape)
    length = z.flatten(1).square().sum(1)[:, None, None]
    return cross_correlate(z, x) / (length ** (root * own) * windows**root + 1e-6)


def labels(size, stride, radius, ring, middle=None, first=1.0, last=-1.0, keep=True, cell=None):
    """Labels with something wrong."""
    at = (torch.arange(size).float() - ((size - 1) / 2 if middle is None else middle(size))) * (
        cell or stride
    )
    distance = torch.hypot(at[:, None], at[None])
    y = torch.full((size, size), last)
    if keep:
        y[distance <= ring] = 0
    y[distance <= radius] = first
    return y


def logistic(
    c, y, b, s, m, sign=1.0, inside=True, both=True, halves="mean", ring=False, scale=True
):
    """The pixel-wise loss with something wrong."""
    shift = sign * m * (s if inside else 1)
    logits = -y * s * (c - b) + shift
    if not both:
        logits = -s * y * (c - b - sign * m)
    if not scale:
        logits = -y * (c - b) + m
    cells = F.softplus(logits)
    on, off = y > 0, y < 0
    if ring:
        off = ~on
        cells = torch.where(y == 0, F.softplus(s * (c - b + m)), cells)
    if halves == "all":
        return cells[y != 0].mean()
    mean = (
        (lambda v: v.sum())
        if halves == "sum"
        else (lambda v: v.mean() if v.numel() else torch.tensor(0.0))
    )
    return (1 if halves == "whole" else 0.5) * (mean(cells[on]) + mean(cells[off]))


def softmax(
    c,
    y,
    b,
    s,
    m,
    margin=True,
    nowhere=True,
    outside=False,
    half=False,
    add=None,
    total=False,
    none=True,
):
    """Places as classes with something wrong."""
    off = s * c[y < 0]
    rivals = torch.cat([off, torch.tensor([s * b])]) if nowhere else off
    if add is not None:
        rivals = torch.cat([rivals, s * c[y == add]])
    if not (y > 0).any():
        right = torch.tensor(s * (b - m) if none else s * b)
        return torch.logsumexp(torch.cat([off, right[None]]), 0) - right
    losses = []
    for p in c[y > 0]:
        hard = s * (p - m) if margin else s * p
        hard = s * p - m if outside else hard
        below = s * p if half else hard
        losses.append(torch.logsumexp(torch.cat([rivals, below[None]]), 0) - hard)
    losses = torch.stack(losses)
    return losses.sum() if total else losses.mean()


def lead(c, y, rival=torch.max, own=torch.max, spread=True, sign=1, ring=False):
    """The lead with something wrong."""
    rest = c[y <= 0] if ring else c[y < 0]
    value = sign * (own(c[y > 0]) - rival(rest))
    return float(value / rest.std(correction=0)) if spread else float(value)


def roi(centre, ratio, first, stride, cells, half=0.5, zero=False, size=False, swap=False):
    """The square on the map with something wrong."""
    middle = (centre - (0 if zero else first)) / stride + half
    middle = middle.flip(0) if swap else middle
    reach = ratio * cells / 2
    if size:
        return torch.cat([middle - reach, torch.full((2,), 2.0 * reach)])
    return torch.cat([middle - reach, middle + reach])


def align(features, square, cells, shift=-0.5, how="bilinear", swap=False):
    """ROI-Align with something wrong."""
    x0, y0, x1, y1 = square.tolist()
    if swap:
        x0, y0, x1, y1 = y0, x0, y1, x1
    if how == "round":
        x, y = round(x0), round(y0)
        return features[:, :, y : y + cells, x : x + cells]
    n = features.shape[-1]
    xs = x0 + (torch.arange(cells) + 0.5) * (x1 - x0) / cells + shift
    ys = y0 + (torch.arange(cells) + 0.5) * (y1 - y0) / cells + shift
    grid = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], -1)[None]
    return F.grid_sample(features, grid / (n - 1) * 2 - 1, mode=how, align_corners=True)


def unit(t):
    """Length 1."""
    return t / t.norm()


def renewed(first, average, fresh, score, rate, keep, sure, **wrong):
    """The moving average with something wrong."""
    old = average
    if wrong.get("always") or (score > sure and not wrong.get("never")):
        rate = 1 - rate if wrong.get("swap") else rate
        average = (1 - rate) * average + rate * fresh
        average = average if wrong.get("short") else unit(average)
    used = old if wrong.get("late") else average
    keep = {"none": 0, "swapped": 1 - keep}.get(wrong.get("mix"), keep)
    return keep * first + (1 - keep) * used, average


def region(speed, reach, base, largest, least=True, most=True, step=16, each=8):
    """The search image's size with something wrong."""
    steps = math.ceil((reach * speed - 64) / 8)
    steps = max(steps, 0) if least else steps
    size = base + 2 * each * steps
    return min(size, largest) if most else size


def again(look, size, largest, unsure, gain, ask=True, stop=True, margin=True, near_only=False):
    """One more search with something wrong."""
    near = look(size)
    if (ask and near.max() >= unsure) or (stop and size >= largest):
        return size, near
    far = look(largest)
    if not near_only and far.max() > near.max() + (gain if margin else 0):
        return largest, far
    return size, near


WRONG = {
    "margin.cosine": [
        (cross_correlate, "plain sums of products"),
        (
            lambda z, x: cross_correlate(z, x) / z.flatten(1).norm(dim=1)[:, None, None],
            "a bright window still wins",
        ),
        (lambda z, x: cosine(z, x, whole=True), "its own window"),
        (lambda z, x: cosine(z, x, cells=True), "normalised on its own"),
        (lambda z, x: cosine(z, x, root=1), "divided by the squares"),
        (lambda z, x: cosine(z, x, box="mean"), "not to average them"),
        (lambda z, x: 1.5 * cosine(z, x), "lies between"),
        (lambda z, x: 0.5 * cosine(z, x), "copy of z"),
        (lambda z, x: cosine(z, x)[:, 1:], "shape"),
    ],
    "margin.labels": [
        (lambda n, k, r, q: labels(n, k, r, q, keep=False), "ring is missing"),
        (lambda n, k, r, q: labels(n, k, r, q, cell=1), "a cell is 8 of them"),
        (lambda n, k, r, q: labels(n, k, r, q, middle=lambda n: n // 2), "between its cells"),
        (lambda n, k, r, q: labels(n, k, r, q, first=2.0), "labels are 1, 0 and"),
        (lambda n, k, r, q: labels(n, k, r, q + 8), "in the ring"),
    ],
    "margin.logistic": [
        (lambda *a: logistic(*a, sign=0), "has no effect"),
        (lambda *a: logistic(*a, sign=-1), "makes it easier"),
        (lambda *a: logistic(*a, inside=False), "inside the bracket"),
        (lambda *a: logistic(*a, both=False), "on the others too"),
        (lambda *a: logistic(*a, halves="all"), "give each half"),
        (lambda *a: logistic(*a, halves="sum"), "means, not sums"),
        (lambda *a: logistic(*a, halves="whole"), "counts one half"),
        (lambda *a: logistic(*a, ring=True), "cells of the ring"),
        (lambda *a: logistic(*a, scale=False), "scale is missing"),
        (lambda c, y, b, s, m: torch.log(1 + torch.exp(s * c)).mean(), "the loss"),
        (
            lambda c, y, b, s, m: logistic(c, y, b, s, m) if (y > 0).any() else torch.tensor(0.0),
            "without target",
        ),
    ],
    "margin.arc": [
        (lambda c, m: c - m, "additive margin"),
        (lambda c, m: torch.cos(torch.acos(c) - m), "makes it easier"),
        (lambda c, m: torch.cos(torch.acos(c) + m), "has passed π"),
        (lambda c, m: c * math.cos(m) - math.sin(m), "sin θ ="),
        (
            lambda c, m: torch.where(
                c > -math.cos(m),
                c * math.cos(m) - (1 - c * c).sqrt() * math.sin(m),
                c - m * math.sin(m),
            ),
            "gradient is not a number",
        ),
    ],
    "margin.softmax": [
        (lambda *a: softmax(*a, margin=False), "margin is missing"),
        (lambda *a: softmax(*a, nowhere=False), "nowhere"),
        (lambda *a: softmax(*a, outside=True), "before the scale"),
        (lambda *a: softmax(*a, half=True), "and. below the line"),
        (lambda *a: softmax(*a, add=1), "other target cells"),
        (lambda *a: softmax(*a, add=0), "ring's cells"),
        (lambda *a: softmax(*a, total=True), "average over"),
        (lambda *a: softmax(*a, none=False), "the margin comes off b"),
    ],
    "margin.scale": [
        (lambda n, p: math.log((n - 1) * p / (1 - p)), "the others are not at 0"),
        (lambda n, p: (n - 1) / n * math.log(p / (1 - p)), "N − 1 others"),
        (lambda n, p: 10.0, "the scale"),
    ],
    "margin.ramp": [
        (lambda d, m, r: m * d, "whole after the first"),
        (lambda d, m, r: m if r == 0 else m * d / r, "the margin"),
        (lambda d, m, r: m, "the margin"),
        (lambda d, m, r: m * min(d / max(r, 1e-9), 1) if r else 0.0, "without a ramp"),
        (lambda d, m, r: d, "grows on|the margin"),
    ],
    "margin.lead": [
        (lambda c, y: lead(c, y, sign=-1), "the sign"),
        (lambda c, y: lead(c, y, spread=False), "standard deviation"),
        (lambda c, y: lead(c, y, rival=torch.mean), "peak-to-sidelobe"),
        (lambda c, y: lead(c, y, own=torch.mean), "take its highest"),
        (lambda c, y: lead(c, y, ring=True), "neither side"),
        (lambda c, y: 2 * lead(c, y), "the lead"),
    ],
    "margin.roi": [
        (lambda *a: roi(*a, half=0.0), "half a cell"),
        (lambda *a: roi(*a, zero=True), "subtract it"),
        (lambda *a: roi(*a, size=True), "two corners"),
        (lambda c, ratio, *a: roi(c, 1.0, *a), "ratio . cells"),
        (lambda *a: roi(*a, swap=True), "x comes first"),
        (lambda c, ratio, first, stride, cells: roi(c, ratio, first, 1, cells), "the square"),
    ],
    "margin.align": [
        (lambda *a: align(*a, swap=True), "rows are y"),
        (lambda *a: align(*a, shift=0.0), "half a cell beside"),
        (lambda *a: align(*a, how="nearest"), "interpolate bilinearly"),
        (lambda *a: align(*a, how="round"), "round the square"),
        (lambda *a: 2 * align(*a), "copies them"),
    ],
    "margin.average": [
        (lambda *a: renewed(*a, always=True), "must not change"),
        (lambda *a: renewed(*a, never=True), "has not moved"),
        (lambda *a: renewed(*a, swap=True), "wrong way round"),
        (lambda *a: renewed(*a, short=True), "back to length 1"),
        (lambda *a: renewed(*a, mix="none"), "first template has gone"),
        (lambda *a: renewed(*a, mix="swapped"), "has changed them|has the share"),
        (lambda *a: renewed(*a, late=True), ".new. average"),
        (lambda *a: renewed(*a)[0], "two things"),
    ],
    "margin.region": [
        (lambda *a: region(*a, most=False), "not be larger"),
        (lambda *a: region(*a, least=False), "never smaller"),
        (lambda s, r, b, m: min(max(2 * (r * s - 64) + b, b), m), "whole cells"),
        (lambda *a: region(*a, each=4), "whole cells|costs 16 pixels"),
        (lambda s, r, b, m: b, "the size"),
    ],
    "margin.again": [
        (lambda *a: again(*a, ask=False), "only costs time"),
        (lambda *a: again(*a, stop=False), "nothing more to see"),
        (lambda *a: again(*a, margin=False), "higher by .gain."),
        (lambda *a: again(*a, near_only=True), "you keep the first"),
        (lambda *a: again(*a)[0], "two things"),
        (
            lambda look, size, *a: (again(look, size, *a)[0], np.zeros((17, 16))),
            "belongs to the size",
        ),
    ],
}
