"""ATOM and DiMP ready to track: their batch norms folded, NumPy crops in, feature maps out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from course_lib.models.device import Placement
from course_lib.models.pyramid import places_of
from course_lib.models.runtime import Runtime, fold_all

if TYPE_CHECKING:
    from course_lib.models.atom import ATOM
    from course_lib.models.dimp import DiMP
    from course_lib.models.iou_predictor import IoUPredictor


class OnlineRuntime(Runtime):
    """A network for a tracker that learns online: features of crops, and what else it has.

    Unlike the other runtimes it keeps gradients possible: a box climbs the predicted IoU.

    Args:
        network: an ATOM or a DiMP; it is changed in place, because its batch norms are folded.
        placement: where it runs, and in what precision its backbone does.

    Attributes:
        about: the name and arguments of its backbone.
        places: where the cells of its two maps lie.
        predictor: its IoU predictor; None for a DiMP.
    """

    outputs, lacks, wanted = ("overlaps", "scores"), "does not learn online", "an atom or a dimp"

    def __init__(self, network: ATOM | DiMP, placement: Placement) -> None:
        super().__init__(network, placement)
        self.about = network.backbone.about  # a folded one may have no card
        self.network = placement.network(fold_all(network)).requires_grad_(False)
        self.backbone = self.network.backbone.to(self.dtype)
        self.places = places_of(self.backbone)
        self.predictor: IoUPredictor | None = None
        if network.output == "overlaps":
            self.predictor = network.predictor

    @torch.no_grad()
    def maps(self, crops: np.ndarray) -> list[Tensor]:
        """The backbone's two maps (N, C, n, n) and (N, C', m, m), in single precision, of crops
        (N, S, S, 3) uint8."""
        return [m.float() for m in self.backbone.pyramid(self._images(crops))]

    def same_backbone(self, other: OnlineRuntime) -> bool:
        """Whether another network has the same backbone with the same arguments and weights, so
        that its maps serve both. Equal weights alone do not suffice: lite0, dilated or not, has the
        same."""
        mine, theirs = (r.backbone.state_dict() for r in (self, other))
        return (
            self.about == other.about
            and mine.keys() == theirs.keys()
            and all(torch.equal(value, theirs[name]) for name, value in mine.items())
        )
