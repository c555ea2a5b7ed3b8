"""Checks of lesson 08: re-ranking, smoothing."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson08 import each
from course_lib.trackers import siamrpn


@check(
    "choose.rerank",
    reference=siamrpn.rerank,
    mistakes={
        "where the influence is 0 the penalty still counts": (
            lambda right, score, p, w, i: right(score, p if i else 1, w, i)
        ),
        "where the influence is 1 the window alone counts": (
            lambda right, score, p, w, i: right(score, p, w, i if i < 1 else 0)
        ),
        "the influence is on the wrong term: it weights the window, 1 − influence the penalised "
        "score": (lambda right, score, p, w, i: right(score, p, w, 1 - i)),
        "the penalties are missing": lambda right, score, p, w, i: right(score, 1, w, i),
        "the scores are missing": lambda right, score, p, w, i: right(1, p, w, i),
        "you multiply by the window: then nothing at the border can ever win. Add it with its "
        "influence": [
            lambda right, score, p, w, i: p * score * w,
            lambda right, score, p, w, i: (1 - i) * p * score * w,
            lambda right, score, p, w, i: (1 - i) * p * score * i * w,
        ],
        "you multiply the score by the window; a place near the last one is to gain as much for a "
        "low score as for a high one: add the window with its influence": (
            lambda right, score, p, w, i: p * score * ((1 - i) + i * w)
        ),
        "the penalty is a factor on the score, not on the window": (
            lambda right, score, p, w, i: right(score, 1, p * w, i)
        ),
        "the penalty is a factor on both of your terms; the window has none": (
            lambda right, score, p, w, i: right(score, p, p * w, i)
        ),
        "the score keeps its full weight; it gets 1 − influence": (
            lambda right, score, p, w, i: p * score + i * w
        ),
        "your window keeps its full weight; it gets the influence": (
            lambda right, score, p, w, i: (1 - i) * p * score + w
        ),
        "the influence is missing: it weights the window, 1 − influence the penalised score": (
            lambda right, score, p, w, i: p * score + w
        ),
        "the window is missing": [
            lambda right, score, p, w, i: right(score, p, 0, i),
            lambda right, score, p, w, i: p * score,
        ],
        "your penalties are added to the scores; they are factors": (
            lambda right, score, p, w, i: (1 - i) * (score + p) + i * w
        ),
        "you divide the scores by the penalties; they are factors": (
            lambda right, score, p, w, i: right(score, 1 / p, w, i)
        ),
        "the window is added with its influence; yours is subtracted": (
            lambda right, score, p, w, i: (1 - i) * p * score - i * w
        ),
        "a bracket is missing: (1 − influence) · penalty · score": (
            lambda right, score, p, w, i: 1 - i * p * score + i * w
        ),
        "the influence is an argument, here {case[3]:g}": [
            lambda right, score, p, w, i: right(score, p, w, 0.4),
            lambda right, score, p, w, i: (1 - i) * p * score + 0.4 * w,
            lambda right, score, p, w, i: 0.6 * p * score + i * w,
        ],
        "a sum is called for, not the larger of its two terms": (
            lambda right, score, p, w, i: np.maximum((1 - i) * p * score, i * w)
        ),
        "the score is a factor on the penalty, not on the window": (
            lambda right, score, p, w, i: right(score, p, score * w, i)
        ),
        "your ranking has an upper limit": lambda right, *given: np.minimum(right(*given), 0.9),
        "your ranking is sorted; each number belongs to its own anchor": (
            lambda right, *given: np.sort(right(*given))
        ),
        "your penalties are squared, or count twice": (
            lambda right, score, p, w, i: right(score, p**2, w, i)
        ),
        "here the window is not normalised; its sum, or its peak, stays as it is": [
            lambda right, score, p, w, i: right(score, p, w / w.sum(), i),
            lambda right, score, p, w, i: right(score, p, w / w.max(), i),
        ],
        "here nothing is made to sum to 1, as lesson 06's `blend_with_window` does: the penalised "
        "scores stay as they are": lambda right, score, p, w, i: right(
            (p * score - (p * score).min()) / (p * score - (p * score).min()).sum(), 1, w, i
        ),
        "here the scores are not normalised: they are probabilities": [
            lambda right, score, p, w, i: right(score / score.max(), p, w, i),
            lambda right, score, p, w, i: right(score / score.sum(), p, w, i),
            lambda right, score, p, w, i: right(np.exp(score) / np.exp(score).sum(), p, w, i),
            lambda right, score, p, w, i: right(
                (score - score.min()) / (score.max() - score.min()), p, w, i
            ),
            lambda right, score, p, w, i: right((p * score) / (p * score).max(), 1, w, i),
            lambda right, score, p, w, i: right((p * score) / (p * score).sum(), 1, w, i),
            lambda right, score, p, w, i: right(score - score.min(), p, w, i),
        ],
    },
    others={
        "is one number": [
            lambda right, *given: np.argmax(right(*given)),
            lambda right, *given: np.max(right(*given)),
        ],
    },
)
def examine_rerank(answer, rng) -> None:
    """Scores, penalties and window together; a perfect proposal and a hopeless one among others,
    and no influence and all of it."""
    cases = []
    for influence in (0.15, 0.4, 0.0, 1.0):
        scores, penalties, window = rng.uniform(0.05, 0.95, (3, 9))
        scores[4:6], penalties[4:6], window[4:6] = (0.02, 0.999), (1e-4, 0.98), (0, 0.96)
        cases.append((scores, penalties, window, influence))

    def words(given, right, scores, penalties, window, influence):
        i = int(np.abs(given - right).argmax())
        mine, wanted = apart(given[i], right[i])
        return (
            f"for a score of {scores[i]:.3g}, a penalty of {penalties[i]:.3g}, a window of "
            f"{window[i]:.3g} and an influence of {influence:g} your ranking is {mine}, expected "
            f"{wanted}"
        )

    compare_arrays(
        answer,
        cases,
        "your ranking",
        each(9, "your ranking"),
        words,
    )


def _from(limit: float, by: str):
    """A mistake: the size stays where the certainty is below a limit; from there on it moves by the
    rate, or by the product."""

    def smoothed(right, last, found, certainty, rate):
        moves = certainty if by == "product" else 1.0
        return right(last, found, moves if certainty > limit else 0.0, rate)

    return smoothed


@check(
    "choose.smooth",
    reference=siamrpn.smooth_size,
    mistakes={
        "an uncertain proposal moves your size as far as a certain one: the fraction is certainty "
        "· rate": lambda right, last, found, certainty, rate: right(last, found, 1.0, rate),
        "your rate is missing: the fraction is certainty · rate": (
            lambda right, last, found, certainty, rate: right(last, found, certainty, 1.0)
        ),
        "the size jumps to the proposal's; it should move there by the fraction certainty · rate": (
            lambda right, last, found, certainty, rate: found
        ),
        "the size stays; it should move to the proposal's by the fraction certainty · rate": (
            lambda right, last, found, certainty, rate: last
        ),
        "the fraction belongs to the new size, the rest to the old; yours are swapped": (
            lambda right, last, found, *given: right(found, last, *given)
        ),
        "the old size keeps its full weight in your sum; it gets 1 − fraction": (
            lambda right, last, found, certainty, rate: last + certainty * rate * found
        ),
        "the weights of your two sizes do not add up to 1: where the new one gets certainty · "
        "rate, the old one gets 1 − certainty · rate": [
            lambda right, last, found, certainty, rate: (
                (1 - rate) * last + certainty * rate * found
            ),
            lambda right, last, found, certainty, rate: (
                (1 - certainty) * last + certainty * rate * found
            ),
        ],
        "the certainty belongs in the fraction on both sides: certainty · rate for the new size, "
        "1 − certainty · rate for the old": lambda right, last, found, certainty, rate: (
            (1 - certainty * rate) * last + rate * found
        ),
        "your fraction is a sum; it is the product certainty · rate": (
            lambda right, last, found, certainty, rate: right(last, found, certainty + rate, 1.0)
        ),
        "your size moves away from the proposal's": (
            lambda right, last, found, certainty, rate: right(last, found, certainty, -rate)
        ),
        "you blend the logarithms; here the sizes themselves are blended": (
            lambda right, last, found, *given: np.exp(right(np.log(last), np.log(found), *given))
        ),
        "your size is rounded; keep it exact, or small steps never add up": [
            lambda right, *given: np.round(right(*given)),
            lambda right, *given: np.floor(right(*given)),
        ],
        "your fraction is the smaller of certainty and rate; it is their product": (
            lambda right, last, found, certainty, rate: right(last, found, min(certainty, rate), 1)
        ),
        "your fraction is the mean of certainty and rate; it is their product": (
            lambda right, last, found, certainty, rate: right(
                last, found, (certainty + rate) / 2, 1
            )
        ),
        "a small certainty moves the size a little; below a limit yours does not move it at all": [
            _from(limit, by) for limit in (0.5, 0.3, 0.2, 0.1) for by in ("rate", "product")
        ],
        "the fraction is certainty · rate, however small or large; yours has a limit": [
            lambda right, last, found, certainty, rate: right(
                last, found, min(certainty * rate, 0.5), 1
            ),
            lambda right, last, found, certainty, rate: right(
                last, found, certainty, max(rate, 0.3)
            ),
            lambda right, last, found, certainty, rate: right(
                last, found, max(certainty, 0.1), rate
            ),
        ],
        "the rate is an argument; yours is fixed": (
            lambda right, last, found, certainty, rate: right(last, found, certainty, 0.3)
        ),
        "the more certain the proposal, the further the size moves; yours moves less": (
            lambda right, last, found, certainty, rate: right(last, found, 1 - certainty, rate)
        ),
        "width and height both move; one of yours stays or jumps": [
            lambda right, last, found, *given: np.array([right(last, found, *given)[0], last[1]]),
            lambda right, last, found, *given: np.array([last[0], right(last, found, *given)[1]]),
            lambda right, last, found, *given: np.array([right(last, found, *given)[0], found[1]]),
        ],
        "the width moves towards the width, the height towards the height; yours cross over": (
            lambda right, last, found, *given: right(last, found[::-1], *given)
        ),
        "the size may grow as well as shrink": [
            lambda right, last, *given: np.maximum(last, right(last, *given)),
            lambda right, last, *given: np.minimum(last, right(last, *given)),
        ],
        "a limit on the size, like 10 pixels, is not this function's business": (
            lambda right, *given: np.maximum(right(*given), 10)
        ),
        "your certainty is squared": lambda right, last, found, certainty, rate: right(
            last, found, certainty**2, rate
        ),
    },
)
def examine_smooth(answer, rng) -> None:
    """Size smoothing that trusts certain proposals more, from no trust to all of it."""
    certain = rng.permutation([0.0, 0.05, 0.15, 0.28, 0.4, 0.7, 1.0])
    rates = [0.15, *rng.uniform(0.2, 0.9, 5), 1.0]
    cases, signs = [], ([1, -1], [-1, 1], [-1, -1])
    for i, (certainty, rate) in enumerate(zip(certain, rates, strict=True)):
        last = rng.uniform(30, 60, 2) / (1 + 9 * (i == 2))  # one is smaller than 10 pixels
        cases.append((last, last * rng.uniform(1.1, 1.6, 2) ** signs[i % 3], certainty, rate))
    cases.append((last, last * [1.3, 0.8], 1.0, 1.0))  # all of the way

    def words(given, right, last, found, certainty, rate):
        i = int(np.abs(given - right).argmax())
        mine, wanted = apart(given[i], right[i])
        return (
            f"from {last[i]:.4g} towards {found[i]:.4g}, with a certainty of {certainty:.2g} and a "
            f"rate of {rate:.2g}, your {('width', 'height')[i]} is {mine}, expected {wanted}"
        )

    compare_arrays(
        answer,
        cases,
        "your size",
        np.asarray,
        words,
        ask=lambda f, *case: as_array(f(*case), (2,), "your size"),
    )
