"""Benchmarks by name: `load_benchmark("otb100")`, `load_benchmark("otb+vot2014")`,
`load_benchmark("generated-v1")`."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from course_lib.data.otb_names import OTB_LISTS
from course_lib.data.sequence import Benchmark
from course_lib.errors import SettingsError
from course_lib.geometry.boxes import area_preserving_box, bounding_box
from course_lib.lookup import load
from course_lib.places import data_root

BOUNDING = "-bounding"  # ending of a VOT benchmark whose trackers get the boxes of VOT's toolkit

# A folder of one's own clips, "folder:PATH"; 0 or 1: what its files call the top-left pixel.
OWN = re.compile(r"folder([01]?):(.*)", re.DOTALL)

# Benchmarks made by code, and what makes each; imported when asked for.
GENERATED = {
    "generated-v1": "course_lib.data.generated:generated_benchmark",
    "generated-alike-v1": "course_lib.data.generated:alike_benchmark",
}
READERS = "course_lib.data.readers"
# Where below the data root each benchmark stands, and what reads it. Any "vot" with a year is read
# too, and OTB has a reader of its own for its lists.
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
}


def benchmark_names() -> list[str]:
    """The names `load_benchmark` knows; "vot2014" and "vot2018" stand for every year."""
    return [*GENERATED, "otb", *OTB_LISTS, "vot2014", "vot2018", *FOLDERS]


def load_benchmark(name: str, root: Path | str | None = None) -> Benchmark:
    """The benchmark called `name`; frames are listed, none is decoded.

    "generated-v1" and "generated-alike-v1" need no data. "otb" is every sequence in `<root>/otb`;
    "otb2013", "otb50", "otb100" the published lists inside it; "vot2014" is `<root>/vot2014`, and
    so for every year. Its boxes, made from polygons, are `area_preserving_box`es, pysot's;
    "vot2014-bounding" has VOT's toolkit's, `bounding_box`, and so its results stand in a folder of
    their own. "got10k-val", "got10k-test", "got10k-train", "lasot", "trackingnet-test", "uav123"
    stand in `<root>/got10k/val` and so on. "folder:PATH" is a folder of one's own clips, see
    `readers.own`; "folder0:PATH" and "folder1:PATH" say what its files of boxes call the top-left
    pixel.

    Args:
        name: of the benchmark, or several joined with "+"; all that follows "folder:" is its path.
        root: where the datasets stand; `data_root()` unless given.

    Raises:
        SettingsError: for an unknown name.
        MissingDataError: if the data are not there.
        DataError: naming the file, if one is not as its layout promises.
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


def _parts(name: str) -> list[str]:
    """Names joined with "+"; a "+" in the path of a folder stays there."""
    head, *own = re.split(r"(?:^|\+)(?=folder[01]?:)", name, maxsplit=1)
    return [*(head.split("+") if head or not own else []), *own]


def _own(first_pixel: str, path: str) -> Benchmark:
    if not path.strip():
        raise SettingsError("folder: has no path; expected for example folder:my_clips")
    read = load(f"{READERS}.own:read_own")
    return read(Path(path), int(first_pixel) if first_pixel else None)


def _join(parts: list[Benchmark]) -> Benchmark:
    """One benchmark of several; a sequence name that appears twice is led by its benchmark's,
    "otb-Car1"."""
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
    guess = f"Did you mean {' or '.join(near)}?" if near else f"Known are {', '.join(names)}."
    if name.strip() and (Path(name).expanduser().is_dir() or "/" in name or "\\" in name):
        guess = f"A folder of your own clips is named as folder:{name}."
    return SettingsError(
        f"there is no benchmark {name!r}. {guess} Join several with '+', for example otb+vot2014."
    )
