"""Two machines without a shared disk, each with its own torchrun and its own folder: one dies at
any step, both are started again, and the weights are those of one run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training_processes import as_one, free_ports

from course_lib.models.siamfc import SiamFC
from course_lib.training.checkpoint import load_checkpoint
from course_lib.training.loop import train
from course_lib.training.settings import TrainSettings

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("COURSE_TEST_KILLS", "2"))
MADE = TrainSettings(
    name="mini",
    widths=(4, 4, 4, 4, 4),
    steps=12,
    batch=2,
    validation_pairs=0,
    rate_start=0.01,
    checkpoint_every=2,
    precision="fp32",
)
SET = "name=mini widths=[4,4,4,4,4] steps=12 batch=2 validation_pairs=0 rate_start=0.01 checkpoint_every=2 precision=fp32"

START = """
import os, signal, sys
from pathlib import Path
import torch
from course_lib.cli import main, train
from course_lib.training.loop import Run

torch.set_num_threads(1)
train.RUNS = Path({folder!r})
last = int(os.environ.get("DIES_AFTER", "-1"))
step = Run._step

def dying(run, feed):
    step(run, feed)
    if run.progress.step == last:  # the machine is gone: this process and its torchrun at once
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

Run._step = dying
sys.exit(main(sys.argv[1:]))
"""


class Nodes:
    """Two machines: a folder, a torchrun and a process on each."""

    def __init__(self, place: Path) -> None:
        self.folders = [place / "machine0", place / "machine1"]
        for folder in self.folders:
            folder.mkdir()
            (folder / "start.py").write_text(START.format(folder=str(folder)))

    def run(self, *more: str, dies: tuple[int, int] | None = None) -> list[tuple[int, str]]:
        """Start both; returns the exit status and output of each.

        `dies` says which machine dies after which step of this run's training.
        """
        (port,) = free_ports(1)
        started = []
        for rank, folder in enumerate(self.folders):
            environment = {
                **os.environ,
                "PYTHONPATH": os.getcwd(),
                "OMP_NUM_THREADS": "1",
            }
            if dies and dies[0] == rank:
                environment["DIES_AFTER"] = str(dies[1])
            command = [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2"),
                *(f"--node-rank={rank}", "--nproc-per-node=1", "--master-addr=127.0.0.1"),
                *(f"--master-port={port}", "start.py", "train", "--quiet", "--device", "cpu"),
                *(*more, "--set", *SET.split()),
            ]
            started.append(
                subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
            )
        try:
            return [(one.wait(280), one.communicate()[0]) for one in started]
        finally:
            for one in started:
                if one.poll() is None:
                    os.killpg(one.pid, signal.SIGKILL)

    def checkpoint(self, rank: int) -> Path:
        """Where a machine's checkpoint would be."""
        return self.folders[rank] / "training" / "mini" / "last.pt"


def test_killed_at_random_steps_and_started_again_it_ends_as_one_run(tmp_path):
    nodes, rng, reached = Nodes(tmp_path), np.random.default_rng(int(time.time())), 0
    for kill in range(KILLS):
        rank = kill % 2  # the main process's machine, then the other
        step = min(reached + int(rng.integers(1, 4)), MADE.steps - 1)
        ends = nodes.run(dies=(rank, step))
        assert ends[rank][0] == -signal.SIGKILL, ends[rank][1][-2000:]
        # the other does not wait for ever, and does not say that all is well
        assert ends[1 - rank][0] not in (0, -signal.SIGKILL), ends[1 - rank][1][-2000:]
        kept = nodes.checkpoint(0)
        reached = load_checkpoint(kept)["step"] if kept.exists() else 0
        assert reached <= step
    (status, said), (other, more) = nodes.run()
    assert status == other == 0, said[-2000:] + more[-2000:]
    assert "weights: " in said and "weights: " not in more
    state = load_checkpoint(nodes.checkpoint(0))
    assert state["step"] == MADE.steps and not nodes.checkpoint(1).exists()
    made = SiamFC(widths=MADE.widths)
    made.load_state_dict(state["network"])
    alone = train(replace(MADE, workers=0), tmp_path / "alone", "cpu").network
    as_one(made.state_dict(), alone)
    untrained = train(MADE, tmp_path / "first", "cpu", stop_at=1).network  # so that this can fail
    first, last = untrained.state_dict(), alone.state_dict()
    assert any(not torch.allclose(first[name], last[name], atol=1e-4) for name in first)


def test_a_refusal_of_the_main_process_ends_both_machines(tmp_path):
    """Its weights' place is taken: the other machine must not wait for it."""
    nodes = Nodes(tmp_path)
    taken = nodes.folders[0] / "training" / "mini" / "mini.safetensors"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"somebody else's")
    began = time.monotonic()
    (status, said), (other, _) = nodes.run()
    assert status != 0 and other != 0
    assert "already exists, and no card beside it says how it was made" in said
    assert taken.read_bytes() == b"somebody else's"
    assert time.monotonic() - began < 270


def test_a_stop_by_budget_is_status_0_on_both_and_resumes(tmp_path):
    nodes = Nodes(tmp_path)
    assert [status for status, _ in nodes.run("--budget", "0")] == [0, 0]
    assert load_checkpoint(nodes.checkpoint(0))["step"] == 1
