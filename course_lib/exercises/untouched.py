"""Names that a notebook can replace in its own process: their state before its first cell, to be
restored."""

from __future__ import annotations

import builtins
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any

from course_lib.exercises.guard import close, functions_of

# packages whose functions, classes and modules decide on a verdict, with all their loaded modules
PACKAGES = {"course_lib", "numpy"}
MODULES = {
    *("copy", "contextlib", "dataclasses", "functools", "importlib", "inspect", "json", "math"),
    *("numbers", "operator", "random", "traceback", "types", "zlib", "torch", "torch.nn"),
    *("torch.nn.functional", "torch.linalg", "torch.fft", "torch.testing"),
}
CLASSES = {("torch", "Tensor"), ("torch.nn", "Module")}  # the rest of torch fills itself in lazily
NOT_OURS = {"input", "_", "display", "get_ipython", "__builtins__"}  # Jupyter sets them again
PYTHONS_OWN = {"__dict__", "__weakref__", "__doc__", "__annotations__", "__abstractmethods__"}
MISSING = object()


class Snapshot:
    """Names, classes and functions of the machinery as they are now; `put_back` undoes later
    replacements."""

    def __init__(self) -> None:
        modules = {n: m for n, m in list(sys.modules.items()) if _is_watched(n, m)}
        self._builtins = (vars(builtins), _kept(vars(builtins), whole=False))
        self._loaded = modules
        self._names = [
            (n, vars(m), _kept(vars(m), n.startswith("course_lib"))) for n, m in modules.items()
        ]
        self._classes = [(c, dict(vars(c))) for c in _classes(modules)]
        self._functions = [
            (f, f.__code__, f.__defaults__, f.__kwdefaults__) for f in _functions(modules)
        ]

    def put_back(self) -> list[str]:
        """Undo every replacement; returns the names of what had been replaced."""
        there, saved = self._builtins
        changed = []
        for name, value in saved.items():  # first, and without builtins: any of them may be a fake
            if there.get(name, MISSING) is not value:
                there[name] = value
                changed.append(name)
        for name, module in self._loaded.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                changed.append(f"the module {name}")
        for module, there, saved in self._names:
            changed += [f"{module}.{name}" for name in self._put_back_names(module, there, saved)]
        changed += [
            f"{cls.__name__}.{name}"
            for cls, saved in self._classes
            for name in _put_back_class(cls, saved)
        ]
        changed += [
            f"{f.__module__}.{f.__qualname__}"
            for f, *saved in self._functions
            if _differs(f, saved)
        ]
        for f, code, defaults, named in self._functions:
            if _differs(f, (code, defaults, named)):
                f.__code__, f.__defaults__, f.__kwdefaults__ = code, defaults, named
        return changed

    def _put_back_names(self, module: str, there: dict, saved: dict) -> Iterator[str]:
        for name, value in saved.items():
            if there.get(name, MISSING) is not value:
                there[name] = value
                yield name
        if module.startswith("course_lib"):  # a new global there hides the builtin of its name
            for name in (there.keys() & self._builtins[1].keys()) - saved.keys():
                del there[name]
                yield name


@contextmanager
def put_away(*guarded: Any) -> Iterator[None]:
    """Inside the block, copies of `guarded` refuse to be called too: functions with the same code,
    or from a module imported once more."""
    own = [f for one in guarded for f in functions_of(one)]
    known = {id(f) for f in own}
    places = {(f.__code__.co_filename, f.__code__.co_firstlineno) for f in own}
    copies = [
        f
        for f in gc.get_objects()
        if type(f) is FunctionType
        and (f.__code__.co_filename, f.__code__.co_firstlineno) in places
        and id(f) not in known
    ]
    saved = [(f, f.__code__, f.__defaults__, f.__kwdefaults__) for f in copies]
    try:
        for f in copies:
            close(f)
        yield
    finally:
        for f, code, defaults, named in saved:
            f.__code__, f.__defaults__, f.__kwdefaults__ = code, defaults, named


def private(module: ModuleType) -> ModuleType:
    """A module with the same contents, in which nobody else can replace a name."""
    twin = ModuleType(module.__name__)
    vars(twin).update(vars(module))
    return twin


def _is_watched(name: str, module: Any) -> bool:
    return isinstance(module, ModuleType) and (name.split(".")[0] in PACKAGES or name in MODULES)


def _kept(names: dict[str, Any], whole: bool) -> dict[str, Any]:
    """The names to put back: all, or those of functions, classes and modules."""
    return {
        name: value
        for name, value in names.items()
        if name not in NOT_OURS and (whole or callable(value) or isinstance(value, ModuleType))
    }


def _classes(modules: dict[str, ModuleType]) -> list[type]:
    """The classes of the watched packages that take new attributes."""
    found = {
        id(value): value
        for name, module in modules.items()
        for key, value in vars(module).items()
        if isinstance(value, type)
        and value.__module__.split(".")[0] in ("torch", *PACKAGES)
        and value.__flags__ & (1 << 9)  # made by Python's `class`: others cannot be changed
        and (name.split(".")[0] in PACKAGES or (name, key) in CLASSES)
    }
    return list(found.values())


def _functions(modules: dict[str, ModuleType]) -> list[FunctionType]:
    """The Python functions of the watched packages, methods and wrapped ones too."""
    return [
        f
        for f in gc.get_objects()
        if type(f) is FunctionType
        and isinstance(f.__module__, str)
        and (f.__module__.split(".")[0] in PACKAGES or f.__module__ in MODULES)
    ]


def _put_back_class(cls: type, saved: dict[str, Any]) -> Iterator[str]:
    now = vars(cls)
    if now.keys() == saved.keys() and all(now[name] is saved[name] for name in saved):
        return
    for name in now.keys() - saved.keys():
        if any(name in vars(base) for base in cls.__mro__[1:]):  # it hides the inherited one
            delattr(cls, name)
            yield name
    for name, value in saved.items():
        if name not in PYTHONS_OWN and now.get(name, MISSING) is not value:
            setattr(cls, name, value)
            yield name


def _differs(f: FunctionType, saved: Any) -> bool:
    code, defaults, named = saved
    return f.__code__ is not code or f.__defaults__ is not defaults or f.__kwdefaults__ is not named
