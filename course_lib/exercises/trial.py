"""An answer on trial: compared with the reference and with the known wrong answers.

A mistake is declared once, at its check: the message it gets, and the code that makes it. The code
is a function (right, *inputs) that returns what an answer with this mistake returns; `right` is the
reference, so most mistakes are one change to it. The check runs it on the inputs it has drawn, and
gives the message if the student's answer returns the same. The test examines it as if a student had
written it, and expects the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from course_lib.exercises.compare import (
    as_array,
    as_number,
    is_tensor,
    plain,
    require_close,
    require_untouched,
    same,
    shape_of,
)
from course_lib.exercises.words import Wrong

Code = Callable[..., Any]  # (right, *inputs) → result
# a code, one recognised by a part of its result (index, code), or several with the same message
Codes = Code | tuple[Any, Code] | list[Code | tuple[Any, Code]]


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that students give.

    Attributes:
        words: the message; `Trial.compare` fills in the braces.
        code: (right, *inputs) → what such an answer returns.
        part: index of the part of the result that it is recognised by; None for all of it.
        compared: whether `Trial.compare` looks for it. If not, the check finds it in steps of its
            own, and `words` are part of their message.
    """

    words: str
    code: Code
    part: Any = None
    compared: bool = True

    def is_made(self, given: Any, right: Any, wrong: Any, tolerance: float) -> bool:
        """Whether the answer is what this mistake returns, in the part that counts.

        Args:
            given: the answer's result, as numbers.
            right: the reference's result.
            wrong: this mistake's result.
            tolerance: of the comparison.
        """
        if self.part is None:
            return _agree(given, wrong, tolerance)
        part = given[self.part]
        return same(part, wrong[self.part], tolerance) and not same(part, right[self.part])


def declared(words: Mapping[str, Codes], compared: bool) -> tuple[Mistake, ...]:
    """Mistakes from a table of messages and codes."""
    every = [(w, c) for w, cs in words.items() for c in (cs if isinstance(cs, list) else [cs])]
    return tuple(
        Mistake(w, c[1], c[0], compared) if isinstance(c, tuple) else Mistake(w, c, None, compared)
        for w, c in every
    )


def _asked(answer: Any, *inputs: Any) -> Any:
    return answer(*inputs)


class Trial:
    """A student's answer, to be called as if it were the answer itself.

    Args:
        answer: the student's.
        right: the reference.
        mistakes: the known mistakes.
    """

    def __init__(self, answer: Any, right: Any, mistakes: tuple[Mistake, ...] = ()) -> None:
        self.answer, self.right, self.mistakes = answer, right, mistakes

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Call the student's answer."""
        return self.answer(*inputs, **named)

    def compare(
        self,
        inputs: tuple[Any, ...],
        what: str | tuple[str, ...],
        read: tuple[int, ...] | Callable[[Any], Any] | None = None,
        *,
        call: Callable[..., Any] = _asked,
        tolerance: float = 1e-6,
        near: float | None = None,
        hint: str = "",
        named: str = "",
        otherwise: str | Callable[[Any, Any], str] = "",
        untouched: tuple[str, ...] = (),
        **facts: Any,
    ) -> Any:
        """What the answer returns for copies of `inputs`; raises Wrong if the reference returns
        something else.

        The message is that of the first mistake that returns the same, else `otherwise`, else the
        place of the largest difference. A result of another shape gets the message of the first
        mistake whose result has that shape.

        Args:
            inputs: of the answer.
            what: name of the result, or of each of its parts.
            read: turns a result into numbers: an array, or a tuple of parts; or the shape of an
                array; None for one number.
            call: (answer, *inputs) → result, if that is not answer(*inputs).
            tolerance: of the comparison with the reference, relative to the largest value.
            near: of the comparison with mistakes, if different.
            hint: appended to the place of the largest difference.
            named: name of the result there, if different.
            otherwise: a message, or (given, right) → a message or "".
            untouched: names of the leading inputs, which the answer must not change.
            facts: for the braces in messages: values, or functions of the result. {given}, {right},
                {shape} of the result, and the inputs by number are known as well.
        """
        used = copied(inputs)
        raw = call(self.answer, *used)
        for name, before, after in zip(untouched, inputs, used, strict=False):
            require_untouched(plain(before), plain(after), name)
        reading, shape = _reading(read, what), shape_of(raw)
        right = call(self.right, *copied(inputs))
        facts["shape"] = shape
        try:
            given = reading(raw)
        except Wrong:
            if shape is not None and shape != shape_of(right):
                self._explain(inputs, call, facts, lambda m, wrong: shape_of(wrong) == shape)
            raise
        right = reading(right)
        if not _agree(given, right, tolerance):
            facts = {name: fact(given) if callable(fact) else fact for name, fact in facts.items()}
            facts |= {"given": given, "right": right}
            close = near or tolerance
            self._explain(
                inputs, call, facts, lambda m, wrong: m.is_made(given, right, reading(wrong), close)
            )
            if callable(otherwise):
                words = otherwise(given, right)
            else:
                words = otherwise.format(*inputs, **facts)
            if words:
                raise Wrong(words)
            _require_close(given, right, named or what, tolerance, hint)
        return given

    def _explain(
        self,
        inputs: tuple[Any, ...],
        call: Callable[..., Any],
        facts: dict[str, Any],
        is_made: Callable[[Mistake, Any], bool],
    ) -> None:
        """Raise Wrong with the message of the first mistake that the answer makes."""
        for mistake in self.mistakes:
            if not mistake.compared:
                continue
            try:
                made = is_made(mistake, call(partial(mistake.code, self.right), *copied(inputs)))
            except Exception:  # inputs that this mistake cannot take, or a result without numbers
                continue
            if made:
                raise Wrong(mistake.words.format(*inputs, **facts))


def copied(value: Any) -> Any:
    """Inputs copied for one use: arrays and tensors, also within lists and tuples."""
    if type(value) in (list, tuple):
        return type(value)(copied(v) for v in value)
    if isinstance(value, np.ndarray):
        return value.copy()
    return value.clone() if is_tensor(value) else value


def _reading(read: Any, what: str | tuple[str, ...]) -> Callable[[Any], Any]:
    if read is None:
        return lambda raw: as_number(raw, what)
    return read if callable(read) else lambda raw: as_array(raw, read, what)


def _agree(given: Any, other: Any, tolerance: float) -> bool:
    if isinstance(given, tuple):
        return all(same(a, b, tolerance) for a, b in zip(given, other, strict=True))
    return same(given, other, tolerance)


def _require_close(
    given: Any, right: Any, what: str | tuple[str, ...], tolerance: float, hint: str
) -> None:
    if not isinstance(given, tuple):
        given, right, what = (given,), (right,), (what,)
    for a, b, name in zip(given, right, what, strict=True):
        require_close(a, b, name, tolerance, hint)
