"""`python -m course_lib demo`: track a generated clip with MOSSE, write an annotated video and its scores."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from course_lib.data.benchmarks import load_benchmark
from course_lib.errors import SettingsError
from course_lib.evaluation.metrics import auc, precision_at
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.video import annotate, write_video
from course_lib.files import write_whole
from course_lib.geometry.boxes import iou
from course_lib.places import RUNS
from course_lib.trackers import make_tracker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--clip", default="gen-03-occlusion", help="name of a clip of generated-v1")
    parser.add_argument(
        "--out", type=Path, default=RUNS / "demo", help="folder for the video and the scores"
    )


def run(arguments: argparse.Namespace) -> int:
    """Track, write the video and the scores, say where they are."""
    benchmark = load_benchmark("generated-v1")
    if arguments.clip not in benchmark.names:
        raise SettingsError(
            f"there is no clip {arguments.clip!r}; there are {', '.join(benchmark.names)}"
        )
    clip = benchmark[arguments.clip]
    result = track(make_tracker("mosse"), clip)
    score = score_sequence(result.boxes, clip.boxes)
    overlaps = iou(result.boxes, clip.boxes)  # (T,)
    video = arguments.out / f"{clip.name}.mp4"
    texts = ("absent" if np.isnan(v) else f"IoU {v:.2f}" for v in overlaps)
    rows = zip(clip.frames, result.boxes, clip.boxes, texts, strict=True)
    write_video(
        video,
        (annotate(f, p, t, f"{i}  MOSSE  {text}") for i, (f, p, t, text) in enumerate(rows)),
        clip.fps or 25,
    )
    scores = {
        "clip": clip.name,
        "tracker": "mosse",
        "auc": round(auc(score.success), 4),
        "precision20": round(precision_at(score.precision), 4),
        "mean_iou": round(score.mean_iou, 4),
        "fps": round(len(result) / float(result.seconds.sum()), 1),
    }
    write_whole(arguments.out / f"{clip.name}.json", json.dumps(scores, indent=1) + "\n")
    print(
        f"MOSSE on {clip.name}: AUC {scores['auc']:.3f}, precision at 20 px {scores['precision20']:.3f}, {scores['fps']:,.0f} frames/s"
    )
    print(f"wrote {video} (green: truth, dashed: tracker) and {video.with_suffix('.json')}")
    return 0
