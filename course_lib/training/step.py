"""The parts of one training step, and the state needed to take the next one elsewhere."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.device import Placement
from course_lib.training.settings import TrainSettings


def predict(network: nn.Module, exemplar: Tensor, search: Tensor, bf16: bool, *more: Tensor) -> Any:
    """Responses (B, n, n), proposals or whatever the network's output is, in single precision.

    The weights stay in single precision; convolutions and products work on rounded copies of them.
    The output is converted back, so the loss and everything after it has full precision.

    Args:
        network: called as network(exemplar, search, *more).
        exemplar: (B, 3, 127, 127), or with a mask as fourth channel.
        search: (B, 3, S, S), or with a mask as fourth channel.
        bf16: whether the network computes in bfloat16.
        *more: further inputs, of any shape (B, …), such as boxes.
    """
    with torch.autocast(exemplar.device.type, dtype=torch.bfloat16, enabled=bf16):
        return network(exemplar, search, *more).float()


def frozen_stages(step: int, steps: int, freeze: int, unfreeze: tuple[float, ...]) -> int:
    """Number of backbone stages, from the first on, that are frozen in a step: SiamDW's gradual
    unfreezing (Zhang and Peng, 2019, section 5).

    Args:
        step: number of the step, from 0.
        steps: number of steps of the run.
        freeze: number of stages frozen at first.
        unfreeze: fractions of the steps; after each, one more stage is unfrozen.
    """
    return freeze - sum(step >= fraction * steps for fraction in unfreeze)


def fix_norms(network: nn.Module) -> None:
    """Let the batch norms of a network in training mode use their averages, and keep them.

    A batch norm divides by the deviation σ of its batch while training and by an average of σ²
    while tracking. The mean of 1/σ over batches is larger than 1/√(mean of σ²): the more σ varies,
    the smaller all values are in tracking than those that the later layers were trained on. The σ
    of a correlation varies a lot.
    """
    for module in network.modules():
        # what shares a batch norm between GPUs is no BatchNorm2d
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)):
            module.eval()


def with_fast_backbone(network: nn.Module, placement: Placement) -> nn.Module:
    """The network itself; or, if stages of its backbone are frozen, another one that shares all
    weights, except that the batch norms of these stages are folded, which gives the same features
    in half the time. A guide is trained, so its stage, the first, stays as it is."""
    backbone = getattr(network, "backbone", None)
    if backbone is None or not backbone.frozen:
        return network
    folded = backbone.folded()
    stages = backbone.stages()
    kept = stages[backbone.frozen :] + (stages[:1] if backbone.guided else [])
    for name, module in backbone.named_modules():
        if any(module is other for stage in kept for other in stage):
            folded.set_submodule(name, module)
    for parameter in folded.parameters():
        if not any(parameter is p for p in backbone.parameters()):
            parameter.requires_grad_(False)
    fast = copy.copy(network)
    fast._modules = {**network._modules}
    fast.backbone = placement.network(folded)
    return fast


def learning_rate(step: int, steps: int, start: float, end: float) -> float:
    """Learning rate of a step, annealed geometrically (SiamFC, Bertinetto et al., 2016, section
    3.3): start · (end / start)^(step / (steps − 1)).

    Args:
        step: number of the step, from 0.
        steps: number of steps of the run.
        start: learning rate of the first step.
        end: learning rate of the last step.
    """
    return start * (end / start) ** (step / max(steps - 1, 1))


def scheduled_rate(step: int, settings: TrainSettings) -> float:
    """Learning rate of a step, from 0, by the recipe's schedule: the geometric one of SiamFC, half
    a cosine (Loshchilov and Hutter, 2017), or one drop; each may be warmed up, so that Adam knows
    the sizes of the gradients before it takes large steps (Goyal et al., 2017)."""
    s, last = settings, max(settings.steps - 1, 1)
    if s.schedule == "cosine":
        rate = s.rate_end + (s.rate_start - s.rate_end) * (1 + math.cos(math.pi * step / last)) / 2
    elif s.schedule == "step":
        rate = s.rate_start if step < s.drop_at * s.steps else s.rate_end
    else:
        rate = learning_rate(step, s.steps, s.rate_start, s.rate_end)
    rising = s.warm_up * s.steps
    return rate * min((step + 1) / rising, 1) if rising else rate


def rate_groups(network: nn.Module, backbone_rate: float) -> list[dict[str, Any]]:
    """The weights that are trained, in groups whose "factor" is what the learning rate is
    multiplied by: `backbone_rate` for all but the head's. Pre-trained weights are to change less
    than those that begin at random (OSTrack, Ye et al., 2022: a tenth).

    Raises SettingsError for a factor other than 1 on a network without a head.
    """
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if backbone_rate == 1:
        return [{"params": list(trained.values()), "factor": 1.0}]
    head = [p for name, p in trained.items() if name.startswith("head.")]
    others = [p for name, p in trained.items() if not name.startswith("head.")]
    if not head or not others:
        raise SettingsError(
            f"backbone_rate is {backbone_rate}, but this network has weights to train "
            f"{'only in its head' if head else 'only outside a head'}; expected 1"
        )
    return [{"params": head, "factor": 1.0}, {"params": others, "factor": backbone_rate}]


def make_optimiser(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """The recipe's optimiser, for all weights that are trained at some step."""
    s = settings
    if s.freeze:
        # include the stages that are unfrozen later
        network.backbone.freeze(frozen_stages(s.steps, s.steps, s.freeze, s.unfreeze))
    weights = rate_groups(network, s.backbone_rate)
    if s.freeze:
        network.backbone.freeze(s.freeze)
    if s.optimiser == "adam":
        betas = (s.momentum, 0.999)
        return torch.optim.AdamW(weights, s.rate_start, betas, weight_decay=s.weight_decay)
    return torch.optim.SGD(weights, s.rate_start, s.momentum, weight_decay=s.weight_decay)


