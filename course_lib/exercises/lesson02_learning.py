"""Checks of lesson 02: learning from one more patch."""

from __future__ import annotations

import numpy as np
from numpy.fft import fft2, fftshift, ifftshift

from course_lib.exercises.core import check
from course_lib.exercises.lesson02_filter import numerator_and_denominator, one_sided_target
from course_lib.exercises.manners import require_repeatable
from course_lib.trackers import mosse


def _one_more(A=None, B=None):
    """A mistake: another numerator or denominator; (old, F, G, η) → new."""

    def mistake(right, A_old, B_old, f, g, rate):
        given, spectra = right(A_old, B_old, f, g, rate), (fft2(f), fft2(g), rate)
        return (
            given[0] if A is None else A(A_old, *spectra),
            given[1] if B is None else B(B_old, *spectra),
        )

    return mistake


@check(
    "mosse.update",
    reference=mosse.update_filter,
    mistakes={
        "the weights are swapped: the new patch has η, the past 1 − η. Yours forgets almost "
        "everything in one frame": lambda right, A, B, f, g, rate: right(A, B, f, g, 1 - rate),
        "the past is not multiplied by 1 − η, so A and B grow forever": [
            (0, _one_more(A=lambda A, F, G, r: r * G * np.conj(F) + A)),
            (1, _one_more(B=lambda B, F, G, r: r * np.abs(F) ** 2 + B)),
        ],
        "the new patch is not multiplied by η": [
            (0, _one_more(A=lambda A, F, G, r: G * np.conj(F) + (1 - r) * A)),
            (1, _one_more(B=lambda B, F, G, r: np.abs(F) ** 2 + (1 - r) * B)),
        ],
        "your past has the weight η, too; its weight should be 1 − η": [
            (0, _one_more(A=lambda A, F, G, r: r * (G * np.conj(F) + A))),
            (1, _one_more(B=lambda B, F, G, r: r * (np.abs(F) ** 2 + B))),
        ],
        "your filter keeps nothing of the past": [
            lambda right, A, B, f, g, r: right(A, B, f, g, 1),
            (0, _one_more(A=lambda A, F, G, r: r * G * np.conj(F))),
            (1, _one_more(B=lambda B, F, G, r: r * np.abs(F) ** 2)),
        ],
        "your rate is always 0.125; `rate` is given": (
            lambda right, A, B, f, g, r: right(A, B, f, g, 0.125)
        ),
        "the weights of A are swapped: the new patch has η, the past 1 − η": (
            0,
            _one_more(A=lambda A, F, G, r: (1 - r) * G * np.conj(F) + r * A),
        ),
        "the weights of B are swapped: the new patch has η, the past 1 − η": (
            1,
            _one_more(B=lambda B, F, G, r: (1 - r) * np.abs(F) ** 2 + r * B),
        ),
        "the new patch is missing: nothing is learned": [
            lambda right, A, B, *given: (A, B),
            lambda right, A, B, f, g, r: ((1 - r) * A, (1 - r) * B),
        ],
        "only A learns: B is a running average too": (1, _one_more(B=lambda B, F, G, r: B)),
        "only B learns: A is a running average too": (0, _one_more(A=lambda A, F, G, r: A)),
        "in A, F is conjugated, not G": (
            0,
            _one_more(A=lambda A, F, G, r: r * np.conj(G) * F + (1 - r) * A),
        ),
        "F is not conjugated in A": (
            0,
            _one_more(A=lambda A, F, G, r: r * G * F + (1 - r) * A),
        ),
        "A holds the target itself: use its transform, G": (
            0,
            lambda right, A, B, f, g, r: (
                r * g * np.conj(fft2(f)) + (1 - r) * A,
                right(A, B, f, g, r)[1],
            ),
        ),
        "your A leaves out the target: F* is multiplied by G": (
            0,
            _one_more(A=lambda A, F, G, r: r * np.conj(F) + (1 - r) * A),
        ),
        "your B has |F|; it needs the square, F ⊙ F*": (
            1,
            _one_more(B=lambda B, F, G, r: r * np.abs(F) + (1 - r) * B),
        ),
        "η is squared in B: square |F| only": (
            1,
            _one_more(B=lambda B, F, G, r: (r * np.abs(F)) ** 2 + (1 - r) * B),
        ),
        "your B has |G|², the target's power; F's is needed": (
            1,
            _one_more(B=lambda B, F, G, r: r * np.abs(G) ** 2 + (1 - r) * B),
        ),
        "you average the filters, A / B; numerator and denominator are averaged separately": (
            0,
            lambda right, A, B, f, g, r: (
                r * fft2(g) / fft2(f) + (1 - r) * A / B,
                right(A, B, f, g, r)[1],
            ),
        ),
        "you average the filters and multiply by B; numerator and denominator are averaged "
        "separately": (
            0,
            lambda right, A, B, f, g, r: (
                (r * fft2(g) / fft2(f) + (1 - r) * A / B) * right(A, B, f, g, r)[1],
                right(A, B, f, g, r)[1],
            ),
        ),
        "you return filters, A / B: the next cells need A and B": (
            0,
            lambda right, *given: (np.divide(*right(*given)), right(*given)[1]),
        ),
        "the past A is conjugated: it holds F* already": (
            0,
            _one_more(A=lambda A, F, G, r: r * G * np.conj(F) + (1 - r) * np.conj(A)),
        ),
        "you add a regulariser to B in the update: the first B already contains it": [
            (
                1,
                lambda right, *given, k=k, of=of: (
                    right(*given)[0],
                    right(*given)[1] + k * of(given),
                ),
            )
            for k in (1.0, 0.1, 0.01, 1e-5)
            for of in (lambda given: given[-1], lambda given: 1)  # within the average, or after it
        ],
        "you roll the target, or the patch, before its transform (fftshift, ifftshift): both stay "
        "as they are": [
            (0, lambda right, A, B, f, g, r: right(A, B, f, fftshift(g), r)),
            (0, lambda right, A, B, f, g, r: right(A, B, f, ifftshift(g), r)),
            lambda right, A, B, f, g, r: right(A, B, fftshift(f), g, r),
            lambda right, A, B, f, g, r: right(A, B, ifftshift(f), g, r),
        ],
        "your transform is scaled (norm=…); without `norm`, np.fft.fft2 has no factor": (
            lambda right, A, B, f, g, r: tuple(
                v - r * new + r * new / g.size
                for v, new in zip(right(A, B, f, g, r), right(0, 0, f, g, 1), strict=True)
            )
        ),
        "your B squares F without its conjugate, and keeps the real part: |F|² is F ⊙ F*": (
            1,
            _one_more(B=lambda B, F, G, r: r * (F**2).real + (1 - r) * B),
        ),
    },
    others={
        "B is returned first; the order is A, B": lambda right, *given: right(*given)[::-1],
        "B has an imaginary part": _one_more(B=lambda B, F, G, r: r * F * F + (1 - r) * B),
        "two parts": lambda right, *given: np.divide(*right(*given)),
    },
)
def examine_update(answer, rng) -> None:
    """Running numerator and denominator, of strong patches and weak ones; rates up to 0 and 1."""
    cases = []
    for h, w, strength, rate in (
        (10, 15, 1.0, rng.uniform(0.14, 0.3)),
        (13, 8, 0.02, rng.uniform(0.6, 0.9)),  # a number added to B is not lost beside it
        (13, 8, 0.3, 1.0),
        (10, 15, 0.3, 0.0),
    ):
        first, patch = strength * rng.normal(size=(2, h, w)), strength * rng.normal(size=(h, w))
        A, B = mosse.train_filter(first, one_sided_target(h, w), 0.1 * strength)
        cases.append((A, B, patch, np.roll(one_sided_target(h, w), 1), float(rate)))
        words = f"with a rate of {rate:g} " + (
            "the new patch replaces the past" if rate == 1 else "nothing changes"
        )
        answer.compare(
            cases[-1], ("A", "B"), numerator_and_denominator, otherwise=words * (rate in (0, 1))
        )
    require_repeatable(answer, *cases)


