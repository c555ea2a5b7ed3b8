"""Widgets from Python's side: what is sent, what comes back, the extremes, and the still image."""

from __future__ import annotations

import json
import shutil
import subprocess

import cv2
import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert import HTMLExporter

from course_lib import plots
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.boxes import centre_error, iou
from course_lib.trackers.mosse import MOSSESettings
from course_lib.widgets import BoxPicker, MosseBench, SequencePlayer, canvas, mosse_bench
from course_lib.widgets.mosse_bench import SLIDERS, small_map

VIEW = "application/vnd.jupyter.widget-view+json"


def make_sequence(
    T: int = 12, grey: bool = False, changing: bool = False, tags: dict | None = None
) -> Sequence:
    """A textured square of 24 pixels that moves by (2, 1) pixels per frame over a smooth
    background."""
    rng = np.random.default_rng(7)
    square = cv2.GaussianBlur(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8), (0, 0), 1.5)
    images = []
    for t in range(T):
        H, W = (90 + 6 * (t % 3), 120 + 10 * (t % 2)) if changing else (90, 120)
        ramp = np.linspace(60, 180, W)[None, :, None] * np.ones((H, 1, 3))
        image = ramp.astype(np.uint8)
        image[30 + t : 54 + t, 20 + 2 * t : 44 + 2 * t] = square
        images.append(image[..., 0] if grey else image)
    boxes = [[20 + 2 * t, 30 + t, 24, 24] for t in range(T)]
    return Sequence(
        "square", ArrayFrames(images), np.array(boxes, dtype=float), tags=tags or {}, fps=10
    )


SEQUENCES = {
    "plain": make_sequence(),
    "one frame": make_sequence(1),
    "grey": make_sequence(grey=True),
    "changing size": make_sequence(changing=True),
}


@pytest.fixture(params=SEQUENCES, ids=lambda name: name.replace(" ", "-"))
def any_sequence(request) -> Sequence:
    return SEQUENCES[request.param]


def floats(data: bytes, *shape: int) -> np.ndarray:
    return np.frombuffer(data, dtype="<f4").reshape(shape)


def sent_by(widget, monkeypatch) -> list[set]:
    """Names of the traits in each message to the page from now on."""
    messages: list[set] = []
    original = widget._send

    def record(message, buffers=None):
        messages.append(
            set(message.get("state", {})) | {path[0] for path in message.get("buffer_paths", [])}
        )
        original(message, buffers=buffers)

    monkeypatch.setattr(widget, "_send", record)
    return messages


# -- what is packed
# ----------------------------------------------------------------------------------------------------


def test_packed_frames_decode_to_the_frames_and_keep_their_original_sizes(any_sequence):
    packed = canvas.pack_frames(any_sequence.frames, longest_side=100)
    assert packed.offsets[0] == 0 and packed.offsets[-1] == len(packed.jpegs)
    for t, (start, stop) in enumerate(zip(packed.offsets, packed.offsets[1:], strict=False)):
        image = cv2.imdecode(np.frombuffer(packed.jpegs[start:stop], np.uint8), cv2.IMREAD_COLOR)[
            ..., ::-1
        ]
        H, W = any_sequence.frames[t].shape[:2]
        assert packed.sizes[t] == [W, H]
        assert max(image.shape) == 100
        expected = cv2.resize(
            any_sequence.frames[t], image.shape[1::-1], interpolation=cv2.INTER_AREA
        )
        assert np.abs(expected.astype(int) - image).mean() < 4


def test_a_small_frame_is_not_enlarged():
    packed = canvas.pack_frames([np.zeros((5, 3, 3), np.uint8)], longest_side=100)
    assert cv2.imdecode(np.frombuffer(packed.jpegs, np.uint8), cv2.IMREAD_COLOR).shape == (5, 3, 3)


def test_channels_are_not_swapped():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    bgr = cv2.imdecode(np.frombuffer(canvas.pack_frames([red]).jpegs, np.uint8), cv2.IMREAD_COLOR)
    assert bgr[8, 8, 2] > 240 and bgr[8, 8, 0] < 15


def test_the_palette_runs_from_dark_to_bright():
    colours = np.frombuffer(canvas.palette(), np.uint8).reshape(256, 3)
    np.testing.assert_allclose(
        colours[[0, 255]], [[68, 1, 84], [253, 231, 37]], atol=1
    )  # viridis' own ends


def test_styles_differ_and_truth_keeps_its_own():
    styles = canvas.box_styles([canvas.TRUTH_LABEL, *"abcdefg"])
    assert (styles[0]["colour"], styles[0]["dash"]) == (plots.TRUTH, [])
    assert styles[1]["colour"] == plots.PREDICTION
    assert len({s["colour"] for s in styles}) == len({tuple(s["dash"]) for s in styles}) == 8
    assert len(canvas.box_styles([str(i) for i in range(30)])) == 30  # more than the palette has


