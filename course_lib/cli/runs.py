"""`python -m course_lib runs`: the declared long runs."""

from __future__ import annotations

import argparse

from course_lib.errors import CourseError, SettingsError
from course_lib.places import INSTALLED
from course_lib.training.budget import seconds_of
from course_lib.training.long_runs import do_due, read_runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("names", nargs="*", help="only these (default: all)")
    parser.add_argument("--due", action="store_true", help="do what is not done yet")
    parser.add_argument(
        "--budget", default="9m", metavar="TIME", help="stop within TIME: 90s, 9m, 2h (default 9m)"
    )


def run(arguments: argparse.Namespace) -> int:
    """List the runs, or do those that are due."""
    if INSTALLED:
        raise CourseError(
            "the declared runs write weights and results into the course's own folders, which an "
            "installed package lacks; "
            "start the command in a clone of the course, after `pip install -e .` there"
        )
    budget = seconds_of(arguments.budget)
    runs = [r for r in read_runs() if not arguments.names or r.name in arguments.names]
    unknown = set(arguments.names) - {r.name for r in runs}
    if unknown:
        raise SettingsError(
            f"no run {', '.join(sorted(unknown))} in recipes/runs.yaml; see `python -m course_lib "
            "runs`"
        )
    if arguments.due:
        do_due(runs, budget, tell=lambda text: print(text, flush=True))
    for r in runs:
        why = r.due()
        print(
            f"{'due ' if why else 'done':4}  {r.name:28} {r.minutes:5g} min on a {r.machine}   "
            f"python {r.command}" + f"   ({why})" * bool(why)
        )
    return 0
