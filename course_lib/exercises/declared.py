"""The declared type of an answer: what the next cells compute with.

An answer may return a list where the lesson's signature says array, or a NumPy array where it says
tensor. Its numbers are right, so it is right; and since the next cells count on the declared type,
it is converted wherever nothing is lost by that: here while it is checked, and in the notebook from
then on.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.compare import is_tensor
from course_lib.exercises.words import Wrong


def declared_result(reference: Any) -> Any:
    """The return annotation of the reference, without a "| None"; None if it has none, or is a
    class."""
    if inspect.isclass(reference):
        return None
    try:
        declared = typing.get_type_hints(reference).get("return")
    except NameError:  # a type that is imported for type checkers only
        return None
    parts = [part for part in typing.get_args(declared) if part is not types.NoneType]
    return parts[0] if isinstance(declared, types.UnionType) and len(parts) == 1 else declared


def converted(value: Any, declared: Any, inputs: tuple[Any, ...] = ()) -> Any:
    """`value` as the declared type; unchanged if it has that type, or cannot be converted without
    loss.

    Args:
        value: what an answer returned.
        declared: an annotation: array, tensor, number, or a tuple or list of them.
        inputs: of the answer. If some are tensors, an array of fractions is not converted to a
            tensor, since gradients have been lost; and a tensor gets their precision.
    """
    if value is None or declared is None:
        return value
    origin = typing.get_origin(declared)
    if origin in (tuple, list):
        return _sequence(value, declared, inputs)
    if declared is np.ndarray:
        return _array(value)
    if getattr(declared, "__module__", "").startswith("torch") and declared.__name__ == "Tensor":
        return _tensor(value, inputs)
    if declared in (int, float, bool):
        return _number(value, declared)
    return value


def known_inputs(value: Any, inputs: tuple[Any, ...], learns: bool) -> tuple[Any, ...]:
    """The inputs by which a result is converted: all, if gradients flow through the answer, or if
    the result is a tensor, which keeps their precision; none otherwise.

    Args:
        value: the result.
        inputs: of the answer.
        learns: whether gradients flow through it.
    """
    return inputs if learns or is_tensor(value) else ()


def as_declared(
    answer: Callable[..., Any], declared: Any, kind: Any = None, learns: bool = True
) -> Callable[..., Any]:
    """The answer, with what it returns converted.

    Args:
        answer: a student's.
        declared: the type of its result.
        kind: dtype of its result, where that has to be cast as well.
        learns: whether gradients flow through it.
    """

    @functools.wraps(answer)
    def passed_on(*inputs: Any, **named: Any) -> Any:
        value = answer(*inputs, **named)
        given = known_inputs(value, (*inputs, *named.values()), learns)
        value = converted(value, declared, given)
        if kind is None:
            return value
        if is_tensor(value):
            return value.to(kind)
        real = np.iscomplexobj(value) and np.dtype(kind).kind == "f"
        return (value.real if real else value).astype(kind)

    return passed_on


def cast(given: Any, right: Any) -> Any:
    """A tensor or array in the type of the reference's, where its values survive that: 0 and 1 may
    be truth values, −1 and 1 whole numbers, and complex numbers without an imaginary part real
    ones; unchanged otherwise."""
    if is_tensor(given) and is_tensor(right) and given.dtype != right.dtype:
        new = given.to(right.dtype)
        return new if bool((new.to(given.dtype) == given).all()) else given
    if isinstance(given, np.ndarray) and isinstance(right, np.ndarray):
        if given.dtype.kind == "c" and right.dtype.kind == "f":
            size = max(1.0, np.abs(given).max(initial=0.0))
            return given.real if np.abs(given.imag).max(initial=0.0) < 1e-6 * size else given
        if (given.dtype.kind == "b") == (right.dtype.kind == "b"):
            return given
        new = given.astype(right.dtype)
        return new if np.array_equal(new.astype(given.dtype), given) else given
    return given


def require_kind(given: Any, right: Any, what: str) -> None:
    """Raise Wrong where the next cells need a tensor, or truth values, whole numbers or fractions,
    and get something else.

    Args:
        given: what the answer returned.
        right: what the reference returned.
        what: name of the result.
    """
    given = cast(given, right)
    if isinstance(given, (list, tuple)) and isinstance(right, (list, tuple)):
        for a, b in zip(given, right, strict=False):
            require_kind(a, b, what)
    elif is_tensor(right) and not is_tensor(given):
        raise Wrong(f"{what} should be a tensor; yours is of type {type(given).__name__}")
    elif is_tensor(right) and given.dtype != right.dtype:
        raise Wrong(
            f"{what} has type {given.dtype}, expected {right.dtype}: the next cells compute with it"
        )
    elif isinstance(given, np.ndarray) and isinstance(right, np.ndarray):
        masks = given.dtype.kind == "b", right.dtype.kind == "b"
        if masks[0] != masks[1]:
            raise Wrong(
                f"{what} has type {given.dtype}, expected {right.dtype}: the next cells use it as "
                f"{'a mask' if masks[1] else 'numbers'}"
            )


def name_of(declared: Any) -> str:
    """A declared type in a sentence."""
    origin = typing.get_origin(declared)
    if origin in (tuple, list):
        return f"a {origin.__name__}"
    names = {"ndarray": "a NumPy array", "Tensor": "a tensor", "int": "an integer"}
    name = getattr(declared, "__name__", str(declared))
    return names.get(name, f"a {name}")


def _sequence(value: Any, declared: Any, inputs: tuple[Any, ...]) -> Any:
    """A tuple or list: its parts converted one by one."""
    kind, parts = typing.get_origin(declared), typing.get_args(declared)
    if isinstance(value, (dict, set, str, types.GeneratorType)):
        return value
    try:
        values = list(_array(value) if is_tensor(value) else value)
    except TypeError:
        return value
    if kind is list or (len(parts) == 2 and parts[1] is ...):
        parts = (parts[0] if parts else None,) * len(values)
    if len(parts) != len(values):
        return value
    new = [converted(v, part, inputs) for v, part in zip(values, parts, strict=True)]
    if isinstance(value, kind) and all(a is b for a, b in zip(values, new, strict=True)):
        return value
    return kind(new)


def _array(value: Any) -> Any:
    if is_tensor(value):
        value = value.detach().cpu()
        return (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    if isinstance(value, (list, tuple)):
        try:
            array = np.array([_array(v) for v in value])
        except ValueError:  # rows of different lengths
            return value
        return array if array.dtype.kind in "fiucb" else value
    return value


def _tensor(value: Any, inputs: tuple[Any, ...]) -> Any:
    import torch

    floating = [i.dtype for i in inputs if is_tensor(i) and i.is_floating_point()]
    if is_tensor(value):
        wanted = floating or [torch.get_default_dtype()]
        return value if not _is_double(value) or wanted[0] == value.dtype else value.to(wanted[0])
    if not isinstance(value, (np.ndarray, list, tuple)):
        return value
    array = _array(value)
    if not isinstance(array, np.ndarray):
        return value
    if array.dtype.kind in "fc" and any(map(is_tensor, inputs)):
        return value
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(torch.get_default_dtype()) if _is_double(tensor) else tensor


def _is_double(tensor: Any) -> bool:
    return str(tensor.dtype) == "torch.float64"


def _number(value: Any, declared: type) -> Any:
    if isinstance(value, bool) or (is_tensor(value) and value.requires_grad):
        return value
    if isinstance(value, (np.ndarray, np.generic)) or is_tensor(value):
        if np.prod(value.shape) != 1:
            return value
        value = value.item()
    if declared is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
