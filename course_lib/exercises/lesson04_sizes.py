"""Checks of lesson 04: output sizes, receptive field and stride."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.compare import as_number, as_parts
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import receptive


def _layer(n, k, s=None, p=None) -> str:
    """What a message calls a call of `output_size`."""
    rest = [f", {name} {v}" for name, v in (("stride", s), ("padding", p)) if v is not None]
    return f"for {n} cells and kernel {k}{''.join(rest)}"


LAYER = "{about} your size is {yours[0]:g}, expected {wanted[0]:g}"


@check(
    "siamfc.output",
    reference=receptive.output_size,
    mistakes={
        LAYER + ": padding is added on both sides": [
            lambda right, n, k, s=1, p=0: right(n, k, s, 0),
            lambda right, n, k, s=1, p=0: right(n + p, k, s, 0),
            lambda right, n, k, s=1, p=0: right(n, k, s, -p),
        ],
        LAYER + ": padding widens the input, before the window takes its steps": [
            lambda right, n, k, s=1, p=0: right(n, k, s, 0) + 2 * p,
            lambda right, n, k, s=1, p=0: right(n, k, s, 0) + 2 * p // s,
        ],
        LAYER + ": one too few. The window takes (size + 2 · padding − kernel) // stride "
        "whole steps, and its first position, before any step, counts too": [
            lambda right, *given: right(*given) - 1,
            lambda right, n, k, s=1, p=0: (n + 2 * p - k + 1) // s,
        ],
        LAYER + ": a window that does not fit entirely is left out, so round down": [
            lambda right, n, k, s=1, p=0: (n + 2 * p - k) / s + 1,
            lambda right, n, k, s=1, p=0: -(-(n + 2 * p - k) // s) + 1,
            lambda right, n, k, s=1, p=0: round((n + 2 * p - k) / s) + 1,
        ],
        LAYER + ": from its first position the window has size + 2 · padding − kernel cells to "
        "move through; yours has one more": (
            lambda right, n, k, s=1, p=0: (n + 2 * p - k + 1) // s + 1
        ),
        LAYER + ": one too many; there is one first position": (
            lambda right, *given: right(*given) + 1
        ),
        LAYER + ": the window takes steps of `stride`, so divide by it": (
            lambda right, n, k, s=1, p=0: right(n, k, 1, p)
        ),
        LAYER + ": you divide by 2 whatever the stride is": (
            lambda right, n, k, s=1, p=0: right(n, k, 2, p)
        ),
        LAYER + ": you subtract 3 whatever the kernel is": (
            lambda right, n, k, s=1, p=0: right(n, 3, s, p)
        ),
        LAYER + ": subtract the kernel before you divide by the stride (brackets)": (
            lambda right, n, k, s=1, p=0: n + 2 * p - k // s + 1
        ),
        LAYER + ": subtract the whole kernel, since the whole window must fit": (
            lambda right, n, k, s=1, p=0: (n + 2 * p - k // 2) // s + 1
        ),
        LAYER + ": the window needs room; subtract the kernel": [
            lambda right, n, k, s=1, p=0: (n + 2 * p) // s,
            lambda right, n, k, s=1, p=0: (n + 2 * p) // s + 1,
            lambda right, n, k, s=1, p=0: -(-n // s),
            lambda right, n, k, s=1, p=0: -(-(n + 2 * p) // s),
        ],
        LAYER + ": where they are not given, the stride is 1 and the padding 0": [
            lambda right, n, k, s=2, p=0: right(n, k, s, p),
            lambda right, n, k, s=1, p=1: right(n, k, s, p),
        ],
    },
    others={"may be left out": lambda right, n, k, s, p: right(n, k, s, p)},
)
def examine_output(answer, rng) -> None:
    """Output size of one layer."""
    _check_defaults(answer)
    layers = rng.integers((20, 1, 1, 0), (60, 9, 6, 5), (40, 4)).tolist()
    cases = [
        (127, 11, 2, 0),  # it fits exactly
        (126, 11, 4, 8),
        (30, 3, 2, 0),
        (28, 3, 1, 1),
        (7, 7, 3, 0),  # in one place only
        (59, 3, 2),
        (24, 5),
        *map(tuple, layers),
    ]
    compare_cases(answer, cases, ("the size",), reads("the size"), _layer)


def _check_defaults(answer) -> None:
    """Stride and padding need not be given."""
    try:
        answer(24, 5)
    except TypeError:
        answer(24, 5, 1, 0)  # raises again if it is something else
        raise Wrong(
            "stride and padding may be left out: `stride=1, padding=0`, as in the task; the next "
            "cells do so"
        ) from None


def _walk(start, gaps):
    """A mistake: another walk through the layers, each gaps(kernel, stride, jump) pixels wider."""

    def walk(right, layers):
        field, jump = start
        for kernel, stride in layers:
            field += gaps(kernel, stride, jump)
            jump *= stride
        return field, jump

    return walk


def _strides(stride_of):
    """A mistake: the right field, and another stride, stride_of(strides)."""
    return lambda right, layers: (right(layers)[0], stride_of([s for _, s in layers]))


FIELD = "{about} your field is {yours[0]:g}, expected {wanted[0]:g}"
STRIDE = "{about} your stride is {yours[1]:g}, expected {wanted[1]:g}"


@check(
    "siamfc.field",
    reference=receptive.field_and_stride,
    mistakes={
        "you return (stride, field); the field comes first": (
            lambda right, layers: right(layers)[::-1]
        ),
        "you take each stride for the kernel: a layer is (kernel, stride)": (
            lambda right, layers: right([layer[::-1] for layer in layers])
        ),
        "{about} you return the numbers of its first layer alone: return after the loop": (
            lambda right, layers: right(layers[:1])
        ),
        "{about} your numbers leave out the first layer": lambda right, layers: right(layers[1:]),
        "{about} your numbers leave out the last layer": lambda right, layers: right(layers[:-1]),
        STRIDE + ": strides multiply, they do not add": [
            (1, _strides(sum)),
            (1, _strides(lambda strides: 1 + sum(strides))),
            (1, _strides(lambda strides: 1 + sum(strides) - len(strides))),
        ],
        STRIDE + ", and yours is that of the last layer alone: it is the product of all layers' "
        "strides": (1, _strides(lambda strides: strides[-1])),
        STRIDE + ": the last layer's stride counts too": (
            1,
            _strides(lambda strides: int(np.prod(strides[:-1]))),
        ),
        STRIDE + ": you double it at every layer; multiply by the layer's own stride": (
            1,
            _strides(lambda strides: 2 ** len(strides)),
        ),
        FIELD + ": a layer's window is spread by the strides before it, not by its own": [
            (0, _walk((1, 1), lambda k, s, jump: (k - 1) * jump * s)),
            (0, _walk((1, 1), lambda k, s, jump: (k - 1) * s)),
        ],
        FIELD + ": after a stride, cells are further apart in the image": (
            0,
            _walk((1, 1), lambda k, s, jump: k - 1),
        ),
        FIELD + ": before the first layer a cell sees 1 pixel, not 0": (
            0,
            _walk((0, 1), lambda k, s, jump: (k - 1) * jump),
        ),
        FIELD + ": a kernel of 3 cells spans 2 gaps, one of k cells k − 1": [
            (0, _walk((1, 1), lambda k, s, jump: k * jump)),
            (0, _walk((0, 1), lambda k, s, jump: k * jump)),
            (0, _walk((1, 1), lambda k, s, jump: (k + 1) * jump)),
            (0, _walk((1, 1), lambda k, s, jump: k // 2 * 2 * jump)),
        ],
        "{about} your field is that of the same layers in the opposite order: walk from the first "
        "layer to the last ((field − 1) · stride + kernel would go from the last to the first)": (
            0,
            lambda right, layers: right(layers[::-1]),
        ),
    },
)
def examine_field(answer, rng) -> None:
    """Receptive field and stride of a stack."""
    cases = [
        [(11, 2), (5, 4)],
        [(11, 2)],
        [(3, 1)] * 3,
        [(5, 3), (4, 1), (2, 2), (7, 1)],
        [(1, 2), (3, 2), (1, 1), (2, 3)],  # a kernel of 1 sees no more, and its stride counts
    ]
    for depth in (3, 5, 5, 7):
        kernels, strides = rng.integers(1, 8, depth), rng.integers(1, 4, depth)
        cases.append([*zip(kernels.tolist(), strides.tolist(), strict=True)])
    compare_cases(
        answer,
        [(case,) for case in cases],
        ("the field", "the stride"),
        _read_field,
        lambda layers: f"for {layers}",
    )


def _read_field(given, case) -> list[float]:
    field, stride = as_parts(given, "field", "stride")
    return [as_number(field, "the field"), as_number(stride, "the stride")]
