"""Networks that propose: sizes and parameters of the papers' tables, correlations against loops,
folding, weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.errors import DataError, SettingsError
from course_lib.geometry.guide import box_masks
from course_lib.models.alexnet import AlexNet
from course_lib.models.backbone import central_cells
from course_lib.models.concat_broadcast import SiamBroadcastRPN, SiamConcatRPN
from course_lib.models.correlation import (
    cross_correlate,
    cross_correlate_channels,
    cross_correlate_depthwise,
)
from course_lib.models.heads import HEADS, as_proposals
from course_lib.models.heads_learned import GlobalConvolution, broadcast_over
from course_lib.models.networks import build
from course_lib.models.resnet import ResNet50
from course_lib.models.runtime import fold_all
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.siamrpnpp import SiamRPNpp, aggregate
from course_lib.models.weights import load_network, load_siamfc, save_weights
from course_lib.training.first_weights import first_network
from course_lib.training.settings import TrainSettings

pytestmark = pytest.mark.slow

SMALL = (4, 8, 8, 8, 8)


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def on_paper(make, search=255, batch=2):
    """A network that needs no memory for its weights, and the shapes of its proposals."""
    with torch.device("meta"):
        network = make()
        channels = 4 if network.guided else 3
        out = network.eval()(
            torch.empty(batch, channels, 127, 127), torch.empty(batch, channels, search, search)
        )
    return network, tuple(out.logits.shape), tuple(out.offsets.shape)


class TestPapersTables:
    """Shapes and parameter counts of the papers' sizes."""

    @pytest.mark.parametrize(("search", "cells"), [(255, 17), (271, 19), (287, 21)])
    def test_siamrpn(self, search, cells):
        network, logits, offsets = on_paper(SiamRPN, search)
        assert (count(network.backbone), count(network.head)) == (
            3_749_952,
            18_882_980,
        )  # 3.75 M + 18.88 M
        A = 5 * cells**2
        assert logits == (2, A, 2) and offsets == (2, A, 4)
        assert network.cells(search) == cells == (search - 127) // 8 + 1 and network.anchors(
            search
        ).shape == (A, 4)

    def test_a_depthwise_head_is_seven_and_a_half_times_smaller(self):
        network, logits, _ = on_paper(lambda: SiamRPN("depthwise"))
        assert (
            count(network.head) == 2_501_150
            and count(network) == 6_251_102
            and logits == (2, 1445, 2)
        )
        assert 7.5 < 18_882_980 / count(network.head) < 7.6

    def test_the_kernels_of_siamrpn_are_four_by_four(self):
        with torch.device("meta"):
            template = SiamRPN().template_features(torch.empty(2, 3, 127, 127))
        assert [tuple(k.shape) for k in template] == [(2, 10, 256, 4, 4), (2, 20, 256, 4, 4)]

    @pytest.mark.parametrize(
        ("head", "cells"), [("upchannel", 25), ("depthwise", 25), ("broadcast", 28), ("concat", 28)]
    )
    def test_every_head_works_on_a_padded_backbone(self, head, cells):
        """Of its exemplar map of 16 × 16 cells the central 8 × 8 are the template."""
        network, logits, _ = on_paper(lambda: SiamRPN(head, 8, "lite0"))
        assert network.template_cells == 8 and network.cells(255) == cells
        assert logits == (2, 5 * cells**2, 2) and len(network.anchors()) == 5 * cells**2
        with torch.device("meta"):
            z = torch.empty(2, 3 + network.guided, 127, 127)
            template = network.template_features(z)
        kernel = {"upchannel": 6, "depthwise": 6, "broadcast": 1, "concat": 32}[head]
        assert {t.shape[-1] for t in template} == {kernel}

    def test_siamrpnpp(self):
        network, logits, offsets = on_paper(SiamRPNpp)
        parts = (network.backbone, network.neck, network.heads)
        assert [round(count(p) / 1e6, 2) for p in parts] == [45.53, 0.92, 7.50]
        assert round(count(network) / 1e6, 2) == 53.95
        assert (
            logits == (2, 5 * 25**2, 2)
            and offsets == (2, 5 * 25**2, 4)
            and len(network.anchors()) == 3125
        )
        with torch.device("meta"):
            for size, cells in ((127, 15), (255, 31)):
                maps = network.backbone.levels(torch.empty(1, 3, size, size))
                assert [tuple(m.shape) for m in maps] == [
                    (1, c, cells, cells) for c in (512, 1024, 2048)
                ]

    def test_siamconcatrpn(self):
        network, logits, offsets = on_paper(SiamConcatRPN)
        assert round(count(network) / 1e6, 2) == 64.21
        assert logits == (2, 8732, 2) and offsets == (2, 8732, 4) and len(network.anchors()) == 8732
        assert [cells for cells, _ in network.maps] == [38, 19, 10, 5, 3, 1]
        assert [len(s) for s in network.map_sizes] == [4, 6, 6, 6, 4, 4]

    def test_siambroadcastrpn(self):
        network, logits, _ = on_paper(SiamBroadcastRPN)
        assert (
            round(count(network) / 1e6, 2) == 6.79
            and round(count(network.backbone_z) / 1e6, 2) == 1.44
        )
        assert logits == (2, 7680, 2) and len(network.anchors()) == 7680
        shared, _, _ = on_paper(lambda: SiamBroadcastRPN(shared=True))
        assert count(network) - count(shared) == count(network.backbone_z)

    def test_default_boxes_of_the_epfl_networks_stand_where_their_strides_say(self):
        """FEATURE_MAPS_STRIDES of the project's settings; the first and last centre of each map."""
        with torch.device("meta"):
            concat, broadcast = SiamConcatRPN(), SiamBroadcastRPN()
        for network, strides in (
            (concat, [8, 16, 32, 64, 100, 300]),
            (broadcast, [8, 16]),
        ):
            anchors, begin = network.anchors(network.image), 0
            for (cells, _), sizes, stride in zip(
                network.maps, network.map_sizes, strides, strict=True
            ):
                of = anchors[begin : begin + len(sizes) * cells**2]
                begin += len(of)
                centres = of[:, :2] + of[:, 2:] / 2
                assert np.allclose(centres[0], stride / 2)
                assert np.allclose(centres[-1], (cells - 0.5) * stride)
            assert begin == len(anchors)
        assert np.allclose(broadcast.anchors(255)[0, 2:], 50)

    def test_layers_of_siambroadcastrpn_are_the_projects(self):
        with torch.device("meta"):
            network = SiamBroadcastRPN()
        kinds = [
            type(m).__name__
            for m in (*network.compare, *network.finer, *network.extras[0].modules())
        ]
        assert [k for k in kinds if k != "Sequential"] == [
            *("Conv2d", "BatchNorm2d", "ReLU"),
            *("ConvTranspose2d", "BatchNorm2d", "ReLU"),
            *("Conv2d", "BatchNorm2d", "Conv2d", "BatchNorm2d", "ReLU"),
        ]


