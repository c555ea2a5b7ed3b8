"""Heat map, focal loss, box losses and decoding, against cases by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_lib.models.centre_head import LEAST, CentreHead, CentreMaps
from course_lib.models.centre_losses import (
    box_costs,
    centre_cells,
    centre_loss,
    focal_loss,
    heat_map,
    radius_of,
)

N = 16


def box(cx: float, cy: float, w: float, h: float) -> Tensor:
    """A box (1, 4) of fractions from its centre and size in cells of a map of 16 × 16."""
    return torch.tensor([[cx - w / 2, cy - h / 2, w, h]], dtype=torch.float64) / N


class TestCells:
    def test_centres_are_rounded(self):
        centres = torch.tensor([[3.4, 3.6], [0.0, 0.2], [15.4, 15.9], [7.0, 7.49]]) / N
        assert centre_cells(centres, N).tolist() == [[3, 4], [0, 0], [15, 15], [7, 7]]

    def test_column_before_row_in_any_shape(self):
        assert centre_cells(torch.tensor([[[2.0, 9.0]]]) / N, N).tolist() == [[[2, 9]]]


class TestRadius:
    """CornerNet's three equations with an overlap of 0.7, worked out by hand for 10 × 10 cells:

    r² + 20 r + 17.647 = 0, 4 r² + 40 r + 30 = 0, 2.8 r² − 28 r − 30 = 0, each as the published code
    solves them, (b + √(b² − 4 a c)) / 2: 19.07, 36.73, 2.733. The least is the radius.
    """

    def test_by_hand(self):
        roots = (20 + math.sqrt(400 - 70.588)) / 2, (40 + math.sqrt(1120)) / 2
        third = (-28 + math.sqrt(784 + 336)) / 2
        assert min(*roots, third) == third == pytest.approx(2.7332, abs=1e-4)
        assert float(radius_of(torch.tensor([10.0, 10]))) == pytest.approx(third, abs=1e-4)

    @pytest.mark.parametrize(
        ("w", "h", "radius"), [(10, 10, 2.7332), (4, 9, 1.5325), (9, 4, 1.5325), (1, 1, 0.2733)]
    )
    def test_more_sizes(self, w, h, radius):
        sizes = torch.tensor([[[w, h]], [[2 * w, 2 * h]]], dtype=torch.float64)
        found = radius_of(sizes)
        assert found.shape == (2, 1)
        # twice the size has twice the radius
        assert found[:, 0].tolist() == pytest.approx([radius, 2 * radius], abs=2e-4)

    def test_with_another_overlap_another_equation_is_the_least(self):
        """The published quotient: with overlap .1 the first has its largest product a · c."""
        w, h = 8.0, 2.0
        for overlap in (0.05, 0.3, 0.5, 0.9):
            area, both = w * h, w + h
            equations = [
                (1, both, area * (1 - overlap) / (1 + overlap)),
                (4, 2 * both, (1 - overlap) * area),
                (4 * overlap, -2 * overlap * both, (overlap - 1) * area),
            ]
            expected = min((b + math.sqrt(b * b - 4 * a * c)) / 2 for a, b, c in equations)
            found = float(radius_of(torch.tensor([w, h], dtype=torch.float64), overlap))
            assert found == pytest.approx(expected)


class TestHeatMap:
    def test_by_hand(self):
        """10 × 10 cells have the radius 2: σ = 5 / 6, so one cell away is exp(−0.72), two cells
        away exp(−2.88), three 0."""
        heat = heat_map(box(6.3, 8.6, 10, 10), N)[0]  # cell (6, 9)
        one, two = math.exp(-0.72), math.exp(-2.88)
        row = [0, two, one, 1, one, two, 0]
        assert heat[9, 3:10].tolist() == pytest.approx(row)
        assert heat[6:13, 6].tolist() == pytest.approx(row)
        assert float(heat[10, 7]) == pytest.approx(one * one)
        assert float(heat[11, 4]) == pytest.approx(two * two)
        assert float(heat.sum()) == pytest.approx((1 + 2 * one + 2 * two) ** 2)

    def test_a_small_target_is_a_single_cell(self):
        heat = heat_map(box(3.2, 12.1, 1, 1), N)[0]  # radius 0
        assert heat.nonzero().tolist() == [[12, 3]] and float(heat[12, 3]) == 1

    def test_cut_off_at_the_border(self):
        whole = heat_map(box(8, 8, 10, 10), N)[0]
        corner = heat_map(box(0.2, 15.1, 10, 10), N)[0]
        torch.testing.assert_close(corner[13:, :3], whole[6:9, 8:11])
        assert float(corner.max()) == 1 and int((corner > 0).sum()) == 9

    def test_against_the_published_drawing(self):
        """CornerNet draws a square of (2 r + 1)² around the centre, the larger value winning."""
        draw = torch.Generator().manual_seed(0)
        boxes = torch.rand(40, 4, generator=draw, dtype=torch.float64) * 0.6 + 0.05
        found = heat_map(boxes, N)
        for b, heat in zip(boxes, found, strict=True):
            r = int(radius_of(b[2:] * N))
            column, row = (round(float(v) * N) for v in b[:2] + b[2:] / 2)
            sigma = (2 * r + 1) / 6
            wanted = torch.zeros(N, N, dtype=torch.float64)
            for y in range(max(row - r, 0), min(row + r, N - 1) + 1):
                for x in range(max(column - r, 0), min(column + r, N - 1) + 1):
                    away = (x - column) ** 2 + (y - row) ** 2
                    wanted[y, x] = math.exp(-away / (2 * sigma**2))
            if 0 <= column < N and 0 <= row < N:
                torch.testing.assert_close(heat, wanted)
        assert len({int(radius_of(b[2:] * N)) for b in boxes}) > 2

    def test_no_target_no_heat(self):
        boxes = torch.cat([box(5, 5, 4, 4), box(5, 5, 4, 4)])
        heat = heat_map(boxes, N, torch.tensor([False, True]))
        assert float(heat[0].sum()) == 0 and float(heat[1].max()) == 1


class TestFocal:
    def test_by_hand(self):
        score = torch.tensor([[[0.8, 0.3], [0.1, 0.6]]], dtype=torch.float64)
        heat = torch.tensor([[[1.0, 0.5], [0.0, 0.2]]], dtype=torch.float64)
        terms = [
            0.2**2 * math.log(0.8),
            0.5**4 * 0.3**2 * math.log(0.7),
            1.0**4 * 0.1**2 * math.log(0.9),
            0.8**4 * 0.6**2 * math.log(0.4),
        ]
        assert float(focal_loss(score, heat)) == pytest.approx(-sum(terms))

    def test_divided_by_the_number_of_targets(self):
        score, heat = torch.full((2, 4, 4), 0.3), torch.zeros(2, 4, 4)
        heat[0, 1, 1] = 1
        hit, miss = 0.49 * math.log(0.3), 0.09 * math.log(0.7)
        assert float(focal_loss(score, heat)) == pytest.approx(-(hit + 31 * miss), rel=1e-5)
        heat[1, 2, 3] = 1
        assert float(focal_loss(score, heat)) == pytest.approx(-(hit + 15 * miss), rel=1e-5)

    def test_without_a_target_all_must_be_low(self):
        score = torch.full((1, 4, 4), 0.5)
        expected = -16 * 0.25 * math.log(0.5)
        assert float(focal_loss(score, torch.zeros(1, 4, 4))) == pytest.approx(expected)


class TestBoxCosts:
    def boxes(self, *rows: tuple[float, ...]) -> Tensor:
        return torch.tensor(rows, dtype=torch.float64)

    def test_by_hand(self):
        found = self.boxes((0, 0, 1, 1), (0, 0, 2, 2), (1, 1, 2, 4))
        wanted = self.boxes((2, 0, 1, 1), (1, 1, 2, 2), (1, 1, 2, 4))
        overlap, edges = box_costs(found, wanted)
        # apart: IoU 0, 1 of the 3 of the common rectangle is empty; then IoU 1/7, 2 of 9 are empty
        torch.testing.assert_close(
            overlap, torch.tensor([4 / 3, 1 - (1 / 7 - 2 / 9), 0.0]).double(), atol=1e-6, rtol=0
        )
        assert edges.tolist() == [1.0, 1.0, 0.0]

    def test_edges_and_not_sizes(self):
        """A box that is 0.4 too wide to the right has one edge of four wrong."""
        _, edges = box_costs(self.boxes((0, 0, 1.4, 1)), self.boxes((0, 0, 1, 1)))
        assert float(edges) == pytest.approx(0.1)
        _, edges = box_costs(self.boxes((-0.4, 0, 1.4, 1)), self.boxes((0, 0, 1, 1)))
        assert float(edges) == pytest.approx(0.1)


def maps_of(boxes: Tensor, n: int = N) -> CentreMaps:
    """Maps whose best cells say exactly these boxes (B, 4); all others say something else."""
    B = len(boxes)
    maps = CentreMaps(
        torch.full((B, 1, n, n), 0.1).double(),
        torch.full((B, 2, n, n), 0.9).double(),
        torch.full((B, 2, n, n), 5.0).double(),
    )
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    for k, (column, row) in enumerate(centre_cells(centres, n).tolist()):
        maps.score[k, 0, row, column] = 0.8
        maps.size[k, :, row, column] = boxes[k, 2:]
        maps.offset[k, :, row, column] = n * centres[k] - torch.tensor([column, row])
    return maps


class TestDecoding:
    @settings(deadline=None, max_examples=200)
    @given(
        centre=st.tuples(*[st.floats(0, 1)] * 2),
        size=st.tuples(*[st.floats(0.01, 1)] * 2),
        n=st.sampled_from([4, 16, 24]),
    )
    def test_what_was_encoded_wherever_in_a_cell_the_centre_is(self, centre, size, n):
        w, h = size
        given_box = torch.tensor([[centre[0] - w / 2, centre[1] - h / 2, w, h]]).double()
        maps = maps_of(given_box, n)
        torch.testing.assert_close(maps.best(), given_box, atol=1e-12, rtol=0)
        column, row = centre_cells(torch.tensor([centre]).double(), n)[0].tolist()
        offset = maps.offset[0, :, row, column]
        # beyond the last half cell there is no nearer corner
        assert all(
            abs(float(o)) <= 0.5 + 1e-9 or c * n > n - 0.5
            for o, c in zip(offset, centre, strict=True)
        )

    def test_by_hand(self):
        maps = CentreMaps(torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4))
        maps.score[0, 0, 1, 2] = 0.7
        maps.size[0, :, 1, 2] = torch.tensor([0.5, 0.25])
        maps.offset[0, :, 1, 2] = torch.tensor([0.2, -0.4])
        # the centre is (2.2, 0.6) of 4 cells
        wanted = [0.55 - 0.25, 0.15 - 0.125, 0.5, 0.25]
        assert maps.best()[0].tolist() == pytest.approx(wanted)
        assert maps.boxes()[0, 1, 2].tolist() == pytest.approx(wanted)
        assert maps.boxes()[0, 3, 0].tolist() == pytest.approx([0, 0.75, 0, 0])

    def test_each_image_has_its_own_best_cell(self):
        boxes = torch.cat([box(3.2, 4.4, 3, 5), box(10.9, 2.1, 6, 2)])
        torch.testing.assert_close(maps_of(boxes).best(), boxes)


class TestLoss:
    def test_focal_and_twice_giou_and_five_times_l1(self):
        boxes = torch.cat([box(6, 8, 4, 4), box(9, 5, 4, 4)])
        maps, positive = maps_of(boxes), torch.tensor([True, True])
        focal = float(focal_loss(maps.score[:, 0], heat_map(boxes, N, positive)))
        assert float(centre_loss(maps, boxes, positive)) == pytest.approx(focal, abs=1e-6)
        # the first box is found one cell too far right: IoU 12 / 20, nothing empty;
        # two of its four edges are off by 1 / 16
        maps.offset[0, 0, 8, 6] += 1
        wrong = (2 * (1 - 12 / 20) + 5 * (2 / 16 / 4)) / 2  # of two pairs
        assert float(centre_loss(maps, boxes, positive)) == pytest.approx(focal + wrong, abs=1e-6)

    def test_a_pair_without_the_target_has_no_box(self):
        boxes = torch.cat([box(6, 8, 4, 4), box(9, 5, 4, 4)])
        maps = maps_of(boxes)
        maps.offset[1] += 3
        maps.offset[0, 0, 8, 6] += 1
        one = torch.tensor([True, False])
        focal = float(focal_loss(maps.score[:, 0], heat_map(boxes, N, one)))
        wrong = 2 * (1 - 12 / 20) + 5 * (2 / 16 / 4)
        assert float(centre_loss(maps, boxes, one)) == pytest.approx(focal + wrong, abs=1e-6)
        none = torch.tensor([False, False])
        focal = float(focal_loss(maps.score[:, 0], torch.zeros(2, N, N)))
        assert float(centre_loss(maps, boxes, none)) == pytest.approx(focal, abs=1e-6)

    def test_two_processes_have_the_mean_of_one(self):
        """One of them has a single target, the other two: each divides by half of three."""
        boxes = torch.cat([box(6, 8, 4, 4), box(9, 5, 4, 4), box(4, 4, 3, 5), box(10, 9, 6, 2)])
        maps, positive = maps_of(boxes), torch.tensor([True, False, True, True])
        maps.offset[:, 0] += torch.tensor([0.5, 2.0, 1.0, 0.25])[:, None, None]
        maps.score[0, 0, 2, 3] = 0.4

        def part(which):
            kept = CentreMaps(*(m[which] for m in maps))
            return centre_loss(kept, boxes[which], positive[which], lambda _: torch.tensor(3 / 2))

        first, second = part(slice(2)), part(slice(2, None))
        assert abs(first - second) > 0.1
        torch.testing.assert_close((first + second) / 2, centre_loss(maps, boxes, positive))

    def test_the_box_is_judged_where_the_score_is_highest(self):
        boxes = box(6, 8, 4, 4)
        maps = CentreMaps(*(m.clone().requires_grad_() for m in maps_of(boxes)))
        with torch.no_grad():
            maps.score[0, 0, 2, 3] = 0.95  # higher, at another place than the target's
            maps.size[0, :, 2, 3] = 0.2
        centre_loss(maps, boxes, torch.tensor([True])).backward()
        for part in (maps.size, maps.offset):
            assert part.grad.abs().sum(1)[0].nonzero().tolist() == [[2, 3]]


class TestHead:
    def test_scores_and_sizes_keep_away_from_0_and_1(self):
        torch.manual_seed(0)
        head = CentreHead(8, 16).eval()
        with torch.no_grad():
            for branch, bias in ((head.score, -99.0), (head.size, 99.0)):
                branch[-1].bias.fill_(bias)
            maps = head(torch.rand(2, 8, 4, 4))
        assert float(maps.score.max()) == pytest.approx(LEAST)
        assert float(maps.size.min()) == pytest.approx(1 - LEAST)
        assert math.isfinite(float(focal_loss(maps.score[:, 0], torch.ones(2, 4, 4))))

    def test_offsets_are_free(self):
        head = CentreHead(8, 16).eval()
        with torch.no_grad():
            head.offset[-1].bias.copy_(torch.tensor([3.0, -7.0]))
            offset = head(torch.zeros(1, 8, 4, 4)).offset
        assert float(offset[0, 0].mean()) > 1 and float(offset[0, 1].mean()) < -1

    def test_each_convolution_has_half_the_channels(self):
        head = CentreHead(48, 32)
        for branch, after in ((head.score, 1), (head.size, 2), (head.offset, 2)):
            shapes = [tuple(layer.weight.shape[:2]) for layer in branch if hasattr(layer, "stride")]
            assert shapes == [(32, 48), (16, 32), (8, 16), (4, 8), (after, 4)]
