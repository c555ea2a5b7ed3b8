"""Right answers of lesson 13 in other styles."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F


def mlu_by_elu(scores, bend):
    """PyTorch's own ELU, with another scale."""
    return F.elu(scores / bend) * bend


def mlu_by_parts(scores, bend):
    """What lies above 0, and what lies below, added up."""
    below = -F.relu(-scores)
    return F.relu(scores) + bend * (torch.exp(below / bend) - 1)


def mlu_by_mask(scores, bend):
    """In double precision, by a mask."""
    s = scores.double()
    low = s < 0
    safe = torch.where(low, s, torch.zeros_like(s))
    return s * ~low + (bend * torch.exp(safe / bend) - bend) * low


def products_as_list(residuals, w):
    """PyTorch's own products, each from the beginning, in a list."""
    own = torch.autograd.functional
    return [
        residuals(w).detach().numpy(),
        lambda v: own.vjp(residuals, w, v)[1],
        lambda d: own.jvp(residuals, w, d)[1],
    ]


def products_by_func(residuals, w):
    """torch.func: forward mode for J d."""
    w = w.detach()
    r, back = torch.func.vjp(residuals, w)
    return r, lambda v: back(v)[0], lambda d: torch.func.jvp(residuals, (w,), (d,))[1]


def products_by_new_graphs(residuals, w):
    """A new graph for every product."""

    def transposed(v):
        at = w.detach().clone().requires_grad_()
        (residuals(at) @ v).backward()
        return at.grad

    def times(d):
        at = w.detach().clone().requires_grad_()
        u = torch.ones_like(residuals(w)).requires_grad_()
        (of_u,) = torch.autograd.grad(residuals(at), at, u, create_graph=True)
        return torch.autograd.grad(of_u @ d, u)[0]

    return residuals(w), transposed, times


def solve_in_double(r, transposed, times, steps, precondition):
    """Sums instead of inner products; nothing is computed that is not needed."""
    g = -1.0 * transposed(r)
    d = 0 * g
    p = z_before = g_before = None
    for k in range(steps):
        z = precondition(g)
        if k == 0:
            p = z
        else:
            beta = float((z * (g - g_before)).sum()) / float((z_before * g_before).sum())
            p = z + max(beta, 0.0) * p
        Jp = times(p)
        alpha = float((p * g).sum()) / float((Jp**2).sum())
        d = d + alpha * p
        g_before, z_before = g, z
        g = g - alpha * transposed(Jp)
    return d.double()


def solve_by_residuals(r, transposed, times, steps, precondition):
    """g is computed from the residuals of each step."""
    d, old = torch.zeros_like(transposed(r)), None
    for _ in range(steps):
        g = -transposed(r)
        z = precondition(g)
        beta = torch.zeros((), dtype=g.dtype) if old is None else (z @ g - z @ old[1]) / old[2]
        p = z + torch.clamp(beta, min=0) * (0 if old is None else old[0])
        Jp = times(p)
        step = torch.dot(p, g) / Jp.square().sum()
        d, r = d + step * p, r + step * Jp
        old = p, g, z @ g
    return d


def solve_from_d(r, transposed, times, steps, precondition):
    """g from d itself, and places in lists."""
    directions, gradients, conditioned = [], [], []
    d = torch.zeros_like(transposed(r))
    for k in range(steps):
        gradients.append(-transposed(r + times(d)))
        conditioned.append(precondition(gradients[-1]))
        p = conditioned[-1].clone()
        if k:
            change = gradients[k] - gradients[k - 1]
            beta = (conditioned[k] @ change) / (conditioned[k - 1] @ gradients[k - 1])
            if beta > 0:
                p = p + beta * directions[-1]
        directions.append(p)
        d = d + (p @ gradients[k]) / times(p).norm() ** 2 * p
    return d


def preconditioned_in_double(gradient, sizes, weights):
    """One long vector of λ."""
    divide = np.repeat(weights, sizes)
    return gradient.double() / torch.from_numpy(divide)


def preconditioned_by_places(gradient, sizes, weights):
    """From place to place."""
    new, at = gradient.clone(), 0
    for size, weight in zip(sizes, weights, strict=True):
        new[at : at + size] /= weight
        at += size
    return new


def preconditioned_by_ones(gradient, sizes, weights):
    """Times one over λ."""
    factors = [torch.full((size,), 1 / weight) for size, weight in zip(sizes, weights, strict=True)]
    return gradient * torch.cat(factors)


def remembered_as_list(weights, first, last, capacity, rate, floor):
    """Lists of numbers."""
    weights = [float(w) for w in weights]
    new = rate * (1 - rate) if last is None else weights[last] / (1 - rate)
    if len(weights) < capacity:
        weights.append(new)
        place = len(weights) - 1
    else:
        place = min(range(first, len(weights)), key=weights.__getitem__)
        weights[place] = new
    total = sum(weights)
    weights = [w / total for w in weights]
    own = sum(weights[:first])
    if own < floor:
        weights = [floor / first] * first + [w * (1 - floor) / (1 - own) for w in weights[first:]]
    return [weights, place]


