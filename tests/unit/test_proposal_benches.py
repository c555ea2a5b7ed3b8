"""Benches of lessons 07 to 10, driven from Python at their extremes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from course_lib.data.generated import make_sequence, random_spec
from course_lib.geometry.boxes import iou
from course_lib.geometry.receptive import receptive_fields
from course_lib.geometry.traced import traced_receptive_fields
from course_lib.models.device import Placement
from course_lib.models.runtime import ProposalRuntime, SiamFCRuntime
from course_lib.models.siamrpn import SiamRPN
from course_lib.trackers.siamrpn import SiamRPNSettings, SiamRPNTracker
from course_lib.widgets import AnchorExplorer, FieldExplorer, HeadExplorer, ProposalExplorer
from course_lib.widgets.field_explorer import half_width, stack, untrained_stack
from course_lib.widgets.score_maps import untrained

pytestmark = pytest.mark.slow

SMALL = (4, 8, 8, 8, 4)
CPU = Placement(torch.device("cpu"), bf16=False)


@pytest.fixture(scope="module")
def sequence():
    return make_sequence(random_spec(2, length=6, distractors=1))


def runtime(head: str) -> ProposalRuntime:
    torch.manual_seed(0)
    network = SiamRPN(head, 4, widths=SMALL, groups=2).train()
    channels = 4 if network.guided else 3
    with torch.no_grad():  # batch norm needs statistics
        for _ in range(20):
            network(
                torch.rand(2, channels, 127, 127) * 255, torch.rand(2, channels, 255, 255) * 255
            )
    return ProposalRuntime(network, CPU)


def every_end(bench) -> None:
    """Every control to its ends and beyond; the image stays intact."""
    for spec in bench.controls:
        for value in (spec["low"], spec["high"], spec["high"] + 100):
            bench.set(**{spec["name"]: value})
            assert bench.values[spec["name"]] <= spec["high"]
            assert (
                cv2.imdecode(np.frombuffer(bench.png, np.uint8), cv2.IMREAD_COLOR) is not None
                and bench.readout
            )


class TestFieldExplorer:
    """The receptive field explorer."""

    @pytest.fixture
    def explorer(self):
        return FieldExplorer(
            np.random.default_rng(0).integers(0, 255, (127, 127, 3), dtype=np.uint8)
        )

    def test_every_control_at_its_ends(self, explorer):
        every_end(explorer)

    def test_begins_with_siamfc_and_says_what_changes(self, explorer):
        assert "field 87 pixels, 69 % of the exemplar (within" in explorer.readout
        assert (
            "stride 8; 6 × 6 cells of the exemplar, response 17 × 17; neighbours overlap by 91 %"
            in explorer.readout
        )
        explorer.set(kernel=8)
        assert (
            "field 127 pixels, 100 % of the exemplar (above" in explorer.readout
            and "1 × 1 cells" in explorer.readout
        )
        explorer.set(kernel=1, depth=0)
        assert "field 39 pixels" in explorer.readout and "(below" in explorer.readout
        explorer.set(depth=6, kernel=3)
        assert (
            "The exemplar has no cell left" in explorer.readout
            and "kernel of 3 does not fit" in explorer.readout
        )
        explorer.set(padding=1, stride=0, depth=2)
        assert "stride 4" in explorer.readout and "32 × 32 cells" in explorer.readout

    def test_arithmetic_and_network_are_one_stack(self):
        for choices in ((3, 8, False, 2), (5, 4, False, 2), (1, 16, True, 4), (8, 8, True, 6)):
            described, live = (
                receptive_fields(stack(*choices), 255)[-1],
                traced_receptive_fields(untrained_stack(*choices), 255)[-1],
            )
            assert (described.size, described.field, described.stride) == (
                live.size,
                live.field,
                live.stride,
            )

    def test_half_of_a_spike_is_in_one_pixel_and_of_a_constant_in_most(self):
        spike = np.zeros((127, 127))
        spike[63, 63] = 1
        assert half_width(spike) == 1
        assert (
            half_width(np.ones((127, 127))) == 91
        )  # 91² is the first odd square above half of 127²


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


class TestProposalExplorer:
    """The proposal explorer."""

    @pytest.fixture
    def explorer(self, sequence):
        return ProposalExplorer(sequence, runtime("depthwise"))

    def test_every_control_at_its_ends(self, explorer):
        every_end(explorer)

    def test_with_the_trackers_own_settings_it_ranks_as_the_tracker(self, explorer, sequence):
        tracker = SiamRPNTracker(SiamRPNSettings(), runtime("depthwise"))
        tracker.init(sequence.frames[0], sequence.boxes[0])
        for t in range(1, len(sequence)):
            tracker.update(sequence.frames[t])
            explorer.set(frame=t)
            np.testing.assert_allclose(explorer.rankings()[2], tracker.last.ranked, rtol=1e-6)

    def test_without_penalty_and_window_all_three_rankings_are_equal(self, explorer):
        explorer.set(penalty=0.0, window=0.0)
        first, second, third = explorer.rankings()
        np.testing.assert_allclose(first, second)
        np.testing.assert_allclose(first, third)


class TestHeadExplorer:
    """The match-head explorer."""

    @pytest.fixture
    def board(self, sequence):
        networks = {"siamfc": SiamFCRuntime(untrained(widths=SMALL), CPU)}
        networks |= {head: runtime(head) for head in ("upchannel", "concat", "broadcast")}
        return HeadExplorer(sequence, make_sequence(random_spec(4, length=2)), networks)

    def test_every_control_at_its_ends(self, board):
        every_end(board)

    def test_the_target_is_where_the_sliders_say(self, board):
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
