"""Training of DiMP's model predictor: the filter learned from one image is judged on another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib.models.dimp import score_loss
from course_lib.models.predictor import SIGMA
from course_lib.models.pyramid import MapPlace
from course_lib.models.target_filter import gaussian_labels
from course_lib.training.tasks import Task

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch

BETWEEN = 4.0  # weight of the mean loss over the steps before the last


class ScoreTask(Task):
    """DiMP with the hinge loss on the scores of every step (Bhat et al., 2019, sec. 3.6).

    A pair has one image to learn from and one to be judged on; the paper has three of each. A
    negative pair is one without a target: nothing in it may score above 0.
    """

    def inputs(self, batch: PairBatch) -> tuple[Tensor, ...]:
        """Images to learn the filters from, images to judge them on, and the target's boxes (B, 4)
        in the former."""
        return batch.exemplar, batch.search, batch.exemplar_box

    def centres(self, batch: PairBatch) -> Tensor:
        """The targets' centres (B, 2) in cells of the score map of the second image."""
        return self.network.predictor.centres(batch.box)

    def loss(self, output: Tensor, batch: PairBatch, done: float = 1.0) -> Tensor:
        """The loss of the first filter, of the last, and four times the mean of those between.

        Args:
            output: scores (K, B, 1, h, w) of the first filter and of that after each step.
            batch: the batch they belong to.
            done: not used by this loss.
        """
        labels = gaussian_labels(self.centres(batch), output.shape[-2:], SIGMA)  # (B, h, w)
        labels = labels * batch.positive.to(labels)[:, None, None]
        losses = torch.stack([score_loss(s[:, 0], labels) for s in output])  # (K,)
        between = losses[1:-1].mean() if len(losses) > 2 else losses.new_zeros(())
        return losses[0] + losses[-1] + BETWEEN * between

    def measures(self, output: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """Distance in pixels of each last map's peak from the target, whether it is within the
        radius, and by how much the highest score at the target exceeds the highest elsewhere
        (`gap`)."""
        scores, centres = output[-1, :, 0], self.centres(batch)  # (B, h, w) and (B, 2)
        highest, n = scores.flatten(1).argmax(1), scores.shape[-1]  # (B,)
        peak = torch.stack([highest % n, highest // n], 1).to(centres)  # (B, 2), x and y
        distance = (peak - centres).norm(dim=1) * self.network.place.stride  # (B,)
        near = gaussian_labels(centres, scores.shape[-2:], 2 * SIGMA) > 0.3  # (B, h, w)
        inside = scores.masked_fill(~near, -torch.inf).flatten(1).amax(1)  # (B,)
        gap = inside - scores.masked_fill(near, -torch.inf).flatten(1).amax(1)
        return {
            "distance": distance,
            "hits": (distance <= self.settings.radius).float(),
            "gap": gap,
        }

    def maps(self, output: Tensor) -> Tensor:
        """The scores of the last filter, clipped to 0…1; more than 1 is never wanted."""
        return output[-1, :, 0].clamp(0, 1)

    def map_place(self, maps: Tensor) -> MapPlace:
        """Where the cells of score maps lie: with an even filter, not where those of the
        features do."""
        place, shift = self.network.place, self.network.predictor.shift
        return MapPlace(1, place.stride, place.start - shift * place.stride)
