"""Material for generated sequences: photographs that come with scikit-image, textures made by code,
outlined pieces.

The photographs ship inside the scikit-image package, which documents the origin of each in
`skimage.data`: astronaut and rocket by NASA, chelsea by Stéfan van der Walt, coffee by Rachel
Michetti, the motorcycle from the Middlebury stereo set, brick, grass and gravel from CC0 texture
collections, coins by the Brooklyn Museum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from course_lib.data.frames import read_image

SCENES = ("coffee", "astronaut", "chelsea", "motorcycle", "rocket", "gravel", "grass", "brick")
FILES = {"motorcycle": "motorcycle_left.png", "rocket": "rocket.jpg"}


@dataclass(frozen=True, eq=False)
class Cutout:
    """A piece to move over a background.

    Attributes:
        rgb: (S, S, 3) uint8 texture.
        outline: (n, 2) closed contour in units of the texture's half side, x then y; its centre is
            (0, 0).
    """

    rgb: np.ndarray
    outline: np.ndarray


@lru_cache(maxsize=16)
def photograph(name: str) -> np.ndarray:
    """One of SCENES as a frame (H, W, 3); it is cached and shared, so never write to it."""
    import skimage

    return read_image(Path(skimage.__file__).parent / "data" / FILES.get(name, f"{name}.png"))


def scene(name: str, height: int, width: int) -> np.ndarray:
    """A background (height, width, 3): a photograph scaled to fill it, then cropped to its centre.

    Args:
        name: one of SCENES.
        height, width: pixels.
    """
    image = photograph(name)
    H, W = image.shape[:2]
    scale = max(height / H, width / W)
    size = max(width, round(W * scale)), max(height, round(H * scale))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    top, left = (resized.shape[0] - height) // 2, (resized.shape[1] - width) // 2
    return resized[top : top + height, left : left + width]


def painted_texture(rng: np.random.Generator, size: int = 128) -> np.ndarray:
    """A random texture (size, size, 3) of light and dark patches of similar hue, with details at
    three scales."""
    layers = []
    for cells, weight in ((4, 1.0), (9, 0.8), (24, 0.5)):
        grey = rng.uniform(-1, 1, (cells, cells, 1))
        coarse = (grey + 0.35 * rng.uniform(-1, 1, (cells, cells, 3))).astype(np.float32)
        layers.append(weight * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC))
    mixed = sum(layers) + rng.uniform(-0.7, 0.7, 3).astype(np.float32)  # (size, size, 3)
    return np.clip(128 + 75 * mixed, 0, 255).astype(np.uint8)


def piece_of_photograph(rng: np.random.Generator, name: str, size: int = 128) -> np.ndarray:
    """A random square (size, size, 3) of a photograph: the one with most contrast of twelve.

    Args:
        rng: random generator of their positions.
        name: one of SCENES.
        size: side of the result, pixels.
    """
    image = photograph(name)
    side = int(min(image.shape[:2]) * 0.35)
    tries = []
    for _ in range(12):
        y, x = (int(rng.integers(0, extent - side)) for extent in image.shape[:2])
        tries.append(image[y : y + side, x : x + side])
    best = max(tries, key=lambda part: float(part.std()))
    return cv2.resize(best, (size, size), interpolation=cv2.INTER_AREA)


def random_outline(
    rng: np.random.Generator, points: int = 72, roughness: float = 0.18
) -> np.ndarray:
    """A closed contour (points, 2) around (0, 0) within ±0.9: a pebble, a leaf, a kite.

    Args:
        rng: random generator of its shape.
        points: number of points on the contour.
        roughness: strength of the four waves on its radius; larger values make deeper bays.
    """
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)  # (points,)
    radius = np.ones(points)
    for wave in range(2, 6):
        height, phase = rng.normal(0, roughness), rng.uniform(0, 2 * np.pi)
        radius += height * np.cos(wave * angle + phase) / np.sqrt(wave)
    radius = np.clip(radius, 0.45, None)
    contour = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])  # (points, 2)
    contour -= (contour.max(axis=0) + contour.min(axis=0)) / 2
    return 0.9 * contour / np.abs(contour).max()


def random_cutout(rng: np.random.Generator, photo: str | None = None) -> Cutout:
    """An outlined piece of a photograph, or of a painted texture where `photo` is None."""
    rgb = painted_texture(rng) if photo is None else piece_of_photograph(rng, photo)
    return Cutout(rgb, random_outline(rng))
