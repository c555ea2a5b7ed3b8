"""Check of lesson 05: the fault in a measurement that leaves traces in the network."""

from __future__ import annotations

import copy
from collections.abc import Sequence as Items

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.compare import apart, as_number
from course_lib.exercises.core import check
from course_lib.exercises.hits import Norms, measured, readings, scene
from course_lib.exercises.words import Wrong
from course_lib.models.losses import peak_distance


def fraction_of_hits(
    network: nn.Module, batches: Items[tuple[Tensor, Tensor]], stride: int, radius: float
) -> float:
    """Fraction of pairs whose response peaks near its centre; the network stays as it is.

    Args:
        network: called as network(exemplar, search), gives responses (B, n, n).
        batches: of exemplars and search images, as the network takes them.
        stride: pixels of the search image from cell to cell.
        radius: largest distance of a hit's peak from the centre, pixels.
    """
    was_training = network.training
    network.eval()
    with torch.no_grad():
        distances = [peak_distance(network(z, x), stride) for z, x in batches]
    network.train(was_training)
    return float((torch.cat(distances) <= radius).float().mean())


def _fault(right, network, batches, stride, radius):
    """The fault itself."""
    return float(np.concatenate(measured(network, batches, stride, radius)).mean())


def _never_back(right, network, *given):
    return _fault(right, network.eval(), *given)


def _always_training(right, network, *given):
    value = right(network, *given)
    network.train()
    return value


def _on_a_copy(right, network, *given):
    return _fault(right, copy.deepcopy(network), *given)


def _put_back(right, network, *given):
    before = copy.deepcopy(network.state_dict())
    value = _fault(right, network, *given)
    network.load_state_dict(before)
    return value


def _too_late(right, network, *given):
    value = _fault(right, network, *given)
    network.eval()
    network.train()
    return value


def _mean_of_means(right, network, *given):
    was, _ = network.training, network.eval()
    value = float(np.mean([hits.mean() for hits in measured(network, *given)]))
    network.train(was)
    return value


@check(
    "training.fault",
    reference=fraction_of_hits,
    others={
        "the fault is still there": [
            lambda *given: _fault(*given),
            _on_a_copy,
            _put_back,
            _too_late,
        ],
        "stays in evaluation mode": _never_back,
        "leave it in the mode it came in": _always_training,
        "the mean of the batches' fractions": _mean_of_means,
        "at most the radius": lambda right, network, batches, stride, radius: right(
            network, batches, stride, radius - 0.5
        ),
        "in cells": lambda right, network, batches, stride, radius: right(
            network, batches, 1, radius
        ),
        "with 8 pixels a cell": lambda right, network, batches, stride, radius: right(
            network, batches, 8, radius
        ),
        "within 16 pixels": lambda right, network, batches, stride, radius: right(
            network, batches, stride, 16.0
        ),
        "no longer require a gradient": lambda right, network, *given: right(
            network.requires_grad_(False), *given
        ),
        "the gradients": lambda right, network, *given: (
            right(network, *given),
            network.zero_grad(),
        )[0],
        "only its batch norm": lambda right, network, *given: (
            right(network, *given),
            network.norm.eval(),
        )[0],
        "the fraction of images divided by 255": lambda right, network, batches, *given: right(
            network, [(z / 255, x / 255) for z, x in batches], *given
        ),
        "in the other order": lambda right, network, batches, *given: right(
            network, [(x, z) for z, x in batches], *given
        ),
        "of the first batch alone": lambda right, network, batches, *given: right(
            network, batches[:1], *given
        ),
        "of the last batch alone": lambda right, network, batches, *given: right(
            network, batches[-1:], *given
        ),
        "without the last batch": lambda right, network, batches, *given: right(
            network, batches[:-1], *given
        ),
        "a percentage": lambda right, *given: 100 * right(*given),
        "always 0 or 1": lambda right, *given: round(right(*given)),
        "the fraction of misses": lambda right, *given: 1 - right(*given),
        "the number of hits": lambda right, network, batches, *given: (
            right(network, batches, *given) * sum(len(z) for z, _ in batches)
        ),
    },
)
def examine_fault(answer, rng) -> None:
    """Hits of a network in training, and of one that is not."""
    rows = []  # of each scene: what the answer returns, what is right, and other readings
    for training, stride, radius in ((True, 8, 16.0), (False, 4, 8.0), (True, 2, 4.0)):
        network, batches = scene(rng, stride, radius)
        network.train(training)
        network.modes.clear()
        for weight in network.parameters():
            weight.grad = torch.ones_like(weight)
        before = copy.deepcopy(network.state_dict())
        given = as_number(answer(network, batches, stride, radius), "the fraction of hits")
        modes = list(network.modes)
        _check_traces(network, modes, before, training)
        rows.append((given, *readings(network, batches, stride, radius)))
    _check_values(rows)


def _check_traces(network: Norms, modes: list[bool], before: dict, training: bool) -> None:
    """Measured in evaluation mode, and nothing of the network is changed."""
    if not modes:
        raise Wrong("the network was never called: network(exemplar, search)")
    if any(modes):
        raise Wrong(
            "the fault is still there: the network measures in training mode, where each batch "
            "norm uses the statistics of the batch it is given, so a pair's response depends on "
            "the others in its batch"
        )
    if any(not torch.equal(value, before[name]) for name, value in network.state_dict().items()):
        raise Wrong("measuring changes the network's weights or statistics: leave them as they are")
    if not all(p.requires_grad for p in network.parameters()):
        raise Wrong(
            "the weights no longer require a gradient, so training cannot go on: put that back"
        )
    if any(p.grad is None or not bool((p.grad == 1).all()) for p in network.parameters()):
        raise Wrong(
            "measuring changes the gradients that training has gathered in the weights: leave them"
        )
    if network.training is not training:
        raise Wrong(
            "the network stays in evaluation mode, and training goes on with batch norms that no "
            "longer learn: put it back"
            if training
            else "the network was in evaluation mode before, and is in training mode now: leave it "
            "in the mode it came in (network.training says which)"
        )
    if network.norm.training is not training:
        raise Wrong(
            "the network is back in its mode; only its batch norm is not: network.train(…) and "
            "network.eval() reach every layer"
        )


def _check_values(rows: list[tuple[float, float, dict[str, float]]]) -> None:
    """Raise Wrong naming the one reading that gives what was returned in every scene."""
    amiss = [(given, right) for given, right, _ in rows if abs(given - right) > 1e-6]
    if not amiss:
        return
    found = [
        words
        for words in rows[0][2]
        if np.allclose([given for given, *_ in rows], [of[words] for *_, of in rows], atol=1e-6)
    ]
    what = f", {found[0]}" if len(found) == 1 else ""  # two readings may give the same numbers
    if {given for given, *_ in rows} <= {0.0, 1.0}:
        what = ", and always 0 or 1: count the hits"
    is_now, should_be = apart(*amiss[0])
    raise Wrong(f"you return {is_now}{what}; the fraction of hits is {should_be}")
