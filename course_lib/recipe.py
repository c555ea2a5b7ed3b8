"""Settings: frozen dataclasses, filled from YAML and `key=value` overrides.

A recipe is a YAML file with one mapping. A key that the dataclass does not have is an error that
suggests the nearest one; a value of the wrong type or outside its range is an error that says what
is expected. The dataclass declares each range beside the field it belongs to:

    @dataclass(frozen=True)
    class Mine(Settings):
        rate: UnitInterval = 0.1                           # 0 … 1
        size: Annotated[int, Range(16, 512)] = 64

and is checked whether it comes from a recipe or is made in Python.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import yaml

from course_lib.errors import SettingsError
from course_lib.places import shipped

S = TypeVar("S")


@dataclasses.dataclass(frozen=True)
class Range:
    """The range of a setting: from `low` to `high`, both included; with `above`, `low` itself is
    excluded."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def __contains__(self, value: float) -> bool:
        return (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if self.high < math.inf:
            return f"{'above ' * self.above}{self.low:g} … {self.high:g}"
        return f"a number above {self.low:g}" if self.above else f"at least {self.low:g}"


UnitInterval = Annotated[float, Range(0, 1)]  # a fraction or a probability
Positive = Annotated[float, Range(0, above=True)]
NotNegative = Annotated[float, Range(0)]
Count = Annotated[int, Range(1)]
CountFromZero = Annotated[int, Range(0)]
Seed = Annotated[int, Range(0, 2**63 - 1)]


class Settings:
    """Base of every settings dataclass: each value has its declared type and lies in its range, or
    SettingsError says which one does not.

    A class with conditions that involve several settings checks them in `__post_init__`, after
    `super().__post_init__()`.
    """

    def __post_init__(self) -> None:
        kinds = typing.get_type_hints(type(self), include_extras=True)
        for field in dataclasses.fields(self):
            value = _convert(
                getattr(self, field.name), kinds[field.name], f"{type(self).__name__}: {field.name}"
            )
            object.__setattr__(self, field.name, value)  # the only place that sets a frozen field


def load_settings(
    cls: type[S], path: Path | str | None = None, overrides: dict[str, Any] | None = None
) -> S:
    """An instance of the frozen dataclass `cls` from a YAML file, then overrides on top.

    Args:
        cls: the settings dataclass; its defaults hold for every key that is not given.
        path: YAML file with one mapping; a recipe that the course ships ("recipes/kcf.yaml") is
            found from any folder. None for the defaults alone.
        overrides: values that take precedence over the file; strings are read as YAML ("0.125",
            "[1, 2]"); "a.b" is key b of the mapping a.

    Raises:
        SettingsError: naming the file, the key and the value at fault.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values.update(_read_mapping(shipped(Path(path))))
    where = str(path) if path is not None else f"the settings of {cls.__name__}"
    for key, value in (overrides or {}).items():
        value = read_yaml(value, f"override {key}={value}") if isinstance(value, str) else value
        outer, dot, inner = key.partition(".")
        if dot:  # "augmentation.blur" is the key `blur` of the mapping `augmentation`
            mapping = values.get(outer) or {}
            if not isinstance(mapping, dict):
                raise SettingsError(
                    f"{where}: {outer} is {mapping!r}, so there is no {key}; expected a mapping"
                )
            values[outer] = {**mapping, inner: value}
        else:
            values[key] = value
    return _fill(cls, values, where)


def parse_overrides(arguments: list[str]) -> dict[str, str]:
    """`["eta=0.2", "sigma=3"]` as a dictionary of strings, for `load_settings`."""
    pairs = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not key.strip():
            raise SettingsError(
                f"override {argument!r} is not of the form key=value, for example eta=0.125"
            )
        pairs[key.strip()] = value.strip()
    return pairs


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        known = ", ".join(sorted(p.name for p in path.parent.glob("*.yaml"))) or "no recipe"
        raise SettingsError(f"recipe {path} does not exist; {path.parent} holds {known}") from None
    except UnicodeDecodeError as problem:
        raise SettingsError(
            f"recipe {path} is not UTF-8 text ({problem}); save it as UTF-8"
        ) from None
    content = read_yaml(text, f"recipe {path}")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(
            f"recipe {path} holds a {type(content).__name__}; expected lines of `key: value`"
        )
    return content


class _Loader(yaml.SafeLoader):
    """YAML in which a repeated key is an error: only one of its values could take effect."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"{', '.join(twice)} is given more than once", node.start_mark
            )
        return super().construct_mapping(node, deep)


