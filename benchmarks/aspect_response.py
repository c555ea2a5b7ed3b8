"""Does the shape that a network finds follow the shape that was marked, or the one it sees?

python benchmarks/aspect_response.py heads-upchannel heads-concat --write results/aspect_response.json

For each sequence the tracker is put on the true place in four frames. `marked`: the first box has
0.5 to 2 times the true aspect ratio and cuts the same exemplar. `believed`: so has the box that the
tracker believes in (for a guided network, the mask in the search image). `penalised`: as
`believed`, with the tracker's penalty on changes of shape on. `seen`: the first box is right, and
the later frames are stretched. The gain of each is the slope of log(found / true aspect) over log
k; lesson 09 draws them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from measure import options_of, write_results

from course_lib.analysis.aspect_response import ASPECTS, LOOKS, marked_aspects, seen_aspects
from course_lib.analysis.size_response import fit_response
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Sequence
from course_lib.trackers import make_tracker

SETS = ("generated-v1", "otb+vot2014")
NETWORK_ALONE = {"penalty": 0.0}  # the most probable box, whatever its shape; the window stays

Looks = Callable[[Any, Sequence], np.ndarray]
WAYS: dict[str, tuple[dict[str, float], Looks]] = {
    "marked": (NETWORK_ALONE, lambda t, s: marked_aspects(t, s.frames, s.boxes)),
    "believed": (NETWORK_ALONE, lambda t, s: marked_aspects(t, s.frames, s.boxes, True)),
    "penalised": ({}, lambda t, s: marked_aspects(t, s.frames, s.boxes, True)),
    "seen": (NETWORK_ALONE, lambda t, s: seen_aspects(t, s.frames, s.boxes)),
}


def responses_of(weights: str, subjects: list[Sequence]) -> dict[str, Any]:
    """For each way to look: median logs (K,) over sequences, and the gain on each sequence."""
    rows: dict[str, dict[str, Any]] = {way: {"logs": [], "gains": {}} for way in WAYS}
    for sequence in subjects:
        for way, (settings, look) in WAYS.items():
            tracker = make_tracker("siamrpn", weights=weights, precision="fp32", **settings)
            logs = look(tracker, sequence)  # (F, K)
            seen = np.isfinite(logs).any(0)  # (K,)
            if seen.all():  # a shape at which the target was never found would bend the line
                rows[way]["logs"].append(np.nanmedian(logs, axis=0))
                rows[way]["gains"][sequence.name] = fit_response(logs, ASPECTS).gain
        print(
            sequence.name,
            {w: round(r["gains"].get(sequence.name, np.nan), 2) for w, r in rows.items()},
            flush=True,
        )
    for row in rows.values():
        row["logs"] = np.median(row["logs"], axis=0).tolist()
        row["gain"] = float(np.median(list(row["gains"].values())))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("weights", nargs="+", help="names or paths of proposal networks")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    table: dict[str, Any] = {"aspects": list(ASPECTS), "frames": LOOKS, "networks": {}}
    for weights in options.weights:
        table["networks"][weights] = {}
        for name in options.sets:
            found = responses_of(weights, list(load_benchmark(name)))
            table["networks"][weights][name] = found
            print(weights, name, {w: round(row["gain"], 3) for w, row in found.items()}, flush=True)
    write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()
