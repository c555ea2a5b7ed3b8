"""Published numbers of the course's systems, against the tables of the sources."""

from __future__ import annotations

import pytest

from course_lib.errors import DataError
from course_lib.evaluation import published
from course_lib.trackers import ALL_NAMES


def test_values_are_those_of_the_sources():
    """SiamDW's slides, the lecture's VOT-2018, the report on SiamFC, SiamMargin's slides."""
    found = published.published_scores()
    assert [found[b]["ciresnet22"] for b in list(found)[:3]] == [0.663, 0.644, 0.318]
    assert found["OTB-2013 AUC"]["siamfc"] == 0.608
    assert found["VOT-2015 EAO"] == {"siamfc": 0.2889, "siamfc-5s": 0.2743, "ciresnet22": 0.318}
    assert found["VOT-2018 EAO"]["siamrpnpp"] == 0.414
    assert found["VOT-2018 EAO"]["siamrpn"] == 0.244  # .383 is DaSiamRPN's
    assert found["VOT2019-RT EAO"] == {"siammargin": 0.366}
    otb = found["OTB-2015 AUC"]
    assert (otb["siamconcatrpn"], otb["siambroadcastrpn"], otb["atom"]) == (0.453, 0.598, 0.663)


def test_every_name_is_a_system_of_the_course():
    assert {name for of in published.SCORES.values() for name in of} <= set(ALL_NAMES)


@pytest.mark.parametrize("where", [("atom", "trackers", "KCF"), ("siammargin", "ablation", 9)])
def test_a_value_that_is_not_there_is_named(monkeypatch, where):
    monkeypatch.setattr(published, "SCORES", {"OTB-2015 AUC": {"kcf": where}})
    with pytest.raises(DataError, match=rf"{where[0]}_published\.json has no .* → {where[-1]}"):
        published.published_scores()
