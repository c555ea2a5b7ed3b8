"""A live session: frames come one at a time, several targets are followed, and each may be drawn
again when it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import DataError
from course_lib.evaluation.recording import Answer, Event, Recording
from course_lib.recipe import load_settings
from course_lib.trackers import ALL_NAMES, make_tracker, system
from course_lib.trackers.base import Tracker, confidence_of
from course_lib.trackers.redetection import (
    Redetection,
    RedetectionSettings,
    recipe_for,
    redetection_recipe,
    with_redetection,
)

FINDS_AGAIN = "-redetection"  # what the name of a tracker with re-detection ends in


def live_names() -> list[str]:
    """All trackers of the course, each followed by its variant with re-detection where there
    are thresholds for it."""
    names = []
    for name in ALL_NAMES:
        names += [name] + [name + FINDS_AGAIN] * (redetection_recipe(name) is not None)
    return names


def make_live(name: str) -> Tracker:
    """The tracker called `name`, one of `live_names()`, with its default settings.

    Raises SettingsError for an unknown name, CourseError if the installed OpenCV lacks the tracker.
    """
    plain = make_tracker(name.removesuffix(FINDS_AGAIN))
    return with_redetection(plain) if name.endswith(FINDS_AGAIN) else plain


def thresholds_of(tracker: Tracker) -> RedetectionSettings | None:
    """The confidence from which a tracker with its weights is sure, and the number of unsure frames
    after which it is lost; None if nobody has chosen them."""
    if isinstance(tracker, Redetection):
        return tracker.settings
    recipe = recipe_for(tracker)
    return None if recipe is None else load_settings(RedetectionSettings, recipe)


def called(name: str, tracker: Tracker) -> str:
    """What to call a tracker made from `name`: that name if it is one of the course's for a tracker
    of this kind, as `ciresnet22` is for SiamFC; otherwise the tracker's own."""
    plain, own = name.removesuffix(FINDS_AGAIN), tracker.name.removesuffix(FINDS_AGAIN)
    return name if plain in ALL_NAMES and system(plain).tracker == own else tracker.name


@dataclass(eq=False)
class Followed:
    """A target that is followed.

    Attributes:
        name: of the tracker, for the user.
        tracker: started on it.
        thresholds: of its confidence, or None.
        unsure: frames in a row.
    """

    name: str
    tracker: Tracker
    thresholds: RedetectionSettings | None
    unsure: int = 0

    def surety(self, score: float) -> str:
        """ "sure", "unsure" or "lost" in a new frame in which the tracker gives this score; "" for
        a tracker without thresholds."""
        own = getattr(self.tracker.last, "surety", None)  # re-detection says it itself
        if own is not None or self.thresholds is None:
            return own or ""
        self.unsure = self.unsure + 1 if score < self.thresholds.sure else 0
        if not self.unsure:
            return "sure"
        return "lost" if self.unsure > self.thresholds.patience else "unsure"


class LiveSession:
    """Follows targets through frames that come one at a time.

    Args:
        make: makes a tracker from its name.
        recording: gets all that happens, unless it is None.

    Attributes:
        followed: the targets by their numbers.
        answers: what was said of each of them in the last frame.
        frame: the last frame (H, W, 3), or None.
    """

    def __init__(
        self, make: Callable[[str], Tracker] = make_live, recording: Recording | None = None
    ) -> None:
        self.make, self.recording = make, recording
        self.followed: dict[int, Followed] = {}
        self.answers: dict[int, Answer] = {}
        self.frame: np.ndarray | None = None

    def see_jpeg(self, jpeg: bytes, seconds: float) -> dict[int, Answer]:
        """Record a frame given as a JPEG file, and track in it; needs a recording.

        Raises DataError, and records nothing, if it does not decode.
        """
        frame = self.recording.frames.add(jpeg)
        self.recording.seconds.append(float(seconds))
        self.recording.answers.append({})
        return self.see(frame, recorded=True)

    def see(self, frame: np.ndarray, recorded: bool = False) -> dict[int, Answer]:
        """Track every target in the next frame (H, W, 3); returns what is said of each, by its
        number.

        A recording keeps JPEG files only: see `see_jpeg`, which calls this.
        """
        if self.recording is not None and not recorded:
            raise DataError("a session with a recording takes JPEG files; call see_jpeg")
        self.frame, self.answers = frame, {}
        for target, followed in self.followed.items():
            began = time.perf_counter()
            box = followed.tracker.update(frame)
            seconds = time.perf_counter() - began
            score = confidence_of(followed.tracker)
            self._say(
                target,
                Answer(
                    followed.name,
                    np.array(box, dtype=np.float64),
                    score,
                    followed.surety(score),
                    seconds,
                ),
            )
        return self.answers

    def start(self, target: int, name: str, box: ArrayLike) -> Answer:
        """Start a tracker on a box drawn in the last frame; a target followed already is started
        anew.

        Args:
            target: its number.
            name: of the tracker.
            box: (4,) frame pixels.

        Raises:
            DataError: if there is no frame yet, or the box cannot start a tracker.
            SettingsError: for an unknown tracker.
        """
        if self.frame is None:
            raise DataError("a box was drawn before any frame came; give a frame first")
        tracker, box = self.make(name), np.array(box, dtype=np.float64)
        began = time.perf_counter()
        tracker.init(self.frame, box.copy())
        seconds = time.perf_counter() - began
        thresholds = thresholds_of(tracker)
        shown = called(name, tracker)
        self.followed[target] = Followed(shown, tracker, thresholds)
        self._note(target, name, box)
        surety = "sure" if thresholds else ""
        return self._say(target, Answer(shown, box, np.nan, surety, seconds, drawn=True))

    def drop(self, target: int) -> None:
        """Follow a target no longer."""
        if self.followed.pop(target, None) is not None:
            self._note(target, "", None)
            self.answers.pop(target, None)
            if self.recording is not None:
                self.recording.answers[-1].pop(target, None)

    def _say(self, target: int, answer: Answer) -> Answer:
        self.answers[target] = answer
        if self.recording is not None:
            self.recording.answers[-1][target] = answer
        return answer

    def _note(self, target: int, name: str, box: np.ndarray | None) -> None:
        if self.recording is not None:
            now = len(self.recording.answers) - 1
            self.recording.events.append(Event(now, target, name, box))


def repeat(
    recording: Recording,
    tracker: str | Callable[[], Tracker] | None = None,
    make: Callable[[str], Tracker] = make_live,
) -> Recording:
    """The same frames and the same boxes drawn in them once more, perhaps with another tracker.

    Args:
        recording: of a session that has frames.
        tracker: a name, or a function that makes one; None repeats with the trackers used.
        make: makes a tracker from its name.

    Raises:
        CourseError: if the tracker cannot be made.
    """
    session = LiveSession((lambda _name: tracker()) if callable(tracker) else make)
    again = Recording(recording.frames, recording.seconds[: len(recording)])
    session.recording = again
    waiting = recording.events[:]
    for t in range(len(recording)):
        again.answers.append({})
        session.see(recording.frames[t], recorded=True)
        while waiting and waiting[0].frame == t:
            event = waiting.pop(0)
            if event.box is None:
                session.drop(event.target)
            else:
                name = tracker if isinstance(tracker, str) else event.tracker
                session.start(event.target, name, event.box)
    return again
