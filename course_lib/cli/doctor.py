"""`python -m course_lib doctor`: checks the installation, with a remedy for whatever is missing.

It runs even where the course does not: it needs only Python itself.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from course_lib.errors import SettingsError
from course_lib.places import MY_WORK, PROJECT, RUNS, SHIPPED, data_root
from course_lib.profile import current_profile

GIB = 2**30
INSTALL = "run `make lab` (or `pip install -e '.[lab]' -c constraints.txt`) in the course's folder"
OPTIONAL = {"jupyterlab", "ipykernel", "ipywidgets"}
# packages with machine code, which may be installed and still not load; the other names of OpenCV's
# package
COMPILED = {"torch": "torch", "torchvision": "torchvision", "opencv-python": "cv2", "av": "av"}
COMPILED |= {name: name for name in ("numpy", "scipy", "matplotlib")}
OPENCV = ("opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")
FOLDERS = {
    "otb": "otb.py",
    "got10k/train": "got10k.py --split train",
    "got10k/val": "got10k.py --split val",
    "got10k/test": "got10k.py --split test",
    "lasot": "lasot.py",
    "uav123": "uav123.py",
    # without a script: named only where they are there
    "trackingnet": None,
    "nfs": None,
    "ilsvrc-vid": None,
}


@dataclass(frozen=True)
class Finding:
    """One thing checked. `level` is "ok", "note" (works without it) or "lack" (does not work);
    `remedy` is a sentence."""

    level: str
    what: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; returns 1 if something necessary is missing."""
    findings = [*packages(), *machine(), *programs(), *folders(), *widgets(), *data()]
    if arguments.json:
        print(json.dumps([asdict(f) for f in findings], indent=1))
    else:
        for finding, after in zip(findings, [*findings[1:], None], strict=True):
            print(f"{finding.level:5} {finding.what}")
            if finding.remedy and not (after and after.remedy == finding.remedy):
                print(f"      → {finding.remedy}")
    return 1 if any(f.level == "lack" for f in findings) else 0


def packages() -> list[Finding]:
    """Python and every dependency: whether it is installed, new enough, and loads."""
    found = [Finding("ok", f"Python {sys.version.split()[0]} ({sys.executable})")]
    return found + [_package(name, bound) for name, bound in requirements()]


def requirements() -> Iterator[tuple[str, str]]:
    """Name and lower bound of every package that the course and its notebooks need, from the
    project or from the installed package."""
    declared = SHIPPED / "pyproject.toml"
    if declared.is_file():
        import tomllib

        project = tomllib.loads(declared.read_text(encoding="utf-8"))["project"]
        rows = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    else:
        rows = importlib.metadata.requires("tracking-course") or []
    for row in rows:
        requirement, _, marker = row.partition(";")
        if not marker or re.search(r"extra == .lab.", marker):
            name, _, bound = requirement.strip().partition(">=")
            yield name, bound


def _package(name: str, bound: str) -> Finding:
    version = _version(name)
    if version is None:
        level = "note" if name in OPTIONAL else "lack"
        return Finding(level, f"{name} is not installed (needs >= {bound})", INSTALL)
    if numbers(version) < numbers(bound):
        return Finding("lack", f"{name} {version} is older than {bound}", INSTALL)
    fault = loading_fault(COMPILED[name]) if name in COMPILED else ""
    if fault:
        return Finding("lack", f"{name} {version} does not load: {fault}", _repair(name, fault))
    return Finding("ok", f"{name} {version}")


def _version(name: str) -> str | None:
    for other in (name, *(OPENCV if name == "opencv-python" else ())):
        try:
            return importlib.metadata.version(other)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def loading_fault(module: str) -> str:
    """Why a module does not load, in one line; "" if it does."""
    try:
        importlib.import_module(module)
    except Exception as problem:  # a broken installation raises whatever it likes
        return f"{type(problem).__name__}: {problem}".splitlines()[0]
    return ""


