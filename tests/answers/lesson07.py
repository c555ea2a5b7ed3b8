"""Right answers of lesson 07 in other styles."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F


def boxes_as_list(scale, next_scale, ratios):
    """Box by box, a list of lists."""
    boxes = [[scale * math.sqrt(a), scale / math.sqrt(a)] for a in ratios]
    return [*boxes, [math.sqrt(scale * next_scale)] * 2]


def boxes_by_area(scale, next_scale, ratios):
    """From w·h = s² and w = a·h."""
    h = np.sqrt(scale**2 / np.array([*ratios, 1.0]))
    w = h * [*ratios, 1]
    w[-1] = h[-1] = (scale * next_scale) ** 0.5
    return np.column_stack([w, h])


def boxes_in_torch(scale, next_scale, ratios):
    """As a double tensor."""
    root = torch.tensor([float(a) for a in ratios], dtype=torch.float64).sqrt()
    square = torch.full((1, 2), math.sqrt(scale * next_scale), dtype=torch.float64)
    return torch.cat([torch.stack([scale * root, scale / root], 1), square])


def anchors_as_list(ratios):
    """A list of tuples."""
    return [(64 / r**0.5, 64 * r**0.5) for r in ratios]


def anchors_by_area(ratios):
    """From the area."""
    h = np.sqrt(64**2 * np.array(ratios))
    return np.stack([64**2 / h, h]).T


def anchors_in_torch(ratios):
    """As a tensor in single precision."""
    r = torch.tensor(ratios)
    return torch.stack([64 * r.rsqrt(), 64 * r.sqrt()], dim=-1)


def encode_as_list(boxes, anchors):
    """Row by row, a list."""
    rows = []
    for (x, y, w, h), (ax, ay, aw, ah) in zip(boxes, anchors, strict=True):
        dx, dy = (x + w / 2 - ax - aw / 2) / aw, (y + h / 2 - ay - ah / 2) / ah
        rows.append([dx, dy, math.log(w / aw), math.log(h / ah)])
    return rows


def encode_by_column(boxes, anchors):
    """Column by column, with a difference of logarithms."""
    x, y, w, h = boxes.T
    ax, ay, aw, ah = anchors.T
    dx = (x - ax) / aw + (w / aw - 1) / 2
    dy = (y - ay) / ah + (h / ah - 1) / 2
    return np.stack([dx, dy, np.log(w) - np.log(aw), np.log(h) - np.log(ah)], axis=-1)


def encode_in_place(boxes, anchors):
    """Filled in, half by half."""
    out = np.empty_like(boxes)
    size = anchors[:, 2:]
    out[:, :2] = (boxes[:, :2] + 0.5 * boxes[:, 2:] - anchors[:, :2] - 0.5 * size) / size
    np.log(boxes[:, 2:] / size, out=out[:, 2:])
    return out


def decode_as_list(offsets, anchors):
    """Row by row, a list."""
    rows = []
    for (dx, dy, dw, dh), (x, y, w, h) in zip(offsets, anchors, strict=True):
        new = w * math.exp(dw), h * math.exp(dh)
        rows.append([x + w / 2 + dx * w - new[0] / 2, y + h / 2 + dy * h - new[1] / 2, *new])
    return rows


def decode_by_column(offsets, anchors):
    """Column by column."""
    dx, dy, dw, dh = offsets.T
    x, y, w, h = anchors.T
    W, H = w * np.exp(dw), h * np.exp(dh)
    return np.array([x + dx * w + (w - W) / 2, y + dy * h + (h - H) / 2, W, H]).T


def decode_in_torch(offsets, anchors):
    """With torch."""
    o, a = torch.from_numpy(offsets), torch.from_numpy(anchors)
    size = (a[:, 2:].log() + o[:, 2:]).exp()
    return torch.hstack([a[:, :2] + a[:, 2:] * (0.5 + o[:, :2]) - size / 2, size])


def match_as_list(overlap, high, low):
    """With `.tolist()`."""
    return [[1 if v > high else 0 if v < low else -1 for v in row] for row in overlap.tolist()]


def match_in_numpy(overlap, high, low):
    """With NumPy."""
    overlap = overlap.numpy()
    return np.where(overlap > high, 1, np.where(overlap < low, 0, -1))


def match_by_sums(overlap, high, low):
    """With truth values."""
    between = (overlap >= low) & (overlap <= high)
    return (overlap > high).long() - between.long()


def draw_in_numpy(labels, draws):
    """Pair by pair, with NumPy."""
    labels, draws = labels.numpy(), draws.numpy()
    kept = np.full(labels.shape, -1)
    for b in range(len(labels)):
        for label, most in ((1, 16), (0, 48)):
            places = np.flatnonzero(labels[b] == label)
            kept[b, places[np.argsort(draws[b, places])[::-1][:most]]] = label
    return kept


def draw_by_rank(labels, draws):
    """By the rank among those of the same label."""
    kept = torch.full_like(labels, -1)
    for label, most in ((1, 16), (0, 48)):
        rank = torch.where(labels == label, -draws, 2).argsort(1).argsort(1)
        kept[(labels == label) & (rank < most)] = label
    return kept


def draw_by_threshold(labels, draws):
    """By the k-th highest number."""
    kept = labels.clone()
    for label, most in ((1, 16), (0, 48)):
        value = torch.where(labels == label, draws, -1.0)
        limit = value.sort(dim=1, descending=True).values[:, most - 1 : most]
        kept[(labels == label) & (value < limit)] = -1
    return kept


def mine_in_numpy(losses, labels):
    """Pair by pair, with NumPy."""
    losses, kept = losses.numpy(), labels.numpy().copy()
    for row, loss in zip(kept, losses, strict=True):
        count = max(10, 3 * int((row == 1).sum()))
        zeros = np.flatnonzero(row == 0)
        row[zeros[np.argsort(-loss[zeros])[count:]]] = -1
    return kept


def mine_by_topk(losses, labels):
    """Pair by pair, with topk."""
    rows = []
    for loss, label in zip(losses, labels, strict=True):
        count = min(max(10, 3 * int((label == 1).sum())), int((label == 0).sum()))
        new = torch.where(label == 0, -1, label)
        new[loss.masked_fill(label != 0, -1).topk(count).indices] = 0
        rows.append(new)
    return torch.stack(rows)


def mine_with_zeros(losses, labels):
    """Losses of the others set to 0: a cross-entropy is never below."""
    rank = (losses * (labels == 0)).argsort(dim=1, descending=True).argsort(dim=1)
    count = torch.maximum(3 * (labels == 1).sum(1, keepdim=True), torch.tensor(10))
    kept = labels.clone()
    kept[(labels == 0) & (rank >= count)] = -1
    return kept


def loss_by_selection(logits, offsets, labels, targets, weight):
    """With selected rows, in double precision."""
    logits, offsets, labels, targets = logits[0].double(), offsets[0], labels[0], targets[0]
    positive, negative = labels == 1, labels == 0
    loss = 0.5 * F.cross_entropy(logits[negative], labels[negative])
    if positive.any():
        loss = loss + 0.5 * F.cross_entropy(logits[positive], labels[positive])
        box = F.smooth_l1_loss(offsets[positive], targets[positive], reduction="sum")
        loss = loss + weight * box / positive.sum()
    return loss + 0 * offsets.sum()


def loss_by_hand(logits, offsets, labels, targets, weight):
    """Logarithms and smooth L1 written out."""
    log_p = logits.log_softmax(-1)
    d = (offsets - targets).abs()
    smooth = torch.where(d < 1, d**2 / 2, d - 0.5).sum(-1)

    def mean(values, chosen):
        return (values * chosen).sum() / max(int(chosen.sum()), 1)

    one, zero = labels == 1, labels == 0
    return (
        -mean(log_p[..., 1], one) / 2 - mean(log_p[..., 0], zero) / 2 + weight * mean(smooth, one)
    )


def loss_by_softplus(logits, offsets, labels, targets, weight):
    """With the difference of the two logits, and the Huber loss."""
    z = logits[..., 1] - logits[..., 0]
    one, zero = (labels == 1).float(), (labels == 0).float()
    huber = F.huber_loss(offsets, targets, reduction="none").sum(-1)
    count = one.sum().clamp(min=1)
    return (
        (F.softplus(-z) * one).sum() / count / 2
        + (F.softplus(z) * zero).sum() / zero.sum().clamp(min=1) / 2
        + weight * (huber * one).sum() / count
    )


def maps_by_pairs(kernels, x):
    """Pair by pair, in double precision."""
    pairs = zip(kernels.double(), x.double(), strict=True)
    return torch.stack([F.conv2d(one[None], k)[0] for k, one in pairs])


def maps_by_windows(kernels, x):
    """As products with unfolded windows."""
    h, w = kernels.shape[3:]
    windows = x.unfold(2, h, 1).unfold(3, w, 1)
    return torch.einsum("bnchw,bcijhw->bnij", kernels, windows)


def maps_by_shifts(kernels, x):
    """As a sum over the kernel's places."""
    h, w = kernels.shape[3:]
    H, W = x.shape[2] - h + 1, x.shape[3] - w + 1
    return sum(
        torch.einsum("bnc,bcyx->bnyx", kernels[..., i, j], x[:, :, i : i + H, j : j + W])
        for i in range(h)
        for j in range(w)
    )


