"""Checks of lesson 02: the response of a filter, and a fault in a faster way to it."""

from __future__ import annotations

import numpy as np
from numpy.fft import fft2, fftshift, ifft2, ifftshift, irfft2, rfft2

from course_lib.exercises.compare import as_array, as_number, as_parts, plain
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable
from course_lib.exercises.words import Wrong
from course_lib.trackers import mosse

PARTS = ("response", "dx", "dy")


def _response(change):
    """A mistake in the response: (F, A, B) → array; the displacement is that of its peak."""

    def mistake(right, f, A, B):
        values = change(fft2(f), A, B)
        return _at(values, *np.unravel_index(np.real(values).argmax(), values.shape))

    return mistake


def _largest_in_size(right, f, A, B):
    """A mistake: the peak is looked for in the absolute value."""
    values = right(f, A, B)[0]
    return _at(values, *np.unravel_index(np.abs(values).argmax(), values.shape))


def _at(values, row, column):
    """A response with the displacement of a place in it."""
    h, w = values.shape
    return values, int(column) - w // 2, int(row) - h // 2


def _by_sums(right, f, A, B):
    """A mistake: the highest row and column on average."""
    values = right(f, A, B)[0]
    return _at(values, values.sum(axis=1).argmax(), values.sum(axis=0).argmax())


def _lowest(right, f, A, B):
    """A mistake: the lowest value."""
    values = right(f, A, B)[0]
    return _at(values, *np.unravel_index(values.argmin(), values.shape))


def _displaced(change):
    """A mistake in the displacement: (dx, dy, h, w) → dx, dy."""
    return lambda right, f, A, B: (right(f, A, B)[0], *change(*right(f, A, B)[1:], *f.shape))


