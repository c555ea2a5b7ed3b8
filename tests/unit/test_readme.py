"""README and the pages it leads to: every command in them parses, every file they name is there,
every figure is the measured one; and it runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from course_lib.cli import parser_for
from course_lib.data.generated import SPECS
from course_lib.grading import term
from course_lib.recipe import load_settings, parse_overrides
from course_lib.trackers import make_tracker
from course_lib.trackers.mosse import MOSSESettings
from course_lib.training.settings import TrainSettings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "lessons" / "site" / f"{n}.md" for n in ("install", "commands", "full_scale", "teaching")
]
README = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "README.md", *PAGES))
BLOCKS = re.findall(r"^ *```\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)
INLINE = [re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", re.sub("```", "", README))]
LINES = [
    re.sub(r"\s+# .*|^\s*#.*", "", line).strip() for block in BLOCKS for line in block.splitlines()
]


def course_commands(lines: list[str]) -> list[str]:
    """What follows the program's name, however it is called."""
    called = re.compile(
        r"(?:^|\\|&& )(?:tracking-course|(?:torchrun \S+|python) -m course_lib) (\S.*)"
    )
    return sorted({m[1] for line in lines if (m := called.search(line)) and "…" not in m[1]})


RUNS = {  # the names of the runs whose recipes it trains
    load_settings(TrainSettings, ROOT / name).name
    for name in re.findall(r"train (recipes/\w+\.yaml)", README)
}
COMMANDS = course_commands([*LINES, *INLINE])


def test_the_commands_are_seen():
    """That the pattern above finds them at all."""
    assert len(COMMANDS) >= 18
    named = {command.split()[0] for command in COMMANDS}
    assert {
        "doctor",
        "start",
        "lab",
        "demo",
        "track",
        "train",
        "evaluate",
        "report",
        "runs",
    } <= named
    assert ".venv/bin/python -m" not in README and "--data " not in README


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith("-")])
def test_every_command_parses_and_names_what_is_there(command):
    words = shlex.split(command)
    arguments = parser_for(words).parse_args(words)
    for word in words:
        if word.endswith((".yaml", ".py")):
            assert (ROOT / word).is_file(), word
    if words[0] == "train":
        load_settings(TrainSettings, ROOT / words[1], parse_overrides(arguments.set))
    if words[0] == "evaluate":
        overrides = parse_overrides(arguments.settings)
        for name in arguments.tracker:
            own = {k.partition(".")[2]: v for k, v in overrides.items() if k.startswith(f"{name}.")}
            assert len(arguments.tracker) > 1 or len(own) == len(overrides)
            if own.get("weights") in RUNS:  # made by the reader; the shipped ones stand in
                del own["weights"]
            make_tracker(name, arguments.recipe and ROOT / arguments.recipe, **own)
    if words[0] == "track":
        make_tracker(arguments.tracker, **parse_overrides(arguments.settings))


@pytest.mark.parametrize(
    "code",
    sorted({c for c in INLINE if c.startswith("--set ") or re.fullmatch(r"[a-z.]+=\d\S*", c)}),
)
def test_every_setting_named_in_the_text_is_one(code):
    overrides = parse_overrides(code.removeprefix("--set ").split())
    load_settings(TrainSettings, None, overrides)


def test_every_make_target_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {m[1] for line in [*LINES, *INLINE] if (m := re.match(r"make ([a-z]+)", line))}
    assert {"lab", "test", "site", "help", "notebooks"} <= named <= targets


def test_files_and_folders_in_backquotes_exist():
    made = {"my_work/", "runs/", "data/", "site/"}
    of_ones_own = {
        "photos/",
        "images/",
        "instances.json",
        "groundtruth.txt",
        "groundtruth_rect.txt",
        "tracker.json",
        "lessons/NN_name.py",
    }
    pattern = r"[\w./]+(/|\.py|\.ya?ml|\.json|\.txt)"
    named = {c for c in INLINE if re.fullmatch(pattern, c)} - made - of_ones_own
    assert [n for n in named if not (ROOT / n).exists()] == [] and len(named) > 8


def test_extras_that_it_installs_are_declared():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    named = set(re.findall(r"install -e '?\.\[([a-z,]+)\]", README))
    assert named == {"lab", "browser", "grading", "export"} and named <= set(extras)
    assert any(r.startswith("voila") for r in extras["browser"])


def test_figures_are_the_measured_ones():
    real = json.loads((ROOT / "results" / "real_sequences.json").read_text(encoding="utf-8"))
    made = real["generated"]["overall"]
    figures = [
        scores[name]["auc"]
        for scores in (made, real["overall"])
        for name in ("mosse", "kcf-filter")
    ]
    assert "(AUC {:.3f} against {:.3f}), on {} real sequences".format(
        *figures[:2], len(real["sequences"])
    ) in README.replace("\n", " ")
    assert "far behind ({:.3f} against {:.3f})".format(*figures[2:]) in README
    assert set(re.findall(r"\b0\.\d{3}\b", README)) == {f"{figure:.3f}" for figure in figures}


