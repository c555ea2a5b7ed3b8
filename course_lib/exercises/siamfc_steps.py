"""SiamFC in steps, for the check of lesson 06's tracker, and trackers that take one of them
wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow, context_side
from course_lib.models.runtime import SiamFCRuntime
from course_lib.trackers import siamfc


class SiamFC:
    """SiamFC as in the exercise: its settings are attributes of the class, and every step of an
    update is a method, so that a mistake is a change to one of them."""

    name = "my-siamfc"
    scales, step, penalty, rate, influence = 3, 1.0375, 0.9745, 0.59, 0.176

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Store the exemplar of `frame` (H, W, 3) at `box` (4,)."""
        box = np.asarray(box, dtype=float)
        self.runtime = SiamFCRuntime.load("siamfc", "auto", "auto")
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:].copy()
        self.colour, self.shown = cv2.mean(frame)[:3], frame
        side = float(context_side(self.size))
        self.look_at_exemplar(frame, side)
        self.side = self.first = side * SEARCH / EXEMPLAR
        self.window = siamfc.unit_window(272)
        # so far: the smallest lead of a peak over the second cell, or of a scale over the second
        self.closest = np.inf
        self.decided_by_enlarging = False  # whether the raw responses would choose another scale

    def look_at_exemplar(self, frame: np.ndarray, side: float) -> None:
        """Features of the square of `side` frame pixels around the target."""
        crop = CropWindow(*self.centre, side, EXEMPLAR).cut(frame, self.colour)  # (127, 127, 3)
        self.z = self.runtime.template(crop[None])  # (1, C, 6, 6)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next `frame`."""
        factors = siamfc.scale_factors(self.scales, self.step)  # (S,)
        windows = [CropWindow(*self.centre, self.side * f, SEARCH) for f in factors]
        crops = np.stack([window.cut(frame, self.colour) for window in windows])
        best, blended = self.choose(self.runtime.respond(self.z, crops))
        moved = siamfc.peak_displacement(blended, 8, 16)  # (2,) search pixels
        self.move(windows[best], moved)
        self.resize(factors[best])
        return self.box()

    def choose(self, responses: np.ndarray) -> tuple[int, np.ndarray]:
        """Index of the scale, and its response (272, 272) with the window."""
        large = np.stack([siamfc.enlarge(r, 16) for r in responses])  # (S, 272, 272)
        best = siamfc.choose_scale(large, self.penalty)
        blended = siamfc.blend_with_window(large[best].astype(float), self.window, self.influence)
        flat = blended.ravel().copy()
        peak = int(flat.argmax())
        highest, flat[peak] = flat[peak], -np.inf
        self.closest = min(self.closest, (highest - flat.max()) / (highest - blended.min()))
        if len(large) > 1:
            peaks = large.max(axis=(1, 2)) * self.penalty  # (S,)
            peaks[len(peaks) // 2] /= self.penalty
            second, highest = np.sort(peaks)[-2:]
            self.closest = min(self.closest, (highest - second) / abs(highest))
        self.decided_by_enlarging |= best != siamfc.choose_scale(responses, self.penalty)
        return best, blended

    def move(self, window: CropWindow, moved: np.ndarray) -> None:
        """Put the centre where the chosen window has its peak."""
        self.centre = window.to_frame(moved + SEARCH / 2)

    def resize(self, factor: float) -> None:
        """The search side moves towards the chosen scale, and the size with it."""
        side = siamfc.damp(self.side, factor, self.rate, self.first)
        self.size, self.side = self.size * side / self.side, side

    def box(self) -> np.ndarray:
        """(4,) from centre and size."""
        return np.concatenate([self.centre - self.size / 2, self.size])


def changed(**methods: Callable[..., Any]) -> Callable[[type], Any]:
    """A mistake: the right tracker with other methods, each called with the right class first."""

    def code(right: type) -> Any:
        own = {
            name: lambda self, *given, m=method: m(right, self, *given)
            for name, method in methods.items()
        }
        return type("Changed", (right,), own)()

    return code


def after_init(change: Callable[[Any], None]) -> Callable[[type], Any]:
    """A mistake in what `init` keeps."""

    def init(right, self, frame, box):
        right.init(self, frame, box)
        change(self)

    return changed(init=init)


def kept_as(**values: Any) -> Callable[[type], Any]:
    """A mistake: `init` keeps other values than it should."""
    return after_init(lambda self: self.__dict__.update(values))


def started_at(place: Callable[[np.ndarray], Any]) -> Callable[[type], Any]:
    """A mistake: another point is taken for the target's centre at the start."""

    def init(right, self, frame, box):
        shifted = [*(place(box) - box[2:] / 2), *box[2:]]
        right.init(self, frame, np.array(shifted))

    return changed(init=init)


def looked_at(side: Callable[[np.ndarray, float], float]) -> Callable[[type], Any]:
    """A mistake: the exemplar's square has another side, from size and right side."""
    return changed(
        look_at_exemplar=lambda right, self, frame, right_side: right.look_at_exemplar(
            self, frame, side(self.size, right_side)
        )
    )


def squared(side: Callable[[np.ndarray], Any]) -> Callable[[type], Any]:
    """A mistake: both squares are measured otherwise, (box) → the exemplar's side."""

    def init(right, self, frame, box):
        right.init(self, frame, box)
        own = float(side(box))
        self.look_at_exemplar(frame, own)
        set_side(self, own * SEARCH / EXEMPLAR)

    return changed(init=init)


def sized_by_view(right: type, self, frame: np.ndarray, box: np.ndarray) -> None:
    """The size is a part of the caller's box, not a copy."""
    right.init(self, frame, box)
    self.size = box[2:]


def resized_in_place(right: type, self, factor: float) -> None:
    """The size is changed where it lies."""
    size = self.size
    right.resize(self, factor)
    size[:] = self.size
    self.size = size


def of_scale(self, responses: np.ndarray, best: int) -> tuple[int, np.ndarray]:
    """A scale and its response (272, 272) with the window, whichever scale that is."""
    large = siamfc.enlarge(responses[best], 16)
    return best, siamfc.blend_with_window(large, self.window, self.influence)


def set_side(self, side: float) -> None:
    """Another search side from the start."""
    self.side = self.first = side


def blended_first(right: type, self, responses: np.ndarray) -> tuple[int, np.ndarray]:
    """The window is mixed in before the scale is chosen."""
    large = [siamfc.enlarge(r, 16) for r in responses]
    blended = np.stack([siamfc.blend_with_window(r, self.window, self.influence) for r in large])
    best = siamfc.choose_scale(blended, self.penalty)
    return best, blended[best]


def swapped(right: type, self, responses: np.ndarray) -> tuple[int, np.ndarray]:
    """The window gets the weight of the response."""
    self.influence = 1 - self.influence
    chosen = right.choose(self, responses)
    self.influence = 1 - self.influence
    return chosen


def resized(size: bool, side: bool, damped: bool = True) -> Callable[[type], Any]:
    """A mistake: size or side does not follow the chosen scale, or jumps to it."""

    def resize(right, self, factor):
        before = self.size, self.side
        if damped:
            right.resize(self, factor)
        else:
            self.size, self.side = self.size * factor, self.side * factor
        self.size, self.side = (self.size if size else before[0], self.side if side else before[1])

    return changed(resize=resize)


def unlimited(right: type, self, factor: float) -> None:
    """Size and side without limits."""
    grown = 1 - self.rate + self.rate * factor
    self.size, self.side = self.size * grown, self.side * grown


def size_unlimited(right: type, self, factor: float) -> None:
    """The size is damped by itself: where the side reaches a limit, it still moves on."""
    size = self.size * (1 - self.rate + self.rate * factor)
    right.resize(self, factor)
    self.size = size


def limited_by_last(right: type, self, factor: float) -> None:
    """The limits move along with the side."""
    right.resize(self, factor)
    self.first = self.side


def undamped_size(right: type, self, factor: float) -> None:
    """The size jumps, the side is damped."""
    size = self.size * factor
    right.resize(self, factor)
    self.size = size


def learning(right: type, self, frame: np.ndarray, rate: float = 1.0) -> np.ndarray:
    """The exemplar is cut again in every frame, and mixed in.

    Args:
        right: the right class.
        self: the tracker.
        frame: the present one.
        rate: the new one's part.
    """
    box, old = right.update(self, frame), self.z
    self.look_at_exemplar(frame, self.side * EXEMPLAR / SEARCH)
    self.z = (1 - rate) * old + rate * self.z
    return box


def filled(colour: Callable[[np.ndarray], Any]) -> Callable[..., None]:
    """An `init` with another colour for what lies beyond the frame, (frame) → (3,)."""

    def init(right, self, frame, box):
        right.init(self, frame, box)
        self.colour = tuple(float(v) for v in colour(frame))
        self.look_at_exemplar(frame, self.side * EXEMPLAR / SEARCH)

    return init


def recoloured(right: type, self, frame: np.ndarray) -> np.ndarray:
    """Every frame's own mean colour lies beyond it."""
    self.colour = cv2.mean(frame)[:3]
    return right.update(self, frame)


def looking_back(right: type, self, frame: np.ndarray, always: bool = True) -> np.ndarray:
    """The search is in another frame than the present one.

    Args:
        right: the right class.
        self: the tracker.
        frame: the present one.
        always: whether it is always the first; else the one before.
    """
    box = right.update(self, self.shown)
    self.shown = self.shown if always else frame
    return box


def shared(name: str) -> Callable[[type], Any]:
    """A mistake: an attribute stands on the class, for all trackers."""
    common: dict[str, Any] = {}

    def look(right, self, frame, side):
        right.look_at_exemplar(self, frame, side)
        common[name] = self.__dict__.pop(name)

    return changed(
        look_at_exemplar=look,
        update=lambda right, self, frame: (
            setattr(self, name, common[name]),
            right.update(self, frame),
        )[1],
    )


def kept_from_first(name: str) -> Callable[[type], Any]:
    """A mistake: an attribute stays when the tracker is started again."""

    def init(right, self, frame, box):
        before = self.__dict__.get(name)
        right.init(self, frame, box)
        setattr(self, name, getattr(self, name) if before is None else before)

    return changed(init=init)


def returned(box: Callable[[Any], Any]) -> Callable[[type], Any]:
    """A mistake in what is returned: (tracker) → the two halves of its box."""
    return changed(box=lambda right, self: np.concatenate(box(self)))


def unkept(right: type, self, frame: np.ndarray) -> np.ndarray:
    """The centre stays that of frame 0."""
    centre = self.centre
    box = right.update(self, frame)
    self.centre = centre
    return box
