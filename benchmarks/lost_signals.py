"""Does a tracker's score tell that it is lost? The ROC of each tracker's own, on targets that
vanish.

    python benchmarks/lost_signals.py --write results/lost_signals.json

Generated sequences whose target leaves the view or is hidden by objects, and the real sequences
that OTB tags with occlusion (OCC) or out of view (OV); one pass each, all settings by default. A
frame is "away" if the target is absent or less than a tenth of it is visible, and "elsewhere" if it
can be seen, but the box has no overlap with it; in both the tracker is lost. `area` is the area
under the ROC curve, pooled over frames, with an interval from drawing sequences again; `curve` is
that of the generated sequences; and `shown` has the scores of two sequences, frame by frame. Passes
are kept in runs/lost_signals/, so the same command resumes. Lesson 15 reads the file; nothing is
chosen by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from lost_areas import (
    AWAY,
    ELSEWHERE,
    FOLLOWED,
    QUESTIONS,
    Row,
    curve,
    drawn_areas,
    interval,
    pooled,
)
from measure import options_of, write_results
from refound import HIDDEN, random_specs

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence
from course_lib.data.sequence import Sequence
from course_lib.errors import MissingDataError
from course_lib.evaluation.lost import area
from course_lib.evaluation.tables import markdown_table
from course_lib.files import read_json, write_whole
from course_lib.geometry.boxes import iou
from course_lib.models.weights import find_weights, read_card
from course_lib.places import RECIPES, RUNS
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker, confidence_of

FIRST_SEED = 760_000  # of the generated sequences; in no benchmark, training or choice of settings
TAGS = {"OCC", "OV"}  # of the real sequences
LEAST = 5  # frames out of sight, and as many in sight after them, in a generated sequence
STATES = ("not found", "uncertain", "hard negative", "found")  # ATOM's, the worst first


def state_of(tracker: Tracker) -> float:
    """ATOM's state as a number: 0 not found … 3 found."""
    return float(STATES.index(tracker.last.state))


class Pass(NamedTuple):
    """A tracker that is run, and its signals.

    Attributes:
        tracker: its name.
        weights: their name; "" for a tracker without.
        says: what each signal is, by its name in the table.
        reads: tracker after `update` → value, for each signal.
        recipe: of its settings; "" for the defaults.
    """

    tracker: str
    weights: str
    says: dict[str, str]
    reads: tuple[Callable[[Tracker], float], ...] = (confidence_of,)
    recipe: str = ""

    def make(self) -> Tracker:
        """A fresh tracker."""
        path = RECIPES / f"{self.recipe}.yaml" if self.recipe else None
        changes = {"weights": self.weights, "precision": "fp32"} if self.weights else {}
        return make_tracker(self.tracker, path, **changes)

    def sha256(self) -> str:
        """Of the weights; "" for a tracker without. Raises MissingDataError if there are none."""
        return str(read_card(find_weights(self.weights))["sha256"]) if self.weights else ""


PASSES = {
    "mosse": Pass("mosse", "", {"mosse": "peak-to-sidelobe ratio"}),
    "kcf": Pass("kcf", "", {"kcf": "peak of the response"}),
    "siamfc": Pass("siamfc", "siamfc", {"siamfc": "response at the target"}, recipe="siamfc"),
    "siamrpn": Pass("siamrpn", "siamrpn", {"siamrpn": "probability of the proposal"}),
    "siamrpn++": Pass(
        "siamrpn",
        "siamrpnpp-lite0",
        {"siamrpn++": "probability of the proposal"},
        recipe="siamrpnpp",
    ),
    "atom": Pass(
        "atom",
        "atom-lite0",
        {"atom": "score of the classifier", "atom, state": "state, not found 0 … found 3"},
        (confidence_of, state_of),
    ),
    "onestream": Pass("onestream", "onestream-lite0", {"onestream": "score of the cell"}),
}


