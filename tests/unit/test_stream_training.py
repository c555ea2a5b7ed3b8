"""Training one-stream networks: schedules, crops, what is charged and measured, exact resume."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pair_files import STILL

from course_lib.data.frames import ArrayFrames
from course_lib.data.loader import PairBatch
from course_lib.data.objects import OutlinedObject, Photograph
from course_lib.data.packing import write_shards
from course_lib.data.pairs import pair_at
from course_lib.data.pairs_photo import PhotoPairs
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.sequence import Sequence
from course_lib.data.shards import ShardPairs
from course_lib.errors import SettingsError
from course_lib.models.centre_head import CentreMaps
from course_lib.models.centre_losses import focal_loss, heat_map
from course_lib.models.weights import load_network
from course_lib.places import RECIPES
from course_lib.recipe import load_settings
from course_lib.training.loop import train
from course_lib.training.settings import TrainSettings
from course_lib.training.step import scheduled_rate
from course_lib.training.stream_settings import StreamSettings
from course_lib.training.tasks import make_task
from course_lib.training.trained_weights import train_to_weights

SMALL = StreamSettings(dim=24, layers=2, attention_heads=3, width=16)
STREAM = TrainSettings(
    network="onestream",
    backbone="convstem",
    exemplar=128,
    search=256,
    factor=2,
    stream=SMALL,
    optimiser="adam",
    rate_start=1e-3,
    rate_end=1e-5,
    schedule="cosine",
    warm_up=0.25,
    batch=2,
    steps=4,
    validate_every=4,
    validation_pairs=4,
)


def rates(steps: int, **settings) -> list[float]:
    s = replace(STREAM, steps=steps, rate_start=0.1, rate_end=0.001, warm_up=0.0, **settings)
    return [scheduled_rate(k, s) for k in range(steps)]


class TestSchedules:
    """By hand."""

    def test_cosine(self):
        half = 0.0505
        wanted = [half + 0.0495 * math.cos(math.pi * k / 4) for k in range(5)]
        assert rates(5, schedule="cosine") == pytest.approx(wanted)
        assert wanted[0] == 0.1 and wanted[2] == half and wanted[4] == pytest.approx(0.001)

    def test_step(self):
        assert rates(10, schedule="step", drop_at=0.8) == [0.1] * 8 + [0.001] * 2
        assert rates(4, schedule="step", drop_at=0.5) == [0.1] * 2 + [0.001] * 2
        assert rates(3, schedule="step", drop_at=1.0) == [0.1] * 3

    def test_geometric(self):
        assert rates(3, schedule="geometric") == pytest.approx([0.1, 0.01, 0.001])

    def test_of_one_step(self):
        for schedule in ("cosine", "geometric"):
            assert rates(1, schedule=schedule) == [0.1]

    @pytest.mark.parametrize("schedule", ["cosine", "step", "geometric"])
    def test_warm_up_multiplies(self, schedule):
        """Of 8 steps the first 4 have 1, 2, 3 and 4 quarters of the rate they would have."""
        plain = rates(8, schedule=schedule)
        s = replace(STREAM, steps=8, rate_start=0.1, rate_end=0.001, schedule=schedule, warm_up=0.5)
        wanted = [r * min(k / 4, 1) for k, r in enumerate(plain, start=1)]
        assert [scheduled_rate(k, s) for k in range(8)] == pytest.approx(wanted)

    def test_the_old_recipes_fall_as_before(self):
        s = load_settings(TrainSettings, RECIPES / "train_siamfc.yaml")
        assert s.schedule == "geometric" and s.warm_up == 0 and s.factor is None
        for k in (0, 1000, s.steps - 1):
            wanted = s.rate_start * (s.rate_end / s.rate_start) ** (k / (s.steps - 1))
            assert scheduled_rate(k, s) == pytest.approx(wanted)


def white_frame(box: tuple[int, int, int, int]) -> np.ndarray:
    """A white frame with a red target."""
    frame = np.full((200, 240, 3), 255, np.uint8)
    x, y, w, h = box
    frame[y : y + h, x : x + w] = (200, 0, 0)
    return frame


def one_video(box: tuple[int, int, int, int]) -> Sequence:
    return Sequence("v", ArrayFrames([white_frame(box)] * 3), np.tile(box, (3, 1)).astype(float))


class TestCrops:
    """Template and search image of factor 2: 2 and 4 times √(w · h), at 128 and 256 pixels."""

    SIZES = (256, 128)

    def check(self, pair, w: float, h: float, close: float = 1e-3) -> None:
        """Both show the target at 128 / (2 √(w h)) pixels a pixel, in their centre."""
        scale = 64 / math.sqrt(w * h)
        for image, box, side in (
            (pair.exemplar, pair.exemplar_box, 128),
            (pair.search, pair.box, 256),
        ):
            assert image.shape == (side, side, 3)
            size = np.array([w, h]) * scale
            np.testing.assert_allclose(box, [*(side / 2 - size / 2), *size], atol=close)

    def test_of_videos(self):
        pairs = VideoPairs([one_video((100, 80, 36, 16))], STILL, 10, 0, None, *self.SIZES, 2)
        pair = pair_at(pairs, 0, 0)
        self.check(pair, 36, 16)
        red = pair.search[..., 1] < 128  # the target's pixels are where the box says
        rows, columns = np.nonzero(red)
        x, y, w, h = pair.box
        assert [columns.min(), rows.min()] == pytest.approx([x, y], abs=1.5)
        assert red.sum() == pytest.approx(w * h, rel=0.05)

    def test_of_photographs(self):
        box = (100, 80, 36, 16)
        corners = np.array([[100, 80], [136, 80], [136, 96], [100, 96]], float)
        photo = Photograph("p", pixels=white_frame(box))
        pairs = PhotoPairs(
            [OutlinedObject(photo, (corners,), 1)], [photo], STILL, 0, 0, 0, None, *self.SIZES,
            factor=2,
        )  # fmt: skip
        self.check(pair_at(pairs, 0, 0), 36, 16)

    def test_of_shards(self, tmp_path):
        write_shards([one_video((100, 80, 36, 16))], tmp_path, progress=False)
        pairs = ShardPairs(tmp_path, STILL, 10, None, *self.SIZES, 2)
        self.check(pair_at(pairs, 0, 0), 36, 16)

    def test_black_beyond_the_frame(self):
        """The target's left half of the search image lies outside."""
        video = [one_video((0, 80, 24, 24))]
        search = pair_at(VideoPairs(video, STILL, 10, 0, None, *self.SIZES, 2), 0, 0).search
        # 48 pixels left of the centre, 12 of them inside, of 96 at 256
        assert search[:, :95].max() == 0 and search[:, 97:, 0].min() >= 200
        mean = pair_at(VideoPairs(video, STILL, 10, 0, None, *self.SIZES), 0, 0).search
        assert mean[128, 4, 0] > 200  # SiamFC's is filled with the frame's mean colour

    def test_without_a_factor_siamfc_s_square(self):
        pairs = VideoPairs([one_video((100, 80, 36, 16))], STILL, 10, 0, None, 255, 127)
        pair = pair_at(pairs, 0, 0)
        side = math.sqrt((36 + 26) * (16 + 26))
        assert pair.exemplar_box[2:] == pytest.approx([36 * 127 / side, 16 * 127 / side])

    def test_the_recipe_says_so(self):
        s = load_settings(TrainSettings, RECIPES / "train_onestream_lite0.yaml")
        assert (s.factor, s.exemplar, s.search) == (2, 128, 256)
        # the same pairs, sources and steps as the proposals' on this backbone
        other = load_settings(TrainSettings, RECIPES / "train_siamrpnpp_lite0.yaml")
        for name in ("sources", "probabilities", "steps", "batch", "held_out", "negatives"):
            assert getattr(s, name) == getattr(other, name), name


