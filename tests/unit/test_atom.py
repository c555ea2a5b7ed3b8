"""ATOM's network: on every kind of backbone, with a card, and with the published weights' names."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from public_names import iou_net, resnet
from torch import nn
from torchvision.models import resnet18

from course_lib.models.atom import ATOM, from_public
from course_lib.models.backbones import backbone_arguments
from course_lib.models.iou_predictor import IoUPredictor
from course_lib.models.networks import build, network_class
from course_lib.models.prpool import prpool
from course_lib.models.pyramid import MapPlace
from course_lib.models.weights import load_network, read_card, save_weights

BOX = torch.tensor([[110.0, 96.0, 60.0, 72.0]])
PUBLIC_PLACES = MapPlace(128, 8, 0.0), MapPlace(256, 16, 0.0)


def small(backbone: str = "lite0", **more) -> ATOM:
    few = {"width_multiplier": 0.125, "widths": (8,) * 5}
    torch.manual_seed(0)
    arguments = {n: few[n] for n in few if n in backbone_arguments(backbone)}
    return ATOM(backbone, 8, **arguments, **more).eval()


def pair(size: int = 288) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    return tuple(255 * torch.rand(1, 3, size, size, generator=g) for _ in range(2))


@pytest.mark.parametrize(
    ("backbone", "more"),
    [
        ("lite0", {}),
        ("lite0", {"dilated": True}),
        ("ciresnet22", {}),
        ("resnet18", {}),
        ("alexnet", {}),
    ],
)
def test_on_any_backbone(backbone, more):
    network = small(backbone, **more)
    reference, test = pair(289)
    boxes = (
        BOX[None] + torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(2))
    ).requires_grad_()
    raw = network(reference, test, BOX, boxes)
    assert raw.shape == (1, 6)
    (slope,) = torch.autograd.grad(raw.sum(), boxes)
    assert float(slope.abs().max(-1).values.min()) > 0


def test_its_parts_are_the_whole():
    network = small()
    reference, test = pair()
    with torch.no_grad():
        p = network.predictor
        modulation = p.modulation(network.maps(reference), BOX)
        parts = p.raw_iou(p.test_maps(network.maps(test)), modulation, BOX[None])
        assert torch.equal(parts, network(reference, test, BOX, BOX[None]))


def test_at_the_paper_s_size():
    network = ATOM("resnet18")
    assert sum(p.numel() for p in network.predictor.parameters()) == 5_595_521
    assert sum(p.numel() for p in network.backbone.parameters()) == 2_782_784


def test_a_small_one_fits_two_cores():
    network = ATOM("lite0", 64)
    assert sum(p.numel() for p in network.predictor.parameters()) < 450_000


def test_is_saved_loaded_and_described(tmp_path):
    network = small()
    path = tmp_path / "a.safetensors"
    save_weights(network, path, {"name": "a"})
    card = read_card(path)
    assert (card["network"], card["backbone"], card["width"]) == ("atom", "lite0", 8)
    again = load_network(str(path))
    assert type(again) is ATOM and again.about == network.about and again.places == network.places
    reference, test = pair()
    with torch.no_grad():
        torch.testing.assert_close(
            again(reference, test, BOX, BOX[None]),
            network(reference, test, BOX, BOX[None]),
            atol=2e-2,
            rtol=0,
        )


@pytest.mark.parametrize("backbone", ["resnet18", "ciresnet22"])
def test_is_rebuilt_from_its_about(backbone):
    network = small(backbone)
    again = build(json.loads(json.dumps(network.about)))
    shapes = [{n: t.shape for n, t in m.state_dict().items()} for m in (network, again)]
    assert shapes[0] == shapes[1] and network_class("atom") is ATOM


def test_gradients_reach_every_weight():
    network = small().train()
    images = torch.cat(pair())  # two targets: alike, they would leave the batch norms nothing
    boxes = BOX[None] + 4 * torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(3))
    network(images, images.flip(0), boxes[:, 0], boxes).square().sum().backward()
    still = {n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()}
    # a norm takes away the bias before it: what is left of its gradient is rounding
    without = {
        f"{name}.0.bias"
        for name, block in network.named_modules()
        if isinstance(block, nn.Sequential)
        and len(block) > 1
        and isinstance(block[1], nn.BatchNorm2d)
    }
    assert still <= without


class TestPublic:
    """The published network: its tensors under our names give what it gives."""

    def by_hand(self, t: dict, maps, box, test_maps, boxes) -> torch.Tensor:
        """The published forward pass from its own tensors; boxes (1, P, 4) in pixels."""

        def conv(name: str, x: torch.Tensor, padding: int) -> torch.Tensor:
            x = F.conv2d(x, t[f"{name}.0.weight"], t[f"{name}.0.bias"], padding=padding)
            return F.relu(self.norm(t, f"{name}.1", x))

        def dense(name: str, x: torch.Tensor) -> torch.Tensor:
            x = F.linear(x.flatten(1), t[f"{name}.linear.weight"], t[f"{name}.linear.bias"])
            return F.relu(self.norm(t, f"{name}.bn", x))

        box3, box4 = box[:, None] / 8, box[:, None] / 16
        three = prpool(conv("conv3_1r", maps[0], 1), box3, 3)[:, 0]
        four = prpool(conv("conv4_1r", maps[1], 1), box4, 1)[:, 0]
        both = torch.cat([conv("fc3_1r", three, 0), four], 1)
        v3, v4 = conv("fc34_3r", both, 0), conv("fc34_4r", both, 0)
        x3 = conv("conv3_2t", conv("conv3_1t", test_maps[0], 1), 1) * v3
        x4 = conv("conv4_2t", conv("conv4_1t", test_maps[1], 1), 1) * v4
        inside = prpool(x3, boxes / 8, 5)[0], prpool(x4, boxes / 16, 3)[0]
        joined = torch.cat([dense("fc3_rt", inside[0]), dense("fc4_rt", inside[1])], 1)
        return F.linear(joined, t["iou_predictor.weight"], t["iou_predictor.bias"])[:, 0]

    def norm(self, t: dict, name: str, x: torch.Tensor) -> torch.Tensor:
        of = [t[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *of)

    def drawn_maps(self, seed: int) -> list[torch.Tensor]:
        g = torch.Generator().manual_seed(seed)
        return [torch.rand(1, n, s, s, generator=g) for n, s in ((128, 36), (256, 18))]

    @torch.no_grad()
    def test_the_transplanted_predictor_gives_what_the_published_gives(self):
        tensors = iou_net(4)
        predictor = IoUPredictor(PUBLIC_PLACES).eval()
        predictor.load_state_dict(from_public(tensors))  # strict: nothing missing, nothing left
        maps, test_maps = self.drawn_maps(5), self.drawn_maps(6)
        boxes = BOX[None] + 12 * torch.randn(1, 10, 4, generator=torch.Generator().manual_seed(7))
        ours = predictor.raw_iou(
            predictor.test_maps(test_maps), predictor.modulation(maps, BOX), boxes
        )[0]
        theirs = self.by_hand(tensors, maps, BOX, test_maps, boxes)
        assert float(theirs.std()) > 1e-3
        torch.testing.assert_close(ours, theirs, atol=1e-5 * float(theirs.abs().max()), rtol=0)

    @torch.no_grad()
    def test_a_whole_network_too(self):
        public = iou_net(8, "bb_regressor.") | resnet(8)
        network = ATOM("resnet18").eval()
        network.load_state_dict(from_public(public))
        theirs = resnet18(weights=None).eval()
        theirs.load_state_dict({n.partition(".")[2]: t for n, t in resnet(8).items()})
        image = pair(96)[0]
        x = (image - network.backbone.mean) / network.backbone.std
        x = theirs.layer1(theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x)))))
        fine = theirs.layer2(x)
        for ours, expected in zip(network.maps(image), (fine, theirs.layer3(fine)), strict=True):
            torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)
        name = "predictor.dense_fine.linear.weight"
        assert torch.equal(network.state_dict()[name], public["bb_regressor.fc3_rt.linear.weight"])

    def test_each_name_is_its_own(self):
        renamed = from_public(iou_net(9) | {"something.else": torch.zeros(2)})
        assert len(renamed) == len(iou_net(9)) and "something.else" not in renamed
