"""Right answers of lesson 03 in other styles."""

from __future__ import annotations

import numpy as np
import torch

from course_lib.geometry.patches import cut_patch
from course_lib.trackers.features import hog


def shifts_as_lists(signal):
    """Without NumPy."""
    values = [float(v) for v in signal]
    return [values[len(values) - i :] + values[: len(values) - i] for i in range(len(values))]


def shifts_by_roll(signal):
    """Row by row."""
    return np.stack([np.roll(signal, i) for i in range(len(signal))])


def shifts_in_place(signal):
    """An array filled; a negative index counts from the end."""
    n = len(signal)
    X = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            X[i, j] = signal[j - i]
    return X


def ridge_in_torch(signal, target, regulariser):
    """With PyTorch's transform."""
    x, y = (torch.fft.fft(torch.from_numpy(v)) for v in (signal, target))
    return torch.fft.ifft(x * y / (x.conj() * x + regulariser)).real


def ridge_as_a_system(signal, target, regulariser):
    """The linear system itself."""
    X = np.array([np.roll(signal, i) for i in range(len(signal))])
    return np.linalg.solve(X.T @ X + regulariser * np.eye(len(signal)), X.T @ target)


def ridge_by_half_spectra(signal, target, regulariser):
    """Real transforms, and a result that is still called complex."""
    x, y = np.fft.rfft(signal), np.fft.rfft(target)
    return np.fft.irfft(x * y / (x.real**2 + x.imag**2 + regulariser), n=len(signal)) + 0j


def displacement_as_an_array(response):
    """The frequencies of a transform have the same order."""
    h, w = response.shape
    row, column = np.argwhere(response == response.max())[0]
    return np.array([np.fft.fftfreq(w, 1 / w)[column], np.fft.fftfreq(h, 1 / h)[row]])


