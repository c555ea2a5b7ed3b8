"""JupyterLab's view of the course's files when started by `lab`: notebooks built from lessons/ are
never saved over."""

from __future__ import annotations

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

BUILT = ("notebooks", "solutions")


class CourseFiles(AsyncLargeFileManager):
    """The usual files. A lesson opens and runs but is marked read-only; saving it explains how to
    make a copy."""

    def is_writable(self, path: str) -> bool:
        """Whether JupyterLab may save there; if not, it does not autosave."""
        return not is_built(path) and super().is_writable(path)

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


def is_built(path: str) -> bool:
    """Whether a path below the project, with "/", is a notebook built from lessons/."""
    first, _, rest = path.strip("/").partition("/")
    return first in BUILT and rest.endswith(".ipynb")
