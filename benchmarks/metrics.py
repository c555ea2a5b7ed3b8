"""Are the course's OTB metrics right and fast? Beside the GOT-10k toolkit's functions, in one run.

python benchmarks/metrics.py

Scores of 5 trackers × 100 sequences × 600 frames; printed only, no lesson reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import numpy as np
from got10k.experiments.otb import ExperimentOTB
from measure import measure, options_of

from course_lib.evaluation.otb import score_sequences

TRACKERS, SEQUENCES, FRAMES, ROUNDS = 5, 100, 600, 5
TOOLKIT = SimpleNamespace(nbins_iou=21, nbins_ce=51)


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """True boxes (sequences, frames, 4), and boxes (trackers, sequences, frames, 4) that drift."""
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 3, (SEQUENCES, FRAMES, 2)).cumsum(axis=1) + 300
    truth = np.concatenate([steps, rng.uniform(20, 80, (SEQUENCES, FRAMES, 2))], axis=-1)
    errors = rng.normal(0, 1, (TRACKERS, SEQUENCES, FRAMES, 4)) * np.array([12.0, 12.0, 4.0, 4.0])
    boxes = truth + errors
    boxes[:, :, 0] = truth[:, 0]
    return truth, boxes


def ours(truth: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Success and precision (trackers, sequences, 72); computes normalised precision too."""
    scores = [score_sequences(list(tracker), list(truth)) for tracker in boxes]
    return np.array([[np.concatenate([s.success, s.precision]) for s in row] for row in scores])


def theirs(truth: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The same from the toolkit's functions, which compute success and precision."""
    rows = []
    for tracker in boxes:
        pairs = (
            ExperimentOTB._calc_metrics(TOOLKIT, b, t) for b, t in zip(tracker, truth, strict=True)
        )
        rows.append([np.concatenate(ExperimentOTB._calc_curves(TOOLKIT, *pair)) for pair in pairs])
    return np.array(rows)


def main() -> None:
    """Measure in turns; print medians, the ratio and the largest difference."""
    options_of(__doc__, write=False).parse_args()
    truth, boxes = made_up()
    results = {}

    def scored(name: str, score: Callable[..., np.ndarray]) -> int:
        results[name] = score(truth, boxes)
        return 1

    ways = {
        "course": partial(scored, "course", ours),
        "toolkit": partial(scored, "toolkit", theirs),
    }
    seconds = {name: 1 / rate for name, rate in measure(ways, ROUNDS).items()}
    print(f"{TRACKERS} trackers × {SEQUENCES} sequences × {FRAMES} frames, median seconds:")
    print(f"  course  {seconds['course']:.3f}   (with normalised precision)")
    print(f"  toolkit {seconds['toolkit']:.3f}")
    print(f"  ratio   {seconds['toolkit'] / seconds['course']:.1f} times as fast")
    print(f"  largest difference {np.abs(results['course'] - results['toolkit']).max():.1e}")


if __name__ == "__main__":
    main()
