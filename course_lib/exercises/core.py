"""The life of an exercise: checked when its cell runs, replaced by the reference until it is right.

    @exercise("boxes.iou")
    def iou(a, b):
        ...

runs the check named "boxes.iou" at once and says what it found. While the answer is missing or
wrong, the course's own version stands in, and the page says so: a student who is stuck can go on.
With `COURSE_STRICT=1` (the solutions' own test) nothing stands in and `award` raises unless the
answer is right. With `COURSE_GRADING=1` `award` raises as well, but the course's version stands in:
a missing answer costs its own points but not those of later ones that build on it. When a term is
graded, `judge.py` decides on the points, out of reach of any cell.

The checks themselves are in `lesson00.py`, `lesson01.py`, …: a function that compares the answer
with the reference and raises `Wrong` with a sentence in the terms of the subject. Beside it are
declared the mistakes that students make, as code, with the message for each: see `mistakes.py`.
"""

from __future__ import annotations

import importlib
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from course_lib.errors import CourseError
from course_lib.exercises.declared import as_declared, name_of
from course_lib.exercises.guard import out_of_reach
from course_lib.exercises.mistakes import Codes, Mistake, declared
from course_lib.exercises.trial import Trial
from course_lib.exercises.words import Wrong, announce, table, where_it_stopped

Examine = Callable[[Trial, np.random.Generator], None]


@dataclass(frozen=True)
class Check:
    """One exercise's check.

    Attributes:
        name: "<topic>.<what>", as in the lesson's marker.
        reference: the course's own version, a function or a class of course_lib.
        examine: called with (answer on trial, rng); raises Wrong if it is not right.
        mistakes: wrong answers that students give, with the message for each.
        learns: whether gradients flow through the answer; if not, arrays will do for tensors.
    """

    name: str
    reference: Any
    examine: Examine
    mistakes: tuple[Mistake, ...] = ()
    learns: bool = True

    @property
    def guarded(self) -> list[Any]:
        """What an answer must not call: the reference, and answers that are nearly right."""
        return [self.reference, *(mistake.code for mistake in self.mistakes)]


@dataclass(frozen=True)
class Record:
    """The state of one exercise in this notebook: the answer, the verdict, the points."""

    answer: Any
    status: str  # "right", "wrong" or "not attempted"
    words: str
    points: int | None = None


