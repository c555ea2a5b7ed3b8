"""Score-map explorer: draw an exemplar, scrub through the clip, and see where the network finds it again."""

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
from course_lib.geometry.windows import EXEMPLAR, CropWindow, exemplar_side, search_side
from course_lib.models.siamfc import SiamFC
from course_lib.trackers.base import accept_start
from course_lib.trackers.siamfc import SEARCH, Embedding
from course_lib.widgets.bench import PictureBench, choice, slider


def heat(ax: Axes, window: CropWindow, response: np.ndarray, stride: int, low: float, high: float) -> None:
    """Lay a response (n, n) over a frame: its cells stand `stride` search pixels apart around the window's middle.

    `low` and `high` are the values shown darkest and brightest.
    """
    n = len(response)
    reach = n * stride / 2 / window.scale  # frame pixels
    fine = cv2.resize(response.astype(np.float32), (n * 8, n * 8), interpolation=cv2.INTER_CUBIC)
    share = np.clip((fine - low) / max(high - low, 1e-6), 0, 1)
    extent = (window.cx - reach - 0.5, window.cx + reach - 0.5, window.cy + reach - 0.5, window.cy - reach - 0.5)
    ax.imshow(share, cmap=plots.MAP, alpha=0.25 + 0.5 * share, extent=extent, vmin=0, vmax=1, zorder=2)


