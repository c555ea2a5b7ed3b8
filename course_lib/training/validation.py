"""Validation: how well a network solves pairs it is not trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from course_lib.data.loader import batches

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch
    from course_lib.data.pairs import PairSource
    from course_lib.models.pyramid import MapPlace
    from course_lib.training.tasks import Task

VALIDATION_SEED = 7_000_000  # validation pairs are the same for every run with the same sources
SHOWN = 8  # pairs whose maps and boxes are displayed


class Validation(NamedTuple):
    """Result of a validation.

    Attributes:
        row: mean loss over all pairs, and the task's measures, averaged over the positive pairs.
        maps: (n, h, w) score maps of the first pairs, 0…1; None for a network that makes none.
        place: where their cells lie in the search images; None if there are no maps.
        images: (n, 3, S, S) uint8, their search images.
        boxes: (n, 4) in pixels of these images, by what they are, see `Task.boxes`.
    """

    row: dict[str, float]
    maps: Tensor | None
    place: MapPlace | None
    images: Tensor
    boxes: dict[str, Tensor]


@torch.no_grad()
def validate(
    task: Task,
    predict: Callable[[PairBatch], Any],
    pairs: PairSource,
    batch: int,
    count: int,
    device: torch.device,
) -> Validation:
    """Loss and measures on validation pairs that are the same every time.

    Args:
        task: the task that computes loss and measures.
        predict: returns the network's output, in eval mode, for a jittered batch.
        pairs: source of the validation pairs.
        batch: pairs per batch.
        count: number of batches.
        device: device of the network.
    """
    loss, positives, totals = 0.0, 0, Counter[str]()
    for k, cut in enumerate(batches(pairs, VALIDATION_SEED, batch, 0, count)):
        jittered = cut.jittered(device)
        output = predict(jittered)
        if k == 0:
            maps, images = task.maps(output), cut.search[:SHOWN]
            place = None if maps is None else task.map_place(maps)
            maps = None if maps is None else maps[:SHOWN].float().cpu()
            found = task.boxes(output, jittered)
            boxes = {name: of[:SHOWN].float().cpu() for name, of in found.items()}
        loss += float(task.loss(output, jittered)) * batch
        positives += int(jittered.positive.sum())
        for name, values in task.measures(output, jittered).items():
            totals[name] += float(values[jittered.positive].sum())
    means = {name: total / max(positives, 1) for name, total in totals.items()}
    return Validation({"loss": loss / (count * batch), **means}, maps, place, images, boxes)
