"""The tracker bench's page with a video file or a webcam, and Python as a stand-in that is slow: what
is pressed while an answer is on its way."""

from __future__ import annotations

import pytest
from test_tracker_bench import PAGE
from test_widget_keys import run_js

from course_lib.widgets import TrackerBench

pytestmark = pytest.mark.slow

STAND_INS = PAGE.split("    const sent = [];")[0].replace("LATENESS", "0")
CLICK = """
    const click = (text) => made.find((node) => node.text === text).dispatchEvent(new Event("click"));
"""
# a video of 320 × 180 whose seeks take a while; Python, which answers one message after the other
FILM = (
    STAND_INS
    + """
    const SEEK = 40;
    let [listeners, late] = [0, 8]; // milliseconds until Python answers
    const attach = Node.prototype.addEventListener;
    Node.prototype.setAttribute = function (name, value) { this[`_${name}`] = value; };
    Node.prototype.append = function (...kids) { for (const kid of kids) if (typeof kid === "string") this.text = kid; };
    Node.prototype.toBlob = (done) => done({ arrayBuffer: async () => new ArrayBuffer(3) });
    Node.prototype.play = async function () { this.paused = false; };
    URL.createObjectURL = () => "blob:film";
    URL.revokeObjectURL = () => {};
    const plain = document.createElement;
    document.createElement = (tag) => {
      const node = plain(tag);
      if (tag !== "video") return node;
      let now = 0;
      Object.assign(node, { duration: 100, videoWidth: 320, videoHeight: 180, ended: false, paused: true });
      const sought = () => node.dispatchEvent(new Event("seeked"));
      Object.defineProperty(node, "currentTime", { get: () => now, set(to) { now = to; setTimeout(sought, SEEK); } });
      Object.defineProperty(node, "src", { set() { setTimeout(() => node.dispatchEvent(new Event("loadeddata")), 5); } });
      node.addEventListener = (name, call, options) => {
        listeners++;
        options.signal?.addEventListener("abort", () => listeners--);
        attach.call(node, name, call, options);
      };
      return node;
    };
    const view = (n) => new DataView(new ArrayBuffer(n));
    const pause = (ms) => new Promise((go) => setTimeout(go, ms));
    const starts = [];
    let [hear, turn, frames, targets, slow, refuse] = [null, Promise.resolve(), [], new Map(), 0, false];
    function python(message, buffers) {
      if (message.do === "open") [frames, targets] = [[], new Map()];
      if (buffers?.length) frames.push(Number(message.seconds.toFixed(2)));
      if (refuse) return { problem: "it does not start", frame: frames.length - 1 };
      (message.drops ?? []).forEach((number) => targets.delete(number));
      for (const { target, box, tracker } of message.starts ?? []) {
        starts.push([tracker, box[0]]);
        targets.set(target, { target, tracker, box, score: 1, surety: "sure", threshold: 0.2, ms: 1, drawn: true, shape: null });
      }
      return message.do === "open" ? {} : { frame: frames.length - 1, targets: [...targets.values()].map((one) => ({ ...one })) };
    }
    const model = { values: { alt: "a video", styles: [1, 2, 3].map((k) => ({ label: `${k}`, colour: "#000000", dash: [] })),
        trackers: ["kcf", "mosse"], tracker: "kcf", kernel: false, palette: view(768) },
      get(n) { return this.values[n]; }, set(n, v) { this.values[n] = v; }, save_changes() {}, off() {}, on(name, call) { hear = call; },
      send(message, _, buffers) {
        turn = turn.then(() => pause(message.starts?.length ? slow : late)).then(() =>
          hear({ ...python(message, buffers), ask: message.ask, view: message.view }, [view(4), view(4), view(4)]));
      } };
    const leave = render({ model, el: new Node() });
    const canvas = made.filter((node) => node.tag === "canvas")[1]; // after the one that makes JPEG files
    const file = made.find((node) => node._type === "file");
    const said = () => made.find((node) => node.tag === "p").textContent;
    const chart = () => made.find((node) => node.tag === "div" && typeof node.innerHTML === "string").innerHTML;
    async function open() {
      file.files = [{ name: "film.mp4" }];
      file.dispatchEvent(new Event("change"));
      await pause(300);
      press(canvas, "ArrowRight");
    }
    /** Frames come one step after the other, none twice and none left out. */
    const inOrder = () => frames.length > 1 && frames.every((t, k) => Math.abs(t - k / 25) < 0.006);
"""
    + CLICK
)


