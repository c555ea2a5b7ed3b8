"""Connections, servers, records and disks that fail during a download: one sentence each."""

from __future__ import annotations

import errno
import io
import os
import socket
import ssl
import urllib.error
from pathlib import Path

import pytest
from fake_server import serve
from script_files import (
    CONTENT,
    QUICK,
    DownloadError,
    _download,
    download,
    md5,
    options_of,
    run,
    script,
)

from course_lib.errors import CourseError

otb, vot = script("otb"), script("vot")


@pytest.fixture
def site():
    with serve() as running:
        yield running


def answer(status: str, headers: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode() + body


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def said(url: str, target: Path, **how) -> str:
    """The message of a download that fails, with nothing left under the final name."""
    with pytest.raises(DownloadError) as caught:
        download(url, target, **{"pauses": QUICK, **how})
    assert not target.exists() and "Errno" not in str(caught.value)
    return str(caught.value)


# ---- servers


def test_a_broken_chunked_transfer_is_tried_again_and_kept(site, tmp_path):
    chunk = b"400\r\n" + bytes(1024) + b"\r\n"
    site.raw["/a"] = answer("200 OK", "Transfer-Encoding: chunked", chunk + b"400\r\nshort")
    sentence = said(f"{site.url}/a", tmp_path / "a.bin")
    assert "broke off after 1,0" in sentence and "the connection ended" in sentence
    assert len(site.asked) == 4 and "are kept in" in sentence and names(tmp_path) == ["a.bin.part"]
    site.raw["/b"] = answer("200 OK", "Transfer-Encoding: chunked", b"zz\r\nno number\r\n")
    assert "cannot be fetched" in said(f"{site.url}/b", tmp_path / "b.bin")
    assert names(tmp_path) == ["a.bin.part"]  # of b came nothing, so nothing is kept


def test_chunks_that_are_whole_arrive(site, tmp_path):
    body = b"".join(
        b"%x\r\n" % len(CONTENT[i : i + 999]) + CONTENT[i : i + 999] + b"\r\n"
        for i in range(0, 9990, 999)
    )
    site.raw["/a"] = answer("200 OK", "Transfer-Encoding: chunked", body + b"0\r\n\r\n")
    assert download(f"{site.url}/a", tmp_path / "a").read_bytes() == CONTENT[:9990]


@pytest.mark.parametrize("length", ["5000", "abc", "-7", ""])
def test_a_wrong_content_length(site, tmp_path, length):
    site.raw["/a"] = answer("200 OK", f"Content-Length: {length}", bytes(1000))
    if length == "5000":
        assert "received 1,000 of 5,000 bytes" in said(f"{site.url}/a", tmp_path / "a", pauses=())
    else:  # as if none had been sent
        assert download(f"{site.url}/a", tmp_path / "a", pauses=()).read_bytes() == bytes(1000)


@pytest.mark.parametrize(("status", "words", "tries"), [
    (401, "answers 401 .*asks for a login.*put it at", 1),
    (403, "answers 403 .*refuses programs", 1),
    (404, "answers 404", 1),
    (410, "answers 410", 1),
    (416, "answers 416", 1),
    (429, "answers 429 .*asks to wait: run the same command again later", 4),
    (500, "answers 500 .*has a problem", 4),
    (503, "answers 503 .*has a problem", 4),
])  # fmt: skip
def test_status_codes_of_servers(site, tmp_path, status, words, tries):
    site.status["/a"] = status
    with pytest.raises(DownloadError, match=words):
        download(f"{site.url}/a", tmp_path / "a", pauses=QUICK)
    assert len(site.asked) == tries and names(tmp_path) == []


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/a", "/a", "http://"])
def test_redirections_that_lead_nowhere(site, tmp_path, where):
    site.raw["/a"] = answer("302 Found", f"Location: {where}\r\nContent-Length: 0")
    assert said(f"{site.url}/a", tmp_path / "a", pauses=()) and names(tmp_path) == []


def test_a_redirection_to_another_scheme_is_not_read(tmp_path, monkeypatch):
    found = io.BytesIO(b"content")
    found.url = "ftp://host/a"
    monkeypatch.setattr(_download, "_open", lambda *arguments: found)
    assert "is not a usable address" in said("http://host/a", tmp_path / "a", pauses=())


@pytest.mark.parametrize("page", [
    b"<html>log in</html>", b"\n <!DOCTYPE HTML>\n<html>", b"\xef\xbb\xbf<!doctype html>",
    b"<!-- x --> <html lang='en'>",
])  # fmt: skip
def test_a_web_page_under_another_name_is_not_kept(site, tmp_path, page):
    site.files["/a.zip"] = page
    assert "sent a web page instead of a file" in said(f"{site.url}/a.zip", tmp_path / "a.zip")
    site.html.add("/login")
    site.raw["/b.zip"] = answer("302 Found", "Location: /login\r\nContent-Length: 0")
    assert "web page" in said(f"{site.url}/b.zip", tmp_path / "b.zip") and names(tmp_path) == []


def test_nonsense_instead_of_a_response(site, tmp_path):
    site.raw["/a"] = b"SSH-2.0-OpenSSH\r\n"
    assert "cannot be fetched" in said(f"{site.url}/a", tmp_path / "a")
    site.raw["/b"] = b""
    assert "cannot be fetched" in said(f"{site.url}/b", tmp_path / "b")


# ---- resuming


def test_a_part_longer_than_the_file_is_not_taken_for_it(site, tmp_path):
    site.files["/a"] = CONTENT
    (tmp_path / "a.part").write_bytes(CONTENT + b"more")
    assert download(f"{site.url}/a", tmp_path / "a", pauses=QUICK).read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_not_fetched_again(site, tmp_path):
    site.files["/a"] = CONTENT
    (tmp_path / "a.part").write_bytes(CONTENT)
    assert download(f"{site.url}/a", tmp_path / "a").read_bytes() == CONTENT
    assert site.asked == [("/a", f"bytes={len(CONTENT)}-")]


def test_a_piece_other_than_requested_is_not_appended(site, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT[:100])
    site.raw["/a"] = answer(
        "206 Partial Content", "Content-Range: bytes 50-99/100\r\nContent-Length: 50", bytes(50)
    )
    with pytest.raises(
        DownloadError, match="sent bytes from 50 on, but was asked for those from 1"
    ):
        download(f"{site.url}/a", tmp_path / "a", pauses=())
    assert names(tmp_path) == []


def test_a_removed_file_is_fetched_again_even_if_the_source_has_changed(site, tmp_path):
    site.files["/a"] = b"old"
    download(f"{site.url}/a", tmp_path / "a").unlink()
    site.files["/a"] = b"new"
    for _ in range(2):
        assert download(f"{site.url}/a", tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["a", "a.part"])
def test_a_folder_under_the_files_name_stays(site, tmp_path, name):
    site.files["/a"] = CONTENT
    (tmp_path / name).mkdir()
    with pytest.raises(DownloadError, match=rf"{name} is a folder; expected a file"):
        download(f"{site.url}/a", tmp_path / "a")
    assert (tmp_path / name).is_dir() and not site.asked


@pytest.mark.parametrize("content", [
    b"", b'{"a": "sha2', b"[1]", b"null", b"\xff\xfe", b'{"a": 3}', b'{"a": "crc:1"}', b'{"a": null',
])  # fmt: skip
def test_a_damaged_record_of_checksums_is_named_before_anything_is_fetched(site, tmp_path, content):
    site.files["/a"] = CONTENT
    (tmp_path / "checksums.json").write_bytes(content)
    with pytest.raises(CourseError, match=r"checksums\.json.*elete .*to recreate it"):
        download(f"{site.url}/a", tmp_path / "a", f"md5:{md5(CONTENT)}")
    assert not site.asked and names(tmp_path) == ["checksums.json"]


# ---- addresses and connections


@pytest.mark.parametrize("url", [
    "ftp:/x", "ftp://host/x", "file:", "file:///etc/passwd", "data:,x", "host/x", "", "http:", "http:///x",
    "https://:80/x",
    "http://[::1/x", "http://host:99999/x", "http://host:port/x", "http://a b/x",
    "http://" + "a" * 70 + ".org/x", "htp://x/y",
])  # fmt: skip
def test_malformed_addresses(tmp_path, url):
    with pytest.raises(DownloadError, match="is not a usable address; expected one"):
        download(url, tmp_path / "a")
    assert run(otb.main, ["--root", str(tmp_path), "--base-url", url, "--sequences", "Dog"]) == 2
    assert run(vot.main, ["2018", "--root", str(tmp_path), "--base-url", url]) == 2
    assert names(tmp_path) == []


def test_blanks_and_other_letters_in_an_address_are_escaped(site, tmp_path):
    site.files["/a%20b/%C3%84.zip"] = b"PK"
    assert download(f"{site.url}/a b/Ä.zip", tmp_path / "a.zip").read_bytes() == b"PK"
    assert download(f"{site.url}/a%20b/%C3%84.zip", tmp_path / "b.zip").read_bytes() == b"PK"


@pytest.mark.parametrize(("problem", "words", "tries"), [
    (urllib.error.URLError(socket.gaierror(-2, "Name or service not known")),
     "the host name is unknown", 4),
    (urllib.error.URLError(ssl.SSLCertVerificationError(1, "[SSL] self-signed")),
     "its certificate is not accepted", 1),
    (urllib.error.URLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]")), "SSL", 4),
    (urllib.error.URLError(TimeoutError("timed out")), "no response for 30 seconds", 4),
    (urllib.error.URLError(ConnectionRefusedError(111, "Connection refused")),
     "Connection refused", 4),
    (urllib.error.URLError(OSError(101, "Network is unreachable")), "Network is unreachable", 4),
    (TimeoutError("timed out"), "no response for 30 seconds", 4),
    (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer", 4),
])  # fmt: skip
def test_connections_that_fail(tmp_path, monkeypatch, problem, words, tries):
    asked = []

    def urlopen(*arguments, **named):
        asked.append(1)
        raise problem

    if isinstance(getattr(problem, "reason", None), ssl.SSLCertVerificationError):
        problem.reason.verify_message = "self-signed certificate"
    monkeypatch.setattr(_download.urllib.request, "urlopen", urlopen)
    sentence = said("https://host/a.zip", tmp_path / "a.zip")
    assert words in sentence and "urlopen error" not in sentence and len(asked) == tries
    assert "run the same command again" in sentence and names(tmp_path) == []


# ---- disks


class Full(io.BytesIO):
    """A file on a disk that fills up after a number of bytes."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__()
        self.path, self.room = path, room

    def write(self, chunk) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = bytes(chunk[: self.room])
        self.room -= len(taken)
        with self.path.open("ab") as file:
            return file.write(taken)


@pytest.mark.parametrize("room", [0, 1000])
def test_a_disk_that_fills_up_says_what_is_kept(site, tmp_path, monkeypatch, room):
    site.files["/a"] = CONTENT
    real = Path.open

    def opened(path, mode="r", *rest, **named):
        if path.name == "a.part" and mode == "wb" and "buffering" in named:
            real(path, "wb").close()
            return Full(path, room)
        return real(path, mode, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        sentence = said(f"{site.url}/a", tmp_path / "a")
    assert "there is no room left on the disk of" in sentence and "a.part" in sentence
    if room:
        assert "The 1,000 bytes received so far are kept in" in sentence
        assert download(f"{site.url}/a", tmp_path / "a").read_bytes() == CONTENT
        assert site.asked[-1] == ("/a", "bytes=1000-")
    else:
        assert "Nothing is kept" in sentence and names(tmp_path) == []


def test_a_file_may_not_be_written(site, tmp_path, monkeypatch, capsys):
    site.files["/Dog.zip"] = CONTENT
    real = Path.open

    def opened(path, mode="r", *rest, **named):
        if path.name.endswith(".part"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", opened)
    assert (
        run(otb.main, ["--root", str(tmp_path), "--base-url", site.url, "--sequences", "Dog"]) == 2
    )
    assert "no permission to read or write" in capsys.readouterr().err
    assert names(tmp_path / "otb" / "archives") == []


@pytest.mark.parametrize("name", ["otb", "vot", "got10k", "lasot", "uav123", "shards"])
@pytest.mark.parametrize("root", ["file", "file/below"])
def test_a_root_that_is_a_file(tmp_path, capsys, name, root):
    (tmp_path / "file").write_text("mine")
    arguments = ["--root", str(tmp_path / root), *options_of(name)]
    assert run(script(name).main, arguments) == 2
    assert "file is not a folder; give another one" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_where_a_folder_should_be(site, tmp_path, capsys):
    (tmp_path / "otb").write_text("mine")
    assert (
        run(otb.main, ["--root", str(tmp_path), "--base-url", site.url, "--sequences", "Dog"]) == 2
    )
    assert "a part of that path is a file" in capsys.readouterr().err
    assert (tmp_path / "otb").read_text() == "mine"
