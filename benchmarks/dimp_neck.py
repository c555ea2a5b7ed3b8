"""Where should training of DiMP's neck begin, and what does it bring?

python benchmarks/dimp_neck.py recipes/train_dimp_lite0.yaml --write results/dimp_neck.json

The arms begin as the identity or at random, with the same pairs, seed and steps; the last two also
have fewer channels, or DiMP-18's residual block. `hits` is the share of the held-out pairs whose
peak is within 16 px of the target, by the number of steps that the filter was given; `real` the AUC
on the real targets, one pass, which chooses nothing; `development` the AUC on 20 generated
sequences and the held-out training videos. `before` has the same networks before any training,
`directions` says over how many directions the features are spread, and `references` has the
identity, not trained, and ATOM's classifier. Boxes are refined by ATOM's network throughout. The
first arm's weights ship. Resumes where it was cut off. Lesson 13 draws the file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from arms import Arm, Row, run_arms, study_options
from measure import one_pass
from torch import Tensor, nn

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.loader import PairBatch, batches
from course_lib.data.sequence import Benchmark
from course_lib.evaluation.scores import Report
from course_lib.models.dimp import DiMP
from course_lib.models.target_filter import apply_filters
from course_lib.models.weights import load_network, save_weights
from course_lib.places import RUNS
from course_lib.trackers import make_tracker
from course_lib.trackers.online_classifier import ClassifierSettings, OnlineClassifier
from course_lib.training.by_tracking import validation_clips
from course_lib.training.first_weights import first_network
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources
from course_lib.training.validation import VALIDATION_SEED

ARMS: dict[str, dict[str, Any]] = {
    "from the identity": {},
    "at random": {"predictor.as_identity": False},
    "at random, 64 channels": {"predictor.as_identity": False, "predictor.channels": 64},
    "at random, with a block": {"predictor.as_identity": False, "predictor.blocks": 1},
}
SHIPS = "from the identity"
STEPS = (0, 1, 2, 5, 10, 50)  # of the filter
NEAR = 16.0  # pixels
SEQUENCES = 20  # generated, for development
REAL = "otb+vot2014"


@cache
def held_out(settings: TrainSettings) -> list[PairBatch]:
    """The validation pairs of the recipe, the same for every arm."""
    _, pairs = make_sources(settings)
    found = batches(
        pairs, VALIDATION_SEED, settings.batch, 0, settings.validation_pairs // settings.batch
    )
    return [cut.jittered(torch.device("cpu")) for cut in found]


@cache
def development(settings: TrainSettings) -> Benchmark:
    """Generated sequences and the held-out training videos."""
    return Benchmark("development", validation_clips(SEQUENCES, make_sources(settings)[1]))


def near(scores: Tensor, centres: Tensor, stride: float) -> Tensor:
    """Whether (B,) the highest of the scores (B, h, w) is near centres (B, 2), in cells."""
    highest, n = scores.flatten(1).argmax(1), scores.shape[-1]  # (B,)
    peak = torch.stack([highest % n, highest // n], 1).to(centres)  # (B, 2), x and y
    return (peak - centres).norm(dim=1) * stride <= NEAR


@torch.no_grad()
def hits(network: DiMP, pairs: list[PairBatch]) -> dict[str, float]:
    """Share of the positive pairs that are found, by the filter's steps."""
    p, found = network.eval().predictor, {steps: [] for steps in STEPS}
    for batch in pairs:
        x, y = (network.features(images)[:, None] for images in (batch.exemplar, batch.search))
        filters = p(x, batch.exemplar_box[:, None], max(STEPS))  # STEPS + 1 times (B, C, k, k)
        centres = p.centres(batch.box)  # (B, 2)
        for steps, rows in found.items():
            scores = apply_filters(y, filters[steps])[:, 0]  # (B, h, w)
            rows.append(near(scores, centres, network.place.stride)[batch.positive])
    return {str(steps): float(torch.cat(rows).float().mean()) for steps, rows in found.items()}


@torch.no_grad()
def hits_of_atom(network: DiMP, pairs: list[PairBatch]) -> float:
    """The same for ATOM's classifier, which learns every first image anew."""

    def rows() -> Iterator[Tensor]:
        for batch in pairs:
            x, y = (network.backbone.pyramid(i)[1] for i in (batch.exemplar, batch.search))
            boxes = network.place.cells(batch.exemplar_box)  # (B, 4)
            for k in batch.positive.nonzero()[:, 0].tolist():
                one = slice(k, k + 1)
                classifier = OnlineClassifier(ClassifierSettings())
                classifier.learn_first(x[one], boxes[one])
                centre = network.predictor.centres(batch.box[one])
                yield near(classifier.scores(y[one]), centre, network.place.stride)

    return float(torch.cat(list(rows())).float().mean())


