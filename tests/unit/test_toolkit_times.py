"""Times in the files of VOT's toolkit, where an empty line is a frame that was skipped after a
failure: there and back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scripted_runs import plain

from course_lib.data.sequence import Benchmark
from course_lib.errors import DataError
from course_lib.evaluation.export import export_results
from course_lib.evaluation.results import read_seconds, write_columns

# started, tracked, lost; skipped twice; started, tracked, lost; skipped to the end
REGIONS = "1\n20,30,20,10\n2\n0\n0\n1\n20,30,20,10\n2\n0\n0\n"
# as the toolkit writes it: the digits of a Python float, an empty line for a skipped frame
TIMES = "0.5\n0.25\n0.125\n\n\n1.5\n0.75\n0.0625\n\n\n"
SECONDS = [0.5, 0.25, 0.125, np.nan, np.nan, 1.5, 0.75, 0.0625, np.nan, np.nan]
BENCHMARK = Benchmark("little", (plain(10),))


@pytest.fixture
def workspace(tmp_path):
    """A folder of the toolkit with one supervised run of "it"; returns the file of its times."""
    folder = tmp_path / "vot" / "it" / "baseline" / "plain"
    folder.mkdir(parents=True)
    (folder / "plain_001.txt").write_text(REGIONS)
    times = folder / "plain_001_time.value"
    times.write_text(TIMES)
    return times


def test_an_empty_line_is_a_frame_that_nobody_measured(workspace):
    np.testing.assert_array_equal(read_seconds(workspace, 1)[:, 0], SECONDS)


def test_times_of_supervised_runs_keep_their_frames_there_and_back(tmp_path, workspace):
    places = [("vot", "vot"), ("course", "ours"), ("vot", "back"), ("vot-text", "text")]
    places = [(layout, tmp_path / name) for layout, name in places]
    for source, target in pairwise(places):
        export_results(source, BENCHMARK, "it", "vot", target)
    (ours,) = (tmp_path / "ours").rglob("*_time.txt")
    np.testing.assert_array_equal(read_seconds(ours, 1)[:, 0], SECONDS)
    for name in ("back", "text"):
        (times,) = (tmp_path / name).rglob("plain_001_time.value")
        assert [line and float(line) for line in times.read_text().split("\n")] == [
            line and float(line) for line in TIMES.split("\n")
        ]


def test_files_of_other_toolkits_have_nan_and_may_have_empty_lines_between(tmp_path):
    path = tmp_path / "calm_time.txt"
    write_columns(path, np.array([[0.5], [np.nan]]))
    assert path.read_text() == "0.50000000\nnan\n"
    path.write_text(path.read_text() + "\n\n")
    np.testing.assert_array_equal(read_seconds(path, 1)[:, 0], [0.5, np.nan])


@pytest.mark.parametrize("kind", ["time", "confidence"])
def test_values_for_fewer_frames_than_there_are_regions_are_not_exported(tmp_path, workspace, kind):
    workspace.with_name(f"plain_001_{kind}.value").write_text("0.5\n" * 9)
    with pytest.raises(DataError, match=rf"{kind}\.value has 9 rows and .*plain_001.txt has 10"):
        export_results(
            ("vot", tmp_path / "vot"), BENCHMARK, "it", "vot", ("vot-text", tmp_path / "x")
        )
    assert not (tmp_path / "x").exists()
