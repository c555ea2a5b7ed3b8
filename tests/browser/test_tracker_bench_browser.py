"""The tracker bench in headless Chromium: a video file and a camera, boxes by mouse, keyboard and
touch, 200 frames; in JupyterLab, and as the page that `make demo` serves."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from browser import (
    PROJECT,
    READY,
    TOKEN,
    Page,
    free_port,
    lacking,
    start_browser,
    start_server,
    write_notebook,
)
from test_pages_browser import severe

from course_lib.evaluation.video import write_video

pytestmark = pytest.mark.slow

T = 210
CELLS = [
    "from course_lib.widgets import TrackerBench\nbench = TrackerBench()\nbench",
    "import time\ntime.sleep(5)\nprint('slept')",
    "record = bench.recording\nprint('read:', len(record), record.targets, "
    "*[[round(float(v)) for v in a.box] for a in record.answers[-1].values()], "
    "*[a.tracker for a in record.answers[-1].values()])",
]
FAKE = ("use-fake-device-for-media-stream", "use-fake-ui-for-media-stream")


def box_at(t: int) -> list[float]:
    """A square of 48 pixels that goes to and fro in a frame of 320 × 240."""
    return [160 + 90 * np.sin(t / 20) - 24, 120 + 50 * np.sin(t / 13) - 24, 48, 48]


def write_film(path) -> None:
    rng = np.random.default_rng(1)
    square = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    frames = np.full((T, 240, 320, 3), 90, np.uint8)
    for t, frame in enumerate(frames):
        x, y = (round(v) for v in box_at(t)[:2])
        frame[y : y + 48, x : x + 48] = square
    write_video(path, frames, 25)


class Bench(Page):
    """The bench in the page."""

    @property
    def widget(self):
        return self.one(".tc-widget")

    @property
    def canvas(self):
        return self.all("canvas", self.widget)[0]

    @property
    def readout(self) -> str:
        return self.one(".tc-readout", self.widget).text

    def button(self, text: str):
        return next(b for b in self.all("button", self.widget) if b.text == text)

    def frame(self) -> int:
        """The number of the frame in the sentence, or -1."""
        found = re.match(r"frame (\d+)", self.readout)
        return int(found[1]) if found else -1

    def draw(self, x: float, y: float, w: float, h: float) -> None:
        """Draw a box by mouse; selenium counts from the centre of the canvas."""
        from selenium.webdriver import ActionChains

        canvas, W, H = self.canvas, 320, 240
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
        scale = canvas.size["width"] / W
        start, end = (
            (round((px - W / 2) * scale), round((py - H / 2) * scale))
            for px, py in ((x, y), (x + w, y + h))
        )
        mouse = ActionChains(self.driver, duration=50)
        mouse.move_to_element_with_offset(canvas, *start).click_and_hold()
        mouse.move_to_element_with_offset(canvas, *end).release().perform()

    def reads(self) -> str:
        """What the last cell prints when run now."""
        last = "[...document.querySelectorAll('.jp-OutputArea-output pre')].at(-1)"
        before = self.driver.execute_script(f"return {last}?.textContent ?? ''")
        if before:
            self.driver.execute_script(f"{last}.textContent = ''")
        cell = self.all(".jp-Cell .cm-content")[-1]
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
        cell.click()
        self.command("notebook:run-cell")
        read = f"return ({last}?.textContent ?? '').includes('read:') && {last}.textContent.trim()"
        return self.until(lambda: self.driver.execute_script(read), "the last cell")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The bench in JupyterLab, with a film beside it."""
    if missing := lacking("jupyterlab"):
        pytest.skip(f"drives the bench in a real browser, which needs {', '.join(missing)}")
    home = tmp_path_factory.mktemp("bench")
    write_film(home / "film.mp4")
    (home / "noise.mp4").write_bytes(b"this is no video" * 100)
    write_notebook(home / "widgets.ipynb", CELLS)
    port = free_port()
    server = start_server(home, "jupyterlab", port)
    driver = None
    try:
        driver = start_browser(home / "profile", *FAKE)
        driver.get(f"http://127.0.0.1:{port}/lab/tree/widgets.ipynb?token={TOKEN}")
        page = Bench(driver)
        page.home = home
        page.until(lambda: driver.execute_script(READY), "the kernel", seconds=90)
        driver.get_log("browser")  # the front end's own messages do not concern the bench
        page.all(".jp-Cell .cm-content")[0].click()
        page.command("notebook:run-cell-and-select-next")
        page.until(lambda: page.all(".tc-widget"), "the bench", seconds=90)
        yield page
    finally:
        if driver:
            driver.quit()
        server.terminate()
        server.wait(30)


