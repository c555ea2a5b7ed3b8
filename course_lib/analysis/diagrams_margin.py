"""SiamMargin as a diagram, in the style of `analysis.diagrams`: where the margin loss acts, how the
template is updated, and when the tracker looks again."""

from __future__ import annotations

from matplotlib.figure import Figure

from course_lib.analysis.diagrams import BLUE, ORANGE, Diagram, Plate
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.backbone import cells_of
from course_lib.models.siamfc import SiamFC
from course_lib.plots import CYCLE, NEUTRAL, TRUTH

TRAINED = CYCLE[6]  # what exists in training alone
UPPER, BETWEEN, LOWER = 4.3, 2.75, 1.2  # rows


def siammargin_diagram(network: SiamFC, largest: int = 383) -> tuple[Figure, str]:
    """The map below its loss and below a head, the update and the second look, and the sentence for
    readers who cannot see it.

    Args:
        network: a SiamMargin, or a SiamFC on the same backbone.
        largest: pixels per side of the second look's search image.
    """
    backbone, channels = network.backbone, network.backbone.channels
    own, seen = (cells_of(backbone, size) for size in (EXEMPLAR, SEARCH))
    kept = backbone.kept or own
    diagram = Diagram(13.2, 5.6)
    z = _features(diagram, UPPER, EXEMPLAR, own, channels, BLUE)
    x = _features(diagram, LOWER, SEARCH, seen, channels, ORANGE)
    diagram.text(0.35, UPPER, "exemplar\n$z$", va="center")
    diagram.text(0.35, LOWER, "search\nimage\n$x$", va="center")
    diagram.text(2.55, BETWEEN, "the same weights", va="center")
    template = diagram.plate(5.6, UPPER, kept, channels, BLUE, "template")
    diagram.join(z, template)
    if kept < own:
        diagram.text((z.right + template.left) / 2, UPPER + 0.08, "its centre", size=7, va="bottom")
    star = diagram.box(7.1, BETWEEN, 1.15, "correlation\nas a cosine")
    for features in (template, x):
        edge = star.top if features.y > star.y else star.bottom
        diagram.arrow((features.right, features.y), (star.left + 0.55, edge))
    n = seen - kept + 1
    answer = diagram.plate(9.0, BETWEEN, n, 1, TRUTH, "map $c$")
    diagram.join(star, answer)
    _loss_and_head(diagram, answer)
    _update(diagram, x, template)
    _second_look(diagram, answer, x, largest)
    alt = (
        f"SiamMargin: exemplar features of {own} × {own} cells, of which the central {kept} × {kept} "
        f"are the template, and search features of {seen} × {seen} give a map of {n} × {n} cosines. "
        "In training a margin loss acts on the map itself; in the authors' tracker a proposal head "
        "follows. ROI-Align on the search features gives new templates for a running average, and "
        f"if the map has no high peak, the tracker looks again in an image of {largest} pixels."
    )
    return diagram.figure, alt


def _features(
    diagram: Diagram, y: float, image: int, cells: int, channels: int, colour: str
) -> Plate:
    """Draw an image, the backbone and its map; returns the map.

    Args:
        diagram: to draw on.
        y: of the row.
        image: pixels per side.
        cells: per side of the map.
        channels: of the map.
        colour: of the path.
    """
    first = diagram.plate(0.95, y, image, 3, colour)
    phi = diagram.box(2.05, y, 1.0, "backbone\n$\\varphi$", colour)
    features = diagram.plate(3.85, y, cells, channels, colour)
    diagram.join(first, phi)
    diagram.join(phi, features)
    return features


def _loss_and_head(diagram: Diagram, answer: Plate) -> None:
    """Draw what reads the map: a loss in training, and in the authors' tracker a head."""
    x = (answer.left + answer.right) / 2
    loss = diagram.box(8.3, UPPER + 0.35, 1.5, "margin loss\n(training)", TRAINED)
    diagram.arrow((x, answer.top + 0.3), (x, loss.bottom))
    head = diagram.box(10.2, BETWEEN, 1.2, "proposal\nhead", NEUTRAL)
    diagram.join(answer, head)
    diagram.arrow((head.right, BETWEEN), (head.right + 0.35, BETWEEN))
    diagram.text(12.4, BETWEEN, "scores, boxes\n(the authors')", size=8, va="center")


def _update(diagram: Diagram, x: Plate, template: Plate) -> None:
    """Draw the way from the search features back to the template."""
    align = diagram.box(4.85, BETWEEN - 0.35, 1.05, "ROI-Align", ORANGE)
    mean = diagram.box(4.85, BETWEEN + 0.4, 1.05, "running\naverage", BLUE)
    diagram.arrow((x.right - 0.1, x.top + 0.05), (align.left + 0.3, align.bottom))
    centre = (align.left + align.right) / 2
    diagram.arrow((centre, align.top), (centre, mean.bottom))
    diagram.arrow((centre + 0.2, mean.top), (template.left + 0.1, template.bottom - 0.25))


def _second_look(diagram: Diagram, answer: Plate, x: Plate, largest: int) -> None:
    """Draw the way from a map without a high peak back to a larger search image.

    Args:
        diagram: to draw on.
        answer: the map.
        x: the search features.
        largest: pixels per side of the larger image.
    """
    again = diagram.box(8.35, LOWER - 0.3, 1.9, f"no high peak: look\nagain, {largest} px", ORANGE)
    at = (answer.left + answer.right) / 2
    diagram.arrow((at, answer.bottom - 0.25), (at, again.top))
    diagram.arrow((again.left, again.y), (x.right + 0.25, again.y))
