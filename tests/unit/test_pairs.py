"""Training pairs: the same from the same number, targets where the boxes say, distractors apart,
errors with names."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pair_files import STILL, same

from course_lib.data.frames import ArrayFrames
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.loader import batches
from course_lib.data.objects import OutlinedObject, Photograph, generated_objects, pieces_of
from course_lib.data.pairs import TRAINING_SEARCH, Augmentation, Mixture, pair_at
from course_lib.data.pairs_cut import FrameCache
from course_lib.data.pairs_photo import PhotoPairs, paste
from course_lib.data.pairs_video import VideoPairs, sample_two_frames, usable_frames
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError, SettingsError
from course_lib.geometry.augmented_windows import AugmentedWindow
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import EXEMPLAR, context_side

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sequences():
    return [make_sequence(random_spec(k, length=12)) for k in range(3)]


@pytest.fixture(scope="module")
def photos():
    return PhotoPairs(
        *generated_objects(24),
        Augmentation(rotation=0.2, aspect_change=0.1, mirror=0.5),
        distractors=0.5,
    )


def test_a_pair_depends_on_seed_and_number_alone(sequences, photos):
    for source in (VideoPairs(sequences), photos):
        first = [pair_at(source, 3, i) for i in (5, 6, 7)]
        again = [pair_at(source, 3, i) for i in (7, 5, 6)]
        assert same(first[0], again[1]) and same(first[1], again[2]) and same(first[2], again[0])
        assert not same(first[0], pair_at(source, 4, 5))


def test_a_cache_changes_no_pair(sequences):
    plain, cached = VideoPairs(sequences), VideoPairs(sequences, cache=FrameCache(0.5))
    for i in range(12):
        assert same(pair_at(plain, 0, i), pair_at(cached, 0, i))
    assert cached.cache.held <= 0.5e6


def test_shapes_and_types(photos):
    pair = pair_at(photos, 0, 0)
    assert pair.exemplar.shape == (127, 127, 3) and pair.search.shape == (239, 239, 3)
    assert pair.exemplar.dtype == pair.search.dtype == np.uint8 and pair.box.shape == (4,)


def test_the_target_is_in_the_centre_up_to_the_shift(sequences):
    for shift in (0.0, 4.0):
        source = VideoPairs(
            sequences, Augmentation(shift=shift, stretch=0.05, aspect_change=0.1, mirror=0.5)
        )
        centres = np.array(
            [p.box[:2] + p.box[2:] / 2 for p in (pair_at(source, 0, i) for i in range(60))]
        )
        away = np.abs(centres - TRAINING_SEARCH / 2)
        # the aspect change stretches the shift by a few per cent
        assert away.max() <= shift * 1.2 + 1e-6
        assert shift == 0 or away.max() > shift * 0.7


def test_the_box_is_where_the_target_is():
    """A white square on black, seen through rotated, stretched and mirrored windows."""
    frame = np.zeros((200, 200, 3), dtype=np.uint8)
    frame[80:110, 60:120] = 255
    outline = (np.array([[60.0, 80], [120, 80], [120, 110], [60, 110]]),)
    target = OutlinedObject(Photograph("square", pixels=frame), outline, 0)
    source = PhotoPairs(
        [target],
        [Photograph("b", pixels=frame)],
        Augmentation(rotation=0.3, aspect_change=0.2, mirror=0.5),
        paste=0,
    )
    for i in range(20):
        pair = pair_at(source, 0, i)
        rows, columns = np.nonzero(pair.search[..., 0] > 127)
        x, y, w, h = pair.box
        found = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        np.testing.assert_allclose(found, [x, y, w, h], atol=2.0)


def test_pasting_covers_the_outline_and_nothing_else():
    photo = np.full((60, 60, 3), 255, dtype=np.uint8)
    outline = (np.array([[20.0, 20], [40, 20], [40, 40], [20, 40]]),)
    view = AugmentedWindow(30, 30, 60, 120)
    crop = paste(np.zeros((120, 120, 3), dtype=np.uint8), photo, outline, view)
    expected = np.zeros((120, 120))
    expected[40:80, 40:80] = 255
    assert (
        np.abs(crop[..., 0].astype(float) - expected).max() <= 70
    )  # half a fine pixel at the edge
    assert abs(crop[..., 0].sum() / 255 - 1600) < 30


def test_a_distractor_of_the_same_category_is_apart():
    colours = [(250, 0, 0), (0, 250, 0)]
    objects = []
    for k in (0, 1):
        pixels = np.full((80, 80, 3), colours[k], dtype=np.uint8)
        square = (np.array([[20.0, 20], [60, 20], [60, 60], [20, 60]]),)
        objects.append(
            OutlinedObject(Photograph(f"p{k}", pixels=pixels), square, 7, surrounded=False)
        )
    grey = [Photograph("grey", pixels=np.full((300, 300, 3), 128, dtype=np.uint8))]
    source = PhotoPairs(objects, grey, STILL, distractors=1.0)
    met = 0
    for i in range(30):
        pair = source.draw(np.random.default_rng([1, i]))
        target = pair.exemplar[63, 63].argmax()  # which of the two colours is the target's
        other = pair.search[..., 1 - target].astype(int) - pair.search[..., target] > 80
        if other.sum() < 20:
            continue
        met += 1
        rows, columns = np.nonzero(other)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert (
            float(iou(box, pair.box)) < 0.35
        )  # as seen: the box shrinks where parts are covered or cut off
    assert met >= 15


def test_negative_pairs_show_another_object(sequences, photos):
    video = VideoPairs(sequences, negatives=1.0)
    for i in range(10):
        pair = pair_at(video, 0, i)
        names = {
            part.split(",")[0].removeprefix(" and ").strip() for part in pair.source.split(" and ")
        }
        assert not pair.positive and len(names) == 2
    assert all(pair_at(VideoPairs(sequences), 0, i).positive for i in range(10))
    painted = [o for o in photos.objects if o.category == -1]  # all of one category
    photo = PhotoPairs(painted, photos.backgrounds, negatives=1.0)
    assert not any(pair_at(photo, 0, i).positive for i in range(10))


def test_frames_that_do_not_qualify_are_left_out():
    boxes = np.tile([10.0, 10, 20, 20], (6, 1))
    boxes[1], boxes[2], boxes[3] = np.nan, [10, 10, 3, 20], [10, 10, 90, 20]
    frames = ArrayFrames(np.zeros((6, 50, 100, 3), dtype=np.uint8))
    assert usable_frames(Sequence("s", frames, boxes)).tolist() == [0, 4, 5]
    cover = {"cover": np.array([8, 8, 8, 8, 2, 3])}
    assert usable_frames(Sequence("s", frames, boxes, tags=cover)).tolist() == [0, 5]
    with pytest.raises(DataError, match="none of 1 videos"):
        VideoPairs([Sequence("s", frames, np.full((6, 4), np.nan))])


def test_two_frames_stay_within_the_gap():
    rng, valid = np.random.default_rng(0), np.array([0, 3, 90, 95, 200])
    drawn = {sample_two_frames(rng, valid, 10) for _ in range(300)}
    assert drawn == {(0, 3), (3, 0), (90, 95), (95, 90), (200, 200)}


def test_a_mixture_keeps_its_probabilities(sequences, photos):
    mixed = Mixture([VideoPairs(sequences), photos], [3, 1])
    names = {s.name for s, _ in VideoPairs(sequences).videos}
    from_videos = sum(pair_at(mixed, 0, i).source.split(",")[0] in names for i in range(120))
    assert 75 <= from_videos <= 105


@pytest.mark.parametrize("probabilities", [[1, 2], [0], [-1], [float("nan")], [float("inf")], []])
def test_invalid_probabilities_are_refused(photos, probabilities):
    with pytest.raises(SettingsError, match="one above 0 for each"):
        Mixture([photos], probabilities)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_share_a_batch_without_overlap(photos, world):
    whole = next(batches(photos, 0, 8, start=3, stop=4))
    parts = [
        next(batches(photos, 0, 8, start=3, stop=4, rank=r, world=world)) for r in range(world)
    ]
    assert torch.equal(torch.cat([p.search for p in parts]), whole.search)
    assert [s for p in parts for s in p.sources] == whole.sources


def test_a_batch_that_cannot_be_split_is_refused(photos):
    with pytest.raises(DataError, match="8 cannot be split between 3"):
        next(batches(photos, 0, 8, 0, 1, world=3))


@pytest.mark.slow
def test_worker_processes_give_the_same_batches(photos):
    here = list(batches(photos, 0, 4, 0, 2))
    there = list(batches(photos, 0, 4, 0, 2, workers=1))
    assert all(
        torch.equal(a.search, b.search) and a.sources == b.sources
        for a, b in zip(here, there, strict=True)
    )


def test_pieces_lie_inside_their_images():
    images = [
        Photograph("a", pixels=np.zeros((90, 160, 3), np.uint8)),
        Photograph("b", pixels=np.zeros((200, 70, 3), np.uint8)),
    ]
    pieces = pieces_of(images, each=5)
    assert [p.image.name for p in pieces] == ["a"] * 5 + ["b"] * 5
    for piece in pieces:
        H, W = piece.image.pixels.shape[:2]
        x, y, w, h = piece.box
        assert x >= 0 and y >= 0 and x + w <= W and y + h <= H and min(w, h) >= 10
    assert len({p.category for p in pieces}) == 2
    np.testing.assert_array_equal(pieces_of(images, each=5)[3].box, pieces[3].box)


class TestShift:
    """The exemplar is never shifted, the search image is by the recipe's shift, whatever its
    size."""

    @pytest.mark.parametrize("size", [EXEMPLAR, 129, TRAINING_SEARCH, 255])
    @pytest.mark.parametrize("kind", ["videos", "photographs"])
    def test_the_search_image_is_shifted_at_any_size(self, sequences, kind, size):
        augmentation = Augmentation(shift=20, stretch=0, aspect_change=0, mirror=0)
        source = (
            VideoPairs(sequences, augmentation, search=size)
            if kind == "videos"
            else PhotoPairs(*generated_objects(24), augmentation, search=size)
        )
        pairs = [pair_at(source, 0, i) for i in range(40)]
        shown = np.array([p.box[:2] + p.box[2:] / 2 - size / 2 for p in pairs])
        still = np.array([p.exemplar_box[:2] + p.exemplar_box[2:] / 2 - 63.5 for p in pairs])
        np.testing.assert_allclose(still, 0, atol=1e-6)
        # uniform within 20 pixels each way: of 80 draws the largest lies above 18, the mean size
        # near 10
        assert np.abs(shown).max() <= 20 + 1e-6 and np.abs(shown).max() > 18
        assert 7 < np.abs(shown).mean() < 13

    @pytest.mark.parametrize("kind", ["videos", "photographs"])
    def test_the_exemplar_may_be_cut_as_in_tracking(self, sequences, kind):
        """With `exemplar` 0 its scale is always that of the true box; the search image's draws stay
        what they were."""

        def sizes(exemplar):
            a = Augmentation(stretch=0.5, mirror=0, rotation=0, exemplar=exemplar)
            source = (
                VideoPairs(sequences, a)
                if kind == "videos"
                else PhotoPairs(*generated_objects(24), a, paste=0)
            )
            pairs = [pair_at(source, 0, i) for i in range(30)]
            boxes = np.array([[p.exemplar_box[2:], p.box[2:]] for p in pairs])  # (30, 2, 2)
            return np.log(context_side(boxes) / EXEMPLAR).T  # (2, 30)

        for strength in (0.0, 0.1, 1.0):
            exemplar, search = sizes(strength)
            most = strength * np.log(1.5)
            assert np.abs(exemplar).max() <= most + 1e-6
            assert np.abs(exemplar).max() >= 0.8 * most
            np.testing.assert_allclose(search, sizes(1.0)[1])
            assert np.abs(search).max() > 0.3

    def test_the_other_draws_have_not_changed(self, sequences):
        """Boxes of two pairs as they were before the shift became an argument, search 239 and
        255."""
        known = {
            239: [(89.399, 96.957, 67.292, 52.931), (74.943, 86.33, 74.253, 57.307)],
            255: [(97.399, 104.957, 67.292, 52.931), (82.943, 94.33, 74.253, 57.307)],
        }
        for size, boxes in known.items():
            source = VideoPairs(
                sequences, Augmentation(shift=8, stretch=0.1, mirror=0.5), search=size
            )
            for i, box in enumerate(boxes):
                np.testing.assert_allclose(pair_at(source, 7, i).box, box, atol=1e-3)