@check(
    "mosse.respond",
    reference=mosse.respond,
    mistakes={
        "your response is rolled by half its size: g has its peak at the centre, so nothing needs "
        "to be shifted here": [
            _response(lambda F, A, B: fftshift(ifft2(F * A / B).real)),
            _response(lambda F, A, B: ifftshift(ifft2(F * A / B).real)),
        ],
        "you conjugate the filter: A / B is H* already": (
            _response(lambda F, A, B: ifft2(F * np.conj(A / B)).real)
        ),
        "you conjugate F: A / B is H* already, and F stays as it is": (
            _response(lambda F, A, B: ifft2(np.conj(F) * A / B).real)
        ),
        "you multiply by B; the filter is A / B": _response(lambda F, A, B: ifft2(F * A * B).real),
        "you divide by A; the filter is A / B": _response(lambda F, A, B: ifft2(F * B / A).real),
        "you do not divide by B: the filter is A / B": (
            _response(lambda F, A, B: ifft2(F * A).real)
        ),
        "you do not multiply by F: the response is that of the filter alone": (
            _response(lambda F, A, B: ifft2(A / B).real)
        ),
        "you multiply the patch itself, not its transform": (
            _response(lambda F, A, B: ifft2(ifft2(F) * A / B).real)
        ),
        "you transform forward once more (fft2); the way back is ifft2": (
            _response(lambda F, A, B: fft2(F * A / B).real)
        ),
        "you do not transform back: ifft2": _response(lambda F, A, B: (F * A / B).real),
        "you take the absolute value; a response can be negative: take the real part": (
            _response(lambda F, A, B: np.abs(ifft2(F * A / B)))
        ),
        "you take the imaginary part, which is rounding noise": (
            _response(lambda F, A, B: ifft2(F * A / B).imag)
        ),
        "you scale the response to a peak of 1; its height says how sure the filter is": (
            _response(lambda F, A, B: ifft2(F * A / B).real / ifft2(F * A / B).real.max())
        ),
        "your peak is that of the absolute value; take the highest value, whatever lies below 0": (
            _largest_in_size
        ),
        "you take dy for dx: the row is y, and dx comes first": (
            _displaced(lambda dx, dy, h, w: (dy, dx))
        ),
        "row and column of the peak are exchanged: np.unravel_index returns the row first": (
            _displaced(lambda dx, dy, h, w: (dy + h // 2 - w // 2, dx + w // 2 - h // 2))
        ),
        "both of your displacements are measured from half the width: rows belong to the height": (
            _displaced(lambda dx, dy, h, w: (dx, dy + h // 2 - w // 2))
        ),
        "both of your displacements are measured from half the height: columns belong to the "
        "width": _displaced(lambda dx, dy, h, w: (dx + w // 2 - h // 2, dy)),
        "your dx, dy point from the peak to the centre: the wrong way": (
            _displaced(lambda dx, dy, h, w: (-dx, -dy))
        ),
        "your dx, dy are the position of the peak; the displacement is measured from the centre of "
        "the patch": _displaced(lambda dx, dy, h, w: (dx + w // 2, dy + h // 2)),
        "you measure from the centre with height and width exchanged: columns belong to the "
        "width": _displaced(lambda dx, dy, h, w: (dx + w // 2 - h // 2, dy + h // 2 - w // 2)),
        "you measure from w / 2, h / 2, half a pixel off for an odd side: the centre is the pixel "
        "(h // 2, w // 2)": _displaced(lambda dx, dy, h, w: (dx - w % 2 / 2, dy - h % 2 / 2)),
        "you measure from (w − 1) / 2, (h − 1) / 2; the centre is the pixel (h // 2, w // 2)": [
            _displaced(lambda dx, dy, h, w: (dx + (1 - w % 2) / 2, dy + (1 - h % 2) / 2)),
            _displaced(lambda dx, dy, h, w: (dx + 1 - w % 2, dy + 1 - h % 2)),
        ],
        "you measure from half the side, rounded up; the centre is the pixel (h // 2, w // 2)": (
            _displaced(lambda dx, dy, h, w: (dx - w % 2, dy - h % 2))
        ),
        "your displacement counts rows and columns beyond half the patch as negative, like "
        "np.fft.fftfreq; but g has its peak at the centre": (
            _displaced(
                lambda dx, dy, h, w: (
                    dx + w // 2 - w * (dx >= 0),
                    dy + h // 2 - h * (dy >= 0),
                )
            )
        ),
        "your dx and dy are 1 too large: Python counts from 0": (
            _displaced(lambda dx, dy, h, w: (dx + 1, dy + 1))
        ),
        "your peak is where rows and columns are highest on average; it is the highest value of "
        "the response": _by_sums,
        "your peak is the lowest value of the response": _lowest,
        "the response's values below 0 are cut off: leave it as it is": (
            _response(lambda F, A, B: np.maximum(ifft2(F * A / B).real, 0))
        ),
        "your transform is scaled (norm=…); without `norm`, np.fft.fft2 has no factor": [
            _response(lambda F, A, B: ifft2(F * A / B).real / F.size**0.5),
            _response(lambda F, A, B: ifft2(F * A / B).real * F.size**0.5),
        ],
        "something is added to B; the filter is A / B as they are": [
            _response(lambda F, A, B, more=more: ifft2(F * A / (B + more)).real)
            for more in (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
        ],
    },
    others={
        "three parts": [
            lambda right, *given: right(*given)[0],
            lambda right, *given: right(*given)[1:],
        ],
        "complex": _response(lambda F, A, B: ifft2(F * A / B) * (1 + 1e-9j)),
        "you say": _displaced(lambda dx, dy, h, w: (dx, 0)),
    },
)
def examine_respond(answer, rng) -> None:
    """Response and displacement, for odd and even sides; a peak that is not the largest value in
    size, and a filter of small numbers."""
    moved = []
    for h, w in ((20, 27), (23, 16)):
        patch, target = rng.normal(size=(h, w)), mosse.gaussian_target(h, w, 2.0)
        A, B = mosse.train_filter(patch[None], target, 1e-3)
        weak = (0.01 * patch, *mosse.train_filter(0.01 * patch[None], target, 1e-3))
        negative = (-0.7 * patch + 0.3 * np.roll(patch, (3, -4), axis=(0, 1)), A, B)
        shifts = ((0, 0), (4, 1), (-3, 2), (5, -6), (6, 5))
        cases = [(np.roll(patch, (dy, dx), axis=(0, 1)), A, B) for dx, dy in shifts]
        for inputs in (*cases, negative, weak):
            hint = "transform, times A / B, transform back"
            answer.compare(inputs, "the response", _real_response((h, w)), hint=hint)
        moved += [*cases, negative]
    compare_moves(answer, moved)
    require_repeatable(answer, *moved[::3])


def compare_moves(answer, cases: list[tuple[np.ndarray, ...]]) -> None:
    """Compare an answer's displacements in all cases at once: in a single case, mistakes that
    were not made would seem to be made.

    Args:
        answer: on trial; its responses are right.
        cases: patch, A, B of each.
    """
    true = np.array([answer.right(*case)[1:] for case in cases])  # (cases, 2)

    def read(given):
        responses, *moves = zip(*given, strict=True)
        moves = [
            [as_number(v, name) for v in vs] for vs, name in zip(moves, PARTS[1:], strict=True)
        ]
        return np.concatenate([np.ravel(plain(r)) for r in responses]), np.transpose(moves)

    def words(given, right):
        k = int(np.argmax(np.abs(given[1] - true).max(axis=1) > 1e-6))
        (dx, dy), (x, y) = true[k], given[1][k]
        return (
            f"the highest value of this response lies at ({dx}, {dy}) from the centre, right and "
            f"down; you say ({x:g}, {y:g})"
        )

    answer.compare(tuple(cases), PARTS, read, call=_each, otherwise=words)


def _each(answer, *cases) -> list[tuple]:
    return [as_parts(answer(*case), *PARTS) for case in cases]


def _real_response(shape: tuple[int, int]):
    """Reads the response of an answer."""

    def read(given):
        values, _, _ = as_parts(given, *PARTS)
        values = as_array(values, shape, "the response")
        if np.iscomplexobj(values):
            raise Wrong("your response is complex: take its real part")
        return values

    return read


def respond_half(patch: np.ndarray, A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Response (h, w) and displacement (dx, dy) of its peak, as `mosse.respond`, from half spectra.

    Args:
        patch: (h, w), preprocessed.
        A, B: numerator and denominator (h, w // 2 + 1), the left half of fft2's columns.
    """
    response = irfft2(rfft2(patch) * A / B, s=patch.shape)  # (h, w)
    row, column = np.unravel_index(response.argmax(), response.shape)
    return response, int(column) - patch.shape[1] // 2, int(row) - patch.shape[0] // 2


def _half(response, centre=lambda response, h, w: (h // 2, w // 2)):
    """A fix that does not work: another response, (half spectrum, h, w) → array; another centre."""

    def mistake(right, f, A, B):
        values = response(rfft2(f) * A / B, *f.shape)
        row, column = np.unravel_index(values.argmax(), values.shape)
        i, j = centre(values, *f.shape)
        return values, int(column) - j, int(row) - i

    return mistake


def _padded(width):
    """A mistake: too narrow a response, with columns added; (width, w) → before, after."""
    return lambda S, h, w: np.pad(irfft2(S), ((0, 0), width(w)))


@check(
    "mosse.fault",
    reference=respond_half,
    mistakes={
        "you add a column to a response that is too narrow. Its other columns are still "
        "compressed, {w} px into {w} − 1: tell irfft2 how wide the patch was": [
            _half(_padded(lambda w: (0, w % 2))),
            _half(_padded(lambda w: (w % 2, 0))),
        ],
        "you put zeros or a neighbour's value where the other half of the spectrum belongs: it "
        "holds the conjugates": [
            _half(lambda S, h, w: ifft2(np.pad(S, ((0, 0), (0, w - S.shape[1])))).real),
            _half(lambda S, h, w: ifft2(np.pad(S, ((0, 0), (0, w - S.shape[1])), "wrap")).real),
        ],
        "your response is right; the displacement is measured from (h // 2, w // 2)": [
            _half(
                lambda S, h, w: irfft2(S, s=(h, w)),
                lambda response, h, w: (h // 2, w // 2 - w % 2),
            ),
            _half(lambda S, h, w: irfft2(S, s=(h, w)), lambda response, h, w: (h / 2, w / 2)),
        ],
    },
    others={
        "you transform back with the width first; `s` is (height, width)": (
            _half(lambda S, h, w: irfft2(S, s=(w, h)))
        ),
        "the fault is still there": [
            _half(lambda S, h, w: irfft2(S)),
            _half(lambda S, h, w: irfft2(S), lambda r, h, w: (h // 2, w // 2 - w % 2)),
            _half(lambda S, h, w: irfft2(S), lambda r, h, w: (h // 2, r.shape[1] // 2)),
            lambda right, f, A, B: _half(lambda S, h, w: irfft2(S))(
                right, f[:, : f.shape[1] // 2 * 2], A, B
            ),
        ],
        "one column too many": _half(lambda S, h, w: irfft2(S, s=(h, w + w % 2))),
        "three parts": lambda right, *given: right(*given)[0],
    },
)
def examine_fault(answer, rng) -> None:
    """The response from half spectra is that from whole ones, for odd and even widths."""
    moved = []
    for h, w in ((20, 26), (14, 21), (21, 15)):
        patch, target = rng.normal(size=(h, w)), mosse.gaussian_target(h, w, 2.0)
        A, B = (v[:, : w // 2 + 1] for v in mosse.train_filter(patch[None], target, 1e-3))
        for dx, dy in ((0, 0), (4, 1), (-3, 2), (5, -6)):
            inputs = (np.roll(patch, (dy, dx), axis=(0, 1)), A, B)
            answer.compare(inputs, "the response", _whole((h, w)), w=w)
            moved.append(inputs)
    compare_moves(answer, moved)
    require_repeatable(answer, *moved[::4])


def _whole(shape: tuple[int, int]):
    """Reads the response of an answer, whose width tells whether it is mended."""
    read, (h, w) = _real_response(shape), shape

    def width(given):
        values, _, _ = as_parts(given, *PARTS)
        if np.shape(values) == (h, w - 1):
            raise Wrong(
                f"the fault is still there: for a patch of {h} × {w} pixels your response has "
                f"{h} × {w - 1}. Half a spectrum does not say whether its signal was odd or even"
            )
        if np.shape(values) == (w, h):
            raise Wrong("you transform back with the width first; `s` is (height, width)")
        if np.shape(values) == (h, w + 1):
            raise Wrong(f"for a patch of {h} × {w} pixels your response has one column too many")
        return read(given)

    return width