def _repair(name: str, fault: str) -> str:
    if name == "opencv-python" and re.search(r"lib(GL|gthread|glib)", fault):
        return (
            "install the system's libraries for it (Debian, Ubuntu: `apt install libgl1 "
            "libglib2.0-0`)"
        )
    return (
        f"install it again: `{sys.executable} -m pip install --force-reinstall {name} -c "
        "constraints.txt`"
    )


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing: "2.15.0+cu" → (2, 15, 0)."""
    return tuple(int(n) for n in re.match(r"[0-9.]*", version).group().strip(".").split(".") if n)


def machine() -> list[Finding]:
    """Device, profile, memory and disk."""
    return [_gpu(), _profile(), *_memory(), _disk()]


def _gpu() -> Finding:
    if loading_fault("torch"):
        return Finding("note", "without torch a GPU cannot be detected", INSTALL)
    import torch

    if torch.cuda.is_available():
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        memory = torch.cuda.get_device_properties(0).total_memory / GIB
        return Finding("ok", f"GPU {torch.cuda.get_device_name(0)}, {memory:.0f} GiB, {bf16}")
    if shutil.which("nvidia-smi"):
        return Finding(
            "note",
            f"there is an NVIDIA driver, but torch {torch.__version__} finds no GPU it can use",
            "if `nvidia-smi` lists one, update its driver, or install the torch that fits it: see "
            "pytorch.org/get-started",
        )
    return Finding(
        "note",
        "no GPU that torch can use: experiments run at laptop size",
        "the lessons need none; to train at the papers' sizes use a machine with an NVIDIA GPU",
    )


def _profile() -> Finding:
    cores = f"{os.cpu_count()} processor cores"
    try:
        return Finding("ok", f"{cores}, profile {current_profile()!r}")
    except SettingsError as problem:
        return Finding("lack", f"{cores}; {problem}", "`unset COURSE_PROFILE`")
    except Exception:  # it asks torch, which does not load: reported above
        return Finding("ok", cores)


def _memory() -> list[Finding]:
    if not (hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names):
        return []
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    remedy = "close other programs: lessons need 4 GiB" if memory < 3.5 else ""
    return [Finding("note" if remedy else "ok", f"{memory:.1f} GiB of memory", remedy)]


def _disk() -> Finding:
    free = shutil.disk_usage(_nearest(RUNS)).free / GIB
    remedy = "free some disk space: results and videos need about 2 GiB" if free < 2 else ""
    return Finding("note" if remedy else "ok", f"{free:.1f} GiB of free disk in {PROJECT}", remedy)


def programs() -> list[Finding]:
    """Other programs that the course uses."""
    uses = {
        "git": ("results do not say which commit made them", "install git"),
        "make": ("`make lab` and the like do not work", "use `python -m course_lib lab` instead"),
    }
    return [
        Finding("ok", name)
        if shutil.which(name)
        else Finding("note", f"{name} is not found: {without}", remedy)
        for name, (without, remedy) in uses.items()
    ]


def folders() -> list[Finding]:
    """Whether the course's own files are there, and whether results and a student's work can be
    written."""
    return [
        *(_own(name) for name in ("notebooks", "recipes", "weights")),
        *map(_writable, (RUNS, MY_WORK)),
    ]


def _own(name: str) -> Finding:
    count = len([p for p in (SHIPPED / name).glob("*") if p.suffix != ".json"])
    if count:
        return Finding("ok", f"{count} files in {SHIPPED / name}")
    return Finding(
        "lack",
        f"no files in {SHIPPED / name}",
        "get the whole course again: `git clone`",
    )


def _writable(folder: Path) -> Finding:
    """Tried by writing a file: permissions alone do not tell (root, read-only disks, Windows)."""
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            return Finding("ok", f"{folder} can be written")
    except OSError as problem:
        reason = problem.strerror or problem
        remedy = (
            f"change the permissions of {_nearest(folder)}, or copy the course to your own folder"
        )
        if _nearest(folder).is_file():
            remedy = f"{_nearest(folder)} is a file where a folder belongs: move it away"
        return Finding("lack", f"{folder} cannot be written ({reason})", remedy)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(p for p in (folder, *folder.parents) if p.exists())


def widgets() -> list[Finding]:
    """Whether JupyterLab finds the front ends that the widgets need."""
    try:
        from jupyter_core.paths import jupyter_path

        roots = [Path(p) for p in jupyter_path("labextensions")]
    except ImportError:
        roots = [Path(sys.prefix) / "share" / "jupyter" / "labextensions"]
    found = []
    for name in ("@jupyter-widgets/jupyterlab-manager", "anywidget"):
        if any((root / name).is_dir() for root in roots):
            found.append(Finding("ok", f"widget front end {name}"))
        else:
            remedy = (
                "install ipywidgets >= 8.1 and anywidget into the environment that runs JupyterLab"
            )
            found.append(Finding("note", f"widget front end {name} not found", remedy))
    return found


def data() -> list[Finding]:
    """Which benchmarks and datasets are below the data root. None is needed: generated sequences are
    always available."""
    root = data_root()
    findings = [Finding("ok", "generated-v1: 24 sequences made by code, nothing to download")]
    if os.environ.get("COURSE_DATA") and not root.is_dir():
        fault = "is a file" if root.exists() else "does not exist"
        remedy = "set it to the folder that holds otb/, vot2014/ and so on, or unset it"
        return [*findings, Finding("lack", f"COURSE_DATA is {str(root)!r}, which {fault}", remedy)]
    for name, script in FOLDERS.items():
        if _filled(root / name):
            findings.append(Finding("ok", f"{name} in {root / name}"))
        elif script:
            remedy = f"`python data_scripts/{script}` fetches it or says where to put it"
            findings.append(Finding("note", f"{name} is not in {root}", remedy))
    years = sorted(p.name for p in root.glob("vot20*") if _filled(p))
    if years:
        return [*findings, Finding("ok", f"VOT: {', '.join(years)}")]
    remedy = "`python data_scripts/vot.py 2018` fetches one year"
    return [*findings, Finding("note", f"VOT: no year in {root}", remedy)]


def _filled(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
