"""Fetch a year's short-term VOT benchmark to <root>/vot<year>/.

python data_scripts/vot.py 2018
python data_scripts/vot.py 2014 --sequences car tunnel

The year's description lists every sequence with the addresses and checksums of its frames and annotations.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from urllib.parse import urljoin

from _download import DownloadError, download
from _script import options, run, say_space
from _unpack import unpack

from course_lib.errors import CourseError
from course_lib.files import write_whole

SITE = "https://data.votchallenge.net"
EARLY = (2013, 2014, 2015)  # their descriptions stand elsewhere


def description_url(base: str, year: int) -> str:
    """Where the description of a year stands."""
    kind = "dataset" if year in EARLY else "shortterm" if year >= 2020 else "main"
    return f"{base}/vot{year}/{kind}/description.json"


def main(argv: list[str] | None = None) -> None:
    """Fetch the description, then frames and annotations of each sequence that is not there."""
    parser = options(__doc__, SITE)
    parser.add_argument("year", type=int, help="2013 or later")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these sequences")
    arguments = parser.parse_args(argv)
    if arguments.year < 2013:
        raise CourseError(f"VOT began in 2013; there is no {arguments.year}")
    folder = arguments.root / f"vot{arguments.year}"
    url = description_url(arguments.base_url, arguments.year)
    if arguments.dry_run and not (folder / "archives" / "description.json").is_file():
        print(f"would fetch {url}, and then what it lists")
        say_space(arguments.root)
        return
    listed = read_description(download(url, folder / "archives" / "description.json"), url)
    wanted = arguments.sequences or list(listed)
    unknown = sorted(set(wanted) - listed.keys())
    if unknown:
        raise CourseError(
            f"VOT {arguments.year} has no sequence {', '.join(unknown)}; it has {', '.join(listed)}"
        )
    missing = [name for name in wanted if not (folder / name).is_dir()]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} sequences are in {folder}")
    if arguments.dry_run:
        for name in missing:
            print(f"would fetch {frames_of(listed[name], url)[0]}")
        say_space(arguments.root)
        return
    for name in missing:
        install(listed[name], url, folder)
    there = [name for name in listed if (folder / name).is_dir()]
    write_whole(folder / "list.txt", "".join(f"{name}\n" for name in there))
    print(
        f"{len(there)} sequences are in {folder}; the archives in {folder / 'archives'} may be deleted"
    )


def read_description(path: Path, url: str) -> dict[str, dict]:
    """The sequences of a description by name; raises DownloadError if it is not one."""
    try:
        return {
            sequence["name"]: sequence
            for sequence in json.loads(path.read_text(encoding="utf-8"))["sequences"]
        }
    except (ValueError, KeyError, TypeError) as problem:
        path.unlink()
        raise DownloadError(
            f"{url} is not a VOT description ({problem!r}). Try again, or name a mirror with --base-url."
        ) from None


def frames_of(sequence: dict, url: str) -> tuple[str, str | None]:
    """Address and checksum of a sequence's colour frames."""
    channel = sequence["channels"]["color"]
    return urljoin(url, channel["url"]), _sum(channel)


def _sum(entry: dict) -> str | None:
    """The checksum of an entry with the kind that its length tells."""
    value = entry.get("checksum")
    return (
        f"{ {32: 'md5', 40: 'sha1', 64: 'sha256'}[len(value)] }:{value}"
        if value and len(value) in (32, 40, 64)
        else None
    )


def install(sequence: dict, url: str, folder: Path) -> None:
    """Fetch and unpack one sequence; it gets its name when frames and annotations are both there."""
    name, archives = sequence["name"], folder / "archives"
    annotations = sequence["annotations"]
    address, checksum = frames_of(sequence, url)
    truth = download(urljoin(url, annotations["url"]), archives / f"{name}.zip", _sum(annotations))
    frames = download(address, archives / f"{name}-color.zip", checksum)
    new = unpack(truth, folder / f".{name}.new")
    try:
        unpack(frames, new / "color")
        if not (new / "groundtruth.txt").is_file():
            raise DownloadError(
                f"{truth} holds no groundtruth.txt; it is not the annotation of {name}. Delete it and run again."
            )
        about = {"name": name, "fps": sequence.get("fps", 30), "channels.color": "color/%08d.jpg"}
        write_whole(new / "sequence", "".join(f"{key}={value}\n" for key, value in about.items()))
        new.rename(folder / name)
    finally:
        shutil.rmtree(new, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run(main))
