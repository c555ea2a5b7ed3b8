"""How do the course's trackers rank on real sequences, and does the protocol change the ranking?

    python benchmarks/leaderboard.py --trackers mosse kcf        measure these; runs are kept
    python benchmarks/leaderboard.py --quiet                     real time and speeds: see below
    python benchmarks/leaderboard.py --finished --write results/leaderboard.json

One pass (OPE), VOT's supervised and its multi-start protocol on the same sequences. Each run is
kept in `runs/leaderboard/`, so the command resumes sequence by sequence; `--finished` measures
nothing and makes the table of all trackers that are done. Intervals come from a bootstrap over
sequences. The rank correlation of two protocols is over the trackers that both have; so is that
with what was published of the same systems.

`--quiet` says that a core of the machine is free: only then are frames per second measured, in
turns, and VOT's supervised protocol under the real-time rule, where a slow frame costs accuracy;
`late` is what that costs. Networks run in single precision: in bfloat16 a sequence turns out
differently now and then.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from collections.abc import Sequence as Items
from functools import partial
from itertools import combinations
from typing import Any

import cv2
import numpy as np
import torch
from measure import options_of, tracking_speeds, write_results

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Benchmark
from course_lib.errors import CourseError
from course_lib.evaluation import eao, multistart_scores
from course_lib.evaluation.bootstrap import (
    Spread,
    Standing,
    draws,
    rank_correlation,
    ratio,
    reversed_pairs,
)
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.published import published_scores
from course_lib.evaluation.records import Run
from course_lib.evaluation.report import make_report
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.evaluation.tables import markdown_table
from course_lib.files import json_lines, read_json, write_whole
from course_lib.places import RECIPES, RUNS
from course_lib.trackers import RANKED, system, tracker_class

BENCHMARK, KEPT = "otb+vot2014", RUNS / "leaderboard"
PUBLISHED = {"ope": "OTB-2015 AUC", "vot": "VOT-2018 EAO"}  # what a protocol is compared with
MEASURED, REALTIME = ("ope", "vot", "multistart"), "vot-realtime"
SEQUENCE, FRAMES = "car", 100  # on which speeds are measured
Scores = dict[str, float]


def row(name: str) -> TrackerSpec:
    """A row of the leaderboard, in single precision: a tracker with its recipe where it has one, or
    a system of the course."""
    own = system(name)
    recipe = own.path or RECIPES / f"{name}.yaml"
    settings = dict(own.settings)
    if hasattr(tracker_class(name).Settings, "precision"):
        settings["precision"] = "fp32"
    return TrackerSpec(own.tracker, settings, str(recipe) if recipe.is_file() else None, name)


ROWS = {name: row(name) for name in RANKED}


def measure(labels: Items[str], benchmark: Benchmark, protocols: Items[str]) -> None:
    """Run what is not kept yet; a tracker that this machine lacks is named and left out."""
    for label in labels:
        for protocol in protocols:
            try:
                evaluate([ROWS[label]], benchmark, KEPT, protocol)
            except CourseError as problem:
                print(f"{label}, {protocol}: {problem}")
                break


def measure_speeds(labels: Items[str], benchmark: Benchmark) -> None:
    """Frames per second of trackers in turns, on one thread, added to those that are kept."""
    sequence, makers = benchmark[SEQUENCE].loaded(FRAMES), {}
    for label in labels:
        try:
            ROWS[label].make()
        except CourseError as problem:
            print(f"{label}: {problem}")
        else:
            makers[label] = ROWS[label].make
    found, _ = tracking_speeds(makers, sequence)
    write_whole(KEPT / "speeds.json", json_lines(kept_speeds() | found))


def kept_speeds() -> Scores:
    """Frames per second by tracker, as far as they were measured."""
    path = KEPT / "speeds.json"
    return read_json(path, "remove it and measure again") if path.is_file() else {}


def is_kept(label: str, benchmark: Benchmark, protocol: str) -> bool:
    """Whether a tracker has been through every sequence."""
    runs = (Run(KEPT, benchmark, label, sequence, protocol) for sequence in benchmark)
    return all(path.is_file() for run in runs for path in run.files)


Outcome = tuple[Scores, float, np.ndarray]  # all scores; the one ranked by, also on drawn sequences


def ope_outcome(label: str, benchmark: Benchmark, counts: np.ndarray) -> Outcome:
    """One pass, ranked by AUC."""
    report = make_report(KEPT, benchmark, [label])
    aucs = np.array(list(report.trackers[label].by_sequence().values()))  # (S,)
    told = report.overall()[label]
    scores = {name: told[name] for name in ("auc", "success50", "precision20")}
    return scores, told["auc"], ratio(counts, aucs, np.ones(len(aucs)))


def runs_of(label: str, benchmark: Benchmark, protocol: str) -> list[list[Any]]:
    """The kept runs of a tracker on each sequence."""
    check_kept(KEPT, benchmark, [label], protocol)
    read = PROTOCOLS[protocol].read
    runs = [Run(KEPT, benchmark, label, sequence, protocol) for sequence in benchmark]
    return [[read(path, run.sequence) for path in run.files] for run in runs]


def vot_outcome(
    label: str, benchmark: Benchmark, counts: np.ndarray, protocol: str = "vot"
) -> Outcome:
    """VOT's supervised protocol, ranked by EAO."""
    runs = runs_of(label, benchmark, protocol)
    scores = PROTOCOLS[protocol].score(runs, benchmark)
    low, high = scores["low"], scores["high"]
    sums = np.array([eao.curve_sums(of, high) for of in runs])  # (S, 2, high)
    curves = ratio(counts, sums[:, 0], sums[:, 1])[:, low - 1 :]  # (B, high - low + 1)
    reached = np.isfinite(curves)  # lengths that no drawn segment reaches do not count
    return scores, scores["eao"], np.nansum(curves, axis=1) / np.maximum(reached.sum(axis=1), 1)