def remembered_by_scaling(weights, first, last, capacity, rate, floor):
    """All others are scaled, by one factor."""
    old = np.asarray(weights, dtype=float)
    new = (old[last] if last is not None else rate * (1 - rate) ** 2) / (1 - rate)
    room = len(old) < capacity
    place = len(old) if room else first + np.argmin(old[first:])
    filled = np.concatenate([old, [0]]) if room else old.copy()
    filled[place] = new
    filled /= np.sum(filled)
    lacks = filled[:first].sum() < floor
    own = np.full(first, floor / first) if lacks else filled[:first]
    rest = filled[first:] / filled[first:].sum() * (1 - own.sum())
    return np.concatenate([own, rest]), int(place)


def remembered_in_torch(weights, first, last, capacity, rate, floor):
    """Tensors in double precision."""
    w = torch.tensor(weights, dtype=torch.float64)
    new = rate - rate**2 if last is None else float(w[last]) / (1 - rate)
    if len(w) == capacity:
        place = int(w[first:].argmin()) + first
        w[place] = new
    else:
        place = len(w)
        w = torch.cat([w, torch.tensor([new], dtype=torch.float64)])
    w = w / w.sum()
    if w[:first].sum() < floor:
        rest = w[first:] / w[first:].sum() * (1 - floor)
        w = torch.cat([torch.full((first,), floor / first, dtype=torch.float64), rest])
    return w, place


def peaks_as_lists(fine, size, neighbourhood):
    """Rows and columns from one number; a copy with a slice set to 0."""
    rest, rows = fine.copy(), []
    for _ in range(2):
        row, column = divmod(int(rest.argmax()), rest.shape[1])
        rows.append([column + 0.5, row + 0.5, float(rest[row, column])])
        across, down = (neighbourhood * s / 2 for s in size)
        low, high = max(0, math.ceil(row - down)), math.floor(row + down) + 1
        left, right = max(0, math.ceil(column - across)), math.floor(column + across) + 1
        rest[low:high, left:right] = 0
    return rows


def peaks_by_lowest(fine, size, neighbourhood):
    """What is left out becomes the lowest value, not 0."""
    at = np.arange(len(fine)) + 0.5
    j, i = np.argmax(fine.max(0)), np.argmax(fine.max(1))
    near = np.outer(
        np.abs(at - at[i]) <= neighbourhood * size[1] / 2,
        np.abs(at - at[j]) <= neighbourhood * size[0] / 2,
    )
    rest = np.where(near, -np.inf, fine)
    m, n = np.argwhere(rest == rest.max())[0]
    return np.array([[at[j], at[i], fine[i, j]], [at[n], at[m], fine[m, n]]])


def peaks_in_torch(fine, size, neighbourhood):
    """Tensors, masked."""
    values = torch.from_numpy(fine)
    y, x = torch.meshgrid(*(torch.arange(n) + 0.5 for n in values.shape), indexing="ij")
    found = []
    for _ in range(2):
        k = values.flatten().argmax()
        found.append(torch.stack([x.flatten()[k], y.flatten()[k], values.flatten()[k]]))
        wide, high = (neighbourhood * float(s) / 2 for s in size)
        values = values.masked_fill(
            ((x - found[0][0]).abs() <= wide) & ((y - found[0][1]).abs() <= high), 0
        )
    return torch.stack(found)


def conclusion_as_list(peaks, before, half, settings):
    """Distances by math, results in a list."""
    (x, y, first), (u, v, second) = peaks.tolist()
    reach = settings.displacement * half
    near = math.dist((x, y), before) <= reach, math.dist((u, v), before) <= reach
    if first < settings.not_found:
        return [0, "not found"]
    if second > first * settings.distractor:
        if near == (False, True):
            return [1, "hard negative"]
        return [0, "hard negative" if near == (True, False) else "uncertain"]
    dangerous = second > max(first * settings.hard_negative, settings.hard_score)
    return [0, "hard negative" if dangerous else "found"]


def conclusion_by_ratio(peaks, before, half, settings):
    """The second score as a fraction of the first."""
    s, (first, second) = settings, peaks[:, 2]
    state, taken = "found", 0
    ratio = second / first
    if first < s.not_found:
        state = "not found"
    elif ratio > s.distractor:
        far = np.linalg.norm(peaks[:, :2] - before, axis=1) / half > s.displacement
        state = "uncertain" if far.sum() != 1 else "hard negative"
        taken = far.argmin() if far.sum() == 1 else 0
    elif ratio > s.hard_negative and second > s.hard_score:
        state = "hard negative"
    return np.int64(taken), state


