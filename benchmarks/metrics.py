"""OTB metrics of 5 trackers × 100 sequences × 600 frames: the course's functions beside the GOT-10k toolkit's, one run.

python benchmarks/metrics.py
"""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
from got10k.experiments.otb import ExperimentOTB

from course_lib.evaluation.otb import score_sequences

TRACKERS, SEQUENCES, FRAMES, ROUNDS = 5, 100, 600, 5
TOOLKIT = SimpleNamespace(nbins_iou=21, nbins_ce=51)


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """True boxes (sequences, frames, 4) and boxes (trackers, sequences, frames, 4) of trackers that drift."""
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 3, (SEQUENCES, FRAMES, 2)).cumsum(axis=1) + 300
    truth = np.concatenate([steps, rng.uniform(20, 80, (SEQUENCES, FRAMES, 2))], axis=-1)
    errors = rng.normal(0, 1, (TRACKERS, SEQUENCES, FRAMES, 4)) * np.array([12.0, 12.0, 4.0, 4.0])
    boxes = truth + errors
    boxes[:, :, 0] = truth[:, 0]
    return truth, boxes


def ours(truth: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Success and precision (trackers, sequences, 72); the normalised precision is computed as well."""
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
    """Measure in turns, print medians, the ratio and the largest difference."""
    truth, boxes = made_up()
    spent: dict[str, list[float]] = {"course": [], "toolkit": []}
    results = {}
    for _ in range(ROUNDS):
        for name, score in (("course", ours), ("toolkit", theirs)):
            start = time.process_time()
            results[name] = score(truth, boxes)
            spent[name].append(time.process_time() - start)
    medians = {name: float(np.median(values)) for name, values in spent.items()}
    print(
        f"{TRACKERS} trackers × {SEQUENCES} sequences × {FRAMES} frames, median CPU seconds of {ROUNDS}:"
    )
    print(
        f"  course  {medians['course']:.3f}   (with normalised precision)\n  toolkit {medians['toolkit']:.3f}"
    )
    print(f"  ratio   {medians['toolkit'] / medians['course']:.1f} times as fast")
    print(f"  largest difference {np.abs(results['course'] - results['toolkit']).max():.1e}")


if __name__ == "__main__":
    main()
