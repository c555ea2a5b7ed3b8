"""An answer on trial: called by the rules, and compared with the reference and with the known wrong
answers."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from course_lib.exercises import gradients
from course_lib.exercises.compare import (
    as_array,
    as_number,
    copied,
    require_close,
    require_untouched,
    shape_of,
)
from course_lib.exercises.declared import (
    cast,
    converted,
    declared_result,
    known_inputs,
    require_kind,
)
from course_lib.exercises.draws import alike, difference, drawn, gap, require_generator
from course_lib.exercises.mistakes import Mistake, agree
from course_lib.exercises.modes import modes_kept
from course_lib.exercises.patience import within_patience
from course_lib.exercises.words import Wrong


def _asked(answer: Any, *inputs: Any) -> Any:
    return answer(*inputs)


class Trial:
    """A student's answer, to be called as if it were the answer itself.

    Each call has these rules: arrays, tensors, lists and dictionaries that it is given stay as they
    are, PyTorch's gradients and autocast stay on or off as they were, and a result of another type
    than the declared one is converted, see `declared.py`.

    Args:
        answer: the student's.
        right: the reference.
        mistakes: the known mistakes.
        learns: whether gradients flow through the answer.

    Attributes:
        declared: the reference's return annotation.
        converts: whether the answer has returned something that was converted.
        kind: dtype that its results are cast to; None where they have the right one.
    """

    def __init__(
        self, answer: Any, right: Any, mistakes: tuple[Mistake, ...] = (), learns: bool = True
    ) -> None:
        self.answer, self.right, self.mistakes, self.learns = answer, right, mistakes, learns
        self.declared, self.converts = declared_result(right), False
        self.kind: Any = None
        self._own_names: dict[int, list[str]] = {}  # by the number of inputs

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Call the student's answer; raises Wrong if it changes what it is given."""
        before = copied([*inputs, *named.values()])
        with modes_kept():
            raw = within_patience(self.answer, *inputs, **named)
        names = [*self._input_names(len(inputs)), *named]
        for name, was, now in zip(names, before, [*inputs, *named.values()], strict=True):
            require_untouched(was, now, f"`{name}`")
        given = known_inputs(raw, (*inputs, *named.values()), self.learns)
        value = converted(raw, self.declared, given)
        self.converts |= value is not raw and not _only_numbers(raw)
        return value

    def _input_names(self, count: int) -> list[str]:
        """Names of the first `count` inputs."""
        if count not in self._own_names:
            self._own_names[count] = _names(self.answer, self.right, count)
        return self._own_names[count]

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
        **facts: Any,
    ) -> Any:
        """What the answer returns for copies of `inputs`; raises Wrong if the reference returns
        something else.

        The message is that of the first mistake that returns the same, else `otherwise`, else the
        place of the largest difference. A result of another shape gets the message of the first
        mistake whose result has that shape.

        Where inputs require a gradient, that of the result has to be the reference's as well.

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
            facts: for the braces in messages: values, or functions of the result. {given}, {right},
                {shape} of the result, and the inputs by number are known as well.
        """
        mine, theirs = copied(inputs), copied(inputs)
        raw, right = self._called(call, mine, what), call(self.right, *theirs)
        if call is _asked and (cast_ := cast(raw, right)) is not raw:
            raw, self.converts, self.kind = cast_, True, right.dtype
        reading, shape = _reading(read, what), shape_of(raw)
        facts["shape"] = shape
        try:
            given = reading(raw)
        except Wrong:
            if shape is not None and shape != shape_of(right):
                self._explain(inputs, call, facts, lambda m, wrong, _: shape_of(wrong) == shape)
            raise
        require_kind(raw, right, what if isinstance(what, str) else "the result")
        slopes = self._slopes(right, theirs, what)
        right = reading(right)
        if not agree(given, right, tolerance):
            facts = {name: fact(given) if callable(fact) else fact for name, fact in facts.items()}
            facts |= {"given": given, "right": right}
            close = near or tolerance
            self._explain(
                inputs,
                call,
                facts,
                lambda m, wrong, _: m.is_made(given, right, reading(wrong), close),
            )
            if callable(otherwise):
                words = otherwise(given, right)
            else:
                words = otherwise.format(*inputs, **facts)
            if words:
                raise Wrong(words)
            _require_close(given, right, named or what, tolerance, hint)
        if gradients.any_of(slopes):
            found = self._slopes(raw, mine, what)
            if not gradients.agree(found, slopes):
                self._explain(
                    inputs,
                    call,
                    facts,
                    lambda m, wrong, own: (
                        agree(reading(wrong), right, tolerance)
                        and gradients.agree(self._slopes(wrong, own, what), found)
                    ),
                )
            gradients.require_same(found, slopes)
        return given

    def compare_draws(
        self,
        inputs: Callable[[np.random.Generator], tuple[Any, ...]],
        what: str | tuple[str, ...],
        read: Callable[[Any], Any],
        *,
        draws: int = 1500,
        seed: int = 0,
        **facts: Any,
    ) -> np.ndarray:
        """What the answer returns in many random draws, (draws, parts); raises Wrong if it does not
        draw from the generator it was given, or its draws are distributed differently from the
        reference's.

        The message is that of the mistake whose draws are distributed most like the answer's, else
        it names the part, and how much lies below a value.

        Args:
            inputs: (generator) → the answer's inputs, with that generator among them.
            what: name of the result, or of each of its parts.
            read: turns a result into numbers: one, or several.
            draws: how many.
            seed: of the generators.
            facts: for the braces in messages, as in `compare`.
        """
        given = drawn(self, inputs, read, draws, seed)
        require_generator(self, inputs, read, seed)
        right = drawn(self.right, inputs, read, draws, seed + 1)
        if alike(given, right):
            return given
        some = inputs(np.random.default_rng(seed))
        facts = {name: fact(given) if callable(fact) else fact for name, fact in facts.items()}
        fitting = []
        for mistake in self.mistakes:
            if not mistake.compared:
                continue
            try:
                code = partial(mistake.code, self.right)
                for n in (draws // 6, draws):  # a few show that most mistakes are not made
                    wrong = drawn(code, inputs, read, n, seed + 2)
                    if not alike(given, wrong):
                        break
                else:
                    fitting.append((gap(given, wrong), mistake.words, code))
            except Exception:  # inputs that this mistake cannot take, or a result without numbers
                continue
        if fitting:
            _, words, code = min(fitting, key=lambda fit: fit[0])
            many = 4 * draws  # what is said must be so
            if alike(*(drawn(f, inputs, read, many, seed + k) for k, f in ((3, self), (4, code)))):
                raise Wrong(words.format(*some, given=given, right=right, **facts))
        raise Wrong(difference(given, right, what))

    def _called(self, call: Callable[..., Any], inputs: tuple[Any, ...], what: Any) -> Any:
        """What the answer returns; Wrong if it takes numbers out of a tensor that is learned
        through."""
        try:
            return call(self, *inputs)
        except RuntimeError as problem:
            if "that requires grad" not in str(problem):  # PyTorch's words about .numpy()
                raise
            what = what if isinstance(what, str) else "the result"
            raise Wrong(
                f"{what} has lost its gradient: NumPy has none, so compute it with torch"
            ) from None

    def _slopes(self, result: Any, inputs: tuple[Any, ...], what: str | tuple[str, ...]) -> Any:
        """Gradients of a result with respect to the inputs that require one; empty if none do."""
        leaves = gradients.learned(inputs, self._input_names(len(inputs)))
        return gradients.slopes(result, leaves, what) if leaves else []

    def _explain(
        self,
        inputs: tuple[Any, ...],
        call: Callable[..., Any],
        facts: dict[str, Any],
        is_made: Callable[[Mistake, Any, Any], bool],
    ) -> None:
        """Raise Wrong with the message of the first mistake that the answer makes: is_made(mistake,
        its result, the inputs it was given)."""
        for mistake in self.mistakes:
            if not mistake.compared:
                continue
            own = copied(inputs)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of its code, which a student cannot read
                    made = is_made(mistake, call(partial(mistake.code, self.right), *own), own)
            except Exception:  # inputs that this mistake cannot take, or a result without numbers
                continue
            if made:
                raise Wrong(mistake.words.format(*inputs, **facts))


def _names(answer: Any, right: Any, count: int) -> list[str]:
    """Names of the first `count` parameters, as the answer calls them, or else the reference."""
    for function in (answer, right):
        try:
            found = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            continue
        names = [p.name for p in found if p.kind is not p.VAR_POSITIONAL]
        if len(names) >= count:
            return names[:count]
    return ["an argument"] * count


def _reading(read: Any, what: str | tuple[str, ...]) -> Callable[[Any], Any]:
    if read is None:
        return lambda raw: as_number(raw, what)
    return read if callable(read) else lambda raw: as_array(raw, read, what)


def _require_close(
    given: Any, right: Any, what: str | tuple[str, ...], tolerance: float, hint: str
) -> None:
    if not isinstance(given, tuple):
        given, right, what = (given,), (right,), (what,)
    for a, b, name in zip(given, right, what, strict=True):
        require_close(a, b, name, tolerance, hint)


def _only_numbers(raw: Any) -> bool:
    """Whether a result is a number or a tuple of them: NumPy's serve as well as Python's."""
    if isinstance(raw, tuple):
        return all(isinstance(part, (np.generic, float, int)) for part in raw)
    return isinstance(raw, float)  # NumPy's is one