def anchors_mended_as_list(sizes, cells, stride, search):
    """Cell by cell, nested lists."""
    first = search / 2 - stride * (cells - 1) / 2
    at = [first + stride * i for i in range(cells)]
    return [[[[x - w / 2, y - h / 2, w, h] for x in at] for y in at] for w, h in sizes.tolist()]


def anchors_mended_by_grid(sizes, cells, stride, search):
    """With a grid of centres from end to end."""
    reach = stride * (cells - 1) / 2
    at = np.linspace(-reach, reach, cells) + search / 2
    centres = np.stack(np.meshgrid(at, at), axis=-1)  # (cells, cells, 2)
    corners = centres[None] - sizes[:, None, None] / 2
    return np.concatenate([corners, np.broadcast_to(sizes[:, None, None], corners.shape)], -1)


def anchors_mended_by_mean(sizes, cells, stride, search):
    """Numbers of the cells less their mean, in torch."""
    at = torch.arange(cells, dtype=torch.float64) * stride
    at = at - at.mean() + search / 2
    w, h = torch.from_numpy(sizes)[:, :, None, None].unbind(1)  # (K, 1, 1) each
    parts = at[None, None] - w / 2, at[None, :, None] - h / 2, w, h
    return torch.stack(torch.broadcast_tensors(*parts), -1)


RIGHT = {
    "anchors.default_boxes": [boxes_as_list, boxes_by_area, boxes_in_torch],
    "anchors.siamrpn": [anchors_as_list, anchors_by_area, anchors_in_torch],
    "anchors.encode": [encode_as_list, encode_by_column, encode_in_place],
    "anchors.decode": [decode_as_list, decode_by_column, decode_in_torch],
    "anchors.match": [match_as_list, match_in_numpy, match_by_sums],
    "anchors.draw": [draw_in_numpy, draw_by_rank, draw_by_threshold],
    "anchors.mine": [mine_in_numpy, mine_by_topk, mine_with_zeros],
    "anchors.loss": [loss_by_selection, loss_by_hand, loss_by_softplus],
    "anchors.upchannel": [maps_by_pairs, maps_by_windows, maps_by_shifts],
    "anchors.fault": [anchors_mended_as_list, anchors_mended_by_grid, anchors_mended_by_mean],
}
RANDOM: set[str] = set()
