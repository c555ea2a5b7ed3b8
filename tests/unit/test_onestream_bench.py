"""Measurements of lessons 14 and 15: published numbers, arms of a study, passes kept, ROC areas by sequence."""

from __future__ import annotations

import importlib
import importlib.util
import json
from types import SimpleNamespace

import numpy as np
import pytest

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.lost import area, roc
from course_lib.evaluation.tables import read_measured
from course_lib.places import PROJECT, RECIPES, RESULTS
from course_lib.trackers import make_tracker, tracker_class
from course_lib.training.settings import TrainSettings

MEANINGS = {"got10k", "everything", "unknown"}


def script(name: str, monkeypatch):
    """A script of benchmarks/ as a module."""
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    return importlib.import_module(name)


class TestPublished:
    """The file of published numbers."""

    @pytest.fixture
    def kept(self) -> dict:
        return read_measured(RESULTS / "onestream_published.json")

    @pytest.fixture
    def rows(self, kept) -> list[dict]:
        return [*kept["trackers"], *kept["small"]]

    def test_every_row_names_its_source(self, kept, rows):
        for row in [*rows, *kept["got10k_both"]]:
            tags = [part.split()[-1] for part in row["source"].replace(";", ",").split(",")]
            assert set(tags) <= set(kept["sources"]), row["tracker"]

    def test_every_got10k_number_says_what_it_means(self, kept, rows):
        for row in rows:
            if row["got10k"] is None:
                assert row["got10k_trained_on"] is None, row["tracker"]
            else:
                assert row["got10k_trained_on"] in MEANINGS and row["got10k_basis"], row["tracker"]
        for row in kept["got10k_both"]:
            assert row["got10k"] < row["everything"]

    def test_scores_are_fractions(self, rows):
        scores = ("got10k", "lasot", "trackingnet", "uav", "otb", "nfs", "vot2020", "tnl2k")
        for row in rows:
            for name in (*scores, "vot2018", "dtb70"):
                assert row.get(name) is None or 0 < row[name] < 1, (row["tracker"], name)


