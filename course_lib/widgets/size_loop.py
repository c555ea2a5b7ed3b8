"""Size loop: a network's size response, and what a tracker that believes it does with the size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.analysis.size_response import FACTORS, SizeResponse, simulate
from course_lib.widgets.bench import ImageBench, choice, slider

FRAMES = 100
STARTS = (1.0, 1.6)  # sizes believed in at first
LINE = "a line: gain and bias"
TICKS = (0.5, 0.7, 1.0, 1.4, 2.0, 3.0)


class SizeLoop(ImageBench):
    """The size that a tracker believes in, frame by frame, for a response and settings that can be
    changed.

    Args:
        networks: measured responses by name, log(found / true) at each of FACTORS; shown in place
            of the line when chosen.
        alt: describes the still image.
    """

    def __init__(
        self, networks: Mapping[str, ArrayLike] | None = None, alt: str | None = None
    ) -> None:
        self.networks = {name: np.asarray(v, float) for name, v in (networks or {}).items()}
        controls = [
            choice("response", "response", [LINE, *self.networks]),
            slider("gain", "gain g of the line", 0.0, 1.1, 0.01),
            slider("bias", "bias b of the line", -0.2, 0.2, 0.01),
            slider("rate", "rate of the tracker", 0.0, 1.0, 0.01),
            slider("assumed", "gain that the tracker inverts", 0.0, 0.9, 0.01),
            slider("noise", "noise of each answer", 0.0, 0.2, 0.01),
        ]
        values = {"response": 0, "gain": 0.7, "bias": 0.1, "rate": 0.3, "assumed": 0.0, "noise": 0}
        super().__init__(
            title="Size loop",
            controls=controls,
            values=values,
            alt=alt
            or "Left: the size found over the true one, against the size believed in over the "
            f"true one. Right: the size over {FRAMES} frames.",
        )

    def answer(self, log_q: float) -> float:
        """log(found / true) for log q, under the current values."""
        v = self.values
        if v["response"] == 0:
            return v["gain"] * log_q + v["bias"]
        measured = list(self.networks.values())[int(v["response"]) - 1]  # (K,)
        return beyond(log_q, np.log(FACTORS), measured)

    def sizes(self, start: float = 1.0) -> np.ndarray:
        """Sizes (FRAMES + 1,) as multiples of the true one."""
        v = self.values
        assumed = SizeResponse(
            v["assumed"], v["bias"] if v["assumed"] and not v["response"] else 0.0
        )
        return simulate(self.answer, v["rate"], assumed, start, FRAMES, v["noise"])

    def draw(self) -> tuple[Figure, str]:
        """The response, the line of a network that measures nothing, the sizes, and a sentence."""
        figure, axes = plots.new_figure(9.5, 3.2, columns=2, width_ratios=[1, 1.4])
        curve, run = axes[0]
        qs = np.exp(np.linspace(np.log(0.5), np.log(3), 60))
        curve.plot(qs, np.exp([self.answer(q) for q in np.log(qs)]), color=plots.PREDICTION)
        curve.plot(qs, qs, ":", color=plots.NEUTRAL, label="repeats what it is told")
        curve.axhline(1, color=plots.TRUTH, linewidth=1, label="measures")
        curve.set(xlabel="told / true", ylabel="found / true", xscale="log", yscale="log")
        run.axhline(1, color=plots.TRUTH, linewidth=1)
        for start, style in zip(STARTS, ("-", "--"), strict=True):
            run.plot(
                self.sizes(start), style, color=plots.PREDICTION, label=f"started at {start:g}"
            )
        run.set(xlabel="frame", ylabel="size / true size", yscale="log", ylim=(0.4, 5))
        for axis in (curve.xaxis, curve.yaxis, run.yaxis):
            axis.set_ticks(TICKS, [f"{t:g}" for t in TICKS], minor=False)
            axis.set_ticks([], minor=True)
        curve.legend(fontsize=7)
        run.legend(fontsize=7)
        return figure, self.sentence()

    def sentence(self) -> str:
        """In words: how a size that was wrong at first ends."""
        sizes = self.sizes(STARTS[1])
        last = sizes[-20:]
        swings = np.abs(np.diff(np.sign(np.diff(np.log(sizes))))).sum() / 2
        how = (
            "swings"
            if swings > 3 and last.max() > 1.05 * last.min() and not self.values["noise"]
            else "settles"
            if last.max() < 1.02 * last.min()
            else "goes up and down with the noise"
            if self.values["noise"]
            else "still moves"
        )
        return f"after {FRAMES} frames the size is {sizes[-1]:.2f} times the true one; it {how}"


def beyond(x: float, at: np.ndarray, values: np.ndarray) -> float:
    """Linear interpolation of values (K,) at increasing places (K,), continued as the straight line
    of the last two beyond the ends.

    Args:
        x: where.
        at: (K,) places, increasing.
        values: (K,) there.
    """
    inside = partial(np.interp, xp=at, fp=values)
    if x < at[0]:
        return float(values[0] + (x - at[0]) * (values[1] - values[0]) / (at[1] - at[0]))
    if x > at[-1]:
        return float(values[-1] + (x - at[-1]) * (values[-1] - values[-2]) / (at[-1] - at[-2]))
    return float(inside(x))
