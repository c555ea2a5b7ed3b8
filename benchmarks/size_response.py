"""What size does a network find when the tracker believes in a wrong one, and where does that lead?

python benchmarks/size_response.py siamrpn siamrpn-sized siamrpnpp-lite0 --write results/size_response.json

For each sequence the search image is cut around the true place at 0.6 to 1.68 times the true scale;
the size of the chosen proposal, against the truth, gives a line with slope g and height b. In the
loop of the tracker the size then settles at exp(b / (1 − g)) times the truth: `settles`.

Then the tracker itself, "as found" and "inverted". Gain and bias of the inversion, and for both the
rate at which the size moves, are chosen on generated-v1 and the training videos; nothing is chosen
on the real targets. `drift` is the size in frame 100 (or the last) against the truth where the
place is right: the median of |log|, and how many are beyond twice or half the truth.

Networks that the file already has keep their rows while their weights are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measure import options_of, write_results

from course_lib.analysis.size_response import (
    FACTORS,
    FRAMES,
    SizeResponse,
    fit_response,
    found_sizes,
    median_response,
)
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Sequence
from course_lib.data.training_sets import load_training_videos
from course_lib.evaluation.metrics import auc
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.tuning import mean_auc
from course_lib.files import read_json
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import context_side
from course_lib.models.weights import find_weights, read_card
from course_lib.places import data_root
from course_lib.trackers import make_tracker

SETS: dict[str, Callable[[], list[Sequence]]] = {
    "generated-v1": lambda: list(load_benchmark("generated-v1")),
    "got10k-train": lambda: load_training_videos("got10k-train", data_root()),
    "otb+vot2014": lambda: list(load_benchmark("otb+vot2014")),
}
CALIBRATION, REAL = ("generated-v1", "got10k-train"), "otb+vot2014"
LATER = 100  # frames after which the size is compared; calibration sequences end there
RATES = (0.05, 0.08, 0.12, 0.2, 0.3, 0.45)


def drift_of(boxes: np.ndarray, sequence: Sequence) -> float | None:
    """log(size / true size) after LATER frames, or in the last with a known box; None where the box
    and the target do not overlap.

    Args:
        boxes: (T, 4), a tracker's.
        sequence: the one it tracked.
    """
    known = np.flatnonzero(np.isfinite(sequence.boxes[: LATER + 1]).all(-1))
    at = int(known[-1])
    if not iou(boxes[at], sequence.boxes[at]) > 0:
        return None
    return math.log(context_side(boxes[at, 2:]) / context_side(sequence.boxes[at, 2:]))


def response_of(
    make: Callable[[], Any], sequences: list[Sequence], count: int, smoothed: bool = False
) -> dict[str, Any]:
    """The median response of one tracker on a set of sequences, and that of each.

    Args:
        make: makes the tracker.
        sequences: what it looks at.
        count: frames of each sequence.
        smoothed: see `found_sizes`.
    """
    rows: dict[str, dict[str, Any]] = {}
    responses, logs = [], []
    for sequence in sequences:
        found = found_sizes(make(), sequence.frames, sequence.boxes, count=count, smoothed=smoothed)
        seen = np.isfinite(found).any(0)  # (K,)
        if seen.sum() < 2:
            continue
        response = fit_response(found)
        responses.append(response)
        logs.append([np.nanmedian(c) if s else np.nan for c, s in zip(found.T, seen, strict=True)])
        rows[sequence.name] = {"gain": response.gain, "bias": response.bias, "logs": logs[-1]}
    centre = median_response(responses)
    table = {"gain": centre.gain, "bias": centre.bias, "settles": centre.settles}
    return table | {"logs": np.nanmedian(logs, axis=0).tolist(), "sequences": rows}


def tracking_of(make: Callable[[], Any], sequences: list[Sequence]) -> dict[str, Any]:
    """AUC, precision and drift of one tracker on a set of sequences, means or medians and by
    sequence."""
    rows: dict[str, dict[str, Any]] = {}
    for sequence in sequences:
        boxes = track(make(), sequence).boxes
        score = score_sequence(boxes, sequence.boxes)
        rows[sequence.name] = {
            "auc": auc(score.success),
            "precision20": float(score.precision[20]),
            "drift": drift_of(boxes, sequence),
        }
    sizes = np.abs([row["drift"] for row in rows.values() if row["drift"] is not None])
    return {
        "auc": float(np.mean([row["auc"] for row in rows.values()])),
        "precision20": float(np.mean([row["precision20"] for row in rows.values()])),
        "drift": float(np.median(sizes)),
        "beyond_twice": int((sizes > math.log(2)).sum()),
        "sequences": rows,
    }


def examine(
    weights: str, sets: dict[str, list[Sequence]], count: int, follow: bool = True
) -> dict[str, Any]:
    """Everything about one network.

    Args:
        weights: name or path.
        sets: sequences by the names of `SETS`.
        count: frames of each sequence at which the response is measured.
        follow: whether its tracker runs, too, as found and inverted.
    """
    make = partial(make_tracker, "siamrpn", weights=weights, precision="fp32")
    table: dict[str, Any] = {"sha256": read_card(find_weights(weights))["sha256"]}
    table |= {name: response_of(make, sequences, count) for name, sequences in sets.items()}
    print(weights, {n: (table[n]["gain"], table[n]["bias"]) for n in sets}, flush=True)
    table["after one frame"] = response_of(make, sets[REAL], count, smoothed=True)
    if not follow:
        return table
    both = [SizeResponse(table[name]["gain"], table[name]["bias"]) for name in CALIBRATION]
    gain, bias = median_response(both)
    known = [sequence.part(0, LATER + 1) for name in CALIBRATION for sequence in sets[name]]
    for way, inverse in (("as found", (0.0, 0.0)), ("inverted", (gain, bias))):
        settings = {"size_gain": inverse[0], "size_bias": inverse[1]}
        tried = {rate: mean_auc(partial(make, rate=rate, **settings), known) for rate in RATES}
        settings["rate"] = max(tried, key=tried.get)
        found = tracking_of(partial(make, **settings), sets[REAL])
        table[way] = {"settings": settings, "tried": tried, **found}
        print(weights, way, {k: v for k, v in table[way].items() if k != "sequences"}, flush=True)
    return table


def kept(path: Path | None, frames: int) -> dict[str, Any]:
    """The rows of an earlier file that still hold: as many frames, the same weights.

    Args:
        path: the file; None or a missing one has no rows.
        frames: of each sequence.
    """
    before = read_json(path, "remove it") if path and path.is_file() else {}
    rows = {name: row for name, row in before.items() if isinstance(row, dict) and "sha256" in row}
    return {
        name: row
        for name, row in rows.items()
        if before["frames"] == frames and read_card(find_weights(name))["sha256"] == row["sha256"]
    }


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("weights", nargs="+", help="names or paths of proposal networks")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each sequence")
    parser.add_argument("--responses", action="store_true", help="responses only, without tracking")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    sets = {name: load() for name, load in SETS.items()}
    table: dict[str, Any] = {"factors": list(FACTORS), "frames": options.frames}
    table |= kept(options.write, options.frames)
    for weights in options.weights:
        table[Path(weights).stem] = examine(weights, sets, options.frames, not options.responses)
    siamfc = partial(make_tracker, "siamfc", precision="fp32")
    table["siamfc"] = {
        "after one frame": response_of(siamfc, sets[REAL], options.frames, smoothed=True)
    }
    write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()
