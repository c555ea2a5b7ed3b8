"""Weights on disk: saving and loading, public layouts, and files that are refused."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch

from course_lib.errors import DataError, MissingDataError
from course_lib.models.alexnet import AlexNet
from course_lib.models.concat_broadcast import SiamBroadcastRPN
from course_lib.models.siamfc import SiamFC
from course_lib.models.weights import (
    find_weights,
    load_network,
    load_siamfc,
    read_card,
    save_weights,
)
from course_lib.models.weights_public import load_public_siamfc

SMALL = (8, 16, 16, 16, 8)


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = SiamFC(widths=SMALL)
    made.bias.data.fill_(-1.5)
    made.backbone.bn1.running_var.fill_(1e6)  # beyond half precision
    return made.eval()


def images(size: int) -> torch.Tensor:
    """Two noisy images."""
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(size)) * 255


def test_saved_weights_come_back(tmp_path, network):
    path = tmp_path / "w.safetensors"
    save_weights(network, path, {"seed": 3})
    again = load_siamfc(str(path))
    assert not again.training and float(again.backbone.bn1.running_var[0]) == 1e6
    assert read_card(path)["seed"] == 3 and tuple(read_card(path)["widths"]) == SMALL
    with torch.no_grad():
        a, b = network(images(127), images(255)), again(images(127), images(255))
    assert float((a - b).abs().max()) < 2e-2 * float(a.std()) + 1e-3
    assert not list(tmp_path.glob(".*.part"))


def test_a_shared_backbone_is_saved_once_and_comes_back(tmp_path):
    torch.manual_seed(0)
    kept, path = SiamBroadcastRPN(shared=True).eval(), tmp_path / "w.safetensors"
    save_weights(kept, path, {})
    again = load_network(str(path))
    assert read_card(path)["shared"] and again.backbone_z is None
    with torch.no_grad():
        a, b = (n(images(127), images(255)).logits for n in (kept, again))
    assert float((a - b).abs().max()) < 2e-2 * float(a.std())


def test_shipped_weights_are_small_and_have_cards(project):
    for path in (project / "weights").glob("*.safetensors"):
        assert path.stat().st_size < 6_000_000
        card = read_card(path)
        if "published" in card:  # by others, see test_cards.py
            continue
        for key in (
            "trained_on",
            "pairs",
            "steps",
            "seed",
            "hardware",
            "commit",
            "validation",
            "recipe",
        ):
            assert key in card, f"{path.name} lacks {key}"


def public(network: SiamFC) -> dict[str, torch.Tensor]:
    """A network's tensors in the layout of public PyTorch files."""
    out = {}
    for name, tensor in network.backbone.state_dict().items():
        module, rest = name.split(".", 1)
        k = module[-1]
        last = module == "conv5"
        out[
            f"backbone.conv{k}.{rest}"
            if last
            else f"backbone.conv{k}.{int(module.startswith('bn'))}.{rest}"
        ] = tensor
    return out


