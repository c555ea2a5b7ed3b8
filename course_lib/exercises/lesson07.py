"""Checks of lesson 07: default boxes, anchors, offsets, matching, class balance, the loss,
up-channel correlation."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.exercises.compare import as_array, as_number, require_close, require_untouched, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import anchors
from course_lib.models import correlation, proposals


@check("anchors.default_boxes", reference=anchors.default_box_sizes)
def examine_default_boxes(answer, reference, rng) -> None:
    """SSD's default boxes."""
    ratios = (1, 2, 3, 1 / 2, 1 / 3)
    for s, after in ((60.0, 85.0), (0.2, 0.34)):
        given = as_array(answer(s, after, ratios), (6, 2), "the six sizes")
        expected = reference(s, after, ratios)
        lecture = np.stack([s * np.sqrt(ratios), s / np.asarray(ratios)], 1)
        if same(given[:5], lecture):
            raise Wrong(
                f"your box of ratio 2 has the area {given[1].prod():.4g}, expected {s * s:.4g}: "
                "the height is s / √a. "
                "(The lecture prints s / a; compute the area and you see that it cannot be.)"
            )
        if same(given[:, ::-1], expected):
            raise Wrong(
                "width and height have changed places: a ratio of 2 means twice as wide as high"
            )
        if same(given[:5], expected[:5]) and not same(given[5], expected[5]):
            raise Wrong(
                f"your extra square has the sides {given[5].tolist()}; expected √(s · s') = "
                f"{expected[5, 0]:.4g}, between two maps"
            )
        areas = given[:5].prod(1)
        if not np.allclose(areas, s * s, rtol=1e-4):
            raise Wrong(
                f"the areas of your five boxes are {np.round(areas, 4).tolist()}; all should be s² "
                f"= {s * s:.4g}"
            )
        require_close(
            given,
            expected,
            "the sizes",
            hint="the order is that of the ratios, the extra square last",
        )


@check("anchors.siamrpn", reference=anchors.siamrpn_anchor_sizes)
def examine_anchor_sizes(answer, reference, rng) -> None:
    """SiamRPN's anchors, exact."""
    ratios = (0.33, 0.5, 1.0, 2.0, 3.0)
    given, expected = as_array(answer(ratios), (5, 2), "the five sizes"), reference(ratios)
    if same(given, expected[:, ::-1], 1e-3):
        raise Wrong(
            "here the ratio is height over width: r = 3 is a tall box. (SSD's a is the other way "
            "round.)"
        )
    if same(given, expected / 8, 1e-3):
        raise Wrong(
            f"your square has a side of {given[2, 0]:g}; the area is that of 64 × 64 pixels"
        )
    if same(given, reference(ratios, truncated=True), 1e-3):
        raise Wrong(
            "your sizes are cut to whole numbers as in the public code; keep them exact: all areas "
            "64 · 64"
        )
    areas = given.prod(1)
    if not np.allclose(areas, 4096, rtol=1e-3):
        raise Wrong(
            f"your areas are {np.round(areas).astype(int).tolist()}; expected 4096 for every ratio"
        )
    require_close(given, expected, "the sizes", tolerance=1e-4)


