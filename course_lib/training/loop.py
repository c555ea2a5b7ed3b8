"""The training loop: pairs in, weights out; it stops and goes on again as if it had never stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.data.loader import PairBatch, batches
from course_lib.data.pairs import PairSource
from course_lib.errors import CourseError, SettingsError
from course_lib.models.device import Placement, choose_placement
from course_lib.training.checkpoint import load_checkpoint, save_checkpoint
from course_lib.training.processes import Team, team_of
from course_lib.training.settings import TrainSettings, frozen_parts, learning_rate
from course_lib.training.sources import make_sources
from course_lib.training.step import descend, make_optimiser, predict, restore, snapshot
from course_lib.training.tasks import Task, make_task

VALIDATION_SEED = 7_000_000  # validation pairs are the same for every run with the same sources


@dataclass(eq=False)
class Progress:
    """Where a run stands; given to everyone who watches it.

    Attributes:
        step: steps done; steps: of the whole run.
        loss: of the last step; rate: its learning rate.
        seconds: spent so far in this process, by stage: "data", "light", "network".
        curve: one row (step, loss averaged over the last 20 steps) every 20 steps.
        validation: one row a validation: step, loss and the task's measures.
        maps: (n, h, w) score maps of the first validation pairs; None before the first validation.
        views: (n, 3, S, S) uint8, the search images they belong to.
        making: seconds inside "data" by stage, "decode" and "crop", where pairs are made in this process.
    """

    step: int
    steps: int
    batch: int
    loss: float = math.nan
    rate: float = math.nan
    seconds: dict[str, float] = field(
        default_factory=lambda: {"data": 0.0, "light": 0.0, "network": 0.0}
    )
    curve: list[tuple[int, float]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    maps: Tensor | None = None
    views: Tensor | None = None
    started_at: int = 0
    making: dict[str, float] = field(default_factory=dict)

    @property
    def pairs_per_second(self) -> float:
        """Pairs a second since this process began."""
        total = sum(self.seconds.values())
        return (self.step - self.started_at) * self.batch / total if total else math.nan

    @property
    def seconds_left(self) -> float:
        """Estimated seconds to the end."""
        return (self.steps - self.step) * self.batch / self.pairs_per_second


Watcher = Callable[[Progress], None]


def train(
    settings: TrainSettings,
    folder: Path,
    device: str = "auto",
    watchers: list[Watcher] | None = None,
    stop_at: int | None = None,
    budget: float | None = None,
    data: Path | None = None,
) -> nn.Module:
    """Train a recipe's network; the weights of a finished run are those of the last step.

    Args:
        settings: the recipe.
        folder: where `last.pt` is kept. If it holds one of the same recipe, the run goes on from there.
        device: "auto", "cpu" or "cuda".
        watchers: called after every step.
        stop_at: stop after this step; budget: after this many seconds. A checkpoint is written first.
        data: the data root.

    Raises CourseError naming step, pairs and last good checkpoint where the loss is not a number, SettingsError where
    the folder holds a run of another recipe.
    """
    placement = choose_placement(device, settings.precision)
    with team_of(placement) as team:
        run = Run(settings, folder, placement, team, make_sources(settings, data))
        return run.go(watchers or [], min(stop_at or settings.steps, settings.steps), budget)


class Run:
    """One training run in this process."""

    def __init__(
        self,
        settings: TrainSettings,
        folder: Path,
        placement: Placement,
        team: Team,
        sources: tuple[PairSource, PairSource],
    ) -> None:
        self.settings, self.folder, self.placement, self.team = settings, folder, placement, team
        self.training_pairs, self.validation_pairs = sources
        self.task: Task = make_task(settings)
        self.network = placement.network(self.task.build())
        self.optimiser = make_optimiser(self.network, settings)
        self.progress = Progress(0, settings.steps, settings.batch)
        self.checkpoint = folder / "last.pt"
        self._resume()
        self.shared = team.wrap(self.network, placement)

    def go(self, watchers: list[Watcher], stop: int, budget: float | None = None) -> nn.Module:
        """Train up to step `stop`, or until `budget` seconds are over; returns the network."""
        p, settings, began = self.progress, self.settings, time.perf_counter()
        feed = batches(
            self.training_pairs,
            settings.seed,
            settings.batch,
            p.step,
            stop,
            self.team.rank,
            self.team.world,
            settings.workers,
        )
        while p.step < stop:
            self._step(feed)
            over = budget is not None and self._any(time.perf_counter() - began > budget)
            if p.step % settings.validate_every == 0 or p.step == settings.steps:
                self._validate()
            if p.step % settings.checkpoint_every == 0 or p.step == stop or over:
                self._save()
            for watcher in watchers:
                watcher(p)
            if over:
                break
        return self.network

    def _step(self, feed: Any) -> None:
        """One step: a batch, its loss, its gradients, the weights moved against them."""
        p, settings = self.progress, self.settings
        clock = [time.perf_counter()]
        batch = next(feed)
        clock.append(time.perf_counter())
        batch = batch.lit(self.placement.device)
        clock.append(time.perf_counter())

        p.rate = learning_rate(p.step, settings.steps, settings.rate_start, settings.rate_end)
        for group in self.optimiser.param_groups:
            group["lr"] = p.rate
        self._unfreeze()
        self.shared.train()
        loss = self.task.loss(self._predict(batch), batch, p.step / max(settings.steps - 1, 1))
        p.loss = float(self.team.mean(loss.detach()))
        if not math.isfinite(p.loss):
            raise CourseError(self._diverged(f"the loss is {p.loss}", batch))
        norm = descend(self.network, self.optimiser, loss, settings.clip)
        if not math.isfinite(norm):
            raise CourseError(self._diverged(f"the gradient's norm is {norm}", batch))

        clock.append(time.perf_counter())
        for stage, before, after in zip(p.seconds, clock[:-1], clock[1:], strict=True):
            p.seconds[stage] += after - before
        p.making = self.training_pairs.seconds
        p.step += 1
        self.recent.append(p.loss)
        if p.step % 20 == 0:
            p.curve.append((p.step, sum(self.recent) / len(self.recent)))
            self.recent.clear()

    def _unfreeze(self) -> None:
        """Train one more part of the backbone where the recipe says so."""
        s = self.settings
        count = frozen_parts(self.progress.step, s.steps, s.freeze, s.unfreeze)
        if s.unfreeze and count != self.network.backbone.frozen:
            self.network.backbone.freeze(count)
            self.shared = self.team.wrap(
                self.network, self.placement
            )  # which gradients are shared is fixed in wrapping

    def _predict(self, batch: PairBatch) -> Any:
        """The network's output for a lit batch, in the placement's precision and layout."""
        place = self.placement
        exemplar, search = self.task.inputs(batch)
        return predict(self.shared, place.pictures(exemplar), place.pictures(search), place.bf16)

    @torch.no_grad()
    def _validate(self) -> None:
        """Loss and measures over the validation pairs; the same pairs every time."""
        settings, totals, n = self.settings, {}, 0
        if not settings.validation_pairs:
            return
        self.shared.eval()
        size = min(settings.batch, settings.validation_pairs)
        for k, batch in enumerate(
            batches(
                self.validation_pairs, VALIDATION_SEED, size, 0, settings.validation_pairs // size
            )
        ):
            lit = batch.lit(self.placement.device)
            output = self._predict(lit)
            if k == 0:
                self.progress.maps, self.progress.views = (
                    self.task.maps(output)[:8].float().cpu(),
                    batch.search[:8],
                )
            totals["loss"] = totals.get("loss", 0.0) + float(self.task.loss(output, lit)) * size
            good = lit.positive
            n += int(good.sum())
            for name, values in self.task.measures(output, lit).items():
                totals[name] = totals.get(name, 0.0) + float(values[good].sum())
        row = {
            "step": self.progress.step,
            "loss": totals.pop("loss") / (settings.validation_pairs // size * size),
        }
        self.progress.validation.append(
            row | {name: total / max(n, 1) for name, total in totals.items()}
        )

    def _any(self, condition: bool) -> bool:
        """Whether the condition holds in any process: all must stop at the same step."""
        return bool(
            self.team.mean(torch.tensor(float(condition), device=self.placement.device)) > 0
        )

    def _diverged(self, what: str, batch: PairBatch) -> str:
        kept = (
            f"the last good checkpoint is {self.checkpoint}"
            if self.checkpoint.is_file()
            else "no checkpoint was written yet"
        )
        return (
            f"{what} at step {self.progress.step} (learning rate {self.progress.rate:.2g}), on pairs of "
            f"{'; '.join(batch.sources)}. The weights were not changed by this step; {kept}. "
            "Lower rate_start or clip, or look at these pairs."
        )

    def _save(self) -> None:
        if not self.team.leads:
            return
        p = self.progress
        state = {
            **snapshot(self.network, self.optimiser, p.step),
            "settings": _plain(self.settings),
            "curve": p.curve,
            "recent": self.recent,
            "validation": p.validation,
            "random": torch.get_rng_state(),
        }
        save_checkpoint(self.checkpoint, state)

    def _resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one of the same recipe."""
        self.recent: list[float] = []
        state = load_checkpoint(self.checkpoint)
        if state is None:
            return
        mine = _plain(self.settings)
        changed = [key for key in mine if state["settings"].get(key) != mine[key]]
        if changed:
            theirs = {key: state["settings"].get(key) for key in changed}
            raise SettingsError(
                f"{self.checkpoint} belongs to another recipe: it has {theirs}, not { {key: mine[key] for key in changed} }. "
                "Give the run another name, or delete the folder to start anew."
            )
        torch.set_rng_state(state["random"])
        self.recent = list(state["recent"])
        p = self.progress
        p.step = p.started_at = restore(self.network, self.optimiser, state)
        p.curve, p.validation = [tuple(row) for row in state["curve"]], list(state["validation"])


# What may change between two parts of one run without changing the weights it ends with.
FREE = ("workers", "checkpoint_every", "validate_every", "validation_pairs")


def _plain(settings: TrainSettings) -> dict[str, Any]:
    """The settings as plain lists and numbers, without those that do not touch the weights."""
    values = asdict(settings)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if k not in FREE}
