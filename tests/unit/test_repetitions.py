"""Trackers that are not deterministic: repeated as often as the toolkits do, every run kept and
scored; and what GOT-10k's server is sent."""

from __future__ import annotations

import json
from zipfile import ZipFile

import numpy as np
import pytest
from got10k.utils.ioutils import compress
from scripted_runs import plain

import course_lib.trackers as trackers
from course_lib.cli import main
from course_lib.data.sequence import Benchmark
from course_lib.errors import SettingsError
from course_lib.evaluation.export import export_results, pack_submission
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.layouts import read_passes
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run
from course_lib.evaluation.report import got10k_scores, make_report, vot_scores
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.trackers.baselines import RandomWalk

STREAM = np.random.default_rng(3)


class Unseeded(RandomWalk):
    """A random walk that every run draws anew."""

    name = "unseeded"
    is_deterministic = False

    def __init__(self, settings=None):
        super().__init__(settings)
        self.rng = STREAM


@pytest.fixture
def benchmark(monkeypatch):
    """Two sequences, and "unseeded" in the table of trackers."""
    monkeypatch.setitem(trackers.TRACKERS, "unseeded", f"{__name__}:Unseeded")
    return Benchmark("got10k-val", (plain(20, "a"), plain(15, "b")))


def run(benchmark, root, protocol="ope", name="unseeded", **more):
    return evaluate([TrackerSpec(name)], benchmark, root, protocol, progress=False, **more)


def test_repetitions_are_those_of_the_toolkits():
    found = {name: row.repetitions for name, row in PROTOCOLS.items() if row.repetitions > 1}
    assert found == {"ope": 3, "vot": 15}


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_a_deterministic_tracker_runs_once(benchmark, tmp_path, protocol):
    files = run(benchmark, tmp_path, protocol, "random-walk")
    passes = Run(tmp_path, benchmark, "random-walk", benchmark[0], protocol).files
    assert len([path for path in files if path.name.startswith("a")]) == len(passes)


def test_ope_runs_three_times_and_scores_all_runs(benchmark, tmp_path):
    files = run(benchmark, tmp_path)
    assert [path.name for path in files[:3]] == ["a.txt", "a.ope-002.txt", "a.ope-003.txt"]
    passes = read_passes("course", Run(tmp_path, benchmark, "unseeded", benchmark[0], "ope"))
    assert len(passes) == 3 and not np.array_equal(passes[0].boxes, passes[1].boxes)
    report = make_report(tmp_path, benchmark, ["unseeded"])
    row, each = report.overall()["unseeded"], []
    for k in range(3):
        for sequence in benchmark:  # each run alone, under another name
            whole = Run(tmp_path, benchmark, f"alone-{k}", sequence, "ope").files[0]
            source = Run(tmp_path, benchmark, "unseeded", sequence, "ope", 3).files[k]
            whole.parent.mkdir(exist_ok=True)
            whole.write_text(source.read_text())
        each.append(make_report(tmp_path, benchmark, [f"alone-{k}"]).overall()[f"alone-{k}"])
    assert row["mean_iou"] == pytest.approx(np.mean([one["mean_iou"] for one in each]))


def test_the_supervised_protocol_runs_fifteen_times(benchmark, tmp_path):
    run(benchmark, tmp_path, "vot")
    folder = tmp_path / "got10k-val" / "unseeded" / "baseline" / "a"
    assert [p.name for p in sorted(folder.glob("*.txt"))] == [
        f"a_{k:03d}.txt" for k in range(1, 16)
    ]
    assert vot_scores(tmp_path, benchmark, ["unseeded"])["unseeded"]["failures"] >= 0


def test_a_missing_repetition_runs_again_and_a_changed_one_is_refused(benchmark, tmp_path):
    files = run(benchmark, tmp_path)
    record = Run(tmp_path, benchmark, "unseeded", benchmark[0], "ope").record
    assert {"a.txt", "a.ope-002.txt", "a.ope-003.txt"} <= json.loads(record.read_text())[
        "files"
    ].keys()
    kept = files[3].read_text()
    files[1].unlink()
    run(benchmark, tmp_path)
    assert files[1].is_file() and files[3].read_text() == kept
    assert check_kept(tmp_path, benchmark, ["unseeded"], "ope") == []  # records name every run
    files[2].write_text(files[2].read_text().replace("20.0", "21.0"))
    with pytest.raises(Exception, match=r"a.ope-003.txt was changed"):
        run(benchmark, tmp_path)
    run(benchmark, tmp_path, fresh=True)


def test_repetitions_become_got10ks_and_its_archive_is_what_the_toolkit_packs(benchmark, tmp_path):
    run(benchmark, tmp_path)
    out = tmp_path / "out"
    export_results(("course", tmp_path), benchmark, "unseeded", "ope", ("got10k", out))
    assert sorted(p.name for p in (out / "unseeded" / "a").iterdir()) == [
        *[f"a_{k:03d}.txt" for k in (1, 2, 3)],
        "a_time.txt",
    ]
    times = np.loadtxt(out / "unseeded" / "a" / "a_time.txt", delimiter=",")
    assert times.shape == (20, 3)
    ours = got10k_scores(tmp_path, benchmark, ["unseeded"])["unseeded"]
    theirs = got10k_scores(out, benchmark, ["unseeded"], layout="got10k")["unseeded"]
    assert ours == pytest.approx(theirs, abs=1e-4)
    packed = pack_submission(out, "unseeded")
    compress(str(out / "unseeded"), str(tmp_path / "theirs"))
    with ZipFile(packed) as mine, ZipFile(tmp_path / "theirs.zip") as toolkits:
        names = {name for name in toolkits.namelist() if not name.endswith("/")}
        assert set(mine.namelist()) == names and "a/a_001.txt" in names
        assert all(mine.read(name) == toolkits.read(name) for name in names)
    with pytest.raises(SettingsError, match=r"unseeded.zip exists already"):
        pack_submission(out, "unseeded")


def test_the_command_packs_what_it_exports(benchmark, tmp_path, monkeypatch, capsys):
    run(benchmark, tmp_path, name="stay-put")
    monkeypatch.setattr("course_lib.cli.report.load_benchmark", lambda name, root: benchmark)
    common = ["report", "--benchmark", "got10k-val", "--tracker", "stay-put"]
    folder = tmp_path / "send"
    more = ["--results", str(tmp_path), "--export", "got10k", str(folder)]
    assert main([*common, *more]) == 0
    assert "stay-put.zip, to be uploaded" in capsys.readouterr().out
    assert (folder / "stay-put.zip").is_file()
