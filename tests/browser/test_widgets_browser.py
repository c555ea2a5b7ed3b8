"""Every widget in JupyterLab and in Notebook, driven in headless Chromium by keyboard, mouse and
touch.

Needs JupyterLab, Notebook, selenium and Chromium with its driver; skipped with a sentence where one
is missing.
"""

from __future__ import annotations

import re
import time

import pytest
from browser import CONTRAST

pytestmark = pytest.mark.slow


def test_player_by_keyboard(page, keys):
    widget = page.widget("player")
    slider, canvas, number = (
        page.one(css, widget) for css in ("input[type=range]", "canvas", ".tc-readout")
    )
    first = page.image(canvas)
    slider.send_keys(keys.ARROW_RIGHT * 3)
    assert number.text.startswith("frame 3 of 0–39")
    page.until(lambda: page.image(canvas) != first, "another image")
    assert "other IoU 0.78" in page.one(".tc-legend", widget).text  # 42 of 54 pixels wide
    slider.send_keys(keys.END)
    assert "frame 39" in number.text and "(no box)" in page.one(".tc-legend", widget).text
    slider.send_keys(keys.HOME)
    play = page.one(".tc-play", widget)
    play.send_keys(keys.ENTER)
    assert play.text == "Pause"
    page.until(lambda: int(number.text.split()[1]) > 5, "the sequence to play")
    play.send_keys(keys.ARROW_LEFT)  # a step stops the playing
    assert play.text == "Play"
    stopped = int(number.text.split()[1])
    play.send_keys(keys.SPACE)
    page.until(lambda: int(number.text.split()[1]) > stopped, "the sequence to play on")
    play.send_keys(keys.SPACE)
    assert play.text == "Play"
    stopped = int(number.text.split()[1])
    play.send_keys(keys.ARROW_LEFT)
    assert int(number.text.split()[1]) == stopped - 1
    assert f"read: {stopped - 1} " in page.kernel_reads()


def test_picker_by_mouse_keyboard_and_number(page, keys):
    from selenium.webdriver import ActionChains

    widget = page.widget("picker")
    canvas, readout = page.one("canvas", widget), page.one(".tc-readout", widget)
    fields = page.all("input[type=number]", widget)
    values = lambda: [float(field.get_attribute("value")) for field in fields]  # noqa: E731
    scale = canvas.size["width"] / 240
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)

    def to_page(x: float, y: float) -> tuple[int, int]:  # selenium counts from the centre
        return round((x - 120) * scale), round((y - 90) * scale)

    mouse = ActionChains(page.driver, duration=50)
    mouse.move_to_element_with_offset(canvas, *to_page(150, 100)).click_and_hold()
    mouse.move_to_element_with_offset(canvas, *to_page(200, 160)).release().perform()
    assert values() == pytest.approx([150, 100, 50, 60], abs=0.6)
    assert "IoU 0.00" in readout.text
    canvas.send_keys(keys.ARROW_RIGHT * 2, keys.ARROW_UP)
    assert values() == pytest.approx([152, 99, 50, 60], abs=0.6)
    ActionChains(page.driver).key_down(keys.SHIFT).send_keys(keys.ARROW_DOWN * 3).key_up(
        keys.SHIFT
    ).perform()
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
    canvas = page.one("canvas", page.widget("picker"))
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    box = page.driver.execute_script("return arguments[0].getBoundingClientRect().toJSON()", canvas)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [
            {"x": box["left"] + x * box["width"], "y": box["top"] + y * box["height"]}
            for x, y in places
        ]
        page.driver.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
        )

    touch("touchStart", (0.7, 0.7))
    touch("touchMove", (0.8, 0.8))
    touch("touchMove", (0.9, 0.95))
    touch("touchEnd")
    fields = page.all("input[type=number]", page.widget("picker"))
    drawn = [float(field.get_attribute("value")) for field in fields]
    assert drawn == pytest.approx([168, 126, 48, 45], abs=1)


