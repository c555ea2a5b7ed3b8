"""The two maps of a backbone: their sizes, and where their cells lie, measured by gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from course_lib.models.backbones import backbone_arguments, make_backbone
from course_lib.models.pyramid import MapPlace, places_of

# one of each kind, and the two with maps of their own
NAMES = ("alexnet", "ciresnet22", "ciresnext22", "twin-alexnet-6", "resnet18", "lite0")


def small(name: str, **more):
    few = {"width_multiplier": 0.125, "widths": (8,) * 5}
    torch.manual_seed(0)
    network = make_backbone(
        name, **{n: few[n] for n in few if n in backbone_arguments(name)}, **more
    )
    return network.eval()


def opened(network: nn.Module) -> nn.Module:
    """A copy in which every path carries a positive gradient, so that none cancels."""
    bare = copy.deepcopy(network)

    def change(module: nn.Module) -> None:
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                mean = nn.AvgPool2d(child.kernel_size, child.stride, child.padding)
                setattr(module, name, mean)
            elif isinstance(child, nn.BatchNorm2d | nn.ReLU | nn.ReLU6):
                setattr(module, name, nn.Identity())
            else:
                change(child)
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())

    change(bare)
    return bare


def centre_seen(bare: nn.Module, level: int, cell: int, size: int) -> tuple[float, float]:
    """Centre (x, y) of the pixels that reach a cell of a map."""
    image = torch.ones(1, 3, size, size, requires_grad=True)
    bare.pyramid(image)[level][0, :, cell, cell + 1].sum().backward()
    rows, columns = torch.nonzero(image.grad[0].abs().sum(0)).unbind(1)
    assert int(rows.min()) > 0 and int(columns.max()) < size - 1  # nothing is cut off
    return float(columns.min() + columns.max() + 1) / 2, float(rows.min() + rows.max() + 1) / 2


@pytest.mark.parametrize("name", NAMES)
def test_the_maps_are_as_their_places_say(name):
    network = small(name)
    with torch.no_grad():
        maps = network.pyramid(255 * torch.rand(1, 3, 255, 255))
    fine, coarse = places_of(network)
    assert [m.shape[1] for m in maps] == [fine.channels, coarse.channels]
    assert coarse.stride == 2 * fine.stride
    assert abs(maps[0].shape[-1] - 2 * maps[1].shape[-1]) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NAMES, "lite0 dilated"])
@pytest.mark.parametrize("level", [0, 1])
def test_a_cell_lies_where_its_receptive_field_has_its_centre(name, level):
    name, _, dilated = name.partition(" ")
    network = small(name, **({"dilated": True} if dilated else {}))
    size = 639 if name == "lite0" else 479  # its cells see 400 pixels
    place = places_of(network)[level]
    cell = round(float(place.cells(torch.tensor([size / 2, size / 2]))[0]))
    x, y = centre_seen(opened(network), level, cell, size)
    centre = place.pixels(torch.tensor([cell + 1.0, cell]))
    assert (x, y) == pytest.approx(centre.tolist())


def test_boxes_and_points_by_hand():
    place = MapPlace(4, 16, 0.5)
    box = torch.tensor([[16.5, 32.5, 48.0, 8.0]])
    assert place.cells(box).tolist() == [[1, 2, 3, 0.5]]
    assert torch.equal(place.pixels(place.cells(box)), box)
    assert place.cells(torch.tensor([8.5, 0.5])).tolist() == [0.5, 0]


def test_without_maps_of_its_own_a_backbone_gives_phi_and_its_means():
    network = small("ciresnet22")
    image = 255 * torch.rand(1, 3, 255, 255)
    with torch.no_grad():
        fine, coarse = network.pyramid(image)
        assert torch.equal(fine, network(image))
    assert torch.allclose(coarse[..., 2, 3], fine[..., 4:6, 6:8].mean((2, 3)), atol=1e-5)
    places = places_of(network)
    # 21 cells: the first lies as far from one border of 255 pixels as the last from the other
    assert places[0] == MapPlace(network.channels, 8, 47.5)
    assert places[1] == MapPlace(network.channels, 16, 51.5)


def test_resnet18_has_the_published_size():
    network = make_backbone("resnet18")
    assert sum(p.numel() for p in network.parameters()) == 2_782_784
    with torch.no_grad():
        shapes = [tuple(m.shape) for m in network.eval().pyramid(torch.rand(2, 3, 288, 288))]
    assert shapes == [(2, 128, 36, 36), (2, 256, 18, 18)]


def test_resnet18_takes_torchvision_s_weights(tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(1)
    theirs = resnet18(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "r.pth")
    network = make_backbone("resnet18").eval()
    assert network.load_classifier(tmp_path / "r.pth")
    image = 255 * torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        x = theirs.maxpool(
            theirs.relu(theirs.bn1(theirs.conv1((image - network.mean) / network.std)))
        )
        expected = theirs.layer3(theirs.layer2(theirs.layer1(x)))
        torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=0)
