"""Proposal explorer: the best proposals of a frame before and after each step of re-ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import CropWindow
from course_lib.models.runtime import ProposalRuntime
from course_lib.trackers.siamrpn import SiamRPNSettings, SiamRPNTracker, change_penalty, rerank
from course_lib.widgets.bench import ImageBench, slider

STEPS = ("score alone", "score × penalty", "and the window")


@dataclass(frozen=True, eq=False)
class Scene:
    """The tracker's input and proposals in one frame, before it chose.

    Attributes:
        crop: (S, S, 3) the search image; window: its square of the frame.
        boxes: (A, 4) proposals in search pixels; scores: (A,).
        size: (2,) the target's last size in search pixels.
    """

    crop: np.ndarray
    window: CropWindow
    boxes: np.ndarray
    scores: np.ndarray
    size: np.ndarray


class ProposalExplorer(ImageBench):
    """The ranking of proposals in one frame of a sequence, under adjustable settings.

    The tracker runs over the sequence once with its own settings; the ranking is then recomputed with
    the current ones.

    Args:
        sequence: a sequence with ground truth.
        runtime: the network.
        settings: those the tracker runs with.
        max_frames: only so many frames from the start are used.
    """

    def __init__(
        self,
        sequence: Sequence,
        runtime: ProposalRuntime,
        settings: SiamRPNSettings | None = None,
        max_frames: int = 60,
        alt: str | None = None,
    ) -> None:
        self.sequence = sequence.part(0, max_frames)
        settings = settings or SiamRPNSettings()
        self.scenes, self.hann = record(self.sequence, runtime, settings)
        controls = [
            slider("frame", "frame", 1, len(self.sequence) - 1, 1),
            slider("top", "proposals shown", 1, 40, 1),
            slider("penalty", "strength of the penalty", 0.0, 1.0, 0.01),
            slider("window", "influence of the window", 0.0, 1.0, 0.01),
        ]
        values = {
            "frame": min(10, len(self.sequence) - 1),
            "top": 8,
            "penalty": settings.penalty,
            "window": settings.window,
        }
        super().__init__(
            title="Proposal explorer",
            controls=controls,
            values=values,
            alt=alt
            or f"The best proposals in one frame of {sequence.name}: by score, after the penalty, "
            "after the window.",
        )

    def rankings(self) -> list[np.ndarray]:
        """Three rankings (A,) of the frame in view: scores, after the penalty, after the window."""
        v = self.values
        scene = self.scenes[int(v["frame"]) - 1]
        penalties = change_penalty(scene.boxes, scene.size, v["penalty"])
        return [
            scene.scores,
            scene.scores * penalties,
            rerank(scene.scores, penalties, self.hann, v["window"]),
        ]

    def draw(self) -> tuple[Figure, str]:
        """The search image three times with the best proposals, and a sentence."""
        t = int(self.values["frame"])
        scene = self.scenes[t - 1]
        truth = scene.window.box_to_crop(self.sequence.boxes[t])
        figure, axes = plots.new_figure(10.0, 3.6, columns=3)
        told = []
        for ax, title, ranking in zip(axes[0], STEPS, self.rankings(), strict=True):
            plots.show_frame(ax, scene.crop, title)
            best = np.argsort(-ranking)[: int(self.values["top"])]
            for k in best[:0:-1]:
                plots.draw_box(ax, scene.boxes[k], plots.NEUTRAL, "other proposals", ":")
            plots.draw_box(ax, truth, plots.TRUTH, "ground truth")
            plots.draw_box(ax, scene.boxes[best[0]], plots.PREDICTION, "first", "--")
            S = len(scene.crop)
            ax.set(xlim=(-0.5, S - 0.5), ylim=(S - 0.5, -0.5))
            told.append(f"{title}: IoU {float(iou(scene.boxes[best[0]], truth)):.2f}")
        plots.legend_below(figure, axes[0, 0])
        return figure, f"frame {t}, the first proposal of each ranking. " + "; ".join(told)


def record(
    sequence: Sequence, runtime: ProposalRuntime, settings: SiamRPNSettings
) -> tuple[list[Scene], np.ndarray]:
    """The tracker's scenes along a sequence.

    Args:
        sequence: frames, and the box to start on.
        runtime: the network.
        settings: of the tracker.

    Returns:
        one scene for each frame after the first, and the window (A,).
    """
    tracker = SiamRPNTracker(settings, runtime)
    tracker.init(sequence.frames[0], sequence.boxes[0])
    scenes = []
    for t in range(1, len(sequence)):
        size = tracker.size.copy()
        tracker.update(sequence.frames[t])
        s = tracker.last
        scenes.append(Scene(s.crop, s.window, s.boxes, s.scores, size * s.window.scale))
    return scenes, tracker.hann
