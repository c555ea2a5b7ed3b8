"""Right answers of lesson 14 in other styles."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import generalized_box_iou_loss

from course_lib.models.centre_losses import radius_of


def tokens_as_list(z, x, place_z, place_x):
    """Cell by cell, a list for a tuple, in double precision."""
    both = []
    for features, place in ((z.double(), place_z), (x.double(), place_x)):
        n = features.shape[-1]
        cells = [features[:, :, i, j] for i in range(n) for j in range(n)]
        both.append(torch.stack([c + place[0, k] for k, c in enumerate(cells)], dim=1))
    return both


def tokens_by_permute(z, x, place_z, place_x):
    """Axes exchanged first."""
    return tuple(
        f.permute(0, 2, 3, 1).reshape(f.shape[0], -1, f.shape[1]) + p
        for f, p in ((z, place_z), (x, place_x))
    )


def tokens_of_placed_maps(z, x, place_z, place_x):
    """Codes added to the maps."""
    made = []
    for f, p in ((z, place_z), (x, place_x)):
        code = p.transpose(1, 2).unflatten(2, f.shape[2:])  # (1, C, n, n)
        made.append(torch.einsum("bcn->bnc", (f + code).flatten(2)))
    return made[0], made[1]


def attention_in_loops(q, k, v, heads):
    """Head by head and query by query, in double precision, a list."""
    d = q.shape[2] // heads
    mixed, weights = [], []
    for h in range(heads):
        a, b, c = (t[..., h * d : (h + 1) * d].double() for t in (q, k, v))
        rows = [F.softmax((b * a[:, i : i + 1]).sum(-1) / d**0.5, dim=1) for i in range(a.shape[1])]
        weights.append(torch.stack(rows, 1))  # (B, N, M)
        mixed.append(torch.stack([(row[..., None] * c).sum(1) for row in rows], 1))
    return [torch.cat(mixed, -1), torch.stack(weights, 1)]


def attention_by_einsum(q, k, v, heads):
    """One einsum for each product, the exponentials by hand."""
    B, N, C = q.shape
    q, k, v = (t.view(B, -1, heads, C // heads) for t in (q, k, v))
    scores = torch.einsum("bnhd,bmhd->bhnm", q, k) / math.sqrt(C // heads)
    e = torch.exp(scores - scores.amax(-1, keepdim=True).detach())
    weights = e / e.sum(-1, keepdim=True)
    return torch.einsum("bhnm,bmhd->bnhd", weights, v).reshape(B, N, C), weights


def attention_by_chunks(q, k, v, heads):
    """PyTorch's own for the mixture, queries divided first for the weights."""
    split = lambda t: torch.stack(t.chunk(heads, dim=2), dim=1)  # noqa: E731
    q, k, v = split(q), split(k), split(v)
    weights = torch.softmax((q / q.size(-1) ** 0.5) @ k.mT, dim=-1)
    mixed = F.scaled_dot_product_attention(q, k, v)
    return torch.cat(mixed.unbind(1), dim=-1), weights


def block_as_list(layers, z, x):
    """PyTorch's own attention, a list."""
    t = torch.cat((z, x), dim=1)
    B, N, C = t.shape
    q, k, v = layers.qkv(layers.norm1(t)).view(B, N, 3, layers.heads, -1).permute(2, 0, 3, 1, 4)
    t = t + layers.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, N, C))
    t = t + layers.mlp(layers.norm2(t))
    return list(t.split([z.shape[1], x.shape[1]], dim=1))


def block_by_images(layers, z, x):
    """Norms and queries image by image, keys and values joined."""
    rows = [layers.qkv(layers.norm1(t)).chunk(3, -1) for t in (z, x)]
    k, v = (torch.cat([rows[0][i], rows[1][i]], 1) for i in (1, 2))
    out = []
    for t, (q, _, _) in zip((z, x), rows, strict=True):
        t = t + layers.proj(attention_by_einsum(q, k, v, layers.heads)[0])
        out.append(t + layers.mlp(layers.norm2(t)))
    return tuple(out)


def block_search_first(layers, z, x):
    """Joined the other way round."""
    t = torch.cat([x, z], 1)
    n, C = x.shape[1], x.shape[2]
    rows = layers.qkv(layers.norm1(t))
    mixed = attention_by_chunks(
        rows[..., :C], rows[..., C : 2 * C], rows[..., 2 * C :], layers.heads
    )
    added = layers.proj(mixed[0]) + t
    t = layers.mlp(layers.norm2(added)) + added
    return t[:, n:], t[:, :n]


