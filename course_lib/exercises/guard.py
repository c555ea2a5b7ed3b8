"""Functions that answers must not call: while an answer is checked, the reference and the known
wrong answers refuse to run, and the check works with copies."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any


def refuse(*args: Any, **kwargs: Any) -> None:
    """The body of a guarded function while it is guarded."""
    # it runs with the globals of the guarded function, so it imports what it needs
    from course_lib.exercises.words import Wrong

    raise Wrong(
        "your answer calls the course's own version of this exercise; write the steps yourself "
        "(see the hints)"
    )


@contextmanager
def out_of_reach(*guarded: Any) -> Iterator[list[Any]]:
    """Inside the block, calling any of `guarded` under any name raises Wrong; yields working
    copies.

    The body of the function itself is replaced (for a class: that of each method), so an alias
    made beforehand is caught as well.
    """
    own = [f for one in guarded for f in functions_of(one)]
    copies = {f: copied(f) for f in own}
    bodies = {f: f.__code__ for f in own}
    try:
        for f in own:
            close(f)
        yield [_working(one, copies) for one in guarded]
    finally:
        for f, body in bodies.items():
            f.__code__ = body
            f.__defaults__, f.__kwdefaults__ = copies[f].__defaults__, copies[f].__kwdefaults__


def close(f: FunctionType) -> None:
    """Make a function refuse every call."""
    f.__code__ = refuse.__code__.replace(co_freevars=f.__code__.co_freevars)
    f.__defaults__, f.__kwdefaults__ = None, None


def _working(guarded: Any, copies: dict[FunctionType, FunctionType]) -> Any:
    if not inspect.isclass(guarded):
        return copies[guarded]
    # zero-argument super() in a copied method looks up the class it was written in, so it finds
    # the base class of the copy
    methods = {name: f for name, f in vars(guarded).items() if isinstance(f, FunctionType)}
    own = {name: copies[f] for name, f in methods.items()}
    return type(guarded.__name__, (guarded,), own)


def functions_of(guarded: Any) -> list[FunctionType]:
    """A function, or the methods of a class."""
    if inspect.isclass(guarded):
        return [f for f in vars(guarded).values() if isinstance(f, FunctionType)]
    return [guarded]


def copied(f: FunctionType) -> FunctionType:
    """A function with the same code, whose body can be replaced independently."""
    twin = FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    twin.__kwdefaults__, twin.__doc__ = f.__kwdefaults__, f.__doc__
    twin.__annotations__ = f.__annotations__
    return twin
