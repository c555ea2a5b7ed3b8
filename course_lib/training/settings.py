"""A training recipe: what is trained, on what, how long. One YAML in `recipes/`, every key optional."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from course_lib.data.pairs import Changes
from course_lib.errors import SettingsError
from course_lib.models.alexnet import WIDTHS


@dataclass(frozen=True)
class ProposalSettings:
    """What a training run of a proposal network needs beside the rest; SiamFC has no use for it."""

    head: Literal["upchannel", "depthwise", "concat", "broadcast"] = (
        "upchannel"  # of network siamrpn
    )
    trunk: Literal["resnet50", "alexnet"] = "resnet50"  # of network siamrpn++
    channels: int | None = None  # of the head; None for as many as the backbone has
    groups: int = 1  # of the backbone's conv2, conv4 and conv5: 1 as SiamRPN, 2 as SiamFC
    loss: Literal["siamrpn", "ssd"] = (
        "siamrpn"  # 16 of 64 anchors drawn, or the three hardest negatives a positive
    )
    high: float = 0.6  # IoU above which an anchor is a positive
    low: float = 0.3  # and below which it is a negative
    weight: float = 1.2  # of the box loss against the cross-entropy
    smooth: bool = True  # smooth L1, as the paper says; plain L1 as its public re-implementations
    guide_jitter: float = (
        0.25  # how far a mask guide is off in training, as a share of the box's size
    )


@dataclass(frozen=True)
class MarginSettings:
    """The loss on a map of cosines: of network siammargin, and of the correlation map below a SiamRPN head."""

    loss: Literal["logistic", "softmax"] = (
        "logistic"  # every cell a question, or the cells as classes
    )
    margin: float = 0.2  # cosine; with arc an angle in radians
    scale: float = 16.0  # factor on the cosines
    arc: bool = False  # the margin is added to the angle
    ring: float = 32.0  # pixels around the target beyond `radius` within which cells do not count
    ramp: float = 0.3  # share of the steps in which the margin rises from 0
    weight: float = 0.0  # of this loss on the map below a proposal head; 0 leaves the map alone

    def __post_init__(self) -> None:
        if (
            not 0 <= self.margin <= 0.5
            or not 1 <= self.scale <= 64
            or not 0 <= self.ramp <= 1
            or self.weight < 0
        ):
            raise SettingsError(
                f"margin is {self.margin}, scale {self.scale}, ramp {self.ramp}, weight {self.weight}; expected 0…0.5, 1…64, "
                "0…1 and at least 0"
            )


@dataclass(frozen=True)
class TrainSettings:
    """Settings of one training run.

    Sources are "generated" (needs nothing), "videos:NAME" (a dataset `load_benchmark` knows), "photos:FOLDER" (objects
    outlined in COCO's format, below the data root), "pieces:FOLDER" (pieces of the same photographs in outlines made by
    code) or "shards:FOLDER" (see `data/shards.py`). A source ending in "?" is left out where its data are not there.
    """

    name: str = "siamfc"  # of the run and of its weights
    network: Literal[
        "siamfc", "siammargin", "siamrpn", "siamrpn++", "siamconcatrpn", "siambroadcastrpn"
    ] = "siamfc"
    stride: int = 8  # pixels of the search image per response cell, 8 or 4
    widths: tuple[int, ...] = WIDTHS  # channels of the five convolutions
    backbone: str = "alexnet"  # of siamfc, siammargin and siamrpn: alexnet, or another by name (see `models.backbones`), which has
    share: float = 1.0  # of its channels, and a stride of its own
    search: int = 239  # pixels a side of the search image; proposal networks: 255
    freeze: int = (
        0  # parts of the backbone, from the first on, that keep the weights they start from
    )
    unfreeze: tuple[
        float, ...
    ] = ()  # shares of the steps after each of which the last frozen part is trained too
    sources: tuple[str, ...] = ("generated",)
    shares: tuple[float, ...] = (1.0,)  # of the pairs, one for each source
    fraction: float = 1.0  # share of the videos and photographs that is used
    held_out: float = 0.1  # share of them kept for validation
    gap: int = 100  # frames between the two of a pair, at most
    paste: float = 0.45  # share of photograph pairs that are pasted over others
    distractors: float = (
        0.0  # share of photograph pairs with another of the same kind beside the target
    )
    negatives: float = 0.0  # share of pairs that show something else
    changes: Changes = field(default_factory=Changes)
    batch: int = 8  # pairs a step, over all processes
    start_from: str | None = (
        None  # weights to begin with, by name or path; None draws them from the seed
    )
    steps: int = 332_500  # SiamFC: 50 epochs of 53,200 pairs
    rate_start: float = 1e-2  # learning rate of the first step
    rate_end: float = 1e-5  # and of the last; in between it falls by the same factor every step
    optimiser: Literal["sgd", "adam"] = (
        "sgd"  # adam divides each weight's step by the size of its own gradients
    )
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 10.0  # largest norm of the gradient
    radius: float = 16.0  # pixels of the search image around the target that count as right
    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    margin: MarginSettings = field(default_factory=MarginSettings)
    seed: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    workers: int = 0  # processes that make pairs; 0 makes them in the training process
    validate_every: int = 500  # steps
    validation_pairs: int = 64
    checkpoint_every: int = 500  # steps

    def __post_init__(self) -> None:
        for name in ("batch", "steps", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.search < 127 or self.freeze < 0:
            raise SettingsError(
                f"search is {self.search}, freeze {self.freeze}; expected at least 127 and 0"
            )
        if len(self.unfreeze) > self.freeze or sorted(self.unfreeze) != list(self.unfreeze):
            raise SettingsError(
                f"unfreeze is {self.unfreeze}, freeze {self.freeze}; expected growing shares, one at most for each frozen part"
            )
        if self.rate_start <= 0 or self.rate_end <= 0:
            raise SettingsError(
                f"rate_start is {self.rate_start}, rate_end {self.rate_end}; expected both above 0"
            )
        if len(self.sources) != len(self.shares):
            raise SettingsError(
                f"{len(self.sources)} sources but {len(self.shares)} shares; expected one for each"
            )
        if not 0 < self.fraction <= 1 or not 0 <= self.held_out < 1:
            raise SettingsError(
                f"fraction is {self.fraction}, held_out {self.held_out}; expected shares, 0…1"
            )


def frozen_parts(step: int, steps: int, freeze: int, unfreeze: tuple[float, ...]) -> int:
    """How many parts of the backbone, from the first on, are not trained in `step` out of `steps`: `freeze`, less one for
    every share of the steps in `unfreeze` that is over (SiamDW's gradual un-freezing)."""
    return freeze - sum(step >= share * steps for share in unfreeze)


def learning_rate(step: int, steps: int, start: float, end: float) -> float:
    """Learning rate of `step` out of `steps`: start · (end / start)^(step / (steps − 1)), equal factors all the way."""
    return start * (end / start) ** (step / max(steps - 1, 1))
