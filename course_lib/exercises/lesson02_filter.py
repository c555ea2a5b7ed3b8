"""Checks of lesson 02: the desired response, and the filter."""

from __future__ import annotations

import numpy as np
from numpy.fft import fft, fft2, fftshift, ifftshift

from course_lib.exercises.compare import as_array, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable
from course_lib.exercises.words import Wrong
from course_lib.trackers import mosse


def _gaussian(row, column, exponent=lambda square, sigma: -square / (2 * sigma**2)):
    """A mistake: another centre, (h, w) → row, column; or another exponent."""

    def mistake(right, h, w, sigma):
        rows, columns = np.arange(h)[:, None] - row(h, w), np.arange(w)[None, :] - column(h, w)
        return np.exp(exponent(rows**2 + columns**2, sigma))

    return mistake


def _centred(exponent):
    """A mistake: the right centre, another exponent."""
    return _gaussian(lambda h, w: h // 2, lambda h, w: w // 2, exponent)


@check(
    "mosse.target",
    reference=mosse.gaussian_target,
    mistakes={
        "for height {0} and width {1} your target has shape ({1}, {0}): height comes first": (
            lambda right, h, w, s: right(w, h, s)
        ),
        "your Gaussian divides by 2σ; it should be 2σ²": _centred(lambda d, s: -d / (2 * s)),
        "your Gaussian divides by (2σ)²; only σ is squared": (
            _centred(lambda d, s: -d / (2 * s) ** 2)
        ),
        "your Gaussian divides by σ²: a factor 2 is missing": _centred(lambda d, s: -d / s**2),
        "your Gaussian divides by σ: it should be 2σ²": _centred(lambda d, s: -d / s),
        "you multiply by σ²/2 where 1/(2σ²) belongs: put 2σ² in brackets": (
            _centred(lambda d, s: -d / 2 * s**2)
        ),
        "your squared distance is squared once more, or its root is taken; it is "
        "(i − i₀)² + (j − j₀)²": [
            _centred(lambda d, s: -np.sqrt(d) / (2 * s**2)),
            _centred(lambda d, s: -(d**2) / (2 * s**2)),
        ],
        "the minus sign is missing: yours grows away from the centre": (
            _centred(lambda d, s: np.minimum(d / (2 * s**2), 700))
        ),
        "your peak lies at (row, column) = (0, 0); it belongs at ({0} // 2, {1} // 2)": [
            lambda right, h, w, s: np.fft.ifftshift(right(h, w, s)),
            _gaussian(lambda h, w: 0, lambda h, w: 0),
        ],
        "your centre is (height − 1) / 2, (width − 1) / 2, which for an even side lies between two "
        "pixels: take height // 2, width // 2": (
            _gaussian(lambda h, w: (h - 1) / 2, lambda h, w: (w - 1) / 2)
        ),
        "your centre is height / 2, width / 2, which for an odd side lies between two pixels: "
        "take height // 2, width // 2": _gaussian(lambda h, w: h / 2, lambda h, w: w / 2),
        "the row and column of your centre are exchanged: the row is height // 2": (
            _gaussian(lambda h, w: w // 2, lambda h, w: h // 2)
        ),
        "your sigma is a whole number, or a fixed one: take `sigma` as it is given": [
            lambda right, h, w, s: right(h, w, int(s)),
            lambda right, h, w, s: right(h, w, round(s)),
            *(lambda right, h, w, s, own=own: right(h, w, own) for own in (1.0, 2.0, 10.0)),
        ],
        "you square the sum of the distances, (|i − i₀| + |j − j₀|)²; add the squares": (
            lambda right, h, w, s: np.exp(
                -(np.add.outer(*(np.abs(np.arange(n) - n // 2) for n in (h, w))) ** 2) / (2 * s**2)
            )
        ),
        "you square the sum of the distances, (i − i₀ + j − j₀)²; add the squares": (
            lambda right, h, w, s: np.exp(
                -(np.add.outer(*(np.arange(n) - n // 2 for n in (h, w))) ** 2) / (2 * s**2)
            )
        ),
        "your target adds two profiles; multiply them, since the exponents add up": [
            lambda right, h, w, s: np.add.outer(right(h, w, s)[:, w // 2], right(h, w, s)[h // 2]),
            lambda right, h, w, s: (
                np.add.outer(right(h, w, s)[:, w // 2], right(h, w, s)[h // 2]) / 2
            ),
        ],
        "your target is a ridge: rows and columns both count": [
            lambda right, h, w, s: np.tile(right(h, w, s)[h // 2], (h, 1)),
            lambda right, h, w, s: np.tile(right(h, w, s)[:, [w // 2]], (1, w)),
        ],
        "your peak is {peak:.4g}; the desired response has a peak of 1; it is not a probability "
        "density": [
            lambda right, h, w, s: right(h, w, s) / (2 * np.pi * s**2),
            lambda right, h, w, s: right(h, w, s) / (s * np.sqrt(2 * np.pi)),
            lambda right, h, w, s: right(h, w, s) / right(h, w, s).sum(),
        ],
    },
    others={
        "your response peaks at": [
            lambda right, h, w, s: np.roll(right(h, w, s), (1, 1), (0, 1)),
            _gaussian(lambda h, w: h // 2 - 1, lambda h, w: w // 2 - 1),
        ],
    },
)
def examine_target(answer, rng) -> None:
    """Gaussian with its peak at the centre, for odd and even sides; those whose half is rounded up
    by `round`, and those whose half it rounds down."""
    even, odd = 2 * int(rng.integers(6, 9)), 2 * int(rng.integers(9, 14)) + 1
    cases = []
    sizes = (even, odd), (odd, even), (odd + 2, odd), (even + 2, even), (even, odd + 2)
    for k, (h, w) in enumerate(sizes):
        sigma = float(rng.uniform(*((1.6, 1.9) if k % 2 else (2.6, 3.3))))
        cases.append((h, w, sigma))
        answer.compare(
            (h, w, sigma),
            "the target",
            (h, w),
            otherwise=_peak,
            peak=lambda given: given.max(),
        )
    require_repeatable(answer, *cases)


def _peak(given: np.ndarray, right: np.ndarray) -> str:
    row, column = np.unravel_index(given.argmax(), given.shape)
    wanted = right.shape[0] // 2, right.shape[1] // 2
    if (row, column) == wanted:
        highest = given.max()
        return "" if np.isclose(highest, 1) else f"your peak is {highest:.4g}; it should be 1"
    return (
        f"your response peaks at (row, column) = ({row}, {column}); the centre of a "
        f"{right.shape[0]}×{right.shape[1]} patch is {wanted}"
    )


def numerator_and_denominator(given) -> tuple[np.ndarray, np.ndarray]:
    """A and B (h, w) from an answer; B must be real."""
    A, B = as_parts(given, "A", "B")
    A, B = as_array(A, np.shape(A), "A"), as_array(B, np.shape(B), "B")
    if np.isrealobj(A) and np.iscomplexobj(B):
        raise Wrong("B is returned first; the order is A, B")
    if np.abs(np.imag(B)).max() > 1e-6 * max(np.abs(B).max(), 1):
        raise Wrong("B has an imaginary part; F times its conjugate is real")
    return A, np.real(B)


def one_sided_target(height: int, width: int) -> np.ndarray:
    """A target response (height, width) that is not symmetric, so its spectrum is not real."""
    return np.roll(mosse.gaussian_target(height, width, 2.0), (1, 2), axis=(0, 1))


def _parts(A=None, B=None):
    """A mistake: another numerator or denominator; (F, G, λ) → array, F of all patches."""

    def mistake(right, f, g, k):
        spectra = fft2(f), fft2(g), k
        given = right(f, g, k)
        return (given[0] if A is None else A(*spectra), given[1] if B is None else B(*spectra))

    return mistake


def _parts_of(of_patches, of_target):
    """A mistake: other transforms."""

    def mistake(right, f, g, k):
        F, G = of_patches(f), of_target(g)
        return np.sum(G * np.conj(F), axis=0), np.sum(np.abs(F) ** 2, axis=0) + k

    return mistake


def _at_the_origin(B: np.ndarray, added: float) -> np.ndarray:
    B[0, 0] += added
    return B


@check(
    "mosse.filter",
    reference=mosse.train_filter,
    mistakes={
        "in A, F is conjugated and G is not; yours is the other way round": (
            0,
            _parts(A=lambda F, G, k: np.sum(F * np.conj(G), axis=0)),
        ),
        "F is not conjugated in A: that is a convolution, not a correlation": (
            0,
            _parts(A=lambda F, G, k: np.sum(G * F, axis=0)),
        ),
        "in A both F and G are conjugated; only F is": (
            0,
            _parts(A=lambda F, G, k: np.sum(np.conj(G * F), axis=0)),
        ),
        "your A leaves out the target: each F* is multiplied by G": (
            0,
            _parts(A=lambda F, G, k: np.sum(np.conj(F), axis=0)),
        ),
        "A holds the target itself: use its transform, G": (
            0,
            lambda right, f, g, k: (np.sum(g * np.conj(fft2(f)), axis=0), right(f, g, k)[1]),
        ),
        "the regulariser is added to A as well; it belongs to B alone": (
            0,
            lambda right, f, g, k: (right(f, g, k)[0] + k, right(f, g, k)[1]),
        ),
        "A and B are averaged over the patches; the formula sums them": [
            lambda right, f, g, k: tuple(v / len(f) for v in right(f, g, len(f) * k)),
            lambda right, f, g, k: tuple(v / len(f) for v in right(f, g, k)),
        ],
        "A is averaged over the patches; the formula sums": (
            0,
            lambda right, f, g, k: (right(f, g, k)[0] / len(f), right(f, g, k)[1]),
        ),
        "B is averaged over the patches; the formula sums": [
            (1, _parts(B=lambda F, G, k: np.mean(np.abs(F) ** 2, axis=0) + k)),
            (1, _parts(B=lambda F, G, k: (np.sum(np.abs(F) ** 2, axis=0) + k) / len(F))),
        ],
        "your A sums G / F, the filters of single patches; each F* is multiplied by G": (
            0,
            _parts(A=lambda F, G, k: np.sum(G / F, axis=0)),
        ),
        "you roll the target, or the patch, before its transform (fftshift, ifftshift): both stay "
        "as they are": [
            (0, lambda right, f, g, k: right(f, fftshift(g), k)),
            (0, lambda right, f, g, k: right(f, ifftshift(g), k)),
            lambda right, f, g, k: right(fftshift(f), g, k),
            lambda right, f, g, k: right(ifftshift(f), g, k),
        ],
        "you subtract the patches' mean once more: they are preprocessed, take them as they are": (
            lambda right, f, g, k: right(f - f.mean(axis=(1, 2), keepdims=True), g, k)
        ),
        "you transform along one axis only (fft); fft2 transforms the last two": _parts_of(
            fft, fft
        ),
        "you transform over the first two axes, the patches' among them; fft2 transforms the last "
        "two": _parts_of(lambda f: fft2(f, axes=(0, 1)), fft2),
        "you return the filter A / B in place of A": (
            0,
            lambda right, f, g, k: (np.divide(*right(f, g, k)), right(f, g, k)[1]),
        ),
        "you average the filters of single patches; numerator and denominator are summed "
        "separately": (
            0,
            _parts(
                A=lambda F, G, k: (
                    np.mean(G * np.conj(F) / (np.abs(F) ** 2 + k), axis=0)
                    * (np.sum(np.abs(F) ** 2, axis=0) + k)
                )
            ),
        ),
        "you leave patches out; A and B are sums over all": [
            lambda right, f, g, k: right(f[:1], g, k),
            lambda right, f, g, k: right(f[-1:], g, k),
            lambda right, f, g, k: right(f[1:], g, k),
            lambda right, f, g, k: right(f[:-1], g, k),
        ],
        "you transform the sum of the patches; in B the squares are summed, |F₁|² + |F₂|² + …": (
            lambda right, f, g, k: right(f.sum(axis=0)[None], g, k)
        ),
        "you transform over all axes (fftn), the patches' too; fft2 transforms the last two": (
            lambda right, f, g, k: (
                np.sum(fft2(g) * np.conj(np.fft.fftn(f)), axis=0),
                np.sum(np.abs(np.fft.fftn(f)) ** 2, axis=0) + k,
            )
        ),
        "your transform is scaled (norm=…); without `norm`, np.fft.fft2 has no factor": (
            lambda right, f, g, k: tuple(
                v / g.size + extra for v, extra in zip(right(f, g, 0), (0, k), strict=True)
            )
        ),
        "the origin of your spectra is shifted to the centre; fft2 leaves it in the corner": (
            lambda right, f, g, k: tuple(fftshift(v) for v in right(f, g, k))
        ),
        "your B sums |F|; sum its square, F ⊙ F*": (
            1,
            _parts(B=lambda F, G, k: np.sum(np.abs(F), axis=0) + k),
        ),
        "your B squares the real part of F only: |F|² has both parts": (
            1,
            _parts(B=lambda F, G, k: np.sum(F.real**2, axis=0) + k),
        ),
        "the regulariser is missing in B": (1, lambda right, f, g, k: right(f, g, 0)),
        "the regulariser is added once for each patch; add it to B only once": (
            1,
            lambda right, f, g, k: right(f, g, len(f) * k),
        ),
        "your regulariser is always the same; `regulariser` is given": [
            (1, lambda right, f, g, k, own=own: right(f, g, own)) for own in (1, 0.1, 0.01, 1e-3)
        ],
        "the regulariser is added at frequency 0 only: each frequency has it": (
            1,
            lambda right, f, g, k: (right(f, g, k)[0], _at_the_origin(right(f, g, 0)[1], k)),
        ),
        "the regulariser is squared": (1, lambda right, f, g, k: right(f, g, k**2)),
        "B is multiplied by the regulariser; it is added": (
            1,
            _parts(B=lambda F, G, k: np.sum(np.abs(F) ** 2, axis=0) * k),
        ),
        "you add up the frequencies of each patch; each frequency has its own A and B, summed over "
        "the patches (axis 0)": [
            _parts(
                lambda F, G, k: np.sum(G * np.conj(F)), lambda F, G, k: np.sum(np.abs(F) ** 2) + k
            ),
            _parts(
                lambda F, G, k: np.sum(G * np.conj(F), axis=(1, 2)),
                lambda F, G, k: np.sum(np.abs(F) ** 2, axis=(1, 2)) + k,
            ),
        ],
        "your A and B have one plane for each patch: sum over the patches, axis 0": _parts(
            lambda F, G, k: G * np.conj(F), lambda F, G, k: np.abs(F) ** 2 + k
        ),
        "your spectra are half as wide (rfft2); the next cells need the whole of fft2": (
            lambda right, f, g, k: tuple(v[:, : g.shape[1] // 2 + 1] for v in right(f, g, k))
        ),
    },
    others={
        "B is returned first; the order is A, B": lambda right, *given: right(*given)[::-1],
        "B has an imaginary part": _parts(B=lambda F, G, k: np.sum(F * F, axis=0) + k),
        "two parts": lambda right, *given: np.divide(*right(*given)),
    },
)
def examine_filter(answer, rng) -> None:
    """Numerator and denominator of the least-squares filter, of several patches and of one; much
    regulariser and little."""
    settings = ((12, 17), 3, rng.uniform(30, 60)), ((15, 10), 5, rng.uniform(0.3, 0.8))
    cases = []
    for (h, w), count, regulariser in (*settings, ((12, 17), 1, 0.0), ((12, 17), 3, 1.7)):
        patches = rng.normal(0.02, 0.1, (count, h, w))  # weak, so that λ is not lost beside them
        cases.append((patches, one_sided_target(h, w), float(regulariser)))
        answer.compare(cases[-1], ("A", "B"), _of_shape((h, w)))
    require_repeatable(answer, *cases)


def _of_shape(shape: tuple[int, int]):
    def read(given):
        A, B = numerator_and_denominator(given)
        return as_array(A, shape, "A"), as_array(B, shape, "B")

    return read
