"""Export to OpenCV: what is written is what OpenCV computes, and `cv2.TrackerVit` runs it."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import torch
from stream_files import bright, images, ready, small

from course_lib.cli import main
from course_lib.data.generated import SPECS, make_sequence
from course_lib.errors import CourseError, DataError
from course_lib.geometry.windows import CropWindow
from course_lib.models import export as export_module
from course_lib.models.export import (
    CLOSE,
    INPUTS,
    OUTPUTS,
    ForOpenCV,
    by_opencv,
    export,
    opencv_tracker,
    turned_deviation,
)
from course_lib.models.onestream import OneStream
from course_lib.models.siamfc import SiamFC
from course_lib.models.stems import DEVIATION, MEAN, normalised
from course_lib.models.weights import load_network, save_weights
from course_lib.places import WEIGHTS
from course_lib.trackers.onestream import OneStreamSettings, OneStreamTracker, hann

needs_onnx = pytest.mark.skipif(find_spec("onnx") is None, reason="needs the package onnx")
KINDS = [{}, {"asymmetric": True}, {"eliminate": (2,)}, {"asymmetric": True, "eliminate": (1, 3)}]


@torch.no_grad()
def test_the_wrapper_takes_normalised_images():
    network, (z, x) = small("convstem"), images(2)
    score, size, offset = ForOpenCV(network)(normalised(z), normalised(x))
    maps = network(z, x)
    for found, wanted in ((score, maps.score), (size, maps.size), (offset, maps.offset)):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_the_network_itself_is_left_as_it_is():
    network = small("convstem")
    before = {name: t.clone() for name, t in network.state_dict().items()}
    ForOpenCV(network)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], t) for name, t in before.items())


@needs_onnx
@pytest.mark.slow
class TestFile:
    @pytest.mark.parametrize("more", KINDS)
    def test_opencv_computes_what_pytorch_computes(self, more, tmp_path):
        network, path = small(**more), tmp_path / "a.onnx"
        difference = export(network, path)
        assert difference <= CLOSE == 1e-5
        assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]
        for seed in (5, 6):
            z, x = images(seed=seed)
            with torch.no_grad():
                wanted = network(z, x)
            found = by_opencv(path, normalised(z).numpy(), normalised(x).numpy())
            assert [m.shape for m in found] == [(1, 1, 16, 16), (1, 2, 16, 16), (1, 2, 16, 16)]
            for a, b in zip(found, wanted, strict=True):
                assert np.abs(a - b.numpy()).max() <= CLOSE and np.ptp(a) > 1e-3

    def test_the_interface_of_trackervit(self, tmp_path):
        import onnx

        export(small("convstem"), tmp_path / "a.onnx")
        model = onnx.load(tmp_path / "a.onnx")
        onnx.checker.check_model(model)
        shapes = {
            v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in [*model.graph.input, *model.graph.output]
        }
        assert shapes == {
            "template": [1, 3, 128, 128],
            "search": [1, 3, 256, 256],
            "output1": [1, 1, 16, 16],
            "output2": [1, 2, 16, 16],
            "output3": [1, 2, 16, 16],
        }
        assert (*INPUTS, *OUTPUTS) == tuple(shapes)
        assert model.opset_import[0].version == 14
        # batch norms are part of the convolutions
        assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)

    def test_a_file_that_differs_is_not_kept(self, tmp_path, monkeypatch):
        path = tmp_path / "a.onnx"
        path.write_text("an older one")

        def off(*arguments):
            score, size, offset = by_opencv(*arguments)
            return score + 2e-5, size, offset

        monkeypatch.setattr(export_module, "by_opencv", off)
        with pytest.raises(
            DataError, match=r"differ from PyTorch's by 2\.\de-05, expected at most"
        ):
            export(small(), path)
        assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]
        assert path.read_text() == "an older one"

    def test_maps_that_are_not_numbers_are_not_kept(self, tmp_path, monkeypatch):
        monkeypatch.setattr(
            export_module, "by_opencv", lambda *a: [m * math.nan for m in by_opencv(*a)]
        )
        with pytest.raises(DataError, match="nan"):
            export(small(), tmp_path / "a.onnx")
        assert list(tmp_path.iterdir()) == []

    def test_what_opencv_cannot_read_is_not_kept(self, tmp_path, monkeypatch):
        monkeypatch.setattr(export_module, "_write", lambda model, path: path.write_bytes(b"none"))
        with pytest.raises(DataError, match=r"OpenCV [\d.]+ cannot run the network .*not written"):
            export(small(), tmp_path / "a.onnx")
        assert list(tmp_path.iterdir()) == []


class TestRefused:
    def test_another_kind_of_network(self, tmp_path):
        with pytest.raises(DataError, match="is a siamfc, which makes no centre maps"):
            export(SiamFC(), tmp_path / "a.onnx")

    def test_a_network_that_does_not_compare(self, tmp_path):
        with pytest.raises(DataError, match="joint=false, so its maps do not depend"):
            export(small(joint=False), tmp_path / "a.onnx")

    def test_another_name(self, tmp_path):
        with pytest.raises(DataError, match=r"a\.pt; expected a name that ends in \.onnx"):
            export(small(), tmp_path / "a.pt")

    def test_without_the_package(self, tmp_path, monkeypatch):
        monkeypatch.setattr(export_module, "find_spec", lambda name: None)
        with pytest.raises(CourseError, match=r"package onnx, .*`pip install -e '\.\[export\]'"):
            export(small(), tmp_path / "a.onnx")
        assert list(tmp_path.iterdir()) == []


class WholePixels(OneStreamTracker):
    """Our tracker with TrackerVit's arithmetic: its crops begin and end at whole pixels and are
    resized, not warped; its boxes are rounded down, and not kept inside the frame."""

    def crop_of(self, frame, factor: int, size: int) -> tuple[np.ndarray, CropWindow]:
        x, y, w, h = (int(v) for v in self.box)
        side = math.ceil(math.sqrt(w * h) * factor)
        low = np.array([x + int((w - side) / 2), y + int((h - side) / 2)])
        before = np.maximum(-low, 0)
        after = np.maximum(low + side - frame.shape[1::-1], 0)
        (x1, y1), (x2, y2) = low + before, low + side - after
        (left, top), (right, bottom) = before.tolist(), after.tolist()
        inside = np.ascontiguousarray(frame[y1:y2, x1:x2])
        whole = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_CONSTANT)
        assert whole.shape == (side, side, 3)
        return cv2.resize(whole, (size, size)), CropWindow(*(low + side / 2), side, size)

    def _template(self, frame):
        crop, window = self.crop_of(frame, 2, 128)
        return self.runtime.template_tokens(crop), crop, window

    def look(self, frame):
        self.frame = frame
        self.crop, self.window = self.crop_of(frame, 4, 256)
        return self.crop[None]

    def decide(self, responses):
        super().decide(responses)
        self.box = np.floor(self.last.found)
        return self.box.copy()


def by_trackervit(path, sequence, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (count, 4) and scores (count,) of OpenCV's tracker. Frames are RGB, as ours are: it
    takes the colours in the order of their means, and swaps none."""
    tracker = opencv_tracker(path, 0.0)
    tracker.init(sequence.frames[0], [int(v) for v in sequence.boxes[0].round()])
    boxes, scores = [], []
    for t in range(1, count + 1):
        there, box = tracker.update(sequence.frames[t])
        assert there
        boxes.append(box)
        scores.append(tracker.getTrackingScore())
    return np.array(boxes, float), np.array(scores)


