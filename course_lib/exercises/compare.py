"""Comparing answers with references. Everything is forced into numbers first: an object that
equals everything is not an answer."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.words import Wrong


def as_number(value: Any, what: str) -> float:
    """`value` as a float; raises Wrong if it is not one finite real number."""
    value = plain(value)
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "fiu":
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise Wrong(f"{what} should be one number; yours is {_kind(value)}")
    if not np.isfinite(float(value)):
        raise Wrong(
            f"{what} is {float(value)}; expected a finite number: is something divided by zero, is "
            "a root or a logarithm taken of a number below 0, does an exponential over- or "
            "underflow, or is one of the numbers NaN (their sum and their maximum are then, too)?"
        )
    return float(value)


def as_array(value: Any, shape: tuple[int, ...], what: str, allow_nan: bool = False) -> np.ndarray:
    """`value` as a real or complex float array; raises Wrong saying what it is instead.

    Args:
        value: what was given.
        shape: the exact shape of the array.
        what: its name.
        allow_nan: whether some of it may be NaN or infinite.
    """
    value = plain(value)
    if not isinstance(value, (np.ndarray, np.generic, list, tuple, numbers.Number)):
        raise Wrong(f"{what} should be an array of shape {shape}; yours is {_kind(value)}")
    if isinstance(value, (list, tuple)) and any(is_tensor(v) and v.requires_grad for v in value):
        raise Wrong(
            f"{what} should be one tensor of shape {tuple(shape)}; yours is a {type(value).__name__} "
            "of tensors: put them together, as torch.stack does"
        )
    try:
        array = np.asarray(value)
        array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    except (TypeError, ValueError):
        raise Wrong(
            f"{what} should be an array of numbers of shape {shape}; yours is {_kind(value)}"
        ) from None
    if array.shape != tuple(shape):
        raise Wrong(f"{what} has shape {array.shape}; expected {tuple(shape)}")
    if not allow_nan and not np.isfinite(array).all():
        raise Wrong(
            f"{what} holds NaN or infinity in {(~np.isfinite(array)).sum()} of {array.size} places"
        )
    return array


def finite(what: str, shape: tuple[int, ...], words: str) -> Callable[[Any], np.ndarray]:
    """Read an array; one that is not finite gets `words`.

    Args:
        what: name of the array.
        shape: it has.
        words: the message, which says where NaN or infinity come from.
    """

    def read(given: Any) -> np.ndarray:
        values = as_array(given, shape, what, allow_nan=True)
        if not np.isfinite(values).all():
            raise Wrong(words)
        return values

    return read


def as_parts(value: Any, *names: str) -> tuple[Any, ...]:
    """`value` as a tuple with a part for each name; raises Wrong if it is not one."""
    if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != len(names):
        count = {2: "two", 3: "three"}[len(names)]
        raise Wrong(f"the answer should have {count} parts: return {', '.join(names)}")
    return tuple(value)


def as_tensor(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """`as_array` for a tensor; raises Wrong if it is not one.

    Args:
        value: what was given.
        shape: the exact shape of the tensor.
        what: its name.
    """
    if not is_tensor(value):
        raise Wrong(f"{what} should be a tensor; yours is of type {type(value).__name__}")
    return as_array(value, shape, what)


def as_loss(value: Any, what: str = "the loss") -> float:
    """A loss as a float; raises Wrong if nothing can be learned from it.

    `what` is its name in messages.
    """
    if not is_tensor(value) or value.ndim:
        raise Wrong(
            f"{what} should be one number, a tensor of shape (), that can be differentiated"
        )
    if not value.requires_grad:
        raise Wrong(
            f"{what} has lost its gradient: compute it with torch, without .item(), .numpy(), "
            ".detach() or no_grad"
        )
    return as_number(value, what)


def require_close(
    actual: Any, expected: Any, what: str, tolerance: float = 1e-6, hint: str = ""
) -> None:
    """Raise Wrong naming the place of the largest difference, and both values there.

    Args:
        actual: what was given.
        expected: what is right; NaN equals NaN.
        what: name of the result.
        tolerance: relative to the largest expected value (at least 1).
        hint: appended to the message.
    """
    expected = np.asarray(expected)
    actual = as_array(actual, expected.shape, what, allow_nan=bool(np.isnan(expected).any()))
    if same(actual, expected, tolerance):
        return
    difference = np.where(np.isnan(actual) & np.isnan(expected), 0, np.abs(actual - expected))
    place = np.unravel_index(
        np.argmax(np.where(np.isnan(difference), np.inf, difference)), difference.shape
    )
    where = f" at {tuple(int(i) for i in place)}" if place else ""
    tail = f"; {hint}" if hint else ""
    is_now, should_be = apart(actual[place], expected[place])
    raise Wrong(f"{what}{where} is {is_now}, expected {should_be}{tail}")


def same(actual: Any, expected: Any, tolerance: float = 1e-6) -> bool:
    """Whether two arrays of numbers have the same shape and agree.

    Args:
        actual: what was given.
        expected: what it may be.
        tolerance: relative to the largest expected value (at least 1).
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape or actual.dtype.kind not in "fiucb":
        return False
    finite = np.abs(expected[np.isfinite(expected)])
    limit = tolerance * max(1.0, float(finite.max(initial=0.0)))
    return bool(np.allclose(actual, expected, rtol=0, atol=limit, equal_nan=True))


