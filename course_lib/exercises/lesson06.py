"""Checks of lesson 06: scales, upsampling, the window, the choice of scale, displacement, damping,
the tracker."""

from __future__ import annotations

import cv2
import numpy as np

from course_lib.exercises.compare import as_array, as_number, require_close, require_untouched, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou
from course_lib.trackers import siamfc


def _bump(rng, n: int = 17) -> np.ndarray:
    """A smooth random response (n, n) float32 with one clear peak."""
    row, column = rng.uniform(3, n - 4, 2)
    i = np.arange(n)
    hill = np.exp(-((i[:, None] - row) ** 2 + (i[None, :] - column) ** 2) / 8)
    return (4 * hill + rng.normal(0, 0.1, (n, n)) - 2).astype(np.float32)


@check("search.scales", reference=siamfc.scale_factors)
def examine_scales(answer, reference, rng) -> None:
    """Factors on the search side."""
    for count, step in ((3, 1.0375), (5, 1.0255), (1, 1.04)):
        given = as_array(answer(count, step), (count,), f"for {count} scales the factors")
        if not np.isclose(given[count // 2], 1):
            raise Wrong(
                f"for {count} scales the middle factor is {given[count // 2]:.4g}; it should be 1: "
                "exponents run from −(count − 1)/2 to (count − 1)/2"
            )
        if count > 1 and same(given, 1 + (step - 1) * (np.arange(count) - count // 2), 1e-9):
            raise Wrong("your factors are added up; each should be `step` times the one before")
        if count > 1 and given[0] > given[-1]:
            raise Wrong("your factors fall; let them rise, so that index 0 is the smallest")
        require_close(given, reference(count, step), "the factors", tolerance=1e-7)


@check("search.enlarge", reference=siamfc.enlarge)
def examine_enlarge(answer, reference, rng) -> None:
    """Bicubic enlargement."""
    response = _bump(rng)[:, :13].copy()
    given = as_array(answer(response.copy(), 16), (272, 208), "the enlarged response")
    if same(given, cv2.resize(response, (208, 272), interpolation=cv2.INTER_LINEAR), 1e-4):
        raise Wrong(
            "your enlargement is bilinear: its peak can only lie on one of the 17 cells. Use "
            "cv2.INTER_CUBIC"
        )
    if same(given, np.kron(response, np.ones((16, 16))), 1e-4):
        raise Wrong("your enlargement repeats each cell: no finer than before. Use cv2.INTER_CUBIC")
    require_close(given, reference(response, 16), "the enlarged response", tolerance=1e-4)


@check("search.choose", reference=siamfc.choose_scale)
def examine_choose(answer, reference, rng) -> None:
    """Choice of scale with a penalty."""
    base = np.stack([_bump(rng) for _ in range(3)])
    peaks = base.max(axis=(1, 2), keepdims=True)
    for wanted, words in (
        (
            [1.0, 1.0, 1.02],
            "a peak 2 % higher at another scale does not outweigh a penalty of 0.9745: multiply "
            "every peak but the middle one by it",
        ),
        ([1.0, 1.0, 1.05], "a peak 5 % higher at another scale outweighs a penalty of 0.9745"),
        ([1.05, 1.0, 1.04], "of two higher peaks the highest wins"),
        ([1.02, 1.0, 1.02], "the middle scale is not penalised"),
    ):
        responses = (base / peaks * np.array(wanted)[:, None, None]).astype(np.float32)
        kept = responses.copy()
        given, expected = as_number(answer(responses, 0.9745), "the index"), reference(kept, 0.9745)
        require_untouched(kept, responses, "the responses")
        if given != expected:
            raise Wrong(
                f"with peaks {wanted} you choose scale {given:g}, expected {expected}: {words}"
            )
    flat = np.stack([np.full((17, 17), 0.9), _bump(rng) * 0 + 0.1, np.full((17, 17), 0.2)])
    flat[1, 5, 5] = 1.0
    if as_number(answer(flat, 0.9745), "the index") != 1:
        raise Wrong("scales are compared by their highest cell, not by their mean")


@check("search.blend", reference=siamfc.blend_with_window)
def examine_blend(answer, reference, rng) -> None:
    """Normalise, then blend."""
    response, window = siamfc.enlarge(_bump(rng), 4), siamfc.unit_window(68)
    kept = response.copy()
    given = as_array(answer(response, window, 0.176), (68, 68), "the result")
    require_untouched(kept, response, "the response")
    expected = reference(kept, window, 0.176)
    if same(given * 1e4, ((1 - 0.176) * kept + 0.176 * window) * 1e4, 1e-4):
        raise Wrong(
            "the response is not normalised: beside values of several units a window that sums to "
            "1 does nothing. Minimum to 0, sum to 1"
        )
    if same(given * 1e4, (0.176 * expected_share(kept) + (1 - 0.176) * window) * 1e4, 1e-4):
        raise Wrong(
            "the influence stands at the wrong one: the window gets it, the response the rest"
        )
    if same(given * 1e4, ((1 - 0.176) * kept / kept.sum() + 0.176 * window) * 1e4, 1e-3):
        raise Wrong(
            "you divide by the sum before the minimum is taken away; a response has negative "
            "values, and its sum may be about 0"
        )
    if same(given * 1e4, expected_share(kept) * window * 1e4, 1e-4):
        raise Wrong(
            "you multiply by the window: then nothing far from the middle can ever win. Add it "
            "with its influence"
        )
    require_close(given * 1e4, expected * 1e4, "10,000 times the result", tolerance=1e-4)


def expected_share(response: np.ndarray) -> np.ndarray:
    """The response with minimum 0 and sum 1."""
    shifted = response - response.min()
    return shifted / shifted.sum()


@check("search.displacement", reference=siamfc.peak_displacement)
def examine_displacement(answer, reference, rng) -> None:
    """From the peak to pixels of the search image."""
    for row, column in ((140, 100), (135, 136), (200, 60), (20, 250)):
        response = np.zeros((272, 272), dtype=np.float32)
        response[row, column] = 1
        given = as_array(answer(response, 8, 16), (2,), "the displacement")
        expected = reference(response, 8, 16)
        if same(given, expected * 2):
            raise Wrong(
                "your displacement is in cells of the enlarged response: one of them is 8 / 16 "
                "pixel"
            )
        if same(given, expected - 0.25, 1e-4):
            raise Wrong(
                "your displacement is a quarter of a pixel off: the middle of 272 cells lies "
                "between two of them, at (272 − 1) / 2"
            )
        if same(given, -expected) and not same(expected, -expected):
            raise Wrong("the sign is turned round: peak minus middle")
        if same(given, expected * 16):
            raise Wrong("one enlarged cell is stride / upsample pixels: divide by 16")
        if same(given, expected[::-1]):
            raise Wrong("x and y have changed places: the column is x")
        require_close(given, expected, "the displacement", tolerance=1e-5)


@check("search.damp", reference=siamfc.damp)
def examine_damp(answer, reference, rng) -> None:
    """Damped size with limits."""
    for side, factor, rate, first in (
        (200.0, 1.0375, 0.59, 180.0),
        (150.0, 0.9639, 0.34, 180.0),
        (200.0, 1.0, 0.59, 200.0),
    ):
        given = as_number(answer(side, factor, rate, first), "the side")
        if factor != 1 and same(given, side * factor):
            raise Wrong(
                "the size jumps to the new scale at once; it should move there by the share `rate`"
            )
        if factor != 1 and same(given, rate * side + (1 - rate) * side * factor):
            raise Wrong(
                "the rate stands at the wrong one: `rate` belongs to the new size, 1 − rate to the "
                "old"
            )
        require_close(given, reference(side, factor, rate, first), "the side")
    for side, factor in ((990.0, 1.2), (41.0, 0.8)):
        given, expected = (
            as_number(answer(side, factor, 0.59, 200.0), "the side"),
            reference(side, factor, 0.59, 200.0),
        )
        if not same(given, expected):
            raise Wrong(
                f"from {side:g} the side goes to {given:.4g}; it must stay within 0.2 … 5 times "
                f"the first one, 200: {expected:g}"
            )


@check("search.tracker", reference=siamfc.SiamFCTracker)
def examine_tracker(answer, reference, rng) -> None:
    """The whole tracker, frame by frame beside the reference."""
    from course_lib.data.generated import make_clip, random_spec

    clip = make_clip(
        random_spec(
            int(rng.integers(50)),
            length=8,
            scale=1.5,
            noise=2.0,
            light=0.0,
            occluders=0,
            distractors=0,
        )
    )
    mine, right = answer(), reference()
    for tracker in (mine, right):
        tracker.init(clip.frames[0], clip.boxes[0])
    for t in range(1, len(clip)):
        expected = right.update(clip.frames[t])
        given = as_array(mine.update(clip.frames[t]), (4,), "the box")
        if float(iou(given, expected)) > 0.97:
            continue
        centre, wanted = given[:2] + given[2:] / 2, expected[:2] + expected[2:] / 2
        if np.abs(given[:2] - wanted).max() < 1:
            raise Wrong(
                f"in frame {t} you return the centre where the box's corner belongs: x = cx − w / 2"
            )
        if np.abs(given[2:] - expected[2:]).max() > 0.02 * expected[2:].max():
            raise Wrong(
                f"in frame {t} your box is {given[2]:.1f} × {given[3]:.1f} px, expected "
                f"{expected[2]:.1f} × {expected[3]:.1f}: "
                "the target's size follows the search side, by the same factor"
            )
        if np.abs(centre - (clip.boxes[0][:2] + clip.boxes[0][2:] / 2)).max() < 0.5:
            raise Wrong(
                f"in frame {t} your box is still where it was in frame 0: keep the new centre in "
                "self.centre"
            )
        raise Wrong(
            f"in frame {t} your box is centred at ({centre[0]:.1f}, {centre[1]:.1f}), expected "
            f"({wanted[0]:.1f}, {wanted[1]:.1f}): "
            "the peak's place is counted in the window of the chosen scale; window.to_frame brings "
            "it back"
        )
