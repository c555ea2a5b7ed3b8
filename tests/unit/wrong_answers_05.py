"""Answers to the exercises of lesson 05 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def two(choose):
    """Two frames, the second chosen among the valid ones by a rule on (valid, first, gap)."""

    def run(rng, valid, gap):
        first = int(rng.choice(valid))
        near = valid[choose(valid, first, gap)]
        return first, int(rng.choice(near)) if len(near) else first

    return run


def shifted(f):
    """A point from (rng, middle, shift, scale)."""
    return lambda rng, box, shift, scale: f(rng, box[:2] + box[2:] / 2, shift, scale)


def forward(network, z, x, bf16):
    """The right responses."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        return network(z, x)


def always_autocast(network, z, x, bf16):
    """bf16 is ignored."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return network(z, x).float()


def half_weights(network, z, x, bf16):
    """The weights themselves are rounded."""
    out = forward(network, z, x, bf16).float()
    network.to(torch.bfloat16)
    return out


def no_gradient(network, z, x, bf16):
    """Evaluation habits."""
    with torch.no_grad():
        return forward(network, z, x, bf16).float()


def steps(order):
    """One step with its parts in another order, or missing."""

    def run(network, optimiser, loss, clip):
        norm = 0.0
        for part in order.split():
            if part == "zero":
                optimiser.zero_grad()
            elif part == "back":
                loss.backward()
            elif part == "clip":
                norm = float(nn.utils.clip_grad_norm_(network.parameters(), clip))
            elif part == "norm":
                norm = float(torch.stack([p.grad.norm() for p in network.parameters()]).norm())
            else:
                optimiser.step()
        return norm

    return run


def kept(network, optimiser, step):
    """Without copies."""
    return {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}


def without_momentum(network, optimiser, step):
    """The optimiser's settings without what it remembers."""
    state = optimiser.state_dict()
    weights = {k: v.clone() for k, v in network.state_dict().items()}
    return {
        "network": weights,
        "optimiser": {"state": {}, "param_groups": state["param_groups"]},
        "step": step,
    }


def distance(f):
    """Distance from rows and columns of the peaks."""

    def run(response, stride):
        n = response.shape[-1]
        peak = response.flatten(1).argmax(1)
        return f(peak // n, peak % n, n, stride)

    return run


def average(losses, factor, start=None, correct=False):
    """Exponential moving average with variants."""
    value, out = (0.0 if start is None else start), []
    for k, loss in enumerate(losses, 1):
        value = factor * value + (1 - factor) * loss
        out.append(value / (1 - factor**k) if correct else value)
    return out


WRONG = {
    "training.pair": [
        (two(lambda v, first, gap: np.abs(v - first) <= gap), "both frames are"),
        (
            two(lambda v, first, gap: (v - first <= gap) & (v > first)),
            "either way|give the first twice|both frames are",
        ),
        (two(lambda v, first, gap: v != first), "apart"),
        (
            lambda rng, valid, gap: tuple(int(k) for k in rng.integers(0, len(valid), 2)),
            "not among the valid",
        ),
    ],
    "training.shift": [
        (
            shifted(lambda rng, m, shift, scale: m + rng.uniform(-shift, shift, 2) * scale),
            "divide by the scale",
        ),
        (
            shifted(lambda rng, m, shift, scale: m + rng.uniform(-shift, shift, 2)),
            "divide by the scale",
        ),
        (
            shifted(lambda rng, m, shift, scale: m + rng.uniform(-shift, shift) / scale),
            "draw two numbers",
        ),
        (
            lambda rng, box, shift, scale: box[:2] + rng.uniform(-shift, shift, 2) / scale,
            "box's middle",
        ),
        (
            shifted(lambda rng, m, shift, scale: m + rng.uniform(0, shift, 2) / scale),
            "box's middle|one side",
        ),
    ],
    "training.rate": [
        (lambda k, n, a, b: a + (b - a) * k / (n - 1), "straight line"),
        (lambda k, n, a, b: a * (b / a) ** (k / n), "factors"),
        (lambda k, n, a, b: a * (b / a) ** ((k + 1) / n), "first step"),
        (lambda k, n, a, b: a * 0.1 ** (k // 20), "last step"),
    ],
    "training.predict": [
        (lambda network, z, x, bf16: network(z, x), "outside autocast"),
        (always_autocast, "although bf16 is False"),
        (lambda network, z, x, bf16: forward(network, z, x, bf16).bfloat16(), "bring them back"),
        (no_gradient, "lost their gradient"),
        (half_weights, "have become bfloat16"),
        (lambda network, z, x, bf16: forward(network, x, z, bf16).float(), "responses"),
    ],
    "training.descend": [
        (steps("back clip step"), "add up"),
        (steps("zero back norm step"), "not clipped"),
        (steps("zero back step clip"), "not clipped, or clipped after"),
        (steps("zero back clip"), "have not moved"),
        (steps("zero back clip norm step"), "before"),
    ],
    "training.snapshot": [
        (kept, "changed while training went on"),
        (lambda n, o, s: {"network": n.state_dict(), "step": s}, "momentum"),
        (without_momentum, "other weights|cannot be restored"),
        (lambda n, o, s: n.state_dict(), "lacks"),
        (lambda n, o, s: {"network": n, "optimiser": o, "step": s}, "state_dict"),
    ],
    "training.distance": [
        (distance(lambda r, c, n, s: torch.hypot(r - (n - 1) / 2, c - (n - 1) / 2)), "in cells"),
        (distance(lambda r, c, n, s: torch.hypot(r - n / 2, c - n / 2) * s), "the middle is"),
        (
            distance(
                lambda r, c, n, s: (torch.abs(r - (n - 1) / 2) + torch.abs(c - (n - 1) / 2)) * s
            ),
            "√",
        ),
        (distance(lambda r, c, n, s: torch.hypot(r.float(), c.float()) * s), "the middle is"),
    ],
    "training.smooth": [
        (lambda losses, factor: average(losses, factor), "drawn to the 0"),
        (lambda losses, factor: average(losses, 1 - factor, correct=True), "changed places"),
        (lambda losses, factor: average(losses, factor, start=losses[0]), "first loss"),
        (
            lambda losses, factor: [np.mean(losses[: k + 1]) for k in range(len(losses))],
            "smoothed curve",
        ),
    ],
}
