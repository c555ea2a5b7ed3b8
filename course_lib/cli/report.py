"""`python -m course_lib report`: tables and plots from results on disk."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_lib.cli.evaluate import tables
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.report import make_report
from course_lib.evaluation.results import SUPERVISED
from course_lib.evaluation.runner import PROTOCOLS
from course_lib.evaluation.tables import write_report
from course_lib.files import write_whole
from course_lib.places import RUNS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--tracker", nargs="+", required=True, metavar="LABEL", help="folders of results to compare"
    )
    parser.add_argument("--benchmark", default="generated-v1")
    parser.add_argument(
        "--root", type=Path, help="the data root; default: COURSE_DATA, or data/ in the project"
    )
    parser.add_argument(
        "--results", type=Path, default=RUNS / "results", help="where results are kept"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, default="ope")
    parser.add_argument("--out", type=Path, help="folder for report.md, .csv, .json and the plots")


def run(arguments: argparse.Namespace) -> int:
    """Print the tables and write the files."""
    benchmark = load_benchmark(arguments.benchmark, arguments.root)
    text = tables(arguments.results, benchmark, arguments.tracker, arguments.protocol)
    print(text)
    out = arguments.out or RUNS / "reports" / f"{benchmark.name}-{arguments.protocol}"
    if arguments.protocol in SUPERVISED:  # no curves to draw: its scores are the table
        write_whole(out / "report.md", text)
        print(f"wrote {out / 'report.md'}")
        return 0
    report = make_report(arguments.results, benchmark, arguments.tracker, arguments.protocol)
    for path in write_report(report, out):
        print(f"wrote {path}")
    return 0
