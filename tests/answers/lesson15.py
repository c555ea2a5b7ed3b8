"""Right answers of lesson 15 in other styles."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import rankdata
from torch import nn

from course_lib.models.stems import DEVIATION, MEAN, denormalised


def remove_as_lists(q, k, centre, fraction):
    """NumPy, image by image, sorted lists."""
    chosen = []
    for own_q, own_k in zip(q.double().numpy(), k.double().numpy(), strict=True):
        fits = np.einsum("hd,hnd->hn", own_q[:, centre], own_k) / math.sqrt(own_q.shape[-1])
        weights = np.exp(fits - fits.max(1, keepdims=True))
        row = (weights / weights.sum(1, keepdims=True)).mean(0)[own_q.shape[1] :]
        chosen.append(sorted(np.argsort(-row)[: math.ceil(fraction * len(row))].tolist()))
    return chosen


def remove_by_mask(q, k, centre, fraction):
    """A mask of those above the limit, and where it is true."""
    attention = torch.softmax(q @ k.mT / q.shape[3] ** 0.5, -1).mean(1)  # (B, Nz, Nz + Nx)
    row = attention[:, centre, q.shape[2] :]
    count = -int(-fraction * row.shape[1] // 1)
    least = row.sort(1, descending=True).values[:, count - 1 : count]
    return (row >= least).nonzero()[:, 1].view(len(row), count)


def remove_by_sums(q, k, centre, fraction):
    """A sum of the heads orders as their mean does; what is to go is taken away."""
    Nz, d = q.shape[2:]
    fits = (q[:, :, centre] * d**-0.5)[:, :, None].mul(k).sum(-1)  # (B, H, N)
    row = fits.softmax(2).sum(1)[:, Nz:]
    gone = row.argsort(1)[:, : row.shape[1] - math.ceil(row.shape[1] * fraction)]
    stays = torch.ones_like(row, dtype=torch.bool).scatter(1, gone, False)
    return torch.stack([torch.arange(row.shape[1])[own] for own in stays])


def put_back_by_index(tokens, stayed, count):
    """Images one by one, places by indexing."""
    rows = []
    for b in range(len(tokens)):
        places = torch.arange(count)
        for chosen in stayed:
            places = places[chosen[b]]
        rows.append(torch.zeros(count, tokens.shape[2]).index_copy(0, places, tokens[b]))
    return torch.stack(rows)


def put_back_in_steps(tokens, stayed, count):
    """The last removal is undone first, one after another."""
    counts = [count, *(chosen.shape[1] for chosen in stayed[:-1])]
    for chosen, before in zip(stayed[::-1], counts[::-1], strict=False):
        full = torch.zeros(len(tokens), before, tokens.shape[2])
        tokens = full.scatter(1, chosen[:, :, None].expand(-1, -1, tokens.shape[2]), tokens)
    return tokens.clone()


def put_back_by_product(tokens, stayed, count):
    """A matrix of zeros and ones for all removals."""
    matrix = torch.eye(count).expand(len(tokens), -1, -1)
    for chosen in stayed:
        matrix = torch.stack([own[:, places] for own, places in zip(matrix, chosen, strict=True)])
    return matrix @ tokens


def products_as_array(before, after, channels, ratio):
    """An array without axes, layer by layer."""
    weights = np.array([3 * channels**2, channels**2, 2 * ratio * channels**2])
    passes = np.array([before, before, after])
    return weights @ passes + 2 * channels * np.square(before)


def products_by_matrices(before, after, channels, ratio):
    """The shapes of all matrices that are multiplied."""
    inner = ratio * channels
    shapes = [(before, channels, channels)] * 4
    shapes += [(before, channels, before), (before, before, channels)]
    shapes += [(after, channels, inner), (after, inner, channels)]
    return sum(math.prod(shape) for shape in shapes)


def products_by_token(before, after, channels, ratio):
    """What one token costs, times their number."""
    first = channels * (4 * channels + 2 * before)
    return before * first + after * 2 * ratio * channels * channels


def area_as_array(scores, lost):
    """By ranks, as an array of one number."""
    ranks = rankdata(scores)
    n, m = lost.sum(), (~lost).sum()
    return np.array([1 - (ranks[lost].sum() - n * (n + 1) / 2) / (n * m)])


def area_by_pairs(scores, lost):
    """Pair by pair."""
    won = [
        1.0 if a < b else 0.5 if a == b else 0.0
        for a in scores[lost].tolist()
        for b in scores[~lost].tolist()
    ]
    return sum(won) / len(won)


def area_by_trapezoids(scores, lost):
    """The curve itself, and the trapezoids under it."""
    steps = np.unique(scores)
    found = np.array([0.0, *((scores[lost] <= s).mean() for s in steps)])
    false_alarm = np.array([0.0, *((scores[~lost] <= s).mean() for s in steps)])
    return float((np.diff(false_alarm) * (found[1:] + found[:-1]) / 2).sum())


class ListForOpenCV(nn.Module):
    """Buffers for the colours; the maps as a list."""

    def __init__(self, network):
        super().__init__()
        self.own = network
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", 255 * torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, template, search):
        """Score, size, offset."""
        z, x = (image * self.deviation + self.mean for image in (template, search))
        maps = self.own(z, x)
        return [maps.score, maps.size, maps.offset]


class MapsForOpenCV(nn.Module):
    """The network's maps as they are, and the library's function."""

    def __init__(self, network):
        super().__init__()
        self.add_module("network", network)

    def forward(self, template, search):
        """CentreMaps are a tuple."""
        return self.network(denormalised(template), denormalised(search))


class SplitForOpenCV(nn.Module):
    """Colour by colour, and the network's two steps."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def bright(self, image):
        """0 … 255."""
        colours = zip(image.split(1, 1), MEAN, DEVIATION, strict=True)
        return torch.cat([(c * d + m) * 255 for c, m, d in colours], 1)

    def forward(self, template, search):
        """Template first."""
        kept = self.network.template(self.bright(template))
        score, size, offset = self.network.search(kept, self.bright(search))
        return score, size, offset


RIGHT = {
    "deploy.remove": [remove_as_lists, remove_by_mask, remove_by_sums],
    "deploy.fault": [put_back_by_index, put_back_in_steps, put_back_by_product],
    "deploy.products": [products_as_array, products_by_matrices, products_by_token],
    "deploy.lost": [area_as_array, area_by_pairs, area_by_trapezoids],
    "deploy.export": [ListForOpenCV, MapsForOpenCV, SplitForOpenCV],
}
RANDOM: set[str] = set()
