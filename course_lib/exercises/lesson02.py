"""Checks of lesson 02: preprocessing of a patch, and the desired response."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers import mosse


@check(
    "mosse.window",
    reference=mosse.cosine_window,
    mistakes={
        "for height {0} and width {1} your window has shape ({1}, {0}): height comes first": (
            lambda right, h, w: right(w, h)
        ),
        "your window adds its two profiles, so its border is not 0: multiply them": [
            lambda right, h, w: np.add.outer(np.hanning(h), np.hanning(w)),
            lambda right, h, w: np.add.outer(np.hanning(h), np.hanning(w)) / 2,
        ],
        "your window is Hamming's, which ends at 0.08; Hann's ends at 0: np.hanning": (
            lambda right, h, w: np.outer(np.hamming(h), np.hamming(w))
        ),
    },
    others={
        "not 0 on the whole border": lambda right, h, w: right(h, w)[h // 2] + np.zeros((h, 1))
    },
)
def examine_window(answer, rng) -> None:
    """Hann window in two dimensions."""
    h, w = int(rng.integers(8, 20)), int(rng.integers(21, 40))
    answer.compare(
        (h, w),
        "the window",
        (h, w),
        otherwise=lambda given, right: (
            "your window is not 0 on the whole border"
            if max(abs(given[0]).max(), abs(given[:, 0]).max()) > 1e-9
            else ""
        ),
    )


@check(
    "mosse.preprocess",
    reference=mosse.preprocess,
    mistakes={
        "the result does not fade to 0 at the border: the window is missing": (
            lambda right, f, w: right(f, np.ones_like(w))
        ),
        "your border is not 0: normalise first, the window comes last": (
            lambda right, f, w: right(np.expm1(np.log1p(f.astype(float)) * w), np.ones_like(w))
        ),
        "the logarithm is missing: without it a shadow changes the contrast of the whole patch": (
            lambda right, f, w: right(np.expm1(f.astype(float)), w)
        ),
        "you divide by 255 before the logarithm: there log(1 + f) is nearly a straight line. "
        "Apply it to the values 0 … 255": lambda right, f, w: right(f / 255, w),
    },
)
def examine_preprocess(answer, rng) -> None:
    """Logarithm, mean, deviation, window: in this order."""
    patch = rng.integers(0, 256, (17, 22), dtype=np.uint8)
    window = np.outer(np.hanning(17), np.hanning(22))
    answer.compare(
        (patch, window),
        "the result",
        (17, 22),
        tolerance=1e-5,
        near=1e-4,
        hint="log(f + 1), minus mean, divided by deviation + 1e-5, times window",
    )
    flat = answer(np.full((17, 22), 80, dtype=np.uint8), window)
    as_array(flat, (17, 22), "for a patch of one grey value the result")


@check(
    "mosse.target",
    reference=mosse.gaussian_target,
    mistakes={
        "your Gaussian divides by 2σ; it should be 2σ²": lambda right, h, w, s: right(h, w, s**0.5),
        "your Gaussian divides by σ²: a factor 2 is missing": (
            lambda right, h, w, s: right(h, w, s / 2**0.5)
        ),
    },
    others={
        "your response peaks at": lambda right, h, w, s: np.roll(right(h, w, s), (1, 1), (0, 1)),
        "not a probability density": lambda right, *given: 0.1 * right(*given),
    },
)
def examine_target(answer, rng) -> None:
    """Gaussian with its peak at the centre."""
    h, w = 2 * int(rng.integers(6, 9)), 2 * int(rng.integers(9, 14)) + 1
    sigma = float(rng.uniform(1.5, 3))
    target = as_array(answer(h, w, sigma), (h, w), "the target")
    row, column = (int(i) for i in np.unravel_index(target.argmax(), target.shape))
    if (row, column) != (h // 2, w // 2):
        raise Wrong(
            f"your response peaks at (row, column) = ({row}, {column}); the centre of a {h}×{w} "
            f"patch is ({h // 2}, {w // 2})"
        )
    if not np.isclose(target.max(), 1):
        raise Wrong(
            f"your peak is {target.max():.4g}; the desired response has a peak of 1; it is "
            "not a probability density"
        )
    answer.compare((h, w, sigma), "the target", (h, w))
