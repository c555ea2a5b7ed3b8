"""Checks of lesson 11, first part: cosine correlation, margins on the map, distortion."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_array, as_number, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import margin as margins
from course_lib.models.correlation import cosine_correlate, cross_correlate
from course_lib.models.losses import pair_labels
from course_lib.models.margin import CosineMap, margin_logistic_loss, margin_softmax_loss


def random_features(rng: np.random.Generator, *shape: int) -> Tensor:
    """Features drawn from a normal distribution."""
    return torch.from_numpy(rng.normal(0.4, 1, shape)).float()


@check("margin.cosine", reference=cosine_correlate)
def examine_cosine(answer, reference, rng) -> None:
    """Cosine correlation."""
    x = random_features(rng, 2, 5, 9, 9) * torch.linspace(0.5, 3, 9)
    z = torch.stack([2 * x[0, :, 2:6, 3:7], random_features(rng, 5, 4, 4)])
    right, sums = reference(z, x), cross_correlate(z, x)
    given = torch.as_tensor(as_array(answer(z.clone(), x.clone()), tuple(right.shape), "the map"))
    own = z.flatten(1).norm(dim=1)[:, None, None]
    all_of_x = x.flatten(1).norm(dim=1)[:, None, None]
    cells = cross_correlate(F.normalize(z, dim=1), F.normalize(x, dim=1)) / 16
    lengths = sums / own / right  # of each window
    for wrong, words in (
        (sums, "these are the plain sums of products; divide by both lengths"),
        (
            sums / own,
            "divided by the exemplar's length only: a bright window still wins; divide by the "
            "window's too",
        ),
        (
            sums / own / all_of_x,
            "divided by the length of the whole search map; each place needs the length of its own "
            "window",
        ),
        (
            cells,
            "every cell is normalised on its own here; the lengths asked for are of whole windows, "
            "all cells together",
        ),
        (
            sums / own**2 / lengths**2,
            "divided by the squares; a length is the root of the sum of squares",
        ),
        (right / 4, "the box filter has to sum the squares of a window, not to average them"),
        (right * 4, "the box filter has to sum the squares of a window, not to average them"),
    ):
        if same(given, wrong, 1e-4):
            raise Wrong(words)
    if float(given.abs().max()) > 1 + 1e-4:
        raise Wrong(f"a cosine lies between −1 and 1; yours reaches {float(given.abs().max()):.2f}")
    require_close(
        given, right.numpy(), "the cosine", tolerance=1e-4, hint="where x holds a copy of z it is 1"
    )
    still = as_array(answer(z[:1] * 0, x[:1].clone()), (1, 6, 6), "the map of an empty exemplar")
    require_close(still, np.zeros((1, 6, 6)), "the cosine with an exemplar of zeros")


def ring_labels(size: int, stride: float, radius: float, ring: float) -> Tensor:
    """Labels (size, size) for a target in the middle: 1, 0 in the ring around it, −1."""
    return pair_labels(torch.ones(1, dtype=torch.bool), size, stride, radius, ring=ring)[0]


@check("margin.labels", reference=ring_labels)
def examine_labels(answer, reference, rng) -> None:
    """Labels with a ring."""
    for size, stride, radius, ring in (
        (17, 8, 16, 32),
        (9, 16, 16, 32),
        (17, 8, 16, 16),
        (16, 8, 12, 30),
    ):
        right = reference(size, stride, radius, ring)
        given = as_array(answer(size, stride, radius, ring), (size, size), "the labels")
        case = f"{size} cells, stride {stride}, radius {radius}, ring {ring}"
        if not set(np.unique(given)) <= {-1.0, 0.0, 1.0}:
            raise Wrong(f"labels are 1, 0 and −1; yours hold {np.unique(given)[:5]}")
        counts = [int((given == v).sum()) for v in (1, 0)]
        wanted = [int((right == v).sum()) for v in (1, 0)]
        if same(given, reference(size, stride, radius, radius).numpy()) and wanted[1]:
            raise Wrong(
                f"{case}: the ring is missing: cells beyond {radius} and within {ring} pixels do "
                "not count, label 0"
            )
        if same(given, reference(size, 1, radius, ring).numpy()):
            raise Wrong(
                f"{case}: distances are in pixels of the search image: a cell is {stride} of them"
            )
        if size % 2 == 0 and counts[0] != wanted[0]:
            raise Wrong(
                f"{case}: the middle of an even map lies between its cells, at (size − 1) / 2"
            )
        if counts != wanted:
            raise Wrong(
                f"{case}: {counts[0]} target cells and {counts[1]} in the ring; expected "
                f"{wanted[0]} and {wanted[1]}"
            )
        require_close(given, right.numpy(), f"{case}: the label")


def _case(rng: np.random.Generator, target: bool = True) -> tuple[Tensor, Tensor]:
    """Cosines (7, 7) and labels with a ring."""
    labels = ring_labels(7, 8, 8, 16) if target else -torch.ones(7, 7)
    return torch.from_numpy(rng.uniform(-0.4, 0.9, (7, 7))).float(), labels


def logistic(cosines: Tensor, labels: Tensor, b: float, scale: float, margin: float) -> Tensor:
    """The pixel-wise margin loss of one map."""
    return margin_logistic_loss(
        CosineMap(cosines[None], torch.tensor(b)), labels[None], scale, margin
    )


@check("margin.logistic", reference=logistic)
def examine_logistic(answer, reference, rng) -> None:
    """Pixel by pixel."""
    c, y = _case(rng)
    b, s, m = 0.45, 12.0, 0.2
    right = float(reference(c, y, b, s, m))
    given = as_number(answer(c.clone(), y.clone(), b, s, m), "the loss")
    cells = F.softplus(-y * s * (c - b) + s * m * y.abs())  # (7, 7)
    on, off = y > 0, y < 0
    half = lambda cells: float(0.5 * cells[on].mean() + 0.5 * cells[off].mean())  # noqa: E731
    for wrong, words in (
        (
            half(F.softplus(-y * s * (c - b))),
            "the margin has no effect: the target has to reach b + m, the others b − m",
        ),
        (
            half(F.softplus(-y * s * (c - b) - s * m)),
            "your margin makes it easier: it has to come off the right answer",
        ),
        (
            half(F.softplus(-y * s * (c - b) + m)),
            "the margin is one of cosines: it stands inside the bracket with the scale before it",
        ),
        (
            half(F.softplus(-s * y * (c - b - m))),
            "on the others too the margin has to make it harder: c − b + m there",
        ),
        (
            float(cells[y != 0].mean()),
            "targets are few: average over them and over the others apart, and give each half",
        ),
        (float(0.5 * cells[on].sum() + 0.5 * cells[off].sum()), "take means, not sums"),
        (2 * right, "each of the two means counts one half"),
        (half(F.softplus(-y * (c - b - y * m))), "the scale is missing"),
    ):
        if same(given, wrong, 1e-5):
            raise Wrong(words)
    everywhere = float(0.5 * cells[on].mean() + 0.5 * F.softplus(s * (c - b + m))[~on].mean())
    if same(given, everywhere, 1e-5):
        raise Wrong("cells of the ring, label 0, do not count")
    require_close(given, right, "the loss", tolerance=1e-5)
    none = as_number(
        answer(c.clone(), -torch.ones(7, 7), b, s, m), "the loss of a map without target"
    )
    require_close(
        none,
        float(reference(c, -torch.ones(7, 7), b, s, m)),
        "the loss of a map without target",
        tolerance=1e-5,
    )
    far = as_number(
        answer(torch.full((7, 7), -1.0), y.clone(), 0.9, 64.0, 0.5), "the loss at scale 64"
    )
    require_close(
        far,
        float(reference(torch.full((7, 7), -1.0), y, 0.9, 64.0, 0.5)),
        "the loss at scale 64",
        1e-5,
    )


def arc(cosines: Tensor, margin: float) -> Tensor:
    """cos(θ + m), falling all the way."""
    return margins.harden(cosines, margin, arc=True)


@check("margin.arc", reference=arc)
def examine_arc(answer, reference, rng) -> None:
    """A margin on the angle."""
    c, m = torch.linspace(-0.995, 0.995, 41), 0.4
    given = torch.as_tensor(as_array(answer(c.clone(), m), (41,), "the hardened cosines"))
    angle = torch.acos(c)
    if same(given, c - m, 1e-4):
        raise Wrong("that is the additive margin; here m is added to the angle: cos(θ + m)")
    if same(given, torch.cos(angle - m), 1e-4):
        raise Wrong("the angle has to grow: θ + m. Yours makes it easier")
    if same(given, torch.cos(angle + m), 1e-4):
        raise Wrong(
            "near c = −1 your curve rises again: θ + m has passed π. From there on let it fall "
            f"on: c − m · sin m ({c[0]:.2f} "
            f"gives {float(reference(c, m)[0]):.2f})"
        )
    if same(given, c * math.cos(m) - math.sin(m), 1e-4) or same(given, c * math.cos(m), 1e-4):
        raise Wrong("cos(θ + m) = cos θ · cos m − sin θ · sin m, and sin θ = √(1 − c²)")
    require_close(given, reference(c, m).numpy(), "cos(θ + m)", tolerance=1e-4)
    ends = torch.tensor([-1.0, 1.0], requires_grad=True)
    out = answer(ends, m)
    if isinstance(out, Tensor) and out.requires_grad:
        out.sum().backward()
        if not torch.isfinite(ends.grad).all():
            raise Wrong(
                "at c = ±1 the gradient is not a number: the root's slope is infinite at 0; clamp "
                "1 − c² from below"
            )


def softmax(cosines: Tensor, labels: Tensor, b: float, scale: float, margin: float) -> Tensor:
    """The margin softmax loss of one map."""
    return margin_softmax_loss(
        CosineMap(cosines[None], torch.tensor(b)), labels[None], scale, margin
    )


@check("margin.softmax", reference=softmax)
def examine_softmax(answer, reference, rng) -> None:
    """Places as classes."""
    c, y = _case(rng)
    b, s, m = 0.45, 8.0, 0.2
    right = float(reference(c, y, b, s, m))
    given = as_number(answer(c.clone(), y.clone(), b, s, m), "the loss")
    on, off = s * c[y > 0], s * c[y < 0]  # (P,) and (N,)
    lost = lambda win, rivals: float((torch.logsumexp(rivals, 0) - win).mean())  # noqa: E731
    nowhere = torch.tensor([s * b])

    def each(shift, rest):
        return float(np.mean([lost(p - shift, torch.cat([(p - shift)[None], rest])) for p in on]))

    both = torch.cat([off, nowhere])
    for wrong, words in (
        (each(0, both), "the margin is missing: take it off the target's cosine"),
        (each(s * m, off), 'the class "nowhere", e^(s·b), is missing below the line'),
        (each(m, both), "the margin comes off the cosine, before the scale is applied"),
        (
            float(np.mean([lost(p - s * m, torch.cat([p[None], both])) for p in on])),
            "the hardened cosine stands above *and* below the line",
        ),
        (
            each(s * m, torch.cat([both, on])),
            "the other target cells are no rivals: leave them out of the sum",
        ),
        (
            each(s * m, torch.cat([both, s * c[y == 0]])),
            "the ring's cells are no rivals: leave them out of the sum",
        ),
        (each(s * m, both) * len(on), "average over the target cells"),
    ):
        if same(given, wrong, 1e-4):
            raise Wrong(words)
    require_close(given, right, "the loss", tolerance=1e-4)
    none = as_number(
        answer(c.clone(), -torch.ones(7, 7), b, s, m), "the loss of a map without target"
    )
    require_close(
        none,
        float(reference(c, -torch.ones(7, 7), b, s, m)),
        "the loss of a map without target",
        tolerance=1e-4,
        hint='there "nowhere" is the right answer, and the margin comes off b',
    )


@check("margin.scale", reference=margins.least_scale)
def examine_scale(answer, reference, rng) -> None:
    """How large a scale must be."""
    for classes, probability in ((289, 0.9), (289, 0.99), (10, 0.9)):
        given = as_number(answer(classes, probability), "the scale")
        n, p = classes, probability
        if same(given, math.log((n - 1) * p / (1 - p)), 1e-4):
            raise Wrong(
                "the others are not at 0 but at −1/(N − 1): the two cosines lie N/(N − 1) apart"
            )
        if same(given, (n - 1) / n * math.log(p / (1 - p)), 1e-4):
            raise Wrong("there are N − 1 others, and all of them stand below the line")
        require_close(
            given, reference(n, p), f"for {n} classes and probability {p} the scale", tolerance=1e-4
        )


@check("margin.ramp", reference=margins.margin_at)
def examine_ramp(answer, reference, rng) -> None:
    """A margin that grows."""
    for done in (0.0, 0.1, 0.25, 0.3, 0.6, 1.0):
        given = as_number(answer(done, 0.3, 0.3), f"the margin after {done:.0%} of the steps")
        if same(given, 0.3 * done) and 0 < done < 1:
            raise Wrong(
                "the margin has to be whole after the first 30 % of the steps; yours still grows "
                "at the end"
            )
        if same(given, done) and done == 0.6:
            raise Wrong("behind the ramp the margin stays at 0.3; yours grows on")
        require_close(given, reference(done, 0.3, 0.3), f"after {done:.0%} of the steps the margin")
    require_close(
        as_number(answer(0.0, 0.3, 0.0), "the margin without a ramp"),
        0.3,
        "without a ramp the margin in the first step",
    )


def lead(response: Tensor, labels: Tensor) -> float:
    """How far the target's highest cell lies above the highest other one, in standard deviations of
    the others."""
    rest = response[labels < 0]
    return float((response[labels > 0].max() - rest.max()) / rest.std(correction=0))


@check("margin.lead", reference=lead)
def examine_lead(answer, reference, rng) -> None:
    """Is the peak on the target?"""
    for _ in range(3):
        c, y = _case(rng)
        right = reference(c, y)
        given = as_number(answer(c.clone(), y.clone()), "the lead")
        on, rest = c[y > 0], c[y < 0]
        if same(given, -right, 1e-4):
            raise Wrong("the sign: above 0 where the target wins")
        if same(given, float(on.max() - rest.max()), 1e-4):
            raise Wrong(
                "divide by the standard deviation of the other cells, so that maps of any scale "
                "can be compared"
            )
        if same(given, float((on.max() - rest.mean()) / rest.std(correction=0)), 1e-4):
            raise Wrong(
                "that is the peak-to-sidelobe ratio, against the mean; here the rival is the "
                "highest other cell"
            )
        if same(given, float((on.mean() - rest.max()) / rest.std(correction=0)), 1e-4):
            raise Wrong("one cell is enough for the target: take its highest")
        ring = c[y <= 0]
        if same(given, float((on.max() - ring.max()) / ring.std(correction=0)), 1e-4):
            raise Wrong("the ring belongs to neither side: leave out its cells")
        require_close(given, right, "the lead", tolerance=1e-3)
