"""What every backbone promises, and that a new, padded one works in every network."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.data.generated import make_sequence, random_spec
from course_lib.errors import SettingsError
from course_lib.models.backbone import Backbone, cells_of
from course_lib.models.backbones import BACKBONES, backbone_arguments, make_backbone
from course_lib.models.cir import PLANS
from course_lib.models.device import Placement
from course_lib.models.heads import HEADS, head_class
from course_lib.models.networks import NETWORKS, build, network_arguments, network_class
from course_lib.models.proposal_network import ProposalNetwork
from course_lib.models.runtime import ProposalRuntime, SiamFCRuntime
from course_lib.models.siamfc import SiamFC
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.siamrpnpp import SiamRPNpp
from course_lib.models.twins import TWINS
from course_lib.models.weights import load_network, save_weights
from course_lib.trackers.siamfc import SiamFCTracker
from course_lib.trackers.siamrpn import SiamRPNTracker

ROOT = Path(__file__).resolve().parents[2]
CPU = Placement(torch.device("cpu"), bf16=False)


class Padded(Backbone):
    """A toy in the style of mobile networks: three padded convolutions, the second depth-wise."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stride, self.channels = 8, 2 * width
        rows = ((3, width, 1), (width, width, width), (width, 2 * width, 1))
        self.layers = nn.Sequential(
            *(
                layer
                for before, after, groups in rows
                for layer in (
                    nn.Conv2d(before, after, 3, 2, padding=1, groups=groups, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(),
                )
            )
        )
        self.init_weights()

    def stages(self) -> list[list[nn.Module]]:
        return [list(self.layers[k : k + 2]) for k in (0, 3, 6)]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layers(image)  # (B, 2 · width, S/8, S/8)


@pytest.fixture
def padded(monkeypatch) -> str:
    """The toy's name, while it has a row in the table."""
    monkeypatch.setitem(BACKBONES, "padded", (f"{__name__}:Padded", {}))
    return "padded"


def small(name: str) -> Backbone:
    """A backbone with few channels and non-trivial batch norms, in eval mode."""
    torch.manual_seed(0)
    few = {"width_multiplier": 0.125, "widths": (8, 8, 8, 8, 8)}
    network = make_backbone(name, **{n: few[n] for n in few if n in backbone_arguments(name)})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    return network.eval()


def test_the_table_has_every_plan_and_every_twin():
    twins = {f"twin-{family}-{k}" for family, columns in TWINS.items() for k in columns}
    assert {"alexnet", "resnet50", *PLANS, *twins} <= set(BACKBONES)  # a new row is welcome


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
class TestEveryBackbone:
    """Size, channels, stages, folding and rebuilding."""

    @torch.no_grad()
    def test_it_has_the_size_it_declares_and_folds(self, name):
        network = small(name)
        images = torch.rand(2, 3, 127, 127) * 255
        maps = network.levels(images)
        assert maps[-1].shape == (2, network.channels, *[cells_of(network, 127)] * 2)
        assert tuple(m.shape[1] for m in maps) == network.level_channels
        assert torch.equal(maps[-1], network(images))
        plain = network.folded()
        assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.modules())
        assert (plain.stride, plain.channels) == (network.stride, network.channels)
        for a, b in zip(maps, plain.levels(images), strict=True):
            torch.testing.assert_close(a, b, atol=1e-3 * float(a.std()), rtol=1e-3)
        assert cells_of(plain, 127) == cells_of(network, 127)

    @torch.no_grad()
    def test_one_stride_further_is_one_cell_further(self, name):
        network = small(name)
        s = network.stride
        assert cells_of(network, 255 + s) == cells_of(network, 255) + 1
        flat = network(torch.full((1, 3, 127, 127), 100.0))  # the same everywhere, unless padded
        if float((flat - flat[:, :, :1, :1]).abs().max()) > 1e-3 * float(flat.abs().max()):
            assert name not in PLANS and name != "alexnet"
            return
        wide = torch.rand(1, 3, 159 + s, 159 + s) * 255
        here, there = network(wide[:, :, :159, :159]), network(wide[:, :, s:, s:])
        torch.testing.assert_close(
            here[:, :, 1:, 1:], there[:, :, :-1, :-1], atol=1e-3 * float(here.std()), rtol=1e-3
        )

    def test_its_stages_hold_every_weight_and_freeze(self, name):
        network = small(name)
        held = {id(p) for part in network.stages() for m in part for p in m.parameters()}
        assert held == {id(p) for p in network.parameters()}
        network.freeze(1)
        assert not any(p.requires_grad for m in network.stages()[0] for p in m.parameters())
        rest = network.stages()[1:]  # none where there is a single stage
        assert all(p.requires_grad for part in rest for m in part for p in m.parameters())

    def test_it_is_rebuilt_from_its_about(self, name):
        network = small(name)
        about = json.loads(json.dumps(network.about))
        assert about.pop("backbone") == name
        again = make_backbone(name, **about)
        assert again.about == network.about
        shapes = [{n: t.shape for n, t in m.state_dict().items()} for m in (network, again)]
        assert shapes[0] == shapes[1]

    def test_it_draws_no_random_numbers_to_count_its_cells(self, name):
        network = small(name)
        torch.manual_seed(1)
        before = torch.random.get_rng_state()
        cells_of(network, 255)
        assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.slow
