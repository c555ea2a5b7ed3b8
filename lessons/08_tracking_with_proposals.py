# ---
# jupyter:
#   course: {run: [2]}
# ---

# %% [markdown]
# # 08 · Tracking with proposals
#
# | | |
# |---|---|
# | **You will be able to** | choose one of a thousand proposals by a penalty for change, a cosine window and smoothing; and say how much of a published number is tuning |
# | **You need** | lessons 06 and 07 |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Li et al. (SiamRPN, CVPR 2018), the tracking section and the settings of its public code; A. Carlier's EPFL lecture (2019) |
# | **Words** | {{words}} |

# %%
import cv2
import numpy as np

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.figures import draw_curves, success_and_precision
from course_lib.evaluation.otb import track
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.anchors import decode
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.runtime import load_proposal_runtime
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker
from course_lib.trackers.siamrpn import anchor_window
from course_lib.widgets import ProposalExplorer

sequences = load_benchmark("generated-v1")
crowd = sequences["gen-18-distractors"].loaded(by_profile(smoke=10, laptop=None, gpu=None))
runtime = load_proposal_runtime("siamrpn", "auto", "auto")

# %% [markdown]
# ## Look first
#
# One frame, one search image, and the best proposals of a small SiamRPN: ranked by their score alone, then with a penalty for change, then with the cosine window as well. Scrub through the clip.

# %%
ProposalExplorer(crowd, runtime, max_frames=by_profile(smoke=6, laptop=60, gpu=80))

# %% [markdown]
# **Find out by playing:** set both sliders to 0 and find a frame in which the top proposal is not on the target. Which of the two sliders brings it back, and how far must you push it? Then push each slider to its end: what is lost?
#
# <details><summary>What to see</summary>
#
# The window brings back a proposal that is nearby; the penalty brings back one of the last size and shape. With the window at its maximum only the position counts, and the box stays where it is. With a very strong penalty the box can no longer grow.
# </details>
#
# ## What changed, and how much
#
# ### Exercise 08.1 · Size with context
# {{exercise}}
#
# A thin box that rotates by a right angle keeps its area; it has not doubled in size. Sizes are therefore compared with their context included, as in the crops: with $p = (w + h)/2$,
#
# $$\mathrm{sz}(w, h) = \sqrt{(w + p)(h + p)}.$$
#
# Write `padded_size`. It is needed for arrays of widths and heights and for a single pair of numbers.
#
# <details><summary>Hint 1</summary>
#
# One step after the other: $p$, then the product of two sums, then its root.
# </details>
# <details><summary>Hint 2</summary>
#
# `+`, `*` and `np.sqrt` work for numbers and arrays alike: there is no need for a loop or an `if`.
# </details>


# %% exercise="choose.padded_size" points=2 stars=1 minutes=3
@exercise("choose.padded_size")
def padded_size(w, h):
    """Sizes of boxes, context included.

    Args:
        w, h: arrays (N,) or numbers, pixels.

    Returns:
        array (N,), pixels.
    """
    ### BEGIN SOLUTION
    p = (w + h) / 2
    return np.sqrt((w + p) * (h + p))
    ### END SOLUTION


# %% [markdown]
# ### Exercise 08.2 · Change
# {{exercise}}
#
# Twice as large and half as large are the same amount of change: $\mathrm{change}(q) = \max(q, 1/q)$, which is at least 1.
#
# Write `change`, for N ratios at once.
#
# <details><summary>Hint 1</summary>
#
# What are $q$ and $1/q$ for something that doubled? And for something that halved?
# </details>
# <details><summary>Hint 2</summary>
#
# `max` and `np.max` look for one largest number of all. `np.maximum` compares two arrays element by element.
# </details>


# %% exercise="choose.change" points=2 stars=1 minutes=3
@exercise("choose.change")
def change(ratio):
    """How much something changed, in either direction.

    Args:
        ratio: array (N,), new value / old value.

    Returns:
        array (N,), at least 1.
    """
    ### BEGIN SOLUTION
    ratio = np.asarray(ratio, dtype=float)
    return np.maximum(ratio, 1 / ratio)
    ### END SOLUTION


