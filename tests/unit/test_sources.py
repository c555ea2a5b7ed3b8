"""From names in a recipe to pairs: what is left out is said, what is wrong is refused, no two are
mixed up."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
from pair_files import STILL, grey_video

from course_lib.data.objects import generated_objects
from course_lib.data.packing import write_shards
from course_lib.data.pairs import pair_at
from course_lib.data.training_sets import load_training_videos
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import PAIR_SOURCES, make_sources

pytestmark = pytest.mark.slow

BASE = TrainSettings(augmentation=STILL, paste=0.0, held_out=0.25)
NAMES = ("0.jpg", "1.jpg", "2.jpg", "3.jpg")


def sources(
    *names: str, probabilities: tuple[float, ...] | None = None, **changes
) -> TrainSettings:
    """Settings with these sources."""
    return replace(
        BASE, sources=names, probabilities=probabilities or (1.0,) * len(names), **changes
    )


def photos(folder, grey: int, left: int = 20):
    """A COCO-format folder of four images of one grey, each with an object 40 pixels wide."""
    (folder / "images").mkdir(parents=True)
    for name in NAMES:
        cv2.imwrite(str(folder / "images" / name), np.full((100, 120, 3), grey, dtype=np.uint8))
    content = {
        "images": [{"id": k, "file_name": name} for k, name in enumerate(NAMES)],
        "annotations": [
            {
                "image_id": k,
                "category_id": 1,
                "segmentation": [[left, 30, left + 40, 30, left + 40, 60, left, 60]],
            }
            for k in range(len(NAMES))
        ],
    }
    (folder / "instances.json").write_text(json.dumps(content))


def videos(root, count: int = 4, grey: int = 60):
    """A GOT-10k training set of small videos."""
    for k in range(1, count + 1):
        folder = root / "got10k" / "train" / f"GOT-10k_Train_{k:06d}"
        grey_video(folder, "", grey)
        (folder / "groundtruth.txt").write_text("30,20,40,30\n" * 12)


def greys(source, count: int = 40) -> set[int]:
    """All greys in exemplars and search images, to the nearest ten: JPEG changes them a little."""
    return {
        round(float(image.mean()) / 10) * 10
        for pair in (pair_at(source, 0, i) for i in range(count))
        for image in (pair.exemplar, pair.search)
    }


class TestTwoFolders:
    """Equal file names in two folders remain two images, with two outlines."""

    @pytest.fixture
    def root(self, tmp_path):
        photos(tmp_path / "dark", 40, left=20)
        photos(tmp_path / "bright", 200, left=60)
        return tmp_path

    def test_each_outline_lies_in_its_own_image(self, root):
        mixed, held = make_sources(sources("photos:dark", "photos:bright"), root)
        assert mixed.used == held.used == ("photos:dark", "photos:bright")
        for source in (mixed, held):
            dark, bright = source.sources
            assert greys(dark) == {40} and greys(bright) == {200}  # the bright after the dark
            assert {float(o.box[0]) for o in dark.objects} == {20}
            assert {float(o.box[0]) for o in bright.objects} == {60}
        assert greys(mixed) == {40, 200}

    def test_pieces_and_photographs_of_one_folder_share_their_images(self, root):
        mixed, _ = make_sources(sources("photos:dark", "pieces:dark"), root)
        assert greys(mixed) == {40}
        assert len(mixed.sources[0].cache.images) <= len(NAMES)

    def test_identities_differ_and_stay(self, root):
        of = {
            names: make_sources(sources(*names), root)[0].identity
            for names in [
                ("photos:dark",), ("photos:bright",), ("photos:dark", "photos:bright"),
                ("pieces:dark",), ("generated",),
            ]
        }  # fmt: skip
        assert len(set(of.values())) == 5
        for names, identity in of.items():
            assert make_sources(sources(*names), root)[0].identity == identity

    def test_a_change_of_the_annotations_changes_the_identity(self, root):
        before = make_sources(sources("photos:dark"), root)[0].identity
        path = root / "dark" / "instances.json"
        path.write_text(path.read_text().replace("[[20, 30", "[[21, 30"))
        assert make_sources(sources("photos:dark"), root)[0].identity != before

    def test_a_relative_root_and_another_folder_to_work_in(self, root, monkeypatch):
        monkeypatch.chdir(root.parent)
        here = make_sources(sources("photos:dark"), root)[0]
        there = make_sources(sources("photos:dark"), root.relative_to(root.parent))[0]
        assert here.identity == there.identity


@pytest.mark.parametrize(
    "name", ["generated", "videos:got10k-train", "photos:dark", "pieces:dark", "shards:packed"]
)
def test_the_fraction_of_negative_pairs_reaches_every_kind(tmp_path, name):
    assert {kind.example.split(":")[0] for kind in PAIR_SOURCES.values()} == {
        "generated", "videos", "photos", "pieces", "shards",
    }  # fmt: skip
    photos(tmp_path / "dark", 40)
    videos(tmp_path, 8)
    packed = load_training_videos("got10k-train", tmp_path)
    write_shards(packed, tmp_path / "packed", per_shard=4, progress=False)
    for wanted, low, high in ((0.0, 0, 0), (0.5, 10, 30), (1.0, 40, 40)):
        found = make_sources(sources(name, negatives=wanted, held_out=0.5), tmp_path)
        for source in found:
            assert low <= sum(not pair_at(source, 0, i).positive for i in range(40)) <= high


class TestMissingData:
    """A source ending in "?" may be missing; any other is an error with what to do."""

    def test_it_is_left_out_with_a_warning(self, tmp_path):
        videos(tmp_path)
        wanted = sources("videos:got10k-train?", "photos:photos?", probabilities=(0.8, 0.2))
        with pytest.warns(
            UserWarning, match=r"photos:photos: not in .*training uses only videos:got10k-train"
        ):
            train, held = make_sources(wanted, tmp_path)
        assert train.used == held.used == ("videos:got10k-train",) and len(train.sources) == 1
        assert train.probabilities.tolist() == [1.0]

    def test_if_none_is_left_generated_pairs_are_used(self, tmp_path):
        wanted = sources("videos:got10k-train?", "photos:photos?")
        with pytest.warns(UserWarning, match=r"none of videos:got10k-train, photos:photos is in"):
            train, held = make_sources(wanted, tmp_path / "nowhere")
        assert train.used == held.used == ("generated",)
        assert train.identity == make_sources(sources("generated"))[0].identity
        assert pair_at(train, 0, 0).exemplar.shape == (127, 127, 3)

    def test_if_nothing_is_missing_there_is_no_warning(self, tmp_path):
        videos(tmp_path)
        photos(tmp_path / "photos", 90)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train, _ = make_sources(sources("videos:got10k-train?", "photos:photos?"), tmp_path)
        assert train.used == ("videos:got10k-train", "photos:photos")

    @pytest.mark.parametrize("rank", ["1", "3"])
    def test_only_the_main_process_warns(self, tmp_path, monkeypatch, rank):
        monkeypatch.setenv("RANK", rank)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert make_sources(sources("photos:photos?"), tmp_path)[0].used == ("generated",)

    @pytest.mark.parametrize(("name", "words"), [
        ("videos:got10k-train", r"data_scripts/got10k.py"),
        ("videos:lasot-train", r"data_scripts/lasot.py"),
        ("videos:vid", r"unpack ILSVRC2015-VID"),
        ("photos:photos", r"looked for instances.json.*COCO's own val2017.*photos/images"),
        ("pieces:photos", r"looked for instances.json.*COCO's own val2017"),
        ("shards:shards/got10k-train", r"run `python data_scripts/shards.py got10k-train`"),
    ])  # fmt: skip
    def test_without_a_question_mark_it_is_an_error(self, tmp_path, name, words):
        with pytest.raises(MissingDataError, match=words) as missing:
            make_sources(sources(name, "generated"), tmp_path)
        assert f'add "?" to its name: "{name}?"' in str(missing.value)
        with pytest.warns(UserWarning, match="training uses only generated"):
            assert make_sources(sources(f"{name}?", "generated"), tmp_path)[0].used == (
                "generated",
            )

    def test_half_a_dataset_is_an_error_with_a_question_mark_too(self, tmp_path):
        videos(tmp_path)
        (tmp_path / "got10k" / "train" / "list.txt").write_text("GOT-10k_Train_000001\nlost\n")
        with pytest.raises(MissingDataError, match="lost"):
            make_sources(sources("videos:got10k-train?", "generated"), tmp_path)
        photos(tmp_path / "photos", 90)
        (tmp_path / "photos" / "instances.json").unlink()
        with pytest.raises(MissingDataError, match="looked for instances.json"):
            make_sources(sources("photos:photos?", "generated"), tmp_path)

    def test_damaged_data_are_an_error_with_a_question_mark_too(self, tmp_path):
        photos(tmp_path / "photos", 90)
        (tmp_path / "photos" / "instances.json").write_text("{")
        with pytest.raises(DataError, match="instances.json is damaged"):
            make_sources(sources("photos:photos?", "generated"), tmp_path)

    @pytest.mark.parametrize("hidden", [False, True])
    def test_an_empty_folder_counts_as_missing(self, tmp_path, hidden):
        (tmp_path / "photos").mkdir()
        if hidden:
            (tmp_path / "photos" / ".gitkeep").touch()
        with pytest.warns(UserWarning, match="training on generated pairs instead"):
            assert make_sources(sources("photos:photos?"), tmp_path)[0].used == ("generated",)


class TestNames:
    """Invalid names are refused before any data are read."""

    @pytest.mark.parametrize("name", [
        "vidoes:x", "photo:x", "", "?", "Generated", "generated:x", "x", "got10k-train", ":x",
    ])  # fmt: skip
    def test_unknown_kinds(self, tmp_path, name):
        with pytest.raises(
            SettingsError, match=r"unknown source .*; expected generated, videos:NAME"
        ):
            make_sources(sources(name), tmp_path)

    @pytest.mark.parametrize(
        "name", ["videos:", "photos:", "pieces:", "shards:", "photos: ", "photos:?"]
    )
    def test_a_kind_without_a_name(self, tmp_path, name):
        with pytest.raises(SettingsError, match=r"is incomplete; expected for example"):
            make_sources(sources(name), tmp_path)

    def test_an_unknown_benchmark(self, tmp_path):
        for name in ("videos:got10k-trian", "videos:got10k-trian?"):
            with pytest.raises(SettingsError, match="got10k-train"):
                make_sources(sources(name), tmp_path)

    @pytest.mark.parametrize("name", [
        "otb", "otb100", "otb2013", "vot2014", "vot2018", "uav123", "lasot", "got10k-test",
        "trackingnet-test", "generated-v1", "generated-alike-v1", "got10k-train+otb100", "lasot?",
    ])  # fmt: skip
    def test_test_benchmarks_are_not_trained_on(self, tmp_path, name):
        with pytest.raises(SettingsError, match=r"none may be trained on them.*got10k-train"):
            make_sources(sources(f"videos:{name}", "generated"), tmp_path)

    @pytest.mark.parametrize("names", [
        ("generated", "generated"), ("generated", "generated?"), ("photos:a", "photos:a?"),
        ("photos:a", "photos:./a"), ("photos:a", "photos:b/../a"), ("videos:vid", "videos:vid"),
    ])  # fmt: skip
    def test_the_same_source_twice(self, tmp_path, names):
        with pytest.raises(SettingsError, match=r"are the same; name each once"):
            make_sources(sources(*names), tmp_path)

    def test_two_names_for_one_folder(self, tmp_path):
        photos(tmp_path / "a", 90)
        (tmp_path / "link").symlink_to(tmp_path / "a")
        with pytest.raises(SettingsError, match=r"are the same; name each once"):
            make_sources(sources("photos:a", "photos:link"), tmp_path)

    def test_no_source_at_all(self, tmp_path):
        with pytest.raises(SettingsError, match="sources"):
            make_sources(sources(), tmp_path)

    @pytest.mark.parametrize("probabilities", [(0.0, 1.0), (0.0, 0.0)])
    def test_a_probability_of_zero(self, tmp_path, probabilities):
        photos(tmp_path / "a", 90)
        with pytest.raises(SettingsError, match="probabilities"):
            make_sources(sources("photos:a", "generated", probabilities=probabilities), tmp_path)

    def test_a_folder_outside_the_data_root_may_be_named(self, tmp_path):
        photos(tmp_path / "elsewhere", 90)
        for name in ("photos:../elsewhere", f"photos:{tmp_path / 'elsewhere'}"):
            train, _ = make_sources(sources(name), tmp_path / "root")
            assert train.used == (name,) and greys(train, 4) == {90}


def test_generated_objects_are_identified_by_their_version_not_their_pixels(monkeypatch):
    """Another machine's rounding does not change the identity; another version of the code does."""
    from course_lib.data import objects
    from course_lib.training import open_sources

    before = make_sources(sources("generated"))[0].identity

    def brighter():
        objects, scenes = generated_objects(4)
        return [replace(o, polygons=(o.polygons[0] + 1e-9,)) for o in objects], scenes

    monkeypatch.setattr(open_sources, "generated_objects", brighter)
    assert make_sources(sources("generated"))[0].identity == before
    monkeypatch.setattr(objects, "GENERATED_VERSION", 99)
    assert make_sources(sources("generated"))[0].identity != before
