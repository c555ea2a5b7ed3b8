"""Diagrams of lesson 09 say what their networks compute."""

from __future__ import annotations

import pytest
import torch
from matplotlib.patches import FancyArrowPatch

from course_lib.analysis.diagrams_heads import (
    broadcast_diagram,
    concat_diagram,
    maps_of,
    siamrpnpp_diagram,
)
from course_lib.models.concat_broadcast import SiamBroadcastRPN, SiamConcatRPN
from course_lib.models.siamrpnpp import SiamRPNpp

# the diagram, its network, arrows, and sizes that the papers or their code give
CASES = {
    "concat": (
        (concat_diagram, SiamConcatRPN),
        17,
        ("300×300×4", "19×19×1024", "19×19×2048", "19×19×512", "38×38×512", "1×1×256"),
    ),
    "broadcast": (
        (broadcast_diagram, SiamBroadcastRPN),
        13,
        ("63×63×3", "8×8×512", "1×1×512", "32×32×512", "32×32×1024", "64×64×256", "16×16×256"),
    ),
    "siamrpn++": (
        (siamrpnpp_diagram, SiamRPNpp),
        15,
        ("127×127×3", "255×255×3", "7×7×256", "31×31×256", "25×25×10", "25×25×20"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_sizes_and_proposals_are_the_network_s(case):
    (draw, make), arrows, sizes = CASES[case]
    figure, alt = draw()
    words = [text.get_text() for text in figure.axes[0].texts]
    for size in sizes:
        assert size in words, size
    with torch.device("meta"):
        count = f"{len(make().anchors()):,} proposals"
    assert count in alt and any(count in text for text in words)
    drawn = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    assert len(drawn) == arrows


def test_maps_are_those_that_modules_put_out():
    network, maps, proposals = maps_of(SiamConcatRPN, ["match.0", "backbone.layers.1"])
    assert maps["match.0"] == [(19, 512)]
    assert maps["backbone.layers.1"] == [(38, 512), (38, 512)]  # of exemplar and search image
    assert proposals == 8732 and network.guided
