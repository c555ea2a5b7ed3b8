"""`python -m course_lib doctor`: what is there and what is not, with the remedy for each lack."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import sys
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from course_lib.places import PROJECT, data_root
from course_lib.profile import current_profile

GIB = 2**30
OPTIONAL = {"jupyterlab", "ipykernel"}
FOLDERS = {
    "otb": "otb.py",
    "got10k": "got10k.py",
    "lasot": "lasot.py",
    "uav123": "uav123.py",
    "trackingnet": None,
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `level` is "ok", "note" (works without) or "lack" (does not work); `remedy` is a sentence."""

    level: str
    what: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 if something the course cannot do without is missing."""
    findings = [*packages(), *machine(), *widgets(), *data()]
    if arguments.json:
        print(json.dumps([asdict(f) for f in findings], indent=1))
    else:
        for finding in findings:
            print(
                f"{finding.level:5} {finding.what}"
                + (f"\n      → {finding.remedy}" if finding.remedy else "")
            )
    return 1 if any(f.level == "lack" for f in findings) else 0


def packages() -> list[Finding]:
    """Python and every dependency against its lower bound."""
    findings = [
        Finding("ok", f"Python {sys.version.split()[0]}")
    ]  # an older Python could not have installed the course
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["lab"]]:
        name, bound = requirement.split(">=")
        findings.append(_package(name, bound))
    return findings


def _package(name: str, bound: str) -> Finding:
    remedy = "run `make lab` (or `pip install -e .[lab] -c constraints.txt`) in the course's folder"
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            "note" if name in OPTIONAL else "lack",
            f"{name} is not installed (needs >= {bound})",
            remedy,
        )
    if numbers(version) < numbers(bound):
        return Finding("lack", f"{name} {version} is older than {bound}", remedy)
    return Finding("ok", f"{name} {version}")


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing: "2.15.0+cu" → (2, 15, 0)."""
    return tuple(int(n) for n in re.match(r"[0-9.]*", version).group().strip(".").split(".") if n)


def machine() -> list[Finding]:
    """Device, profile, memory and disk."""
    import torch

    findings = []
    if torch.cuda.is_available():
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        memory = torch.cuda.get_device_properties(0).total_memory / GIB
        findings.append(
            Finding("ok", f"GPU {torch.cuda.get_device_name(0)}, {memory:.0f} GiB, {bf16}")
        )
    else:
        findings.append(
            Finding("note", "no GPU that torch can use: experiments run in the size for a laptop")
        )
    findings.append(
        Finding("ok", f"{os.cpu_count()} processor cores, profile {current_profile()!r}")
    )
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
        low = memory < 3.5
        findings.append(
            Finding(
                "note" if low else "ok",
                f"{memory:.1f} GiB of memory",
                "close other programs: lessons want 4 GiB" if low else "",
            )
        )
    free = shutil.disk_usage(PROJECT).free / GIB
    low = free < 2
    findings.append(
        Finding(
            "note" if low else "ok",
            f"{free:.1f} GiB of free disk",
            "make room: results and videos need about 2 GiB" if low else "",
        )
    )
    return findings


def widgets() -> list[Finding]:
    """Whether JupyterLab finds the front ends that the widgets need."""
    found = []
    for name in ("@jupyter-widgets/jupyterlab-manager", "anywidget"):
        places = [Path(sys.prefix) / "share" / "jupyter" / "labextensions" / name]
        there = any(place.is_dir() for place in places)
        remedy = (
            ""
            if there
            else "install ipywidgets and anywidget into the environment that runs JupyterLab"
        )
        found.append(
            Finding(
                "ok" if there else "note",
                f"widget front end {name}{'' if there else ' not found'}",
                remedy,
            )
        )
    return found


def data() -> list[Finding]:
    """Which benchmarks and datasets stand below the data root. None is needed: generated clips are always there."""
    root = data_root()
    findings = [Finding("ok", "generated-v1: 24 clips made by code, nothing to download")]
    for name, script in FOLDERS.items():
        if (root / name).is_dir():
            findings.append(Finding("ok", f"{name} in {root / name}"))
        elif script:
            findings.append(
                Finding(
                    "note",
                    f"{name} is not in {root}",
                    f"`python data_scripts/{script}` fetches it or says where to put it",
                )
            )
    years = sorted(p.name for p in root.glob("vot20*") if p.is_dir())
    remedy = "" if years else "`python data_scripts/vot.py 2018` fetches one year"
    findings.append(
        Finding(
            "ok" if years else "note", f"VOT: {', '.join(years) or f'no year in {root}'}", remedy
        )
    )
    return findings
