"""The diagrams of lesson 07 say what their networks compute."""

from __future__ import annotations

import pytest
import torch
from matplotlib.patches import FancyArrowPatch

from course_lib.analysis.diagrams_siamrpn import siamrpn_diagram, ssd_diagram
from course_lib.models.concat_broadcast import SiamConcatRPN
from course_lib.models.siamrpn import SiamRPN


def words_of(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_ssd_s_boxes_are_the_network_s():
    figure, alt = ssd_diagram()
    words, count = words_of(figure), 0
    with torch.device("meta"):
        network = SiamConcatRPN()
    for sizes, (cells, _) in zip(network.map_sizes, network.maps, strict=True):
        boxes = len(sizes) * cells**2
        assert any(f"{len(sizes)} boxes a cell" in w and f"= {boxes:,}" in w for w in words)
        assert any(w.startswith(f"{cells}×{cells}×") for w in words) and f"{cells} × {cells}" in alt
        count += boxes
    assert len(network.anchors(300)) == count and f"{count:,} default boxes" in alt
    assert any(w.startswith(f"{count:,}") for w in words)
    arrows = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    assert len(arrows) == 1 + 6 + 6  # into the backbone, map to map, map to answer


@pytest.mark.parametrize(
    ("widths", "search", "channels"),
    [
        ((96, 256, 384, 384, 256), 255, None),
        ((8, 16, 16, 16, 12), 271, 20),
    ],
)
def test_siamrpn_s_sizes_are_the_network_s(widths, search, channels):
    figure, alt = siamrpn_diagram(widths, search, channels)
    words = words_of(figure)
    network = SiamRPN("upchannel", channels, widths=widths).eval()
    seen = {}
    for name, layer in network.head.named_children():
        layer.register_forward_hook(
            lambda _m, given, out, name=name: seen.update({name: (given[0].shape, out.shape)})
        )
    with torch.no_grad():
        found = network(torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, search, search))
    for given, out in seen.values():
        for _, depth, cells, _ in (given, out):
            assert f"{cells}×{cells}×{depth}" in words
    k, n = len(network.sizes), network.cells(search)
    assert found.offsets.shape[1] == k * n * n and f"{n} × {n}: {2 * k} values" in alt
    assert f"{n}×{n}×{2 * k}" in words and words.count(f"{n}×{n}×{4 * k}") == 2
    kernels = network.template_features(torch.zeros(1, 3, 127, 127))
    for kernel in kernels:
        _, count, depth, side, _ = kernel.shape
        assert f"{count} kernels of\n{depth}×{side}×{side}" in words
    arrows = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    # two backbones of two and their shared weights, four convolutions of two, in and out of the
    # stars, the last convolution
    assert len(arrows) == 4 + 2 + 8 + 4 + 2 + 2
