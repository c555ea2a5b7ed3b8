# ---
# jupyter:
#   course: {run: [1, 1]}
# ---

# %% [markdown]
# # 12 · Maximising overlap: ATOM's judge of boxes
#
# | | |
# |---|---|
# | **You will be able to** | pool the features inside a box with a gradient with respect to the box; train a judge that predicts how good a box is; and let boxes climb to where they fit |
# | **You need** | lessons 04 to 06; lesson 08 for boxes by regression, lesson 11 for ROI-Align |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Danelljan et al. (ATOM, CVPR 2019), Jiang et al. (PrPool, in "Acquisition of Localization Confidence for Accurate Object Detection", ECCV 2018), and ATOM's public code |
# | **Words** | {{words}} |

# %%
import copy

import cv2
import numpy as np
import torch
from scipy.stats import spearmanr
from torchvision.ops import roi_align

from course_lib import plots
from course_lib.analysis.diagrams_atom import atom_diagram
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.generated.sources import SCENES, photograph
from course_lib.data.sequence import Sequence
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.otb import track
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.anchors import overlaps
from course_lib.geometry.boxes import from_centre, iou, to_centre
from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.runtime_online import OnlineRuntime
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.trackers.atom import ATOMSettings, ATOMTracker
from course_lib.trackers.climbing import ClimbSettings, starting_boxes
from course_lib.widgets import BoxClimber

torch.manual_seed(0)
sequences = load_benchmark("generated-v1")
subject = sequences["gen-14-turning-scale"].loaded(by_profile(smoke=12, laptop=None, gpu=None))
alike = load_benchmark("generated-alike-v1")
runtime = OnlineRuntime.load("atom-lite0", "cpu", "fp32")
predictor = runtime.predictor

# %% [markdown]
# ## Look first
#
# {{part}}
#
# One frame, and a box that somebody has dropped on it, beside the target and of the wrong shape. How good is it? We know the true box, so we can say: its IoU. And we can say it for every other box too: for the same box anywhere else, and for all sizes at the same place.


# %%
def search_image(sequence, t, away=(0, 0), factor=1.0):
    """Frame t as a tracker sees it that is `away` (2,) from the target, in roots of its area, and
    takes it for `factor` times as large: crop (287, 287, 3), and the true box (4,) in it."""
    box = sequence.boxes[t]
    centre = to_centre(box)[:2] + np.asarray(away) * np.sqrt(box[2] * box[3])
    window = CropWindow(*centre, float(context_side(factor * box[2:])) * 287 / 127, 287)
    return window.cut(sequence.frames[t]), window.box_to_crop(box)


def oracle(truth):
    """The judge that knows the truth: boxes (P, 4) → 2 · IoU − 1 (P,)."""
    truth = torch.as_tensor(truth).float()[None]
    return lambda boxes: 2 * overlaps(boxes, truth)[0] - 1


SHIFTS, SIZES = (-1.3, 1.3), (0.3, 2.3)  # in sides of the target
POINTS = by_profile(smoke=15, laptop=41, gpu=61)  # of a surface, per axis


def surfaces(judge, box, truth):
    """IoUs by a judge, two surfaces: of `box` at other places, and of other sizes at its place."""
    at, size = (np.linspace(*limits, POINTS) for limits in (SHIFTS, SIZES))
    (x, y), sides = to_centre(truth)[:2], truth[2:]
    moved = [(x + dx * sides[0], y + dy * sides[1], *box[2:]) for dy in at for dx in at]
    sized = [(*to_centre(box)[:2], *(sides * (w, h))) for h in size for w in size]
    with torch.no_grad():
        values = judge(torch.from_numpy(from_centre(np.array(moved + sized))).float())
    return ((values + 1) / 2).numpy().reshape(2, POINTS, POINTS)


def draw_surface(ax, values, limits, place, words):
    """One surface with its lines of equal IoU, and a cross at `place` (2,)."""
    look = {"extent": (limits[0], limits[1], limits[1], limits[0]), "cmap": plots.MAP}
    image = ax.imshow(values, vmin=0, vmax=1, **look)
    at = np.linspace(*limits, len(values))
    ax.contour(at, at, values, np.arange(0.1, 1, 0.1), colors="white", linewidths=0.5)
    ax.plot(*place, "x", color=plots.PREDICTION, markersize=9, markeredgewidth=2.5)
    ax.set_title(words, fontsize=10)
    return image


def zoom(ax, truth, sides):
    """Show what lies within so many sides of the target's centre."""
    (x, y), half = to_centre(truth)[:2], sides * max(truth[2:])
    ax.set(xlim=(x - half, x + half), ylim=(y + half, y - half))


frame_number = len(subject) // 2
image, truth = search_image(subject, frame_number)
dropped = from_centre(to_centre(truth) + truth[[2, 3, 2, 3]] * (0.25, -0.2, 0.35, -0.25))
moved, sized = surfaces(oracle(truth), dropped, truth)
shift = (to_centre(dropped) - to_centre(truth))[:2] / truth[2:]
figure, axes = plots.new_figure(width=10, height=3.2, columns=3)
plots.show_frame(axes[0, 0], image, f"IoU {float(iou(dropped, truth)):.2f}", truth, dropped)
zoom(axes[0, 0], truth, 1.5)
draw_surface(axes[0, 1], moved, SHIFTS, shift, "its IoU at other places")
axes[0, 1].set(xlabel="off to the right, in widths", ylabel="off downwards, in heights")
shown = draw_surface(axes[0, 2], sized, SIZES, dropped[2:] / truth[2:], "of other sizes, here")
axes[0, 2].set(xlabel="width / true width", ylabel="height / true height")
figure.colorbar(shown, ax=list(axes[0, 1:]), label="IoU")
words = f"A search image with the target's box and a dropped one of IoU {float(iou(dropped, truth)):.2f}; the IoU of the dropped box at other places, highest, {moved.max():.2f}, where the centres agree; and of boxes of other sizes at its place, highest {sized.max():.2f}."
plots.show(figure, alt=words)

# %% [markdown]
# {{figure surface}} Left: the target's box, solid, and the dropped one, dashed. In the centre, the IoU of the dropped box at every place; on the right, that of boxes of every width and height at its place. The crosses are the dropped box itself; white lines are lines of equal IoU, 0.1 apart.
#
# **Predict:** a walker is set down on the surface in the centre and always goes straight uphill. From where does he reach the top? And does the top on the right stand where width and height are the true ones?
#
# <details><summary>What came of it</summary>
#
# From wherever the boxes overlap there is a way up, and no false summit on it. Beyond that everything is 0 and level: he does not know where to go. The top itself is not a point, either: the dropped box is wider than the target and not as high, so it can slide a little to either side, or up and down, without any change of its IoU. And on the right the best box *at a wrong place* is not one of the true size. So place and size have to be corrected together.
# </details>
#
# ## Somebody who knows a good box
#
# How have we found the size so far? In lesson 06 by trying three scales; SiamMargin of lesson 11 does the same. The score that chose among them was never asked about size. In lesson 08 by regression: a network says how the box should be, once, and what it says is what you get. Nobody looks at the result.
#
# Imagine a *judge* who looks at any box and says how good it is. Then one would try boxes until the judge is content; and if the judgement has a gradient, one need not even try: it says how the box should move and stretch. Does that work? We can find out before there is any network: take the true IoU as the judge.
#
# ### Exercise 12.1 · One step up
# {{exercise}}
#
# A step goes along the gradient of the value with respect to the four numbers of the box,
#
# $$b \;\leftarrow\; b + \ell \cdot \frac{\partial\,\text{value}}{\partial b} \cdot (w, h, w, h), \qquad b = (x, y, w, h).$$
#
# Why the factors? One pixel matters less to a large box: its gradient falls as $1/w$. With the factors a step moves a large box by as many pixels as a small one.
#
# Write `climb_step` for P boxes at once. Each value depends on its own box alone, so the gradient of the *sum* contains the gradient of each. Keep widths and heights at 1 pixel or more, and return the values too: those *before* the step, which came with the gradient and cost nothing.
#
# <details><summary>Hint 1</summary>
#
# `boxes.detach().clone().requires_grad_()` is a copy that remembers what is computed from it; `torch.autograd.grad(values.sum(), boxes)` returns a tuple with one gradient, (P, 4).
# </details>
# <details><summary>Hint 2</summary>
#
# `boxes[:, [2, 3, 2, 3]]` are the factors. After the step only the last two columns get a `clamp`.
# </details>


