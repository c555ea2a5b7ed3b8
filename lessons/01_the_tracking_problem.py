# ---
# jupyter:
#   course: {run: [1, 1]}
# ---

# %% [markdown]
# # 01 · The tracking problem
#
# | | |
# |---|---|
# | **You will be able to** | measure how good a box is and how good a tracker is, write the protocol that most tracking papers use, read its plots, and say what OTB's and VOT's numbers mean |
# | **You need** | lesson 00 |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Wu, Lim, Yang: *Online Object Tracking: A Benchmark* (CVPR 2013) and *Object Tracking Benchmark* (PAMI 2015), known as OTB; Kristan et al.: *A Novel Performance Evaluation Methodology for Single-Target Trackers* (PAMI 2016), known as VOT |
# | **Words** | {{words}} |

# %%
import time

import numpy as np

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark, real_sequences
from course_lib.evaluation.results import Result
from course_lib.exercises import award, exercise, progress
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker
from course_lib.widgets import BoxPicker, SequencePlayer

sequences = load_benchmark("generated-v1")
sequence = sequences["gen-14-turning-scale"]

# %% [markdown]
# ## Look first
# {{part}}
#
# A target, its true box (the *ground truth*, solid green), and a tracker (dashed). The tracker compares a small image of the target, cut from frame 0, with
# the frame at every nearby position and picks the most similar position. The number beside its name says how much its box overlaps the true one. Play the sequence: where is that number low,
# and what is wrong with the box there?

# %%
tracker = make_tracker("ncc")
tracker.init(sequence.frames[0], sequence.boxes[0])
# (T, 4)
found = np.array(
    [sequence.boxes[0]] + [tracker.update(frame) for frame in sequence.frames.part(1)]
)
SequencePlayer(sequence, boxes={"template matching": found})

# %% [markdown]
# ## What a tracker has to do
#
# A tracker is given one frame and one box. From then on it sees one frame at a time, and must return a box before it sees the next.
#
# * It knows nothing else. The target can be a face, a shoe, a drone: there is no list of classes.
# * It never looks ahead. The box in frame $t$ may depend only on frames $0 \dots t$.
# * Nobody helps. If it loses the target in frame 30, it goes on from there in frame 31.
#
# Related tasks differ in one of these points. A *detector* knows its classes and looks at single frames; *multi-object tracking*, of people for example, links such detections from frame to frame (benchmark: MOTChallenge). *Video object segmentation* marks the target's pixels instead of a box. In its benchmark DAVIS, a method may look at all frames before it answers for the first, without a limit on time; the sequences last 2 to 4 seconds.
#
# Trackers come in families. These are four of them; you will build at least one tracker of each:

# %%
from course_lib.analysis.roadmap import roadmap
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

plots.show(*roadmap(read_measured(RESULTS / "roadmap_published.json")))

# %% [markdown]
# {{figure}} Trackers by the year of their paper or preprint. Filled and blue are those that the course builds, with the lessons' numbers; hollow and grey are others. Correlation filters and online classifiers learn their target while they track. Siamese networks have learned beforehand, from other videos, to compare an image of the target with the one searched; transformers let information pass between these two.
#
# To say which of two trackers is better, we need a number for one box, then one for a video, then one for many videos. We take them in that order: the first two in this part,
# the third in the next.
#
# ## A number for one box
#
# ### Exercise 01.1 · Two corners instead of a corner and a size
# {{exercise}}
#
# To see where two boxes overlap, their edges are handier than their sizes. Write the conversion for a whole array of boxes, from corner and size to two corners.
#
# <details><summary>Hint 1</summary>
#
# `boxes[:, :2]` are the top-left corners of all boxes at once, `boxes[:, 2:]` their sizes.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.concatenate([...], axis=1)` puts two arrays of shape (T, 2) side by side.
# </details>


# %% exercise="boxes.corners" points=3 stars=1 minutes=4
@exercise("boxes.corners")
def to_corners(boxes):
    """Edges of boxes.

    Args:
        boxes: array (T, 4), x, y, w, h in pixels.

    Returns:
        array (T, 4), x1, y1, x2, y2 in pixels: left, top, right and bottom edge.
    """
    ### BEGIN SOLUTION
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    ### END SOLUTION


# %% [markdown]
# ### Exercise 01.2 · Intersection over union
# {{exercise}}
#
# The overlap of two boxes $A$ and $B$ is the area they share, divided by the area they cover together:
#
# $$\mathrm{IoU}(A, B) = \frac{|A \cap B|}{|A \cup B|} = \frac{|A \cap B|}{|A| + |B| - |A \cap B|}$$
#
# It is 1 if the boxes are equal and 0 if they do not overlap. Write it for two boxes that have an area.
#
# <details><summary>Hint 1</summary>
#
# The shared part starts at the larger of the two left edges and ends at the smaller of the two right edges. Likewise from top to bottom.
# </details>
# <details><summary>Hint 2</summary>
#
# If it ends before it starts, in either direction, nothing is shared: its length there is 0, not negative.
# </details>
# <details><summary>Hint 3</summary>
#
# The shared part is counted in both areas, so subtract it from their sum once.
# </details>


