"""Attention explorer: its numbers against the network's own, clicks, removed tokens, extremes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from stream_files import small

from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.windows import CropWindow
from course_lib.models.onestream import OneStream
from course_lib.widgets import AttentionExplorer
from course_lib.widgets.attention_explorer import ACROSS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sequence():
    return make_sequence(random_spec(760_001, length=8)).loaded()


@pytest.fixture(scope="module")
def network() -> OneStream:
    return small(eliminate=(1, 2), keep=0.5)


@pytest.fixture
def explorer(sequence, network):
    return AttentionExplorer(sequence, network)


def crops(sequence, t: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Template and search image as the tracker would cut them."""

    def cut(frame, box, factor, size):
        x, y, w, h = box
        window = CropWindow(x + w / 2, y + h / 2, factor * np.sqrt(w * h), size)
        crop = window.cut(sequence.frames[frame], (0, 0, 0))
        return torch.from_numpy(crop).permute(2, 0, 1)[None].float()

    return cut(0, sequence.boxes[0], 2, 128), cut(t, sequence.boxes[t - 1], 4, 256)


def test_a_row_of_attention_sums_to_1(explorer):
    for layer in (1, 2, 3):
        for head in range(4):
            explorer.set(block=layer, head=head, row=layer, column=2 * head)
            row = explorer.row()
            assert row.shape == (64 + {1: 256, 2: 128, 3: 64}[layer],)
            assert row.sum() == pytest.approx(1, abs=1e-5) and (row >= 0).all()
            cells = explorer.map()
            assert np.nansum(cells) == pytest.approx(row[64:].sum(), abs=1e-6)


@torch.no_grad()
def test_the_first_layer_by_hand(explorer, sequence, network):
    """softmax(q·kᵀ / √8) of the tokens after the norm."""
    z, x = crops(sequence, 4)
    block = network.blocks[0]
    tokens = torch.cat([network.tokens(z, network.place_z), network.tokens(x, network.place_x)], 1)
    qkv = block.attn.qkv(block.norm1(tokens))[0]  # (320, 72)
    explorer.set(frame=4, block=1, row=6, column=1)
    shares = []
    for head in range(3):
        q, k = (qkv[:, 24 * part + 8 * head : 24 * part + 8 * head + 8] for part in (0, 1))
        shares.append((q[49] @ k.T / 8**0.5).softmax(0))
        explorer.set(head=head + 1)
        np.testing.assert_allclose(explorer.row(), shares[-1], atol=1e-5)
    explorer.set(head=0)
    np.testing.assert_allclose(explorer.row(), torch.stack(shares).mean(0), atol=1e-5)
    np.testing.assert_allclose(explorer.map().ravel(), explorer.row()[64:])


@torch.no_grad()
def test_score_and_removed_tokens_are_the_network_s(explorer, sequence, network):
    z, x = crops(sequence, 4)
    explorer.set(frame=4)
    np.testing.assert_allclose(explorer.seen().score, network(z, x).score[0, 0], atol=1e-4)
    watch = []
    network.search(network.template(z), x, watch)
    for layer, gone in ((1, 0), (2, 128), (3, 192)):
        explorer.set(block=layer)
        cells = explorer.map()
        assert np.isnan(cells).sum() == gone
        left = np.flatnonzero(np.isfinite(cells.ravel()))
        assert left.tolist() == watch[layer - 1]["places"][0].tolist()
        words = f"{gone} of 256 search tokens were removed in earlier blocks"
        assert (words in explorer.readout) is (gone > 0)


def test_removed_tokens_are_grey(explorer):
    explorer.set(block=3)
    ax = explorer.image().axes[1]
    grey = ax.images[-1].get_array()
    gone = np.isnan(explorer.map())
    np.testing.assert_array_equal(grey[..., 3] > 0.5, gone)
    assert (grey[gone][:, :3] == grey[gone][0, 0]).all()


