"""From a recipe to weights with a card: train, then write both where trackers find them."""

from __future__ import annotations

import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from course_lib.models.weights import find_weights, read_card, save_weights
from course_lib.places import RUNS
from course_lib.provenance import commit, hardware
from course_lib.training.loop import Progress, Watcher, train
from course_lib.training.processes import started_rank
from course_lib.training.settings import TrainSettings


def train_to_weights(
    settings: TrainSettings,
    folder: Path | None = None,
    watchers: list[Watcher] | None = None,
    budget: float | None = None,
    device: str = "auto",
    data: Path | None = None,
    weights: Path | None = None,
) -> Path | None:
    """Train a recipe, or go on with it; the path of its weights once the last step is done, else None.

    `folder` is `runs/training/<name>` unless given, `weights` is `<folder>/<name>.safetensors`.
    """
    folder = folder or RUNS / "training" / settings.name
    latest: list[Progress] = []
    started_at = commit()  # the files may change while it trains
    remember: Watcher = lambda p: latest.__setitem__(slice(None), [p])  # noqa: E731
    network = train(
        settings, folder, device, [remember, *(watchers or [])], budget=budget, data=data
    )
    if latest and latest[0].step < settings.steps:
        return None
    path = weights or folder / f"{settings.name}.safetensors"
    if started_rank() == 0 and (latest or not path.is_file()):
        used = str(next(network.parameters()).device)
        save_weights(
            network, path, make_card(settings, latest[0] if latest else None, used, started_at)
        )
    return path


def make_card(
    settings: TrainSettings, progress: Progress | None, device: str, made_by: str
) -> dict[str, Any]:
    """What a reader must know of trained weights: data, recipe, length, machine, seed, commit, validation."""
    card = {
        "name": settings.name,
        "trained_on": list(settings.sources),
        "fraction_of_data": settings.fraction,
        "steps": settings.steps,
        "pairs": settings.steps * settings.batch,
        "seed": settings.seed,
        "hardware": hardware(device),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": made_by,
        "recipe": asdict(settings),
    }
    if settings.start_from:
        earlier = read_card(find_weights(settings.start_from))
        card["started_from"] = {key: value for key, value in earlier.items() if "curve" not in key}
    if progress:
        card["validation"] = progress.validation[-1] if progress.validation else None
        card["seconds"] = {name: round(s, 1) for name, s in progress.seconds.items()}
        card["seconds_within_data"] = {name: round(s, 1) for name, s in progress.making.items()}
        card["curve"] = [
            [step, round(loss, 4)]
            for step, loss in progress.curve[:: max(1, len(progress.curve) // 100)]
        ]
        card["validation_curve"] = [
            {k: round(v, 4) for k, v in row.items()} for row in progress.validation
        ]
    return card
