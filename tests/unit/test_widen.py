"""A narrow SiamFC as a wide one."""

from __future__ import annotations

import torch

from course_lib.models.alexnet import WIDTHS
from course_lib.models.siamfc import SiamFC
from course_lib.models.widen import widened
from course_lib.widgets.score_maps import untrained


def test_a_widened_network_responds_as_the_narrow_one():
    narrow = untrained(widths=(4, 8, 12, 12, 8))
    with torch.no_grad():
        narrow.bias.fill_(0.5)
    wide = widened(narrow, (6, 12, 20, 16, 10))
    assert wide.about["widths"] == [6, 12, 20, 16, 10]
    images = torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 143, 143) * 255
    with torch.no_grad():
        torch.testing.assert_close(wide(*images), narrow(*images), rtol=1e-4, atol=1e-4)


def test_its_additional_channels_are_zero():
    wide = widened(untrained(widths=(4, 8, 12, 12, 8)), (6, 12, 20, 16, 10))
    with torch.no_grad():
        features = wide.features(torch.rand(1, 3, 127, 127) * 255)
    assert int((features == 0).all(dim=(0, 2, 3)).sum()) == 2


def test_the_paper_s_widths_are_the_default():
    wide = widened(SiamFC(widths=(8, 8, 8, 8, 8)))
    assert wide.backbone.channels == WIDTHS[-1] and not wide.training
