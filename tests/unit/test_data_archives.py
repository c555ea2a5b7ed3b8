"""Damaged, encrypted, hostile and odd archives: unpacked inside their folder, or refused."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from script_files import CONTENT, DownloadError, _unpack, _workplace, packed, run, unpack

from course_lib.errors import CourseError

pytestmark = pytest.mark.slow

NOISE = np.random.default_rng(0).integers(0, 256, 50_000, np.uint8).tobytes()


def refused(folder: Path, content: bytes, sentence: str, name: str = "a.zip", **limits) -> None:
    """The archive is refused in these words, and nothing else is there afterwards."""
    (folder / name).write_bytes(content)
    with pytest.raises(DownloadError, match=sentence):
        unpack(folder / name, folder / "out", **limits)
    assert [path.name for path in folder.iterdir()] == [name]


def tarred(*members: tuple[str, bytes], how: str = "w", **about) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=how) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in about.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def patched(members: dict[str, bytes], local: int, central: int, value: bytes) -> bytes:
    """A zip file with a field of its first member's two headers replaced."""
    whole = bytearray(packed(members))
    at = whole.index(b"PK\x01\x02")
    whole[local : local + len(value)] = value
    whole[at + central : at + central + len(value)] = value
    return bytes(whole)


# ---- encrypted, unknown, damaged, truncated


def test_a_zip_with_a_password(tmp_path):
    locked = patched({"a.txt": CONTENT}, 6, 8, b"\x01\x00")
    refused(tmp_path, locked, r"a\.zip is protected by a password")


@pytest.mark.parametrize("method", [9, 6, 93, 98])  # Deflate64, implode, zstd, PPMd
def test_a_zip_packed_in_another_way(tmp_path, method):
    other = patched({"a.txt": CONTENT}, 8, 10, struct.pack("<H", method))
    refused(tmp_path, other, r"packed in a way that Python cannot read.*pack it again")


def test_a_zip_of_a_future_version(tmp_path):
    refused(tmp_path, patched({"a.txt": CONTENT}, 4, 6, b"\xff\x00"), "in a way that Python cannot")


def test_a_zip_with_a_wrong_checksum(tmp_path):
    wrong = patched({"a.txt": CONTENT}, 14, 16, b"\x00\x11\x22\x33")
    refused(tmp_path, wrong, r"a\.zip is damaged .*CRC.*download it again")


