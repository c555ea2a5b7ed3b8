"""Settings: numbers as people write them, each in its range, from a recipe and from Python
alike."""

from __future__ import annotations

import math
import typing
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from course_lib.errors import SettingsError
from course_lib.recipe import Count, Positive, Range, Settings, UnitInterval, load_settings
from course_lib.trackers.kcf import KCFSettings


@dataclass(frozen=True)
class Inner(Settings):
    light: UnitInterval = 0.3


@dataclass(frozen=True)
class Mine(Settings):
    rate: UnitInterval = 0.1
    sigma: Positive = 2.0
    size: Annotated[int, Range(16, 512)] = 64
    widths: tuple[Count, ...] = (1, 2)
    best: Annotated[float, Range(0)] | None = None
    kernel: Literal["linear", "gaussian"] = "linear"
    mirror: bool = False
    name: str = "mine"
    inner: Inner = Inner()


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_fraction_is_taken_exactly_from_0_to_1(value):
    if 0 <= value <= 1:
        assert Mine(rate=value).rate == value
        return
    with pytest.raises(SettingsError, match="Mine: rate is .*; expected"):
        Mine(rate=value)


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("sigma", [1e-9, 5], [0, -1, math.nan, math.inf, True, "much", None]),
        ("size", [16, 512, 64.0, "64", "1e2"], [15, 513, 64.5, "64.5", True, "many"]),
        ("widths", [[3], (1, 2, 3)], [[0], 3, ["a"], [1.5]]),
        ("best", [None, 0, 7], [-1, math.nan]),
        ("kernel", ["gaussian"], ["rbf", 1, True]),
        ("mirror", [True], [1, "yes", None]),
        ("name", ["x"], [5, None]),
        ("inner", [Inner(0.1)], [3, "jitter"]),
    ],
)
def test_each_kind_at_its_ends(key, good, bad):
    for value in good:
        load_settings(Mine, None, {key: value})
        if not isinstance(value, str) or key in ("kernel", "name"):
            Mine(**{key: value})
    for value in bad:
        with pytest.raises(SettingsError, match=key):
            Mine(**{key: value})


@pytest.mark.parametrize("text", ["1e-3", "1E-3", ".001", "1.0e-3", "0.001"])
def test_numbers_as_people_write_them(tmp_path, text):
    (tmp_path / "r.yaml").write_text(f"rate: {text}\n")
    assert load_settings(Mine, tmp_path / "r.yaml").rate == pytest.approx(0.001)
    assert load_settings(Mine, None, {"rate": text}).rate == pytest.approx(0.001)


def test_what_is_wrong_names_the_file_the_key_and_the_range(tmp_path):
    path = tmp_path / "r.yaml"
    for text, said in [
        ("rate: 2", r"r\.yaml: rate is 2\.0; expected 0 … 1"),
        ("inner: {light: -1}", r"r\.yaml: inner: light is -1\.0; expected 0 … 1"),
        ("rate: .nan", "rate is nan .*; expected a finite number"),
        ("rate: 1\nrate: 2", "rate is given more than once"),
        ("rate: [", "is not valid YAML"),
        ("- rate", "holds a list; expected lines of `key: value`"),
        ("5: 1", "unknown key 5"),
    ]:
        path.write_text(text)
        with pytest.raises(SettingsError, match=said):
            load_settings(Mine, path)
    path.write_bytes(b"name: \xe4\n")
    with pytest.raises(SettingsError, match="not UTF-8 text"):
        load_settings(Mine, path)
    path.write_bytes(b"\xef\xbb\xbfrate: 0.5\n")
    assert load_settings(Mine, path).rate == 0.5


def test_an_override_below_something_that_is_no_mapping_is_reported():
    with pytest.raises(SettingsError, match=r"there is no rate\.x"):
        load_settings(Mine, None, {"rate": "0.5", "rate.x": "1"})
    with pytest.raises(SettingsError, match="override rate=\\[ is not valid YAML"):
        load_settings(Mine, None, {"rate": "["})


def test_numpy_numbers_are_numbers():
    made = Mine(rate=np.float32(0.5), size=np.int64(32))
    assert type(made.rate) is float and type(made.size) is int


def values_of(kind) -> st.SearchStrategy:
    """Values that a field of this kind may have."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        limit = next(a for a in arguments[1:] if isinstance(a, Range))
        low, high = max(limit.low, -1e6), min(limit.high, 1e6)
        if arguments[0] is int:
            return st.integers(int(low) + limit.above, int(high))
        return st.floats(low, high, exclude_min=limit.above)
    if origin is Literal:
        return st.sampled_from(arguments)
    return {bool: st.booleans(), str: st.just("hog+grey")}[kind]


@given(st.data())
def test_what_is_written_as_yaml_is_read_back(tmp_path_factory, data):
    """Any settings of KCF in their ranges, as YAML and as overrides."""
    hints = typing.get_type_hints(KCFSettings, include_extras=True)
    some = data.draw(st.sets(st.sampled_from(sorted(hints))))
    chosen = {key: data.draw(values_of(hints[key]), label=key) for key in some}
    path = tmp_path_factory.mktemp("recipe") / "kcf.yaml"
    path.write_text(yaml.safe_dump(chosen))
    wanted = KCFSettings(**chosen)
    assert load_settings(KCFSettings, path) == wanted
    texts = {key: str(value) for key, value in chosen.items()}
    assert load_settings(KCFSettings, None, texts) == wanted


@given(st.one_of(st.text(), st.binary()))
def test_any_file_is_settings_or_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    try:
        assert isinstance(load_settings(Mine, path), Mine)
    except SettingsError as problem:
        assert str(path) in str(problem)


@given(st.text(alphabet="[]{}:,-?&*!|>'\"%@`# \n\tab1", max_size=20))
def test_any_override_is_a_setting_or_a_sentence(text):
    try:
        assert isinstance(load_settings(Mine, None, {"rate": text}), Mine)
    except SettingsError as problem:
        assert "rate" in str(problem)


def test_a_mapping_changes_only_what_it_names():
    """The outer settings may have defaults of their own for the inner ones."""

    @dataclass(frozen=True)
    class Inner(Settings):
        a: int = 1
        b: int = 2

    @dataclass(frozen=True)
    class Outer(Settings):
        inner: Inner = field(default_factory=lambda: Inner(b=20))

    # annotations are read by name, as in a module
    globals().update(Inner=Inner, Outer=Outer)
    for changes in ({"inner": {"a": 5}}, {"inner.a": "5"}):
        assert load_settings(Outer, None, changes).inner == Inner(5, 20)
    assert load_settings(Outer, None, {}).inner == Inner(1, 20)
