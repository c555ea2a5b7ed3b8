"""Fetch OTB: one archive per video, unpacked to <root>/otb/<Name>/.

python data_scripts/otb.py                        all 100 targets
python data_scripts/otb.py --sequences Dog Deer   some videos

The authors' site is often down: fetch the archives elsewhere, put them into <root>/otb/archives/ as Dog.zip, …, and run
the script again, or name a mirror with --base-url.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from _download import download
from _script import options, run, say_space
from _unpack import unpack

from course_lib.data.otb_names import OTB_LISTS
from course_lib.data.readers.otb import read_video
from course_lib.errors import CourseError

SITE = "http://cvlab.hanyang.ac.kr/tracker_benchmark/seq"


def videos() -> list[str]:
    """The videos' names: Jogging and Skating2 hold two targets each."""
    return sorted({name.split(".")[0] for names in OTB_LISTS.values() for name in names})


def main(argv: list[str] | None = None) -> None:
    """Fetch, unpack and check each video that is not there."""
    parser = options(__doc__, SITE)
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these videos")
    arguments = parser.parse_args(argv)
    folder = arguments.root / "otb"
    wanted = arguments.sequences or videos()
    unknown = sorted(set(wanted) - set(videos()))
    if unknown:
        raise CourseError(
            f"OTB has no video {', '.join(unknown)}; its videos are {', '.join(videos())}"
        )
    missing = [name for name in wanted if not (folder / name).is_dir()]
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
        f"all {len(wanted)} videos are in {folder}; the archives in {folder / 'archives'} may be deleted"
    )


def install(archive: Path, target: Path) -> None:
    """Unpack one video's archive, read it once as the course does, and only then give it its name."""
    opened = unpack(archive, target.with_name(f".{target.name}.new"))
    try:
        inner = opened / target.name if (opened / target.name).is_dir() else opened
        if not (inner / "img").is_dir():
            raise CourseError(
                f"{archive} holds no folder {target.name}/img; it is not OTB's archive. Delete it and run again."
            )
        inner.rename(target)
        try:
            read_video(target)
        except CourseError:
            shutil.rmtree(target)
            raise
    finally:
        shutil.rmtree(opened, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run(main))
