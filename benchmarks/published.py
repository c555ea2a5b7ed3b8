"""Score the boxes that six trackers' authors published on OTB-100 (folder otb100_published below COURSE_DATA).

python benchmarks/published.py --write results/otb100_published.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from course_lib.evaluation.otb_published import published_report
from course_lib.evaluation.tables import to_markdown, without_nan
from course_lib.files import write_whole
from course_lib.places import data_root
from course_lib.provenance import provenance


def main() -> None:
    """Score, print, and keep the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="JSON file to keep the figures in")
    arguments = parser.parse_args()
    report = published_report(data_root() / "otb100_published")
    print(to_markdown(report))
    if arguments.write:
        kept = report.to_dict()
        del kept["auc_by_sequence"]  # what the lessons show is enough
        write_whole(
            arguments.write,
            json.dumps(without_nan({**kept, "measured": provenance()}), indent=1) + "\n",
        )


if __name__ == "__main__":
    main()
