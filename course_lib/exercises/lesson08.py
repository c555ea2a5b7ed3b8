"""Checks of lesson 08: change, penalty, re-ranking, smoothing, the whole tracker."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array, require_close, require_untouched, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import context_side
from course_lib.trackers import siamrpn


def padded_size(w, h) -> np.ndarray:
    """`context_side` of widths and heights (N,)."""
    return context_side(np.stack([w, h], axis=-1))


@check("choose.padded_size", reference=padded_size)
def examine_padded_size(answer, reference, rng) -> None:
    """Size with context."""
    w, h = rng.uniform(20, 100, 5), rng.uniform(20, 100, 5)
    given, expected = as_array(answer(w.copy(), h.copy()), (5,), "the sizes"), reference(w, h)
    if same(given, np.sqrt(w * h)):
        raise Wrong("your size is √(w·h), without the context p = (w + h) / 2 on each side")
    if same(given, expected**2):
        raise Wrong("your size is an area; take the square root")
    quarter = (w + h) / 4
    if same(given, np.sqrt((w + quarter) * (h + quarter))):
        raise Wrong("your p is (w + h) / 4; it is (w + h) / 2")
    require_close(given, expected, "the sizes")


@check("choose.change", reference=siamrpn.change)
def examine_change(answer, reference, rng) -> None:
    """Change, the same for twice as large and half as large."""
    ratios = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
    given = as_array(answer(ratios.copy()), (5,), "the changes")
    if same(given, ratios):
        raise Wrong(
            "a target that halves changed as much as one that doubles: take the larger of r and 1 "
            "/ r"
        )
    if same(given, 1 / reference(ratios)):
        raise Wrong("you take the smaller of r and 1 / r; a change is at least 1")
    if same(given, np.abs(np.log(ratios))) or same(given, np.abs(ratios - 1)):
        raise Wrong(f"no change should be 1; yours is {given[2]:g}")
    require_close(given, reference(ratios), "the changes")


@check("choose.penalty", reference=siamrpn.change_penalty)
def examine_penalty(answer, reference, rng) -> None:
    """Penalty for a change of size and shape."""
    boxes = np.concatenate([rng.uniform(0, 200, (6, 2)), rng.uniform(20, 120, (6, 2))], 1)
    size = np.array([64.0, 40.0])
    boxes[0, 2:] = size
    given = as_array(answer(boxes.copy(), size.copy(), 0.16), (6,), "the penalties")
    expected = reference(boxes, size, 0.16)
    w, h = boxes[:, 2], boxes[:, 3]
    s = siamrpn.change(padded_size(w, h) / padded_size(*size))
    r = siamrpn.change((size[0] / size[1]) / (w / h))
    if same(given, np.exp(0.16 * r * s)):
        raise Wrong(
            "the more a box changed the higher you rate it: a box of the last size gets "
            f"{given[0]:.2f}, expected 1. The lecture's "
            "slide has lost a minus and a − 1: exp(−(r·s − 1)·k)"
        )
    if same(given, np.exp(-0.16 * r * s)):
        raise Wrong(
            f"a box that did not change gets {given[0]:.2f}; no change, no penalty: r·s − 1 in the "
            "exponent"
        )
    if same(given, np.exp(-(s - 1) * 0.16)):
        raise Wrong("only the size counts in your penalty; the ratio w / h does too")
    if same(given, np.exp(-(r - 1) * 0.16)):
        raise Wrong("only the ratio counts in your penalty; the size does too")
    if same(given, np.exp(-(r + s - 2) * 0.16)):
        raise Wrong("the two changes are multiplied, not added")
    plain = siamrpn.change(padded_without(w, h) / padded_without(*size))
    if same(given, np.exp(-(r * plain - 1) * 0.16)):
        raise Wrong("the size in s is the padded one")
    require_close(given, expected, "the penalties")


def padded_without(w, h) -> np.ndarray:
    """√(w·h): the size without context."""
    return np.sqrt(np.asarray(w) * np.asarray(h))


@check("choose.rerank", reference=siamrpn.rerank)
def examine_rerank(answer, reference, rng) -> None:
    """Scores, penalties and window together."""
    scores, penalties, window = (rng.random(9) for _ in range(3))
    kept = scores.copy()
    given = as_array(answer(scores, penalties, window, 0.4), (9,), "the ranking")
    require_untouched(kept, scores, "the scores")
    expected = reference(kept, penalties, window, 0.4)
    wrong = {
        "the influence stands at the wrong one: the window gets it, the penalised score the rest": 0.4
        * penalties
        * kept
        + 0.6 * window,
        "the penalties are missing": 0.6 * kept + 0.4 * window,
        "you multiply by the window: then nothing at the border can ever win. Add it with its "
        "influence": penalties * kept * window,
        "the penalty is a factor on the score, not on the window": 0.6 * kept
        + 0.4 * penalties * window,
        "the score keeps its full weight; it gets 1 − influence": penalties * kept + 0.4 * window,
    }
    for words, other in wrong.items():
        if same(given, other):
            raise Wrong(words)
    require_close(given, expected, "the ranking")


@check("choose.smooth", reference=siamrpn.smooth_size)
def examine_smooth(answer, reference, rng) -> None:
    """Size smoothing that trusts certain proposals more."""
    last, found = np.array([60.0, 40.0]), np.array([72.0, 30.0])
    for certainty, rate in ((0.8, 0.3), (0.1, 0.3), (1.0, 0.0)):
        given = as_array(answer(last.copy(), found.copy(), certainty, rate), (2,), "the size")
        if rate and same(given, (1 - rate) * last + rate * found):
            raise Wrong(
                "an uncertain proposal moves your size as far as a certain one: the share is "
                "certainty · rate"
            )
        if rate and same(given, found):
            raise Wrong(
                "the size jumps to the proposal's; it should move there by the share certainty · "
                "rate"
            )
        if rate and same(given, certainty * rate * last + (1 - certainty * rate) * found):
            raise Wrong(
                "the share belongs to the new size, the rest to the old; yours are exchanged"
            )
        require_close(given, reference(last, found, certainty, rate), "the size")


@check("choose.tracker", reference=siamrpn.SiamRPNTracker)
def examine_tracker(answer, reference, rng) -> None:
    """The whole tracker, frame by frame beside the reference."""
    from course_lib.data.generated import make_clip, random_spec

    clip = make_clip(
        random_spec(
            int(rng.integers(50)),
            length=8,
            scale=1.5,
            noise=2.0,
            light=0.0,
            occluders=0,
            distractors=0,
        )
    )
    mine, right = answer(), reference()
    for tracker in (mine, right):
        tracker.init(clip.frames[0], clip.boxes[0])
    for t in range(1, len(clip)):
        expected = right.update(clip.frames[t])
        given = as_array(mine.update(clip.frames[t]), (4,), "the box")
        if float(iou(given, expected)) > 0.97:
            continue
        centre, wanted = given[:2] + given[2:] / 2, expected[:2] + expected[2:] / 2
        if np.abs(given[:2] - wanted).max() < 1:
            raise Wrong(
                f"in frame {t} you return the centre where the box's corner belongs: x = cx − w / 2"
            )
        start = clip.boxes[0]
        if np.abs(centre - (start[:2] + start[2:] / 2)).max() < 0.5:
            raise Wrong(
                f"in frame {t} your box is still where it was in frame 0: keep the new centre in "
                "self.centre"
            )
        if np.abs(given[2:] - start[2:]).max() < 1e-6:
            raise Wrong(
                f"in frame {t} your box has the size of frame 0: keep the smoothed size in "
                "self.size"
            )
        if np.abs(given[2:] - expected[2:]).max() > 0.02 * expected[2:].max():
            raise Wrong(
                f"in frame {t} your box is {given[2]:.1f} × {given[3]:.1f} px, expected "
                f"{expected[2]:.1f} × {expected[3]:.1f}: "
                "proposals are in search pixels, the target's size in frame pixels; window.scale "
                "and window.box_to_frame "
                "lead from one to the other. The size is smoothed after that"
            )
        raise Wrong(
            f"in frame {t} your box is centred at ({centre[0]:.1f}, {centre[1]:.1f}), expected "
            f"({wanted[0]:.1f}, {wanted[1]:.1f}): "
            "it is the centre of the best proposal, brought to the frame by the window"
        )
