"""Check of lesson 06's tracker."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.core import check
from course_lib.exercises.scenes import UNKEPT, apart, bent, centred
from course_lib.exercises.words import Wrong
from course_lib.trackers import siamfc


@check(
    "search.tracker",
    reference=siamfc.SiamFCTracker,
    others={
        **UNKEPT,
        "the target's size follows": bent(
            lambda first, box: [*(centred(box) - first[2:] / 2), *first[2:]]
        ),
        "window.to_frame brings it back": bent(
            lambda first, box: [*(box[:2] + 0.4 * (centred(box) - centred(first))), *box[2:]]
        ),
    },
)
def examine_tracker(answer, rng) -> None:
    """The whole tracker, compared with the reference frame by frame."""
    for t, given, expected, first in apart(answer, rng):
        centre, wanted = centred(given), centred(expected)
        if np.abs(given[2:] - expected[2:]).max() > 0.02 * expected[2:].max():
            raise Wrong(
                f"in frame {t} your box is {given[2]:.1f} × {given[3]:.1f} px, expected "
                f"{expected[2]:.1f} × {expected[3]:.1f}: the target's size follows the search "
                "side, by the same factor"
            )
        if np.abs(centre - centred(first)).max() < 0.5:
            raise Wrong(
                f"in frame {t} your box is still where it was in frame 0: keep the new centre in "
                "self.centre"
            )
        raise Wrong(
            f"in frame {t} your box is centred at ({centre[0]:.1f}, {centre[1]:.1f}), expected "
            f"({wanted[0]:.1f}, {wanted[1]:.1f}): the peak's position refers to the window of the "
            "chosen scale; window.to_frame brings it back"
        )
