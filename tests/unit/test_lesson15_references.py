"""What lesson 15 counts is what the library's blocks multiply, and the totals of ViT-B."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from course_lib.exercises.lesson15_products import block_products
from course_lib.models.attention import Block, taken, weights


@pytest.mark.parametrize("fraction", [1.0, 0.7])
def test_products_are_the_block_s(fraction):
    block = Block(12, 3, 2).requires_grad_(False)
    z, x = torch.randn(1, 4, 12), torch.randn(1, 9, 12)
    stay = math.ceil(fraction * 9)
    q, k, v = block.attn.queries_keys_values(block.norm1(torch.cat([z, x], 1)))
    with FlopCounterMode(display=False) as counter:
        block.attn.qkv(block.norm1(torch.cat([z, x], 1)))
        mixed = weights(q, k) @ v
        block.attn.proj(mixed.transpose(1, 2).flatten(2))
        block.think(z)
        block.think(taken(x, torch.arange(stay)[None]))
    # a product and a sum are two operations
    assert counter.get_total_flops() / 2 == block_products(13, 4 + stay, 12, 2)


def test_the_totals_of_vit_b():
    """OSTrack's encoder, in billions, worked out by hand from the shapes of its layers."""
    search = 256
    products = []
    for block in range(1, 13):
        before = 64 + search
        if block in (4, 7, 10):
            search = math.ceil(0.7 * search)
        products.append(block_products(before, 64 + search, 768, 4))
    assert search == 89 and products[0] == block_products(320, 320, 768, 4)
    patches = 320 * 768 * 3 * 16 * 16
    assert (sum(products) + patches) / 1e9 == pytest.approx(21.0, abs=0.05)
    assert (12 * products[0] + patches) / 1e9 == pytest.approx(29.3, abs=0.05)
