"""The interface of networks that propose boxes: SiamRPN, SiamRPN++, SiamConcatRPN and
SiamBroadcastRPN."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from course_lib.geometry.anchors import place_anchors

if TYPE_CHECKING:
    from course_lib.models.proposals import Proposals


class ProposalNetwork(nn.Module, ABC):
    """Proposals for exemplars (B, 3, 127, 127) and search images (B, 3, S, S), values 0…255.

    Attributes:
        name: of its row in `models.networks.NETWORKS`.
        output: the kind of its output, which determines how it is trained: "proposals".
        only_search: the one size of search image it takes, pixels per side; None for any.
        variances: its offsets are divided by these, see `geometry.anchors.encode`.
        guided: whether both images need a fourth channel, a mask of the target's box (in the search
            image, of its last known box).
        has_map: whether it compares by correlation, so that a map of cosines underlies its scores.
        stride: pixels of the search image from one cell of the (first) map to the next.
        sizes: (k, 2) widths and heights of the anchors at each cell of the (first) map.
        about: its name and its constructor's arguments, see `models.networks.build`.
    """

    name: str
    output: str = "proposals"
    only_search: int | None = None
    variances: tuple[float, ...] = (1, 1, 1, 1)
    guided: bool = False
    has_map: bool = False
    stride: float
    sizes: np.ndarray
    about: dict[str, Any]

    @property
    def step(self) -> int:
        """Pixels between the sizes of search image that suit it, see `geometry.windows`."""
        return self.backbone.step

    @abstractmethod
    def cells(self, search: int = 255) -> int:
        """Cells per side of the (first) map for search images of `search` pixels."""

    def anchors(self, search: int = 255) -> np.ndarray:
        """Anchors (A, 4) in search pixels, in the order of the proposals."""
        return place_anchors(self.sizes, self.cells(search), self.stride, search / 2).reshape(-1, 4)

    @abstractmethod
    def template_features(self, exemplar: Tensor, search: int = 255) -> tuple[Tensor, ...]:
        """Template features of exemplars (B, 3, 127, 127), for search images of `search` pixels;
        computed once per sequence."""

    @abstractmethod
    def propose(self, template: tuple[Tensor, ...], search: Tensor) -> Proposals:
        """Proposals for search images (B, 3, S, S), from the template features of as many
        exemplars, or of one."""

    def correlation_map(self, template: tuple[Tensor, ...], search: Tensor) -> Tensor:
        """Cosines (B, n, n) of the correlation that underlies the scores, if the network
        `has_map`."""
        return self.propose(template, search).correlation_map()

    def forward(self, exemplar: Tensor, search: Tensor) -> Proposals:
        """Proposals for pairs, (B, 3, 127, 127) and (B, 3, S, S)."""
        return self.propose(self.template_features(exemplar, search.shape[-1]), search)
