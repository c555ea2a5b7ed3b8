"""Architecture diagrams, all in one style: maps as plates whose height follows their cells and
whose thickness follows their channels, operations as round boxes, arrows from left to right.

Blue is the exemplar's path, orange the search image's, green what comes out. The numbers in a
diagram are computed from the network's own layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Items
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from course_lib.geometry.receptive import Layer, receptive_fields
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.alexnet import WIDTHS, alexnet_layers
from course_lib.plots import CYCLE, NEUTRAL, TRUTH, new_figure
from course_lib.plots import EXEMPLAR as BLUE

ORANGE = CYCLE[4]
SLANT = 0.45  # of a plate's thickness, drawn upwards


@dataclass(frozen=True)
class Plate:
    """A map that has been drawn: where arrows begin and end.

    Attributes:
        left, right: x of its left and right edge.
        y: of its centre.
        top, bottom: y of its edges.
    """

    left: float
    right: float
    y: float
    top: float
    bottom: float


class Diagram:
    """A figure to draw on, in units in which a search image is about 1.4 high.

    Args:
        width, height: of the drawing.
        inches: width of the figure.
    """

    def __init__(self, width: float, height: float, inches: float = 10.5) -> None:
        self.figure, axes = new_figure(inches, inches * height / width)
        self.ax: Axes = axes[0, 0]
        self.ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        self.ax.axis("off")

    def plate(
        self, x: float, y: float, cells: int, channels: int, colour: str, label: str = ""
    ) -> Plate:
        """Draw a map of cells × cells × channels.

        Args:
            x, y: left edge and centre.
            cells: per side.
            channels: of the map.
            colour: of its path.
            label: above it; its size stands below.
        """
        height = 0.35 + 0.17 * math.log2(cells)
        depth = 0.05 + 0.028 * math.log2(max(channels, 1))
        top, bottom = y + height / 2, y - height / 2
        lift = SLANT * depth
        front = [(x, bottom), (x, top), (x + depth, top + lift), (x + depth, bottom + lift)]
        self.ax.add_patch(Polygon(front, facecolor=colour, edgecolor="white", alpha=0.85))
        self.ax.add_patch(
            Rectangle((x - 0.05, bottom), 0.05, height, facecolor=colour, edgecolor="white")
        )
        self.text(x + depth / 2, bottom - 0.06, f"{cells}×{cells}×{channels}", size=7, va="top")
        if label:
            self.text(x + depth / 2, top + lift + 0.05, label, size=8.5, va="bottom")
        return Plate(x - 0.05, x + depth, y, top + lift, bottom)

    def box(self, x: float, y: float, width: float, label: str, colour: str = NEUTRAL) -> Plate:
        """Draw an operation.

        Args:
            x, y: left edge and centre.
            width: of the box.
            label: in it; its lines determine the height.
            colour: of its edge.
        """
        height = 0.22 + 0.17 * (label.count("\n") + 1)
        shape = FancyBboxPatch(
            (x, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor="white",
            edgecolor=colour,
            linewidth=1.4,
        )
        self.ax.add_patch(shape)
        self.text(x + width / 2, y, label, size=8.5, va="center")
        return Plate(x, x + width, y, y + height / 2, y - height / 2)

    def arrow(self, a: tuple[float, float], b: tuple[float, float], both: bool = False) -> None:
        """Draw an arrow from point a to point b, with a second head if `both`."""
        style = "<->" if both else "-|>"
        look = {"arrowstyle": style, "mutation_scale": 8, "color": NEUTRAL, "linewidth": 1.0}
        self.ax.add_patch(FancyArrowPatch(a, b, shrinkA=1, shrinkB=1, **look))

    def join(self, a: Plate, b: Plate) -> None:
        """Draw an arrow from the right edge of a to the left edge of b."""
        self.arrow((a.right, a.y), (b.left, b.y))

    def text(self, x: float, y: float, words: str, size: float = 9, **how: str) -> None:
        """Write words, centred at x."""
        self.ax.text(x, y, words, fontsize=size, ha="center", **how)


def draw_stack(
    diagram: Diagram, at: tuple[float, float], image: int, layers: Items[Layer], colour: str
) -> list[Plate]:
    """Draw an image of `image` pixels and the map behind each layer; returns the plates.

    Args:
        diagram: to draw on.
        at: left edge and centre of the image.
        image: pixels per side.
        layers: of the backbone.
        colour: of the path.
    """
    x, y = at
    plates = [diagram.plate(x, y, image, 3, colour)]
    for layer, field in zip(layers, receptive_fields(layers, image)[1:], strict=True):
        x += 1.02
        plates.append(diagram.plate(x, y, field.size, layer.channels, colour))
        diagram.join(plates[-2], plates[-1])
    return plates


def siamfc_diagram(
    stride: int = 8, widths: tuple[int, ...] = WIDTHS, search: int = SEARCH
) -> tuple[Figure, str]:
    """SiamFC on its AlexNet, and the sentence for readers who cannot see it.

    Args:
        stride: of the backbone.
        widths: channels of its convolutions.
        search: pixels per side of the search image.
    """
    layers = alexnet_layers(stride, widths)
    diagram = Diagram(11.6, 4.4)
    upper = draw_stack(diagram, (0.75, 3.2), EXEMPLAR, layers, BLUE)
    lower = draw_stack(diagram, (0.75, 1.15), search, layers, ORANGE)
    diagram.text(0.28, 3.2, "exemplar\n$z$", va="center")
    diagram.text(0.28, 1.15, "search\nimage\n$x$", va="center")
    for before, plate, layer in zip(upper, upper[1:], layers, strict=False):
        step = f"\nstride {layer.stride}" if layer.stride > 1 else ""
        words = f"{layer.name}\n{layer.kernel}×{layer.kernel}{step}"
        diagram.text((before.right + plate.left) / 2, 3.28, words, size=7, va="bottom")
    x = (upper[-1].left + upper[-1].right) / 2
    diagram.arrow((x, upper[-1].bottom - 0.28), (x, lower[-1].top + 0.06), both=True)
    centre = (upper[3].left + upper[4].right) / 2
    diagram.text(centre, 2.17, "the same weights: one backbone $\\varphi$ for both", va="center")
    star = diagram.box(8.85, 2.2, 0.95, "cross-\ncorrelation\n$\\star$")
    for features in (upper[-1], lower[-1]):
        edge = star.top if features.y > star.y else star.bottom
        diagram.arrow((features.right, features.y), (star.left + 0.45, edge))
    cells = receptive_fields(layers, search)[-1].size - receptive_fields(layers, EXEMPLAR)[-1].size
    response = diagram.plate(10.55, 2.2, cells + 1, 1, TRUTH, "response\n$f(z, x)$")
    diagram.join(star, response)
    diagram.text(10.55, 1.4, f"one score every\n{stride} pixels of $x$", size=8, va="top")
    features = receptive_fields(layers, EXEMPLAR)[-1].size
    alt = (
        f"SiamFC: the exemplar of {EXEMPLAR} pixels and the search image of {search} pixels pass "
        f"through the same seven layers, to features of {features} and "
        f"{cells + features} cells per side; their cross-correlation is a response of "
        f"{cells + 1} × {cells + 1} scores"
    )
    return diagram.figure, alt
