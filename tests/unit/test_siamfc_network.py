"""SiamFC's network: the activation table, correlation against the loop, folding, labels and loss by
hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import DataError, SettingsError
from course_lib.models.alexnet import AlexNet
from course_lib.models.correlation import cross_correlate, cross_correlate_grouped
from course_lib.models.device import choose_placement
from course_lib.models.losses import (
    balanced_logistic_loss,
    balanced_weights,
    label_map,
    pair_labels,
)
from course_lib.models.siamfc import GAIN, SiamFC

ACTIVATIONS = {  # module: channels, cells for 127 pixels, cells for 255
    "conv1": (96, 59, 123),
    "pool1": (96, 29, 61),
    "conv2": (256, 25, 57),
    "pool2": (256, 12, 28),
    "conv3": (384, 10, 26),
    "conv4": (384, 8, 24),
    "conv5": (256, 6, 22),
}
SMALL = (8, 16, 16, 16, 8)


def count(module: torch.nn.Module) -> int:
    """Parameters."""
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("k", [0, 1])
def test_every_activation_has_the_size_of_the_table(k):
    network, seen = AlexNet().eval(), {}
    for name in ACTIVATIONS:
        getattr(network, name).register_forward_hook(
            lambda _m, _i, out, name=name: seen.__setitem__(name, tuple(out.shape[1:]))
        )
    with torch.no_grad():
        network(torch.zeros(1, 3, (127, 255)[k], (127, 255)[k]))
    assert seen == {name: (row[0], row[1 + k], row[1 + k]) for name, row in ACTIVATIONS.items()}


def test_parameters_are_those_published():
    assert count(AlexNet()) == 2_336_320
    assert sum(p.numel() for p in AlexNet().parameters() if p.ndim == 4) == 2_332_704
    assert count(AlexNet(stride=4)) == 1_949_024


@pytest.mark.parametrize(("stride", "search", "cells"), [(8, 255, 17), (8, 239, 15), (4, 255, 33)])
def test_response_sizes(stride, search, cells):
    network = SiamFC(stride=stride, widths=SMALL).eval()
    with torch.no_grad():
        out = network(torch.zeros(2, 3, 127, 127), torch.zeros(2, 3, search, search))
    assert out.shape == (2, cells, cells) and out.dtype == torch.float32
    with pytest.raises(SettingsError, match="stride is 5"):
        SiamFC(stride=5)


def loop(z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Every pair on its own, every place on its own."""
    B, _, h, w = z.shape
    H, W = x.shape[2:]
    out = torch.empty(B, H - h + 1, W - w + 1)
    for b in range(B):
        for i in range(H - h + 1):
            for j in range(W - w + 1):
                out[b, i, j] = (z[b] * x[b, :, i : i + h, j : j + w]).sum()
    return out


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 5), st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(0, 99),
)  # fmt: skip
def test_correlation_equals_the_loop(B, C, small, more, seed):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(B, C, *small, generator=generator)
    x = torch.randn(B, C, small[0] + more[0], small[1] + more[1], generator=generator)
    expected = loop(z, x)
    torch.testing.assert_close(cross_correlate(z, x), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(cross_correlate_grouped(z, x), expected, atol=1e-5, rtol=1e-5)


def test_one_exemplar_serves_many_search_images():
    z, x = torch.randn(1, 4, 3, 3), torch.randn(5, 4, 9, 9)
    torch.testing.assert_close(
        cross_correlate(z, x), loop(z.expand(5, -1, -1, -1), x), atol=1e-5, rtol=1e-5
    )


def test_gradients_of_both_ways_agree():
    z, x = (
        torch.randn(2, 4, 3, 3, dtype=torch.float64),
        torch.randn(2, 4, 7, 8, dtype=torch.float64),
    )
    grads = []
    for correlate in (cross_correlate, cross_correlate_grouped):
        a, b = z.clone().requires_grad_(), x.clone().requires_grad_()
        correlate(a, b).square().sum().backward()
        grads.append((a.grad, b.grad))
    for one, two in zip(*grads, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    "shapes",
    [((2, 3, 4, 4), (3, 3, 9, 9)), ((2, 3, 4, 4), (2, 4, 9, 9)), ((1, 3, 9, 4), (1, 3, 8, 8))],
)
def test_shapes_that_do_not_fit_are_named(shapes):
    with pytest.raises(DataError, match="cannot slide over"):
        cross_correlate(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


def test_folded_batch_norm_gives_the_same_features():
    torch.manual_seed(0)
    network = AlexNet(widths=SMALL)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low in (
                (module.running_mean, -1.0),
                (module.running_var, 0.5),
                (module.weight.data, -1.0),
            ):
                tensor.uniform_(low, 2.0)
            module.bias.data.uniform_(-1, 1)
        if isinstance(module, torch.nn.Conv2d):
            module.bias.data.uniform_(-1, 1)
    network.eval()
    folded = network.folded()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    x = torch.rand(2, 3, 127, 127) * 255
    with torch.no_grad():
        torch.testing.assert_close(folded(x), network(x), atol=1e-3, rtol=1e-4)


def test_layout_and_precision_hardly_change_a_response():
    torch.manual_seed(1)
    network = SiamFC(widths=SMALL)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network.features(torch.rand(4, 3, 127, 127) * 255)
    network.eval()
    z, x = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
    with torch.no_grad():
        plain = network(z, x)
        place = choose_placement("cpu", "fp32")
        moved = place.network(network)
        torch.testing.assert_close(
            moved(place.images(z), place.images(x)), plain, atol=1e-3, rtol=1e-3
        )


def test_the_response_is_gain_times_correlation_plus_bias():
    network = SiamFC(widths=SMALL)
    network.bias.data.fill_(0.7)
    z, x = torch.randn(2, 8, 6, 6), torch.randn(2, 8, 22, 22)
    expected = GAIN * cross_correlate_grouped(z, x) + 0.7
    torch.testing.assert_close(network.response(z, x), expected, atol=1e-5, rtol=1e-5)


class TestLabelsAndLoss:
    """Label map, weights, loss."""

    @pytest.mark.parametrize(
        ("size", "stride", "radius", "positives"),
        [(17, 8, 16, 13), (15, 8, 16, 13), (33, 4, 16, 49), (17, 8, 0, 1)],
    )
    def test_counts(self, size, stride, radius, positives):
        assert int((label_map(size, stride, radius) > 0).sum()) == positives

    def test_the_disc_is_drawn_by_hand(self):
        signs = (label_map(7, 8, 16.0) > 0).int().tolist()
        assert signs == [
            [0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 1, 0, 0, 0],
            [0, 0, 1, 1, 1, 0, 0],
            [0, 1, 1, 1, 1, 1, 0],
            [0, 0, 1, 1, 1, 0, 0],
            [0, 0, 0, 1, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0],
        ]

    def test_each_side_weighs_a_half(self):
        labels = label_map(15, 8, 16.0)
        weights = balanced_weights(labels)
        assert float(weights[labels > 0].sum()) == pytest.approx(0.5)
        assert float(weights[labels < 0].sum()) == pytest.approx(0.5)

    def test_loss_against_binary_cross_entropy(self):
        v = torch.from_numpy(np.random.default_rng(0).normal(0, 3, (4, 15, 15)))
        y = label_map(15, 8, 16.0).double().expand(4, 15, 15)
        w = torch.where(y > 0, 0.5 / 13, 0.5 / 212)
        expected = (
            F.binary_cross_entropy_with_logits(v, (y > 0).double(), weight=w, reduction="sum") / 4
        )
        assert float(balanced_logistic_loss(v, y)) == pytest.approx(float(expected), rel=1e-6)

    def test_not_knowing_costs_log_two(self):
        assert float(
            balanced_logistic_loss(torch.zeros(2, 15, 15), label_map(15, 8, 16.0).expand(2, 15, 15))
        ) == pytest.approx(np.log(2))

    def test_a_negative_pair_is_negative_everywhere(self):
        labels = pair_labels(torch.tensor([True, False]), 15, 8, 16.0)
        assert int((labels[0] > 0).sum()) == 13 and int((labels[1] > 0).sum()) == 0
        assert float(balanced_logistic_loss(torch.zeros(1, 15, 15), labels[1:])) == pytest.approx(
            0.5 * np.log(2)
        )

    def test_a_very_wrong_response_stays_finite(self):
        y = label_map(15, 8, 16.0)[None]
        assert torch.isfinite(balanced_logistic_loss(-1e4 * y, y))
