"""Several processes that train one network: `torchrun --nproc-per-node=2 -m course_lib train …`.

Gradients are averaged by DistributedDataParallel; batch norm takes its statistics over the whole global batch, so two
processes end with the weights of one.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from course_lib.models.device import Placement


@dataclass(frozen=True)
class Team:
    """This process among those that train together: number `rank` of `world`."""

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wrap(self, network: nn.Module, placement: Placement) -> nn.Module:
        """The network with gradients and batch statistics shared; itself where the process is alone."""
        if self.world == 1:
            return network
        shared = (
            nn.SyncBatchNorm.convert_sync_batchnorm(network)
            if placement.device.type == "cuda"
            else share_norms(network)
        )
        # batch statistics are the same everywhere already; torch 2.13 gave the switch another name
        new = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
        name = "forward_sync_buffers" if new else "broadcast_buffers"
        return DistributedDataParallel(shared, **{name: False})

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a value over all processes."""
        if self.world > 1:
            value = value.detach().clone()
            dist.all_reduce(value)
            value = value / self.world
        return value


def started_rank() -> int:
    """Number of this process among those that torchrun started; 0 elsewhere."""
    return int(os.environ.get("RANK", "0"))


@contextmanager
def team_of(placement: Placement) -> Iterator[Team]:
    """The team that torchrun started this process in; a team of one elsewhere."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield Team()
        return
    if placement.device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if placement.device.type == "cuda" else "gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


class _SumOverProcesses(torch.autograd.Function):
    """Sum over all processes, forwards and backwards: each one's loss depends on each one's input."""

    @staticmethod
    def forward(ctx, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the batches of all processes, on any device. (torch's own, SyncBatchNorm, needs GPUs.)"""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised x (B, C, H, W)."""
        if not self.training:
            return super().forward(x)
        x = x.float()
        n = x.numel() / x.shape[1] * dist.get_world_size()
        mean = _SumOverProcesses.apply(x.sum(dim=(0, 2, 3))) / n  # (C,)
        centred = x - mean[:, None, None]
        variance = _SumOverProcesses.apply(centred.square().sum(dim=(0, 2, 3))) / n  # (C,)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1
        gain = self.weight * torch.rsqrt(variance + self.eps)  # (C,)
        return centred * gain[:, None, None] + self.bias[:, None, None]


def share_norms(network: nn.Module) -> nn.Module:
    """The network with every batch norm replaced by one over all processes, in place; it keeps the same parameters."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum)
            # the very same tensors: the optimiser already holds the parameters
            shared._parameters, shared._buffers = child._parameters, child._buffers
            setattr(network, name, shared)
        else:
            share_norms(child)
    return network
