"""What a result was measured on: the tracker as it was made, and the sequence as it was then.

A tracker is identified by its name, every setting it was really made with (after recipe and
overrides), the checksums of its weights' files, and the device and precision of its network. Names
of weights, "auto" and paths on disk are resolved, so that equal trackers compare as equal.
"""

from __future__ import annotations

import dataclasses
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2

from course_lib.files import digest
from course_lib.trackers.base import Tracker

# settings that only say where to look; what was found there is compared instead
RESOLVED = ("weights", "device", "precision")
WORDS = {
    "tracker": "the tracker",
    "absent_below": "the score below which a target is absent",
    "weights.sha256": "the checksum of the weights' file",
    "weights.card": "the checksum of the weights' card",
    "placement.device": "the device",
    "placement.precision": "the precision",
    "truth": "the checksum of the ground truth",
    "images": "the checksum of the frames' names and sizes",
    "frames": "the number of frames",
    "first_pixel": "the number of the first pixel",
}


def tracker_identity(name: str, tracker: Tracker) -> dict[str, Any]:
    """What distinguishes this tracker from others, ready for JSON.

    "weights" and "placement" are present for trackers that have a network.
    """
    settings = resolved_settings(tracker)
    identity: dict[str, Any] = {"tracker": name}
    if settings.get("weights") is not None:
        identity["weights"] = weights_identity(str(settings["weights"]))
    placement = getattr(getattr(tracker, "runtime", None), "placement", None)
    if placement is not None:
        precision = "bf16" if placement.bf16 else "fp32"
        identity["placement"] = {"device": placement.device.type, "precision": precision}
    hidden = RESOLVED if "placement" in identity else ()
    identity["settings"] = {key: v for key, v in settings.items() if key not in hidden}
    return json.loads(json.dumps(identity, default=str))  # tuples become lists, as when read back


def resolved_settings(tracker: Tracker) -> dict[str, Any]:
    """Every setting by name; for a tracker with OpenCV's own settings, OpenCV's release."""
    settings = getattr(tracker, "settings", None)
    return {"opencv": cv2.__version__} if settings is None else dataclasses.asdict(settings)


def weights_identity(name: str) -> dict[str, str | None]:
    """File name and checksum of the weights called `name`, and the checksum of their card.

    Raises MissingDataError if there are none.
    """
    from course_lib.models.weights import find_weights

    path = find_weights(name)
    card = path.with_suffix(".json")
    return {
        "file": path.name,
        "sha256": _file_sum(path, *_stamp(path)),
        "card": _file_sum(card, *_stamp(card)) if card.is_file() else None,
    }


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _file_sum(path: Path, size: int, written: int) -> str:
    """Checksum of a file, computed once per process while its size and time stay the same."""
    return digest(path)


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs between two identities, each in words with the old and the new value."""
    a, b = _flat(then), _flat(now)
    keys = [k for k in dict.fromkeys([*b, *a]) if k != "weights.file"]
    return [
        f"{_words(key)} was {_value(a.get(key))}, is now {_value(b.get(key))}"
        for key in keys
        if a.get(key) != b.get(key)
    ]


def _flat(values: dict[str, Any], before: str = "", depth: int = 3) -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}; what lies deeper than `depth` stays as it is."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, dict) and depth > 1
        flat |= _flat(value, f"{before}{key}.", depth - 1) if inner else {before + key: value}
    return flat


def _words(key: str) -> str:
    return WORDS.get(key, key.removeprefix("settings."))


def _value(value: Any) -> str:
    """A value for a person to read: of a checksum, the beginning is enough."""
    if value is None:
        return "not there"
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def join_words(parts: list[str], most: int = 5) -> str:
    """The first `most` parts with commas between, and how many more there are."""
    rest = f" and {len(parts) - most} more" if len(parts) > most else ""
    return ", ".join(parts[:most]) + rest
