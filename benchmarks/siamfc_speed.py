"""How fast are SiamFC's tracking, training and data, each beside the usual implementation?

OMP_NUM_THREADS=1 python benchmarks/siamfc_speed.py --write results/siamfc_speed.json

Tracking and training: the same network, plain (NCHW, single precision, grouped correlation, padded
copies for crops) against the course's. Data: 720p JPEG frames to pairs, with a mean in float and a
decode for the size, against the course's. On a GPU, pairs per second with generated data and with
JPEG beside the network alone, and tracking in lock-step. No lesson reads the file.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from measure import measure, options_of, tracking_speeds, write_results

from course_lib.data.frames import ImageFiles
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.loader import batches
from course_lib.data.objects import generated_objects
from course_lib.data.pairs import Augmentation, PairSource, pair_at
from course_lib.data.pairs_photo import PhotoPairs
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.sequence import Sequence
from course_lib.evaluation.lockstep import track_in_lockstep
from course_lib.geometry.windows import CropWindow, search_side
from course_lib.models.alexnet import WIDTHS
from course_lib.models.correlation import cross_correlate_grouped
from course_lib.models.device import Placement, choose_placement, has_bf16
from course_lib.models.losses import balanced_logistic_loss, label_map
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.siamfc import SiamFC
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker
from course_lib.training.step import descend, predict

CPU = torch.device("cpu")
Fed = Iterator[tuple[torch.Tensor, torch.Tensor]]  # exemplars and search images, batch by batch


class PlainTracker:
    """SiamFC-3s as it is often written: NCHW, single precision, padded copies of the frame."""

    def __init__(self, network: SiamFC) -> None:
        self.network = network.eval()
        self.tracker = SiamFCTracker(
            SiamFCSettings(), SiamFCRuntime(network, Placement(CPU, False, False))
        )

    @staticmethod
    def crop(frame: np.ndarray, window) -> np.ndarray:
        """Pad with the mean, slice, resize."""
        colour = np.mean(frame, axis=(0, 1))
        half = window.side / 2
        x0, y0, side = round(window.cx - half), round(window.cy - half), max(round(window.side), 1)
        pad = max(0, -x0, -y0, x0 + side - frame.shape[1], y0 + side - frame.shape[0])
        padded = cv2.copyMakeBorder(frame, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=colour)
        part = padded[y0 + pad : y0 + pad + side, x0 + pad : x0 + pad + side]
        return cv2.resize(part, (window.size, window.size))

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """As the course's."""
        self.tracker.init(frame, box)
        with torch.no_grad():
            self.z = self.network.features(self.images(self.tracker.last.crop[None]))

    @staticmethod
    def images(crops: np.ndarray) -> torch.Tensor:
        """Crops (N, S, S, 3) as NCHW."""
        return torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))).float()

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The course's arithmetic on plainly computed responses."""
        t = self.tracker
        t.look(frame[:2, :2])  # windows only
        t.frame_size = np.array(frame.shape[1::-1])
        crops = np.stack([self.crop(frame, w) for w in t.windows])
        with torch.no_grad():
            x = self.network.features(self.images(crops))
            responses = (
                1e-3 * cross_correlate_grouped(self.z.expand(len(x), -1, -1, -1), x)
                + self.network.bias
            )
        return t.decide(responses.numpy())


def tracking(widths: tuple[int, ...], frames: int = 12) -> dict[str, float]:
    """Frames per second of the plain tracker and of the course's, in each precision."""
    network = SiamFC(widths=widths).eval()
    makers = {"plain": partial(PlainTracker, network)}
    for name in ("fp32", "bf16") if has_bf16(CPU) else ("fp32",):
        runtime = SiamFCRuntime(network, Placement(CPU, bf16=name == "bf16"))
        makers[name] = partial(SiamFCTracker, SiamFCSettings(), runtime)
    sequence = make_sequence(random_spec(5, length=frames + 1, height=480, width=640))
    return tracking_speeds(makers, sequence)[0]


def training(widths: tuple[int, ...], batch: int = 8) -> dict[str, float]:
    """Pairs per second of one training step, with the data ready."""
    z, x = torch.rand(batch, 3, 127, 127) * 255, torch.rand(batch, 3, 239, 239) * 255
    labels = label_map(15, 8, 16.0).expand(batch, 15, 15)

    def plain() -> int:
        response = 1e-3 * cross_correlate_grouped(old.features(z), old.features(x)) + old.bias
        old_optimiser.zero_grad()
        balanced_logistic_loss(response, labels).backward()
        old_optimiser.step()
        return batch

    def ours() -> int:
        response = predict(new, place.images(z), place.images(x), place.bf16)
        descend(new, new_optimiser, balanced_logistic_loss(response, labels), 10.0)
        return batch

    place = choose_placement("cpu")
    old, new = SiamFC(widths=widths), place.network(SiamFC(widths=widths))
    old_optimiser, new_optimiser = (
        torch.optim.SGD(n.parameters(), lr=1e-4, momentum=0.9) for n in (old, new)
    )
    return measure({"plain": plain, "ours": ours}, rounds=2)


