"""Centre bias: how far a network's answers are drawn from the target to the centre of the search
image.

A padded network can tell where in the image it looks. If targets are always at the centre in
training, it learns that answer (Zhang and Peng, 2019, SiamDW; Li et al., 2019, SiamRPN++).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.geometry.anchors import decode
from course_lib.geometry.windows import SEARCH
from course_lib.models.siamfc import SiamFC
from course_lib.models.siammargin import SiamMargin

# scores of search images: (B, 3, 255, 255) → maps (B, n, n) of probabilities or cosines, and
# displacements (B, 2) of the answers from the centre, x and y in search pixels
Answer = Callable[[Tensor], tuple[Tensor, Tensor]]
DIRECTIONS = 8


def answers_of(network: nn.Module, exemplars: Tensor) -> Answer:
    """What a network says to search images, for exemplars (B, 3, 127, 127): its map, and where its
    answer lies. No window and no penalty take part.

    A SiamFC answers with its response's peak, a proposal network with the centre of its best box;
    at each cell of its map stands the probability of the best anchor. SiamMargin's map has its
    cosines.
    """
    network.eval()
    kind = _peaks if isinstance(network, SiamFC) else _proposals
    with torch.no_grad():
        return torch.no_grad()(kind(network, exemplars))


def _peaks(network: SiamFC, exemplars: Tensor) -> Answer:
    z = network.template(exemplars)  # (B, C, h, w)
    cosines = isinstance(network, SiamMargin)

    def answer(search: Tensor) -> tuple[Tensor, Tensor]:
        response = network.response(z, network.features(search))  # (B, n, n)
        n = response.shape[-1]
        peak = response.flatten(1).argmax(1)  # (B,)
        at = torch.stack([peak % n, peak // n], 1) - (n - 1) / 2  # (B, 2) cells, x and y
        return response if cosines else response.sigmoid(), at * network.stride

    return answer


def _proposals(network: nn.Module, exemplars: Tensor) -> Answer:
    template = network.template_features(exemplars, SEARCH)
    anchors, n = network.anchors(SEARCH), network.cells(SEARCH)

    def answer(search: Tensor) -> tuple[Tensor, Tensor]:
        proposals = network.propose(template, search).float()
        best = proposals.scores.argmax(1)  # (B,)
        offsets = proposals.offsets[torch.arange(len(best)), best].numpy()  # (B, 4)
        boxes = decode(offsets, anchors[best.numpy()], network.variances)  # (B, 4)
        centres = torch.from_numpy(boxes[:, :2] + boxes[:, 2:] / 2 - SEARCH / 2)  # (B, 2)
        maps = proposals.scores.view(len(best), -1, n, n).amax(1)  # (B, n, n)
        return maps, centres.float()

    return answer


def moved_to(wide: Tensor, right: float, down: float) -> Tensor:
    """Search images (B, 3, 255, 255) cut from wide crops (B, 3, W, W), which have the target at
    their centre: in the search images it lies `right` and `down` pixels from the centre."""
    spare = (wide.shape[-1] - SEARCH) // 2
    top, left = spare - round(down), spare - round(right)
    return wide[:, :, top : top + SEARCH, left : left + SEARCH]


def lags(answer: Answer, wide: Tensor, distances: np.ndarray) -> np.ndarray:
    """How far the answer stays behind the target (D, B), in search pixels, on the way from the
    centre to the target: 0 for a network without bias, d for one that always says "at the centre",
    at distance d.

    Each is the mean over DIRECTIONS.

    Args:
        answer: from `answers_of`.
        wide: (B, 3, W, W) with the targets at their centres.
        distances: (D,) of the target from the centre of the search image, pixels.
    """
    found = np.zeros((len(distances), len(wide)))
    for i, distance in enumerate(distances):
        for angle in np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS:
            way = np.array([np.cos(angle), np.sin(angle)])
            _, at = answer(moved_to(wide, *np.round(distance * way)))  # (B, 2)
            found[i] += (np.round(distance * way) - at.numpy()) @ way / DIRECTIONS
    return found


def mean_map(answer: Answer, wide: Tensor, places: np.ndarray) -> np.ndarray:
    """Mean map (n, n) over targets at every pair of `places` (k,), pixels right of and below the
    centre: what SiamRPN++'s authors draw to show the prior a network has learned.

    Args:
        answer: from `answers_of`.
        wide: (B, 3, W, W) with the targets at their centres.
        places: (k,) pixels.
    """
    maps = [answer(moved_to(wide, right, down))[0].mean(0) for down in places for right in places]
    return torch.stack(maps).mean(0).numpy()