def batch(positive: tuple[bool, ...] = (True, True)) -> PairBatch:
    draw = torch.Generator().manual_seed(0)
    z = 255 * torch.rand(2, 3, 128, 128, generator=draw)
    x = 255 * torch.rand(2, 3, 256, 256, generator=draw)
    boxes = torch.tensor([[96.0, 104, 64, 48], [140, 60, 40, 80]])
    own = torch.tensor([[32.0, 40, 64, 48], [44, 24, 40, 80]])
    return PairBatch(
        z, x, own, boxes, torch.tensor(positive), torch.zeros(2, 2, 8), torch.tensor([7, 8]),
        ["a", "b"]
    )  # fmt: skip


def answer(*boxes: tuple[float, ...], score: float = 0.7) -> CentreMaps:
    """Maps whose best cell says a box, x, y, w, h in pixels of the search image."""
    n = len(boxes)
    maps = CentreMaps(
        torch.full((n, 1, 16, 16), 0.1),
        torch.full((n, 2, 16, 16), 0.5),
        torch.zeros(n, 2, 16, 16),
    )
    for k, (x, y, w, h) in enumerate(boxes):
        place = torch.tensor([x + w / 2, y + h / 2]) / 16
        column, row = place.round().int().tolist()
        maps.score[k, 0, row, column] = score
        maps.size[k, :, row, column] = torch.tensor([w, h]) / 256
        maps.offset[k, :, row, column] = place - torch.tensor([column, row])
    return maps


