"""Checks of lesson 05: one step of gradient descent."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.compare import apart, as_number, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson05_resume import small_network, small_optimiser, weights_of
from course_lib.exercises.words import Wrong
from course_lib.training import step


class Watched:
    """What an answer does between its call and its return: backward passes, and the gradient of
    all weights (N,) at each step of the optimiser.

    Attributes:
        events: "backward" and "step", in order.
        own: the gradient of this loss alone.
        stale: the gradient that was there before; zeros if there was none.
        at_step: the gradient at each step.
    """

    def __init__(self, network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        self.weights = list(network.parameters())
        own = torch.autograd.grad(loss, self.weights, retain_graph=True)
        self.own, self.stale = _flat(own), self.gradient()
        self.events: list[str] = []
        self.at_step: list[np.ndarray] = []
        loss.register_hook(lambda _: self.events.append("backward"))
        self.handle = optimiser.register_step_pre_hook(self._before_step)

    def gradient(self) -> np.ndarray:
        """The gradient (N,) as it is now; 0 for a weight that has none."""
        return _flat([torch.zeros_like(p) if p.grad is None else p.grad for p in self.weights])

    def _before_step(self, *_) -> None:
        self.events.append("step")
        self.at_step.append(self.gradient())

    def by_tensor(self, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """This loss's gradient (N,) with a change made to that of each weight's tensor."""
        parts = np.split(self.own, np.cumsum([p.numel() for p in self.weights])[:-1])
        return np.concatenate([change(part) for part in parts])


def _flat(tensors) -> np.ndarray:
    return torch.cat([t.detach().double().flatten() for t in tensors]).numpy().copy()


def _clipped(gradient: np.ndarray, limit: float) -> np.ndarray:
    return gradient * min(1.0, limit / np.linalg.norm(gradient))


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


@check(
    "training.descend",
    reference=step.descend,
    others={
        "add up unless they are zeroed": _in_order("backward", "clip", "step"),
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
        "is stretched to it": _in_order(
            "zero", "backward", "clip", "step", clipping=_always_to_limit
        ),
        "√(sum of the squares of all entries)": [
            _in_order("zero", "backward", "clip", "step", clipping=_largest_entry),
            lambda right, network, optimiser, loss, limit: right(
                network, optimiser, loss, 0.8 * limit
            ),
        ],
        "has the wrong sign": lambda right, network, optimiser, loss, limit: right(
            network, optimiser, -loss, limit
        ),
        "puts the network into evaluation mode": lambda right, network, *given: right(
            network.eval(), *given
        ),
        "changes the weights without optimiser.step()": _by_hand,
        "leave the step out": _skipping,
        "optimiser.step() is called 2 times": _in_order("zero", "backward", "clip", "step", "step"),
        "the norm after clipping": lambda right, *given: min(right(*given), given[-1]),
        "the square of the norm": lambda right, *given: right(*given) ** 2,
        "the loss; the gradient's norm": lambda right, network, optimiser, loss, limit: (
            right(network, optimiser, loss, limit),
            loss.item(),
        )[1],
        "the sum of the tensors' norms": _norms_added,
        "norm before clipping is": lambda right, *given: 2 * right(*given),
    },
)
def examine_descend(answer, rng) -> None:
    """Gradient, clip, step: with gradients shorter and longer than the limit."""
    network, optimiser, x = small_network(rng)
    twin = copy.deepcopy(network)
    twin_optimiser = small_optimiser(twin)
    norms = []
    for factor, relative in ((1.0, 2.8), (1.5, 0.4), (0.8, 1.7), (2.0, 0.13)):
        loss = (network(x) * factor).square().mean()
        watched, before, value = Watched(network, optimiser, loss), weights_of(network), loss.item()
        limit = round(relative * float(np.linalg.norm(watched.own)), 3)
        given = answer(network, optimiser, loss, limit)
        watched.handle.remove()
        expected = answer.right(twin, twin_optimiser, (twin(x) * factor).square().mean(), limit)
        _check_events(watched, before, weights_of(network), limit)
        _check_gradient(watched, limit)
        if not network.training:
            raise Wrong("your function puts the network into evaluation mode, within training")
        if not same(weights_of(network), weights_of(twin), 1e-4):
            raise Wrong(
                "the gradient is right, and the weights still moved elsewhere than expected: does "
                "your function change the weights or the optimiser besides optimiser.step()?"
            )
        added = float(np.sum(watched.by_tensor(lambda part: np.linalg.norm(part, keepdims=True))))
        norms.append((as_number(given, "the norm"), expected, limit, value, added))
    for of_step in norms:
        _check_norm(*of_step)


def _check_events(watched: Watched, before: np.ndarray, after: np.ndarray, limit: float) -> None:
    """One backward pass, then one step."""
    steps, moved = watched.events.count("step"), not same(before, after, 1e-12)
    if "backward" not in watched.events:
        raise Wrong("loss.backward() is missing: nothing computes the gradient")
    if steps == 0 and moved:
        raise Wrong(
            "your function changes the weights without optimiser.step(), so without its momentum "
            "and weight decay"
        )
    if steps == 0 and np.linalg.norm(watched.own) > limit:
        raise Wrong(
            "the weights did not move: optimiser.step() is missing where the gradient is longer "
            "than clip_norm. Clip it, but do not leave the step out"
        )
    if steps == 0:
        raise Wrong("the weights did not move: optimiser.step() is missing")
    if steps > 1:
        raise Wrong(f"optimiser.step() is called {steps} times; once for each batch")
    if watched.events.index("step") < watched.events.index("backward"):
        raise Wrong("optimiser.step() comes before loss.backward(), which computes its gradient")


def _check_gradient(watched: Watched, limit: float) -> None:
    """The gradient at the step is this loss's, clipped."""
    found, own, norm = watched.at_step[0], watched.own, np.linalg.norm(watched.own)
    total = own + watched.stale
    candidates = {
        "": _clipped(own, limit),
        "the gradient is zeroed between backward and step, so nothing is left to step along": (
            0 * own
        ),
        "the gradient at the second step is that of both batches: gradients add up unless they are "
        "zeroed before backward": _clipped(total, limit),
        "the gradients of several batches add up unless they are zeroed before backward": total,
        "the gradient at optimiser.step() has the wrong sign; the step already goes against it": (
            -_clipped(own, limit)
        ),
        f"a gradient of norm {norm:.3g} is shorter than clip_norm = {limit:g}, and is stretched to "
        "it; only longer ones change": own * limit / norm,
        "each entry of the gradient is cut off at clip_norm, which turns the gradient; clip the "
        "norm of all weights together": np.clip(own, -limit, limit),
        "each tensor of weights is clipped alone, which turns the gradient; clip the norm of all "
        "weights together": watched.by_tensor(lambda part: _clipped(part, limit)),
    }
    for words, gradient in candidates.items():
        if np.linalg.norm(found - gradient) <= 1e-4 * np.linalg.norm(gradient):
            if words and np.linalg.norm(gradient - own) > 1e-4 * norm:
                raise Wrong(words)
            if not words:
                return
    length, wanted = apart(np.linalg.norm(found), min(norm, limit))
    if np.linalg.norm(found - own) <= 1e-4 * norm:
        late = np.linalg.norm(watched.gradient()) <= limit * 1.001
        raise Wrong(
            f"the gradient at optimiser.step() has norm {length}, clip_norm is {limit:g}: it is "
            + (
                "clipped only after the step"
                if late
                else "too long; clip the gradient of all weights, between backward and step"
            )
        )
    if found @ own > 0.9999 * np.linalg.norm(found) * norm:
        raise Wrong(
            f"the gradient at optimiser.step() has norm {length}, expected {wanted}; its norm is "
            "√(sum of the squares of all entries), of all weights together"
        )
    raise Wrong(
        "the gradient at optimiser.step() points elsewhere than this loss's: zero, backward, clip, "
        "step, in this order"
    )


def _check_norm(norm: float, expected: float, limit: float, loss: float, added: float) -> None:
    if same(norm, expected, 1e-3):
        return
    is_now, should_be = apart(norm, expected)
    what = ""
    if expected > limit and norm <= limit * 1.001:
        what = ", the norm after clipping"
    elif same(norm, expected**2, 1e-3):
        what = ", the square of the norm"
    elif same(norm, loss, 1e-3):
        what = ", the loss"
    elif same(norm, added, 1e-3):
        what = ", the sum of the tensors' norms"
    raise Wrong(f"you return {is_now}{what}; the gradient's norm before clipping is {should_be}")
