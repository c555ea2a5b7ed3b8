"""ATOM: a classifier that is learned while tracking says where the target is, a predicted IoU says
how large (Danelljan, Bhat, Khan, Felsberg: "ATOM: Accurate Tracking by Overlap Maximization", CVPR
2019; details follow its public code). With `classifier` set it has DiMP's model predictor instead
(Bhat et al., "Learning Discriminative Model Prediction for Tracking", ICCV 2019).

A frame: crop the search image → features → scores → where, and in what state → a box that climbs
the predicted IoU → remember the sample → now and then, or at once for a hard negative, learn.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike

from course_lib.errors import SettingsError
from course_lib.geometry.frame import as_frame
from course_lib.geometry.windows import EXEMPLAR, CropWindow, context_side
from course_lib.models.runtime_online import OnlineRuntime
from course_lib.recipe import Count, Range, Seed, Settings
from course_lib.trackers.base import Tracker, accept_start
from course_lib.trackers.climbing import Climb, ClimbSettings, best_box, climb, starting_boxes
from course_lib.trackers.dimp_classifier import DiMPClassifier, DiMPClassifierSettings
from course_lib.trackers.first_samples import SampleSettings, dropped_out, first_samples
from course_lib.trackers.localise import (
    HARD,
    UNCERTAIN,
    Localisation,
    LocalisationSettings,
    in_pixels,
    localise,
)
from course_lib.trackers.online_classifier import ClassifierSettings, OnlineClassifier
from course_lib.trackers.target_classifier import TargetClassifier

SMALLEST = 10.0  # pixels: lower limit of a box's sides
INSIDE = 0.2  # least part of the target's sides that stays in the frame


@dataclass(frozen=True)
class ATOMSettings(Settings):
    """Settings of ATOMTracker: fewer samples and a smaller memory than in the public code, whose
    settings are in `recipes/atom_published.yaml`."""

    weights: str = "atom-lite0"  # name or path, see `models.weights.find_weights`
    # weights of a DiMP whose model predictor makes the classifier; "": learned by conjugate
    # gradients
    classifier: str = ""
    # pixels per side of the search image; a larger one covers a larger region at the same scale
    search: Annotated[int, Range(191, 1023)] = 287
    refine: bool = True  # whether boxes climb the predicted IoU; else the scale is searched for
    scales: Annotated[int, Range(1, 21)] = 5  # without refinement: number of scales searched, odd
    scale_step: Annotated[float, Range(1, 2)] = 1.02  # factor from one scale to the next
    update_every: Count = 10  # frames
    online: ClassifierSettings = field(default_factory=lambda: ClassifierSettings(capacity=50))
    dimp: DiMPClassifierSettings = field(default_factory=DiMPClassifierSettings)
    samples: SampleSettings = field(
        default_factory=lambda: SampleSettings(
            rotations=(10, -10, 45, -45), blurs=(2, 2), dropouts=0
        )
    )
    localisation: LocalisationSettings = field(default_factory=LocalisationSettings)
    climbing: ClimbSettings = field(default_factory=ClimbSettings)
    seed: Seed = 0  # of the boxes to climb from
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scales % 2 == 0:
            raise SettingsError(
                f"scales is {self.scales}; expected an odd number, so that the last scale is the "
                "middle one"
            )


@dataclass(frozen=True, eq=False)
class ATOMState:
    """Intermediate results of the last call.

    Attributes:
        scores: (h, w) of the classifier; None after `init`.
        fine: (S, S) the same at every pixel of the search image; None after `init`.
        found: the target's place in it and the state; None after `init`.
        climb: how the boxes climbed, in pixels of the search image; None without refinement, or if
            the target was not found.
        learned: whether the classifier has learned.
        window: the square of the frame searched.
        crop: (S, S, 3) uint8, the image in that window.
    """

    scores: np.ndarray | None
    fine: np.ndarray | None
    found: Localisation | None
    climb: Climb | None
    learned: bool
    window: CropWindow
    crop: np.ndarray

    @property
    def state(self) -> str:
        """ "first frame", or what the score map says: "found", "hard negative", "uncertain" or "not
        found"."""
        return self.found.state if self.found else "first frame"

    @property
    def score(self) -> float:
        """The classifier's score of the target, about 1 where it is certain; NaN after `init`."""
        return self.found.score if self.found else float("nan")


