"""The part of ATOM (Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", 2019) that
is trained in advance: a backbone that gives two maps, and the IoU predictor on them.

The other half of the tracker, its classifier, is learned online, see `trackers.online_classifier`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from course_lib.models.backbones import make_backbone
from course_lib.models.iou_predictor import IoUPredictor
from course_lib.models.pyramid import places_of
from course_lib.models.tensors import resnet_name


class ATOM(nn.Module):
    """The IoU predictor on a backbone that gives two maps.

    Args:
        backbone: by name, see `models.backbones`; ResNet-18 in the paper.
        width: channels inside the predictor; 256 in the paper.
        **arguments: the backbone's own.

    Attributes:
        name: of its row in `models.networks.NETWORKS`.
        output: the kind of its output, which determines how it is trained: "overlaps".
        only_search: the one size of image it takes, pixels per side; None for any.
        places: where the cells of its two maps lie.
    """

    name = "atom"
    output: str = "overlaps"
    only_search: int | None = None

    def __init__(self, backbone: str = "lite0", width: int = 256, **arguments: Any) -> None:
        super().__init__()
        self.backbone = make_backbone(backbone, **arguments)
        self.places = places_of(self.backbone)
        self.predictor = IoUPredictor(self.places, width)
        # a card must hold this for the network to be rebuilt, see `models.networks.build`
        self.about = {"network": self.name, "width": width, **self.backbone.about}

    def maps(self, image: Tensor) -> list[Tensor]:
        """The backbone's maps (B, C, n, n) and (B, C', m, m) of images (B, 3, S, S), values
        0…255."""
        return self.backbone.pyramid(image)

    def forward(self, reference: Tensor, test: Tensor, box: Tensor, boxes: Tensor) -> Tensor:
        """2 · IoU − 1 (B, P) as predicted for boxes in test images.

        Args:
            reference: (B, 3, S, S) images, values 0…255.
            test: (B, 3, S, S) other images of the same targets.
            box: (B, 4) of the target in each reference image, pixels.
            boxes: (B, P, 4) proposals in these.
        """
        p = self.predictor
        modulation = p.modulation(self.maps(reference), box)
        return p.raw_iou(p.test_maps(self.maps(test)), modulation, boxes)


# a layer of the published network (pytracking, `atom_iou_net.py`): the same one here
PUBLIC = {
    "conv3_1r": "reference_fine",
    "conv4_1r": "reference_coarse",
    "fc3_1r": "reference_pooled",
    "fc34_3r": "vector_fine",
    "fc34_4r": "vector_coarse",
    "conv3_1t": "test_fine.0",
    "conv3_2t": "test_fine.1",
    "conv4_1t": "test_coarse.0",
    "conv4_2t": "test_coarse.1",
    "fc3_rt": "dense_fine",
    "fc4_rt": "dense_coarse",
    "iou_predictor": "iou",
}


def from_public(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a published ATOM under this course's names.

    Those of the IoU predictor alone become an `IoUPredictor`'s; those of the whole network, an
    `ATOM`'s on ResNet-18. The published pooling has the centre of cell 0 at pixel 0: its places are
    MapPlace(128, 8, 0) and MapPlace(256, 16, 0), half a pixel from the truth. Tensors that have no
    counterpart, such as the layers of the backbone that ATOM does not use, are left out.

    Args:
        tensors: by their published names.
    """
    renamed = {}
    for name, value in tensors.items():
        if name.startswith("feature_extractor."):
            ours = resnet_name(name.removeprefix("feature_extractor."), 3)
            renamed |= {f"backbone.{ours}": value} if ours else {}
            continue
        layer, _, rest = name.removeprefix("bb_regressor.").partition(".")
        if layer in PUBLIC:
            part = "predictor." if name.startswith("bb_regressor.") else ""
            renamed[f"{part}{PUBLIC[layer]}.{rest.replace('bn.', 'norm.')}"] = value
    return renamed
