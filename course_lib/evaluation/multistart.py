"""VOT's multi-start protocol (2020 to 2022): a tracker is started on every anchor of a sequence and
runs, forward or backward, to the sequence's end, whether it loses its target or not.

Kristan et al.: The Eighth Visual Object Tracking VOT2020 Challenge Results, ECCVW 2020. Files and
order are those of the toolkit (0.9.0, `vot/experiment/multistart.py`). `multistart_scores.py` holds
the measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.otb import checked_box
from course_lib.evaluation.region_files import place, read_regions, write_regions
from course_lib.evaluation.regions import (
    Region,
    exact_overlap,
    is_known,
    is_like_a_code,
    region_overlap,
)
from course_lib.evaluation.results import time_path, write_columns
from course_lib.evaluation.vot import INIT, SKIPPED, true_regions
from course_lib.geometry.boxes import is_valid
from course_lib.geometry.mask import Mask
from course_lib.trackers.base import Tracker

SPACING, REACH = 50, 5  # frames between two anchors; how far one is moved to a visible target
HALF = {"visible": 0.5, "cover": 4}  # tags of visibility, and what counts as half of it


@dataclass(frozen=True, eq=False)
class AnchoredRun:
    """The run from one anchor over its N frames, in the order they were tracked.

    Attributes:
        anchor: the frame it starts on.
        backward: whether it runs towards the first frame.
        regions: N regions or codes: INIT first, then a box or polygon each, SKIPPED for "absent".
        seconds: (N,) that the tracker took; NaN where nobody measured.
        overlaps: (N,) with the truth as the toolkit counts them: 0 for the first frame, 1 where
            the target is absent and said to be.
        exact: (N,) the same for boxes that are not rounded to pixels, see `regions.exact_overlap`.
        present: (N,) bool, whether there is a true region.
    """

    anchor: int
    backward: bool
    regions: list[np.ndarray]
    seconds: np.ndarray
    overlaps: np.ndarray
    exact: np.ndarray
    present: np.ndarray


def anchors(sequence: Sequence) -> dict[int, int]:
    """The anchors of a sequence: 1 for those that run forward, −1 for backward, by frame.

    They come in the toolkit's order, the forward ones first. If the benchmark names none (VOT does,
    in `anchor.value`), the course places its own: on the first, the last and every
    50th frame, moved by at most five frames to one where half the target can be seen; each runs
    in the direction that has more frames.

    Raises DataError if there is no frame to start on.
    """
    named = sequence.tags.get("anchor")
    found = placed(sequence) if named is None else {int(t): named[t] for t in named.nonzero()[0]}
    if not found:
        raise DataError(
            f"{sequence.name} has no frame to start on: no anchor, or no visible target within "
            f"{REACH} frames of one. To leave the sequence out, name the others with --sequences."
        )
    blind = [t for t in found if not is_valid(sequence.boxes[t])]
    if blind:
        raise DataError(
            f"{sequence.name} has an anchor at frame {blind[0]}, where there is no true box; "
            "correct its anchor.value"
        )
    ordered = sorted(found, key=lambda t: (found[t] < 0, t))
    return {t: 1 if found[t] > 0 else -1 for t in ordered}


def placed(sequence: Sequence, spacing: int = SPACING) -> dict[int, int]:
    """The anchors that the course places, in order: 1 for forward, −1 for backward, by frame. Two
    that would fall on one frame are one; `spacing` is the number of frames from one to the next."""
    T, found = len(sequence), {}
    usable = is_valid(sequence.boxes) & ~np.asarray(sequence.omitted, dtype=bool)  # (T,)
    for tag, half in HALF.items():
        usable &= np.asarray(sequence.tags.get(tag, np.full(T, half))) >= half
    candidates = usable.nonzero()[0]
    for wanted in [*range(0, T - 1, spacing), T - 1]:
        away = np.abs(candidates - wanted)  # (n,)
        if len(away) and away.min() <= REACH:
            t = int(candidates[away.argmin()])
            found[t] = 1 if T - 1 - t >= t else -1
    return found


def frames_of(anchor: int, backward: bool, length: int) -> range:
    """The frames of a run in the order they are tracked, the anchor first.

    Args:
        anchor: the frame it starts on.
        backward: whether it runs to the first frame, else to the last.
        length: frames of the sequence.
    """
    return range(anchor, -1, -1) if backward else range(anchor, length)


def run_multistart(make: Callable[[], Tracker], sequence: Sequence) -> list[AnchoredRun]:
    """A run of a fresh tracker from every anchor, see `anchors`.

    A tracker may return four NaN for a target that it takes to be absent.

    Raises DataError, naming sequence and frame, if it gives anything else but four finite numbers.
    """
    return [run_from(make(), sequence, t, way < 0) for t, way in anchors(sequence).items()]


def run_from(
    tracker: Tracker, sequence: Sequence, anchor: int, backward: bool = False
) -> AnchoredRun:
    """The run of a fresh tracker from one anchor.

    Args:
        tracker: started there.
        sequence: what to run on.
        anchor, backward: as in `AnchoredRun`.

    Raises:
        DataError: naming sequence and frame, if it gives anything but four finite numbers or NaN.
    """
    regions, seconds = [np.array([float(INIT)])], []
    for t in frames_of(anchor, backward, len(sequence)):
        frame = sequence.frames[t]
        began = time.perf_counter()
        if t == anchor:
            tracker.init(frame, sequence.boxes[t].copy())
        else:
            given = tracker.update(frame)
        seconds.append(time.perf_counter() - began)
        if t != anchor:
            regions.append(reported_region(given, tracker, sequence, t))
    return with_overlaps(regions, np.array(seconds), sequence, anchor, backward)


def reported_region(given: object, tracker: Tracker, sequence: Sequence, frame: int) -> np.ndarray:
    """What a tracker gave for a frame as a box (4,), or the code SKIPPED (1,) for an absent target.

    Args:
        given, tracker, sequence, frame: as in `otb.checked_box`.

    Raises:
        DataError: if it is neither four finite numbers nor four NaN.
    """
    box = checked_box(given, tracker, sequence, frame, may_be_absent=True)
    return np.array([float(SKIPPED)]) if np.isnan(box).any() else box


def with_overlaps(
    regions: list[np.ndarray], seconds: np.ndarray, sequence: Sequence, anchor: int, backward: bool
) -> AnchoredRun:
    """A run with its overlaps.

    Args:
        regions, seconds, anchor, backward: as in `AnchoredRun`.
        sequence: what it was run on.
    """
    regions_of = true_regions(sequence)
    truth = [regions_of[t] for t in frames_of(anchor, backward, len(sequence))]  # N
    present = np.array([not is_empty(region) for region in truth])  # (N,)
    shape = sequence.frames[anchor].shape[:2]
    return AnchoredRun(
        anchor,
        backward,
        regions,
        seconds,
        overlaps_of(regions, truth, shape),
        overlaps_of(regions, truth, shape, exact_overlap),
        present,
    )


def is_empty(region: Region) -> bool:
    """Whether a region holds nothing: a code (1,), NaN, a box or polygon without width or height.

    A code is a report without a region; a true region with NaN is an absent target. As in the
    toolkit, a mask that is one pixel wide or high counts as empty.
    """
    if isinstance(region, Mask):
        return min(region.width, region.height) < 2
    if len(region) == 1 or not np.isfinite(region).all():
        return True
    if len(region) == 4:
        return not is_valid(region)
    return bool(np.ptp(region[0::2]) == 0 or np.ptp(region[1::2]) == 0)


def overlaps_of(
    regions: Iterable[np.ndarray],
    truth: Iterable[Region],
    shape: tuple[int, int],
    overlap: Callable[..., float] = region_overlap,
) -> np.ndarray:
    """Overlaps (N,) of reported with true regions; a code is an empty region.

    As in the toolkit, two empty regions overlap by 1 and one that is empty overlaps by 0, so the
    first frame of a run, whose code is INIT, has 0. A region may be as good as a code, above all
    the box 0,0,0,0: see `regions.is_like_a_code`.

    Args:
        regions: N regions or codes.
        truth: N true ones; NaN where the target is absent.
        shape: height and width of the image.
        overlap: of two regions in an image, `region_overlap` or `exact_overlap`.
    """
    values = []
    for region, true in zip(regions, truth, strict=True):
        pair = [region] * (len(region) > 1) + [true] * is_known(true)  # those that are there
        both = len(pair) == 2
        values.append(overlap(*pair, *shape) if both else float(all(map(is_like_a_code, pair))))
    return np.array(values)


def write_anchored(path: Path, run: AnchoredRun) -> None:
    """Write the regions of a run as VOT does, text or `.bin`, and its seconds beside them."""
    if np.isfinite(run.seconds).any():
        write_columns(time_path(path), run.seconds[:, None])
    write_regions(path, run.regions)


def read_anchored(path: Path, sequence: Sequence) -> AnchoredRun:
    """Read a run in VOT's format; its anchor is the number its name ends in.

    Args:
        path: the file of regions, "NAME_00000050.bin" or ".txt".
        sequence: what it was run on.

    Raises:
        MissingDataError: if there is no file.
        DataError: if it is not a run from an anchor of this sequence.
    """
    anchor, ways = int(path.stem[-8:]), anchors(sequence)
    if anchor not in ways:
        raise DataError(f"{path}: frame {anchor} is no anchor of {sequence.name}")
    backward, regions = ways[anchor] < 0, read_regions(path)
    length = len(frames_of(anchor, backward, len(sequence)))
    if len(regions) != length:
        raise DataError(
            f"{path} has {len(regions)} regions; a run {'backward' if backward else 'forward'} "
            f"from frame {anchor} of {sequence.name} has {length} frames. Run the tracker again."
        )
    check_codes(path, regions)
    return with_overlaps(regions, np.full(length, np.nan), sequence, anchor, backward)


def check_codes(path: Path, regions: list[np.ndarray]) -> None:
    """Raise DataError unless regions begin with INIT, and no other code than SKIPPED follows."""
    for t, region in enumerate(regions):
        expected = INIT if t == 0 else SKIPPED
        if (len(region) == 1 or t == 0) and (len(region) > 1 or region[0] != expected):
            raise DataError(
                f"{place(path, t)} is {region.tolist()}; expected "
                f"{'the code 1' if t == 0 else 'a region, or 0 for an absent target'}: this is "
                "not a run that was started once"
            )
