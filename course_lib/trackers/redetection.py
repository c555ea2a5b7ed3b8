"""Lost and found again: a wrapper that notices when its tracker is no longer sure, searches more
widely, then everywhere, and goes on where the target shows up.

The scheme of long-term trackers (Kalal et al.: Tracking-Learning-Detection, PAMI 2012; Lukežič et
al.: FuCoLoT, ACCV 2018), with the tracker itself as its detector: it is asked how sure it would be
at other places.

    sure     the tracker's own box counts, and nothing is changed
    unsure   the box stays, nothing is learned, and the tracker is asked around it as well
    lost     after a few frames unsure: it is asked in the whole frame, some places each frame
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import SettingsError
from course_lib.geometry.frame import as_frame
from course_lib.places import RECIPES, WEIGHTS
from course_lib.recipe import Count, Positive, Settings, load_settings
from course_lib.trackers import ALL_NAMES, system
from course_lib.trackers.base import Tracker, accept_start, confidence_of

Surety = Literal["sure", "unsure", "lost"]


@dataclass(frozen=True)
class RedetectionSettings(Settings):
    """Settings of Redetection. The two thresholds are in the tracker's own units of confidence,
    which differ from one set of weights to another, so they have no defaults:
    `recipes/redetection_*.yaml` holds those of some of the course's trackers."""

    sure: float  # confidence from which the tracker is believed where it is
    found: float  # confidence from which it is believed at another place, at least `sure`
    patience: Count = 5  # frames unsure before the target counts as lost
    reach: Positive = 1.0  # how far around the box an unsure tracker is asked, in sides of the box
    spacing: Positive = 0.75  # from one place of the grid to the next, in sides of the box
    places: Count = 16  # of the grid, asked in each frame while lost
    absent: bool = False  # whether a lost target is reported as absent, a row of NaN
    weights: str = ""  # set by a recipe: the course's weights that it was chosen for, if any

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.found < self.sure:
            raise SettingsError(
                f"found is {self.found:g} and sure is {self.sure:g}; expected found to be at least "
                "sure: among many places one is high by chance"
            )


class Answer(NamedTuple):
    """What the tracker found when asked at a place: a box (4,), and how sure it was of it."""

    place: np.ndarray  # (4,) the box it was asked at
    box: np.ndarray
    score: float


@dataclass(frozen=True, eq=False)
class RedetectionState:
    """Outcome of the last call.

    Attributes:
        surety: sure, unsure or lost.
        score: confidence in the box that is returned: the tracker's own, NaN after `init`.
        answers: of the other places asked in this frame; empty while sure.
        inner: the tracker's own `last` at the box returned.
    """

    surety: Surety
    score: float
    answers: tuple[Answer, ...]
    inner: Any


def ring(box: np.ndarray, reach: float) -> np.ndarray:
    """The eight boxes (8, 4) around a box (4,), `reach` sides of it away; row by row."""
    steps = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dx or dy]
    moved = np.tile(np.asarray(box, dtype=np.float64), (8, 1))  # (8, 4)
    moved[:, :2] += np.array(steps) * reach * box[2:]
    return moved


