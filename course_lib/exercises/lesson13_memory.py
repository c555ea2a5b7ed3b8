"""Check of lesson 13's memory: what the samples weigh after one more is remembered."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.cases import compare_cases
from course_lib.exercises.compare import as_array, as_number
from course_lib.exercises.core import check
from course_lib.exercises.memory_steps import remembered, remembered_by
from course_lib.exercises.words import Wrong


def _with(**changed):
    """A mistake: another part of the rule."""
    return lambda right, *given: remembered_by(*given, **changed)


def _given(change):
    """A mistake: the right rule for other inputs."""
    return lambda right, *given: right(*change(*given))


def _floor_alone(weights, first, floor):
    """The first frame's weights are raised, the others stay."""
    if weights[:first].sum() < floor:
        weights[:first] = floor / first
    return weights


def _floor_then_sum(weights, first, floor):
    """As above, and all are divided by their sum."""
    weights = _floor_alone(weights, first, floor)
    return weights / weights.sum()


def _each_floor(weights, first, floor):
    """Every sample of the first frame keeps the floor."""
    weights[:first] = np.maximum(weights[:first], floor / first)
    return weights / weights.sum()


def _floor_for_each(weights, first, floor):
    """Every sample of the first frame has as much as all should have together."""
    if weights[:first].min() < floor:
        weights[:first] = floor
    return weights / weights.sum()


def _in_proportion(weights, first, floor):
    """All of the first frame's samples are raised by the same factor."""
    if weights[:first].sum() < floor:
        weights[first:] *= (1 - floor) / weights[first:].sum()
        weights[:first] *= floor / weights[:first].sum()
    return weights


def _always(weights, first, floor):
    """The first frame's samples have the floor, whether they have more or not."""
    weights[first:] *= (1 - floor) / weights[first:].sum()
    weights[:first] = floor / first
    return weights


def _only_the_rest(weights, place):
    """The new one keeps its weight, the others have what is left."""
    rest = np.arange(len(weights)) != place
    weights[rest] *= (1 - weights[place]) / weights[rest].sum()
    return weights


