"""Checks of lesson 05: one step of gradient descent."""

from __future__ import annotations

import copy

import numpy as np

from course_lib.exercises.compare import apart, as_number, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson05_resume import small_network, small_optimiser, weights_of
from course_lib.exercises.step_mistakes import OTHERS
from course_lib.exercises.watched_step import Watched, gradient_amiss
from course_lib.exercises.words import Wrong
from course_lib.training import step


@check(
    "training.descend",
    reference=step.descend,
    others=OTHERS,
)
def examine_descend(answer, rng) -> None:
    """Gradient, clip, step: with gradients shorter and longer than the limit."""
    network, optimiser, x = small_network(rng)
    rate = float(rng.uniform(0.02, 0.05))
    optimiser.param_groups[0]["lr"] = rate
    # the gradient of another loss is still there
    (network(x[:, [1, 2, 0]] ** 3) - 1).square().mean().backward()
    twin = copy.deepcopy(network)
    twin_optimiser = small_optimiser(twin)
    twin_optimiser.param_groups[0]["lr"] = rate
    given = []
    for factor, relative, training in STEPS:
        network.train(training), twin.train(training)
        loss, own = ((of(x) * factor).square().mean() for of in (network, twin))
        watched, before, value = Watched(network, optimiser, loss), weights_of(network), loss.item()
        limit = float(f"{relative * float(np.linalg.norm(watched.own)):.3g}")
        norm = answer(network, optimiser, loss, limit)
        watched.handle.remove()
        expected = answer.right(twin, twin_optimiser, own, limit)
        _check_events(watched, before, weights_of(network), limit)
        if words := gradient_amiss(watched, limit):
            raise Wrong(words)
        if {module.training for module in network.modules()} != {training}:
            raise Wrong("your function puts the network into another mode; leave it as it was")
        if optimiser.param_groups[0]["lr"] != rate:
            raise Wrong(
                "your function changes the optimiser's settings, such as its rate: leave them to "
                "the loop"
            )
        if not same(weights_of(network), weights_of(twin), 1e-4):
            raise Wrong(
                "the gradient is right, but the weights did not move as expected: does your "
                "function change the weights or the optimiser besides optimiser.step()?"
            )
        if getattr(norm, "requires_grad", False):
            raise Wrong(
                "you return a tensor that keeps the whole graph of this step in memory; return a "
                "float"
            )
        added = float(sum(np.linalg.norm(part) for part in watched.parts(watched.own)))
        given.append((as_number(norm, "the norm"), expected, limit, value, added))
    for of_step in given:
        _check_norm(*of_step)


# of each step: a factor of the responses, clip_norm over the gradient's norm, the network's mode
STEPS = ((1.0, 2.8, True), (1.5, 0.4, True), (0.01, 1.7, False), (2.0, 0.02, True))


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
    if steps == 0 and np.linalg.norm(watched.own) < 0.01:
        raise Wrong("the weights did not move: call optimiser.step() however short the gradient is")
    if steps == 0:
        raise Wrong("the weights did not move: optimiser.step() is missing")
    if steps > 1:
        raise Wrong(f"optimiser.step() is called {steps} times; call it once for each batch")
    if watched.events.index("step") < watched.events.index("backward"):
        raise Wrong("optimiser.step() comes before loss.backward(), which computes its gradient")


def _check_norm(norm: float, expected: float, limit: float, loss: float, added: float) -> None:
    if abs(norm - expected) <= 1e-3 * expected:
        return
    is_now, should_be = apart(norm, expected)
    what = ""
    if expected > limit and norm <= limit * 1.001:
        what = ", the norm after clipping"
    elif same(norm, expected**2, 1e-3):
        what = ", the square of the norm"
    elif same(norm, limit, 1e-6):
        what = ", clip_norm"
    elif same(norm, min(1, limit / expected), 1e-3):
        what = ", the factor of the clipping"
    elif same(norm, loss, 1e-3):
        what = ", the loss"
    elif same(norm, added, 1e-3):
        what = ", the sum of the tensors' norms"
    raise Wrong(f"you return {is_now}{what}; the gradient's norm before clipping is {should_be}")
