"""What happens in one training step, and what must be kept to take the next one elsewhere."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.training.settings import TrainSettings, frozen_parts


def predict(network: nn.Module, exemplar: Tensor, search: Tensor, bf16: bool) -> Any:
    """Responses (B, n, n) or proposals, single precision, of a network that computes in bfloat16
    where `bf16` is set.

    The weights stay in single precision; convolutions and products work on rounded copies of them.
    The output is brought back, so that the loss and everything after it is computed in full.
    """
    with torch.autocast(exemplar.device.type, dtype=torch.bfloat16, enabled=bf16):
        return network(exemplar, search).float()


def make_optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimiser of a recipe for those weights that are trained sooner or later."""
    begin = getattr(getattr(network, "backbone", None), "frozen", 0)
    if begin:
        # the parts that thaw at last count too
        network.backbone.freeze(
            frozen_parts(settings.steps, settings.steps, begin, settings.unfreeze)
        )
    weights = [p for p in network.parameters() if p.requires_grad]
    if begin:
        network.backbone.freeze(begin)
    if settings.optimiser == "adam":
        betas = (settings.momentum, 0.999)
        return torch.optim.AdamW(
            weights, settings.rate_start, betas, weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        weights, settings.rate_start, settings.momentum, weight_decay=settings.weight_decay
    )


def descend(
    network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip: float
) -> float:
    """Move the weights one step against the gradient of `loss` (); returns the gradient's norm
    before clipping.

    A gradient longer than `clip` is shortened to it; one that is not a number moves nothing.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = float(nn.utils.clip_grad_norm_(network.parameters(), clip))
    if math.isfinite(norm):
        optimiser.step()
    return norm


def descend_unread(
    network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip: float
) -> Tensor:
    """The same step as `descend`; the gradient's norm () stays on the device, unread.

    `float(norm)` makes the processor wait until a GPU has done all that it was given, and the GPU
    then waits for its next
    step: in a loop, a pause a step. Without reading the norm nobody can know in time that it is
        not a number: whoever
    calls this looks at it later and throws away the weights of all steps since.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()
    return norm


def snapshot(network: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> dict[str, Any]:
    """Everything the steps after `step` depend on: weights and batch statistics, the optimiser's
    momentum, the step.

    Copies: training on does not change a snapshot.
    """
    return {
        "network": copy.deepcopy(network.state_dict()),
        "optimiser": copy.deepcopy(optimiser.state_dict()),
        "step": step,
    }


def restore(network: nn.Module, optimiser: torch.optim.Optimizer, kept: dict[str, Any]) -> int:
    """Bring network and optimiser back to a snapshot; returns its step."""
    network.load_state_dict(kept["network"])
    # the optimiser would otherwise go on in the snapshot's own tensors
    optimiser.load_state_dict(copy.deepcopy(kept["optimiser"]))
    return kept["step"]
