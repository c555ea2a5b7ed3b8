"""Checks of lesson 09: the weights of a large convolution."""

from __future__ import annotations

from course_lib.exercises.core import check


def weights_of(k: int, before: int, mid: int, after: int) -> tuple[int, int]:
    """Weights of a convolution, and of its two separable branches.

    Args:
        k: the convolution is k × k.
        before: channels of its input.
        mid: channels inside the branches.
        after: channels of its output.
    """
    return k * k * before * after, 2 * k * mid * (before + after)


def _plain(count):
    """A mistake: the convolution's count is count(k, before, mid, after)."""
    return 0, lambda right, *case: (count(*case), right(*case)[1])


def _separable(count):
    """A mistake: the branches' count is count(k, before, mid, after)."""
    return 1, lambda right, *case: (right(*case)[0], count(*case))


@check(
    "match.count",
    reference=weights_of,
    mistakes={
        "your separable count has one branch; there are two: k × 1 then 1 × k, and 1 × k then k × "
        "1": _separable(lambda k, before, mid, after: k * mid * (before + after)),
        "a k × k kernel has k² weights for each pair of channels, not k": _plain(
            lambda k, before, mid, after: k * before * after
        ),
        "a k × 1 kernel has k weights for each pair of channels, not k²": _separable(
            lambda k, before, mid, after: 2 * k * k * mid * (before + after)
        ),
        "the plain convolution comes first, the separable one second": (
            lambda right, *case: right(*case)[::-1]
        ),
        "every pair of an input and an output channel has a kernel of its own: multiply by the "
        "number of pairs": [
            _plain(lambda k, before, mid, after: k * k * after),
            _plain(lambda k, before, mid, after: k * k * (before + after)),
            _separable(lambda k, before, mid, after: 2 * k * (before + mid + after)),
            _separable(lambda k, before, mid, after: 2 * k * (before + mid + mid + after)),
            _separable(lambda k, before, mid, after: 2 * k * (mid + after)),
        ],
        "the first step of a branch leads from {1} to {2} channels, the second from {2} to {3}": [
            _separable(lambda k, before, mid, after: 2 * k * mid * (before + mid)),
            _separable(lambda k, before, mid, after: 2 * k * after * (before + after)),
            _separable(lambda k, before, mid, after: 2 * k * before * (mid + after)),
            _separable(lambda k, before, mid, after: 4 * k * before * mid),
            _separable(lambda k, before, mid, after: 4 * k * mid * after),
            _separable(lambda k, before, mid, after: 4 * k * before * after),
            _separable(lambda k, before, mid, after: 2 * k * before * after),
        ],
        "the two steps of a branch are layers of their own: their weights are added, not "
        "multiplied": _separable(lambda k, before, mid, after: 2 * (k * mid) ** 2 * before * after),
        "the plain convolution goes straight from {1} to {3} channels": [
            _plain(lambda k, before, mid, after: k * k * before * mid),
            _plain(lambda k, before, mid, after: k * k * mid * (before + after)),
        ],
        "count the weights, each as one; yours are millions, or a ratio": [
            lambda right, *case: tuple(count / 1e6 for count in right(*case)),
            lambda right, *case: (1, right(*case)[0] / right(*case)[1]),
        ],
        "k may be even here: nothing is padded": lambda right, k, *rest: right(
            k // 2 * 2 + 1, *rest
        ),
        "the kernel's side is an argument, here {0}": [
            lambda right, k, *rest: right(11, *rest),
            _plain(lambda k, before, mid, after: 11 * 11 * before * after),
        ],
        "biases are not counted": [
            _plain(lambda k, before, mid, after: k * k * before * after + after),
            _plain(lambda k, before, mid, after: (k * k * before + 1) * after),
            _separable(
                lambda k, before, mid, after: 2 * (k * mid * (before + after) + mid + after)
            ),
        ],
    },
)
def examine_count(answer, rng) -> None:
    """Weights of a large convolution and of its separable counterpart."""
    for case in ((11, 2048, 512, 300), (7, 96, 40, 320), (3, 5, 13, 8), (4, 6, 7, 11)):
        named = f"for k = {case[0]} and {case[1]}, {case[2]} and {case[3]} channels the counts"
        answer.compare(case, "the pair of counts", (2,), named=named, tolerance=1e-12)
