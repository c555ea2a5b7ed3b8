"""In the bar on top of every page: links that open its lesson, or the first, on Colab and Binder.

They stand there in place of those that a notebook has below its title.
"""

from __future__ import annotations

import json
import re
import sys

from course_lib.places import NOTEBOOKS

sys.path.append(str(NOTEBOOKS.parent / "lessons"))
import anywhere

LESSON = re.compile(r"notebooks/(\d\d_\w+)")


def add_links(app, page: str, template: str, context: dict, doctree) -> None:
    """Name the repository and the page's lesson for open_in.html."""
    found = LESSON.fullmatch(page)
    first = min(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))
    context["repository"] = anywhere.repository()
    context["lesson"] = found[1] if found else first


def without_links(app, name: str, source: list[str]) -> None:
    """Take the line with the links out of a lesson's first cell."""
    if not LESSON.fullmatch(name):
        return
    notebook = json.loads(source[0])
    card = notebook["cells"][0]
    lines = "".join(card["source"]).splitlines(keepends=True)
    card["source"] = [line for line in lines if not line.startswith(anywhere.OPEN_IN)]
    source[0] = json.dumps(notebook)


def setup(app) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("html-page-context", add_links)
    app.connect("source-read", without_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
