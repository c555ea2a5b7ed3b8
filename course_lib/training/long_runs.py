"""Long runs, declared in `recipes/runs.yaml`: what each produces, whether it is due, and doing the
due ones."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from course_lib.children import ended_with_us
from course_lib.errors import CourseError, DataError, SettingsError
from course_lib.files import plain_name, read_json, write_whole
from course_lib.places import PROJECT, RECIPES
from course_lib.recipe import Positive, Settings, load_settings, parse_overrides, read_yaml
from course_lib.trackers import RANKED, make_tracker
from course_lib.training.budget import STOPPED
from course_lib.training.settings import TrainSettings
from course_lib.training.shaping import unlike

LEAST = 30.0  # no run is started if fewer seconds are left
NEEDED = {"name", "command", "minutes", "leaves"}


@dataclass(frozen=True)
class LongRun(Settings):
    """One declared run.

    Attributes:
        name: name of the run on the command line.
        command: arguments of `python`, for example "-m course_lib train recipes/siamfc.yaml".
        minutes: expected time on the hardware it is declared for.
        leaves: the files it produces, relative to the project.
        machine: "gpu" if it is due until done on a GPU, "cpu" if any machine will do.
    """

    name: str
    command: str
    minutes: Positive
    leaves: tuple[str, ...]
    machine: Literal["gpu", "cpu"] = "gpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        plain_name(self.name, "a run's name")
        if not self.words():
            raise SettingsError(f"command is {self.command!r}; expected what follows `python`")
        outside = [name for name in self.leaves if not name.strip() or not _inside(name)]
        if outside or not self.leaves:
            raise SettingsError(
                f"leaves are {list(self.leaves)}; expected the files it makes, inside the project"
            )

    def words(self) -> list[str]:
        """The command split into words as a shell does it."""
        try:
            return shlex.split(self.command)
        except ValueError as problem:
            raise SettingsError(f"command is {self.command!r}: {problem}") from None

    def due(self) -> str:
        """Why the run is due; "" if all its files exist, made on the declared hardware and with the
        present recipe, and a leaderboard has every tracker that this machine can make."""
        lacks = (why for name in self.leaves if (why := self._lack(PROJECT / name)))
        return next(lacks, "") or self._outdated()

    @property
    def record(self) -> Path:
        """File that records the command and recipes of the last run on this machine; results that
        came with the course have none.
        """
        return PROJECT / "runs" / "declared" / f"{self.name}.json"

    def made_by(self) -> dict[str, Any]:
        """The command and the content of the recipes named in it."""
        recipes = [word for word in self.words() if word.endswith((".yaml", ".yml"))]
        there = [word for word in recipes if (PROJECT / word).is_file()]
        return {
            "command": self.command,
            "recipes": {w: read_yaml((PROJECT / w).read_text("utf-8-sig"), w) for w in there},
        }

    def _outdated(self) -> str:
        """Why the recorded command and recipes are out of date, or ""; for weights, their cards
        tell.
        """
        if not self.record.is_file() or trained_by(self.words()):
            return ""
        try:
            before = read_json(self.record, "the run is repeated")
        except DataError:
            return f"{self.record.name} is damaged"
        return "" if before == self.made_by() else "its command or its recipe has changed"

    def _lack(self, path: Path) -> str:
        """What is wrong with one of the run's files; "" if nothing is."""
        if not path.is_file():
            return f"{path.name} does not exist"
        note = path.with_suffix(".json")
        if not note.is_file():
            return f"{path.name} has no card" if path.suffix == ".safetensors" else ""
        try:
            content = read_json(note, "the run makes it again")
        except DataError:
            return f"{note.name} is damaged"
        measured = content.get("measured")
        inner = measured if isinstance(measured, dict) else {}
        where = str(content.get("hardware") or inner.get("hardware"))
        if self.machine == "gpu" and "no GPU used" in where:
            return f"{path.name} was not made on a GPU"
        if unmeasured := _unmeasured(content):
            return f"{path.name} lacks {', '.join(unmeasured)}"
        changed = self._recipe_changes(content)
        return f"{path.name} is from an earlier recipe: {', '.join(changed[:3])}" if changed else ""

    def _recipe_changes(self, card: dict[str, Any]) -> list[str]:
        """The settings in which the weights' card differs from the recipe of the command."""
        settings = trained_by(self.words())
        recipe = card.get("recipe")
        return unlike(settings, recipe) if settings and isinstance(recipe, dict) else []


def _inside(name: str) -> bool:
    return (PROJECT / name).resolve().is_relative_to(PROJECT.resolve())