# %% exercise="overlap.climb" points=5 stars=2 minutes=8
@exercise("overlap.climb")
def climb_step(judge, boxes, length):
    """Boxes after one step up, and their values before it.

    Args:
        judge: function from boxes (P, 4) to values (P,), differentiable.
        boxes: tensor (P, 4), x, y, w, h in pixels.
        length: factor on the step.

    Returns:
        tensors (P, 4) and (P,).
    """
    ### BEGIN SOLUTION
    boxes = boxes.detach().requires_grad_()
    values = judge(boxes)  # (P,)
    (gradient,) = torch.autograd.grad(values.sum(), boxes)  # (P, 4)
    boxes = boxes.detach()
    boxes = boxes + length * gradient * boxes[:, [2, 3, 2, 3]]
    return torch.cat([boxes[:, :2], boxes[:, 2:].clamp_min(1)], 1), values.detach()
    ### END SOLUTION


# %% [markdown]
# Now climb the true IoU: a dozen boxes dropped around the target, the last of them beside it. **Predict:** with which step length do the boxes fit best after thirty steps? With the longest?


# %%
def walk(judge, boxes, length, steps):
    """The boxes (steps + 1, P, 4) of a climb, before the first step and after each."""
    path = [torch.as_tensor(boxes).float()]
    for _ in range(steps):
        path.append(climb_step(judge, path[-1], length)[0].detach())
    return torch.stack(path)


rng = np.random.default_rng(2)
starts = np.tile(to_centre(truth), (12, 1))
starts[:, :2] += truth[2:] * rng.uniform(-0.6, 0.6, (12, 2))
starts[:, 2:] *= np.exp(rng.uniform(-0.5, 0.5, (12, 2)))
starts[-1] = to_centre(truth) + (1.7 * truth[2], 0, 0, 0)  # overlaps nothing
starts = from_centre(starts)
lengths = (0.3, 1.0, 3.0, 10.0)
climbs = {length: walk(oracle(truth), starts, length, 30) for length in lengths}
figure, axes = plots.new_figure(width=9.5, height=3.4, columns=2, width_ratios=(1, 1.4))
plots.show_frame(axes[0, 0], image, "thirty steps of length 1", truth)
for path in climbs[1.0].numpy().transpose(1, 0, 2):  # (31, 4) of each box
    centres = to_centre(path)[:, :2]
    plots.draw_box(axes[0, 0], path[-1], plots.PREDICTION, style="--", width=1)
    axes[0, 0].plot(*centres.T, "-", color="white", linewidth=1)
    axes[0, 0].plot(*centres[0], "o", color="white", markersize=3)
zoom(axes[0, 0], truth, 2.0)
covered = {
    f"length {length:g}": iou(path[:, :-1].numpy(), truth).mean(1)
    for length, path in climbs.items()
}
plots.draw_lines(axes[0, 1], covered, xlabel="steps", ylabel="IoU, mean of the first eleven")
ends = ", ".join(f"{name}: {line[5]:.2f} and {line[-1]:.2f}" for name, line in covered.items())
words = f"Twelve boxes climb the true IoU. Their mean IoU after 5 and after 30 steps, without the one that never touched the target: {ends}."
plots.show(figure, alt=words)
print(f"after 5 and 30 steps: {ends}")

# %% [markdown]
# {{figure oracle}} Left: white dots are the centres of the boxes dropped, white lines their paths, and the dashed boxes show where they end after thirty steps; the one on the right, which touched nothing, is where it started. Right: the mean IoU of the other eleven after each step.
#
# <details><summary>What came of it</summary>
#
# Not with the longest. The true IoU has an edge at its top, not a dome: up to the last pixel the slope is as steep as before, and so every step is as long as before. A long step arrives sooner and then hops to and fro across the top; a short one comes closer, but later, or is still on its way when the others have long arrived. ATOM takes steps of length 1, and only five: it does not start from so far away.
# </details>
#
# ### Find the fault
#
# Somebody else has written the climb with `backward` instead of `torch.autograd.grad`. It starts well, and more quickly than yours. Here are both, on the true IoU and from the same boxes.


# %%
def their_climb(judge, boxes, length, steps):
    """The boxes (steps + 1, P, 4) of a climb, before the first step and after each."""
    boxes = boxes.detach().clone().requires_grad_()
    path = [boxes.detach().clone()]
    for _ in range(steps):
        judge(boxes).sum().backward()
        with torch.no_grad():
            boxes += length * boxes.grad * boxes[:, [2, 3, 2, 3]]
            boxes[:, 2:].clamp_(min=1)
        path.append(boxes.detach().clone())
    return torch.stack(path)


def compared_climbs(theirs, whose):
    """Mean IoU over the steps of another climb beside `walk`; returns the figure and its words."""
    touching = torch.from_numpy(starts[:-1]).float()
    both = {"yours": walk, whose: theirs}
    paths = {name: of(oracle(truth), touching, 1.0, 30) for name, of in both.items()}
    lines = {name: iou(path.detach().numpy(), truth).mean(1) for name, path in paths.items()}
    figure, axes = plots.new_figure(width=5.2, height=2.9)
    plots.draw_lines(axes[0, 0], lines, xlabel="steps", ylabel="mean IoU", ylim=(0, 1))
    told = "; ".join(
        f"{name}: {line[3]:.2f} and {line[-1]:.2f}" for name, line in lines.items()
    )
    return figure, f"Mean IoU of eleven boxes over thirty steps; after 3 and 30 steps, {told}."


plots.show(*compared_climbs(their_climb, "theirs"))

# %% [markdown]
# {{figure fault}} The mean IoU of the eleven boxes that touch the target, over thirty steps of length 1.
#
# ### Exercise 12.2 · The mended climb
# {{exercise}}
#
# Say what makes their boxes lose what they have won, find the line that is missing, and write the climb as it should be; it may go on using `backward`.
#
# <details><summary>Hint 1</summary>
#
# Print the length of `boxes.grad` in each step. What does `backward` do with a gradient that is there already?
# </details>
# <details><summary>Hint 2</summary>
#
# `boxes.grad = None`, or `boxes.grad.zero_()`: at a place where the step has been taken and the next `backward` is still to come.
# </details>


# %% exercise="overlap.fault" points=4 stars=1 minutes=6
@exercise("overlap.fault")
def mended_climb(judge, boxes, length, steps):
    """`their_climb` without its fault.

    Args:
        judge: function from boxes (P, 4) to values (P,), differentiable.
        boxes: tensor (P, 4), x, y, w, h in pixels.
        length: factor on each step.
        steps: how many.

    Returns:
        tensor (steps + 1, P, 4).
    """
    ### BEGIN SOLUTION
    boxes = boxes.detach().clone().requires_grad_()
    path = [boxes.detach().clone()]
    for _ in range(steps):
        boxes.grad = None
        judge(boxes).sum().backward()
        with torch.no_grad():
            boxes += length * boxes.grad * boxes[:, [2, 3, 2, 3]]
            boxes[:, 2:].clamp_(min=1)
        path.append(boxes.detach().clone())
    return torch.stack(path)
    ### END SOLUTION


# %%
plots.show(*compared_climbs(mended_climb, "mended"))

