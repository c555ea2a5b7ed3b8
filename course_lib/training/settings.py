"""A training recipe: what is trained, on what, how long. One YAML in `recipes/`, every key
optional."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal

import torch

from course_lib.data.pairs import TRAINING_SEARCH, Changes
from course_lib.errors import SettingsError
from course_lib.files import plain_name
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.alexnet import WIDTHS
from course_lib.models.backbones import make_backbone
from course_lib.recipe import Count, NotNegative, Positive, Range, Seed, Settings, Share

Channels = Annotated[int, Range(1, 4096)]
Rate = Annotated[float, Range(0, 100, above=True)]
MAPS = ("siamfc", "siammargin")  # networks that answer with a map of responses alone


@dataclass(frozen=True)
class ProposalSettings(Settings):
    """What a training run of a proposal network needs beside the rest; SiamFC has no use for it."""

    # of network siamrpn
    head: Literal["upchannel", "depthwise", "concat", "broadcast"] = "upchannel"
    trunk: Literal["resnet50", "alexnet"] = "resnet50"  # of network siamrpn++
    channels: Channels | None = None  # of the head; None for as many as the backbone has
    # of the backbone's conv2, conv4 and conv5: 1 as SiamRPN, 2 as SiamFC
    groups: Annotated[int, Range(1, 64)] = 1
    # 16 of 64 anchors drawn, or the three hardest negatives a positive
    loss: Literal["siamrpn", "ssd"] = "siamrpn"
    high: Annotated[float, Range(0.05, 0.95)] = 0.6  # IoU above which an anchor is a positive
    low: Annotated[float, Range(0, 0.95)] = 0.3  # and below which it is a negative
    weight: NotNegative = 1.2  # of the box loss against the cross-entropy
    smooth: bool = True  # smooth L1, as the paper says; plain L1 as its public re-implementations
    guide_jitter: Share = 0.25  # how far a mask guide is off in training, in sides of the box

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            raise SettingsError(
                f"proposals: low is {self.low}, high {self.high}; expected low to be at most high: "
                "an anchor cannot be positive and negative at once"
            )


@dataclass(frozen=True)
class MarginSettings(Settings):
    """The loss on a map of cosines: of network siammargin, and of the correlation map below a
    SiamRPN head."""

    # every cell a question, or the cells as classes
    loss: Literal["logistic", "softmax"] = "logistic"
    margin: Annotated[float, Range(0, 0.5)] = 0.2  # cosine; with arc an angle in radians
    scale: Annotated[float, Range(1, 64)] = 16.0  # factor on the cosines
    arc: bool = False  # the margin is added to the angle
    # pixels around the target beyond `radius` within which cells do not count
    ring: Annotated[float, Range(0, 1000)] = 32.0
    ramp: Share = 0.3  # share of the steps in which the margin rises from 0
    weight: NotNegative = 0.0  # of this loss on the map below a proposal head; 0 for none


@dataclass(frozen=True)
class TrainSettings(Settings):
    """Settings of one training run.

    Sources are "generated" (needs nothing), "videos:NAME" (a dataset `load_benchmark` knows),
    "photos:FOLDER" (objects outlined in COCO's format, below the data root), "pieces:FOLDER"
    (pieces of the same photographs in outlines made by code) or "shards:FOLDER" (see
    `data/shards.py`). A source ending in "?" is left out where its data are not there.
    """

    name: str = "siamfc"  # of the run and of its weights
    network: Literal[
        "siamfc", "siammargin", "siamrpn", "siamrpn++", "siamconcatrpn", "siambroadcastrpn"
    ] = "siamfc"
    stride: Literal[8, 4] = 8  # pixels of the search image per response cell
    widths: tuple[Channels, ...] = WIDTHS  # channels of the five convolutions
    # of siamfc, siammargin and siamrpn: alexnet, or another by name (see `models.backbones`), which
    backbone: str = "alexnet"
    share: Annotated[float, Range(1 / 32, 4)] = 1.0  # has of its channels, and a stride of its own
    # pixels a side of the search image; proposal networks: 255
    search: Annotated[int, Range(EXEMPLAR, 1023)] = TRAINING_SEARCH
    # parts of the backbone, from the first on, that keep the weights they start from
    freeze: Annotated[int, Range(0, 100)] = 0
    # shares of the steps after each of which the last frozen part is trained too
    unfreeze: tuple[Share, ...] = ()
    sources: tuple[str, ...] = ("generated",)
    shares: tuple[Positive, ...] = (1.0,)  # of the pairs, one for each source
    # share of the videos and photographs that is used
    fraction: Annotated[float, Range(0, 1, above=True)] = 1.0
    held_out: Annotated[float, Range(0, 0.95)] = 0.1  # share of them kept for validation
    gap: Annotated[int, Range(1, 1_000_000)] = 100  # frames between the two of a pair, at most
    paste: Share = 0.45  # share of photograph pairs that are pasted over others
    # share of photograph pairs with another of the same kind beside the target
    distractors: Share = 0.0
    negatives: Share = 0.0  # share of pairs that show something else
    changes: Changes = field(default_factory=Changes)
    batch: Annotated[int, Range(1, 65_536)] = 8  # pairs a step, over all processes
    # weights to begin with, by name or path; None draws them from the seed
    start_from: str | None = None
    steps: Count = 332_500  # SiamFC: 50 epochs of 53,200 pairs
    rate_start: Rate = 1e-2  # learning rate of the first step
    rate_end: Rate = 1e-5  # and of the last; in between it falls by the same factor every step
    # adam divides each weight's step by the size of its own gradients
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: Annotated[float, Range(0, 0.999999)] = 0.9  # at 1 nothing would ever slow down
    weight_decay: Share = 5e-4
    clip: Annotated[float, Range(0, above=True)] = 10.0  # largest norm of the gradient
    # pixels of the search image around the target that count as right
    radius: Annotated[float, Range(0, 1000, above=True)] = 16.0
    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    margin: MarginSettings = field(default_factory=MarginSettings)
    seed: Seed = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    # processes that make pairs; 0 makes them in the training process
    workers: Annotated[int, Range(0, 1024)] = 0
    validate_every: Count = 500  # steps
    validation_pairs: Annotated[int, Range(0, 1_000_000)] = 64
    checkpoint_every: Count = 500  # steps

    def __post_init__(self) -> None:
        super().__post_init__()
        plain_name(self.name, "the run's name")
        if self.start_from is not None and not self.start_from.strip():
            raise SettingsError(
                f"start_from is {self.start_from!r}; expected the name or the path of weights, or "
                f"null"
            )
        self._check_sources()
        self._check_thawing()
        self._check_backbone()
        self._check_search()

    def _check_sources(self) -> None:
        """Names that say something, and a share for each."""
        for source in self.sources:
            kind, colon, what = source.removesuffix("?").partition(":")
            if colon and not what.strip():
                raise SettingsError(
                    f"source {source!r} names nothing; expected for example photos:FOLDER"
                )
            if not kind.strip() or source != source.strip():
                raise SettingsError(
                    f"source {source!r} is not known; expected generated, videos:NAME, "
                    "photos:FOLDER, pieces:FOLDER or shards:FOLDER"
                )
        if len(self.sources) != len(self.shares) or not self.sources:
            raise SettingsError(
                f"{len(self.sources)} sources but {len(self.shares)} shares; expected one for "
                f"each, and at least one source"
            )
        if not math.isfinite(sum(self.shares)):
            raise SettingsError(f"shares are {self.shares}; their sum is not finite")

    def _check_thawing(self) -> None:
        if len(self.unfreeze) > self.freeze or sorted(self.unfreeze) != list(self.unfreeze):
            raise SettingsError(
                f"unfreeze is {self.unfreeze}, freeze {self.freeze}; expected growing shares, one "
                "at most for each frozen part"
            )
        alexnet = self.network == "siamrpn++" and self.proposals.trunk == "alexnet"
        if self.freeze and not alexnet and self.network not in (*MAPS, "siamrpn"):
            raise SettingsError(
                f"freeze is {self.freeze}; the ResNet-50 of {self.network} is not frozen in parts: "
                f"expected 0"
            )

    def _check_backbone(self) -> None:
        """AlexNet: five widths, each to be shared among the groups of its convolutions."""
        if len(self.widths) != len(WIDTHS):
            raise SettingsError(f"widths are {self.widths}; expected {len(WIDTHS)} numbers")
        named = self.network in (*MAPS, "siamrpn")
        if named and self.backbone != "alexnet":
            stride_of(self.backbone)
            return
        trunk = self.network == "siamrpn++" and self.proposals.trunk == "alexnet"
        groups = 2 if self.network in MAPS else self.proposals.groups
        if (named or trunk) and any(width % groups for width in self.widths):
            raise SettingsError(
                f"widths are {self.widths}; expected multiples of {groups}, the groups of the "
                f"convolutions"
            )

    def _check_search(self) -> None:
        """A search image whose middle is the map's, with the target in it."""
        if self.network == "siambroadcastrpn" and self.search != SEARCH:
            raise SettingsError(f"search is {self.search}; siambroadcastrpn takes {SEARCH} only")
        stride, beyond = self._stride(), self.search - EXEMPLAR
        if self.network != "siamconcatrpn" and beyond % stride:  # that one resizes what it gets
            near = EXEMPLAR + beyond // stride * stride
            raise SettingsError(
                f"search is {self.search}; expected {EXEMPLAR} and a multiple of the stride, "
                f"{stride}, "
                f"so that the map's middle is the picture's: {near} or {near + stride}"
            )
        if self.changes.shift >= self.search / 2:
            raise SettingsError(
                f"changes.shift is {self.changes.shift}, search {self.search}; expected less than "
                f"half of "
                "it: the target must stay in the picture"
            )
        self._check_cells(math.hypot(beyond, beyond) / 2)

    def _check_cells(self, farthest: float) -> None:
        """Cells that count as wrong beside those that are right; `farthest` pixels from the middle
        is a map's corner.
        """
        with_ring = self.network == "siammargin" or self.margin.weight > 0
        right = max(self.radius, self.margin.ring if with_ring else 0)
        if (with_ring or self.network == "siamfc") and right >= farthest:
            raise SettingsError(
                f"search is {self.search}, radius "
                f"{self.radius}{f', ring {self.margin.ring}' * with_ring}; "
                f"no cell would count as wrong: the farthest is {farthest:.0f} pixels from the "
                f"middle"
            )

    def _stride(self) -> int:
        """Pixels of the search image per cell of the network's map."""
        if self.network in (*MAPS, "siamrpn") and self.backbone != "alexnet":
            return stride_of(self.backbone)
        return self.stride if self.network in MAPS else 8


# What may change between two parts of one run without changing the weights it ends with.
FREE = ("workers", "checkpoint_every", "validate_every", "validation_pairs")


def shaping(settings: TrainSettings) -> dict[str, Any]:
    """The settings that shape the weights, as plain lists and numbers: all but FREE."""
    return _plain({name: v for name, v in asdict(settings).items() if name not in FREE})


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """With lists for tuples, as JSON gives them back."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def unlike(settings: TrainSettings, recipe: dict[str, Any]) -> list[str]:
    """What a card's recipe has otherwise than these settings, in words: "steps 100 instead of 200".

    What a card does not mention was not there yet when it was written, and has its default.
    """
    mine, usual = shaping(settings), shaping(TrainSettings())
    theirs = usual | _plain({name: v for name, v in recipe.items() if name in usual})
    for name, value in usual.items():
        if isinstance(value, dict) and isinstance(theirs[name], dict):
            theirs[name] = value | theirs[name]
    return [f"{n} {theirs[n]} instead of {mine[n]}" for n in mine if theirs[n] != mine[n]]


@lru_cache(maxsize=64)
def stride_of(backbone: str) -> int:
    """Pixels of the picture per cell of a named backbone's map.

    Raises SettingsError if there is none of that name.
    """
    with torch.device("meta"):  # neither memory nor random numbers are spent on its weights
        return make_backbone(backbone).stride


def frozen_parts(step: int, steps: int, freeze: int, unfreeze: tuple[float, ...]) -> int:
    """How many parts of the backbone, from the first on, are not trained in `step` out of `steps`:
    `freeze`, less one for every share of the steps in `unfreeze` that is over (SiamDW's gradual
    un-freezing)."""
    return freeze - sum(step >= share * steps for share in unfreeze)


def learning_rate(step: int, steps: int, start: float, end: float) -> float:
    """Learning rate of `step` out of `steps`: start · (end / start)^(step / (steps − 1)), equal
    factors all the way."""
    return start * (end / start) ** (step / max(steps - 1, 1))
