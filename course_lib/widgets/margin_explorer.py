"""Margin explorer: the effect of margin and scale on the cosines of targets, look-alikes and
background, and on the map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from course_lib import plots
from course_lib.analysis.distortion import KINDS, MapStudy, moments_of, study
from course_lib.data.sequence import Sequence
from course_lib.geometry.windows import SEARCH
from course_lib.models.correlation import cosine_correlate
from course_lib.models.losses import pair_labels
from course_lib.models.margin import MARGIN_LOSSES, CosineMap, gap
from course_lib.models.siamfc import SiamFC
from course_lib.widgets.bench import ImageBench, choice, slider

COLOURS = dict(zip(KINDS, (plots.TRUTH, plots.DISTRACTOR, plots.NEUTRAL), strict=True))
RATE = 0.01  # of Adam
RADIUS, RING = 16.0, 32.0  # search pixels


@dataclass(frozen=True, eq=False)
class Learned:
    """A projection of the features, trained on every other moment of the sequence.

    Attributes:
        weights: (C, C, 1, 1); threshold: b.
        loss: of the last step, NaN before the first.
    """

    weights: Tensor
    threshold: float
    loss: float


class MarginExplorer(ImageBench):
    """A small experiment with margins on one sequence: the features of a trained network stay fixed, a
    1 × 1 projection of them is trained.

    It starts as the identity and is trained on every other moment; the map, cosines and numbers
    shown are of the others.

    Args:
        sequence: a generated sequence with look-alikes.
        network: a trained SiamFC or SiamMargin.
        every: take one frame in this many.
    """

    def __init__(
        self, sequence: Sequence, network: SiamFC, every: int = 6, alt: str | None = None
    ) -> None:
        moments = moments_of([sequence], every)
        network.eval()
        with torch.inference_mode():
            z, x = network.template(moments.exemplars), network.features(moments.searches)
        self.stride = network.stride
        # (N, C, a, a) and (N, C, m, m)
        self.z, self.x, self.moments = (z.clone(), x.clone(), moments)
        self.identity = torch.eye(z.shape[1])[:, :, None, None]  # (C, C, 1, 1)
        self.train = lru_cache(maxsize=128)(self._train)
        count = len(moments.targets) // 2
        controls = [
            slider("margin", "margin m", 0.0, 0.5, 0.02),
            slider("scale", "scale s", 1.0, 64.0, 1.0),
            slider("steps", "steps of training", 0, 60, 5),
            choice("loss", "loss", ["pixel by pixel", "softmax over places"]),
            slider("moment", "moment", 1, count, 1),
        ]
        super().__init__(
            title="Margin explorer",
            help=(
                "Train a projection of the features with a margin, and see the map and the "
                "cosines before and after."
            ),
            controls=controls,
            values={
                "margin": 0.2,
                "scale": 16.0,
                "steps": 30,
                "loss": 0,
                "moment": (count + 1) // 2,
            },
            alt=alt
            or "Search image, map before and after training with a margin, and cosines by class, "
            f"in {sequence.name}.",
        )

    def learned(self) -> Learned:
        """The projection for the current values."""
        v = self.values
        return self.train(
            round(v["margin"], 2), v["scale"], int(v["steps"]), list(MARGIN_LOSSES)[int(v["loss"])]
        )

    def _train(self, margin: float, scale: float, steps: int, loss: str) -> Learned:
        weights = self.identity.clone().requires_grad_()  # (C, C, 1, 1)
        threshold = torch.tensor(0.5, requires_grad=True)
        optimiser = torch.optim.Adam([weights, threshold], RATE)
        z, x, labels = self.z[::2], self.x[::2], self._labels()[::2]
        value = torch.tensor(float("nan"))
        for _ in range(steps):
            cosines = cosine_correlate(F.conv2d(z, weights), F.conv2d(x, weights))  # (B, n, n)
            value = MARGIN_LOSSES[loss](CosineMap(cosines, threshold), labels, scale, margin)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        return Learned(weights.detach(), float(threshold.detach()), float(value.detach()))

    def _labels(self) -> Tensor:
        """Labels (N, n, n) of all moments."""
        away = torch.from_numpy(self.moments.targets - SEARCH / 2).float()  # (N, 2)
        n = self.x.shape[-1] - self.z.shape[-1] + 1
        return pair_labels(
            torch.ones(len(away), dtype=torch.bool), n, self.stride, RADIUS, away, RING
        )

    def cosines(self, weights: Tensor) -> Tensor:
        """Cosines (N / 2, n, n) of the moments not trained on, after a projection (C, C, 1, 1)."""
        return cosine_correlate(F.conv2d(self.z[1::2], weights), F.conv2d(self.x[1::2], weights))

    def studies(self) -> tuple[MapStudy, MapStudy]:
        """The maps of those moments before and after."""
        held = self.moments.part(slice(1, None, 2))
        before, after = (self.cosines(w).numpy() for w in (self.identity, self.learned().weights))
        return study(before, self.stride, held, RADIUS, RING), study(
            after, self.stride, held, RADIUS, RING
        )

    def draw(self) -> tuple[Figure, str]:
        """The search image, both maps, the cosines by class, and a sentence."""
        v, learned, k = self.values, self.learned(), int(self.values["moment"]) - 1
        figure, axes = plots.new_figure(11.0, 3.4, columns=4, width_ratios=[1, 1, 1, 1.5])
        view, *maps, bars = axes[0]
        number = 2 * k + 1
        plots.show_frame(
            view, self.moments.searches[number].permute(1, 2, 0).byte().numpy(), "search image"
        )
        for x, y in self.moments.alike[number]:
            view.plot(x, y, "x", color=plots.DISTRACTOR, markersize=9, markeredgewidth=2.5)
        view.plot(
            *self.moments.targets[number],
            "+",
            color=plots.TRUTH,
            markersize=11,
            markeredgewidth=2.5,
        )
        view.set(xlim=(0, SEARCH), ylim=(SEARCH, 0))
        labels = self._labels()[1::2]
        leads = []
        for ax, name, weights in (
            (maps[0], "map before", self.identity),
            (maps[1], "map after", learned.weights),
        ):
            cosines = self.cosines(weights)  # (N / 2, n, n)
            leads.append(gap(cosines, labels)[k])
            plots.show_map(ax, cosines[k].numpy(), name, peak=True)
        before, after = self.studies()
        self._histogram(bars, before, after, learned.threshold)
        s, m, b = v["scale"], v["margin"], learned.threshold
        return figure, (
            f"in this moment the best target cell leads by {leads[0]:+.2f} before and "
            f"{leads[1]:+.2f} after; in the moments not trained on, the highest cell is on the "
            f"target in {100 * before.on_target.mean():.0f} % before and in "
            f"{100 * after.on_target.mean():.0f} % after. The loss requires at least {b + m:.2f} "
            f"on the target and at most {b - m:.2f} elsewhere; a difference of 0.1 in the cosine "
            f"is {s / 10:.1f} in the logit"
        )

    def _histogram(self, ax, before: MapStudy, after: MapStudy, threshold: float) -> None:
        """Cosines by class, before as a line and after as an area, with the threshold and the
        margin on both sides of it."""
        m, s = self.values["margin"], self.values["scale"]
        edges = np.linspace(-0.4, 1, 43)
        for kind, colour in COLOURS.items():
            for values, how in (
                (after.values[kind], {"alpha": 0.45}),
                (before.values[kind], {"histtype": "step"}),
            ):
                if len(values):
                    weights = np.full(len(values), 1 / len(values))
                    label = kind if "alpha" in how else None
                    ax.hist(values, edges, weights=weights, color=colour, label=label, **how)
        ax.axvline(threshold, color="black", linewidth=1)
        ax.axvspan(threshold - m, threshold + m, color=plots.CYCLE[4], alpha=0.2, linewidth=0)
        ax.set(xlabel="cosine (band: threshold ± margin)", yticks=[], xlim=(-0.4, 1))
        ax.secondary_xaxis(
            "top", functions=(lambda c: s * (c - threshold), lambda y: y / s + threshold)
        ).set_xlabel("logit s · (c − b)", fontsize=8)
        ax.legend(fontsize=7, title="area after, line before", title_fontsize=7)
