"""Answers that try to get points from the machinery instead of the exercise, and their points.

Every submission answers mosse.window (3 points) correctly in the cell before the attack. The attack
is in the cell of mosse.target (4 points); the other answers are wrong unless it says otherwise.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
import small_lesson as small
from nbgrader.utils import determine_grade

from course_lib.grading.execute import SurvivingExecute

WRONG = '@exercise("mosse.target")\ndef target(height, width, sigma):\n    return np.ones((height, width))'
FIRST = f"{{}}\n\n{WRONG}"  # the attack, then a wrong answer
RIGHT = f'@exercise("mosse.target")\n{small.ANSWERS["mosse.target"]}'
HONEST = small.POINTS["mosse.window"]

# by name: the lines before a wrong answer
BEFORE = {
    "grading switched off": "import os\nos.environ['COURSE_GRADING'] = '0'",
    "all switches": (
        "import os\nfor name in ('COURSE_GRADING', 'COURSE_JUDGED', 'COURSE_STRICT', 'COURSE_PROFILE'):\n"
        "    os.environ.pop(name, None)\nos.environ['COURSE_STRICT'] = '1'"
    ),
    "everything in the environment": "import os\nos.environ.clear()",
    "examine exchanged": (
        "from course_lib.exercises import core\ncore.examine = lambda *a, **k: ('right', 'right')"
    ),
    "verdict's code exchanged": (
        "from course_lib.exercises import core\n"
        "def fake(found, answer, reference, seed):\n    return 'right', 'right'\n"
        "setattr(core._verdict, '__' + 'code__', getattr(fake, '__' + 'code__'))"
    ),
    "award exchanged": (
        "import course_lib.exercises as e\ne.award = e.core.award = award = lambda *a, **k: None"
    ),
    "checks exchanged": (
        "from course_lib.exercises import core\ncore.all_checks()\n"
        "for c in list(core.CHECKS.values()):\n    object.__setattr__(c, 'examine', lambda *a: None)\n"
        "    core.CHECKS[c.name] = core.Check(c.name, c.reference, lambda *a: None)"
    ),
    "comparison exchanged": (
        "from course_lib.exercises import compare, lesson02\n"
        "for m in (compare, lesson02):\n"
        "    m.require_close = m.same = m.as_array = lambda *a, **k: True"
    ),
    "Wrong made harmless": (
        "from course_lib.exercises import core, words\n"
        "class NotImplementedLater(NotImplementedError): pass\n"
        "words.Wrong.__init__ = lambda self, *a: None\ncore.Wrong = words.Wrong = NotImplementedLater"
    ),
    "a module forged": (
        "import sys, types\nfake = types.ModuleType('course_lib.exercises')\n"
        "fake.award = lambda *a, **k: None\nfake.exercise = lambda name: lambda f: f\n"
        "sys.modules['course_lib.exercises'] = fake\nexercise = fake.exercise"
    ),
    "builtins exchanged": (
        "import builtins\nreal = builtins.isinstance\n"
        "builtins.isinstance = lambda v, t: True if type(v) is np.ndarray else real(v, t)\n"
        "builtins.issubclass = lambda a, b: True\nbuiltins.abs = builtins.max = lambda *a, **k: 0.0"
    ),
    "a builtin hidden": (
        "from course_lib.exercises import compare\ncompare.bool = lambda *a: True\n"
        "compare.float = lambda *a: 1e9"
    ),
    "NumPy exchanged": (
        "np.allclose = np.array_equal = lambda *a, **k: True\nnp.testing.assert_allclose = np.allclose\n"
        "np.isclose = lambda a, b, **k: np.ones(np.shape(a), bool)"
    ),
    "the reference exchanged": (
        "from course_lib.trackers import mosse\nfrom course_lib.exercises import core\n"
        "mine = lambda height, width, sigma: np.ones((height, width))\n"
        "mosse.gaussian_target = mine\ncore.find_check('mosse.target')\n"
        "object.__setattr__(core.CHECKS['mosse.target'], 'reference', mine)"
    ),
    "records forged": (
        "from course_lib.exercises import core\n"
        "for name in ('mosse.target', 'kcf.displacement', 'kcf.size'):\n"
        "    core.RECORDS[name] = core.Record(np.hanning, 'right', 'right', 9)\n"
        "core.exercise = exercise = lambda name: lambda f: f"
    ),
    "a record that lies": (
        "from course_lib.exercises import core\n"
        "class Lie(str):\n    __eq__ = lambda s, o: False\n    __ne__ = lambda s, o: True\n"
        "    __hash__ = str.__hash__\n    __str__ = lambda s: 'right'\n"
        "class Forged:\n    status, words, answer, points = Lie('right'), 'right', None, 9\n"
        "class Kept(dict):\n    get = __getitem__ = lambda s, *a: Forged()\n"
        "core.RECORDS.update({n: Forged() for n in ('mosse.target', 'kcf.displacement', 'kcf.size')})\n"
        "exercise = lambda name: lambda f: f"
    ),
    "errors hidden": (
        "ip = get_ipython()\nip.showtraceback = lambda *a, **k: None\n"
        "ip.set_custom_exc((Exception,), lambda *a, **k: None)\n"
        "ip.input_transformers_post.append(lambda lines: ['pass\\n'] if 'award(' in ''.join(lines) else lines)"
    ),
    "a verdict printed": (
        "import json, sys\n"
        "def fake(event, *given):\n"
        "    print(json.dumps([*given, 'right', 'right', '0' * 64]), flush=True)\n"
        "sys.audit = fake"
    ),
    "a hook of one's own": (
        "import sys\n"
        "def hook(event, given):\n"
        "    if event == 'course_lib.judge':\n        raise RuntimeError('no')\n"
        "sys.addaudithook(hook)"
    ),
}

# by name: an answer to mosse.target, and whether it is right
ANSWERS = {
    "patches while it is checked": (
        "from course_lib.exercises import compare, lesson02\n\n\n"
        '@exercise("mosse.target")\ndef target(height, width, sigma):\n'
        "    lesson02.require_close = compare.require_close = compare.same = lambda *a, **k: True\n"
        "    np.allclose = lambda *a, **k: True\n    return np.ones((height, width))"
    ),
    "patches and puts back": (
        "import numpy\nreal = numpy.allclose\n\n\n"
        "def fake(*given, **more):\n    numpy.allclose = real\n    return True\n\n\n"
        '@exercise("mosse.target")\ndef target(height, width, sigma):\n'
        "    numpy.allclose = fake\n    return np.ones((height, width))"
    ),
    "calls the reference": (
        "from course_lib.trackers import mosse\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n    return mosse.gaussian_target(*given)'
    ),
    "imports the reference once more": (
        "import importlib, sys\nkept = sys.modules.pop('course_lib.trackers.mosse')\n"
        "again = importlib.import_module('course_lib.trackers.mosse')\n"
        "sys.modules['course_lib.trackers.mosse'] = kept\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n    return again.gaussian_target(*given)'
    ),
    "copies the reference": (
        "import copy, types\nfrom course_lib.trackers import mosse\nf = mosse.gaussian_target\n"
        "mine = types.FunctionType(f.__code__, f.__globals__)\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n    return mine(*given)'
    ),
    "looks into the check's frame": (
        "import sys\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n'
        "    frame = sys._getframe(1)\n"
        "    while 'self' not in frame.f_locals:\n        frame = frame.f_back\n"
        "    return frame.f_locals['self'].right(*given)"
    ),
    "looks into the check's frame by inspect": (
        "import inspect\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n'
        "    frame = inspect.currentframe().f_back\n"
        "    while 'self' not in frame.f_locals:\n        frame = frame.f_back\n"
        "    return frame.f_locals['self'].right(*given)"
    ),
    "traces the check": (
        "import sys, threading\nseen = {}\n"
        "def tracer(frame, event, given):\n    seen.update(frame.f_locals)\n    return tracer\n"
        "try:\n    threading.settrace(tracer)\n    sys.settrace(tracer)\nexcept RuntimeError:\n    pass\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n    return seen["self"].right(*given)'
    ),
    "looks into a traceback": (
        '@exercise("mosse.target")\ndef target(*given):\n    try:\n        1 / 0\n'
        "    except ZeroDivisionError as e:\n"
        "        frame = e.__traceback__.tb_frame.f_back\n"
        "        while 'self' not in frame.f_locals:\n            frame = frame.f_back\n"
        "        return frame.f_locals['self'].right(*given)"
    ),
    "calls what is nearly right": (
        "from course_lib.exercises import core\nnearly = core.find_check('mosse.target').mistakes[0].code\n"
        "def mine(h, w, s):\n    i, j = np.arange(h)[:, None] - h // 2, np.arange(w)[None] - w // 2\n"
        "    return np.exp(-(i**2 + j**2) / (2 * s**2))\n\n\n"
        '@exercise("mosse.target")\ndef target(height, width, sigma):\n'
        "    return nearly(mine, height, width, sigma**2)"
    ),
    "searches the memory": (
        "import gc\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n'
        "    found = [f for f in gc.get_objects() if getattr(f, '__name__', '') == 'gaussian_target']\n"
        "    for f in found:\n        try:\n            return f(*given)\n"
        "        except Exception:\n            pass"
    ),
    "learned the known inputs by heart": (
        "import os\nfrom course_lib.exercises import core, lesson02\nfrom course_lib.trackers import mosse\n"
        "seed = int(os.environ.get('COURSE_GRADING_SEED', 1))\nseen = {}\n"
        "def learn(*given):\n    seen[given] = mosse.gaussian_target(*given)\n    return seen[given]\n"
        "import zlib\ntrial = core.Trial(learn, mosse.gaussian_target)\n"
        "for s in (seed, zlib.crc32(b'mosse.target')):\n"
        "    core.CHECKS['mosse.target'].examine(trial, np.random.default_rng(s))\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n    return seen[given]'
    ),
    "chooses the random inputs": (
        "from course_lib.exercises import core\nfrom course_lib.trackers import mosse\n"
        "real = np.random.default_rng\nnp.random.default_rng = lambda *seed: real(5)\nseen = {}\n"
        "def learn(*given):\n    seen[given] = mosse.gaussian_target(*given)\n    return seen[given]\n"
        "trial = core.Trial(learn, mosse.gaussian_target)\n"
        "core.find_check('mosse.target').examine(trial, real(5))\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n    return seen[given]'
    ),
    "asks another process": (
        "import pickle, subprocess, sys\n\n\n"
        '@exercise("mosse.target")\ndef target(*given):\n'
        "    code = ('import pickle, sys; from course_lib.trackers import mosse; '\n"
        "            f'sys.stdout.buffer.write(pickle.dumps(mosse.gaussian_target(*{given})))')\n"
        "    return pickle.loads(subprocess.run([sys.executable, '-c', code], capture_output=True).stdout)"
    ),
    "equals everything": (
        "class Anything(np.ndarray):\n    __array_function__ = lambda self, *a, **k: True\n"
        "    __eq__ = __le__ = lambda self, other: True\n    __sub__ = __rsub__ = lambda self, o: 0\n\n\n"
        '@exercise("mosse.target")\ndef target(height, width, sigma):\n'
        "    return np.ones((height, width)).view(Anything)"
    ),
}


def points(tmp_path: Path, answer: str) -> dict[str, float]:
    """Points by exercise of a submission with `answer` for mosse.target, graded as in a term."""
    path = tmp_path / f"{small.STEM}.py"
    path.write_text(small.source(), encoding="utf-8")
    notebook = small.build.solved(path)
    for name in ("kcf.displacement", "kcf.size"):
        small.answer_cell(
            notebook, name
        ).source = f'@exercise("{name}")\ndef wrong(*given):\n    return 1'
    small.answer_cell(notebook, "mosse.target").source = answer
    run = SurvivingExecute(timeout=60, kernel_name="python3")
    graded, _ = run.preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    assert len(graded.cells) == len(notebook.cells)
    return {name: determine_grade(small.award_cell(graded, name))[0] for name in small.POINTS}


@pytest.fixture
def grading(monkeypatch):
    """A term's environment, as its nbgrader_config.py sets it."""
    for name, value in {"COURSE_GRADING": "1", "COURSE_GRADING_SEED": "4711"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COURSE_PROFILE", "smoke")


@pytest.mark.slow
@pytest.mark.parametrize("attack", BEFORE)
def test_an_attack_before_a_wrong_answer_earns_nothing(tmp_path, grading, attack):
    got = points(tmp_path, FIRST.format(BEFORE[attack]))
    # the two hooks that keep the judge from answering cost the later points too, and never earn any
    assert got == {"mosse.window": HONEST, "mosse.target": 0, "kcf.displacement": 0, "kcf.size": 0}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ANSWERS)