def _boxes(rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """n boxes and n anchors (n, 4)."""
    make = lambda: np.concatenate([rng.uniform(0, 150, (n, 2)), rng.uniform(20, 120, (n, 2))], 1)  # noqa: E731
    return make(), make()


@check("anchors.encode", reference=anchors.encode)
def examine_encode(answer, reference, rng) -> None:
    """Offsets of boxes from anchors."""
    boxes, at = _boxes(rng, 6)
    kept = boxes.copy(), at.copy()
    given = as_array(answer(boxes, at), (6, 4), "the offsets")
    for before, after in zip(kept, (boxes, at), strict=True):
        require_untouched(before, after, "the boxes")
    expected = reference(boxes, at)
    corner = np.concatenate([(boxes[:, :2] - at[:, :2]) / at[:, 2:], expected[:, 2:]], 1)
    if same(given, corner):
        raise Wrong("your dx, dy lead from corner to corner; they lead from centre to centre")
    if same(given[:, :2], expected[:, :2] * at[:, 2:]):
        raise Wrong("your dx, dy are in pixels; divide by the anchor's width and height")
    if same(given[:, 2:], boxes[:, 2:] / at[:, 2:]):
        raise Wrong(
            "the logarithm of the two size ratios is missing: without it a network could answer "
            "with a negative width"
        )
    if same(given, -expected):
        raise Wrong("your offsets lead from the box to the anchor; turn them round")
    if same(given, reference(at, boxes)):
        raise Wrong(
            "box and anchor have changed places: offsets are measured in sizes of the anchor"
        )
    require_close(given, expected, "the offsets")


@check("anchors.decode", reference=anchors.decode)
def examine_decode(answer, reference, rng) -> None:
    """Boxes from offsets."""
    boxes, at = _boxes(rng, 6)
    offsets = anchors.encode(boxes, at)
    given = as_array(answer(offsets.copy(), at.copy()), (6, 4), "the boxes")
    centres = np.concatenate([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]], 1)
    if same(given, centres):
        raise Wrong("you return the centre where the corner belongs: x = cx − w / 2")
    if same(given[:, 2:], at[:, 2:] * (1 + offsets[:, 2:])) or same(
        given[:, 2:], at[:, 2:] * offsets[:, 2:]
    ):
        raise Wrong("dw and dh are logarithms: the sizes are the anchor's times exp of them")
    if same(given[:, 2:], boxes[:, 2:]) and not same(given, boxes):
        raise Wrong(
            f"your sizes are right, the places not: box 0 is at ({given[0, 0]:.1f}, "
            f"{given[0, 1]:.1f}), expected "
            f"({boxes[0, 0]:.1f}, {boxes[0, 1]:.1f}). Centre first, in sizes of the anchor, then "
            "the corner with the new size"
        )
    require_close(given, boxes, "the boxes", hint="decode(encode(box)) must be the box")


@check("anchors.match", reference=anchors.match)
def examine_match(answer, reference, rng) -> None:
    """Labels from overlaps."""
    overlap = torch.tensor(
        [[0.05, 0.29, 0.3, 0.45, 0.6, 0.61, 0.95], [0.0, 0.2, 0.31, 0.59, 0.6, 0.3, 0.1]]
    )
    for high, low in ((0.6, 0.3), (0.5, 0.25)):
        given = as_array(answer(overlap.clone(), high, low), (2, 7), "the labels")
        expected = reference(overlap, high, low).numpy()
        if set(np.unique(given)) <= {0.0, 1.0}:
            raise Wrong(
                f"your labels are only 0 and 1; between {low} and {high} an anchor is neither: −1, "
                "it does not count"
            )
        if same(given, np.where(overlap.numpy() > high, 1, np.where(overlap.numpy() < low, -1, 0))):
            raise Wrong(
                "0 is for what is not the target, −1 for what does not count; yours are the other "
                "way round"
            )
        if not same(given, expected):
            k = tuple(np.argwhere(given != expected)[0])
            raise Wrong(
                f"an anchor with IoU {float(overlap[k]):.2f} gets {given[k]:g}, expected "
                f"{expected[k]}: 1 above {high}, 0 below "
                f"{low}, −1 from {low} to {high}, both ends included"
            )


