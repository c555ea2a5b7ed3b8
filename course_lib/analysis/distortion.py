"""Is a correlation map as it should be, with one peak, on the target? Maps are compared with the
ground truth, independently of any tracker.

The exemplar is cropped from a sequence's first frame, search images from later frames around the true
location, shifted at random so that always answering "the centre" gains nothing.
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
    """Statistics of the maps of N moments.

    Attributes:
        on_target: (N,) bool, whether the highest cell lies within the radius of the target.
        on_alike: (N,) bool, whether it lies within the radius of a look-alike instead.
        lead: (N,) highest cell on the target minus the highest one beyond the ring, in standard
            deviations of the cells beyond the ring. Below 0 another location wins.
        ahead: (N,) highest cell on the target minus the highest one on a look-alike; NaN if there
            is no look-alike in the map.
        psr: (N,) peak-to-sidelobe ratio: highest cell on the target minus the mean beyond the ring,
            in the same unit.
        values: values of the cells by kind, see KINDS; the ring around the target is left out.
    """

    on_target: np.ndarray
    on_alike: np.ndarray
    lead: np.ndarray
    psr: np.ndarray
    ahead: np.ndarray
    values: dict[str, np.ndarray]

    def summary(self) -> dict[str, float]:
        """Number of maps, fractions and medians; means of the cells by kind, where there are any,
        and of `ahead`."""
        found = {
            "maps": len(self.lead),
            "on_target": float(self.on_target.mean()),
            "on_alike": float(self.on_alike.mean()),
            "lead": float(np.median(self.lead)),
            "psr": float(np.median(self.psr)),
        }
        found |= {kind: float(np.mean(v)) for kind, v in self.values.items() if len(v)}
        if np.isfinite(self.ahead).any():
            found["ahead"] = float(np.nanmean(self.ahead))
        return found


@dataclass(frozen=True, eq=False)
class Moments:
    """Pairs cropped from sequences, with the positions of targets and look-alikes.

    Attributes:
        exemplars: (N, 3, 127, 127), values 0…255.
        searches: (N, 3, 255, 255), values 0…255.
        targets: (N, 2) the target's centre, x and y in search pixels.
        alike: (N, k, 2) the centres of look-alikes, NaN where there are fewer.
    """

    exemplars: Tensor
    searches: Tensor
    targets: np.ndarray
    alike: np.ndarray

    def part(self, which: slice) -> Moments:
        """The moments in a slice."""
        return Moments(
            self.exemplars[which], self.searches[which], self.targets[which], self.alike[which]
        )


def moments_of(
    sequences: list[Sequence], every: int = 8, shift: float = 24.0, seed: int = 0
) -> Moments:
    """Pairs from every `every`-th frame in which the target is present.

    Args:
        sequences: sequences; "alike" in their tags holds the boxes of look-alikes.
        every: frames from one pair to the next.
        shift: largest shift of a search image in each direction, search pixels.
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
            f"no frame of {len(sequences)} sequences can be used; give longer sequences, or a smaller "
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
        batch: moments per call of the network.
    """
    pairs = zip(moments.exemplars.split(batch), moments.searches.split(batch), strict=True)
    return np.concatenate([maps(z, x).float().cpu().numpy() for z, x in pairs])


def study(
    responses: np.ndarray, stride: float, moments: Moments, radius: float = 16.0, ring: float = 32.0
) -> MapStudy:
    """Statistics of the maps of N moments.

    Args:
        responses: (N, n, n).
        stride: search pixels from one cell to the next.
        moments: those the responses belong to.
        radius: distance from the target within which a cell lies on it, search pixels.
        ring: distance from the target beyond which a cell is background, search pixels.
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
    alike = np.where(kinds["look-alike"], responses, -np.inf).max((1, 2))  # (N,)
    mean, spread = np.nanmean(rest, (1, 2)), np.nanstd(rest, (1, 2)) + 1e-9  # (N,)
    return MapStudy(
        on.reshape(len(on), -1)[pick, best],
        kinds["look-alike"].reshape(len(on), -1)[pick, best],
        (highest - np.nanmax(rest, (1, 2))) / spread,
        (highest - mean) / spread,
        np.where(np.isfinite(alike), highest - alike, np.nan),
        {name: responses[mask] for name, mask in kinds.items()},
    )


def maps_of(network: nn.Module, scores: bool = False) -> Maps:
    """A function from exemplars (B, 3, 127, 127) and search images (B, 3, 255, 255) to a network's
    correlation maps (B, n, n): SiamFC's responses, SiamMargin's cosines, or the similarity that
    underlies a depth-wise SiamRPN or SiamRPN++ head; with `scores`, the highest probability among
    each cell's anchors instead."""
    if isinstance(network, SiamFC):
        return lambda z, x: network.response(network.template(z), network.features(x))

    def read(z: Tensor, x: Tensor) -> Tensor:
        proposals = network.propose(network.template_features(z), x)
        if not scores:
            return proposals.correlation_map()  # (B, n, n)
        n = network.cells(x.shape[-1])
        return proposals.scores.reshape(len(x), -1, n, n).amax(1)  # (B, n, n)

    return read


def _images(crops: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()  # (N, 3, S, S)
