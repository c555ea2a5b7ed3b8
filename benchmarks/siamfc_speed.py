"""Speed of SiamFC's parts, each beside the way people usually write it; ratios within one run, one thread.

OMP_NUM_THREADS=1 python benchmarks/siamfc_speed.py

Tracking and training: the same network, plain (NCHW, single precision, batch norm, grouped correlation, padded copies
for crops) against the course's. Data: 720p JPEG frames to pairs, with a mean in float and a decode for the size, against
the course's. On a GPU, pairs a second with generated data and with JPEG, and the share of the time the network works.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from course_lib.data.coco import generated_objects
from course_lib.data.frames import ArrayFrames, ImageFiles
from course_lib.data.generated import make_clip, random_spec
from course_lib.data.loader import batches
from course_lib.data.pairs import Changes, pair_at
from course_lib.data.pairs_photo import PhotoPairs
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.sequence import Sequence
from course_lib.evaluation.lockstep import track_in_lockstep
from course_lib.files import write_whole
from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.alexnet import WIDTHS
from course_lib.models.correlation import cross_correlate_grouped
from course_lib.models.device import Placement, choose_placement, has_bf16
from course_lib.models.losses import balanced_logistic_loss, label_map
from course_lib.models.runtime import Embedding
from course_lib.models.siamfc import SiamFC
from course_lib.provenance import provenance
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker
from course_lib.training.step import descend, predict

CPU = torch.device("cpu")


def rate(work: Callable[[], int], rounds: int = 3) -> float:
    """Units a second: the median over rounds, after one to warm up. `work` returns how many it did."""
    work()
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        count = work()
        rates.append(count / (time.perf_counter() - start))
    return float(np.median(rates))


class PlainTracker:
    """SiamFC-3s as it is often written: NCHW, single precision, padded copies, upsampling and window in NumPy."""

    def __init__(self, network: SiamFC) -> None:
        self.network = network.eval()
        self.tracker = SiamFCTracker(
            SiamFCSettings(), Embedding(network, Placement(CPU, False, False))
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
            self.z = self.network.features(self.pictures(self.tracker.last.crop[None]))

    @staticmethod
    def pictures(crops: np.ndarray) -> torch.Tensor:
        """Crops (N, S, S, 3) as NCHW."""
        return torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))).float()

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The course's arithmetic on responses that were computed plainly."""
        t = self.tracker
        t.look(frame[:2, :2])  # windows only
        t.frame_size = np.array(frame.shape[1::-1])
        crops = np.stack([self.crop(frame, w) for w in t.windows])
        with torch.no_grad():
            x = self.network.features(self.pictures(crops))
            responses = (
                1e-3 * cross_correlate_grouped(self.z.expand(len(x), -1, -1, -1), x)
                + self.network.bias
            )
        return t.decide(responses.numpy())


def tracking(widths: tuple[int, ...], frames: int = 12) -> dict[str, float]:
    """Frames a second of the plain tracker and of the course's, in each precision."""
    clip = make_clip(random_spec(5, length=frames + 1, height=480, width=640))
    pictures = list(clip.frames)
    network = SiamFC(widths=widths).eval()
    makers = {"plain": lambda: PlainTracker(network)}
    fp32 = Embedding(network, Placement(CPU, False))
    makers["fp32"] = lambda: SiamFCTracker(SiamFCSettings(), fp32)
    if has_bf16(CPU):
        bf16 = Embedding(network, Placement(CPU, True))
        makers["bf16"] = lambda: SiamFCTracker(SiamFCSettings(), bf16)

    def run(make: Callable) -> int:
        tracker = make()
        tracker.init(pictures[0], clip.boxes[0])
        for picture in pictures[1:]:
            tracker.update(picture)
        return frames

    return {name: rate(lambda make=make: run(make)) for name, make in makers.items()}


def training(widths: tuple[int, ...], batch: int = 8) -> dict[str, float]:
    """Pairs a second of one training step, data already there."""
    z, x = torch.rand(batch, 3, 127, 127) * 255, torch.rand(batch, 3, 239, 239) * 255
    labels = label_map(15, 8, 16.0).expand(batch, 15, 15)

    def plain() -> int:
        response = 1e-3 * cross_correlate_grouped(old.features(z), old.features(x)) + old.bias
        old_optimiser.zero_grad()
        balanced_logistic_loss(response, labels).backward()
        old_optimiser.step()
        return batch

    def ours() -> int:
        response = predict(new, place.pictures(z), place.pictures(x), place.bf16)
        descend(new, new_optimiser, balanced_logistic_loss(response, labels), 10.0)
        return batch

    place = choose_placement("cpu")
    old, new = SiamFC(widths=widths), place.network(SiamFC(widths=widths))
    old_optimiser, new_optimiser = (
        torch.optim.SGD(n.parameters(), lr=1e-4, momentum=0.9) for n in (old, new)
    )
    return {"plain": rate(plain, 2), "ours": rate(ours, 2)}


