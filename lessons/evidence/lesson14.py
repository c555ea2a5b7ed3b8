"""What lesson 14 concludes from the results that come with the course.

A file that a long run has not left yet says nothing: a difference read from it is open.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

UNKNOWN = Interval(0.0, math.inf, 0)  # not measured yet


def arm_minus(arm: str, group: str = "generated", other: str = "one stream") -> Interval:
    """Mean IoU by tracking of one arm minus another's, clip by clip, means over the seeds that both
    have."""
    file = RESULTS / "onestream_arms.json"
    runs = read_measured(file)["runs"] if file.is_file() else []
    seeds = [{r["seed"] for r in runs if r["arm"] == name} for name in (arm, other)]
    both = seeds[0] & seeds[1]
    if not both:
        return UNKNOWN
    mine, theirs = (
        [r["clips"][group] for r in runs if r["arm"] == name and r["seed"] in both]
        for name in (arm, other)
    )
    sequences = list(mine[0])
    means = [
        [np.mean([of[sequence] for of in found]) for sequence in sequences]
        for found in (mine, theirs)
    ]
    return Interval.of(np.subtract(*means))


EVIDENCE = {
    "positions": partial(arm_minus, "no position codes"),
    "joint": partial(arm_minus, "template not seen"),
    "asymmetric": partial(arm_minus, "asymmetric"),
    "from-random": partial(arm_minus, "convolutions from random weights"),
    "convolutions-patches": partial(
        arm_minus, "convolutions from random weights", other="patches from random weights"
    ),
}
