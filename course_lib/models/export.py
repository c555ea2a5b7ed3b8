"""One-stream networks as ONNX files that stock OpenCV runs, as `cv2.TrackerVit`.

The interface is that of OpenCV's VitTrack: inputs "template" (1, 3, 128, 128) and "search" (1, 3,
256, 256), RGB, normalised by ImageNet's mean and deviation, cut with black beyond the frame;
outputs "output1", the score (1, 1, 16, 16), and "output2", the size (1, 2, 16, 16), both after
their sigmoids, and "output3", the offset (1, 2, 16, 16).
"""

from __future__ import annotations

import copy
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from course_lib.errors import CourseError, DataError
from course_lib.files import whole_file
from course_lib.models.runtime import fold_all
from course_lib.models.stems import DEVIATION, MEAN, denormalised, normalised
from course_lib.models.stream_template import SEARCH, TEMPLATE

if TYPE_CHECKING:
    from course_lib.models.onestream import OneStream

INPUTS = ("template", "search")
OUTPUTS = ("output1", "output2", "output3")  # score, size, offset
OPSET = 14  # version of ONNX's operators
CLOSE = 1e-5  # largest difference that is allowed between OpenCV's maps and PyTorch's
SAME_SCORE = 1e-4  # largest difference of a score of TrackerVit from that of the file's maps
TRIALS = 3  # pairs of random images on which they are compared


