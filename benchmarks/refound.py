"""Does re-detection pay on sequences whose target is hidden for a while or leaves the view?

    python benchmarks/refound.py --choose                          try thresholds, on other sequences
    python benchmarks/refound.py --write results/refound.json      measure, and keep the tables

Each tracker with and without, sequence by sequence: those of generated-v1 whose target is hidden or
leaves, and random ones like them. AUC over all frames, and over those after the target was first
out of sight ("after"); "again" is the fraction of sequences whose target is followed in the last
ten frames. Differences with 95 % intervals over sequences. Frames per second are of all in turns,
on one sequence with an occlusion. `recipes/redetection_*.yaml` says what `--choose` chose, and with
which weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from collections.abc import Sequence as Items
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from measure import exact_tracker, options_of, tracking_speeds, write_results

from course_lib.data.generated import SPECS, SequenceSpec, make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.results import Result
from course_lib.evaluation.tables import markdown_table
from course_lib.geometry.boxes import iou
from course_lib.trackers.redetection import with_redetection

TRACKERS = ("ncc", "mosse", "kcf", "siamfc", "siamrpn")
HIDDEN = 0.1  # less than this fraction of the target visible: out of sight
LAST = 10  # frames at the end of a sequence in which a target found again is followed
FIRST_SEED, CHOICE_SEED = (
    730_000,
    740_000,
)  # of random sequences; in no benchmark and no training
# thresholds tried by --choose: confidence to stay sure, and to be believed at another place
TRIED: dict[str, tuple[Items[float], Items[float]]] = {
    "ncc": ((0.4, 0.5), (0.7, 0.8)),
    "mosse": ((6.0, 7.0, 8.0), (9.0, 11.0, 13.0)),
    "kcf": ((0.25, 0.3), (0.3, 0.33, 0.4)),
    "siamfc": ((1.0, 2.0), (3.0, 5.0)),
    "siamrpn": ((0.8, 0.9), (0.95, 0.98)),
    "siamrpnpp": ((0.9, 0.95), (0.99,)),
    "siammargin": ((0.45, 0.55), (0.6, 0.7)),
}


def random_specs(first: int, count: int) -> list[SequenceSpec]:
    """Specs of random sequences: by turns the target leaves, and two objects pass in front of
    it."""
    switches = ({"leaves": True, "occluders": 0}, {"occluders": 2})
    return [random_spec(first + k, length=100, **switches[k % 2]) for k in range(count)]


def measured_specs(count: int) -> list[SequenceSpec]:
    """Specs of the sequences measured: generated-v1's that are hidden or leave, and `count`
    more."""
    return [s for s in SPECS if s.leaves or s.occluders] + random_specs(FIRST_SEED, count)


def first_hidden(sequence: Sequence) -> int:
    """The first frame in which the target is out of sight; the sequence's length if there is
    none."""
    hidden = np.flatnonzero(sequence.tags["visible"] < HIDDEN)
    return int(hidden[0]) if len(hidden) else len(sequence)


def row_of(sequence: Sequence, result: Result) -> dict[str, Any]:
    """Scores of one pass over one sequence."""
    overlaps, away = iou(result.boxes, sequence.boxes), first_hidden(sequence)  # (T,)
    after = np.arange(len(sequence)) > away
    seen = sequence.tags["visible"] > 0.5
    there = after & seen & np.isfinite(sequence.boxes[:, 0])
    return {
        "auc": float(score_sequence(result.boxes, sequence.boxes).success.mean()),
        # the area under the success curve is the mean IoU, up to its thresholds
        "after": float(overlaps[there].mean()) if there.any() else float("nan"),
        "again": bool(np.nanmean(overlaps[-LAST:]) > 0.5),
    }


def alone(name: str, sequences: Iterable[Sequence]) -> list[Result]:
    """One pass of a tracker over each sequence, without re-detection."""
    return [track(exact_tracker(name), sequence) for sequence in sequences]


def refound(name: str, sequences: Iterable[Sequence], **thresholds: float) -> list[Result]:
    """One pass over each sequence with re-detection.

    Args:
        name: of the tracker.
        sequences: the sequences.
        thresholds: settings of the re-detection other than its recipe's.
    """
    return [
        track(with_redetection(exact_tracker(name), **thresholds), sequence)
        for sequence in sequences
    ]


def rows_of(
    sequences: Items[Sequence], without: Items[Result], with_it: Items[Result]
) -> list[dict[str, Any]]:
    """A row for each sequence, from the passes without and with re-detection."""
    return [
        {
            "sequence": sequence.name,
            "first_hidden": first_hidden(sequence),
            "without": row_of(sequence, one),
            "with": row_of(sequence, other),
        }
        for sequence, one, other in zip(sequences, without, with_it, strict=True)
    ]


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means without and with, and the intervals of the differences over sequences."""
    told: dict[str, Any] = {}
    for key in ("auc", "after", "again"):
        pairs = [(row["without"][key], row["with"][key]) for row in rows]
        before, now = np.array([p for p in pairs if np.isfinite(p).all()], dtype=float).T  # (n,)
        told[key] = {"without": float(before.mean()), "with": float(now.mean())}
        if key in ("auc", "after"):
            gained = Interval.of(now - before)
            told[key] |= {"mean": gained.mean, "half_width": gained.half_width, "n": gained.n}
            told[key]["said"] = str(gained)
    return told


