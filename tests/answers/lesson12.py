"""Right answers of lesson 12 in other styles."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.geometry.anchors import overlaps
from course_lib.models.prpool import hat_integral


def climb_as_list(judge, boxes, length):
    """By backward(), a list for a tuple, values as numbers."""
    start = boxes.clone().requires_grad_(True)
    values = judge(start)
    values.sum().backward()
    after = start.detach().numpy().copy()
    after += length * start.grad.numpy() * np.tile(after[:, 2:], 2)
    after[:, 2:] = np.maximum(after[:, 2:], 1)
    return [after, values.tolist()]


def climb_in_loops(judge, boxes, length):
    """One box at a time."""
    after, values = [], []
    for box in boxes:
        one = box.detach().clone()[None].requires_grad_()
        value = judge(one)[0]
        slope = torch.autograd.grad(value, one)[0][0]
        x, y, w, h = box.tolist()
        dx, dy, dw, dh = (length * slope).tolist()
        after.append([x + dx * w, y + dy * h, max(1.0, w + dw * w), max(1.0, h + dh * h)])
        values.append(value.item())
    return torch.tensor(after), torch.tensor(values)


def climb_with_graph(judge, boxes, length):
    """Results that still hang on the graph."""
    with torch.enable_grad():
        b = boxes.detach().requires_grad_()
        v = judge(b)
        g = torch.autograd.grad(v, b, torch.ones_like(v), retain_graph=True)[0]
        corner = b[:, :2] + length * g[:, :2] * b[:, 2:]
        size = torch.clamp(b[:, 2:] * (1 + length * g[:, 2:]), min=1.0)
    return torch.hstack([corner, size]), v


def fault_by_zero(judge, boxes, length, steps):
    """The gradient is erased behind each step; a list of arrays."""
    boxes = boxes.clone().requires_grad_(True)
    path = [boxes.detach().numpy().copy()]
    for _ in range(steps):
        judge(boxes).sum().backward()
        with torch.no_grad():
            boxes += length * boxes.grad * boxes[:, 2:].repeat(1, 2)
            boxes[:, 2:].clamp_(min=1)
        boxes.grad.zero_()
        path.append(boxes.detach().numpy().copy())
    return path


def fault_by_none(judge, boxes, length, steps):
    """No gradient before each step."""
    boxes = torch.nn.Parameter(boxes.clone())
    path = boxes.new_empty(steps + 1, *boxes.shape)
    path[0] = boxes.data
    for k in range(1, steps + 1):
        boxes.grad = None
        (-judge(boxes).sum()).backward()
        boxes.data -= length * boxes.grad * torch.cat([boxes.data[:, 2:]] * 2, 1)
        boxes.data[:, 2:] = boxes.data[:, 2:].clamp(min=1)
        path[k] = boxes.data
    return path.detach()


def fault_by_recursion(judge, boxes, length, steps):
    """Each step begins with a tensor of its own."""
    if steps == 0:
        return boxes.detach()[None]
    after = torch.as_tensor(climb_in_loops(judge, boxes, length)[0])
    return torch.cat([boxes.detach()[None], fault_by_recursion(judge, after, length, steps - 1)])


def fault_with_graph(judge, boxes, length, steps):
    """A path that still hangs on the graph."""
    path = [boxes.clone()]
    for _ in range(steps):
        path.append(climb_with_graph(judge, path[-1], length)[0])
    return torch.stack(path)


def hat_by_pieces(t):
    """A mask for each piece, in double precision."""
    t = t.double()
    rising = ((t > -1) & (t <= 0)).double() * (t + 1) ** 2 / 2
    falling = ((t > 0) & (t < 1)).double() * (1 - (1 - t) ** 2 / 2)
    return rising + falling + (t >= 1).double()


def hat_by_relu(t):
    """Half of the second difference of a squared ReLU."""
    return (F.relu(t + 1) ** 2 - 2 * F.relu(t) ** 2 + F.relu(t - 1) ** 2) / 2


def hat_by_where(t):
    """Nested where."""
    one = torch.ones_like(t)
    late = torch.where(t < 1, 0.5 + t - 0.5 * t * t, one)
    early = torch.where(t < -1, 0 * t, 0.5 * (1 + t).pow(2))
    return torch.where(t > 0, late, early)


def weights_in_loops(start, length, bins, cells):
    """Row by row, cell by cell."""
    width = length / bins
    rows = []
    for k in range(bins):
        low, high = start + k * width, start + (k + 1) * width
        rows.append(
            [(hat_integral(high - i) - hat_integral(low - i)) / width for i in range(cells)]
        )
    return torch.stack([torch.stack(row) for row in rows])


def weights_in_double(start, length, bins, cells):
    """In double precision, edges by their numbers."""
    edges = start.double() + length.double() * torch.arange(bins + 1) / bins
    integrals = hat_by_relu(edges.unsqueeze(1) - torch.arange(cells).unsqueeze(0))
    return (integrals[1:] - integrals[:-1]) * bins / length.double()


def weights_by_relu(start, length, bins, cells):
    """Cells first, then transposed."""
    edges = torch.stack([start + length * k / bins for k in range(bins + 1)])
    table = hat_by_where(edges[None] - torch.arange(cells)[:, None])  # (cells, bins + 1)
    return (table[:, 1:] - table[:, :-1]).T / (edges[1] - edges[0])


def pool_by_einsum(features, box, bins):
    """One einsum, in double precision."""
    x, y, w, h = box.double()
    down = weights_in_double(y, h, bins, features.shape[1])
    across = weights_in_double(x, w, bins, features.shape[2])
    return torch.einsum("ki,cij,lj->ckl", down, features.double(), across)


def pool_by_channel(features, box, bins):
    """One channel at a time."""
    down = weights_by_relu(box[1], box[3], bins, features.shape[-2])
    across = weights_by_relu(box[0], box[2], bins, features.shape[-1])
    return torch.stack([down.mm(channel).mm(across.t()) for channel in features])


def pool_from_the_right(features, box, bins):
    """Columns first, then rows."""
    half = features @ weights_in_loops(box[0], box[2], bins, features.shape[2]).transpose(0, 1)
    return weights_in_loops(box[1], box[3], bins, features.shape[1]) @ half


def describe_afterwards(features, vector, boxes, bins):
    """Modulated behind the pooling, in double precision."""
    pooled = torch.stack([pool_by_einsum(features, box, bins) for box in boxes])
    return (pooled * vector.double().view(1, -1, 1, 1)).reshape(len(boxes), -1)


def describe_in_loops(features, vector, boxes, bins):
    """Channel by channel."""
    rows = []
    for box in boxes:
        channels = [
            v * pool_by_channel(f[None], box, bins)[0]
            for f, v in zip(features, vector, strict=True)
        ]
        rows.append(torch.cat([channel.flatten() for channel in channels]))
    return torch.stack(rows)


def describe_at_once(features, vector, boxes, bins):
    """One matrix product for all boxes, with the vector on a diagonal."""
    modulated = torch.einsum("cd,dij->cij", torch.diag(vector), features)
    C = len(features)
    told = [pool_from_the_right(modulated, box, bins).reshape(C * bins**2) for box in boxes]
    return torch.vstack(told)


def draw_as_list(rng, box, noise):
    """Plain numbers, a list."""
    x, y, w, h = (float(v) for v in box)
    s = noise[rng.integers(len(noise))] * math.sqrt(w * h)
    while True:
        dx, dy, dw, dh = rng.normal(0, s, 4).tolist()
        W, H = w + dw, h + dh
        X, Y = x + w / 2 + dx - W / 2, y + h / 2 + dy - H / 2
        wide, high = min(X + W, x + w) - max(X, x), min(Y + H, y + h) - max(Y, y)
        if min(wide, high, W, H) > 0:
            both = wide * high
            if both / (W * H + w * h - both) > 0.1:
                return [X, Y, W, H]
        s *= 0.9


def draw_by_tries(rng, box, noise):
    """A counter in place of the shrinking number."""
    centre, size = box[:2] + box[2:] / 2, box[2:]
    first = np.random.Generator.choice(rng, np.array(noise)) * np.prod(size) ** 0.5
    tries = 0
    while True:
        s = first * 0.9**tries
        new_centre, new_size = (
            centre + s * rng.standard_normal(2),
            size + s * rng.standard_normal(2),
        )
        drawn = torch.tensor(np.r_[new_centre - new_size / 2, new_size])[None]
        if (new_size > 0).all() and overlaps(drawn, torch.tensor(box)[None])[0, 0] > 0.1:
            return drawn[0]
        tries += 1


def draw_recursively(rng, box, noise):
    """Calls itself with the smaller noise as the only one to choose."""
    s = float(rng.choice(noise))
    x, y, w, h = draw_once(rng, box, s)
    wide = min(x + w, box[0] + box[2]) - max(x, box[0])
    high = min(y + h, box[1] + box[3]) - max(y, box[1])
    both = max(wide, 0) * max(high, 0)
    if w > 0 and h > 0 and both > 0.1 * (w * h + box[2] * box[3] - both):
        return np.array([x, y, w, h])
    return draw_recursively(rng, box, (0.9 * s,))


def draw_once(rng, box, s):
    """One try."""
    noise = rng.normal(scale=s * np.sqrt(box[2] * box[3]), size=4)
    w, h = box[2] + noise[2], box[3] + noise[3]
    return box[0] + noise[0] - noise[2] / 2, box[1] + noise[1] - noise[3] / 2, w, h


def loss_by_mse(predicted, boxes, truth):
    """PyTorch's own, in double precision."""
    return F.mse_loss(predicted.double(), 2 * overlaps(boxes, truth).double() - 1)


