"""`data_scripts/own.py`: frames and labels become sequences to evaluate, to train on, and to look at."""

from __future__ import annotations

import json
import re
import shutil

import cv2
import numpy as np
import pytest
from script_files import run, script

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.training_sets import load_training_videos
from course_lib.errors import CourseError

own = script("own")
T = 6
CSV = "frame,track,x,y,w,h\n" + "".join(f"{t},dog,{10 + t},20,30,25\n" for t in range(1, T))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of six images, a video of them, and a data root."""
    monkeypatch.setattr(own, "RUNS", tmp_path / "runs")
    (tmp_path / "frames").mkdir()
    out = cv2.VideoWriter(
        str(tmp_path / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (80, 60)
    )
    for t in range(T):
        image = np.full((60, 80, 3), 40 * t, np.uint8)
        cv2.imwrite(str(tmp_path / "frames" / f"{t}.png"), image)
        out.write(image)
    out.release()
    return tmp_path


def labelled(place, text=CSV, name="boxes.csv"):
    (place / name).write_text(text)
    return str(place / name)


def make(place, frames="frames", labels=CSV, *more) -> int:
    words = ["--root", str(place / "data"), "make", str(place / frames), labelled(place, labels)]
    return run(own.main, [*words, *more])


def dataset(place, name="clips"):
    return load_benchmark(f"folder:{place / 'data' / 'own' / name}")


@pytest.mark.parametrize("frames", ["frames", "film.avi", "frames/*.png"])
def test_a_clip_begins_at_its_first_box(place, frames, capsys):
    assert make(place, frames, CSV, "--name", "dog", "--dataset", "pets") == 0
    dog = dataset(place, "pets")["dog"]
    truth = [[10 + t, 20, 30, 25] for t in range(1, T)]
    np.testing.assert_array_equal(dog.boxes, truth)
    grey = [int(np.median(frame)) for frame in dog.frames]
    np.testing.assert_allclose(grey, [40 * t for t in range(1, T)], atol=3)
    told = capsys.readouterr().out
    assert "dog: 5 frames, 5 with a box; 1 left out" in told
    assert f"--benchmark folder:{place / 'data' / 'own' / 'pets'} " in told
    assert f'"videos:folder:{place / "data" / "own" / "pets"}"' in told
    assert cv2.imread(str(place / "runs" / "own" / "pets" / "dog.png")).shape[1] > 800


def test_images_are_copied_as_they_are(place):
    assert make(place) == 0
    kept = sorted((place / "data/own/clips/frames/img").iterdir())
    assert [p.name for p in kept] == [f"{t:08d}.png" for t in range(1, T)]
    assert [p.read_bytes() for p in kept] == [
        (place / "frames" / f"{t}.png").read_bytes() for t in range(1, T)
    ]


def test_the_names_that_the_clip_gets(place):
    assert make(place, "film.avi") == 0 and make(place, "frames") == 0
    assert sorted(dataset(place).names) == ["film", "frames"]
    shutil.rmtree(place / "data" / "own")
    assert make(place, "frames/*.png") == 0 and dataset(place).names == ["frames"]


def test_several_targets_are_several_clips(place):
    text = CSV + "3,cat/2,1,2,9,9\n5,cat/2,3,2,9,9\n"
    assert make(place, "film.avi", text, "--name", "pets") == 0
    found = dataset(place)
    assert sorted(found.names) == ["pets-cat-2", "pets-dog"]
    cat = found["pets-cat-2"]
    np.testing.assert_array_equal(cat.boxes, [[1, 2, 9, 9], [np.nan] * 4, [3, 2, 9, 9]])
    np.testing.assert_allclose([np.median(f) for f in cat.frames], [120, 160, 200], atol=3)
    np.testing.assert_allclose(
        [np.median(f) for f in found["pets-dog"].frames], [40, 80, 120, 160, 200], atol=3
    )


def test_only_labelled_frames(place, capsys):
    text = "frame,x,y,w,h\n1,5,5,9,9\n5,9,5,9,9\n"
    assert make(place, "frames", text, "--name", "all") == 0
    assert "3 frames without a box count as absent" in capsys.readouterr().out
    assert make(place, "frames", text, "--name", "few", "--only-labelled") == 0
    assert "count as absent" not in capsys.readouterr().out
    few = dataset(place)["few"]
    np.testing.assert_array_equal(few.boxes, [[5, 5, 9, 9], [9, 5, 9, 9]])
    assert [int(np.median(f)) for f in few.frames] == [40, 200]
    assert len(dataset(place)["all"]) == 5


def test_counting_from_one(place):
    text = "frame,x,y,w,h\n1,11,21,9,9\n6,12,21,9,9\n"
    assert make(place, "frames", text, "--first-frame", "1", "--first-pixel", "1") == 0
    np.testing.assert_array_equal(
        dataset(place)["frames"].boxes[[0, -1]], [[10, 20, 9, 9], [11, 20, 9, 9]]
    )


def test_other_image_formats_become_png(place):
    for path in (place / "frames").iterdir():
        cv2.imwrite(str(path.with_suffix(".tiff")), cv2.imread(str(path)))
        path.unlink()
    assert make(place) == 0
    assert [int(np.median(f)) for f in dataset(place)["frames"].frames] == [40, 80, 120, 160, 200]


def test_coco_and_cvat_too(place):
    content = {
        "images": [{"id": t, "file_name": f"{t}.png"} for t in range(T)],
        "annotations": [{"image_id": t, "bbox": [5, 6, 7, 8]} for t in range(T)],
    }
    path = labelled(place, json.dumps(content), "boxes.json")
    words = ["--root", str(place / "data"), "make"]
    assert run(own.main, [*words, str(place / "frames"), path, "--name", "a"]) == 0
    box = '<box frame="{}" outside="0" xtl="5" ytl="6" xbr="12" ybr="14"/>'
    boxes = "".join(box.format(t) for t in range(T))
    xml = f'<annotations><track id="0" label="dog">{boxes}</track></annotations>'
    path = labelled(place, xml, "boxes.xml")
    assert run(own.main, [*words, str(place / "film.avi"), path, "--name", "b"]) == 0
    for sequence in dataset(place):
        np.testing.assert_array_equal(sequence.boxes, np.tile([5.0, 6, 7, 8], (T, 1)))


def test_they_can_be_trained_on(place):
    make(place)
    folder = place / "data" / "own" / "clips"
    (only,) = load_training_videos(f"folder:{folder}", place / "data")
    assert only.name == "frames" and len(only) == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CSV.replace("\n3,dog,13,", "\n3,dog,90,"), "target 'dog', frame 3 (counted from 0): the box is 90, 20, 30, 25 in a frame of 80×60 pixels"),
        (CSV.replace("\n3,dog,13,20,30,", "\n3,dog,13,20,300,"), "the box is 13, 20, 300, 25"),
        (CSV + "9,dog,1,2,3,4\n", "line 7: the frame is 9; expected 0 to 5"),
        ("frame,track,x,y,w,h\n0,a,1,2,3,4\n1,b,,,,\n", "target 'b' is absent in every frame"),
        ("frame,track,x,y,w,h\n0,a/b,1,2,3,4\n0,a:b,1,2,3,4\n", "two targets would both be the sequence frames-a-b"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_leaves_nothing(place, text, words, capsys):
    assert make(place, "frames", text) == 2
    assert words in capsys.readouterr().err
    assert not [p for p in (place / "data").rglob("*") if p.is_file()]


def test_nothing_is_replaced(place, capsys):
    assert make(place) == 0
    before = {p: p.read_bytes() for p in (place / "data").rglob("*") if p.is_file()}
    assert make(place, "frames", CSV.replace("20,30,25", "20,31,25")) == 2
    assert "frames exists already; move it away, or give another --name" in capsys.readouterr().err
    assert before == {p: p.read_bytes() for p in (place / "data").rglob("*") if p.is_file()}


@pytest.mark.parametrize("words", [("--dataset", "../out"), ("--name", "a/b"), ("--name", "..")])
def test_names_stay_in_their_folder(place, words, capsys):
    assert make(place, "frames", CSV, *words) == 2
    assert "expected one plain name" in capsys.readouterr().err
    assert not (place / "data").exists()


def test_a_folder_of_clips_is_checked(place, capsys):
    folder = place / "mine" / "dog"
    folder.mkdir(parents=True)
    for path in (place / "frames").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "groundtruth.txt").write_text("1,2,30,40\n" * T)
    assert run(own.main, ["check", str(place / "mine")]) == 0
    assert f"look at {place / 'runs' / 'own' / 'mine' / 'dog.png'}" in capsys.readouterr().out
    assert (place / "runs/own/mine/dog.png").is_file()
    assert run(own.main, ["check", str(place / "none")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_frames_of_a_clip_by_hand():
    boxes = np.full((6, 4), np.nan)
    assert own.frames_of(boxes, False).tolist() == [] == own.frames_of(boxes, True).tolist()
    boxes[[2, 4]] = 1
    assert own.frames_of(boxes, False).tolist() == [2, 3, 4, 5]
    assert own.frames_of(boxes, True).tolist() == [2, 4]


def test_a_disk_without_links_gets_copies(place, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(own.os, "link", refuse)
    assert make(place, "frames", CSV + "2,cat,1,2,9,9\n") == 0
    assert sorted(map(len, dataset(place))) == [4, 5]


def test_the_check_of_a_box_by_hand():
    own._check_inside(np.array([-9.0, 0, 10, 10]), (60, 80, 3), "")
    own._check_inside(np.full(4, np.nan), (60, 80, 3), "")
    for box in ([-10, 0, 10, 10], [80, 0, 9, 9], [0, 60, 9, 9], [0, -9, 9, 9], [0, 0, 161, 9]):
        with pytest.raises(CourseError, match=re.escape("here (counted from 0): the box is")):
            own._check_inside(np.array(box, float), (60, 80, 3), "here")
