"""Protocol explorer: the runs of VOT's multi-start protocol on one sequence under other rules, and what
becomes of accuracy, robustness and EAO."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.evaluation.multistart import SPACING, AnchoredRun, placed, run_from
from course_lib.evaluation.multistart_scores import (
    FAILED_AT,
    GRACE,
    accuracy_robustness,
    expected_overlap_curve,
    interval,
    progress,
)
from course_lib.evaluation.run_figures import draw_runs, overlap_bar
from course_lib.trackers.base import Tracker
from course_lib.widgets.bench import ImageBench, choice, slider

SPACINGS = (25, SPACING, 100)  # frames


class ProtocolExplorer(ImageBench):
    """A tracker's runs from the anchors of a sequence, under an adjustable protocol.

    The tracker runs once from each anchor; every other control only scores the same runs again.

    Args:
        sequence: a sequence with ground truth.
        make: makes a fresh tracker.
        name: of the tracker.
    """

    def __init__(
        self,
        sequence: Sequence,
        make: Callable[[], Tracker],
        name: str = "tracker",
        alt: str | None = None,
    ) -> None:
        self.sequence, self.make, self.name = sequence, make, name
        self.kept: dict[tuple[int, bool], AnchoredRun] = {}
        controls = [
            slider("threshold", "overlap up to which a frame is bad", 0.0, 0.6, 0.05),
            slider("grace", "bad frames in a row that make a failure", 1, 30, 1),
            choice("spacing", "frames between anchors", [str(n) for n in SPACINGS]),
        ]
        super().__init__(
            title="Protocol explorer",
            help="Change when a run counts as failed, and how many runs there are.",
            controls=controls,
            values={"threshold": FAILED_AT, "grace": GRACE, "spacing": SPACINGS.index(SPACING)},
            alt=alt or f"Runs of {name} from the anchors of {sequence.name}, and their scores.",
        )

    def runs(self) -> list[AnchoredRun]:
        """The runs from the anchors as they are spaced now; each is made once."""
        found = []
        for anchor, way in placed(self.sequence, SPACINGS[int(self.values["spacing"])]).items():
            key = anchor, way < 0
            if key not in self.kept:
                self.kept[key] = run_from(self.make(), self.sequence, *key)
            found.append(self.kept[key])
        return found

    def draw(self) -> tuple[Figure, str]:
        """The runs, the expected-overlap curve, and a sentence with the scores."""
        v, runs, T = self.values, self.runs(), len(self.sequence)
        rule = partial(progress, grace=int(v["grace"]), failed_at=float(v["threshold"]))
        found = accuracy_robustness([runs], [T], rule=rule)
        low, high = interval(self.sequence.name, runs)
        curve = expected_overlap_curve(runs, T, rule=rule)  # (T,)
        figure, axes = plots.new_figure(9.4, 3.4, columns=2, width_ratios=[3, 2])
        draw_runs(axes[0, 0], runs, T, rule)
        overlap_bar(axes[0, 0])
        axes[0, 0].set_title(f"{self.name} on {self.sequence.name}", fontsize=10)
        axes[0, 1].plot(np.arange(1, T), curve[1:], color=plots.EXEMPLAR)
        axes[0, 1].axvspan(low, high - 1, color=plots.NEUTRAL, alpha=0.2, linewidth=0)
        axes[0, 1].set(xlabel="frames after the start, j", ylabel="Φ(j)", ylim=(0, 1))
        accuracy = found["accuracy"]
        told = "none, every run is lost from its start" if np.isnan(accuracy) else f"{accuracy:.3f}"
        return figure, (
            f"{found['runs']} runs, {found['failed']} of them fail. Accuracy {told}; robustness "
            f"{found['robustness']:.3f}; EAO {curve[low:high].mean():.3f}, over lengths {low} to "
            f"{high - 1} (shaded)"
        )
