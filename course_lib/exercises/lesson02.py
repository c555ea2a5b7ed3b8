"""Checks of lesson 02: MOSSE step by step."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array, as_number, require_close, require_untouched, same
from course_lib.exercises.core import check
from course_lib.exercises.scenes import followed, moving_texture, paste
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou
from course_lib.trackers import mosse


@check("mosse.window", reference=mosse.cosine_window)
def examine_window(answer, reference, rng) -> None:
    """Hann window in two dimensions."""
    h, w = int(rng.integers(8, 20)), int(rng.integers(21, 40))
    window = answer(h, w)
    if np.shape(window) == (w, h):
        raise Wrong(
            f"for height {h} and width {w} your window has shape ({w}, {h}): height comes first"
        )
    window = as_array(window, (h, w), "the window")
    if same(window, np.add.outer(np.hanning(h), np.hanning(w))) or same(
        window, np.add.outer(np.hanning(h), np.hanning(w)) / 2
    ):
        raise Wrong("your window adds its two profiles, so its border is not 0: multiply them")
    if same(window, np.outer(np.hamming(h), np.hamming(w))):
        raise Wrong("your window is Hamming's, which ends at 0.08; Hann's ends at 0: np.hanning")
    if abs(window[0]).max() > 1e-9 or abs(window[:, 0]).max() > 1e-9:
        raise Wrong("your window is not 0 on the whole border")
    require_close(window, reference(h, w), "the window")


@check("mosse.preprocess", reference=mosse.preprocess)
def examine_preprocess(answer, reference, rng) -> None:
    """Log, mean, deviation, window: in this order."""
    patch = rng.integers(0, 256, (17, 22), dtype=np.uint8)
    window = np.outer(np.hanning(17), np.hanning(22))
    kept, kept_window = patch.copy(), window.copy()
    result = as_array(answer(patch, window), (17, 22), "the result")
    require_untouched(kept, patch, "the patch")
    require_untouched(kept_window, window, "the window")
    logs = np.log1p(kept.astype(float))
    if same(result, (logs - logs.mean()) / (logs.std() + 1e-5), 1e-4):
        raise Wrong("the result is not faded out at the border: the window is missing")
    late = logs * window
    if same(result, (late - late.mean()) / (late.std() + 1e-5), 1e-4):
        raise Wrong("your border is not 0: normalise first, the window comes last")
    plain = kept.astype(float)
    if same(result, (plain - plain.mean()) / (plain.std() + 1e-5) * window, 1e-4):
        raise Wrong(
            "the logarithm is missing: without it a shadow changes the contrast of the whole patch"
        )
    small = np.log1p(kept / 255.0)
    if same(result, (small - small.mean()) / (small.std() + 1e-5) * window, 1e-4):
        raise Wrong(
            "you divide by 255 before the logarithm: there log(1 + f) is nearly a straight line. "
            "Take it of the values 0 … 255"
        )
    require_close(
        result,
        reference(kept, window),
        "the result",
        tolerance=1e-5,
        hint="log(f + 1), minus mean, divided by deviation + 1e-5, times window",
    )
    flat = answer(np.full((17, 22), 80, dtype=np.uint8), window)
    as_array(flat, (17, 22), "for a patch of one grey value the result")


@check("mosse.target", reference=mosse.gaussian_target)
def examine_target(answer, reference, rng) -> None:
    """Gaussian with its peak in the middle."""
    h, w, sigma = (
        2 * int(rng.integers(6, 9)),
        2 * int(rng.integers(9, 14)) + 1,
        float(rng.uniform(1.5, 3)),
    )
    target = as_array(answer(h, w, sigma), (h, w), "the target")
    row, column = (int(i) for i in np.unravel_index(target.argmax(), target.shape))
    if (row, column) != (h // 2, w // 2):
        raise Wrong(
            f"your response peaks at (row, column) = ({row}, {column}); the middle of a {h}×{w} "
            f"patch is ({h // 2}, {w // 2})"
        )
    if not np.isclose(target.max(), 1):
        raise Wrong(
            f"your peak is {target.max():.4g}; the wanted response has peak 1, it is not a "
            "probability density"
        )
    squared = (np.arange(h)[:, None] - h // 2) ** 2 + (np.arange(w)[None, :] - w // 2) ** 2
    if same(target, np.exp(-squared / (2 * sigma))):
        raise Wrong("your Gaussian divides by 2σ; it should be 2σ²")
    if same(target, np.exp(-squared / sigma**2)):
        raise Wrong("your Gaussian divides by σ²: a factor 2 is missing")
    require_close(target, reference(h, w, sigma), "the target")


@check("mosse.filter", reference=mosse.train_filter)
def examine_filter(answer, reference, rng) -> None:
    """Numerator and denominator of the least-squares filter."""
    patches = rng.normal(size=(3, 12, 16))
    # not symmetric: its spectrum is not real
    target = np.roll(mosse.gaussian_target(12, 16, 2.0), (1, 2), axis=(0, 1))
    kept = patches.copy()
    A, B = _pair(answer(patches, target, 0.5), (12, 16))
    require_untouched(kept, patches, "the patches")
    right_A, right_B = reference(kept, target, 0.5)
    if same(A, np.conj(right_A)) or same(
        A, np.sum(np.conj(np.fft.fft2(target)) * np.fft.fft2(kept), axis=0)
    ):
        raise Wrong(
            "your response would peak at the mirrored place: in A it is F that is conjugated, not G"
        )
    if same(A, np.sum(np.fft.fft2(target) * np.fft.fft2(kept), axis=0)):
        raise Wrong("F is not conjugated in A: that is a convolution, not a correlation")
    if same(A, right_A / 3) and same(B, (right_B - 0.5) / 3 + 0.5):
        raise Wrong("A and B are averaged over the patches; the formula sums them")
    if same(A, right_A) and same(B, right_B - 0.5):
        raise Wrong("the regulariser is missing in B")
    if same(A, right_A) and same(B, right_B + 2 * 0.5):
        raise Wrong("the regulariser is added once for each patch; it belongs into B once")
    require_close(A, right_A, "A")
    require_close(B, right_B, "B")


@check("mosse.respond", reference=mosse.respond)
def examine_respond(answer, reference, rng) -> None:
    """Response and displacement."""
    h, w = 20, 26
    patch, target = rng.normal(size=(h, w)), mosse.gaussian_target(h, w, 2.0)
    A, B = mosse.train_filter(patch[None], target, 1e-3)
    for dx, dy in ((0, 0), (4, 1), (-3, 2), (5, -6)):
        moved = np.roll(patch, (dy, dx), axis=(0, 1))
        given = answer(moved.copy(), A, B)
        if not isinstance(given, tuple) or len(given) != 3:
            raise Wrong("the answer has three parts: return response, dx, dy")
        expected, _, _ = reference(moved, A, B)
        if np.iscomplexobj(given[0]):
            raise Wrong("your response is complex: take its real part")
        response = as_array(given[0], (h, w), "the response")
        if same(response, np.roll(expected, (h // 2, w // 2), axis=(0, 1))) or same(
            response, np.fft.fftshift(expected)
        ):
            raise Wrong(
                "your response is rolled by half its size: g has its peak in the middle, so "
                "nothing needs to be shifted here"
            )
        require_close(
            response, expected, "the response", hint="transform, times A / B, transform back"
        )
        found = as_number(given[1], "dx"), as_number(given[2], "dy")
        if dx != dy and found == (dy, dx):
            raise Wrong(
                f"the target moved {dx} px right and {dy} px down, you say {found[0]:g} and "
                f"{found[1]:g}: the row is y"
            )
        if found == (dx + w // 2, dy + h // 2):
            raise Wrong(
                "your dx, dy are the place of the peak; the displacement is counted from the "
                "middle of the patch"
            )
        if found != (dx, dy):
            raise Wrong(f"the target moved by ({dx}, {dy}), you say ({found[0]:g}, {found[1]:g})")


@check("mosse.update", reference=mosse.update_filter)
def examine_update(answer, reference, rng) -> None:
    """Running numerator and denominator."""
    first, patch = rng.normal(size=(1, 10, 14)), rng.normal(size=(10, 14))
    target = np.roll(mosse.gaussian_target(10, 14, 2.0), (1, 2), axis=(0, 1))
    A, B = mosse.train_filter(first, target, 0.1)
    kept_A, kept_B = A.copy(), B.copy()
    new_A, new_B = _pair(answer(A, B, patch, target, 0.125), (10, 14))
    require_untouched(kept_A, A, "A")
    require_untouched(kept_B, B, "B")
    right_A, right_B = reference(A, B, patch, target, 0.125)
    swapped_A, swapped_B = reference(A, B, patch, target, 0.875)
    if same(new_A, swapped_A) and same(new_B, swapped_B):
        raise Wrong(
            "the weights are swapped: the new patch has η, the past 1 − η. Yours forgets almost "
            "everything in one frame"
        )
    F, G = np.fft.fft2(patch), np.fft.fft2(target)
    if same(new_A, A + 0.125 * G * np.conj(F)) or same(new_B, B + 0.125 * np.abs(F) ** 2):
        raise Wrong("the past is not multiplied by 1 − η, so A and B grow for ever")
    if same(new_A, right_A) and same(new_B, B):
        raise Wrong("only A learns: B is a running sum too")
    if same(new_A, 0.125 * F * np.conj(G) + 0.875 * A):
        raise Wrong("in A it is F that is conjugated, not G")
    require_close(new_A, right_A, "A")
    require_close(new_B, right_B, "B")


@check("mosse.ratio", reference=mosse.update_ratio)
def examine_ratio(answer, reference, rng) -> None:
    """Running average of single-patch filters."""
    patch, target = rng.normal(size=(10, 14)), mosse.gaussian_target(10, 14, 2.0)
    H = rng.normal(size=(10, 14)) + 1j * rng.normal(size=(10, 14))
    kept = H.copy()
    result = as_array(answer(H, patch, target, 0.2, 0.3), (10, 14), "the new filter")
    require_untouched(kept, H, "H")
    if same(result, reference(H, patch, target, 0.8, 0.3)):
        raise Wrong("the weights are swapped: the new single-patch filter has η, the past 1 − η")
    if same(result, reference(H, patch, target, 0.2, 0.0)):
        raise Wrong("the regulariser is missing in the denominator")
    if same(result, reference(np.conj(H), patch, target, 0.2, 0.3)):
        raise Wrong("H is conjugated once too often: what goes in is H* already")
    require_close(result, reference(H, patch, target, 0.2, 0.3), "the new filter")


@check("mosse.psr", reference=mosse.peak_to_sidelobe)
def examine_psr(answer, reference, rng) -> None:
    """Peak-to-sidelobe ratio, in the middle and at the border."""
    for row, column in ((20, 25), (2, 30), (38, 3)):
        response = 0.1 * rng.normal(size=(40, 48))
        response[row, column] = 3.0
        response[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4] += 1.0
        kept = response.copy()
        value = as_number(answer(response), "the PSR")
        require_untouched(kept, response, "the response")
        right = reference(kept)
        mask = np.ones(kept.shape, dtype=bool)
        mask[row - 5 : row + 6, column - 5 : column + 6] = False
        if np.isclose(
            value, (kept.max() - kept[mask].mean()) / kept[mask].std()
        ) and not np.isclose(value, right):
            raise Wrong(
                f"with the peak at ({row}, {column}), near the border, a start index is negative "
                "and counts from the end: use max(0, …)"
            )
        if np.isclose(value, (kept.max() - kept.mean()) / kept.std()):
            raise Wrong(
                "your mean and deviation include the peak itself: leave the 11 × 11 window around "
                "it out"
            )
        if np.isclose(value, reference(kept, 10 + 3)) or np.isclose(value, reference(kept, 9)):
            raise Wrong(
                "your window is not 11 × 11: five pixels on each side of the peak, and the peak"
            )
        mask = np.ones(kept.shape, dtype=bool)
        mask[max(0, row - 5) : row + 5, max(0, column - 5) : column + 5] = False
        if np.isclose(value, (kept.max() - kept[mask].mean()) / kept[mask].std()):
            raise Wrong(
                "your window is 10 × 10: a slice stops before its end, so it has to reach row + 6"
            )
        if np.isclose(value, kept.max() - reference(kept)):
            raise Wrong("the sidelobe's mean is not taken off the peak")
        require_close(
            value,
            right,
            f"the PSR of a response with its peak at ({row}, {column})",
            tolerance=1e-4,
        )


@check("mosse.tracker", reference=mosse.MOSSE)
def examine_tracker(answer, reference, rng) -> None:
    """Follows a moving texture, does not learn what stands in front, keeps the box's size."""
    clip = moving_texture(rng)
    tracker = answer()
    boxes = followed(tracker, clip, lost="Is the filter updated with the patch at the new centre?")
    curtain = np.full_like(clip.frames[0], 90)
    held = [tracker.update(curtain) for _ in range(15)]
    if not all(same(box, boxes[-1]) for box in held):
        raise Wrong(
            "on frames that show nothing your box wanders: below the PSR threshold it should stay"
        )
    place = clip.boxes[-1][:2] + [2, 1]
    again = as_array(tracker.update(paste(clip.scene, clip.target, place)), (4,), "the box")
    if float(iou(again, [*place, *clip.boxes[0][2:]])) < 0.7:
        raise Wrong(
            "after 15 empty frames your tracker does not know its target any more: below the PSR "
            "threshold it must not learn"
        )


def _pair(given, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A and B from an answer; B must be real."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise Wrong("the answer has two parts: return A, B")
    A, B = as_array(given[0], shape, "A"), as_array(given[1], shape, "B")
    if np.abs(np.imag(B)).max() > 1e-6 * max(np.abs(B).max(), 1):
        raise Wrong("B has an imaginary part; F times its conjugate is real")
    return A, np.real(B)
