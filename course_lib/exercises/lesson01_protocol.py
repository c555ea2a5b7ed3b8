"""Check of lesson 01: one-pass evaluation."""

from __future__ import annotations

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.evaluation import otb
from course_lib.evaluation.results import Result
from course_lib.exercises.compare import as_array, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.lesson01_clock import (
    moment,
    require_seconds,
    timed_by_processor,
    timed_with_reading,
)
from course_lib.exercises.lesson01_spy import SlowFrames, Spy
from course_lib.exercises.protocol_mistakes import (
    asked_at_once,
    helped,
    into_the_truth,
    is_away,
    never,
    not_copied,
    own_pass,
    passed,
    where_away,
    with_boxes,
    with_seconds,
    with_the_truth,
)
from course_lib.exercises.words import Wrong

AWAY = (*range(7, 12), *range(40, 44))  # frames of the long pass in which the target is away
LONG = 60


@check(
    "protocol.ope",
    reference=otb.track,
    others={
        "`init` was called 6 times": helped,
        "`update` was called on frame 0 too": asked_at_once,
        "rows 1 … of the result": lambda right, tracker, sequence: Result(
            sequence.boxes, right(tracker, sequence).seconds
        ),
        "expected Result(boxes, seconds)": lambda right, *given: right(*given).boxes,
        "your pass ends at frame 4": lambda right, tracker, sequence: right(
            tracker, sequence.part(0, 5)
        ),
        "your pass ends at frame 49": lambda right, tracker, sequence: right(
            tracker, sequence.part(0, 50)
        ),
        "your pass ends at frame 6, before the first in which": lambda right, tracker, sequence: (
            right(tracker, sequence.part(0, 7 if len(sequence) == LONG else None))
        ),
        "was not called on frames 7 to 11": own_pass(lambda t, b: not is_away(t, b), never),
        "each once and in order": own_pass(lambda t, b: t % 2 == 0, never),
        "`init` was called 3 times": own_pass(
            lambda t, b: True, lambda t, b: is_away(t - 1, b) and not is_away(t, b)
        ),
        "never helps it again": own_pass(lambda t, b: True, lambda t, b: t % 10 == 5),
        "whether the target is in view or not": [
            where_away(lambda before: np.nan),
            where_away(lambda before: before),
        ],
        "copy each box": not_copied,
        "your function changes the tracker": with_the_truth,
        "blue, green, red": passed(lambda frame: frame[..., ::-1]),
        "of float64; the frame as read is of uint8": passed(lambda frame: frame / 255),
        "of shape (30, 40)": passed(lambda frame: frame.mean(axis=2)),
        "not as it was read": passed(lambda frame: frame // 2),
        "are cut off at 0": with_boxes(lambda boxes: np.maximum(boxes, 0)),
        "sides of at least 1 pixel": with_boxes(
            lambda boxes: np.column_stack([boxes[:, :2], np.maximum(boxes[:, 2:], 1)])
        ),
        "expected (6, 4)": lambda right, tracker, sequence: Result(
            right(tracker, sequence).boxes[1:], np.ones(5)
        ),
        "rounded to whole pixels": with_boxes(np.trunc),
        "row 0 of the result": with_boxes(lambda boxes: np.roll(boxes, -1, axis=0)),
        "writes into `sequence.boxes`": into_the_truth,
        "reading": timed_with_reading,
        "time since the start": with_seconds(np.cumsum),
        "milliseconds": with_seconds(lambda s: 1000 * s),
        "microseconds": with_seconds(lambda s: 1e6 * s),
        "nanoseconds": with_seconds(lambda s: 1e9 * s),
        "frames per second": with_seconds(lambda s: 1 / s),
        "all 0": with_seconds(np.zeros_like),
        "`init` is not timed": with_seconds(lambda s: s * (np.arange(len(s)) > 0)),
        "negative": with_seconds(np.negative),
        "the same number for every frame": with_seconds(lambda s: np.full(len(s), s.mean())),
        "belong to the frame": [
            with_seconds(lambda s: np.roll(s, 1)),
            with_seconds(lambda s: np.roll(s, -1)),
        ],
        "reading of a clock": with_seconds(lambda s: 1.7e9 + np.cumsum(s)),
        "shorter than the call": timed_by_processor,
    },
)
def examine_ope(answer, rng) -> None:
    """One pass over a short sequence that is timed, and one over a long one in which the target is
    away twice."""
    T, log = 6, [moment()]
    truth = random_boxes(rng, T)
    sequence = Sequence("spied", SlowFrames(T, log), truth.copy())
    spy = Spy(random_boxes(rng, T), log)
    result = _run(answer, spy, sequence, truth)
    log.append(moment())
    _run_long(answer, rng)
    require_seconds(as_array(result.seconds, (T,), "the result's seconds"), log)


def _run_long(answer, rng) -> None:
    """A pass whose seconds do not count."""
    truth, answers = random_boxes(rng, LONG), random_boxes(rng, LONG)
    truth[list(AWAY)] = np.nan
    answers[20] = -12.5, -3.25, 0.5, 0.25  # beyond the image, and tiny
    answers[9:11, :2] *= -1
    sequence = Sequence("long", SlowFrames(LONG, [], slow=False), truth.copy())
    _run(answer, Spy(answers, [], slow=False), sequence, truth)


def _run(answer, spy: Spy, sequence: Sequence, truth: np.ndarray) -> Result:
    """The answer's result; raises Wrong unless it did what one pass does.

    Args:
        answer: on trial.
        spy: the tracker.
        sequence: to run on.
        truth: (T, 4) the true boxes.
    """
    known = set(vars(spy))
    result = answer(spy, sequence)
    if changed := set(vars(spy)) - known:
        raise Wrong(
            f"your function changes the tracker: it sets `tracker.{min(changed)}`. One pass calls "
            "`init` and `update`, and does nothing else to the tracker"
        )
    _check_calls(spy, truth)
    if not isinstance(result, Result):
        raise Wrong(
            f"the result is of type {type(result).__name__}; expected Result(boxes, seconds)"
        )
    given = as_array(result.boxes, (len(truth), 4), "the result's boxes", allow_nan=True)
    _check_boxes(given, truth, spy.answers)
    if not np.array_equal(sequence.boxes, truth, equal_nan=True):
        raise Wrong(
            "your function writes into `sequence.boxes`, the true boxes; put the tracker's into an "
            "array of their own"
        )
    return result


def _check_boxes(given: np.ndarray, truth: np.ndarray, answers: np.ndarray) -> None:
    """Raise Wrong unless row 0 is the first true box and the others (T, 4) the tracker's."""
    right = np.concatenate([truth[:1], answers[1:]])  # (T, 4)
    if any(same(given, rounded(right)) for rounded in (np.trunc, np.round, np.floor)):
        raise Wrong("your boxes are rounded to whole pixels: is theirs an integer array?")
    if same(given[1:], np.repeat(answers[-1:], len(truth) - 1, axis=0)):
        raise Wrong(
            "all rows of your result hold the last box: this tracker returns the same array each "
            "time and writes the next box into it, so copy each box"
        )
    if same(given, np.maximum(right, 0)):
        raise Wrong("your boxes are cut off at 0; a box may reach beyond the image")
    if same(given[:, 2:], np.maximum(right[:, 2:], 1)) and not same(given, right):
        raise Wrong("your boxes have sides of at least 1 pixel; keep what the tracker returned")
    away = np.isnan(truth[:, 0])
    if away.any() and same(given[~away], right[~away]) and not same(given, right):
        t = int(np.argmax(away))
        raise Wrong(
            f"row {t} of the result is {np.round(given[t], 1).tolist()}: row t is what `update` "
            "returned for frame t, whether the target is in view or not"
        )
    require_close(
        given[0], right[0], "row 0 of the result", hint="it is the box the tracker started with"
    )
    require_close(
        given[1:],
        right[1:],
        "rows 1 … of the result",
        hint="row t is what `update` returned for frame t",
    )


def _check_calls(spy: Spy, truth: np.ndarray) -> None:
    """Raise Wrong unless the tracker was started once and asked in every frame after that."""
    T = len(truth)
    inits = [(frame, box) for kind, frame, box in spy.calls if kind == "init"]
    if len(inits) != 1:
        raise Wrong(
            f"`init` was called {len(inits)} times; one pass starts the tracker once and never "
            "helps it again"
        )
    if inits[0][0] != 0 or not same(inits[0][1], truth[0]):
        raise Wrong("`init` should get frame 0 and the true box of frame 0")
    seen = [frame for kind, frame, _ in spy.calls if kind == "update"]
    if seen == list(range(T)):
        raise Wrong(
            "`update` was called on frame 0 too; the tracker has just been given the box "
            "of that frame"
        )
    if seen != list(range(1, T)):
        raise Wrong(_uneven(seen, truth))


def _uneven(seen: list[int], truth: np.ndarray) -> str:
    """The message for frames on which `update` was called, if they are not all of them."""
    T, away = len(truth), np.flatnonzero(np.isnan(truth[:, 0])).tolist()
    last = seen[-1] if seen else 0
    if seen == list(range(1, last + 1)):
        why = ", before the first in which the target is out of view" if last + 1 in away else ""
        return f"your pass ends at frame {last}{why}; there are {T} frames, the last is {T - 1}"
    if away and seen == [t for t in range(1, T) if t not in away]:
        return (
            "`update` was not called on frames 7 to 11, where the target is out of view: the "
            "tracker has to notice that by itself"
        )
    listed = f"{str(seen[:12])[:-1]}, …]" if len(seen) > 12 else str(seen)
    return f"`update` was called on frames {listed}; expected 1 to {T - 1}, each once and in order"
