"""The cards of the shipped weights, and their index: complete, true of the files, and the same."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from safetensors import safe_open

from course_lib.files import json_lines
from course_lib.training.settings import TrainSettings
from course_lib.training.trained_weights import make_card, origin_of

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
SHIPPED = sorted(WEIGHTS.glob("*.safetensors"))
PUBLISHED = [p for p in SHIPPED if "published" in json.loads(p.with_suffix(".json").read_text())]
FILES = [path for path in SHIPPED if path not in PUBLISHED]  # trained by the course
FIELDS = {
    *("network", "backbone", "name", "trained_on", "data", "steps", "pairs", "seed"),
    *("hardware", "python", "torch", "commit", "recipe", "validation", "seconds"),
    *("curve", "validation_curve", "sha256"),
}
MEASURED = {
    *("benchmark", "sequences", "protocol", "tracker", "settings", "auc", "precision20"),
    *("date", "commit", "hardware"),
}
TRACKERS = {"siamrpn++": "siamrpn", "dimp": "atom"}  # of networks whose tracker is called otherwise
BENCHMARKS = {"generated-v1": 24, "otb+vot2014": 22}
INDEX = (WEIGHTS / "README.md").read_text(encoding="utf-8")
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def text_of(path: Path) -> str:
    return path.with_suffix(".json").read_text(encoding="utf-8")


def card_of(path: Path) -> dict:
    return json.loads(text_of(path))


def faults(card: dict, path: Path) -> list[str]:
    """What is wrong with a card."""
    found = [f"no {field}" for field in sorted(FIELDS - set(card))]
    if found:
        return found
    if card["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
        found.append("sha256")
    if not re.fullmatch(r"[0-9a-f]{40}", card["commit"]):
        found.append("commit")
    if [origin["source"] for origin in card["data"]] != card["trained_on"] or not all(
        origin["from"] and origin["terms"] for origin in card["data"]
    ):
        found.append("data")
    seen = [row["benchmark"] for row in card.get("measured", [])]
    if len(set(seen)) < len(seen):
        found.append("a benchmark twice")
    for row in card.get("measured", []):
        if (
            set(row) != MEASURED
            or row["sequences"] != BENCHMARKS[row["benchmark"]]
            or row["tracker"] != TRACKERS.get(card["network"], card["network"])
            or row["settings"]["precision"] != "fp32"
            or not 0 < row["auc"] < 1
            or not 0 < row["precision20"] < 1
            or not re.fullmatch(r"[0-9a-f]{40}", row["commit"])
        ):
            found.append(row["benchmark"])
    return found


def parameters(path: Path) -> int:
    total = 0
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 (not a dictionary)
            size = 1
            for n in file.get_slice(name).get_shape():
                size *= n
            total += 0 if name.endswith(BUFFERS) else size
    return total


def row_of(path: Path, card: dict) -> list[str]:
    """The cells that the index must have for a card, but for the last: the lessons."""
    measured = {row["benchmark"]: row for row in card.get("measured", [])}
    scores = [
        f"{measured[b]['auc']:.4f} / {measured[b]['precision20']:.4f}"
        if b in measured
        else "not measured"
        for b in BENCHMARKS
    ]
    width = ""  # a published backbone has one width
    if "width_multiplier" in card:
        width = f", width multiplier {card['width_multiplier']}"
    elif "widths" in card:
        width = f", channels {'-'.join(map(str, card['widths']))}"
    return [
        f"[{path.stem}]({path.stem}.json)",
        card["network"] + (f", {card['head']} head" if "head" in card else ""),
        f"{card['backbone']}{width}",
        f"{parameters(path):,}",
        ", ".join(card["trained_on"]),
        f"{card['steps']:,}",
        str(card["seed"]),
        *scores,
        f"`{card['commit'][:7]}`" + (r"\*" if "commit_note" in card else ""),
    ]


def rows_of(index: str) -> list[list[str]]:
    """The cells of the index's first table."""
    lines = [line for line in index.split("\n## ")[0].split("\n") if line.startswith("| [")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


@each
def test_the_card_is_complete_and_true_of_its_file(path):
    assert faults(card_of(path), path) == []


@each
def test_the_card_is_written_as_new_ones_are(path):
    text = text_of(path)
    card = json.loads(text)
    assert text == json_lines(card)
    step, loss = card["curve"][0]
    assert f"  [{step}, {loss}],\n" in text  # a row a line


def test_the_index_has_one_row_for_each_card_with_its_numbers():
    assert len(FILES) >= 14
    assert [row[:-1] for row in rows_of(INDEX)] == [row_of(p, card_of(p)) for p in FILES]
    for *_, lessons in rows_of(INDEX):
        links = re.findall(r"\[(\d\d)\]\(\.\./lessons/(\w+\.py)\)", lessons)
        assert links and all(file.startswith(number) for number, file in links)
        assert all((WEIGHTS.parent / "lessons" / file).is_file() for _, file in links)


def test_the_index_says_the_terms_of_every_source():
    for path in SHIPPED:
        for origin in card_of(path)["data"]:
            assert f"| `{origin['source']}` | {origin['from']} | {origin['terms']} |" in INDEX


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_weights_say_whose_they_are(path):
    card = card_of(path)
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert text_of(path) == json_lines(card)
    origin = card["published"]
    assert {"package", "file", "sha256", "licence", "attribution", "altered"} == set(origin)
    assert (WEIGHTS / f"LICENSE-{path.stem}.txt").is_file()
    backbone = parameters(path) - 3  # SiamFC's own: the bias, and one batch norm on the response
    row = f"| [{path.stem}]({path.stem}.json) | {card['backbone']} | {backbone:,} |"
    assert f"{row} {origin['package']} | {origin['attribution']} |" in INDEX


CHANGES = {
    "no data": lambda card: card.pop("data"),
    "sha256": lambda card: card.update(sha256="0" * 64),
    "commit": lambda card: card.update(commit="fb10e7b with changes"),
    "data": lambda card: card["data"].pop(),
    "a benchmark twice": lambda card: card["measured"].append(card["measured"][0]),
    "generated-v1": lambda card: card["measured"][0].update(tracker="kcf"),
}


@pytest.mark.parametrize("fault", CHANGES)
def test_a_fault_is_seen(fault):
    path = next(p for p in FILES if card_of(p).get("measured"))
    card = card_of(path)
    CHANGES[fault](card)
    assert fault in faults(card, path)


def test_a_row_with_another_number_is_seen():
    path = next(p for p in FILES if card_of(p).get("measured"))
    card = card_of(path)
    card["measured"][0]["auc"] += 0.0001
    assert row_of(path, card) not in [row[:-1] for row in rows_of(INDEX)]


@pytest.mark.parametrize(
    ("source", "terms"),
    [
        ("generated", "CC0"),
        ("videos:got10k-train", "not recorded; GOT-10k's own"),
        ("videos:lasot", "not recorded"),
        ("photos:photos", "not recorded"),
        ("shards:shards/got10k-train", "not recorded"),
    ],
)
def test_a_new_card_names_each_source_with_its_terms(source, terms):
    origin = origin_of(source)
    assert origin["source"] == source and origin["from"] and origin["terms"].startswith(terms)


def test_a_new_card_is_not_measured():
    from course_lib.training.progress import Progress

    progress = Progress(2, 2, 1, data={"used": ["generated"], "identity": "aa"})
    card = make_card(TrainSettings(), progress)
    assert card["data"] == [origin_of("generated")] and "measured" not in card
