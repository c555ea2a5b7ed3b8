"""`python -m course_lib track --video FILE --box x,y,w,h`: track a target in your own video; with
`--select` the box is drawn in a window.

One pass: every frame is tracked, drawn and written before the next is decoded, so a video may be of
any length.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from course_lib.cli.outputs import check_outputs, record_of
from course_lib.cli.window import check_display, select_box
from course_lib.data.frames import ImageFiles
from course_lib.data.video import TimedFrame, VideoFile, find_frames, timed
from course_lib.errors import SettingsError
from course_lib.evaluation.follow import Step, follow, write_steps
from course_lib.evaluation.results import Result, write_result
from course_lib.evaluation.video import VideoWriter
from course_lib.files import whole_file
from course_lib.recipe import parse_overrides
from course_lib.trackers import ALL_NAMES, TRACKER_NAMES, make_tracker, tracker_class
from course_lib.trackers.base import Tracker

NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]{1,2})?", re.IGNORECASE)
TIME = re.compile(r"(?:(?:([0-9]{1,3}):)?([0-9]{1,4}):)?([0-9]{1,9}(?:\.[0-9]{0,9})?)(s?)")
NEARLY = Fraction(1, 1000)  # seconds; times are typed with three decimals


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    option = parser.add_argument
    take_negative_numbers(parser)
    option(
        "--video",
        required=True,
        nargs="+",
        metavar="FILE",
        help="a video (MP4, MOV, AVI, WebM, …), a folder of images, or a pattern like "
        "'frames/*.png'",
    )
    add_box_arguments(parser)
    option(
        "--start",
        default="0",
        metavar="FRAME|TIME",
        help="when the box applies: a frame, counted from 0, or a time like 2.5s or 1:02.5 "
        "(default: 0)",
    )
    add_tracker_arguments(parser)
    option(
        "--out",
        help="video to write (.mp4), or a folder; default: beside the input, with the tracker's "
        "name",
    )
    option("--quiet", action="store_true", help="no progress bar")


def take_negative_numbers(parser: argparse.ArgumentParser) -> None:
    """Let values of options begin with a minus: argparse mistakes them for options unless they look
    like numbers."""
    parser._negative_number_matcher = re.compile(r"^[-−][0-9.]|^-(inf|nan)")


def add_box_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say where the target is at first, shared with `live`."""
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument(
        "--box",
        nargs="+",
        metavar="X,Y,W,H",
        help="the target in the first frame: top-left corner and size, pixels",
    )
    either.add_argument("--select", action="store_true", help="draw that box in a window")


def add_tracker_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that choose a tracker and its settings, shared with `trax`."""
    option = parser.add_argument
    option("--tracker", default="mosse", help=f"one of {', '.join(ALL_NAMES)} (default: mosse)")
    option("--recipe", type=Path, help="YAML file with the tracker's settings")
    option(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="settings that override the recipe's, for example rate=0.2",
    )
    option("--weights", help="a name or a .safetensors file, for a deep tracker")
    option("--device", help="auto, cpu or cuda, for a deep tracker")


def run(arguments: argparse.Namespace) -> int:
    """Track until decoding ends; write the annotated video, the boxes and a record of the run."""
    box = None if arguments.select else parse_box(" ".join(arguments.box))
    start = parse_start(arguments.start)
    if not all(arguments.video):
        raise SettingsError("--video is empty; expected a video, a folder of images, or a pattern")
    if arguments.select:
        check_display("give the box with --box x,y,w,h instead of --select")
    tracker = make_chosen(arguments)
    frames = find_frames(arguments.video)
    out = _out(arguments, frames)
    text, record = out.with_suffix(".txt"), out.with_suffix(".json")
    inputs = [frames.path] if isinstance(frames, VideoFile) else frames.paths[:1]
    check_outputs("track", record, [out, text], inputs)

    said: list[str] = []
    moments = starting_at(timed(frames), start, arguments.start)
    if box is None:
        moments, box = select_in_first(moments)
    steps = follow(tracker, moments, box, said)
    first = next(steps)  # reports a box that does not fit before a file is made
    with whole_file(out) as video, whole_file(text) as boxes, whole_file(record) as facts:
        with VideoWriter(video, getattr(frames, "rate", 25), out) as writer:
            seen = tqdm(chain([first], steps), **_bar(arguments, frames, first))
            result = write_steps(
                writer, seen, lambda s: (None, f"{s.moment.number}  {tracker.name}"), said
            )
        said += filter(None, [getattr(frames, "note", "")])
        write_result(boxes, Result(result.boxes, np.full(len(result), np.nan)))
        about = _about(arguments, first, result, said)
        facts.write_text(record_of("track", {out: video, text: boxes}, about), encoding="utf-8")
    for sentence in said:
        print(f"track: {sentence}", file=sys.stderr)
    speed = len(result) / result.seconds.sum()
    print(f"{tracker.name} on {len(result)} frames, {speed:,.0f} frames/s")
    print(f"wrote {out}, {text} (x,y,w,h per frame) and {record} (what was run)")
    return 130 if any(sentence.startswith("stopped") for sentence in said) else 0


def select_in_first(moments: Iterator[TimedFrame]) -> tuple[Iterator[TimedFrame], np.ndarray]:
    """The same moments, and the box (4,) that the user draws in the first of them."""
    first = next(moments)
    return chain([first], moments), select_box(first.read())


def starting_at(
    moments: Iterator[TimedFrame], start: int | Fraction, asked: str
) -> Iterator[TimedFrame]:
    """The moments from a frame's number on, or from the frame shown at a time.

    Args:
        moments: all of a video's.
        start: the number, or seconds.
        asked: the option as it was given, for the message.

    Raises:
        SettingsError: if the video ends earlier.
    """
    before = None
    for moment in moments:
        if isinstance(start, int) and moment.number == start:
            yield moment
            break
        if not isinstance(start, int) and moment.seconds > start + NEARLY:
            yield from (before, moment)
            break
        before = moment
    else:
        if not isinstance(start, int) and start <= before.seconds + NEARLY:
            yield before
            return
        raise SettingsError(
            f"--start is {asked}; the video has frames 0 to {before.number}, "
            f"the last at {float(before.seconds):.2f} s"
        )
    yield from moments


def parse_box(text: str) -> np.ndarray:
    """Box (4,) from "x,y,w,h", blanks and brackets allowed; raises SettingsError."""
    plain = text.strip().replace("−", "-")
    if plain[:1] + plain[-1:] in ("()", "[]"):
        plain = plain[1:-1]
    words = re.split(r"\s*[,;]\s*|\s+", plain.strip())
    if len(words) != 4 or not all(NUMBER.fullmatch(word) for word in words):
        raise SettingsError(
            f"--box is {text!r}; expected four numbers with commas between, x,y,w,h, for example "
            f"120,80,40,60"
        )
    box = np.array([float(word) for word in words])
    if box[2] <= 0 or box[3] <= 0:
        raise SettingsError(
            f"--box is {text!r}: {box[2]:g} wide and {box[3]:g} high; expected both above 0. "
            "A box is x,y,w,h, not two corners."
        )
    return box


def parse_start(text: str) -> int | Fraction:
    """A frame's number from "12", or seconds from "2.5s", "1:02.5"; raises SettingsError."""
    match = TIME.fullmatch(text.strip())
    if match is None or ("." in text and not (match[2] or match[4])):
        raise SettingsError(
            f"--start is {text!r}; expected the number of a frame, counted from 0, or a time "
            f"like 2.5s or 1:02.5"
        )
    hours, minutes, seconds, unit = match.groups()
    if not minutes and not unit:
        return int(seconds)
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + Fraction(seconds)


