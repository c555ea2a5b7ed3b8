"""One step of gradient descent, watched: what an answer does, and what is wrong with its
gradient."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.compare import apart


class Watched:
    """What an answer does between its call and its return: backward passes, and the gradient of
    all weights (N,) at each step of the optimiser.

    Attributes:
        events: "backward" and "step", in order.
        into: the gradient that each backward pass begins with, 1 if it begins at the loss itself.
        own: the gradient of this loss alone.
        stale: the gradient that was there before; zeros if there was none.
        values: the weights before.
        at_step: the gradient at each step.

    Args:
        network: whose weights are learned.
        optimiser: of its weights.
        loss: computed with the network.
    """

    def __init__(self, network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        self.weights = list(network.parameters())
        own = torch.autograd.grad(loss, self.weights, retain_graph=True)
        self.own, self.stale = flat(own), self.gradient()
        self.values = flat(self.weights)
        self.events: list[str] = []
        self.into: list[float] = []
        self.at_step: list[np.ndarray] = []
        loss.register_hook(self._of_loss)
        # after the step: an answer may compute the gradient in a closure that the step calls
        self.handle = optimiser.register_step_post_hook(self._after_step)

    def gradient(self) -> np.ndarray:
        """The gradient (N,) as it is now; 0 for a weight that has none."""
        return flat([torch.zeros_like(p) if p.grad is None else p.grad for p in self.weights])

    def _of_loss(self, gradient: Tensor) -> None:
        self.events.append("backward")
        self.into.append(float(gradient))

    def _after_step(self, *_) -> None:
        self.events.append("step")
        self.at_step.append(self.gradient())

    def parts(self, gradient: np.ndarray) -> list[np.ndarray]:
        """A gradient (N,) split into those of the weights' tensors."""
        return np.split(gradient, np.cumsum([p.numel() for p in self.weights])[:-1])


def flat(tensors: Iterable[Tensor]) -> np.ndarray:
    """All numbers of some tensors (N,)."""
    return torch.cat([t.detach().double().flatten() for t in tensors]).numpy().copy()


def _clipped(gradient: np.ndarray, limit: float, norm: float | None = None) -> np.ndarray:
    return gradient * min(1.0, limit / (np.linalg.norm(gradient) if norm is None else norm))


def _close(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-4) -> bool:
    """Whether two gradients (N,) agree."""
    return bool(np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b))


def gradient_amiss(watched: Watched, limit: float) -> str:
    """What is wrong with the gradient at the step, which should be this loss's, clipped; ""
    if nothing is."""
    found, own = watched.at_step[0], watched.own
    norm, length = (float(np.linalg.norm(gradient)) for gradient in (own, found))
    if _close(found, _clipped(own, limit)):
        return ""
    if words := _changed_loss(watched):
        return words
    for words, gradient in _candidates(watched, limit).items():
        if _close(found, gradient) and not _close(gradient, own):
            return words
    if measured := _measured(watched, limit):
        return (
            f"you clip by {measured}; the norm is √(sum of the squares of all entries), of all "
            "weights together"
        )
    is_now, should_be = apart(length, min(norm, limit))
    if _close(found, own):
        late = np.linalg.norm(watched.gradient()) <= limit * 1.001
        tail = (
            "clipped only after the step"
            if late
            else "too long; clip the gradient of all weights, between backward and step"
        )
        return (
            f"the gradient at optimiser.step() has norm {is_now}, clip_norm is {limit:g}: it is "
            f"{tail}"
        )
    if _close(found / length, own / norm, 1e-5):
        return (
            f"the gradient at optimiser.step() has norm {is_now}, expected {should_be}: its own "
            "norm, or clip_norm if that is less. The norm is √(sum of the squares of all "
            "entries), of all weights together"
        )
    return _mixture(watched)


def _changed_loss(watched: Watched) -> str:
    """The message for a backward pass that does not begin at the loss as it is."""
    factor = sum(watched.into)
    if len(watched.into) > 1:
        return f"loss.backward() runs {len(watched.into)} times; call it once for each batch"
    if factor == -1:
        return (
            "the gradient at optimiser.step() has the wrong sign; the step already goes against it"
        )
    if factor != 1:
        return (
            f"you change the loss before backward, which multiplies its gradient by {factor:.3g}: "
            "leave the loss as it is, and clip the gradient"
        )
    return ""


def _candidates(watched: Watched, limit: float) -> dict[str, np.ndarray]:
    """Wrong gradients, with the message for each."""
    own, parts = watched.own, watched.parts(watched.own)
    norm, total = np.linalg.norm(own), own + watched.stale
    added = (
        "the gradient at the step is that of this loss and the one that was there before your "
        "function: gradients add up unless they are zeroed before backward"
    )
    return {
        "the gradient is zeroed between backward and step, so nothing is left to step along": (
            0 * own
        ),
        added: _clipped(total, limit),
        f"{added}. Nor is it clipped": total,
        f"a gradient of norm {norm:.3g} is shorter than clip_norm = {limit:g}, and is scaled up to "
        "it; clipping changes only longer ones": own * limit / norm,
        "each entry of the gradient is cut off at clip_norm, which changes its direction; clip the "
        "norm of the gradient of all weights together": np.clip(own, -limit, limit),
        "each tensor of weights is clipped alone, which changes the gradient's direction; clip the "
        "norm of the gradient of all weights "
        "together": np.concatenate([_clipped(part, limit) for part in parts]),
        **{
            f"you clip at {fixed:g} whatever clip_norm is": _clipped(own, fixed)
            for fixed in (0.1, 0.5, 1.0, 5.0, 10.0)
        },
    }


def _measured(watched: Watched, limit: float) -> str:
    """What the gradient is clipped by, if that is another measure of it than its norm."""
    own, found = watched.own, watched.at_step[0]
    norms = [float(np.linalg.norm(part)) for part in watched.parts(own)]
    measures = {
        "the sum of the tensors' norms": sum(norms),
        "the largest of the tensors' norms": max(norms),
        "the largest entry": np.abs(own).max(),
        "the sum of all absolute values": np.abs(own).sum(),
        "the square of the norm": np.linalg.norm(own) ** 2,
    }
    fitting = [n for n, v in measures.items() if v > limit and _close(found, own * limit / v)]
    return " or ".join(fitting)


def _mixture(watched: Watched) -> str:
    """The message for a gradient that points elsewhere."""
    found, own = watched.at_step[0], watched.own
    for words, other in (
        ("the gradient that was there before: zero it before backward", watched.stale),
        ("the weights; the optimiser sees to weight decay itself", watched.values),
    ):
        shares = np.linalg.lstsq(np.stack([own, other], 1), found, rcond=None)[0]
        if other.any() and _close(found, shares @ np.stack([own, other]), 1e-5):
            return f"to this loss's gradient you add {shares[1] / shares[0]:.3g} times {words}"
    if any(
        own.any() and not mine.any()
        for mine, own in zip(*map(watched.parts, (found, own)), strict=True)
    ):
        return (
            "at optimiser.step() some weights have no gradient: loss.backward() gives one to each"
        )
    each = zip(watched.parts(found), watched.parts(own), strict=True)
    if all(_close(mine, own * (mine @ own) / (own @ own), 1e-4) for mine, own in each if own.any()):
        return (
            "the tensors of the gradient are shortened differently, or some not at all, which "
            "changes its direction; clip the norm of the gradient of all weights together"
        )
    return (
        "the gradient at optimiser.step() points in another direction than this loss's: zero, "
        "backward, clip, step, in this order"
    )
