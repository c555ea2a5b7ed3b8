"""Tracking with proposals: one search image per frame; the winning proposal has a high score, lies
near the last location, and has about the last size and shape.

Li, Yan, Wu, Zhu, Hu: High Performance Visual Tracking with Siamese Region Proposal Network, CVPR
2018, "Proposal selection"; details follow pysot's siamrpn_tracker.py. One tracker serves every
proposal network: SiamRPN, SiamRPN++, SiamConcatRPN, SiamBroadcastRPN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike

from course_lib.errors import DataError
from course_lib.geometry.anchors import decode
from course_lib.geometry.frame import as_frame
from course_lib.geometry.guide import box_masks
from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow, check_search, context_side
from course_lib.models.runtime import ProposalRuntime
from course_lib.recipe import NotNegative, Range, Settings, UnitInterval
from course_lib.trackers.base import Tracker, accept_start

SMALLEST = 10.0  # pixels: lower limit of a box's sides
MOST_TRUSTED = 0.5  # largest |log(found / believed)| that a size response is inverted for


@dataclass(frozen=True)
class SiamRPNSettings(Settings):
    """Settings of SiamRPNTracker. Published values differ between benchmarks by a factor of up to
    20, see `recipes/siamrpn_*.yaml`."""

    weights: str = "siamrpn"  # name or path, see `models.weights.find_weights`
    # pixels per side of the search image; a larger one covers a larger region at the same scale.
    # 127 plus a multiple of the network's step, mostly 8
    search: Annotated[int, Range(191, 1023)] = SEARCH
    penalty: NotNegative = 0.16  # how strongly a change of size and shape is penalised
    window: UnitInterval = 0.40  # influence of the cosine window
    rate: UnitInterval = 0.30  # how far the size moves towards that of a proposal of certainty 1
    # the network's size response, which is inverted (see `true_size`); 0 and 0: taken as found
    size_gain: Annotated[float, Range(0, 0.95)] = 0.0
    size_bias: Annotated[float, Range(-1, 1)] = 0.0
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"


@dataclass(frozen=True, eq=False)
class SiamRPNState:
    """Intermediate results of the last call, for A anchors.

    Attributes:
        boxes: (A, 4) proposals in pixels of the search image; None after `init`.
        scores: (A,) probability of the target.
        penalties: (A,) factors on the scores.
        ranked: (A,) penalised scores, blended with the window.
        best: index of the chosen proposal.
        window: the square of the frame searched; after `init` the exemplar's.
        crop: (size, size, 3) uint8, the image in that window.
    """

    boxes: np.ndarray | None
    scores: np.ndarray | None
    penalties: np.ndarray | None
    ranked: np.ndarray | None
    best: int
    window: CropWindow
    crop: np.ndarray

    @property
    def score(self) -> float:
        """How sure the tracker is: the probability of the chosen proposal; NaN after `init`."""
        return float("nan") if self.scores is None else float(self.scores[self.best])


def change(ratio: ArrayLike) -> np.ndarray:
    """Size (...) of a change, at least 1: twice as large and half as large are both 2; the paper's
    max(r / r′, r′ / r)."""
    ratio = np.asarray(ratio, dtype=np.float64)
    return np.maximum(ratio, 1 / ratio)


def change_penalty(boxes: np.ndarray, size: np.ndarray, strength: float) -> np.ndarray:
    """Factors (A,) in 0…1 on the boxes' scores: exp(−(r · s − 1) · strength).

    r is the change of the ratio w / h and s that of `context_side`, relative to the last size.
    Without a change the factor is 1. (The EPFL report prints exp(k · r · s), which would reward
    change; its code agrees with the formula here.)

    Args:
        boxes: (A, 4), x, y, w, h.
        size: the last size (2,), w and h, in the same pixels.
        strength: k, 0 for no penalty.
    """
    sizes = np.maximum(boxes[:, 2:], 1e-3)  # (A, 2)
    s = change(context_side(sizes) / context_side(size))  # (A,)
    r = change((size[0] / size[1]) / (sizes[:, 0] / sizes[:, 1]))  # (A,)
    return np.exp(-(r * s - 1) * strength)


def anchor_window(anchors: np.ndarray) -> np.ndarray:
    """Hann window (A,) sampled at the anchors' centres: 1 at the centre of the map, 0 at its
    outermost cells."""
    centres = anchors[:, :2] + anchors[:, 2:] / 2  # (A, 2)
    low, high = centres.min(0), centres.max(0)  # (2,)
    return np.prod(0.5 - 0.5 * np.cos(2 * np.pi * (centres - low) / (high - low)), axis=1)


def rerank(
    scores: np.ndarray, penalties: np.ndarray, window: np.ndarray, influence: float
) -> np.ndarray:
    """(1 − influence) · penalty · score + influence · window, (A,).

    Args:
        scores: (A,) probability of the target.
        penalties: (A,) from `change_penalty`.
        window: (A,) from `anchor_window`.
        influence: of the window, 0 … 1.
    """
    return (1 - influence) * penalties * scores + influence * window


def smooth_size(last: np.ndarray, found: np.ndarray, certainty: float, rate: float) -> np.ndarray:
    """The size (2,) moved from `last` towards `found` by certainty · rate, so that an uncertain
    proposal changes little.

    Args:
        last: w and h so far (2,).
        found: w and h of the chosen proposal (2,).
        certainty: its penalty · score.
        rate: how far a proposal of certainty 1 moves the size, 0 … 1.
    """
    step = certainty * rate
    return (1 - step) * last + step * found


def true_size(found: np.ndarray, believed: np.ndarray, gain: float, bias: float) -> np.ndarray:
    """The size (2,) that makes a network with a known size response find `found`.

    Told q times the true size, the network finds log(found / true) = g · log q + b (see
    `analysis.size_response`). With δ = log(found / believed) the true size is therefore
    believed · exp((δ − b) / (1 − g)). Noise in δ is multiplied by 1 / (1 − g) too, so δ is limited
    to ± `MOST_TRUSTED`, and a small rate is advisable.

    Args:
        found: w and h of the chosen proposal (2,); their ratio is kept.
        believed: w and h that the search image was cut by (2,).
        gain: g; with 0 and a bias of 0 the size is taken as found.
        bias: b.
    """
    if gain == bias == 0:
        return found
    delta = float(np.log(context_side(found) / context_side(believed)))
    wanted = (np.clip(delta, -MOST_TRUSTED, MOST_TRUSTED) - bias) / (1 - gain)
    return found * np.exp(wanted - delta)


def with_mask(crop: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A crop (S, S, 3) with a fourth channel that is 1 inside a box (4,) in crop pixels: the guide
    of SiamConcatRPN."""
    # (S, S)
    mask = box_masks(torch.as_tensor(np.asarray(box, dtype=np.float64))[None], len(crop))[0, 0]
    return np.dstack([crop, mask.numpy().astype(np.uint8)])


