"""Benches of lessons 07 to 09, driven from Python at their extremes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from course_lib.data.generated import make_clip, random_spec
from course_lib.geometry.boxes import iou
from course_lib.models.device import Placement
from course_lib.models.siamrpn import SiamRPN
from course_lib.trackers.siamfc import Embedding
from course_lib.trackers.siamrpn import Proposer, SiamRPNSettings, SiamRPNTracker
from course_lib.widgets import AnchorExplorer, MatchSwitchboard, ProposalTheatre
from course_lib.widgets.score_maps import untrained

SMALL = (4, 8, 8, 8, 4)
CPU = Placement(torch.device("cpu"), bf16=False)


@pytest.fixture(scope="module")
def clip():
    return make_clip(random_spec(2, length=6, distractors=1))


def proposer(head: str) -> Proposer:
    torch.manual_seed(0)
    network = SiamRPN(head, SMALL, 4, 2).train()
    channels = 4 if network.guided else 3
    with torch.no_grad():  # batch norm needs statistics
        for _ in range(20):
            network(torch.rand(2, channels, 127, 127) * 255, torch.rand(2, channels, 255, 255) * 255)
    return Proposer(network, CPU)


def every_end(bench) -> None:
    """Every control to its ends and beyond; the picture stays whole."""
    for spec in bench.controls:
        for value in (spec["low"], spec["high"], spec["high"] + 100):
            bench.set(**{spec["name"]: value})
            assert bench.values[spec["name"]] <= spec["high"]
            assert cv2.imdecode(np.frombuffer(bench.png, np.uint8), cv2.IMREAD_COLOR) is not None and bench.readout


class TestAnchorExplorer:
    """The anchor explorer."""

    @pytest.fixture
    def explorer(self):
        return AnchorExplorer(np.full((255, 255, 3), 90, np.uint8), [95.5, 95.5, 64, 64])

    def test_every_control_at_its_ends(self, explorer):
        every_end(explorer)

    def test_begins_at_the_best_anchor_and_counts_labels(self, explorer):
        assert (explorer.values["row"], explorer.values["column"]) == (8, 8)
        labels = explorer.labels
        assert labels.shape == (5, 17, 17) and labels[2, 8, 8] == 1 and labels[2, 0, 0] == 0
        assert f"{(labels == 1).sum()} are positive" in explorer.readout
        explorer.set(high=0.3, low=0.6)  # low may not pass high
        assert -1 not in explorer.labels
        assert (explorer.labels == 1).sum() == (explorer.overlap > 0.3).sum()

    def test_a_click_chooses_a_cell_and_a_drag_draws_a_box(self, explorer):
        left, bottom, width, height = explorer.left_axes

        def at(x, y):
            return left + x / 255 * width, 1 - bottom - height + y / 255 * height

        explorer.drawn = [*at(127.5 - 3 * 8, 127.5 + 2 * 8), *at(127.5 - 3 * 8 + 1, 127.5 + 2 * 8)]
        assert (explorer.values["row"], explorer.values["column"]) == (10, 5)
        explorer.drawn = [*at(200, 180), *at(40, 100)]
        np.testing.assert_allclose(explorer.box, [40, 100, 160, 80], atol=0.5)
        explorer.drawn = [*at(1, 1), *at(2, 2)]  # outside the map: its nearest cell
        assert (explorer.values["row"], explorer.values["column"]) == (0, 0)


class TestProposalTheatre:
    """The proposal theatre."""

    @pytest.fixture
    def theatre(self, clip):
        return ProposalTheatre(clip, proposer("depthwise"))

    def test_every_control_at_its_ends(self, theatre):
        every_end(theatre)

    def test_with_the_trackers_own_settings_it_ranks_as_the_tracker(self, theatre, clip):
        tracker = SiamRPNTracker(SiamRPNSettings(), proposer("depthwise"))
        tracker.init(clip.frames[0], clip.boxes[0])
        for t in range(1, len(clip)):
            tracker.update(clip.frames[t])
            theatre.set(frame=t)
            np.testing.assert_allclose(theatre.rankings()[2], tracker.last.ranked, rtol=1e-6)

    def test_without_penalty_and_window_all_three_rankings_are_one(self, theatre):
        theatre.set(penalty=0.0, window=0.0)
        first, second, third = theatre.rankings()
        np.testing.assert_allclose(first, second)
        np.testing.assert_allclose(first, third)


class TestMatchSwitchboard:
    """The match-head switchboard."""

    @pytest.fixture
    def board(self, clip):
        networks = {"siamfc": Embedding(untrained(widths=SMALL), CPU)}
        networks |= {head: proposer(head) for head in ("upchannel", "concat", "broadcast")}
        return MatchSwitchboard(clip, make_clip(random_spec(4, length=2)), networks)

    def test_every_control_at_its_ends(self, board):
        every_end(board)

    def test_the_target_stands_where_the_sliders_say(self, board):
        board.set(right=24, down=-16)
        x, y, w, h = board.truth
        np.testing.assert_allclose([x + w / 2, y + h / 2], [127.5 + 24, 127.5 - 16], atol=1e-6)

    def test_maps_and_boxes_of_each_kind(self, board):
        board.set(frame=0)
        row, column = np.unravel_index(board.answer("siamfc")[0].argmax(), (17, 17))
        assert abs(row - 8) <= 1 and abs(column - 8) <= 1 and board.answer("siamfc")[1] is None
        for head, n in (("upchannel", 17), ("concat", 18), ("broadcast", 18)):
            values, box = board.answer(head)
            assert values.shape == (n, n) and 0 <= float(iou(box, board.truth)) <= 1
        other = board.answer("upchannel")[0]
        board.set(exemplar=1)
        assert not np.allclose(board.answer("upchannel")[0], other)
