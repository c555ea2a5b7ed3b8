"""A plugin for `make nbval`: kernels that speak over sockets in a folder of their own.

Over TCP, jupyter_client looks for free ports and a moment later the kernel takes them. Beside other
kernels one of them may be gone by then; a kernel without its iopub port starts and never answers.
"""

import tempfile
from typing import Any

import nbval.kernel
from jupyter_client.manager import KernelManager


class SocketKernelManager(KernelManager):
    """A kernel manager whose kernel listens on files of a temporary folder."""

    def __init__(self, **options: Any) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="kernel-")
        super().__init__(transport="ipc", ip=f"{self.folder.name}/socket", **options)


nbval.kernel.KernelManager = SocketKernelManager
