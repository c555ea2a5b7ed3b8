"""Shared by every widget of the course: its files for the page, and the still image that stands
in for it."""

from __future__ import annotations

import base64
from pathlib import Path

import anywidget
import traitlets
from matplotlib.figure import Figure

from course_lib import plots

HERE = Path(__file__).parent


def front_end(*names: str) -> str:
    """The named files of this folder as one ES module.

    A widget's module reaches the page as text, where a relative `import` cannot work; so the
    shared part is put before the widget's own.
    """
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class ImageWidget(anywidget.AnyWidget):
    """A widget whose cell also holds a still image of its state at the moment it was displayed.

    Front ends with a kernel prefer the widget; GitHub, nbconvert and a page without a
    kernel show the image.

    Attributes:
        alt: one sentence for readers who cannot see the image; also the canvas's accessible name.
    """

    _css = front_end("widgets.css")
    alt = traitlets.Unicode().tag(sync=True)

    def image(self) -> Figure:
        """The still image."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        png = plots.to_png(self.image(), dpi=80)
        still = {
            "text/plain": self.alt,
            "text/html": plots.image_html(png, self.alt),
            "image/png": base64.b64encode(png).decode("ascii"),
        }
        return data | still, metadata | {"image/png": {"alt": self.alt}}
