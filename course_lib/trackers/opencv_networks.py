"""OpenCV's trackers with a network, Nano and Vit, as outside references for those who have their
model files.

OpenCV has the code; the models (ONNX, a few megabytes) are in its model zoo, `opencv/opencv_zoo`
and `HonglinChu/SiamTrackers`, and have terms of their own. Put them into `opencv/` in the data
root, or name them with `--set`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import CourseError, MissingDataError
from course_lib.places import data_root
from course_lib.recipe import Settings
from course_lib.trackers.opencv import OpenCVState, OpenCVTracker


@dataclass(frozen=True)
class ScoredState(OpenCVState):
    """Outcome of the last call: OpenCV's own score of its box, 0 to 1."""

    found: float

    @property
    def score(self) -> float:
        """How sure the network is of its box."""
        return self.found


@dataclass(frozen=True)
class NanoSettings(Settings):
    """Files of the two networks of Nano, below `opencv/` in the data root."""

    backbone: str = "nanotrack_backbone_sim.onnx"
    neckhead: str = "nanotrack_head_sim.onnx"


@dataclass(frozen=True)
class VitSettings(Settings):
    """File of the network of Vit, below `opencv/` in the data root."""

    net: str = "object_tracking_vittrack_2023sep.onnx"


class OpenCVNetwork(OpenCVTracker):
    """One of OpenCV's trackers with a network, whose settings name its model files.

    Raises CourseError if the installed OpenCV has no such tracker, MissingDataError if a model file
    is missing.
    """

    Settings: ClassVar[type]
    kind: ClassVar[str]

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings or self.Settings()
        create = getattr(cv2, f"Tracker{self.kind}_create", None)
        if create is None:
            raise CourseError(
                f"OpenCV {cv2.__version__} as installed has no {self.kind} tracker; install "
                "opencv-python 4.9 or newer"
            )
        self.factory: Callable[[], Any] = lambda: create(self._params())
        self._params()  # a missing file is reported before the first frame

    def _params(self) -> Any:
        """OpenCV's parameters with the paths of the model files."""
        params = getattr(cv2, f"Tracker{self.kind}_Params")()
        for name, file in asdict(self.settings).items():
            setattr(params, name, str(model_file(file, self.name, name)))
        return params

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Load the networks and initialise on `frame` (H, W, 3) at `box` (4,), which is rounded to
        whole pixels."""
        super().init(frame, box)
        self.last = ScoredState(True, float("nan"))

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,); the last one while OpenCV reports the target lost."""
        box = super().update(frame)
        self.last = ScoredState(self.last.updated, float(self.tracker.getTrackingScore()))
        return box


def model_file(file: str, tracker: str, name: str) -> Path:
    """Where a model file is: as named, or below `opencv/` in the data root.

    Args:
        file: name or path.
        tracker: the tracker's name; name: the setting's, both for the message.

    Raises:
        MissingDataError: if it is in neither place.
    """
    places = [Path(file), data_root() / "opencv" / file]
    for path in places:
        if path.is_file():
            return path
    raise MissingDataError(
        f"no model file {places[1]}: {tracker} needs it. Put it there (it is in OpenCV's model "
        f"zoo), or name yours with --set {tracker}.{name}=PATH"
    )


class OpenCVNano(OpenCVNetwork):
    """OpenCV's NanoTrack, a small Siamese network."""

    name, kind, Settings = "opencv-nano", "Nano", NanoSettings


class OpenCVVit(OpenCVNetwork):
    """OpenCV's VitTrack, a small one-stream transformer."""

    name, kind, Settings = "opencv-vit", "Vit", VitSettings
