"""PrPool against integrals by brute force, by hand, and beside RoI-Align."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import roi_align

from course_lib.errors import DataError
from course_lib.models.prpool import hat_integral, hat_weights, prpool


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def boxes_of(*rows) -> torch.Tensor:
    return torch.tensor([rows], dtype=torch.float64)  # (1, P, 4)


def surface(image: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Values (C, ny, nx) of the bilinear surface over a map (C, H, W), which is 0 outside it, at
    points (nx,) × (ny,)."""

    def hats(at: torch.Tensor, cells: int) -> torch.Tensor:
        return (1 - (at[:, None] - torch.arange(cells)).abs()).clamp_min(0)  # (n, cells)

    return hats(y, image.shape[1]) @ image @ hats(x, image.shape[2]).T


def dense(image: torch.Tensor, box, bins: int, points: int = 1500) -> torch.Tensor:
    """Means (C, bins, bins) of the surface over the bins of a box, from points² values of each."""
    x, y, w, h = (float(v) for v in box)
    at = (torch.arange(bins * points, dtype=torch.float64) + 0.5) / (bins * points)
    values = surface(image, x + w * at, y + h * at)  # (C, bins · points, bins · points)
    return values.unflatten(1, (bins, points)).unflatten(3, (bins, points)).mean((2, 4))


# inside, between cells; partly outside on each side; around the whole map; beyond it; very small
BOXES = (
    (1.3, 2.6, 3.1, 2.2),
    (-2.4, -1.7, 5.0, 4.4),
    (4.1, 3.2, 6.0, 5.5),
    (-3.0, -3.0, 14.0, 12.0),
    (11.0, 2.0, 3.0, 3.0),
    (2.45, 3.6, 0.02, 0.03),
)


def test_hat_integral_by_hand():
    t = torch.tensor([-5.0, -1, -0.5, 0, 0.5, 1, 9])
    assert hat_integral(t).tolist() == pytest.approx([0, 0, 0.125, 0.5, 0.875, 1, 1])


def test_hat_weights_by_hand():
    # an interval from 1 to 2 covers half of each of the two hats
    start, length = torch.tensor(1.0), torch.tensor(1.0)
    assert hat_weights(start, length, 1, 4).tolist() == [[0, 0.5, 0.5, 0]]
    # from 0 to 2 in two bins: [0, 1] and [1, 2]
    assert hat_weights(torch.tensor(0.0), torch.tensor(2.0), 2, 3).tolist() == [
        [0.5, 0.5, 0],
        [0, 0.5, 0.5],
    ]
    # one cell to each side of a cell: 1/8, 3/4, 1/8 over [0.5, 1.5]
    assert hat_weights(torch.tensor(0.5), torch.tensor(1.0), 1, 3).tolist() == [
        [0.125, 0.75, 0.125]
    ]


def test_rows_sum_to_one_inside_the_map():
    weights = hat_weights(torch.tensor([0.0, 1.7]), torch.tensor([4.0, 2.9]), 3, 6)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3))


def test_a_worked_case():
    # a ramp is its own mean: over x from 1 to 3 and y from 0 to 2 it is that of the bins' centres
    ramp = torch.arange(5.0)[None, :] + 10 * torch.arange(4.0)[:, None]  # (4, 5)
    found = prpool(ramp[None, None], torch.tensor([[[1.0, 0.0, 2.0, 2.0]]]), 2)[0, 0, 0]
    assert found.tolist() == [[6.5, 7.5], [16.5, 17.5]]


def test_one_bin_by_hand_at_the_border():
    # over [−1, 1] in x only the cell at 0 counts: a whole hat within [−1, 1], and half of the one
    # at 1; the mean of 2 cells is (1 · a + ½ · b) / 2, and along y the same
    image = torch.tensor([[[[8.0, 4.0], [2.0, 6.0]]]])
    found = prpool(image, torch.tensor([[[-1.0, -1.0, 2.0, 2.0]]]), 1)
    assert float(found) == pytest.approx((8 + 4 / 2 + 2 / 2 + 6 / 4) / 4)


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("bins", [1, 3, 5])
def test_equals_a_dense_integral(box, bins):
    """The map is extended by zeros, as in the authors' code; points are midpoints."""
    image = drawn(0, 2, 7, 9)
    found = prpool(image[None], boxes_of(box), bins)[0, 0]
    expected = dense(image, box, bins, 3000 // bins)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("box", BOXES)
def test_in_single_precision_too(box):
    image = drawn(1, 3, 18, 18)
    found = prpool(image[None].float(), boxes_of(box).float(), 5)[0, 0]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), dense(image, box, 5, 600), atol=1e-5, rtol=0)


def test_far_outside_there_is_nothing():
    image = drawn(2, 1, 2, 5, 6)
    assert float(prpool(image, boxes_of(BOXES[4], (-9.0, 1.0, 2.0, 2.0)), 3).abs().max()) == 0


