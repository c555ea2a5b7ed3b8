"""Unpacking archives that may come from anywhere: nothing is written outside the folder, nothing looks finished early."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from _download import DownloadError, require_space


def unpack(archive: Path, target: Path, largest: int = 500 * 10**9) -> Path:
    """Unpack a zip or tar file into the new folder `target`, all of it or nothing.

    Refuses names that lead out of the folder, links, devices, and more than `largest` bytes. `__MACOSX` is left out.
    Raises DownloadError naming the archive and the member at fault.
    """
    temporary = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, temporary, largest)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, temporary, largest)
        else:
            raise DownloadError(
                f"{archive} is neither a zip nor a tar file, or it is cut short. Delete it and run again."
            )
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as problem:
        raise DownloadError(f"{archive} is damaged ({problem}). Delete it and run again.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _unpack_zip(archive: Path, folder: Path, largest: int) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = [m for m in packed.infolist() if not _is_clutter(m.filename)]
        _check_size(archive, sum(m.file_size for m in members), largest, folder)
        for member in members:
            place = _inside(archive, member.filename, folder)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise DownloadError(
                    f"{archive} holds a link, {member.filename}; datasets have none. The archive is not what it should be."
                )
            if member.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with (
                packed.open(member) as source,
                place.open("wb") as copy,
            ):  # reading to the end checks the CRC
                _copy(source, copy, member.file_size, archive, member.filename)


def _unpack_tar(archive: Path, folder: Path, largest: int) -> None:
    with tarfile.open(archive) as packed:
        members = [m for m in packed.getmembers() if not _is_clutter(m.name)]
        _check_size(archive, sum(m.size for m in members), largest, folder)
        for member in members:
            place = _inside(archive, member.name, folder)
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                place.parent.mkdir(parents=True, exist_ok=True)
                with packed.extractfile(member) as source, place.open("wb") as copy:
                    _copy(source, copy, member.size, archive, member.name)
            else:
                raise DownloadError(
                    f"{archive} holds a link or a device, {member.name}; datasets have none. The archive is not what it should be."
                )


def _inside(archive: Path, name: str, folder: Path) -> Path:
    """Where a member goes; raises DownloadError if its name leads out of the folder."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in (parts.parts[0] if parts.parts else ""):
        raise DownloadError(
            f"{archive} holds {name!r}, which leads out of its folder. Nothing was unpacked: the archive is not what it should be."
        )
    return folder.joinpath(*parts.parts)


def _copy(source, copy, size: int, archive: Path, name: str) -> None:
    """Copy at most the declared size."""
    left = size
    while chunk := source.read(min(1 << 20, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise DownloadError(
                f"{archive} holds {name}, which is larger than it says. The archive is not what it should be."
            )
        copy.write(chunk)
    if left:
        raise EOFError(f"{name} is {left:,} bytes short")


def _check_size(archive: Path, total: int, largest: int, folder: Path) -> None:
    if total > largest:
        raise DownloadError(
            f"{archive} would unpack to {total / 1e9:.1f} GB; expected at most {largest / 1e9:.1f} GB"
        )
    require_space(folder, total)


def _is_clutter(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.endswith((".DS_Store", "Thumbs.db"))