def a_network(name: str) -> OneStream:
    if name == "made by hand":
        return bright()
    if not (WEIGHTS / f"{name}.safetensors").is_file():
        pytest.skip(f"needs the weights {name}")
    return load_network(name)


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("name", ["made by hand", "onestream-lite0"])
def test_trackervit_finds_our_boxes_within_a_pixel(name, tmp_path):
    """Over 60 frames of three sequences; what differs are the crops, so ours are cut as OpenCV cuts."""
    network, path = a_network(name), tmp_path / "a.onnx"
    export(network, path)
    for spec in SPECS[:3]:
        sequence = make_sequence(spec).loaded()
        assert len(sequence) > 60
        theirs, scores = by_trackervit(path, sequence, 60)
        ours = WholePixels(OneStreamSettings(), ready(network))
        ours.init(sequence.frames[0], sequence.boxes[0].round())
        for t in range(60):
            box = ours.update(sequence.frames[t + 1])
            assert np.abs(box - theirs[t]).max() <= 1, (spec.name, t)
            assert scores[t] == pytest.approx(float(ours.last.ranked.max()), abs=1e-3)
        assert np.ptp(theirs, axis=0)[:2].max() > 10  # it moved


class TestDeviation:
    """1 / stdvalue is computed as the inverse of a quaternion: (a, b, c) · (a, −b, −c) is a² + b² + c²."""

    def test_its_inverse_is_what_is_wanted(self):
        a, b, c = turned_deviation()
        inverse = np.array([a, -b, -c]) / (a * a + b * b + c * c)
        np.testing.assert_allclose(inverse, 1 / np.array(DEVIATION))

    @needs_onnx
    @pytest.mark.slow
    def test_the_one_that_this_opencv_needs_is_found(self, tmp_path, monkeypatch):
        """On a frame whose crops need no resampling, the score is that of the file's maps."""
        path = tmp_path / "a.onnx"
        export(small(), path)
        draw = np.random.default_rng(5)
        frame = draw.integers(0, 256, (400, 400, 3), dtype=np.uint8) // 2
        crops = frame[136:264, 136:264], frame[72:328, 72:328]
        blobs = [
            ((c / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)[None].astype(np.float32)
            for c in crops
        ]
        wanted = float((by_opencv(path, *blobs)[0][0, 0] * hann(16)).max())
        tracker = opencv_tracker(path, 0.0)
        tracker.init(frame, (168, 168, 64, 64))
        tracker.update(frame)
        assert tracker.getTrackingScore() == pytest.approx(wanted, abs=1e-5)

        monkeypatch.setattr(export_module, "turned_deviation", lambda: (0.3, 0.1, 0.2))
        monkeypatch.setattr(export_module, "DEVIATION", (0.1, 0.2, 0.3))
        with pytest.raises(DataError, match=r"score that differs by .* install the OpenCV"):
            opencv_tracker(path)

    @needs_onnx
    @pytest.mark.slow
    def test_below_the_threshold_it_says_so(self, tmp_path):
        export(bright(), tmp_path / "a.onnx")
        tracker, grey = opencv_tracker(tmp_path / "a.onnx"), np.full((200, 300, 3), 40, np.uint8)
        tracker.init(grey, (120, 70, 50, 32))
        assert not tracker.update(grey)[0]


class TestCommand:
    def suffices(self, path, record):
        """The record alone makes OpenCV's tracker, as a program without the course would."""
        given = cv2.TrackerVit_Params()
        given.net, given.tracking_score_threshold = str(path), 0.0
        given.meanvalue, given.stdvalue = [*record["meanvalue"], 0], [*record["stdvalue"], 0]
        assert record["frames"] == "RGB" and record["opencv"] == cv2.__version__
        frame = np.random.default_rng(1).integers(0, 256, (320, 320, 3), dtype=np.uint8)
        scores = []
        for tracker in (cv2.TrackerVit_create(given), opencv_tracker(path, 0.0)):
            tracker.init(frame, (120, 120, 64, 64))
            tracker.update(frame)
            scores.append(tracker.getTrackingScore())
        assert scores[0] == pytest.approx(scores[1], abs=1e-6)

    @needs_onnx
    @pytest.mark.slow
    def test_writes_a_file_and_a_record(self, tmp_path, capsys):
        weights, path = tmp_path / "w.safetensors", tmp_path / "out" / "tracker.onnx"
        save_weights(small("convstem"), weights, {"name": "w"})
        command = ["export", "--weights", str(weights), "--to", str(path)]
        assert main(command) == 0
        said = capsys.readouterr().out
        assert f"opencv_tracker({str(path)!r})" in said and "RGB" in said
        assert sorted(p.name for p in path.parent.iterdir()) == ["tracker.json", "tracker.onnx"]
        record = json.loads(path.with_suffix(".json").read_text())
        card = json.loads(weights.with_suffix(".json").read_text())
        assert record["sha256"] == card["sha256"] and record["made_by"] == "export"
        assert 0 <= record["largest_difference"] <= 1e-5
        self.suffices(path, record)
        z, x = (normalised(image).numpy() for image in images())
        network = load_network(str(weights))
        with torch.no_grad():
            wanted = network(*images()).score.numpy()
        np.testing.assert_allclose(by_opencv(path, z, x)[0], wanted, atol=1e-5)
        assert main(command) == 0  # its own files it replaces
        path.write_bytes(b"somebody's")
        assert main(command) == 2
        assert "give another --to" in capsys.readouterr().err
        assert path.read_bytes() == b"somebody's"

    @pytest.mark.parametrize(
        ("weights", "to", "words"),
        [
            ("siamfc", "a.onnx", "siamfc, which makes no centre maps"),
            ("nowhere", "a.onnx", "no weights 'nowhere'"),
            ("siamfc", "a.pt", "expected a name that ends in .onnx"),
        ],
    )
    def test_says_what_is_wrong(self, weights, to, words, tmp_path, capsys):
        assert main(["export", "--weights", weights, "--to", str(tmp_path / to)]) == 2
        assert words in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []
