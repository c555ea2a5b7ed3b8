"""Guards what answers must not call: the reference and the known wrong answers refuse while an
answer is checked, and the check works with copies."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any


def refuse(*args: Any, **kwargs: Any) -> None:
    """The body that a guarded function has meanwhile."""
    # it runs in the place, and so with the globals, of that function: it imports what it needs
    from course_lib.exercises.words import Wrong

    raise Wrong(
        "your answer calls the course's own version of this exercise; write the steps yourself "
        "(see the hints)"
    )


@contextmanager
def out_of_reach(*guarded: Any) -> Iterator[list[Any]]:
    """Inside the block calling any of `guarded` raises Wrong under every name it was imported as;
    working copies are given.

    The body of the function itself is exchanged (for a class: of each of its methods), so an alias
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
    """Let a function refuse to be called, whatever it is given."""
    f.__code__ = refuse.__code__.replace(co_freevars=f.__code__.co_freevars)
    f.__defaults__, f.__kwdefaults__ = None, None


def _working(guarded: Any, copies: dict[FunctionType, FunctionType]) -> Any:
    if not inspect.isclass(guarded):
        return copies[guarded]
    # zero-argument super() in a copied method looks for the class it was written in; it finds the
    # base of ours
    own = {name: copies[f] for name, f in vars(guarded).items() if f in copies}
    return type(guarded.__name__, (guarded,), own)


def functions_of(guarded: Any) -> list[FunctionType]:
    """A function, or the methods of a class."""
    if inspect.isclass(guarded):
        return [f for f in vars(guarded).values() if isinstance(f, FunctionType)]
    return [guarded]


def copied(f: FunctionType) -> FunctionType:
    """A function of the same code, whose body can be exchanged apart."""
    twin = FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    twin.__kwdefaults__, twin.__doc__ = f.__kwdefaults__, f.__doc__
    return twin
