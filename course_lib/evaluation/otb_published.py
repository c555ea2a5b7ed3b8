"""Boxes that authors published on OTB-100, scored by the course's own functions.

Layout: `annotations/<name>.txt` (all targets, counted from 1), `attributes.txt`,
`results/<tracker>/<name>.txt`. No frames are needed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from course_lib.errors import DataError, MissingDataError
from course_lib.evaluation.otb import score_sequence
from course_lib.evaluation.results import read_rows
from course_lib.evaluation.scores import Report, TrackerScores
from course_lib.files import read_text
from course_lib.geometry.boxes import is_valid

NAME = "otb100_published"  # name of the benchmark and of its folder below the data root
SHIFT = np.array([1, 1, 0, 0])  # the files count from 1
# frames that the protocol leaves out at the start; results begin after them
LEFT_OUT = {"tiger1": 5}


def read_published(root: Path) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """True boxes (T, 4) by target, and boxes (T, 4) by tracker and target, 0-based, over the frames
    that count.

    Raises MissingDataError if the folder or a tracker's file is missing, DataError naming a file
    with the wrong number of rows.
    """
    names = sorted(path.stem for path in (root / "annotations").glob("*.txt"))
    if not names:
        raise MissingDataError(
            f"0 annotations found in {root} (looked for annotations/*.txt): put the published "
            "boxes there, "
            "or pass --root, the folder that holds otb100_published"
        )
    truth = {n: _read(root / "annotations" / f"{n}.txt")[LEFT_OUT.get(n, 0) :] for n in names}
    folders = sorted(path for path in (root / "results").glob("*") if path.is_dir())
    if not folders:
        raise MissingDataError(
            f"0 trackers found in {root} (looked for folders in results/): name the folder of "
            "published results"
        )
    results = {folder.name: {n: _read(folder / f"{n}.txt") for n in names} for folder in folders}
    for tracker, boxes in results.items():
        for n in names:
            if len(boxes[n]) != len(truth[n]):
                raise DataError(
                    f"{root / 'results' / tracker / n}.txt has {len(boxes[n])} boxes; expected "
                    f"{len(truth[n])}"
                )
    return truth, results


def _read(path: Path) -> np.ndarray:
    """Boxes (T, 4), 0-based, of a file that counts from 1."""
    if not path.is_file():
        raise MissingDataError(f"{path} does not exist: fetch the published results again")
    return read_rows(path) - SHIFT


def published_report(root: Path, trackers: list[str] | None = None) -> Report:
    """The report on the published trackers in the folder: all, or those named.

    Raises MissingDataError and DataError as `read_published` does.
    """
    truth, results = read_published(root)
    scores = {
        tracker: TrackerScores(
            {n: score_sequence(boxes[n], truth[n]) for n in truth},
            dict.fromkeys(truth, float("nan")),
            sum(int((~is_valid(rows[1:])).sum()) for rows in boxes.values()),
        )
        for tracker, boxes in results.items()
        if trackers is None or tracker in trackers
    }
    return Report(NAME, "ope", scores, _attributes(root / "attributes.txt", list(truth)))


def beside(report: Report, published: Report) -> Report:
    """Both reports' trackers on the sequences they share, under the names of the first report.

    A published tracker is called "KCF (published)" and so on.

    Raises DataError if they have no sequence in common.
    """
    theirs = {_key(name): name for name in published.names}
    both = {name: theirs[_key(name)] for name in report.names if _key(name) in theirs}
    if not both:
        raise DataError(
            f"no sequence of {report.benchmark} is among the {len(theirs)} of {published.benchmark}"
        )
    trackers = {
        t: TrackerScores({n: s.sequences[n] for n in both}, {n: s.fps[n] for n in both}, s.empty)
        for t, s in report.trackers.items()
    }
    for tracker, found in published.trackers.items():
        scores = {ours: found.sequences[name] for ours, name in both.items()}
        trackers[f"{tracker} (published)"] = TrackerScores(
            scores, dict.fromkeys(both, float("nan"))
        )
    return Report(
        f"{report.benchmark} in {published.benchmark}",
        report.protocol,
        trackers,
        {n: report.attributes[n] for n in both},
        report.rule,
    )


def _key(name: str) -> str:
    """A target's name in a form that all sources share: "Jogging.1" and "jogging-1" are one."""
    return re.sub(r"[-.]", "", name.strip().lower())


def _attributes(path: Path, names: list[str]) -> dict[str, frozenset[str]]:
    """OTB tags by target from lines "Name: IV, SV"; a target that is not listed has none."""
    lines = read_text(path).splitlines() if path.is_file() else []
    listed = {}
    for line in lines:
        name, _, tags = line.partition(":")
        listed[_key(name)] = frozenset(re.findall(r"[A-Z]+", tags))
    return {n: listed.get(_key(n), frozenset()) for n in names}
