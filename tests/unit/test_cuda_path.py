"""The path on a GPU, without one: every network, loss, measure and tracker on fake CUDA tensors.

A fake tensor has a shape, a type and a device, but no values. Two of them on different devices in
one operation are an error, as on a GPU; so is everything that reads a value (`float(t)`,
`bool(t)`, `t.tolist()`), which on a GPU makes the program wait for it. A module is moved as
`Module.to` moves it: parameters and buffers, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensor,
    FakeTensorMode,
)

from course_lib.data.frames import ArrayFrames
from course_lib.data.loader import PairBatch
from course_lib.data.sequence import Sequence
from course_lib.evaluation.lockstep import track_in_lockstep
from course_lib.models.device import Placement
from course_lib.models.runtime import ProposalRuntime, SiamFCRuntime, fold_all
from course_lib.models.siammargin import SiamMargin
from course_lib.trackers.siamfc import SiamFCTracker
from course_lib.trackers.siammargin import SiamMarginTracker
from course_lib.trackers.siamrpn import SiamRPNTracker
from course_lib.training.settings import MarginSettings, ProposalSettings, TrainSettings
from course_lib.training.step import predict
from course_lib.training.tasks import make_task

pytestmark = pytest.mark.slow

CUDA = torch.device("cuda", 0)
B, NARROW = 2, (4, 8, 8, 8, 8)


def rpn(head: str, **other) -> TrainSettings:
    return TrainSettings(
        network="siamrpn",
        search=255,
        widths=NARROW,
        proposals=ProposalSettings(head=head, **other),
    )


def with_backbone(name: str, **other) -> TrainSettings:
    return TrainSettings(backbone=name, width_multiplier=0.25, search=255, **other)


ON_MAP = MarginSettings(loss="softmax", weight=1.0)
RECIPES = {
    "siamfc": TrainSettings(widths=NARROW),
    "siamfc, stride 4": TrainSettings(widths=NARROW, stride=4, search=255),
    "siamfc on ciresnet22": with_backbone("ciresnet22"),
    "siamfc on ciresinception22": with_backbone("ciresinception22"),
    "siamfc on ciresnext22": with_backbone("ciresnext22"),
    "siamfc on ciresnet43": with_backbone("ciresnet43"),
    "siamfc on a twin": with_backbone("twin-resnet-4"),
    "siammargin, logistic": TrainSettings(network="siammargin", widths=NARROW),
    "siammargin, softmax and arc": TrainSettings(
        network="siammargin", widths=NARROW, margin=MarginSettings(loss="softmax", arc=True)
    ),
    "siamrpn, up-channel": rpn("upchannel"),
    "siamrpn, depth-wise": rpn("depthwise"),
    "siamrpn, depth-wise, margin on its map": replace(rpn("depthwise"), margin=ON_MAP),
    "siamrpn, concat": rpn("concat"),
    "siamrpn, broadcast, SSD's loss": rpn("broadcast", loss="ssd"),
    "siamrpn on ciresnet22": with_backbone("ciresnet22", network="siamrpn"),
    "siamrpn++ on alexnet": TrainSettings(
        network="siamrpn++",
        search=255,
        widths=NARROW,
        proposals=ProposalSettings(channels=8),
    ),
    "siamrpn++ on resnet50": TrainSettings(
        network="siamrpn++", search=255, proposals=ProposalSettings(channels=16)
    ),
    "siamconcatrpn": TrainSettings(
        network="siamconcatrpn", search=255, proposals=ProposalSettings(loss="ssd")
    ),
    "siambroadcastrpn": TrainSettings(
        network="siambroadcastrpn", search=255, proposals=ProposalSettings(loss="ssd")
    ),
}


@pytest.fixture
def gpu(monkeypatch):
    """A machine with a GPU whose tensors have no values."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)

    def nonzero(tensor: Tensor) -> Tensor:  # how many there are is a value: the CPU may be asked
        if tensor.device.type != "cpu":
            raise DataDependentOutputException("nonzero waits for the GPU")
        return torch.zeros(1, tensor.ndim, dtype=torch.int64)  # say the first one is

    @torch.no_grad()
    def apply(network: nn.Module, convert, recurse: bool = True) -> nn.Module:
        """As PyTorch's own, which cannot put a fake tensor in the place of a real one."""
        for module in network.modules():
            for name, tensor in module._parameters.items():
                if tensor is not None:
                    fake = nn.Parameter(convert(tensor), tensor.requires_grad)
                    module._parameters[name] = fake
            for name, tensor in module._buffers.items():
                module._buffers[name] = None if tensor is None else convert(tensor)
        return network

    def numpy(tensor: Tensor, *, force: bool = False) -> np.ndarray:
        if not isinstance(tensor, FakeTensor):
            return plain_numpy(tensor, force=force)
        if tensor.device.type != "cpu":
            raise TypeError("can't convert a tensor on a GPU to NumPy; use .cpu() first")
        return np.zeros(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))

    plain_numpy = Tensor.numpy
    monkeypatch.setattr(torch, "nonzero", nonzero)
    monkeypatch.setattr(Tensor, "numpy", numpy)
    monkeypatch.setattr(nn.Module, "_apply", apply)
    monkeypatch.setattr("torch.amp.autocast_mode.torch.cuda.is_bf16_supported", lambda: True)
    monkeypatch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
    return mode


