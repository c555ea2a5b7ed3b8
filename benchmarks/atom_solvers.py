"""Which solver gets furthest with ATOM's first frame for the same passes through the data?

python benchmarks/atom_solvers.py --write results/atom_solvers.json

For each sequence of generated-alike-v1 the problem of the first frame is solved by conjugate
gradients with and without the preconditioner, by Adam and by steepest descent. A pass is one
computation of the residuals r, of Jᵀv or of J d; linearising costs two. Adam's learning rate is
chosen on sequences that belong to no benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from measure import options_of, write_results

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.models.optimise import Residuals, Vector, divide_by, gauss_newton
from course_lib.models.runtime_online import OnlineRuntime
from course_lib.trackers.atom import ATOMSettings, ATOMTracker
from course_lib.trackers.online_classifier import OnlineClassifier

RATES = (1e-4, 3e-4, 1e-3, 3e-3)
ROUNDS, STEPS = 6, 10
PASSES = {"CG": 2 + 1 + 2 * STEPS - 1, "descent": 4, "Adam": 2}  # of a round, or of a step
BUDGET = ROUNDS * PASSES["CG"]
CHOSEN_ON = (740_001, 740_002, 740_003, 740_004)


class Seen(OnlineClassifier):
    """A classifier that only keeps what it is to learn from."""

    def learn_first(self, features: torch.Tensor, boxes: torch.Tensor) -> None:
        """Keep the problem of samples (N, C, h, w) with boxes (N, 4) in cells."""
        self.given = self.first_problem(features, boxes)


class Asked(ATOMTracker):
    """A tracker that is started for the sake of its first frame."""

    def _new_classifier(self) -> Seen:
        return Seen(self.settings.online)


def problem_of(sequence: Sequence, runtime: OnlineRuntime) -> tuple[Residuals, Vector]:
    """Residuals of a sequence's first frame, and the weights to begin with."""
    tracker = Asked(ATOMSettings(refine=False), runtime)
    tracker.init(sequence.frames[0], sequence.boxes[0])
    return tracker.classifier.given


def by_adam(residuals: Residuals, start: Vector, rate: float) -> Iterator[Vector]:
    """The weights after each step of Adam."""
    weights = [w.clone().requires_grad_() for w in start]
    optimiser = torch.optim.Adam(weights, lr=rate)
    while True:
        optimiser.zero_grad()
        residuals(*weights).square().sum().backward()
        optimiser.step()
        yield tuple(w.detach() for w in weights)


def losses(residuals: Residuals, start: Vector, path: Iterator[Vector], each: int) -> list[float]:
    """The loss at the start and after each round of `each` passes, up to the budget."""
    found = [float(residuals(*start).square().sum())]
    for _, weights in zip(range(BUDGET // each), path, strict=False):
        with torch.no_grad():
            found.append(float(residuals(*weights).square().sum()))
    return found


def compare(residuals: Residuals, start: Vector, rate: float) -> dict[str, list[float]]:
    """The losses of each solver on one problem.

    Args:
        residuals: of (w2, w1).
        start: the weights to begin with.
        rate: Adam's.
    """
    scale = divide_by(0.1, 1e-4)
    ways = {
        "CG with preconditioner": ("CG", gauss_newton(residuals, start, ROUNDS, STEPS, scale)),
        "CG": ("CG", gauss_newton(residuals, start, ROUNDS, STEPS)),
        "Adam": ("Adam", by_adam(residuals, start, rate)),
        "steepest descent": ("descent", gauss_newton(residuals, start, BUDGET, 1)),
    }
    return {n: losses(residuals, start, path, PASSES[kind]) for n, (kind, path) in ways.items()}


def main() -> None:
    """Choose Adam's rate, compare, write."""
    parser = options_of(__doc__)
    parser.add_argument("--clips", type=int, default=40, help="how many of its sequences")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    runtime = OnlineRuntime.load("atom-lite0", "cpu", "fp32")
    others = [make_sequence(random_spec(n, length=2, distractors=2)) for n in CHOSEN_ON]
    problems = [problem_of(sequence, runtime) for sequence in others]
    tried = {
        rate: float(np.mean([losses(*p, by_adam(*p, rate), PASSES["Adam"])[-1] for p in problems]))
        for rate in RATES
    }
    rate = min(tried, key=tried.__getitem__)
    print("Adam's rates", tried, flush=True)
    found: dict[str, list[list[float]]] = {}
    names = []
    for sequence in list(load_benchmark("generated-alike-v1"))[: options.clips]:
        for name, path in compare(*problem_of(sequence, runtime), rate).items():
            found.setdefault(name, []).append(path)
        names.append(sequence.name)
        print(sequence.name, {n: round(p[-1][-1], 3) for n, p in found.items()}, flush=True)
    kinds = {"CG with preconditioner": "CG", "steepest descent": "descent"}
    table: dict[str, Any] = {
        "sequences": names,
        "rate": rate,
        "tried": {f"{r:g}": loss for r, loss in tried.items()},
        "passes": {
            name: [k * PASSES[kinds.get(name, name)] for k in range(len(paths[0]))]
            for name, paths in found.items()
        },
        "median": {n: np.median(paths, axis=0).tolist() for n, paths in found.items()},
        "last": {n: [path[-1] for path in paths] for n, paths in found.items()},
    }
    write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()
