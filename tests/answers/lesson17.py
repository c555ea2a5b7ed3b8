"""Right answers of lesson 17 in other styles."""

from __future__ import annotations

import math

import numpy as np

from course_lib.geometry.boxes import iou
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker, confidence_of
from course_lib.trackers.mosse import MOSSE
from course_lib.trackers.redetection import Redetection, RedetectionSettings, with_redetection


def state_as_list(unsure, score, best, sure, found, patience):
    """A list, and NumPy's numbers."""
    there = np.isnan(score) or score >= sure or best >= found
    count = np.int64(0) if there else np.int64(unsure + 1)
    return [count, "sure" if there else ("unsure", "lost")[int(count > patience)]]


def state_by_cases(unsure, score, best, sure, found, patience):
    """One case after another."""
    if math.isnan(score):
        return 0, "sure"
    if score >= sure:
        return 0, "sure"
    if best >= found:
        return 0, "sure"
    if unsure < patience:
        return unsure + 1, "unsure"
    return unsure + 1, "lost"


def state_by_sum(unsure, score, best, sure, found, patience):
    """Products in place of branches."""
    away = bool(score < sure) and not best >= found
    count = away * (unsure + 1)
    return count, ("sure", "unsure", "lost")[away + (count > patience)]


def places_as_lists(box, spacing, height, width):
    """Lists, sorted with a key."""
    x, y, w, h = map(float, box)
    columns, rows = math.ceil(width / (spacing * w)), math.ceil(height / (spacing * h))
    found = [
        [(j + 0.5) * width / columns - w / 2, (i + 0.5) * height / rows - h / 2, w, h]
        for i in range(rows)
        for j in range(columns)
    ]
    return sorted(found, key=lambda b: math.hypot(b[0] - x, b[1] - y))


