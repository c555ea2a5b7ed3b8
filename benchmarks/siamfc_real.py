"""SiamFC with 1, 3 and 5 scales on the real clips, one pass each.

python benchmarks/siamfc_real.py --write results/siamfc_real_clips.json
python benchmarks/siamfc_real.py --weights path/to/public.npz          any other weights, nothing kept
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import torch

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark
from course_lib.evaluation.lockstep import track_in_lockstep
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.report import Report, TrackerScores
from course_lib.evaluation.tables import to_markdown, without_nan
from course_lib.files import write_whole
from course_lib.models.runtime import Embedding, load_embedding
from course_lib.models.weights import find_weights
from course_lib.places import RECIPES
from course_lib.provenance import provenance
from course_lib.recipe import load_settings
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker

VARIANTS = {"siamfc-1s": {"scales": 1}, "siamfc-3s": {}, "siamfc-5s": "siamfc_5s.yaml"}


def settings_of(variant: str, weights: str) -> SiamFCSettings:
    """The published settings of a variant with these weights."""
    what = VARIANTS[variant]
    if isinstance(what, str):
        return load_settings(SiamFCSettings, RECIPES / what, {"weights": weights})
    return SiamFCSettings(weights=weights, **what)


def measure(
    settings: dict[str, SiamFCSettings], embedding: Embedding, benchmark: Benchmark, width: int = 1
) -> Report:
    """One pass of every variant over a benchmark; `width` sequences in lock-step (GPU), or one by one."""
    scores, fps = {n: {} for n in settings}, {n: {} for n in settings}
    for start in range(0, len(benchmark), width):
        group = [
            replace(s, frames=ArrayFrames(list(s.frames)))
            for s in benchmark.sequences[start : start + width]
        ]
        for name, chosen in settings.items():
            make = partial(SiamFCTracker, chosen, embedding)
            results = (
                track_in_lockstep(make, group, width)
                if width > 1
                else [track(make(), s) for s in group]
            )
            for sequence, result in zip(group, results, strict=True):
                scores[name][sequence.name] = score_sequence(
                    result.boxes, sequence.boxes, sequence.omitted
                )
                fps[name][sequence.name] = len(result) / float(result.seconds.sum())
    trackers = {n: TrackerScores(scores[n], fps[n]) for n in settings}
    return Report(benchmark.name, "ope", trackers, {s.name: s.attributes for s in benchmark})


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="siamfc", help="name or path")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument(
        "--width", type=int, help="sequences in lock-step (default: 1 without a GPU, 22 with one)"
    )
    parser.add_argument("--write", type=Path, help="JSON file to keep the figures in")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    embedding = load_embedding(arguments.weights, "auto", "auto")
    on_gpu = embedding.placement.device.type == "cuda"
    chosen = {name: settings_of(name, arguments.weights) for name in arguments.variants}
    report = measure(
        chosen, embedding, load_benchmark("otb+vot2014"), arguments.width or (22 if on_gpu else 1)
    )
    print(to_markdown(report))
    if arguments.write:
        where = provenance(str(embedding.placement.device))
        about = {
            "threads": torch.get_num_threads(),
            "bf16": embedding.placement.bf16,
            "channels_last": True,
        }
        kept = {
            **report.to_dict(),
            "weights": find_weights(arguments.weights).name,
            "measured": where | about,
        }
        write_whole(arguments.write, json.dumps(without_nan(kept), indent=1) + "\n")
        print(f"wrote {arguments.write}")


if __name__ == "__main__":
    main()