class ATOMTracker(Tracker):
    """ATOM's tracker, and DiMP's.

    Args:
        settings: the defaults unless given.
        runtime: a network ready to track; loaded as the settings say unless given. A DiMP tracks
            without refinement.

    Attributes:
        classifier: what it has learned of the target, with its memory.
        centre, size: (2,) of the target in frame pixels.
    """

    name = "atom"
    Settings = ATOMSettings

    def __init__(
        self, settings: ATOMSettings | None = None, runtime: OnlineRuntime | None = None
    ) -> None:
        self.settings = s = settings or ATOMSettings()
        self.runtime = runtime or OnlineRuntime.load(s.weights, s.device, s.precision)
        self.predicted: OnlineRuntime | None = None  # the network of DiMP's classifier
        if s.classifier:
            self.predicted = OnlineRuntime.load(s.classifier, s.device, s.precision)
            self._check_backbones()
        elif self.runtime.predictor is None:
            self.predicted = self.runtime
        self.refines = s.refine and self.runtime.predictor is not None
        self.coarse = self.runtime.places[1]

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Learn the classifier from crops of the first frame, and the modulation of the IoU
        predictor, which is never updated."""
        frame, box = accept_start(frame, box)
        s, self.age = self.settings, 0
        self.rng = np.random.default_rng(s.seed)
        self.colour = cv2.mean(frame)[:3]
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:].copy()  # (2,) each
        window = self._window()
        crops, boxes = first_samples(frame, box, window, s.samples)  # (N, S, S, 3) and (N, 4)
        fine, coarse = self.runtime.maps(crops)  # (N, C, n, n) and (N, C', m, m)
        dropped = torch.from_numpy(dropped_out(coarse[0].cpu().numpy(), s.samples)).to(coarse)
        coarse = torch.cat([coarse, dropped])  # (N + D, C', m, m)
        boxes = np.concatenate([boxes, np.repeat(boxes[:1], len(dropped), 0)])  # (N + D, 4)
        boxes = torch.from_numpy(boxes).to(coarse)
        self.classifier = self._new_classifier()
        self.classifier.learn_first(coarse, self.coarse.cells(boxes))
        if self.refines:
            with torch.no_grad():
                first = fine[:1], coarse[:1]
                self.modulation = self.runtime.predictor.modulation(first, boxes[:1])
        self.last = ATOMState(None, None, None, None, True, window, crops[0])

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) and as large as `size` (2,), in frame pixels; what
        was learned of its looks stays."""
        self.centre, self.size = np.array(centre, float), np.array(size, float)

    def score_map(self) -> np.ndarray | None:
        """The classifier's scores (h, w); None after `init`."""
        return None if self.last is None else self.last.scores

    def fork(self) -> Self:
        """A copy that goes its own way, with a classifier and a memory of its own."""
        other = super().fork()
        other.classifier, other.rng = self.classifier.fork(), copy.deepcopy(self.rng)
        return other

    @torch.no_grad()
    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) of the target; the last one if it is not found."""
        frame, s = as_frame(frame), self.settings
        self.frame_size = np.array(frame.shape[1::-1])  # (2,) w, h
        self.age += 1
        windows = [self._window(factor) for factor in self._scales()]
        crops = np.stack([window.cut(frame, self.colour) for window in windows])  # (K, S, S, 3)
        maps = self.runtime.maps(crops)  # (K, C, n, n) and (K, C', m, m)
        scores = self.classifier.scores(maps[1]).cpu().numpy()  # (K, h, w)
        k = int(scores.max((1, 2)).argmax())
        maps, window, old = [m[k : k + 1] for m in maps], windows[k], self.centre
        fine = in_pixels(scores[k], *self._score_grid(), s.search)  # (S, S)
        found = localise(fine, self.size * window.scale, s.localisation, window.to_crop(old))
        path = None if found.lost else self._move(found, maps, window, k)
        learned = self._learn(found, maps, window)
        self.last = ATOMState(scores[k], fine, found, path, learned, window, crops[k])
        return np.concatenate([self.centre - self.size / 2, self.size])

    def _move(
        self, found: Localisation, maps: list[torch.Tensor], window: CropWindow, scale: int
    ) -> Climb | None:
        """Take the target to be at the peak, as large as its refined box or as the chosen scale
        says; returns how the boxes climbed."""
        path, centre = None, window.to_frame(found.point)  # (2,)
        size = self.size * self._scales()[scale]
        if self.refines:
            in_crop = self.size * window.scale  # (2,)
            guess = np.concatenate([found.point - in_crop / 2, in_crop])  # (4,)
            path = self.climbed(maps, guess)
            best = best_box(path, self.settings.climbing.best)
            if best is not None:
                box = window.box_to_frame(best.cpu().numpy())  # (4,)
                centre, size = box[:2] + box[2:] / 2, box[2:]
        self.size = np.clip(size, np.minimum(SMALLEST, self.frame_size), self.frame_size)
        beyond = (0.5 - INSIDE) * self.size  # (2,)
        self.centre = np.clip(centre, -beyond, self.frame_size + beyond)
        return path

    def climbed(self, maps: list[torch.Tensor], guess: np.ndarray) -> Climb:
        """How boxes around a first guess (4,) in pixels of the search image climb, from the maps
        (1, C, n, n) and (1, C', m, m) of this image."""
        c, predictor = self.settings.climbing, self.runtime.predictor
        features = predictor.test_maps(maps)
        boxes = starting_boxes(guess, self.rng, c).to(maps[0])  # (P, 4)

        def judge(boxes: torch.Tensor) -> torch.Tensor:
            """2 · IoU − 1 (P,) of boxes (P, 4)."""
            return predictor.raw_iou(features, self.modulation, boxes[None])[0]

        return climb(judge, boxes, c.steps, c.length)

    def _learn(self, found: Localisation, maps: list[torch.Tensor], window: CropWindow) -> bool:
        """Remember the sample unless the target is lost or uncertain; learn at once from a hard
        negative, otherwise every `update_every` frames. Returns whether it has learned."""
        hard = found.state == HARD
        if not found.lost and found.state != UNCERTAIN:
            centre = torch.from_numpy(window.to_crop(self.centre)).to(maps[1])  # (2,) pixels
            self.classifier.remember(maps[1], self.coarse.cells(centre), hard)
        if self.classifier.settings.frozen or not (
            hard or self.age % self.settings.update_every == 0
        ):
            return False
        # DiMP takes one step for a hard negative, two otherwise
        self.classifier.learn(1 if hard and self.predicted else None)
        return True

    def _new_classifier(self) -> TargetClassifier:
        if self.predicted is None:
            return OnlineClassifier(self.settings.online)
        return DiMPClassifier(self.predicted.network, self.settings.dimp)

    def _scales(self) -> np.ndarray:
        """Factors (K,) of the sizes searched: 1 if boxes are refined."""
        count = 1 if self.refines else self.settings.scales
        return self.settings.scale_step ** (np.arange(count) - count // 2).astype(float)

    def _window(self, factor: float = 1.0) -> CropWindow:
        """The search image's square around the target, as if it were larger by a factor."""
        size = self.settings.search
        side = float(context_side(self.size)) * factor * size / EXEMPLAR
        return CropWindow(*self.centre, side, size)

    def _score_grid(self) -> tuple[float, float]:
        """Pixel of the score map's first cell, and pixels per cell."""
        return self.coarse.start - self.classifier.shift * self.coarse.stride, self.coarse.stride

    def _check_backbones(self) -> None:
        """Raise SettingsError unless the second network is a DiMP and reads the same maps."""
        if self.predicted.predictor is not None:
            raise SettingsError(
                f"classifier {self.settings.classifier!r} is an atom, which predicts no filter; "
                "give the weights of a dimp"
            )
        if not self.runtime.same_backbone(self.predicted):
            raise SettingsError(
                f"classifier {self.settings.classifier!r} has another backbone than weights "
                f"{self.settings.weights!r}, or the same with other arguments or in another state; "
                "train both from the same backbone with the same arguments, and with all its "
                "stages frozen"
            )