@pytest.mark.parametrize("method", _unpack.READ_HERE)
def test_a_zip_damaged_anywhere_is_refused_or_whole(tmp_path, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("d/a.txt", NOISE[:600])
    rng = np.random.default_rng(1)
    for place in rng.choice(len(out.getvalue()), 120, replace=False):
        whole = bytearray(out.getvalue())
        whole[place] ^= int(rng.integers(1, 256))
        (tmp_path / "a.zip").write_bytes(whole)
        try:
            unpack(tmp_path / "a.zip", tmp_path / "out")
        except DownloadError:
            assert not (tmp_path / "out").exists()
            continue
        files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
        assert [path.read_bytes() for path in files] == [NOISE[:600]]
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("how", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_cut_anywhere_is_refused(tmp_path, how):
    whole = tarred(*((f"d/{i}.bin", NOISE[i * 700 : (i + 1) * 700]) for i in range(6)), how=how)
    (tmp_path / "a.tar").write_bytes(whole)
    assert len(list((unpack(tmp_path / "a.tar", tmp_path / "out") / "d").iterdir())) == 6
    shutil.rmtree(tmp_path / "out")
    # a plain tar file ends with blocks of zeros: cut inside these, nothing is lost
    last = 6 * (512 + 1024) + 512 if how == "w" else len(whole)
    cuts = {*range(0, last, 512), *range(1, last, 333), last - 1}
    for cut in sorted(cut for cut in cuts if cut < last):
        refused(tmp_path, whole[:cut], "damaged|neither", name="a.tar")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_tar_damaged_anywhere_is_refused(tmp_path, pack):
    whole = pack(tarred(("a.bin", NOISE[:2000])))
    rng = np.random.default_rng(2)
    # bytes 4 to 9 of gzip's header are a date and a system: nothing depends on them
    for place in rng.choice(np.arange(10, len(whole)), 80, replace=False):
        broken = bytearray(whole)
        broken[place] ^= int(rng.integers(1, 256))
        refused(tmp_path, bytes(broken), "damaged|neither|would unpack", name="a.tar.gz")


def test_a_tar_with_a_damaged_inner_header_is_not_half_unpacked(tmp_path):
    whole = bytearray(tarred(("a", b"1"), ("b", b"2"), ("c", b"3")))
    whole[1024 + 150] ^= 0xFF  # the checksum of the second header
    refused(tmp_path, bytes(whole), r"is damaged \(cut or damaged", name="a.tar")


@pytest.mark.parametrize(("content", "sentence"), [
    (b"", "neither a zip nor a tar file, or it is cut short"),
    (b"hello", "neither a zip nor a tar"),
    (b"<!DOCTYPE html><html>log in</html>", "it is a web page"),
    (b"7z\xbc\xaf\x27\x1c" + NOISE[:99], "is a 7z archive"),
    (b"Rar!\x1a\x07\x01\x00" + NOISE[:99], "is a RAR archive"),
    (gzip.compress(b"no tar"), "neither a zip nor a tar|damaged"),
    (packed({"a.txt": CONTENT})[:900], "neither a zip nor a tar"),
])  # fmt: skip
def test_files_that_are_not_archives(tmp_path, content, sentence):
    refused(tmp_path, content, sentence)


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("wrong.txt", "x")
        archive.comment = b"\0" * 3000
    (tmp_path / "a.tar").write_bytes(tarred(("right.txt", b"1"), ("b.zip", inner.getvalue())))
    out = unpack(tmp_path / "a.tar", tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == ["b.zip", "right.txt"]


# ---- names


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            archive.writestr(name, b"" if name.endswith("/") else b"x")
    return out.getvalue()


@pytest.mark.parametrize(("names", "sentence"), [
    (["a.txt", "a.txt"], "'a.txt', twice, or under"),
    (["a.txt", "A.TXT"], "'A.TXT', twice, or under names that some systems do not tell apart"),
    (["./a.txt", "a.txt"], "twice, or under names"),
    (["d\\a.txt", "d/a.txt"], "twice, or under names"),
    (["Dog/1.txt", "dog/2.txt"], "'dog/2.txt', and 'Dog', which some systems do not tell apart"),
    (["a", "a/b"], "'a/b', where 'a' is both a file and a folder"),
    (["a/b", "a"], "'a', where 'a' is both a file and a folder"),
    (["a/b/c", "a/b"], "both a file and a folder"),
    (["a/", "a"], "both a file and a folder"),
    (["ä", "a\u0308"], "twice, or under names"),
    (["d/" + "x" * 300], "longer than systems allow"),
    (["/".join(["d" * 200] * 6)], "longer than systems allow"),
    (["ä" * 130], "longer than systems allow"),
    (["a\nb"], "characters that are not allowed in file names"),
    (["a\x1b[31m"], "characters that are not"),
    (["ab:c"], "characters that are not"),
    (["C:evil"], "leads out of its folder"),
    (["\\evil"], "leads out of its folder"),
    (["\\\\server\\evil"], "leads out of its folder"),
    (["a/..\\..\\evil"], "leads out of its folder"),
    (["."], "which is not a name"),
])  # fmt: skip
def test_names_that_no_dataset_has(tmp_path, names, sentence):
    refused(tmp_path, zipped(*names), sentence.replace("\\", "\\\\"))
    entries = ((name, b"" if name.endswith("/") else b"x") for name in names)
    if not any(name.endswith("/") for name in names):
        refused(tmp_path / ".", tarred(*entries), sentence.replace("\\", "\\\\"))


def test_a_name_with_a_nul(tmp_path):
    whole = packed({"abc.txt": b"1"}).replace(b"abc.txt", b"a\0c.txt")
    refused(tmp_path, whole, "characters that are not")
    whole = tarred(("a", b"1"), pax_headers={"path": "a\0c.txt"}, how="w")
    refused(tmp_path, whole, "characters|damaged")


@pytest.mark.parametrize("kind", [b"2", b"1", b"3", b"4", b"6"])  # links, devices, a pipe
def test_links_and_devices_in_a_tar(tmp_path, kind):
    whole = tarred(("good", b"1"))[:1024] + tarred(("x", b""), type=kind, linkname="/etc/passwd")
    refused(tmp_path, whole, "contains a link or a device, 'x'")


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644, 0o060644, 0o140777])
def test_links_and_devices_in_a_zip(tmp_path, mode):
    link = zipfile.ZipInfo("x")
    link.external_attr = mode << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path, out.getvalue(), "contains a link or a device, 'x'")


NAME = st.lists(
    st.sampled_from(
        ["a", "A", "b", "..", ".", "", "/", "\\", "C:", "~", "é", "e\u0301", "x" * 90, " "]
    ),
    min_size=1,
    max_size=5,
).map("".join) | st.text(max_size=6)


@pytest.mark.parametrize("kind", ["zip", "tar"])
@settings(deadline=None, max_examples=120)
@given(names=st.lists(NAME, min_size=1, max_size=4))
def test_any_list_of_names_unpacks_inside_or_is_refused(tmp_path_factory, kind, names):
    top = tmp_path_factory.mktemp("names")
    folder = top / "one" / "two"
    folder.mkdir(parents=True)
    try:
        whole = zipped(*names) if kind == "zip" else tarred(*((n, b"x") for n in names))
    except (ValueError, IndexError, tarfile.TarError):
        return  # the packer does not accept such a name
    (folder / "a").write_bytes(whole)
    try:
        out = unpack(folder / "a", folder / "out")
    except DownloadError:
        out = None
    outside = [p for p in top.rglob("*") if p not in (folder.parent, folder, folder / "a", out)]
    assert all(out is not None and out in path.parents for path in outside)
    if out is not None and kind == "tar":
        assert sum(path.is_file() for path in outside) == len(names)


