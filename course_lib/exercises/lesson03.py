"""Checks of lesson 03: all shifts, kernels."""

from __future__ import annotations

import numpy as np
from numpy.fft import fft, fft2, ifft, ifft2

from course_lib.exercises.compare import as_array, as_number, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers import kernels


@check(
    "kcf.shifts",
    reference=kernels.data_matrix,
    mistakes={
        "your row 1 is the signal shifted one place to the left: row i is shifted i places to the "
        "right": lambda right, x: np.array([np.roll(x, -i) for i in range(len(x))]),
        "your shifts are in columns: each row is one shift": lambda right, x: right(x).T,
        "what leaves on the right does not come back on the left: your shifts leave zeros behind": (
            lambda right, x: np.triu(right(x))
        ),
    },
    others={
        "row 0 is not the signal": lambda right, x: right(np.roll(x, 1)),
        "shape": lambda right, x: right(x)[:-1],
    },
)
def examine_shifts(answer, rng) -> None:
    """All shifts as rows."""
    n = int(rng.integers(6, 11))
    answer.compare(
        (rng.normal(size=n),),
        "the data matrix",
        (n, n),
        otherwise=lambda given, right: (
            ""
            if np.allclose(given[0], right[0])
            else "your row 0 is not the signal itself: it is the shift by 0 places"
        ),
    )


def _real(what: str, shape: tuple[int, ...], words: str):
    """Read a real array, which may be stored as complex numbers; anything else gets `words`."""

    def read(given):
        values = as_array(given, shape, what)
        if np.abs(np.imag(values)).max() > 1e-9:
            raise Wrong(words)
        return np.real(values)

    return read


@check(
    "kcf.ridge",
    reference=kernels.ridge_weights,
    mistakes={
        "your w belongs to a matrix with the shifts in its columns: with the shifts as rows the "
        "numerator is x̂ ŷ, without a conjugate": (
            lambda right, x, y, k: right(np.roll(x[::-1], 1), y, k)
        ),
        "λ is missing: you divide by |x̂|² only": lambda right, x, y, k: right(x, y, 0.0),
        "you divide by |x̂| + λ: the matrix XᵀX has the squares |x̂|² on its diagonal": (
            lambda right, x, y, k: ifft(fft(x) * fft(y) / (np.abs(fft(x)) + k)).real
        ),
        "your λ is n times too large: λ I stays λ I in the Fourier domain": (
            lambda right, x, y, k: right(x, y, len(x) * k)
        ),
    },
    others={"w is complex": lambda right, x, y, k: fft(right(x, y, k))},
)
def examine_ridge(answer, rng) -> None:
    """The weights by one division, against the linear system."""
    n = int(rng.integers(7, 12))
    x, y = rng.normal(size=(2, n))
    words = (
        "w is complex: either it still lies in the Fourier domain, or `.real` is missing at the end"
    )
    hint = "compare with solving (XᵀX + λ I) w = Xᵀy"
    answer.compare((x, y, 0.7), "w", _real("w", (n,), words), near=1e-5, hint=hint)


WHERE = "in a response of {h} × {w} with its peak in row {row}, column {column} you say {given}"


@check(
    "kcf.displacement",
    reference=kernels.displacement,
    mistakes={
        WHERE + ": beyond half the patch the target has moved the other way": (
            lambda right, r: tuple(v % n for v, n in zip(right(r), r.shape[::-1], strict=True))
        ),
        WHERE + ": the column is x, and dx comes first": lambda right, r: right(r)[::-1],
        WHERE + ": here no motion is at (0, 0), not at the centre": lambda right, r: tuple(
            v % n - n // 2 for v, n in zip(right(r), r.shape[::-1], strict=True)
        ),
        WHERE + ": the sign is reversed": lambda right, r: tuple(-v for v in right(r)),
    },
    others={"two parts": lambda right, r: right(r)[0]},
)
def examine_displacement(answer, rng) -> None:
    """Beyond half the patch a shift is a negative one."""

    def read(given):
        dx, dy = as_parts(given, "dx", "dy")
        return as_number(dx, "dx"), as_number(dy, "dy")

    h, w = 2 * int(rng.integers(4, 7)), 2 * int(rng.integers(7, 10)) + 1
    for dx, dy in ((2, 3), (-3, 1), (4, -2), (-1, -4)):
        response = np.roll(kernels.gaussian_labels(h, w, 1.5), (dy, dx), axis=(0, 1))
        where = {"h": h, "w": w, "row": dy % h, "column": dx % w}
        words = f"{WHERE}; expected ({dx}, {dy})"
        answer.compare((response,), ("dx", "dy"), read, otherwise=words, **where)


