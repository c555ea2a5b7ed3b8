"""Attention, the one-stream block and the removal of tokens, against loops and cases by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.models.attention import (
    Attention,
    Block,
    central_token,
    most_attended,
    put_back,
    taken,
    weights,
)

CLOSE = {"atol": 1e-5, "rtol": 0}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lively(block: Block) -> Block:
    """A block whose norms and biases are not those of a new one."""
    for k, p in enumerate(block.parameters()):
        p.data = p.data + 0.3 * drawn(*p.shape, seed=k)
    return block.eval()


def by_loops(attention: Attention, x: Tensor, seen: Tensor) -> Tensor:
    """Attention (B, N, C) of tokens (B, N, C), number by number; query n takes from key m only if
    `seen` (N, N) says so."""
    B, N, C = x.shape
    d = C // attention.heads
    out = torch.zeros(B, N, C)
    for b in range(B):
        rows = [attention.qkv.weight @ token + attention.qkv.bias for token in x[b]]  # 3 C each
        for h in range(attention.heads):
            q, k, v = (
                [row[part * C + h * d : part * C + (h + 1) * d] for row in rows]
                for part in range(3)
            )
            for n in range(N):
                keys = [m for m in range(N) if seen[n, m]]
                scores = [float(q[n] @ k[m]) / math.sqrt(d) for m in keys]
                total = sum(math.exp(s) for s in scores)
                for m, s in zip(keys, scores, strict=True):
                    out[b, n, h * d : (h + 1) * d] += math.exp(s) / total * v[m]
    return out @ attention.proj.weight.T + attention.proj.bias


def whole_block(block: Block, x: Tensor, seen: Tensor) -> Tensor:
    """The block on tokens (B, N, C), from its weights alone."""

    def norm(layer, t):
        mean, variance = t.mean(-1, keepdim=True), t.var(-1, keepdim=True, unbiased=False)
        return (t - mean) / (variance + 1e-6).sqrt() * layer.weight + layer.bias

    x = x + by_loops(block.attn, norm(block.norm1, x), seen)
    first, _, second = block.mlp
    inside = norm(block.norm2, x) @ first.weight.T + first.bias
    inside = inside * (1 + torch.erf(inside / math.sqrt(2))) / 2  # GELU
    return x + inside @ second.weight.T + second.bias


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    return lively(Block(12, 3, 2))


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    return drawn(2, 4, 12, seed=1), drawn(2, 6, 12, seed=2)


@torch.no_grad()
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_a_loop(heads):
    torch.manual_seed(heads)
    attention, x = Attention(8, heads), 3 * drawn(2, 5, 8)
    found = attention.attend(*attention.queries_keys_values(x))
    expected = by_loops(attention, x, torch.ones(5, 5))
    torch.testing.assert_close(found, expected, **CLOSE)
    assert (expected[:, 1:] - expected[:, :1]).abs().max() > 0.05  # tokens differ


def test_weights_by_hand():
    """Of one channel: keys 0, ln 2 and ln 3 share 1 : 2 : 3; of four channels, half the exponent."""
    keys = torch.tensor([0.0, math.log(2), math.log(3)])
    row = weights(torch.ones(1, 1, 1, 1), keys[None, None, :, None])
    torch.testing.assert_close(row[0, 0, 0], torch.tensor([1.0, 2, 3]) / 6)
    wide = torch.zeros(1, 1, 3, 4)
    wide[0, 0, :, 2] = 2 * keys
    row = weights(torch.ones(1, 1, 1, 4), wide)
    torch.testing.assert_close(row[0, 0, 0], torch.tensor([1.0, 2, 3]) / 6)


def test_weights_are_those_that_the_attention_uses():
    attention, x = Attention(8, 2), drawn(1, 5, 8)
    q, k, v = attention.queries_keys_values(x)
    w = weights(q, k)
    assert w.shape == (1, 2, 5, 5)
    torch.testing.assert_close(w.sum(-1), torch.ones(1, 2, 5))
    mixed = (w @ v).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attention.proj(mixed), attention.attend(q, k, v), **CLOSE)


@torch.no_grad()
def test_the_block_is_its_formula(block, pair):
    z, x = pair
    z2, x2, _, _ = block.together(z, x)
    found = torch.cat([block.think(z2), block.think(x2)], 1)
    expected = whole_block(block, torch.cat([z, x], 1), torch.ones(10, 10))
    torch.testing.assert_close(found, expected, **CLOSE)


@torch.no_grad()
def test_kept_keys_and_values_equal_the_full_attention_under_a_mask(block, pair):
    """The template's rows see the template's columns only, the others see all."""
    z, x = pair
    seen = torch.ones(10, 10)
    seen[:4, 4:] = 0
    expected = whole_block(block, torch.cat([z, x], 1), seen)
    z2, q, kept = block.alone(z)
    x2, (keys, values) = block.beside(x, kept)
    found = torch.cat([block.think(z2), block.think(x2)], 1)
    torch.testing.assert_close(found, expected, **CLOSE)
    everybody = whole_block(block, torch.cat([z, x], 1), torch.ones(10, 10))
    assert (everybody - expected).abs().max() > 0.01  # the mask matters
    assert q.shape == (2, 3, 4, 4) and keys.shape == values.shape == (2, 3, 10, 4)
    assert torch.equal(keys[:, :, :4], kept[0])


@torch.no_grad()
def test_one_template_serves_many_search_images(block):
    z, x = drawn(1, 4, 12), drawn(3, 6, 12, seed=5)
    _, _, kept = block.alone(z)
    together, _ = block.beside(x, kept)
    for k in range(3):
        alone, _ = block.beside(x[k : k + 1], kept)
        torch.testing.assert_close(together[k : k + 1], alone, **CLOSE)


@torch.no_grad()
def test_tokens_in_another_order_give_the_same_in_that_order(block, pair):
    z, x = pair
    order_z, order_x = torch.tensor([2, 0, 3, 1]), torch.tensor([5, 3, 1, 0, 4, 2])
    z1, x1, q1, (k1, _) = block.together(z, x)
    z2, x2, q2, (k2, _) = block.together(z[:, order_z], x[:, order_x])
    torch.testing.assert_close(z2, z1[:, order_z], **CLOSE)
    torch.testing.assert_close(x2, x1[:, order_x], **CLOSE)
    torch.testing.assert_close(q2, q1[:, :, order_z], **CLOSE)
    torch.testing.assert_close(k2, k1[:, :, [*order_z, *(4 + order_x)]], **CLOSE)


@torch.no_grad()
def test_the_queries_and_keys_returned_are_those_of_the_tokens(block, pair):
    z, x = pair
    both = F.layer_norm(torch.cat([z, x], 1), (12,), block.norm1.weight, block.norm1.bias, 1e-6)
    rows = both @ block.attn.qkv.weight.T + block.attn.qkv.bias  # (B, 10, 36)
    _, _, q, (k, v) = block.together(z, x)
    for found, start, count in ((q, 0, 4), (k, 12, 10), (v, 24, 10)):
        for h in range(3):
            part = rows[:, :count, start + 4 * h : start + 4 * h + 4]
            torch.testing.assert_close(found[:, h], part, **CLOSE)


@pytest.mark.parametrize(("count", "place"), [(64, 27), (144, 65), (4, 0), (9, 4), (1, 0)])
def test_the_central_token(count, place):
    assert central_token(count) == place


class TestRemoval:
    def scores(self, rows: list[list[float]], template: int = 4) -> tuple[Tensor, Tensor]:
        """Queries and keys of one channel: the central token of a template of `template` tokens
        scores the search tokens of each head as given, the other tokens the reverse."""
        H, n = len(rows), len(rows[0])
        q = -torch.ones(1, H, template, 1)
        q[:, :, central_token(template)] = 1
        k = torch.full((1, H, template + n, 1), 50.0)  # the template's own keys attract most
        k[0, :, template:, 0] = torch.tensor(rows)
        return q, k

    def test_the_most_attended_in_rising_order(self):
        q, k = self.scores([[0.0, 5, 1, 4, 3, 2]])
        k[:, :, :4] = 0
        assert most_attended(q, k, 4, 3).tolist() == [[1, 3, 4]]
        assert most_attended(q, k, 4, 6).tolist() == [[0, 1, 2, 3, 4, 5]]

    def test_heads_are_averaged_after_the_softmax(self):
        """One head is sure of token 0, two prefer token 2: the mean of the logits would choose token
        0 for its 9, and so would the largest share; the mean of the shares chooses token 2."""
        rows = [[9.0, 0, 0], [0.0, 0, 3], [0.0, 0, 3]]
        q, k = self.scores(rows)
        k[:, :, :4] = -20
        shares = torch.tensor(rows).softmax(-1)
        assert int(shares.mean(0).argmax()) == 2 and int(shares.amax(0).argmax()) == 0
        assert most_attended(q, k, 4, 1).tolist() == [[2]]
        assert most_attended(q, k, 4, 2).tolist() == [[0, 2]]

    def test_a_head_that_looks_at_the_template_has_little_say(self):
        """The softmax runs over all tokens, not over the search tokens alone."""
        q, k = self.scores([[4.0, 0, 0], [0.0, 3, 0]])
        k[:, 0, :4], k[:, 1, :4] = 12, -12  # the first head is busy with the template
        assert most_attended(q, k, 4, 1).tolist() == [[1]]

    def test_with_two_templates_the_first_decides(self):
        q, k = self.scores([[0.0, 5, 1]])
        k[:, :, :4] = 0
        more_q, more_k = torch.cat([q, -q], 2), torch.cat([k[:, :, :4], k], 2)
        assert most_attended(more_q, more_k, 4, 1).tolist() == [[1]]

    def test_each_image_has_its_own(self):
        q, k = self.scores([[0.0, 5, 1]])
        both = torch.cat([k, k.flip(2)])
        both[1, :, :4] = 0
        both[1, 0, 4:, 0] = torch.tensor([7.0, 1, 2])
        found = most_attended(q.expand(2, -1, -1, -1), both, 4, 2)
        assert found.tolist() == [[1, 2], [0, 2]]

    def test_taken_and_put_back_by_hand(self):
        tokens = torch.tensor([[[1.0, 10], [2, 20], [3, 30]], [[4, 40], [5, 50], [6, 60]]])
        places = torch.tensor([[0, 2], [1, 2]])
        some = taken(tokens, places)
        assert some.tolist() == [[[1, 10], [3, 30]], [[5, 50], [6, 60]]]
        full = put_back(some, places, 4)
        assert full.tolist() == [
            [[1, 10], [0, 0], [3, 30], [0, 0]],
            [[0, 0], [5, 50], [6, 60], [0, 0]],
        ]

    def test_putting_all_back_changes_nothing(self):
        tokens = drawn(2, 5, 3)
        assert torch.equal(put_back(tokens, torch.arange(5).expand(2, -1), 5), tokens)

    def test_gradients_pass(self):
        tokens = drawn(1, 5, 3).requires_grad_()
        places = torch.tensor([[1, 4]])
        put_back(taken(tokens, places), places, 5).sum().backward()
        assert tokens.grad[0].sum(1).tolist() == [0, 3, 0, 0, 3]
