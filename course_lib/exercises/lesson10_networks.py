"""Checks of lesson 10: CIResNet-22, compared by what it computes with the same weights."""

from __future__ import annotations

from torch import Tensor, nn

from course_lib.exercises.core import check
from course_lib.exercises.outputs import Cut, Outputs, relaid, require_layers
from course_lib.exercises.words import Wrong
from course_lib.models.cir import CIR, Crop


def assemble(first: int = 3, second: int = 4) -> nn.Module:
    """CIResNet with `first` and `second` units before and after the second halving: (3, 4) is
    CIResNet-22."""
    units = [CIR(64 if k == 0 else 256, 64, 256) for k in range(first)]
    deep = [CIR(512, 128, 512, last=k == second - 1) for k in range(1, second)]
    return nn.Sequential(
        *(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            Crop(2),
            nn.MaxPool2d(2),
        ),
        *(*units, CIR(256, 128, 512), nn.MaxPool2d(2), *deep),
    )


def _moved(before: int, after: int):
    """A mistake: a layer stands in another place. Places count from the end if below 0, and from
    the CIR-D unit if 100 or more."""

    def change(layers, first=3, second=4):
        old, new = (k - 100 + 5 + first if k > 50 else k for k in (before, after))
        layers.insert(new, layers.pop(old))

    return relaid(change)


def _replaced(at: int, make):
    """A mistake: one layer is replaced by make(it). Places as in `_moved`."""

    def change(layers, first=3, second=4):
        k = at - 100 + 5 + first if at > 50 else at
        layers[k] = make(layers[k])

    return relaid(change)


def _without_relu(unit: CIR) -> CIR:
    unit.last = True
    return unit


def _with_relu(unit: CIR) -> CIR:
    unit.last = False
    return unit


def _last_first(layers, first=3, second=4):
    """The ReLU is missing at the wrong end of the second stage."""
    _without_relu(layers[5 + first + 2])
    _with_relu(layers[-1])


def _last_all(layers, first=3, second=4):
    """No unit after the CIR-D unit has a ReLU."""
    for unit in layers[5 + first + 2 :]:
        _without_relu(unit)


def _without_stem(layers, *inputs):
    """A stem without padding and crop."""
    layers[0].padding, layers[3] = (0, 0), nn.Identity()


def _uncropped(layers, *inputs):
    """Ordinary residual units."""
    for layer in layers:
        if isinstance(layer, CIR):
            layer.crop = 0


def _repeated(layers, first=3, second=4):
    """One unit in the place of all those between CIR-D and the last."""
    layers[7 + first : -1] = [layers[7 + first]] * (second - 2)


CIR_D = 100  # the place of the unit before the second pooling


