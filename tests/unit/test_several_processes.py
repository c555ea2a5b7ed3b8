"""Several processes end with the weights of one, whatever the network: norms that are fixed, norms
of vectors, backbones that are frozen in part, losses that divide by a count of positives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_overlap_task import ATOM
from test_stream_training import STREAM
from test_training import TINY
from test_training_processes import as_one, together  # noqa: F401 (a fixture)
from torch import nn

from course_lib.training.loop import train
from course_lib.training.processes import ProcessGroup
from course_lib.training.step import fix_norms

pytestmark = pytest.mark.slow
SHORT = {
    "steps": 4,  # in the last two of SiamFC's its norms are fixed
    "batch": 4,
    "negatives": 0.5,
    "validation_pairs": 0,
    "precision": "fp32",
    "optimiser": "sgd",
    "rate_start": 1e-4,
    "rate_end": 1e-4,
}
RUNS = {
    "siamfc": replace(TINY, backbone="lite0", width_multiplier=0.25, freeze=6, fix_norms=0.5),
    "atom": ATOM,
    "onestream": replace(STREAM, schedule="geometric", warm_up=0.0),
}
RUNS = {name: replace(settings, **SHORT) for name, settings in RUNS.items()}


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_yield_the_weights_of_one(name, tmp_path, together):  # noqa: F811
    done = together(f"""
        from test_several_processes import RUNS
        made = together(RUNS[{name!r}], here / f"machine{{rank}}", "cpu")
        torch.save(made.state_dict(), here / f"end{{rank}}.pt")
    """)
    assert [d.returncode for d in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    alone = train(RUNS[name], tmp_path / "alone", "cpu").network
    for rank in (0, 1):
        as_one(torch.load(tmp_path / f"end{rank}.pt"), alone)


def test_fixed_norms_are_fixed_where_gpus_share_them():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.BatchNorm1d(4))
    shared = nn.SyncBatchNorm.convert_sync_batchnorm(network).train()
    assert isinstance(shared[1], nn.SyncBatchNorm) and isinstance(shared[3], nn.SyncBatchNorm)
    fix_norms(shared)
    assert [module.training for module in shared] == [True, False, True, False]


def test_the_share_of_a_count_is_never_less_than_one_in_all(monkeypatch):
    alone = ProcessGroup()
    assert [float(alone.share(torch.tensor(n))) for n in (0, 1, 5)] == [1, 1, 5]
    for own, others, expected in ((0, 0, 1 / 4), (0, 3, 3 / 4), (5, 1, 6 / 4)):
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda t, n=others: t.add_(n))
        assert float(ProcessGroup(0, 4).share(torch.tensor(own))) == pytest.approx(expected)
