"""Right answers of lesson 02 in other styles."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
import torch
from scipy.signal.windows import hann

from course_lib.trackers import mosse


def window_as_lists(height, width):
    """Element by element, as a list of rows."""

    def one(i, n):
        return 0.5 * (1 - np.cos(2 * np.pi * i / (n - 1)))

    return [[one(i, height) * one(j, width) for j in range(width)] for i in range(height)]


def window_in_torch(height, width):
    """Torch's own window."""
    rows, columns = (torch.hann_window(n, periodic=False) for n in (height, width))
    return rows[:, None] * columns


def window_of_scipy(height, width):
    """SciPy's own window, as a matrix product."""
    return hann(height)[:, None] @ hann(width)[None, :]


def preprocess_in_torch(patch, window):
    """As a tensor, in double precision."""
    values = torch.log1p(torch.as_tensor(np.asarray(patch, dtype=float)))
    values = (values - values.mean()) / (values.std(unbiased=False) + 1e-5)
    return values * torch.from_numpy(window)


def preprocess_in_float32(patch, window):
    """In single precision."""
    values = np.log(patch.astype(np.float32) + 1)
    return window * (values - np.mean(values)) / (np.std(values) + 1e-5)


def preprocess_in_place(patch, window):
    """Step by step in one array of its own."""
    values = np.array(patch, dtype=np.float64)
    np.log1p(values, out=values)
    values -= values.mean()
    values /= np.sqrt((values**2).mean()) + 1e-5
    values *= window
    return values


