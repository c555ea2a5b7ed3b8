"""DiMP's model predictor: one step by hand, learning over steps, and the published steps."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.models.predictor import (
    FixedMaps,
    Initialiser,
    LearnedMaps,
    ModelPredictor,
)
from course_lib.models.prpool import prpool
from course_lib.models.pyramid import MapPlace
from course_lib.models.target_filter import apply_filters, rms_normalised

PLACE = MapPlace(6, 16, 0.5)
BOXES = torch.tensor([[[80.0, 96.0, 56.0, 48.0], [110.0, 64.0, 60.0, 50.0]]] * 2)  # (2, 2, 4)


def predictor(learned: bool = False, place: MapPlace = PLACE, kernel: int = 4) -> ModelPredictor:
    torch.manual_seed(0)
    return ModelPredictor(place, kernel, 5, learned)


def features(seed: int = 0, channels: int = 6, cells: int = 18) -> torch.Tensor:
    """(2, 2, C, 18, 18), with a pattern of 4 × 4 cells at each target."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 2, channels, cells, cells, generator=g)
    pattern = 2 * torch.randn(2, channels, 4, 4, generator=g)
    centres = PLACE.cells(BOXES[..., :2] + BOXES[..., 2:] / 2).round().int()
    for b in range(2):
        for n in range(2):
            cx, cy = centres[b, n].tolist()
            x[b, n, :, cy - 2 : cy + 2, cx - 2 : cx + 2] = pattern[b]
    return rms_normalised(x) / (channels * 16) ** 0.5


