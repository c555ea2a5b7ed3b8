"""Losses with a margin on a map of cosines: the target's cells must win, and by some distance.

SiamMargin's authors published the idea, not its formula. The losses here are the course's own,
built from the margin losses of face recognition: CosFace (Wang et al., 2018) subtracts m from the
cosine, ArcFace (Deng et al., 2019) adds m to the angle.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.errors import SettingsError
from course_lib.models.losses import balanced_logistic_loss


class CosineMap(NamedTuple):
    """The output of a network with a cosine correlation for B pairs.

    Attributes:
        cosines: (B, n, n) in [−1, 1].
        threshold: () the cosine at which "the target" and "something else" are equally likely.
    """

    cosines: Tensor
    threshold: Tensor

    def float(self) -> CosineMap:
        """The same in single precision."""
        return CosineMap(self.cosines.float(), self.threshold.float())


def harden(cosines: Tensor, margin: float, arc: bool = False) -> Tensor:
    """Cosines (...) of the right answer, reduced by a margin: c − m (CosFace), or cos(θ + m) with
    θ = arccos c (ArcFace).

    Where θ + m exceeds π, cos(θ + m) would rise again; c − m · sin m, which keeps falling, replaces
    it there, as in ArcFace's code.

    Args:
        cosines: (B, n, n), or of any shape.
        margin: m; with `arc` an angle in radians.
        arc: whether the margin is added to the angle.
    """
    if not arc:
        return cosines - margin
    # clamped, because at c = ±1 the slope of the sine is infinite
    sines = (1 - cosines.square()).clamp_min(1e-6).sqrt()
    rotated = cosines * math.cos(margin) - sines * math.sin(margin)
    return torch.where(cosines > -math.cos(margin), rotated, cosines - margin * math.sin(margin))


def margin_logistic_loss(
    answer: CosineMap, labels: Tensor, scale: float = 16.0, margin: float = 0.2, arc: bool = False
) -> Tensor:
    """Pixel-wise margin loss (): ½ · mean over target cells of softplus(−s(c − b − m)) + ½ · mean
    over all others of softplus(s(c − b + m)).

    Every cell is classified separately: at least b + m on the target, at most b − m elsewhere. With
    m = 0 this is SiamFC's balanced logistic loss of s(c − b). The course's own, after CosFace.

    Args:
        answer: cosines c (B, n, n) and threshold b.
        labels: (B, n, n) +1, −1, or 0 for cells that do not count.
        scale: s.
        margin: m.
        arc: whether the margin is added to the angle, see `harden`.

    Raises:
        SettingsError: scale or margin out of range.
    """
    _check(scale, margin)
    c = answer.cosines
    # −harden(−c) makes a wrong answer larger by the same margin
    hard = torch.where(labels > 0, harden(c, margin, arc), -harden(-c, margin, arc))  # (B, n, n)
    return balanced_logistic_loss(scale * (hard - answer.threshold), labels)


def margin_softmax_loss(
    answer: CosineMap, labels: Tensor, scale: float = 16.0, margin: float = 0.2, arc: bool = False
) -> Tensor:
    """Margin softmax loss () over locations: each target cell against all cells that are not the
    target.

    −log( e^{s·h(c_p)} / (e^{s·h(c_p)} + Σ_n e^{s·c_n} + e^{s·b}) ), h as in `harden`, averaged over
    the target cells p of a pair. The last term is one more class, "nowhere": in a pair without
    target it is the right answer, −log(e^{s·(b − m)} / …), and it provides the cosines with a
    threshold, which a softmax over locations alone lacks. The course's own; over classes instead of
    locations it is CosFace's loss (Wang et al., 2018).

    Args:
        answer: cosines c (B, n, n) and threshold b.
        labels: (B, n, n) +1, −1, or 0 for cells that do not count.
        scale: s.
        margin: m.
        arc: whether the margin is added to the angle, see `harden`.

    Raises:
        SettingsError: scale or margin out of range.
    """
    _check(scale, margin)
    c, b = answer.cosines, answer.threshold
    others = torch.where(labels < 0, scale * c, -torch.inf).flatten(1).logsumexp(1)  # (B,)
    right = scale * harden(c, margin, arc)  # (B, n, n)
    rivals = torch.logaddexp(others, scale * b)  # (B,)
    losses = F.softplus(rivals[:, None, None] - right)  # (B, n, n): −log e^r / (e^r + e^rivals)
    target = labels > 0  # (B, n, n)
    count = target.sum((1, 2))  # (B,)
    found = torch.where(target, losses, 0.0).sum((1, 2)) / count.clamp_min(1)  # (B,)
    nowhere = F.softplus(others - scale * (b - margin))  # (B,)
    return torch.where(count > 0, found, nowhere).mean()


MARGIN_LOSSES = {"logistic": margin_logistic_loss, "softmax": margin_softmax_loss}


def margin_at(done: float, margin: float, ramp: float) -> float:
    """The margin at a moment of a run: it rises linearly from 0, then stays constant.

    Args:
        done: fraction of the run's steps already done.
        margin: its final value.
        ramp: fraction of the steps during which it rises.
    """
    return margin if done >= ramp else margin * done / ramp


def gap(maps: Tensor, labels: Tensor) -> Tensor:
    """How far (B,) the highest cell with label +1 lies above the highest one with label −1, in maps
    (B, n, n); below 0 a wrong location wins. It is −∞ without a positive cell and ∞ without a
    negative one."""
    best = [
        torch.where(chosen, maps, -torch.inf).flatten(1).amax(1)
        for chosen in (labels > 0, labels < 0)
    ]  # (B,) each
    return best[0] - best[1]


def least_scale(classes: int, probability: float) -> float:
    """The smallest scale s at which a softmax over cosines can assign `probability` P to the right
    one of N classes.

    s ≥ (N − 1)/N · ln((N − 1)·P / (1 − P)), from the CosFace paper (Wang et al., 2018): N unit
    vectors are furthest apart with a cosine of −1/(N − 1) between any two, so the right cosine is
    1, the N − 1 others are −1/(N − 1), and the softmax is solved for s.
    """
    return (classes - 1) / classes * math.log((classes - 1) * probability / (1 - probability))


def _check(scale: float, margin: float) -> None:
    if scale <= 0 or not 0 <= margin < math.pi / 2:
        raise SettingsError(
            f"scale is {scale}, margin {margin}; expected a scale above 0 and a margin in 0…π/2"
        )
