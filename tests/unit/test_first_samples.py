"""The samples of the first frame: where the target lies in each, and what was done to it."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.errors import SettingsError
from course_lib.geometry.windows import CropWindow
from course_lib.trackers.first_samples import SampleSettings, dropped_out, first_samples

BOX = np.array([140.0, 110, 20, 12])  # centre (150, 116)
WINDOW = CropWindow(150.0, 116.0, 80.0, 160)  # two crop pixels per frame pixel
BLACK = {"shift": 0.0, "mirror": False, "rotations": (), "blurs": (), "dropouts": 0}


def frame() -> np.ndarray:
    """A dark frame with a bright target whose right half is green."""
    image = np.full((240, 300, 3), 20, np.uint8)
    image[110:122, 140:160] = 250
    image[110:122, 150:160] = (0, 250, 0)
    return image


def samples(**settings):
    return first_samples(frame(), BOX, WINDOW, SampleSettings(**BLACK | settings))


def green_centre(crop: np.ndarray) -> np.ndarray:
    """x and y of the green half's centre, in pixels."""
    y, x = np.nonzero((crop[..., 1] > 150) & (crop[..., 0] < 100))
    return np.array([x.mean(), y.mean()]) + 0.5


def test_the_plain_one_comes_first_and_is_the_tracker_s_own_crop():
    found = samples()
    assert found.crops.shape == (1, 160, 160, 3) and found.crops.dtype == np.uint8
    np.testing.assert_allclose(found.boxes, [[60, 68, 40, 24]])
    assert np.abs(found.crops[0].astype(int) - WINDOW.cut(frame())).max() <= 1


def test_four_shifts_by_six_tenths_of_half_the_crop():
    found = samples(shift=0.6)
    assert len(found.crops) == 5
    away = found.boxes[1:, :2] + found.boxes[1:, 2:] / 2 - 80
    assert away.tolist() == pytest.approx(np.array([[48, 48], [-48, 48], [48, -48], [-48, -48]]))
    for crop, box in zip(found.crops, found.boxes, strict=True):  # the image moves with the box
        np.testing.assert_allclose(green_centre(crop), box[:2] + box[2:] * (0.75, 0.5), atol=0.6)


def test_mirrored_and_rotated_ones_show_it():
    found = samples(mirror=True, rotations=(90.0,))
    centres = found.boxes[:, :2] + found.boxes[:, 2:] / 2
    mirrored, turned = (green_centre(found.crops[k]) - centres[k] for k in (1, 2))
    np.testing.assert_allclose(mirrored, [-10, 0], atol=0.7)
    np.testing.assert_allclose(np.abs(turned), [0, 10], atol=0.7)
    assert (np.abs(centres[1:] - 80) <= 160 / 6 + 1e-9).all()
    assert (np.abs(centres[1:] - 80) > 0.5).any()  # moved at random
    np.testing.assert_allclose(found.boxes[:, 2:], [[40, 24]] * 3)


def test_blurs_act_along_their_axes():
    found = samples(blurs=(6.0, 0.2, 0.2, 6.0))
    assert len(found.crops) == 3

    def slope(crop: np.ndarray, axis: int) -> int:
        return int(np.abs(np.diff(crop[..., 1].astype(int), axis=axis)).max())

    plain, along_x, along_y = found.crops
    assert slope(along_x, 1) < 0.2 * slope(plain, 1) and slope(along_x, 0) > 0.8 * slope(plain, 0)
    assert slope(along_y, 0) < 0.2 * slope(plain, 0) and slope(along_y, 1) > 0.8 * slope(plain, 1)


def test_as_many_as_in_the_public_code():
    """30 samples: plain, 4 shifts, a flip, 12 rotations, 5 blurs, and 7 with dropout."""
    found = first_samples(frame(), BOX, WINDOW, SampleSettings())
    assert len(found.crops) + SampleSettings().dropouts == 30


def test_the_same_every_time_and_others_with_another_seed():
    a, b, c = (samples(rotations=(10.0,), seed=s).boxes for s in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_dropout_of_channels():
    x = np.ones((400, 2, 2), np.float32)
    dropped = dropped_out(x, SampleSettings(dropouts=3, dropped=0.2))
    assert dropped.shape == (3, 400, 2, 2) and dropped.dtype == np.float32
    assert set(np.unique(dropped)) == {0, np.float32(1.25)}
    assert (dropped == 0).all((2, 3)).mean(1) == pytest.approx(0.2, abs=0.06)
    assert (dropped[0] != dropped[1]).any()
    assert dropped_out(x, SampleSettings(dropouts=0)).shape == (0, 400, 2, 2)


def test_half_a_pair_of_blurs_is_refused():
    with pytest.raises(SettingsError, match="blurs"):
        SampleSettings(blurs=(1.0, 2.0, 3.0))


@pytest.mark.parametrize("blurs", [(0.0, 2.0), (2.0, 0.0)])
def test_a_blur_of_nothing_is_refused(blurs):
    """OpenCV would fail for (0, 2), and blur both ways for (2, 0)."""
    with pytest.raises(SettingsError, match=r"blurs.* is 0.0; expected above 0 … 50"):
        SampleSettings(blurs=blurs)
    samples(blurs=tuple(b or 1e-3 for b in blurs))
