"""What lesson 13 concludes from the results that come with the course."""

from __future__ import annotations

from functools import partial

import numpy as np

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS


def last_loss(solver: str) -> Interval:
    """The last loss of conjugate gradients with the preconditioner minus another solver's, first frame by first frame."""
    last = read_measured(RESULTS / "atom_solvers.json")["last"]
    return Interval.of(np.subtract(last["CG with preconditioner"], last[solver]))


def online_minus_frozen() -> Interval:
    """Failures in a sequence with look-alikes, mean over seeds, sequence by sequence."""
    runs = read_measured(RESULTS / "atom_online.json")["runs"]
    online, frozen = (
        np.mean(
            [
                [
                    counts[name]
                    for _, counts in sorted(r["failures"].items())
                    for name in sorted(counts)
                ]
                for r in runs
                if r["variant"] == variant
            ],
            axis=0,
        )  # (sequences,)
        for variant in ("online", "frozen")
    )
    return Interval.of(online - frozen)


def neck_minus(other: str, one: str = "from the identity") -> Interval:
    """AUC on the real targets of one row, by default the neck that ships, minus another's, sequence
    by sequence; all rows refine boxes with the same network."""
    table = read_measured(RESULTS / "dimp_neck.json")
    rows = {run["arm"]: run["real"] for run in table["runs"]}
    rows |= {name: row["real"] for name, row in table["references"].items()}
    return Interval.of([auc - rows[other][s] for s, auc in rows[one].items()])


EVIDENCE = {
    "preconditioned-plain": partial(last_loss, "CG"),
    "preconditioned-adam": partial(last_loss, "Adam"),
    "preconditioned-descent": partial(last_loss, "steepest descent"),
    "online-frozen": online_minus_frozen,
    "dimp-atom": partial(neck_minus, "ATOM's classifier"),
    "neck-block": partial(neck_minus, "at random, with a block", one="at random"),
    "neck-random": partial(neck_minus, "at random"),
    "neck-training": partial(neck_minus, "not trained"),
}