# %% [markdown]
# ### Exercise 08.3 · The penalty
# {{exercise}}
#
# Targets change slowly from one frame to the next. Let $r$ be the change of the ratio $w/h$ and $s$ the change of the padded size, each from the last size to the proposal's; each proposal's score is then multiplied by
#
# $$\exp\bigl(-(r \cdot s - 1)\,k\bigr).$$
#
# The lecture prints $\exp(k \cdot r \cdot s)$. Before you write any code: what would that reward?
#
# Write `change_penalty` with your two functions from above.
#
# <details><summary>Hint 1</summary>
#
# `boxes[:, 2]` and `boxes[:, 3]` are the proposals' widths and heights; `size` holds the last width and height.
# </details>
# <details><summary>Hint 2</summary>
#
# Two ratios, each of the new value over the last one: of $w/h$, and of the padded size. Both go through `change` before they are multiplied.
# </details>


# %% exercise="choose.penalty" points=5 stars=2 minutes=8
@exercise("choose.penalty")
def change_penalty(boxes, size, strength):
    """Factors on the proposals' scores.

    Args:
        boxes: array (A, 4), x, y, w, h in search pixels.
        size: array (2,), the target's last width and height, in the same pixels.
        strength: k.

    Returns:
        array (A,) in 0 … 1; 1 for a box of the last size and shape.
    """
    ### BEGIN SOLUTION
    w, h = boxes[:, 2], boxes[:, 3]
    s = change(padded_size(w, h) / padded_size(*size))  # (A,)
    r = change((size[0] / size[1]) / (w / h))  # (A,)
    return np.exp(-(r * s - 1) * strength)
    ### END SOLUTION


# %%
factors = np.linspace(0.5, 2, 61)
figure, axes = plots.new_figure(width=8.5, height=3.0, columns=2)
grid = np.array([[0, 0, 64 * wide, 64 * high] for high in factors for wide in factors])
for ax, k in zip(axes[0], (0.04, 0.22), strict=True):
    values = change_penalty(grid, np.array([64.0, 64.0]), k).reshape(61, 61)
    image = ax.imshow(values, extent=(0.5, 2, 2, 0.5), cmap=plots.MAP, vmin=0, vmax=1)
    ax.set(xlabel="width / last width", ylabel="height / last height", title=f"k = {k}")
figure.colorbar(image, ax=list(axes[0]), label="factor on the score")
words = "The penalty for changes of width and height, with the k that the public code uses on VOT, 0.04, and on OTB, 0.22: the second falls off much faster."
plots.show(figure, alt=words)

# %% [markdown]
# ### Exercise 08.4 · Near the last place
# {{exercise}}
#
# Next comes the window, as in lesson 06, with one difference: it is not normalised. Its peak is 1, the highest score possible.
#
# $$(1 - \lambda)\cdot \mathrm{penalty} \cdot \mathrm{score} + \lambda \cdot \mathrm{window}.$$
#
# Write `rerank`; neither the scores nor the window are normalised in it.
#
# <details><summary>Hint 1</summary>
#
# All three are arrays (A,), one number per anchor.
# </details>
# <details><summary>Hint 2</summary>
#
# The penalised score is a product. Blend it with the window by two weights that add up to 1.
# </details>


# %% exercise="choose.rerank" points=3 stars=1 minutes=4
@exercise("choose.rerank")
def rerank(scores, penalties, window, influence):
    """The ranking by which the best proposal is chosen.

    Args:
        scores, penalties, window: arrays (A,); influence: λ, 0 … 1.

    Returns:
        array (A,).
    """
    ### BEGIN SOLUTION
    return (1 - influence) * penalties * scores + influence * window
    ### END SOLUTION


# %% [markdown]
# ### Exercise 08.5 · Not too fast
# {{exercise}}
#
# The position is taken directly from the best proposal. The size only moves towards the proposal's, and the more certain the proposal, the further: by the fraction *certainty · rate*, where the certainty is the proposal's penalty · score. The last size keeps the rest of the weight.
#
# Write `smooth_size`.
#
# <details><summary>Hint 1</summary>
#
# The fraction first. What is it for a proposal of certainty 1, and what for one of certainty 0.1?
# </details>
# <details><summary>Hint 2</summary>
#
# A fraction of 0 must leave the last size as it is, a fraction of 1 must return the new one.
# </details>


# %% exercise="choose.smooth" points=3 stars=1 minutes=4
@exercise("choose.smooth")
def smooth_size(last, found, certainty, rate):
    """The target's next size.

    Args:
        last, found: arrays (2,), width and height; certainty: penalty · score; rate: 0 … 1.

    Returns:
        array (2,).
    """
    ### BEGIN SOLUTION
    fraction = certainty * rate
    return (1 - fraction) * last + fraction * found
    ### END SOLUTION


