"""DiMP's network: published sizes and names, its card, and learning end to end."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from public_names import dimp as public_dimp

from course_lib.errors import SettingsError
from course_lib.models.atom import from_public as atom_from_public
from course_lib.models.dimp import DiMP, Neck, from_public, score_loss
from course_lib.models.networks import build, network_class
from course_lib.models.prpool import prpool
from course_lib.models.target_filter import gaussian_labels
from course_lib.models.weights import load_network, save_weights

BOXES = torch.tensor([[[110.0, 96.0, 60.0, 72.0], [90.0, 120.0, 62.0, 66.0]]])  # (1, 2, 4)


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def small(**more) -> DiMP:
    torch.manual_seed(0)
    return DiMP(**{"channels": 12, "iterations": 2} | more)


def images(count: int, seed: int = 0) -> torch.Tensor:
    return 255 * torch.rand(1, count, 3, 288, 288, generator=torch.Generator().manual_seed(seed))


class TestSizes:
    """As published for DiMP-18 and DiMP-50."""

    def test_dimp18(self):
        network = DiMP("resnet18", learned=True)
        assert count(network.neck) == 1_770_496
        assert count(network.predictor.initialiser) == 590_080
        assert count(network.predictor) - 590_080 == 302
        assert count(network.backbone) == 2_782_784
        # with the IoU predictor, 5,595,521, all of DiMP-18
        assert count(network) + 5_595_521 == 10_739_183

    def test_dimp50(self):
        assert count(Neck(1024, 512, 4, 0)) == 4_718_592

    def test_fixed_maps_have_nothing_to_learn(self):
        network = DiMP("resnet18")
        assert count(network.predictor) - 590_080 == 2


def test_scores_of_every_step():
    network = small().eval()
    with torch.no_grad():
        scores = network(images(2), images(3, 1), BOXES)
    assert [s.shape for s in scores] == [(1, 3, 19, 19)] * 3
    x = network.train().features(images(2)).detach()
    assert x.shape == (1, 2, 12, 18, 18) and network.place.channels == 12
    # under a window of 4 × 4 cells, the squares sum to 1 on average
    assert (16 * x.square().sum(2).mean((2, 3))).flatten().tolist() == pytest.approx(
        [1, 1], rel=1e-4
    )


def test_is_saved_loaded_and_described(tmp_path):
    network = small(learned=True).eval()
    save_weights(network, tmp_path / "d.safetensors", {"name": "d"})
    again = load_network(str(tmp_path / "d.safetensors"))
    assert type(again) is DiMP and again.about == network.about
    assert again.about["learned"] is True and again.about["network"] == "dimp"
    with torch.no_grad():
        a, b = (n(images(2), images(1, 1), BOXES)[-1] for n in (network, again))
    torch.testing.assert_close(a, b, atol=2e-2, rtol=0)


def test_is_rebuilt_from_its_about():
    network = small(backbone="ciresnet22", width_multiplier=0.125, kernel=3, blocks=0)
    again = build(json.loads(json.dumps(network.about)))
    shapes = [{n: t.shape for n, t in m.state_dict().items()} for m in (network, again)]
    assert shapes[0] == shapes[1] and network_class("dimp") is DiMP


@pytest.mark.parametrize("learned", [False, True])
def test_gradients_reach_the_backbone_and_every_parameter(learned):
    network = small(learned=learned).train()
    train, test = images(2).requires_grad_(), images(2, 1).requires_grad_()
    scores = network(train, test, BOXES)
    labels = gaussian_labels(network.predictor.centres(BOXES), (19, 19), 0.9)
    sum(score_loss(s, labels) for s in scores).backward()
    still = [n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()]
    assert still == []
    assert bool(train.grad.any()) and bool(test.grad.any())  # through both branches


def test_as_identity_the_filter_is_learned_on_the_backbone_s_features():
    network = small(channels=112, blocks=0).eval()
    network.begin_as_identity()
    with torch.no_grad():
        x = network.features(images(1))[0, 0]  # (112, 18, 18)
        first, *_ = network.predictor(x[None, None], BOXES[:, :1])  # (1, 112, 4, 4)
        raw = network.backbone.pyramid(images(1)[0])[1][0]  # (112, 18, 18)
    raw = raw / (112 * 16 * (raw.square().mean() + 1e-10)).sqrt()
    torch.testing.assert_close(x, raw, atol=1e-6, rtol=1e-4)
    box = network.place.cells(BOXES[:, :1])
    torch.testing.assert_close(first[0], prpool(raw[None], box, 4)[0, 0], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("change", [{"blocks": 1}, {"channels": 64}])
def test_as_identity_refuses_a_neck_that_cannot_be(change):
    network = small(**{"channels": 112, "blocks": 0} | change)
    with pytest.raises(SettingsError, match="expected blocks: 0, channels: 112"):
        network.begin_as_identity()


def test_the_score_loss_by_hand():
    scores = torch.tensor([[[[0.7, -0.4, 0.3, 0.2]]]])
    labels = torch.tensor([[[[1.0, 0.02, 0.02, 0.5]]]])
    # at the target plain differences; elsewhere −0.4 counts as 0, 0.3 as it is
    expected = (0.3**2 + 0 + 0.3**2 + 0.3**2) / 4
    assert float(score_loss(scores, labels)) == pytest.approx(expected)
    perfect = torch.where(labels < 0.05, torch.tensor(-1.0), labels)
    assert float(score_loss(perfect, labels)) == 0


def test_a_few_steps_of_training_help():
    """End to end: the loss on images that the filter was not learned from falls."""
    network = small(blocks=0, backbone="alexnet", widths=(4, 8, 8, 8, 8)).train()
    g = torch.Generator().manual_seed(4)
    scene, target = (
        255 * torch.rand(3, 288, 288, generator=g),
        255 * torch.rand(3, 6, 6, generator=g),
    )
    target = F.interpolate(target[None], size=(66, 60))[0]

    def shown(boxes: torch.Tensor) -> torch.Tensor:
        frames = scene.expand(1, boxes.shape[1], -1, -1, -1).clone()
        for n, (x, y, w, h) in enumerate(boxes[0].int().tolist()):
            frames[0, n, :, y : y + h, x : x + w] = target
        return frames

    train = torch.tensor([[[100.0, 90, 60, 66], [120, 130, 60, 66]]])
    test = torch.tensor([[[130.0, 100, 60, 66], [90, 120, 60, 66]]])
    optimiser, losses = torch.optim.Adam(network.parameters(), 3e-3), []
    for _ in range(12):
        scores = network(shown(train), shown(test), train)
        size = scores[-1].shape[-2:]
        labels = gaussian_labels(network.predictor.centres(test), tuple(size), 0.9)
        loss = score_loss(scores[-1], labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < 0.8 * losses[0], losses


class TestPublic:
    """Published names."""

    @pytest.mark.parametrize("learned", [True, False])
    def test_all_of_the_classifier_has_its_place(self, learned):
        tensors = public_dimp(3, learned)
        network = DiMP("resnet18", learned=learned)
        network.load_state_dict(from_public(tensors))  # strict
        state = network.state_dict()
        optimiser = "classifier.filter_optimizer."
        assert float(state["predictor.log_length"]) == pytest.approx(-0.2)
        assert float(state["predictor.regulariser"]) == pytest.approx(0.13)
        if learned:
            for ours, theirs in (
                ("label", "label_map_predictor.weight"),
                ("mask", "target_mask_predictor.0.weight"),
                ("weight", "spatial_weight_predictor.weight"),
            ):
                expected = tensors[optimiser + theirs].flatten()
                assert torch.equal(state[f"predictor.maps.{ours}"], expected)

    @torch.no_grad()
    def test_its_features_are_the_published(self):
        tensors = public_dimp(4)
        network = DiMP("resnet18", learned=True).eval()
        network.load_state_dict(from_public(tensors))
        x = torch.rand(1, 256, 18, 18, generator=torch.Generator().manual_seed(5))

        def conv(name: str, x: torch.Tensor) -> torch.Tensor:
            return F.conv2d(x, tensors[f"classifier.feature_extractor.{name}.weight"], padding=1)

        def norm(name: str, x: torch.Tensor) -> torch.Tensor:
            of = ("running_mean", "running_var", "weight", "bias")
            return F.batch_norm(
                x, *(tensors[f"classifier.feature_extractor.{name}.{k}"] for k in of)
            )

        y = F.relu(norm("0.bn1", conv("0.conv1", x)))
        y = conv("1", F.relu(norm("0.bn2", conv("0.conv2", y)) + x))
        length = (y.square().sum() + 1e-5).sqrt()
        expected = y * (256 * 18 * 18) ** 0.5 / length / (256 * 16) ** 0.5
        torch.testing.assert_close(network.neck(x), expected, atol=1e-5, rtol=0)

    def test_its_iou_predictor_is_atom_s(self):
        renamed = atom_from_public(public_dimp(6))
        names = {n for n in renamed if n.startswith("predictor.")}
        assert len(names) == 9 * 7 + 2 * 7 + 2
        assert not any("filter_optimizer" in n for n in renamed)
