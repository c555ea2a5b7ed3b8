"""Training of networks whose only output is a map: SiamFC's responses, SiamMargin's cosines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from course_lib.models.losses import balanced_logistic_loss, pair_labels, peak_distance
from course_lib.models.margin import MARGIN_LOSSES, CosineMap, gap, margin_at
from course_lib.training.tasks import Task, target_place

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch
    from course_lib.training.settings import TrainSettings


class SiamFCTask(Task):
    """SiamFC with the balanced logistic loss (Bertinetto et al., 2016, section 2.2)."""

    def loss(self, output: Tensor, batch: PairBatch, done: float = 1.0) -> Tensor:
        """Balanced logistic loss of responses.

        Args:
            output: responses (B, n, n).
            batch: the batch they belong to.
            done: not used by this loss.
        """
        stride, radius = self.network.stride, self.settings.radius
        place = target_place(batch)  # (B, 2)
        labels = pair_labels(batch.positive, output.shape[-1], stride, radius, place)  # (B, n, n)
        return balanced_logistic_loss(output, labels)

    def measures(self, output: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """Distance in pixels of each response's peak from the target, and whether it is within the
        radius."""
        distance = peak_distance(output, self.network.stride, target_place(batch))  # (B,)
        return {"distance": distance, "hits": (distance <= self.settings.radius).float()}

    def maps(self, output: Tensor) -> Tensor:
        """The probabilities that the responses, which are logits, stand for."""
        return output.sigmoid()


class MarginTask(SiamFCTask):
    """SiamMargin with a margin loss; its output is a `CosineMap`."""

    def loss(self, output: CosineMap, batch: PairBatch, done: float = 1.0) -> Tensor:
        """The recipe's margin loss of the cosines, with the margin at this step.

        Args:
            output: cosines (B, n, n) and their threshold.
            batch: the batch they belong to.
            done: fraction of the steps done so far.
        """
        return margin_loss(output, batch, self.settings, self.network.stride, done)

    def measures(self, output: CosineMap, batch: PairBatch) -> dict[str, Tensor]:
        """SiamFC's measures, and the difference between the highest cosine on the target and the
        highest one elsewhere."""
        labels = map_labels(output.cosines, batch, self.settings, self.network.stride)
        return super().measures(output.cosines, batch) | {"gap": gap(output.cosines, labels)}

    def maps(self, output: CosineMap) -> Tensor:
        """The probabilities that the loss, without its margin, reads from the cosines."""
        scale = self.settings.margin.scale
        return (scale * (output.cosines - output.threshold)).sigmoid()  # (B, n, n)


def margin_loss(
    answer: CosineMap, batch: PairBatch, settings: TrainSettings, stride: float, done: float
) -> Tensor:
    """The recipe's margin loss () of a map of cosines.

    Args:
        answer: cosines (B, n, n) and their threshold.
        batch: the batch they belong to.
        settings: the recipe.
        stride: pixels of the search image per cell.
        done: fraction of the steps done so far; the margin rises with it.
    """
    m = settings.margin
    labels = map_labels(answer.cosines, batch, settings, stride)  # (B, n, n)
    return MARGIN_LOSSES[m.loss](answer, labels, m.scale, margin_at(done, m.margin, m.ramp), m.arc)


def map_labels(maps: Tensor, batch: PairBatch, settings: TrainSettings, stride: float) -> Tensor:
    """Labels (B, n, n) of maps: the target, an ignored ring around it, and the rest.

    Args:
        maps: (B, n, n).
        batch: the batch they belong to.
        settings: the recipe.
        stride: pixels of the search image per cell.
    """
    radius, ring = settings.radius, settings.margin.ring
    place = target_place(batch)  # (B, 2)
    return pair_labels(batch.positive, maps.shape[-1], stride, radius, place, ring)
