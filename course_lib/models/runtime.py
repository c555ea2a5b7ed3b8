"""Trained networks ready to track: batch norms folded into convolutions, memory layout and
precision chosen for the device, NumPy crops in, NumPy responses out.

Folding: in eval mode a batch norm is an affine map of each channel, so the convolution before it
can absorb it (Jacob et al., 2018).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from course_lib.errors import DataError
from course_lib.models.backbone import Backbone, central_cells, fold_norms
from course_lib.models.device import Placement, choose_placement
from course_lib.models.weights import load_network, weights_stamp

if TYPE_CHECKING:
    from course_lib.models.proposal_network import ProposalNetwork
    from course_lib.models.siamfc import SiamFC


class Runtime:
    """Base of the networks that are ready to track.

    Args:
        network: in eval mode, its batch norms folded.
        placement: where it runs, and in what precision.

    Attributes:
        weights: the file that the network was read from; None for one made otherwise.
        outputs: what the networks that it takes answer with.
        lacks: what another network does not do, in words.
        wanted: which networks it takes, in words.
    """

    weights: Path | None = None
    outputs: ClassVar[tuple[str, ...]]
    lacks: ClassVar[str]
    wanted: ClassVar[str]

    def __init__(self, network: nn.Module, placement: Placement) -> None:
        self.placement = placement
        self.dtype = torch.bfloat16 if placement.bf16 else torch.float32
        self.network = network

    @classmethod
    def load(cls, weights: str, device: str, precision: str) -> Self:
        """A network ready to track; loaded once per process, and again if its weights file changes.

        Args:
            weights: name or path, see `models.weights.find_weights`.
            device: see `models.device.choose_device`.
            precision: "auto", "fp32" or "bf16".

        Raises:
            MissingDataError: if there are no such weights.
            DataError: if they belong to another kind of network.
        """
        return _loaded(cls, weights, weights_stamp(weights), device, precision)

    def _images(self, crops: np.ndarray) -> Tensor:
        """Crops (N, S, S, 3 or 4) uint8 as input of the network, (N, 3 or 4, S, S)."""
        # images are channels-last already in OpenCV's layout, so this copies nothing
        images = torch.from_numpy(crops).permute(0, 3, 1, 2)  # (N, 3 or 4, S, S)
        return images.to(self.placement.device).to(self.dtype)


class SiamFCRuntime(Runtime):
    """A trained SiamFC ready to track.

    Args:
        network: a trained SiamFC or SiamMargin.
        placement: where it runs, and in what precision.
    """

    outputs = ("responses", "cosines")
    lacks, wanted = "makes no response map", "a siamfc or a siammargin"

    def __init__(self, network: SiamFC, placement: Placement) -> None:
        super().__init__(network.to(placement.device), placement)
        # `folded` makes a copy: the network itself keeps its batch norms
        self.backbone = placement.network(network.backbone.folded()).to(self.dtype)

    @torch.inference_mode()
    def features(self, crops: np.ndarray) -> Tensor:
        """φ (N, C, s, s), in single precision, of crops (N, S, S, 3) uint8."""
        return self.backbone(self._images(crops)).float()

    def template(self, crops: np.ndarray) -> Tensor:
        """Exemplar features (N, C, a, a), in single precision, of crops (N, 127, 127, 3) uint8: φ,
        of a padded backbone its central cells."""
        return central_cells(self.features(crops), self.network.backbone.kept)

    @torch.inference_mode()
    def respond(self, z: Tensor, crops: np.ndarray) -> np.ndarray:
        """Responses (N, 17, 17) of exemplar features (N or 1, C, 6, 6) over crops (N, 255, 255,
        3)."""
        return self.network.response(z, self.features(crops)).cpu().numpy()


class ProposalRuntime(Runtime):
    """A trained proposal network ready to track.

    Args:
        network: trained; it is changed in place, because its batch norms are folded.
        placement: where it runs, and in what precision.
    """

    outputs, lacks, wanted = ("proposals",), "makes no proposals", "a proposal network"

    def __init__(self, network: ProposalNetwork, placement: Placement) -> None:
        super().__init__(network, placement)
        self.guided, self.variances = network.guided, network.variances
        self.network = placement.network(fold_all(network)).to(self.dtype)

    def anchors(self, search: int) -> np.ndarray:
        """Anchors (A, 4) for search images of `search` pixels."""
        return self.network.anchors(search)

    @torch.inference_mode()
    def template_features(self, crop: np.ndarray, search: int) -> tuple[Tensor, ...]:
        """Template features of the exemplar crop (127, 127, 3), or (127, 127, 4) with a mask if the
        network is guided."""
        return self.network.template_features(self._images(crop[None]), search)

    @torch.inference_mode()
    def respond(self, template: tuple[Tensor, ...], crops: np.ndarray) -> np.ndarray:
        """Proposals (N, A, 5) for search crops (N, S, S, 3 or 4): the target's probability and four
        offsets."""
        proposals = self.network.propose(template, self._images(crops)).float()
        # (N, A, 5)
        return torch.cat([proposals.scores[..., None], proposals.offsets], -1).cpu().numpy()


@torch.no_grad()
def fold_all(network: nn.Module) -> nn.Module:
    """The network, with every batch norm that follows a convolution folded into it; its output in
    eval mode is the same."""
    network.eval()
    for name, child in list(network.named_children()):
        if isinstance(child, Backbone):
            setattr(network, name, child.folded())
    return fold_norms(network, fuse_conv_bn_eval)


@lru_cache(maxsize=8)
def _loaded(
    kind: type[Runtime], weights: str, stamp: tuple, device: str, precision: str
) -> Runtime:
    network = load_network(weights)
    if network.output not in kind.outputs:
        raise DataError(
            f"weights {weights!r} are of network {network.about['network']}, which {kind.lacks}; "
            f"give the weights of {kind.wanted}"
        )
    runtime = kind(network, choose_placement(device, precision))
    runtime.weights = Path(stamp[0]).resolve()
    return runtime
