"""The IoU predictor: every block's size, what flows where, and the published network by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.errors import SettingsError
from course_lib.models.iou_predictor import IoUPredictor, Modulation
from course_lib.models.pyramid import MapPlace

RESNET18 = MapPlace(128, 8, 0.0), MapPlace(256, 16, 0.0)
RESNET50 = MapPlace(512, 8, 0.0), MapPlace(1024, 16, 0.0)
SMALL = MapPlace(6, 8, 0.5), MapPlace(10, 16, 0.5)


def count(*modules: nn.Module) -> int:
    return sum(p.numel() for m in modules for p in m.parameters())


def small(width: int = 8) -> IoUPredictor:
    torch.manual_seed(0)
    return IoUPredictor(SMALL, width).eval()


def maps(seed: int, count: int = 2, places=SMALL, cells: int = 12) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return [
        torch.randn(count, place.channels, n, n, generator=g)
        for place, n in zip(places, (cells, cells // 2), strict=True)
    ]


BOXES = torch.tensor([[20.0, 24.0, 40.0, 30.0], [30.0, 16.0, 25.0, 45.0]])


class TestSizes:
    """Parameters, as published: 128 and 256 channels in (ResNet-18), 512 and 1024 (ResNet-50)."""

    @pytest.mark.parametrize(
        ("block", "expected"),
        [
            ("reference_fine", 147_840),
            ("reference_coarse", 590_592),
            ("reference_pooled", 295_680),
            ("vector_fine", 131_840),
            ("vector_coarse", 131_840),
            ("test_fine.0", 295_680),
            ("test_fine.1", 590_592),
            ("test_coarse.0", 590_592),
            ("test_coarse.1", 590_592),
            ("dense_fine", 1_639_168),
            ("dense_coarse", 590_592),
            ("iou", 513),
        ],
    )
    def test_each_block(self, block, expected):
        assert count(IoUPredictor(RESNET18).get_submodule(block)) == expected

    def test_branches_and_sums(self):
        p = IoUPredictor(RESNET18)
        reference = p.reference_fine, p.reference_coarse, p.reference_pooled
        assert count(*reference, p.vector_fine, p.vector_coarse) == 1_297_792
        test = p.test_fine, p.test_coarse, p.dense_fine, p.dense_coarse, p.iou
        assert count(*test) == 4_297_729 and count(p) == 5_595_521

    def test_on_resnet50(self):
        p = IoUPredictor(RESNET50)
        reference = p.reference_fine, p.reference_coarse, p.reference_pooled
        assert count(*reference, p.vector_fine, p.vector_coarse) == 3_509_632
        assert count(p) == 10_461_569

    def test_shapes_of_the_paper(self):
        p = IoUPredictor(RESNET18).eval()
        x = maps(0, 2, RESNET18, 36)
        with torch.no_grad():
            modulation, features = p.modulation(x, BOXES), p.test_maps(x)
            assert p.raw_iou(features, modulation, BOXES[:, None].expand(2, 9, 4)).shape == (2, 9)
        assert [v.shape for v in modulation] == [(2, 256)] * 2
        assert [f.shape for f in features] == [(2, 256, 36, 36), (2, 256, 18, 18)]

    def test_an_odd_width_is_refused(self):
        with pytest.raises(SettingsError, match="width is 9; expected an even"):
            IoUPredictor(SMALL, 9)

    def test_first_weights(self):
        torch.manual_seed(0)
        p = IoUPredictor(RESNET18)
        for layer, fan_in in ((p.test_fine[1][0], 256 * 9), (p.dense_fine.linear, 6400)):
            assert float(layer.weight.detach().std()) == pytest.approx(
                (2 / fan_in) ** 0.5, rel=0.02
            )
            assert not layer.bias.any()
        gains = torch.cat([m.weight.detach() for m in p.modules() if isinstance(m, nn.BatchNorm2d)])
        assert 0 <= float(gains.min()) < 0.01 and 0.99 < float(gains.max()) <= 1
        assert float(gains.mean()) == pytest.approx(0.5, abs=0.03)


class TestFlow:
    """What depends on what."""

    def test_vectors_are_not_negative_and_know_the_box(self):
        p, x = small(), maps(1)
        with torch.no_grad():
            a, b = p.modulation(x, BOXES), p.modulation(x, BOXES + torch.tensor([9.0, 5, 3, -4]))
        for v, w in zip(a, b, strict=True):
            assert float(v.min()) >= 0 and float(v.max()) > 0 and not torch.equal(v, w)

    def test_features_are_multiplied_before_they_are_pooled(self):
        """A pooled mean of v · F is v · the mean of F, so that either order gives the same here;
        but what vanishes in the vector must vanish in the answer."""
        p, x = small(), maps(2)
        with torch.no_grad():
            features, m = p.test_maps(x), p.modulation(x, BOXES)
            nothing = Modulation(*(torch.zeros_like(v) for v in m))
            empty = p.raw_iou(features, nothing, BOXES[:, None])
            blank = type(features)(*(torch.zeros_like(f) for f in features))
            torch.testing.assert_close(empty, p.raw_iou(blank, m, BOXES[:, None]))
            # only one channel of the fine map counts
            one = Modulation(F.one_hot(torch.tensor([3, 3]), 8).float(), torch.zeros_like(m.coarse))
            changed = type(features)(features.fine.clone(), features.coarse)
            changed.fine[:, [0, 1, 2, 4, 5, 6, 7]] = 9.0
            same = [p.raw_iou(f, one, BOXES[:, None]) for f in (features, changed)]
        assert torch.equal(*same)

    def test_predicted_iou_is_the_raw_one_between_0_and_1(self):
        p, x = small(), maps(3)
        with torch.no_grad():
            m, f = p.modulation(x, BOXES), p.test_maps(x)
            raw, iou = p.raw_iou(f, m, BOXES[:, None]), p.predicted_iou(f, m, BOXES[:, None])
        assert torch.allclose(iou, (1 + raw) / 2)

    def test_a_target_has_its_own_prediction(self):
        p, x = small(), maps(4)
        boxes = BOXES[:, None] + torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            m, f = p.modulation(x, BOXES), p.test_maps(x)
            both = p.raw_iou(f, m, boxes)
            for b in range(2):
                alone = p.raw_iou(
                    type(f)(*(v[b : b + 1] for v in f)),
                    Modulation(*(v[b : b + 1] for v in m)),
                    boxes[b : b + 1],
                )
                torch.testing.assert_close(both[b : b + 1], alone, atol=1e-5, rtol=0)
            # one target in all images
            one = Modulation(*(v[:1] for v in m))
            torch.testing.assert_close(p.raw_iou(f, one, boxes)[0], both[0], atol=1e-5, rtol=0)

    def test_the_box_has_a_gradient_and_ascent_climbs(self):
        p, x = small(), maps(5)
        with torch.no_grad():
            m, f = p.modulation(x, BOXES), p.test_maps(x)
        boxes, found = BOXES[:, None].clone(), []
        for _ in range(4):
            boxes.requires_grad_()
            raw = p.raw_iou(f, m, boxes)
            (slope,) = torch.autograd.grad(raw.sum(), boxes)
            assert float(slope.abs().min()) > 0
            found.append(raw.detach())
            boxes = (boxes + 0.3 * slope * boxes[..., 2:].repeat(1, 1, 2)).detach()
        assert bool((found[-1] > found[0]).all())

    def test_gradients_reach_every_weight(self):
        p, x = small().train(), maps(6)
        boxes = BOXES[:, None].repeat(1, 4, 1) + 3 * torch.randn(2, 4, 4)
        p.raw_iou(p.test_maps(x), p.modulation(x, BOXES), boxes).square().sum().backward()
        still = [n for n, w in p.named_parameters() if float(w.grad.abs().sum()) == 0]
        assert still == []

    def test_a_map_that_starts_elsewhere_moves_boxes_with_it(self):
        p, x = small(), maps(7)
        moved = small()
        moved.places = tuple(place._replace(start=place.start + 3) for place in SMALL)
        with torch.no_grad():
            f, m = p.test_maps(x), p.modulation(x, BOXES)
            here = p.raw_iou(f, m, BOXES[:, None])
            there = moved.raw_iou(f, m, BOXES[:, None] + torch.tensor([3.0, 3, 0, 0]))
        torch.testing.assert_close(here, there, atol=1e-5, rtol=0)
