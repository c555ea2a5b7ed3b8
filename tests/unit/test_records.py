"""Kept results on disk: damaged, changed, cut off, somebody else's; and what --fresh may touch."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_files import STAY, T, everything, go, little, refused

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError, DataError, MissingDataError, SettingsError
from course_lib.evaluation import kept, records
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run
from course_lib.evaluation.report import make_report
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.files import digest


@pytest.fixture
def benchmark(tmp_path):
    return little(tmp_path)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "results"


# --- the record and the files ---


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_is_resumed_and_only_missing_results_are_made_again(root, benchmark, protocol):
    files = go(root, benchmark, protocol=protocol)
    assert all(f.is_file() for f in files)
    stamps = {f: f.stat().st_mtime_ns for f in files}
    assert go(root, benchmark, protocol=protocol) == files
    assert {f: f.stat().st_mtime_ns for f in files} == stamps
    files[0].unlink()
    go(root, benchmark, protocol=protocol)
    quick = [f for f in files if "quick" in f.name]
    assert files[0].is_file() and [f.stat().st_mtime_ns for f in quick] == [
        stamps[f] for f in quick
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_changed_result_is_not_taken_for_ours(root, benchmark, protocol):
    files = go(root, benchmark, protocol=protocol)
    text = files[0].read_text()
    files[0].write_text(text.replace("0000", "1000", 1) if "0000" in text else text + "0\n")
    refused(root, benchmark, f"{files[0].name} was changed or removed after", protocol=protocol)
    with pytest.raises(DataError, match=r"calm .*is not shown: .*was changed or removed"):
        check_kept(root, benchmark, ["stay-put"], protocol)
    go(root, benchmark, protocol=protocol, fresh=True)
    assert files[0].read_text() == text and not check_kept(root, benchmark, ["stay-put"], protocol)


def damage(record: dict) -> list[str]:
    """The texts of damaged records."""
    text = json.dumps(record)
    wrong = [
        {},
        {"files": []},
        {k: v for k, v in record.items() if k != "made_of"},
        record | {"format": 1},
        record | {"format": None},
        record | {"protocol": "else"},
        record | {"made_by": "mosse"},
        record | {"files": ["../../x.txt"]},
        record | {"files": {"../../x.txt": "0" * 64}},
        record | {"files": {**record["files"], "gone.txt": "0" * 64}},
        record | {"files": dict(list(record["files"].items())[:1])},
        record | {"files": dict.fromkeys(record["files"])},
    ]
    cuts = [text[:k] for k in range(0, len(text), len(text) // 7)]
    wrong = [other for other in wrong if other != record]
    return [*cuts, *map(json.dumps, wrong), "[]", "null", "17", '"x"', "[" * 5000, text * 2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_damaged_record_is_reported_and_never_a_wrong_score(root, benchmark, protocol):
    files = go(root, benchmark, protocol=protocol)
    record = Run(root, benchmark, "stay-put", benchmark["calm"], protocol).record
    before, outside = everything(root), root.parent / "x.txt"
    outside.write_text("not ours")
    whole = json.loads(record.read_text())
    for text in damage(whole):
        record.write_text(text)
        refused(root, benchmark, "of calm that are not what is asked for: ", protocol=protocol)
        with pytest.raises(DataError, match=r"calm\.json|calm in .* is not shown"):
            check_kept(root, benchmark, ["stay-put"], protocol)
    record.write_bytes(b"\xff\xfe\x00")
    refused(root, benchmark, "is damaged", protocol=protocol)
    go(root, benchmark, protocol=protocol, fresh=True)
    assert everything(root).keys() == before.keys() and outside.read_text() == "not ours"
    assert [f.is_file() for f in files] and not check_kept(root, benchmark, ["stay-put"], protocol)


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(
                        ["format", "protocol", "made_by", "made_of", "files", "x"]), inner,
                        max_size=6), max_leaves=12), st.booleans())  # fmt: skip
def test_any_content_of_a_record_is_accepted_or_reported(tmp_path_factory, content, keep_format):
    if keep_format and isinstance(content, dict):
        content |= {"format": records.FORMAT, "protocol": "ope"}
    folder = tmp_path_factory.mktemp("any")
    frames = ArrayFrames(np.zeros((2, 30, 30, 3), np.uint8))
    benchmark = Benchmark("little", (Sequence("calm", frames, [[1, 1, 9, 9]] * 2),))
    go(folder, benchmark)
    run = Run(folder, benchmark, "stay-put", benchmark["calm"], "ope")
    run.record.write_text(json.dumps(content))
    try:
        go(folder, benchmark)  # a record of an interrupted run: made again
    except CourseError as problem:
        assert "calm" in str(problem)
    else:
        assert content["files"] is None
        assert check_kept(folder, benchmark, ["stay-put"], "ope") == []


def test_a_run_cut_off_between_result_and_record_is_made_again(root, benchmark, monkeypatch):
    written = []

    def breaks(run, record, whole=records._write_record):
        written.append(record["files"])
        if len(written) == 2:
            raise KeyboardInterrupt
        whole(run, record)

    monkeypatch.setattr(records, "_write_record", breaks)
    with pytest.raises(KeyboardInterrupt):
        go(root, benchmark)
    assert written[0] is None and (root / "little" / "stay-put" / "calm.txt").is_file()
    with pytest.raises(DataError, match="was cut off while it was written"):
        check_kept(root, benchmark, ["stay-put"], "ope")
    monkeypatch.undo()
    go(root, benchmark)
    assert check_kept(root, benchmark, ["stay-put"], "ope") == []


def test_a_full_disk_is_one_sentence_and_ends_everything(root, benchmark, monkeypatch):
    asked = []

    def full(path, text):
        asked.append(path)
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(records, "write_whole", full)
    with pytest.raises(CourseError, match=r"^there is no room left on the disk of .*calm\.json"):
        go(root, benchmark)
    assert len(asked) == 1 and everything(root) == {}


# --- results of somebody else ---


def by_hand(root, tracker="published", names=("calm", "quick")):
    """A public tracker's boxes, put there by hand."""
    folder = root / "little" / tracker
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.txt").write_text("20,10,12,10\n" * T)


