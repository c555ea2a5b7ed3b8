"""Architecture diagrams of lesson 09: SiamConcatRPN, SiamBroadcastRPN and SiamRPN++, in the style
of `analysis.diagrams`. Every number is read off the network itself, which runs without values."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from matplotlib.figure import Figure
from torch import nn

from course_lib.analysis.diagrams import ORANGE, Diagram, Plate
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.concat_broadcast import SiamBroadcastRPN, SiamConcatRPN
from course_lib.models.proposal_network import ProposalNetwork
from course_lib.models.siamrpnpp import SiamRPNpp
from course_lib.plots import EXEMPLAR as BLUE
from course_lib.plots import TRUTH

Map = tuple[int, int]  # cells per side, channels


@torch.no_grad()
def maps_of(make: Callable[[], ProposalNetwork], names: list[str]) -> tuple[nn.Module, dict, int]:
    """A network, the maps that its modules put out, and its number of proposals.

    It runs on the "meta" device, where tensors have a shape but no values.

    Args:
        make: makes the network.
        names: of its modules.

    Returns:
        network; by name, a list of (cells, channels), one for each call; number of proposals.
    """
    found: dict[str, list[Map]] = {name: [] for name in names}
    with torch.device("meta"):
        network = make().eval()
        for name in names:
            network.get_submodule(name).register_forward_hook(
                lambda _m, _i, out, at=found[name]: at.append((out.shape[-1], out.shape[1]))
            )
        channels = 3 + network.guided
        z, x = (torch.empty(1, channels, n, n) for n in (EXEMPLAR, SEARCH))
        proposals = network(z, x).logits.shape[1]
    return network, found, proposals


def row_of(
    diagram: Diagram, at: tuple[float, float], maps: list[tuple[Map, str]], colour: str, step: float
) -> list[Plate]:
    """Draw maps in a row, joined by arrows.

    Args:
        diagram: to draw on.
        at: left edge and centre of the first.
        maps: each map with the words above it.
        colour: of the path.
        step: from one left edge to the next.
    """
    x, y = at
    plates = [diagram.plate(x + k * step, y, *m, colour, s) for k, (m, s) in enumerate(maps)]
    for a, b in pairwise(plates):
        diagram.join(a, b)
    return plates


def into(diagram: Diagram, plate: Plate, box: Plate) -> None:
    """An arrow from a plate to the upper or lower edge of a box that stands between two rows."""
    edge = box.top if plate.y > box.y else box.bottom
    diagram.arrow((plate.right, plate.y), ((box.left + box.right) / 2, edge))


def concat_diagram() -> tuple[Figure, str]:
    """SiamConcatRPN, and the sentence for readers who cannot see it."""
    extras = [f"extras.{k}" for k in range(5)]
    names = ["backbone.conv1", "backbone.layers.1", "backbone.layers.2"]
    names += ["match.0", "match.2", "match.4", "refine", *extras]
    network, maps, proposals = maps_of(SiamConcatRPN, names)
    stages = [network.get_submodule(f"match.{k}").large for k in (0, 2, 4)]
    kernels = [stage.left[0].kernel_size[0] for stage in stages]
    fine, coarse = maps["backbone.layers.1"][0], maps["backbone.layers.2"][0]
    both = (coarse[0], 2 * coarse[1])

    diagram = Diagram(14.4, 5.1, 11.0)
    size = network.image
    for y, colour, letter in ((3.85, BLUE, "z"), (1.35, ORANGE, "x")):
        image = diagram.plate(0.75, y, size, 4, colour)
        diagram.text(
            0.32, y, "exemplar\n$z$" if letter == "z" else "search\nimage\n$x$", va="center"
        )
        backbone = diagram.box(1.5, y, 1.15, "ResNet-50\nto layer 3", colour)
        features = diagram.plate(3.2, y, *coarse, colour, f"$\\varphi({letter})$")
        diagram.join(image, backbone)
        diagram.join(backbone, features)
        if letter == "z":
            upper = features
        else:
            lower, below = features, backbone
    diagram.text(2.07, 2.6, "the same\nweights", va="center")
    diagram.text(0.75, 2.6, "colours and\nmask", size=8, va="center")
    joint = diagram.box(3.75, 2.6, 0.75, "join\nchannels")
    into(diagram, upper, joint)
    into(diagram, lower, joint)
    row = [(both, "")] + [
        (maps[f"match.{2 * k}"][0], f"global\n{side}×{side}") for k, side in enumerate(kernels)
    ]
    row.append((maps["refine"][0], "refine\n×2"))
    plates = row_of(diagram, (4.95, 2.6), row, TRUTH, 1.05)
    diagram.join(joint, plates[0])
    # layer 2 passes below the row
    corner = ((plates[-1].left + plates[-1].right) / 2, 0.25)
    diagram.ax.plot(
        [2.07, 2.07, corner[0]], [below.bottom, corner[1], corner[1]], color="#6b6b6b", lw=1
    )
    diagram.arrow(corner, (corner[0], plates[-1].bottom - 0.22))
    words = f"layer 2 of the search image, {fine[0]}×{fine[0]}×{fine[1]}"
    diagram.text(5.3, 0.3, words, size=8, va="bottom")
    smaller = [(maps[name][0], "") for name in extras]
    last = row_of(diagram, (10.25, 2.6), smaller, TRUTH, 0.82)
    diagram.join(plates[-1], last[0])
    cells = [maps["refine"][0][0], *(maps[name][0][0] for name in extras)]
    listed = ", ".join(map(str, cells))
    diagram.text(12.1, 3.6, f"SSD's maps and default boxes:\n{proposals:,} proposals", size=9)
    alt = (
        f"SiamConcatRPN: exemplar and search image of {size} pixels, each with a mask as fourth "
        f"channel, pass through one ResNet-50 to maps of {coarse[0]} × {coarse[0]}, which are "
        f"concatenated to {both[1]:,} channels; three global convolutions of "
        f"{', '.join(map(str, kernels))} cells, a refinement with layer 2, and maps of {listed} "
        f"cells give {proposals:,} proposals"
    )
    return diagram.figure, alt


def broadcast_diagram() -> tuple[Figure, str]:
    """SiamBroadcastRPN, and the sentence for readers who cannot see it."""
    names = ["backbone_z", "backbone_x", "compare", "finer", "extras.0", "extras.1"]
    network, maps, proposals = maps_of(SiamBroadcastRPN, names)
    z, x = maps["backbone_z"][0], maps["backbone_x"][0]
    vector, both = (1, z[1]), (x[0], x[1] + z[1])
    diagram = Diagram(12.2, 4.7)
    # the centre of the exemplar that the network cuts out: a backbone of stride 8 made it
    seen = 8 * z[0] - 1
    rows = ((3.6, BLUE, seen, "z", z), (1.3, ORANGE, network.image, "x", x))
    features = []
    for y, colour, size, letter, cells in rows:
        image = diagram.plate(0.75, y, size, 3, colour)
        diagram.text(
            0.3, y, "exemplar,\ncentre\n$z$" if letter == "z" else "search\nimage\n$x$", va="center"
        )
        backbone = diagram.box(1.5, y, 1.15, f"ResNet-50$_{letter}$\nto layer 2", colour)
        features.append(diagram.plate(3.15, y, *cells, colour, f"$\\varphi_{letter}({letter})$"))
        diagram.join(image, backbone)
        diagram.join(backbone, features[-1])
    diagram.text(2.07, 2.45, "two sets of weights", va="center")
    pool = diagram.plate(4.5, 3.6, *vector, BLUE, "max-pooled:\none vector")
    diagram.join(features[0], pool)
    spread = diagram.plate(5.65, 3.6, x[0], z[1], BLUE, "broadcast:\nat every cell")
    diagram.join(pool, spread)
    joint = diagram.box(5.85, 2.1, 0.75, "join\nchannels")
    diagram.arrow((5.9, spread.bottom - 0.22), (6.1, joint.top))
    diagram.arrow((features[1].right, 1.4), (joint.left, 2.0))
    row = [(both, ""), (maps["compare"][0], "3×3"), (maps["finer"][0], "×2")]
    row += [(maps["extras.0"][0], "stride 2"), (maps["extras.1"][0], "stride 2")]
    plates = row_of(diagram, (7.1, 2.1), row, TRUTH, 1.03)
    diagram.join(joint, plates[0])
    diagram.text(10.6, 3.3, f"default boxes on the last two:\n{proposals:,} proposals", size=9)
    alt = (
        f"SiamBroadcastRPN: the central {seen} pixels of the exemplar pass through a ResNet-50 of "
        f"their own to {z[0]} × {z[0]} cells, which are max-pooled to a vector of {z[1]} numbers; "
        f"it is repeated at each of the search image's {x[0]} × {x[0]} cells; convolutions on the "
        f"joint {both[1]:,} channels give {proposals:,} proposals"
    )
    return diagram.figure, alt


def siamrpnpp_diagram() -> tuple[Figure, str]:
    """SiamRPN++ on its ResNet-50, and the sentence for readers who cannot see it."""
    names = [f"neck.{k}" for k in range(3)]
    names += [f"heads.{k}.{b}.answer" for k in range(3) for b in ("classes", "boxes")]
    network, maps, proposals = maps_of(SiamRPNpp, names)
    channels = network.backbone.level_channels
    diagram = Diagram(12.6, 5.4)
    heights = (4.45, 2.75, 1.05)
    for y, colour, size, words in (
        (4.0, BLUE, EXEMPLAR, "exemplar\n$z$"),
        (1.5, ORANGE, SEARCH, "search\nimage\n$x$"),
    ):
        image = diagram.plate(0.75, y, size, 3, colour)
        diagram.text(0.32, y, words, va="center")
        diagram.arrow((image.right, y), (1.5, 2.75 + (y - 2.75) * 0.25))
    shared = diagram.box(1.5, 2.75, 1.15, "ResNet-50,\nstride 8")
    total = diagram.box(9.55, 2.75, 1.25, "weighted sum\nsoftmax($\\alpha$),\nsoftmax($\\beta$)")
    for k, y in enumerate(heights):
        whole, search = maps[f"neck.{k}"]
        template = (network.template_cells, whole[1])
        label = f"layer {k + 2}: {channels[k]:,} → {whole[1]} channels"
        z = diagram.plate(3.6, y, *template, BLUE)
        x = diagram.plate(4.6, y, *search, ORANGE)
        diagram.text(4.3, y + 0.72, label, size=8, va="bottom")
        diagram.arrow((shared.right, shared.y + (y - shared.y) * 0.1), (z.left - 0.1, y))
        star = diagram.box(5.75, y, 1.2, "channel by\nchannel $\\star$")
        diagram.join(x, star)
        scores = maps[f"heads.{k}.classes.answer"][0]
        boxes = maps[f"heads.{k}.boxes.answer"][0]
        a = diagram.plate(7.55, y, *scores, TRUTH)
        b = diagram.plate(8.4, y, *boxes, TRUTH)
        diagram.join(star, a)
        diagram.arrow((b.right, y), (total.left, total.y + (y - total.y) * 0.2))
        if k == 0:
            diagram.text(7.6, y + 0.72, "scores", size=8, va="bottom")
            diagram.text(8.5, y + 0.72, "offsets", size=8, va="bottom")
    answer = diagram.plate(11.3, 2.75, *scores, TRUTH, "scores")
    diagram.plate(12.1, 2.75, *boxes, TRUTH, "offsets")
    diagram.join(total, answer)
    diagram.text(11.7, 1.75, f"{proposals:,} proposals", size=9, va="top")
    n = scores[0]
    alt = (
        f"SiamRPN++: layers 2, 3 and 4 of one ResNet-50, brought to {whole[1]} channels; in each a "
        f"template of {network.template_cells} × {network.template_cells} cells slides over "
        f"{search[0]} × {search[0]} cells, channel by channel, and 1 × 1 convolutions read {n} × "
        f"{n} × {scores[1]} scores and {boxes[1]} offsets per cell; the three answers are added with "
        f"learned weights to {proposals:,} proposals"
    )
    return diagram.figure, alt
