"""From results on disk to scores: what each tracker reached on a benchmark, per sequence and per
attribute.

A report is computed from result files and the benchmark's truth alone, ours or anybody's.
"""

from __future__ import annotations

from pathlib import Path

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.evaluation.eao import eao, interval
from course_lib.evaluation.got10k import ao_sr
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.layouts import read_passes, run_paths
from course_lib.evaluation.records import Run
from course_lib.evaluation.results import Result, read_result
from course_lib.evaluation.rules import rule_of
from course_lib.evaluation.scores import Report, TrackerScores
from course_lib.evaluation.vot import accuracy, averages_by_length, read_supervised, robustness
from course_lib.geometry.boxes import is_valid


def make_report(
    root: Path,
    benchmark: Benchmark,
    trackers: list[str],
    protocol: str = "ope",
    layout: str = "course",
) -> Report:
    """The report on trackers whose results stand below `root`.

    Args:
        root: the folder of results.
        benchmark: what they are of.
        trackers: names of their folders.
        protocol: "ope", "realtime", "tre" or "sre".
        layout: how the results are laid out, a name in `layouts.LAYOUTS`.

    Raises:
        MissingDataError: naming every run without results.
        DataError: if a result does not fit its sequence or was measured on other data (see
            `kept.check_kept`), or the benchmark's truth is withheld.
    """
    _check(root, benchmark, trackers, protocol, layout)
    rule, missing, scores = rule_of(benchmark.name), [], {}
    for tracker in trackers:
        runs = []
        for sequence in benchmark:
            try:
                passes = _passes(root, benchmark, tracker, sequence, protocol, layout)
                runs.append((sequence, passes))
            except MissingDataError:
                missing.append(f"{tracker} on {sequence.name}")
        scores[tracker] = TrackerScores.of(runs, rule)
    if missing:
        shown = ", ".join(missing[:5]) + (
            f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        )
        below = root / benchmark.name if layout == "course" else root
        raise MissingDataError(
            f"no {protocol} results below {below} for {shown}. "
            "Run `python -m course_lib evaluate` with the same names: it does what is missing."
        )
    return Report(benchmark.name, protocol, scores, {s.name: s.attributes for s in benchmark}, rule)


def vot_scores(
    root: Path,
    benchmark: Benchmark,
    trackers: list[str],
    protocol: str = "vot",
    layout: str = "course",
) -> dict[str, dict[str, float]]:
    """VOT's scores by tracker from supervised runs, best EAO first; repetitions are averaged.

    Args:
        root, benchmark, trackers, layout: as in `make_report`.
        protocol: "vot" or "vot-realtime".

    Returns:
        Accuracy, failures and reliability pooled over frames (`robustness`) and weighted by length
        (`averages_by_length`), EAO and its interval of lengths.

    Raises:
        MissingDataError: if a run is missing; DataError if a file is not one.
    """
    if layout == "course":
        check_kept(root, benchmark, trackers, protocol, sums=False)
    low, high = interval(benchmark.name, [len(sequence) for sequence in benchmark])
    table = {}
    for tracker in trackers:
        groups = []
        for s in benchmark:
            paths = run_paths(layout, root, benchmark.name, tracker, s.name, protocol)
            groups.append([read_supervised(path, s) for path in paths])
        runs = [run for group in groups for run in group]
        pooled = robustness(runs)
        pooled["failures"] *= len(groups) / len(runs)  # of one run on each sequence
        table[tracker] = {
            "accuracy": accuracy(runs),
            **pooled,
            **averages_by_length(groups),
            "eao": eao(runs, low, high),
            "low": low,
            "high": high,
        }
    return dict(sorted(table.items(), key=lambda item: -item[1]["eao"]))


def got10k_scores(
    root: Path, benchmark: Benchmark, trackers: list[str], layout: str = "course"
) -> dict[str, dict[str, float]]:
    """GOT-10k's AO, SR.5 and SR.75 by tracker from one-pass results; see `got10k.ao_sr`.

    Args:
        root, benchmark, trackers, layout: as in `make_report`.

    Raises:
        MissingDataError: if a result is missing; DataError if one does not fit, or the truth is
            withheld.
    """
    _check(root, benchmark, trackers, "ope", layout)
    table = {}
    for tracker in trackers:
        passes = [(s, read_passes(layout, root, benchmark, tracker, s)) for s in benchmark]
        pairs = [(result.boxes, s) for s, results in passes for result in results]
        scores = ao_sr([boxes for boxes, _ in pairs], [s for _, s in pairs])
        table[tracker] = {name: scores[name] for name in ("ao", "sr50", "sr75")}
    return dict(sorted(table.items(), key=lambda item: -item[1]["ao"]))


def _check(
    root: Path, benchmark: Benchmark, trackers: list[str], protocol: str, layout: str
) -> None:
    """Raise DataError if the course's results are of other data, or the truth is withheld.

    Where first boxes alone are given, every tracker would come out perfect.
    """
    if layout == "course":
        check_kept(root, benchmark, trackers, protocol, sums=False)
    if not any(is_valid(sequence.boxes[1:]).any() for sequence in benchmark):
        raise DataError(
            f"{benchmark.name} has no true boxes after the first frames: they are withheld. Write "
            "the results with --export and send them to the benchmark's server."
        )


def _passes(
    root: Path, benchmark: Benchmark, tracker: str, sequence: Sequence, protocol: str, layout: str
) -> list[tuple[int, Result]]:
    """The passes of a protocol on one sequence, each with the frame it starts on."""
    if protocol == "ope":
        return [(0, result) for result in read_passes(layout, root, benchmark, tracker, sequence)]
    if layout != "course":
        raise SettingsError(
            f"protocol {protocol!r} is read from the course's own results alone; leave --layout out"
        )
    passes = []
    for path in Run(root, benchmark, tracker, sequence, protocol).files:
        start = int(path.stem.rsplit("-", 1)[1]) if protocol == "tre" else 0
        result = read_result(path, benchmark.first_pixel)
        _check_length(path, result, sequence, start)
        passes.append((start, result))
    return passes


def _check_length(path: Path, result: Result, sequence: Sequence, start: int) -> None:
    if len(result) != len(sequence) - start:
        raise DataError(
            f"{path} has {len(result)} boxes, sequence {sequence.name} {len(sequence) - start} "
            f"frames from {start} on; run it again with --fresh"
        )
