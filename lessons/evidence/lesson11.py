"""What lesson 11 concludes from the results that come with the course."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

REAL = ("vot2014", "look-alikes")


def runs_of(arm: str) -> list[dict[str, Any]]:
    """The rows of one arm, a row for each seed."""
    return [r for r in read_measured(RESULTS / "siammargin.json")["runs"] if r["arm"] == arm]


def failures(
    after: tuple[str, str], before: tuple[str, str], groups: tuple[str, ...]
) -> Interval:
    """Failures by sequence of one (arm, variant) minus those of another, means over the seeds that have both."""
    tables = [
        {r["seed"]: r[variant] for r in runs_of(arm) if variant in r}
        for arm, variant in (after, before)
    ]
    both = sorted(tables[0].keys() & tables[1].keys())
    counts = [
        np.mean([np.concatenate([of[s][g]["by_clip"] for g in groups]) for s in both], 0)
        for of in tables
    ]
    return Interval.of(counts[0] - counts[1])


def by_seed(after: str, before: str, read: Callable[[dict[str, Any]], float]) -> Interval:
    """A number of one arm minus that of another, seed by seed."""
    tables = [
        {r["seed"]: read(r["distortion"]) for r in runs_of(arm)} for arm in (after, before)
    ]
    return Interval.of(
        [tables[0][s] - tables[1][s] for s in sorted(tables[0].keys() & tables[1].keys())]
    )


def aucs(after: str, before: str) -> Interval:
    """AUC by sequence of one pass over the real targets, one arm's minus another's, means over the
    seeds that both have."""
    tables = [
        {r["seed"]: r["plain"]["auc_by_clip"] for r in runs_of(arm)} for arm in (after, before)
    ]
    both = sorted(tables[0].keys() & tables[1].keys())
    return Interval.of(
        [
            np.mean([tables[0][s][name] - tables[1][s][name] for s in both])
            for name in tables[0][both[0]]
        ]
    )


def as_published(group: tuple[str, ...]) -> Interval:
    """Failures by sequence with everything switched on minus those that the slides' 28.8 % fewer than
    the plain cosine's would leave, means over the seeds."""
    counts = [
        np.mean(
            [np.concatenate([r[variant][g]["by_clip"] for g in group]) for r in runs_of(arm)], 0
        )
        for arm, variant in (("margin", "all"), ("cosine", "plain"))
    ]
    return Interval.of(counts[0] - (1 - 0.288) * counts[1])


def cosine_of(kind: str, distortion: dict[str, Any]) -> float:
    """Mean cosine of one kind of cell on generated sequences, from the histogram."""
    edges = np.array(read_measured(RESULTS / "siammargin.json")["edges"])
    weights = distortion["histogram"][kind]
    return float(np.average((edges[1:] + edges[:-1]) / 2, weights=weights))


def apart(distortion: dict[str, Any]) -> float:
    """Mean cosine of target cells minus that of look-alikes, on generated sequences."""
    return cosine_of("target", distortion) - cosine_of("look-alike", distortion)


def lead_of(distortion: dict[str, Any]) -> float:
    """Median lead of the maps of the generated sequences."""
    return distortion["generated map"]["lead"]


# what the margin alone changes, under either loss: (with, without)
ALONE = {
    "softmax": ("margin", "softmax without margin"),
    "logistic": ("margin pixel by pixel", "cosine"),
}


EVIDENCE = {
    "apart": partial(by_seed, "margin", "cosine", apart),
    "apart-softmax": partial(by_seed, "margin", "softmax without margin", apart),
    "lead": partial(by_seed, "margin", "cosine", lead_of),
    "lead-siamfc": partial(by_seed, "margin", "siamfc", lead_of),
    "lead-softmax": partial(by_seed, *ALONE["softmax"], lead_of),
    "lead-logistic": partial(by_seed, *ALONE["logistic"], lead_of),
    "lead-loss": partial(by_seed, "softmax without margin", "cosine", lead_of),
    **{
        f"{kind}-{loss}": partial(by_seed, *pair, partial(cosine_of, kind))
        for loss, pair in ALONE.items()
        for kind in ("target", "background")
    },
    "margin-generated": partial(
        failures, ("margin", "plain"), ("cosine", "plain"), ("generated",)
    ),
    "margin-real": partial(failures, ("margin", "plain"), ("cosine", "plain"), REAL),
    "softmax-generated": partial(
        failures, ("margin", "plain"), ("softmax without margin", "plain"), ("generated",)
    ),
    "softmax-alone": partial(
        failures, ("softmax without margin", "plain"), ("cosine", "plain"), ("generated",)
    ),
    "softmax-alone-real": partial(
        failures, ("softmax without margin", "plain"), ("cosine", "plain"), REAL
    ),
    "siamfc-generated": partial(
        failures, ("margin", "plain"), ("siamfc", "plain"), ("generated",)
    ),
    "siamfc-real": partial(failures, ("margin", "plain"), ("siamfc", "plain"), REAL),
    "siamfc-auc": partial(aucs, "margin", "siamfc"),
    "margin-auc": partial(aucs, "margin", "cosine"),
    "map-auc": partial(aucs, "siamrpn++ with map", "siamrpn++"),
    "update-real": partial(failures, ("margin", "update"), ("margin", "plain"), REAL),
    "search-real": partial(failures, ("margin", "search"), ("margin", "plain"), REAL),
    "all-real": partial(failures, ("margin", "all"), ("cosine", "plain"), REAL),
    "all-generated": partial(failures, ("margin", "all"), ("cosine", "plain"), ("generated",)),
    "map-repaired": partial(
        by_seed, "siamrpn++ with map", "siamrpn++", lambda d: d["generated map"]["on_target"]
    ),
    "score-of-map": partial(
        by_seed, "siamrpn++ with map", "siamrpn++", lambda d: d["generated score"]["on_target"]
    ),
    "slides-real": partial(as_published, REAL),
    "slides-generated": partial(as_published, ("generated",)),
    "map-failures-real": partial(
        failures, ("siamrpn++ with map", "plain"), ("siamrpn++", "plain"), REAL
    ),
    "map-failures-generated": partial(
        failures, ("siamrpn++ with map", "plain"), ("siamrpn++", "plain"), ("generated",)
    ),
}
