"""Where the template looks: rows of the attention, put back where their tokens lie."""

from __future__ import annotations

import math

import pytest
import torch

from course_lib.analysis.attention_maps import attention_maps
from course_lib.errors import SettingsError
from course_lib.models.onestream import OneStream

Z, X = torch.rand(1, 3, 128, 128) * 255, torch.rand(1, 3, 256, 256) * 255


def tiny(**arguments) -> OneStream:
    torch.manual_seed(0)
    return OneStream("patches", dim=12, layers=2, attention_heads=3, width=8, **arguments).eval()


def test_the_first_block_s_by_hand():
    network = tiny()
    tokens = torch.cat([network.tokens(Z, network.place_z), network.tokens(X, network.place_x)], 1)
    block = network.blocks[0]
    q, k, _ = block.attn.qkv(block.norm1(tokens))[0].chunk(3, -1)  # (320, 12) each
    found = attention_maps(network, Z, X)
    assert found.shape == (2, 3, 64, 16, 16)
    for head, token in ((0, 5), (2, 63)):
        own = slice(4 * head, 4 * head + 4)
        scores = k[:, own] @ q[token, own] / math.sqrt(4)  # (320,)
        row = scores.exp() / scores.exp().sum()
        torch.testing.assert_close(found[0, head, token], row[64:].view(16, 16))


def test_removed_tokens_get_nothing():
    found = attention_maps(tiny(eliminate=(1,), keep=0.5), Z, X)
    assert int((found[0] == 0).sum()) == 0
    assert ((found[1] > 0).sum((-1, -2)) == 128).all()


@pytest.mark.parametrize("how", [{}, {"asymmetric": True}])
def test_a_map_sums_to_less_than_one(how):
    sums = attention_maps(tiny(**how), Z, X).sum((-1, -2))
    assert ((sums >= 0) & (sums < 1)).all()


def test_without_joint_attention_there_is_nothing_to_see():
    with pytest.raises(SettingsError, match="joint is false"):
        attention_maps(tiny(joint=False), Z, X)