def test_bench_runs_again_when_a_slider_moves(page, keys):
    widget = page.widget("bench")
    rate, sigma, regulariser, frame = page.all("input[type=range]", widget)
    psr = "return arguments[0].querySelector('svg polyline').getAttribute('points')"
    chart = lambda: page.driver.execute_script(psr, widget)  # noqa: E731
    maps = page.all(".tc-map canvas", widget)
    for slider in (rate, sigma, regulariser):
        for end in (keys.HOME, keys.END):
            before = chart()
            slider.send_keys(end)
            page.until(
                lambda old=before: chart() != old,
                f"{slider.accessible_name} at its end to change the PSR",
            )
    for slider, steps in (
        (rate, 20),
        (sigma, 15),
        (regulariser, 30),
    ):  # 0.1, 2.0 and 0.01: it tracks and learns
        slider.send_keys(keys.HOME, keys.ARROW_RIGHT * steps)
    page.until(
        lambda: "below 7 in 0 of 39" in page.one(".tc-summary", widget).text,
        "a run that keeps its target",
    )
    before = [page.image(canvas) for canvas in maps]
    frame.send_keys(keys.END)
    page.until(
        lambda: all(page.image(m) != b for m, b in zip(maps, before, strict=True)), "other maps"
    )
    assert "frame 39" in page.one(".tc-readout", widget).text
    assert "while occluded" in page.one(".tc-summary", widget).text
    assert " 0.1 39 " in page.kernel_reads()


def test_explorer_by_keyboard(page, keys):
    widget = page.widget("maps")
    left, right = page.all("canvas", widget)
    readout, probe = page.one(".tc-readout", widget), page.one(".tc-probe", widget)
    frame, drawn_in = page.all("input[type=range]", widget)
    before = page.image(right)
    frame.send_keys(keys.HOME, keys.ARROW_RIGHT * 7)
    page.until(
        lambda: readout.text.startswith("frame 7:") and page.image(right) != before,
        "the response in frame 7",
    )
    zoom = float(right.get_attribute("width")) / 240
    pixel = (
        "return [...arguments[0].getContext('2d').getImageData(arguments[1], arguments[2], 1, "
        "1).data]"
    )
    colours = [
        page.driver.execute_script(pixel, right, x * zoom, y * zoom)
        for x, y in ((108, 71), (200, 150))
    ]
    spread = [max(colour[:3]) - min(colour[:3]) for colour in colours]
    assert spread[0] > 15 > 5 > spread[1]  # the grey ground under the response, and beside it
    right.send_keys(keys.HOME)
    page.until(lambda: probe.text.endswith("the highest"), "the highest cell")
    row, column, value = re.match(r"row (\d+), column (\d+): response (\S+),", probe.text).groups()
    assert f"highest response {value}" in readout.text
    right.send_keys(keys.ARROW_LEFT, keys.ARROW_DOWN)
    page.until(
        lambda: f"row {int(row) + 1}, column {int(column) - 1}: " in probe.text,
        "the cell below on the left",
    )
    assert "cells are higher" in probe.text
    spoken = page.one("[aria-live=polite]", widget)
    page.until(lambda: spoken.get_attribute("textContent") == probe.text, "the cell read aloud")
    other, network = page.all("select", widget)
    other.send_keys(keys.ARROW_DOWN)
    network.send_keys(keys.ARROW_DOWN)
    drawn_in.send_keys(keys.END)
    page.until(
        lambda: "'exemplar': 1, 'network': 1" in page.kernel_reads(), "both choices in the kernel"
    )
    assert "'frame': 7, 'drawn_in': 39" in page.kernel_reads()
    drawn_in.send_keys(keys.HOME)
    left.send_keys(keys.ARROW_RIGHT * 2)  # the moved box is the one used
    page.until(
        lambda: page.kernel_reads().endswith("[32.0, 40.0, 48.0, 48.0]"),
        "the moved box in the kernel",
    )
    page.until(
        lambda: "'exemplar': 0, 'network': 1" in page.kernel_reads(),
        "the own exemplar in the kernel",
    )
    page.until(
        lambda: "Exemplar at x 32, y 40" in spoken.get_attribute("textContent"),
        "the box read aloud",
    )


