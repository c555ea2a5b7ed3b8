"""Checks of lesson 02: the filter, its response, its updates."""

from __future__ import annotations

import numpy as np
from numpy.fft import fft2

from course_lib.exercises.compare import as_array, as_number, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers import mosse


def _pair(given) -> tuple[np.ndarray, np.ndarray]:
    """A and B from an answer; B must be real."""
    if not isinstance(given, (tuple, list)):
        raise Wrong("the answer has two parts: return A, B")
    A, B = as_parts(given, "A", "B")
    A = as_array(A, np.shape(A), "A")
    B = as_array(B, A.shape, "B")
    if np.abs(np.imag(B)).max() > 1e-6 * max(np.abs(B).max(), 1):
        raise Wrong("B has an imaginary part; F times its conjugate is real")
    return A, np.real(B)


@check(
    "mosse.filter",
    reference=mosse.train_filter,
    mistakes={
        "your response would peak at the mirrored position: in A, F is conjugated, not G": (
            0,
            lambda right, *given: (np.conj(right(*given)[0]), right(*given)[1]),
        ),
        "F is not conjugated in A: that is a convolution, not a correlation": (
            0,
            lambda right, f, g, k: (np.sum(fft2(g) * fft2(f), axis=0), right(f, g, k)[1]),
        ),
        "A and B are averaged over the patches; the formula sums them": (
            lambda right, f, g, k: tuple(v / len(f) for v in right(f, g, len(f) * k))
        ),
        "the regulariser is missing in B": lambda right, f, g, k: right(f, g, 0),
        "the regulariser is added once for each patch; it is added to B once": (
            lambda right, f, g, k: right(f, g, len(f) * k)
        ),
    },
)
def examine_filter(answer, rng) -> None:
    """Numerator and denominator of the least-squares filter."""
    patches = rng.normal(size=(3, 12, 16))
    # not symmetric: its spectrum is not real
    target = np.roll(mosse.gaussian_target(12, 16, 2.0), (1, 2), axis=(0, 1))
    answer.compare((patches, target, 0.5), ("A", "B"), _pair)


@check(
    "mosse.respond",
    reference=mosse.respond,
    mistakes={
        "your response is rolled by half its size: g has its peak at the centre, so nothing needs "
        "to be shifted here": lambda right, f, A, B: (
            np.fft.fftshift(right(f, A, B)[0]),
            *right(f, A, B)[1:],
        ),
        "the target moved {dx} px right and {dy} px down, you say {given[0]:g} and {given[1]:g}: "
        "the row is y": lambda right, *given: tuple(np.array(right(*given), object)[[0, 2, 1]]),
        "your dx, dy are the position of the peak; the displacement is measured from the centre of "
        "the patch": lambda right, f, A, B: (
            right(f, A, B)[0],
            right(f, A, B)[1] + f.shape[1] // 2,
            right(f, A, B)[2] + f.shape[0] // 2,
        ),
    },
    others={
        "you say": lambda right, *given: (
            right(*given)[0],
            -right(*given)[1],
            -right(*given)[2],
        ),
        "three parts": lambda right, *given: right(*given)[0],
    },
)
def examine_respond(answer, rng) -> None:
    """Response and displacement."""
    h, w = 20, 26
    patch, target = rng.normal(size=(h, w)), mosse.gaussian_target(h, w, 2.0)
    A, B = mosse.train_filter(patch[None], target, 1e-3)

    def response(given):
        if not isinstance(given, tuple):
            raise Wrong("the answer has three parts: return response, dx, dy")
        values, _, _ = as_parts(given, "response", "dx", "dy")
        if np.iscomplexobj(values):
            raise Wrong("your response is complex: take its real part")
        return as_array(values, (h, w), "the response")

    def displacement(given):
        return as_number(given[1], "dx"), as_number(given[2], "dy")

    for dx, dy in ((0, 0), (4, 1), (-3, 2), (5, -6)):
        inputs = (np.roll(patch, (dy, dx), axis=(0, 1)), A, B)
        hint = "transform, times A / B, transform back"
        answer.compare(inputs, "the response", response, hint=hint)
        words = f"the target moved by ({dx}, {dy}), you say ({{given[0]:g}}, {{given[1]:g}})"
        answer.compare(inputs, ("dx", "dy"), displacement, otherwise=words, dx=dx, dy=dy)


