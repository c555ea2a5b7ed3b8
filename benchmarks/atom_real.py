"""How tightly do ATOM's boxes fit? With and without refinement, beside SiamFC and SiamRPN++.

python benchmarks/atom_real.py --write results/atom_real_sequences.json

One pass over all real sequences; settings are published ones or chosen on generated and training
sequences. Besides the report, `fits` has for each tracker and sequence the fraction of frames with
an IoU above 0.5, 0.6, 0.7, 0.8 and 0.9. Lessons 12 and 13 read the file.
"""

from __future__ import annotations

from functools import partial

import cv2
from measure import one_pass, options_of, write_results

from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import to_markdown
from course_lib.models.device import choose_placement
from course_lib.places import RECIPES
from course_lib.trackers import make_tracker

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
# row of the table: tracker, recipe, overrides
VARIANTS = {
    "atom": ("atom", None, {}),
    "atom, scales": ("atom", None, {"refine": False}),
    "dimp": ("atom", None, {"classifier": "dimp-lite0"}),
    "siamrpn++": ("siamrpn", "siamrpnpp", {"weights": "siamrpnpp-lite0"}),
    "siamfc": ("siamfc", "siamfc", {}),
}


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    makers = {}
    for name in options.variants:
        tracker, recipe, changes = VARIANTS[name]
        path = RECIPES / f"{recipe}.yaml" if recipe else None
        makers[name] = partial(make_tracker, tracker, path, precision="fp32", **changes)
    benchmark = load_benchmark("otb+vot2014")
    report = Report.from_results(benchmark, one_pass(makers, benchmark))
    print(to_markdown(report))
    at = [round(20 * t) for t in THRESHOLDS]  # of the 21 thresholds 0, 0.05 … 1
    fits = {
        name: {
            s: [round(float(score.success[k]), 4) for k in at] for s, score in t.sequences.items()
        }
        for name, t in report.trackers.items()
    }
    for name, rows in fits.items():
        print(name, [round(sum(row[k] for row in rows.values()) / len(rows), 3) for k in range(5)])
    place = choose_placement()
    table = {**report.to_dict(), "thresholds": list(THRESHOLDS), "fits": fits}
    write_results(options.write, table, str(place.device))


if __name__ == "__main__":
    main()
