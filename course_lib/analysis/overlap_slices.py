"""The landscape that a box climbs: its IoU with the target, predicted and true, over shifts of the
box and over its sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_lib import plots
from course_lib.errors import DataError
from course_lib.geometry.boxes import to_centre
from course_lib.geometry.windows import CropWindow, search_side
from course_lib.models.runtime_online import OnlineRuntime

# boxes (P, 4) float32 to their IoU (P,), differentiable
Judge = Callable[[Tensor], Tensor]

SIDE = 287  # pixels of the search image, as the tracker's
CELLS = 15  # of a map, per side
SHIFTS, FACTORS = 1.5, 2.5  # least reach of the maps: roots of the target's area, and its sizes
NAMES = ("predicted IoU", "true IoU")
TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8)  # of sizes


class Slice(NamedTuple):
    """Predicted and true IoU of boxes that differ from one in two numbers.

    Attributes:
        reach: both axes go from −reach to reach, with the true box in the centre.
        values: (2, n, n); x or the width grows along the columns, y or the height along the rows.
    """

    reach: float
    values: np.ndarray


def search_image(box: ArrayLike) -> CropWindow:
    """The square of the frame that ATOM searches around a box (4,)."""
    cx, cy, _, _ = to_centre(box)
    return CropWindow(float(cx), float(cy), float(search_side(box, search=SIDE)), SIDE)


def predicted_overlap(
    runtime: OnlineRuntime,
    reference: tuple[np.ndarray, ArrayLike],
    frame: np.ndarray,
    window: CropWindow,
) -> Judge:
    """What a network predicts: a judge of boxes in frame pixels.

    Args:
        runtime: a network with an IoU predictor.
        reference: a frame (H, W, 3) and the target's box (4,) in it, frame pixels.
        frame: (H, W, 3) where boxes are judged.
        window: the square of it that the network sees.

    Raises:
        DataError: if the network has no IoU predictor.
    """
    predictor = runtime.predictor
    if predictor is None:
        raise DataError("this network predicts no IoU; expected an ATOM")
    first = search_image(reference[1])
    maps = runtime.maps(np.stack([first.cut(reference[0]), window.cut(frame)]))
    target = torch.from_numpy(first.box_to_crop(reference[1])[None]).to(maps[0])  # (1, 4)
    with torch.no_grad():
        modulation = predictor.modulation([m[:1] for m in maps], target)
        features = predictor.test_maps([m[1:] for m in maps])
    corner = torch.from_numpy(window.corner)

    def judge(boxes: Tensor) -> Tensor:
        """The predicted IoU (P,) of boxes (P, 4)."""
        inside = torch.cat([boxes[:, :2] - corner.to(boxes), boxes[:, 2:]], 1) * window.scale
        return predictor.predicted_iou(features, modulation, inside[None].to(maps[0]))[0].to(boxes)

    return judge


def in_crop(judge: Judge, window: CropWindow, boxes: Tensor) -> Tensor:
    """What a judge of boxes in frame pixels says of boxes in pixels of a crop.

    Args:
        judge: of boxes in frame pixels.
        window: of the crop.
        boxes: (P, 4) in the crop.

    Returns:
        their IoU (P,).
    """
    corner = torch.from_numpy(window.corner).to(boxes)  # (2,)
    return judge(torch.cat([boxes[:, :2] / window.scale + corner, boxes[:, 2:] / window.scale], 1))


def check_judge(judge: Judge, boxes: Tensor) -> None:
    """Raise DataError unless a judge gives an IoU for each of boxes (P, 4), and its gradient."""
    value = judge(boxes.clone().requires_grad_())
    if not isinstance(value, Tensor) or value.shape != (len(boxes),):
        found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise DataError(f"the judge gives {found} for boxes (P, 4); expected a tensor (P,)")
    if not value.requires_grad:
        raise DataError(
            "the judge's IoU has no gradient with respect to the boxes, so there is nothing to "
            "climb; expected torch operations that are differentiable in the boxes"
        )


def slices(
    overlap: Callable[[np.ndarray], np.ndarray], home: np.ndarray, now: np.ndarray, seen: np.ndarray
) -> tuple[Slice, Slice]:
    """The IoUs over shifts of a box, and over its sizes.

    Args:
        overlap: from boxes (P, 4) to predicted and true IoU (2, P).
        home: (4,) the target's box, pixels.
        now: (4,) the box that is shifted, keeping its size, or resized, keeping its centre.
        seen: (P, 4) boxes that lie within the maps.

    Returns:
        over shifts, in pixels from the target's centre, and over sizes, in powers of 2 of its size.
    """
    away, power = (np.abs(values).max() for values in from_home(seen, home))
    shift = max(SHIFTS * float(np.sqrt(home[2:].prod())), 1.1 * away)
    power = max(float(np.log2(FACTORS)), 1.1 * power)
    line = np.linspace(-1, 1, CELLS)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)  # (n·n, 2)
    size = np.broadcast_to(now[2:], grid.shape)
    sizes = home[2:] * 2 ** (power * grid)
    shifted = to_centre(home)[:2] + shift * grid - size / 2
    resized = to_centre(now)[:2] - sizes / 2
    return tuple(
        Slice(reach, overlap(np.concatenate(boxes, 1)).reshape(2, CELLS, CELLS))
        for reach, boxes in ((shift, (shifted, size)), (power, (resized, sizes)))
    )


def from_home(boxes: np.ndarray, home: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where boxes (..., 4) lie on both maps: shifts (..., 2) from the target's box (4,) in pixels,
    and sizes (..., 2) in powers of 2 of its size."""
    away = to_centre(boxes) - to_centre(home)
    return away[..., :2], np.log2(boxes[..., 2:] / home[2:])