# %% [markdown]
# {{figure mended}} The same boxes with the mended climb: one line lies on the other. A sum of old gradients is not nonsense, by the way: with a factor below 1 on the old ones it is *momentum*, which training uses on purpose. A climb of five steps on a hill of a few pixels has no time for it.
#
# So a judge is all one needs. But who knows the true IoU while tracking? From here on it is *predicted*, from what a network sees inside the box.
#
# ## Features inside a box, with a gradient
#
# What is inside a box? Lesson 11 cut templates out of a feature map with ROI-Align: one point in each part of the box, read between the cells. Nothing jumps when the box moves. But torchvision's version returns no gradient with respect to the box, only with respect to the features; and points see nothing of what lies between them.
#
# PrPool (*precise* ROI pooling) takes the mean over each part instead, by an exact integral. A map with values at its cells becomes a surface when each value is spread over its neighbourhood as a *tent* (bilinear interpolation); along one axis the tent is a *hat*, $\max(0, 1 - |t|)$. The integral of a sum of hats is a sum of integrals of hats. So one function does it all:
#
# $$T(t) = \int_{-\infty}^{t} \max(0, 1 - |u|)\,du.$$
#
# ### Exercise 12.3 · The integral of a hat
# {{exercise}}
#
# Write $T$, for tensors of any shape. It will be differentiated, so compute it with torch.
#
# <details><summary>Hint 1</summary>
#
# Four pieces: before the hat, its rising side, its falling side, beyond it. What is $T$ at −1, 0 and 1?
# </details>
# <details><summary>Hint 2</summary>
#
# $(t + 1)^2/2$ from −1 to 0. From 0 to 1 it goes on from ½ by the integral of $1 - u$. `torch.where`, or `clamp` first.
# </details>


# %% exercise="overlap.hat" points=3 stars=1 minutes=6
@exercise("overlap.hat")
def hat_integral(t):
    """The area under the hat max(0, 1 − |u|) to the left of t.

    Args:
        t: tensor of any shape.

    Returns:
        tensor of the same shape, 0…1.
    """
    ### BEGIN SOLUTION
    t = t.clamp(-1, 1)
    return torch.where(t < 0, (t + 1) ** 2 / 2, 0.5 + t - t**2 / 2)
    ### END SOLUTION


# %% [markdown]
# ### Exercise 12.4 · The weights of the cells
# {{exercise}}
#
# Along one axis the box is an interval from `start` to `start + length`, divided into bins of equal length by edges $e_0, e_1, \dots$ Cell $i$ has its hat at $i$ (here the centre of the first cell is at 0), so its weight in the *mean* over bin $k$ is
#
# $$W_{k,i} = \frac{T(e_{k+1} - i) - T(e_k - i)}{e_{k+1} - e_k}.$$
#
# Write `hat_weights`. What lies beyond the map counts as 0; nothing special is needed for that.
#
# <details><summary>Hint 1</summary>
#
# All edges at once: `start + length * torch.linspace(0, 1, bins + 1)`.
# </details>
# <details><summary>Hint 2</summary>
#
# `edges[:, None] - torch.arange(cells)` is a table (bins + 1, cells). Put it through `hat_integral`, and take each row minus the one before it: `.diff(dim=0)`.
# </details>


# %% exercise="overlap.weights" points=5 stars=2 minutes=9
@exercise("overlap.weights")
def hat_weights(start, length, bins, cells):
    """How much each cell counts in the mean over each bin of an interval.

    Args:
        start, length: tensors (), of the interval, in cells.
        bins: how many in the interval.
        cells: of the axis, at 0, 1, …

    Returns:
        tensor (bins, cells).
    """
    ### BEGIN SOLUTION
    edges = start + length * torch.linspace(0, 1, bins + 1)  # (bins + 1,)
    behind = hat_integral(edges[:, None] - torch.arange(cells))  # (bins + 1, cells)
    return behind.diff(dim=0) / (length / bins)
    ### END SOLUTION


# %%
start, length, values = torch.tensor(1.6), torch.tensor(4.2), rng.uniform(0.2, 1, 9)
weights = hat_weights(start, length, 3, 9)  # (3, 9)
t = np.linspace(-1.5, 9.5, 441)
hats = values[:, None] * np.maximum(0, 1 - np.abs(t - np.arange(9)[:, None]))  # (9, 441)
figure, axes = plots.new_figure(width=10, height=2.8, columns=3, width_ratios=(0.8, 1.4, 1))
u = torch.linspace(-2, 2, 161)
lines = {"hat": (1 - u.abs()).clamp_min(0), "its integral T": hat_integral(u)}
plots.draw_lines(axes[0, 0], lines, u, xlabel="t")
axes[0, 1].plot(t, hats.T, color=plots.NEUTRAL, linewidth=0.7)
axes[0, 1].plot(t, hats.sum(0), color=plots.EXEMPLAR)
edges = float(start) + float(length) * np.arange(4) / 3
means = weights @ torch.from_numpy(values).float()  # (3,)
for k, mean in enumerate(means.tolist()):
    axes[0, 1].plot(edges[k : k + 2], [mean, mean], color=plots.PREDICTION, linewidth=3)
for edge in edges:
    axes[0, 1].axvline(edge, color=plots.PREDICTION, linewidth=0.7)
axes[0, 1].set(xlabel="cells", ylim=(0, None), xticks=range(9))
shown = plots.show_map(axes[0, 2], weights.numpy(), "weights: bins × cells", vmin=0)
figure.colorbar(shown, ax=axes[0, 2], shrink=0.6)
listing = ", ".join(f"{mean:.2f}" for mean in means.tolist())
words = f"The hat and its integral; nine values with their hats, the line that is their sum, and its means over three bins, {listing}; and the weights of the cells in these means as a table."
plots.show(figure, alt=words)

# %% [markdown]
# {{figure hats}} Left: the hat and your $T$. In the centre: nine cells, each with its hat (grey), the line they add up to (blue), an interval of three bins and the mean over each (red). Right: your weights, a row for each bin; cells that a bin does not touch do not count, and where a bin ends, cells count in part.
#
# ### Exercise 12.5 · A box
# {{exercise}}
#
# A tent is the product of a hat along $x$ and one along $y$, so the mean over a bin of a box is a double sum, and all bins together are two matrix products. For each channel $F$, rows $y$ and columns $x$:
#
# $$\text{pooled} = W_y \; F \; W_x^{\mathsf T}.$$
#
# Write `pool` with your `hat_weights`. Both matrices are computed from the box, so autograd supplies the gradient.
#
# <details><summary>Hint 1</summary>
#
# $W_x$ is made of x, w and the number of columns, $W_y$ of y, h and the number of rows.
# </details>
# <details><summary>Hint 2</summary>
#
# `@` multiplies the last two axes and leaves the channels alone: (bins, H) @ (C, H, W) @ (W, bins).
# </details>


# %% exercise="overlap.pool" points=4 stars=2 minutes=7
@exercise("overlap.pool")
def pool(features, box, bins):
    """The means of a feature map over the bins of a box.

    Args:
        features: tensor (C, H, W).
        box: tensor (4,), x, y, w, h in cells; the centre of cell (0, 0) is at x = y = 0.
        bins: per side.

    Returns:
        tensor (C, bins, bins).
    """
    ### BEGIN SOLUTION
    _, H, W = features.shape
    x, y, w, h = box
    return hat_weights(y, h, bins, H) @ features @ hat_weights(x, w, bins, W).T
    ### END SOLUTION


# %% [markdown]
# What this is good for can be seen when a box slides over a map. Here is one channel of a real map, a box of 2.6 cells that slides across it by a cell and a half, and its mean in three ways: the box rounded to whole cells, ROI-Align with one point, your PrPool.

# %%
maps = runtime.maps(image[None])
channel = maps[0][:1, maps[0][0].flatten(1).std(1).argmax()]  # (1, 36, 36), the liveliest
box = torch.tensor([16.2, 16.9, 2.6, 2.6])
slides = torch.linspace(0, 1.5, 61)


def rounded_mean(box):
    """The mean of the cells whose centres lie in the rounded box."""
    x, y, w, h = (int(v) for v in box.round())
    return channel[0, y : y + h, x : x + w].mean()


def aligned(box):
    """ROI-Align with one point, where the centre of cell 0 is at 0.5."""
    corners = torch.cat([box[:2], box[:2] + box[2:]]) + 0.5
    return roi_align(channel[None], [corners[None]], 1, 1.0, 1, True)[0, 0, 0, 0]


