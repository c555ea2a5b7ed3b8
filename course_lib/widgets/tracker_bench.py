"""Tracker bench: your own video or webcam, any tracker of the course, one frame at a time."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.camera import Camera
from course_lib.data.jpegs import jpeg_of
from course_lib.data.video import TimedFrame, find_frames, timed
from course_lib.errors import CourseError, DataError, SettingsError, os_error_in_words
from course_lib.evaluation.live import LiveSession, live_names, make_live, repeat
from course_lib.evaluation.recording import Recording
from course_lib.lookup import row
from course_lib.trackers.base import Tracker
from course_lib.widgets import canvas
from course_lib.widgets.mosse_bench import small_map
from course_lib.widgets.static import ImageWidget, front_end

MOST = 5  # targets; each has a colour and a dash of its own
WIDTH = 320  # of a frame, pixels, as live_source.js sends them
KINDS = {"mp4": "video/mp4", "csv": "text/csv"}
Reply = tuple[dict[str, Any], list[bytes]]


class TrackerBench(ImageWidget):
    """Track in a video file or with a webcam, chosen in the browser, or in what Python reads.

    In the page: draw a box by mouse, touch or keyboard, choose a tracker, press Track. Beside
    the frame is the score map, where the tracker has one; below are its score over time and whether
    it is sure, unsure or lost. Several targets can be followed; a box drawn again starts its
    tracker anew.

    The page sends frames of at most 320 pixels' width one at a time, each when Python has answered
    the one before, so no cell has to run meanwhile. All that was sent is in `recording`.

    Args:
        video: a video file, a folder of images or a pattern that Python reads; unless given, the
            page chooses a file or the webcam.
        camera: number of a camera of the machine that runs Python: where the page may not use the
            webcam, as in VS Code.
        tracker: chosen at first, one of `live_names()`.
        make: makes a tracker from its name.
        alt: alternative text.

    Attributes:
        recording: of the session since the source was opened.

    Raises SettingsError for an unknown tracker or two sources, MissingDataError or DataError for a
    video that cannot be read.
    """

    _esm = front_end(
        "frames.js", "box_editor.js", "live_source.js", "live_chart.js", "tracker_bench.js"
    )
    kernel = traitlets.Bool(False).tag(sync=True)  # whether Python has the frames
    trackers = traitlets.List().tag(sync=True)
    tracker = traitlets.Unicode().tag(sync=True)
    styles = traitlets.List().tag(sync=True)  # of the targets
    palette = traitlets.Bytes().tag(sync=True)  # 256 RGB triples for the map
    camera: Camera | None = None  # also for a bench that could not be made, which is closed, too

    def __init__(
        self,
        video: Path | str | None = None,
        camera: int | None = None,
        tracker: str = "kcf",
        make: Callable[[str], Tracker] = make_live,
        alt: str | None = None,
    ) -> None:
        if video is not None and camera is not None:
            raise SettingsError("both a video and a camera were given; expected one of them")
        names = live_names()
        row(dict.fromkeys(names), tracker, "tracker")
        self.make = make
        self.source = None if video is None else find_frames(video)
        self.camera = None if camera is None else Camera(camera)
        super().__init__(
            kernel=video is not None or camera is not None,
            trackers=names,
            tracker=tracker,
            styles=[canvas.style(f"{k + 1}", plots.CYCLE[k], plots.LINES[k]) for k in range(MOST)],
            palette=canvas.palette(),
            alt=alt or "A video with the boxes of the targets that are tracked in it.",
        )
        self.begin()
        self.on_msg(lambda _widget, content, buffers: self._answer(content, buffers))

    def begin(self) -> None:
        """Begin a new session, from the first frame of the source on."""
        self.recording = Recording()
        self.session = LiveSession(self.make, self.recording)
        self._moments = self._from_kernel()

    def repeat(self, tracker: str | Callable[[], Tracker] | None = None) -> Recording:
        """The session's frames and drawn boxes once more, with another tracker, given as a name or
        a function that makes one; by default with the same ones."""
        return repeat(self.recording, tracker, self.make)

    def close(self) -> None:
        """Close the widget, and let other programs use the camera."""
        if self.camera is not None:
            self.camera.close()
        super().close()

    def export(self, folder: Path | str) -> list[Path]:
        """Write the session as live.mp4, which browsers play, and live.csv; returns their paths.

        Raises CourseError if there is no frame yet.
        """
        paths = [Path(folder) / f"live.{kind}" for kind in KINDS]
        self.recording.write_video(paths[0])
        self.recording.write_csv(paths[1])
        return paths

    def reply(self, content: dict[str, Any], buffers: list[bytes]) -> Reply:
        """The answer to a message of the page, and the bytes that go with it.

        Args:
            content: what to `do`: "open", "look", "step" or "save"; with a step the `seconds` of a
                frame, or `next` for Python's own, and targets to start or drop.
            buffers: the JPEG file of a frame, or none.

        Raises:
            CourseError: if it cannot be done.
        """
        todo = content.get("do")
        if todo == "open":
            self.begin()
            return {}, []
        if todo == "save":
            return self._saved(content["kind"])
        if todo not in ("look", "step"):
            raise DataError(f"the page asks for {todo!r}; expected open, look, step or save")
        wants = content.get("next") or (todo == "look" and self.session.frame is None)
        if buffers:
            self.session.see_jpeg(bytes(buffers[0]), content.get("seconds", 0))
        elif wants:
            moment = next(self._moments, None)
            if moment is None:
                return {"end": True}, []
            frame = moment.read()
            jpeg = jpeg_of(frame, WIDTH / frame.shape[1], quality=90)
            self.session.see_jpeg(jpeg, float(moment.seconds))
        for target in content.get("drops", []):
            self.session.drop(int(target))
        for start in content.get("starts", []):
            self.session.start(int(start["target"]), start["tracker"], start["box"])
        if self.session.frame is None:
            raise DataError("no frame has come yet; choose a video file or the webcam first")
        return self._state(with_frame=todo == "look" or bool(wants))

    def image(self) -> Figure:
        """The last frame with the boxes, or a sentence if there is none yet."""
        figure, axes = plots.new_figure(5.2, 3.6)
        ax = axes[0, 0]
        if self.session.frame is None:
            ax.set_axis_off()
            ax.text(0.5, 0.5, "With a kernel, choose a video file or the webcam here.", ha="center")
            return figure
        plots.show_frame(ax, self.session.frame, f"frame {len(self.recording) - 1}")
        for target, answer in self.session.answers.items():
            style = self.styles[(target - 1) % MOST]
            label = f"{target}: {answer.tracker}"
            plots.draw_box(ax, answer.box, style["colour"], label, style["line"])
        if ax.patches:
            plots.legend_below(figure, ax)
        return figure

    def _answer(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        """Answer a message of the page; what is wrong is answered in words."""
        try:
            reply, parts = self.reply(content, buffers)
        except Exception as problem:  # of a user's own tracker, too: the page waits for an answer
            if not isinstance(problem, CourseError):
                logging.getLogger(__name__).exception("the tracker bench could not go on")
            reply = {"problem": _in_words(problem), "frame": len(self.recording) - 1}
            parts = []
        self.send(reply | {"ask": content.get("ask"), "view": content.get("view")}, parts)

    def _from_kernel(self) -> Iterator[TimedFrame]:
        """The frames that Python reads; none if the page has them."""
        if self.camera is not None:
            return self.camera.moments()
        return iter(()) if self.source is None else timed(self.source)

    def _state(self, with_frame: bool) -> Reply:
        """What is known of the last frame: one entry for each target, and the bytes of its score
        map, (h, w) uint8; last the frame itself, if the page does not have it."""
        targets, parts = [], []
        for target, answer in self.session.answers.items():
            followed = self.session.followed[target]
            values = followed.tracker.score_map()  # (h, w) or None
            small = np.zeros((0, 0), np.uint8) if values is None else small_map(values)
            parts.append(small.tobytes())
            targets.append(
                {
                    "target": target,
                    "tracker": answer.tracker,
                    "box": _known(answer.box),
                    "score": _known(answer.score),
                    "surety": answer.surety,
                    "threshold": followed.thresholds.sure if followed.thresholds else None,
                    "ms": 1000 * answer.seconds,
                    "drawn": answer.drawn,
                    "shape": list(small.shape) if small.size else None,
                }
            )
        state = {"frame": len(self.recording) - 1, "targets": targets}
        if with_frame:
            H, W = self.session.frame.shape[:2]
            state["size"] = [W, H]
            parts.append(self.recording.frames.jpeg(len(self.recording) - 1))
        return state, parts

    def _saved(self, kind: str) -> Reply:
        """The session as a file that the page hands to the user."""
        row(KINDS, kind, "kind of file")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"live.{kind}"
            write = {"mp4": self.recording.write_video, "csv": self.recording.write_csv}[kind]
            write(path)
            return {"name": path.name, "type": KINDS[kind]}, [path.read_bytes()]


def _in_words(problem: Exception) -> str:
    if isinstance(problem, OSError):
        return os_error_in_words(problem)
    kind = "" if isinstance(problem, CourseError) else f"{type(problem).__name__}: "
    return f"{kind}{problem}"


def _known(value: np.ndarray | float) -> list[float] | float | None:
    """A number or several for JSON, which has no NaN: None stands for it."""
    return np.asarray(value, dtype=np.float64).tolist() if np.isfinite(value).all() else None
