"""Answers to the exercises of lesson 06 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import cv2
import numpy as np

from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.runtime import load_embedding


def blend(share, mix=lambda s, w, i: (1 - i) * s + i * w):
    """Blend with another share or mixture."""
    return lambda response, window, influence: mix(share(response), window, influence)


def unit(r):
    """Minimum 0, sum 1."""
    return (r - r.min()) / (r - r.min()).sum()


def moved(f):
    """A displacement from row, column, n, stride, upsample."""

    def run(response, stride, upsample):
        row, column = np.unravel_index(response.argmax(), response.shape)
        return np.array(f(int(row), int(column), len(response), stride / upsample))

    return run


class Mine:
    """A whole tracker, right unless a class below breaks it."""

    corner = True  # return the corner, not the centre
    grow = True  # the size follows
    keep = True  # the centre is kept
    own_window = True  # the displacement is scaled by the chosen window

    def init(self, frame, box):
        box = np.asarray(box, dtype=float)
        self.embedding = load_embedding("siamfc", "auto", "auto")
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:].copy()
        self.colour = cv2.mean(frame)[:3]
        side = float(context_side(box[2:]))
        self.z = self.embedding.features(
            CropWindow(*self.centre, side, 127).cut(frame, self.colour)[None]
        )
        self.side = self.first = side * 255 / 127

    def update(self, frame):
        factors = 1.0375 ** np.array([-1.0, 0.0, 1.0])
        windows = [CropWindow(*self.centre, self.side * f, 255) for f in factors]
        responses = self.embedding.respond(
            self.z, np.stack([w.cut(frame, self.colour) for w in windows])
        )
        large = np.stack(
            [cv2.resize(r, (272, 272), interpolation=cv2.INTER_CUBIC) for r in responses]
        )
        peaks = large.max(axis=(1, 2)) * [0.9745, 1, 0.9745]
        best = int(peaks.argmax())
        hann = np.outer(np.hanning(272), np.hanning(272))
        mixed = (1 - 0.176) * unit(large[best]) + 0.176 * hann / hann.sum()
        row, column = np.unravel_index(mixed.argmax(), mixed.shape)
        offset = (np.array([column, row]) - 135.5) / 2
        centre = windows[best].to_frame(offset + 127.5) if self.own_window else self.centre + offset
        if self.keep:
            self.centre = centre
        side = 0.41 * self.side + 0.59 * self.side * factors[best]
        if self.grow:
            self.size = self.size * side / self.side
        self.side = side
        return np.concatenate([self.centre - self.size / 2 * self.corner, self.size])


WRONG = {
    "search.scales": [
        (lambda count, step: step ** np.arange(count), "middle factor"),
        (lambda count, step: 1 + (step - 1) * (np.arange(count) - count // 2), "added up"),
        (
            lambda count, step: step ** (count // 2 - np.arange(count)).astype(float),
            "let them rise",
        ),
        (lambda count, step: step ** np.linspace(-1, 1, count), "middle factor|factors"),
    ],
    "search.enlarge": [
        (lambda r, f: cv2.resize(r, (r.shape[1] * f, r.shape[0] * f)), "bilinear"),
        (lambda r, f: np.kron(r, np.ones((f, f))), "repeats each cell"),
        (
            lambda r, f: cv2.resize(
                r, (r.shape[0] * f, r.shape[1] * f), interpolation=cv2.INTER_CUBIC
            ),
            "shape",
        ),
    ],
    "search.choose": [
        (lambda r, p: int(r.max(axis=(1, 2)).argmax()), "multiply every peak"),
        (lambda r, p: int((r.max(axis=(1, 2)) * p).argmax()), "multiply every peak"),
        (lambda r, p: len(r) // 2, "outweighs"),
        (lambda r, p: int((r.mean(axis=(1, 2)) * [p, 1, p]).argmax()), "peaks|highest cell"),
    ],
    "search.blend": [
        (blend(lambda r: r), "not normalised"),
        (blend(unit, lambda s, w, i: i * s + (1 - i) * w), "wrong one"),
        (blend(unit, lambda s, w, i: s * w), "multiply by the window"),
        (blend(lambda r: r / r.sum()), "before the minimum|not normalised"),
    ],
    "search.displacement": [
        (
            moved(lambda r, c, n, u: ((r - (n - 1) / 2) * u, (c - (n - 1) / 2) * u)),
            "changed places",
        ),
        (moved(lambda r, c, n, u: ((c - n / 2) * u, (r - n / 2) * u)), "quarter of a pixel"),
        (
            moved(lambda r, c, n, u: ((c - (n - 1) / 2) * 16 * u, (r - (n - 1) / 2) * 16 * u)),
            "divide by 16",
        ),
        (moved(lambda r, c, n, u: (c - (n - 1) / 2, r - (n - 1) / 2)), "in cells"),
        (moved(lambda r, c, n, u: (((n - 1) / 2 - c) * u, ((n - 1) / 2 - r) * u)), "sign"),
    ],
    "search.damp": [
        (lambda side, factor, rate, first: side * factor, "at once"),
        (lambda side, factor, rate, first: rate * side + (1 - rate) * side * factor, "wrong one"),
        (lambda side, factor, rate, first: (1 - rate) * side + rate * side * factor, "within 0.2"),
    ],
    "search.tracker": [
        (type("NoCorner", (Mine,), {"corner": False}), "corner belongs"),
        (type("NoGrowth", (Mine,), {"grow": False}), "size follows"),
        (type("NoMemory", (Mine,), {"keep": False}), "still where"),
        (type("NoScale", (Mine,), {"own_window": False}), "to_frame"),
    ],
}
