"""Check of lesson 16's accuracy and robustness over the runs on several sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_cases
from course_lib.exercises.compare import as_array, as_parts
from course_lib.exercises.core import check

Runs = list[tuple[np.ndarray, int]]
NAMES = ("the accuracy", "the robustness")
A, R = 0, 1  # the part of the result by which a mistake is known


def accuracy_robustness(sequences: list[Runs], lengths: list[int]) -> tuple[float, float]:
    """Accuracy and robustness of one tracker.

    Args:
        sequences: for each sequence its runs, each with overlaps (N,) and progress.
        lengths: frames of each sequence.
    """
    return _accuracy(sequences), _robustness(sequences, lengths)


def _accuracy(
    sequences: list[Runs], first: int = 0, counted: Callable[[int, int], int] = lambda P, N: P
) -> float:
    """Summed overlap of the counted frames of all runs, over their number.

    Args:
        sequences: as of `accuracy_robustness`.
        first: frames left out at the start.
        counted: (progress, N) → frames that count.
    """
    kept = [o[first : counted(P, len(o))] for runs in sequences for o, P in runs]
    values = np.concatenate(kept)
    return float(values.mean())


def _shares(sequences: list[Runs]) -> np.ndarray:
    """Robustness of each sequence, (S,)."""
    return np.array([sum(P for _, P in runs) / sum(len(o) for o, _ in runs) for runs in sequences])


def _robustness(sequences: list[Runs], lengths: list[int]) -> float:
    return float(np.average(_shares(sequences), weights=lengths))


def _a(value: Callable[..., float]) -> tuple[int, Callable[..., Any]]:
    """A mistake in the accuracy: sequences, lengths → another."""
    return A, lambda right, s, lengths: (value(s, lengths), right(s, lengths)[R])


def _r(value: Callable[..., float]) -> tuple[int, Callable[..., Any]]:
    """A mistake in the robustness: sequences, lengths → another."""
    return R, lambda right, s, lengths: (right(s, lengths)[A], value(s, lengths))


def _of_each(s: list[Runs]) -> list[float]:
    """Accuracy of each sequence."""
    return [_accuracy([runs]) for runs in s]


def _run_shares(s: list[Runs]) -> list[float]:
    return [P / len(o) for runs in s for o, P in runs]


@check(
    "today.scores",
    reference=accuracy_robustness,
    learns=False,
    mistakes={
        "{about}: the start frame counts in the accuracy, with its overlap of 0": (
            _a(lambda s, lengths: _accuracy(s, first=1))
        ),
        "{about}: the accuracy is over the frames *before* a failure; yours is over all of them": (
            _a(lambda s, lengths: _accuracy(s, counted=lambda P, N: N))
        ),
        "{about}: the overlaps before a failure are divided by the number of these frames, not by "
        "that of all": _a(
            lambda s, lengths: (
                sum(o[:P].sum() for runs in s for o, P in runs)
                / sum(len(o) for runs in s for o, _ in runs)
            )
        ),
        "{about}: sequences are weighted in the accuracy, by their frames before a failure; yours "
        "are not": _a(lambda s, lengths: float(np.mean(_of_each(s)))),
        "{about}: in the accuracy a sequence's weight is the number of frames before a failure, not "
        "its length": _a(lambda s, lengths: float(np.average(_of_each(s), weights=lengths))),
        "{about}: on a sequence, the frames of all runs are pooled for the accuracy; yours is a "
        "mean over runs": [
            _a(
                lambda s, lengths: float(
                    np.mean([o[:P].mean() for runs in s for o, P in runs if P])
                )
            ),
            _a(
                lambda s, lengths: float(
                    np.mean([np.mean([o[:P].mean() for o, P in runs if P]) for runs in s])
                )
            ),
        ],
        "{about}: the failure's first frame is not among those before it": (
            _a(lambda s, lengths: _accuracy(s, counted=lambda P, N: P + 1))
        ),
        "{about}: sequences are weighted in the robustness, by their length; yours are not": (
            _r(lambda s, lengths: float(_shares(s).mean()))
        ),
        "{about}: in the robustness a sequence's weight is its length, not the frames of all its "
        "runs": _r(
            lambda s, lengths: (
                sum(P for runs in s for _, P in runs) / sum(len(o) for runs in s for o, _ in runs)
            )
        ),
        "{about}: in the robustness a sequence's weight is its length, not its frames before a "
        "failure": _r(
            lambda s, lengths: float(
                np.average(_shares(s), weights=[sum(P for _, P in runs) for runs in s])
            )
        ),
        "{about}: on a sequence, the robustness is a fraction of the frames of all its runs, not of "
        "its length": _r(lambda s, lengths: sum(P for runs in s for _, P in runs) / sum(lengths)),
        "{about}: in the robustness a sequence's weight is its length, not the number of its runs": (
            _r(lambda s, lengths: float(np.average(_shares(s), weights=[len(r) for r in s])))
        ),
        "{about}: on a sequence, the frames of all runs are pooled for the robustness; yours is a "
        "mean over runs": [
            _r(lambda s, lengths: float(np.mean(_run_shares(s)))),
            _r(
                lambda s, lengths: float(
                    np.average([np.mean(_run_shares([r])) for r in s], weights=lengths)
                )
            ),
        ],
        "{about}: robustness is the fraction of *frames* before a failure, not of runs without "
        "one": _r(lambda s, lengths: float(np.mean([len(o) == P for runs in s for o, P in runs]))),
        "{about}: your accuracy and robustness have changed places": (
            lambda right, *given: right(*given)[::-1]
        ),
        "{about}: yours is the fraction of frames after a failure; take those *before* it": (
            _r(lambda s, lengths: 1 - _robustness(s, lengths))
        ),
    },
    others={
        "return the accuracy, the robustness": lambda right, *given: right(*given)[0],
        "expected": lambda right, *given: tuple(v / 2 for v in right(*given)),
        "is 0": lambda right, *given: (right(*given)[0], 0.0),
    },
)
def examine_scores(answer: Any, rng: np.random.Generator) -> None:
    """Sequences of different lengths and numbers of runs, with failures and without."""
    cases = []
    for k in range(4):
        sequences, lengths = [], []
        for length, ends in ((60, (60, 40, 55)), (130, (130, 80)), (90, (90, 45, 90, 70))):
            runs: Runs = []
            for N in ends[: len(ends) - (k == 3 and length == 60)]:
                overlaps = rng.uniform(0.2, 0.5) + rng.uniform(0, 0.4, N)
                overlaps[0] = 0
                P = int(rng.integers(0, N)) if rng.random() < 0.6 else N
                overlaps[P:] = rng.uniform(0.02, 0.09, N - P)
                runs.append((overlaps, P))
            overlaps, _ = runs[0]  # one failure and one whole run at least
            runs[0] = overlaps, len(overlaps) // 3
            sequences.append(runs)
            lengths.append(length)
        cases.append((sequences, lengths))

    def read(given: Any, case: tuple[Any, ...]) -> list[float]:
        return list(as_array(as_parts(given, *NAMES), (2,), " and ".join(NAMES)))

    compare_cases(answer, cases, NAMES, read, _about, close=1e-6)


def _about(sequences: list[Runs], lengths: list[int]) -> str:
    """What a message calls a case."""
    runs = [len(runs) for runs in sequences]
    return f"sequences of {', '.join(map(str, lengths))} frames with {runs} runs"