def cache_as_list(layers, z):
    """A lambda, a list for a tuple."""
    q, k, v = layers.qkv(layers.norm1(z)).chunk(3, dim=-1)
    end = lambda t, m: (t + layers.proj(m)) + layers.mlp(layers.norm2(t + layers.proj(m)))  # noqa: E731
    heads = layers.heads

    def ask(x):
        own = layers.qkv(layers.norm1(x)).chunk(3, dim=-1)
        keys = torch.cat([own[1], k.repeat(len(x), 1, 1)], 1)  # the order of keys does not matter
        values = torch.cat([own[2], v.repeat(len(x), 1, 1)], 1)
        return end(x, attention_by_einsum(own[0], keys, values, heads)[0])

    return [end(z, attention_by_einsum(q, k, v, heads)[0]), ask]


class Kept(nn.Module):
    """The template's keys and values, in heads."""

    def __init__(self, layers, k, v):
        super().__init__()
        self.layers, self.k, self.v = layers, k, v

    def forward(self, x):
        """The search image's tokens after the block."""
        s = self.layers
        q, k, v = in_heads(s, x)
        k, v = (
            torch.cat([kept.expand(len(x), *kept.shape[1:]), own], dim=2)
            for kept, own in ((self.k, k), (self.v, v))
        )
        mixed = F.scaled_dot_product_attention(q, k, v)
        x = x + s.proj(mixed.transpose(1, 2).flatten(2))
        return x + s.mlp(s.norm2(x))


def in_heads(layers, t):
    """Queries, keys and values (B, H, N, d)."""
    return (
        layers.qkv(layers.norm1(t))
        .unflatten(2, (3, layers.heads, -1))
        .permute(2, 0, 3, 1, 4)
        .unbind()
    )


def cache_as_module(layers, z):
    """What is kept in a module."""
    q, k, v = in_heads(layers, z)
    after = z + layers.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
    return after + layers.mlp(layers.norm2(after)), Kept(layers, k, v)


def cache_image_by_image(layers, z):
    """Each search image of a batch by itself."""
    kept = layers.qkv(layers.norm1(z))
    C = z.shape[-1]

    def one(t, rows):
        mixed = attention_by_chunks(
            layers.qkv(layers.norm1(t))[..., :C],
            rows[..., C : 2 * C],
            rows[..., 2 * C :],
            layers.heads,
        )[0]
        t = t + layers.proj(mixed)
        return t + layers.mlp(layers.norm2(t))

    def ask(x):
        return torch.cat(
            [one(t, torch.cat([kept, layers.qkv(layers.norm1(t))], 1)) for t in x.split(1)]
        )

    q, k, v = kept.chunk(3, -1)
    after = z + layers.proj(attention_in_loops(q, k, v, layers.heads)[0].to(z))
    return after + layers.mlp(layers.norm2(after)), ask


def heat_as_lists(boxes, n):
    """Plain numbers, cell by cell."""
    heats, offsets = [], []
    for x, y, w, h in boxes.tolist():
        cx, cy = n * (x + w / 2), n * (y + h / 2)
        column, row = (min(max(round(c), 0), n - 1) for c in (cx, cy))
        r = max(0, math.floor(float(radius_of(torch.tensor([n * w, n * h])))))
        s = (2 * r + 1) / 6
        heats.append(
            [
                [
                    math.exp(-((i - row) ** 2 + (j - column) ** 2) / (2 * s * s))
                    if max(abs(i - row), abs(j - column)) <= r
                    else 0.0
                    for j in range(n)
                ]
                for i in range(n)
            ]
        )
        offsets.append([cx - column, cy - row])
    return [heats, offsets]


def heat_by_numpy(boxes, n):
    """NumPy, a window laid into an array of zeros."""
    radii = np.floor(radius_of(boxes[:, 2:] * n).numpy()).astype(int).clip(0)
    b = boxes.numpy()
    exact = (b[:, :2] + b[:, 2:] / 2) * n
    cells = np.rint(exact).astype(int).clip(0, n - 1)
    heat = np.zeros((len(b), n, n), np.float32)
    for k, ((column, row), r) in enumerate(zip(cells, radii, strict=True)):
        for i in range(max(row - r, 0), min(row + r, n - 1) + 1):
            for j in range(max(column - r, 0), min(column + r, n - 1) + 1):
                d = (i - row) ** 2 + (j - column) ** 2
                heat[k, i, j] = np.exp(-d / 2 / ((2 * r + 1) / 6) ** 2)
    return heat, exact - cells


