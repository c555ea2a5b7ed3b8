"""Filters over features: against loops, a convolution, and numbers by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.models.target_filter import (
    apply_filters,
    gaussian_labels,
    rms_normalised,
    shift_of,
)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("kernel", "more"), [(4, 1), (3, 0), (1, 0), (2, 1), (5, 0)])
def test_scores_are_a_padded_convolution_s(kernel, more):
    x, w = drawn(0, 2, 3, 5, 7, 6), drawn(1, 2, 5, kernel, kernel)
    found = apply_filters(x, w)
    assert found.shape == (2, 3, 7 + more, 6 + more)
    for b in range(2):
        expected = F.conv2d(x[b], w[b : b + 1], padding=kernel // 2)[:, 0]
        torch.testing.assert_close(found[b], expected, atol=1e-10, rtol=0)


def test_one_filter_tells_nothing_of_another_target():
    x, w = drawn(2, 2, 1, 3, 6, 6), drawn(3, 2, 3, 4, 4)
    assert torch.equal(apply_filters(x, w)[1], apply_filters(x[1:], w[1:])[0])


def test_an_even_filter_has_its_centre_half_a_cell_further():
    """A filter equal to what it looks for answers most strongly at its centre + shift."""
    x = torch.zeros(1, 1, 2, 9, 9)
    block = torch.arange(32.0).reshape(1, 2, 4, 4) + 1
    x[0, 0, :, 3:7, 2:6] = block  # cells 3…6 by 2…5: centre (3.5, 4.5)
    best = int(apply_filters(x, block)[0, 0].argmax())
    assert (best % 10, best // 10) == (3.5 + shift_of(4), 4.5 + shift_of(4))
    assert [shift_of(k) for k in (1, 2, 3, 4)] == [0, 0.5, 0, 0.5]


def test_gradients_of_second_order():
    x, w = drawn(4, 1, 2, 2, 4, 4).requires_grad_(), drawn(5, 1, 2, 4, 4).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, w: apply_filters(x, w).square(), (x, w))


def test_labels_by_hand():
    labels = gaussian_labels(torch.tensor([[2.0, 1.0], [0.5, 0.0]]), (3, 4), 0.9)
    assert labels.shape == (2, 3, 4) and float(labels[0, 1, 2]) == 1
    assert float(labels[0, 1, 3]) == pytest.approx(math.exp(-1 / (2 * 0.81)))
    assert float(labels[0, 0, 0]) == pytest.approx(math.exp(-5 / (2 * 0.81)))
    assert float(labels[1, 0, 0]) == float(labels[1, 0, 1]) == pytest.approx(math.exp(-0.25 / 1.62))


def test_every_map_has_a_mean_square_of_one():
    x = torch.stack([drawn(6, 5, 4, 4), 30 * drawn(7, 5, 4, 4)])
    assert rms_normalised(x).square().mean((1, 2, 3)).tolist() == pytest.approx([1, 1])
    assert torch.allclose(rms_normalised(x), rms_normalised(7 * x))
    factors = rms_normalised(x) / x  # one for all channels of a map
    assert torch.allclose(factors, factors[:, :1, :1, :1].expand_as(x))
    assert float(rms_normalised(torch.zeros(1, 2, 3, 3)).abs().max()) == 0
