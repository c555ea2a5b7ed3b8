"""How fast does a one-stream network track inside OpenCV, beside PyTorch? On one thread.

python benchmarks/onestream_opencv.py --write results/onestream_opencv.json

Frames per second on a generated sequence, medians of passes in turn, so that the ratios hold on
other machines: our tracker, the same with a template that attends to itself only and whose keys and
values are kept, and `cv2.TrackerVit` with the exported file. The networks are new ones of the sizes
d48, d128 and d192, since speed does not depend on the weights; all search around the first box.
Needs the package onnx. Lesson 15 reads the file.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measure import options_of, tracking_speeds, write_results
from numpy.typing import ArrayLike

from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.models.device import Placement
from course_lib.models.export import export, opencv_tracker
from course_lib.models.onestream import OneStream, sized
from course_lib.models.runtime_stream import StreamRuntime
from course_lib.trackers.onestream import OneStreamSettings, OneStreamTracker

SEED, FRAMES = 740_000, 31  # of the sequence
SIZES = ("d48", "d128", "d192")
CPU = Placement(torch.device("cpu"), bf16=False)


class Still(OneStreamTracker):
    """Our tracker, always searching around the first box: that of a new network would wander."""

    def decide(self, responses: np.ndarray) -> np.ndarray:
        """As ours, but the box it believes in stays."""
        before = self.box
        found = super().decide(responses)
        self.box = before
        return found


class InOpenCV:
    """`cv2.TrackerVit` with our two calls; below a threshold of 1 it stays where it is."""

    def __init__(self, path: Path) -> None:
        self.tracker = opencv_tracker(path, threshold=1.0)

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start on whole pixels."""
        self.box = np.asarray(box).round()
        self.tracker.init(frame, [int(v) for v in self.box])

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The first box (4,)."""
        self.tracker.update(frame)
        return self.box


def new_network(size: str, asymmetric: bool = False) -> OneStream:
    """A new network of a size, from a seed."""
    torch.manual_seed(0)
    return sized(size, asymmetric=asymmetric).eval()


def speeds(size: str, sequence: Sequence, rounds: int) -> dict[str, float]:
    """Frames per second of one size, and the ratio of OpenCV's to PyTorch's.

    Args:
        size: of the network, see `models.onestream.SIZES`.
        sequence: what is tracked.
        rounds: passes that are timed.
    """
    runtimes = {
        name: StreamRuntime(new_network(size, name != "pytorch"), CPU)
        for name in ("pytorch", "pytorch, kept template")
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tracker.onnx"
        export(new_network(size), path)
        makers = {
            name: partial(Still, OneStreamSettings(), runtime) for name, runtime in runtimes.items()
        }
        found, _ = tracking_speeds(makers | {"opencv": partial(InOpenCV, path)}, sequence, rounds)
        megabytes = path.stat().st_size / 1e6
    row = {name: round(rate, 1) for name, rate in found.items()}
    return row | {
        "ratio": round(found["opencv"] / found["pytorch"], 2),
        "parameters": sum(p.numel() for p in new_network(size).parameters()),
        "megabytes": round(megabytes, 2),
    }


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--frames", type=int, default=FRAMES, help="of the sequence")
    parser.add_argument("--rounds", type=int, default=5, help="passes that are timed")
    options = parser.parse_args()
    sequence = make_sequence(random_spec(SEED, length=options.frames)).loaded()
    table = {}
    for size in options.sizes:
        table[size] = speeds(size, sequence, options.rounds)
        print(size, table[size], flush=True)
    write_results(options.write, {"sizes": table}, "cpu", frames=options.frames)


if __name__ == "__main__":
    main()
