"""What does an entry of lesson 17 have to beat? Mean IoU of four trackers on the hidden sequences.

    python benchmarks/challenge_rivals.py --write results/challenge_rivals.json

The check of an entry reads the file, so that it need not run a network whenever it is asked.
Rivals that can search for a lost target are also measured with re-detection, which the lesson
shows beside them. SiamFC runs in single precision.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from measure import exact_tracker, one_thread, options_of, write_results

from course_lib.exercises.lesson17_entry import RIVALS, hidden_sequences, mean_iou
from course_lib.exercises.tracks import run
from course_lib.trackers.base import Tracker
from course_lib.trackers.redetection import redetection_recipe, with_redetection


def score(make: Callable[[], Tracker]) -> float:
    """Mean IoU of a tracker over the hidden sequences."""
    return mean_iou([run(make(), sequence) for sequence in hidden_sequences()])


def main() -> None:
    """Run each rival on every sequence, print, and write the results if asked to."""
    options = options_of(__doc__).parse_args()
    with one_thread():
        found = {name: score(partial(exact_tracker, name)) for name in RIVALS}
        again = {
            name: score(lambda name=name: with_redetection(exact_tracker(name)))
            for name in RIVALS
            if redetection_recipe(name) is not None
        }
    for name, value in found.items():
        print(f"{name}: {value:.4f}, with re-detection {again.get(name, float('nan')):.4f}")
    write_results(options.write, {"rivals": found, "with re-detection": again}, "cpu")


if __name__ == "__main__":
    main()
