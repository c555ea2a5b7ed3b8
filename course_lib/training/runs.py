"""Long runs, declared once in `recipes/runs.yaml`: what each leaves, whether it is done, and doing what is due."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from course_lib.errors import CourseError, SettingsError
from course_lib.places import PROJECT, RECIPES

STOPPED = 75  # a command's exit status when its budget ended before its work: "try again later" in sysexits.h
LEAST = 30.0  # seconds left under which no run is started
KEYS = {"name", "command", "minutes", "leaves", "machine"}


@dataclass(frozen=True)
class LongRun:
    """One declared run.

    Attributes:
        name: how it is asked for.
        command: what follows `python` on the command line, for example "-m course_lib train recipes/siamfc.yaml".
        minutes: expected, on the hardware it is declared for.
        leaves: the files it makes, relative to the project.
        machine: "gpu" if it is due until a GPU has done it, "cpu" if any machine will do.
    """

    name: str
    command: str
    minutes: float
    leaves: tuple[str, ...]
    machine: str = "gpu"

    def done(self) -> bool:
        """Whether everything it leaves is there, made on the hardware it is declared for."""
        return all(self._made(PROJECT / name) for name in self.leaves)

    def _made(self, path: Path) -> bool:
        if not path.is_file():
            return False
        note = path.with_suffix(".json")
        if self.machine != "gpu" or not note.is_file():
            return True
        content = json.loads(note.read_text(encoding="utf-8"))
        hardware = content.get("hardware") or content.get("measured", {}).get("hardware", "")
        return "no GPU used" not in hardware


def read_runs(path: Path = RECIPES / "runs.yaml") -> list[LongRun]:
    """The declared runs, in the order they should be done.

    Raises SettingsError naming the file, the run and the key at fault.
    """
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as problem:
        raise SettingsError(f"{path} cannot be read: {problem}") from None
    runs = []
    for row in rows or []:
        unknown, missing = set(row) - KEYS, {"name", "command", "minutes", "leaves"} - set(row)
        if unknown or missing:
            raise SettingsError(
                f"{path}, run {row.get('name', '?')!r}: unknown keys {sorted(unknown)}, missing {sorted(missing)}; "
                f"expected {', '.join(sorted(KEYS))}"
            )
        runs.append(LongRun(**{**row, "leaves": tuple(row["leaves"])}))
    return runs


def do_due(runs: list[LongRun], budget: float, tell: Callable[[str], None] = print) -> list[str]:
    """Do what is not done yet, one after the other, within `budget` seconds; names of the runs finished.

    A run is started only while half a minute is left. When the budget ends the running one is asked to stop (a
    training run writes its checkpoint) and goes on the next time. Raises CourseError if one fails.
    """
    end = time.monotonic() + budget
    finished = []
    for run in runs:
        left = end - time.monotonic()
        if run.done():
            continue
        if left < LEAST:
            tell(f"{run.name}: due, but the time is over")
            break
        tell(f"{run.name}: starts, expected {run.minutes:g} minutes, {left / 60:.1f} left")
        code = _run(run, left)
        if code is None:
            tell(f"{run.name}: stopped at the end of the budget; the same command goes on with it")
            break
        if code:
            raise CourseError(f"run {run.name} failed with status {code}: python {run.command}")
        if not run.done():
            raise CourseError(
                f"run {run.name} ended without {', '.join(run.leaves)}, or on other hardware than declared"
            )
        finished.append(run.name)
        tell(f"{run.name}: done")
    return finished


def _run(run: LongRun, seconds: float) -> int | None:
    """The command's exit status, or None if it was stopped after `seconds`."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
    }
    environment["COURSE_BUDGET"] = str(max(seconds - 20, 5))
    process = subprocess.Popen([sys.executable, *run.command.split()], cwd=PROJECT, env=environment)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return None
    return None if code == STOPPED else code


def budget_from_outside() -> float | None:
    """Seconds that `runs` gave the command it started; None for a command started by hand."""
    return float(os.environ["COURSE_BUDGET"]) if "COURSE_BUDGET" in os.environ else None
