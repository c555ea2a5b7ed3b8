"""What was published of the course's systems: networks after training on whole data sets, some with
another backbone, on benchmarks that are not the course's.

Such a number says nothing about the course's network of the same name. The *order* of the systems
can be compared. Values, and where they are from, stand in `results/<name>_published.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course_lib.errors import DataError
from course_lib.files import read_json
from course_lib.places import RESULTS

# benchmark and score → system → where its value stands: file, then keys, a record's tracker or
# the position in a row
SCORES: dict[str, dict[str, tuple[str | int, ...]]] = {
    "OTB-2013 AUC": {
        "siamfc": ("siamfc", "otb2013", "SiamFC-3s", "auc"),
        "siamfc-5s": ("siamfc", "otb2013", "SiamFC", "auc"),
        "ciresnet22": ("siamdw", "results", "trained on VID", "CIResNet-22, SiamFC", 0),
    },
    "OTB-2015 AUC": {
        "kcf": ("otb100", "overall", "KCF", "auc"),
        "siamfc": ("siamrpn", "otb2015", "SiamFC", "auc"),
        "siamrpn": ("siamrpn", "otb2015", "SiamRPN", "auc"),
        "siamrpnpp": ("siamrpn", "otb2015", "SiamRPN++", "auc"),
        "siamconcatrpn": ("siamrpn", "epfl_otb2015", "SiamConcatRPN", "auc"),
        "siambroadcastrpn": ("siamrpn", "epfl_otb2015", "SiamBroadcastRPN", "auc"),
        "ciresnet22": ("siamdw", "results", "trained on VID", "CIResNet-22, SiamFC", 1),
        "atom": ("atom", "trackers", "ATOM", "otb"),
        "dimp": ("atom", "trackers", "DiMP-18", "otb"),
    },
    "VOT-2015 EAO": {
        "siamfc": ("siamfc", "vot2015", "SiamFC-3s", "expected_overlap"),
        "siamfc-5s": ("siamfc", "vot2015", "SiamFC", "expected_overlap"),
        "ciresnet22": ("siamdw", "results", "trained on VID", "CIResNet-22, SiamFC", 2),
    },
    "VOT-2018 EAO": {
        # VOT2018 has the sequences of VOT2017; what was entered as "SiamRPN" in 2018 is DaSiamRPN
        "siamrpn": ("siamdw", "results", "trained on VID", "AlexNet, SiamRPN", 4),
        "siamrpnpp": ("siamrpn", "vot2018", "SiamRPN++", "eao"),
        "atom": ("atom", "trackers", "ATOM", "vot2018"),
        "dimp": ("atom", "trackers", "DiMP-18", "vot2018"),
    },
    "VOT2019-RT EAO": {"siammargin": ("siammargin", "ablation", 3, "eao")},
}


def published_scores() -> dict[str, dict[str, float]]:
    """Benchmark and score, as in "OTB-2015 AUC" → system of the course → the published value."""
    return {
        score: {system: _value(where) for system, where in systems.items()}
        for score, systems in SCORES.items()
    }


def _value(where: Sequence[str | int]) -> float:
    path = RESULTS / f"{where[0]}_published.json"
    found: Any = read_json(path, "get it back from the repository")
    for key in where[1:]:
        if isinstance(found, list) and isinstance(key, str):
            found = {record["tracker"]: record for record in found}
        try:
            found = found[key]
        except (KeyError, IndexError):
            raise DataError(f"{path} has no {' → '.join(map(str, where[1:]))}") from None
    return float(found)
