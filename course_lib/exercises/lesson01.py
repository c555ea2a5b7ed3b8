"""Checks of lesson 01: boxes, overlap, curves, the first tracker, the protocol."""

from __future__ import annotations

import numpy as np

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.evaluation import metrics, otb
from course_lib.evaluation.results import Result
from course_lib.exercises.compare import as_array, as_number, require_close, require_untouched, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.words import Wrong
from course_lib.geometry import boxes
from course_lib.trackers.base import Tracker
from course_lib.trackers.baselines import StayPut


@check("boxes.corners", reference=boxes.to_corners)
def examine_corners(answer, reference, rng) -> None:
    """(T, 4) boxes as (x1, y1, x2, y2)."""
    given = random_boxes(rng, 6)
    kept = given.copy()
    result = answer(given)
    require_untouched(kept, given, "the boxes")
    result = as_array(result, (6, 4), "for six boxes the result")
    if same(result, reference(kept) - [0, 0, 1, 1]):
        raise Wrong(
            "your right and bottom edges lie one pixel too far in: x2 is x + w here, not the last "
            "pixel x + w − 1"
        )
    require_close(
        result, reference(kept), "the corner array", hint="its columns are x, y, x + w, y + h"
    )


@check("boxes.iou", reference=boxes.iou)
def examine_iou(answer, reference, rng) -> None:
    """IoU of one pair of boxes."""
    ten, half = np.array([0.0, 0, 10, 10]), np.array([5.0, 0, 10, 10])
    apart = np.array([20.0, 20, 10, 10])

    def value(a, b, what):
        return as_number(answer(a.copy(), b.copy()), what)

    shifted = value(ten, half, "the IoU of two squares, one shifted by half its width,")
    if np.isclose(shifted, 0.5):
        raise Wrong(
            "two squares shifted by half a width give 1/2 in your version: divide by the union, "
            "not by one area"
        )
    if np.isclose(shifted, 1 / 4):
        raise Wrong(
            "two squares shifted by half a width give 1/4 in your version: the union counts the "
            "shared part once, so take it off"
        )
    if not np.isclose(shifted, 1 / 3):
        raise Wrong(
            f"two 10×10 squares shifted by 5 px have IoU 50/150 = 0.333; yours is {shifted:.4g}"
        )
    if not np.isclose(value(ten, apart, "the IoU of two boxes far apart"), 0):
        raise Wrong(
            "two boxes that lie apart in x and in y have IoU 0; yours is "
            f"{value(ten, apart, 'the IoU'):.4g}. A negative width times a negative height is "
            "positive: keep each side at 0 or above"
        )
    if not np.isclose(
        value(ten, np.array([20.0, 0, 10, 10]), "the IoU of two boxes apart in x only"), 0
    ):
        raise Wrong(
            "two boxes that lie apart in x only should have IoU 0: keep each side of the "
            "intersection at 0 or above"
        )
    for a, b in zip(random_boxes(rng, 20), random_boxes(rng, 20), strict=True):
        b[:2] = a[:2] + rng.uniform(-10, 10, 2)
        require_close(
            value(a, b, "the IoU"),
            reference(a, b),
            f"the IoU of {np.round(a, 1)} and {np.round(b, 1)}",
        )


@check("boxes.centre_error", reference=boxes.centre_error)
def examine_centre_error(answer, reference, rng) -> None:
    """Centre distance of one pair of boxes."""
    a, b = np.array([0.0, 0, 10, 20]), np.array([3.0, 4, 10, 20])
    first = as_number(answer(a.copy(), b.copy()), "the centre error")
    if np.isclose(first, 25):
        raise Wrong("a shift of (3, 4) gives 25 in your version: take the square root")
    if np.isclose(first, 7):
        raise Wrong(
            "a shift of (3, 4) gives 7 in your version: that is the city-block distance; the error "
            "is the straight line, 5"
        )
    wide = as_number(answer(a.copy(), np.array([0.0, 0, 30, 20])), "the centre error")
    if np.isclose(first, 5) and np.isclose(wide, 0):
        raise Wrong(
            "two boxes with the same corner but other widths have distance 0 in your version: "
            "compare centres, not corners"
        )
    for p, q in zip(random_boxes(rng, 10), random_boxes(rng, 10), strict=True):
        value = as_number(answer(p.copy(), q.copy()), "the centre error")
        require_close(
            value, reference(p, q), f"the centre error of {np.round(p, 1)} and {np.round(q, 1)}"
        )


@check("metrics.success", reference=metrics.success_curve)
def examine_success(answer, reference, rng) -> None:
    """21 fractions of frames with IoU above each threshold."""
    perfect = as_array(answer(np.ones(8)), (21,), "the curve of eight perfect frames")
    if perfect[-1] != 0:
        raise Wrong(
            "a perfect tracker reaches your curve's last threshold: no IoU is above 1, and the "
            "rule is `>`, not `>=`"
        )
    exact = as_array(answer(np.array([0.5, 0.2])), (21,), "the curve")
    if exact[10] != 0:
        raise Wrong(
            "a frame with IoU exactly 0.5 counts at threshold 0.5 in your version; the rule is "
            "strictly above"
        )
    ious = rng.uniform(0, 1, 40)
    curve = as_array(answer(ious.copy()), (21,), "the success curve")
    if same(curve, reference(ious) * 40):
        raise Wrong("your curve counts frames: divide by their number to get fractions")
    if same(curve, reference(ious)[::-1]) or curve[0] < curve[-1]:
        raise Wrong(
            "your curve rises: it should fall, since fewer frames lie above a higher threshold"
        )
    require_close(curve, reference(ious), "the success curve", hint="thresholds are 0, 0.05, …, 1")


