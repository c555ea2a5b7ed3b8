"""The training loop: pairs in, weights out; a stopped run resumes as if it had never stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn

from course_lib.data.loader import batches, worker_deaths_in_words
from course_lib.errors import CourseError
from course_lib.lookup import load
from course_lib.models.device import Placement, choose_placement
from course_lib.training.checkpoint import load_same_run, save_state, take_state
from course_lib.training.processes import ProcessGroup, process_group
from course_lib.training.progress import Progress, Watcher
from course_lib.training.shaping import shaping
from course_lib.training.sources import make_sources
from course_lib.training.step import (
    descend_unread,
    fix_norms,
    frozen_stages,
    make_optimiser,
    predict,
    scheduled_rate,
    with_fast_backbone,
)
from course_lib.training.tasks import make_task
from course_lib.training.unread import ROW, Unread, read_back
from course_lib.training.validation import validate

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch
    from course_lib.data.pairs import PairSource
    from course_lib.training.settings import TrainSettings


class Trained(NamedTuple):
    """Result of `train`: the network and the progress of its run."""

    network: nn.Module
    progress: Progress


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
        folder: where the checkpoint `last.pt` is kept. If there is one of the same recipe, the run
            resumes from it.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        watchers: called after every step.
        stop_at: stop after this step, with a checkpoint.
        budget: stop after this many seconds, with a checkpoint.
        root: the data root.
        made: hardware, versions and so on; stored with the run, for the card.

    Raises:
        CourseError: the loss is not finite; names step, pairs and the last good checkpoint.
        SettingsError: the folder has a run of another recipe or on other data.
        DataError: the folder's checkpoint is damaged or something else.
    """
    placement = choose_placement(device, settings.precision)
    with process_group(placement) as group:
        run = Run(settings, folder, placement, group, make_sources(settings, root), made)
        # all must stop at the same step, or some processes would wait for the others forever
        stop = group.from_first(lambda: min(stop_at or settings.steps, settings.steps))
        with worker_deaths_in_words():
            run.go(watchers or [], stop, budget)
        return Trained(run.network, run.progress)


