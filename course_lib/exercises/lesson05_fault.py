"""Check of lesson 05: the fault in a measurement that leaves traces in the network."""

from __future__ import annotations

import copy
from collections.abc import Sequence as Items

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.compare import apart, as_number
from course_lib.exercises.core import check
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


class Log(list):
    """A list that a copy of its owner shares."""

    def __deepcopy__(self, memo):
        return self


class Norms(nn.Module):
    """A network that is only a batch norm over two channels of the search image, so that its peaks
    depend on whose statistics are used."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2)
        self.norm.running_var.copy_(torch.rand(2, generator=generator) * 4 + 0.2)
        self.norm.weight.data.copy_(torch.rand(2, generator=generator) * 2 + 0.1)
        self.modes = Log()

    def forward(self, exemplar, search):
        """Responses (B, n, n)."""
        self.modes.append(self.norm.training)
        return self.norm(search).sum(dim=1) + exemplar.mean(dim=(1, 2, 3))[:, None, None]


def _measured(network, batches, stride, radius) -> list[np.ndarray]:
    """Hits of each batch."""
    with torch.no_grad():
        return [(peak_distance(network(z, x), stride) <= radius).numpy() for z, x in batches]


def _fault(right, network, batches, stride, radius):
    """The fault itself."""
    return float(np.concatenate(_measured(network, batches, stride, radius)).mean())


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
    value = float(np.mean([hits.mean() for hits in _measured(network, *given)]))
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
        "the fraction of misses": lambda right, *given: 1 - right(*given),
        "the number of hits": lambda right, network, batches, *given: (
            right(network, batches, *given) * sum(len(z) for z, _ in batches)
        ),
    },
)
def examine_fault(answer, rng) -> None:
    """Hits of a network in training, and of one that is not."""
    for training, stride, radius in ((True, 8, 16.0), (False, 4, 8.0)):
        network, batches = _scene(rng, stride, radius)
        network.train(training)
        network.modes.clear()
        before = copy.deepcopy(network.state_dict())
        given = as_number(answer(network, batches, stride, radius), "the fraction of hits")
        modes = list(network.modes)
        _check_traces(network, modes, before, training)
        _check_value(given, network, batches, stride, radius)


def _scene(rng, stride: int, radius: float) -> tuple[Norms, list[tuple[Tensor, Tensor]]]:
    """A network and batches of 12, 12 and 5 pairs; a pair more and a pair less within the radius
    make a difference, and so does the size of the batches."""
    while True:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        network = Norms(generator).eval()
        batches = [
            (torch.rand(n, 3, 4, 4, generator=generator), _search(n, generator))
            for n in (12, 12, 5)
        ]
        hits = _measured(network, batches, stride, radius)
        inside = _measured(network, batches, stride, radius - 0.5)
        value = np.concatenate(hits).mean()
        if (
            0.2 < value < 0.8
            and value != 0.5
            and np.concatenate(inside).mean() != value
            and np.concatenate(_measured(network, batches, 4, 16.0)).mean() < 1
            and abs(np.mean([h.mean() for h in hits]) - value) > 0.005
        ):
            return network, batches


def _search(n: int, generator: torch.Generator) -> Tensor:
    """Search images (n, 2, 9, 9), brighter towards their centre."""
    away = (torch.arange(9) - 4.0).abs()
    return torch.rand(n, 2, 9, 9, generator=generator) - 0.05 * (away[:, None] + away)


def _check_traces(network: Norms, modes: list[bool], before: dict, training: bool) -> None:
    """Measured in evaluation mode, and nothing of the network is changed."""
    if not modes:
        raise Wrong("the network was never called: network(exemplar, search)")
    if any(modes):
        raise Wrong(
            "the fault is still there: the network measures in training mode, where each batch norm "
            "uses the statistics of the batch it is given, so a pair's response depends on the "
            "others in its batch"
        )
    if any(not torch.equal(value, before[name]) for name, value in network.state_dict().items()):
        raise Wrong("measuring changes the network's weights or statistics: only look at it")
    if not all(p.requires_grad for p in network.parameters()):
        raise Wrong(
            "the weights no longer require a gradient, so training cannot go on: put that back"
        )
    if network.training is not training:
        raise Wrong(
            "the network stays in evaluation mode, and training goes on with batch norms that no "
            "longer learn: put it back"
            if training
            else "the network was in evaluation mode before, and is in training mode now: leave it "
            "in the mode it came in (network.training says which)"
        )


def _check_value(given: float, network: Norms, batches: list, stride: int, radius: float) -> None:
    was, _ = network.training, network.eval()
    settings = ((stride, radius), (stride, radius - 0.5), (1, radius), (8, radius), (stride, 16.0))
    hits, inside, in_cells, by_8, to_16 = (_measured(network, batches, *s) for s in settings)
    network.train(was)
    right = float(np.concatenate(hits).mean())
    if abs(given - right) < 1e-6:
        return
    readings = {
        "the mean of the batches' fractions; the last batch is smaller, so count all pairs alike": (
            np.mean([h.mean() for h in hits])
        ),
        "the fraction below the radius; a hit is at most the radius away": (
            np.concatenate(inside).mean()
        ),
        "the fraction with the distance in cells; it is in pixels": np.concatenate(in_cells).mean(),
        f"the fraction with 8 pixels a cell; here it is {stride}": np.concatenate(by_8).mean(),
        f"the fraction within 16 pixels; here the radius is {radius:g}": (
            np.concatenate(to_16).mean()
        ),
        "the fraction of misses": 1 - right,
        "the number of hits, not their fraction": np.concatenate(hits).sum(),
    }
    found = [f", {words}" for words, v in readings.items() if abs(given - v) < 1e-6]
    what = found[0] if len(found) == 1 else ""  # two readings may give one number
    is_now, should_be = apart(given, right)
    raise Wrong(f"you return {is_now}{what}; the fraction of hits is {should_be}")
