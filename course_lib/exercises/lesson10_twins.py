"""Checks of lesson 10: twins, compared by what they compute with the same weights."""

from __future__ import annotations

from torch import nn

from course_lib.exercises.core import check
from course_lib.exercises.outputs import Cut, Outputs, relaid, require_layers
from course_lib.exercises.words import Wrong

PADDED = 0, 2, 4, 5, 6  # the convolutions among a twin's layers


def make_twin(padded: bool, channels: int = 8) -> nn.Module:
    """Two twins of SiamFC's layers, without batch norms and ReLUs."""
    pad = int(padded)
    return nn.Sequential(
        nn.Conv2d(3, channels, 11, 2, 5 * pad),
        nn.MaxPool2d(3, 2, pad),
        nn.Conv2d(channels, channels, 5, 1, 2 * pad),
        nn.MaxPool2d(3, 2, pad),
        *(nn.Conv2d(channels, channels, 3, 1, pad) for _ in range(3)),
    )


def _poolings(make):
    """A mistake: both poolings of a twin are replaced by make(padding)."""
    return relaid(
        lambda layers, padded, *_: layers.__setitem__(
            slice(1, 4, 2), [make(int(padded)) for _ in range(2)]
        )
    )


def _paddings(value):
    """A mistake: convolutions of a twin are padded by value(kernel)."""

    def change(layers, padded, *_):
        for layer in (layers[k] for k in (0, 2, 4, 5, 6)):
            layer.padding = (padded * value(layer.kernel_size[0]),) * 2

    return relaid(change)


def _one(at: int, make):
    """A mistake: one layer of a twin is replaced by make(it, padding of a pooling)."""
    return relaid(lambda layers, padded, *_: layers.__setitem__(at, make(layers[at], int(padded))))


def _unpadded(layer, _):
    """The layer without padding."""
    layer.padding = 0 if isinstance(layer, nn.MaxPool2d) else (0, 0)
    return layer


def _padded_by(mode: str, *which: int):
    """A mistake: some convolutions of a twin are padded with something else than zeros."""

    def change(layers, padded, *_):
        for k in which if padded else ():
            old = layers[k]
            layers[k] = nn.Conv2d(
                old.in_channels,
                old.out_channels,
                old.kernel_size,
                old.stride,
                old.padding,
                bias=old.bias is not None,
                padding_mode=mode,
            )

    return relaid(change)


def _inserted(at: int, make):
    """A mistake: a layer more."""
    return relaid(lambda layers, *inputs: layers.insert(at, make()))


def _with_relus(layers, *inputs):
    """A ReLU behind every convolution but the last."""
    for k in (5, 4, 2, 0):
        layers.insert(k + 1, nn.ReLU())


def _zeros_before_poolings(layers, padded, *_):
    """Poolings over zeros, which win against negative features."""
    for k in (3, 1):
        layers[k].padding = 0
        layers.insert(k, nn.ZeroPad2d(int(padded)))


