"""Keep the reference out of reach while an answer is checked: an answer that calls it is no
answer."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any


def _refuse(*args: Any, **kwargs: Any) -> None:
    # this body runs in the place, and so with the globals, of the reference: it imports what it
    # needs
    from course_lib.exercises.words import Wrong

    raise Wrong(
        "your answer calls the course's own version of this exercise; write the steps yourself "
        "(see the hints)"
    )


@contextmanager
def out_of_reach(reference: Any) -> Iterator[Any]:
    """Inside the block calling `reference` raises Wrong under every name it was imported as; a
    working copy is given.

    The body of the function itself is exchanged (for a class: of each of its methods), so an alias
    made beforehand is caught as well.
    """
    methods = _functions(reference)
    copies = {f: _copy(f) for f in methods}
    if inspect.isclass(reference):
        own = {name: copies[f] for name, f in vars(reference).items() if f in copies}
        working = type(reference.__name__, (reference,), own)
        # zero-argument super() in a copied method looks for the class it was written in; it finds
        # the base of ours
    else:
        working = copies[reference]
    bodies = {f: f.__code__ for f in methods}
    try:
        for f in methods:
            f.__code__ = _refuse.__code__.replace(co_freevars=f.__code__.co_freevars)
            f.__defaults__, f.__kwdefaults__ = None, None
        yield working
    finally:
        for f, body in bodies.items():
            f.__code__ = body
            f.__defaults__, f.__kwdefaults__ = copies[f].__defaults__, copies[f].__kwdefaults__


def _functions(reference: Any) -> list[FunctionType]:
    if inspect.isclass(reference):
        return [f for f in vars(reference).values() if isinstance(f, FunctionType)]
    return [reference]


def _copy(f: FunctionType) -> FunctionType:
    twin = FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    twin.__kwdefaults__, twin.__doc__ = f.__kwdefaults__, f.__doc__
    return twin