def displacement_by_shift(response):
    """With the origin in the centre."""
    shifted = np.fft.fftshift(response)
    row, column = np.unravel_index(np.argmax(shifted), shifted.shape)
    return [int(column) - response.shape[1] // 2, int(row) - response.shape[0] // 2]


def displacement_by_sign(response):
    """A tie goes to the right."""
    h, w = response.shape
    row, column = divmod(int(np.argmax(response)), w)
    return column - w if 2 * column > w else column, row - h if 2 * row > h else row


def kernel_in_torch(x, z, bandwidth):
    """With PyTorch."""
    x, z = torch.from_numpy(x), torch.from_numpy(z)
    products = torch.fft.ifft2((torch.fft.fft2(x).conj() * torch.fft.fft2(z)).sum(0)).real
    distance = (x.square().sum() + z.square().sum() - 2 * products).clamp(min=0)
    return torch.exp(-distance / (bandwidth**2 * x.numel()))


def kernel_shift_by_shift(x, z, bandwidth):
    """From the definition."""
    _, h, w = x.shape
    k = np.zeros((h, w))
    for i in range(h):
        for j in range(w):
            k[i, j] = ((np.roll(x, (i, j), axis=(1, 2)) - z) ** 2).mean()
    return np.exp(-k / bandwidth**2)


def kernel_by_half_spectra(x, z, bandwidth):
    """Real transforms."""
    X, Z = np.fft.rfft2(x), np.fft.rfft2(z)
    products = np.fft.irfft2(np.einsum("chw,chw->hw", X.conj(), Z), s=x.shape[1:])
    d = np.sum(np.square(x)) + np.sum(np.square(z)) - 2 * products
    return np.exp(-np.clip(d, 0, None) / (bandwidth * bandwidth * np.prod(x.shape)))


def weights_in_torch(kernel, labels, regulariser):
    """With PyTorch."""
    k, y = torch.fft.fft2(torch.from_numpy(kernel)), torch.fft.fft2(torch.from_numpy(labels))
    return torch.fft.ifft2(y / (k + regulariser)).real


def weights_as_a_system(kernel, labels, regulariser):
    """K as a whole matrix."""
    h, w = kernel.shape
    K = [np.roll(kernel, (i, j), axis=(0, 1)).ravel() for i in range(h) for j in range(w)]
    alpha = np.linalg.solve(np.array(K).T + regulariser * np.eye(h * w), labels.ravel())
    return alpha.reshape(h, w)


def weights_by_half_spectra(kernel, labels, regulariser):
    """Real transforms."""
    ratio = np.fft.rfft2(labels) / (np.fft.rfft2(kernel) + regulariser)
    return np.fft.irfft2(ratio, s=labels.shape)


def histogram_as_lists(strength, direction, cell):
    """Pixel by pixel, into lists."""
    h, w = strength.shape
    bins = [[[0.0] * (w // cell) for _ in range(h // cell)] for _ in range(18)]
    for i in range(h):
        for j in range(w):
            bins[direction[i, j]][i // cell][j // cell] += float(strength[i, j])
    return bins


def histogram_by_add_at(strength, direction, cell):
    """Unbuffered addition."""
    h, w = strength.shape
    rows, columns = np.indices((h, w)) // cell
    bins = np.zeros((18, h // cell, w // cell))
    np.add.at(bins, (direction, rows, columns), strength)
    return bins


def histogram_by_one_hot(strength, direction, cell):
    """A product with one-hot directions."""
    h, w = strength.shape
    hot = np.eye(18)[direction] * strength[..., None]  # (h, w, 18)
    return hot.reshape(h // cell, cell, w // cell, cell, 18).sum((1, 3)).transpose(2, 0, 1)


def size_as_a_tensor(responses, weight):
    """With PyTorch."""
    peaks = torch.from_numpy(responses).flatten(1).amax(1)
    peaks[1:] *= weight
    return torch.argmax(peaks)


def size_by_a_loop(responses, weight):
    """The best so far."""
    best, highest = 0, np.max(responses[0])
    for k in range(1, len(responses)):
        if weight * np.max(responses[k]) > highest:
            best, highest = k, weight * np.max(responses[k])
    return float(best)


def size_by_weights(responses, weight):
    """Weights as an array."""
    weights = np.full(len(responses), weight)
    weights[0] = 1
    return (weights * responses.max(axis=(1, 2))).argmax()


def refined_as_an_array(response):
    """By rolling the peak to (1, 1)."""
    h, w = response.shape
    row, column = np.unravel_index(np.argmax(response), response.shape)
    near = np.roll(response, (1 - row, 1 - column), (0, 1))[:3, :3]

    def vertex(a, b, c):
        return (a - c) / (2 * (a - 2 * b + c))

    dx, dy = (column + w // 2) % w - w // 2, (row + h // 2) % h - h // 2
    return np.array([dx + vertex(*near[1]), dy + vertex(*near[:, 1])])


def refined_by_take(response):
    """`take` goes round; a fit of a parabola."""
    h, w = response.shape
    row, column = divmod(int(response.argmax()), w)
    found = []
    for line, at, n in ((response[row], column, w), (response[:, column], row, h)):
        values = np.take(line, [at - 1, at, at + 1], mode="wrap")
        a, b, _ = np.polyfit([-1, 0, 1], values, 2)
        found.append((at if at < n / 2 else at - n) - b / (2 * a))
    return found


def refined_by_modulo(response):
    """The given function with its indices wrapped."""
    h, w = response.shape
    row, column = np.unravel_index(response.argmax(), response.shape)
    peak = response[row, column]
    left, right = response[row, (column - 1) % w], response[row, (column + 1) % w]
    up, down = response[(row - 1) % h, column], response[(row + 1) % h, column]
    dx = 0.5 * (right - left) / (2 * peak - left - right)
    dy = 0.5 * (down - up) / (2 * peak - up - down)
    return (
        (column if column < w / 2 else column - w) + dx,
        (row if row < h / 2 else row - h) + dy,
    )


def channels(frame, centre, shape):
    """Windowed HOG, as the lesson's `channels_of`."""
    values = hog(cut_patch(frame, centre, shape[::-1], shape)[None], cell=4)[0]
    h, w = values.shape[1:]
    return values * np.outer(np.hanning(h + 2)[1:-1], np.hanning(w + 2)[1:-1])


def labels_of(h, w, sigma):
    """Gaussian with its peak at (0, 0)."""
    y, x = np.fft.fftfreq(h, 1 / h)[:, None], np.fft.fftfreq(w, 1 / w)[None]
    return np.exp(-(y**2 + x**2) / (2 * sigma**2))


class OfLists:
    """Boxes as lists, everything in plain attributes."""

    name = "of-lists"
    find = staticmethod(displacement_by_shift)

    def init(self, frame, box):
        """Learn the first frame."""
        x, y, self.w, self.h = (float(v) for v in box)
        self.centre = x + self.w / 2, y + self.h / 2
        self.shape = tuple(4 * round(2.5 * v / 4) for v in (self.h, self.w))
        self.x = channels(frame, self.centre, self.shape)
        self.labels = labels_of(*self.x.shape[1:], 0.1 * (self.w * self.h) ** 0.5 / 4)
        self.alpha = self.train(self.x)

    def train(self, x):
        """Dual weights of one patch."""
        return weights_by_half_spectra(kernel_by_half_spectra(x, x, 0.5), self.labels, 1e-4)

    def update(self, frame):
        """Find, move, learn."""
        k = kernel_by_half_spectra(self.x, channels(frame, self.centre, self.shape), 0.5)
        response = np.fft.ifft2(np.fft.fft2(k) * np.fft.fft2(self.alpha)).real
        dx, dy = self.find(response)
        self.centre = self.centre[0] + 4 * dx, self.centre[1] + 4 * dy
        new = channels(frame, self.centre, self.shape)
        self.x += 0.02 * (new - self.x)
        self.alpha += 0.02 * (self.train(new) - self.alpha)
        cx, cy = self.centre
        return [cx - self.w / 2, cy - self.h / 2, self.w, self.h]


class OfSpectra:
    """The model kept as spectra, float32, under the same names."""

    find = staticmethod(displacement_as_an_array)

    def init(self, frame, box):
        """Learn the first frame."""
        box = np.asarray(box, dtype=float)
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:]
        self.shape = 4 * np.rint(2.5 * self.size[::-1] / 4).astype(int)
        x = channels(frame, self.centre, tuple(self.shape)).astype(np.float32)
        y = labels_of(*x.shape[1:], 0.1 * np.sqrt(self.size.prod()) / 4)
        self.x, self.y = np.fft.fft2(x), np.fft.fft2(y)
        self.alpha = self.trained(self.x)

    def trained(self, X):
        """Dual weights of one patch, a spectrum."""
        return self.y / (np.fft.fft2(self.kernel(X, X)) + 1e-4)

    @staticmethod
    def kernel(X, Z):
        """From spectra; Parseval's identity for the norms."""
        n = X.shape[1] * X.shape[2]
        norms = (np.abs(X) ** 2).sum() / n + (np.abs(Z) ** 2).sum() / n
        d = norms - 2 * np.fft.ifft2((X.conj() * Z).sum(0)).real
        return np.exp(-np.maximum(d, 0) / (0.25 * X.size))

    def spectrum(self, frame):
        """Of the patch at the centre."""
        return np.fft.fft2(channels(frame, self.centre, tuple(self.shape)).astype(np.float32))

    def update(self, frame):
        """Find, move, learn."""
        k = np.fft.fft2(self.kernel(self.x, self.spectrum(frame)))
        self.centre = self.centre + 4 * np.array(self.find(np.fft.ifft2(k * self.alpha).real))
        new = self.spectrum(frame)
        self.x = 0.98 * self.x + 0.02 * new
        self.alpha = 0.98 * self.alpha + 0.02 * self.trained(new)
        return np.r_[self.centre - self.size / 2, self.size]


class OfOtherNames:
    """Only its boxes can be compared."""

    find = staticmethod(displacement_by_sign)

    def init(self, frame, box):
        """Learn the first frame; x is a coordinate here."""
        self.x, self.y = box[0] + box[2] / 2, box[1] + box[3] / 2
        self.box = np.array(box)
        self.patch = tuple(int(4 * np.floor(2.5 * v / 4 + 0.5)) for v in (box[3], box[2]))
        self.model = channels(frame, (self.x, self.y), self.patch)
        self.wanted = labels_of(*self.model.shape[1:], 0.025 * (box[2] * box[3]) ** 0.5)
        self.dual = self.solve(self.model)

    def solve(self, model):
        """Dual weights of one patch."""
        return weights_by_half_spectra(kernel_by_half_spectra(model, model, 0.5), self.wanted, 1e-4)

    def update(self, frame):
        """Find, move, learn."""
        k = kernel_by_half_spectra(self.model, channels(frame, (self.x, self.y), self.patch), 0.5)
        response = np.fft.ifft2(np.fft.fft2(k) * np.fft.fft2(self.dual)).real
        dx, dy = self.find(response)
        self.x, self.y = self.x + 4 * dx, self.y + 4 * dy
        new = channels(frame, (self.x, self.y), self.patch)
        self.model = (1 - 0.02) * self.model + 0.02 * new
        self.dual = (1 - 0.02) * self.dual + 0.02 * self.solve(new)
        w, h = self.box[2:]
        return np.array([self.x - w / 2, self.y - h / 2, w, h])


RIGHT = {
    "kcf.shifts": [shifts_as_lists, shifts_by_roll, shifts_in_place],
    "kcf.ridge": [ridge_in_torch, ridge_as_a_system, ridge_by_half_spectra],
    "kcf.displacement": [displacement_as_an_array, displacement_by_shift, displacement_by_sign],
    "kcf.kernel": [kernel_in_torch, kernel_shift_by_shift, kernel_by_half_spectra],
    "kcf.train": [weights_in_torch, weights_as_a_system, weights_by_half_spectra],
    "kcf.histogram": [histogram_as_lists, histogram_by_add_at, histogram_by_one_hot],
    "kcf.size": [size_as_a_tensor, size_by_a_loop, size_by_weights],
    "kcf.fault": [refined_as_an_array, refined_by_take, refined_by_modulo],
    "kcf.tracker": [OfLists, OfSpectra, OfOtherNames],
}
RANDOM: set[str] = set()
