"""Shards: what is packed comes back, a missing or cut one is named, and pairs follow their
number."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from pair_files import grey_video, video_of

from course_lib.data import shards as shards_module
from course_lib.data.faults import FEW, Unreadable
from course_lib.data.frames import ImageFiles
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.packing import write_shards
from course_lib.data.pairs import Augmentation, pair_at
from course_lib.data.sequence import Sequence
from course_lib.data.shards import ShardPairs, read_index, read_shard
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.geometry.windows import CropWindow, search_side

pytestmark = pytest.mark.slow


@pytest.fixture
def sequences():
    return [make_sequence(random_spec(k, length=6, occluders=0)) for k in range(4)]


@pytest.fixture
def folder(tmp_path, sequences):
    write_shards(sequences, tmp_path / "s", per_shard=2, progress=False)
    return tmp_path / "s"


def test_crops_come_back(folder, sequences):
    index = read_index(folder)
    assert [len(row["videos"]) for row in index] == [2, 2]
    video = read_shard(folder, index[1])[0]
    assert video.name == sequences[2].name and len(video) == 6
    box = sequences[2].boxes[3]
    window = CropWindow(*(box[:2] + box[2:] / 2), float(search_side(box)) * 511 / 255, 511)
    expected = window.cut(sequences[2].frames[3]).astype(float)
    assert np.abs(video.frames[3].astype(float) - expected).mean() < 6  # JPEG
    np.testing.assert_allclose(video.boxes[3], window.box_to_crop(box), atol=1e-3)
    np.testing.assert_allclose(video.boxes[3][:2] + video.boxes[3][2:] / 2, 255.5, atol=1e-3)


def test_a_missing_shard_is_named(folder):
    (folder / "00001.tar").unlink()
    with pytest.raises(MissingDataError, match=r"shard .*00001.tar is missing: 2 are listed"):
        ShardPairs(folder, Augmentation())


def test_a_cut_shard_is_named(folder):
    path = folder / "00000.tar"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"00000.tar has \d+ bytes, its index says \d+"):
        ShardPairs(folder, Augmentation())


def test_no_shards_at_all(tmp_path):
    with pytest.raises(MissingDataError, match="no shards in"):
        ShardPairs(tmp_path, Augmentation())


def test_writing_resumes_where_it_stopped(folder, sequences):
    (folder / "00001.tar").unlink()
    (folder / "index.json").unlink()
    kept = (folder / "00000.tar").stat().st_mtime_ns
    write_shards(sequences, folder, per_shard=2, progress=False)
    assert (folder / "00000.tar").stat().st_mtime_ns == kept and len(read_index(folder)) == 2
    assert not list(folder.glob(".*.part"))


def test_pairs_come_from_one_shard_at_a_time(folder, monkeypatch):
    monkeypatch.setattr(shards_module, "BLOCK", 8)
    source = ShardPairs(folder, Augmentation())
    opened = []
    read = shards_module.read_shard
    monkeypatch.setattr(
        shards_module,
        "read_shard",
        lambda f, row, black: opened.append(row["file"]) or read(f, row),
    )
    pairs = [pair_at(source, 0, i) for i in range(32)]
    assert len(opened) <= 4 and set(opened) == {"00000.tar", "00001.tar"}
    again = ShardPairs(folder, Augmentation())
    for i in (30, 3, 17):  # in any order, the same pair
        np.testing.assert_array_equal(pair_at(again, 0, i).search, pairs[i].search)


@pytest.fixture
def videos(tmp_path):
    """Four videos of twelve frames on disk, named a to d."""
    return [grey_video(tmp_path / "v" / name, name, 50 + 40 * k) for k, name in enumerate("abcd")]


@pytest.fixture
def packed(tmp_path, videos):
    """A folder with their shards, two videos in each."""
    write_shards(videos, tmp_path / "packed", per_shard=2, progress=False, dataset="mine")
    return tmp_path / "packed"


def pack(videos, folder, **options):
    """Write shards of the videos with other options than `packed`; returns their rows."""
    options = {"per_shard": 2, "progress": False, "dataset": "mine"} | options
    write_shards(videos, folder, **options)
    return read_index(folder)


class TestMadeOf:
    """Shards record what they were made of, and are never mistaken for others."""

    def test_the_index_says_it(self, packed):
        made_of = json.loads((packed / "index.json").read_text())["made_of"]
        assert made_of["dataset"] == "mine" and len(made_of.pop("identity")) == 64
        assert made_of == {
            "dataset": "mine", "every": 1, "per_shard": 2, "pixels": 511, "room": 511 / 255,
            "quality": 95, "format": 3,
        }  # fmt: skip

    def test_the_same_again_writes_nothing(self, packed, videos):
        before = {path.name: path.stat().st_mtime_ns for path in packed.glob("*.tar")}
        rows = read_index(packed)
        assert pack([video_of(packed.parent / "v" / n, n) for n in "abcd"], packed) == rows
        assert before == {path.name: path.stat().st_mtime_ns for path in packed.glob("*.tar")}

    @pytest.mark.parametrize(("options", "words"), [
        ({"every": 3}, "with every 1, now 3"),
        ({"per_shard": 4}, "with per_shard 2, now 4"),
        ({"pixels": 319}, "with pixels 511, now 319, with room"),
        ({"dataset": "yours"}, "with dataset 'mine', now 'yours'"),
        ({"every": 2, "dataset": "x"}, "with dataset 'mine', now 'x', with every 1, now 2"),
    ])  # fmt: skip
    def test_shards_of_other_options_are_refused_or_remade(self, packed, videos, options, words):
        before = sorted(path.read_bytes() for path in packed.iterdir())
        with pytest.raises(SettingsError, match=rf"00000.tar was made {words}.* with --fresh"):
            pack(videos, packed, **options)
        assert before == sorted(path.read_bytes() for path in packed.iterdir())
        rows = pack(videos, packed, **options, fresh=True)
        expected = pack(videos, packed.parent / "elsewhere", **options)
        assert rows == expected and len(list(packed.iterdir())) == len(rows) + 1

    def change(self, videos, what: str):
        """The videos after a correction of their data."""
        first = videos[0]
        boxes, name, tags = first.boxes.copy(), first.name, {}
        if what == "ground truth":
            boxes[2, 0] += 1
        elif what == "absence":
            boxes[2] = np.nan
        elif what == "cover":
            tags = {"cover": np.full(12, 8)}
        elif what == "name":
            name = "e"
        elif what == "frame":
            first.frames.paths[3].write_bytes(first.frames.paths[4].read_bytes() + b"more")
        else:
            first.frames.paths[3].unlink()
        frames = ImageFiles(first.frames.paths)
        return [Sequence(name, frames, boxes, tags=tags), *videos[1:]]

    @pytest.mark.parametrize("what", ["ground truth", "absence", "cover", "name", "frame", "gone"])
    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_shards_of_corrected_data_are_refused_or_remade(self, packed, videos, what):
        changed = self.change(videos, what)
        with pytest.raises(SettingsError, match=r"of frames, boxes or labels that differ"):
            pack(changed, packed)
        rows = pack(changed, packed, fresh=True)
        assert rows == pack(changed, packed.parent / "elsewhere")

    def test_fewer_videos_leave_no_shard_of_more(self, packed, videos):
        rows = pack(videos[:2], packed, fresh=True)
        assert len(rows) == 1 and [p.name for p in packed.glob("*.tar")] == ["00000.tar"]

    def test_an_interrupted_run_with_other_options_is_not_resumed(self, packed, videos):
        (packed / "index.json").unlink()
        (packed / "00001.tar").unlink()
        with pytest.raises(SettingsError, match="with every 1, now 2"):
            pack(videos, packed, every=2)

    @pytest.mark.parametrize("content", [b"", b"not a tar", None])
    def test_a_damaged_shard_is_named_or_remade(self, packed, videos, content):
        path = packed / "00001.tar"
        path.write_bytes(path.read_bytes()[:3000] if content is None else content)
        with pytest.raises(SettingsError, match=r"00001.tar is damaged, in an older format or ano"):
            pack(videos, packed)
        path.unlink()  # as the sentence says
        assert [len(row["videos"]) for row in pack(videos, packed)] == [2, 2]

    def test_the_identity_is_of_the_index(self, packed, videos):
        first = ShardPairs(packed, Augmentation()).identity
        pack(videos, packed, every=2, fresh=True)
        assert ShardPairs(packed, Augmentation()).identity != first


def rewritten(index: dict, **changes) -> str:
    return json.dumps(index | changes)


class TestDamagedIndex:
    """A damaged or foreign index is refused with a remedy."""

    @pytest.mark.parametrize("number", range(12))
    def test_it_is_named(self, packed, number):
        path = packed / "index.json"
        index = json.loads(path.read_text())
        row = index["shards"][0]
        path.write_text([
            "", path.read_text()[:200], "[]", json.dumps(index["shards"]), "{}", "null",
            rewritten(index, made_of={"format": 1}), rewritten(index, shards=[]),
            rewritten(index, shards={"a": 1}), rewritten(index, shards=[{"file": row["file"]}]),
            rewritten(index, shards=[row | {"file": "../00000.tar"}]),
            rewritten(index, shards=[row | {"videos": "none"}]),
        ][number])  # fmt: skip
        with pytest.raises(DataError, match=r"index.json .*shards.py DATASET --fresh"):
            ShardPairs(packed, Augmentation())

    def test_a_byte_order_mark_is_accepted(self, packed):
        path = packed / "index.json"
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert len(read_index(packed)) == 2

    @pytest.mark.parametrize("kind", ["gone", "bytes", "another", "boxes"])
    def test_a_shard_that_changes_while_it_is_used_stops_with_its_name(self, packed, kind):
        source = ShardPairs(packed, Augmentation(), shards=[0])
        path, row = packed / "00000.tar", source.rows[0]
        if kind == "gone":
            path.unlink()
        elif kind == "bytes":
            path.write_bytes(b"x" * row["bytes"])
        elif kind == "another":
            path.write_bytes((packed / "00001.tar").read_bytes())
        else:
            row["videos"][0]["boxes"][0][0] += 1
        with pytest.raises(
            Unreadable, match=r"shard .*00000.tar (cannot be read|does not hold the videos)"
        ):
            pair_at(source, 0, 0)


class TestUnreadableFrames:
    """Frames that cannot be read are left out of the shards and named; too many stop the
    packing."""

    def test_a_few_are_left_out(self, tmp_path, videos):
        videos[1].frames.paths[5].write_bytes(b"")
        videos[2].frames.paths[0].unlink()
        with pytest.warns(UserWarning) as said:
            rows = pack(videos, tmp_path / "packed")
        words = [str(w.message) for w in said]
        assert len(words) == 2 and all("left out of the shards" in w for w in words)
        assert "b/0005.png" in words[0] and "c/0000.png" in words[1]
        assert [len(v["boxes"]) for row in rows for v in row["videos"]] == [12, 11, 11, 12]
        kept = read_shard(tmp_path / "packed", rows[0])[1]
        assert len(kept) == 11 and abs(float(kept.frames[5].mean()) - 90) < 3

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_a_video_that_is_left_with_one_frame_is_left_out(self, tmp_path, videos):
        for path in videos[0].frames.paths[1:]:
            path.write_bytes(b"")
        rows = pack(videos, tmp_path / "packed", per_shard=1)
        assert [v["name"] for row in rows for v in row["videos"]] == ["b", "c", "d"]

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_too_many_stop(self, tmp_path, videos):
        for video in videos[:2]:
            for path in video.frames.paths:
                path.write_bytes(b"")
        with pytest.raises(DataError, match=rf"{FEW + 1} of 21 frames could not be read"):
            pack(videos, tmp_path / "packed")
        assert not list((tmp_path / "packed").glob("*"))

    def test_videos_without_usable_frames_make_no_empty_shard(self, tmp_path, videos):
        hidden = [Sequence(s.name, s.frames, np.full((12, 4), np.nan)) for s in videos[:2]]
        rows = pack([*hidden, *videos[2:]], tmp_path / "packed")
        assert [v["name"] for row in rows for v in row["videos"]] == ["c", "d"]
        with pytest.raises(DataError, match="none of 2 videos has two frames to keep"):
            pack(hidden, tmp_path / "none")
        with pytest.raises(DataError, match="none of 4 videos .* one frame in 12"):
            pack(videos, tmp_path / "none", every=12)


@pytest.mark.parametrize("options", [{"every": 0}, {"every": -1}, {"per_shard": 0}, {"pixels": 0}])
def test_invalid_numbers_are_refused(tmp_path, videos, options):
    with pytest.raises(SettingsError, match="expected at least 1 for each"):
        pack(videos, tmp_path / "packed", **options)


def test_two_videos_of_one_name_are_refused(tmp_path, videos):
    other = Sequence("a", videos[1].frames, videos[1].boxes)
    with pytest.raises(DataError, match="duplicate sequence names: a"):
        pack([videos[0], other], tmp_path / "packed")


def test_a_full_disk_leaves_no_part_of_a_shard(tmp_path, videos, monkeypatch):
    from course_lib.data import packing

    def full(tar, name, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing, "_add", full)
    with pytest.raises(OSError, match="No space left"):
        pack(videos, tmp_path / "packed")
    assert not list((tmp_path / "packed").iterdir())


def test_a_damaged_crop_is_skipped(packed):
    index = json.loads((packed / "index.json").read_text())
    path = packed / index["shards"][0]["file"]
    content = bytearray(path.read_bytes())
    start = content.index(b"\xff\xd8\xff")  # the first JPEG
    content[start : start + 200] = bytes(200)
    path.write_bytes(bytes(content))
    source = ShardPairs(packed, Augmentation(), shards=[0])
    with pytest.warns(UserWarning, match=r"crop 0 of a in shard .*00000.tar does not decode"):
        pairs = [pair_at(source, 0, i) for i in range(60)]
    assert any(pair.skipped for pair in pairs)


class TestScript:
    """`data_scripts/shards.py` on a small GOT-10k."""

    def run(self, project, root, *arguments):
        command = [sys.executable, str(project / "data_scripts" / "shards.py"), *arguments]
        return subprocess.run(
            [*command, "--root", str(root)], capture_output=True, text=True, check=False
        )

    @pytest.fixture
    def root(self, tmp_path):
        for k, name in enumerate(("GOT-10k_Train_000001", "GOT-10k_Train_000002")):
            folder = tmp_path / "got10k" / "train" / name
            grey_video(folder, name, 60 + 80 * k)
            (folder / "groundtruth.txt").write_text("30,20,40,30\n" * 12)
        return tmp_path

    @pytest.mark.slow
    def test_packs_refuses_and_packs_again(self, project, root):
        done = self.run(project, root, "got10k-train")
        assert done.returncode == 0 and "2 of 2 videos packed" in done.stdout, done.stderr
        assert len(read_index(root / "shards" / "got10k-train")) == 1
        refused = self.run(project, root, "got10k-train", "--every", "2")
        assert refused.returncode == 2 and "with every 1, now 2" in refused.stderr
        assert "Traceback" not in refused.stderr
        again = self.run(project, root, "got10k-train", "--every", "2", "--fresh")
        assert again.returncode == 0, again.stderr
        (video, _) = read_index(root / "shards" / "got10k-train")[0]["videos"]
        assert len(video["boxes"]) == 6

    @pytest.mark.slow
    @pytest.mark.parametrize(("arguments", "words"), [
        (["otb100"], "trackers are measured on these videos"),
        (["nothing"], "there is no benchmark 'nothing'"),
        (["lasot-train"], "0 sequences found"),
        (["got10k-train", "--every", "0"], "expected at least 1"),
    ])  # fmt: skip
    def test_says_what_is_wrong(self, project, root, arguments, words):
        said = self.run(project, root, *arguments)
        assert said.returncode == 2 and words in said.stderr and "Traceback" not in said.stderr
        assert not (root / "shards").exists()