class TestCorrelations:
    """Against loops."""

    @pytest.fixture
    def pair(self):
        rng = torch.Generator().manual_seed(0)
        return torch.randn(3, 5, 4, 3, generator=rng), torch.randn(3, 5, 9, 8, generator=rng)

    def test_depthwise_is_a_loop_over_channels_and_adds_up_to_siamfcs(self, pair):
        z, x = pair
        maps = cross_correlate_depthwise(z, x)
        for b in range(3):
            for c in range(5):
                loop = F.conv2d(x[b, c][None, None], z[b, c][None, None])[0, 0]
                torch.testing.assert_close(maps[b, c], loop, atol=1e-4, rtol=0)
        torch.testing.assert_close(maps.sum(1), cross_correlate(z, x), atol=1e-4, rtol=0)
        torch.testing.assert_close(
            cross_correlate_depthwise(z[:1], x)[2], cross_correlate_depthwise(z[:1], x[2:])[0]
        )

    def test_the_gradients_of_depthwise_are_those_of_finite_differences(self, pair):
        z, x = (t[:2, :2].double().requires_grad_() for t in pair)
        assert torch.autograd.gradcheck(cross_correlate_depthwise, (z, x))
        # one exemplar for all: its gradients add up
        assert torch.autograd.gradcheck(cross_correlate_depthwise, (z[:1], x))

    def test_up_channel_is_a_loop_over_kernels(self, pair):
        _, x = pair
        kernels = torch.randn(3, 6, 5, 4, 4, generator=torch.Generator().manual_seed(1))
        maps = cross_correlate_channels(kernels, x)
        for b in range(3):
            for n in range(6):
                torch.testing.assert_close(
                    maps[b, n],
                    F.conv2d(x[b : b + 1], kernels[b, n : n + 1])[0, 0],
                    atol=1e-4,
                    rtol=0,
                )
        one = cross_correlate_channels(kernels[:1], x)
        torch.testing.assert_close(one[1], F.conv2d(x[1:2], kernels[0])[0], atol=1e-4, rtol=0)

    def test_global_convolution_sees_the_whole_square_and_keeps_the_size(self):
        layer = GlobalConvolution(5, 2, 3, 4)
        x = torch.zeros(1, 2, 11, 11, requires_grad=True)
        out = layer(x)
        assert out.shape == (1, 4, 11, 11)
        out[0, :, 5, 5].sum().backward()
        seen = x.grad[0].abs().sum(0) > 0
        assert seen[3:8, 3:8].all() and seen.sum() == 25
        x = torch.randn(1, 2, 7, 7)
        for off, on in (
            (layer.left, layer.right),
            (layer.right, layer.left),
        ):  # either branch alone
            template = [p.detach().clone() for p in off.parameters()]
            for p in off.parameters():
                p.data.zero_()
            torch.testing.assert_close(layer(x), on(x))
            for p, value in zip(off.parameters(), template, strict=True):
                p.data.copy_(value)
        assert count(layer) == 2 * 5 * 3 * (2 + 4) + 2 * (3 + 4)  # and biases
        with pytest.raises(SettingsError, match="odd"):
            GlobalConvolution(4, 2, 3, 4)

    def test_broadcast_puts_the_vector_everywhere(self):
        vector, x = torch.randn(2, 3, 1, 1), torch.zeros(2, 4, 5, 6)
        assert (broadcast_over(vector, x) == vector).all() and broadcast_over(vector, x).shape == (
            2,
            3,
            5,
            6,
        )

    def test_aggregate_and_centre(self):
        answers = [torch.ones(2), 2 * torch.ones(2)]
        assert torch.allclose(
            aggregate(answers, torch.tensor([0.0, np.log(3)]).float()), torch.tensor([1.75, 1.75])
        )
        x = torch.arange(225.0).reshape(1, 1, 15, 15)
        assert (
            central_cells(x, 7)[0, 0, 3, 3] == x[0, 0, 7, 7] and central_cells(x, 7).shape[-1] == 7
        )


