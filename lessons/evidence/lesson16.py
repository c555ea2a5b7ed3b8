"""What lesson 16 concludes from the course's leaderboard.

While it is not measured, or two protocols share too few trackers, a number read from it is open.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

UNKNOWN = Interval(0.0, math.inf, 0)  # not measured yet
SURELY = 0.975  # fraction of drawn benchmarks on which a tracker is surely ahead


def leaderboard() -> dict[str, Any]:
    """The course's leaderboard; empty while it is missing."""
    path = RESULTS / "leaderboard.json"
    return read_measured(path) if path.is_file() else {}


def compared(one: str, other: str) -> dict[str, Any]:
    """What the leaderboard says of two protocols' rankings; empty while it does not."""
    return leaderboard().get("rankings", {}).get(f"{one}, {other}", {})


def tau(one: str, other: str) -> Interval:
    """Kendall's τ of two protocols; the half width reaches to the farther end of the interval from
    drawing sequences, n counts trackers."""
    found = compared(one, other)
    if not found:
        return UNKNOWN
    low, high = found["interval"]
    half = max(found["tau"] - low, high - found["tau"])
    return Interval(found["tau"], half, found["trackers"])


def surely_turned(one: str, other: str) -> Interval:
    """Number of pairs of trackers that are surely in one order under a protocol and surely in the
    other under another; it has no interval of its own, n counts trackers."""
    found = compared(one, other)
    if not found:
        return UNKNOWN
    turned = [pair for pair in found["reversed"] if min(pair[one], pair[other]) >= SURELY]
    return Interval(float(len(turned)), 0.0, found["trackers"])


def lateness(tracker: str) -> Interval:
    """EAO of the supervised protocol under the real-time rule minus that without; the half width
    reaches to the farther end of the interval from drawing sequences."""
    kept = leaderboard()
    found = kept.get("late", {}).get(tracker)
    if found is None:
        return UNKNOWN
    low, high = found["interval"]
    half = max(found["minus"] - low, high - found["minus"])
    return Interval(found["minus"], half, len(kept["sequences"]))


PAIRS = (
    ("ope", "vot"),
    ("ope", "multistart"),
    ("vot", "multistart"),
    ("vot", "vot-realtime"),
)
EVIDENCE = {f"tau-{a}-{b}": partial(tau, a, b) for a, b in PAIRS} | {
    f"turned-{a}-{b}": partial(surely_turned, a, b) for a, b in PAIRS
}
EVIDENCE |= {
    f"late-{name}": partial(lateness, name)
    for name in ("atom-scales", "siamfc-5s", "siammargin", "siamrpnpp")
}
