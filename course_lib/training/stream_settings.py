"""Settings for training one-stream networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from course_lib.errors import SettingsError
from course_lib.recipe import Count, Range, Settings

Channels = Annotated[int, Range(1, 4096)]


@dataclass(frozen=True)
class StreamSettings(Settings):
    """Of network onestream, see `models.onestream.OneStream`; the defaults are the size "d128"."""

    dim: Channels = 128  # channels of a token
    layers: Annotated[int, Range(1, 48)] = 4
    attention_heads: Annotated[int, Range(1, 64)] = 4
    # channels inside a block's second half, in multiples of dim
    ratio: Annotated[float, Range(0.25, 8)] = 2.0
    width: Annotated[int, Range(8, 4096)] = 64  # channels of the head's first convolutions
    positions: bool = True  # whether tokens know where they lie
    joint: bool = True  # whether template and search image attend to one another
    asymmetric: bool = False  # whether the template attends to itself only
    eliminate: tuple[Count, ...] = ()  # blocks, from 1, in which search tokens are removed
    keep: Annotated[float, Range(0.05, 1)] = 0.7  # fraction of them that stays at each

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dim % self.attention_heads:
            raise SettingsError(
                f"stream: dim is {self.dim}, attention_heads is {self.attention_heads}; expected a "
                "dim that the heads can share equally"
            )
        if self.width % 8:
            raise SettingsError(f"stream: width is {self.width}; expected a multiple of 8")
        if any(k > self.layers for k in self.eliminate):
            raise SettingsError(
                f"stream: eliminate is {self.eliminate}, but there are {self.layers} layers; "
                f"expected numbers from 1 to {self.layers}"
            )
