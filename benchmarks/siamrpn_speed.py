"""Tracking with SiamRPN against a plain implementation of the same network: ratios within one run, one thread.

python benchmarks/siamrpn_speed.py --write results/siamrpn_speed.json

Plain: batch norm as layers, NCHW, single precision, one grouped convolution for the correlation. The trackers are the
same; both give the same boxes.
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
from course_lib.models.runtime import Proposer
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.weights import load_network
from course_lib.provenance import provenance
from course_lib.trackers.siamrpn import SiamRPNSettings, SiamRPNTracker


class PlainProposer(Proposer):
    """The network as it was trained, in the layout PyTorch gives it."""

    def __init__(self, network: SiamRPN) -> None:
        self.placement = Placement(torch.device("cpu"), bf16=False, channels_last=False)
        self.guided, self.dtype, self.variances = False, torch.float32, (1, 1, 1, 1)
        self.network = network.eval()

    @torch.no_grad()
    def respond(self, kept, crops):
        """As the original, with pictures made contiguous and the kernels as groups of one pair."""
        x = self.network.backbone(self._pictures(crops).contiguous())  # (1, C, 22, 22)
        head = self.network.head
        maps = []
        for kernels, layer in ((kept[0], head.x_class), (kept[1], head.x_box)):
            maps.append(F.conv2d(layer(x), kernels[0]))
        out = torch.cat([maps[0], head.adjust(maps[1])], 1)[0]  # (6k, n, n)
        k, n = len(out) // 6, out.shape[-1]
        scores = out[: 2 * k].reshape(k, 2, n, n).softmax(1)[:, 1].reshape(-1, 1)
        offsets = out[2 * k :].reshape(k, 4, n, n).permute(0, 2, 3, 1).reshape(-1, 4)
        return torch.cat([scores, offsets], 1)[None].numpy()


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clip = make_clip(random_spec(1, length=12))
    torch.manual_seed(0)
    rows = {}
    for name, network in {"shipped": load_network("siamrpn"), "paper's size": SiamRPN()}.items():
        if name != "shipped":  # statistics, so that its numbers stay in range
            network.train()
            with torch.no_grad():
                network(torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255)
        cpu = torch.device("cpu")
        made = {
            "plain": PlainProposer(copy.deepcopy(network)),
            "fp32": Proposer(copy.deepcopy(network), Placement(cpu, bf16=False)),
            "bf16": Proposer(copy.deepcopy(network), Placement(cpu, bf16=True)),
        }
        rows[name] = against_plain(
            name,
            {k: SiamRPNTracker(SiamRPNSettings(), e) for k, e in made.items()},
            clip,
            arguments.rounds,
        )
    if arguments.write:
        kept = {"runs": rows, "threads": 1, "measured": provenance("cpu")}
        write_whole(arguments.write, json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
