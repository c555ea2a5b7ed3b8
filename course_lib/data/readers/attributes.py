"""Attribute files of LaSOT and UAV123: one 0 or 1 for each attribute, in the benchmark's order."""

from __future__ import annotations

from collections.abc import Sequence as Items
from pathlib import Path

from course_lib.errors import DataError
from course_lib.files import read_text, split_row

# HengLan/LaSOT_Evaluation_Toolkit, annos/att; the order of its plot_draw_save.m
LASOT = (
    *("IV", "POC", "DEF", "MB", "CM", "ROT", "BC"),
    *("VC", "SV", "FOC", "FM", "OV", "LR", "ARC"),
)
# anno/UAV123/att; the order of the table in its DatasetAnnotation.pdf
UAV123 = ("SV", "ARC", "LR", "FM", "FOC", "POC", "OV", "BC", "IV", "VC", "CM", "SOB")


def read_attributes(path: Path, names: Items[str]) -> frozenset[str]:
    """The attributes whose flag is 1; none if there is no such file.

    Args:
        path: of the file; commas or blanks separate the flags.
        names: of the attributes, in the file's order.

    Raises:
        DataError: the file holds another number of values, or one that is neither 0 nor 1.
    """
    if not path.is_file():
        return frozenset()
    words = [
        word for line in read_text(path).splitlines() if line.strip() for word in split_row(line)
    ]
    if len(words) != len(names):
        raise DataError(
            f"{path} has {len(words)} values; expected {len(names)}, one each for "
            f"{', '.join(names)}. Fetch it again."
        )
    strange = [word for word in words if word not in ("0", "1", "0.0", "1.0")]
    if strange:
        raise DataError(f"{path} contains {strange[0][:40]!r}; expected 0 or 1. Fetch it again.")
    return frozenset(name for name, word in zip(names, words, strict=True) if word[0] == "1")
