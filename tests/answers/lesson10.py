"""Right answers of lesson 10 in other styles."""

from __future__ import annotations

import bisect
import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.errors import DataError
from course_lib.geometry.receptive import ReceptiveField
from course_lib.models.cir import CIR


def behind_in_floats(row, layer):
    """With NumPy's numbers, and the field worked out from the layer's kernel."""
    reach = layer.dilation * (layer.kernel - 1) + 1
    size = np.floor((row.size + 2 * layer.padding - reach) / layer.stride) + 1 - 2 * layer.crop
    stride = np.int64(row.stride * layer.stride)
    first = row.start - layer.padding * row.stride + 0.5 * (reach - 1) * row.stride
    field = np.float64(row.field + (reach - 1) * row.stride)
    return ReceptiveField(layer.name, size, field, stride, first + layer.crop * stride)


def behind_by_edges(row, layer):
    """From the first pixel that the first cell sees."""
    edge = row.start - row.field / 2 - layer.padding * row.stride
    field = row.field + (layer.reach - 1) * row.stride
    size = (row.size + 2 * layer.padding - layer.reach) // layer.stride + 1
    uncropped = ReceptiveField(layer.name, size, field, row.stride * layer.stride, edge + field / 2)
    return replace(
        uncropped,
        size=size - 2 * layer.crop,
        start=uncropped.start + layer.crop * uncropped.stride,
    )


def behind_by_counting(row, layer):
    """Window by window."""
    cells = range(-layer.padding, row.size + layer.padding)
    firsts = [c for c in cells[:: layer.stride] if c + layer.reach - 1 <= cells[-1]]
    firsts = firsts[layer.crop : len(firsts) - layer.crop]
    centre = firsts[0] + (layer.reach - 1) / 2  # in cells of the map before
    return ReceptiveField(
        layer=layer.name,
        size=len(firsts),
        field=sum(row.stride for _ in range(layer.reach - 1)) + row.field,
        stride=row.stride * layer.stride,
        start=row.start + centre * row.stride,
    )


def joined_in_arrays(name, rows):
    """With NumPy."""
    if np.ptp([row.size for row in rows]) or np.ptp([row.stride for row in rows]):
        raise DataError("maps of different sizes")
    starts, fields = np.array([row.start for row in rows]), np.array([row.field for row in rows])
    low, high = (starts - fields / 2).min(), (starts + fields / 2).max()
    return ReceptiveField(name, rows[0].size, high - low, rows[0].stride, (high + low) / 2)


def joined_one_by_one(name, rows):
    """Branch by branch."""
    first, *others = rows
    for row in others:
        if row.size != first.size or row.stride != first.stride:
            raise DataError(f"{name}: {row} does not fit {first}")
    ends = [(row.start - row.field / 2, row.start + row.field / 2) for row in rows]
    low, high = ends[0]
    for left, right in ends[1:]:
        low, high = min(low, left), max(high, right)
    return replace(first, layer=name, field=int(high - low), start=low + (high - low) / 2)


def joined_of_pixels(name, rows):
    """From the set of half pixels."""
    if any((row.size, row.stride) != (rows[0].size, rows[0].stride) for row in rows):
        raise DataError("do not fit")
    seen = {half for row in rows for half in (2 * row.start - row.field, 2 * row.start + row.field)}
    field = (max(seen) - min(seen)) / 2
    return ReceptiveField(
        name, rows[0].size, round(field), rows[0].stride, min(seen) / 2 + field / 2
    )


def overlap_as_array(field, stride):
    """As an array of no dimension."""
    return np.array((field - stride) / field)


def overlap_as_tensor(field, stride):
    """As a tensor, in double precision."""
    return torch.tensor(1, dtype=torch.float64) - stride / field


def overlap_kept_above_zero(field, stride):
    """With nothing shared if the neighbour is too far away."""
    return max(0.0, field - stride) / field


def kernel_as_array(field, stride, wanted):
    """As an array of floats."""
    return np.floor((np.array([wanted, 127]) - [field, wanted]) / stride) + 1