def slow_pair(sequence: Sequence, first: int, second: int) -> list[np.ndarray]:
    """Two crops as often written: a decode for the size, a decode for the pixels, the mean in float, a padded copy."""
    crops = []
    for t, size in ((first, 127), (second, 239)):
        _ = cv2.imread(str(sequence.frames.paths[t])).shape
        frame = cv2.cvtColor(cv2.imread(str(sequence.frames.paths[t])), cv2.COLOR_BGR2RGB)
        x, y, w, h = sequence.boxes[t]
        side = float(context_side(sequence.boxes[t, 2:])) * size / 127
        window = CropWindow(x + w / 2, y + h / 2, side, size)
        crops.append(PlainTracker.crop(frame, window))
    return crops


def jpeg_video(folder: Path) -> Sequence:
    """Eight frames of 1280 × 720 as JPEG files."""
    clip = make_clip(random_spec(9, length=8, height=720, width=1280, size=90.0))
    paths = [folder / f"{t:04d}.jpg" for t in range(len(clip))]
    for path, frame in zip(paths, clip.frames, strict=True):
        cv2.imwrite(str(path), frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return Sequence("clip", ImageFiles(paths), clip.boxes)


def data(count: int = 24) -> dict[str, float]:
    """Pairs a second and core from 720p JPEG files."""
    with tempfile.TemporaryDirectory() as folder:
        video = jpeg_video(Path(folder))
        source = VideoPairs([video], Changes())

        def ours() -> int:
            for i in range(count):
                pair_at(source, 0, i)
            return count

        def plain() -> int:
            for i in range(count // 2):
                slow_pair(video, i % 8, (i + 3) % 8)
            return count // 2

        return {"plain": rate(plain), "ours": rate(ours)}


def gpu(batch: int = 64, seconds: float = 20.0) -> dict[str, float]:
    """Pairs a second of the network alone, and with pairs made beside it by 14 processes."""
    place = choose_placement("cuda")
    network = place.network(SiamFC())
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    labels = label_map(15, 8, 16.0).cuda().expand(batch, 15, 15)

    def step(z: torch.Tensor, x: torch.Tensor) -> None:
        response = predict(network, place.pictures(z), place.pictures(x), place.bf16)
        descend(network, optimiser, balanced_logistic_loss(response, labels), 10.0)

    def run(feed) -> float:
        for _ in range(10):
            step(*next(feed))
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            step(*next(feed))
            done += batch
        torch.cuda.synchronize()
        return done / (time.perf_counter() - start)

    def still():
        z, x = (
            torch.rand(batch, 3, 127, 127).cuda() * 255,
            torch.rand(batch, 3, 239, 239).cuda() * 255,
        )
        while True:
            yield z, x

    def fed(source):
        for pairs in batches(source, 0, batch, 0, 10**6, workers=14):
            lit = pairs.lit(place.device)
            yield lit.exemplar, lit.search

    generated = PhotoPairs(*generated_objects(), Changes(grey=0.2, blur=0.3), distractors=0.2)
    rates = {"network alone": run(still()), "with generated pairs": run(fed(generated))}
    with tempfile.TemporaryDirectory() as folder:
        rates["with pairs of 720p JPEG"] = run(
            fed(VideoPairs([jpeg_video(Path(folder))], Changes()))
        )
    return rates


def lockstep(width: int = 22, frames: int = 60) -> dict[str, float]:
    """Frames a second on the GPU, one sequence at a time and `width` in lock-step."""
    embedding = Embedding(SiamFC().eval(), choose_placement("cuda"))
    clips = [make_clip(random_spec(k, length=frames)) for k in range(width)]
    clips = [replace(c, frames=ArrayFrames(list(c.frames))) for c in clips]
    make = partial(SiamFCTracker, SiamFCSettings(), embedding)

    def run(size: int) -> int:
        track_in_lockstep(make, clips, size)
        return frames * width

    return {
        "one by one": rate(lambda: run(1), 1),
        f"{width} in lock-step": rate(lambda: run(width), 1),
    }


def main() -> None:
    """Print every ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", type=int, nargs=5, default=list(WIDTHS))
    parser.add_argument("--write", type=Path, help="JSON file to keep the figures in")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    widths = tuple(arguments.widths)
    tables = {
        "tracking, frames/s": tracking(widths),
        "training step, pairs/s": training(widths),
        "data from 720p JPEG, pairs/s": data(),
    }
    if torch.cuda.is_available():
        tables["GPU, pairs/s"] = gpu()
        tables["GPU, tracking, frames/s"] = lockstep()
    for title, table in tables.items():
        first = next(iter(table.values()))
        print(title)
        for name, value in table.items():
            print(f"  {name:26}{value:9.1f}   × {value / first:.2f}")
    if arguments.write:
        where = provenance("cuda" if torch.cuda.is_available() else "cpu") | {
            "threads": 1,
            "widths": list(widths),
        }
        write_whole(
            arguments.write, json.dumps({"tables": tables, "measured": where}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
