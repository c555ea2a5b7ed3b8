"""CIR networks: units against the paper's table, folding, no trace of padding, trackers and
training."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.analysis.border import errors_by_place
from course_lib.analysis.consistency import agreement, best_window, smooth_noise
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.loader import batches
from course_lib.errors import DataError, SettingsError
from course_lib.geometry.traced import traced_receptive_fields
from course_lib.models.alexnet import AlexNet
from course_lib.models.backbones import make_backbone
from course_lib.models.cir import CIR, PLANS, CIRInception, CIRNetwork
from course_lib.models.device import Placement
from course_lib.models.runtime import ProposalRuntime, SiamFCRuntime
from course_lib.models.siamfc import SiamFC
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.twins import TwinNetwork
from course_lib.models.weights import load_network, save_weights
from course_lib.trackers.siamfc import SiamFCTracker
from course_lib.trackers.siamrpn import SiamRPNTracker
from course_lib.training.loop import train
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources
from course_lib.training.step import frozen_stages

pytestmark = pytest.mark.slow

CPU = Placement(torch.device("cpu"), bf16=False)


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Batch norms with random statistics, gains and shifts, in eval mode."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


# million parameters (published, to its three digits; the public modules, counted), billions of
# products for 127 and 255 px
TABLE = {
    "ciresnet16": (1.304, 1.3041, 0.504, 2.406),
    "ciresnet19": (1.374, 1.3745, 0.500, 2.523),
    "ciresnet22": (1.445, 1.4449, 0.494, 2.629),
    "ciresinception22": (1.695, 1.6947, 0.492, 2.674),
    "ciresnext22": (1.417, 1.4166, 0.463, 2.487),
    "ciresnet43": (None, 0.9997, 1.184, 5.991),
    "ciresnet22w": (None, 2.4580, None, None),
}


def products(network: nn.Module, size: int) -> int:
    """Multiplications of all convolutions, counted while the network runs."""
    total = 0

    def count(module, _, out):
        nonlocal total
        total += out.shape[-1] * out.shape[-2] * module.weight.numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", PLANS)
def test_parameters_and_operations_of_the_published_table(name):
    slides, counted, z, x = TABLE[name]
    network = CIRNetwork(name).eval()
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    assert millions == pytest.approx(counted, abs=5e-5)
    if slides is not None:
        assert millions == pytest.approx(slides, abs=6e-4)
    if z is not None:
        assert (products(network, 127) / 1e9, products(network, 255) / 1e9) == pytest.approx(
            (z, x), abs=6e-3
        )


def test_a_unit_is_its_bottleneck_plus_its_shortcut_cropped():
    unit = lively(CIR(6, 4, 8))
    x = torch.randn(2, 6, 9, 9)
    with torch.no_grad():
        y = F.relu(unit.bn1(F.conv2d(x, unit.conv1.weight)))
        y = F.relu(unit.bn2(F.conv2d(y, unit.conv2.weight, padding=1)))
        y = unit.bn3(F.conv2d(y, unit.conv3.weight)) + unit.shortcut[1](
            F.conv2d(x, unit.shortcut[0].weight)
        )
        assert torch.allclose(unit(x), F.relu(y)[:, :, 1:-1, 1:-1], atol=1e-6)
    assert (lively(CIR(8, 4, 8, last=True))(torch.randn(1, 8, 9, 9)) < 0).any()


def test_an_inception_unit_concatenates_and_has_no_shortcut():
    unit = lively(CIRInception(6, 4))
    x = torch.randn(2, 6, 9, 9)
    with torch.no_grad():
        side = F.relu(unit.side_bn(unit.side(x)))[:, :, 1:-1, 1:-1]
        assert torch.allclose(unit(x)[:, 16:], side, atol=1e-6) and unit(x).shape == (2, 20, 7, 7)
    assert unit.side_bn.eps == 1e-3


@pytest.mark.parametrize(
    "name",
    [
        *PLANS,
        "twin-alexnet-10",
        "twin-alexnet-6",
        "twin-resnet-5",
        "twin-resnet-8",
        "twin-resnet-9",
    ],
)
def test_folding_changes_nothing(name):
    network = lively(make_backbone(name, width_multiplier=0.125))
    folded = network.folded().eval()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    for size in (127, 255):
        x = torch.rand(1, 3, size, size) * 255
        with torch.no_grad():
            a, b = network(x), folded(x)
        assert a.shape == b.shape and float((a - b).abs().max() / a.abs().max()) < 1e-5


def test_the_folded_network_does_less_work():
    network = CIRNetwork("ciresnet22", 0.25).eval()
    # on the exemplar's small maps one cell on each side matters: a seventh of all products
    assert products(network.folded().eval(), 127) < 0.86 * products(network, 127)


@pytest.mark.parametrize(
    "network",
    [
        AlexNet(widths=(8,) * 5),
        CIRNetwork("ciresnet22", 0.125),
        CIRNetwork("ciresnext22", 0.125),
        TwinNetwork("resnet", 4, 0.125),
    ],
)
def test_networks_without_a_trace_of_padding_agree_with_themselves(network):
    image = smooth_noise(255, 1)
    lively(network)
    for offset, first in ((64, 8), (80, 10), (96, 12)):
        found = agreement(network, image, offset)
        assert (
            found.distance < 1e-5
            and found.place == (first, first)
            and float(found.cells.max()) < 1e-4
        )
    assert agreement(network, image, 67).distance > 0.01  # not a multiple of the stride


def padded_alexnet() -> AlexNet:
    torch.manual_seed(0)
    network = AlexNet()
    for k, padding in enumerate((5, 2, 1, 1, 1), start=1):
        getattr(network, f"conv{k}").padding = (padding, padding)
    return network


def test_padding_makes_alexnet_disagree_by_about_two_fifths():
    for offset in (64, 80, 96):
        found = agreement(padded_alexnet(), smooth_noise(255, 0), offset)
        assert found.distance == pytest.approx(0.42, abs=0.02) and found.place == (
            offset // 8,
            offset // 8,
        )
        centre = len(found.cells) // 2
        assert found.cells[centre, centre] < 1e-4 and found.cells[0, 0] > 0.7


def test_best_window_by_hand():
    x = torch.zeros(1, 4, 5)[:, :, :4]
    x[0, 1, 2] = 2.0
    z = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    x[0, 0] = 0.0
    distance, place = best_window(z, x + 1e-9)
    assert place == (0, 1) and distance == pytest.approx(0.5)  # a 1 where there is a 2


def test_agreement_refuses_an_exemplar_outside_the_image():
    with pytest.raises(DataError, match="offset is 140; expected 0 … 128"):
        agreement(AlexNet(widths=(4,) * 5), smooth_noise(255, 0), 140)


class Matcher(nn.Module):
    """A network whose response peaks at the brightest pixel, at stride 8."""

    stride = 8

    def features(self, image):
        return image

    template = features

    def response(self, z, x):
        return F.max_pool2d(x[:, 0, 60:-59, 60:-59], 8, 8)


def test_errors_by_place_are_zero_for_a_perfect_matcher_and_right_for_a_lazy_one():
    wide = torch.zeros(1, 3, 383, 383)
    wide[:, :, 191, 191] = 1
    places = np.array([-64, 0, 32, 64])
    assert (errors_by_place(Matcher(), torch.zeros(1, 3, 127, 127), wide, places) == 0).all()
    lazy = Matcher()
    lazy.response = lambda z, x: (
        F.one_hot(torch.full((1,), 17 * 8 + 8), 289).float().reshape(1, 17, 17)
    )
    errors = errors_by_place(lazy, torch.zeros(1, 3, 127, 127), wide, places)
    assert errors == pytest.approx(np.hypot(places[:, None], places[None]))
    with pytest.raises(DataError, match="reach 64 pixels"):
        errors_by_place(lazy, torch.zeros(1, 3, 127, 127), wide, np.array([72]))


@pytest.mark.parametrize("name", [*PLANS, "twin-alexnet-9", "twin-resnet-9"])
def test_every_backbone_tracks_under_siamfc_and_survives_its_weights_file(name, tmp_path):
    torch.manual_seed(0)
    network = lively(SiamFC(backbone=name, width_multiplier=0.125))
    save_weights(network, tmp_path / "n.safetensors", {})
    again = load_network(str(tmp_path / "n.safetensors"))
    z, x = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
    with torch.no_grad():
        first, second = network(z, x), again(z, x)
    n = {4: 33, 8: 17, 16: 9}[network.stride]
    assert first.shape == (1, n, n) and torch.allclose(first, second, rtol=0.02, atol=0.05)
    sequence = make_sequence(random_spec(2, length=4))
    tracker = SiamFCTracker(runtime=SiamFCRuntime(copy.deepcopy(network), CPU))
    tracker.init(sequence.frames[0], sequence.boxes[0])
    assert np.isfinite([tracker.update(frame) for frame in sequence.frames.part(1)]).all()


@pytest.mark.parametrize(
    ("name", "head"),
    [
        *((name, "upchannel") for name in PLANS),
        ("ciresnet22", "depthwise"),
        ("ciresnet22", "broadcast"),
    ],
)
def test_every_cir_network_under_siamrpn(name, head, tmp_path):
    torch.manual_seed(0)
    network = lively(SiamRPN(head, channels=8, backbone=name, width_multiplier=0.125))
    z, x = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
    with torch.no_grad():
        proposals = network(z, x)
    assert (
        proposals.logits.shape[1]
        == len(network.anchors(255))
        == 5 * (33 if name == "ciresnet43" else 17) ** 2
    )
    # the anchor at the exact centre of the map is at the exact centre of the image
    centres = network.anchors(255).reshape(5, -1, 4)
    assert (centres[:, :, :2] + centres[:, :, 2:] / 2).mean(1) == pytest.approx(127.5)
    step = centres[0, 1, 0] - centres[0, 0, 0]
    assert step == network.stride
    save_weights(network, tmp_path / "n.safetensors", {})
    again = load_network(str(tmp_path / "n.safetensors"))
    assert again.about == network.about
    sequence = make_sequence(random_spec(2, length=4))
    tracker = SiamRPNTracker(runtime=ProposalRuntime(again, CPU))
    tracker.init(sequence.frames[0], sequence.boxes[0])
    assert np.isfinite([tracker.update(frame) for frame in sequence.frames.part(1)]).all()


def test_responses_of_other_backbones_are_normalised_however_many_products_they_add():
    torch.manual_seed(0)
    z, x = torch.rand(4, 3, 127, 127) * 255, torch.rand(4, 3, 255, 255) * 255
    for name in ("twin-alexnet-1", "twin-alexnet-6", "ciresnet22"):  # 1, 256 and 25 cells
        response = SiamFC(backbone=name, width_multiplier=0.0625).train()(z, x).detach()
        assert abs(float(response.mean())) < 1e-4 and float(response.std()) == pytest.approx(
            1, abs=0.01
        )


def test_backbones_that_do_not_fit_are_reported():
    with pytest.raises(SettingsError, match="ciresnet99"):
        make_backbone("ciresnet99")
    with pytest.raises(SettingsError, match="twin-alexnet-11"):
        make_backbone("twin-alexnet-11")
    with pytest.raises(SettingsError, match="concat"):
        SiamRPN("concat", backbone="ciresnet22", width_multiplier=0.125)


def test_frozen_stages_thaw_from_the_last_at_the_given_fractions():
    fractions = (0.1, 0.2, 0.3, 0.5, 0.6, 0.7)
    assert [frozen_stages(t, 50, 7, fractions) for t in (0, 4, 5, 10, 15, 24, 25, 30, 35, 49)] == [
        7,
        7,
        6,
        5,
        4,
        4,
        3,
        2,
        1,
        1,
    ]
    with pytest.raises(SettingsError, match="increasing"):
        TrainSettings(freeze=2, unfreeze=(0.5, 0.2))
    with pytest.raises(SettingsError, match="at most one for each"):
        TrainSettings(freeze=1, unfreeze=(0.2, 0.5))
    with pytest.raises(SettingsError, match="this backbone has 8"):
        CIRNetwork("ciresnet22", 0.125).freeze(9)


def small(**changes) -> TrainSettings:
    values = {
        "name": "thaw",
        "backbone": "ciresnet16",
        "width_multiplier": 0.0625,
        "steps": 4,
        "batch": 4,
        "validate_every": 4,
        "validation_pairs": 4,
        "checkpoint_every": 1,
        "precision": "fp32",
        "search": 255,
        "freeze": 5,
        "unfreeze": (0.5, 0.75),
    }
    return TrainSettings(**values | changes)


def kept(network: SiamFC) -> list[torch.Tensor]:
    """The weights of every stage, then the batch statistics of every stage."""
    join = lambda tensors: torch.cat([t.detach().flatten().float() for t in tensors])  # noqa: E731
    stages = network.backbone.stages()
    return [join(t for m in stage for t in m.parameters()) for stage in stages] + [
        join(t for m in stage for t in m.buffers()) for stage in stages
    ]


def test_training_changes_only_the_stages_that_are_not_frozen(tmp_path):
    stages = {}
    for stop in (0, 2, 3, 4):
        network = (
            SiamFC(backbone="ciresnet16", width_multiplier=0.0625)
            if stop == 0
            else train(small(), tmp_path / str(stop), "cpu", stop_at=stop).network
        )
        stages[stop] = kept(network)
    start = kept(
        train(
            small(rate_start=1e-12, rate_end=1e-12, weight_decay=0),
            tmp_path / "still",
            "cpu",
            stop_at=1,
        ).network
    )
    for stop, frozen in ((2, 5), (3, 4), (4, 3)):
        same = [bool(torch.equal(x, y)) for x, y in zip(stages[stop], start, strict=True)]
        assert same == ([True] * frozen + [False] * (6 - frozen)) * 2, stop


def test_thawing_resumes_exactly(tmp_path):
    whole = train(small(), tmp_path / "whole", "cpu").network
    for stop in (1, 2, 3):
        train(small(), tmp_path / "thawed", "cpu", stop_at=stop)
    thawed = train(small(), tmp_path / "thawed", "cpu").network
    for a, b in zip(whole.state_dict().values(), thawed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_labels_of_a_twin_follow_its_own_stride():
    """A network of stride 16 is trained with labels of stride 16, whatever the recipe's AlexNet
    stride says."""
    from course_lib.training.map_tasks import SiamFCTask

    task = SiamFCTask(small(backbone="twin-alexnet-9", freeze=0, unfreeze=()))
    batch = next(batches(make_sources(small())[0], 0, 4, 0, 1))
    right = torch.full((4, 9, 9), -20.0)
    right[:, 4, 4] = 20.0
    aside = torch.full((4, 9, 9), -20.0)
    aside[:, 4, 7] = 20.0
    assert float(task.loss(right, batch)) < float(task.loss(aside, batch)) - 3
    assert float(task.measures(aside, batch)["distance"].mean()) == pytest.approx(48, abs=8)


def test_the_width_multiplier_leaves_the_receptive_field_unchanged():
    for width_multiplier in (0.125, 0.5):
        assert (
            traced_receptive_fields(CIRNetwork("ciresnet22", width_multiplier), 127)[-1].field == 93
        )


def test_the_stem_of_the_inception_network_has_no_bias_and_that_of_the_next_network_has():
    """As in the public modules, so that their state dicts load strictly."""
    count = {n: sum(p.numel() for p in CIRNetwork(n).parameters()) for n in PLANS}
    assert count["ciresinception22"] == 1_694_656
    assert CIRNetwork("ciresinception22").conv1.bias is None
    assert CIRNetwork("ciresnext22").conv1.bias.shape == (64,)
