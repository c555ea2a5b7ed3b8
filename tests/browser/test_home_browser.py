"""The course's home in JupyterLab as `lab` starts it: images, points, and a link that makes a
student's copy and opens it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest
from browser import PROJECT, TOKEN, Page, free_port, lacking, start_browser

pytestmark = pytest.mark.slow


@pytest.fixture
def course(tmp_path):
    """A copy of the course, so that the checkout's my_work/ stays as it is, with lesson 00 done."""
    for name in ("course_lib", "notebooks"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    (tmp_path / "my_work").mkdir()
    done = json.loads((tmp_path / "notebooks" / "00_welcome.ipynb").read_text(encoding="utf-8"))
    for cell in done["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            text = ["3 of 3 points (right)\n"]
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    (tmp_path / "my_work" / "00_welcome.ipynb").write_text(json.dumps(done), encoding="utf-8")
    return tmp_path


@pytest.fixture
def page(course):
    """The home page in the browser."""
    if missing := lacking("jupyterlab"):
        pytest.skip(f"opens JupyterLab in a real browser, which needs {', '.join(missing)}")
    port = free_port()
    own = {f"JUPYTER_{name}_DIR": str(course / name) for name in ("CONFIG", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(course / name) for name in ("SETTINGS", "WORKSPACES")}
    options = ["--no-browser", f"--port={port}", f"--IdentityProvider.token={TOKEN}"]
    server = subprocess.Popen(
        [sys.executable, "-m", "course_lib", "lab", *options, "--expose-app-in-browser"],
        env=os.environ | own | {"PYTHONPATH": str(course)},
        cwd=course,
        stdout=(course / "server.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    driver = None
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={TOKEN}").close()
                break
            except OSError:
                time.sleep(0.2)
        driver = start_browser(course / "profile")
        driver.get(f"http://127.0.0.1:{port}/?token={TOKEN}")
        yield Page(driver)
    finally:
        if driver:
            driver.quit()
        server.terminate()
        server.wait(30)


def test_the_home_shows_the_way_and_its_links_lead_there(page, course):
    images = page.until(lambda: page.all(".jp-MarkdownOutput img"), "the images", seconds=90)
    lessons = sorted((course / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    page.until(lambda: len(page.all(".jp-MarkdownOutput img")) == len(lessons), "all images")
    seen = "return arguments[0].complete && arguments[0].naturalWidth"
    assert all(page.driver.execute_script(seen, image) > 100 for image in images)
    assert all(image.get_attribute("alt") for image in images)
    text = " ".join(cell.text for cell in page.all(".jp-MarkdownOutput"))
    assert "You have 3 of" in text and "3 of 3" in text and "Go on with 01" in text

    mine = course / "my_work" / "02_mosse.ipynb"
    assert not mine.exists()
    page.driver.execute_script(
        "[...document.querySelectorAll('.jp-MarkdownOutput a')]"
        ".find((a) => a.textContent.startsWith('02')).click()"
    )
    page.until(lambda: "02 · Correlation" in page.driver.title or mine.exists(), "the copy")
    opened = "return window.jupyterapp.shell.currentWidget?.context?.path"
    page.until(
        lambda: page.driver.execute_script(opened) == "my_work/02_mosse.ipynb", "the copy, opened"
    )
    assert mine.read_bytes() == (course / "notebooks" / "02_mosse.ipynb").read_bytes()


def test_nothing_pops_up_and_no_instructors_menu_is_there(page):
    page.until(lambda: page.all(".jp-MarkdownOutput img"), "the page", seconds=90)
    page.until(lambda: page.all(".lm-MenuBar-itemLabel"), "the menus")
    assert "nbgrader" not in " ".join(e.text for e in page.all(".lm-MenuBar-itemLabel")).lower()
    with pytest.raises(AssertionError):  # JupyterLab asks whether to fetch news once it has loaded
        page.until(lambda: page.all(".Toastify__toast"), "a notification", seconds=5)