# %%
anchors = runtime.anchors(255)  # (A, 4)
hann = anchor_window(anchors)  # (A,)

# %% [markdown]
# ### Exercise 08.6 · The whole tracker
# {{exercise}}
#
# Given: `runtime.template_features(crop, 255)` computes the template features of the exemplar crop (127, 127, 3); `runtime.respond(template, crops)` compares them with search crops (1, 255, 255, 3) and returns an array (1, A, 5): the score and the four offsets of each anchor. `anchors` are the anchors' boxes, `hann` is the window at their centres. Settings: penalty 0.16, window 0.40, rate 0.30.
#
# Write `MySiamRPN`:
#
# 1. `init` keeps the centre, the size and the frame's mean colour. The exemplar crop is the square of side `context_side(size)` around the target, shown at 127 pixels; keep its template features. They are never updated.
# 2. `update` cuts the search crop around the last centre, with the side `context_side(size)` · 255 / 127 of the *current* size, shown at 255 pixels; nothing is rounded. Beyond the frame, both crops have the mean colour of the first frame.
# 3. Decode all proposals. The penalty compares them, in search pixels, with the last size in the same pixels. The best is the first in the ranking of 08.4.
# 4. The centre is that of the best proposal, brought to the frame; keep it inside the frame.
# 5. The size is smoothed as in 08.5; keep it between 10 pixels and the size of the frame.
# 6. Return the box with this centre and this size.
#
# The check runs your tracker on six short clips. In place of the network it puts one whose proposals differ more from each other, so that every step shows.
#
# <details><summary>Hint 1</summary>
#
# A crop is `CropWindow(cx, cy, side, pixels).cut(frame, colour)`, with the centre and the side in frame pixels; `cv2.mean(frame)[:3]` is the mean colour. Keep everything that `update` needs in `self`.
# </details>
# <details><summary>Hint 2</summary>
#
# The first column of an answer is the score, the other four are offsets for `decode`. `window.scale` is the number of search pixels in a frame pixel, and `window.box_to_frame` brings a box back. `np.clip` keeps numbers inside limits.
# </details>


# %% exercise="choose.tracker" points=10 stars=3 minutes=20
@exercise("choose.tracker")
class MySiamRPN:
    """SiamRPN's tracker."""

    name = "my-siamrpn"

    def init(self, frame, box):
        """Store the target in `frame` (H, W, 3) at `box` (4,), x, y, w, h in pixels."""
        ### BEGIN SOLUTION
        box = np.asarray(box, dtype=float)
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:].copy()
        self.colour = cv2.mean(frame)[:3]
        crop = CropWindow(*self.centre, float(context_side(self.size)), 127).cut(
            frame, self.colour
        )
        self.template = runtime.template_features(crop, 255)
        ### END SOLUTION

    def update(self, frame):
        """The target's box (4,) in the next `frame` (H, W, 3)."""
        ### BEGIN SOLUTION
        side = float(context_side(self.size)) * 255 / 127
        window = CropWindow(*self.centre, side, 255)
        crop = window.cut(frame, self.colour)  # (255, 255, 3)
        answer = runtime.respond(self.template, crop[None])[0]  # (A, 5)
        boxes = decode(answer[:, 1:], anchors)  # (A, 4) search pixels
        penalties = change_penalty(boxes, self.size * window.scale, 0.16)  # (A,)
        best = int(np.argmax(rerank(answer[:, 0], penalties, hann, 0.40)))
        found = window.box_to_frame(boxes[best])  # (4,) frame pixels
        limit = np.array(frame.shape[1::-1])
        self.centre = np.clip(found[:2] + found[2:] / 2, 0, limit)
        certainty = penalties[best] * answer[best, 0]
        self.size = np.clip(smooth_size(self.size, found[2:], certainty, 0.30), 10, limit)
        return np.concatenate([self.centre - self.size / 2, self.size])
        ### END SOLUTION


# %% [markdown]
# Your tracker at work on a target that rotates:

