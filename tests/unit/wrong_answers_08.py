"""Answers to the exercises of lesson 08 as students really write them when they are wrong,
each with words its check must answer."""

from __future__ import annotations

import cv2
import numpy as np

from course_lib.exercises.lesson08 import padded_size
from course_lib.geometry.anchors import decode
from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.runtime import load_proposer
from course_lib.trackers import siamrpn
from course_lib.trackers.siamrpn import change


def penalty(rule):
    """A penalty from the changes r and s."""

    def run(boxes, size, k):
        w, h = boxes[:, 2], boxes[:, 3]
        s = change(padded_size(w, h) / padded_size(*size))
        return rule(change((size[0] / size[1]) / (w / h)), s, k)

    return run


class Mine:
    """A whole tracker, right unless a class below breaks it."""

    corner = True  # return the corner, not the centre
    keep_centre = True
    keep_size = True
    to_frame = True  # sizes are brought from search pixels to frame pixels
    own_window = True  # the place is brought back by the window

    def init(self, frame, box):
        box = np.asarray(box, dtype=float)
        self.net = load_proposer("siamrpn", "auto", "auto")
        self.anchors = self.net.anchors(255)
        self.hann = siamrpn.anchor_window(self.anchors)
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:].copy()
        self.colour = cv2.mean(frame)[:3]
        crop = CropWindow(*self.centre, float(context_side(self.size)), 127).cut(frame, self.colour)
        self.z = self.net.keep(crop, 255)

    def update(self, frame):
        window = CropWindow(*self.centre, float(context_side(self.size)) * 255 / 127, 255)
        answer = self.net.respond(self.z, window.cut(frame, self.colour)[None])[0]
        boxes = decode(answer[:, 1:], self.anchors)
        factors = siamrpn.change_penalty(boxes, self.size * window.scale, 0.16)
        ranked = 0.6 * factors * answer[:, 0] + 0.4 * self.hann
        best = ranked.argmax()
        found = window.box_to_frame(boxes[best])
        share = 0.3 * factors[best] * answer[best, 0]
        centre = found[:2] + found[2:] / 2
        if not self.own_window:
            centre = self.centre + (boxes[best, :2] + boxes[best, 2:] / 2 - 127.5)
        size = (1 - share) * self.size + share * (found[2:] if self.to_frame else boxes[best, 2:])
        if self.keep_centre:
            self.centre = np.clip(centre, 0, frame.shape[1::-1])
        if self.keep_size:
            self.size = np.clip(size, 10, frame.shape[1::-1])
        return np.concatenate([self.centre - self.size / 2 * self.corner, self.size])


WRONG = {
    "choose.padded_size": [
        (lambda w, h: np.sqrt(w * h), "without the context"),
        (lambda w, h: (w + (w + h) / 2) * (h + (w + h) / 2), "is an area"),
        (lambda w, h: np.sqrt((w + (w + h) / 4) * (h + (w + h) / 4)), "yours? p|your p"),
    ],
    "choose.change": [
        (lambda r: r, "larger of r and"),
        (lambda r: np.minimum(r, 1 / r), "smaller"),
        (lambda r: np.abs(r - 1), "no change should be 1"),
    ],
    "choose.penalty": [
        (penalty(lambda r, s, k: np.exp(k * r * s)), "lost a minus"),
        (penalty(lambda r, s, k: np.exp(-k * r * s)), "no change, no penalty"),
        (penalty(lambda r, s, k: np.exp(-k * (r - 1))), "only the ratio"),
        (penalty(lambda r, s, k: np.exp(-k * (s - 1))), "only the size"),
        (penalty(lambda r, s, k: np.exp(-k * (s + r - 2))), "multiplied"),
    ],
    "choose.rerank": [
        (lambda s, p, w, i: i * p * s + (1 - i) * w, "wrong one"),
        (lambda s, p, w, i: (1 - i) * s + i * w, "penalties are missing"),
        (lambda s, p, w, i: s * p * w, "multiply by the window"),
        (lambda s, p, w, i: s * p + i * w, "full weight"),
    ],
    "choose.smooth": [
        (lambda last, found, c, rate: (1 - rate) * last + rate * found, "as far as a certain one"),
        (lambda last, found, c, rate: found, "jumps"),
        (lambda last, found, c, rate: c * rate * last + (1 - c * rate) * found, "exchanged"),
    ],
    "choose.tracker": [
        (type("NoCorner", (Mine,), {"corner": False}), "corner belongs"),
        (type("NoCentre", (Mine,), {"keep_centre": False}), "still where"),
        (type("NoSize", (Mine,), {"keep_size": False}), "size of frame 0"),
        (type("SearchPixels", (Mine,), {"to_frame": False}), "search pixels"),
        (type("NoWindow", (Mine,), {"own_window": False}), "brought to the frame|frame pixels"),
    ],
}
