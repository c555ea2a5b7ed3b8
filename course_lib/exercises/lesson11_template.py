"""Check of lesson 11, second part: the running average of templates."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_array, as_parts, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson11 import random_features
from course_lib.exercises.words import Wrong
from course_lib.models.templates import mixed, running_average


def renewed(
    first: Tensor,
    average: Tensor,
    fresh: Tensor,
    score: float,
    rate: float,
    keep: float,
    sure: float,
) -> tuple[Tensor, Tensor]:
    """The exemplar to search with, and the average of templates.

    Args:
        first, average, fresh: templates (1, C, h, w) of length 1.
        score: of the detection that `fresh` was cut at.
        rate: how far the average moves.
        keep: how much of the first template stays in the exemplar.
        sure: score above which the average moves.
    """
    if score > sure:
        average = running_average(average, fresh, rate)
    return mixed(first, average, keep), average


def _averaged(change):
    """A mistake: another average, (average, fresh, rate) → average."""

    def answer(right, first, average, fresh, score, rate, keep, sure):
        if score > sure:
            average = change(average, fresh, rate)
        return keep * first + (1 - keep) * average, average

    return answer


def _exemplar(mix):
    """A mistake: another exemplar, (first, old average, new average, keep) → exemplar."""

    def answer(right, first, average, fresh, score, rate, keep, sure):
        new = right(first, average, fresh, score, rate, keep, sure)[1]
        return mix(first, average, new, keep), new

    return answer


def _unit(template: Tensor) -> Tensor:
    return template / template.norm()


def _normed(norm):
    """A mistake: the average is scaled otherwise, template → template."""
    return _averaged(lambda average, fresh, rate: norm(average.lerp(fresh, rate)))


def _with_first(right, first, average, fresh, score, rate, keep, sure):
    """A mistake: the average begins anew from the first template."""
    if score > sure:
        average = running_average(first, fresh, rate)
    return mixed(first, average, keep), average


@check(
    "margin.average",
    reference=renewed,
    mistakes={
        "your two results have changed places: the exemplar comes first, then the average": (
            lambda right, *given: right(*given)[::-1]
        ),
        "the score {3:g} is above {6:g}, but the average has not moved": (
            1,
            _averaged(lambda average, fresh, rate: average),
        ),
        "the rates are the wrong way round: the new template gets `rate`, the average the rest": [
            (1, _averaged(lambda average, fresh, rate: running_average(fresh, average, rate))),
            (1, _averaged(lambda average, fresh, rate: rate * average + (1 - rate) * fresh)),
        ],
        "bring the average back to length 1: the mean of two directions is shorter, and it would "
        "fade": (1, _averaged(lambda average, fresh, rate: average.lerp(fresh, rate))),
        "your average has become the exemplar: keep the average of the templates by itself, or the "
        "first one would be mixed in again in every frame": (
            1,
            lambda right, *given: (right(*given)[0],) * 2,
        ),
        "a new template is mixed into the average; yours takes its place, or is mixed with the "
        "first one": [
            (1, _averaged(lambda average, fresh, rate: fresh)),
            (1, _with_first),
        ],
        "(1 − rate) of the average stays; yours keeps all of it": (
            1,
            _averaged(lambda average, fresh, rate: _unit(average + rate * fresh)),
        ),
        "rate, keep and sure are arguments; one of yours always has the same value, or another's": [
            (1, _averaged(lambda average, fresh, rate: running_average(average, fresh, 0.1))),
            (1, _averaged(lambda average, fresh, rate: running_average(average, fresh, 0.5))),
            (0, _exemplar(lambda first, old, new, keep: mixed(first, new, 0.3))),
            lambda right, first, average, fresh, score, rate, keep, sure: right(
                first, average, fresh, score, rate, rate, sure
            ),
        ],
        "length 1 of a template is that of all its values together: the root of the sum of their "
        "squares": [
            (1, _normed(lambda t: F.normalize(t, dim=1))),
            (1, _normed(lambda t: t / t.flatten(2).norm(dim=2)[..., None, None])),
            (1, _normed(lambda t: t / t.abs().sum())),
            (1, _normed(lambda t: t / t.abs().max())),
            (1, _normed(lambda t: t / t.square().sum())),
        ],
        "the exemplar stays as it is mixed; only the average is brought to length 1": (
            0,
            _exemplar(lambda first, old, new, keep: _unit(mixed(first, new, keep))),
        ),
        "mix the first template with the average, not with the newest template": (
            0,
            lambda right, first, average, fresh, *given: (
                mixed(first, fresh, given[2]),
                right(first, average, fresh, *given)[1],
            ),
        ),
        "the first template has the weight keep, the average 1 − keep": [
            (0, _exemplar(lambda first, old, new, keep: first + (1 - keep) * new)),
            (0, _exemplar(lambda first, old, new, keep: keep * (first + new))),
        ],
        "the first template is gone; it is the only one known to be right, so keep it in the "
        "exemplar": (0, _exemplar(lambda first, old, new, keep: new)),
        "the first template has the weight `keep`, the average the rest; yours are swapped": (
            0,
            _exemplar(lambda first, old, new, keep: mixed(new, first, keep)),
        ),
        "mix the first template with the *new* average": (
            0,
            _exemplar(lambda first, old, new, keep: mixed(first, old, keep)),
        ),
    },
    others={
        "do not change the average": [
            lambda right, first, average, fresh, score, *given: right(
                first, average, fresh, 1.0, *given
            ),
            lambda right, first, average, fresh, score, rate, keep, sure: right(
                first, average, fresh, score, rate, keep, sure - 1e-6
            ),
        ],
        "below `sure` too": [
            lambda right, first, average, fresh, score, rate, keep, sure: (
                right(first, average, fresh, score, rate, keep, sure)
                if score > sure
                else (first, average)
            ),
            lambda right, first, average, fresh, score, rate, keep, sure: (
                right(first, average, fresh, score, rate, keep, sure)
                if score > sure
                else (average, average)
            ),
        ],
        "the answer should have two parts": lambda right, *given: right(*given)[0],
    },
)
def examine_average(answer, rng) -> None:
    """Running average."""
    templates = tuple(
        F.normalize(random_features(rng, 1, 4, 3, 3).flatten(1)).view(1, 4, 3, 3) for _ in range(3)
    )

    def read(given):
        parts = zip(
            as_parts(given, "the exemplar to search with", "the new average"),
            ("exemplar", "average"),
            strict=True,
        )
        return tuple(as_array(part, (1, 4, 3, 3), what) for part, what in parts)

    for numbers in ((0.9, 0.1, 0.3, 0.6), (0.55, 0.35, 0.75, 0.5)):
        inputs = *templates, *numbers
        answer.compare(inputs, ("the exemplar", "the average"), read, tolerance=1e-4, near=1e-5)
    for score in (0.5, 0.6):
        low = read(answer(*(t.clone() for t in templates), score, 0.1, 0.3, 0.6))
        right = read(answer.right(*templates, score, 0.1, 0.3, 0.6))
        if not same(low[1], right[1], 1e-5):
            raise Wrong(
                f"the score {score} is not above 0.6: this detection may be wrong; do not change "
                "the average"
            )
        if not same(low[0], right[0], 1e-5):
            raise Wrong(
                "below `sure` too the exemplar is keep · first + (1 − keep) · average, with the "
                "average as it was"
            )
