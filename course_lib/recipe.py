"""Settings: frozen dataclasses, filled from YAML and `key=value` overrides.

A recipe is a YAML file with one mapping. A key the dataclass does not have is an error that
names the nearest one it does have; a value of the wrong kind is an error that says which kind.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from course_lib.errors import SettingsError

S = TypeVar("S")


def load_settings(cls: type[S], path: Path | str | None = None, overrides: dict[str, Any] | None = None) -> S:
    """An instance of the frozen dataclass `cls` from a YAML file, then overrides on top.

    Args:
        cls: the settings dataclass; its defaults hold for every key nobody names.
        path: YAML file with one mapping, or None for the defaults alone.
        overrides: values that win over the file; strings are read as YAML ("0.125", "[1, 2]"); "a.b" is key b of
            the mapping a.

    Raises SettingsError naming the file, the key and the value at fault.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values.update(_read_mapping(Path(path)))
    where = str(path) if path is not None else f"the settings of {cls.__name__}"
    for key, value in (overrides or {}).items():
        value = yaml.safe_load(value) if isinstance(value, str) else value
        outer, dot, inner = key.partition(".")
        if dot:  # "changes.light" is the key `light` of the mapping `changes`
            values[outer] = {**(values.get(outer) or {}), inner: value}
        else:
            values[key] = value
    return _fill(cls, values, where)


def parse_overrides(arguments: list[str]) -> dict[str, str]:
    """`["eta=0.2", "sigma=3"]` as a dictionary of strings, for `load_settings`."""
    pairs = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"override {argument!r} is not of the form key=value, for example eta=0.125")
        pairs[key.strip()] = value.strip()
    return pairs


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.name for p in path.parent.glob("*.yaml"))) or "no recipe"
        raise SettingsError(f"recipe {path} does not exist; {path.parent} holds {known}") from None
    except yaml.YAMLError as problem:
        raise SettingsError(f"recipe {path} is not valid YAML: {problem}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"recipe {path} holds a {type(content).__name__}; expected lines of `key: value`")
    return content


def _fill(cls: type[S], values: dict[str, Any], where: str) -> S:
    kinds = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    checked = {}
    for key, value in values.items():
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.0)
            raise SettingsError(f"{where}: unknown key {key!r}; did you mean {near[0]!r}? Known: {', '.join(names)}")
        checked[key] = _convert(value, kinds[key], f"{where}: {key}")
    return cls(**checked)


def _convert(value: Any, kind: Any, where: str) -> Any:
    """`value` as `kind`, without silent surprises: 1 is a float, "1" is not, True is not an int."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if type(None) in arguments:
        if value is None:
            return None
        kind = next(a for a in arguments if a is not type(None))
        return _convert(value, kind, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise SettingsError(f"{where} is {value!r}; expected one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise SettingsError(f"{where} is {value!r}; expected a list")
        return tuple(_convert(v, arguments[0], f"{where}[{i}]") for i, v in enumerate(value))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _fill(kind, value, where)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SettingsError(f"{where} is {value!r} ({type(value).__name__}); expected {kind.__name__}")
    return value
