"""An evaluation in parts, by several processes at once or on machines of their own, gives the
results of a whole one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.cli import main

CHOSEN = "gen-01-plain,gen-02-plain-grey,gen-23-small"


def words(results: Path, *more: str) -> list[str]:
    """The command's words; ncc is quick, and its boxes depend on nothing but the frames."""
    shared = ("--tracker", "stay-put", "ncc", "--sequences", CHOSEN, "--results", str(results))
    return ["evaluate", *shared, "--workers", "1", *more]


def files(results: Path) -> dict[str, bytes]:
    """Boxes and records by name; seconds per frame differ from run to run, and so does what
    records say of their files."""
    whole = {p.relative_to(results).as_posix(): p for p in results.rglob("*") if p.is_file()}
    return {name: p.read_bytes() if is_boxes(p) else b"" for name, p in whole.items()}


def is_boxes(path: Path) -> bool:
    """Whether a file of results holds boxes."""
    return path.suffix == ".txt" and "times" not in path.parts


@pytest.mark.slow
def test_two_processes_at_once_in_one_folder_make_the_whole(tmp_path, capsys):
    assert main(words(tmp_path / "whole")) == 0
    table = capsys.readouterr().out
    command = [sys.executable, "-m", "course_lib"]
    parts = [
        subprocess.Popen(
            [*command, *words(tmp_path / "parts", "--part", f"{k}/2")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for k in (1, 2)
    ]
    said = [part.communicate(timeout=280) for part in parts]
    assert [part.returncode for part in parts] == [0, 0], said
    assert "part 1/2: 2 of 3 sequences" in said[0][0] and "part 2/2: 1 of 3" in said[1][0]
    assert "|" not in said[0][0]  # no table of a part
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    # everything is there: the whole command runs nothing, and shows the same table
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "parts").rglob("*.txt")}
    assert main(words(tmp_path / "parts")) == 0
    assert accuracy(capsys.readouterr().out) == accuracy(table)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "parts").rglob("*.txt")}


def accuracy(table: str) -> list[list[str]]:
    """The rows of a table without the last column, frames per second."""
    return [line.split("|")[:-2] for line in table.splitlines() if line.startswith("|")]


@pytest.mark.slow
def test_machines_without_a_shared_disk_copy_their_folders_together(tmp_path):
    for k in (1, 2):
        assert main(words(tmp_path / f"machine{k}", "--part", f"{k}/2")) == 0
        shutil.copytree(tmp_path / f"machine{k}", tmp_path / "together", dirs_exist_ok=True)
    assert main(words(tmp_path / "whole")) == 0
    assert files(tmp_path / "together") == files(tmp_path / "whole")
    halves = [set(files(tmp_path / f"machine{k}")) for k in (1, 2)]
    assert not halves[0] & halves[1]  # nothing is written by both