def tracked(settings: TrainSettings, classifier: str) -> Row:
    """AUC on the sequences for development and on the real ones, sequence by sequence.

    Args:
        settings: of the recipe whose held-out videos are tracked.
        classifier: weights of a DiMP; "" for ATOM's own classifier.
    """
    own = {"classifier": classifier} if classifier else {}
    make = partial(make_tracker, "atom", precision="fp32", **own)
    found = {}
    for name, benchmark in (("development", development(settings)), ("real", load_benchmark(REAL))):
        (row,) = Report.from_results(benchmark, one_pass({"it": make}, benchmark)).trackers.values()
        found[name] = {s: round(float(v), 4) for s, v in row.by_sequence().items()}
    return found


def measured(arm: Arm, settings: TrainSettings, path: Path) -> Row:
    """The row of one trained network."""
    network = load_network(str(path))
    return {
        "arm": arm.name,
        "seed": settings.seed,
        "hits": hits(network, held_out(base_of(arm, settings.seed))),
        **tracked(base_of(arm, settings.seed), str(path)),
    }


def base_of(arm: Arm, seed: int) -> TrainSettings:
    """The settings without the arm's changes: all arms are judged on the same pairs."""
    return Arm("", arm.recipe).settings(seed)


@torch.no_grad()
def directions(network: DiMP, pairs: list[PairBatch]) -> float:
    """Over how many directions the features of an image are spread, mean over the images to learn
    from: (Σλ)² / Σλ² of the eigenvalues λ of their second moments; 1 if all cells' features are
    multiples of one vector."""
    found = []
    for batch in pairs:
        x = network.eval().features(batch.exemplar).flatten(2)  # (B, C, h·w)
        values = torch.linalg.svdvals(x).square()  # (B, C)
        found.append(values.sum(1).square() / values.square().sum(1))  # (B,)
    return float(torch.cat(found).mean())


class Centred(nn.Module):
    """Takes each channel's mean over the cells away."""

    def forward(self, x: Tensor) -> Tensor:
        """Of x (B, C, h, w)."""
        return x - x.mean((-2, -1), keepdim=True)


def before_training(arms: list[Arm], pairs: list[PairBatch]) -> dict[str, Row]:
    """Hits and directions of each arm's network before any training; those of a neck with blocks
    also with centred features."""
    found = {}
    for arm in arms:
        network = first_network(arm.settings(0))
        found[arm.name] = {"hits": hits(network, pairs), "directions": directions(network, pairs)}
        if network.about["blocks"]:
            network.neck.append(Centred())
            found[f"{arm.name}, centred"] = {"hits": hits(network, pairs)}
    return found


def further(arms: list[Arm], recipe: Path) -> Row:
    """What stands beside the arms.

    `before`: the networks before any training. `directions`: over how many directions the features
    are spread after it, first seed. `references`: the identity, not trained, and ATOM's classifier,
    measured as the arms are.
    """
    settings = base_of(Arm("", recipe), 0)
    pairs, path = held_out(settings), RUNS / "training" / "dimp-not-trained.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(first_network(settings), path, {"name": path.stem})
    network = load_network(str(path))  # in half precision, as the others
    return {
        "before": before_training(arms, pairs),
        "directions": {
            arm.name: directions(load_network(arm.settings(0).name), pairs) for arm in arms
        },
        "references": {
            "not trained": {"hits": hits(network, pairs), **tracked(settings, str(path))},
            "ATOM's classifier": {
                "hits": {"": hits_of_atom(network, pairs)},
                **tracked(settings, ""),
            },
        },
    }


def headline(row: Row) -> dict[str, float]:
    """The scores that are averaged over seeds."""
    means = {name: float(np.mean(list(row[name].values()))) for name in ("development", "real")}
    return {"hits": row["hits"]["5"], **means}


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    options = study_options(__doc__, list(ARMS), seeds=1).parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    recipe = options.recipes[0]
    arms = [
        Arm(name, recipe, ARMS[name], "dimp-lite0" if name == SHIPS else "")
        for name in options.arms
    ]
    return run_arms(
        arms,
        options,
        measured,
        headline=headline,
        table=lambda rows: further(arms, recipe),
    )


if __name__ == "__main__":
    sys.exit(main())