@check("anchors.draw", reference=proposals.draw_anchors)
def examine_draw(answer, reference, rng) -> None:
    """16 of 64."""
    labels = torch.full((3, 300), -1)
    labels[0, :40], labels[0, 60:] = 1, 0
    labels[1, :5], labels[1, 100:130] = 1, 0
    labels[2, 50:] = 0
    chance = torch.from_numpy(rng.random((3, 300))).float()
    kept = labels.clone()
    given = as_array(answer(labels, chance.clone()), (3, 300), "the labels")
    require_untouched(kept.numpy(), labels.numpy(), "the labels")
    expected = reference(kept, chance).numpy()
    if ((given != kept.numpy()) & (given != -1)).any():
        raise Wrong("an anchor changed its side: a label is kept or becomes −1, nothing else")
    for b in range(3):
        ones, zeros = int((given[b] == 1).sum()), int((given[b] == 0).sum())
        right = int((expected[b] == 1).sum()), int((expected[b] == 0).sum())
        if (ones, zeros) != right:
            has = int((kept[b] == 1).sum()), int((kept[b] == 0).sum())
            more = "" if b else ". If all are kept, nothing is balanced"
            if zeros == min(64 - ones, has[1]) != right[1]:
                more = (
                    ". Negatives have their own limit, 48: where positives are few they are not "
                    "filled up"
                )
            raise Wrong(
                f"of {has[0]} positives and {has[1]} negatives you keep {ones} and {zeros}, "
                f"expected {right[0]} and {right[1]}{more}"
            )
    if not same(given, expected):
        first = as_array(answer(kept.clone(), chance.flip(1)), (3, 300), "the labels")
        if same(first, given):
            raise Wrong(
                "you always keep the same ones, whatever `chance` says: keep those with the "
                "highest numbers in `chance`"
            )
        raise Wrong(
            "the number is right, the choice is not: keep the anchors with the highest numbers in "
            "`chance`"
        )


@check("anchors.mine", reference=proposals.hardest_negatives)
def examine_mine(answer, reference, rng) -> None:
    """Three hard negatives for each positive."""
    labels = torch.from_numpy(rng.choice([-1, 0, 0, 0, 0, 0, 0, 0, 0, 1], (2, 200)))
    labels[1] = torch.where(labels[1] == 1, 0, labels[1])  # a picture without positives
    losses = torch.from_numpy(rng.random((2, 200))).float()
    losses[labels == -1] += 5  # what does not count may have large losses
    given = as_array(answer(losses.clone(), labels.clone()), (2, 200), "the labels")
    expected = reference(losses, labels).numpy()
    before = labels.numpy()
    if (given[before == 1] != 1).any():
        raise Wrong("a positive was dropped: all of them are kept")
    if (given[before == -1] != -1).any():
        raise Wrong(
            "an anchor that does not count (−1) became a negative: only 0s can be chosen, however "
            "large their loss"
        )
    zeros, right = (given == 0).sum(1), (expected == 0).sum(1)
    if zeros[1] == 0:
        raise Wrong(
            "a picture without positives keeps no negative at all, and teaches nothing: keep at "
            "least 10"
        )
    if (zeros != right).any():
        raise Wrong(
            f"you keep {zeros.tolist()} negatives for {[int((row == 1).sum()) for row in before]} "
            "positives; expected "
            f"{right.tolist()}: three for each, at least 10"
        )
    low = reference(-losses, labels).numpy()
    if same(given, low):
        raise Wrong(
            "you keep the easiest negatives, those with the smallest loss; the hardest teach most"
        )
    if not same(given, expected):
        raise Wrong(
            "the number is right, the choice is not: keep the negatives with the largest loss of "
            "each picture"
        )


def loss_of(logits, offsets, labels, targets, weight: float = 1.2):
    """SiamRPN's loss () of logits (B, A, 2) and offsets (B, A, 4), as the course computes it."""
    return proposals.siamrpn_loss(
        proposals.Proposals(logits, offsets), proposals.Targets(labels, targets), weight
    )


