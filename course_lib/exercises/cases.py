"""Many cases at once: where results are small numbers, a single case may agree by chance with
mistakes that were not made; all of them together do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course_lib.exercises.compare import apart, as_array, as_number, copied
from course_lib.exercises.mistakes import agree

CLOSE = 1e-9


def compare_cases(
    answer: Any,
    cases: Sequence[tuple[Any, ...]],
    names: tuple[str, ...],
    read: Callable[[Any, tuple[Any, ...]], Sequence[float]],
    about: Callable[..., str],
    close: float = CLOSE,
    **facts: Callable[..., Any],
) -> None:
    """Compare an answer with the reference on every case.

    A message names the first case that is wrong: {about} of it, the facts, and the numbers there,
    {yours[0]}, {yours[1]}, … beside {wanted[0]}, …, unless a fact has that name.

    Args:
        answer: on trial.
        cases: inputs of each call.
        names: of the numbers in a result.
        read: (result, inputs) → its numbers, one for each name.
        about: (*inputs) → what a message calls the case.
        close: tolerance, relative to the largest number.
        facts: (*inputs) → a value, for the braces in messages.
    """
    rows = [read(answer.right(*copied(case)), case) for case in cases]
    right = np.array(rows, dtype=float)  # (cases, numbers)

    def first(given: tuple[np.ndarray, ...]) -> int:
        return next(
            k for k, row in enumerate(np.transpose(given)) if not agree(row, right[k], close)
        )

    def otherwise(given: tuple[np.ndarray, ...], _: Any) -> str:
        k = first(given)
        part = int(np.argmax(np.abs(np.transpose(given)[k] - right[k])))
        is_now, should_be = apart(given[part][k], right[k, part])
        return f"{about(*cases[k])}: {names[part]} is {is_now}, expected {should_be}"

    def fact(value: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda given: value(*cases[first(given)])

    answer.compare(
        (cases,),
        names,
        lambda rows: tuple(np.array(rows, dtype=float).T),
        call=lambda f, cases: [read(f(*copied(case)), case) for case in cases],
        tolerance=close,
        otherwise=otherwise,
        **{
            "yours": lambda given: np.transpose(given)[first(given)],
            "wanted": lambda given: right[first(given)],
            **{name: fact(value) for name, value in {"about": about, **facts}.items()},
        },
    )


def compare_arrays(
    answer: Any,
    cases: Sequence[tuple[Any, ...]],
    what: str,
    read: Callable[[Any], np.ndarray],
    otherwise: Callable[..., str],
    *,
    ask: Callable[..., Any] = lambda f, *case: f(*case),
    tolerance: float = 1e-6,
    **facts: Callable[..., Any],
) -> None:
    """Compare an answer with the reference on every case, where results are arrays of any shape.

    A message is about the first case that is wrong: {case[0]}, {case[1]}, … are its inputs.

    Args:
        answer: on trial.
        cases: inputs of each call.
        what: name of a result.
        read: turns a result into an array.
        otherwise: (given, right, *inputs) → a message or "", for the first case that is wrong.
        ask: (answer, *inputs) → result.
        tolerance: of the comparison, relative to a result's largest value.
        facts: (given, right, *inputs) → a value, for the braces in messages.
    """
    right = [read(ask(answer.right, *copied(case))) for case in cases]

    def first(given: tuple[np.ndarray, ...], value: Callable[..., Any]) -> Any:
        k = next(k for k, array in enumerate(given) if not agree(array, right[k], tolerance))
        return value(given[k], right[k], *cases[k])

    facts |= {"case": lambda given, right, *case: case}
    answer.compare(
        (cases,),
        (what,) * len(cases),
        lambda results: tuple(read(result) for result in results),
        call=lambda f, cases: [ask(f, *copied(case)) for case in cases],
        tolerance=tolerance,
        otherwise=lambda given, _: first(given, otherwise),
        **{name: lambda given, value=value: first(given, value) for name, value in facts.items()},
    )


def reads(*names: str) -> Callable[[Any, tuple[Any, ...]], list[float]]:
    """Read a result that is one number for each name, or a number for one name."""

    def read(given: Any, case: tuple[Any, ...]) -> list[float]:
        if len(names) == 1:
            return [as_number(given, names[0])]
        return list(as_array(given, (len(names),), " and ".join(names)))

    return read
