"""Declared long runs: what is due, what is done, what happens when time is up or a run fails."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from course_lib import cli
from course_lib.cli.runs import seconds_of
from course_lib.errors import CourseError, SettingsError
from course_lib.models.siamfc import SiamFC
from course_lib.models.weights import save_weights
from course_lib.training import long_runs as runs_module
from course_lib.training.budget import stopped_in_time
from course_lib.training.long_runs import LongRun, do_due, read_runs
from course_lib.training.settings import TrainSettings


@pytest.fixture
def project_of(tmp_path, monkeypatch):
    """A project in a folder of its own; `make(name, script, …)` declares a run of a script in
    it."""
    monkeypatch.setattr(runs_module, "PROJECT", tmp_path)

    def make(name, script, **more):
        (tmp_path / f"{name}.py").write_text(script)
        return LongRun(
            name, f"{name}.py", minutes=1, leaves=(f"{name}.txt",), **{"machine": "cpu", **more}
        )

    return make


def write(name):
    """A script that produces its files."""
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
    assert do_due(runs, 100, said.append) == [] and not any(run.due() for run in runs)


def test_a_run_for_a_gpu_stays_due_until_a_gpu_did_it(project_of, tmp_path):
    run = LongRun("a", "a.py", 1, ("weights/a.safetensors",), "gpu")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.safetensors").write_text("x")
    for hardware, done in (("EPYC, 2 cores, no GPU used", False), ("H200 with EPYC", True)):
        (tmp_path / "weights" / "a.json").write_text(json.dumps({"hardware": hardware}))
        assert (not run.due()) is done


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


def test_a_run_that_stops_itself_in_time_resumes_later(project_of):
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
    assert "the same command resumes it" in said[-1]


def test_too_little_time_starts_nothing(project_of):
    said = []
    assert (
        do_due([project_of("a", write("a"))], 10, said.append) == []
        and "no time is left" in said[-1]
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


@pytest.mark.parametrize(
    "text",
    [
        "9",
        "m",
        "-1m",
        "",
        "0s",
        "-3m",
        "nan",
        "nanm",
        "infh",
        "1e400h",
        "1e300h",
        "9 9m",
        "9d",
        "9000h",
    ],
)
def test_malformed_times(text):
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
    assert "resumes from" in capsys.readouterr().out
    assert cli.main(["train", "--quiet", "--device", "cpu", "--set", *small]) == 0
    assert (tmp_path / "training" / "mini" / "mini.safetensors").is_file()
    assert cli.main(["train", "--quiet", "--set", "stepz=3"]) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err


def test_a_stop_under_torchrun_is_reported_by_a_file(project_of):
    """The exit status is 0: torchrun treats any other as a failure."""
    code = "import os; open(os.environ['COURSE_STOPPED'], 'w').close()"
    said = []
    assert do_due([project_of("a", code)], 100, said.append) == []
    assert "stopped at the end of the budget" in said[-1]


@pytest.mark.parametrize(("torchrun", "status"), [(False, 75), (True, 0)])
def test_the_status_of_a_stop(torchrun, status, tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_STOPPED", raising=False)
    assert stopped_in_time(torchrun) == status
    monkeypatch.setenv("COURSE_STOPPED", str(tmp_path / "mark"))
    assert stopped_in_time(torchrun) == status and (tmp_path / "mark").is_file()


class TestDone:
    """Existing files count only if the present recipe made them."""

    RECIPE = "name: mini\nwidths: [4, 4, 4, 4, 4]\nsteps: 3\n"

    @pytest.fixture
    def trained(self, tmp_path, monkeypatch):
        """A declared training run whose weights exist."""
        monkeypatch.setattr(runs_module, "PROJECT", tmp_path)
        (tmp_path / "r.yaml").write_text(self.RECIPE)
        settings = TrainSettings(name="mini", widths=(4,) * 5, steps=3, seed=1)
        save_weights(
            SiamFC(widths=(4,) * 5), tmp_path / "m.safetensors", {"recipe": asdict(settings)}
        )
        return LongRun("a", "-m course_lib train r.yaml --set seed=1", 1, ("m.safetensors",), "cpu")

    def test_by_the_same_recipe(self, trained, tmp_path):
        assert not trained.due()
        (tmp_path / "r.yaml").write_text("# a remark\n" + self.RECIPE + "workers: 3\n")
        assert not trained.due()  # neither shapes the weights

    def test_an_earlier_recipe_is_due_and_named(self, trained, tmp_path):
        (tmp_path / "r.yaml").write_text(self.RECIPE + "clip_norm: 3.0\n")
        assert (
            trained.due()
            == "m.safetensors is from an earlier recipe: clip_norm 10.0 instead of 3.0"
        )
        (tmp_path / "r.yaml").write_text(self.RECIPE)
        other = replace(trained, command="-m course_lib train r.yaml --set seed=2 --quiet")
        assert "seed 1 instead of 2" in other.due()

    @pytest.mark.parametrize(
        ("card", "words"),
        [(None, "has no card"), ("{", "m.json is damaged"), ("[]", "m.json is damaged")],
    )
    def test_a_missing_or_damaged_card(self, card, words, trained, tmp_path):
        (tmp_path / "m.json").unlink()
        if card is not None:
            (tmp_path / "m.json").write_text(card)
        assert words in trained.due()

    @pytest.mark.parametrize("measured", [None, 3, [], {"hardware": None}])
    def test_odd_notes_of_hardware(self, measured, project_of, tmp_path):
        (tmp_path / "a.txt").write_text("x")
        (tmp_path / "a.json").write_text(json.dumps({"measured": measured}))
        assert not project_of("a", "", machine="gpu").due()

    def test_a_leaderboard_is_due_while_it_lacks_trackers(self, project_of, tmp_path, monkeypatch):
        """Those that it has in part or does not know count, those that cannot be made here do
        not."""

        def make(name):
            if name == "needs-files":
                raise CourseError("no model files")

        monkeypatch.setattr(runs_module, "RANKED", ("whole", "part", "needs-files", "new"))
        monkeypatch.setattr(runs_module, "make_tracker", make)
        run, table = project_of("a", ""), {"trackers": {"whole": {}, "part": {}}}
        run = replace(run, leaves=("a.json",))
        told = {"part": ["fps"], "needs-files": ["ope"]}
        (tmp_path / "a.json").write_text(json.dumps(table | {"not_measured": told}))
        assert run.due() == "a.json lacks part, new"
        monkeypatch.setattr(runs_module, "RANKED", ("whole", "needs-files"))
        assert not run.due()
        (tmp_path / "a.json").write_text(json.dumps(table))  # some other table
        monkeypatch.setattr(runs_module, "RANKED", ("whole", "new"))
        assert not run.due()

    def test_other_runs_remember_their_recipe(self, project_of, tmp_path):
        (tmp_path / "s.yaml").write_text("steps: 3\n")
        run = replace(project_of("a", write("a")), command="a.py s.yaml --more")
        assert do_due([run], 100, print) == ["a"] and not run.due()
        (tmp_path / "s.yaml").write_text("steps: 4  # longer\n")
        assert run.due() == "its command or its recipe has changed"
        assert replace(run, command="a.py s.yaml").due()
        (tmp_path / "s.yaml").write_text("steps:   3  # as before\n")
        assert not run.due()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "contains a NoneType; expected a list of runs"),
        ("a: 1", "contains a dict; expected a list"),
        ("- 3", "has 3 among its runs"),
        ("- [a", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
        ("- {name: a, command: x, minutes: soon, leaves: [y]}", "minutes is 'soon'"),
        ("- {name: a, command: x, minutes: 0, leaves: [y]}", "minutes is 0"),
        ("- {name: a, command: x, minutes: .nan, leaves: [y]}", "minutes is nan"),
        ("- {name: a, command: x, minutes: 1, leaves: y.txt}", "leaves is 'y.txt'.*a list"),
        ("- {name: a, command: x, minutes: 1, leaves: []}", "expected the files it makes"),
        ("- {name: a, command: x, minutes: 1, leaves: [../y]}", "inside the project"),
        ("- {name: a, command: x, minutes: 1, leaves: [/etc/y]}", "inside the project"),
        ("- {name: a, command: x, minutes: 1, leaves: [3]}", r"leaves\[0\] is 3"),
        ("- {name: a, command: '', minutes: 1, leaves: [y]}", "command is ''"),
        ("- {name: a, command: 'x \"y', minutes: 1, leaves: [y]}", "No closing quotation"),
        ("- {name: ../a, command: x, minutes: 1, leaves: [y]}", "expected one plain name"),
        ("- {name: a, command: x, minutes: 1, leaves: [y], machine: tpu}", "machine is 'tpu'"),
        ("- {name: a, name: b, command: x, minutes: 1, leaves: [y]}", "name is given more"),
        (
            "- {name: a, command: x, minutes: 1, leaves: [y]}\n" * 2,
            "declares a more than once",
        ),
    ],
)
def test_a_damaged_declaration(text, words, tmp_path):
    path = tmp_path / "runs.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words) as problem:
        read_runs(path)
    assert "runs.yaml" in str(problem.value)


def test_a_declaration_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("- name: é".encode("latin-1"))
    for name in ("nothing.yaml", "latin.yaml", "."):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_runs(tmp_path / name)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("benchmarks/nothing.py", "there is no benchmarks/nothing.py to start"),
        ("-m nothing_of_the_kind train", "there is no -m nothing_of_the_kind to start"),
        ("-m", "there is no -m to start"),
    ],
)
def test_a_command_that_is_not_there(command, words, project_of):
    run = replace(project_of("a", ""), command=command)
    with pytest.raises(SettingsError, match=words):
        do_due([run], 100, print)


def test_quoted_words_stay_whole(project_of, tmp_path):
    code = "import sys; open('a.txt', 'w').write(sys.argv[1])"
    run = replace(project_of("a", code), command="a.py 'two words'")
    assert do_due([run], 100, print) == ["a"]
    assert (tmp_path / "a.txt").read_text() == "two words"
