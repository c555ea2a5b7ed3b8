"""Data are identified by their content: images of one source never replace those of another with
the same name."""

from __future__ import annotations

import cv2
import numpy as np
from pair_files import STILL, grey_video, video_of

from course_lib.data import identity
from course_lib.data.frames import ImageFiles
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.objects import OutlinedObject, Photograph, generated_objects
from course_lib.data.pairs import Mixture, pair_at
from course_lib.data.pairs_cut import FrameCache
from course_lib.data.pairs_photo import PhotoPairs
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.sequence import Sequence


class TestOneCache:
    """Sources that share a cache never get each other's images."""

    def test_videos_of_one_name_in_two_folders(self, tmp_path):
        cache = FrameCache()
        for grey in (40, 200, 40, 200):
            folder = tmp_path / str(grey)
            if not folder.exists():
                grey_video(folder, "clip", grey)
            source = VideoPairs([video_of(folder, "clip")], STILL, cache=cache)
            for i in range(8):
                pair = pair_at(source, 0, i)
                assert set(np.unique(pair.exemplar)) == set(np.unique(pair.search)) == {grey}

    def test_images_of_one_name_in_two_folders(self, tmp_path):
        cache, square = FrameCache(), (np.array([[30.0, 20], [70, 20], [70, 50], [30, 50]]),)
        for grey in (40, 200):
            grey_video(tmp_path / str(grey), "", grey, count=1)
        for grey in (40, 200, 40):
            image = Photograph("0000.png", tmp_path / str(grey) / "0000.png")
            source = PhotoPairs([OutlinedObject(image, square, 1)], [image], STILL, cache=cache)
            for i in range(4):
                pair = pair_at(source, 0, i)
                assert set(np.unique(pair.exemplar)) == set(np.unique(pair.search)) == {grey}
        assert len(cache.images) == 2  # the same file, read for two sources, is kept once

    def test_images_in_memory_of_one_name(self):
        cache = FrameCache()
        for grey in (40, 200):
            image = Photograph("same", pixels=np.full((80, 100, 3), grey, dtype=np.uint8))
            assert cache.get(image.key, image.read)[0, 0, 0] == grey


class TestIdentity:
    """Equal for equal files, different after any change."""

    def test_of_videos(self, tmp_path):
        video = grey_video(tmp_path / "v", "v", 90)

        def now(boxes=video.boxes, name="v", tags=None) -> str:
            frames = ImageFiles(video.frames.paths)
            return VideoPairs([Sequence(name, frames, boxes, tags=tags or {})]).identity

        first = now()
        assert first == now() and len(first) == 64
        moved = video.boxes.copy()
        moved[3, 0] += 0.5
        cover = {"cover": np.full(12, 8)}
        assert len({first, now(moved), now(name="w"), now(tags=cover)}) == 4
        cv2.imwrite(str(video.frames.paths[5]), np.eye(90, dtype=np.uint8) * 200)
        again = now()
        assert again != first  # a frame of another size in bytes
        video.frames.paths[5].unlink()
        assert now() not in (first, again)

    def test_sizes_of_large_sets_are_sampled(self, tmp_path, monkeypatch):
        video = grey_video(tmp_path / "v", "v", 90)
        monkeypatch.setattr(identity, "MOST_SIZES", 5)
        asked = []
        size = identity._size
        monkeypatch.setattr(identity, "_size", lambda path: asked.append(path.name) or size(path))
        assert VideoPairs([video]).identity
        assert asked == ["0000.png", "0003.png", "0006.png", "0009.png"]

    def test_of_photographs(self, tmp_path):
        for folder in ("a", "b"):
            grey_video(tmp_path / folder, "", 50, count=2)

        def now(folder="a", corner=20.0, kind=1) -> str:
            images = [
                Photograph(f"{k:04d}.png", tmp_path / folder / f"{k:04d}.png") for k in (0, 1)
            ]
            square = (np.array([[30.0, corner], [70, 20], [70, 50], [30, 50]]),)
            return PhotoPairs([OutlinedObject(images[0], square, kind)], images).identity

        assert now() == now() == now("b")  # a copy elsewhere is the same data
        assert len({now(), now(corner=21), now(kind=2)}) == 3
        cv2.imwrite(str(tmp_path / "b" / "0001.png"), np.eye(90, dtype=np.uint8) * 200)
        assert now("b") != now()

    def test_of_a_mixture(self):
        sequences = [make_sequence(random_spec(0, length=4))]
        photos = PhotoPairs(*generated_objects(4))
        video = VideoPairs(sequences)
        one = Mixture([video, photos], [1, 1], ("a", "b"))
        assert one.used == ("a", "b")
        assert one.identity == Mixture([VideoPairs(sequences), photos], [2, 2], ("a", "b")).identity
        others = [
            Mixture([video, photos], [1, 2], ("a", "b")),
            Mixture([video, photos], [1, 1], ("a", "c")),
            Mixture([video], [1], ("a",)),
        ]
        assert len({one.identity, *(m.identity for m in others)}) == 4
