"""Whatever a notebook replaces in its own process is found and restored, and copies of a reference
refuse to be called."""

from __future__ import annotations

import builtins
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from course_lib.exercises import compare, core, judge
from course_lib.exercises.untouched import Snapshot, private, put_away
from course_lib.exercises.words import Wrong
from course_lib.geometry import boxes
from course_lib.trackers import mosse


@pytest.fixture(scope="module")
def before():
    core.find_check("mosse.target")
    return Snapshot()


def test_without_replacements_nothing_is_found(before):
    before.put_back()
    assert before.put_back() == []


def exchanges():
    """Each way of replacing something, and the name under which it must be found."""
    fake = lambda *given, **more: True  # noqa: E731

    def code():
        compare.same.__code__ = (lambda actual, expected, tolerance=0: True).__code__

    def numpys_code():
        np.allclose._implementation.__code__ = (lambda *a, **k: True).__code__

    return {
        "np.allclose": (lambda: setattr(np, "allclose", fake), "numpy.allclose"),
        "np.linalg.norm": (lambda: setattr(np.linalg, "norm", fake), "numpy.linalg.norm"),
        "np.random": (lambda: setattr(np.random, "default_rng", fake), "numpy.random.default_rng"),
        "core.examine": (
            lambda: setattr(core, "examine", fake),
            "course_lib.exercises.core.examine",
        ),
        "a number": (lambda: setattr(core, "DRAWS", 0), "course_lib.exercises.core.DRAWS"),
        "deleted": (lambda: delattr(core, "award"), "course_lib.exercises.core.award"),
        "code": (code, "course_lib.exercises.compare.same"),
        "NumPy's code": (
            numpys_code,
            f"{np.allclose._implementation.__globals__['__name__']}.allclose",
        ),
        "defaults": (
            lambda: setattr(compare.same, "__defaults__", (9.0,)),
            "course_lib.exercises.compare.same",
        ),
        "a class's method": (lambda: setattr(Wrong, "__init__", fake), "Wrong.__init__"),
        "a tracker's method": (lambda: setattr(mosse.MOSSE, "init", fake), "MOSSE.init"),
        "builtins": (lambda: setattr(builtins, "isinstance", fake), "isinstance"),
        "a hidden builtin": (
            lambda: setattr(compare, "float", fake),
            "course_lib.exercises.compare.float",
        ),
        "a module": (
            lambda: sys.modules.update({"course_lib.geometry.boxes": types.ModuleType("boxes")}),
            "the module course_lib.geometry.boxes",
        ),
    }


@pytest.mark.parametrize("kind", [k for k in exchanges() if k != "builtins"])
def test_each_replacement_is_found_and_undone(before, kind):
    exchange, name = exchanges()[kind]
    before.put_back()
    exchange()
    assert name in before.put_back()
    assert before.put_back() == []


def test_a_faked_builtin_is_restored(before):
    before.put_back()
    real = builtins.isinstance
    builtins.isinstance = lambda value, kind: real(value, kind)
    found = before.put_back()
    assert builtins.isinstance is real and found == ["isinstance"]


def test_restored_functions_work_as_before(before):
    np.allclose, core.award = None, None
    Wrong.__init__ = lambda self: None
    compare.abs = lambda v: 0
    before.put_back()
    assert np.allclose([1.0], [1.0]) and callable(core.award) and str(Wrong("why")) == "why"
    assert not compare.same([1.0], [2.0]) and not hasattr(compare, "abs")


def test_copies_of_a_reference_refuse_inside_the_block_and_work_after_it():
    copied = types.FunctionType(boxes.iou.__code__, boxes.iou.__globals__)
    one, other = [0, 0, 2, 2], [0, 0, 2, 1]
    with put_away(boxes.iou):
        with pytest.raises(Wrong, match="course's own version"):
            copied(one, other)
        assert boxes.iou(one, other) == 0.5  # the reference itself is `out_of_reach`'s to close
    assert copied(one, other) == 0.5


def test_a_private_module_keeps_its_contents():
    twin = private(np)
    real = np.abs
    try:
        np.abs = None
        assert twin.abs is real and twin.__name__ == "numpy"
    finally:
        np.abs = real


def test_the_judges_checks_are_a_copy_that_no_name_refers_to():
    core.find_check("mosse.target")
    listed = {n: m for n, m in sys.modules.items() if n.startswith("course_lib.exercises")}
    twins = judge._private_copy()
    assert listed == {n: m for n, m in sys.modules.items() if n.startswith("course_lib.exercises")}
    own = twins["course_lib.exercises.core"]
    assert own is not core and own.CHECKS is not core.CHECKS and "mosse.target" in own.CHECKS
    assert own.examine("mosse.target", mosse.gaussian_target)[0] == "wrong"  # called, not written
    assert own.CHECKS["mosse.target"].reference is core.CHECKS["mosse.target"].reference


class TestVerdict:
    """The judge trusts only a record's answer."""

    def verdict(self, answer, status="right"):
        record = core.Record(answer, status, "words")
        return judge._Judge(3, {"mosse.target": record}).verdict("mosse.target")

    def test_a_right_a_wrong_and_a_forged_record(self):
        def right(height, width, sigma):
            i, j = np.arange(height)[:, None] - height // 2, np.arange(width)[None] - width // 2
            return np.exp(-(i**2 + j**2) / (2 * sigma**2))

        assert self.verdict(right) == ("right", "right")
        assert self.verdict(right, "wrong") == ("wrong", "words")
        assert self.verdict(lambda *given: 1)[0] == "wrong"
        assert self.verdict(mosse.gaussian_target)[0] == "wrong"
        assert judge._Judge(3, {}).verdict("mosse.target")[0] == "not attempted"

    def test_a_status_that_lies(self):
        class Lie(str):
            def __ne__(self, other):
                return True

            def __str__(self):
                return "right"

        assert self.verdict(lambda *given: 1, Lie("right"))[0] == "wrong"

    def test_replacing_a_function_while_checked_costs_the_points(self):
        def right(height, width, sigma):
            np.isclose = lambda *given: True
            i, j = np.arange(height)[:, None] - height // 2, np.arange(width)[None] - width // 2
            return np.exp(-(i**2 + j**2) / (2 * sigma**2))

        assert self.verdict(right) == (
            "wrong",
            "your answer replaces numpy.isclose while it is checked",
        )


def test_a_signature_covers_every_part():
    secret = bytes(32)
    line = json.loads(judge._signed(secret, "a.b", "7", "right", "words\nmore"))
    assert line[:4] == ["a.b", "7", "right", "words\nmore"]
    assert line[4] == judge.sign(secret, *line[:4]) != judge.sign(secret, "a.b", "8", *line[2:4])
    assert line[4] != judge.sign(bytes([1] * 32), *line[:4])


def test_which_files_of_a_term_are_closed(tmp_path):
    term, here = str(tmp_path), str(tmp_path / "autograded" / "ada" / "02_mosse")
    closed = ["gradebook.db", "source/02/02.ipynb", "submitted/bo/02/02.ipynb", "autograded/bo/x"]
    for name in closed:
        assert judge._is_the_terms(f"{term}/{name}", term, here)
        assert judge._is_the_terms(f"{term}/{name}".encode(), term, here)
    for name in (f"{here}/mine.npy", here, f"{term}/data/x", "/etc/hosts", 3, None):
        assert not judge._is_the_terms(name, term, here)
    link = Path(here) / "link"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "gradebook.db")
    assert judge._is_the_terms(str(link), term, here)
