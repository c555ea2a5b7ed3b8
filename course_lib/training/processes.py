"""Several processes that train one network: `torchrun --nproc-per-node=2 -m course_lib train …`.

Gradients are averaged by DistributedDataParallel; batch norm takes its statistics over the whole
global batch, so two processes end with the weights of one. What concerns the run as a whole (where
it goes on from, when it stops, that it failed) process 0 decides and the others are told: they may
run on machines that share no disk.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from course_lib.errors import CourseError, SettingsError
from course_lib.models.device import Placement

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train together: number `rank` of `world`."""

    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wrap(self, network: nn.Module, placement: Placement) -> nn.Module:
        """The network with gradients and batch statistics shared; itself where the process is
        alone."""
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

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make()` gives in process 0, in every process; what it raises there is raised in
        every one too.
        """
        if self.world == 1:
            return make()
        box: list[Any] = [None, None]
        if self.is_main:
            try:
                box = [make(), None]
            except (CourseError, OSError) as problem:
                box = [None, problem]
        dist.broadcast_object_list(box, 0)
        if box[1] is not None:
            raise box[1]
        return box[0]

    def gathered(self, value: T) -> list[T]:
        """The value of each process, in every process."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def any(self, condition: bool) -> bool:
        """Whether the condition holds in any process. No GPU is asked: this goes from processor to
        processor.
        """
        if self.world == 1:
            return condition
        count = torch.tensor(int(condition))
        dist.all_reduce(count)
        return bool(count)

    def check_agreement(self, values: dict[str, Any]) -> None:
        """Whether every process was started with the same values.

        Raises SettingsError, in every process, naming what differs.
        """
        first, *others = self.gathered(values)
        for rank, other in enumerate(others, start=1):
            for key in first:
                if first[key] != other[key]:
                    raise SettingsError(
                        f"the processes were not started alike: {key} is {first[key]!r} in process "
                        f"0 and {other[key]!r} in "
                        f"process {rank}. Start all with the same recipe, options and data."
                    )


def started_rank() -> int:
    """Number of this process among those that torchrun started; 0 elsewhere."""
    return int(os.environ.get("RANK", "0"))


def under_torchrun() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def process_group(placement: Placement) -> Iterator[ProcessGroup]:
    """The team that torchrun started this process in; a team of one elsewhere.

    Raises SettingsError if this process has no GPU of its own.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield ProcessGroup()
        return
    on_gpu = placement.device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(own_gpu(placement, int(os.environ["LOCAL_RANK"])))
    # what the processes tell each other beside gradients goes by gloo, past the GPU
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    try:
        yield ProcessGroup(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def own_gpu(placement: Placement, local_rank: int) -> int:
    """The number of the GPU that process `local_rank` of this machine takes: its own.

    Raises SettingsError if a number was asked for, or there is none left.
    """
    if placement.device.index is not None:
        raise SettingsError(
            f"device is {str(placement.device)!r}; several processes take one GPU each: give "
            f"--device cuda"
        )
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise SettingsError(
            f"process {local_rank} of this machine (the first is 0) finds {count} GPUs; start as "
            f"many as there are: "
            f"--nproc-per-node={count}"
        )
    return local_rank


class _SumOverProcesses(torch.autograd.Function):
    """Sum over all processes, forwards and backwards: each one's loss depends on each one's
    input."""

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
    """Batch norm over the batches of all processes, on any device. (torch's own, SyncBatchNorm,
    needs GPUs.)"""

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
    """The network with every batch norm replaced by one over all processes, in place; it keeps the
    same parameters."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum)
            # the very same tensors: the optimiser already holds the parameters
            shared._parameters, shared._buffers = child._parameters, child._buffers
            setattr(network, name, shared)
        else:
            share_norms(child)
    return network
