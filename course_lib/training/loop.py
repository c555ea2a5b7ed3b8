"""The training loop: pairs in, weights out; it stops and goes on again as if it had never
stopped."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_lib.data.loader import PairBatch, batches, worker_deaths_in_words
from course_lib.data.pairs import PairSource
from course_lib.errors import CourseError
from course_lib.models.device import Placement, choose_placement
from course_lib.training.checkpoint import (
    check_same_run,
    foreign,
    in_short,
    load_checkpoint,
    save_checkpoint,
)
from course_lib.training.processes import Team, team_of
from course_lib.training.progress import Progress, Watcher
from course_lib.training.settings import TrainSettings, frozen_parts, learning_rate, shaping
from course_lib.training.sources import make_sources
from course_lib.training.step import descend_unread, make_optimiser, predict, restore, snapshot
from course_lib.training.tasks import Task, make_task

VALIDATION_SEED = 7_000_000  # validation pairs are the same for every run with the same sources
ROW = 20  # steps in a row of the curve, and from one reading of a GPU's losses to the next


class Trained(NamedTuple):
    """What `train` gives: the network, where it was trained, and where its run stands."""

    network: nn.Module
    progress: Progress


@dataclass(frozen=True, eq=False)
class Unread:
    """A step that was taken, with its loss () and its gradient's norm () still on the device."""

    step: int
    rate: float
    loss: Tensor
    norm: Tensor
    sources: list[str]


def train(
    settings: TrainSettings,
    folder: Path,
    device: str = "auto",
    watchers: list[Watcher] | None = None,
    stop_at: int | None = None,
    budget: float | None = None,
    root: Path | None = None,
    made: dict[str, Any] | None = None,
) -> Trained:
    """Train a recipe's network; the weights of a finished run are those of the last step.

    Args:
        settings: the recipe.
        folder: where `last.pt` is kept. If it holds one of the same recipe, the run goes on from
            there.
        device: "auto", "cpu", "cuda" or "cuda:N".
        watchers: called after every step.
        stop_at: stop after this step; budget: after this many seconds. A checkpoint is written
            first.
        root: the data root.
        made: on what and by what it is trained; kept with the run, for the card.

    Raises:
        CourseError: the loss is not a number; it names step, pairs and last good checkpoint.
        SettingsError: the folder holds a run of another recipe or on other data.
        DataError: the folder holds something else.
    """
    placement = choose_placement(device, settings.precision)
    with team_of(placement) as team:
        run = Run(settings, folder, placement, team, make_sources(settings, root), made)
        # one process may have been told to stop elsewhere, and would leave the others waiting
        stop = team.from_first(lambda: min(stop_at or settings.steps, settings.steps))
        with worker_deaths_in_words():
            run.go(watchers or [], stop, budget)
        return Trained(run.network, run.progress)