@check(
    "siamdw.twin",
    reference=make_twin,
    mistakes={
        "{name} gives {shape[2]} × {shape[3]} cells for {pixels} pixels; its poolings are not "
        "padded: pad them too, by 1": _poolings(lambda padding: nn.MaxPool2d(3, 2)),
        "{name} has no padding: pad every layer by half its kernel, rounded down": (
            lambda right, padded, *channels: right(False, *channels)
        ),
        "{name} is padded; `padded` is False": lambda right, padded, *channels: right(
            True, *channels
        ),
        "half the kernel is 5 for 11, 2 for 5 and 1 for 3; you pad every layer by 1": _paddings(
            lambda kernel: 1
        ),
        "half the kernel, rounded *down*: 5 for 11, 2 for 5 and 1 for 3": [
            _paddings(lambda kernel: (kernel + 1) // 2),
            _paddings(lambda kernel: kernel - 1),
        ],
        "{name} is padded with zeros; yours repeats or mirrors what is inside": [
            _padded_by(mode, *which)
            for mode in ("replicate", "reflect", "circular")
            for which in (PADDED, *((k,) for k in PADDED))
        ],
        "one of the paddings is missing or too small in {name}": [
            _one(k, _unpadded) for k in range(7)
        ],
        "your poolings compare with zeros at the border; padding=1 of nn.MaxPool2d adds nothing "
        "that could win": relaid(_zeros_before_poolings),
        "your poolings take the mean; SiamFC's take the maximum": [
            _poolings(lambda padding: nn.AvgPool2d(3, 2, padding)),
            *(_one(k, lambda _, pad: nn.AvgPool2d(3, 2, pad)) for k in (1, 3)),
            *(_one(k, lambda _, pad: nn.AvgPool2d(3, 2, pad, False, False)) for k in (1, 3)),
            _poolings(lambda padding: nn.AvgPool2d(3, 2, padding, count_include_pad=False)),
        ],
        "the first convolution should have stride 2": relaid(
            lambda layers, *inputs: setattr(layers[0], "stride", (1, 1))
        ),
        "the poolings should have stride 2": _poolings(lambda padding: nn.MaxPool2d(3, 1, padding)),
        "the poolings are 3 × 3 with stride 2; yours are 2 × 2": [
            _poolings(lambda padding: nn.MaxPool2d(2, 2, padding)),
            _poolings(lambda padding: nn.MaxPool2d(2, 2)),
        ],
        "there are ReLUs in {name}; the exercise leaves them out": [
            relaid(_with_relus),
            *(_inserted(k, nn.ReLU) for k in (1, 2, 3, 4, 5, 6, 7)),
            *(_inserted(k, nn.LeakyReLU) for k in (1, 2, 3, 4, 5, 6, 7)),
            relaid(lambda layers, *inputs: (_with_relus(layers), layers.append(nn.ReLU()))),
        ],
        "{name} lacks a pooling: one comes after the first convolution, one after the second": [
            relaid(lambda layers, *inputs: layers.pop(1)),
            relaid(lambda layers, *inputs: layers.pop(3)),
        ],
    },
    others={
        "has batch norms": relaid(lambda layers, *inputs: layers.insert(1, nn.BatchNorm2d(8))),
        "2 × `weight` of shape": relaid(lambda layers, *inputs: layers.pop()),
        "4 × `weight` of shape": relaid(
            lambda layers, padded, channels=8: layers.append(
                nn.Conv2d(channels, channels, 3, 1, int(padded))
            )
        ),
        "`channels` is 6": lambda right, padded, *channels: right(padded),
        "`channels` is 8": lambda right, padded, channels=8: right(padded, channels + 4 * padded),
        "does not reach `0.weight`": relaid(lambda layers, *inputs: layers.insert(3, Cut())),
        "one and the same weights": relaid(
            lambda layers, *inputs: layers.__setitem__(slice(5, 7), layers[4:5] * 2)
        ),
        "should be a network": lambda right, padded, channels=8: 3,
    },
)
def examine_twin(answer, rng) -> None:
    """Padded and unpadded twin, in two widths and for two images."""
    for padded, *channels in ((False,), (True,), (False, 6), (True, 6)):
        name = "the padded twin" if padded else "the unpadded twin"
        weights = require_layers(answer(padded, *channels), name)
        if any(path.endswith("running_mean") for path in weights):
            raise Wrong(f"{name} has batch norms; the exercise leaves them out")
        width, widths = (channels or [8])[0], {len(w) for w in weights.values() if w.ndim == 4}
        if width not in widths:
            raise Wrong(
                f"`channels` is {width} here, and {name} has convolutions to {sorted(widths)} "
                "channels"
            )
        bare = not any(path.endswith("bias") for path in weights)
        right = answer.right(padded, *channels)
        outputs = Outputs(right, 96 if channels else 127, name, bare)
        outputs.examine(answer, (padded, *channels))
