"""Tracking with proposals (Li et al., 2018): one look a frame; of the proposals the one that is
likely, near the last place and of about the last size and shape wins.

One tracker for every proposal network: SiamRPN, SiamRPN++, SiamConcatRPN, SiamBroadcastRPN.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from course_lib.errors import DataError
from course_lib.geometry.anchors import decode
from course_lib.geometry.frame import as_frame
from course_lib.geometry.windows import EXEMPLAR, CropWindow, exemplar_side
from course_lib.models.backbone import Backbone
from course_lib.models.device import Placement, choose_placement
from course_lib.models.siamrpn import box_masks
from course_lib.models.weights import load_network, weights_stamp
from course_lib.recipe import NotNegative, Range, Settings, Share
from course_lib.trackers.base import Tracker, accept_start

SMALLEST = 10.0  # pixels: no side of a box becomes smaller


@dataclass(frozen=True)
class SiamRPNSettings(Settings):
    """Settings of SiamRPNTracker. Published ones differ by a factor of 20 between benchmarks, see
    `recipes/siamrpn_*.yaml`."""

    weights: str = "siamrpn"  # name or path, see `models.weights.find_weights`
    # pixels a side of the search image; a larger one sees further, at the same scale
    search: Annotated[int, Range(191, 1023)] = 255
    penalty: NotNegative = 0.16  # how strongly a change of size and shape is penalised
    window: Share = 0.40  # influence of the cosine window
    rate: Share = 0.30  # how far the size moves towards a certain proposal's
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"


@dataclass(frozen=True, eq=False)
class SiamRPNState:
    """What the last call computed, for A anchors.

    Attributes:
        boxes: (A, 4) proposals in pixels of the search image; None after `init`.
        scores: (A,) probability of the target; penalties: (A,) factors on it; ranked: (A,) after
            the window too.
        best: index of the chosen proposal.
        window: the square of the frame searched; after `init` the exemplar's.
        crop: (size, size, 3) uint8, what stood in it.
    """

    boxes: np.ndarray | None
    scores: np.ndarray | None
    penalties: np.ndarray | None
    ranked: np.ndarray | None
    best: int
    window: CropWindow
    crop: np.ndarray


class Proposer:
    """A trained proposal network made ready to track: batch norm folded, laid out, in the device
    policy's precision."""

    def __init__(self, network: nn.Module, placement: Placement) -> None:
        self.placement, self.guided = placement, network.guided
        self.dtype = torch.bfloat16 if placement.bf16 else torch.float32
        self.variances = getattr(network, "variances", (1, 1, 1, 1))
        self.network = placement.network(fold_all(network)).to(self.dtype)

    def anchors(self, search: int) -> np.ndarray:
        """Anchors (A, 4) for search images of `search` pixels."""
        return self.network.anchors(search)

    @torch.inference_mode()
    def keep(self, crop: np.ndarray, search: int) -> tuple[torch.Tensor, ...]:
        """What is kept of the exemplar crop (127, 127, 3), with a mask as fourth channel if the
        network is guided."""
        return self.network.keep(self._pictures(crop[None]), search)

    @torch.inference_mode()
    def respond(self, kept: tuple[torch.Tensor, ...], crops: np.ndarray) -> np.ndarray:
        """Proposals (N, A, 5) for search crops (N, S, S, 3 or 4): the target's probability and four
        offsets."""
        proposals = self.network.propose(kept, self._pictures(crops)).float()
        return torch.cat([proposals.scores[..., None], proposals.offsets], -1).cpu().numpy()

    def _pictures(self, crops: np.ndarray) -> torch.Tensor:
        # a batch of pictures as OpenCV stores them is already channels-last
        return (
            torch.from_numpy(crops).permute(0, 3, 1, 2).to(self.placement.device).to(self.dtype)
        )  # (N, 3, S, S)


@torch.no_grad()
def fold_all(network: nn.Module) -> nn.Module:
    """The network with every batch norm that follows a convolution folded into it; the same output
    in eval mode."""
    network.eval()
    if isinstance(getattr(network, "backbone", None), Backbone):
        network.backbone = network.backbone.folded()
    for module in network.modules():
        children = list(module.named_children())
        for (a, conv), (b, norm) in pairwise(children):
            if (
                isinstance(conv, nn.Conv2d)
                and isinstance(norm, nn.BatchNorm2d)
                and getattr(module, "guide", None) is None
            ):
                setattr(module, a, fuse_conv_bn_eval(conv, norm))
                setattr(module, b, nn.Identity())
    return network


def load_proposer(weights: str, device: str, precision: str) -> Proposer:
    """The proposer of named weights; loaded once in a process, and anew when the file changes.

    Raises DataError if the weights are not of a proposal network.
    """
    return _load_proposer(weights, weights_stamp(weights), device, precision)


@lru_cache(maxsize=8)
def _load_proposer(weights: str, stamp: tuple, device: str, precision: str) -> Proposer:
    network = load_network(weights)
    if not hasattr(network, "propose"):
        raise DataError(
            f"weights {weights!r} are of a {network.about['network']}, which makes no proposals; "
            "give others"
        )
    return Proposer(network, choose_placement(device, precision))


def padded_size(w: ArrayLike, h: ArrayLike) -> np.ndarray:
    """Size of boxes with their context: √((w + p)(h + p)), p = (w + h) / 2."""
    w, h = np.asarray(w, dtype=np.float64), np.asarray(h, dtype=np.float64)
    p = (w + h) / 2
    return np.sqrt((w + p) * (h + p))


def change(ratio: ArrayLike) -> np.ndarray:
    """How much something changed, at least 1: twice as large and half as large are both 2."""
    ratio = np.asarray(ratio, dtype=np.float64)
    return np.maximum(ratio, 1 / ratio)


