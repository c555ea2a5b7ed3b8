"""Frames of a camera of this machine, each as soon as it arrives."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from fractions import Fraction

import cv2

from course_lib.data.video import TimedFrame
from course_lib.errors import DataError, MissingDataError

# those in use, by number: most systems give a camera to one user at a time, and a cell that is run
# again asks for it while the widget of its first run still holds it
_OPEN: weakref.WeakValueDictionary[int, Camera] = weakref.WeakValueDictionary()


class Camera:
    """A camera, counted from 0 in the operating system's order.

    Its frames are not kept: what nobody asked for in time is lost, as in every live video. An
    object that has the same camera is closed.

    Raises MissingDataError if there is no such camera, or another program uses it.
    """

    def __init__(self, number: int = 0) -> None:
        if number in _OPEN:
            _OPEN[number].close()
        self.number = number
        self._device = cv2.VideoCapture(number)
        if not self._device.isOpened():
            raise MissingDataError(
                f"camera {number} does not open: it is not there, is used by another program, or "
                "may not be used by this one; give another number, or track a video file"
            )
        _OPEN[number] = self
        self._device.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # where the driver can: the newest frame only

    def moments(self) -> Iterator[TimedFrame]:
        """The frames (H, W, 3) from now on, with their times, until the camera is closed.

        Raises DataError if it delivers no frame at all.
        """
        began, count = time.monotonic(), 0
        while True:
            found, image = self._device.read()  # (H, W, 3), blue first
            if not found:
                break
            frame = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            seconds = Fraction(time.monotonic() - began) if count else Fraction(0)
            yield TimedFrame(count, seconds, lambda frame=frame: frame)
            count += 1
        if not count:
            raise DataError(
                f"camera {self.number} opens but delivers no frame; unplug it and plug it in "
                "again, or end the program that uses it"
            )

    def close(self) -> None:
        """Let others use it."""
        self._device.release()
