"""`python -m course_lib live --camera 0 --select`: track what a camera of this machine shows, in a
window, or without one into a video."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from course_lib.cli.outputs import check_outputs, record_of
from course_lib.cli.track import (
    add_box_arguments,
    add_tracker_arguments,
    make_chosen,
    parse_box,
    take_negative_numbers,
)
from course_lib.cli.window import Window, check_display, select_box
from course_lib.data.camera import Camera
from course_lib.data.video import TimedFrame
from course_lib.errors import CourseError, SettingsError
from course_lib.evaluation.live import LiveSession, thresholds_of
from course_lib.evaluation.recording import COLUMNS, csv_row
from course_lib.evaluation.video import VideoWriter, annotate_targets
from course_lib.files import whole_file
from course_lib.trackers.base import Tracker
from course_lib.trackers.redetection import with_redetection

TARGET = 1  # its number in the session
INSTEAD = (
    "give --headless with --box x,y,w,h and --out FILE.mp4, or track a video file with `track`"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    take_negative_numbers(parser)
    option = parser.add_argument
    option("--camera", type=int, default=0, help="number of the camera, from 0 on (default: 0)")
    add_box_arguments(parser)
    add_tracker_arguments(parser)
    option("--redetect", action="store_true", help="search everywhere when the target is lost")
    option("--frames", type=int, help="end after this many frames")
    option("--headless", action="store_true", help="show no window; needs --box and --out")
    option("--out", "--output", type=Path, help="video to write (.mp4), with a table beside it")
    option("--quiet", action="store_true", help="no progress bar")
    parser.epilog = "In the window, s lets you draw the box again; q, Escape or Ctrl-C ends."


def run(arguments: argparse.Namespace) -> int:
    """Track until the user ends it, the camera does, or so many frames have passed."""
    box = _checked(arguments)
    tracker = _make(arguments)  # wrong settings are reported before the camera starts
    if thresholds_of(tracker) is None:
        print(
            f"live: no threshold says whether {tracker.name} is sure with these weights; only its "
            "box is shown",
            file=sys.stderr,
        )
    out = arguments.out
    if out is not None:
        check_outputs("live", out.with_suffix(".json"), [out, out.with_suffix(".csv")], [])
    with closing(Camera(arguments.camera)) as camera:
        shown = tqdm(
            islice(camera.moments(), arguments.frames),
            **{"total": arguments.frames, "unit": "frame", "desc": arguments.tracker},
            disable=arguments.quiet or not sys.stderr.isatty(),
        )
        steps = _steps(arguments, iter(shown), box)
        count = sum(1 for _ in steps) if out is None else _write(arguments, steps)
    print(f"{arguments.tracker} on {count} frames of camera {arguments.camera}")
    if out is not None:
        print(f"wrote {out} and {out.with_suffix('.csv')} (a line per frame)")
    return 0


def _checked(arguments: argparse.Namespace) -> np.ndarray | None:
    """The box (4,) given, None if it is to be drawn.

    Raises SettingsError for options that do not go together, CourseError without a screen.
    """
    out = arguments.out
    if arguments.frames is not None and arguments.frames < 1:
        raise SettingsError(f"--frames is {arguments.frames}; expected at least 1")
    if out is not None and out.suffix.lower() != ".mp4":
        raise SettingsError(f"--out is {out}; expected a name that ends in .mp4")
    if not arguments.headless:
        check_display(INSTEAD)
    elif arguments.select or out is None:
        raise SettingsError(
            "--headless shows no window to draw a box in or to watch; give --box x,y,w,h and "
            "--out FILE.mp4 with it"
        )
    return None if arguments.select else parse_box(" ".join(arguments.box))


def _make(arguments: argparse.Namespace) -> Tracker:
    tracker = make_chosen(arguments)
    return with_redetection(tracker) if arguments.redetect else tracker


def _steps(
    arguments: argparse.Namespace, moments: Iterator[TimedFrame], box: np.ndarray | None
) -> Iterator[tuple[TimedFrame, LiveSession, np.ndarray]]:
    """Each moment with the session after it and its frame as shown; ends by key or Ctrl-C."""
    session = LiveSession(lambda _name: _make(arguments))
    window = None if arguments.headless else Window()
    key = "s"  # the first frame begins as if a box were asked for
    try:
        for moment in moments:
            session.see(moment.read())
            if key == "s":
                drawn = _drawn(session) if box is None else box
                if drawn is not None:
                    session.start(TARGET, arguments.tracker, drawn)
                box = None  # the next one is drawn
            answer = session.answers[TARGET]
            text = f"{moment.number}  {answer.tracker}  {answer.surety}"
            image = annotate_targets(session.frame, {TARGET: answer.box}, text)
            key = window.show(image) if window else ""
            yield moment, session, image
            if key == "q":
                return
    except KeyboardInterrupt:
        if TARGET not in session.answers:
            raise
    finally:
        if window:
            window.close()


def _drawn(session: LiveSession) -> np.ndarray | None:
    """The box that the user draws in the last frame; None leaves a target followed already as it
    is."""
    try:
        return select_box(session.frame)
    except CourseError:
        if TARGET not in session.answers:
            raise
        return None


def _write(arguments: argparse.Namespace, steps: Iterator) -> int:
    """Write the video, the table and the record of the run; returns the number of frames."""
    out, table, record = (arguments.out.with_suffix(end) for end in (".mp4", ".csv", ".json"))
    out, count = arguments.out, 0
    with whole_file(out) as video, whole_file(table) as rows, whole_file(record) as facts:
        with VideoWriter(video, 25, out) as writer, rows.open("w", encoding="utf-8") as lines:
            lines.write(COLUMNS + "\n")
            for moment, session, image in steps:
                writer.add(image, moment.seconds)
                answer = session.answers[TARGET]
                seconds = float(moment.seconds)
                lines.write(csv_row(moment.number, seconds, TARGET, answer) + "\n")
                count += 1
            if not count:
                raise CourseError(f"camera {arguments.camera} ended before the first frame")
        about = {
            **{"tracker": arguments.tracker, "camera": arguments.camera, "frames": count},
            **{"settings": arguments.settings, "weights": arguments.weights},
            "redetect": arguments.redetect,
        }
        facts.write_text(record_of("live", {out: video, table: rows}, about), encoding="utf-8")
    return count
