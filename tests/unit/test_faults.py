"""Files of a training set that cannot be read: passed over, counted, named, and too many of them
stop the training."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from pair_files import STILL, grey_video, same

from course_lib.data.faults import FEW, TRIES, Faults, Unreadable
from course_lib.data.loader import batches
from course_lib.data.pairs import PairSource, pair_at
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.training.loop import train
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources


class TestUnreadable:
    """Unreadable files are skipped, counted and named, up to a fraction."""

    def video(self, tmp_path, bad: dict[int, bytes | None]) -> VideoPairs:
        """Pairs of two videos of twelve frames; frames of the first cut, replaced or gone."""
        videos = [grey_video(tmp_path / name, name, 60 + 90 * k) for k, name in enumerate("ab")]
        for k, content in bad.items():
            path = videos[0].frames.paths[k]
            path.unlink() if content is None else path.write_bytes(content)
        return VideoPairs(videos, STILL)

    def test_another_pair_is_drawn_instead(self, tmp_path):
        whole = self.video(tmp_path / "whole", {})
        broken = self.video(tmp_path / "broken", {4: b"", 9: None})
        with pytest.warns(UserWarning) as said:
            pairs = [pair_at(broken, 0, i) for i in range(60)]
        skipped = [i for i, pair in enumerate(pairs) if pair.skipped]
        assert 2 < len(skipped) < 20
        for i, pair in enumerate(pairs):
            expected = pair_at(whole, 0, i)
            if i in skipped:
                assert "0004.png" in pair.skipped[0] or "0009.png" in pair.skipped[0]
                assert "a, frame 4" not in pair.source and "a, frame 9" not in pair.source
            else:
                assert same(pair, expected) and pair.seed == expected.seed
        # each file is named once, by its path
        for name in ("0004.png", "0009.png"):
            words = [str(w.message) for w in said if f"broken/a/{name}" in str(w.message)]
            assert len(words) == 1 and "Another pair is drawn instead" in words[0]
        assert broken.faults.skipped == sum(len(p.skipped) for p in pairs)
        assert broken.faults.drawn == 60
        assert "broken/a/0004.png" in str(broken.faults) and " of " in str(broken.faults)
        assert str(whole.faults) == ""

    def test_pairs_stay_a_function_of_seed_and_number(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            straight = self.video(tmp_path, {4: b"cut", 9: None})
            pairs = [pair_at(straight, 3, i) for i in range(40)]
            again = VideoPairs([s for s, _ in straight.videos], STILL)
            for i in (31, 2, 17, 39, 0, 5):  # in any order, and after a restart
                other = pair_at(again, 3, i)
                assert same(other, pairs[i]) and other.seed == pairs[i].seed
                assert other.skipped == pairs[i].skipped
        assert any(pair.skipped for pair in pairs)

    def test_too_many_stop_with_a_sentence(self, tmp_path):
        source = self.video(tmp_path, dict.fromkeys(range(6), b""))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(Unreadable, match="could not be made and were redrawn") as stop:
                for i in range(400):
                    pair_at(source, 0, i)
        assert source.faults.skipped == FEW + 1
        assert "/a/000" in str(stop.value) and "Fetch these files again" in str(stop.value)

    def test_a_fraction_of_a_long_training_is_skipped(self):
        faults = Faults()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            faults.drawn = 10_000
            for _ in range(100):
                faults.add(DataError("frame a.jpg does not decode; fetch it"))
            with pytest.raises(
                Unreadable, match=r"101 of 10101 pairs .*: frame a.jpg does not decode\. "
            ):
                faults.add(DataError("frame a.jpg does not decode; fetch it"))

    def test_one_pair_is_not_redrawn_forever(self, monkeypatch):
        class Broken(PairSource):
            seconds = {}  # noqa: RUF012
            identity = ""

            def draw(self, rng, index=0):
                raise DataError(f"image {int(rng.integers(1000))} is gone")

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = Broken()
            source.faults.drawn = 10**6  # by the fraction alone it would continue
            with pytest.raises(Unreadable, match=rf"pair 5 was drawn {TRIES} times"):
                pair_at(source, 0, 5)
        assert len(source.faults.reasons) == TRIES  # another stream every time

    def test_after_many_files_they_are_only_counted(self):
        faults = Faults()
        faults.drawn = 10**6
        with pytest.warns(UserWarning) as said:
            for k in range(3 * FEW):
                faults.add(DataError(f"file {k}"))
        assert len(said) == FEW and "Further faults are only counted" in str(said[-1].message)
        assert "and 55 more" in str(faults)

    def test_a_box_outside_its_frame_is_a_fault(self, tmp_path):
        video = grey_video(tmp_path / "v", "v", 60)
        boxes = video.boxes.copy()
        boxes[4] = [5000, 20, 40, 30]
        source = VideoPairs([Sequence("v", video.frames, boxes)], STILL)
        with pytest.warns(
            UserWarning, match=r"v, frame 4: the target's box .* outside the image of 100×80"
        ):
            pairs = [pair_at(source, 0, i) for i in range(30)]
        assert not any("frame 4," in pair.source for pair in pairs)

    def test_videos_without_usable_frames_are_named(self, tmp_path):
        good = grey_video(tmp_path / "good", "good", 60)
        none = Sequence("hidden", good.frames, np.full((12, 4), np.nan))
        with pytest.warns(UserWarning, match=r"1 of 2 videos .* are left out: hidden$"):
            assert len(VideoPairs([good, none]).videos) == 1

    @pytest.mark.slow
    def test_worker_processes_skip_the_same(self, tmp_path):
        source = self.video(tmp_path, {4: b"", 9: None})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            here = list(batches(source, 0, 8, 0, 3))
        there = list(batches(source, 0, 8, 0, 3, workers=1))
        for a, b in zip(here, there, strict=True):
            assert torch.equal(a.search, b.search) and a.sources == b.sources


@pytest.mark.slow
class TestTraining:
    """A run over damaged data ends with the same weights, in one go or resumed, whoever makes the
    pairs."""

    @pytest.fixture
    def root(self, tmp_path):
        """A GOT-10k training set of two videos, and photographs; some files are faulty."""
        for k in (1, 2):
            name = f"GOT-10k_Train_{k:06d}"
            video = grey_video(tmp_path / "got10k" / "train" / name, name, 50 * k)
            (video.frames.paths[0].parent / "groundtruth.txt").write_text("30,20,40,30\n" * 12)
            video.frames.paths[4].write_bytes(video.frames.paths[4].read_bytes()[:80])
            video.frames.paths[7].write_bytes(b"")
        return tmp_path

    settings = TrainSettings(
        name="broken", widths=(4, 4, 4, 4, 4), batch=4, steps=6, precision="fp32", held_out=0.5,
        sources=("videos:got10k-train",), validate_every=3, validation_pairs=4, checkpoint_every=2,
    )  # fmt: skip

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_weights(self, root, tmp_path):
        def weights(network) -> torch.Tensor:
            return torch.cat([t.flatten().float() for t in network.state_dict().values()])

        training, _ = make_sources(self.settings, root)
        assert any(pair_at(training, 0, i).skipped for i in range(24))  # within these six steps
        straight = weights(train(self.settings, tmp_path / "a", "cpu", root=root).network)
        train(self.settings, tmp_path / "b", "cpu", root=root, stop_at=3)
        assert torch.equal(
            weights(train(self.settings, tmp_path / "b", "cpu", root=root).network), straight
        )
        shared = replace(self.settings, workers=1)
        assert torch.equal(
            weights(train(shared, tmp_path / "c", "cpu", root=root).network), straight
        )
