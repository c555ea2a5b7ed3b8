"""Make notebooks/images/NN.jpg, an image for each lesson, for the course's home page.

python lessons/figures/thumbnails.py [NN …]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes

from course_lib import plots
from course_lib.analysis.fields import effective_field
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import SequenceSpec, make_sequence
from course_lib.evaluation.multistart import run_multistart
from course_lib.evaluation.run_figures import draw_runs
from course_lib.geometry.anchors import place_anchors, siamrpn_anchor_sizes
from course_lib.geometry.boxes import from_centre, to_centre
from course_lib.models.centre_losses import heat_map
from course_lib.models.stream_template import CELLS, FACTOR, PATCH, SEARCH, TEMPLATE
from course_lib.models.weights import load_network, load_siamfc
from course_lib.places import RESULTS
from course_lib.trackers import make_tracker
from course_lib.trackers.climbing import best_box
from course_lib.trackers.onestream import square
from course_lib.trackers.redetection import grid
from course_lib.trackers.siamfc import unit_window

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "images"
SEQUENCES = load_benchmark("generated-v1")


def tracked(name: str, frames: int = 12, **settings):
    """A tracker after some frames of a sequence, with the last of them."""
    sequence = SEQUENCES[settings.pop("sequence", "gen-03-occlusion")]
    tracker = make_tracker(name, **settings)
    tracker.init(sequence.frames[0], sequence.boxes[0])
    for t in range(1, frames):
        box = tracker.update(sequence.frames[t])
    return tracker, sequence.frames[frames - 1], box


def welcome(ax: Axes) -> None:
    """A target in its frame."""
    sequence = SEQUENCES["gen-03-occlusion"]
    plots.show_frame(ax, sequence.frames[10], truth=sequence.boxes[10])


def problem(ax: Axes) -> None:
    """Two boxes that overlap."""
    sequence = SEQUENCES["gen-03-occlusion"]
    box = sequence.boxes[10]
    plots.show_frame(ax, sequence.frames[10], truth=box, found=box + [14, 9, 10, -6])
    x, y, w, h = box
    ax.set(xlim=(x - w, x + 2 * w + 20), ylim=(y + 1.5 * h, y - 0.6 * h))


def mosse(ax: Axes) -> None:
    """The filter, as it stands after a few frames."""
    tracker, _, _ = tracked("mosse")
    ax.imshow(tracker.last.filter, cmap="gray")


def kernels(ax: Axes) -> None:
    """A row of pixels and all its cyclic shifts."""
    row = SEQUENCES["gen-03-occlusion"].frames[10][120, 100:148].mean(axis=-1)
    ax.imshow([np.roll(row, k) for k in range(len(row))], cmap="gray", aspect="auto")


def similarity(ax: Axes) -> None:
    """A search image and its response."""
    tracker, _, _ = tracked("siamfc", weights="siamfc")
    ax.imshow(tracker.last.crop)
    size = tracker.last.crop.shape[0]
    response = tracker.last.responses[tracker.last.scale]
    reach = (size - 127) / 2
    ax.imshow(
        response, alpha=0.55, cmap=plots.MAP, extent=(size / 2 - reach, size / 2 + reach) * 2
    )
    ax.set(xlim=(0, size), ylim=(size, 0))


def training(ax: Axes) -> None:
    """The curve that training follows."""
    kept = json.loads((RESULTS.parent / "weights" / "siamfc.json").read_text("utf-8"))
    curve = np.array([row for row in kept["curve"] if row[1] is not None], dtype=float)
    ax.plot(curve[:, 0], curve[:, 1], color=plots.PREDICTION, linewidth=2.5)
    ax.grid(alpha=0.3)


def tracking(ax: Axes) -> None:
    """The window that damps what is far away."""
    ax.imshow(unit_window(272), cmap=plots.MAP)
    for k in (-1, 0, 1):
        half = 80 * 1.2**k
        plots.draw_box(ax, [136 - half, 136 - half, 2 * half, 2 * half], colour="white")


def proposals(ax: Axes) -> None:
    """The anchors of one cell."""
    tracker, _, _ = tracked("siamrpn", weights="siamrpn")
    ax.imshow(tracker.last.crop)
    anchors = place_anchors(siamrpn_anchor_sizes(), 1, 8, 127.5).reshape(-1, 4)
    for anchor, colour in zip(anchors, plots.CYCLE, strict=False):
        plots.draw_box(ax, anchor, colour=colour)


def ranking(ax: Axes) -> None:
    """The best proposals, and the one that was chosen."""
    tracker, _, _ = tracked("siamrpn", weights="siamrpn")
    last = tracker.last
    ax.imshow(last.crop)
    for k in np.argsort(last.ranked)[-12:]:
        plots.draw_box(ax, last.boxes[k], colour=plots.CYCLE[5])
    plots.draw_box(ax, last.boxes[last.best], colour=plots.PREDICTION)
    ax.set(xlim=(0, 255), ylim=(255, 0))


def match(ax: Axes) -> None:
    """Features of a template, a channel each."""
    network = load_siamfc("siamfc").eval()
    frame = torch.from_numpy(SEQUENCES["gen-03-occlusion"].frames[10].copy())
    crop = frame[60:187, 60:187].permute(2, 0, 1)[None].float()  # (1, 3, 127, 127)
    with torch.no_grad():
        maps = network.features(crop)[0, :24].numpy()  # (24, 6, 6)
    grid = np.full((4 * 7 - 1, 6 * 7 - 1), np.nan)
    for k, channel in enumerate(maps):
        row, column = divmod(k, 6)
        grid[7 * row : 7 * row + 6, 7 * column : 7 * column + 6] = channel
    ax.imshow(grid, cmap=plots.MAP)


def deeper(ax: Axes) -> None:
    """What one cell of a deep network sees."""
    network = load_siamfc("ciresnet22").eval().backbone
    noise = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (4, 3, 127, 127))).float()
    ax.imshow(effective_field(network, noise).numpy() ** 0.5, cmap=plots.MAP)


def margin(ax: Axes) -> None:
    """Targets and background on the scale of cosines, and the margin between them."""
    x = np.linspace(-1, 1, 300)
    for centre, width, colour in ((-0.15, 0.22, plots.NEUTRAL), (0.6, 0.16, plots.TRUTH)):
        y = np.exp(-(((x - centre) / width) ** 2) / 2) / width
        ax.fill_between(x, y, color=colour, alpha=0.7)
    ax.axvspan(0.15, 0.4, color=plots.CYCLE[4], alpha=0.5)


def overlap(ax: Axes) -> None:
    """Boxes that climb to where they fit."""
    tracker, _, _ = tracked("atom", frames=6, sequence="gen-14-turning-scale")
    last = tracker.last
    ax.imshow(last.crop)
    for box in last.climb.boxes[0].numpy():
        plots.draw_box(ax, box, colour=plots.CYCLE[5], width=1)
    x, y, w, h = best = best_box(last.climb, 3)
    plots.draw_box(ax, best, colour=plots.PREDICTION)
    ax.set(xlim=(x - 0.7 * w, x + 1.7 * w), ylim=(y + 1.4 * h, y - 0.4 * h))


def online(ax: Axes) -> None:
    """The score of a classifier that has learned its target."""
    tracker, _, _ = tracked("atom", frames=6, refine=False)
    ax.imshow(tracker.last.crop)
    ax.imshow(tracker.last.fine, alpha=0.6, cmap=plots.MAP)


def stream(ax: Axes) -> None:
    """A search image in squares, and what the score should be in each of them."""
    sequence = SEQUENCES["gen-18-distractors"]
    x, y, w, h = sequence.boxes[45]
    window = square((x + 0.5 * w, y - 0.4 * h, w, h), FACTOR * SEARCH / TEMPLATE, SEARCH)
    ax.imshow(window.cut(sequence.frames[45]))
    box = torch.from_numpy(window.box_to_crop(sequence.boxes[45]))[None] / SEARCH
    heat = heat_map(box, CELLS)[0].numpy()  # (16, 16)
    edges = (-PATCH / 2, SEARCH - PATCH / 2)  # cell i stands for the place 16 · i
    ax.imshow(heat, alpha=0.85 * (heat > 0), cmap=plots.MAP, extent=(*edges, *edges[::-1]))
    for k in range(1, CELLS):
        ax.axhline(PATCH * k - 0.5, color="white", linewidth=0.4)
        ax.axvline(PATCH * k - 0.5, color="white", linewidth=0.4)
    ax.set(xlim=(0, SEARCH), ylim=(SEARCH, 0))


def thinned(ax: Axes) -> None:
    """The search tokens that stay after two removals, and the box that is found."""
    sequence, network = SEQUENCES["gen-18-distractors"], load_network("onestream-lite0")
    network.eliminate, network.keep = (2, 3), 0.7
    x, y, w, h = sequence.boxes[45]
    window = square((x + 0.5 * w, y - 0.4 * h, w, h), FACTOR * SEARCH / TEMPLATE, SEARCH)
    crop = window.cut(sequence.frames[45])
    template = square(sequence.boxes[0], FACTOR, TEMPLATE).cut(sequence.frames[0])
    z, image = (torch.from_numpy(c).permute(2, 0, 1)[None].float() for c in (template, crop))
    with torch.inference_mode():
        kept = network.template(z)
        _, places = network.stream(kept, network.tokens(image, network.place_x))
    stays = np.zeros(CELLS**2, bool)
    stays[places[0].numpy()] = True
    shade = stays.reshape(CELLS, CELLS).repeat(PATCH, 0).repeat(PATCH, 1)[..., None]
    ax.imshow(np.where(shade, crop, crop // 4 + 150).astype(np.uint8))
    plots.draw_box(ax, window.box_to_crop(sequence.boxes[45]), plots.TRUTH)
    ax.set(xlim=(0, SEARCH), ylim=(SEARCH, 0))


def protocols(ax: Axes) -> None:
    """MOSSE's runs from the anchors of a long sequence."""
    sequence = make_sequence(SequenceSpec("long", 813, length=220, occluders=2, distractors=1))
    runs = run_multistart(lambda: make_tracker("mosse"), sequence.loaded())
    draw_runs(ax, runs, len(sequence))
    ax.set(xlabel="")


