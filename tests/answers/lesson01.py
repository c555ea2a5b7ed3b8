"""Right answers of lesson 01 in other styles."""

from __future__ import annotations

import time

import numpy as np
import torch

from course_lib.evaluation.results import Result


def corners_as_rows(boxes):
    """Row by row, as tuples."""
    return [(x, y, x + w, y + h) for x, y, w, h in boxes]


def corners_by_matrix(boxes):
    """As one product."""
    return boxes @ np.array([[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1]])


def corners_of_a_copy(boxes):
    """In a copy."""
    corners = boxes.copy()
    corners[:, 2] += corners[:, 0]
    corners[:, 3] += corners[:, 1]
    return corners


def iou_in_torch(a, b):
    """As a tensor."""
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    low, high = torch.maximum(a[:2], b[:2]), torch.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = (high - low).clamp(min=0).prod()
    return shared / (a[2:].prod() + b[2:].prod() - shared)


def iou_with_return(a, b):
    """In plain Python, with an early return."""
    ax, ay, aw, ah = a
    bx, by, bw, bh = b
    left, right = max(ax, bx), min(ax + aw, bx + bw)
    top, bottom = max(ay, by), min(ay + ah, by + bh)
    if right <= left or bottom <= top:
        return 0
    shared = (right - left) * (bottom - top)
    return shared / (aw * ah + bw * bh - shared)


def iou_by_clipping(a, b):
    """Edges of b cut off at those of a."""
    edges = np.clip([b[0], b[0] + b[2]], a[0], a[0] + a[2])
    sides = np.clip([b[1], b[1] + b[3]], a[1], a[1] + a[3])
    shared = np.ptp(edges) * np.ptp(sides)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def error_in_torch(a, b):
    """As a tensor."""
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    return torch.linalg.norm(a[:2] - b[:2] + (a[2:] - b[2:]) / 2)


def error_by_norm(a, b):
    """With NumPy's norm."""
    return np.linalg.norm((a[:2] + a[2:] / 2) - (b[:2] + b[2:] / 2))


def error_in_python(a, b):
    """Written out."""
    dx = a[0] + 0.5 * a[2] - b[0] - 0.5 * b[2]
    dy = a[1] + 0.5 * a[3] - b[1] - 0.5 * b[3]
    return (dx**2 + dy**2) ** 0.5


def success_as_list(ious):
    """A list, threshold by threshold."""
    return [sum(float(v) > k / 20 for v in ious) / len(ious) for k in range(21)]


def success_in_torch(ious):
    """As a tensor."""
    thresholds = torch.linspace(0, 1, 21, dtype=torch.float64)
    return (torch.as_tensor(ious)[:, None] > thresholds).double().mean(dim=0)


def success_in_a_loop(ious):
    """Into an array of zeros, thresholds added up."""
    curve = np.zeros(21)
    for k, threshold in enumerate(np.arange(0, 1.05, 0.05)):
        curve[k] = np.count_nonzero(ious > threshold) / len(ious)
    return curve


def auc_in_torch(curve):
    """As a tensor."""
    return torch.as_tensor(curve).mean()


def auc_by_sum(curve):
    """Sum over count."""
    return sum(curve) / len(curve)


def auc_as_product(curve):
    """As an inner product."""
    return np.dot(curve, np.full(21, 1 / 21))


def precision_as_list(errors):
    """A list."""
    return [float(np.mean(errors <= pixels)) for pixels in range(51)]


def precision_by_sorting(errors):
    """By a sorted search."""
    return np.searchsorted(np.sort(errors), np.arange(51), side="right") / len(errors)


def precision_by_complement(errors):
    """Without those that are not near enough."""
    return 1 - (~(errors[:, None] <= np.linspace(0, 50, 51))).mean(0)


class StayAsList:
    """Returns a list."""

    def init(self, frame, box):
        self.first = [float(v) for v in box]

    def update(self, frame):
        return list(self.first)


