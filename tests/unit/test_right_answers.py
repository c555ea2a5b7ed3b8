"""Right answers in other styles are right, and the lesson's next cells run with them.

tests/answers/lessonNN.py has, for every exercise, at least three: RIGHT = {name: [answer, …]}. The
first has the type that is furthest from the declared one.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_checks import draws_inputs

from course_lib.exercises import core, examine

pytestmark = pytest.mark.slow
TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
FILES = sorted(path.stem for path in (TESTS / "answers").glob("lesson*.py"))
RIGHT = {
    name: answers
    for stem in FILES
    for name, answers in importlib.import_module(f"answers.{stem}").RIGHT.items()
}
RANDOM = {
    name for stem in FILES for name in importlib.import_module(f"answers.{stem}").RANDOM
}  # exercises that draw random numbers
EVERY = [(name, i) for name, answers in RIGHT.items() for i in range(len(answers))]


def test_every_exercise_has_three_right_answers():
    lessons = {stem.removeprefix("lesson") for stem in FILES}
    expected = {
        name
        for name, check in core.all_checks().items()
        if check.examine.__module__.rpartition("lesson")[2][:2] in lessons
    }
    assert {name for name, answers in RIGHT.items() if len(answers) >= 3} == expected


@pytest.mark.parametrize(("name", "i"), EVERY)
def test_a_right_answer_is_right(name, i):
    for seed in (None, 1, 2) if draws_inputs(core.CHECKS[name]) else (None,):
        status, words = examine(name, RIGHT[name][i], seed)
        assert status == "right", words


@pytest.mark.parametrize("name", sorted(RANDOM))
def test_a_right_draw_is_right_whatever_the_seed(name):
    refused = [seed for seed in range(300) if examine(name, RIGHT[name][0], seed)[0] != "right"]
    assert refused == []


@pytest.mark.parametrize("seed", [4, 102, 112])
def test_norms_of_another_epsilon_learn_as_well(seed):
    """For these weights it moves a ReLU's zero, and with it the gradients."""
    blocks = next(a for a in RIGHT["siamfc.alexnet"] if a.__name__ == "alexnet_in_blocks")
    assert examine("siamfc.alexnet", blocks, seed) == ("right", "right")


@pytest.mark.parametrize("stem", FILES)
def test_the_next_cells_run_with_the_answer_of_another_type(stem):
    """Nothing stands in: COURSE_STRICT=1."""
    env = os.environ | {"COURSE_PROFILE": "smoke", "COURSE_STRICT": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, str(TESTS / "next_cells.py"), stem.removeprefix("lesson")],
        env=env | {"PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
        capture_output=True,
        text=True,
        cwd=TESTS.parent / "notebooks",
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
