"""Small files in the datasets' layouts, for the tests of the readers."""

from __future__ import annotations

from pathlib import Path


def images(folder: Path, numbers, pattern: str = "{:04d}.jpg") -> None:
    """Empty files instead of images: a reader that decodes one fails."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in numbers:
        (folder / pattern.format(i)).touch()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def rows(count: int, start: int = 1) -> str:
    return "".join(f"{start + i},{start + 2 * i},{10 + i},20\n" for i in range(count))
