"""Workflows, containers and Binder only call what exists: targets of the Makefile, extras, files."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE)) | {".venv/.lab", ".venv/.ready"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def called(command: str) -> list[str]:
    """The targets of a command, if it is a call of make and nothing else."""
    found = re.fullmatch(r"(?:\w+=\S+ )*make((?: [a-z./]+)+)", command.strip())
    assert found, f"{command!r} is not a call of make"
    return found[1].split()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
class TestWorkflow:
    """What GitHub runs is what a contributor runs."""

    def test_every_command_is_a_target_of_the_makefile(self, path):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        commands = [s["run"] for job in jobs.values() for s in job["steps"] if "run" in s]
        assert commands and {t for c in commands for t in called(c)} <= TARGETS

    def test_it_has_limits(self, path):
        """A run that hangs ends, and may write no more than it must."""
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["permissions"]["contents"] == "read"
        assert all(job["timeout-minutes"] <= 120 for job in workflow["jobs"].values())
        used = [s["uses"] for j in workflow["jobs"].values() for s in j["steps"] if "uses" in s]
        assert all(re.fullmatch(r"actions/[\w-]+@v\d+", name) for name in used)


def test_the_matrix_begins_with_the_oldest_python():
    jobs = yaml.safe_load(WORKFLOWS[1].read_text(encoding="utf-8"))["jobs"]
    versions = jobs["check"]["strategy"]["matrix"]["python"]
    assert versions[0] == PROJECT["requires-python"].removeprefix(">=")
    named = {c.split(" :: ")[-1] for c in PROJECT["classifiers"] if ":: 3." in c}
    assert set(versions) == named


def test_containers_install_an_extra_that_there_is():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert set(called(container["postCreateCommand"])) <= TARGETS
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM \S+ AS (\w+)", docker, re.MULTILINE)
    assert container["build"]["target"] in stages
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).resolve().is_file()
    commands = re.findall(r"^RUN (make .+)$", docker, re.MULTILINE)
    assert commands and {t for c in commands for t in called(c)} <= TARGETS
    binder = (ROOT / ".binder" / "postBuild").read_text(encoding="utf-8")
    assert set(re.findall(r"\.\[(\w+)\]", binder)) <= set(PROJECT["optional-dependencies"])
    assert (ROOT / ".binder" / "postBuild").stat().st_mode & 0o111  # else Binder does not run it
    version = (ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def docker_answers() -> bool:
    """Whether there is docker, and its daemon runs."""
    if not shutil.which("docker"):
        return False
    return not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode


@pytest.mark.slow
@pytest.mark.skipif(not docker_answers(), reason="needs docker, with its daemon running")
def test_the_image_is_built_and_the_course_works_in_it():
    built = subprocess.run(
        ["docker", "build", "--quiet", str(ROOT)], capture_output=True, text=True, timeout=3600
    )
    assert built.returncode == 0, built.stderr
    image = built.stdout.strip()
    done = subprocess.run(
        ["docker", "run", "--rm", image, ".venv/bin/tracking-course", "demo"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("latest", "expected"), [("", "-c constraints.txt"), ("1", "--upgrade")])
def test_students_get_no_test_tools_and_ci_can_take_the_newest(latest, expected):
    def installs(target: str) -> str:
        said = subprocess.run(
            ["make", "--dry-run", "--always-make", target, f"LATEST={latest}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return next(line for line in said.splitlines() if " pip install " in line)

    assert ".[lab]" in installs("lab") and expected in installs("lab")
    assert ".[lab,test,site]" in installs("check") and expected in installs("check")
