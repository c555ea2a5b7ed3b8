"""Checks of lesson 09: separable global convolution, mask guide, broadcast, depth-wise correlation,
sampling, aggregation."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.data.pairs_cut import shifted_centre
from course_lib.exercises.compare import as_array, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import masks
from course_lib.models import correlation, heads_learned, siamrpnpp


def weights_of(k: int, before: int, mid: int, after: int) -> tuple[int, int]:
    """Weights of a k × k convolution from `before` to `after` channels, and of its two separable
    branches through `mid`."""
    return k * k * before * after, 2 * k * mid * (before + after)


@check("match.count", reference=weights_of)
def examine_count(answer, reference, rng) -> None:
    """Weights of a large convolution and of its separable twin."""
    for case in ((11, 2048, 512, 512), (7, 512, 256, 512)):
        whole, parts = reference(*case)
        given = as_array(answer(*case), (2,), "the two counts")
        if same(given[1], parts / 2):
            raise Wrong(
                "your separable count has one branch; there are two: k × 1 then 1 × k, and 1 × k "
                "then k × 1"
            )
        if same(given[0], case[0] * case[1] * case[3]):
            raise Wrong("a k × k kernel has k² weights for each pair of channels, not k")
        if same(given[::-1], (whole, parts)):
            raise Wrong("the plain convolution comes first, the separable one second")
        require_close(
            given, (whole, parts), f"for k = {case[0]} the counts", hint="biases are not counted"
        )


def separable(x, tall_first, wide_second, wide_first, tall_second):
    """Sum of two separable branches over a map (B, C, H, W); kernels as F.conv2d takes them, odd
    sizes."""
    left = F.conv2d(F.conv2d(x, tall_first, padding="same"), wide_second, padding="same")
    right = F.conv2d(F.conv2d(x, wide_first, padding="same"), tall_second, padding="same")
    return left + right


@check("match.separable", reference=separable)
def examine_separable(answer, reference, rng) -> None:
    """A global convolution as two separable branches."""
    make = lambda *shape: torch.from_numpy(rng.normal(size=shape)).float()  # noqa: E731
    x = make(2, 3, 9, 8)
    kernels = make(4, 3, 5, 1), make(6, 4, 1, 5), make(4, 3, 1, 5), make(6, 4, 5, 1)
    given = answer(x.clone(), *(k.clone() for k in kernels))
    if isinstance(given, torch.Tensor) and given.shape[2:] != x.shape[2:]:
        raise Wrong(
            f"your map shrank to {tuple(given.shape[2:])} from {tuple(x.shape[2:])}: pad by half "
            "the kernel, so that it keeps its size"
        )
    result, expected = as_array(given, (2, 6, 9, 8), "the map"), reference(x, *kernels)
    half = F.conv2d(F.conv2d(x, kernels[0], padding="same"), kernels[1], padding="same")
    other = F.conv2d(F.conv2d(x, kernels[2], padding="same"), kernels[3], padding="same")
    if same(result, half, 1e-4) or same(result, other, 1e-4):
        raise Wrong(
            "one of the two branches is missing; alone it sees every k × k square too, but only "
            "products of its two lines"
        )
    if same(result, half * other, 1e-4):
        raise Wrong("the two branches are added, not multiplied")
    require_close(result, expected, "the map", tolerance=1e-4)


@check("match.mask", reference=masks.box_masks)
def examine_mask(answer, reference, rng) -> None:
    """Mask guide."""
    boxes = torch.tensor([[2.0, 5.0, 4.0, 8.0], [10.0, 1.0, 9.0, 3.0]])
    given = as_array(answer(boxes.clone(), 16), (2, 1, 16, 16), "the masks")
    expected = reference(boxes, 16).numpy()
    if same(given, expected.transpose(0, 1, 3, 2)):
        raise Wrong("x and y have changed places: the last axis is x")
    if same(given, 1 - expected):
        raise Wrong("your mask is 0 inside the box and 1 outside; turn it round")
    if not set(np.unique(given)) <= {0.0, 1.0}:
        raise Wrong(f"a mask holds 0 and 1 alone; yours has {np.unique(given)[:4].tolist()}")
    if given[0].sum() > expected[0].sum():
        raise Wrong(
            f"your first mask covers {int(given[0].sum())} pixels, the box "
            f"{int(expected[0].sum())}: x + w is where the box ends"
        )
    require_close(given, expected, "the masks")


@check("match.broadcast", reference=heads_learned.broadcast_over)
def examine_broadcast(answer, reference, rng) -> None:
    """One vector at every cell."""
    vector, x = torch.from_numpy(rng.normal(size=(2, 3, 1, 1))).float(), torch.zeros(2, 5, 4, 6)
    given = answer(vector.clone(), x)
    result = as_array(given, (2, 3, 4, 6), "the map")
    require_close(
        result,
        reference(vector, x).numpy(),
        "the map",
        hint="every cell holds the pair's own vector",
    )
    one = as_array(
        answer(vector[:1].clone(), x),
        (2, 3, 4, 6),
        "for one exemplar and two search images the map",
    )
    require_close(
        one, reference(vector[:1], x).numpy(), "for one exemplar and two search images the map"
    )


@check("match.depthwise", reference=correlation.cross_correlate_depthwise)
def examine_depthwise(answer, reference, rng) -> None:
    """Depth-wise correlation."""
    z, x = (
        torch.from_numpy(rng.normal(size=(3, 4, 2, 3))).float(),
        torch.from_numpy(rng.normal(size=(3, 4, 6, 7))).float(),
    )
    given = answer(z.clone(), x.clone())
    if not isinstance(given, torch.Tensor):
        raise Wrong(f"the maps should be a tensor; yours is of type {type(given).__name__}")
    if tuple(given.shape) in ((3, 5, 5), (3, 1, 5, 5)):
        raise Wrong(
            "your channels are added up, as in SiamFC; here each keeps a map of its own: groups = "
            "B · C"
        )
    if tuple(given.shape) == (1, 12, 5, 5):
        raise Wrong("your maps are right in number; reshape them to (B, C, H', W') = (3, 4, 5, 5)")
    result, expected = as_array(given, (3, 4, 5, 5), "the maps"), reference(z, x)
    if same(result, reference(z[:1].expand(3, -1, -1, -1), x), 1e-4):
        raise Wrong("the first exemplar slid over every search image; each has its own")
    if same(result, reference(z.flip(2, 3), x), 1e-4):
        raise Wrong("your exemplar is turned upside down: F.conv2d already correlates")
    require_close(result, expected, "the maps", tolerance=1e-4)


def crop_centre(rng, box, shift, side):
    """Centre (2,) in frame pixels of a search square of `side` frame pixels, shown at 255:
    spatial-aware sampling."""
    return shifted_centre(rng, np.asarray(box, dtype=float), shift, 255 / side)


@check("match.sampling", reference=crop_centre)
def examine_sampling(answer, reference, rng) -> None:
    """Spatial-aware sampling."""
    box, side, shift = np.array([100.0, 60.0, 50.0, 30.0]), 150.0, 64.0
    middle, limit = box[:2] + box[2:] / 2, shift * side / 255
    draws = np.random.default_rng(int(rng.integers(2**31)))
    points = np.array(
        [as_array(answer(draws, box.copy(), shift, side), (2,), "the centre") for _ in range(400)]
    )
    away = points - middle  # frame pixels
    if np.abs(away).max() < 1e-9:
        raise Wrong(
            "the centre of your crop is always the target's: it never leaves the middle, and the "
            "network learns just that"
        )
    if (
        np.abs(points.mean(0) - box[:2]).max() < limit / 5
        and np.abs(away.mean(0)).max() > limit / 5
    ):
        raise Wrong(
            "your centres lie around the box's corner; the target's middle is x + w / 2, y + h / 2"
        )
    if np.abs(np.corrcoef(away.T)[0, 1]) > 0.5:
        raise Wrong("x and y are shifted by the same number; draw one for each")
    if np.abs(away).max() > 1.02 * limit:
        raise Wrong(
            f"your crops lie up to {np.abs(away).max():.0f} frame pixels from the target, expected "
            f"{limit:.0f}: the shift is in "
            "pixels of the 255-pixel search image, and one of them is side / 255 frame pixels"
        )
    if np.abs(away).max() < 0.9 * limit or (away.min(0) > -limit / 2).any():
        raise Wrong(
            f"your shifts run from {away.min():.0f} to {away.max():.0f} frame pixels; expected "
            f"−{limit:.0f} to {limit:.0f}, both ways"
        )
    if (np.abs(away) < limit / 4).mean() > 0.4:
        raise Wrong("your shifts crowd around 0; draw them uniformly: every place is as likely")


@check("match.aggregate", reference=siamrpnpp.aggregate)
def examine_aggregate(answer, reference, rng) -> None:
    """Answers of several layers with learned weights."""
    answers = [torch.from_numpy(rng.normal(size=(2, 5))).float() for _ in range(3)]
    weights = nn.Parameter(torch.tensor([1.0, 2.0, 0.5]))
    given = answer([a.clone() for a in answers], weights)
    result, expected = (
        as_array(given, (2, 5), "the sum"),
        reference(answers, weights.detach()).numpy(),
    )
    total, plain = sum(answers).numpy(), weights.detach()
    if same(result, total, 1e-4):
        raise Wrong("your layers count the same: multiply each by its share, softmax(weights)")
    if same(result, total / 3, 1e-4):
        raise Wrong(
            "your layers count the same, a mean; here the shares are learned: softmax(weights)"
        )
    if same(result, sum(w * a for w, a in zip(plain, answers, strict=True)).numpy(), 1e-4):
        raise Wrong(
            "your shares do not add up to 1: softmax(weights), so that the scale of the answers "
            "stays"
        )
    require_close(result, expected, "the sum", tolerance=1e-4)
    if isinstance(given, torch.Tensor) and not given.requires_grad:
        raise Wrong("your sum has lost the weights' gradient: they could not be learned")