def test_explorer_by_mouse_and_touch(page, keys):
    from selenium.webdriver import ActionChains

    widget = page.widget("maps")
    left, right = page.all("canvas", widget)
    readout, probe = page.one(".tc-readout", widget), page.one(".tc-probe", widget)
    page.all("input[type=range]", widget)[0].send_keys(keys.HOME, keys.ARROW_RIGHT * 7)
    page.until(lambda: readout.text.startswith("frame 7:"), "frame 7")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", left)
    scale = left.size["width"] / 240
    mouse = ActionChains(page.driver, duration=50)
    mouse.move_to_element_with_offset(
        left, round((150 - 120) * scale), round((100 - 90) * scale)
    ).click_and_hold()
    mouse.move_to_element_with_offset(
        left, round((190 - 120) * scale), round((160 - 90) * scale)
    ).release().perform()
    drawn = page.until(
        lambda: (found := re.search(r"\[(1[45].+)\]$", page.kernel_reads())) and found.group(1),
        "the box in the kernel",
    )
    assert [float(v) for v in drawn.split(",")] == pytest.approx([150, 100, 40, 60], abs=1)
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", right)
    zoom = right.size["width"] / 240
    to_target = (
        round((68 - 120) * zoom),
        round((71 - 90) * zoom),
    )  # from the centre; the target's own in frame 7
    mouse.move_to_element_with_offset(right, *to_target).perform()
    first = page.until(
        lambda: probe.text.startswith("row 8, column 8:") and probe.text,
        "the cell under the pointer",
    )
    place = page.driver.execute_script(
        "return arguments[0].getBoundingClientRect().toJSON()", right
    )
    x, y = (place["left"] + 90 * zoom, place["top"] + 60 * zoom)
    for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
        page.driver.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
        )
    page.until(
        lambda: probe.text != first and probe.text.startswith("row 6, column 12:"),
        "the cell under the finger",
    )


def test_anchor_explorer_by_click_and_keyboard(page, keys):
    from selenium.webdriver import ActionChains

    widget = page.widget("anchors")
    image = page.one("img", widget)
    assert "cell 8 8" in page.kernel_reads()  # it begins at the best anchor
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", image)
    w, h = image.size["width"], image.size["height"]
    mouse = ActionChains(page.driver, duration=50)
    mouse.move_to_element_with_offset(image, round(-0.25 * w), round(-0.2 * h)).click().perform()
    page.until(lambda: "cell 8 8" not in page.kernel_reads(), "another cell in the kernel")
    page.all("input[type=range]", widget)[0].send_keys(keys.END)
    page.until(lambda: "cell 16 " in page.kernel_reads(), "the last row")
    assert "positive" in page.one(".tc-readout", widget).text


def test_attention_explorer_by_click(page):
    from selenium.webdriver import ActionChains

    widget = page.widget("attention")
    image, readout = page.one("img", widget), page.one(".tc-readout", widget)
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", image)
    w, h = image.size["width"], image.size["height"]
    # the first token of the template lies at the upper left of the image
    right, down = 0.03 + 0.22 / 16 - 0.5, 0.08 + 0.22 / 16 * 10.5 / 4.3 - 0.5
    mouse = ActionChains(page.driver, duration=50)
    mouse.move_to_element_with_offset(image, round(right * w), round(down * h)).click().perform()
    page.until(lambda: "the token in row 0, column 0" in readout.text, "the first token")
    assert "'row': 0.0, 'column': 0.0" in page.kernel_reads()
    assert "tokens were removed in earlier blocks" in readout.text


