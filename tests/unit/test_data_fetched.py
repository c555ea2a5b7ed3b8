"""OTB and VOT fetched from a site: half a sequence is not installed, names stay inside."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from fake_server import serve
from script_files import (
    _description,
    _errors,
    _script,
    jpeg,
    md5,
    packed,
    run,
    script,
    video,
)

from course_lib.data.benchmarks import load_benchmark
from course_lib.errors import CourseError

otb, vot = script("otb"), script("vot")


@pytest.fixture
def site():
    with serve() as running:
        yield running


def names(root, benchmark: str) -> list[str]:
    return load_benchmark(benchmark, root).names


# ---- OTB and VOT


def test_otb_names_given_twice_and_the_users_own_folders(site, tmp_path, capsys):
    site.files |= {"/Dog.zip": packed(video("Dog"))}
    arguments = ["--root", str(tmp_path), "--base-url", f"{site.url}/", "--sequences", "Dog"]
    assert run(otb.main, [*arguments, "Dog"]) == 0
    assert site.asked == [("/Dog.zip", None)]
    shutil.rmtree(tmp_path / "otb/Dog")
    (tmp_path / "otb/Dog").mkdir()
    (tmp_path / "otb/Dog/notes.txt").write_text("mine")
    assert run(otb.main, arguments) == 2
    assert "Dog exists already, but is incomplete" in (said := capsys.readouterr().err)
    assert "Move it away" in said and (tmp_path / "otb/Dog/notes.txt").read_text() == "mine"
    shutil.rmtree(tmp_path / "otb/Dog")
    (tmp_path / "otb/Dog").write_text("a file")
    assert run(otb.main, arguments) == 2 and "is incomplete" in capsys.readouterr().err


@pytest.mark.parametrize("members", [
    {"Dog/img/0001.jpg": jpeg(1)},
    {"Dog/groundtruth_rect.txt": b"1,2,3,4\n"},
    {"Dog/img/0001.jpg": jpeg(1), "Dog/groundtruth_rect.txt": b"x\n"},
    {"Dog/img/0001.jpg": jpeg(1), "Dog/groundtruth_rect.txt": b"1,2,3,4\n" * 2},
])  # fmt: skip
def test_otb_half_a_video_is_not_installed(site, tmp_path, capsys, members):
    site.files["/Dog.zip"] = packed(members)
    arguments = ["--root", str(tmp_path), "--base-url", site.url, "--sequences", "Dog"]
    assert run(otb.main, arguments) == 2 and capsys.readouterr().err
    assert [p.name for p in (tmp_path / "otb").iterdir()] == ["archives"]


def test_otb_an_archive_without_a_folder_of_its_own(site, tmp_path):
    members = {name.removeprefix("Dog/"): content for name, content in video("Dog").items()}
    site.files["/Dog.zip"] = packed(members)
    before = os.umask(0o022)
    try:
        arguments = ["--root", str(tmp_path), "--base-url", site.url, "--sequences", "Dog"]
        assert run(otb.main, arguments) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "otb/Dog").stat().st_mode & 0o777 == 0o755


def vot_site(site, **entries: dict) -> list[str]:
    """A year with sequences of one frame; returns the arguments to fetch it."""
    frames, listed = packed({"00000001.jpg": jpeg(1)}), []
    for name, fields in entries.items():
        truth = packed({"groundtruth.txt": b"1,1,9,1,9,7,1,7\n"})
        site.files |= {f"/vot2018/main/{name}.zip": truth, f"/sequences/{name}.zip": frames}
        entry = {"name": name, "annotations": {"url": f"{name}.zip", "checksum": md5(truth)}}
        entry["channels"] = {"color": {"url": f"../../sequences/{name}.zip"}}
        listed.append(entry | fields)
    content = json.dumps({"sequences": listed}).encode()
    site.files["/vot2018/main/description.json"] = content
    return ["2018", "--base-url", site.url]


URLS = {"annotations": {"url": "a.zip"}, "channels": {"color": {"url": "b.zip"}}}


@pytest.mark.parametrize(("fields", "words"), [
    ({"name": "../../x"}, "sequence 1: the name is '../../x'; expected one plain name"),
    ({"name": "/tmp/x"}, "the name is '/tmp/x'"),
    ({"name": "a/b"}, "the name is 'a/b'"),
    ({"name": ".."}, r"the name is '\.\.'"),
    ({"name": ""}, "name is ''; expected a string"),
    ({"name": 3}, "name is '3'; expected a string"),
    ({"name": None}, "it has no name"),
    ({"name": "archives"}, "the name 'archives' is already taken"),
    ({"name": "list.txt"}, "the name 'list.txt' is already taken"),
    ({"fps": "30\nname=x"}, "fps is .*; expected a number above 0"),
    ({"fps": -1}, "fps is -1"),
    ({"fps": True}, "fps is True"),
    ({"fps": float("nan")}, "fps is nan"),
    ({"annotations": None}, "it has no annotations"),
    ({"annotations": []}, r"annotations is '\[\]'; expected a mapping"),
    ({"annotations": {"url": 5}}, "url is '5'; expected a string"),
    ({"annotations": {}}, "annotations is '{}'; expected a mapping"),
    ({"annotations": {"url": "a.zip", "checksum": 7}}, "checksum is 7; expected 32, 40 or 64"),
    ({"annotations": {"url": "a.zip", "checksum": "z" * 32}}, "checksum is 'z+'"),
    ({"channels": {"ir": {"url": "x"}}}, "it has no color"),
    ({"channels": []}, r"channels is '\[\]'"),
])  # fmt: skip
def test_vot_malformed_descriptions(site, tmp_path, capsys, fields, words):
    arguments = [*vot_site(site, ants=fields), "--root", str(tmp_path / "data")]
    assert run(vot.main, arguments) == 2
    with pytest.raises(CourseError, match=words):
        raise CourseError(capsys.readouterr().err)
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    left = {p.name for p in (tmp_path / "data").rglob("*")}
    assert left == {"vot2018", "archives", "checksums.json"}  # the description was removed again


@pytest.mark.parametrize("content", [
    b"", b"[]", b"{}", b'{"sequences": {}}', b'{"sequences": []}', b'{"sequences": [3]}',
    b'{"sequences": [null]}',
    b'{"sequences": "abc"}', b'{"sequences": [{"name": "a"', b"\xff\xfe\x00",
])  # fmt: skip
def test_vot_descriptions_of_another_kind(site, tmp_path, capsys, content):
    site.files["/vot2018/main/description.json"] = content
    assert run(vot.main, ["2018", "--base-url", site.url, "--root", str(tmp_path)]) == 2
    assert "description.json" in capsys.readouterr().err
    assert not (tmp_path / "vot2018/archives/description.json").exists()


def test_vot_names_that_collide(tmp_path):
    for one, other in (
        ("ants", "ants"),
        ("ants", "Ants"),
        ("ants", "ants-color"),
        ("ants-color", "ants"),
    ):
        path = tmp_path / "description.json"
        path.write_text(json.dumps({"sequences": [URLS | {"name": one}, URLS | {"name": other}]}))
        with pytest.raises(_errors.DownloadError, match="sequence 2: the name .* is already taken"):
            _description.read_description(path, "https://host/description.json")


def test_vot_a_description_put_there_by_hand_is_not_removed(site, tmp_path):
    path = tmp_path / "vot2018/archives/description.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert run(vot.main, ["2018", "--base-url", site.url, "--root", str(tmp_path)]) == 2
    assert path.read_text() == "{}"


@pytest.mark.parametrize("where", ["ftp:/x", "file:///etc/passwd"])
def test_vot_addresses_of_another_scheme(site, tmp_path, capsys, where):
    arguments = vot_site(site, ants={"annotations": {"url": where}})
    assert run(vot.main, [*arguments, "--root", str(tmp_path)]) == 2
    assert "is not a usable address" in capsys.readouterr().err
    assert not (tmp_path / "vot2018/ants").exists()


def test_vot_a_sequence_that_was_there_without_being_listed_is_listed(site, tmp_path, capsys):
    arguments = [*vot_site(site, ants={}, bag={}, cup={}), "--root", str(tmp_path)]
    assert run(vot.main, [*arguments, "--sequences", "cup", "cup"]) == 0
    assert names(tmp_path, "vot2018") == ["cup"]
    assert run(vot.main, [*arguments, "--sequences", "bag"]) == 0
    listing = tmp_path / "vot2018/list.txt"
    assert listing.read_text() == "bag\ncup\n"
    listing.write_text("cup\n")  # as if the run had been killed before it was written
    assert run(vot.main, [*arguments, "--sequences", "bag"]) == 0
    assert listing.read_text() == "bag\ncup\n"
    assert run(vot.main, arguments) == 0 and listing.read_text() == "ants\nbag\ncup\n"
    assert run(vot.main, [*arguments, "--sequences", "dog"]) == 2
    assert "has no sequence dog; it has ants, bag, cup" in capsys.readouterr().err


def test_vot_frames_without_annotation_are_not_installed(site, tmp_path, capsys):
    arguments = vot_site(site, ants={"annotations": {"url": "other.zip"}})
    site.files["/vot2018/main/other.zip"] = packed({"readme": b""})
    assert run(vot.main, [*arguments, "--root", str(tmp_path)]) == 2
    assert "contains no groundtruth.txt" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "vot2018").iterdir()] == ["archives"]


def test_a_root_in_the_home_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _script.parsed(_script.options(""), ["--root", "~/data"]).root == tmp_path / "data"


@pytest.mark.parametrize(("year", "place"), [
    (2013, "dataset"), (2014, "dataset"), (2015, "dataset"), (2016, "main"), (2017, "main"),
    (2018, "main"), (2019, "main"), (2020, "shortterm"), (2021, "shortterm"), (2022, "stb"),
])  # fmt: skip
def test_vot_descriptions_are_where_the_toolkit_looks(tmp_path, capsys, year, place):
    words = [str(year), "--root", str(tmp_path), "--base-url", "https://host", "--dry-run"]
    assert run(vot.main, words) == 0
    assert (
        f"would fetch https://host/vot{year}/{place}/description.json," in capsys.readouterr().out
    )


@pytest.mark.parametrize(("year", "words"), [
    (2012, "there is no short-term VOT of 2012: VOT began in 2013"),
    (2023, "from 2023 on the challenge is VOTS"), (2026, "Expected 2013 to 2022"),
])  # fmt: skip
def test_vot_years_without_a_short_term_benchmark(tmp_path, capsys, year, words):
    assert run(vot.main, [str(year), "--root", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err and not list(tmp_path.iterdir())