@check("metrics.auc", reference=metrics.auc)
def examine_auc(answer, reference, rng) -> None:
    """Mean of the 21 values."""
    curve = np.sort(rng.uniform(0, 1, 21))[::-1].copy()
    value = as_number(answer(curve), "the AUC")
    if np.isclose(value, curve.sum()):
        raise Wrong(
            "your AUC is the sum of the 21 values; it is their mean, so that it stays between 0 "
            "and 1"
        )
    if np.isclose(value, curve[10]):
        raise Wrong("your value is the success rate at IoU 0.5; the AUC looks at all thresholds")
    if np.isclose(value, np.sum((curve[1:] + curve[:-1]) / 2) * 0.05):
        raise Wrong(
            "your value is the trapezoid area, as TrackingNet takes it; OTB takes the mean of the "
            "21 values"
        )
    require_close(value, reference(curve), "the AUC")


@check("metrics.precision", reference=metrics.precision_curve)
def examine_precision(answer, reference, rng) -> None:
    """51 fractions of frames with centre error up to each threshold."""
    exact = as_array(answer(np.array([20.0, 60.0])), (51,), "the precision curve")
    if np.isclose(exact[20], 0) and np.isclose(exact[21], 0.5):
        raise Wrong(
            "a frame with an error of exactly 20 px does not count at 20 px in your version; the "
            "rule is `<=`"
        )
    errors = rng.uniform(0, 70, 60)
    curve = as_array(answer(errors.copy()), (51,), "the precision curve")
    if same(curve, 1 - reference(errors)):
        raise Wrong(
            "your curve falls: it counts the frames that are too far away instead of those near "
            "enough"
        )
    if same(curve, reference(errors) * len(errors)):
        raise Wrong("your curve counts frames: divide by their number to get fractions")
    require_close(
        curve, reference(errors), "the precision curve", hint="thresholds are 0, 1, …, 50 px"
    )


@check("trackers.stay_put", reference=StayPut)
def examine_stay_put(answer, reference, rng) -> None:
    """A tracker that gives the first box again and again."""
    frame = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    first, second = np.array([3.0, 4, 10, 12]), np.array([20.0, 8, 9, 7])
    tracker = answer()
    if tracker.init(frame, first.copy()) is not None:
        raise Wrong("`init` returns something; it only takes note, `update` gives boxes")
    given = as_array(tracker.update(frame), (4,), "the box from `update`")
    require_close(
        given, first, "the box from `update`", hint="it should be the box given to `init`"
    )
    own = first.copy()
    tracker.init(frame, own)
    own += 5
    if not same(tracker.update(frame), first):
        raise Wrong(
            "your tracker keeps the caller's array itself: when the caller changes it later your "
            "box moves. Keep a copy"
        )
    tracker.init(frame, second)
    require_close(
        tracker.update(frame),
        second,
        "after a second `init` the box",
        hint="start afresh at each `init`",
    )
    other = answer()
    other.init(frame, first)
    if not same(tracker.update(frame), second):
        raise Wrong("two of your trackers share one box: keep it on `self`, not on the class")


class Spy(Tracker):
    """Writes down what a protocol does to it and answers with boxes that nobody could guess."""

    def __init__(self, answers: np.ndarray) -> None:
        self.answers, self.calls = answers, []

    def init(self, frame, box) -> None:
        """Take note of the frame's number (its first pixel) and the box."""
        self.calls.append(("init", int(frame[0, 0, 0]), np.array(box, dtype=float)))

    def update(self, frame) -> np.ndarray:
        """The next answer."""
        self.calls.append(("update", int(frame[0, 0, 0]), None))
        return self.answers[(len(self.calls) - 1) % len(self.answers)].copy()


@check("protocol.ope", reference=otb.track)
def examine_ope(answer, reference, rng) -> None:
    """One pass over a sequence."""
    T = 7
    frames = [np.full((30, 40, 3), t, dtype=np.uint8) for t in range(T)]
    sequence = Sequence("spied", ArrayFrames(frames), random_boxes(rng, T))
    spy = Spy(random_boxes(rng, T))
    result = answer(spy, sequence)
    inits = [(frame, box) for kind, frame, box in spy.calls if kind == "init"]
    if len(inits) != 1:
        raise Wrong(
            f"`init` was called {len(inits)} times; one pass starts the tracker once and never "
            "helps it again"
        )
    if inits[0][0] != 0 or not same(inits[0][1], sequence.boxes[0]):
        raise Wrong("`init` should get frame 0 and the true box of frame 0")
    seen = [frame for kind, frame, _ in spy.calls if kind == "update"]
    if seen == list(range(T)):
        raise Wrong(
            "`update` was called on frame 0 too; the tracker has just been told where the target "
            "is there"
        )
    if seen != list(range(1, T)):
        raise Wrong(
            f"`update` was called on frames {seen}; expected 1 to {T - 1}, each once and in order"
        )
    if not isinstance(result, Result):
        raise Wrong(
            f"the result is of type {type(result).__name__}; expected Result(boxes, seconds)"
        )
    given = as_array(result.boxes, (T, 4), "the result's boxes")
    require_close(
        given[0],
        sequence.boxes[0],
        "row 0 of the result",
        hint="it is the box the tracker started with",
    )
    require_close(
        given[1:],
        spy.answers[1:],
        "rows 1 … of the result",
        hint="row t is what `update` gave for frame t",
    )