def conclusion_by_table(peaks, before, half, settings):
    """A table of the four cases of far and near."""
    s, (a, b) = settings, peaks[:, 2]
    table = {
        (False, False): (0, "uncertain"),
        (True, True): (0, "uncertain"),
        (False, True): (0, "hard negative"),
        (True, False): (1, "hard negative"),
    }
    if a >= s.not_found and b > s.distractor * a:
        squares = ((peaks[:, :2] - before) ** 2).sum(1)
        return table[tuple(bool(q > (s.displacement * half) ** 2) for q in squares)]
    if a >= s.not_found:
        return 0, "hard negative" if b > s.hard_negative * a and b > s.hard_score else "found"
    return 0, "not found"


def labels_in_numpy(boxes, start, stride, size, kernel, sigma):
    """NumPy, one axis at a time."""
    boxes = boxes.numpy().astype(float)
    half = 0.5 if kernel % 2 == 0 else 0.0
    x = (boxes[:, 0] + boxes[:, 2] / 2 - start) / stride + half
    y = (boxes[:, 1] + boxes[:, 3] / 2 - start) / stride + half
    across = np.exp(-((np.arange(size[1]) - x[:, None]) ** 2) / (2 * sigma**2))
    down = np.exp(-((np.arange(size[0]) - y[:, None]) ** 2) / (2 * sigma**2))
    return down[:, :, None] * across[:, None, :]


def labels_in_pixels(boxes, start, stride, size, kernel, sigma):
    """In pixels: the score map's first cell lies half a cell before the features'."""
    own = start - stride / 2 * (kernel % 2 == 0)
    y, x = torch.meshgrid(*(own + stride * torch.arange(n) for n in size), indexing="ij")
    centres = boxes[:, :2] + 0.5 * boxes[:, 2:]
    away = (x - centres[:, 0, None, None]) ** 2 + (y - centres[:, 1, None, None]) ** 2
    return torch.exp(-away / (2 * (sigma * stride) ** 2))


def labels_in_loops(boxes, start, stride, size, kernel, sigma):
    """Cell by cell."""
    labels = torch.zeros(len(boxes), *size)
    for k, (x, y, w, h) in enumerate(boxes.tolist()):
        at = [(c - start) / stride + (kernel + 1) % 2 / 2 for c in (x + w / 2, y + h / 2)]
        for i in range(size[0]):
            for j in range(size[1]):
                labels[k, i, j] = math.exp(-(math.dist((j, i), at) ** 2) / (2 * sigma**2))
    return labels


def descended_in_double(w, x, y, mask, v, regulariser, length):
    """Double precision; the residuals of the regulariser stand with the others."""
    w, x, y, mask, v = (t.double() for t in (w, x, y, mask, v))
    s = x @ w
    hinge = torch.where(s > 0, torch.ones_like(s), mask)  # slope of m·s + (1 − m)·max(0, s)
    root = regulariser**0.5
    J = torch.cat([(v * hinge)[:, None] * x, root * torch.eye(len(w)).double()])
    r = torch.cat([v * (hinge * s - y), root * w])
    g = J.T @ r
    return w - length * (g @ g) / (J @ g).square().sum() * g


def descended_by_autograd(w, x, y, mask, v, regulariser, length):
    """The gradient by autograd, with a graph of its own."""
    at = w if w.requires_grad else w.clone().requires_grad_()
    s = x @ at
    r = v * (mask * s + (1 - mask) * s.clamp(min=0) - y)
    (g,) = torch.autograd.grad(
        0.5 * r.square().sum() + 0.5 * regulariser * at.square().sum(), at, create_graph=True
    )
    slope = v * torch.where(s > 0, torch.ones_like(s), mask)
    grown = (slope * (x @ g)).square().sum() + regulariser * g.square().sum()
    return w - g * (length * g.square().sum() / grown)


def descended_by_abs(w, x, y, mask, v, regulariser, length):
    """The public code's form: (1 − m)/2 · |s| + (1 + m)/2 · s."""
    s = torch.mv(x, w)
    low, high = (1 - mask) / 2, (1 + mask) / 2
    r = v * (low * s.abs() + high * s - y)
    slope = v * (low * s.sign() + high)
    g = torch.mv(x.t(), slope * r) + regulariser * w
    Jg = slope * torch.mv(x, g)
    top = torch.dot(g, g)
    return w - (length * top / (torch.dot(Jg, Jg) + regulariser * top)) * g


RIGHT = {
    "online.mlu": [mlu_by_mask, mlu_by_elu, mlu_by_parts],
    "online.products": [products_as_list, products_by_func, products_by_new_graphs],
    "online.solve": [solve_in_double, solve_by_residuals, solve_from_d],
    "online.precondition": [
        preconditioned_in_double,
        preconditioned_by_places,
        preconditioned_by_ones,
    ],
    "online.memory": [remembered_as_list, remembered_by_scaling, remembered_in_torch],
    "online.peaks": [peaks_as_lists, peaks_by_lowest, peaks_in_torch],
    "online.state": [conclusion_as_list, conclusion_by_ratio, conclusion_by_table],
    "online.fault": [labels_in_numpy, labels_in_pixels, labels_in_loops],
    "online.descent": [descended_in_double, descended_by_autograd, descended_by_abs],
}
RANDOM: set[str] = set()
