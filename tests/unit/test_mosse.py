"""MOSSE's steps against direct sums, least squares and numbers worked by hand; the tracker on known
shifts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import DataError
from course_lib.geometry.boxes import iou
from course_lib.trackers import mosse
from course_lib.trackers.mosse import MOSSE, MOSSESettings


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def blobs(rng, height, width):
    """A blotchy texture (height, width, 3)."""
    import cv2

    coarse = rng.integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def test_the_response_is_the_correlation_at_every_shift(rng):
    """The Fourier solution against the direct sum."""
    patch, filter_ = rng.normal(size=(9, 12)), rng.normal(size=(9, 12))
    A = np.conj(np.fft.fft2(filter_))
    response, _, _ = mosse.respond(patch, A, np.ones((9, 12)))
    direct = [
        [np.sum(filter_ * np.roll(patch, (-i, -j), axis=(0, 1))) for j in range(12)]
        for i in range(9)
    ]
    np.testing.assert_allclose(response, direct, atol=1e-10)


def test_the_filter_is_the_least_squares_solution(rng):
    """At each frequency, against numpy's own solver of min Σ |F_n h − G|²."""
    patches, target = rng.normal(size=(5, 6, 8)), rng.normal(size=(6, 8))
    A, B = mosse.train_filter(patches, target, regulariser=0.0)
    F, G = np.fft.fft2(patches), np.fft.fft2(target)
    for i, j in ((0, 0), (1, 3), (5, 7)):
        solution = np.linalg.lstsq(F[:, i, j][:, None], np.full(5, G[i, j]), rcond=None)[0][0]
        assert A[i, j] / B[i, j] == pytest.approx(solution)


def test_one_patch_without_regulariser_gives_exactly_the_target(rng):
    patch, target = rng.normal(size=(10, 14)), mosse.gaussian_target(10, 14, 2.0)
    response, dx, dy = mosse.respond(patch, *mosse.train_filter(patch[None], target, 0.0))
    np.testing.assert_allclose(response, target, atol=1e-9)
    assert (dx, dy) == (0, 0)


def test_the_update_rule_by_hand():
    """1 × 1 patches: transforms are the numbers themselves."""
    A, B = np.array([[4.0]]), np.array([[2.0]])
    A, B = mosse.update_filter(A, B, np.array([[3.0]]), np.array([[2.0]]), rate=0.25)
    assert A[0, 0] == 0.25 * 6 + 0.75 * 4 and B[0, 0] == 0.25 * 9 + 0.75 * 2
    H = mosse.update_ratio(
        np.array([[1.0]]), np.array([[3.0]]), np.array([[2.0]]), rate=0.25, regulariser=3.0
    )
    assert H[0, 0] == pytest.approx(0.25 * 6 / 12 + 0.75)


def test_preprocess_by_hand():
    patch = np.array([[0, 255], [0, 255]], dtype=np.uint8)
    window = np.array([[1.0, 1.0], [0.5, 0.5]])
    # two values, equally often: their mean is 0 and their deviation 1 after normalising
    np.testing.assert_allclose(mosse.preprocess(patch, window), [[-1, 1], [-0.5, 0.5]], atol=1e-4)


def test_the_target_peaks_at_its_centre_and_falls_as_a_gaussian():
    target = mosse.gaussian_target(11, 20, 3.0)
    assert (
        target[5, 10] == 1
        and target[5, 13] == pytest.approx(np.exp(-0.5))
        and target[8, 10] == pytest.approx(np.exp(-0.5))
    )


def test_psr_by_hand():
    response = np.zeros((13, 13))
    response[6, 6] = 10.0
    response[0, :] = 2.0  # outside the window, which covers 1 … 11
    sidelobe = np.concatenate([np.full(13, 2.0), np.zeros(169 - 121 - 13)])
    assert mosse.peak_to_sidelobe(response) == pytest.approx(
        (10 - sidelobe.mean()) / sidelobe.std()
    )
    assert (
        mosse.peak_to_sidelobe(np.zeros((30, 30))) == 0
        and mosse.peak_to_sidelobe(np.ones((5, 5))) == 0
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(12, 40), st.integers(12, 40))
def test_psr_equals_masking_the_window_out(seed, height, width):
    response = np.random.default_rng(seed).normal(size=(height, width)) + 3
    row, column = np.unravel_index(response.argmax(), response.shape)
    mask = np.ones(response.shape, dtype=bool)
    mask[max(0, row - 5) : row + 6, max(0, column - 5) : column + 6] = False
    expected = (response.max() - response[mask].mean()) / response[mask].std()
    assert mosse.peak_to_sidelobe(response) == pytest.approx(expected, rel=1e-6)


def test_warps_differ_and_keep_the_centre(rng):
    patch = blobs(rng, 41, 51)[..., 0]
    copies = mosse.random_warps(patch, 8, np.random.default_rng(0))
    assert copies.shape == (8, 41, 51)
    assert len({c.tobytes() for c in copies}) == 8
    dot = np.zeros((41, 51), dtype=np.uint8)
    dot[20, 25] = 255
    for copy in mosse.random_warps(dot, 8, np.random.default_rng(0)):
        assert np.unravel_index(copy.argmax(), copy.shape) == (20, 25)


