"""What makes a trained network ready to track: batch norms folded into convolutions, laid out and
in the precision of the device policy, NumPy crops in, NumPy responses out.

Folding: in eval mode a batch norm is an affine map of each channel, so the convolution before it
can do its work (Jacob et al., 2018, section 3.2).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from course_lib.errors import DataError
from course_lib.models.backbone import Backbone, fold_norms
from course_lib.models.device import Placement, choose_placement
from course_lib.models.proposal_network import ProposalNetwork
from course_lib.models.weights import load_network, load_siamfc, weights_stamp

if TYPE_CHECKING:
    from course_lib.models.siamfc import SiamFC


class Runtime:
    """What every network that is ready to track has.

    Args:
        network: in eval mode, its batch norms folded.
        placement: where it runs, and in what precision.
    """

    def __init__(self, network: nn.Module, placement: Placement) -> None:
        self.placement = placement
        self.dtype = torch.bfloat16 if placement.bf16 else torch.float32
        self.network = network

    def _images(self, crops: np.ndarray) -> Tensor:
        """Crops (N, S, S, 3 or 4) uint8 as the network takes them, (N, 3 or 4, S, S)."""
        # a batch of images as OpenCV stores them is already channels-last
        images = torch.from_numpy(crops).permute(0, 3, 1, 2)  # (N, 3 or 4, S, S)
        return images.to(self.placement.device).to(self.dtype)


class SiamFCRuntime(Runtime):
    """A trained SiamFC ready to track.

    Args:
        network: SiamFC or SiamMargin, trained.
        placement: where it runs, and in what precision.
    """

    def __init__(self, network: SiamFC, placement: Placement) -> None:
        super().__init__(network.to(placement.device), placement)
        # a copy: the network keeps its batch norms
        self.backbone = placement.network(network.backbone.folded()).to(self.dtype)

    @torch.inference_mode()
    def features(self, crops: np.ndarray) -> Tensor:
        """φ (N, C, s, s), in single precision, of crops (N, S, S, 3) uint8."""
        return self.backbone(self._images(crops)).float()

    @torch.inference_mode()
    def respond(self, z: Tensor, crops: np.ndarray) -> np.ndarray:
        """Responses (N, 17, 17) of exemplar features (N or 1, C, 6, 6) over crops (N, 255, 255,
        3)."""
        return self.network.response(z, self.features(crops)).cpu().numpy()


class ProposalRuntime(Runtime):
    """A trained proposal network ready to track.

    Args:
        network: trained; it is changed, its batch norms are gone.
        placement: where it runs, and in what precision.
    """

    def __init__(self, network: ProposalNetwork, placement: Placement) -> None:
        super().__init__(network, placement)
        self.guided, self.variances = network.guided, network.variances
        self.network = placement.network(fold_all(network)).to(self.dtype)

    def anchors(self, search: int) -> np.ndarray:
        """Anchors (A, 4) for search images of `search` pixels."""
        return self.network.anchors(search)

    @torch.inference_mode()
    def template_features(self, crop: np.ndarray, search: int) -> tuple[Tensor, ...]:
        """Template features of the exemplar crop (127, 127, 3), with a mask as fourth channel if
        the network is guided."""
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
    """The network with every batch norm that follows a convolution folded into it; the same output
    in eval mode."""
    network.eval()
    for name, child in list(network.named_children()):
        if isinstance(child, Backbone):
            setattr(network, name, child.folded())
    return fold_norms(network, fuse_conv_bn_eval)


def load_siamfc_runtime(weights: str, device: str, precision: str) -> SiamFCRuntime:
    """The embedding of named weights; loaded once in a process, and anew when the file changes.

    Args:
        weights: name or path, see `models.weights.find_weights`.
        device: see `models.device.choose_device`.
        precision: "auto", "fp32" or "bf16".

    Raises:
        MissingDataError: if there are no such weights.
        DataError: if they are not of a SiamFC.
    """
    return _load_siamfc_runtime(weights, weights_stamp(weights), device, precision)


@lru_cache(maxsize=8)
def _load_siamfc_runtime(weights: str, stamp: tuple, device: str, precision: str) -> SiamFCRuntime:
    return SiamFCRuntime(load_siamfc(weights), choose_placement(device, precision))


def load_proposal_runtime(weights: str, device: str, precision: str) -> ProposalRuntime:
    """The proposer of named weights; loaded once in a process, and anew when the file changes.

    Args:
        weights: name or path, see `models.weights.find_weights`.
        device: see `models.device.choose_device`.
        precision: "auto", "fp32" or "bf16".

    Raises:
        MissingDataError: if there are no such weights.
        DataError: if they are not of a proposal network.
    """
    return _load_proposal_runtime(weights, weights_stamp(weights), device, precision)


@lru_cache(maxsize=8)
def _load_proposal_runtime(
    weights: str, stamp: tuple, device: str, precision: str
) -> ProposalRuntime:
    network = load_network(weights)
    if not isinstance(network, ProposalNetwork):
        raise DataError(
            f"weights {weights!r} are of a {network.about['network']}, which makes no proposals; "
            "give others"
        )
    return ProposalRuntime(network, choose_placement(device, precision))
