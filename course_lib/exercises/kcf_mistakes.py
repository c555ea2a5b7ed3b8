"""What students get wrong in lesson 03's tracker: one step each."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.kcf_steps import (
    added,
    averaged_first,
    averaged_with_model,
    before,
    boxed,
    changed,
    cut_off,
    early,
    from_first,
    inside,
    late,
    learned,
    learning_from,
    moved_by,
    only,
    replaced_by_average,
    searching,
    shaped,
    started_at,
    turned,
)
from course_lib.exercises.plain_kcf import CELL
from course_lib.trackers import kcf, kernels

MISTAKES = {
    "your box never moves: is the displacement added to the centre, and is the kernel that of "
    "the model x with the new patch z?": [
        moved_by(0),
        changed(_response=lambda self, z: self._respond(z, z)),
    ],
    "your response is the kernel itself: multiply its transform by that of α": changed(
        _response=lambda self, z: self._kernel(self.x, z)
    ),
    "you keep the box inside the frame; a target may leave it": [
        inside(),
        inside(short=1),
        inside(share=0.5),
    ],
    "your displacement is limited to a largest value: it may reach as far as the patch": [
        changed(_move=cut_off(most)) for most in (4, 8, 10, 16)
    ],
    "your box moves in one direction only: dx and dy both move it": [
        changed(_move=only(0)),
        changed(_move=only(1)),
    ],
    "one cell is 4 pixels wide and high, and you move by one pixel per cell": (moved_by(1)),
    "dx and dy are exchanged where you move the centre: x comes first": moved_by(CELL, swap=True),
    "your box moves the wrong way: is a sign wrong, or are the kernel's arguments exchanged (x "
    "is the model, z the new patch)": [
        moved_by(-CELL),
        changed(_kernel=lambda self, x, z: kernels.gaussian_kernel(z, x, 0.5)),
    ],
    "your centre is always counted from the first one: add the displacement to the last": (
        from_first
    ),
    "you return the box of the frame before": before,
    "your model never changes: update both x and α in every frame": (
        changed(rate=0.0, alpha_rate=0.0)
    ),
    "α is never updated; x and α follow together": changed(alpha_rate=0.0),
    "x is never updated; x and α follow together": changed(rate=0.0),
    "you replace x by the new patch; average it with rate 0.02": changed(rate=1.0),
    "you replace α by the new one; average it with rate 0.02": changed(alpha_rate=1.0),
    "your rate is not 0.02": [
        changed(rate=v, alpha_rate=v) for v in (0.2, 0.075, 0.125, 0.1, 0.05, 0.01, 0.002)
    ],
    "the rate 0.02 belongs to the new patch, 0.98 to the past": changed(rate=0.98, alpha_rate=0.98),
    "the weights of α are exchanged: 0.02 belongs to the new α, 0.98 to the past": (
        changed(alpha_rate=0.98)
    ),
    "the weights of x are exchanged: 0.02 belongs to the new patch, 0.98 to the past": (
        changed(rate=0.98)
    ),
    "your averages grow: the past is weighted with 1 − 0.02": learned(added),
    "the patch that you learn from is cut at the old centre: cut it again at the new one": late,
    "you learn from each frame before you look for the target in it": early,
    "you train α on the running average of x: train it on the new patch alone": (
        learned(averaged_first)
    ),
    "you train α on the kernel of the model with the new patch: take that of the new patch with "
    "itself": learned(averaged_with_model),
    "your model learns from an earlier frame, the first or the last: cut the patch from this one": [
        learning_from("first"),
        learning_from("last"),
    ],
    "you train α anew on the running average of x; average α itself": learned(replaced_by_average),
    "you search in other channels than you learn from: both are windowed HOG": [
        searching(lambda self, frame: self._channels(frame) * self._window()),
        searching(lambda self, frame: self._channels(frame) / self._window()),
    ],
    "your channels have no window: take those of `channels_of`": changed(_window=lambda self: 1.0),
    "the shape of your patch is (w, h); arrays have (h, w)": turned,
    "the box's width and height are exchanged": changed(_sides=lambda self, box: box[[3, 2]]),
    "your box's sides are cut to whole numbers": changed(
        _sides=lambda self, box: np.floor(box[2:])
    ),
    "your patch is not 2.5 times the box, to the nearest multiple of 4 pixels: use `patch_shape`": [
        shaped(int),
        shaped(lambda cells: int(np.ceil(cells))),
    ],
    "your patch is a square: `patch_shape` has a height and a width": changed(
        _patch_shape=lambda self: (CELL * round(2.5 * max(self.size) / CELL),) * 2
    ),
    "your patch is as large as the box: it should be 2.5 times as wide and high": changed(
        padding=1.0
    ),
    "your patch is not 2.5 times the box": [changed(padding=v) for v in (1.5, 2.0, 3.0)],
    "your λ is not 1e-4": [changed(regulariser=v) for v in (1e-2, 1e-3, 1e-1, 1.0, 1e-5, 0.0)],
    "your σ is not 0.5": [changed(bandwidth=v) for v in (0.2, 1.0, 0.05, 0.1, 0.4, 0.6)],
    "your labels' sigma is in pixels; the labels are on the grid of cells": (
        changed(label_sigma=0.1 * CELL)
    ),
    "your labels' sigma is a tenth of the root of the patch's area; take the box's": (
        changed(label_sigma=0.25)
    ),
    "the labels' sigma is a tenth of the square root of the box's area, in cells; yours is "
    "made of other sides": [
        changed(_sigma=lambda self, of=of: 0.1 * of(self.size) / CELL)
        for of in (np.mean, np.max, np.min, np.linalg.norm, np.prod)
    ],
    "your labels' sigma is not a tenth of the square root of the box's area, in cells": [
        *(changed(label_sigma=v) for v in (0.125, 0.05, 0.2, 0.1 / CELL)),
        *(changed(_sigma=lambda self, v=v: v) for v in (1.0, 2.0)),
    ],
    "your labels' sigma is the whole root of the box's area; take a tenth of it": changed(
        label_sigma=1.0
    ),
    "your labels peak at the centre of the map: here the cell of no motion is (0, 0)": changed(
        _train=lambda self, x, z: kernels.dual_weights(
            self._kernel(x, z), np.fft.fftshift(self.labels), self.regulariser
        )
    ),
    "the corner of the first box is taken for its centre": started_at(
        lambda centre, size: centre - size / 2
    ),
    "your centre is rounded to whole pixels": [
        started_at(lambda centre, size: np.round(centre)),
        started_at(lambda centre, size: np.floor(centre)),
    ],
    "you return the centre where the box's corner belongs: x = cx − w / 2": (
        boxed(lambda tracker, box: [*tracker.centre, *box[2:]])
    ),
    "your box is as large as the patch; it keeps the size of the first box": [
        boxed(lambda tracker, box: [*box[:2], *tracker.shape[::-1]]),
        boxed(
            lambda tracker, box: [
                *(tracker.centre - np.array(tracker.shape[::-1]) / 2),
                *tracker.shape[::-1],
            ]
        ),
    ],
    "your box is rounded to whole pixels": [
        boxed(lambda tracker, box: np.round(box)),
        boxed(lambda tracker, box: np.floor(box)),
    ],
    "these are the boxes of the course's own version, whose cells are not exactly 4 pixels: "
    "write the steps yourself": lambda right: kcf.KCF(kcf.KCFSettings(scale="fixed")),
}
