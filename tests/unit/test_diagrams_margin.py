"""The diagram of SiamMargin says what its network computes."""

from __future__ import annotations

import pytest
import torch
from matplotlib.patches import FancyArrowPatch

from course_lib.analysis.diagrams_margin import siammargin_diagram
from course_lib.models.siammargin import SiamMargin


@pytest.mark.parametrize("backbone", ["lite0", "ciresnet22"])
def test_its_sizes_are_the_network_s(backbone):
    network = SiamMargin(backbone=backbone).eval()
    figure, alt = siammargin_diagram(network, largest=351)
    words = [text.get_text() for text in figure.axes[0].texts]
    exemplar, search = torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255)
    with torch.no_grad():
        maps = [network.features(exemplar), network.template(exemplar), network.features(search)]
        n = network(exemplar, search).cosines.shape[-1]
    for _, channels, cells, _ in (m.shape for m in maps):
        assert f"{cells}×{cells}×{channels}" in words
    assert f"{n}×{n}×1" in words and f"a map of {n} × {n} cosines" in alt
    assert any("351 px" in text for text in words) and "351 pixels" in alt
    assert ("its centre" in words) == (backbone == "lite0")


def test_every_step_has_its_arrow():
    figure, _ = siammargin_diagram(SiamMargin(backbone="lite0"))
    arrows = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    # two paths to features, the template, into and out of the correlation, loss and head, its
    # answer, three for the update, two for the second look
    assert len(arrows) == 4 + 1 + 3 + 3 + 3 + 2
