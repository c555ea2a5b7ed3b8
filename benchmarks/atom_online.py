"""Does learning online help among look-alikes? ATOM's classifier, learning and frozen.

python benchmarks/atom_online.py --write results/atom_online.json

VOT's supervised protocol: failures on the generated sequences with look-alikes and on real
sequences with look-alikes, for several seeds of the classifier's first weights, of its samples and
of the boxes' starts. "frozen" learns in the first frame alone; "no hard negatives" learns every
tenth frame and never at once. Resumes where it was cut off: finished runs stand in the file. Lesson
13 reads it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
from measure import options_of, write_results

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Sequence
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.vot import accuracy, run_supervised
from course_lib.files import read_json
from course_lib.trackers import make_tracker

REAL = ("Deer", "DragonBaby", "Football1", "Jogging.1", "Jogging.2")
VARIANTS: dict[str, dict[str, Any]] = {
    "online": {},
    "frozen": {"online": {"frozen": True}},
    "no hard negatives": {"localisation": {"hard_negative": 1e6}},
    "dimp": {"classifier": "dimp-lite0"},
    "dimp frozen": {"classifier": "dimp-lite0", "dimp": {"frozen": True}},
}


def groups() -> dict[str, list[Sequence]]:
    """The sequences, by where they come from."""
    real = [s for s in load_benchmark("otb") if s.name in REAL]
    return {"generated": list(load_benchmark("generated-alike-v1")), "real": real}


def one_run(name: str, seed: int, sequences: dict[str, list[Sequence]]) -> dict[str, Any]:
    """Failures by sequence of one variant from one seed."""
    changes = {**VARIANTS[name], "seed": seed, "samples": {"seed": seed}, "precision": "fp32"}
    changes["online"] = {**VARIANTS[name].get("online", {}), "seed": seed}
    row: dict[str, Any] = {"variant": name, "seed": seed, "failures": {}, "accuracy": {}}
    started, frames = time.perf_counter(), 0
    for kind, group in sequences.items():
        runs = [run_supervised(lambda: make_tracker("atom", **changes), s.loaded()) for s in group]
        failures = {s.name: r.failures for s, r in zip(group, runs, strict=True)}
        row["failures"][kind] = failures
        row["accuracy"][kind] = round(accuracy(runs), 4)
        frames += sum(len(s) for s in group)
    return row | {"frames_per_second": round(frames / (time.perf_counter() - started), 2)}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """By variant the failures of each seed, and how they differ from those of "online"."""
    table: dict[str, Any] = {}
    for row in runs:
        total = sum(sum(found.values()) for found in row["failures"].values())
        table.setdefault(row["variant"], {})[row["seed"]] = total
    found = {}
    for name, totals in table.items():
        common = sorted(set(totals) & set(table.get("online", {})))
        entry: dict[str, Any] = {"failures": [totals[s] for s in sorted(totals)]}
        if name != "online" and common:
            difference = Interval.of([totals[s] - table["online"][s] for s in common])
            entry["more_than_online"] = vars(difference)
        found[name] = entry
    return found


def main() -> None:
    """Measure what is missing, print, write after every run."""
    parser = options_of(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", default=["online", "frozen", "no hard negatives"])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    path: Path | None = options.write
    runs = read_json(path, "delete it to begin anew")["runs"] if path and path.is_file() else []
    done = {(row["variant"], row["seed"]) for row in runs}
    sequences = groups()
    for seed in options.seeds:
        for name in options.variants:
            if (name, seed) in done:
                continue
            runs.append(one_run(name, seed, sequences))
            print(runs[-1], flush=True)
            write_results(path, {"runs": runs, "over_seeds": summary(runs)}, "cpu")
    print(summary(runs))


if __name__ == "__main__":
    main()
