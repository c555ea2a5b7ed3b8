"""Right answers of lesson 09 in other styles."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.geometry.windows import CropWindow


def counts_as_array(k, before, mid, after):
    """Layer by layer, in NumPy."""
    layers = np.array([before * mid, mid * after])
    return np.array([k * k * before * after, (2 * k * layers).sum()])


def counts_of_modules(k, before, mid, after):
    """Counted in PyTorch's layers, without their storage."""

    def weights(a, b, rows, columns):
        return nn.Conv2d(a, b, (rows, columns), bias=False, device="meta").weight.numel()

    left = weights(before, mid, k, 1) + weights(mid, after, 1, k)
    right = weights(before, mid, 1, k) + weights(mid, after, k, 1)
    return weights(before, after, k, k), left + right


def counts_as_floats(k, before, mid, after):
    """As a list of floats."""
    return [float(k**2) * before * after, 2.0 * k * (before + after) * mid]


def separable_in_double(x, tall_first, wide_second, wide_first, tall_second):
    """In double precision, padded by half the kernel."""
    half = tall_first.shape[2] // 2
    x, a, b, c, d = (t.double() for t in (x, tall_first, wide_second, wide_first, tall_second))
    left = F.conv2d(F.conv2d(x, a, padding=(half, 0)), b, padding=(0, half))
    left += F.conv2d(F.conv2d(x, c, padding=(0, half)), d, padding=(half, 0))
    return left