ways = {
    "rounded": rounded_mean,
    "ROI-Align": aligned,
    "PrPool": lambda b: pool(channel, b, 1)[0, 0, 0],
}
places = [box + torch.tensor([s, 0, 0, 0]) for s in slides]
means = {name: [float(way(b)) for b in places] for name, way in ways.items()}
slopes = []
for place in places:
    place = place.clone().requires_grad_()
    slopes.append(float(torch.autograd.grad(ways["PrPool"](place), place)[0][0]))
figure, axes = plots.new_figure(width=9, height=2.8, columns=2)
plots.draw_lines(axes[0, 0], means, slides, xlabel="slid by, cells", ylabel="mean in the box")
measured_slope = np.gradient(means["PrPool"], slides.numpy())
told = {"PyTorch's gradient": slopes, "measured, by differences": measured_slope}
plots.draw_lines(axes[0, 1], told, slides, xlabel="slid by, cells", ylabel="slope of PrPool")
off = np.abs(np.array(slopes) - measured_slope)[1:-1].max() / np.abs(slopes).max()
words = f"The mean of a feature map in a box that slides, by three ways of pooling; and the slope of PrPool by PyTorch's gradient and by differences, which agree to {100 * off:.0f} % of the largest."
plots.show(figure, alt=words)
place = places[20].clone().requires_grad_()
aligned_mean = roi_align(
    channel.clone().requires_grad_()[None],
    [torch.cat([place[:2], place[:2] + place[2:]])[None]],
    1,
)
aligned_mean.sum().backward()
print("ROI-Align's gradient with respect to the box:", place.grad)

# %% [markdown]
# {{figure slide}} Left: the mean in a box that slides. With the box rounded, it jumps and stands still between the jumps. ROI-Align's line has no jumps, but the value at its single point is not the mean. Right: the gradient of your PrPool and what one measures by comparing neighbouring places. The line printed under the figure: torchvision's ROI-Align has no gradient with respect to its box.
#
# **A good place to stop.** A box can climb a judgement, and there is a pooling to climb through. Next comes the judge.
#
# ## The judge
# {{part}}
#
# Run the cells above; your answers are saved in them. To predict the IoU of a box and climb the prediction is an idea from detection, Jiang et al.'s IoU-Net; what ATOM adds is that the judge is told which target is meant. This is its IoU predictor:

# %%
plots.show(*atom_diagram(runtime.network))

# %% [markdown]
# {{figure diagram}} Above, what is done once, in the first frame: the target's box is pooled from two maps, and the result becomes two vectors. Below, what is done in every frame: features of the search image are multiplied with these vectors, channel by channel, and then each box is pooled and judged. The fine map knows where edges are, the coarse one what they belong to. The numbers are those of the course's network; the paper's is 256 wide, on ResNet-18.
#
# ### Exercise 12.6 · What this target is made of
# {{exercise}}
#
# Whether a box is good depends on whose box it is. That is what the vectors are for: multiplying features with them is called *modulation*. Each number in a vector, none below 0, belongs to one channel and says how much of that channel to let through for this target.
#
# Write `describe`: the features, modulated and pooled, of P boxes. The numbers of each box stand in one row.
#
# <details><summary>Hint 1</summary>
#
# The vector is (C,), the features (C, H, W): give the vector two more axes.
# </details>
# <details><summary>Hint 2</summary>
#
# Your `pool` for each box, then `flatten()`, then `torch.stack`.
# </details>


# %% exercise="overlap.modulate" points=4 stars=2 minutes=6
@exercise("overlap.modulate")
def describe(features, vector, boxes, bins):
    """What the head is told of each box.

    Args:
        features: tensor (C, H, W).
        vector: tensor (C,), the target's.
        boxes: tensor (P, 4), in cells.
        bins: per side.

    Returns:
        tensor (P, C · bins · bins): channels, then rows, then columns.
    """
    ### BEGIN SOLUTION
    modulated = features * vector[:, None, None]
    return torch.stack([pool(modulated, box, bins).flatten() for box in boxes])
    ### END SOLUTION


# %% [markdown]
# Put together with the network's own layers, this is a whole judge, on your pooling from end to end:


# %%
def vectors_of(sequence):
    """The reference branch's two vectors, from the first frame."""
    crop, box = search_image(sequence, 0)
    with torch.no_grad():
        return predictor.modulation(
            runtime.maps(crop[None]), torch.from_numpy(box[None]).float()
        )


def predicted(crop, vectors):
    """The judge of a search image for a target: boxes (P, 4) → 2 · IoU − 1 (P,)."""
    with torch.no_grad():
        features = predictor.test_maps(runtime.maps(crop[None]))
    heads = (5, predictor.dense_fine), (3, predictor.dense_coarse)

    def judge(boxes):
        told = [
            dense(describe(x[0], v[0], place.cells(boxes), bins))
            for x, v, place, (bins, dense) in zip(
                features, vectors, predictor.places, heads, strict=True
            )
        ]
        return predictor.iou(torch.cat(told, 1))[:, 0]

    return judge


vectors = vectors_of(subject)
judge = predicted(image, vectors)
boxes = torch.from_numpy(np.concatenate([truth[None], dropped[None], starts])).float()
with torch.no_grad():
    mine = judge(boxes)
    library = predictor.raw_iou(predictor.test_maps(maps), vectors, boxes[None])[0]
print("yours and the library's differ by at most", f"{float((mine - library).abs().max()):.1e}")
print("predicted IoU of the true box and of the dropped one:", (mine[:2] + 1) / 2)

# %% [markdown]
# ATOM modulates *before* pooling. Does it have to be done there? **Predict:** at which of these places could the vector stand just as well: after the pooling; in the weights of the dense layer; on the output of the dense layer; before the last convolution?

# %%
with torch.no_grad():
    x, v = predictor.test_maps(maps)[0][0], vectors.fine[0]
    ones, cells = torch.ones_like(v), predictor.places[0].cells(boxes)
    atoms = predictor.dense_fine(describe(x, v, cells, 5))  # (P, C)
    pooled = describe(x, ones, cells, 5)  # (P, C · 25)
    weighted = copy.deepcopy(predictor.dense_fine)
    weighted.linear.weight *= v.repeat_interleave(25)
    early, late = predictor.test_fine
    convolved = late(early(maps[0]) * v[:, None, None])[0]  # (C, 36, 36)
    elsewhere = {
        "after the pooling": predictor.dense_fine(pooled * v.repeat_interleave(25)),
        "in the weights of the dense layer": weighted(pooled),
        "on the output of the dense layer": predictor.dense_fine(pooled) * v,
        "before the last convolution": predictor.dense_fine(
            describe(convolved, ones, cells, 5)
        ),
    }
rows = {
    name: {"off": f"{100 * float((other - atoms).abs().max() / atoms.abs().max()):.3f} %"}
    for name, other in elsewhere.items()
}
show_table(
    rows,
    "The vector elsewhere: by how much the dense layer's output differs",
    first="the vector stands",
)

# %% [markdown]
# <details><summary>What came of it</summary>
#
# PrPool is linear and keeps the channels apart, so a factor on a channel may stand before it or behind it; `describe` was right either way. It may even be multiplied into the head's weights: the reference branch *writes the weights of a linear layer*, channel by channel, which is another way to say what modulation is. Where a dense layer has already mixed the channels, or a convolution followed by a ReLU has yet to mix them, the exchange ends: there a factor on a channel is a factor on something else.
# </details>
#
# ## What the judge learns from
#
# To judge boxes, the judge must have seen boxes, and been told their IoU. In training that is easy: take the true box and add noise. But how much? A box climbs from far away as well as over its last pixel. With large noise only, the judge knows nothing of the last pixel; with small noise only, it has never seen a bad box.
#
# ### Exercise 12.7 · Boxes of known worth
# {{exercise}}
#
# For this box, choose one of the given deviations at random, all with equal probability. Centre x and y, width and height all get normal noise with this deviation times $\sqrt{w h}$. A box whose IoU with the target is at most 0.1 has nothing to teach about where to go: draw it again, with 0.9 times the deviation of the try before, as often as it takes.
#
# Write `draw_box`. Use `to_centre`, `from_centre` and `iou`, and draw from the generator given.
#
# <details><summary>Hint 1</summary>
#
# `rng.choice(noise)` chooses, `rng.normal(size=4)` draws four numbers. `to_centre` makes (cx, cy, w, h) of a box.
# </details>
# <details><summary>Hint 2</summary>
#
# A `while True` with a `return` in it; the deviation shrinks at the end of each round. A box with a negative side has an IoU of 0.
# </details>