def slow_pair(sequence: Sequence, first: int, second: int) -> list[np.ndarray]:
    """Two crops, as often implemented: a decode for the size, one for the pixels, a padded copy.

    Args:
        sequence: of image files.
        first, second: frames of exemplar and search image.
    """
    crops = []
    for t, size in ((first, 127), (second, 239)):
        _ = cv2.imread(str(sequence.frames.paths[t])).shape
        frame = cv2.cvtColor(cv2.imread(str(sequence.frames.paths[t])), cv2.COLOR_BGR2RGB)
        x, y, w, h = sequence.boxes[t]
        side = float(search_side(sequence.boxes[t], search=size))
        window = CropWindow(x + w / 2, y + h / 2, side, size)
        crops.append(PlainTracker.crop(frame, window))
    return crops


def jpeg_video(folder: Path) -> Sequence:
    """Eight frames of 1280 × 720 as JPEG files."""
    sequence = make_sequence(random_spec(9, length=8, height=720, width=1280, size=90.0))
    paths = [folder / f"{t:04d}.jpg" for t in range(len(sequence))]
    for path, frame in zip(paths, sequence.frames, strict=True):
        cv2.imwrite(str(path), frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return Sequence("clip", ImageFiles(paths), sequence.boxes)


def data(count: int = 24) -> dict[str, float]:
    """Pairs per second and core from 720p JPEG files."""
    with tempfile.TemporaryDirectory() as folder:
        video = jpeg_video(Path(folder))
        source = VideoPairs([video], Augmentation())

        def ours() -> int:
            for i in range(count):
                pair_at(source, 0, i)
            return count

        def plain() -> int:
            for i in range(count // 2):
                slow_pair(video, i % 8, (i + 3) % 8)
            return count // 2

        return measure({"plain": plain, "ours": ours})


def gpu(batch: int = 64, seconds: float = 8.0) -> dict[str, float]:
    """Pairs per second of the network alone, and with pairs made by 14 processes beside it.

    Args:
        batch: pairs per step.
        seconds: of each round.
    """
    place = choose_placement("cuda")
    network = place.network(SiamFC())
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    labels = label_map(15, 8, 16.0).cuda().expand(batch, 15, 15)

    def run(feed: Fed) -> int:
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            z, x = next(feed)
            response = predict(network, place.images(z), place.images(x), place.bf16)
            descend(network, optimiser, balanced_logistic_loss(response, labels), 10.0)
            done += batch
        torch.cuda.synchronize()
        return done

    def fed(source: PairSource) -> Fed:
        for pairs in batches(source, 0, batch, 0, 10**6, workers=14):
            jittered = pairs.jittered(place.device)
            yield jittered.exemplar, jittered.search

    z, x = (torch.rand(batch, 3, size, size).cuda() * 255 for size in (127, 239))
    augmentation = Augmentation(grey=0.2, blur=0.3)
    with tempfile.TemporaryDirectory() as folder:
        feeds = {
            "network alone": itertools.repeat((z, x)),
            "with generated pairs": fed(
                PhotoPairs(*generated_objects(), augmentation, distractors=0.2)
            ),
            "with pairs of 720p JPEG": fed(VideoPairs([jpeg_video(Path(folder))], Augmentation())),
        }
        rates = {}
        for name, feed in feeds.items():  # one by one: each has all processors for its pairs
            rates |= measure({name: partial(run, feed)}, rounds=2)
    return rates


def lockstep(width: int = 22, frames: int = 60) -> dict[str, float]:
    """Frames per second on the GPU, one sequence at a time and `width` in lock-step."""
    runtime = SiamFCRuntime(SiamFC().eval(), choose_placement("cuda"))
    sequences = [make_sequence(random_spec(k, length=frames)).loaded() for k in range(width)]
    make = partial(SiamFCTracker, SiamFCSettings(), runtime)

    def run(size: int) -> int:
        track_in_lockstep(make, sequences, size)
        return frames * width

    return measure(
        {"one by one": partial(run, 1), f"{width} in lock-step": partial(run, width)}, rounds=1
    )


def main() -> None:
    """Print every ratio."""
    parser = options_of(__doc__)
    parser.add_argument("--widths", type=int, nargs=5, default=list(WIDTHS))
    options = parser.parse_args()
    widths, on_gpu = tuple(options.widths), torch.cuda.is_available()
    tables = {
        "tracking, frames/s": tracking(widths),
        "training step, pairs/s": training(widths),
        "data from 720p JPEG, pairs/s": data(),
    }
    if on_gpu:
        tables["GPU, pairs/s"] = gpu()
        tables["GPU, tracking, frames/s"] = lockstep()
    for title, table in tables.items():
        first = next(iter(table.values()))
        print(title)
        for name, value in table.items():
            print(f"  {name:26}{value:9.1f}   × {value / first:.2f}")
    device = "cuda" if on_gpu else "cpu"
    write_results(options.write, {"tables": tables}, device, threads=1, widths=list(widths))


if __name__ == "__main__":
    main()
