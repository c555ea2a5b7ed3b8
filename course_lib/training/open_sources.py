"""Opening sources of training pairs: one function per kind, each returning training pairs and, from
other videos or photographs, validation pairs."""

from __future__ import annotations

from collections.abc import Sequence as Items
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from course_lib.data.coco import read_coco
from course_lib.data.objects import (
    OutlinedObject,
    Photograph,
    generated_identity,
    generated_objects,
    pieces_of,
)
from course_lib.data.pairs_cut import FrameCache
from course_lib.data.pairs_photo import PhotoPairs
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.shards import ShardPairs, read_index
from course_lib.data.training_sets import load_training_videos
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import Parts, folder_of, shards_at

T = TypeVar("T")
ORDER = 20_161_008  # seed of the order in which items are held out, and added with `fraction`


def split(items: Items[T], held_out: float, fraction: float) -> tuple[list[T], list[T]]:
    """Split items into those to train on and those to validate on.

    The order is the same for every run: the first `held_out` of the items are for validation, the
    next ones for training. So validation does not change with `fraction`, and a smaller training
    set is a subset of a larger one.

    Args:
        items: videos, photographs or shards.
        held_out: fraction of them to validate on; at least one item, if there are two or more.
        fraction: fraction of the others to train on; at least one item.
    """
    order = np.random.default_rng(ORDER).permutation(len(items))
    n_held = 0
    if held_out and len(items) > 1:
        n_held = min(max(round(held_out * len(items)), 1), len(items) - 1)
    rest = order[n_held:]
    n_used = max(round(fraction * len(rest)), 1)
    return [items[k] for k in rest[:n_used]], [items[k] for k in order[:n_held]]


def open_generated(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    """Objects and scenes made by code.

    Args:
        what: empty; this kind has no name.
        settings: the recipe.
        root: the data root; this kind has no files.
        cache: cache of decoded images.
    """
    objects, scenes = generated_objects()
    make = partial(_photo_pairs, settings, cache, made_of=generated_identity())
    train, held = split(objects, settings.held_out, settings.fraction)
    return make(train or objects, scenes), make(held or objects, scenes)


def open_videos(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    """Videos of the datasets that `load_benchmark` knows.

    Args:
        what: name of the dataset.
        settings: the recipe.
        root: the data root.
        cache: cache of decoded images.

    Raises:
        SettingsError: trackers are measured on it, or its name is unknown.
        MissingDataError: its files are missing.
    """
    s, videos = settings, load_training_videos(what, root)
    train, held = split(videos, s.held_out, s.fraction)
    extras = s.augmentation, s.gap, s.negatives, cache, s.search, s.exemplar, s.factor
    return VideoPairs(train or videos, *extras), VideoPairs(held or videos, *extras)


def open_photos(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    """Objects outlined in photographs, in COCO's format.

    Args:
        what: the folder.
        settings: the recipe.
        root: the data root.
        cache: cache of decoded images.

    Raises:
        MissingDataError: the folder or its annotations are missing.
        DataError: they are damaged.
    """
    objects, images = read_coco(folder_of(what, root))
    with_objects = sorted({o.image for o in objects}, key=lambda image: image.name)
    scenes = [p for p in images if p not in set(with_objects)]
    parts = split(with_objects, settings.held_out, settings.fraction)
    scene_parts = split(scenes, settings.held_out, settings.fraction) if scenes else ([], [])
    make = partial(_photo_pairs, settings, cache)
    train, held = (
        make([o for o in objects if o.image in set(part or with_objects)], back or scenes or images)
        for part, back in zip(parts, scene_parts, strict=True)
    )
    return train, held


def open_pieces(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    """Pieces of photographs in outlines made by code.

    Args:
        what: the folder, in COCO's format.
        settings: the recipe.
        root: the data root.
        cache: cache of decoded images.

    Raises:
        MissingDataError, DataError: as in `open_photos`.
    """
    _, images = read_coco(folder_of(what, root))
    train, held = split(images, settings.held_out, settings.fraction)
    make = partial(_photo_pairs, settings, cache)
    return make(pieces_of(train), train), make(pieces_of(held or images), held or images)


def open_shards(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    """Videos cut to their targets and packed, see `data.shards`.

    Args:
        what: the folder, or its address in object storage.
        settings: the recipe.
        root: the data root.
        cache: not used, since a whole shard is held in memory.

    Raises:
        MissingDataError: the folder or a shard is missing.
        DataError: they are damaged.
    """
    s, folder = settings, shards_at(what, root)
    every = range(len(read_index(folder)))
    extras = s.search, s.exemplar, s.factor, s.negatives
    train, held = (
        ShardPairs(folder, s.augmentation, s.gap, part or every, *extras)
        for part in split(every, s.held_out, s.fraction)
    )
    return train, held


def _photo_pairs(
    settings: TrainSettings,
    cache: FrameCache,
    objects: list[OutlinedObject],
    scenes: list[Photograph],
    made_of: str | None = None,
) -> PhotoPairs:
    s = settings
    extras = s.augmentation, s.paste, s.distractors, s.negatives, cache
    return PhotoPairs(objects, scenes, *extras, s.search, s.exemplar, made_of, s.factor)