def speeds(names: Items[str], sequence: Sequence) -> dict[str, dict[str, float]]:
    """Frames per second of each tracker without and with re-detection, all in turns."""
    makers = {name: partial(exact_tracker, name) for name in names}
    looking = {
        f"{name} again": lambda name=name: with_redetection(exact_tracker(name)) for name in names
    }
    found, _ = tracking_speeds(makers | looking, sequence)
    return {n: {"without": found[n], "with": found[f"{n} again"]} for n in names}


def print_summary(found: dict[str, dict[str, Any]]) -> None:
    """The table of summaries by tracker."""
    rows = [
        {
            "tracker": name,
            "AUC": f"{told['auc']['without']:.3f} → {told['auc']['with']:.3f}",
            "difference": told["auc"]["said"],
            "after": told["after"]["said"],
            "again": f"{told['again']['without']:.0%} → {told['again']['with']:.0%}",
        }
        for name, told in found.items()
    ]
    print(markdown_table(rows))


def choose(names: Items[str], count: int) -> None:
    """Every pair of thresholds tried on `count` sequences of other seeds, best AUC first."""
    sequences = [make_sequence(spec).loaded() for spec in random_specs(CHOICE_SEED, count)]
    for name in names:
        found, without = {}, alone(name, sequences)
        for sure, least in product(*TRIED[name]):
            if least >= sure:
                with_it = refound(name, sequences, sure=sure, found=least)
                told = summary(rows_of(sequences, without, with_it))
                found[f"{name}, sure {sure:g}, found {least:g}"] = told
        best_first = sorted(found, key=lambda row: -found[row]["auc"]["with"])
        print_summary({row: found[row] for row in best_first})


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = options_of(__doc__)
    options.add_argument("--trackers", nargs="+", default=TRACKERS, choices=TRIED)
    options.add_argument("--clips", type=int, default=24, help="random sequences (default: 24)")
    options.add_argument("--choose", action="store_true", help="try thresholds on other sequences")
    return options


def main() -> None:
    """Measure, print, and write the results if asked to."""
    options = parser().parse_args()
    if options.choose:
        choose(options.trackers, options.clips)
        return
    sequences = [make_sequence(spec).loaded() for spec in measured_specs(options.clips)]
    rows = {
        name: rows_of(sequences, alone(name, sequences), refound(name, sequences))
        for name in options.trackers
    }
    found = {name: summary(of) for name, of in rows.items()}
    print_summary(found)
    fast = speeds(options.trackers, sequences[0])
    for name, of in fast.items():
        print(f"{name}: {of['without']:,.1f} → {of['with']:,.1f} frames per second")
    table = {"trackers": found, "clips": rows, "speed_on": sequences[0].name, "speed": fast}
    write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()
