"""SiamFC's tracker against a slow one written from the paper, in lock-step, folded, and in
bf16."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib.data.frames import ArrayFrames
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Benchmark
from course_lib.errors import DataError, SettingsError
from course_lib.evaluation.lockstep import track_in_lockstep
from course_lib.evaluation.otb import track
from course_lib.evaluation.results import read_result
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.geometry.windows import CropWindow
from course_lib.models.device import Placement, has_bf16
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.weights import load_siamfc
from course_lib.trackers import make_tracker, siamfc
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    return load_siamfc("siamfc")


@pytest.fixture(scope="module")
def plain(network):
    return SiamFCRuntime(network, Placement(CPU, bf16=False))


@pytest.fixture(scope="module")
def sequences():
    made = [
        make_sequence(random_spec(k, length=n, scale=1.5))
        for k, n in ((0, 14), (3, 9), (6, 11), (8, 14), (9, 5))
    ]
    return [replace(c, frames=ArrayFrames(list(c.frames))) for c in made]


def slow_boxes(
    network, frames, box, scales=3, step=1.0375, penalty=0.9745, rate=0.59, influence=0.176
):
    """SiamFC as the paper describes it, one step at a time: batch norm unfolded, no shared code
    but the crop."""
    x, y, w, h = box
    cx, cy = x + w / 2, y + h / 2
    side = ((w + (w + h) / 2) * (h + (w + h) / 2)) ** 0.5
    colour = frames[0].reshape(-1, 3).mean(axis=0)

    def embed(crop):
        image = torch.from_numpy(crop.astype(np.float32)).permute(2, 0, 1)[None]
        with torch.no_grad():
            return network.backbone(image)

    z = embed(CropWindow(cx, cy, side, 127).cut(frames[0], colour))
    search = first = side * 255 / 127
    hann = np.hanning(272)[:, None] * np.hanning(272)[None, :]
    boxes = [list(box)]
    for frame in frames[1:]:
        best = None
        for k in range(scales):
            factor = step ** (k - scales // 2)
            features = embed(CropWindow(cx, cy, search * factor, 255).cut(frame, colour))
            response = 0.001 * F.conv2d(features, z) + network.bias.detach()
            fine = F.interpolate(response, size=(272, 272), mode="bicubic", align_corners=False)[
                0, 0
            ].numpy()
            peak = fine.max() * (1 if k == scales // 2 else penalty)
            if best is None or peak > best[0]:
                best = (peak, factor, fine)
        _, factor, fine = best
        fine = fine - fine.min()
        fine = (1 - influence) * fine / fine.sum() + influence * hann / hann.sum()
        place = int(fine.argmax())
        dy, dx = place // 272 - 135.5, place % 272 - 135.5
        cx = min(max(cx + dx / 2 * search * factor / 255, 0), frame.shape[1])
        cy = min(max(cy + dy / 2 * search * factor / 255, 0), frame.shape[0])
        new = min(max((1 - rate) * search + rate * search * factor, 0.2 * first), 5 * first)
        w, h, search = w * new / search, h * new / search, new
        boxes.append([cx - w / 2, cy - h / 2, w, h])
    return np.array(boxes)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "scales": 5,
            "scale_step": 1.0255,
            "scale_penalty": 0.962,
            "scale_rate": 0.34,
            "window": 0.168,
        },
    ],
)
def test_boxes_are_those_of_a_slow_tracker(network, plain, sequences, settings):
    names = {
        "scale_step": "step",
        "scale_penalty": "penalty",
        "scale_rate": "rate",
        "window": "influence",
        "scales": "scales",
    }
    for sequence in sequences[:2]:
        fast = track(SiamFCTracker(SiamFCSettings(**settings), plain), sequence).boxes
        slow = slow_boxes(
            network,
            sequence.frames.images,
            sequence.boxes[0],
            **{names[k]: v for k, v in settings.items()},
        )
        np.testing.assert_allclose(fast, slow, atol=0.05)


def test_lock_step_gives_the_boxes_of_one_by_one(plain, sequences):
    def make():
        return SiamFCTracker(SiamFCSettings(), plain)

    alone = [track(make(), sequence) for sequence in sequences]
    for width in (1, 2, 4):
        for a, b in zip(alone, track_in_lockstep(make, sequences, width), strict=True):
            np.testing.assert_allclose(b.boxes, a.boxes, atol=1e-3)
            assert b.seconds.shape == a.seconds.shape and (b.seconds > 0).all()


def test_precision_and_layout_move_no_box_by_a_pixel(network, plain, sequences):
    placements = [Placement(CPU, bf16=False, channels_last=False)]
    if has_bf16(CPU):
        placements.append(Placement(CPU, bf16=True))
    for sequence in sequences:
        boxes = track(SiamFCTracker(SiamFCSettings(), plain), sequence).boxes
        for placement in placements:
            other = track(
                SiamFCTracker(SiamFCSettings(), SiamFCRuntime(network, placement)), sequence
            ).boxes
            assert np.abs(other - boxes).max() < 1.0, (sequence.name, placement)


def test_the_exemplar_is_never_updated(plain, sequences):
    tracker = SiamFCTracker(SiamFCSettings(), plain)
    tracker.init(sequences[0].frames[0], sequences[0].boxes[0])
    before = tracker.z.clone()
    for frame in sequences[0].frames.part(1):
        tracker.update(frame)
    assert torch.equal(tracker.z, before)


def test_last_holds_the_intermediate_results(plain, sequences):
    tracker = SiamFCTracker(SiamFCSettings(scales=5), plain)
    tracker.init(sequences[0].frames[0], sequences[0].boxes[0])
    assert tracker.last.responses is None and tracker.last.crop.shape == (127, 127, 3)
    tracker.update(sequences[0].frames[1])
    last = tracker.last
    assert last.responses.shape == (5, 17, 17) and last.blended.shape == (272, 272)
    assert last.blended.sum() == pytest.approx(1, abs=1e-3) and last.crop.shape == (255, 255, 3)


def test_the_centre_stays_in_the_frame_and_the_size_within_limits(plain):
    frames = np.random.default_rng(0).integers(0, 256, (40, 60, 80, 3), dtype=np.uint8)
    tracker = SiamFCTracker(SiamFCSettings(scale_rate=1.0, window=0.0), plain)
    tracker.init(frames[0], [60, 40, 18, 16])
    for frame in frames[1:]:
        x, y, w, h = tracker.update(frame)
        assert 0 <= x + w / 2 <= 80 and 0 <= y + h / 2 <= 60
        assert 0.2 * 18 - 1e-6 <= w <= 5 * 18 + 1e-6 and w / h == pytest.approx(18 / 16)


class TestSteps:
    """The small functions, by hand."""

    def test_scale_factors(self):
        np.testing.assert_allclose(siamfc.scale_factors(5, 2.0), [0.25, 0.5, 1, 2, 4])

    def test_upsampling_is_torchs_bicubic(self):
        response = np.random.default_rng(0).normal(size=(17, 17)).astype(np.float32)
        expected = F.interpolate(
            torch.from_numpy(response)[None, None],
            scale_factor=16,
            mode="bicubic",
            align_corners=False,
        )
        np.testing.assert_allclose(siamfc.enlarge(response, 16), expected[0, 0].numpy(), atol=1e-3)

    def test_a_peak_between_the_centre_cells_is_no_displacement(self):
        fine = siamfc.enlarge(np.pad([[1.0]], 8).astype(np.float32), 16)
        assert np.abs(siamfc.peak_displacement(fine, 8, 16)).max() <= 0.25  # half an upsampled cell

    def test_a_flat_response_leaves_the_window(self):
        window = siamfc.unit_window(32)
        blended = siamfc.blend_with_window(np.zeros((32, 32)), window, 0.3)
        assert blended.sum() == pytest.approx(1) and blended.argmax() == window.argmax()

    def test_damping(self):
        assert siamfc.damp(100, 1.1, 0.5, 100) == pytest.approx(105)
        assert siamfc.damp(100, 1.1, 0.5, 10) == 50 and siamfc.damp(100, 0.5, 1, 1000) == 200


def test_wrong_settings_and_starts(plain):
    with pytest.raises(SettingsError, match="scales is 4"):
        SiamFCSettings(scales=4)
    with pytest.raises(SettingsError, match="precision is 'fp16'"):
        make_tracker("siamfc", precision="fp16")
    with pytest.raises(DataError, match="four finite numbers"):
        SiamFCTracker(SiamFCSettings(), plain).init(
            np.zeros((9, 9, 3), dtype=np.uint8), [1, 1, np.nan, 2]
        )


@pytest.mark.real_data
@pytest.mark.slow
def test_real_sequences_are_followed(real_data):
    """The shipped weights on two easy targets; the figures of all are in results/."""
    from course_lib.data.benchmarks import load_benchmark
    from course_lib.evaluation.metrics import auc
    from course_lib.evaluation.otb import score_sequence

    benchmark = load_benchmark("otb+vot2014", real_data)
    for name, least in (("Crossing", 0.6), ("Deer", 0.55)):
        boxes = track(make_tracker("siamfc"), benchmark[name]).boxes
        assert auc(score_sequence(boxes, benchmark[name].boxes).success) > least


def test_the_runner_in_lock_step_writes_the_same_files(tmp_path, sequences):
    benchmark = Benchmark("little", tuple(sequences[:3]))
    spec = TrackerSpec("siamfc", {"precision": "fp32"})
    alone = evaluate([spec, TrackerSpec("stay-put")], benchmark, tmp_path / "a", progress=False)
    one = benchmark.only(benchmark.names[1:2])
    evaluate([spec], one, tmp_path / "b", progress=False)  # one is already done
    together = evaluate(
        [spec, TrackerSpec("stay-put")], benchmark, tmp_path / "b", progress=False, lockstep=2
    )
    assert [p.relative_to(tmp_path / "b") for p in together] == [
        p.relative_to(tmp_path / "a") for p in alone
    ]
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(read_result(b).boxes, read_result(a).boxes, atol=1e-3)
