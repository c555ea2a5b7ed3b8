"""Names in an archive: where each member goes, and which archives are refused for their names."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from _errors import DownloadError

LONGEST_PART, LONGEST_PATH = 255, 1000  # bytes that file systems take
CLUTTER = (".DS_Store", "Thumbs.db")


def is_clutter(name: str) -> bool:
    """Whether a member is what macOS or Windows adds to folders."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in CLUTTER


class Members:
    """The places of an archive's members, all of them inside one folder and no two the same.

    Args:
        archive: named in messages.
        folder: what they are unpacked to.
        most: how many files and folders are accepted.
    """

    def __init__(self, archive: Path, folder: Path, most: int) -> None:
        self.archive, self.folder, self.most = archive, folder, most
        self._folders: dict[str, str] = {}  # spelling by key
        self._files: dict[str, str] = {}

    def place(self, name: str, is_folder: bool) -> Path:
        """Where a member goes. Raises DownloadError, naming it, if it must not go anywhere."""
        parts = self._parts(name)
        if not parts and not is_folder:
            raise self.refused(name, "which is no name")
        for depth in range(1, len(parts) + is_folder):
            self._enter("/".join(parts[:depth]), name, self._folders, self._files)
        if not is_folder:
            if _key("/".join(parts)) in self._files:
                raise self.refused(name, "which stands there twice, or is the same to some systems")
            self._enter("/".join(parts), name, self._files, self._folders)
        if len(self._files) + len(self._folders) > self.most:
            raise DownloadError(
                f"{self.archive} holds more than {self.most:,} files and folders; expected fewer. "
                "Nothing was unpacked: the archive is not what it should be."
            )
        return self.folder.joinpath(*parts)

    def refused(self, name: str, why: str) -> DownloadError:
        """The error of an archive that is not unpacked because of one member."""
        return DownloadError(
            f"{self.archive} holds {name[:120]!r}, {why}. Nothing was unpacked: the archive is "
            "not what it should be."
        )

    def no_file(self, name: str) -> DownloadError:
        """The error of an archive with something that is neither file nor folder."""
        return DownloadError(
            f"{self.archive} holds a link or a device, {name!r}; datasets have none. Nothing was "
            "unpacked: the archive is "
            "not what it should be."
        )

    def _parts(self, name: str) -> list[str]:
        path = name.replace("\\", "/")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts or re.match("[A-Za-z]:", path):
            raise self.refused(name, "which leads out of its folder")
        if re.search(r"[\x00-\x1f\x7f\ud800-\udfff:]", name):
            raise self.refused(name, "with characters that names of files do not have")
        sizes = [len(part.encode()) for part in parts]
        if max(sizes, default=0) > LONGEST_PART or sum(sizes) + len(sizes) > LONGEST_PATH:
            raise self.refused(name, "whose name is longer than systems allow")
        return parts

    def _enter(self, path: str, name: str, own: dict[str, str], other: dict[str, str]) -> None:
        """Note a file or folder; raises DownloadError if something else has its place."""
        key = _key(path)
        if key in other:
            raise self.refused(name, f"where {path!r} is both a file and a folder")
        if own.setdefault(key, path) != path:
            raise self.refused(name, f"and {own[key]!r}, which are the same to some systems")


def _key(path: str) -> str:
    """What a system that does not tell apart case, or ways to write "ä", takes a path for."""
    return unicodedata.normalize("NFC", path).casefold()
