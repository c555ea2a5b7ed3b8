"""`python -m course_lib evaluate`: run trackers over a benchmark."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from course_lib.data.benchmarks import benchmark_names, load_benchmark
from course_lib.data.sequence import Benchmark
from course_lib.errors import CourseError, SettingsError
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.protocols import PROTOCOLS, protocol_named
from course_lib.evaluation.report import got10k_scores, make_report, vot_scores
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.evaluation.tables import markdown_table, scores_table, sequence_table, to_markdown
from course_lib.places import RUNS
from course_lib.recipe import parse_overrides
from course_lib.trackers import ALL_NAMES, tracker_class


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    option = parser.add_argument
    option(
        "--tracker",
        nargs="+",
        required=True,
        metavar="NAME",
        help=f"one or more of {', '.join(ALL_NAMES)}",
    )
    add_benchmark_arguments(parser)
    option("--sequences", help="only these, separated by commas")
    option(
        "--part",
        metavar="K/N",
        help="only part K of N, for N machines or jobs; `report` shows the table of all parts",
    )
    option(
        "--workers",
        type=int,
        default=os.cpu_count(),
        help="sequences at a time (default: one per core)",
    )
    option(
        "--lockstep",
        type=int,
        help="sequences that share each call of a deep tracker's network "
        "(default: 16 with a GPU, else 1; one-pass protocol only)",
    )
    option("--recipe", help="YAML file with settings, for a single tracker")
    option(
        "--label",
        help="name of the folder of results, for a single tracker; default: the tracker's name",
    )
    option(
        "--absent-below",
        type=float,
        metavar="SCORE",
        help="report the target absent where the tracker's score (`last.score`) is lower than "
        "this; for a single tracker and protocols that count absence: multistart, longterm, vots",
    )
    option(
        "--fresh",
        action="store_true",
        help="run again even where there are results: those that this command made for these "
        "trackers, sequences and protocol are replaced, nothing else",
    )
    option(
        "--set",
        nargs="+",
        default=[],
        dest="settings",
        metavar="TRACKER.KEY=VALUE",
        help="for example mosse.rate=0.2",
    )


def add_benchmark_arguments(parser: argparse.ArgumentParser, more: str = "") -> None:
    """The options that say what is scored and where results are, shared with `report`.

    `more` is appended to the help of --benchmark.
    """
    option = parser.add_argument
    option(
        "--benchmark",
        default="generated-v1",
        help=f"one of {', '.join(benchmark_names())} (or vot with another year), several joined "
        "with '+', as in otb+vot2014, or folder:PATH, your own sequences: a folder for each with images "
        "or one video, and groundtruth.txt (x,y,w,h per line, counted from 0) or "
        "groundtruth_rect.txt (counted from 1); default: generated-v1. "
        f"data_scripts/README.md says where each is expected{more}",
    )
    option(
        "--first-pixel",
        type=int,
        choices=(0, 1),
        help="number of the top-left pixel in the box files of folder:PATH "
        "(default: 1 for groundtruth_rect*.txt, 0 for groundtruth.txt)",
    )
    option(
        "--root",
        type=some_path,
        help="the data root; default: COURSE_DATA, or data/ in the project",
    )
    option(
        "--results",
        type=some_path,
        help="folder of results; default: runs/results in the project",
    )
    option(
        "--protocol",
        choices=list(PROTOCOLS),
        default="ope",
        help="how trackers are run and scored; ope (default), tre and sre are OTB's, vot is VOT's "
        "supervised protocol, multistart its protocol from 2020 to 2022, longterm its long-term one, vots "
        "that of the VOTS challenges",
    )
    option("--per-sequence", action="store_true", help="print the scores of each sequence as well")


def some_path(text: str) -> Path:
    """A path that is not empty, which would mean the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def benchmark_name(arguments: argparse.Namespace) -> str:
    """The benchmark's name from the options; raises SettingsError if they do not fit together."""
    name = arguments.benchmark
    if arguments.first_pixel is not None:
        name, found = re.subn(r"(^|\+)folder:", rf"\1folder{arguments.first_pixel}:", name, count=1)
        if not found:
            raise SettingsError(
                f"--first-pixel is for a folder of your own sequences, folder:PATH; {name} itself "
                "defines where it counts from"
            )
    return name


def run(arguments: argparse.Namespace) -> int:
    """Run what has no result yet, then print the table."""
    specs = _specs(arguments)
    benchmark = load_benchmark(benchmark_name(arguments), arguments.root)
    if arguments.sequences is not None:
        benchmark = _chosen(benchmark, arguments.sequences)
    whole = benchmark
    if arguments.part is not None:
        benchmark = _part(benchmark, arguments.part)
    results = arguments.results or RUNS / "results"
    evaluate(
        specs,
        benchmark,
        results,
        arguments.protocol,
        arguments.workers,
        arguments.root,
        lockstep=_lockstep_width(arguments.lockstep, specs),
        fresh=arguments.fresh,
    )
    labels = [s.folder for s in specs]
    if benchmark is not whole:
        print(
            f"part {arguments.part}: {len(benchmark)} of {len(whole)} sequences are done, in "
            f"{results}. With all parts in one folder, `python -m course_lib report --tracker "
            f"{' '.join(labels)}` with the same --benchmark and --protocol shows the table."
        )
        return 0
    more = {"per_sequence": arguments.per_sequence}
    print(tables(results, benchmark, labels, arguments.protocol, **more))
    return 0


