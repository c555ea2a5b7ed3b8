"""JupyterLab's view of the course's files when started by `lab`: notebooks built from lessons/ are
never saved over, the home page is always the newest, and a copy of a lesson is made when it is
first opened."""

from __future__ import annotations

import shutil
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from course_lib.cli.home import NAME, write_home
from course_lib.files import whole_file
from course_lib.places import INSTALLED, MY_WORK, NOTEBOOKS

# installed as a package, the course's own notebooks are elsewhere, and these are the user's folders
BUILT = () if INSTALLED else ("notebooks", "solutions")


class CourseFiles(AsyncLargeFileManager):
    """The usual files. A lesson opens and runs but is marked read-only; saving it explains how to
    make a copy."""

    def is_writable(self, path: str) -> bool:
        """Whether JupyterLab may save there; if not, it does not autosave."""
        home = path.strip("/") == f"{MY_WORK.name}/{NAME}"
        return not is_built(path) and not home and super().is_writable(path)

    async def get(self, path: str, *args: Any, **named: Any) -> dict:
        """The file. The home page is made anew, and a copy that does not exist yet is made."""
        folder, _, name = path.strip("/").rpartition("/")
        if folder == MY_WORK.name and name.endswith(".ipynb"):
            _prepare(name)
        return await super().get(path, *args, **named)

    async def file_exists(self, path: str = "") -> bool:
        """Whether there is such a file, or opening it makes one."""
        folder, _, name = path.strip("/").rpartition("/")
        lesson = folder == MY_WORK.name and (NOTEBOOKS / name).is_file() and name[:2].isdecimal()
        return lesson or await super().file_exists(path)

    async def save(self, model: dict, path: str = "") -> dict:
        """Save, but not over a lesson (HTTP status 403)."""
        if is_built(path):
            lesson = path.rpartition("/")[2].removesuffix(".ipynb")
            raise HTTPError(
                403,
                f"{path} is the course's own and is not changed. Save as my_work/… instead, or "
                "make your copy of it: "
                f"python -m course_lib start {lesson}",
            )
        return await super().save(model, path)


def _prepare(name: str) -> None:
    """Make what my_work/ should hold when `name` is opened there."""
    if name == NAME:
        write_home(NOTEBOOKS, MY_WORK)
    elif name[:2].isdecimal() and (NOTEBOOKS / name).is_file() and not (MY_WORK / name).exists():
        MY_WORK.mkdir(exist_ok=True)
        with whole_file(MY_WORK / name) as part:
            shutil.copyfile(NOTEBOOKS / name, part)


def is_built(path: str) -> bool:
    """Whether a path below the project, with "/", is a notebook built from lessons/."""
    first, _, rest = path.strip("/").partition("/")
    return first in BUILT and rest.endswith(".ipynb")
