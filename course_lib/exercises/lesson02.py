"""Checks of lesson 02: the window and the preprocessing of a patch."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array, finite
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable
from course_lib.exercises.tracks import texture
from course_lib.exercises.words import Wrong
from course_lib.trackers import mosse


def _of_profiles(profile):
    """A mistake: a window that multiplies other profiles than Hann's."""
    return lambda right, h, w: np.outer(profile(h), profile(w))


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
        "your window takes the smaller of its two profiles: multiply them": (
            lambda right, h, w: np.minimum.outer(np.hanning(h), np.hanning(w))
        ),
        "your window is Hamming's, which ends at 0.08; Hann's ends at 0: np.hanning": (
            _of_profiles(np.hamming)
        ),
        "your window is Blackman's: narrower than Hann's, np.hanning": _of_profiles(np.blackman),
        "your profiles rise in a straight line (a triangle, np.bartlett); those of this window "
        "follow a cosine": _of_profiles(np.bartlett),
        "your profiles are half a sine wave; their square is the window's ½ (1 − cos …)": (
            _of_profiles(lambda n: np.sqrt(np.hanning(n)))
        ),
        "your window is squared: each profile counts once": _of_profiles(
            lambda n: np.hanning(n) ** 2
        ),
        "your first row and column are 0, but not your last: the cosine divides by n − 1, not "
        "by n": _of_profiles(lambda n: np.hanning(n + 1)[:-1]),
        "your window does not reach 0 at its border: the first sample is i = 0, the last "
        "n − 1": _of_profiles(lambda n: np.hanning(n + 2)[1:-1]),
        "your cosine spans only half a wave: its argument has 2π, not π": (
            _of_profiles(lambda n: (1 - np.cos(np.pi * np.arange(n) / (n - 1))) / 2)
        ),
        "the factor ½ is missing in each direction: the window's largest value is 1": (
            lambda right, h, w: 4 * right(h, w)
        ),
        "your window fades along the rows only": (
            lambda right, h, w: np.tile(np.hanning(w), (h, 1))
        ),
        "your window fades along the columns only": (
            lambda right, h, w: np.tile(np.hanning(h)[:, None], (1, w))
        ),
        "your window is inverted: it should be 1 on the target, in the centre": (
            lambda right, h, w: 1 - right(h, w)
        ),
        "your window is scaled to a largest value of 1: an even side has no sample at the centre, "
        "and its two highest stay below 1": lambda right, h, w: right(h, w) / right(h, w).max(),
        "your window is scaled to a sum of 1: it weights the pixels, it does not average them": (
            lambda right, h, w: right(h, w) / right(h, w).sum()
        ),
    },
    others={
        "not 0 on the whole border": lambda right, h, w: 0.1 + 0.9 * right(h, w),
    },
)
def examine_window(answer, rng) -> None:
    """Hann window in two dimensions, of odd and even sides, equal ones, and very small ones."""
    odd, even = 2 * int(rng.integers(4, 9)) + 1, 2 * int(rng.integers(11, 20))
    sizes = (odd, even), (even, odd), (odd + 1, odd), (odd, odd), (odd, even + 5), (4, 3)
    for h, w in sizes:
        answer.compare((h, w), "the window", (h, w), otherwise=_border)
    require_repeatable(answer, *sizes)


def _border(given: np.ndarray, right: np.ndarray) -> str:
    edges = max(abs(given[[0, -1]]).max(), abs(given[:, [0, -1]]).max())
    return "your window is not 0 on the whole border" if edges > 1e-6 else ""


def _normalised(mean, deviation):
    """A mistake: the logarithms normalised by other numbers; (values) → mean, deviation."""

    def mistake(right, f, w):
        values = np.log1p(f.astype(float))
        return (values - mean(values)) / deviation(values) * w

    return mistake


NOT_FINITE = (
    "your result holds NaN or infinity: the logarithm of 0 or of a number below 0, or a division "
    "by 0. Take log(f + 1) first, while the values are 0 … 255: a black pixel is 0; and in uint8 "
    "255 + 1 is 0, so make the patch a float array before that"
)


def _in_half(right, f, w):
    """A mistake: NumPy takes the logarithm of the whole numbers of a uint8 patch in float16."""
    values = np.log1p(f)
    return (values - values.mean()) / (values.std() + 1e-5) * w


def _centred_first(right, f, w):
    """A mistake: the mean is subtracted first, and the logarithm gets numbers below 0."""
    with np.errstate(invalid="ignore"):
        return np.log(f - f.mean() + 1) * w


