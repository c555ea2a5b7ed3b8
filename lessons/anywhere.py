"""Lessons away from a checkout: the links that open one on Colab or Binder, and the cell that
installs the course on Colab.

Where the course is published stands once: in pyproject.toml, `[tool.course]`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
UNSET = "OWNER/REPOSITORY"
OPEN_IN = "Open in "  # how the line with a lesson's links begins
SET_UP = """\
# Installs the course on Colab. Where it is installed already, this cell does nothing.
import importlib.util
import sys

if importlib.util.find_spec("course_lib") is None:
    if "google.colab" not in sys.modules:
        raise ModuleNotFoundError(
            "this Python lacks the course; how to install it: {home}"
        )
    %pip install --quiet {archive}
"""


@dataclass(frozen=True)
class Repository:
    """Where the course is published.

    Attributes:
        name: owner and repository on GitHub, as in "owner/repository".
        branch: the one that links lead to.
    """

    name: str
    branch: str

    @property
    def home(self) -> str:
        """The address of its page, which shows README.md."""
        return f"https://github.com/{self.name}"

    @property
    def archive(self) -> str:
        """The address of all its files, from which pip installs the course."""
        return f"{self.home}/archive/refs/heads/{self.branch}.zip"

    def colab(self, lesson: str) -> str:
        """The address that opens a lesson, named by its file without ending, on Colab."""
        place = f"{self.name}/blob/{self.branch}/notebooks/{lesson}.ipynb"
        return f"https://colab.research.google.com/github/{place}"

    def binder(self, lesson: str) -> str:
        """The address that opens a lesson in JupyterLab on Binder."""
        branch, path = quote(self.branch, safe=""), quote(f"notebooks/{lesson}.ipynb", safe="")
        return f"https://mybinder.org/v2/gh/{self.name}/{branch}?labpath={path}"


def repository(project: Path = PROJECT) -> Repository:
    """What pyproject.toml says; raises ValueError if it is no repository's name and branch."""
    said = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("course", {})
    name, branch = said.get("repository", ""), said.get("branch", "")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or not re.fullmatch(r"[\w./-]+", branch):
        raise ValueError(
            f"{project.name}: [tool.course] has repository = {name!r} and branch = {branch!r}; "
            'expected the names on GitHub, like "owner/repository" and "main"'
        )
    return Repository(name, branch)


def with_links(card: str, lesson: str, where: Repository) -> str:
    """The text of a lesson's first cell with the links below its title.

    Args:
        card: the cell's text, which begins with the title's line.
        lesson: file name without its ending.
        where: its repository.
    """
    links = f"{OPEN_IN}[Colab]({where.colab(lesson)}) or [Binder]({where.binder(lesson)})"
    title, _, rest = card.partition("\n")
    return f"{title}\n\n{links}\n{rest}"


def set_up(where: Repository) -> str:
    """The code of the cell that a lesson begins with."""
    return SET_UP.format(home=where.home, archive=where.archive).rstrip()
