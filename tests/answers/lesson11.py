"""Right answers of lesson 11 in other styles."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.ops import roi_align


def cosine_by_unfold(z, x):
    """Windows as columns."""
    b, _, h, w = z.shape
    windows = F.unfold(x, (h, w))  # (B, C·h·w, H'·W')
    products = (z.reshape(b, -1, 1) * windows).sum(1)
    lengths = z.flatten(1).norm(dim=1, keepdim=True) * windows.norm(dim=1)
    return (products / lengths.clamp_min(1e-6)).view(b, x.shape[2] - h + 1, x.shape[3] - w + 1)


def cosine_in_loops(z, x):
    """One window at a time, in double precision."""
    b, _, h, w = z.shape
    z, x = z.double(), x.double()
    rows = [
        torch.stack(
            [
                F.cosine_similarity(
                    z.flatten(1), x[:, :, i : i + h, j : j + w].flatten(1), dim=1, eps=1e-6
                )
                for j in range(x.shape[3] - w + 1)
            ],
            dim=1,
        )
        for i in range(x.shape[2] - h + 1)
    ]
    return torch.stack(rows, dim=1).view(b, len(rows), -1)


def cosine_by_convolution(z, x):
    """Grouped convolution of a normalised exemplar."""
    z = z / z.flatten(1).norm(dim=1).clamp_min(1e-6)[:, None, None, None]
    products = torch.cat([F.conv2d(a[None], k[None]) for a, k in zip(x, z, strict=True)])[:, 0]
    squares = F.conv2d((x * x).sum(1, keepdim=True), torch.ones(1, 1, *z.shape[2:]))[:, 0]
    return products / squares.clamp_min(1e-10).sqrt()


def ring_in_loops(size, stride, radius, ring):
    """Whole numbers, cell by cell."""
    centre = (size - 1) / 2
    labels = np.empty((size, size), dtype=int)
    for i in range(size):
        for j in range(size):
            d = stride * math.dist((i, j), (centre, centre))
            labels[i, j] = 1 if d <= radius else 0 if d <= ring else -1
    return labels


def ring_by_where(size, stride, radius, ring):
    """Nested where."""
    at = stride * (torch.arange(size) - (size - 1) / 2)
    far = (at[:, None] ** 2 + at[None] ** 2).sqrt()
    return torch.where(far <= radius, 1, torch.where(far <= ring, 0, -1))


def ring_by_sum(size, stride, radius, ring):
    """Two discs, added."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    far = torch.hypot(y - (size - 1) / 2, x - (size - 1) / 2) * stride
    return -1.0 + (far <= ring).float() + (far <= radius).float()


def logistic_by_logs(cosines, labels, b, scale, margin):
    """log1p in double precision."""
    c = cosines.double()
    halves = []
    for sign in (1, -1):
        t = scale * (margin - sign * (c[labels == sign] - b))
        cells = t.clamp_min(0) + torch.log1p(torch.exp(-t.abs()))
        halves.append(cells.mean() if len(cells) else c.sum() * 0)
    return 0.5 * (halves[0] + halves[1])


def logistic_by_bce(cosines, labels, b, scale, margin):
    """PyTorch's own loss with weights."""
    logits = scale * (cosines - b - margin * labels)
    weight = torch.zeros_like(cosines)
    for sign in (1, -1):
        if (labels == sign).any():
            weight[labels == sign] = 0.5 / (labels == sign).sum()
    cells = F.binary_cross_entropy_with_logits(logits, (labels > 0).float(), reduction="none")
    return (weight * cells).sum()


def logistic_by_sigmoid(cosines, labels, b, scale, margin):
    """−log σ of each side."""
    right, wrong = cosines[labels > 0], cosines[labels < 0]
    loss = -F.logsigmoid(-scale * (wrong - b + margin)).mean() / 2
    return (
        loss if right.numel() == 0 else loss - F.logsigmoid(scale * (right - b - margin)).mean() / 2
    )