# ---- sizes


def test_declared_sizes_are_limited(tmp_path):
    refused(tmp_path, packed({"a": CONTENT}), r"would unpack to 0\.0 GB; expected", largest=1000)
    refused(tmp_path, tarred(("a", CONTENT), how="w:gz"), "would unpack to", largest=1000)
    many = packed({f"{i}/x": b"" for i in range(20)})
    refused(tmp_path, many, "more than 30 files and folders", most=30)
    assert unpack(tmp_path / "a.zip", tmp_path / "out", most=40).is_dir()


def test_an_archive_far_denser_than_images(tmp_path, monkeypatch):
    monkeypatch.setattr(_unpack, "DENSEST", (300, 10**6))
    refused(tmp_path, packed({"a": b"\0" * 2_000_000}), "300 times its own size")
    refused(tmp_path, tarred(("a", b"\0" * 2_000_000), how="w:gz"), "300 times its own size")


def test_a_sparse_tar_is_as_large_as_it_says(tmp_path):
    header = tarfile.TarInfo("a")
    header.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"%011o\0" % (8**11 - 1)  # its size, with nothing in it
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    refused(tmp_path, bytes(block) + bytes(1024), r"would unpack to 8\.6 GB")


def test_a_member_that_is_larger_or_smaller_than_it_says(tmp_path):
    whole = packed({"a.txt": CONTENT})
    for size in (10, len(CONTENT) + 10):
        wrong = bytearray(whole)
        wrong[wrong.index(b"PK\x01\x02") + 24 :][:4]
        at = wrong.index(b"PK\x01\x02") + 24
        wrong[at : at + 4] = wrong[22:26] = struct.pack("<I", size)
        refused(tmp_path, bytes(wrong), "is damaged")


def test_a_disk_with_too_little_space_is_reported_first(tmp_path, monkeypatch):
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(_unpack.require_space.__globals__["shutil"], "disk_usage", lambda _: full)
    refused(tmp_path, packed({"a": CONTENT}), "0.0 GB free")
    refused(tmp_path, tarred(("a", CONTENT)), "0.0 GB free")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("whole", [packed({"d/a": NOISE}), tarred(("d/a", NOISE), how="w:gz")])
def test_a_disk_that_fails_leaves_nothing_and_is_named(
    tmp_path, monkeypatch, capsys, number, whole
):
    (tmp_path / "a.zip").write_bytes(whole)
    real = Path.open

    class Full(io.BytesIO):
        def write(self, chunk):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(
        Path,
        "open",
        lambda p, mode="r", *a, **k: Full() if mode == "xb" else real(p, mode, *a, **k),
    )
    assert run(lambda argv: unpack(tmp_path / "a.zip", tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert str(tmp_path) in said and "Errno" not in said and "damaged" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


# ---- existing files


def test_existing_files_are_never_replaced(tmp_path):
    (tmp_path / "a.zip").write_bytes(packed({"a": b"1"}))
    (tmp_path / "out").mkdir()
    with pytest.raises(DownloadError, match="out exists already; move it away"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    (tmp_path / "new.txt").write_text("")
    with pytest.raises(DownloadError, match="exists already"):
        unpack(tmp_path / "a.zip", tmp_path / "new.txt")


def test_a_foreign_folder_in_place_of_the_workplace_stays(tmp_path):
    (tmp_path / "a.zip").write_bytes(packed({"a": b"1"}))
    other = tmp_path / ".out.unpacking"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(CourseError, match=r"\.out\.unpacking is where .* was not made by it"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert (other / "thesis.txt").read_text() == "mine"
    shutil.rmtree(other)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / _workplace.MARK).write_text("")
    other.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CourseError, match="was not made by it"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / "a.zip").write_bytes(packed({"a": b"1"}))
    left = tmp_path / ".out.unpacking"
    (left / "unpacked").mkdir(parents=True)
    (left / "unpacked" / "half").write_text("")
    (left / _workplace.MARK).write_text("")
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "out"]


def test_permissions_follow_the_umask(tmp_path):
    member = zipfile.ZipInfo("d/a")
    member.external_attr = 0o104777 << 16  # setuid, writable by everyone
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(member, b"1")
    before = os.umask(0o027)
    try:
        for name, whole in (("z", out.getvalue()), ("t", tarred(("d/a", b"1"), mode=0o4777))):
            (tmp_path / name).write_bytes(whole)
            unpack(tmp_path / name, tmp_path / f"{name}.out")
    finally:
        os.umask(before)
    for name in "zt":
        modes = [(tmp_path / f"{name}.out" / p).stat().st_mode & 0o7777 for p in ("", "d", "d/a")]
        assert modes == [0o750, 0o750, 0o640]
