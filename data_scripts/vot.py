"""Fetch the short-term VOT benchmark of a year to <root>/vot<year>/.

python data_scripts/vot.py 2018
python data_scripts/vot.py 2014 --sequences car tunnel

The year's description lists every sequence with the addresses and checksums of its frames and
annotations. 2022 had a benchmark of boxes and one of masks: this fetches the boxes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import urljoin

from _description import Entry, read_description
from _download import download
from _errors import DownloadError
from _script import add_to_list, known, options, parsed, refuse_unless_whole, run, say_space
from _unpack import unpack
from _workplace import workplace

from course_lib.data.readers.vot import read_sequence
from course_lib.errors import CourseError
from course_lib.files import read_names, write_whole

SITE = "https://data.votchallenge.net"
# where a year's description is, as the stack files of VOT's toolkit say
PLACES = {
    **dict.fromkeys((2013, 2014, 2015), "dataset"),
    **dict.fromkeys((2016, 2017, 2018, 2019), "main"),
    **dict.fromkeys((2020, 2021), "shortterm"),
    2022: "stb",
}


def description_url(base: str, year: int) -> str:
    """The address of a year's description.

    Raises CourseError if there is no short-term benchmark of that year.
    """
    if year not in PLACES:
        told = (
            "from 2023 on the challenge is VOTS, in which several targets are followed at once"
            if year > max(PLACES)
            else "VOT began in 2013"
        )
        raise CourseError(f"there is no short-term VOT of {year}: {told}. Expected 2013 to 2022")
    return f"{base}/vot{year}/{PLACES[year]}/description.json"


def main(argv: list[str] | None = None) -> None:
    """Fetch the description, then frames and annotations of each missing sequence."""
    parser = options(__doc__, SITE)
    parser.add_argument("year", type=int, help="2013 to 2022")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these sequences")
    arguments = parsed(parser, argv)
    url = description_url(arguments.base_url, arguments.year)
    folder = arguments.root / f"vot{arguments.year}"
    about = folder / "archives" / "description.json"
    if arguments.dry_run and not about.is_file():
        print(f"would fetch {url}, and then what it lists")
        say_space(arguments.root)
        return
    listed = described(url, about)
    wanted = known(arguments.sequences, listed, f"VOT {arguments.year} has no sequence")
    missing = [name for name in wanted if not os.path.lexists(folder / name)]
    for name in wanted:
        if name not in missing:
            refuse_unless_whole(folder / name, read_sequence)
    print(f"{len(wanted) - len(missing)} of {len(wanted)} sequences are in {folder}")
    if arguments.dry_run:
        for name in missing:
            print(f"would fetch {urljoin(url, listed[name].frames)}")
        say_space(arguments.root)
        return
    for name in missing:
        install(listed[name], url, folder)
        list_those(wanted, list(listed), folder)
    list_those(wanted, list(listed), folder)
    print(
        f"{len(read_names(folder / 'list.txt'))} sequences are in {folder}; the archives in "
        f"{folder / 'archives'} may be deleted"
    )


def described(url: str, path: Path) -> dict[str, Entry]:
    """The entries of a year's description; if it was just fetched and is damaged, it is removed."""
    was_there = path.is_file()
    download(url, path)
    try:
        return read_description(path, url)
    except CourseError:
        if not was_there:
            path.unlink()
        raise


def list_those(wanted: list[str], listed: list[str], folder: Path) -> None:
    """Add to list.txt the requested sequences that exist; to a new list, all that exist."""
    path = folder / "list.txt"
    names = wanted if os.path.lexists(path) else listed
    order = {name: number for number, name in enumerate(listed)}
    there = [name for name in names if (folder / name).is_dir()]
    add_to_list(path, there, lambda name: order.get(name, len(order)))


def install(entry: Entry, url: str, folder: Path) -> None:
    """Fetch and unpack one sequence; it is moved into place once it has been read completely."""
    name, archives = entry.name, folder / "archives"
    truth = download(urljoin(url, entry.truth), archives / f"{name}.zip", entry.truth_sum)
    frames = download(urljoin(url, entry.frames), archives / f"{name}-color.zip", entry.frames_sum)
    with workplace(folder, name) as work:
        new = unpack(truth, work / name)
        unpack(frames, new / "color")
        if not (new / "groundtruth.txt").is_file():
            raise DownloadError(
                f"{truth} contains no groundtruth.txt; it is not the annotation of {name}. Delete "
                "it and run again."
            )
        about = {"name": name, "fps": entry.fps, "channels.color": "color/%08d.jpg"}
        write_whole(new / "sequence", "".join(f"{key}={value}\n" for key, value in about.items()))
        read_sequence(new)
        new.rename(folder / name)


if __name__ == "__main__":
    sys.exit(run(main))
