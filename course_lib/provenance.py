"""Where a measured number comes from: date, commit, machine and versions."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import date
from pathlib import Path

import cv2
import numpy as np

import course_lib
from course_lib.places import SHIPPED


def provenance(device: str = "cpu") -> dict[str, str]:
    """Date, commit, hardware and versions, to be stored beside a measured number.

    `device` says where the work was done.
    """
    return {
        "date": date.today().isoformat(),
        "commit": commit(),
        "hardware": hardware(device),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "course": course_lib.__version__,
    }


def commit() -> str:
    """The full hash of the course's commit, and the files that were changed since; "unknown"
    outside git."""
    if not (SHIPPED / ".git").exists():  # a folder above may belong to another repository
        return "unknown"
    try:
        run = {"cwd": SHIPPED, "capture_output": True, "text": True, "timeout": 10, "check": True}
        head = subprocess.run(["git", "rev-parse", "HEAD"], **run).stdout.strip()
        status = ["git", "status", "--porcelain", "--", "course_lib", "recipes"]
        changed = [line[3:] for line in subprocess.run(status, **run).stdout.splitlines()]
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head + (f" with changes in {', '.join(changed)}" if changed else "")


def hardware(device: str = "cpu") -> str:
    """The processor's name and number of cores, and the GPU's name if `device` is one."""
    machine = f"{cpu_name()}, {os.cpu_count()} cores"
    if not device.startswith("cuda"):
        return f"{machine}, no GPU used"
    import torch

    return f"{torch.cuda.get_device_name()} with {machine}"


def cpu_name() -> str:
    """The processor's name, as precisely as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
