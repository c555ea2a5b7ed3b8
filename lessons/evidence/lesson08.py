"""What lesson 08 concludes from results that come with the course."""

from functools import partial

import numpy as np

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

REAL = "otb+vot2014"  # 22 targets


def auc_on_real(tracker: str, other: str, only: str = "") -> Interval:
    """By how much the AUC of one tracker exceeds that of another on the 22 real targets, or `only`
    on those of "otb" (upper case) or of "vot2014" (lower case)."""
    sequences = read_measured(RESULTS / "siamrpn_real_sequences.json")["auc_by_sequence"]
    return Interval.of(
        [
            row[tracker] - row[other]
            for name, row in sequences.items()
            if only in ("", "vot2014" if name.islower() else "otb")
        ]
    )


def inverted(network: str) -> Interval:
    """By how much inverting the size response raises the AUC of a network's tracker."""
    table = read_measured(RESULTS / "size_response.json")[network]
    before, after = table["as found"]["sequences"], table["inverted"]["sequences"]
    return Interval.of([after[name]["auc"] - before[name]["auc"] for name in before])


def taught() -> Interval:
    """By how much the gain of SiamRPN exceeds that of the one whose pairs teach size, target by
    target."""
    table = read_measured(RESULTS / "size_response.json")
    plain, sized = (table[n][REAL]["sequences"] for n in ("siamrpn", "siamrpn-sized"))
    return Interval.of([plain[n]["gain"] - sized[n]["gain"] for n in plain if n in sized])


def cause(arm: str) -> Interval:
    """By how much changing one thing in the recipe raises the gain, mean over seeds, target by
    target."""
    runs = read_measured(RESULTS / "size_causes.json")["runs"]
    mine, theirs = (
        [run["clips"][REAL] for run in runs if run["arm"] == name]
        for name in (arm, "the recipe")
    )
    common = set.intersection(*map(set, mine + theirs))
    return Interval.of(
        [
            np.mean([r[n] for r in mine]) - np.mean([r[n] for r in theirs])
            for n in sorted(common)
        ]
    )


def another_seed() -> Interval:
    """By how much the gain of the recipe's second training exceeds that of the first, target by
    target."""
    runs = read_measured(RESULTS / "size_causes.json")["runs"]
    first, second = (
        run["clips"][REAL]
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["arm"] == "the recipe"
    )
    return Interval.of([second[n] - first[n] for n in first if n in second])


EVIDENCE = {
    "siamrpn-siamfc": partial(auc_on_real, "siamrpn", "siamfc-3s"),
    "otb-vot": partial(auc_on_real, "siamrpn-otb", "siamrpn-vot"),
    "otb-vot-otb": partial(auc_on_real, "siamrpn-otb", "siamrpn-vot", "otb"),
    "otb-vot-vot": partial(auc_on_real, "siamrpn-otb", "siamrpn-vot", "vot2014"),
    "lite0-siamfc": partial(auc_on_real, "siamrpn++", "siamfc-3s"),
    "lite0-siamfc-vot": partial(auc_on_real, "siamrpn++", "siamfc-3s", "vot2014"),
    "sized": partial(auc_on_real, "siamrpn-sized", "siamrpn"),
    "inverted-siamrpnpp": partial(inverted, "siamrpnpp-lite0"),
    "gain-taught": taught,
    "cause-anchors": partial(cause, "anchors by IoU"),
    "cause-scales": partial(cause, "scales within 30 %"),
    "cause-exemplar": partial(cause, "exemplar varied too"),
    "cause-template": partial(cause, "template at one scale"),
    "cause-whole": partial(cause, "whole things only"),
    "cause-norms": partial(cause, "norms of the batch"),
    "cause-pasted": partial(cause, "nothing pasted"),
    "cause-smooth": partial(cause, "smooth L1"),
    "cause-giou": partial(cause, "GIoU"),
    "cause-doubled": partial(cause, "box loss doubled"),
    "cause-dilated": partial(cause, "dilated backbone"),
    "cause-seed": another_seed,
    "cause-all": partial(cause, "as before"),
}
