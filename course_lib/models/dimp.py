"""DiMP (Bhat et al., "Learning Discriminative Model Prediction for Tracking", 2019): a network that
predicts the filter of a classifier from a few images of a target.

The filter begins as pooled features of the target, and some steps of steepest descent make it tell
the target from what surrounds it. The steps have exact lengths, so that few are enough; and all can
be differentiated through, so that features, start and steps are learned together, to give good
scores on images not seen by the filter. The published network refines boxes as ATOM does; here that
is `models.atom`'s part.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from course_lib.errors import SettingsError
from course_lib.models.backbones import make_backbone
from course_lib.models.predictor import ModelPredictor
from course_lib.models.pyramid import places_of
from course_lib.models.target_filter import apply_filters, rms_normalised
from course_lib.models.tensors import resnet_name


class Neck(nn.Sequential):
    """Features for the classifier from a backbone's map.

    Args:
        before: channels of the map.
        channels: of the features.
        kernel: side of the filter that will slide over them.
        blocks: residual blocks before the last convolution: 1 in DiMP-18, 0 in DiMP-50.
    """

    def __init__(self, before: int, channels: int, kernel: int, blocks: int) -> None:
        super().__init__(
            *(BasicBlock(before, before) for _ in range(blocks)),
            nn.Conv2d(before, channels, 3, padding=1, bias=False),
        )
        self.scale = (channels * kernel**2) ** -0.5

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, h, w) of maps (B, before, h, w): under a window of the filter's size, the
        squares sum to about 1."""
        return rms_normalised(super().forward(x)) * self.scale


class DiMP(nn.Module):
    """Backbone, neck and model predictor.

    Args:
        backbone: by name, see `models.backbones`; its coarse map is used. ResNet-18 in DiMP-18.
        channels: of the classifier's features; 256 in DiMP-18.
        kernel: side of the filter, in cells.
        iterations: steps of steepest descent in training.
        blocks: residual blocks of the neck.
        learned: whether labels, mask and weights are learned as functions of the distance, as in
            the paper, or fixed, see `models.predictor`.
        **arguments: the backbone's own.

    Attributes:
        name: of its row in `models.networks.NETWORKS`.
        output: the kind of its output, which determines how it is trained: "scores".
        only_search: the one size of image it takes, pixels per side; None for any.
        place: where the cells of its features lie.
    """

    name = "dimp"
    output: str = "scores"
    only_search: int | None = None

    def __init__(
        self,
        backbone: str = "lite0",
        channels: int = 256,
        kernel: int = 4,
        iterations: int = 5,
        blocks: int = 1,
        learned: bool = False,
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.backbone = make_backbone(backbone, **arguments)
        before = places_of(self.backbone)[1]
        self.place = before._replace(channels=channels)
        self.neck = Neck(before.channels, channels, kernel, blocks)
        self.predictor = ModelPredictor(self.place, kernel, iterations, learned)
        # a card must hold this for the network to be rebuilt, see `models.networks.build`
        self.about = {"network": self.name, "channels": channels, "kernel": kernel}
        self.about |= {"iterations": iterations, "blocks": blocks, "learned": learned}
        self.about |= self.backbone.about

    def begin_as_identity(self) -> None:
        """Set the convolutions of neck and initialiser to pass on what they are given: before any
        training, the filter is then learned on the backbone's own features.

        Raises:
            SettingsError: the neck has residual blocks, whose ReLU drops what is below 0, or has
                other channels than the backbone's map.
        """
        *blocks, conv = self.neck
        if blocks or conv.in_channels != conv.out_channels:
            raise SettingsError(
                f"as_identity is true with blocks: {len(blocks)}, channels: {conv.out_channels}; "
                f"expected blocks: 0, channels: {conv.in_channels}, as many as the backbone's map "
                "has. Change them, or set as_identity: false"
            )
        for layer in (conv, self.predictor.initialiser.conv):
            nn.init.dirac_(layer.weight)

    def features(self, images: Tensor) -> Tensor:
        """The classifier's features (..., C, h, w) of images (..., 3, S, S), values 0…255."""
        maps = self.backbone.pyramid(images.flatten(0, -4))[1]  # (B, C', h, w)
        return self.neck(maps).unflatten(0, images.shape[:-3])

    def forward(self, train: Tensor, test: Tensor, boxes: Tensor) -> Tensor:
        """Scores (K, B, M, h + 1, w + 1) on the test images: of the first filter, and of the filter
        after each step.

        Args:
            train: (B, N, 3, S, S) images that the filters are learned from, values 0…255; or
                (B, 3, S, S), one for each target.
            test: (B, M, 3, S, S) other images of the same targets; or (B, 3, S, S).
            boxes: (B, N, 4) of the targets in `train`, pixels; or (B, 4).
        """
        x, y = self.features(train), self.features(test)  # (B, N, C, h, w) and (B, M, C, h, w)
        if train.ndim == 4:
            x, y, boxes = x[:, None], y[:, None], boxes[:, None]
        return torch.stack([apply_filters(y, f) for f in self.predictor(x, boxes)])


def score_loss(scores: Tensor, labels: Tensor, threshold: float = 0.05) -> Tensor:
    """The loss () of scores on test images: squared errors at the target; elsewhere the squares of
    the scores above 0, because how far below 0 the background lies does not matter (Bhat et al.,
    2019, sec. 3.6).

    Args:
        scores: (B, M, h, w).
        labels: (B, M, h, w) wanted scores, see `target_filter.gaussian_labels`.
        threshold: label from which a cell counts as the target's.
    """
    away = labels < threshold  # (B, M, h, w)
    return F.mse_loss(torch.where(away, F.relu(scores), scores), labels.masked_fill(away, 0))


# a part of the published network (pytracking, `dimpnet.py` and `target_classifier`): the same here
PUBLIC = {
    "classifier.feature_extractor.": "neck.",
    "classifier.filter_initializer.filter_conv.": "predictor.initialiser.conv.",
    "classifier.filter_optimizer.log_step_length": "predictor.log_length",
    "classifier.filter_optimizer.filter_reg": "predictor.regulariser",
    "classifier.filter_optimizer.label_map_predictor.weight": "predictor.maps.label",
    "classifier.filter_optimizer.target_mask_predictor.0.weight": "predictor.maps.mask",
    "classifier.filter_optimizer.spatial_weight_predictor.weight": "predictor.maps.weight",
}


def from_public(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a published DiMP under this course's names, for `DiMP(learned=True)` on
    ResNet-18, or, if they have no learned maps, for `DiMP(learned=False)`.

    The published code has its labels and the pooling of its first filter half a cell apart: set
    `predictor.shift` to 0, and `predictor.place` to start at pixel 0, to compute as it does. Its
    refinement of boxes is left out; for that see `models.atom.from_public`.

    Args:
        tensors: by their published names.
    """
    renamed = {}
    for name, value in tensors.items():
        part = next((p for p in PUBLIC if name.startswith(p)), None)
        if name.startswith("feature_extractor."):
            ours = resnet_name(name.removeprefix("feature_extractor."), 3)
            renamed |= {f"backbone.{ours}": value} if ours else {}
        elif part and part.startswith("classifier.filter_optimizer."):
            # one number alone, or one for each bin: (1,) and (1, bins, 1, 1) there
            renamed[PUBLIC[part]] = value.flatten() if value.numel() > 1 else value.reshape(())
        elif part:
            renamed[PUBLIC[part] + name.removeprefix(part)] = value
    return renamed
