"""From results on disk to scores: those of each tracker on a benchmark, per sequence and per
attribute.

A report is computed from result files, ours or anybody's, and the benchmark's truth alone.
"""

from __future__ import annotations

from pathlib import Path

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.evaluation.got10k import ao_sr
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.layouts import read_passes, run_paths
from course_lib.evaluation.protocols import PROTOCOLS, protocol_named
from course_lib.evaluation.records import Run
from course_lib.evaluation.results import Result, read_result
from course_lib.evaluation.rules import rule_of
from course_lib.evaluation.scores import Report, TrackerScores
from course_lib.geometry.boxes import is_valid


def make_report(
    root: Path,
    benchmark: Benchmark,
    trackers: list[str],
    protocol: str = "ope",
    layout: str = "course",
) -> Report:
    """The report on trackers whose results are below `root`.

    Args:
        root: the folder of results.
        benchmark: what they were measured on.
        trackers: names of their folders.
        protocol: one scored by curves, see `protocols.PROTOCOLS`.
        layout: how the results are laid out, a name in `layouts.LAYOUTS`.

    Raises:
        MissingDataError: naming every run without results.
        DataError: if a result does not fit its sequence or was measured on other data (see
            `kept.check_kept`), or the benchmark's truth is withheld.
        SettingsError: for a protocol that is not scored by curves.
    """
    if not protocol_named(protocol).by_curves:
        raise SettingsError(f"protocol {protocol!r} is not scored by curves; see `vot_scores`")
    _check(root, benchmark, trackers, protocol, layout)
    rule, missing, scores = rule_of(benchmark.name), [], {}
    for tracker in trackers:
        runs = []
        for sequence in benchmark:
            try:
                run = Run(root, benchmark, tracker, sequence, protocol)
                runs.append((sequence, _passes(run, layout)))
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
            "Run `python -m course_lib evaluate` with the same names: it runs what is missing."
        )
    return Report(benchmark.name, protocol, scores, {s.name: s.attributes for s in benchmark}, rule)


def vot_scores(
    root: Path,
    benchmark: Benchmark,
    trackers: list[str],
    protocol: str = "vot",
    layout: str = "course",
) -> dict[str, dict[str, float]]:
    """The scores of a protocol that is not scored by curves, by tracker, the best first.

    Args:
        root, benchmark, trackers, layout: as in `make_report`.
        protocol: one that has a `score`, such as "vot", "multistart" or "longterm".

    Returns:
        By tracker, the protocol's `columns`.

    Raises:
        MissingDataError: if a run is missing; DataError if a file holds none, or the truth is
            withheld.
    """
    row, table = protocol_named(protocol), {}
    _check(root, benchmark, trackers, protocol, layout)
    for tracker in trackers:
        runs = [Run(root, benchmark, tracker, s, protocol) for s in benchmark]
        runs = [[row.read(path, r.sequence) for path in run_paths(layout, r)] for r in runs]
        table[tracker] = row.score(runs, benchmark)
    return dict(sorted(table.items(), key=lambda item: -item[1][row.best]))


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
        runs = [Run(root, benchmark, tracker, s, "ope") for s in benchmark]
        pairs = [(result.boxes, r.sequence) for r in runs for result in read_passes(layout, r)]
        scores = ao_sr([boxes for boxes, _ in pairs], [s for _, s in pairs])
        table[tracker] = {name: scores[name] for name in ("ao", "sr50", "sr75")}
    return dict(sorted(table.items(), key=lambda item: -item[1]["ao"]))


def _check(
    root: Path, benchmark: Benchmark, trackers: list[str], protocol: str, layout: str
) -> None:
    """Raise DataError if the course's results are of other data or the truth is withheld.

    If only first boxes were known, every tracker would come out perfect.
    """
    if layout == "course":
        check_kept(root, benchmark, trackers, protocol, sums=False)
    if not any(is_valid(sequence.boxes[1:]).any() for sequence in benchmark):
        raise DataError(
            f"{benchmark.name} has no true boxes after the first frames: they are withheld. Write "
            "the results with --export and send them to the benchmark's server."
        )


def _passes(run: Run, layout: str) -> list[tuple[int, Result]]:
    """The passes of a run, each with the frame it starts on."""
    starts = PROTOCOLS[run.protocol].starts
    if starts is None:
        return [(0, result) for result in read_passes(layout, run)]
    if layout != "course":
        raise SettingsError(
            f"protocol {run.protocol!r} is read from the course's own results only; leave "
            "out --layout"
        )
    passes = []
    for path, start in zip(run.files, starts(run.sequence).values(), strict=True):
        result = read_result(path, run.benchmark.first_pixel)
        _check_length(path, result, run.sequence, start)
        passes.append((start, result))
    return passes


def _check_length(path: Path, result: Result, sequence: Sequence, start: int) -> None:
    if len(result) != len(sequence) - start:
        raise DataError(
            f"{path} has {len(result)} boxes, sequence {sequence.name} {len(sequence) - start} "
            f"frames from {start} on; run it again with --fresh"
        )
