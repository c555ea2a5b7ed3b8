"""`python -m course_lib track --video FILE --box x,y,w,h`: track a target in your own video."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from course_lib.data.frames import VideoFile
from course_lib.data.sequence import Sequence
from course_lib.errors import SettingsError
from course_lib.evaluation.otb import track
from course_lib.evaluation.results import write_result
from course_lib.evaluation.video import annotate, write_video
from course_lib.trackers import TRACKER_NAMES, make_tracker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--video", type=Path, required=True, help="MP4, AVI, MOV, WebM or similar")
    parser.add_argument(
        "--box",
        required=True,
        metavar="X,Y,W,H",
        help="the target in the first frame: top-left corner and size, pixels",
    )
    parser.add_argument(
        "--start", type=int, default=0, help="number of the frame the box is for, counted from 0"
    )
    parser.add_argument("--tracker", default="mosse", help=f"one of {', '.join(TRACKER_NAMES)}")
    parser.add_argument(
        "--out",
        type=Path,
        help="video to write; default: beside the input, with the tracker's name",
    )


def run(arguments: argparse.Namespace) -> int:
    """Track to the end; write the annotated video and, beside it, the boxes."""
    box = parse_box(arguments.box)
    tracker = make_tracker(arguments.tracker)
    video = VideoFile(arguments.video)
    if not 0 <= arguments.start < len(video):
        raise SettingsError(
            f"--start is {arguments.start}; {arguments.video} has frames 0 to {len(video) - 1}"
        )
    frames = video.part(arguments.start)
    truth = np.vstack([box, np.full((len(frames) - 1, 4), np.nan)])  # known in the first frame only
    result = track(tracker, Sequence(arguments.video.stem, frames, truth))
    out = arguments.out or arguments.video.with_name(
        f"{arguments.video.stem}-{arguments.tracker}.mp4"
    )
    if out.suffix != ".mp4":
        raise SettingsError(f"--out is {out}; expected a name that ends in .mp4")
    pictures = (
        annotate(f, b, text=f"{arguments.start + i}  {tracker.name}")
        for i, (f, b) in enumerate(zip(frames, result.boxes, strict=True))
    )
    write_video(out, pictures, video.fps or 25)
    write_result(out.with_suffix(".txt"), result)
    print(
        f"{tracker.name} on {len(result)} frames, {len(result) / result.seconds.sum():,.0f} frames/s"
    )
    print(f"wrote {out} and {out.with_suffix('.txt')} (x,y,w,h per frame)")
    return 0


def parse_box(text: str) -> np.ndarray:
    """Box (4,) from "x,y,w,h"; raises SettingsError saying what is wrong with it."""
    try:
        box = np.array([float(part) for part in text.split(",")])
    except ValueError:
        box = np.empty(0)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise SettingsError(
            f"--box is {text!r}; expected four numbers with commas between, x,y,w,h, for example 120,80,40,60"
        )
    return box
