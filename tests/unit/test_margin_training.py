"""Training with a margin, on a map and below a proposal head; reading how distorted maps are; the
explorer."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest
import torch

from course_lib.analysis.distortion import Moments, maps_of, moments_of, responses_of, study
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.loader import batches
from course_lib.errors import DataError, SettingsError
from course_lib.models.correlation import cosine_correlate, cross_correlate_depthwise
from course_lib.models.margin import CosineMap, margin_logistic_loss, margin_softmax_loss
from course_lib.models.siamfc import SiamFC
from course_lib.models.siammargin import SiamMargin
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.siamrpnpp import SiamRPNpp
from course_lib.models.weights import load_network, read_card, save_weights
from course_lib.training.loop import train
from course_lib.training.map_tasks import MarginTask
from course_lib.training.settings import MarginSettings, ProposalSettings, TrainSettings
from course_lib.training.sources import make_sources
from course_lib.training.tasks import make_task
from course_lib.training.trained_weights import train_to_weights
from course_lib.widgets import MarginExplorer

pytestmark = pytest.mark.slow

TINY = TrainSettings(
    name="tiny",
    network="siammargin",
    widths=(4, 8, 8, 8, 8),
    batch=4,
    steps=6,
    rate_start=0.01,
    precision="fp32",
    validate_every=3,
    validation_pairs=8,
    checkpoint_every=2,
    negatives=0.3,
    margin=MarginSettings(ramp=0.5),
)
RPN = replace(
    TINY,
    network="siamrpn",
    search=255,
    proposals=ProposalSettings(head="depthwise", channels=8, groups=2),
    margin=MarginSettings(weight=0.5),
)
PIXELS = torch.device("cpu")


@lru_cache
def a_batch(n: int = 6, search: int = 239):
    """n pairs, jittered."""
    source, _ = make_sources(replace(TINY, search=search))
    return next(batches(source, 0, n, 0, 1)).jittered(PIXELS)


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([t.detach().float().flatten() for t in network.state_dict().values()])


class TestMargin:
    """SiamMargin."""

    @pytest.mark.parametrize("loss", ["logistic", "softmax"])
    def test_a_few_steps_yield_finite_numbers_and_weights_that_load(self, tmp_path, loss):
        path = train_to_weights(
            replace(TINY, margin=MarginSettings(loss=loss, arc=True)), tmp_path, device="cpu"
        )
        assert isinstance(load_network(str(path)), SiamMargin)
        assert set(read_card(path)["validation"]) == {"step", "loss", "distance", "hits", "gap"}

    @pytest.mark.parametrize("stop", [1, 2, 3])
    def test_resumes_exactly_while_the_margin_rises(self, tmp_path, stop):
        straight = train(TINY, tmp_path / "a", "cpu").network
        train(TINY, tmp_path / "b", "cpu", stop_at=stop)
        assert torch.equal(weights(train(TINY, tmp_path / "b", "cpu").network), weights(straight))

    def test_the_task_is_told_how_much_of_the_training_is_done(self, tmp_path, monkeypatch):
        told, loss = [], MarginTask.loss

        def spy(self, output, batch, done=1.0):
            told.append(done)
            return loss(self, output, batch, done)

        monkeypatch.setattr(MarginTask, "loss", spy)
        train(TINY, tmp_path, "cpu")
        assert sorted(set(told)) == pytest.approx(np.linspace(0, 1, TINY.steps))

    def test_the_loss_uses_margin_scale_ring_and_moment_of_the_recipe(self):
        batch = a_batch()
        cosines = torch.rand(6, 15, 15, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.5
        answer = CosineMap(cosines, torch.tensor(0.3))
        settings = replace(TINY, margin=MarginSettings("softmax", 0.3, 9.0, True, 40.0, 0.5))
        away = batch.box[:, :2] + batch.box[:, 2:] / 2 - 239 / 2  # (6, 2)
        at = (torch.arange(15) - 7.0) * 8
        distance = torch.hypot(
            at[None, None] - away[:, 0, None, None], at[None, :, None] - away[:, 1, None, None]
        )
        labels = torch.where(distance <= 16, 1.0, torch.where(distance <= 40, 0.0, -1.0))
        labels[~batch.positive] = -1
        assert 0 < int(batch.positive.sum()) < 6
        for done, margin in ((0.0, 0.0), (0.25, 0.15), (1.0, 0.3)):
            expected = margin_softmax_loss(answer, labels, 9.0, margin, arc=True)
            assert float(make_task(settings).loss(answer, batch, done)) == pytest.approx(
                float(expected), rel=1e-5
            )

    def test_may_start_from_a_siamfc_backbone_but_not_from_another(self, tmp_path):
        torch.manual_seed(5)
        given = SiamFC(widths=(4, 8, 8, 8, 8))
        save_weights(given, tmp_path / "it.safetensors", {"name": "it"})
        network = make_task(replace(TINY, start_from=str(tmp_path / "it.safetensors"))).network
        assert torch.allclose(network.backbone.conv3.weight, given.backbone.conv3.weight, atol=1e-3)
        with pytest.raises(SettingsError, match="Make stride, widths"):
            make_task(
                replace(TINY, widths=(4, 8, 8, 8, 4), start_from=str(tmp_path / "it.safetensors"))
            )

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"margin": 0.6}, "margin is 0.6; expected 0 … 0.5"),
            ({"scale": 0.5}, "scale is 0.5; expected 1 … 64"),
            ({"ramp": 2.0}, "ramp is 2.0; expected 0 … 1"),
            ({"weight": -1.0}, "weight is -1.0; expected at least 0"),
        ],
    )
    def test_invalid_settings_are_refused(self, wrong, words):
        with pytest.raises(SettingsError, match=words):
            MarginSettings(**wrong)


class TestBelowAHead:
    """A loss on the correlation map of a proposal network."""

    def test_the_map_is_that_of_the_channels_the_scores_are_read_from(self):
        torch.manual_seed(0)
        network = SiamRPN("depthwise", 8, widths=(4, 8, 8, 8, 8), groups=2).eval()
        z, x = 255 * torch.rand(2, 3, 127, 127), 255 * torch.rand(2, 3, 255, 255)
        with torch.no_grad():
            kept, seen = network.template_features(z), network.head.classes.x(network.backbone(x))
            proposals = network.propose(kept, x)
            sums = cross_correlate_depthwise(kept[0], seen).sum(1)
            cosines = network.correlation_map(kept, x)
        assert network.has_map
        assert torch.allclose(cosines, cosine_correlate(kept[0], seen), atol=1e-5)
        # up to the windows' lengths it is the sum of the channels' maps
        assert torch.equal(cosines > 0, sums > 0)
        assert torch.equal(proposals.logits, network.propose(kept, x).logits)

    def test_siamrpnpp_returns_the_mean_of_three(self):
        torch.manual_seed(0)
        network = SiamRPNpp("alexnet", 8, widths=(4, 8, 8, 8, 8), groups=2).eval()
        z, x = 255 * torch.rand(1, 3, 127, 127), 255 * torch.rand(1, 3, 255, 255)
        with torch.no_grad():
            kept = network.template_features(z)
            each = [h.classes.x(m) for h, m in zip(network.heads, network.levels(x), strict=True)]
            expected = sum(cosine_correlate(k, m) for k, m in zip(kept[::2], each, strict=True)) / 3
            assert torch.allclose(network.correlation_map(kept, x), expected, atol=1e-5)

    @pytest.mark.parametrize("network", ["siamrpn", "siamrpn++"])
    def test_it_adds_its_weight_to_the_loss_and_trains(self, tmp_path, network):
        settings = replace(RPN, network=network)
        batch = a_batch(4, 255)
        task = make_task(settings)
        output = task.network.eval()(batch.exemplar, batch.search)
        plain = make_task(replace(settings, margin=MarginSettings()))
        assert output.compared
        labels_loss = make_task(TINY).loss(
            CosineMap(output.correlation_map(), torch.tensor(0.5)), batch, 1.0
        )
        expected = float((plain.loss(output, batch) + 0.5 * labels_loss).detach())
        assert float(task.loss(output, batch, 1.0).detach()) == pytest.approx(expected, rel=1e-5)
        path = train_to_weights(
            replace(settings, steps=2, validate_every=2), tmp_path, device="cpu"
        )
        assert np.isfinite(read_card(path)["validation"]["loss"])

    def test_a_head_without_one_map_is_refused(self):
        with pytest.raises(SettingsError, match="depthwise, or network"):
            make_task(replace(RPN, proposals=replace(RPN.proposals, head="upchannel")))


def by_hand() -> tuple[np.ndarray, Moments]:
    """Two maps of 5 × 5 cells, 32 pixels apart: the target at the centre, a look-alike in the
    corner of the first."""
    maps = np.zeros((2, 5, 5))
    maps[0, 2, 2], maps[0, 0, 4], maps[0, 4, 0] = 6, 3, -3  # the target wins
    maps[1, 2, 2], maps[1, 0, 4] = 1, 4  # the look-alike does
    nowhere = torch.zeros(2, 3, 1, 1)
    corner = [127.5 + 64, 127.5 - 64]
    return maps, Moments(nowhere, nowhere, np.full((2, 2), 127.5), np.array([[corner], [corner]]))


class TestDistortion:
    """Reading maps."""

    def test_by_hand(self):
        maps, moments = by_hand()
        found = study(maps, 32, moments, radius=10, ring=40)
        assert found.on_target.tolist() == [True, False] and found.on_alike.tolist() == [
            False,
            True,
        ]
        # beyond the ring are 20 cells: 3, −3 and zeros in the first map, 4 and zeros in the second
        spread = np.std([3, -3] + [0] * 18), np.std([4] + [0] * 19)
        assert found.lead == pytest.approx([(6 - 3) / spread[0], (1 - 4) / spread[1]])
        assert found.psr == pytest.approx([6 / spread[0], (1 - 0.2) / spread[1]])
        assert [len(found.values[k]) for k in ("target", "look-alike", "background")] == [2, 2, 38]
        assert sorted(found.values["look-alike"]) == [3, 4]
        assert found.summary()["on_target"] == 0.5 and found.summary()["maps"] == 2

    def test_moments_follow_the_ground_truth(self):
        sequence = make_sequence(random_spec(31, length=20, distractors=2, leaves=True))
        moments = moments_of([sequence], every=3, shift=0)
        assert moments.targets == pytest.approx(np.full_like(moments.targets, 127.5), abs=1e-6)
        assert moments.alike.shape[1:] == (2, 2) and moments.exemplars.shape[1:] == (3, 127, 127)
        running_average = moments_of([sequence], every=3, shift=24)
        away = np.abs(running_average.targets - 127.5)
        assert 5 < away.max() <= 24 + 1e-6
        # the look-alikes move along with the target
        assert np.allclose(
            running_average.alike - running_average.targets[:, None],
            moments.alike - moments.targets[:, None],
            equal_nan=True,
        )

    def test_every_kind_of_network_can_be_read(self):
        sequence = make_sequence(random_spec(32, length=9))
        moments = moments_of([sequence], every=4)
        torch.manual_seed(0)
        small = (4, 8, 8, 8, 8)
        for network in (
            SiamFC(widths=small),
            SiamMargin(widths=small),
            SiamRPNpp("alexnet", 8, widths=small, groups=2),
        ):
            assert responses_of(maps_of(network.eval()), moments).shape == (2, 17, 17)
        scores = responses_of(maps_of(network, scores=True), moments)
        with torch.no_grad():
            first = network.propose(
                network.template_features(moments.exemplars[:1]), moments.searches[:1]
            ).scores
        assert scores.shape == (2, 17, 17) and scores.max(axis=(1, 2))[0] == pytest.approx(
            float(first.max()), rel=1e-4
        )

    def test_clips_without_a_usable_frame_are_refused(self):
        with pytest.raises(DataError, match="smaller `every`"):
            moments_of([make_sequence(random_spec(33, length=5))], every=9)


def test_the_benchmark_of_look_alikes_says_where_they_are():
    sequences = load_benchmark("generated-alike-v1")
    assert len(sequences) == 40 and all("BC" in c.attributes for c in sequences)
    for sequence in list(sequences)[::7]:
        boxes = sequence.tags["alike"]
        assert boxes.shape[0] == len(sequence) and boxes.shape[1] in (2, 3)
        centre = (
            boxes[..., :2]
            + boxes[..., 2:] / 2
            - (sequence.boxes[:, None, :2] + sequence.boxes[:, None, 2:] / 2)
        )
        apart = np.linalg.norm(centre, axis=-1)  # (T, k)
        assert np.nanmin(apart) < 0.5 * sequence.boxes[0, 2:].max()  # they do pass the target
        assert np.nanmax(apart) > sequence.boxes[0, 2:].max()  # and are not the target
        assert np.array_equal(sequence.part(3, 9).tags["alike"], boxes[3:9], equal_nan=True)


@pytest.fixture(scope="module")
def bench() -> MarginExplorer:
    torch.manual_seed(0)
    sequence = make_sequence(random_spec(41, length=25, distractors=2))
    return MarginExplorer(sequence, SiamFC(widths=(8, 8, 8, 8, 8)).eval(), every=3)


class TestMarginExplorer:
    """The margin explorer."""

    def test_every_control_at_its_ends(self, bench):
        for spec in bench.controls:
            for value in (spec["low"], spec["high"], spec["high"] + 100):
                bench.set(**{spec["name"]: value})
                assert bench.values[spec["name"]] <= spec["high"]
                assert (
                    cv2.imdecode(np.frombuffer(bench.png, np.uint8), cv2.IMREAD_COLOR) is not None
                )

    def test_without_steps_nothing_changes(self, bench):
        bench.set(steps=0)
        before, after = bench.studies()
        assert torch.equal(bench.learned().weights, bench.identity)
        assert np.array_equal(before.lead, after.lead)

    @pytest.mark.parametrize("loss", [0, 1])
    def test_training_lowers_the_loss_it_is_told_to(self, bench, loss):
        losses = []
        for steps in (5, 60):
            bench.set(loss=loss, margin=0.3, scale=16, steps=steps)
            losses.append(bench.learned().loss)
        assert losses[1] < losses[0]

    def test_it_learns_from_every_other_moment_and_is_validated_on_the_rest(self, bench):
        bench.set(loss=0, margin=0.2, scale=16, steps=5)
        learned, z = bench._train(0.2, 16, 5, "logistic").weights, bench.z
        bench.z = z.clone()
        bench.z[1::2] = bench.z[1::2].flip(1)  # the moments for judging
        assert torch.equal(bench._train(0.2, 16, 5, "logistic").weights, learned)
        bench.z = z

    def test_another_margin_teaches_something_else(self, bench):
        without, with_one = (bench._train(margin, 16, 5, "logistic") for margin in (0.0, 0.4))
        assert with_one.loss > without.loss and not torch.equal(with_one.weights, without.weights)

    def test_the_loss_shown_is_that_of_the_moments_trained_on(self, bench):
        bench.set(loss=0, margin=0.1, scale=8, steps=5)
        labels = bench._labels()[::2]
        cosines = cosine_correlate(bench.z[::2], bench.x[::2])
        first = float(margin_logistic_loss(CosineMap(cosines, torch.tensor(0.5)), labels, 8, 0.1))
        assert 0 < bench.learned().loss < first
        count = int((labels > 0).sum())
        assert count >= len(labels)  # every moment has its target on the map
