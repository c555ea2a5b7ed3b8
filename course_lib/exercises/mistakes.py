"""Wrong answers that students give.

A mistake is declared once, at its check: the message it gets, and the code that makes it. The code
is a function (right, *inputs) that returns what an answer with this mistake returns; `right` is the
reference, so most mistakes are one change to it. The check runs it on the inputs it has drawn, and
gives the message if the student's answer returns the same. The test examines it as if a student had
written it, and expects the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from course_lib.exercises.compare import same

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
            return agree(given, wrong, tolerance)
        part = given[self.part]
        return same(part, wrong[self.part], tolerance) and not same(part, right[self.part])


def declared(words: Mapping[str, Codes], compared: bool) -> tuple[Mistake, ...]:
    """Mistakes from a table of messages and codes."""
    every = [(w, c) for w, cs in words.items() for c in (cs if isinstance(cs, list) else [cs])]
    return tuple(
        Mistake(w, c[1], c[0], compared) if isinstance(c, tuple) else Mistake(w, c, None, compared)
        for w, c in every
    )


def agree(given: Any, other: Any, tolerance: float) -> bool:
    """Whether two results, numbers or tuples of parts, agree."""
    if isinstance(given, tuple):
        return all(same(a, b, tolerance) for a, b in zip(given, other, strict=True))
    return same(given, other, tolerance)