def arc_by_angle(cosines, margin):
    """By the angle itself."""
    angle = torch.acos(cosines.clamp(-1 + 1e-6, 1 - 1e-6))
    return torch.where(
        angle + margin < math.pi, torch.cos(angle + margin), cosines - margin * math.sin(margin)
    )


def arc_in_double(cosines, margin):
    """In double precision."""
    c = cosines.double()
    s = torch.sqrt(torch.clamp(1 - c**2, min=1e-12))
    m = torch.tensor(margin, dtype=torch.float64)
    return torch.where(c > -m.cos(), c * m.cos() - s * m.sin(), c - m * m.sin())


def arc_by_mask(cosines, margin):
    """With a mask as a factor."""
    sines = ((1 - cosines) * (1 + cosines)).clamp_min(1e-7).sqrt()
    early = (cosines > -math.cos(margin)).float()
    added = cosines * math.cos(margin) - sines * math.sin(margin)
    return early * added + (1 - early) * (cosines - margin * math.sin(margin))


def softmax_by_cross_entropy(cosines, labels, b, scale, margin):
    """PyTorch's cross-entropy, one row for each target cell."""
    rivals = scale * cosines[labels < 0]
    nowhere = torch.tensor([scale * b])
    if not (labels > 0).any():
        logits = torch.cat([nowhere - scale * margin, rivals])
        return F.cross_entropy(logits[None], torch.tensor([0]))
    rows = [torch.cat([scale * (c - margin)[None], nowhere, rivals]) for c in cosines[labels > 0]]
    return F.cross_entropy(torch.stack(rows), torch.zeros(len(rows), dtype=torch.long))


def softmax_in_double(cosines, labels, b, scale, margin):
    """In double precision, by log-sum-exp."""
    c = cosines.double()
    wrong = scale * c[labels == -1]
    if (labels == 1).sum() == 0:
        own = torch.tensor([scale * (b - margin)], dtype=torch.float64)
        return torch.logsumexp(torch.cat([own, wrong]), 0) - own[0]
    loss = 0
    for p in c[labels == 1]:
        own = scale * (p - margin)
        others = torch.cat([wrong, torch.tensor([scale * b], dtype=torch.float64), own[None]])
        loss = loss + torch.logsumexp(others, 0) - own
    return loss / (labels == 1).sum()


def softmax_by_log_softmax(cosines, labels, b, scale, margin):
    """log_softmax over a column of classes."""
    rivals = torch.cat([cosines[labels < 0], torch.full((1,), float(b))])
    targets = cosines[labels > 0] - margin
    if len(targets) == 0:
        rivals = rivals - margin * (torch.arange(len(rivals)) == len(rivals) - 1)
        return -F.log_softmax(scale * rivals, 0)[-1]
    columns = torch.cat([targets[None], rivals[:, None].expand(-1, len(targets))])
    return -F.log_softmax(scale * columns, 0)[0].mean()


def mended_by_labels(cosines, place, stride, b, scale, margin):
    """Labels first, in double precision."""
    n, c = len(cosines), cosines.double()
    rows, columns = np.mgrid[:n, :n]
    away = np.hypot(columns - float(place[0]), rows - float(place[1])) * stride
    labels = torch.from_numpy(np.where(away <= 8, 1, np.where(away <= 32, 0, -1)))
    return softmax_in_double(c, labels, b, scale, margin)


def mended_by_infinity(cosines, place, stride, b, scale, margin):
    """Cells that do not count have a logit of minus infinity."""
    n = cosines.shape[0]
    y, x = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    away = ((x - place[0]) ** 2 + (y - place[1]) ** 2).sqrt() * stride
    rivals = torch.where(away > 32, scale * cosines, -torch.inf).flatten()
    rivals = torch.cat([rivals, torch.tensor([scale * b])])
    return F.softplus(rivals.logsumexp(0) - scale * (cosines[away <= 8] - margin)).mean()


