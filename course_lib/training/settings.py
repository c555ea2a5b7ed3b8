"""Training recipes: what is trained, on what data, for how long. Each is a YAML file in `recipes/`;
every key is optional."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from course_lib.data.pairs import TRAINING_SEARCH, Augmentation
from course_lib.errors import SettingsError
from course_lib.files import plain_name
from course_lib.geometry.windows import EXEMPLAR, check_search
from course_lib.lookup import row
from course_lib.models.alexnet import WIDTHS
from course_lib.models.backbones import backbone_arguments
from course_lib.models.heads import HEADS
from course_lib.models.margin import MARGIN_LOSSES
from course_lib.models.networks import NETWORKS, network_arguments, network_class
from course_lib.models.proposals import LOSSES
from course_lib.recipe import Count, NotNegative, Positive, Range, Seed, Settings, UnitInterval
from course_lib.training.building import refusals_in_words, step_of
from course_lib.training.online_settings import OverlapSettings, PredictorSettings
from course_lib.training.sources import check_written
from course_lib.training.stream_settings import StreamSettings

# kind of a network's output → the settings that only it has
OWN_SETTINGS = {"overlaps": "overlap", "scores": "predictor", "centres": "stream"}
Channels = Annotated[int, Range(1, 4096)]
Rate = Annotated[float, Range(0, 100, above=True)]


@dataclass(frozen=True)
class ProposalSettings(Settings):
    """Further settings for training a proposal network; SiamFC does not use them."""

    head: str = "upchannel"  # head of network siamrpn, see `models.heads`
    # of head upchannel: whether it begins as SiamFC's similarity; else at random, as the others
    as_similarity: bool = True
    channels: Channels | None = None  # channels of the head; None for its default
    # of siamrpn++: sizes of the exemplar at which it is compared, see `models.heads`
    scales: tuple[Annotated[float, Range(0.25, 4)], ...] = (1.0,)
    # groups of the backbone's conv2, conv4 and conv5: 1 in SiamRPN, 2 in SiamFC
    groups: Annotated[int, Range(1, 64)] = 1
    # siamrpn: 64 sampled anchors, at most 16 positive; ssd: the 3 hardest negatives per positive
    loss: str = "siamrpn"
    high: Annotated[float, Range(0.05, 0.95)] = 0.6  # IoU above which an anchor is positive
    low: Annotated[float, Range(0, 0.95)] = 0.3  # IoU below which an anchor is negative
    any_size: bool = False  # whether anchors are matched by place and shape alone
    weight: NotNegative = 1.2  # weight of the box loss relative to the cross-entropy
    smooth: bool = True  # smooth L1, as in the paper; plain L1 as in public re-implementations
    giou: bool = False  # loss siamrpn: 1 − GIoU of the boxes instead of either
    mask: bool = True  # head concat: whether both images have a mask of the target's box
    # standard deviation of a mask guide's box in training, in sides of the box
    guide_jitter: UnitInterval = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        row(HEADS, self.head, "head")
        row(LOSSES, self.loss, "loss of proposals")
        if self.scales[:1] != (1,):
            raise SettingsError(
                f"proposals: scales are {self.scales}; expected 1, the exemplar's own, first"
            )
        if self.low > self.high:
            raise SettingsError(
                f"proposals: low is {self.low}, high {self.high}; expected low to be at most high: "
                "an anchor cannot be positive and negative at once"
            )


@dataclass(frozen=True)
class MarginSettings(Settings):
    """The loss on a map of cosines: for network siammargin, and for the correlation map below a
    SiamRPN head."""

    # logistic: one binary decision per cell; softmax: the cells as classes
    loss: str = "logistic"
    margin: Annotated[float, Range(0, 0.5)] = 0.2  # cosine; with arc, an angle in radians
    scale: Annotated[float, Range(1, 64)] = 16.0  # factor on the cosines
    arc: bool = False  # whether the margin is added to the angle
    # cells up to this many pixels from the target, but beyond `radius`, are ignored
    ring: Annotated[float, Range(0, 1000)] = 32.0
    ramp: UnitInterval = 0.3  # fraction of the steps during which the margin rises from 0
    weight: NotNegative = 0.0  # weight of this loss on the map below a proposal head; 0 for none

    def __post_init__(self) -> None:
        super().__post_init__()
        row(MARGIN_LOSSES, self.loss, "margin loss")


@dataclass(frozen=True)
class TrainSettings(Settings):
    """Settings of one training run.

    Sources are "generated" (needs no data), "videos:NAME" (a dataset known to `load_benchmark`),
    "photos:FOLDER" (objects outlined in COCO's format, below the data root), "pieces:FOLDER"
    (pieces of the same photographs in outlines made by code) or "shards:FOLDER" (see
    `data/shards.py`). A source ending in "?" is left out if its data are missing.
    """

    name: str = "siamfc"  # name of the run and of its weights
    network: str = "siamfc"  # see `models.networks`
    backbone: str = "alexnet"  # see `models.backbones`; ignored by networks with their own
    # of AlexNet: pixels of the search image per response cell; always 8 in a proposal network
    stride: Literal[8, 4] = 8
    widths: tuple[Channels, ...] = WIDTHS  # of AlexNet: channels of its five convolutions
    # of the other backbones: factor on their channels
    width_multiplier: Annotated[float, Range(1 / 32, 4)] = 1.0
    # side of the search image, pixels; 255 for proposal networks
    search: Annotated[int, Range(EXEMPLAR, 1023)] = TRAINING_SEARCH
    # side of the exemplar, pixels at the same scale: larger than 127 for networks that learn from the
    # target's surroundings too, ATOM and DiMP
    exemplar: Annotated[int, Range(EXEMPLAR, 1023)] = EXEMPLAR
    # side of the exemplar's square in √(w · h) of the target, with black beyond the frame, as
    # transformers cut it (2); null for SiamFC's square, `windows.context_side`
    factor: Annotated[float, Range(1, 8)] | None = None
    # number of backbone stages, from the first on, that keep their initial weights
    freeze: Annotated[int, Range(0, 100)] = 0
    # fractions of the steps; after each, the last frozen stage is unfrozen
    unfreeze: tuple[UnitInterval, ...] = ()
    # fraction of the steps, the last ones, in which batch norms use their averages, as in tracking
    fix_norms: UnitInterval = 0.0
    dilated: bool = False  # of lite0: dilated convolutions, instead of upsampled maps
    sources: tuple[str, ...] = ("generated",)
    probabilities: tuple[Positive, ...] = (1.0,)  # sampling probability of each source
    # fraction of the videos and photographs that is used
    fraction: Annotated[float, Range(0, 1, above=True)] = 1.0
    held_out: Annotated[float, Range(0, 0.95)] = 0.1  # fraction of them held out for validation
    gap: Annotated[int, Range(1, 1_000_000)] = 100  # largest distance of a pair's frames
    paste: UnitInterval = 0.45  # fraction of photograph pairs whose object is pasted elsewhere
    # fraction of photograph pairs with an object of the same category beside the target
    distractors: UnitInterval = 0.0
    negatives: UnitInterval = 0.0  # fraction of pairs whose search image shows another object
    augmentation: Augmentation = field(default_factory=Augmentation)
    batch: Annotated[int, Range(1, 65_536)] = 8  # pairs per step, over all processes
    # initial weights, by name or path; None draws them from the seed
    start_from: str | None = None
    steps: Count = 332_500  # SiamFC: 50 epochs of 53,200 pairs
    rate_start: Rate = 1e-2  # learning rate of the first step
    rate_end: Rate = 1e-5  # and of the last
    # factor on it for all weights but those of the network's head: below 1 if they are pre-trained
    backbone_rate: Annotated[float, Range(0, 1, above=True)] = 1.0
    # how it falls: by the same factor every step; as half a cosine; or at once, at `drop_at`
    schedule: Literal["geometric", "cosine", "step"] = "geometric"
    drop_at: UnitInterval = 0.8  # schedule step: fraction of the steps before the drop
    # fraction of the steps in which the rate first rises from 0
    warm_up: Annotated[float, Range(0, 0.5)] = 0.0
    # adam scales each weight's step by the size of its gradients
    optimiser: Literal["sgd", "adam"] = "sgd"
    momentum: Annotated[float, Range(0, 0.999999)] = 0.9  # at 1, old gradients would never fade
    weight_decay: UnitInterval = 5e-4
    clip_norm: Annotated[float, Range(0, above=True)] = 10.0  # largest norm of the gradient
    # cells up to this many pixels of the search image from the target are positive
    radius: Annotated[float, Range(0, 1000, above=True)] = 16.0
    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    margin: MarginSettings = field(default_factory=MarginSettings)
    overlap: OverlapSettings = field(default_factory=OverlapSettings)
    predictor: PredictorSettings = field(default_factory=PredictorSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)
    seed: Seed = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    # processes that make pairs; 0 makes them in the training process
    workers: Annotated[int, Range(0, 1024)] = 0
    validate_every: Count = 500  # steps
    validation_pairs: Annotated[int, Range(0, 1_000_000)] = 64
    # generated sequences to track in at each validation, besides the held-out videos; 0 for none
    validation_clips: Annotated[int, Range(0, 1000)] = 0
    checkpoint_every: Count = 500  # steps

    def __post_init__(self) -> None:
        super().__post_init__()
        plain_name(self.name, "the run's name")
        if self.start_from is not None and not self.start_from.strip():
            raise SettingsError(
                f"start_from is {self.start_from!r}; expected the name or path of weights, or null"
            )
        self._check_sources()
        row(NETWORKS, self.network, "network")
        self._check_thawing()
        self._check_search()

    def _check_sources(self) -> None:
        """Refuse malformed source names, and any number of probabilities but one for each."""
        for source in self.sources:
            check_written(source)
        if len(self.sources) != len(self.probabilities) or not self.sources:
            raise SettingsError(
                f"{len(self.sources)} sources but {len(self.probabilities)} probabilities; "
                "expected one for each, and at least one source"
            )
        if not math.isfinite(sum(self.probabilities)):
            raise SettingsError(f"probabilities are {self.probabilities}; their sum is not finite")

    def _check_thawing(self) -> None:
        if len(self.unfreeze) > self.freeze or sorted(self.unfreeze) != list(self.unfreeze):
            raise SettingsError(
                f"unfreeze is {self.unfreeze}, freeze is {self.freeze}; expected increasing "
                "fractions, at most one for each frozen stage"
            )
        if self.freeze and self.image_step is None:
            raise SettingsError(
                f"freeze is {self.freeze}; {self.network} has its own backbone, which is trained "
                "as a whole: expected 0"
            )

    def _check_search(self) -> None:
        """Refuse a search image whose centre is not the map's, or that may lose the target."""
        only = network_class(self.network).only_search
        check_search(self.search, self.image_step or 1, only, self.network)
        self._check_exemplar()
        beyond = self.search - EXEMPLAR
        if self.augmentation.shift >= self.search / 2:
            raise SettingsError(
                f"augmentation.shift is {self.augmentation.shift}, search is {self.search}; "
                "expected less than half of it: the target must stay in the image"
            )
        self._check_cells(math.hypot(beyond, beyond) / 2)

    def _check_exemplar(self) -> None:
        """Refuse an exemplar of another size or cut than the network's own."""
        network = network_class(self.network)
        for name in ("exemplar", "factor"):
            only, given = getattr(network, f"only_{name}", None), getattr(self, name)
            if only not in (None, given):
                given = "null" if given is None else given
                raise SettingsError(f"{name} is {given}; {self.network} only accepts {only}")

    def _check_cells(self, farthest: float) -> None:
        """Refuse a radius or ring that leaves no negative cells; a map's corner is `farthest`
        pixels from its centre.
        """
        output = network_class(self.network).output
        with_ring = output == "cosines" or self.margin.weight > 0
        right = max(self.radius, self.margin.ring if with_ring else 0)
        if (with_ring or output == "responses") and right >= farthest:
            ring = f", ring {self.margin.ring}" * with_ring
            raise SettingsError(
                f"search is {self.search}, radius {self.radius}{ring}; no cell would be negative: "
                f"the farthest is {farthest:.0f} pixels from the centre"
            )

    @property
    def about(self) -> dict[str, Any]:
        """The arguments of `models.networks.build`, which ignores those that the network does not
        need."""
        p, only = self.proposals, {"stride": self.stride}
        output = network_class(self.network).output
        if output == "proposals":
            only = {"head": p.head, "groups": p.groups, "scales": p.scales}
            only |= {"channels": p.channels} if p.channels else {}
            only |= {} if p.mask else {"mask": p.mask}
        elif output in OWN_SETTINGS:
            only = asdict(getattr(self, OWN_SETTINGS[output]))
        either = {"widths": self.widths, "width_multiplier": self.width_multiplier}
        either |= {"dilated": self.dilated}
        return {"network": self.network, "backbone": self.backbone, **either, **only}

    @property
    def image_step(self) -> int | None:
        """Pixels between the sizes of search image that suit the backbone; None for a network with
        its own backbone.

        Raises:
            SettingsError: the backbone is unknown, or cannot be built with these settings.
        """
        arguments = network_arguments(self.about)
        if "backbone" not in arguments:
            return None
        names = backbone_arguments(self.backbone)
        with refusals_in_words(self):
            return step_of(self.backbone, **{n: v for n, v in arguments.items() if n in names})
