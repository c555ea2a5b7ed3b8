"""Features: a few numbers for each cell of a patch, which a correlation filter takes as channels.

A patch of h × w pixels becomes (channels, h // cell, w // cell). Several patches of equal size are
processed together.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from course_lib.errors import SettingsError

FEATURES = ("grey", "colour", "hog")
ORIENTATIONS = 18  # bins of the signed gradient; 9 unsigned
CEILING = 0.2  # of a normalised histogram entry, so that one strong edge does not dominate
EPSILON = 1e-4  # added to the energy of four cells, so that a flat patch stays flat


def features(patches: np.ndarray, kinds: str, cell: int) -> np.ndarray:
    """Channels (N, C, h // cell, w // cell) float32 of patches.

    Args:
        patches: (N, h, w, 3) uint8.
        kinds: names from FEATURES joined by "+": grey 1 channel, colour 3, hog 31.
        cell: pixels per side of a cell.

    Raises:
        SettingsError: for an unknown kind.
    """
    parts = [_of_kind(patches, kind, cell) for kind in split_kinds(kinds)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def split_kinds(kinds: str) -> list[str]:
    """The names in a text like "hog+colour". Raises SettingsError unless each is one of FEATURES
    and none is repeated."""
    names = kinds.split("+")
    if len(set(names)) < len(names) or not set(names) <= set(FEATURES):
        raise SettingsError(
            f"features is {kinds!r}; expected one or more of {', '.join(FEATURES)}, joined by '+'"
        )
    return names


def grey(patches: np.ndarray, cell: int = 1) -> np.ndarray:
    """Grey values (N, 1, h // cell, w // cell) in about −0.5 … 0.5, each patch with mean 0."""
    # (N, h, w, 1)
    values = np.stack([cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in patches])[..., None]
    return _centred(values, cell, 255.0)


def colour(patches: np.ndarray, cell: int = 1) -> np.ndarray:
    """Lightness and two colour axes of CIE Lab (N, 3, h // cell, w // cell), each with mean 0 over
    the patch."""
    values = np.stack([cv2.cvtColor(p, cv2.COLOR_RGB2LAB) for p in patches])  # (N, h, w, 3) uint8
    return _centred(values, cell, 255.0)


def _centred(values: np.ndarray, cell: int, scale: float) -> np.ndarray:
    """Mean of each cell, divided by `scale`, minus the patch's mean: (N, h, w, C) →
    (N, C, h // cell, w // cell) float32."""
    N, h, w, C = values.shape
    rows, columns = h // cell, w // cell
    values = values[:, : rows * cell, : columns * cell].reshape(N, rows, cell, columns, cell, C)
    # (N, C, rows, columns)
    means = values.mean((2, 4), dtype=np.float32).transpose(0, 3, 1, 2) / np.float32(scale)
    return means - means.mean((2, 3), keepdims=True)


def hog(patches: np.ndarray, cell: int = 4) -> np.ndarray:
    """Histograms of oriented gradients (N, 31, h // cell, w // cell) float32 of patches
    (N, h, w, 3) or (N, h, w) uint8.

    Channels 0–17 count gradients by signed direction, 18–26 by unsigned direction; 27–30 measure
    the texture relative to each of the four blocks a cell belongs to.

    Source: Felzenszwalb, Girshick, McAllester, Ramanan: Object Detection with Discriminatively
    Trained Part-Based Models, PAMI 2010; these 31 channels are the ones KCF uses.
    """
    strength, direction = gradients(patches)  # (N, h, w) each
    signed = cell_histograms(strength, direction, cell)  # (N, 18, rows, columns)
    unsigned = signed[:, :9] + signed[:, 9:]  # (N, 9, rows, columns)
    factors = _block_factors((unsigned**2).sum(1))  # (4, N, rows, columns)
    shared = np.zeros((len(signed), 27, *signed.shape[2:]), dtype=np.float32)
    texture = np.empty((len(signed), 4, *signed.shape[2:]), dtype=np.float32)
    both = np.concatenate([signed, unsigned], axis=1)  # (N, 27, rows, columns)
    for k, factor in enumerate(factors):
        clipped = np.minimum(both * factor[:, None], CEILING)  # (N, 27, rows, columns)
        shared += clipped
        texture[:, k] = clipped[:, :18].sum(1)
    return np.concatenate([0.5 * shared, 0.2357 * texture], axis=1)  # 0.2357 ≈ 1/√18


def gradients(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Magnitude (N, h, w) float32 and direction (N, h, w), 0 … 17 in steps of 20°, of the gradient
    of the colour channel in which it is steepest.

    Central differences; 0 on the patch's border, where a neighbour is missing.
    """
    # (N, h, w, C)
    values = (patches if patches.ndim == 4 else patches[..., None]).astype(np.int16)
    dx = values[:, 1:-1, 2:] - values[:, 1:-1, :-2]  # (N, h − 2, w − 2, C)
    dy = values[:, 2:, 1:-1] - values[:, :-2, 1:-1]  # (N, h − 2, w − 2, C)
    strength, direction = (np.zeros(patches.shape[:3], dtype=t) for t in (np.float32, np.intp))
    lengths, directions = _gradient_table()  # (511 · 511,) each
    place = (dy.astype(np.int32) + 255) * 511 + (dx + 255)  # (N, h − 2, w − 2, C)
    best = place[..., 0]
    for c in range(1, place.shape[-1]):
        best = np.where(lengths[place[..., c]] > lengths[best], place[..., c], best)
    strength[:, 1:-1, 1:-1], direction[:, 1:-1, 1:-1] = lengths[best], directions[best]
    return strength, direction


def cell_histograms(strength: np.ndarray, direction: np.ndarray, cell: int) -> np.ndarray:
    """Histograms (N, 18, h // cell, w // cell) float32: each pixel adds its gradient magnitude to
    the bin of its direction in the four nearest cells, with bilinear weights.

    A pixel at the centre of a cell counts for that cell alone, one on a corner for four cells
    equally: the histogram changes smoothly when the patch moves by a pixel (Felzenszwalb et al.,
    2010).

    Args:
        strength: (N, h, w), from `gradients`.
        direction: (N, h, w), 0 … 17, from `gradients`.
        cell: pixels per side of a cell.
    """
    N, h, w = strength.shape
    rows, columns = h // cell, w // cell
    # The histograms of all patches, (N, 18, rows + 2, columns + 2), are flattened to one vector, so
    # that `bincount` adds up every pixel of every patch in one pass: far faster than `np.add.at` on
    # four axes. A rim of one cell takes whatever falls beyond the border, so that border pixels
    # need no special case.
    plane = (rows + 2) * (columns + 2)
    # (N, h, w): where the histogram of each pixel's patch and direction begins in that vector
    entry = direction * plane + np.arange(N)[:, None, None] * (ORIENTATIONS * plane)
    sums = np.zeros(N * ORIENTATIONS * plane)
    # each time (h, w): one of the four nearest cells, and the pixel's weight in it
    for places, weights in zip(*_bilinear_weights(h, w, cell), strict=True):
        sums += np.bincount((entry + places).ravel(), (strength * weights).ravel(), len(sums))
    sums = sums.astype(np.float32).reshape(N, ORIENTATIONS, rows + 2, columns + 2)
    return sums[:, :, 1:-1, 1:-1]  # (N, 18, rows, columns): without the rim


@lru_cache(maxsize=16)
def _bilinear_weights(h: int, w: int, cell: int) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel the four nearest cells, as indices into a flattened map with a rim, and its
    weights in them: (4, h, w) each."""
    columns = w // cell + 2

    def one_axis(length: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
        # (length,); the centre of the first cell is at 1, because the rim comes before it
        at = (np.arange(length) + 0.5) / cell + 0.5
        # pixels beyond the last whole cell fall on the rim
        low = np.minimum(at.astype(int), cells)
        return low, np.clip(at - low, 0.0, 1.0)

    (top, down), (left, right) = one_axis(h, h // cell), one_axis(w, w // cell)
    # 4 × (h, w)
    places = [(top + i)[:, None] * columns + (left + j)[None] for i in (0, 1) for j in (0, 1)]
    weights = [
        (down if i else 1 - down)[:, None] * (right if j else 1 - right)[None]
        for i in (0, 1)
        for j in (0, 1)
    ]
    return np.array(places), np.array(weights, dtype=np.float32)


@lru_cache(maxsize=1)
def _gradient_table() -> tuple[np.ndarray, np.ndarray]:
    """Magnitude float32 and direction 0 … 17 of every gradient (dy, dx) of uint8 differences,
    (511 · 511,) each, at index (dy + 255) · 511 + dx + 255."""
    dy, dx = np.mgrid[-255:256, -255:256].astype(np.float64)
    # 90° lies between two bins: always rounding up sends opposite gradients to opposite bins
    direction = (
        np.floor(np.arctan2(dy, dx) / (2 * np.pi) * ORIENTATIONS + 0.5).astype(np.intp)
        % ORIENTATIONS
    )
    return np.hypot(dx, dy).astype(np.float32).ravel(), direction.ravel()


def _block_factors(energy: np.ndarray) -> np.ndarray:
    """1 / norm of the four blocks of 2 × 2 cells around each cell, (4, N, rows, columns), from
    energies (N, rows, columns)."""
    padded = np.pad(energy, ((0, 0), (1, 1), (1, 1)), mode="edge")  # (N, rows + 2, columns + 2)
    blocks = padded[:, 1:] + padded[:, :-1]  # (N, rows + 1, columns + 2)
    blocks = blocks[:, :, 1:] + blocks[:, :, :-1]  # (N, rows + 1, columns + 1)
    factors = 1 / np.sqrt(blocks + EPSILON)
    return np.stack(
        [
            factors[:, i : i + energy.shape[1], j : j + energy.shape[2]]
            for i in (0, 1)
            for j in (0, 1)
        ]
    )


def _of_kind(patches: np.ndarray, kind: str, cell: int) -> np.ndarray:
    """Channels (N, C, h // cell, w // cell) of one kind, from patches (N, h, w, 3)."""
    return {"grey": grey, "colour": colour, "hog": hog}[kind](patches, cell)