# %% exercise="overlap.proposals" points=5 stars=2 minutes=9
@exercise("overlap.proposals")
def draw_box(rng, box, noise):
    """One box around a target.

    Args:
        rng: numpy Generator.
        box: array (4,), the target's x, y, w, h.
        noise: deviations to choose from, in roots of the target's area.

    Returns:
        array (4,), x, y, w, h, with an IoU above 0.1.
    """
    ### BEGIN SOLUTION
    deviation = rng.choice(noise) * np.sqrt(box[2] * box[3])
    while True:
        drawn = from_centre(to_centre(box) + deviation * rng.normal(size=4))
        if iou(drawn, box) > 0.1:
            return drawn
        deviation *= 0.9
    ### END SOLUTION


# %%
NOISE = (0.01, 0.05, 0.1, 0.2, 0.3)
SHADES = [plots.CYCLE[k] for k in (0, 1, 3, 4, 5)]  # the truth keeps its green
rng = np.random.default_rng(0)
figure, axes = plots.new_figure(width=9.5, height=3.2, columns=2, width_ratios=(1, 1.6))
plots.show_frame(axes[0, 0], image, "three boxes for each deviation")
zoom(axes[0, 0], truth, 1.5)
medians = {}
for k, deviation in enumerate(NOISE):
    drawn = np.array([draw_box(rng, truth, (deviation,)) for _ in range(300)])
    for box in drawn[:3]:
        plots.draw_box(axes[0, 0], box, SHADES[k], width=1)
    quality = iou(drawn, truth)
    label = f"{deviation:g}, median {np.median(quality):.2f}"
    axes[0, 1].hist(
        quality, np.linspace(0, 1, 41), histtype="step", color=SHADES[k], label=label
    )
    medians[deviation] = np.median(quality)
plots.draw_box(axes[0, 0], truth, width=3)
axes[0, 1].set(xlabel="IoU", ylabel="boxes of 300")
axes[0, 1].legend(title="deviation", fontsize=8, title_fontsize=8)
listing = ", ".join(f"{d:g}: {m:.2f}" for d, m in medians.items())
words = f"Boxes drawn around the target with five deviations, and the distribution of their IoU; medians by deviation: {listing}."
plots.show(figure, alt=words)

# %% [markdown]
# {{figure proposals}} Your boxes with ATOM's five deviations, three of each on the image, and the IoU of three hundred of each. Together they cover everything from the last pixel to boxes that overlap little.
#
# ### Exercise 12.8 · The loss
# {{exercise}}
#
# The network says $2\cdot\text{IoU} - 1$, so that a box without overlap and a perfect one lie at equal distances from 0, near which an untrained network's answers lie. Write its loss: the mean of the squared errors, over all boxes of all pairs.
#
# <details><summary>Hint 1</summary>
#
# `overlaps(boxes, truth)` is the IoU (B, P) of each pair's boxes with its target, for tensors.
# </details>
# <details><summary>Hint 2</summary>
#
# The difference, its square, its mean. What is wanted needs no gradient, what is predicted does.
# </details>


# %% exercise="overlap.loss" points=3 stars=1 minutes=4
@exercise("overlap.loss")
def overlap_loss(predicted, boxes, truth):
    """The loss of a judge.

    Args:
        predicted: tensor (B, P), what it said.
        boxes: tensor (B, P, 4), what it was asked about.
        truth: tensor (B, 4), the targets.

    Returns:
        tensor ().
    """
    ### BEGIN SOLUTION
    wanted = 2 * overlaps(boxes, truth) - 1  # (B, P)
    return (predicted - wanted).square().mean()
    ### END SOLUTION


# %% [markdown]
# With this loss the course's judge was trained, on real videos, photographs and generated pairs; its card, `weights/atom-lite0.json`, says how. What has it learned? Ask it about your boxes, on sequences it has not seen, in search images that are off the target and cut at the wrong size, as a tracker's are.


# %%
def looks_of(sequence, count, rng):
    """Search images of a sequence as a tracker has them: crop, true box and judge of each."""
    vectors, looks = vectors_of(sequence), []
    for t in np.linspace(1, len(sequence) - 1, count).astype(int):
        if np.isfinite(sequence.boxes[t]).all():
            off = rng.uniform(-0.2, 0.2, 2), np.exp(rng.uniform(-0.3, 0.3))
            crop, box = search_image(sequence, t, *off)
            looks.append((crop, box, predicted(crop, vectors)))
    return looks


rng = np.random.default_rng(1)
chosen = sequences.loaded(
    by_profile(smoke=12, laptop=2, gpu=1), by_profile(smoke=12, laptop=None, gpu=None)
)
looks = {s.name: looks_of(s, by_profile(smoke=2, laptop=5, gpu=10), rng) for s in chosen}
looks = {name: of_one for name, of_one in looks.items() if of_one}
vectors_by_name = {s.name: vectors_of(s) for s in chosen}
asked, losses = {deviation: [] for deviation in NOISE}, {}
for name, of_one in looks.items():
    names = list(looks)
    other = vectors_by_name[names[names.index(name) - 1]]  # another target's
    rows = []
    for crop, box, judge_here in of_one:
        drawn = np.array([draw_box(rng, box, (d,)) for d in NOISE for _ in range(4)])  # (20, 4)
        boxes, target = torch.from_numpy(drawn).float(), torch.from_numpy(box).float()
        with torch.no_grad():
            said = torch.stack([judge_here(boxes), predicted(crop, other)(boxes)])  # (2, 20)
        rows.append([float(overlap_loss(p[None], boxes[None], target[None])) for p in said])
        pairs = np.stack([iou(drawn, box), (said[0].numpy() + 1) / 2], 1)  # (20, 2)
        for deviation, part in zip(NOISE, pairs.reshape(5, 4, 2), strict=True):
            asked[deviation] += part.tolist()
    losses[name] = np.mean(rows, 0)
figure, axes = plots.new_figure(width=4.6, height=4.0)
for k, (deviation, pairs) in enumerate(asked.items()):
    axes[0, 0].plot(
        *np.transpose(pairs), ".", color=SHADES[k], markersize=4, label=f"{deviation:g}"
    )
axes[0, 0].plot([0, 1], [0, 1], ":", color=plots.NEUTRAL)
axes[0, 0].set(xlabel="true IoU", ylabel="predicted IoU", xlim=(0, 1), ylim=(-0.1, 1.1))
axes[0, 0].legend(title="deviation", fontsize=8, title_fontsize=8)
every = np.array([pair for pairs in asked.values() for pair in pairs])
correlation = np.corrcoef(every.T)[0, 1]
axes[0, 0].set_title(f"{len(every)} boxes, correlation {correlation:.2f}", fontsize=10)
words = f"Predicted against true IoU of {len(every)} boxes, by the deviation they were drawn with; correlation {correlation:.2f}, mean error {np.abs(every[:, 0] - every[:, 1]).mean():.2f}."
plots.show(figure, alt=words)
same = ((2 * (every[:, 0] - every[:, 0].mean())) ** 2).mean()
own, foreign = np.transpose(list(losses.values()))  # (sequences,) each
print(f"your loss {own.mean():.3f}; of a judge who always says the mean IoU: {same:.3f}")
print(f"with another target's vectors {foreign.mean():.3f}: {Interval.of(foreign - own)}")

# %% [markdown]
# {{figure judged}} Each dot is a box: its true IoU, and what the judge said; on the line the judge was right. The lines printed below give the loss of this judge by your function; that of a judge that always says the mean IoU, without looking; and that of this judge, on the same boxes, with the vectors of another target, with the interval of the difference over the sequences: that difference is what the vectors contribute. (These are boxes around a single object; a judge that only looked for edges could do without the vectors.)
#
# ## Climbing what is predicted
#
# Now put the two together. The box of {{see surface}} again, and the same two surfaces, as the judge sees them; and thirty steps from there. **Predict:** where will the predicted surface differ most from the true one?

