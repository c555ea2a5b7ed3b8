"""Answers to the exercises of lesson 10 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.geometry.receptive import Layer, Reception
from course_lib.models.cir import CIR, Crop


def behind(row: Reception, layer: Layer, **wrong) -> Reception:
    """One more layer with something wrong."""
    reach = wrong.get("reach", lambda one: one.reach)(layer)
    size = (
        (row.size + 2 * layer.padding - layer.reach) // layer.stride
        + 1
        - wrong.get("crops", 2) * layer.crop
    )
    stride = row.stride * layer.stride
    step = {"before": row.stride, "after": stride, "one": 1}[wrong.get("step", "before")]
    start = row.start + ((layer.reach - 1) / 2 - wrong.get("pad", 1) * layer.padding) * row.stride
    start += wrong.get("inward", 1) * layer.crop * stride
    field = row.field + (reach - 1) * step + wrong.get("grow", 0) * layer.crop
    return Reception(layer.name, size, field, stride, start)


def joined(name, rows, field=None, check=True):
    """Branches that meet, with something wrong."""
    if check and len({(r.size, r.stride) for r in rows}) != 1:
        from course_lib.errors import DataError

        raise DataError("no")
    low = min(r.start - r.field / 2 for r in rows)
    high = max(r.start + r.field / 2 for r in rows)
    return replace(
        rows[0], field=field(rows) if field else round(high - low), start=(low + high) / 2
    )


def touched(size, kernel, stride, padding):
    """The right counts."""
    first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding
    return int((first < 0).sum()), int((first + kernel > size).sum())


def twin(padded, pools=True, channels=(8, 8), always=False, last=3):
    """A pair of twins with something wrong."""
    p = int(padded or always)
    c = channels[int(padded)]
    return nn.Sequential(
        nn.Conv2d(3, c, 11, 2, 5 * p),
        nn.MaxPool2d(3, 2, p * pools),
        nn.Conv2d(c, c, 5, 1, 2 * p),
        nn.MaxPool2d(3, 2, p * pools),
        nn.Conv2d(c, c, 3, 1, p),
        nn.Conv2d(c, c, 3, 1, p),
        nn.Conv2d(c, c, last, 1, last // 2 * p),
    )


def network(first, second, bias=False, crop=True, early=False, relu=False, width=64):
    """CIResNet with something wrong."""
    units = [CIR(64, width, 256)] + [CIR(256, width, 256) for _ in range(first - 1)]
    deep = [CIR(256, 128, 512), nn.MaxPool2d(2)]
    deep = deep[::-1] if early else deep
    deep += [CIR(512, 128, 512, last=k == second - 2 and not relu) for k in range(second - 1)]
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=bias), nn.BatchNorm2d(64), nn.ReLU()] + (
        [Crop(2)] if crop else []
    )
    return nn.Sequential(*stem, nn.MaxPool2d(2), *units, *deep)


def window(z, x, by="window", power=0.5, swap=False):
    """Best window with something wrong."""
    n = z.shape[-1]
    windows = x.unfold(1, n, 1).unfold(2, n, 1)
    apart = (windows - z[:, None, None]).square().sum((0, 3, 4))
    norms = windows.square().sum((0, 3, 4))
    k = int((apart / norms).argmin())
    row, column = divmod(k, apart.shape[1])
    divide = {"window": norms.flatten()[k], "z": z.square().sum(), "none": torch.tensor(1.0)}[by]
    place = (column, row) if swap else (row, column)
    return float((apart.flatten()[k] / divide) ** power), place


WRONG = {
    "siamdw.layer": [
        (lambda r, layer: behind(r, layer, step="one"), "each further tap"),
        (lambda r, layer: behind(r, layer, step="after"), "its own stride counts later"),
        (lambda r, layer: behind(r, layer, reach=lambda one: one.kernel), "taps are d cells apart"),
        (lambda r, layer: behind(r, layer, crops=0), "takes 2 cells off"),
        (lambda r, layer: behind(r, layer, crops=1), "off one"),
        (lambda r, layer: behind(r, layer, grow=2), "throws cells away"),
        (lambda r, layer: behind(r, layer, inward=0), "another cell is the first"),
        (lambda r, layer: behind(r, layer, pad=0), "first centre moves"),
        (lambda r, layer: (60, 11, 2), "should be a Reception"),
    ],
    "siamdw.branches": [
        (
            lambda n, rows: joined(n, rows, lambda r: r[0].field + r[1].field),
            "not one behind the other",
        ),
        (
            lambda n, rows: joined(n, rows, lambda r: min(q.field for q in r)),
            "sees what .any. branch",
        ),
        (lambda n, rows: joined(n, rows, lambda r: max(q.field for q in r)), "larger field alone"),
        (lambda n, rows: joined(n, rows, check=False), "raise DataError"),
    ],
    "siamdw.overlap": [
        (lambda field, stride: stride / field, "the share that is .new."),
        (lambda field, stride: field - stride, "those are pixels"),
        (lambda field, stride: 1 - 2 * stride / field, "expected"),
    ],
    "siamdw.kernel": [
        (lambda f, s, w: ((w - f) // s, (127 - w) // s + 1), "a kernel of 1 adds nothing"),
        (lambda f, s, w: ((w - f) // s + 1, (127 - w) // s), "one cell more"),
        (lambda f, s, w: ((w - f) // s + 1, 127 // s), "kernel and cells"),
    ],
    "siamdw.touched": [
        (lambda n, k, s, p: (p, p), "fewer of them"),
        (lambda n, k, s, p: (touched(n, k, s, p)[0],) * 2, "the two sides differ"),
        (lambda n, k, s, p: (k // 2, k // 2), "cells"),
    ],
    "siamdw.cir": [
        (lambda x, b, s: F.relu(b(x) + s(x)), "must be cut off"),
        (lambda x, b, s: F.relu(b(x) + s(x))[:, :, 1:, 1:], "on all four sides"),
        (lambda x, b, s: (b(x) + s(x))[:, :, 1:-1, 1:-1], "ReLU after the sum"),
        (lambda x, b, s: F.relu(b(x))[:, :, 1:-1, 1:-1], "shortcut is missing"),
        (lambda x, b, s: (F.relu(b(x)) + s(x))[:, :, 1:-1, 1:-1], "add first"),
    ],
    "siamdw.cird": [
        (lambda x, b, s: F.relu(b(x) + s(x))[:, :, 1:-1, 1:-1], "then halve it"),
        (lambda x, b, s: F.max_pool2d(F.relu(b(x) + s(x)), 2)[:, :, 1:-1, 1:-1], "you pool first"),
        (lambda x, b, s: F.avg_pool2d(F.relu(b(x) + s(x))[:, :, 1:-1, 1:-1], 2), "not with a mean"),
    ],
    "siamdw.twin": [
        (lambda padded: twin(padded, pools=False), "pad the poolings too"),
        (lambda padded: twin(False), "has no padding"),
        (lambda padded: twin(padded, channels=(8, 12)), "differ in one thing alone"),
        (lambda padded: twin(padded, last=5), "both twins need 87 and 8"),
        (lambda padded: twin(padded, always=True), "expected 6 and 22"),
        (lambda padded: 3, "should be a network"),
    ],
    "siamdw.assemble": [
        (lambda a, b: network(a, b, early=True), "behind the .first. unit"),
        (lambda a, b: network(a, b, crop=False), "two cells on each side of the stem"),
        (lambda a, b: network(a, b, bias=True), "needs no bias"),
        (lambda a, b: network(a, b, width=32), "64 and 128 channels"),
        (lambda a, b: network(a, b, relu=True), "without a ReLU"),
        (lambda a, b: network(a, b + 1), "the table says"),
        (lambda a, b: network(3, 4), "the table says"),
    ],
    "siamdw.agreement": [
        (lambda z, x: window(z, x, by="none"), "divide by the length of the window"),
        (lambda z, x: window(z, x, by="z"), "not of the exemplar"),
        (lambda z, x: window(z, x, power=1), "take the root"),
        (lambda z, x: window(z, x, swap=True), "has changed them"),
        (lambda z, x: window(z, x)[0], "two things"),
    ],
    "siamdw.unfreeze": [
        (lambda t, n, f, u: 0, "all of them trained"),
        (lambda t, n, f, u: sum(t >= s * n for s in u), "begins with all of them"),
        (lambda t, n, f, u: f - sum(t > s * n for s in u), "just reached counts"),
        (lambda t, n, f, u: f if t == 0 else sum(t >= s * n for s in u), "still frozen"),
        (lambda t, n, f, u: f - round(t / n * len(u)), "frozen parts"),
    ],
}
