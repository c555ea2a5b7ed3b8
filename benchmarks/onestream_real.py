"""How well does one stream follow real sequences, beside the trackers before it? And how fast is
it?

    python benchmarks/onestream_real.py --write results/onestream_real_sequences.json

One pass over all real sequences and over generated-v1, settings published or chosen elsewhere;
nothing is chosen here. The other trackers' passes over the real sequences stand in
atom_real_sequences.json; they are taken from there while a pass over the shortest sequence still
gives the AUC that is written there, and measured again otherwise, or with --again. `minus` has the
one stream's AUC minus every other's, sequence by sequence, with an interval over sequences; `speed`
is frames a second on one thread, in turns. Lesson 15 reads the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cv2
from atom_real import VARIANTS as BEFORE
from measure import one_pass, options_of, tracking_speeds, write_results

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Benchmark
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import markdown_table, read_measured
from course_lib.models.weights import find_weights, read_card
from course_lib.places import RECIPES, RESULTS
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker

ONE = "one stream"
OTHERS = ("siamfc", "siamrpn++", "atom", "atom, scales")
# row of the table: tracker, recipe, overrides
VARIANTS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    ONE: ("onestream", None, {"weights": "onestream-lite0"}),
    **{name: BEFORE[name] for name in OTHERS},
}
REAL, GENERATED = "otb+vot2014", "generated-v1"
SCORES = ("auc", "success50", "precision20")
SEED, FRAMES = 720_000, 61  # of the sequence for speeds, atom_speed.py's
SAME = 0.005  # AUCs of a sequence that differ by less count as equal

Makers = Mapping[str, Callable[[], Tracker]]
Rows = dict[str, dict[str, float]]  # by tracker


def makers_of(names: list[str]) -> dict[str, Callable[[], Tracker]]:
    """By row of the table, a function that makes its tracker."""
    made = {}
    for name in names:
        tracker, recipe, changes = VARIANTS[name]
        path = RECIPES / f"{recipe}.yaml" if recipe else None
        made[name] = partial(make_tracker, tracker, path, precision="fp32", **changes)
    return made


def scored(makers: Makers, benchmark: Benchmark) -> tuple[Rows, Rows]:
    """Overall scores, and AUC by sequence, of one pass of each tracker."""
    if not makers:
        return {}, {}
    report = Report.from_results(benchmark, one_pass(makers, benchmark))
    overall = {n: {key: row[key] for key in SCORES} for n, row in report.overall().items()}
    return overall, {name: t.by_sequence() for name, t in report.trackers.items()}


def kept_rows(makers: Makers, benchmark: Benchmark, kept: dict[str, Any]) -> tuple[Rows, Rows]:
    """Overall scores and AUC by sequence from an earlier file, of those trackers that still give
    what it says on the shortest sequence.

    Args:
        makers: of the trackers.
        benchmark: the file's.
        kept: the file.
    """
    names = [name for name in makers if name in kept["overall"]]
    aucs = {
        name: {sequence: row[name] for sequence, row in kept["auc_by_sequence"].items()}
        for name in names
    }
    least = min(benchmark, key=len)
    probe = Benchmark(benchmark.name, (least,))
    _, now = scored({name: makers[name] for name in names}, probe)
    same = [n for n in names if abs(now[n][least.name] - aucs[n][least.name]) < SAME]
    print("kept:", ", ".join(same) or "none")
    overall = {name: {key: kept["overall"][name][key] for key in SCORES} for name in same}
    return overall, {name: aucs[name] for name in same}


def measured(makers: Makers, benchmark: Benchmark, kept: dict[str, Any] | None) -> dict[str, Any]:
    """The entry of one benchmark.

    Args:
        makers: of the trackers.
        benchmark: its sequences.
        kept: an earlier file with some of the trackers' rows; None to measure all.
    """
    overall, aucs = kept_rows(makers, benchmark, kept) if kept else ({}, {})
    taken = list(overall)
    new = scored({name: make for name, make in makers.items() if name not in overall}, benchmark)
    overall, aucs = overall | new[0], aucs | new[1]
    return {
        "overall": {name: overall[name] for name in makers},
        "auc_by_sequence": {
            s.name: {name: round(aucs[name][s.name], 4) for name in makers} for s in benchmark
        },
        "taken_from_atom_real_sequences": taken,
        "minus": {
            name: vars(Interval.of([aucs[ONE][s.name] - aucs[name][s.name] for s in benchmark]))
            for name in makers
            if name != ONE and ONE in makers
        },
    }


def sha256(name: str) -> str:
    """Of the weights of a row's tracker."""
    weights = make_tracker(VARIANTS[name][0], None, **VARIANTS[name][2]).settings.weights
    return str(read_card(find_weights(weights))["sha256"])


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--again", action="store_true", help="take no row from an earlier file")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    makers = makers_of(options.variants)
    kept = None if options.again else read_measured(RESULTS / "atom_real_sequences.json")
    sequence = make_sequence(random_spec(SEED, length=FRAMES)).loaded()
    table = {
        "weights": {name: sha256(name) for name in makers},
        "speed": tracking_speeds(makers, sequence)[0],
        REAL: measured(makers, load_benchmark(REAL), kept),
        GENERATED: measured(makers, load_benchmark(GENERATED), None),
    }
    for name in (REAL, GENERATED):
        print(markdown_table(table[name]["overall"]))
    print(table["speed"], table[REAL]["minus"])
    write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()
