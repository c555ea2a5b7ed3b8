"""What lesson 10 concludes from results that come with the course."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

REAL, MADE = "otb+vot2014", "generated-v1"


def by_seed(network: str, read: Callable[[dict[str, Any]], float]) -> dict[int, float]:
    """A number of every run of a network in the long runs of twins and CIR networks."""
    files = ("siamdw_analysis.json", "siamdw_networks.json")
    runs = [row for file in files for row in read_measured(RESULTS / file)["runs"]]
    return {row["seed"]: read(row) for row in runs if row["network"] == network}


def between(one: str, other: str, read: Callable[[dict[str, Any]], float]) -> Interval:
    """The difference of two networks, seed by seed.

    Args:
        one, other: names of the networks.
        read: the number of a run that is compared.
    """
    mine, theirs = by_seed(one, read), by_seed(other, read)
    return Interval.of([mine[seed] - theirs[seed] for seed in mine if seed in theirs])


def twins(family: str, one: int, other: int, benchmark: str) -> Interval:
    """AUC of one twin minus another's, seed by seed.

    Args:
        family: "alexnet" or "resnet".
        one, other: columns of SiamDW's table.
        benchmark: its name.
    """
    names = (f"twin-{family}-{column}" for column in (one, other))
    return between(*names, lambda row: row[benchmark]["auc"])


def validation(family: str, one: int, other: int, what: str) -> Interval:
    """The same for a number of the validation by pairs: "hits" or "distance" (pixels)."""
    names = (f"twin-{family}-{column}" for column in (one, other))
    return between(*names, lambda row: row["validation"][what])


def lag_of(run: dict[str, Any]) -> np.ndarray:
    """Lags (B,) of a run at the largest distance, pair by pair."""
    return np.array(run["lags"][-1])


def edge(padded: str, unpadded: str) -> Interval:
    """By how many pixels more the error grows from the centre to the edge with padding, by seed."""
    found = read_measured(RESULTS / "siamdw_analysis.json")["errors_by_place"]
    at = np.abs(found["places"])
    outer = np.maximum(at[:, None], at[None]) == at.max()

    def growth(name: str) -> np.ndarray:
        errors = np.array(found["runs"][name])  # (seeds, n, n)
        return errors[:, outer].mean(1) - errors[:, len(at) // 2, len(at) // 2]

    return Interval.of(growth(padded) - growth(unpadded))


def behind(name: str, minus: str = "") -> Interval:
    """Pixels by which a twin's boxes stay behind their targets, or the difference of two twins,
    sequence by sequence."""
    found = read_measured(RESULTS / "shift.json")["twins"]
    other = found[minus]["stays_behind"] if minus else {}
    return Interval.of([v - other.get(c, 0.0) for c, v in found[name]["stays_behind"].items()])


def of_shift(
    network: str, shift: float, read: Callable[[dict[str, Any]], np.ndarray]
) -> np.ndarray:
    """A number for each pair or sequence, mean over the seeds, of a network trained with a shift."""
    runs = read_measured(RESULTS / "shift.json")["runs"]
    return np.mean(
        [read(run) for run in runs if (run["network"], run["shift"]) == (network, shift)],
        axis=0,
    )


def shift_lag(network: str) -> Interval:
    """Lag, at the largest distance, of a network trained on centred targets minus that of the same
    trained with ±64 px, pair by pair."""
    return Interval.of(of_shift(network, 0, lag_of) - of_shift(network, 64, lag_of))


def shift_auc(network: str, benchmark: str) -> Interval:
    """AUC of a network trained with ±64 px minus that on centred targets, sequence by sequence."""

    def auc(run: dict[str, Any]) -> np.ndarray:
        return np.array(list(run[benchmark]["auc_by_sequence"].values()))

    return Interval.of(of_shift(network, 64, auc) - of_shift(network, 0, auc))


def shipped(weights: str) -> dict[str, float]:
    """AUC of SiamFC with weights that come with the course, by real sequence; "cir_twin" is a
    narrow AlexNet trained with CIResNet-22's recipe."""
    if weights == "heads-siamfc":  # the first seed of lesson 09's study
        runs = read_measured(RESULTS / "heads.json")["runs"]
        return next(r["clips"][REAL] for r in runs if r["arm"] == "siamfc" and r["seed"] == 0)
    found = read_measured(RESULTS / f"{weights}_real_sequences.json")["auc_by_sequence"]
    return {name: of["siamfc-3s"] for name, of in found.items()}


def shipped_over(weights: str, other: str) -> Interval:
    """AUC with some weights minus that with others, sequence by sequence."""
    mine, theirs = shipped(weights), shipped(other)
    return Interval.of([mine[name] - theirs[name] for name in mine])


EVIDENCE = {
    "padding-alexnet": partial(twins, "alexnet", 5, 6, MADE),
    "padding-resnet": partial(twins, "resnet", 4, 5, MADE),
    "padding-alexnet-real": partial(twins, "alexnet", 5, 6, REAL),
    "padding-resnet-real": partial(twins, "resnet", 4, 5, REAL),
    "whole-alexnet": partial(twins, "alexnet", 5, 1, REAL),
    "whole-resnet": partial(twins, "resnet", 4, 1, REAL),
    "whole-resnet-made": partial(twins, "resnet", 4, 1, MADE),
    "small-alexnet": partial(twins, "alexnet", 8, 5, REAL),
    "small-resnet": partial(twins, "resnet", 7, 4, REAL),
    "stride16-alexnet": partial(twins, "alexnet", 3, 9, REAL),
    "stride16-resnet": partial(twins, "resnet", 2, 8, REAL),
    "stride4-alexnet": partial(twins, "alexnet", 3, 10, REAL),
    "overlap-alexnet": partial(validation, "alexnet", 1, 8, "distance"),
    "overlap-resnet": partial(validation, "resnet", 1, 7, "distance"),
    "overlap-stride": partial(validation, "alexnet", 10, 3, "distance"),
    "hits-whole": partial(validation, "alexnet", 5, 1, "hits"),
    "hits-padded": partial(validation, "alexnet", 5, 6, "hits"),
    "edge-alexnet": partial(edge, "twin-alexnet-6", "twin-alexnet-5"),
    "edge-resnet": partial(edge, "twin-resnet-5", "twin-resnet-4"),
    "behind-padded": partial(behind, "twin-alexnet-6"),
    "behind-unpadded": partial(behind, "twin-alexnet-5"),
    "behind": partial(behind, "twin-alexnet-6", "twin-alexnet-5"),
    "lite0-lag": partial(shift_lag, "lite0"),
    "lite0-real": partial(shift_auc, "lite0", REAL),
    "twin-lag": partial(shift_lag, "twin"),
    "twin-real": partial(shift_auc, "twin", REAL),
    "cir-pairs": partial(between, "ciresnet22", "twin-alexnet-5", lambda row: row[REAL]["auc"]),
    "cir-shipped": partial(shipped_over, "ciresnet22", "siamfc"),
    "cir-twin": partial(shipped_over, "ciresnet22", "cir_twin"),
    "twin-shipped": partial(shipped_over, "cir_twin", "siamfc"),
    "lite0-cir": partial(shipped_over, "heads-siamfc", "ciresnet22"),
    "lite0-alexnet": partial(shipped_over, "heads-siamfc", "siamfc"),
}
