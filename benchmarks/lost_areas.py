"""Shared by the measurements of lost targets: areas under ROC curves, pooled over sequences.

A row is one pass over one sequence: "states", a letter for each frame from the second on, and
"scores", a list of as many values for each signal.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import Any

import numpy as np

from course_lib.evaluation.lost import roc

FOLLOWED, AWAY, ELSEWHERE = ".", "a", "x"  # a frame's state, as it is written
QUESTIONS = {"lost": AWAY + ELSEWHERE, "away": AWAY, "elsewhere": ELSEWHERE}  # the states asked for
DRAWS = 2000  # of the sequences, for an interval
POINTS = 60  # of a curve, at most

Row = dict[str, Any]


def pooled(rows: Items[Row], signal: str, asked: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores (F,) of all sequences' frames, end to end, and whether (F,) each is in a state asked
    for; frames in another of the lost states are left out.

    Args:
        rows: of the sequences.
        signal: its name.
        asked: letters of the states.
    """
    states = np.array(list("".join(row["states"] for row in rows)))  # (F,)
    scores = np.concatenate([row["scores"][signal] for row in rows])  # (F,)
    right = np.isin(states, list(asked))
    counted = right | (states == FOLLOWED)
    return scores[counted], right[counted]


def won_pairs(rows: Items[Row], signal: str, asked: str) -> tuple[np.ndarray, ...]:
    """What the area under the curve is made of, sequence by sequence: the number
    (n, n) of pairs of a frame asked for in one sequence and a followed frame in another, in which
    the former has the lower score, ties counting half; and the numbers (n,) of frames asked for,
    and of followed frames.

    Args:
        rows: of the n sequences.
        signal: its name.
        asked: letters of the states.
    """
    groups = [
        (scores[right], np.sort(scores[~right]))
        for scores, right in (pooled([row], signal, asked) for row in rows)
    ]
    won = [
        [
            # followed frames above each score asked for, those with the same score counted half
            sum((len(b) - np.searchsorted(b, a, side)).sum() for side in ("left", "right")) / 2
            for _, b in groups
        ]
        for a, _ in groups
    ]
    return np.array(won), *(np.array([len(g[k]) for g in groups]) for k in (0, 1))


def drawn_areas(rows: Items[Row], signal: str, asked: str) -> np.ndarray:
    """Areas (DRAWS,) for sequences drawn with replacement: the same draws for every signal. NaN
    where a draw has only frames of one kind.

    Args:
        rows: of the sequences.
        signal: its name.
        asked: letters of the states.
    """
    n = len(rows)
    times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), DRAWS)  # (DRAWS, n)
    won, lost, followed = won_pairs(rows, signal, asked)
    with np.errstate(invalid="ignore"):
        return ((times @ won) * times).sum(1) / ((times @ lost) * (times @ followed))


def interval(value: float, draws: np.ndarray) -> Row:
    """A value with its 95 % interval, from draws (N,)."""
    if not np.isfinite(draws).any():
        return {"mean": value, "low": None, "high": None}
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return {name: round(float(v), 4) for name, v in (("mean", value), ("low", low), ("high", high))}


def curve(rows: Items[Row], signal: str) -> dict[str, list[float]]:
    """The ROC curve for lost frames in at most POINTS points, with their thresholds."""
    scores, lost = pooled(rows, signal, QUESTIONS["lost"])
    false_alarm, found = roc(scores, lost)
    thresholds = np.concatenate([[-np.inf], np.unique(scores)])  # as many
    # along the curve, as even as its steps allow
    way = np.concatenate([[0], np.cumsum(np.abs(np.diff(false_alarm)) + np.abs(np.diff(found)))])
    chosen = np.unique(np.searchsorted(way, np.linspace(0, way[-1], POINTS)).clip(0, len(way) - 1))
    return {
        "false_alarm": np.round(false_alarm[chosen], 4).tolist(),
        "found": np.round(found[chosen], 4).tolist(),
        "threshold": [None, *np.round(thresholds[chosen][1:], 4).tolist()],
    }
