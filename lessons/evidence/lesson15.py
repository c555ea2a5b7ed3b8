"""What lesson 15 concludes from the results that come with the course.

Files that a long run has not left yet say nothing: a difference read from them is open.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from course_lib.evaluation.arms import arm_difference
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

UNKNOWN = Interval(0.0, math.inf, 0)  # not measured yet
REAL = "otb+vot2014"


def measured(name: str) -> dict[str, Any]:
    """A file of results; empty while it is missing."""
    path = RESULTS / name
    return read_measured(path) if path.is_file() else {}


def real_minus(other: str, benchmark: str = REAL) -> Interval:
    """AUC of the one stream minus another tracker's, sequence by sequence."""
    rows = (
        measured("onestream_real_sequences.json").get(benchmark, {}).get("auc_by_sequence", {})
    )
    differences = [row["one stream"] - row[other] for row in rows.values() if other in row]
    return Interval.of(differences) if differences else UNKNOWN


def pairs_minus(other: str, group: str = "generated") -> Interval:
    """Mean IoU by tracking of another network that was trained with equal pairs minus the one
    stream's, for other sequences and other seeds."""
    runs = measured("onestream_arms.json").get("runs", [])
    return arm_difference(runs, other, "one stream", group) or UNKNOWN


def told_minus(what: str, group: str) -> Interval:
    """Mean IoU of the one stream minus SiamRPN++'s, both told the "true place" or "true size"."""
    kept = measured("place_or_size.json").get(group)
    if kept is None:
        return UNKNOWN
    count = len(kept["one stream"]["by_sequence"][what])
    return Interval(**kept["minus"][what], n=count)


def smoothed_gain(way: str, group: str) -> Interval:
    """What smoothing the size adds to a tracker's mean IoU, or taking its smoothing away."""
    kept = measured("place_or_size.json").get(group, {}).get("smoothed")
    if kept is None:
        return UNKNOWN
    return Interval(**kept[way]["gain"], n=len(kept[way]["by_sequence"]))


def signal_minus(one: str, other: str, group: str = "generated") -> Interval:
    """Area under the ROC curve of one signal minus another's; the half width reaches to the farther
    end of the interval from drawing sequences."""
    kept = measured("lost_signals.json")
    found = kept.get("differences", {}).get(group, {}).get(f"{one} - {other}")
    return _around(found, 0.0, kept, group)


def signal_above_half(one: str, group: str = "generated") -> Interval:
    """Area under the ROC curve of a signal minus that of one that says nothing."""
    kept = measured("lost_signals.json")
    found = kept.get("signals", {}).get(one, {}).get("area", {}).get(group, {}).get("lost")
    return _around(found, 0.5, kept, group)


def _around(
    found: dict[str, float] | None, level: float, kept: dict[str, Any], group: str
) -> Interval:
    """The interval around a mean minus a level; unknown if it is missing."""
    if found is None or found["low"] is None:
        return UNKNOWN
    half = max(found["mean"] - found["low"], found["high"] - found["mean"])
    return Interval(found["mean"] - level, half, len(kept["clips"][group]))


EVIDENCE = {
    "stream-siamfc": partial(real_minus, "siamfc"),
    "stream-siamrpnpp": partial(real_minus, "siamrpn++"),
    "stream-atom": partial(real_minus, "atom"),
    "stream-atom-scales": partial(real_minus, "atom, scales"),
    "pairs-siamfc": partial(pairs_minus, "siamfc"),
    "pairs-siamrpnpp": partial(pairs_minus, "siamrpn++"),
    "pairs-atom": partial(pairs_minus, "atom"),
    "told-place-generated": partial(told_minus, "true place", "generated"),
    "told-size-generated": partial(told_minus, "true size", "generated"),
    "told-place-real": partial(told_minus, "true place", "real"),
    "told-size-real": partial(told_minus, "true size", "real"),
    "smoothed-generated": partial(smoothed_gain, "one stream, 0.3", "generated"),
    "smoothed-real": partial(smoothed_gain, "one stream, 0.3", "real"),
    "unsmoothed-real": partial(smoothed_gain, "siamrpn++, unsmoothed", "real"),
    "lost-stream": partial(signal_above_half, "onestream"),
    "lost-stream-mosse": partial(signal_minus, "onestream", "mosse"),
    "lost-stream-siamfc": partial(signal_minus, "onestream", "siamfc"),
    "lost-stream-siamrpnpp": partial(signal_minus, "onestream", "siamrpn++"),
    "lost-stream-atom": partial(signal_minus, "onestream", "atom"),
    "lost-siamrpnpp-siamfc": partial(signal_minus, "siamrpn++", "siamfc"),
    "lost-atom-state": partial(signal_minus, "atom", "atom, state"),
}