def test_a_source_without_frames_is_refused():
    with pytest.raises(DataError, match="no frame"):
        canvas.as_sequence([])


# -- sequence player
# -------------------------------------------------------------------------------------------------------


def test_player_sends_boxes_and_ious_by_layer_with_nan_where_there_is_none():
    sequence = make_sequence(3)
    shifted = sequence.boxes + np.array([12, 0, 0, 0])
    shifted[1] = np.nan
    player = SequencePlayer(sequence, {"late": shifted})
    assert [layer["label"] for layer in player.layers] == ["ground truth", "late"]
    boxes, overlaps = floats(player.layer_boxes, 2, 3, 4), floats(player.layer_ious, 2, 3)
    np.testing.assert_array_equal(boxes, [sequence.boxes, shifted])
    np.testing.assert_allclose(overlaps[0], 1)
    np.testing.assert_allclose(
        overlaps[1], [1 / 3, np.nan, 1 / 3], rtol=1e-6
    )  # half of each covered: 1/2 over 3/2


def test_player_at_its_extremes(any_sequence):
    nothing = np.full_like(any_sequence.boxes, np.nan)
    player = SequencePlayer(any_sequence, {"nothing": nothing})
    for wanted, reached in [(10**6, len(any_sequence) - 1), (-5, 0)]:
        player.set_state({"frame": wanted})
        player.set_state({"frame": wanted})  # a message that comes twice changes nothing
        assert player.frame == reached
    assert len(player.offsets) == len(any_sequence) + 1
    assert plots.to_png(player.image()).startswith(b"\x89PNG")


def test_player_sends_the_frames_once(monkeypatch):
    player = SequencePlayer(make_sequence())
    messages = sent_by(player, monkeypatch)
    player.frame = 3
    assert messages == [{"frame"}]


def test_player_shows_max_frames_and_says_so():
    sequence = make_sequence(12)
    player = SequencePlayer(
        sequence, {"whole": sequence.boxes, "part": sequence.boxes[:5]}, max_frames=5
    )
    assert (len(player.sizes), player.total) == (5, 12)
    assert floats(player.layer_boxes, 3, 5, 4)[1, 4, 0] == sequence.boxes[4, 0]
    assert "5 of 12 frames" in player.alt


def test_player_without_ground_truth_has_no_layer_for_it():
    assert SequencePlayer([np.zeros((20, 30, 3), np.uint8)] * 2).layers == []


@pytest.mark.parametrize("rows", [np.zeros((4, 4)), np.zeros(4), np.zeros((13, 4))])
def test_player_refuses_boxes_of_another_length(rows):
    with pytest.raises(DataError, match=r"'mine' have shape .* 12 frames"):
        SequencePlayer(make_sequence(12), {"mine": rows})


def test_player_refuses_to_show_nothing():
    with pytest.raises(DataError, match="max_frames is 0"):
        SequencePlayer(make_sequence(), max_frames=0)


# -- box picker
# --------------------------------------------------------------------------------------------------------


def test_picker_reads_what_the_page_draws():
    picker = BoxPicker(make_sequence(), frame=2)
    heard = []
    picker.on_change(heard.append)
    picker.set_state({"box": [36, 32, 24, 24]})  # the truth is (24, 32, 24, 24)
    assert picker.box == [36.0, 32.0, 24.0, 24.0] and all(type(v) is float for v in picker.box)
    assert picker.iou == pytest.approx(1 / 3)
    assert picker.centre_error == pytest.approx(12)
    picker.set_state({"box": [36, 32, 24, 24]})
    assert len(heard) == 1 and heard[0].dtype == np.float64


def test_picker_at_its_extremes(any_sequence):
    H, W = any_sequence.frames[len(any_sequence) - 1].shape[:2]
    picker = BoxPicker(any_sequence, frame=len(any_sequence) - 1)
    seen = set()
    for box in ([0, 0, W, H], [0, 0, 1, 1], [W - 1, H - 1, 1, 1], [-10, -10, 11, 11]):
        picker.set_state({"box": box})
        seen.add(tuple(picker.box))
        assert 0 <= picker.iou <= 1
    assert len(seen) == 4


