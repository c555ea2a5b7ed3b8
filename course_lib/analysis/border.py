"""How well targets are found at every position in the search image, in particular near its border.

Padding causes a positional bias: Zhang and Peng, 2019 (SiamDW); Li et al., 2019 (SiamRPN++), where
shifting the targets in training counteracts it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.data.loader import collate
from course_lib.data.pairs import PairSource, pair_at
from course_lib.errors import DataError
from course_lib.geometry.windows import SEARCH
from course_lib.models.losses import peak_distance
from course_lib.models.siamfc import SiamFC


def wide_pairs(source: PairSource, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Exemplars (B, 3, 127, 127) and wide crops (B, 3, W, W), values 0…255, with the target at the
    centre.

    Args:
        source: of the pairs; W is the size of its search images. Its augmentation must not shift
            the target.
        count: B.
        seed: of the pairs.
    """
    batch = collate([pair_at(source, seed, k) for k in range(count)])
    return batch.exemplar.float(), batch.search.float()


@torch.inference_mode()
def errors_by_place(
    network: SiamFC, exemplars: Tensor, wide: Tensor, places: np.ndarray
) -> np.ndarray:
    """Mean distance (n, n) in search pixels of the response's peak from the target, for targets
    `places` (n,) pixels below (rows) and to the right (columns) of the search image's centre.

    Args:
        network: a SiamFC.
        exemplars: (B, 3, 127, 127).
        wide: (B, 3, W, W) with the target at the centre; search images are cropped from them.
        places: (n,) pixels.

    Raises:
        DataError: if the wide crops do not reach far enough.
    """
    spare = (wide.shape[-1] - SEARCH) // 2
    if np.abs(places).max() > spare:
        raise DataError(
            f"crops of {wide.shape[-1]} pixels reach {spare} pixels from the centre; places go up "
            f"to {places.max()}. Give wider crops, or places nearer to the centre."
        )
    network.eval()
    z = network.template(exemplars)  # (B, C, h, w)
    errors = np.zeros((len(places), len(places)))
    for i, down in enumerate(places):
        for j, right in enumerate(places):
            top, left = spare - int(down), spare - int(right)
            # (B, C, H, W)
            x = network.features(wide[:, :, top : top + SEARCH, left : left + SEARCH])
            response = network.response(z, x)  # (B, n, n)
            away = torch.tensor([float(right), float(down)])
            errors[i, j] = float(peak_distance(response, network.stride, away).mean())
    return errors
