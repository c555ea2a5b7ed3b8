"""What does a frame of ATOM cost? Each part of the tracker, and the whole, on one thread.

python benchmarks/atom_speed.py --write results/atom_speed.json

Medians over a generated sequence, milliseconds, of each part over the frames in which it runs;
`frames_per_second` with updates and frozen. The first frame, in which the classifier is learned,
is reported apart. Lesson 13 reads the file.
"""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
import torch
from measure import one_thread, options_of, write_results

from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.trackers import make_tracker
from course_lib.trackers.atom import ATOMTracker

SEED, FRAMES = 720_000, 61  # of the sequence
VARIANTS: dict[str, dict[str, Any]] = {
    "online": {},
    "frozen": {"online": {"frozen": True}},
    "scales": {"refine": False},
    "dimp": {"classifier": "dimp-lite0"},
}


class Timed(ATOMTracker):
    """ATOM's tracker with a clock around its parts."""

    def watch(self) -> None:
        """Start the clocks; after `init`, which makes the classifier."""
        self.spent: dict[str, list[float]] = {}
        for name, of, method in (
            ("backbone", self.runtime, "maps"),
            ("refinement", self, "climbed"),
            ("remembering", self.classifier, "remember"),
            ("learning", self.classifier, "learn"),
        ):
            self._clock(name, of, method)

    def _clock(self, name: str, of: Any, method: str) -> None:
        plain = getattr(of, method)

        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            result = plain(*arguments)
            self.spent.setdefault(name, []).append(time.perf_counter() - started)
            return result

        setattr(of, method, timed)


def measured(name: str, sequence: Sequence) -> dict[str, Any]:
    """Seconds of one variant on one sequence."""
    settings = make_tracker("atom", precision="fp32", **VARIANTS[name]).settings
    tracker = Timed(settings)
    started = time.perf_counter()
    tracker.init(sequence.frames[0], sequence.boxes[0])
    first, each = time.perf_counter() - started, []
    tracker.watch()
    for frame in list(sequence.frames)[1:]:
        started = time.perf_counter()
        tracker.update(frame)
        each.append(time.perf_counter() - started)
    del tracker.runtime.maps  # the runtime is shared: give it back as it was
    parts = {part: round(1000 * float(np.median(of)), 2) for part, of in tracker.spent.items()}
    return {
        "first_frame_ms": round(1000 * first, 1),
        "median_ms": round(1000 * float(np.median(each)), 1),
        "slowest_ms": round(1000 * max(each), 1),
        "frames_per_second": round(len(each) / sum(each), 1),
        "parts_ms": parts,
    }


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    sequence = make_sequence(random_spec(SEED, length=FRAMES)).loaded()
    with one_thread():
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
        table = {}
        for name in options.variants:
            measured(name, sequence.part(0, 5))  # to warm up
            table[name] = measured(name, sequence)
            print(name, table[name], flush=True)
        write_results(options.write, {"variants": table}, "cpu")


if __name__ == "__main__":
    main()
