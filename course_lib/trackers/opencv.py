"""OpenCV's MOSSE, KCF and CSRT behind the course's two calls, as independent references.

They are in OpenCV's contrib modules, which the plain package does not include.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import CourseError
from course_lib.trackers.base import Tracker, accept_start

KINDS = ("mosse", "kcf", "csrt")


@dataclass(frozen=True)
class OpenCVState:
    """Outcome of the last call: whether OpenCV reported that it found the target."""

    updated: bool

    @property
    def score(self) -> float:
        """1 where the target was found, else 0: OpenCV says no more."""
        return float(self.updated)


def find_factory(kind: str) -> Callable[[], Any] | None:
    """OpenCV's constructor of a tracker of `kind`, or None if the installed OpenCV has none.

    Its location depends on the release: `cv2.legacy` in newer ones, `cv2` itself in older ones.
    """
    for place in (getattr(cv2, "legacy", None), cv2):
        factory = getattr(place, f"Tracker{kind.upper()}_create", None)
        if factory is not None:
            return factory
    return None


class OpenCVTracker(Tracker):
    """One of OpenCV's trackers, with OpenCV's default settings. While it reports the target lost,
    the last box is kept.

    Raises CourseError if the installed OpenCV has no such tracker.
    """

    kind: str  # one of KINDS

    def __init__(self) -> None:
        self.factory = find_factory(self.kind)
        if self.factory is None:
            raise CourseError(
                f"OpenCV {cv2.__version__} as installed has no {self.kind.upper()} tracker: it is "
                "in the contrib modules. Run `make reference`, then put `.reference` first on "
                "PYTHONPATH."
            )

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Initialise OpenCV's tracker. It takes boxes of whole pixels, so the box is rounded."""
        frame, box = accept_start(frame, box)
        self.box = box.copy()  # (4,)
        self.tracker = self.factory()
        self.tracker.init(_to_bgr(frame), tuple(int(v) for v in np.rint(box)))
        self.last = OpenCVState(True)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,); the last one while OpenCV reports the target lost."""
        found, box = self.tracker.update(_to_bgr(frame))
        if found:
            self.box = np.asarray(box, dtype=np.float64)
        self.last = OpenCVState(bool(found))
        return self.box.copy()


class OpenCVMOSSE(OpenCVTracker):
    """OpenCV's MOSSE (Bolme et al., CVPR 2010)."""

    name, kind = "opencv-mosse", "mosse"


class OpenCVKCF(OpenCVTracker):
    """OpenCV's KCF (Henriques et al., PAMI 2015)."""

    name, kind = "opencv-kcf", "kcf"


class OpenCVCSRT(OpenCVTracker):
    """OpenCV's CSRT (CSR-DCF: Lukežič et al., CVPR 2017)."""

    name, kind = "opencv-csrt", "csrt"


def _to_bgr(frame: np.ndarray) -> np.ndarray:
    """The frame (H, W, 3) with blue first, OpenCV's channel order."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
