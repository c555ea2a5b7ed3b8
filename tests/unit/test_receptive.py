"""Receptive-field arithmetic against the layer table, against PyTorch, and against gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.errors import DataError
from course_lib.geometry.receptive import Layer, field_and_stride, output_size, receptive_fields
from course_lib.models.alexnet import alexnet_layers

# SiamFC's table: layer, cells for 127 pixels, cells for 255, receptive field, stride
TABLE = [
    ("input", 127, 255, 1, 1),
    ("conv1", 59, 123, 11, 2),
    ("pool1", 29, 61, 15, 4),
    ("conv2", 25, 57, 31, 4),
    ("pool2", 12, 28, 39, 8),
    ("conv3", 10, 26, 55, 8),
    ("conv4", 8, 24, 71, 8),
    ("conv5", 6, 22, 87, 8),
]


def test_the_table_of_siamfc():
    small, large = (receptive_fields(alexnet_layers(), size) for size in (127, 255))
    assert [
        (a.layer, a.size, b.size, a.field, a.stride) for a, b in zip(small, large, strict=True)
    ] == TABLE


def test_the_baseline_of_stride_four():
    rows = [receptive_fields(alexnet_layers(4), size)[-1] for size in (127, 255)]
    assert [(r.size, r.field, r.stride) for r in rows] == [(17, 63, 4), (49, 63, 4)]


def test_a_kernel_that_does_not_fit_is_named():
    with pytest.raises(DataError, match="kernel of 11 does not fit into 8 cells"):
        output_size(8, 11)


layer = st.builds(
    Layer,
    st.just("l"),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(layer, min_size=1, max_size=4), st.integers(161, 190)
)  # four layers of 5 / 3 need 161
def test_sizes_fields_and_centres_agree_with_gradients(layers, size):
    rows = receptive_fields(layers, size)
    last = rows[-1]
    x = torch.zeros(1, 1, 1, size, requires_grad=True)
    y = x
    for one in layers:
        weight = torch.ones(1, 1, 1, one.kernel)
        y = nn.functional.conv2d(y, weight, stride=(1, one.stride), padding=(0, one.padding))
    assert y.shape[-1] == last.size
    cell = last.size // 2  # far from the padding, if any cell is
    y[0, 0, 0, cell].backward()
    seen = torch.nonzero(x.grad[0, 0, 0])[:, 0]
    first, end = int(seen[0]), int(seen[-1]) + 1
    centre = last.start + cell * last.stride
    low, high = centre - last.field / 2, centre + last.field / 2
    # a stride larger than the kernel leaves gaps inside the field; its ends are always seen, or
    # outside the image
    assert (first, end) == (max(0, round(low)), min(size, round(high))) or one_has_gaps(layers)
    if not any(one.padding for one in layers):
        assert field_and_stride([(one.kernel, one.stride) for one in layers]) == (
            last.field,
            last.stride,
        )


def one_has_gaps(layers) -> bool:
    """Whether some layer steps further than its window reaches, so that pixels are skipped."""
    return any(one.stride > one.kernel for one in layers) or any(one.padding for one in layers)
