"""Unpacking untrusted archives: nothing is written outside the folder, and nothing looks finished
before it is."""

from __future__ import annotations

import errno
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

from _download import require_space
from _errors import WEB_PAGE, DownloadError
from _members import Members, is_clutter
from _workplace import workplace

from course_lib.errors import CourseError

LARGEST = 500 * 10**9  # bytes
MOST = 5_000_000  # files and folders
DENSEST = 300, 10**9  # above 10⁹ bytes, archives of images unpack to less than 300 times their size
READ_HERE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, ValueError, LookupError, OverflowError),
)
AGAIN = (
    "Delete it and run the same command again; if you put it there yourself, download it again "
    "first."
)
OTHERS = {b"7z\xbc\xaf": "a 7z archive", b"Rar!": "a RAR archive"}


def unpack(archive: Path, target: Path, largest: int = LARGEST, most: int = MOST) -> Path:
    """Unpack a zip or tar file into the new folder `target`, completely or not at all.

    Refuses names that lead out of the folder or collide, links, devices, passwords, more than
    `largest` bytes and more than `most` members. Files added by macOS and Windows are left out.

    Raises:
        DownloadError: naming the archive and the member at fault.
        OSError: naming the file, for faults of the disk.
    """
    if os.path.lexists(target):
        raise DownloadError(f"{target} exists already; move it away and run again")
    with workplace(target.parent, target.name) as work:
        folder = work / "unpacked"
        folder.mkdir()
        _unpack_safely(archive, folder, largest, most)
        folder.rename(target)
    return target


def _unpack_safely(archive: Path, folder: Path, largest: int, most: int) -> None:
    """Unpack; errors that the libraries raise on a damaged archive become one sentence."""
    try:
        _unpacker(archive)(archive, folder, largest, most)
    except CourseError:
        raise
    except DAMAGED as problem:
        raise _damaged(archive, problem) from None
    except (NotImplementedError, RuntimeError) as problem:
        raise DownloadError(
            f"{archive} is packed in a way that Python cannot read ({problem}). Unpack it with "
            "another program, and pack it again as an ordinary zip file."
        ) from None
    except OSError as problem:
        seek = problem.errno == errno.EINVAL and problem.filename is None  # to before the beginning
        if problem.errno is None or seek:  # gzip and bz2 set no errno
            raise _damaged(archive, problem) from None
        problem.filename = problem.filename or str(folder.parent.parent)
        raise


def _damaged(archive: Path, problem: Exception) -> DownloadError:
    return DownloadError(
        f"{archive} is damaged ({str(problem) or type(problem).__name__}). {AGAIN}"
    )


def _unpacker(archive: Path):
    """The function for this kind of archive, by its first bytes: a tar may end with a zip file."""
    with archive.open("rb") as file:
        first = file.read(2048)
    if first.startswith(b"PK") and zipfile.is_zipfile(archive):
        return _unpack_zip
    if tarfile.is_tarfile(archive):
        return _unpack_tar
    if zipfile.is_zipfile(archive):
        return _unpack_zip
    other = next((kind for start, kind in OTHERS.items() if first.startswith(start)), None)
    if other:
        raise DownloadError(
            f"{archive} is {other}, which Python cannot read. Unpack it with another program, and "
            "pack it again as an ordinary zip file."
        )
    kind = ": it is a web page" if WEB_PAGE.match(first) else ", or it is cut short"
    raise DownloadError(f"{archive} is neither a zip nor a tar file{kind}. {AGAIN}")


def _unpack_zip(archive: Path, folder: Path, largest: int, most: int) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = [m for m in packed.infolist() if not is_clutter(m.filename)]
        _check_size(archive, sum(m.file_size for m in members), largest, folder)
        names = Members(archive, folder, most)
        for member, place in [(m, _place_in_zip(m, names)) for m in members]:
            if _is_folder(member):
                place.mkdir(parents=True, exist_ok=True)
                continue
            with packed.open(member) as source:  # reading to the end checks the CRC
                _copy(source, place, member.file_size, member.filename)


def _is_folder(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith(("/", "\\"))


def _place_in_zip(member: zipfile.ZipInfo, names: Members) -> Path:
    """Where a member of a zip file goes, by its full name: Python cuts `filename` at a NUL."""
    name = member.orig_filename if "\0" in member.orig_filename else member.filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise names.no_file(name)
    if member.flag_bits & 0x1:
        raise DownloadError(
            f"{names.archive} is protected by a password. Unpack it with another program, and pack "
            "it again without one."
        )
    if member.compress_type not in READ_HERE:
        how = zipfile.compressor_names.get(member.compress_type, f"method {member.compress_type}")
        raise NotImplementedError(f"{name[:80]!r} by {how}")
    return names.place(name, _is_folder(member))


class _StrictMember(tarfile.TarInfo):
    """A member with a checked header: tarfile takes a damaged one for the archive's end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # the zeros at the end of an archive
            raise
        except tarfile.HeaderError as problem:
            raise tarfile.SubsequentHeaderError(f"cut or damaged: {problem}") from None


def _unpack_tar(archive: Path, folder: Path, largest: int, most: int) -> None:
    with tarfile.open(archive, tarinfo=_StrictMember) as packed:
        names, total = Members(archive, folder, most), 0
        for member in packed:
            total += member.size
            _check_size(archive, total, largest, folder, member.size)
            if is_clutter(member.name):
                continue
            if not (member.isreg() or member.isdir()):
                raise names.no_file(member.name)
            place = names.place(member.name, member.isdir())
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            with packed.extractfile(member) as source:
                _copy(source, place, member.size, member.name)
        while packed.fileobj.read(1 << 20):
            pass  # reading to the end checks gzip's checksum, which follows the last byte


def _copy(source, place: Path, size: int, name: str) -> None:
    """Copy a member of exactly the declared size; mode `x` never overwrites a file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    left = size
    with place.open("xb") as copy:
        while chunk := source.read(min(1 << 20, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise EOFError(f"{name} is larger than declared")
            copy.write(chunk)
    if left:
        raise EOFError(f"{name} is {left:,} bytes short")


def _check_size(
    archive: Path, total: int, largest: int, folder: Path, more: int | None = None
) -> None:
    """Raise DownloadError if `total` bytes are too many; `more` of them are yet to be written."""
    times, above = DENSEST
    if total > largest or (total > above and total > times * archive.stat().st_size):
        raise DownloadError(
            f"{archive} would unpack to {total / 1e9:.1f} GB; expected at most "
            f"{largest / 1e9:.1f} GB, and at most {times} times its own size. Nothing was unpacked."
        )
    require_space(folder, total if more is None else more)