class TestArms:
    """`benchmarks/onestream_arms.py`."""

    FILES = ("onestream_lite0", "heads", "siamrpnpp_lite0", "atom_lite0")

    @pytest.fixture
    def bench(self, monkeypatch):
        return script("onestream_arms", monkeypatch)

    @pytest.fixture
    def settings(self, bench) -> dict[str, TrainSettings]:
        recipes = [RECIPES / f"train_{name}.yaml" for name in self.FILES]
        return {name: arm.settings(1) for name, arm in bench.arms_of(recipes).items()}

    def test_all_arms_see_equal_pairs_from_equal_sources(self, settings):
        for names in (
            ("sources", "probabilities", "held_out", "batch", "steps"),
            ("validate_every", "seed"),
        ):
            for name in names:
                assert len({getattr(s, name) for s in settings.values()}) == 1, name
        assert {s.augmentation.stretch for s in settings.values()} == {0.6}
        assert len({s.name for s in settings.values()}) == len(settings)

    def test_an_arm_changes_one_thing(self, settings):
        base = settings["one stream"]
        for name, changed in {
            "no position codes": {"stream"},
            "template not seen": {"stream"},
            "asymmetric": {"stream"},
            "patches from random weights": {"backbone", "start_from", "freeze"},
            "convolutions from random weights": {"backbone", "start_from", "freeze"},
        }.items():
            differ = {k for k, v in vars(settings[name]).items() if v != getattr(base, k)}
            assert differ - {"name"} == changed
        assert not settings["no position codes"].stream.positions
        assert not settings["template not seen"].stream.joint
        assert settings["asymmetric"].stream.asymmetric

    def test_every_arm_has_its_tracker(self, bench, settings):
        for s in settings.values():
            kind = bench.TRACKERS[bench.network_class(s.network).output]
            assert {"weights", "precision"} <= set(
                tracker_class(kind).Settings.__dataclass_fields__
            )

    def test_mean_iou_by_hand(self, bench):
        boxes = np.array([[0.0, 0, 10, 10]] * 4)
        truth = boxes.copy()
        truth[2] = np.nan
        found = boxes + [[9, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [5, 0, 0, 0]]
        sequence = Sequence.in_memory("a", np.zeros((4, 20, 30, 3), np.uint8), truth)
        # frames 1 and 3: 1 and 50 / 150; frame 0 is given, in frame 2 there is no target
        assert bench.mean_iou(found, sequence) == pytest.approx((1 + 1 / 3) / 2)

    def test_differences_are_of_means_over_seeds(self, bench):
        rows = [
            {"arm": arm, "seed": seed, "clips": {"generated": dict(zip("ab", values, strict=True))}}
            for arm, seed, values in (
                ("one stream", 0, (0.4, 0.6)),
                ("one stream", 1, (0.6, 0.6)),
                ("other", 0, (0.6, 0.9)),
                ("other", 1, (0.8, 0.7)),
            )
        ]
        found = bench.against(rows, "other")["generated"]
        by_hand = Interval.of([0.7 - 0.5, 0.8 - 0.6])  # for other sequences alone
        assert found["mean"] == pytest.approx(by_hand.mean) and found["n"] == 2
        assert found["half_width"] > by_hand.half_width
        assert bench.against(rows, "never trained") == {}

    def test_measures_on_pairs_are_averaged_where_they_mean_the_same(self, bench):
        row = {"validation": {"iou": 0.5, "hits": 0.25, "distance": 9.0, "loss": 1.0}}
        row["clips"] = {"generated": {"a": 0.2, "b": 0.4}, "videos": {}}
        own = bench.headline(row | {"arm": "asymmetric"})
        assert own == {"iou": 0.5, "hits": 0.25, "distance": 9.0, "generated": pytest.approx(0.3)}
        assert set(bench.headline(row | {"arm": "siamrpn++"})) == {"generated"}


def still(name: str, boxes: list, visible: list | None = None) -> Sequence:
    """A sequence of grey frames."""
    boxes = np.array(boxes, dtype=float)
    tags = {} if visible is None else {"visible": np.array(visible)}
    frames = Sequence.in_memory(name, np.zeros((len(boxes), 60, 80, 3), np.uint8), boxes).frames
    return Sequence(name, frames, boxes, tags=tags)


HERE, THERE, GONE = [10, 10, 10, 10], [40, 40, 10, 10], [np.nan] * 4


class TestLostSignals:
    """`benchmarks/lost_signals.py`."""

    @pytest.fixture
    def bench(self, monkeypatch, tmp_path):
        module = script("lost_signals", monkeypatch)
        monkeypatch.setattr(module, "RUNS", tmp_path)
        return module

    @pytest.fixture
    def areas(self, monkeypatch):
        return script("lost_areas", monkeypatch)

    @pytest.fixture
    def rows(self) -> list[dict]:
        rng = np.random.default_rng(1)
        return [
            {
                "states": "".join(rng.choice(list(".ax"), n)),
                "scores": {"it": rng.integers(0, 6, n).astype(float).tolist()},
            }
            for n in (5, 9, 20)
        ]

    def test_states_by_hand(self, bench):
        sequence = still("a", [HERE, HERE, GONE, THERE, HERE, HERE], [1, 1, 0, 1, 0.05, 0.5])
        boxes = np.array([HERE] * 6, dtype=float)
        assert bench.states_of(boxes, sequence) == ".axa."
        # without the tag only a missing box says that the target is away
        assert bench.states_of(boxes[:4], still("a", [HERE, HERE, GONE, THERE])) == ".ax"

    @pytest.mark.parametrize("asked", ["ax", "a", "x"])
    @pytest.mark.parametrize("picks", [(0, 1, 2), (0, 0, 2), (2, 2, 2)])
    def test_areas_of_drawn_clips_are_those_of_their_frames(self, picks, asked, areas, rows):
        won, lost, followed = areas.won_pairs(rows, "it", asked)
        times = np.bincount(picks, minlength=3)
        fast = (times @ won @ times) / ((times @ lost) * (times @ followed))
        assert fast == pytest.approx(area(*areas.pooled([rows[k] for k in picks], "it", asked)))

    def test_other_lost_frames_are_left_out(self, areas):
        row = {"states": ".ax.", "scores": {"it": [4.0, 3.0, 2.0, 1.0]}}
        scores, right = areas.pooled([row], "it", "a")
        assert scores.tolist() == [4, 3, 1] and right.tolist() == [False, True, False]

    def test_the_curve_goes_from_corner_to_corner(self, areas):
        rng = np.random.default_rng(2)
        states = "".join(rng.choice(list(".x"), 900))
        values = rng.normal(size=900) + np.array([s == "." for s in states])
        row = {"states": states, "scores": {"it": values.tolist()}}
        found = areas.curve([row], "it")
        x, y = np.array(found["false_alarm"]), np.array(found["found"])
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1) and len(x) <= areas.POINTS
        scores, lost = areas.pooled([row], "it", "ax")
        assert np.trapezoid(y, x) == pytest.approx(area(scores, lost), abs=0.01)
        for threshold, a, b in list(zip(found["threshold"], x, y, strict=True))[1:]:
            assert a == pytest.approx(np.mean(scores[~lost] <= threshold + 1e-3), abs=0.01)
            assert b == pytest.approx(np.mean(scores[lost] <= threshold + 1e-3), abs=0.01)
        assert np.allclose(np.trapezoid(*roc(scores, lost)[::-1]), area(scores, lost))

    def test_generated_clips_lose_their_target_and_show_it_again(self, bench, monkeypatch):
        hidden = {  # frames out of sight, of 30
            "too short": range(9, 13),
            "at the end": range(9, 27),
            "right": range(9, 14),
            "right too": range(20, 25),
            "one more": range(9, 14),
        }
        sequences = {
            name: still(name, [HERE] * 30, [float(t not in frames) for t in range(30)])
            for name, frames in hidden.items()
        }
        monkeypatch.setattr(bench, "random_specs", lambda first, count: list(sequences))
        monkeypatch.setattr(bench, "make_sequence", sequences.get)
        assert [sequence.name for sequence in bench.generated_clips(2)] == ["right", "right too"]

    def test_passes_are_kept_and_missing_weights_are_said(self, bench, monkeypatch, capsys):
        made = []

        class Still:
            last = SimpleNamespace(score=0.5)

            def init(self, frame, box):
                made.append(1)
                self.box = np.array(box)

            def update(self, frame):
                return self.box

        here = bench.Pass("stay-put", "", {"it": "nothing"})
        gone = bench.Pass("siamfc", "no-such-weights", {"never": "nothing"})
        monkeypatch.setattr(bench, "PASSES", {"here": here, "gone": gone})
        monkeypatch.setattr(bench.Pass, "make", lambda self: Still())
        sequences = [still("a", [HERE, HERE, THERE]), still("b", [HERE, THERE])]
        rows = bench.measure(["here", "gone"], sequences)
        assert "gone is left out: there are no weights 'no-such-weights'" in capsys.readouterr().out
        assert rows == {
            "here": {
                "a": {"states": ".x", "scores": {"it": [0.5, 0.5]}},
                "b": {"states": "x", "scores": {"it": [0.5]}},
            }
        }
        assert bench.measure(["here"], sequences) == rows and len(made) == 2
        other = still("b", [HERE, HERE])  # another sequence of the same name
        assert bench.measure(["here"], [sequences[0], other])["here"]["b"]["states"] == "."
        assert len(made) == 3

    def test_a_table_of_two_signals(self, bench, monkeypatch, rows):
        names = {name: bench.Pass("stay-put", "", {name: "nothing"}) for name in ("one", "two")}
        monkeypatch.setattr(bench, "PASSES", names)
        sequences = [
            still(
                f"clip{k}",
                [*([HERE] * len(r["states"])), HERE if k else GONE],
                [1.0] * (len(r["states"]) + 1),
            )
            for k, r in enumerate(rows)
        ]
        of = {
            name: {
                "generated": {
                    c.name: {
                        "states": r["states"],
                        "scores": {name: (sign * np.array(r["scores"]["it"])).tolist()},
                    }
                    for c, r in zip(sequences, rows, strict=True)
                }
            }
            for name, sign in (("one", 1), ("two", -1))
        }
        table = bench.table_of(of, {"generated": sequences})
        one, two = (table["signals"][n]["area"]["generated"]["lost"] for n in ("one", "two"))
        assert one["mean"] == pytest.approx(1 - two["mean"], abs=1e-3)
        assert one["low"] <= one["mean"] <= one["high"]
        gap = table["differences"]["generated"]["one - two"]
        assert gap["mean"] == pytest.approx(one["mean"] - two["mean"], abs=1e-3)
        assert gap["low"] == pytest.approx(2 * one["low"] - 1, abs=1e-3)
        assert sorted(table["shown"]) == ["clip0", "clip1"]  # one that leaves, one that does not


