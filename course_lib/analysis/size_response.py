"""The size response of a network: believe in a wrong size, and see what size it finds.

A tracker cuts its search image by the size it believes in. If that is q times the true size, the
target looks 1/q times as large, and a network that measures finds the true size all the same. A
network that repeats its anchor finds the size believed in. In between,

    log(found / true) = g · log q + b,

with a gain g of 0 for the first and 1 for the second, and a bias b. In a tracker the size found is
the next one believed in: the loop settles where both agree, at exp(b / (1 − g)) times the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import DataError
from course_lib.geometry.windows import context_side

# the sizes believed in, as multiples of the true one: evenly spaced on a logarithmic scale
FACTORS = (0.6, 0.71, 0.84, 1.0, 1.19, 1.41, 1.68)
FRAMES = 8  # of each sequence, evenly spaced
# place errors beyond this, in true sides, belong to another thing: its size says nothing
NEAR = 0.5
LARGEST = 20.0  # where a simulated size ends, as a multiple of the true one


class SizedTracker(Protocol):
    """What the measurement needs of a tracker; SiamFC's and SiamRPN's have it."""

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start on `frame` (H, W, 3) with the target at `box` (4,)."""

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) and as large as `size` (2,)."""

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The box (4,) believed in after a look at `frame` (H, W, 3)."""


class SizeResponse(NamedTuple):
    """The line through the sizes that were found.

    Attributes:
        gain: slope g, 0 if sizes are measured, 1 if the believed size is repeated.
        bias: b.
    """

    gain: float
    bias: float

    @property
    def settles(self) -> float:
        """Where a tracker's size settles, as a multiple of the true one; infinite if g ≥ 1."""
        return math.exp(self.bias / (1 - self.gain)) if self.gain < 1 else math.inf


AS_FOUND = SizeResponse(0.0, 0.0)  # of a network that measures: nothing is to be inverted


def found_sizes(
    tracker: SizedTracker,
    frames: Any,
    boxes: np.ndarray,
    factors: ArrayLike = FACTORS,
    count: int = FRAMES,
    smoothed: bool = False,
) -> np.ndarray:
    """log(found / true) for each frame and factor, (F, K).

    The tracker starts on the first frame; in each of the others it is put on the true place and
    told a wrong size. NaN where the box found is not on the target. Sizes are compared by
    `context_side`.

    Args:
        tracker: looks, and finds a box; unless `smoothed`, it has a method `found` for the box (4,)
            that its network found in the last update.
        frames: of the sequence, (H, W, 3) each.
        boxes: (T, 4), the true ones; frames where the target is absent are left out.
        factors: (K,) q, the believed sizes as multiples of the true one.
        count: how many frames to look at.
        smoothed: False: what the network finds. True: what the tracker believes in after the frame,
            its penalties and smoothing included.

    Raises:
        DataError: the target is visible in fewer than two frames.
    """
    factors = np.asarray(factors, dtype=np.float64)  # (K,)
    visible = np.flatnonzero(np.isfinite(boxes).all(-1) & (boxes[:, 2:] > 0).all(-1))
    if len(visible) < 2:
        raise DataError(
            f"the target is visible in {len(visible)} frames; expected at least two, one to start "
            "on and one to measure"
        )
    places = np.linspace(1, len(visible) - 1, min(count, len(visible) - 1)).round().astype(int)
    tracker.init(frames[visible[0]], boxes[visible[0]])
    logs = np.full((len(places), len(factors)), np.nan)  # (F, K)
    for row, at in zip(logs, visible[places], strict=True):
        frame, true = frames[at], boxes[at]
        centre = true[:2] + true[2:] / 2  # (2,)
        for j, q in enumerate(factors):
            tracker.believe(centre, true[2:] * q)
            after = tracker.update(frame)  # (4,)
            found = after if smoothed else tracker.found()  # (4,)
            off = np.abs(found[:2] + found[2:] / 2 - centre) / true[2:]  # (2,)
            if (off < NEAR).all():
                row[j] = math.log(context_side(found[2:]) / context_side(true[2:]))
    return logs


def fit_response(logs: ArrayLike, factors: ArrayLike = FACTORS) -> SizeResponse:
    """The line of least squares through the medians over the frames.

    Args:
        logs: (F, K) or (K,), log(found / true); NaN where the target was missed.
        factors: (K,) q.

    Raises:
        DataError: the target was found for fewer than two factors.
    """
    logs = np.atleast_2d(np.asarray(logs, dtype=np.float64))  # (F, K)
    seen = np.isfinite(logs).any(0)  # (K,)
    if seen.sum() < 2:
        raise DataError(
            f"the target was found at {seen.sum()} of {logs.shape[1]} sizes; a line needs two. "
            "Does this tracker find boxes, and can it follow this sequence?"
        )
    medians = np.nanmedian(logs[:, seen], axis=0)  # (K',)
    gain, bias = np.polyfit(np.log(np.asarray(factors))[seen], medians, 1)
    return SizeResponse(float(gain), float(bias))


def median_response(responses: Iterable[SizeResponse]) -> SizeResponse:
    """The median gain and the median bias over sequences, one response each."""
    gain, bias = np.median([tuple(r) for r in responses], axis=0)
    return SizeResponse(float(gain), float(bias))


def simulate(
    answer: Callable[[float], float],
    rate: float,
    assumed: SizeResponse = AS_FOUND,
    start: float = 1.0,
    frames: int = 100,
    noise: float = 0.0,
    seed: int = 0,
) -> np.ndarray:
    """The loop of size and search image: believed sizes (frames + 1,), as multiples of the true
    one, `start` first.

    Args:
        answer: log q to log(found / true), the network's response.
        rate: how far the size moves towards the one that follows from the answer, 0 … 1.
        assumed: the response that the tracker inverts; gain and bias 0 for none.
        start: the size believed in at first.
        frames: how many.
        noise: standard deviation of what is added to each answer.
        seed: of the noise.
    """
    draws = np.random.default_rng(seed).normal(0, noise, frames) if noise else np.zeros(frames)
    sizes = [float(start)]
    for extra in draws:
        log_q = math.log(sizes[-1])
        r = answer(log_q) + extra - log_q  # log(found / believed)
        wanted = sizes[-1] * math.exp((r - assumed.bias) / (1 - assumed.gain))
        moved = (1 - rate) * sizes[-1] + rate * wanted
        sizes.append(min(max(moved, 1 / LARGEST), LARGEST))
    return np.array(sizes)
