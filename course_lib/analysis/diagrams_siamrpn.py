"""Architecture diagrams of lesson 07: SSD's output layers, and SiamRPN."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import nn

from course_lib.analysis.diagrams import BLUE, ORANGE, Diagram, Plate
from course_lib.geometry.receptive import receptive_fields
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.alexnet import WIDTHS, alexnet_layers
from course_lib.models.concat_broadcast import SiamConcatRPN
from course_lib.models.siamrpn import SiamRPN
from course_lib.plots import TRUTH


def ssd_diagram() -> tuple[Figure, str]:
    """SSD's maps and what is predicted at their cells, and the sentence for readers who cannot see
    it. The numbers are those of SiamConcatRPN, which has SSD300's maps and default boxes."""
    with torch.device("meta"):  # layers without weights
        network = SiamConcatRPN()
    diagram = Diagram(11.6, 4.6)
    image = diagram.plate(0.5, 3.2, network.image, 3, ORANGE, "image")
    before = diagram.box(1.25, 3.2, 0.95, "backbone")
    diagram.join(image, before)
    boxes, said = 0, []
    for i, (conf, loc) in enumerate(zip(network.conf, network.loc, strict=True)):
        cells, k = network.maps[i][0], loc.out_channels // 4
        plate = diagram.plate(2.75 + 1.55 * i, 3.2, cells, conf.in_channels, ORANGE)
        diagram.join(before, plate)
        x = (plate.left + plate.right) / 2
        side = f"{conf.kernel_size[0]}×{conf.kernel_size[1]}"
        words = f"class {side}: {conf.out_channels}\nbox {side}: {loc.out_channels}"
        answer = diagram.box(x - 0.62, 1.5, 1.24, words, TRUTH)
        diagram.arrow((x, plate.bottom - 0.28), (x, answer.top))
        diagram.text(x, 0.95, f"{k} boxes a cell\n{cells}²·{k} = {cells**2 * k:,}", 8, va="top")
        boxes, before = boxes + cells**2 * k, plate
        said.append(f"{cells} × {cells}")
    diagram.text(6.4, 0.22, f"{boxes:,} default boxes: two logits and four offsets for each")
    return diagram.figure, (
        f"SSD: behind the backbone come maps of {', '.join(said[:-1])} and {said[-1]} cells; at "
        f"each, one 3 × 3 convolution predicts classes and another boxes, for {boxes:,} default "
        "boxes in all"
    )


def siamrpn_diagram(
    widths: tuple[int, ...] = WIDTHS, search: int = SEARCH, channels: int | None = None
) -> tuple[Figure, str]:
    """SiamRPN with its up-channel head, and the sentence for readers who cannot see it.

    Args:
        widths: channels of the backbone's convolutions.
        search: pixels per side of the search image.
        channels: of the head; None for as many as the backbone's.
    """
    with torch.device("meta"):
        network = SiamRPN("upchannel", channels, widths=widths)
    diagram, head = Diagram(11.6, 6.1), network.head
    z = _features(diagram, 4.6, ("exemplar\n$z$", EXEMPLAR, BLUE), widths)
    x = _features(diagram, 1.85, ("search\nimage\n$x$", search, ORANGE), widths)
    diagram.text(1.77, 3.2, "the same\nweights", 8, va="center")
    diagram.arrow((1.77, 3.5), (1.77, 4.35))
    diagram.arrow((1.77, 2.9), (1.77, 2.1))
    k, n = len(network.sizes), network.cells(search)
    branches = (
        ("class", 2 * k, head.z_class, head.x_class),
        ("box", 4 * k, head.z_box, head.x_box),
    )
    for top, (name, numbers, of_z, of_x) in zip((5.4, 2.55), branches, strict=True):
        kernels = _convolved(diagram, z, of_z, (top, BLUE))
        seen = _convolved(diagram, x, of_x, (top - 1.55, ORANGE))
        star = diagram.box(6.75, top - 0.78, 1.0, "cross-\ncorrelation\n$\\star$")
        side = z[1] - of_z.kernel_size[0] + 1
        words = f"{numbers} kernels of\n{head.channels}×{side}×{side}"
        diagram.text(kernels.right + 0.6, top + 0.12, words, 7, va="bottom")
        for plate, edge in ((kernels, star.top), (seen, star.bottom)):
            diagram.arrow((plate.right, plate.y), (star.left + 0.5, edge))
        end = diagram.plate(8.4, star.y, n, numbers, TRUTH, f"{name} branch")
        diagram.join(star, end)
        if name == "box":
            size = head.adjust.kernel_size
            adjust = diagram.box(9.25, star.y, 0.95, f"conv {size[0]}×{size[1]}", TRUTH)
            diagram.join(end, adjust)
            end = diagram.plate(10.6, star.y, n, head.adjust.out_channels, TRUTH, "offsets")
            diagram.join(adjust, end)
        meaning = "two logits" if name == "class" else "four offsets"
        words = f"{meaning} for\neach of {k} anchors"
        diagram.text((end.left + end.right) / 2, star.y - 0.8, words, 8, va="top")
    alt = (
        "SiamRPN: exemplar and search image pass through the same backbone. In each of two "
        "branches a convolution makes kernels from the exemplar's features, another one prepares "
        f"the search image's, and their cross-correlation is a map of {n} × {n}: {2 * k} values a "
        f"cell for classes, {4 * k} for boxes"
    )
    return diagram.figure, alt


def _features(
    diagram: Diagram, y: float, image: tuple[str, int, str], widths: tuple[int, ...]
) -> tuple[Plate, int]:
    """Draw an image and its features; returns their plate and their cells per side.

    Args:
        diagram: to draw on.
        y: of the centre.
        image: its name, its pixels per side and its colour.
        widths: channels of the backbone's convolutions.
    """
    label, pixels, colour = image
    diagram.text(0.3, y, label, va="center")
    shown = diagram.plate(0.8, y, pixels, 3, colour)
    phi = diagram.box(1.5, y, 0.55, "$\\varphi$")
    cells = receptive_fields(alexnet_layers(widths=widths), pixels)[-1].size
    features = diagram.plate(2.55, y, cells, widths[-1], colour)
    diagram.join(shown, phi)
    diagram.join(phi, features)
    return features, cells


def _convolved(
    diagram: Diagram, of: tuple[Plate, int], convolution: nn.Conv2d, look: tuple[float, str]
) -> Plate:
    """Draw what a convolution without padding makes of features.

    Args:
        diagram: to draw on.
        of: the features' plate and cells per side.
        convolution: of the head.
        look: y of the centre, and the colour.
    """
    (features, cells), (y, colour), side = of, look, convolution.kernel_size[0]
    step = diagram.box(3.85, y, 0.95, f"conv {side}×{side}", colour)
    diagram.arrow((features.right, features.y), (step.left, y))
    plate = diagram.plate(5.3, y, cells - side + 1, convolution.out_channels, colour)
    diagram.join(step, plate)
    return plate