def generated_clips(count: int) -> list[Sequence]:
    """The first `count` random sequences whose target is out of sight for some frames, and then
    seen again; by turns it leaves, and objects pass in front of it."""
    found: list[Sequence] = []
    for spec in random_specs(FIRST_SEED, 10 * count):
        if len(found) < count:
            sequence = make_sequence(spec)
            away = np.flatnonzero(sequence.tags["visible"] < HIDDEN)
            if len(away) >= LEAST and len(sequence) - 1 - away[-1] >= LEAST:
                found.append(sequence)
    return found


def real_clips() -> list[Sequence]:
    """The real sequences with occlusion or a target that leaves."""
    return [s for s in load_benchmark("otb+vot2014") if TAGS & s.attributes]


def states_of(boxes: np.ndarray, sequence: Sequence) -> str:
    """A letter for each frame but the first: whether the target is followed, away or elsewhere.

    Args:
        boxes: (T, 4) of a tracker.
        sequence: what it tracked; without a tag "visible" the target is away where it has no box.
    """
    away = ~np.isfinite(sequence.boxes[:, 0])  # (T,)
    if "visible" in sequence.tags:
        away |= sequence.tags["visible"] < HIDDEN
    apart = ~(iou(boxes, sequence.boxes) > 0)  # (T,)
    letters = np.where(away, AWAY, np.where(apart, ELSEWHERE, FOLLOWED))
    return "".join(letters[1:])


def pass_over(of: Pass, sequence: Sequence) -> Row:
    """One pass: the states of the frames from the second on, and the values of each signal."""
    tracker, boxes, values = of.make(), [sequence.boxes[0]], []
    tracker.init(sequence.frames[0], sequence.boxes[0])
    for t in range(1, len(sequence)):
        boxes.append(tracker.update(sequence.frames[t]))
        values.append([read(tracker) for read in of.reads])
    columns = np.round(values, 4).T.tolist()  # (S, T − 1)
    return {
        "states": states_of(np.array(boxes), sequence),
        "scores": dict(zip(of.says, columns, strict=True)),
    }


def file_of(name: str) -> Path:
    """Where a tracker's rows are kept."""
    return RUNS / "lost_signals" / f"{name}.json"


def kept_rows(name: str) -> dict[str, Row]:
    """A tracker's rows of an earlier run with the same weights, by `key_of` their sequence. Raises
    MissingDataError if its weights are missing."""
    sha256, file = PASSES[name].sha256(), file_of(name)
    kept = read_json(file, "delete it to have it measured again") if file.is_file() else {}
    return kept["rows"] if kept.get("sha256") == sha256 else {}


def key_of(sequence: Sequence) -> str:
    """A name for a sequence that changes if its boxes do."""
    return f"{sequence.name} {sequence.identity()['truth']}"


def measure(names: Items[str], sequences: Items[Sequence]) -> dict[str, dict[str, Row]]:
    """Rows by tracker and sequence; each is kept as soon as it is there. Trackers whose weights are
    missing are left out, and named.

    Args:
        names: of PASSES.
        sequences: what to track; one is in memory at a time.
    """
    rows = {}
    for name in names:
        try:
            rows[name] = kept_rows(name)
        except MissingDataError as problem:
            print(f"{name} is left out: {problem}", flush=True)
    for sequence in sequences:
        key = key_of(sequence)
        missing = [name for name in rows if key not in rows[name]]
        frames = sequence.loaded() if missing else sequence
        for name in missing:
            rows[name][key] = pass_over(PASSES[name], frames)
            kept = {"sha256": PASSES[name].sha256(), "rows": rows[name]}
            write_whole(file_of(name), json.dumps(kept) + "\n")
        print(f"  {sequence.name}", flush=True)
    return {name: {c.name: of[key_of(c)] for c in sequences} for name, of in rows.items()}