def test_field_explorer_by_keyboard(page, keys):
    widget = page.widget("fields")
    readout = page.one(".tc-readout", widget)
    assert readout.text.startswith("field 87 pixels, 69 % of the exemplar")
    kernel, depth = page.all("input[type=range]", widget)
    kernel.send_keys(keys.END)
    page.until(lambda: readout.text.startswith("field 127 pixels"), "the largest kernel's field")
    depth.send_keys(keys.END)
    page.until(lambda: "The exemplar has no cell left" in readout.text, "a stack that does not fit")
    _, padding = page.all("select", widget)
    padding.send_keys(keys.ARROW_DOWN)
    page.until(lambda: readout.text.startswith("field 191 pixels"), "the padded stack")
    assert "field 191 pixels" in page.kernel_reads()


def test_margin_explorer_by_keyboard(page, keys):
    widget = page.widget("margins")
    readout = page.one(".tc-readout", widget)
    assert (
        "margins 0.2 0" in page.kernel_reads()
        and "in this moment the best target cell leads by" in readout.text
    )
    margin, scale, steps, moment = page.all("input[type=range]", widget)
    margin.send_keys(keys.HOME)
    scale.send_keys(keys.END)
    page.until(
        lambda: "a difference of 0.1 in the cosine is 6.4 in the logit" in readout.text,
        "a scale of 64",
    )
    page.one("select", widget).send_keys(keys.ARROW_DOWN)
    page.until(
        lambda: "margins 0.0 1" in page.kernel_reads(), "margin 0 and the other loss in the kernel"
    )
    steps.send_keys(keys.HOME)
    moment.send_keys(keys.END)
    leads = re.compile(r"leads by (\S+) before and \1 after")
    page.until(lambda: leads.search(readout.text), "the same lead before and after no step")


def test_shift_explorer_by_keyboard(page, keys):
    widget = page.widget("shifts")
    readout = page.one(".tc-readout", widget)
    assert readout.text.startswith("shifted by (10, 4); the gaussian kernel")
    across, down, _ = page.all("input[type=range]", widget)
    across.send_keys(keys.HOME)
    down.send_keys(keys.ARROW_RIGHT)
    page.until(lambda: readout.text.startswith("shifted by (-24, 5);"), "the new shift")
    page.all("select", widget)[1].send_keys(keys.ARROW_UP)
    page.until(lambda: "the polynomial kernel is largest" in readout.text, "the other kernel")
    assert "shifted by (-24, 5)" in page.kernel_reads()


@pytest.mark.parametrize("name", ["windows", "explorer", "board", "room", "attention"])
def test_every_control_of_a_bench_reaches_the_kernel(page, keys, name):
    """From end to end by keyboard; what Python holds is what the page shows, and the image follows
    the frame."""
    widget = page.widget(name)
    image = page.one("img.tc-image", widget)
    frame, *others = page.all("input[type=range]", widget)
    before = image.get_attribute("src")
    frame.send_keys(keys.HOME)
    page.until(lambda: image.get_attribute("src") != before, "the first frame's image")
    for control in others:
        control.send_keys(keys.END)
    shown = [float(control.get_attribute("value")) for control in (frame, *others)]
    assert shown[0] == float(frame.get_attribute("min"))
    for menu in page.all("select", widget):
        menu.send_keys(keys.END)
    page.until(lambda: page.one(".tc-readout", widget).text, "a sentence")
    page.until(
        lambda: all(str(value).removesuffix(".0") in page.kernel_reads() for value in shown),
        "the same in Python",
    )


def test_every_slider_follows_the_mouse(page):
    """A press on a slider moves it there, and every widget that has one shows another image."""
    from selenium.webdriver import ActionChains

    for widget in page.all(".tc-widget"):
        canvases, images = page.all("canvas", widget), page.all("img.tc-image", widget)
        look = lambda c=canvases, i=images: (  # noqa: E731
            [page.image(canvas) for canvas in c] or i[0].get_attribute("src")
        )
        for slider in page.all("input[type=range]", widget):
            page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", slider)
            low, high, step = (float(slider.get_attribute(name)) for name in ("min", "max", "step"))
            before, now = look(), float(slider.get_attribute("value"))
            fraction = -0.3 if now > (low + high) / 2 else 0.3  # of the width, from the centre
            mouse = ActionChains(page.driver, duration=50)
            mouse.move_to_element_with_offset(
                slider, round(fraction * slider.size["width"]), 0
            ).click().perform()
            there = float(slider.get_attribute("value"))
            assert (
                abs(there - (low + (0.5 + fraction) * (high - low))) <= 0.06 * (high - low) + step
            ), slider.accessible_name
            if slider.accessible_name in (
                "frame",
                "Frame",
                "row of the cell",
                "row of the token",
                "3 × 3 layers before it",
                "margin m",
            ):
                page.until(
                    lambda old=before, seen=look: seen() != old,
                    f"another image: {slider.accessible_name}",
                )