class SiamRPNTracker(Tracker):
    """SiamRPN's tracker: `look` crops the search image, the network proposes boxes, `decide`
    chooses one.

    Args:
        settings: the defaults unless given.
        runtime: a network ready to track; loaded as the settings say unless given.

    Raises:
        SettingsError: the network does not take search images of this size, see `check_search`.
    """

    name = "siamrpn"
    Settings = SiamRPNSettings
    lockstep = True

    def __init__(
        self, settings: SiamRPNSettings | None = None, runtime: ProposalRuntime | None = None
    ) -> None:
        self.settings = settings or SiamRPNSettings()
        s = self.settings
        self.runtime = runtime or ProposalRuntime.load(s.weights, s.device, s.precision)
        network = self.runtime.network
        check_search(s.search, network.step, network.only_search, network.name)
        self.anchors = self.runtime.anchors(s.search)  # (A, 4)
        self.hann = anchor_window(self.anchors)  # (A,)

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Compute the template features; they are never updated."""
        frame, box = accept_start(frame, box)
        self.centre = box[:2] + box[2:] / 2  # (2,)
        self.size = box[2:].copy()  # (2,)
        self.colour = cv2.mean(frame)[:3]
        window = CropWindow(*self.centre, float(context_side(self.size)), EXEMPLAR)
        crop = window.cut(frame, self.colour)  # (127, 127, 3)
        self.z = self.runtime.template_features(self._guided(crop, window), self.settings.search)
        self.last = SiamRPNState(None, None, None, None, 0, window, crop)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) of the chosen proposal, its size smoothed."""
        crops = self.look(frame)
        return self.decide(self.runtime.respond(self.z, crops))

    def look(self, frame: np.ndarray) -> np.ndarray:
        """The search image (1, S, S, 3) around the last location; for a guided network
        (1, S, S, 4), with the last box as a mask."""
        frame = as_frame(frame)
        self.frame_size = np.array(frame.shape[1::-1])  # (2,) w, h
        size = self.settings.search
        side = float(context_side(self.size)) * size / EXEMPLAR
        self.window = CropWindow(*self.centre, side, size)
        self.crop = self.window.cut(frame, self.colour)  # (S, S, 3)
        return self._guided(self.crop, self.window)[None]  # (1, S, S, 3 or 4)

    def decide(self, responses: np.ndarray) -> np.ndarray:
        """Box (4,) from the proposals (1, A, 5) for the image of `look`."""
        s = self.settings
        scores, offsets = responses[0, :, 0], responses[0, :, 1:]  # (A,) and (A, 4)
        boxes = decode(offsets, self.anchors, self.runtime.variances)  # (A, 4) search pixels
        penalties = change_penalty(boxes, self.size * self.window.scale, s.penalty)  # (A,)
        ranked = rerank(scores, penalties, self.hann, s.window)  # (A,)
        best = int(ranked.argmax())
        found = self.window.box_to_frame(boxes[best])  # (4,) frame pixels
        # a target that left the frame is awaited at its edge
        self.centre = np.clip(found[:2] + found[2:] / 2, 0, self.frame_size)
        true = true_size(np.maximum(found[2:], 1e-3), self.size, s.size_gain, s.size_bias)  # (2,)
        size = smooth_size(self.size, true, float(penalties[best] * scores[best]), s.rate)
        self.size = np.clip(size, np.minimum(SMALLEST, self.frame_size), self.frame_size)
        self.last = SiamRPNState(boxes, scores, penalties, ranked, best, self.window, self.crop)
        return np.concatenate([self.centre - self.size / 2, self.size])

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) and as large as `size` (2,), in frame pixels."""
        self.centre, self.size = np.array(centre, float), np.array(size, float)

    def score_map(self) -> np.ndarray | None:
        """The highest of the anchors' scores in each cell (n, n) of the (first) map; None after
        `init`."""
        if self.last is None or self.last.scores is None:
            return None
        network = self.runtime.network
        k, n = len(network.sizes), network.cells(self.settings.search)
        return self.last.scores[: k * n * n].reshape(k, n, n).max(0)

    def found(self) -> np.ndarray:
        """The box (4,) of the proposal chosen in the last `update`, in frame pixels, as the network
        found it.

        Raises DataError before the first update.
        """
        last = self.last
        if last is None or last.boxes is None:
            raise DataError("nothing was found yet: call update first")
        return last.window.box_to_frame(last.boxes[last.best])

    def _guided(self, crop: np.ndarray, window: CropWindow) -> np.ndarray:
        """The crop, for a guided network with a fourth channel that is 1 inside the current box."""
        if not self.runtime.guided:
            return crop
        box = np.concatenate([self.centre - self.size / 2, self.size])  # (4,) frame pixels
        return with_mask(crop, window.box_to_crop(box))
