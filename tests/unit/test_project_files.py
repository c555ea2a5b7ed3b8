"""Files about the project itself agree with it: citation, changes, templates, terms."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import course_lib
from course_lib.data.generated.sources import SCENES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / ".github" / "ISSUE_TEMPLATE"


def test_the_citation_names_this_version_and_its_licences():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert {"message", "title", "authors"} <= citation.keys()  # what the format demands
    assert citation["version"] == course_lib.__version__
    assert " AND ".join(citation["license"]) == project["license"]
    assert citation["authors"] == project["authors"]


def test_the_newest_changes_are_those_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\S+)", text, re.MULTILINE)
    assert versions[0] == course_lib.__version__
    assert versions == sorted(versions, key=lambda v: [*map(int, v.split("."))], reverse=True)


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("[!c]*.yml")), ids=lambda p: p.stem)
def test_an_issue_form_is_one(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form.keys() == {"name", "description", "labels", "body"}
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids)
    assert all(part["type"] in ("input", "textarea") for part in form["body"])
    assert all(part["attributes"]["label"] for part in form["body"])
    assert "tracking-course --version" in path.read_text(encoding="utf-8")


def test_the_terms_of_everything_that_ships_are_told():
    page = (ROOT / "lessons" / "site" / "terms.md").read_text(encoding="utf-8")
    for path in (ROOT / "weights").glob("*.json"):
        card = json.loads(path.read_text(encoding="utf-8"))
        for row in card["data"]:
            name = row["source"]
            assert name in page, f"{path.name} was trained on {name}"
    assert all(name in page for name in SCENES)
    assert "weights/LICENSE-lite0.txt" in page and (ROOT / "weights/LICENSE-lite0.txt").is_file()