class TestReal:
    """`benchmarks/onestream_real.py`: rows of an earlier file count while they are still true."""

    @pytest.fixture
    def bench(self, monkeypatch):
        return script("onestream_real", monkeypatch)

    BENCHMARK = Benchmark("toy", (still("a", [HERE] * 4), still("b", [HERE] * 2 + [THERE] * 4)))

    def kept(self, auc: float) -> dict:
        names = ("one stream", "other")
        return {
            "overall": {n: {"auc": auc, "success50": 1.0, "precision20": 1.0} for n in names},
            "auc_by_sequence": {sequence: dict.fromkeys(names, auc) for sequence in "ab"},
        }

    def makers(self) -> dict:
        return {name: lambda: make_tracker("stay-put") for name in ("one stream", "other")}

    def test_kept_rows_are_taken_while_the_shortest_clip_agrees(self, bench):
        kept = self.kept(20 / 21)  # what staying put gives on "a", the shortest
        found = bench.measured(self.makers(), self.BENCHMARK, kept)
        assert found["taken_from_atom_real_sequences"] == ["one stream", "other"]
        assert found["auc_by_sequence"]["b"]["other"] == pytest.approx(20 / 21, abs=1e-3)

    def test_others_are_measured_again(self, bench):
        for kept in (self.kept(0.5), None):
            found = bench.measured(self.makers(), self.BENCHMARK, kept)
            assert found["taken_from_atom_real_sequences"] == []
            b = found["auc_by_sequence"]["b"]["other"]
            assert b == pytest.approx(2 / 6 * 20 / 21, abs=1e-3)
        assert found["minus"]["other"]["mean"] == 0 and found["minus"]["other"]["n"] == 2


