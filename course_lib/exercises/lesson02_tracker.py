"""Check of lesson 02's tracker."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array, same
from course_lib.exercises.core import check
from course_lib.exercises.scenes import MISPLACED, bent, followed, late, moving_texture, paste
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou
from course_lib.trackers import mosse


@check(
    "mosse.tracker",
    reference=mosse.MOSSE,
    others={
        **MISPLACED,
        "keeps that size": bent(lambda first, box: box * [1, 1, 1.5, 1.5]),
        "on empty frames your box drifts": (
            lambda right: right(mosse.MOSSESettings(psr_threshold=-1.0))
        ),
        "at the new centre": lambda right: late(right)(mosse.MOSSESettings(rate=0.125)),
    },
)
def examine_tracker(answer, rng) -> None:
    """Follows a moving texture, does not learn an occluder, keeps the box's size."""
    sequence = moving_texture(rng)
    tracker = answer()
    boxes = followed(
        tracker, sequence, lost="Is the filter updated with the patch at the new centre?"
    )
    curtain = np.full_like(sequence.frames[0], 90)
    held = [tracker.update(curtain) for _ in range(15)]
    if not all(same(box, boxes[-1]) for box in held):
        raise Wrong("on empty frames your box drifts: below the PSR threshold it should stay")
    place = sequence.boxes[-1][:2] + [2, 1]
    again = as_array(tracker.update(paste(sequence.scene, sequence.target, place)), (4,), "the box")
    if float(iou(again, [*place, *sequence.boxes[0][2:]])) < 0.7:
        raise Wrong(
            "after 15 empty frames your tracker no longer recognises its target: below the PSR "
            "threshold it must not learn"
        )
