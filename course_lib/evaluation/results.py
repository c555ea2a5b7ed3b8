"""What a tracker did on one sequence, in memory and on disk.

The course keeps results as the GOT-10k toolkit does for OTB, in a folder for each benchmark:

    <root>/<benchmark>/<tracker>/<sequence>.txt              one `x,y,w,h` per line
    <root>/<benchmark>/<tracker>/times/<sequence>_time.txt   seconds per frame, one per line

Supervised runs are below the same tracker in the text files of older versions of VOT's toolkit (see
`vot.py`). `layouts.py` reads and writes the layouts of other toolkits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_numbers, read_text, write_whole
from course_lib.geometry.boxes import as_boxes

VALUES = ".value"  # what the toolkit's files of times and scores end in: a line for every frame


@dataclass(frozen=True, eq=False)
class Result:
    """Boxes (T, 4) that a tracker returned, 0-based pixels, and the seconds (T,) each took.

    Row 0 is the box the tracker started from. Seconds count the tracker's own calls, not the
    reading of frames; NaN where nobody measured.
    """

    boxes: np.ndarray
    seconds: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "boxes", as_boxes(self.boxes))
        object.__setattr__(self, "seconds", np.asarray(self.seconds, dtype=np.float64))
        if self.boxes.ndim != 2 or self.seconds.shape != (len(self.boxes),):
            raise DataError(
                f"boxes {self.boxes.shape} and seconds {self.seconds.shape}; expected (T, 4) and "
                "(T,)"
            )

    def __len__(self) -> int:
        return len(self.boxes)


def result_path(root: Path | str, benchmark: str, tracker: str, sequence: str) -> Path:
    """The file of the boxes of one pass over a whole sequence.

    Args:
        root: the folder of results.
        benchmark, tracker, sequence: names.
    """
    return Path(root) / benchmark / tracker / f"{sequence}.txt"


def time_path(path: Path) -> Path:
    """The file of the seconds that belong to the boxes in `path`."""
    return path.parent / "times" / f"{path.stem}_time.txt"


def score_path(path: Path) -> Path:
    """The file of the scores that belong to the boxes in `path`."""
    return path.parent / "scores" / f"{path.stem}_score.txt"


def write_result(path: Path, result: Result, first_pixel: int = 0) -> None:
    """Write boxes and seconds; the boxes' file appears last and whole, so it marks a finished run.

    Args:
        path: the file of boxes.
        result: what to write.
        first_pixel: added to x and y, 1 for benchmarks whose files count from 1.
    """
    shift = np.array([first_pixel, first_pixel, 0, 0])
    if np.isfinite(result.seconds).any():
        write_columns(time_path(path), result.seconds[:, None])
    write_rows(path, result.boxes + shift)


def write_rows(path: Path, boxes: np.ndarray) -> None:
    """Write boxes (T, 4) unchanged, one `x,y,w,h` per line."""
    rows = (",".join(f"{v:.4f}" for v in row) for row in boxes)
    write_whole(path, "".join(row + "\n" for row in rows))


def write_columns(path: Path, seconds: np.ndarray) -> None:
    """Write seconds (T, R), one line per frame and one column per run; a frame that nobody measured
    is "nan", or an empty line in a `.value` file of VOT's toolkit."""
    rows = (
        "" if path.suffix == VALUES and np.isnan(row).all() else ",".join(f"{v:.8f}" for v in row)
        for row in seconds
    )
    write_whole(path, "".join(row + "\n" for row in rows))


def write_scores(path: Path, scores: np.ndarray) -> None:
    """Write scores (T,), one a line, with all their digits: equal ones must stay equal."""
    write_whole(path, "".join(f"{float(score)!r}\n" for score in scores))


def read_scores(path: Path) -> np.ndarray:
    """Scores (T,) of a file; an empty line is a frame without one and has 0, as in VOT's toolkit.

    Raises DataError naming the line that is not a number.
    """
    lines = [line.strip() for line in read_text(path).splitlines()]
    scores = []
    for number, line in enumerate(lines, start=1):
        try:
            scores.append(float(line or 0))
        except ValueError:
            raise DataError(
                f"{path}, line {number}: {line[:40]!r}; expected a number, how sure the tracker "
                "was. Run the tracker again."
            ) from None
    return np.array(scores)


def read_result(path: Path, first_pixel: int = 0) -> Result:
    """Boxes and seconds of one run; numbers may be separated by commas, tabs or spaces.

    Raises MissingDataError if the file is missing, DataError naming file and line if a row is not
    four numbers.
    """
    if not path.is_file():
        raise MissingDataError(
            f"no result {path}; run `python -m course_lib evaluate` for this tracker and benchmark"
        )
    boxes = read_rows(path) - np.array([first_pixel, first_pixel, 0, 0])
    times = time_path(path)
    seconds = read_seconds(times, 1)[:, 0] if times.is_file() else np.full(len(boxes), np.nan)
    check_length(times, len(seconds), path, len(boxes))
    return Result(boxes, seconds)


def read_rows(path: Path) -> np.ndarray:
    """Boxes (T, 4) of a file, unchanged; NaN where the tracker returned none.

    Raises DataError naming file and line if a row is not four finite numbers.
    """
    return read_numbers(path, columns=4)


def read_seconds(path: Path, runs: int) -> np.ndarray:
    """Seconds (T, runs) of a file; NaN where nobody measured.

    In a `.value` file of VOT's toolkit, an empty line is such a frame, skipped after a failure.

    Raises DataError if one is negative or infinite.
    """
    seconds = read_numbers(path, columns=runs, blank_is_row=path.suffix == VALUES)
    wrong = seconds[seconds < 0]
    if wrong.size:
        raise DataError(
            f"{path} holds {wrong[0]:g} seconds; expected the time of each frame, 0 or more. "
            "Delete it to do without speeds."
        )
    return seconds


def check_length(times: Path, seconds: int, path: Path, boxes: int) -> None:
    """Raise DataError, naming both files, unless there are as many seconds as boxes.

    Args:
        times: the file of seconds, or of scores, of which there are `seconds`.
        path: the file of boxes, of which there are `boxes`.
    """
    if seconds != boxes:
        raise DataError(
            f"{times} has {seconds} rows and {path} has {boxes}; expected the same number. "
            f"Run the tracker again, or delete {times.name} to do without it."
        )