class TestTask:
    def test_a_right_answer_measures_so(self):
        task, pairs = make_task(STREAM), batch()
        found = task.measures(answer(*pairs.box.tolist()), pairs)
        torch.testing.assert_close(found["iou"], torch.ones(2))
        assert float(found["distance"].max()) < 1e-3 and found["hits"].tolist() == [1, 1]
        torch.testing.assert_close(found["score"], torch.tensor([0.7, 0.7]))
        shown = task.boxes(answer(*pairs.box.tolist()), pairs)
        torch.testing.assert_close(shown["prediction"], pairs.box)
        assert torch.equal(shown["truth"], pairs.box)

    def test_wrong_answers_by_hand(self):
        task, pairs = make_task(STREAM), batch()
        # half of its width to the right; as large, but 30 down and 40 left
        maps = answer((128, 104, 64, 48), (100, 90, 40, 80))
        found = task.measures(maps, pairs)
        assert found["distance"].tolist() == pytest.approx([32, 50], abs=1e-3)
        assert float(found["iou"][0]) == pytest.approx(1 / 3, abs=1e-4)
        assert found["hits"].tolist() == [0, 0] and task.settings.radius < 32
        assert torch.equal(task.maps(maps), maps.score[:, 0])

    def test_the_loss_is_of_fractions_of_the_search_image(self):
        """One pair counts: its IoU is 1/3 and no part of the common rectangle is empty, two edges
        of four are off by an eighth of the search image."""
        task, pairs = make_task(STREAM), batch((True, False))
        maps = answer((128, 104, 64, 48), (100, 90, 40, 80))
        heat = heat_map(pairs.box / 256, 16, pairs.positive)
        wanted = float(focal_loss(maps.score[:, 0], heat)) + 2 * (1 - 1 / 3) + 5 * (2 / 8 / 4)
        assert float(task.loss(maps, pairs)) == pytest.approx(wanted, abs=1e-4)

    def test_a_few_steps_on_one_batch_reduce_the_loss(self):
        torch.manual_seed(0)
        task, pairs = make_task(STREAM), batch()
        network = task.network.train()
        optimiser = torch.optim.Adam(network.parameters(), 2e-3)
        losses = []
        for _ in range(40):
            loss = task.loss(network(*task.inputs(pairs)), pairs)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


@pytest.mark.slow
class TestRuns:
    def test_a_stopped_and_resumed_run_ends_with_the_same_weights(self, tmp_path):
        whole = train(STREAM, tmp_path / "whole", device="cpu")
        train(STREAM, tmp_path / "parts", device="cpu", stop_at=2)
        parts = train(STREAM, tmp_path / "parts", device="cpu")
        assert parts.progress.step == 4 and parts.progress.curve == whole.progress.curve
        for name, value in whole.network.state_dict().items():
            assert torch.equal(parts.network.state_dict()[name], value), name
        assert {"loss", "iou", "hits", "distance", "score"} <= set(whole.progress.validation[-1])

    def test_the_rate_of_each_step_is_the_schedule_s(self, tmp_path):
        seen = []
        train(STREAM, tmp_path, "cpu", [lambda p: seen.append(p.rate)])
        assert seen == [scheduled_rate(k, STREAM) for k in range(4)]

    def test_its_weights_are_loaded_as_they_were_trained(self, tmp_path):
        settings = replace(
            STREAM, steps=1, stream=replace(SMALL, asymmetric=True, eliminate=(2,), keep=0.5)
        )
        path = train_to_weights(settings, tmp_path, device="cpu")
        network = load_network(str(path))
        assert (network.asymmetric, network.eliminate, network.keep) == (True, (2,), 0.5)
        assert network.head.score[0].in_channels == 24 and len(network.blocks) == 2

    def test_ablations_are_settings(self, tmp_path):
        for more in ({"positions": False}, {"joint": False}):
            settings = replace(STREAM, steps=1, stream=replace(SMALL, **more))
            network = train(settings, tmp_path / next(iter(more)), device="cpu").network
            assert network.positions == more.get("positions", True)
            assert network.joint == more.get("joint", True)
            assert bool(network.place_x.any()) == network.positions


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exemplar": 127}, "exemplar is 127; onestream only accepts 128"),
        ({"search": 255}, "search is 255; onestream only accepts 256"),
        ({"factor": None}, "factor is null; onestream only accepts 2"),
        ({"backbone": "alexnet"}, "backbone is alexnet; .*convstem, patches or lite0"),
        ({"schedule": "linear"}, "schedule is 'linear'"),
        ({"warm_up": 0.7}, "warm_up is 0.7"),
        ({"factor": 0.5}, "factor is 0.5"),
        ({"drop_at": 1.5}, "drop_at is 1.5"),
    ],
)
def test_wrong_recipes_are_refused_in_words(changes, words):
    with pytest.raises(SettingsError, match=words):
        make_task(replace(STREAM, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dim": 50}, "dim is 50, attention_heads is 3; expected a dim that the heads"),
        ({"width": 20}, "width is 20; expected a multiple of 8"),
        ({"eliminate": (3,)}, r"eliminate is \(3,\), but there are 2 layers; .* 1 to 2"),
        ({"eliminate": (0,)}, "eliminate"),
        ({"keep": 0.0}, "keep is 0"),
        ({"ratio": 9.0}, "ratio is 9"),
        ({"layers": 0}, "layers is 0"),
    ],
)
def test_wrong_stream_settings_are_refused_in_words(changes, words):
    with pytest.raises(SettingsError, match=words):
        replace(SMALL, **changes)


def test_a_set_without_comparison_has_nothing_to_remove():
    with pytest.raises(SettingsError, match="joint is false"):
        make_task(replace(STREAM, stream=replace(SMALL, joint=False, eliminate=(1,))))
