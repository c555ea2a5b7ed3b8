"""Gradients of answers: what is learned through an answer must be reached by its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from course_lib.exercises.compare import is_tensor
from course_lib.exercises.words import Wrong


def require_gradients(
    answer: Any, inputs: Mapping[str, Tensor], what: str, *others: Any, **named: Any
) -> None:
    """Raise Wrong unless the gradient of what the answer returns reaches every one of `inputs`.

    Args:
        answer: to be called with the inputs, then the others.
        inputs: name → tensor that must be reached.
        what: name of the result.
        others: further arguments.
        named: further arguments by name.
    """
    leaves = {name: value.detach().clone().requires_grad_() for name, value in inputs.items()}
    try:
        result = answer(*leaves.values(), *others, **named)
    except RuntimeError as problem:
        if "requires grad" not in str(problem):  # PyTorch's words about .numpy()
            raise
        result = None
    reached(result, leaves, what)


def require_learning(network: nn.Module, image: Tensor, what: str) -> None:
    """Raise Wrong unless the gradient of a network's output reaches all of its weights.

    Args:
        network: to be run, in the mode that it is in.
        image: (B, C, H, W).
        what: name of its output.
    """
    network.zero_grad()
    reached(network(image), dict(network.named_parameters()), what)


def reached(result: Any, leaves: Mapping[str, Tensor], what: str) -> None:
    """Raise Wrong unless the gradient of a result reaches every leaf, name → tensor.

    Args:
        result: of an answer.
        leaves: name → tensor.
        what: name of the result.
    """
    if not is_tensor(result) or not result.requires_grad:
        raise Wrong(
            f"{what} has lost its gradient: compute it with torch, without NumPy, .detach(), "
            ".data, .item() or torch.no_grad()"
        )
    result.square().sum().backward()
    for name, leaf in leaves.items():
        if leaf.grad is None:
            raise Wrong(
                f"the gradient of {what} does not reach `{name}`, so nothing could be learned there"
            )