def test_live_curves_follow_the_kernel(page):
    widget = page.widget("curves")
    image, readout = page.one("img.tc-image", widget), page.one(".tc-readout", widget)
    before, step = image.get_attribute("src"), int(readout.text.split()[1])
    page.kernel_reads()  # the last cell takes a step
    page.until(
        lambda: readout.text.startswith(f"step {step + 1} of 40, loss 0.500"), "the next step"
    )
    assert image.get_attribute("src") != before and image.get_attribute("alt").startswith(
        "Training loss"
    )


def test_everything_that_takes_the_focus_has_a_name_and_a_ring(page, keys):
    from selenium.webdriver import ActionChains

    controls = page.all(".tc-widget :is(button, input, select, [tabindex])")
    assert len(controls) == 98
    for control in controls:
        # elements far out of view are not laid out and have no name
        page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", control)
        assert len(control.accessible_name) >= 1, control.get_attribute("outerHTML")
        assert control.get_attribute("data-lm-suppress-shortcuts") == "true"
    names = [
        control.get_attribute("aria-label") for control in page.all(".tc-widget input[type=range]")
    ]
    assert names == [
        "Frame",
        "learning rate η",
        "target response σ",
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
        "target right of the centre, search pixels",
        "target below the centre, search pixels",
        "gain g of the line",
        "bias b of the line",
        "rate of the tracker",
        "gain that the tracker inverts",
        "noise of each answer",
        "step length",
        "frame",
        "frame",
        "block",
        "row of the token",
        "column of the token",
        "Frame",
        "overlap up to which a frame is bad",
        "bad frames in a row that make a failure",
    ]
    for control in controls:
        if control.get_attribute("type") == "file":  # keys sent to it would be the name of a file
            page.driver.execute_script("arguments[0].focus()", control)
            ActionChains(page.driver).send_keys(keys.SHIFT).perform()
        else:
            control.send_keys(keys.SHIFT)  # the focus by keyboard
        ring = page.driver.execute_script(
            "return getComputedStyle(document.activeElement).outlineStyle"
        )
        assert ring == "solid", control.get_attribute("outerHTML")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_texts_are_readable_in_both_themes(page, theme):
    page.command("apputils:change-theme", {"theme": theme})
    wanted = str(theme == "JupyterLab Light").lower()
    page.one(f"body[data-jp-theme-light={wanted}]")
    time.sleep(0.5)  # the theme's style sheet arrives
    texts = page.driver.execute_script(CONTRAST)
    assert len(texts) > 20
    assert [entry for entry in texts if not entry[1] >= 4.5] == []


