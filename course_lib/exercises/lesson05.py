"""Checks of lesson 05: pairs, augmentation, the learning rate, reading a curve."""

from __future__ import annotations

from functools import partial
from itertools import accumulate

import numpy as np
import torch

from course_lib.data import pairs_cut, pairs_video
from course_lib.exercises.compare import as_array, as_number, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models.losses import peak_distance
from course_lib.training import monitor, step


@check(
    "training.pair",
    reference=pairs_video.sample_two_frames,
    others={
        "both frames are": lambda right, *given: (right(*given)[0],) * 2,
        "always lies on the same side": lambda right, *given: tuple(sorted(right(*given))),
        "are {} apart": lambda right, rng, valid, gap: (valid[0], valid[-1]),
        "not among the valid": lambda right, rng, valid, gap: rng.integers(0, len(valid), 2),
        "frames came first": lambda right, rng, valid, gap: right(rng, valid[:40], gap),
        "return the first twice": lambda right, rng, valid, gap: (
            right(rng, valid, gap) if len(valid) > 2 else (5, 300)
        ),
    },
)
def examine_pair(answer, rng) -> None:
    """Two frames of one video."""
    valid = np.sort(rng.choice(400, 120, replace=False))
    drawn = np.array([_drawn(answer, rng, valid) for _ in range(400)])  # (400, 2)
    before = (drawn[:, 1] < drawn[:, 0]).sum()
    if before == 0 or before == 400:
        raise Wrong(
            "your second frame always lies on the same side of the first; time may run either way"
        )
    firsts = len(set(drawn[:, 0]))
    if firsts < 60:
        raise Wrong(
            f"in 400 draws only {firsts} of 120 frames came first: draw the first among all valid "
            "ones"
        )
    lonely = answer(rng, np.array([5, 300]), 60)
    if tuple(int(v) for v in lonely) not in ((5, 5), (300, 300)):
        raise Wrong(
            f"of frames 5 and 300, with a gap of 60, you drew {tuple(lonely)}: if no other is "
            "within reach, return the first twice"
        )


def _drawn(answer, rng: np.random.Generator, valid: np.ndarray) -> tuple[int, int]:
    """One pair of frames, checked."""
    first, second = as_parts(answer(rng, valid.copy(), 60), "first", "second")
    first, second = int(as_number(first, "first")), int(as_number(second, "second"))
    for frame in (first, second):
        if frame not in valid:
            raise Wrong(
                f"frame {frame} is not among the valid ones: the target is absent there, or cut "
                "off. Draw from `valid`"
            )
    if abs(second - first) > 60:
        raise Wrong(
            f"frames {first} and {second} are {abs(second - first)} apart; at most the gap of 60"
        )
    if first == second:
        raise Wrong(
            f"both frames are {first}: a pair of one frame teaches nothing about change. Leave "
            "out the first"
        )
    return first, second


@check(
    "training.shift",
    reference=pairs_cut.shifted_centre,
    others={
        "divide by the scale, do not multiply": [
            lambda right, rng, box, shift, scale: right(rng, box, shift * scale**2, scale),
            lambda right, rng, box, shift, scale: right(rng, box, shift * scale, scale),
        ],
        "crop pixels, so divide by the scale": lambda right, rng, box, shift, scale: right(
            rng, box, shift / scale, scale
        ),
        "draw two numbers": lambda right, rng, box, shift, scale: (
            box[:2] + box[2:] / 2 + rng.uniform(-shift, shift) / scale
        ),
        "the box's centre is": [
            lambda right, rng, box, shift, scale: right(rng, box, shift, scale) - box[2:] / 2,
            lambda right, rng, box, shift, scale: (
                box[:2] + box[2:] / 2 + rng.uniform(0, shift, 2) / scale
            ),
        ],
    },
)
def examine_shift(answer, rng) -> None:
    """Centre of a search window, shifted from the target's."""
    box, shift, scale = np.array([40.0, 60.0, 30.0, 50.0]), 4.0, 0.5
    points = np.array(
        [as_array(answer(rng, box.copy(), shift, scale), (2,), "the point") for _ in range(600)]
    )
    away = (points - box[:2] - box[2:] / 2) * scale  # crop pixels
    if np.abs(away.mean(axis=0)).max() > 1.0:
        raise Wrong(
            f"your points lie around ({points.mean(axis=0)[0]:.0f}, {points.mean(axis=0)[1]:.0f}); "
            "the box's centre is (55, 85): x + w / 2, y + h / 2"
        )
    furthest = np.abs(away).max()
    if furthest > shift * 1.001:
        raise Wrong(
            f"the target is shifted by up to {furthest:.1f} crop pixels, not {shift:g}: one frame "
            f"pixel is {scale:g} crop pixels, so divide by the scale"
        )
    if furthest < shift * 0.8:
        raise Wrong(
            f"the shift never exceeds {furthest:.1f} crop pixels; expected up to {shift:g}: divide "
            "by the scale, do not multiply"
        )
    if abs(np.corrcoef(away.T)[0, 1]) > 0.5:
        raise Wrong("x and y are shifted by the same amount: draw two numbers")
    if (away > 0).all(axis=0).any() or (away < 0).all(axis=0).any():
        raise Wrong("you shift to one side only: draw between −shift and +shift")


