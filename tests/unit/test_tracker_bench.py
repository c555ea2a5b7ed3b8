"""Tracker bench and tracker race from Python's side, at their extremes, and their keys."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from test_live import Device, Scripted, box_at, frame_at
from test_widget_keys import run_js
from test_widgets import make_sequence

from course_lib.data.jpegs import jpeg_of
from course_lib.data.video import VideoFile
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.evaluation.video import write_video
from course_lib.trackers import make_tracker
from course_lib.widgets import TrackerBench, TrackerRace
from course_lib.widgets.tracker_bench import MOST, WIDTH

pytestmark = pytest.mark.slow


@pytest.fixture
def film(tmp_path):
    write_video(tmp_path / "film.mp4", [frame_at(t) for t in range(12)], 25)
    return tmp_path / "film.mp4"


def send(bench, t, **content):
    """What the page does with a frame of its own."""
    jpeg = memoryview(jpeg_of(frame_at(t), quality=95))  # as ipywidgets hands it over
    return bench.reply({"do": "step", "seconds": t / 25, **content}, [jpeg])


def start(target, tracker, t):
    return {"target": target, "tracker": tracker, "box": box_at(t)}


class TestBench:
    """Messages of the page and answers."""

    def test_frames_of_the_page(self):
        bench = TrackerBench()
        assert not bench.kernel and "kcf" in bench.trackers and len(bench.styles) == MOST
        state, parts = send(bench, 0, starts=[start(1, "ncc", 0)])
        assert state["frame"] == 0 and "size" not in state  # the page has the frame
        first = state["targets"][0]
        assert first["box"] == box_at(0) and first["drawn"]
        assert first["score"] is None and first["shape"] is None and parts == [b""]
        state, parts = send(bench, 1)
        now = state["targets"][0]
        np.testing.assert_allclose(now["box"], box_at(1), atol=1)
        assert now["surety"] == "sure" and now["score"] > now["threshold"] == 0.4
        h, w = now["shape"]
        assert len(parts[0]) == h * w and max(parts[0]) == 255 and not now["drawn"]

    def test_a_box_for_the_frame_python_has(self):
        bench = TrackerBench()
        send(bench, 0)
        state, _ = bench.reply({"do": "step", "starts": [start(3, "mosse", 0)]}, [])
        assert state["frame"] == 0 and state["targets"][0]["target"] == 3
        assert len(bench.recording) == 1

    def test_frames_of_python(self, film):
        bench = TrackerBench(video=film)
        state, parts = bench.reply({"do": "look"}, [])
        assert bench.kernel and state["size"] == [160, 90] and state["targets"] == []
        assert cv2.imdecode(np.frombuffer(parts[-1], np.uint8), 1).shape == (90, 160, 3)
        again, _ = bench.reply({"do": "look"}, [])  # another view of the same widget
        assert again["frame"] == state["frame"] == 0
        bench.reply({"do": "step", "starts": [start(1, "ncc", 0)]}, [])
        answers = [bench.reply({"do": "step", "next": True}, [])[0] for _ in range(12)]
        assert [a.get("frame") for a in answers] == [*range(1, 12), None]
        assert answers[-1] == {"end": True}
        np.testing.assert_allclose(answers[-2]["targets"][0]["box"], box_at(11), atol=2)
        bench.reply({"do": "open"}, [])
        assert bench.reply({"do": "look"}, [])[0]["frame"] == 0

    def test_large_frames_are_shrunk(self, tmp_path):
        write_video(tmp_path / "tall.mp4", [np.zeros((1280, 720, 3), np.uint8)], 25)
        state, _ = TrackerBench(video=tmp_path / "tall.mp4").reply({"do": "look"}, [])
        assert state["size"] == [WIDTH, round(1280 * WIDTH / 720)]

    def test_a_camera_of_python(self, monkeypatch):
        monkeypatch.setattr(cv2, "VideoCapture", lambda number: Device(2))
        bench = TrackerBench(camera=0)
        assert bench.reply({"do": "look"}, [])[0]["size"] == [8, 6]
        bench.reply({"do": "step", "next": True}, [])
        assert bench.reply({"do": "step", "next": True}, [])[0] == {"end": True}

    def test_a_camera_is_given_back(self, monkeypatch):
        """By a closed bench, and when the cell that makes it is run again."""
        devices = []

        def opened(number):
            free = all(device.released for device in devices)  # one user at a time
            devices.append(Device(2, opens=free))
            return devices[-1]

        monkeypatch.setattr(cv2, "VideoCapture", opened)
        first = TrackerBench(camera=0)
        again = TrackerBench(camera=0)
        assert [d.released for d in devices] == [True, False] and first.camera is not again.camera
        again.close()
        assert devices[1].released and TrackerBench(camera=0).reply({"do": "look"}, [])

    def test_several_targets_one_dropped(self):
        bench = TrackerBench()
        send(bench, 0, starts=[start(k, "ncc", 0) for k in range(1, MOST + 1)])
        state, parts = send(bench, 1, drops=[2])
        assert [one["target"] for one in state["targets"]] == [1, 3, 4, 5]
        assert len(parts) == 4

    def test_an_absent_target_is_no_box(self):
        class Gone(Scripted):
            def update(self, frame):
                return super().update(frame) * np.nan

        bench = TrackerBench(make=lambda name: Gone())
        send(bench, 0, starts=[start(1, "kcf", 0)])
        assert send(bench, 1)[0]["targets"][0]["box"] is None
        assert bench.image()

    def test_what_is_wrong_is_answered_in_words(self, monkeypatch):
        bench, sent = TrackerBench(), []
        monkeypatch.setattr(bench, "send", lambda content, buffers=None: sent.append(content))
        hear = lambda content, buffers=(): bench._handle_custom_msg(content, list(buffers))  # noqa: E731
        hear({"ask": 1, "view": "a", "do": "step", "starts": [start(1, "kcf", 0)]})
        hear({"ask": 2, "view": "a", "do": "step"}, [b"no image"])
        hear({"ask": 3, "view": "b", "do": "dance"})
        hear({"ask": 4, "view": "b", "do": "save", "kind": "mp4"})
        hear({"ask": 5, "view": "b", "do": "save", "kind": "gif"})
        words = ["before any frame", "does not decode", "'dance'", "no frame to write", "'gif'"]
        for answer, part in zip(sent, words, strict=True):
            assert part in answer["problem"]
        assert [(a["ask"], a["view"]) for a in sent] == [
            (1, "a"),
            (2, "a"),
            *((k, "b") for k in (3, 4, 5)),
        ]

    def test_a_fault_in_a_tracker_of_ones_own_is_answered_too(self, monkeypatch, caplog):
        class Faulty(Scripted):
            def update(self, frame):
                raise IndexError("index 9 is out of bounds")

        bench, sent = TrackerBench(make=lambda name: Faulty()), []
        monkeypatch.setattr(bench, "send", lambda content, buffers=None: sent.append(content))
        for k, content in enumerate(({"starts": [start(1, "kcf", 0)]}, {})):
            jpeg = jpeg_of(frame_at(k))
            bench._handle_custom_msg({"ask": k, "view": "a", "do": "step", **content}, [jpeg])
        assert sent[0]["targets"][0]["surety"] == ""  # nobody has chosen thresholds for it
        # the page learns which frame is recorded, and does not send it again
        assert sent[1]["problem"] == "IndexError: index 9 is out of bounds"
        assert sent[1]["frame"] == 1 and sent[1]["ask"] == 1
        assert "in update" in caplog.text

    def test_a_step_before_any_frame_has_no_state(self):
        with pytest.raises(DataError, match="no frame"):
            TrackerBench().reply({"do": "step"}, [])

    def test_saved_by_the_page(self, tmp_path):
        bench = TrackerBench()
        send(bench, 0, starts=[start(1, "ncc", 0)])
        send(bench, 1)
        answer, (data,) = bench.reply({"do": "save", "kind": "mp4"}, [])
        assert (answer["name"], answer["type"]) == ("live.mp4", "video/mp4")
        (tmp_path / "a.mp4").write_bytes(data)
        assert len(VideoFile(tmp_path / "a.mp4")) == 2
        _, (table,) = bench.reply({"do": "save", "kind": "csv"}, [])
        assert len(table.decode().splitlines()) == 3

    def test_repeated_and_exported_in_python(self, tmp_path):
        bench = TrackerBench()
        send(bench, 0, starts=[start(1, "ncc", 0)])
        for t in range(1, 6):
            send(bench, t)
        again = bench.repeat()
        np.testing.assert_array_equal(again.result(1).boxes, bench.recording.result(1).boxes)
        assert (bench.repeat("stay-put").result(1).boxes == box_at(0)).all()
        own = TrackerBench(make=lambda name: Scripted())
        for t in range(3):
            send(own, t, starts=[start(1, "kcf", 0)] if t == 0 else [])
        assert {a[1].tracker for a in own.repeat().answers} == {Scripted().name}
        paths = bench.export(tmp_path / "there")
        assert [p.name for p in paths] == ["live.mp4", "live.csv"] and all(
            map(VideoFile, paths[:1])
        )

    def test_what_cannot_be_opened(self, tmp_path, film):
        for error, given, words in (
            (SettingsError, {"tracker": "moose"}, "'mosse'"),
            (SettingsError, {"video": film, "camera": 0}, "expected one of them"),
            (MissingDataError, {"video": tmp_path / "none.mp4"}, "none.mp4"),
            (MissingDataError, {"video": tmp_path / "*.png"}, "nothing matches"),
        ):
            with pytest.raises(error, match=words):
                TrackerBench(**given)

    def test_still_image(self, film):
        for bench in (TrackerBench(), TrackerBench(video=film)):
            data, _ = bench._repr_mimebundle_()
            assert bench.alt in data["text/html"]
        bench.reply({"do": "look"}, [])
        bench.reply({"do": "step", "starts": [start(1, "ncc", 0)]}, [])
        assert len(bench.image().axes[0].patches) == 1


class TestRace:
    """The tracker race."""

    @pytest.fixture
    def race(self):
        sequence = make_sequence(10)
        racers = {"stays": make_tracker("stay-put"), "truth": sequence.boxes}
        return TrackerRace(sequence, racers)

    def test_what_the_page_gets(self, race):
        T = len(race.sequence)
        tracked = np.frombuffer(race.tracked, "<f4").reshape(2, T, 4)
        ious = np.frombuffer(race.ious, "<f4").reshape(2, T)
        assert (tracked[0] == race.sequence.boxes[0]).all() and (ious[1] == 1).all()
        # 24 pixels wide and high, moved by (2, 1) a frame
        both = (24 - 2 * 4) * (24 - 4)
        assert ious[0, 4] == pytest.approx(both / (2 * 24 * 24 - both), abs=1e-6)
        assert [s["label"] for s in race.styles] == ["ground truth", "stays", "truth"]
        assert len({s["colour"] for s in race.styles}) == 3

    def test_scores_are_relative_to_the_highest_of_each(self):
        sequence = make_sequence(5)
        race = TrackerRace(sequence, {"a": Scripted([2, 8, 4, 1]), "b": sequence.boxes})
        scores = np.frombuffer(race.scores, "<f4").reshape(2, 5)
        np.testing.assert_array_equal(scores[0], [np.nan, 0.25, 1, 0.5, 0.125])
        assert np.isnan(scores[1]).all()

    def test_failures(self):
        sequence = make_sequence(20)
        boxes = sequence.boxes.copy()
        boxes[7] += 200
        race = TrackerRace(
            sequence, {"lost": boxes, "held": sequence.boxes, "stays": make_tracker("stay-put")}
        )
        # 12 frames on, the square has moved by its own width
        assert race.failures == {"lost": 7, "held": None, "stays": 12}
        absent = sequence.boxes.copy()
        absent[7] = np.nan
        assert race.laps["lost"].fails_at(absent) is None

    def test_extremes(self, race):
        for frame in (-5, 0, 9, 99):
            race.frame = frame
            assert 0 <= race.frame <= 9 and race.image()
        sequence = make_sequence(12)
        assert len(TrackerRace(sequence, {"a": sequence.boxes}, max_frames=1).sequence) == 1
        for racers, words in (
            ({}, "0 trackers"),
            ({str(k): sequence.boxes for k in range(7)}, "7 trackers"),
            ({"short": sequence.boxes[:5]}, "'short' have shape"),
        ):
            with pytest.raises(DataError, match=words):
                TrackerRace(sequence, racers)
        with pytest.raises(DataError, match="first box"):
            TrackerRace(replace(sequence, boxes=np.full((12, 4), np.nan)), {"a": sequence.boxes})


PAGE = """
    const LATE = LATENESS; // milliseconds until Python answers
    const made = [];
    document.createElement = (tag) => { const node = new Node(); node.tag = tag; made.push(node); return node; };
    const context = new Proxy({}, { get: () => () => ({ width: 9 }), set: () => true });
    Object.assign(Node.prototype, { getContext: () => context, pause() {}, replaceChildren() {}, focus() {},
      setPointerCapture() {}, getBoundingClientRect: () => ({ left: 0, top: 0, width: 640, height: 360 }) });
    globalThis.createImageBitmap = async () => ({});
    globalThis.requestAnimationFrame = (f) => setTimeout(f, 0);
    globalThis.cancelAnimationFrame = clearTimeout;
    const sent = [];
    let hear;
    const view = (n) => new DataView(new ArrayBuffer(n));
    const answers = { look: { frame: 0, size: [320, 180], targets: [] }, step: { frame: 1, size: [320, 180], targets: [
      { target: 1, tracker: "kcf", box: [9, 9, 9, 9], score: null, surety: "sure", threshold: 0.25, ms: 1, drawn: true, shape: null }] } };
    const model = { values: { alt: "a video", styles: [{ label: "1", colour: "#000000", dash: [] }], trackers: ["kcf"],
        tracker: "kcf", kernel: true, palette: view(768) },
      get(n) { return this.values[n]; }, set(n, v) { this.values[n] = v; }, save_changes() {}, off() {},
      on(name, callback) { hear = callback; },
      send(message) { sent.push(message); const end = sent.filter((m) => m.next).length > 2;
        setTimeout(() => hear({ ...(end ? { end: true } : answers[message.do]), ask: message.ask, view: message.view }, [view(4)]), LATE); } };
    render({ model, el: new Node() });
    const pause = (ms) => new Promise((go) => setTimeout(go, ms));
    async function rest(count) { // until so many messages were sent, and none that follows
      for (let k = 0; k < 1000 && sent.length < count; k++) await pause(10);
      await pause(100);
    }
    await rest(1);
    const canvas = made.filter((node) => node.tag === "canvas")[1]; // after the one that makes JPEG files
