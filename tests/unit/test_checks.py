"""Every exercise's check: it passes the reference, calls the stub "not attempted", gives each
mistake declared beside it its message, and is not fooled by an object that equals everything."""

from __future__ import annotations

import dis
import inspect
import re
from functools import partial
from pathlib import Path

import pytest

from course_lib.exercises import core, examine
from course_lib.exercises.guard import copied
from course_lib.trackers.kcf import KCF, KCFSettings

pytestmark = pytest.mark.slow

core.all_checks()
MISTAKES = [
    pytest.param(check, mistake, id=f"{name}-{i}")
    for name, check in sorted(core.CHECKS.items())
    for i, mistake in enumerate(check.mistakes)
]


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
    """A copy of the reference, as a student who knows the answer would write it."""
    if not inspect.isclass(reference):
        return copied(reference)
    own = {
        n: copied(f) if inspect.isfunction(f) else f
        for n, f in vars(reference).items()
        if n not in ("__dict__", "__weakref__")
    }
    return type(reference.__name__, reference.__bases__, own)


def stub(reference):
    """The stub that students get: it raises NotImplementedError."""

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
        others = range(1, 7) if draws_inputs(core.CHECKS[name]) else ()
        for seed in (None, *others):
            assert examine(name, twin(core.CHECKS[name].reference), seed) == ("right", "right")

    def test_calls_the_stub_not_attempted(self, name):
        assert examine(name, stub(core.CHECKS[name].reference))[0] == "not attempted"

    def test_is_not_fooled_by_an_object_that_equals_everything(self, name):
        answer = (
            EqualsEverything
            if inspect.isclass(core.CHECKS[name].reference)
            else lambda *a, **k: EqualsEverything()
        )
        assert examine(name, answer)[0] == "wrong"

    def test_refuses_the_reference_itself(self, name):
        status, words = examine(name, core.CHECKS[name].reference)
        assert status == "wrong" and "course's own version" in words

    def test_knows_six_mistakes(self, name):
        assert len(core.CHECKS[name].mistakes) >= 6

    def test_refuses_each_of_its_mistakes_when_called_by_an_answer(self, name):
        right = twin(core.CHECKS[name].reference)
        for mistake in core.CHECKS[name].mistakes:
            status, words = examine(name, partial(mistake.code, right))
            assert status == "wrong" and "course's own version" in words

    def test_is_in_the_module_of_its_name(self, name):
        module = core.CHECKS[name].examine.__module__.rpartition(".")[2]
        assert module in core.MODULES[name.partition(".")[0]]


def test_every_file_of_checks_is_in_the_table():
    files = {path.stem for path in Path(core.__file__).parent.glob("lesson*.py")}
    assert files == {module for modules in core.MODULES.values() for module in modules}


def draws_inputs(check) -> bool:
    """Whether a check uses its generator; if not, every seed gives the same inputs."""
    return any(i.argval == "rng" for i in dis.get_instructions(check.examine))


def said(words: str) -> str:
    """The message of a mistake as a pattern, with anything in its braces."""
    return ".*".join(map(re.escape, re.split(r"\{[^{}]*\}", words)))


@pytest.mark.parametrize(("check", "mistake"), MISTAKES)
def test_a_mistake_gets_its_message(check, mistake):
    """As a student's answer: its code in a copy, since the check closes its own."""
    answer = partial(copied(mistake.code), twin(check.reference))
    once = check.name.endswith(".tracker") or not draws_inputs(check)
    for seed in (None,) if once else (None, 1, 2):
        status, words = examine(check.name, answer, seed)
        assert status == "wrong"
        assert "stopped with" not in words, words
        assert not re.search(r"is (\S+?),? expected \1(?![\w.])", words), words
        assert re.search(said(mistake.words), words, re.DOTALL), words


def test_an_answer_that_only_assigns_the_reference_is_refused():
    words = examine("kcf.tracker", lambda: KCF(KCFSettings(scale="fixed")))[1]
    assert "course's own version" in words


def test_the_stand_in_for_networks_is_gone_after_a_check():
    from course_lib.models.runtime import ProposalRuntime

    before = dict(vars(ProposalRuntime))

    class Stops:
        def init(self, frame, box):
            raise ValueError

    status, words = examine("choose.tracker", Stops)
    assert status == "wrong" and "ValueError" in words
    assert dict(vars(ProposalRuntime)) == before
