"""A narrow SiamFC as a wide one."""

from __future__ import annotations

import pytest
import torch

from course_lib.errors import SettingsError
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


@pytest.mark.parametrize(
    ("arguments", "widths", "into"),
    [
        ({"groups": 1}, (3, 5, 7, 6, 5), (6, 8, 10, 9, 8)),
        ({"groups": 1}, (4, 8, 12, 12, 8), (4, 8, 20, 16, 10)),
        ({"groups": 4}, (4, 8, 12, 12, 8), (8, 12, 20, 16, 12)),
        ({"last_norm": True}, (4, 8, 12, 12, 8), (6, 12, 20, 16, 10)),
        ({"stride": 4}, (4, 8, 12, 12, 8), (6, 12, 20, 16, 10)),
    ],
)
def test_it_has_the_narrow_one_s_arguments(arguments, widths, into):
    torch.manual_seed(0)
    narrow = SiamFC(widths=widths, **arguments)
    with torch.no_grad():  # batch norm needs statistics
        for _ in range(5):
            narrow(torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 143, 143) * 255)
    narrow.eval()
    if narrow.adjust is not None:
        torch.nn.init.constant_(narrow.adjust.weight, 3.0)
    wide = widened(narrow, into)
    assert wide.about == narrow.about | {"widths": list(into)}
    images = torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 143, 143) * 255
    with torch.no_grad():
        torch.testing.assert_close(wide(*images), narrow(*images), rtol=1e-4, atol=1e-4)


def test_another_backbone_is_refused():
    with pytest.raises(SettingsError, match="backbone is lite0; only alexnet"):
        widened(SiamFC("lite0"))


def test_its_additional_channels_are_zero():
    wide = widened(untrained(widths=(4, 8, 12, 12, 8)), (6, 12, 20, 16, 10))
    with torch.no_grad():
        features = wide.features(torch.rand(1, 3, 127, 127) * 255)
    assert int((features == 0).all(dim=(0, 2, 3)).sum()) == 2


def test_the_paper_s_widths_are_the_default():
    wide = widened(SiamFC(widths=(8, 8, 8, 8, 8)))
    assert wide.backbone.channels == WIDTHS[-1] and not wide.training