def with_epsilon(network: SiamFC, epsilon: float, variance: float) -> SiamFC:
    """The network with batch norms as siamfc-pytorch makes them (its ε is 1e-6), of small
    variances."""
    for norm in (m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.eps = epsilon
        norm.running_var.fill_(variance)
        norm.running_mean.uniform_(-variance, variance)
    return network


@pytest.mark.parametrize("variance", [1e-7, 1e-5, 1e-3, 1.0])
def test_public_batch_norms_divide_by_their_own_epsilon(tmp_path, variance):
    """sqrt(variance + 1e-6), not + 1e-5: with a variance of 1e-5 the difference is a third."""
    torch.manual_seed(1)
    network = with_epsilon(SiamFC().eval(), 1e-6, variance)
    torch.save(public(network), tmp_path / "public.pth")
    again = load_public_siamfc(tmp_path / "public.pth")
    save_weights(again, tmp_path / "kept.safetensors", {})
    gain = [float(1 / np.sqrt(variance + e)) for e in (1e-6, 1e-5)]
    assert gain[0] > gain[1]
    with torch.no_grad():
        x, right = images(127), network.features(images(127))
        torch.testing.assert_close(
            again.features(x), right, rtol=1e-3, atol=1e-4 * right.abs().max()
        )
        kept = load_siamfc(str(tmp_path / "kept.safetensors")).features(x)
    # stored in half precision, so less exact; with PyTorch's ε the features would be far off
    assert (kept - right).abs().max() < 0.1 * right.abs().max()
    assert again.backbone.bn1.eps == 1e-5


@pytest.mark.parametrize("prefix", ["backbone", "feature"])
def test_public_torch_layout(tmp_path, prefix):
    torch.manual_seed(1)
    network = with_epsilon(SiamFC().eval(), 1e-6, 0.5)
    renamed = {name.replace("backbone", prefix): t for name, t in public(network).items()}
    torch.save(renamed, tmp_path / "public.pth")
    again = load_public_siamfc(tmp_path / "public.pth")
    with torch.no_grad():
        torch.testing.assert_close(again.features(images(127)), network.features(images(127)))


def test_public_arrays_with_folded_batch_norm(tmp_path):
    torch.manual_seed(2)
    network = AlexNet().eval()
    network.bn2.running_mean.uniform_(-1, 1)
    folded = network.folded()
    np.savez(tmp_path / "public.npz", **{n: t.numpy() for n, t in folded.state_dict().items()})
    again = load_public_siamfc(tmp_path / "public.npz")
    with torch.no_grad():
        torch.testing.assert_close(
            again.features(images(127)), network(images(127)), atol=1e-2, rtol=1e-3
        )
    assert load_siamfc(str(tmp_path / "public.npz")).stride == 8


class TestRefused:
    """Files that do not fit, and their messages."""

    def test_unknown_names(self):
        with pytest.raises(MissingDataError, match=r"no weights 'nothing'.*shipped are"):
            find_weights("nothing")

    def test_no_card(self, tmp_path, network):
        save_weights(network, tmp_path / "w.safetensors", {})
        (tmp_path / "w.json").unlink()
        with pytest.raises(MissingDataError, match="have no card"):
            load_siamfc(str(tmp_path / "w.safetensors"))

    def test_a_card_of_another_network(self, tmp_path, network):
        save_weights(network, tmp_path / "w.safetensors", {})
        card = json.loads((tmp_path / "w.json").read_text())
        (tmp_path / "w.json").write_text(json.dumps(card | {"widths": [4, 8, 8, 8, 4]}))
        with pytest.raises(DataError, match="does not fit this network"):
            load_siamfc(str(tmp_path / "w.safetensors"))

    def test_a_damaged_file(self, tmp_path, network):
        path = tmp_path / "w.safetensors"
        save_weights(network, path, {})
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(DataError, match="cannot be read"):
            load_siamfc(str(path))

    def test_arrays_with_a_missing_layer(self, tmp_path):
        arrays = {
            n: t.numpy() for n, t in AlexNet().folded().state_dict().items() if "conv3" not in n
        }
        np.savez(tmp_path / "public.npz", **arrays)
        with pytest.raises(DataError, match=r"missing \['conv3.weight', 'conv3.bias'\]"):
            load_public_siamfc(tmp_path / "public.npz")

    @pytest.mark.parametrize("size", [0, 10, 1000, -30])
    def test_arrays_that_are_cut_short(self, tmp_path, size):
        path = tmp_path / "public.npz"
        tensors = AlexNet().folded().state_dict()
        np.savez(path, **{n: t.numpy() for n, t in tensors.items()})
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(DataError, match=r"public\.npz is not an \.npz of plain arrays"):
            load_public_siamfc(path)

    def test_names_without_tensors(self, tmp_path):
        torch.save({"backbone.conv1.0.weight": 3}, tmp_path / "public.pth")
        with pytest.raises(DataError, match=r"conv1\.0\.weight is a int; expected a tensor"):
            load_public_siamfc(tmp_path / "public.pth")

    def test_code_in_a_pickle_is_not_run(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (print, ("the trap was sprung",))

        (tmp_path / "evil.pth").write_bytes(pickle.dumps(Trap()))
        with pytest.raises(DataError, match="not opened"):
            load_public_siamfc(tmp_path / "evil.pth")
