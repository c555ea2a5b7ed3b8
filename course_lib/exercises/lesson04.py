"""Checks of lesson 04: crops, receptive field arithmetic."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_number, as_parts
from course_lib.exercises.core import check
from course_lib.geometry import receptive, windows


def side_around(box) -> np.ndarray:
    """`context_side` of a box (4,)."""
    return windows.context_side(box[2:])


@check(
    "siamfc.side",
    reference=side_around,
    mistakes={
        "you widen the box by (w + h) / 4 in total; that much belongs on each side, so w and h "
        "each grow by (w + h) / 2": lambda right, b: np.sqrt(np.prod(b[2:] + b[2:].sum() / 4)),
        "that is the square's area: take its square root": lambda right, b: right(b) ** 2,
        "the square has the area of the widened box: the square root of the product, not the "
        "longer side or the mean": [
            lambda right, b: b[2:].max() + b[2:].sum() / 2,
            lambda right, b: b[2:].sum(),
        ],
        "the context is missing: add (w + h) / 2 to w and to h": (
            lambda right, b: np.sqrt(b[2:].prod())
        ),
    },
)
def examine_side(answer, rng) -> None:
    """Side of the exemplar's square."""
    for _ in range(4):
        box = np.concatenate([rng.uniform(0, 200, 2), rng.uniform(10, 200, 2)])
        answer.compare((box,), "the side", hint="√((w + p)(h + p)) with p = (w + h) / 2")


def _shifted(right, cx, cy, side, size, by):
    """The right map with both offsets shifted by so many pixels."""
    return right(cx, cy, side, size) + [[0, 0, by], [0, 0, by]]


LAST = np.s_[:, 2]  # of a map: where it sends pixel 0


@check(
    "siamfc.crop",
    reference=windows.crop_matrix,
    mistakes={
        "your map goes from the frame to the crop; cv2.warpAffine needs the way back here: "
        "a step of side / size": (
            np.s_[:, :2],
            lambda right, cx, cy, side, size: (
                np.array([[1, 0, side / 2 - cx], [0, 1, side / 2 - cy]]) * size / side
            ),
        ),
        "your crop is shifted by half a pixel: pixel 0 has its centre at 0.5, in the crop and in "
        "the frame; so crop pixel k lies at (k + 0.5)·step + corner − 0.5": (
            LAST,
            lambda right, cx, cy, side, size: _shifted(
                right, cx, cy, side, size, 0.5 - side / size / 2
            ),
        ),
        "your crop begins at the target's centre; its corner is half a side up and left of it": (
            LAST,
            lambda right, cx, cy, side, size: np.array([[1, 0, cx], [0, 1, cy]]),
        ),
        "x and y are swapped: the first row yields the column x": (
            LAST,
            lambda right, cx, cy, side, size: right(cy, cx, side, size),
        ),
        "the − 0.5 is missing: frame pixel indices refer to pixel centres too": (
            LAST,
            lambda right, *given: _shifted(right, *given, 0.5),
        ),
    },
)
def examine_crop(answer, rng) -> None:
    """Affine map from crop pixels to frame pixels."""
    for _ in range(4):
        cx, cy, side = (float(v) for v in rng.uniform(30, 200, 3))
        answer.compare((cx, cy, side, int(rng.choice([127, 255]))), "the map", (2, 3))


LAYER = "for {0} cells, kernel {1}, stride {2}, padding {3} your size is {given:g}"


@check(
    "siamfc.output",
    reference=receptive.output_size,
    mistakes={
        LAYER + ": padding is added on both sides": [
            lambda right, n, k, s, p: right(n, k, s, 0),
            lambda right, n, k, s, p: right(n + p, k, s, 0),
        ],
        LAYER + ": one too few. The window also has its first position, before any step": (
            lambda right, *given: right(*given) - 1
        ),
        LAYER + ": a window that does not fit entirely is left out, so round down": (
            lambda right, n, k, s, p: (n + 2 * p - k) / s + 1
        ),
    },
    others={"; expected": lambda right, n, k, s, p: -(-(n + 2 * p - k) // s) + 1},
)
def examine_output(answer, rng) -> None:
    """Output size of one layer."""
    for layer in (
        (127, 11, 2, 0),
        (59, 3, 2, 0),
        (30, 3, 2, 0),
        (28, 3, 1, 1),
        (255, 11, 2, 0),
        (14, 4, 3, 2),
    ):
        answer.compare(layer, "the size", otherwise=LAYER + "; expected {right:g}")


def _late(right, layers):
    """A mistake: a layer's own stride spreads its window."""
    kernels, strides = zip(*layers, strict=True)
    return right([*zip((1, *kernels), (*strides, 1), strict=True)])


FIELD = "for {0} your field is {given:g}"
STRIDE = "for {0} your stride is {given:g}, expected {right:g}: "


@check(
    "siamfc.field",
    reference=receptive.field_and_stride,
    mistakes={
        STRIDE + "strides multiply, they do not add": lambda right, layers: (
            right(layers)[0],
            sum(s for _, s in layers),
        ),
        FIELD + ": a layer's window is spread by the strides before it, not by its own": _late,
        FIELD + ": after a stride, cells are further apart in the image": (
            lambda right, layers: (right([(k, 1) for k, _ in layers])[0], right(layers)[1])
        ),
        FIELD + ": before the first layer a cell sees 1 pixel, not 0": lambda right, layers: (
            right(layers)[0] - 1,
            right(layers)[1],
        ),
    },
)
def examine_field(answer, rng) -> None:
    """Receptive field and stride of a stack."""
    kernels, strides = rng.integers(2, 8, 5).tolist(), rng.integers(1, 4, 5).tolist()
    for layers in (
        [(11, 2)],
        [(11, 2), (3, 2)],
        [(3, 1)] * 3,
        [*zip(kernels, strides, strict=True)],
    ):
        for part, what, words in (
            (1, "the stride", STRIDE + "it is the product of the layers' strides"),
            (0, "the field", FIELD + ", expected {right:g}"),
        ):

            def read(given, part=part, what=what):
                return as_number(as_parts(given, "field", "stride")[part], what)

            answer.compare((layers,), what, read, otherwise=words)