def test_nothing_went_wrong_in_the_console(page):
    assert [entry for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_size_loop_by_keyboard(page, keys):
    widget = page.widget("loop")
    readout, response = page.one(".tc-readout", widget), page.one("select", widget)
    gain, bias, rate, assumed, noise = page.all("input[type=range]", widget)
    for control in (response, gain, assumed, noise):
        control.send_keys(keys.HOME)
    bias.send_keys(keys.END)
    page.until(
        lambda: "the size is 1.22 times the true one; it settles" in readout.text, "a bias of 0.2"
    )
    bias.send_keys(keys.HOME)
    page.until(lambda: "the size is 0.82 times" in readout.text, "a bias of -0.2")
    rate.send_keys(keys.END)
    response.send_keys(keys.ARROW_DOWN)
    page.until(lambda: "rate 1 1" in page.kernel_reads(), "the network's own curve, at rate 1")


def test_box_climber_by_mouse_keyboard_and_buttons(page, keys):
    from selenium.webdriver import ActionChains

    widget = page.widget("climber")
    canvas, readout = page.one("canvas", widget), page.one(".tc-readout", widget)
    maps, (one, climb, back) = page.one("img.tc-image", widget), page.all("button", widget)
    page.all("input[type=range]", widget)[0].send_keys(keys.HOME, keys.ARROW_RIGHT)  # length 1
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    scale = canvas.size["width"] / 287

    def to_page(x: float, y: float) -> tuple[int, int]:  # selenium counts from the centre
        return round((x - 143.5) * scale), round((y - 143.5) * scale)

    before = page.image(canvas), maps.get_attribute("src")
    mouse = ActionChains(page.driver, duration=50)
    mouse.move_to_element_with_offset(canvas, *to_page(20, 30)).click_and_hold()
    mouse.move_to_element_with_offset(canvas, *to_page(60, 90)).release().perform()
    page.until(lambda: "dropped: predicted IoU 0.00" in readout.text, "a box that misses")
    assert page.image(canvas) != before[0]
    page.until(lambda: maps.get_attribute("src") != before[1], "other maps")
    drawn = re.search(r"climbed 0 \[(.+?)\] 1 ", page.kernel_reads()).group(1)
    assert [float(v) for v in drawn.split(",")] == pytest.approx([20, 30, 40, 60], abs=2)
    canvas.send_keys(keys.ENTER, keys.ENTER)
    page.until(lambda: "After 2 steps: predicted IoU 0.00" in readout.text, "no way from there")
    canvas.send_keys(keys.ARROW_RIGHT * 80, keys.ARROW_DOWN * 80)
    page.until(
        lambda: re.search(r"dropped: predicted IoU 0\.[1-9]\d", readout.text), "a box that hits"
    )
    one.click()
    page.until(lambda: "After 1 step:" in readout.text, "one step")
    climb.click()
    home = re.compile(r"After \d\d steps: predicted IoU 0\.[89]")
    page.until(lambda: home.search(readout.text), "the climb's end")
    back.send_keys(keys.ENTER)
    page.until(lambda: "After 0 steps" in readout.text, "the beginning")
    canvas.send_keys(keys.END)
    page.until(lambda: home.search(readout.text), "the climb by keyboard")
    canvas.send_keys(keys.HOME)
    page.until(lambda: "After 0 steps" in readout.text, "the beginning by keyboard")


def test_race_by_keyboard_and_by_mouse_in_its_chart(page, keys):
    from selenium.webdriver import ActionChains

    widget = page.widget("race")
    slider, number = page.one("input[type=range]", widget), page.one(".tc-readout", widget)
    one, other = page.all("canvas", widget)
    captions = page.all("figcaption", widget)
    slider.send_keys(keys.HOME, keys.ARROW_RIGHT * 3)
    assert number.text == "frame 3 of 0–39"
    assert [c.text for c in captions] == ["truth: IoU 1.00", "other: IoU 0.78"]
    before = page.image(one), page.image(other)
    assert before[0] != before[1]
    slider.send_keys(keys.END)
    page.until(lambda: page.image(one) != before[0], "another image")
    assert captions[1].text == "other: IoU –"
    lines = "return arguments[0].querySelectorAll('polyline').length"
    assert page.driver.execute_script(lines, widget) == 2
    chart = page.one("svg.tc-chart", widget)
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    mouse = ActionChains(page.driver, duration=50).move_to_element(chart).click_and_hold()
    mouse.perform()
    first = int(number.text.split()[1])
    mouse.move_by_offset(60, 0).release().perform()
    assert 15 < first < 25 and int(number.text.split()[1]) > first + 1
    page.all("select", widget)[1].send_keys(keys.ARROW_DOWN)  # boxes alone have no scores
    assert page.driver.execute_script(lines, widget) == 0