def batch_of(size: int) -> PairBatch:
    """Pairs as they come from the loader, on the CPU. Seeds are plain numbers: only the CPU's
    generator reads them."""
    jitter = torch.ones(B, 2, 8)
    jitter[..., 5:] = 0
    jitter[0, :, 6:] = 1.5  # one pair is blurred
    return PairBatch(
        exemplar=torch.zeros(B, 3, 127, 127, dtype=torch.uint8),
        search=torch.zeros(B, 3, size, size, dtype=torch.uint8),
        exemplar_box=torch.tensor([[40.0, 40, 47, 47]] * B),
        box=torch.tensor([[size / 2 - 20, size / 2 - 30, 40, 60]] * B),
        positive=torch.tensor([True, False]),
        jitter=jitter,
        seeds=[3, 4],
        sources=["a", "b"],
    )


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("bf16", [False, True])
def test_a_training_step_stays_on_the_gpu_and_never_waits_for_it(name, bf16, gpu):
    settings = RECIPES[name]
    placement = Placement(CUDA, bf16)
    task = make_task(settings)
    built = task.network
    pairs = batch_of(settings.search)
    with gpu:
        network = placement.network(built).train()
        jittered = pairs.jittered(CUDA)
        exemplar, search = task.inputs(jittered)
        output = predict(network, placement.images(exemplar), placement.images(search), bf16)
        loss = task.loss(output, jittered, 0.5)
        # the way back needs the GPU's own streams, so it is not tried
        assert loss.device == CUDA and loss.shape == () and loss.dtype == torch.float32
        assert loss.requires_grad
        with torch.no_grad():
            network.eval()
            measured = task.measures(output, jittered)
            assert task.maps(output).device == CUDA
        assert all(m.device == CUDA and m.shape == (B,) for m in measured.values())
        with pytest.raises(DataDependentOutputException):  # the guard does see a wait
            float(loss.detach())


def test_the_guard_sees_what_is_left_on_the_cpu(gpu):
    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.offset = torch.zeros(3)  # neither parameter nor buffer: `to` does not move it

        def forward(self, x):
            return x + self.offset

    built = Forgetful()
    with gpu:
        network = Placement(CUDA, False).network(built)
        with pytest.raises(RuntimeError, match=r"two different devices|device"):
            network(torch.zeros(2, 3, device=CUDA))


FRAME = np.full((120, 160, 3), 90, np.uint8)
BOX = np.array([60.0, 40, 30, 40])


def trackers_on_the_gpu(kind: str, bf16: bool, gpu, monkeypatch):
    """How to make trackers that share one network; its batch norms are folded before it is
    moved."""
    placement = Placement(CUDA, bf16)
    if kind in SIMILARITY:
        made = make_task(RECIPES[kind]).network.eval()
        backbone = made.backbone.folded()
        monkeypatch.setattr(type(made.backbone), "folded", lambda _: backbone)
        with gpu:
            shared = SiamFCRuntime(made, placement)
        tracker = SiamMarginTracker if isinstance(made, SiamMargin) else SiamFCTracker
        return lambda: tracker(runtime=shared)
    folded = fold_all(make_task(RECIPES[kind]).network)
    monkeypatch.setattr("course_lib.models.runtime.fold_all", lambda network: network)
    with gpu:
        shared = ProposalRuntime(folded, placement)
    return lambda: SiamRPNTracker(runtime=shared)


SIMILARITY = ["siamfc", "siamfc on ciresnet22", "siammargin, logistic"]
PROPOSERS = [name for name in RECIPES if name.startswith(("siamrpn", "siamconcat", "siambroad"))]


@pytest.mark.parametrize("kind", [*SIMILARITY, *PROPOSERS])
@pytest.mark.parametrize("bf16", [False, True])
def test_a_tracker_runs_on_the_gpu_alone_and_in_lockstep(kind, bf16, gpu, monkeypatch):
    make = trackers_on_the_gpu(kind, bf16, gpu, monkeypatch)
    trackers = [make(), make()]
    with gpu:
        for tracker in trackers:
            tracker.init(FRAME, BOX)
            features = tracker.z if isinstance(tracker.z, tuple) else (tracker.z,)
            assert all(z.device == CUDA for z in features)
            assert tracker.update(FRAME).shape == (4,)
        if not kind.startswith("siammargin"):  # it may look twice a frame: no lock-step
            sequences = [Sequence(n, ArrayFrames([FRAME] * 3), [BOX] * 3) for n in "ab"]
            found = track_in_lockstep(make, sequences, width=2)
            assert [result.boxes.shape for result in found] == [(3, 4), (3, 4)]
