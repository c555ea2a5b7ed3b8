"""What happened in a live session: the frames, the boxes drawn in them, and what the trackers said.

A recording can be repeated with any tracker (`live.repeat`), scored as a sequence, and exported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from course_lib.data.jpegs import JpegFrames
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.results import Result
from course_lib.evaluation.video import VideoWriter, annotate_targets
from course_lib.files import whole_file, write_whole

COLUMNS = "frame,seconds,target,tracker,x,y,w,h,score,state,milliseconds"


@dataclass(frozen=True, eq=False)
class Answer:
    """What a tracker said of its target in one frame.

    Attributes:
        tracker: its name.
        box: (4,) frame pixels; NaN for an absent target.
        score: how sure it is, in units of its own; NaN if it does not say, or the box was drawn.
        surety: "sure", "unsure" or "lost"; "" for a tracker without thresholds.
        seconds: that it took.
        drawn: whether the box was drawn by hand: the tracker was started in this frame.
    """

    tracker: str
    box: np.ndarray
    score: float
    surety: str
    seconds: float
    drawn: bool = False


@dataclass(frozen=True, eq=False)
class Event:
    """In this frame a target was drawn and its tracker started or, if there is no box, the target
    was dropped."""

    frame: int
    target: int
    tracker: str = ""
    box: np.ndarray | None = None


def csv_row(frame: int, seconds: float, target: int, answer: Answer) -> str:
    """A line of the table whose COLUMNS are given above.

    Args:
        frame: its number.
        seconds: its time.
        target: its number.
        answer: what was said of it.
    """
    box = ",".join(f"{v:.2f}" for v in answer.box)
    state = "drawn" if answer.drawn else answer.surety
    return (
        f"{frame},{seconds:.4f},{target},{answer.tracker},{box},{answer.score:.6g},{state},"
        f"{1000 * answer.seconds:.2f}"
    )


@dataclass(eq=False)
class Recording:
    """A live session, frame by frame.

    Attributes:
        frames: T frames as JPEG files.
        seconds: the time of each, from the first one on.
        events: boxes drawn and targets dropped, in order.
        answers: for each frame what was said of each target that was followed in it, by its number.
    """

    frames: JpegFrames = field(default_factory=JpegFrames)
    seconds: list[float] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    answers: list[dict[int, Answer]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.answers)

    def told(self) -> list[dict[int, Answer]]:
        """The answers so far, a copy: in JupyterLab a session goes on while a cell runs."""
        return [dict(said) for said in self.answers[:]]

    @property
    def targets(self) -> list[int]:
        """The numbers of all targets that were ever drawn."""
        return sorted({event.target for event in self.events if event.box is not None})

    def result(self, target: int) -> Result:
        """Boxes (T, 4) and seconds (T,) of a target, NaN in frames in which it was not followed.

        Raises DataError if no such target was drawn.
        """
        self._check(target)
        told = self.told()
        boxes, seconds = np.full((len(told), 4), np.nan), np.full(len(told), np.nan)
        for t, said in enumerate(told):
            if target in said:
                boxes[t], seconds[t] = said[target].box, said[target].seconds
        return Result(boxes, seconds)

    def scores(self, target: int) -> np.ndarray:
        """How sure the tracker was of a target (T,), in units of its own; NaN where it did not
        say."""
        self._check(target)
        return np.array([a[target].score if target in a else np.nan for a in self.told()])

    def sequence(self, target: int, truth: ArrayLike | None = None) -> Sequence:
        """The frames from the first drawn box of a target on, as a sequence for any protocol.

        Args:
            target: its number.
            truth: true boxes (T, 4), one for each frame of the recording. Unless given, the boxes
                drawn by hand are the truth, and all other frames are left out of scores.

        Raises:
            DataError: for a target that was never drawn, or another number of boxes.
        """
        self._check(target)
        drawn = np.array([target in a and a[target].drawn for a in self.told()])  # (T,)
        first = int(drawn.argmax())
        omitted = None
        if truth is None:
            truth = np.where(
                drawn[:, None], self.result(target).boxes[: len(drawn)], np.nan
            )  # (T, 4)
            omitted = ~drawn[first:]
        truth = np.asarray(truth, dtype=np.float64)
        if truth.shape != (len(drawn), 4):
            raise DataError(
                f"the true boxes have shape {truth.shape}; expected ({len(drawn)}, 4), one for each "
                "frame of the recording"
            )
        frames = self.frames.part(first, len(drawn))
        return Sequence(f"live-{target}", frames, truth[first:], omitted=omitted)

    def write_csv(self, path: Path | str) -> None:
        """Write one line for each target in each frame; boxes in pixels of the frames recorded."""
        rows = [COLUMNS]
        for t, said in enumerate(self.told()):
            rows += [csv_row(t, self.seconds[t], *one) for one in said.items()]
        write_whole(Path(path), "\n".join(rows) + "\n")

    def write_video(self, path: Path | str) -> None:
        """Write the frames with the boxes of all targets as an MP4 that browsers play.

        Raises CourseError if there is no frame.
        """
        path = Path(path)
        with whole_file(path) as part, VideoWriter(part, 25, path) as video:
            for t, said in enumerate(self.told()):
                boxes = {target: answer.box for target, answer in said.items()}
                states = "  ".join(f"{k}: {a.surety or a.tracker}" for k, a in said.items())
                video.add(
                    annotate_targets(self.frames[t], boxes, f"{t}  {states}"),
                    self.seconds[t] - self.seconds[0],
                )

    def _check(self, target: int) -> None:
        if target not in self.targets:
            known = ", ".join(map(str, self.targets)) or "none"
            raise DataError(f"target {target} was never drawn; drawn were: {known}")
