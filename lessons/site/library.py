"""Pages about the library: one for each of its files, and for each lesson what to read of it.

Everything is read from the sources: the pages cannot fall behind the code.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
from functools import cache
from pathlib import Path

from course_lib.grading import overview
from course_lib.places import NOTEBOOKS

PACKAGE = Path(importlib.util.find_spec("course_lib").origin).parent
ROOMS = {  # from the ground up, as the files of a reading path are ordered
    "": "the ground",
    "geometry": "boxes, crops, anchors",
    "models": "networks and losses",
    "data": "video, datasets, pairs",
    "trackers": "online: frame in, box out",
    "analysis": "what networks see",
    "training": "from data to weights",
    "evaluation": "from results to figures",
    "widgets": "to play with",
    "grading": "a term with a class",
    "cli": "the commands",
}
UNTOLD = ("exercises",)  # the checks: whoever reads them has read the answers


@cache
def modules() -> dict[str, Path]:
    """Every file of the library by its module's name, from the ground up."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("course_lib", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    rooms = list(ROOMS)
    told = [name for name, path in found.items() if room(name) in ROOMS and _holds_code(path)]
    return {name: found[name] for name in sorted(told, key=lambda n: (rooms.index(room(n)), n))}


def _holds_code(path: Path) -> bool:
    """Whether there is more in a file than the line that says what its folder is."""
    return len(ast.parse(path.read_text("utf-8")).body) > 1


def room(module: str) -> str:
    """The folder a module lies in, "" for the ground."""
    parts = module.split(".")
    is_folder = len(parts) == 2 and (PACKAGE / parts[1]).is_dir()
    return parts[1] if len(parts) > 2 or is_folder else ""


def imported(source: str) -> set[str]:
    """The library's modules that Python code imports, wherever it does."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names & set(modules())


@cache
def stands_on(module: str) -> frozenset[str]:
    """The modules that a module imports."""
    return frozenset(imported(modules()[module].read_text("utf-8")))


def needed(given: set[str]) -> set[str]:
    """Modules and all that they stand on."""
    found, new = set(), set(given)
    while new:
        found |= new
        new = set().union(*map(stands_on, new)) - found
    return found


def lines(module: str) -> int:
    """Lines of a module's file."""
    return len(modules()[module].read_text("utf-8").splitlines())


def code_of(notebook: str) -> str:
    """The Python of a notebook's cells (JSON), without what only IPython understands."""
    cells = json.loads(notebook)["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(re.sub(r"(?m)^([ \t]*)[%!].*$", r"\1pass", cell) for cell in code)


def link(module: str, back: str = "") -> str:
    """A link to a module's page, which says how long the file is."""
    return f"[`{module}`]({back}{module}.md), {lines(module)} lines"


def reading(notebooks: dict[str, str]) -> str:
    """The reading path in Markdown, from the lessons' notebooks by name."""
    text = [
        "# What to read of the library",
        "",
        "For each lesson the files that are new in it, starting with those that the others build "
        "on. A file is listed in the first lesson that needs it.",
        "",
    ]
    seen: set[str] = set()
    for name, content in notebooks.items():
        direct = imported(code_of(content))
        new = needed(direct) - seen
        seen |= new
        order = [module for module in modules() if module in new]
        total = sum(map(lines, order))
        text += [f"## [{name[:2]}](../notebooks/{name}.ipynb): {total} new lines", ""]
        text += [f"* {'**' * (m in direct)}{link(m)}{'**' * (m in direct)}" for m in order]
        text += ["" if order else "Nothing new.", ""]
    return "\n".join([*text, "Bold: what the lesson itself imports.", ""])


def index() -> str:
    """The first page of the library, in Markdown: its files by room."""
    text = ["# The library, file by file", ""]
    for name, what in ROOMS.items():
        inside = [m for m in modules() if room(m) == name]
        text += [f"## {name or 'course_lib'}: {what}", "", "```{toctree}", ":maxdepth: 1", ""]
        text += [*inside, "```", ""]
    return "\n".join(text)


def home(source: Path) -> str:
    """The map of the course, for the site's first page; its images are laid beside the lessons."""
    shutil.copytree(NOTEBOOKS / "images", source / "notebooks" / "images", dirs_exist_ok=True)
    shutil.copy(NOTEBOOKS.parent / "lessons" / "figures" / "overview.jpg", source)
    cards = overview.lesson_cards(source / "notebooks")
    minutes = sum(int(card.minutes.split()[0]) for card in cards.values())
    length = f"{len(cards)} lessons, about {minutes / 60:.0f} hours with all exercises."

    def image(number: str, alt: str) -> str:
        return f"![{alt}](notebooks/images/{number}.jpg)"

    tables = [
        f"## {head}\n\n{overview.table(cards, numbers, image, folder='notebooks/')}"
        for head, numbers in overview.chapters(cards).items()
    ]
    return "\n\n".join([length, *tables])


def write_pages(app) -> None:
    """Lay the pages beside the lessons, before Sphinx looks for sources."""
    source = Path(app.srcdir)
    folder = source / "library"
    folder.mkdir(exist_ok=True)
    lessons = {
        p.stem: p.read_text("utf-8") for p in sorted(source.glob("notebooks/[0-9]*.ipynb"))
    }
    pages = {"index": index(), "reading": reading(lessons)}
    for module in modules():
        directive = f"```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```\n"
        title = module.removeprefix("course_lib.")
        pages[module] = f"# {title}\n\n`{module}`, {lines(module)} lines\n\n{directive}"
    files = {f"{name}.md": text for name, text in pages.items()}
    files["home.txt"] = home(source)  # included by the first page, no page itself
    for name, text in files.items():
        path = folder / name
        if (
            not path.is_file() or path.read_text("utf-8") != text
        ):  # an old page is not read anew
            path.write_text(text, encoding="utf-8")


def add_links(app, name: str, source: list[str]) -> None:
    """At the end of a lesson's page: the library's files that it imports."""
    if not re.match(r"notebooks/\d\d_", name):
        return
    used = imported(code_of(source[0]))
    listed = [f"* {link(module, '../library/')}" for module in modules() if module in used]
    text = ["## The library behind this lesson", "", *listed, ""]
    text.append(
        "In which order to read them, and what they build on: [](../library/reading.md)."
    )
    notebook = json.loads(source[0])
    cell = {"cell_type": "markdown", "id": "library", "metadata": {}, "source": "\n".join(text)}
    notebook["cells"].append(cell)
    source[0] = json.dumps(notebook)


def plain_to_rst(app, what, name, thing, options, text: list[str]) -> None:
    """Docstrings are plain text: single backticks are code, a module's indented lines are a listing,
    and nothing else is a sign."""
    if what == "module":
        text[:] = _with_listings(text)
    for k, line in enumerate(text):
        if what == "module" and line.startswith("    "):
            continue
        pieces = re.split(r"(`[^`]+`)", line)
        pieces[::2] = [re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", piece) for piece in pieces[::2]]
        pieces[1::2] = [f"`{piece}`" for piece in pieces[1::2]]
        text[k] = "".join(pieces)


def _with_listings(text: list[str]) -> list[str]:
    """The lines of a text with a sign for reStructuredText where indented ones begin."""
    done: list[str] = []
    for k, line in enumerate(text):
        if line.startswith("    ") and not any(
            before.startswith("    ") for before in text[max(k - 2, 0) : k]
        ):
            done += ["", "::", ""]
        done.append(line)
    return done


def setup(app) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", add_links)
    app.connect("autodoc-process-docstring", plain_to_rst, priority=100)  # before napoleon
    return {"parallel_read_safe": True}
