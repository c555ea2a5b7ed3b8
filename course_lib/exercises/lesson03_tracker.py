"""Check of lesson 03's tracker: KCF on HOG, its box of fixed size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.fft import ifft2

from course_lib.exercises.compare import as_array, plain, same
from course_lib.exercises.core import check
from course_lib.exercises.kcf_mistakes import MISTAKES
from course_lib.exercises.kcf_steps import (
    boxed,
    changed,
    searching_at,
    whole_cells,
    with_own_displacement,
)
from course_lib.exercises.manners import require_independent
from course_lib.exercises.plain_kcf import PlainKCF
from course_lib.exercises.storms import make_storm, make_storm_at_border
from course_lib.exercises.tracks import ShortSequence, make_short, run
from course_lib.exercises.words import Wrong
from course_lib.trackers import kernels

# the box after each frame (None after `init`), and x and α where they are kept
Step = tuple[np.ndarray | None, dict[str, np.ndarray]]


@check(
    "kcf.tracker",
    reference=PlainKCF,
    mistakes=MISTAKES,
    others={
        "the response in which you find the displacement is not the right one": searching_at(0.6),
        "is a `return` missing": boxed(lambda tracker, box: None),
        "does not move by it": [
            changed(update=with_own_displacement),
            changed(_move=whole_cells(np.round)),
            changed(_move=whole_cells(np.trunc)),
        ],
    },
)
def examine_tracker(answer, rng) -> None:
    """The reference's boxes where any change of the model shows in them, and the reference's x and
    α, where they are kept under these names; also with another `find`."""
    high, wide = (14.6, 18.7), (24.3, 13.4)  # rounded down, patches would be smaller
    mine = _compare(answer, make_storm(rng, high, 12, (100, 100)))
    kept = all({"x", "alpha"} <= step[1].keys() for step in mine)
    _compare(answer, make_storm(rng, wide, 22 if kept else 60, (130, 130)))
    fast = make_short("fast", rng, 2)
    _compare(answer, fast)
    corner = ((2, 3), (68, 58))[rng.integers(2)]
    border = make_storm_at_border(
        lambda storm: run(answer.right(), storm), rng, high, corner, reach=0.8
    )
    _compare(answer, border)
    _compare_finer(answer, make_storm(rng, high, 4, (100, 100)))
    one, other = (make_storm(rng, size, 4, (100, 100)) for size in (high, wide))

    def fine():
        tracker = answer()
        tracker.find = kernels.subcell  # so that all that it knows shows in its boxes
        return tracker

    require_independent(fine, one, other)


def _compare(answer, sequence: ShortSequence) -> list[Step]:
    """The answer's steps on a sequence; Wrong if they are not the reference's."""
    mine = list(steps(answer(), sequence))
    compare_steps(answer, sequence, mine)
    return mine


def _compare_finer(answer, sequence: ShortSequence) -> None:
    """Wrong if an answer does not move by another `find`, or asks it about another response than
    the reference does.

    Args:
        answer: on trial, right with its own `find`.
        sequence: to run on.
    """
    tracker, right = answer(), answer.right()
    tracker.find, right.find = Finer(), Finer()
    mine = list(steps(tracker, sequence))
    if departs(mine, steps(right, sequence)):
        raise Wrong(
            "where a subclass has another `find`, your tracker does not move by it: the centre "
            "moves by 4 × what `self.find(response)` returns, with its fractions"
        )
    for response, wanted in zip(tracker.find.asked, right.find.asked, strict=False):
        if not same(response, wanted, 1e-3 * np.abs(wanted).max()):
            raise Wrong(
                "your boxes are right, but the response in which you find the displacement is not "
                "the right one: compute it from the kernel of x and z (σ = 0.5) and α"
            )


class Finer:
    """A displacement with fractions, of a response (h, w).

    Attributes:
        asked: the responses.
    """

    def __init__(self) -> None:
        self.asked: list[np.ndarray] = []

    def __call__(self, response: np.ndarray) -> tuple[float, float]:
        response = np.array(plain(response))
        self.asked.append(response)
        dx, dy = kernels.displacement(response)
        return dx + 0.25, dy - 0.6


def steps(tracker: Any, sequence: ShortSequence) -> Iterator[Step]:
    """What a tracker returns and keeps, frame by frame; raises Wrong if it changes what it is
    given."""
    for t, frame in enumerate(sequence.frames):
        image, start = frame.copy(), sequence.boxes[0].copy()
        raw = tracker.update(image) if t else tracker.init(image, start)
        if not np.array_equal(image, frame) or not np.array_equal(start, sequence.boxes[0]):
            name = "update" if t else "init"
            raise Wrong(f"`{name}` changes the frame or the box that it is given; work on a copy")
        box = as_array(raw, (4,), f"the box of frame {t}").copy() if t else None
        kept = {name: in_space(getattr(tracker, name, None)) for name in ("x", "alpha")}
        yield box, {name: values for name, values in kept.items() if values.ndim >= 2}


def in_space(values: Any) -> np.ndarray:
    """A copy of what a tracker keeps; a spectrum is transformed back, what holds no numbers is
    empty."""
    try:
        values = np.array(values)
    except ValueError:
        return np.empty(0)
    if values.dtype.kind not in "fc":
        return np.empty(0)
    return ifft2(values).real if values.dtype.kind == "c" and values.ndim >= 2 else values


def departs(
    given: list[Step], others: Iterator[Step], forms: bool = True
) -> tuple[int, str, Step] | None:
    """Frame, "box", "x" or "alpha", and the other's step where two trackers first differ; None if
    they never do.

    Args:
        given: steps of the one.
        others: of the other.
        forms: whether x and α may be kept in another form, which is not compared.
    """
    for t, (mine, other) in enumerate(zip(given, others, strict=True)):
        if t and np.abs(mine[0] - other[0]).max() > 0.05:
            return t, "box", other
        for name in mine[1].keys() & other[1].keys():
            a, b = mine[1][name], other[1][name]
            if a.shape != b.shape:
                if not forms:
                    return t, name, other
            elif np.abs(a - b).max() > 1e-3 * np.abs(b).max():
                return t, name, other
    return None


def compare_steps(answer, sequence: ShortSequence, mine: list[Step]) -> None:
    """Raise Wrong if the answer's steps are not the reference's: with the message of the mistake
    that takes the same steps, else with what differs first.

    Args:
        answer: on trial.
        sequence: it ran on.
        mine: its steps.
    """
    found = departs(mine, steps(answer.right(), sequence))
    if found is None:
        return
    for mistake in answer.mistakes:
        if mistake.compared and _takes(mine, mistake.code, answer.right, sequence):
            raise Wrong(mistake.words)
    t, name, (box, _) = found
    if name == "box":
        raise Wrong(
            f"on a sequence in which {sequence.what}, your box in frame {t} is {_text(mine[t][0])}, "
            f"expected {_text(box)}"
        )
    sign = {"x": "x", "alpha": "α"}[name]
    if t == 0:
        raise Wrong(
            f"after `init` your {sign} is not the right one: x is `channels_of` the patch at the "
            "box's centre, and α depends on x, on the labels, σ and λ"
        )
    raise Wrong(
        f"in frame {t} your box is right, but the {sign} that you learn there is not the right "
        "one: look at the rates, and at what α is trained on"
    )


def _takes(mine: list[Step], code: Callable, right: type, sequence: ShortSequence) -> bool:
    """Whether a mistake takes the same steps, as far as these can be compared."""
    mine = mine[: _seen(mine, sequence)]
    try:
        others = islice(steps(code(right), sequence), len(mine))
        return departs(mine, others, forms=False) is None
    except Exception:  # it cannot run on this sequence
        return False


def _seen(mine: list[Step], sequence: ShortSequence) -> int:
    """Number of steps up to the first whose patch lies beyond the frame: it is flat there, and
    rounding alone decides where the peak is."""
    centre = np.array(sequence.frames[0].shape[1::-1]) / 2  # (2,), x and y
    for t, (box, _) in enumerate(mine):
        if box is not None:
            away = np.abs(box[:2] + box[2:] / 2 - centre)  # (2,)
            if (away > centre + 1.25 * box[2:]).any():  # the patch is 2.5 × the box
                return t + 1
    return len(mine)


def _text(box: np.ndarray) -> str:
    return "(" + ", ".join(f"{v:.2f}" for v in box) + ")"
