"""The networks by name, each loaded when it is asked for.

A network's `about` holds its name and its constructor's arguments; they are written to the card of
its weights and suffice to rebuild it. To add a network, write a module, a row here and a test.
"""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from course_lib.lookup import load, row
from course_lib.models.backbones import backbone_arguments

NETWORKS = {
    "siamfc": "course_lib.models.siamfc:SiamFC",
    "siammargin": "course_lib.models.siammargin:SiamMargin",
    "siamrpn": "course_lib.models.siamrpn:SiamRPN",
    "siamrpn++": "course_lib.models.siamrpnpp:SiamRPNpp",
    "siamconcatrpn": "course_lib.models.concat_broadcast:SiamConcatRPN",
    "siambroadcastrpn": "course_lib.models.concat_broadcast:SiamBroadcastRPN",
    "atom": "course_lib.models.atom:ATOM",
    "dimp": "course_lib.models.dimp:DiMP",
    "onestream": "course_lib.models.onestream:OneStream",
}


def network_class(name: str) -> type[nn.Module]:
    """The class of a network; its module is imported now.

    Raises:
        SettingsError: if there is no network of that name.
    """
    return load(row(NETWORKS, name, "network"))


def network_arguments(about: dict[str, Any]) -> dict[str, Any]:
    """The entries of `about` that its network's constructor takes, the backbone's arguments
    included."""
    own = inspect.signature(network_class(about["network"])).parameters
    names = set(own)
    if "backbone" in own:
        names |= set(backbone_arguments(about.get("backbone", own["backbone"].default)))
    return {name: value for name, value in about.items() if name in names}


def build(about: dict[str, Any]) -> nn.Module:
    """A new network as described by `about`: a network's own `about`, or the card of its weights.

    Raises:
        KeyError: if `about` names no network.
        SettingsError: if there is no such network or backbone.
    """
    return network_class(about["network"])(**network_arguments(about))
