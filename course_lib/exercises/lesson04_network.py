"""Checks of lesson 04: the backbone, correlation, labels, loss."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.exercises.compare import as_array, as_loss, as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import alexnet, correlation, losses


def _changed(change):
    """A mistake: the right network with something changed."""

    def build(right):
        network = right()
        change(network)
        return network

    return build


@check(
    "siamfc.alexnet",
    reference=alexnet.build_alexnet,
    others={
        "is padded by (1, 1)": _changed(lambda n: setattr(n.conv3, "padding", (1, 1))),
        "groups=2": _changed(lambda n: setattr(n, "conv2", nn.Conv2d(96, 256, 5))),
        "no ReLU": _changed(lambda n: setattr(n, "bn5", nn.ReLU())),
        "5 batch norms": _changed(lambda n: setattr(n, "bn5", nn.BatchNorm2d(256))),
        "strides and pooling": _changed(lambda n: setattr(n, "pool2", nn.MaxPool2d(3, 1))),
        "parameters; expected": _changed(lambda n: setattr(n.conv1, "bias", None)),
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
    _check_layers(network)
    _check_maps(network.eval(), rng)
    count = sum(p.numel() for p in network.parameters())
    if count != 2_336_320:
        raise Wrong(f"your network has {count:,} parameters; expected 2,336,320")


def _check_layers(network: nn.Module) -> None:
    """Convolutions without padding, in groups, and batch norms."""
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    if len(convolutions) != 5:
        raise Wrong(f"your network has {len(convolutions)} convolutions; the table has 5")
    for k, c in enumerate(convolutions, start=1):
        if any(int(p) for p in c.padding):
            raise Wrong(
                f"conv{k} is padded by {c.padding}; SiamFC uses no padding, which would leak "
                "the target's position into the features"
            )
        groups = 2 if k in (2, 4, 5) else 1
        if c.groups != groups:
            raise Wrong(
                f"conv{k} has {c.groups} group(s); the table's filters see "
                f"{c.in_channels // groups} channels: groups={groups}"
            )
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    if norms != 4:
        raise Wrong(
            f"your network has {norms} batch norms; conv1 to conv4 have one each, conv5 has none"
        )


@torch.no_grad()
def _check_maps(network: nn.Module, rng: np.random.Generator) -> None:
    """The size of the features, and that some of them are negative."""
    for size, cells in ((127, 6), (255, 22)):
        out = network(torch.zeros(1, 3, size, size))
        if tuple(out.shape) != (1, 256, cells, cells):
            raise Wrong(
                f"an image of {size} pixels gives {tuple(out.shape)}; expected (1, 256, {cells}, "
                f"{cells}). Look at strides and pooling"
            )
    noise = torch.from_numpy(rng.normal(0, 100, (1, 3, 127, 127))).float()
    if float(network(noise).min()) >= 0:
        raise Wrong("no feature of your network is ever negative: there is no ReLU after conv5")


@check(
    "siamfc.correlate",
    reference=correlation.cross_correlate_grouped,
    mistakes={
        "your responses have shape {shape}: the count is right; reshape them to (B, H', W') = "
        "(3, 5, 8)": [
            lambda right, z, x: right(z, x)[None],
            lambda right, z, x: right(z, x)[:, None],
        ],
        "every exemplar slid over every search image: with groups=B each meets only its own": (
            lambda right, z, x: F.conv2d(x, z)
        ),
        "your channels stay separate (groups = B·C): the response is the sum over all channels of "
        "one pair": [
            lambda right, z, x: torch.stack([right(z, x)] * z.shape[1], 1),
            lambda right, z, x: torch.cat([right(z, x)] * z.shape[1]),
        ],
        "your exemplar is flipped: F.conv2d already correlates, it does not flip its "
        "kernel": lambda right, z, x: right(z.flip(2, 3), x),
        "the first exemplar slid over every search image; each has its own": (
            lambda right, z, x: right(z[:1].expand_as(z), x)
        ),
    },
)
def examine_correlate(answer, rng) -> None:
    """Cross-correlation of a batch by one grouped convolution."""
    z = torch.from_numpy(rng.normal(size=(3, 4, 3, 2))).float()
    x = torch.from_numpy(rng.normal(size=(3, 4, 7, 9))).float()
    what = "the responses"
    answer.compare((z, x), what, lambda r: as_tensor(r, (3, 5, 8), what), tolerance=1e-4)
    what = "for a batch of one the responses"
    answer.compare((z[:1], x[:1]), what, (1, 5, 8), tolerance=1e-4)


CELLS = (
    "for {0} cells, stride {1} and radius {2:g} px {found} cells are positive, expected {wanted}"
)


def _read_labels(given) -> np.ndarray:
    """A square map of labels that are −1 or +1."""
    labels = as_array(given, np.shape(given), "the labels")
    values = set(np.unique(labels).tolist())
    if 0.0 in values and values <= {0.0, 1.0}:
        raise Wrong("your labels are 0 and 1; this loss wants −1 and +1")
    if not values <= {-1.0, 1.0}:
        raise Wrong(f"your labels hold {sorted(values)[:4]}; expected only −1 and +1")
    return labels


def _lopsided(given, right) -> str:
    """The message for positives that do not lie around the centre."""
    centre = len(given) // 2
    if given[centre, centre] > 0 and np.array_equal(given, given[::-1, ::-1]):
        return ""
    return f"your positives do not lie around the central cell ({centre}, {centre})"


@check(
    "siamfc.labels",
    reference=losses.label_map,
    mistakes={
        CELLS + ": the radius is in pixels, cells are {1} pixels apart": (
            lambda right, n, stride, radius: right(n, 1, radius)
        ),
        CELLS + ": a cell at exactly the radius still counts": (
            lambda right, n, stride, radius: right(n, stride, radius - 1e-3)
        ),
        CELLS + ": the positives form a square; the distance is Euclidean, so they form a disc": (
            lambda right, n, stride, radius: torch.minimum(
                *torch.broadcast_tensors(
                    right(n, stride, radius)[n // 2], right(n, stride, radius)[:, n // 2, None]
                )
            )
        ),
    },
    others={
        "your labels are 0 and 1": lambda right, *given: right(*given).clamp_min(0),
        "around the central cell": lambda right, *given: right(*given).roll(1, 0),
    },
)
def examine_labels(answer, rng) -> None:
    """Label map."""
    for case in ((17, 8, 16.0), (15, 8, 16.0), (33, 4, 16.0), (9, 8, 20.0)):
        answer.compare(
            case,
            "the label",
            _read_labels,
            otherwise=_lopsided,
            found=lambda given: int((given > 0).sum()),
            wanted=int((answer.right(*case) > 0).sum()),
        )


@check(
    "siamfc.loss",
    reference=losses.balanced_logistic_loss,
    mistakes={
        "your loss is not balanced: 13 positives face 212 negatives. Give each side a "
        "weight of 0.5": lambda right, v, y: F.softplus(-y * v).mean(),
        "your loss sums over the batch; take the mean": lambda right, v, y: 3 * right(v, y),
        "your weights sum to 2 in each map: 0.5 for the positives, 0.5 for the negatives": (
            lambda right, v, y: 2 * right(v, y)
        ),
        "your loss rewards the wrong sign: log(1 + exp(−y·v)), with the minus": (
            lambda right, v, y: right(-v, y)
        ),
    },
    others={
        "exp overflows": lambda right, v, y: right(v, y) + 0 * torch.exp(-y * v).sum(),
        "lost its gradient": lambda right, v, y: right(v, y).detach(),
    },
)
def examine_loss(answer, rng) -> None:
    """Balanced logistic loss."""
    v = torch.from_numpy(rng.normal(-1, 2, (3, 15, 15))).float().requires_grad_()
    y: Tensor = losses.label_map(15, 8, 16.0).expand(3, 15, 15)
    answer.compare((v, y), "the loss", as_loss, tolerance=1e-4)
    wild = answer(torch.full((1, 15, 15), 200.0) * -y[:1], y[:1])
    if not bool(torch.isfinite(torch.as_tensor(wild)).all()):
        raise Wrong(
            "for a very wrong response your loss is infinite: exp overflows. F.softplus(t) is "
            "log(1 + exp(t)), computed safely"
        )
