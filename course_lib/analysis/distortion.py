"""Is a correlation map what it should be: one peak, on the target? Maps are read with the truth at
hand, apart from any tracker.

The exemplar is cut from a clip's first frame, search images from later ones around the true place,
moved at random so that nothing is gained by answering "at the centre".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow, context_side
from course_lib.models.siamfc import SiamFC

KINDS = ("target", "look-alike", "background")

# exemplars (B, 3, 127, 127) and search images (B, 3, 255, 255) to (B, n, n)
Maps = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class MapStudy:
    """What the maps of N moments show.

    Attributes:
        on_target: (N,) bool, whether the highest cell lies within the radius of the target.
        on_alike: (N,) bool, whether it lies within the radius of a look-alike instead.
        lead: (N,) highest cell on the target less the highest one beyond the ring, in standard
            deviations of the cells beyond the ring. Below 0 another place wins.
        psr: (N,) peak-to-sidelobe ratio: highest cell on the target less the mean beyond the ring,
            in the same unit.
        values: the cells' values by kind, see KINDS; the ring around the target belongs to none.
    """

    on_target: np.ndarray
    on_alike: np.ndarray
    lead: np.ndarray
    psr: np.ndarray
    values: dict[str, np.ndarray]

    def summary(self) -> dict[str, float]:
        """Shares and medians."""
        return {
            "maps": len(self.lead),
            "on_target": float(self.on_target.mean()),
            "on_alike": float(self.on_alike.mean()),
            "lead": float(np.median(self.lead)),
            "psr": float(np.median(self.psr)),
        }


@dataclass(frozen=True, eq=False)
class Moments:
    """Pairs cut from clips with what stands where.

    Attributes:
        exemplars: (N, 3, 127, 127); searches: (N, 3, 255, 255), values 0…255.
        targets: (N, 2) the target's centre, x and y in search pixels; alike: (N, k, 2) the
            look-alikes', NaN for none.
    """

    exemplars: Tensor
    searches: Tensor
    targets: np.ndarray
    alike: np.ndarray

    def part(self, which: slice) -> Moments:
        """Some of them."""
        return Moments(
            self.exemplars[which], self.searches[which], self.targets[which], self.alike[which]
        )


def moments_of(
    sequences: list[Sequence], every: int = 8, shift: float = 24.0, seed: int = 0
) -> Moments:
    """Pairs from every `every`-th frame in which the target is there.

    Args:
        sequences: sequences; "alike" in their tags are boxes of look-alikes.
        every: frames from one pair to the next.
        shift: by how many search pixels a search image is moved at most, each way.
        seed: of the shifts.

    Raises:
        DataError: if no frame can be used.
    """
    rng = np.random.default_rng(seed)
    exemplars, searches, targets, alike = [], [], [], []
    for sequence in sequences:
        first = sequence.boxes[0]
        window = CropWindow(*(first[:2] + first[2:] / 2), float(context_side(first[2:])), EXEMPLAR)
        exemplar = window.cut(sequence.frames[0])  # (127, 127, 3)
        for t in range(every, len(sequence), every):
            box = sequence.boxes[t]
            if not np.isfinite(box).all() or box[2:].min() < 1:
                continue
            side = float(context_side(box[2:])) * SEARCH / EXEMPLAR
            centre = box[:2] + box[2:] / 2  # (2,)
            window = CropWindow(
                *(centre + rng.uniform(-shift, shift, 2) * side / SEARCH), side, SEARCH
            )
            exemplars.append(exemplar)
            searches.append(window.cut(sequence.frames[t]))
            targets.append(window.to_crop(centre))
            others = (
                sequence.tags["alike"][t] if "alike" in sequence.tags else np.empty((0, 4))
            )  # (k, 4)
            alike.append(window.to_crop(others[:, :2] + others[:, 2:] / 2))
    if not targets:
        raise DataError(
            f"no frame of {len(sequences)} clips can be used; give longer clips, or a smaller "
            "`every`"
        )
    widest = max(len(a) for a in alike)
    padded = np.full((len(alike), widest, 2), np.nan)
    for row, places in zip(padded, alike, strict=True):
        row[: len(places)] = places
    return Moments(_images(exemplars), _images(searches), np.array(targets), padded)


@torch.inference_mode()
def responses_of(maps: Maps, moments: Moments, batch: int = 16) -> np.ndarray:
    """The map (N, n, n) of every moment.

    Args:
        maps: see `maps_of`.
        moments: N of them.
        batch: how many at a time.
    """
    pairs = zip(moments.exemplars.split(batch), moments.searches.split(batch), strict=True)
    return np.concatenate([maps(z, x).float().cpu().numpy() for z, x in pairs])


def study(
    responses: np.ndarray, stride: float, moments: Moments, radius: float = 16.0, ring: float = 32.0
) -> MapStudy:
    """What the maps of N moments show.

    Args:
        responses: (N, n, n).
        stride: search pixels from one cell to the next.
        moments: what they were computed from.
        radius: within which of the target a cell lies on it, search pixels.
        ring: beyond which of the target a cell is background, search pixels.
    """
    n = responses.shape[-1]
    at = SEARCH / 2 + (np.arange(n) - (n - 1) / 2) * stride  # (n,) pixels of the cells
    places = np.stack(np.meshgrid(at, at), -1)  # (n, n, 2) x and y
    away = np.linalg.norm(places - moments.targets[:, None, None], axis=-1)  # (N, n, n)
    # (N, n, n, k)
    between = np.linalg.norm(places[:, :, None] - moments.alike[:, None, None], axis=-1)
    near_alike = np.any(between <= radius, axis=-1)  # (N, n, n); NaN compares as no
    on, beyond = away <= radius, away > ring  # (N, n, n)
    kinds = {"target": on, "look-alike": beyond & near_alike, "background": beyond & ~near_alike}
    best = responses.reshape(len(responses), -1).argmax(1)  # (N,)
    pick = np.arange(len(best))
    highest = np.where(on, responses, -np.inf).max((1, 2))  # (N,)
    rest = np.where(beyond, responses, np.nan)  # (N, n, n)
    mean, spread = np.nanmean(rest, (1, 2)), np.nanstd(rest, (1, 2)) + 1e-9  # (N,)
    return MapStudy(
        on.reshape(len(on), -1)[pick, best],
        kinds["look-alike"].reshape(len(on), -1)[pick, best],
        (highest - np.nanmax(rest, (1, 2))) / spread,
        (highest - mean) / spread,
        {name: responses[mask] for name, mask in kinds.items()},
    )


def maps_of(network: nn.Module, scores: bool = False) -> Maps:
    """How to read a network's correlation map: SiamFC's response, SiamMargin's cosines, the
    similarity below a depth-wise SiamRPN or SiamRPN++ head; or, `scores`, the highest probability
    of each cell's anchors, which stands above it."""
    if isinstance(network, SiamFC):
        return lambda z, x: network.response(network.features(z), network.features(x))

    def read(z: Tensor, x: Tensor) -> Tensor:
        proposals = network.propose(network.template_features(z), x)
        if not scores:
            return proposals.correlation_map()  # (B, n, n)
        n = network.cells(x.shape[-1])
        return proposals.scores.reshape(len(x), -1, n, n).amax(1)  # (B, n, n)

    return read


def _images(crops: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()  # (N, 3, S, S)
