"""Networks that are nearly SiamFC's backbone, for its check."""

from __future__ import annotations

from torch import Tensor, nn

from course_lib.exercises.mistakes import Codes
from course_lib.models import alexnet

CEIL = nn.MaxPool2d(3, 2, ceil_mode=True)


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


def _norm_last(*layers: int):
    """A mistake: these layers' batch norms follow the ReLU."""

    def steps(network, k, x):
        norm = getattr(network, f"bn{k}")
        return norm(network.relu(x)) if k in layers else network.relu(norm(x))

    return lambda right: _Otherwise(right(), steps)


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


_SHARED = alexnet.build_alexnet()

MISTAKES: dict[str, Codes] = {
    "your features are those of pooling windows of 2 × 2 cells; pool over 3 × 3, with stride 2. "
    "The maps happen to have the same size": [
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
    "no feature of your network is negative: leave out the ReLU after conv5": _changed(
        bn5=nn.ReLU()
    ),
    "a ReLU is missing in your network: it follows the batch norm of each of conv1 to conv4": [
        _changed(relu=nn.Identity()),
        *(_without_relu(k) for k in range(1, 5)),
    ],
    "your activation is not the ReLU, max(0, x)": [
        _changed(relu=activation)
        for activation in (
            *(nn.LeakyReLU(), nn.ReLU6(), nn.Sigmoid(), nn.Tanh(), nn.GELU(), nn.ELU()),
        )
    ],
    "your pooling rounds up (ceil_mode): a window that does not fit entirely is left out": [
        _changed(pool1=CEIL, pool2=CEIL),
        _changed(pool1=CEIL),
        _changed(pool2=CEIL),
    ],
    "your features are those of a network whose ReLU stands before a batch norm: the order is "
    "convolution, batch norm, ReLU": [
        _norm_last(*layers) for layers in ((1, 2, 3, 4), (1,), (2,), (3,), (4,), (3, 4))
    ],
    "your network scales its images; SiamFC takes values of 0 … 255 as they are": lambda right: (
        _Scaled(right(), lambda image: image / 255)
    ),
}

OTHERS: dict[str, Codes] = {
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
    "conv1.weight`, so nothing could be learned there": lambda right: _Otherwise(right(), _cut_off),
    "changes the images": lambda right: _Scaled(right(), lambda image: image.sub_(1)),
    "conv1 has padding": _changed(conv1=nn.Conv2d(3, 96, 11, 2, 1)),
    "share their weights": lambda right: _SHARED,
    "type torch.float64": lambda right: right().double(),
}
