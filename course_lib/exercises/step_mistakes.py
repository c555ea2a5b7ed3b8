"""Steps of gradient descent that are nearly right, for their check."""

from __future__ import annotations

import torch
from torch import nn

from course_lib.exercises.mistakes import Codes


def _in_order(*order: str, clipping=nn.utils.clip_grad_norm_):
    """A mistake: these actions, in this order."""

    def descend(right, network, optimiser, loss, clip_norm):
        norm = torch.zeros(())
        for action in order:
            if action == "clip":
                norm = clipping(network.parameters(), clip_norm)
            else:
                {"zero": optimiser.zero_grad, "backward": loss.backward, "step": optimiser.step}[
                    action
                ]()
        return float(norm)

    return descend


def _by_value(weights, limit):
    nn.utils.clip_grad_value_(weights := list(weights), limit)
    return torch.cat([w.grad.flatten() for w in weights]).norm()


def _each_alone(weights, limit):
    return torch.stack([nn.utils.clip_grad_norm_([w], limit) for w in weights]).norm()


def _always_to_limit(weights, limit):
    weights = list(weights)
    norm = torch.cat([w.grad.flatten() for w in weights]).norm()
    for w in weights:
        w.grad *= limit / norm
    return norm


def _largest_entry(weights, limit):
    return nn.utils.clip_grad_norm_(weights, limit, norm_type=float("inf"))


def _by_hand(right, network, optimiser, loss, clip_norm):
    """Without the optimiser."""
    network.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    with torch.no_grad():
        for weight in network.parameters():
            weight -= optimiser.param_groups[0]["lr"] * weight.grad
    return float(norm)


def _norms_added(right, network, optimiser, loss, clip_norm):
    """The norms of the tensors, added."""
    gradients = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)
    right(network, optimiser, loss, clip_norm)
    return float(sum(g.norm() for g in gradients))


def _skipping(right, network, optimiser, loss, clip_norm):
    """No step where the gradient is too long."""
    optimiser.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    if norm <= clip_norm:
        optimiser.step()
    return float(norm)


def _only_if_long(right, network, optimiser, loss, clip_norm):
    """No step where the gradient is short."""
    optimiser.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    if norm > 0.01:
        optimiser.step()
    return float(norm)


def _half_zeroed(right, network, optimiser, loss, clip_norm):
    """Half of the old gradient stays."""
    for weight in network.parameters():
        if weight.grad is not None:
            weight.grad *= 0.5
    return _in_order("backward", "clip", "step")(right, network, optimiser, loss, clip_norm)


def _decayed(right, network, optimiser, loss, clip_norm):
    """Weight decay by hand."""
    optimiser.zero_grad()
    loss.backward()
    for weight in network.parameters():
        weight.grad += 0.02 * weight.detach()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimiser.step()
    return float(norm)


def _twice(right, network, optimiser, loss, clip_norm):
    """Two backward passes."""
    optimiser.zero_grad()
    loss.backward(retain_graph=True)
    return _in_order("backward", "clip", "step")(right, network, optimiser, loss, clip_norm)


def _by(measure):
    """Clipped by another measure of the tensors' norms."""

    def clipping(weights, limit):
        weights = list(weights)
        norms = [weight.grad.norm() for weight in weights]
        for weight in weights:
            weight.grad *= min(1, limit / measure(norms))
        return torch.stack(norms).norm()

    return clipping


def _without_biases(weights, limit):
    """Only matrices are clipped."""
    weights = list(weights)
    norm = torch.cat([w.grad.flatten() for w in weights]).norm()
    nn.utils.clip_grad_norm_([w for w in weights if w.ndim > 1], limit)
    return norm


OTHERS: dict[str, Codes] = {
    "add up unless they are zeroed": [
        _in_order("backward", "clip", "step"),
        _in_order("backward", "clip", "step", "zero"),
    ],
    "times the gradient that was there before": _half_zeroed,
    "the optimiser sees to weight decay itself": _decayed,
    "you change the loss": [
        lambda right, network, optimiser, loss, limit: right(network, optimiser, loss / 2, limit),
        lambda right, network, optimiser, loss, limit: right(
            network, optimiser, loss.clamp(max=limit), limit
        ),
    ],
    "runs 2 times": _twice,
    "whatever clip_norm is": [
        lambda right, network, optimiser, loss, limit, c=c: right(network, optimiser, loss, c)
        for c in (1.0, 0.5)
    ],
    "you clip by": [
        _in_order("zero", "backward", "clip", "step", clipping=_by(measure))
        for measure in (sum, max, lambda norms: sum(n**2 for n in norms))
    ],
    "of all weights": _in_order("zero", "backward", "clip", "step", clipping=_without_biases),
    "zeroed between backward and step": [
        _in_order("backward", "zero", "step"),
        _in_order("backward", "clip", "zero", "step"),
    ],
    "optimiser.step() is missing": _in_order("zero", "backward", "clip"),
    "loss.backward() is missing": _in_order("zero", "clip", "step"),
    "comes before loss.backward()": _in_order("zero", "step", "backward", "clip"),
    "is clipped only after the step": _in_order("zero", "backward", "step", "clip"),
    "is too long; clip the gradient": [
        lambda right, network, optimiser, loss, limit: right(network, optimiser, loss, 1e9),
        _in_order("zero", "clip", "backward", "step"),
    ],
    "each entry of the gradient is cut off": _in_order(
        "zero", "backward", "clip", "step", clipping=_by_value
    ),
    "each tensor of weights is clipped alone": _in_order(
        "zero", "backward", "clip", "step", clipping=_each_alone
    ),
    "is scaled up to it": _in_order("zero", "backward", "clip", "step", clipping=_always_to_limit),
    "√(sum of the squares of all entries)": [
        _in_order("zero", "backward", "clip", "step", clipping=_largest_entry),
        lambda right, network, optimiser, loss, limit: right(network, optimiser, loss, limit / 2),
        lambda right, network, optimiser, loss, limit: right(network, optimiser, loss, 0.8 * limit),
    ],
    "has the wrong sign": lambda right, network, optimiser, loss, limit: right(
        network, optimiser, -loss, limit
    ),
    "puts the network into another mode": [
        lambda right, network, *given: right(network.eval(), *given),
        lambda right, network, *given: right(network.train(), *given),
    ],
    "changes the optimiser's settings": lambda right, network, optimiser, *given: (
        optimiser.param_groups[0].update(lr=0.01),
        right(network, optimiser, *given),
    )[1],
    "a float": lambda right, network, optimiser, loss, limit: (
        right(network, optimiser, loss, limit) + 0 * loss
    ),
    "changes the weights without optimiser.step()": _by_hand,
    "leave the step out": _skipping,
    "however short the gradient is": _only_if_long,
    ", clip_norm": lambda right, *given: (right(*given), given[-1])[1],
    "the factor of the clipping": lambda right, *given: min(1, given[-1] / right(*given)),
    "optimiser.step() is called 2 times": _in_order("zero", "backward", "clip", "step", "step"),
    "the norm after clipping": lambda right, *given: min(right(*given), given[-1]),
    "the square of the norm": lambda right, *given: right(*given) ** 2,
    "the loss; the gradient's norm": lambda right, network, optimiser, loss, limit: (
        right(network, optimiser, loss, limit),
        loss.item(),
    )[1],
    "the sum of the tensors' norms": _norms_added,
    "norm before clipping is": lambda right, *given: 2 * right(*given),
}
