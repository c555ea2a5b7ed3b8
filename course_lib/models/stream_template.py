"""Sizes of a one-stream tracker's images, and what is kept of its template: all that tracking needs
to know of the network, which is loaded by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from course_lib.models.attention import KeysValues

TEMPLATE, SEARCH = 128, 256  # pixels per side of template and search image
PATCH = 16  # pixels per token
FACTOR = 2.0  # side of the template in √(w · h); the search image has the same scale
CELLS = SEARCH // PATCH  # per side of the map
TEMPLATE_TOKENS = (TEMPLATE // PATCH) ** 2


class Template(NamedTuple):
    """What is kept of a template.

    Attributes:
        tokens: (B, Nz, C) before the first block.
        kept: keys and values of each block, where the template looks only at itself; else empty.
        queries: (B, H, Nz, d) of each block, likewise.
    """

    tokens: Tensor
    kept: tuple[KeysValues, ...] = ()
    queries: tuple[Tensor, ...] = ()