@check(
    "mosse.update",
    reference=mosse.update_filter,
    mistakes={
        "the weights are swapped: the new patch has η, the past 1 − η. Yours forgets almost "
        "everything in one frame": lambda right, A, B, f, g, rate: right(A, B, f, g, 1 - rate),
        "the past is not multiplied by 1 − η, so A and B grow forever": [
            (part, lambda right, A, B, f, g, r: right(A / (1 - r), B / (1 - r), f, g, r))
            for part in (0, 1)
        ],
        "only A learns: B is a running sum too": lambda right, A, B, *given: (
            right(A, B, *given)[0],
            B,
        ),
        "in A, F is conjugated, not G": (
            0,
            lambda right, A, B, *given: (
                np.conj(right(np.conj(A), B, *given)[0]),
                right(A, B, *given)[1],
            ),
        ),
    },
)
def examine_update(answer, rng) -> None:
    """Running numerator and denominator."""
    first, patch = rng.normal(size=(1, 10, 14)), rng.normal(size=(10, 14))
    target = np.roll(mosse.gaussian_target(10, 14, 2.0), (1, 2), axis=(0, 1))
    A, B = mosse.train_filter(first, target, 0.1)
    answer.compare((A, B, patch, target, 0.125), ("A", "B"), _pair)


@check(
    "mosse.ratio",
    reference=mosse.update_ratio,
    mistakes={
        "the weights are swapped: the new single-patch filter has η, the past 1 − η": (
            lambda right, H, f, g, rate, k: right(H, f, g, 1 - rate, k)
        ),
        "the regulariser is missing in the denominator": (
            lambda right, H, f, g, rate, k: right(H, f, g, rate, 0.0)
        ),
        "H is conjugated once too often: the input is already H*": (
            lambda right, H, *given: right(np.conj(H), *given)
        ),
    },
)
def examine_ratio(answer, rng) -> None:
    """Running average of single-patch filters."""
    patch, target = rng.normal(size=(10, 14)), mosse.gaussian_target(10, 14, 2.0)
    H = rng.normal(size=(10, 14)) + 1j * rng.normal(size=(10, 14))
    inputs = (H, patch, target, 0.2, 0.3)
    answer.compare(inputs, "the new filter", (10, 14))


def _unclamped(right, response):
    """A mistake: a window that starts left of or above the response wraps to its other end."""
    row, column = np.unravel_index(response.argmax(), response.shape)
    rest = np.ones(response.shape, dtype=bool)
    rest[row - 5 : row + 6, column - 5 : column + 6] = False
    return (response.max() - response[rest].mean()) / response[rest].std()


def _ten_wide(right, response):
    """A mistake: a window of 10 × 10."""
    row, column = np.unravel_index(response.argmax(), response.shape)
    rest = np.ones(response.shape, dtype=bool)
    rest[max(0, row - 5) : row + 5, max(0, column - 5) : column + 5] = False
    return (response.max() - response[rest].mean()) / response[rest].std()


def _cut_out(right, response):
    """A mistake: the window is cut out of the response itself."""
    value = right(response)
    response[response.argmax() // response.shape[1]] = np.nan
    return value


@check(
    "mosse.psr",
    reference=mosse.peak_to_sidelobe,
    mistakes={
        "with the peak at ({row}, {column}), near the border, a start index is negative and counts "
        "from the end: use max(0, …)": _unclamped,
        "your mean and deviation include the peak itself: leave out the 11 × 11 window around it": (
            lambda right, g: (g.max() - g.mean()) / g.std()
        ),
        "your window is not 11 × 11: five pixels on each side of the peak, and the peak": [
            lambda right, g: right(g, 13),
            lambda right, g: right(g, 9),
        ],
        "your window is 10 × 10: a slice excludes its end, so it has to stop at row + 6": _ten_wide,
        "the sidelobe's mean is not subtracted from the peak": lambda right, g: g.max() - right(g),
    },
    others={"your function changes `response`": _cut_out},
)
def examine_psr(answer, rng) -> None:
    """Peak-to-sidelobe ratio, at the centre and at the border."""
    for row, column in ((20, 25), (2, 30), (38, 3)):
        response = 0.1 * rng.normal(size=(40, 48))
        response[row, column] = 3.0
        response[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4] += 1.0
        answer.compare(
            (response,),
            "the PSR",
            tolerance=1e-4,
            near=1e-5,
            named=f"the PSR of a response with its peak at ({row}, {column})",
            row=row,
            column=column,
        )