# %% exercise="boxes.iou" points=6 stars=2 minutes=10
@exercise("boxes.iou")
def iou(a, b):
    """Intersection over union of two boxes.

    Args:
        a, b: arrays (4,), x, y, w, h in pixels.

    Returns:
        float in [0, 1].
    """
    ### BEGIN SOLUTION
    left, top = max(a[0], b[0]), max(a[1], b[1])
    right, bottom = min(a[0] + a[2], b[0] + b[2]), min(a[1] + a[3], b[1] + b[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
    ### END SOLUTION


# %% [markdown]
# Both functions at work on the run at the top: `to_corners` gives the edges of the shared part, `iou` the number.

# %%
overlaps = np.array([iou(f, t) for f, t in zip(found, sequence.boxes, strict=True)])  # (T,)
order = 1 + np.argsort(overlaps[1:])  # frames from the lowest IoU to the highest
moments = [order[-1], order[len(order) // 2], order[0]]

figure, axes = plots.new_figure(width=8, height=2.9, columns=3)
for ax, t in zip(axes[0], moments, strict=True):
    truth = sequence.boxes[t]
    corners = to_corners(np.stack([truth, found[t]]))  # (2, 4)
    left, top = corners[:, :2].max(axis=0) - 0.5
    right, bottom = corners[:, 2:].min(axis=0) - 0.5
    plots.show_frame(ax, sequence.frames[t], f"frame {t}: IoU {overlaps[t]:.2f}")
    ax.fill([left, right, right, left], [top, top, bottom, bottom], color="white", alpha=0.5)
    plots.draw_box(ax, truth, label="truth")
    plots.draw_box(ax, found[t], plots.PREDICTION, "tracker", "--")
    x, y, w, h = truth
    ax.set(xlim=(x + w / 2 - 50, x + w / 2 + 50), ylim=(y + h / 2 + 50, y + h / 2 - 50))
axes[0, 0].legend(fontsize=7, loc="lower left")
plots.show(
    figure,
    alt="Three frames of the run at the top with the true and the tracker's box; the shared part is "
    f"shaded. IoU {', '.join(f'{overlaps[t]:.2f}' for t in moments)}.",
)

# %% [markdown]
# {{figure}} The frames with the highest, the median and the lowest IoU of the run. The shared part is shaded. The tracker's box keeps its size, the true box does not: where the target
# looks smaller, most of the tracker's box lies outside it, and all of that counts in the union.
#
# ### Exercise 01.3 · Centre error
# {{exercise}}
#
# The second number asks only where the target is, not how large. Write the distance between the centres of the two boxes, in pixels.
#
# <details><summary>Hint 1</summary>
#
# You wrote the centre of a box in lesson 00: $(x + w/2,\; y + h/2)$.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.hypot(dx, dy)` is the length of the vector $(dx, dy)$.
# </details>


# %% exercise="boxes.centre_error" points=3 stars=1 minutes=4
@exercise("boxes.centre_error")
def centre_error(a, b):
    """Distance between the centres of two boxes.

    Args:
        a, b: arrays (4,), x, y, w, h in pixels.

    Returns:
        float, pixels.
    """
    ### BEGIN SOLUTION
    dx = (a[0] + a[2] / 2) - (b[0] + b[2] / 2)
    dy = (a[1] + a[3] / 2) - (b[1] + b[3] / 2)
    return np.hypot(dx, dy)
    ### END SOLUTION


# %% [markdown]
# Two numbers for every box. Do they agree about the run at the top?

# %%
errors = np.array(
    [centre_error(f, t) for f, t in zip(found, sequence.boxes, strict=True)]
)  # (T,)

figure, axes = plots.new_figure(width=8, height=2.6, columns=2)
axes[0, 0].plot(overlaps, color=plots.PREDICTION)
axes[0, 0].set(xlabel="frame", ylabel="IoU", ylim=(0, 1.02))
axes[0, 1].plot(errors, color=plots.PREDICTION)
axes[0, 1].set(xlabel="frame", ylabel="centre error, pixels", ylim=(0, 20.5))
for ax in axes[0]:
    ax.grid(alpha=0.3)
plots.show(
    figure,
    alt=f"IoU and centre error in each frame of the run at the top: the IoU falls to {overlaps.min():.2f}, "
    f"the centre error never exceeds {errors.max():.1f} pixels.",
)

# %% [markdown]
# {{figure}} They do not. The centre error never comes near 20 pixels, the threshold that OTB will set: by that number the tracker never loses its target. The IoU stays below a half for
# a good part of the sequence, because the size of the box is wrong.
#
# How fast does the IoU fall when a box slides away, or has the wrong size? **Predict first:** a box of the right size has slid sideways by
# a tenth of its width. Is its IoU closer to 0.9 or to 0.8?

# %%
truth = np.array([0.0, 0, 100, 100])
shifts = np.linspace(0, 1, 51)  # in widths
sizes = np.linspace(0.4, 2.5, 61)  # side of the box over the true side, same centre
by_shift = [iou(truth, truth + [100 * s, 0, 0, 0]) for s in shifts]
by_size = [iou(truth, np.array([50 - 50 * s, 50 - 50 * s, 100 * s, 100 * s])) for s in sizes]

figure, axes = plots.new_figure(width=8, height=2.8, columns=2, sharey=True)
axes[0, 0].plot(shifts, by_shift, color=plots.PREDICTION)
axes[0, 0].plot(shifts[5], by_shift[5], "o", color=plots.PREDICTION)
axes[0, 0].annotate(f"a tenth: {by_shift[5]:.3f}", (shifts[5] + 0.03, by_shift[5]))
axes[0, 0].set(xlabel="sideways shift / width", ylabel="IoU", ylim=(0, 1.02))
axes[0, 1].plot(sizes, by_size, color=plots.PREDICTION)
axes[0, 1].set(xlabel="side / true side (same centre)")
for ax in axes[0]:
    ax.axhline(0.5, color=plots.NEUTRAL, linewidth=0.8, linestyle=":")
    ax.grid(alpha=0.3)
plots.show(
    figure,
    alt="Two curves of IoU: one falls steeply as a box slides sideways, the other peaks at the right size as its side changes.",
)

# %% [markdown]
# {{figure}} Left, a box of the right size that slides sideways; right, a box in the right place whose side is wrong. The dotted line is an IoU of 0.5.
#
# <details><summary>What came of it</summary>
#
# Closer to 0.8: it is $0.9 / 1.1 = 0.818$. The IoU is a strict judge. The strip that the box misses on one side is matched by a useless strip on the other, so
# the shared part shrinks and the union grows.
# </details>
#
# ### Play: draw the first box
#
# Below you can drag a box with the mouse or a finger, or move it with the arrow keys (with <kbd>Shift</kbd> they change its size). The IoU and the centre error
# are updated as you move it. Try this:
#
# 1. Find a box with a centre error of (almost) 0 and an IoU below 0.5.
# 2. Find the largest centre error you can reach with an IoU above 0.5.
#
# Which of the two numbers would you trust for a target that changes its size?

# %%
picker = BoxPicker(sequence)
picker

# %% [markdown]
# <details><summary>What to see</summary>
#
# 1. Any box around the right centre whose sides are all less than 0.7 or more than 1.42 times the true ones.
# 2. Just under half of the target's longer side: start from the true box, leave a short edge where it is, and almost double the distance to the opposite one.
#
# So trust the IoU: the centre error does not see the size at all.
# </details>
#
# ## A number for one video
#
# ### Exercise 01.4 · The success curve
# {{exercise}}
#
# Is an IoU of 0.6 good? It depends on what the box is for, so OTB asks at every level: for each threshold $t = 0, 0.05, \dots, 1$, in what fraction of the frames is the IoU
# **above** $t$? The 21 answers are the *success curve*. Write it for an array of IoUs. All frames count: one with IoU 0 is a frame in which the tracker has lost its target.
#
# <details><summary>Hint 1</summary>
#
# `np.linspace(0, 1, 21)` gives the thresholds. The mean of a boolean array is the fraction that is true.
# </details>
# <details><summary>Hint 2</summary>
#
# A column of T frames, `ious[:, None]`, compared with a row of 21 thresholds gives a table of shape (T, 21). Which axis are the frames?
# </details>


# %% exercise="metrics.success" points=5 stars=2 minutes=8
@exercise("metrics.success")
def success_curve(ious):
    """Fraction of frames whose IoU is above each threshold.

    Args:
        ious: array (T,), one IoU in [0, 1] per frame, or NaN, which is above no threshold.

    Returns:
        array (21,), for the thresholds 0, 0.05, …, 1.
    """
    ### BEGIN SOLUTION
    thresholds = np.linspace(0, 1, 21)  # (21,)
    return np.mean(np.asarray(ious)[:, None] > thresholds, axis=0)  # (T, 21) -> (21,)
    ### END SOLUTION


# %% [markdown]
# ### Exercise 01.5 · One number: the AUC
# {{exercise}}
#
# Two curves may cross; to rank trackers, papers want one number. They take the area under the success curve, AUC for short. OTB computes it as the mean of the 21 values. Write that.
#
# <details><summary>Hint 1</summary>
#
# Over an interval of width 1, the area under a curve equals the curve's mean height.
# </details>
# <details><summary>Hint 2</summary>
#
# All 21 values count, those at 0 and at 1 too. A curve of ones would have AUC 1.
# </details>


# %% exercise="metrics.auc" points=3 stars=1 minutes=2
@exercise("metrics.auc")
def auc(curve):
    """Area under a success curve.

    Args:
        curve: array (21,).

    Returns:
        float in [0, 1].
    """
    ### BEGIN SOLUTION
    return float(np.mean(curve))
    ### END SOLUTION


# %% [markdown]
# **Predict first:** what is the AUC of a perfect tracker, one that returns exactly the true box in every frame?

# %%
perfect = success_curve(np.ones(100))
print(f"AUC of a perfect tracker: {auc(perfect):.4f}   (20/21 = {20 / 21:.4f})")
print("last values of its curve:", perfect[-3:])

# %% [markdown]
# <details><summary>What came of it</summary>
#
# Not 1. The rule says *above* the threshold, and nothing can be above the last threshold, 1. So one of the 21 values is always 0, and under OTB's rule no AUC exceeds 20/21. Other benchmarks have other
# rules: TrackingNet takes the area of trapezoids under the same 21 values, which gives a perfect tracker 0.975; GOT-10k takes the mean IoU itself, which gives it 1. The exact value hardly matters. What matters is that two numbers you compare follow the same rule.
# </details>
#
# ### Exercise 01.6 · The precision curve
# {{exercise}}
#
# The same idea for the centre error: for each threshold $0, 1, \dots, 50$ pixels, in what fraction of the frames is the error **at most** that large? Write this curve, again over all frames. Its value at 20 px is called *the precision*.
#
# <details><summary>Hint 1</summary>
#
# Thresholds: `np.arange(51)`.
# </details>
# <details><summary>Hint 2</summary>
#
# The success curve compares with a strict `>`; *at most* is `<=`. The rest is as in your success curve.
# </details>


# %% exercise="metrics.precision" points=4 stars=1 minutes=5
@exercise("metrics.precision")
def precision_curve(errors):
    """Fraction of frames whose centre error is at most each threshold.

    Args:
        errors: array (T,), pixels, or NaN, which is within no threshold.

    Returns:
        array (51,), for the thresholds 0, 1, …, 50 px.
    """
    ### BEGIN SOLUTION
    thresholds = np.arange(51)  # (51,)
    return np.mean(np.asarray(errors)[:, None] <= thresholds, axis=0)  # (T, 51) -> (51,)
    ### END SOLUTION


# %% [markdown]
# The run at the top as OTB sees it, by your four functions:

# %%
success, precision = success_curve(overlaps), precision_curve(errors)

figure, axes = plots.new_figure(width=8, height=2.8, columns=2, sharey=True)
left, right = axes[0]
left.plot(np.linspace(0, 1, 21), success, "o-", color=plots.PREDICTION, markersize=3)
left.axhline(
    auc(success), color=plots.NEUTRAL, linestyle=":", label=f"mean: AUC {auc(success):.3f}"
)
left.set(xlabel="IoU threshold", ylabel="fraction of frames", ylim=(0, 1.02), title="success")
right.plot(precision, color=plots.PREDICTION)
right.plot(
    20, precision[20], "o", color=plots.PREDICTION, label=f"at 20 px: {precision[20]:.3f}"
)
right.set(xlabel="centre error threshold, pixels", title="precision")
for ax in axes[0]:
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
plots.show(
    figure,
    alt=f"Success curve, AUC {auc(success):.3f}, and precision curve, {precision[20]:.3f} at 20 pixels, of the run at the top.",
)

# %% [markdown]
# {{figure}} The precision says that all is well: no centre is 20 pixels off. The success curve tells the other half, and its mean height is the AUC.
#
# This is a good place to stop. Part 2 needs what you have written here, so run these cells again when you come back.
#
# ## The simplest tracker
# {{part}}
#
# ### Exercise 01.7 · Stay put
# {{exercise}}
#
# A tracker is two calls: `init(frame, box)` once, then `update(frame)`, which returns a box, for every frame after. Write the most modest one: it returns the first box every
# time. Every other tracker has to beat it, and on calm videos that is harder than it sounds. Whatever the caller writes into the arrays that it gave to your tracker, or got from it, the next
# box is still the first one.
#
# <details><summary>Hint 1</summary>
#
# `init` stores on `self` whatever `update` needs later.
# </details>
# <details><summary>Hint 2</summary>
#
# The caller may change its arrays afterwards, those it gave and those it got. What must you store, and what must you return, so that your box stays?
# </details>


# %% exercise="trackers.stay_put" points=4 stars=1 minutes=5
@exercise("trackers.stay_put")
class StayPut:
    """Returns the first box every time."""

    name = "stay-put"

    def init(self, frame, box):
        """Start on `frame` (H, W, 3) with the target at `box` (4,): x, y, w, h in pixels."""
        ### BEGIN SOLUTION
        self.box = np.array(box, dtype=float)
        ### END SOLUTION

    def update(self, frame):
        """The box (4,) in the next `frame` (H, W, 3)."""
        ### BEGIN SOLUTION
        return self.box.copy()
        ### END SOLUTION


# %% [markdown]
# The course comes with two more trackers that learn nothing. `random-walk` moves its box by a small random step per frame; it is the answer to *"is this number better than chance?"*.
# `ncc` is the template matching you saw at the top. It slides the image $z$ of the target over the surroundings of the last box and computes at every position $u$ the *normalised cross-correlation*
#
# $$ r(u) = \frac{\langle z - \bar z,\; x_u - \bar x_u\rangle}{\lVert z - \bar z\rVert \, \lVert x_u - \bar x_u\rVert} \in [-1, 1], $$
#
# where $x_u$ is the patch of the frame at $u$ and a bar denotes the mean. Subtracting the mean makes it blind to brightness, dividing by the norms makes it blind to contrast. The map $r$ is a *response map*;
# from here to the end of the course, every tracker computes one.

# %%
examples = [
    sequence,
    *real_sequences()[:1],
]  # and a real sequence, if there are any in your data folder
figure, axes = plots.new_figure(8, 2.9 * len(examples), rows=len(examples), columns=2)
for (left, right), shown in zip(axes, examples, strict=True):
    tracker = make_tracker("ncc")
    tracker.init(shown.frames[0], shown.boxes[0])
    for t in range(1, 6):
        box = tracker.update(shown.frames[t])
    plots.show_frame(left, shown.frames[t], f"{shown.name}, frame {t}")
    plots.draw_box(left, shown.boxes[t], label="truth")
    plots.draw_box(left, box, plots.PREDICTION, "tracker", "--")
    plots.draw_box(left, tracker.last.region, "white", "region searched", ":", 1.5)
    left.legend(fontsize=7, loc="lower left", facecolor="silver")
    plots.show_map(
        right, tracker.last.response, "response: similarity at each position", peak=True
    )
    figure.colorbar(right.images[0], ax=right, shrink=0.8)
plots.show(
    figure,
    alt="Left: a frame with the true box, the tracker's box and the region searched. Right: the response map of template matching, its peak marked.",
)

# %% [markdown]
# {{figure}} Each cell of the map is one position of the template's corner within the region searched; the dot marks the highest value, where the tracker puts its box. With OTB in your data folder, the lower row shows its first sequence.
# Compare the peaks, and look for second peaks: nothing but their height decides between them and the target.
#
# ## The protocol: one pass
#
# ### Exercise 01.8 · One-pass evaluation
# {{exercise}}
#
# Two trackers can be compared only if both were run in the same way. OTB's main protocol is OPE, *one-pass evaluation*: start the tracker on frame 0 with the true box, then let it run to the end without any help, also through frames in which the target is out of view. Write it. A tracker may return the same array each time and write the next box into it, so copy what it returns. Also time
# every call, `init` included, but not the reading of the frame: a slow disk is not the tracker's fault.
#
# <details><summary>Hint 1</summary>
#
# `sequence.frames[t]` is frame t, `sequence.boxes[0]` the first true box, `len(sequence)` the number of frames.
# </details>
# <details><summary>Hint 2</summary>
#
# `time.perf_counter()` is a clock in seconds. In which order do the reading of the frame, the two readings of the clock and the call have to stand?
# </details>
# <details><summary>Hint 3</summary>
#
# Row 0 of the boxes is the box the tracker was started with. `update` is first called on frame 1.
# </details>


# %% exercise="protocol.ope" points=6 stars=2 minutes=10
@exercise("protocol.ope")
def track(tracker, sequence):
    """One pass of a tracker over a sequence.

    Args:
        tracker: has `init(frame, box)` and `update(frame) -> box`.
        sequence: has `frames`, `boxes` (T, 4) and a length T.

    Returns:
        Result(boxes, seconds): arrays (T, 4) in pixels and (T,) in seconds.
    """
    ### BEGIN SOLUTION
    boxes, seconds = np.array(sequence.boxes, dtype=float), np.zeros(len(sequence))
    for t in range(len(sequence)):
        frame = sequence.frames[t]
        start = time.perf_counter()
        if t == 0:
            tracker.init(frame, sequence.boxes[0])
        else:
            boxes[t] = tracker.update(frame)
        seconds[t] = time.perf_counter() - start
    return Result(boxes, seconds)
    ### END SOLUTION


# %% [markdown]
# Your `track` measures speed as well. *Frames per second* is the number of frames divided by the time of all calls together. A warm-up comes first, because a first call also loads code and fills caches.

# %%
from course_lib.data.sequence import OTB_ATTRIBUTES
from course_lib.evaluation.figures import attribute_plot, success_and_precision, success_panels
from course_lib.evaluation.intervals import Interval, auc_difference
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import measured_words, show_table

makers = {
    "stay-put": StayPut,
    "random-walk": lambda: make_tracker("random-walk"),
    "ncc": lambda: make_tracker("ncc"),
}
loaded = sequence.loaded()  # each frame drawn only once
speeds = {}
for name, make in makers.items():
    track(make(), loaded.part(0, 5))  # warm-up
    seconds = track(make(), loaded).seconds  # (T,)
    speeds[name] = {
        "init, ms": 1000 * seconds[0],
        "update, ms (median)": 1000 * np.median(seconds[1:]),
        "fps": len(seconds) / seconds.sum(),
    }
show_table(speeds, f"Speed on {loaded.name}, on this machine", formats={"fps": ",.0f"})

# %% [markdown]
# A tracker that does not look is fast. Speed belongs beside accuracy, and two speeds can be compared only if one machine measured both.
#
# ### Find the fault
#
# A colleague has written the score of a whole sequence, using your functions, and chosen a good test: on the true boxes themselves it must give 20/21, whatever the sequence. It does not.


# %%
def faulty_auc(boxes, truth):
    """AUC of boxes (T, 4) on a sequence with true boxes (T, 4)."""
    ious = np.array([iou(b, t) for b, t in zip(boxes, truth, strict=True)])  # (T,)
    return auc(success_curve(ious))


perfect = {c.name: faulty_auc(c.boxes, c.boxes) for c in sequences}
low = {name: score for name, score in perfect.items() if score < 20 / 21 - 1e-9}

figure, axes = plots.new_figure(width=8, height=2.6)
axes[0, 0].plot(range(1, 25), list(perfect.values()), "o", color=plots.EXEMPLAR)
axes[0, 0].axhline(20 / 21, color=plots.NEUTRAL, linestyle=":", label="20/21")
for name, score in low.items():
    number = 1 + list(perfect).index(name)
    axes[0, 0].annotate(number, (number, score - 0.006), ha="center", va="top")
axes[0, 0].set(
    xlabel="sequence", ylabel="AUC of the true boxes", xlim=(0, 26), ylim=(0.8, 0.98)
)
axes[0, 0].set_title(f"too low: {', '.join(low)}", fontsize=10)
axes[0, 0].legend(fontsize=8)
plots.show(
    figure,
    alt=f"The faulty score of the true boxes, sequence by sequence: 20/21 on all but {', '.join(low)}.",
)

# %% [markdown]
# {{figure}} The score of a tracker that returns exactly the true box, on each of the 24 sequences. On most it is 20/21; on those named in the title it is lower.
#
# ### Exercise 01.9 · Mend the score
# {{exercise}}
#
# What do these sequences have in common? Find the fault, and write the score without it. It should stay as strict as before with a tracker that is really lost, even one that returns NaN.
#
# <details><summary>Hint 1</summary>
#
# Look at the true boxes of one of them, for example `sequences["gen-21-leaves"].boxes[44:64]`. What does the course mean by such a row, and what is the IoU there?
# </details>
# <details><summary>Hint 2</summary>
#
# A frame in which there is nothing to find is neither a success nor a failure. Decide from the true boxes alone which frames count, before any IoU.
# </details>


# %% exercise="metrics.fault" points=5 stars=2 minutes=8
@exercise("metrics.fault")
def sequence_auc(boxes, truth):
    """AUC of a tracker's boxes on one sequence.

    Args:
        boxes: array (T, 4), the tracker's, x, y, w, h in pixels.
        truth: array (T, 4), the true ones; a row of NaN where the target is not in view.

    Returns:
        float in [0, 1].
    """
    ### BEGIN SOLUTION
    there = ~np.isnan(truth[:, 0])  # (T,)
    ious = np.array([iou(b, t) for b, t in zip(boxes[there], truth[there], strict=True)])
    return auc(success_curve(ious))
    ### END SOLUTION


# %%
mended = [sequence_auc(c.boxes, c.boxes) for c in sequences]
print(f"AUC of the true boxes on 24 sequences: {min(mended):.4f} to {max(mended):.4f}")

# %% [markdown]
# ## Experiment: three trackers on the generated sequences
#
# Now everything is in place: trackers, protocol and metrics. Most sequences of `generated-v1` show one or two difficulties, tagged with OTB's attributes; two show none, and three have four tags at once. (The profile `smoke` takes every fifth sequence; the others take all 24.)
# A `Report` computes the metrics you have just written, for all trackers at once; figures and tables are made from it.

# %%
chosen = sequences.loaded(by_profile(smoke=5, laptop=1, gpu=1))
results = {name: {c.name: track(make(), c) for c in chosen} for name, make in makers.items()}
report = Report.from_results(chosen, results)
plots.show(*success_and_precision(report))

# %% [markdown]
# {{figure}} Success and precision of the three trackers. Where a success curve starts on the left says in how many frames the box touched the target at all; how soon it falls says how tight the boxes were.
# The report computes the curve of each sequence first and then averages over sequences, so a long sequence counts no more than a short one. Your own functions give the same numbers:


# %%
def own_precision(boxes, truth):
    """Precision at 20 px of boxes (T, 4); frames without a true box (T, 4) do not count."""
    pairs = [(b, t) for b, t in zip(boxes, truth, strict=True) if not np.isnan(t[0])]
    return precision_curve(np.array([centre_error(b, t) for b, t in pairs]))[20]


rows = report.overall()
for name, row in rows.items():
    found = [(results[name][c.name].boxes, c.boxes) for c in chosen]
    row["own_auc"] = np.mean([sequence_auc(*pair) for pair in found])
    row["own_precision"] = np.mean([own_precision(*pair) for pair in found])
show_table(
    rows,
    "The report, and your own functions",
    columns={
        "auc": "AUC",
        "own_auc": "your AUC",
        "precision20": "precision @20 px",
        "own_precision": "your precision",
        "fps": "fps",
    },
)
print("AUC, ncc − stay-put:        ", auc_difference(report, "ncc", "stay-put"))
print("AUC, stay-put − random-walk:", auc_difference(report, "stay-put", "random-walk"))

# %% [markdown]
# **A difference needs an interval.** The sequences are a sample: other sequences would have given other numbers. So take the difference between two trackers' AUCs sequence by sequence, and ask how well its mean is known. The two lines above give this mean ± half the width of a 95 % interval, by Student's *t* over n sequences. If it
# contains 0, this benchmark does not tell the two trackers apart. From here on, every difference in the course comes with one.
#
# Where do the trackers differ? **Predict first:** on which attribute will template matching do worst?

# %%
plots.show(*attribute_plot(report))
by_tag = {tag: row["ncc"] for tag, row in report.by_attribute().items()}
print("template matching is worst on:", OTB_ATTRIBUTES[min(by_tag, key=by_tag.get)])

# %% [markdown]
# {{figure}} AUC by attribute; the number in brackets says how many sequences have it. A sequence can have several.
#
# <details><summary>What came of it</summary>
#
# The line under the figure names it. On all 24 sequences it is *out of view*, with *low resolution* and *out-of-plane rotation* close by. A template cannot turn, cannot grow, and is searched for only near the last box: a target that leaves is found again
# only if it comes back nearby. But read the brackets: with three or four sequences each, one more sequence could change the order of these three. Attributes suggest where to look; they prove little.
# </details>
#
# ## Was it luck? TRE and SRE
#
# One pass is one sample. OTB has two more protocols:
#
# * **TRE**, temporal robustness: start again at 20 frames spread over the sequence. Every pass runs to the end, so later ones are shorter; all frames are pooled.
# * **SRE**, spatial robustness: start on frame 0 with a box that is slightly wrong, in twelve ways: four shifts by a tenth, four boxes with one corner moved outward by a tenth (so the box grows), and four
#   other sizes (0.8, 0.9, 1.1, 1.2).

# %%
from course_lib.evaluation.tre_sre import sre, sre_boxes, tre

height, width = sequence.frames[0].shape[:2]
starts = sre_boxes(sequence.boxes[0], height, width)
groups = {
    "shifts": ["left", "right", "up", "down"],
    "corners": ["topLeft", "topRight", "bottomLeft", "bottomRight"],
    "sizes": ["scale_8", "scale_9", "scale_11", "scale_12"],
}
x, y, w, h = sequence.boxes[0]
figure, axes = plots.new_figure(width=8, height=2.9, columns=3)
for ax, (title, names) in zip(axes[0], groups.items(), strict=True):
    plots.show_frame(ax, sequence.frames[0], title)
    for name in names:
        plots.draw_box(ax, starts[name], plots.PREDICTION, "first box of a pass", "--", 1.5)
    plots.draw_box(ax, sequence.boxes[0], label="true first box")
    ax.set(xlim=(x - w / 2, x + 3 * w / 2), ylim=(y + 3 * h / 2, y - h / 2))
plots.legend_below(figure, axes[0, 0])
plots.show(
    figure,
    alt="The true first box, solid, and the twelve wrong first boxes of SRE, dashed: four shifts, four corners moved outward, four sizes.",
)

# %% [markdown]
# {{figure}} The twelve first boxes of SRE. A box drawn by hand is hardly more exact than these.
#
# **Predict first:** over all sequences, will TRE come out above or below OPE for template matching? And SRE?

# %%
segments = by_profile(smoke=4, laptop=20, gpu=20)
robust = {"OPE": report}
passes = {n: {c.name: tre(make, c, segments) for c in chosen} for n, make in makers.items()}
robust["TRE"] = Report.from_results(chosen, passes, "tre")  # passes: (first frame, result)
passes = {
    n: {c.name: [(0, result) for result in sre(make, c).values()] for c in chosen}
    for n, make in makers.items()
}
robust["SRE"] = Report.from_results(chosen, passes, "sre")


def by_sequence(protocol, tracker):
    """AUC of a tracker on each sequence under a protocol."""
    return np.array(list(robust[protocol].trackers[tracker].by_sequence().values()))


rows = {}
for name in makers:
    rows[name] = {p: r.overall()[name]["auc"] for p, r in robust.items()}
    for protocol in ("TRE", "SRE"):
        change = by_sequence(protocol, name) - by_sequence("OPE", name)
        rows[name][f"{protocol} − OPE"] = str(Interval.of(change))
show_table(rows, "AUC by protocol, and the change sequence by sequence")

figure, axes = plots.new_figure(width=7.5, height=3.4, columns=2, sharey=True)
for ax, protocol in zip(axes[0], ("TRE", "SRE"), strict=True):
    ax.plot([0, 1], [0, 1], color=plots.NEUTRAL, linewidth=1)
    ax.plot(
        by_sequence("OPE", "ncc"),
        by_sequence(protocol, "ncc"),
        "o",
        color=plots.PREDICTION,
        alpha=0.7,
    )
    ax.set(
        xlabel="AUC in one pass (OPE)", ylabel=f"AUC under {protocol}", xlim=(0, 1), ylim=(0, 1)
    )
    ax.set_title(f"ncc: {protocol} against OPE", fontsize=10)
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)
plots.show(
    figure,
    alt="Template matching, one dot per sequence: AUC under TRE and under SRE against AUC in one pass, with the diagonal. "
    f"TRE − OPE {rows['ncc']['TRE − OPE']}, SRE − OPE {rows['ncc']['SRE − OPE']}.",
)

# %% [markdown]
# {{figure}} One dot per sequence, for template matching; on the grey line both protocols agree. Dots far from the line are sequences on which *where* the pass began decided much of the score. Under SRE the dots on the far right lie below the line.
#
# <details><summary>What came of it</summary>
#
# Read the table's last two columns. On all 24 sequences: for stay-put and the random walk TRE lies above OPE, and the interval leaves 0 out. Their boxes get worse with time, and most passes of TRE are short.
# For template matching the interval of TRE − OPE contains 0. It loses its target at particular moments, and a later start gets past them with better luck on some sequences and worse on others.
#
# SRE − OPE is below zero for template matching, and its interval leaves 0 out, if only just. Where one pass was nearly perfect, SRE must be lower: the tracker follows the target all the way and carries the error of its first box along.
# Where one pass lost the target early, twelve other starts are twelve other draws, and some do better. That is why a single sequence shows anything you like, and why these protocols are read over all of them.
# </details>
#
# ## Another question: what VOT measures
#
# OTB lets a lost tracker go on, so one early loss costs the rest of the sequence. VOT, the yearly challenge, asked from 2013 to 2019 how well a tracker does *between* losses and how often it loses its target. In its **supervised** protocol the tracker **fails** in the first frame whose box does not touch the target (overlap 0). Five frames later a fresh one is
# started with the true box.
#
# * **Accuracy** A: the mean overlap of the frames in which the tracker ran. The ten frames from each start on do not count (the *burn-in*): so soon after the true box was given, the overlap flatters the tracker.
# * **Failures**, also called **robustness**: the number of failures. Fewer are better.
# * **Expected average overlap**, EAO: both in one number. Cut the runs into segments, from each start to a failure or to the end of the sequence. $\Phi(N)$ is the mean overlap that a segment has over its first $N$ frames after the start, averaged over segments. After its failure a segment counts as 0 for all larger $N$; a segment that ended with its sequence takes part only up to its own length. EAO is the
#   mean of $\Phi(N)$ over typical lengths; VOT2018 took $N = 100 \dots 356$.
#
# Here is a run small enough for pencil and paper, by its overlaps: start, 0.8 and 0.6, failure; four frames skipped; start again, 0.9 and 0.9, end.

# %%
from course_lib.evaluation.eao import eao, expected_overlap_curve, interval
from course_lib.evaluation.vot import (
    FAILURE,
    INIT,
    SKIPPED,
    TRACKED,
    SupervisedRun,
    accuracy,
    run_supervised,
)

codes = [INIT, TRACKED, TRACKED, FAILURE, *[SKIPPED] * 4, INIT, TRACKED, TRACKED]
values = [1, 0.8, 0.6, 0, *[np.nan] * 4, 1, 0.9, 0.9]
small = SupervisedRun(np.array(codes), np.full((11, 4), np.nan), np.array(values))
print("failures:", small.failures)
found = accuracy([small], burn_in=1)  # the start itself never counts
print(f"accuracy without burn-in: {found:.3f} = (0.8 + 0.6 + 0.9 + 0.9) / 4")
print("Φ(1) … Φ(3):", np.round(expected_overlap_curve([small]), 3))
print("EAO over N = 1 … 3:", round(eao([small], 1, 3), 3))

# %% [markdown]
# Check $\Phi$ by hand. The first segment's means over 1, 2, 3 frames are 0.8, $(0.8 + 0.6)/2 = 0.7$, $(0.8 + 0.6 + 0)/3 = 0.467$; the second's are 0.9 and 0.9, and it does not reach 3. So $\Phi(1) = 0.85$, $\Phi(2) = 0.8$, $\Phi(3) = 0.467$, and their mean is 0.706.
#
# Now the three trackers. **Predict first:** stay-put is put back on its target after each loss. Will its accuracy be above or below its mean overlap in one pass?

# %%
runs = {n: {c.name: run_supervised(make, c) for c in chosen} for n, make in makers.items()}
lengths = [len(c) for c in chosen]
low, high = interval(
    chosen.name, lengths
)  # the course's rule: VOT publishes none for these sequences
rows = {}
for name in makers:
    of_all = list(runs[name].values())
    rows[name] = {
        "mean overlap in one pass": report.overall()[name]["mean_iou"],
        "accuracy": accuracy(of_all),
        "failures": sum(run.failures for run in of_all),
        "EAO": eao(of_all, low, high),
    }
lengths_said = f"N = {low}" if low == high else f"N = {low} … {high}"
show_table(rows, f"{len(chosen)} sequences, {sum(lengths)} frames; EAO over {lengths_said}")

example = next(
    c.name for c in chosen if runs["ncc"][c.name].failures
)  # the first with a failure
run = runs["ncc"][example]
figure, axes = plots.new_figure(width=9, height=3.2, columns=2, width_ratios=[3, 2])
left, right = axes[0]
for start in np.flatnonzero(run.codes == INIT):
    left.axvspan(
        start, start + 9, color=plots.NEUTRAL, alpha=0.25, label="burn-in, not counted"
    )
left.plot(run.overlaps, color=plots.PREDICTION, label="overlap")
lost = np.flatnonzero(run.codes == FAILURE)
left.plot(lost, np.zeros(len(lost)), "X", color="black", label="failure")
left.axhline(accuracy([run]), color=plots.NEUTRAL, linestyle=":", label="accuracy")
left.set(xlabel="frame", ylabel="overlap", ylim=(-0.05, 1.05), title=f"ncc on {example}")
plots.legend_below(figure, left, columns=4)
curves = {
    n: expected_overlap_curve(list(runs[n].values()), longest=high) for n in report.overall()
}
plots.draw_lines(right, curves, x=np.arange(1, high + 1), xlabel="N, frames after a start")
right.set(ylabel="Φ(N)", ylim=(0, 1.02), title="expected overlap, all sequences")
plots.show(
    figure,
    alt=f"Left: overlap of template matching on {example} under VOT's protocol, with {run.failures} failures, burn-in shaded. "
    "Right: expected overlap of the three trackers against the number of frames after a start.",
)

# %% [markdown]
# {{figure}} Left, the first sequence on which template matching fails. At each cross its box no longer touches the target; five frames later the overlap begins again at 1. (Where the target is out of view there is no overlap.) The dotted accuracy leaves the shaded frames out. Right, $\Phi(N)$ of each tracker falls on the whole, since a longer segment has had more occasions to fail;
# the EAO is read at its right end.
#
# <details><summary>What came of it</summary>
#
# Above, for all three trackers. The frames after a loss, which pull down a mean in one pass, are not there: the tracker has been helped. So an accuracy alone can look fine on a tracker that fails at every turn. Read it with the failures, or read the EAO.
# </details>
#
# ## Real video
#
# The results below were measured once on 22 targets of OTB and VOT-2014 and ship with the course; lesson 02 adds the trackers you will meet there. If you have the videos on disk (`COURSE_DATA`),
# `python -m course_lib evaluate --tracker ncc stay-put random-walk --benchmark otb+vot2014` measures them on every sequence in your folders; `--sequences` limits it to these 22.

# %%
measured = read_measured(RESULTS / "real_sequences.json")
shipped = Report.from_dict(measured).only(["ncc", "stay-put", "random-walk"])
published = Report.from_dict(read_measured(RESULTS / "otb100_published.json"))
panels = {
    "22 real targets, measured by the course": shipped,
    "OTB-100, boxes published by the authors": published,
}
plots.show(*success_panels(panels))
print("left:", measured_words(measured))
print("AUC on real video, ncc − stay-put:", auc_difference(shipped, "ncc", "stay-put"))

# %% [markdown]
# {{figure}} Left, the trackers of this lesson; right, six published ones, drawn from the boxes that their authors published and scored in the same way as yours. The two panels cannot be compared with each other: the videos differ, and there are
# fewer of them on the left. Within a panel read the shape. A curve that starts low on the left belongs to a tracker that *loses* targets: of the six, CSK's starts lowest. One that falls early has *loose* boxes. The curves of KCF and DSST cross near 0.7: DSST, unlike KCF, follows the target's size, which, if it helps at all, helps at thresholds that ask for tight boxes.
#
# ## An open task
#
# Can you improve on template matching? There is no check here and no single answer. The cell below is a start that runs: a tracker of your own that changes one setting of `ncc`, run by your `track` on all sequences, with the interval of what it gained.

# %%
from course_lib.trackers.template import TemplateMatching, TemplateSettings


class Mine(TemplateMatching):
    """Template matching that searches a larger region."""

    name = "mine"

    def __init__(self):
        super().__init__(TemplateSettings(search=3.0))


mine = {c.name: track(Mine(), c) for c in chosen}
tried = Report.from_results(chosen, {"mine": mine, "ncc": results["ncc"]})
print("AUC, mine − ncc:", auc_difference(tried, "mine", "ncc"))

# %% [markdown]
# Change one thing at a time, and say what you expect before you run it. Does the interval leave 0 out? If you try twenty variants and keep the best, its interval is too kind: choose on the odd sequences, `chosen[::2]`, and report on the even ones, `chosen[1::2]`.
#
# **Stretch goal.** Let the template change its size: look for it at 0.95, 1 and 1.05 times its last size (`cv2.resize`), and return a box of the best size. Which attributes gain, which lose, and by how much does your tracker slow down? With OTB in your data folder, run it on `real_sequences()` too: does the gain hold on real video?
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Two trackers have the same AUC, but one has the higher precision. What do you know about its boxes?
# <details><summary>Answer</summary>
#
# Its centres are within 20 pixels more often, so its sizes are probably worse: otherwise its IoU would be higher as well.
# </details>
#
# 2. A target leaves the view for 30 frames. How does this course score them in OPE?
# <details><summary>Answer</summary>
#
# Not at all: they have no true box and do not count (LaSOT's own rule counts them as missed). A tracker is neither punished for guessing there nor rewarded for noticing that the target is gone.
# </details>
#
# 3. Why does the tracker's time exclude reading the frame?
# <details><summary>Answer</summary>
#
# Decoding takes the same time for every tracker and depends on the disk. If it were included, all fast trackers would look equally fast.
# </details>
#
# 4. A paper compares its OPE with another paper's TRE. Is that fair?
# <details><summary>Answer</summary>
#
# No. TRE's passes are shorter on average, so most trackers score higher there.
# </details>
#
# 5. From lesson 00: is the centre of the box $(0, 0, 1, 1)$ at $(0, 0)$?
# <details><summary>Answer</summary>
#
# No, at $(0.5, 0.5)$: the box covers the whole of the first pixel.
# </details>
#
# ## Classic mistakes
#
# * **Negative times negative.** Two boxes that are apart in both x and y have an "intersection" of positive area if its sides are not clipped at 0.
# * **`>` and `>=`.** One character changes the AUC of a perfect tracker from 20/21 to 1.
# * **One pixel too many.** Mixing $x + w$ with the +1 of toolkits that count pixels makes the IoU too high. Either convention is right by itself.
# * **Helping.** Restarting the tracker after a loss is a different protocol (VOT's), with different numbers.
#
# ## Read next
#
# * The two OTB papers named at the top, which also define the attributes.
# * Lesson 02: a tracker that learns, at hundreds of frames per second.
