"""How well do SiamFC, SiamRPN and SiamRPN++ follow real sequences?

python benchmarks/deep_real.py siamfc --write results/siamfc_real_sequences.json
python benchmarks/deep_real.py siamrpn --write results/siamrpn_real_sequences.json
python benchmarks/deep_real.py siamfc --weights public.npz     any other weights, nothing kept

One pass each, networks in single precision; SiamFC searches 1, 3 and 5 scales, SiamRPN has its
published settings, which are of other benchmarks; nothing is tuned on these sequences. Frames per
second are of all rows in turns, on a generated sequence and one thread; in lock-step on a GPU they
are those of the pass. For SiamRPN `split` is the success if only the positions, or only the sizes,
were wrong, and `vot2014` has VOT's measures on the sequences of VOT-2014. Lesson 06 reads the first
file (its table of real sequences), lessons 07 and 08 the second (SiamRPN against SiamFC on targets
that change their shape; settings for one benchmark on another; a SiamRPN whose pairs teach size,
and SiamRPN++ on a backbone that has seen ImageNet).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from measure import exact_tracker, one_pass, options_of, tracking_speeds, write_results

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.eao import supervised_scores
from course_lib.evaluation.results import Result
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import to_markdown
from course_lib.evaluation.vot import run_supervised
from course_lib.geometry.boxes import from_centre, to_centre
from course_lib.models.device import choose_placement
from course_lib.models.weights import find_weights
from course_lib.places import RECIPES
from course_lib.trackers.base import Tracker

# by family and row of the table: recipe and overrides
VARIANTS = {
    "siamfc": {
        "siamfc-1s": ("siamfc", {"scales": 1}),
        "siamfc-3s": ("siamfc", {}),
        "siamfc-5s": ("siamfc_5s", {}),
    },
    "siamrpn": {name: (name.replace("-", "_"), {}) for name in ("siamrpn", "siamrpn-otb")}
    | {
        "siamrpn-vot": ("siamrpn_vot", {}),
        "siamrpn-sized": ("siamrpn", {"weights": "siamrpn-sized"}),
        "siamrpn++": ("siamrpnpp", {"weights": "siamrpnpp-lite0"}),
    },
}
WIDTH = 22  # sequences in lock-step on a GPU
SEED, FRAMES = 720_000, 61  # of the sequence for speeds, atom_speed.py's


def mixed(boxes: np.ndarray, sequence: Sequence, right: str) -> np.ndarray:
    """Boxes (T, 4) given the true size at their own centre, or the true centre at their own size.

    Args:
        boxes: a tracker's.
        sequence: the one it tracked.
        right: "size" or "place".
    """
    own, true = to_centre(boxes), to_centre(sequence.boxes)
    place, size = (own, true) if right == "size" else (true, own)
    return from_centre(np.concatenate([place[:, :2], size[:, 2:]], axis=1))


def split(benchmark: Benchmark, results: dict[str, dict[str, Result]]) -> dict[str, dict]:
    """Success AUC by tracker if its sizes had been right, and if its positions had been."""
    table: dict[str, dict] = {name: {} for name in results}
    for right in ("size", "place"):
        made = {
            name: {
                s.name: replace(found[s.name], boxes=mixed(found[s.name].boxes, s, right))
                for s in benchmark
            }
            for name, found in results.items()
        }
        for name, row in Report.from_results(benchmark, made).overall().items():
            table[name][f"right_{right}"] = round(row["auc"], 4)
    return table


def vot_measures(makers: dict[str, Callable[[], Tracker]]) -> dict[str, dict[str, float]]:
    """Accuracy, robustness (failures per hundred frames) and EAO by tracker on VOT-2014's
    sequences."""
    benchmark = load_benchmark("vot2014")
    lengths = [len(sequence) for sequence in benchmark]
    table = {}
    for name, make in makers.items():
        runs = [[run_supervised(make, sequence)] for sequence in benchmark]
        scores = supervised_scores(runs, benchmark.name, lengths)
        table[name] = {
            "eao": scores["eao"],
            "accuracy": scores["accuracy"],
            "robustness": scores["per_100_frames"],
        }
    return table


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("family", choices=list(VARIANTS))
    parser.add_argument("--weights", help="name or path; the family's own unless given")
    parser.add_argument("--variants", nargs="+", help="only these rows")
    parser.add_argument("--width", type=int, help="sequences in lock-step: 1, or 22 with a GPU")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    family, weights = options.family, options.weights or options.family
    makers = {}
    for name in options.variants or VARIANTS[family]:
        recipe, changes = VARIANTS[family][name]
        path = RECIPES / f"{recipe}.yaml"
        makers[name] = partial(exact_tracker, family, path, **({"weights": weights} | changes))
    if family == "siamrpn":
        makers["siamfc-3s"] = partial(exact_tracker, "siamfc", RECIPES / "siamfc.yaml")
    place, benchmark = choose_placement(), load_benchmark("otb+vot2014")
    width = options.width or (WIDTH if place.device.type == "cuda" else 1)
    results = one_pass(makers, benchmark, width)
    report = Report.from_results(benchmark, results)
    print(to_markdown(report))
    table = {**report.to_dict(), "weights": find_weights(weights).name}
    if width == 1:
        speeds, _ = tracking_speeds(
            makers, make_sequence(random_spec(SEED, length=FRAMES)).loaded()
        )
        for name, fps in speeds.items():
            table["overall"][name]["fps"] = fps
        table["fps_means"] = "of all rows in turns, on a generated sequence and one thread"
        print(speeds)
    if family == "siamrpn":
        table["split"] = split(benchmark, results)
        table["vot2014"] = vot_measures(makers)
        print(table["split"], table["vot2014"])
    write_results(options.write, table, str(place.device), precision="fp32")


if __name__ == "__main__":
    main()