def read_yaml(text: str, where: str) -> Any:
    """The plain values of a YAML text; SettingsError, beginning with `where`, if it is not valid
    YAML or repeats a key."""
    try:
        return yaml.load(text, _Loader)  # a SafeLoader: plain values only
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        said = " ".join(str(problem).split())  # YAML spreads its message over several lines
        raise SettingsError(f"{where} is not valid YAML: {said}") from None


def _fill(cls: type[S], values: dict[str, Any], where: str, start: S | None = None) -> S:
    """Settings with some `values`; the others are those of `start`, or the defaults."""
    kinds = typing.get_type_hints(cls, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    names = list(fields)
    checked = {}
    for key, value in values.items():
        if key not in names:
            if not names:
                raise SettingsError(f"{where}: unknown key {key!r}; there is nothing to set")
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.0)
            raise SettingsError(
                f"{where}: unknown key {key!r}; did you mean {near[0]!r}? Known: {', '.join(names)}"
            )
        if dataclasses.is_dataclass(kinds[key]) and isinstance(value, dict):
            # a mapping changes what it names, and leaves the rest as the outer settings have it
            checked[key] = _fill(kinds[key], value, f"{where}: {key}", _default_of(fields[key]))
        else:
            checked[key] = _convert(value, kinds[key], f"{where}: {key}")
    return cls(**checked) if start is None else dataclasses.replace(start, **checked)


def _default_of(field: dataclasses.Field) -> Any:
    """A field's default; None if it has none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _convert(value: Any, kind: Any, where: str) -> Any:
    """`value` as `kind`, without silent surprises: 1 is accepted as a float, True is not an int,
    and "1e-3" is a number because people write it."""
    value = value.item() if isinstance(value, np.generic) else value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _within(_convert(value, arguments[0], where), arguments[1:], where)
    if type(None) in arguments:
        (kind,) = set(arguments) - {type(None)}
        return None if value is None else _convert(value, kind, where)
    if origin is typing.Literal:
        return _one_of(value, arguments, where)
    if origin is tuple:
        return _each(value, arguments[0], where)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _fill(kind, value, where)
    return _plain_value(value, kind, where)


def _within(value: Any, marks: tuple[Any, ...], where: str) -> Any:
    """`value` if it lies in every Range of its annotation, else SettingsError."""
    for limit in marks:
        if isinstance(limit, Range) and value is not None and value not in limit:
            raise SettingsError(f"{where} is {value!r}; expected {limit}")
    return value


def _one_of(value: Any, known: tuple[Any, ...], where: str) -> Any:
    """`value` if it is one of `known`, with the same type, else SettingsError."""
    if not any(type(value) is type(a) and value == a for a in known):
        raise SettingsError(f"{where} is {value!r}; expected one of {', '.join(map(str, known))}")
    return value


def _each(values: Any, kind: Any, where: str) -> tuple[Any, ...]:
    """The values of a list, each as `kind`, else SettingsError."""
    if not isinstance(values, (list, tuple)):
        raise SettingsError(f"{where} is {values!r}; expected a list")
    return tuple(_convert(v, kind, f"{where}[{i}]") for i, v in enumerate(values))


def _plain_value(value: Any, kind: type, where: str) -> Any:
    """A number, text or boolean as `kind`, else SettingsError."""
    if kind is float:
        return _finite(value, where)
    if kind is int and isinstance(value, (float, str)):
        number = _as_number(value)
        if number is not None and number.is_integer():
            return int(number)  # YAML reads 1e3 as 1000.0; a whole number is meant
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SettingsError(
            f"{where} is {value!r} ({type(value).__name__}); expected {kind.__name__}"
        )
    return value


def _finite(value: Any, where: str) -> float:
    """`value` as a finite number, else SettingsError."""
    number = _as_number(value)
    if number is None or not math.isfinite(number):
        raise SettingsError(
            f"{where} is {value!r} ({type(value).__name__}); expected a finite number"
        )
    return number


def _as_number(value: Any) -> float | None:
    """A number as people write it, or None. YAML reads "1e-3" as text: it wants "1.0e-3"."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
