"""Checks of lesson 11, second part: templates by ROI-Align, their average, a wider search."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_array, as_number, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson11 import random_features
from course_lib.exercises.words import Wrong
from course_lib.models.templates import mixed, moved, roi_of, template_from
from course_lib.trackers.siammargin import region_size


@check("margin.roi", reference=roi_of)
def examine_roi(answer, reference, rng) -> None:
    """From pixels to the map."""
    for place, ratio, first, stride, cells in (
        ((127.5, 127.5), 1.0, 43.5, 8, 6),
        ((147.5, 111.5), 1.0, 43.5, 8, 6),
        ((130.0, 120.0), 1.1, 47.5, 8, 5),
    ):
        centre = torch.tensor(place)
        given = as_array(answer(centre.clone(), ratio, first, stride, cells), (4,), "the square")
        right = reference(centre, ratio, first, stride, cells).numpy()
        case = f"centre {place}, first cell at {first}, stride {stride}"
        half = ratio * cells / 2
        for shift, words in (
            (
                0.5,
                "cell k covers [k, k + 1], so its centre is at k + 0.5: your square lies half a "
                "cell too far up and left",
            ),
            (
                -first / stride,
                "the first cell's centre lies at pixel `first`, not at 0: subtract it",
            ),
        ):
            if same(given, right - shift, 1e-4):
                raise Wrong(f"{case}: {words}")
            if same(given, right + first / stride, 1e-4):
                raise Wrong(
                    f"{case}: the first cell's centre lies at pixel `first`, not at 0: subtract it"
                )
        if same(given[2:], [2 * half, 2 * half], 1e-4):
            raise Wrong(
                "ROI-Align wants two corners, x0, y0, x1, y1; you give the size in place of the "
                "second"
            )
        if ratio != 1 and same(given[2] - given[0], cells, 1e-4):
            raise Wrong(
                "the target has grown by `ratio`, so its square covers more cells: ratio · cells"
            )
        if same(given, right[[1, 0, 3, 2]], 1e-4) and place[0] != place[1]:
            raise Wrong("x comes first, then y; you have changed them")
        require_close(given, right, f"{case}: the square", tolerance=1e-5)


@check("margin.align", reference=template_from)
def examine_align(answer, reference, rng) -> None:
    """ROI-Align."""
    features = random_features(rng, 1, 3, 12, 12)
    whole = torch.tensor([3.0, 4.0, 8.0, 9.0])
    given = as_array(answer(features.clone(), whole, 5), (1, 3, 5, 5), "the template")
    copied = features[:, :, 4:9, 3:8].numpy()
    if same(given, features[:, :, 3:8, 4:9].numpy(), 1e-4):
        raise Wrong("the map's rows are y and its columns x; the square is x0, y0, x1, y1")
    shifted = F.avg_pool2d(features, 2, 1)[:, :, 3:8, 2:7].numpy()
    if same(given, shifted, 1e-4) or same(
        given, F.avg_pool2d(features, 2, 1)[:, :, 4:9, 3:8].numpy(), 1e-4
    ):
        raise Wrong(
            "half a cell beside it: the centre of cell k is at k + 0.5, so sample point p lies at "
            "index p − 0.5"
        )
    require_close(
        given,
        copied,
        "a square that lies on the map's own cells copies them: the template",
        tolerance=1e-4,
    )
    for roi in (torch.tensor([2.0, 1.5, 8.0, 9.5]), torch.tensor([2.3, 3.6, 7.3, 8.6])):
        right = reference(features, roi, 5).numpy()
        given = as_array(answer(features.clone(), roi.clone(), 5), (1, 3, 5, 5), "the template")
        column, row = (
            torch.round(roi[k] + (torch.arange(5) + 0.5) * (roi[k + 2] - roi[k]) / 5 - 0.5).long()
            for k in (0, 1)
        )
        if same(given, features[:, :, row][..., column].numpy(), 1e-4):
            raise Wrong(
                "you take the nearest cell; between cells interpolate bilinearly, or small motions "
                "are lost"
            )
        x, y = int(roi[0].round()), int(roi[1].round())
        if same(given, features[:, :, y : y + 5, x : x + 5].numpy(), 1e-4):
            raise Wrong("you round the square to whole cells; that is what ROI-Align avoids")
        require_close(given, right, f"for the square {roi.tolist()} the template", tolerance=1e-4)


def renewed(
    first: Tensor,
    average: Tensor,
    fresh: Tensor,
    score: float,
    rate: float,
    keep: float,
    sure: float,
) -> tuple[Tensor, Tensor]:
    """The exemplar to search with, and the average of templates."""
    if score > sure:
        average = moved(average, fresh, rate)
    return mixed(first, average, keep), average


@check("margin.average", reference=renewed)
def examine_average(answer, reference, rng) -> None:
    """Moving average."""
    first, average, fresh = (
        F.normalize(random_features(rng, 1, 4, 3, 3).flatten(1)).view(1, 4, 3, 3) for _ in range(3)
    )
    rate, keep, sure = 0.1, 0.3, 0.6

    def ask(score: float) -> tuple[np.ndarray, np.ndarray]:
        given = answer(first.clone(), average.clone(), fresh.clone(), score, rate, keep, sure)
        if not isinstance(given, tuple) or len(given) != 2:
            raise Wrong("expected two things: the exemplar to search with, and the new average")
        return tuple(
            as_array(part, (1, 4, 3, 3), what)
            for part, what in zip(given, ("exemplar", "average"), strict=True)
        )

    exemplar, kept = ask(0.5)
    if not same(kept, average.numpy(), 1e-5):
        raise Wrong(
            "the score 0.5 is below 0.6: this find may be wrong, and must not change the average"
        )
    exemplar, kept = ask(0.9)
    right = reference(first, average, fresh, 0.9, rate, keep, sure)
    if same(kept, average.numpy(), 1e-5):
        raise Wrong("the score 0.9 is above 0.6, but the average has not moved")
    swapped = moved(fresh, average, rate)
    if same(kept, swapped.numpy(), 1e-4) or same(
        kept, (rate * average + (1 - rate) * fresh).numpy(), 1e-4
    ):
        raise Wrong(
            "the rates are the wrong way round: the new template gets `rate`, the average the rest"
        )
    if same(kept, ((1 - rate) * average + rate * fresh).numpy(), 1e-5):
        raise Wrong(
            "bring the average back to length 1: two directions averaged are shorter, and it would "
            "fade"
        )
    require_close(kept, right[1].numpy(), "the average", tolerance=1e-4)
    if same(exemplar, kept, 1e-5):
        raise Wrong(
            "the first template has gone; it is the only one known to be right, so keep its share "
            "in the exemplar"
        )
    if same(exemplar, mixed(right[1], first, keep).numpy(), 1e-5):
        raise Wrong(
            "the first template has the share `keep`, the average the rest; yours has changed them"
        )
    if same(exemplar, mixed(first, average, keep).numpy(), 1e-5):
        raise Wrong("mix the first template with the *new* average")
    require_close(exemplar, right[0].numpy(), "the exemplar", tolerance=1e-4)


@check("margin.region", reference=region_size)
def examine_region(answer, reference, rng) -> None:
    """How far to look."""
    for speed in (0.0, 20.0, 32.0, 33.0, 40.0, 60.0, 500.0):
        given = as_number(answer(speed, 2.0, 255, 383), "the size")
        right = reference(speed, 2.0, 255, 383)
        case = f"at {speed:g} pixels a frame"
        if given > 383:
            raise Wrong(f"{case} your image has {given:g} pixels; it may not be larger than 383")
        if given < 255:
            raise Wrong(f"{case} your image has {given:g} pixels; it is never smaller than 255")
        if (given - 255) % 16:
            raise Wrong(
                f"{case} your image has {given:g} pixels; whole cells on both sides need 255 plus "
                "a multiple of 16"
            )
        if right > 255 and given == 255 + (right - 255) / 2 and right < 383:
            raise Wrong(f"{case}: one cell more on *each* side costs 16 pixels, not 8")
        require_close(
            given, right, f"{case} the size", hint="255 pixels reach 64 pixels from the middle"
        )


def search_again(
    look: Callable[[int], Tensor], size: int, largest: int, unsure: float, gain: float
) -> tuple[int, Tensor]:
    """The size looked at in the end, and what was seen there."""
    near = look(size)
    if near.max() >= unsure or size >= largest:
        return size, near
    far = look(largest)
    return (largest, far) if far.max() > near.max() + gain else (size, near)


@check("margin.again", reference=search_again)
def examine_again(answer, reference, rng) -> None:
    """One more search."""
    for near, far, size, about in (
        (0.8, 0.95, 255, "a first look that is sure"),
        (0.4, 0.7, 255, "a target further away"),
        (0.4, 0.43, 255, "a second look that finds hardly more"),
        (0.4, 0.9, 383, "a first look that was as wide as can be"),
    ):
        seen, shown = (
            [],
            {
                255: torch.full((17, 17), near),
                383: torch.full((33, 33), far if size == 255 else near),
            },
        )

        def look(size: int, seen=seen, shown=shown) -> Tensor:
            seen.append(size)
            return shown[size]

        def quiet(size: int, shown=shown) -> Tensor:
            return shown[size]

        given = answer(look, size, 383, 0.5, 0.05)
        if not isinstance(given, tuple) or len(given) != 2:
            raise Wrong("expected two things: the size, and the response seen at it")
        if near >= 0.5 and len(seen) > 1:
            raise Wrong(f"{about}: its peak {near} is above 0.5, a second look only costs time")
        if size == 383 and len(seen) > 1:
            raise Wrong(f"{about}: there is nothing more to see, do not look twice")
        wanted, response = reference(quiet, size, 383, 0.5, 0.05)
        if given[0] != wanted and far == 0.43:
            raise Wrong(
                f"{about}: a wider view always has some higher cell; it must be higher by `gain`"
            )
        if given[0] != wanted and far == 0.7:
            raise Wrong(
                f"{about}: the wide look found {far} against {near}, but you keep the first"
            )
        require_close(given[0], wanted, f"{about}: the size")
        as_array(given[1], tuple(response.shape), f"{about}: the response that belongs to the size")
