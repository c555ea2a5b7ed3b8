"""Where a one-stream network's template looks in the search image."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.errors import SettingsError
from course_lib.models.attention import weights
from course_lib.models.onestream import OneStream
from course_lib.models.stream_template import TEMPLATE_TOKENS


def attention_maps(network: OneStream, exemplar: Tensor, search: Tensor) -> Tensor:
    """Attention (L, H, 64, n, n) of each template token to each cell of the search image, in every
    block and head; 0 where search tokens were removed.

    What a token takes from the template itself is left out, so a map sums to less than 1. In an
    asymmetric network these are the weights by which tokens are removed; nothing else uses them.

    Args:
        network: in eval mode.
        exemplar: (1, 3, 128, 128) values 0…255.
        search: (1, 3, 256, 256).

    Raises:
        SettingsError: if the two images' tokens do not attend to one another.
    """
    if not network.joint:
        raise SettingsError(
            "joint is false: the template does not look at the search image; expected a network "
            "with joint true"
        )
    seen: list[dict[str, Tensor]] = []
    with torch.no_grad():
        x = network.tokens(search, network.place_x)  # (1, n², C)
        network.stream(network.template(exemplar), x, seen)
        side = round(x.shape[1] ** 0.5)
        maps = []
        for block in seen:
            rows = weights(block["queries"], block["keys"])[0, :, :TEMPLATE_TOKENS]  # (H, 64, M)
            rows = rows[..., block["queries"].shape[2] :]  # (H, 64, K) of the search tokens
            full = rows.new_zeros(*rows.shape[:2], x.shape[1])  # (H, 64, n²)
            maps.append(full.index_copy(2, block["places"][0], rows))
        return torch.stack(maps).unflatten(3, (side, side))
