"""Benches: controls, Python's response to them, and a sentence that says what is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.errors import DataError
from course_lib.widgets.static import ImageWidget, front_end

DPI = 80


def slider(name: str, label: str, low: float, high: float, step: float) -> dict[str, Any]:
    """A control for a number.

    Args:
        name: its key in `values`.
        label: shown beside it, and its accessible name.
        low, high: its ends.
        step: from one position to the next.
    """
    return {"name": name, "label": label, "low": low, "high": high, "step": step}


def choice(name: str, label: str, options: list[str]) -> dict[str, Any]:
    """A control for one of several options; its value is the option's index.

    Args:
        name: its key in `values`.
        label: shown beside it, and its accessible name.
        options: their names, in the order shown.
    """
    return slider(name, label, 0, len(options) - 1, 1) | {"options": options}


class Bench(ImageWidget):
    """Base of widgets with controls. A subclass defines `controls`, initial `values`, and
    `refresh`, which is first called when all of them are set.

    Attributes:
        values: the controls' values by name; set it, or call `set(name=value)`, to move them. A
            value beyond a control's ends becomes the nearer end.
        readout: the sentence under the image.
    """

    title = traitlets.Unicode("Bench").tag(sync=True)
    help = traitlets.Unicode("").tag(sync=True)
    controls = traitlets.List().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    readout = traitlets.Unicode("").tag(sync=True)
    ready = False  # traits are set one by one while the widget is made: the first refresh waits

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.ready = True
        self.refresh()

    def set(self, **values: float) -> None:
        """Move controls."""
        self.values = {**self.values, **values}

    def refresh(self) -> None:
        """Compute for the current values, and send the result."""
        raise NotImplementedError

    @traitlets.validate("values")
    def _within(self, proposal: dict) -> dict[str, float]:
        known = {spec["name"]: spec for spec in self.controls}
        checked = {}
        for name, value in proposal["value"].items():
            if name not in known or not np.isfinite(value):
                raise DataError(
                    f"control {name!r} cannot be {value!r}; expected numbers for {', '.join(known)}"
                )
            clipped = min(max(value, known[name]["low"]), known[name]["high"])
            checked[name] = int(clipped) if "options" in known[name] else clipped
        return checked

    @traitlets.observe("values")
    def _values_changed(self, _change: dict) -> None:
        if self.ready:
            self.refresh()


class ImageBench(Bench):
    """Base of the benches whose image Python draws. A subclass defines `controls`, initial
    `values`, and `draw`.

    Attributes:
        drawn: the last rectangle dragged on the image, x0, y0, x1, y1 as fractions of it; a click
            has no size. Only if `can_draw`.
    """

    _esm = front_end("frames.js", "controls.js", "bench.js")
    png = traitlets.Bytes().tag(sync=True)
    can_draw = traitlets.Bool(False).tag(sync=True)
    drawn = traitlets.List(traitlets.Float()).tag(sync=True)

    def draw(self) -> tuple[Figure, str]:
        """The image and the sentence for the current values."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Draw and send the image."""
        figure, sentence = self.draw()
        with self.hold_sync():  # one message
            self.png = plots.to_png(figure, dpi=DPI)
            self.readout = sentence

    def image(self) -> Figure:
        """The still image of the current state."""
        return self.draw()[0]
