"""A template at several scales: how it is resampled, and that it tells sizes apart."""

from __future__ import annotations

import pytest
import torch

from course_lib.models.correlation import cross_correlate_depthwise
from course_lib.models.heads import DepthwiseHead
from course_lib.models.networks import build
from course_lib.models.siamrpnpp import SiamRPNpp
from course_lib.models.templates import zoomed


def blob(size: int, width: float, at: float | None = None) -> torch.Tensor:
    """A Gaussian (1, 1, size, size) of a deviation in cells, by default in the centre."""
    place = torch.arange(size) - ((size - 1) / 2 if at is None else at)
    line = torch.exp(-(place**2) / (2 * width**2))
    return (line[:, None] * line)[None, None]


@pytest.mark.parametrize(("n", "cells"), [(14, 6), (13, 5), (6, 6)])
def test_at_scale_one_cells_are_copied(n, cells):
    z = torch.randn(2, 3, n, n, generator=torch.Generator().manual_seed(0))
    first = (n - cells) // 2
    assert torch.equal(zoomed(z, cells), z[:, :, first : first + cells, first : first + cells])


@pytest.mark.parametrize("scale", [0.75, 1.25, 1.5])
def test_a_ramp_becomes_flatter_if_enlarged_and_keeps_its_centre(scale):
    ramp = torch.arange(14.0).expand(1, 2, 14, 14)
    found = zoomed(ramp, 6, scale)[0, 0, 0]
    expected = 6.5 + (torch.arange(6) - 2.5) / scale
    torch.testing.assert_close(found, expected)


def test_half_precision_is_enlarged_like_single():
    z = torch.randn(2, 3, 14, 14, generator=torch.Generator().manual_seed(1)).bfloat16()
    found = zoomed(z, 6, 1.4)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, zoomed(z.float(), 6, 1.4).bfloat16())


def test_a_wider_blob_answers_best_to_the_enlarged_template():
    template, scales = blob(14, 2.0), (1.0, 1.4, 1 / 1.4)
    answers = {}
    for width in (2.0 / 1.4, 2.0, 2.0 * 1.4):
        x = blob(30, width)
        peaks = []
        for s in scales:
            kernel = zoomed(template, 10, s)
            peaks.append(float(cross_correlate_depthwise(kernel / kernel.norm(), x).max()))
        answers[width] = scales[max(range(3), key=peaks.__getitem__)]
    assert list(answers.values()) == [1 / 1.4, 1.0, 1.4]


def test_with_one_scale_it_is_the_papers_head():
    torch.manual_seed(0)
    head = DepthwiseHead(8, 8, 5).eval()
    z, x = torch.randn(2, 8, 7, 7), torch.randn(2, 8, 31, 31)
    kernels = head.template_features(z)
    assert all(
        torch.equal(k, b.z(z)) for k, b in zip(kernels, (head.classes, head.boxes), strict=False)
    )
    assert head(kernels, x).logits.shape == (2, 5 * 25 * 25, 2)
    more = DepthwiseHead(8, 8, 5, (1.0, 1.3, 0.75))
    extra = sum(p.numel() for p in more.parameters()) - sum(p.numel() for p in head.parameters())
    assert extra == 2 * 2 * 8 * 8  # two further kernels' channels into 1 × 1, in both branches


@torch.no_grad()
def test_a_network_with_three_scales_keeps_its_map_and_is_rebuilt():
    torch.manual_seed(0)
    network = SiamRPNpp("lite0", 8, scales=(1.0, 1.33, 0.75)).eval()
    again = build(network.about)
    assert again.about == network.about and again.scales == (1.0, 1.33, 0.75)
    plain = SiamRPNpp("lite0", 8).eval()
    images = torch.rand(1, 3, 127, 127) * 255, torch.rand(1, 3, 255, 255) * 255
    assert network(*images).logits.shape == plain(*images).logits.shape == (1, 5 * 25 * 25, 2)
    # the kernel at scale 1 is the one that a plain network has
    plain.load_state_dict(
        {n: t for n, t in network.state_dict().items() if ".answer.0.0" not in n}, strict=False
    )
    one, three = (n.template_features(images[0]) for n in (plain, network))
    for a, b in zip(one, three, strict=True):
        torch.testing.assert_close(b[:, :8], a)
    assert network.correlation_map(three, images[1]).shape == (1, 25, 25)