def target_as_lists(height, width, sigma):
    """Element by element, as a list of rows."""
    return [
        [
            float(np.exp(-((i - height // 2) ** 2 + (j - width // 2) ** 2) / (2 * sigma**2)))
            for j in range(width)
        ]
        for i in range(height)
    ]


def target_by_profiles(height, width, sigma):
    """A product of two profiles."""
    row, column = (np.exp(-0.5 * ((np.arange(n) - n // 2) / sigma) ** 2) for n in (height, width))
    return np.outer(row, column)


def target_by_meshgrid(height, width, sigma):
    """With meshgrid, in single precision."""
    x, y = np.meshgrid(np.arange(width) - width // 2, np.arange(height) - height // 2)
    return np.exp(-(np.hypot(x, y) ** 2) / 2 / sigma**2).astype(np.float32)


def filter_in_torch(patches, target, regulariser):
    """As tensors."""
    F, G = torch.fft.fft2(torch.from_numpy(patches)), torch.fft.fft2(torch.from_numpy(target))
    return (G * F.conj()).sum(0), (F.abs() ** 2).sum(0) + regulariser


def filter_by_loop(patches, target, regulariser):
    """Patch by patch, as a list."""
    G = np.fft.fft2(target)
    A, B = np.zeros_like(G), np.full(G.shape, regulariser, dtype=float)
    for patch in patches:
        F = np.fft.fft2(patch)
        A += G * F.conj()
        B += F.real**2 + F.imag**2
    return [A, B]


def filter_by_einsum(patches, target, regulariser):
    """With SciPy's transform and einsum, B with an imaginary part of 0."""
    F, G = scipy.fft.fftn(patches, axes=(1, 2)), scipy.fft.fft2(target)
    A = np.einsum("hw,nhw->hw", G, F.conj())
    return A, np.einsum("nhw,nhw->hw", F, F.conj()) + regulariser


def respond_in_torch(patch, A, B):
    """As a list of a tensor and two floats."""
    response = torch.fft.ifft2(torch.fft.fft2(torch.from_numpy(patch)) * torch.from_numpy(A / B))
    h, w = patch.shape
    row, column = divmod(int(response.real.argmax()), w)
    return [response.real, float(column - w // 2), float(row - h // 2)]


def respond_by_the_filter(patch, A, B):
    """With the filter H* first."""
    response = np.real(np.fft.ifft2((A / B) * np.fft.fft2(patch)))
    peak = np.argwhere(response == response.max())[0]
    dy, dx = peak - np.array(patch.shape) // 2
    return response, dx, dy


def respond_by_columns(patch, A, B):
    """The peak by rows and columns."""
    spectrum = np.fft.fft2(patch) / B * A
    response = np.fft.ifft2(spectrum).real
    column, row = response.max(axis=0).argmax(), response.max(axis=1).argmax()
    return response, column - len(response[0]) // 2, row - len(response) // 2


def half_in_torch(patch, A, B):
    """As tensors."""
    A, B = (torch.from_numpy(np.ascontiguousarray(v)) for v in (A, B))
    response = torch.fft.irfft2(torch.fft.rfft2(torch.from_numpy(patch)) * A / B, s=patch.shape)
    row, column = divmod(int(response.argmax()), patch.shape[1])
    return [response, column - patch.shape[1] // 2, row - patch.shape[0] // 2]


def half_made_whole(patch, A, B):
    """The other half of the spectrum filled in: H*(−u, −v) is the conjugate of H*(u, v)."""
    h, w = patch.shape
    half = A / B
    whole = np.zeros((h, w), dtype=complex)
    whole[:, : w // 2 + 1] = half
    for v in range(w // 2 + 1, w):
        whole[:, v] = np.conj(half[-np.arange(h) % h, w - v])
    response = np.fft.ifft2(np.fft.fft2(patch) * whole).real
    row, column = np.unravel_index(response.argmax(), (h, w))
    return response, column - w // 2, row - h // 2


def half_in_two_steps(patch, A, B):
    """Rows and columns one after the other."""
    h, w = patch.shape
    spectrum = np.fft.rfft2(patch) * (A / B)
    response = np.fft.irfft(np.fft.ifft(spectrum, axis=0), n=w, axis=1)
    row, column = np.unravel_index(np.argmax(response), response.shape)
    return response, int(column) - w // 2, int(row) - h // 2


def update_in_torch(A, B, patch, target, rate):
    """As tensors in a list."""
    F, G = (torch.fft.fft2(torch.from_numpy(v)) for v in (patch, target))
    old = torch.from_numpy(A), torch.from_numpy(B)
    return [torch.lerp(old[0], G * F.conj(), rate), torch.lerp(old[1], F.abs() ** 2, rate)]


def update_by_steps(A, B, patch, target, rate):
    """A step of size η towards the new patch."""
    F, G = np.fft.fft2(patch), np.fft.fft2(target)
    return A + rate * (np.conj(F) * G - A), B + rate * ((F * np.conj(F)).real - B)


def update_by_copies(A, B, patch, target, rate):
    """In place, in copies."""
    A, B = A.copy(), B.astype(complex)
    F = np.fft.fft2(patch)
    A *= 1 - rate
    A += rate * np.fft.fft2(target) * F.conjugate()
    B *= 1 - rate
    B += rate * F * F.conjugate()
    return A, B


def ratio_in_torch(H, patch, target, rate, regulariser):
    """As a tensor."""
    F, G = (torch.fft.fft2(torch.from_numpy(v)) for v in (patch, target))
    return (1 - rate) * torch.from_numpy(H) + rate * G * F.conj() / (F.abs() ** 2 + regulariser)


def ratio_by_steps(H, patch, target, rate, regulariser):
    """A step of size η towards the new filter."""
    F, G = np.fft.fft2(patch), np.fft.fft2(target)
    return H + rate * (G * np.conj(F) / (F * np.conj(F) + regulariser) - H)


def ratio_by_train_filter(H, patch, target, rate, regulariser):
    """With the filter trained on one patch."""
    A, B = mosse.train_filter(patch[None], target, regulariser)
    return np.average([A / B, H], axis=0, weights=[rate, 1 - rate])


def psr_in_torch(response):
    """As a tensor of one number."""
    values = torch.from_numpy(response)
    row, column = divmod(int(values.argmax()), values.shape[1])
    rest = torch.ones_like(values, dtype=torch.bool)
    rest[max(row - 5, 0) : row + 6, max(column - 5, 0) : column + 6] = False
    return (values.max() - values[rest].mean()) / values[rest].std(unbiased=False)


def psr_by_distance(response):
    """The sidelobe by its distance from the peak."""
    h, w = response.shape
    row, column = divmod(int(np.argmax(response)), w)
    near = (abs(np.arange(h) - row) <= 5)[:, None] & (abs(np.arange(w) - column) <= 5)
    rest = response[~near]
    return (response[row, column] - np.mean(rest)) / np.std(rest)


def psr_by_nan(response):
    """With NaN in the window of a copy, and a small number against division by 0."""
    values, (row, column) = response.copy(), np.unravel_index(response.argmax(), response.shape)
    for i in range(row - 5, row + 6):
        for j in range(column - 5, column + 6):
            if 0 <= i < len(values) and 0 <= j < len(values[0]):
                values[i, j] = np.nan
    return (response.max() - np.nanmean(values)) / (np.nanstd(values) + 1e-6)


def cut(frame, cx, cy, h, w):
    """A grey patch (h, w) around a point; beyond the frame its border is repeated."""
    rows = np.clip(np.arange(h) + math.floor(cy) - h // 2, 0, len(frame) - 1)
    columns = np.clip(np.arange(w) + math.floor(cx) - w // 2, 0, len(frame[0]) - 1)
    return frame.astype(float).mean(axis=2)[rows][:, columns]


class ByLists:
    """Lists and single numbers."""

    def __init__(self, rate=0.125, threshold=7.0):
        self.rate, self.threshold = rate, threshold

    def look(self, frame):
        """The preprocessed patch at the centre."""
        patch = cut(frame, *self.centre, *self.window.shape)
        return mosse.preprocess(patch, self.window)

    def init(self, frame, box):
        """Start."""
        x, y, w, h = (float(v) for v in box)
        self.centre, self.sides = [x + w / 2, y + h / 2], [w, h]
        size = int(3 * h / 2), int(3 * w / 2)
        self.window = mosse.cosine_window(*size)
        self.target = mosse.gaussian_target(*size, 2)
        patch = cut(frame, *self.centre, *size)
        several = [mosse.preprocess(patch, self.window)]
        for copy in mosse.random_warps(patch, 8, np.random.default_rng(0)):
            several.append(mosse.preprocess(copy, self.window))
        self.A, self.B = mosse.train_filter(np.stack(several), self.target, 1)

    def update(self, frame):
        """Next frame."""
        w, h = self.sides
        response, dx, dy = mosse.respond(self.look(frame), self.A, self.B)
        if not mosse.peak_to_sidelobe(response) < self.threshold:
            self.centre = [self.centre[0] + dx, self.centre[1] + dy]
            self.A, self.B = mosse.update_filter(
                self.A, self.B, self.look(frame), self.target, self.rate
            )
        return [self.centre[0] - w / 2, self.centre[1] - h / 2, w, h]


class ByHand:
    """Everything from NumPy, without the earlier exercises; the centre is computed from the box."""

    def __init__(self, rate=0.125, threshold=7.0):
        self.rate, self.threshold = rate, threshold

    @property
    def centre(self):
        """x and y, from the box."""
        return self.box[:2] + self.box[2:] / 2

    def init(self, frame, box):
        """Start."""
        self.box = np.array(box, dtype=float)
        self.h, self.w = (1.5 * self.box[[3, 2]]).astype(int)
        self.window = np.hanning(self.h)[:, None] * np.hanning(self.w)
        peak = mosse.gaussian_target(self.h, self.w, 2.0)
        self.G = np.fft.fft2(peak)
        patch = self.grey(frame)
        F = [self.spectrum(patch)]
        F += [self.spectrum(p) for p in mosse.random_warps(patch, 8, np.random.default_rng(0))]
        self.A = sum(self.G * np.conj(f) for f in F)
        self.B = sum(np.abs(f) ** 2 for f in F) + 1

    def grey(self, frame):
        """The patch at the box."""
        return cut(frame, *self.centre, self.h, self.w)

    def spectrum(self, patch):
        """Its preprocessed spectrum."""
        values = np.log(patch + 1)
        values = (values - values.mean()) / (values.std() + 1e-5)
        return np.fft.fft2(values * self.window)

    def update(self, frame):
        """Next frame."""
        response = np.fft.ifft2(self.spectrum(self.grey(frame)) * self.A / self.B).real
        if mosse.peak_to_sidelobe(response) < self.threshold:
            return self.box.copy()
        row, column = np.unravel_index(response.argmax(), response.shape)
        self.box[:2] += column - self.w // 2, row - self.h // 2
        F = self.spectrum(self.grey(frame))
        self.A = self.rate * self.G * np.conj(F) + (1 - self.rate) * self.A
        self.B = self.rate * np.abs(F) ** 2 + (1 - self.rate) * self.B
        return self.box.copy()


class InSinglePrecision(ByLists):
    """Patches, window and filter in float32."""

    def look(self, frame):
        """The preprocessed patch at the centre."""
        patch = cut(frame, *self.centre, *self.window.shape)
        return preprocess_in_float32(patch, self.window.astype(np.float32))

    def update(self, frame):
        """Next frame."""
        self.A, self.B = self.A.astype(np.complex64), self.B.astype(np.float32)
        return super().update(frame)


class InTorch(ByLists):
    """The filter as tensors, boxes as tensors; sides rounded down."""

    def init(self, frame, box):
        """Start."""
        super().init(frame, box)
        self.A, self.B = torch.from_numpy(self.A), torch.from_numpy(self.B)

    def update(self, frame):
        """Next frame."""
        self.A, self.B = np.asarray(self.A), np.asarray(self.B)
        box = torch.tensor(super().update(frame), dtype=torch.float64)
        self.A, self.B = torch.from_numpy(self.A), torch.from_numpy(self.B)
        return box


RIGHT = {
    "mosse.window": [window_as_lists, window_in_torch, window_of_scipy],
    "mosse.preprocess": [preprocess_in_torch, preprocess_in_float32, preprocess_in_place],
    "mosse.target": [target_as_lists, target_by_profiles, target_by_meshgrid],
    "mosse.filter": [filter_in_torch, filter_by_loop, filter_by_einsum],
    "mosse.respond": [respond_in_torch, respond_by_the_filter, respond_by_columns],
    "mosse.fault": [half_in_torch, half_made_whole, half_in_two_steps],
    "mosse.update": [update_in_torch, update_by_steps, update_by_copies],
    "mosse.ratio": [ratio_in_torch, ratio_by_steps, ratio_by_train_filter],
    "mosse.psr": [psr_in_torch, psr_by_distance, psr_by_nan],
    "mosse.tracker": [ByLists, ByHand, InTorch, InSinglePrecision],
}
RANDOM: set[str] = set()
