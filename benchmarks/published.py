"""How well do the boxes that six trackers' authors published on OTB-100 score?

python benchmarks/published.py --write results/otb100_published.json

Reads the folder otb100_published below COURSE_DATA. Lesson 01 draws the file: success and precision
of all six, and how often the ranking changes with the measure.
"""

from __future__ import annotations

from measure import options_of, write_results

from course_lib.evaluation.otb_published import published_report
from course_lib.evaluation.tables import to_markdown
from course_lib.places import data_root


def main() -> None:
    """Score, print, and write the results if asked to."""
    options = options_of(__doc__).parse_args()
    report = published_report(data_root() / "otb100_published")
    print(to_markdown(report))
    kept = report.to_dict()
    del kept["auc_by_sequence"]  # the lessons do not show it
    write_results(options.write, kept, "cpu")


if __name__ == "__main__":
    main()
