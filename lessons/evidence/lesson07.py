"""What lesson 07 concludes from results that come with the course."""

from functools import partial

import numpy as np
import torch

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.geometry.anchors import match, overlaps, place_anchors, siamrpn_anchor_sizes
from course_lib.models.proposals import at_anchor_size
from course_lib.places import RESULTS


def held_out() -> dict:
    """The held-out pairs of the shipped SiamRPN's recipe."""
    return read_measured(RESULTS / "proposal_pairs.json")


def boxes() -> torch.Tensor:
    """Their targets (N, 4), in search pixels."""
    return torch.tensor(held_out()["boxes"], dtype=torch.float64)


def no_positive() -> Interval:
    """Share of pairs without a positive at 0.6, minus that at 0.5, pair by pair."""
    return Interval.of(lost(boxes(), 0.6) - lost(boxes(), 0.5))


def no_positive_of_any_size() -> Interval:
    """Share of pairs without a positive at 0.6, minus that if anchors are matched by place and
    shape alone."""
    resized = at_anchor_size(boxes(), torch.from_numpy(anchors()))
    return Interval.of(lost(boxes(), 0.6) - lost(resized, 0.6))


def anchors() -> np.ndarray:
    """SiamRPN's anchors (A, 4) in a search image of 255 pixels."""
    return place_anchors(siamrpn_anchor_sizes(), 17, 8, 127.5).reshape(-1, 4)


def lost(targets: torch.Tensor, high: float) -> np.ndarray:
    """1 for each target (N, 4) that has no positive, 0 for the others (N,)."""
    labels = match(overlaps(torch.from_numpy(anchors()), targets), high)  # (N, A)
    return (labels != 1).all(1).double().numpy()


def gained(network: str, what: str, over: str) -> np.ndarray:
    """IoU (N,) of one box less that of another, pair by pair.

    Args:
        network: whose boxes.
        what, over: the two boxes, see benchmarks/proposal_pairs.py.
    """
    ious = held_out()["iou"][network]
    return np.array(ious[what]) - ious[over]


def offsets(network: str = "siamrpn") -> Interval:
    """IoU that a network's offsets add to the best anchor."""
    return Interval.of(gained(network, "from it", "best anchor"))


def is_far() -> np.ndarray:
    """Which half of the pairs (N,) has targets further from the anchors' size, up or down."""
    off = np.abs(np.log((boxes()[:, 2:].prod(1).sqrt() / 64).numpy()))
    return off > np.median(off)


def offsets_far() -> Interval:
    """The same for that half."""
    return Interval.of(gained("siamrpn", "from it", "best anchor")[is_far()])


def offsets_near() -> Interval:
    """The same for the other half."""
    return Interval.of(gained("siamrpn", "from it", "best anchor")[~is_far()])


def choice() -> Interval:
    """IoU of the most probable box minus that of the box from the best anchor."""
    return Interval.of(gained("siamrpn", "prediction", "from it"))


def guide() -> Interval:
    """IoU of the guided network's most probable box minus that of its guide."""
    return Interval.of(gained("heads-concat", "prediction", "guide"))


def differences() -> np.ndarray:
    """AUC of the shipped SiamRPN minus that of SiamFC (22,), sequence by sequence; the sequences in the order
    of how much the aspect ratio changes."""
    change = read_measured(RESULTS / "heads.json")["aspect_change"]
    auc = read_measured(RESULTS / "siamrpn_real_sequences.json")["auc_by_sequence"]
    order = sorted(change, key=change.get)
    return np.array([auc[name]["siamrpn"] - auc[name]["siamfc-3s"] for name in order])


def shape_gap() -> Interval:
    """Its mean over the half of the sequences whose shape changes most, minus that over the other."""
    half = len(differences()) // 2
    return Interval.between(differences()[half:], differences()[:half])


EVIDENCE = {
    "no-positive": no_positive,
    "any-size": no_positive_of_any_size,
    "offsets": offsets,
    "offsets-sized": partial(offsets, "siamrpn-sized"),
    "offsets-far": offsets_far,
    "offsets-near": offsets_near,
    "choice": choice,
    "guide": guide,
    "siamrpn-siamfc": lambda: Interval.of(differences()),
    "shape-gap": shape_gap,
}