@check(
    "online.memory",
    reference=remembered,
    learns=False,
    mistakes={
        "your full memory replaces one of the first frame's samples, the only ones known to be "
        "right; replace a later one": [
            _with(replaced=lambda weights, first, last: int(weights.argmin())),
            _with(replaced=lambda weights, first, last: 0),
        ],
        "the later sample with the *least* weight is replaced; you replace another": [
            _with(replaced=lambda weights, first, last: first + int(weights[first:].argmax())),
            _with(replaced=lambda weights, first, last: len(weights) - 1),
            _with(replaced=lambda weights, first, last: first),
            _with(replaced=lambda weights, first, last: first if last is None else last),
        ],
        "the place counts from the beginning of the memory, the first frame's samples included": [
            lambda right, w, first, last, capacity, *given: (
                right(w, first, last, capacity, *given)[0],
                right(w, first, last, capacity, *given)[1] - first * (len(w) >= capacity),
            ),
            _with(replaced=lambda weights, first, last: int(weights[first:].argmin())),
        ],
        "a new sample weighs 1 / (1 − rate) times as much as the newest before it; that is how "
        "older ones are forgotten": [
            _with(new=lambda w, last, rate: rate * (1 - rate) if last is None else rate),
            _with(new=lambda w, last, rate: rate * (1 - rate) if last is None else w[last]),
            _with(
                new=lambda w, last, rate: (
                    rate * (1 - rate) if last is None else w[last] * (1 - rate)
                )
            ),
            _with(
                new=lambda w, last, rate: (
                    rate * (1 - rate) if last is None else w[last] / (1 + rate)
                )
            ),
            _with(
                new=lambda w, last, rate: (
                    rate * (1 - rate) if last is None else w[last] * (1 + rate)
                )
            ),
        ],
        "the newest sample is at `last`; it need not be the last in the list, nor the heaviest": [
            _given(lambda w, first, last, *given: (w, first, last and len(w) - 1, *given)),
            _given(lambda w, first, last, *given: (w, first, last and int(w.argmax()), *given)),
        ],
        "the first of the new samples gets rate · (1 − rate)": [
            _with(new=lambda w, last, rate: rate if last is None else w[last] / (1 - rate)),
            _with(new=lambda w, last, rate: w[-1 if last is None else last] / (1 - rate)),
            _with(new=lambda w, last, rate: 1 - rate if last is None else w[last] / (1 - rate)),
        ],
        "the weights no longer sum to 1: divide all of them by their sum": [
            _with(norm=lambda weights, place: weights),
            _with(norm=lambda weights, place: weights / weights.max()),
        ],
        "divide *all* by the sum, the new one too": _with(norm=_only_the_rest),
        "the floor has no effect: the first frame's samples together keep at least that": (
            _given(
                lambda w, first, last, capacity, rate, floor: (w, first, last, capacity, rate, 0)
            )
        ),
        "the first frame's samples are at their floor, but now the sum is more than 1: the others "
        "share 1 − floor": _with(raised=_floor_alone),
        "the floor has to hold after everything else: divided by a sum, the first frame's samples "
        "fall below it again": [_with(raised=_floor_then_sum), _with(raised=_each_floor)],
        "at the floor each of the first frame's samples gets an equal part of it; yours keep their "
        "proportions": _with(raised=_in_proportion),
        "above the floor the first frame's samples keep their weights; yours fall to the "
        "floor": _with(raised=_always),
        "the floor is for the sum of the first frame's samples, not for each of them": (
            _with(raised=_floor_for_each)
        ),
    },
    others={
        "the memory holds at most": _given(
            lambda w, first, last, capacity, *given: (w, first, last, capacity + 1, *given)
        ),
        "there is room": _given(
            lambda w, first, last, capacity, *given: (
                (w, first, last or first, len(w), *given)
                if len(w) > first
                else (w, first, last, capacity, *given)
            )
        ),
        "the answer should have two parts": lambda right, *given: right(*given)[0],
    },
)
def examine_memory(answer, rng: np.random.Generator) -> None:
    """The first samples, later ones, a full memory; above the floor and below it."""
    cases = []
    for first, more, capacity, rate, floor, weight in (
        (4, 0, 9, 0.05, 0.3, 1.0),
        (5, 0, 8, 0.3, 0.9, 1.0),
        (4, 3, 9, 0.08, 0.25, 0.7),
        (3, 4, 9, 0.12, 0.4, 0.41),
        (4, 5, 9, 0.07, 0.1, 0.13),
        (3, 6, 9, 0.15, 0.35, 0.355),
        (5, 4, 9, 0.21, 0.5, 0.505),
    ):
        w = _some_weights(rng, first, more, weight)
        last = None if more == 0 else first + int(np.argsort(w[first:])[more // 2])
        cases.append((w, first, last, capacity, rate, floor))
    for case in cases:
        _require_size(answer(*case), case)

    def read(given, case):
        weights, place = given
        n = min(len(case[0]) + 1, case[3])
        own = as_array(weights, (n,), "the weights")
        return [*np.pad(own, (0, 9 - n)), as_number(place, "the place of the new sample")]

    names = *(f"weight {k}" for k in range(9)), "the place of the new sample"
    compare_cases(answer, cases, names, read, _about, close=1e-7)


def _some_weights(rng: np.random.Generator, first: int, more: int, weight: float) -> np.ndarray:
    """Weights (first + more,), those of the first frame nearly equal, whose sum is `weight`."""
    rest = rng.permutation(np.cumsum(rng.uniform(0.5, 1, more)))
    share = weight * (parts := rng.uniform(0.95, 1.05, first)) / parts.sum()
    return np.append(share, (1 - weight) * rest / max(rest.sum(), 1e-9))


def _require_size(given, case) -> None:
    """Raise Wrong unless there are two parts, and as many weights as there should be."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise Wrong(
            "the answer should have two parts: return the weights, and the place of the new one"
        )
    before, count, capacity = len(case[0]), np.size(given[0]), case[3]
    if count > capacity:
        raise Wrong(
            f"the memory holds at most {capacity} samples; yours now has {count}: in a full memory "
            "the new one takes another's place"
        )
    if count == before < capacity:
        raise Wrong(
            f"the memory has {before} samples as before; there is room for {capacity}, so none has "
            "to go"
        )


def _about(weights, first, last, capacity, rate, floor) -> str:
    """What a message calls a case."""
    return (
        f"{len(weights)} samples, {first} of them the first frame's, room for {capacity}, rate "
        f"{rate:g}, floor {floor:g}"
    )
