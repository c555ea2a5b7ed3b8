"""Right answers of lesson 08 in other styles."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch

from course_lib.geometry.windows import CropWindow
from course_lib.models.runtime import ProposalRuntime

runtime = ProposalRuntime.load("siamrpn", "auto", "auto")
anchors = runtime.anchors(255)


def hann_at(anchors):
    """The window at the anchors' centres: 1 in the centre of the map, 0 at its border."""
    at = anchors[:, :2] + anchors[:, 2:] / 2
    share = (at - at.min(0)) / np.ptp(at, axis=0)
    return (np.sin(math.pi * share) ** 2).prod(1)


def sizes_as_list(w, h):
    """A list, or a number."""
    if np.ndim(w) == 0:
        return math.sqrt((1.5 * w + h / 2) * (w / 2 + 1.5 * h))
    return [sizes_as_list(a, b) for a, b in zip(w, h, strict=True)]


def sizes_multiplied_out(w, h):
    """The product multiplied out."""
    return (w * h + (w + h) ** 2 / 2 + (w + h) ** 2 / 4) ** 0.5


def sizes_by_hypot(w, h):
    """With the geometric mean."""
    p = 0.5 * w + 0.5 * h
    return np.sqrt(np.multiply(np.add(w, p), np.add(h, p)))


def change_as_list(ratio):
    """Number by number."""
    return [r if r > 1 else 1 / r for r in ratio]


def change_by_logarithm(ratio):
    """Symmetric in the logarithm."""
    return np.exp(np.abs(np.log(ratio)))


def change_in_torch(ratio):
    """With torch."""
    r = torch.as_tensor(np.array(ratio))
    return torch.where(r < 1, 1 / r, r)


def penalty_as_list(boxes, size, strength):
    """Box by box."""
    factors = []
    for _, _, w, h in boxes.tolist():
        s = sizes_as_list(w, h) / sizes_as_list(*size)
        r = (w / h) / (size[0] / size[1])
        factors.append(math.exp(-(max(r, 1 / r) * max(s, 1 / s) - 1) * strength))
    return factors


def penalty_in_logarithms(boxes, size, strength):
    """Changes as absolute logarithms."""
    w, h = boxes[:, 2], boxes[:, 3]
    r = np.abs(np.log(w * size[1] / (h * size[0])))
    s = np.abs(np.log(sizes_by_hypot(w, h)) - np.log(sizes_by_hypot(*size)))
    return np.exp(strength * (1 - np.exp(r + s)))


def penalty_in_torch(boxes, size, strength):
    """With torch, in double precision."""
    w, h = torch.from_numpy(boxes[:, 2:]).unbind(1)
    s = sizes_multiplied_out(w, h) / float(sizes_multiplied_out(*size))
    r = h / w * float(size[0] / size[1])
    return torch.exp(strength - strength * torch.maximum(r, 1 / r) * torch.maximum(s, 1 / s))


def rank_as_list(scores, penalties, window, influence):
    """Number by number."""
    rows = zip(scores, penalties, window, strict=True)
    return [(1 - influence) * p * s + influence * w for s, p, w in rows]


def rank_step_by_step(scores, penalties, window, influence):
    """pysot's lines."""
    ranked = penalties * scores
    return ranked + influence * (window - ranked)


def rank_as_product(scores, penalties, window, influence):
    """As one product."""
    return np.array([1 - influence, influence]) @ np.stack([scores * penalties, window])


def smooth_as_list(last, found, certainty, rate):
    """Side by side."""
    f = certainty * rate
    return [(1 - f) * a + f * b for a, b in zip(last, found, strict=True)]


def smooth_by_a_step(last, found, certainty, rate):
    """A step towards the new size."""
    return last + certainty * rate * (found - last)


def smooth_by_average(last, found, certainty, rate):
    """With np.average."""
    f = rate * certainty
    return np.average([last, found], axis=0, weights=[1 - f, f])


def shapes(w, h):
    """Side of the square with context."""
    return float(np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2)))


