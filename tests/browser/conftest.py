"""The page that the widgets' tests drive, and a screenshot of it when one fails."""

from __future__ import annotations

import time

import pytest
from browser import (
    CELLS,
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

SCREENSHOTS = PROJECT / "runs" / "browser"


@pytest.fixture(scope="module", params=["jupyterlab", "notebook"])
def page(request, tmp_path_factory):
    """The widgets in JupyterLab, then in Notebook, each with a kernel."""
    front = request.param
    if missing := lacking(front):
        pytest.skip(f"drives the widgets in a real browser, which needs {', '.join(missing)}")
    home = tmp_path_factory.mktemp(front)
    write_notebook(home / "widgets.ipynb", CELLS)
    port = free_port()
    server = start_server(home, front, port)
    driver = None
    try:
        driver = start_browser(home / "profile")
        path = {"jupyterlab": "lab/tree", "notebook": "notebooks"}[front]
        driver.get(f"http://127.0.0.1:{port}/{path}/widgets.ipynb?token={TOKEN}")
        page = Page(driver)
        page.until(lambda: driver.execute_script(READY), "the kernel")
        driver.get_log("browser")  # the front end's own messages do not concern the widgets
        page.command("notebook:run-all-cells")
        shown = len(CELLS) - 2  # the first cell prepares, the last prints
        page.until(lambda: len(page.all(".tc-widget")) == shown, f"{shown} widgets", seconds=120)
        page.until(lambda: page.all(".tc-widget svg.tc-chart"), "the bench's chart")
        time.sleep(0.5)  # first frames decode
        yield page
    finally:
        if driver:
            driver.quit()
        server.terminate()
        server.wait(30)


@pytest.fixture
def keys():
    """Names of the keys that are not letters."""
    from selenium.webdriver.common.keys import Keys

    return Keys


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep a screenshot of the page for every failed test."""
    report = yield
    given = getattr(item, "funcargs", {})
    shown = given.get("page") or given.get("bench")
    driver = shown.driver if shown else given.get("driver")
    if report.when == "call" and report.failed and driver is not None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        name = "".join(c if c.isalnum() else "_" for c in item.name)
        path = SCREENSHOTS / f"{name}.png"
        driver.save_screenshot(str(path))
        report.sections.append(("image of the page", str(path)))
    return report
