"""One-stream networks ready to track: batch norms folded, NumPy crops in, NumPy maps out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from course_lib.models.device import Placement
from course_lib.models.runtime import Runtime, fold_all
from course_lib.models.stream_template import Template

if TYPE_CHECKING:
    from course_lib.models.onestream import OneStream


class StreamRuntime(Runtime):
    """A trained one-stream network ready to track.

    Args:
        network: trained; it is changed in place, because its batch norms are folded.
        placement: where it runs, and in what precision.
    """

    outputs, lacks, wanted = ("centres",), "makes no centre maps", "a onestream"

    def __init__(self, network: OneStream, placement: Placement) -> None:
        super().__init__(network, placement)
        self.network = placement.network(fold_all(network)).to(self.dtype)

    @torch.inference_mode()
    def template_tokens(self, crop: np.ndarray) -> Tensor:
        """Tokens (1, 64, C) of a template crop (128, 128, 3)."""
        return self.network.tokens(self._images(crop[None]), self.network.place_z)

    @torch.inference_mode()
    def prepared(self, tokens: Tensor) -> Template:
        """What search images need of the tokens (1, Nz, C) of one or more templates."""
        return self.network.prepared(tokens)

    @torch.inference_mode()
    def respond(self, template: Template, crops: np.ndarray) -> np.ndarray:
        """Maps (N, 5, n, n) for search crops (N, 256, 256, 3): score, width and height, offset
        along x and y."""
        maps = self.network.search(Template(*template), self._images(crops)).float()
        return torch.cat([maps.score, maps.size, maps.offset], 1).cpu().numpy()
