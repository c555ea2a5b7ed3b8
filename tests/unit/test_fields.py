"""Receptive fields of actual networks: by arithmetic, by gradient, and by SiamDW's tables."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.analysis.fields import effective_field, touched
from course_lib.errors import DataError
from course_lib.geometry.receptive import (
    Branches,
    Layer,
    ReceptiveField,
    behind,
    joined,
    receptive_fields,
)
from course_lib.geometry.traced import traced_receptive_fields
from course_lib.models.alexnet import AlexNet
from course_lib.models.backbone import cells_of
from course_lib.models.backbones import make_backbone
from course_lib.models.cir import PLANS, CIRNetwork
from course_lib.models.resnet import DilatedResNet50, ResNet50
from course_lib.models.twins import TWINS, TwinNetwork
from course_lib.places import RESULTS

pytestmark = pytest.mark.slow

PUBLISHED = json.loads((RESULTS / "siamdw_published.json").read_text())
NETWORKS = {
    "alexnet": lambda: AlexNet(widths=(8,) * 5),
    "alexnet of stride 4": lambda: AlexNet(4, (8,) * 5),
    **{name: (lambda name=name: CIRNetwork(name, 0.125)) for name in PLANS},
    **{
        f"{f} {c}": (lambda f=f, c=c: TwinNetwork(f, c, 0.0625))
        for f, columns in TWINS.items()
        for c in columns
    },
}


def test_dilation_crop_and_centre_by_hand():
    row = behind(ReceptiveField("before", 60, 11, 2, 5.5), Layer("l", 7, 2, 3, crop=2))
    # 60 + 6 − 7 = 59, halved and one more: 30; less 4. Seven taps, two pixels apart: + 12. The
    # first centre stays, as the padding is half the kernel; two cells of four pixels further in
    assert (row.size, row.field, row.stride, row.start) == (26, 23, 4, 13.5)
    row = behind(ReceptiveField("before", 60, 11, 2, 5.5), Layer("l", 3, dilation=4))
    assert (row.size, row.field, row.stride, row.start) == (52, 27, 2, 13.5)
    assert row.overlap == pytest.approx(25 / 27)


class OfFunctions(nn.Module):
    """The stem and the first unit of a CIResNet, with functions in place of layers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 7, 2, padding=3)
        self.side = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, image):
        x = torch.relu_(self.conv(image))[..., 2:-2, 2:-2]
        x = nn.functional.max_pool2d(x, kernel_size=(2, 2))
        x = nn.functional.pad((x + self.side(x)).relu(), [-1] * 4)
        return nn.functional.avg_pool2d(x.clamp_min(0), 3, 2, 1)


def test_functions_are_traced_as_layers_are():
    rows = traced_receptive_fields(OfFunctions(), 127)
    # 127 + 6 − 7 = 126, halved and one more: 64; less 4, halved: 30; less 2: 28; with padding 14
    assert [(r.size, r.field) for r in (rows[1], rows[4], rows[-3], rows[-1])] == [
        (64, 7),
        (30, 9),
        (28, 17),
        (14, 25),
    ]


def test_branches_see_what_any_of_them_sees():
    rows = receptive_fields(
        [Layer("stem", 7, 2), Branches("unit", ((Layer("a", 3, 1, 1), Layer("b", 3, 1, 1)), ()))],
        31,
    )
    assert (rows[-1].layer, rows[-1].size, rows[-1].field, rows[-1].stride, rows[-1].start) == (
        "unit",
        13,
        15,
        2,
        3.5,
    )
    apart = joined("x", [ReceptiveField("a", 9, 7, 2, 3.5), ReceptiveField("b", 9, 5, 2, 8.5)])
    assert (apart.field, apart.start) == (11, 5.5)


def test_branches_that_do_not_fit_and_crops_that_leave_nothing_are_named():
    with pytest.raises(DataError, match="12 cells of stride 2, 6 cells of stride 4"):
        joined("sum", [ReceptiveField("a", 12, 7, 2, 1), ReceptiveField("b", 6, 7, 4, 1)])
    with pytest.raises(DataError, match="tail: a crop of 3 leaves nothing of 6"):
        receptive_fields([Layer("tail", 3, padding=1, crop=3)], 6)


