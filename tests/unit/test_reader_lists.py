"""Lists of names: a clear name is read, all else is an error; no test video is trained on."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_files import images, rows, write

from course_lib.data.readers import folders
from course_lib.data.readers.got10k import read_got10k
from course_lib.data.readers.lasot import read_lasot, read_lasot_train
from course_lib.data.readers.lists import chosen
from course_lib.data.readers.otb import read_otb
from course_lib.data.readers.vot import read_vot
from course_lib.errors import DataError, MissingDataError

MARK = b"\xef\xbb\xbf"


def lasot(root: Path, *names: str, flat: bool = False) -> Path:
    for name in names:
        folder = root / ("" if flat else name.rpartition("-")[0]) / name
        images(folder / "img", [1])
        write(folder / "groundtruth.txt", rows(1))
        for label in ("full_occlusion", "out_of_view"):
            write(folder / f"{label}.txt", "0")
    return root


def trained(root: Path) -> list[str]:
    return [sequence.name for sequence in read_lasot_train(root)]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("content", [
    b"dog-1\ncat-2\n",
    MARK + b"dog-1\ncat-2\n",
    b"dog-1\r\ncat-2\r\n",
    b"dog-1\r\r\ncat-2\r\r\n",
    b"dog-1\rcat-2\r",
    b"Dog-1\nCAT-2\n",
    b"dog/dog-1\ncat/cat-2\n",
    b"dog\\dog-1\r\ncat\\cat-2\r\n",
    b"./dog/dog-1/\n./cat/cat-2/\n",
    b"  dog-1  \n\n\tcat-2\n\n",
    "dog-1\ncat-2\n".encode("utf-16"),
    MARK + b"Dog/DOG-1\r\ncat-2",
])  # fmt: skip
def test_lasot_never_trains_on_what_its_testing_set_names(tmp_path, content, flat):
    lasot(tmp_path, "dog-1", "dog-2", "cat-1", "cat-2", flat=flat)
    (tmp_path / "testing_set.txt").write_bytes(content)
    assert trained(tmp_path) == ["cat-1", "dog-2"]
    assert [sequence.name for sequence in read_lasot(tmp_path)] == ["dog-1", "cat-2"]


@pytest.mark.parametrize(("content", "sentence"), [
    (b"", r"testing_set\.txt is empty; expected one name per line"),
    (MARK + b"\n \n", r"testing_set\.txt is empty"),
    (b"dog-1\ndgo-2\n", r"1 sequences of .*testing_set\.txt are missing \(dgo-2\).* in line 2"),
    (b"dog-1 dog-2\n", r"missing \(dog-1 dog-2\)"),
    (b"dog-1, dog-2\n", r"missing"),
    (b"cat/dog-1\n", r"missing \(cat/dog-1\)"),
    (b"dog\n", r"missing \(dog\)"),
    (b"dog-1\ndog-1\n", r"lists dog-1 more than once"),
    (b"dog-1\ncat-2\nDog/dog-1\n",
     r"testing_set\.txt, line 3: 'Dog/dog-1' is .*dog-1 again, like 'dog-1' in line 1"),
    (b"cat-1\n../../dog-1\n", r"testing_set\.txt, line 2: '\.\./\.\./dog-1' leads out of"),
    (b"dog/../dog-1\n", r"line 1: .* leads out"),
    (b"..\\dog-1\n", r"line 1: .* leads out"),
    (b"/data/lasot/dog/dog-1\n", r"line 1: .* leads out"),
    (b"C:\\lasot\\dog-1\n", r"line 1: .* leads out"),
    (b"~/dog-1\n", r"line 1: .* leads out"),
    (b"/\n", r"line 1: .* leads out"),
    (b".\n", r"missing"),
    (b"\xff\x00dog-1\n", r"missing"),
    (b"dog-1\ndog-2\ncat-1\ncat-2\n", r"all 4 sequences in .* are test sequences"),
])  # fmt: skip
def test_a_testing_set_that_is_not_understood_stops_training(tmp_path, content, sentence):
    lasot(tmp_path, "dog-1", "dog-2", "cat-1", "cat-2")
    (tmp_path / "testing_set.txt").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_lasot_train(tmp_path)


def test_lasot_training_set_is_read_and_must_not_meet_the_testing_set(tmp_path):
    lasot(tmp_path, "dog-1", "dog-2", "cat-1")
    write(tmp_path / "testing_set.txt", "dog-1\n")
    (tmp_path / "training_set.txt").write_bytes(MARK + b"dog/dog-2\r\n")
    assert trained(tmp_path) == ["dog-2"]
    write(tmp_path / "training_set.txt", "dog-2\nDOG-1\n")
    with pytest.raises(DataError, match=r"training_set\.txt names dog-1, which testing_set\.txt"):
        read_lasot_train(tmp_path)
    write(tmp_path / "training_set.txt", "")
    with pytest.raises(DataError, match=r"training_set\.txt is empty"):
        read_lasot_train(tmp_path)


def test_lasot_reads_both_layouts_together_and_no_work_in_progress(tmp_path):
    lasot(tmp_path, "dog-1")
    lasot(tmp_path, "cat-1", flat=True)
    lasot(tmp_path / ".dog.zip.unpacking", "dog-3", flat=True)
    lasot(tmp_path / "__MACOSX", "dog-4", flat=True)
    lasot(tmp_path / "lost+found", "dog-5", flat=True)
    assert [sequence.name for sequence in read_lasot(tmp_path)] == ["cat-1", "dog-1"]


def test_a_name_that_matches_two_folders_is_refused_and_exact_case_decides(tmp_path):
    lasot(tmp_path, "dog-1", "dog-2")
    lasot(tmp_path, "dog-1", flat=True)
    write(tmp_path / "testing_set.txt", "dog-1\n")
    with pytest.raises(DataError, match=r"line 1: 'dog-1' matches .*dog-1 and .*dog/dog-1"):
        read_lasot_train(tmp_path)
    both = [tmp_path / "Dog", tmp_path / "dog"]
    write(tmp_path / "list.txt", "dog\n")
    assert chosen(both, tmp_path / "list.txt", "") == [tmp_path / "dog"]
    write(tmp_path / "list.txt", "DOG\n")
    with pytest.raises(DataError, match="matches"):
        chosen(both, tmp_path / "list.txt", "")


def got10k(root: Path, *names: str) -> Path:
    for name in names:
        images(root / name, [1], "{:08d}.jpg")
        write(root / name / "groundtruth.txt", rows(1))
    return root


@pytest.mark.parametrize("read", [read_got10k, read_vot])
def test_list_txt_with_byte_order_mark_blanks_and_accents(tmp_path, read):
    split = got10k(tmp_path / "val", "my dog", "Ärger 2", "plain")
    names = ["val/plain", unicodedata.normalize("NFD", "Ärger 2"), "My Dog"]
    (split / "list.txt").write_bytes(MARK + "\r\n".join(names).encode())
    assert [sequence.name for sequence in read(split)] == ["plain", "Ärger 2", "my dog"]


@pytest.mark.parametrize("read", [read_got10k, read_vot, read_otb])
@pytest.mark.parametrize(("text", "sentence"), [
    ("", r"list\.txt is empty"),
    ("a\nb\nA\n", r"list\.txt, line 3: 'A' is .*a again"),
    ("a\ngone\n", r"1 sequences of .*list\.txt are missing \(gone\) .*line 2"),
    ("../val/a\n", r"list\.txt, line 1: .* leads out"),
])  # fmt: skip
def test_list_txt_that_is_not_understood(tmp_path, read, text, sentence):
    split = got10k(tmp_path / "val", "a", "b")
    for name in "ab":
        images(split / name / "img", [1])
        write(split / name / "groundtruth_rect.txt", rows(1))
    write(split / "list.txt", text)
    with pytest.raises(DataError, match=sentence):
        read(split)


def test_nothing_outside_the_folder_is_read(tmp_path):
    got10k(tmp_path, "secret")
    split = got10k(tmp_path / "val", "a")
    for name in ("../secret", str(tmp_path / "secret"), "a/../../secret"):
        write(split / "list.txt", f"a\n{name}\n")
        with pytest.raises(DataError, match="leads out"):
            read_got10k(split)


def test_a_list_that_is_a_folder_is_not_ignored(tmp_path):
    split = got10k(tmp_path / "val", "a")
    (split / "list.txt").mkdir()
    with pytest.raises(IsADirectoryError):
        read_got10k(split)


def test_a_folder_that_may_not_be_read_does_not_go_missing(tmp_path, monkeypatch):
    got10k(tmp_path, "a", "b")

    def stat(path, *rest, **named):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(folders.os, "stat", stat)
    with pytest.raises(PermissionError):
        folders.folders_with(tmp_path, "*/groundtruth.txt")


def test_a_root_that_is_a_file_is_called_one(tmp_path):
    write(tmp_path / "vot2014", "")
    with pytest.raises(MissingDataError, match="vot2014, which is not a folder"):
        read_vot(tmp_path / "vot2014")


NAME = st.text(st.sampled_from("abAB1 -_.äÄß"), min_size=1, max_size=6).filter(
    lambda name: name.strip(" ") == name and name.strip(".") == name
)


@settings(deadline=None, max_examples=150)
@given(st.lists(NAME, min_size=1, max_size=6, unique_by=str.casefold), st.data())
def test_every_way_to_write_a_name_leads_to_its_folder(tmp_path_factory, names, data):
    top = tmp_path_factory.mktemp("lists")
    found = [top / f"class {i % 2}" / name for i, name in enumerate(names)]
    ways = [str.upper, str.lower, str.swapcase, lambda n: unicodedata.normalize("NFD", n), str]
    order = data.draw(st.permutations(found))
    lines = []
    for video in order:
        name = data.draw(st.sampled_from(ways))(video.name)
        before = data.draw(st.sampled_from(["", "./", "{}/", "{}\\", "x/{}/"]))
        lines.append(
            before.format(video.parent.name) + name + data.draw(st.sampled_from(["", "/"]))
        )
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    (top / "list.txt").write_bytes(end.join(lines).encode(encoding))
    assert chosen(found, top / "list.txt", "") == order