class Run:
    """One training run in this process.

    Args:
        settings: the recipe.
        folder: folder of the checkpoint.
        placement: device and precision.
        group: the processes that train together.
        sources: sources of the training pairs and of the validation pairs.
        made: hardware, versions and so on, for the card.
    """

    def __init__(
        self,
        settings: TrainSettings,
        folder: Path,
        placement: Placement,
        group: ProcessGroup,
        sources: tuple[PairSource, PairSource],
        made: dict[str, Any] | None = None,
    ) -> None:
        self.settings, self.folder, self.placement, self.group = settings, folder, placement, group
        self.training_pairs, self.validation_pairs = sources
        self.sequences = []
        if settings.validation_clips:  # trackers are no part of training otherwise
            chosen = load("course_lib.training.by_tracking:validation_clips")
            self.sequences = chosen(settings.validation_clips, sources[1])
        data = {
            "identity": getattr(sources[0], "identity", None),
            "used": list(getattr(sources[0], "used", settings.sources)),
        }
        group.check_agreement({**shaping(settings), "data": data})
        self.task = make_task(settings)
        self.task.share = group.share
        self.network = placement.network(self.task.network)
        self.optimiser = make_optimiser(self.network, settings)
        self.progress = Progress(0, settings.steps, settings.batch, data, dict(made or {}))
        self.unread: list[Unread] = []
        self.checkpoint = folder / "last.pt"
        self._resume()
        self.shared = group.wrap(with_fast_backbone(self.network, placement), placement)

    def go(self, watchers: list[Watcher], stop: int, budget: float | None = None) -> nn.Module:
        """Train up to step `stop`; returns the network.

        Args:
            watchers: called after every step.
            stop: step after which to stop.
            budget: seconds after which to stop; None for no limit.
        """
        p, settings, began = self.progress, self.settings, time.perf_counter()
        group = self.group
        shared_by = group.rank, group.world, settings.workers
        feed = batches(self.training_pairs, settings.seed, settings.batch, p.step, stop, *shared_by)
        over = False
        while p.step < stop and not over:
            self._step(feed)
            spent = time.perf_counter() - began
            # all processes must stop at the same step
            over = group.any(budget is not None and spent > budget)
            validates = p.step % settings.validate_every == 0 or p.step == settings.steps
            saves = p.step % settings.checkpoint_every == 0 or p.step == stop or over
            if self._on_cpu() or validates or saves or p.step % ROW == 0:
                self._read()
            if validates:
                self._validate()
            if saves:
                group.from_first(self._save)
            for watcher in watchers:
                watcher(p)
        return self.network

    def _step(self, feed: Any) -> None:
        """One step: batch, loss, gradients, update of the weights. It does not wait for a GPU."""
        p, settings = self.progress, self.settings
        clock = [time.perf_counter()]
        batch = next(feed)
        clock.append(time.perf_counter())
        batch = batch.jittered(self.placement.device)
        clock.append(time.perf_counter())

        p.rate = scheduled_rate(p.step, settings)
        for group in self.optimiser.param_groups:
            group["lr"] = p.rate * group.get("factor", 1.0)  # older checkpoints lack it
        self._unfreeze()
        self.shared.train()
        if p.step >= (1 - settings.fix_norms) * settings.steps:
            fix_norms(self.shared)  # wrapping may have replaced the network's own norms
        loss = self.task.loss(self._predict(batch), batch, p.step / max(settings.steps - 1, 1))
        norm = descend_unread(self.network, self.optimiser, loss, settings.clip_norm)
        mean = self.group.mean(loss.detach())
        self.unread.append(Unread(p.step, p.rate, mean, norm, batch.sources))
        p.step += 1

        clock.append(time.perf_counter())
        for stage, before, after in zip(p.seconds, clock[:-1], clock[1:], strict=True):
            p.seconds[stage] += after - before
        p.making = self.training_pairs.seconds
        p.skipped.update(batch.skipped)

    def _on_cpu(self) -> bool:
        """Whether the loss can be read after every step without waiting for a GPU."""
        return self.placement.device.type == "cpu"

    def _read(self) -> None:
        """Read losses and norms of the steps since the last reading."""
        fault = read_back(self.unread, self.progress)
        if fault:
            raise CourseError(self._diverged(*fault))
        self.unread.clear()

    def _unfreeze(self) -> None:
        """Unfreeze one more stage of the backbone at the recipe's steps."""
        s = self.settings
        count = frozen_stages(self.progress.step, s.steps, s.freeze, s.unfreeze)
        if s.unfreeze and count != self.network.backbone.frozen:
            self.network.backbone.freeze(count)
            # wrapping fixes which gradients are averaged
            fast = with_fast_backbone(self.network, self.placement)
            self.shared = self.group.wrap(fast, self.placement)

    def _predict(self, batch: PairBatch) -> Any:
        """The network's output for a jittered batch, in the placement's precision and layout."""
        place = self.placement
        exemplar, search, *more = self.task.inputs(batch)
        images = place.laid_out(exemplar), place.laid_out(search)
        return predict(self.shared, *images, place.bf16, *more)

    def _validate(self) -> None:
        """Loss and measures over the validation pairs, and how the network tracks; the same pairs
        and sequences every time."""
        p, settings = self.progress, self.settings
        if settings.validation_pairs:
            self.shared.eval()
            size = min(settings.batch, settings.validation_pairs)
            count = settings.validation_pairs // size
            row, p.maps, p.map_place, p.search_images, p.boxes = validate(
                self.task, self._predict, self.validation_pairs, size, count, self.placement.device
            )
            if self.sequences:
                follow = load("course_lib.training.by_tracking:follow")
                row |= follow(self.network, self.sequences, self.placement)
            p.validation.append({"step": p.step, **row})

    def _diverged(self, what: str, at: Unread) -> str:
        kept = (
            f"the last good checkpoint is {self.checkpoint}"
            if self.group.from_first(self.checkpoint.is_file)
            else "no checkpoint was written yet"
        )
        pairs = "; ".join(name for names in self.group.gathered(at.sources) for name in names)
        return (
            f"{what} at step {at.step} (learning rate {at.rate:.2g}), on pairs of {pairs}. The "
            f"weights of this and later steps were discarded; {kept}. Lower rate_start or "
            "clip_norm, or check these pairs."
        )

    def _save(self) -> None:
        """Write the checkpoint. Every loss up to this step has been read, so its weights are
        finite.
        """
        settings = shaping(self.settings)
        save_state(self.checkpoint, self.network, self.optimiser, self.progress, settings)

    def _resume(self) -> None:
        """Resume from the folder's checkpoint, if there is one of the same recipe and data.

        The main process reads it and sends it to the others: on other machines it may be missing or
        older.
        """
        p, settings = self.progress, shaping(self.settings)
        state = self.group.from_first(
            lambda: load_same_run(self.checkpoint, settings, p.data, p.steps)
        )
        if state is not None:
            take_state(self.checkpoint, state, self.network, self.optimiser, p)