def draw_slices(
    figure: Figure,
    axes: np.ndarray,
    found: tuple[Slice, Slice],
    path: tuple[np.ndarray, np.ndarray],
    now: tuple[np.ndarray, np.ndarray],
) -> None:
    """Draw four maps in the same colours, with what has climbed.

    Args:
        figure: gets a colour bar.
        axes: (2, 2), predicted IoU left and true IoU right; shifts above, sizes below.
        found: the maps.
        path: (K + 1, P, 2) of P boxes, on either map, see `from_home`.
        now: (2,) of the box as it is now, on either map.
    """
    for row, ax_row in enumerate(axes):
        for ax, name, values in zip(ax_row, NAMES, found[row].values, strict=True):
            shown = _draw_slice(ax, found[row].reach, values, path[row], now[row])
            ax.set_xlabel(("pixels to the right", "width / true width")[row], fontsize=8)
            if row == 0:
                ax.set_title(name, fontsize=10)
                ax.invert_yaxis()  # downwards, as in the image
        ax_row[0].set_ylabel(("pixels down", "height / true height")[row], fontsize=8)
    for ax in axes[1]:
        inside = [tick for tick in TICKS if abs(np.log2(tick)) <= found[1].reach]
        ax.set_xticks(np.log2(inside), [f"{tick:g}" for tick in inside])
        ax.set_yticks(np.log2(inside), [f"{tick:g}" for tick in inside])
    figure.colorbar(shown, ax=axes.ravel().tolist(), shrink=0.6, aspect=30, label="IoU")


def _draw_slice(ax: Axes, reach: float, values: np.ndarray, path: np.ndarray, now: np.ndarray):
    """One map (n, n) with lines of equal IoU, the true box and what has climbed; returns the
    image."""
    edge = reach * (1 + 1 / (CELLS - 1))  # the outermost values lie in the centres of cells
    shown = ax.imshow(
        values,
        cmap=plots.MAP,
        vmin=0,
        vmax=1,
        origin="lower",
        extent=(-edge, edge, -edge, edge),
        interpolation="bilinear",
    )
    line = np.linspace(-reach, reach, CELLS)
    ax.contour(line, line, values, levels=(0.25, 0.5, 0.75), colors="white", linewidths=0.6)
    ax.plot(0, 0, "+", color=plots.TRUTH, markersize=11, markeredgewidth=2.5)
    for k in range(path.shape[1])[::-1]:
        colour = plots.CYCLE[5] if k else plots.PREDICTION
        ax.plot(*path[:, k].T, ".-", color=colour, markersize=4, linewidth=1)
    ax.plot(*path[0, 0], "o", color="white", fillstyle="none", markersize=8)
    ax.plot(*now, "o", color=plots.PREDICTION, markeredgecolor="white", markersize=7)
    ax.set(xlim=(-edge, edge), ylim=(-edge, edge))
    ax.tick_params(labelsize=7)
    return shown