def tables(
    results: Path,
    benchmark: Benchmark,
    trackers: list[str],
    protocol: str,
    layout: str = "course",
    per_sequence: bool = False,
) -> str:
    """The tables of a protocol in Markdown; for GOT-10k its own scores as well.

    Args:
        results: the folder of results.
        benchmark: what they were measured on.
        trackers: names of folders of results.
        protocol: the protocol.
        layout: how the results are laid out, see `evaluation.layouts`.
        per_sequence: whether to add the scores of each sequence.

    Raises DataError if results are of other data, MissingDataError if some are missing.
    """
    chosen = (results, benchmark, trackers, protocol)
    notes = check_kept(*chosen) if layout == "course" else []
    row = protocol_named(protocol)
    if row.by_curves:
        report = make_report(*chosen, layout)
        text = to_markdown(report)
        if benchmark.name.startswith("got10k") and row.experiment:  # what its toolkit scores
            scores = got10k_scores(results, benchmark, trackers, layout)
            text += "\nGOT-10k:\n\n" + scores_table(scores)
        text += "\n" + sequence_table(report) if per_sequence else ""
    else:
        table = scores_table(vot_scores(*chosen, layout), row.columns)
        text = f"**{benchmark.name}**, {row.title}\n\n{table}\n{row.note}\n"
        text += "\n" + _brief_table(*chosen, layout) if per_sequence else ""
    return text + "".join(f"\n{note}\n" for note in notes)


def _brief_table(results, benchmark, trackers, protocol, layout) -> str:
    """Some of a protocol's own scores for each sequence."""
    brief, rows = PROTOCOLS[protocol].brief, []
    for name in benchmark.names:
        scores = vot_scores(results, benchmark.only([name]), trackers, protocol, layout)
        rows += [
            {"sequence": name, "tracker": tracker, **{c: scores[tracker][c] for c in brief}}
            for tracker in trackers
        ]
    return markdown_table(rows, formats={"failures": "g"})


def _specs(arguments: argparse.Namespace) -> list[TrackerSpec]:
    """The trackers to run, each with its overrides."""
    settings: dict[str, dict[str, str]] = {name: {} for name in arguments.tracker}
    for key, value in parse_overrides(arguments.settings).items():
        tracker, dot, name = key.partition(".")
        if not dot or tracker not in settings:
            raise SettingsError(
                f"setting {key}={value} should start with one of the trackers asked for, "
                f"as in {arguments.tracker[0]}.key={value}"
            )
        settings[tracker][name] = value
    alone = (arguments.recipe, arguments.label, arguments.absent_below)
    if len(settings) > 1 and any(given is not None for given in alone):
        raise SettingsError(
            "--recipe, --label and --absent-below are for a single tracker; "
            f"{len(settings)} are asked for: "
            f"{', '.join(settings)}"
        )
    return [
        TrackerSpec(name, settings[name], arguments.recipe, arguments.label, arguments.absent_below)
        for name in arguments.tracker
    ]


def _lockstep_width(asked: int | None, specs: list[TrackerSpec]) -> int:
    """Sequences that share a call of the network: as asked for, or 16 on a GPU."""
    if asked is not None:
        return asked
    if not any(tracker_class(spec.name).lockstep for spec in specs):
        return 1
    import torch

    return 16 if torch.cuda.is_available() else 1


def _part(benchmark: Benchmark, text: str) -> Benchmark:
    """Part K of N, from "K/N": every N-th sequence, so that each part gets long and short ones."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    k, n = map(int, found.groups()) if found else (0, 0)
    if not 1 <= k <= n <= len(benchmark):
        raise SettingsError(
            f"--part is {text!r}; expected K/N with K from 1 to N, and N at most the "
            f"{len(benchmark)} sequences there are, for example 1/{min(2, len(benchmark))}"
        )
    return benchmark.only(benchmark.names[k - 1 :: n])


def _chosen(benchmark: Benchmark, text: str) -> Benchmark:
    """The sequences named in `text`, with commas between; each must be one of the benchmark's."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise SettingsError(
            f"--sequences is {text!r}; expected names with commas between, for example "
            f"{','.join(benchmark.names[:2])}"
        )
    try:
        return benchmark.only(names)
    except KeyError as problem:
        raise CourseError(str(problem.args[0])) from None
