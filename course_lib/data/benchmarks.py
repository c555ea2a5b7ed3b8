"""Benchmarks by name: `load_benchmark("otb100")`, `load_benchmark("otb+vot2014")`,
`load_benchmark("generated-v1")`."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from course_lib.data.otb_names import OTB_LISTS
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import MissingDataError, SettingsError
from course_lib.geometry.boxes import area_preserving_box, bounding_box
from course_lib.lookup import load
from course_lib.places import data_root

BOUNDING = "-bounding"  # suffix of a VOT benchmark whose trackers get the boxes of VOT's toolkit

# A folder of your own sequences, "folder:PATH"; 0 or 1 is the top-left pixel's number in its files.
OWN = re.compile(r"folder([01]?):(.*)", re.DOTALL)

# Benchmarks made by code, and the function that makes each; imported when asked for.
GENERATED = {
    "generated-v1": "course_lib.data.generated:generated_benchmark",
    "generated-alike-v1": "course_lib.data.generated:alike_benchmark",
}
READERS = "course_lib.data.readers"
# Folder of each benchmark below the data root, and its reader. "vot" with any year is read too;
# OTB's lists have their own reader.
FOLDERS = {
    "got10k-train": ("got10k/train", f"{READERS}.got10k:read_got10k"),
    "got10k-val": ("got10k/val", f"{READERS}.got10k:read_got10k"),
    "got10k-test": ("got10k/test", f"{READERS}.got10k:read_got10k"),
    "lasot": ("lasot", f"{READERS}.lasot:read_lasot"),
    "lasot-train": ("lasot", f"{READERS}.lasot:read_lasot_train"),
    "trackingnet-test": ("trackingnet/TEST", f"{READERS}.trackingnet:read_trackingnet"),
    "trackingnet-train": ("trackingnet", f"{READERS}.trackingnet:read_trackingnet_train"),
    "vid": ("ilsvrc-vid", f"{READERS}.vid:read_vid"),
    "uav123": ("uav123", f"{READERS}.uav123:read_uav123"),
    "nfs30": ("nfs", f"{READERS}.nfs:read_nfs30"),
    "nfs240": ("nfs", f"{READERS}.nfs:read_nfs240"),
}


def benchmark_names() -> list[str]:
    """The names `load_benchmark` knows; "vot2014" and "vot2018" are examples for any year."""
    return [*GENERATED, "otb", *OTB_LISTS, "vot2014", "vot2018", *FOLDERS]


def load_benchmark(name: str, root: Path | str | None = None) -> Benchmark:
    """The benchmark called `name`; its frames are listed, but none is decoded.

    "generated-v1" and "generated-alike-v1" need no data. "otb" is every sequence in `<root>/otb`;
    "otb2013", "otb50" and "otb100" are the published lists within it. "vot2014" is
    `<root>/vot2014`, and likewise for every year. Its boxes are made from polygons by
    `area_preserving_box`, as in pysot; those of "vot2014-bounding" by `bounding_box`, as in VOT's
    toolkit, so its results have their own folder. "got10k-val", "got10k-test", "got10k-train",
    "lasot", "trackingnet-test" and "uav123" are in `<root>/got10k/val` and so on; "nfs30" and
    "nfs240" are `<root>/nfs` at 30 and 240 frames per second. "folder:PATH" is
    a folder of your own sequences, see `readers.own`; "folder0:PATH" and "folder1:PATH" say
    from which number its box files count pixels.

    Args:
        name: name of the benchmark, or several joined with "+"; everything after "folder:" is a
            path.
        root: folder of the datasets; `data_root()` by default.

    Raises:
        SettingsError: the name is unknown.
        MissingDataError: the data are missing.
        DataError: a file, which is named, does not follow its layout.
    """
    root = Path(data_root() if root is None else root)
    parts = _parts(name)
    if len(parts) > 1:
        return _join([load_benchmark(part, root) for part in parts])
    if own := OWN.fullmatch(name):
        return _own(*own.groups())
    if name in GENERATED:
        return load(GENERATED[name])()
    if name == "otb" or name in OTB_LISTS:
        sequences = load(f"{READERS}.otb:read_otb_list")(root / "otb", name)
        return Benchmark(name, tuple(sequences), first_pixel=1)
    if re.fullmatch(rf"vot20[0-9]{{2}}({BOUNDING})?", name):
        box = bounding_box if name.endswith(BOUNDING) else area_preserving_box
        read = load(f"{READERS}.vot:read_vot")
        return Benchmark(name, tuple(read(root / name.removesuffix(BOUNDING), box)))
    if name in FOLDERS:
        folder, read = FOLDERS[name]
        return Benchmark(name, tuple(load(read)(root / folder)))
    raise _unknown(name)


def real_sequences() -> tuple[Sequence, ...]:
    """The sequences of OTB and VOT-2014 in the data folder, an empty tuple where they are not:
    lessons show some of them beside generated ones."""
    found: list[Sequence] = []
    for name in ("otb", "vot2014"):
        try:
            found += load_benchmark(name)
        except MissingDataError:
            continue
    return tuple(found)


def _parts(name: str) -> list[str]:
    """The names joined with "+"; a "+" in a folder's path does not separate."""
    head, *own = re.split(r"(?:^|\+)(?=folder[01]?:)", name, maxsplit=1)
    return [*(head.split("+") if head or not own else []), *own]


def _own(first_pixel: str, path: str) -> Benchmark:
    if not path.strip():
        raise SettingsError("'folder:' has no path; expected, for example, folder:my_clips")
    read = load(f"{READERS}.own:read_own")
    return read(Path(path), int(first_pixel) if first_pixel else None)


def _join(parts: list[Benchmark]) -> Benchmark:
    """One benchmark made of several; a sequence name that appears twice gets its benchmark's as a
    prefix, "otb-Car1"."""
    counts = Counter(sequence.name for part in parts for sequence in part)
    sequences = [
        replace(sequence, name=f"{part.name}-{sequence.name}")
        if counts[sequence.name] > 1
        else sequence
        for part in parts
        for sequence in part
    ]
    name, source = ("+".join(getattr(part, key) for part in parts) for key in ("name", "source"))
    return Benchmark(name, tuple(sequences), source=source)


def _unknown(name: str) -> SettingsError:
    names = benchmark_names()
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    guess = f"Did you mean {' or '.join(near)}?" if near else f"Known names: {', '.join(names)}."
    if name.strip() and (Path(name).expanduser().is_dir() or "/" in name or "\\" in name):
        guess = f"For a folder of your own sequences, write folder:{name}."
    return SettingsError(
        f"there is no benchmark {name!r}. {guess} Join several with '+', for example otb+vot2014."
    )
