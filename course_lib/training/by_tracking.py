"""Validation by tracking: the network in its tracker, on sequences that are not for measuring.

Pairs show a network the target at a place and a size that it may have one frame later. In a tracker
every answer is the next question: errors that repeat add up, and no measure on pairs shows this.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from course_lib.analysis.size_response import (
    SizeResponse,
    fit_response,
    found_sizes,
    median_response,
)
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.pairs_video import VideoPairs
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import context_side
from course_lib.lookup import load

if TYPE_CHECKING:
    from course_lib.data.pairs import PairSource
    from course_lib.data.sequence import Sequence
    from course_lib.models.device import Placement
    from course_lib.trackers.base import Tracker

# kind of a network's output → how it is made ready, and its tracker
TRACKERS = {
    "proposals": (
        "course_lib.models.runtime:ProposalRuntime",
        "course_lib.trackers.siamrpn:SiamRPNTracker",
    ),
    "responses": (
        "course_lib.models.runtime:SiamFCRuntime",
        "course_lib.trackers.siamfc:SiamFCTracker",
    ),
    "cosines": (
        "course_lib.models.runtime:SiamFCRuntime",
        "course_lib.trackers.siammargin:SiamMarginTracker",
    ),
    "overlaps": (
        "course_lib.models.runtime_online:OnlineRuntime",
        "course_lib.trackers.atom:ATOMTracker",
    ),
    "scores": (
        "course_lib.models.runtime_online:OnlineRuntime",
        "course_lib.trackers.atom:ATOMTracker",
    ),
    "centres": (
        "course_lib.models.runtime_stream:StreamRuntime",
        "course_lib.trackers.onestream:OneStreamTracker",
    ),
}
FIRST_SEED = 700_000  # of the generated sequences
FRAMES = 40  # of each sequence
VIDEOS = 20  # at most so many of the held-out ones
LOOKS = 3  # frames of each sequence at which the size response is measured


def validation_clips(count: int, pairs: PairSource) -> list[Sequence]:
    """Generated sequences, and the beginnings of the videos that pairs are validated on.

    Args:
        count: how many generated sequences; with 0 there are no videos either.
        pairs: source of the validation pairs.
    """
    if not count:
        return []
    specs = [random_spec(FIRST_SEED + k, length=FRAMES) for k in range(count)]
    return [make_sequence(spec) for spec in specs] + _videos(pairs)


def _videos(pairs: PairSource) -> list[Sequence]:
    """The beginnings, from the first usable frame on, of the videos in a source of pairs, or in the
    sources that it mixes, in which the target is seen again; if there are more than `VIDEOS`,
    of that many, evenly spaced. A frame is decoded only when the tracker comes to it."""
    starts = [
        (video, usable[0])
        for source in getattr(pairs, "sources", [pairs])
        if isinstance(source, VideoPairs)
        for video, usable in source.videos
        if _seen(video.boxes[usable[0] : usable[0] + FRAMES]).sum() > 1
    ]
    chosen = np.linspace(0, len(starts) - 1, min(len(starts), VIDEOS)).round().astype(int)
    return [video.part(first, first + FRAMES) for video, first in (starts[k] for k in chosen)]


def _seen(boxes: np.ndarray) -> np.ndarray:
    """Whether (T,) the target is there, by its boxes (T, 4)."""
    return np.isfinite(boxes).all(-1) & (boxes[:, 2:] > 0).all(-1)


def tracker_with(network: nn.Module, placement: Placement) -> Tracker:
    """The tracker of a network's kind, with its default settings; the network is copied."""
    runtime, tracker = map(load, TRACKERS[network.output])
    return tracker(None, runtime(copy.deepcopy(network).eval(), placement))


def follow(
    network: nn.Module, sequences: Iterable[Sequence], placement: Placement
) -> dict[str, float]:
    """How a network tracks: `tracking_iou`, the mean over the sequences of their mean IoU;
    `tracking_place`, the median distance from the true centre in sides of the exemplar's square;
    `tracking_size`, the median of |log(size / true size)| where the boxes overlap, if any do; for a
    network that proposes boxes also its size response, `size_gain` and `size_bias`. A sequence
    whose target is not seen after the first frame does not count.

    Args:
        network: a Siamese network; it stays as it is.
        sequences: what to track in.
        placement: where the network runs.
    """
    tracker, rows, responses = tracker_with(network, placement), [], []
    for sequence in sequences:
        rows.append(_one(tracker, sequence))
        if network.output == "proposals" and _seen(sequence.boxes).sum() > 1:
            logs = found_sizes(tracker, sequence.frames, sequence.boxes, count=LOOKS)  # (F, K)
            if np.isfinite(logs).any(0).sum() > 1:
                responses.append(fit_response(logs))
    return _summary(np.array(rows), responses)


def _one(tracker: Any, sequence: Sequence) -> tuple[float, float, float]:
    """Mean IoU, median place error and median size error in one sequence; NaN where there is
    nothing to measure."""
    tracker.init(sequence.frames[0], sequence.boxes[0])
    boxes = np.array(
        [tracker.update(sequence.frames[t]) for t in range(1, len(sequence))]
    )  # (T − 1, 4)
    true = sequence.boxes[1:]
    seen = _seen(true)  # (T − 1,)
    if not seen.any():
        return np.nan, np.nan, np.nan
    boxes, true = boxes[seen], true[seen]
    overlap, side = iou(boxes, true), context_side(true[:, 2:])
    away = boxes[:, :2] + boxes[:, 2:] / 2 - true[:, :2] - true[:, 2:] / 2
    place = np.hypot(*away.T) / side
    size = np.abs(np.log(context_side(boxes[:, 2:]) / side))[overlap > 0]
    return (
        float(overlap.mean()),
        float(np.median(place)),
        float(np.median(size) if len(size) else np.nan),
    )


def _summary(rows: np.ndarray, responses: list[SizeResponse]) -> dict[str, float]:
    """Mean and medians over the sequences, from rows (N, 3) of `_one`."""
    over_clips = {
        "tracking_iou": np.nanmean,
        "tracking_place": np.nanmedian,
        "tracking_size": np.nanmedian,
    }
    found = {
        name: float(average(column))
        for (name, average), column in zip(over_clips.items(), rows.T, strict=True)
        if np.isfinite(column).any()
    }
    if responses:
        gain, bias = median_response(responses)
        found |= {"size_gain": gain, "size_bias": bias}
    return found
