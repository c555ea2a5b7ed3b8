"""Cosine correlation, margin losses, the SiamMargin network and its templates, against loops and
cases worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import DataError, SettingsError
from course_lib.models.correlation import cosine_correlate
from course_lib.models.losses import balanced_logistic_loss, pair_labels
from course_lib.models.margin import (
    CosineMap,
    gap,
    harden,
    least_scale,
    margin_at,
    margin_logistic_loss,
    margin_softmax_loss,
)
from course_lib.models.siamfc import SiamFC
from course_lib.models.siammargin import SiamMargin
from course_lib.models.templates import mixed, roi_of, running_average, template_from, unit
from course_lib.models.weights import load_network, save_weights

LOSSES = [margin_logistic_loss, margin_softmax_loss]


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TestCosine:
    """`cosine_correlate`."""

    @given(
        st.integers(1, 3),
        st.integers(1, 5),
        st.integers(1, 4),
        st.integers(1, 4),
        st.integers(0, 4),
        st.integers(0, 9),
    )
    @settings(max_examples=40, deadline=None)
    def test_is_the_cosine_of_every_window(self, pairs, channels, h, w, more, seed):
        z, x = (
            random(seed, pairs, channels, h, w),
            3 * random(seed + 1, pairs, channels, h + more, w + 2),
        )
        c = cosine_correlate(z, x)
        for b in range(pairs):
            for row in range(more + 1):
                for column in range(3):
                    window = x[b, :, row : row + h, column : column + w].flatten().double()
                    own = z[b].flatten().double()
                    expected = float(own @ window / own.norm() / window.norm())
                    assert float(c[b, row, column]) == pytest.approx(expected, abs=1e-5)

    def test_a_copy_gives_one_whatever_its_brightness(self):
        x = random(0, 1, 6, 9, 9)
        c = cosine_correlate(7 * x[:, :, 2:6, 3:7], x)
        assert float(c[0, 2, 3]) == pytest.approx(1, abs=1e-5)
        assert int(c.flatten().argmax()) == 2 * 6 + 3 and float(c.abs().max()) <= 1 + 1e-5

    def test_one_exemplar_serves_all(self):
        z, x = random(0, 1, 4, 3, 3), random(1, 5, 4, 7, 7)
        assert torch.allclose(cosine_correlate(z, x), cosine_correlate(z.expand(5, -1, -1, -1), x))

    @pytest.mark.parametrize("empty", ["z", "x"])
    def test_nothing_but_zeros_gives_zero_and_a_finite_gradient(self, empty):
        z, x = random(0, 1, 4, 3, 3), random(1, 1, 4, 7, 7)
        z, x = (z * (empty != "z")).requires_grad_(), (x * (empty != "x")).requires_grad_()
        c = cosine_correlate(z, x)
        c.sum().backward()
        assert float(c.detach().abs().max()) == 0
        assert torch.isfinite(z.grad).all() and torch.isfinite(x.grad).all()

    def test_refuses_what_does_not_fit(self):
        with pytest.raises(DataError, match="cannot slide"):
            cosine_correlate(random(0, 1, 4, 8, 8), random(0, 1, 4, 7, 7))


class TestLabels:
    """The ring."""

    def test_counts_of_siamfc_s_map(self):
        y = pair_labels(torch.tensor([True, False]), 17, 8, 16, ring=32)
        assert [(y[0] == v).sum().item() for v in (1, 0, -1)] == [13, 36, 240]
        assert (y[1] == -1).all()  # a negative pair has no ring

    def test_follows_the_target(self):
        y = pair_labels(torch.tensor([True]), 17, 8, 8, torch.tensor([[16.0, -24.0]]), ring=8)
        assert y[0, 5, 10] == 1 and (y == 1).sum() == 5 and (y == 0).sum() == 0


def cells(seed: int = 0, dtype=torch.float32) -> tuple[CosineMap, torch.Tensor]:
    """Three maps with threshold, and labels: two targets, one pair without."""
    c = torch.rand(3, 9, 9, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.7
    labels = pair_labels(
        torch.tensor([True, True, False]), 9, 8, 9, torch.tensor([[0.0, 0], [8, -8], [0, 0]]), 20
    )
    return CosineMap(c.to(dtype), torch.tensor(0.4, dtype=dtype)), labels.to(dtype)


class TestLosses:
    """Both losses."""

    def test_without_margin_it_is_siamfc_s_loss_of_cosine_logits(self):
        answer, labels = cells()
        expected = balanced_logistic_loss(16 * (answer.cosines - 0.4), labels)
        assert float(margin_logistic_loss(answer, labels, 16, 0.0)) == pytest.approx(
            float(expected), abs=1e-6
        )

    @pytest.mark.parametrize("arc", [False, True])
    def test_the_pixel_wise_loss_by_a_loop(self, arc):
        answer, labels = cells(1, torch.float64)
        s, m, b = 10.0, 0.3, 0.4
        total = 0.0
        for c, y in zip(answer.cosines, labels, strict=True):
            sides = {1: [], -1: []}
            for v, label in zip(c.flatten().tolist(), y.flatten().tolist(), strict=True):
                if label:
                    # the same cosine for the opposite answer: −cos θ = cos(π − θ)
                    hard = (
                        math.cos(min(math.acos(label * v) + m, math.pi)) if arc else label * v - m
                    )
                    if arc and math.acos(label * v) + m > math.pi:
                        hard = label * v - m * math.sin(m)
                    sides[int(label)].append(math.log1p(math.exp(-s * (hard - label * b))))
            total += sum(0.5 * sum(v) / len(v) for v in sides.values() if v)
        assert float(margin_logistic_loss(answer, labels, s, m, arc)) == pytest.approx(
            total / 3, rel=1e-6
        )

    @pytest.mark.parametrize("arc", [False, True])
    def test_the_softmax_by_a_loop(self, arc):
        answer, labels = cells(2, torch.float64)
        s, m, b = 9.0, 0.2, 0.4
        total = 0.0
        for c, y in zip(answer.cosines, labels, strict=True):
            rest = sum(math.exp(s * v) for v in c[y < 0].tolist())
            on = c[y > 0].tolist()
            if not on:
                total -= math.log(math.exp(s * (b - m)) / (math.exp(s * (b - m)) + rest))
                continue
            for v in on:
                hard = math.cos(math.acos(v) + m) if arc else v - m
                if arc and math.acos(v) + m > math.pi:
                    hard = v - m * math.sin(m)
                total -= math.log(
                    math.exp(s * hard) / (math.exp(s * hard) + rest + math.exp(s * b))
                ) / len(on)
        assert float(margin_softmax_loss(answer, labels, s, m, arc)) == pytest.approx(
            total / 3, rel=1e-6
        )

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("arc", [False, True])
    def test_gradients_by_differences(self, loss, arc):
        answer, labels = cells(3, torch.float64)
        c, b = answer.cosines.clone().requires_grad_(), answer.threshold.clone().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda c, b: loss(CosineMap(c, b), labels, 6.0, 0.25, arc), (c, b)
        )

    @given(
        st.sampled_from(LOSSES),
        st.booleans(),
        st.floats(0, 0.5),
        st.floats(1, 64),
        st.integers(0, 99),
        st.booleans(),
    )
    @settings(max_examples=80, deadline=None)
    def test_never_a_nan(self, loss, arc, margin, scale, seed, extreme):
        answer, labels = cells(seed)
        c = torch.where(answer.cosines > 0, 1.0, -1.0) if extreme else answer.cosines
        c, b = c.requires_grad_(), answer.threshold.requires_grad_()
        value = loss(CosineMap(c, b), labels, scale, margin, arc)
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(c.grad).all() and torch.isfinite(b.grad)

    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("arc", [False, True])
    def test_a_larger_margin_costs_more(self, loss, arc):
        answer, labels = cells(4)
        values = [float(loss(answer, labels, 8.0, m, arc)) for m in (0, 0.1, 0.2, 0.3, 0.4, 0.5)]
        assert values == sorted(values) and values[0] < values[-1]

    @pytest.mark.parametrize("loss", LOSSES)
    def test_cells_of_the_ring_do_not_count(self, loss):
        answer, labels = cells(5)
        other = answer._replace(cosines=torch.where(labels == 0, 1.0, answer.cosines))
        assert float(loss(other, labels)) == pytest.approx(float(loss(answer, labels)), abs=1e-6)

    @pytest.mark.parametrize("loss", LOSSES)
    def test_a_pair_without_target_pushes_every_cosine_down(self, loss):
        answer, labels = cells(6)
        c = answer.cosines.clone().requires_grad_()
        loss(CosineMap(c, answer.threshold), labels).backward()
        assert (c.grad[2] > 0).all()
        assert (c.grad[0][labels[0] > 0] < 0).all() and (c.grad[0][labels[0] < 0] > 0).all()

    @pytest.mark.parametrize(("scale", "margin"), [(0, 0.2), (16, -0.1), (16, 2.0)])
    def test_refuses_invalid_settings(self, scale, margin):
        answer, labels = cells()
        with pytest.raises(SettingsError, match="scale above 0"):
            margin_logistic_loss(answer, labels, scale, margin)


class TestHelpers:
    """Margins, scales, leads."""

    def test_the_arc_falls_all_the_way(self):
        c = torch.linspace(-1, 1, 401, dtype=torch.float64)
        for m in (0.1, 0.3, 0.5):
            assert (harden(c, m, arc=True).diff() > -1e-6).all()  # rises with c, never falls
            inner = c.abs() < 0.8
            assert torch.allclose(
                harden(c, m, True)[inner], torch.cos(torch.acos(c) + m)[inner], atol=1e-6
            )

    def test_the_margin_rises_linearly_and_stays(self):
        assert [margin_at(d, 0.2, 0.4) for d in (0, 0.1, 0.2, 0.4, 0.7, 1)] == pytest.approx(
            [0, 0.05, 0.1, 0.2, 0.2, 0.2]
        )
        assert margin_at(0, 0.2, 0) == 0.2

    @pytest.mark.parametrize(("classes", "p", "s"), [(289, 0.9, 7.83), (289, 0.99, 10.2)])
    def test_the_least_scale(self, classes, p, s):
        assert least_scale(classes, p) == pytest.approx(s, abs=0.05)
        # at that scale the best cosines give just this probability
        scale, rest = least_scale(classes, p), -1 / (classes - 1)
        won = math.exp(scale) / (math.exp(scale) + (classes - 1) * math.exp(scale * rest))
        assert won == pytest.approx(p, abs=1e-9)

    def test_the_gap(self):
        maps = torch.tensor([[[0.1, 0.9], [0.4, 0.7]]])
        labels = torch.tensor([[[1.0, 0.0], [1.0, -1.0]]])
        assert float(gap(maps, labels)) == pytest.approx(-0.3)


class TestNetwork:
    """SiamMargin."""

    def small(self, **how) -> SiamMargin:
        torch.manual_seed(0)
        return SiamMargin(widths=(16, 32, 32, 32, 16), **how).eval()

    def test_gives_cosines_of_siamfc_s_size(self):
        z, x = 255 * torch.rand(2, 3, 127, 127), 255 * torch.rand(2, 3, 255, 255)
        network = self.small()
        with torch.no_grad():
            answer = network(z, x)
            expected = cosine_correlate(network.features(z), network.features(x))
        assert answer.cosines.shape == (2, 17, 17) and float(answer.threshold) == 0.5
        assert (
            torch.allclose(answer.cosines, expected, atol=1e-5)
            and float(answer.cosines.max()) <= 1 + 1e-5
        )

    def test_is_rebuilt_from_its_card(self, tmp_path):
        for network in (
            self.small(),
            SiamMargin(backbone="ciresnet22", width_multiplier=0.125).eval(),
        ):
            with torch.no_grad():
                network.threshold.fill_(0.37)
            save_weights(network, tmp_path / "it.safetensors", {"name": "it"})
            again = load_network(str(tmp_path / "it.safetensors"))
            assert isinstance(again, SiamMargin) and float(again.threshold) == pytest.approx(0.37)
            assert again.about == network.about

    def test_lacks_the_weights_of_siamfc_that_it_does_not_need(self):
        names = dict(self.small().named_parameters())
        assert set(names) - set(dict(SiamFC(widths=(16, 32, 32, 32, 16)).named_parameters())) == {
            "threshold"
        }
        assert "bias" not in names

    def test_cosines_stay_within_bounds_in_half_precision(self):
        network = self.small()
        z, x = 255 * torch.rand(1, 3, 127, 127), 255 * torch.rand(1, 3, 255, 255)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            c = network(z, x).cosines
        assert c.dtype == torch.float32 and float(c.abs().max()) <= 1 + 1e-5


class TestTemplates:
    """ROI-Align, averages."""

    @pytest.mark.parametrize("backbone", ["alexnet", "ciresnet22"])
    def test_a_square_on_cells_of_the_map_equals_the_features_of_an_exemplar_cut_there(
        self, backbone
    ):
        from course_lib.geometry.traced import traced_receptive_fields
        from course_lib.models.backbones import make_backbone

        torch.manual_seed(1)
        few = (
            {"widths": (12, 32, 48, 48, 32)}
            if backbone == "alexnet"
            else {"width_multiplier": 0.125}
        )
        network = make_backbone(backbone, **few).eval()
        row = traced_receptive_fields(network, 127)[-1]
        search = 255 * torch.rand(1, 3, 255, 255)
        left, top = 8 * 5, 8 * 9  # whole strides: the exemplar's cells fall on the search map's
        with torch.no_grad():
            own = network(search[:, :, top : top + 127, left : left + 127])
            features = network(search)
        centre = torch.tensor([left + 63.5, top + 63.5])
        roi = roi_of(centre, 1.0, row.start, row.stride, row.size)
        assert roi.tolist() == pytest.approx([5, 9, 5 + row.size, 9 + row.size])
        assert torch.allclose(template_from(features, roi, row.size), own, atol=1e-3)

    def test_between_cells_it_is_bilinear(self):
        ramp = torch.arange(10.0)[None, None, None, :].expand(1, 1, 10, 10)
        found = template_from(ramp, torch.tensor([2.25, 3.0, 6.25, 7.0]), 4)
        assert torch.allclose(found[0, 0], torch.tensor([2.25, 3.25, 4.25, 5.25]).expand(4, 4))

    def test_a_target_that_has_grown_covers_more_cells(self):
        roi = roi_of(torch.tensor([99.5, 91.5]), 1.5, 43.5, 8, 6)
        assert roi.tolist() == pytest.approx([7.5 - 4.5, 6.5 - 4.5, 7.5 + 4.5, 6.5 + 4.5])

    def test_averages_keep_their_length_and_their_weights(self):
        a, b = unit(random(0, 1, 3, 2, 2)), unit(random(1, 1, 3, 2, 2))
        assert float(running_average(a, b, 0.3).norm()) == pytest.approx(1, abs=1e-6)
        assert torch.allclose(unit(7 * a), a, atol=1e-6)
        assert torch.allclose(running_average(a, b, 0.3), unit(0.7 * a + 0.3 * b), atol=1e-6)
        assert torch.allclose(mixed(a, b, 0.8), 0.8 * a + 0.2 * b, atol=1e-6)
        assert torch.allclose(mixed(a, b, 1.0), a, atol=1e-6)
