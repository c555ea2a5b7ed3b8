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


def _norms_only(right, network, images):
    """A mistake: the batch norms stay in evaluation mode; the network says that it is training."""
    features = right(network, images)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return features


def _for_good(right, network, images):
    """A mistake: no gradients from here on, wherever."""
    torch.set_grad_enabled(False)
    return right(network, images)


STILL = (
    "the fault is still there: the features of an image change with the images beside it. In "
    "training mode a batch norm subtracts the mean of the batch and divides by its standard "
    "deviation"
)


@check(
    "siamfc.fault",
    reference=embed,
    learns=False,
    mistakes={
        "`eval()` comes too late: the features are made by then": _late,
        STILL: [
            (0, lambda right, network, images: network(images).detach()),
            (0, _asked(nn.Module.train)),
            (0, _asked(_frozen)),
        ],
        "each image is alone now, but still normalised by its own mean and standard deviation "
        "instead of those that the network learned": (0, _one_by_one),
        "your version forgets what the batch norms have learned; use their statistics": (
            0,
            _asked(
                lambda network: [
                    m.reset_running_stats()
                    for m in network.eval().modules()
                    if isinstance(m, nn.BatchNorm2d)
                ]
            ),
        ),
        "a network that was in training mode is left in evaluation mode: a training run that asks "
        "for features halfway would go on with its batch norms frozen": _asked(nn.Module.eval),
        "a network that was in evaluation mode is left in training mode: leave it as it was": (
            _asked(nn.Module.eval, lambda network, training: network.train())
        ),
    },
    others={
        "only the batch norms": _norms_only,
        "gradients that training has gathered": lambda right, network, images: (
            right(network, images),
            network.zero_grad(),
        )[0],
        "still switched off": _for_good,
        "another precision": lambda right, network, images: right(
            network.double(), images.double()
        ).float(),
        "for a single image": lambda right, *given: right(*given).squeeze(0),
        "carry a gradient": _with_gradient,
        "for good": lambda right, network, images: right(network.requires_grad_(False), images),
    },
)
def examine_fault(answer, rng) -> None:
    """Features of an image, whatever is beside it."""
    for training, count in ((True, 4), (False, 4), (True, 1)):
        like = randomised(_small(), int(rng.integers(1000)))
        images = torch.from_numpy(rng.uniform(0, 255, (count, 3, 13, 13))).float()

        def asked(function, like=like, images=images, training=training):
            network = with_weights_of(_small(), like).train(training)
            for weight in network.parameters():
                weight.grad = torch.ones_like(weight)
            features = function(network, images)
            _check_gradients(features, network)
            state = torch.cat([v.flatten().float() for v in network.state_dict().values()])
            modes = {module.training for module in network.modules()}
            if len(modes) > 1:
                raise Wrong(
                    "some layers are left in another mode than the network, perhaps only the batch "
                    "norms: put every one back"
                )
            return features, state.numpy(), float(network.training)

        answer.compare(
            (),
            (
                "the feature" if count > 1 else "for a single image the feature",
                "the network's own weight or statistic",
                "the mode (1 for training)",
            ),
            lambda given, n=count: (
                as_array(
                    given[0],
                    (n, 5, 4, 4),
                    "for a single image the output" if n == 1 else "the output",
                ),
                *given[1:],
            ),
            call=asked,
            tolerance=1e-5,
        )


def _check_gradients(features: object, network: nn.Module) -> None:
    """No gradient comes out, and those of the network are as they were."""
    if getattr(features, "requires_grad", False):
        raise Wrong("your features carry a gradient: keep `torch.no_grad()`")
    weights = list(network.parameters())
    if not all(weight.requires_grad for weight in weights):
        raise Wrong(
            "you switch the gradients of the network's weights off for good; `torch.no_grad()` "
            "does so for one call"
        )
    if any(weight.dtype != torch.float32 for weight in weights):
        raise Wrong(
            "your function converts the network's weights to another precision; leave them as "
            "they are"
        )
    if any(weight.grad is None or not bool((weight.grad == 1).all()) for weight in weights):
        raise Wrong(
            "your function changes the gradients that training has gathered in the network: leave "
            "it as you found it"
        )


def _small() -> nn.Module:
    """A small network with two batch norms."""
    first = [nn.Conv2d(3, 4, 5, 2), nn.BatchNorm2d(4), nn.ReLU()]  # (B, 4, 5, 5)
    return nn.Sequential(*first, nn.Conv2d(4, 5, 2), nn.BatchNorm2d(5))  # (B, 5, 4, 4)
