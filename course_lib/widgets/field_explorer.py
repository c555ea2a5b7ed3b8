"""Receptive field explorer: build a stack of layers and see the field of its cells in the exemplar,
by arithmetic and by gradient."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from course_lib import plots
from course_lib.analysis.fields import effective_field
from course_lib.errors import DataError
from course_lib.geometry.receptive import Layer, ReceptiveField, receptive_fields
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.widgets.bench import ImageBench, choice, slider

STRIDES = (4, 8, 16)
GUIDE = (0.6, 0.8)  # SiamDW: receptive field over exemplar
WIDTH = 16  # channels: enough to see how far gradients reach


def stack(kernel: int, stride: int, padded: bool, depth: int) -> list[Layer]:
    """An AlexNet-like stack: 11 × 11 / 2, pooling, 5 × 5, pooling, layers of 3 × 3, a last one.

    Args:
        kernel: of the last layer.
        stride: 4, 8 or 16 image pixels per cell.
        padded: whether every layer is padded by half its kernel.
        depth: how many layers of 3 × 3.
    """

    def layer(name: str, k: int, s: int = 1) -> Layer:
        return Layer(name, k, s, k // 2 if padded else 0)

    return [
        *(
            layer("conv1", 11, 2),
            layer("pool1", 3, 2),
            layer("conv2", 5),
            layer("pool2", 3, 1 if stride == 4 else 2),
        ),
        *(layer(f"conv{3 + k}", 3) for k in range(depth)),
        *([layer("pool3", 3, 2)] if stride == 16 else []),
        layer("last", kernel),
    ]


@lru_cache(maxsize=64)
def untrained_stack(kernel: int, stride: int, padded: bool, depth: int) -> nn.Sequential:
    """The same stack as a network with random weights and ReLUs.

    Args:
        kernel, stride, padded, depth: as in `stack`.
    """
    modules: list[nn.Module] = []
    channels = 3
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in stack(kernel, stride, padded, depth):
            if layer.name.startswith("pool"):
                modules.append(nn.MaxPool2d(layer.kernel, layer.stride, layer.padding))
                continue
            conv = nn.Conv2d(channels, WIDTH, layer.kernel, layer.stride, layer.padding)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            modules += [conv, nn.ReLU()]
            channels = WIDTH
    return nn.Sequential(*modules[:-1]).eval()


def half_width(field: np.ndarray) -> int:
    """Side in pixels of the smallest central square that holds half of the sum of a map (S, S)."""
    centre = len(field) // 2
    for reach in range(centre + 1):
        if (
            field[centre - reach : centre + reach + 1, centre - reach : centre + reach + 1].sum()
            >= 0.5 * field.sum()
        ):
            return 2 * reach + 1
    return len(field)


class FieldExplorer(ImageBench):
    """The receptive field of a stack's cells in an exemplar.

    Args:
        exemplar: (127, 127, 3) uint8.
    """

    def __init__(self, exemplar: np.ndarray, alt: str | None = None) -> None:
        self.exemplar = exemplar
        controls = [
            slider("kernel", "kernel of the last layer", 1, 8, 1),
            slider("depth", "3 × 3 layers before it", 0, 6, 1),
            choice("stride", "stride", [str(s) for s in STRIDES]),
            choice("padding", "padding", ["none", "half the kernel"]),
        ]
        super().__init__(
            title="Receptive field explorer",
            help=(
                "Change the stack. The solid square is the central cell's receptive field, the "
                "dashed one its neighbour's."
            ),
            controls=controls,
            values={"kernel": 3, "depth": 2, "stride": 1, "padding": 0},
            alt=alt
            or "An exemplar with the receptive field of a stack's central cell and the strength of "
            "its gradient.",
        )

    def draw(self) -> tuple[Figure, str]:
        """The exemplar with both fields, the gradient, the stack against the guidelines, and a
        sentence."""
        v = self.values
        choices = int(v["kernel"]), STRIDES[int(v["stride"])], bool(v["padding"]), int(v["depth"])
        figure, axes = plots.new_figure(9.4, 3.5, columns=3)
        left, centre, right = axes[0]
        try:
            z = receptive_fields(stack(*choices), EXEMPLAR)[-1]
            x = receptive_fields(stack(*choices), SEARCH)[-1]
        except DataError as problem:
            for ax in axes[0]:
                ax.set_axis_off()
            left.text(0, 0.5, "The exemplar is too small for this stack.", fontsize=11)
            return figure, f"The exemplar has no cell left: {problem}"
        field = self._gradient(choices)
        half = half_width(field)
        self._squares(left, z)
        plots.show_map(centre, field, "gradient of the central cell")
        plots.draw_box(centre, [EXEMPLAR / 2 - half / 2] * 2 + [half] * 2, "white", style=":")
        self._guide(right, z)
        share = z.field / EXEMPLAR
        word = "below" if share < GUIDE[0] else "above" if share > GUIDE[1] else "within"
        return figure, (
            f"field {z.field} pixels, {100 * share:.0f} % of the exemplar ({word} the guideline of "
            f"60 to 80 %); stride {z.stride}; {z.size} × {z.size} cells of the exemplar, response "
            f"{x.size - z.size + 1} × {x.size - z.size + 1}; neighbours overlap by "
            f"{100 * z.overlap:.0f} %. Half of the gradient lies within {half} pixels"
        )

    def _gradient(self, choices: tuple[int, int, bool, int]) -> np.ndarray:
        """The effective field (127, 127) on the exemplar, its centre moved to the centre of the
        exemplar."""
        image = torch.from_numpy(self.exemplar).permute(2, 0, 1)[None].float()  # (1, 3, 127, 127)
        image = (image - image.mean()) / (image.std() + 1e-6)
        field = effective_field(untrained_stack(*choices), image).numpy()  # (127, 127)
        z = receptive_fields(stack(*choices), EXEMPLAR)[-1]
        # an even map has no cell exactly in the centre
        away = round(z.start + z.size // 2 * z.stride - EXEMPLAR / 2)
        return np.roll(field, (-away, -away), (0, 1))

    def _squares(self, ax, z: ReceptiveField) -> None:
        plots.show_frame(ax, self.exemplar, "central cell and neighbour")
        at = z.start + z.size // 2 * z.stride
        for k, (style, colour) in enumerate((("-", plots.EXEMPLAR), ("--", plots.PREDICTION))):
            if k == 0 or z.size > 1:
                corner = at - z.field / 2
                plots.draw_box(
                    ax, [corner - k * z.stride, corner, z.field, z.field], colour, style=style
                )
        ax.set_xlim(-20, EXEMPLAR + 20)
        ax.set_ylim(EXEMPLAR + 20, -20)

    def _guide(self, ax, z: ReceptiveField) -> None:
        names = ("field / exemplar", "cells / 16", "overlap")
        values = (z.field / EXEMPLAR, z.size / 16, z.overlap)
        ax.barh(names, values, color=(plots.EXEMPLAR, plots.DISTRACTOR, plots.NEUTRAL))
        ax.axvspan(*GUIDE, ymin=0.68, ymax=0.98, color=plots.TRUTH, alpha=0.3)
        ax.set(xlim=(0, 1.7), title="green: SiamDW's guideline")
        ax.title.set_fontsize(10)
        ax.invert_yaxis()
        ax.tick_params(labelsize=8)