def heat_by_outer_product(boxes, n):
    """A line along each axis, and their product."""
    exact = n * (boxes[:, :2] + 0.5 * boxes[:, 2:])
    cells = torch.clamp(torch.round(exact), min=0, max=n - 1)
    r = torch.floor(radius_of(n * boxes[:, 2:]))
    d = torch.arange(n).float()[None, None] - cells[..., None]  # (B, 2, n)
    sigma = ((2 * r + 1) / 6)[:, None, None]
    line = torch.exp(-0.5 * (d / sigma) ** 2).masked_fill(d.abs() > r[:, None, None], 0.0)
    return torch.einsum("bi,bj->bij", line[:, 1], line[:, 0]), exact - cells


def focal_in_double(score, heat):
    """Double precision, cell by cell of both kinds."""
    p, h = score.double(), heat.double()
    right = h == 1
    hit = ((1 - p[right]) ** 2 * torch.log(p[right])).sum()
    miss = ((1 - h[~right]) ** 4 * p[~right] ** 2 * torch.log(1 - p[~right])).sum()
    return -(hit + miss) / max(int(right.sum()), 1)


def focal_as_published(score, heat):
    """The public code's form: two weights, and a case for no centre."""
    right, other = heat.eq(1).float(), heat.lt(1).float()
    hits = (torch.log(score) * torch.pow(1 - score, 2) * right).sum()
    misses = torch.log(1 - score) * torch.pow(score, 2) * torch.pow(1 - heat, 4) * other
    count = right.sum()
    if count == 0:
        return -misses.sum()
    return -(hits + misses.sum()) / count


def focal_by_images(score, heat):
    """Image by image."""
    total, count = 0.0 * score.sum(), 0
    for p, h in zip(score, heat, strict=True):
        right = h >= 1
        count += int(right.sum())
        total = total - torch.where(right, (1 - p) ** 2 * p.log(), 0 * p).sum()
        total = total - (~right * (1 - h) ** 4 * p**2 * torch.log1p(-p)).sum()
    return total / max(count, 1)


def box_in_double(score, boxes, wanted, positive):
    """Double precision, and torchvision's losses."""
    B, n, _ = score.shape
    best = score.double().reshape(B, -1).max(1).indices
    found = boxes.double().reshape(B, n * n, 4)[range(B), best]
    a, b = (torch.stack([x, y, x + w, y + h], 1) for x, y, w, h in (found.T, wanted.double().T))
    costs = 2 * generalized_box_iou_loss(a, b) + 5 * F.l1_loss(a, b, reduction="none").mean(1)
    return costs[positive].sum() / max(int(positive.sum()), 1)


def box_by_images(score, boxes, wanted, positive):
    """Image by image, with Python's own comparisons."""
    costs = []
    for s, own, (x, y, w, h), counts in zip(score, boxes, wanted, positive, strict=True):
        if not counts:
            continue
        row, column = divmod(int(s.argmax()), s.shape[1])
        u, v, a, b = own[row, column]
        across = torch.minimum(u + a, x + w) - torch.maximum(u, x)
        down = torch.minimum(v + b, y + h) - torch.maximum(v, y)
        shared = across * down if across > 0 and down > 0 else 0.0 * a
        union = a * b + w * h - shared
        wide = torch.maximum(u + a, x + w) - torch.minimum(u, x)
        high = torch.maximum(v + b, y + h) - torch.minimum(v, y)
        giou = shared / union - 1 + union / (wide * high)
        edges = (u - x).abs() + (v - y).abs() + (u + a - x - w).abs() + (v + b - y - h).abs()
        costs.append(2 - 2 * giou + 1.25 * edges)
    return torch.stack(costs).mean() if costs else 0.0 * boxes.sum()


def box_by_gather(score, boxes, wanted, positive):
    """gather, and only the positive images from the start."""
    score, boxes, wanted = score[positive], boxes[positive], wanted[positive]
    at = score.flatten(1).argmax(1)[:, None, None].expand(-1, 1, 4)
    found = boxes.flatten(1, 2).gather(1, at)[:, 0]
    (x, y, w, h), (u, v, a, b) = found.unbind(1), wanted.unbind(1)
    left, right = torch.stack([x, u]), torch.stack([x + w, u + a])  # (2, P)
    top, bottom = torch.stack([y, v]), torch.stack([y + h, v + b])
    shared = (right.amin(0) - left.amax(0)).relu() * (bottom.amin(0) - top.amax(0)).relu()
    around = (right.amax(0) - left.amin(0)) * (bottom.amax(0) - top.amin(0))
    union = w * h + a * b - shared
    distances = sum(abs(line[0] - line[1]) for line in (left, right, top, bottom))
    costs = 2 * (2 - shared / union - union / around) + 5 * distances / 4
    return costs.sum() / max(len(costs), 1)