# %%
path = walk(judge, dropped[None], 1.0, 30)[:, 0].numpy()  # (31, 4)
figure, axes = plots.new_figure(width=10, height=5.6, rows=2, columns=3)
plots.show_frame(
    axes[0, 0], image, f"dropped: IoU {float(iou(path[0], truth)):.2f}", truth, path[0]
)
plots.show_frame(
    axes[1, 0], image, f"after thirty steps: {float(iou(path[-1], truth)):.2f}", truth, path[-1]
)
for ax in axes[:, 0]:
    zoom(ax, truth, 1.5)
for box in path[5:-1:5]:
    plots.draw_box(axes[1, 0], box, plots.PREDICTION, style=":", width=1)
ways = (to_centre(path) - to_centre(truth))[:, :2] / truth[2:], path[:, 2:] / truth[2:]
for row, (name, who) in zip(axes, (("true", oracle(truth)), ("predicted", judge)), strict=True):
    pair = zip(row[1:], surfaces(who, dropped, truth), (SHIFTS, SIZES), ways, strict=True)
    for ax, values, limits, way in pair:
        where = "elsewhere" if limits is SHIFTS else "of other sizes"
        shown = draw_surface(ax, values, limits, way[0], f"{name} IoU, {where}")
        if who is judge:
            ax.plot(*way.T, ".-", color=plots.PREDICTION, linewidth=1.5, markersize=4)
figure.colorbar(shown, ax=list(axes[:, 2]), label="IoU")
climbed_to = ", ".join(f"{float(iou(box, truth)):.2f}" for box in path[::5])
words = f"The true and the predicted IoU of the dropped box at other places and of other sizes, and its way in thirty steps; its true IoU at first and after every fifth: {climbed_to}."
plots.show(figure, alt=words)
print("true IoU at first and after every fifth step:", climbed_to)

# %% [markdown]
# {{figure surfaces}} Above: the dropped box, and the surfaces of its true IoU. Below: the surfaces that the judge predicts there, with the path of the box, a dot for each step, and where it leads; dotted, the box after every fifth step. All surfaces share one colour scale. (Each surface is a section, with the other two numbers of the dropped box held fixed; a climbing box leaves that plane.)
#
# <details><summary>What came of it</summary>
#
# Around the target there is a hill where the truth has one. It is rounded, without edges: so steps become shorter towards a top, and a climb ends there instead of hopping across it, be it the right top or that of a smaller hill on the way. Far away it is another matter. A box with an IoU below 0.1 was never shown to this judge; what it says there can be anything, and is neither level nor always low. That is why ATOM does not start just anywhere, but at the place that its classifier found, with the last size.
# </details>

# %%
among = alike["gen-alike-06"].loaded(by_profile(smoke=22, laptop=None, gpu=None))
BoxClimber(among.frames[20], among.boxes[20], first=(among.frames[0], among.boxes[0]))

# %% [markdown]
# Drop the box anywhere: drag it, or use the arrow keys (with Shift they resize it). Enter takes one step, End climbs as long as anything is gained, Home goes back. The four maps show the predicted and the true IoU of your box: above if it stood elsewhere, below if it had another size. The green cross is the target, the white ring is where you dropped the box.
#
# **Find out by playing:** from how far away does the box still find home? Move it sideways, a little further each time, and climb; first on the true IoU, then on the predicted one. What ends the climb in each case? Finally, drop it on one of the look-alikes.
#
# <details><summary>What to see</summary>
#
# The true IoU leads home as long as the two boxes overlap at all; where they do not, its gradient is exactly 0 and the box stays where it is. The predicted IoU is never so flat: it has a slope everywhere, also where there is no target, and so it does not stop but goes astray; its basin ends earlier, and a look-alike is a hill of its own. That is why ATOM climbs for a few steps only, and why another part of the tracker must first say *where* the target is.
# </details>

# %% [markdown]
# ### Exercise 12.9 · Which box?
# {{exercise}}
#
# A single climb may end on a false summit. So ATOM starts ten: the first guess, and nine random boxes around it. Which one to take? The mean of the best three, which depends less on one lucky error than the best alone. "Best" is meant by the judgement *before* the last step, because that is the last one there is: another would cost one more pass of the network for little. And a box with one side more than six times the other is left out: the judge has not learned from such boxes, so its word does not count, however high.
#
# Write `best_box`. If no box is left, return `None`: the tracker then keeps its size.
#
# <details><summary>Hint 1</summary>
#
# `aspect = boxes[:, 2] / boxes[:, 3]`, and a mask for what lies between 1/6 and 6. Drop first, choose after.
# </details>
# <details><summary>Hint 2</summary>
#
# `values.topk(k).indices` are the places of the k largest; k must not be larger than the number of boxes that are left.
# </details>


# %% exercise="overlap.best" points=4 stars=2 minutes=6
@exercise("overlap.best")
def best_box(boxes, values, best):
    """The box that is taken in the end.

    Args:
        boxes: tensor (P, 4), after the last step.
        values: tensor (P,), judged before it.
        best: how many boxes enter the mean.

    Returns:
        tensor (4,), or None if every box has a side more than six times the other.
    """
    ### BEGIN SOLUTION
    aspect = boxes[:, 2] / boxes[:, 3]  # (P,)
    fine = (aspect > 1 / 6) & (aspect < 6)
    if not fine.any():
        return None
    boxes, values = boxes[fine], values[fine]
    return boxes[values.topk(min(best, len(values))).indices].mean(0)
    ### END SOLUTION


# %% [markdown]
# Now all of it, on every search image of {{see judged}}. The first guess is what a tracker has before it refines anything: a place that is off by up to 15 % of the target's size in x and in y, and a width and a height that are wrong by a factor of up to 1.35. **Predict:** how much does the first step bring, and how much the tenth?


# %%
def refined(judge, guess, rng, steps):
    """The boxes (steps, 4) that are taken after one step, after two, …"""
    boxes, taken = starting_boxes(guess, rng, ClimbSettings()), []
    for _ in range(steps):
        boxes, values = (t.detach() for t in climb_step(judge, boxes, 1.0))
        found = best_box(boxes, values, 3)
        taken.append(guess if found is None else np.asarray(found))
    return np.array(taken)


rng, steps = np.random.default_rng(3), by_profile(smoke=5, laptop=10, gpu=10)
gains = {}  # by sequence, IoU (looks, steps + 1) of the first guess and after each step
for name, of_one in looks.items():
    gains[name] = []
    for _, box, judge_here in of_one:
        centre = to_centre(box)[:2] + rng.uniform(-0.15, 0.15, 2) * np.sqrt(box[2] * box[3])
        guess = from_centre(np.r_[centre, box[2:] * np.exp(rng.uniform(-0.3, 0.3, 2))])
        found = np.concatenate([guess[None], refined(judge_here, guess, rng, steps)])
        gains[name].append(iou(found, box))
gains = {name: np.array(rows) for name, rows in gains.items() if rows}
lines = np.array([rows.mean(0) for rows in gains.values()])  # (sequences, steps + 1)
figure, axes = plots.new_figure(width=9.5, height=3.4, columns=2)
pairs = np.concatenate(list(gains.values()))[:, [0, 5]]
axes[0, 0].plot(*pairs.T, ".", color=plots.EXEMPLAR)
axes[0, 0].plot([0.3, 1], [0.3, 1], ":", color=plots.NEUTRAL)
better = (pairs[:, 1] > pairs[:, 0]).mean()
axes[0, 0].set(xlabel="IoU of the first guess", ylabel="IoU after five steps")
axes[0, 0].set_title(f"{100 * better:.0f} % of {len(pairs)} lie above the line", fontsize=10)
axes[0, 1].plot(lines.T, color=plots.NEUTRAL, linewidth=0.6, alpha=0.6)
axes[0, 1].plot(lines.mean(0), "o-", color=plots.EXEMPLAR, label="mean")
axes[0, 1].axvline(5, color=plots.NEUTRAL, linestyle=":", label="ATOM stops here")
axes[0, 1].set(xlabel="steps", ylabel="IoU, one line per sequence")
axes[0, 1].legend(fontsize=8)
listing = ", ".join(f"{value:.2f}" for value in lines.mean(0))
words = f"IoU of the first guess and after five steps for {len(pairs)} search images, {100 * better:.0f} % of which gain; and the mean IoU by step, with a line for each sequence: {listing}."
plots.show(figure, alt=words)
gain = Interval.of(lines[:, 5] - lines[:, 0])
print(f"mean IoU before the first step and after each: {listing}")
print(f"gain of five steps, sequence by sequence: {gain}")

