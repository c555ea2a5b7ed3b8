"""Check of lesson 08: the size response, a line through what was found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.analysis.size_response import FACTORS, fit_response
from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check


def response_line(logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    """Gain and bias of `fit_response` for logs (F, K) at factors (K,)."""
    return tuple(fit_response(logs, factors))


def _line(x: Callable, y: Callable, degree: int = 1) -> Callable:
    """A mistake: the line through x(factors) and y(logs)."""

    def fitted(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
        gain, bias = np.polyfit(x(np.asarray(factors)), y(np.asarray(logs)), degree)
        return float(gain), float(bias)

    return fitted


def _medians(logs: np.ndarray) -> np.ndarray:
    return np.nanmedian(logs, axis=0)


def _pooled(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    x = np.broadcast_to(np.log(factors), logs.shape)
    seen = np.isfinite(logs)
    return tuple(np.polyfit(x[seen], logs[seen], 1))


def _line_per_frame(average: Callable) -> Callable:
    """A mistake: gain and bias frame by frame, over what was seen, and then their `average`."""

    def fitted(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
        x, rows = np.log(factors), [row for row in logs if np.isfinite(row).sum() > 1]
        lines = [np.polyfit(x[np.isfinite(r)], r[np.isfinite(r)], 1) for r in rows]
        return tuple(average(lines, axis=0))

    return fitted


def _with_zeros(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    return right(np.nan_to_num(logs), factors)


def _through_origin(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    x, y = np.log(factors), _medians(logs)
    return float(x @ y / (x @ x)), 0.0


def _whole_rows(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    return right(logs[np.isfinite(logs).all(1)], factors)


def _whole_columns(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    seen = np.isfinite(logs).all(0)
    return right(logs[:, seen], np.asarray(factors)[seen])


def _ends(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    x, y = np.log(factors), _medians(logs)
    gain = (y[-1] - y[0]) / (x[-1] - x[0])
    return float(gain), float(y[0] - gain * x[0])


def _inverse(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    return tuple(np.polyfit(_medians(logs), np.log(factors), 1))


def _at_true_size(right: Callable, logs: np.ndarray, factors: np.ndarray) -> tuple[float, float]:
    at = int(np.abs(np.log(factors)).argmin())
    return right(logs, factors)[0], float(_medians(logs)[at])


@check(
    "size.response",
    reference=response_line,
    mistakes={
        "fit the line against log q; you fit it against q itself": _line(lambda q: q, _medians),
        "the logs are logarithms already; you take another one or undo them": [
            _line(np.log, lambda logs: np.exp(_medians(logs))),
            _line(np.log, lambda logs: _medians(np.exp(logs)) - 1),
        ],
        "you use a logarithm to base 2 or 10; in the formula it is the natural one": [
            _line(np.log2, _medians),
            _line(np.log10, _medians),
        ],
        "NaN marks frames in which the target was missed; leave them out, with np.nanmedian: "
        "in yours they turn the whole column into NaN": [
            _line(np.log, lambda logs: np.median(logs, axis=0)),
            _line(np.log, lambda logs: np.mean(logs, axis=0)),
        ],
        "NaN marks frames in which the target was missed; yours count as a ratio of 1": _with_zeros,
        "a miss at one size does not spoil a whole frame; you leave out every row with a NaN": (
            _whole_rows
        ),
        "a miss in one frame does not spoil a whole size; you leave out every column with a NaN": (
            _whole_columns
        ),
        "you take means over the frames; a single frame on the wrong thing moves them: take "
        "medians": _line(np.log, lambda logs: np.nanmean(logs, axis=0)),
        "first the median over the frames of each q, then the line; you fit all frames at once": (
            _pooled
        ),
        "first the median over the frames of each q, then one line; you fit a line to each frame": [
            _line_per_frame(np.nanmedian),
            _line_per_frame(np.nanmean),
        ],
        "your line is forced through the origin; its height there is the bias": _through_origin,
        "the line goes through all medians; yours only through the first and the last": _ends,
        "the bias is the height of the line at log q = 0; yours is the median measured there": (
            _at_true_size
        ),
        "you fit log q against the logs; fit the logs against log q": _inverse,
        "gain first, then bias; yours are swapped": lambda right, *given: right(*given)[::-1],
        "your bias has the wrong sign": lambda right, *given: (
            right(*given)[0],
            -right(*given)[1],
        ),
        "your gain is 1 − g": lambda right, *given: (1 - right(*given)[0], right(*given)[1]),
        "q = 1 is a factor like any other; you leave it out": (
            lambda right, logs, factors: right(
                np.delete(logs, np.abs(np.log(factors)).argmin(), 1),
                np.delete(factors, np.abs(np.log(factors)).argmin()),
            )
        ),
        "the factors are given; yours are fixed": lambda right, logs, factors: right(
            logs[:, : len(FACTORS)], np.array(FACTORS)[: logs.shape[1]]
        ),
    },
)
def examine_response(answer, rng) -> None:
    """The line through the medians, in sequences with misses and wild frames."""
    cases = []
    for frames, count in ((5, 7), (8, 5), (3, 6)):
        factors = np.exp(np.sort(rng.uniform(-0.7, 0.7, count)))
        if count == 7:
            factors = np.array(FACTORS)
        gain, bias = rng.uniform(0.2, 0.9), rng.choice([-1, 1]) * rng.uniform(0.05, 0.2)
        logs = gain * np.log(factors) + bias + rng.normal(0, 0.04, (frames, count))
        logs[rng.integers(frames)] += rng.uniform(0.8, 1.5)  # one frame on the wrong thing
        for _ in range(frames // 2):
            logs[rng.integers(frames), rng.integers(count)] = np.nan
        cases.append((logs, factors))

    def words(given, right, logs, factors):
        if not np.isfinite(given).all():
            return f"your gain and bias are {given[0]:.3g} and {given[1]:.3g}: not numbers"
        i = int(np.abs(given - right).argmax())
        mine, wanted = apart(given[i], right[i])
        return (
            f"for {logs.shape[0]} frames and {logs.shape[1]} sizes your "
            f"{('gain', 'bias')[i]} is {mine}, expected {wanted}"
        )

    compare_arrays(
        answer,
        cases,
        "gain and bias",
        np.asarray,
        words,
        ask=lambda f, *case: as_array(f(*case), (2,), "gain and bias", allow_nan=True),
    )
