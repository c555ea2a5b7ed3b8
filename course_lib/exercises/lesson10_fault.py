"""Check of lesson 10's measurement with a fault in it: targets are moved one way, and looked for
the other way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check

WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # right, left, down, up
SPARE = 64  # pixels of a wide crop beyond a search image, on each side
SIDE = 255


def mended_lag(answer: Callable[[Tensor], Tensor], wide: Tensor, distance: int) -> Tensor:
    """How far answers stay behind targets (B,), search pixels; the mean of four directions.

    Args:
        answer: search images (B, 3, 255, 255) to displacements (B, 2) from the centre, x and y.
        wide: (B, 3, 383, 383), the targets at the centre.
        distance: of the target from the centre of the search image, at most 64 pixels.
    """
    return _mean_of(answer, wide, distance)


def _mean_of(
    answer: Callable[[Tensor], Tensor],
    wide: Tensor,
    distance: int,
    *,
    moved: Callable[[int, int], tuple[int, int]] = lambda right, down: (right, down),
    lag: Callable[..., Tensor] = lambda d, x, y, right, down: d - (x * right + y * down),
    ways: tuple[tuple[int, int], ...] = WAYS,
    over: float | None = None,
) -> Tensor:
    """The mean lag, or one with a line changed.

    Args:
        answer, wide, distance: as in `mended_lag`.
        moved: the way the target is moved, by the way it should be.
        lag: what is added for a direction, from (distance, x, y of the answer, right, down).
        ways: the directions.
        over: what their sum is divided by; their number if None.
    """
    total = torch.zeros(len(wide))
    for right, down in ways:
        a, b = moved(right, down)
        top, left = SPARE - distance * b, SPARE - distance * a
        found = answer(wide[:, :, top : top + SIDE, left : left + SIDE])  # (B, 2)
        total = total + lag(distance, found[:, 0], found[:, 1], right, down)
    return total / (len(ways) if over is None else over)


def _changed(**changes):
    """A mistake: the measurement with these changes."""
    return lambda right, answer, wide, distance: _mean_of(answer, wide, distance, **changes)


@dataclass(frozen=True, eq=False)
class Seen:
    """A network by rule: it finds the brightest pixel and moves part of the way there.

    Attributes:
        share: (B, 2, 2) of the way, x and y; what is not on the diagonal leads astray.
        offset: (B, 2) pixels that are added.
    """

    share: np.ndarray
    offset: np.ndarray

    def __call__(self, search: Tensor) -> Tensor:
        """Displacements (B, 2) for search images (B, 3, 255, 255)."""
        n = search.shape[-1]
        at = search[:, 0].flatten(1).argmax(1)  # (B,)
        way = torch.stack([at % n, at // n], 1) - n // 2  # (B, 2)
        share, offset = (torch.from_numpy(part).float() for part in (self.share, self.offset))
        return (share @ way.float()[..., None])[..., 0] + offset


@check(
    "siamdw.fault",
    reference=mended_lag,
    mistakes={
        "the fault is still there: targets are moved one way, and the answers are measured "
        "the opposite way": [
            _changed(moved=lambda right, down: (-right, -down)),
            _changed(lag=lambda d, x, y, right, down: d + (x * right + y * down)),
        ],
        "rows are fixed, columns are not: where the crop begins further right, the target stands "
        "further left": _changed(moved=lambda right, down: (-right, down)),
        "columns are fixed, rows are not: where the crop begins further down, the target stands "
        "further up": _changed(moved=lambda right, down: (right, -down)),
        "now the target is not moved at all: every search image is the central one": _changed(
            moved=lambda right, down: (0, 0)
        ),
        "x and y are swapped, in the crop or in the answer: columns go with x, to the right, and "
        "rows with y, downwards": [
            _changed(moved=lambda right, down: (down, right)),
            _changed(lag=lambda d, x, y, right, down: d - (y * right + x * down)),
        ],
        "a lag is what is *missing* on the way: distance minus the part of the way that the answer "
        "goes. Yours is that part": [
            _changed(lag=lambda d, x, y, right, down: x * right + y * down),
            _changed(
                moved=lambda right, down: (-right, -down),
                lag=lambda d, x, y, right, down: -(x * right + y * down),
            ),
        ],
        "your lag has the wrong sign: an answer that falls short has a lag above 0": [
            _changed(lag=lambda d, x, y, right, down: x * right + y * down - d),
        ],
        "a lag counts along the way from the centre to the target; yours is the distance of the "
        "answer from the target, and an answer beside the way or beyond the target adds to it": [
            _changed(lag=lambda d, x, y, right, down: torch.hypot(x - d * right, y - d * down)),
        ],
        "an answer that goes beyond the target has a lag below 0; yours takes the magnitude, so it "
        "counts as one that falls short": _changed(
            lag=lambda d, x, y, right, down: (d - (x * right + y * down)).abs()
        ),
        "what is missing on the way is a part of it; yours counts the answer's whole distance from "
        "the centre, in any direction": _changed(
            lag=lambda d, x, y, right, down: d - torch.hypot(x, y)
        ),
        "the four directions are added: divide by their number": _changed(over=1.0),
        "halving the lag is no cure: a perfect answer then still lags by the whole distance, where "
        "its lag should be 0": _changed(moved=lambda right, down: (-right, -down), over=8.0),
        "there are four directions; yours are only those to the right and downwards": _changed(
            ways=WAYS[::2]
        ),
        "there are four directions; yours are only those along the rows": _changed(ways=WAYS[:2]),
        "there are four directions; yours are only those along the columns": _changed(
            ways=WAYS[2:]
        ),
    },
)
def examine_fault(answer, rng) -> None:
    """The measurement of networks that move part of the way, unequal along x and y."""
    wide = torch.zeros(3, 3, SIDE + 2 * SPARE, SIDE + 2 * SPARE)
    wide[:, :, SIDE // 2 + SPARE, SIDE // 2 + SPARE] = 255.0
    for distance in (int(rng.integers(17, 30)), 64):
        share = rng.uniform(0.2, 0.9, (3, 2, 2))
        share[0, 0, 0] = 1.4  # one answer goes beyond the target
        network = Seen(share, rng.uniform(3, 9, (3, 2)) * [1, -1])
        answer.compare(
            (network, wide, distance),
            "your tensor of lags",
            lambda raw: as_array(raw, (3,), "your tensor of lags"),
            tolerance=1e-4,
            otherwise=partial(_in_words, distance),
        )


def _in_words(distance: int, given: np.ndarray, right: np.ndarray) -> str:
    """The first lag that differs."""
    place = int(np.abs(given - right).argmax())
    mine, should_be = apart(given[place], right[place])
    return (
        f"for targets {distance} px from the centre a network's lag is {mine}, expected {should_be}"
    )
