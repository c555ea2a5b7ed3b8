"""Check of lesson 11, last part: a search region that follows the speed."""

from __future__ import annotations

import math

import numpy as np

from course_lib.exercises.compare import apart
from course_lib.exercises.core import check
from course_lib.trackers.siammargin import region_size


def _out_of_bounds(given, right, largest: int) -> str:
    """The message for a size that no search image may have.

    Args:
        given: the answer's size.
        right: the reference's.
        largest: the limit.
    """
    size = f"your image has {given:g} pixels; "
    if given > largest:
        return size + f"it may not be larger than {largest}"
    if given < 255:
        return size + "it is never smaller than 255"
    if 255 < right < largest and given == 255 + (right - 255) / 2 and (given - 255) % 16:
        return "one cell more on *each* side costs 16 pixels, not 8"
    if (given - 255) % 16:
        return size + "whole cells on both sides need 255 plus a multiple of 16"
    return ""


@check(
    "margin.region",
    reference=region_size,
    mistakes={
        "round *up* to whole cells, or the response falls short": [
            lambda right, speed, reach, base, largest: min(
                base + 16 * int(max(reach * speed - 64, 0) / 8), largest
            ),
            lambda right, speed, reach, base, largest: min(
                base + 16 * round(max(reach * speed - 64, 0) / 8), largest
            ),
        ],
        "the response of a search image of 255 pixels already "
        "reaches 64 pixels from the centre; subtract them": (
            lambda right, speed, reach, *given: right(speed + 64 / reach, reach, *given)
        ),
        "one more cell on each side reaches 8 pixels further and costs 16 pixels of the image": [
            lambda right, speed, reach, base, largest: min(
                2 * right(speed, reach, base, 10**5) - base, largest
            ),
            lambda right, speed, reach, base, largest: min(
                base + 16 * math.ceil(max(reach * speed - 64, 0) / 4), largest
            ),
            lambda right, speed, reach, base, largest: min(
                base + 16 * math.ceil(max(reach * speed - 64, 0) / 16), largest
            ),
        ],
        "the size grows up to the limit; beyond that, return the limit": [
            lambda right, speed, reach, base, largest: (
                base
                if right(speed, reach, base, 10**5) > largest
                else right(speed, reach, base, largest)
            ),
            lambda right, speed, reach, base, largest: (
                largest if right(speed, reach, base, largest) > base else base
            ),
            lambda right, speed, reach, base, largest: right(speed, reach, base, largest - 16),
            lambda right, speed, reach, base, largest: right(speed, reach, base, 383),
        ],
        "a slow target needs no larger image: what is missing is never below 0, and 0 costs "
        "nothing": [
            lambda right, speed, reach, base, largest: min(
                base + 16 * math.ceil(abs(reach * speed - 64) / 8), largest
            ),
            lambda right, speed, reach, base, largest: max(
                right(speed, reach, base, largest), base + 16
            ),
            lambda right, speed, reach, base, largest: min(
                base + 16 * (int(max(reach * speed - 64, 0) // 8) + 1), largest
            ),
        ],
        "`reach` times the speed has to be covered": [
            lambda right, speed, reach, *given: right(speed / reach, 1.0, *given),
            lambda right, speed, reach, *given: right((speed + reach) / reach, reach, *given),
            lambda right, speed, reach, *given: right(speed, 1.0, *given),
            lambda right, speed, reach, *given: right(speed, 2.0, *given),
        ],
        "speeds need not be whole pixels; do not round them": [
            lambda right, speed, *given: right(int(speed), *given),
            lambda right, speed, *given: right(float(-(-speed // 1)), *given),
            lambda right, speed, reach, *given: right(round(reach * speed) / reach, reach, *given),
            lambda right, speed, reach, *given: right(int(reach * speed) / reach, reach, *given),
        ],
    },
    others={
        "it may not be larger": lambda right, speed, reach, base, largest: right(
            speed, reach, base, 10**4
        ),
        "it is never smaller": lambda right, speed, reach, base, largest: (
            right(speed, reach, base, largest) - 16 * (speed < 32)
        ),
        "whole cells on both sides": lambda right, speed, reach, base, largest: min(
            max(2 * (reach * speed - 64) + base, base), largest
        ),
        "costs 16 pixels, not 8": lambda right, speed, reach, base, largest: min(
            base + (right(speed, reach, base, 10**4) - base) // 2, largest
        ),
        "the size is": lambda right, speed, reach, base, largest: (
            right(speed, reach, base, largest) if speed < 50 else base
        ),
    },
)
def examine_region(answer, rng) -> None:
    """How far to look, at several speeds at once, so that a mistake shows at all of them."""
    speeds = (0.0, 20.0, 32.0, 33.0, 36.15, 40.0, 42.7, 47.0, 53.2, 60.0, 500.0)

    def every(f, *given):
        return [f(v, *given) for v in speeds]

    for reach, largest in ((2.0, 2047), (1.5, 383)):

        def words(given, right, reach=reach, largest=largest):
            for speed, mine, theirs in zip(speeds, given, right, strict=True):
                if said := _out_of_bounds(mine, theirs, largest):
                    return f"at {speed:g} pixels a frame, with a reach of {reach:g}, {said}"
            k = int(np.argmax(np.asarray(given) != right))
            mine, theirs = apart(given[k], right[k])
            return (
                f"at {speeds[k]:g} pixels a frame, with a reach of {reach:g}, the size is {mine}, "
                f"expected {theirs}; 255 pixels reach 64 pixels from the centre"
            )

        answer.compare(
            (reach, 255, largest),
            "the sizes",
            (len(speeds),),
            call=every,
            otherwise=words,
        )
    answer.compare((40.0, 2.0, 255, 383), "the size")
