"""The data scripts as modules, and small archives in the datasets' layouts, for the tests."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np

SCRIPTS = Path(__file__).resolve().parents[2] / "data_scripts"
if (
    str(SCRIPTS) not in sys.path
):  # at the end: the script got10k.py must not hide the toolkit of that name
    sys.path.append(str(SCRIPTS))

_checksums, _description, _download, _errors, _install, _script, _unpack, _workplace = map(
    importlib.import_module,
    (
        *("_checksums", "_description", "_download", "_errors"),
        *("_install", "_script", "_unpack", "_workplace"),
    ),
)
DownloadError, download = _errors.DownloadError, _download.download
run, unpack = _script.run, _unpack.unpack

CONTENT = bytes(range(256)) * 4000
QUICK = (0, 0, 0)


def script(name: str):
    """One of the scripts as a module."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def options_of(name: str) -> list[str]:
    """The arguments a script needs besides the root of the data."""
    return {"vot": ["2018"], "shards": ["got10k-val"]}.get(name, [])


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def jpeg(value: int) -> bytes:
    return cv2.imencode(".jpg", np.full((20, 30, 3), value, np.uint8))[1].tobytes()


def video(name: str, frames: int = 3) -> dict[str, bytes]:
    files = {f"{name}/img/{t:04d}.jpg": jpeg(40 * t) for t in range(1, frames + 1)}
    return files | {
        f"{name}/groundtruth_rect.txt": b"1,2,5,6\n" * frames,
        f"__MACOSX/{name}/._img": b"clutter",
    }


def got10k_video(name: str, frames: int = 1, value: int = 5) -> dict[str, bytes]:
    """Members of a GOT-10k archive: one sequence."""
    files = {f"{name}/{t:08d}.jpg": jpeg(value) for t in range(1, frames + 1)}
    return files | {f"{name}/groundtruth.txt": b"1,2,3,4\n" * frames}


def lasot_video(name: str) -> dict[str, bytes]:
    """Members of a LaSOT archive: one sequence of one frame."""
    members = {f"{name}/groundtruth.txt": b"1,2,3,4\n", f"{name}/img/00000001.jpg": jpeg(5)}
    return members | {f"{name}/full_occlusion.txt": b"0\n", f"{name}/out_of_view.txt": b"0\n"}
