"""Training of the networks that learn online: what enters, what is charged, what is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.data.loader import PairBatch
from course_lib.data.overlap_proposals import draw_proposals
from course_lib.geometry.anchors import overlaps
from course_lib.geometry.boxes import iou
from course_lib.models.target_filter import gaussian_labels
from course_lib.training.loop import train
from course_lib.training.online_settings import OverlapSettings, PredictorSettings
from course_lib.training.settings import TrainSettings
from course_lib.training.tasks import make_task

ATOM = TrainSettings(
    network="atom",
    backbone="alexnet",
    widths=(4, 4, 4, 4, 4),
    search=255,
    exemplar=255,
    overlap=OverlapSettings(width=4),
    batch=2,
    steps=3,
    validate_every=3,
    validation_pairs=4,
)
DIMP = replace(ATOM, network="dimp", predictor=PredictorSettings(4, iterations=3, blocks=0))


def batch(positive: tuple[bool, ...] = (True, True), size: int = 255) -> PairBatch:
    draw = torch.Generator().manual_seed(0)
    images = (255 * torch.rand(2, 2, 3, size, size, generator=draw)).unbind()
    boxes = torch.tensor([[90.0, 100, 60, 50], [120, 80, 40, 70]])
    return PairBatch(
        *images, boxes, boxes + 10, torch.tensor(positive), torch.zeros(2, 2, 8),
        torch.tensor([7, 8]), ["a", "b"]
    )  # fmt: skip


def test_ious_of_each_pair_s_own_boxes():
    boxes = torch.rand(3, 5, 4, dtype=torch.float64) * 40 + 1
    truth = torch.rand(3, 4, dtype=torch.float64) * 40 + 1
    expected = iou(boxes.numpy(), truth[:, None].numpy().repeat(5, 1))
    np.testing.assert_allclose(overlaps(boxes, truth), expected, atol=1e-12)


class TestOverlaps:
    def test_proposals_are_those_of_the_pair_s_seed(self):
        task, pairs = make_task(ATOM), batch()
        reference, test, box, proposals = task.inputs(pairs)
        assert reference is pairs.exemplar and test is pairs.search
        assert torch.equal(box, pairs.exemplar_box) and proposals.shape == (2, 16, 4)
        expected = draw_proposals(np.random.default_rng(8), pairs.box[1].numpy(), 16)
        torch.testing.assert_close(proposals[1], torch.from_numpy(expected).float())
        # in another batch, beside another pair, they are the same
        other = replace(pairs, seeds=torch.tensor([8, 9]), box=pairs.box.flip(0))
        assert torch.equal(task.inputs(other)[3][0], proposals[1])

    def test_the_loss_by_hand(self):
        task, pairs = make_task(ATOM), batch()
        true = overlaps(task.proposals(pairs), pairs.box)
        assert float(task.loss(2 * true - 1, pairs)) == pytest.approx(0, abs=1e-12)
        # half of all values 0.3 off, the others right
        off = 2 * true - 1 + 0.3 * torch.tensor([1.0, 0]).repeat(8)
        assert float(task.loss(off, pairs)) == pytest.approx(0.045, rel=1e-4)

    def test_a_negative_pair_counts_nothing(self):
        task = make_task(ATOM)
        one, none = batch((True, False)), batch((False, False))
        wanted = 2 * overlaps(task.proposals(one), one.box) - 1
        wrong = wanted + torch.tensor([[0.5], [9.0]])
        assert float(task.loss(wrong, one)) == pytest.approx(0.25, rel=1e-4)
        assert float(task.loss(wrong, none)) == 0

    def test_measures_by_hand(self):
        task, pairs = make_task(ATOM), batch()
        true = overlaps(task.proposals(pairs), pairs.box)
        found = task.measures(2 * true - 1, pairs)
        torch.testing.assert_close(found["iou"], true.amax(1))
        assert float(found["error"].max()) < 1e-6 and float(found["missed"].max()) == 0
        worst = task.measures(1 - 2 * true, pairs)
        torch.testing.assert_close(worst["iou"], true.amin(1))
        torch.testing.assert_close(worst["missed"], true.amax(1) - true.amin(1))
        shown = task.boxes(2 * true - 1, pairs)
        torch.testing.assert_close(
            overlaps(shown["prediction"][:, None], pairs.box)[:, 0], true.amax(1)
        )
        assert task.maps(true) is None


class TestScores:
    def test_the_loss_by_hand(self):
        task, pairs = make_task(DIMP), batch()
        labels = gaussian_labels(task.centres(pairs), (15, 15), 0.9)
        # elsewhere a score below 0 is as good as 0
        right = torch.where(labels < 0.05, -0.1, labels).expand(4, 2, 15, 15)[:, :, None].clone()
        assert float(task.loss(right, pairs)) == 0
        cell = labels > 0.05

        def off(step: int) -> float:
            wrong = right.clone()
            wrong[step, :, 0][cell] += 0.2
            return float(task.loss(wrong, pairs))

        one = 0.04 * float(cell.float().mean())
        # the first and the last count once, the two between together four times
        assert [off(k) for k in range(4)] == pytest.approx([one, 2 * one, 2 * one, one])
        below = right.clone()
        below[:, :, 0][(~cell).expand(4, 2, 15, 15)] = -3.0
        assert float(task.loss(below, pairs)) == 0

    def test_a_negative_pair_must_score_nothing(self):
        task, none = make_task(DIMP), batch((False, False))
        zero = torch.zeros(4, 2, 1, 15, 15)
        assert float(task.loss(zero, none)) == 0
        assert float(task.loss(zero + 0.5, none)) == pytest.approx(6 * 0.25)

    def test_measures_by_hand(self):
        task, pairs = make_task(DIMP), batch()
        x, y = task.centres(pairs)[0].round().int().tolist()
        scores = torch.zeros(4, 2, 1, 15, 15)
        scores[-1, :, 0, y, x], scores[-1, 0, 0, 0, 0] = 1.0, 0.4
        found = task.measures(scores, pairs)
        away = (torch.tensor([x, y]) - task.centres(pairs)[0]).norm() * 16
        assert float(found["distance"][0]) == pytest.approx(float(away), rel=1e-4)
        assert found["hits"][0] == 1 and float(found["gap"][0]) == pytest.approx(0.6)
        assert torch.equal(task.maps(scores), scores[-1, :, 0])


@pytest.mark.slow
@pytest.mark.parametrize("settings", [ATOM, DIMP])
def test_both_are_trained_by_the_one_loop_and_resume_exactly(settings, tmp_path):
    whole = train(settings, tmp_path / "whole", device="cpu")
    train(settings, tmp_path / "parts", device="cpu", stop_at=1)
    parts = train(settings, tmp_path / "parts", device="cpu")
    assert parts.progress.step == 3 and parts.progress.curve == whole.progress.curve
    for a, b in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.equal(a, b)
    row = whole.progress.validation[-1]
    assert row["loss"] > 0 and ("error" in row) == (settings.network == "atom")


def test_more_of_the_surroundings_where_a_recipe_asks_for_it():
    from course_lib.data.pairs import pair_at
    from course_lib.training.sources import make_sources

    small, large = (
        pair_at(make_sources(replace(ATOM, exemplar=n, sources=("generated",)))[0], 0, 3)
        for n in (127, 255)
    )
    assert small.exemplar.shape == (127, 127, 3) and large.exemplar.shape == (255, 255, 3)
    np.testing.assert_allclose(large.exemplar_box[2:], small.exemplar_box[2:], rtol=1e-6)
    np.testing.assert_allclose(large.exemplar_box[:2], small.exemplar_box[:2] + 64, atol=1e-6)
