"""Several processes that train one network: `torchrun --nproc-per-node=2 -m course_lib train …`.

Gradients are averaged by DistributedDataParallel; batch norm computes its statistics over the whole
global batch, so two processes end with the same weights as one. Decisions about the whole run
(where it resumes, when it stops, that it failed) are made by the main process and sent to the
others, which may run on machines without a shared disk.
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
    """The processes that train together; this one is number `rank` of `world`."""

    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def wrap(self, network: nn.Module, placement: Placement) -> nn.Module:
        """The network with gradients and batch statistics shared; unchanged in a single process."""
        if self.world == 1:
            return network
        shared = (
            nn.SyncBatchNorm.convert_sync_batchnorm(network)
            if placement.device.type == "cuda"
            else share_norms(network)
        )
        # batch statistics are already equal in all processes; torch 2.13 renamed the switch
        new = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
        name = "forward_sync_buffers" if new else "broadcast_buffers"
        # where a norm takes the place of SiamFC's bias, the bias gets no gradient to wait for
        unused = getattr(network, "adjust", None) is not None
        return DistributedDataParallel(shared, find_unused_parameters=unused, **{name: False})

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a value over all processes."""
        if self.world > 1:
            value = value.detach().clone()
            dist.all_reduce(value)
            value = value / self.world
        return value

    def share(self, count: Tensor) -> Tensor:
        """This process's share () of a count () over the whole batch: the count of all processes,
        at least 1, divided by the number of processes.

        If each process divides its sum by this share, the mean over the processes is what one
        process would find for all pairs. If each divided by its own count, a process with
        few would give each of these too much weight.
        """
        return (self.mean(count) * self.world).clamp_min(1) / self.world

    def from_first(self, make: Callable[[], T]) -> T:
        """Call `make()` in the main process; return its result, or raise its error, in all."""
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
        """A list of all processes' values, in every process."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def any(self, condition: bool) -> bool:
        """Whether the condition holds in any process; exchanged by the CPUs, without the GPUs."""
        if self.world == 1:
            return condition
        count = torch.tensor(int(condition))
        dist.all_reduce(count)
        return bool(count)

    def check_agreement(self, values: dict[str, Any]) -> None:
        """Check that every process was started with the same values.

        Raises SettingsError, in every process, naming the difference.
        """
        first, *others = self.gathered(values)
        for rank, other in enumerate(others, start=1):
            for key in first:
                if first[key] != other[key]:
                    raise SettingsError(
                        f"the processes were started differently: {key} is {first[key]!r} in "
                        f"process 0 and {other[key]!r} in process {rank}. Start all with the same "
                        "recipe, options and data."
                    )


def started_rank() -> int:
    """Rank of this process among those started by torchrun; 0 without torchrun."""
    return int(os.environ.get("RANK", "0"))


def under_torchrun() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def process_group(placement: Placement) -> Iterator[ProcessGroup]:
    """The process group that torchrun started this process in; a group of one without torchrun.

    Raises SettingsError if there is no GPU for this process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield ProcessGroup()
        return
    on_gpu = placement.device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(own_gpu(placement, int(os.environ["LOCAL_RANK"])))
    # everything but gradients is exchanged through gloo, without waiting for the GPU
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    try:
        yield ProcessGroup(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def own_gpu(placement: Placement, local_rank: int) -> int:
    """The number of the GPU for process `local_rank` of this machine: one for each.

    Raises SettingsError if a particular GPU was requested, or there are too few.
    """
    if placement.device.index is not None:
        raise SettingsError(
            f"device is {str(placement.device)!r}; several processes use one GPU each: give "
            "--device cuda"
        )
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise SettingsError(
            f"process {local_rank} of this machine (the first is 0) finds {count} GPUs; start one "
            f"process per GPU: --nproc-per-node={count}"
        )
    return local_rank


class _SumOverProcesses(torch.autograd.Function):
    """Sum over all processes, forwards and backwards: every process's loss depends on every
    process's input."""

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


class _OverProcesses(nn.Module):
    """The part of a batch norm that is over the batches of all processes, on any device (torch's
    SyncBatchNorm needs GPUs)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised x (B, C) or (B, C, H, W)."""
        if not self.training:
            return super().forward(x)
        x = x.float()
        n = x.numel() / x.shape[1] * dist.get_world_size()
        others = [axis for axis in range(x.ndim) if axis != 1]
        per_channel = (-1, *(1 for _ in others[1:]))
        mean = _SumOverProcesses.apply(x.sum(others)) / n  # (C,)
        centred = x - mean.reshape(per_channel)
        variance = _SumOverProcesses.apply(centred.square().sum(others)) / n  # (C,)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1
        gain = self.weight * torch.rsqrt(variance + self.eps)  # (C,)
        return centred * gain.reshape(per_channel) + self.bias.reshape(per_channel)


class SharedBatchNorm1d(_OverProcesses, nn.BatchNorm1d):
    """Batch norm of x (B, C) over all processes."""


class SharedBatchNorm2d(_OverProcesses, nn.BatchNorm2d):
    """Batch norm of x (B, C, H, W) over all processes."""


def share_norms(network: nn.Module) -> nn.Module:
    """Replace every batch norm, in place, by one over all processes with the same parameters;
    returns the network."""
    for name, child in network.named_children():
        if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)):
            kind = SharedBatchNorm1d if isinstance(child, nn.BatchNorm1d) else SharedBatchNorm2d
            shared = kind(child.num_features, child.eps, child.momentum)
            # not copies: the optimiser already refers to these parameters
            shared._parameters, shared._buffers = child._parameters, child._buffers
            setattr(network, name, shared)
        else:
            share_norms(child)
    return network
