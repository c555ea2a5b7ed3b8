"""`python -m course_lib lab`: the course's home in JupyterLab; `lab 02`: your copy of a lesson,
made if there is none.

The lessons in notebooks/ stay unchanged: JupyterLab shows them but does not save over them. It asks
for no news, and shows no instructor's menu where nbgrader is installed.
"""

from __future__ import annotations

import argparse
import io
import os
from contextlib import redirect_stdout
from pathlib import Path
from urllib.parse import quote

from course_lib.cli.home import write_home
from course_lib.cli.start import find_lesson
from course_lib.errors import CourseError
from course_lib.places import INSTALLED, MY_WORK, NOTEBOOKS, PROJECT

FILES = "course_lib.cli.lab_files.CourseFiles"
CONFIG = Path(__file__).parent / "jupyter"  # labconfig/page_config.json: extensions left out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "lesson",
        nargs="?",
        default="home",
        help=(
            'number, part of the name, or path of a notebook: "02", "mosse", '
            '"my_work/02_mosse_2.ipynb" (default: the home page, which leads to all lessons)'
        ),
    )
    parser.set_defaults(for_others=[])
    parser.epilog = "All other options go to JupyterLab: --no-browser on a server, --port=8889, …"


def run(arguments: argparse.Namespace) -> int:
    """Make the copy if there is none, then run JupyterLab until it is stopped."""
    notebook = notebook_to_open(arguments.lesson)
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")  # else jupyter warns
    others = os.environ.get("JUPYTER_CONFIG_PATH", "").split(os.pathsep)
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [str(CONFIG), *others]))
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(argv=[*options_for(notebook), *arguments.for_others])
    return 0


def options_for(notebook: Path) -> list[str]:
    """JupyterLab's options: the project's folder as its root, `notebook` (absolute) open, lessons
    read-only."""
    options = [
        f"--ServerApp.root_dir={PROJECT}",
        f"--LabApp.default_url=/lab/tree/{quote(notebook.relative_to(PROJECT).as_posix())}",
    ]
    options.append(f"--ServerApp.contents_manager_class={FILES}")
    if hasattr(os, "getuid") and os.getuid() == 0:  # JupyterLab refuses root otherwise
        options.append("--allow-root")
    return options


def notebook_to_open(lesson: str) -> Path:
    """The path of the student's notebook for a lesson's number, name or path; a lesson not begun
    yet is copied first.

    Raises MissingDataError or CourseError naming the existing lessons, CourseError for a notebook
    elsewhere.
    """
    if lesson == "home":
        return write_home(NOTEBOOKS, MY_WORK)
    path = next((p for p in (PROJECT / lesson, Path.cwd() / lesson) if _is_notebook(p)), None)
    if path and not (path.resolve().parent == NOTEBOOKS and path.name[:2].isdecimal()):
        return _inside(path)
    stem = find_lesson(Path(lesson).name.removesuffix(".ipynb"), NOTEBOOKS).stem
    mine = MY_WORK / f"{stem}.ipynb"
    if not mine.exists():
        _begin(stem)
    return mine


def _begin(stem: str) -> None:
    from course_lib.cli import main

    with redirect_stdout(io.StringIO()):  # its advice on opening the copy is not needed here
        status = main(["start", stem])
    if status:
        raise CourseError(
            f"lesson {stem} could not be copied to {MY_WORK}; the line above says why"
        )
    print(f"made your copy of the lesson: {MY_WORK / stem}.ipynb. No update changes it.")


def _is_notebook(path: Path) -> bool:
    return path.suffix == ".ipynb" and path.is_file()


def _inside(path: Path) -> Path:
    path = Path(os.path.normpath(path))  # keeps a my_work that is a link to another disk
    path = path if PROJECT in path.parents else path.resolve()
    if PROJECT not in path.parents:
        where = "the folder this was started in" if INSTALLED else "the course's folder"
        raise CourseError(
            f"{path} is not in {where}, {PROJECT}; copy it to {MY_WORK} and open it there"
        )
    return path