@check(
    "kcf.kernel",
    reference=kernels.gaussian_kernel,
    mistakes={
        "your answer has one map for each channel: sum the distance over the channels, which "
        "leaves one map": lambda right, x, z, s: np.array([right(x, z, s)] * len(x)),
        "your map is reversed: conjugate the transform of x, not that of z": (
            lambda right, x, z, s: right(z, x, s)
        ),
        "the distance is not divided by N = C · h · w: the kernel is nearly 0 everywhere": (
            lambda right, x, z, s: right(x, z, s / x.size**0.5)
        ),
        "N counts the numbers of one channel only: it is C · h · w": (
            lambda right, x, z, s: right(x, z, s / len(x) ** 0.5)
        ),
        "σ is not squared": lambda right, x, z, s: right(x, z, s**0.5),
        "there is a 2 in your denominator: KCF divides by σ² N": (
            lambda right, x, z, s: right(x, z, s * 2**0.5)
        ),
        "|x − z|² has −2 x·z at its centre: the 2 is missing": lambda right, x, z, s: (
            right(x, z, s * 2**0.5) * np.exp(-(x**2 + z**2).sum() / (2 * s**2 * x.size))
        ),
    },
    others={
        "map is complex": lambda right, x, z, s: fft2(right(x, z, s)),
        "above 1": lambda right, x, z, s: right(x, z, s) * (1 + 1e-8),
    },
)
def examine_kernel(answer, rng) -> None:
    """Gaussian kernel at every shift, several channels."""
    C, h, w = 3, int(rng.integers(5, 8)), int(rng.integers(8, 11))
    x, z = rng.normal(size=(2, C, h, w)) * 0.6
    words = "the kernel's map is complex: the correlation back in space is real, take .real"
    answer.compare((x, z, 0.6), "the kernel's map", _real("the kernel's map", (h, w), words))
    same_patch = as_array(answer(x, x.copy(), 0.01), (h, w), "the kernel of x with itself")
    if same_patch.real.max() > 1 + 1e-9:
        raise Wrong(
            "the kernel of a patch with itself is above 1: rounding made a squared distance "
            "negative; use np.maximum"
        )


FOURIER = "your α still lies in the Fourier domain: transform it back and take .real"


@check(
    "kcf.train",
    reference=kernels.dual_weights,
    mistakes={
        FOURIER: lambda right, *given: fft2(right(*given)),
        "λ was added to the kernel in space, where it only changes the mean: add it to the "
        "transform": lambda right, k, y, reg: right(k + reg, y, 0.0),
        "λ is missing": lambda right, k, y, reg: right(k, y, 0.0),
        "numerator and denominator are swapped: the labels are divided by the kernel": (
            lambda right, k, y, reg: right(y, k, reg)
        ),
        "you divide by |k̂|² + λ: in the dual the kernel itself is the matrix, not its square": (
            lambda right, k, y, reg: right(ifft2(np.abs(fft2(k)) ** 2).real, y, reg)
        ),
    },
)
def examine_train(answer, rng) -> None:
    """α against the linear system with the kernel of all shifts."""
    x = rng.normal(size=(2, 5, 6))
    kernel, labels = kernels.gaussian_kernel(x, x, 0.8), kernels.gaussian_labels(5, 6, 1.0)
    answer.compare((kernel, labels, 0.05), "α", _real("α", (5, 6), FOURIER), tolerance=1e-5)
