"""Where the course finds its files and writes its own: in a checkout, and installed as a package
away from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib.places import NOTEBOOKS, RECIPES, SHIPPED, WEIGHTS, data_root, shipped
from course_lib.provenance import commit
from course_lib.recipe import load_settings
from course_lib.trackers.mosse import MOSSESettings

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkout_reads_its_top_level():
    assert SHIPPED == ROOT
    assert (RECIPES, WEIGHTS, NOTEBOOKS) == (ROOT / "recipes", ROOT / "weights", ROOT / "notebooks")
    assert not (ROOT / "course_lib" / "_share").exists()


def test_a_recipe_of_the_course_is_found_from_everywhere_after_your_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped(Path("recipes/mosse.yaml")) == ROOT / "recipes" / "mosse.yaml"
    assert load_settings(MOSSESettings, "recipes/mosse.yaml") == load_settings(
        MOSSESettings, RECIPES / "mosse.yaml"
    )
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "mosse.yaml").write_text("rate: 0.5\n")
    assert load_settings(MOSSESettings, "recipes/mosse.yaml").rate == 0.5
    assert shipped(Path("recipes/none.yaml")) == Path("recipes/none.yaml")
    assert shipped(tmp_path / "none.yaml") == tmp_path / "none.yaml"


def test_the_data_root_may_be_written_as_people_write_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for text, root in (
        ("~/data sets", tmp_path / "data sets"),
        ("/a/ä", Path("/a/ä")),
        ("  ", ROOT / "data"),
    ):
        monkeypatch.setenv("COURSE_DATA", text)
        assert data_root() == root


def test_the_commit_is_the_courses_own_or_unknown(tmp_path, monkeypatch):
    """An environment with the package may lie inside another repository."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "another project"], check=True)
    package = tmp_path / "venv" / "course_lib" / "_share"
    package.mkdir(parents=True)
    monkeypatch.setattr("course_lib.provenance.SHIPPED", package)
    assert commit() == "unknown"
    monkeypatch.setattr("course_lib.provenance.SHIPPED", tmp_path)
    assert re.fullmatch(
        "[0-9a-f]{40}", commit()
    )  # all its digits: a short hash may become ambiguous
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "new.yaml").touch()
    assert commit().endswith(" with changes in recipes/")
    monkeypatch.setenv("PATH", "")
    assert commit() == "unknown"  # no git


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the course as `pip install` of the checkout leaves it, without its
    dependencies."""
    pytest.importorskip("hatchling")
    base = tmp_path_factory.mktemp("installed")
    source = base / "source"
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    for name in listing.stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    target = base / "site-packages"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(target)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return target


def run(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    """A command of the installed course, started in `folder`."""
    environment = {k: v for k, v in os.environ.items() if k != "COURSE_DATA"}
    environment |= {"PYTHONPATH": str(site), "COURSE_PROFILE": "smoke"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
class TestInstalled:
    """Commands and imports work in any folder, and write there."""

    def test_what_jupyterlab_leaves_out_came_with_it(self, installed):
        config = Path("course_lib/cli/jupyter/labconfig/page_config.json")
        assert (installed / config).read_bytes() == (ROOT / config).read_bytes()

    def test_demo_start_and_evaluate_with_a_recipe(self, installed, tmp_path):
        folder = tmp_path / "anywhere ä"
        folder.mkdir()
        course = ("-m", "course_lib")
        done = run(installed, folder, *course, "demo", "--sequence", "gen-01-plain")
        assert done.returncode == 0, done.stderr
        assert (folder / "runs" / "demo" / "gen-01-plain.json").is_file()
        done = run(installed, folder, *course, "start", "02")
        mine = folder / "my_work" / "02_mosse.ipynb"
        assert done.returncode == 0 and mine.read_bytes() == (NOTEBOOKS / mine.name).read_bytes()
        words = (
            "--tracker",
            "mosse",
            "--sequences",
            "gen-01-plain",
            "--recipe",
            "recipes/mosse.yaml",
        )
        done = run(installed, folder, *course, "evaluate", *words, "--workers", "1")
        assert done.returncode == 0 and "| mosse |" in done.stdout, done.stderr
        assert (folder / "runs" / "results").is_dir()
        assert {p.name for p in folder.iterdir()} == {"runs", "my_work"}

    def test_weights_results_and_solutions_are_there_in_the_kernel_that_installed_it(
        self, installed, tmp_path
    ):
        """As on Colab: installed, then imported by the process that is running already."""
        text = f"""
import sys
sys.path.insert(0, {str(installed)!r})
import course_lib
from course_lib.models.weights import load_network
from course_lib.places import RESULTS, SOLUTIONS
assert course_lib.__file__.startswith({str(installed)!r})
assert load_network("siamfc") is not None
print(len(list(SOLUTIONS.glob("*.ipynb"))), (RESULTS / "real_sequences.json").is_file())
"""
        environment = {"PYTHONPATH": ""}
        done = subprocess.run(
            [sys.executable, "-P", "-c", text],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        count = len(list((ROOT / "solutions").glob("*.ipynb")))
        assert done.stdout.split() == [str(count), "True"]

    def test_what_needs_a_checkout_says_so(self, installed, tmp_path):
        done = run(installed, tmp_path, "-m", "course_lib", "runs")
        assert done.returncode == 2
        assert "in a clone of the course" in done.stderr and "Traceback" not in done.stderr

    def test_the_console_script_the_licences_and_no_stranger_are_in_it(self, installed):
        info = next(installed.glob("tracking_course-*.dist-info"))
        assert "tracking-course = course_lib.cli:main" in (info / "entry_points.txt").read_text()
        assert {p.name for p in (info / "licenses").iterdir()} == {"LICENSE", "LICENSE-text"}
        assert {p.name for p in installed.iterdir()} == {"course_lib", "bin", info.name}