def open_film(bench: Bench, name: str = "film.mp4", words: str = "Draw a box") -> None:
    field = bench.one("input[type=file]", bench.widget)
    bench.driver.execute_script("arguments[0].value = ''", field)  # as a click on it does
    field.send_keys(str(bench.home / name))
    bench.until(lambda: words in bench.readout, f"the sentence {words!r}")


def near(said: str, box: list[float]) -> None:
    """The last box that Python holds is nearly this one: it was tracked for a frame."""
    last = re.findall(r"\[(\d+, .+?)\]", said)[-1]
    np.testing.assert_allclose([float(v) for v in last.split(",")], box, atol=10)


def choose(bench: Bench, name: str) -> None:
    from selenium.webdriver.support.ui import Select

    menu = next(m for m in bench.all("select", bench.widget) if m.accessible_name == "Tracker")
    Select(menu).select_by_visible_text(name)


def test_a_file_that_is_no_video_is_refused_in_words(bench):
    open_film(bench, "noise.mp4", "This browser cannot play noise.mp4")
    assert "TrackerBench(video=" in bench.readout


def test_200_frames_of_a_file_with_a_box_drawn_by_mouse(bench):
    open_film(bench)
    choose(bench, "kcf")
    bench.draw(*box_at(0))
    began = time.monotonic()
    bench.button("Track").click()
    bench.until(lambda: bench.frame() > 2, "the first frames")
    assert bench.button("Pause") and "target 1, kcf: score" in bench.readout
    bench.until(lambda: "The end of the video" in bench.readout, "the end", seconds=400)
    print(f"kcf: {T / (time.monotonic() - began):.1f} frames/s")
    said = bench.reads()
    count, box = re.match(r"read: (\d+) \[1\] \[(.+?)\] kcf", said).groups()
    assert int(count) == T
    np.testing.assert_allclose([float(v) for v in box.split(",")], box_at(T - 1), atol=8)
    assert len(bench.all("svg.tc-chart polyline", bench.widget)) >= 1
    assert bench.image(bench.all(".tc-map canvas", bench.widget)[0])


def test_a_second_target_and_a_box_drawn_again_while_it_tracks(bench):
    open_film(bench)
    bench.button("One frame").click()
    assert "Draw a box" in bench.readout  # there is nothing to track yet
    bench.draw(*box_at(0))
    choose(bench, "mosse")
    bench.button("Add target").click()
    bench.until(lambda: "around target 2" in bench.readout, "the second target")
    choose(bench, "ncc")
    bench.draw(20, 30, 40, 40)
    bench.button("Track").click()
    bench.until(lambda: bench.frame() > 5, "some frames")
    assert "target 1, mosse" in bench.readout and "target 2, ncc" in bench.readout
    bench.draw(200, 150, 60, 50)  # tracking pauses
    assert bench.button("Track")
    paused = bench.frame()
    time.sleep(0.5)
    assert bench.frame() == paused
    bench.button("One frame").click()
    bench.until(lambda: bench.frame() == paused + 1, "one frame more")
    said = bench.reads()
    assert said.endswith("mosse ncc")
    near(said, [200, 150, 60, 50])
    bench.button("Drop target").click()
    bench.until(lambda: bench.reads().endswith(" mosse"), "one target in Python")
    assert "target 2" not in bench.readout
    bench.button("From the start").click()
    bench.until(lambda: "Draw a box" in bench.readout, "the first frame")


def test_a_camera_with_a_box_drawn_by_keyboard(bench):
    from selenium.webdriver.common.keys import Keys

    bench.button("Webcam").click()
    bench.until(lambda: "Draw a box" in bench.readout, "the camera")
    choose(bench, "kcf")
    first = bench.image(bench.canvas)
    bench.canvas.send_keys(Keys.ARROW_RIGHT * 4, Keys.ENTER)
    bench.until(lambda: bench.frame() > 20, "20 frames of the camera", seconds=90)
    assert bench.image(bench.canvas) != first
    bench.canvas.send_keys(Keys.ENTER)
    assert bench.button("Track")
    assert re.match(r"read: \d\d+ \[1\] .* kcf", bench.reads())


