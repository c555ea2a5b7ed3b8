"""Gradients of answers. What is trained through an answer needs the reference's gradient, not only
its values: a part that is cut off does not show in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_lib.exercises.compare import apart, is_tensor
from course_lib.exercises.words import Wrong

if TYPE_CHECKING:  # the first lessons do without PyTorch, which takes seconds to load
    from torch import Tensor

CLOSE = 1e-3  # relative to the largest slope: single precision, and sums in another order
TINY = 1e-7
CUT = ".detach(), .data, torch.no_grad() or a conversion to NumPy or to a number"

Slopes = list[
    tuple[str, dict[str, "Tensor"]]
]  # for each result its name, and the slope in each leaf


def learned(inputs: Sequence[Any], names: Sequence[str]) -> dict[str, Tensor]:
    """The tensors among inputs that require a gradient, by name; in a list by name and place."""
    found: dict[str, Tensor] = {}
    for name, value in zip(names, inputs, strict=True):
        if isinstance(value, (list, tuple)):
            found |= learned(value, [f"{name}[{i}]" for i in range(len(value))])
        elif is_tensor(value) and value.requires_grad:
            found[name] = value
    return found


def slopes(result: Any, leaves: Mapping[str, Tensor], what: str | Sequence[str]) -> Slopes:
    """Gradients of each tensor in a result, whose values are weighted unevenly; 0 with respect to
    a leaf that it does not depend on.

    Args:
        result: a tensor, or a tuple or list of them; anything else has none.
        leaves: name → tensor that the gradient is taken with respect to.
        what: name of the result, or of each of its parts.
    """
    if isinstance(result, (list, tuple)):
        names = [what] * len(result) if isinstance(what, str) else what
        return [s for r, n in zip(result, names, strict=True) for s in slopes(r, leaves, n)]
    if not is_tensor(result) or not result.is_floating_point():
        return []
    import torch

    found: tuple[Tensor | None, ...] = (None,) * len(leaves)
    if result.requires_grad:
        weights = 1.5 + torch.cos(1.7 * torch.arange(result.numel())).reshape(result.shape)
        total = (result * weights.to(result)).sum()
        try:
            found = torch.autograd.grad(total, [*leaves.values()], None, True, allow_unused=True)
        except RuntimeError as problem:  # changed in place, or the answer has called backward()
            said = str(problem).splitlines()[0]
            if "inplace" in said:
                said = (
                    "something is changed in place (`t += …`, `t[…] = …`, a method that ends in _) "
                    "that the gradient still needs; make a new tensor, as in t = t + …"
                )
            raise Wrong(f"PyTorch finds no gradient through {what}: {said}") from None
    known = zip(leaves.items(), found, strict=True)
    own = {name: torch.zeros_like(t) if g is None else g.detach() for (name, t), g in known}
    return [(what if isinstance(what, str) else what[0], own)]


def any_of(found: Slopes) -> bool:
    """Whether a result depends on any leaf."""
    return any(slope.any() for _, own in found for slope in own.values())


def agree(given: Slopes, right: Slopes) -> bool:
    """Whether two results have the same gradients."""
    return len(given) == len(right) and all(
        mine.keys() == theirs.keys() and all(_close(mine[k], theirs[k]) for k in theirs)
        for (_, mine), (_, theirs) in zip(given, right, strict=True)
    )


def difference(given: Slopes, right: Slopes) -> str:
    """In words: the first result whose gradient is another than the right one, and where."""
    for (what, mine), (_, theirs) in zip(given, right, strict=True):
        if any(t.any() for t in theirs.values()) and not any(m.any() for m in mine.values()):
            return (
                f"{what} has lost its gradient: compute it with torch, without NumPy, .detach(), "
                ".data, .item() or torch.no_grad()"
            )
        for name, slope in theirs.items():
            if slope.any() and not mine[name].any():
                return (
                    f"the gradient of {what} does not reach `{name}`, so nothing could be learned "
                    f"there: is it cut off, by {CUT}?"
                )
        off = [name for name, slope in theirs.items() if not _close(mine[name], slope)]
        if off:
            return _at_worst(what, off, mine[off[0]], theirs[off[0]])
    return ""


def require_same(given: Slopes, right: Slopes) -> None:
    """Raise Wrong, saying which, if a gradient is not the right one."""
    words = difference(given, right)
    if words:
        raise Wrong(words)


def _at_worst(what: str, names: list[str], mine: Tensor, right: Tensor) -> str:
    """In words: the place where a gradient differs most.

    Args:
        what: name of the result.
        names: of all the leaves in which it differs.
        mine: the answer's gradient in the first of them.
        right: the reference's.
    """
    those = " and ".join(f"`{name}`" for name in names)
    gap = (mine - right).abs().cpu().numpy()
    place = np.unravel_index(np.where(np.isnan(gap), np.inf, gap).argmax(), gap.shape)
    where = f" in `{names[0]}`" if len(names) > 1 else ""
    where += f" at {tuple(int(i) for i in place)}" if place else ""
    is_now, should_be = float(mine[place]), float(right[place])
    if not np.isfinite(is_now):
        return (
            f"{what} is right, but its gradient with respect to {those} is not a number{where}: a "
            "root and a logarithm have an infinite slope at 0, even where torch.where does not "
            "choose them"
        )
    is_now, should_be = apart(is_now, should_be)
    return (
        f"{what} is right, but its gradient with respect to {those} is not:{where} it is "
        f"{is_now}, expected {should_be}. Is a part of it cut off, by {CUT}?"
    )


def _close(mine: Tensor, right: Tensor) -> bool:
    if mine.shape != right.shape:
        return False
    limit = CLOSE * float(right.abs().max()) + TINY if right.numel() else 0.0
    return bool(((mine - right).abs() <= limit).all())