def test_proposals_have_the_order_of_the_anchors():
    """Shape first, then row, then column, in maps and anchors alike."""
    k, rows, columns = 2, 3, 4
    number = torch.arange(k * rows * columns).reshape(k, 1, rows, columns).float()
    classes = (number + torch.tensor([0.0, 0.25]).reshape(1, 2, 1, 1)).reshape(
        1, 2 * k, rows, columns
    )
    offsets = (number + torch.tensor([0.0, 0.2, 0.4, 0.6]).reshape(1, 4, 1, 1)).reshape(
        1, 4 * k, rows, columns
    )
    out = as_proposals(classes, offsets)
    expected = torch.arange(k * rows * columns).float()
    torch.testing.assert_close(out.logits[0], expected[:, None] + torch.tensor([0.0, 0.25]))
    torch.testing.assert_close(
        out.offsets[0], expected[:, None] + torch.tensor([0.0, 0.2, 0.4, 0.6])
    )


@pytest.fixture(params=[*HEADS, "siamrpn++"])
def small(request):
    """A small version of each network, in eval mode, with non-trivial batch norms."""
    torch.manual_seed(0)
    network = (
        SiamRPNpp("alexnet", 8, widths=SMALL, groups=2)
        if request.param == "siamrpn++"
        else SiamRPN(request.param, 8, widths=SMALL, groups=2)
    )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.bias, 0, 0.2)
    if network.guided:
        nn.init.normal_(network.backbone.guide.weight, 0, 0.1)
    return network.eval()


def images(network, batch=2):
    rng = torch.Generator().manual_seed(1)
    channels = 4 if network.guided else 3
    make = lambda size: torch.rand(batch, channels, size, size, generator=rng) * 255  # noqa: E731
    return make(127), make(255)