def page(tmp_path, script: str, wanted: str) -> list:
    """The value of `wanted` after `script` in a page with the bench."""
    front = TrackerBench._esm.replace("export default { render };", "")
    # node waits for the bench, which may still be tracking, unless it is told to end
    return run_js(tmp_path, front + FILM + script, f"{wanted})); process.exit(0); ((0")


def test_pause_and_track_again_at_once_loses_no_frame_and_sends_none_twice(tmp_path):
    said = page(
        tmp_path,
        """await open(); press(canvas, "Enter"); await pause(500);
        press(canvas, "Enter"); press(canvas, "Enter"); await pause(700); press(canvas, "Enter"); await pause(200);""",
        "[inOrder(), frames.length > 10, starts.length]",
    )
    assert said == [True, True, 1]


def test_from_the_start_begins_with_the_first_frame(tmp_path):
    said = page(
        tmp_path,
        """await open();
        const then = [];
        for (const ms of [300, 310, 320, 330]) { // while a frame is sought, or Python tracks
          press(canvas, "Enter"); await pause(ms); const before = frames.length;
          click("From the start"); await pause(300); then.push([before > 2, frames.length, said()]);
          press(canvas, "ArrowRight");
        }
        press(canvas, "Enter"); await pause(300);""",
        "[inOrder(), ...then]",
    )
    assert said == [True] + 4 * [[True, 0, "Draw a box around the target, then press Track."]]


def test_a_box_drawn_while_a_tracker_loads_is_sent_next(tmp_path):
    said = page(
        tmp_path,
        """await open(); slow = 400; press(canvas, "Enter"); await pause(100); press(canvas, "ArrowRight");
        await pause(600); press(canvas, "Enter"); await pause(700);
        const names = made.filter((node) => node.tag === "select"); names[0].value = "mosse";
        press(canvas, "ArrowRight"); press(canvas, "Enter"); await pause(100);
        names[0].dispatchEvent(new Event("change")); await pause(600); press(canvas, "Enter"); await pause(600);""",
        "starts",
    )
    x = said[0][1]
    assert said == [["kcf", x], ["kcf", x + 1], ["kcf", x + 2], ["mosse", x + 2]]


def test_a_frame_that_python_has_is_not_sent_again(tmp_path):
    """A tracker that does not start: its frame was recorded all the same."""
    said = page(
        tmp_path,
        """await open(); refuse = true; press(canvas, "Enter"); await pause(200); const first = [said(), frames.length];
        refuse = false; press(canvas, "Enter"); await pause(400);""",
        "[...first, inOrder()]",
    )
    assert said == ["it does not start", 1, True]


def test_a_target_dropped_while_it_is_tracked_leaves_the_chart(tmp_path):
    said = page(
        tmp_path,
        """await open(); press(canvas, "Enter"); await pause(400); late = 150; await pause(100); const before = chart().includes("target 1");
        click("Drop target"); await pause(400);""",
        "[before, targets.size, chart()]",
    )
    assert said == [True, 0, ""]


def test_a_long_file_leaves_no_listeners(tmp_path):
    said = page(
        tmp_path,
        'await open(); press(canvas, "Enter"); await pause(900); press(canvas, "Enter"); await pause(300);',
        "[frames.length > 10, listeners]",
    )
    assert said == [True, 0]


@pytest.mark.parametrize("leaves", ["leave()", 'click("Webcam")'])
def test_a_webcam_that_comes_too_late_is_switched_off(tmp_path, leaves):
    said = page(
        tmp_path,
        f"""const streams = [];
        Object.defineProperty(globalThis, "navigator", {{ configurable: true, value: {{ mediaDevices: {{ async getUserMedia() {{
          await pause(200); // the user is asked
          const stream = {{ on: true, getTracks: () => [{{ stop() {{ stream.on = false; }} }}] }};
          streams.push(stream);
          return stream;
        }} }} }} }});
        click("Webcam"); await pause(100); {leaves}; await pause(600); const on = streams.filter((s) => s.on).length; leave();""",
        "[streams.length, on, streams.filter((s) => s.on).length]",
    )
    assert said in ([1, 0, 0], [2, 1, 0])
