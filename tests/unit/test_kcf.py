"""KCF on known motion, against a slow tracker written from the paper, and at its extremes."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import DataError, SettingsError
from course_lib.geometry.boxes import iou, to_centre
from course_lib.geometry.patches import cut_patch
from course_lib.places import RECIPES
from course_lib.recipe import load_settings
from course_lib.trackers import make_tracker
from course_lib.trackers.features import features
from course_lib.trackers.kcf import KCF, KCFSettings
from course_lib.trackers.scale import ScaleFilter


def blobs(seed, height, width):
    """A blotchy colour texture (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(
        0, 256, (height // 7 + 2, width // 7 + 2, 3), dtype=np.uint8
    )
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def sequence(steps, grow=1.0, size=(40, 52)):
    """Frames (160, 220, 3) in which a texture of `size` (w, h) moves by `steps` (T, 2) and grows by
    a factor each time."""
    scene, target = blobs(0, 160, 220) // 3 + 80, blobs(1, size[1], size[0])
    place, frames, boxes = np.array([90.0, 70.0]), [], []
    for t, step in enumerate([(0, 0), *steps]):
        place = place + step  # (2,) the centre
        w, h = (round(v * grow**t) for v in size)
        corner = np.round(place - [w / 2, h / 2]).astype(int)
        frame = scene.copy()
        frame[corner[1] : corner[1] + h, corner[0] : corner[0] + w] = cv2.resize(target, (w, h))
        frames.append(frame)
        boxes.append([*corner, w, h])
    return frames, np.array(boxes, dtype=float)


def boxes_of(tracker, frames, first):
    """The tracker's boxes (T, 4)."""
    tracker.init(frames[0], first)
    return np.array([first, *(tracker.update(f) for f in frames[1:])])


class SlowKCF:
    """From the paper: whole spectra, one channel after another, one shape of everything, no half
    spectra."""

    def __init__(self, s):
        self.s = s

    def look(self, frame, factor=1.0):
        size = self.size * self.s.padding * factor
        x = features(
            cut_patch(frame, self.centre, size, self.shape)[None], self.s.features, self.s.cell
        )[0]
        h, w = x.shape[1:]
        window = np.outer(np.hanning(h + 2)[1:-1], np.hanning(w + 2)[1:-1])
        return [np.fft.fft2(channel * window) for channel in x.astype(float)]

    def kernel(self, X, Z):
        n = len(X) * X[0].size
        xx, zz = (sum((np.abs(c) ** 2).sum() for c in C) / X[0].size for C in (X, Z))
        cross = np.fft.ifft2(sum(np.conj(a) * b for a, b in zip(X, Z, strict=True))).real
        if self.s.kernel == "linear":
            return np.fft.fft2(cross / n)
        if self.s.kernel == "polynomial":
            return np.fft.fft2((cross / n + self.s.offset) ** self.s.degree)
        return np.fft.fft2(np.exp(-np.maximum(xx + zz - 2 * cross, 0) / (self.s.bandwidth**2 * n)))

    def init(self, frame, box):
        self.centre, self.size = to_centre(box)[:2], np.array(box[2:], dtype=float)
        window = self.size[::-1] * self.s.padding
        zoom = self.s.patch / np.sqrt(window.prod())
        self.shape = tuple(round(v * zoom / self.s.cell) * self.s.cell for v in window)
        self.X = self.look(frame)
        h, w = self.X[0].shape
        sigma = (
            self.s.label_sigma
            * np.sqrt(self.shape[0] * self.shape[1])
            / self.s.padding
            / self.s.cell
        )
        labels = [
            [np.exp(-(min(i, h - i) ** 2 + min(j, w - j) ** 2) / 2 / sigma**2) for j in range(w)]
            for i in range(h)
        ]
        self.Y = np.fft.fft2(labels)
        self.alpha = self.Y / (self.kernel(self.X, self.X) + self.s.regulariser)

    def update(self, frame):
        best = None
        for factor in (
            (1.0, 1 / self.s.scale_step, self.s.scale_step) if self.s.scale == "pyramid" else (1.0,)
        ):
            response = np.fft.ifft2(self.kernel(self.X, self.look(frame, factor)) * self.alpha).real
            value = response.max() * (1.0 if factor == 1 else self.s.scale_weight)
            if best is None or value > best[0]:
                best = value, factor, response
        _, factor, response = best
        (h, w), (i, j) = response.shape, np.unravel_index(response.argmax(), response.shape)

        def vertex(a, b, c):
            return (a - c) / (2 * (a + c - 2 * b))

        dy = vertex(response[i - 1, j], response[i, j], response[(i + 1) % h, j])
        dx = vertex(response[i, j - 1], response[i, j], response[i, (j + 1) % w])
        dy, dx = dy + (i if i < h / 2 else i - h), dx + (j if j < w / 2 else j - w)
        self.centre = self.centre + np.array([dx / w, dy / h]) * self.size * self.s.padding * factor
        self.size = self.size * factor
        X = self.look(frame)
        alpha = self.Y / (self.kernel(X, X) + self.s.regulariser)
        self.X = [
            self.s.rate * new + (1 - self.s.rate) * old for new, old in zip(X, self.X, strict=True)
        ]
        self.alpha = self.s.rate * alpha + (1 - self.s.rate) * self.alpha
        return np.array([*(self.centre - self.size / 2), *self.size])


@pytest.mark.parametrize(
    "kernel, kinds, cell, scale",
    [
        ("gaussian", "hog", 4, "pyramid"),
        ("gaussian", "grey", 1, "fixed"),
        ("linear", "hog+colour", 4, "pyramid"),
        ("polynomial", "grey+hog", 4, "fixed"),
    ],
)
def test_equals_a_slow_tracker_written_from_the_paper(kernel, kinds, cell, scale):
    frames, boxes = sequence([(2, 1), (3, -2), (-4, 2), (1, 1), (0, 3)] * 2, grow=1.05)
    chosen = KCFSettings(
        kernel=kernel,
        features=kinds,
        cell=cell,
        scale=scale,
        patch=48,
        subcell=True,
        rate=0.05,
        bandwidth=0.3,
    )
    fast, slow = (boxes_of(make(chosen), frames, boxes[0]) for make in (KCF, SlowKCF))
    np.testing.assert_allclose(fast[:3], slow[:3], atol=5e-3)  # float32 against float64
    np.testing.assert_allclose(
        fast, slow, atol=0.3
    )  # a crop a little to the side has other rounded grey values
    assert (fast[-1, 2] > boxes[0, 2]) == (scale == "pyramid")


@pytest.mark.parametrize(
    "kernel, kinds", list(product(("linear", "polynomial", "gaussian"), ("grey", "colour", "hog")))
)
def test_follows_a_texture_that_moves(kernel, kinds):
    steps = [(3, 2)] * 6 + [(-5, 0)] * 4 + [(0, -4)] * 4
    frames, boxes = sequence(steps)
    found = boxes_of(
        KCF(KCFSettings(kernel=kernel, features=kinds, scale="fixed")), frames, boxes[0]
    )
    assert np.abs(to_centre(found)[:, :2] - to_centre(boxes)[:, :2]).max() < 3
    assert (found[:, 2:] == boxes[0, 2:]).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(-12, 12), st.integers(-12, 12))
def test_one_step_in_any_direction(dx, dy):
    """Up to half the room that the patch leaves around the target."""
    frames, boxes = sequence([(dx, dy)])
    tracker = KCF(
        KCFSettings(features="grey", cell=1, padding=2.5, patch=0, scale="fixed", subcell=False)
    )
    found = boxes_of(tracker, frames, boxes[0])[1]
    np.testing.assert_allclose(found[:2] - boxes[0, :2], [dx, dy], atol=1.0)


@pytest.mark.parametrize("scale", ["pyramid", "filter"])
@pytest.mark.parametrize("grow", [1.02, 0.985])
def test_the_box_follows_a_target_that_grows_or_shrinks(scale, grow):
    frames, boxes = sequence([(1, 0)] * 24, grow=grow)
    found = boxes_of(KCF(KCFSettings(scale=scale, patch=96)), frames, boxes[0])
    fixed = boxes_of(KCF(KCFSettings(scale="fixed", patch=96)), frames, boxes[0])
    assert iou(found, boxes)[-1] > 0.75 > 0.65 > iou(fixed, boxes)[-1]


def test_the_scale_filter_gives_the_wanted_response_to_what_it_learned():
    frames, boxes = sequence([])
    centre, size = to_centre(boxes[0])[:2], boxes[0, 2:]
    sizes = ScaleFilter(frames[0], centre, size)
    F = sizes._spectrum(frames[0], centre, size)
    response = np.fft.irfft((sizes.A * F).sum(1) / sizes.B[:, 0], n=33)
    wanted = np.exp(-((np.arange(33) - 16) ** 2) / (2 * 33 / 16))
    np.testing.assert_allclose(response, wanted, atol=1e-4)
    assert sizes.factor(frames[0], centre, size) == 1.0
    assert 400 < np.prod(sizes.shape) <= 512 and sizes.shape[0] / sizes.shape[1] == pytest.approx(
        52 / 40, rel=0.1
    )


@pytest.mark.parametrize("steps", [-6, -2, 3, 6])
def test_the_scale_filter_reads_the_size(steps):
    """The same frame, but the last size was wrong by a known factor."""
    frames, boxes = sequence([])
    centre, size = to_centre(boxes[0])[:2], boxes[0, 2:]
    sizes = ScaleFilter(frames[0], centre, size)
    assert sizes.factor(frames[0], centre, size / 1.02**steps) == pytest.approx(
        1.02**steps, rel=0.021
    )


def test_the_scale_filter_learns_as_a_running_average():
    frames, boxes = sequence([(3, 2)])
    centre, size = to_centre(boxes[0])[:2], boxes[0, 2:]
    sizes, fresh = ScaleFilter(frames[0], centre, size), ScaleFilter(frames[1], centre, size)
    A, B = sizes.A.copy(), sizes.B.copy()
    sizes.learn(frames[1], centre, size)
    np.testing.assert_allclose(sizes.A, 0.025 * fresh.A + 0.975 * A, atol=1e-4)
    np.testing.assert_allclose(sizes.B, 0.025 * fresh.B + 0.975 * B, rtol=1e-4)


@pytest.mark.parametrize("scale", ["fixed", "pyramid", "filter"])
@pytest.mark.parametrize(
    "box", [(0, 0, 3, 3), (-20, -10, 60, 40), (5, 70, 200, 4), (-50, -50, 320, 260)]
)
def test_boxes_at_the_extremes(scale, box):
    """Tiny, half outside, a thin line, larger than the frame; then blank frames of another size."""
    tracker = KCF(KCFSettings(scale=scale))
    tracker.init(blobs(2, 160, 220), box)
    for frame in (
        blobs(3, 160, 220),
        np.zeros((160, 220, 3), np.uint8),
        np.full((90, 130, 3), 255, np.uint8),
    ):
        found = tracker.update(frame)
        centre = to_centre(found)[:2]
        assert np.isfinite(found).all() and (found[2:] > 0).all()
        assert (centre >= 0).all() and (centre <= np.array(frame.shape[1::-1]) - 1).all()
    # nothing is learned from a white frame
    assert tracker.last.response.shape == tracker.cells and not tracker.last.updated


@pytest.mark.parametrize("step", [0.5, 2.0])
def test_the_box_keeps_four_pixels_and_fits_the_frame(step, monkeypatch):
    """Another size wins in every frame: the box grows, or shrinks, up to its limit."""
    monkeypatch.setattr("course_lib.trackers.kcf.best_size", lambda responses, weight: 2)
    tracker = KCF(KCFSettings(scale="pyramid", scale_step=step, patch=48))
    last = boxes_of(tracker, [blobs(2, 160, 220)] * 8, (90, 60, 40, 30))[-1]
    assert last[2:] == pytest.approx([4 * 40 / 30, 4] if step < 1 else [160 * 40 / 30, 160])


def test_a_thin_target_still_has_four_cells():
    tracker = KCF(KCFSettings(patch=80))
    tracker.init(blobs(2, 160, 220), (5, 70, 200, 4))
    assert tracker.cells[0] == 4 and tracker.cells[1] > 50


def test_the_scale_filter_learns_in_every_frame():
    frames, boxes = sequence([(1, 0)])
    tracker = KCF(KCFSettings(scale="filter"))
    tracker.init(frames[0], boxes[0])
    before = tracker.sizes.B.copy()
    tracker.update(frames[1])
    assert not np.array_equal(tracker.sizes.B, before)


def test_the_results_kept_for_figures():
    frames, boxes = sequence([(4, 0)])
    tracker = KCF(KCFSettings(scale="fixed", padding=2.0, patch=0, cell=4, subcell=False))
    tracker.init(frames[0], boxes[0])
    assert tracker.last.response is None and tracker.last.scale == 1
    np.testing.assert_allclose(
        tracker.last.patch_box, [*(to_centre(boxes[0])[:2] - boxes[0, 2:]), *(2 * boxes[0, 2:])]
    )
    tracker.update(frames[1])
    h, w = tracker.cells
    peak = np.unravel_index(tracker.last.response.argmax(), (h, w))
    assert peak == (h // 2, w // 2 + 1)  # one cell of four pixels to the right of the centre


def test_large_targets_are_halved_as_published():
    tracker = KCF(KCFSettings(patch=0, padding=2.5))
    tracker.init(blobs(0, 400, 400), (100, 100, 80, 80))
    assert tracker.shape == (200, 200)
    tracker.init(blobs(0, 400, 400), (100, 100, 120, 120))
    assert tracker.shape == (152, 152)  # 300 / 2 = 150, in whole cells of 4


@pytest.mark.parametrize(
    "wrong",
    [{"kernel": "cubic"}, {"scale": "yes"}, {"features": "hogg"}, {"cell": 0}, {"padding": -1.0}],
)
def test_unknown_settings_are_named(wrong):
    (name, _value), *_ = wrong.items()
    with pytest.raises(SettingsError, match=name):
        make_tracker("kcf", **wrong)
    with pytest.raises(DataError):
        KCF().init(np.zeros((50, 50, 3), np.uint8), (10, 10, 0, 5))


@pytest.mark.parametrize(
    "recipe, known",
    [  # published settings: padding, regulariser, bandwidth, rate, cell, label_sigma
        ("csk", (2.0, 1e-2, 0.2, 0.075, 1, 1 / 16)),
        ("kcf_grey", (2.5, 1e-4, 0.2, 0.075, 1, 0.1)),
        ("kcf_hog", (2.5, 1e-4, 0.5, 0.02, 4, 0.1)),
        ("kcf_vot", (2.5, 1e-4, 0.6, 0.012, 4, 0.125)),
    ],
)
def test_published_settings(recipe, known):
    s = load_settings(KCFSettings, RECIPES / f"{recipe}.yaml")
    assert (s.padding, s.regulariser, s.bandwidth, s.rate, s.cell, s.label_sigma) == pytest.approx(
        known
    )
    assert s.kernel == "gaussian" and (s.patch == 96) == (recipe == "kcf_vot")
    assert load_settings(KCFSettings, RECIPES / "kcf_dcf.yaml").kernel == "linear"
