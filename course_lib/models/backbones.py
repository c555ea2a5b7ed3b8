"""The backbones by name, each loaded when it is asked for.

To add one, write a subclass of `Backbone` and add a row here; tests/unit/test_backbones.py then
checks that it keeps the promises of every backbone.
"""

from __future__ import annotations

import inspect
from typing import Any

from course_lib.errors import SettingsError
from course_lib.lookup import load, row
from course_lib.models.backbone import Backbone

CIR = "course_lib.models.cir:CIRNetwork"
TWIN = "course_lib.models.twins:TwinNetwork"
CIR_NAMES = (
    *("ciresnet16", "ciresnet19", "ciresnet22", "ciresnet22w"),
    *("ciresinception22", "ciresnext22", "ciresnet43"),
)
TWIN_COLUMNS = {"alexnet": 10, "resnet": 9}  # columns of SiamDW's table

# name: where its class is, and the constructor arguments that the name determines
BACKBONES: dict[str, tuple[str, dict[str, Any]]] = {
    "alexnet": ("course_lib.models.alexnet:AlexNet", {}),
    "resnet18": ("course_lib.models.resnet:ResNet18", {}),
    "resnet50": ("course_lib.models.resnet:DilatedResNet50", {}),
    "lite0": ("course_lib.models.lite0:EfficientNetLite0", {}),
    "convstem": ("course_lib.models.stems:ConvStem", {}),
    "patches": ("course_lib.models.stems:PatchEmbedding", {}),
    **{name: (CIR, {"name": name}) for name in CIR_NAMES},
    **{
        f"twin-{family}-{k}": (TWIN, {"family": family, "column": k})
        for family, columns in TWIN_COLUMNS.items()
        for k in range(1, columns + 1)
    },
}


def backbone_class(name: str) -> type[Backbone]:
    """The class of a backbone; its module is imported now.

    Raises:
        SettingsError: if there is no backbone of that name.
    """
    return load(row(BACKBONES, name, "backbone")[0])


def backbone_arguments(name: str) -> tuple[str, ...]:
    """The names of the arguments that a backbone takes."""
    decided = row(BACKBONES, name, "backbone")[1]
    return tuple(n for n in inspect.signature(backbone_class(name)).parameters if n not in decided)


def make_backbone(name: str, **arguments: Any) -> Backbone:
    """A new backbone. Its `about` holds its name and all its arguments, defaults included.

    Args:
        name: a key of BACKBONES.
        **arguments: of its constructor.

    Raises:
        SettingsError: if there is no backbone of that name, or it does not take such an argument.
    """
    kind, known = backbone_class(name), backbone_arguments(name)
    if unknown := [n for n in arguments if n not in known]:
        raise SettingsError(
            f"backbone {name} does not take {', '.join(unknown)}; it takes "
            f"{', '.join(known) or 'nothing'}"
        )
    bound = inspect.signature(kind).bind(**BACKBONES[name][1], **arguments)
    bound.apply_defaults()
    backbone = kind(**bound.arguments)
    given = {n: bound.arguments[n] for n in known}
    # lists instead of tuples, as JSON returns them
    backbone.about = {"backbone": name} | {
        n: list(v) if isinstance(v, tuple) else v for n, v in given.items()
    }
    return backbone
