"""Checks of lesson 09: depth-wise correlation, sampling, aggregation."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from course_lib.data.pairs_cut import shifted_centre
from course_lib.exercises.compare import as_array, as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import correlation, siamrpnpp


@check(
    "match.depthwise",
    reference=correlation.cross_correlate_depthwise,
    mistakes={
        "your channels are added up, as in SiamFC; here each keeps its own map: groups = B · C": [
            lambda right, z, x: right(z, x).sum(1),
            lambda right, z, x: right(z, x).sum(1, keepdim=True),
        ],
        "the number of your maps is right; reshape them to (B, C, H', W') = (3, 4, 5, 5)": (
            lambda right, z, x: right(z, x).flatten(0, 1)[None]
        ),
        "the first exemplar slid over every search image; each has its own": (
            lambda right, z, x: right(z[:1].expand_as(z), x)
        ),
        "your exemplar is flipped: F.conv2d already correlates": (
            lambda right, z, x: right(z.flip(2, 3), x)
        ),
    },
)
def examine_depthwise(answer, rng) -> None:
    """Depth-wise correlation."""
    z = torch.from_numpy(rng.normal(size=(3, 4, 2, 3))).float()
    x = torch.from_numpy(rng.normal(size=(3, 4, 6, 7))).float()
    what = "the maps"
    answer.compare((z, x), what, lambda r: as_tensor(r, (3, 4, 5, 5), what), tolerance=1e-4)


def crop_centre(rng, box, shift, side):
    """Centre (2,) in frame pixels of a search square: spatial-aware sampling.

    Args:
        rng: of the shift.
        box: (4,) of the target, frame pixels.
        shift: at most, pixels of the search image.
        side: of the square in frame pixels; it is shown at 255.
    """
    return shifted_centre(rng, np.asarray(box, dtype=float), shift, 255 / side)


@check(
    "match.sampling",
    reference=crop_centre,
    others={
        "it never leaves the centre": lambda right, rng, box, *given: box[:2] + box[2:] / 2,
        "one of them is side / 255 frame pixels": (
            lambda right, rng, box, shift, side: right(rng, box, shift * 255 / side, side)
        ),
        "around the box's corner": lambda right, rng, box, *given: (
            right(rng, box, *given) - box[2:] / 2
        ),
        "by the same number": lambda right, rng, box, shift, side: (
            box[:2] + box[2:] / 2 + rng.uniform(-shift, shift) * side / 255
        ),
        "both ways": lambda right, rng, box, shift, side: (
            box[:2] + box[2:] / 2 + rng.uniform(0, shift, 2) * side / 255
        ),
        "draw them uniformly": lambda right, rng, box, shift, side: (
            box[:2] + box[2:] / 2 + shift * side / 255 * rng.uniform(-1, 1, 2) ** 3
        ),
    },
)
def examine_sampling(answer, rng) -> None:
    """Spatial-aware sampling."""
    box, side, shift = np.array([100.0, 60.0, 50.0, 30.0]), 150.0, 64.0
    limit = shift * side / 255
    draws = np.random.default_rng(int(rng.integers(2**31)))
    points = np.array(
        [as_array(answer(draws, box.copy(), shift, side), (2,), "the centre") for _ in range(400)]
    )
    away = points - box[:2] - box[2:] / 2  # frame pixels
    mean, furthest = np.abs(away.mean(0)).max(), np.abs(away).max()
    if furthest < 1e-9:
        raise Wrong(
            "the centre of your crop is always the target's: it never leaves the centre, and the "
            "network learns just that"
        )
    if np.abs(points.mean(0) - box[:2]).max() < limit / 5 < mean:
        raise Wrong(
            "your centres lie around the box's corner; the target's centre is x + w / 2, y + h / 2"
        )
    if np.abs(np.corrcoef(away.T)[0, 1]) > 0.5:
        raise Wrong("x and y are shifted by the same number; draw one for each")
    if furthest > 1.02 * limit:
        raise Wrong(
            f"your crops lie up to {furthest:.0f} frame pixels from the target, expected "
            f"{limit:.0f}: the shift is in pixels of the 255-pixel search image, and one of them "
            "is side / 255 frame pixels"
        )
    if furthest < 0.9 * limit or (away.min(0) > -limit / 2).any():
        raise Wrong(
            f"your shifts run from {away.min():.0f} to {away.max():.0f} frame pixels; expected "
            f"−{limit:.0f} to {limit:.0f}, both ways"
        )
    if (np.abs(away) < limit / 4).mean() > 0.4:
        raise Wrong("your shifts cluster around 0; draw them uniformly: all are equally likely")


@check(
    "match.aggregate",
    reference=siamrpnpp.aggregate,
    mistakes={
        "your layers count the same: multiply each by its weight, softmax(weights)": (
            lambda right, answers, weights: sum(answers)
        ),
        "your layers count the same, a mean; here the weights are learned: softmax(weights)": (
            lambda right, answers, weights: sum(answers) / len(answers)
        ),
        "your weights do not add up to 1: softmax(weights) keeps the scale of the answers": (
            lambda right, answers, weights: sum(
                w * a for w, a in zip(weights, answers, strict=True)
            )
        ),
    },
    others={"lost the weights' gradient": lambda right, answers, w: right(answers, w.detach())},
)
def examine_aggregate(answer, rng) -> None:
    """Answers of several layers with learned weights."""
    answers = [torch.from_numpy(rng.normal(size=(2, 5))).float() for _ in range(3)]
    weights = nn.Parameter(torch.tensor([1.0, 2.0, 0.5]))
    answer.compare((answers, weights), "the sum", (2, 5), tolerance=1e-4)
    given = answer(answers, weights)
    if isinstance(given, torch.Tensor) and not given.requires_grad:
        raise Wrong("your sum has lost the weights' gradient: they could not be learned")