def kernel_by_division(field, stride, wanted):
    """As a list; the kernel by true division."""
    return [(wanted - field) / stride + 1, math.floor((127 - wanted) / stride + 1)]


def kernel_by_growing(field, stride, wanted):
    """Step by step."""
    kernel = cells = 1
    while field < wanted:
        kernel, field = kernel + 1, field + stride
    while wanted + cells * stride <= 127:
        cells += 1
    return kernel, cells


def touched_in_tensors(size, kernel, stride, padding):
    """By a convolution of a row of zeros and ones, as a tensor."""
    row = F.pad(torch.zeros(1, 1, size), (padding, padding), value=1.0)
    seen = F.conv1d(row, torch.ones(1, 1, kernel), stride=stride)[0, 0]
    alone = F.pad(torch.zeros(1, 1, size), (padding, 0), value=1.0)
    before = F.conv1d(F.pad(alone, (0, padding)), torch.ones(1, 1, kernel), stride=stride)[0, 0]
    after = seen - before
    return torch.stack([(before > 0).sum(), (after > 0).sum()])


def touched_one_by_one(size, kernel, stride, padding):
    """Cell by cell, as a list."""
    begin = end = 0
    for i in range((size + 2 * padding - kernel) // stride + 1):
        low = i * stride - padding
        begin += low < 0
        end += low + kernel - 1 >= size
    return [begin, end]


def touched_by_formula(size, kernel, stride, padding):
    """Without a loop."""
    cells = (size + 2 * padding - kernel) // stride + 1
    untouched = (size + padding - kernel) // stride + 1  # from the first cell on, at the end
    return min(cells, -(-padding // stride)), cells - max(0, untouched)


class Functional(nn.Module):
    """A twin with functional poolings."""

    def __init__(self, padded, channels):
        super().__init__()
        self.pad = int(padded)
        self.first = nn.Conv2d(3, channels, 11, stride=2, padding=5 * self.pad, bias=False)
        self.second = nn.Conv2d(channels, channels, 5, padding=2 * self.pad, bias=False)
        self.rest = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=self.pad, bias=False) for _ in range(3)
        )

    def forward(self, x):
        for layer in (self.first, self.second):
            x = F.max_pool2d(layer(x), kernel_size=3, stride=2, padding=self.pad)
        for layer in self.rest:
            x = layer(x)
        return x


def twin_of_functions(padded, channels=8):
    """With functional poolings, and without biases."""
    return Functional(padded, channels)


def twin_in_a_loop(padded, channels=8):
    """From a table."""
    layers, before = [], 3
    for kind, kernel, stride in (
        *(("conv", 11, 2), ("pool", 3, 2), ("conv", 5, 1), ("pool", 3, 2)),
        *[("conv", 3, 1)] * 3,
    ):
        padding = kernel // 2 if padded else 0
        if kind == "pool":
            layers.append(nn.MaxPool2d(kernel, stride, padding))
        else:
            layers.append(nn.Conv2d(before, channels, kernel, stride, padding))
            before = channels
    return nn.Sequential(*layers)


def twin_of_two_parts(padded, channels=8):
    """In parts, padded explicitly."""

    def conv(before, kernel, stride=1):
        return [
            nn.ZeroPad2d(kernel // 2 * padded),
            nn.Conv2d(before, channels, kernel, stride),
        ]

    pool = nn.MaxPool2d((3, 3), (2, 2), (1, 1) if padded else 0)
    shallow = nn.Sequential(*conv(3, 11, 2), pool, *conv(channels, 5), pool)
    return nn.Sequential(shallow, nn.Sequential(*(m for _ in "abc" for m in conv(channels, 3))))


def window_as_list(z, x):
    """Window by window, as a list."""
    n, best = z.shape[1], (math.inf, None)
    for row in range(x.shape[1] - n + 1):
        for column in range(x.shape[2] - n + 1):
            window = x[:, row : row + n, column : column + n]
            best = min(best, (float((z - window).norm() / window.norm()), [row, column]))
    return list(best)


def window_in_arrays(z, x):
    """In NumPy, with the place as an array."""
    z, x = z.numpy(), x.numpy()
    windows = np.lib.stride_tricks.sliding_window_view(x, z.shape)[0]  # (r, r, C, n, n)
    apart = np.sqrt(((windows - z) ** 2).sum((2, 3, 4)) / (windows**2).sum((2, 3, 4)))
    return apart.min(), np.array(np.unravel_index(apart.argmin(), apart.shape))


def window_in_columns(z, x):
    """With F.unfold, squared until the end."""
    n = z.shape[-1]
    columns = F.unfold(x[None], n)[0]  # (C·n·n, windows)
    apart = (columns - z.flatten()[:, None]).pow(2).sum(0) / columns.pow(2).sum(0)
    value, k = apart.min(0)
    across = x.shape[-1] - n + 1
    return value.sqrt(), (k // across, k % across)


def cir_in_double(x, branch, shortcut):
    """Cropped first, in double precision."""
    total = (shortcut(x) + branch(x))[..., 1:-1, 1:-1]
    return total.double().clamp_min(0)


def cir_by_padding(x, branch, shortcut):
    """Cropped by a negative padding."""
    return F.pad(torch.relu(torch.add(branch(x), shortcut(x))), (-1,) * 4)


def cir_by_lengths(x, branch, shortcut):
    """Cropped by counting."""
    y = nn.ReLU()(branch(x) + shortcut(x))
    n = y.shape[-1]
    return y.narrow(2, 1, n - 2).narrow(3, 1, n - 2)


def cird_in_double(x, branch, shortcut):
    """Pooled before the ReLU, which changes nothing."""
    return torch.relu(F.max_pool2d((branch(x) + shortcut(x))[:, :, 1:-1, 1:-1], 2)).double()


def cird_by_reshaping(x, branch, shortcut):
    """With the maximum over two axes."""
    y = F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1]
    B, C, n, _ = y.shape
    return y.reshape(B, C, n // 2, 2, n // 2, 2).amax((3, 5))


def cird_of_four(x, branch, shortcut):
    """With the maximum of four maps."""
    y = F.relu(branch(x) + shortcut(x))
    corners = [y[:, :, i:-1:2, j:-1:2] for i in (1, 2) for j in (1, 2)]
    n = y.shape[-1] // 2 - 1
    return torch.stack([c[:, :, :n, :n] for c in corners]).amax(0)


class Assembled(nn.Module):
    """CIResNet with a stem of functions."""

    def __init__(self, first, second):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, (7, 7), stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(64)
        self.shallow = nn.Sequential(*(CIR(256 if k else 64, 64, 256) for k in range(first)))
        self.halving = CIR(256, 128, 512)
        self.deep = nn.ModuleList(CIR(512, 128, 512) for _ in range(second - 1))
        self.deep[-1].last = True

    def forward(self, x):
        x = F.relu(self.norm(self.conv(x)))
        x = F.max_pool2d(x[:, :, 2:-2, 2:-2], 2)
        x = F.max_pool2d(self.halving(self.shallow(x)), 2)
        for unit in self.deep:
            x = unit(x)
        return x


class AssembledBackwards(Assembled):
    """Its layers are made from the last to the first."""

    def __init__(self, first, second):
        super().__init__(first, second)
        for name, layer in [*self.named_children()][::-1]:
            delattr(self, name)
            setattr(self, name, layer)


def assembled_backwards(first=3, second=4):
    """In another order of making."""
    return AssembledBackwards(first, second)


def assembled_of_functions(first=3, second=4):
    """With functions in the stem and for the poolings."""
    return Assembled(first, second)


class Crops(nn.Module):
    """A crop of another make."""

    def forward(self, x):
        return x[..., 2:-2, 2:-2]


def assembled_as_list(first=3, second=4):
    """Layer by layer, cropped before the ReLU."""
    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), Crops(), nn.ReLU(True)]
    layers += [nn.MaxPool2d(2, 2)]
    channels = 64
    for k in range(first + second):
        mid = 64 if k < first else 128
        layers.append(CIR(channels, mid, 4 * mid, last=k == first + second - 1))
        channels = 4 * mid
        if k == first:
            layers.append(nn.MaxPool2d((2, 2)))
    return nn.Sequential(*layers)


def assembled_of_stages(first=3, second=4):
    """In three stages."""
    stem = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, padding=(3, 3), bias=False), nn.BatchNorm2d(64), nn.ReLU(), Crops()
    )
    one = [CIR(64, 64, 256), *(CIR(256, 64, 256) for _ in range(1, first))]
    two = [CIR(512, 128, 512) for _ in range(2, second)] + [CIR(512, 128, 512, last=True)]
    half = nn.MaxPool2d(2)
    return nn.Sequential(
        stem, half, nn.Sequential(*one), CIR(256, 128, 512), half, nn.Sequential(*two)
    )


