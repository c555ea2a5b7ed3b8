"""A small clip to try a student's tracker on, and messages for the boxes it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from course_lib.exercises.compare import as_array, same
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou


@dataclass(frozen=True, eq=False)
class SmallSequence:
    """A textured target that moves by whole pixels over a dim texture.

    Attributes:
        scene: (H, W) uint8 without the target; target: (h, w) uint8.
        frames: T frames (H, W, 3) uint8.
        boxes: (T, 4) of the target, x, y, w, h in pixels.
    """

    scene: np.ndarray
    target: np.ndarray
    frames: list[np.ndarray]
    boxes: np.ndarray


def moving_texture(
    rng: np.random.Generator, step: tuple[int, int] = (3, 2), length: int = 12
) -> SmallSequence:
    """A clip whose target is 30 × 36 pixels large.

    Args:
        rng: of the textures.
        step: from frame to frame, x and y, pixels.
        length: frames.
    """
    scene, target = texture(rng, 150, 200) // 2 + 40, texture(rng, 36, 30)
    places = np.array([60, 50]) + np.arange(length)[:, None] * step  # (T, 2) x, y
    boxes = np.column_stack([places, np.tile([30.0, 36.0], (length, 1))])  # (T, 4)
    return SmallSequence(scene, target, [paste(scene, target, place) for place in places], boxes)


def followed(
    tracker: Any, sequence: SmallSequence, lost: str, growth: float = 0.0
) -> list[np.ndarray]:
    """The boxes that a tracker returns on a clip; raises Wrong if they do not follow the target.

    Args:
        tracker: the student's.
        sequence: the clip it is shown.
        lost: the question to ask where it follows at first and loses the target later.
        growth: by what fraction the box may differ from its first size.
    """
    tracker.init(sequence.frames[0], sequence.boxes[0].copy())
    boxes = [as_array(tracker.update(frame), (4,), "the box") for frame in sequence.frames[1:]]
    if all(same(box, sequence.boxes[0]) for box in boxes):
        raise Wrong("your box never moves: add the displacement to the centre")
    size = sequence.boxes[0][2:]
    if not np.allclose([box[2:] for box in boxes], size, rtol=max(growth, 1e-5)):
        raise Wrong(
            f"your box has size {np.round(boxes[0][2:], 1).tolist()}, the first one was "
            f"{size.tolist()}: the tracker keeps that size, and the patch has its own"
        )
    first, step = (
        boxes[0][:2] - sequence.boxes[0][:2],
        sequence.boxes[1][:2] - sequence.boxes[0][:2],
    )
    if np.allclose(first, -step, atol=1):
        raise Wrong("your box moves the wrong way: the target went right and down")
    if np.allclose(first, step[::-1], atol=0.5):
        raise Wrong(
            f"your box moves {step[1]:g} right and {step[0]:g} down, the target {step[0]:g} right "
            f"and {step[1]:g} down: the peak's row is y"
        )
    overlaps = [float(iou(box, true)) for box, true in zip(boxes, sequence.boxes[1:], strict=True)]
    if min(overlaps) < 0.7:
        t = int(np.argmax(np.array(overlaps) < 0.7)) + 1
        raise Wrong(
            f"your box loses a target that moves {step[0]:g} px right and {step[1]:g} px down per "
            f"frame: in frame {t} its IoU is {overlaps[t - 1]:.2f}. {lost}"
        )
    return boxes


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A blotchy grey texture (height, width) uint8.

    Args:
        rng: of its blotches.
        height, width: in pixels.
    """
    coarse = rng.integers(0, 256, (height // 6 + 2, width // 6 + 2), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def paste(scene: np.ndarray, target: np.ndarray, place: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) of a scene with a target in it.

    Args:
        scene: (H, W) uint8.
        target: (h, w) uint8.
        place: (2,) of its corner, x, y.
    """
    image = scene.copy()
    x, y = (int(v) for v in place)
    image[y : y + target.shape[0], x : x + target.shape[1]] = target
    return np.repeat(image[..., None], 3, axis=2)


class Bent:
    """A right tracker whose boxes are changed on the way out, as a mistake would change them."""

    def __init__(self, tracker: Any, change: Callable[[np.ndarray, np.ndarray], Any]) -> None:
        self.tracker, self.change = tracker, change

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Initialise the tracker and note the first box."""
        self.first = np.array(box, dtype=float)
        self.tracker.init(frame, box)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The changed box."""
        return np.asarray(self.change(self.first, self.tracker.update(frame)))


def bent(change: Callable[[np.ndarray, np.ndarray], Any], *settings: Any) -> Callable[[Any], Bent]:
    """A mistake of a tracker: (first box, right box) → its box."""
    return lambda right: Bent(right(*settings), change)


# by part of the message: where trackers put their box when the displacement is misread
MISPLACED = {
    "your box never moves": bent(lambda first, box: first),
    "your box moves the wrong way": bent(lambda first, box: 2 * first - box),
    "the peak's row is y": bent(lambda first, box: first + (box - first)[[1, 0, 2, 3]]),
}


def late(right: type) -> type:
    """A mistake of a tracker: it learns the patch at the old centre."""

    class Late(right):
        def _move(self, *given):
            self.before = self.centre
            super()._move(*given)

        def _learn(self, frame):
            centre, self.centre = self.centre, self.before
            super()._learn(frame)
            self.centre = centre

    return Late


def centred(box: np.ndarray) -> np.ndarray:
    """Centre (2,) of a box (4,)."""
    return box[:2] + box[2:] / 2


# by part of the message: where trackers put their box when the position is not kept, or taken for
# the centre
UNKEPT = {
    "you return the centre where the box's corner": bent(
        lambda first, box: [*centred(box), *box[2:]]
    ),
    "your box is still where": bent(lambda first, box: [*(centred(first) - box[2:] / 2), *box[2:]]),
}


def apart(answer: Any, rng: np.random.Generator) -> Iterator[tuple]:
    """A student's tracker beside the reference on a generated clip: frame number, its box, the
    right one and the first one, for each frame in which the two clearly differ.

    Args:
        answer: makes the student's tracker; `answer.right` makes the right one.
        rng: chooses the clip.
    """
    from course_lib.data.generated import make_sequence, random_spec

    still = {"illumination": 0.0, "occluders": 0, "distractors": 0}
    spec = random_spec(int(rng.integers(50)), length=8, scale=1.5, noise=2.0, **still)
    sequence = make_sequence(spec)
    mine, right = answer(), answer.right()
    for tracker in (mine, right):
        tracker.init(sequence.frames[0], sequence.boxes[0])
    for t in range(1, len(sequence)):
        expected = right.update(sequence.frames[t])
        given = as_array(mine.update(sequence.frames[t]), (4,), "the box")
        if float(iou(given, expected)) <= 0.97:
            if np.abs(given[:2] - centred(expected)).max() < 1:
                raise Wrong(
                    f"in frame {t} you return the centre where the box's corner belongs: x = cx − "
                    "w / 2"
                )
            yield t, given, expected, sequence.boxes[0]
