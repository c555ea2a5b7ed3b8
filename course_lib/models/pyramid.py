"""Two maps of one image, the second with twice the stride, and where their cells lie in the image.

A box is refined on a fine map, which knows where edges are, and a coarse one, which knows what they
belong to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from course_lib.geometry.windows import EXEMPLAR
from course_lib.lookup import load

if TYPE_CHECKING:
    from course_lib.models.backbone import Backbone


class MapPlace(NamedTuple):
    """Where the cells of a map lie in the image.

    Attributes:
        channels: of the map.
        stride: pixels from one cell to the next.
        start: pixel at the centre of the first cell; continuous, so that pixel number 0 has its
            centre at 0.5.
    """

    channels: int
    stride: float
    start: float

    def cells(self, boxes: Tensor) -> Tensor:
        """Boxes (..., 4) or points (..., 2), given in pixels of the image, in cells of the map,
        where the centre of cell k is at k."""
        return torch.cat([(boxes[..., :2] - self.start), boxes[..., 2:]], -1) / self.stride

    def pixels(self, cells: Tensor) -> Tensor:
        """The way back: boxes (..., 4) or points (..., 2) in pixels of the image."""
        pixels = cells * self.stride
        return torch.cat([pixels[..., :2] + self.start, pixels[..., 2:]], -1)


def places_of(backbone: Backbone) -> tuple[MapPlace, MapPlace]:
    """Where the cells of the two maps of `backbone.pyramid` lie.

    A backbone that has no maps of its own choice gives φ and the means over 2 × 2 of its cells;
    where φ begins follows from its layers.
    """
    if backbone.pyramid_places:
        return backbone.pyramid_places
    traced = load("course_lib.geometry.traced:traced_receptive_fields")
    start, stride = traced(backbone, EXEMPLAR)[-1].start, backbone.stride
    fine = MapPlace(backbone.channels, stride, start)
    return fine, MapPlace(backbone.channels, 2 * stride, start + stride / 2)
