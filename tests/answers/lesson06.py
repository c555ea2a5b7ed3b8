"""Right answers of lesson 06 in other styles."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch

from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.runtime import SiamFCRuntime


def factors_as_list(count, step):
    """From the middle outwards, as a list."""
    return [float(step) ** k for k in range(-(count // 2), count // 2 + 1)]


def factors_in_torch(count, step):
    """As a tensor."""
    return step ** torch.arange(-(count - 1) / 2, (count + 1) / 2)


def factors_by_product(count, step):
    """Each from the one before."""
    factors = np.empty(count)
    factors[0] = step ** -(count // 2)
    for k in range(1, count):
        factors[k] = factors[k - 1] * step
    return factors


def enlarged_in_torch(response, factor):
    """PyTorch's bicubic interpolation, which is OpenCV's."""
    image = torch.from_numpy(response)[None, None]
    return torch.nn.functional.interpolate(image, scale_factor=factor, mode="bicubic")[0, 0]


def enlarged_by_factor(response, factor):
    """With factors instead of a size."""
    return cv2.resize(response, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


def enlarged_as_list(response, factor):
    """As a list of rows."""
    rows, columns = (side * factor for side in response.shape)
    return cv2.resize(response, (columns, rows), interpolation=cv2.INTER_CUBIC).tolist()


def chosen_in_torch(responses, penalty):
    """The middle's peak divided by the penalty: the same order."""
    peaks = torch.from_numpy(responses).flatten(1).max(1).values
    peaks[len(peaks) // 2] /= penalty
    return peaks.argmax()


def chosen_by_loop(responses, penalty):
    """One scale after the other."""
    best, highest = 0, -math.inf
    for k, response in enumerate(responses):
        peak = float(response.max()) * (1 if k == len(responses) // 2 else penalty)
        if peak > highest:
            best, highest = k, peak
    return best


def chosen_with_copy(responses, penalty):
    """All but the middle response multiplied, in a copy."""
    weighed = responses * penalty
    weighed[len(responses) // 2] = responses[len(responses) // 2]
    return np.unravel_index(weighed.argmax(), weighed.shape)[0]


def blended_as_list(response, window, influence):
    """Row by row, as a list."""
    low = response.min()
    total = float((response - low).sum())
    return [
        [(1 - influence) * (r - low) / total + influence * w for r, w in zip(*rows, strict=True)]
        for rows in zip(response, window, strict=True)
    ]


def blended_in_torch(response, window, influence):
    """As an interpolation between two tensors."""
    unit = torch.from_numpy(response).double()
    unit = (unit - unit.min()) / (unit - unit.min()).sum()
    return torch.lerp(unit, torch.from_numpy(window).double(), influence)


def blended_in_place(response, window, influence):
    """Steps on a copy."""
    mixed = np.array(response, dtype=float)
    mixed -= mixed.min()
    mixed *= (1 - influence) / mixed.sum()
    mixed += influence * window
    return mixed


def displacement_as_list(response, stride, upsample):
    """x and y as a list."""
    n = response.shape[0]
    row, column = divmod(int(response.argmax()), n)
    return [(k - (n - 1) / 2) * stride / upsample for k in (column, row)]


def displacement_in_torch(response, stride, upsample):
    """With a tensor."""
    n = len(response)
    place = int(torch.from_numpy(response).argmax())
    return (torch.tensor([place % n, place // n]) - (n - 1) / 2) * (stride / upsample)


def displacement_of_centres(response, stride, upsample):
    """From cell centres at k + 0.5 to the middle n / 2."""
    rows, columns = np.nonzero(response == response.max())
    cell = np.array([columns[0], rows[0]]) + 0.5
    return (cell - len(response) / 2) * (stride / upsample)


def damped_by_minmax(side, factor, rate, first):
    """With Python's own min and max."""
    return np.array(max(first / 5, min(5 * first, side + rate * (factor - 1) * side)))


def damped_in_torch(side, factor, rate, first):
    """As a tensor."""
    return torch.lerp(
        torch.tensor(side).double(), torch.tensor(side * factor).double(), rate
    ).clamp(0.2 * first, 5 * first)


def damped_by_factor(side, factor, rate, first):
    """The factor is damped first."""
    return np.clip(side * (1 - rate + rate * factor), 0.2 * first, 5 * first)


class OneByOne:
    """Crops go through the network one by one; boxes are lists."""

    name = "one-by-one"
    scales, step, penalty, rate, influence = 3, 1.0375, 0.9745, 0.59, 0.176

    def init(self, frame, box):
        """Keep the exemplar."""
        x, y, w, h = map(float, box)
        self.runtime = SiamFCRuntime.load("siamfc", "auto", "auto")
        self.cx, self.cy, self.w, self.h = x + w / 2, y + h / 2, w, h
        self.mean = frame.reshape(-1, 3).mean(axis=0)
        square = math.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))
        crop = CropWindow(self.cx, self.cy, square, 127).cut(frame, self.mean)
        self.z = self.runtime.features(crop[None])
        self.side = self.start = square * 255 / 127

    def update(self, frame):
        """One window after the other."""
        best = None
        for k in range(-(self.scales // 2), self.scales // 2 + 1):
            factor = self.step**k
            window = CropWindow(self.cx, self.cy, self.side * factor, 255)
            crop = window.cut(frame, self.mean)
            response = self.runtime.respond(self.z, crop[None])[0]
            large = cv2.resize(response, (272, 272), interpolation=cv2.INTER_CUBIC)
            peak = large.max() * (self.penalty if k else 1)
            if best is None or peak > best[0]:
                best = peak, factor, window, large
        _, factor, window, large = best
        hann = np.outer(np.hanning(272), np.hanning(272))
        large = large - large.min()
        mixed = (1 - self.influence) * large / large.sum() + self.influence * hann / hann.sum()
        row, column = divmod(int(mixed.argmax()), 272)
        self.cx, self.cy = window.to_frame([(column + 0.5) / 2 + 59.5, (row + 0.5) / 2 + 59.5])
        side = (1 - self.rate + self.rate * factor) * self.side
        side = min(max(side, 0.2 * self.start), 5 * self.start)
        self.w, self.h, self.side = self.w * side / self.side, self.h * side / self.side, side
        return [self.cx - self.w / 2, self.cy - self.h / 2, self.w, self.h]


class InsideTheFrame(OneByOne):
    """The centre is kept inside the frame, and the box is an array."""

    def update(self, frame):
        """Clip the centre."""
        box = np.array(OneByOne.update(self, frame))
        height, width = frame.shape[:2]
        self.cx, self.cy = np.clip(self.cx, 0, width), np.clip(self.cy, 0, height)
        return np.array([self.cx - self.w / 2, self.cy - self.h / 2, *box[2:]])


class WithGrowth:
    """Size and side by their growth since the first frame, and the box is a tensor."""

    scales, step, penalty, rate, influence = 3, 1.0375, 0.9745, 0.59, 0.176

    def init(self, frame, box):
        """Keep the exemplar."""
        self.runtime = SiamFCRuntime.load("siamfc", "auto", "auto")
        box = torch.as_tensor(box, dtype=torch.float64)
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:].clone()
        self.colour = cv2.mean(frame)[:3]
        self.first = float(context_side(self.size.numpy())) * 255 / 127
        crop = CropWindow(*self.centre.tolist(), self.first * 127 / 255, 127)
        self.z, self.growth = self.runtime.features(crop.cut(frame, self.colour)[None]), 1.0
        self.window = np.hanning(272)[:, None] * np.hanning(272)
        self.window /= self.window.sum()

    def update(self, frame):
        """Size and side share one number, their growth since the first frame."""
        half = self.scales // 2
        factors = np.array([self.step ** float(k - half) for k in range(self.scales)])
        sides = factors * self.growth * self.first
        windows = [CropWindow(*self.centre.tolist(), side, 255) for side in sides]
        crops = np.stack([window.cut(frame, self.colour) for window in windows])
        large = np.array([cv2.resize(r, (272, 272), interpolation=cv2.INTER_CUBIC)
                          for r in self.runtime.respond(self.z, crops)])  # fmt: skip
        penalties = [1.0 if k == half else self.penalty for k in range(self.scales)]
        best = int(np.argmax(large.max(axis=(1, 2)) * penalties))
        chosen = large[best] - large[best].min()
        blended = (1 - self.influence) * chosen / chosen.sum() + self.influence * self.window
        row, column = np.unravel_index(np.argmax(blended), blended.shape)
        moved = np.array([column - 135.5, row - 135.5]) / 2
        self.centre = self.centre + torch.from_numpy(moved * sides[best] / 255)
        self.growth = float(np.clip(self.growth * (1 + self.rate * (factors[best] - 1)), 0.2, 5))
        size = self.size * self.growth
        return torch.cat([self.centre - size / 2, size])


def _factor_and_place(responses):
    large = [cv2.resize(r, (272, 272), interpolation=cv2.INTER_CUBIC) for r in responses]
    best = max(range(3), key=lambda k: large[k].max() * (1 if k == 1 else 0.9745))
    hann = np.outer(np.hanning(272), np.hanning(272))
    shifted = large[best] - large[best].min()
    blended = 0.824 * shifted / shifted.sum() + 0.176 * hann / hann.sum()
    row, column = np.unravel_index(blended.argmax(), blended.shape)
    return 1.0375 ** (best - 1), np.array([column - 135.5, row - 135.5]) / 2


def stepped_as_lists(responses, side, size, first):
    """Everything as lists."""
    factor, moved = _factor_and_place(responses)
    new = min(max(side * (0.41 + 0.59 * factor), first / 5), 5 * first)
    return [(moved * side * factor / 255).tolist(), new, [s / side * new for s in size]]


def stepped_in_torch(responses, side, size, first):
    """With tensors."""
    factor, moved = _factor_and_place(responses)
    new = torch.tensor(side * (0.41 + 0.59 * factor)).clamp(0.2 * first, 5 * first)
    return torch.from_numpy(moved) * (side * factor / 255), new, torch.from_numpy(size) * new / side


def stepped_by_growth(responses, side, size, first):
    """One growth for both, limited first."""
    factor, moved = _factor_and_place(responses)
    growth = np.clip(1 + 0.59 * (factor - 1), 0.2 * first / side, 5 * first / side)
    return moved / (255 / (side * factor)), side * growth, np.asarray(size) * growth


RIGHT = {
    "search.scales": [factors_as_list, factors_in_torch, factors_by_product],
    "search.enlarge": [enlarged_in_torch, enlarged_by_factor, enlarged_as_list],
    "search.choose": [chosen_in_torch, chosen_by_loop, chosen_with_copy],
    "search.blend": [blended_as_list, blended_in_torch, blended_in_place],
    "search.displacement": [displacement_as_list, displacement_in_torch, displacement_of_centres],
    "search.damp": [damped_by_minmax, damped_in_torch, damped_by_factor],
    "search.tracker": [OneByOne, InsideTheFrame, WithGrowth],
    "search.fault": [stepped_as_lists, stepped_in_torch, stepped_by_growth],
}
RANDOM: set[str] = set()
