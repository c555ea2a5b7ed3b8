"""What lesson 14 asks for is what the library does: the references of its checks beside the code
that the network runs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from course_lib.exercises.lesson14 import tokens_of
from course_lib.exercises.lesson14_attention import attention
from course_lib.exercises.lesson14_block import stream_block
from course_lib.exercises.lesson14_cache import template_first
from course_lib.exercises.lesson14_heat import centre_targets
from course_lib.models.attention import Block
from course_lib.models.centre_head import CentreMaps
from course_lib.models.centre_losses import heat_map
from course_lib.models.onestream import sized


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    block = Block(12, 3, 2)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return block.requires_grad_(False)


def layers_of(block: Block) -> SimpleNamespace:
    parts = {"norm1": block.norm1, "qkv": block.attn.qkv, "proj": block.attn.proj}
    return SimpleNamespace(**parts, norm2=block.norm2, mlp=block.mlp, heads=block.attn.heads)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_tokens_are_the_network_s():
    network = sized("d48").eval()
    z, x = drawn(1, 3, 128, 128), drawn(1, 3, 256, 256)
    with torch.no_grad():
        maps = [network.embed(network.map(image)) for image in (z, x)]
        mine = tokens_of(*maps, network.place_z, network.place_x)
        for tokens, image, place in zip(
            mine, (z, x), (network.place_z, network.place_x), strict=True
        ):
            torch.testing.assert_close(tokens, network.tokens(image, place))


def test_attention_is_the_block_s(block):
    t = drawn(2, 7, 12)
    mixed, weights = attention(*block.attn.qkv(t).chunk(3, -1), 3)
    theirs = block.attn.attend(*block.attn.queries_keys_values(t))
    torch.testing.assert_close(block.attn.proj(mixed), theirs)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 7))


def test_the_block_is_the_library_s(block):
    z, x = drawn(2, 4, 12), drawn(2, 9, 12)
    theirs = block.together(z, x)[:2]
    for mine, their in zip(stream_block(layers_of(block), z, x), theirs, strict=True):
        torch.testing.assert_close(mine, block.think(their))


def test_the_kept_template_is_the_library_s(block):
    z, x = drawn(1, 4, 12), drawn(3, 9, 12)
    after, ask = template_first(layers_of(block), z)
    their_z, _, kept = block.alone(z)
    torch.testing.assert_close(after, block.think(their_z))
    torch.testing.assert_close(ask(x), block.think(block.beside(x, kept)[0]))


def test_heat_is_the_loss_s_and_the_offset_leads_back_to_the_box():
    n, draw = 16, torch.Generator().manual_seed(1)
    sizes = 0.03 + 0.5 * torch.rand(200, 2, generator=draw, dtype=torch.float64)
    centres = torch.rand(200, 2, generator=draw, dtype=torch.float64)
    boxes = torch.cat([centres - sizes / 2, sizes], 1)
    heat, offset = centre_targets(boxes, n)
    torch.testing.assert_close(heat, heat_map(boxes, n))
    assert int((heat == 1).sum()) == 200
    size = sizes[:, :, None, None].expand(-1, -1, n, n)
    maps = CentreMaps(heat[:, None], size, offset[:, :, None, None].expand(-1, -1, n, n))
    torch.testing.assert_close(maps.best(), boxes)
