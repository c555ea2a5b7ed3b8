# ---
# jupyter:
#   course: {run: [1]}
# ---

# %% [markdown]
# # 01 · The tracking problem
#
# | | |
# |---|---|
# | **You will be able to** | measure how good a box is and how good a tracker is, write the protocol that every tracking paper uses, and read its plots |
# | **You need** | lesson 00 |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Wu, Lim, Yang: *Online Object Tracking: A Benchmark* (CVPR 2013) and *Object Tracking Benchmark* (PAMI 2015), known as OTB |
# | **Words** | {{words}} |

# %%
import time

import numpy as np

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.results import Result
from course_lib.exercises import award, exercise, progress
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker
from course_lib.widgets import BoxPicker, SequencePlayer

sequences = load_benchmark("generated-v1")
sequence = sequences[0]

# %% [markdown]
# ## Look first
#
# A target, its true box (the *ground truth*, solid green), and a tracker (dashed). The tracker compares a small image of the target from frame 0 with
# every position nearby and picks the most similar one. The number beside its name says how much its box overlaps the true one.

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
# To say which of two trackers is better, we need a number for one box, then one for a video, then one for many videos. We take them in that order.
#
# ## A number for one box
#
# ### Exercise 01.1 · Two corners instead of a corner and a size
# {{exercise}}
#
# To see where two boxes overlap, their edges are handier than their sizes.
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
# It is 1 if the boxes are equal and 0 if they do not overlap.
#
# <details><summary>Hint 1</summary>
#
# The shared part starts at the larger of the two left edges and ends at the smaller of the two right edges. Likewise from top to bottom.
# </details>
# <details><summary>Hint 2</summary>
#
# If it ends before it starts, the boxes do not overlap: `max(0, end - start)`.
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
# ### Exercise 01.3 · Centre error
# {{exercise}}
#
# The second number asks only where the target is, not how large: the distance between the centres of the two boxes, in pixels.
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
# How fast does the IoU fall when a box slides away, or has the wrong size? **Predict first:** a box of the right size has slid sideways by
# a tenth of its width. Is its IoU closer to 0.9 or to 0.8?

# %%
truth = np.array([0.0, 0, 100, 100])
shifts = np.linspace(0, 1, 51)  # in widths
sizes = np.linspace(0.4, 2.5, 61)  # side of the box over the true side, same centre
by_shift = [iou(truth, truth + [100 * s, 0, 0, 0]) for s in shifts]
by_size = [iou(truth, [50 - 50 * s, 50 - 50 * s, 100 * s, 100 * s]) for s in sizes]

figure, axes = plots.new_figure(width=8, height=2.8, columns=2, sharey=True)
axes[0, 0].plot(shifts, by_shift, color=plots.PREDICTION)
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
print(
    f"slid by a tenth of the width: IoU {by_shift[5]:.3f}; right centre, half the side: IoU {iou(truth, [25, 25, 50, 50]):.3f}"
)

# %% [markdown]
# The IoU is a strict judge: a small shift costs more than most people expect, because the strip that the box misses on one side is matched by a useless strip on the other.
#
# ### Play: draw the first box
#
# Below you can drag a box with the mouse or a finger, or move it with the arrow keys (with <kbd>Shift</kbd> they change its size). The IoU and the centre error
# with the true box follow. Find out by playing:
#
# 1. Find a box with a centre error of (almost) 0 and an IoU below 0.5.
# 2. Find the largest centre error you can reach with an IoU above 0.5.
#
# Which of the two numbers would you trust for a target that changes its size?

# %%
picker = BoxPicker(sequence)
picker

# %% [markdown]
# ## A number for one video
#
# ### Exercise 01.4 · The success curve
# {{exercise}}
#
# Is an IoU of 0.6 good? It depends on what the box is for, so OTB asks at every level: for each threshold $t = 0, 0.05, \dots, 1$, in what fraction of the frames is the IoU
# **above** $t$? The 21 answers are the *success curve*.
#
# <details><summary>Hint 1</summary>
#
# `np.linspace(0, 1, 21)` gives the thresholds. The mean of a boolean array is the fraction that is true.
# </details>
# <details><summary>Hint 2</summary>
#
# `ious[:, None] > thresholds` compares every frame with every threshold: shape (T, 21).
# </details>


