"""A small network and pairs on which hits are counted, and what the count is by mistake."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.words import Wrong
from course_lib.models.losses import peak_distance


class Log(list):
    """A list that a copy of its owner shares."""

    def __deepcopy__(self, memo):
        return self


class Norms(nn.Module):
    """A network that is only a batch norm over two channels of the search image, so that its peaks
    depend on whose statistics are used; the exemplar, and the scale of the images, count as
    well."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2)
        self.norm.running_var.copy_(torch.rand(2, generator=generator) * 4 + 0.2)
        self.norm.weight.data.copy_(torch.rand(2, generator=generator) * 2 + 0.1)
        self.modes = Log()

    def forward(self, exemplar: Tensor, search: Tensor) -> Tensor:
        """Responses (B, n, n)."""
        if exemplar.shape[1] != 3:
            raise Wrong("the network gets its images in the other order: network(exemplar, search)")
        self.modes.append(self.norm.training)
        wide = nn.functional.interpolate(exemplar, search.shape[-2:]).mean(dim=1)  # (B, n, n)
        return self.norm(search).exp().sum(dim=1) + wide


Batches = list[tuple[Tensor, Tensor]]  # exemplars (B, 3, 4, 4) and search images (B, 2, n, n)


def measured(network: Norms, batches: Batches, stride: float, radius: float) -> list[np.ndarray]:
    """Hits of each batch, in the mode that the network is in.

    Args:
        network: to be called.
        batches: of exemplars and search images.
        stride: pixels from cell to cell.
        radius: of a hit, pixels.
    """
    with torch.no_grad():
        return [(peak_distance(network(z, x), stride) <= radius).numpy() for z, x in batches]


def scene(rng: np.random.Generator, stride: int, radius: float) -> tuple[Norms, Batches]:
    """A network and batches of 12, 12 and 5 pairs; a pair more and a pair less within the radius
    make a difference, and so does the size of the batches.

    Args:
        rng: of all that is random.
        stride: pixels from cell to cell.
        radius: of a hit, pixels.
    """
    while True:
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        network = Norms(generator).eval()
        batches = [
            (torch.rand(n, 3, 4, 4, generator=generator), _search(n, generator))
            for n in (12, 12, 5)
        ]
        value, others = readings(network, batches, stride, radius)
        if (
            0.2 < value < 0.8
            and abs(value - 0.5) > 0.01
            and min(abs(others[name] - value) for name in EVERYWHERE) > 0.005
        ):
            return network, batches


def _search(n: int, generator: torch.Generator) -> Tensor:
    """Search images (n, 2, 9, 9), brighter towards their centre."""
    away = (torch.arange(9) - 4.0).abs()
    return torch.rand(n, 2, 9, 9, generator=generator) - 0.05 * (away[:, None] + away)


BATCHES = "the mean of the batches' fractions; the last batch is smaller, so count all pairs alike"
BELOW = "the fraction below the radius; a hit is at most the radius away"
SCALED = "the fraction of images divided by 255; the network takes them as they are"
EVERYWHERE = (BATCHES, BELOW, SCALED)  # what every scene must show


def readings(
    network: Norms, batches: Batches, stride: int, radius: float
) -> tuple[float, dict[str, float]]:
    """The fraction of hits, and what it is read as by mistake.

    Args:
        network: in any mode, in which it stays.
        batches: of exemplars and search images.
        stride: pixels from cell to cell.
        radius: of a hit, pixels.
    """
    was, _ = network.training, network.eval()

    def fraction(batches: Batches, *settings: float) -> float:
        return float(np.concatenate(measured(network, batches, *settings)).mean())

    hits = measured(network, batches, stride, radius)
    right, dim = fraction(batches, stride, radius), [(z / 255, x / 255) for z, x in batches]
    found = {
        BATCHES: float(np.mean([h.mean() for h in hits])),
        BELOW: fraction(batches, stride, radius - 0.5),
        SCALED: fraction(dim, stride, radius),
        "the fraction with the distance or the radius in cells; both are in pixels": (
            fraction(batches, 1, radius)
        ),
        "the fraction with 8 pixels a cell, whatever `stride` is": fraction(batches, 8, radius),
        "the fraction within 16 pixels, whatever `radius` is": fraction(batches, stride, 16.0),
        "the fraction of misses": 1 - right,
        "the number of hits, not their fraction": float(np.concatenate(hits).sum()),
        "a percentage; a fraction is asked for": 100 * right,
        "the fraction of the first batch alone": float(hits[0].mean()),
        "the fraction of the last batch alone": float(hits[-1].mean()),
        "the fraction without the last batch": fraction(batches[:-1], stride, radius),
        "the number of hits divided by the number of batches times the first batch's size": float(
            np.concatenate(hits).sum() / (len(hits) * len(hits[0]))
        ),
    }
    network.train(was)
    return right, found
