"""Answers to the exercises of lesson 03 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import numpy as np

from course_lib.geometry.boxes import to_centre
from course_lib.geometry.patches import cut_patch
from course_lib.trackers.features import hog
from course_lib.trackers.kcf import KCF, KCFSettings
from course_lib.trackers.kernels import gaussian_kernel, gaussian_labels

fft, ifft, fft2, ifft2, conj = np.fft.fft, np.fft.ifft, np.fft.fft2, np.fft.ifft2, np.conj


def rolled(change):
    """Rows that are rolls of the signal."""
    return lambda x: np.array([change(x, i) for i in range(len(x))])


def pushed(x, i):
    """The signal moved right, zeros behind it."""
    return np.concatenate([np.zeros(i), x[: len(x) - i]])


def ridge(
    numerator=lambda a, b: a * b, divisor=lambda a, lam, n: np.abs(a) ** 2 + lam, end=np.real
):
    """Ridge regression with one thing wrong."""
    return lambda x, y, lam: end(ifft(numerator(fft(x), fft(y)) / divisor(fft(x), lam, len(x))))


def peak(change):
    """Displacement from the peak's column and row."""

    def run(response):
        row, column = np.unravel_index(response.argmax(), response.shape)
        h, w = response.shape
        return change(int(column), int(row), w, h)

    return run


def wrapped(v, n):
    return v - n if v > n // 2 else v


def kernel(scale=lambda b, x: b**2 * x.size, product=2.0, sign=-1.0, turned=False, keep=False):
    """A Gaussian kernel with one thing wrong."""

    def run(x, z, bandwidth):
        a, b = (z, x) if turned else (x, z)
        each = ifft2(conj(fft2(a)) * fft2(b)).real
        cross = each if keep else each.sum(0)
        return np.exp(sign * ((x**2).sum() + (z**2).sum() - product * cross) / scale(bandwidth, x))

    return run


def dual(change, end=np.real):
    """α with another formula, from both transforms."""
    return lambda k, y, lam: end(ifft2(change(fft2(k), fft2(y), lam)))


def binned(strengths=lambda s: s, order="ab", bins=18, combine=np.sum):
    """A histogram with one thing wrong."""

    def run(strength, direction, cell):
        rows, columns = strength.shape[0] // cell, strength.shape[1] // cell
        parts = np.array([strengths(strength) * (direction % bins == k) for k in range(bins)])
        if order == "ab":
            return combine(parts.reshape(bins, rows, cell, columns, cell), axis=(2, 4))
        return combine(parts.reshape(bins, rows, columns, cell, cell), axis=(3, 4))

    return run


def last(run):
    """Channels last."""
    return lambda *a: np.moveaxis(run(*a), 0, -1)


