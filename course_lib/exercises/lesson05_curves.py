"""Checks of lesson 05: the learning rate, the distance of a peak, a curve that can be read."""

from __future__ import annotations

from functools import partial
from itertools import accumulate

import numpy as np
import torch

from course_lib.exercises.compare import apart, as_number, as_tensor
from course_lib.exercises.core import check
from course_lib.models.losses import peak_distance
from course_lib.training import monitor, step


def _ends(given, right) -> str:
    """The message for rates (as logarithms) whose ends are wrong."""
    for place, name in ((0, "first"), (-1, "last")):
        if not np.isclose(given[place], right[place], atol=1e-4):
            is_now, should_be = apart(10 ** given[place], 10 ** right[place])
            return f"the {name} step's rate is {is_now}; expected {should_be}"
    halfway = len(given) // 2
    is_now, should_be = apart(10 ** given[halfway], 10 ** right[halfway])
    return (
        f"first and last rate are right, but at step {halfway} of {len(given)} yours is {is_now}, "
        f"expected {should_be}: from each step to the next by the same factor"
    )


@check(
    "training.rate",
    reference=step.learning_rate,
    mistakes={
        "your rate falls along a straight line: nearly all steps are large ones. It should fall by "
        "the same factor each step": lambda right, k, n, a, b: a + (b - a) * k / (n - 1),
        "your rate falls along a cosine, as many recipes do; here it falls by the same factor each "
        "step": lambda right, k, n, a, b: b + (a - b) * (1 + np.cos(np.pi * k / (n - 1))) / 2,
        "the last step's rate is {last:.3g}, not {2:g}: between {0} steps lie {between} factors": (
            lambda right, k, n, a, b: right(k, n + 1, a, b)
        ),
        "you count steps from 1; the first is step 0": lambda right, k, n, a, b: right(
            k + 1, n + 1, a, b
        ),
        "your rate rises: start and end are swapped": lambda right, k, n, a, b: right(k, n, b, a),
        "each step multiplies by the whole factor end / start; only all {between} together do": (
            lambda right, k, n, a, b: a * (b / a) ** k
        ),
        "the rate stays at {1:g}: is the fraction of the run rounded to a whole number?": (
            lambda right, k, n, a, b: a * (b / a) ** (k // n)
        ),
    },
    others={
        "the last step's rate": [
            lambda right, k, n, a, b: a * 0.1 ** (k // 20),
            lambda right, k, n, a, b: a * np.exp(-k / (n - 1)),
        ],
        "by the same factor": lambda right, k, n, a, b: a * (b / a) ** ((k / (n - 1)) ** 2),
    },
)
def examine_rate(answer, rng) -> None:
    """Geometric schedule."""
    for steps, start, end in ((50, 1e-2, 1e-5), (7, 0.3, 0.02), (2, 1e-3, 1e-4)):
        answer.compare(
            (steps, start, end),
            "the logarithm of the rate",
            lambda rates: np.log10(np.maximum(rates, 1e-300)),
            call=lambda f, n, *ends: [as_number(f(k, n, *ends), "the rate") for k in range(n)],
            tolerance=1e-4,
            otherwise=_ends,
            last=lambda given: 10 ** given[-1],
            between=steps - 1,
        )


def _off_centre(given, right, centre) -> str:
    """The message for a peak at the centre whose distance is not 0."""
    if centre is None or abs(given[0]) <= 1e-6:
        return ""
    return (
        f"a peak at the centre cell has distance {given[0]:.3g}, expected 0: the centre is (n − 1) "
        f"/ 2 = {centre}"
    )


def _peaks(response, centre=None) -> np.ndarray:
    """Rows and columns (B, 2) of the peaks from the centre, cells."""
    n = response.shape[-1]
    places = np.stack(np.divmod(response.flatten(1).argmax(1).numpy(), n), axis=1)
    return places - ((n - 1) / 2 if centre is None else centre)


def _distances(measure):
    """A mistake: measure (B, 2) → (B,) of the peaks' places in pixels."""

    def distance(right, response, stride):
        return torch.from_numpy(np.asarray(measure(_peaks(response) * stride))).float()

    return distance


@check(
    "training.distance",
    reference=peak_distance,
    mistakes={
        "your distances are in cells; one cell is `stride` pixels": (
            lambda right, r, stride: right(r, 1)
        ),
        "you count one cell as 8 pixels; it is `stride` of them": lambda right, r, stride: right(
            r, 8
        ),
        "you measure from cell n // 2; where n is even, the centre lies between two cells, at "
        "(n − 1) / 2": lambda right, r, stride: right(
            r, stride, stride * (r.shape[-1] // 2 - (r.shape[-1] - 1) / 2)
        ),
        "you count 17 cells along each side; a response has n": lambda right, r, stride: (
            torch.hypot(
                r.flatten(1).argmax(1) // 17 - torch.tensor(8.0),
                r.flatten(1).argmax(1) % 17 - torch.tensor(8.0),
            )
            * stride
        ),
        "you add the distances along rows and columns; the distance is √(rows² + columns²)": (
            _distances(lambda places: np.abs(places).sum(axis=1))
        ),
        "you take the larger of the two distances; the distance is √(rows² + columns²)": (
            _distances(lambda places: np.abs(places).max(axis=1))
        ),
        "your distances are squared: take the root": _distances(
            lambda places: (places**2).sum(axis=1)
        ),
        "you measure along columns only": _distances(lambda places: np.abs(places[:, 1])),
        "you measure along rows only": _distances(lambda places: np.abs(places[:, 0])),
        "you look for the lowest cell, not the highest": lambda right, r, stride: right(-r, stride),
        "you look for the largest absolute value; a strongly negative cell is no peak": (
            lambda right, r, stride: right(r.abs(), stride)
        ),
        "all your distances are of one map: take each response's own highest cell": (
            lambda right, r, stride: right(r[:1], stride).expand(len(r))
        ),
        "you measure from the corner; the target is at the centre, (n − 1) / 2": (
            lambda right, r, stride: right(r, stride, -stride * (r.shape[-1] - 1) / 2)
        ),
    },
    others={
        "the centre is (n − 1) / 2": lambda right, r, stride: right(r, stride, stride / 2),
        "at": lambda right, r, stride: right(r, stride).round(),
    },
)
def examine_distance(answer, rng) -> None:
    """Distance of the peak from the centre."""
    for n, stride, pairs in ((17, 8, 4), (16, 8, 3), (33, 4, 1), (20, 4, 5)):
        response = torch.from_numpy(rng.normal(size=(pairs, n, n))).float()
        rows, columns = (rng.permutation(n)[:pairs] for _ in range(2))
        response[range(pairs), rows, columns] = 9.0
        response[range(pairs), columns, (rows + 3) % n] = -20.0
        if n % 2 and pairs > 1:
            response[0, n // 2, n // 2] = 50.0
        answer.compare(
            (response, stride),
            "the distances",
            partial(as_tensor, shape=(pairs,), what="the distances"),
            tolerance=1e-4,
            otherwise=partial(_off_centre, centre=n // 2 if n % 2 and pairs > 1 else None),
            named="the distance",
            hint="√(rows² + columns²) · stride, for each response its own peak",
        )


def _divided_along_the_way(right, losses, factor):
    """The divided value goes on into the next step."""
    average, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        average = (factor * average + (1 - factor) * loss) / (1 - factor**k)
        smoothed.append(average)
    return smoothed


def _undivided(right, losses, factor):
    return right(losses, factor) * (1 - factor ** np.arange(1, len(losses) + 1))


@check(
    "training.smooth",
    reference=monitor.smooth,
    mistakes={
        "your curve starts at {given[0]:.2f}, the losses at {0[0]:.2f}: it is pulled towards its "
        "initial 0. Divide by 1 − factor^k": lambda *given: _undivided(*given),
        "factor and 1 − factor are swapped: a larger factor smooths more": [
            lambda right, losses, factor: right(losses, 1 - factor),
            lambda right, losses, factor: _undivided(right, losses, 1 - factor),
        ],
        "you start from the first loss, which then weighs more than any other; start from 0 and "
        "divide by 1 − factor^k": lambda right, losses, factor: list(
            accumulate(losses, lambda value, loss: factor * value + (1 - factor) * loss)
        ),
        "you go on with the divided value: keep the undivided s for the next step": (
            _divided_along_the_way
        ),
        "k is one too small: after the first loss it is 1, and 1 − factor^1 is that loss's weight": (
            lambda right, losses, factor: np.array(
                [
                    0.0,
                    *_undivided(right, losses, factor)[1:]
                    / (1 - factor ** np.arange(1, len(losses))),
                ]
            )
        ),
        "k is one too large: after the first loss it is 1, and 1 − factor^1 is that loss's weight": (
            lambda right, losses, factor: (
                _undivided(right, losses, factor) / (1 - factor ** np.arange(2, len(losses) + 2))
            )
        ),
        "you divide by 1 − factor every time; after k losses the total weight is 1 − factor^k": (
            lambda right, losses, factor: _undivided(right, losses, factor) / (1 - factor)
        ),
        "a new loss comes in with weight 1 − factor, not 1": lambda right, losses, factor: (
            right(losses, factor) / (1 - factor)
        ),
        "you divide the whole curve by one number; after k losses the total weight is "
        "1 − factor^k": lambda right, losses, factor: (
            _undivided(right, losses, factor) / (1 - factor ** len(losses))
        ),
        "you start from the first loss and divide as well; start from 0": (
            lambda right, losses, factor: (
                right(losses, factor) + losses[0] / (factor ** -np.arange(1.0, len(losses) + 1) - 1)
            )
        ),
        "the total weight of k losses is 1 − factor^k, not 1 − (1 − factor)^k": (
            lambda right, losses, factor: (
                _undivided(right, losses, factor)
                / (1 - (1 - factor) ** np.arange(1, len(losses) + 1))
            )
        ),
        "you average all losses so far alike; the weight of a loss should shrink by `factor` with "
        "each later one": lambda right, losses, factor: (
            np.cumsum(losses) / np.arange(1, len(losses) + 1)
        ),
        "you count the factor as 0.9; it is `factor`": lambda right, losses, factor: right(
            losses, 0.9
        ),
        "your curve runs backwards: the first loss comes first": lambda right, losses, factor: (
            right(list(losses)[::-1], factor)
        ),
    },
    others={
        "has shape": lambda right, losses, factor: right(losses, factor)[-1:],
        "the smoothed curve at": lambda right, losses, factor: np.convolve(
            losses, np.ones(3) / 3, "same"
        ),
    },
)
def examine_smooth(answer, rng) -> None:
    """Exponential moving average with bias correction."""
    for count, factor in ((30, 0.9), (7, 0.6), (12, 0.97), (4, 0.0), (1, 0.5)):
        losses = rng.uniform(1, 2, count)
        for given in (losses.tolist(), losses):
            answer.compare((given, factor), "the smoothed curve", (count,), tolerance=1e-5)
