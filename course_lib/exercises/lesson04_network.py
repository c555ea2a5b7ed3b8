"""Check of lesson 04: the backbone."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import torch
from torch import nn

from course_lib.exercises.alexnet_mistakes import MISTAKES, OTHERS
from course_lib.exercises.core import check
from course_lib.exercises.layer_table import layer_amiss, require_sizes
from course_lib.exercises.networks import randomised, require_learning, with_weights_of
from course_lib.exercises.words import Wrong
from course_lib.models import alexnet


@check(
    "siamfc.alexnet",
    reference=alexnet.build_alexnet,
    mistakes=MISTAKES,
    others=OTHERS,
)
def examine_alexnet(answer, rng) -> None:
    """The backbone in the layer table."""
    network = answer()
    if not isinstance(network, nn.Module):
        raise Wrong(
            "build_alexnet should return a network (nn.Module); yours is of type "
            f"{type(network).__name__}"
        )
    _check_own(network, answer())
    like = randomised(answer.right(), int(rng.integers(1000)))
    answer.right = lambda: copy.deepcopy(like)  # mistakes begin with it: faster than a new one
    for size in (127, 255):
        require_sizes(network, size)
    _check_weights(network, like)
    # both poolings of the odd height end with a row over: 42 → 20 and 16 → 7
    images = torch.from_numpy(rng.uniform(0, 255, (2, 3, 94, 95))).float()
    for training, what in ((False, "your feature"), (True, "in training mode your feature")):

        @torch.no_grad()
        def features(build, training=training):
            built = network if build is answer else with_weights_of(build(), like)
            given = images.clone()
            out = built.train(training)(given).numpy()
            if not torch.equal(given, images):
                raise Wrong("your network changes the images that it is given; work on a copy")
            return out

        answer.compare(
            (),
            ("the shape of your features", what),
            lambda out: (np.array(out.shape), out[:, :, :1, :2]),
            call=features,
            tolerance=1e-4,
            otherwise=IN_TRAINING if training else partial(_unlike_the_table, network),
            hint="the weights are equal, so the difference lies before, between or after the "
            "convolutions",
        )
    require_learning(network, like.eval(), images, "the output")


IN_TRAINING = (
    "in training mode your features differ from the table's, though they agree in evaluation mode: "
    "does each batch norm follow its convolution at once, and is anything random?"
)


def _unlike_the_table(network: nn.Module, given: tuple, right: tuple) -> str:
    """The message for a layer that has its own settings, or for a map of another size."""
    shapes = [tuple(int(n) for n in shape) for shape in (given[0], right[0])]
    if shapes[0] == shapes[1]:
        return layer_amiss(network)
    return layer_amiss(network) or (
        f"two images of 94 × 95 pixels give {shapes[0]}, expected {shapes[1]}"
    )


def _check_own(network: nn.Module, second: nn.Module) -> None:
    """Every call builds a network of its own, of single precision."""
    kinds = {p.dtype for p in network.parameters()} - {torch.float32}
    if kinds:
        raise Wrong(
            f"your network's weights are of type {kinds.pop()}; images come in single precision, "
            "PyTorch's own"
        )
    if {id(p) for p in network.parameters()} == {id(p) for p in second.parameters()}:
        raise Wrong(
            "two calls of your function return networks that share their weights: build the layers "
            "inside the function"
        )


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