# %%
subject = sequences["gen-14-turning-scale"].loaded(by_profile(smoke=8, laptop=None, gpu=None))
boxes = track(MySiamRPN(), subject).boxes
figure, axes = plots.new_figure(width=9, height=2.4, columns=4)
for ax, t in zip(axes[0], np.linspace(0, len(subject) - 1, 4).astype(int), strict=True):
    plots.show_frame(ax, subject.frames[t], f"frame {t}")
    plots.draw_box(ax, subject.boxes[t])
    plots.draw_box(ax, boxes[t], colour=plots.PREDICTION, style="--")
overlap = np.nanmean(iou(boxes, subject.boxes))
words = f"Four frames of a clip in which the target rotates, with its true box and the tracker's; mean IoU {overlap:.2f}."
plots.show(figure, alt=words)
print(f"mean IoU {overlap:.2f}")

# %% [markdown]
# ## Experiment: against SiamFC
#
# Success, precision and speed of the SiamFC and the SiamRPN that ship with the course, on generated clips. SiamFC searches every frame at three scales, SiamRPN only once. **Predict:** which is faster, and which is better?

# %%
step, length = by_profile(smoke=12, laptop=3, gpu=1), by_profile(smoke=8, laptop=None, gpu=None)
chosen = sequences.loaded(step, length)
results = {
    n: {c.name: track(make_tracker(n), c) for c in chosen} for n in ("siamrpn", "siamfc")
}
report = Report.from_results(chosen, results)
plots.show(*success_and_precision(report))
show_table(report.overall(), "The same in numbers", ["auc", "precision20", "fps"])

# %% [markdown]
# The two networks differ in size and in the pairs they were trained on (their cards say how), so this compares trackers, not ideas. Lesson 09 compares the ideas: same backbone, same pairs, same number of steps.
#
# ## Experiment: how much is tuning?
#
# These are the published settings of trackers that all use the formulas you have just written:

# %%
paper = read_measured(RESULTS / "siamrpn_published.json")
show_table(paper["settings"], "Published settings", ["model", "penalty", "window", "rate"])
penalties = [row["penalty"] for row in paper["settings"]]
print(f"the largest penalty is {max(penalties) / min(penalties):.0f} times the smallest")

# %% [markdown]
# The same network has different settings on different benchmarks: they were tuned *on* each benchmark. Run a search yourself, with a library made for this (Optuna), on generated clips only: data that a search has seen is no longer a test. Half of the clips are for the search, the other half is the test. **Predict:** how much will the tuned settings gain on each half?

# %%
from functools import partial

from course_lib.evaluation.tuning import mean_auc, search_settings

space = {"penalty": (0.0, 0.9), "window": (0.0, 0.6), "rate": (0.05, 0.8)}
start = {"penalty": 0.16, "window": 0.40, "rate": 0.30}
every = by_profile(smoke=12, laptop=4, gpu=2)
length = by_profile(smoke=4, laptop=40, gpu=None)
seen, unseen = ([c.loaded(length) for c in sequences[k::every]] for k in (0, 1))
make = partial(make_tracker, "siamrpn")
trials = search_settings(make, seen, space, by_profile(smoke=3, laptop=15, gpu=60), start=start)
best = max(trials, key=lambda t: t.auc)
after = mean_auc(lambda: make(**best.settings), unseen)
before = mean_auc(lambda: make(**start), unseen)
figure, axes = plots.new_figure(width=8.5, height=2.8, columns=2)
found = [t.auc for t in trials]
axes[0, 0].plot(found, "o", color=plots.NEUTRAL, label="trial")
axes[0, 0].plot(np.maximum.accumulate(found), color=plots.EXEMPLAR, label="best so far")
axes[0, 0].set(xlabel="trial", ylabel="AUC on the search half")
axes[0, 0].legend(fontsize=8)
settings = ["published", "tuned"]
gains = {"search half": (found[0], best.auc), "test half": (before, after)}
plots.draw_lines(axes[0, 1], gains, settings, True, xlim=(-0.2, 1.2), ylabel="AUC")
said = f"on the search half {trials[0].auc:.3f} → {best.auc:.3f}, on the test half {before:.3f} → {after:.3f}"
words = f"AUC of {len(trials)} settings tried, and of the published settings against the best: {said}."
plots.show(figure, alt=words)
print("best:", {name: round(value, 2) for name, value in best.settings.items()})
print(said)

