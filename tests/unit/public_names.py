"""Random tensors under the names and in the shapes of published networks, and ResNet-18's."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.models import resnet18


class Drawn(dict):
    """Tensors by name, drawn one after the other."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.draw = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.draw)

    def norm(self, name: str, n: int) -> None:
        """A batch norm with statistics of its own."""
        self[f"{name}.weight"] = 0.5 + torch.rand(n, generator=self.draw)
        self[f"{name}.bias"] = 0.2 * self.normal(n)
        self[f"{name}.running_mean"] = 0.2 * self.normal(n)
        self[f"{name}.running_var"] = 0.5 + torch.rand(n, generator=self.draw)
        self[f"{name}.num_batches_tracked"] = torch.tensor(3)

    def conv(self, name: str, out: int, into: int, kernel: int, bias: bool = True) -> None:
        self[f"{name}.weight"] = (
            self.normal(out, into, kernel, kernel) * (2 / (into * kernel**2)) ** 0.5
        )
        if bias:
            self[f"{name}.bias"] = 0.1 * self.normal(out)

    def linear(self, name: str, out: int, into: int) -> None:
        self[f"{name}.weight"] = self.normal(out, into) * (2 / into) ** 0.5
        self[f"{name}.bias"] = 0.1 * self.normal(out)


def iou_net(seed: int = 0, prefix: str = "") -> Drawn:
    """The published IoU predictor on ResNet-18."""
    t = Drawn(seed)
    for name, out, into, kernel in (
        ("conv3_1r", 128, 128, 3),
        ("conv3_1t", 256, 128, 3),
        ("conv3_2t", 256, 256, 3),
        ("fc3_1r", 256, 128, 3),
        ("conv4_1r", 256, 256, 3),
        ("conv4_1t", 256, 256, 3),
        ("conv4_2t", 256, 256, 3),
        ("fc34_3r", 256, 512, 1),
        ("fc34_4r", 256, 512, 1),
    ):
        t.conv(f"{prefix}{name}.0", out, into, kernel)
        t.norm(f"{prefix}{name}.1", out)
    for name, into in (("fc3_rt", 256 * 25), ("fc4_rt", 256 * 9)):
        t.linear(f"{prefix}{name}.linear", 256, into)
        t.norm(f"{prefix}{name}.bn", 256)
    t.linear(f"{prefix}iou_predictor", 1, 512)
    return t


def resnet(seed: int = 0, prefix: str = "feature_extractor.") -> dict[str, Tensor]:
    """All of ResNet-18, with what trackers do not use."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {f"{prefix}{n}": t for n, t in resnet18(weights=None).state_dict().items()}


def dimp(seed: int = 0, learned: bool = True) -> Drawn:
    """The published DiMP-18: classifier, backbone, and the IoU predictor."""
    t = Drawn(seed)
    features, optimiser = "classifier.feature_extractor", "classifier.filter_optimizer"
    for k in (1, 2):
        t.conv(f"{features}.0.conv{k}", 256, 256, 3, bias=False)
        t.norm(f"{features}.0.bn{k}", 256)
    t.conv(f"{features}.1", 256, 256, 3, bias=False)
    t.conv("classifier.filter_initializer.filter_conv", 256, 256, 3)
    t[f"{optimiser}.log_step_length"] = torch.tensor([-0.2])
    t[f"{optimiser}.filter_reg"] = torch.tensor([0.13])
    if learned:
        for name in ("label_map_predictor", "target_mask_predictor.0", "spatial_weight_predictor"):
            t[f"{optimiser}.{name}.weight"] = 0.5 * t.normal(1, 100, 1, 1)
    return Drawn() | t | resnet(seed) | iou_net(seed, "bb_regressor.")


def ostrack(dim: int = 768, layers: int = 12, width: int = 256, seed: int = 0) -> Drawn:
    """A published OSTrack: encoder and head, with what the encoder began with and no longer uses.

    Args:
        dim: channels of a token.
        layers: number of blocks.
        width: channels of the head's first convolutions.
        seed: of the values.
    """
    t = Drawn(seed)
    t["backbone.cls_token"] = t.normal(1, 1, dim)
    t["backbone.pos_embed"] = t.normal(1, 197, dim)
    t["backbone.pos_embed_z"] = t.normal(1, 64, dim)
    t["backbone.pos_embed_x"] = t.normal(1, 256, dim)
    t.conv("backbone.patch_embed.proj", dim, 3, 16)
    for k in range(layers):
        block = f"backbone.blocks.{k}"
        for name in ("norm1", "norm2"):
            t[f"{block}.{name}.weight"] = 1 + 0.1 * t.normal(dim)
            t[f"{block}.{name}.bias"] = 0.1 * t.normal(dim)
        t.linear(f"{block}.attn.qkv", 3 * dim, dim)
        t.linear(f"{block}.attn.proj", dim, dim)
        t.linear(f"{block}.mlp.fc1", 4 * dim, dim)
        t.linear(f"{block}.mlp.fc2", dim, 4 * dim)
    t["backbone.norm.weight"] = 1 + 0.1 * t.normal(dim)
    t["backbone.norm.bias"] = 0.1 * t.normal(dim)
    for branch, out in (("ctr", 1), ("offset", 2), ("size", 2)):
        before = dim
        for k in range(4):
            t.conv(f"box_head.conv{k + 1}_{branch}.0", width // 2**k, before, 3)
            t.norm(f"box_head.conv{k + 1}_{branch}.1", width // 2**k)
            before = width // 2**k
        t.conv(f"box_head.conv5_{branch}", out, before, 1)
    return t