def grid(box: np.ndarray, spacing: float, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes (N, 4) as large as a box (4,) that cover a frame of this shape, nearest to it first.

    Their centres lie at most `spacing` sides of the box apart and half of that from the frame's
    edge.
    """
    limits = np.array([shape[1], shape[0]], dtype=np.float64)  # (2,) w, h
    counts = np.ceil(limits / (spacing * box[2:])).astype(int)  # (2,)
    x, y = ((np.arange(n) + 0.5) * limit / n for n, limit in zip(counts, limits, strict=True))
    centres = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)  # (N, 2)
    away = np.linalg.norm(centres - (box[:2] + box[2:] / 2), axis=1)  # (N,)
    corners = centres[np.argsort(away, kind="stable")] - box[2:] / 2  # (N, 2)
    return np.concatenate([corners, np.tile(box[2:], (len(corners), 1))], axis=1)


def inside(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Those of the boxes (N, 4) whose centres lie in a frame of this shape."""
    centres = boxes[:, :2] + boxes[:, 2:] / 2  # (N, 2)
    return boxes[((centres >= 0) & (centres <= [shape[1], shape[0]])).all(axis=1)]


class Redetection(Tracker):
    """Any tracker that can be told where its target is, with re-detection.

    While the tracker is sure, its boxes are the same as without re-detection. A confidence that is
    NaN counts as sure: a tracker that gives no confidence never counts as lost.

    Args:
        tracker: the tracker itself, with `believe`.
        settings: thresholds in the units of its confidence.
    """

    def __init__(self, tracker: Tracker, settings: RedetectionSettings) -> None:
        self.tracker, self.settings = tracker, settings
        self.name = f"{tracker.name}-redetection"
        self.is_deterministic = tracker.is_deterministic

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start the tracker on the first frame (H, W, 3) and box (4,)."""
        frame, box = accept_start(frame, box)
        self.tracker.init(frame, box)
        self.seen = self.tracker  # as it was when it saw what `last.inner` holds
        self.box = box.copy()  # (4,) the last one that was sure
        self.unsure = self.asked = 0  # frames in a row; places of the grid
        self.last = RedetectionState("sure", float("nan"), (), self.tracker.last)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3): the tracker's own while it is sure, then the last
        sure one until the target is found again; NaN while lost, if `absent` says so."""
        before = self.tracker.fork()
        box = self.tracker.update(frame)
        score = confidence_of(self.tracker)
        answers: tuple[Answer, ...] = ()
        if score < self.settings.sure:
            self.tracker, self.seen = before, self.tracker  # nothing is learned from this frame
            answers = self._ask(as_frame(frame))
            best = max(answers, key=lambda answer: answer.score, default=None)
            if best is None or not best.score >= self.settings.found:
                return self._stay(score, answers)
            self.tracker.believe(best.place[:2] + best.place[2:] / 2, best.place[2:])
            box = self.tracker.update(frame)
            score = confidence_of(self.tracker)
        self.seen = self.tracker
        self.unsure = self.asked = 0
        self.box = np.array(box, dtype=np.float64)
        self.last = RedetectionState("sure", score, answers, self.tracker.last)
        return box

    def score_map(self) -> np.ndarray | None:
        """The tracker's own score map (h, w) of the last frame, also of one that it was unsure
        of."""
        return self.seen.score_map()

    def _stay(self, score: float, answers: tuple[Answer, ...]) -> np.ndarray:
        """The box (4,) of a frame in which the target was found nowhere."""
        self.unsure += 1
        lost = self.unsure > self.settings.patience
        self.last = RedetectionState("lost" if lost else "unsure", score, answers, self.seen.last)
        absent = lost and self.settings.absent
        return np.full(4, np.nan) if absent else self.box.copy()

    def _ask(self, frame: np.ndarray) -> tuple[Answer, ...]:
        """The tracker's answers in a frame (H, W, 3): around the last box, or, if the target has
        been gone for long, at the next places of the grid."""
        s = self.settings
        if self.unsure < s.patience:
            places = inside(ring(self.box, s.reach), frame.shape)  # (≤ 8, 4)
        else:
            every = grid(self.box, s.spacing, frame.shape)  # (N, 4)
            # the grid is asked bit by bit, then from its beginning
            turn = (self.asked + np.arange(min(s.places, len(every)))) % len(every)
            places, self.asked = every[turn], self.asked + s.places
        return tuple(Answer(place, *self.tracker.ask(frame, place)) for place in places)


def redetection_recipe(name: str) -> Path | None:
    """The file of the thresholds that were chosen for the tracker or system called `name`, or
    None."""
    recipe = RECIPES / f"redetection_{name}.yaml"
    return recipe if recipe.is_file() else None


def recipe_for(tracker: Tracker) -> Path | None:
    """The file of the thresholds that were chosen for this tracker with these weights, or None.

    One kind of tracker may run with many networks, and a response of 5 is low for one of them and
    out of reach for another. So thresholds count for the weights they were chosen on and no others.
    """
    file = _weights_file(tracker)
    for name in ALL_NAMES:
        recipe = redetection_recipe(name) if system(name).tracker == tracker.name else None
        if recipe is not None:
            weights = load_settings(RedetectionSettings, recipe).weights
            if not weights or file == (WEIGHTS / f"{weights}.safetensors").resolve():
                return recipe
    return None


def _weights_file(tracker: Tracker) -> Path | None:
    """The file of a tracker's network; None without one, or if it was read from no file."""
    return getattr(getattr(tracker, "runtime", None), "weights", None)


def with_redetection(tracker: Tracker, **overrides: Any) -> Redetection:
    """A tracker with re-detection, its thresholds from the recipe for it and its weights.

    Args:
        tracker: of the course, not initialised.
        overrides: settings that take precedence over the recipe.

    Raises:
        CourseError: if the tracker has no `believe`.
        SettingsError: if there is no recipe for it, and `sure` and `found` are not given.
    """
    if type(tracker).believe is Tracker.believe:
        tracker.believe(np.zeros(2), np.ones(2))  # says so
    recipe = recipe_for(tracker)
    if recipe is None and not {"sure", "found"} <= overrides.keys():
        weights = _weights_file(tracker)
        raise SettingsError(
            f"there is no recipe redetection_*.yaml for {tracker.name}"
            + f" with the weights {weights}" * (weights is not None)
            + ", and the thresholds sure and found are in units of its own confidence; give both, "
            "as in with_redetection(tracker, sure=8, found=10)"
        )
    return Redetection(tracker, load_settings(RedetectionSettings, recipe, overrides))
