"""What lesson 14 concludes from the results that come with the course.

A file that a long run has not left yet says nothing: a difference read from it is open.
"""

from __future__ import annotations

import math
from functools import partial

from course_lib.evaluation.arms import arm_difference
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

UNKNOWN = Interval(0.0, math.inf, 0)  # not measured yet


def arm_minus(arm: str, group: str = "generated", other: str = "one stream") -> Interval:
    """Mean IoU by tracking of one arm minus another's, for other sequences and other seeds."""
    file = RESULTS / "onestream_arms.json"
    runs = read_measured(file)["runs"] if file.is_file() else []
    return arm_difference(runs, arm, other, group) or UNKNOWN


EVIDENCE = {
    "positions": partial(arm_minus, "no position codes"),
    "joint": partial(arm_minus, "template not seen"),
    "asymmetric": partial(arm_minus, "asymmetric"),
    "asymmetric-joint": partial(arm_minus, "asymmetric", other="template not seen"),
    "stream-joint": partial(arm_minus, "one stream", other="template not seen"),
    "from-random": partial(arm_minus, "convolutions from random weights"),
    "convolutions-patches": partial(
        arm_minus, "convolutions from random weights", other="patches from random weights"
    ),
}
