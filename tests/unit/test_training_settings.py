"""Every setting of a training run at both ends of its range, just outside, and with values of wrong
types."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.data.pairs import Augmentation
from course_lib.errors import SettingsError
from course_lib.recipe import load_settings
from course_lib.training.online_settings import OverlapSettings, PredictorSettings
from course_lib.training.settings import (
    MarginSettings,
    ProposalSettings,
    TrainSettings,
    step_of,
)
from course_lib.training.shaping import unlike
from course_lib.training.stream_settings import StreamSettings

NAN, INF, TINY = math.nan, math.inf, 1e-12
SHARE = ([0, 1, 0.5, "1e-3"], [-TINY, 1 + 1e-9])
PART = ([0, 1000], [-1e-9])
YES = ([True, False], [1, 0, "yes"])
WORDS_EVERYWHERE = ["", "x", "SGD", " adam", 3]
# (accepted, refused) for each setting: the ends of its range and values just beyond
TABLE = {
    Augmentation: {
        "shift": ([0, 119], [-TINY, 500.1]),
        "stretch": SHARE,
        "rotation": ([0, math.pi], [-TINY, 3.15]),
        "aspect_change": SHARE,
        "mirror": SHARE,
        "jitter": SHARE,
        "tint": SHARE,
        "exemplar": SHARE,
        "grey": SHARE,
        "blur": SHARE,
    },
    ProposalSettings: {
        "head": (["upchannel", "depthwise", "concat", "broadcast"], WORDS_EVERYWHERE),
        "as_similarity": YES,
        "channels": ([None, 1, 4096, "64", 64.0], [0, -1, 4097, 1.5, True]),
        "groups": ([1, 64], [0, -1, 65, 1.5]),
        "scales": ([[1], [1, 0.25, 4]], [[], [0.5, 1], [1, 0.2], [1, 5], 1.0, ["a"]]),
        "loss": (["siamrpn", "ssd"], WORDS_EVERYWHERE),
        "high": ([0.3, 0.95], [0.049, 0.951]),  # low is .3
        "low": ([0, 0.6], [-TINY, 0.951]),  # high is .6
        "weight": PART,
        "any_size": YES,
        "smooth": YES,
        "giou": YES,
        "mask": YES,
        "guide_jitter": SHARE,
    },
    MarginSettings: {
        "loss": (["logistic", "softmax"], WORDS_EVERYWHERE),
        "margin": ([0, 0.5], [-TINY, 0.5001]),
        "scale": ([1, 64], [0.999, 64.01]),
        "arc": YES,
        "ring": ([0, 1000], [-TINY, 1000.1]),
        "ramp": SHARE,
        "weight": PART,
    },
    OverlapSettings: {"width": ([2, 4096], [1, 4097, 2.5])},
    PredictorSettings: {
        "channels": ([1, 4096], [0, 4097]),
        "kernel": ([1, 31], [0, 32, 3.5]),
        "iterations": ([1, 100], [0, -1]),
        "blocks": ([0, 10], [-1, 0.5]),
        "learned": YES,
        "as_identity": YES,
    },
    TrainSettings: {
        "name": (
            ["a", "siamfc-2", "ä_1", "x" * 150],
            [
                "",
                " ",
                "../x",
                "a/b",
                "/a",
                ".",
                "..",
                ".a",
                "~a",
                "a ",
                "a:b",
                "a\\b",
                "x" * 151,
                3,
            ],
        ),
        "network": (
            ["siamfc", "siammargin", "siamrpn", "siamrpn++", "siamconcatrpn"],
            [*WORDS_EVERYWHERE, "siambroadcastrpn"],  # with 255 pixels only
        ),
        "stride": ([4, 8], [2, 5, 16, 0, -8, 8.5]),
        "widths": (
            [[2] * 5, (96, 256, 384, 384, 256), [4096] * 5],
            [[], [2] * 4, [2] * 6, [0] * 5, [-2] * 5, [3] * 5, [4098] * 5, 8, [2, 2, 2, 2, "a"]],
        ),
        "backbone": (
            ["alexnet", "ciresnet22", "twin-alexnet-5", "twin-resnet-9"],
            ["", "resnet34", "twin-alexnet-11", "twin-x-1", "AlexNet"],
        ),
        "width_multiplier": ([1 / 32, 4], [0.031, 4.01, 0, -1]),
        "search": ([239, 255, 1023], [126, 128, 240, 250, 1031, 0, -255, 255.5]),
        "exemplar": ([127, 287, 1023], [126, 1024, 0, 127.5]),
        "freeze": ([0, 5, 100], [-1, 101, 1.5]),
        "unfreeze": ([[]], [[0.5], [-0.1], [1.1], 0.5, ["a"]]),  # more than freeze, which is 0
        "sources": (
            [["generated"], ["videos:got10k-train?"], ["photos:a b"]],
            [[], [""], ["?"], [" generated"], ["photos:"], ["photos:?"], "generated", [3], [None]],
        ),
        "probabilities": ([[1], [1e-9], [1000]], [[], [0], [-1], [1, 1], [NAN], [INF], 1, ["a"]]),
        "fraction": ([1e-9, 1], [0, -TINY, 1.001]),
        "held_out": ([0, 0.95], [-TINY, 0.951, 1]),
        "gap": ([1, 1_000_000], [0, -1, 1_000_001, 1.5]),
        "paste": SHARE,
        "distractors": SHARE,
        "negatives": SHARE,
        "augmentation": (
            [Augmentation(), {"shift": 3}],
            [None, 3, [], {"shfit": 3}, {"shift": -1}],
        ),
        "batch": ([1, 65_536, "8", 1e3], [0, -1, 65_537, 1.5, True]),
        "start_from": ([None, "siamfc", "a/b.safetensors"], ["", " ", 3, ["a"]]),
        "steps": ([1, 10**9, "1e3"], [0, -1, 1.5]),
        "rate_start": ([1e-9, 100, "1e-3"], [0, -1e-3, 100.1]),
        "rate_end": ([1e-9, 100, "1e-5"], [0, -1e-3, 100.1]),
        "optimiser": (["sgd", "adam"], WORDS_EVERYWHERE[:-2] + [3]),
        "momentum": ([0, 0.9, 0.999999], [-TINY, 1, 2]),
        "weight_decay": SHARE,
        "clip_norm": ([1e-9, 1e9], [0, -1]),
        "radius": ([1e-9, 79], [0, -1, 1000.1]),
        "proposals": ([ProposalSettings(), {"groups": 2}], [None, 3, {"loss": "mse"}]),
        "margin": ([MarginSettings(), {"ramp": 0}], [None, 3, {"ramp": 2}]),
        "overlap": ([OverlapSettings(), {"width": 64}], [None, 3, {"width": 0}]),
        "predictor": ([PredictorSettings(), {"blocks": 0}], [None, 3, {"kernel": 0}]),
        "stream": ([StreamSettings(), {"dim": 48}], [None, 3, {"layers": 0}]),
        "factor": ([None, 1, 8], [0.99, 8.1, "a"]),
        "schedule": (["geometric", "cosine", "step"], WORDS_EVERYWHERE),
        "drop_at": SHARE,
        "warm_up": ([0, 0.5], [-TINY, 0.51]),
        "backbone_rate": ([TINY, 1, "0.1"], [0, -0.1, 1.01]),
        "seed": ([0, 2**63 - 1], [-1, 2**63, 0.5]),
        "validation_clips": ([0, 1000], [-1, 1001, 1.5]),
        "fix_norms": SHARE,
        "dilated": YES,
        "precision": (["auto", "fp32", "bf16"], ["", "fp16", "FP32", 16]),
        "workers": ([0, 1024], [-1, 1025, 0.5]),
        "validate_every": ([1, 10**9], [0, -1, 1.5]),
        "validation_pairs": ([0, 1_000_000], [-1, 1_000_001, 1.5]),
        "checkpoint_every": ([1, 10**9], [0, -1, 1.5]),
    },
}
CASES = [(cls, name) for cls in TABLE for name in TABLE[cls]]
# never valid for any setting
NEVER = [NAN, INF, -INF, "nan", "inf", object(), b"1", {1: 2}, [[1]], 1j]


def named(case: object) -> str:
    return getattr(case, "__name__", str(case))


@pytest.mark.parametrize("cls", TABLE, ids=named)
def test_every_setting_is_in_the_table(cls):
    assert {field.name for field in dataclasses.fields(cls)} == set(TABLE[cls])


@pytest.mark.parametrize(("cls", "name"), CASES, ids=named)
def test_the_ends_of_the_range_are_accepted_in_python_and_in_recipes(cls, name):
    for value in TABLE[cls][name][0]:
        assert getattr(cls(**{name: value}), name) is not False or value is False
        if not dataclasses.is_dataclass(value):
            load_settings(cls, None, {name: value})


@pytest.mark.parametrize(("cls", "name"), CASES, ids=named)
def test_values_outside_the_range_are_refused_by_name(cls, name):
    words = {
        "widths": "width",
        "sources": "source",
        "probabilities": "probabilities",
        "backbone": "twin",
    }
    for value in TABLE[cls][name][1]:
        with pytest.raises(SettingsError) as problem:
            made = cls(**{name: value})
            pytest.fail(f"{cls.__name__} took {name}={value!r}: {getattr(made, name)!r}")
        assert words.get(name, name) in str(problem.value) or name == "network"
        if not isinstance(value, str):  # text on the command line is read as YAML first
            with pytest.raises(SettingsError):
                load_settings(cls, None, {name: value})


@pytest.mark.parametrize(("cls", "name"), CASES, ids=named)
def test_values_of_wrong_types_are_refused(cls, name):
    for value in NEVER:
        if name in ("name", "start_from") and isinstance(value, str):
            continue  # a run may be called "inf"
        with pytest.raises(SettingsError):
            made = cls(**{name: value})
            pytest.fail(f"{cls.__name__} took {name}={value!r}: {getattr(made, name)!r}")


@given(st.sampled_from(CASES), st.one_of(st.floats(), st.integers(), st.text(max_size=5)))
def test_any_value_is_accepted_or_refused_in_words(case, value):
    cls, name = case
    try:
        made = getattr(cls(**{name: value}), name)
    except SettingsError as problem:
        assert str(problem)
    else:
        assert not isinstance(made, float) or math.isfinite(made)


SEVERAL = [
    ({"sources": ["a", "b"]}, "2 sources but 1 probabilities"),
    (
        {"sources": ["a", "b"], "probabilities": [0, 1]},
        r"probabilities\[0\] is 0.0; expected a number above 0",
    ),
    ({"sources": ["a", "b"], "probabilities": [1e308, 1e308]}, "sum is not finite"),
    ({"freeze": 1, "unfreeze": [0.2, 0.5]}, "at most one for each frozen stage"),
    ({"freeze": 2, "unfreeze": [0.5, 0.2]}, "increasing fractions"),
    ({"freeze": 1, "network": "siamconcatrpn"}, "expected 0"),
    ({"freeze": 1, "network": "siambroadcastrpn", "search": 255}, "expected 0"),
    ({"stride": 4, "search": 241}, "plus a multiple of 4,.*239 or 243"),
    ({"backbone": "twin-alexnet-9", "search": 247}, "plus a multiple of 16,.*239 or 255"),
    ({"network": "siamrpn", "search": 243, "stride": 4}, "multiple of 8,.*: 239 or 247"),
    ({"backbone": "lite0", "search": 263}, "plus a multiple of 16,.*: 255 or 271"),
    ({"network": "siambroadcastrpn"}, "only accepts 255"),
    ({"search": 127}, "no cell would be negative"),
    ({"radius": 80}, "the farthest is 79 pixels"),  # half the diagonal of 112 pixels
    ({"network": "siammargin", "margin": {"ring": 80}}, "ring 80.0; no cell"),
    ({"augmentation": {"shift": 119.5}}, "less than half"),
    ({"proposals": {"low": 0.7}}, "low is 0.7, high 0.6"),
    ({"network": "siamrpn", "search": 255, "widths": [3] * 5, "proposals": {"groups": 2}}, "of 2"),
]


@pytest.mark.parametrize(("values", "words"), SEVERAL)
def test_conditions_among_several_settings(values, words):
    with pytest.raises(SettingsError, match=words):
        load_settings(TrainSettings, None, values)


@pytest.mark.parametrize(
    "values",
    [
        {"sources": ["a", "b"], "probabilities": [1e-6, 1]},
        {"freeze": 2, "unfreeze": [0, 1]},
        {"stride": 4, "search": 243},
        {"backbone": "twin-alexnet-9", "search": 255},
        {"backbone": "ciresnet43", "search": 243},
        {"backbone": "lite0", "dilated": True, "search": 263},
        {"network": "siambroadcastrpn", "search": 255},
        {"network": "siamconcatrpn", "search": 250},  # it resizes its input
        {"network": "siamfc", "margin": {"ring": 500}},  # not used by it
        {"network": "siamrpn", "search": 255, "widths": [3] * 5},
        {"network": "siamrpn++", "search": 255, "freeze": 2},
        {"network": "siamrpn++", "search": 255, "freeze": 2, "backbone": "resnet50"},
    ],
)
def test_valid_combinations(values):
    load_settings(TrainSettings, None, values)


def test_numbers_as_people_write_them(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("rate_start: 1e-3\nsteps: 1e3\nweight_decay: 5E-4\n")
    settings = load_settings(TrainSettings, recipe, {"rate_end": "1e-5"})
    assert (settings.rate_start, settings.steps, settings.weight_decay) == (0.001, 1000, 0.0005)
    assert settings.rate_end == 1e-5 and isinstance(settings.steps, int)


def test_shipped_recipes_load(project):
    recipes = sorted((project / "recipes").glob("train_*.yaml"))
    assert len(recipes) > 15
    for path in recipes:
        load_settings(TrainSettings, path)


def test_looking_up_a_step_draws_no_random_numbers():
    step_of.cache_clear()
    before = torch.random.get_rng_state()
    # SiamDW's tables: CIResNet-43 has stride 4, the twins 8, 9 and 10 those of their columns
    names = ("ciresnet22", "ciresnet43", "twin-alexnet-9", "twin-alexnet-10", "twin-resnet-8")
    assert [step_of(name) for name in names] == [8, 4, 16, 4, 16]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_differences_of_a_card_are_named():
    mine = TrainSettings(steps=200, augmentation=Augmentation(blur=0.5), workers=3)
    recipe = dataclasses.asdict(mine) | {"workers": 9, "validate_every": 7}
    assert unlike(mine, recipe) == []  # these do not touch the weights
    assert unlike(mine, recipe | {"steps": 100}) == ["steps 100 instead of 200"]
    assert len(unlike(mine, recipe | {"augmentation": {"blur": 0.4}})) == 1
    # the card is older than a setting, which then had its default
    old = {k: v for k, v in recipe.items() if k not in ("margin", "clip_norm")}
    assert unlike(mine, old) == [] and unlike(replace(mine, clip_norm=1.0), old) != []