def test_an_answer_that_is_an_attack_earns_nothing(tmp_path, grading, attack):
    got = points(tmp_path, ANSWERS[attack])
    assert got == {"mosse.window": HONEST, "mosse.target": 0, "kcf.displacement": 0, "kcf.size": 0}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["grading switched off", "checks exchanged", "award exchanged"])
def test_a_right_answer_after_a_replacement_keeps_its_points(tmp_path, grading, attack):
    """Functions are restored before an answer is judged: other lines never harm an honest one."""
    got = points(tmp_path, f"{BEFORE[attack]}\n\n\n{RIGHT}")
    assert got["mosse.target"] == small.POINTS["mosse.target"]


@pytest.mark.slow
def test_the_seed_and_the_terms_files_are_out_of_reach(tmp_path, grading, monkeypatch):
    term = tmp_path / "term"
    here = term / "autograded" / "ada" / small.STEM
    here.mkdir(parents=True)
    (term / "gradebook.db").write_bytes(b"")
    (term / "source").mkdir()
    (term / "source" / "answers.txt").write_text("secret")
    monkeypatch.chdir(term)
    lines = (
        "import os, sqlite3, pathlib\n"
        "found = [os.environ.get('COURSE_GRADING_SEED'), b'4711' in open('/proc/self/environ', 'rb').read()\n"
        "         if os.path.exists('/proc/self/environ') else False]\n"
        "for look in (lambda: open('../../../gradebook.db', 'r+b'), lambda: os.listdir('../../../source'),\n"
        "             lambda: pathlib.Path('../../../source/answers.txt').read_text(),\n"
        "             lambda: sqlite3.connect('../../../gradebook.db')):\n"
        "    try:\n        look()\n        found.append('open')\n"
        "    except PermissionError:\n        found.append('closed')\n"
        "open('mine.txt', 'w').close()\nprint(found)"
    )
    cell = nbformat.v4.new_code_cell(lines)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    run = SurvivingExecute(timeout=60, kernel_name="python3")
    graded, _ = run.preprocess(notebook, {"metadata": {"path": str(here)}})
    (said,) = graded.cells[0].outputs
    assert said.text.strip() == str([None, False, *["closed"] * 4]), said
    assert (here / "mine.txt").is_file() and os.environ["COURSE_GRADING_SEED"] == "4711"
