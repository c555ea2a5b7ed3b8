"""Cut a video dataset to its targets and pack it into shards: `python data_scripts/shards.py
got10k-train`.

For storage on which many small files are slow. To train on them:
`sources: ["shards:shards/got10k-train"]`. Shards record what they were made of: after a change
of data or options, run this again with --fresh. A crop has room for the search images of most
recipes; one that needs more says how many --pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _script import parsed, run

from course_lib.data.packing import write_shards
from course_lib.data.shards import PIXELS
from course_lib.data.training_sets import TRAINING_SETS, load_training_videos
from course_lib.places import data_root


def main(argv: list[str] | None = None) -> None:
    """Pack one dataset, or resume packing it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help=f"videos to train on: {', '.join(TRAINING_SETS)}")
    parser.add_argument(
        "--root", type=Path, default=data_root(), help="data root (default: COURSE_DATA, or data/)"
    )
    parser.add_argument("--per-shard", type=int, default=64, help="videos per shard (default 64)")
    parser.add_argument(
        "--every", type=int, default=1, help="keep one frame in this many (default 1)"
    )
    parser.add_argument(
        "--pixels",
        type=int,
        default=PIXELS,
        help=f"side of a crop (default {PIXELS}); a recipe that needs more says how much",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="replace shards made of other data or with other options",
    )
    a = parsed(parser, argv)
    videos = load_training_videos(a.dataset, a.root)
    folder = a.root / "shards" / a.dataset
    options = {"dataset": a.dataset, "fresh": a.fresh, "pixels": a.pixels}
    index = write_shards(videos, folder, a.per_shard, a.every, **options)
    count = sum(
        len(row["videos"]) for row in json.loads(index.read_text(encoding="utf-8"))["shards"]
    )
    print(f"{count} of {len(videos)} videos packed; listed in {index}")


if __name__ == "__main__":
    sys.exit(run(main))