class AsList:
    """Plain numbers, the box as a list."""

    name = "as-list"

    def init(self, frame, box):
        """Store the target."""
        x, y, self.w, self.h = (float(v) for v in box)
        self.cx, self.cy = x + self.w / 2, y + self.h / 2
        self.mean = frame.reshape(-1, 3).mean(0)
        window = CropWindow(self.cx, self.cy, shapes(self.w, self.h), 127)
        self.z = runtime.template_features(window.cut(frame, self.mean), 255)
        self.hann = hann_at(anchors)

    def update(self, frame):
        """The target's box."""
        window = CropWindow(self.cx, self.cy, shapes(self.w, self.h) / 127 * 255, 255)
        score, *offsets = runtime.respond(self.z, window.cut(frame, self.mean)[None])[0].T
        x, y, w, h = np.array(decode_by_column(np.stack(offsets, 1), anchors)).T
        scale = window.scale
        penalty = np.array(
            penalty_in_logarithms(np.stack([x, y, w, h], 1), (self.w * scale, self.h * scale), 0.16)
        )
        best = np.argmax(0.6 * penalty * score + 0.4 * self.hann)
        height, width = frame.shape[:2]
        cx, cy = window.to_frame([x[best] + w[best] / 2, y[best] + h[best] / 2])
        self.cx, self.cy = min(max(cx, 0), width), min(max(cy, 0), height)
        f = 0.3 * penalty[best] * score[best]
        self.w = min(max((1 - f) * self.w + f * w[best] / scale, 10), width)
        self.h = min(max((1 - f) * self.h + f * h[best] / scale, 10), height)
        return [self.cx - self.w / 2, self.cy - self.h / 2, self.w, self.h]


def decode_by_column(offsets, anchors):
    """Boxes at offsets."""
    dx, dy, dw, dh = offsets.T
    x, y, w, h = anchors.T
    W, H = w * np.exp(dw), h * np.exp(dh)
    return np.array([x + dx * w + (w - W) / 2, y + dy * h + (h - H) / 2, W, H]).T


class InFramePixels:
    """Proposals brought to the frame before anything else."""

    name = "in-frame-pixels"

    def init(self, frame, box):
        """Store the target."""
        self.box = np.array(box, dtype=float)
        self.fill = cv2.mean(frame)[:3]
        crop = self._window(127).cut(frame, self.fill)
        self.z = runtime.template_features(crop, search=255)

    def _window(self, size):
        centre = self.box[:2] + self.box[2:] / 2
        return CropWindow(*centre, shapes(*self.box[2:]) * size / 127, size)

    def update(self, frame):
        """The target's box."""
        window = self._window(255)
        found = runtime.respond(self.z, np.stack([window.cut(frame, self.fill)]))
        boxes = window.box_to_frame(decode_by_column(found[0, :, 1:], anchors))
        certainty = penalty_in_logarithms(boxes, self.box[2:], 0.16) * found[0, :, 0]
        i = int((certainty * 0.6 + hann_at(anchors) * 0.4).argmax())
        limit = np.array([frame.shape[1], frame.shape[0]])
        centre = np.minimum(np.maximum(boxes[i, :2] + boxes[i, 2:] / 2, 0), limit)
        size = self.box[2:] + certainty[i] * 0.3 * (boxes[i, 2:] - self.box[2:])
        size = size.clip(10, limit)
        self.box = np.r_[centre - size / 2, size]
        return self.box.copy()


class OnlyTheBest:
    """The winner alone is decoded; a tuple as the box."""

    name = "only-the-best"

    def init(self, frame, box):
        """Store the target."""
        self.state = [box[0] + box[2] / 2, box[1] + box[3] / 2, box[2], box[3]]
        self.grey = tuple(frame.mean(axis=(0, 1)))
        cx, cy, w, h = self.state
        crop = CropWindow(cx, cy, shapes(w, h), 127).cut(frame, self.grey)
        self.z, self.window = runtime.template_features(crop, 255), hann_at(anchors)

    def update(self, frame):
        """The target's box."""
        cx, cy, w, h = self.state
        view = CropWindow(cx, cy, shapes(w, h) * 255 / 127, 255)
        out = runtime.respond(self.z, view.cut(frame, self.grey).reshape(1, 255, 255, 3))[0]
        sizes = anchors[:, 2:] * np.exp(out[:, 3:])
        factor = penalty_in_logarithms(
            np.hstack([sizes, sizes]), np.array([w, h]) * 255 / view.side, 0.16
        )
        k = rank_step_by_step(out[:, 0], factor, self.window, 0.4).argmax()
        centre = anchors[k, :2] + anchors[k, 2:] * (0.5 + out[k, 1:3])
        limit = frame.shape[1], frame.shape[0]
        centre = np.clip(view.to_frame(centre), 0, limit)
        new = smooth_by_a_step(np.array([w, h]), sizes[k] / view.scale, factor[k] * out[k, 0], 0.3)
        w, h = np.clip(new, 10, limit)
        self.state = [*centre, w, h]
        return centre[0] - w / 2, centre[1] - h / 2, w, h


