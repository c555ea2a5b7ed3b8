"""Random draws of answers: do they come from the generator that was given, and are they distributed
as they should be?"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.compare import apart, copied
from course_lib.exercises.words import Wrong

Inputs = Callable[[np.random.Generator], tuple[Any, ...]]
Read = Callable[[Any], Any]


def drawn(answer: Callable[..., Any], inputs: Inputs, read: Read, draws: int, seed: int):
    """Results of many calls as numbers (draws, parts).

    Args:
        answer: to be called.
        inputs: (generator) → its inputs.
        read: turns a result into numbers.
        draws: how many.
        seed: of the one generator of all calls.
    """
    rng = np.random.default_rng(seed)
    given = inputs(rng)
    rows = [np.ravel(read(answer(*copied(given)))) for _ in range(draws)]
    return np.array(rows, dtype=float)


def require_generator(answer: Callable[..., Any], inputs: Inputs, read: Read, seed: int) -> None:
    """Raise Wrong if the draws do not depend on the generator that the answer is given, or on it
    alone.

    Args:
        answer: to be called.
        inputs: (generator) → its inputs.
        read: turns a result into numbers.
        seed: of the generators.
    """
    before = global_states(stir=True)  # an answer that seeds them has done so already
    first, again, other = (drawn(answer, inputs, read, 8, s) for s in (seed, seed, seed + 1))
    for name, state in global_states().items():
        if state != before[name]:
            raise Wrong(
                f"you draw from {name}, or seed it; draw from the generator that you are given, "
                "otherwise no run can be repeated"
            )
    if not np.array_equal(first, again):
        raise Wrong(
            "two generators with the same seed give different draws: draw from the generator that "
            "you are given, and from nothing else"
        )
    if np.array_equal(first, other):
        raise Wrong("generators with different seeds give the same draws: nothing is random here")


def global_states(stir: bool = False) -> dict[str, str]:
    """States of the generators that an answer may draw from by mistake; new ones if stirred."""
    if stir:
        np.random.random()  # noqa: NPY002
        random.random()
    legacy = np.random.get_state()  # noqa: NPY002
    states = {"np.random": repr(legacy), "random": repr(random.getstate())}
    if "torch" in sys.modules:
        import torch

        if stir:
            torch.rand(1)
        states["torch's global generator"] = repr(torch.get_rng_state().tolist())
    return states


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two samples (n, parts) may come from one distribution: each part, and the sums and
    differences of pairs of parts, so that parts which depend on each other are seen as well."""
    return a.shape[1] == b.shape[1] and all(
        _gap(u, v)[0] <= limit(len(u), len(v)) for u, v in zip(_views(a), _views(b), strict=True)
    )


def gap(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance between the distributions of two samples (n, parts), seen as by `alike`."""
    return max(_gap(u, v)[0] for u, v in zip(_views(a), _views(b), strict=True))


def limit(n: int, m: int) -> float:
    """Largest distance between the empirical distribution functions of samples of n and m that
    chance exceeds once in ten million (Kolmogorov and Smirnov's test)."""
    return float(np.sqrt(np.log(2 / 1e-7) / 2 * (n + m) / (n * m)))


def difference(given: np.ndarray, right: np.ndarray, what: str | tuple[str, ...]) -> str:
    """In words: the part whose distribution differs most, and where.

    Args:
        given: draws (n, parts) of the answer.
        right: draws (n, parts) of the reference.
        what: name of the result, or of each of its parts.
    """
    parts = given.shape[1]
    if parts != right.shape[1]:
        return f"your draws have {parts} numbers; expected {right.shape[1]}"
    names = list(what) if isinstance(what, tuple) else [what]
    if len(names) != parts:
        names = [f"{names[0]}[{i}]" for i in range(parts)]
    names += [
        f"{sign} of {names[i]} and {names[j]}"
        for i in range(parts)
        for j in range(i)
        for sign in ("the sum", "the difference")
    ]
    gaps = [_gap(u, v) for u, v in zip(_views(given), _views(right), strict=True)]
    k = int(np.argmax([gap for gap, _ in gaps]))
    value = gaps[k][1]
    mine, theirs = (float((_views(d)[k] <= value).mean()) * 100 for d in (given, right))
    mine_text, theirs_text = apart(round(mine), round(theirs))
    return (
        f"in {len(given):,} draws {names[k]} is at most {value:.3g} in {mine_text} % of them; "
        f"expected {theirs_text} %"
    )


def _views(sample: np.ndarray) -> list[np.ndarray]:
    columns = list(sample.T)
    pairs = [(i, j) for i in range(len(columns)) for j in range(i)]
    return columns + [
        view for i, j in pairs for view in (columns[i] + columns[j], columns[i] - columns[j])
    ]


def _gap(u: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    """Largest distance between two empirical distribution functions, and the value where it is."""
    values = np.unique(np.concatenate([u, v]))
    below = [np.searchsorted(np.sort(s), values, side="right") / len(s) for s in (u, v)]
    gaps = np.abs(below[0] - below[1])
    k = int(np.argmax(gaps))
    return float(gaps[k]), float(values[k])