def test_counts_and_defaults_are_those_of_the_code():
    assert f"`generated-v1` is {len(SPECS)} sequences" in README
    assert f"peak-to-sidelobe ratio falls below {MOSSESettings().psr_threshold:g}" in README
    assert f"A cell may take {term.TIMEOUT} seconds (`--timeout`)" in README


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """What `git clone` gives, in a folder with a blank and an umlaut in its name."""
    folder = tmp_path_factory.mktemp("clone") / "a course ä"
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    for name in listing.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "clone"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


def run(clone: Path, command: str, more: str = "") -> subprocess.CompletedProcess:
    """A command as printed, `more` after it, by the library of the clone and without data."""
    kept = {k: v for k, v in os.environ.items() if k != "COURSE_DATA"}
    environment = kept | {"PYTHONPATH": str(clone), "HOME": str(clone.parent)}
    words = [re.sub(r"^~", str(clone.parent), word) for word in shlex.split(f"{command} {more}")]
    return subprocess.run(
        [sys.executable, "-m", "course_lib", *words],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def printed(start: str) -> str:
    """The one command of README that begins like this."""
    (command,) = [c for c in COMMANDS if c.startswith(start)]
    return command


@pytest.mark.slow
class TestInOrder:
    """The commands of README on a fresh checkout without data, in its order; git sees nothing of
    it."""

    @pytest.fixture(autouse=True)
    def stays_clean(self, clone):
        yield
        said = subprocess.run(
            ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True
        )
        assert said.stdout == ""

    @pytest.mark.parametrize("command", ["doctor", "runs"])
    def test_they_say_what_is_there(self, clone, command):
        done = run(clone, command)
        assert done.returncode == 0 and done.stdout, done.stderr

    def test_a_lesson_is_begun_and_brought_up_to_date(self, clone):
        from nbformat import read

        done = run(clone, "start 02")
        assert done.returncode == 0, done.stderr
        assert len(read(clone / "my_work" / "02_mosse.ipynb", 4).cells) > 20
        done = run(clone, printed("start 02"))
        assert done.returncode == 0, done.stderr

    def test_demo_track_evaluate_and_report(self, clone):
        done = run(clone, printed("demo"))
        assert done.returncode == 0, done.stderr
        shutil.copy(clone / "runs" / "demo" / "gen-03-occlusion.mp4", clone / "runs" / "my.mp4")
        done = run(clone, printed("track --video my.mp4 --box").replace("my.mp4", "runs/my.mp4"))
        assert done.returncode == 0, done.stderr
        (clone / "runs" / "frames").mkdir()
        for name in "abc":
            image = np.full((200, 200, 3), 90, np.uint8)
            cv2.imwrite(str(clone / "runs" / "frames" / f"{name}.png"), image)
        done = run(clone, printed("track --video 'frames").replace("frames/", "runs/frames/"))
        assert done.returncode == 0, done.stderr
        done = run(clone, printed("evaluate --tracker mosse kcf --benchmark generated-v1"))
        assert done.returncode == 0, done.stderr
        assert "| mosse | 0.669 |" in done.stdout and "| kcf | 0.603 |" in done.stdout
        done = run(clone, printed("report --tracker mosse kcf"))
        assert done.returncode == 0 and "runs/reports" in done.stdout.replace(os.sep, "/"), (
            done.stderr
        )

    def test_clips_of_ones_own_are_scored(self, clone):
        sequence = clone / "runs" / "my_clips" / "one"
        sequence.mkdir(parents=True)
        for number in range(4):
            image = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
            cv2.imwrite(str(sequence / f"{number:04}.png"), image)
        (sequence / "groundtruth.txt").write_text("40,30,30,30\n" * 4)
        command = printed("evaluate --tracker mosse kcf --benchmark folder")
        done = run(clone, command.replace("my_clips", "runs/my_clips"), "--workers 1")
        assert done.returncode == 0 and "| one |" in done.stdout, done.stderr

    @pytest.mark.parametrize(
        "start", ["evaluate --tracker siamfc --benchmark", "evaluate --tracker siammargin "]
    )
    def test_without_the_data_the_script_that_brings_them_is_named(self, clone, start):
        done = run(clone, printed(start))
        script = "otb.py" if "otb" in printed(start) else "vot.py"
        assert done.returncode == 2 and f"data_scripts/{script}" in done.stderr
        assert "--root" in done.stderr and "Traceback" not in done.stderr

    @pytest.mark.parametrize("recipe", ["train_siamfc_small", "train_siamfc"])
    def test_training_falls_back_to_generated_pairs(self, clone, recipe):
        tiny = "steps=2 batch=2 workers=0 validation_pairs=2 validate_every=2"
        done = run(clone, printed(f"train recipes/{recipe}.yaml"), f"--quiet --set {tiny}")
        assert done.returncode == 0, done.stderr
        assert "generated" in done.stderr and "weights: " in done.stdout
        shutil.rmtree(clone / "runs" / "training")

    def test_a_term(self, clone):
        done = run(clone, printed("grading new"))
        assert done.returncode == 0, done.stderr
        assert (clone.parent / "term" / "source" / "02_mosse" / "02_mosse.ipynb").is_file()
        if not (clone / "my_work" / "02_mosse.ipynb").exists():
            run(clone, "start 02")
        done = run(clone, printed("grading check"))
        assert "02_mosse" in done.stdout and "Traceback" not in done.stderr
