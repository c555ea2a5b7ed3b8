"""Names in an archive: where each member goes, and names for which an archive is refused."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from _errors import DownloadError

LONGEST_PART, LONGEST_PATH = 255, 1000  # bytes that file systems accept
CLUTTER = (".DS_Store", "Thumbs.db")


def is_clutter(name: str) -> bool:
    """Whether a member is one of the files that macOS or Windows add to folders."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in CLUTTER


class Members:
    """The places of an archive's members, all different and inside one folder.

    Args:
        archive: path of the archive, for messages.
        folder: folder they are unpacked to.
        most: largest number of files and folders.
    """

    def __init__(self, archive: Path, folder: Path, most: int) -> None:
        self.archive, self.folder, self.most = archive, folder, most
        self._folders: dict[str, str] = {}  # spelling by key
        self._files: dict[str, str] = {}

    def place(self, name: str, is_folder: bool) -> Path:
        """Where a member goes; raises DownloadError, naming it, if it is refused."""
        parts = self._parts(name)
        if not parts and not is_folder:
            raise self.refused(name, "which is not a name")
        for depth in range(1, len(parts) + is_folder):
            self._enter("/".join(parts[:depth]), name, self._folders, self._files)
        if not is_folder:
            if _key("/".join(parts)) in self._files:
                raise self.refused(
                    name, "twice, or under names that some systems do not tell apart"
                )
            self._enter("/".join(parts), name, self._files, self._folders)
        if len(self._files) + len(self._folders) > self.most:
            raise DownloadError(
                f"{self.archive} contains more than {self.most:,} files and folders; expected "
                "fewer. Nothing was unpacked: this cannot be the right archive."
            )
        return self.folder.joinpath(*parts)

    def refused(self, name: str, why: str) -> DownloadError:
        """The error for an archive that is not unpacked because of one member."""
        return DownloadError(
            f"{self.archive} contains {name[:120]!r}, {why}. Nothing was unpacked: this cannot be "
            "the right archive."
        )

    def no_file(self, name: str) -> DownloadError:
        """The error for an archive with a member that is neither a file nor a folder."""
        return DownloadError(
            f"{self.archive} contains a link or a device, {name!r}; datasets have none. Nothing "
            "was unpacked: this cannot be the right archive."
        )

    def _parts(self, name: str) -> list[str]:
        path = name.replace("\\", "/")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts or re.match("[A-Za-z]:", path):
            raise self.refused(name, "which leads out of its folder")
        if re.search(r"[\x00-\x1f\x7f\ud800-\udfff:]", name):
            raise self.refused(name, "with characters that are not allowed in file names")
        sizes = [len(part.encode()) for part in parts]
        if max(sizes, default=0) > LONGEST_PART or sum(sizes) + len(sizes) > LONGEST_PATH:
            raise self.refused(name, "whose name is longer than systems allow")
        return parts

    def _enter(self, path: str, name: str, own: dict[str, str], other: dict[str, str]) -> None:
        """Register a file or folder; raises DownloadError if its place is taken."""
        key = _key(path)
        if key in other:
            raise self.refused(name, f"where {path!r} is both a file and a folder")
        if own.setdefault(key, path) != path:
            raise self.refused(name, f"and {own[key]!r}, which some systems do not tell apart")


def _key(path: str) -> str:
    """A path as seen by systems that ignore case, or different encodings of "ä"."""
    return unicodedata.normalize("NFC", path).casefold()