def change_penalty(boxes: np.ndarray, size: np.ndarray, strength: float) -> np.ndarray:
    """Factors (A,) in 0…1 on the scores of boxes (A, 4): exp(−(r · s − 1) · strength).

    r is the change of the ratio w / h and s that of the padded size, against the last size (2,) in
    the same pixels. No change gives 1. (The EPFL report prints exp(k · r · s), which would reward
    change.)
    """
    w, h = np.maximum(boxes[:, 2], 1e-3), np.maximum(boxes[:, 3], 1e-3)  # (A,)
    s = change(padded_size(w, h) / padded_size(*size))  # (A,)
    r = change((size[0] / size[1]) / (w / h))  # (A,)
    return np.exp(-(r * s - 1) * strength)


def anchor_window(anchors: np.ndarray) -> np.ndarray:
    """Hann window (A,) with peak 1 at the anchors' centres: 1 in the middle of the map, 0 at its
    outermost cells."""
    centres = anchors[:, :2] + anchors[:, 2:] / 2  # (A, 2)
    low, high = centres.min(0), centres.max(0)  # (2,)
    return np.prod(0.5 - 0.5 * np.cos(2 * np.pi * (centres - low) / (high - low)), axis=1)


def rerank(
    scores: np.ndarray, penalties: np.ndarray, window: np.ndarray, influence: float
) -> np.ndarray:
    """(1 − influence) · penalty · score + influence · window, each (A,)."""
    return (1 - influence) * penalties * scores + influence * window


def smooth_size(last: np.ndarray, found: np.ndarray, certainty: float, rate: float) -> np.ndarray:
    """The size (2,) moved from `last` towards `found` by the share certainty · rate; certainty is
    penalty · score."""
    share = certainty * rate
    return (1 - share) * last + share * found


def with_mask(crop: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A crop (S, S, 3) with a fourth channel that is 1 inside a box (4,) of it: the guide of
    SiamConcatRPN."""
    # (S, S)
    mask = box_masks(torch.as_tensor(np.asarray(box, dtype=np.float64))[None], len(crop))[0, 0]
    return np.dstack([crop, mask.numpy().astype(np.uint8)])


class SiamRPNTracker(Tracker):
    """SiamRPN's tracker: `look` cuts the search image, the network proposes, `decide` chooses."""

    name = "siamrpn"
    Settings = SiamRPNSettings
    lockstep = True

    def __init__(
        self, settings: SiamRPNSettings | None = None, embedding: Proposer | None = None
    ) -> None:
        self.settings = settings or SiamRPNSettings()
        s = self.settings
        self.embedding = embedding or load_proposer(s.weights, s.device, s.precision)
        self.anchors = self.embedding.anchors(s.search)  # (A, 4)
        self.hann = anchor_window(self.anchors)  # (A,)

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Keep what the network needs of the exemplar; it stays as it is for the whole sequence."""
        frame, box = accept_start(frame, box)
        self.centre = box[:2] + box[2:] / 2  # (2,)
        self.size = box[2:].copy()  # (2,)
        self.colour = cv2.mean(frame)[:3]
        window = CropWindow(*self.centre, float(exemplar_side(box)), EXEMPLAR)
        crop = window.cut(frame, self.colour)  # (127, 127, 3)
        self.z = self.embedding.keep(self._guided(crop, window), self.settings.search)
        self.last = SiamRPNState(None, None, None, None, 0, window, crop)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) of the chosen proposal, its size smoothed."""
        crops = self.look(frame)
        return self.decide(self.embedding.respond(self.z, crops))

    def look(self, frame: np.ndarray) -> np.ndarray:
        """The search image (1, S, S, 3) around the last place; guided, with the last box as a mask,
        (1, S, S, 4)."""
        frame = as_frame(frame)
        self.frame_size = np.array(frame.shape[1::-1])  # (2,) w, h
        size = self.settings.search
        side = float(exemplar_side([0, 0, *self.size])) * size / EXEMPLAR
        self.window = CropWindow(*self.centre, side, size)
        self.crop = self.window.cut(frame, self.colour)  # (S, S, 3)
        return self._guided(self.crop, self.window)[None]

    def decide(self, responses: np.ndarray) -> np.ndarray:
        """Box (4,) that follows from the proposals (1, A, 5) for what `look` gave."""
        s = self.settings
        scores, offsets = responses[0, :, 0], responses[0, :, 1:]  # (A,) and (A, 4)
        boxes = decode(offsets, self.anchors, self.embedding.variances)  # (A, 4) search pixels
        penalties = change_penalty(boxes, self.size * self.window.scale, s.penalty)  # (A,)
        ranked = rerank(scores, penalties, self.hann, s.window)  # (A,)
        best = int(ranked.argmax())
        found = self.window.box_to_frame(boxes[best])  # (4,) frame pixels
        # a target that left the view is awaited at the frame's edge
        self.centre = np.clip(found[:2] + found[2:] / 2, 0, self.frame_size)
        size = smooth_size(self.size, found[2:], float(penalties[best] * scores[best]), s.rate)
        self.size = np.clip(size, np.minimum(SMALLEST, self.frame_size), self.frame_size)
        self.last = SiamRPNState(boxes, scores, penalties, ranked, best, self.window, self.crop)
        return np.concatenate([self.centre - self.size / 2, self.size])

    def _guided(self, crop: np.ndarray, window: CropWindow) -> np.ndarray:
        """The crop with a fourth channel that is 1 inside the present box, for a network that wants
        one."""
        if not self.embedding.guided:
            return crop
        box = np.concatenate([self.centre - self.size / 2, self.size])
        return with_mask(crop, window.box_to_crop(box))