class StayWithState:
    """Keeps its box in a dictionary made by the constructor."""

    def __init__(self):
        self.state = {}

    def init(self, frame, box):
        self.state["box"] = np.array(box)

    def update(self, frame):
        return self.state["box"].copy()


class StayAsTuple:
    """Returns a new array each time."""

    def init(self, frame, box):
        self.x, self.y, self.w, self.h = box

    def update(self, frame):
        return np.array((self.x, self.y, self.w, self.h))


def track_with_lists(tracker, sequence):
    """Appends to lists."""
    boxes, seconds = [], []
    for t, frame in enumerate(sequence.frames):
        began = time.time()
        if t == 0:
            tracker.init(frame, sequence.boxes[0])
            box = sequence.boxes[0]
        else:
            box = tracker.update(frame)
        seconds.append(time.time() - began)
        boxes.append(list(box))
    return Result(boxes, seconds)


def track_in_nanoseconds(tracker, sequence):
    """All frames read first, a clock that counts nanoseconds."""
    frames = list(sequence.frames)
    first = sequence.boxes[0].copy()
    began = time.perf_counter_ns()
    tracker.init(frames[0], first)
    ended = time.perf_counter_ns()
    boxes, seconds = [first], [(ended - began) / 1e9]
    for frame in frames[1:]:
        began = time.perf_counter_ns()
        box = tracker.update(frame)
        seconds.append((time.perf_counter_ns() - began) / 1e9)
        boxes.append(np.array(box))
    return Result(np.stack(boxes), np.array(seconds))


def track_into_arrays(tracker, sequence):
    """Into arrays of NaN."""
    boxes = np.full((len(sequence), 4), np.nan)
    seconds = np.full(len(sequence), np.nan)
    boxes[0] = sequence.boxes[0]
    for t in range(len(sequence)):
        frame = sequence.frames[t]
        start = time.monotonic()
        box = tracker.init(frame, boxes[0]) if t == 0 else tracker.update(frame)
        seconds[t] = time.monotonic() - start
        if t:
            boxes[t] = box
    return Result(boxes=boxes, seconds=seconds)


def _overlaps(boxes, truth):
    return torch.stack([iou_in_torch(b, t) for b, t in zip(boxes, truth, strict=True)])


def score_in_torch(boxes, truth):
    """As a tensor."""
    there = ~np.isnan(truth[:, 0])
    return success_in_torch(_overlaps(boxes[there], truth[there])).mean()


def score_by_skipping(boxes, truth):
    """Skips in the loop."""
    ious = [
        iou_with_return(b, t) for b, t in zip(boxes, truth, strict=True) if not np.isnan(t).any()
    ]
    return np.mean(success_in_a_loop(np.array(ious)))


def score_of_rows(boxes, truth):
    """Drops the rows in which a true box is missing, of both."""
    away = np.flatnonzero(np.isnan(truth).any(axis=1))
    boxes, truth = (np.delete(rows, away, axis=0) for rows in (boxes, truth))
    return np.mean(success_as_list(_overlaps(boxes, truth).numpy()))


RIGHT = {
    "boxes.corners": [corners_as_rows, corners_by_matrix, corners_of_a_copy],
    "boxes.iou": [iou_in_torch, iou_with_return, iou_by_clipping],
    "boxes.centre_error": [error_in_torch, error_by_norm, error_in_python],
    "metrics.success": [success_as_list, success_in_torch, success_in_a_loop],
    "metrics.auc": [auc_in_torch, auc_by_sum, auc_as_product],
    "metrics.precision": [precision_as_list, precision_by_sorting, precision_by_complement],
    "metrics.fault": [score_in_torch, score_by_skipping, score_of_rows],
    "trackers.stay_put": [StayAsList, StayWithState, StayAsTuple],
    "protocol.ope": [track_with_lists, track_in_nanoseconds, track_into_arrays],
}
RANDOM: set[str] = set()
