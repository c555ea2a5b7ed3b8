"""Every exercise's check: it passes the reference, calls the stub "not attempted", answers wrong solutions
with the right words, and is not taken in by an object that equals everything."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from course_lib.exercises import core, examine
from course_lib.exercises.reach import _copy

pytestmark = pytest.mark.slow

core.all_checks()
WRONG = {
    name: cases
    for path in sorted(Path(__file__).parent.glob("wrong_answers_*.py"))
    for name, cases in importlib.import_module(path.stem).WRONG.items()
}
CASES = [(name, *case) for name, cases in WRONG.items() for case in cases]


class EqualsEverything:
    """Compares equal to anything, also element by element."""

    def __eq__(self, other):
        return True

    __hash__ = None

    def __getattr__(self, name):
        return self if not name.startswith("__") else super().__getattribute__(name)

    def __call__(self, *args, **kwargs):
        return self


def twin(reference):
    """The reference under other clothes, as a student who knows the answer would write it."""
    if not inspect.isclass(reference):
        return _copy(reference)
    own = {
        n: _copy(f) if inspect.isfunction(f) else f
        for n, f in vars(reference).items()
        if n not in ("__dict__", "__weakref__")
    }
    return type(reference.__name__, reference.__bases__, own)


def stub(reference):
    """What a student finds: it raises NotImplementedError."""

    def unwritten(*args, **kwargs):
        raise NotImplementedError

    if not inspect.isclass(reference):
        return unwritten
    return type(
        "Unwritten", (), {n: unwritten for n, f in vars(reference).items() if inspect.isfunction(f)}
    )


@pytest.mark.parametrize("name", sorted(core.CHECKS))
class TestEveryCheck:
    """What holds for every exercise."""

    def test_passes_the_reference_whatever_the_seed(self, name):
        for seed in (None, *range(1, 7)):
            assert examine(name, twin(core.CHECKS[name].reference), seed) == ("right", "right")

    def test_calls_the_stub_not_attempted(self, name):
        assert examine(name, stub(core.CHECKS[name].reference))[0] == "not attempted"

    def test_is_not_taken_in_by_an_object_that_equals_everything(self, name):
        answer = (
            EqualsEverything
            if inspect.isclass(core.CHECKS[name].reference)
            else lambda *a, **k: EqualsEverything()
        )
        assert examine(name, answer)[0] == "wrong"

    def test_refuses_the_reference_itself(self, name):
        status, words = examine(name, core.CHECKS[name].reference)
        assert status == "wrong" and "course's own version" in words

    def test_knows_three_wrong_answers(self, name):
        assert len(WRONG[name]) >= 3


@pytest.mark.parametrize(
    ("name", "answer", "words"), CASES, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(CASES)]
)
def test_a_wrong_answer_gets_the_right_words(name, answer, words):
    status, said = examine(name, answer)
    assert status == "wrong"
    assert "stopped with" not in said, said
    assert re.search(words, said), said