def separable_as_square(x, tall_first, wide_second, wide_first, tall_second):
    """As the one k × k kernel that both branches make together."""
    # the outer product of a line and a column: rows from the tall kernel, columns from the wide
    left = torch.einsum("mck,nml->nckl", tall_first[..., 0], wide_second[:, :, 0])
    right = torch.einsum("mcl,nmk->nckl", wide_first[:, :, 0], tall_second[..., 0])
    return F.conv2d(x, left + right, padding=tall_first.shape[2] // 2)


def separable_padded_first(x, tall_first, wide_second, wide_first, tall_second):
    """With the zeros added by F.pad."""

    def conv(y, kernel):
        rows, columns = (side // 2 for side in kernel.shape[2:])
        return F.conv2d(F.pad(y, [columns, columns, rows, rows]), kernel)

    return conv(conv(x, tall_first), wide_second).add(conv(conv(x, wide_first), tall_second))


def masks_by_slices(boxes, size):
    """Whole pixels, rounded and kept inside the image, as truth values."""
    masks = torch.zeros(len(boxes), 1, size, size, dtype=torch.bool)
    for mask, (x, y, w, h) in zip(masks, boxes.tolist(), strict=True):
        left, top = max(0, round(x)), max(0, round(y))
        mask[0, top : max(0, round(y + h)), left : max(0, round(x + w))] = True
    return masks


def masks_by_grid(boxes, size):
    """With a grid of pixel centres."""
    at = torch.arange(0.5, size)
    v, u = torch.meshgrid(at, at, indexing="ij")
    x, y, w, h = (boxes[:, i, None, None] for i in range(4))
    inside = (u >= x) * (u < x + w) * (v >= y) * (v < y + h)
    return inside.unsqueeze(1).to(boxes.dtype)


def masks_one_by_one(boxes, size):
    """Pixel by pixel."""
    masks = torch.zeros(len(boxes), 1, size, size)
    for k, (x, y, w, h) in enumerate(boxes.tolist()):
        for row in range(max(0, math.ceil(y - 0.5)), min(size, math.ceil(y + h - 0.5))):
            for column in range(size):
                masks[k, 0, row, column] = float(x <= column + 0.5 < x + w)
    return masks


def repeated(vector, x):
    """Copied."""
    pairs = len(x) // len(vector)
    return vector.repeat(pairs, 1, *x.shape[-2:]).double()


def broadcast_by_ones(vector, x):
    """Multiplied by a map of ones."""
    return vector * torch.ones_like(x[:, :1])


def interpolated(vector, x):
    """Enlarged."""
    return F.interpolate(vector.expand(x.shape[0], -1, -1, -1), size=x.shape[2:])


def depthwise_by_windows(z, x):
    """As sums over windows, in double precision."""
    h, w = z.shape[2:]
    windows = x.double().unfold(2, h, 1).unfold(3, w, 1)  # (B, C, H', W', h, w)
    return (windows * z.double()[:, :, None, None]).sum((4, 5))


def depthwise_pair_by_pair(z, x):
    """A convolution with C groups for each pair."""
    maps = [F.conv2d(b[None], a[:, None], groups=len(a)) for a, b in zip(z, x, strict=True)]
    return torch.cat(maps)


def depthwise_in_frequency(z, x):
    """By a product of spectra."""
    size = x.shape[2:]
    product = torch.fft.rfft2(x) * torch.fft.rfft2(z, s=size).conj()
    rows, columns = size[0] - z.shape[2] + 1, size[1] - z.shape[3] + 1
    return torch.fft.irfft2(product, s=size)[:, :, :rows, :columns]


def centre_as_list(rng, box, shift, side):
    """Coordinate by coordinate, as a list."""
    x, y, w, h = map(float, box)
    reach = shift * side / 255
    return [x + w / 2 + rng.uniform(-reach, reach), y + h / 2 + rng.uniform(-reach, reach)]


def centre_from_unit_square(rng, box, shift, side):
    """From numbers between 0 and 1."""
    away = (2 * rng.random(2) - 1) * shift  # search pixels
    return np.array(box[:2]) + np.array(box[2:]) / 2 - away / (255 / side)


def centre_as_tensor(rng, box, shift, side):
    """As a tensor."""
    box = torch.as_tensor(box)
    away = torch.from_numpy(rng.uniform(-1, 1, size=2))
    return box[:2] + 0.5 * box[2:] + shift * side / 255 * away


def aggregated_in_double(answers, weights):
    """As one sum over a stack, in double precision."""
    factors = weights.double().softmax(0)
    stack = torch.stack([answer.double() for answer in answers])
    return torch.tensordot(factors, stack, 1)


def aggregated_by_hand(answers, weights):
    """With the softmax written out."""
    factors = (weights - weights.max()).exp()
    total = torch.zeros_like(answers[0])
    for factor, answer in zip(factors / factors.sum(), answers, strict=True):
        total = total + factor * answer
    return total


def aggregated_by_einsum(answers, weights):
    """With einsum."""
    return torch.einsum("l,l...->...", F.softmax(weights, dim=-1), torch.stack(list(answers)))


def label_as_list(box, centre, side):
    """Number by number, as a list."""
    x, y, w, h = map(float, box)
    cx, cy = map(float, centre)
    left, top = cx - side / 2, cy - side / 2  # of the square
    k = 255 / side
    return [(x - left) * k, (y - top) * k, w * k, h * k]


def label_in_torch(box, centre, side):
    """With torch, from corners."""
    box, centre = torch.as_tensor(np.array(box)), torch.as_tensor(np.array(centre))
    corners = torch.stack([box[:2], box[:2] + box[2:]])  # (2, 2)
    corners = (corners - centre) / side * 255 + 127.5
    return torch.cat([corners[0], corners[1] - corners[0]])


def label_by_window(box, centre, side):
    """With the course's crop."""
    return CropWindow(*centre, side, 255).box_to_crop(box)


RIGHT = {
    "match.count": [counts_as_array, counts_of_modules, counts_as_floats],
    "match.separable": [separable_in_double, separable_as_square, separable_padded_first],
    "match.mask": [masks_by_slices, masks_by_grid, masks_one_by_one],
    "match.broadcast": [repeated, broadcast_by_ones, interpolated],
    "match.depthwise": [depthwise_by_windows, depthwise_pair_by_pair, depthwise_in_frequency],
    "match.sampling": [centre_as_list, centre_from_unit_square, centre_as_tensor],
    "match.fault": [label_as_list, label_in_torch, label_by_window],
    "match.aggregate": [aggregated_in_double, aggregated_by_hand, aggregated_by_einsum],
}
RANDOM = {"match.sampling"}
