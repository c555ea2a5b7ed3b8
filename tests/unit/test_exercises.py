"""The machinery of exercises: verdicts, stand-ins, strict mode, points, on the tests' exercises."""

from __future__ import annotations

import copy
import re
import zlib

import numpy as np
import pytest

from course_lib.errors import CourseError
from course_lib.exercises import Wrong, award, check, core, examine, exercise, progress
from course_lib.exercises.compare import as_array, as_number, require_close, require_untouched
from course_lib.exercises.guard import out_of_reach
from course_lib.geometry import boxes


def double(x):
    """Twice x."""
    return 2 * np.asarray(x)


class Counter:
    """Counts from `start` in steps of one."""

    def __init__(self, start=0):
        super().__init__()
        self.value = start

    def step(self):
        """One more."""
        self.value += 1
        return self.value


@pytest.fixture(autouse=True)
def own_exercises(monkeypatch):
    """Two exercises that only these tests know, and no records of others."""
    monkeypatch.setattr(core, "CHECKS", {})
    monkeypatch.setattr(core, "RECORDS", {})
    # none of the lessons' is loaded into the dictionary for one test
    monkeypatch.setattr(core, "MODULES", {})
    monkeypatch.delenv("COURSE_STRICT", raising=False)
    monkeypatch.delenv("COURSE_GRADING", raising=False)

    @check("test.double", reference=double)
    def _(answer, rng):
        x = rng.normal(size=5)
        kept = x.copy()
        result = answer(x)
        require_untouched(kept, x, "the vector")
        require_close(result, answer.right(kept), "the double", hint="multiply by two")

    @check("test.counter", reference=Counter)
    def _(answer, rng):
        mine, theirs = answer(start=3), answer.right(start=3)
        if as_number(mine.step(), "the count") != theirs.step():
            raise Wrong("your counter starts elsewhere")


class EqualsEverything:
    """Returned by a submission that tries to pass a careless `==`."""

    def __eq__(self, other):
        return True

    __hash__ = None


def test_a_right_answer_is_kept_and_earns_its_points(capsys):
    answer = exercise("test.double")(lambda x: x + x)
    assert answer(3) == 6
    award("test.double", points=4)
    assert "4 of 4 points" in capsys.readouterr().out


def test_a_stub_is_not_attempted_and_the_reference_stands_in(capsys):
    def stub(x):
        raise NotImplementedError

    stand_in = exercise("test.double")(stub)
    assert stand_in is double
    award("test.double", points=4)
    printed = capsys.readouterr().out
    assert "0 of 4 points (not attempted)" in printed and "course's version" in printed


def test_a_wrong_answer_gets_a_reason_and_the_reference_stands_in(capsys):
    assert exercise("test.double")(lambda x: 3 * x) is double
    assert "multiply by two" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: None, "None: is a `return` missing"),
        (lambda x: EqualsEverything(), "EqualsEverything"),
        (lambda x: [1, 2], r"shape \(2,\); expected \(5,\)"),
        (lambda x: np.full(5, np.nan), "NaN or infinity in 5 of 5"),
        (lambda x: x.undefined, "stopped with AttributeError"),
        (lambda x: np.multiply(x, 2, out=x), "changes `x`"),
        (lambda x: double(x), "calls the course's own version"),
        (lambda x: np.array(["a"] * 5), "array of numbers"),
    ],
)
def test_what_is_not_an_answer_is_named(answer, words):
    status, said = examine("test.double", answer)
    assert status == "wrong"
    assert re.search(words, said), said


def test_the_error_names_the_students_own_line():
    def answer(x):
        return x @ np.zeros((2, 2))

    assert "at `return x @ np.zeros((2, 2))`" in examine("test.double", answer)[1]


def test_the_reference_works_again_after_a_check_and_inside_it():
    examine("test.double", lambda x: x + x)
    assert double(2) == 4
    assert (
        examine(
            "test.counter",
            type(
                "Mine",
                (),
                {"__init__": lambda s, start=0: setattr(s, "v", start), "step": lambda s: s.v + 1},
            ),
        )[0]
        == "right"
    )
    assert Counter().step() == 1