def test_a_busy_kernel_delays_and_breaks_nothing(bench):
    open_film(bench)
    bench.draw(*box_at(0))
    bench.button("Track").click()
    bench.until(lambda: bench.frame() > 3, "the first frames")
    bench.all(".jp-Cell .cm-content")[1].click()
    bench.command("notebook:run-cell")  # sleeps for five seconds; JupyterLab may answer meanwhile
    printed = (
        "return [...document.querySelectorAll('pre')].some((p) => p.textContent === 'slept\\n')"
    )
    bench.until(lambda: bench.driver.execute_script(printed), "the cell's end", seconds=60)
    bench.until(lambda: bench.frame() >= 0, "an answer", seconds=60)
    then = bench.frame()
    bench.until(lambda: bench.frame() > then + 5, "more frames", seconds=60)
    bench.button("Pause").click()


def test_by_touch(bench):
    canvas = bench.canvas
    bench.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    box = bench.driver.execute_script(
        "return arguments[0].getBoundingClientRect().toJSON()", canvas
    )

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [
            {"x": box["left"] + x * box["width"], "y": box["top"] + y * box["height"]}
            for x, y in places
        ]
        bench.driver.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
        )

    touch("touchStart", (0.05, 0.75))
    touch("touchMove", (0.1, 0.8))
    touch("touchMove", (0.2, 0.95))
    touch("touchEnd")
    before = bench.frame()
    bench.button("One frame").click()
    bench.until(lambda: bench.frame() > before, "one frame more")
    near(bench.reads(), [16, 180, 48, 48])


def memory(bench: Bench) -> dict[str, float]:
    """MiB of the page's objects, of the processes that draw it, and of the kernel."""
    import psutil

    used = {"page": 0.0, "renderer": 0.0, "ipykernel": 0.0}
    for process in psutil.Process().children(recursive=True):
        try:
            words = " ".join(process.cmdline())
            size = process.memory_info().rss / 2**20
        except psutil.Error:  # it has ended
            continue
        for kind in ("renderer", "ipykernel"):
            used[kind] += size * (kind in words)
    bench.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    heap = bench.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})
    return used | {"page": heap["usedSize"] / 2**20}


def test_memory_does_not_grow_over_2000_frames(bench):
    bench.button("Webcam").click()
    bench.until(lambda: "Draw a box" in bench.readout, "the camera")
    choose(bench, "kcf")
    bench.draw(100, 80, 48, 48)
    bench.button("Track").click()
    # the browser fills its store of video frames in the first hundreds
    bench.until(lambda: bench.frame() >= 600, "600 frames", seconds=240)
    before = memory(bench)
    assert min(before.values()) > 5  # each was found
    bench.until(lambda: bench.frame() >= 2000, "2,000 frames", seconds=600)
    grown = {kind: size - before[kind] for kind, size in memory(bench).items()}
    bench.button("Pause").click()
    print({kind: round(size, 1) for kind, size in grown.items()})
    # 1,400 frames of the camera are 1.7 GB; their JPEG files 20 MB, in a file
    assert grown["page"] < 3 and grown["renderer"] < 60 and grown["ipykernel"] < 12


def test_nothing_went_wrong_in_the_console(bench):
    assert severe(bench.driver) == []


def test_the_page_of_make_demo(tmp_path):
    if missing := lacking("voila"):
        pytest.skip(f"shows the bench in Voilà, which needs {', '.join(missing)}")
    write_film(tmp_path / "film.mp4")
    page = PROJECT / "lessons" / "pages" / "demo.ipynb"
    (tmp_path / "widgets.ipynb").write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    port = free_port()
    server = start_server(tmp_path, "voila", port)
    driver = start_browser(tmp_path / "profile")
    try:
        driver.get(f"http://127.0.0.1:{port}/")
        bench = Bench(driver)
        bench.home = tmp_path
        bench.until(lambda: bench.all(".tc-widget"), "the bench", seconds=120)
        open_film(bench)
        bench.draw(*box_at(0))
        bench.button("Track").click()
        bench.until(lambda: bench.frame() > 10, "10 frames", seconds=60)
        assert severe(driver, "favicon", "://cdn.", "hared module") == []
    finally:
        driver.quit()
        server.terminate()
        server.wait(30)