def test_results_without_a_record_are_shown_with_a_sentence(root, benchmark):
    by_hand(root)
    (note,) = check_kept(root, benchmark, ["published"], "ope")
    assert note.startswith("Of unknown origin: 2 of 2 results of published have no record")
    assert make_report(root, benchmark, ["published"]).overall()["published"]["auc"] > 0.9


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_results_without_a_record_are_neither_used_nor_replaced(root, benchmark, fresh, old):
    by_hand(root, "stay-put", ["quick"])
    if old:
        stated = {"tracker": "stay-put", "settings": {}, "recipe": None}
        (root / "little" / "stay-put" / "tracker.json").write_text(json.dumps(stated))
    before = everything(root)
    words = "an earlier version of the course" if old else "`evaluate` did not make them"
    with pytest.raises(
        CourseError,
        match=f"of quick that are not what is asked for: .*{words}.*another --label, or move",
    ):
        go(root, benchmark, fresh=fresh)
    assert everything(root) == before
    go(root, benchmark, TrackerSpec("stay-put", label="mine"))  # the remedy that it names


def test_results_of_several_settings_under_one_name_are_not_shown(root, benchmark):
    go(root, benchmark, TrackerSpec("ncc"))
    half = benchmark.only(["quick"])
    go(root, half, TrackerSpec("ncc", {"search": 3}), fresh=True)
    assert check_kept(root, half, ["ncc"], "ope") == []
    with pytest.raises(DataError, match=r"from calm to quick, search was 2\.0, is now 3\.0"):
        check_kept(root, benchmark, ["ncc"], "ope")


