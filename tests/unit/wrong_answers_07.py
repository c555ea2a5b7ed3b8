"""Answers to the exercises of lesson 07 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F


def boxes_of(w, h, square=lambda s, t: np.sqrt(s * t)):
    """Default boxes from a rule for width and one for height."""

    def run(s, t, ratios):
        a = np.asarray(ratios, dtype=float)
        return np.concatenate([np.stack([w(s, a), h(s, a)], 1), [[square(s, t)] * 2]])

    return run


def sizes_of(w, h):
    """Anchor sizes from rules for width and height."""
    return lambda ratios: np.stack([w(np.asarray(ratios)), h(np.asarray(ratios))], 1)


def encoded(centre=True, divide=True, log=True, sign=1):
    """Offsets with parts left out."""

    def run(b, a):
        half = 0.5 if centre else 0.0
        d = b[:, :2] + half * b[:, 2:] - a[:, :2] - half * a[:, 2:]
        d = d / a[:, 2:] if divide else d
        s = np.log(b[:, 2:] / a[:, 2:]) if log else b[:, 2:] / a[:, 2:]
        return sign * np.concatenate([d, s], 1)

    return run


def decoded(corner=True, exp=np.exp, half=True):
    """Boxes with a step left out."""

    def run(o, a):
        size = a[:, 2:] * exp(o[:, 2:])
        centre = a[:, :2] + (a[:, 2:] / 2 if half else 0) + o[:, :2] * a[:, 2:]
        return np.concatenate([centre - size / 2 if corner else centre, size], 1)

    return run


def labels_of(rule):
    """Labels (B, A) from IoU and thresholds."""
    return lambda overlap, high, low: torch.as_tensor(np.asarray(rule(overlap.numpy(), high, low)))


def drawn(positives=16, negatives=48, use=lambda c: c, fill=False):
    """A draw with other limits."""

    def run(labels, chance):
        kept = torch.full_like(labels, -1)
        for b in range(len(labels)):
            order = use(chance[b]).argsort(descending=True)
            ones = [int(k) for k in order if labels[b, k] == 1][:positives]
            limit = 64 - len(ones) if fill else negatives
            zeros = [int(k) for k in order if labels[b, k] == 0][:limit]
            kept[b, ones], kept[b, zeros] = 1, 0
        return kept

    return run


def mined(sign=1, ratio=3, least=10, ignored=False):
    """Mining with something wrong."""

    def run(losses, labels):
        out = labels.clone()
        for b in range(len(labels)):
            zeros = labels[b] <= 0 if ignored else labels[b] == 0
            where = torch.where(zeros)[0]
            order = where[(sign * losses[b, where]).argsort(descending=True)]
            n = max(ratio * int((labels[b] == 1).sum()), least)
            out[b, order[:n]], out[b, order[n:]] = 0, -1
        return out

    return run


def loss(classes="half", over="positive", smooth=True, reduce="sum", use_weight=True):
    """SiamRPN's loss with a part of it wrong."""

    def run(logits, offsets, labels, targets, weight):
        each = F.cross_entropy(
            logits.flatten(0, 1), labels.clamp_min(0).flatten(), reduction="none"
        ).reshape(labels.shape)
        p, n = labels == 1, labels == 0
        mean = lambda v, m: v[m].mean() if m.any() else v.sum() * 0  # noqa: E731
        c = {
            "half": 0.5 * mean(each, p) + 0.5 * mean(each, n),
            "all": mean(each, p | n),
            "ignored": 0.5 * mean(each, p) + 0.5 * mean(each, ~p),
            "sum": mean(each, p) + mean(each, n),
        }[classes]
        d = (offsets - targets).abs()
        cost = torch.where(d < 1, d**2 / 2, d - 0.5) if smooth else d
        cost = cost.sum(-1) if reduce == "sum" else cost.mean(-1)
        chosen = p if over == "positive" else torch.ones_like(p)
        return c + (weight if use_weight else 1.0) * mean(cost, chosen)

    return run


def right_loss_without_positives(logits, offsets, labels, targets, weight):
    """Right, until a pair has no positive: the mean of nothing."""
    each = F.cross_entropy(
        logits.flatten(0, 1), labels.clamp_min(0).flatten(), reduction="none"
    ).reshape(labels.shape)
    d = (offsets - targets).abs()
    cost = torch.where(d < 1, d**2 / 2, d - 0.5).sum(-1)
    return (
        0.5 * each[labels == 1].mean()
        + 0.5 * each[labels == 0].mean()
        + weight * cost[labels == 1].mean()
    )


