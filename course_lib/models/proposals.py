"""The output of a proposal network, its targets, and the loss between the two.

There are two complete losses: SiamRPN's (Li et al., 2018: 64 anchors drawn at random, at most 16 of
them positive) and SSD's (Liu et al., 2016: the three hardest negatives for each positive), which
the EPFL project used (A. Carlier, 2019).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from course_lib.geometry.anchors import SSD_VARIANCES, encode, match, overlaps
from course_lib.models.correlation import cosine_correlate


class Proposals(NamedTuple):
    """One proposal for each anchor.

    Attributes:
        logits: (B, A, 2), for "something else" and "the target".
        offsets: (B, A, 4) from the anchors, see `geometry.anchors.encode`.
        compared: for each correlation that the scores come from, the template features
            (B or 1, C, h, w) and the search features (B, C, H, W) they slid over; empty for a
            network without correlation.
    """

    logits: Tensor
    offsets: Tensor
    compared: tuple[tuple[Tensor, Tensor], ...] = ()

    def float(self) -> Proposals:
        """The same in single precision."""
        return self._replace(logits=self.logits.float(), offsets=self.offsets.float())

    @property
    def scores(self) -> Tensor:
        """Probability (B, A) of the target."""
        return self.logits.softmax(-1)[..., 1]

    def correlation_map(self) -> Tensor:
        """Cosines (B, n, n), in single precision, of the correlation that underlies the scores,
        averaged if there are several. Computed only when asked for, and only if the network
        `has_map`."""
        cosines = [cosine_correlate(z.float(), x.float()) for z, x in self.compared]
        return torch.stack(cosines).mean(0)  # (B, n, n)


class Targets(NamedTuple):
    """What the proposals for B pairs should be.

    Attributes:
        labels: (B, A) 1 for the target, 0 for something else, −1 for ignored.
        offsets: (B, A, 4) of the true box from every anchor; 0 where there is no true box.
    """

    labels: Tensor
    offsets: Tensor


def assign(
    anchors: Tensor,
    boxes: Tensor,
    positive: Tensor,
    high: float = 0.6,
    low: float = 0.3,
    variances: tuple[float, ...] = (1, 1, 1, 1),
    near: float = 28.0,
    any_size: bool = False,
) -> Targets:
    """Targets of B pairs.

    By the papers' rule an anchor is a positive if it overlaps the box well enough; so for a target
    1.3 times the anchors' size no anchor is, and none is ever trained to give this size. With
    `any_size` an anchor is compared with the box scaled to the anchor's area: place and shape
    decide which anchors answer, and each answers for all sizes.

    In a negative pair the box belongs to another object: only the anchors near its centre are
    negatives, the others are ignored (after pysot's code of DaSiamRPN, whose 7 × 7 cells lie up to
    a cell further right and down). A box without area counts as absent: every anchor of its pair is
    a negative, and none has an offset.

    Args:
        anchors: (A, 4) in search pixels.
        boxes: (B, 4) in search pixels.
        positive: (B,) whether the box belongs to the exemplar's object.
        high: IoU above which an anchor is a positive.
        low: IoU below which it is a negative; in between it is ignored.
        variances: offsets are divided by these, see `geometry.anchors.encode`.
        near: pixels from the box's centre within which anchors of a negative pair count.
        any_size: whether anchors are matched by place and shape alone.
    """
    there = (boxes[:, 2:] > 0).all(-1)  # (B,)
    compared = at_anchor_size(boxes, anchors) if any_size else boxes  # (B, [A,] 4)
    labels = match(overlaps(anchors, compared), high, low)  # (B, A)
    distance = (
        (boxes[:, None, :2] + boxes[:, None, 2:] / 2 - anchors[:, :2] - anchors[:, 2:] / 2)
        .abs()
        .amax(-1)
    )  # (B, A)
    around = torch.where(distance <= near, 0, -1)  # (B, A)
    labels = torch.where((there & ~positive)[:, None], around, labels)
    # where there is no box the anchor itself takes its place, so that the offset is 0
    safe = torch.where(there[:, None, None], boxes[:, None], anchors[None])  # (B, A, 4)
    return Targets(labels, encode(safe, anchors, variances))


def at_anchor_size(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Boxes (B, 4), each scaled about its centre to the area of each of the anchors (A, 4):
    (B, A, 4); a box without area stays without."""
    boxes = boxes[:, None]  # (B, 1, 4)
    area = boxes[..., 2:].clamp_min(0).prod(-1)  # (B, 1)
    factor = (anchors[:, 2:].prod(-1) / area.clamp_min(1e-6)).sqrt()[..., None]  # (B, A, 1)
    size = torch.where(area[..., None] > 0, boxes[..., 2:] * factor, 0.0)  # (B, A, 2)
    return torch.cat([boxes[..., :2] + boxes[..., 2:] / 2 - size / 2, size], -1)