# %% exercise="metrics.success" points=5 stars=2 minutes=8
@exercise("metrics.success")
def success_curve(ious):
    """Fraction of frames whose IoU is above each threshold.

    Args:
        ious: array (T,), one IoU in [0, 1] per frame.

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
# The area under the success curve, AUC for short, is the number that tracking papers compare first. OTB computes it as the mean of the 21 values.
#
# <details><summary>Hint 1</summary>
#
# One NumPy call does it.
# </details>
# <details><summary>Hint 2</summary>
#
# Not the sum: 21 values of at most 1 would add up to more than 1.
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
# Not 1. The rule says *above* the threshold, and nothing can be above the last threshold, 1. So one of the 21 values is always 0. All toolkits agree on this rule, so
# no published AUC can exceed 20/21. The exact value hardly matters; that everybody uses the same rule does.
#
# ### Exercise 01.6 · The precision curve
# {{exercise}}
#
# The same idea for the centre error: for each threshold $0, 1, \dots, 50$ pixels, in what fraction of the frames is the error **at most** that large? The value at 20 px is called *the precision*.
#
# <details><summary>Hint 1</summary>
#
# Thresholds: `np.arange(51)`.
# </details>
# <details><summary>Hint 2</summary>
#
# The rule is `<=` here. Success was a strict `>`.
# </details>


# %% exercise="metrics.precision" points=4 stars=1 minutes=5
@exercise("metrics.precision")
def precision_curve(errors):
    """Fraction of frames whose centre error is at most each threshold.

    Args:
        errors: array (T,), pixels.

    Returns:
        array (51,), for the thresholds 0, 1, …, 50 px.
    """
    ### BEGIN SOLUTION
    thresholds = np.arange(51)  # (51,)
    return np.mean(np.asarray(errors)[:, None] <= thresholds, axis=0)  # (T, 51) -> (51,)
    ### END SOLUTION


# %% [markdown]
# ## The simplest tracker
#
# ### Exercise 01.7 · Stay put
# {{exercise}}
#
# A tracker is two calls: `init(frame, box)` once, then `update(frame)`, which returns a box, for every frame after. Write the most modest one: it returns the first box every
# time. Every other tracker has to beat it, and on calm videos that is harder than it sounds.
#
# <details><summary>Hint 1</summary>
#
# `init` stores on `self` whatever `update` needs later.
# </details>
# <details><summary>Hint 2</summary>
#
# Store a copy, `np.array(box, dtype=float)`: the caller may change its own array afterwards.
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
tracker = make_tracker("ncc")
tracker.init(sequence.frames[0], sequence.boxes[0])
for t in range(1, 12):
    box = tracker.update(sequence.frames[t])

figure, axes = plots.new_figure(width=8, height=3, columns=2)
left, right = axes[0]
title = "frame 11: true box and tracker's box"
plots.show_frame(left, sequence.frames[11], title, truth=sequence.boxes[11], found=box)
title = "response: similarity at each position"
plots.show_frame(right, tracker.last.response, title, cmap=plots.MAP)
figure.colorbar(right.images[0], ax=right, shrink=0.8)
plots.show(
    figure,
    alt="Left: a frame with the true box and the tracker's box. Right: the response map of template matching with one bright peak.",
)

# %% [markdown]
# ## The protocol: one pass
#
# ### Exercise 01.8 · One-pass evaluation
# {{exercise}}
#
# OTB's main protocol is OPE, *one-pass evaluation*: start the tracker on frame 0 with the true box, then let it run to the end without any help. Also time
# every call, but not the reading of the frame: a slow disk is not the tracker's fault.
#
# <details><summary>Hint 1</summary>
#
# `sequence.frames[t]` is frame t, `sequence.boxes[0]` the first true box, `len(sequence)` the number of frames.
# </details>
# <details><summary>Hint 2</summary>
#
# Read the frame first, then `start = time.perf_counter()`, then make the call, then take the difference.
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
# ## Experiment: three trackers on the generated clips
#
# Now everything is in place: trackers, protocol and metrics. A `Report` computes the metrics you have just written, for all trackers at once; figures and tables are made from it. Each clip of `generated-v1` shows one or two difficulties, tagged with OTB's attributes. **Predict first:**
# on which attribute will template matching do worst?

# %%
from course_lib.data.sequence import OTB_ATTRIBUTES
from course_lib.evaluation.figures import attribute_plot, success_and_precision, success_panels
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import measured_words, read_measured, show_table

chosen = sequences.loaded(by_profile(smoke=5, laptop=1, gpu=1))  # each frame drawn only once
makers = {
    "stay-put": StayPut,
    "random-walk": lambda: make_tracker("random-walk"),
    "ncc": lambda: make_tracker("ncc"),
}
results = {name: {c.name: track(make(), c) for c in chosen} for name, make in makers.items()}
report = Report.from_results(chosen, results)
plots.show(*success_and_precision(report))

# %% [markdown]
# The report computes the curve of each clip first and then averages over clips, so a long clip counts no more than a short one. Your own functions give the same numbers:


# %%
def own_scores(boxes, truth):
    """AUC and precision at 20 px of boxes (T, 4); frames without a true box do not count."""
    pairs = [(b, t) for b, t in zip(boxes, truth, strict=True) if not np.isnan(t[0])]
    success = success_curve([iou(b, t) for b, t in pairs])  # (21,)
    precision = precision_curve([centre_error(b, t) for b, t in pairs])  # (51,)
    return auc(success), precision[20]


rows = report.overall()
for name, row in rows.items():
    each = [own_scores(results[name][c.name].boxes, c.boxes) for c in chosen]
    row["own_auc"], row["own_precision"] = np.mean(each, axis=0)
show_table(
    rows,
    "The report, and your own functions",
    columns={
        "auc": "AUC",
        "own_auc": "your AUC",
        "precision20": "precision @20 px",
        "own_precision": "your precision",
    },
)

# %% [markdown]
# Where do the trackers differ? The same AUC, by attribute:

# %%
plots.show(*attribute_plot(report))
by_tag = {tag: row["ncc"] for tag, row in report.by_attribute().items()}
print("template matching is worst on:", OTB_ATTRIBUTES[min(by_tag, key=by_tag.get)])

# %% [markdown]
# ## Was it luck? TRE and SRE
#
# One pass is one sample. OTB has two more protocols:
#
# * **TRE**, temporal robustness: start again at 20 frames spread over the clip. Every pass runs to the end, so later ones are shorter; all frames are pooled.
# * **SRE**, spatial robustness: start on frame 0 with a box that is slightly wrong, in twelve ways: four shifts by a tenth, four boxes with one corner moved outward by a tenth (so the box grows), and four
#   other sizes (0.8, 0.9, 1.1, 1.2).
#
# **Predict first:** will TRE come out above or below OPE for template matching? And SRE?

# %%
from course_lib.evaluation.tre_sre import sre, sre_boxes, tre

subject = sequences["gen-13-turning"].loaded()
height, width = subject.frames[0].shape[:2]
starts = sre_boxes(subject.boxes[0], height, width)

figure, axes = plots.new_figure(width=8, height=2.6, columns=3)
groups = {
    "shifts": ["left", "right", "up", "down"],
    "corners": ["topLeft", "topRight", "bottomLeft", "bottomRight"],
    "sizes": ["scale_8", "scale_9", "scale_11", "scale_12"],
}
x, y, w, h = subject.boxes[0]
for ax, (title, names) in zip(axes[0], groups.items(), strict=True):
    plots.show_frame(ax, subject.frames[0], title, truth=subject.boxes[0])
    ax.set(xlim=(x - w, x + 2 * w), ylim=(y + 1.8 * h, y - 0.8 * h))
    for name, k in zip(names, (1, 3, 4, 5), strict=True):
        plots.draw_box(ax, starts[name], colour=plots.CYCLE[k], style="--", width=1.5)
plots.show(
    figure,
    alt="The true first box in solid green and the twelve wrong first boxes of SRE, dashed: four shifts, four corners moved outward, four sizes.",
)

segments = by_profile(smoke=4, laptop=20, gpu=20)
rows = {}
for name, make in makers.items():
    passes = {
        "OPE": track(make(), subject),
        "TRE": tre(make, subject, segments),  # a list of (first frame, result)
        "SRE": [(0, result) for result in sre(make, subject).values()],
    }
    pooled = Report.from_results([subject], {p: {subject.name: r} for p, r in passes.items()})
    rows[name] = {protocol: row["auc"] for protocol, row in pooled.overall().items()}
show_table(rows, f"Success AUC on {subject.name}", ["OPE", "TRE", "SRE"])

# %% [markdown]
# TRE favours a tracker that gets worse over time, since most of its passes are short. SRE shows how much a tracker depends on an exact first box; a box drawn by hand rarely is.
#
# ## Real video
#
# The results below were measured once on 22 targets of OTB and VOT-2014 and ship with the course; lesson 02 adds the trackers you will meet there. If you have the videos on disk (`COURSE_DATA`),
# `python -m course_lib evaluate --tracker ncc stay-put --benchmark otb+vot2014` measures them again.

# %%
from course_lib.places import RESULTS

measured = read_measured(RESULTS / "real_sequences.json")
shipped = Report.from_dict(measured).only(["ncc", "stay-put", "random-walk"])
published = Report.from_dict(read_measured(RESULTS / "otb100_published.json"))
panels = {
    "22 real targets, measured by the course": shipped,
    "OTB-100, boxes published by the authors": published,
}
plots.show(*success_panels(panels))
print("left:", measured_words(measured))

# %% [markdown]
# The right-hand plot is drawn from the boxes that the authors of six trackers published, scored in the same way as yours. The two plots cannot be compared with each other: the videos differ, and there are
# fewer of them on the left. But look for the same shapes in both: the curve of a tracker that *loses* targets starts low on the left; that of a tracker with *loose* boxes falls early towards the right.
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
# 2. A target leaves the view for 30 frames. How does OPE score these frames?
# <details><summary>Answer</summary>
#
# Not at all: they have no true box and do not count. A tracker is neither punished for guessing there nor rewarded for noticing that the target is gone.
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
# * The two OTB papers named at the top; the second defines the attributes.
# * Lesson 02: a tracker that learns, at thousands of frames per second.