def test_picker_without_ground_truth_still_picks():
    for source in (
        np.zeros((40, 60), np.uint8),
        Sequence("x", ArrayFrames([np.zeros((40, 60), np.uint8)]), [[np.nan] * 4]),
    ):
        picker = BoxPicker(source)
        assert picker.truth is None and picker.box == [15, 10, 30, 20]
        assert np.isnan(picker.iou) and np.isnan(picker.centre_error)
        assert picker.image()


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ([np.nan] * 4, "nan"),
        ([1, 1, 0, 5], "0 wide"),
        ([500, 0, 5, 5], "outside"),
        ([1, 2, 3], "shape"),
    ],
)
def test_picker_refuses_a_box_no_tracker_could_start_on(box, why):
    picker = BoxPicker(make_sequence())
    before = picker.box
    with pytest.raises((DataError, ValueError), match=why):
        picker.box = box
    assert picker.box == before
    with pytest.raises((DataError, ValueError), match=why):
        BoxPicker(make_sequence(), box=box)


def test_picker_refuses_a_frame_that_is_not_there():
    with pytest.raises(DataError, match="frame 12 of square"):
        BoxPicker(make_sequence(12), frame=12)


def test_picker_hides_the_truth_in_the_image_too():
    picker = BoxPicker(make_sequence())
    assert len(picker.image().axes[0].patches) == 2
    picker.show_truth = False
    assert len(picker.image().axes[0].patches) == 1


@pytest.mark.parametrize("truth", [[10, 10, 20, 20], [40, 20, 20, 20], [50, 30, 10, 10]])
def test_picker_starts_beside_the_truth_also_in_a_corner(truth):
    picker = BoxPicker(Sequence("x", ArrayFrames([np.zeros((40, 60, 3), np.uint8)]), [truth]))
    assert picker.iou == pytest.approx(0.75**2 / (2 - 0.75**2))  # moved by a quarter both ways


@settings(deadline=None, max_examples=50)
@given(
    W=st.integers(1, 300),
    H=st.integers(1, 300),
    box=st.tuples(*[st.floats(-1, 1.5)] * 2, *[st.floats(0.01, 3)] * 2),
)
def test_picker_starts_inside_the_frame_whatever_the_truth(W, H, box):
    truth = np.array(box) * [W, H, W, H]
    x, y, w, h = BoxPicker(
        Sequence("x", ArrayFrames([np.zeros((H, W, 3), np.uint8)]), truth[None])
    ).box
    assert x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= W + 1e-9 and y + h <= H + 1e-9


# -- MOSSE bench
# -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda s: s["name"])
def test_bench_at_both_ends_of_each_slider(any_sequence, slider):
    bench = MosseBench(any_sequence)
    T, runs = len(any_sequence), {bench.tracked}
    for value, reached in [(slider["low"], slider["low"]), (slider["high"] * 1e6, slider["high"])]:
        bench.set_state({slider["name"]: value})
        assert getattr(bench, slider["name"]) == reached
        tracked = floats(bench.tracked, T, 7)
        assert np.isfinite(tracked[:, :4]).all()
        runs.add(bench.tracked)
    assert len(runs) == (
        3 if T > 1 else 1
    )  # what is drawn changes with the setting; one frame has nothing to change


def test_bench_sends_what_the_run_found():
    sequence = make_sequence()
    bench = MosseBench(sequence)
    tracked = floats(bench.tracked, 12, 7)
    np.testing.assert_allclose(tracked[:, :4], bench.run.boxes, rtol=1e-6)
    np.testing.assert_allclose(tracked[:, 5], iou(bench.run.boxes, sequence.boxes), atol=1e-6)
    assert np.isnan(tracked[0, 4]) and (tracked[1:, 4] > 0).all()
    assert (
        tracked[:, 5].min() > 0.6
    )  # an easy sequence: a run that does not follow it was wired wrongly


def test_bench_shows_the_maps_of_the_frame_in_view():
    bench = MosseBench(make_sequence())
    for t, wanted in [(11, 99), (0, -1), (5, 5)]:
        bench.set_state({"frame": wanted})
        (h, w), (h2, w2) = bench.maps["shapes"]
        pixels = np.frombuffer(bench.maps["pixels"], np.uint8)
        assert bench.maps["frame"] == bench.frame == t
        np.testing.assert_array_equal(
            pixels[: h * w].reshape(h, w), small_map(bench.run.maps(t)["filter"])
        )
        np.testing.assert_array_equal(
            pixels[h * w :].reshape(h2, w2), small_map(bench.run.maps(t)["response"])
        )


def test_bench_runs_once_per_message_and_does_not_resend_the_frames(monkeypatch):
    bench = MosseBench(make_sequence())
    runs, original = [], mosse_bench.run_mosse
    monkeypatch.setattr(mosse_bench, "run_mosse", lambda *args: runs.append(1) or original(*args))
    messages = sent_by(bench, monkeypatch)
    bench.set_state({"rate": 0.3, "sigma": 3.0})
    bench.set_state({"rate": 0.3, "sigma": 3.0})
    bench.set_state({"frame": 4})
    assert len(runs) == 1
    assert {"tracked", "maps"} <= set.union(*messages)
    assert not {"jpegs", "palette", "truth"} & set.union(*messages)


