"""Tracking with CIResNet-22 under SiamFC against a plain implementation of the same network: ratios within one run, one thread.

python benchmarks/cir_speed.py --write results/siamdw_speed.json

Plain: batch norm as layers, every padded cell computed and then cropped, NCHW, single precision, one grouped convolution
for the correlation. The trackers are the same; both give the same boxes. AlexNet stands beside it, so that the two
networks' own speeds can be compared too.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F
from clips import against_plain

from course_lib.data.generated import make_clip, random_spec
from course_lib.files import write_whole
from course_lib.models.device import Placement
from course_lib.models.runtime import Embedding
from course_lib.models.siamfc import SiamFC
from course_lib.models.weights import load_siamfc
from course_lib.provenance import provenance
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker


class PlainEmbedding(Embedding):
    """The network as it was trained, in the layout PyTorch gives it."""

    def __init__(self, network: SiamFC) -> None:
        self.placement = Placement(torch.device("cpu"), bf16=False, channels_last=False)
        self.network = network.eval()

    @torch.no_grad()
    def features(self, crops):
        """As the original, with pictures made contiguous."""
        return self.network.features(
            torch.from_numpy(crops).permute(0, 3, 1, 2).float().contiguous()
        )  # (N, C, s, s)

    @torch.no_grad()
    def respond(self, z, crops):
        """As the original, the exemplar as the kernel of a convolution."""
        raw = F.conv2d(self.features(crops), z)[:, 0]  # (N, n, n)
        return self.network.adjust(raw[:, None])[:, 0].numpy()


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clip = make_clip(random_spec(1, length=8))
    torch.manual_seed(0)
    rows = {}
    for name, network in {
        "ciresnet22, shipped": load_siamfc("ciresnet22"),
        "ciresnet22, paper's size": SiamFC(backbone="ciresnet22"),
        "AlexNet of one group, paper's size": SiamFC(backbone="twin-alexnet-5"),
    }.items():
        if "shipped" not in name:  # statistics, so that its numbers stay in range
            network.train()
            with torch.no_grad():
                network(torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255)
            network.eval()
        cpu = torch.device("cpu")
        made = {
            "plain": PlainEmbedding(copy.deepcopy(network)),
            "fp32": Embedding(copy.deepcopy(network), Placement(cpu, bf16=False)),
            "bf16": Embedding(copy.deepcopy(network), Placement(cpu, bf16=True)),
        }
        rows[name] = against_plain(
            name,
            {k: SiamFCTracker(SiamFCSettings(), e) for k, e in made.items()},
            clip,
            arguments.rounds,
        )
    if arguments.write:
        kept = {"runs": rows, "threads": 1, "measured": provenance("cpu")}
        write_whole(arguments.write, json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
