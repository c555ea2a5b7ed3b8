"""`python -m course_lib demo`: track a generated sequence, write an annotated video and its scores."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from course_lib.cli.outputs import check_outputs, record_of
from course_lib.data.generated import SPECS, make_sequence
from course_lib.data.sequence import Sequence
from course_lib.data.video import timed
from course_lib.errors import SettingsError
from course_lib.evaluation.follow import Step, follow, write_steps
from course_lib.evaluation.metrics import auc, precision_at
from course_lib.evaluation.otb import score_sequence
from course_lib.evaluation.results import Result
from course_lib.evaluation.video import VideoWriter
from course_lib.files import whole_file
from course_lib.geometry.boxes import iou
from course_lib.places import RUNS
from course_lib.trackers import ALL_NAMES, make_tracker
from course_lib.trackers.base import Tracker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    option = parser.add_argument
    option(
        "--sequence",
        default="gen-03-occlusion",
        help="name of a sequence of generated-v1 (default: gen-03-occlusion)",
    )
    option("--tracker", default="mosse", help=f"one of {', '.join(ALL_NAMES)} (default: mosse)")
    option(
        "--out",
        type=Path,
        default=RUNS / "demo",
        help="folder for the video and the scores (default: runs/demo)",
    )
    option("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Track, write the video and the scores, say where they are."""
    tracker = make_tracker(arguments.tracker)
    specs = {spec.name: spec for spec in SPECS}
    if arguments.sequence not in specs:
        raise SettingsError(
            f"there is no sequence {arguments.sequence!r}; there are {', '.join(specs)}"
        )
    video = arguments.out / f"{arguments.sequence}.mp4"
    record = video.with_suffix(".json")
    check_outputs("demo", record, [video], [])
    sequence = make_sequence(specs[arguments.sequence])
    with whole_file(video) as part, whole_file(record) as facts:
        result = _track(sequence, tracker, part, video, arguments.quiet)
        scores = _scores(sequence, arguments.tracker, result)
        facts.write_text(record_of("demo", {video: part}, scores), encoding="utf-8")
    print(
        f"{tracker.name} on {sequence.name}: AUC {scores['auc']:.3f}, "
        f"precision at 20 px {scores['precision20']:.3f}, "
        f"{scores['fps']:,.0f} frames/s"
    )
    print(f"wrote {video} (green: truth, dashed: tracker) and {record}")
    return 0


def _track(sequence: Sequence, tracker: Tracker, part: Path, video: Path, quiet: bool) -> Result:
    """Track the sequence and write its video to `part`, which will be called `video`."""

    def describe(step: Step) -> tuple[np.ndarray, str]:
        truth = sequence.boxes[step.moment.number]  # (4,)
        overlap = float(iou(step.box, truth))
        text = "absent" if np.isnan(overlap) else f"IoU {overlap:.2f}"
        return truth, f"{step.moment.number}  {tracker.name}  {text}"

    steps = follow(tracker, timed(sequence.frames, sequence.fps or 25), sequence.boxes[0], [])
    bar = tqdm(
        steps,
        total=len(sequence),
        unit="frame",
        desc=sequence.name,
        disable=quiet or not sys.stderr.isatty(),
    )
    with VideoWriter(part, sequence.fps or 25, video) as writer:
        result = write_steps(writer, bar, describe, [])
    if len(result) < len(sequence):
        raise KeyboardInterrupt  # scores of a part would not be the sequence's
    return result


def _scores(sequence: Sequence, tracker: str, result: Result) -> dict[str, object]:
    score = score_sequence(result.boxes, sequence.boxes)
    return {
        "clip": sequence.name,
        "tracker": tracker,
        "auc": round(auc(score.success), 4),
        "precision20": round(precision_at(score.precision), 4),
        "mean_iou": round(score.mean_iou, 4),
        "fps": round(len(result) / float(result.seconds.sum()), 1),
    }