def box_or_plain_zero(score, boxes, wanted, positive):
    """torchvision's loss image by image, and a plain 0 where no image shows its target."""
    costs = []
    for own, cells, true in zip(score[positive], boxes[positive], wanted[positive], strict=True):
        row, column = divmod(int(own.argmax()), own.shape[1])
        a, b = (torch.cat([t[:2], t[:2] + t[2:]]) for t in (cells[row, column], true))
        costs.append(2 * generalized_box_iou_loss(a, b) + 5 * F.l1_loss(a, b))
    return sum(costs) / len(costs) if costs else torch.tensor(0.0)


def decoded_as_lists(maps):
    """Lists, and the cosine by hand."""
    n = maps.shape[-1]
    line = [0.5 - 0.5 * math.cos(2 * math.pi * (k + 1) / (n + 1)) for k in range(n)]
    best = max((float(maps[0, i, j]) * line[i] * line[j], i, j) for i in range(n) for j in range(n))
    score, w, h, dx, dy = maps[:, best[1], best[2]].tolist()
    x, y = (best[2] + dx) / n, (best[1] + dy) / n
    return [[x - 0.5 * w, y - 0.5 * h, w, h], score]


def decoded_in_torch(maps):
    """Tensors, PyTorch's window, and all boxes before one is chosen."""
    score, w, h, dx, dy = torch.from_numpy(maps)
    n = len(score)
    line = torch.hann_window(n + 2, periodic=False)[1:-1]
    y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    boxes = torch.stack([(x + dx) / n - w / 2, (y + dy) / n - h / 2, w, h], -1)
    at = (score * line * line[:, None]).flatten().argmax()
    return boxes.flatten(0, 1)[at], score.flatten()[at]


def decoded_by_sines(maps):
    """Sines squared are a Hann window too; NumPy's where."""
    n = maps.shape[1]
    line = np.sin(np.pi * np.arange(1, n + 1) / (n + 1)) ** 2
    ranked = np.einsum("ij,i,j->ij", maps[0], line, line)
    row, column = (int(found[0]) for found in np.where(ranked == ranked.max()))
    size = maps[1:3, row, column].astype(float)
    centre = (np.array([column, row]) + maps[3:, row, column]) / n
    return np.concatenate([centre - size / 2, size]), float(maps[0, row, column])


def boxes_in_loops(maps):
    """Cell by cell, in double precision."""
    images = []
    n = maps.shape[-1]
    for _, w, h, dx, dy in maps.double():
        rows = [
            [
                torch.stack(
                    [
                        (j + dx[i, j]) / n - w[i, j] / 2,
                        (i + dy[i, j]) / n - h[i, j] / 2,
                        w[i, j],
                        h[i, j],
                    ]
                )
                for j in range(n)
            ]
            for i in range(n)
        ]
        images.append(torch.stack([torch.stack(row) for row in rows]))
    return torch.stack(images)


def boxes_by_meshgrid(maps):
    """Both axes at once, in double precision."""
    n = maps.shape[-1]
    at = torch.stack(torch.meshgrid(torch.arange(n), torch.arange(n), indexing="xy"))  # (2, n, n)
    size = maps[:, 1:3].double()
    return torch.cat([(at + maps[:, 3:]) / n - size / 2, size], 1).movedim(1, -1)


def boxes_in_flat(maps):
    """Cells numbered row by row."""
    n = maps.shape[-1]
    _, w, h, dx, dy = maps.flatten(2).unbind(1)  # (B, n²) each
    number = torch.arange(n * n)
    x, y = (number % n + dx) / n, (number // n + dy) / n
    return torch.stack([x - 0.5 * w, y - 0.5 * h, w, h], 2).unflatten(1, (n, n))


RIGHT = {
    "stream.tokens": [tokens_as_list, tokens_by_permute, tokens_of_placed_maps],
    "stream.attention": [attention_in_loops, attention_by_einsum, attention_by_chunks],
    "stream.block": [block_as_list, block_by_images, block_search_first],
    "stream.cache": [cache_as_list, cache_as_module, cache_image_by_image],
    "stream.heat": [heat_as_lists, heat_by_numpy, heat_by_outer_product],
    "stream.focal": [focal_in_double, focal_as_published, focal_by_images],
    "stream.box": [box_in_double, box_by_images, box_by_gather, box_or_plain_zero],
    "stream.decode": [decoded_as_lists, decoded_in_torch, decoded_by_sines],
    "stream.fault": [boxes_in_loops, boxes_by_meshgrid, boxes_in_flat],
}
RANDOM: set[str] = set()
