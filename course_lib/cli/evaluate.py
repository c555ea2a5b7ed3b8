"""`python -m course_lib evaluate`: run trackers over a benchmark."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Benchmark
from course_lib.errors import CourseError, SettingsError
from course_lib.evaluation.report import got10k_scores, make_report, vot_scores
from course_lib.evaluation.results import SUPERVISED
from course_lib.evaluation.runner import PROTOCOLS, TrackerSpec, evaluate
from course_lib.evaluation.tables import scores_table, to_markdown, vot_table
from course_lib.places import RUNS
from course_lib.recipe import parse_overrides
from course_lib.trackers import LOCKSTEP, TRACKER_NAMES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--tracker",
        nargs="+",
        required=True,
        metavar="NAME",
        help=f"one or more of {', '.join(TRACKER_NAMES)}",
    )
    parser.add_argument(
        "--benchmark",
        default="generated-v1",
        help='"generated-v1" (default), "otb100", "otb+vot2014", …',
    )
    parser.add_argument(
        "--root", type=Path, help="the data root; default: COURSE_DATA, or data/ in the project"
    )
    parser.add_argument(
        "--results", type=Path, default=RUNS / "results", help="where results are kept"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, default="ope")
    parser.add_argument("--sequences", help="only these, separated by commas")
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count(),
        help="sequences at a time (default: one per core)",
    )
    parser.add_argument(
        "--lockstep",
        type=int,
        help="sequences that share each call of a deep tracker's network (default: 16 with a GPU, else 1)",
    )
    parser.add_argument("--recipe", help="YAML file with settings, for a single tracker")
    parser.add_argument(
        "--label",
        help="name of the results' folder, for a single tracker; default: the tracker's name",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="throw earlier results of these trackers on this benchmark away",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        dest="settings",
        metavar="TRACKER.KEY=VALUE",
        help="for example mosse.rate=0.2",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run what has no result yet, then print the table."""
    specs = _specs(arguments)
    benchmark = load_benchmark(arguments.benchmark, arguments.root)
    if arguments.sequences:
        benchmark = _chosen(benchmark, arguments.sequences.split(","))
    if arguments.fresh:
        for spec in specs:
            shutil.rmtree(arguments.results / benchmark.name / spec.folder, ignore_errors=True)
    if arguments.workers < 1:
        raise SettingsError(f"--workers is {arguments.workers}; expected 1 or more")
    width = _lockstep_width(arguments.lockstep, specs)
    evaluate(
        specs,
        benchmark,
        arguments.results,
        arguments.protocol,
        arguments.workers,
        arguments.root,
        lockstep=width,
    )
    print(tables(arguments.results, benchmark, [s.folder for s in specs], arguments.protocol))
    return 0


def tables(
    results: Path,
    benchmark: Benchmark,
    trackers: list[str],
    protocol: str,
    layout: str = "course",
) -> str:
    """The tables of a protocol in Markdown; for GOT-10k its own scores as well."""
    if protocol in SUPERVISED:
        rule = "" if protocol == "vot" else ", in real time"
        scores = vot_scores(results, benchmark, trackers, protocol, layout)
        return f"**{benchmark.name}**, VOT supervised{rule}\n\n" + vot_table(scores)
    text = to_markdown(make_report(results, benchmark, trackers, protocol, layout))
    if benchmark.name.startswith("got10k") and protocol == "ope":
        text += "\nGOT-10k:\n\n" + scores_table(got10k_scores(results, benchmark, trackers, layout))
    return text


def _specs(arguments: argparse.Namespace) -> list[TrackerSpec]:
    """What to run, each tracker with the overrides that name it."""
    settings: dict[str, dict[str, str]] = {name: {} for name in arguments.tracker}
    for key, value in parse_overrides(arguments.settings).items():
        tracker, dot, name = key.partition(".")
        if not dot or tracker not in settings:
            raise SettingsError(
                f"setting {key}={value} should start with one of the trackers asked for, as in {arguments.tracker[0]}.key={value}"
            )
        settings[tracker][name] = value
    if len(settings) > 1 and (arguments.recipe or arguments.label):
        raise SettingsError(
            f"--recipe and --label are for a single tracker; {len(settings)} are asked for: {', '.join(settings)}"
        )
    return [
        TrackerSpec(name, chosen, arguments.recipe, arguments.label)
        for name, chosen in settings.items()
    ]


def _lockstep_width(asked: int | None, specs: list[TrackerSpec]) -> int:
    """How many sequences share a call of the network: what was asked for, or 16 where there is a GPU to fill."""
    if asked is not None:
        return asked
    if not any(spec.name in LOCKSTEP for spec in specs):
        return 1
    import torch

    return 16 if torch.cuda.is_available() else 1


def _chosen(benchmark: Benchmark, names: list[str]) -> Benchmark:
    try:
        return benchmark.only(names)
    except KeyError as problem:
        raise CourseError(str(problem.args[0])) from None
