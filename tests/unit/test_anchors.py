"""Anchors against the lecture's and the papers' numbers, offsets against their inverse, matching
against a table by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.errors import DataError
from course_lib.geometry.anchors import (
    RATIOS,
    SSD_VARIANCES,
    decode,
    default_box_sizes,
    encode,
    match,
    overlaps,
    place_anchors,
    siamrpn_anchor_sizes,
    ssd_scales,
)
from course_lib.geometry.boxes import iou


def test_default_boxes_have_the_area_of_their_scale_at_every_ratio():
    sizes = default_box_sizes(60.0, 85.0)
    assert sizes.shape == (6, 2)
    assert np.allclose(sizes[:5].prod(1), 60.0**2)
    assert np.allclose(sizes[:5, 0] / sizes[:5, 1], [1, 2, 3, 1 / 2, 1 / 3])
    assert np.allclose(sizes[5], np.sqrt(60.0 * 85.0))  # the extra square


def test_ssd_scales_are_evenly_spaced_with_one_more_after_the_last():
    assert np.allclose(ssd_scales(6), [0.2, 0.34, 0.48, 0.62, 0.76, 0.9, 1.04])
    assert len(ssd_scales(1)) == 2


def test_siamrpn_anchors_exact_and_truncated_as_in_the_public_code():
    exact = siamrpn_anchor_sizes()
    assert np.allclose(exact.prod(1), 64 * 64)
    assert np.allclose(exact[:, 1] / exact[:, 0], RATIOS)
    assert np.rint(exact).tolist() == [[111, 37], [91, 45], [64, 64], [45, 91], [37, 111]]
    cut = siamrpn_anchor_sizes(truncated=True)
    assert cut.tolist() == [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]
    assert cut.prod(1).tolist() == [3328, 3520, 4096, 3200, 3072]


@pytest.mark.parametrize(("cells", "search"), [(17, 255), (19, 271), (18, 255)])
def test_anchors_are_placed_around_the_centre_rows_down_columns_across(cells, search):
    anchors = place_anchors([[10, 20], [30, 6]], cells, 8, search / 2)
    assert anchors.shape == (2, cells, cells, 4)
    centres = anchors[..., :2] + anchors[..., 2:] / 2
    assert np.allclose(centres.mean((1, 2)), search / 2)
    assert np.allclose(centres[0, 3, 4] - centres[0, 3, 3], [8, 0]) and np.allclose(
        centres[0, 4, 3] - centres[0, 3, 3], [0, 8]
    )
    assert np.allclose(anchors[1, 0, 0, 2:], [30, 6])


def test_ssd_cells_are_centred_in_their_squares_of_the_image():
    """Centres at (i + ½) / f of the image, f cells: half a stride from the edge."""
    anchors = place_anchors([[60, 60]], 38, 300 / 38, 150)
    assert np.allclose(anchors[0, 0, 0, :2] + 30, 0.5 * 300 / 38)
    assert np.allclose(anchors[0, -1, -1, :2] + 30, 300 - 0.5 * 300 / 38)


def test_offsets_by_hand():
    """Anchor 64 × 64 at (100, 100), box 128 × 32 centred at (116, 92)."""
    anchor, box = np.array([68.0, 68, 64, 64]), np.array([52.0, 76, 128, 32])
    assert np.allclose(encode(box, anchor), [0.25, -0.125, np.log(2), -np.log(2)])
    assert np.allclose(
        encode(box, anchor, SSD_VARIANCES), [2.5, -1.25, np.log(2) / 0.2, -np.log(2) / 0.2]
    )


@pytest.mark.parametrize("variances", [(1, 1, 1, 1), SSD_VARIANCES])
def test_decode_undoes_encode_a_million_times(variances):
    rng = np.random.default_rng(0)
    n = 1_000_000
    boxes = np.concatenate(
        [rng.uniform(-300, 300, (n, 2)), np.exp(rng.uniform(np.log(4), np.log(200), (n, 2)))], 1
    )
    anchors = np.concatenate(
        [rng.uniform(0, 255, (n, 2)), np.exp(rng.uniform(np.log(16), np.log(128), (n, 2)))], 1
    )
    back = decode(encode(boxes, anchors, variances), anchors, variances)
    assert np.abs(back - boxes).max() < 1e-5
    offsets = encode(boxes, anchors, variances)
    assert (
        np.abs(encode(decode(offsets, anchors, variances), anchors, variances) - offsets).max()
        < 1e-5
    )


def test_tensors_and_arrays_give_the_same_offsets():
    box, anchor = np.array([[3.0, 4, 50, 60]]), np.array([[0.0, 0, 64, 64]])
    given = encode(torch.from_numpy(box), torch.from_numpy(anchor), SSD_VARIANCES)
    assert isinstance(given, torch.Tensor) and np.allclose(
        given.numpy(), encode(box, anchor, SSD_VARIANCES)
    )
    again = decode(given, torch.from_numpy(anchor), SSD_VARIANCES)
    assert np.allclose(again.numpy(), box)


def test_a_box_without_area_cannot_be_encoded_and_an_extreme_offset_stays_finite():
    with pytest.raises(DataError, match="no width or no height"):
        encode(np.array([[0.0, 0, 0, 5]]), np.array([[0.0, 0, 64, 64]]))
    wild = decode(np.array([[0.0, 0, 500, 500]]), np.array([[0.0, 0, 64, 64]]))
    assert np.isfinite(wild).all() and np.allclose(wild[0, 2:], 64 * 62.5)


@given(st.integers(0, 10_000))
def test_overlaps_are_the_iou_of_every_anchor_with_every_box(seed):
    rng = np.random.default_rng(seed)
    anchors, boxes = (
        np.concatenate([rng.uniform(0, 60, (k, 2)), rng.uniform(1, 60, (k, 2))], 1) for k in (7, 3)
    )
    given = overlaps(torch.from_numpy(anchors), torch.from_numpy(boxes)).numpy()
    assert np.allclose(given, iou(anchors[None], boxes[:, None]))


def test_labels_equal_a_table_by_hand():
    """A 64 × 64 box and anchors of its size moved right by d: IoU = (64 − d) / (64 + d)."""
    moved = torch.tensor([0.0, 8, 15, 17, 30, 34, 36, 64])
    anchors = torch.stack([torch.tensor([d, 0.0, 64, 64]) for d in moved])
    overlap = overlaps(anchors, torch.tensor([[0.0, 0, 64, 64]]))
    assert torch.allclose(overlap, ((64 - moved) / (64 + moved))[None])
    #        IoU: 1, .78, .62, .58, .36, .306, .28, 0
    assert match(overlap).tolist() == [[1, 1, 1, -1, -1, -1, 0, 0]]
    assert match(overlap, high=0.5, low=0.35).tolist() == [[1, 1, 1, 1, -1, 0, 0, 0]]
    assert match(torch.tensor([[0.6, 0.3]])).tolist() == [[-1, -1]]  # both thresholds are strict