def test_a_class_that_borrows_the_references_methods_is_refused():
    class Borrowed(Counter):
        pass

    assert "course's own version" in examine("test.counter", Borrowed)[1]
    assert Counter(5).step() == 6


def test_strict_mode_stands_in_for_nothing(monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    wrong = exercise("test.double")(lambda x: x)
    assert wrong(1) == 1
    with pytest.raises(AssertionError, match="multiply by two"):
        award("test.double", points=4)
    with pytest.raises(AssertionError, match="run the cell above"):
        award("test.counter", points=4)


def test_the_hidden_check_uses_other_inputs(monkeypatch):
    """An answer that returns the constants of the visible check fails the hidden one."""
    constants = 2 * np.random.default_rng(zlib.crc32(b"test.double")).normal(size=5)
    exercise("test.double")(lambda x: constants)
    award("test.double", points=4)
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(AssertionError):
        award("test.double", points=4, hidden=True)


def test_progress_counts_points(capsys):
    progress()
    assert "No exercise" in capsys.readouterr().out
    exercise("test.double")(lambda x: x + x)
    award("test.double", points=4)
    exercise("test.counter")(type("Empty", (), {}))
    award("test.counter", points=6)
    progress()
    assert "4 of 10 points so far" in capsys.readouterr().out


def test_an_unknown_exercise_names_the_known():
    with pytest.raises(
        CourseError, match=r"no exercise 'test\.doubel'.*test\.counter, test\.double"
    ):
        exercise("test.doubel")


@pytest.mark.parametrize("value", [EqualsEverything(), None, "3", True, [1.0], np.ones(2), 1j])
def test_as_number_refuses(value):
    with pytest.raises(Wrong):
        as_number(value, "it")


def test_as_number_and_as_array_take_numbers():
    assert as_number(np.float32(2), "it") == 2.0 and as_number(np.array([3]), "it") == 3.0
    assert as_array([[1, 2]], (1, 2), "it").dtype == np.float64
    assert as_array(np.ones(2) * 1j, (2,), "it").dtype == np.complex128


def test_the_largest_difference_is_the_one_named():
    with pytest.raises(Wrong, match=r"at \(1, 0\) is 9, expected 3; look there"):
        require_close([[1, 2.1], [9, 4]], [[1, 2], [3, 4]], "it", hint="look there")


def test_every_alias_of_a_reference_is_out_of_reach():
    alias = boxes.iou

    @check("test.iou", reference=boxes.iou)
    def _(answer, rng):
        require_close(
            answer([0, 0, 2, 2], [0, 0, 2, 1]), answer.right([0, 0, 2, 2], [0, 0, 2, 1]), "the IoU"
        )

    assert "course's own version" in examine("test.iou", lambda a, b: alias(a, b))[1]
    assert alias([0, 0, 2, 2], [0, 0, 2, 1]) == 0.5


def test_while_grading_a_wrong_answer_costs_its_own_points_and_no_others(monkeypatch):
    monkeypatch.setenv("COURSE_GRADING", "1")
    used = core.exercise("test.double")(lambda x: 3 * x)
    assert used is double  # what later cells build on
    with pytest.raises(AssertionError, match="double"):
        core.award("test.double", points=3)
    with pytest.raises(AssertionError):
        core.award("test.double", points=3, hidden=True)
    core.exercise("test.double")(lambda x: 2 * x)
    core.award("test.double", points=3, hidden=True)


def test_inputs_on_which_the_reference_fails_are_drawn_again():
    """By chance the reference and a mistake can agree; such inputs must not judge an answer."""

    @check("test.chance", reference=double)
    def examine_chance(answer, rng):
        given = rng.integers(2, 4, 3)
        if (answer(given.copy()) == given + 2).all():
            raise Wrong("you added two")
        if (answer(given) != answer.right(given)).any():
            raise Wrong("not twice")

    @check("test.never", reference=double)
    def examine_never(answer, rng):
        raise Wrong("nothing passes")

    seeds = range(200)
    assert any(
        (np.random.default_rng(s).integers(2, 4, 3) == 2).all() for s in seeds
    )  # where 2 x and x + 2 agree
    assert all(examine("test.chance", lambda x: x + x, s)[0] == "right" for s in seeds)
    assert all(
        examine("test.chance", lambda x: x + 2, s) == ("wrong", "you added two") for s in seeds
    )
    assert examine("test.never", lambda x: x) == ("wrong", "nothing passes")


@pytest.mark.parametrize("nothing", [None, 0, ""])
def test_nothing_is_no_answer(nothing):
    assert examine("test.double", nothing)[0] == "wrong"
    assert examine("test.counter", nothing)[0] == "wrong"


def test_the_hidden_check_is_left_to_the_judge_where_there_is_one(monkeypatch):
    """While a term is graded a judge checks after this cell, out of its reach: `judge.py`."""
    constants = 2 * np.random.default_rng(zlib.crc32(b"test.double")).normal(size=5)
    exercise("test.double")(lambda x: constants)
    monkeypatch.setenv("COURSE_GRADING", "1")
    with pytest.raises(AssertionError):
        award("test.double", points=4, hidden=True)
    exercise("test.double")(lambda x: constants)
    monkeypatch.setenv("COURSE_JUDGED", "1")
    award("test.double", points=4, hidden=True)


@pytest.fixture
def halves():
    """An exercise with mistakes of every kind: the two halves of a vector's sum."""

    def both(x, count):
        return x[:count].sum(), x[count:].sum()

    @check(
        "test.halves",
        reference=both,
        mistakes={
            "of {1} numbers yours are {given[0]:.0f} and {given[1]:.0f}, {why}: exchanged": (
                lambda right, x, count: right(x, count)[::-1]
            ),
            "the first is twice too large": (
                0,
                lambda right, x, count: (2 * right(x, count)[0], right(x, count)[1]),
            ),
            "one number, shape {shape}": lambda right, x, count: right(x, count) + (0.0,),
            "never found": lambda right, x, count: x.no_such_thing,
        },
        others={"the second": lambda right, x, count: (right(x, count)[0], 0.0)},
    )
    def _(answer, rng):
        x = np.arange(1.0, 7.0)

        def read(given):
            return tuple(as_array(given, (2,), "the pair of sums"))

        names, way = ("the first", "the second"), {"hint": "from the end", "why": "as it is"}
        answer.compare((x, 2), names, read, untouched=("the vector",), **way)

    return both


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda x, n: (x[n:].sum(), x[:n].sum()),
            "of 2 numbers yours are 18 and 3, as it is: exch",
        ),
        (lambda x, n: (2 * x[:n].sum(), -1.0), "the first is twice too large"),
        (lambda x, n: x[:3], "one number, shape \\(3,\\)"),
        (lambda x, n: x[:4], "the pair of sums has shape \\(4,\\); expected \\(2,\\)"),
        (lambda x, n: (x[:n].sum(), 9.0), "the second is 9, expected 18; from the end"),
        (lambda x, n: (x.sort(), x.fill(0)), "changes `x`"),
        (
            lambda x, n: core.CHECKS["test.halves"].mistakes[0].code(lambda *of: (18.0, 3.0), x, n),
            "course's own version",
        ),
    ],
)
def test_an_answer_gets_the_message_of_the_mistake_it_makes(halves, answer, words):
    status, said = examine("test.halves", answer)
    assert status == "wrong" and re.search(words, said), said


def test_the_halves_themselves_are_right(halves):
    assert examine("test.halves", lambda x, n: np.array([x[:n].sum(), x[n:].sum()]))[0] == "right"


def test_a_class_is_guarded_whatever_else_it_holds():
    """Copying an object leaves a list in its class: copy and pickle keep the names of slots."""

    class Kept:
        def told(self):
            return 1

    copy.deepcopy(Kept())
    assert isinstance(vars(Kept)["__slotnames__"], list)
    with out_of_reach(Kept) as (working,):
        assert working().told() == 1
        with pytest.raises(Wrong):
            Kept().told()
    assert Kept().told() == 1
