"""Several arms of a study, each trained from several seeds and measured: `run_arms`.

An arm is a recipe with some of its settings changed. Finished runs are kept in
`runs/training/<recipe's name>-<arm>-seed<seed>/scores.json`, so the same command resumes where it
was cut off. `--part 0/2` and `--part 1/2` do half of the runs each, in two processes; the command
without it then puts the table together.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import options_of, write_results

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import without_nan
from course_lib.files import read_json, write_whole
from course_lib.models.device import choose_placement
from course_lib.models.weights import WEIGHTS, find_weights
from course_lib.places import RUNS
from course_lib.recipe import load_settings
from course_lib.training.budget import STOPPED, budget_from_outside
from course_lib.training.settings import TrainSettings
from course_lib.training.trained_weights import train_to_weights

Row = dict[str, Any]
LEAST = 20.0  # seconds left of a budget below which no arm is started


@dataclass(frozen=True)
class Arm:
    """One arm of a study.

    Attributes:
        name: its name in the table.
        recipe: the recipe's file.
        changes: settings that differ from the recipe's, by dotted name.
        ships_as: name under which the course ships its first seed's weights, unless the recipe is
            for a GPU; "" if it does not.
        most: only seeds 0 … most − 1 of those asked for are used to train it; None uses all.
    """

    name: str
    recipe: Path
    changes: Mapping[str, Any] = field(default_factory=dict)
    ships_as: str = ""
    most: int | None = None

    def settings(self, seed: int) -> TrainSettings:
        """The training settings for one seed."""
        name = f"{self._base}-{self.name.replace(' ', '-')}-seed{seed}"
        return load_settings(
            TrainSettings, self.recipe, {**self.changes, "seed": seed, "name": name}
        )

    def scores(self, seed: int) -> Path:
        """The file with the scores of one seed."""
        return RUNS / "training" / self.settings(seed).name / "scores.json"

    def ship(self, seed: int) -> None:
        """Copy one seed's weights and card to the course's own."""
        if self.ships_as and not self._base.endswith("-gpu"):
            path = find_weights(self.settings(seed).name)
            for kind in (".safetensors", ".json"):
                target = (WEIGHTS / self.ships_as).with_suffix(kind)
                shutil.copyfile(path.with_suffix(kind), target)

    @property
    def _base(self) -> str:
        return load_settings(TrainSettings, self.recipe).name


def study_options(
    doc: str, arms: Items[str] | None, seeds: int, recipes: int = 1
) -> argparse.ArgumentParser:
    """A parser of the options of every study.

    Args:
        doc: the script's docstring.
        arms: names that `--arms` chooses from; None takes any.
        seeds: how many by default.
        recipes: number of recipe files.
    """
    parser = options_of(doc)
    parser.add_argument("recipes", type=Path, nargs=recipes)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(seeds)))
    parser.add_argument("--arms", nargs="+", default=arms, choices=arms, help="only these")
    parser.add_argument("--part", default="0/1", help="which part of how many, for example 0/2")
    parser.add_argument(
        "--finished", action="store_true", help="train nothing; print a table of finished runs"
    )
    return parser


def run_arms(
    arms: Items[Arm],
    options: argparse.Namespace,
    measured: Callable[[Arm, TrainSettings, Path], Row],
    headline: Callable[[Row], dict[str, float]],
    table: Callable[[list[Row]], dict[str, Any]],
) -> int:
    """Train and measure what is missing, write the table; returns the command's exit status.

    Args:
        arms: those to train.
        options: parsed by `study_options`: seeds, part, finished, write.
        measured: (arm, settings, weights' file) → row.
        headline: the few scores of a row that are printed and averaged over seeds.
        table: rows → further entries of the table; called when all rows are there.

    Returns:
        0, or STOPPED (75) if the budget ran out first.
    """
    part, parts = map(int, options.part.split("/"))
    asked = [(arm, seed) for seed in options.seeds for arm in arms]
    jobs = [(arm, seed) for arm, seed in asked if arm.most is None or seed < arm.most][part::parts]
    if options.finished:
        jobs = [(arm, seed) for arm, seed in jobs if arm.scores(seed).is_file()]
    budget, began, rows = budget_from_outside(), time.monotonic(), {}
    for arm, seed in jobs:
        left = None if budget is None else budget - (time.monotonic() - began)
        row = None if left is not None and left < LEAST else _row(arm, seed, measured, left)
        if row is None:
            return STOPPED
        rows[arm.name, seed] = row
        print(arm.name, seed, headline(row), flush=True)
    if parts == 1:
        found = list(rows.values())
        kept = {**table(found), "runs": found, "over_seeds": over_seeds(rows, headline)}
        write_results(
            options.write, kept, str(choose_placement().device), seeds=list(options.seeds)
        )
        for arm in arms:
            if (arm.name, options.seeds[0]) in rows:
                arm.ship(options.seeds[0])
    return 0


def _row(
    arm: Arm, seed: int, measured: Callable[[Arm, TrainSettings, Path], Row], budget: float | None
) -> Row | None:
    """The row of one run, kept or trained and measured now; None if time ran out first."""
    kept, settings = arm.scores(seed), arm.settings(seed)
    if not kept.is_file():
        path = train_to_weights(settings, budget=budget)
        if path is None:
            return None
        write_whole(kept, json.dumps(without_nan(measured(arm, settings, path))) + "\n")
    return read_json(kept, "remove it to have the arm measured again")


def over_seeds(
    rows: Mapping[tuple[str, int], Row], headline: Callable[[Row], dict[str, float]]
) -> dict[str, dict[str, dict[str, float]]]:
    """By arm and score: number of seeds, their mean, and the half width of its 95 % interval."""
    found: dict[str, dict[str, list[float]]] = {}
    for (arm, _), row in rows.items():
        for name, value in headline(row).items():
            found.setdefault(arm, {}).setdefault(name, []).append(value)
    return {
        arm: {name: mean_with_interval(values) for name, values in scores.items()}
        for arm, scores in found.items()
    }


def mean_with_interval(values: Items[float]) -> dict[str, float]:
    """Number of seeds, their mean, and the half width of its interval."""
    interval = Interval.of(values)
    return {"seeds": interval.n, "mean": interval.mean, "half_width": interval.half_width}
