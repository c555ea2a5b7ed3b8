"""Commands run as child processes that never outlive their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

PATIENCE = 15.0  # seconds that a command gets to stop after being asked
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def ended_with_us(
    words: list[str], folder: Path, environment: dict[str, str], seconds: float
) -> int | None:
    """Run `python WORDS` in a folder.

    However this process ends, the command and everything it started end with it: when time is up,
    and on Ctrl-C, SIGTERM or SIGHUP, they are asked to stop (SIGINT) and killed if they do not. On
    Linux the command also ends if this process is killed (SIGKILL) and cannot ask.

    Args:
        words: arguments of `python`.
        folder: working directory of the command.
        environment: its environment variables.
        seconds: time after which it is stopped.

    Returns:
        The exit status, or None if it was stopped after `seconds`.
    """
    process = None
    with ending_us():
        try:
            with held_back():
                process = start(words, folder, environment)
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process is not None:
                end(process)


def start(
    words: list[str], folder: Path, environment: dict[str, str], output: IO | None = None
) -> subprocess.Popen:
    """Start `python WORDS` as the leader of its own process group, which `end` ends.

    Args:
        words: arguments of `python`.
        folder: working directory of the command.
        environment: its environment variables.
        output: file for all that it prints; None for ours.
    """
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        stdin=None if output is None else subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,  # its own process group, so that all of it can be ended
        preexec_fn=_tied_to(os.getpid()) if sys.platform == "linux" else None,
    )


def _tied_to(parent: int) -> Callable[[], None]:
    """Set-up code of the child: it asks the system for SIGTERM when its parent dies, and listens
    to SIGINT, which a shell tells commands in the background to ignore."""
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        prctl(END_WITH_PARENT, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent has died already
            os._exit(1)

    return ask


@contextlib.contextmanager
def ending_us() -> Iterator[None]:
    """Let signals that would end this process at once raise SystemExit, so that `finally` runs."""
    if threading.current_thread() is not threading.main_thread():  # only it may set handlers
        yield
        return

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals that arrive inside the block reach this process after it: between a command's start
    and the moment its process has a name here, nobody could end what it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = [*ENDING, signal.SIGINT]
    before = {n: signal.signal(n, lambda number, _: came.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def end(process: subprocess.Popen) -> None:
    """End what is left of the command's process group: first ask, then kill."""
    try:
        if process.poll() is None:
            _send(process, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
    finally:  # a second Ctrl-C while it waits kills at once
        _send(process, getattr(signal, "SIGKILL", signal.SIGTERM))  # including its orphans
        process.wait()


def _send(process: subprocess.Popen, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.send_signal(number)