def multistart_outcome(label: str, benchmark: Benchmark, counts: np.ndarray) -> Outcome:
    """VOT's multi-start protocol, ranked by EAO."""
    runs = runs_of(label, benchmark, "multistart")
    scores = PROTOCOLS["multistart"].score(runs, benchmark)
    low, high = scores["low"], scores["high"] + 1
    sums = np.array([multistart_scores.curve_sums(of, high) for of in runs])  # (S, 2, high)
    curves = np.nan_to_num(ratio(counts, sums[:, 0], sums[:, 1]))  # (B, high)
    return scores, scores["eao"], curves[:, low:].mean(axis=1)


OUTCOMES: dict[str, Callable[[str, Benchmark, np.ndarray], Outcome]] = {
    "ope": ope_outcome,
    "vot": vot_outcome,
    "multistart": multistart_outcome,
    REALTIME: partial(vot_outcome, protocol=REALTIME),
}


def table(benchmark: Benchmark, samples: int) -> dict[str, Any]:
    """The leaderboard of all that is kept: scores with intervals, and the protocols compared."""
    counts = draws(len(benchmark), samples)
    trackers: dict[str, Any] = {label: {} for label in ROWS}
    standings = {}
    for protocol, outcome in OUTCOMES.items():
        labels = [label for label in ROWS if is_kept(label, benchmark, protocol)]
        if not labels:
            continue
        scores, values, drawn = zip(*(outcome(n, benchmark, counts) for n in labels), strict=True)
        standing = Standing(tuple(labels), np.array(values), np.stack(drawn, axis=1))
        standings[protocol] = standing
        for label, found in zip(labels, scores, strict=True):
            spread = standing.spread(label)
            trackers[label][protocol] = {**found, "interval": [spread.low, spread.high]}
    for label, fps in kept_speeds().items():
        trackers[label]["fps"] = fps
    wanted = (*OUTCOMES, "fps")
    return {
        "benchmark": benchmark.name,
        "sequences": benchmark.names,
        "samples": samples,
        "ranked_by": {name: "auc" if name == "ope" else "eao" for name in OUTCOMES},
        "trackers": {label: found for label, found in trackers.items() if found},
        "not_measured": {
            label: missing
            for label, found in trackers.items()
            if (missing := [name for name in wanted if name not in found])
        },
        "late": cost_of_lateness(standings),
        "rankings": compared(standings),
        "published": compared_with_published(standings),
    }


