"""Answers to the exercises of lessons 00 and 01 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import numpy as np

from course_lib.evaluation.results import Result
from course_lib.geometry import boxes


def corner_iou(a, b):
    """IoU with sides that may be negative."""
    x1, y1 = max(a[0], b[0]), max(a[1], b[1])
    x2, y2 = min(a[0] + a[2], b[0] + b[2]), min(a[1] + a[3], b[1] + b[3])
    inter = (x2 - x1) * (y2 - y1)
    return inter / (a[2] * a[3] + b[2] * b[3] - inter)


def inter(a, b):
    """Shared area."""
    x = max(0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    return x * max(0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))


def curve(values, thresholds, rule):
    """Fraction of values that satisfy the rule at each threshold."""
    return np.array([np.mean(rule(np.asarray(values), t)) for t in thresholds])


IOU_STEPS, PIXELS = np.linspace(0, 1, 21), np.arange(51)


class Shared:
    """Keeps the box on the class."""

    box = np.zeros(4)

    def init(self, frame, box):
        Shared.box = np.array(box)

    def update(self, frame):
        return Shared.box


class NoCopy:
    """Keeps the caller's array."""

    def init(self, frame, box):
        self.box = box

    def update(self, frame):
        return self.box


class FirstOnly:
    """Ignores a second start."""

    box = None

    def init(self, frame, box):
        if self.box is None:
            self.box = np.array(box)

    def update(self, frame):
        return self.box


class Returns(NoCopy):
    """Gives the box from init as well."""

    def init(self, frame, box):
        self.box = np.array(box)
        return self.box


def one_pass(helped=False, twice=False, from_zero=False, truth=False, plain=False):
    """The protocol with one mistake."""

    def run(tracker, sequence):
        rows = [sequence.boxes[0]]
        tracker.init(sequence.frames[0], sequence.boxes[0])
        if from_zero:
            rows = []
        for t in range(0 if from_zero else 1, len(sequence)):
            if helped:
                tracker.init(sequence.frames[t], sequence.boxes[t])
            rows.append(tracker.update(sequence.frames[t]))
            if truth:
                rows[-1] = sequence.boxes[t]
        return rows if plain else Result(np.array(rows), np.zeros(len(rows)))

    return run


WRONG = {
    "welcome.centre": [
        (lambda b: np.array([b[0] + b[2], b[1] + b[3], b[2], b[3]]), "bottom-right corner"),
        (
            lambda b: np.array([b[0] + (b[2] - 1) / 2, b[1] + (b[3] - 1) / 2, b[2], b[3]]),
            "half a pixel",
        ),
        (lambda b: np.array([b[0] + b[3] / 2, b[1] + b[2] / 2, b[2], b[3]]), "exchanged"),
        (lambda b: np.array([b[0] + b[2] / 2, b[1] + b[3] / 2]), r"shape \(2,\)"),
    ],
    "boxes.corners": [
        (
            lambda b: np.concatenate([b[:, :2], b[:, :2] + b[:, 2:] - 1], axis=1),
            "one pixel too far in",
        ),
        (lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]]), "shape|columns are"),
        (lambda b: b, "columns are"),
        (
            lambda b: np.concatenate([b[:, :2] - b[:, 2:], b[:, :2] + b[:, 2:]], axis=1),
            "columns are",
        ),
    ],
    "boxes.iou": [
        (lambda a, b: inter(a, b) / (a[2] * a[3]), "divide by the union"),
        (lambda a, b: inter(a, b) / (a[2] * a[3] + b[2] * b[3]), "take it off"),
        (corner_iou, "negative width times a negative height"),
        (lambda a, b: inter(a, b), "50/150"),
    ],
    "boxes.centre_error": [
        (lambda a, b: np.hypot(*(a[:2] - b[:2])), "not corners"),
        (lambda a, b: np.sum((boxes.to_centre(a) - boxes.to_centre(b))[:2] ** 2), "square root"),
        (lambda a, b: np.abs((boxes.to_centre(a) - boxes.to_centre(b))[:2]).sum(), "city-block"),
    ],
    "metrics.success": [
        (lambda v: curve(v, IOU_STEPS, np.greater_equal), "not `>=`"),
        (lambda v: curve(v, IOU_STEPS, np.greater) * len(v), "divide by their number"),
        (lambda v: curve(v, IOU_STEPS[::-1], np.greater), "rises|last threshold"),
        (lambda v: curve(v, np.linspace(0, 1, 20), np.greater), r"shape \(20,\)"),
    ],
    "metrics.auc": [
        (np.sum, "mean"),
        (lambda c: c[10], "success rate at IoU 0.5"),
        (lambda c: np.trapezoid(c, dx=0.05), "trapezoid"),
    ],
    "metrics.precision": [
        (lambda v: curve(v, PIXELS, np.less), "exactly 20 px"),
        (lambda v: curve(v, PIXELS, np.greater), "falls|<="),
        (lambda v: curve(v, PIXELS, np.less_equal) * len(v), "divide by their number"),
        (lambda v: curve(v, np.arange(50), np.less_equal), r"shape \(50,\)"),
    ],
    "trackers.stay_put": [
        (Shared, "share one box"),
        (NoCopy, "Keep a copy"),
        (FirstOnly, "start afresh"),
        (Returns, "`init` returns something"),
    ],
    "protocol.ope": [
        (one_pass(helped=True), "called 7 times"),
        (one_pass(from_zero=True), "on frame 0 too"),
        (one_pass(truth=True), "rows 1"),
        (one_pass(plain=True), "expected Result"),
    ],
}