def test_passes_follow_from_the_sequence_alone(benchmark):
    starts = {
        name: PROTOCOLS[name].starts(benchmark["calm"]) for name in ("tre", "sre", "realtime")
    }
    assert starts["tre"] == {f"{k:05d}": k for k in range(5)}
    assert len(starts["sre"]) == 12 and set(starts["sre"].values()) == {0}
    assert starts["realtime"] == {"0": 0}


def test_missing_results_are_still_missing(root, benchmark):
    go(root, benchmark.only(["calm"]))
    assert check_kept(root, benchmark, ["stay-put"], "ope") == []
    with pytest.raises(MissingDataError, match="no ope results .* for stay-put on quick"):
        make_report(root, benchmark, ["stay-put"])


# --- names and manual changes ---


NAMES = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="./\\~ab:*\0 ", max_size=8),
    st.sampled_from(
        ["..", ".", "", "/abs", "a/../../b", "../x", "a//b", "CON", "a" * 300, "ä", "é b"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(NAMES, st.sampled_from(["label", "benchmark", "sequence"]))
def test_no_name_leads_outside_its_folder(tmp_path_factory, name, what):
    top = tmp_path_factory.mktemp("names")
    root = top / "a" / "b" / "results"
    frames = ArrayFrames(np.zeros((2, 30, 30, 3), np.uint8))
    called = name if what == "sequence" else "calm"
    benchmark = Benchmark(
        name if what == "benchmark" else "little", (Sequence(called, frames, [[1, 1, 9, 9]] * 2),)
    )
    spec = TrackerSpec("stay-put", label=name if what == "label" else None)
    try:
        files = evaluate([spec], benchmark, root, progress=False)
    except SettingsError:
        assert not root.exists()
        return
    made = [p for p in top.rglob("*") if p.is_file()]
    inside = root / benchmark.name / spec.folder
    assert files[0].is_file() and len(made) == 3
    assert all(p.resolve().is_relative_to(inside.resolve()) for p in made)
    assert len(benchmark.name.split("/")) == len(spec.folder.split("/")) == 1


@pytest.mark.parametrize("name", ["times", "records/x", "baseline", "a.tre-00001", "x.sre-left"])
def test_a_sequence_cannot_have_the_name_of_result_files(root, name):
    q = Sequence(name, ArrayFrames(np.zeros((2, 30, 30, 3), np.uint8)), [[1, 1, 9, 9]] * 2)
    with pytest.raises(SettingsError, match="give its folder another name"):
        go(root, Benchmark("little", (q,)))


def test_a_sequence_in_a_folder_stays_inside(root, benchmark):
    """As ImageNet-VID's are: "train/video.0"."""
    vid = Benchmark("vid", (replace(benchmark["calm"], name="train/video.0"),))
    for protocol in PROTOCOLS:
        files = go(root, vid, protocol=protocol)
        assert all(f.is_relative_to(root / "vid" / "stay-put") and f.is_file() for f in files)
        assert check_kept(root, vid, ["stay-put"], protocol) == []


def test_fresh_replaces_only_what_is_asked_for(root, benchmark):
    everyone = [STAY, TrackerSpec("ncc"), TrackerSpec("stay-put", label="other")]
    for protocol in PROTOCOLS:
        evaluate(everyone, benchmark, root, protocol, progress=False)
    folder = root / "little" / "stay-put"
    for place in (folder, folder / "times", folder / "records" / "tre"):
        (place / "notes.txt").write_text("mine")
    for name in ("calm.tre-00099.txt", "calm.tre.json", "calm.txt.bak"):
        (folder / name).write_text("mine too")
    before = everything(root)
    stamps = {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}
    go(root, benchmark.only(["calm"]), protocol="tre", fresh=True)
    replaced = {p for p, stamp in stamps.items() if p.stat().st_mtime_ns != stamp}
    run = Run(root, benchmark, "stay-put", benchmark["calm"], "tre")
    assert replaced == {run.record, *run.written} and everything(root).keys() == before.keys()


@pytest.mark.parametrize(("more", "words"), [
    ({"protocol": "opee"}, "there is no protocol 'opee'. Did you mean 'ope'"),
    ({"workers": 0}, "--workers is 0"),
    ({"workers": -1}, "--workers is -1"),
    ({"workers": 1.5}, r"--workers is 1\.5"),
    ({"lockstep": 0}, "--lockstep is 0"),
    ({"lockstep": -5}, "--lockstep is -5"),
    ({"trackers": []}, "nothing to run: 0 trackers"),
    ({"benchmark": Benchmark("little", ())}, "and 0 sequences in 'little'"),
    ({"trackers": [STAY, STAY]}, "would keep their results as stay-put"),
    ({"trackers": [STAY, TrackerSpec("ncc", label="Stay-Put")]}, "as Stay-Put, stay-put"),
    ({"trackers": [STAY, TrackerSpec("moose")]}, "Did you mean 'mosse'"),
    ({"trackers": [STAY, TrackerSpec("mosse", {"rat": 0.1})]}, "did you mean 'rate'"),
    ({"trackers": [STAY, TrackerSpec("mosse", recipe="gone.yaml")]}, "gone.yaml does not exist"),
    ({"trackers": [STAY, TrackerSpec("siamfc", {"weights": "gone"})]}, "no weights 'gone'"),
])  # fmt: skip
def test_arguments_are_checked_before_anything_is_touched(root, benchmark, more, words):
    go(root, benchmark)
    before = everything(root)
    call = {"trackers": [STAY], "benchmark": benchmark, "root": root, "progress": False} | more
    with pytest.raises(CourseError, match=words):
        evaluate(**call, fresh=True)
    assert everything(root) == before


def test_the_folder_of_results_must_be_a_folder(root, benchmark, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "below"):
        with pytest.raises(SettingsError, match=f"{file} is a file; name a folder"):
            go(place, benchmark)
    assert file.read_text() == "mine"
    monkeypatch.setattr(kept.os, "access", lambda path, mode: False)
    with pytest.raises(SettingsError, match="cannot be written to; name another"):
        go(root, benchmark)


def test_fresh_removes_passes_of_an_earlier_ground_truth_but_not_other_files(root, benchmark):
    """T = 24 frames give starts 0 to 4; without a box in frames 2 to 4 they are 0 and 1."""
    calm, quick = benchmark
    go(root, benchmark, protocol="tre")
    folder = root / "little" / "stay-put"
    boxes = calm.boxes.copy()
    boxes[2:5] = np.nan
    other = Benchmark("little", (replace(calm, boxes=boxes), quick))
    changed = folder / "calm.tre-00003.txt"
    changed.write_text("mine")  # somebody changed one of our files: it is now theirs
    go(root, other, protocol="tre", fresh=True)
    assert sorted(p.name for p in folder.glob("calm.tre-*")) == [
        f"calm.tre-{k:05d}.txt" for k in (0, 1, 3)
    ]
    assert changed.read_text() == "mine" and len(list(folder.glob("quick.tre-*"))) == 5


def test_a_record_made_up_by_hand_removes_nothing_outside(root, benchmark):
    go(root, benchmark, protocol="tre")
    run = Run(root, benchmark, "stay-put", benchmark["calm"], "tre")
    outside = [root / "calm.tre-x.txt", run.folder / "notes.txt", run.folder / "calm.txt"]
    for path in outside:
        path.write_text("mine")
    record = json.loads(run.record.read_text())
    names = ["../../calm.tre-x.txt", str(outside[0]), "notes.txt", "calm.txt", "times/../notes.txt"]
    record["files"] |= dict.fromkeys(names, digest(outside[0]))
    run.record.write_text(json.dumps(record))
    go(root, benchmark, protocol="tre", fresh=True)
    assert [path.read_text() for path in outside] == ["mine"] * 3
