"""Faults while trackers run: workers, lock-step, and the command's arguments."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from course_lib.cli import main
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError, DataError
from course_lib.evaluation import jobs
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.lockstep import lockstep, track_in_lockstep
from course_lib.evaluation.otb import track
from course_lib.evaluation.records import UnwritableError
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.trackers import Tracker

STAY = TrackerSpec("stay-put")


def little(*names: str) -> Benchmark:
    frames = ArrayFrames(np.zeros((3, 30, 40, 3), np.uint8))
    return Benchmark("little", tuple(Sequence(n, frames, [[1, 1, 9, 9]] * 3) for n in names))


class Pretend:
    """A runtime whose network answers zeros, or fails at the `fails`-th call."""

    def __init__(self, fails: int = 0) -> None:
        self.asked, self.fails = 0, fails

    def respond(self, z, crops):
        self.asked += 1
        if self.asked == self.fails:
            raise MemoryError("out of memory on the device")
        return np.zeros((len(crops), 2))


class Fragile(Tracker):
    """A tracker in three steps that fails in frame `fault` in the way `kind` says."""

    name = "fragile"

    def __init__(self, runtime, kind=None, fault=2) -> None:
        self.runtime, self.kind, self.fault, self.t = runtime, kind, fault, 0

    def init(self, frame, box):
        import torch

        if self.kind == "init":
            raise DataError("no start")
        self.z, self.box = torch.zeros(1, 2), np.array(box, dtype=float)

    def look(self, frame):
        self.t += 1
        if self.kind == "look" and self.t == self.fault:
            raise DataError("no look")
        return np.zeros((1, 2))

    def decide(self, responses):
        if self.kind == "decide" and self.t == self.fault:
            raise DataError("no decision")
        if self.kind == "nan" and self.t == self.fault:
            return np.full(4, np.nan)
        if self.kind == "shape" and self.t == self.fault:
            return [1, 2, 3]
        return self.box + self.t

    def update(self, frame):
        self.look(frame)
        return self.decide(None)


@pytest.mark.parametrize(("kind", "words"), [
    ("init", "no start"), ("look", "no look"), ("decide", "no decision"),
    ("nan", "tracker fragile gave .* for frame 2 of b; expected four finite numbers"),
    ("shape", "tracker fragile gave .* for frame 2 of b; expected four finite numbers"),
])  # fmt: skip
@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_failure_in_lock_step_stays_alone(kind, words, width):
    sequences = list(little("a", "b", "c"))
    made = iter([None, kind, None])  # sequences of one length start in their order
    outcomes = dict(lockstep(lambda: Fragile(Pretend(), next(made)), sequences, width))
    assert sorted(outcomes) == [0, 1, 2]
    with pytest.raises(DataError, match=words):
        raise outcomes[1]
    for k in (0, 2):
        assert outcomes[k].boxes.tolist() == track(Fragile(None), sequences[k]).boxes.tolist()


def test_a_network_that_fails_ends_those_in_its_call():
    runtime = Pretend(fails=2)
    outcomes = dict(lockstep(partial(Fragile, runtime), list(little("a", "b", "c")), 2))
    assert [type(outcomes[k]).__name__ for k in (0, 1, 2)] == ["MemoryError"] * 2 + ["Result"]
    with pytest.raises(MemoryError):
        track_in_lockstep(partial(Fragile, Pretend(fails=1)), list(little("a")), 2)


def test_runs_that_fail_alike_are_named_in_one_sentence(tmp_path):
    frames = ArrayFrames(np.zeros((3, 30, 40, 3), np.uint8))
    wrong = tuple(Sequence(f"s{k}", frames, [[np.nan] * 4] * 3) for k in range(8))
    with pytest.raises(
        CourseError, match=r"^8 of 8 runs failed: stay-put on s0, .* and 3 more: the first box"
    ) as caught:
        evaluate([STAY], Benchmark("little", wrong), tmp_path, progress=False)
    assert str(caught.value).count("the first box is") == 1


def test_a_system_error_is_put_in_words():
    problem = PermissionError(13, "Permission denied", "frame.jpg")
    assert jobs._in_words(problem).startswith("no permission to read or write frame.jpg;")
    again = pickle.loads(pickle.dumps(UnwritableError("no room")))  # on its way from a worker
    assert isinstance(again, UnwritableError) and str(again) == "no room"


class TestWorkers:
    """Several processes: each spawns, imports and loads the benchmark, so these take seconds."""

    pytestmark = pytest.mark.slow

    def test_a_benchmark_made_in_python_is_not_searched_by_name(self, tmp_path):
        with pytest.raises(CourseError, match="there is no benchmark 'little'"):
            evaluate([STAY], little("a"), tmp_path, workers=2, progress=False)
        mine = Benchmark("otb", little("Deer").sequences, first_pixel=1)
        (tmp_path / "data" / "otb" / "Deer" / "img").mkdir(parents=True)
        (tmp_path / "data" / "otb" / "Deer" / "img" / "0001.jpg").touch()
        (tmp_path / "data" / "otb" / "Deer" / "groundtruth_rect.txt").write_text("2,2,9,9\n")
        with pytest.raises(
            CourseError, match=r"finds different data.*number of frames was 3, is now 1"
        ):
            evaluate([STAY], mine, tmp_path, workers=2, data=tmp_path / "data", progress=False)
        assert not list(tmp_path.rglob("*.json"))

    def test_workers_write_the_same_records(self, tmp_path):
        import cv2

        for k in range(3):
            folder = tmp_path / "clips" / f"c{k}"
            folder.mkdir(parents=True)
            for t in range(4):
                cv2.imwrite(str(folder / f"{t}.png"), np.full((60, 80, 3), 9 * t, np.uint8))
            (folder / "groundtruth_rect.txt").write_text("9,9,20,20\n" * 4)
        benchmark = load_benchmark(f"folder:{tmp_path / 'clips'}")
        for workers in (1, 2):
            root = tmp_path / f"r{workers}"
            evaluate([TrackerSpec("ncc")], benchmark, root, workers=workers, progress=False)
            assert check_kept(root, benchmark, ["ncc"], "ope") == []
        files = [sorted((tmp_path / f"r{k}").rglob("c?.txt")) for k in (1, 2)]
        assert len(files[0]) == 3
        assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]

    def test_results_that_cannot_be_written_are_one_sentence(self, tmp_path, capsys):
        folder = tmp_path / "generated-v1" / "stay-put"
        folder.mkdir(parents=True)
        (folder / "records").write_text("a file where a folder should be")
        call = ["evaluate", "--tracker", "stay-put", "--sequences", "gen-01-plain,gen-23-small"]
        assert main([*call, "--results", str(tmp_path), "--workers", "2"]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("evaluate: ") and str(folder / "records") in error
        assert error.count("records") <= 2 and "Traceback" not in error

    def test_a_worker_ended_from_outside_is_named(self, tmp_path):
        benchmark = load_benchmark("generated-v1").only(["gen-01-plain", "gen-23-small"])
        stop = threading.Event()

        def end_one():
            while not stop.is_set():
                for child in multiprocessing.active_children():
                    os.kill(child.pid, signal.SIGTERM)
                    return
                time.sleep(0.01)

        killer = threading.Thread(target=end_one)
        killer.start()
        try:
            # on a busy machine the other process may have finished its run by then
            with pytest.raises(
                CourseError,
                match=r"[12] of 2 runs failed: stay-put on gen-.*: its process was ended from outside",
            ):
                evaluate([STAY], benchmark, tmp_path, workers=2, progress=False)
        finally:
            stop.set()
            killer.join()
        evaluate([STAY], benchmark, tmp_path, progress=False)  # the same command resumes


BASE = ["--tracker", "stay-put"]


@pytest.mark.parametrize(("arguments", "words"), [
    ([*BASE, "--label", "."], "is '.'; expected one plain name"),
    ([*BASE, "--label", ".."], "is '..'; expected one plain name"),
    ([*BASE, "--label", ""], "is ''; expected one plain name"),
    ([*BASE, "--label", "a/b"], "is 'a/b'; expected one plain name"),
    ([*BASE, "--label", "/abs"], "is '/abs'; expected one plain name"),
    ([*BASE, "--sequences", ""], "--sequences is ''; expected names"),
    ([*BASE, "--sequences", "gen-01-plain,,"], "--sequences is 'gen-01-plain,,'"),
    ([*BASE, "--sequences", "gen-01-plain,gen-01-plain"], "duplicate sequence names: gen-01-plain"),
    ([*BASE, "--sequences", "../x"], "has no sequence '../x'"),
    ([*BASE, "--benchmark", ""], "there is no benchmark ''"),
    ([*BASE, "--benchmark", "../x"], "write folder:../x"),
    ([*BASE, "--benchmark", "generated-v1+"], "there is no benchmark ''"),
    ([*BASE, "--benchmark", "folder:"], "'folder:' has no path"),
    ([*BASE, "--part", "0/2"], "--part is '0/2'; expected K/N with K from 1 to N, and N at most the 2"),
    ([*BASE, "--part", "3/3"], "--part is '3/3'"),
    ([*BASE, "--part", "2/1"], "--part is '2/1'"),
    ([*BASE, "--part", "1"], "--part is '1'"),
    ([*BASE, "--workers", "0"], "--workers is 0"),
    ([*BASE, "--workers", "-1"], "--workers is -1"),
    ([*BASE, "--lockstep", "0"], "--lockstep is 0"),
    ([*BASE, "--lockstep", "-5"], "--lockstep is -5"),
    ([*BASE, "stay-put"], "would keep their results as stay-put"),
    ([*BASE, "--recipe", "gone.yaml"], "gone.yaml"),
    ([*BASE, "--set", "stay-put.rate=1"], "unknown key 'rate'"),
    (["--tracker", "moose"], "Did you mean 'mosse'"),
])  # fmt: skip
def test_a_wrong_argument_touches_nothing(tmp_path, capsys, monkeypatch, arguments, words):
    sequences = Benchmark("generated-v1", little("gen-01-plain", "gen-02-x").sequences)
    monkeypatch.setattr("course_lib.data.generated.generated_benchmark", lambda: sequences)
    results = tmp_path / "results"
    assert main(["evaluate", *BASE, "--results", str(results), "--workers", "1"]) == 0
    for place in (results, results / "generated-v1", tmp_path):
        (place / "notes.txt").write_text("mine")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    capsys.readouterr()
    assert main(["evaluate", "--fresh", "--results", str(results), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error and error.count("\n") == 1
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_an_empty_path_is_not_the_current_folder(capsys):
    for option in ("--results", "--root"):
        with pytest.raises(SystemExit):
            main(["evaluate", *BASE, option, ""])
        assert "the path is empty" in capsys.readouterr().err


def test_vots_scores_by_sequence(tmp_path, capsys, monkeypatch):
    """Still targets: never lost; the ten frames after the start do not count, so none of three."""
    sequences = Benchmark("generated-v1", little("gen-01-plain", "gen-02-x").sequences)
    monkeypatch.setattr("course_lib.data.generated.generated_benchmark", lambda: sequences)
    call = ["evaluate", *BASE, "--results", str(tmp_path), "--workers", "1", "--per-sequence"]
    assert main([*call, "--protocol", "vot"]) == 0
    out = capsys.readouterr().out
    assert "| sequence | tracker | accuracy | failures |" in out
    assert "| gen-02-x | stay-put | – | 0 |" in out
