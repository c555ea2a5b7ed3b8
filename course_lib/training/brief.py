"""Runs small enough for a notebook: a recipe with changed settings, nothing left on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from course_lib.recipe import load_settings
from course_lib.training.loop import Trained, train
from course_lib.training.progress import Watcher
from course_lib.training.settings import TrainSettings


def train_recipe(
    name: str, overrides: Mapping[str, Any], watchers: list[Watcher] | None = None
) -> Trained:
    """Train one of the recipes that come with the course.

    Args:
        name: name of the recipe, without `recipes/` and `.yaml`.
        overrides: settings that override the recipe's, as in `load_settings`.
        watchers: called with the progress after every step.
    """
    settings = load_settings(TrainSettings, f"recipes/{name}.yaml", dict(overrides))
    with tempfile.TemporaryDirectory() as folder:
        return train(settings, Path(folder), watchers=watchers)
