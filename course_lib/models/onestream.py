"""One stream of tokens for template and search image, in place of two branches and a correlation.

OSTrack (Ye, Chang, Ma, Shan, Chen: Joint Feature Learning and Relation Modeling for Tracking, ECCV
2022); the smallest size is VitTrack's, which OpenCV runs as `cv2.TrackerVit`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.attention import EPS, Block, most_attended, put_back, taken
from course_lib.models.backbone import cells_of
from course_lib.models.backbones import backbone_arguments, make_backbone
from course_lib.models.centre_head import CentreHead, CentreMaps
from course_lib.models.pyramid import places_of
from course_lib.models.stems import map_of, tokens_of
from course_lib.models.stream_template import (
    CELLS,
    FACTOR,
    PATCH,
    SEARCH,
    TEMPLATE,
    TEMPLATE_TOKENS,
    Template,
)


class Size(NamedTuple):
    """How large a network is: see `OneStream`."""

    dim: int
    layers: int
    heads: int
    ratio: float
    width: int


# VitTrack's, two for teaching, and OSTrack's, which is ViT-B
SIZES = {
    "d48": Size(48, 3, 1, 4, 32),
    "d128": Size(128, 4, 4, 2, 64),
    "d192": Size(192, 6, 3, 4, 64),
    "vit-b": Size(768, 12, 12, 4, 256),
}


class OneStream(nn.Module):
    """Centre maps for templates (B, 3, 128, 128) and search images (B, 3, 256, 256), values 0…255.

    Args:
        backbone: what makes the tokens, see `models.backbones`: "convstem", "patches", or a
            pre-trained one, of which the map of stride 16 is taken.
        dim: channels of a token, C.
        layers: number of blocks.
        attention_heads: of each block.
        ratio: channels inside a block's second half, in multiples of `dim`.
        width: channels of the head's first convolutions.
        positions: whether tokens are told where they lie; without it the network sees a set.
        joint: whether the two images' tokens attend to one another; without it nothing is compared.
        asymmetric: whether the template's tokens attend to one another only, so that their keys and
            values are the same for all frames.
        eliminate: numbers of blocks, from 1, in which search tokens are removed.
        keep: fraction of the search tokens that stays at each of them.
        **arguments: the backbone's own.

    Attributes:
        name: of its row in `models.networks.NETWORKS`.
        output: the kind of its output, which determines how it is trained: "centres".
        only_search: the one size of search image it takes, pixels per side.
        only_exemplar: the one size of template.
        only_factor: the side of the template's square, in √(w · h) of the target.
    """

    name = "onestream"
    output: str = "centres"
    only_search: int | None = SEARCH
    only_exemplar = TEMPLATE
    only_factor = FACTOR

    def __init__(
        self,
        backbone: str = "convstem",
        dim: int = 128,
        layers: int = 4,
        attention_heads: int = 4,
        ratio: float = 2.0,
        width: int = 64,
        positions: bool = True,
        joint: bool = True,
        asymmetric: bool = False,
        eliminate: tuple[int, ...] = (),
        keep: float = 0.7,
        **arguments: Any,
    ) -> None:
        super().__init__()
        if eliminate and not joint:
            raise SettingsError(
                f"eliminate is {tuple(eliminate)}, but joint is false: search tokens are removed by "
                "the template's attention; expected none, or joint true"
            )
        own = {"dim": dim} if "dim" in backbone_arguments(backbone) else {}
        self.backbone = make_backbone(backbone, **own, **arguments)
        _check_cells(self.backbone, backbone)
        self.embed = nn.Identity() if own else nn.Conv2d(_channels(self.backbone), dim, 1)
        self.positions, self.joint, self.asymmetric = positions, joint, asymmetric
        self.eliminate, self.keep = tuple(eliminate), keep
        # learned, and separate for the two images
        self.place_z = nn.Parameter(torch.zeros(1, TEMPLATE_TOKENS, dim), requires_grad=positions)
        self.place_x = nn.Parameter(torch.zeros(1, CELLS**2, dim), requires_grad=positions)
        self.blocks = nn.ModuleList([Block(dim, attention_heads, ratio) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim, eps=EPS)
        self.head = CentreHead(dim, width)
        self._init_weights()
        # a card must hold this for the network to be rebuilt, see `models.networks.build`
        self.about = {
            "network": self.name,
            "dim": dim,
            "layers": layers,
            "attention_heads": attention_heads,
            "ratio": ratio,
            "width": width,
            "positions": positions,
            "joint": joint,
            "asymmetric": asymmetric,
            "eliminate": list(eliminate),
            "keep": keep,
            **self.backbone.about,
        }

    def _init_weights(self) -> None:
        """Weights as in ViT: a normal distribution of deviation 0.02, biases 0."""
        for part in self.blocks.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)
        if self.positions:
            nn.init.trunc_normal_(self.place_z, std=0.02)
            nn.init.trunc_normal_(self.place_x, std=0.02)
        # at first a cell is the target's centre with a probability of 1 %, see `centre_losses`
        nn.init.constant_(self.head.score[-1].bias, -math.log(99))

    def map(self, image: Tensor) -> Tensor:
        """The backbone's map (B, C', S/16, S/16) of images (B, 3, S, S)."""
        b = self.backbone
        return b(image) if b.stride == PATCH else b.pyramid(image)[1]

    def tokens(self, image: Tensor, place: Tensor) -> Tensor:
        """Tokens (B, N, C) of images (B, 3, S, S), with the codes (1, N, C) of their places."""
        return tokens_of(self.embed(self.map(image))) + place

    def template(self, image: Tensor) -> Template:
        """What is kept of template images (B, 3, 128, 128): if the template looks only at itself,
        all that the search image needs of it."""
        z = self.tokens(image, self.place_z)  # (B, 64, C)
        return self.prepared(z)

    def prepared(self, z: Tensor) -> Template:
        """The same from tokens (B, Nz, C) of one or more templates."""
        if not (self.joint and self.asymmetric):
            return Template(z)
        first, kept, queries = z, [], []
        for block in self.blocks:
            z, q, pair = block.alone(z)
            z = block.think(z)
            kept.append(pair)
            queries.append(q)
        return Template(first, tuple(kept), tuple(queries))

    def search(
        self, template: Template, image: Tensor, watch: list[dict[str, Tensor]] | None = None
    ) -> CentreMaps:
        """Centre maps of search images (B, 3, 256, 256) for templates of the same number, or for
        one; for `watch`, see `stream`."""
        x, _ = self.stream(template, self.tokens(image, self.place_x), watch)
        return self.head(map_of(x))

    def stream(
        self, template: Template, x: Tensor, watch: list[dict[str, Tensor]] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The search image's tokens after all blocks, normalised.

        Args:
            template: what is kept of the template.
            x: tokens (B, Nx, C) of the search image, with the codes of their places.
            watch: a list that gets, for each block, "queries" (B, H, Nz, d) of the template, "keys"
                (B, H, Nz + K, d) of all tokens, and "places" (B, K) of the search tokens among
                them.

        Returns:
            Tokens (B, Nx, C), 0 where they were removed, and the places (B, K) of those that
            stayed.
        """
        z = template.tokens.expand(len(x), -1, -1)  # (B, Nz, C)
        count = x.shape[1]
        places = torch.arange(count, device=x.device).expand(len(x), -1)  # (B, Nx)
        for k, block in enumerate(self.blocks, start=1):
            if not self.joint:
                x, queries, (keys, _) = block.alone(x)
            elif self.asymmetric:
                queries = template.queries[k - 1].expand(len(x), -1, -1, -1)
                x, (keys, _) = block.beside(x, template.kept[k - 1])
            else:
                z, x, queries, (keys, _) = block.together(z, x)
                z = block.think(z)
            if watch is not None:
                watch.append({"queries": queries, "keys": keys, "places": places})
            if k in self.eliminate:
                stay = math.ceil(self.keep * x.shape[1])
                chosen = most_attended(queries, keys, TEMPLATE_TOKENS, stay)  # (B, K)
                x, places = taken(x, chosen), places.gather(1, chosen)
            x = block.think(x)
        x = self.norm(x)  # before zeros are put in: the norm would turn them into its bias
        return (put_back(x, places, count) if self.eliminate else x), places

    def forward(self, exemplar: Tensor, search: Tensor) -> CentreMaps:
        """Centre maps of templates (B, 3, 128, 128) and search images (B, 3, 256, 256)."""
        return self.search(self.template(exemplar), search)


