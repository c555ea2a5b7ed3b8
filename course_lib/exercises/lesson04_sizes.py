"""Checks of lesson 04: output sizes, receptive field and stride."""

from __future__ import annotations

from course_lib.exercises.compare import as_number, as_parts
from course_lib.exercises.core import check
from course_lib.geometry import receptive

LAYER = "for {0} cells, kernel {1}, stride {2}, padding {3} your size is {given:g}"


@check(
    "siamfc.output",
    reference=receptive.output_size,
    mistakes={
        LAYER + ": padding is added on both sides": [
            lambda right, n, k, s, p: right(n, k, s, 0),
            lambda right, n, k, s, p: right(n + p, k, s, 0),
        ],
        LAYER + ": padding widens the input, before the window takes its steps": (
            lambda right, n, k, s, p: right(n, k, s, 0) + 2 * p
        ),
        LAYER + ": one too few. The window takes (size + 2 · padding − kernel) // stride "
        "whole steps, and its first position, before any step, counts too": [
            lambda right, *given: right(*given) - 1,
            lambda right, n, k, s, p: (n + 2 * p - k + 1) // s,
        ],
        LAYER + ": a window that does not fit entirely is left out, so round down": [
            lambda right, n, k, s, p: (n + 2 * p - k) / s + 1,
            lambda right, n, k, s, p: -(-(n + 2 * p - k) // s) + 1,
        ],
        LAYER + ": one too many; there is one first position": (
            lambda right, *given: right(*given) + 1
        ),
        LAYER + ": the window takes steps of {2}, so divide by the stride": (
            lambda right, n, k, s, p: right(n, k, 1, p)
        ),
        LAYER + ": subtract the kernel before you divide by the stride (brackets)": (
            lambda right, n, k, s, p: n + 2 * p - k // s + 1
        ),
        LAYER + ": the window needs room; subtract the kernel": [
            lambda right, n, k, s, p: (n + 2 * p) // s,
            lambda right, n, k, s, p: (n + 2 * p) // s + 1,
        ],
    },
)
def examine_output(answer, rng) -> None:
    """Output size of one layer."""
    for layer in (
        (127, 11, 2, 0),  # it fits exactly
        (126, 11, 4, 8),  # every mistake has a size of its own here
        (30, 3, 2, 0),
        (28, 3, 1, 1),
        (14, 4, 3, 2),
        (14, 4, 3, 0),
        (59, 3, 2, 0),
        tuple(int(v) for v in rng.integers((20, 2, 1, 0), (60, 9, 5, 4))),
    ):
        answer.compare(layer, "the size", otherwise=LAYER + "; expected {right:g}")


def _read_field(given) -> tuple[float, float]:
    """Field and stride as numbers."""
    field, stride = as_parts(given, "field", "stride")
    return as_number(field, "the field"), as_number(stride, "the stride")


def _walk(start, gaps):
    """A mistake: another walk through the layers, each gaps(kernel, stride, jump) pixels wider."""

    def walk(right, layers):
        field, jump = start
        for kernel, stride in layers:
            field += gaps(kernel, stride, jump)
            jump *= stride
        return field, jump

    return walk


def _backwards(right, layers):
    """A mistake: the formula that starts at the last layer, from the first one."""
    field = 1
    for kernel, stride in layers:
        field = (field - 1) * stride + kernel
    return field, right(layers)[1]


FIELD = "for {0} your field is {given[0]:g}"
STRIDE = "for {0} your stride is {given[1]:g}"


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
        STRIDE + ": strides multiply, they do not add": [
            (1, lambda right, layers: (right(layers)[0], sum(s for _, s in layers))),
            (1, lambda right, layers: (right(layers)[0], 1 + sum(s for _, s in layers))),
        ],
        STRIDE + ", that of the last layer alone: it is the product of all layers' strides": (
            1,
            lambda right, layers: (right(layers)[0], layers[-1][1]),
        ),
        STRIDE + ": the last layer's stride counts too": (
            1,
            lambda right, layers: (right(layers)[0], right([(1, 1), *layers[:-1]])[1]),
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
        FIELD + ": a kernel of 3 cells spans 2 gaps, not 3": [
            (0, _walk((1, 1), lambda k, s, jump: k * jump)),
            (0, _walk((0, 1), lambda k, s, jump: k * jump)),
        ],
        FIELD + ": (field − 1) · stride + kernel goes from the last layer back to the first": (
            0,
            _backwards,
        ),
    },
)
def examine_field(answer, rng) -> None:
    """Receptive field and stride of a stack."""
    kernels, strides = rng.integers(2, 8, 5).tolist(), rng.integers(1, 4, 5).tolist()
    for layers in (
        [(11, 2), (5, 4)],
        [(11, 2)],
        [(3, 1)] * 3,
        [(5, 3), (4, 1), (2, 2), (7, 1)],
        [*zip(kernels, strides, strict=True)],
    ):
        field, stride = answer.right(layers)
        answer.compare(
            (layers,),
            ("the field", "the stride"),
            _read_field,
            otherwise="for {0} your field is {given[0]:g} and your stride {given[1]:g}; expected "
            f"{field} and {stride}",
        )
