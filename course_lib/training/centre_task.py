"""Training of one-stream networks: heat map and box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from course_lib.geometry.anchors import overlaps
from course_lib.models.centre_head import CentreMaps
from course_lib.models.centre_losses import centre_loss
from course_lib.models.pyramid import MapPlace
from course_lib.training.tasks import Task

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch


class CentreTask(Task):
    """A one-stream network with OSTrack's loss (Ye et al., 2022, section 3.4)."""

    def loss(self, output: CentreMaps, batch: PairBatch, done: float = 1.0) -> Tensor:
        """Focal loss of the score, and GIoU and L1 of the box where the score is highest.

        Args:
            output: maps of the search images.
            batch: the batch they belong to.
            done: not used by this loss.
        """
        boxes = batch.box / batch.search.shape[-1]  # (B, 4)
        return centre_loss(output, boxes, batch.positive, self.share)

    def measures(self, output: CentreMaps, batch: PairBatch) -> dict[str, Tensor]:
        """Distance in pixels of each box's centre from the target's, whether it is within the
        radius, the IoU of the box, and its score."""
        found = self._found(output, batch)  # (B, 4)
        away = (found[:, :2] + found[:, 2:] / 2) - (batch.box[:, :2] + batch.box[:, 2:] / 2)
        distance = away.norm(dim=1)  # (B,)
        return {
            "distance": distance,
            "hits": (distance <= self.settings.radius).float(),
            "iou": overlaps(found[:, None], batch.box)[:, 0],
            "score": output.score.flatten(1).amax(1),
        }

    def _found(self, output: CentreMaps, batch: PairBatch) -> Tensor:
        """The box (B, 4) where the score is highest, in pixels of the search image."""
        return output.best() * batch.search.shape[-1]

    def maps(self, output: CentreMaps) -> Tensor:
        """The scores."""
        return output.score[:, 0]

    def map_place(self, maps: Tensor) -> MapPlace:
        """Where the cells lie: a cell stands for its upper left corner."""
        return MapPlace(1, self.settings.search / maps.shape[-1], 0.0)

    def boxes(self, output: CentreMaps, batch: PairBatch) -> dict[str, Tensor]:
        """The true box (B, 4) of each pair, and the one that was found."""
        return {"truth": batch.box, "prediction": self._found(output, batch)}
