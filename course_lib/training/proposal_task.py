"""Training of networks that propose boxes: SiamRPN and its relatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from course_lib.errors import SettingsError
from course_lib.geometry.anchors import decode, overlaps
from course_lib.geometry.guide import box_masks
from course_lib.models.device import sent
from course_lib.models.margin import CosineMap
from course_lib.models.proposals import LOSSES, Proposals, assign, draw_anchors, uniform_draws
from course_lib.models.pyramid import MapPlace
from course_lib.training.map_tasks import margin_loss
from course_lib.training.tasks import Task

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch
    from course_lib.models.proposal_network import ProposalNetwork
    from course_lib.training.settings import TrainSettings

# threshold of the cosines below a proposal head; fixed, since the features can adapt to it
MAP_THRESHOLD = 0.5


class ProposalTask(Task):
    """A network that outputs proposals for anchors, with SiamRPN's loss or SSD's.

    Args:
        settings: the recipe.
        network: the network to train; None for the recipe's, newly initialised.

    Raises:
        SettingsError: the recipe has a loss on a correlation map, but the network has no such map.
    """

    network: ProposalNetwork

    def __init__(self, settings: TrainSettings, network: ProposalNetwork | None = None) -> None:
        super().__init__(settings, network)
        self.variances, self.criterion = LOSSES[settings.proposals.loss]
        self.anchors = torch.from_numpy(self.network.anchors(settings.search)).float()  # (A, 4)
        # anchors per cell, and cells per side of the (first) map
        self.grid = len(self.network.sizes), self.network.cells(settings.search)
        if settings.margin.weight and not self.network.has_map:
            raise SettingsError(
                f"margin.weight needs one map to supervise, which {self.network.about} does not "
                "have. Use proposals.head depthwise, or network siamrpn++."
            )

    def inputs(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """The images; for a guided network with a mask as fourth channel: the exemplar's box, and
        a box near the target's, like one found in the previous frame."""
        if not self.network.guided:
            return super().inputs(batch)
        near = self._guide(batch)  # (B, 4)
        # (B, 4, 127, 127)
        z = torch.cat([batch.exemplar, box_masks(batch.exemplar_box, batch.exemplar.shape[-1])], 1)
        x = torch.cat([batch.search, box_masks(near, batch.search.shape[-1])], 1)  # (B, 4, S, S)
        return z, x

    def loss(self, output: Proposals, batch: PairBatch, done: float = 1.0) -> Tensor:
        """The recipe's loss over the sampled anchors, plus the margin loss on the correlation map
        if the recipe has one.

        Args:
            output: one proposal for each anchor.
            batch: the batch they belong to.
            done: fraction of the steps done so far; the margin rises with it.
        """
        weight = self.settings.margin.weight
        if not weight:
            return self._proposal_loss(output, batch)
        # new_full fills it on the device; new_tensor would copy it and wait for the device
        cosines = output.correlation_map()  # (B, n, n)
        answer = CosineMap(cosines, cosines.new_full((), MAP_THRESHOLD))
        on_map = margin_loss(answer, batch, self.settings, self.network.stride, done)
        return self._proposal_loss(output, batch) + weight * on_map

    def _proposal_loss(self, output: Proposals, batch: PairBatch) -> Tensor:
        p = self.settings.proposals
        anchors = self._anchors(batch)  # (A, 4)
        targets = assign(
            anchors,
            batch.box,
            batch.positive,
            p.high,
            p.low,
            self.variances,
            any_size=p.any_size,
        )
        if p.loss == "ssd":
            return self.criterion(output, targets, p.weight)
        draws = sent(uniform_draws(batch.seeds, len(anchors)), targets.labels.device)  # (B, A)
        targets = targets._replace(labels=draw_anchors(targets.labels, draws))
        return self.criterion(output, targets, p.weight, p.smooth, p.giou)

    def measures(self, output: Proposals, batch: PairBatch) -> dict[str, Tensor]:
        """IoU of each pair's most probable proposal with the target, whether it is above one half,
        and `fit`: the IoU of the proposal whose anchor is nearest to the target in position and
        shape, whatever its score."""
        best, nearest = self._chosen(output, batch)  # (B,)
        overlap = overlaps(self._decoded(output, batch, best), batch.box).diagonal()  # (B,)
        fit = overlaps(self._decoded(output, batch, nearest), batch.box).diagonal()  # (B,)
        return {"iou": overlap, "hits": (overlap > 0.5).float(), "fit": fit}

    def boxes(self, output: Proposals, batch: PairBatch) -> dict[str, Tensor]:
        """The true box (B, 4) of each pair, the most probable proposal, the anchor that overlaps
        the target most, the proposal from that anchor, and the guide of a guided network."""
        best, nearest = self._chosen(output, batch)  # (B,)
        shown = {
            "truth": batch.box,
            "prediction": self._decoded(output, batch, best),
            "best anchor": self._anchors(batch)[nearest],
            "from it": self._decoded(output, batch, nearest),
        }
        return shown | ({"guide": self._guide(batch)} if self.network.guided else {})

    def _anchors(self, batch: PairBatch) -> Tensor:
        """The anchors (A, 4) on the batch's device, moved there only once: each copy would wait for
        the device.
        """
        self.anchors = self.anchors.to(batch.box.device)
        return self.anchors

    def _chosen(self, output: Proposals, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Indices (B,) of each pair's most probable proposal, and of the anchor that overlaps the
        target most."""
        return output.scores.argmax(1), overlaps(self._anchors(batch), batch.box).argmax(1)

    def _decoded(self, output: Proposals, batch: PairBatch, chosen: Tensor) -> Tensor:
        """The box (B, 4) of one proposal of each pair, by its index (B,)."""
        offsets = output.offsets[torch.arange(len(chosen)), chosen]  # (B, 4)
        return decode(offsets, self._anchors(batch)[chosen], self.variances)

    def _guide(self, batch: PairBatch) -> Tensor:
        """Boxes (B, 4) near the targets', the same for the same pairs."""
        return jittered(batch.box, batch.seeds, self.settings.proposals.guide_jitter)

    def maps(self, output: Proposals) -> Tensor:
        """The highest score of each cell of the (first) map."""
        k, n = self.grid
        scores = output.scores[:, : k * n * n]  # (B, k·n·n)
        return scores.reshape(len(scores), k, n, n).amax(1)

    def map_place(self, maps: Tensor) -> MapPlace:
        """Where the cells of the (first) map lie: at the centres of its anchors."""
        first, second = (self.anchors[:2, 0] + self.anchors[:2, 2] / 2).tolist()
        return MapPlace(1, second - first, first)


def jittered(boxes: Tensor, seeds: Tensor, deviation: float) -> Tensor:
    """Boxes (B, 4), shifted and resized at random.

    Args:
        boxes: (B, 4).
        seeds: (B,), one for each box: the same on every device and in every process.
        deviation: standard deviation, in sides of the box.
    """
    numbers = torch.stack(
        [torch.randn(4, generator=torch.Generator().manual_seed(int(s))) for s in seeds]
    )  # (B, 4)
    numbers = sent(numbers, boxes.device) * deviation
    size = boxes[:, 2:] * (1 + numbers[:, 2:]).clamp(0.3, 3)  # (B, 2)
    centre = boxes[:, :2] + boxes[:, 2:] / 2 + boxes[:, 2:] * numbers[:, :2]  # (B, 2)
    return torch.cat([centre - size / 2, size], 1)
