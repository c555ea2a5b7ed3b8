"""A shipped recipe trained inside a notebook."""

from __future__ import annotations

import tempfile

import pytest

from course_lib.errors import CourseError
from course_lib.training.brief import train_recipe

pytestmark = pytest.mark.slow

SMALL = {"widths": [4, 4, 4, 4, 4], "batch": 2, "validation_pairs": 2}


def test_a_recipe_with_other_settings_gives_network_and_progress_and_leaves_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    steps = {"steps": 3, "validate_every": 2}
    network, progress = train_recipe(
        "train_siamrpn_lesson", SMALL | steps, [lambda p: seen.append(p.step)]
    )
    assert seen[-1] == 3 and progress.step == progress.steps == 3
    assert [row["step"] for row in progress.validation] == [2, 3]
    assert network.about["network"] == "siamrpn"
    assert list(tmp_path.rglob("last.pt*")) == []


def test_an_unknown_recipe_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match="no_such_recipe"):
        train_recipe("no_such_recipe", {})