@torch.no_grad()
def test_every_small_network_answers_for_every_anchor(small):
    out = small(*images(small))
    A = 5 * small.cells(255) ** 2
    assert (
        out.logits.shape == (2, A, 2)
        and out.offsets.shape == (2, A, 4)
        and len(small.anchors(255)) == A
    )


@torch.no_grad()
def test_stored_template_features_equal_those_of_the_pair(small):
    z, x = images(small)
    whole = small(z, x)
    template = small.template_features(z[:1], 255)
    alone = small.propose(template, x)  # one exemplar for two search images
    torch.testing.assert_close(alone.logits[0], whole.logits[0], atol=1e-4, rtol=1e-4)
    assert alone.logits.shape == whole.logits.shape


@torch.no_grad()
def test_folding_changes_nothing_but_the_number_of_layers(small):
    z, x = images(small)
    before = small(z, x)
    after = fold_all(small)(z, x)
    for a, b in zip(before[:2], after[:2], strict=True):
        torch.testing.assert_close(a, b, atol=1e-3 * float(a.std()), rtol=1e-4)


@torch.no_grad()
def test_folding_a_guided_backbone_folds_the_guide_too():
    torch.manual_seed(0)
    backbone = AlexNet(widths=SMALL, groups=1, last_norm=True, guided=True).eval()
    backbone.bn1.running_var.uniform_(0.5, 2)
    nn.init.normal_(backbone.guide.weight)
    image = torch.rand(1, 4, 127, 127) * 9
    torch.testing.assert_close(backbone.folded()(image), backbone(image), atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_an_untrained_guide_changes_nothing():
    torch.manual_seed(0)
    network = SiamRPN("concat", 8, widths=SMALL, groups=2).eval()
    z, x = images(network)
    other = torch.cat([x[:, :3], 1 - x[:, 3:]], 1)
    assert torch.equal(network(z, x).logits, network(z, other).logits)


@torch.no_grad()
def test_a_head_that_is_guided_works_without_a_mask():
    """With the same weights: an untrained guide changes nothing, so without one it proposes the
    same."""
    torch.manual_seed(0)
    guided = SiamRPN("concat", 8, widths=SMALL, groups=2).eval()
    plain = SiamRPN("concat", 8, mask=False, widths=SMALL, groups=2).eval()
    assert not plain.guided and build(plain.about).guided is False
    weights = guided.state_dict()
    assert set(weights) - set(plain.state_dict()) == {"backbone.guide.weight"}
    plain.load_state_dict({name: weights[name] for name in plain.state_dict()})
    z, x = images(guided)
    torch.testing.assert_close(plain(z[:, :3], x[:, :3]).logits, guided(z, x).logits)


@torch.no_grad()
def test_siamrpn_begins_as_siamfc():
    """Before any training the score of every shape is highest where the exemplar was cut out."""
    torch.manual_seed(0)
    # in training mode: batch norm has no statistics yet
    network = SiamRPN("upchannel", 32, widths=(16, 32, 32, 32, 32), groups=2)
    search = F.interpolate(torch.rand(1, 3, 40, 40) * 255, size=(255, 255), mode="bicubic")
    exemplar = search[
        :, :, 64 + 16 : 191 + 16, 64 - 24 : 191 - 24
    ]  # two cells down, three to the left
    logits = network(exemplar, search).logits[0]
    scores = (logits[:, 1] - logits[:, 0]).reshape(5, 17, 17)
    for k in range(5):
        assert divmod(int(scores[k].argmax()), 17) == (10, 5)


@torch.no_grad()
def test_scores_and_offsets_of_siamrpnpp_have_separate_weights():
    torch.manual_seed(0)
    network = SiamRPNpp("alexnet", 8, widths=SMALL, groups=2).eval()
    z, x = images(network)
    before = network(z, x)
    network.class_weights.copy_(torch.tensor([3.0, 0.0, 0.0]))
    after = network(z, x)
    assert torch.equal(after.offsets, before.offsets) and not torch.allclose(
        after.logits, before.logits
    )
    network.box_weights.copy_(torch.tensor([0.0, 0.0, 3.0]))
    last = network(z, x)
    assert torch.equal(last.logits, after.logits) and not torch.allclose(
        last.offsets, after.offsets
    )


def test_masks_cover_the_pixels_whose_centre_is_inside():
    masks = box_masks(
        torch.tensor([[1.0, 2.0, 3.0, 1.0], [-4.0, -4.0, 3.0, 3.0], [0.6, 0.4, 1.0, 1.0]]), 6
    )
    assert masks.shape == (3, 1, 6, 6) and masks[0].sum() == 3 and masks[0, 0, 2, 1:4].all()
    assert masks[1].sum() == 0 and masks[2, 0, 0, 1] == 1 and masks[2].sum() == 1


def test_frozen_convolutions_keep_weights_and_statistics():
    torch.manual_seed(0)
    network = SiamRPN("depthwise", 8, widths=SMALL, groups=2)
    network.backbone.freeze(3)
    network.train()
    before = {n: t.clone() for n, t in network.backbone.state_dict().items()}
    out = network(*images(network))
    (out.logits.sum() + out.offsets.sum()).backward()
    for name, p in network.backbone.named_parameters():
        assert (p.grad is None) == (name[-1] != "x" and name.split(".")[0][-1] in "123"), name
    for name, value in network.backbone.state_dict().items():
        same = torch.equal(value, before[name])
        assert same == (("running" not in name and "batches" not in name) or name[2] in "123"), name


class TestResNet50:
    """ResNet-50, truncated and dilated."""

    @pytest.mark.parametrize("network", ["siamrpn++", "siamconcatrpn", "siambroadcastrpn"])
    def test_training_starts_from_torchvisions_weights(self, network, tmp_path):
        from torchvision.models import resnet50

        torch.manual_seed(0)
        theirs = resnet50(weights=None).state_dict()
        torch.save(theirs, tmp_path / "resnet50.pth")
        own = {"backbone": "resnet50"} if network == "siamrpn++" else {}
        settings = TrainSettings(
            network=network, search=255, start_from=str(tmp_path / "resnet50.pth"), **own
        )
        made = first_network(settings)
        backbones = [m for m in made.children() if isinstance(m, ResNet50)]
        assert len(backbones) == (2 if network == "siambroadcastrpn" else 1)
        for backbone in backbones:
            for name, value in backbone.state_dict().items():
                if not name.startswith("guide"):
                    part, _, rest = name.partition(".")
                    k = f"{int(rest[0]) + 1}" if part == "layers" else ""
                    given = theirs[f"layer{k}{rest[1:]}" if k else name]
                    if value.shape != given.shape:  # a shortcut of 3 × 3
                        assert network == "siamrpn++" and not value[:, :, 0].any()
                        value = value[:, :, 1:2, 1:2]
                    assert torch.equal(value, given), name

    def test_other_files_are_refused(self, tmp_path):
        torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "x.pth")
        with pytest.raises(
            DataError, match=r"x.pth is not torchvision's ResNet-50: it lacks conv1"
        ):
            ResNet50(2, (2,)).load_classifier(tmp_path / "x.pth")

    def test_a_mask_adds_to_conv1(self):
        torch.manual_seed(0)
        backbone = ResNet50(2, (2,), guided=True).eval()
        a = torch.cat([torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)], 1)
        b = a.clone()
        b[:, 3] = 1
        with torch.no_grad():
            assert not torch.allclose(backbone(a)[0], backbone(b)[0])


class TestWeights:
    """Every small network can be saved and loaded again."""

    @torch.no_grad()
    def test_saved_networks_come_back(self, small, tmp_path):
        save_weights(small, tmp_path / "w.safetensors", {"seed": 1})
        again = load_network(str(tmp_path / "w.safetensors"))
        assert again.about == small.about
        z, x = images(small)
        a, b = small(z, x).logits, again(z, x).logits
        assert float((a - b).abs().max()) < 0.05 * float(a.std()) + 1e-2

    def test_weights_of_another_network_are_refused(self, small, tmp_path):
        save_weights(small, tmp_path / "w.safetensors", {})
        with pytest.raises(DataError, match="not siamfc"):
            load_siamfc(str(tmp_path / "w.safetensors"))

    def test_a_card_of_an_unknown_network_is_named(self, small, tmp_path):
        save_weights(small, tmp_path / "w.safetensors", {"network": "siamwhat"})
        with pytest.raises(DataError, match="there is no network 'siamwhat'"):
            load_network(str(tmp_path / "w.safetensors"))
