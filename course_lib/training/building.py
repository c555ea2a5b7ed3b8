"""Networks and backbones as recipes describe them: what one is like before it is built, and what is
wrong where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from course_lib.errors import SettingsError
from course_lib.models.backbones import make_backbone

if TYPE_CHECKING:
    from course_lib.training.settings import TrainSettings


@lru_cache(maxsize=64)
def step_of(backbone: str, **arguments: Any) -> int:
    """Pixels between the sizes of image that suit a backbone: its `step`.

    Args:
        backbone: its name, see `models.backbones`.
        **arguments: of its constructor.

    Raises:
        SettingsError: there is none of that name.
    """
    with torch.device("meta"):  # neither memory nor random numbers are spent on its weights
        return make_backbone(backbone, **arguments).step


@contextmanager
def refusals_in_words(settings: TrainSettings) -> Iterator[None]:
    """Turn torch's errors about a network that it cannot build into SettingsError: groups that do
    not divide its channels, or no memory for its weights."""
    s = settings
    try:
        yield
    except SettingsError:
        raise
    except (ValueError, RuntimeError, ZeroDivisionError) as problem:
        raise SettingsError(
            f"network {s.network} cannot be built with backbone {s.backbone}, width_multiplier "
            f"{s.width_multiplier}, widths {s.widths}, channels {s.proposals.channels}, groups "
            f"{s.proposals.groups}: {str(problem).splitlines()[0]}"
        ) from None
