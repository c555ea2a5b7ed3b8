"""Networks that an exercise builds: compared by their outputs and gradients, with the weights of
the right one; and wrong ones, made by changing its layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.exercises.compare import as_tensor, shape_of
from course_lib.exercises.networks import met, randomised, require_learning, with_weights_of
from course_lib.exercises.trial import Trial
from course_lib.exercises.words import Wrong


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
        self.order: list[str] = []  # of the answer's layers
        self.right, self.name = randomised(self._stripped(right)), name
        self.image = torch.randn(2, 3, pixels, pixels, generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def __call__(self, build, *inputs) -> Tensor:
        """The output of the network that `build` makes."""
        network = self._stripped(build(*inputs))
        if isinstance(build, Trial):  # ours work in the order in which they are made
            self.order = self.order or met(network, self.image)
        order = self.order if isinstance(build, Trial) else ()
        network = with_weights_of(network, self.right, self.name, order)
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

    def examine(self, answer: Trial, inputs: tuple, learns: bool = True, **facts: Any) -> None:
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

            def read(given: Any, what: str = what) -> Tensor:
                return as_tensor(given, shape_of(given) or (), what)

            answer.compare(inputs, what, read, call=self, tolerance=1e-4, **facts)
        if learns:
            network, what = self._stripped(answer(*inputs)), f"the output of {self.name}"
            require_learning(network, self.right.eval(), self.image, what, self.order)


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


def relaid(change: Callable) -> Callable:
    """A mistake: the right network after `change` of its layers, (list of layers, *inputs)."""

    def build(right, *inputs):
        layers = list(right(*inputs))
        change(layers, *inputs)
        return nn.Sequential(*layers)

    return build


class Cut(nn.Module):
    """A mistake: nothing reaches the layers before this one."""

    def forward(self, x: Tensor) -> Tensor:
        """x."""
        return x.detach()