def thawed_in_arrays(step, steps, freeze, unfreeze):
    """In NumPy."""
    return freeze - np.count_nonzero(np.array(unfreeze) * steps <= step)


def thawed_by_bisection(step, steps, freeze, unfreeze):
    """By the place of the step among the thresholds, as a float."""
    return float(freeze - bisect.bisect_right([f * steps for f in unfreeze], step))


def thawed_in_a_loop(step, steps, freeze, unfreeze):
    """Fraction by fraction."""
    for fraction in unfreeze:
        if step / steps < fraction:
            break
        freeze -= 1
    return freeze


FOUR = ((1, 0), (-1, 0), (0, 1), (0, -1))


def lag_in_double(answer, wide, distance):
    """In double precision, by NumPy."""
    lags = np.zeros(len(wide))
    for right, down in FOUR:
        top, left = 64 - distance * down, 64 - distance * right
        found = answer(wide[:, :, top : top + 255, left : left + 255])
        lags += (distance - found[:, 0] * right - found[:, 1] * down).numpy()
    return torch.from_numpy(lags / 4)


def lag_the_other_way(answer, wide, distance):
    """The crop as in the fault; the answer is measured the way the target really goes."""
    lag = 0
    for right, down in FOUR:
        top, left = 64 + distance * down, 64 + distance * right
        found = answer(wide[:, :, top : top + 255, left : left + 255])
        lag = lag + distance + (found[:, 0] * right + found[:, 1] * down)
    return lag / 4


