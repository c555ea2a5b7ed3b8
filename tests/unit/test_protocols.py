"""The table of protocols: its rows, and that a new protocol is just a new row."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from course_lib.cli import main
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import DataError, SettingsError
from course_lib.evaluation import protocols
from course_lib.evaluation.export import export_results
from course_lib.evaluation.kept import check_names
from course_lib.evaluation.otb import track
from course_lib.evaluation.protocols import PROTOCOLS, Protocol, Supervised, protocol_named
from course_lib.evaluation.records import Run
from course_lib.evaluation.report import make_report
from course_lib.evaluation.results import read_result
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker

T = 30


def moving(name: str, step: float = 1.0, first: int = 0) -> Sequence:
    """A target of 10 × 10 px that is still, then moves `step` px per frame from `first` on."""
    t = np.maximum(np.arange(T) - first, 0)
    boxes = np.column_stack([20 + step * t, np.full(T, 30.0), np.full((T, 2), 10.0)])
    return Sequence(name, ArrayFrames(np.zeros((T, 80, 200, 3), np.uint8)), boxes)


@pytest.fixture
def sequences(monkeypatch):
    """The sequences that the commands find as generated-v1."""
    benchmark = Benchmark("generated-v1", (moving("gen-a"), moving("gen-b", 2.0)))
    monkeypatch.setattr("course_lib.data.generated.generated_benchmark", lambda: benchmark)
    return benchmark


def command(name: str, root, *more: str) -> int:
    tracker = ["--tracker", "stay-put", "--results", str(root)]
    workers = ["--workers", "1"] if name == "evaluate" else []
    return main([name, *tracker, *workers, *more])


def test_every_row_is_found_by_its_own_name():
    assert all(protocol_named(name).name == name for name in PROTOCOLS)
    with pytest.raises(
        SettingsError, match="there is no protocol 'votz'.*'vot'.*Known: ope, tre, sre"
    ):
        protocol_named("votz")


@pytest.mark.parametrize("name", ["a", "folder/a.0"])
def test_no_two_protocols_write_the_same_file_and_each_knows_its_own(tmp_path, name):
    sequence = moving(name)
    benchmark = Benchmark("little", (sequence,))
    files = {p: set(Run(tmp_path, benchmark, "it", sequence, p).files) for p in PROTOCOLS}
    assert all(not files[a] & files[b] for a, b in combinations(files, 2))
    whole = tmp_path / "little" / "it"
    for protocol, paths in files.items():
        for path in paths - {whole / f"{name}.txt"}:  # OPE's file has the sequence's name
            taken = str(path.relative_to(whole).with_suffix(""))
            assert PROTOCOLS[protocol].reserves(taken)
            with pytest.raises(SettingsError, match="a name that result files use"):
                check_names(Benchmark("little", (moving(taken),)), [])
    check_names(benchmark, [])


def test_a_protocol_scored_by_curves_has_a_start_for_each_file_and_others_have_columns():
    sequence = moving("a")
    for row in PROTOCOLS.values():
        made = row.run(lambda: make_tracker("stay-put"), sequence)
        assert len(made) == len(Run("", Benchmark("b", (sequence,)), "t", sequence, row.name).files)
        if row.by_curves and row.starts:
            assert [len(r) for r in made] == [T - s for s in row.starts(sequence).values()]
        if not row.by_curves:
            scores = row.score([made], Benchmark("b", (sequence,)))
            assert [*scores] == [*row.columns] and {row.best, *row.brief} <= scores.keys()


class Steps(Tracker):
    """Moves its box by 2 px a frame, in place, and returns it."""

    name = "steps"

    def init(self, frame, box):
        self.box = np.array(box)

    def update(self, frame):
        self.box[0] += 2
        return self.box


class StepsCopied(Steps):
    """Returns a copy."""

    def update(self, frame):
        return super().update(frame).copy()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_tracker_may_return_its_own_array_and_change_it_later(name):
    row, sequence = PROTOCOLS[name], moving("a")
    for own, copied in zip(row.run(Steps, sequence), row.run(StepsCopied, sequence), strict=True):
        for kept in ("boxes", "regions", "overlaps", "codes"):
            if hasattr(copied, kept):
                found, wanted = getattr(own, kept), getattr(copied, kept)
                assert len(found) == len(wanted)
                for one, other in zip(found, wanted, strict=True):
                    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("given", [None, "nowhere", [1.0, 2, np.nan, 4], [1.0, 2, 3]])
def test_what_is_no_box_is_refused_with_tracker_sequence_and_frame(name, given):
    class Wrong(Steps):
        def update(self, frame):
            return given

    with pytest.raises(DataError, match=r"steps gave .* for frame \d+ of a; expected four finite"):
        PROTOCOLS[name].run(Wrong, moving("a"))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_four_nan_are_an_answer_only_where_a_protocol_counts_absence(name):
    class Absent(Steps):
        def update(self, frame):
            return np.full(4, np.nan)

    row = PROTOCOLS[name]
    if row.absence:
        assert row.run(Absent, moving("a"))
    else:
        with pytest.raises(DataError, match="steps gave .*nan.* for frame"):
            row.run(Absent, moving("a"))


def test_a_report_asks_for_a_protocol_that_is_scored_by_curves(tmp_path, sequences):
    with pytest.raises(SettingsError, match="'vot' is not scored by curves"):
        make_report(tmp_path, sequences, ["stay-put"], "vot")


class TestANewRow:
    """A toy protocol is added to the table; the commands do the rest."""

    @pytest.fixture
    def late(self, monkeypatch):
        """Two passes, from the middle and from two thirds; no number in a name is a start."""
        starts = {"middle-7": T // 2, "late": 2 * T // 3}
        row = Protocol(
            "halves",
            lambda make, q: [track(make(), q, start) for start in starts.values()],
            lambda q: starts,
        )
        monkeypatch.setitem(protocols.PROTOCOLS, "halves", row)
        return starts

    def test_of_passes_is_run_kept_and_scored_by_the_commands(
        self, tmp_path, sequences, late, capsys
    ):
        assert command("evaluate", tmp_path, "--protocol", "halves", "--per-sequence") == 0
        said = capsys.readouterr().out
        assert "**generated-v1**, HALVES, 2 sequences" in said and "| gen-b | stay-put |" in said
        folder = tmp_path / "generated-v1" / "stay-put"
        for name, start in late.items():
            result = read_result(folder / f"gen-a.halves-{name}.txt")
            assert len(result) == T - start and result.boxes[0, 0] == 20 + start
        assert (folder / "records" / "halves" / "gen-a.json").is_file()
        # 10 px wide, left behind by 1 px a frame: IoU (10 − d) / (10 + d) with d = 0 … 14, 0 … 9
        ious = [max(10 - d, 0) / (10 + d) for n in (15, 10) for d in range(n)]
        row = make_report(tmp_path, sequences.only(["gen-a"]), ["stay-put"], "halves").overall()
        assert row["stay-put"]["mean_iou"] == pytest.approx(np.mean(ious))
        stamp = (folder / "gen-a.halves-late.txt").stat().st_mtime_ns
        assert command("evaluate", tmp_path, "--protocol", "halves") == 0  # nothing is left to do
        assert (folder / "gen-a.halves-late.txt").stat().st_mtime_ns == stamp
        out = str(tmp_path / "out")
        assert command("report", tmp_path, "--protocol", "halves", "--out", out) == 0
        assert "HALVES" in (tmp_path / "out" / "report.md").read_text()

    def test_has_no_place_in_a_toolkits_layout(self, tmp_path, sequences, late):
        source = ("course", tmp_path)
        with pytest.raises(SettingsError, match="no place for results of protocol 'halves'"):
            export_results(source, sequences, "stay-put", "halves", ("otb", tmp_path / "x"))

    def test_with_scores_of_its_own_has_its_own_columns(
        self, tmp_path, sequences, monkeypatch, capsys
    ):
        class Length(Supervised):
            columns = {"frames": "frames, mean", "failures": "lost"}  # noqa: RUF012
            brief, best, note = ("failures",), "frames", "A toy."

            def score(self, runs, benchmark):
                failures = sum(run.failures for repeated in runs for run in repeated)
                return {"frames": float(np.mean([len(s) for s in benchmark])), "failures": failures}

        row = Length("toy", PROTOCOLS["vot"].run, experiment="toys", title="a toy of a protocol")
        monkeypatch.setitem(protocols.PROTOCOLS, "toy", row)
        assert command("evaluate", tmp_path, "--protocol", "toy", "--per-sequence") == 0
        said = capsys.readouterr().out
        assert "**generated-v1**, a toy of a protocol\n" in said and "\nA toy.\n" in said
        assert "| tracker | frames, mean | lost |" in said and "| stay-put | 30 | 5 |" in said
        # lost where 10 px behind, in frames 10 and 25 and in 5, 15, 25; restarted 5 frames later
        assert "| gen-a | stay-put | 2 |" in said and "| gen-b | stay-put | 3 |" in said
        folder = tmp_path / "generated-v1" / "stay-put"
        assert (folder / "toys" / "gen-b" / "gen-b_001.txt").is_file()
        files = export_results(
            ("course", tmp_path), sequences, "stay-put", "toy", ("vot", tmp_path / "v")
        )
        assert files[0] == tmp_path / "v" / "stay-put" / "toys" / "gen-a" / "gen-a_001.bin"
