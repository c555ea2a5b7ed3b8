"""What lesson 09 concludes from results that come with the course."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from course_lib.evaluation.arms import arm_difference, score_difference
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

REAL = "otb+vot2014"
UNGUIDED = "concat without a mask"
NO_MASK = "heads-upchannel", "heads-depthwise", "heads-broadcast"
UNKNOWN = Interval(0.0, math.inf, 0)  # not measured


def runs() -> list[dict[str, Any]]:
    """The runs of the study of heads."""
    return read_measured(RESULTS / "heads.json")["runs"]


def over(arm: str, other: str, benchmark: str = REAL) -> Interval:
    """AUC of one network minus another's, on the real sequences unless said, for other sequences and other
    seeds."""
    return arm_difference(runs(), arm, other, benchmark) or UNKNOWN


def on_pairs(score: str, arm: str, other: str) -> Interval:
    """A score of one head minus another's on held-out pairs, for other seeds: "iou", of the most
    probable proposal, or "fit", of the one nearest to the target."""
    with_boxes = [run for run in runs() if run["arm"] != "siamfc"]
    found = score_difference(with_boxes, arm, other, lambda run: run["validation"][score])
    return found or UNKNOWN


def gains(weights: str, way: str) -> dict[str, float]:
    """Gains of the aspect response of one network, by real sequence."""
    return read_measured(RESULTS / "aspect_response.json")["networks"][weights][REAL][way][
        "gains"
    ]


def gain(weights: str, way: str) -> Interval:
    """The gain over the sequences."""
    return Interval.of(list(gains(weights, way).values()))


def blind() -> Interval:
    """The gain with the mark, over all heads without a mask and all sequences."""
    return Interval.of(
        [round(g, 6) for name in NO_MASK for g in gains(name, "marked").values()]
    )


def lacking(weights: str) -> Interval:
    """What the gain with what is seen lacks to 1."""
    return Interval.of([1 - g for g in gains(weights, "seen").values()])


EVIDENCE: dict[str, Callable[[], Interval]] = {
    "siamfc-depthwise": partial(over, "siamfc", "depthwise"),
    "upchannel-depthwise": partial(over, "upchannel", "depthwise"),
    "depthwise-broadcast": partial(over, "depthwise", "broadcast"),
    "mask-tracking": partial(over, "concat", UNGUIDED),
    "mask-pairs": partial(on_pairs, "iou", "concat", UNGUIDED),
    "unguided-broadcast": partial(over, UNGUIDED, "broadcast"),
    "choice-depthwise-broadcast": partial(on_pairs, "iou", "depthwise", "broadcast"),
    "similar-upchannel": partial(over, "upchannel as similarity", "upchannel"),
    "similar-upchannel-generated": partial(
        over, "upchannel as similarity", "upchannel", "generated-v1"
    ),
    "fit-depthwise-broadcast": partial(on_pairs, "fit", "depthwise", "broadcast"),
    "fit-upchannel-broadcast": partial(on_pairs, "fit", "upchannel", "broadcast"),
    "mark-without-mask": blind,
    "mask-concat": partial(gain, "heads-concat", "believed"),
    "penalty-depthwise": partial(gain, "heads-depthwise", "penalised"),
    "seen-depthwise": partial(gain, "heads-depthwise", "seen"),
    "unseen-depthwise": partial(lacking, "heads-depthwise"),
}
