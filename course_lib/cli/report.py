"""`python -m course_lib report`: tables and plots from results, or results in other layouts."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_lib.cli.evaluate import add_benchmark_arguments, benchmark_name, tables
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Benchmark
from course_lib.errors import MissingDataError, SettingsError
from course_lib.evaluation import otb_published as published
from course_lib.evaluation.export import export_results, pack_submission
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.layouts import LAYOUTS
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.report import make_report
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import to_markdown, write_markdown, write_report
from course_lib.files import plain_name
from course_lib.places import RUNS, data_root

# benchmarks whose results may be shown beside the published ones
OTB = ("otb100", "otb", "otb50", "otb2013")
LAYOUT_HELP = (
    "layout of the results below --results: course (BENCHMARK/TRACKER/SEQUENCE.txt, the "
    "default), otb (TRACKER/SEQUENCE.txt, as the GOT-10k toolkit does for OTB), got10k "
    "(TRACKER/SEQUENCE/SEQUENCE_001.txt), vot (TRACKER/baseline/SEQUENCE/SEQUENCE_001.bin, or with "
    "the frame of each anchor; text files are read as well), vot-text (the same, written as text)"
)
EXPORT_HELP = (
    "instead of tables, write the results to FOLDER in a toolkit's LAYOUT (otb, got10k, vot or "
    "vot-text); no existing file is replaced. With got10k, TRACKER.zip is what its server takes"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    option = parser.add_argument
    option(
        "--tracker",
        nargs="+",
        default=[],
        metavar="LABEL",
        help="folders of results to compare; with --benchmark otb100_published all published "
        "trackers unless some are named; other names are your own results "
        "on OTB, shown beside them",
    )
    add_benchmark_arguments(
        parser,
        '; "otb100_published" stands for the boxes that authors published, below the data root',
    )
    option("--layout", choices=list(LAYOUTS), default="course", help=LAYOUT_HELP)
    option("--export", nargs=2, metavar=("LAYOUT", "FOLDER"), help=EXPORT_HELP)
    option(
        "--out",
        type=Path,
        help="folder for report.md, .csv, .json and the plots (default: one below runs/reports)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the tables and write the files."""
    if arguments.benchmark == published.NAME:
        return _report_published(arguments)
    if not arguments.tracker:
        raise SettingsError("no --tracker is given; name the folders of results to compare")
    results = _results(arguments)
    benchmark = load_benchmark(benchmark_name(arguments), arguments.root)
    if arguments.export:
        return _export(arguments, results, benchmark)
    chosen = (results, benchmark, arguments.tracker, arguments.protocol, arguments.layout)
    text = tables(*chosen, arguments.per_sequence)
    print(text)
    out = _out(arguments, benchmark.name)
    if not PROTOCOLS[arguments.protocol].by_curves:  # no curves to draw
        print(f"wrote {write_markdown(text, out)}")
        return 0
    return _write(make_report(*chosen), out)


def _results(arguments: argparse.Namespace) -> Path:
    """The folder of results, which must be named if it is a toolkit's."""
    if arguments.results is None and arguments.layout != "course":
        raise SettingsError(
            f"--layout {arguments.layout} needs --results, the toolkit's folder that holds one "
            "folder for each tracker"
        )
    return arguments.results or RUNS / "results"


def _out(arguments: argparse.Namespace, benchmark: str) -> Path:
    return arguments.out or RUNS / "reports" / f"{benchmark}-{arguments.protocol}"


def _write(report: Report, out: Path) -> int:
    for path in write_report(report, out):
        print(f"wrote {path}")
    return 0


def _export(arguments: argparse.Namespace, results: Path, benchmark: Benchmark) -> int:
    """Write every tracker's results in another layout."""
    layout, folder = arguments.export
    if layout not in LAYOUTS or layout == "course":
        others = ", ".join(name for name in LAYOUTS if name != "course")
        raise SettingsError(
            f"--export {layout} is not a toolkit's layout; expected one of {others}"
        )
    if arguments.layout == "course":
        for note in check_kept(results, benchmark, arguments.tracker, arguments.protocol):
            print(note)
    for tracker in arguments.tracker:
        files = export_results(
            (arguments.layout, results),
            benchmark,
            tracker,
            arguments.protocol,
            (layout, Path(folder)),
        )
        print(f"wrote {len(files)} files of {tracker} below {folder}")
        if layout == "got10k":
            print(f"wrote {pack_submission(Path(folder), tracker)}, to be uploaded")
    return 0


def _report_published(arguments: argparse.Namespace) -> int:
    """Report on published boxes, all or those named, with the user's results on OTB beside them."""
    for value, default in (("protocol", "ope"), ("layout", "course"), ("export", None)):
        if getattr(arguments, value) != default:
            raise SettingsError(f"--{value} has no meaning for {published.NAME}; leave it out")
    root = arguments.root or data_root()
    report = published.published_report(root / published.NAME)
    known = [name for name in arguments.tracker if name in report.trackers]
    own = [name for name in arguments.tracker if name not in report.trackers]
    if known:
        report = published.published_report(root / published.NAME, known)
    if own:
        results = _results(arguments)
        benchmark = load_benchmark(_own_benchmark(results, own, list(report.trackers)), root)
        for note in check_kept(results, benchmark, own, "ope"):
            print(note)
        report = published.beside(make_report(results, benchmark, own), report)
    print(to_markdown(report))
    return _write(report, _out(arguments, published.NAME))


def _own_benchmark(results: Path, own: list[str], names: list[str]) -> str:
    """The OTB benchmark on which all of the user's trackers have results."""
    for name in OTB:
        if all((results / name / plain_name(label, "--tracker")).is_dir() for label in own):
            return name
    raise MissingDataError(
        f"{', '.join(own)}: neither published ({', '.join(names)} are) nor all with results in "
        f"{results} on one of {', '.join(OTB)}. Run `python -m course_lib evaluate --benchmark otb "
        "--tracker "
        f"{' '.join(own)}` first."
    )
