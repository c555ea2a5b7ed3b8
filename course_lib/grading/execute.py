"""Running a submission to its end, even if a cell ends the kernel."""

from __future__ import annotations

import copy
from typing import Any

from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.preprocessors.execute import UnresponsiveKernelError


class SurvivingExecute(Execute):
    """nbgrader's own, but a cell that ends the kernel, or does not answer an interrupt, costs that cell alone.

    nbgrader gives up on such a submission. Here the cell is replaced by one that raises an error naming the reason, and
    the notebook runs again from the first cell. The student's lines stay below, as comments.
    """

    current = -1  # number of the cell that runs

    def preprocess(
        self, nb: NotebookNode, resources: Any, km: Any = None
    ) -> tuple[NotebookNode, Any]:
        """The notebook with its outputs."""
        for _ in nb.cells:
            tried = copy.deepcopy(nb)
            try:
                return super().preprocess(tried, resources, km)
            except (DeadKernelError, UnresponsiveKernelError):
                cell = nb.cells[self.current]
                lines = "\n".join(f"# {line}" for line in cell.source.splitlines())
                cell.source = (
                    f'raise RuntimeError("this cell ended the kernel and was left out")\n{lines}'
                )
        return super().preprocess(nb, resources, km)

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, index: int
    ) -> tuple[NotebookNode, Any]:
        """Run one cell, and remember which."""
        self.current = index
        return super().preprocess_cell(cell, resources, index)
