"""Searching for a tracker's settings: how much of a published number is the network, and how much
the search?

The optimiser is Optuna's TPE (Bergstra et al., NeurIPS 2011); ours only adds that it sees
generated sequences alone, no real benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.errors import DataError, SettingsError
from course_lib.evaluation.metrics import auc
from course_lib.evaluation.otb import score_sequence, track
from course_lib.trackers.base import Tracker


@dataclass(frozen=True)
class Trial:
    """One set of settings and its success AUC, the mean over the sequences."""

    settings: dict[str, float]
    auc: float


def mean_auc(tracker: Callable[[], Tracker], sequences: Items[Sequence]) -> float:
    """Success AUC of a fresh tracker on each sequence, mean over the sequences; NaN if there are none."""
    values = [auc(score_sequence(track(tracker(), c).boxes, c.boxes).success) for c in sequences]
    return float(np.mean(values)) if values else float("nan")


def search_settings(
    make: Callable[..., Tracker],
    sequences: Items[Sequence],
    space: dict[str, tuple[float, float]],
    trials: int = 20,
    seed: int = 0,
    start: dict[str, float] | None = None,
) -> list[Trial]:
    """Trials in the order they were made; the best one is `max(trials, key=lambda t: t.auc)`.

    Args:
        make: makes a tracker from settings by name, `make(penalty=0.2, window=0.4)`.
        sequences: generated sequences, whose targets are known in every frame.
        space: lowest and highest value of each setting.
        trials: how many to make.
        seed: of the sampler, so that a search can be repeated.
        start: settings to try first.

    Raises:
        SettingsError: for an empty space or range.
        DataError: for sequences that are not generated ones.
    """
    import optuna

    if not space or any(low >= high for low, high in space.values()):
        raise SettingsError(
            f"the space is {space}; expected for each setting a lowest and a larger highest value"
        )
    real = [c.name for c in sequences if not c.name.startswith("gen-")]
    if real or not sequences:
        raise DataError(
            "settings are searched on generated sequences only, not on "
            f"{', '.join(real) or 'nothing'}: what a search has seen "
            "cannot test it afterwards. Take them from load_benchmark('generated-v1') or "
            "make_sequence."
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    if start:
        study.enqueue_trial(start)
    found: list[Trial] = []

    def objective(trial: optuna.Trial) -> float:
        settings = {
            name: trial.suggest_float(name, low, high) for name, (low, high) in space.items()
        }
        found.append(Trial(settings, mean_auc(lambda: make(**settings), sequences)))
        return found[-1].auc

    study.optimize(objective, n_trials=trials)
    return found
