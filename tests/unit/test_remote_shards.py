"""Shards in object storage: the same pairs as from the disk, and faults in words. A local server
of moto's stands in for the store."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from pair_files import grey_video
from test_training import TINY

from course_lib.data.faults import Unreadable
from course_lib.data.packing import write_shards
from course_lib.data.pairs import Augmentation, pair_at
from course_lib.data.remote import folder_at, is_address
from course_lib.data.shards import ShardPairs
from course_lib.errors import MissingDataError
from course_lib.training.sources import make_sources

pytestmark = pytest.mark.slow
NEEDED = {
    "moto": "moto",
    "flask": "moto[server]",
    "s3fs": "s3fs",
    "upath": "universal-pathlib",
}
LACKING = sorted({NEEDED[name] for name in NEEDED if importlib.util.find_spec(name) is None})
stored = pytest.mark.skipif(
    bool(LACKING), reason=f"there is no object store to test with: install {', '.join(LACKING)}"
)
PLACE = "s3://clips/packed"


@pytest.fixture
def packed(tmp_path):
    """A folder of two shards with two videos each."""
    videos = [grey_video(tmp_path / "v" / name, name, 50 + 40 * k) for k, name in enumerate("abcd")]
    write_shards(videos, tmp_path / "packed", per_shard=2, progress=False, dataset="mine")
    return tmp_path / "packed"


@pytest.fixture
def store(packed, monkeypatch):
    """A server with the shards at PLACE."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdirs("clips", exist_ok=True)  # moto keeps its buckets while the process lives
    for path in packed.iterdir():
        files.put_file(str(path), f"clips/packed/{path.name}")
    yield files
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@stored
def test_pairs_are_those_from_the_disk(packed, store):
    near = ShardPairs(packed, Augmentation())
    far = ShardPairs(folder_at(PLACE), Augmentation())
    assert far.identity == near.identity  # so a run may go on with the data elsewhere
    for number in (0, 3000, 1):
        one, other = pair_at(near, 0, number), pair_at(far, 0, number)
        np.testing.assert_array_equal(one.search, other.search)
        np.testing.assert_array_equal(one.exemplar, other.exemplar)


@stored
def test_a_recipe_trains_from_an_address_also_in_workers(store, tmp_path):
    from course_lib.training.loop import train

    settings = replace(TINY, sources=(f"shards:{PLACE}",), steps=2, held_out=0.5)
    alone = train(replace(settings, workers=0), tmp_path / "a", "cpu", root=tmp_path).network
    other = train(replace(settings, workers=1), tmp_path / "b", "cpu", root=tmp_path).network
    for name, tensor in alone.state_dict().items():
        np.testing.assert_array_equal(tensor, other.state_dict()[name], err_msg=name)


@stored
def test_faults_are_named(store, packed, tmp_path):
    with pytest.raises(MissingDataError, match=r"no shards in s3://clips/gone"):
        ShardPairs(folder_at("s3://clips/gone"), Augmentation())
    optional = replace(TINY, sources=("shards:s3://clips/gone?",))
    with pytest.warns(UserWarning, match="s3://clips/gone is in"):
        assert make_sources(optional, tmp_path)[0].used == ("generated",)
    source = ShardPairs(folder_at(PLACE), Augmentation())
    for name in ("00000.tar", "00001.tar"):
        store.rm_file(f"clips/packed/{name}")
    store.invalidate_cache()
    with pytest.raises(Unreadable, match=r"s3://clips/packed cannot be read \(FileNotFoundError"):
        pair_at(source, 0, 0)


@stored
def test_a_store_that_does_not_answer_is_named(packed, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(Unreadable, match=r"s3://clips/packed cannot be read \(.*AWS_ENDPOINT_URL"):
        ShardPairs(folder_at(PLACE), Augmentation())


def test_without_the_packages_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "upath", None)
    with pytest.raises(MissingDataError, match=r"s3://.*install -e '\.\[remote\]'"):
        folder_at(PLACE)


def test_a_path_is_no_address():
    assert is_address("s3://bucket/x") and not is_address("C:/x") and not is_address("../x")
