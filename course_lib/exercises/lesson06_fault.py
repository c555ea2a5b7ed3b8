"""Check of lesson 06's step with a fault in it: the size jumps where the search side is damped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.compare import apart, as_array, as_number, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.lesson06 import bump, each
from course_lib.trackers import siamfc

Step = tuple[np.ndarray, float, np.ndarray]
PARTS = ("the displacement", "the side", "the size")


def mended_step(responses: np.ndarray, side: float, size: np.ndarray, first: float) -> Step:
    """From responses to a displacement, the next search side and the next size.

    Args:
        responses: (3, 17, 17), of scales 1.0375^−1, 1, 1.0375.
        side: the last search side, frame pixels.
        size: (2,) the last width and height, frame pixels.
        first: the side in the first frame.

    Returns:
        displacement (2,), frame pixels; the side; the size (2,).
    """
    moved, factor = _chosen(responses)
    new_side = siamfc.damp(side, factor, 0.59, first)
    return moved * side * factor / 255, new_side, size * new_side / side


def _chosen(
    responses: np.ndarray, penalty: float = 0.9745, influence: float = 0.176, raw: bool = False
) -> tuple[np.ndarray, float]:
    """Displacement (2,) in search pixels, and the factor of the chosen scale.

    Args:
        responses: (3, 17, 17).
        penalty, influence: of the right step, unless changed.
        raw: whether the scale is chosen before enlarging.
    """
    large = np.stack([siamfc.enlarge(r, 16) for r in responses])  # (3, 272, 272)
    best = siamfc.choose_scale(responses if raw else large, penalty)
    blended = siamfc.blend_with_window(large[best], siamfc.unit_window(272), influence)
    factor = float(siamfc.scale_factors(3, 1.0375)[best])
    return siamfc.peak_displacement(blended, 8, 16), factor


def _with_size(size: Callable[..., np.ndarray]) -> Callable[..., Step]:
    """A cure at the size: (size, factor, side, new side, first) → size."""

    def code(right, responses, side, old, first):
        moved, new, _ = right(responses, side, old, first)
        return moved, new, size(old, _chosen(responses)[1], side, new, first)

    return code


def _with_side(side: Callable[..., float]) -> Callable[..., Step]:
    """A cure at the side, the size follows it or jumps: (side, factor, first) → side."""

    def code(right, responses, old, size, first):
        factor = _chosen(responses)[1]
        return right(responses, old, size, first)[0], side(old, factor, first), size * factor

    return code


def _moved_by(side: Callable[..., float]) -> Callable[..., Step]:
    """A change to the displacement: (side, new side, factor) → side it is measured in."""

    def code(right, responses, old, size, first):
        _, new, resized = right(responses, old, size, first)
        moved, factor = _chosen(responses)
        return moved * side(old, new, factor) / 255, new, resized

    return code


def _stepped(**changes) -> Callable[..., Step]:
    """A change to one of the lines without the fault."""

    def code(right, responses, side, size, first):
        moved, factor = _chosen(responses, **changes)
        new = siamfc.damp(side, factor, 0.59, first)
        return moved * side * factor / 255, new, size * new / side

    return code


@check(
    "search.fault",
    reference=mended_step,
    mistakes={
        "the fault is still there: the size jumps to the chosen scale, while the side moves only "
        "part of the way": _with_size(lambda size, factor, side, new, first: size * factor),
        "now size and side both jump to the chosen scale: they agree, but the damping is gone": (
            _with_side(lambda side, factor, first: side * factor)
        ),
        "now size and side both jump to the chosen scale, within the limits: they agree, but the "
        "damping is gone": lambda right, responses, side, size, first: (
            right(responses, side, size, first)[0],
            (new := siamfc.damp(side, _chosen(responses)[1], 1.0, first)),
            size * new / side,
        ),
        "now the side jumps to the chosen scale as well: the damping of the side was right, and "
        "the size should follow the damped side": lambda right, responses, side, size, first: (
            right(responses, side, size, first)[0],
            siamfc.damp(side, _chosen(responses)[1], 1.0, first),
            size * _chosen(responses)[1],
        ),
        "now the size never changes: a target that grows would be lost": (
            _with_size(lambda size, factor, side, new, first: size)
        ),
        "the size is damped by itself: where the side reaches a limit, the size still moves on. "
        "Take the side's own factor": _with_size(
            lambda size, factor, side, new, first: size * (1 + 0.59 * (factor - 1))
        ),
        "the size is damped twice, by the damped side and by the rate once more": (
            _with_size(lambda size, factor, side, new, first: size * (1 + 0.59 * (new / side - 1)))
        ),
        "the size changes the other way: old side over new": (
            _with_size(lambda size, factor, side, new, first: size * side / new)
        ),
        "the size is multiplied by new side over first side, which is the change since the "
        "beginning; the size already contains all but the last step of it": (
            _with_size(lambda size, factor, side, new, first: size * new / first)
        ),
        "the size follows the side and jumps as well: one factor is enough": (
            _with_size(lambda size, factor, side, new, first: size * factor * new / side)
        ),
        "the fault is not in the displacement: it is measured in the window that was searched, of "
        "side · factor": [
            _moved_by(lambda side, new, factor: side),
            _moved_by(lambda side, new, factor: new),
            _moved_by(lambda side, new, factor: new * factor),
            _moved_by(lambda side, new, factor: 255.0),
            _moved_by(lambda side, new, factor: side * factor * 255 / 127),
        ],
        "the fault is not in the displacement: x comes first, then y": (
            lambda right, responses, side, size, first: (
                right(responses, side, size, first)[0][::-1],
                *right(responses, side, size, first)[1:],
            )
        ),
        "the fault is not in the choice of the scale: it is made among the enlarged responses, "
        "with a penalty of 0.9745": [
            *(_stepped(penalty=penalty) for penalty in (1.0, 0.962)),
            _stepped(raw=True),
        ],
        "the fault is not in the window: its influence is 0.176": [
            _stepped(influence=influence) for influence in (0.0, 0.168, 0.824)
        ],
        "the size is kept within limits of the side: it follows the side, whatever it is": (
            _with_size(
                lambda size, factor, side, new, first: np.array(
                    [siamfc.damp(s, factor, 0.59, first) for s in size]
                )
            )
        ),
        "you change only the width or only the height: both change, by one factor": [
            _with_size(lambda size, factor, side, new, first: size * [new / side, 1]),
            _with_size(lambda size, factor, side, new, first: size * [1, new / side]),
        ],
        "you make the target square: it keeps its shape, width and height differ": _with_size(
            lambda size, factor, side, new, first: np.sqrt(size.prod()) * new / side * np.ones(2)
        ),
        "the size changes by the root of the side's factor: both are lengths": _with_size(
            lambda size, factor, side, new, first: size * np.sqrt(new / side)
        ),
        "the side is no longer kept: return the damped one": (
            lambda right, responses, side, size, first: (
                right(responses, side, size, first)[0],
                side,
                right(responses, side, size, first)[2],
            )
        ),
    },
)
def examine_fault(answer, rng) -> None:
    """The mended step, for changing scales, also where the side has reached a limit."""
    cases = []
    for best, ratio in ((0, 1.3), (2, 0.8), (1, 1.1), (2, 4.98), (0, 0.201), (2, 1.6)):
        first = float(rng.uniform(80, 200))
        peaks = np.array([3.0, 3.0, 3.0]) + 0.6 * (np.arange(3) == best)
        cases.append((_stack(rng, peaks), ratio * first, rng.uniform(20, 60, 2), first))
    for changes in ({"penalty": 1.0}, {"penalty": 0.962}, {"raw": True}, {"influence": 0.168}):
        first = float(rng.uniform(80, 200))
        stack = _decisive(rng, changes)
        cases.append((stack, rng.uniform(0.8, 1.2) * first, rng.uniform(20, 60, 2), first))

    def read(raw) -> tuple[np.ndarray, ...]:
        steps = [as_parts(one, *PARTS) for one in raw]
        return (
            np.stack([as_array(moved, (2,), PARTS[0]) for moved, _, _ in steps]),
            np.array([as_number(side, PARTS[1]) for _, side, _ in steps]),
            np.stack([as_array(size, (2,), PARTS[2]) for _, _, size in steps]),
        )

    answer.compare((cases,), PARTS, read, call=each, tolerance=1e-5, otherwise=_in_words)


def _stack(rng: np.random.Generator, peaks: np.ndarray) -> np.ndarray:
    """Responses (3, 17, 17) float32 with the given peaks (3,)."""
    stack = np.stack([bump(rng) for _ in range(3)])
    return (stack + (peaks - stack.max(axis=(1, 2)))[:, None, None]).astype(np.float32)


def _decisive(rng: np.random.Generator, changes: dict) -> np.ndarray:
    """Responses (3, 17, 17) whose outcome a change to another line decides."""
    rows, columns = np.mgrid[:17, :17]
    for _ in range(200):
        stack = _stack(rng, 3 * np.array([1, 1, 1 + rng.uniform(0.005, 0.05)]))
        if "influence" in changes:  # a hill so wide that the window moves its top
            row, column = rng.uniform(1, 15, 2)
            hill = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 120)
            stack = np.stack([hill, 1.1 * hill, hill]).astype(np.float32)
        if "influence" in changes and not _is_clear(stack[1]):
            continue
        moved, factor = _chosen(stack)
        other, scale = _chosen(stack, **changes)
        if factor != scale or np.abs(moved - other).max() > 0:
            break
    return stack


def _is_clear(response: np.ndarray) -> bool:
    """Whether the peak of a response (17, 17) is more than rounding above every other cell."""
    blended = siamfc.blend_with_window(
        siamfc.enlarge(response, 16), siamfc.unit_window(272), 0.176
    ).ravel()
    second, highest = np.partition(blended, -2)[-2:]
    return highest - second > 2e-6 * np.ptp(blended)


def _in_words(given: tuple[np.ndarray, ...], right: tuple[np.ndarray, ...]) -> str:
    """The first part that differs, with both values."""
    for name, a, b in zip(PARTS, given, right, strict=True):
        if not np.allclose(a, b, rtol=0, atol=1e-3):
            place = np.unravel_index(np.abs(a - b).argmax(), a.shape)
            is_now, should_be = apart(a[place], b[place])
            return f"{name} is {is_now} where it should be {should_be}"
    return ""