DRAWS = 5  # how often a check's inputs are drawn at most
# modules of the checks by the first word of the exercise's name, so that only these are imported:
# some load PyTorch, which takes seconds
MODULES = {
    "welcome": ("lesson00",),
    "boxes": ("lesson01", "lesson01_iou"),
    "metrics": ("lesson01_metrics", "lesson01_fault"),
    "trackers": ("lesson01_stay",),
    "protocol": ("lesson01_protocol", "lesson01_clock", "lesson01_spy"),
    "mosse": (
        "lesson02",
        "lesson02_filter",
        "lesson02_response",
        "lesson02_learning",
        "lesson02_psr",
        "lesson02_tracker",
    ),
    "kcf": (
        "lesson03",
        "lesson03_peak",
        "lesson03_kernel",
        "lesson03_features",
        "lesson03_tracker",
    ),
    "siamfc": (
        "lesson04",
        "lesson04_sizes",
        "lesson04_network",
        "lesson04_correlation",
        "lesson04_labels",
        "lesson04_loss",
        "lesson04_fault",
    ),
    "training": (
        "lesson05",
        "lesson05_augmentation",
        "lesson05_precision",
        "lesson05_steps",
        "lesson05_resume",
        "lesson05_fault",
        "lesson05_curves",
        "lesson05_distance",
    ),
    "search": (
        "lesson06",
        "lesson06_choose",
        "lesson06_blend",
        "lesson06_peak",
        "lesson06_damp",
        "lesson06_tracker",
        "lesson06_fault",
    ),
    "anchors": (
        *("lesson07", "lesson07_offsets", "lesson07_decode", "lesson07_match"),
        *("lesson07_training", "lesson07_mining", "lesson07_loss", "lesson07_upchannel"),
        "lesson07_fault",
    ),
    "choose": ("lesson08", "lesson08_penalty", "lesson08_choice", "lesson08_tracker"),
    "size": ("lesson08_response", "lesson08_loop", "lesson08_size"),
    "match": (
        "lesson09",
        "lesson09_count",
        "lesson09_mask",
        "lesson09_sampling",
        "lesson09_match",
        "lesson09_fault",
    ),
    "siamdw": (
        "lesson10",
        "lesson10_branches",
        "lesson10_overlap",
        "lesson10_padding",
        "lesson10_twins",
        "lesson10_fault",
        "lesson10_features",
        "lesson10_thawing",
        "lesson10_units",
        "lesson10_networks",
    ),
    "margin": (
        "lesson11",
        "lesson11_labels",
        "lesson11_losses",
        "lesson11_arc",
        "lesson11_softmax",
        "lesson11_fault",
        "lesson11_lead",
        "lesson11_scale",
        "lesson11_roi",
        "lesson11_align",
        "lesson11_template",
        "lesson11_region",
        "lesson11_search",
    ),
    "overlap": (
        "lesson12",
        "lesson12_fault",
        "lesson12_hat",
        "lesson12_pool",
        "lesson12_modulate",
        "lesson12_draws",
        "lesson12_loss",
        "lesson12_best",
    ),
    "online": (
        "lesson13",
        "lesson13_mlu",
        "lesson13_solve",
        "lesson13_precondition",
        "lesson13_memory",
        "lesson13_localise",
        "lesson13_state",
        "lesson13_fault",
        "lesson13_descent",
    ),
    "stream": (
        "lesson14",
        "lesson14_attention",
        "lesson14_block",
        "lesson14_cache",
        "lesson14_heat",
        "lesson14_focal",
        "lesson14_box",
        "lesson14_decode",
        "lesson14_fault",
    ),
    "deploy": (
        "lesson15",
        "lesson15_fault",
        "lesson15_products",
        "lesson15_lost",
        "lesson15_export",
    ),
    "today": (
        "lesson16",
        "lesson16_progress",
        "lesson16_scores",
        "lesson16_curve",
        "lesson16_quality",
        "lesson16_fault",
    ),
    "challenge": (
        *("lesson17", "lesson17_grid", "lesson17_several", "lesson17_bootstrap"),
        *("lesson17_fault", "lesson17_entry", "lesson17_further"),
    ),
}
CHECKS: dict[str, Check] = {}
FAIR: dict[tuple[Examine, int], bool] = {}  # draws of inputs for which the reference was tried
RECORDS: dict[str, Record] = {}  # of the notebook that runs in this kernel


def check(
    name: str,
    reference: Any,
    mistakes: Mapping[str, Codes] | None = None,
    others: Mapping[str, Codes] | None = None,
    learns: bool = True,
) -> Callable[[Examine], Examine]:
    """Register the decorated function as an exercise's check.

    Args:
        name: of the exercise.
        reference: the right answer.
        mistakes: message → code of the wrong answer that `Trial.compare` gives it to.
        others: part of a message → code of a wrong answer that the check finds in steps of its own.
        learns: whether gradients flow through the answer; if not, arrays will do for tensors.
    """
    known = declared(mistakes or {}, compared=True) + declared(others or {}, compared=False)

    def register(examine: Examine) -> Examine:
        CHECKS[name] = Check(name, reference, examine, known, learns)
        return examine

    return register


def exercise(name: str) -> Callable[[Any], Any]:
    """Check the decorated answer to exercise `name`, say what was found, and return what later
    cells use.

    That is the answer if it is right, else the reference; in strict mode always the answer.
    """
    reference = find_check(name).reference

    def examined(answer: Any) -> Any:
        status, words, trial = _examined(name, answer)
        RECORDS[name] = Record(answer, status, words)
        note = ""
        if trial.converts and status == "right":
            answer = as_declared(answer, trial.declared, trial.kind, trial.learns)
            note = _passed_on(trial.declared, trial.kind)
        announce(name, status, words + note, strict=_set("COURSE_STRICT"))
        return answer if status == "right" or _set("COURSE_STRICT") else reference

    return examined


def _passed_on(declared: Any, kind: Any) -> str:
    """What is said of a conversion to the declared type, and to the reference's dtype `kind`."""
    real = isinstance(kind, np.dtype) and kind.kind == "f"
    words = "real numbers" if real else name_of(declared)
    return f". The cells below get its result as {words}, as its signature says"


