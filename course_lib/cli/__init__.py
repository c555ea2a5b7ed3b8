"""The command line (floor 5), one module per command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from course_lib import __version__
from course_lib.errors import CourseError, os_error_in_words

OLDEST_PYTHON = (3, 11)
COMMANDS = {
    "doctor": "check the installation, with a remedy for whatever is missing",
    "start": "copy a lesson into my_work/, where updates never touch it",
    "lab": "open the course's home, or your copy of a lesson, in JupyterLab",
    "home": "your points so far, and the course's home page",
    "demo": "track a generated sequence with MOSSE: an annotated video and its scores",
    "track": "track a target in your own video",
    "live": "track what a camera shows, in a window or into a video",
    "trax": "let VOT's toolkit drive a tracker, by the TraX protocol",
    "train": "train a network from a recipe, or resume its training",
    "export": "write a one-stream network as an ONNX file that OpenCV's TrackerVit runs",
    "runs": "the declared long runs: list them, or do those that are due",
    "evaluate": "run trackers over a benchmark",
    "report": "tables and plots from results on disk",
    "grading": "a term with nbgrader: set up its folder, check, collect and grade submissions",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns 0 on success, 2 after a sentence on what was wrong."""
    argv = sys.argv[1:] if argv is None else argv
    replace_what_cannot_be_shown()
    # the sentence only, without the line of code it came from
    warnings.formatwarning = lambda message, *_: f"{message}\n"
    name = argv[0] if argv and argv[0] in COMMANDS else "tracking-course"
    if sys.version_info < OLDEST_PYTHON:
        return _say(name, too_old())
    return _in_words(name, lambda: _run(argv))


def replace_what_cannot_be_shown() -> None:
    """Print "?" for a character that the terminal lacks, so that cp1252 or ASCII never stops a
    command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def too_old() -> str:
    """The message for a Python that is too old for the course."""
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return (
        f"this is Python {sys.version.split()[0]} ({sys.executable}); the course needs {wanted} or "
        "newer. Install one, remove "
        "the folder .venv if there is one, and run `make lab`, which looks for it"
    )


def parser_for(argv: list[str]) -> argparse.ArgumentParser:
    """The parser of the command line, with the options of the one command that `argv` names."""
    parser = argparse.ArgumentParser(
        prog=_name_of_program(), description="The course in visual object tracking."
    )
    parser.add_argument("--version", action="version", version=f"tracking-course {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if argv[:1] == [name]:  # only the command asked for is imported, so help stays fast
            module = importlib.import_module(f"course_lib.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _run(argv: list[str]) -> int:
    parser = parser_for(argv)
    arguments, others = parser.parse_known_args(argv)
    if hasattr(arguments, "for_others"):  # a command that passes on unknown options
        arguments.for_others = others
    elif others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    return arguments.run(arguments)


def _name_of_program() -> str:
    """The name it was called by: `tracking-course`, or `python -m course_lib`."""
    by_script = Path(sys.argv[0]).stem == "tracking-course"
    return "tracking-course" if by_script else "python -m course_lib"


def _in_words(name: str, work: Callable[[], int]) -> int:
    """What `work` returns; for an error that a user can fix, a sentence and exit status 2."""
    try:
        return work()
    except CourseError as problem:
        return _say(name, str(problem))
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ImportError as problem:
        if (problem.name or "").startswith("course_lib"):
            raise  # a fault of the course, not of the installation
        return _say(name, import_error_in_words(problem))
    except OSError as problem:
        broken = problem.errno is None and "shared object" in str(problem)
        words = import_error_in_words if broken else os_error_in_words
        return _say(name, words(problem))
    except KeyboardInterrupt:
        return _say(name, "stopped; what was finished is kept", 130)


def import_error_in_words(problem: ImportError | OSError) -> str:
    """One sentence for a package that is missing or broken."""
    missing = isinstance(problem, ModuleNotFoundError)
    fault = f"the package {problem.name} is not installed" if missing else f"{problem}"
    return (
        f"{fault}, in {sys.executable}; run `make lab` in the course's folder (or `pip install -e "
        "'.[lab]' -c constraints.txt`), "
        "then use the Python in .venv. `python -m course_lib doctor` lists all that is missing"
    )


def _say(name: str, sentence: str, status: int = 2) -> int:
    print(f"{name}: {sentence}", file=sys.stderr)
    return status
