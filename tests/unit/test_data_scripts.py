"""Fetching and unpacking datasets from a server that breaks off, lies or sends hostile files."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import zipfile

import pytest
from fake_server import serve
from script_files import (
    CONTENT,
    QUICK,
    DownloadError,
    _download,
    download,
    jpeg,
    md5,
    packed,
    run,
    script,
    unpack,
    video,
)

from course_lib.data.benchmarks import load_benchmark

pytestmark = pytest.mark.slow

got10k, lasot, otb, uav123, vot = (
    script(name) for name in ("got10k", "lasot", "otb", "uav123", "vot")
)


@pytest.fixture
def site():
    with serve() as running:
        yield running


class TestDownload:
    """A file is complete and correct, or it does not exist."""

    def test_fetches_and_does_not_fetch_twice(self, site, tmp_path):
        site.files["/a.zip"] = CONTENT
        for _ in range(2):
            assert download(f"{site.url}/a.zip", tmp_path / "a.zip").read_bytes() == CONTENT
        assert len(site.asked) == 1

    def test_resumes_where_the_server_broke_off(self, site, tmp_path):
        site.files["/a.zip"], site.cut["/a.zip"] = CONTENT, (300_000, 2)
        assert (
            download(f"{site.url}/a.zip", tmp_path / "a.zip", pauses=QUICK).read_bytes() == CONTENT
        )
        starts = [int(r.removeprefix("bytes=").rstrip("-")) for _, r in site.asked[1:]]
        assert len(starts) == 2 and 0 < starts[0] < starts[1]

    def test_a_later_call_resumes_too(self, site, tmp_path):
        site.files["/a.zip"], site.cut["/a.zip"] = CONTENT, (200_000, 1)
        with pytest.raises(DownloadError, match=r"broke off after [1-9][0-9,]* bytes.*to resume"):
            download(f"{site.url}/a.zip", tmp_path / "a.zip", pauses=())
        assert not (tmp_path / "a.zip").exists()
        assert download(f"{site.url}/a.zip", tmp_path / "a.zip", pauses=()).read_bytes() == CONTENT
        assert site.asked[-1][1] is not None

    def test_starts_over_if_the_server_supports_no_ranges(self, site, tmp_path):
        site.files["/a.zip"], site.cut["/a.zip"], site.ranges = CONTENT, (300_000, 1), False
        assert (
            download(f"{site.url}/a.zip", tmp_path / "a.zip", pauses=QUICK).read_bytes() == CONTENT
        )

    @pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
    def test_a_right_checksum_passes_and_a_wrong_one_leaves_nothing(self, site, tmp_path, kind):
        site.files["/a.zip"] = CONTENT
        right = hashlib.new(kind, CONTENT).hexdigest()
        download(f"{site.url}/a.zip", tmp_path / "a.zip", f"{kind}:{right}")
        with pytest.raises(DownloadError, match=rf"has {kind} {right}; expected beef"):
            download(f"{site.url}/a.zip", tmp_path / "b.zip", f"{kind}:beef")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "checksums.json"]

    def test_without_a_checksum_the_first_download_is_remembered(self, site, tmp_path):
        site.files["/a.zip"] = CONTENT
        download(f"{site.url}/a.zip", tmp_path / "a.zip")
        (tmp_path / "a.zip").write_bytes(b"changed")
        with pytest.raises(DownloadError, match="has sha256"):
            download(f"{site.url}/a.zip", tmp_path / "a.zip")

    def test_a_web_page_in_place_of_a_file_is_named(self, site, tmp_path):
        site.html.add("/a.zip")
        with pytest.raises(DownloadError, match="web page instead of a file.*put it at"):
            download(f"{site.url}/a.zip", tmp_path / "a.zip", pauses=())
        assert not (tmp_path / "a.zip").exists()

    def test_a_missing_file_is_not_tried_again(self, site, tmp_path):
        with pytest.raises(DownloadError, match=r"answers 404.*put it at .*a\.zip"):
            download(f"{site.url}/a.zip", tmp_path / "a.zip", pauses=QUICK)
        assert len(site.asked) == 1

    def test_a_server_with_a_problem_is_tried_again(self, site, tmp_path):
        site.files["/a.zip"], site.status["/a.zip"] = CONTENT, 503
        with pytest.raises(DownloadError, match="503"):
            download(f"{site.url}/a.zip", tmp_path / "a.zip", pauses=QUICK)
        assert len(site.asked) == 4

    def test_a_file_of_another_size_is_named(self, site, tmp_path):
        site.files["/a.zip"] = CONTENT
        with pytest.raises(DownloadError, match="has 1,024,000 bytes; expected 5"):
            download(f"{site.url}/a.zip", tmp_path / "a.zip", size=5, pauses=())

    def test_a_full_disk_is_reported_before_the_first_byte(self, site, tmp_path, monkeypatch):
        site.files["/a.zip"] = CONTENT
        full = shutil.disk_usage(tmp_path)._replace(free=1000)
        monkeypatch.setattr(_download.shutil, "disk_usage", lambda _: full)
        with pytest.raises(DownloadError, match=r"0\.0 GB free.*--root"):
            download(f"{site.url}/a.zip", tmp_path / "a.zip", pauses=())
        assert not (tmp_path / "a.zip.part").exists()


class TestUnpack:
    """An archive is unpacked completely inside its folder, or not at all."""

    def test_unpacks_without_clutter(self, tmp_path):
        (tmp_path / "a.zip").write_bytes(packed(video("Dog")))
        unpack(tmp_path / "a.zip", tmp_path / "out")
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["Dog"]

    @pytest.mark.parametrize(
        "name", ["../evil.txt", "a/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:/evil.txt"]
    )
    def test_a_name_that_leads_out_is_refused(self, tmp_path, name):
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.zip").write_bytes(packed({"good.txt": b"1", name: b"2"}))
        with pytest.raises(DownloadError, match="leads out of its folder"):
            unpack(tmp_path / "in" / "a.zip", tmp_path / "in" / "out")
        assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip", "in"]

    def test_links_are_refused_in_zip_and_tar(self, tmp_path):
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(link, "/etc/passwd")
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "../outside"
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.addfile(member)
        for name in ("a.zip", "a.tar"):
            with pytest.raises(DownloadError, match="contains a link"):
                unpack(tmp_path / name, tmp_path / "out")
            assert not (tmp_path / "out").exists()

    def test_a_tar_that_leads_out_is_refused(self, tmp_path):
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.addfile(tarfile.TarInfo("../evil.txt"), io.BytesIO())
        with pytest.raises(DownloadError, match="leads out"):
            unpack(tmp_path / "a.tar", tmp_path / "out")

    def test_a_damaged_archive_leaves_nothing(self, tmp_path):
        whole = bytearray(packed({"a.txt": CONTENT}))
        whole[200] ^= 0xFF
        (tmp_path / "a.zip").write_bytes(whole)
        with pytest.raises(Exception, match="damaged|Error") as caught:
            unpack(tmp_path / "a.zip", tmp_path / "out")
        assert isinstance(caught.value, DownloadError) and not (tmp_path / "out").exists()

    def test_a_truncated_archive_and_no_archive_are_named(self, tmp_path):
        (tmp_path / "a.zip").write_bytes(packed({"a.txt": CONTENT})[:-300])
        with pytest.raises(DownloadError, match="neither a zip nor a tar"):
            unpack(tmp_path / "a.zip", tmp_path / "out")

    def test_an_archive_larger_than_allowed_is_refused(self, tmp_path):
        (tmp_path / "a.zip").write_bytes(packed({"a.txt": CONTENT}))
        with pytest.raises(DownloadError, match="would unpack to"):
            unpack(tmp_path / "a.zip", tmp_path / "out", largest=1000)


class TestScripts:
    """Whole runs, read with the course's own readers."""

    def test_otb(self, site, tmp_path, capsys):
        site.files |= {"/Dog.zip": packed(video("Dog")), "/Deer.zip": packed(video("Deer", 4))}
        arguments = ["--root", str(tmp_path), "--base-url", site.url, "--sequences", "Dog", "Deer"]
        assert run(otb.main, [*arguments, "--dry-run"]) == 0
        assert f"would fetch {site.url}/Dog.zip" in capsys.readouterr().out
        assert not site.asked and not list(tmp_path.iterdir())
        assert run(otb.main, arguments) == 0
        benchmark = load_benchmark("otb", tmp_path)
        assert sorted(benchmark.names) == ["Deer", "Dog"] and benchmark["Dog"].boxes[
            0
        ].tolist() == [0, 1, 5, 6]
        asked = len(site.asked)
        assert run(otb.main, arguments) == 0 and len(site.asked) == asked

    def test_otb_with_an_archive_of_something_else(self, site, tmp_path, capsys):
        site.files["/Dog.zip"] = packed({"cat/img/0001.jpg": jpeg(1)})
        assert (
            run(otb.main, ["--root", str(tmp_path), "--base-url", site.url, "--sequences", "Dog"])
            == 2
        )
        assert (
            "no folder Dog/img" in capsys.readouterr().err
            and not (tmp_path / "otb" / "Dog").exists()
        )
        assert run(otb.main, ["--root", str(tmp_path), "--sequences", "Unicorn"]) == 2
        assert "no video Unicorn" in capsys.readouterr().err

    def test_vot(self, site, tmp_path, capsys):
        truth = packed({"groundtruth.txt": b"1,1,9,1,9,7,1,7\n" * 2, "occlusion.tag": b"0\n1\n"})
        frames = packed({"00000001.jpg": jpeg(10), "00000002.jpg": jpeg(20)})
        site.files |= {"/vot2018/main/ants.zip": truth, "/sequences/abc.zip": frames}
        entry = {
            "name": "ants",
            "fps": 25,
            "annotations": {"url": "ants.zip", "checksum": hashlib.sha1(truth).hexdigest()},
            "channels": {"color": {"url": "../../sequences/abc.zip", "checksum": md5(frames)}},
        }
        site.files["/vot2018/main/description.json"] = json.dumps({"sequences": [entry]}).encode()
        arguments = ["2018", "--root", str(tmp_path), "--base-url", site.url]
        assert run(vot.main, [*arguments, "--dry-run"]) == 0 and not list(tmp_path.iterdir())
        assert run(vot.main, arguments) == 0
        ants = load_benchmark("vot2018", tmp_path)["ants"]
        assert (
            len(ants) == 2
            and ants.fps == 25
            and ants.polygons.shape == (2, 8)
            and ants.tags["occlusion"].tolist() == [False, True]
        )

    def test_vot_with_a_wrong_file_stops_and_can_resume(self, site, tmp_path, capsys):
        truth, frames = (
            packed({"groundtruth.txt": b"1,1,4,4\n"}),
            packed({"00000001.jpg": jpeg(10)}),
        )
        site.files |= {"/vot2014/dataset/ants.zip": truth, "/sequences/abc.zip": b"something else"}
        entry = {"name": "ants", "annotations": {"url": "ants.zip"}}
        entry["channels"] = {"color": {"url": "../../sequences/abc.zip", "checksum": md5(frames)}}
        site.files["/vot2014/dataset/description.json"] = json.dumps(
            {"sequences": [entry]}
        ).encode()
        arguments = ["2014", "--root", str(tmp_path), "--base-url", site.url]
        assert run(vot.main, arguments) == 2
        assert (
            f"expected {md5(frames)}" in capsys.readouterr().err
            and not (tmp_path / "vot2014" / "ants").exists()
        )
        site.files["/sequences/abc.zip"] = frames
        assert run(vot.main, arguments) == 0 and load_benchmark("vot2014", tmp_path).names == [
            "ants"
        ]

    @pytest.mark.parametrize(
        ("chosen", "arguments"), [(got10k, ["--split", "val"]), (lasot, []), (uav123, [])]
    )
    def test_what_is_fetched_by_hand_says_where_to_put_it(
        self, tmp_path, capsys, chosen, arguments
    ):
        assert run(
            chosen.main, ["--root", str(tmp_path), *arguments, "--dry-run"]
        ) == 0 and not list(tmp_path.iterdir())
        assert run(chosen.main, ["--root", str(tmp_path), *arguments]) == 2
        said = capsys.readouterr().err
        assert "archives" in said and str(tmp_path) in said and "run the same command again" in said

    def test_got10k_from_an_archive_put_there_by_hand(self, tmp_path):
        place = tmp_path / "got10k" / "archives" / "val"
        place.mkdir(parents=True)
        name = "val_data/GOT-10k_Val_000001"
        (place / "any.zip").write_bytes(
            packed({f"{name}/groundtruth.txt": b"1,2,3,4\n", f"{name}/00000001.jpg": jpeg(5)})
        )
        assert run(got10k.main, ["--root", str(tmp_path), "--split", "val"]) == 0
        assert load_benchmark("got10k-val", tmp_path).names == ["GOT-10k_Val_000001"]

    def test_lasot_from_an_archive_put_there_by_hand(self, tmp_path):
        place = tmp_path / "lasot" / "archives"
        place.mkdir(parents=True)
        name = "bicycle/bicycle-3"
        members = {f"{name}/groundtruth.txt": b"1,2,3,4\n", f"{name}/img/00000001.jpg": jpeg(5)}
        members |= {f"{name}/full_occlusion.txt": b"0\n", f"{name}/out_of_view.txt": b"0\n"}
        (place / "bicycle.zip").write_bytes(packed(members))
        assert run(lasot.main, ["--root", str(tmp_path)]) == 0
        assert load_benchmark("lasot", tmp_path).names == ["bicycle-3"]
