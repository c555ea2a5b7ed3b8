"""Centre bias: what an unbiased, a biased and a blind answer lag by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_lib.analysis.centre import answers_of, lags, mean_map, moved_to
from course_lib.geometry.anchors import decode
from course_lib.models.losses import peak_distance
from course_lib.models.siamfc import SiamFC
from course_lib.models.siammargin import SiamMargin
from course_lib.models.siamrpnpp import SiamRPNpp

WIDE = 383


def marked():
    """Wide crops (2, 3, 383, 383), black but for one white pixel at the centre."""
    wide = torch.zeros(2, 3, WIDE, WIDE)
    wide[:, :, WIDE // 2, WIDE // 2] = 255
    return wide


def answering(share):
    """A network that sees the white pixel, and moves only a share of the way to it."""

    def answer(search):
        n = search.shape[-1]
        at = search[:, 0].flatten(1).argmax(1)
        found = torch.stack([at % n, at // n], 1) - n // 2
        return search[:, 0, ::16, ::16] / 255, share * found.float()

    return answer


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_lag_is_what_is_missing_on_the_way_to_the_target(share):
    found = lags(answering(share), marked(), np.array([0, 16, 64]))
    assert found.shape == (3, 2)
    expected = (1 - share) * np.array([0, 16, 64])
    assert found == pytest.approx(np.repeat(expected[:, None], 2, 1), abs=0.6)


def test_targets_are_moved_right_and_down():
    search = moved_to(marked(), 20, -7)
    assert search.shape == (2, 3, 255, 255)
    assert search[0, 0].argmax() == (127 - 7) * 255 + 127 + 20


def test_the_mean_map_is_flat_where_the_answer_follows():
    places = np.array([-48, 0, 48])
    followed = mean_map(answering(1.0), marked(), places)
    assert followed.shape == (16, 16)
    assert followed.sum() <= 1.0


@pytest.mark.parametrize("kind", [SiamFC, SiamMargin])
def test_of_a_padded_backbone_the_central_cells_are_compared(kind):
    torch.manual_seed(0)
    network = kind(backbone="lite0").eval()
    exemplars, search = torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255
    maps, at = answers_of(network, exemplars)(search)
    with torch.no_grad():
        response = network.response(network.template(exemplars), network.features(search))
    assert maps.shape == (2, 25, 25)
    expected = response.sigmoid() if kind is SiamFC else response  # cosines stay cosines
    torch.testing.assert_close(maps, expected)
    assert peak_distance(response, 8, at).numpy() == pytest.approx(0)


def test_a_siamfc_answers_with_its_peak():
    torch.manual_seed(0)
    network = SiamFC(widths=(8, 8, 8, 8, 8), groups=1).eval()
    exemplars, search = torch.rand(3, 3, 127, 127) * 255, torch.rand(3, 3, 255, 255) * 255
    maps, at = answers_of(network, exemplars)(search)
    with torch.no_grad():
        response = network(exemplars, search)
    assert maps.shape == (3, 17, 17)
    assert peak_distance(response, 8, at).numpy() == pytest.approx(0)


def test_a_proposal_network_answers_with_its_best_box():
    torch.manual_seed(0)
    network = SiamRPNpp("alexnet", 8, widths=(8, 8, 8, 8, 8)).eval()
    exemplars, search = torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255
    maps, at = answers_of(network, exemplars)(search)
    with torch.no_grad():
        proposals = network(exemplars, search)
    assert maps.amax((1, 2)).numpy() == pytest.approx(proposals.scores.amax(1).numpy())
    for k, best in enumerate(proposals.scores.argmax(1)):
        box = decode(proposals.offsets[k, best].numpy(), network.anchors()[best])
        assert at[k].numpy() == pytest.approx(box[:2] + box[2:] / 2 - 127.5, abs=1e-3)
