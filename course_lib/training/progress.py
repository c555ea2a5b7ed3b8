"""Progress of a training run: updated by the loop and read by its watchers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from course_lib.models.pyramid import MapPlace


@dataclass(eq=False)
class Progress:
    """Progress of a run, passed to all its watchers.

    Attributes:
        step: number of steps done.
        steps: number of steps of the whole run.
        batch: pairs per step.
        data: the training data: "identity", a digest, or None if the sources have none, and "used",
            the names of the sources.
        made: hardware, versions, commit and initial weights.
        loss: the last loss that was read back: on a CPU the last step's, on a GPU up to 20 steps
            old.
        rate: learning rate of the last step.
        seconds: time spent so far in this process, by stage: "data", "jitter", "network".
        before: the same, and `making`, for the earlier processes of a resumed run.
        curve: one row (step, loss averaged over the last 20 steps) every 20 steps.
        recent: losses of the curve's next row.
        validation: one row per validation: step, loss and the task's measures.
        maps: (n, h, w) score maps of the first validation pairs, 0…1; None before the first
            validation, and for a network that makes none.
        map_place: where the cells of these maps lie in the search images.
        search_images: (n, 3, S, S) uint8, the search images of these maps.
        boxes: (n, 4) in pixels of these images, by what they are; none for a network of maps.
        started_at: step at which this process started or resumed.
        making: time within "data" by stage, "decode" and "crop", if this process makes the pairs.
        skipped: how often a pair was redrawn, by what could not be read; over the whole run.
    """

    step: int
    steps: int
    batch: int
    data: dict[str, Any] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    loss: float = math.nan
    rate: float = math.nan
    seconds: dict[str, float] = field(
        default_factory=lambda: {"data": 0.0, "jitter": 0.0, "network": 0.0}
    )
    before: dict[str, float] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    maps: Tensor | None = None
    map_place: MapPlace | None = None
    search_images: Tensor | None = None
    boxes: dict[str, Tensor] = field(default_factory=dict)
    started_at: int = 0
    making: dict[str, float] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def spent(self) -> dict[str, float]:
        """Seconds by stage, over this process and the earlier ones of a resumed run."""
        here = {**self.seconds, **self.making}
        names = {**here, **self.before}
        return {name: here.get(name, 0.0) + self.before.get(name, 0.0) for name in names}

    @property
    def pairs_per_second(self) -> float:
        """Pairs per second since this process started."""
        total = sum(self.seconds.values())
        return (self.step - self.started_at) * self.batch / total if total else math.nan

    @property
    def loss_in_words(self) -> str:
        """The loss as text; on a GPU there is none before the first reading."""
        return "loss not read yet" if math.isnan(self.loss) else f"loss {self.loss:.3f}"

    @property
    def seconds_left(self) -> float:
        """Estimated seconds to the end."""
        return (self.steps - self.step) * self.batch / self.pairs_per_second

    def state(self) -> dict[str, Any]:
        """The progress as plain values, for a checkpoint; the step is stored with the weights."""
        return {
            "data": self.data,
            "made": self.made,
            "seconds": self.spent,
            "skipped": dict(self.skipped),
            "curve": self.curve,
            "recent": self.recent,
            "validation": self.validation,
        }

    def take(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state`."""
        self.recent = [float(loss) for loss in state["recent"]]
        self.curve = [(int(step), float(loss)) for step, loss in state["curve"]]
        self.validation = [dict(row) for row in state["validation"]]
        self.before = {name: float(s) for name, s in state.get("seconds", {}).items()}
        self.skipped.update({why: int(n) for why, n in state.get("skipped", {}).items()})
        if self.step == self.steps:  # a finished run: where and how it was trained stays true
            self.made = {**self.made, **state.get("made", {})}


Watcher = Callable[[Progress], None]