# %% [markdown]
# {{figure refined}} Left: a dot for each search image; above the dotted line the box has become better. Right: the mean IoU by the number of steps, for each sequence and over all. The interval printed under it says whether the gain is more than chance.
#
# <details><summary>What came of it</summary>
#
# The first steps bring most of it, the later ones little: the boxes have nearly arrived, at the *judge's* top. That it is not the truth's shows in where the line ends: below 1. More steps cannot correct a judgement; that takes a judge that errs less ({{see judged}}).
# </details>
#
# ### How large is it?
#
# Refinement has a loop in it: the box found now decides how large the next search image is cut, and where the next climb begins. Lesson 08 had a test for such loops. Tell the tracker that the target is $q$ times as large as it is, and see what it makes of that:
#
# $$\log\frac{\text{found}}{\text{true}} = g \log q + b.$$
#
# With $g = 0$ it measures, with $g = 1$ it repeats what it was told; and from frame to frame its size settles at $e^{b/(1-g)}$ times the truth.
#
# The targets of the generated sequences are whole things: where the thing ends, its box ends. But a tracker is given whatever box somebody drew in the first frame: a face, a number plate, the shirt of a player. There may be no edge where such a box ends; only the first frame says it. So ask about both, the objects of the sequences, and *pieces*: rectangles of photographs, seen in a first frame, and again at another scale. **Predict:** for which of them is $g$ nearer to 1?


# %%
TOLD = (0.7, 0.84, 1.0, 1.19, 1.4)  # q


def pieces(count, rng):
    """Sequences of two frames, a photograph at two scales, in which the target is a rectangle."""
    for k in range(count):
        photo = photograph(SCENES[k % len(SCENES)])
        limits = np.array(photo.shape[1::-1])
        size = rng.uniform(0.1, 0.25, 2) * limits.min()
        box = np.concatenate([rng.uniform(0.25, 0.75, 2) * limits - size / 2, size])
        factor = np.exp(rng.uniform(-0.3, 0.3))
        other = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        yield Sequence(f"piece {k}", [photo, other], np.stack([box, factor * box]))


def answers(sequence, t, rng):
    """What the judge makes of each q in frame t: log(found / true) (5,), and the last search image
    with its true box and the one found."""
    vectors, logs = vectors_of(sequence), []
    for q in TOLD:
        crop, box = search_image(sequence, t, rng.uniform(-0.1, 0.1, 2), q)
        guess = from_centre(to_centre(box) * (1, 1, q, q))
        found = refined(predicted(crop, vectors), guess, rng, 5)[-1]
        logs.append(0.5 * np.log(found[2:].prod() / box[2:].prod()))
    return np.array(logs), (crop, box, found)


