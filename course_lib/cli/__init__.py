"""Floor 5: the command line, one module per command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings

from course_lib.errors import CourseError, os_error_in_words

COMMANDS = {
    "doctor": "what is there and what is not, with the remedy for each lack",
    "start": "copy a lesson into my_work/, where updates never touch it",
    "demo": "track a generated clip with MOSSE: an annotated video and its scores",
    "track": "track a target in your own video",
    "train": "train a network from a recipe, or go on with it",
    "runs": "the declared long runs: what is done, what is due, and doing it",
    "evaluate": "run trackers over a benchmark",
    "report": "tables and plots from results on disk",
    "grading": "a term with nbgrader: its folder, and submissions looked over and collected",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 if it did what it should, 2 after a sentence on what was wrong."""
    argv = sys.argv[1:] if argv is None else argv
    warnings.formatwarning = lambda message, *_: (
        f"{message}\n"
    )  # a sentence, without a line of code
    parser = argparse.ArgumentParser(
        prog="python -m course_lib", description="The course in visual object tracking."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if argv[:1] == [name]:  # only the command that is asked for is imported: help stays fast
            module = importlib.import_module(f"course_lib.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments)
    except CourseError as problem:
        print(f"{arguments.command}: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as problem:
        print(f"{arguments.command}: {os_error_in_words(problem)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{arguments.command}: stopped; what was finished is kept", file=sys.stderr)
        return 130
