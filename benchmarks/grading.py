"""Is a term graded fairly, and what does it cost? With nbgrader's own commands.

python benchmarks/grading.py --write results/grading.json
python benchmarks/grading.py --class-only                      the thirty students only

Every lesson's solution and stub, and thirty students at once, in a term that `python -m
course_lib grading` makes in a temporary folder as on the instructor's page. No lesson reads the
file; the page on teaching cites it.
"""

from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
from measure import options_of, write_results

from course_lib.grading.reading import read_notebook
from course_lib.grading.submission import answers
from course_lib.places import PROJECT

CLASS, LESSON = 30, "02_mosse"


def nbgrader(folder: Path, *words: str) -> float:
    """Run one of nbgrader's commands in a term's folder; returns the seconds it took."""
    began = time.perf_counter()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    command = [sys.executable, "-m", "nbgrader", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-4000:])
        raise SystemExit(f"nbgrader {' '.join(words)} ended with {done.returncode}")
    return time.perf_counter() - began


def course(*words: str) -> None:
    """Run `python -m course_lib grading …`."""
    command = [sys.executable, "-m", "course_lib", "grading", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def scores(folder: Path) -> dict[tuple[str, str], tuple[float, float]]:
    """Points received and points possible by lesson and student, from nbgrader's table."""
    nbgrader(folder, "export")
    with (folder / "grades.csv").open(encoding="utf-8") as table:
        return {
            (row["assignment"], row["student_id"]): (float(row["score"]), float(row["max_score"]))
            for row in csv.DictReader(table)
        }


def hand_in(folder: Path, work: Path, stem: str, made: dict[str, nbformat.NotebookNode]) -> None:
    """Lay notebooks out by student and collect them.

    Args:
        folder: the term's.
        work: folder for the students' work, with a folder for each student.
        stem: the lesson's name.
        made: notebooks by student.
    """
    for student, notebook in made.items():
        path = work / student / f"{stem}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    course("collect", str(folder), str(work))


def answered(
    release: nbformat.NotebookNode, solution: nbformat.NotebookNode, names: set[str]
) -> nbformat.NotebookNode:
    """The released notebook with the solution's answers to some exercises.

    Args:
        release, solution: the notebooks.
        names: of those exercises.
    """
    right = {name: cell.source for name, cell in answers(solution).items()}
    notebook = nbformat.from_dict(release)
    for name, cell in answers(notebook).items():
        if name in names:
            cell.source = right[name]
    return notebook


def every_lesson(folder: Path, work: Path) -> dict[str, dict[str, float]]:
    """Points of the solution and of the stub of each lesson, and seconds for both."""
    stems = [p.stem for p in sorted((PROJECT / "solutions").glob("[0-9][0-9]_*.ipynb"))]
    course("new", str(folder), *(stem[:2] for stem in stems))
    rows = {}
    for stem in stems:
        nbgrader(folder, "generate_assignment", stem)
        release = read_notebook(folder / "release" / stem / f"{stem}.ipynb")
        solution = read_notebook(PROJECT / "solutions" / f"{stem}.ipynb")
        made = {"solution": answered(release, solution, set(answers(release))), "stub": release}
        hand_in(folder, work / stem, stem, made)
        seconds = nbgrader(folder, "autograde", stem)
        nbgrader(folder, "generate_feedback", stem)
        found = scores(folder)
        (full, possible), (empty, _) = found[stem, "solution"], found[stem, "stub"]
        rows[stem] = {"points": possible, "solution": full, "stub": empty, "seconds": seconds}
        print(
            f"{stem:30} {full:g} of {possible:g}, the stub {empty:g}; {seconds:.0f} s", flush=True
        )
    return rows


def one_class(folder: Path, work: Path) -> dict[str, float]:
    """Thirty students, each with some of the answers: points checked, seconds and memory."""
    course("new", str(folder), LESSON[:2])
    nbgrader(folder, "generate_assignment", LESSON)
    release = read_notebook(folder / "release" / LESSON / f"{LESSON}.ipynb")
    solution = read_notebook(PROJECT / "solutions" / f"{LESSON}.ipynb")
    worth = {name: cell.metadata.course.points for name, cell in answers(release).items()}
    rng, made, wanted = np.random.default_rng(0), {}, {}
    for k in range(CLASS):
        names = {name for name in worth if rng.random() < 0.7}
        made[f"student{k:02d}"] = answered(release, solution, names)
        wanted[f"student{k:02d}"] = float(sum(worth[name] for name in names))
    hand_in(folder, work, LESSON, made)
    seconds = nbgrader(folder, "autograde", LESSON)
    feedback = nbgrader(folder, "generate_feedback", LESSON)
    found = scores(folder)
    wrong = [student for student in made if found[LESSON, student][0] != wanted[student]]
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    row = {
        "students": CLASS,
        "wrong": len(wrong),
        "seconds": seconds,
        "feedback_seconds": feedback,
        "largest_process_gib": memory,
    }
    print(f"{CLASS} students of {LESSON}: {len(wrong)} with wrong points {wrong}; ", end="")
    print(f"{seconds:.0f} s, feedback {feedback:.0f} s, ", end="")
    print(f"largest process {memory:.2f} GiB", flush=True)
    return row


def main() -> None:
    """Grade, print, and write the results if asked to."""
    parser = options_of(__doc__)
    parser.add_argument("--class-only", action="store_true", help="leave out the lessons")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        of_class = one_class(root / "class", root / "class-work")
        lessons = {} if options.class_only else every_lesson(root / "term", root / "term-work")
    write_results(options.write, {"lessons": lessons, "class": of_class}, "cpu", profile="smoke")
    unfair = [n for n, row in lessons.items() if row["solution"] < row["points"] or row["stub"] > 0]
    if unfair or of_class["wrong"]:
        where = ", ".join(unfair) or "in the class"
        raise SystemExit(f"wrong points: {where}; run the lesson's checks over seeds")


if __name__ == "__main__":
    main()
