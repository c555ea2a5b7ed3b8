"""A stand-in for a proposal network, whose proposals differ so much from each other that each step
of the choice shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from course_lib.exercises.words import Wrong
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.runtime import ProposalRuntime

CELLS, SHAPES = 17, 5


class StandIn:
    """In place of a network: template matching on means of 8 × 8 pixels, and noise that changes
    with the search image, so that in each frame another proposal wins. Each anchor's offsets stay.

    Args:
        rng: of the noise and the offsets.
        growth: mean of dw and dh: below 0 most proposals are smaller than their anchors.
        largest: score; where all are small, the window decides.
    """

    def __init__(self, rng: np.random.Generator, growth: float, largest: float) -> None:
        self.largest = largest
        anchors = SHAPES, CELLS, CELLS
        self.offsets = rng.normal([0, 0, growth, growth], [0.15, 0.15, 0.35, 0.35], (*anchors, 4))
        self.views = rng.normal(0, 0.008, (16, (2 * (CELLS - 1)) ** 2))  # small: noise is smooth
        self.phases = rng.normal(0, 1, (3, *anchors, 16))

    def template_features(self, crop: np.ndarray, search: int) -> np.ndarray:
        """A grey image (16, 16) of the exemplar crop (127, 127, 3)."""
        _require_shape(crop, (EXEMPLAR, EXEMPLAR, 3), "runtime.template_features", "the crop")
        if search != SEARCH:
            raise Wrong(
                f"runtime.template_features gets {search}; it needs the size of the search image, "
                f"{SEARCH}"
            )
        return _shrunk(crop, CELLS - 1)

    def respond(self, template: np.ndarray, crops: np.ndarray) -> np.ndarray:
        """Scores and offsets (1, A, 5) of the anchors in search crops (1, 255, 255, 3)."""
        _require_shape(crops, (1, SEARCH, SEARCH, 3), "runtime.respond", "the search crops")
        image = _shrunk(crops[0], 2 * (CELLS - 1))  # (32, 32)
        likeness = cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED)  # (17, 17)
        # (5, 17, 17); a product, so that few anchors have a high value and these are anywhere
        noise = np.sin(self.phases @ (self.views @ image.ravel())).prod(0)
        scores = self.largest / (1 + np.exp(3 - 2 * likeness - 6 * noise))  # (5, 17, 17)
        return np.concatenate([scores[..., None], self.offsets], -1).reshape(1, -1, 5)


def _shrunk(crop: np.ndarray, size: int) -> np.ndarray:
    small = cv2.resize(
        np.asarray(crop, dtype=np.float32), (size, size), interpolation=cv2.INTER_AREA
    )
    return small @ np.float32([0.5, 0.3, 0.2])  # uneven, so that the order of the colours counts


def _require_shape(crop: Any, shape: tuple[int, ...], what: str, name: str) -> None:
    if np.shape(crop) != shape:
        raise Wrong(f"{what} gets {name} of shape {np.shape(crop)}; it needs {shape}")


ANCHORS: dict[int, np.ndarray] = {}  # by the size of the search image: found out once


@contextmanager
def in_place_of_networks(stand_in: StandIn) -> Iterator[None]:
    """Inside the block, every network that is ready to track proposes what the stand-in does."""
    own = {
        name: vars(ProposalRuntime)[name] for name in ("template_features", "respond", "anchors")
    }

    def anchors(runtime: ProposalRuntime, search: int) -> np.ndarray:
        if search not in ANCHORS:
            ANCHORS[search] = own["anchors"](runtime, search)
        return ANCHORS[search].copy()

    try:
        ProposalRuntime.template_features = lambda runtime, *given, **named: (
            stand_in.template_features(*given, **named)
        )
        ProposalRuntime.respond = lambda runtime, *given, **named: stand_in.respond(*given, **named)
        ProposalRuntime.anchors = anchors
        yield
    finally:
        for name, method in own.items():
            setattr(ProposalRuntime, name, method)
