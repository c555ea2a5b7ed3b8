"""Declared long runs: what is due, what is done, what happens when the time ends or a run fails."""

from __future__ import annotations

import json

import pytest

from course_lib import cli
from course_lib.cli.runs import seconds_of
from course_lib.errors import CourseError, SettingsError
from course_lib.training import runs as runs_module
from course_lib.training.runs import LongRun, do_due, read_runs


@pytest.fixture
def project_of(tmp_path, monkeypatch):
    """A project in a folder of its own; `make(name, script, …)` declares a run of a script in it."""
    monkeypatch.setattr(runs_module, "PROJECT", tmp_path)

    def make(name, script, **more):
        (tmp_path / f"{name}.py").write_text(script)
        return LongRun(
            name, f"{name}.py", minutes=1, leaves=(f"{name}.txt",), **{"machine": "cpu", **more}
        )

    return make


def write(name):
    """A script that leaves what it should."""
    return f"open({name!r} + '.txt', 'w').write('x')"


def test_the_shipped_file_loads_and_its_recipes_exist(project):
    for run in read_runs():
        for word in run.command.split():
            if word.endswith((".yaml", ".py")):
                assert (project / word).is_file(), f"{run.name}: {word}"


def test_due_runs_are_done_in_order_and_once(project_of):
    said = []
    runs = [project_of("a", write("a")), project_of("b", write("b"))]
    assert do_due(runs, 100, said.append) == ["a", "b"]
    assert do_due(runs, 100, said.append) == [] and all(run.done() for run in runs)


def test_a_run_for_a_gpu_stays_due_until_a_gpu_did_it(project_of, tmp_path):
    run = LongRun("a", "a.py", 1, ("weights/a.safetensors",), "gpu")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.safetensors").write_text("x")
    for hardware, done in (("EPYC, 2 cores, no GPU used", False), ("H200 with EPYC", True)):
        (tmp_path / "weights" / "a.json").write_text(json.dumps({"hardware": hardware}))
        assert run.done() is done


def test_a_failing_run_is_named(project_of):
    with pytest.raises(CourseError, match="run a failed with status 3"):
        do_due([project_of("a", "raise SystemExit(3)")], 100, print)
    with pytest.raises(CourseError, match="run a ended without a.txt"):
        do_due([project_of("a", "pass")], 100, print)


def test_the_budget_ends_a_run_and_leaves_later_ones(project_of, monkeypatch):
    said = []
    monkeypatch.setattr(runs_module, "LEAST", 0.2)
    slow = project_of("a", "import time\nwhile True: time.sleep(0.05)")
    assert do_due([slow, project_of("b", write("b"))], 1.0, said.append) == []
    assert "stopped at the end of the budget" in said[-1] and not any("b:" in s for s in said)


def test_a_run_that_stops_itself_in_time_goes_on_later(project_of):
    said = []
    assert (
        do_due(
            [
                project_of(
                    "a", "import os; assert os.environ['COURSE_BUDGET']; raise SystemExit(75)"
                )
            ],
            100,
            said.append,
        )
        == []
    )
    assert "goes on with it" in said[-1]


def test_too_little_time_starts_nothing(project_of):
    said = []
    assert (
        do_due([project_of("a", write("a"))], 10, said.append) == []
        and "the time is over" in said[-1]
    )


def test_a_wrong_declaration_is_named(tmp_path):
    path = tmp_path / "runs.yaml"
    path.write_text("- {name: a, command: x, minutes: 1, leavs: [y]}")
    with pytest.raises(
        SettingsError, match=r"run 'a': unknown keys \['leavs'\], missing \['leaves'\]"
    ):
        read_runs(path)


def test_the_command_lists_and_refuses(capsys):
    assert cli.main(["runs"]) == 0
    assert "siamfc" in capsys.readouterr().out
    assert cli.main(["runs", "nothing"]) == 2
    assert "no run nothing" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("9m", 540), ("2h", 7200)])
def test_times(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["9", "m", "-1m", ""])
def test_what_is_no_time(text):
    with pytest.raises(SettingsError, match="is not a time"):
        seconds_of(text)


def test_training_by_command(tmp_path, monkeypatch, capsys):
    from course_lib.cli import train

    monkeypatch.setattr(train, "RUNS", tmp_path)
    small = [
        "name=mini",
        "widths=[4, 4, 4, 4, 4]",
        "steps=3",
        "batch=2",
        "validation_pairs=2",
        "rate_start=0.01",
    ]
    assert cli.main(["train", "--quiet", "--device", "cpu", "--budget", "0", "--set", *small]) == 75
    assert "goes on from" in capsys.readouterr().out
    assert cli.main(["train", "--quiet", "--device", "cpu", "--set", *small]) == 0
    assert (tmp_path / "training" / "mini" / "mini.safetensors").is_file()
    assert cli.main(["train", "--quiet", "--set", "stepz=3"]) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err
