"""Tables: what there are several of stands in one, name → "module:Class", and is imported when it
is asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from course_lib.errors import SettingsError


def look_up(table: Mapping[str, str], name: str, what: str) -> Any:
    """The class or function that a table names, its module imported now.

    Args:
        table: name → "module:Class".
        name: which of them.
        what: what they are, for the message: "tracker".

    Raises:
        SettingsError: if there is none of that name; it says the nearest, and all there are.
    """
    if name not in table:
        near = difflib.get_close_matches(str(name), table, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise SettingsError(f"there is no {what} {name!r}.{hint} Known: {', '.join(table)}.")
    module, _, attribute = table[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