@check("anchors.loss", reference=loss_of)
def examine_loss(answer, reference, rng) -> None:
    """Cross-entropy and smooth L1 together."""
    make = lambda *shape: torch.from_numpy(rng.normal(0, 1.5, shape)).float()  # noqa: E731
    labels = torch.full((1, 40), -1)
    labels[0, :4], labels[0, 10:22] = 1, 0
    logits, offsets, targets = make(1, 40, 2).requires_grad_(), make(1, 40, 4), make(1, 40, 4)
    given = answer(logits, offsets, labels, targets, 1.2)
    if not isinstance(given, torch.Tensor) or given.ndim:
        raise Wrong(
            "the loss should be one number, a tensor of shape (), that can be differentiated"
        )
    if not given.requires_grad:
        raise Wrong(
            "your loss has lost its gradient: compute it with torch, without .item(), .numpy() or "
            ".detach()"
        )
    value, expected = (
        as_number(given, "the loss"),
        float(reference(logits, offsets, labels, targets).detach()),
    )
    each = F.cross_entropy(logits[0], labels[0].clamp_min(0), reduction="none").detach()
    positive, negative = each[labels[0] == 1].mean(), each[labels[0] == 0].mean()
    d = (offsets - targets)[0].abs()
    smooth = torch.where(d < 1, d**2 / 2, d - 0.5)
    boxes = smooth[labels[0] == 1].sum(1).mean()
    wrong = {
        "the anchors labelled −1 count in your loss: leave them out": 0.5 * positive
        + 0.5 * each[labels[0] != 1].mean()
        + 1.2 * boxes,
        "12 negatives outweigh 4 positives in your cross-entropy: average each side by itself, "
        "half each": each[labels[0] >= 0].mean() + 1.2 * boxes,
        "your box loss counts every anchor; only positives have a box to find": 0.5 * positive
        + 0.5 * negative
        + 1.2 * smooth.sum(1).mean(),
        "your box loss is |d| everywhere; smooth L1 is d²/2 below 1": 0.5 * positive
        + 0.5 * negative
        + 1.2 * d[labels[0] == 1].sum(1).mean(),
        "sum your box loss over the four offsets, average over the positives": 0.5 * positive
        + 0.5 * negative
        + 1.2 * smooth[labels[0] == 1].mean(),
        "the weight of the box loss is missing": 0.5 * positive + 0.5 * negative + boxes,
        "each side of the cross-entropy counts half": positive + negative + 1.2 * boxes,
    }
    for words, other in wrong.items():
        if same(value, float(other), 1e-4) and not same(value, expected, 1e-4):
            raise Wrong(words)
    require_close(value, expected, "the loss", tolerance=1e-4)
    nothing = torch.zeros_like(labels)
    empty = as_number(
        answer(logits.detach(), offsets, nothing, targets, 1.2),
        "the loss of a pair without positives",
    )
    require_close(
        empty,
        float(reference(logits.detach(), offsets, nothing, targets)),
        "the loss of a pair without positives",
        tolerance=1e-4,
    )


@check("anchors.upchannel", reference=correlation.cross_correlate_channels)
def examine_upchannel(answer, reference, rng) -> None:
    """Up-channel cross-correlation of a batch."""
    B, n, C = 3, 2, 4
    kernels = torch.from_numpy(rng.normal(size=(B, n, C, 3, 3))).float()
    x = torch.from_numpy(rng.normal(size=(B, C, 8, 7))).float()
    given = answer(kernels.clone(), x.clone())
    if not isinstance(given, torch.Tensor):
        raise Wrong(f"the maps should be a tensor; yours is of type {type(given).__name__}")
    if tuple(given.shape) == (1, B * n, 6, 5):
        raise Wrong(
            f"your maps have shape {tuple(given.shape)}: right in number; reshape them to ({B}, "
            f"{n}, 6, 5)"
        )
    if tuple(given.shape) == (B, B * n, 6, 5):
        raise Wrong(
            "every exemplar's kernels slid over every search image: with groups=B each keeps to "
            "its own"
        )
    result, expected = as_array(given, (B, n, 6, 5), "the maps"), reference(kernels, x)
    if same(result, reference(kernels[:1].expand(B, -1, -1, -1, -1).clone(), x), 1e-4):
        raise Wrong("the first exemplar's kernels slid over every search image; each has its own")
    if same(result, reference(kernels.flip(3, 4), x), 1e-4):
        raise Wrong("your kernels are turned upside down: F.conv2d already correlates")
    mixed = F.conv2d(
        x.reshape(1, B * C, 8, 7), kernels.transpose(0, 1).reshape(B * n, C, 3, 3), groups=B
    )[0]
    if same(result, mixed.reshape(B, n, 6, 5), 1e-4):
        raise Wrong(
            "your kernels are sorted by map, not by pair: flatten (B, n) in that order, so that a "
            "group holds one pair's"
        )
    require_close(result, expected, "the maps", tolerance=1e-4)
