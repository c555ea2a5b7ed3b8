"""Regression on all shifts: the Fourier solution against matrices of all shifts and against
loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import SettingsError
from course_lib.trackers import kernels as K

sizes = st.integers(3, 9)


def shifted(patch, dy, dx):
    """A patch (C, h, w) moved down by dy and right by dx, cyclically."""
    return np.roll(patch, (dy, dx), axis=(-2, -1))


def kappa(kind, a, b, bandwidth=0.5, offset=1.0, degree=9):
    """The kernel of two patches, number by number."""
    if kind == "gaussian":
        return np.exp(-((a - b) ** 2).sum() / (bandwidth**2 * a.size))
    product = (a * b).sum() / a.size
    return product if kind == "linear" else (product + offset) ** degree


def all_shifts(patch):
    """Every cyclic shift of a patch (C, h, w), row after row."""
    h, w = patch.shape[-2:]
    return [shifted(patch, i, j) for i in range(h) for j in range(w)]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(2, 40), st.floats(1e-3, 10))
def test_ridge_regression_is_one_division(seed, n, regulariser):
    """The weights from the data matrix, and from its dual, equal the Fourier ones to 1e-8."""
    x, y = np.random.default_rng(seed).normal(size=(2, n))
    X = K.data_matrix(x)
    assert all((X[i] == np.roll(x, i)).all() for i in range(n))
    primal = np.linalg.solve(X.T @ X + regulariser * np.eye(n), X.T @ y)
    dual = X.T @ np.linalg.solve(X @ X.T + regulariser * np.eye(n), y)
    given_ = K.ridge_weights(x, y, regulariser)
    np.testing.assert_allclose(given_, primal, atol=1e-8)
    np.testing.assert_allclose(given_, dual, atol=1e-8)


def test_a_data_matrix_is_diagonal_in_the_fourier_domain():
    x = np.random.default_rng(3).normal(size=12)
    F = np.fft.fft(np.eye(12), norm="ortho")  # (12, 12), unitary
    diagonal = F.conj() @ K.data_matrix(x) @ F
    np.testing.assert_allclose(diagonal, np.diag(np.fft.fft(x)), atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), sizes, sizes, st.integers(1, 4), st.sampled_from(K.KERNELS))
def test_kernel_correlation_is_the_kernel_at_every_shift(seed, h, w, C, kind):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, C, h, w))
    fast = K.kernel_correlation(K.spectrum(x), K.spectrum(z), (h, w), kind)
    slow = [[kappa(kind, shifted(x, i, j), z) for j in range(w)] for i in range(h)]
    np.testing.assert_allclose(fast, slow, rtol=1e-8, atol=1e-8)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31), st.integers(3, 6), st.integers(3, 6), st.sampled_from(K.KERNELS))
def test_training_and_response_equal_the_kernel_matrix(seed, h, w, kind):
    """α against a linear system with the kernel of every pair of shifts; the response against the
    sum over α."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, 2, h, w))
    labels = K.gaussian_labels(h, w, 1.0)
    shifts = all_shifts(x)
    matrix = np.array([[kappa(kind, a, b) for b in shifts] for a in shifts])  # (hw, hw)
    regulariser = 0.01 * matrix.max()
    alpha = np.linalg.solve(matrix + regulariser * np.eye(h * w), labels.ravel())
    half = K.train_dual(
        K.kernel_correlation(K.spectrum(x), K.spectrum(x), (h, w), kind), labels, regulariser
    )
    np.testing.assert_allclose(
        K.in_space(half, (h, w)).ravel(), alpha, atol=1e-8 * np.abs(alpha).max()
    )
    response = K.respond(K.kernel_correlation(K.spectrum(x), K.spectrum(z), (h, w), kind), half)
    # a patch whose content lies (i, j) further is compared with the equally shifted target
    direct = [
        sum(a * kappa(kind, s, shifted(z, -i, -j)) for a, s in zip(alpha, shifts, strict=True))
        for i in range(h)
        for j in range(w)
    ]
    np.testing.assert_allclose(response.ravel(), direct, atol=1e-8 * max(np.abs(direct).max(), 1))


def test_several_patches_at_once_are_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(3, 6, 7)), rng.normal(size=(4, 3, 6, 7))
    X, Z = K.spectrum(x), K.spectrum(z)
    together = K.kernel_correlation(X, Z, (6, 7))
    for k in range(4):
        np.testing.assert_allclose(together[k], K.kernel_correlation(X, Z[k], (6, 7)), atol=1e-12)


@pytest.mark.parametrize("shape", [(6, 8), (7, 9), (5, 6)])
def test_displacement_is_right_at_every_offset(shape):
    h, w = shape
    for dy in range(-(h // 2), (h + 1) // 2):
        for dx in range(-(w // 2), (w + 1) // 2):
            response = shifted(K.gaussian_labels(h, w, 1.0), dy, dx)
            assert K.displacement(response) == (dx, dy)
            assert K.subcell(response) == pytest.approx((dx, dy), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.floats(-0.45, 0.45), st.floats(-0.45, 0.45), st.integers(-5, 4), st.integers(-4, 3))
def test_subcell_finds_the_top_of_a_parabola(fx, fy, dx, dy):
    """On an inverted bowl whose top lies between cells, also across the cyclic seam."""
    rows, columns = np.fft.fftfreq(9, 1 / 9)[:, None], np.fft.fftfreq(11, 1 / 11)[None]
    bowl = shifted(-((columns - fx) ** 2) - 2 * (rows - fy) ** 2, dy, dx)
    assert K.subcell(bowl) == pytest.approx((dx + fx, dy + fy), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_kernel_is_never_above_one(seed):
    """Rounding may make a squared distance negative, which a narrow Gaussian would amplify."""
    x = np.random.default_rng(seed).normal(size=(3, 16, 17)).astype(np.float32)
    X = K.spectrum(x)
    assert K.gaussian_correlation(X, X, (16, 17), 1e-5).max() <= 1


def test_a_flat_response_shows_no_motion():
    assert K.displacement(np.ones((4, 6))) == (0, 0) and K.subcell(np.ones((4, 6))) == (0.0, 0.0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), sizes, sizes)
def test_energy_from_half_a_spectrum(seed, h, w):
    x = np.random.default_rng(seed).normal(size=(2, 3, h, w))
    np.testing.assert_allclose(K.energy(K.spectrum(x), w), (x**2).sum((1, 2, 3)), rtol=1e-10)


def test_labels_by_hand():
    labels = K.gaussian_labels(5, 6, 2.0)
    assert labels[0, 0] == 1 and labels[0, 5] == pytest.approx(
        np.exp(-1 / 8)
    )  # the last column is one to the left
    assert labels[2, 3] == pytest.approx(np.exp(-(4 + 9) / 8))


def test_an_unknown_kernel_is_named():
    X = K.spectrum(np.zeros((1, 4, 4)))
    with pytest.raises(SettingsError, match="'cubic'.*linear, polynomial, gaussian"):
        K.kernel_correlation(X, X, (4, 4), "cubic")
