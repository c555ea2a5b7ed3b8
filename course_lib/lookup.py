"""Tables of names: trackers, networks, backbones and the like have one table each, and a row is
loaded only when it is asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any, TypeVar

from course_lib.errors import SettingsError

Row = TypeVar("Row")


def row(table: Mapping[str, Row], name: str, what: str) -> Row:
    """The row of a table.

    Args:
        table: rows by name.
        name: of the wanted row.
        what: what a row is, in the singular, for the message: "backbone".

    Raises:
        SettingsError: if there is no such name; the message suggests the nearest one.
    """
    if name not in table:
        near = difflib.get_close_matches(str(name), table, n=1, cutoff=0.0)
        raise SettingsError(
            f"there is no {what} {name!r}. Did you mean {near[0]!r}? Known: {', '.join(table)}."
        )
    return table[name]


def load(place: str) -> Any:
    """The object at `place`, "package.module:Name"; its module is imported now, not before."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
