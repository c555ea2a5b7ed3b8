"""One-stream networks: their sizes, what they compare, what they keep, published tensors."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from public_names import ostrack
from stream_files import images, small
from torch import Tensor, nn

from course_lib.errors import DataError, SettingsError
from course_lib.models.networks import build, network_class
from course_lib.models.onestream import SIZES, OneStream, from_public, sized
from course_lib.models.runtime_stream import StreamRuntime
from course_lib.models.stems import DEVIATION, MEAN, denormalised, map_of, normalised, tokens_of
from course_lib.models.weights import load_network, save_weights

CLOSE = {"atol": 1e-5, "rtol": 0}


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture
def without_gradients():
    with torch.no_grad():
        yield


class TestSizes:
    """The published counts, and those of the teaching versions, as the fact sheets give them."""

    def test_vittrack(self):
        network = sized("d48")
        places = network.place_z.numel() + network.place_x.numel()
        parts = [count(network.backbone), places, count(network.blocks), count(network.head)]
        assert parts == [13_950, 15_360, 84_816, 60_181]
        # the norm after the last block is the encoder's own, 2 · 48
        assert sum(parts) + count(network.norm) == count(network) == 174_403

    def test_ostrack(self):
        with torch.device("meta"):
            network = sized("vit-b", "patches")
        assert count(network.head) == 6_474_117
        assert count(network) - count(network.head) == 85_892_352
        assert count(network) == 92_366_469

    @pytest.mark.parametrize(
        ("size", "backbone", "millions"),
        [("d128", "convstem", 0.963), ("d192", "convstem", 3.38), ("d192", "patches", 3.27)],
    )
    def test_the_teaching_versions(self, size, backbone, millions):
        assert count(sized(size, backbone)) == pytest.approx(1e6 * millions, rel=0.01)

    @pytest.mark.parametrize("size", SIZES)
    def test_the_conv_stem_halves_the_image_four_times(self, size):
        with torch.device("meta"):
            stem = sized(size).backbone
            shapes = []
            for layer in stem.layers:
                if isinstance(layer, nn.Conv2d):
                    layer.register_forward_hook(lambda *a: shapes.append(tuple(a[2].shape[1:])))
            stem(torch.zeros(1, 3, 256, 256))
        dim = SIZES[size].dim
        assert shapes == [
            (dim // 8, 128, 128),
            (dim // 4, 64, 64),
            (dim // 2, 32, 32),
            (dim, 16, 16),
        ]

    @pytest.mark.parametrize("backbone", ["convstem", "patches", "lite0"])
    def test_maps_and_tokens(self, backbone):
        network = sized("d48", backbone).eval()
        z, x = images(2)
        with torch.no_grad():
            assert network.template(z).tokens.shape == (2, 64, 48)
            assert network.tokens(x, network.place_x).shape == (2, 256, 48)
            maps = network(z, x)
        assert [m.shape for m in maps] == [(2, 1, 16, 16), (2, 2, 16, 16), (2, 2, 16, 16)]
        assert maps.boxes().shape == (2, 16, 16, 4) and maps.best().shape == (2, 4)

    def test_a_new_network_expects_a_target_in_a_hundredth_of_the_cells(self):
        torch.manual_seed(0)
        with torch.no_grad():
            score = sized("d48").eval()(*images()).score
        assert float(score.mean()) == pytest.approx(0.01, rel=0.2)


class TestTokens:
    def test_row_by_row_and_back(self):
        features = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
        tokens = tokens_of(features)
        assert tokens.shape == (2, 16, 3)
        for row, column in ((0, 1), (2, 3)):
            assert torch.equal(tokens[1, 4 * row + column], features[1, :, row, column])
        assert torch.equal(map_of(tokens), features)

    def test_images_as_imagenet_has_them(self):
        mean, deviation = torch.tensor(MEAN), torch.tensor(DEVIATION)
        image = (255 * torch.stack([mean, mean + deviation, 0 * mean]))[:, :, None, None]
        wanted = torch.stack([0 * mean, 0 * mean + 1, -mean / deviation])[:, :, None, None]
        torch.testing.assert_close(normalised(image), wanted, **CLOSE)
        torch.testing.assert_close(denormalised(wanted), image, atol=1e-3, rtol=0)

    def test_a_patch_is_16_pixels_times_one_matrix(self):
        backbone = small().backbone
        _, x = images()
        with torch.no_grad():
            tokens = tokens_of(backbone(x))
        patch = normalised(x)[0, :, 32:48, 80:96]  # row 2, column 5
        wanted = backbone.proj.weight.flatten(1) @ patch.flatten() + backbone.proj.bias
        torch.testing.assert_close(tokens[0, 2 * 16 + 5], wanted, atol=1e-4, rtol=0)

    def test_the_codes_of_the_two_images_are_their_own(self):
        network, (z, x) = small(), images()
        with torch.no_grad():
            without = tokens_of(network.embed(network.map(x)))
            torch.testing.assert_close(
                network.tokens(x, network.place_x), without + network.place_x, **CLOSE
            )
            without = tokens_of(network.embed(network.map(z)))
            torch.testing.assert_close(network.template(z).tokens, without + network.place_z)
        assert network.place_z.shape == (1, 64, 24) and network.place_x.shape == (1, 256, 24)


@pytest.mark.usefixtures("without_gradients")
class TestWhatItCompares:
    def shuffled(self, x: Tensor, order: Tensor) -> Tensor:
        """The image with its patches in another order."""
        patches = F.unfold(x, 16, stride=16)  # (B, 768, 256)
        return F.fold(patches[:, :, order], 256, 16, stride=16)

    def test_without_position_codes_the_patches_are_a_set(self):
        order = torch.randperm(256, generator=torch.Generator().manual_seed(3))
        z, x = images()
        for positions in (False, True):
            network = small(positions=positions)
            if not positions:
                network.place_z.zero_(), network.place_x.zero_()
            template = network.template(z)
            one, _ = network.stream(template, network.tokens(x, network.place_x))
            two, _ = network.stream(
                template, network.tokens(self.shuffled(x, order), network.place_x)
            )
            apart = float((one[:, order] - two).abs().max())
            assert apart < 1e-4 if not positions else apart > 0.1

    def test_without_codes_there_is_nothing_to_train_in_them(self):
        torch.manual_seed(0)
        network = OneStream("patches", 24, 2, 3, 2, 16, positions=False)
        assert not network.place_z.any() and not network.place_x.any()
        assert not network.place_z.requires_grad and not network.place_x.requires_grad
        trained = OneStream("patches", 24, 2, 3, 2, 16)
        assert trained.place_z.any() and trained.place_x.requires_grad

    @pytest.mark.parametrize(
        ("more", "depends"),
        [
            ({}, True),
            ({"asymmetric": True}, True),
            ({"eliminate": (2,)}, True),
            ({"joint": False}, False),
        ],
    )
    def test_whether_the_maps_depend_on_the_template(self, more, depends):
        network, (z, x) = small(**more), images(2)
        first, second = network(z[:1], x[:1]), network(z[1:], x[:1])
        assert (float((first.score - second.score).abs().max()) > 1e-4) == depends
        third = network(z[:1], x[1:])  # and on the search image they always do
        assert float((first.score - third.score).abs().max()) > 1e-4


@pytest.mark.usefixtures("without_gradients")
class TestWhatItKeeps:
    def test_a_kept_template_gives_the_same_maps(self):
        z, x = images(3)
        for more in ({}, {"asymmetric": True}, {"eliminate": (1, 3)}):
            network = small(**more)
            template = network.template(z[:1])
            assert len(template.kept) == (3 if "asymmetric" in more else 0)
            for k in range(3):
                once = network.search(template, x[k : k + 1])
                anew = network(z[:1], x[k : k + 1])
                for a, b in zip(once, anew, strict=True):
                    torch.testing.assert_close(a, b, **CLOSE)

    def test_one_template_serves_many_search_images(self):
        z, x = images(3)
        for more in ({}, {"asymmetric": True}, {"asymmetric": True, "eliminate": (2,)}):
            network = small(**more)
            template = network.template(z[:1])
            many = network.search(template, x)
            for k in range(3):
                alone = network.search(template, x[k : k + 1])
                torch.testing.assert_close(many.score[k : k + 1], alone.score, **CLOSE)

    def test_the_kept_attention_is_the_full_one_under_a_mask(self):
        """All blocks: a mask hides the search image from the template, nothing is kept."""
        network, (z, x) = small(asymmetric=True), images()
        kept, _ = network.stream(network.template(z), network.tokens(x, network.place_x))
        both = torch.cat(
            [network.tokens(z, network.place_z), network.tokens(x, network.place_x)], 1
        )
        mask = torch.ones(320, 320, dtype=torch.bool)
        mask[:64, 64:] = False
        for block in network.blocks:
            q, k, v = block.attn.queries_keys_values(block.norm1(both))
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            both = block.think(both + block.attn.proj(mixed.transpose(1, 2).flatten(2)))
        torch.testing.assert_close(kept, network.norm(both[:, 64:]), atol=1e-4, rtol=0)
        joint = small()  # the same weights without the mask
        other, _ = joint.stream(joint.template(z), joint.tokens(x, joint.place_x))
        assert float((other - kept).abs().max()) > 0.1

    def test_two_templates_side_by_side(self):
        network, (z, x) = small(asymmetric=True), images(2)
        one = network.template(z[:1]).tokens
        both = torch.cat([one, network.template(z[1:]).tokens], 1)
        template = network.prepared(both)
        assert template.kept[0][0].shape == (1, 3, 128, 8)
        assert network.search(template, x[:1]).score.shape == (1, 1, 16, 16)


@pytest.mark.usefixtures("without_gradients")
class TestRemoval:
    def test_256_180_126_89(self):
        """OSTrack removes in blocks 4, 7 and 10 of 12."""
        torch.manual_seed(0)
        network = OneStream("patches", 24, 12, 3, 2, 16, eliminate=(4, 7, 10)).eval()
        z, x = images()
        watch: list[dict[str, Tensor]] = []
        tokens, places = network.stream(
            network.template(z), network.tokens(x, network.place_x), watch
        )
        seen = [row["places"].shape[1] for row in watch]
        assert seen == 4 * [256] + 3 * [180] + 3 * [126] + 2 * [89]
        assert [row["keys"].shape[2] for row in watch] == [64 + n for n in seen]
        assert places.shape == (1, 89) and tokens.shape == (1, 256, 24)
        for before, after in pairwise(watch):
            assert set(after["places"][0].tolist()) <= set(before["places"][0].tolist())

    def test_zeros_where_tokens_were_removed(self):
        network, (z, x) = small(eliminate=(2,)), images(2)
        torch.nn.init.normal_(network.norm.bias)  # what the norm makes of zeros
        seen = []
        network.head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        network(z, x)
        tokens, places = network.stream(network.template(z), network.tokens(x, network.place_x))
        assert torch.equal(seen[0], map_of(tokens))  # the head meets them so
        for k in range(2):
            zero = (tokens[k] == 0).all(-1)
            assert set(torch.nonzero(~zero)[:, 0].tolist()) == set(places[k].tolist())
        assert places.tolist()[0] != places.tolist()[1]

    def test_equal_boxes_when_nothing_is_removed(self):
        z, x = images(2)
        for asymmetric in (False, True):
            plain = small(asymmetric=asymmetric)(z, x)
            all_stay = small(asymmetric=asymmetric, eliminate=(1, 2, 3), keep=1.0)(z, x)
            torch.testing.assert_close(all_stay.boxes(), plain.boxes(), **CLOSE)
            torch.testing.assert_close(all_stay.score, plain.score, **CLOSE)
            some_go = small(asymmetric=asymmetric, eliminate=(1,))(z, x)
            assert float((some_go.score - plain.score).abs().max()) > 1e-4

    def test_those_that_stay_are_the_ones_the_central_token_attends_to(self):
        network, (z, x) = small(eliminate=(1,), keep=0.25), images()
        watch: list[dict[str, Tensor]] = []
        _, places = network.stream(network.template(z), network.tokens(x, network.place_x), watch)
        q, k = watch[0]["queries"][0, :, 27], watch[0]["keys"][0]  # (H, d), (H, 320, d)
        share = (q[:, None] * k).sum(-1) / math.sqrt(8)  # (H, 320)
        share = share.softmax(-1).mean(0)[64:]
        assert places[0].tolist() == sorted(share.argsort(descending=True)[:64].tolist())


class TestCards:
    def test_is_saved_loaded_and_described(self, tmp_path):
        network = small("convstem", asymmetric=True, eliminate=(2,), keep=0.5)
        path = tmp_path / "a.safetensors"
        save_weights(network, path, {"name": "a"})
        again = load_network(str(path))
        assert type(again) is OneStream and again.about == network.about
        z, x = images()
        with torch.no_grad():
            torch.testing.assert_close(again(z, x).score, network(z, x).score, atol=2e-2, rtol=0)

    @pytest.mark.parametrize("backbone", ["convstem", "patches", "lite0"])
    def test_is_rebuilt_from_its_about(self, backbone):
        network = OneStream(backbone, 24, 2, 3, 2, 16, positions=False)
        again = build(json.loads(json.dumps(network.about)))
        shapes = [{n: t.shape for n, t in m.state_dict().items()} for m in (network, again)]
        assert shapes[0] == shapes[1] and again.about == network.about
        assert network_class("onestream") is OneStream

    def test_weights_of_another_kind_are_refused(self):
        with pytest.raises(
            DataError, match=r"'siamrpn' are of network siamrpn.*weights of a onestr"
        ):
            StreamRuntime.load("siamrpn", "cpu", "fp32")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"eliminate": (1,), "joint": False}, r"eliminate is \(1,\), but joint is false.*expected"),
        ({"backbone": "alexnet"}, "backbone is alexnet; .*convstem, patches or lite0"),
        ({"backbone": "ciresnet22"}, "backbone is ciresnet22; .*stride 8 or 16 that is padded"),
        ({"backbone": "vit"}, "vit"),
    ],
)
def test_what_cannot_be_built_is_refused_in_words(arguments, words):
    with pytest.raises(SettingsError, match=words):
        OneStream(**arguments)


def test_gradients_reach_every_weight():
    torch.manual_seed(0)
    for more in ({}, {"asymmetric": True}, {"eliminate": (1,)}):
        network = OneStream("convstem", 24, 2, 3, 2, 16, **more).train()
        z, x = images(2)
        maps = network(z, x)
        sum((m - 0.3).square().sum() for m in maps).backward()
        still = [n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()]
        # the last block's template tokens are not read; their places reach the head all the same
        assert still == []


class TestPublic:
    """Published OSTracks: under our names their tensors give what they give under their own."""

    def by_hand(self, t: dict, z: Tensor, x: Tensor, heads: int) -> tuple[Tensor, ...]:
        """OSTrack's forward pass from its own tensors: score, size, offset."""
        layers = len({n.split(".")[2] for n in t if n.startswith("backbone.blocks.")})
        mean, deviation = (torch.tensor(v)[:, None, None] for v in (MEAN, DEVIATION))

        def tokens(image: Tensor, place: str) -> Tensor:
            image = (image / 255 - mean) / deviation
            name = "backbone.patch_embed.proj"
            patches = F.conv2d(image, t[f"{name}.weight"], t[f"{name}.bias"], stride=16)
            return patches.flatten(2).transpose(1, 2) + t[f"backbone.{place}"]

        def norm(name: str, s: Tensor) -> Tensor:
            return F.layer_norm(s, s.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"], 1e-6)

        def dense(name: str, s: Tensor) -> Tensor:
            return F.linear(s, t[f"{name}.weight"], t[f"{name}.bias"])

        s = torch.cat([tokens(z, "pos_embed_z"), tokens(x, "pos_embed_x")], 1)
        B, N, C = s.shape
        for k in range(layers):
            name = f"backbone.blocks.{k}"
            qkv = dense(f"{name}.attn.qkv", norm(f"{name}.norm1", s))
            q, key, v = qkv.reshape(B, N, 3, heads, C // heads).permute(2, 0, 3, 1, 4)
            share = (q @ key.transpose(-2, -1) * (C // heads) ** -0.5).softmax(-1)
            s = s + dense(f"{name}.attn.proj", (share @ v).transpose(1, 2).reshape(B, N, C))
            inside = F.gelu(dense(f"{name}.mlp.fc1", norm(f"{name}.norm2", s)))
            s = s + dense(f"{name}.mlp.fc2", inside)
        image = norm("backbone.norm", s)[:, -256:].transpose(1, 2).reshape(B, C, 16, 16)

        def branch(kind: str) -> Tensor:
            y = image
            for k in range(1, 5):
                name = f"box_head.conv{k}_{kind}"
                y = F.conv2d(y, t[f"{name}.0.weight"], t[f"{name}.0.bias"], padding=1)
                of = [t[f"{name}.1.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
                y = F.relu(F.batch_norm(y, *of))
            return F.conv2d(y, t[f"box_head.conv5_{kind}.weight"], t[f"box_head.conv5_{kind}.bias"])

        score, size = (branch(kind).sigmoid().clamp(1e-4, 1 - 1e-4) for kind in ("ctr", "size"))
        return score, size, branch("offset")

    @torch.no_grad()
    def test_the_transplanted_network_gives_what_the_published_gives(self):
        tensors = ostrack(24, 3, 16)
        network = OneStream("patches", 24, 3, 3, 4, 16)
        network.load_state_dict(from_public(tensors))
        z, x = images(2)
        found, wanted = network.eval()(z, x), self.by_hand(tensors, z, x, 3)
        for a, b in zip(found, wanted, strict=True):
            assert float(b.std()) > 1e-3
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)

    def test_all_names_and_shapes_of_vit_b(self):
        with torch.device("meta"):
            network = sized("vit-b", "patches")
        renamed = from_public(ostrack())
        ours = {name: t.shape for name, t in network.state_dict().items()}
        assert {name: t.shape for name, t in renamed.items()} == ours

    def test_what_has_no_counterpart_is_left_out(self):
        tensors = ostrack(24, 1, 16)
        more = {"box_head.indice": torch.zeros(3), "box_head.coord_x": torch.zeros(3)}
        more["box_head.conv1_tl.0.weight"] = torch.zeros(3)  # of another head
        assert from_public(tensors | more).keys() == from_public(tensors).keys()
        assert not any("cls" in name or "pos_embed" in name for name in from_public(tensors))
