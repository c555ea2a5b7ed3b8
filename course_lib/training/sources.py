"""From a recipe's source names to training pairs and, from other videos and photographs,
validation pairs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from collections.abc import Sequence as Items
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from course_lib.data.pairs import Mixture, PairSource
from course_lib.data.pairs_cut import FrameCache
from course_lib.data.remote import folder_at, holds_something, is_address
from course_lib.errors import MissingDataError, SettingsError
from course_lib.lookup import load
from course_lib.places import data_root
from course_lib.training.processes import started_rank

if TYPE_CHECKING:
    from course_lib.training.settings import TrainSettings

Parts = tuple[PairSource, PairSource]  # to train on, to validate on


def folder_of(what: str, root: Path) -> Path:
    """The folder of a source; it may be outside the data root."""
    return (root / what).resolve()


def shards_at(what: str, root: Path) -> Path:
    """The folder of shards on disk, or in object storage if `what` is an address.

    Raises MissingDataError if the packages for that store are not installed.
    """
    return folder_at(what) if is_address(what) else folder_of(what, root)


def _video_folders(what: str, root: Path) -> list[Path]:
    """Folders where the videos called `what` are expected; raises SettingsError if trackers are
    measured on them."""
    load("course_lib.data.training_sets:refuse_measured")(what)
    return load("course_lib.data.training_sets:training_folders")(what, root)


class PairKind(NamedTuple):
    """A kind of source, given by the part of a source's name before the colon.

    Attributes:
        opener: "module:function"; it takes (what, settings, root, cache), where `what` is the part
            after the colon, and returns `Parts`.
        written: how it is written in a recipe.
        example: a valid example.
        folders: function of (what, root) that returns the folders in which its data are expected.
    """

    opener: str
    written: str
    example: str
    folders: Callable[[str, Path], list[Path]] = lambda what, root: [folder_of(what, root)]


HERE, OPEN = "a folder in COCO's format in the data root", "course_lib.training.open_sources:open"
PAIR_SOURCES = {
    "generated": PairKind(f"{OPEN}_generated", "generated", "generated", lambda what, root: []),
    "videos": PairKind(f"{OPEN}_videos", "videos:NAME", "videos:got10k-train", _video_folders),
    "photos": PairKind(f"{OPEN}_photos", "photos:FOLDER", f"photos:photos, {HERE}"),
    "pieces": PairKind(f"{OPEN}_pieces", "pieces:FOLDER", f"pieces:photos, {HERE}"),
    "shards": PairKind(
        f"{OPEN}_shards",
        "shards:FOLDER",
        "shards:shards/got10k-train, or shards:s3://bucket/got10k-train",
        lambda what, root: [shards_at(what, root)],
    ),
}


def make_sources(settings: TrainSettings, root: Path | None = None) -> tuple[Mixture, Mixture]:
    """Sources of training pairs and of validation pairs; their attribute `used` names the sources
    in use.

    A source ending in "?" whose data are missing is left out with a warning. If none is left,
    generated pairs replace them. Incomplete data are not left out: they are an error.

    Raises:
        SettingsError: a source is of unknown kind, is used to measure trackers, or is listed
            twice.
        MissingDataError: the data of a source are missing.
    """
    root = root or data_root()
    _check_names(settings.sources, root)
    cache = FrameCache()
    names, probabilities = _present(settings, root)
    parts = [_opened(name, settings, root, cache) for name in names]
    training, validation = zip(*parts, strict=True)
    return Mixture(list(training), probabilities, names), Mixture(
        list(validation), probabilities, names
    )


def check_written(name: str) -> None:
    """Raise SettingsError for a source without a kind, or with nothing after its colon."""
    kind, colon, what = name.removesuffix("?").partition(":")
    if colon and not what.strip():
        raise _nameless(name, kind)
    if not kind.strip() or name != name.strip():
        raise _unknown(name)


def _unknown(name: str) -> SettingsError:
    *others, last = (kind.written for kind in PAIR_SOURCES.values())
    return SettingsError(f"unknown source {name!r}; expected {', '.join(others)} or {last}")


def _nameless(name: str, kind: str) -> SettingsError:
    example = PAIR_SOURCES[kind].example if kind in PAIR_SOURCES else "photos:FOLDER"
    return SettingsError(f"source {name!r} is incomplete; expected for example {example}")


def _kind_and_what(name: str) -> tuple[PairKind, str]:
    """The kind of a source, and the part of its name after the colon."""
    kind, colon, what = name.removesuffix("?").partition(":")
    if kind not in PAIR_SOURCES or (kind == "generated" and colon):
        raise _unknown(name)
    if kind != "generated" and not what.strip():
        raise _nameless(name, kind)
    return PAIR_SOURCES[kind], what


def _check_names(sources: Items[str], root: Path) -> None:
    """Raise SettingsError if there is no source, two have the same data, or trackers are measured
    on one."""
    if not sources:
        raise SettingsError('sources is empty; expected at least one, for example ["generated"]')
    seen: dict[tuple[str, object], str] = {}
    for name in sources:
        kind, what = _kind_and_what(name)
        # datasets of videos are compared by name, since one folder may contain several
        folders = kind.folders(what, root)
        data = kind.written, what if kind.folders is _video_folders else tuple(folders)
        if data in seen:
            raise SettingsError(
                f"sources {seen[data]!r} and {name!r} are the same; name each once and give "
                "it a larger probability"
            )
        seen[data] = name


def _present(settings: TrainSettings, root: Path) -> tuple[list[str], list[float]]:
    """The sources to use and their probabilities, without those whose optional data are missing."""
    pairs = list(zip(settings.sources, settings.probabilities, strict=True))
    missing = [name for name, _ in pairs if name.endswith("?") and _nothing_there(name, root)]
    used = [(name.removesuffix("?"), p) for name, p in pairs if name not in missing]
    what = ", ".join(name[:-1] for name in missing)
    if not used:
        _say(f"none of {what} is in {root}: training on generated pairs instead, as the card notes")
        return ["generated"], [1.0]
    if missing:
        _say(
            f"{what}: not in {root}, so training uses only "
            f"{', '.join(name for name, _ in used)}, as the card notes"
        )
    return [name for name, _ in used], [p for _, p in used]


def _nothing_there(name: str, root: Path) -> bool:
    """Whether all folders of a source are missing or empty. Half a dataset does not count as
    missing: it is an error."""
    kind, what = _kind_and_what(name)
    folders = kind.folders(what, root)
    return bool(folders) and not any(map(holds_something, folders))


def _say(sentence: str) -> None:
    if started_rank() == 0:  # only the main process warns
        warnings.warn(sentence, stacklevel=4)


def _opened(name: str, settings: TrainSettings, root: Path, cache: FrameCache) -> Parts:
    kind, what = _kind_and_what(name)
    try:
        return load(kind.opener)(what, settings, root, cache)
    except MissingDataError as problem:
        if not _nothing_there(name, root):
            raise
        raise MissingDataError(
            f'{problem}. To train without this source, add "?" to its name: "{name}?"'
        ) from None
