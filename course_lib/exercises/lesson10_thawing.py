"""Checks of lesson 10: unfreezing a backbone."""

from __future__ import annotations

from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.core import check
from course_lib.training.step import frozen_stages

PUBLISHED = [0.1, 0.2, 0.3, 0.5, 0.6, 0.7]
# step, steps, stages frozen at first, unfreeze
CASES = [
    (step, steps, freeze, unfreeze)
    for steps, freeze, unfreeze in (
        (100, 7, PUBLISHED),
        (37, 9, PUBLISHED),
        (50, 4, [0.24, 0.31, 0.9]),
        (20, 2, [0.25, 0.5]),
        (15, 3, [0.0, 0.4]),
    )
    for step in range(steps)
]


def _reached(given, step, steps, unfreeze):
    """How many fractions a step has reached, compared otherwise."""
    return sum(bool(given(step, fraction, steps)) for fraction in unfreeze)


def _thawed(given):
    """A mistake: a fraction counts if given(step, fraction, steps)."""
    return lambda right, step, steps, freeze, unfreeze: (
        freeze - _reached(given, step, steps, unfreeze)
    )


@check(
    "siamdw.unfreeze",
    reference=frozen_stages,
    mistakes={
        "at the beginning {freeze} stages are frozen; yours begins with all of them trained": (
            lambda right, step, *given: right(step, *given) if step else 0
        ),
        "in step {step} of {steps} you count the stages already *unfrozen*; count those that are "
        "still frozen": [
            lambda right, step, steps, freeze, unfreeze: (
                freeze - right(step, steps, freeze, unfreeze) if step else freeze
            ),
            lambda right, step, steps, freeze, unfreeze: (
                freeze - right(step, steps, freeze, unfreeze)
            ),
        ],
        "step {step} is the first of a new phase: a threshold that is just reached counts": [
            _thawed(lambda step, fraction, steps: step > fraction * steps),
            _thawed(lambda step, fraction, steps: step >= fraction * steps + 1),
        ],
        "step {step} of {steps} has not reached the next fraction yet: do not round the threshold "
        "down": (_thawed(lambda step, fraction, steps: step >= int(fraction * steps))),
        "step {step} of {steps}: do not round the threshold up or down": (
            _thawed(lambda step, fraction, steps: step >= round(fraction * steps))
        ),
        "the fractions are those of all {steps} steps, not of {steps} − 1": (
            _thawed(lambda step, fraction, steps: step >= fraction * (steps - 1))
        ),
        "steps count from 0: this is step {step}, not the next": (
            _thawed(lambda step, fraction, steps: step + 1 >= fraction * steps)
        ),
        "the number of steps is an argument, here {steps}": [
            _thawed(lambda step, fraction, steps: step >= fraction * 100),
            _thawed(lambda step, fraction, steps: step >= fraction),
            _thawed(lambda step, fraction, steps: step >= fraction * steps / 100),
        ],
        "how many stages are frozen at first is an argument, here {freeze}": [
            lambda right, step, steps, freeze, unfreeze: right(step, steps, 7, unfreeze),
            lambda right, step, steps, freeze, unfreeze: right(
                step, steps, len(unfreeze), unfreeze
            ),
            lambda right, step, steps, freeze, unfreeze: right(
                step, steps, len(unfreeze) + 1, unfreeze
            ),
        ],
        "the fractions in `unfreeze` need not be evenly spaced, and here they are not": [
            lambda right, step, steps, freeze, unfreeze: (
                freeze - round(step / steps * len(unfreeze))
            ),
            lambda right, step, steps, freeze, unfreeze: freeze - int(step / steps * len(unfreeze)),
            lambda right, step, steps, freeze, unfreeze: freeze - int(step / steps * freeze),
            lambda right, step, steps, freeze, unfreeze: (
                freeze - min(len(unfreeze), 10 * step // steps)
            ),
        ],
        "each fraction that is reached unfreezes one stage; count them all": [
            lambda right, step, steps, freeze, unfreeze: (
                freeze - any(step >= f * steps for f in unfreeze)
            ),
            lambda right, step, steps, freeze, unfreeze: (
                freeze - any(step >= f * steps for f in unfreeze[-1:])
            ),
        ],
        "the first fraction that is reached counts as well": (
            lambda right, step, steps, freeze, unfreeze: (
                freeze - max(0, freeze - right(step, steps, freeze, unfreeze) - 1)
            )
        ),
        "a fraction of 0 unfreezes its stage in the first step": (
            lambda right, step, steps, freeze, unfreeze: (
                right(step, steps, freeze, unfreeze) if step else freeze
            )
        ),
        "in the end all stages may be unfrozen: the number can be 0": (
            lambda right, *case: max(1, right(*case))
        ),
        "the fractions are an argument, here {unfreeze}": (
            lambda right, step, steps, freeze, unfreeze: right(step, steps, freeze, PUBLISHED)
        ),
    },
)
def examine_unfreeze(answer, rng) -> None:
    """Gradual unfreezing, at all steps of several runs."""
    what = "the number of frozen stages"
    compare_cases(
        answer,
        CASES,
        (what,),
        reads(what),
        "in step {} of {}, with {} stages frozen at first and unfreeze = {}".format,
        step=lambda step, *run: step,
        steps=lambda step, steps, *run: steps,
        freeze=lambda step, steps, freeze, unfreeze: freeze,
        unfreeze=lambda step, steps, freeze, unfreeze: unfreeze,
    )