def test_a_click_chooses_the_token_under_it(explorer):
    figure = explorer.image()
    figure.draw_without_rendering()  # places the axes
    ax = figure.axes[0]
    to_figure = ax.transData + figure.transFigure.inverted()
    for row, column in ((0, 0), (7, 7), (2, 5)):
        x, y = to_figure.transform((16 * column + 7.5, 16 * row + 7.5))
        explorer.drawn = [x, 1 - y, x, 1 - y]
        assert (explorer.values["row"], explorer.values["column"]) == (row, column)
        assert explorer.token == 8 * row + column
        (marked,) = explorer.image().axes[0].patches
        assert marked.get_bbox().bounds == pytest.approx(
            (16 * column - 0.5, 16 * row - 0.5, 16, 16)
        )


def test_a_click_elsewhere_chooses_nothing(explorer):
    before, sent = dict(explorer.values), explorer.png
    left, width = ACROSS[1]
    for x, y in ((left + width / 2, 0.5), (0.001, 0.5), (0.1, 0.001), (0.1, 0.9)):
        explorer.drawn = [x, y, x, y]
        assert dict(explorer.values) == before and explorer.png == sent


def test_it_begins_with_the_token_that_removes(explorer):
    assert explorer.token == 27 and explorer.values["block"] == 3
    assert f"row {3}, column {3}" in explorer.readout


def test_every_control_at_its_ends(explorer):
    for spec in explorer.controls:
        images = set()
        for value in (spec["low"], spec["low"] - 100, spec["high"], spec["high"] + 100):
            explorer.set(**{spec["name"]: value})
            assert spec["low"] <= explorer.values[spec["name"]] <= spec["high"]
            assert np.isfinite(explorer.row()).all()
            images.add(explorer.png)
        assert len(images) == 2, spec["name"]
    assert cv2.imdecode(np.frombuffer(explorer.png, np.uint8), cv2.IMREAD_COLOR).shape[1] == 840


def test_the_sentence_is_about_what_is_shown(explorer):
    explorer.set(block=1, head=2, row=1, column=4)
    cells = explorer.map()
    row, column = np.unravel_index(cells.argmax(), cells.shape)
    said = explorer.readout
    assert said.startswith("block 1, head 2: the token in row 1, column 4 gives ")
    assert f"row {row}, column {column}, " in said and f"with {100 * cells.max():.1f} %" in said
    assert f"{100 / 320:.1f} %" in said
    x, y, w, h = explorer.truth
    centre = 16 * column + 8, 16 * row + 8
    inside = x <= centre[0] <= x + w and y <= centre[1] <= y + h
    assert ("in the target's box" in said) is bool(inside)


def test_each_frame_is_computed_once(explorer, network, monkeypatch):
    calls, plain = [], network.search
    monkeypatch.setattr(network, "search", lambda *a: calls.append(1) or plain(*a))
    for frame in (1, 2, 1, 2):
        explorer.set(frame=frame)
        explorer.set(head=1), explorer.set(head=0)
    assert len(calls) == 2


def test_an_asymmetric_network_says_what_its_attention_is_for(sequence):
    explorer = AttentionExplorer(sequence, small(asymmetric=True))
    assert explorer.readout.endswith("In this network the attention only says which tokens to keep")
    assert explorer.row().sum() == pytest.approx(1, abs=1e-5)


def test_a_target_that_leaves(sequence, network):
    boxes = sequence.boxes.copy()
    boxes[3:6] = np.nan
    explorer = AttentionExplorer(Sequence("gap", sequence.frames, boxes), network)
    explorer.set(frame=5)
    x, _, w, _ = boxes[2]
    assert explorer.seen().window.cx == pytest.approx(x + w / 2)
    assert "outside the target's box" in explorer.readout
    assert len(explorer.image().axes[1].patches) == 0


def test_what_cannot_be_shown_is_refused(sequence, network):
    with pytest.raises(DataError, match="has no second frame"):
        AttentionExplorer(sequence, network, max_frames=1)
    with pytest.raises(DataError, match="joint=false, so no token"):
        AttentionExplorer(sequence, small(joint=False))
    boxes = np.full((8, 4), np.nan)
    with pytest.raises(DataError, match="the first box is NaN"):
        AttentionExplorer(Sequence("none", sequence.frames, boxes), network)