def response_as_list(logs, factors):
    """Least squares by the normal equations, column by column."""
    x, y = [], []
    for k, column in zip(factors, np.asarray(logs).T, strict=True):
        seen = sorted(v for v in column if v == v)
        if seen:
            n = len(seen)
            x.append(math.log(k))
            y.append((seen[(n - 1) // 2] + seen[n // 2]) / 2)
    mx, my = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    slope /= sum((a - mx) ** 2 for a in x)
    return [slope, my - slope * mx]


def response_by_lstsq(logs, factors):
    """With a matrix of two columns."""
    x = np.log(factors)
    gain, bias = np.linalg.lstsq(
        np.stack([x, np.ones_like(x)], 1), np.nanmedian(logs, 0), rcond=None
    )[0]
    return gain, bias


def response_by_fit(logs, factors):
    """With NumPy's newer polynomials."""
    bias, gain = np.polynomial.Polynomial.fit(
        np.log(factors), np.nanquantile(logs, 0.5, axis=0), 1
    ).convert()
    return gain, bias


def sizes_followed_as_list(answer, rate, start, frames):
    """A list that grows."""
    sizes = [start]
    while len(sizes) <= frames:
        k = sizes[-1]
        sizes.append(k + rate * (math.exp(answer(math.log(k))) - k))
    return sizes


def sizes_followed_in_an_array(answer, rate, start, frames):
    """An array that is filled."""
    sizes = np.full(frames + 1, float(start))
    for t in range(frames):
        sizes[t + 1] = sizes[t] * (1 - rate) + rate * np.e ** answer(np.log(sizes[t]))
    return sizes


def sizes_accumulated(answer, rate, start, frames):
    """As a running fold."""
    from itertools import accumulate

    steps = accumulate(
        range(frames),
        lambda k, _: rate * np.exp(answer(np.log(k))) + (1 - rate) * k,
        initial=start,
    )
    return np.fromiter(steps, float)


def padded(size):
    """The padded size of w and h."""
    w, h = size
    return math.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))


def true_as_list(found, believed, gain, bias):
    """From the believed size, as a list."""
    r = max(-0.5, min(0.5, math.log(padded(found) / padded(believed))))
    factor = padded(believed) / padded(found) * math.exp((r - bias) / (1 - gain))
    return [factor * side for side in found]


def true_in_torch(found, believed, gain, bias):
    """With torch."""
    found, believed = torch.as_tensor(np.array(found)), torch.as_tensor(np.array(believed))

    def size(s):
        return ((s + s.mean()) * (s.flip(0) + s.mean())).prod().pow(0.25)

    r = (size(found).log() - size(believed).log()).clamp(-0.5, 0.5)
    return found / size(found) * size(believed) * torch.exp((r - bias) / (1 - gain))


def true_by_power(found, believed, gain, bias):
    """With a power in place of logarithm and division."""
    ratio = np.clip(padded(found) / padded(believed), np.exp(-0.5), np.exp(0.5))
    wanted = padded(believed) * (ratio / np.exp(bias)) ** (1 / (1 - gain))
    return np.asarray(found) * wanted / padded(found)


def next_as_list(last, found, certainty, rate, gain, bias):
    """Side by side."""
    true = true_as_list(found, last, gain, bias)
    return [a + certainty * rate * (b - a) for a, b in zip(last, true, strict=True)]


def next_by_lerp(last, found, certainty, rate, gain, bias):
    """With torch's own blend."""
    return torch.lerp(
        torch.as_tensor(np.array(last)), true_in_torch(found, last, gain, bias), certainty * rate
    )


def next_by_difference(last, found, certainty, rate, gain, bias):
    """Last size plus a part of the difference."""
    return last - (last - true_by_power(found, last, gain, bias)) * rate * certainty


RIGHT = {
    "size.response": [response_as_list, response_by_lstsq, response_by_fit],
    "size.loop": [sizes_followed_as_list, sizes_followed_in_an_array, sizes_accumulated],
    "size.invert": [true_as_list, true_in_torch, true_by_power],
    "size.fault": [next_as_list, next_by_lerp, next_by_difference],
    "choose.padded_size": [sizes_as_list, sizes_multiplied_out, sizes_by_hypot],
    "choose.change": [change_as_list, change_by_logarithm, change_in_torch],
    "choose.penalty": [penalty_as_list, penalty_in_logarithms, penalty_in_torch],
    "choose.rerank": [rank_as_list, rank_step_by_step, rank_as_product],
    "choose.smooth": [smooth_as_list, smooth_by_a_step, smooth_by_average],
    "choose.tracker": [AsList, InFramePixels, OnlyTheBest],
}
RANDOM: set[str] = set()
