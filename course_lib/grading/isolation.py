"""A submission's kernel in a sandbox of Linux namespaces, made by bubblewrap.

In it there is no network, no process but its own, and of the disk what Python and the course need,
read-only, beside the submission's own folder. nbgrader itself stays outside, with the gradebook.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from course_lib.places import MY_WORK, RUNS, SHIPPED, data_root

PROGRAM = "bwrap"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt")
# of /etc and /sys what libraries read: fonts, time zone, libraries' places, number of cores
DETAILS = (
    *("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime"),
    *("/etc/passwd", "/etc/nsswitch.conf", "/sys/devices/system/cpu"),
)
# variables that reach a kernel; others may hold the instructor's passwords
KEPT = {"PATH", "LANG", "HOME", "PYTHONPATH", "TZ", "OMP_NUM_THREADS", "MPLBACKEND"}
KEPT_BEGINNINGS = ("COURSE_", "LC_", "NBGRADER_")


@cache
def why_not() -> str | None:
    """Why kernels cannot be isolated on this machine, and what to do; None if they can."""
    if not sys.platform.startswith("linux") or not shutil.which(PROGRAM):
        return (
            "bubblewrap is not installed (it is for Linux; Debian, Ubuntu: apt install bubblewrap)"
        )
    tried = subprocess.run(
        [PROGRAM, *_namespaces(), "--ro-bind", "/", "/", "true"], capture_output=True, text=True
    )
    if tried.returncode == 0:
        return None
    return (
        f"bubblewrap cannot make a sandbox here ({tried.stderr.strip()[-200:]}); in a container "
        "or under a hardened kernel user namespaces must be allowed"
    )


def isolated(command: list[str], own: Path | None, exchange: Path) -> list[str]:
    """The command that runs `command` in a sandbox.

    Args:
        command: a kernel's.
        own: the submission's folder, where it may write; None if there is none.
        exchange: the folder of the sockets through which the kernel is asked.
    """
    for folder in (RUNS, MY_WORK):  # lessons write there: into memory, see below
        folder.mkdir(parents=True, exist_ok=True)
    words = [PROGRAM, *_namespaces(), "--proc", "/proc", "--dev", "/dev"]
    for place in map(Path, SYSTEM):
        if place.is_symlink():
            words += ["--symlink", os.readlink(place), str(place)]
        else:
            words += ["--ro-bind-try", str(place), str(place)]
    for place in DETAILS:
        words += ["--ro-bind-try", place, place]
    words += ["--tmpfs", "/tmp", "--tmpfs", str(Path.home())]
    for path in _shown():
        words += ["--ro-bind-try", path, path]
    for folder in (RUNS, MY_WORK):
        words += ["--tmpfs", str(folder)]
    writable = [str(path.resolve()) for path in (exchange, own) if path is not None]
    for path in writable:
        words += ["--bind", path, path]
    # the process that asks is outside: the kernel ends with bubblewrap, not by watching it
    words += ["--unsetenv", "JPY_PARENT_PID", "--chdir", writable[-1]]
    program, *rest = command  # "python" means this one, as it does to Jupyter
    return [*words, "--", sys.executable if program.startswith("python") else program, *rest]


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Those variables that a kernel in a sandbox may know."""
    return {
        name: value
        for name, value in variables.items()
        if name in KEPT or name.startswith(KEPT_BEGINNINGS)
    }


def _namespaces() -> list[str]:
    return ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]


def _shown() -> list[str]:
    """Folders outside the system's that Python and the course read, the outer ones first."""
    python = [sys.prefix, sys.base_prefix, *filter(os.path.isabs, sys.path)]
    places = {*python, str(SHIPPED), str(data_root().absolute()), *_font_list()}
    return sorted(path for path in places if os.path.exists(path))


def _font_list() -> list[str]:
    """Matplotlib's list of fonts, which takes seconds to make."""
    import matplotlib

    return [str(path) for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json")]