"""


def test_keys_draw_and_track_and_go_no_further(tmp_path):
    said = run_js(
        tmp_path,
        TrackerBench._esm.replace("export default { render };", "") + PAGE.replace("LATENESS", "1"),
        '[press(canvas, "ArrowRight"), press(canvas, "ArrowDown"), press(canvas, "a"), '
        'press(canvas, "Enter"), await rest(5), sent.map(({ do: what, next, starts }) => [what, !!next, '
        "starts?.map((s) => [s.target, s.tracker, s.box])])]",
    )
    # the central box, moved; one frame is asked for after the answer to the one before
    drawn = [[1, "kcf", [121, 68.5, 80, 45]]]
    assert said[:4] == [[True, True], [True, True], [False, False], [True, True]]
    assert said[5] == [["look", False, None], ["step", False, drawn], *[["step", True, None]] * 3]


def test_without_a_threshold_it_says_so(tmp_path):
    page = PAGE.replace('surety: "sure", threshold: 0.25', 'surety: "", threshold: null')
    page = page.replace("length > 2;", "length > 99;")  # it does not come to the end
    said = run_js(
        tmp_path,
        TrackerBench._esm.replace("export default { render };", "")
        + page.replace("LATENESS", "50").replace("drawn: true", "drawn: false")
        + "press(canvas, 'ArrowUp'); press(canvas, 'Enter'); await rest(3); press(canvas, 'Enter');",
        "[made.filter((n) => n.tag === 'p').map((n) => n.textContent).join(), bandsSvg("
        "[Object.assign(new ScoreBand(1, 'red'), { answers: answers.step.targets })])]",
    )
    assert "target 1, kcf: score" in said[0] and "no threshold says whether it is sure" in said[0]
    assert "target 1 without a threshold" in said[1] and "no threshold</text>" in said[1]


def test_a_kernel_that_is_busy_is_waited_for_in_words(tmp_path):
    """In front ends whose kernels answer widgets only between two cells."""
    said = run_js(
        tmp_path,
        TrackerBench._esm.replace("export default { render };", "")
        + PAGE.replace("LATENESS", "2500")
        + "await rest(1); await pause(2600); press(canvas, 'ArrowUp'); press(canvas, 'Enter'); await pause(2200);",
        "[made.find((n) => n.tag === 'p').textContent, await rest(3), sent.length]",
    )
    assert said[0].startswith("Waiting for Python") and said[2] == 3
