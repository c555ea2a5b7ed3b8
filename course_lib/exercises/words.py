"""A check's message, and how the page shows it."""

from __future__ import annotations

import html
import re
import traceback

from course_lib.errors import CourseError

# colour, sign and word: the verdict never hangs on colour alone
LOOKS = {"right": ("#009E73", "✓"), "wrong": ("#D55E00", "✗"), "not attempted": ("#6b6b6b", "○")}


class Wrong(CourseError, AssertionError):
    """An answer is not right. The message says what is wrong with it in the terms of the
    subject."""


def announce(name: str, status: str, words: str, strict: bool) -> None:
    """Put the verdict on an exercise into the page.

    Args:
        name: of the exercise.
        status: a key of LOOKS.
        words: "right" and what to know about it, or why it is not.
        strict: whether nothing stands in for a wrong answer.
    """
    stand_in = (
        ""
        if strict or status == "right"
        else " Until then the cells below use the course's version."
    )
    sentence = {
        "right": words.replace("right", "That is right", 1) + ".",
        "wrong": f"Not yet: {words}.{stand_in}".replace("..", ".").replace("?.", "?"),
        "not attempted": f"Not written yet.{stand_in}",
    }[status]
    colour, sign = LOOKS[status]
    _display(
        f'<div role="status" style="border-left:4px solid {colour};padding:.3em .8em">'
        f"<b>{sign} {html.escape(name)}</b> · {html.escape(sentence)}</div>",
        f"{sign} {name}: {sentence}",
    )


def table(rows: list[tuple[str, str, int]]) -> None:
    """Put the table of exercises into the page: name, status, points."""
    if not rows:
        print("No exercise has run yet.")
        return
    got = sum(points for _, status, points in rows if status == "right")
    total = sum(points for _, _, points in rows)
    body = "".join(
        f"<tr><td>{html.escape(name)}</td><td style='color:{LOOKS[status][0]}'>{LOOKS[status][1]} "
        f"{status}</td>"
        f"<td>{points if status == 'right' else 0} / {points}</td></tr>"
        for name, status, points in rows
    )
    plain = "\n".join(
        f"{name:28} {status:14} {points if status == 'right' else 0}/{points}"
        for name, status, points in rows
    )
    _display(
        f"<table><thead><tr><th>exercise</th><th>status</th><th>points</th></tr></thead>"
        f"<tbody>{body}</tbody>"
        f"<tfoot><tr><th>all so far</th><th></th><th>{got} / {total}</th></tr></tfoot></table>",
        f"{plain}\n{got} of {total} points so far",
    )


def where_it_stopped(problem: Exception) -> str:
    """The error in the student's own lines: its kind, its text, and the last line that is not the
    course's."""
    own = [
        f
        for f in traceback.extract_tb(problem.__traceback__)
        if "course_lib" not in f.filename and "site-packages" not in f.filename
    ]
    place = f" at `{own[-1].line}`" if own and own[-1].line else ""
    whole = re.match(r'"(\w+)_cpu" not implemented for \'(Long|Int|Bool)\'', str(problem))
    if whole:
        return (
            f"PyTorch's {whole[1]} takes fractions, but gets whole numbers or truth values{place}: "
            ".float() converts them"
        )
    return f"your code stopped with {type(problem).__name__}: {problem}{place}"


def _display(page: str, plain: str) -> None:
    from IPython.display import display

    display({"text/html": page, "text/plain": plain}, raw=True)
