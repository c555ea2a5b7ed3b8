"""Right answers of lesson 04 in other styles."""

from __future__ import annotations

import math
from collections import OrderedDict
from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def side_as_tensor(box):
    """In PyTorch."""
    w, h = torch.as_tensor(box, dtype=torch.float64)[2:]
    p = (w + h) / 2
    return torch.sqrt((w + p) * (h + p))


def side_expanded(box):
    """Multiplied out: (1.5 w + 0.5 h)(0.5 w + 1.5 h)."""
    _, _, w, h = (float(v) for v in box)
    return math.sqrt((1.5 * w + 0.5 * h) * (0.5 * w + 1.5 * h))


def side_by_margins(box):
    """A quarter of the sum on each of the four sides."""
    margin = box[2:].sum() / 4
    return np.prod(box[2:] + 2 * margin) ** 0.5


def crop_as_list(cx, cy, side, size):
    """As nested lists."""
    step = side / size
    return [
        [step, 0, (step - side) / 2 + cx - 0.5],
        [0, step, (step - side) / 2 + cy - 0.5],
    ]


def crop_by_inverse(cx, cy, side, size):
    """The inverse of the map from the frame to the crop, in homogeneous coordinates."""
    scale = size / side
    there = [
        [scale, 0, (0.5 - cx + side / 2) * scale - 0.5],
        [0, scale, (0.5 - cy + side / 2) * scale - 0.5],
        [0, 0, 1],
    ]
    return np.linalg.inv(there)[:2]


def crop_in_torch(cx, cy, side, size):
    """From the centre: the crop's centre is the square's."""
    step, centre = side / size, (size - 1) / 2
    rows = [[step, 0, cx - 0.5 - step * centre], [0, step, cy - 0.5 - step * centre]]
    return torch.tensor(rows, dtype=torch.float64)


def size_as_array(size, kernel, stride=1, padding=0):
    """With NumPy's floor."""
    return np.floor((size + 2 * padding - kernel) / stride) + 1


def size_by_counting(size, kernel, stride=1, padding=0):
    """The first positions of all windows that fit."""
    return len(range(0, size + 2 * padding - kernel + 1, stride))


def size_of_dilated(size, kernel, stride=1, padding=0):
    """As PyTorch's documentation has it."""
    return math.floor((size + 2 * padding - 1 * (kernel - 1) - 1) / stride + 1)


def field_as_array(layers):
    """With NumPy, as an array."""
    kernels, strides = np.array(layers).T
    jumps = np.concatenate([[1], np.cumprod(strides)])
    return np.array([1 + ((kernels - 1) * jumps[:-1]).sum(), jumps[-1]])


def field_from_the_end(layers):
    """From the last layer back to the first."""
    field, jump = 1, 1
    for kernel, stride in reversed(layers):
        field, jump = (field - 1) * stride + kernel, jump * stride
    return [field, jump]


def field_recursive(layers):
    """Layer by layer, recursively."""
    if not layers:
        return 1, 1
    field, jump = field_recursive(layers[:-1])
    kernel, stride = layers[-1]
    return field + (kernel - 1) * jump, jump * stride


class Functional(nn.Module):
    """Pooling and ReLU as functions; other names, made in another order."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(c) for c in (96, 256, 384, 384)])
        self.last = nn.Conv2d(384, 256, 3, groups=2)
        self.first = nn.Conv2d(3, 96, kernel_size=(11, 11), stride=(2, 2))
        self.second = nn.Conv2d(96, 256, 5, groups=2, padding="valid")
        self.third, self.fourth = nn.Conv2d(256, 384, 3), nn.Conv2d(384, 384, 3, groups=2)

    def forward(self, image):
        """Features of images."""
        x = F.max_pool2d(F.relu(self.norms[0](self.first(image))), 3, 2)
        x = F.relu(F.max_pool2d(self.norms[1](self.second(x)), 3, stride=2))
        x = self.norms[2](self.third(x)).clamp(min=0)
        return self.last(torch.relu(self.norms[3](self.fourth(x))))


def alexnet_functional():
    """A class of its own, in evaluation mode."""
    return Functional().eval()


def _block(inputs, outputs, kernel, stride=1, groups=1):
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, 0, 1, groups)
    return [convolution, nn.BatchNorm2d(outputs, eps=1e-6, momentum=0.05), nn.ReLU(inplace=True)]


def alexnet_in_blocks():
    """Nested blocks, as in public code."""
    return nn.Sequential(
        nn.Sequential(*_block(3, 96, 11, 2), nn.MaxPool2d(3, 2)),
        nn.Sequential(*_block(96, 256, 5, groups=2), nn.MaxPool2d(3, 2)),
        nn.Sequential(*_block(256, 384, 3)),
        nn.Sequential(*_block(384, 384, 3, groups=2)),
        nn.Conv2d(384, 256, 3, groups=2),
    )


def alexnet_lazy():
    """Layers that find out their inputs' channels."""
    layers = OrderedDict(conv1=nn.LazyConv2d(96, 11, 2), bn1=nn.LazyBatchNorm2d())
    layers |= {"relu1": nn.ReLU(), "pool1": nn.MaxPool2d(3, 2, ceil_mode=False)}
    layers |= {"conv2": nn.LazyConv2d(256, 5, groups=2), "bn2": nn.LazyBatchNorm2d()}
    layers |= {"relu2": nn.ReLU(), "pool2": nn.MaxPool2d(3, 2), "conv3": nn.LazyConv2d(384, 3)}
    layers |= {"bn3": nn.LazyBatchNorm2d(), "relu3": nn.ReLU()}
    layers |= {"conv4": nn.LazyConv2d(384, 3, groups=2), "bn4": nn.LazyBatchNorm2d()}
    layers |= {"relu4": nn.ReLU(), "conv5": nn.LazyConv2d(256, 3, groups=2)}
    return nn.Sequential(layers)


