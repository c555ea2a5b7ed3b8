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
from course_lib.evaluation.multistart import anchors, is_empty, overlaps_of
from course_lib.evaluation.multistart_scores import multistart_scores
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run
from course_lib.evaluation.regions import is_known, region_overlap
from course_lib.evaluation.report import vot_scores
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.evaluation.vot import true_regions
from course_lib.geometry.mask import Mask

pytest.importorskip("vot.dataset", reason="VOT's toolkit (vot-toolkit) is not installed here")

BOUNDS = (20, 61)  # of EAO, for sequences of a hundred frames


def as_vots(folder, sequence: Sequence):
    """A sequence written as VOT keeps it, loaded by the toolkit; its images are black."""
    from vot.dataset import load_sequence

    (folder / "color").mkdir(parents=True)
    black = np.zeros(sequence.frames[0].shape, np.uint8)
    for t in range(len(sequence)):
        cv2.imwrite(str(folder / "color" / f"{t + 1:08d}.jpg"), black)
    truth = [region if is_known(region) else [0] for region in true_regions(sequence)]
    rows = [str(r) if isinstance(r, Mask) else ",".join(map(str, r)) for r in truth]
    (folder / "groundtruth.txt").write_text("\n".join(rows) + "\n")
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
    benchmark = Benchmark("generated-v1", generated_benchmark().sequences[::4])
    evaluate([TrackerSpec(tracker)], benchmark, tmp_path / "ours", "multistart", progress=False)
    toolkits, ours = compared(tmp_path, benchmark, tracker, BOUNDS)
    for name, value in toolkits.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name
        assert ours[f"{name}_exact"] == pytest.approx(value, abs=0.002), name
    assert 0.05 < ours["eao"] < 0.95 and ours["failed"] > 0


@pytest.mark.parametrize("absent", [(0.0,), (0.0, 0, 0, 0), (50.0, 40, 0, 0)])
def test_scripted_runs_with_absent_targets_and_polygons_have_them_too(tmp_path, absent):
    benchmark = scripted_benchmark()
    write_scripted(tmp_path / "ours", benchmark, absent=absent)
    toolkits, ours = compared(tmp_path, benchmark, "fake", (30, 120))
    for name, value in toolkits.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name
    assert vot_scores(tmp_path / "bin", benchmark, ["fake"], "multistart", "vot")


def blobs(sequence: Sequence) -> Sequence:
    """The same sequence with an ellipse in every box as its truth."""
    masks = []
    for x, y, w, h in sequence.boxes:
        if np.isnan(x):
            masks.append(None)
            continue
        v, u = np.mgrid[0 : int(h), 0 : int(w)]
        inside = ((u + 0.5) / int(w) - 0.5) ** 2 + ((v + 0.5) / int(h) - 0.5) ** 2 <= 0.25
        masks.append(Mask.from_pixels(inside, int(x), int(y)))
    boxes = np.array([np.full(4, np.nan) if mask is None else mask.box for mask in masks])
    return Sequence(sequence.name, sequence.frames, boxes, masks=tuple(masks))


def test_boxes_against_true_masks_have_the_toolkits_scores(tmp_path):
    plain = scripted_benchmark()
    benchmark = Benchmark("vot2021", tuple(blobs(sequence) for sequence in plain))
    write_scripted(tmp_path / "ours", benchmark)
    toolkits, ours = compared(tmp_path, benchmark, "fake", (30, 120))
    for name, value in toolkits.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name


def test_masks_and_their_overlaps_are_the_toolkits():
    from vot.region import calculate_overlap
    from vot.region.io import parse_region
    from vot.region.shapes import Mask as Theirs
    from vot.region.shapes import Rectangle

    rng = np.random.default_rng(4)
    for _ in range(300):
        pixels = rng.random(rng.integers(1, 12, 2)) < rng.uniform(0.05, 0.9)
        pixels[rng.integers(len(pixels)), rng.integers(len(pixels[0]))] = True
        left, top = rng.integers(-5, 25, 2)
        mask = Mask.from_pixels(pixels, left, top)
        same = parse_region(str(mask))
        assert is_empty(mask) == same.is_empty()
        if mask.width == 1:  # the toolkit reads no pixels, see `readers.vot`
            assert same.mask.size == 0
            continue
        assert str(mask) == str(same) == str(Theirs(pixels, (int(left), int(top)), optimize=True))
        box = np.concatenate([rng.uniform(-6, 26, 2), rng.uniform(0.4, 14, 2)])
        theirs = calculate_overlap(Rectangle(*box), same, (30, 24))
        assert region_overlap(box, mask, 24, 30) == pytest.approx(theirs, abs=1e-12)


def test_regions_are_like_a_code_where_they_are_in_the_toolkit():
    from vot.region import Special, calculate_overlap
    from vot.region.shapes import Polygon, Rectangle

    rng, absent = np.random.default_rng(6), [np.full(4, np.nan)]
    for _ in range(2000):
        box = np.concatenate([rng.integers(-3, 4, 2), rng.integers(0, 4, 2)]) * rng.choice([0.5, 1])
        corners = rng.integers(-2, 3, (3, 2)) * rng.integers(0, 2, 2)
        for region, theirs in (
            (box, Rectangle(*box)),
            (corners.ravel(), Polygon(corners.tolist())),
        ):
            wanted = calculate_overlap(theirs, Special(0), (40, 30))
            assert overlaps_of([region], absent, (30, 40)) == wanted
            assert overlaps_of([np.zeros(1)], [region], (30, 40)) == wanted