class ForOpenCV(nn.Module):
    """A one-stream network with the inputs and outputs of `cv2.TrackerVit`.

    Args:
        network: trained; a copy of it is used, with its batch norms folded.
    """

    def __init__(self, network: OneStream) -> None:
        super().__init__()
        self.network = fold_all(copy.deepcopy(network).float().cpu())

    def forward(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score (B, 1, 16, 16), size and offset (B, 2, 16, 16) each, of templates (B, 3, 128, 128)
        and search images (B, 3, 256, 256), normalised; the network itself takes values 0…255."""
        maps = self.network(denormalised(template), denormalised(search))
        return maps.score, maps.size, maps.offset


def export(network: OneStream, path: Path | str) -> float:
    """Write a network as an ONNX file, and keep it only if OpenCV reads it and computes the same.

    PyTorch's older exporter is used, because OpenCV's reader crashes on the file of its default
    one.

    Args:
        network: a trained one-stream network.
        path: of the file (.onnx); an old one is replaced only by a file that was checked.

    Returns:
        The largest difference between OpenCV's maps and PyTorch's, at most CLOSE.

    Raises:
        DataError: if the network makes no centre maps or does not look at the template, if the
            path does not end in .onnx, or if OpenCV does not read the file or computes something
            else.
        CourseError: if the package onnx is not installed.
    """
    path = Path(path)
    _check(network, path)
    model = ForOpenCV(network).eval()
    with whole_file(path) as part:
        _write(model, part)
        return _compare(model, part, path)


def _check(network: OneStream, path: Path) -> None:
    """Refuse what cannot be exported."""
    if path.suffix != ".onnx":
        raise DataError(f"the file is to be called {path}; expected a name that ends in .onnx")
    if getattr(network, "output", "") != "centres":
        raise DataError(
            f"the network is a {getattr(network, 'name', type(network).__name__)}, which makes no "
            "centre maps; TrackerVit runs only those of a onestream"
        )
    if not network.joint:
        raise DataError(
            "the network was trained with joint=false, so its maps do not depend on the template; "
            "TrackerVit needs one with joint=true"
        )
    if find_spec("onnx") is None:
        raise CourseError(
            f"PyTorch's exporter needs the package onnx, which is not installed in "
            f"{sys.executable}; run `pip install -e '.[export]' -c constraints.txt` in the "
            "course's folder"
        )


def _write(model: ForOpenCV, path: Path) -> None:
    """Write the file, unchecked."""
    example = tuple(torch.zeros(1, 3, side, side) for side in (TEMPLATE, SEARCH))
    with warnings.catch_warnings(), torch.no_grad():
        # this exporter is deprecated, and warns of every size that it becomes a constant
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            str(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=False,
        )


def _compare(model: ForOpenCV, part: Path, path: Path) -> float:
    """The largest difference between the maps of a file, which will be called `path`, and the
    model's own; DataError if there are none, or if it is larger than CLOSE."""
    draw = torch.Generator().manual_seed(0)
    worst = 0.0
    for _ in range(TRIALS):
        images = [
            normalised(255 * torch.rand(1, 3, side, side, generator=draw))
            for side in (TEMPLATE, SEARCH)
        ]
        with torch.no_grad():
            wanted = model(*images)
        try:
            found = by_opencv(part, *(image.numpy() for image in images))
        except cv2.error as problem:
            raise DataError(
                f"OpenCV {cv2.__version__} cannot run the network ({problem.err.strip()}), so "
                f"{path} was not written; install the OpenCV of constraints.txt, or export a network of other "
                "layers"
            ) from None
        off = [np.abs(a - b.numpy()).max() for a, b in zip(found, wanted, strict=True)]
        worst = float(np.max([worst, *off]))  # NaN if one of them is
    if not worst <= CLOSE:
        raise DataError(
            f"OpenCV {cv2.__version__} computes maps that differ from PyTorch's by {worst:.1e}, "
            f"expected at most {CLOSE:.0e}, so {path} was not written; install the OpenCV of "
            "constraints.txt"
        )
    return worst


def by_opencv(path: Path | str, template: np.ndarray, search: np.ndarray) -> tuple[np.ndarray, ...]:
    """Score (1, 1, 16, 16), size and offset (1, 2, 16, 16) each, that OpenCV computes from a file.

    Args:
        path: of the ONNX file.
        template: (1, 3, 128, 128) float32, normalised.
        search: (1, 3, 256, 256) float32, normalised.
    """
    net = cv2.dnn.readNet(str(path))
    for name, image in zip(INPUTS, (template, search), strict=True):
        net.setInput(image, name)
    return tuple(net.forward(list(OUTPUTS)))


def opencv_tracker(path: Path | str, threshold: float = 0.2) -> cv2.TrackerVit:
    """OpenCV's tracker with a network from a file; its frames are RGB, since it swaps no colours.

    Args:
        path: of the ONNX file.
        threshold: of the score times the Hann window; below it, `update` says False.

    Raises:
        DataError: see `needed_deviation`.
    """
    return _with_deviation(path, needed_deviation(path), threshold)


def needed_deviation(path: Path | str) -> tuple[float, ...]:
    """The deviations (3) to give to the installed OpenCV's TrackerVit, as `stdvalue`.

    OpenCV means to divide by each colour's deviation, but computes the inverse of its Scalar, and a
    Scalar is a quaternion: (a, b, c) becomes (a, −b, −c) / (a² + b² + c²), two colours with the
    wrong sign and all three too faint. Given the inverse of what is wanted, it computes what is
    wanted. Which of the two this OpenCV needs is found by trying both on noise.

    Args:
        path: of the ONNX file.

    Raises:
        DataError: if neither makes it find the score that the file's own maps give.
    """
    wanted, frame, box = _noise_and_score(path)
    found = {}
    for deviation in (DEVIATION, turned_deviation()):
        tracker = _with_deviation(path, deviation, 0.0)
        tracker.init(frame, box)
        tracker.update(frame)
        found[deviation] = abs(tracker.getTrackingScore() - wanted)
    best = min(found, key=found.__getitem__)
    if not found[best] <= SAME_SCORE:
        raise DataError(
            f"TrackerVit of OpenCV {cv2.__version__} finds a score that differs by "
            f"{found[best]:.1e} from that of the maps of {path}, expected at most "
            f"{SAME_SCORE:.0e}; install the OpenCV of constraints.txt"
        )
    return best


def turned_deviation() -> tuple[float, ...]:
    """The deviations (3) whose inverse, as that of a quaternion, is 1 / DEVIATION."""
    v = 1 / np.array(DEVIATION)
    return tuple((v * (1, -1, -1) / (v**2).sum()).tolist())


def _with_deviation(
    path: Path | str, deviation: tuple[float, ...], threshold: float
) -> cv2.TrackerVit:
    given = cv2.TrackerVit_Params()
    given.net, given.tracking_score_threshold = str(path), threshold
    given.meanvalue, given.stdvalue = (*MEAN, 0.0), (*deviation, 0.0)
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:  # every time, OpenCV 5 says that it passes over a device that nobody asked for
        return cv2.TrackerVit_create(given)
    finally:
        cv2.utils.logging.setLogLevel(before)


def _noise_and_score(path: Path | str) -> tuple[float, np.ndarray, tuple[int, ...]]:
    """The highest score times the Hann window that a file's maps have for a frame of noise, that
    frame, and the box; its crops are cut without resampling."""
    frame = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    crops = (frame[96:224, 96:224], frame[32:288, 32:288])  # twice and four times the box
    images = [normalised(torch.from_numpy(c).permute(2, 0, 1)[None].float()) for c in crops]
    score = by_opencv(path, *(image.numpy() for image in images))[0][0, 0]  # (16, 16)
    line = np.hanning(len(score) + 2)[1:-1]
    return float((score * np.outer(line, line)).max()), frame, (128, 128, 64, 64)
