"""Watching a run: a progress bar, TensorBoard, and data for plots that follow the training."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from course_lib.training.progress import Progress

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from course_lib.models.pyramid import MapPlace


class ProgressBar:
    """One line: steps, loss, pairs per second, time left."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bar: tqdm | None = None

    def __call__(self, p: Progress) -> None:
        """Advance the bar to the step of `p`."""
        if self.bar is None:
            self.bar = tqdm(
                total=p.steps,
                initial=p.started_at,
                unit="step",
                disable=self.quiet,
                dynamic_ncols=True,
            )
        self.bar.set_postfix_str(
            f"{p.loss_in_words}, {p.pairs_per_second:.0f} pairs/s", refresh=False
        )
        self.bar.update(p.step - self.bar.n)
        if p.step >= p.steps:
            self.bar.close()


class TensorBoard:
    """Curves of loss, learning rate, time per stage and validation, and validation score maps and
    boxes over their images.

    View them with `tensorboard --logdir runs/training`.
    """

    def __init__(self, folder: Path, every: int = 20) -> None:
        self.folder, self.every = folder, every
        self.writer: SummaryWriter | None = None
        self.validated = 0

    def __call__(self, p: Progress) -> None:
        """Write what is new at the step of `p`."""
        try:
            self._write(p)
        except OSError as problem:
            problem.filename = problem.filename or str(self.folder)
            raise

    def _write(self, p: Progress) -> None:
        if self.writer is None:  # opened at the first step: a refused run leaves no folder
            # what a resumed run found before, it wrote before
            self.validated = sum(row["step"] <= p.started_at for row in p.validation)
            # imported here: it takes a second and most notebooks do not need it
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(self.folder))
        if p.step % self.every == 0 and p.curve:
            self._write_training(p)
        if len(p.validation) > self.validated:
            self.validated = len(p.validation)
            self._write_validation(p)
        if p.step >= p.steps:
            self.writer.close()

    def _write_training(self, p: Progress) -> None:
        self.writer.add_scalar("training/loss", p.curve[-1][1], p.step)
        self.writer.add_scalar("training/learning_rate", p.rate, p.step)
        self.writer.add_scalar("speed/pairs_per_second", p.pairs_per_second, p.step)
        for stage, seconds in {**p.seconds, **p.making}.items():
            fraction = seconds / max(sum(p.seconds.values()), 1e-9)
            self.writer.add_scalar(f"speed/fraction_{stage}", fraction, p.step)
        self.writer.flush()  # a run may be stopped at any time

    def _write_validation(self, p: Progress) -> None:
        for name, value in p.validation[-1].items():
            if name != "step":
                self.writer.add_scalar(f"validation/{name}", value, p.step)
        if p.maps is not None:
            self.writer.add_images(
                "validation/score_maps",
                maps_over_images(p.maps, p.map_place, p.search_images),
                p.step,
            )
        if p.boxes:
            self.writer.add_images(
                "validation/boxes", boxes_over_images(p.boxes, p.search_images), p.step
            )
        self.writer.flush()


def maps_over_images(maps: Tensor, place: MapPlace, search_images: Tensor) -> Tensor:
    """Score maps in red over grey search images. Between the centres of cells, scores are
    interpolated; beyond half a cell from the last centre there are none.

    Args:
        maps: (n, h, w), 0…1.
        place: where their cells lie in the images.
        search_images: (n, 3, S, S) uint8.

    Returns:
        Images (n, 3, S, S), float in 0…1.
    """
    S = search_images.shape[-1]
    grey = search_images.float().mean(dim=1, keepdim=True) / 255 * 0.6  # (n, 1, S, S)
    # the centres of the pixels, as fractions of the map: −1 is its left or upper edge, 1 the other
    cells = (torch.arange(S) + 0.5 - place.start) / place.stride  # (S,)
    y, x = ((2 * cells + 1) / side - 1 for side in maps.shape[-2:])  # (S,) each
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)  # (S, S, 2)
    heat = F.grid_sample(
        maps[:, None],
        grid.expand(len(maps), -1, -1, -1),
        padding_mode="border",
        align_corners=False,
    )  # (n, 1, S, S)
    heat = heat * (grid.abs() <= 1).all(-1)
    return torch.cat(
        [grey + 0.4 * heat, grey * (1 - 0.5 * heat), grey * (1 - 0.5 * heat)], dim=1
    ).clamp(0, 1)


def boxes_over_images(boxes: Mapping[str, Tensor], search_images: Tensor) -> Tensor:
    """Outlines of boxes over search images: the truth green, the prediction vermilion, the anchor
    that overlaps the target most dark blue, the guide light blue.

    Args:
        boxes: (n, 4) in pixels of the images, by what they are; others are not drawn.
        search_images: (n, 3, S, S) uint8.

    Returns:
        Images (n, 3, S, S), float in 0…1.
    """
    # imported here: it loads matplotlib, which training does not need
    from course_lib.plots import CYCLE, EXEMPLAR, PREDICTION, TRUTH

    images = search_images.float() / 255  # (n, 3, S, S)
    S = images.shape[-1]
    colours = {"guide": CYCLE[5], "best anchor": EXEMPLAR, "prediction": PREDICTION, "truth": TRUTH}
    for name, colour in colours.items():
        paint = torch.tensor([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])[:, None, None]
        for image, (x, y, w, h) in zip(images, boxes.get(name, ()), strict=False):
            at = torch.stack([x, y, x + w, y + h]).clamp(0, S - 2).round().int().tolist()
            for row in (at[1], at[3]):  # two pixels thick, so that it is seen
                image[:, row : row + 2, at[0] : at[2] + 2] = paint
            for column in (at[0], at[2]):
                image[:, at[1] : at[3] + 2, column : column + 2] = paint
    return images


def smooth(losses: Items[float], factor: float) -> np.ndarray:
    """Exponential moving average (n,) of losses (n,), as in TensorBoard.

    s ← factor · s + (1 − factor) · loss, from s = 0; the k-th value is divided by 1 − factor^k, so
    that the first values are not biased towards 0.
    """
    average, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        average = factor * average + (1 - factor) * loss
        smoothed.append(average / (1 - factor**k))
    return np.array(smoothed)
