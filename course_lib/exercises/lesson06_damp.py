"""Check of lesson 06: the damped side."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import apart, as_number
from course_lib.exercises.core import check
from course_lib.exercises.lesson06 import each
from course_lib.trackers import siamfc


def _moved(side: float, factor: float, rate: float) -> float:
    return (1 - rate) * side + rate * side * factor


@check(
    "search.damp",
    reference=siamfc.damp,
    mistakes={
        "the size jumps to the new scale at once; it should move there by the fraction `rate`": (
            lambda right, side, factor, rate, first: right(side, factor, 1.0, first)
        ),
        "the rate is on the wrong term: `rate` belongs to the new size, 1 − rate to the old": (
            lambda right, side, factor, rate, first: right(side, factor, 1 - rate, first)
        ),
        "your side jumps, and has no limits: it should move by the fraction `rate`, within 0.2 … "
        "5 times the first one": lambda right, side, factor, rate, first: side * factor,
        "your side has no limits, or limits that never act: it must stay within 0.2 … 5 times the "
        "first one": [
            lambda right, side, factor, rate, first: _moved(side, factor, rate),
            lambda right, side, factor, rate, first: right(side, factor, rate, side),
            lambda right, side, factor, rate, first: _moved(side, np.clip(factor, 0.2, 5), rate),
        ],
        "your side has no upper limit, 5 times the first one": (
            lambda right, side, factor, rate, first: max(_moved(side, factor, rate), 0.2 * first)
        ),
        "your side has no lower limit, 0.2 times the first one": (
            lambda right, side, factor, rate, first: min(_moved(side, factor, rate), 5 * first)
        ),
        "your limits act before the rate: first move the side, then keep it within them": (
            lambda right, side, factor, rate, first: (
                (1 - rate) * side + rate * right(side, factor, 1.0, first)
            )
        ),
        "you move by factor ** rate: the side moves in a straight line, by the fraction `rate` of "
        "the difference": lambda right, side, factor, rate, first: np.clip(
            side * factor**rate, 0.2 * first, 5 * first
        ),
        "you move from the first side; move from the last one": [
            lambda right, side, factor, rate, first: right(first, factor, rate, first),
            lambda right, side, factor, rate, first: np.clip(
                (1 - rate) * first + rate * side * factor, 0.2 * first, 5 * first
            ),
        ],
        "your side never shrinks; factors below 1 make it smaller": [
            lambda right, side, factor, rate, first: right(side, max(factor, 1), rate, first),
            lambda right, side, factor, rate, first: right(side, 1 + abs(factor - 1), rate, first),
        ],
        "your side never grows; factors above 1 make it larger": (
            lambda right, side, factor, rate, first: right(side, min(factor, 1), rate, first)
        ),
        "each limit acts in one direction only; both hold for every new side": (
            lambda right, side, factor, rate, first: (
                max(_moved(side, factor, rate), 0.2 * first)
                if factor < 1
                else min(_moved(side, factor, rate), 5 * first)
            )
        ),
        "your limits are 0.2 and 5 pixels; they are 0.2 and 5 times the first side": (
            lambda right, side, factor, rate, first: np.clip(_moved(side, factor, rate), 0.2, 5)
        ),
        "your limits are rounded: 0.2 times the first side may lie between pixels": (
            lambda right, side, factor, rate, first: np.clip(
                _moved(side, factor, rate), first // 5, 5 * first
            )
        ),
        "where the new side would be beyond a limit you return another one; return the limit": [
            lambda right, side, factor, rate, first: (
                side
                if _moved(side, factor, rate) != right(side, factor, rate, first)
                else right(side, factor, rate, first)
            ),
            lambda right, side, factor, rate, first: (
                first
                if _moved(side, factor, rate) != right(side, factor, rate, first)
                else right(side, factor, rate, first)
            ),
        ],
        "the new side is the last one times the factor; the first one is for the limits only": (
            lambda right, side, factor, rate, first: np.clip(
                (1 - rate) * side + rate * first * factor, 0.2 * first, 5 * first
            )
        ),
        "you move towards the factor itself; the new side is side · factor": (
            lambda right, side, factor, rate, first: np.clip(
                (1 - rate) * side + rate * factor, 0.2 * first, 5 * first
            )
        ),
        "your limits are swapped: np.clip wants the lowest value first": (
            lambda right, side, factor, rate, first: np.clip(
                _moved(side, factor, rate), 5 * first, 0.2 * first
            )
        ),
        "you divide by the factor: the side grows where the factor is above 1": (
            lambda right, side, factor, rate, first: right(side, 1 / factor, rate, first)
        ),
        "the weights of old and new side must sum to 1: 1 − rate and rate": (
            lambda right, side, factor, rate, first: np.clip(
                side + rate * side * factor, 0.2 * first, 5 * first
            )
        ),
        "you return the change, a factor; the side is asked for": (
            lambda right, side, factor, rate, first: right(side, factor, rate, first) / side
        ),
        "you move by 0.59, whatever `rate` is": (
            lambda right, side, factor, rate, first: right(side, factor, 0.59, first)
        ),
        "your side is rounded; fractions of a pixel add up over the frames": [
            lambda right, *given: round(right(*given)),
            lambda right, *given: int(right(*given)),
            lambda right, *given: round(right(*given), 1),
        ],
    },
)
def examine_damp(answer, rng) -> None:
    """Damped size with limits, for many sides at once."""
    cases = [
        (side, factor, rate, first)
        for rate in (0.34, 0.8)
        for side, factor, first in (
            *rng.uniform([120, 0.9, 90], [260, 1.1, 300], (4, 3)),
            *((990.0, 1.2, 203.7), (41.0, 0.8, 203.7)),  # to a limit
            *((1100.0, 1.02, 203.7), (35.0, 0.98, 203.7)),  # from beyond it
            *((1100.0, 0.98, 203.7), (35.0, 1.02, 203.7)),  # on the way back, still beyond
        )
    ]
    cases = [tuple(map(float, case)) for case in cases]

    def words(given, right) -> str:
        case = int(np.argmax(np.abs(given - right) > 1e-6 * right))
        side, factor, rate, first = cases[case]
        is_now, should_be = apart(given[case], right[case])
        limit = "" if _moved(side, factor, rate) == right[case] else ", the limit"
        return (
            f"from a side of {side:.4g}, with factor {factor:.4g}, rate {rate:g} and first side "
            f"{first:.4g}, yours is {is_now}, expected {should_be}{limit}"
        )

    answer.compare(
        (cases,),
        "the side",
        lambda raw: np.array([as_number(side, "the side") for side in raw]),
        call=each,
        otherwise=words,
    )