class Run:
    """One training run in this process."""

    def __init__(
        self,
        settings: TrainSettings,
        folder: Path,
        placement: Placement,
        team: Team,
        sources: tuple[PairSource, PairSource],
        made: dict[str, Any] | None = None,
    ) -> None:
        self.settings, self.folder, self.placement, self.team = settings, folder, placement, team
        self.training_pairs, self.validation_pairs = sources
        data = {
            "identity": getattr(sources[0], "identity", None),
            "used": list(getattr(sources[0], "used", settings.sources)),
        }
        team.check_agreement({**shaping(settings), "data": data})
        self.task: Task = make_task(settings)
        self.network = placement.network(self.task.build())
        self.optimiser = make_optimiser(self.network, settings)
        self.progress = Progress(0, settings.steps, settings.batch, data, dict(made or {}))
        self.unread: list[Unread] = []
        self.recent: list[float] = []  # losses of the curve's next row
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
        over = False
        while p.step < stop and not over:
            self._step(feed)
            spent = time.perf_counter() - began
            # all must stop at the same step
            over = self.team.any(budget is not None and spent > budget)
            validates = p.step % settings.validate_every == 0 or p.step == settings.steps
            saves = p.step % settings.checkpoint_every == 0 or p.step == stop or over
            if self._waits_for_nothing() or validates or saves or p.step % ROW == 0:
                self._read()
            if validates:
                self._validate()
            if saves:
                self.team.from_first(self._save)
            for watcher in watchers:
                watcher(p)
        return self.network

    def _step(self, feed: Any) -> None:
        """One step: a batch, its loss, its gradients, the weights moved against them. A GPU is not
        waited for.
        """
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
        norm = descend_unread(self.network, self.optimiser, loss, settings.clip)
        mean = self.team.mean(loss.detach())
        self.unread.append(Unread(p.step, p.rate, mean, norm, batch.sources))
        p.step += 1

        clock.append(time.perf_counter())
        for stage, before, after in zip(p.seconds, clock[:-1], clock[1:], strict=True):
            p.seconds[stage] += after - before
        p.making = self.training_pairs.seconds
        p.skipped.update(batch.skipped)

    def _waits_for_nothing(self) -> bool:
        """Whether a loss may be read at every step, because the processor has computed it
        itself."""
        return self.placement.device.type == "cpu"

    def _read(self) -> None:
        """Bring losses and norms of the steps since the last reading from the device, all at once,
        and look at them.
        """
        p, began = self.progress, time.perf_counter()
        # (n, 2)
        values = torch.stack([torch.stack([u.loss, u.norm]) for u in self.unread]).tolist()
        p.seconds["network"] += time.perf_counter() - began  # what the device had still to do
        for u, (loss, norm) in zip(self.unread, values, strict=True):
            if not math.isfinite(loss):
                raise CourseError(self._diverged(f"the loss is {loss}", u))
            if not math.isfinite(norm):
                raise CourseError(self._diverged(f"the gradient's norm is {norm}", u))
            p.loss = loss
            self.recent.append(loss)
            if (u.step + 1) % ROW == 0:
                p.curve.append((u.step + 1, sum(self.recent) / len(self.recent)))
                self.recent.clear()
        self.unread.clear()

    def _unfreeze(self) -> None:
        """Train one more part of the backbone where the recipe says so."""
        s = self.settings
        count = frozen_parts(self.progress.step, s.steps, s.freeze, s.unfreeze)
        if s.unfreeze and count != self.network.backbone.frozen:
            self.network.backbone.freeze(count)
            # which gradients are shared is fixed in wrapping
            self.shared = self.team.wrap(self.network, self.placement)

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

    def _diverged(self, what: str, at: Unread) -> str:
        kept = (
            f"the last good checkpoint is {self.checkpoint}"
            if self.team.from_first(self.checkpoint.is_file)
            else "no checkpoint was written yet"
        )
        pairs = "; ".join(name for names in self.team.gathered(at.sources) for name in names)
        return (
            f"{what} at step {at.step} (learning rate {at.rate:.2g}), on pairs of {pairs}. The "
            f"weights of this step and "
            f"of those after it were thrown away; {kept}. Lower rate_start or clip, or look at "
            f"these pairs."
        )

    def _save(self) -> None:
        """Write the checkpoint. Every loss up to this step has been read, so its weights are
        numbers.
        """
        p = self.progress
        state = {
            **snapshot(self.network, self.optimiser, p.step),
            "settings": shaping(self.settings),
            "data": p.data,
            "made": p.made,
            "seconds": p.spent,
            "skipped": dict(p.skipped),
            "curve": p.curve,
            "recent": self.recent,
            "validation": p.validation,
            "random": torch.get_rng_state(),
        }
        save_checkpoint(self.checkpoint, state)

    def _resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one of the same recipe and data.

        Process 0 reads it and tells the others: on other machines there may be none, or an older
        one.
        """
        state = self.team.from_first(self._kept)
        if state is None:
            return
        try:
            self._take(state)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as why:
            raise foreign(self.checkpoint, in_short(why)) from None

    def _kept(self) -> dict[str, Any] | None:
        state = load_checkpoint(self.checkpoint)
        if state is not None:
            data, steps = self.progress.data, self.settings.steps
            check_same_run(self.checkpoint, state, shaping(self.settings), data, steps)
        return state

    def _take(self, state: dict[str, Any]) -> None:
        p = self.progress
        p.step = p.started_at = restore(self.network, self.optimiser, state)
        if not all(bool(weight.isfinite().all()) for weight in self.network.parameters()):
            raise ValueError("its weights are not numbers")
        self.recent = [float(loss) for loss in state["recent"]]
        p.curve = [(int(step), float(loss)) for step, loss in state["curve"]]
        p.validation = [dict(row) for row in state["validation"]]
        p.before = {name: float(s) for name, s in state.get("seconds", {}).items()}
        p.skipped.update({why: int(n) for why, n in state.get("skipped", {}).items()})
        if p.step == p.steps:  # trained elsewhere, or earlier: what is written down stays true
            p.made = {**p.made, **state.get("made", {})}
        torch.set_rng_state(state["random"])
