"""Checks of lesson 03: the Gaussian kernel at every shift, and training in its dual form."""

from __future__ import annotations

import numpy as np
from numpy.fft import fft, fft2, fftn, ifft2

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson03 import real
from course_lib.exercises.manners import require_repeatable
from course_lib.exercises.words import Wrong
from course_lib.trackers import kernels


def _from(products, norms=lambda x, z: (x**2).sum() + (z**2).sum()):
    """A kernel made of other products of x and z at every shift, or of other norms."""

    def answer(right, x, z, bandwidth):
        distance = np.maximum(norms(x, z) - 2 * products(x, z), 0)
        return np.exp(-distance / (bandwidth**2 * x.size))

    return answer


def _products(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Inner products (h, w) at every shift."""
    return ifft2((np.conj(fft2(x)) * fft2(z)).sum(0)).real


def _by_channel(right, x, z, bandwidth) -> np.ndarray:
    """The kernel of each channel alone, (C, h, w)."""
    return np.array([right(x[[c]], z[[c]], bandwidth) for c in range(len(x))])


@check(
    "kcf.kernel",
    reference=kernels.gaussian_kernel,
    mistakes={
        "your answer has one map for each channel: sum the distance over the channels, which "
        "leaves one map": lambda right, *given: _by_channel(right, *given),
        "you compute a kernel for each channel and combine them: the distance is summed over the "
        "channels first, inside the exponential": [
            lambda right, *given: _by_channel(right, *given).mean(0),
            lambda right, *given: _by_channel(right, *given).sum(0),
        ],
        "you add up the channels before you multiply, so each channel is multiplied by all others: "
        "multiply channel by channel, then sum": _from(
            lambda x, z: ifft2(np.conj(fft2(x).sum(0)) * fft2(z).sum(0)).real
        ),
        "your products are the mean over the channels; they are summed": _from(
            lambda x, z: _products(x, z) / len(x)
        ),
        "`fftn` transforms the channels as well: use `fft2`": _from(
            lambda x, z: ifft2((np.conj(fftn(x)) * fftn(z)).sum(0)).real
        ),
        "`fft` transforms the last axis alone: use `fft2`": _from(
            lambda x, z: ifft2((np.conj(fft(x)) * fft(z)).sum(0)).real
        ),
        "your map is reversed: conjugate the transform of x, not that of z": (
            lambda right, x, z, s: right(z, x, s)
        ),
        "nothing is conjugated in your product: that is a convolution": _from(
            lambda x, z: ifft2((fft2(x) * fft2(z)).sum(0)).real
        ),
        "you take the magnitude of the products, which loses their sign: take `.real`": _from(
            lambda x, z: np.abs(_products(x, z))
        ),
        "the zero shift is at the centre of your map; here it belongs at (0, 0): leave out "
        "`fftshift`": (lambda right, *given: np.fft.fftshift(right(*given))),
        "your map is transposed: rows are shifts downwards": lambda right, *given: right(*given).T,
        "only the first channel is compared": _from(lambda x, z: _products(x[:1], z[:1])),
        "you add the products: the middle term of |x − z|² is −2 x·z": _from(
            lambda x, z: -_products(x, z)
        ),
        "your distance is not squared: leave the root out": lambda right, x, z, s: np.exp(
            -((-np.log(right(x, z, s)) * s**2 * x.size) ** 0.5) / (s**2 * x.size)
        ),
        "all cells of your map are the same: it compares x and z without a shift": (
            lambda right, x, z, s: np.full(x.shape[1:], np.exp(-((x - z) ** 2).mean() / s**2))
        ),
        "‖x‖² and ‖z‖² are not squared": _from(
            _products, lambda x, z: np.linalg.norm(x) + np.linalg.norm(z)
        ),
        "‖z‖² is missing: you add ‖x‖² twice": _from(_products, lambda x, z: 2 * (x**2).sum()),
        "‖x‖² is missing: you add ‖z‖² twice": _from(_products, lambda x, z: 2 * (z**2).sum()),
        "you clamp the distances to a minimum other than 0": [
            lambda right, x, z, s, least=least: np.minimum(
                right(x, z, s), np.exp(-least / (s**2 * x.size))
            )
            for least in (1, 0.1, 1e-2, 1e-3)
        ],
        "the distance is not divided by N = C · h · w: the kernel is nearly 0 everywhere": (
            lambda right, x, z, s: right(x, z, s / x.size**0.5)
        ),
        "N counts the numbers of one channel only: it is C · h · w": (
            lambda right, x, z, s: right(x, z, s / len(x) ** 0.5)
        ),
        "N is C · h · w, all of x's numbers; yours is another number": [
            lambda right, x, z, s, count=count: right(x, z, s * (count(*x.shape) / x.size) ** 0.5)
            for count in (
                lambda C, h, w: C,
                lambda C, h, w: h * w * 31,
                lambda C, h, w: C * h * h,
                lambda C, h, w: C * w * w,
            )
        ],
        "your exponent is multiplied by N: put σ² N in brackets": (
            lambda right, x, z, s: right(x, z, s / x.size)
        ),
        "N is squared like σ: the denominator is σ² N": (
            lambda right, x, z, s: right(x, z, s * x.size**0.5)
        ),
        "your norms are sums over the transforms: divide these by h · w, or sum x² and z² in "
        "space": (
            _from(_products, lambda x, z: (np.abs(fft2(x)) ** 2 + np.abs(fft2(z)) ** 2).sum())
        ),
        "your norms are those of the first channel only": (
            _from(_products, lambda x, z: (x[0] ** 2 + z[0] ** 2).sum())
        ),
        "your norms are summed over the channels alone: ‖x‖² is one number": (
            _from(_products, lambda x, z: (x**2 + z**2).sum(0))
        ),
        "you square the sums of x and z; the squares are summed": (
            _from(_products, lambda x, z: x.sum() ** 2 + z.sum() ** 2)
        ),
        "you subtract the patches' means: x and z are taken as they are": (
            lambda right, x, z, s: right(x - x.mean(), z - z.mean(), s)
        ),
        "your map is scaled to a peak of 1": lambda right, *given: (
            right(*given) / right(*given).max()
        ),
        "your products below 0 are cut off; cut off the distance, where rounding takes "
        "it below 0": (_from(lambda x, z: np.maximum(_products(x, z), 0))),
        "your σ is always the same; `bandwidth` is given": [
            lambda right, x, z, s, own=own: right(x, z, own) for own in (0.5, 0.2)
        ],
        "you transform forward once more (fft2): the way back is ifft2": _from(
            lambda x, z: fft2((np.conj(fft2(x)) * fft2(z)).sum(0)).real
        ),
        "you transform the first two axes, the channels among them; fft2 transforms the last two": (
            _from(
                lambda x, z: (
                    ifft2((np.conj(fft2(x, axes=(0, 1))) * fft2(z, axes=(0, 1))).sum(0)).real
                )
            )
        ),
        "your kernel falls with the distance in a straight line: the exponential "
        "is missing": lambda right, *given: 1 + np.log(right(*given)),
        "σ is not squared": lambda right, x, z, s: right(x, z, s**0.5),
        "you multiply by σ²; it belongs in the denominator": lambda right, x, z, s: right(
            x, z, 1 / s
        ),
        "there is a 2 in your denominator: KCF divides by σ² N": (
            lambda right, x, z, s: right(x, z, s * 2**0.5)
        ),
        "the middle term of |x − z|² is −2 x·z: the 2 is missing": lambda right, x, z, s: (
            right(x, z, s * 2**0.5) * np.exp(-(x**2 + z**2).sum() / (2 * s**2 * x.size))
        ),
        "the exponent has lost its minus sign: your kernel grows with the distance": (
            lambda right, *given: 1 / right(*given)
        ),
    },
    others={
        "map is complex": lambda right, x, z, s: fft2(right(x, z, s)),
        "above 1": lambda right, x, z, s: np.exp(
            -((x**2).sum() + (z**2).sum() - 2 * _products(x, z)) / (s**2 * x.size)
        ),
    },
)
def examine_kernel(answer, rng) -> None:
    """Gaussian kernel at every shift, of several channels and of one, strong and weak ones whose
    mean is not 0; rounding below 0."""
    words = "the kernel's map is complex: the correlation back in space is real, take .real"
    cases = []
    # in the first, the kernel without N is not 0 either
    for C, bandwidth, scale, odd in ((3, 0.6, 0.08, 0), (2, 1.3, 0.08, 1), (1, 0.02, 0.02, 0)):
        h, w = 2 * int(rng.integers(3, 5)) + odd, 2 * int(rng.integers(5, 7)) + 1 - odd
        x, z = scale * rng.normal(0.1, 1, (2, C, h, w))
        z[:, :2] = x[:, 1:3]  # some of x, moved
        cases.append((x, z, bandwidth))
        read = real("the kernel's map", (h, w), words)
        answer.compare(cases[-1], "the kernel's map", read, tolerance=1e-5, near=1e-6)
    alike = cases[-1][0], cases[-1][0].copy(), 0.02
    answer.compare(alike, "the kernel of a patch with itself", read, tolerance=1e-5, near=1e-6)
    require_repeatable(answer, *cases, alike)
    for _ in range(24):  # flat channels: all distances are 0, up to rounding
        x = np.broadcast_to(rng.uniform(50, 200, (3, 1, 1)), (3, 6, 7)).copy()
        same_patch = as_array(answer(x, x.copy(), 1e-6), (6, 7), "the kernel of x with itself")
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
        FOURIER: [
            lambda right, *given: fft2(right(*given)),
            lambda right, *given: fft2(right(*given)).real,
        ],
        "λ was added to the kernel in space, where it only changes the mean: add it to the "
        "transform": lambda right, k, y, reg: right(k + reg, y, 0.0),
        "λ is missing": lambda right, k, y, reg: right(k, y, 0.0),
        "your λ is multiplied by the number of shifts: λ I stays λ I in the Fourier domain": (
            lambda right, k, y, reg: right(k, y, reg * k.size)
        ),
        "λ stands outside your fraction; it belongs in the denominator": lambda right, k, y, reg: (
            ifft2(fft2(y) / fft2(k) + reg).real
        ),
        "you transform forward once more at the end: the way back is `ifft2`": (
            lambda right, *given: fft2(fft2(right(*given))).real
        ),
        "the zero shift is at the centre of your α; here it belongs at (0, 0): leave out "
        "`fftshift`": (lambda right, *given: np.fft.fftshift(right(*given))),
        "the zero shift is at the centre of your α; here it belongs at (0, 0): leave out "
        "`ifftshift`": lambda right, *given: np.fft.ifftshift(right(*given)),
        "`irfft2` makes an even number of columns unless it is told the shape: "
        "`np.fft.irfft2(…, s=labels.shape)`": lambda right, k, y, reg: np.fft.irfft2(
            np.fft.rfft2(y) / (np.fft.rfft2(k) + reg)
        ),
        "λ is squared": lambda right, k, y, reg: right(k, y, reg**2),
        "λ is subtracted; it is added": lambda right, k, y, reg: right(k, y, -reg),
        "λ is added to α; it belongs in the denominator": (
            lambda right, k, y, reg: right(k, y, 0.0) + reg
        ),
        "your λ is always the same; `regulariser` is given": [
            lambda right, k, y, reg, own=own: right(k, y, own) for own in (1e-4, 1e-3, 1e-2, 1.0)
        ],
        "your transforms are scaled (norm=…), which changes what λ does: leave `norm` out": [
            lambda right, k, y, reg: right(k, y, reg * k.size**0.5),
            lambda right, k, y, reg: right(k, y, reg * k.size**0.5) * k.size**0.5,
        ],
        "you scale the kernel: it is used as it is": [
            lambda right, k, y, reg: right(k / k.max(), y, reg),
            lambda right, k, y, reg: right(k / k.sum(), y, reg),
            lambda right, k, y, reg: right(k - k.mean(), y, reg),
        ],
        "you scale the labels, or make your own: `labels` is used as it is given": [
            lambda right, k, y, reg: right(k, y - y.mean(), reg),
            lambda right, k, y, reg: right(k, y / y.max(), reg),
            lambda right, k, y, reg: right(k, kernels.gaussian_labels(*k.shape, 2.0), reg),
        ],
        "you take the imaginary part, which is rounding noise": (
            lambda right, k, y, reg: np.zeros(k.shape)
        ),
        "what is below 0 in your α is cut off: weights may be negative": (
            lambda right, *given: np.maximum(right(*given), 0)
        ),
        "numerator and denominator are swapped: the labels are divided by the kernel": [
            lambda right, k, y, reg: right(y, k, reg),
            lambda right, k, y, reg: ifft2((fft2(k) + reg) / fft2(y)).real,
        ],
        "you divide by |k̂|² + λ: in the dual the kernel itself is the matrix, not its square": (
            lambda right, k, y, reg: right(ifft2(np.abs(fft2(k)) ** 2).real, y, reg)
        ),
        "that is the primal formula of exercise 03.2 with k in place of x: in the dual form the "
        "kernel stands in the denominator alone": lambda right, k, y, reg: (
            ifft2(fft2(k) * fft2(y) / (np.abs(fft2(k)) ** 2 + reg)).real
        ),
        "you multiply by the kernel: that is a response. Training divides by it": (
            lambda right, k, y, reg: ifft2(fft2(y) * (fft2(k) + reg)).real
        ),
        "you conjugate ŷ, which turns α around": lambda right, k, y, reg: (
            ifft2(np.conj(fft2(y)) / (fft2(k) + reg)).real
        ),
        "you divide in space; only in the Fourier domain is the matrix diagonal": [
            lambda right, k, y, reg: y / (k + reg),
            lambda right, k, y, reg: ifft2(fft2(y / (k + reg))).real,
        ],
        "`fft` transforms the last axis alone: use `fft2`": lambda right, k, y, reg: (
            ifft2(fft(y) / (fft(k) + reg)).real
        ),
        "you take `.real` before you transform back: an imaginary part in the Fourier domain is "
        "not noise": lambda right, *given: ifft2(fft2(right(*given)).real).real,
        "you take the magnitude at the end, which loses the sign: take `.real`": (
            lambda right, *given: np.abs(right(*given))
        ),
    },
)
def examine_train(answer, rng) -> None:
    """α against the linear system with the kernel of all shifts; any labels, not only symmetric
    ones."""
    cases = []
    for (h, w), regulariser, linear in (((5, 6), 0.05, False), ((6, 9), 0.4, True)):
        x, labels = rng.normal(size=(2, h, w)), rng.normal(0.3, 1, (h, w))  # x has two channels
        kernel = kernels.gaussian_kernel(x, x, 0.8)
        if linear:  # the linear kernel, whose highest value is not 1
            kernel = ifft2((np.abs(fft2(x)) ** 2).sum(0)).real / x.size
        cases.append((kernel, labels, regulariser))
        answer.compare(cases[-1], "α", real("α", (h, w), FOURIER), tolerance=1e-5)
    require_repeatable(answer, *cases)