def slid(k, x, mode):
    """Up-channel correlation with something wrong."""
    B, n, C, h, w = k.shape
    H, W = x.shape[2] - h + 1, x.shape[3] - w + 1
    grouped = lambda kernels: F.conv2d(x.reshape(1, B * C, *x.shape[2:]), kernels, groups=B)  # noqa: E731
    return {
        "flat": lambda: grouped(k.flatten(0, 1)),
        "every": lambda: F.conv2d(x, k.flatten(0, 1)),
        "first": lambda: F.conv2d(x, k[0]),
        "flipped": lambda: grouped(k.flip(3, 4).flatten(0, 1)).reshape(B, n, H, W),
        "mixed": lambda: grouped(k.transpose(0, 1).reshape(B * n, C, h, w)).reshape(B, n, H, W),
    }[mode]()


WRONG = {
    "anchors.default_boxes": [
        (boxes_of(lambda s, a: s * np.sqrt(a), lambda s, a: s / a), "the height is s / √a"),
        (boxes_of(lambda s, a: s / np.sqrt(a), lambda s, a: s * np.sqrt(a)), "changed places"),
        (
            boxes_of(
                lambda s, a: s * np.sqrt(a), lambda s, a: s / np.sqrt(a), lambda s, t: (s + t) / 2
            ),
            "extra square",
        ),
        (boxes_of(lambda s, a: s * a, lambda s, a: s / np.sqrt(a)), "areas"),
    ],
    "anchors.siamrpn": [
        (sizes_of(lambda r: 64 * np.sqrt(r), lambda r: 64 / np.sqrt(r)), "height over width"),
        (sizes_of(lambda r: 8 / np.sqrt(r), lambda r: 8 * np.sqrt(r)), "64 × 64"),
        (
            lambda r: 8 * np.array([[int(8 / v**0.5), int(int(8 / v**0.5) * v)] for v in r]),
            "cut to whole",
        ),
        (sizes_of(lambda r: 64 / r, lambda r: 64 + 0 * r), "areas"),
    ],
    "anchors.encode": [
        (encoded(centre=False), "corner to corner"),
        (encoded(divide=False), "in pixels"),
        (encoded(log=False), "logarithm"),
        (encoded(sign=-1), "turn them round"),
        (lambda b, a: encoded()(a, b), "changed places"),
    ],
    "anchors.decode": [
        (decoded(corner=False), "centre where the corner"),
        (decoded(exp=lambda t: 1 + t), "logarithms"),
        (decoded(exp=lambda t: t), "logarithms"),
        (decoded(half=False), "places not"),
    ],
    "anchors.match": [
        (labels_of(lambda o, high, low: np.where(o > high, 1, 0)), "neither"),
        (
            labels_of(lambda o, high, low: np.where(o > high, 1, np.where(o < low, -1, 0))),
            "other way round",
        ),
        (
            labels_of(lambda o, high, low: np.where(o >= high, 1, np.where(o < low, 0, -1))),
            "both ends",
        ),
        (
            labels_of(lambda o, high, low: np.where(o > high, 1, np.where(o <= low, 0, -1))),
            "both ends",
        ),
    ],
    "anchors.draw": [
        (lambda labels, chance: labels, "nothing is balanced"),
        (drawn(fill=True), "not filled up"),
        (drawn(16, 64), "you keep|own limit"),
        (drawn(use=lambda c: torch.arange(len(c), 0, -1)), "whatever `chance` says"),
        (drawn(use=lambda c: -c), "highest numbers"),
    ],
    "anchors.mine": [
        (mined(sign=-1), "easiest"),
        (mined(least=0), "at least 10"),
        (mined(ratio=1), "three for each"),
        (mined(ignored=True), "does not count"),
    ],
    "anchors.loss": [
        (loss(classes="all"), "outweigh"),
        (loss(classes="ignored"), "labelled −1"),
        (loss(over="all"), "only positives"),
        (loss(smooth=False), "below 1"),
        (loss(reduce="mean"), "sum your box loss"),
        (loss(use_weight=False), "weight of the box loss"),
        (loss(classes="sum"), "counts half"),
        (right_loss_without_positives, "without positives"),
        (lambda *a: loss()(*a).detach(), "gradient"),
    ],
    "anchors.upchannel": [
        (lambda k, x: slid(k, x, "flat"), "reshape"),
        (lambda k, x: slid(k, x, "every"), "each keeps to its own"),
        (lambda k, x: slid(k, x, "first"), "first exemplar"),
        (lambda k, x: slid(k, x, "flipped"), "upside down"),
        (lambda k, x: slid(k, x, "mixed"), "sorted by map"),
    ],
}
