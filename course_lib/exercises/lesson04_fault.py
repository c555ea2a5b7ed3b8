"""Check of lesson 04: features that do not depend on the batch, the fault to be found."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.networks import randomised, with_weights_of
from course_lib.exercises.words import Wrong


def embed(network: nn.Module, images: Tensor) -> Tensor:
    """The network's output for images (B, 3, S, S), in evaluation mode and without a gradient; the
    network stays in the mode that it was in."""
    training = network.training
    network.eval()
    with torch.no_grad():
        features = network(images)
    network.train(training)
    return features


def _asked(prepare, after=lambda network, training: None):
    """A mistake: the network is prepared otherwise, and left otherwise."""

    @torch.no_grad()
    def code(right, network, images):
        training = network.training
        prepare(network)
        features = network(images)
        after(network, training)
        return features

    return code


def _frozen(network: nn.Module) -> None:
    """A wrong cure: training mode with statistics that do not move."""
    for module in network.train().modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0


@torch.no_grad()
def _one_by_one(right, network, images):
    """A wrong cure: every image alone, still in training mode."""
    return torch.cat([network(image[None]) for image in images])


def _with_gradient(right, network, images):
    """A mistake: the cure, without the no_grad of the faulty version."""
    training = network.training
    features = network.eval()(images)
    network.train(training)
    return features


@torch.no_grad()
def _late(right, network, images):
    """A wrong cure: evaluation mode after the features are made."""
    features = network(images)
    network.eval()
    return features


STILL = (
    "the fault is still there: the features of an image change with the images beside it. In "
    "training mode a batch norm subtracts the mean of the batch and divides by its standard "
    "deviation"
)


@check(
    "siamfc.fault",
    reference=embed,
    mistakes={
        "`eval()` comes too late: the features are made by then": _late,
        STILL: [
            (0, lambda right, network, images: network(images).detach()),
            (0, _asked(nn.Module.train)),
            (0, _asked(_frozen)),
        ],
        "each image is alone now, but still normalised by its own mean and standard deviation "
        "instead of those that the network learned": (0, _one_by_one),
        "your cure forgets what the batch norms have learned; use it": (
            0,
            _asked(
                lambda network: [
                    m.reset_running_stats()
                    for m in network.eval().modules()
                    if isinstance(m, nn.BatchNorm2d)
                ]
            ),
        ),
        "a network that was in training mode is left in evaluation mode: a training that asks for "
        "features halfway would go on with its batch norms frozen": _asked(nn.Module.eval),
        "a network that was in evaluation mode is left in training mode: leave it as it was": (
            _asked(nn.Module.eval, lambda network, training: network.train())
        ),
    },
    others={
        "carry a gradient": _with_gradient,
        "for good": lambda right, network, images: right(network.requires_grad_(False), images),
    },
)
def examine_fault(answer, rng) -> None:
    """Features of an image, whatever is beside it."""
    like = randomised(_small(), int(rng.integers(1000)))
    images = torch.from_numpy(rng.uniform(0, 255, (4, 3, 13, 13))).float()
    for training in (True, False):

        def asked(function, training=training):
            network = with_weights_of(_small(), like).train(training)
            features = function(network, images)
            state = torch.cat([v.flatten().float() for v in network.state_dict().values()])
            if getattr(features, "requires_grad", False):
                raise Wrong("your features carry a gradient: keep `torch.no_grad()`")
            if not all(weight.requires_grad for weight in network.parameters()):
                raise Wrong(
                    "you switch the gradients of the network's weights off for good; "
                    "`torch.no_grad()` does so for one call"
                )
            return features, state.numpy(), float(network.training)

        answer.compare(
            (),
            ("the feature", "the network's own weight or statistic", "the mode (1 for training)"),
            lambda given: (as_array(given[0], (4, 5, 4, 4), "the features"), *given[1:]),
            call=asked,
            tolerance=1e-5,
        )


def _small() -> nn.Module:
    """A small network with two batch norms."""
    first = [nn.Conv2d(3, 4, 5, 2), nn.BatchNorm2d(4), nn.ReLU()]  # (B, 4, 5, 5)
    return nn.Sequential(*first, nn.Conv2d(4, 5, 2), nn.BatchNorm2d(5))  # (B, 5, 4, 4)
