"""Errors around a training run: foreign and damaged files, full disks, dead workers; each
is reported in a sentence.
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import replace

import pytest
import torch
from test_training import TINY

from course_lib import cli
from course_lib.cli import train as command
from course_lib.data import loader
from course_lib.data.faults import Unreadable
from course_lib.data.loader import batches
from course_lib.data.pairs import PairSource
from course_lib.errors import DataError, SettingsError
from course_lib.models import device as device_module
from course_lib.models.device import choose_device, choose_placement
from course_lib.models.weights import load_network, read_card
from course_lib.training.loop import train
from course_lib.training.sources import make_sources
from course_lib.training.trained_weights import train_to_weights

pytestmark = pytest.mark.slow

QUICK = replace(TINY, steps=2, batch=2, validation_pairs=2, validate_every=2)


@pytest.fixture
def say(tmp_path, monkeypatch, capsys):
    """`say(…)` runs `train …`; returns its exit status and output."""
    monkeypatch.setattr(command, "RUNS", tmp_path / "runs")

    def run(*words: str, **settings: object) -> tuple[int, str]:
        small = {"widths": [4] * 5, "steps": 2, "batch": 2, "validation_pairs": 0} | settings
        pairs = [f"{key}={value}" for key, value in small.items()]
        status = cli.main(["train", "--quiet", *words, "--set", *pairs])
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


class TestFullDisk:
    """Files are written completely or not at all, and the file is named."""

    def full_at(self, monkeypatch, which: int):
        """The disk is full at the `which`-th file that is flushed."""
        count = iter(range(100))

        def fsync(_):
            if next(count) == which:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", fsync)

    @pytest.mark.parametrize(
        ("which", "words", "there"),
        [
            (0, "checkpoint .*last.pt could not be written", set()),
            (1, "no room left on the disk of .*mini.safetensors", {"last.pt"}),
            (2, "no room left on the disk of .*mini.json", {"last.pt", "mini.safetensors"}),
        ],
    )
    def test_at_each_file(self, which, words, there, say, tmp_path, monkeypatch):
        import re

        self.full_at(monkeypatch, which)
        status, told = say(name="mini")
        assert status == 2 and re.search(words, told), told
        folder = tmp_path / "runs" / "training" / "mini"
        assert {p.name for p in folder.iterdir()} - {"tensorboard"} == there
        monkeypatch.undo()
        monkeypatch.setattr(command, "RUNS", tmp_path / "runs")
        assert say(name="mini")[0] == 0
        load_network(str(folder / "mini.safetensors"))


class TestCommand:
    """Invalid options of `train`."""

    @pytest.mark.parametrize("name", ["../x", "", "a/b", "..", "/abs", ".hidden", "x" * 151])
    def test_a_name_is_one_plain_name(self, name, say, tmp_path):
        status, told = say(name=f'"{name}"')
        assert status == 2 and "expected one plain name" in told
        assert not (tmp_path / "runs").exists() and not (tmp_path / "x").exists()

    @pytest.mark.parametrize(
        "device", ["tpu", "CUDA", "cuda:-1", "cuda:x", "meta", "xla", "", "0", "cpu,cuda"]
    )
    def test_unknown_devices(self, device, say):
        status, told = say("--device", device)
        assert status == 2 and f"device is {device!r}; expected auto, cpu, cuda, cuda:N" in told

    @pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:9"])
    def test_missing_gpus(self, device, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(SettingsError, match="torch finds no GPU; use auto or cpu"):
            choose_device(device)

    def test_a_gpu_number_that_is_too_high(self, monkeypatch):
        monkeypatch.setattr(device_module.torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(device_module.torch.cuda, "device_count", lambda: 2)
        assert choose_device("cuda:1") == torch.device("cuda", 1)
        assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
        with pytest.raises(SettingsError, match=r"finds 2 GPUs; expected cuda:0 … cuda:1"):
            choose_device("cuda:2")

    @pytest.mark.parametrize("precision", ["fp16", "", "BF16", "double"])
    def test_precisions(self, precision, say):
        with pytest.raises(SettingsError, match="precision is"):
            choose_placement("cpu", precision)
        status, told = say(precision=f'"{precision}"')
        assert status == 2 and "precision is" in told

    @pytest.mark.parametrize("budget", ["nan", "inf", "-1", "1e400", "9x", "", "0s", "x", "1_0"])
    def test_budgets(self, budget, say):
        status, told = say(f"--budget={budget}")
        assert status == 2 and f"budget {budget!r} is not a time" in told

    def test_the_budget_of_runs(self, monkeypatch, say):
        monkeypatch.setenv("COURSE_BUDGET", "soon")
        status, told = say()
        assert status == 2 and "budget 'soon' is not a time" in told

    def test_a_data_root_that_is_not_a_folder(self, say, tmp_path):
        status, told = say("--root", str(tmp_path / "nothing"))
        assert status == 2 and "is not a folder" in told

    def test_a_refused_run_leaves_nothing_behind(self, say, tmp_path):
        for wrong in ({"sources": "[videos:none]"}, {"freeze": 9}, {"start_from": "none"}):
            assert say(name="mini", **wrong)[0] == 2
        assert not (tmp_path / "runs").exists()

    def test_tensorboard_has_no_place(self, say, tmp_path):
        folder = tmp_path / "runs" / "training" / "mini"
        folder.mkdir(parents=True)
        (folder / "tensorboard").write_text("a file")
        status, told = say(name="mini")
        assert status == 2 and "tensorboard already exists" in told

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            (
                {"backbone": "ciresnext22", "width_multiplier": 0.6, "search": 255},
                "cannot be built .* must be divisible by groups",
            ),
            ({"freeze": 6}, "6 stages are to be frozen; this backbone has 5"),
            (
                {"network": "siambroadcastrpn", "search": 255, "start_from": "siamfc"},
                "which is built differently",
            ),
        ],
    )
    def test_networks_that_cannot_be_built(self, settings, words, say):
        import re

        status, told = say(**settings)
        assert status == 2 and re.search(words, told)


class Dying(PairSource):
    """A source of pairs that kills the process it is in."""

    seconds: dict[str, float] = {}  # noqa: RUF012

    def draw(self, rng, index=0):
        os.kill(os.getpid(), signal.SIGKILL)


class Wrong(PairSource):
    """A source with too many unreadable files."""

    seconds: dict[str, float] = {}  # noqa: RUF012

    def draw(self, rng, index=0):
        raise Unreadable("photo 3.jpg is cut; fetch it again")


class TestWorkers:
    """Processes that make pairs."""

    def test_a_killed_one(self):
        with pytest.raises(DataError, match=r"has died .*memory .*--set workers=0") as problem:
            next(batches(Dying(), 0, 2, 0, 1, workers=1))
        assert "\n" not in str(problem.value)

    def test_errors_in_a_worker_read_as_without_workers(self):
        for workers in (0, 1):
            with pytest.raises(DataError) as problem:
                next(batches(Wrong(), 0, 2, 0, 1, workers=workers))
            assert str(problem.value) == "photo 3.jpg is cut; fetch it again"

    def test_batches_can_be_pinned(self, monkeypatch):
        """torch's loader calls a method `pin_memory` if there is one; there may be no GPU here."""
        batch = next(batches(make_sources(QUICK)[0], 0, 2, 0, 1))
        pinned = []
        monkeypatch.setattr(torch.Tensor, "pin_memory", lambda t: pinned.append(t.shape) or t)
        same = batch.pin_memory()
        assert len(pinned) == 6 and torch.equal(same.search, batch.search)
        assert same.sources == batch.sources

    def test_redrawn_pairs_are_counted_across_stops_and_reported_on_the_card(
        self, tmp_path, monkeypatch
    ):
        before = loader.pair_at

        def one_in_three(source, seed, index):
            pair = before(source, seed, index)
            return replace(pair, skipped=("a.jpg is cut",) if index % 3 == 0 else ())

        monkeypatch.setattr(loader, "pair_at", one_in_three)
        settings = replace(QUICK, steps=6, validation_pairs=0)
        train(settings, tmp_path, "cpu", stop_at=3)
        card = read_card(train_to_weights(settings, tmp_path, device="cpu"))
        # pairs 0, 3, 6 and 9 of 12
        assert card["pairs_redrawn"] == {"times": 4, "why": {"a.jpg is cut": 4}}
