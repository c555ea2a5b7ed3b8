"""What lesson 17 concludes from the results that come with the course."""

from __future__ import annotations

import math
from functools import partial

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

UNKNOWN = Interval(0.0, math.inf, 0)  # not measured


def after_away(tracker: str) -> Interval:
    """Mean IoU in visible frames after the target was first away, with re-detection minus without, over sequences."""
    found = read_measured(RESULTS / "refound.json")["trackers"].get(tracker, {}).get("after")
    return (
        UNKNOWN if found is None else Interval(found["mean"], found["half_width"], found["n"])
    )


EVIDENCE = {
    f"refound-{name}": partial(after_away, name)
    for name in ("ncc", "mosse", "kcf", "siamfc", "siamrpn")
}
