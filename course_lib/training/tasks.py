"""What the loop must know of a network: how to build it, its loss, and what its output says about a
pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from course_lib.data.loader import PairBatch
from course_lib.errors import SettingsError
from course_lib.geometry.anchors import decode, overlaps
from course_lib.geometry.masks import box_masks
from course_lib.models.backbones import backbone_arguments
from course_lib.models.device import sent
from course_lib.models.losses import balanced_logistic_loss, pair_labels, peak_distance
from course_lib.models.margin import MARGIN_LOSSES, CosineMap, gap, margin_at
from course_lib.models.networks import build
from course_lib.models.proposals import LOSSES, Proposals, assign, chances, draw_anchors
from course_lib.models.siamfc import SiamFC
from course_lib.models.weights import load_network
from course_lib.training.settings import MAPS, TrainSettings

# of the cosines below a proposal head, whose features can move to either side of it
MAP_THRESHOLD = 0.5


class Task(Protocol):
    """One kind of network to train."""

    def build(self) -> nn.Module:
        """A fresh network, called as network(exemplar, search)."""

    def inputs(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Exemplars and search images of a lit batch as the network wants them."""

    def loss(self, output: Any, batch: PairBatch, done: float = 1.0) -> Tensor:
        """Mean loss () over the batch, of the network's output, when the share `done` of the steps
        is over."""

    def measures(self, output: Any, batch: PairBatch) -> dict[str, Tensor]:
        """Values (B,) by name that say how well each pair is solved, for validation."""

    def maps(self, output: Any) -> Tensor:
        """Score maps (B, n, n) to look at."""