def _ends(given, right) -> str:
    """The message for rates (as logarithms) whose ends are wrong."""
    (first, last), (start, end) = 10 ** given[[0, -1]], 10 ** right[[0, -1]]
    if not np.isclose(first, start):
        return f"the first step's rate is {first:.3g}; expected {start:g}"
    if not np.isclose(last, end, rtol=1e-3):
        return f"the last step's rate is {last:.3g}; expected {end:g}"
    return ""


@check(
    "training.rate",
    reference=step.learning_rate,
    mistakes={
        "your rate falls along a straight line: nearly all steps are large ones. It should fall by "
        "the same factor each step": lambda right, k, n, a, b: a + (b - a) * k / (n - 1),
        "the last step's rate is {last:.3g}, not {2:g}: between {0} steps lie {between} factors": (
            lambda right, k, n, a, b: right(k, n + 1, a, b)
        ),
    },
    others={
        "the first step's rate": lambda right, k, n, a, b: right(k + 1, n + 1, a, b),
        "the last step's rate": lambda right, k, n, a, b: a * 0.1 ** (k // 20),
    },
)
def examine_rate(answer, rng) -> None:
    """Geometric schedule."""
    answer.compare(
        (50, 1e-2, 1e-5),
        "the logarithm of the rate",
        lambda rates: np.log10(np.maximum(rates, 1e-12)),
        call=lambda f, n, *ends: [as_number(f(k, n, *ends), "the rate") for k in range(n)],
        tolerance=1e-4,
        otherwise=_ends,
        last=lambda given: 10 ** given[-1],
        between=49,
    )


def _off_centre(given, right, centre) -> str:
    """The message for a peak at the centre whose distance is not 0."""
    if abs(given[0]) <= 1e-6:
        return ""
    return (
        f"a peak at the centre cell has distance {given[0]:.3g}, expected 0: the centre is (n − 1) "
        f"/ 2 = {centre}"
    )


@check(
    "training.distance",
    reference=peak_distance,
    mistakes={
        "your distances are in cells; one cell is `stride` pixels": (
            lambda right, r, stride: right(r, 1)
        )
    },
    others={
        "the centre is (n − 1) / 2": lambda right, r, stride: right(r, stride, stride / 2),
        "√(rows² + columns²)": lambda right, r, stride: (
            stride
            * sum(
                np.abs(v - (r.shape[-1] - 1) / 2)
                for v in np.divmod(r.flatten(1).argmax(1).numpy(), r.shape[-1])
            )
        ),
    },
)
def examine_distance(answer, rng) -> None:
    """Distance of the peak from the centre."""
    for n, stride in ((17, 8), (15, 8), (33, 4)):
        response = torch.from_numpy(rng.normal(size=(4, n, n))).float()
        response[0, n // 2, n // 2] = 50.0
        answer.compare(
            (response, stride),
            "the distances",
            (4,),
            tolerance=1e-4,
            otherwise=partial(_off_centre, centre=(n - 1) // 2),
            named="the distance",
            hint="√(rows² + columns²) · stride, for each response its own peak",
        )


@check(
    "training.smooth",
    reference=monitor.smooth,
    mistakes={
        "your curve starts at {given[0]:.2f}, the losses at {0[0]:.2f}: it is pulled towards its "
        "initial 0. Divide by 1 − factor^k": lambda right, losses, factor: (
            right(losses, factor) * (1 - factor ** np.arange(1, len(losses) + 1))
        ),
        "factor and 1 − factor are swapped: a larger factor smooths more": (
            lambda right, losses, factor: right(losses, 1 - factor)
        ),
        "you start from the first loss, which then weighs as much as ten others; start from 0 and "
        "divide by 1 − factor^k": lambda right, losses, factor: list(
            accumulate(losses, lambda value, loss: factor * value + (1 - factor) * loss)
        ),
    },
    others={
        "the smoothed curve at": lambda right, losses, factor: (
            np.cumsum(losses) / np.arange(1, len(losses) + 1)
        )
    },
)
def examine_smooth(answer, rng) -> None:
    """Exponential moving average with bias correction."""
    losses = (1 + rng.uniform(0, 1, 30)).tolist()
    answer.compare((losses, 0.9), "the smoothed curve", (30,), tolerance=1e-5)