@pytest.mark.parametrize("name", NETWORKS)
def test_arithmetic_and_gradient_agree(name):
    network = NETWORKS[name]().eval()
    for size, cells in ((127, 1), (255, 3)):
        last = traced_receptive_fields(network, size)[-1]
        with torch.no_grad():
            assert network(torch.rand(1, 3, size, size)).shape[-1] == last.size
        for cell in {0, last.size // 2, last.size - 1} if cells > 1 else {last.size // 2}:
            rows, columns = touched(network, size, cell, last.size // 2)
            for seen, k in ((rows, cell), (columns, last.size // 2)):
                centre = last.start + k * last.stride
                low, high = round(centre - last.field / 2), round(centre + last.field / 2)
                assert (seen.start, seen.stop) == (max(low, 0), min(high, size)), (name, size, k)


@pytest.mark.parametrize("upto", [2, 3])
def test_the_resnet_backbone_too(upto):
    network = ResNet50(upto, (upto,)).eval()
    field, cells = {2: (91, 16), 3: (267, 8)}[upto]
    last = traced_receptive_fields(network, 127)[-1]
    assert (last.field, last.size, last.stride) == (field, cells, 2 ** (upto + 1))
    if upto == 2:
        rows, _ = touched(network, 255, 16, 16)
        wide = traced_receptive_fields(network, 255)[-1]
        centre = wide.start + 16 * wide.stride
        assert (rows.start, rows.stop) == (round(centre - field / 2), round(centre + field / 2))


def test_the_backbone_of_siamrpnpp_with_its_dilations():
    network = DilatedResNet50().eval()
    last = traced_receptive_fields(network, 255)[-1]
    assert (last.size, last.stride) == (31, 8)
    rows, columns = touched(network, 255, 1, 29)
    for seen, k in ((rows, 1), (columns, 29)):
        centre = last.start + k * last.stride
        low, high = round(centre - last.field / 2), round(centre + last.field / 2)
        assert (seen.start, seen.stop) == (max(low, 0), min(high, 255))


@pytest.mark.parametrize(
    ("family", "column"), [(f, c) for f, columns in TWINS.items() for c in columns]
)
def test_twins_agree_with_the_columns_of_the_published_table(family, column):
    row = PUBLISHED["analysis"][family][column - 1]
    network = TwinNetwork(family, column, 0.0625)
    z, x = traced_receptive_fields(network, 127)[-1], traced_receptive_fields(network, 255)[-1]
    assert (row["column"], z.field, z.stride, z.size) == (
        column,
        row["field"],
        row["stride"],
        row["ofs"],
    )
    padded = any(
        m.padding not in (0, (0, 0))
        for m in network.layers
        if isinstance(m, (nn.Conv2d, nn.MaxPool2d))
    )
    assert padded == row["padding"]
    # the centre of the response means "not moved"
    assert x.size - z.size == {4: 32, 8: 16, 16: 8}[z.stride]


def test_twins_differ_in_as_little_as_possible():
    weights = lambda f, c: [tuple(p.shape) for p in TwinNetwork(f, c, 0.125).parameters()]  # noqa: E731
    assert weights("alexnet", 5) == weights("alexnet", 6) == weights("alexnet", 9)
    assert weights("alexnet", 3) == weights("alexnet", 10)
    assert weights("resnet", 4) == weights("resnet", 5) and weights("resnet", 2) == weights(
        "resnet", 9
    )


# SiamDW's zoo (course notes: computed from the layers): cells of 127 and 255, field, stride
ZOO = {
    "ciresnet16": (7, 23, 77, 8),
    "ciresnet19": (6, 22, 85, 8),
    "ciresnet22": (5, 21, 93, 8),
    "ciresnet22w": (5, 21, 93, 8),
    "ciresinception22": (5, 21, 95, 8),
    "ciresnext22": (5, 21, 95, 8),
    "ciresnet43": (6, 38, 105, 4),
    "alexnet": (6, 22, 87, 8),
}


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo(name):
    how = {"widths": (8,) * 5} if name == "alexnet" else {"width_multiplier": 0.125}
    network = make_backbone(name, **how)
    z = traced_receptive_fields(network, 127)[-1]
    assert (z.size, cells_of(network, 255), z.field, z.stride) == ZOO[name]
    assert network.stride == z.stride


@pytest.mark.parametrize(
    ("config", "sizes", "field", "stride"),
    [("vgg16", (5, 21), 92, 8), ("vgg13", (8, 24), 68, 8), ("vgg11", (9, 25), 62, 8)],
)
def test_vgg_without_padding_as_in_the_notes(config, sizes, field, stride):
    import torchvision

    upto = {"vgg16": 23, "vgg13": 18, "vgg11": 14}[config]  # conv4_x and its ReLU
    network = getattr(torchvision.models, config)(weights=None).features[:upto]
    for module in network:
        if isinstance(module, nn.Conv2d):
            module.padding = (0, 0)
    z, x = traced_receptive_fields(network, 127)[-1], traced_receptive_fields(network, 255)[-1]
    assert (z.size, x.size, z.field, z.stride) == (*sizes, field, stride)


class Then(nn.Module):
    """A convolution of 3 × 3, and what a function makes of its map."""

    def __init__(self, function):
        super().__init__()
        self.conv, self.function = nn.Conv2d(3, 4, 3), function

    def forward(self, x):
        return self.function(self.conv(x))


@pytest.mark.parametrize(
    ("function", "expected"),  # size, field, stride of images of 22 pixels
    [
        (lambda x: x[:, :, ::2, ::2], (10, 3, 2)),
        (lambda x: x[:, :, 1::3, 1::3], (7, 3, 3)),
        (lambda x: nn.functional.max_pool2d(x, 3, 1, 0, 2), (16, 7, 1)),
        (lambda x: nn.functional.avg_pool2d(x, 2, 2, 0, False), (10, 4, 2)),
    ],
)
def test_steps_and_dilations_of_functions_are_read(function, expected):
    network = Then(function)
    last = traced_receptive_fields(network, 22)[-1]
    assert (last.size, last.field, last.stride) == expected
    assert network(torch.zeros(1, 3, 22, 22)).shape[-1] == last.size


def test_a_product_sees_what_either_factor_sees():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.gate = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 7, padding=3)

        def forward(self, x):
            return 2 * self.one(x) * self.gate(x)

    assert traced_receptive_fields(Gated(), 22)[-1].field == 7


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (5, 2)])
def test_padding_by_name_is_read(kernel, dilation):
    for padding, lost in (("same", 0), ("valid", dilation * (kernel - 1))):
        stack = nn.Sequential(nn.Conv2d(3, 4, kernel, dilation=dilation, padding=padding))
        assert traced_receptive_fields(stack, 22)[-1].size == 22 - lost


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2, ceil_mode=True)), "ceil_mode"),
        (nn.Sequential(nn.Conv2d(3, 4, 4, padding="same")), "use an odd kernel"),
        (Then(lambda x: nn.functional.pad(x, (0, 1, 0, 1))), "the same number on all sides"),
        (Then(lambda x: x[:, :, 2:-2]), "17 cells per side .* gives .17, 21."),
    ],
)
def test_what_is_not_read_is_refused(network, words):
    with pytest.raises(DataError, match=words):
        traced_receptive_fields(network, 23 if "ceil" not in words else 22)


