"""Commands that are started and never outlive the one that started them."""

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

PATIENCE = 15.0  # seconds in which a command that was asked to stop may do so
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def ended_with_us(
    words: list[str], folder: Path, environment: dict[str, str], seconds: float
) -> int | None:
    """Run `python WORDS` in a folder; its exit status, or None if it was stopped after `seconds`.

    However this process ends, so do the command and all that it started: at the end of the time,
    on Ctrl-C, SIGTERM or
    SIGHUP they are asked to stop (SIGINT) and killed if they do not; on Linux the command is ended
    too where this
    process is killed (SIGKILL) and can ask nobody.

    Args:
        words: of the command, after `python`.
        folder: it runs in.
        environment: its environment variables.
        seconds: after which it is stopped.
    """
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        start_new_session=True,  # a process group of its own: all of it can be ended
        preexec_fn=_tied_to(os.getpid()) if sys.platform == "linux" else None,
    )
    with _as_exit(ENDING):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _tied_to(parent: int) -> Callable[[], None]:
    """What the new process does first: it asks the system for SIGTERM when its parent is gone."""
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(END_WITH_PARENT, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # gone already
            os._exit(1)

    return ask


@contextlib.contextmanager
def _as_exit(signals: list[signal.Signals]) -> Iterator[None]:
    """Signals that would end this process at once raise SystemExit instead, so that `finally` is
    reached.
    """
    if threading.current_thread() is not threading.main_thread():  # only there may they be caught
        yield
        return

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen) -> None:
    """End what is left of the command's process group: asked first, then killed."""
    if process.poll() is None:
        _send(process, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
    _send(process, getattr(signal, "SIGKILL", signal.SIGTERM))  # those it left behind, too
    process.wait()


def _send(process: subprocess.Popen, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.send_signal(number)
