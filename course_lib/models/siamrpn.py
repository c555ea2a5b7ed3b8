"""SiamRPN and its relatives: one backbone, one of four heads, k anchors at every cell.

On AlexNet with the paper's widths, one group and the up-channel head, this is SiamRPN (Li et al.,
2018): 22.63 M parameters, maps of 17 × 17 for search images of 255 pixels and of 19 × 19 for 271.
On CIResNet-22 it is SiamDW's SiamRPN+ (Zhang and Peng, 2019).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from course_lib.errors import SettingsError
from course_lib.geometry.anchors import siamrpn_anchor_sizes
from course_lib.geometry.windows import EXEMPLAR
from course_lib.models.backbone import cells_of, cells_of_template, central_cells
from course_lib.models.backbones import backbone_arguments, backbone_class, make_backbone
from course_lib.models.heads import head_class
from course_lib.models.proposal_network import ProposalNetwork
from course_lib.models.proposals import Proposals


class SiamRPN(ProposalNetwork):
    """Proposals for exemplars (B, 3, 127, 127) and search images (B, 3, S, S), values 0…255.

    Args:
        head: "upchannel", "depthwise", "concat" or "broadcast". "concat" is guided: both images
            need a fourth channel, a mask of the target's box (in the search image, of its last
            known box).
        channels: of the head; None for as many as φ has.
        backbone: by name, see `models.backbones`; its last level is read. Of a padded one, whose
            exemplar map is larger than AlexNet's 6 × 6, the central cells are the template
            ("lite0": 8 × 8 of 16 × 16).
        mask: whether a head that is guided has its mask.
        **arguments: the backbone's own, for example `widths` and `groups` of AlexNet.
    """

    name = "siamrpn"

    def __init__(
        self,
        head: str = "upchannel",
        channels: int | None = None,
        backbone: str = "alexnet",
        mask: bool = True,
        **arguments: Any,
    ) -> None:
        super().__init__()
        kind = head_class(head)
        if kind.guided and mask:
            if "guided" not in backbone_arguments(backbone):
                raise SettingsError(
                    f"head {head} is guided by a mask, which backbone {backbone} does not take; "
                    "choose another head, or backbone alexnet or lite0"
                )
            arguments |= {"guided": True}
        arguments = backbone_class(backbone).rpn_arguments | arguments
        self.backbone = make_backbone(backbone, **arguments)
        self.guided, self.stride = self.backbone.guided, self.backbone.stride
        self.sizes = siamrpn_anchor_sizes()  # (k, 2)
        self.head = kind(
            self.backbone.channels, channels or self.backbone.channels, len(self.sizes)
        )
        self.has_map = self.head.has_map
        self.template_cells = cells_of_template(cells_of(self.backbone, EXEMPLAR))
        # a card must hold this for the network to be rebuilt, see `models.networks.build`
        self.about = {"network": self.name, "head": head, "channels": channels}
        self.about |= {} if mask else {"mask": mask}
        self.about |= self.backbone.about

    def cells(self, search: int = 255) -> int:
        """Cells per side of the map for search images of `search` pixels."""
        trim = self.head.trim
        if trim is None:  # for a correlation, one less than the template's cells
            trim = self.template_cells - 1
        return cells_of(self.backbone, search) - trim

    def template_features(self, exemplar: Tensor, search: int = 255) -> tuple[Tensor, ...]:
        """Template features of exemplars (B, 3, 127, 127); computed once per sequence."""
        z = self.backbone(self.head.shown(exemplar, search))  # (B, C, 6, 6)
        return self.head.template_features(
            z if self.head.whole else central_cells(z, self.template_cells)
        )

    def propose(self, template: tuple[Tensor, ...], search: Tensor) -> Proposals:
        """Proposals for search images (B, 3, S, S)."""
        return self.head(template, self.backbone(search))  # (B, C, 22, 22) for 255 pixels