def test_a_box_without_area_gives_zeros_and_no_nan():
    image = drawn(3, 1, 2, 5, 6).requires_grad_()
    boxes = boxes_of((2.0, 2.0, 0.0, 1.0), (2.0, 2.0, 1.0, -1.0)).requires_grad_()
    pooled = prpool(image, boxes, 2)
    pooled.sum().backward()
    assert float(pooled.detach().abs().max()) == 0
    assert bool(boxes.grad.isfinite().all()) and bool(image.grad.isfinite().all())


def test_every_image_has_its_own_boxes():
    images = drawn(4, 3, 2, 6, 7)
    boxes = drawn(5, 3, 4, 4).abs() + 0.4
    together = prpool(images, boxes, 3)
    assert together.shape == (3, 4, 2, 3, 3)
    for b in range(3):
        for p in range(4):
            alone = prpool(images[b : b + 1], boxes[b : b + 1, p : p + 1], 3)[0, 0]
            torch.testing.assert_close(together[b, p], alone, atol=1e-12, rtol=0)


def test_rows_are_y_and_columns_are_x():
    image = torch.zeros(1, 1, 6, 6).double()
    image[0, 0, 1, 4] = 1.0  # above, to the right
    found = prpool(image, boxes_of((0.0, 0.0, 5.0, 5.0)), 2)[0, 0, 0]
    assert int(found.argmax()) == 1  # row 0, column 1


@pytest.mark.parametrize("bins", [1, 2, 3])
def test_gradients_by_differences(bins):
    image = drawn(6, 2, 2, 5, 6).requires_grad_()
    boxes = torch.tensor(
        [
            [[0.63, 1.21, 2.34, 1.72], [-1.3, 2.2, 3.1, 4.2]],
            [[3.4, 2.3, 4.7, 3.2], [1.1, 1.3, 0.4, 0.6]],
        ],
        dtype=torch.float64,
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda f, b: prpool(f, b, bins), (image, boxes))


def test_a_box_moves_towards_what_it_looks_for():
    """Gradient ascent on the mean over a box finds a bright patch."""
    image = torch.zeros(1, 1, 9, 9).double()
    image[0, 0, 3:6, 4:7] = 1.0
    box = torch.tensor([2.6, 2.2, 2.0, 2.0], dtype=torch.float64)
    for _ in range(40):
        box.requires_grad_()
        (slope,) = torch.autograd.grad(prpool(image, box[None, None], 1).sum(), box)
        box = (box + 0.5 * slope * torch.tensor([1, 1, 0, 0])).detach()
    assert (box[:2] - torch.tensor([4.0, 3.0])).abs().max() < 0.1


def test_roi_align_has_no_gradient_in_the_box():
    image = drawn(7, 1, 2, 6, 6).requires_grad_()
    box = torch.tensor([[0.0, 1.0, 1.0, 4.0, 5.0]], dtype=torch.float64, requires_grad=True)
    value = roi_align(image, box, (3, 3), sampling_ratio=2, aligned=True).sum()
    of_image, of_box = torch.autograd.grad(value, (image, box), allow_unused=True)
    assert float(of_image.abs().sum()) > 0
    assert of_box is None or float(of_box.abs().max()) == 0
    ours = boxes_of((1.0, 1.0, 3.0, 4.0)).requires_grad_()
    (slope,) = torch.autograd.grad(prpool(image, ours, 3).sum(), ours)
    assert float(slope.abs().min()) > 1e-3


def test_on_a_ramp_both_read_the_same():
    """On a plane, samples and integral agree; RoI-Align, aligned, has cell k at k + ½."""
    ramp = (torch.arange(9.0)[None, :] + 3 * torch.arange(9.0)[:, None])[None, None]
    ours = prpool(ramp, torch.tensor([[[2.0, 3.0, 4.0, 3.0]]]), 2)[0]
    theirs = roi_align(ramp, [torch.tensor([[2.5, 3.5, 6.5, 6.5]])], (2, 2), aligned=True)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_half_precision_around_it_changes_nothing():
    image, boxes = drawn(8, 1, 4, 9, 9).float(), boxes_of(BOXES[0]).float()
    expected = prpool(image, boxes, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(prpool(image, boxes, 5), expected)
    assert prpool(image.bfloat16(), boxes, 5).dtype == torch.float32


@pytest.mark.parametrize(
    ("features", "boxes"),
    [
        ((2, 3, 5, 5), (1, 4, 4)),
        ((2, 3, 5, 5), (2, 4)),
        ((2, 3, 5, 5), (2, 4, 5)),
        ((3, 5), (3, 1, 4)),
    ],
)
def test_refuses_what_does_not_fit(features, boxes):
    with pytest.raises(DataError, match="with the same B"):
        prpool(torch.zeros(features), torch.zeros(boxes), 3)
