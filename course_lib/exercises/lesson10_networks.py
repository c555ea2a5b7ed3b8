"""Checks of lesson 10: twins, CIResNet-22."""

from __future__ import annotations

from torch import nn

from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry.traced import traced_receptive_fields
from course_lib.models.cir import CIR, Crop


def make_twin(padded: bool, channels: int = 8) -> nn.Sequential:
    """Two twins of SiamFC's layers, without batch norms and ReLUs."""
    pad = int(padded)
    return nn.Sequential(
        nn.Conv2d(3, channels, 11, 2, 5 * pad),
        nn.MaxPool2d(3, 2, pad),
        nn.Conv2d(channels, channels, 5, 1, 2 * pad),
        nn.MaxPool2d(3, 2, pad),
        *(nn.Conv2d(channels, channels, 3, 1, pad) for _ in range(3)),
    )


def _relaid(change):
    """A mistake: the right network after `change` of its layers, (list of layers, *inputs)."""

    def build(right, *inputs):
        layers = list(right(*inputs))
        change(layers, *inputs)
        return nn.Sequential(*layers)

    return build


def _unpadded_poolings(layers, padded):
    """Poolings without padding."""
    layers[1].padding = layers[3].padding = 0


@check(
    "siamdw.twin",
    reference=make_twin,
    others={
        "pad the poolings too": _relaid(_unpadded_poolings),
        "has no padding": lambda right, padded: right(False),
        "differ in one thing only": lambda right, padded: right(padded, 8 + 4 * padded),
        "both twins need 87 and 8": _relaid(
            lambda layers, padded: layers.append(nn.Conv2d(8, 8, 3, 1, int(padded)))
        ),
        "expected 6 and 22": lambda right, padded: right(True),
        "should be a network": lambda right, padded: 3,
    },
)
def examine_twin(answer, rng) -> None:
    """Padded and unpadded twin."""
    counts = []
    for padded, size, far in ((False, 6, 22), (True, 16, 32)):
        name = "the padded twin" if padded else "the unpadded twin"
        network = answer(padded)
        _check_twin(network, name, size, far)
        counts.append(sum(p.numel() for p in network.parameters()))
    if counts[0] != counts[1]:
        raise Wrong(
            f"twins differ in one thing only; yours have {counts[0]} and {counts[1]} weights"
        )


def _check_twin(network: object, name: str, size: int, far: int) -> None:
    if not isinstance(network, nn.Module):
        raise Wrong(f"{name} should be a network; yours is {type(network).__name__}")
    z, x = traced_receptive_fields(network, 127)[-1], traced_receptive_fields(network, 255)[-1]
    if (z.field, z.stride) != (87, 8):
        raise Wrong(
            f"{name} has field {z.field} and stride {z.stride}; both twins need 87 and 8: padding "
            "changes neither"
        )
    if size == 16 and z.size == 15:
        raise Wrong(
            "your padded twin gives 15 cells for 127 pixels: pad the poolings too, by 1, and it is "
            "16"
        )
    if size == 16 and z.size == 6:
        raise Wrong(
            "your padded twin has no padding: half the kernel, rounded down, in every layer"
        )
    if (z.size, x.size) != (size, far):
        raise Wrong(
            f"{name} gives {z.size} and {x.size} cells for 127 and 255 pixels; expected {size} and "
            f"{far}"
        )


def assemble(first: int = 3, second: int = 4) -> nn.Sequential:
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


def _replaced(at: int, make):
    """A mistake: one layer is replaced by another."""
    return _relaid(lambda layers, *inputs: layers.__setitem__(at, make()))


@check(
    "siamdw.assemble",
    reference=assemble,
    others={
        "after the *first* unit": _relaid(
            lambda layers, first, second: layers.insert(5 + first, layers.pop(6 + first))
        ),
        "two cells on each side of the stem": _replaced(3, nn.Identity),
        "needs no bias": _replaced(0, lambda: nn.Conv2d(3, 64, 7, 2, 3)),
        "64 and 128 channels": _replaced(5, lambda: CIR(64, 32, 256)),
        "without a ReLU": _replaced(-1, lambda: CIR(512, 128, 512)),
        "the table says": [
            lambda right, first, second: right(first, second + 1),
            lambda right, first, second: right(3, 4),
        ],
    },
)
def examine_assemble(answer, rng) -> None:
    """CIResNet-16, -19 and -22."""
    for first, field, size, weights in ((3, 93, 5, 1_444_928), (1, 77, 7, 1_304_128)):
        name = f"CIResNet-{2 + 3 * (first + 4) - 1}"
        network = answer(first, 4)
        if not isinstance(network, nn.Module):
            raise Wrong(f"{name} should be a network; yours is {type(network).__name__}")
        _check_field(network, name, field, size)
        _check_weights(network, name, weights)


def _check_field(network: nn.Module, name: str, field: int, size: int) -> None:
    """The receptive field of its last cells, and how many they are."""
    last = traced_receptive_fields(network, 127)[-1]
    if last.stride != 8:
        raise Wrong(
            f"{name}: the stride is {last.stride}; stem, first pooling and the pooling after the "
            "CIR-D unit make 8"
        )
    if last.field == field + 8:
        raise Wrong(
            f"{name}: the field is {last.field} instead of {field}: the pooling comes after the "
            "*first* unit with 512 channels, not before it"
        )
    if last.size == size + 1 and last.field == field:
        raise Wrong(
            f"{name}: {last.size} cells instead of {size}: two cells on each side of the stem have "
            "seen padding"
        )
    if (last.field, last.size) != (field, size):
        raise Wrong(
            f"{name}: field {last.field}, {last.size} cells; the table says {field} and {size}"
        )


def _check_weights(network: nn.Module, name: str, weights: int) -> None:
    """How many weights it has, and its last unit."""
    count = sum(p.numel() for p in network.parameters())
    if count == weights + 64:
        raise Wrong(f"{name}: 64 weights too many: a convolution before a batch norm needs no bias")
    if count != weights:
        raise Wrong(
            f"{name}: {count:,} weights; expected {weights:,}: 64 and 128 channels inside, 256 and "
            "512 outside"
        )
    if isinstance(network, nn.Sequential) and not getattr(network[-1], "last", True):
        raise Wrong(
            f"{name}: the last unit ends without a ReLU (last=True), so that features can be "
            "negative"
        )
