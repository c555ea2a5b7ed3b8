"""Conclusions that stand only as long as the results carry them.

Where a lesson draws a conclusion from results that come with the course, its text says `{{evidence NAME VERDICT}}`. NAME is an entry of
`EVIDENCE` in evidence/lessonNN.py: a function that reads the results and returns the interval of a difference. VERDICT is what the
sentence says of it:

| verdict | the difference                                |
|---------|-----------------------------------------------|
| above   | is above zero: the whole interval is           |
| below   | is below zero                                  |
| open    | cannot be told from none: zero lies within     |

In the notebook the mark becomes the interval, "(+0.036 ± 0.049, 95 %, n = 22)". If the verdict is another, the notebooks are not built:
new results that no longer carry a sentence are found at once, and the sentence is mended.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

from course_lib.evaluation.intervals import Interval

EVIDENCE_FOLDER = Path(__file__).resolve().parent / "evidence"
MARK = re.compile(r"\{\{evidence ([\w-]+) (\w+)\}\}")
VERDICTS = ("above", "below", "open")


def verdict_of(interval: Interval) -> str:
    """What an interval says: above, below or open."""
    if not interval.excludes_zero:
        return "open"
    return "above" if interval.mean > 0 else "below"


def in_words(interval: Interval) -> str:
    """As in "(+0.036 ± 0.049, 95 %, n = 22)"; of nothing, "(not measured yet)"."""
    if not interval.n:
        return "(not measured yet)"
    around = f"{interval.mean:+.3f} ± {interval.half_width:.3f}"
    return f"({around}, {100 * interval.level:.0f} %, n = {interval.n})"


def evidence_of(number: str) -> dict[str, Callable[[], Interval]]:
    """Name → how its interval is computed, for the lesson of that number; empty if it has none."""
    file = EVIDENCE_FOLDER / f"lesson{number}.py"
    if not file.exists():
        return {}
    spec = importlib.util.spec_from_file_location(f"evidence{number}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EVIDENCE


def with_evidence(text: str, evidence: dict[str, Callable[[], Interval]]) -> str:
    """The text with its marks replaced by intervals.

    Raises:
        ValueError: a mark names no evidence or no verdict, or the results say something else.
    """

    def interval(found: re.Match) -> str:
        name, verdict = found.groups()
        if name not in evidence:
            raise ValueError(
                f"there is no evidence {name!r}; there is {', '.join(sorted(evidence)) or 'none'}"
            )
        if verdict not in VERDICTS:
            raise ValueError(f"{verdict!r} is no verdict; expected {', '.join(VERDICTS)}")
        measured = evidence[name]()
        if verdict_of(measured) != verdict:
            raise ValueError(
                f"evidence {name!r} is said to be {verdict}, but the results say "
                f"{verdict_of(measured)} {in_words(measured)}: mend the sentence {_sentence(text, found)!r}"
            )
        return in_words(measured)

    return MARK.sub(interval, text)


def _sentence(text: str, found: re.Match) -> str:
    """What stands before a mark, back to the last full stop."""
    return re.split(r"(?<=[.:!?])\s", text[: found.start()])[-1].strip()[-120:]
