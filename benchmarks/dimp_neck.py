"""What does training DiMP's neck bring, from which start, and with which layers?

python benchmarks/dimp_neck.py recipes/train_dimp_lite0.yaml --write results/dimp_neck.json

The arms begin as the identity or at random, with the same pairs, seed and steps; the last two also
have fewer channels and DiMP-18's residual block, one each. `hits` is the share of the held-out pairs
whose peak is within 16 px of the target, by the number of steps that the filter was given; `real`
the AUC on the real targets, one pass, which chooses nothing; `development` the AUC on 20 generated
sequences and the held-out training videos. `before` has the same networks before any training,
`directions` says over how many directions the features are spread, and `references` has the
identity, not trained, and ATOM's classifier. Boxes are refined by ATOM's network throughout. The
first arm's weights ship. Resumes where it was cut off. Lesson 13 draws the file.
"""

from __future__ import annotations

import sys
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
from course_lib.recipe import load_settings
from course_lib.trackers import make_tracker
from course_lib.trackers.online_classifier import ClassifierSettings, OnlineClassifier
from course_lib.training.by_tracking import validation_clips
from course_lib.training.first_weights import first_network
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources
from course_lib.training.tasks import make_task
from course_lib.training.validation import VALIDATION_SEED

ARMS: dict[str, dict[str, Any]] = {
    "from the identity": {},
    "at random": {"predictor.as_identity": False},
    "at random, 64 channels": {"predictor.as_identity": False, "predictor.channels": 64},
    "at random, with a block": {"predictor.as_identity": False, "predictor.blocks": 1},
}
SHIPS = "from the identity"
STEPS = (0, 1, 2, 5, 10, 50)  # of the filter
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


@torch.no_grad()
def hits(network: DiMP, settings: TrainSettings) -> dict[str, float]:
    """Share of the held-out pairs that are found, by the filter's steps."""
    p, task = network.eval().predictor, make_task(settings, network)
    found: dict[int, list[Tensor]] = {steps: [] for steps in STEPS}
    for batch in held_out(settings):
        x, y = (network.features(images)[:, None] for images in (batch.exemplar, batch.search))
        filters = p(x, batch.exemplar_box[:, None], max(STEPS))  # after each step, (B, C, k, k)
        for steps, rows in found.items():
            scores = apply_filters(y, filters[steps])[None]  # (1, B, 1, h, w)
            rows.append(task.measures(scores, batch)["hits"][batch.positive])
    return {str(steps): float(torch.cat(rows).mean()) for steps, rows in found.items()}


@torch.no_grad()
def hits_of_atom(network: DiMP, settings: TrainSettings) -> float:
    """The same for ATOM's classifier, which learns every first image anew."""
    task, found = make_task(settings, network), []
    for batch in held_out(settings):
        x, y = (network.backbone.pyramid(i)[1] for i in (batch.exemplar, batch.search))
        boxes, rows = network.place.cells(batch.exemplar_box), []  # (B, 4)
        for one in torch.arange(len(x)).split(1):
            classifier = OnlineClassifier(ClassifierSettings())
            classifier.learn_first(x[one], boxes[one])
            rows.append(classifier.scores(y[one]))  # (1, h, w)
        scores = torch.stack(rows)[None]  # (1, B, 1, h, w)
        found.append(task.measures(scores, batch)["hits"][batch.positive])
    return float(torch.cat(found).mean())


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
    judged_on = load_settings(TrainSettings, arm.recipe)  # the same for all arms
    return {
        "arm": arm.name,
        "seed": settings.seed,
        "hits": hits(load_network(str(path)), judged_on),
        **tracked(judged_on, str(path)),
    }


@torch.no_grad()
def directions(network: DiMP, settings: TrainSettings) -> float:
    """Over how many directions the features of an image are spread, mean over the images to learn
    from: (Σλ)² / Σλ² of the eigenvalues λ of their second moments; 1 if all cells' features are
    multiples of one vector."""
    found = []
    for batch in held_out(settings):
        x = network.eval().features(batch.exemplar).flatten(2)  # (B, C, h·w)
        values = torch.linalg.svdvals(x).square()  # (B, C)
        found.append(values.sum(1).square() / values.square().sum(1))  # (B,)
    return float(torch.cat(found).mean())


class Centred(nn.Module):
    """Takes each channel's mean over the cells away."""

    def forward(self, x: Tensor) -> Tensor:
        """Of x (B, C, h, w)."""
        return x - x.mean((-2, -1), keepdim=True)


def before_training(arms: list[Arm], settings: TrainSettings) -> dict[str, Row]:
    """Hits and directions of each arm's network before any training; those of a neck with blocks
    also with centred features."""
    found = {}
    for arm in arms:
        network = first_network(arm.settings(0))
        found[arm.name] = {
            "hits": hits(network, settings),
            "directions": directions(network, settings),
        }
        if network.about["blocks"]:
            network.neck.append(Centred())
            found[f"{arm.name}, centred"] = {"hits": hits(network, settings)}
    return found


def further(arms: list[Arm], recipe: Path) -> Row:
    """What stands beside the arms.

    `before`: the networks before any training. `directions`: over how many directions the features
    are spread after it, first seed. `references`: the identity, not trained, and ATOM's classifier,
    measured as the arms are.
    """
    settings = load_settings(TrainSettings, recipe)
    path = RUNS / "training" / "dimp-not-trained.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(first_network(settings), path, {"name": path.stem})
    network = load_network(str(path))  # in half precision, as the others
    return {
        "before": before_training(arms, settings),
        "directions": {
            arm.name: directions(load_network(arm.settings(0).name), settings) for arm in arms
        },
        "references": {
            "not trained": {"hits": hits(network, settings), **tracked(settings, str(path))},
            "ATOM's classifier": {
                "hits": {"": hits_of_atom(network, settings)},
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
