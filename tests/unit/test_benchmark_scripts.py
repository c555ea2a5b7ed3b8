"""`benchmarks/`: every script starts, speeds are medians, and studies resume where they stopped."""

from __future__ import annotations

import argparse
import importlib
import json
import runpy
import sys
import time

import numpy as np
import pytest
import torch

from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.scores import Report
from course_lib.models.device import choose_placement
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.weights import find_weights, load_network, load_siamfc, read_card
from course_lib.places import PROJECT
from course_lib.trackers import make_tracker
from course_lib.training.budget import STOPPED
from course_lib.training.long_runs import read_runs

FOLDER = PROJECT / "benchmarks"
SHARED = {"arms", "lost_areas", "measure"}
SCRIPTS = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in SHARED)
COMMANDS = [run.words() for run in read_runs() if run.words()[0].startswith("benchmarks/")]


@pytest.fixture
def shared(monkeypatch):
    """Two of the modules that the scripts share, and the folder they are imported from."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import arms
    import measure

    return argparse.Namespace(arms=arms, measure=measure)


def start(monkeypatch, words):
    monkeypatch.setattr(sys, "argv", [str(PROJECT / words[0]), *words[1:]])
    runpy.run_path(str(PROJECT / words[0]), run_name="__main__")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_benchmark_starts_and_states_its_question(name, shared, monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        start(monkeypatch, [f"benchmarks/{name}.py", "--help"])
    assert end.value.code == 0
    assert "?" in " ".join(capsys.readouterr().out.split("options:")[0].split())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_declared_commands_are_accepted_by_the_benchmarks(words, shared, monkeypatch):
    class Parsed(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def stop(self):
        raise Parsed(parse(self))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    with pytest.raises(Parsed) as found:
        start(monkeypatch, words)
    assert str(found.value.args[0].write) == words[-1]


class Clock:
    """A clock that the work advances."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


def test_speeds_are_medians_in_turns_without_the_first(shared, monkeypatch):
    clock, turns = Clock(monkeypatch), []
    spent = {"fast": iter((100, 1, 2, 4)), "slow": iter((100, 8, 16, 8))}
    threads = torch.get_num_threads()

    def work(name):
        turns.append(name)
        assert torch.get_num_threads() == 1
        clock.now += next(spent[name])
        return 16

    def prepare(name):
        turns.append(f"prepare {name}")
        clock.now += 1000

    ways = {name: lambda name=name: work(name) for name in spent}
    torch.set_num_threads(2)
    try:
        speeds = shared.measure.measure(ways, rounds=3, prepare=prepare)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert speeds == {"fast": 8.0, "slow": 2.0}
    assert turns == ["prepare fast", "fast", "prepare slow", "slow"] * 4


