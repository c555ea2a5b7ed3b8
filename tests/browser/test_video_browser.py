"""The demo's video in a real browser: it opens, plays to its end, and its colours are right."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from browser import Page, lacking, start_browser

from course_lib.cli import main
from course_lib.data.video import VideoFile
from course_lib.evaluation.video import write_video

pytestmark = pytest.mark.slow
STATE = (
    "const v = document.querySelector('video'); return [v.error && v.error.message, v.readyState, "
    "v.videoWidth, v.videoHeight, v.duration, v.ended, v.currentTime];"
)
PIXEL = """
const v = document.querySelector('video'), c = document.createElement('canvas');
[c.width, c.height] = [v.videoWidth, v.videoHeight];
const x = c.getContext('2d'); x.drawImage(v, 0, 0);
return [...x.getImageData(arguments[0], arguments[1], 1, 1).data];
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *rest):
        pass


@pytest.fixture
def play(tmp_path):
    """Play a file of tmp_path in the browser to its end; returns driver and video state."""
    if missing := lacking():
        pytest.skip(f"plays a video in a real browser, which needs {', '.join(missing)}")
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = start_browser(tmp_path / "profile")

    def run(name: str):
        (tmp_path / "page.html").write_text(f'<!doctype html><video muted src="{name}"></video>')
        driver.get(f"http://127.0.0.1:{server.server_port}/page.html")
        driver.execute_script("document.querySelector('video').play().catch(() => {})")
        state = Page(driver).until(
            lambda: (lambda s: s if s[0] or s[5] else None)(driver.execute_script(STATE)),
            "the end of the video",
        )
        return driver, state

    yield run
    driver.quit()
    server.shutdown()


def test_the_demos_video_plays_to_its_end(play, tmp_path):
    assert main(["demo", "--sequence", "gen-23-small", "--out", str(tmp_path), "--quiet"]) == 0
    _, (error, ready, width, height, duration, ended, now) = play("gen-23-small.mp4")
    video = VideoFile(tmp_path / "gen-23-small.mp4")
    assert error is None and ended and ready >= 2
    assert [width, height] == [320, 240]
    assert duration == pytest.approx(len(video) / 25, abs=0.01) and now == pytest.approx(duration)


def test_colours_are_shown_as_they_were_drawn(play, tmp_path):
    image = np.zeros((96, 128, 3), np.uint8)
    image[:, :64], image[:, 64:] = (200, 60, 30), (20, 90, 220)
    write_video(tmp_path / "two.mp4", [image] * 10, 25)
    driver, state = play("two.mp4")
    assert state[0] is None
    for x, colour in ((32, (200, 60, 30)), (96, (20, 90, 220))):
        assert np.abs(np.array(driver.execute_script(PIXEL, x, 48)[:3]) - colour).max() <= 8
