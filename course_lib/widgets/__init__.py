"""Pictures to play with: a clip player, a box picker and a bench for MOSSE.

Each is an anywidget: a short ES module drawn in the page, with no file fetched from elsewhere. Where no kernel
runs (GitHub, an HTML export) the same cell shows a still picture with its alternative text.
"""

from course_lib.widgets.box_picker import BoxPicker
from course_lib.widgets.clip_player import ClipPlayer
from course_lib.widgets.mosse_bench import MosseBench

__all__ = ["BoxPicker", "ClipPlayer", "MosseBench"]
