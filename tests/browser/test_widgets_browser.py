"""The widgets in JupyterLab, driven in headless Chromium by keyboard, mouse and touch.

Needs JupyterLab, selenium and Chromium with its driver; skipped with a sentence where one is missing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
TOKEN = "only-for-this-test"
CELLS = [
    """
import numpy as np
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.models.device import Placement
from course_lib.trackers.siamfc import Embedding
from course_lib.widgets import AnchorExplorer, BoxPicker, ClipPlayer, FieldExplorer, MarginPlayground, ShiftExplorer
from course_lib.widgets import MatchSwitchboard, ProposalTheatre, WindowBench
from course_lib.models.siamrpn import SiamRPN
from course_lib.trackers.siamrpn import Proposer
from course_lib.widgets import MosseBench, ScoreMapExplorer
from course_lib.widgets.score_maps import untrained
import torch
rng = np.random.default_rng(1)
square = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
frames = np.full((40, 180, 240, 3), 90, np.uint8)
boxes = np.array([[30 + 2 * t, 40 + t, 48, 48] for t in range(40)], float)
for frame, (x, y, w, h) in zip(frames, boxes.astype(int)):
    frame[y:y + h, x:x + w] = square
other = boxes + [6, 0, 0, 0]
other[20:] = np.nan
clip = Sequence("square", ArrayFrames(frames), boxes, tags={"occlusion": np.arange(40) // 5 == 4})
""",
    "player = ClipPlayer(clip, {'other': other})\nplayer",
    "picker = BoxPicker(clip)\npicker",
    "bench = MosseBench(clip)\nbench",
    "small = Embedding(untrained(widths=(4, 8, 8, 8, 4)), Placement(torch.device('cpu'), bf16=False))\n"
    "maps = ScoreMapExplorer(clip, clip.part(20), {'one': small, 'two': small})\nmaps",
    "anchors = AnchorExplorer(np.full((255, 255, 3), 90, np.uint8), [95.5, 95.5, 64, 64])\nanchors",
    "fields = FieldExplorer(np.tile(square, (3, 3, 1))[:127, :127])\nfields",
    "margins = MarginPlayground(clip, untrained(widths=(4, 8, 8, 8, 4)).eval())\nmargins",
    "shifts = ShiftExplorer(frames[0], boxes[0])\nshifts",
    "windows = WindowBench(clip.part(0, 6), small)\nwindows",
    "rpn = Proposer(SiamRPN('depthwise', (4, 8, 8, 8, 4), 4, 2).eval(), small.placement)\n"
    "theatre = ProposalTheatre(clip.part(0, 5), rpn)\ntheatre",
    "board = MatchSwitchboard(clip.part(0, 6), clip.part(20, 24), {'one': small, 'two': rpn})\nboard",
    "print('read:', player.frame, picker.box, round(picker.iou, 2), round(bench.rate, 3), bench.frame,"
    " f\"cell {anchors.values['row']:.0f} {anchors.values['column']:.0f}\", fields.readout.split(',')[0],"
    " 'margins', float(margins.values['margin']), margins.values['loss'], shifts.readout.split(';')[0],"
    " *[dict(w.values) for w in (windows, theatre, board)],"
    " dict(maps.values), maps.box.round().tolist())",
]
# the circle in the toolbar says idle before the notebook has its kernel; cells run then would be lost
READY = """
const session = window.jupyterapp?.shell.currentWidget?.context?.sessionContext;
return Boolean(session?.isReady && session.session?.kernel?.status === 'idle');
"""
# every visible text against the first opaque background behind it: WCAG's contrast, at least 4.5
CONTRAST = """
const light = (rgb) => rgb.map((v) => v / 255).map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const behind = (node) => { for (; node; node = node.parentElement) {
  const c = parse(getComputedStyle(node).backgroundColor); if (c.length === 3 || c[3] > .99) return c.slice(0, 3); }
  return [255, 255, 255]; };
return [...document.querySelectorAll('.tc-widget *')].filter((node) => [...node.childNodes].some((c) =>
    c.nodeType === 3 && c.textContent.trim()) && node.tagName !== 'OPTION').map((node) => {
  const style = getComputedStyle(node);
  const back = behind(node);
  const [r, g, b, alpha = 1] = parse(node instanceof SVGElement ? style.fill : style.color);
  const ink = [r, g, b].map((v, i) => v * alpha + back[i] * (1 - alpha));
  const [lighter, darker] = [light(ink), light(back)].sort((p, q) => q - p);
  return [node.textContent.trim(), (lighter + .05) / (darker + .05)]; });
"""


def start_lab(folder: Path, environment: dict) -> tuple[subprocess.Popen, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={folder}"]
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    for _ in range(150):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}", timeout=2).close()
            return server, port
        except OSError:
            time.sleep(0.2)
    server.terminate()
    raise RuntimeError(f"JupyterLab did not answer:\n{(folder / 'lab.log').read_text()[-2000:]}")


def start_browser(profile: Path):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync"
    for flag in [*flags.split(), "disable-component-update", "disable-dev-shm-usage", "window-size=1200,2600"]:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


class Page:
    """The notebook in the browser: waiting, finding, running, reading."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def until(self, condition, what: str, seconds: float = 30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds:g} s in vain for {what}")

    def all(self, css: str, inside=None) -> list:
        return (inside or self.driver).find_elements("css selector", css)

    def one(self, css: str, inside=None):
        return self.until(lambda: self.all(css, inside), css)[0]

    def command(self, name: str, arguments: dict | None = None) -> None:
        # not waited for: a command may end only with what it started
        self.driver.execute_script("jupyterapp.commands.execute(arguments[0], arguments[1])", name, arguments or {})

    def picture(self, canvas) -> str:
        script = (
            "const c = arguments[0]; return c.width && c.toDataURL ? c.toDataURL() : ''"  # '' while it is being made
        )
        return self.until(lambda: self.driver.execute_script(script, canvas), "a picture on the canvas")

    def kernel_reads(self) -> str:
        """What the last cell prints when run now."""
        last = "[...document.querySelectorAll('.jp-OutputArea-output pre')].at(-1)"
        self.until(lambda: self.driver.execute_script(f"return Boolean({last})"), "what the last cell printed at first")
        self.driver.execute_script(f"{last}.textContent = ''")
        self.all(".jp-Cell .cm-content")[len(CELLS) - 1].click()
        self.command("notebook:run-cell")
        return self.until(lambda: self.driver.execute_script(f"return {last}?.textContent.trim()"), "the last cell")


@pytest.fixture(scope="module")
def page(tmp_path_factory, project):
    lacking = [name for name in ("selenium", "jupyterlab") if find_spec(name) is None]
    lacking += [] if BROWSER else ["chromium"]
    lacking += [] if DRIVER else ["chromedriver"]
    if lacking:
        pytest.skip(f"drives the widgets in a real browser, which needs {', '.join(lacking)}")
    home = tmp_path_factory.mktemp("lab")
    cells = [
        {"cell_type": "code", "id": f"cell{i}", "source": c, "metadata": {}, "outputs": [], "execution_count": None}
        for i, c in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (home / "widgets.ipynb").write_text(json.dumps(notebook))
    own = {f"JUPYTER_{name}_DIR": str(home / name) for name in ("CONFIG", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(home / name) for name in ("SETTINGS", "WORKSPACES")}
    server, port = start_lab(home, os.environ | own | {"PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"})
    driver = None
    try:
        driver = start_browser(home / "profile")
        driver.get(f"http://127.0.0.1:{port}/lab/tree/widgets.ipynb?token={TOKEN}")
        page = Page(driver)
        page.until(lambda: driver.execute_script(READY), "the kernel")
        driver.get_log("browser")  # what JupyterLab itself had to say is not the widgets' affair
        page.command("notebook:run-all-cells")
        shown = len(CELLS) - 2  # the first cell prepares, the last prints
        page.until(lambda: len(page.all(".tc-widget")) == shown, f"{shown} widgets", seconds=120)
        page.until(lambda: page.all(".tc-widget svg.tc-chart"), "the bench's chart")
        time.sleep(0.5)  # first frames decode
        yield page
    finally:
        if driver:
            driver.save_screenshot(str(home / "last.png"))  # to look at when a test failed
            print(f"last picture of the page: {home / 'last.png'}")
            driver.quit()
        server.terminate()
        server.wait(30)


@pytest.fixture
def keys():
    from selenium.webdriver.common.keys import Keys

    return Keys


def test_player_by_keyboard(page, keys):
    widget = page.all(".tc-widget")[0]
    slider, canvas, number = (page.one(css, widget) for css in ("input[type=range]", "canvas", ".tc-readout"))
    first = page.picture(canvas)
    slider.send_keys(keys.ARROW_RIGHT * 3)
    assert number.text.startswith("frame 3 of 0–39")
    page.until(lambda: page.picture(canvas) != first, "another picture")
    assert "other IoU 0.78" in page.one(".tc-legend", widget).text  # 42 of 54 pixels wide
    slider.send_keys(keys.END)
    assert "frame 39" in number.text and "(no box)" in page.one(".tc-legend", widget).text
    slider.send_keys(keys.HOME)
    play = page.one(".tc-play", widget)
    play.send_keys(keys.ENTER)
    assert play.text == "Pause"
    page.until(lambda: int(number.text.split()[1]) > 5, "the clip to play")
    play.send_keys(keys.ARROW_LEFT)  # a step stops the playing
    assert play.text == "Play"
    stopped = int(number.text.split()[1])
    play.send_keys(keys.SPACE)
    page.until(lambda: int(number.text.split()[1]) > stopped, "the clip to play on")
    play.send_keys(keys.SPACE)
    assert play.text == "Play"
    stopped = int(number.text.split()[1])
    play.send_keys(keys.ARROW_LEFT)
    assert int(number.text.split()[1]) == stopped - 1
    assert f"read: {stopped - 1} " in page.kernel_reads()


def test_picker_by_mouse_keyboard_and_number(page, keys):
    from selenium.webdriver import ActionChains

    widget = page.all(".tc-widget")[1]
    canvas, readout = page.one("canvas", widget), page.one(".tc-readout", widget)
    fields = page.all("input[type=number]", widget)
    values = lambda: [float(field.get_attribute("value")) for field in fields]  # noqa: E731
    scale = canvas.size["width"] / 240
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)

    def to_page(x: float, y: float) -> tuple[int, int]:  # selenium counts from the middle
        return round((x - 120) * scale), round((y - 90) * scale)

    mouse = ActionChains(page.driver, duration=50)
    mouse.move_to_element_with_offset(canvas, *to_page(150, 100)).click_and_hold()
    mouse.move_to_element_with_offset(canvas, *to_page(200, 160)).release().perform()
    assert values() == pytest.approx([150, 100, 50, 60], abs=0.6)
    assert "IoU 0.00" in readout.text
    canvas.send_keys(keys.ARROW_RIGHT * 2, keys.ARROW_UP)
    assert values() == pytest.approx([152, 99, 50, 60], abs=0.6)
    ActionChains(page.driver).key_down(keys.SHIFT).send_keys(keys.ARROW_DOWN * 3).key_up(keys.SHIFT).perform()
    assert values() == pytest.approx([152, 99, 50, 63], abs=0.6)
    for field, value in zip(fields, (42, 40, 48, 48), strict=True):
        field.send_keys(keys.CONTROL, "a")
        field.send_keys(str(value), keys.ENTER)
    assert values() == [42, 40, 48, 48]
    assert readout.text == "IoU 0.60 · centre error 12.0 px"  # 36 of 60 pixels wide
    assert "[42.0, 40.0, 48.0, 48.0] 0.6 " in page.kernel_reads()
    spoken = page.one("[aria-live=polite]", widget)
    page.until(lambda: "IoU 0.60" in spoken.get_attribute("textContent"), "the spoken text")


def test_picker_by_touch(page):
    canvas = page.one("canvas", page.all(".tc-widget")[1])
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    box = page.driver.execute_script("return arguments[0].getBoundingClientRect().toJSON()", canvas)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": box["left"] + x * box["width"], "y": box["top"] + y * box["height"]} for x, y in places]
        page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (0.7, 0.7))
    touch("touchMove", (0.8, 0.8))
    touch("touchMove", (0.9, 0.95))
    touch("touchEnd")
    fields = page.all("input[type=number]", page.all(".tc-widget")[1])
    drawn = [float(field.get_attribute("value")) for field in fields]
    assert drawn == pytest.approx([168, 126, 48, 45], abs=1)


def test_bench_runs_again_when_a_slider_moves(page, keys):
    widget = page.all(".tc-widget")[2]
    rate, sigma, regulariser, frame = page.all("input[type=range]", widget)
    psr = "return arguments[0].querySelector('svg polyline').getAttribute('points')"
    chart = lambda: page.driver.execute_script(psr, widget)  # noqa: E731
    maps = page.all(".tc-map canvas", widget)
    for slider in (rate, sigma, regulariser):
        for end in (keys.HOME, keys.END):
            before = chart()
            slider.send_keys(end)
            page.until(lambda old=before: chart() != old, f"{slider.accessible_name} at its end to change the PSR")
    for slider, steps in ((rate, 20), (sigma, 15), (regulariser, 30)):  # 0.1, 2.0 and 0.01: it tracks and learns
        slider.send_keys(keys.HOME, keys.ARROW_RIGHT * steps)
    page.until(lambda: "below 7 in 0 of 39" in page.one(".tc-summary", widget).text, "a run that keeps its target")
    before = [page.picture(canvas) for canvas in maps]
    frame.send_keys(keys.END)
    page.until(lambda: all(page.picture(m) != b for m, b in zip(maps, before, strict=True)), "other maps")
    assert "frame 39" in page.one(".tc-readout", widget).text
    assert "while occluded" in page.one(".tc-summary", widget).text
    assert " 0.1 39 " in page.kernel_reads()


def test_explorer_by_keyboard_and_drag(page, keys):
    from selenium.webdriver import ActionChains

    widget = page.all(".tc-widget")[3]
    picture, readout = page.one("img", widget), page.one(".tc-readout", widget)
    frame, drawn_in = page.all("input[type=range]", widget)
    source = lambda: picture.get_attribute("src")  # noqa: E731
    first = source()
    frame.send_keys(keys.HOME, keys.ARROW_RIGHT * 7)
    page.until(lambda: readout.text.startswith("frame 7:") and source() != first, "the response in frame 7")
    own, network = page.all("select", widget)
    own.send_keys(keys.ARROW_DOWN)
    network.send_keys(keys.ARROW_DOWN)
    drawn_in.send_keys(keys.END)
    page.until(lambda: "'exemplar': 1, 'network': 1" in page.kernel_reads(), "both choices in the kernel")
    assert "'frame': 7, 'drawn_in': 39" in page.kernel_reads()
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", picture)
    w, h = picture.size["width"], picture.size["height"]
    mouse = ActionChains(page.driver, duration=50)
    mouse.move_to_element_with_offset(picture, round(-0.4 * w), round(-0.1 * h)).click_and_hold()
    mouse.move_to_element_with_offset(picture, round(-0.3 * w), round(0.2 * h)).release().perform()
    before = "[30.0, 40.0, 48.0, 48.0]"
    page.until(lambda: not page.kernel_reads().endswith(before), "the drawn box in the kernel")


def test_anchor_explorer_by_click_and_keyboard(page, keys):
    from selenium.webdriver import ActionChains

    widget = page.all(".tc-widget")[4]
    picture = page.one("img", widget)
    assert "cell 8 8" in page.kernel_reads()  # it begins at the best anchor
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", picture)
    w, h = picture.size["width"], picture.size["height"]
    mouse = ActionChains(page.driver, duration=50)
    mouse.move_to_element_with_offset(picture, round(-0.25 * w), round(-0.2 * h)).click().perform()
    page.until(lambda: "cell 8 8" not in page.kernel_reads(), "another cell in the kernel")
    page.all("input[type=range]", widget)[0].send_keys(keys.END)
    page.until(lambda: "cell 16 " in page.kernel_reads(), "the last row")
    assert "positive" in page.one(".tc-readout", widget).text


def test_field_explorer_by_keyboard(page, keys):
    widget = page.all(".tc-widget")[5]
    readout = page.one(".tc-readout", widget)
    assert readout.text.startswith("field 87 pixels, 69 % of the exemplar")
    kernel, depth = page.all("input[type=range]", widget)
    kernel.send_keys(keys.END)
    page.until(lambda: readout.text.startswith("field 127 pixels"), "the largest kernel's field")
    depth.send_keys(keys.END)
    page.until(lambda: "No cell is left" in readout.text, "a stack that does not fit")
    _, padding = page.all("select", widget)
    padding.send_keys(keys.ARROW_DOWN)
    page.until(lambda: readout.text.startswith("field 191 pixels"), "the padded stack")
    assert "field 191 pixels" in page.kernel_reads()


def test_margin_playground_by_keyboard(page, keys):
    widget = page.all(".tc-widget")[6]
    readout = page.one(".tc-readout", widget)
    assert "margins 0.2 0" in page.kernel_reads() and "in this moment the best target cell leads by" in readout.text
    margin, scale, steps, moment = page.all("input[type=range]", widget)
    margin.send_keys(keys.HOME)
    scale.send_keys(keys.END)
    page.until(lambda: "one tenth of a cosine is 6.4 in the logit" in readout.text, "a scale of 64")
    page.one("select", widget).send_keys(keys.ARROW_DOWN)
    page.until(lambda: "margins 0.0 1" in page.kernel_reads(), "margin 0 and the other loss in the kernel")
    steps.send_keys(keys.HOME)
    moment.send_keys(keys.END)
    leads = re.compile(r"leads by (\S+) before and \1 after")
    page.until(lambda: leads.search(readout.text), "the same lead before and after no step")


def test_shift_explorer_by_keyboard(page, keys):
    widget = page.all(".tc-widget")[7]
    readout = page.one(".tc-readout", widget)
    assert readout.text.startswith("moved by (10, 4); the gaussian kernel")
    across, down, _ = page.all("input[type=range]", widget)
    across.send_keys(keys.HOME)
    down.send_keys(keys.ARROW_RIGHT)
    page.until(lambda: readout.text.startswith("moved by (-24, 5);"), "the new shift")
    page.all("select", widget)[1].send_keys(keys.ARROW_UP)
    page.until(lambda: "the polynomial kernel is largest" in readout.text, "the other kernel")
    assert "moved by (-24, 5)" in page.kernel_reads()


@pytest.mark.parametrize("number", [8, 9, 10])  # windows, theatre, switchboard
def test_every_control_of_a_bench_reaches_the_kernel(page, keys, number):
    """From end to end by keyboard; what Python holds is what the page shows, and the picture follows the frame."""
    widget = page.all(".tc-widget")[number]
    image = page.one("img.tc-picture", widget)
    frame, *others = page.all("input[type=range]", widget)
    before = image.get_attribute("src")
    frame.send_keys(keys.HOME)
    page.until(lambda: image.get_attribute("src") != before, "the first frame's picture")
    for control in others:
        control.send_keys(keys.END)
    shown = [float(control.get_attribute("value")) for control in (frame, *others)]
    assert shown[0] == float(frame.get_attribute("min"))
    for menu in page.all("select", widget):
        menu.send_keys(keys.END)
    page.until(lambda: page.one(".tc-readout", widget).text, "a sentence")
    page.until(
        lambda: all(str(value).removesuffix(".0") in page.kernel_reads() for value in shown), "the same in Python"
    )


def test_everything_that_takes_the_focus_has_a_name_and_a_ring(page, keys):
    controls = page.all(".tc-widget :is(button, input, select, [tabindex])")
    assert len(controls) == 54
    for control in controls:
        assert len(control.accessible_name) >= 1, control.get_attribute("outerHTML")
        assert control.get_attribute("data-lm-suppress-shortcuts") == "true"
    names = [control.accessible_name for control in page.all(".tc-widget input[type=range]")]
    assert names == [
        "Frame",
        "learning rate η",
        "target width σ",
        "regulariser λ",
        "Frame",
        "frame",
        "exemplar from frame",
        "row of the cell",
        "column of the cell",
        "positive above an IoU of",
        "negative below an IoU of",
        "kernel of the last layer",
        "3 × 3 layers before it",
        "margin m",
        "scale s",
        "steps of training",
        "moment",
        "shift to the right",
        "shift downwards",
        "bandwidth σ of the Gaussian",
        "frame",
        "influence of the window",
        "scale penalty",
        "scale rate",
        "frame",
        "proposals shown",
        "strength of the penalty",
        "influence of the window",
        "frame",
        "target right of the middle, search pixels",
        "target below the middle, search pixels",
    ]
    for control in controls:
        control.send_keys(keys.SHIFT)  # the focus by keyboard
        ring = page.driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid", control.get_attribute("outerHTML")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_texts_stand_out_in_both_themes(page, theme):
    page.command("apputils:change-theme", {"theme": theme})
    wanted = str(theme == "JupyterLab Light").lower()
    page.one(f"body[data-jp-theme-light={wanted}]")
    time.sleep(0.5)  # the theme's style sheet arrives
    texts = page.driver.execute_script(CONTRAST)
    assert len(texts) > 20
    assert [entry for entry in texts if not entry[1] >= 4.5] == []


def test_nothing_went_wrong_in_the_console(page):
    assert [entry for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
