"""Attention over the tokens of two images at once, the block of a one-stream tracker, and the
removal of search tokens that matter little to the target.

Vaswani et al., "Attention is all you need", 2017; blocks as in ViT (Dosovitskiy et al., 2021); both
images in one stream as in OSTrack (Ye et al., 2022), with its removal of tokens; the template that
looks at nothing but itself as in MixFormer (Cui et al., 2022).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-6  # of the layer norms, as in ViT

KeysValues = tuple[Tensor, Tensor]  # (B, H, N, d) each


class Attention(nn.Module):
    """Multi-head attention: each token becomes a mean of all tokens' values, weighted by how well
    its query fits their keys.

    Args:
        dim: channels of a token, C.
        heads: H; each has its own queries, keys and values of d = C / H channels.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, H, N, d) of tokens (B, N, C)."""
        parts = self.qkv(x).unflatten(2, (3, self.heads, -1))  # (B, N, 3, H, d)
        return parts.permute(2, 0, 3, 1, 4).unbind(0)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Tokens (B, N, C) from queries (B, H, N, d), and keys and values (B, H, M, d).

        softmax(q·kᵀ / √d)·v in each head; the heads side by side, times a matrix.
        """
        mixed = F.scaled_dot_product_attention(q, k, v)  # (B, H, N, d)
        return self.proj(mixed.transpose(1, 2).flatten(2))  # (B, N, C)


def weights(q: Tensor, k: Tensor) -> Tensor:
    """Attention (B, H, N, M): how much each of N queries (B, H, N, d) takes from each of M keys
    (B, H, M, d); a row sums to 1."""
    return (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)


class Block(nn.Module):
    """One layer of the transformer: attention, then a network of two layers on each token alone;
    each reads normalised tokens, and its output is added to the unnormalised tokens.

    Args:
        dim: channels of a token.
        heads: of the attention.
        ratio: channels between the two layers of the network, in multiples of `dim`.
    """

    def __init__(self, dim: int, heads: int, ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=EPS)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=EPS)
        inside = round(dim * ratio)
        self.mlp = nn.Sequential(nn.Linear(dim, inside), nn.GELU(), nn.Linear(inside, dim))

    def think(self, x: Tensor) -> Tensor:
        """Tokens (B, N, C) after the network on each."""
        return x + self.mlp(self.norm2(x))

    def together(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor, KeysValues]:
        """Every token attends to the tokens of both images.

        Args:
            z: tokens (B, Nz, C) of the template.
            x: tokens (B, Nx, C) of the search image.

        Returns:
            Both after the block, the template's queries (B, H, Nz, d), and the keys and values of
            all tokens, (B, H, Nz + Nx, d) each.
        """
        both = torch.cat([z, x], 1)  # (B, Nz + Nx, C)
        q, k, v = self.attn.queries_keys_values(self.norm1(both))
        both = both + self.attn.attend(q, k, v)
        n = z.shape[1]
        return both[:, :n], both[:, n:], q[:, :, :n], (k, v)

    def alone(self, z: Tensor) -> tuple[Tensor, Tensor, KeysValues]:
        """The template's tokens (B, Nz, C) attend to one another only, so they are the same for
        every search image: the tokens after the block's attention, their queries, and their keys
        and values, (B, H, Nz, d) each."""
        q, k, v = self.attn.queries_keys_values(self.norm1(z))
        return z + self.attn.attend(q, k, v), q, (k, v)

    def beside(self, x: Tensor, kept: KeysValues) -> tuple[Tensor, KeysValues]:
        """The search image's tokens (B, Nx, C) attend to themselves and to a template of which only
        keys and values (B or 1, H, Nz, d) are kept; returns them after the block's attention, and
        the keys and values of all tokens."""
        q, k, v = self.attn.queries_keys_values(self.norm1(x))
        k, v = (
            torch.cat([a.expand(len(x), -1, -1, -1), b], 2)
            for a, b in zip(kept, (k, v), strict=True)
        )
        return x + self.attn.attend(q, k, v), (k, v)


def central_token(count: int) -> int:
    """The number of the token just above and to the left of a template's centre, counting its
    `count` tokens row by row: (3, 3) of 8 × 8, as OSTrack chooses."""
    side = math.isqrt(count)
    return (side - 1) // 2 * side + (side - 1) // 2


def most_attended(q: Tensor, k: Tensor, template: int, keep: int) -> Tensor:
    """The places (B, keep), in rising order, of the search tokens to which the template's central
    token attends most, on the mean of all heads (OSTrack's candidate elimination).

    Args:
        q: queries (B, H, Nz, d) of the template's tokens.
        k: keys (B, H, Nz + Nx, d) of all tokens, the template's first.
        template: how many of the Nz tokens belong to the first template.
        keep: number of search tokens to keep.
    """
    centre = central_token(template)
    row = weights(q[:, :, centre : centre + 1], k).mean(1)[:, 0]  # (B, Nz + Nx)
    chosen = row[:, q.shape[2] :].topk(keep, dim=1).indices  # (B, keep)
    return chosen.sort(1).values


def taken(tokens: Tensor, places: Tensor) -> Tensor:
    """The tokens (B, K, C) of (B, N, C) at places (B, K)."""
    return tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[-1]))


def put_back(tokens: Tensor, places: Tensor, count: int) -> Tensor:
    """Tokens at their places among `count`, with 0 where tokens were removed: (B, count, C).

    Args:
        tokens: (B, K, C) those that stayed.
        places: (B, K) where each belongs.
        count: number of places.
    """
    full = tokens.new_zeros(len(tokens), count, tokens.shape[-1])
    return full.scatter(1, places[..., None].expand_as(tokens), tokens)