def mended_by_cross_entropy(cosines, place, stride, b, scale, margin):
    """PyTorch's cross-entropy."""
    at = torch.arange(len(cosines))
    away = stride * torch.hypot(at[None, :] - place[0], at[:, None] - place[1])
    return softmax_by_cross_entropy(
        cosines, (away <= 8).float() - (away > 32).float(), b, scale, margin
    )


def scale_in_numpy(classes, probability):
    """NumPy's number."""
    return np.float32((1 - 1 / classes) * np.log((classes - 1) * probability / (1 - probability)))


def scale_by_logs(classes, probability):
    """Logarithms taken apart."""
    logit = math.log(classes - 1) + math.log(probability) - math.log1p(-probability)
    return logit / (classes / (classes - 1))


def scale_by_bisection(classes, probability):
    """The equation, solved."""
    low, high = 0.0, 100.0
    for _ in range(80):
        s = (low + high) / 2
        p = 1 / (1 + (classes - 1) * math.exp(-s * classes / (classes - 1)))
        low, high = (s, high) if p < probability else (low, s)
    return s


def ramp_by_limits(done, margin, ramp):
    """NumPy's clip."""
    return np.array(margin * np.clip(done / max(ramp, 1e-9) if ramp else 1.0, 0, 1))


def ramp_by_minimum(done, margin, ramp):
    """The smaller of two."""
    return margin * (1.0 if ramp == 0 else min(1.0, done / ramp))


def ramp_by_interpolation(done, margin, ramp):
    """Between two points."""
    return margin if ramp <= 0 else float(np.interp(done, [0, ramp], [0, margin]))


def lead_in_numpy(response, labels):
    """NumPy, the population's deviation."""
    r, y = response.numpy(), labels.numpy()
    return (r[y == 1].max() - r[y == -1].max()) / r[y == -1].std()


def lead_of_the_sample(response, labels):
    """PyTorch's default, n − 1."""
    others = response[labels == -1]
    return (response[labels == 1].amax() - others.amax()) / others.std()


def lead_by_variance(response, labels):
    """From the variance, in double precision."""
    others = response.double()[labels < 0]
    deviation = ((others - others.mean()) ** 2).mean().sqrt()
    return ((response.double()[labels > 0].max() - others.max()) / deviation).item()


def roi_by_corners(centre, ratio, first, stride, cells):
    """Corner by corner."""
    x, y = ((float(v) - first) / stride + 0.5 for v in centre)
    half = cells * ratio / 2
    return torch.tensor([x - half, y - half, x + half, y + half])


def roi_by_repeat(centre, ratio, first, stride, cells):
    """Signs times half the side."""
    signs = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    return (centre.repeat(2) - first) / stride + 0.5 + signs * cells * ratio / 2


def roi_in_double(centre, ratio, first, stride, cells):
    """In double precision."""
    place = (centre.double() - first + stride / 2) / stride
    return torch.stack([place - ratio * cells / 2, place + ratio * cells / 2]).flatten()


def align_by_grid(features, roi, cells):
    """PyTorch's grid_sample, in double precision."""
    step = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    h, w = features.shape[2:]
    x = 2 * (roi[0] + step * (roi[2] - roi[0]) - 0.5) / (w - 1) - 1
    y = 2 * (roi[1] + step * (roi[3] - roi[1]) - 0.5) / (h - 1) - 1
    grid = torch.stack([x[None].expand(cells, -1), y[:, None].expand(-1, cells)], dim=-1)
    return F.grid_sample(features.double(), grid[None], align_corners=True)


def align_by_torchvision(features, roi, cells):
    """torchvision's ROI-Align, one sample a part."""
    return roi_align(features, [roi[None]], cells, sampling_ratio=1, aligned=True)


def align_by_products(features, roi, cells):
    """Two matrices of hat functions."""

    def hats(low, high, size):
        at = low + (torch.arange(cells) + 0.5) * (high - low) / cells - 0.5
        return (1 - (at[:, None] - torch.arange(size)).abs()).clamp_min(0)  # (cells, size)

    rows = hats(roi[1], roi[3], features.shape[2])
    columns = hats(roi[0], roi[2], features.shape[3])
    return rows @ features @ columns.T