def examine(name: str, answer: Any, seed: int | None = None) -> tuple[str, str]:
    """Status ("right", "wrong", "not attempted") of an answer, and the sentence that says why.

    Inputs on which the reference itself fails are drawn again: by chance it can agree with a
    wrong answer there.

    Args:
        name: of the exercise.
        answer: neither the reference nor a known mistake can be called while it is examined.
        seed: of the check's random inputs.
    """
    return _examined(name, answer, seed)[:2]


def _examined(name: str, answer: Any, seed: int | None = None) -> tuple[str, str, Trial]:
    """Status and sentence, as `examine`, and the trial."""
    found = find_check(name)
    seed = zlib.crc32(name.encode()) if seed is None else seed
    with out_of_reach(*found.guarded) as (right, *codes):
        known = zip(found.mistakes, codes, strict=True)
        mistakes = tuple(replace(mistake, code=code) for mistake, code in known)
        for draw in range(seed, seed + DRAWS * 1_000_003, 1_000_003):
            trial = Trial(answer, right, mistakes, found.learns)
            status, words = _verdict(found, trial, draw)
            itself = Trial(right, right, mistakes, found.learns)
            if status != "wrong" or _is_fair(found, draw, itself):
                break
    return status, words, trial


def _is_fair(found: Check, draw: int, itself: Trial) -> bool:
    """Whether the reference is right for one draw of inputs: found out once, since many wrong
    answers are examined with the same draw.

    Args:
        found: the check.
        draw: seed of the inputs.
        itself: the reference on trial.
    """
    key = found.examine, draw
    if key not in FAIR:
        FAIR[key] = _verdict(found, itself, draw)[0] == "right"
    return FAIR[key]


def _verdict(found: Check, trial: Trial, seed: int) -> tuple[str, str]:
    """Status and sentence for one draw of inputs."""
    try:
        found.examine(trial, np.random.default_rng(seed))
    except NotImplementedError as problem:  # PyTorch raises it too, with a reason
        if problem.args:
            return "wrong", where_it_stopped(problem)
        return "not attempted", "not written yet"
    except Wrong as wrong:
        return "wrong", str(wrong)
    except Exception as problem:
        return "wrong", where_it_stopped(problem)
    return "right", "right"


class NotRight(AssertionError):
    """An answer that earns no points. A notebook, and the feedback made of it, shows the sentence
    without the course's lines."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback."""
        return [str(self)]


def award(name: str, points: int, hidden: bool = False) -> None:
    """Say how many points an answer earns. The cell below each exercise calls it.

    In strict mode and while grading an answer that is not right raises NotRight, and nbgrader gives
    the cell no points.

    Args:
        name: of the exercise.
        points: that a right answer earns.
        hidden: whether to check again with the instructor's own random inputs
            (COURSE_GRADING_SEED), unless a judge does so after this cell (COURSE_JUDGED).
    """
    record = RECORDS.get(name)
    if record is None:
        record = Record(None, "not attempted", "run the cell above first")
    elif hidden and record.status == "right" and not _set("COURSE_JUDGED"):
        status, words = examine(
            name, record.answer, seed=int(os.environ.get("COURSE_GRADING_SEED", "1"))
        )
        record = replace(record, status=status, words=words)
    RECORDS[name] = replace(record, points=points)
    if (_set("COURSE_STRICT") or _set("COURSE_GRADING")) and record.status != "right":
        raise NotRight(f"{name}: {record.words}")
    if not hidden:
        print(f"{points if record.status == 'right' else 0} of {points} points ({record.status})")


def progress() -> None:
    """Show the exercises this notebook has met so far, with what is right and the points."""
    table([(name, r.status, r.points or 0) for name, r in RECORDS.items()])


def find_check(name: str) -> Check:
    """The check named `name`; raises CourseError naming those there are."""
    for module in MODULES.get(name.partition(".")[0], ()):
        importlib.import_module(f"course_lib.exercises.{module}")
    if name not in CHECKS:
        raise CourseError(
            f"there is no exercise {name!r}; the exercises are {', '.join(sorted(all_checks()))}"
        )
    return CHECKS[name]


def all_checks() -> dict[str, Check]:
    """Every exercise's check by name."""
    for module in {module for modules in MODULES.values() for module in modules}:
        importlib.import_module(f"course_lib.exercises.{module}")
    return CHECKS


def _set(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")
