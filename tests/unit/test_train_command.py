"""What `train` says at its end: the command that measures the new weights in their tracker."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_lib import cli
from course_lib.cli import train
from course_lib.models.networks import NETWORKS
from course_lib.trackers import make_tracker, tracker_class
from course_lib.training.settings import TrainSettings


def read(command: str) -> SimpleNamespace:
    """The options of a printed command."""
    start, words = "python -m course_lib ", shlex.split(command)
    assert command.startswith(start)
    return cli.parser_for(words[3:]).parse_args(words[3:])


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_a_tracker_that_takes_its_weights(network):
    settings = SimpleNamespace(network=network, name="mine")
    chosen = read(train.measuring_command(settings, None))
    (tracker,), (setting,) = chosen.tracker, chosen.settings
    assert chosen.label == "mine" and chosen.benchmark == "generated-v1"
    name, _, value = setting.partition("=")
    owner, _, key = name.partition(".")
    assert (owner, value) == (tracker, "mine")
    assert key in tracker_class(tracker).Settings.__dataclass_fields__


def test_weights_elsewhere_are_named_by_their_path():
    settings = TrainSettings(name="mine")
    chosen = read(train.measuring_command(settings, Path("my weights/one.safetensors")))
    assert chosen.settings == ["siamfc.weights=my weights/one.safetensors"]


def test_dimp_is_measured_as_a_classifier():
    """Its network is not the one that ATOM refines boxes with."""
    command = train.measuring_command(SimpleNamespace(network="dimp", name="dimp-gpu"), None)
    assert "--tracker dimp --set dimp.classifier=dimp-gpu " in command


@pytest.mark.slow
def test_it_is_printed_with_the_weights(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "RUNS", tmp_path)
    tiny = ["widths=[4,4,4,4,4]", "steps=2", "batch=2", "validation_pairs=0", "sources=[generated]"]
    words = ["train", "--quiet", "--device", "cpu", "--set", "name=mine", "probabilities=[1]"]
    weights = tmp_path / "it.safetensors"
    assert cli.main([*words, *tiny, "--weights", str(weights)]) == 0
    told = capsys.readouterr().out
    chosen = read(re.search(r"^measure them: (.*)$", told, re.MULTILINE)[1])
    made = make_tracker("siamfc", **{"weights": chosen.settings[0].partition("=")[2]})
    assert made.settings.weights == str(weights) and weights.is_file()
