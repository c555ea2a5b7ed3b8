"""One training step: no wait for the device, the weights of a plain loop, and losses read back all
at once.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from course_lib.data.loader import PairBatch, batches
from course_lib.errors import CourseError, SettingsError
from course_lib.models.backbones import make_backbone
from course_lib.models.device import Placement, sent
from course_lib.training import loop as loop_module
from course_lib.training import proposal_task
from course_lib.training.checkpoint import load_checkpoint
from course_lib.training.loop import Run, train
from course_lib.training.processes import ProcessGroup
from course_lib.training.settings import (
    MarginSettings,
    ProposalSettings,
    TrainSettings,
)
from course_lib.training.sources import make_sources
from course_lib.training.step import (
    descend,
    descend_unread,
    fix_norms,
    learning_rate,
    make_optimiser,
    predict,
    with_fast_backbone,
)
from course_lib.training.tasks import make_task

pytestmark = pytest.mark.slow

NARROW = (4, 8, 8, 8, 8)
CPU = torch.device("cpu")
TINY = TrainSettings(
    name="tiny",
    widths=(4, 4, 4, 4, 4),
    batch=2,
    steps=45,
    rate_start=0.02,
    precision="fp32",
    validation_pairs=0,
    checkpoint_every=1000,
)
RECIPES = {
    "siamfc": TrainSettings(widths=NARROW),
    "siammargin": TrainSettings(network="siammargin", widths=NARROW),
    "siamrpn with a margin on its map": TrainSettings(
        network="siamrpn",
        widths=NARROW,
        search=255,
        margin=MarginSettings(weight=0.5),
        proposals=ProposalSettings(head="depthwise", channels=8, groups=2),
    ),
    "siamrpn++": TrainSettings(
        network="siamrpn++",
        widths=NARROW,
        search=255,
        proposals=ProposalSettings(channels=8),
    ),
    "siamconcatrpn": TrainSettings(
        network="siamconcatrpn", search=255, proposals=ProposalSettings(loss="ssd")
    ),
}


class NoPairs:
    """A source from which nothing is drawn."""

    seconds: dict[str, float] = {}  # noqa: RUF012


class Valueless(Placement):
    """Networks of tensors without values. They are on the CPU: the backward pass of a GPU
    needs a driver.
    """

    def network(self, network: nn.Module) -> nn.Module:
        for module in network.modules():
            for name, tensor in module._parameters.items():
                if tensor is not None:
                    fake = torch.empty(tensor.shape)
                    module._parameters[name] = nn.Parameter(fake, tensor.requires_grad)
            for name, tensor in module._buffers.items():
                if tensor is not None:
                    module._buffers[name] = torch.empty(tensor.shape, dtype=tensor.dtype)
        return network


def valueless_batch(b: int, size: int) -> PairBatch:
    images = [torch.empty(b, 3, s, s, dtype=torch.uint8) for s in (127, size)]
    boxes = torch.empty(b, 4), torch.empty(b, 4)
    seeds = torch.zeros(b, dtype=torch.int64)
    positive = torch.empty(b, dtype=torch.bool)
    return PairBatch(*images, *boxes, positive, torch.empty(b, 2, 8), seeds, ["it"] * b)


@pytest.fixture
def no_values(monkeypatch) -> FakeTensorMode:
    """Tensors without values: reading one, which on a GPU means waiting for it, raises an
    error.
    """
    # computed on the CPU from numbers on the CPU: which pairs are blurred, and what
    # is drawn by seed
    monkeypatch.setattr(torch, "nonzero", lambda t: torch.zeros(1, t.ndim, dtype=torch.int64))
    monkeypatch.setattr(proposal_task, "uniform_draws", lambda seeds, n: torch.empty(len(seeds), n))
    monkeypatch.setattr(proposal_task, "jittered", lambda boxes, seeds, share: boxes * 1)
    return FakeTensorMode()


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_step_of_the_loop_reads_nothing_back(name, optimiser, no_values):
    """Data to the device, jitter, forward, loss, backward, clipping, the optimiser's step: three
    times.
    """
    settings = replace(RECIPES[name], optimiser=optimiser, batch=2, steps=50)
    pairs = (NoPairs(), NoPairs())
    with no_values:
        run = Run(settings, Path("nowhere"), Valueless(CPU, True), ProcessGroup(), pairs)
        for _ in range(3):
            run._step(iter([valueless_batch(2, settings.search)]))
        assert run.progress.step == 3 and len(run.unread) == 3
        with pytest.raises(DataDependentOutputException):  # the guard does see a reading
            run._read()


def test_the_guard_sees_the_step_of_the_lesson_which_reads_the_norm(no_values):
    with no_values:
        network = nn.Linear(3, 1)
        optimiser = torch.optim.SGD(network.parameters(), 0.1)
        with pytest.raises(DataDependentOutputException):
            descend(network, optimiser, network(torch.empty(2, 3)).sum(), 1.0)


def weights(network: nn.Module) -> Tensor:
    return torch.cat([t.detach().float().flatten() for t in network.state_dict().values()])


class Slow(Run):
    """A run that treats the CPU as a GPU: it reads losses only when it must."""

    readings: list[int]

    def _on_cpu(self) -> bool:
        return False

    def _read(self) -> None:
        self.readings.append(len(self.unread))
        super()._read()


def slow_run(folder: Path, settings: TrainSettings, watchers: list | None = None) -> Slow:
    """A finished run of `settings` in `folder`."""
    Slow.readings = []
    run = Slow(settings, folder, Placement(CPU, False), ProcessGroup(), make_sources(settings))
    run.go(watchers or [], settings.steps)
    return run


@pytest.mark.slow
class TestReadingBack:
    """When the losses come back, and that nothing else changes."""

    def test_every_twenty_steps_and_before_whatever_needs_them(self, tmp_path):
        seen = []
        run = slow_run(tmp_path, TINY, [lambda p: seen.append(p.loss)])
        assert run.readings == [20, 20, 5]
        assert len(seen) == 45 and all(map(math.isnan, seen[:19]))
        assert len(set(seen[19:39])) == 1 and len(set(seen[39:44])) == 1
        often = replace(TINY, steps=12, checkpoint_every=5, validate_every=8, validation_pairs=2)
        assert slow_run(tmp_path / "often", often).readings == [5, 3, 2, 2]

    def test_watchers_cope_with_a_loss_that_is_not_read_yet(self, tmp_path):
        from course_lib.training.monitor import ProgressBar, TensorBoard
        from course_lib.widgets import LiveCurves

        bar, curves, said, drawn = ProgressBar(), LiveCurves(every=0.0), [], []

        def look(p):
            said.append(bar.bar.postfix.split(",")[0])
            drawn.append(curves.readout.split(", ")[1])

        board = TensorBoard(tmp_path / "board", every=1)
        run = slow_run(tmp_path, replace(TINY, steps=21), [bar, curves, board, look])
        assert said[0] == drawn[0] == "loss not read yet"
        assert said[-1] == drawn[-1] == f"loss {run.progress.loss:.3f}"

    def test_weights_and_curve_are_those_of_a_run_that_reads_every_loss(self, tmp_path):
        losses = []
        trained = train(TINY, tmp_path / "a", "cpu", [lambda p: losses.append(p.loss)])
        curve = trained.progress.curve
        run = slow_run(tmp_path / "b", TINY)
        assert torch.equal(weights(run.network), weights(trained.network))
        assert run.progress.curve == curve and run.progress.loss == losses[-1]
        assert curve == [(20, sum(losses[:20]) / 20), (40, sum(losses[20:40]) / 20)]

    def test_a_loss_that_is_not_finite_is_found_at_the_next_reading(self, tmp_path, monkeypatch):
        before = Run._predict

        def poisoned(run, batch):
            return before(run, batch) * (math.nan if run.progress.step == 7 else 1)

        monkeypatch.setattr(loop_module.Run, "_predict", poisoned)
        settings = replace(TINY, checkpoint_every=5)
        with pytest.raises(CourseError, match="the loss is nan at step 7") as problem:
            slow_run(tmp_path, settings)
        assert "of this and later steps were discarded" in str(problem.value)
        kept = torch.load(tmp_path / "last.pt", weights_only=True)
        assert kept["step"] == 5  # the checkpoint of step 10 was not written
        assert all(torch.isfinite(t).all() for t in kept["network"].values())


@pytest.mark.slow
def test_the_loop_ends_with_the_weights_of_a_plain_loop(tmp_path):
    """A second implementation, which uses only the pairs, the network and the
    loss.
    """
    settings = replace(TINY, steps=6, momentum=0.8, clip_norm=0.05)
    source, _ = make_sources(settings)
    task = make_task(settings)
    network = Placement(CPU, False).network(task.network)
    optimiser = torch.optim.SGD(network.parameters(), 0.02, 0.8, weight_decay=5e-4)
    norms = []
    for step, batch in enumerate(batches(source, 0, 2, 0, 6)):
        jittered = batch.jittered(CPU)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, 6, 0.02, 1e-5)
        network.train()
        place = Placement(CPU, False)
        output = predict(
            network, place.images(jittered.exemplar), place.images(jittered.search), False
        )
        optimiser.zero_grad()
        task.loss(output, jittered).backward()
        norms.append(float(nn.utils.clip_grad_norm_(network.parameters(), 0.05)))
        optimiser.step()
    assert max(norms) > 0.05  # clipping has something to do
    assert torch.equal(weights(train(settings, tmp_path, "cpu").network), weights(network))


def test_both_kinds_of_descent_take_the_same_step():
    made = []
    for way in (descend, descend_unread):
        torch.manual_seed(3)
        network = nn.Linear(4, 2)
        optimiser = make_optimiser(network, TINY)
        norms = [way(network, optimiser, network(torch.ones(5, 4)).square().sum(), 0.5)]
        norms.append(way(network, optimiser, network(torch.ones(5, 4)).square().sum(), 0.5))
        made.append((weights(network), [float(n) for n in norms]))
    assert torch.equal(made[0][0], made[1][0]) and made[0][1] == made[1][1]
    assert isinstance(norms[0], Tensor) and norms[0].shape == ()


def test_all_but_the_head_may_learn_more_slowly():
    """Gradient descent from 0 without momentum: what a weight has moved is rate · gradient."""
    network = nn.ModuleDict({"body": nn.Linear(2, 1), "head": nn.Linear(2, 1)})
    settings = replace(TINY, optimiser="sgd", momentum=0.0, weight_decay=0.0, backbone_rate=0.25)
    optimiser = make_optimiser(network, settings)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for group in optimiser.param_groups:
        group["lr"] = 0.1 * group["factor"]  # as the loop does
    x = torch.tensor([[3.0, -1.0]])
    (network["body"](x) + network["head"](x)).sum().backward()
    optimiser.step()
    for part, rate in (("body", 0.025), ("head", 0.1)):
        moved = before[f"{part}.weight"] - network[part].weight
        torch.testing.assert_close(moved, rate * x)


def test_the_loop_sets_each_group_s_rate(tmp_path):
    settings = replace(
        TINY, network="siamrpn", widths=NARROW, search=255, steps=2, backbone_rate=0.1
    )
    train(settings, tmp_path, "cpu")
    groups = load_checkpoint(tmp_path / "last.pt")["optimiser"]["param_groups"]
    assert [g["lr"] for g in groups] == pytest.approx([settings.rate_end, 0.1 * settings.rate_end])


@pytest.mark.parametrize("parts", [["head"], ["body"]])
def test_a_rate_for_one_of_two_parts_needs_both(parts):
    network = nn.ModuleDict({name: nn.Linear(2, 1) for name in parts})
    with pytest.raises(SettingsError, match="backbone_rate is 0.5.*expected 1"):
        make_optimiser(network, replace(TINY, backbone_rate=0.5))


def test_sent_values_do_not_change():
    values = torch.arange(4.0)
    assert sent(values, CPU) is values


def test_fixed_norms_are_those_of_tracking_and_stay():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    network(images)
    fix_norms(network.train())
    assert network[2].training
    kept = network[1].running_var.clone()
    torch.manual_seed(0)
    found = network(images * 3)
    assert torch.equal(network[1].running_var, kept)
    torch.manual_seed(0)
    torch.testing.assert_close(found, network[2](network[:2].eval()(images * 3)))


@pytest.mark.parametrize(("fraction", "fixed_from"), [(0.0, 4), (0.5, 2), (1.0, 0)])
def test_norms_are_fixed_in_the_last_steps(tmp_path, fraction, fixed_from):
    settings = replace(TINY, steps=4, fix_norms=fraction, validate_every=4, checkpoint_every=1)
    kept = [None]

    def keep(p):
        kept.append(load_checkpoint(tmp_path / "last.pt")["network"]["backbone.bn1.running_var"])

    train(settings, tmp_path, "cpu", [keep])
    alike = [torch.equal(a, b) for a, b in pairwise(kept[1:])]
    assert alike == [step >= fixed_from for step in (1, 2, 3)]


@torch.no_grad()
def test_a_frozen_backbone_is_folded_for_training_and_shares_every_other_weight():
    torch.manual_seed(0)
    settings = replace(TINY, network="siamrpn", search=255, start_from=None, freeze=5)
    network = make_task(settings).network.train()
    place = Placement(CPU, bf16=False)
    for name, tensor in network.backbone.named_buffers():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    fast = with_fast_backbone(network, place)
    assert fast is not network and not any("bn" in n for n, _ in fast.backbone.named_parameters())
    assert any("bn" in n for n, _ in network.backbone.named_parameters())
    own = {id(p) for p in network.head.parameters()}
    assert own == {id(p) for p in fast.parameters() if p.requires_grad}
    images = torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255
    for a, b in zip(network(*images)[:2], fast(*images)[:2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    network.backbone.freeze(0)
    assert with_fast_backbone(network, place) is network


@pytest.mark.parametrize("backbone", ["alexnet", "lite0"])
def test_the_guide_of_a_frozen_backbone_is_trained(backbone):
    """It lies in front of all that is frozen; the first steps must move it away from zero."""
    torch.manual_seed(0)
    settings = replace(
        TINY, network="siamrpn", backbone=backbone, search=255, start_from=None,
        freeze=len(make_backbone(backbone).stages()),
    )  # fmt: skip
    settings = replace(settings, proposals=replace(settings.proposals, head="concat"))
    network = make_task(settings).network.train()
    for name, tensor in network.backbone.named_buffers():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    with torch.no_grad():
        network.backbone.guide.weight.normal_()
    fast = with_fast_backbone(network, Placement(CPU, bf16=False)).train()
    own = {id(p) for p in network.parameters() if p.requires_grad}
    assert own == {id(p) for p in fast.parameters() if p.requires_grad}
    masks = (torch.arange(255) < 100).float().expand(2, 1, 255, -1)
    images = [torch.cat([torch.rand(2, 3, n, n) * 255, masks[..., :n, :n]], 1) for n in (127, 255)]
    kept = copy.deepcopy(network.state_dict())
    theirs = network(*images).float()
    network.load_state_dict(kept)  # the head's averages
    mine = fast(*images).float()
    torch.testing.assert_close(mine.offsets, theirs.offsets, rtol=1e-3, atol=1e-3)
    mine.logits.square().sum().backward()
    assert float(network.backbone.guide.weight.grad.abs().max()) > 0
    assert network.backbone.conv1.weight.grad is None


@torch.no_grad()
def test_of_a_backbone_that_is_frozen_in_part_only_that_part_is_folded():
    torch.manual_seed(0)
    settings = replace(TINY, network="siammargin", backbone="lite0", search=255, freeze=5)
    network = make_task(settings).network.train()
    for name, tensor in network.backbone.named_buffers():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    fast = with_fast_backbone(network, Placement(CPU, bf16=False)).train()
    own = {id(p) for p in network.parameters() if p.requires_grad}
    assert own == {id(p) for p in fast.parameters() if p.requires_grad}
    assert any(p.requires_grad for p in fast.backbone.parameters())
    last = fast.backbone.layers[4]
    assert last is network.backbone.layers[4]
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.backbone.layers[3].modules())
    images = torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255
    kept = copy.deepcopy(last.state_dict())
    theirs = network(*images).cosines
    last.load_state_dict(kept)  # training changed the averages of its norms
    torch.testing.assert_close(fast(*images).cosines, theirs, rtol=1e-3, atol=1e-3)
    assert not torch.equal(kept["0.layers.1.running_mean"], last[0].layers[1].running_mean)
