"""Modes of PyTorch that hold for all that follows: an answer leaves them as they were."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from course_lib.exercises.words import Wrong


@contextmanager
def modes_kept() -> Iterator[None]:
    """Raise Wrong if gradients or autocast are switched in the block, and switch them back."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    gradients, rounded = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
    try:
        yield
    finally:
        now = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
        torch.set_grad_enabled(gradients)
        torch.set_autocast_enabled("cpu", rounded)
    if now[0] != gradients:
        raise Wrong(
            "gradients are still switched off after your function, for all that follows: use "
            "`with torch.no_grad():`, which does so inside its block alone"
        )
    if now[1] != rounded:
        raise Wrong("autocast is still on after your function: use `with torch.autocast(…):`")
