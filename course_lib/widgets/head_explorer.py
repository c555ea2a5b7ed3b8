"""Match-head explorer: one exemplar, one search image, and every way to match them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.geometry.anchors import decode
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import SEARCH, CropWindow, exemplar_window, search_window
from course_lib.models.runtime import ProposalRuntime, SiamFCRuntime
from course_lib.trackers.siamrpn import with_mask
from course_lib.widgets.bench import ImageBench, choice, slider


class HeadExplorer(ImageBench):
    """Score maps, and best boxes, of several networks for the same pair.

    Args:
        sequence: exemplar (its first frame) and search images.
        other: a sequence whose target can be used as the exemplar instead.
        networks: by name; each a SiamFCRuntime or a ProposalRuntime.
        max_frames: only so many frames from the start are used.
    """

    def __init__(
        self,
        sequence: Sequence,
        other: Sequence,
        networks: dict[str, SiamFCRuntime | ProposalRuntime],
        max_frames: int = 60,
        alt: str | None = None,
    ) -> None:
        self.sequence, self.other, self.networks = sequence.part(0, max_frames), other, networks
        self.cached: dict[tuple, tuple[np.ndarray, np.ndarray | None]] = {}
        controls = [
            slider("frame", "frame", 0, len(self.sequence) - 1, 1),
            slider("right", "target right of the centre, search pixels", -64, 64, 8),
            slider("down", "target below the centre, search pixels", -64, 64, 8),
            choice("exemplar", "exemplar", ["this target", f"another object ({other.name})"]),
        ]
        super().__init__(
            title="Match-head explorer",
            controls=controls,
            values={"frame": min(5, len(self.sequence) - 1), "right": 0, "down": 0, "exemplar": 0},
            alt=alt
            or f"Score maps of {', '.join(networks)} for one exemplar and one search image of "
            f"{sequence.name}.",
        )

    def answer(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Score map (n, n) of a network for the pair in view, and its best box (4,) in search
        pixels (SiamFC: None)."""
        v = self.values
        key = (name, *v.values())
        if key in self.cached:
            return self.cached[key]
        network = self.networks[name]
        source = self.other if v["exemplar"] else self.sequence
        z_window = exemplar_window(source.boxes[0])
        z, x = (
            z_window.cut(source.frames[0]),
            self.window.cut(self.sequence.frames[int(v["frame"])]),
        )
        if isinstance(network, SiamFCRuntime):
            found = network.respond(network.template(z[None]), x[None])[0], None
        else:
            if (
                network.guided
            ):  # the mask is where the target is; in tracking, where it was a frame ago
                z = with_mask(z, z_window.box_to_crop(source.boxes[0]))
                x = with_mask(x, self.truth)
            response = network.respond(network.template_features(z, SEARCH), x[None])[0]  # (A, 5)
            anchors, n = network.anchors(SEARCH), network.network.cells(SEARCH)
            best = int(response[:, 0].argmax())
            box = decode(response[best, 1:], anchors[best], network.variances)
            found = response[:, 0].reshape(-1, n, n).max(0), box
        self.cached[key] = found
        return found

    @property
    def window(self) -> CropWindow:
        """The current search window."""
        v = self.values
        return search_window(self.sequence.boxes[int(v["frame"])], shift=(v["right"], v["down"]))

    @property
    def truth(self) -> np.ndarray:
        """The target's box (4,) in search pixels."""
        return self.window.box_to_crop(self.sequence.boxes[int(self.values["frame"])])

    def draw(self) -> tuple[Figure, str]:
        """The pair, one map for each network, and a sentence."""
        source = self.other if self.values["exemplar"] else self.sequence
        figure, axes = plots.new_figure(
            1.75 * (len(self.networks) + 2), 2.5, columns=len(self.networks) + 2
        )
        z = exemplar_window(source.boxes[0]).cut(source.frames[0])  # (127, 127, 3)
        plots.show_frame(axes[0, 0], z, "exemplar")
        plots.show_frame(
            axes[0, 1],
            self.window.cut(self.sequence.frames[int(self.values["frame"])]),
            "search image",
        )
        plots.draw_box(axes[0, 1], self.truth, plots.TRUTH, "target")
        told = []
        colours = [c for c in plots.CYCLE if c != plots.TRUTH]
        for ax, (name, colour) in zip(
            axes[0, 2:], zip(self.networks, colours, strict=False), strict=True
        ):
            values, box = self.answer(name)
            plots.show_map(ax, values, name)
            n = len(values)
            row, column = np.unravel_index(values.argmax(), values.shape)
            place = (np.array([column, row]) - (n - 1) / 2) * 8 + SEARCH / 2
            away = np.hypot(*(place - self.truth[:2] - self.truth[2:] / 2))
            sentence = f"{name}: peak {values.max():.2f}, {away:.0f} px from the target"
            if box is not None:
                plots.draw_box(axes[0, 1], box, colour, name, "--")
                sentence += f", box IoU {float(iou(box, self.truth)):.2f}"
            told.append(sentence)
        axes[0, 1].set(xlim=(-0.5, SEARCH - 0.5), ylim=(SEARCH - 0.5, -0.5))
        plots.legend_below(figure, axes[0, 1], columns=6, fontsize=7)
        return figure, "; ".join(told)