def signal_row(groups: dict[str, dict[str, Row]], signal: str) -> tuple[Row, dict[str, np.ndarray]]:
    """A signal's areas by group and question, its curve, and the drawn areas for lost frames."""
    told: Row = {"area": {}}
    draws = {}
    for group, of in groups.items():
        rows = list(of.values())
        told["area"][group] = {}
        for question, asked in QUESTIONS.items():
            found = drawn_areas(rows, signal, asked)
            scores, right = pooled(rows, signal, asked)
            told["area"][group][question] = {
                **interval(area(scores, right), found),
                "frames": int(right.sum()),
                "followed": int((~right).sum()),
            }
            if question == "lost":
                draws[group] = found
    return told | {"curve": curve(list(groups["generated"].values()), signal)}, draws


def differences(signals: Mapping[str, Row], draws: Mapping[str, dict[str, np.ndarray]]) -> Row:
    """By group, "one - other": the difference of two signals' areas for lost frames."""
    names, told = list(signals), {}
    for group in draws[names[0]]:
        told[group] = {}
        for one in names:
            for other in names:
                if one != other:
                    a, b = (signals[n]["area"][group]["lost"]["mean"] for n in (one, other))
                    found = draws[one][group] - draws[other][group]
                    told[group][f"{one} - {other}"] = interval(a - b, found)
    return told


def shown_clips(
    rows: Mapping[str, dict[str, dict[str, Row]]], sequences: Items[Sequence]
) -> dict[str, Row]:
    """Scores and states of all signals in the first sequence whose target leaves, and in the first
    whose target is hidden.

    Args:
        rows: by tracker, group and sequence.
        sequences: the generated ones.
    """
    gone = [not np.isfinite(c.boxes[:, 0]).all() for c in sequences]
    chosen = [sequences[gone.index(kind)] for kind in (True, False) if kind in gone]
    return {
        sequence.name: {
            "leaves": not np.isfinite(sequence.boxes[:, 0]).all(),
            "visible": np.round(sequence.tags["visible"][1:], 2).tolist(),
            "states": {name: of["generated"][sequence.name]["states"] for name, of in rows.items()},
            "scores": {
                signal: np.round(values, 3).tolist()
                for of in rows.values()
                for signal, values in of["generated"][sequence.name]["scores"].items()
            },
        }
        for sequence in chosen
    }


def table_of(
    rows: Mapping[str, dict[str, dict[str, Row]]], groups: Mapping[str, Items[Sequence]]
) -> Row:
    """The file's entries.

    Args:
        rows: by tracker, group and sequence.
        groups: the sequences.
    """
    signals, draws = {}, {}
    for name, of in rows.items():
        for signal, says in PASSES[name].says.items():
            row, draws[signal] = signal_row(of, signal)
            signals[signal] = {"tracker": name, "says": says} | row
    return {
        "hidden": HIDDEN,
        "clips": {
            group: {c.name: len(c) for c in sequences} for group, sequences in groups.items()
        },
        "weights": {name: PASSES[name].sha256() for name in rows},
        "signals": signals,
        "differences": differences(signals, draws),
        "shown": shown_clips(rows, groups["generated"]),
    }


def print_areas(signals: Mapping[str, Row]) -> None:
    """The areas as a table."""
    print(
        markdown_table(
            {
                signal: {
                    f"{group}: {question}": f"{a['mean']:.3f} [{a['low']}, {a['high']}]"
                    for group, of in row["area"].items()
                    for question, a in of.items()
                    if a["frames"]
                }
                for signal, row in signals.items()
            }
        )
    )


def main() -> None:
    """Measure what is missing, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("--trackers", nargs="+", default=list(PASSES), choices=PASSES)
    parser.add_argument("--clips", type=int, default=24, help="generated sequences (default: 24)")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    groups = {"generated": generated_clips(options.clips), "real": real_clips()}
    found = measure(options.trackers, [sequence for of in groups.values() for sequence in of])
    rows = {
        name: {
            group: {c.name: of[c.name] for c in sequences} for group, sequences in groups.items()
        }
        for name, of in found.items()
    }
    table = table_of(rows, groups)
    print_areas(table["signals"])
    write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()
