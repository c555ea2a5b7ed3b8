"""Words that were given up for the field's own do not come back: in code, recipes, cards, lessons and pages."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINE = Path(__file__).name
CODE = ("course_lib", "lessons", "benchmarks", "data_scripts", "tests")

# a name of the old words: the field's
NAMES = {
    r"^Changes$": "Augmentation",
    r"^lit$|^relight$|^lights$": "photometric jitter",
    r"squeeze(?!\w*\()": "aspect_change",
    r"[Rr]eception(?!ist)": "ReceptiveField",
    r"frozen_parts|^unfreeze_part": "stages",
    r"^chances?$": "uniform draws",
    r"^Clip[A-Z]|^[Cc]lips?$|make_clip|_clip$": "sequence",
    r"[Pp]icture": "image",
    r"^[Mm]iddles?$|_middle$": "centre",
    r"[Tt]runk": "backbone",
    r"[Tt]heatre|[Ss]witchboard|[Pp]layground": "explorer",
    r"^Team$|^team$|^team_of$": "process group",
    r"^Embedding$|^Proposer$|load_embedding|load_proposer": "SiamFCRuntime, ProposalRuntime",
    r"[Ee]pfl$": "concat_broadcast",
}
# what stands in sentences
PHRASES = {
    r"\bon line\b|\boff line\b": "online, offline",
    r"\bpictures?\b": "image, figure, photograph",
    r"\btrunks?\b": "backbone",
    r"\b(theatre|switchboard|playground)\b": "explorer",
    r"(?<!\.)\bsqueeze[ds]?\b(?![-=(])": "aspect change",
    r"\b(the|its|their) middle of (the |a |an )?(image|map|patch|crop|search|frame|box)": "centre",
    r"\bnobody knows\b": "unknown",
    r"\bis no \w+ any more\b": "is no longer a …",
    r"\blooked over and mended\b": "checked and fixed",
    r"\b(cells|pixels) a side\b": "n × n, or: pixels per side",
}
# keys of recipes and cards
KEYS = {"changes", "light", "squeeze", "turn", "share", "shares", "trunk", "clip"}


def tracked(*endings: str) -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    paths = [ROOT / name for name in names if name.endswith(endings) and name]
    return [p for p in paths if p.is_file() and p.name != MINE]


def names_of(source: str) -> set[str]:
    """The names that Python code gives to things."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return found


def old_names(source: str) -> dict[str, str]:
    """The old ones among them, and what to say instead."""
    return {
        name: better
        for name in names_of(source)
        if not name.startswith("test_")
        for pattern, better in NAMES.items()
        if re.search(pattern, name)
    }


def old_phrases(text: str) -> dict[str, str]:
    return {
        found[0]: better
        for pattern, better in PHRASES.items()
        for found in re.finditer(pattern, text)
    }


@pytest.mark.parametrize("room", CODE)
def test_names_in_code(room):
    for path in tracked(".py"):
        if path.is_relative_to(ROOT / room):
            assert not old_names(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("ending", [".py", ".md", ".yaml", ".js"])
def test_sentences(ending):
    for path in tracked(ending):
        assert not old_phrases(path.read_text(encoding="utf-8")), path


def keys_of(value) -> set[str]:
    if isinstance(value, dict):
        return set(value) | set().union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


def test_keys_of_recipes_and_cards():
    for path in tracked(".yaml"):
        if path.parent.name == "recipes":
            text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
            assert not KEYS & set(re.findall(r"(\w+):", text)), path
    for path in tracked(".json"):
        if path.parent.name == "weights":
            assert not KEYS & keys_of(json.loads(path.read_text(encoding="utf-8"))), path


def test_files_are_called_by_the_field_s_words():
    stems = {
        path.stem for path in tracked(".py", ".js") if path.is_relative_to(ROOT / "course_lib")
    }
    old = {"epfl", "finish", "reach", "views", "clips", "proposal_theatre", "match_switchboard"}
    assert not stems & (old | {"margin_playground", "clip_player"})


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("def make_clip(): ...", "make_clip"),
        ("class MarginPlayground: ...", "MarginPlayground"),
        ("def f(picture): ...", "picture"),
        ("self.trunk_x = 1", "trunk_x"),
    ],
)
def test_an_old_name_is_seen(text, old):
    assert old in old_names(text)


def test_an_old_sentence_is_seen():
    assert "on line" in old_phrases("it learns on line")
    assert not old_phrases("it learns online, an image at a time")
