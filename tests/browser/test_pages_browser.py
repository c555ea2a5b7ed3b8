"""The widgets in another front end, Voilà, and without a kernel, in a page made by nbconvert."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from browser import (
    CELLS,
    NAMES,
    PROJECT,
    Page,
    free_port,
    lacking,
    start_browser,
    start_server,
    write_notebook,
)

pytestmark = pytest.mark.slow


def severe(driver, *but: str) -> list[str]:
    """Errors in the console, except those that contain one of the words."""
    found = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    return [message for message in found if not any(word in message for word in but)]


@pytest.fixture
def driver(tmp_path):
    if missing := lacking("nbconvert"):
        pytest.skip(f"opens pages in a real browser, which needs {', '.join(missing)}")
    driver = start_browser(tmp_path / "profile")
    yield driver
    driver.quit()


def test_every_widget_works_in_voila(driver, tmp_path):
    from selenium.webdriver.common.keys import Keys

    if missing := lacking("voila"):
        pytest.skip(f"shows the widgets in Voilà, which needs {', '.join(missing)}")
    write_notebook(tmp_path / "widgets.ipynb", CELLS)
    port = free_port()
    server = start_server(tmp_path, "voila", port)
    try:
        driver.get(f"http://127.0.0.1:{port}/")
        page = Page(driver)
        page.until(
            lambda: len(page.all(".tc-widget")) == len(NAMES), f"{len(NAMES)} widgets", seconds=180
        )
        for name, widget in zip(NAMES, page.all(".tc-widget"), strict=True):
            sliders = page.all("input[type=range]", widget)
            if not sliders or name == "climber":
                continue  # the picker has numbers, the curves nothing to move; a box climbs by keys
            canvases = page.all("canvas", widget)
            image = page.all("img.tc-image", widget)

            def shown(c=canvases, i=image):
                return page.image(c[-1]) if c else i[0].get_attribute("src")

            driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", sliders[0])
            before = shown()
            for slider in sliders:  # to its end, or to its beginning if it is there
                there = slider.get_attribute("value") == slider.get_attribute("max")
                slider.send_keys(Keys.HOME if there else Keys.END)
            page.until(lambda old=before, now=shown: now() != old, f"another image from {name}")
        # Voilà's own fonts and formulas come from the web; JupyterLab's other extensions miss what
        # only JupyterLab has
        assert severe(driver, "favicon", "://cdn.", "hared module") == []
    finally:
        server.terminate()
        server.wait(30)


def test_a_page_without_a_kernel_shows_every_widget_as_an_image(driver, tmp_path):
    write_notebook(tmp_path / "widgets.ipynb", CELLS)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute"]
    # with the widgets' state in it, the page would fetch the widgets' own code from the web instead
    command += ["--ExecutePreprocessor.store_widget_state=False", "widgets.ipynb"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True)
    driver.get((tmp_path / "widgets.html").as_uri())
    page = Page(driver)
    images = page.until(lambda: page.all(".jp-OutputArea-output img"), "images")
    assert len(images) == len(NAMES)
    for image in images:
        assert len(image.get_attribute("alt")) > 15
        assert driver.execute_script(
            "return arguments[0].complete && arguments[0].naturalWidth > 100", image
        )
