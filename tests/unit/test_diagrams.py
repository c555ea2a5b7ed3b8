"""Diagrams say what their networks compute."""

from __future__ import annotations

import pytest
import torch
from matplotlib.patches import FancyArrowPatch

from course_lib.analysis.diagrams import siamfc_diagram
from course_lib.models.siamfc import SiamFC


@pytest.mark.parametrize(("stride", "search"), [(8, 255), (4, 255), (8, 239)])
def test_siamfc_s_sizes_are_the_network_s(stride, search):
    figure, alt = siamfc_diagram(stride=stride, search=search)
    words = [text.get_text() for text in figure.axes[0].texts]
    network = SiamFC(stride=stride).eval()
    sizes = []
    for layer in (network.backbone.conv1, network.backbone.conv3, network.backbone.conv5):
        layer.register_forward_hook(lambda _m, _i, out: sizes.append(out.shape))
    with torch.no_grad():
        response = network(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, search, search))
    for _, channels, n, _ in sizes:
        assert f"{n}×{n}×{channels}" in words
    n = response.shape[-1]
    assert f"{n}×{n}×1" in words and f"{n} × {n} scores" in alt
    assert any(f"{stride} pixels" in text for text in words)


def test_every_map_hangs_on_an_arrow():
    figure, _ = siamfc_diagram()
    arrows = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    assert (
        len(arrows) == 7 + 7 + 1 + 2 + 1
    )  # two stacks, the shared weights, in and out of the star