rng, count = np.random.default_rng(4), by_profile(smoke=2, laptop=16, gpu=48)
asked_of = {"objects": [], "pieces": []}
for sequence in chosen:
    visible = np.flatnonzero(np.isfinite(sequence.boxes).all(1))
    asked_of["objects"] += [answers(sequence, visible[len(visible) // 2], rng)]
for sequence in pieces(count, rng):
    asked_of["pieces"] += [answers(sequence, 1, rng)]
figure, axes = plots.new_figure(width=9.5, height=3.2, columns=3, width_ratios=[1, 1.1, 1.1])
crop, box, found = asked_of["pieces"][0][1]
plots.show_frame(axes[0, 0], crop, f"told {TOLD[-1]:g} times the size", box, found)
zoom(axes[0, 0], box, 1.2)
told, x = [], np.log(TOLD)
for ax, (kind, rows) in zip(axes[0, 1:], asked_of.items(), strict=True):
    logs = np.array([row for row, _ in rows])  # (looks, 5)
    g, b = np.polyfit(np.tile(x, len(logs)), logs.ravel(), 1)
    spread = (logs - g * x).mean(1).std()  # of b, from look to look
    ax.plot(x, logs.T, color=plots.NEUTRAL, linewidth=0.6, alpha=0.7)
    ax.plot(x, g * x + b, color=plots.PREDICTION, linewidth=2.5)
    ax.plot(x, x, ":", color="black")
    ax.axhline(0, color=plots.TRUTH, linewidth=1)
    ax.set(xlabel="log q, as told", ylabel="log(found / true)", ylim=(-0.6, 0.6))
    ax.set_title(f"{len(logs)} {kind}: g = {g:.2f}", fontsize=10)
    told.append(f"{kind}: g {g:.2f}, b {b:+.2f} ± {spread:.2f} from look to look")
plots.show(
    figure,
    alt=f"The size that is found over the size that the judge was told, both by the true one, on logarithmic scales. {'; '.join(told)}.",
)
print("; ".join(told))

# %% [markdown]
# {{figure pieces}} Left: a piece, in a search image that was cut for a larger target; its true box solid, the box found dashed. Right: a grey line for each look, and the line through all of them. On the dotted diagonal the judge repeats what it was told, on the green line it measures.
#
# <details><summary>What came of it</summary>
#
# For pieces. The judge has learned where things end, and that serves for any object. A piece has no edge of its own, so its box stays nearly as large as the judge was told. What the vectors bring from the first frame does not make up for this. And where a look has its own small error $b$, the loop multiplies it by $1/(1-g)$.
# </details>
#
# ## With and without
#
# What is this worth to a whole tracker? The real sequences of OTB and VOT-2014, one pass: ATOM as it is, and ATOM that finds its size by trying five scales instead, with the same classifier. Beside them SiamFC, which tries scales; SiamRPN++ on the same backbone, which regresses boxes; and, as "dimp", the same refinement with the classifier that ends lesson 13. The success at the usual IoU of .5 does not tell a box that fits from one that is merely not far off. So look at .5 to .9. **Predict:** at which IoU does refinement matter most?

# %%
kept = read_measured(RESULTS / "atom_real_sequences.json")
levels = np.array(kept["thresholds"])
fits = {name: np.array(list(rows.values())) for name, rows in kept["fits"].items()}  # (S, 5)
figure, axes = plots.new_figure(width=9.5, height=3.4, columns=2)
success = {name: values.mean(0) for name, values in fits.items()}
plots.draw_lines(axes[0, 0], success, levels, True, xlabel="IoU", ylabel="success")
won = [Interval.of(column) for column in (fits["atom"] - fits["atom, scales"]).T]
axes[0, 1].errorbar(
    levels, [g.mean for g in won], [g.half_width for g in won], fmt="o", capsize=3
)
axes[0, 1].axhline(0, color=plots.NEUTRAL, linewidth=0.8)
axes[0, 1].set(xlabel="IoU", ylabel="success won by refinement")
axes[0, 1].set_title("with refinement minus with scales,\nsequence by sequence", fontsize=10)
listing = "; ".join(f"{level:g}: {g}" for level, g in zip(levels, won, strict=True))
words = f"Success at IoU .5 to .9 of {', '.join(fits)}; and what refinement wins: {listing}."
plots.show(figure, alt=words)
show_table(
    {
        name: {f"{level:g}": value for level, value in zip(levels, row, strict=True)}
        | {"AUC": kept["overall"][name]["auc"]}
        for name, row in success.items()
    },
    "Success by IoU on real sequences, one pass",
    formats=".3f",
    first="tracker",
)
print(f"won by refinement: {listing}")
print(measured_words(kept))

# %% [markdown]
# {{figure thresholds}} Left: the fraction of frames whose box has at least this IoU. Right: what refinement adds to it, with its 95 % interval over the sequences.
#
# <details><summary>What came of it</summary>
#
# Both have the same classifier, and differ in how they make a box of what it finds. That refinement wins frames is not shown at any IoU. On average it even loses some at .5, and none at .9, where only a good fit counts; but all intervals include 0.
# </details>
#
# ### Where it is won, and where it is lost
#
# Why does it not win? The test of {{see pieces}}, on the real sequences and on whole trackers: each is put on the target, told a wrong size, and asked after one look what size it believes. **Predict:** if the loop is to blame, how does what refinement wins in a sequence depend on its $g$ there?

# %%
sizes = read_measured(RESULTS / "atom_size.json")
WHOSE = {"atom, scales": "scales", "atom": "refinement", "atom, ten steps": "ten steps"}
gains_of = {
    label: {s: row["gain"] for s, row in sizes[name]["otb+vot2014"]["sequences"].items()}
    for name, label in WHOSE.items()
}
auc = kept["auc_by_sequence"]
g = gains_of["refinement"]
wins = {s: auc[s]["atom"] - auc[s]["atom, scales"] for s in g}
figure, axes = plots.new_figure(width=10, height=3.6, columns=2)
plots.draw_seeds(axes[0, 0], {label: list(rows.values()) for label, rows in gains_of.items()})
axes[0, 0].set(ylabel="g, a dot for each real sequence")
axes[0, 0].tick_params(axis="x", labelsize=8)
axes[0, 1].plot(list(g.values()), [wins[s] for s in g], "o", color=plots.EXEMPLAR)
axes[0, 1].axhline(0, color=plots.NEUTRAL, linewidth=0.8)
rank = spearmanr(list(g.values()), [wins[s] for s in g]).statistic
axes[0, 1].set(xlabel="g with refinement", ylabel="AUC, refinement − scales")
order = sorted(g, key=wins.get)
plots.label_points(axes[0, 1], {s: (g[s], wins[s]) for s in order[:5] + order[-4:]}, fontsize=7)
axes[0, 1].set_title(f"rank correlation {rank:.2f}", fontsize=10)
listing = ", ".join(
    f"{label} {np.median(list(rows.values())):.2f}" for label, rows in gains_of.items()
)
plots.show(
    figure,
    alt=f"Left, the gain g of whole trackers on each real sequence; medians: {listing}. Right, what refinement wins or loses in AUC over the g of the sequence, rank correlation {rank:.2f}.",
)
print("median g:", listing)
print(measured_words(sizes))

# %% [markdown]
# {{figure settled}} Left, how much of a wrong size is left after one look, in each real sequence; the scales change the size by a few per cent at most, so nearly all of it is left. Right, what refinement wins in each sequence, over its $g$.
#
# <details><summary>What came of it</summary>
#
# The sequences in which refinement wins most, the car, *Human7* and the polar bear, have a low $g$; those in which it loses most have one nearer to 1, and their targets are parts of things: a rider without his motorcycle, the head of a football player, two faces, a dog without its head. That is what a loop would do. In every frame the box is judged anew, and each judgement is a few per cent off. With a low $g$ the next frame corrects that. With $g$ near 1 hardly anything does, and the errors add up: independent errors of $s$ in each frame grow to $s / \sqrt{1 - g^2}$ in the long run, and errors of $b$ that always point the same way to $b / (1 - g)$. Then the search image is cut for the wrong size, too. Ten steps in place of five lower $g$ a little: the short climb is not the whole cause, the judge itself is nearly content with a wrong size.
#
# And the scales? In one look they correct less. But a tracker that can change its size by only a few per cent cannot add a larger error than that either; and it can change it again in the next frame.
#
# What would cure it is not shown here. The published network was trained on LaSOT, TrackingNet and COCO; this one on nine tenths of 20 videos and 926 photographs and on generated pairs, with pieces in four pairs of ten. Whether that is the difference, `recipes/train_atom_gpu.yaml` could tell, for whoever has a GPU and the data; this figure is the test.
# </details>
#
# ## What the figures say
#
# * Success with refinement minus success with scales, on the real sequences, {{see thresholds}}: at an IoU of .5 {{evidence refined-50 open}}, of .8 {{evidence refined-80 open}}, of .9 {{evidence refined-90 open}}.
# * Where the tracker believes most of what it is told about size, in the half of the sequences with the larger $g$, {{see settled}}, refinement loses {{evidence large-gain below}} in AUC against scales; in the other half nothing is decided {{evidence small-gain open}}.
# * Over all IoUs, {{see thresholds}}: with refinement minus with scales {{evidence refined-scales open}} in AUC; ATOM minus SiamRPN++ on the same backbone {{evidence atom-siamrpnpp open}}, and minus SiamFC {{evidence atom-siamfc open}}.
#
# ## An open task
#
# Five steps of length 1 are ATOM's, chosen for its network. Are they right for this one? Choose the length, the number of steps, or the number of boxes. The rule: choose on generated sequences that belong to no benchmark; then compare *once* on others, over all of them, with an interval.

# %%
trials = [
    make_sequence(random_spec(720_000 + k, length=by_profile(smoke=5, laptop=40, gpu=80)))
    for k in range(by_profile(smoke=1, laptop=3, gpu=20))
]
covered_by = {}
for length in (1.0, 0.5):
    chosen = ATOMSettings(climbing=ClimbSettings(length=length))
    covered_by[length] = [
        np.nanmean(iou(track(ATOMTracker(chosen, runtime), one).boxes, one.boxes))
        for one in trials
    ]
    print(f"length {length}: mean IoU {np.mean(covered_by[length]):.3f}")
print(
    "difference, sequence by sequence:",
    Interval.of(np.subtract(covered_by[0.5], covered_by[1.0])),
)

# %% [markdown]
# **Stretch goal.** The judge gives every box a number, and the tracker throws it away. Use it: keep the last size where the box that was taken is given a lower number than the one before, or move only part of the way when the judge is unsure. Show on generated sequences of other seeds, over all of them and with an interval, what it is worth; and say on which of them it does harm.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. ROI-Align does not jump either when the box moves. Why can a box not climb through PyTorch's?
# <details><summary>Answer</summary>
#
# Its formula has a gradient with respect to the box; the code computes only the one with respect to the features. Most detectors do not need the other: they do not move a box to please their own head.
# </details>
#
# 2. Suppose that a tracker's first guess always has an IoU above .5. Why is the judge shown boxes of .3 nevertheless?
# <details><summary>Answer</summary>
#
# A climb goes through what lies on the way, and random boxes start further out. A judge who never saw a bad box could call it anything, even excellent.
# </details>
#
# 3. The reference branch is run once, in the first frame. From lesson 02: what would speak for renewing its vectors, and what against it?
# <details><summary>Answer</summary>
#
# For it: the target comes to look different. Against it: the vectors would be pooled from boxes that the tracker itself found, so a box that has grown teaches the next judgement that it should be so large. Lesson 08 had such a loop, and the first frame's box is the only one that is known to be right.
# </details>
#
# 4. Regression (lesson 08) and refinement both end in a box. What can a regression not know that a judge can?
# <details><summary>Answer</summary>
#
# Whether its own answer is good. It looks once, from the place of its anchor. A judge looks at the box that is there now, and so can look again after each step.
# </details>
#
# ## Classic mistakes
#
# * **Taking the best-judged box instead of a mean.** Among many boxes the one with the highest prediction is the one whose error was the luckiest.
# * **Steps without the factors.** The gradient falls with the sides of the box: without the factors no single length suits both small and large boxes: one that is right for a small box hardly moves a large one, and one that is right for a large box throws a small one too far. With $(w, h, w, h)$ both move as many pixels.
# * **Gradients from one step in the next.** `backward` adds to what is there, and each step goes along the sum of all before it.
# * **Comparing at an IoU of .5 alone.** There a box that fits and one that is merely not far off count the same.
#
# ## Read next
#
# * `course_lib/models/prpool.py`, `course_lib/models/iou_predictor.py` and `course_lib/trackers/climbing.py`.
# * Lesson 13: the judge was asked around a place that somebody else had found. Who finds it is ATOM's other half, a classifier that is learned while tracking.
