"""Tasks and sources of pairs: one row each, valid as soon as they are made, loaded on demand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from course_lib.errors import SettingsError
from course_lib.lookup import load
from course_lib.models.networks import NETWORKS, network_class
from course_lib.models.weights import save_weights
from course_lib.training.first_weights import first_network
from course_lib.training.settings import ProposalSettings, TrainSettings
from course_lib.training.sources import PAIR_SOURCES
from course_lib.training.tasks import TASKS, Task, make_task

SMALL = TrainSettings(widths=(4, 8, 8, 8, 8), search=255, proposals=ProposalSettings(channels=8))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_a_task(name):
    assert issubclass(load(TASKS[network_class(name).output]), Task)


@pytest.mark.parametrize("name", ["siamfc", "siammargin", "siamrpn", "siamrpn++"])
def test_a_task_is_valid_as_soon_as_it_is_made(name):
    settings = replace(SMALL, network=name)
    task = make_task(settings)
    assert task.settings is settings and task.network.about["network"] == name
    z, x = torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255
    with torch.no_grad():
        assert task.maps(task.network.eval()(z, x)).shape == (2, 17, 17)


def test_a_task_accepts_a_given_network():
    network = first_network(SMALL)
    assert make_task(SMALL, network).network is network


def test_arguments_that_a_network_does_not_need_are_ignored():
    assert first_network(SMALL).about["groups"] == 2  # SiamFC's own, whatever proposals.groups says
    rpn = first_network(replace(SMALL, network="siamrpn", width_multiplier=0.5, stride=4)).about
    assert rpn["groups"] == 1 and rpn["stride"] == 8 and "width_multiplier" not in rpn
    two = replace(SMALL.proposals, groups=2, channels=None)
    pp = first_network(replace(SMALL, network="siamrpn++", proposals=two)).about
    assert pp["groups"] == 2 and pp["channels"] == 256


def test_a_backbone_of_another_stride_cannot_initialise(tmp_path):
    """Weights of a stride-4 AlexNet fit a stride-8 one with the same channels, but compute different features."""
    path = tmp_path / "four.safetensors"
    save_weights(first_network(replace(SMALL, stride=4)), path, {})
    for name in ("siamfc", "siammargin"):
        begun = first_network(replace(SMALL, network=name, stride=4, start_from=str(path)))
        assert begun.stride == 4
        with pytest.raises(SettingsError, match="Make stride, widths"):
            first_network(replace(SMALL, network=name, start_from=str(path)))
    both = replace(SMALL.proposals, groups=2)
    with pytest.raises(SettingsError, match="Make stride, widths"):
        first_network(replace(SMALL, network="siamrpn", proposals=both, start_from=str(path)))


@pytest.mark.parametrize(("values", "nearest"), [
    ({"network": "siamfx"}, "'siamfc'"), ({"network": "siamrpnpp"}, "'siamrpn"),
    ({"backbone": "cirnet22"}, "'ciresnet22'"),
])  # fmt: skip
def test_an_unknown_name_meets_the_nearest(values, nearest):
    with pytest.raises(SettingsError, match=f"Did you mean {nearest}"):
        TrainSettings(**values)


@pytest.mark.parametrize("kind", PAIR_SOURCES)
def test_every_kind_of_source_has_an_opener_and_says_how_it_is_written(kind, tmp_path):
    row = PAIR_SOURCES[kind]
    assert callable(load(row.opener))
    assert row.written.partition(":")[0] == row.example.partition(":")[0] == kind
    what = row.example.partition(",")[0].partition(":")[2]
    folders = row.folders(what, tmp_path)
    assert all(folder.is_relative_to(tmp_path.resolve()) for folder in folders)
    assert bool(folders) == bool(what)


def test_the_loop_loads_readers_tasks_and_networks_on_demand():
    code = """
import sys
import course_lib.training.loop
late = ("data.coco", "data.readers", "data.shards", "models.siamfc", "models.siamrpn",
        "models.resnet", "training.proposal_task", "training.open_sources")
print(*(name for name in late if "course_lib." + name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
