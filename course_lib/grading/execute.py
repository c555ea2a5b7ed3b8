"""Running a submission to its end, even if a cell kills the kernel, and asking the judge for each
exercise's points."""

from __future__ import annotations

import copy
import json
import os
import secrets
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.preprocessors.execute import UnresponsiveKernelError
from traitlets import Enum

from course_lib.errors import CourseError
from course_lib.grading import isolation
from course_lib.grading.reading import AWARD
from course_lib.grading.signature import unwritten

ASK = "course_lib.judge"  # the event that the judge answers
SEAL = "__import__('course_lib.exercises.judge').exercises.judge.seal({place!r})"
ANSWERS_WITHIN = 10  # seconds after an interrupt; a kernel that does not answer counts as dead
SETTING_UP = 600  # seconds that the first import of every package may take


class SurvivingExecute(Execute):
    """nbgrader's own, but a cell that kills the kernel, or does not answer an interrupt, costs only
    that cell.

    nbgrader gives up on such a submission. Here the cell is replaced, see `left_out`, and the
    notebook runs again from the first cell.

    Points do not depend on what a cell of the notebook prints, since cells run in one process with
    the answers: before the first cell a judge is set up in the kernel
    (`course_lib/exercises/judge.py`), and after each points cell its signed verdict replaces the
    cell's output.

    Where bubblewrap works, the kernel is in a sandbox (`course_lib/grading/isolation.py`).
    """

    isolation = Enum(
        ["auto", "bubblewrap", "none"],
        "auto",
        help="sandbox of the kernel: bubblewrap, none, or bubblewrap where it works (auto)",
    ).tag(config=True)
    current = -1  # number of the cell that runs
    secret = b""  # of the kernel that runs

    def preprocess(
        self, nb: NotebookNode, resources: Any, km: Any = None
    ) -> tuple[NotebookNode, Any]:
        """The notebook with its outputs."""
        for _ in nb.cells:
            tried = copy.deepcopy(nb)
            try:
                return self._once(tried, resources, km)
            except (DeadKernelError, UnresponsiveKernelError, CellTimeoutError):
                if self.current < 0:
                    raise
                cell = nb.cells[self.current]
                cell.source = left_out(cell.source)
        return self._once(nb, resources, km)

    def _once(self, nb: NotebookNode, resources: Any, km: Any) -> tuple[NotebookNode, Any]:
        """Run the notebook in a new kernel, with a folder for what is exchanged with it."""
        with tempfile.TemporaryDirectory() as folder:
            self.exchange = Path(folder)
            return super().preprocess(nb, resources, km)

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, index: int
    ) -> tuple[NotebookNode, Any]:
        """Run one cell, and remember which; a points cell then shows the judge's verdict."""
        self.current = index
        cell, resources = super().preprocess_cell(cell, resources, index)
        late = any(o.get("ename") == "CellTimeoutError" for o in cell.get("outputs", []))
        if late and "there" not in self._run("print('there')", ANSWERS_WITHIN):
            raise UnresponsiveKernelError
        if late:  # the answer counts as not written, so that the course's own stands in for it
            self._run(unwritten(cell.source))
        name = awarded(cell)
        if name:
            failed = [o for o in cell.outputs if o.output_type == "error"]
            status, words = self._verdict(name)
            if status != "right":
                cell.outputs = [_error(f"{name}: {words}")]
            else:  # anything else the cell printed would count as fewer points
                points = f"{cell.metadata.nbgrader.points:g}"
                words = f"{points} of {points} points (right)\n"
                cell.outputs = failed or [nbformat.v4.new_output("stream", text=words)]
        return cell, resources

    def start_new_kernel(self, **options: Any) -> None:
        """A kernel whose environment does not hold the hidden tests' seed, in a sandbox if there
        is one.

        Raises CourseError if a sandbox is required and cannot be made.
        """
        environment = {k: v for k, v in os.environ.items() if k != "COURSE_GRADING_SEED"}
        if self._isolates():
            environment = isolation.environment(environment)
            place = self.resources.get("metadata", {}).get("path")
            spec = self.km.kernel_spec
            spec.argv = isolation.isolated(spec.argv, place and Path(place), self.exchange)
            spec.interrupt_mode = "message"  # a signal would reach bubblewrap instead
            self.km.connection_file = str(self.exchange / "kernel.json")
        if os.name == "posix":
            # Sockets in a folder that both sides see: the sandbox has no network, and outside it a
            # port that is found free may be another kernel's by the time this one takes it.
            self.km.transport, self.km.ip = "ipc", str(self.exchange / "kernel")
        options["env"] = {**environment, "COURSE_JUDGED": "1"}
        super().start_new_kernel(**options)

    def _isolates(self) -> bool:
        why_not = isolation.why_not() if self.isolation != "none" else None
        if why_not and self.isolation == "bubblewrap":
            raise CourseError(f'isolation is "bubblewrap", and {why_not}')
        return self.isolation != "none" and not why_not

    def start_new_kernel_client(self, **options: Any) -> Any:
        """The kernel's client, with the judge set up before any cell runs; raises CourseError if
        that fails."""
        client = super().start_new_kernel_client(**options)
        self.current, self.secret = -1, secrets.token_bytes(32)
        order = {
            "secret": self.secret.hex(),
            "seed": int(os.environ.get("COURSE_GRADING_SEED", "1")),
            "exercises": sorted(filter(None, map(awarded, self.nb.cells))),
            "term": os.path.realpath(os.getcwd()),
        }
        with tempfile.NamedTemporaryFile("w", dir=self.exchange, delete=False) as file:
            json.dump(order, file)  # readable by its owner only; the judge deletes it
        said = self._run(SEAL.format(place=file.name), SETTING_UP)
        if os.path.exists(file.name):
            os.unlink(file.name)
            raise CourseError(
                f"the judge could not be set up in the kernel ({said[-300:] or 'no answer'}); "
                "check with `python -m "
                "course_lib doctor` that the kernel Python 3 runs in the course's environment"
            )
        return client

    def _verdict(self, name: str) -> tuple[str, str]:
        """Status and sentence of an exercise's answer, from the judge alone: a line without its
        signature is ignored."""
        nonce = secrets.token_hex(16)
        said = self._run(f"__import__('sys').audit({ASK!r}, {name!r}, {nonce!r})")
        for line in said.splitlines():
            try:
                *parts, signature = json.loads(line)
                whole = "\n".join(parts).encode()
            except (ValueError, TypeError):
                continue
            signed = blake2b(whole, key=self.secret, digest_size=32).hexdigest()
            if parts[:2] == [name, nonce] and secrets.compare_digest(signature, signed):
                return parts[2], parts[3]
        return "unknown", "no verdict: the check of this answer was stopped or did not end"

    def _run(self, code: str, seconds: int | None = None) -> str:
        """What a line of code prints in the kernel, or the error that it raises."""
        cell, usual = nbformat.v4.new_code_cell(code), self.timeout
        self.timeout = seconds or usual
        self.nb.cells.append(cell)  # nbclient requires it in the notebook
        try:
            self.execute_cell(cell, len(self.nb.cells) - 1, store_history=False)
        finally:
            self.timeout = usual
            self.nb.cells.pop()
        return "".join(
            o.get("text", "") or f"{o.get('ename', '')}: {o.get('evalue', '')}"
            for o in cell.outputs
            if o.output_type in ("stream", "error")
        )


def awarded(cell: NotebookNode) -> str | None:
    """The exercise whose points a released points cell awards, or None for any other cell."""
    if cell.cell_type != "code" or not cell.metadata.get("nbgrader", {}).get("grade"):
        return None
    found = AWARD.search(cell.source)
    return found.group(1) if found else None


def left_out(source: str) -> str:
    """What runs instead of a cell that ended the kernel: an error with the reason, and the
    student's lines as comments.

    If the cell answers an exercise, the answer counts as not written, so that the course's own
    stands in for it in later answers.
    """
    lines = "\n".join(f"# {line}" for line in source.splitlines())
    reason = 'raise RuntimeError("this cell ended the kernel and was left out")'
    return f"{unwritten(source)}{reason}\n{lines}"


def _error(words: str) -> NotebookNode:
    return nbformat.v4.new_output("error", ename="NotRight", evalue=words, traceback=[words])
