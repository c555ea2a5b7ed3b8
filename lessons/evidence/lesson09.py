"""What lesson 09 concludes from results that come with the course."""

from collections.abc import Callable
from functools import partial

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

REAL = "otb+vot2014"
NO_MASK = "heads-upchannel", "heads-depthwise", "heads-broadcast"


def mean_aucs(match: str) -> dict[str, float]:
    """AUC of one network on each real clip, averaged over its seeds."""
    runs = [r for r in read_measured(RESULTS / "heads.json")["runs"] if r["match"] == match]
    found = [run[REAL]["auc_by_sequence"] for run in runs]
    return {name: sum(aucs[name] for aucs in found) / len(found) for name in found[0]}


def over(match: str, other: str) -> Interval:
    """AUC of one network minus another's, clip by clip."""
    mine, theirs = mean_aucs(match), mean_aucs(other)
    return Interval.of([mine[name] - theirs[name] for name in mine])


def fits_over(match: str, other: str) -> Interval:
    """IoU of the proposal nearest to the target, of one head minus another's, seed by seed."""
    runs = read_measured(RESULTS / "heads.json")["runs"]
    mine, theirs = (
        {r["seed"]: r["validation"]["fit"] for r in runs if r["match"] == name}
        for name in (match, other)
    )
    return Interval.of([mine[seed] - theirs[seed] for seed in mine])


def gains(weights: str, way: str) -> dict[str, float]:
    """Gains of the aspect response of one network, by real clip."""
    return read_measured(RESULTS / "aspect_response.json")["networks"][weights][REAL][way][
        "gains"
    ]


def gain(weights: str, way: str) -> Interval:
    """The gain over the clips."""
    return Interval.of(list(gains(weights, way).values()))


def blind() -> Interval:
    """The gain with the mark, over all heads without a mask and all clips."""
    return Interval.of(
        [round(g, 6) for name in NO_MASK for g in gains(name, "marked").values()]
    )


def lacking(weights: str) -> Interval:
    """What the gain with what is seen lacks to 1."""
    return Interval.of([1 - g for g in gains(weights, "seen").values()])


EVIDENCE: dict[str, Callable[[], Interval]] = {
    "siamfc-upchannel": partial(over, "siamfc", "upchannel"),
    "siamfc-depthwise": partial(over, "siamfc", "depthwise"),
    "upchannel-depthwise": partial(over, "upchannel", "depthwise"),
    "depthwise-broadcast": partial(over, "depthwise", "broadcast"),
    "broadcast-concat": partial(over, "broadcast", "concat"),
    "fit-depthwise-broadcast": partial(fits_over, "depthwise", "broadcast"),
    "fit-depthwise-concat": partial(fits_over, "depthwise", "concat"),
    "fit-upchannel-broadcast": partial(fits_over, "upchannel", "broadcast"),
    "mark-without-mask": blind,
    "mask-concat": partial(gain, "heads-concat", "believed"),
    "penalty-depthwise": partial(gain, "heads-depthwise", "penalised"),
    "seen-depthwise": partial(gain, "heads-depthwise", "seen"),
    "unseen-depthwise": partial(lacking, "heads-depthwise"),
}