def loss(p: ModelPredictor, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """‖r‖² (B,) of filters."""
    return p.residuals(x, p.centres(BOXES))(w).square().sum(1)


class TestMaps:
    """Labels, mask and weights."""

    def test_fixed_by_hand(self):
        labels, mask, weights = FixedMaps()(torch.tensor([[[2.0, 1.0]]]), (4, 6))
        assert labels.shape == (1, 1, 4, 6) and float(weights.min()) == 1
        assert float(labels[0, 0, 1, 3]) == pytest.approx(math.exp(-1 / 1.62))
        # √(2 · 0.81 · ln 20) = 2.2 cells: two to the side belong to the target, two and one do not
        assert mask[0, 0, 1].tolist() == [1, 1, 1, 1, 1, 0]
        assert mask[0, 0, 3].tolist() == [0, 0, 1, 0, 0, 0]
        assert float(labels[0, 0, 3, 3]) == 0

    def test_learned_begin_as_a_gaussian_and_a_soft_disc(self):
        maps = LearnedMaps()
        assert sum(p.numel() for p in maps.parameters()) == 300
        with torch.no_grad():
            labels, mask, weights = maps(torch.tensor([[[3.0, 4.0]]]), (30, 30))
        far = math.exp(-(9.9**2) / 1.62)
        assert float(labels[0, 0, 4, 4]) == pytest.approx(math.exp(-1 / 1.62) - far, abs=1e-6)
        assert float(mask[0, 0, 4, 5]) == pytest.approx(0.5, abs=1e-6)  # two cells away
        assert float(mask[0, 0, 4, 3]) == pytest.approx(1 / (1 + math.exp(-3 * math.tanh(2))))
        assert float(mask[0, 0, 29, 29]) == pytest.approx(
            1 / (1 + math.exp(-3 * math.tanh(2 - 9.9)))
        )
        assert torch.equal(weights, torch.ones(1, 1, 30, 30))

    def test_learned_ones_are_linear_between_distances(self):
        maps = LearnedMaps()
        with torch.no_grad():
            maps.label.copy_(torch.arange(100.0))
            labels = maps(torch.tensor([[[0.25, 0.0]]]), (1, 14)).labels[0, 0, 0]
        # distances .25, .75, 1.75 … in steps of 0.1; beyond 9.9 the last number
        assert labels[:3].tolist() == pytest.approx([2.5, 7.5, 17.5], abs=1e-4)
        assert labels[10:].tolist() == pytest.approx([97.5, 99, 99, 99], abs=1e-4)

    def test_every_number_of_a_distance_that_occurs_has_a_gradient(self):
        maps = LearnedMaps()
        labels, mask, weights = maps(torch.tensor([[[9.03, 8.61]]]), (19, 19))
        (labels.sum() + mask.sum() + weights.sum()).backward()
        for table in maps.parameters():
            assert int((table.grad != 0).sum()) > 60


class TestInitialiser:
    """The first filter."""

    def test_is_the_mean_of_pooled_targets(self):
        torch.manual_seed(0)
        init, x = Initialiser(PLACE, 4), features()
        cells = PLACE.cells(BOXES)
        found = init(x, cells)
        assert found.shape == (2, 6, 4, 4)
        by_hand = [prpool(init.conv(x[:, n]), cells[:, n : n + 1], 4)[:, 0] for n in range(2)]
        torch.testing.assert_close(found, (by_hand[0] + by_hand[1]) / 2, atol=1e-6, rtol=0)

    def test_has_the_published_size(self):
        for channels, expected in ((256, 590_080), (512, 2_359_808)):
            init = Initialiser(MapPlace(channels, 16, 0.5), 4)
            assert sum(p.numel() for p in init.parameters()) == expected


class TestSteps:
    """Steepest descent."""

    def test_one_step_by_hand(self):
        """One channel, one cell, a filter of one weight, one image with two cells: s = (2w, w).

        The target is at the first cell: y = (1, e^{−1/1.62}), both within the threshold, so m = 1.
        """
        p = predictor(place=MapPlace(1, 1, 0.5), kernel=1)
        x = torch.tensor([2.0, 1.0]).reshape(1, 1, 1, 1, 2)
        w, y2 = 0.25, math.exp(-1 / 1.62)
        r = 2 * w - 1, w - y2, 0.1 * w
        g = 2 * r[0] + r[1] + 0.1 * r[2]  # Jᵀr with J = (2, 1, 0.1)
        expected = w - 0.9 * g * g / (g * g * (4 + 1 + 0.01)) * g
        (found,) = p.descend(torch.full((1, 1, 1, 1), w), x, torch.tensor([[[0.0, 0.0]]]), steps=1)
        assert float(found.detach()) == pytest.approx(expected, abs=1e-6)

    def test_a_target_lies_half_a_cell_further_on_the_score_map(self):
        """A box with its centre at pixel (80.5, 112.5): cell (5, 7) of the features."""
        box = torch.tensor([64.5, 96.5, 32.0, 32.0])
        assert predictor().centres(box).tolist() == [5.5, 7.5]
        assert predictor(kernel=3).centres(box).tolist() == [5, 7]

    def test_the_hinge_leaves_low_background_alone(self):
        """Far from the target a score below 0 has no residual, one above 0 has."""
        p = predictor(place=MapPlace(1, 1, 0.5), kernel=1)
        x = torch.zeros(1, 1, 1, 1, 9)
        x[..., 7], x[..., 8] = -1.0, 1.0  # 7 and 8 cells from the target, scores −w and w
        r = p.residuals(x, torch.tensor([[[0.0, 0.0]]]))(torch.full((1, 1, 1, 1), 0.5))[0]
        assert r[7:].tolist() == pytest.approx([0, 0.5, 0.05])

    def test_the_loss_falls_at_every_step(self):
        p, x = predictor(), features()
        with torch.no_grad():
            losses = torch.stack([loss(p, x, w) for w in p(x, BOXES, steps=8)])  # (9, 2)
        assert bool((losses.diff(dim=0) < 0).all())
        assert bool((losses[-1] < 0.5 * losses[0]).all())

    def test_the_filter_finds_the_target_in_a_new_image(self):
        p, x = predictor(), features()
        with torch.no_grad():
            filters = p(x, BOXES, steps=10)[-1]
            moved = x[:, :1].roll((3, -2), (-2, -1))
            scores = apply_filters(moved, filters)  # (2, 1, 19, 19)
        centre = p.centres(BOXES[:, 0]) + torch.tensor([-2.0, 3.0])
        for b in range(2):
            best = int(scores[b, 0].argmax())
            assert (
                abs(best % 19 - float(centre[b, 0])) < 1
                and abs(best // 19 - float(centre[b, 1])) < 1
            )

    def test_several_targets_at_once_are_each_alone(self):
        p, x = predictor(), features()
        with torch.no_grad():
            both = p(x, BOXES)[-1]
            for b in range(2):
                alone = p(x[b : b + 1], BOXES[b : b + 1])[-1]
                torch.testing.assert_close(both[b : b + 1], alone, atol=1e-6, rtol=1e-4)

    def test_weights_of_images_count(self):
        p, x = predictor(), features()
        centres = p.centres(BOXES)
        with torch.no_grad():
            first = p.initialiser(x, p.place.cells(BOXES))
            only = p.descend(first, x, centres, torch.tensor([[1.0, 0.0]] * 2))[-1]
            alone = p.descend(first, x[:, :1], centres[:, :1])[-1]
            equal = p.descend(first, x, centres, torch.full((2, 2), 0.5))[-1]
            default = p.descend(first, x, centres)[-1]
        torch.testing.assert_close(only, alone, atol=1e-6, rtol=1e-4)
        assert torch.equal(equal, default) and not torch.allclose(only, equal, atol=1e-3)

    def test_without_gradients_it_is_the_same_and_keeps_no_graph(self):
        p, x = predictor(), features()
        with torch.no_grad():
            plain = p(x, BOXES)
        kept = p(x, BOXES)
        assert not plain[-1].requires_grad and kept[-1].requires_grad and len(plain) == 6
        torch.testing.assert_close(plain[-1], kept[-1].detach())

    @pytest.mark.parametrize("learned", [False, True])
    def test_gradients_reach_features_and_every_parameter(self, learned):
        p, x = predictor(learned), features().requires_grad_()
        filters = p(x, BOXES)[-1]
        other = features(1)
        apply_filters(other, filters).square().sum().backward()
        assert float(x.grad.abs().amax((2, 3, 4)).min()) > 0
        still = [n for n, w in p.named_parameters() if w.grad is None or not w.grad.any()]
        assert still == []
        count = sum(w.numel() for w in p.parameters()) - sum(
            w.numel() for w in p.initialiser.parameters()
        )
        assert count == (302 if learned else 2)

    def test_gradients_by_differences(self):
        """Through the first filter and two steps, in what is learned."""
        p = predictor(True, MapPlace(2, 16, 0.5), 2).double()
        g = torch.Generator().manual_seed(3)
        x = torch.randn(1, 2, 2, 6, 6, generator=g, dtype=torch.float64)
        first = 0.3 * torch.randn(1, 2, 2, 2, generator=g, dtype=torch.float64)
        centres = torch.tensor([[[3.2, 2.1], [2.4, 3.7]]], dtype=torch.float64)

        assert torch.autograd.gradcheck(
            lambda a, b: p.descend(a, b, centres, steps=2)[-1],
            (first.requires_grad_(), x.requires_grad_()),
        )

    def test_half_precision_around_it_changes_nothing(self):
        p, x = predictor(), features()
        with torch.no_grad():
            expected = p(x, BOXES)[-1]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                assert torch.equal(p(x, BOXES)[-1], expected)


class TestPublished:
    """The steps as the published code computes them, written out."""

    @torch.no_grad()
    @pytest.mark.parametrize("learned", [False, True])
    def test_five_steps(self, learned):
        p, x = predictor(learned), features(5)
        if learned:
            g = torch.Generator().manual_seed(6)
            for table in p.maps.parameters():
                table.add_(0.2 * torch.randn(100, generator=g))
        filters = p(x, BOXES)
        y, m, v = p.maps(p.centres(BOXES), (19, 19))
        w, share = filters[0], 0.5**0.5
        for expected in filters[1:]:
            s = apply_filters(x, w)
            slope = (1 - m) / 2 * s.sign() + (1 + m) / 2
            residual = share * v * ((1 - m) / 2 * s.abs() + (1 + m) / 2 * s - y)
            back = slope * share * v * residual
            # the transposed convolution, by unfolding
            cells = F.unfold(x.flatten(0, 1), 4, padding=2).reshape(2, 2, 96, 361)
            g = (cells * back.reshape(2, 2, 1, 361)).sum((1, 3)).reshape(w.shape) + 0.01 * w
            seen = share * v * slope * apply_filters(x, g)
            top, below = g.square().sum((1, 2, 3)), seen.square().sum((1, 2, 3))
            alpha = top / (below + 0.01 * top)
            w = w - 0.9 * alpha[:, None, None, None] * g
            torch.testing.assert_close(expected, w, atol=1e-5, rtol=1e-4)

    def test_a_small_regulariser_is_held_up(self):
        p, x = predictor(), features()
        with torch.no_grad():
            p.regulariser.fill_(1e-6)
            r = p.residuals(x, p.centres(BOXES))(torch.ones(2, 6, 4, 4))
        assert r[:, -96:].unique().tolist() == pytest.approx([1e-3])