def broken(
    move=lambda dx, dy: np.array([4 * dx, 4 * dy]),
    at_old=False,
    learn=("x", "alpha"),
    size_of_patch=False,
    wrap=True,
):
    """A whole tracker with one mistake."""

    class Tracker:
        def look(self, frame):
            h, w = self.shape
            return hog(cut_patch(frame, self.centre, (w, h), self.shape)[None], 4)[0] * self.window

        def init(self, frame, box):
            self.centre, self.size = to_centre(box)[:2], np.array(box[2:])
            self.shape = tuple(4 * round(2.5 * v / 4) for v in self.size[::-1])
            h, w = (v // 4 for v in self.shape)
            self.window = np.outer(np.hanning(h), np.hanning(w))
            self.labels = gaussian_labels(h, w, 0.1 * np.sqrt(self.size.prod()) / 4)
            self.x = self.look(frame)
            self.alpha = self.train(self.x)

        def train(self, x):
            return ifft2(fft2(self.labels) / (fft2(gaussian_kernel(x, x, 0.5)) + 1e-4)).real

        def update(self, frame):
            z = self.look(frame)
            response = ifft2(fft2(gaussian_kernel(self.x, z, 0.5)) * fft2(self.alpha)).real
            row, column = np.unravel_index(response.argmax(), response.shape)
            h, w = response.shape
            dx, dy = (wrapped(column, w), wrapped(row, h)) if wrap else (column, row)
            self.centre = self.centre + move(dx, dy)
            new = z if at_old else self.look(frame)
            if "x" in learn:
                self.x = 0.02 * new + 0.98 * self.x
            if "alpha" in learn:
                self.alpha = 0.02 * self.train(new) + 0.98 * self.alpha
            size = np.array(self.shape[::-1]) if size_of_patch else self.size
            return np.array([*(self.centre - size / 2), *size])

    return Tracker


WRONG = {
    "kcf.shifts": [
        (rolled(lambda x, i: np.roll(x, -i)), "to the left"),
        (lambda x: rolled(np.roll)(x).T, "in columns"),
        (rolled(pushed), "zeros behind"),
        (rolled(lambda x, i: np.roll(x, i + 1)), "row 0"),
        (lambda x: rolled(np.roll)(x)[:-1], "shape"),
    ],
    "kcf.ridge": [
        (ridge(numerator=lambda a, b: conj(a) * b), "without conjugate"),
        (ridge(divisor=lambda a, lam, n: np.abs(a) ** 2), "λ is missing"),
        (ridge(divisor=lambda a, lam, n: np.abs(a) + lam), "squares"),
        (ridge(divisor=lambda a, lam, n: np.abs(a) ** 2 + n * lam), "n times too large"),
        (lambda x, y, lam: fft(x) * fft(y) / (np.abs(fft(x)) ** 2 + lam), "complex"),
    ],
    "kcf.displacement": [
        (peak(lambda x, y, w, h: (x, y)), "the other way"),
        (peak(lambda x, y, w, h: (wrapped(y, h), wrapped(x, w))), "dx comes first"),
        (peak(lambda x, y, w, h: (x - w // 2, y - h // 2)), "not in the middle"),
        (peak(lambda x, y, w, h: (-wrapped(x, w), -wrapped(y, h))), "sign"),
        (peak(lambda x, y, w, h: wrapped(x, w)), "two parts"),
    ],
    "kcf.kernel": [
        (kernel(turned=True), "turned around"),
        (kernel(scale=lambda b, x: b**2), "not divided by N"),
        (kernel(scale=lambda b, x: b**2 * x[0].size), "one channel only"),
        (kernel(scale=lambda b, x: b * x.size), "not squared"),
        (kernel(scale=lambda b, x: 2 * b**2 * x.size), "2 in your denominator"),
        (kernel(product=1.0), "the 2 is missing"),
        (kernel(keep=True), "summed over channels"),
    ],
    "kcf.train": [
        (dual(lambda k, y, lam: y / k), "λ is missing"),
        (dual(lambda k, y, lam: k / (y + lam)), "swapped"),
        (dual(lambda k, y, lam: y / (np.abs(k) ** 2 + lam)), "not its square"),
        (lambda k, y, lam: ifft2(fft2(y) / fft2(k + lam)).real, "in space"),
        (lambda k, y, lam: fft2(y) / (fft2(k) + lam), "Fourier domain"),
    ],
    "kcf.histogram": [
        (binned(strengths=np.ones_like), "count pixels"),
        (binned(order="cells"), "not squares"),
        (binned(bins=9), "9 directions"),
        (binned(combine=np.mean), "sum"),
        (last(binned()), "channels come first"),
    ],
    "kcf.size": [
        (lambda r, w: int(r.max((1, 2)).argmax()), "with the weight"),
        (lambda r, w: int((w * r.max((1, 2))).argmax()), "with the weight"),
        (lambda r, w: int(r.argmax()), "whole stack"),
        (lambda r, w: 0, "expected"),
        (lambda r, w: float(r.max()), "expected"),
    ],
    "kcf.tracker": [
        (broken(move=lambda dx, dy: np.zeros(2)), "never moves"),
        (broken(move=lambda dx, dy: np.array([dx, dy])), "4 pixels wide"),
        (broken(move=lambda dx, dy: -4 * np.array([dx, dy])), "wrong way"),
        (broken(move=lambda dx, dy: 4 * np.array([dy, dx])), "row is y"),
        (broken(size_of_patch=True), "another thing"),
        (broken(learn=()), "changed slowly"),
        (broken(learn=("alpha",)), "changed slowly"),
        (broken(at_old=True), "cut at the new centre"),
        (lambda: KCF(KCFSettings(scale="fixed")), "course's own version"),
    ],
}
