"""Commands that never outlive the command that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_lib import children

WAITING = """
import os, subprocess, sys, time
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
open("pids", "w").write(f"{os.getpid()} {helper.pid}")
open("pids.whole", "w").close()
time.sleep(120)
"""
PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, {project!r})
from course_lib import children
from course_lib.training import long_runs as runs
runs.PROJECT = Path({folder!r})
children.PATIENCE = 5.0
runs.do_due([runs.LongRun("a", "a.py", 1, ("a.txt",), "cpu")], 100, print)
"""


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_run_never_outlives_the_command_that_started_it(number, tmp_path, project):
    (tmp_path / "a.py").write_text(WAITING)
    code = PARENT.format(project=str(project), folder=str(tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    while not (tmp_path / "pids.whole").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    run, helper = map(int, (tmp_path / "pids").read_text().split())
    assert alive(run) and alive(helper)
    parent.send_signal(number)
    status = parent.wait(60)
    ended = [run] if number == signal.SIGKILL else [run, helper]
    deadline = time.monotonic() + 60
    while any(map(alive, ended)) and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        assert not alive(run)
        if number != signal.SIGKILL:  # then nobody is left to end what the run has started itself
            assert not alive(helper)
            assert status == (128 + number if number != signal.SIGINT else status)
    finally:
        for pid in (run, helper):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_between_the_start_and_its_return(number, raised, tmp_path, monkeypatch):
    """Once, a command lost what it had started: it was interrupted before it knew the process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = []
    right = children.start

    def interrupted(*given):
        started.append(right(*given))
        signal.raise_signal(number)
        return started[0]

    monkeypatch.setattr(children, "start", interrupted)
    monkeypatch.setattr(children, "PATIENCE", 5.0)
    try:
        with pytest.raises(raised):
            children.ended_with_us(
                ["-c", "import time; time.sleep(60)"], tmp_path, dict(os.environ), 30.0
            )
        assert started[0].poll() is not None
    finally:
        signal.signal(signal.SIGINT, before)
        started[0].kill()
