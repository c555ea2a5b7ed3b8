"""Windows on the screen, by OpenCV: to draw a box in a frame, and to watch a tracker."""

from __future__ import annotations

import os
import sys

import cv2
import numpy as np

from course_lib.errors import CourseError

NAME = "tracking-course"
ESCAPE = 27


def check_display(instead: str) -> None:
    """Raise CourseError, which says what to do `instead`, if no window can be shown here.

    This is checked first, because without a screen OpenCV's Qt ends the whole program.
    """
    backend = _backend()
    if backend == "NONE":
        raise CourseError(f"OpenCV {cv2.__version__} as installed shows no windows; {instead}")
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(map(os.environ.get, screens)):
        raise CourseError(f"there is no screen here (DISPLAY is not set); {instead}")


def _backend() -> str:
    """What OpenCV shows windows with, "NONE" if it was built without."""
    ask = getattr(cv2, "currentUIFramework", None)
    if ask is None:  # before OpenCV 4.6
        return "" if hasattr(cv2, "imshow") else "NONE"
    return (ask() or "NONE").upper()


def select_box(frame: np.ndarray) -> np.ndarray:
    """The box (4,) that the user draws in a frame (H, W, 3): drag, then Enter.

    Raises CourseError if none was drawn.
    """
    print("draw a box around the target, then press Enter (c or Escape cancels)", file=sys.stderr)
    box = cv2.selectROI(NAME, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), showCrosshair=False)
    cv2.destroyWindow(NAME)
    if box[2] <= 0 or box[3] <= 0:
        raise CourseError("no box was drawn; draw one around the target, or give --box x,y,w,h")
    return np.array(box, dtype=np.float64)


class Window:
    """Shows frames (H, W, 3) one after the other."""

    def show(self, frame: np.ndarray) -> str:
        """Show a frame; returns the key pressed meanwhile, "q" for Escape and a closed window,
        else ""."""
        cv2.imshow(NAME, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(1) & 0xFF
        if key == ESCAPE or cv2.getWindowProperty(NAME, cv2.WND_PROP_VISIBLE) < 1:
            return "q"
        return "" if key == 0xFF else chr(key)

    def close(self) -> None:
        """Take the window away."""
        cv2.destroyAllWindows()