class ScoreMapExplorer(PictureBench):
    """Responses of a SiamFC over the frames of a clip, to an exemplar of one's choice.

    In the page: drag a box on the left picture to make it the exemplar; scrub with the slider; choose another object's
    exemplar. The response is shown over the search window around the true target, from the lowest value of the
    clip's own exemplar to the highest.

    Args:
        clip: frames and boxes of the target.
        other: a clip whose first target is the other exemplar; None for none.
        networks: networks by name; the first is shown first.

    Attributes:
        box: (4,) the exemplar's box; exemplar_frame: the frame it was drawn in.
        response: (n, n) in view.

    Raises DataError if the clip has no ground truth in its first frame.
    """

    def __init__(
        self, clip: Sequence, other: Sequence | None, networks: dict[str, Embedding], alt: str | None = None
    ) -> None:
        accept_start(clip.frames[0], clip.boxes[0])
        if not networks:
            raise DataError("no network was given; expected at least one, by name")
        self.clip, self.other, self.networks = clip, other, networks
        self.box, self.exemplar_frame = clip.boxes[0].copy(), 0
        self.cached: dict[tuple, np.ndarray] = {}
        options = ["the box drawn on the left"] + ([f"another object ({other.name})"] if other else [])
        controls = [
            slider("frame", "frame", 0, len(clip) - 1, 1),
            slider("drawn_in", "exemplar from frame", 0, len(clip) - 1, 1),
        ]
        controls += [choice("exemplar", "exemplar", options), choice("network", "network", list(networks))]
        super().__init__(
            title="Score-map explorer",
            help="Drag a box on the left picture to choose another exemplar. Everything else works with the keyboard too.",
            controls=controls,
            values={"frame": min(5, len(clip) - 1), "drawn_in": 0, "exemplar": 0, "network": 0},
            can_draw=True,
            alt=alt or f"An exemplar from {clip.name}, and where a SiamFC finds it in another frame.",
        )
        self.refresh()

    @property
    def response(self) -> np.ndarray:
        """The response (n, n) in view."""
        v = self.values
        return self._respond(self._exemplar(), int(v["frame"]), int(v["network"]))

    @traitlets.observe("drawn")
    def _box_drawn(self, change: dict) -> None:
        """Turn a dragged rectangle into a box of the frame on the left."""
        H, W = self.clip.frames[int(self.values["drawn_in"])].shape[:2]
        x0, y0, x1, y1 = change["new"]
        left, bottom, width, height = self.left_axes  # in fractions of the picture, from the bottom
        columns = np.clip((np.array([x0, x1]) - left) / width * W, 0, W)
        rows = np.clip((np.array([y0, y1]) - (1 - bottom - height)) / height * H, 0, H)
        w, h = float(np.ptp(columns)), float(np.ptp(rows))
        if w >= 4 and h >= 4:
            self.box = np.array([columns.min(), rows.min(), w, h])
            self.refresh()

    def _exemplar(self) -> tuple[np.ndarray, tuple]:
        """The exemplar's crop (127, 127, 3) and a key for it."""
        if self.values["exemplar"] == 1:
            frame, box, key = self.other.frames[0], self.other.boxes[0], ("other",)
        else:
            t = int(self.values["drawn_in"])
            frame, box, key = self.clip.frames[t], self.box, (t, *np.round(self.box, 1))
        window = CropWindow(*(box[:2] + box[2:] / 2), float(exemplar_side(box)), EXEMPLAR)
        return window.cut(frame), key

    def _window(self, t: int) -> CropWindow:
        """The search window of frame t: around the true target, or where it was last seen."""
        seen = np.flatnonzero(~np.isnan(self.clip.boxes[: t + 1, 0]))[-1]
        box = self.clip.boxes[seen]
        return CropWindow(*(box[:2] + box[2:] / 2), float(search_side(box)), SEARCH)

    def _respond(self, exemplar: tuple[np.ndarray, tuple], t: int, network: int) -> np.ndarray:
        crop, key = exemplar
        if (key, t, network) not in self.cached:
            embedding = list(self.networks.values())[network]
            z = embedding.features(crop[None])  # (1, C, 6, 6)
            search = self._window(t).cut(self.clip.frames[t])  # (255, 255, 3)
            self.cached[key, t, network] = embedding.respond(z, search[None])[0]
        return self.cached[key, t, network]

    def draw(self) -> tuple[Figure, str]:
        """The exemplar in its frame, the search frame with the response, and a sentence on its peak."""
        t, drawn_in = int(self.values["frame"]), int(self.values["drawn_in"])
        exemplar = self._exemplar()
        response = self._respond(exemplar, t, int(self.values["network"]))
        window, stride = self._window(t), next(iter(self.networks.values())).network.stride
        figure, axes = plots.new_figure(10.0, 3.1, columns=3, width_ratios=[1.5, 0.8, 1.5])
        left, middle, right = axes[0]
        plots.show_frame(left, self.clip.frames[drawn_in], f"frame {drawn_in}: draw here")
        if self.values["exemplar"] == 0:
            plots.draw_box(left, self.box, plots.EXEMPLAR, "exemplar")
        plots.show_frame(middle, exemplar[0], "exemplar z")
        plots.show_frame(right, self.clip.frames[t], f"response over frame {t}")
        H, W = self.clip.frames[t].shape[:2]
        heat(
            right,
            window,
            response,
            stride,
            float(response.min()),
            max(float(response.max()), float(response.min()) + 1),
        )
        plots.draw_box(right, self.clip.boxes[t], plots.TRUTH, "ground truth")
        right.set(xlim=(-0.5, W - 0.5), ylim=(H - 0.5, -0.5))
        figure.draw_without_rendering()  # places the axes: a drag is measured on them
        self.left_axes = left.get_position().bounds
        n = len(response)
        row, column = np.unravel_index(response.argmax(), response.shape)
        away = float(np.hypot(row - (n - 1) / 2, column - (n - 1) / 2)) * stride
        others = np.delete(response.ravel(), response.argmax())
        return figure, (
            f"frame {t}: highest response {response.max():.2f}, {away:.0f} search pixels from the target; "
            f"mean of all other cells {others.mean():.2f}"
        )


def untrained(stride: int = 8, widths: tuple[int, ...] = (64, 128, 192, 192, 128), seed: int = 0) -> SiamFC:
    """A SiamFC with random weights, its batch-norm statistics taken from noise, so that its features have a usual size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SiamFC(stride, widths)
        network.train()
        with torch.no_grad():
            for _ in range(30):
                network.features(torch.rand(2, 3, EXEMPLAR, EXEMPLAR) * 255)
    return network.eval()