def loss_of_ious(predicted, boxes, truth):
    """Four times that of the IoUs."""
    return 4 * torch.mean(((predicted + 1) / 2 - overlaps(boxes, truth)) ** 2)


def loss_in_loops(predicted, boxes, truth):
    """Pair by pair, with an IoU by hand."""
    total = 0
    for p, of_pair, t in zip(predicted, boxes, truth, strict=True):
        low = torch.max(of_pair[:, :2], t[:2])
        high = torch.min(of_pair[:, :2] + of_pair[:, 2:], t[:2] + t[2:])
        both = (high - low).clamp(min=0).prod(1)
        iou = both / (of_pair[:, 2:].prod(1) + t[2:].prod() - both)
        total = total + ((p - 2 * iou + 1) ** 2).sum()
    return total / predicted.numel()


def best_as_list(boxes, values, best):
    """Sorted in Python, a list."""
    fine = [
        (value, box)
        for value, box in zip(values.tolist(), boxes.tolist(), strict=True)
        if 1 / 6 < box[2] / box[3] < 6
    ]
    if not fine:
        return None
    top = sorted(fine, reverse=True)[:best]
    return [sum(box[k] for _, box in top) / len(top) for k in range(4)]


def best_by_numpy(boxes, values, best):
    """argsort in NumPy."""
    boxes, values = boxes.numpy(), values.numpy()
    longest = np.maximum(boxes[:, 2] / boxes[:, 3], boxes[:, 3] / boxes[:, 2])
    order = [k for k in np.argsort(-values) if longest[k] < 6]
    return boxes[order[:best]].mean(0) if order else None


def best_by_minus_infinity(boxes, values, best):
    """What does not count is −∞."""
    w, h = boxes[:, 2:].T
    long = (w >= 6 * h) | (h >= 6 * w)
    if long.all():
        return None
    order = values.masked_fill(long, float("-inf")).argsort(descending=True)
    return boxes[order[: min(best, int((~long).sum()))]].mean(dim=0)


RIGHT = {
    "overlap.climb": [climb_with_graph, climb_as_list, climb_in_loops],
    "overlap.fault": [fault_with_graph, fault_by_zero, fault_by_none, fault_by_recursion],
    "overlap.hat": [hat_by_pieces, hat_by_relu, hat_by_where],
    "overlap.weights": [weights_in_double, weights_in_loops, weights_by_relu],
    "overlap.pool": [pool_by_einsum, pool_by_channel, pool_from_the_right],
    "overlap.modulate": [describe_afterwards, describe_in_loops, describe_at_once],
    "overlap.proposals": [draw_as_list, draw_by_tries, draw_recursively],
    "overlap.loss": [loss_by_mse, loss_of_ious, loss_in_loops],
    "overlap.best": [best_as_list, best_by_numpy, best_by_minus_infinity],
}
RANDOM = {"overlap.proposals"}
