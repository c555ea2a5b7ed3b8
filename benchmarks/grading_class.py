"""Is a whole class graded right, side by side, by `grading autograde`, and what does it take?

python benchmarks/grading_class.py --students 200 --jobs 2 --write results/grading_class.json

The students of lesson 02 answer right, half right, not at all or wrong; one of them loops for ever
and one ends the kernel. No lesson reads the file; the site's page on classes cites it.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from grading import LESSON, answered, course, hand_in, nbgrader
from measure import options_of, write_results
from nbformat import NotebookNode

from course_lib.grading.autograde import Autograding, Graded
from course_lib.grading.isolation import why_not
from course_lib.grading.reading import read_notebook
from course_lib.grading.submission import answers
from course_lib.places import PROJECT

KINDS = ("right", "half", "empty", "wrong")
BODIES = {
    "wrong": "return 1",
    "loops": "while True:\n        pass",
    "kills": "import os\n    os._exit(1)",
}
Made = dict[str, tuple[NotebookNode, float]]


def spoilt(notebook: NotebookNode, names: list[str], body: str) -> NotebookNode:
    """The notebook, changed in place, with the same body in the functions that answer the named
    exercises; a class gets none."""
    for name in names:
        cell = answers(notebook)[name]
        head = re.match(r".*?^(?:def|class) .*?:\n", cell.source, re.S | re.M)[0]
        cell.source = f"{head}    {'pass' if 'class ' in head else body}"
    return notebook


def a_class(
    count: int, worth: dict[str, float], with_answers: Callable[[set[str]], NotebookNode]
) -> Made:
    """Notebook and right points of each student.

    Args:
        count: of students.
        worth: points by exercise.
        with_answers: makes the lesson's notebook with right answers to the named exercises.
    """
    rng, every, made = np.random.default_rng(0), list(worth), {}
    whole = set(every)
    for k in range(count - 2):
        kind = KINDS[k % len(KINDS)]
        chosen = {"right": whole, "half": {name for name in every if rng.random() < 0.5}}
        names = chosen.get(kind, set())
        notebook = with_answers(names)
        if kind == "wrong":
            notebook = spoilt(notebook, every, BODIES["wrong"])
        made[f"{kind}{k:03d}"] = notebook, float(sum(worth[name] for name in names))
    for kind, name in (("loops", every[1]), ("kills", every[2])):
        points = float(sum(worth.values()) - worth[name])
        made[kind] = spoilt(with_answers(whole), [name], BODIES[kind]), points
    return made


def main() -> None:
    """Make a class, grade it, print and write what came of it."""
    parser = options_of(__doc__)
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "term"
        course("new", str(folder), LESSON[:2])
        nbgrader(folder, "generate_assignment", LESSON)
        release = read_notebook(folder / "release" / LESSON / f"{LESSON}.ipynb")
        solution = read_notebook(PROJECT / "solutions" / f"{LESSON}.ipynb")
        worth = {name: cell.metadata.course.points for name, cell in answers(release).items()}
        made = a_class(options.students, worth, lambda names: answered(release, solution, names))
        hand_in(folder, Path(place) / "work", LESSON, {s: one for s, (one, _) in made.items()})
        row = graded(folder, made, options.jobs)
    table = {"students": len(made), "jobs": options.jobs, "lesson": LESSON, **row}
    write_results(options.write, table, "cpu", profile="smoke")
    if row["wrong"] or row["not_graded"]:
        raise SystemExit("some points are wrong or missing: see above")


def graded(folder: Path, made: Made, jobs: int) -> dict[str, object]:
    """Grade a class that has handed in; returns times, and how many points are wrong."""
    found: list[Graded] = []

    def ended(one: Graded) -> None:
        found.append(one)
        right = "" if one.points == made[one.student][1] else f", not {made[one.student][1]:g}"
        print(
            f"{len(found):3d} {one.student}: {one.points}{right} in {one.seconds:.0f} s", flush=True
        )

    began, load = time.perf_counter(), [os.getloadavg()[0]]
    Autograding(folder, LESSON).run(jobs, ended)
    seconds = time.perf_counter() - began
    load.append(os.getloadavg()[0])
    by_student = {one.student: one for one in found}
    plain = [one.seconds for name, one in by_student.items() if name not in ("loops", "kills")]
    row = {
        "wrong": sum(one.points != made[one.student][1] for one in found),
        "not_graded": sum(one.problem is not None for one in found),
        "seconds": seconds,
        "median_seconds_of_one": float(np.median(plain)),
        "seconds_of_the_endless_loop": by_student["loops"].seconds,
        "seconds_of_the_kernel_killer": by_student["kills"].seconds,
        "sandbox": "none" if why_not() else "bubblewrap",
        "load_average_before_and_after": load,
        "cores": os.cpu_count(),
    }
    print(row)
    return row


if __name__ == "__main__":
    main()
