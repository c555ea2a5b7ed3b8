"""Score-map explorer: draw an exemplar, scrub through the sequence, and see where the network finds it
again."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.windows import (
    EXEMPLAR,
    CropWindow,
    exemplar_window,
    search_window,
)
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.siamfc import SiamFC
from course_lib.trackers.base import accept_start
from course_lib.widgets import canvas
from course_lib.widgets.bench import Bench, choice, slider
from course_lib.widgets.static import front_end


def heat(ax: Axes, window: CropWindow, response: np.ndarray, stride: int) -> None:
    """Lay a response over a frame.

    Colours run from its lowest value to its highest, but span at least one unit, so that a flat
    response stays dark.

    Args:
        ax: shows the frame.
        window: of the search image.
        response: (n, n); its cells lie around the window's centre.
        stride: search pixels from cell to cell.
    """
    n = len(response)
    reach = n * stride / 2 / window.scale  # frame pixels
    fine = cv2.resize(response.astype(np.float32), (n * 8, n * 8), interpolation=cv2.INTER_CUBIC)
    low, high = float(response.min()), float(response.max())
    share = np.clip((fine - low) / max(high - low, 1.0), 0, 1)
    extent = (
        window.cx - reach - 0.5,
        window.cx + reach - 0.5,
        window.cy + reach - 0.5,
        window.cy - reach - 0.5,
    )
    ax.imshow(
        share, cmap=plots.MAP, alpha=0.25 + 0.5 * share, extent=extent, vmin=0, vmax=1, zorder=2
    )


class ScoreMapExplorer(canvas.FrameWidget, Bench):
    """Responses of a SiamFC to a chosen exemplar over the frames of a sequence.

    In the page: change the box on the left frame, by mouse, touch or arrow keys, to choose the
    exemplar; scrub with the sliders; take another object's exemplar or another network; point at
    the response on the right, or move over it with the arrow keys, to read a cell. The response
    covers the search window around the true target.

    Args:
        sequence: frames and boxes of the target; the frames are sent to the page once.
        other: a sequence whose first frame gives the other exemplar, if any.
        networks: by name; the first is shown first.
        alt: alternative text; made from the sequence's name if not given.

    Attributes:
        box: the exemplar's box as a list x, y, w, h in frame pixels. Set it to choose another
            exemplar.
        response: (n, n), the current one.

    Raises DataError if the sequence has no ground truth in its first frame, if no network is given, and
    for a box that cannot start a tracker.
    """

    _esm = front_end("frames.js", "controls.js", "box_editor.js", "score_maps.js")
    styles = traitlets.List().tag(sync=True)  # of the truth and of the exemplar's box
    palette = traitlets.Bytes().tag(sync=True)  # 256 RGB triples for the response
    truth = traitlets.Bytes().tag(sync=True)  # float32 (T, 4)
    box = traitlets.List(traitlets.CFloat()).tag(sync=True)
    crop = traitlets.Bytes().tag(sync=True)  # the exemplar, 127 × 127, as JPEG
    # the current response: frame, side, centre and step in frame pixels, values
    shown = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        sequence: Sequence,
        other: Sequence | None,
        networks: dict[str, SiamFCRuntime],
        alt: str | None = None,
    ) -> None:
        accept_start(sequence.frames[0], sequence.boxes[0])
        if not networks:
            raise DataError("no network was given; expected at least one, by name")
        self.sequence, self.other, self.networks = sequence, other, networks
        self.cached: dict[tuple, np.ndarray] = {}
        options = ["the box on the left"] + ([f"another object ({other.name})"] if other else [])
        controls = [
            slider("frame", "frame", 0, len(sequence) - 1, 1),
            slider("drawn_in", "exemplar from frame", 0, len(sequence) - 1, 1),
            choice("exemplar", "exemplar", options),
            choice("network", "network", list(networks)),
        ]
        packed = canvas.pack_frames(sequence.frames, longest_side=480)
        super().__init__(
            title="Score-map explorer",
            controls=controls,
            values={"frame": min(5, len(sequence) - 1), "drawn_in": 0, "exemplar": 0, "network": 0},
            **vars(packed),
            styles=[
                canvas.style(canvas.TRUTH_LABEL, plots.TRUTH),
                canvas.style("exemplar", plots.EXEMPLAR),
            ],
            palette=canvas.palette(),
            truth=canvas.pack_floats(sequence.boxes),
            box=sequence.boxes[0].tolist(),
            alt=alt
            or f"An exemplar from {sequence.name}, and where a SiamFC finds it in another frame.",
        )

    @property
    def response(self) -> np.ndarray:
        """The current response (n, n)."""
        t, network = int(self.values["frame"]), int(self.values["network"])
        crop, key = self._exemplar()
        if (key, t, network) not in self.cached:
            runtime = list(self.networks.values())[network]
            z = runtime.template(crop[None])  # (1, C, 6, 6)
            search = self._window(t).cut(self.sequence.frames[t])  # (255, 255, 3)
            self.cached[key, t, network] = runtime.respond(z, search[None])[0]  # (n, n)
        return self.cached[key, t, network]

    def refresh(self) -> None:
        """Compute the response for the current values and box, and send it."""
        t, response = int(self.values["frame"]), self.response
        window = self._window(t)
        with self.hold_sync():  # one message
            self.crop = canvas.pack_frames([self._exemplar()[0]]).jpegs
            self.shown = {
                "frame": t,
                "side": len(response),
                "middle": [window.cx, window.cy],
                "step": self._stride() / window.scale,  # frame pixels between two cells
                "values": canvas.pack_floats(response),
            }
            self.readout = self._sentence(t, response)

    def image(self) -> Figure:
        """The exemplar in its frame, the exemplar, and the current frame with the response."""
        t, drawn_in = int(self.values["frame"]), int(self.values["drawn_in"])
        figure, axes = plots.new_figure(10.0, 3.1, columns=3, width_ratios=[1.5, 0.8, 1.5])
        left, centre, right = axes[0]
        plots.show_frame(left, self.sequence.frames[drawn_in], f"frame {drawn_in}")
        if self.values["exemplar"] == 0:
            plots.draw_box(left, self.box, plots.EXEMPLAR, "exemplar")
        plots.show_frame(centre, self._exemplar()[0], "exemplar z")
        plots.show_frame(right, self.sequence.frames[t], f"response over frame {t}")
        H, W = self.sequence.frames[t].shape[:2]
        heat(right, self._window(t), self.response, self._stride())
        plots.draw_box(right, self.sequence.boxes[t], plots.TRUTH, "ground truth")
        right.set(xlim=(-0.5, W - 0.5), ylim=(H - 0.5, -0.5))
        return figure

    @traitlets.validate("box")
    def _a_start(self, proposal: dict) -> list[float]:
        return accept_start(self.sequence.frames[int(self.values["drawn_in"])], proposal["value"])[
            1
        ].tolist()

    @traitlets.observe("box")
    def _box_changed(self, _change: dict) -> None:
        if self.ready:
            self.refresh()

    def _stride(self) -> int:
        return list(self.networks.values())[int(self.values["network"])].network.stride

    def _exemplar(self) -> tuple[np.ndarray, tuple]:
        """The exemplar's crop (127, 127, 3) and a key for it."""
        if self.values["exemplar"] == 1:
            frame, box, key = self.other.frames[0], self.other.boxes[0], ("other",)
        else:
            t, box = int(self.values["drawn_in"]), np.array(self.box)
            frame, key = self.sequence.frames[t], (t, *np.round(box, 1))
        return exemplar_window(box).cut(frame), key

    def _window(self, t: int) -> CropWindow:
        """The search window of frame t: around the true target, or where it was last seen."""
        seen = np.flatnonzero(~np.isnan(self.sequence.boxes[: t + 1, 0]))[-1]
        return search_window(self.sequence.boxes[seen])

    def _sentence(self, t: int, response: np.ndarray) -> str:
        """Where the response peaks, how high, and its mean elsewhere."""
        n = len(response)
        row, column = np.unravel_index(response.argmax(), response.shape)
        away = float(np.hypot(row - (n - 1) / 2, column - (n - 1) / 2)) * self._stride()
        others = np.delete(response.ravel(), response.argmax())
        return (
            f"frame {t}: highest response {response.max():.2f}, {away:.0f} search pixels from the "
            f"target; mean of all other cells {others.mean():.2f}"
        )


def untrained(
    stride: int = 8, widths: tuple[int, ...] = (64, 128, 192, 192, 128), seed: int = 0
) -> SiamFC:
    """A SiamFC with random weights, its batch-norm statistics taken from noise, so that its
    features have a typical scale.

    Args:
        stride: search pixels from cell to cell of its map.
        widths: channels of its five convolutions.
        seed: of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SiamFC(stride=stride, widths=widths)
        network.train()
        with torch.no_grad():
            for _ in range(30):
                network.features(torch.rand(2, 3, EXEMPLAR, EXEMPLAR) * 255)
    return network.eval()
