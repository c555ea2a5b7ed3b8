"""Cut a video dataset to its targets and pack it into shards: `python data_scripts/shards.py got10k-train`.

For storage where many small files are slow. Train on them with `sources: ["shards:shards/got10k-train"]`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.shards import write_shards
from course_lib.errors import CourseError
from course_lib.places import data_root


def main() -> int:
    """Pack one dataset; 0 if all of it is there afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "dataset", help="a name load_benchmark knows, for example got10k-train or lasot"
    )
    parser.add_argument(
        "--root", type=Path, default=data_root(), help="data root (default: COURSE_DATA, or data/)"
    )
    parser.add_argument(
        "--per-shard", type=int, default=64, help="videos in one shard (default 64)"
    )
    parser.add_argument(
        "--every", type=int, default=1, help="keep one frame out of so many (default 1)"
    )
    arguments = parser.parse_args()
    try:
        videos = load_benchmark(arguments.dataset, arguments.root).sequences
        folder = arguments.root / "shards" / arguments.dataset
        index = write_shards(videos, folder, arguments.per_shard, arguments.every)
    except CourseError as problem:
        print(f"shards: {problem}", file=sys.stderr)
        return 2
    print(f"{len(videos)} videos packed; listed in {index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
