"""Check of lesson 04: the backbone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.networks import randomised, with_weights_of
from course_lib.exercises.words import Wrong
from course_lib.models import alexnet

# the table's convolutions: kernel, stride, groups, channels, and cells per side for 127 and 255
TABLE = (
    (11, 2, 1, 96, {127: 59, 255: 123}),
    (5, 1, 2, 256, {127: 25, 255: 57}),
    (3, 1, 1, 384, {127: 10, 255: 26}),
    (3, 1, 2, 384, {127: 8, 255: 24}),
    (3, 1, 2, 256, {127: 6, 255: 22}),
)


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


class _NormLast(nn.Module):
    """A mistake: convolution, ReLU, batch norm."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        n, x = self.network, image
        for k in range(1, 5):
            x = getattr(n, f"bn{k}")(n.relu(getattr(n, f"conv{k}")(x)))
            x = getattr(n, f"pool{k}")(x) if k < 3 else x
        return n.conv5(x)


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
        ],
        "no feature of your network is negative: there is no ReLU after conv5": _changed(
            bn5=nn.ReLU()
        ),
        "your features are those of a network without ReLU: it follows the batch norm of conv1 to "
        "conv4": _changed(relu=nn.Identity()),
        "your features are those of a network without batch norm between convolution and ReLU: "
        "the order is convolution, batch norm, ReLU": lambda right: _NormLast(right()),
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
        "no gradient reaches": _without_gradient,
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
        _check_size(network, size)
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
    _check_gradient(with_weights_of(_run_once(answer(), images), like), images)


@torch.no_grad()
def _run_once(network: nn.Module, images: Tensor) -> nn.Module:
    """The network after a call, in which lazy layers get their weights."""
    network.eval()(images)
    return network


def _convolved(network: nn.Module, size: int) -> tuple[list[tuple[nn.Conv2d, Tensor]], object]:
    """The convolutions an image of `size` pixels meets, each with its output; and the network's
    output, or the error that stopped it."""
    met: list[tuple[nn.Conv2d, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda module, _, out: met.append((module, out)))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        with torch.no_grad():
            return met, network.eval()(torch.zeros(1, 3, size, size))
    except RuntimeError as problem:
        return met, problem
    finally:
        for hook in hooks:
            hook.remove()


def _check_size(network: nn.Module, size: int) -> None:
    """The size of the features; raises Wrong naming the first convolution whose output differs."""
    cells = TABLE[-1][-1][size]
    met, out = _convolved(network, size)
    if isinstance(out, Tensor) and tuple(out.shape) == (1, 256, cells, cells):
        return
    for k, ((module, given), row) in enumerate(zip(met, TABLE, strict=False), start=1):
        if words := _unlike(module, k, row):
            raise Wrong(words)
        if given.shape[-1] != row[-1][size]:
            raise Wrong(
                f"for an image of {size} pixels conv{k} yields {given.shape[-1]} cells per side; "
                f"expected {row[-1][size]}. Its own kernel and stride are right: look at the "
                "pooling before it"
            )
    if isinstance(out, RuntimeError):
        raise Wrong(f"an image of {size} pixels gets as far as conv{len(met)}, then: {out}")
    shape = tuple(out.shape) if isinstance(out, Tensor) else f"a {type(out).__name__}"
    raise Wrong(
        f"an image of {size} pixels gives {shape}; expected (1, 256, {cells}, {cells}), the output "
        "of conv5"
    )


def _unlike(module: nn.Conv2d, k: int, row: tuple) -> str:
    """What distinguishes a convolution from the table's, or ""."""
    kernel, stride, _, channels, _ = row
    for name, found, wanted in (
        ("kernel", module.kernel_size, kernel),
        ("stride", module.stride, stride),
        ("dilation", module.dilation, 1),
    ):
        if found != (wanted, wanted):
            return f"conv{k} has {name} {found}; the table says {wanted}"
    if module.padding not in ((0, 0), "valid"):
        return (
            f"conv{k} has padding {module.padding}; SiamFC uses none, which would leak the target's "
            "position into the features"
        )
    if module.out_channels != channels:
        return (
            f"conv{k} yields {module.out_channels} channels; the table says {channels}, of all "
            "groups together"
        )
    return ""


def _check_weights(network: nn.Module, like: nn.Module) -> None:
    """Weights of the table's shapes; raises Wrong naming the layer that has others."""
    try:
        with_weights_of(network, like)
    except Wrong as misfit:
        raise Wrong(_layer_amiss(network) or str(misfit)) from None
    count = sum(p.numel() for p in network.parameters())
    if count != 2_336_320:
        raise Wrong(
            f"your network has {count:,} parameters, expected 2,336,320: it uses a layer in more "
            "than one place"
        )


def _layer_amiss(network: nn.Module) -> str:
    """A layer whose weights have another shape than the table's, or ""."""
    convolutions = [module for module, _ in _convolved(network, 127)[0]]
    for k, (module, row) in enumerate(zip(convolutions, TABLE, strict=False), start=1):
        if module.groups != row[2]:
            return (
                f"conv{k} has {module.groups} group{'s' * (module.groups > 1)}; in the table each of "
                f"its filters sees {module.in_channels // row[2]} channels: groups={row[2]}"
            )
        if module.bias is None:
            return f"conv{k} has no bias; the count of 2,336,320 parameters has one for each filter"
        if words := _unlike(module, k, row):
            return words
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    if norms != 4:
        return f"your network has {norms} batch norms; conv1 to conv4 have one each, conv5 has none"
    return ""


def _in_training_only(given, right) -> str:
    """The message for features that differ in training mode only."""
    if not np.allclose(given[0], right[0], rtol=0, atol=1e-4 * max(1, np.abs(right[0]).max())):
        return ""
    return (
        "in training mode your features differ from the table's, though they agree in evaluation "
        "mode: does each batch norm follow its convolution at once, and is anything random?"
    )


def _check_gradient(network: nn.Module, images: Tensor) -> None:
    """Every weight can learn."""
    out = network.eval()(images)
    if out.requires_grad:
        out.square().sum().backward()
    for name, weight in network.named_parameters():
        if weight.grad is None:
            raise Wrong(f"no gradient reaches `{name}`: the network must be able to learn")