def test_running_averages_of_sums_beat_those_of_filters_on_noisy_frames():
    """The two rules after 40 noisy copies of one patch, over ten seeds: the sums give the sharper
    peak."""
    sums, ratios = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        clean, target = rng.normal(size=(32, 32)), mosse.gaussian_target(32, 32, 2.0)
        copies = clean + 0.5 * rng.normal(size=(41, 32, 32))
        A, B = mosse.train_filter(copies[:1], target, 0.0)
        H = A / B
        for copy in copies[1:-1]:
            A, B = mosse.update_filter(A, B, copy, target, 0.125)
            H = mosse.update_ratio(H, copy, target, 0.125, 0.0)
        F = np.fft.fft2(copies[-1])
        sums.append(mosse.peak_to_sidelobe(np.fft.ifft2(F * A / B).real))
        ratios.append(mosse.peak_to_sidelobe(np.fft.ifft2(F * H).real))
    assert np.mean(sums) > np.mean(ratios) + 1


@settings(deadline=None, max_examples=30)
@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 1000))
def test_a_shifted_scene_shifts_the_box_by_as_much(dx, dy, seed):
    """To the pixel, but for one where window and warps pull the peak: the next frame takes that
    up."""
    rng = np.random.default_rng(seed)
    scene, box = blobs(rng, 140, 180), np.array([70.5, 50.25, 36, 30])
    tracker = MOSSE()
    tracker.init(scene, box)
    found = tracker.update(np.roll(scene, (dy, dx), axis=(0, 1)))
    np.testing.assert_allclose(found, box + [dx, dy, 0, 0], atol=1 + 1e-9)


def test_the_tracker_is_the_lessons_steps_in_half_spectra(rng):
    """One frame: the tracker's response against preprocess, train_filter and respond on whole
    spectra."""
    scene, box = blobs(rng, 140, 180), np.array([60.0, 40, 40, 32])
    tracker = MOSSE(MOSSESettings(warps=0, smallest=16, regulariser=0.2))
    tracker.init(scene, box)
    first = tracker._cut(scene)
    window, target = mosse.cosine_window(*tracker.size), mosse.gaussian_target(*tracker.size, 2.0)
    patch = mosse.preprocess(first, window)
    A, B = mosse.train_filter(patch[None], target, 0.0)
    half = np.fft.rfft2(patch)
    regulariser = 0.2 * np.mean(np.abs(half) ** 2)
    moved = np.roll(scene, (2, 3), axis=(0, 1))
    expected, dx, dy = mosse.respond(
        mosse.preprocess(tracker._cut(moved), window), A, B + regulariser
    )
    tracker.update(moved)
    np.testing.assert_allclose(tracker.last.response, expected, atol=2e-3)
    assert (dx, dy) == (3, 2)


def test_below_the_threshold_nothing_moves_and_nothing_is_learned(rng):
    scene, box = blobs(rng, 140, 180), np.array([60.0, 40, 40, 32])
    tracker = MOSSE()
    tracker.init(scene, box)
    before = tracker.H.copy()
    found = tracker.update(rng.integers(0, 256, scene.shape, dtype=np.uint8))
    assert not tracker.last.updated and tracker.last.psr < 7
    assert np.array_equal(found, box) and np.array_equal(tracker.H, before)


def test_two_runs_give_the_same_boxes(rng):
    scene = blobs(rng, 120, 160)
    frames = [np.roll(scene, t, axis=1) for t in range(6)]

    def run():
        tracker = MOSSE()
        tracker.init(frames[0], [50, 40, 30, 30])
        return np.array([tracker.update(f) for f in frames[1:]])

    assert np.array_equal(run(), run())


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.tuples(st.floats(-20, 59), st.floats(-20, 59), st.floats(0.3, 120), st.floats(0.3, 120)),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_no_frame_and_no_box_make_a_nan(height, width, box, grey, seed):
    """Any size of frame and box, grey or not, frames that change size: an error in words or four
    finite numbers."""
    rng = np.random.default_rng(seed)
    shape = (height, width) if grey else (height, width, 3)
    tracker = MOSSE()
    try:
        tracker.init(rng.integers(0, 256, shape, dtype=np.uint8), box)
    except DataError:
        return
    for size in (shape, shape, (37, 23, 3), (height + 5, width + 9, 3)):
        found = tracker.update(rng.integers(0, 256, size, dtype=np.uint8))
        assert found.shape == (4,) and np.isfinite(found).all()


def test_an_easy_generated_clip_is_tracked_to_its_end():
    from course_lib.data.generated import SPECS, make_sequence
    from course_lib.evaluation.otb import track

    sequence = make_sequence(SPECS[0])
    assert iou(track(MOSSE(), sequence).boxes, sequence.boxes).min() > 0.5
