"""The pages for instructors: their commands parse, their scripts are a shell's, their table names
every workflow, their figures are the measured ones."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from course_lib.cli import parser_for
from course_lib.recipe import load_settings, parse_overrides
from course_lib.training.settings import TrainSettings

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "lessons" / "site"
PAGES = {
    name: (SITE / f"{name}.md").read_text("utf-8")
    for name in ("instructors", "classes", "machines")
}
BLOCKS = [
    block
    for page in PAGES.values()
    for block in re.findall(r"^```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
]
SCRIPTS = [block for block in BLOCKS if block.startswith("#!")]
CALLED = re.compile(r"(?:tracking-course|-m course_lib) (\S.*)")


def commands() -> list[str]:
    """What follows the program's name, with plain values for a shell's variables."""
    lines = "\n".join(BLOCKS).replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        match = CALLED.search(re.sub(r"\s+# .*", "", line))
        if match and "…" not in match[1]:
            words = match[1].partition(" ::: ")[0]
            words = words.removesuffix("'") if words.count("'") % 2 else words  # bash -c '…'
            words = words.replace("{}", "1").replace('"$HOME/results"', "results")
            found.append(re.sub(r"\$\{?\w+\}?", "1", words))
    return sorted(set(found))


def test_the_commands_are_seen():
    assert len(commands()) >= 6 and len(SCRIPTS) == 2


@pytest.mark.parametrize("command", commands())
def test_every_command_parses(command):
    words = shlex.split(command)
    arguments = parser_for(words).parse_args(words)
    if words[0] == "train":
        load_settings(TrainSettings, ROOT / arguments.recipe, parse_overrides(arguments.set))


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to read scripts with")
@pytest.mark.parametrize("script", SCRIPTS, ids=["train", "evaluate"])
def test_every_script_is_a_shells(script):
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_table_names_every_workflow():
    named = set(re.findall(r"^\| `(\w+)` \|", PAGES["instructors"], re.MULTILINE))
    assert named == {path.stem for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def test_every_link_leads_to_a_page():
    for text in PAGES.values():
        for target in re.findall(r"\]\((\w+\.md)\)", text):
            assert (SITE / target).is_file(), target
    index = (SITE / "index.md").read_text("utf-8")
    assert all(f"\n{name}\n" in index for name in PAGES)


def test_the_rehearsal_is_told_as_it_was_measured():
    measured = json.loads((ROOT / "results" / "grading_class.json").read_text("utf-8"))
    told = PAGES["classes"]
    assert f"{measured['students']} students of lesson 02" in told and measured["wrong"] == 0
    assert f"all points were right, in {measured['seconds'] / 60:.0f} minutes" in told
    assert measured["median_seconds_of_one"] < 20 and "less than 20 seconds each" in told
    loop, killer = (measured[f"seconds_of_the_{n}"] for n in ("endless_loop", "kernel_killer"))
    assert f"the endless loop took {loop:.0f}, the kernel killer {killer:.0f}" in told
