"""Figures for the whole course: one palette, one way to show a figure with its alternative text."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike

# Okabe and Ito's colours, with a brown in place of their yellow, which is lost on white; they can
# be told apart with every common form of colour blindness (tests/unit/test_palette.py).
# A thing keeps its colour and its line style throughout the course.
TRUTH = "#009E73"  # bluish green, solid
PREDICTION = "#D55E00"  # vermilion, dashed
EXEMPLAR = "#0072B2"  # blue
DISTRACTOR = "#CC79A7"  # reddish purple
NEUTRAL = "#6b6b6b"  # grey for axes, references, anything switched off
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#802010")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
MARKERS = "osD^vPX*"
# where the name of a point may stand: offset in points, and which end of the name is there
BESIDE = (
    ((6, 0), "left", "center"),
    ((-6, 0), "right", "center"),
    ((0, 6), "center", "bottom"),
    ((0, -6), "center", "top"),
    ((4, 4), "left", "bottom"),
    ((4, -4), "left", "top"),
    ((-4, 4), "right", "bottom"),
    ((-4, -4), "right", "top"),
)
MAP = "viridis"  # response maps: monotone in lightness, so it survives printing in grey


def new_figure(
    width: float = 8.0, height: float = 3.2, rows: int = 1, columns: int = 1, **grid
) -> tuple[Figure, np.ndarray]:
    """A figure and its axes as an array (rows, columns), outside pyplot's global state.

    pyplot keeps every figure alive until it is closed; a figure made here is freed as soon as
    nothing refers to it.

    Args:
        width, height: of the figure, inches.
        rows, columns: of axes.
        grid: further arguments of `Figure.subplots`, for example `sharex` or `width_ratios`.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **grid)


def to_png(figure: Figure, dpi: int = 96) -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def image_html(png: bytes, alt: str) -> str:
    """An HTML `<img>` with the PNG embedded and its alternative text."""
    encoded = base64.b64encode(png).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{encoded}" alt="{html.escape(alt, quote=True)}" '
        'style="max-width:100%">'
    )


def show(figure: Figure, alt: str) -> None:
    """Put `figure` into the page with `alt`, the sentence for readers who cannot see it.

    Raises ValueError if the alternative text is missing or too short to say anything (fewer than
    15 characters).
    """
    if len(alt.strip()) < 15:
        raise ValueError(
            f"alternative text {alt!r} is too short; say in one sentence what the figure shows"
        )
    from IPython.display import HTML, display

    display(HTML(image_html(to_png(figure), alt)))


def draw_box(
    ax: Axes,
    box: ArrayLike,
    colour: str = TRUTH,
    label: str | None = None,
    style: str = "-",
    width: float = 2.0,
) -> None:
    """Draw a box on axes that show a frame; a NaN box draws nothing.

    `imshow` puts the centre of pixel 0 at 0, so the continuous corner x is at x − 0.5 on its axes.

    Args:
        ax: where to draw.
        box: (4,), x, y, w, h in pixels of the frame.
        colour, style, width: of the line.
        label: for the legend.
    """
    x, y, w, h = (float(v) for v in box)
    if not np.isfinite([x, y, w, h]).all():
        return
    ax.add_patch(
        Rectangle(
            (x - 0.5, y - 0.5),
            w,
            h,
            fill=False,
            edgecolor=colour,
            linestyle=style,
            linewidth=width,
            label=label,
        )
    )


def show_frame(
    ax: Axes,
    frame: np.ndarray,
    title: str = "",
    truth: ArrayLike | None = None,
    found: ArrayLike | None = None,
    **image: Any,
) -> None:
    """Show a frame, or any image, without ticks.

    Args:
        ax: where to draw.
        frame: (H, W, 3), or (H, W) with `cmap`.
        title: above it.
        truth: the true box (4,), drawn solid.
        found: a tracker's box (4,), drawn dashed.
        image: further arguments of `imshow`.
    """
    ax.imshow(frame, **image)
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[])
    if truth is not None:
        draw_box(ax, truth)
    if found is not None:
        draw_box(ax, found, colour=PREDICTION, style="--")