def _channels(backbone: nn.Module) -> int:
    """Channels of a backbone's map of stride 16."""
    return backbone.channels if backbone.stride == PATCH else places_of(backbone)[1].channels


def _check_cells(backbone: nn.Module, name: str) -> None:
    """Refuse a backbone whose map of stride 16 has not one cell for every 16 × 16 pixels."""
    step = PATCH // backbone.stride if backbone.stride in (8, 16) else 0
    if not step or cells_of(backbone, TEMPLATE) != step * TEMPLATE // PATCH:
        raise SettingsError(
            f"backbone is {name}; a one-stream network needs one with stride 8 or 16 that is padded "
            f"on all sides, so that {TEMPLATE} pixels become {TEMPLATE // PATCH} cells of {PATCH}: "
            "convstem, patches or lite0"
        )


def sized(size: str, backbone: str = "convstem", **arguments: Any) -> OneStream:
    """A new network of one of SIZES.

    Args:
        size: a key of SIZES.
        backbone: what makes the tokens.
        **arguments: further ones of `OneStream`.
    """
    s = SIZES[size]
    return OneStream(backbone, s.dim, s.layers, s.heads, s.ratio, s.width, **arguments)


# the start of a tensor's name in OSTrack's published files, and the same here
PUBLIC = (
    ("backbone.patch_embed.proj.", "backbone.proj."),
    ("backbone.pos_embed_z", "place_z"),
    ("backbone.pos_embed_x", "place_x"),
    ("backbone.blocks.", "blocks."),
    ("backbone.norm.", "norm."),
    ("box_head.", "head."),
)
BRANCHES = {"ctr": "score", "offset": "offset", "size": "size"}


def from_public(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a published OSTrack under this course's names; those without a counterpart,
    such as the class token of the encoder it began with, are left out.

    Args:
        tensors: by their published names (`lib/models/ostrack`).
    """
    renamed = {}
    for name, value in tensors.items():
        for theirs, ours in PUBLIC:
            if name.startswith(theirs):
                new = ours + name.removeprefix(theirs)
                new = new.replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.2.")
                new = _branch_name(new) if theirs == "box_head." else new
                renamed |= {new: value} if new else {}
    return renamed


def _branch_name(name: str) -> str:
    """A layer of the head: `head.conv2_ctr.1.weight` (batch norm of the second convolution) is
    `head.score.4.weight` here; "" for anything else, as the table of the cells' numbers."""
    layer, _, rest = name.removeprefix("head.").partition(".")
    conv, _, branch = layer.partition("_")
    if not conv.startswith("conv") or branch not in BRANCHES:
        return ""
    first = 3 * (int(conv.removeprefix("conv")) - 1)
    within, _, kind = rest.partition(".")
    place = first + int(within) if kind else first
    return f"head.{BRANCHES[branch]}.{place}.{kind or within}"
