"""ATOM's IoU predictor as a diagram, in the style of `analysis.diagrams`: what is read once from
the reference image, and what is asked of every box in a test image."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.analysis.diagrams import BLUE, ORANGE, Diagram, Plate
from course_lib.models.atom import ATOM
from course_lib.plots import TRUTH

# y of the rows: reference fine and coarse, test fine and coarse
ROWS = (7.35, 5.4, 3.3, 1.35)
PARTS = {
    "reference_fine": "3×3",
    "reference_coarse": "3×3",
    "reference_pooled": "3×3",
    "test_fine": "3×3 twice",
    "test_coarse": "3×3 twice",
}
Size = tuple[int, int]  # cells per side, channels


def sizes_of(network: ATOM, image: int) -> dict[str, Size]:
    """Cells per side and channels of what goes into each part of the IoU predictor, "… in", and of
    what comes out.

    Args:
        network: an ATOM.
        image: pixels per side of reference and test image.
    """
    found: dict[str, Size] = {}

    def note(name: str):
        def hook(_module, given: tuple[Tensor, ...], out: Tensor) -> None:
            """Note what goes in and comes out, (1, C, n, n) or (1, C)."""
            found[f"{name} in"] = given[0].shape[-1], given[0].shape[1]
            found[name] = out.shape[-1] if out.ndim == 4 else 1, out.shape[1]

        return hook

    predictor = network.predictor
    hooks = [part.register_forward_hook(note(name)) for name, part in predictor.named_children()]
    weight = predictor.iou.weight
    nothing = torch.zeros(1, 3, image, image).to(next(network.backbone.parameters()))
    box = torch.tensor([[0.4, 0.4, 0.2, 0.2]], device=weight.device) * image
    training = network.training
    try:
        with torch.no_grad():
            maps = [m.to(weight) for m in network.eval().maps(nothing)]
            modulation = predictor.modulation(maps, box)
            predictor.raw_iou(predictor.test_maps(maps), modulation, box[None])
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return found


def atom_diagram(network: ATOM, image: int = 287) -> tuple[Figure, str]:
    """The two branches of the IoU predictor, and the sentence for readers who cannot see it.

    Args:
        network: an ATOM.
        image: pixels per side of reference and test image.
    """
    sizes = sizes_of(network, image)
    diagram = Diagram(13.8, 8.45)
    vectors = _reference(diagram, sizes, image)
    _test(diagram, sizes, image, vectors)
    fine, coarse = sizes["test_fine in"], sizes["test_coarse in"]
    width = sizes["vector_fine"][1]
    alt = (
        f"ATOM's IoU predictor: of each image of {image} pixels the backbone makes a fine map of "
        f"{fine[0]} × {fine[0]} cells and a coarse one of {coarse[0]} × {coarse[0]}. The reference "
        f"branch pools the target's box from both and makes two vectors of {width} numbers. They "
        "multiply the test branch's features, channel by channel, before PrPool reads each "
        "proposed box in 5 × 5 and 3 × 3 bins; dense layers make one IoU of these."
    )
    return diagram.figure, alt


def _images(diagram: Diagram, rows: Size, sizes: list[Size], image: tuple[str, int, str]) -> list:
    """Draw an image, the backbone and its two maps; returns the maps.

    Args:
        diagram: to draw on.
        rows: y of both maps.
        sizes: of both maps.
        image: its name, its pixels per side and its colour.
    """
    (label, pixels, colour), y = image, sum(rows) / 2
    shown = diagram.plate(0.7, y, pixels, 3, colour, label)
    phi = diagram.box(1.5, y, 0.95, "backbone\n$\\varphi$", colour)
    diagram.join(shown, phi)
    maps = []
    for row, size, name in zip(rows, sizes, ("fine map", "coarse map"), strict=True):
        maps.append(diagram.plate(3.1, row, *size, colour, name))
        diagram.arrow((phi.right, phi.y), (maps[-1].left, row))
    return maps


def _chain(diagram: Diagram, start: Plate, steps: list, colour: str) -> Plate:
    """Draw operations and maps to the right of a plate, joined by arrows; returns the last.

    Args:
        diagram: to draw on.
        start: where the row begins.
        steps: (x, width, label) of an operation or (x, size) of a map.
        colour: of the row.
    """
    for x, *rest in steps:
        if isinstance(rest[-1], str):
            new = diagram.box(x, start.y, *rest, colour)
        else:
            new = diagram.plate(x, start.y, *rest[0], colour)
        diagram.join(start, new)
        start = new
    return start


def _reference(diagram: Diagram, sizes: dict[str, Size], image: int) -> tuple[Plate, Plate]:
    """Draw the reference branch; returns its two vectors."""
    names = "reference_fine", "reference_coarse"
    maps = _images(diagram, ROWS[:2], [sizes[f"{n} in"] for n in names], ("reference", image, BLUE))
    pooled = sizes["reference_pooled in"], (1, sizes["reference_coarse"][1])
    ends = []
    for start, name, of_box in zip(maps, names, pooled, strict=True):
        steps = [
            (3.95, 0.85, PARTS[name]),
            (5.25, sizes[name]),
            (6.05, 1.3, f"PrPool {of_box[0]}×{of_box[0]}\nof the target"),
            (7.8, of_box),
        ]
        ends.append(_chain(diagram, start, steps, BLUE))
    last = [(8.5, 0.6, PARTS["reference_pooled"]), (9.55, sizes["reference_pooled"])]
    ends[0] = _chain(diagram, ends[0], last, BLUE)
    y = sum(ROWS[:2]) / 2
    both = diagram.box(10.4, y, 0.95, f"both: {sizes['vector_fine in'][1]}", BLUE)
    vectors = []
    for end, row, name in zip(ends, ROWS, ("vector_fine", "vector_coarse"), strict=False):
        edge = both.top if end.y > y else both.bottom
        diagram.arrow((end.right, end.y), (both.left + 0.2, edge))
        one = diagram.box(11.75, row, 0.6, "1×1", BLUE)
        diagram.arrow((both.right, y), (one.left, row))
        vectors.append(diagram.plate(12.85, row, *sizes[name], BLUE, "vector"))
        diagram.join(one, vectors[-1])
    return vectors[0], vectors[1]


def _test(
    diagram: Diagram, sizes: dict[str, Size], image: int, vectors: tuple[Plate, Plate]
) -> None:
    """Draw the test branch and how the vectors reach it.

    Args:
        diagram: to draw on.
        sizes: of maps.
        image: pixels per side.
        vectors: those of the reference branch.
    """
    names = "test_fine", "test_coarse"
    maps = _images(diagram, ROWS[2:], [sizes[f"{n} in"] for n in names], ("test", image, ORANGE))
    ends, times = [], []
    for start, name, dense in zip(maps, names, ("dense_fine", "dense_coarse"), strict=True):
        end = _chain(diagram, start, [(3.95, 0.85, PARTS[name]), (5.25, sizes[name])], ORANGE)
        times.append(diagram.box(6.05, start.y, 0.4, "×", BLUE))
        diagram.join(end, times[-1])
        bins = sizes[f"{dense} in"]
        steps = [(6.85, 1.3, f"PrPool {bins[0]}×{bins[0]}\nof each box"), (8.55, bins)]
        steps += [(9.3, 0.75, "dense"), (10.45, sizes[dense])]
        ends.append(_chain(diagram, times[-1], steps, ORANGE))
    y = sum(ROWS[2:]) / 2
    linear = diagram.box(10.95, y, 1.0, f"both: {sizes['iou in'][1]}\nlinear", TRUTH)
    for end in ends:
        edge = linear.top if end.y > y else linear.bottom
        diagram.arrow((end.right, end.y), (linear.left + 0.2, edge))
    answer = diagram.plate(12.35, y, *sizes["iou"], TRUTH, "2 · IoU − 1")
    diagram.join(linear, answer)
    # the fine vector comes from above, the coarse one from below
    above, below, x = (ROWS[1] + ROWS[2]) / 2 + 0.05, 0.35, (times[0].left + times[0].right) / 2
    right = 13.6
    look = {"color": BLUE, "linewidth": 1.0}
    diagram.ax.plot([vectors[0].right, right, right, x], [ROWS[0], ROWS[0], above, above], **look)
    diagram.arrow((x, above), (x, times[0].top))
    turn = right - 0.2
    diagram.ax.plot([vectors[1].right, turn, turn, x], [ROWS[1], ROWS[1], below, below], **look)
    diagram.arrow((x, below), (x, times[1].bottom))
