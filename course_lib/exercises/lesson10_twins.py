"""Checks of lesson 10: twins, compared by what they compute with the same weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.exercises.compare import as_tensor, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.networks import randomised, require_learning, with_weights_of
from course_lib.exercises.trial import Trial
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


def relaid(change):
    """A mistake: the right network after `change` of its layers, (list of layers, *inputs)."""

    def build(right, *inputs):
        layers = list(right(*inputs))
        change(layers, *inputs)
        return nn.Sequential(*layers)

    return build


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


class Cut(nn.Module):
    """A mistake: nothing reaches the layers before this one."""

    def forward(self, x: Tensor) -> Tensor:
        """x."""
        return x.detach()


class Outputs:
    """What the networks of an exercise compute, with the weights of the right one.

    Args:
        right: the right network.
        pixels: per side of the image that it is shown.
        name: of the network, in messages.
        bare: whether convolutions have no biases, where the text leaves that open.
    """

    def __init__(self, right: nn.Module, pixels: int, name: str, bare: bool = False) -> None:
        self.bare, self.train = bare, False
        self.right, self.name = randomised(self._stripped(right)), name
        self.image = torch.randn(2, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def __call__(self, build, *inputs) -> Tensor:
        """The output of the network that `build` makes."""
        network = self._stripped(build(*inputs))
        met = self.image if isinstance(build, Trial) else None  # ours work in the order made
        network = with_weights_of(network, self.right, self.name, met)
        try:
            return network.train(self.train)(self.image)
        except NotImplementedError:  # a kind of RuntimeError
            raise
        except RuntimeError as problem:
            said = str(problem).splitlines()[0]
            raise Wrong(
                f"{self.name} cannot take an image of {self.image.shape[-1]} pixels. PyTorch says: "
                f"{said}"
            ) from None

    def _stripped(self, network: nn.Module) -> nn.Module:
        for module in network.modules() if self.bare else ():
            if isinstance(module, nn.Conv2d):
                module.bias = None
        return network

    def examine(self, answer, inputs: tuple, learns: bool = True, **facts) -> None:
        """Compare an answer's network with the right one.

        Args:
            answer: on trial.
            inputs: of it.
            learns: whether to look at training mode and gradients as well.
            facts: for the braces in messages.
        """
        facts |= {"name": self.name, "pixels": self.image.shape[-1]}
        for self.train in (False, True)[: 1 + learns]:
            what = f"the output of {self.name}" + self.train * " in training mode"
            read = lambda given, what=what: as_tensor(given, shape_of(given) or (), what)  # noqa: E731
            answer.compare(inputs, what, read, call=self, tolerance=1e-4, **facts)
        if learns:
            network, what = self._stripped(answer(*inputs)), f"the output of {self.name}"
            require_learning(network, self.right.eval(), self.image, what)


def require_layers(network: object, name: str) -> dict[str, Tensor]:
    """The weights of a network; raises Wrong if it is none, or if some of its layers are one and
    the same."""
    if not isinstance(network, nn.Module) or isinstance(network, (nn.ModuleList, nn.ModuleDict)):
        raise Wrong(
            f"{name} should be a network; yours is {type(network).__name__}. "
            "nn.Sequential(*layers) makes one of a list"
        )
    weights, paths = network.state_dict(keep_vars=True), {}
    for path, weight in weights.items():
        if id(weight) in paths:
            raise Wrong(
                f"{name}: `{paths[id(weight)]}` and `{path}` are one and the same weights: "
                "[layer] * 2 repeats a layer; make a new one for each place"
            )
        paths[id(weight)] = path
    return weights


@check(
    "siamdw.twin",
    reference=make_twin,
    mistakes={
        "{name} gives {shape[2]} × {shape[3]} cells for {pixels} pixels; its poolings are not "
        "padded: pad them too, by 1": _poolings(lambda padding: nn.MaxPool2d(3, 2)),
        "{name} has no padding: half the kernel, rounded down, in every layer": (
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
        "the first convolution has stride 2": relaid(
            lambda layers, *inputs: setattr(layers[0], "stride", (1, 1))
        ),
        "the poolings have stride 2": _poolings(lambda padding: nn.MaxPool2d(3, 1, padding)),
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