def correlate_in_double(z, x):
    """Pair by pair, in double precision."""
    pairs = zip(z.double(), x.double(), strict=True)
    return torch.cat([F.conv2d(b[None], a[None])[0] for a, b in pairs])


def correlate_by_windows(z, x):
    """Every window of x at once."""
    h, w = z.shape[2:]
    windows = x.unfold(2, h, 1).unfold(3, w, 1)  # (B, C, H', W', h, w)
    return torch.einsum("bchw,bcijhw->bij", z, windows)


def correlate_by_unfold(z, x):
    """As a matrix product with the columns of F.unfold."""
    B, _, h, w = z.shape
    columns = F.unfold(x, (h, w))  # (B, C·h·w, H'·W')
    product = torch.bmm(z.reshape(B, 1, -1), columns)  # (B, 1, H'·W')
    return product.reshape(B, x.shape[2] - h + 1, x.shape[3] - w + 1)


def labels_as_array(size, stride, radius):
    """In NumPy."""
    offset = (np.arange(size) - size // 2) * stride
    dy, dx = np.meshgrid(offset, offset, indexing="ij")
    return np.where(dx**2 + dy**2 <= radius**2, 1.0, -1.0)


def labels_as_list(size, stride, radius):
    """Cell by cell, as a list of lists of whole numbers."""
    c = size // 2
    cells = range(size)
    return [
        [1 if stride * math.dist((i, j), (c, c)) <= radius else -1 for j in cells] for i in cells
    ]


def labels_from_mask(size, stride, radius):
    """From a mask; whole numbers."""
    places = torch.stack(torch.meshgrid(*[torch.arange(size)] * 2, indexing="ij"), -1).float()
    near = (places - size // 2).norm(dim=-1) * stride <= radius
    return 2 * near.long() - 1


def loss_in_double(response, labels):
    """In double precision, by F.logsigmoid."""
    v, y = response.double(), labels.double()
    costs = -F.logsigmoid(y * v)
    n = (labels > 0).sum((1, 2)).double()
    rest = labels[0].numel() - n
    high = (costs * (y > 0)).sum((1, 2)) / n
    low = (costs * (y < 0)).sum((1, 2)) / rest
    return (high + low).mean() / 2


def loss_by_bce(response, labels):
    """Binary cross-entropy of labels 0 and 1 with weights."""
    positive = (labels + 1) / 2
    count = positive.sum((-2, -1), keepdim=True)
    rest = labels.shape[-1] * labels.shape[-2] - count
    weights = torch.where(labels > 0, 0.5 / count, 0.5 / rest)
    summed = F.binary_cross_entropy_with_logits(response, positive, weights, reduction="sum")
    return summed / len(response)


def loss_pair_by_pair(response, labels):
    """Means of the two classes, in a loop."""
    total = 0
    for v, y in zip(response, labels, strict=True):
        costs = torch.logaddexp(torch.zeros_like(v), -y * v)
        total = total + 0.5 * (costs[y > 0].mean() + costs[y < 0].mean())
    return total / len(response)


def embed_a_copy(network, images):
    """With a copy of the network."""
    with torch.inference_mode():
        return deepcopy(network).eval()(images)


@torch.no_grad()
def embed_with_modes(network, images):
    """Every module gets its own mode back, whatever happens."""
    modes = {module: module.training for module in network.modules()}
    try:
        return network.eval()(images)
    finally:
        for module, mode in modes.items():
            module.training = mode


def embed_norms_only(network, images):
    """Only batch norms are switched."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d) and m.training]
    for norm in norms:
        norm.eval()
    features = network(images).detach()
    for norm in norms:
        norm.train()
    return features


RIGHT = {
    "siamfc.side": [side_as_tensor, side_expanded, side_by_margins],
    "siamfc.crop": [crop_as_list, crop_by_inverse, crop_in_torch],
    "siamfc.output": [size_as_array, size_by_counting, size_of_dilated],
    "siamfc.field": [field_as_array, field_from_the_end, field_recursive],
    "siamfc.alexnet": [alexnet_functional, alexnet_in_blocks, alexnet_lazy],
    "siamfc.correlate": [correlate_in_double, correlate_by_windows, correlate_by_unfold],
    "siamfc.labels": [labels_as_array, labels_as_list, labels_from_mask],
    "siamfc.loss": [loss_in_double, loss_by_bce, loss_pair_by_pair],
    "siamfc.fault": [embed_a_copy, embed_with_modes, embed_norms_only],
}
RANDOM: set[str] = set()
