"""A training recipe: what is trained, on what, how long. One YAML in `recipes/`, every key
optional."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from course_lib.data.pairs import TRAINING_SEARCH, Augmentation
from course_lib.errors import SettingsError
from course_lib.files import plain_name
from course_lib.geometry.windows import EXEMPLAR
from course_lib.lookup import row
from course_lib.models.alexnet import WIDTHS
from course_lib.models.backbones import backbone_arguments
from course_lib.models.heads import HEADS
from course_lib.models.margin import MARGIN_LOSSES
from course_lib.models.networks import NETWORKS, network_arguments, network_class
from course_lib.models.proposals import LOSSES
from course_lib.recipe import Count, NotNegative, Positive, Range, Seed, Settings, UnitInterval
from course_lib.training.building import refusals_in_words, stride_of
from course_lib.training.sources import check_written

Channels = Annotated[int, Range(1, 4096)]
Rate = Annotated[float, Range(0, 100, above=True)]


@dataclass(frozen=True)
class ProposalSettings(Settings):
    """What a training run of a proposal network needs beside the rest; SiamFC has no use for it."""

    head: str = "upchannel"  # of network siamrpn, see `models.heads`
    channels: Channels | None = None  # of the head; None for as many as it has by default
    # of the backbone's conv2, conv4 and conv5: 1 as SiamRPN, 2 as SiamFC
    groups: Annotated[int, Range(1, 64)] = 1
    # siamrpn: 16 of 64 anchors drawn; ssd: the three hardest negatives a positive
    loss: str = "siamrpn"
    high: Annotated[float, Range(0.05, 0.95)] = 0.6  # IoU above which an anchor is a positive
    low: Annotated[float, Range(0, 0.95)] = 0.3  # and below which it is a negative
    weight: NotNegative = 1.2  # of the box loss against the cross-entropy
    smooth: bool = True  # smooth L1, as the paper says; plain L1 as its public re-implementations
    guide_jitter: UnitInterval = (
        0.25  # how far a mask guide is off in training, in sides of the box
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        row(HEADS, self.head, "head")
        row(LOSSES, self.loss, "loss of proposals")
        if self.low > self.high:
            raise SettingsError(
                f"proposals: low is {self.low}, high {self.high}; expected low to be at most high: "
                "an anchor cannot be positive and negative at once"
            )


@dataclass(frozen=True)
class MarginSettings(Settings):
    """The loss on a map of cosines: of network siammargin, and of the correlation map below a
    SiamRPN head."""

    # logistic: every cell a question; softmax: the cells as classes
    loss: str = "logistic"
    margin: Annotated[float, Range(0, 0.5)] = 0.2  # cosine; with arc an angle in radians
    scale: Annotated[float, Range(1, 64)] = 16.0  # factor on the cosines
    arc: bool = False  # the margin is added to the angle
    # pixels around the target beyond `radius` within which cells do not count
    ring: Annotated[float, Range(0, 1000)] = 32.0
    ramp: UnitInterval = 0.3  # fraction of the steps in which the margin rises from 0
    weight: NotNegative = 0.0  # of this loss on the map below a proposal head; 0 for none

    def __post_init__(self) -> None:
        super().__post_init__()
        row(MARGIN_LOSSES, self.loss, "margin loss")


@dataclass(frozen=True)
class TrainSettings(Settings):
    """Settings of one training run.

    Sources are "generated" (needs nothing), "videos:NAME" (a dataset `load_benchmark` knows),
    "photos:FOLDER" (objects outlined in COCO's format, below the data root), "pieces:FOLDER"
    (pieces of the same photographs in outlines made by code) or "shards:FOLDER" (see
    `data/shards.py`). A source ending in "?" is left out where its data are not there.
    """

    name: str = "siamfc"  # of the run and of its weights
    network: str = "siamfc"  # see `models.networks`
    backbone: str = "alexnet"  # see `models.backbones`; networks that bring their own have no use
    # of AlexNet: pixels of the search image per response cell, in a proposal network always 8, and
    stride: Literal[8, 4] = 8
    widths: tuple[Channels, ...] = WIDTHS  # the channels of its five convolutions
    width_multiplier: Annotated[float, Range(1 / 32, 4)] = (
        1.0  # of the channels of the other backbones
    )
    # pixels a side of the search image; proposal networks: 255
    search: Annotated[int, Range(EXEMPLAR, 1023)] = TRAINING_SEARCH
    # stages of the backbone, from the first on, that keep the weights they start from
    freeze: Annotated[int, Range(0, 100)] = 0
    # fractions of the steps after each of which the last frozen stage is trained too
    unfreeze: tuple[UnitInterval, ...] = ()
    sources: tuple[str, ...] = ("generated",)
    probabilities: tuple[Positive, ...] = (1.0,)  # of the pairs, one for each source
    # fraction of the videos and photographs that is used
    fraction: Annotated[float, Range(0, 1, above=True)] = 1.0
    held_out: Annotated[float, Range(0, 0.95)] = 0.1  # fraction of them kept for validation
    gap: Annotated[int, Range(1, 1_000_000)] = 100  # frames between the two of a pair, at most
    paste: UnitInterval = 0.45  # fraction of photograph pairs that are pasted over others
    # fraction of photograph pairs with another of the same kind beside the target
    distractors: UnitInterval = 0.0
    negatives: UnitInterval = 0.0  # fraction of pairs that show something else
    augmentation: Augmentation = field(default_factory=Augmentation)
    batch: Annotated[int, Range(1, 65_536)] = 8  # pairs a step, over all processes
    # weights to begin with, by name or path; None draws them from the seed
    start_from: str | None = None
    steps: Count = 332_500  # SiamFC: 50 epochs of 53,200 pairs
    rate_start: Rate = 1e-2  # learning rate of the first step
    rate_end: Rate = 1e-5  # and of the last; in between it falls by the same factor every step
    # adam divides each weight's step by the size of its own gradients
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: Annotated[float, Range(0, 0.999999)] = 0.9  # at 1 nothing would ever slow down
    weight_decay: UnitInterval = 5e-4
    clip_norm: Annotated[float, Range(0, above=True)] = 10.0  # largest norm of the gradient
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
        row(NETWORKS, self.network, "network")
        self._check_thawing()
        self._check_search()

    def _check_sources(self) -> None:
        """Names that say something, and a probability for each."""
        for source in self.sources:
            check_written(source)
        if len(self.sources) != len(self.probabilities) or not self.sources:
            raise SettingsError(
                f"{len(self.sources)} sources but {len(self.probabilities)} probabilities; expected one "
                "for "
                f"each, and at least one source"
            )
        if not math.isfinite(sum(self.probabilities)):
            raise SettingsError(f"probabilities are {self.probabilities}; their sum is not finite")

    def _check_thawing(self) -> None:
        if len(self.unfreeze) > self.freeze or sorted(self.unfreeze) != list(self.unfreeze):
            raise SettingsError(
                f"unfreeze is {self.unfreeze}, freeze {self.freeze}; expected growing fractions, one "
                "at most for each frozen stage"
            )
        if self.freeze and self.map_stride is None:
            raise SettingsError(
                f"freeze is {self.freeze}; {self.network} brings a backbone of its own, which is "
                "trained whole: expected 0"
            )

    def _check_search(self) -> None:
        """A search image whose centre is the map's, with the target in it."""
        only = network_class(self.network).only_search
        if only not in (None, self.search):
            raise SettingsError(f"search is {self.search}; {self.network} takes {only} only")
        stride, beyond = self.map_stride, self.search - EXEMPLAR
        if stride and beyond % stride:
            near = EXEMPLAR + beyond // stride * stride
            raise SettingsError(
                f"search is {self.search}; expected {EXEMPLAR} and a multiple of the stride, "
                f"{stride}, so that the map's centre is the image's: {near} or {near + stride}"
            )
        if self.augmentation.shift >= self.search / 2:
            raise SettingsError(
                f"changes.shift is {self.augmentation.shift}, search {self.search}; expected less "
                "than "
                "half of it: the target must stay in the image"
            )
        self._check_cells(math.hypot(beyond, beyond) / 2)

    def _check_cells(self, farthest: float) -> None:
        """Cells that count as wrong beside those that are right; `farthest` pixels from the centre
        is a map's corner.
        """
        output = network_class(self.network).output
        with_ring = output == "cosines" or self.margin.weight > 0
        right = max(self.radius, self.margin.ring if with_ring else 0)
        if (with_ring or output == "responses") and right >= farthest:
            ring = f", ring {self.margin.ring}" * with_ring
            raise SettingsError(
                f"search is {self.search}, radius {self.radius}{ring}; no cell would count as "
                f"wrong: the farthest is {farthest:.0f} pixels from the centre"
            )

    @property
    def about(self) -> dict[str, Any]:
        """What `models.networks.build` builds the network from; what does not concern it is passed
        over there."""
        p, only = self.proposals, {"stride": self.stride}
        if network_class(self.network).output == "proposals":
            only = {"head": p.head, "groups": p.groups}
            only |= {"channels": p.channels} if p.channels else {}
        either = {"widths": self.widths, "width_multiplier": self.width_multiplier}
        return {"network": self.network, "backbone": self.backbone, **either, **only}

    @property
    def map_stride(self) -> int | None:
        """Pixels of the search image per cell of the network's map; None for a network that brings
        its own backbone.

        Raises:
            SettingsError: there is no such backbone, or it cannot be built so.
        """
        arguments = network_arguments(self.about)
        if "backbone" not in arguments:
            return None
        names = backbone_arguments(self.backbone)
        with refusals_in_words(self):
            return stride_of(self.backbone, **{n: v for n, v in arguments.items() if n in names})
