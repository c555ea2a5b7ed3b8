"""Check of lesson 15's module with the inputs and outputs of OpenCV's tracker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.compare import as_parts, as_tensor, copied, require_untouched
from course_lib.exercises.core import check
from course_lib.exercises.networks import randomised
from course_lib.exercises.words import Wrong
from course_lib.models.export import ForOpenCV
from course_lib.models.onestream import SEARCH, TEMPLATE, OneStream
from course_lib.models.stems import DEVIATION, MEAN, denormalised, normalised
from course_lib.trackers.onestream import hann

NAMES = "the score", "the size", "the offset"


def for_opencv(network: OneStream) -> nn.Module:
    """A network with the inputs and outputs of `cv2.TrackerVit`: normalised images (B, 3, S, S) in;
    score, size and offset out."""
    return ForOpenCV(network)


class _Wrapped(nn.Module):
    """A mistake: the module with a part changed.

    Args:
        network: one-stream network.
        image: normalised image → what the network is given.
        maps: the network's maps → what is returned.
        search: the same as `image` for the search image; None if it is the same.
    """

    def __init__(self, network: nn.Module, image: Callable, maps: Callable, search: Any) -> None:
        super().__init__()
        self.network, self.image, self.maps = network, image, maps
        self.search_image = search or image

    def forward(self, template: Tensor, search: Tensor) -> Any:
        """What the mistake returns."""
        return self.maps(self.network(self.image(template), self.search_image(search)))


def _with(
    image: Callable = denormalised, maps: Callable = tuple, search: Any = None
) -> Callable[..., nn.Module]:
    """A mistake: other inputs of the network, or other outputs."""
    return lambda right, network: _Wrapped(network, image, maps, search)


def _channels(values: tuple[float, ...]) -> Tensor:
    """(3, 1, 1)."""
    return torch.tensor(values)[:, None, None]


MU, SIGMA = _channels(MEAN), _channels(DEVIATION)


class _Apart:
    """A mistake: a class that is no module."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, template: Tensor, search: Tensor) -> tuple[Tensor, ...]:
        """The right maps."""
        return tuple(self.network(denormalised(template), denormalised(search)))


