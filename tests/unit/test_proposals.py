"""Targets, sampling, mining and losses of proposals, against tables and sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import generalized_box_iou

from course_lib.geometry.anchors import (
    SSD_VARIANCES,
    decode,
    encode,
    place_anchors,
    siamrpn_anchor_sizes,
)
from course_lib.models.proposals import (
    LOSSES,
    Proposals,
    Targets,
    assign,
    box_loss,
    draw_anchors,
    giou_cost,
    hardest_negatives,
    mean_over,
    siamrpn_loss,
    ssd_loss,
    uniform_draws,
)

ANCHORS = torch.from_numpy(
    place_anchors(siamrpn_anchor_sizes(), 17, 8, 127.5).reshape(-1, 4)
).float()
BOX = torch.tensor([[95.5, 95.5, 64.0, 64.0]])  # exactly the square anchor of the central cell
YES, NO = torch.tensor([True]), torch.tensor([False])


def some_proposals(batch: int = 2, seed: int = 0) -> Proposals:
    rng = torch.Generator().manual_seed(seed)
    return Proposals(
        torch.randn(batch, 1445, 2, generator=rng), torch.randn(batch, 1445, 4, generator=rng)
    )


def test_the_anchor_on_the_box_is_a_positive_without_offset():
    targets = assign(ANCHORS, BOX, YES)
    centre = 2 * 289 + 8 * 17 + 8  # third ratio, row 8, column 8
    assert targets.labels[0, centre] == 1 and torch.allclose(
        targets.offsets[0, centre], torch.zeros(4), atol=1e-6
    )
    assert targets.labels[0, 0] == 0 and -1 in targets.labels
    assert torch.allclose(targets.offsets[0], encode(BOX, ANCHORS), atol=1e-6)


def test_in_a_negative_pair_only_anchors_near_the_other_object_are_negatives():
    labels = assign(ANCHORS, BOX, NO).labels.reshape(5, 17, 17)
    expected = torch.full((17, 17), -1)
    expected[5:12, 5:12] = 0  # 7 × 7 cells
    assert (labels == expected).all()


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.3, 2.0])
def test_of_any_size_place_and_shape_decide_and_the_offsets_are_true(factor):
    size = torch.tensor([40.0, 90.0])
    area = float(size.prod())
    centre = torch.tensor([[120.0, 131.0]])
    box = torch.cat([centre - size * factor / 2, (size * factor)[None]], 1)
    like_an_anchor = size * 64 / math.sqrt(area)
    same = torch.cat([centre - like_an_anchor / 2, like_an_anchor[None]], 1)
    targets = assign(ANCHORS, box, YES, any_size=True)
    assert torch.equal(targets.labels, assign(ANCHORS, same, YES).labels)
    assert (targets.labels == 1).sum() > 3
    torch.testing.assert_close(targets.offsets[0], encode(box, ANCHORS))
    if factor in (0.5, 2.0):  # where the papers' rule asks nobody
        assert (assign(ANCHORS, box, YES).labels == 1).sum() == 0


def test_of_any_size_anchors_of_every_size_answer():
    centres = torch.tensor([[120.0, 131.0]]).repeat(3, 1)
    sides = torch.tensor([[48.0], [64.0], [85.0]]).expand(3, 2)
    anchors = torch.cat([centres - sides / 2, sides], 1)  # squares at one place
    box = torch.tensor([[100.0, 111.0, 40.0, 40.0]])
    assert assign(anchors, box, YES).labels.tolist() == [[1, -1, 0]]
    assert assign(anchors, box, YES, any_size=True).labels.tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("any_size", [False, True])
@pytest.mark.parametrize("size", [(0.0, 64.0), (64.0, 0.0), (-3.0, 5.0)])
def test_a_degenerate_box_gives_negatives_and_no_nan(size, any_size):
    box = torch.tensor([[95.5, 95.5, *size]])
    targets = assign(ANCHORS, box, YES, any_size=any_size)
    assert (targets.labels == 0).all() and torch.isfinite(targets.offsets).all()
    assert (assign(ANCHORS, box, NO).labels == 0).all()
    for name, (variances, criterion) in LOSSES.items():
        proposals = Proposals(*(t[:1].requires_grad_() for t in some_proposals()[:2]))
        loss = criterion(proposals, assign(ANCHORS, box, YES, variances=variances))
        loss.backward()
        assert math.isfinite(loss), name
        assert (
            torch.isfinite(proposals.logits.grad).all()
            and torch.isfinite(proposals.offsets.grad).all()
        )


def test_at_most_sixteen_positives_and_forty_eight_negatives_are_drawn():
    labels = torch.full((3, 200), -1)
    labels[0, :40], labels[0, 40:] = 1, 0
    labels[1, :5], labels[1, 5:25] = 1, 0
    drawn = draw_anchors(labels, uniform_draws(torch.tensor([1, 2, 3]), 200))
    assert (drawn == 1).sum(1).tolist() == [16, 5, 0] and (drawn == 0).sum(1).tolist() == [
        48,
        20,
        0,
    ]
    assert ((drawn == labels) | (drawn == -1)).all()


def test_the_draw_is_a_function_of_the_seed_and_fair():
    labels = torch.ones(1, 64, dtype=torch.int64)
    again = [draw_anchors(labels, uniform_draws(torch.tensor([7]), 64)) for _ in range(2)]
    assert torch.equal(*again)
    count = sum(
        (draw_anchors(labels, uniform_draws(torch.tensor([s]), 64)) == 1).float()[0]
        for s in range(400)
    )
    assert (
        count.sum() == 400 * 16 and count.min() > 70 and count.max() < 135
    )  # 100 each, on average


def test_the_three_hardest_negatives_for_each_positive_are_kept():
    labels = torch.tensor([[1, 0, 0, 0, 0, 0, -1], [0, 0, 0, 0, 0, 0, -1]])
    losses = torch.tensor(
        [[9.0, 0.1, 0.5, 0.3, 0.9, 0.2, 8.0], [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 8.0]]
    )
    kept = hardest_negatives(losses, labels, ratio=3, least=2)
    assert kept.tolist() == [[1, -1, 0, 0, 0, -1, -1], [0, 0, -1, -1, -1, -1, -1]]
    assert (hardest_negatives(losses, labels, least=10) == labels).all()


def test_a_mean_over_nothing_is_zero():
    values, chosen = (
        torch.tensor([[1.0, 3.0], [5.0, 7.0]]),
        torch.tensor([[True, True], [False, False]]),
    )
    assert mean_over(values, chosen) == 1.0  # (2 + 0) / 2


def test_the_box_loss_by_hand():
    """Offsets wrong by 0.5, 2, 0 and −3: smooth L1 0.125 + 1.5 + 0 + 2.5, L1 5.5; an anchor that is
    no positive is free."""
    targets = Targets(torch.tensor([[1, 0]]), torch.zeros(1, 2, 4))
    offsets = torch.tensor([[[0.5, 2.0, 0.0, -3.0], [9.0, 9.0, 9.0, 9.0]]])
    assert box_loss(offsets, targets) == pytest.approx(4.125)
    assert box_loss(offsets, targets, smooth=False) == pytest.approx(5.5)


def test_giou_is_that_of_the_boxes_in_the_image():
    """Decoded for anchors of any place and shape, and by hand for two that do not touch: (0, 0, 1, 1)
    and (2, 0, 1, 1) in a hull of 3 have 0 − (3 − 2) / 3."""
    anchors = ANCHORS[:40]
    rng = torch.Generator().manual_seed(3)
    found, wanted = (0.4 * torch.randn(1, 40, 4, generator=rng) for _ in range(2))
    cost = giou_cost(found, wanted)[0]
    pairs = (decode(t[0].numpy(), anchors.numpy()) for t in (found, wanted))
    a, b = (torch.as_tensor(np.concatenate([t[:, :2], t[:, :2] + t[:, 2:]], 1)) for t in pairs)
    expected = 1 - generalized_box_iou(a.double(), b.double()).diagonal()
    torch.testing.assert_close(cost.double(), expected, atol=1e-5, rtol=0)
    apart = torch.tensor([[0.0, 0, 0, 0], [2.0, 0, 0, 0]])
    assert float(giou_cost(apart[0], apart[1])) == pytest.approx(4 / 3, abs=1e-6)
    huge = torch.full((1, 4), 200.0, requires_grad=True)
    giou_cost(huge, torch.zeros(1, 4)).sum().backward()
    assert torch.isfinite(huge.grad).all()


def test_giou_can_take_the_place_of_the_box_loss():
    proposals, targets = some_proposals(1), assign(ANCHORS, BOX, YES)
    positive = targets.labels[0] == 1
    boxes = giou_cost(proposals.offsets[0], targets.offsets[0])[positive].mean()
    plain = siamrpn_loss(proposals, targets, weight=0.0)
    found = siamrpn_loss(proposals, targets, weight=2.0, giou=True)
    assert float(found) == pytest.approx(float(plain + 2 * boxes), rel=1e-5)


def test_siamrpns_loss_is_the_sum_of_its_terms():
    proposals, targets = some_proposals(1), assign(ANCHORS, BOX, YES)
    log = F.log_softmax(proposals.logits[0].double(), -1).numpy()
    labels = targets.labels[0].numpy()
    classes = -0.5 * log[labels == 1, 1].mean() - 0.5 * log[labels == 0, 0].mean()
    d = np.abs((proposals.offsets[0] - targets.offsets[0]).double().numpy()[labels == 1])
    smooth = np.where(d < 1, d**2 / 2, d - 0.5).sum(1).mean()
    assert float(siamrpn_loss(proposals, targets)) == pytest.approx(
        classes + 1.2 * smooth, rel=1e-5
    )
    assert float(siamrpn_loss(proposals, targets, weight=2.0, smooth=False)) == pytest.approx(
        classes + 2 * d.sum(1).mean(), rel=1e-5
    )


def test_the_epfl_loss_is_the_sum_of_its_terms():
    proposals, targets = some_proposals(1), assign(ANCHORS, BOX, YES, 0.5, 0.25, SSD_VARIANCES)
    log = F.log_softmax(proposals.logits[0].double(), -1).numpy()
    labels = targets.labels[0].numpy()
    n = (labels == 1).sum()
    hardest = np.sort(-log[labels == 0, 0])[::-1][: max(3 * n, 10)]
    weights = n + len(hardest) / 3
    classes = (-log[labels == 1, 1].sum() + hardest.sum() / 3) / weights
    d = np.abs((proposals.offsets[0] - targets.offsets[0]).double().numpy()[labels == 1])
    smooth = np.where(d < 1, d**2 / 2, d - 0.5).mean()
    assert float(ssd_loss(proposals, targets)) == pytest.approx(classes + 1.5 * smooth, rel=1e-5)


def test_two_processes_compute_the_loss_of_one():
    proposals = some_proposals(2)
    boxes, positive = (
        torch.cat([BOX, BOX + torch.tensor([9.0, 0, 20, -9])]),
        torch.tensor([True, False]),
    )
    targets = assign(ANCHORS, boxes, positive)
    whole = siamrpn_loss(proposals, targets)
    halves = [
        siamrpn_loss(
            Proposals(*(t[k : k + 1] for t in proposals[:2])),
            Targets(*(t[k : k + 1] for t in targets)),
        )
        for k in (0, 1)
    ]
    assert float(whole) == pytest.approx(float(sum(halves)) / 2, rel=1e-6)


def test_scores_are_the_probability_of_the_target():
    proposals = Proposals(torch.tensor([[[0.0, math.log(3)]]]), torch.zeros(1, 1, 4))
    assert proposals.scores.tolist() == [[pytest.approx(0.75)]]