def uniform_draws(seeds: Tensor, count: int) -> Tensor:
    """Uniform random numbers (B, count) in 0…1, each row from its own seed (B,): the same on every
    device and in every process."""
    rows = [torch.rand(count, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds]
    return torch.stack(rows)


def draw_anchors(labels: Tensor, draws: Tensor, positives: int = 16, total: int = 64) -> Tensor:
    """Labels (B, A) after drawing a limited number of anchors per pair at random; all others become
    −1 (Li et al., 2018: 64 anchors, at most 16 of them positive).

    Args:
        labels: (B, A) 1, 0 or −1.
        draws: (B, A) uniform random numbers in 0…1; the anchors with the highest are kept.
        positives: at most so many 1s per pair.
        total: at most `total` − `positives` 0s per pair, even if there are fewer 1s.
    """
    kept = torch.full_like(labels, -1)  # (B, A)
    for label, most in ((1, positives), (0, total - positives)):
        # taking the highest of uniform numbers draws without replacement, for all pairs at once
        # and without asking the device how many anchors have this label
        value = torch.where(labels == label, draws, -1.0)  # (B, A)
        best, index = value.topk(min(most, labels.shape[1]), dim=1)  # (B, most) each
        # where fewer anchors have the label than are drawn, topk fills up with others, of value −1:
        # these keep the label of the previous round
        chosen = torch.where(best >= 0, label, kept.gather(1, index))  # (B, most)
        kept = kept.scatter(1, index, chosen)  # (B, A)
    return kept


def hardest_negatives(
    losses: Tensor, labels: Tensor, ratio: float = 3.0, least: int = 10
) -> Tensor:
    """Labels (B, A) that keep only the 0s with the largest losses; the other 0s become −1 (SSD's
    hard negative mining, Liu et al., 2016).

    Args:
        losses: (B, A) of the scores.
        labels: (B, A) 1, 0 or −1.
        ratio: 0s kept for each 1 of the pair.
        least: 0s kept per pair in any case.
    """
    negative = labels == 0  # (B, A)
    count = (ratio * (labels == 1).sum(1)).clamp_min(least)  # (B,)
    order = torch.where(negative, losses, -torch.inf).argsort(dim=1, descending=True)  # (B, A)
    rank = order.argsort(dim=1)  # (B, A): 0 for the largest loss
    return torch.where(negative & (rank >= count[:, None]), -1, labels)


def mean_over(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of each pair's chosen values (B, A), then mean over the pairs; a pair with none counts
    as 0.

    Averaged pair by pair, so that several processes sharing a batch compute the same loss as one.
    """
    return (torch.where(chosen, values, 0.0).sum(1) / chosen.sum(1).clamp_min(1)).mean()


def box_loss(offsets: Tensor, targets: Targets, smooth: bool = True, giou: bool = False) -> Tensor:
    """Loss () of offsets: that of the four offsets of a positive anchor, averaged over the positive
    anchors (Li et al., 2018).

    Args:
        offsets: (B, A, 4) proposed.
        targets: what they should be.
        smooth: True for smooth L1, as in the paper (½d² below 1, |d| − ½ above); False for |d|, as
            in its public re-implementations; summed over the four offsets.
        giou: 1 − GIoU of the two boxes instead, see `giou_cost`.
    """
    if giou:
        return mean_over(giou_cost(offsets, targets.offsets), targets.labels == 1)
    difference = offsets - targets.offsets  # (B, A, 4)
    cost = (
        F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none")
        if smooth
        else difference.abs()
    )
    return mean_over(cost.sum(-1), targets.labels == 1)


def giou_cost(offsets: Tensor, wanted: Tensor) -> Tensor:
    """1 − GIoU (…,) of two boxes given by their offsets (…, 4) from one anchor, variances 1
    (generalised IoU: Rezatofighi et al., 2019; 0 for equal boxes, up to 2).

    The anchor's own place and size do not matter: a common shift and common factors on x and y
    leave every ratio of areas as it is.
    """
    return generalized_box_iou_loss(_corners(offsets), _corners(wanted), eps=1e-7)


def _corners(offsets: Tensor) -> Tensor:
    """Corners (…, 4) of the boxes with these offsets (…, 4) from an anchor of side 1 at 0."""
    # a size of e⁴ anchors is beyond any search image, and infinity has no gradient
    half = offsets[..., 2:].clamp(-4, 4).exp() / 2  # (…, 2)
    return torch.cat([offsets[..., :2] - half, offsets[..., :2] + half], -1)


def siamrpn_loss(
    proposals: Proposals,
    targets: Targets,
    weight: float = 1.2,
    smooth: bool = True,
    giou: bool = False,
) -> Tensor:
    """SiamRPN's loss () over the anchors drawn by `draw_anchors`: cross-entropy, half of it from
    positives and half from negatives, and the box loss (Li et al., 2018; weight 1.2 as in pysot).

    Args:
        proposals: for A anchors.
        targets: of the same anchors.
        weight: of the box loss.
        smooth: see `box_loss`.
        giou: see `box_loss`.
    """
    losses = _cross_entropy(proposals.logits, targets.labels)  # (B, A)
    classes = 0.5 * mean_over(losses, targets.labels == 1) + 0.5 * mean_over(
        losses, targets.labels == 0
    )
    return classes + weight * box_loss(proposals.offsets, targets, smooth, giou)


def ssd_loss(
    proposals: Proposals, targets: Targets, alpha: float = 1.5, negative_weight: float = 1 / 3
) -> Tensor:
    """The EPFL project's loss (): L_conf + α · L_loc, with three hard negatives for each positive.

    It follows the project's public code (A. Carlier, 2019), which departs from the formula on its
    slides, (L_conf + α · L_loc) / N with sums in both terms, in four respects. A negative weighs a
    third, so that three weigh as much as their positive. At least ten count, so that a pair
    without a positive is learned from too. Both terms are means, the box loss one over the four
    offsets as well: hence the division by 4. And the offsets are divided by SSD's variances (Liu
    et al., 2016), since smooth L1 is nearly flat for offsets as small as those of positives. The
    code takes its means over the batch, this function pair by pair, see `mean_over`.

    Args:
        proposals: for A anchors.
        targets: of the same anchors, encoded with `SSD_VARIANCES`.
        alpha: α.
        negative_weight: of a negative against a positive.
    """
    losses = _cross_entropy(proposals.logits, targets.labels)  # (B, A)
    labels = hardest_negatives(losses.detach(), targets.labels)  # (B, A)
    weights = torch.where(labels == 1, 1.0, negative_weight) * (labels >= 0)  # (B, A)
    classes = ((weights * losses).sum(1) / weights.sum(1).clamp_min(1)).mean()
    return classes + alpha * box_loss(proposals.offsets, targets) / 4


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """−log probability (B, A) of each anchor's label; ignored anchors are treated as label 0."""
    # (B·A,)
    flat = F.cross_entropy(logits.flatten(0, 1), labels.clamp_min(0).flatten(), reduction="none")
    return flat.reshape(labels.shape)


LOSSES = {"siamrpn": ((1, 1, 1, 1), siamrpn_loss), "ssd": (SSD_VARIANCES, ssd_loss)}