class SiamFCTask:
    """SiamFC with the balanced logistic loss."""

    def __init__(self, settings: TrainSettings) -> None:
        self.settings, self.stride = settings, settings.stride

    def build(self) -> SiamFC:
        """The network of the recipe, its first weights drawn from the recipe's seed, or those it
        starts from.

        Raises SettingsError if these belong to another network.
        """
        s = self.settings
        network = build_seeded(s, lambda: new_network(s))
        if s.start_from:
            begin_with(network, s)
        network.backbone.freeze(s.freeze)
        self.stride = network.stride
        return network

    def inputs(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """The pictures as they are."""
        return batch.exemplar, batch.search

    def loss(self, output: Tensor, batch: PairBatch, done: float = 1.0) -> Tensor:
        """Balanced logistic loss of responses (B, n, n)."""
        labels = pair_labels(
            batch.positive, output.shape[-1], self.stride, self.settings.radius, target_place(batch)
        )
        return balanced_logistic_loss(output, labels)

    def measures(self, output: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """Distance in pixels of each response's peak from the target, and whether it lies within
        the radius."""
        distance = peak_distance(output, self.stride, target_place(batch))  # (B,)
        return {"distance": distance, "hits": (distance <= self.settings.radius).float()}

    def maps(self, output: Tensor) -> Tensor:
        """The responses themselves."""
        return output


class MarginTask(SiamFCTask):
    """SiamMargin with a margin loss; its output is a `CosineMap`."""

    def loss(self, output: CosineMap, batch: PairBatch, done: float = 1.0) -> Tensor:
        """The recipe's margin loss of the cosines (B, n, n), with the margin of this moment."""
        return margin_loss(output, batch, self.settings, self.stride, done)

    def measures(self, output: CosineMap, batch: PairBatch) -> dict[str, Tensor]:
        """As SiamFC's, and how far the highest cosine on the target lies above the highest one
        elsewhere."""
        labels = map_labels(output.cosines, batch, self.settings, self.stride)
        return super().measures(output.cosines, batch) | {"gap": gap(output.cosines, labels)}

    def maps(self, output: CosineMap) -> Tensor:
        """The cosines."""
        return output.cosines


class ProposalTask:
    """A network that gives proposals for anchors, with SiamRPN's loss or SSD's."""

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings
        self.variances, self.criterion = LOSSES[settings.proposals.loss]

    def build(self) -> nn.Module:
        """The network of the recipe, its first weights drawn from the recipe's seed; the backbone,
        or everything, may start from others.

        Raises SettingsError if these belong to another network.
        """
        s = self.settings
        network = build_seeded(s, lambda: new_network(s))
        if s.start_from:
            begin_with(network, s)
        if s.freeze:
            network.backbone.freeze(s.freeze)
        self.guided = network.guided
        self.anchors = torch.from_numpy(network.anchors(s.search)).float()  # (A, 4)
        if s.margin.weight:
            if not network.has_map:
                raise SettingsError(
                    f"margin.weight needs a map to supervise; {network.about} has no single one. "
                    "Take proposals.head depthwise, or network siamrpn++."
                )
            self.stride = network.stride
        self.cells, self.per_cell = network.cells(s.search), len(network.sizes)
        return network

    def inputs(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """The pictures, for a guided network with a mask as fourth channel: of the exemplar's box,
        and of a box near the target's, as the one found in the frame before would be."""
        if not self.guided:
            return batch.exemplar, batch.search
        near = jittered(batch.box, batch.seeds, self.settings.proposals.guide_jitter)  # (B, 4)
        # (B, 4, 127, 127)
        z = torch.cat([batch.exemplar, box_masks(batch.exemplar_box, batch.exemplar.shape[-1])], 1)
        x = torch.cat([batch.search, box_masks(near, batch.search.shape[-1])], 1)  # (B, 4, S, S)
        return z, x

    def loss(self, output: Proposals, batch: PairBatch, done: float = 1.0) -> Tensor:
        """The recipe's loss over the anchors that count, and the margin's on the correlation map
        where the recipe has one."""
        weight = self.settings.margin.weight
        if not weight:
            return self._proposal_loss(output, batch)
        # new_full fills it on the device; new_tensor would copy it there and wait
        cosines = output.correlation_map()  # (B, n, n)
        answer = CosineMap(cosines, cosines.new_full((), MAP_THRESHOLD))
        on_map = margin_loss(answer, batch, self.settings, self.stride, done)
        return self._proposal_loss(output, batch) + weight * on_map

    def _proposal_loss(self, output: Proposals, batch: PairBatch) -> Tensor:
        p = self.settings.proposals
        anchors = self._anchors(batch)  # (A, 4)
        targets = assign(anchors, batch.box, batch.positive, p.high, p.low, self.variances)
        if p.loss == "ssd":
            return self.criterion(output, targets, p.weight)
        chance = sent(chances(batch.seeds, len(anchors)), targets.labels.device)  # (B, A)
        targets = targets._replace(labels=draw_anchors(targets.labels, chance))
        return self.criterion(output, targets, p.weight, p.smooth)

    def measures(self, output: Proposals, batch: PairBatch) -> dict[str, Tensor]:
        """IoU with the target of each pair's most probable proposal, whether it is above one half,
        and `fit`: the IoU of the proposal of the anchor nearest to the target in place and shape,
        however probable."""
        anchors = self._anchors(batch)  # (A, 4)
        overlap = self._overlap(output, anchors, output.scores.argmax(1), batch.box)  # (B,)
        nearest = overlaps(anchors, batch.box).argmax(1)  # (B,)
        fit = self._overlap(output, anchors, nearest, batch.box)  # (B,)
        return {"iou": overlap, "hits": (overlap > 0.5).float(), "fit": fit}

    def _anchors(self, batch: PairBatch) -> Tensor:
        """The anchors (A, 4) on the batch's device, taken there once: each copy would wait for the
        device.
        """
        self.anchors = self.anchors.to(batch.box.device)
        return self.anchors

    def _overlap(self, output: Proposals, anchors: Tensor, chosen: Tensor, boxes: Tensor) -> Tensor:
        """IoU (B,) with the boxes (B, 4) of one proposal of each pair, by its index (B,)."""
        offsets = output.offsets[torch.arange(len(chosen)), chosen]  # (B, 4)
        return overlaps(decode(offsets, anchors[chosen], self.variances), boxes).diagonal()

    def maps(self, output: Proposals) -> Tensor:
        """The highest score of each cell of the (first) map."""
        n = self.cells
        scores = output.scores[:, : self.per_cell * n * n]  # (B, k·n·n)
        return scores.reshape(len(scores), self.per_cell, n, n).amax(1)


def margin_loss(
    answer: CosineMap, batch: PairBatch, settings: TrainSettings, stride: float, done: float
) -> Tensor:
    """The recipe's margin loss () of a map of cosines (B, n, n), when the share `done` of the steps
    is over."""
    m = settings.margin
    labels = map_labels(answer.cosines, batch, settings, stride)  # (B, n, n)
    return MARGIN_LOSSES[m.loss](answer, labels, m.scale, margin_at(done, m.margin, m.ramp), m.arc)


def map_labels(maps: Tensor, batch: PairBatch, settings: TrainSettings, stride: float) -> Tensor:
    """Labels (B, n, n) of maps: targets, a ring that does not count, everything else."""
    ring = settings.margin.ring
    return pair_labels(
        batch.positive, maps.shape[-1], stride, settings.radius, target_place(batch), ring
    )


def new_network(settings: TrainSettings) -> nn.Module:
    """A fresh network of a recipe."""
    p, kind = settings.proposals, settings.network
    backbone = p.trunk if kind == "siamrpn++" else settings.backbone
    given = {"widths": settings.widths, "share": settings.share}
    given |= {"stride": settings.stride} if kind in MAPS else {"groups": p.groups}
    channels = (p.channels or 256) if kind == "siamrpn++" else p.channels
    about = {"network": kind, "backbone": backbone, "head": p.head, "channels": channels}
    return build(about | {n: v for n, v in given.items() if n in backbone_arguments(backbone)})


def make_task(settings: TrainSettings) -> Task:
    """The task of a recipe's network."""
    kinds = {"siamfc": SiamFCTask, "siammargin": MarginTask}
    return kinds.get(settings.network, ProposalTask)(settings)


def seeded(seed: int, make: Any) -> nn.Module:
    """What `make()` gives with the random generator set to `seed` and set back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def build_seeded(settings: TrainSettings, make: Callable[[], nn.Module]) -> nn.Module:
    """The network that `make()` gives, its first weights drawn from the recipe's seed.

    Raises SettingsError if torch cannot build it: channels that its groups do not divide, or no
    memory for its weights.
    """
    s = settings
    try:
        return seeded(s.seed, make)
    except SettingsError:
        raise
    except (ValueError, RuntimeError, ZeroDivisionError) as problem:
        raise SettingsError(
            f"network {s.network} cannot be built with backbone {s.backbone}, share {s.share}, "
            f"widths {s.widths}, "
            f"channels {s.proposals.channels}, groups {s.proposals.groups}: "
            f"{str(problem).splitlines()[0]}"
        ) from None


def begin_with(network: nn.Module, settings: TrainSettings) -> None:
    """Fill a network with the weights a recipe starts from: all of them, or those of the backbone
    if the head differs.

    Raises SettingsError if the backbones differ.
    """
    given = load_network(settings.start_from)
    if given.about == network.about:
        network.load_state_dict(given.state_dict())
        return
    if not all(hasattr(n, "backbone") for n in (network, given)):
        raise SettingsError(
            f"start_from {settings.start_from!r} is {given.about}; the recipe wants "
            f"{network.about}, whose parts it has not. "
            "Start from a network of the same kind, or from none."
        )
    wanted, there = network.backbone.state_dict(), given.backbone.state_dict()
    common = {
        name: t for name, t in there.items() if name in wanted and wanted[name].shape == t.shape
    }
    odd = [name for name in there if name not in common] + [
        name for name in wanted if name not in there and not name.startswith(("bn5", "guide"))
    ]
    if odd or (given.about["network"] == network.about["network"] and isinstance(network, SiamFC)):
        raise SettingsError(
            f"start_from {settings.start_from!r} is {given.about}; the recipe wants "
            f"{network.about}. Make stride, widths, "
            "groups, backbone and share equal."
        )
    network.backbone.load_state_dict(common, strict=False)


def target_place(batch: PairBatch) -> Tensor:
    """Where the targets' middles stand (B, 2), x and y pixels from the middle of the search
    image."""
    return batch.box[:, :2] + batch.box[:, 2:] / 2 - batch.search.shape[-1] / 2


def jittered(boxes: Tensor, seeds: Tensor, share: float) -> Tensor:
    """Boxes (B, 4) moved and resized at random, with a standard deviation of `share` of their
    size."""
    numbers = torch.stack(
        [torch.randn(4, generator=torch.Generator().manual_seed(int(s))) for s in seeds]
    )  # (B, 4)
    numbers = sent(numbers, boxes.device) * share
    size = boxes[:, 2:] * (1 + numbers[:, 2:]).clamp(0.3, 3)  # (B, 2)
    centre = boxes[:, :2] + boxes[:, 2:] / 2 + boxes[:, 2:] * numbers[:, :2]  # (B, 2)
    return torch.cat([centre - size / 2, size], 1)
