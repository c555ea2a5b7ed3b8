"""The diagram of ATOM's IoU predictor says what the network computes."""

from __future__ import annotations

import pytest
import torch
from matplotlib.patches import FancyArrowPatch

from course_lib.analysis.diagrams_atom import atom_diagram, sizes_of
from course_lib.models.atom import ATOM


@pytest.mark.parametrize(
    ("backbone", "width", "image"), [("lite0", 16, 287), ("resnet18", 256, 288)]
)
def test_sizes_are_the_network_s(backbone, width, image):
    network = ATOM(backbone, width)
    figure, alt = atom_diagram(network, image)
    words = [text.get_text() for text in figure.axes[0].texts]
    with torch.no_grad():
        fine, coarse = (m.shape[1:] for m in network.eval().maps(torch.zeros(1, 3, image, image)))
    for channels, cells, _ in (fine, coarse):
        assert words.count(f"{cells}×{cells}×{channels}") >= 2  # of reference and test image
        assert f"{cells}×{cells}×{width}" in words and f"{cells} × {cells}" in alt
    for size in (f"3×3×{width // 2}", f"5×5×{width}", f"3×3×{width}", "1×1×1"):
        assert size in words
    assert words.count(f"1×1×{width}") == 2 + 2 + 2  # pooled, the vectors, behind the dense layers
    assert f"both: {2 * width}" in words and f"two vectors of {width} numbers" in alt
    arrows = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    # an image and its two maps, twice; up to the vectors; up to the IoU; the vectors' own
    assert len(arrows) == 2 * 3 + (2 * 4 + 2 + 2 + 4) + (2 * 7 + 2 + 1) + 2


def test_the_paper_s_table():
    """As in the paper and its code: stride 8 and 16 of 288 pixels, on ResNet-18."""
    sizes = sizes_of(ATOM("resnet18", 256), 288)
    assert sizes["test_fine in"] == (36, 128) and sizes["test_coarse in"] == (18, 256)
    assert sizes["reference_fine"] == (36, 128) and sizes["reference_pooled"] == (1, 256)
    assert sizes["dense_fine in"] == (5, 256) and sizes["dense_coarse in"] == (3, 256)
    assert sizes["iou in"][1] == 512


def test_looking_leaves_the_network_as_it_was():
    network = ATOM("lite0", 8).train()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    sizes_of(network, 191)
    assert network.training and all(
        torch.equal(t, before[n]) for n, t in network.state_dict().items()
    )
    assert not any(part._forward_hooks for part in network.predictor.children())