@pytest.mark.parametrize(("name", "extent"), [("lite0", (0, 127)), ("convstem", (49, 80))])
def test_activations_of_every_kind_switch_nothing_off(name, extent):
    network = make_backbone(name)
    cell = network(torch.zeros(1, 3, 127, 127)).shape[-1] // 2
    rows, columns = touched(network, 127, cell, cell)
    assert (rows.start, rows.stop) == (columns.start, columns.stop) == extent


def test_an_unknown_operation_is_named():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.fft.fft2(x).real

    with pytest.raises(DataError, match="fft"):
        traced_receptive_fields(Odd(), 64)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2)),
        min_size=1,
        max_size=4,
    ),
    st.integers(50, 80),
)
def test_a_traced_stack_equals_its_description(layers, size):
    described = [Layer(str(i), k, s, p, dilation=d) for i, (k, s, p, d) in enumerate(layers)]
    live = nn.Sequential(*(nn.Conv2d(3, 3, k, s, p, d) for k, s, p, d in layers))
    for mine, theirs in zip(
        receptive_fields(described, size), traced_receptive_fields(live, size), strict=True
    ):
        assert (mine.size, mine.field, mine.stride, mine.start) == (
            theirs.size,
            theirs.field,
            theirs.stride,
            theirs.start,
        )


def test_the_effective_field_sums_to_one_and_lies_within_the_field():
    torch.manual_seed(0)
    network = AlexNet(widths=(8,) * 5)
    weights = effective_field(network, torch.rand(2, 3, 127, 127) * 255).numpy()
    last = traced_receptive_fields(network, 127)[-1]
    at = last.start + last.size // 2 * last.stride
    low, high = round(at - last.field / 2), round(at + last.field / 2)
    assert weights.shape == (127, 127) and weights.sum() == pytest.approx(1, abs=1e-5)
    assert weights[low:high, low:high].sum() == pytest.approx(1, abs=1e-6)
    assert np.count_nonzero(weights) > 0.9 * last.field**2
