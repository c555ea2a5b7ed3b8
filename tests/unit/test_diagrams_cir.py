"""SiamDW's diagrams say what its networks compute."""

from __future__ import annotations

import pytest
import torch
from matplotlib.patches import FancyArrowPatch

from course_lib.analysis.diagrams_cir import ciresnet_diagram, stages_of, units_diagram
from course_lib.models.siamfc import SiamFC


def words_of(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(("name", "width"), [("ciresnet22", 1.0), ("ciresnet16", 0.25)])
def test_the_stages_are_the_network_s(name, width):
    network = SiamFC(name, width_multiplier=width).eval()
    shapes = []
    layers = (network.backbone.early, network.backbone.second_pool, network.backbone.units[-1])
    for layer in layers:
        layer.register_forward_hook(lambda _m, _i, out: shapes.append(out.shape))
    with torch.no_grad():
        response = network(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255))
    figure, alt = ciresnet_diagram(name, width)
    words = words_of(figure)
    for _, channels, n, _ in shapes:
        assert f"{n}×{n}×{channels}" in words
    n = response.shape[-1]
    assert f"{n}×{n}×1" in words and f"{n} × {n} scores" in alt
    last = stages_of(name, width)[-1]
    assert f"field {last.field},\nstride {last.stride}" in words
    assert last.stride == network.stride


def test_ciresnet_22_has_the_slides_field():
    assert [(s.cells[127], s.stride) for s in stages_of("ciresnet22")] == [
        (30, 4),
        (24, 4),
        (11, 8),
        (5, 8),
    ]
    assert stages_of("ciresnet22")[-1].field == 93


def test_units_lose_two_cells_and_cir_d_halves_the_rest():
    figure, alt = units_diagram()
    words = words_of(figure)
    assert "28×28×256" in words and "26×26×256" in words
    assert "24×24×128" in words and "22×22×512" in words and "11×11×512" in words
    assert "28 cells per side become 26" in alt and "24 cells become 11" in alt
    arrows = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    assert len(arrows) == (6 + 2) + (6 + 2 + 2)
