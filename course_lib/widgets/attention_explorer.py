"""Attention explorer: click a token of the template, and see where in the search image it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.windows import CropWindow
from course_lib.models.attention import central_token, weights
from course_lib.models.stream_template import (
    CELLS,
    FACTOR,
    PATCH,
    SEARCH,
    TEMPLATE,
    TEMPLATE_TOKENS,
)
from course_lib.trackers.onestream import BLACK, square
from course_lib.widgets.bench import ImageBench, choice, slider

if TYPE_CHECKING:
    from course_lib.models.onestream import OneStream

SIDE = TEMPLATE // PATCH  # tokens per side of the template
INCHES = 10.5, 4.3  # of the figure
TOP = 0.92  # of the axes, in fractions of the figure
ACROSS = (0.03, 0.22), (0.29, 0.34), (0.67, 0.3)  # left and width of each, likewise


class Seen(NamedTuple):
    """What the network computed for one frame.

    Attributes:
        window: the square of the frame searched.
        crop: (256, 256, 3) the image in it.
        blocks: for each, queries, keys and places, see `OneStream.stream`.
        score: (16, 16) of the cells.
    """

    window: CropWindow
    crop: np.ndarray
    blocks: list[dict[str, Tensor]]
    score: np.ndarray


class AttentionExplorer(ImageBench):
    """The attention of one token of the template to all tokens of the search image, block by block
    and head by head.

    The template is cut from the first frame; each search image is cut around the place where the
    target was a frame before, as in tracking. In a network whose template attends to itself only,
    the attention shown is the one by which tokens are removed.

    Args:
        sequence: frames, and the target's boxes.
        network: a trained one-stream network.
        max_frames: only so many frames from the start are used.
        alt: describes the still image.

    Raises DataError for a network in which nothing is compared, and if there is no second frame.
    """

    def __init__(
        self,
        sequence: Sequence,
        network: OneStream,
        max_frames: int = 60,
        alt: str | None = None,
    ) -> None:
        self.sequence, self.network = sequence.part(0, max_frames), network.eval()
        last = len(self.sequence) - 1
        if last < 1:
            raise DataError(f"{sequence.name} has no second frame here; expected at least two")
        if not network.joint:
            raise DataError(
                "the network was made with joint=false, so no token of the template attends to the "
                "search image; expected one with joint=true"
            )
        self.boxes = _without_gaps(self.sequence.boxes)  # (T, 4)
        self.template = square(self.boxes[0], FACTOR, TEMPLATE).cut(self.sequence.frames[0], BLACK)
        with torch.inference_mode():
            self.kept = network.template(_images(self.template))
        self.cached: dict[int, Seen] = {}
        self.heads = network.blocks[0].attn.heads
        row, column = divmod(central_token(TEMPLATE_TOKENS), SIDE)
        super().__init__(
            title="Attention explorer",
            help="Click a token of the template, on the left. The sliders do the same by keyboard.",
            controls=[
                slider("frame", "frame", 1, last, 1),
                slider("block", "block", 1, len(network.blocks), 1),
                choice("head", "head", ["mean of all", *map(str, range(1, self.heads + 1))]),
                slider("row", "row of the token", 0, SIDE - 1, 1),
                slider("column", "column of the token", 0, SIDE - 1, 1),
            ],
            values={
                "frame": min(5, last),
                "block": len(network.blocks),
                "head": 0,
                "row": row,
                "column": column,
            },
            can_draw=True,
            alt=alt
            or f"The template of {sequence.name} with one token marked, a search image under that "
            "token's attention, and the score of each cell.",
        )

    def seen(self) -> Seen:
        """What the network computed for the frame in view; each frame is computed once."""
        t = int(self.values["frame"])
        if t not in self.cached:
            window = square(self.boxes[t - 1], FACTOR * SEARCH / TEMPLATE, SEARCH)
            crop, blocks = window.cut(self.sequence.frames[t], BLACK), []
            with torch.inference_mode():
                score = self.network.search(self.kept, _images(crop), blocks).score[0, 0]
            self.cached[t] = Seen(window, crop, blocks, score.numpy())
        return self.cached[t]

    @property
    def token(self) -> int:
        """The chosen token's number, row by row."""
        return SIDE * int(self.values["row"]) + int(self.values["column"])

    def row(self) -> np.ndarray:
        """The attention (64 + K,) of the chosen token to the template's tokens and to the K search
        tokens that are left, in the chosen block and head; its sum is 1."""
        block = self.seen().blocks[int(self.values["block"]) - 1]
        chosen = block["queries"][:, :, self.token : self.token + 1]  # (1, H, 1, d)
        shares = weights(chosen, block["keys"])[0, :, 0]  # (H, 64 + K)
        head = int(self.values["head"])
        return (shares[head - 1] if head else shares.mean(0)).numpy()

    def map(self) -> np.ndarray:
        """The attention (16, 16) to each cell of the search image; NaN where its token was
        removed."""
        places = self.seen().blocks[int(self.values["block"]) - 1]["places"][0]  # (K,)
        cells = np.full(CELLS**2, np.nan)
        cells[places.numpy()] = self.row()[TEMPLATE_TOKENS:]
        return cells.reshape(CELLS, CELLS)

    @property
    def truth(self) -> np.ndarray:
        """The target's box (4,) in pixels of the search image; NaN while it is absent."""
        return self.seen().window.box_to_crop(self.sequence.boxes[int(self.values["frame"])])

    @traitlets.observe("drawn")
    def _pointed(self, change: dict) -> None:
        """A click chooses a token of the template."""
        left, bottom, width, height = _place(*ACROSS[0])
        x0, y0, x1, y1 = change["new"]
        column = ((x0 + x1) / 2 - left) / width * SIDE
        row = ((y0 + y1) / 2 - (1 - bottom - height)) / height * SIDE
        if 0 <= column < SIDE and 0 <= row < SIDE:  # elsewhere there is nothing to choose
            self.set(row=float(int(row)), column=float(int(column)))

    def draw(self) -> tuple[Figure, str]:
        """Template, attention and score, and a sentence."""
        figure = Figure(figsize=INCHES)
        # not a constrained layout: clicks are measured on the axes
        template, search, score = (figure.add_axes(_place(*across)) for across in ACROSS)
        self._draw_template(template)
        self._draw_attention(search)
        plots.show_map(score, self.seen().score, "score", peak=True)
        return figure, self.sentence()

    def sentence(self) -> str:
        """How the token's attention is divided, and where it is highest, in words."""
        v, cells = self.values, self.map()
        head = f"head {v['head']}" if v["head"] else "mean of all heads"
        row, column = np.unravel_index(np.nanargmax(cells), cells.shape)
        x, y, w, h = self.truth
        place = (np.array([column, row]) + 0.5) * PATCH - (x, y)
        inside = (place >= 0).all() and (place <= (w, h)).all()
        where = "in" if inside else "outside"
        gone = int(np.isnan(cells).sum())
        told = (
            f"block {v['block']:.0f}, {head}: the token in row {v['row']:.0f}, column "
            f"{v['column']:.0f} gives {100 * np.nansum(cells):.0f} % of its attention to the search "
            f"image and the rest to the template. It looks most at the cell in row {row}, column "
            f"{column}, {where} the target's box, with {100 * np.nanmax(cells):.1f} %; an equal "
            f"share would be {100 / len(self.row()):.1f} %"
        )
        if gone:
            told += f". {gone} of {cells.size} search tokens were removed in earlier blocks"
        if self.network.asymmetric:
            told += ". In this network the attention only says which tokens to keep"
        return told

    def _draw_template(self, ax: Axes) -> None:
        """The template, its tokens' borders, and the chosen one."""
        plots.show_frame(ax, self.template, "template: click a token")
        for k in range(1, SIDE):
            for line in (ax.axhline, ax.axvline):
                line(k * PATCH - 0.5, color="white", linewidth=0.5, alpha=0.6)
        corner = int(self.values["column"]) * PATCH, int(self.values["row"]) * PATCH
        plots.draw_box(ax, (*corner, PATCH, PATCH), plots.EXEMPLAR)
        ax.set(xlim=(-0.5, TEMPLATE - 0.5), ylim=(TEMPLATE - 0.5, -0.5))

    def _draw_attention(self, ax: Axes) -> None:
        """The search image under the attention; cells whose token was removed are grey."""
        cells = self.map()
        high = np.nan_to_num(cells) / max(float(np.nanmax(cells)), 1e-12)  # (16, 16)
        plots.show_frame(ax, self.seen().crop, "where it looks in the search image")
        extent = (-0.5, SEARCH - 0.5, SEARCH - 0.5, -0.5)
        look = {"cmap": plots.MAP, "vmin": 0, "vmax": 1, "extent": extent}
        ax.imshow(high, alpha=0.2 + 0.6 * high, **look)
        grey = np.full((CELLS, CELLS, 4), 0.55)  # red, green, blue, opacity
        grey[..., 3] = np.where(np.isnan(cells), 0.85, 0)
        ax.imshow(grey, extent=extent)
        if np.isfinite(self.truth).all():
            plots.draw_box(ax, self.truth, plots.TRUTH)
        ax.set(xlim=(-0.5, SEARCH - 0.5), ylim=(SEARCH - 0.5, -0.5))


def _place(left: float, width: float) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of square axes, in fractions of the figure."""
    height = width * INCHES[0] / INCHES[1]
    return left, TOP - height, width, height


def _images(crop: np.ndarray) -> Tensor:
    """A crop (S, S, 3) as a batch (1, 3, S, S), values 0…255."""
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float()


def _without_gaps(boxes: ArrayLike) -> np.ndarray:
    """Boxes (T, 4); while the target is absent, those where it was last.

    Raises DataError if it is absent from the first frame.
    """
    filled = np.array(boxes, dtype=np.float64)
    if not np.isfinite(filled[0]).all():
        raise DataError(
            "the first box is NaN; expected a sequence that begins with the target in view"
        )
    for t in range(1, len(filled)):
        if not np.isfinite(filled[t]).all():
            filled[t] = filled[t - 1]
    return filled
