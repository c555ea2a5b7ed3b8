"""Backbones by name: "alexnet", the CIR networks ("ciresnet22", …) and the twins ("twin-alexnet-5",
"twin-resnet-4", …)."""

from __future__ import annotations

import re
from functools import lru_cache

from course_lib.errors import SettingsError
from course_lib.geometry.traced import live_reception
from course_lib.models.alexnet import WIDTHS, AlexNet
from course_lib.models.backbone import Backbone
from course_lib.models.cir import PLANS, CIRNetwork
from course_lib.models.twins import TwinNetwork


def make_backbone(name: str, share: float = 1.0) -> Backbone:
    """A fresh backbone with a share of its channels.

    Raises SettingsError if there is none of that name.
    """
    if name in PLANS:
        return CIRNetwork(name, share)
    if twin := re.fullmatch(r"twin-(\w+)-(\d+)", name):
        return TwinNetwork(twin[1], int(twin[2]), share)
    if name == "alexnet":
        return AlexNet(widths=tuple(round(share * width) for width in WIDTHS))
    raise SettingsError(
        f"backbone is {name!r}; expected alexnet, {', '.join(PLANS)}, or a twin such as "
        "twin-alexnet-5 or twin-resnet-4"
    )


@lru_cache(maxsize=64)
def cells_of(name: str, size: int) -> int:
    """Cells a side of a backbone's map for pictures of `size` pixels; they do not depend on its
    channels."""
    return live_reception(make_backbone(name, 0.125), size)[-1].size
