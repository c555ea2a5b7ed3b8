"""Datasets downloaded by hand: later archives are added, differences reported, the rest kept."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from script_files import (
    _install,
    got10k_video,
    jpeg,
    lasot_video,
    packed,
    run,
    script,
)

from course_lib.data.benchmarks import load_benchmark
from course_lib.errors import CourseError

got10k, lasot, uav123 = map(script, ("got10k", "lasot", "uav123"))


def put(folder: Path, **archives: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, members in archives.items():
        (folder / f"{name}.zip").write_bytes(packed(members))
    return folder


def got(root: Path, split: str = "val") -> int:
    return run(got10k.main, ["--root", str(root), "--split", split])


def names(root: Path, benchmark: str = "got10k-val") -> list[str]:
    return load_benchmark(benchmark, root).names


# ---- GOT-10k


def test_a_second_archive_is_added(tmp_path, capsys):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("val/GOT-10k_Val_000002"))
    assert got(tmp_path) == 0 and names(tmp_path) == ["GOT-10k_Val_000002"]
    put(place, two=got10k_video("GOT-10k_Val_000001") | got10k_video("GOT-10k_Val_000010"))
    capsys.readouterr()
    assert got(tmp_path) == 0
    said = capsys.readouterr().out
    assert "two.zip" in said and "one.zip" not in said and "3 sequences" in said
    expected = ["GOT-10k_Val_000001", "GOT-10k_Val_000002", "GOT-10k_Val_000010"]
    assert names(tmp_path) == expected
    assert (tmp_path / "got10k/val/list.txt").read_text().split() == expected
    assert got(tmp_path) == 0 and "unpacking" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["TWO.ZIP", "two.tar", "two.tar.gz", "two.tar.xz", "two.tgz"])
def test_archives_of_every_ending_are_noticed(tmp_path, name):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    assert got(tmp_path) == 0
    if name == "TWO.ZIP":
        (place / name).write_bytes(packed(got10k_video("b")))
    else:
        for path, content in got10k_video("new/b").items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        kind = {"two.tar": "tar", "two.tar.xz": "xztar"}.get(name, "gztar")
        made = shutil.make_archive(str(tmp_path / "made"), kind, tmp_path / "new")
        Path(made).rename(place / name)
    assert got(tmp_path) == 0 and names(tmp_path) == ["a", "b"]


def test_other_files_beside_the_archives_are_named(tmp_path, capsys):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    (place / "two.rar").write_bytes(b"Rar!")
    (place / "three.zip.crdownload").write_bytes(b"PK")
    (place / "four.zip").mkdir()
    (place / ".DS_Store").touch()
    assert got(tmp_path) == 0
    said = capsys.readouterr().err
    assert "ignored" in said and "four.zip, three.zip.crdownload, two.rar" in said
    assert "DS_Store" not in said


@pytest.mark.parametrize("change", [
    {"a/groundtruth.txt": b"9,9,9,9\n"}, {"a/00000001.jpg": jpeg(6)}, {"a/meta_info.ini": b"x"},
])  # fmt: skip
def test_an_existing_sequence_that_differs_is_reported_and_kept(tmp_path, capsys, change):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    assert got(tmp_path) == 0
    before = {p: p.read_bytes() for p in (tmp_path / "got10k/val/a").iterdir()}
    put(place, two=got10k_video("a") | change | got10k_video("b"))
    for _ in range(2):  # and is reported again, until the user decides
        assert got(tmp_path) == 2
        said = capsys.readouterr().err
        assert "1 of the archives' pieces exist already and differ" in said
        assert str(tmp_path / "got10k/val/a") in said and "two.zip" in said
    assert {p: p.read_bytes() for p in (tmp_path / "got10k/val/a").iterdir()} == before
    assert names(tmp_path) == ["a", "b"]  # the rest was added
    shutil.rmtree(tmp_path / "got10k/val/a")
    (place / "one.zip").unlink()
    assert got(tmp_path) == 0
    assert (tmp_path / "got10k/val" / next(iter(change))).read_bytes() == change[next(iter(change))]


def test_the_same_sequence_again_is_no_difference(tmp_path, capsys):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    assert got(tmp_path) == 0
    (tmp_path / "got10k/val/a/.DS_Store").touch()
    put(place, two=got10k_video("a"))
    assert got(tmp_path) == 0 and names(tmp_path) == ["a"]


def test_files_of_one_size_and_time_are_compared_byte_for_byte(tmp_path):
    for name, content in (("one", "1,2,3,4"), ("other", "9,9,9,9")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "groundtruth.txt").write_text(content)
        os.utime(tmp_path / name / "groundtruth.txt", (1, 1))
    assert not _install._same(tmp_path / "one", tmp_path / "other")
    assert _install._same(tmp_path / "one", tmp_path / "one")


def test_an_archive_that_changed_and_a_sequence_that_is_gone_are_noticed(tmp_path):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    assert got(tmp_path) == 0
    put(place, one=got10k_video("a") | got10k_video("b"))
    assert got(tmp_path) == 0 and names(tmp_path) == ["a", "b"]
    shutil.rmtree(tmp_path / "got10k/val/b")
    assert got(tmp_path) == 0 and names(tmp_path) == ["a", "b"]


def test_an_interrupted_install_is_repeated(tmp_path, monkeypatch):
    archive = got10k_video("a") | got10k_video("b") | got10k_video("c")
    place = put(tmp_path / "got10k/archives/val", zero=got10k_video("z"))
    assert got(tmp_path) == 0
    put(place, one=archive)
    real, moved = Path.rename, []

    def rename(path, target):
        if Path(target).parent == tmp_path / "got10k/val":
            moved.append(target)
            if len(moved) == 2:
                raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        assert got(tmp_path) == 130
    assert sorted(p.name for p in (tmp_path / "got10k/val").iterdir()) == ["a", "list.txt", "z"]
    assert got(tmp_path) == 0 and names(tmp_path) == ["a", "b", "c", "z"]


def test_one_damaged_archive_does_not_hide_what_came_before_it(tmp_path, capsys):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    assert got(tmp_path) == 0
    put(place, two=got10k_video("b"))
    (place / "x.zip").write_bytes(b"PK")
    assert got(tmp_path) == 2 and "x.zip is neither" in capsys.readouterr().err
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(("members", "words"), [
    ({"readme.txt": b""}, "contains no groundtruth.txt; it is not an archive of GOT-10k"),
    ({"full/GOT-10k_Val.zip": b"PK"}, r"contains further archives \(GOT-10k_Val.zip\): unpack it"),
    (got10k_video("GOT-10k_Test_000001"),
     "a sequence of the split test. Move the archive to .*archives/test"),
    ({"a/groundtruth.txt": b"1,2,3,4\n"}, "0 images found"),
    (got10k_video("a") | {"a/groundtruth.txt": b"1,2,3\n"}, "line 1: '1,2,3'; expected 4"),
    (got10k_video("a") | got10k_video("b", 2) | {"b/groundtruth.txt": b"1,2,3,4\n"}, "1 rows"),
])  # fmt: skip
def test_archives_of_something_else_install_nothing(tmp_path, capsys, members, words):
    put(tmp_path / "got10k/archives/val", one=members)
    assert got(tmp_path) == 2
    with pytest.raises(CourseError, match=words):
        raise CourseError(capsys.readouterr().err)
    assert list((tmp_path / "got10k/val").iterdir()) == []


def test_the_test_split_may_hold_the_first_box_alone(tmp_path):
    members = got10k_video("GOT-10k_Test_000001", 3)
    members["GOT-10k_Test_000001/groundtruth.txt"] = b"1,2,3,4\n"
    put(tmp_path / "got10k/archives/test", one=members)
    assert got(tmp_path, "test") == 0 and len(names(tmp_path, "got10k-test")) == 1


def test_a_list_that_someone_shortened_stays_short(tmp_path):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a") | got10k_video("B"))
    assert got(tmp_path) == 0
    (tmp_path / "got10k/val/list.txt").write_bytes(b"\xef\xbb\xbfb\r\n")
    put(place, two=got10k_video("c") | got10k_video("B"))
    assert got(tmp_path) == 0 and names(tmp_path) == ["B", "c"]
    (tmp_path / "got10k/val/list.txt").unlink()
    assert got(tmp_path) == 0 and names(tmp_path) == ["B", "a", "c"]


def test_what_was_unpacked_by_hand_needs_no_archive_and_stays_listed(tmp_path):
    for path, content in got10k_video("got10k/val/mine").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    assert got(tmp_path) == 0 and names(tmp_path) == ["mine"]
    (tmp_path / "got10k/val/list.txt").unlink()
    put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    assert got(tmp_path) == 0 and names(tmp_path) == ["a", "mine"]


@pytest.mark.parametrize("content", ["", '{"one', "[]"])
def test_a_damaged_record_of_installs_is_named(tmp_path, capsys, content):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    (place / "installed.json").write_text(content)
    assert got(tmp_path) == 2
    assert "installed.json" in (said := capsys.readouterr().err) and "delete it and run" in said


@pytest.mark.parametrize(
    "entry", [3, None, [], {}, {"size": "x"}, {"size": 1, "changed": 2, "places": 3}]
)
def test_a_record_of_something_else_is_not_trusted(tmp_path, entry):
    place = put(tmp_path / "got10k/archives/val", one=got10k_video("a"))
    (place / "installed.json").write_text(json.dumps({"one.zip": entry}))
    assert got(tmp_path) == 0 and names(tmp_path) == ["a"]


def test_a_full_disk_while_unpacking_leaves_nothing(tmp_path, monkeypatch, capsys):
    put(tmp_path / "got10k/archives/val", one=got10k_video("a"))

    def full(*arguments):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(_install, "_move", full)
    assert got(tmp_path) == 2
    assert list((tmp_path / "got10k/val").iterdir()) == []


# ---- LaSOT and UAV123


def test_lasot_adds_an_archive_and_keeps_either_layout(tmp_path):
    place = put(tmp_path / "lasot/archives", dog=lasot_video("dog/dog-1"))
    arguments = ["--root", str(tmp_path)]
    assert run(lasot.main, arguments) == 0
    put(place, cat=lasot_video("LaSOT/cat/cat-2"), dog2=lasot_video("dog-1"))
    assert run(lasot.main, arguments) == 0 and names(tmp_path, "lasot") == ["cat-2", "dog-1"]
    put(place, cat=lasot_video("cat/cat-2") | {"cat/cat-2/groundtruth.txt": b"5,5,5,5\n"})
    assert run(lasot.main, arguments) == 2
    (tmp_path / "lasot/flat-1").mkdir()
    for path in (tmp_path / "lasot/dog/dog-1").iterdir():
        path.rename(tmp_path / "lasot/flat-1" / path.name)
    shutil.rmtree(tmp_path / "lasot/dog")
    (place / "cat.zip").unlink()
    (place / "dog.zip").unlink()
    (place / "dog2.zip").unlink()
    put(place, flat=lasot_video("flat/flat-1"))
    assert run(lasot.main, arguments) == 0
    assert names(tmp_path, "lasot") == ["cat-2", "flat-1"]


def uav(*videos: str, box: bytes = b"1,2,3,4\n") -> dict[str, bytes]:
    frames = {f"UAV123/data_seq/UAV123/{v}/000001.jpg": jpeg(9) for v in videos}
    return frames | {f"UAV123/anno/UAV123/{v}.txt": box for v in videos}


def test_uav123_interrupted_added_to_and_differing(tmp_path, monkeypatch, capsys):
    place, arguments = tmp_path / "uav123/archives", ["--root", str(tmp_path)]
    put(place, one=uav("bike", "car"))
    real = Path.rename

    def rename(path, target):
        if Path(target).suffix == ".txt":
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        assert run(uav123.main, arguments) == 130
    assert (tmp_path / "uav123/data_seq").is_dir()
    assert run(uav123.main, arguments) == 0 and names(tmp_path, "uav123") == ["bike", "car"]
    put(place, two=uav("dog"))
    assert run(uav123.main, arguments) == 0 and len(names(tmp_path, "uav123")) == 3
    put(place, three=uav("car", box=b"5,5,5,5\n"))
    assert (
        run(uav123.main, arguments) == 2 and "car.txt (from three.zip)" in capsys.readouterr().err
    )
    (place / "three.zip").write_bytes(packed({"data_seq/UAV123/x/000001.jpg": b""}))
    assert run(uav123.main, arguments) == 2
    assert "contains no folders data_seq and anno" in capsys.readouterr().err
