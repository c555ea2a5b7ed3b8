"""Does ATOM measure a target's size? The size response of the whole tracker, as in lesson 08.

python benchmarks/atom_size.py --write results/atom_size.json

In each of eight frames per sequence the tracker is put on the true place and told that the target
is 0.6 to 1.68 times as large as it is; what it believes after one look is compared with the truth.
The classifier is that of the first frame, and no score is too low: so it is refinement, or the
choice among five scales, that answers. SiamRPN++ on the same backbone and SiamFC, with their own
penalties and smoothing, stand beside it. Lesson 12 reads the file; nothing is chosen by it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
from measure import options_of, write_results
from size_response import response_of

from course_lib.data.benchmarks import load_benchmark
from course_lib.places import RECIPES
from course_lib.trackers import make_tracker

ASKED = {"online": {"frozen": True}, "localisation": {"not_found": -10}}
# row of the table: tracker, recipe, overrides
VARIANTS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "atom": ("atom", None, ASKED),
    "atom, ten steps": ("atom", None, {**ASKED, "climbing": {"steps": 10}}),
    "atom, scales": ("atom", None, {**ASKED, "refine": False}),
    "siamrpn++": ("siamrpn", "siamrpnpp", {"weights": "siamrpnpp-lite0"}),
    "siamfc": ("siamfc", "siamfc", {}),
}
SETS = ("generated-v1", "otb+vot2014")


def main() -> None:
    """Measure, print, write after every variant."""
    parser = options_of(__doc__)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--frames", type=int, default=8, help="of each sequence")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sets = {name: list(load_benchmark(name)) for name in SETS}
    table: dict[str, Any] = {"frames": options.frames}
    for name in options.variants:
        tracker, recipe, changes = VARIANTS[name]
        path = RECIPES / f"{recipe}.yaml" if recipe else None
        make = partial(make_tracker, tracker, path, precision="fp32", **changes)
        table[name] = {
            where: response_of(make, sequences, options.frames, smoothed=True)
            for where, sequences in sets.items()
        }
        for where, row in table[name].items():
            print(
                f"{name:16s} {where:14s} gain {row['gain']:.2f}, bias {row['bias']:+.3f}",
                flush=True,
            )
        write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()
