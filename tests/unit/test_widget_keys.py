"""A key that a widget handles stays with it: a notebook around it (VS Code) would go to the next
cell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from course_lib.widgets import BoxClimber, ScoreMapExplorer, SequencePlayer

PAGE = """
class Node extends EventTarget {
  constructor() { super(); this.classList = { add() {} }; }
  setAttribute() {} removeAttribute() {} append() {}
}
globalThis.document = { createElement: () => new Node() };
globalThis.Option = Node;
function press(node, key) {
  const event = new Event("keydown", { cancelable: true });
  event.key = key;
  node.dispatchEvent(event);
  return [event.cancelBubble, event.defaultPrevented]; // kept from the notebook, kept from the page
}
"""


def run_js(tmp_path: Path, source: str, wanted: str) -> list:
    """The value of the JavaScript expression `wanted` after `source`, in a page of stand-ins."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to run the widgets' code outside a browser")
    script = tmp_path / "keys.mjs"
    script.write_text(f"{PAGE}{source}\nconsole.log(JSON.stringify({wanted}));", encoding="utf-8")
    done = subprocess.run([node, script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_native_controls_keep_only_the_keys_that_they_use(tmp_path):
    """Their default action must still happen: the slider moves by it."""
    said = run_js(
        tmp_path,
        SequencePlayer._esm,
        """[press(control("input"), "ArrowDown"), press(control("select"), "Home"), press(control("button"), "Enter"),
            press(control("button"), "ArrowLeft"), press(control("input"), "s")]""",
    )
    assert said == [[True, False]] * 3 + [[False, False]] * 2


def test_the_player_steps_by_arrow_keys_that_go_no_further(tmp_path):
    player = """
    const model = { values: { frame: 3, fps: 25 }, get(n) { return this.values[n]; },
      set(n, v) { this.values[n] = v; }, save_changes() {} };
    const bar = makeTransport(model, { length: 9 }).bar;
    """
    said = run_js(
        tmp_path,
        SequencePlayer._esm + player,
        '[press(bar, "ArrowRight"), model.get("frame"), press(bar, "ArrowUp"), press(bar, "a")]',
    )
    assert said == [[True, True], 4, [False, False], [False, False]]


def test_the_box_editor_moves_by_arrow_keys_that_go_no_further(tmp_path):
    editor = """
    let box = [10, 10, 5, 5];
    const canvas = new Node();
    editBox(canvas, { size: () => [100, 80], get: () => box, set: (b) => (box = b) });
    """
    said = run_js(
        tmp_path,
        ScoreMapExplorer._esm + editor,
        '[press(canvas, "ArrowLeft"), press(canvas, "ArrowDown"), box, press(canvas, "Escape"), '
        'press(canvas, "Tab")]',
    )
    assert said == [[True, True], [True, True], [9, 11, 5, 5], [False, False], [False, False]]


def test_no_key_is_half_handled():
    """Preventing a key's default action also stops its propagation: both are in `handled`."""
    for path in sorted(Path(__file__).parents[2].glob("course_lib/widgets/*.js")):
        handlers = re.findall(
            r'"keydown", (?:\(event\) => \{|on\w+)(.*?)\n  \}', path.read_text(), re.DOTALL
        )
        assert all("preventDefault" not in handler for handler in handlers), path.name


def test_the_box_climber_steps_climbs_and_goes_back_by_keys(tmp_path):
    climber = """
    const made = [];
    document.createElement = (tag) => { const node = new Node(); node.tag = tag; made.push(node); return node; };
    const context = new Proxy({}, { get: () => () => ({ width: 9 }), set: () => true });
    Node.prototype.getContext = () => context;
    globalThis.createImageBitmap = async () => ({});
    const sent = [];
    const view = (n) => new DataView(new ArrayBuffer(n));
    const model = { values: { sizes: [[100, 80]], offsets: [0, 0], jpegs: view(0), png: view(0), alt: "a box", step: 2,
        styles: Array(4).fill({ label: "", colour: "#000000", dash: [] }), truth: [9, 9, 9, 9], box: [10, 10, 5, 5],
        shown: { start: [10, 10, 5, 5], now: [12, 11, 6, 5], count: 1, boxes: view(32) }, values: {}, controls: [],
        readout: "" },
      get(n) { return this.values[n]; }, set(n, v) { this.values[n] = v; }, save_changes() {}, on() {},
      send(message) { sent.push(message); } };
    render({ model, el: new Node() });
    const canvas = made.find((node) => node.tag === "canvas");
    """
    said = run_js(
        tmp_path,
        BoxClimber._esm.replace("export default { render };", "") + climber,
        '[press(canvas, "Enter"), model.get("step"), press(canvas, "Home"), model.get("step"), '
        'press(canvas, "End"), sent, press(canvas, "ArrowRight"), model.get("box"), press(canvas, "a"), '
        # before Python has answered: the first step from where the box was dropped
        'model.set("step", 5), press(canvas, "ArrowRight"), press(canvas, "Enter"), model.get("step")]',
    )
    # the box that the page shows is the one that moves, not the one that was dropped
    assert said == [
        *([True, True], 3),
        *([True, True], 0),
        *([True, True], ["climb"]),
        *([True, True], [13, 11, 6, 5]),
        [False, False],
        *(None, [True, True], [True, True], 1),
    ]
