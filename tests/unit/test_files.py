"""Files: reading lists, numbers and JSON, and writes that leave the old file or the whole new
one."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.cli import main
from course_lib.errors import (
    OS_ERRORS,
    DataError,
    MissingDataError,
    SettingsError,
    os_error_in_words,
)
from course_lib.files import (
    digest,
    json_lines,
    plain_name,
    read_json,
    read_names,
    read_numbers,
    whole_file,
    write_whole,
)

NAME = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), min_size=1
).filter(lambda s: s.strip() == s and len(s.splitlines()) == 1 and not s.startswith("\ufeff"))


@given(
    st.lists(NAME, min_size=1, unique=True),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_names_are_read_whatever_mark_line_ends_or_blanks_the_list_has(
    tmp_path_factory, names, mark, end, blank
):
    path = tmp_path_factory.mktemp("list") / "list.txt"
    text = end.join([f"  {n} " for n in names] + [""] * blank)
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode())
    assert read_names(path) == names


def test_an_empty_list_or_one_with_a_repeated_name_is_an_error(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\ufeff \n\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"list\.txt is empty; expected one name per line"):
        read_names(path)
    path.write_text("dog\ncat\ndog\n")
    with pytest.raises(DataError, match="lists dog more than once"):
        read_names(path)


def test_numbers_after_a_byte_order_mark(tmp_path):
    path = tmp_path / "groundtruth.txt"
    path.write_bytes(b"\xef\xbb\xbf1,2,3,4\r\n5\t6 7,nan\r\n")
    np.testing.assert_equal(read_numbers(path, 4), [[1, 2, 3, 4], [5, 6, 7, np.nan]])


def test_json_that_is_cut_missing_or_something_else_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "tracker.json"
    with pytest.raises(MissingDataError, match=r"tracker\.json does not exist; run it again"):
        read_json(path, "run it again")
    for damaged in (b"", b'{"a": 1', b"\xff\xfe{", b"[" * 100_000):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"tracker\.json is damaged .*; run it again"):
            read_json(path, "run it again")
    path.write_text("[1]")
    with pytest.raises(DataError, match="holds a list; expected a dict"):
        read_json(path, "run it again")
    path.write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert read_json(path, "run it again") == {"a": 1}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "boxes.txt"
    write_whole(path, "old")
    with pytest.raises(OSError, match="full"), whole_file(path) as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, "full", str(part))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["boxes.txt"]


def test_a_written_file_has_the_permissions_set_by_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a.txt", "")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/etc",
        "~me",
        ".hidden",
        "a:b",
        "a\nb",
        "a\0",
        " a",
        "a.",
        "x" * 200,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(SettingsError, match=r"--label is .*; expected one plain name"):
        plain_name(name, "--label")


@pytest.mark.parametrize("name", ["mosse", "Jogging.1", "vot2018-lt", "my tracker", "Ärger_2"])
def test_a_plain_name_is_itself(name):
    assert plain_name(name, "--label") == name


def test_a_digest_distinguishes_parts_that_look_the_same_when_joined(tmp_path):
    assert digest("ab", "c") != digest("a", "bc")
    assert digest(np.zeros(4)) != digest(np.zeros((2, 2))) != digest(np.zeros(4, np.float32))
    (tmp_path / "w").write_bytes(b"x")
    assert digest(tmp_path / "w") == digest(tmp_path / "w")
    before = digest(tmp_path / "w")
    (tmp_path / "w").write_bytes(b"y")
    assert digest(tmp_path / "w") != before


@pytest.mark.parametrize("number", OS_ERRORS)
def test_each_error_of_the_system_is_a_sentence_with_the_file(number):
    said = os_error_in_words(OSError(number, os.strerror(number), "runs/a.txt"))
    assert "runs/a.txt" in said and "Errno" not in said


def test_an_unlisted_error_of_the_system_is_a_sentence_too():
    assert os_error_in_words(OSError(errno.ENXIO, "No such device", "x")).startswith(
        "x: the system says 'No such device'"
    )


def test_the_command_line_says_it_in_one_line(monkeypatch, capsys):
    def full(arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/demo/clip.mp4")

    monkeypatch.setattr("course_lib.cli.demo.run", full)
    assert main(["demo"]) == 2
    assert capsys.readouterr().err == (
        "demo: there is no room left on the disk of runs/demo/clip.mp4; free some and run the same command again\n"
    )


def test_json_of_every_kind_of_damage_is_a_sentence(tmp_path):
    whole = json.dumps({"tracker": "mosse", "settings": {"rate": 0.1}}).encode()
    for cut in range(len(whole)):
        (tmp_path / "t.json").write_bytes(whole[:cut])
        with pytest.raises(DataError):
            read_json(tmp_path / "t.json", "run it again")


def test_readable_json_has_a_line_for_each_row_and_the_same_content():
    card = {
        "name": "a [b], {c}",
        "curve": [[20, 0.5], [40, 0.25]],
        "rows": [{"step": 1, "loss": 0.5}],
        "recipe": {"widths": [8, 16], "nested": {"x": None}, "long": ["a word"] * 20},
        "empty": [],
    }
    text = json_lines(card)
    assert json.loads(text) == card
    lines = [line.strip() for line in text.splitlines()]
    assert "[20, 0.5]," in lines and "[40, 0.25]" in lines
    assert '{"step": 1, "loss": 0.5}' in lines and '"widths": [8, 16],' in lines
    assert max(map(len, lines)) < 100 and lines.count('"a word",') == 19
