"""Training of ATOM's IoU predictor: boxes around the target, and how well each covers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from course_lib.data.overlap_proposals import draw_proposals
from course_lib.geometry.anchors import overlaps
from course_lib.models.device import sent
from course_lib.training.tasks import Task

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch

PROPOSALS = 16  # boxes per pair


class OverlapTask(Task):
    """An IoU predictor with squared errors of 2 · IoU − 1 (Danelljan et al., 2019, sec. 3.1).

    The boxes of a pair are drawn from its seed: the same on every device, in every process and
    after every resumption. A negative pair has no box to judge and counts nothing.
    """

    def inputs(self, batch: PairBatch) -> tuple[Tensor, ...]:
        """Reference images, test images, the target's boxes (B, 4) in the former and the proposed
        boxes (B, P, 4) in the latter."""
        return batch.exemplar, batch.search, batch.exemplar_box, self.proposals(batch)

    def proposals(self, batch: PairBatch) -> Tensor:
        """The boxes (B, P, 4) that are judged, in pixels of the test images."""
        boxes = [
            draw_proposals(np.random.default_rng(int(seed)), box.numpy(), PROPOSALS)
            for seed, box in zip(batch.seeds, batch.box.cpu(), strict=True)
        ]
        return sent(torch.from_numpy(np.stack(boxes)).float(), batch.box.device)

    def loss(self, output: Tensor, batch: PairBatch, done: float = 1.0) -> Tensor:
        """Mean squared error over the boxes of all positive pairs.

        Args:
            output: 2 · IoU − 1 as predicted (B, P).
            batch: the batch it belongs to.
            done: not used by this loss.
        """
        wanted = 2 * overlaps(self.proposals(batch), batch.box) - 1  # (B, P)
        count = batch.positive.to(output)[:, None]  # (B, 1)
        squares = (count * (output - wanted).square()).sum()
        return squares / (self.share(count.sum()) * PROPOSALS)

    def measures(self, output: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """Over the boxes of each pair: the mean error of the predicted IoU, the true IoU of the box
        that is judged best (`iou`), and by how much the best box of all exceeds it (`missed`)."""
        true = overlaps(self.proposals(batch), batch.box)  # (B, P)
        chosen = true.gather(1, output.argmax(1, keepdim=True))[:, 0]  # (B,)
        error = ((output + 1) / 2 - true).abs().mean(1)  # (B,)
        return {"error": error, "iou": chosen, "missed": true.amax(1) - chosen}

    def boxes(self, output: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """The true box (B, 4) of each pair, and the one that is judged best."""
        best = output.argmax(1)  # (B,)
        chosen = self.proposals(batch)[torch.arange(len(best)), best]  # (B, 4)
        return {"truth": batch.box, "prediction": chosen}
