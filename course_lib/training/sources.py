"""From a recipe's source names to pairs to train on and pairs, of other videos and photographs, to
validate on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from collections.abc import Sequence as Items
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from course_lib.data.coco import read_coco
from course_lib.data.objects import (
    OutlinedObject,
    Picture,
    generated_identity,
    generated_objects,
    pieces_of,
)
from course_lib.data.pairs import FrameCache, Mixture, PairSource
from course_lib.data.pairs_photo import PhotoPairs
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.shards import ShardPairs, read_index
from course_lib.data.training_sets import load_training_videos, refuse_measured, training_folders
from course_lib.errors import MissingDataError, SettingsError
from course_lib.places import data_root
from course_lib.training.processes import started_rank
from course_lib.training.settings import TrainSettings

T = TypeVar("T")
Parts = tuple[PairSource, PairSource]  # to train on, to validate on
ORDER = 20_161_008  # seed of the order in which videos and photographs are held out and added


def split(items: Items[T], held_out: float, fraction: float) -> tuple[list[T], list[T]]:
    """Items to train on and items to validate on.

    The same fixed order for every run: the first `held_out` share validates, the next are trained
    on, `fraction` of them. So validation never changes with `fraction`, and a smaller training set
    is part of a larger one.
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


def make_sources(settings: TrainSettings, root: Path | None = None) -> tuple[Mixture, Mixture]:
    """Sources of training pairs and of validation pairs; `used` on each names those that are used.

    A source ending in "?" whose data are not there is left out, which a warning says. If none is
    left, generated pairs take their place. Data of which a part is there are not left out: what is
    wrong with them is an error.

    Raises SettingsError for a source nobody knows, that is measured on, or that stands there
    twice, MissingDataError if its data are not there.
    """
    root = root or data_root()
    _check_names(settings.sources, root)
    cache = FrameCache()
    names, shares = _present(settings, root)
    parts = [_source(name, settings, root, cache) for name in names]
    training, validation = zip(*parts, strict=True)
    return Mixture(list(training), shares, names), Mixture(list(validation), shares, names)


def _check_names(sources: Items[str], root: Path) -> None:
    """Raise SettingsError where there is no source, two stand for the same data, or one is for
    measuring."""
    if not sources:
        raise SettingsError('sources is empty; expected at least one, for example ["generated"]')
    seen: dict[tuple[str, object], str] = {}
    for name in sources:
        kind, _, what = name.removesuffix("?").partition(":")
        if kind == "videos":
            refuse_measured(what)
        place = what if kind == "videos" else _place(root, what)
        if (kind, place) in seen:
            raise SettingsError(
                f"sources {seen[kind, place]!r} and {name!r} are the same; name each once and give "
                "it a larger share"
            )
        seen[kind, place] = name


def _present(settings: TrainSettings, root: Path) -> tuple[list[str], list[float]]:
    """The sources to use and their shares, those without data left out where they end in "?"."""
    pairs = list(zip(settings.sources, settings.shares, strict=True))
    missing = [name for name, _ in pairs if name.endswith("?") and _nothing_there(name[:-1], root)]
    used = [(name.removesuffix("?"), share) for name, share in pairs if name not in missing]
    what = ", ".join(name[:-1] for name in missing)
    if not used:
        _say(f"none of {what} is in {root}: training on generated pairs instead; the card says so")
        return ["generated"], [1.0]
    if missing:
        _say(
            f"{what}: not in {root}, so training goes without; what is used is "
            f"{', '.join(name for name, _ in used)}, and the card says so"
        )
    return [name for name, _ in used], [share for _, share in used]


def _nothing_there(name: str, root: Path) -> bool:
    """Whether no folder of a source is there, or only empty ones. Half a dataset is there, and an
    error."""
    kind, _, what = name.partition(":")
    if kind not in READERS or not what:
        return False
    folders = training_folders(what, root) if kind == "videos" else [_place(root, what)]
    return bool(folders) and not any(map(_holds_something, folders))


def _place(root: Path, what: str) -> Path:
    """The folder of a source; one outside of the data root may be named too."""
    return (root / what).resolve()


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def _say(sentence: str) -> None:
    if started_rank() == 0:  # of several processes one speaks
        warnings.warn(sentence, stacklevel=4)


def _source(name: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    if name == "generated":
        return _generated(settings, cache)
    kind, _, what = name.partition(":")
    if kind not in READERS:
        raise SettingsError(
            f"source {name!r} is not known; expected generated, videos:NAME, photos:FOLDER, "
            "pieces:FOLDER or shards:FOLDER"
        )
    if not what.strip():
        raise SettingsError(f"source {name!r} names nothing; expected for example {EXAMPLES[kind]}")
    try:
        return READERS[kind](what, settings, root, cache)
    except MissingDataError as problem:
        if not _nothing_there(name, root):
            raise
        raise MissingDataError(
            f'{problem}. To train without it, end it in "?": "{name}?"'
        ) from None


def _generated(settings: TrainSettings, cache: FrameCache) -> Parts:
    objects, scenes = generated_objects()
    make = partial(_photo_pairs, settings, cache, made_of=generated_identity())
    train, held = split(objects, settings.held_out, settings.fraction)
    return make(train or objects, scenes), make(held or objects, scenes)


def _videos(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    videos = load_training_videos(what, root)
    s = settings
    make = partial(
        VideoPairs,
        changes=s.changes,
        gap=s.gap,
        negatives=s.negatives,
        cache=cache,
        search=s.search,
    )
    train, held = split(videos, s.held_out, s.fraction)
    return make(train or videos), make(held or videos)


def _photos(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    objects, pictures = read_coco(_place(root, what))
    pictured = sorted({o.picture for o in objects}, key=lambda picture: picture.name)
    scenes = [p for p in pictures if p not in set(pictured)]
    parts = split(pictured, settings.held_out, settings.fraction)
    scene_parts = split(scenes, settings.held_out, settings.fraction) if scenes else ([], [])
    make = partial(_photo_pairs, settings, cache)
    train, held = (
        make([o for o in objects if o.picture in set(part or pictured)], back or scenes or pictures)
        for part, back in zip(parts, scene_parts, strict=True)
    )
    return train, held


def _pieces(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    _, pictures = read_coco(_place(root, what))
    train, held = split(pictures, settings.held_out, settings.fraction)
    make = partial(_photo_pairs, settings, cache)
    return make(pieces_of(train), train), make(pieces_of(held or pictures), held or pictures)


def _shards(what: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    folder = _place(root, what)
    count = len(read_index(folder))
    s = settings
    train, held = split(range(count), s.held_out, s.fraction)
    return tuple(
        ShardPairs(folder, s.changes, s.gap, part or range(count), s.search)
        for part in (train, held)
    )


READERS: dict[str, Callable[[str, TrainSettings, Path, FrameCache], Parts]] = {
    "videos": _videos,
    "photos": _photos,
    "pieces": _pieces,
    "shards": _shards,
}
EXAMPLES = {
    "videos": "videos:got10k-train",
    "photos": "photos:photos, a folder in COCO's format in the data root",
    "pieces": "pieces:photos, a folder in COCO's format in the data root",
    "shards": "shards:shards/got10k-train",
}


def _photo_pairs(
    settings: TrainSettings,
    cache: FrameCache,
    objects: list[OutlinedObject],
    scenes: list[Picture],
    made_of: str | None = None,
) -> PhotoPairs:
    s = settings
    extras = s.changes, s.paste, s.distractors, s.negatives, cache, s.search
    return PhotoPairs(objects, scenes, *extras, made_of)