def challenge(ax: Axes) -> None:
    """A lost target's last box, and the places where it is looked for."""
    sequence = SEQUENCES["gen-03-occlusion"]
    frame, box = sequence.frames[10], sequence.boxes[10]
    plots.show_frame(ax, frame)
    for place in grid(box, 1.0, frame.shape):
        plots.draw_box(ax, place, "white", width=0.6)
    plots.draw_box(ax, box, plots.PREDICTION, style="--", width=1.6)


IMAGES = {
    "00": welcome,
    "01": problem,
    "02": mosse,
    "03": kernels,
    "04": similarity,
    "05": training,
    "06": tracking,
    "07": proposals,
    "08": ranking,
    "09": match,
    "10": deeper,
    "11": margin,
    "12": overlap,
    "13": online,
    "14": stream,
    "15": thinned,
    "16": protocols,
    "17": challenge,
}


def main(numbers: list[str]) -> None:
    """Draw the images of some lessons, by default of all."""
    FOLDER.mkdir(exist_ok=True)
    for number in numbers or IMAGES:
        figure, axes = plots.new_figure(width=2.4, height=1.6)
        IMAGES[number](axes[0, 0])
        axes[0, 0].set(xticks=[], yticks=[], title="")
        figure.savefig(FOLDER / f"{number}.jpg", dpi=100, pil_kwargs={"quality": 80})


if __name__ == "__main__":
    main(sys.argv[1:])
