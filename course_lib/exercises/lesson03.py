"""Checks of lesson 03: all shifts, kernels, channels, KCF."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array, as_number, require_close, require_untouched, same
from course_lib.exercises.core import check
from course_lib.exercises.scenes import followed, moving_texture, paste
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou
from course_lib.trackers import kcf, kernels


@check("kcf.shifts", reference=kernels.data_matrix)
def examine_shifts(answer, reference, rng) -> None:
    """All shifts as rows."""
    n = int(rng.integers(6, 11))
    x = rng.normal(size=n)
    kept, right = x.copy(), reference(x)
    given = as_array(answer(x), (n, n), "the data matrix")
    require_untouched(kept, x, "the signal")
    if same(given, np.array([np.roll(x, -i) for i in range(n)])):
        raise Wrong(
            "your row 1 is the signal moved one place to the left: row i is moved i places to the "
            "right"
        )
    if same(given, right.T):
        raise Wrong("your shifts stand in columns: each row is one shift")
    if same(given, np.triu(right)):
        raise Wrong(
            "what leaves on the right does not come back on the left: your shifts leave zeros "
            "behind"
        )
    if not same(given[0], x):
        raise Wrong("your row 0 is not the signal itself: it is the shift by 0 places")
    require_close(given, right, "the data matrix")


@check("kcf.ridge", reference=kernels.ridge_weights)
def examine_ridge(answer, reference, rng) -> None:
    """The weights by one division, against the linear system."""
    n, regulariser = int(rng.integers(7, 12)), 0.7
    x, y = rng.normal(size=(2, n))
    X = kernels.data_matrix(x)
    right = np.linalg.solve(X.T @ X + regulariser * np.eye(n), X.T @ y)
    given = as_array(answer(x.copy(), y.copy(), regulariser), (n,), "w")
    a, b = np.fft.fft(x), np.fft.fft(y)
    if np.abs(given.imag).max() > 1e-9:
        raise Wrong(
            "w is complex: either it still lies in the Fourier domain, or `.real` is missing at "
            "the end"
        )
    given = given.real
    if same(given, np.fft.ifft(np.conj(a) * b / (np.abs(a) ** 2 + regulariser)).real):
        raise Wrong(
            "your w belongs to a matrix with the shifts in its columns: with the shifts as rows "
            "the numerator is x̂ ŷ, without conjugate"
        )
    if same(given, np.fft.ifft(a * b / np.abs(a) ** 2).real, 1e-5):
        raise Wrong("λ is missing: you divide by |x̂|² alone")
    if same(given, np.fft.ifft(a * b / (np.abs(a) + regulariser)).real):
        raise Wrong("you divide by |x̂| + λ: the matrix XᵀX has the squares |x̂|² on its diagonal")
    if same(given, np.fft.ifft(a * b / (np.abs(a) ** 2 + n * regulariser)).real):
        raise Wrong("your λ is n times too large: λ I stays λ I in the Fourier domain")
    require_close(given, right, "w", hint="compare with solving (XᵀX + λ I) w = Xᵀy")


@check("kcf.displacement", reference=kernels.displacement)
def examine_displacement(answer, reference, rng) -> None:
    """Beyond half the patch a shift is a negative one."""
    h, w = 2 * int(rng.integers(4, 7)), 2 * int(rng.integers(7, 10)) + 1
    for dx, dy in ((2, 3), (-3, 1), (4, -2), (-1, -4)):
        response = np.roll(kernels.gaussian_labels(h, w, 1.5), (dy, dx), axis=(0, 1))
        given = answer(response.copy())
        if not isinstance(given, (tuple, list, np.ndarray)) or len(given) != 2:
            raise Wrong("the answer has two parts: return dx, dy")
        got = as_number(given[0], "dx"), as_number(given[1], "dy")
        where = f"in a response of {h} × {w} with its peak in row {dy % h}, column {dx % w}"
        if got == (dx % w, dy % h) and got != (dx, dy):
            raise Wrong(
                f"{where} you say {got}: beyond half the patch the target has moved the other way"
            )
        if got == (dy, dx):
            raise Wrong(f"{where} you say {got}: the column is x, and dx comes first")
        if got == (dx % w - w // 2, dy % h - h // 2):
            raise Wrong(f"{where} you say {got}: here no motion is at (0, 0), not in the middle")
        if got == (-dx, -dy):
            raise Wrong(f"{where} you say {got}: the sign is turned")
        if got != (dx, dy):
            raise Wrong(f"{where} you say {got}; expected ({dx}, {dy})")


@check("kcf.kernel", reference=kernels.gaussian_kernel)
def examine_kernel(answer, reference, rng) -> None:
    """Gaussian kernel at every shift, several channels."""
    C, h, w, bandwidth = 3, int(rng.integers(5, 8)), int(rng.integers(8, 11)), 0.6
    x, z = rng.normal(size=(2, C, h, w)) * 0.6
    given = answer(x.copy(), z.copy(), bandwidth)
    if np.shape(given) == (C, h, w):
        raise Wrong(
            "your answer has one map for each channel: the distance is summed over channels, then "
            "there is one map"
        )
    given = as_array(given, (h, w), "the kernel's map")
    if np.abs(np.imag(given)).max() > 1e-9:
        raise Wrong(
            "the kernel's map is complex: the correlation back in space is real, take .real"
        )
    given = np.real(given)
    xx, zz, N = (x**2).sum(), (z**2).sum(), x.size
    xz = kernels.correlate(kernels.spectrum(x), kernels.spectrum(z), (h, w))
    d = xx + zz - 2 * xz
    if same(given, reference(z, x, bandwidth)):
        raise Wrong("your map is turned around: conjugate the transform of x, not that of z")
    if same(given, np.exp(-d / bandwidth**2)):
        raise Wrong(
            "the distance is not divided by N = C · h · w: the kernel is nearly 0 everywhere"
        )
    if same(given, np.exp(-d / (bandwidth**2 * h * w))):
        raise Wrong("N counts the numbers of one channel only: it is C · h · w")
    if same(given, np.exp(-d / (bandwidth * N))):
        raise Wrong("σ is not squared")
    if same(given, np.exp(-d / (2 * bandwidth**2 * N))):
        raise Wrong("there is a 2 in your denominator: KCF divides by σ² N")
    if same(given, np.exp(-(xx + zz - xz) / (bandwidth**2 * N))):
        raise Wrong("|x − z|² has −2 x·z in its middle: the 2 is missing")
    require_close(given, reference(x, z, bandwidth), "the kernel's map")
    same_patch = as_array(answer(x, x.copy(), 0.01), (h, w), "the kernel of x with itself")
    if same_patch.real.max() > 1 + 1e-9:
        raise Wrong(
            "the kernel of a patch with itself is above 1: rounding made a squared distance "
            "negative; use np.maximum"
        )


@check("kcf.train", reference=kernels.dual_weights)
def examine_train(answer, reference, rng) -> None:
    """α against the linear system with the kernel of all shifts."""
    h, w, regulariser = 5, 6, 0.05
    x = rng.normal(size=(2, h, w))
    kernel, labels = kernels.gaussian_kernel(x, x, 0.8), kernels.gaussian_labels(h, w, 1.0)
    given = as_array(answer(kernel.copy(), labels.copy(), regulariser), (h, w), "α")
    K, Y = np.fft.fft2(kernel), np.fft.fft2(labels)
    if np.abs(given.imag).max() > 1e-9 or same(given, Y / (K + regulariser)):
        raise Wrong("your α still lies in the Fourier domain: transform it back and take .real")
    given = given.real
    if same(given, np.fft.ifft2(Y / np.fft.fft2(kernel + regulariser)).real):
        raise Wrong(
            "λ was added to the kernel in space, where it only changes the mean: add it to the "
            "transform"
        )
    if same(given, np.fft.ifft2(Y / K).real, 1e-5):
        raise Wrong("λ is missing")
    if same(given, np.fft.ifft2(K / (Y + regulariser)).real, 1e-5):
        raise Wrong("numerator and denominator are swapped: the labels are divided by the kernel")
    if same(given, np.fft.ifft2(Y / (np.abs(K) ** 2 + regulariser)).real):
        raise Wrong(
            "you divide by |k̂|² + λ: in the dual the kernel itself is the matrix, not its square"
        )
    require_close(given, reference(kernel, labels, regulariser), "α", tolerance=1e-5)


def plain_histogram(strength: np.ndarray, direction: np.ndarray, cell: int) -> np.ndarray:
    """For each of 18 directions the strength of its pixels in each cell, (18, h // cell, w //
    cell), from (h, w) each."""
    rows, columns = strength.shape[0] // cell, strength.shape[1] // cell
    of_direction = np.where(direction == np.arange(18)[:, None, None], strength, 0.0)  # (18, h, w)
    return of_direction.reshape(18, rows, cell, columns, cell).sum((2, 4))


@check("kcf.histogram", reference=plain_histogram)
def examine_histogram(answer, reference, rng) -> None:
    """Strengths by direction and cell."""
    cell, rows, columns = 4, 3, 5
    strength = rng.uniform(0, 9, (rows * cell, columns * cell))
    direction = rng.integers(0, 18, strength.shape)
    right = reference(strength, direction, cell)
    given = answer(strength.copy(), direction.copy(), cell)
    if np.shape(given) == (rows, columns, 18):
        raise Wrong(
            "the directions come last in your answer: channels come first, (18, rows, columns)"
        )
    if np.shape(given) == (9, rows, columns):
        raise Wrong("you count 9 directions: here the sign matters, there are 18")
    given = as_array(given, right.shape, "the histogram")
    counts = reference(np.ones_like(strength), direction, cell)
    if same(given, counts):
        raise Wrong("you count pixels: each counts as much as its gradient is strong")
    if same(given, right / cell**2):
        raise Wrong("you average over the cell: sum")
    parts = np.where(direction == np.arange(18)[:, None, None], strength, 0.0)
    if same(given, parts.reshape(18, rows, columns, cell, cell).sum((3, 4))):
        raise Wrong(
            "your cells are not squares: reshape to (18, rows, cell, columns, cell) and sum over "
            "the two cell axes"
        )
    require_close(given, right, "the histogram")


@check("kcf.size", reference=kcf.best_size)
def examine_size(answer, reference, rng) -> None:
    """The highest peak, the others weighed down."""
    cases = [
        ((0.9, 0.92, 0.5), 0.96),
        ((0.8, 0.5, 0.9), 0.96),
        ((0.5, 0.9, 0.7), 1.0),
        ((0.6, 0.62, 0.63), 0.96),
    ]
    for peaks, weight in cases:
        responses = rng.uniform(0, 0.2, (3, 6, 7))
        for k, peak in enumerate(peaks):
            responses[k, rng.integers(6), rng.integers(7)] = peak
        kept = responses.copy()
        got, right = as_number(answer(responses, weight), "the index"), reference(kept, weight)
        require_untouched(kept, responses, "the responses")
        where = f"peaks {', '.join(f'{p:g}' for p in peaks)} and weight {weight:g}"
        if got == kept.argmax() and got > 2:
            raise Wrong(
                "your answer is a place in the whole stack: take the largest of each response first"
            )
        if got != right and got == int(np.argmax(peaks)):
            raise Wrong(
                f"{where}: you say {got:g}; with the weight on the others, {right} is the highest"
            )
        if got != right:
            raise Wrong(
                f"{where}: you say {got:g}, expected {right}: the first is not weighed, the others "
                "are"
            )


@check("kcf.tracker", reference=kcf.KCF)
def examine_tracker(answer, reference, rng) -> None:
    """Follows a texture, keeps its size or nearly, and learns one that slowly becomes another."""
    clip = moving_texture(rng, step=(8, 4), length=9)
    tracker = answer()
    tracker.init(clip.frames[0], clip.boxes[0].copy())
    first = as_array(tracker.update(clip.frames[1]), (4,), "the box")[:2] - clip.boxes[0][:2]
    if np.allclose(first, [2, 1]):
        raise Wrong(
            "your box moves 2 right and 1 down where the target moves 8 and 4: a cell is 4 pixels "
            "wide"
        )
    # two steps of a pyramid are no mistake
    followed(answer(), clip, lost="Is the model updated at all?", growth=0.11)
    _check_place(answer(), clip)
    _check_learning(answer(), rng)


def _check_place(tracker, clip) -> None:
    """The target jumps to and fro: a model learned from patches cut at the old place smears."""
    places = [clip.boxes[0][:2] + (t % 2) * np.array([12, 8]) for t in range(40)]
    tracker.init(paste(clip.scene, clip.target, places[0]), clip.boxes[0].copy())
    for place in places[1:]:
        box = as_array(tracker.update(paste(clip.scene, clip.target, place)), (4,), "the box")
        if float(iou(box, [*place, *clip.boxes[0][2:]])) < 0.5:
            raise Wrong(
                "your tracker loses a target that jumps to and fro: is the patch it learns cut at "
                "the new centre?"
            )


def _check_learning(tracker, rng) -> None:
    """The target turns slowly into another texture; then it jumps one way, and its old picture
    appears on the other side."""
    old, new = moving_texture(rng, (0, 0), 1), moving_texture(rng, (0, 0), 1)
    tracker.init(old.frames[0], old.boxes[0].copy())
    place = old.boxes[0][:2]
    for share in np.minimum(
        np.linspace(0, 2, 180), 1
    ):  # half of the time it is the new one already
        tracker.update(
            paste(
                old.scene, ((1 - share) * old.target + share * new.target).astype(np.uint8), place
            )
        )
    beside = paste(old.scene, old.target, place + [16, 0])[..., 0]
    box = as_array(tracker.update(paste(beside, new.target, place - [16, 0])), (4,), "the box")
    if float(iou(box, [*(place - [16, 0]), *old.boxes[0][2:]])) < 0.5:
        raise Wrong(
            "your tracker does not know a target whose looks changed slowly: are both x and α "
            "updated in every frame?"
        )