def draw_lines(
    ax: Axes,
    lines: Mapping[str, ArrayLike],
    x: ArrayLike | None = None,
    markers: bool = False,
    **axes: Any,
) -> None:
    """Draw lines that can be told apart in any print, with a legend and a grid.

    Args:
        ax: where to draw.
        lines: values by label; a label that begins with "_" is left out of the legend.
        x: positions shared by all lines; by default 0, 1, 2, …
        markers: whether each value gets a marker.
        axes: labels, limits and further arguments of `Axes.set`.
    """
    for k, (label, values) in enumerate(lines.items()):
        at = np.arange(len(values)) if x is None else x
        marker = MARKERS[k % 8] if markers else None
        look = {"color": CYCLE[k % 8], "linestyle": LINES[(k + k // 8) % 8]}
        ax.plot(at, values, marker=marker, label=label, **look)
    ax.set(**axes)
    ax.legend(fontsize=9)
    ax.grid(alpha=0.3)


def show_map(ax: Axes, values: np.ndarray, title: str = "", peak: bool = False, **image) -> Any:
    """Show a map (h, w) in the course's colours, without ticks; returns the image, for a colour
    bar.

    Args:
        ax: where to draw.
        values: (h, w); the colours span lowest to highest unless `vmin` and `vmax` say otherwise.
        title: above it.
        peak: whether to mark the highest cell.
        image: further arguments of `imshow`.
    """
    shown = ax.imshow(values, **{"cmap": MAP, **image})
    if peak:
        row, column = np.unravel_index(np.argmax(values), np.shape(values))
        ax.plot(column, row, "o", color=PREDICTION, markeredgecolor="white")
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
    return shown


def draw_seeds(ax: Axes, values: Mapping[str, ArrayLike], label: str | None = None) -> None:
    """Draw the results of several seeds: a dot for each, a bar for their mean.

    Args:
        ax: where to draw.
        values: the results of all seeds, by name; the names are the ticks along x.
        label: of the bars, for a legend.
    """
    for k, of_seeds in enumerate(values.values()):
        places = np.full(len(of_seeds), k)
        ax.plot(places, of_seeds, "o", color=EXEMPLAR, alpha=0.5, markersize=4)
    means = [np.mean(of_seeds) for of_seeds in values.values()]
    ax.plot(means, "_", color=EXEMPLAR, markersize=18, markeredgewidth=2, label=label)
    ax.set_xticks(range(len(values)), values, fontsize=7)
    ax.set_xlim(-0.6, len(values) - 0.4)


def label_points(ax: Axes, spots: Mapping[str, tuple[float, float]], fontsize: int = 8) -> None:
    """Write the name of each point beside it, on the side where it covers least: if possible no
    other point, no other name and no edge. Call it after the limits are set.

    Args:
        ax: where the points are drawn.
        spots: x and y by name, in data coordinates.
        fontsize: in points.
    """
    ax.figure.draw_without_rendering()  # the layout decides where in the image the points are
    edge, near = ax.get_window_extent(), np.array([-4, -4, 4, 4])  # pixels
    places = ax.transData.transform(list(spots.values()))  # (N, 2)
    points = [Bbox.from_extents(*(np.tile(place, 2) + near)) for place in places]
    chosen: dict[str, Annotation] = {}
    for _ in range(3):  # the first names were placed before the last ones were there
        for name, spot in spots.items():
            if name in chosen:
                chosen.pop(name).remove()
            taken = points + [text.get_window_extent() for text in chosen.values()]
            tried = [_beside(ax, name, spot, fontsize, side) for side in BESIDE]
            covers = [_covers(text.get_window_extent(), edge, taken) for text in tried]
            chosen[name] = tried.pop(int(np.argmin(covers)))
            for text in tried:
                text.remove()


def _beside(
    ax: Axes, name: str, spot: tuple[float, float], fontsize: int, side: tuple
) -> Annotation:
    """A name on one side of its point.

    Args:
        ax, name, spot, fontsize: as in `label_points`.
        side: one of BESIDE.
    """
    offset, ha, va = side
    return ax.annotate(
        name, spot, offset, textcoords="offset points", fontsize=fontsize, ha=ha, va=va
    )


def _covers(box: Bbox, edge: Bbox, taken: list[Bbox]) -> float:
    """The area of a box that lies beyond the edge or on what is taken."""
    return _area(box) - _shared(box, edge) + sum(_shared(box, other) for other in taken)


def _area(box: Bbox) -> float:
    return float(box.width * box.height)


def _shared(one: Bbox, other: Bbox) -> float:
    """The area that two boxes have in common."""
    common = Bbox.intersection(one, other)
    return _area(common) if common else 0.0


def legend_below(figure: Figure, ax: Axes, columns: int = 3, fontsize: int = 8) -> None:
    """One legend for the whole figure, below it.

    Args:
        figure: the figure that gets the legend.
        ax: the axes whose labels are listed, each once.
        columns: how many labels are side by side.
        fontsize: in points.
    """
    handles, names = ax.get_legend_handles_labels()
    unique = dict(zip(names, handles, strict=True))
    figure.legend(
        unique.values(), unique.keys(), loc="outside lower center", ncols=columns, fontsize=fontsize
    )
