"""What does an entry of lesson 17 have to beat? Mean IoU of four trackers on the hidden clips.

    python benchmarks/challenge_rivals.py --write results/challenge_rivals.json

The check of an entry reads the file, so that it need not run a network whenever it is asked.
SiamFC runs in single precision.
"""

from __future__ import annotations

from measure import exact_tracker, one_thread, options_of, write_results

from course_lib.exercises.lesson17_entry import RIVALS, hidden_sequences, mean_iou
from course_lib.exercises.tracks import run


def main() -> None:
    """Run each rival on every sequence, print, and write the results if asked to."""
    options = options_of(__doc__).parse_args()
    with one_thread():
        found = {
            name: mean_iou([run(exact_tracker(name), sequence) for sequence in hidden_sequences()])
            for name in RIVALS
        }
    for name, value in found.items():
        print(f"{name}: {value:.4f}")
    write_results(options.write, {"rivals": found}, "cpu")


if __name__ == "__main__":
    main()