def renewed_as_list(first, average, fresh, score, rate, keep, sure):
    """A list, with lerp and normalize."""
    if score > sure:
        average = F.normalize(average.lerp(fresh, rate).flatten(), dim=0).view_as(average)
    return [average.lerp(first, keep), average]


def renewed_by_cases(first, average, fresh, score, rate, keep, sure):
    """Two returns."""
    if score <= sure:
        return keep * first + (1 - keep) * average, average
    moved = average + rate * (fresh - average)
    moved = moved / moved.square().sum().sqrt()
    return keep * first + (1 - keep) * moved, moved


def renewed_by_rate(first, average, fresh, score, rate, keep, sure):
    """A rate of 0 where nothing is learned."""
    rate = rate if score > sure else 0.0
    moved = F.normalize(((1 - rate) * average + rate * fresh).flatten(1)).view(average.shape)
    return torch.add((1 - keep) * moved, first, alpha=keep), moved


def region_in_numpy(speed, reach, base, largest):
    """A fraction without a broken part."""
    return np.minimum(base + 16 * np.ceil(np.maximum(reach * speed - 64, 0) / 8), largest)


def region_by_floor(speed, reach, base, largest):
    """Floor of the negative."""
    steps = max(0, -int((64 - reach * speed) // 8))
    return min(largest, base + 16 * steps)


def region_in_steps(speed, reach, base, largest):
    """One cell after the other."""
    size = base
    while size < largest and 64 + (size - base) / 2 < reach * speed:
        size += 16
    return size


def again_as_list(look, size, largest, unsure, gain):
    """A list."""
    found = [size, look(size)]
    if float(found[1].max()) < unsure and size < largest:
        wide = look(largest)
        if float(wide.max()) > float(found[1].max()) + gain:
            found = [largest, wide]
    return found


def again_by_amax(look, size, largest, unsure, gain):
    """Sorted peaks."""
    first = look(size)
    if size == largest or bool((first >= unsure).any()):
        return size, first
    second = look(largest)
    better = (second - gain).amax() > first.amax()
    return (largest, second) if better else (size, first)


def again_by_dictionary(look, size, largest, unsure, gain):
    """Looks by size."""
    looks = {size: look(size)}
    chosen = size
    if looks[size].max().item() < unsure and largest > size:
        looks[largest] = look(largest)
        if looks[largest].max().item() - looks[size].max().item() > gain:
            chosen = largest
    return chosen, looks[chosen]


RIGHT = {
    "margin.cosine": [cosine_in_loops, cosine_by_unfold, cosine_by_convolution],
    "margin.labels": [ring_in_loops, ring_by_where, ring_by_sum],
    "margin.logistic": [logistic_by_logs, logistic_by_bce, logistic_by_sigmoid],
    "margin.arc": [arc_in_double, arc_by_angle, arc_by_mask],
    "margin.softmax": [softmax_in_double, softmax_by_cross_entropy, softmax_by_log_softmax],
    "margin.fault": [mended_by_labels, mended_by_infinity, mended_by_cross_entropy],
    "margin.scale": [scale_in_numpy, scale_by_logs, scale_by_bisection],
    "margin.ramp": [ramp_by_limits, ramp_by_minimum, ramp_by_interpolation],
    "margin.lead": [lead_in_numpy, lead_of_the_sample, lead_by_variance],
    "margin.roi": [roi_in_double, roi_by_corners, roi_by_repeat],
    "margin.align": [align_by_grid, align_by_torchvision, align_by_products],
    "margin.average": [renewed_as_list, renewed_by_cases, renewed_by_rate],
    "margin.region": [region_in_numpy, region_by_floor, region_in_steps],
    "margin.again": [again_as_list, again_by_amax, again_by_dictionary],
}
RANDOM: set[str] = set()
