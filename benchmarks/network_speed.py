"""How much faster do the course's trackers run than a plain implementation of the same network?

python benchmarks/network_speed.py siamrpn --write results/siamrpn_speed.json
python benchmarks/network_speed.py siamdw --write results/siamdw_speed.json
python benchmarks/network_speed.py siamrpn++ --write results/siamrpnpp_speed.json

Plain: batch norm as layers, every padded cell computed and then cropped, NCHW, single precision,
the correlation as one convolution. The trackers are the same, and so are their boxes. Lesson 10
shows the results. In "siamdw", AlexNet is measured beside CIResNet-22, so that the two networks'
own speeds can be compared too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from measure import Makers, options_of, tracking_speeds, write_results
from torch import nn

from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.models.device import Placement
from course_lib.models.runtime import ProposalRuntime, SiamFCRuntime
from course_lib.models.siamfc import SiamFC
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.siamrpnpp import SiamRPNpp
from course_lib.models.weights import load_network
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker
from course_lib.trackers.siamrpn import SiamRPNSettings, SiamRPNTracker

CPU = torch.device("cpu")
PLAIN = Placement(CPU, bf16=False, channels_last=False)


class PlainRuntime(SiamFCRuntime):
    """The network as trained, in PyTorch's default layout."""

    def __init__(self, network: SiamFC) -> None:
        super().__init__(copy.deepcopy(network), PLAIN)
        self.network = network.eval()

    @torch.no_grad()
    def features(self, crops: np.ndarray) -> torch.Tensor:
        """As the original, with images (N, S, S, 3) made contiguous; features (N, C, s, s)."""
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).float().contiguous()
        return self.network.features(images)

    @torch.no_grad()
    def respond(self, z: torch.Tensor, crops: np.ndarray) -> np.ndarray:
        """As the original, the exemplar as the kernel of a convolution; responses (N, n, n)."""
        raw = F.conv2d(self.features(crops), z)[:, 0]  # (N, n, n)
        return self.network.adjust(raw[:, None])[:, 0].numpy()


class PlainProposalRuntime(ProposalRuntime):
    """The network as trained, in PyTorch's default layout."""

    def __init__(self, network: SiamRPN) -> None:
        super().__init__(copy.deepcopy(network), PLAIN)
        self.network = network.eval()

    @torch.no_grad()
    def respond(self, template: tuple[torch.Tensor, ...], crops: np.ndarray) -> np.ndarray:
        """As the original, with the kernels as groups of one pair; (1, anchors, 5)."""
        x = self.network.backbone(self._images(crops).contiguous())  # (1, C, 22, 22)
        head = self.network.head
        classes, boxes = (
            F.conv2d(layer(x), kernels[0])
            for kernels, layer in ((template[0], head.x_class), (template[1], head.x_box))
        )  # (1, 2k, n, n), (1, 4k, n, n)
        out = torch.cat([classes, head.adjust(boxes)], 1)[0]  # (6k, n, n)
        k, n = len(out) // 6, out.shape[-1]
        scores = out[: 2 * k].reshape(k, 2, n, n).softmax(1)[:, 1].reshape(-1, 1)
        offsets = out[2 * k :].reshape(k, 4, n, n).permute(0, 2, 3, 1).reshape(-1, 4)
        return torch.cat([scores, offsets], 1)[None].numpy()


class UnfoldedRuntime(ProposalRuntime):
    """The network as trained, batch norms as layers, in PyTorch's default layout."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(copy.deepcopy(network), PLAIN)
        self.network = network.eval()

    def _images(self, crops: np.ndarray) -> torch.Tensor:
        """Crops (N, S, S, 3) uint8 as images (N, 3, S, S), made contiguous."""
        return super()._images(crops).contiguous()


def warmed(network: nn.Module) -> nn.Module:
    """A network with random weights and batch statistics, so that its values stay in range."""
    network.train()
    with torch.no_grad():
        network(torch.rand(2, 3, 127, 127) * 255, torch.rand(2, 3, 255, 255) * 255)
    return network.eval()


# by network: the plain runtime, the course's runtime, the tracker and its settings
RUNS_ON = {
    SiamFC: (PlainRuntime, SiamFCRuntime, SiamFCTracker, SiamFCSettings),
    SiamRPN: (PlainProposalRuntime, ProposalRuntime, SiamRPNTracker, SiamRPNSettings),
    SiamRPNpp: (UnfoldedRuntime, ProposalRuntime, SiamRPNTracker, SiamRPNSettings),
}
# by family: frames of its sequence, and its networks by row name
FAMILIES: dict[str, tuple[int, dict[str, Callable[[], nn.Module]]]] = {
    "siamrpn": (
        12,
        {"shipped": lambda: load_network("siamrpn"), "paper's size": lambda: warmed(SiamRPN())},
    ),
    "siamrpn++": (6, {"shipped, on lite0": lambda: load_network("siamrpnpp-lite0")}),
    "siamdw": (
        8,
        {
            "ciresnet22, shipped": lambda: load_network("ciresnet22"),
            "ciresnet22, paper's size": lambda: warmed(SiamFC(backbone="ciresnet22")),
            "AlexNet of one group, paper's size": lambda: warmed(SiamFC(backbone="twin-alexnet-5")),
        },
    ),
}


def makers_of(network: nn.Module) -> Makers:
    """Makers of trackers on "plain", "fp32" and "bf16" copies of a network."""
    plain, ready, tracker, settings = RUNS_ON[type(network)]
    made = {
        "plain": plain(copy.deepcopy(network)),
        "fp32": ready(copy.deepcopy(network), Placement(CPU, bf16=False)),
        "bf16": ready(copy.deepcopy(network), Placement(CPU, bf16=True)),
    }
    return {name: partial(tracker, settings(), runtime) for name, runtime in made.items()}


def against_plain(name: str, makers: Makers, sequence: Sequence, rounds: int) -> dict[str, Any]:
    """Speeds of "plain", "fp32" and "bf16", and the ratios of the last two to the first; printed.

    Args:
        name: of the network, for the printed line.
        makers: see `makers_of`; "plain" and "fp32" must find the same boxes.
        sequence: what they track.
        rounds: passes that are timed.
    """
    fps, boxes = tracking_speeds(makers, sequence, rounds)
    assert np.abs(boxes["plain"] - boxes["fp32"]).max() < 0.5, "the two networks disagree"
    row = {"fps": fps, "fp32": fps["fp32"] / fps["plain"], "bf16": fps["bf16"] / fps["plain"]}
    print(f"{name:36}" + "  ".join(f"{k} {v:.1f}/s" for k, v in fps.items()), end="")
    print(f"  ratios fp32 {row['fp32']:.2f}, bf16 {row['bf16']:.2f}", flush=True)
    return row


def main() -> None:
    """Measure, print, write."""
    parser = options_of(__doc__)
    parser.add_argument("family", choices=list(FAMILIES))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    frames, networks = FAMILIES[options.family]
    sequence, rows = make_sequence(random_spec(1, length=frames)), {}
    for name, make in networks.items():
        rows[name] = against_plain(name, makers_of(make()), sequence, options.rounds)
    write_results(options.write, {"runs": rows, "threads": 1}, "cpu", threads=1)


if __name__ == "__main__":
    main()
