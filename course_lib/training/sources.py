"""From a recipe's source names to pairs to train on and pairs, of other videos and photographs, to validate on."""

from __future__ import annotations

from collections.abc import Sequence as Items
from pathlib import Path
from typing import TypeVar

import numpy as np

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.coco import generated_objects, pieces_of, read_coco
from course_lib.data.pairs import FrameCache, Mixture, PairSource
from course_lib.data.pairs_photo import PhotoPairs
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.shards import ShardPairs, read_index
from course_lib.errors import MissingDataError, SettingsError
from course_lib.places import data_root
from course_lib.training.settings import TrainSettings

T = TypeVar("T")
ORDER = 20_161_008  # seed of the order in which videos and photographs are held out and added


def split(items: Items[T], held_out: float, fraction: float) -> tuple[list[T], list[T]]:
    """Items to train on and items to validate on.

    The same fixed order for every run: the first `held_out` share validates, the next are trained on, `fraction` of
    them. So validation never changes with `fraction`, and a smaller training set is part of a larger one.
    """
    order = np.random.default_rng(ORDER).permutation(len(items))
    n_held = (
        min(max(round(held_out * len(items)), 1), len(items) - 1)
        if held_out and len(items) > 1
        else 0
    )
    rest = order[n_held:]
    n_used = max(round(fraction * len(rest)), 1)
    return [items[k] for k in rest[:n_used]], [items[k] for k in order[:n_held]]


def make_sources(
    settings: TrainSettings, root: Path | None = None
) -> tuple[PairSource, PairSource]:
    """Sources of training pairs and of validation pairs.

    Raises SettingsError for a source nobody knows, MissingDataError if its data are not there.
    """
    root = root or data_root()
    cache = FrameCache()
    training, validation, shares = [], [], []
    for name, share in zip(settings.sources, settings.shares, strict=True):
        try:
            train, held = _source(name.removesuffix("?"), settings, root, cache)
        except MissingDataError:
            if not name.endswith("?"):
                raise
            continue
        training.append(train)
        validation.append(held)
        shares.append(share)
    if not training:
        raise MissingDataError(
            f"none of {', '.join(settings.sources)} is in {root}; add generated to sources"
        )
    return Mixture(training, shares), Mixture(validation, shares)


def _source(
    name: str, settings: TrainSettings, root: Path, cache: FrameCache
) -> tuple[PairSource, PairSource]:
    kind, _, what = name.partition(":")
    if name == "generated":
        objects, scenes = generated_objects()
        parts = split(objects, settings.held_out, settings.fraction)
        return tuple(_photo_pairs(part or objects, scenes, settings, cache) for part in parts)
    if kind == "videos":
        videos = load_benchmark(what, root).sequences
        parts = split(videos, settings.held_out, settings.fraction)
        make = {
            "changes": settings.changes,
            "gap": settings.gap,
            "negatives": settings.negatives,
            "cache": cache,
        }
        make["search"] = settings.search
        return tuple(VideoPairs(part or videos, **make) for part in parts)
    if kind == "photos":
        objects, pictures = read_coco(root / what)
        names = sorted({o.picture.name for o in objects})
        parts = [set(part or names) for part in split(names, settings.held_out, settings.fraction)]
        with_objects = set(names)
        scenes = [p for p in pictures if p.name not in with_objects]
        scene_parts = (
            [part or scenes for part in split(scenes, settings.held_out, settings.fraction)]
            if scenes
            else [pictures] * 2
        )
        return tuple(
            _photo_pairs([o for o in objects if o.picture.name in part], back, settings, cache)
            for part, back in zip(parts, scene_parts, strict=True)
        )
    if kind == "pieces":
        _, pictures = read_coco(root / what)
        parts = [part or pictures for part in split(pictures, settings.held_out, settings.fraction)]
        return tuple(_photo_pairs(pieces_of(part), part, settings, cache) for part in parts)
    if kind == "shards":
        count = len(read_index(root / what))
        parts = split(range(count), settings.held_out, settings.fraction)
        return tuple(
            ShardPairs(
                root / what, settings.changes, settings.gap, part or range(count), settings.search
            )
            for part in parts
        )
    raise SettingsError(
        f"source {name!r} is not known; expected generated, videos:NAME, photos:FOLDER, pieces:FOLDER or shards:FOLDER"
    )


def _photo_pairs(
    objects: list, scenes: list, settings: TrainSettings, cache: FrameCache
) -> PhotoPairs:
    s = settings
    return PhotoPairs(
        objects, scenes, s.changes, s.paste, s.distractors, s.negatives, cache, s.search
    )