@check(
    "siamdw.assemble",
    reference=assemble,
    mistakes={
        "{name}: the stem's ReLU is missing, between its batch norm and the crop": _replaced(
            2, lambda layer: nn.Identity()
        ),
        "{name}: the stem's batch norm comes before its ReLU": _moved(2, 1),
        "{name}: the second pooling comes after the *first* unit with 512 channels, not before "
        "it": _moved(CIR_D + 1, CIR_D),
        "{name}: the second pooling comes after the *first* unit with 512 channels, not after "
        "more": [_moved(CIR_D + 1, CIR_D + 2), _moved(CIR_D + 1, 1000)],
        "{name}: two cells on each side of the stem have seen padding: Crop(2)": [
            _replaced(3, lambda layer: nn.Identity()),
            _replaced(3, lambda layer: Crop(1)),
            _replaced(3, lambda layer: Crop(3)),
        ],
        "{name}: the stem is padded by 3 and cropped by 2; yours is not padded": [
            relaid(_without_stem),
            relaid(lambda layers, *inputs: setattr(layers[0], "padding", (0, 0))),
        ],
        "{name}: the stem's pooling is missing": _replaced(4, lambda layer: nn.Identity()),
        "{name}: the pooling after the CIR-D unit is missing": _replaced(
            CIR_D + 1, lambda layer: nn.Identity()
        ),
        "{name}: both poolings take the maximum of 2 × 2 cells": [
            _replaced(4, lambda layer: nn.AvgPool2d(2)),
            _replaced(CIR_D + 1, lambda layer: nn.AvgPool2d(2)),
            _replaced(4, lambda layer: nn.MaxPool2d(3, 2)),
            _replaced(CIR_D + 1, lambda layer: nn.MaxPool2d(3, 2)),
            _replaced(4, lambda layer: nn.MaxPool2d(3, 2, 1)),
        ],
        "{name}: the very last unit ends without a ReLU (last=True), so that features can be "
        "negative": _replaced(-1, _with_relu),
        "{name}: a ReLU of the stem sets what is below 0 to 0, and leaves what is above": [
            _replaced(2, lambda layer: nn.LeakyReLU(0.01)),
            _replaced(2, lambda layer: nn.LeakyReLU(0.1)),
            _replaced(2, lambda layer: nn.ReLU6()),
            _replaced(2, lambda layer: nn.GELU()),
        ],
        "{name}: only the very last unit ends without a ReLU": [
            relaid(_last_first),
            relaid(_last_all),
            relaid(
                lambda layers, *inputs: [_without_relu(c) for c in layers if isinstance(c, CIR)]
            ),
            _replaced(-2, _without_relu),
            _replaced(CIR_D - 1, _without_relu),
            _replaced(CIR_D, _without_relu),
        ],
        "{name}: your units are not cropped": relaid(_uncropped),
        "{name}: the stem is cropped after its batch norm; in training the norm's statistics are "
        "those of all cells": _moved(3, 1),
    },
    others={
        "has a bias": [
            _replaced(0, lambda layer: nn.Conv2d(3, 64, 7, 2, 3)),
            relaid(lambda layers, *inputs: layers.insert(5, nn.Conv2d(64, 64, 1))),
        ],
        "no batch norm with running statistics": [
            _replaced(1, lambda layer: nn.GroupNorm(1, 64)),
            _replaced(1, lambda layer: nn.InstanceNorm2d(64, affine=True)),
            _replaced(1, lambda layer: nn.BatchNorm2d(64, track_running_stats=False)),
        ],
        "leave affine=True": _replaced(1, lambda layer: nn.BatchNorm2d(64, affine=False)),
        "makes one of a list": lambda right, *units: nn.ModuleList(right(*units)),
        "with 128 channels inside": [
            lambda right, first=3, second=4: right(first, second + 1),
            lambda right, first=3, second=4: right(first),
        ],
        "with 64 channels inside": [
            _replaced(5, lambda layer: CIR(64, 32, 256)),
            lambda right, first=3, second=4: right(first + 1, second),
            lambda right, first=3, second=4: right(3, second),
        ],
        "does not reach `0.weight`": relaid(lambda layers, *inputs: layers.insert(6, Cut())),
        "has 17 batch norms": _replaced(1, lambda layer: nn.Identity()),
        "one and the same weights": [
            relaid(lambda layers, *inputs: layers.__setitem__(-1, layers[-2])),
            relaid(_repeated),
        ],
        "should be a network": lambda right, first=3, second=4: 3,
    },
)
def examine_assemble(answer, rng) -> None:
    """CIResNets of several depths."""
    for first, second, pixels in ((1, 4, 87), (3, 2, 72)):
        name = f"CIResNet-{1 + 3 * (first + second)} ({first} and {second} units)"
        weights = require_layers(answer(first, second), name)
        _check_units(weights, name, first, second)
        outputs = Outputs(answer.right(first, second), pixels, name)
        outputs.examine(answer, (first, second), learns=first == 1)


def _check_units(weights: dict[str, Tensor], name: str, first: int, second: int) -> None:
    """How many units there are, and what stands in the stem."""
    shapes = [tuple(w.shape) for w in weights.values()]
    for inside, units, argument in ((64, first, "first"), (128, second, "second")):
        found = shapes.count((inside, inside, 3, 3))
        if found != units:
            raise Wrong(
                f"{name}: {found} unit{'s' * (found != 1)} with {inside} channels inside; "
                f"`{argument}` is {units}"
            )
    norms = 0
    for path, weight in weights.items():
        module, _, kind = path.rpartition(".")
        if kind == "bias" and weights[f"{module}.weight"].ndim == 4:
            raise Wrong(
                f"{name}: the convolution `{module}` has a bias; the stem's has none (bias=False), "
                "and there is no other outside the units"
            )
        if kind == "weight" and weight.ndim == 1:
            norms += 1
            if f"{module}.running_mean" not in weights:
                raise Wrong(
                    f"{name}: `{module}` is no batch norm with running statistics; the stem's is "
                    "nn.BatchNorm2d(64), as it comes"
                )
        if kind == "running_mean" and f"{module}.weight" not in weights:
            raise Wrong(f"{name}: the batch norm `{module}` has no weights; leave affine=True")
    if norms != 3 * (first + second) + 3:
        raise Wrong(
            f"{name} has {norms} batch norms; the stem has one behind its convolution, and the "
            "others are inside the units"
        )