def lag_by_rolling(answer, wide, distance):
    """The wide crop is rolled, its middle is shown."""
    lags = []
    for way in torch.tensor(FOUR):
        right, down = (way * distance).tolist()
        search = torch.roll(wide, (down, right), (2, 3))[:, :, 64:-64, 64:-64]
        lags.append(distance - answer(search) @ way.float())
    return torch.stack(lags).mean(0)


RIGHT = {
    "siamdw.layer": [behind_in_floats, behind_by_edges, behind_by_counting],
    "siamdw.branches": [joined_in_arrays, joined_one_by_one, joined_of_pixels],
    "siamdw.overlap": [overlap_as_array, overlap_as_tensor, overlap_kept_above_zero],
    "siamdw.kernel": [kernel_as_array, kernel_by_division, kernel_by_growing],
    "siamdw.touched": [touched_in_tensors, touched_one_by_one, touched_by_formula],
    "siamdw.twin": [twin_of_functions, twin_in_a_loop, twin_of_two_parts],
    "siamdw.agreement": [window_as_list, window_in_arrays, window_in_columns],
    "siamdw.fault": [lag_in_double, lag_the_other_way, lag_by_rolling],
    "siamdw.cir": [cir_in_double, cir_by_padding, cir_by_lengths],
    "siamdw.cird": [cird_in_double, cird_by_reshaping, cird_of_four],
    "siamdw.assemble": [
        assembled_of_functions,
        assembled_as_list,
        assembled_of_stages,
        assembled_backwards,
    ],
    "siamdw.unfreeze": [thawed_in_arrays, thawed_by_bisection, thawed_in_a_loop],
}
RANDOM: set[str] = set()
