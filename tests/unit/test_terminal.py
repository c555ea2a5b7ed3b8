"""Terminal output: sentences in any encoding, under any Python, and no warnings about our own
code."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

import course_lib.cli as cli
from course_lib.models.device import Placement
from course_lib.training.processes import ProcessGroup

ROOT = Path(__file__).resolve().parents[2]


def command(*words: str, python: str = sys.executable, **environment: str):
    """A command in its own process, started in the project's folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [python, "-m", "course_lib", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=120,
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.slow
def test_the_doctor_speaks_in_every_encoding(encoding, tmp_path):
    """An arrow precedes each remedy, and the data root has a Greek name."""
    folder = tmp_path / "δεδομένα"
    folder.mkdir()
    done = command(
        "doctor",
        PYTHONIOENCODING=encoding,
        PYTHONUTF8="0",
        COURSE_DATA=str(folder),
        LC_ALL="C.UTF-8",
    )
    assert b"Traceback" not in done.stderr and done.returncode == 0
    said = done.stdout.decode(encoding)
    assert "otb is not in" in said and "`python data_scripts/otb.py` fetches it" in said


def test_an_error_is_reported_in_every_encoding():
    done = command("start", "λ", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C.UTF-8")
    assert done.returncode == 2
    assert done.stderr.startswith(b"start: there is no lesson '?'")


def test_the_data_scripts_speak_in_every_encoding(tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "ascii",
        "PYTHONUTF8": "0",
    }
    done = subprocess.run(
        [sys.executable, "data_scripts/lasot.py", "--root", str(tmp_path / "δ")],
        cwd=ROOT,
        env=environment | {"LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 2 and b"Traceback" not in done.stderr
    assert b"into " in done.stderr and b"/?/lasot" in done.stderr


def test_an_old_python_is_told_at_once(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    monkeypatch.setattr(sys, "version", "3.10.13 (main)")
    for name in cli.COMMANDS:
        assert cli.main([name]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"{name}: this is Python 3.10.13 ")
        assert "needs 3.11 or newer" in said and "make lab" in said


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), "package cv2 is not installed"),
        (ImportError("libGL.so.1: cannot open shared object file"), "libGL.so.1: cannot open"),
        (OSError("libcudart.so.13: cannot open shared object file"), "libcudart.so.13: cannot"),
    ],
)
def test_a_missing_or_broken_package_is_a_sentence(fault, words, monkeypatch, capsys):
    def broken(name: str) -> None:
        raise fault

    monkeypatch.setattr(cli.importlib, "import_module", broken)
    assert cli.main(["demo"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("demo: ") and words in said
    assert "make lab" in said and "doctor" in said


def test_a_fault_of_the_course_itself_is_not_called_a_missing_package(monkeypatch):
    def broken(name: str) -> None:
        raise ModuleNotFoundError("No module named 'course_lib.nowhere'", name="course_lib.nowhere")

    monkeypatch.setattr(cli.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["demo"])


def test_help_names_the_program_as_it_was_called(monkeypatch, capsys):
    for called, named in (
        ("/x/bin/tracking-course", "tracking-course"),
        ("__main__.py", "python -m course_lib"),
    ):
        monkeypatch.setattr(sys, "argv", [called])
        for words in ([], ["demo"]):
            with pytest.raises(SystemExit) as ended:
                cli.main([*words, "--help"])
            assert ended.value.code == 0
            assert capsys.readouterr().out.startswith(" ".join(["usage:", named, *words]))


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", "--nonsense"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err


def test_sharing_gradients_gives_no_warning():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            shared = ProcessGroup(0, 2).wrap(
                torch.nn.Linear(2, 2), Placement(torch.device("cpu"), False)
            )
        assert shared.broadcast_buffers is False
    finally:
        dist.destroy_process_group()