def test_bench_with_gaps_in_the_truth_and_an_occlusion():
    hidden = np.arange(12) > 8
    sequence = make_sequence(tags={"occlusion": hidden})
    sequence.boxes[9:] = np.nan
    bench = MosseBench(sequence)
    assert bench.occluded == hidden.tolist()
    assert np.isnan(floats(bench.tracked, 12, 7)[9:, 5]).all()
    bench.frame = 11
    assert bench.image()


def test_bench_starts_from_given_settings_and_refuses_a_start_without_truth():
    given_settings = MOSSESettings(rate=0.25)
    assert MosseBench(make_sequence(), settings=given_settings).rate == 0.25
    with pytest.raises(DataError, match="first box"):
        MosseBench([np.zeros((40, 60, 3), np.uint8)] * 2)
    bench = MosseBench(make_sequence(2))
    with pytest.raises(DataError, match="rate is nan"):
        bench.rate = float("nan")


def test_small_map_uses_its_whole_range_and_survives_nan_and_flatness():
    assert small_map(np.array([[1.0, 3.0], [2.0, 1.5]])).tolist() == [[0, 255], [128, 64]]
    with np.errstate(all="raise"):
        assert small_map(np.full((4, 4), 7.0)).max() == 0
        assert small_map(np.full((4, 4), np.nan)).max() == 0
    assert small_map(np.zeros((1000, 10))).shape == (91, 1)  # every eleventh value, both ways


# -- the page
# ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[SequencePlayer, BoxPicker, MosseBench], ids=lambda c: c.__name__)
def widget(request):
    return request.param(make_sequence(3))


def test_a_still_image_is_kept_beside_the_widget(widget):
    data, metadata = widget._repr_mimebundle_()
    assert data[VIEW]["model_id"] == widget.model_id
    assert f'alt="{widget.alt}"' in data["text/html"] and data["text/html"].startswith("<img ")
    assert data["text/plain"] == widget.alt and len(widget.alt) > 15
    assert metadata["image/png"]["alt"] == widget.alt
    assert len(data["image/png"]) < 400_000


def test_an_export_without_kernel_shows_the_image(widget):
    data, metadata = widget._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    cell = nbformat.v4.new_code_cell("widget", outputs=[output])
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert f'alt="{widget.alt}"' in page
    assert widget.model_id not in page  # no empty space in the widget's place


def test_the_alternative_text_can_be_given():
    for kind in (SequencePlayer, BoxPicker, MosseBench):
        assert kind(make_sequence(2), alt="A square on the move.").alt == "A square on the move."


def test_modules_fetch_nothing(widget):
    source = widget._esm.replace("http://www.w3.org/2000/svg", "")  # a namespace, not an address
    assert "import" not in source.replace("important", "") and "://" not in source
    assert source.count("export default") == 1
    assert "url(" not in widget._css and "@import" not in widget._css


def test_every_control_keeps_jupyterlab_off_its_keys(widget):
    """Every focusable element is made by `control`, which sets the attribute on the element
    itself."""
    for tag in ("button", "input", "select", "a"):
        assert f'element("{tag}"' not in widget._esm


def test_the_page_and_the_library_measure_alike(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to run the picker's arithmetic outside a browser")
    rng = np.random.default_rng(3)
    pairs = rng.uniform(1, 40, (60, 2, 4))
    script = BoxPicker._esm + "\nconst pairs = " + json.dumps(pairs.tolist())
    script += (
        ";\nconsole.log(JSON.stringify(pairs.map(([a, b]) => [iou(a, b), centreError(a, b)])));"
    )
    (tmp_path / "picker.mjs").write_text(script)
    done = subprocess.run(
        [node, tmp_path / "picker.mjs"], capture_output=True, text=True, check=True, timeout=60
    )
    expected = np.column_stack(
        [iou(pairs[:, 0], pairs[:, 1]), centre_error(pairs[:, 0], pairs[:, 1])]
    )
    np.testing.assert_allclose(json.loads(done.stdout), expected, rtol=1e-12)


def test_the_first_lessons_do_not_wait_for_pytorch():
    """Their imports, in a fresh interpreter; and every widget can still be imported."""
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from course_lib.exercises import exercise\n"
        "from course_lib.widgets import BoxPicker, SequencePlayer, MosseBench, ShiftExplorer\n"
        "exercise('kcf.size')(lambda responses, weight: 0)\n"
        "assert 'torch' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
    import course_lib.widgets as widgets

    assert all(getattr(widgets, name).__name__ == name for name in widgets.__all__)
    with pytest.raises(AttributeError, match="MosseBench"):
        widgets.MossBench  # noqa: B018
