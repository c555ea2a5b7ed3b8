"""Architecture diagrams of SiamDW (Zhang and Peng, 2019): the CIR and CIR-D units, and CIResNet-22
stage by stage. The numbers are read off the networks themselves, run on the "meta" device, where
tensors have a shape but no values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from matplotlib.figure import Figure

from course_lib.analysis.diagrams import ORANGE, Diagram, Plate
from course_lib.geometry.traced import traced_receptive_fields
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.cir import CIR, CIRNetwork
from course_lib.plots import EXEMPLAR as BLUE
from course_lib.plots import NEUTRAL, TRUTH


def unit_shapes(unit: CIR, cells: int) -> dict[str, tuple[int, int]]:
    """Cells per side and channels of every map of a CIR unit, by the name of the layer it comes
    from; `crop` is the unit's own output.

    Args:
        unit: any but a concatenating one.
        cells: per side of its input.
    """
    found: dict[str, tuple[int, int]] = {}
    copied = CIR(
        unit.conv1.in_channels,
        unit.conv1.out_channels,
        unit.conv3.out_channels,
    ).to("meta")
    for name in ("conv1", "conv2", "conv3"):
        layer = getattr(copied, name)
        layer.register_forward_hook(
            lambda _m, _i, out, name=name: found.__setitem__(name, (out.shape[-1], out.shape[1]))
        )
    image = torch.empty(1, unit.conv1.in_channels, cells, cells, device="meta")
    out = copied.eval()(image)
    found["crop"] = out.shape[-1], out.shape[1]
    return found


def _unit_row(
    diagram: Diagram, y: float, name: str, unit: CIR, cells: int, halved: bool
) -> tuple[int, int]:
    """Draw one unit at height y; returns the cells before and after.

    Args:
        diagram: to draw on.
        y: of the branch.
        name: of the unit.
        unit: the unit itself.
        cells: per side of its input.
        halved: whether a 2 × 2 pooling follows.
    """
    maps = unit_shapes(unit, cells)
    before = diagram.plate(0.9, y, cells, unit.conv1.in_channels, BLUE)
    diagram.text(0.35, y, name, size=11, va="center")
    boxes, x = [], 1.75
    for layer, words in (("conv1", "1×1"), ("conv2", "3×3\npadding 1"), ("conv3", "1×1")):
        boxes.append(diagram.box(x, y, 0.85, words, ORANGE if layer == "conv2" else NEUTRAL))
        n, channels = maps[layer]
        diagram.text(x + 0.43, boxes[-1].bottom - 0.06, f"{n}×{n}×{channels}", size=7, va="top")
        x += 1.2
    plus = diagram.box(x, y, 0.4, "+")
    way = "identity" if unit.shortcut is None else "1×1"
    short = diagram.box(2.95, y + 0.78, 0.85, f"shortcut\n{way}")
    crop = diagram.box(x + 0.75, y, 0.85, "ReLU,\ncrop 1", TRUTH)
    chain = [before, *boxes, plus, crop]
    for a, b in pairwise(chain):
        diagram.join(a, b)
    diagram.arrow((before.right, before.y + 0.35), (short.left, short.y))
    diagram.arrow((short.right, short.y), (plus.left + 0.2, plus.top))
    n, channels = maps["crop"]
    after = diagram.plate(x + 2.05, y, n, channels, BLUE)
    diagram.join(crop, after)
    if halved:
        pool = diagram.box(x + 2.75, y, 0.85, "2×2\nmax pool", TRUTH)
        diagram.join(after, pool)
        n //= 2
        diagram.join(pool, diagram.plate(x + 4.0, y, n, channels, BLUE))
    return cells, n


def units_diagram() -> tuple[Figure, str]:
    """CIR and CIR-D as they stand in CIResNet-22 for an exemplar, and the sentence for readers who
    cannot see them."""
    diagram = Diagram(10.2, 4.3)
    one = _unit_row(diagram, 2.95, "CIR", CIR(256, 64, 256), 28, False)
    two = _unit_row(diagram, 0.85, "CIR-D", CIR(256, 128, 512), 24, True)
    alt = (
        "A CIR unit: a 1 × 1, a padded 3 × 3 and a 1 × 1 convolution beside a shortcut; their sum "
        f"goes through a ReLU and loses one cell on each side, {one[0]} cells per side become "
        f"{one[1]}. A CIR-D unit is the same with twice the channels and a 2 × 2 max pooling after "
        f"the crop, {two[0]} cells become {two[1]}"
    )
    return diagram.figure, alt


@dataclass(frozen=True)
class Stage:
    """A stage of a CIR network.

    Attributes:
        name: of the stage.
        what: its layers.
        channels: of its output.
        cells: per side, by size of the image.
        field: receptive field of its output, pixels.
        stride: of its output, pixels.
    """

    name: str
    what: str
    channels: int
    cells: dict[int, int]
    field: int
    stride: int


def stages_of(name: str, width_multiplier: float = 1.0) -> list[Stage]:
    """The stages of a CIR network of residual units, from its own layers.

    Args:
        name: of the network, see `models.cir.PLANS`.
        width_multiplier: factor on its channels.
    """
    network = CIRNetwork(name, width_multiplier)
    traced = {size: traced_receptive_fields(network, size) for size in (EXEMPLAR, SEARCH)}
    names = [row.layer for row in traced[EXEMPLAR]]
    stem, halving = network.conv1, network.halving  # units before the CIR-D unit
    count, deep = len(network.units) - 1 - halving, network.units[-1].conv3.out_channels
    # index of the row behind each stage, its layers, the channels of its output
    ends = {
        "stem": (names.index("early"), _stem(network), stem.out_channels),
        "first": (
            names.index(f"units.{halving}.conv1") - 1,
            f"{halving} × CIR",
            network.units[halving].conv1.in_channels,
        ),
        "halving": (names.index("second_pool"), "CIR-D", deep),
        "second": (len(names) - 1, f"{count} × CIR", deep),
    }
    return [
        Stage(
            stage,
            what,
            channels,
            {size: rows[end].size for size, rows in traced.items()},
            traced[EXEMPLAR][end].field,
            traced[EXEMPLAR][end].stride,
        )
        for stage, (end, what, channels) in ends.items()
    ]


def _stem(network: CIRNetwork) -> str:
    """The layers of a stem in words."""
    conv, side = network.conv1, network.conv1.kernel_size[0]
    step = f"{side}×{side}, stride {conv.stride[0]},"
    return f"{step}\ncrop {network.crop},\n2×2 max pool"


def ciresnet_diagram(
    name: str = "ciresnet22", width_multiplier: float = 1.0, title: str = "CIResNet-22"
) -> tuple[Figure, str]:
    """A CIR network under SiamFC, stage by stage, and the sentence for readers who cannot see it.

    Args:
        name: of the network: one with an early pooling.
        width_multiplier: factor on its channels.
        title: its name in words.
    """
    diagram, stages = Diagram(13.6, 4.6), stages_of(name, width_multiplier)
    ends: list[Plate] = []
    for y, size, colour, words in (
        (3.4, EXEMPLAR, BLUE, "exemplar\n$z$"),
        (1.15, SEARCH, ORANGE, "search\nimage\n$x$"),
    ):
        diagram.text(0.3, y, words, va="center")
        last, x = diagram.plate(0.8, y, size, 3, colour), 1.65
        for stage in stages:
            box = diagram.box(x, y, 1.35, stage.what)
            cells = stage.cells[size]
            plate = diagram.plate(x + 1.68, y, cells, stage.channels, colour)
            diagram.join(last, box)
            diagram.join(box, plate)
            if size == EXEMPLAR:
                words = f"field {stage.field},\nstride {stage.stride}"
                diagram.text(x + 0.67, y + 0.85, words, size=7.5, va="center")
            last, x = plate, x + 2.3
        ends.append(last)
    diagram.text(5.6, 2.3, "the same weights: one backbone $\\varphi$ for both", va="center")
    star = diagram.box(11.1, 2.3, 0.95, "cross-\ncorrelation\n$\\star$")
    for features in ends:
        edge = star.top if features.y > star.y else star.bottom
        diagram.arrow((features.right, features.y), (star.left + 0.45, edge))
    n = stages[-1].cells[SEARCH] - stages[-1].cells[EXEMPLAR] + 1
    diagram.join(star, diagram.plate(12.8, 2.3, n, 1, TRUTH, "response\n$f(z, x)$"))
    alt = f"{title}: " + "; ".join(
        f"{s.name}, {s.what.replace(chr(10), ' ')}: {s.cells[EXEMPLAR]} and {s.cells[SEARCH]} "
        f"cells per side, field {s.field}, stride {s.stride}"
        for s in stages
    )
    return diagram.figure, f"{alt}; the response has {n} × {n} scores"