@check(
    "deploy.export",
    reference=for_opencv,
    learns=False,
    mistakes={
        "your network is given normalised images as they come; it expects values 0…255, and "
        "normalises them itself where it needs to": _with(image=lambda i: i),
        "your images go from 0 to 1; the network expects values up to 255": (
            _with(image=lambda i: i * SIGMA + MU)
        ),
        "the images had values 0…1 when they were normalised: undo mean and deviation first, then "
        "multiply by 255": [
            _with(image=lambda i: 255 * i * SIGMA + MU),
            _with(image=lambda i: i * SIGMA + 255 * MU),
        ],
        "×255 alone undoes nothing: mean and deviation of each colour are still in the images": (
            _with(image=lambda i: 255 * i)
        ),
        "your images are normalised a second time; undo it: times the deviation, plus the mean": [
            _with(image=normalised),
            _with(image=lambda i: (i - MU) / SIGMA),
            _with(image=lambda i: 255 * (i - MU) / SIGMA),
        ],
        "OpenCV subtracted the mean and divided by the deviation; undo it: *times* the deviation, "
        "*plus* the mean": [
            _with(image=lambda i: 255 * (i / SIGMA + MU)),
            _with(image=lambda i: 255 * (i * SIGMA - MU)),
        ],
        "undone in the wrong order: to undo (image − mean) / deviation, multiply by the deviation "
        "first, then add the mean": [
            _with(image=lambda i: 255 * (i + MU) * SIGMA),
        ],
        "only one of the two is undone: times the deviation, plus the mean": [
            _with(image=lambda i: 255 * (i + MU)),
            _with(image=lambda i: 255 * i * SIGMA),
        ],
        "mean and deviation have changed places": _with(image=lambda i: 255 * (i * MU + SIGMA)),
        "every colour has a mean and a deviation of its own: shape (3, 1, 1)": [
            _with(image=lambda i: 255 * (i * SIGMA.mean() + MU.mean())),
            _with(image=lambda i: 255 * (i * SIGMA.flip(0) + MU.flip(0))),
        ],
        "the images are RGB already, as the network wants them: leave the colours in their order": _with(
            image=lambda i: denormalised(i).flip(1)
        ),
        "both images come normalised; you undo that for only one of them": [
            _with(search=lambda i: i),
            _with(image=lambda i: i, search=denormalised),
        ],
        "score and size have been through their sigmoids in the network; yours go through another "
        "one": [
            _with(maps=lambda m: (m.score.sigmoid(), m.size, m.offset)),
            _with(maps=lambda m: (m.score.sigmoid(), m.size.sigmoid(), m.offset)),
            _with(maps=lambda m: (m.score, m.size.sigmoid(), m.offset)),
        ],
        "OpenCV applies no sigmoid: the score and the size leave the network as they are": [
            _with(maps=lambda m: (m.score.logit(), m.size, m.offset)),
            _with(maps=lambda m: (m.score.logit(), m.size.logit(), m.offset)),
        ],
        "the order is score, size, offset": _with(maps=lambda m: (m.score, m.offset, m.size)),
        "OpenCV multiplies the score by a window of its own; yours would be a second one": _with(
            maps=lambda m: (m.score * torch.from_numpy(hann(16)).float(), m.size, m.offset)
        ),
        "the size stays a fraction of the search image, the offset a number of cells": [
            _with(maps=lambda m: (m.score, SEARCH * m.size, m.offset)),
            _with(maps=lambda m: (m.score, m.size, m.offset / 16)),
            _with(maps=lambda m: (m.score, 16 * m.size, 16 * m.offset)),
        ],
        "an offset may be negative: no sigmoid there": (
            _with(maps=lambda m: (m.score, m.size, m.offset.sigmoid()))
        ),
        "x comes before y in the size and in the offset, as the network has them": (
            _with(maps=lambda m: (m.score, m.size.flip(1), m.offset.flip(1)))
        ),
    },
    others={
        "should be an nn.Module": lambda right, network: _Apart(network),
        "return the score, the size, the offset": _with(maps=lambda m: (m.score, m.size)),
        "the score has shape": _with(maps=lambda m: (m.score[:, 0], m.size, m.offset)),
        "the size has shape": _with(maps=lambda m: (m.score, m.size[:, :1], m.offset)),
        "changes `template`": _with(image=lambda i: i.mul_(SIGMA).add_(MU).mul_(255)),
        "should be a tensor": _with(maps=lambda m: tuple(part.detach().numpy() for part in m)),
    },
)
def examine_export(answer, rng: np.random.Generator) -> None:
    """Normalised images through a small network of random weights."""
    network = OneStream(dim=16, layers=1, attention_heads=1, ratio=1, width=8)
    network = randomised(network, int(rng.integers(2**31))).eval().requires_grad_(False)
    images = [
        normalised(torch.from_numpy(rng.uniform(0, 255, (1, 3, side, side))).float())
        for side in (TEMPLATE, SEARCH)
    ]
    shapes = [(1, count, 16, 16) for count in (1, 2, 2)]

    def ask(f, network, *images):
        module = f(network)
        if not isinstance(module, nn.Module):
            raise Wrong(
                f"ForOpenCV(network) should be an nn.Module; yours is of type "
                f"{type(module).__name__}: class ForOpenCV(nn.Module), and super().__init__() first"
            )
        before = copied(images)
        maps = module.eval()(*images)
        for name, was, now in zip(("template", "search"), before, images, strict=True):
            require_untouched(was, now, f"`{name}`")
        return maps

    def read(given):
        parts = zip(as_parts(given, *NAMES), shapes, NAMES, strict=True)
        return tuple(as_tensor(part, shape, name) for part, shape, name in parts)

    answer.compare((network, *images), NAMES, read, call=ask, tolerance=1e-4, near=1e-5)
