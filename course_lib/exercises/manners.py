"""What holds for an answer whatever it computes: it keeps nothing from call to call that changes
the next result, and trackers share nothing with each other or with their caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from course_lib.exercises.compare import as_array, copied, plain, same
from course_lib.exercises.draws import global_states
from course_lib.exercises.tracks import ShortSequence
from course_lib.exercises.words import Wrong


def require_repeatable(answer: Any, *cases: tuple[Any, ...]) -> None:
    """Raise Wrong if an answer is no longer right when it is asked again, changes an array that it
    has returned, or touches NumPy's global generator.

    Args:
        answer: a function without chance, on trial; it was right in all cases.
        cases: inputs of calls, different ones.
    """
    with _dice_left_alone("your function"):
        results = [answer(*copied(case)) for case in cases]
        before = [copied(result) for result in results]
        again = [answer(*copied(case)) for case in reversed(cases)][::-1]
    if not all(map(_near, before, results)):
        raise Wrong(
            "your function returns the same array in each call and fills it anew: what it returned "
            "before changes with it. Make a new one"
        )
    right = [answer.right(*copied(case)) for case in cases]
    if not all(map(_near, (*before, *again), (*right, *right))):
        raise Wrong(
            "called again with inputs that it had before, your function returns something else: "
            "does it keep something from call to call, in a global, an attribute or a default "
            "value?"
        )


@contextmanager
def _dice_left_alone(who: str) -> Iterator[None]:
    """Raises Wrong if NumPy's global generator is not as it was, even one that is set to the same
    seed in each call."""
    saved = np.random.get_state()  # noqa: NPY002
    np.random.random()  # noqa: NPY002
    before = global_states()["np.random"]
    try:
        yield
        after = global_states()["np.random"]
    finally:
        np.random.set_state(saved)  # noqa: NPY002
    if after != before:
        raise Wrong(
            f"{who} sets or uses np.random, the generator of the whole program: leave it alone"
        )


def _near(a: Any, b: Any) -> bool:
    """Whether two results are the same numbers; closer comparisons have been made before."""
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_near, a, b))
    return same(plain(a), plain(b), 1e-3)


# how a tracker is handled, and what is said if that changes its boxes
KEPT = "`update` changes a box that it has returned before: return a new array each time"
AGAIN = (
    "`init` does not begin anew: something left over from the sequence on which the tracker ran "
    "before changes its boxes"
)
BESIDE = (
    "two of your trackers disturb each other: what a tracker knows belongs in `self`, not in the "
    "class or in a global"
)


def require_independent(
    make: Callable[[], Any], sequence: ShortSequence, other: ShortSequence
) -> None:
    """Raise Wrong if the boxes of a tracker depend on another sequence on which it ran before, or on
    another tracker beside it, or on chance; or if it changes boxes that it has returned.

    Args:
        make: () → a tracker.
        sequence: to run on.
        other: sequence, of the same number of frames or more.
    """
    with _dice_left_alone("your tracker"):
        right = _boxes(make, sequence, other)
    if not _agrees(right, make, sequence, other, ()):
        raise Wrong(
            "two runs of your tracker on the same frames give different boxes: if it draws at "
            "random, then from a generator that `init` makes with a fixed seed; and what it knows "
            "belongs in `self`"
        )
    every = (KEPT, AGAIN, BESIDE)
    if _agrees(right, make, sequence, other, every):
        return
    for words in every:
        if not _agrees(right, make, sequence, other, (words,)):
            raise Wrong(words)
    raise Wrong(f"{AGAIN}; or {BESIDE}")


def _agrees(right: np.ndarray, make, sequence, other, handled: tuple[str, ...]) -> bool:
    """Whether boxes stay the same with other handling; a tracker that breaks does not agree.

    Args:
        right: (T − 1, 4) the boxes.
        make, sequence, other: as above.
        handled: how, some of the words above.
    """
    try:
        return bool(np.abs(_boxes(make, sequence, other, handled) - right).max() < 0.01)
    except Exception:
        return False


def _boxes(make, sequence, other, handled: tuple[str, ...] = ()) -> np.ndarray:
    """The boxes (T − 1, 4) of a tracker on a sequence.

    Args:
        make, sequence, other: as above.
        handled: how, some of the words above.
    """
    tracker, second = make(), make()
    if AGAIN in handled:
        tracker.init(other.frames[0].copy(), other.boxes[0].copy())
        tracker.update(other.frames[1].copy())
    tracker.init(sequence.frames[0].copy(), sequence.boxes[0].copy())
    returned = []
    for t in range(1, len(sequence.frames)):
        if BESIDE in handled and t == 1:
            second.init(other.frames[0].copy(), other.boxes[0].copy())
        elif BESIDE in handled:
            second.update(other.frames[t - 1].copy())
        given = tracker.update(sequence.frames[t].copy())
        returned.append(given if KEPT in handled else as_array(given, (4,), "the box").copy())
    return np.array([as_array(given, (4,), "the box") for given in returned])
