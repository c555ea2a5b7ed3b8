"""Fetch OTB: one archive per video, unpacked to <root>/otb/<Name>/.

python data_scripts/otb.py                        all 100 targets
python data_scripts/otb.py --sequences Dog Deer   some videos

The authors' site is often down: fetch the archives elsewhere, put them into <root>/otb/archives/ as
Dog.zip, …, and run the script again, or give a mirror with --base-url.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from _download import download
from _install import no_archive_of
from _script import known, options, parsed, refuse_unless_whole, run, say_space
from _unpack import unpack
from _workplace import workplace

from course_lib.data.otb_names import OTB_LISTS
from course_lib.data.readers.otb import read_video

SITE = "http://cvlab.hanyang.ac.kr/tracker_benchmark/seq"


def videos() -> list[str]:
    """The videos' names: Jogging and Skating2 have two targets each."""
    return sorted({name.split(".")[0] for names in OTB_LISTS.values() for name in names})


def main(argv: list[str] | None = None) -> None:
    """Fetch, unpack and check each missing video."""
    parser = options(__doc__, SITE)
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these videos")
    arguments = parsed(parser, argv)
    folder = arguments.root / "otb"
    wanted = known(arguments.sequences, videos(), "OTB has no video")
    missing = [name for name in wanted if not os.path.lexists(folder / name)]
    for name in wanted:
        if name not in missing:
            refuse_unless_whole(folder / name, read_video)
    print(f"{len(wanted) - len(missing)} of {len(wanted)} videos are in {folder}")
    if arguments.dry_run:
        for name in missing:
            print(f"would fetch {arguments.base_url}/{name}.zip")
        say_space(arguments.root)
        return
    for name in missing:
        archive = download(f"{arguments.base_url}/{name}.zip", folder / "archives" / f"{name}.zip")
        install(archive, folder / name)
    print(
        f"all {len(wanted)} videos are in {folder}; the archives in {folder / 'archives'} may be "
        "deleted"
    )


def install(archive: Path, target: Path) -> None:
    """Unpack one video's archive and read it once; only then is it moved into place."""
    with workplace(target.parent, target.name) as work:
        opened = unpack(archive, work / "opened")
        inner = opened / target.name if (opened / target.name).is_dir() else opened
        if not (inner / "img").is_dir():
            raise no_archive_of(
                archive, opened, f"OTB's {target.name}", f"folder {target.name}/img"
            )
        named = inner.rename(work / target.name)
        read_video(named)
        named.rename(target)


if __name__ == "__main__":
    sys.exit(run(main))