class TestEvidence:
    """What lessons 14 and 15 conclude."""

    @pytest.fixture
    def evidence(self, monkeypatch, tmp_path):
        """Name → how its interval is computed, of both lessons."""
        every = {}
        for number in (14, 15):
            file = PROJECT / "lessons" / "evidence" / f"lesson{number}.py"
            spec = importlib.util.spec_from_file_location(f"evidence{number}", file)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            monkeypatch.setattr(module, "RESULTS", tmp_path)
            assert not every.keys() & module.EVIDENCE.keys()
            every |= module.EVIDENCE
        return every

    def test_without_results_all_is_open(self, evidence):
        for interval in (find() for find in evidence.values()):
            assert interval.n == 0 and not interval.excludes_zero

    def test_arms_and_clips_and_signals(self, evidence, tmp_path):
        runs = [
            {"arm": arm, "seed": seed, "clips": {"generated": {"a": low, "b": low + 0.2}}}
            for arm, low in (("one stream", 0.5), ("no position codes", 0.3), ("siamfc", 0.4))
            for seed in (0, 1)
        ]
        arms = {"runs": runs}
        (tmp_path / "onestream_arms.json").write_text(json.dumps(arms))
        sequences = {
            "a": {"one stream": 0.6, "siamfc": 0.5},
            "b": {"one stream": 0.8, "siamfc": 0.5},
        }
        table = {"otb+vot2014": {"auc_by_sequence": sequences}}
        (tmp_path / "onestream_real_sequences.json").write_text(json.dumps(table))
        gap = {"mean": 0.2, "low": 0.05, "high": 0.3}
        lost = {
            "clips": {"generated": {"a": 9, "b": 9, "c": 9}},
            "differences": {"generated": {"onestream - mosse": gap}},
            "signals": {"onestream": {"area": {"generated": {"lost": gap | {"mean": 0.7}}}}},
        }
        (tmp_path / "lost_signals.json").write_text(json.dumps(lost))
        found = {name: find() for name, find in evidence.items()}
        assert found["positions"].mean == pytest.approx(-0.2)
        assert found["positions"].half_width == pytest.approx(0, abs=1e-12)
        assert found["joint"].n == 0  # no run has this arm
        assert found["pairs-siamfc"].mean == pytest.approx(-0.1)
        assert found["pairs-atom"].n == 0
        assert found["stream-siamfc"].mean == pytest.approx(0.2) and found["stream-siamfc"].n == 2
        assert found["stream-atom"].n == 0  # the file has no such row
        assert found["lost-stream-mosse"] == Interval(0.2, pytest.approx(0.15), 3)
        assert found["lost-stream"].mean == pytest.approx(0.2)
        assert found["lost-stream-siamfc"].n == 0
