"""Answers to the exercises of lesson 02 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import numpy as np

from course_lib.trackers import mosse

fft2, ifft2, conj = np.fft.fft2, np.fft.ifft2, np.conj


def steps(order="log norm window", scale=1.0):
    """Preprocessing with its steps chosen."""

    def run(patch, window):
        x = np.asarray(patch, dtype=float) * scale
        for step in order.split():
            if step == "log":
                x = np.log1p(x)
            elif step == "norm":
                x = (x - x.mean()) / (x.std() + 1e-5)
            else:
                x = x * window
        return x

    return run


def gaussian(offset=0, divisor=lambda s: 2 * s**2, height=1.0):
    """A Gaussian with one thing wrong."""

    def run(h, w, sigma):
        i, j = np.arange(h)[:, None] - h // 2 - offset, np.arange(w)[None, :] - w // 2 - offset
        return height * np.exp(-(i**2 + j**2) / divisor(sigma))

    return run


def numerator(A, average=False, regulariser=1):
    """Closed form with another numerator."""

    def run(patches, target, lam):
        F, G = fft2(patches), fft2(target)
        combine = np.mean if average else np.sum
        return combine(A(F, G), axis=0), combine(np.abs(F) ** 2, axis=0) + regulariser * lam

    return run


def response_with(change):
    """`respond` with its result changed."""

    def run(patch, A, B):
        response = ifft2(fft2(patch) * A / B).real
        row, column = np.unravel_index(response.argmax(), response.shape)
        return change(response, int(column) - patch.shape[1] // 2, int(row) - patch.shape[0] // 2)

    return run


def running(new, old, only_a=False, mirrored=False):
    """Update rule with other weights."""

    def run(A, B, patch, target, rate):
        F, G = fft2(patch), fft2(target)
        product = F * conj(G) if mirrored else G * conj(F)
        return new(rate) * product + old(rate) * A, B if only_a else new(rate) * np.abs(
            F
        ) ** 2 + old(rate) * B

    return run


def ratio(swap=False, lam=1.0, conjugate=False):
    """Simplified rule with one thing wrong."""

    def run(H, patch, target, rate, regulariser):
        F, G = fft2(patch), fft2(target)
        single = G * conj(F) / (np.abs(F) ** 2 + lam * regulariser)
        H = conj(H) if conjugate else H
        return (1 - rate) * single + rate * H if swap else rate * single + (1 - rate) * H

    return run


def psr(before=5, after=6, whole=False, clamp=True):
    """PSR with another window."""

    def run(response):
        row, column = np.unravel_index(response.argmax(), response.shape)
        mask = np.ones(response.shape, dtype=bool)
        low = (lambda v: max(0, v)) if clamp else (lambda v: v)
        if not whole:
            mask[low(row - before) : row + after, low(column - before) : column + after] = False
        return (response.max() - response[mask].mean()) / response[mask].std()

    return run


def in_place(response):
    """Cuts the window out of the response itself."""
    row, column = np.unravel_index(response.argmax(), response.shape)
    peak = response.max()
    response[max(0, row - 5) : row + 6, max(0, column - 5) : column + 6] = np.nan
    return (peak - np.nanmean(response)) / np.nanstd(response)


def broken(move=lambda dx, dy: (dx, dy), gate=True, learn_at_old=False, patch_size_box=False):
    """A whole tracker with one mistake."""

    class Tracker:
        def cut(self, frame):
            grey = frame.mean(axis=2)
            h, w = self.size
            rows = np.clip(
                np.arange(h) + round(float(self.centre[1])) - h // 2, 0, grey.shape[0] - 1
            )
            columns = np.clip(
                np.arange(w) + round(float(self.centre[0])) - w // 2, 0, grey.shape[1] - 1
            )
            return mosse.preprocess(grey[np.ix_(rows, columns)], self.window)

        def init(self, frame, box):
            self.box = np.array(box)
            self.centre = box[:2] + box[2:] / 2
            self.size = int(1.5 * box[3]), int(1.5 * box[2])
            self.window = mosse.cosine_window(*self.size)
            self.target = mosse.gaussian_target(*self.size, 2.0)
            self.A, self.B = mosse.train_filter(self.cut(frame)[None], self.target, 1.0)

        def update(self, frame):
            old = self.cut(frame)
            response, dx, dy = mosse.respond(old, self.A, self.B)
            if not gate or mosse.peak_to_sidelobe(response) >= 7:
                self.centre = self.centre + move(dx, dy)
                patch = old if learn_at_old else self.cut(frame)
                self.A, self.B = mosse.update_filter(self.A, self.B, patch, self.target, 0.125)
            w, h = self.size[::-1] if patch_size_box else self.box[2:]
            return np.array([self.centre[0] - w / 2, self.centre[1] - h / 2, w, h])

    return Tracker


WRONG = {
    "mosse.window": [
        (lambda h, w: np.outer(np.hanning(w), np.hanning(h)), "height comes first"),
        (lambda h, w: np.add.outer(np.hanning(h), np.hanning(w)) / 2, "multiply them"),
        (lambda h, w: np.outer(np.hamming(h), np.hamming(w)), "Hamming"),
        (lambda h, w: np.outer(np.ones(h), np.hanning(w)), "whole border"),
    ],
    "mosse.preprocess": [
        (steps("log norm"), "window is missing"),
        (steps("log window norm"), "window comes last"),
        (steps("norm window"), "logarithm is missing"),
        (steps(scale=1 / 255), "divide by 255"),
    ],
    "mosse.target": [
        (gaussian(divisor=lambda s: 2 * s), "2σ²"),
        (gaussian(divisor=lambda s: s**2), "factor 2"),
        (gaussian(offset=1), "peaks at"),
        (gaussian(height=0.1), "probability density"),
    ],
    "mosse.filter": [
        (numerator(lambda F, G: conj(G) * F), "mirrored place"),
        (numerator(lambda F, G: G * F), "not a correlation"),
        (numerator(lambda F, G: G * conj(F), average=True), "averaged"),
        (numerator(lambda F, G: G * conj(F), regulariser=0), "regulariser is missing"),
        (numerator(lambda F, G: G * conj(F), regulariser=3), "once for each patch"),
    ],
    "mosse.respond": [
        (response_with(lambda r, dx, dy: (r, dy, dx)), "the row is y"),
        (response_with(lambda r, dx, dy: (np.fft.fftshift(r), dx, dy)), "rolled by half"),
        (
            response_with(lambda r, dx, dy: (r, dx + r.shape[1] // 2, dy + r.shape[0] // 2)),
            "counted from the middle",
        ),
        (response_with(lambda r, dx, dy: (r, -dx, -dy)), "you say"),
        (response_with(lambda r, dx, dy: r), "three parts"),
    ],
    "mosse.update": [
        (running(lambda r: 1 - r, lambda r: r), "swapped"),
        (running(lambda r: r, lambda r: 1), "grow for ever"),
        (running(lambda r: r, lambda r: 1 - r, only_a=True), "only A learns"),
        (running(lambda r: r, lambda r: 1 - r, mirrored=True), "F that is conjugated"),
    ],
    "mosse.ratio": [
        (ratio(swap=True), "swapped"),
        (ratio(lam=0.0), "regulariser is missing"),
        (ratio(conjugate=True), "once too often"),
    ],
    "mosse.psr": [
        (psr(whole=True), "include the peak"),
        (psr(after=5), "10 × 10"),
        (psr(clamp=False), "counts from the end"),
        (psr(before=6, after=7), "not 11 × 11"),
        (in_place, "changes the response"),
    ],
    "mosse.tracker": [
        (broken(move=lambda dx, dy: (0, 0)), "never moves"),
        (broken(move=lambda dx, dy: (-dx, -dy)), "wrong way"),
        (broken(move=lambda dx, dy: (dy, dx)), "row is y"),
        (broken(gate=False), "wanders|know its target"),
        (broken(learn_at_old=True), "new centre"),
        (broken(patch_size_box=True), "keeps it"),
    ],
}
