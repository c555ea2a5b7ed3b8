"""What lesson 16 asks for is what the library does: the references of its checks beside the code
that the protocols run."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.evaluation import longterm, multistart_scores
from course_lib.evaluation.longterm import ReportedRun
from course_lib.evaluation.multistart import REACH, SPACING, AnchoredRun, anchors, frames_of
from course_lib.evaluation.quality import quality_scores
from course_lib.exercises.lesson16 import runs_of
from course_lib.exercises.lesson16_curve import expected_curve
from course_lib.exercises.lesson16_fault import mended_f
from course_lib.exercises.lesson16_progress import progress
from course_lib.exercises.lesson16_quality import quality
from course_lib.exercises.lesson16_scores import accuracy_robustness


@pytest.fixture
def sequences() -> list[list[AnchoredRun]]:
    """Runs on sequences of 60, 90 and 75 frames, some of which fail, some with absences."""
    rng = np.random.default_rng(3)
    found = []
    for length, anchored in ((60, (0, 59)), (90, (0, 50, 89)), (75, (0, 50, 74))):
        runs = []
        for anchor in anchored:
            backward = length - 1 - anchor < anchor
            N = len(frames_of(anchor, backward, length))
            overlaps = rng.uniform(0.2, 0.9, N)
            overlaps[0] = 0
            if rng.random() < 0.6:
                at = int(rng.integers(5, N - 12))
                overlaps[at : at + 11] = 0.03
            present = rng.random(N) < 0.97
            runs.append(
                AnchoredRun(anchor, backward, [], np.full(N, np.nan), overlaps, overlaps, present)
            )
        found.append(runs)
    return found


def plain(runs: list[AnchoredRun]) -> list[tuple[np.ndarray, int]]:
    return [(run.overlaps, progress(run.overlaps, run.present, 10)) for run in runs]


@pytest.mark.parametrize("length", [7, 49, 50, 51, 100, 101, 137, 220])
def test_runs_are_the_protocol_s(length):
    rng = np.random.default_rng(length)
    for fraction in (0.0, 0.3, 0.8):
        usable = rng.random(length) >= fraction
        usable[0] = True
        boxes = np.where(usable[:, None], [5.0, 5, 8, 8], np.nan)
        frames = ArrayFrames([np.zeros((20, 20, 3), np.uint8)] * length)
        found = anchors(Sequence("drawn", frames, boxes))
        mine = runs_of(usable, SPACING, REACH)
        theirs = [(t, frames_of(t, way < 0, length)[-1]) for t, way in sorted(found.items())]
        assert mine == theirs


def test_scores_are_the_protocol_s(sequences):
    lengths = [60, 90, 75]
    theirs = multistart_scores.accuracy_robustness(sequences, lengths)
    assert 0 < theirs["failed"] < theirs["runs"]
    mine = accuracy_robustness([plain(runs) for runs in sequences], lengths)
    np.testing.assert_allclose(mine, [theirs["accuracy"], theirs["robustness"]], rtol=1e-12)


def test_the_curve_is_the_protocol_s(sequences):
    runs = [run for started in sequences for run in started]
    for high in (20, 61, 100):
        theirs = multistart_scores.expected_overlap_curve(runs, high)
        np.testing.assert_allclose(expected_curve(plain(runs), high), theirs, rtol=1e-12)


def reported(length: int, gone: int, seed: int) -> ReportedRun:
    rng = np.random.default_rng(seed)
    present = np.ones(length, dtype=bool)
    present[1 + rng.permutation(length - 1)[:gone]] = False
    given = rng.random(length) < 0.7
    given[0] = False
    overlaps = np.where(present & given, rng.uniform(0, 0.9, length).clip(0.2) - 0.2, 0.0)
    overlaps[~present & ~given] = 1.0
    known = np.ones(length, dtype=bool)
    scores = rng.permutation(length) / 10
    return ReportedRun([], np.full(length, np.nan), scores, overlaps, given, present, known)


@pytest.mark.parametrize("gone", [0, 10, 11, 30])
def test_quality_is_the_challenge_s(gone):
    run = reported(80, gone, gone)
    mine = quality(np.where(run.present, run.overlaps, 0.0), run.present, run.reported)
    theirs = quality_scores([[run]])
    wanted = [theirs["quality"], theirs["robustness"], theirs["absence"]]
    np.testing.assert_allclose(mine, wanted, rtol=1e-12)
    assert np.isnan(mine[2]) == (gone <= 10)


def test_precision_and_recall_are_the_long_term_measure_s():
    run = reported(50, 12, 1)
    for threshold in (-1.0, 0.7, 2.0, 9.0):
        p, r, f = mended_f(run.overlaps, run.scores, run.present, threshold)
        theirs = longterm.precision_recall(run, np.array([threshold]))
        np.testing.assert_allclose((p, r), np.ravel(theirs), rtol=1e-12)
        assert f == pytest.approx(2 * p * r / (p + r) if p + r else 0.0)


def test_f_is_the_long_term_score_at_its_threshold():
    run = reported(50, 12, 2)
    best = longterm.longterm_scores([[run]])
    found = mended_f(run.overlaps, run.scores, run.present, best["threshold"])
    np.testing.assert_allclose(found, [best["precision"], best["recall"], best["f"]])
