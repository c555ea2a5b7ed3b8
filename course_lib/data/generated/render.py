"""Drawing a generated frame: background, distractors, target, occluders, illumination, blur,
noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from course_lib.data.frames import Frames
from course_lib.data.generated.motion import Poses
from course_lib.data.generated.sources import Cutout
from course_lib.data.outline import soft_mask


@dataclass(frozen=True, eq=False)
class Actor:
    """A piece and its poses."""

    cutout: Cutout
    poses: Poses


@dataclass(frozen=True, eq=False)
class Stage:
    """Everything that a sequence shows in T frames of height × width.

    Attributes:
        backdrop: (H', W', 3) uint8, larger than a frame.
        camera: (T, 2) the frame's top-left corner on the backdrop, x, y.
        actors: all pieces, from back to front.
        target: index of the target among the actors.
        height, width: of a frame, pixels.
        illumination: (T,) factor on all values.
        blur: fraction of a frame's time during which the shutter is open, 0…1.
        noise: standard deviation in grey values.
        grey: whether colour is removed.
        seed: seed of the noise.
    """

    backdrop: np.ndarray
    camera: np.ndarray
    actors: tuple[Actor, ...]
    target: int
    height: int
    width: int
    illumination: np.ndarray
    blur: float
    noise: float
    grey: bool
    seed: int


class RenderedFrames(Frames):
    """Frames drawn on demand. Frame t has the same bytes in whatever order frames are read."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __len__(self) -> int:
        return len(self.stage.camera)

    def _read(self, index: int) -> np.ndarray:
        return render(self.stage, index)


def render(stage: Stage, t: int) -> np.ndarray:
    """Frame t (H, W, 3) uint8."""
    x, y = stage.camera[t]
    shift = np.array([[1.0, 0, x], [0, 1.0, y]])
    size = (stage.width, stage.height)
    image = cv2.warpAffine(
        stage.backdrop,
        shift,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    image = image.astype(np.float32)  # (H, W, 3)
    for actor in stage.actors:
        moments = shutter(stage, t)
        rows, columns = region(actor, moments, stage.height, stage.width)
        if rows.start < rows.stop and columns.start < columns.stop:
            colour, opacity = draw(actor, moments, rows, columns)
            part = image[rows, columns]  # (h, w, 3), a view
            part += opacity[..., None] * (colour - part)
    image *= stage.illumination[t]
    if stage.noise:
        rng = np.random.default_rng([stage.seed, t])
        image += stage.noise * rng.standard_normal(image.shape, dtype=np.float32)
    frame = np.clip(image + 0.5, 0, 255).astype(np.uint8)
    if stage.grey:
        frame = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return frame


def shutter(stage: Stage, t: int) -> list[float]:
    """The moments that are averaged into frame t: one, or seven spread over the time for which the
    shutter was open before it."""
    return [t] if not stage.blur or t == 0 else list(t - stage.blur * np.linspace(0, 1, 7))


def region(actor: Actor, moments: list[float], height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the frame that an actor can cover; empty if it is outside.

    Args:
        actor: the piece and its poses.
        moments: times that are averaged, in frames.
        height, width: of the frame, pixels.
    """
    outline = actor.cutout.outline
    contours = np.concatenate([actor.poses.contour(outline, m) for m in moments])  # (n, 2)
    left, top = np.floor(contours.min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(contours.max(axis=0)).astype(int) + 2
    return slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))


def draw(
    actor: Actor, moments: list[float], rows: slice, columns: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Colour (h, w, 3) and opacity (h, w) in [0, 1] of one actor in a part of the frame.

    Args:
        actor: the piece and its poses.
        moments: times that are averaged, in frames.
        rows, columns: the part of the frame, see `region`.
    """
    h, w = rows.stop - rows.start, columns.stop - columns.start
    corner = (columns.start, rows.start)
    colour = np.zeros((h, w, 3), dtype=np.float32)
    opacity = np.zeros((h, w), dtype=np.float32)
    for moment in moments:
        mask = silhouette(actor, moment, h, w, corner).astype(np.float32) / 255  # (h, w)
        colour += mask[..., None] * _texture(actor, moment, h, w, corner)
        opacity += mask
    colour /= np.maximum(opacity, 1e-6)[..., None]
    return colour, opacity / len(moments)


def silhouette(
    actor: Actor, t: float, height: int, width: int, corner: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """The actor's mask (height, width) uint8, with soft edges, in a part of the frame.

    Args:
        actor: the piece and its poses.
        t: the time, in frames.
        height, width: of the part, pixels.
        corner: (x, y) of its top-left corner in the frame.
    """
    contour = actor.poses.contour(actor.cutout.outline, t) - np.asarray(corner)  # (n, 2)
    return soft_mask([contour], height, width)


def _texture(
    actor: Actor, t: float, height: int, width: int, corner: tuple[int, int]
) -> np.ndarray:
    """The actor's texture (height, width, 3) at time t, in the part of the frame whose top-left
    corner is `corner` (x, y)."""
    rgb = actor.cutout.rgb
    half = len(rgb) / 2
    # texture pixel → ±1
    to_units = np.array([[1 / half, 0, (0.5 - half) / half], [0, 1 / half, (0.5 - half) / half]])
    whole = actor.poses.matrix(t) @ np.vstack([to_units, [0, 0, 1]])  # (2, 3) texture pixel → frame
    whole[:, 2] -= 0.5 + np.asarray(corner)
    return cv2.warpAffine(
        rgb, whole, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
