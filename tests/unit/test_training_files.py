"""Files around a training run: foreign and damaged checkpoints, cards, weights in the way."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_training import TINY

from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.models.alexnet import AlexNet
from course_lib.models.siamfc import SiamFC
from course_lib.models.weights import load_network, packed, read_card, save_weights
from course_lib.training import trained_weights
from course_lib.training.checkpoint import load_checkpoint, save_checkpoint
from course_lib.training.loop import train
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources
from course_lib.training.trained_weights import train_to_weights

pytestmark = pytest.mark.slow

QUICK = replace(TINY, steps=2, batch=2, validation_pairs=2, validate_every=2)


@pytest.fixture
def finished(tmp_path) -> Path:
    """The folder of a finished run; weights and card in it."""
    train_to_weights(QUICK, tmp_path / "tiny", device="cpu")
    return tmp_path / "tiny"


class TestForeignCheckpoints:
    """Files named last.pt that do not belong to this run."""

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ({"state_dict": {}, "epoch": 3, "global_step": 7}, "it lacks curve"),
            (torch.nn.Linear(2, 2).state_dict(), "it lacks curve"),
            (torch.ones(3), "it lacks curve"),
            ([1, 2], "it lacks curve"),
            (torch.nn.Linear(2, 2), "cannot be read"),
        ],
        ids=["another program", "a state dict", "a tensor", "a list", "code"],
    )
    def test_of_another_program(self, content, words, tmp_path):
        torch.save(content, tmp_path / "last.pt")
        before = (tmp_path / "last.pt").read_bytes()
        with pytest.raises(DataError, match=words) as problem:
            train(QUICK, tmp_path, "cpu")
        assert "move last.pt away" in str(problem.value) and "\n" not in str(problem.value)
        assert (tmp_path / "last.pt").read_bytes() == before

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.99, 0.9999])
    def test_cut(self, share, tmp_path):
        train(QUICK, tmp_path, "cpu")
        whole = (tmp_path / "last.pt").read_bytes()
        (tmp_path / "last.pt").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match=r"last.pt \(\d+ bytes\) cannot be read"):
            train(QUICK, tmp_path, "cpu")

    def test_a_folder_in_its_place_is_found_before_training(self, tmp_path):
        (tmp_path / "last.pt").mkdir()
        with pytest.raises(DataError, match="is a folder"):
            train(QUICK, tmp_path, "cpu", [lambda p: pytest.fail("it trained")])

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            *[("step", -1), ("step", 3), ("step", 1.0), ("step", True), ("settings", 3)],
            *[("network", {}), ("network", 3), ("optimiser", {}), ("optimiser", None)],
            *[("curve", 3), ("curve", [1]), ("recent", ["a"]), ("validation", [3])],
            *[("random", 3), ("random", torch.ones(2)), ("seconds", {"data": "x"})],
        ],
    )
    def test_a_wrong_value_inside(self, key, value, tmp_path):
        train(QUICK, tmp_path, "cpu", stop_at=1)
        state = load_checkpoint(tmp_path / "last.pt")
        save_checkpoint(tmp_path / "last.pt", {**state, key: value})
        with pytest.raises(DataError, match="is not a checkpoint of this run") as problem:
            train(QUICK, tmp_path, "cpu")
        assert "\n" not in str(problem.value)

    def test_weights_that_are_not_finite(self, tmp_path):
        train(QUICK, tmp_path, "cpu", stop_at=1)
        state = load_checkpoint(tmp_path / "last.pt")
        state["network"]["backbone.conv1.weight"][0] = float("nan")
        save_checkpoint(tmp_path / "last.pt", state)
        with pytest.raises(DataError, match="its weights are not finite"):
            train(QUICK, tmp_path, "cpu")


class TestOtherData:
    """A run resumes on the data it began with, or says what has changed."""

    def go(self, tmp_path, monkeypatch, identity, used, stop=None):
        def marked(*arguments):
            sources = make_sources(*arguments)
            sources[0].identity, sources[0].used = identity, used
            return sources

        monkeypatch.setattr("course_lib.training.loop.make_sources", marked)
        return train(QUICK, tmp_path, "cpu", stop_at=stop)

    def test_the_change_is_named(self, tmp_path, monkeypatch):
        self.go(tmp_path, monkeypatch, "aa", ("generated", "photos:p"), 1)
        with pytest.raises(SettingsError) as problem:
            self.go(tmp_path, monkeypatch, "bb", ("generated",))
        assert "it was trained on generated, photos:p, the sources are now generated" in str(
            problem.value
        )
        with pytest.raises(SettingsError, match=r"files of generated, photos:p have been added"):
            self.go(tmp_path, monkeypatch, "bb", ("generated", "photos:p"))
        self.go(tmp_path, monkeypatch, "aa", ("generated", "photos:p"))

    def test_older_checkpoints_resume(self, tmp_path, monkeypatch):
        self.go(tmp_path, monkeypatch, "aa", ("generated",), 1)
        state = load_checkpoint(tmp_path / "last.pt")
        del state["data"], state["made"], state["seconds"]
        save_checkpoint(tmp_path / "last.pt", state)
        self.go(tmp_path, monkeypatch, "bb", ("generated",))

    def test_the_card_names_the_sources_that_were_used(self, tmp_path, monkeypatch):
        def marked(*arguments):
            sources = make_sources(*arguments)
            sources[0].identity, sources[0].used = "aa", ("generated",)
            return sources

        monkeypatch.setattr("course_lib.training.loop.make_sources", marked)
        settings = replace(QUICK, sources=("generated", "photos:none?"), probabilities=(1, 1))
        card = read_card(train_to_weights(settings, tmp_path, device="cpu"))
        assert card["trained_on"] == ["generated"] and card["data_identity"] == "aa"
        assert [origin["source"] for origin in card["data"]] == ["generated"]


class TestCards:
    """Weights and their card belong together, and either can be remade."""

    @pytest.mark.parametrize("lost", ["tiny.json", "tiny.safetensors"])
    def test_deleted_files_are_rewritten_without_training(self, lost, finished):
        whole = {name: (finished / name).read_bytes() for name in ("tiny.json", "tiny.safetensors")}
        (finished / lost).unlink()
        train_to_weights(QUICK, finished, [lambda p: pytest.fail("it trained")], device="cpu")
        assert {name: (finished / name).read_bytes() for name in whole} == whole
        assert read_card(finished / "tiny.safetensors")["validation"]["step"] == 2

    @pytest.mark.parametrize(
        "damage",
        [
            lambda text: text[: len(text) // 2],
            lambda text: "",
            lambda text: "[]",
            lambda text: "{}",
            lambda text: text.replace('"sha256": "', '"sha256": "0'),
            lambda text: "\ufeff" + text[:40],
        ],
    )
    def test_a_damaged_card_is_reported_and_rewritten(self, damage, finished):
        card, path = finished / "tiny.json", finished / "tiny.safetensors"
        whole = card.read_text()
        card.write_text(damage(whole))
        with pytest.raises(DataError, match=r"tiny\.json"):
            load_network(str(path))
        train_to_weights(QUICK, finished, device="cpu")
        assert card.read_text() == whole

    def test_a_card_with_a_byte_order_mark_is_read(self, finished):
        card = finished / "tiny.json"
        card.write_text("\ufeff" + card.read_text(), encoding="utf-8")
        load_network(str(finished / "tiny.safetensors"))

    def test_weights_under_the_card_of_others(self, finished):
        path = finished / "tiny.safetensors"
        network = load_network(str(path))
        with torch.no_grad():
            network.bias.add_(1)
        path.write_bytes(packed(network))
        with pytest.raises(DataError, match=r"is not the file that its card, tiny\.json, was"):
            load_network(str(path))

    def test_older_cards_without_a_checksum_stay_valid(self, finished):
        card = finished / "tiny.json"
        old = json.loads(card.read_text())
        del old["sha256"]
        card.write_text(json.dumps(old))
        load_network(str(finished / "tiny.safetensors"))
        train_to_weights(QUICK, finished, device="cpu")
        assert json.loads(card.read_text()) == old

    def test_weights_without_a_card_name_the_remedy(self, finished):
        (finished / "tiny.json").unlink()
        with pytest.raises(MissingDataError, match=r"have no card \(tiny.json\).*once more"):
            load_network(str(finished / "tiny.safetensors"))

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
    def test_cut_weights(self, share, finished):
        path = finished / "tiny.safetensors"
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(DataError, match=r"tiny.safetensors \(\d+ bytes\) cannot be read"):
            load_network(str(path))

    def test_weights_that_are_not_finite(self, tmp_path):
        network = SiamFC(widths=(4, 4, 4, 4, 4))
        network.bias.data.fill_(float("inf"))
        save_weights(network, tmp_path / "w.safetensors", {})
        with pytest.raises(DataError, match="not numbers, in bias"):
            load_network(str(tmp_path / "w.safetensors"))

    @pytest.mark.parametrize(
        "change",
        [
            {"widths": None},
            {"widths": ["a"] * 5},
            {"widths": [10**9] * 5},
            {"widths": [3] * 5},
            {"widths": []},
            {"stride": "x"},
            {"stride": 5},
            {"network": "siamwhat"},
            {"network": 3},
            {"backbone": "resnet18", "width_multiplier": 1.0},
            {"backbone": "ciresnet22", "width_multiplier": 0},
            {"backbone": "ciresnet22"},
        ],
    )
    def test_a_card_without_a_valid_network(self, change, tmp_path):
        save_weights(SiamFC(widths=(4, 4, 4, 4, 4)), tmp_path / "w.safetensors", {})
        card = json.loads((tmp_path / "w.json").read_text())
        (tmp_path / "w.json").write_text(json.dumps(card | change))
        with pytest.raises(DataError, match=r"w\.(json|safetensors)") as problem:
            load_network(str(tmp_path / "w.safetensors"))
        assert len(str(problem.value)) < 1000

    def test_a_run_in_two_parts_counts_the_seconds_of_both(self, tmp_path):
        train(QUICK, tmp_path, "cpu", stop_at=1)
        state = load_checkpoint(tmp_path / "last.pt")
        state["seconds"] = {"data": 1000.0, "jitter": 0.0, "network": 2000.0, "decode": 500.0}
        save_checkpoint(tmp_path / "last.pt", state)
        card = read_card(train_to_weights(QUICK, tmp_path, device="cpu"))
        assert 1000 <= card["seconds"]["data"] < 1100 and card["seconds"]["network"] >= 2000
        assert set(card["seconds"]) == {"data", "jitter", "network"}
        assert 500 <= card["seconds_within_data"]["decode"] < 600

    def test_where_it_was_trained_stays_true_when_the_card_is_made_elsewhere(
        self, finished, monkeypatch
    ):
        before = read_card(finished / "tiny.safetensors")
        (finished / "tiny.json").unlink()
        monkeypatch.setattr(trained_weights, "hardware", lambda device: "another machine")
        monkeypatch.setattr(trained_weights, "commit", lambda: "another commit")
        train_to_weights(QUICK, finished, device="cpu")
        assert read_card(finished / "tiny.safetensors") == before

    def test_a_run_that_starts_from_public_weights_gets_its_card(self, tmp_path):
        folded = AlexNet().folded().state_dict()
        torch.save(SiamFC().state_dict(), tmp_path / "x.pth")
        assert folded  # the layout is that of a public file, see test_weights
        renamed = {}
        for name, tensor in AlexNet().state_dict().items():
            module, rest = name.split(".", 1)
            part = "" if module == "conv5" else f".{int(module.startswith('bn'))}"
            renamed[f"backbone.conv{module[-1]}{part}.{rest}"] = tensor
        torch.save(renamed, tmp_path / "public.pth")
        settings = replace(
            QUICK, steps=1, widths=TrainSettings().widths, start_from=str(tmp_path / "public.pth")
        )
        card = read_card(train_to_weights(settings, tmp_path / "run", device="cpu"))
        assert card["started_from"] == {"file": "public.pth"}


class TestExistingFiles:
    """Weights are overwritten only by the recipe that made them."""

    @pytest.fixture
    def busy(self, tmp_path, project) -> Path:
        (tmp_path / "notes.txt").write_text("mine")
        (tmp_path / "no_card.safetensors").write_text("mine")
        (tmp_path / "no_weights.json").write_text("{}")
        (tmp_path / "folder.safetensors").mkdir()
        (tmp_path / "file").write_text("mine")
        for kind in ("safetensors", "json"):
            shutil.copy(project / "weights" / f"siamfc.{kind}", tmp_path / f"public.{kind}")
        return tmp_path

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("notes.txt", "expected a name ending in .safetensors"),
            ("no_card.safetensors", "no card beside it says how it was made"),
            ("no_weights.safetensors", "no_weights.json already exists, and no card"),
            ("folder.safetensors", "which is a folder"),
            ("public.safetensors", r"made by another recipe \(name siamfc instead of tiny"),
            ("file/w.safetensors", "no file can be written to .*file"),
            (".", "expected a name ending in .safetensors"),
        ],
    )
    def test_foreign_files_are_kept_and_named_before_training(self, name, words, busy):
        def content() -> dict[Path, bytes]:
            return {p: p.read_bytes() for p in busy.rglob("*") if p.is_file()}

        before = content()
        with pytest.raises(SettingsError, match=words):
            train_to_weights(
                QUICK,
                busy / "run",
                [lambda p: pytest.fail("it trained")],
                device="cpu",
                weights=busy / name,
            )
        assert content() == before

    def test_of_a_finished_run_too(self, finished, busy):
        for name in ("no_card", "public"):
            with pytest.raises(SettingsError, match="already exists"):
                train_to_weights(
                    QUICK, finished, device="cpu", weights=busy / f"{name}.safetensors"
                )
        assert (busy / "no_card.safetensors").read_text() == "mine"

    def test_an_earlier_recipe_of_the_same_name(self, finished, tmp_path):
        changed = replace(QUICK, rate_start=0.04)
        with pytest.raises(SettingsError, match=r"rate_start 0\.05 instead of 0\.04"):
            train_to_weights(
                changed, tmp_path / "new", device="cpu", weights=finished / "tiny.safetensors"
            )

    def test_a_runs_own_weights_are_replaced(self, finished, tmp_path):
        path = finished / "tiny.safetensors"
        before = path.read_bytes()
        path.write_bytes(before[:100])
        shutil.rmtree(tmp_path / "again", ignore_errors=True)
        assert train_to_weights(QUICK, tmp_path / "again", device="cpu", weights=path) == path
        assert path.read_bytes() == before
