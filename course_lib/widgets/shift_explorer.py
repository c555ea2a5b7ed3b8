"""Shift explorer: a patch shifted cyclically and in the image, its data matrix, and the matrix's
spectrum."""

from __future__ import annotations

import cv2
import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.geometry.boxes import to_centre
from course_lib.geometry.patches import cut_patch
from course_lib.trackers.base import accept_start
from course_lib.trackers.filters import cosine_window
from course_lib.trackers.kernels import (
    KERNELS,
    data_matrix,
    displacement,
    kernel_correlation,
    spectrum,
)
from course_lib.widgets.bench import ImageBench, choice, slider

SIZE = 48  # pixels per side of the patch


class ShiftExplorer(ImageBench):
    """Cyclic shifts of a patch beside real ones, and a kernel's response to them.

    Args:
        frame: (H, W, 3) uint8.
        box: (4,) of the target in it, pixels.
        padding: size of the patch in sizes of the box.
    """

    def __init__(
        self, frame: np.ndarray, box: np.ndarray, padding: float = 2.0, alt: str | None = None
    ) -> None:
        frame, box = accept_start(frame, box)
        self.grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        self.centre, self.size = to_centre(box)[:2], box[2:] * padding  # (2,) each
        half = SIZE // 2
        controls = [
            slider("dx", "shift to the right", -half, half - 1, 1),
            slider("dy", "shift downwards", -half, half - 1, 1),
            choice("window", "cosine window", ["no", "yes"]),
            choice("kernel", "kernel", list(KERNELS)),
            slider("bandwidth", "bandwidth σ of the Gaussian", 0.05, 1.0, 0.05),
        ]
        super().__init__(
            title="Shift explorer",
            help=(
                "Shift the patch. Above, the cyclic shift beside the real one; below, all cyclic "
                "shifts of its middle row."
            ),
            controls=controls,
            values={
                "dx": 10,
                "dy": 4,
                "window": 0,
                "kernel": KERNELS.index("gaussian"),
                "bandwidth": 0.2,
            },
            alt=alt
            or "A patch shifted cyclically and in the image, a kernel's map, a data matrix and "
            "its spectrum.",
        )

    def patch(self, dx: int = 0, dy: int = 0) -> np.ndarray:
        """Grey values (48, 48), minus their mean, of the patch whose content is shifted by (dx, dy)
        from the first."""
        centre = self.centre - np.array([dx, dy]) * self.size / SIZE
        values = cut_patch(self.grey, centre, self.size, (SIZE, SIZE)) / 255  # (48, 48)
        values = values - values.mean()
        return values * cosine_window(SIZE, SIZE) if self.values["window"] else values

    def draw(self) -> tuple[Figure, str]:
        """Both shifts and the kernel's map above; data matrix, its transform and the diagonal
        below; and a sentence."""
        v = self.values
        dx, dy = int(v["dx"]), int(v["dy"])
        x, z = self.patch(), self.patch(dx, dy)
        cyclic = np.roll(x, (dy, dx), axis=(0, 1))
        kernel = KERNELS[int(v["kernel"])]
        X, Z = (spectrum(p[None]) for p in (x, z))
        likeness = kernel_correlation(X, Z, (SIZE, SIZE), kernel, v["bandwidth"])  # (48, 48)
        found = displacement(likeness)
        figure, axes = plots.new_figure(9.4, 6.0, rows=2, columns=3)
        self._images(axes[0], cyclic, z, likeness, (dx, dy), found)
        transformed = self._matrices(axes[1], x[SIZE // 2], dx)
        off = np.abs(transformed - np.diag(np.diag(transformed))).max() / max(
            np.abs(transformed).max(), 1e-12
        )
        apart = ((cyclic - z) ** 2).sum() / max(((cyclic**2).sum() + (z**2).sum()), 1e-12)
        return figure, (
            f"shifted by ({dx}, {dy}); the {kernel} kernel is largest at ({found[0]}, {found[1]}), "
            f"{likeness.max():.3g}, and {likeness[0, 0]:.3g} for no shift. Cyclic and real shift "
            f"differ by {100 * apart:.0f} % of their energy. Off the diagonal, the transformed "
            f"matrix reaches at most {off:.0e} of its largest entry"
        )

    def _images(self, axes, cyclic, real, likeness, moved, found) -> None:
        for ax, values, title in zip(
            axes, (cyclic, real), ("cyclic shift", "real shift"), strict=False
        ):
            plots.show_map(ax, values, title, cmap="gray")
        edge = SIZE // 2
        axes[2].imshow(
            np.fft.fftshift(likeness),
            cmap=plots.MAP,
            extent=(-edge - 0.5, edge - 0.5, edge - 0.5, -edge - 0.5),
        )
        axes[2].plot(*moved, "+", color="white", markersize=13, markeredgewidth=2.5)
        axes[2].plot(
            *found,
            "o",
            color=plots.PREDICTION,
            markeredgecolor="white",
            fillstyle="none",
            markersize=11,
        )
        axes[2].set_title("kernel at every shift: + true, o peak", fontsize=10)

    def _matrices(self, axes, row: np.ndarray, dx: int) -> np.ndarray:
        """Draw the data matrix (48, 48) of a row of the patch, its transform and the diagonal;
        returns the transform."""
        X = data_matrix(row)
        F = np.fft.fft(np.eye(SIZE), norm="ortho")  # (48, 48)
        transformed = F.conj() @ X @ F  # (48, 48)
        axes[0].imshow(X, cmap="gray")
        axes[0].axhspan(
            dx % SIZE - 0.5, dx % SIZE + 0.5, color=plots.PREDICTION, alpha=0.6, linewidth=0
        )
        axes[0].set_title("data matrix of the middle row", fontsize=10)
        axes[1].imshow(np.abs(transformed), cmap=plots.MAP)
        axes[1].set_title("the same in the Fourier domain", fontsize=10)
        axes[2].plot(np.abs(np.diag(transformed)), color=plots.EXEMPLAR, label="diagonal")
        axes[2].plot(
            np.abs(np.fft.fft(row)), ".", color=plots.PREDICTION, label="transform of the row"
        )
        axes[2].set_title("its diagonal", fontsize=10)
        axes[2].legend(fontsize=8)
        return transformed
