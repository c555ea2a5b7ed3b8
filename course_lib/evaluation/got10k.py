"""GOT-10k's scores: average overlap (AO) and success rates (SR).

Huang, Zhao, Huang: GOT-10k, PAMI 2021. As its toolkit does on the validation set, the frames of all
sequences are pooled. One thing differs: boxes are clipped to the image by their corners. The
toolkit moves the corner of a box that starts left of the image without subtracting the cut part
from its width.
"""

from __future__ import annotations

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.metrics import success_curve
from course_lib.geometry.boxes import clip_to_image, iou, is_valid

THRESHOLDS = np.linspace(0, 1, 101)


def pooled_ious(predicted: list[np.ndarray], sequences: list[Sequence]) -> np.ndarray:
    """IoU (n,) of the frames that count: all but the first in which the target is visible."""
    pooled = []
    for boxes, sequence in zip(predicted, sequences, strict=True):
        if len(boxes) != len(sequence):
            raise DataError(
                f"{len(boxes)} boxes for the {len(sequence)} frames of {sequence.name}; run the "
                "tracker on it again"
            )
        counted = is_valid(sequence.boxes) & (
            sequence.tags.get("cover", np.ones(len(sequence))) > 0
        )  # (T,)
        counted[0] = False
        height, width = sequence.frames[0].shape[:2]
        values = iou(
            clip_to_image(boxes, height, width), clip_to_image(sequence.boxes, height, width)
        )  # (T,)
        pooled.append(np.nan_to_num(values[counted]))  # no box given: it overlaps nothing
    return np.concatenate(pooled)


def ao_sr(predicted: list[np.ndarray], sequences: list[Sequence]) -> dict[str, float | np.ndarray]:
    """Scores of one tracker: boxes (T, 4) for each sequence.

    Returns "ao" (mean IoU), "sr50" and "sr75" (fraction of frames with IoU above .5 and .75), and
    "curve" (101,).
    """
    ious = pooled_ious(predicted, sequences)
    return {
        "ao": float(ious.mean()),
        "sr50": float(np.mean(ious > 0.5)),
        "sr75": float(np.mean(ious > 0.75)),
        "curve": success_curve(ious, THRESHOLDS),
    }
