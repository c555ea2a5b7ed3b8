"""Check of lesson 04: the backbone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.layer_table import layer_amiss, require_sizes
from course_lib.exercises.networks import randomised, require_learning, with_weights_of
from course_lib.exercises.words import Wrong
from course_lib.models import alexnet


def _changed(**layers):
    """A mistake: the right network with some layers replaced."""

    def build(right):
        network = right()
        for name, layer in layers.items():
            setattr(network, name, layer)
        return network

    return build


def _padded(right):
    """A mistake: conv3 is padded."""
    network = right()
    network.conv3.padding = (1, 1)
    return network


class _Shared(nn.Module):
    """A mistake: one batch norm for two layers."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        network.bn4 = network.bn3
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image)


class _Scaled(nn.Module):
    """A mistake: images are changed on the way in."""

    def __init__(self, network: nn.Module, change) -> None:
        super().__init__()
        self.network, self.change = network, change

    def forward(self, image: Tensor) -> Tensor:
        return self.network(self.change(image))


class _Otherwise(nn.Module):
    """A mistake: conv1 to conv4 with other steps after the convolution, steps(network, k, x)."""

    def __init__(self, network: nn.Module, steps) -> None:
        super().__init__()
        self.network, self.steps = network, steps

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for k in range(1, 5):
            x = self.steps(self.network, k, getattr(self.network, f"conv{k}")(x))
            x = getattr(self.network, f"pool{k}")(x) if k < 3 else x
        return self.network.conv5(x)


def _norm_last(network: nn.Module, k: int, x: Tensor) -> Tensor:
    return getattr(network, f"bn{k}")(network.relu(x))


def _cut_off(network: nn.Module, k: int, x: Tensor) -> Tensor:
    """The right steps, after which nothing reaches the layers before."""
    return network.relu(getattr(network, f"bn{k}")(x)).detach()


def _without_relu(layer: int):
    """A mistake: no ReLU after this convolution."""

    def steps(network, k, x):
        x = getattr(network, f"bn{k}")(x)
        return x if k == layer else network.relu(x)

    return lambda right: _Otherwise(right(), steps)


def _without_gradient(right):
    """A mistake: the first layer is frozen."""
    network = right()
    network.conv1.requires_grad_(False)
    return network


@check(
    "siamfc.alexnet",
    reference=alexnet.build_alexnet,
    mistakes={
        "your features are those of pooling windows of 2 × 2 cells; they are 3 × 3, with stride "
        "2. The maps happen to have the same size": [
            _changed(pool1=nn.MaxPool2d(2, 2), pool2=nn.MaxPool2d(2, 2)),
            _changed(pool1=nn.MaxPool2d(2, 2)),
            _changed(pool2=nn.MaxPool2d(2, 2)),
        ],
        "your features are those of average pooling; the table pools by the maximum": [
            _changed(pool1=nn.AvgPool2d(3, 2), pool2=nn.AvgPool2d(3, 2)),
            _changed(pool1=nn.AvgPool2d(3, 2)),
            _changed(pool2=nn.AvgPool2d(3, 2)),
            _changed(pool1=nn.AvgPool2d(2, 2), pool2=nn.AvgPool2d(2, 2)),
        ],
        "no feature of your network is negative: there is no ReLU after conv5": _changed(
            bn5=nn.ReLU()
        ),
        "a ReLU is missing in your network: it follows the batch norm of each of conv1 to conv4": [
            _changed(relu=nn.Identity()),
            *(_without_relu(k) for k in range(1, 5)),
        ],
        "your activation is not the ReLU, max(0, x)": [
            _changed(relu=activation)
            for activation in (nn.LeakyReLU(), nn.ReLU6(), nn.Sigmoid(), nn.Tanh(), nn.GELU())
        ],
        "your features are those of a network without batch norm between convolution and ReLU: "
        "the order is convolution, batch norm, ReLU": lambda right: _Otherwise(right(), _norm_last),
        "your network scales its images; SiamFC takes values of 0 … 255 as they are": lambda right: (
            _Scaled(right(), lambda image: image / 255)
        ),
    },
    others={
        "conv3 has padding (1, 1)": _padded,
        "conv1 has stride (4, 4)": _changed(conv1=nn.Conv2d(3, 96, 11, 4)),
        "conv2 has 1 group": _changed(conv2=nn.Conv2d(96, 256, 5)),
        "conv5 has kernel (1, 1)": _changed(conv5=nn.Conv2d(384, 256, 1, groups=2)),
        "5 batch norms": _changed(bn5=nn.BatchNorm2d(256)),
        "3 batch norms": _changed(bn4=nn.Identity()),
        "conv1 has no bias": _changed(conv1=nn.Conv2d(3, 96, 11, 2, bias=False)),
        "look at the pooling before it": _changed(pool2=nn.MaxPool2d(3, 1)),
        "conv3 yields 192 channels": _changed(
            conv3=nn.Conv2d(256, 192, 3),
            bn3=nn.BatchNorm2d(192),
            conv4=nn.Conv2d(192, 384, 3, groups=2),
        ),
        "in more than one place": lambda right: _Shared(right()),
        "in training mode": _changed(pool2=nn.Sequential(nn.MaxPool2d(3, 2), nn.Dropout(0.5))),
        "does not require a gradient": _without_gradient,
        "conv1.weight`, so nothing could be learned there": lambda right: _Otherwise(
            right(), _cut_off
        ),
    },
)
def examine_alexnet(answer, rng) -> None:
    """The backbone in the layer table."""
    network = answer()
    if not isinstance(network, nn.Module):
        raise Wrong(
            "build_alexnet should return a network (nn.Module); yours is of type "
            f"{type(network).__name__}"
        )
    like = randomised(answer.right(), int(rng.integers(1000)))
    for size in (127, 255):
        require_sizes(network, size)
    _check_weights(network, like)
    images = torch.from_numpy(rng.uniform(0, 255, (2, 3, 95, 95))).float()

    def maps(build):
        built = with_weights_of(_run_once(build(), images), like)
        with torch.no_grad():
            return built.eval()(images).numpy(), built.train()(images).numpy()

    answer.compare(
        (),
        ("your feature", "in training mode your feature"),
        lambda given: tuple(as_array(m, (2, 256, 2, 2), "the features") for m in given),
        call=maps,
        tolerance=1e-4,
        otherwise=_in_training_only,
    )
    require_learning(_run_once(answer(), images), like.eval(), images, "the output")


@torch.no_grad()
def _run_once(network: nn.Module, images: Tensor) -> nn.Module:
    """The network after a call, in which lazy layers get their weights."""
    network.eval()(images)
    return network


def _check_weights(network: nn.Module, like: nn.Module) -> None:
    """Weights of the table's shapes; raises Wrong naming the layer that has others."""
    try:
        with_weights_of(network, like)
    except Wrong as misfit:
        raise Wrong(layer_amiss(network) or str(misfit)) from None
    count = sum(p.numel() for p in network.parameters())
    if count != 2_336_320:
        raise Wrong(
            f"your network has {count:,} parameters, expected 2,336,320: it uses a layer in more "
            "than one place"
        )


def _in_training_only(given, right) -> str:
    """The message for features that differ in training mode only."""
    if not np.allclose(given[0], right[0], rtol=0, atol=1e-4 * max(1, np.abs(right[0]).max())):
        return ""
    return (
        "in training mode your features differ from the table's, though they agree in evaluation "
        "mode: does each batch norm follow its convolution at once, and is anything random?"
    )