def _unmeasured(content: dict[str, Any]) -> list[str]:
    """The trackers that a leaderboard lacks, in whole or in part, and that can be made here; others
    need files that the course does not ship. None of any other content."""
    partly = content.get("not_measured")
    if not isinstance(partly, dict):
        return []
    there = content.get("trackers", {})
    return [n for n in RANKED if (n in partly or n not in there) and _can_be_made(n)]


def _can_be_made(name: str) -> bool:
    try:
        make_tracker(name)
    except CourseError:
        return False
    return True


def trained_by(words: list[str]) -> TrainSettings | None:
    """The settings trained by `-m course_lib train RECIPE --set …`; None for any other command, or
    if they cannot be read.
    """
    if "course_lib" not in words or "train" not in words:
        return None
    after = words[words.index("train") + 1 :]
    recipe = next((PROJECT / word for word in after if word.endswith((".yaml", ".yml"))), None)
    overrides = after[after.index("--set") + 1 :] if "--set" in after else []
    end = next((k for k, word in enumerate(overrides) if word.startswith("--")), len(overrides))
    try:
        return load_settings(TrainSettings, recipe, parse_overrides(overrides[:end]))
    except (SettingsError, OSError):
        return None  # the command itself will report it


def read_runs(path: Path = RECIPES / "runs.yaml") -> list[LongRun]:
    """The declared runs, in the order in which they should be done.

    Raises SettingsError, naming the file, the run and the key at fault.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{path} cannot be read: {problem}") from None
    rows = read_yaml(text, str(path))
    if not isinstance(rows, list):
        raise SettingsError(
            f"{path} contains a {type(rows).__name__}; expected a list of runs, each `- name: …`"
        )
    runs = [_read_run(row, path) for row in rows]
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"{path} declares {', '.join(twice)} more than once")
    return runs


def _read_run(row: Any, path: Path) -> LongRun:
    if not isinstance(row, dict):
        raise SettingsError(f"{path} has {row!r} among its runs; expected name, command, …")
    keys = NEEDED | {"machine"}
    unknown, missing = sorted(map(str, set(row) - keys)), sorted(NEEDED - set(row))
    if unknown or missing:
        raise SettingsError(
            f"{path}, run {row.get('name', '?')!r}: unknown keys {unknown}, missing {missing}; "
            f"expected {', '.join(sorted(keys))}"
        )
    try:
        return LongRun(**row)
    except SettingsError as problem:
        raise SettingsError(f"{path}, run {row['name']!r}: {problem}") from None


def do_due(runs: list[LongRun], budget: float, tell: Callable[[str], None] = print) -> list[str]:
    """Do the runs that are due, one after the other.

    A run is started only if at least half a minute is left. When the budget ends, the current run
    is asked to stop (a training run writes its checkpoint) and resumes the next time.

    Args:
        runs: the runs, in order.
        budget: seconds for all of them.
        tell: called with progress messages, one sentence at a time.

    Returns:
        The names of the finished runs.

    Raises:
        CourseError: a run fails.
    """
    end = time.monotonic() + budget
    finished = []
    for run in runs:
        left = end - time.monotonic()
        why = run.due()
        if not why:
            continue
        if left < LEAST:
            tell(f"{run.name}: due, but no time is left")
            break
        check_command(run)
        tell(f"{run.name}: starts ({why}), expected {run.minutes:g} minutes, {left / 60:.1f} left")
        code = _run(run, left)
        if code is None:
            tell(f"{run.name}: stopped at the end of the budget; the same command resumes it")
            break
        if code:
            raise CourseError(f"run {run.name} failed with status {code}: python {run.command}")
        if lack := run.due():
            raise CourseError(
                f"run {run.name} ended without {', '.join(run.leaves)} as declared: {lack}"
            )
        write_whole(run.record, json.dumps(run.made_by()) + "\n")
        finished.append(run.name)
        tell(f"{run.name}: done")
    return finished


def check_command(run: LongRun) -> None:
    """Check that a run's module or script exists.

    Raises SettingsError, naming the one that is missing.
    """
    words = run.words()
    if words[0] == "-m":
        there = len(words) > 1 and find_spec(words[1].split(".")[0]) is not None
    else:
        there = words[0].startswith("-") or (PROJECT / words[0]).is_file()
    if not there:
        raise SettingsError(
            f"run {run.name}: there is no {' '.join(words[:2]) if words[0] == '-m' else words[0]} "
            "to start; correct its command in recipes/runs.yaml"
        )


def _run(run: LongRun, seconds: float) -> int | None:
    """The command's exit status; None if it was stopped, or stopped itself, for lack of time."""
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "stopped"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
            "COURSE_BUDGET": str(max(seconds - 20, 5)),
            "COURSE_STOPPED": str(mark),
        }
        code = ended_with_us(run.words(), PROJECT, environment, seconds)
        return None if code == STOPPED or (code == 0 and mark.exists()) else code