def _single(change):
    """A mistake: another filter of one patch; (F, G, λ) → H*."""

    def mistake(right, H, f, g, rate, k):
        return rate * change(fft2(f), fft2(g), k) + (1 - rate) * H

    return mistake


def _origin(F: np.ndarray) -> np.ndarray:
    """1 at frequency 0, 0 elsewhere."""
    return np.arange(F.size).reshape(F.shape) == 0


def _power(F: np.ndarray) -> np.ndarray:
    return np.abs(F) ** 2


@check(
    "mosse.ratio",
    reference=mosse.update_ratio,
    mistakes={
        "the weights are swapped: the new single-patch filter has η, the past 1 − η": (
            lambda right, H, f, g, rate, k: right(H, f, g, 1 - rate, k)
        ),
        "the past is not multiplied by 1 − η, so the filter grows forever": (
            lambda right, H, f, g, rate, k: right(H, f, g, rate, k) + rate * H
        ),
        "the new filter is not multiplied by η": (
            lambda right, H, f, g, r, k: right(0, f, g, 1, k) + (1 - r) * H
        ),
        "your filter keeps nothing of the past": [
            lambda right, H, f, g, r, k: right(H, f, g, 1, k),
            lambda right, H, f, g, r, k: right(0 * H, f, g, r, k),
        ],
        "the new patch is missing: nothing is learned": [
            lambda right, H, f, g, r, k: H,
            lambda right, H, f, g, r, k: (1 - r) * H,
        ],
        "your past has the weight η, too; its weight should be 1 − η": (
            lambda right, H, f, g, r, k: right(0 * H, f, g, r, k) + r * H
        ),
        "your rate is always 0.125; `rate` is given": (
            lambda right, H, f, g, rate, k: right(H, f, g, 0.125, k)
        ),
        "your regulariser is always the same; `regulariser` is given": [
            lambda right, H, f, g, rate, k, own=own: right(H, f, g, rate, own)
            for own in (1.0, 0.1, 0.01)
        ],
        "the regulariser is multiplied by the rate as well": (
            lambda right, H, f, g, rate, k: right(H, f, g, rate, rate * k)
        ),
        "the regulariser is squared": lambda right, H, f, g, rate, k: right(H, f, g, rate, k**2),
        "the regulariser is added at frequency 0 only: each frequency has it": (
            _single(lambda F, G, k: G * np.conj(F) / (_power(F) + k * _origin(F)))
        ),
        "you use the regulariser as the least denominator; add it to |F|²": (
            _single(lambda F, G, k: G * np.conj(F) / np.maximum(_power(F), k))
        ),
        "you roll the target, or the patch, before its transform (fftshift, ifftshift): both stay "
        "as they are": [
            lambda right, H, f, g, rate, k: right(H, f, fftshift(g), rate, k),
            lambda right, H, f, g, rate, k: right(H, f, ifftshift(g), rate, k),
            lambda right, H, f, g, rate, k: right(H, fftshift(f), g, rate, k),
            lambda right, H, f, g, rate, k: right(H, ifftshift(f), g, rate, k),
        ],
        "the regulariser is missing in the denominator": (
            lambda right, H, f, g, rate, k: right(H, f, g, rate, 0.0)
        ),
        "the regulariser is added to the quotient, not to its denominator: put the denominator in "
        "brackets": _single(lambda F, G, k: G * np.conj(F) / _power(F) + k),
        "the regulariser is added to the numerator as well": (
            _single(lambda F, G, k: (G * np.conj(F) + k) / (_power(F) + k))
        ),
        "the regulariser is added before |F| is squared": (
            _single(lambda F, G, k: G * np.conj(F) / (np.abs(F) + k) ** 2)
        ),
        "the past H is divided by |F|² + λ as well: the fraction is the new filter alone": (
            lambda right, H, f, g, rate, k: (
                (rate * fft2(g) * np.conj(fft2(f)) + (1 - rate) * H) / (_power(fft2(f)) + k)
            )
        ),
        "H is conjugated once too often: the input is already H*": (
            lambda right, H, *given: right(np.conj(H), *given)
        ),
        "your result is H; the next cells need H*, as it came in": (
            lambda right, *given: np.conj(right(*given))
        ),
        "in the numerator F is not conjugated": (_single(lambda F, G, k: G * F / (_power(F) + k))),
        "in the numerator F is conjugated, not G": (
            _single(lambda F, G, k: np.conj(G) * F / (_power(F) + k))
        ),
        "the denominator has |F|; it needs the square, F ⊙ F*": (
            _single(lambda F, G, k: G * np.conj(F) / (np.abs(F) + k))
        ),
        "F* is missing in the numerator": (_single(lambda F, G, k: G / (_power(F) + k))),
        "the denominator has F²; |F|² is F ⊙ F*, real and never negative": (
            _single(lambda F, G, k: G * np.conj(F) / (F**2 + k))
        ),
        "you keep the real part only: a filter's spectrum is complex": (
            lambda right, *given: right(*given).real
        ),
        "you transform back; the next cells need the spectrum H*": (
            lambda right, *given: np.fft.ifft2(right(*given))
        ),
        "F stands in the denominator, where F ⊙ F* belongs": [
            _single(lambda F, G, k: G / (F + k)),
            _single(lambda F, G, k: G * np.conj(F) / (F + k)),
        ],
        "the numerator leaves out the target's transform, G": (
            _single(lambda F, G, k: np.conj(F) / (_power(F) + k))
        ),
        "the target itself stands in the numerator: use its transform, G": (
            lambda right, H, f, g, r, k: (
                r * g * np.conj(fft2(f)) / (_power(fft2(f)) + k) + (1 - r) * H
            )
        ),
    },
    others={"the new filter should be an array": lambda right, *given: (right(*given), 1)},
)
def examine_ratio(answer, rng) -> None:
    """Running average of single-patch filters; a regulariser as large as |F|², and smaller ones."""
    cases = []
    for h, w, rate, regulariser in (
        (10, 15, rng.uniform(0.14, 0.3), rng.uniform(50, 90)),
        (13, 8, rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.9)),
        (13, 8, 1.0, 3.0),
        (10, 15, 0.0, 20.0),
    ):
        H = rng.normal(size=(h, w)) + 1j * rng.normal(size=(h, w))
        patch, target = rng.normal(size=(h, w)), one_sided_target(h, w)
        cases.append((H, patch, target, float(rate), float(regulariser)))
        answer.compare(cases[-1], "the new filter", (h, w))
    require_repeatable(answer, *cases)
