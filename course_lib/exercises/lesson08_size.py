"""Checks of lesson 08: a size response inverted, and its place beside the smoothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.geometry.windows import context_side
from course_lib.trackers import siamrpn


def _undone(change: Callable) -> Callable:
    """A mistake in what follows from r, gain and bias: a factor on the believed size."""

    def undone(right: Callable, found, believed, gain: float, bias: float) -> np.ndarray:
        found, believed = np.asarray(found), np.asarray(believed)
        r = math.log(context_side(found) / context_side(believed))
        wanted = change(float(np.clip(r, -0.5, 0.5)), gain, bias)
        return found * math.exp(wanted - r)

    return undone


def _undone_whole(change: Callable) -> Callable:
    """A mistake in the logarithm of the factor on the box found: (r, gain, bias), r not limited."""

    def undone(right: Callable, found, believed, gain: float, bias: float) -> np.ndarray:
        r = math.log(context_side(np.asarray(found)) / context_side(np.asarray(believed)))
        return np.asarray(found) * math.exp(change(r, gain, bias))

    return undone


def _ratio(ratio: Callable) -> Callable:
    """A mistake in r: (found, believed) → found / believed as one number."""

    def undone(right: Callable, found, believed, gain: float, bias: float) -> np.ndarray:
        r = math.log(ratio(found, believed))
        wanted = (np.clip(r, -0.5, 0.5) - bias) / (1 - gain)
        return found * math.exp(wanted - r)

    return undone


def true_size(found: np.ndarray, believed: np.ndarray, gain: float, bias: float) -> np.ndarray:
    """`siamrpn.true_size`.

    Args:
        found, believed: (2,) width and height.
        gain, bias: of the network's size response.
    """
    return siamrpn.true_size(found, believed, gain, bias)


@check(
    "size.invert",
    reference=true_size,
    mistakes={
        "the bias is subtracted": _undone(lambda r, g, b: (r + b) / (1 - g)),
        "the bias is missing": _undone(lambda r, g, b: r / (1 - g)),
        "the bias is subtracted before the division": _undone(lambda r, g, b: r / (1 - g) - b),
        "you divide by g; expected 1 − g": _undone(lambda r, g, b: (r - b) / g),
        "you multiply by 1 − g; divide by it": _undone(lambda r, g, b: (r - b) * (1 - g)),
        "you divide by 1 + g; expected 1 − g": _undone(lambda r, g, b: (r - b) / (1 + g)),
        "the gain is missing: nothing is divided by 1 − g": _undone(lambda r, g, b: r - b),
        "δ is log(found / believed); yours is the other way round": _undone(
            lambda r, g, b: (-r - b) / (1 - g)
        ),
        "the result starts from the believed size; yours multiplies the found one by the whole "
        "correction": lambda right, found, believed, gain, bias: (
            right(found, believed, gain, bias)
            * context_side(np.asarray(found))
            / context_side(np.asarray(believed))
        ),
        "the shape is the one that was found; yours is the believed one": (
            lambda right, found, believed, gain, bias: (
                np.asarray(believed)
                * context_side(right(found, believed, gain, bias))
                / context_side(np.asarray(believed))
            )
        ),
        "width and height get one common factor; you correct each separately": (
            lambda right, found, believed, gain, bias: np.array(
                [
                    b * math.exp((np.clip(math.log(f / b), -0.5, 0.5) - bias) / (1 - gain))
                    for f, b in zip(found, believed, strict=True)
                ]
            )
        ),
        "sizes are compared by the padded size; you compare the widths": _ratio(
            lambda found, believed: found[0] / believed[0]
        ),
        "sizes are compared by the padded size; you compare the heights": _ratio(
            lambda found, believed: found[1] / believed[1]
        ),
        "sizes are compared by the padded size; you compare the areas": [
            _ratio(lambda found, believed: np.prod(found) / np.prod(believed)),
            _ratio(lambda found, believed: math.sqrt(np.prod(found) / np.prod(believed))),
        ],
        "δ is limited to ± 0.5 before anything else: one wild answer must not be multiplied": [
            lambda right, found, believed, gain, bias: (
                found
                * math.exp(
                    ((r := math.log(context_side(found) / context_side(believed))) - bias)
                    / (1 - gain)
                    - r
                )
            ),
        ],
        "limit δ itself, not what is computed from it": lambda right, found, believed, gain, bias: (
            found
            * math.exp(
                np.clip(
                    ((r := math.log(context_side(found) / context_side(believed))) - bias)
                    / (1 - gain),
                    -0.5,
                    0.5,
                )
                - r
            )
        ),
        "δ is limited before the bias is subtracted; you limit δ − b": _undone_whole(
            lambda r, g, b: np.clip(r - b, -0.5, 0.5) / (1 - g) - r
        ),
        "the box found keeps its own padded size, even where δ is limited: the factor that leads "
        "from it to the size wanted uses δ before the limit": _undone_whole(
            lambda r, g, b: (np.clip(r, -0.5, 0.5) - b) / (1 - g) - np.clip(r, -0.5, 0.5)
        ),
        "only growth is limited by yours; δ is limited on both sides": _undone_whole(
            lambda r, g, b: (min(r, 0.5) - b) / (1 - g) - r
        ),
        "only shrinking is limited by yours; δ is limited on both sides": _undone_whole(
            lambda r, g, b: (max(r, -0.5) - b) / (1 - g) - r
        ),
        "the limit of δ is 0.5; yours is 1": lambda right, found, believed, gain, bias: (
            found
            * math.exp(
                (
                    np.clip(r := math.log(context_side(found) / context_side(believed)), -1.0, 1.0)
                    - bias
                )
                / (1 - gain)
                - r
            )
        ),
        "you return the factor; expected the size": lambda right, found, believed, gain, bias: (
            right(found, believed, gain, bias) / believed
        ),
        "you return the size that was found, unchanged": lambda right, found, *given: found,
    },
)
def examine_invert(answer, rng) -> None:
    """The inverse for small and wild answers, of targets of any shape."""
    cases = []
    for k, log_ratio in enumerate((0.1, -0.3, 0.45, 0.9, -1.4, 0.02)):
        believed = rng.uniform(15, 120, 2)
        found = believed * np.exp(rng.uniform(-0.25, 0.25, 2))
        found *= math.exp(log_ratio) * context_side(believed) / context_side(found)
        bias = 0.0 if k == 2 else rng.choice([-1, 1]) * rng.uniform(0.04, 0.2)
        cases.append((found, believed, float(rng.uniform(0.3, 0.8)), float(bias)))
    cases.append((found, believed, 0.05, 0.1))

    def words(given, right, found, believed, gain, bias):
        i = int(np.abs(given - right).argmax())
        mine, wanted = apart(given[i], right[i])
        return (
            f"believed {believed[0]:.3g} × {believed[1]:.3g}, found {found[0]:.3g} × "
            f"{found[1]:.3g}, g = {gain:.2f}, b = {bias:.2f}: your "
            f"{('width', 'height')[i]} is {mine}, expected {wanted}"
        )

    compare_arrays(
        answer,
        cases,
        "your size",
        np.asarray,
        words,
        ask=lambda f, *case: as_array(f(*case), (2,), "your size"),
    )


def next_size(
    last: np.ndarray,
    found: np.ndarray,
    certainty: float,
    rate: float,
    gain: float,
    bias: float,
) -> np.ndarray:
    """First inverted, then smoothed, as `SiamRPNTracker` does it.

    Args:
        last, found: (2,) width and height.
        certainty, rate: their product is how far the size moves.
        gain, bias: of the network's size response.
    """
    return siamrpn.smooth_size(last, siamrpn.true_size(found, last, gain, bias), certainty, rate)


def _order(blend: Callable) -> Callable:
    """A mistake: blend(last, found, fraction, invert) → the next size."""

    def answered(right: Callable, last, found, certainty, rate, gain, bias) -> np.ndarray:
        def invert(size, believed=last):
            return siamrpn.true_size(size, believed, gain, bias)

        return blend(last, found, certainty * rate, invert)

    return answered


def _smooth(last: np.ndarray, found: np.ndarray, fraction: float) -> np.ndarray:
    return (1 - fraction) * last + fraction * found


@check(
    "size.fault",
    reference=next_size,
    mistakes={
        "the fault is still there: the response belongs to what the network found, and you invert "
        "what has been smoothed already": _order(
            lambda last, found, f, invert: invert(_smooth(last, found, f))
        ),
        "you invert before and after the smoothing; once, before, is right": _order(
            lambda last, found, f, invert: invert(_smooth(last, invert(found), f))
        ),
        "nothing is inverted any more": _order(
            lambda last, found, f, invert: _smooth(last, found, f)
        ),
        "nothing is smoothed any more": _order(lambda last, found, f, invert: invert(found)),
        "you smooth twice": _order(
            lambda last, found, f, invert: _smooth(last, _smooth(last, invert(found), f), f)
        ),
        "the last size keeps 1 − certainty · rate; your two weights are swapped": _order(
            lambda last, found, f, invert: _smooth(invert(found), last, f)
        ),
        "the certainty is missing from the fraction that the size moves by": (
            lambda right, last, found, certainty, rate, gain, bias: right(
                last, found, 1.0, rate, gain, bias
            )
        ),
        "the rate is missing from the fraction that the size moves by": (
            lambda right, last, found, certainty, rate, gain, bias: right(
                last, found, certainty, 1.0, gain, bias
            )
        ),
        "do not scale the bias down by hand; invert first, then smooth": (
            lambda right, last, found, certainty, rate, gain, bias: siamrpn.true_size(
                _smooth(last, found, certainty * rate), last, gain, bias * certainty * rate
            )
        ),
        "you leave out the bias": lambda right, last, found, certainty, rate, gain, bias: right(
            last, found, certainty, rate, gain, 0.0
        ),
        "you leave out the gain": lambda right, last, found, certainty, rate, gain, bias: right(
            last, found, certainty, rate, 0.0, bias
        ),
        "found and believed are swapped in true_size": _order(
            lambda last, found, f, invert: _smooth(last, invert(last, found), f)
        ),
        "logarithms are blended; smooth_size blends the sizes themselves": _order(
            lambda last, found, f, invert: last ** (1 - f) * invert(found) ** f
        ),
    },
)
def examine_fault(answer, rng) -> None:
    """Next sizes for any certainty, rate and response."""
    cases = []
    for gain, bias in ((0.6, 0.12), (0.4, -0.1), (0.7, 0.05), (0.3, 0.2)):
        last = rng.uniform(20, 90, 2)
        found = last * np.exp(rng.uniform(-0.3, 0.3, 2))
        certainty, rate = rng.uniform(0.4, 0.95), rng.uniform(0.15, 0.5)
        cases.append((last, found, float(certainty), float(rate), gain, bias))

    def words(given, right, last, found, certainty, rate, gain, bias):
        i = int(np.abs(given - right).argmax())
        mine, wanted = apart(given[i], right[i])
        return (
            f"last {last[0]:.3g} × {last[1]:.3g}, found {found[0]:.3g} × {found[1]:.3g}, certainty "
            f"{certainty:.2f}, rate {rate:.2f}, g = {gain}, b = {bias}: your "
            f"{('width', 'height')[i]} is {mine}, expected {wanted}"
        )

    compare_arrays(
        answer,
        cases,
        "your size",
        np.asarray,
        words,
        ask=lambda f, *case: as_array(f(*case), (2,), "your size"),
    )