# %% [markdown]
# On the search half there is always a gain, or at worst none: a search cannot lose. Whatever remains of it on the test half was learned about tracking; the rest was learned about these particular clips. A published number whose settings were tuned on its own test set contains both.
#
# SiamRPN++, retrained with its own public code and *with* such a search, reached an AUC of 0.661 on OTB-2015; the paper reports 0.696.
#
# ## Real video
#
# The 22 real targets of OTB and VOT-2014, none of which was used for training or tuning.

# %%
deep = read_measured(RESULTS / "siamrpn_real_sequences.json")
report = Report.from_dict(deep)
rows = {name: {**row, **deep["split"][name]} for name, row in report.overall().items()}
split = {"right_size": "AUC, true size", "right_place": "AUC, true position"}
heads = {"auc": "AUC", "precision20": "precision", "fps": "frames/s", **split}
show_table(rows, "22 real targets", heads)
print(f"SiamRPN: {measured_words(deep)}; weights: {deep['weights']}")
show_table(paper["otb2015"], "OTB-2015, published", ["tracker", "auc", "precision20"])

# %%
figure, axes = plots.new_figure(width=8.5, height=3.2, columns=2)
listing = draw_curves(axes[0, 0], report)
axes[0, 0].set_title("22 real targets")
for row in paper["vot2018"]:
    ours = row["tracker"].startswith(("SiamRPN", "DaSiamRPN"))
    place = row["robustness"], row["eao"]
    axes[0, 1].plot(*place, "o", color=plots.PREDICTION if ours else plots.NEUTRAL)
    if ours:
        axes[0, 1].text(*place, f"{row['tracker']}  ", fontsize=8, ha="right", va="center")
axes[0, 1].set(xlabel="robustness (lower is better)", ylabel="EAO")
axes[0, 1].set_title("VOT-2018, published")
words = f"Left: success on 22 real targets: {listing}. Right: EAO against robustness of 13 trackers on VOT-2018; SiamRPN++ has the highest EAO, 0.414."
plots.show(figure, alt=words)

# %% [markdown]
# The last two columns of the first table show where success is lost: what the AUC would be if each box kept its position but had the true size, and the other way round. If the true size helps a tracker most, its network knows where the target is, but not how large.
#
# Why is ours so far below the paper's? It is a small network, trained on a CPU with some tens of thousands of pairs made from twenty videos and a few hundred photographs. With the same videos and photographs, SiamFC is ahead. `recipes/train_siamrpn_gpu.yaml` trains the paper's network on a GPU.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Why is the position used directly, while the size is smoothed?
# <details><summary>Answer</summary>
#
# If the position lags, the target is at the border of the next search image. If the size lags, some overlap is lost; if it jumps, the scale of the next crop changes, and everything with it.
# </details>
#
# 2. A proposal has the same area as the last box, but is twice as wide and half as high. What is its penalty for k = 0.22?
# <details><summary>Answer</summary>
#
# The ratio changed by 4. The padded size changed too: for 64 × 64 it is 128, for 128 × 32 it is $\sqrt{208 \cdot 112} \approx 153$, so $s \approx 1.19$. $\exp(-(4 \cdot 1.19 - 1) \cdot 0.22) \approx 0.44$.
# </details>
#
# 3. Why is the window normalised in lesson 06, but not here?
# <details><summary>Answer</summary>
#
# A response has no fixed scale and had to be made comparable with the window. A score is a probability from 0 to 1, and a window with a peak of 1 has the same range.
# </details>
#
# 4. You publish an AUC of 0.70 on OTB with settings tuned on OTB. What would an honest table show beside it?
# <details><summary>Answer</summary>
#
# The same network with settings chosen elsewhere, for instance on training clips, and the number of settings tried.
# </details>
#
# 5. From lesson 06: SiamFC applies a *scale* penalty to its responses. Which formula of this lesson replaces it?
# <details><summary>Answer</summary>
#
# The penalty for change, which covers any change of size or shape instead of three fixed scales.
# </details>
#
# ## Classic mistakes
#
# * **exp(k·r·s)**, as on the lecture's slide: the wildest proposal wins.
# * **Sizes in two units.** Proposals are in search pixels, the target's size in frame pixels; convert before the penalty compares them.
# * **A smoothed centre.** The tracker lags behind everything that moves.
# * **Tuning on the test clips.** See above.
#
# ## Read next
#
# * `course_lib/trackers/siamrpn.py`: the same tracker for every proposal network.
# * Lesson 09: four ways to match.