def make_chosen(arguments: argparse.Namespace) -> Tracker:
    """The tracker that the options of `add_tracker_arguments` choose, with its settings."""
    name = arguments.tracker
    given = parse_overrides([s.removeprefix(f"{name}.") for s in arguments.settings])
    settings = dict(given)
    for key in ("weights", "device"):
        value = getattr(arguments, key)
        if value is not None and not _takes(name, key):
            deep = [known for known in TRACKER_NAMES if _takes(known, key)]
            raise SettingsError(
                f"--{key} is for trackers with a network ({', '.join(deep)}); {name} has none"
            )
        if value is not None:
            settings[key] = "'" + value.replace("'", "''") + "'"  # a string, whatever it looks like
    strange = next((key for key in settings if key in ("name", "recipe")), None)
    if strange:
        raise SettingsError(f"--set {strange}={settings[strange]}: {name} has no such setting")
    return make_tracker(name, arguments.recipe, **settings)


def _takes(name: str, key: str) -> bool:
    """Whether a tracker has a setting."""
    return hasattr(tracker_class(name).Settings, key)  # defaults are class attributes


def _out(arguments: argparse.Namespace, frames: VideoFile | ImageFiles) -> Path:
    """Where the video goes."""
    source = frames.path if isinstance(frames, VideoFile) else frames.paths[0].resolve().parent
    name = source.stem if isinstance(frames, VideoFile) else source.name
    default = f"{name or 'frames'}-{arguments.tracker}.mp4"
    if arguments.out is None:
        return source.with_name(default)
    out = Path(arguments.out)
    if out.is_dir() or arguments.out.endswith("/"):
        return out / default
    if out.suffix.lower() != ".mp4":
        raise SettingsError(f"--out is {out}; expected a name that ends in .mp4, or a folder")
    return out


def _bar(
    arguments: argparse.Namespace, frames: VideoFile | ImageFiles, first: Step
) -> dict[str, object]:
    """The progress bar; if a video's header is wrong, so is the bar."""
    count = frames.expected if isinstance(frames, VideoFile) else len(frames)
    total = max(count - first.moment.number, 1) if count else None
    quiet = arguments.quiet or not sys.stderr.isatty()
    return {"total": total, "unit": "frame", "desc": arguments.tracker, "disable": quiet}


def _about(
    arguments: argparse.Namespace, first: Step, result: Result, said: list[str]
) -> dict[str, object]:
    """What was run, for the record."""
    return {
        "tracker": arguments.tracker,
        "recipe": str(arguments.recipe) if arguments.recipe else None,
        "settings": arguments.settings,
        "weights": arguments.weights,
        "video": arguments.video,
        "first_frame": first.moment.number,
        "box": first.box.tolist(),
        "frames": len(result),
        "frames_per_second": round(len(result) / float(result.seconds.sum()), 1),
        "notes": said,
    }
