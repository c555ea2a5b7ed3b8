"""A call that does not end is interrupted: a loop that waits for what never comes would hold the
notebook, and the student would not learn why."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

from course_lib.exercises.words import Wrong

PATIENCE = 60.0  # seconds for one call

# one watching thread for all calls: to start one for each would take longer than many of them
_ENDS: dict[int, float] = {}  # thread → when its call is too late
_LOCK = threading.Lock()
_WATCHES: list[threading.Thread] = []


class _Endless(BaseException):
    """Raised in a thread whose call has taken too long; no `except Exception` of an answer stops
    it."""


def within_patience(call: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    """The result of a call, which is interrupted where it takes longer than PATIENCE: between two
    steps of Python, not within a step of NumPy or PyTorch.

    Args:
        call: an answer.
        inputs, named: its inputs.

    Raises:
        Wrong: if it was interrupted.
    """
    me = threading.get_ident()
    with _LOCK:
        within = me in _ENDS  # a call within a call has what is left of the outer one's time
        _ENDS.setdefault(me, time.monotonic() + PATIENCE)
        if not any(watch.is_alive() for watch in _WATCHES):
            _WATCHES[:] = [threading.Thread(target=_watch, daemon=True)]
            _WATCHES[0].start()
    try:
        return call(*inputs, **named)
    except _Endless:
        raise Wrong(
            f"after {PATIENCE:g} seconds your code was still running, and was interrupted: does "
            "its loop end? The condition that ends it has to change from one iteration to the next"
        ) from None
    finally:
        if not within:
            with _LOCK:
                _ENDS.pop(me, None)


def _watch() -> None:
    while True:
        time.sleep(min(1.0, PATIENCE / 4))
        with _LOCK:
            for thread, end in [*_ENDS.items()]:
                if time.monotonic() > end:
                    del _ENDS[thread]
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread), ctypes.py_object(_Endless)
                    )