def cost_of_lateness(standings: dict[str, Standing]) -> dict[str, Any]:
    """By tracker, the supervised protocol's EAO under the real-time rule minus that without."""
    if not {"vot", REALTIME} <= standings.keys():
        return {}
    (whole, late), told = (standings[name] for name in ("vot", REALTIME)), {}
    for name in (n for n in whole.names if n in late.names):
        a, b = whole.names.index(name), late.names.index(name)
        drawn = late.drawn[:, b] - whole.drawn[:, a]
        spread = Spread.of(late.values[b] - whole.values[a], drawn)
        told[name] = {"minus": spread.value, "interval": [spread.low, spread.high]}
    return told


def compared(standings: dict[str, Standing]) -> dict[str, Any]:
    """Rank correlation of every two protocols, and the pairs of trackers that they rank apart."""
    told = {}
    for a, b in combinations(standings, 2):
        one, other = standings[a], standings[b]
        shared = [name for name in one.names if name in other.names]
        if len(shared) < 3:
            continue
        tau = rank_correlation(one, other)
        pairs = [
            {"ahead": first, "behind": second, a: sure, b: also}
            for first, second, sure, also in reversed_pairs(one, other)
        ]
        told[f"{a}, {b}"] = {
            "trackers": len(shared),
            "tau": tau.value,
            "interval": [tau.low, tau.high],
            "reversed": pairs,
        }
    return told


def compared_with_published(standings: dict[str, Standing]) -> dict[str, Any]:
    """The same of each protocol and what was published, which has a value but no intervals."""
    told = {}
    for protocol, score in PUBLISHED.items():
        known = published_scores()[score]
        values = np.array(list(known.values()))  # (K,)
        if protocol in standings:
            samples = len(standings[protocol].drawn)
            drawn = np.broadcast_to(values, (samples, len(values)))  # (B, K)
            fixed = Standing(tuple(known), values, drawn)
            told |= compared({protocol: standings[protocol], score: fixed})
    return told


def print_table(found: dict[str, Any]) -> None:
    """The leaderboard as two tables, best one-pass AUC first."""
    rows = []
    for label, scores in found["trackers"].items():
        cells: dict[str, Any] = {"tracker": label}
        for protocol, score in found["ranked_by"].items():
            cells[f"{protocol}, {score}"] = _with_interval(scores.get(protocol), score)
        rows.append(cells | {"fps": f"{scores['fps']:,.0f}" if "fps" in scores else ""})
    print(markdown_table(sorted(rows, key=lambda r: r["ope, auc"], reverse=True)))
    told = [
        {
            "protocols": name,
            "τ": f"{row['tau']:.2f}, {row['interval'][0]:.2f} to {row['interval'][1]:.2f}",
            "trackers": row["trackers"],
            "pairs reversed": len(row["reversed"]),
        }
        for name, row in (found["rankings"] | found["published"]).items()
    ]
    if told:
        print(markdown_table(told))


def _with_interval(scores: dict[str, Any] | None, name: str) -> str:
    if scores is None:
        return ""
    low, high = scores["interval"]
    return f"{scores[name]:.3f} ({low:.3f} to {high:.3f})"


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = options_of(__doc__)
    options.add_argument("--trackers", nargs="+", default=list(ROWS), choices=ROWS)
    options.add_argument("--finished", action="store_true", help="measure nothing, make the table")
    options.add_argument("--quiet", action="store_true", help="a core of this machine is free")
    options.add_argument("--samples", type=int, default=2000, help="of the bootstrap")
    return options


def main() -> None:
    """Measure what is missing, print, and write the results if asked to."""
    options = parser().parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    benchmark = load_benchmark(BENCHMARK)
    if not options.finished:
        measure(options.trackers, benchmark, MEASURED)
    if options.quiet and not options.finished:
        measure(options.trackers, benchmark, [REALTIME])
        measure_speeds(options.trackers, benchmark)
    found = table(benchmark, options.samples)
    print_table(found)
    write_results(options.write, found, "cpu")


if __name__ == "__main__":
    main()
