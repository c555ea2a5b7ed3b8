"""Several processes: on machines without a shared disk, started differently, stopped by a budget,
failing together.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_training import TINY

from course_lib.errors import SettingsError
from course_lib.models.device import Placement
from course_lib.training.checkpoint import load_checkpoint
from course_lib.training.loop import train
from course_lib.training.processes import ProcessGroup, own_gpu

pytestmark = pytest.mark.slow

HEAD = """
import os, sys
sys.path[:0] = [{project!r}, {tests!r}]
import torch
from dataclasses import replace
from pathlib import Path
torch.set_num_threads(1)
from test_training import TINY
from course_lib.errors import CourseError
from course_lib.training.loop import train, Run
from course_lib.training.processes import started_rank
rank, here = started_rank(), Path({here!r})
ports = {ports!r}

def together(*arguments, **more):
    # `train` with its own port: the other process may still be using the previous one
    os.environ["MASTER_PORT"] = str(ports.pop())
    return train(*arguments, **more).network
"""


def free_ports(count: int) -> list[int]:
    """Free ports."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture
def together(tmp_path, project):
    """`run(code)` runs the code in two processes as on two machines: started separately, told
    where the other is.
    """

    def run(code: str) -> list[subprocess.CompletedProcess]:
        tests = project / "tests" / "unit"
        head = HEAD.format(
            project=str(project), tests=str(tests), here=str(tmp_path), ports=free_ports(6)
        )
        script = tmp_path / "script.py"
        script.write_text(head + textwrap.dedent(code))
        common = {
            "MASTER_ADDR": "127.0.0.1",
            "WORLD_SIZE": "2",
            "LOCAL_RANK": "0",
            "OMP_NUM_THREADS": "1",
        }
        started = [
            subprocess.Popen(
                [sys.executable, str(script)],
                env={**os.environ, **common, "RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in (0, 1)
        ]
        done = []
        for process in started:
            out, err = process.communicate(timeout=300)
            done.append(subprocess.CompletedProcess([], process.returncode, out, err))
        return done

    return run


def as_one(state: dict[str, torch.Tensor], alone: torch.nn.Module) -> None:
    """Two processes yield the weights of one, up to the order of sums."""
    parameters = {name for name, _ in alone.named_parameters()}
    for name, tensor in alone.state_dict().items():
        limit = {"atol": 1e-6, "rtol": 0.0} if name in parameters else {"atol": 1e-6, "rtol": 3e-5}
        torch.testing.assert_close(state[name], tensor, **limit)


@pytest.mark.parametrize("other", ["none", "older"])
def test_all_resume_from_the_main_processs_checkpoint(other, tmp_path, together):
    first, second = tmp_path / "machine0", tmp_path / "machine1"
    train(TINY, first, "cpu", stop_at=4)
    if other == "older":
        train(TINY, second, "cpu", stop_at=2)
    before = (second / "last.pt").read_bytes() if other != "none" else None
    done = together("""
        began = []
        watch = lambda p: began.append(p.started_at)
        made = together(TINY, here / f"machine{rank}", "cpu", [watch])
        torch.save({"weights": made.state_dict(), "began": began[0]}, here / f"end{rank}.pt")
    """)
    assert [d.returncode for d in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    ends = [torch.load(tmp_path / f"end{k}.pt") for k in (0, 1)]
    assert ends[0]["began"] == ends[1]["began"] == 4
    for name, tensor in ends[0]["weights"].items():
        assert torch.equal(tensor, ends[1]["weights"][name]), name
    as_one(ends[0]["weights"], train(TINY, tmp_path / "alone", "cpu").network)
    assert load_checkpoint(first / "last.pt")["step"] == TINY.steps
    # the second machine's own file is neither read nor written
    assert before is None or (second / "last.pt").read_bytes() == before


def test_a_checkpoint_on_the_second_machine_only_is_ignored(tmp_path, together):
    train(TINY, tmp_path / "machine1", "cpu", stop_at=4)
    done = together("""
        made = together(TINY, here / f"machine{rank}", "cpu")
        torch.save(made.state_dict(), here / f"end{rank}.pt")
    """)
    assert [d.returncode for d in done] == [0, 0], done[1].stderr[-2000:]
    ends = [torch.load(tmp_path / f"end{k}.pt") for k in (0, 1)]
    as_one(ends[0], train(TINY, tmp_path / "alone", "cpu").network)
    as_one(ends[1], train(TINY, tmp_path / "alone", "cpu").network)


def test_an_error_in_one_process_is_raised_in_all(tmp_path, together):
    """Other settings, other data, a damaged checkpoint, a loss that is not finite: one after the
    other, in one start.
    """
    (tmp_path / "damaged0").mkdir()
    (tmp_path / "damaged0" / "last.pt").write_bytes(b"nothing")
    done = together("""
        from course_lib.training import loop
        from course_lib.training.sources import make_sources

        def attempt(settings, name):
            try:
                together(settings, here / f"{name}{rank}", "cpu")
            except CourseError as problem:
                print(name, type(problem).__name__, problem)

        attempt(replace(TINY, seed=rank), "settings")
        attempt(replace(TINY, steps=6 + rank), "steps")
        attempt(TINY, "damaged")

        def marked(*arguments):
            sources = make_sources(*arguments)
            sources[0].identity, sources[0].used = f"of{rank}", ("generated",)
            return sources
        loop.make_sources = marked
        attempt(TINY, "data")
        loop.make_sources = make_sources

        before = Run._predict
        def poisoned(run, batch):
            bad = rank == 1 and run.progress.step == 1
            return before(run, batch) * (float("nan") if bad else 1)
        Run._predict = poisoned
        attempt(TINY, "poisoned")
    """)
    assert [d.returncode for d in done] == [0, 0], done[0].stderr[-2000:] + done[1].stderr[-2000:]
    for one in done:
        said = dict(line.split(" ", 1) for line in one.stdout.splitlines())
        assert (
            "SettingsError the processes were started differently: seed is 0 in process 0 and 1 in"
            in (said["settings"])
        )
        assert "steps is 6 in process 0 and 7 in process 1" in said["steps"]
        assert "DataError" in said["damaged"] and "damaged0/last.pt (7 bytes)" in said["damaged"]
        assert "data is {'identity': 'of0'" in said["data"]
        assert "the loss is nan at step 1" in said["poisoned"]
        assert said["poisoned"].count("generated-") >= TINY.batch  # each names its half


def test_one_processs_stop_holds_for_all(tmp_path, together):
    done = together("""
        together(TINY, here / f"machine{rank}", "cpu", stop_at=3 if rank == 0 else 5)
        together(TINY, here / f"machine{rank}", "cpu", budget=0.0 if rank == 1 else None)
    """)
    assert [d.returncode for d in done] == [0, 0], done[0].stderr[-2000:]
    assert load_checkpoint(tmp_path / "machine0" / "last.pt")["step"] == 4


SMALL = "name=mini widths=[4,4,4,4,4] steps=4 batch=2 validation_pairs=0 rate_start=0.01"


class TestTorchrun:
    """The command under a real torchrun of two processes."""

    def command(self, folder: Path, *more: str) -> subprocess.CompletedProcess:
        code = (
            "import sys; from course_lib.cli import train, main; from pathlib import Path;"
            f"train.RUNS = Path({str(folder)!r}); sys.exit(main(sys.argv[1:]))"
        )
        (folder / "start.py").write_text(code)
        return subprocess.run(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
                *("--nproc-per-node=2", str(folder / "start.py"), "train", "--quiet"),
                *("--device", "cpu", *more, "--set", *SMALL.split()),
            ],
            capture_output=True,
            text=True,
            timeout=300,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.getcwd(),
                "COURSE_STOPPED": str(folder / "mark"),
            },
        )

    def test_a_stop_by_budget_has_no_traceback_and_is_marked(self, tmp_path):
        done = self.command(tmp_path, "--budget", "0")
        assert done.returncode == 0, done.stderr[-2000:]
        assert "Traceback" not in done.stderr and "ChildFailedError" not in done.stderr
        assert len(re.findall("stopped; the same command resumes from", done.stdout)) == 1
        assert (tmp_path / "mark").is_file()  # by this `runs` knows, see test_runs
        weights = tmp_path / "training" / "mini" / "mini.safetensors"
        assert not weights.exists()
        (tmp_path / "mark").unlink()
        again = self.command(tmp_path)
        assert again.returncode == 0 and weights.is_file(), again.stderr[-2000:]
        assert not (tmp_path / "mark").exists()


class TestOwnGpu:
    """One GPU for each process."""

    def test_as_many_as_there_are(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        place = Placement(torch.device("cuda"), False)
        assert [own_gpu(place, k) for k in (0, 1)] == [0, 1]
        with pytest.raises(SettingsError, match=r"process 2 .* finds 2 GPUs.*--nproc-per-node=2"):
            own_gpu(place, 2)

    def test_a_numbered_gpu_cannot_be_shared(self):
        with pytest.raises(SettingsError, match="give --device cuda"):
            own_gpu(Placement(torch.device("cuda", 0), False), 0)


def test_a_single_process_needs_no_group():
    group = ProcessGroup()
    assert group.from_first(lambda: 3) == 3 and group.gathered("a") == ["a"]
    assert group.any(True) and not group.any(False)
    group.check_agreement({"seed": 1})


def test_settings_of_a_distributed_run_reach_the_checkpoint(tmp_path):
    train(replace(TINY, steps=1), tmp_path, "cpu")
    kept = load_checkpoint(tmp_path / "last.pt")
    assert kept["settings"]["widths"] == [4, 4, 4, 4, 4] and "workers" not in kept["settings"]
