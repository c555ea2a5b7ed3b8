"""What happens in one training step, and what must be kept to take the next one elsewhere."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.training.settings import TrainSettings


def predict(network: nn.Module, exemplar: Tensor, search: Tensor, bf16: bool) -> Any:
    """Responses (B, n, n) or proposals, in single precision.

    The weights stay in single precision; convolutions and products work on rounded copies of them.
    The output is brought back, so that the loss and everything after it is computed in full.

    Args:
        network: called as network(exemplar, search).
        exemplar: (B, 3, 127, 127), or with a mask as fourth channel.
        search: (B, 3, S, S), or with a mask as fourth channel.
        bf16: whether it computes in bfloat16.
    """
    with torch.autocast(exemplar.device.type, dtype=torch.bfloat16, enabled=bf16):
        return network(exemplar, search).float()


def frozen_stages(step: int, steps: int, freeze: int, unfreeze: tuple[float, ...]) -> int:
    """How many stages of the backbone, from the first on, are not trained in a step: SiamDW's
    gradual un-freezing (Zhang and Peng, 2019, section 5).

    Args:
        step: from 0.
        steps: of the run.
        freeze: stages that begin frozen.
        unfreeze: fractions of the steps, after each of which one stage less is.
    """
    return freeze - sum(step >= share * steps for share in unfreeze)


def learning_rate(step: int, steps: int, start: float, end: float) -> float:
    """Learning rate of a step: start · (end / start)^(step / (steps − 1)), equal factors all the
    way (SiamFC, Bertinetto et al., 2016, section 3.3).

    Args:
        step: from 0.
        steps: of the run.
        start: of the first step.
        end: of the last.
    """
    return start * (end / start) ** (step / max(steps - 1, 1))


def make_optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimiser of a recipe for those weights that are trained sooner or later."""
    s = settings
    if s.freeze:
        # the stages that thaw at last count too
        network.backbone.freeze(frozen_stages(s.steps, s.steps, s.freeze, s.unfreeze))
    weights = [p for p in network.parameters() if p.requires_grad]
    if s.freeze:
        network.backbone.freeze(s.freeze)
    if s.optimiser == "adam":
        betas = (s.momentum, 0.999)
        return torch.optim.AdamW(weights, s.rate_start, betas, weight_decay=s.weight_decay)
    return torch.optim.SGD(weights, s.rate_start, s.momentum, weight_decay=s.weight_decay)


def descend(
    network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip_norm: float
) -> float:
    """Move the weights one step against the gradient of a loss; one that is not a number moves
    nothing.

    Args:
        network: whose gradient is taken.
        optimiser: of its weights.
        loss: ().
        clip_norm: norm to which a longer gradient is shortened (Pascanu et al., 2013).

    Returns:
        The gradient's norm before clipping.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = float(nn.utils.clip_grad_norm_(network.parameters(), clip_norm))
    if math.isfinite(norm):
        optimiser.step()
    return norm


def descend_unread(
    network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip_norm: float
) -> Tensor:
    """The same step as `descend`; the gradient's norm () stays on the device, unread.

    `float(norm)` makes the processor wait until a GPU has done all that it was given, and the GPU
    then waits for its next step: in a loop, a pause a step. Without reading the norm nobody can
    know in time that it is not a number: whoever calls this looks at it later and throws away the
    weights of all steps since.

    Args:
        network: whose gradient is taken.
        optimiser: of its weights.
        loss: ().
        clip_norm: norm to which a longer gradient is shortened.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimiser.step()
    return norm


def snapshot(network: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> dict[str, Any]:
    """Everything the next steps depend on: weights and batch statistics, the optimiser's momentum,
    the step. Copies: training on does not change a snapshot.

    Args:
        network: in training.
        optimiser: of its weights.
        step: how many were taken.
    """
    return {
        "network": copy.deepcopy(network.state_dict()),
        "optimiser": copy.deepcopy(optimiser.state_dict()),
        "step": step,
    }


def restore(network: nn.Module, optimiser: torch.optim.Optimizer, kept: dict[str, Any]) -> int:
    """Bring network and optimiser back to a snapshot; returns its step.

    Args:
        network: of the snapshot's kind.
        optimiser: of its weights.
        kept: what `snapshot` gave.
    """
    network.load_state_dict(kept["network"])
    # the optimiser would otherwise go on in the snapshot's own tensors
    optimiser.load_state_dict(copy.deepcopy(kept["optimiser"]))
    return kept["step"]
