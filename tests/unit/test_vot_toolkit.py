"""VOT's own toolkit beside the course, on the same files: multi-start, long-term and VOTS.

Run where `vot-toolkit` 0.9.0 is installed beside the course's packages; `lessons/site/trax.md` says
which versions of what it needs work. Numbers that it gave are pinned in `test_multistart_scores.py`
and `test_longterm.py`, which run everywhere.
"""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scripted_runs import scripted_benchmark, write_scripted

from course_lib.data.generated import generated_benchmark
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.export import export_results
from course_lib.evaluation.multistart import anchors
from course_lib.evaluation.multistart_scores import multistart_scores
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run
from course_lib.evaluation.region_files import write_regions
from course_lib.evaluation.report import vot_scores
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.evaluation.vot import true_regions

pytest.importorskip("vot", reason="VOT's toolkit (vot-toolkit) is not installed here")

BOUNDS = (20, 61)  # of EAO, for clips of a hundred frames


def as_vots(folder, sequence: Sequence):
    """A sequence written as VOT keeps it, loaded by the toolkit; its images are black."""
    from vot.dataset import load_sequence

    (folder / "color").mkdir(parents=True)
    black = np.zeros(sequence.frames[0].shape, np.uint8)
    for t in range(len(sequence)):
        cv2.imwrite(str(folder / "color" / f"{t + 1:08d}.jpg"), black)
    there = [np.isfinite(region).all() for region in true_regions(sequence)]
    codes = [
        r if ok else np.array([0.0]) for r, ok in zip(true_regions(sequence), there, strict=True)
    ]
    write_regions(folder / "groundtruth.txt", codes)
    ways = anchors(sequence)
    lines = "".join(f"{ways.get(t, 0)}\n" for t in range(len(sequence)))
    (folder / "anchor.value").write_text(lines)
    (folder / "sequence").write_text("channels.color=color/%08d.jpg\nfps=30\n")
    return load_sequence(str(folder))


def theirs(results, sequences, tracker: str, bounds) -> dict[str, float]:
    """Accuracy, robustness and EAO of multi-start runs as the toolkit computes them.

    Its analyses are called one after the other, as its processor does.
    """
    from vot.analysis.multistart import (
        AccuracyRobustness,
        AverageAccuracyRobustness,
        EAOCurve,
        EAOCurves,
        EAOScore,
    )
    from vot.tracker.results import Results
    from vot.utilities.data import Grid
    from vot.workspace.storage import LocalStorage

    def kept(tracker, sequence):
        return Results(LocalStorage(str(results / tracker / "baseline" / sequence.name)))

    experiment = SimpleNamespace(results=kept, anchor="anchor")
    low, high = bounds
    each = {"ignore_masks": "_ignore"}

    def over(analysis, aggregate):
        grid = Grid(1, len(sequences))
        for s, sequence in enumerate(sequences):
            grid[0, s] = analysis.subcompute(experiment, tracker, sequence, [])
        return aggregate.aggregate(tracker, sequences, grid)

    accuracy, robustness, *_ = over(AccuracyRobustness(**each), AverageAccuracyRobustness())
    curves = EAOCurves(high=high, **each)
    curve = over(curves, EAOCurve(high=high))
    one = Grid(1, 1)
    one[0, 0] = curve
    score = EAOScore(low=low, high=high)
    eao = score.compute(experiment, [tracker], sequences, [one])[0, 0][0]
    return {"accuracy": accuracy, "robustness": robustness, "eao": eao}


def compared(tmp_path, benchmark: Benchmark, tracker: str, bounds) -> tuple[dict, dict]:
    """Scores of kept runs: the toolkit's from `.bin` files, and the course's."""
    export_results(
        ("course", tmp_path / "ours"), benchmark, tracker, "multistart", ("vot", tmp_path / "bin")
    )
    sequences = [as_vots(tmp_path / "clips" / s.name, s) for s in benchmark]
    read = PROTOCOLS["multistart"].read
    runs = [
        [read(p, s) for p in Run(tmp_path / "ours", benchmark, tracker, s, "multistart").files]
        for s in benchmark
    ]
    lengths = [len(s) for s in benchmark]
    ours = multistart_scores(runs, benchmark.name, lengths, bounds)
    return theirs(tmp_path / "bin", sequences, tracker, bounds), ours


@pytest.mark.parametrize("tracker", ["mosse", "ncc"])
def test_runs_of_a_tracker_have_the_toolkits_accuracy_robustness_and_eao(tmp_path, tracker):
    clips = Benchmark("generated-v1", generated_benchmark().sequences[::4])
    evaluate([TrackerSpec(tracker)], clips, tmp_path / "ours", "multistart", progress=False)
    toolkits, ours = compared(tmp_path, clips, tracker, BOUNDS)
    for name, value in toolkits.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name
        assert ours[f"{name}_exact"] == pytest.approx(value, abs=0.02), name
    assert 0.05 < ours["eao"] < 0.95 and ours["failed"] > 0


def test_scripted_runs_with_absent_targets_and_polygons_have_them_too(tmp_path):
    benchmark = scripted_benchmark()
    write_scripted(tmp_path / "ours", benchmark)
    toolkits, ours = compared(tmp_path, benchmark, "fake", (30, 120))
    for name, value in toolkits.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name
    assert vot_scores(tmp_path / "bin", benchmark, ["fake"], "multistart", "vot")