class TestANewOne:
    """A new backbone needs nothing but a row."""

    def test_under_siamfc(self, padded, tmp_path):
        torch.manual_seed(0)
        network = SiamFC(padded, width=4).eval()
        save_weights(network, tmp_path / "n.safetensors", {})
        again = load_network(str(tmp_path / "n.safetensors"))
        assert again.about == {"network": "siamfc", "backbone": padded, "width": 4}
        assert network.adjust is not None  # the fixed gain suits only AlexNet's sums
        with torch.no_grad():
            assert again(torch.rand(1, 3, 127, 127), torch.rand(1, 3, 255, 255)).shape == (
                1,
                17,
                17,
            )
        sequence = make_sequence(random_spec(2, length=4))
        tracker = SiamFCTracker(runtime=SiamFCRuntime(copy.deepcopy(network), CPU))
        tracker.init(sequence.frames[0], sequence.boxes[0])
        assert np.isfinite([tracker.update(frame) for frame in sequence.frames.part(1)]).all()

    @pytest.mark.parametrize("head", ["siamrpn++", *(h for h in HEADS if h != "concat")])
    def test_under_proposals(self, padded, head, tmp_path):
        torch.manual_seed(0)
        network = SiamRPNpp(padded, 8) if head == "siamrpn++" else SiamRPN(head, 8, padded)
        save_weights(network.eval(), tmp_path / "n.safetensors", {})
        again = load_network(str(tmp_path / "n.safetensors"))
        assert again.about == network.about
        z, x = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
        with torch.no_grad():
            proposals = network.propose(network.template_features(z), x)
        assert proposals.logits.shape == (1, len(network.anchors(255)), 2)
        centres = network.anchors(255)[:, :2] + network.anchors(255)[:, 2:] / 2
        assert centres.mean(0) == pytest.approx(127.5)
        assert network.has_map == bool(proposals.compared)
        sequence = make_sequence(random_spec(2, length=4))
        tracker = SiamRPNTracker(runtime=ProposalRuntime(again, CPU))
        tracker.init(sequence.frames[0], sequence.boxes[0])
        assert np.isfinite([tracker.update(frame) for frame in sequence.frames.part(1)]).all()

    def test_a_guided_head_says_what_it_needs(self, padded):
        with pytest.raises(
            SettingsError, match="concat is guided by a mask, which backbone padded"
        ):
            SiamRPN("concat", backbone=padded)

    def test_faults_are_named(self):
        with pytest.raises(SettingsError, match="Did you mean 'resnet50'"):
            make_backbone("resnet50v2")
        with pytest.raises(
            SettingsError, match="alexnet does not take width_multiplier; it takes stride, wid"
        ):
            make_backbone("alexnet", width_multiplier=0.5)
        with pytest.raises(SettingsError, match="Did you mean 'depthwise'"):
            head_class("deepwise")


class TestNetworks:
    """The table of networks, and rebuilding them."""

    @pytest.mark.parametrize("name", NETWORKS)
    def test_it_is_rebuilt_from_its_about(self, name):
        with torch.device("meta"):
            network = network_class(name)()
            again = build(json.loads(json.dumps(network.about | {"name": "a card's", "steps": 3})))
        assert again.about == network.about and type(again) is type(network)
        assert network.about["network"] == name == network.name
        # each of its arguments is there, by its own name, and nothing else
        assert network_arguments(network.about) == {
            n: v for n, v in network.about.items() if n != "network"
        }

    @pytest.mark.parametrize("name", [n for n in NETWORKS if "rpn" in n])
    def test_networks_that_propose_share_a_base_class(self, name):
        assert issubclass(network_class(name), ProposalNetwork)

    def test_for_an_unknown_one_the_nearest_is_suggested(self):
        with pytest.raises(SettingsError, match="no network 'siamprn'. Did you mean 'siamrpn'"):
            network_class("siamprn")

    def test_the_tables_load_nothing_in_advance(self):
        code = """
import sys
import course_lib.models.networks, course_lib.models.backbones, course_lib.models.weights
rooms = [n for n in sys.modules if n.startswith("course_lib.models.")]
print(*sorted(n.removeprefix("course_lib.models.") for n in rooms), "torchvision" in sys.modules)
import course_lib.models.siamfc
print(*(n for n in ("heads", "proposals", "cir", "twins", "resnet", "losses")
        if "course_lib.models." + n in sys.modules), "torchvision" in sys.modules)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        )
        assert done.stdout.splitlines() == [
            "backbone backbones networks tensors weights False",
            "False",
        ], done.stderr