def places_by_linspace(box, spacing, height, width):
    """linspace from half a step to half a step before the end."""
    w, h = box[2:]
    n, m = (int(-(-length // (spacing * s))) for length, s in ((width, w), (height, h)))
    xs = np.linspace(width / n / 2, width - width / n / 2, n) - w / 2
    ys = np.linspace(height / m / 2, height - height / m / 2, m) - h / 2
    boxes = np.array([(x, y, w, h) for y in ys for x in xs])
    return boxes[np.argsort(((boxes - box) ** 2).sum(1), kind="stable")]


def places_by_indices(box, spacing, height, width):
    """np.indices."""
    counts = np.ceil(np.array([width, height]) / spacing / box[2:]).astype(int)
    cells = np.indices(counts).reshape(2, -1).T + 0.5
    corners = cells / counts * [width, height] - box[2:] / 2
    order = np.linalg.norm(corners - box[:2], axis=1).argsort(kind="stable")
    return np.hstack([corners, np.broadcast_to(box[2:], corners.shape)])[order]


def believed_as_list(boxes, scores, most):
    """A list of truth values, box by box."""
    kept = [False] * len(boxes)
    for k in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if not np.isnan(boxes[k]).any():
            kept[k] = all(iou(boxes[k], boxes[j]) <= most for j in range(len(boxes)) if kept[j])
    return kept


def believed_by_matrix(boxes, scores, most):
    """A matrix of overlaps, computed once."""
    overlaps = np.nan_to_num(iou(boxes[:, None], boxes[None]))
    left = np.isfinite(boxes).all(1)
    kept = np.zeros(len(boxes), bool)
    while left.any():
        k = np.where(left, scores, -np.inf).argmax()
        kept[k] = True
        left &= overlaps[k] <= most
        left[k] = False
    return kept


def believed_as_numbers(boxes, scores, most):
    """Ones and zeros."""
    kept = []
    for k in np.argsort(scores)[::-1]:
        there = np.isfinite(boxes[k]).all()
        if there and not any(iou(boxes[k], boxes[j]) > most for j in kept):
            kept.append(k)
    result = np.zeros(len(boxes), int)
    result[kept] = 1
    return result


def interval_as_array(ours, theirs, picks, level):
    """An array, and quantiles."""
    drawn = ours[picks].mean(1) - theirs[picks].mean(1)
    return np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])


def interval_by_loop(ours, theirs, picks, level):
    """Draw by draw."""
    drawn = [float(np.mean([ours[i] - theirs[i] for i in row])) for row in picks]
    return [np.percentile(drawn, 100 * (0.5 + side * level / 2)) for side in (-1, 1)]


def interval_by_counts(ours, theirs, picks, level):
    """How often each sequence is drawn, and a product."""
    counts = np.stack([np.bincount(row, minlength=len(ours)) for row in picks])
    drawn = counts @ (ours - theirs) / len(ours)
    return tuple(np.quantile(drawn, q) for q in (0.5 - level / 2, 0.5 + level / 2))


def mended_as_lists(rows, length):
    """A dictionary by frame, and lists."""
    found = {int(t): [a - 1, b - 1, c - a + 1, d - b + 1] for t, a, b, c, d in rows.tolist()}
    return [found.get(t + 1, [math.nan] * 4) for t in range(length)]


def mended_by_loop(rows, length):
    """Row by row."""
    boxes = np.full((length, 4), np.nan)
    for frame, x1, y1, x2, y2 in rows:
        boxes[int(frame) - 1] = x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1
    return boxes


def mended_by_matrix(rows, length):
    """A matrix makes sizes of corners."""
    change = np.array([[1, 0, -1, 0], [0, 1, 0, -1], [0, 0, 1, 0], [0, 0, 0, 1]])
    boxes = np.empty((length, 4))
    boxes[:] = np.nan
    boxes[rows[:, 0].astype(int) - 1] = rows[:, 1:] @ change + [-1, -1, 1, 1]
    return boxes


class EntryOfLists(Tracker):
    """Lists for boxes."""

    def init(self, frame, box):
        """Template matching."""
        self.own = make_tracker("ncc")
        self.own.init(frame, box)

    def update(self, frame):
        """As a list."""
        return self.own.update(frame).tolist()


class EntryByInheritance(MOSSE):
    """MOSSE that learns more slowly: nothing but a name is changed."""

    name = "slow"


class EntryThatWaits(Tracker):
    """Its box moves only where it is sure."""

    def init(self, frame, box):
        """MOSSE."""
        self.own, self.box = make_tracker("mosse"), np.array(box, dtype=float)
        self.own.init(frame, box)

    def update(self, frame):
        """The last one that was sure."""
        box = self.own.update(frame)
        if confidence_of(self.own) > 5:
            self.box = box
        return self.box.copy()


class FinderOfLists(EntryOfLists):
    """Thresholds of its own."""

    def init(self, frame, box):
        """MOSSE that looks again."""
        self.own = Redetection(make_tracker("mosse"), RedetectionSettings(sure=8.0, found=9.0))
        self.own.init(frame, box)


class FinderByInheritance(Redetection):
    """The wrapper itself."""

    def __init__(self):
        super().__init__(make_tracker("mosse"), RedetectionSettings(sure=8.0, found=9.0, places=20))


class FinderByScale(Tracker):
    """KCF, which has more channels and a pyramid."""

    def init(self, frame, box):
        """KCF."""
        self.own = make_tracker("kcf")
        self.own.init(frame, box)

    def update(self, frame):
        """Its box."""
        return self.own.update(frame)


class FurtherByInheritance(Redetection):
    """The wrapper itself, around KCF."""

    def __init__(self):
        settings = RedetectionSettings(sure=0.25, found=0.3, places=20)
        super().__init__(make_tracker("kcf"), settings)


class FurtherByNetwork(Tracker):
    """SiamFC, and a box as a list."""

    def init(self, frame, box):
        """SiamFC."""
        self.own = make_tracker("siamfc")
        self.own.init(frame, box)

    def update(self, frame):
        """Its box."""
        return self.own.update(frame).tolist()


class BestOfLists(EntryOfLists):
    """Lists for boxes; SiamFC that is sooner believed to be lost."""

    def init(self, frame, box):
        """Start it."""
        self.own = with_redetection(make_tracker("siamfc"), patience=3)
        self.own.init(frame, box)


class BestByInheritance(Redetection):
    """The wrapper itself, and an unsure SiamFC is asked farther away."""

    def __init__(self):
        settings = RedetectionSettings(sure=1.0, found=5.0, reach=1.5)
        super().__init__(make_tracker("siamfc"), settings)


class BestByProposals(Tracker):
    """SiamRPN that looks again."""

    def init(self, frame, box):
        """Start it."""
        self.own = with_redetection(make_tracker("siamrpn"))
        self.own.init(frame, box)

    def update(self, frame):
        """Its box."""
        return self.own.update(frame)


RIGHT = {
    "challenge.state": [state_as_list, state_by_cases, state_by_sum],
    "challenge.grid": [places_as_lists, places_by_linspace, places_by_indices],
    "challenge.several": [believed_as_list, believed_by_matrix, believed_as_numbers],
    "challenge.bootstrap": [interval_as_array, interval_by_loop, interval_by_counts],
    "challenge.fault": [mended_as_lists, mended_by_loop, mended_by_matrix],
    "challenge.entry": [EntryOfLists, EntryByInheritance, EntryThatWaits],
    "challenge.mosse": [FinderOfLists, FinderByInheritance, FinderByScale],
    "challenge.kcf": [FurtherByNetwork, FurtherByInheritance, BestOfLists],
    "challenge.siamfc": [BestOfLists, BestByInheritance, BestByProposals],
}
RANDOM: set[str] = set()
