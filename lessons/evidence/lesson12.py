"""What lesson 12 concludes from the results that come with the course."""

from __future__ import annotations

from functools import partial

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS


def won_by_refinement(level: float) -> Interval:
    """Success above an IoU with refinement minus with scales, sequence by sequence."""
    kept = read_measured(RESULTS / "atom_real_sequences.json")
    k, fits = kept["thresholds"].index(level), kept["fits"]
    return Interval.of([row[k] - fits["atom, scales"][s][k] for s, row in fits["atom"].items()])


def better_than(other: str) -> Interval:
    """AUC of ATOM with refinement minus another tracker's, sequence by sequence."""
    rows = read_measured(RESULTS / "atom_real_sequences.json")["auc_by_sequence"]
    return Interval.of([row["atom"] - row[other] for row in rows.values()])


def won_by_gain(larger: bool) -> Interval:
    """AUC with refinement minus with scales, over the half of the sequences with the larger or the
    smaller gain of their size response."""
    rows = read_measured(RESULTS / "atom_real_sequences.json")["auc_by_sequence"]
    sizes = read_measured(RESULTS / "atom_size.json")["atom"]["otb+vot2014"]["sequences"]
    order = sorted(sizes, key=lambda name: sizes[name]["gain"])
    half = len(order) // 2
    chosen = order[half:] if larger else order[:half]
    return Interval.of([rows[s]["atom"] - rows[s]["atom, scales"] for s in chosen])


EVIDENCE = {
    **{
        f"refined-{100 * level:.0f}": partial(won_by_refinement, level)
        for level in (0.5, 0.8, 0.9)
    },
    "refined-scales": partial(better_than, "atom, scales"),
    "atom-siamrpnpp": partial(better_than, "siamrpn++"),
    "large-gain": partial(won_by_gain, True),
    "small-gain": partial(won_by_gain, False),
    "atom-siamfc": partial(better_than, "siamfc"),
}
