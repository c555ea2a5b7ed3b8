"""Checks of lesson 03: all shifts, ridge regression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.fft import fft, ifft

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable
from course_lib.exercises.words import Wrong
from course_lib.trackers import kernels


def each(answer, *cases):
    """What an answer returns in several cases: compared in all of them together, two mistakes
    that agree in one case still get their own messages."""
    return [answer(*case) for case in cases]


def real(what: str, shape: tuple[int, ...], words: str) -> Callable[..., np.ndarray]:
    """Read a real array, which may be stored as complex numbers; anything else gets `words`.

    Args:
        what: name of the array.
        shape: it has.
        words: the message if it has an imaginary part.
    """

    def read(given):
        values = as_array(given, shape, what)
        if np.abs(np.imag(values)).max() > 1e-6 * max(1.0, np.abs(values).max()):
            raise Wrong(words)
        return np.real(values)

    return read


@check(
    "kcf.shifts",
    reference=kernels.data_matrix,
    mistakes={
        "your row 1 is the signal shifted one place to the left: row i is shifted i places to the "
        "right": lambda right, x: np.array([np.roll(x, -i) for i in range(len(x))]),
        "your shifts are in columns: each row is one shift": lambda right, x: right(x).T,
        "what leaves on the right should come back on the left; your shifts leave zeros behind": (
            lambda right, x: np.triu(right(x))
        ),
        "what leaves on the right comes back mirrored: your element (i, j) depends on |j − i| "
        "only": (lambda right, x: x[np.abs(np.arange(len(x))[:, None] - np.arange(len(x)))]),
        "all your rows are the signal itself: roll row i by i places": (
            lambda right, x: np.tile(x, (len(x), 1))
        ),
        "each of your rows is the row above it shifted by one place more than before, so row i is "
        "shifted by 1 + 2 + … + i places": lambda right, x: right(x)[
            np.arange(len(x)) * (np.arange(len(x)) + 1) // 2 % len(x)
        ],
        "what leaves on the right should come back on the left; yours repeat the first number": (
            lambda right, x: x[np.maximum(np.subtract.outer(*[np.arange(len(x))] * 2).T, 0)]
        ),
        "your rows move on by two places: row i is shifted i places to the right": (
            lambda right, x: right(x)[2 * np.arange(len(x)) % len(x)]
        ),
        "your numbers are whole: the matrix that you fill has an integer type": (
            lambda right, x: right(x).astype(int)
        ),
    },
    others={
        "row 0 is not the signal": lambda right, x: right(np.roll(x, 1)),
        "shape": [lambda right, x: right(x)[:-1], lambda right, x: right(x).ravel()],
    },
)
def examine_shifts(answer, rng) -> None:
    """All shifts as rows, of signals of even and odd length, of a long one, and of one number."""
    cases = []
    for n in (*(2 * int(k) for k in rng.integers(3, 6, 2)), 7, 40, 1):
        cases.append((3 * rng.normal(size=n),))
        answer.compare(cases[-1], "the data matrix", (n, n), otherwise=_first_row)
    require_repeatable(answer, *cases)


def _first_row(given: np.ndarray, right: np.ndarray) -> str:
    if np.allclose(given[0], right[0], atol=0.02):  # a difference in precision is shown as it is
        return ""
    return "your row 0 is not the signal itself: it should be the shift by 0 places"


@check(
    "kcf.ridge",
    reference=kernels.ridge_weights,
    mistakes={
        "your w belongs to a matrix with the shifts in its columns: with the shifts as rows the "
        "numerator is x̂ ŷ, without a conjugate": (
            lambda right, x, y, k: right(np.roll(x[::-1], 1), y, k)
        ),
        "your w is that of x̂ with the conjugate of ŷ, as if the shifts went to the left: nothing "
        "is conjugated in the numerator": (lambda right, x, y, k: right(x, np.roll(y[::-1], 1), k)),
        "both x̂ and ŷ are conjugated in your numerator, which turns w around: conjugate neither": (
            lambda right, x, y, k: np.roll(right(x, y, k)[::-1], 1)
        ),
        "your w is reversed": lambda right, x, y, k: right(x, y, k)[::-1],
        "your w is rolled by half its length: leave out the shift, w begins at 0": [
            lambda right, x, y, k: np.fft.fftshift(right(x, y, k)),
            lambda right, x, y, k: np.fft.ifftshift(right(x, y, k)),
        ],
        "x̂ is missing in your numerator": lambda right, x, y, k: (
            ifft(fft(y) / (np.abs(fft(x)) ** 2 + k)).real
        ),
        "you divide ŷ by x̂ + λ: the matrix XᵀX has the squares |x̂|² on its diagonal": (
            lambda right, x, y, k: ifft(fft(y) / (fft(x) + k)).real
        ),
        "x and y are exchanged": lambda right, x, y, k: right(y, x, k),
        "λ is added to |x̂| before it is squared": lambda right, x, y, k: (
            ifft(fft(x) * fft(y) / (np.abs(fft(x)) + k) ** 2).real
        ),
        "you use λ as the least denominator; add it to |x̂|²": lambda right, x, y, k: (
            ifft(fft(x) * fft(y) / np.maximum(np.abs(fft(x)) ** 2, k)).real
        ),
        "λ is added to w; it belongs in the denominator": (
            lambda right, x, y, k: right(x, y, 0.0) + k
        ),
        "your λ is always the same; `regulariser` is given": [
            lambda right, x, y, k, own=own: right(x, y, own) for own in (1.0, 0.1)
        ],
        "you divide all frequencies by the same sum of squares: each has its own |x̂|²": [
            lambda right, x, y, k: ifft(fft(x) * fft(y) / (np.sum(np.abs(fft(x)) ** 2) + k)).real,
            lambda right, x, y, k: ifft(fft(x) * fft(y) / (np.sum(x**2) + k)).real,
        ],
        "you subtract a mean: x and y are taken as they are": [
            lambda right, x, y, k: right(x - x.mean(), y, k),
            lambda right, x, y, k: right(x, y - y.mean(), k),
            lambda right, x, y, k: right(x - x.mean(), y - y.mean(), k),
        ],
        "your w still lies in the Fourier domain: transform it back": lambda right, x, y, k: (
            fft(right(x, y, k)).real
        ),
        "you take the imaginary part, which is rounding noise": (
            lambda right, x, y, k: np.zeros(len(x))
        ),
        "λ is missing: you divide by |x̂|² only": lambda right, x, y, k: right(x, y, 0.0),
        "you divide by |x̂| + λ: the matrix XᵀX has the squares |x̂|² on its diagonal": (
            lambda right, x, y, k: ifft(fft(x) * fft(y) / (np.abs(fft(x)) + k)).real
        ),
        "you divide by x̂² + λ, the square of a complex number: x̂* x̂ is |x̂|²": (
            lambda right, x, y, k: ifft(fft(x) * fft(y) / (fft(x) ** 2 + k)).real
        ),
        "your λ is n times too large, or your x̂ and ŷ are scaled (norm=…): λ I stays λ I in the "
        "Fourier domain": (lambda right, x, y, k: right(x, y, len(x) * k)),
        "your λ reaches frequency 0 only, as if it were added to all numbers of XᵀX: it is λ I in "
        "space, and is added to |x̂|² at every frequency": [
            lambda right, x, y, k, much=much: (
                ifft(fft(x) * fft(y) / fft(ifft(np.abs(fft(x)) ** 2) + k * much(len(x)))).real
            )
            for much in (lambda n: 1 / n, lambda n: 1)
        ],
        "your λ is divided by n: λ I stays λ I in the Fourier domain": (
            lambda right, x, y, k: right(x, y, k / len(x))
        ),
        "λ is squared": lambda right, x, y, k: right(x, y, k**2),
        "λ stands outside your fraction; it belongs in the denominator": lambda right, x, y, k: (
            ifft(fft(x) * fft(y) / np.abs(fft(x)) ** 2 + k).real
        ),
        "you transform forward once more at the end: the way back is `ifft`": (
            lambda right, x, y, k: fft(fft(right(x, y, k))).real
        ),
        "with `norm='ortho'` the formula needs factors of √n: leave `norm` out": (
            lambda right, x, y, k: len(x) ** 0.5 * right(x, y, len(x) * k)
        ),
        "y is still in space: transform it as well": lambda right, x, y, k: (
            ifft(fft(x) * y / (np.abs(fft(x)) ** 2 + k)).real
        ),
        "you take `.real` before you transform back: an imaginary part in the Fourier domain is "
        "not noise": lambda right, x, y, k: ifft(fft(right(x, y, k)).real).real,
        "you take the magnitude at the end, which loses the sign: take `.real`": (
            lambda right, x, y, k: np.abs(right(x, y, k))
        ),
        "your fraction is upside down": lambda right, x, y, k: (
            ifft((np.abs(fft(x)) ** 2 + k) / (fft(x) * fft(y))).real
        ),
        "`irfft` makes an even number of values unless it is told n: `np.fft.irfft(…, n)`": (
            lambda right, x, y, k: right(x, y, k)[:-1] if len(x) % 2 else right(x, y, k)
        ),
    },
    others={"w is complex": lambda right, x, y, k: fft(right(x, y, k))},
)
def examine_ridge(answer, rng) -> None:
    """The weights by one division, against the linear system."""
    words = (
        "w is complex: either it still lies in the Fourier domain, or `.real` is missing at the end"
    )
    hint = "compare with solving (XᵀX + λ I) w = Xᵀy"
    cases = []
    even, odd = (int(n) for n in 2 * rng.integers(3, 6, 2) + (0, 1))
    # λ about as large as |x̂|², smaller, and so small that nothing is lost beside it
    for n, scale, regulariser in ((even, 1, 12.0), (odd, 1, 0.7), (9, 0.03, 3e-4)):
        x, y = rng.normal(0.4, 1, n), rng.normal(0.4, 1, n)
        cases.append((scale * x, scale * y, regulariser))
        answer.compare(cases[-1], "w", real("w", (n,), words), tolerance=1e-5, hint=hint)
    require_repeatable(answer, *cases)