def require_untouched(before: Any, after: Any, what: str) -> None:
    """Raise Wrong if an input was changed in place.

    Args:
        before: a copy of it, made before the answer was called: an array, a tensor, or a list or
            dictionary of them. Anything else only has to be in its place.
        after: the input.
        what: its name.
    """
    if not _unchanged(before, after):
        raise Wrong(
            f"your function changes {what}, which it was given; work on a copy: the caller still "
            "needs it"
        )


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, dict):
        return list(before) == list(after) and all(_unchanged(before[k], after[k]) for k in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    if is_tensor(before):
        before, after = before.detach().cpu(), after.detach().cpu()
        return before.shape == after.shape and bool(
            ((before == after) | ((before != before) & (after != after))).all()
        )
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after, equal_nan=before.dtype.kind in "fc")
    return before is after or bool(before == after)


def copied(value: Any) -> Any:
    """Inputs copied for one use: arrays and tensors, also within lists, tuples and dictionaries."""
    if type(value) in (list, tuple):
        return type(value)(copied(v) for v in value)
    if type(value) is dict:
        return {k: copied(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return value.copy()
    return value.clone() if is_tensor(value) else value


def is_tensor(value: Any) -> bool:
    """Whether a value is a PyTorch tensor, found out without importing PyTorch."""
    return type(value).__module__.split(".")[0] == "torch" and hasattr(value, "detach")


def plain(value: Any) -> Any:
    """A tensor as an array; anything else unchanged."""
    if not is_tensor(value):
        return value
    value = value.detach().cpu()
    return (value if value.is_complex() else value.double()).numpy()


def shape_of(value: Any) -> tuple[int, ...] | None:
    """The shape of an array, a tensor, or a list of numbers; None for anything else."""
    value = [plain(v) for v in value] if isinstance(value, (list, tuple)) else plain(value)
    if not isinstance(value, (np.ndarray, list)):
        return None
    try:
        return np.shape(value)
    except ValueError:  # rows of different lengths
        return None


def _kind(value: Any) -> str:
    if value is None:
        return "None: is a `return` missing?"
    if isinstance(value, (np.ndarray, list, tuple)):
        shape = shape_of(value)
        count = f"a {type(value).__name__} of {len(value)} different parts"
        return count if shape is None else f"an array of shape {shape}"
    return f"of type {type(value).__name__}"


def apart(a: Any, b: Any) -> tuple[str, str]:
    """Two different numbers with as many digits as it takes to see that they differ."""
    for digits in range(4, 17):
        texts = _short(a, digits), _short(b, digits)
        if texts[0] != texts[1]:
            break
    return texts


def _short(value: Any, digits: int) -> str:
    if np.iscomplexobj(value):
        return f"{value.real:.{digits}g}{value.imag:+.{digits}g}j"
    return f"{float(value):.{digits}g}"
