"""Crops in shards: as wide as the recipe's search images reach, and black beyond the frame where it
is asked for."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
from pair_files import STILL

from course_lib.data.frames import ArrayFrames
from course_lib.data.packing import write_shards
from course_lib.data.pairs import Augmentation, pair_at
from course_lib.data.pairs_cut import farthest
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.sequence import Sequence
from course_lib.data.shards import ShardPairs
from course_lib.errors import SettingsError

STRONG = replace(STILL, shift=64.0, stretch=0.25, aspect_change=0.2)


def video(box, shape=(600, 640)) -> Sequence:
    """Three equal frames of a smooth pattern, brighter than 40, with a still box."""
    noise = np.random.default_rng(0).uniform(40, 255, (20, 20, 3)).astype(np.float32)
    frame = cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    return Sequence("v", ArrayFrames(np.stack([frame] * 3)), np.tile(np.float64(box), (3, 1)))


def pack(folder, box, **options):
    write_shards([video(box)], folder, progress=False, **options)
    return folder


def as_before(folder):
    """Rewrite the index as that of a folder in format 2, without the frames' ends."""
    path = folder / "index.json"
    index = json.loads(path.read_text())
    index["made_of"]["format"] = 2
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    "sizes", [(255, 127, None), (239, 127, None), (256, 128, 2.0), (64, 287, None)]
)
def test_the_farthest_point_of_a_crop(sizes):
    """No window that is drawn reaches beyond it, and some come near; targets that are a square."""
    search, exemplar, _ = sizes
    a = replace(STRONG, exemplar=0.5)
    pairs = VideoPairs([video((300, 280, 40, 40))], a, 10, 0, None, *sizes)
    box, reached = np.array([-31.75, -31.75, 63.5, 63.5]), []  # SiamFC's square is 127 wide
    for k in range(400):
        rng = np.random.default_rng(k)
        for size, shift in ((search, a.shift), (exemplar, None)):
            window = replace(pairs._around(rng, box, size, shift, False), angle=0.0)
            matrix = np.vstack([window.matrix, [0, 0, 1]])
            corners = np.linalg.inv(matrix) @ [[0, size], [0, size], [1, 1]]
            reached.append(np.abs(corners[:2]).max())
    limit = farthest(a, *sizes)
    assert 0.9 * limit < max(reached) <= limit + 1e-9


def test_by_hand():
    """(255 / 2 + 64) · 1.25 pixels, and the exemplar of 319 with none."""
    a = replace(STILL, shift=64.0, stretch=0.25)
    assert farthest(a, 255, 127) == pytest.approx(239.375)
    assert farthest(replace(STILL, exemplar=0.0), 255, 319) == 159.5


def test_pairs_of_shards_show_what_the_frames_show(tmp_path):
    """The search image shows the frame up to its edges, however far it is shifted."""
    box = (300, 280, 40, 40)
    shards = ShardPairs(pack(tmp_path, box), STRONG, 10, search=255)
    frames = VideoPairs([video(box)], STRONG, 10, search=255)
    for i in range(30):
        one, other = pair_at(shards, 0, i).search, pair_at(frames, 0, i).search
        assert np.abs(one.astype(int) - other).mean(axis=2).max() < 25, i


@pytest.mark.parametrize(
    ("pixels", "augmentation", "needs"),
    [(319, STRONG, 256), (511, replace(STRONG, stretch=0.5), 306), (511, replace(STRONG, shift=140), 350)],
)  # fmt: skip
def test_a_recipe_that_reaches_farther_is_refused(tmp_path, pixels, augmentation, needs):
    folder = pack(tmp_path, (300, 280, 40, 40), pixels=pixels)
    needed = int(np.ceil(farthest(augmentation, 255, 127)))
    a = augmentation
    words = (
        rf"reach {round(pixels / 2)} pixels from the target; with search 255, shift {a.shift:g} "
        rf"and stretch {a.stretch:g} a pair reaches {needed}\..*--pixels {2 * needed + 1} --fresh"
    )
    with pytest.raises(SettingsError, match=words):
        ShardPairs(folder, a, search=255)
    write_shards(
        [video((300, 280, 40, 40))], folder, progress=False, pixels=2 * needed + 1, fresh=True
    )
    ShardPairs(folder, a, search=255)


def test_black_beyond_the_frame_where_a_factor_is_set(tmp_path):
    box = (0, 280, 48, 48)  # half of the square around it lies left of the frame
    folder = pack(tmp_path, box)
    sizes = {"search": 256, "exemplar": 128, "factor": 2}
    packed = pair_at(ShardPairs(folder, STILL, 10, **sizes), 0, 0).search
    direct = pair_at(VideoPairs([video(box)], STILL, 10, **sizes), 0, 0).search
    assert direct[:, :93].max() == 0 and direct[:, 100:].min() >= 40
    assert packed[:, :93].max() == 0 and packed[:, 100:].min() > 20
    mean = pair_at(ShardPairs(folder, STILL, 10, search=255), 0, 0).search
    assert mean[:, :90].min() > 100  # without it the frame's mean colour stays


def test_older_shards_are_read_and_say_what_they_lack(tmp_path):
    folder = pack(tmp_path, (300, 280, 40, 40), pixels=319)
    as_before(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pair_at(ShardPairs(folder, Augmentation()), 0, 0).search.shape == (239, 239, 3)
    with pytest.warns(UserWarning, match=r"older format: beyond the frame .* `factor` asks for bl"):
        ShardPairs(folder, STILL, search=256, exemplar=128, factor=2)