def descend(
    network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip_norm: float
) -> float:
    """Take one step of gradient descent; if the gradient is not finite, the weights do not change.

    Args:
        network: the network whose weights are updated.
        optimiser: optimiser of its weights.
        loss: ().
        clip_norm: norm to which a longer gradient is scaled down (Pascanu et al., 2013).

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
    """The same step as `descend`, but the gradient's norm () is not read from the device.

    `float(norm)` makes the CPU wait until the GPU has finished its queue, and the GPU then waits
    for the next step: a pause in every step. If the norm is not read, a step with a gradient that
    is not finite cannot be prevented: the caller must check the norm later and discard the weights
    of all steps since.

    Args:
        network: the network whose weights are updated.
        optimiser: optimiser of its weights.
        loss: ().
        clip_norm: norm to which a longer gradient is scaled down.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimiser.step()
    return norm


def snapshot(network: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> dict[str, Any]:
    """A copy of everything the next steps depend on: weights and batch statistics, the optimiser's
    momentum, the step. Further training does not change it.

    Args:
        network: the network in training.
        optimiser: optimiser of its weights.
        step: number of steps taken.
    """
    return {
        "network": copy.deepcopy(network.state_dict()),
        "optimiser": copy.deepcopy(optimiser.state_dict()),
        "step": step,
    }


def restore(network: nn.Module, optimiser: torch.optim.Optimizer, saved: dict[str, Any]) -> int:
    """Restore network and optimiser from a snapshot; returns its step.

    Args:
        network: a network like the snapshot's.
        optimiser: optimiser of its weights.
        saved: result of `snapshot`.
    """
    network.load_state_dict(saved["network"])
    # without the copy, the optimiser would update the snapshot's own tensors
    optimiser.load_state_dict(copy.deepcopy(saved["optimiser"]))
    return saved["step"]