@check(
    "mosse.preprocess",
    reference=mosse.preprocess,
    mistakes={
        "the result does not fade to 0 at the border: the window is missing": (
            lambda right, f, w: right(f, np.ones_like(w))
        ),
        "your border is not 0: normalise first, the window comes last": [
            lambda right, f, w: right(np.expm1(np.log1p(f.astype(float)) * w), np.ones_like(w)),
            lambda right, f, w: right(f.astype(float) * w, np.ones_like(w)),
        ],
        "your window stands before the logarithm: it comes last": (
            lambda right, f, w: right(f.astype(float) * w, w)
        ),
        "you multiply by the window twice": lambda right, f, w: right(f, w) * w,
        "the logarithm is missing: without it a shadow changes the contrast of the whole patch": (
            lambda right, f, w: right(np.expm1(f.astype(float)), w)
        ),
        "you divide by 255 before the logarithm: between 0 and 1, log(1 + f) is nearly a straight "
        "line. Apply it to the values 0 … 255": lambda right, f, w: right(f / 255, w),
        "the logarithm is taken last; it comes first, while the values are 0 … 255": (
            lambda right, f, w: np.log1p(np.abs(right(np.expm1(f.astype(float)), w)))
        ),
        "your logarithm is log(f), without the + 1: a black pixel, 0, has no logarithm": [
            lambda right, f, w: right(np.maximum(f.astype(float), 1e-5) - 1 + 1e-12, w),
            lambda right, f, w: right(np.maximum(f.astype(float), 1) - 1, w),
        ],
        "your logarithm has base 10 or 2: np.log is the natural one": [
            _normalised(np.mean, lambda v: v.std() + np.log(10) * 1e-5),
            _normalised(np.mean, lambda v: v.std() + np.log(2) * 1e-5),
        ],
        "np.log1p of a uint8 array computes in half precision: make the patch a float array first": (
            _in_half
        ),
        "where the patch is 255, f + 1 is 0: uint8 wraps around. Make the patch a float array "
        "first": lambda right, f, w: right(np.where(f > 254, 0, f).astype(float), w),
        "the mean is not subtracted": _normalised(lambda v: 0, lambda v: v.std() + 1e-5),
        "you subtract the median; the mean is asked for": (
            _normalised(np.median, lambda v: v.std() + 1e-5)
        ),
        "you do not divide by the standard deviation: the contrast stays": (
            _normalised(np.mean, lambda v: 1)
        ),
        "you divide by the variance; its root, the standard deviation, is asked for": (
            _normalised(np.mean, lambda v: v.var() + 1e-5)
        ),
        "you divide by the norm, which grows with the number of pixels; the standard deviation "
        "is asked for": _normalised(np.mean, lambda v: np.linalg.norm(v - v.mean()) + 1e-5),
        "you divide by the range of the values; the standard deviation is asked for": (
            _normalised(np.mean, lambda v: np.ptp(v) + 1e-5)
        ),
        "you scale the values to 0 … 1; here their mean becomes 0 and their deviation 1": (
            _normalised(np.min, lambda v: np.ptp(v) + 1e-5)
        ),
        "your deviation divides by n − 1 (torch's default, ddof=1); np.std's divides by n": (
            _normalised(np.mean, lambda v: v.std(ddof=1) + 1e-5)
        ),
        "your 1e-5 stands under the root, with the variance; add it to the deviation": (
            _normalised(np.mean, lambda v: np.sqrt(v.var() + 1e-5))
        ),
        "your result is as if no 1e-5 were added to the deviation": [
            _normalised(np.mean, np.std),
            _normalised(np.mean, lambda v: max(v.std(), 1e-5)),
        ],
        "you normalise each row separately; one mean and one deviation serve the whole patch": (
            _normalised(
                lambda v: v.mean(axis=1, keepdims=True),
                lambda v: v.std(axis=1, keepdims=True) + 1e-5,
            )
        ),
        "you normalise each column separately; one mean and one deviation serve the whole patch": (
            _normalised(lambda v: v.mean(axis=0), lambda v: v.std(axis=0) + 1e-5)
        ),
        "you subtract the mean of each column, and divide by the deviation of all pixels: one mean "
        "serves the whole patch": _normalised(lambda v: v.mean(axis=0), lambda v: v.std() + 1e-5),
        "you subtract the mean of each row, and divide by the deviation of all pixels: one mean "
        "serves the whole patch": _normalised(
            lambda v: v.mean(axis=1, keepdims=True), lambda v: v.std() + 1e-5
        ),
        "your 1 stands outside the logarithm, log(f) + 1; it belongs inside, log(f + 1)": (
            lambda right, f, w: right(np.exp(np.log(np.maximum(f, 1e-9)) + 1) - 1, w)
        ),
        "you add 1 twice: np.log1p(f) is log(f + 1) already": (
            lambda right, f, w: right(f.astype(float) + 1, w)
        ),
        "you make a window of your own: multiply by `window`, which is given": (
            lambda right, f, w: right(f, np.outer(np.hanning(len(w)), np.hanning(len(w[0]))))
        ),
        "your grey values are cut to whole numbers: make the patch a float array, not an integer "
        "one": lambda right, f, w: right(np.floor(f), w),
    },
    others={
        "a number below 0, or a division by 0": _centred_first,
    },
)
def examine_preprocess(answer, rng) -> None:
    """Logarithm, mean, deviation, window: in this order; of much contrast, of little, of none."""
    h, w = 2 * int(rng.integers(7, 10)) + 1, 2 * int(rng.integers(10, 14))
    window = np.outer(np.hanning(h), np.hanning(w) ** 2)  # not the one of a notebook
    strong = texture(rng, h, w)
    strong[h // 2, :2], strong[h // 2 :, w // 2] = 255, 255
    strong[: h // 2, w // 3] = 0
    faint = 120 + 0.8 * rng.normal(size=(h, w))  # grey values are not always whole numbers
    hint = "log(f + 1), minus mean, divided by deviation + 1e-5, times window"
    for patch, tolerance in ((strong, 2e-5), (strong.astype(float), 2e-5), (faint, 2e-4)):
        answer.compare(
            (patch, window),
            "the result",
            finite("the result", (h, w), NOT_FINITE),
            tolerance=tolerance,
            hint=hint,
        )
    flat = answer(np.full((h, w), 80, dtype=np.uint8), window)
    named = "for a patch of one grey value the result"
    if np.abs(as_array(flat, (h, w), named)).max() > 0.1:  # rounding, divided by 1e-5
        raise Wrong(f"{named} should be 0: nothing is left when its mean is subtracted")
    require_repeatable(answer, (strong, window), (faint, window))