def still(name, length=4):
    """A target that is still for half of the frames, then 10 pixels (its width) further on."""
    boxes = np.array([[20.0 + 10 * (t >= length // 2), 20, 10, 10] for t in range(length)])
    return Sequence.in_memory(name, [np.zeros((60, 80, 3), np.uint8)] * length, boxes, {"FM"})


def test_a_pass_gives_the_scores_of_the_course(shared):
    benchmark = Benchmark("toy", (still("a"), still("b", 8)))
    results = shared.measure.one_pass({"it": lambda: make_tracker("stay-put")}, benchmark)
    report = Report.from_results(benchmark, results)
    row = shared.measure.figures(report, "it")
    assert row["auc"] == pytest.approx(0.5 * 20 / 21)  # IoU 1 at 20 of 21 thresholds, then 0
    assert row["precision20"] == 1.0
    assert row["mean_iou"] == 0.5
    assert row["auc_by_sequence"] == pytest.approx({"a": 10 / 21, "b": 10 / 21})
    assert len(row["curves"]["success"]) == 21
    short = shared.measure.first_frames(benchmark, 3)
    assert [len(s) for s in short] == [3, 3]
    assert [len(s) for s in shared.measure.first_frames(benchmark, None)] == [4, 8]


def test_intervals_are_students(shared):
    mean = shared.arms.mean_with_interval
    two, three = mean([0.4, 0.6]), mean([1.0, 2.0, 3.0])
    assert two["mean"] == pytest.approx(0.5)
    assert two["half_width"] == pytest.approx(12.706 * 0.1, rel=1e-4)
    assert (three["seeds"], three["mean"]) == (3, 2.0)
    assert three["half_width"] == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert np.isnan(mean([0.4])["half_width"])


@pytest.fixture
def toy(shared, monkeypatch, tmp_path):
    """A study of two arms whose training writes a file, and whose budget the test sets."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: toy\nsteps: 2\n", encoding="utf-8")
    made = argparse.Namespace(trained=[], allowed=99, recipe=recipe, folder=tmp_path)
    monkeypatch.setattr(shared.arms, "RUNS", tmp_path / "runs")

    def train(settings, budget=None):
        if len(made.trained) == made.allowed:
            return None
        made.trained.append(settings.name)
        path = tmp_path / "runs" / "training" / settings.name / f"{settings.name}.safetensors"
        path.parent.mkdir(parents=True)
        path.write_text(str(settings.radius), encoding="utf-8")
        path.with_suffix(".json").write_text("{}", encoding="utf-8")
        return path

    monkeypatch.setattr(shared.arms, "train_to_weights", train)
    monkeypatch.setattr(shared.arms, "WEIGHTS", tmp_path)
    monkeypatch.setattr(
        shared.arms,
        "find_weights",
        lambda name: tmp_path / "runs" / "training" / name / f"{name}.safetensors",
    )

    def run(*words):
        parser = shared.arms.study_options("Is it so?", ["small", "wide one"], seeds=2)
        options = parser.parse_args([str(recipe), "--write", str(tmp_path / "table.json"), *words])
        arms = [
            shared.arms.Arm(name, recipe, {"radius": radius}, ships_as)
            for name, radius, ships_as in (("small", 8.0, "kept"), ("wide one", 24.0, ""))
            if name in options.arms
        ]

        def measured(arm, settings, path):
            radius = float(path.read_text(encoding="utf-8"))
            return {"arm": arm.name, "seed": settings.seed, "auc": radius / (1 + settings.seed)}

        return shared.arms.run_arms(
            arms, options, measured, lambda row: {"auc": row["auc"]}, lambda rows: {"n": len(rows)}
        )

    made.run = run
    made.table = lambda: json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    return made


NAMES = ["toy-small-seed0", "toy-wide-one-seed0", "toy-small-seed1", "toy-wide-one-seed1"]


def test_a_study_trains_its_arms_and_averages_over_seeds(toy):
    assert toy.run() == 0
    assert toy.trained == NAMES
    table = toy.table()
    assert table["n"] == 4
    assert [row["auc"] for row in table["runs"]] == [8.0, 24.0, 4.0, 12.0]
    over = table["over_seeds"]
    assert (over["small"]["auc"]["seeds"], over["small"]["auc"]["mean"]) == (2, 6.0)
    assert over["wide one"]["auc"]["half_width"] == pytest.approx(12.706 * 6, rel=1e-4)
    assert table["measured"]["seeds"] == [0, 1]
    assert {"commit", "hardware", "profile", "threads"} <= set(table["measured"])
    assert (toy.folder / "kept.safetensors").read_text(encoding="utf-8") == "8.0"
    assert not list(toy.folder.glob("wide*"))


def test_an_interrupted_study_ends_with_the_same_table(toy, monkeypatch):
    toy.allowed = 3
    assert toy.run() == STOPPED
    assert not (toy.folder / "table.json").exists()
    assert toy.trained == NAMES[:3]
    toy.allowed = 99
    assert toy.run() == 0
    assert toy.trained == NAMES
    whole = toy.table()
    assert toy.run() == 0
    assert toy.trained == NAMES  # all kept
    assert toy.table()["runs"] == whole["runs"]
    assert [row["auc"] for row in whole["runs"]] == [8.0, 24.0, 4.0, 12.0]


def test_a_study_starts_no_arm_without_time_left(toy, monkeypatch):
    monkeypatch.setenv("COURSE_BUDGET", "10")
    assert toy.run() == STOPPED
    assert toy.trained == []


def test_two_processes_share_a_study(toy):
    assert toy.run("--part", "0/2") == 0
    assert toy.trained == [NAMES[0], NAMES[2]]
    assert not (toy.folder / "table.json").exists()
    assert toy.run("--finished") == 0
    assert [row["seed"] for row in toy.table()["runs"]] == [0, 1]
    assert toy.run("--part", "1/2") == 0
    assert sorted(toy.trained) == sorted(NAMES)


def test_a_gpu_study_ships_no_weights(toy):
    toy.recipe.write_text("name: toy-gpu\nsteps: 2\n", encoding="utf-8")
    assert toy.run("--arms", "small", "--seeds", "0") == 0
    assert toy.table()["over_seeds"]["small"]["auc"]["half_width"] is None
    assert not (toy.folder / "kept.safetensors").exists()


@pytest.fixture(scope="module")
def few_frames():
    return make_sequence(random_spec(1, length=3))


@pytest.mark.parametrize("weights", ["siamrpn", "siamrpnpp-lite0", "ciresnet22"])
def test_plain_networks_find_the_boxes_of_the_courses(weights, shared, few_frames, capsys):
    network_speed = importlib.import_module("network_speed")
    makers = network_speed.makers_of(load_network(weights))
    row = network_speed.against_plain(weights, makers, few_frames, rounds=1)  # compares the boxes
    assert set(row["fps"]) == {"plain", "fp32", "bf16"}
    assert row["fp32"] == row["fps"]["fp32"] / row["fps"]["plain"]


def test_the_plain_tracker_runs_beside_the_courses(shared):
    siamfc_speed = importlib.import_module("siamfc_speed")
    speeds = siamfc_speed.tracking((8, 8, 8, 8, 8), frames=2)
    assert {"plain", "fp32"} <= set(speeds)
    assert min(speeds.values()) > 0


def test_the_cost_of_the_update_is_part_of_the_frames(shared, few_frames):
    siammargin = importlib.import_module("siammargin")
    runtime = SiamFCRuntime(load_siamfc("siammargin"), choose_placement("cpu"))
    cost = siammargin.time_of_update(runtime, few_frames)
    assert 0 < cost["milliseconds_of_update"] < cost["milliseconds_a_frame"]
    rest = cost["milliseconds_a_frame"] - cost["milliseconds_of_update"]
    assert cost["fraction"] == pytest.approx(cost["milliseconds_of_update"] / rest)


def test_size_responses_are_kept_while_frames_and_weights_are_the_same(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    kept = importlib.import_module("size_response").kept
    row = {"sha256": read_card(find_weights("siamrpn"))["sha256"], "gain": 0.5}
    other = row | {"sha256": "0" * 64}
    file = tmp_path / "table.json"
    assert kept(None, 4) == kept(file, 4) == {}
    table = {"frames": 4, "factors": [1], "siamrpn": row, "siamrpn-sized": other, "siamfc": {}}
    file.write_text(json.dumps(table), encoding="utf-8")
    assert kept(file, 4) == {"siamrpn": row}
    assert kept(file, 5) == {}
