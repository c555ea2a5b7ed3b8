# ---
# jupyter:
#   course: {run: [0, 4]}
# ---

# %% [markdown]
# # 07 · SiamRPN: proposals
#
# | | |
# |---|---|
# | **You will be able to** | place anchors of several shapes, encode a box against them, decide which anchors count, and train a network that predicts boxes |
# | **You need** | lessons 04 and 05 |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Li et al., *High performance visual tracking with Siamese region proposal network* (CVPR 2018); the default boxes of Liu et al., *SSD* (ECCV 2016); A. Carlier's EPFL project (2019) |
# | **Words** | {{words}} |

# %%
import numpy as np
import torch
import torch.nn.functional as F

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.anchors import overlaps, place_anchors, siamrpn_anchor_sizes
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import search_window
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.widgets import AnchorExplorer

sequences = load_benchmark("generated-v1")
subject = sequences["gen-14-turning-scale"]
window = search_window(subject.boxes[6] + [9, -6, 0, 0])
search, target = window.cut(subject.frames[6]), window.box_to_crop(subject.boxes[6])

# %% [markdown]
# ## Look first
#
# {{part}}
#
# In lesson 06 the box could move and grow, but never change its shape. Here every cell of the score map holds five boxes of different shapes, the *anchors*. Choose a cell and move the thresholds. Circles are positives, dots are negatives, and crosses do not count.

# %%
AnchorExplorer(search, target)

# %% [markdown]
# **Find out by playing:** with SiamRPN's thresholds, 0.6 and 0.3, how many anchors are positives? Draw a very wide box on the left image: which shapes become positives now? Can you draw a box that has no positives at all?
#
# <details><summary>What to see</summary>
#
# Only a handful out of more than a thousand. That is the first problem of every proposal network: nearly everything is background. A box much larger or smaller than the anchors has no positives: all the network can learn from such a pair is "nothing here".
# </details>
#
# ## Shapes
#
# ### Exercise 07.1 · SSD's default boxes
# {{exercise}}
#
# SSD places boxes on maps of several resolutions. Each map has a scale $s$, and each aspect ratio $a = w/h$ defines a box of the *same area* $s^2$:
#
# $$w = s\sqrt{a}, \qquad h = s/\sqrt{a},$$
#
# plus one extra square of side $\sqrt{s\,s'}$, where $s'$ is the scale of the next map. (The lecture and the report print $h = s/a$. Compute the area and you will see that this cannot be right.)
#
# Write `default_box_sizes` for one map and any list of ratios: one box for each ratio, in their order, then the extra square. Pixels or fractions of the image, nothing is rounded.
#
# <details><summary>Hint 1</summary>
#
# `np.sqrt(ratios)` is an array; the widths and the heights take one line each.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.stack([w, h], axis=1)` has shape (K, 2); append the square's row with `np.concatenate`.
# </details>


# %% exercise="anchors.default_boxes" points=4 stars=1 minutes=6
@exercise("anchors.default_boxes")
def default_box_sizes(scale, next_scale, ratios):
    """Widths and heights of one map's default boxes.

    Args:
        scale, next_scale: s and s', in pixels or as fractions of the image.
        ratios: K numbers, width / height.

    Returns:
        array (K + 1, 2): one box per ratio, in order, then the extra square.
    """
    ### BEGIN SOLUTION
    a = np.sqrt(np.asarray(ratios, dtype=float))  # (K,)
    square = np.sqrt(scale * next_scale)
    return np.concatenate([np.stack([scale * a, scale / a], axis=1), [[square, square]]])
    ### END SOLUTION


# %% [markdown]
# ### Exercise 07.2 · SiamRPN's anchors
# {{exercise}}
#
# SiamRPN knows how large the target is in its search image: about 64 × 64 pixels, because the crop is scaled that way. One scale is therefore enough. Its five ratios are defined the *other* way round, $r = h/w$: 0.33, 0.5, 1, 2 and 3. The area is $64^2$ for each.
#
# Write `anchor_sizes` for any list of such ratios. The sizes are exact, not rounded.
#
# <details><summary>Hint 1</summary>
#
# There are two equations, $wh = 64^2$ and $h = rw$. Put the second into the first and solve for $w$.
# </details>
# <details><summary>Hint 2</summary>
#
# $h$ follows from $w$ and $r$. Put both side by side as in 07.1, one row for each anchor.
# </details>


# %% exercise="anchors.siamrpn" points=3 stars=1 minutes=4
@exercise("anchors.siamrpn")
def anchor_sizes(ratios):
    """Exact widths and heights of SiamRPN's anchors.

    Args:
        ratios: K numbers, height / width.

    Returns:
        array (K, 2), in search pixels.
    """
    ### BEGIN SOLUTION
    r = np.asarray(ratios, dtype=float)  # (K,)
    w = 64 / np.sqrt(r)
    return np.stack([w, w * r], axis=1)
    ### END SOLUTION


# %% [markdown]
# The public code works at one eighth of this size and truncates to whole numbers twice, before and after multiplying by the ratio. So it was trained with these anchors:

# %%
ratios = (0.33, 0.5, 1.0, 2.0, 3.0)
exact, truncated = anchor_sizes(ratios), siamrpn_anchor_sizes(ratios, truncated=True)
rows = [
    {
        "h / w": r,
        **{"exact": f"{w:.0f} × {h:.0f}", "area": round(w * h)},
        **{
            "public code": f"{tw:.0f} × {th:.0f}",
            "its area": round(tw * th),
            "its h / w": th / tw,
        },
    }
    for r, (w, h), (tw, th) in zip(ratios, exact, truncated, strict=True)
]
show_table(rows, "SiamRPN's anchors, in pixels", formats=".2f")
figure, axes = plots.new_figure(width=7, height=3, columns=2)
for ax, sizes, title in zip(axes[0], (exact, truncated), ("exact", "public code"), strict=True):
    for k, (w, h) in enumerate(sizes):
        plots.draw_box(ax, (-w / 2, -h / 2, w, h), plots.CYCLE[k])
    ax.set(xlim=(-64, 64), ylim=(64, -64), aspect="equal", title=title, xlabel="pixels")
words = "Five anchors of equal area, and the public code's five, whose areas differ by up to a quarter."
plots.show(figure, alt=words)

# %% [markdown]
# This does no harm as long as training and tracking use the same anchors, but weights trained with one set and run with the other are off by several pixels. The course uses the exact anchors.
#
# ## From boxes to offsets, and back
#
# ### Exercise 07.3 · Encode
# {{exercise}}
#
# A network should not predict pixels. It predicts how the box differs from the anchor, measured in anchor sizes:
#
# $$d_x = \frac{c_x - c_x^a}{w^a},\quad d_y = \frac{c_y - c_y^a}{h^a},\quad d_w = \log\frac{w}{w^a},\quad d_h = \log\frac{h}{h^a}.$$
#
# In this course a box is $(x, y, w, h)$ with its top-left corner at $(x, y)$; $c_x$ and $c_y$ are its *centre*. The logarithm is the natural one.
#
# Write `encode` for N boxes and as many anchors, the offsets in the order dx, dy, dw, dh.
#
# <details><summary>Hint 1</summary>
#
# The centres first: of each box the corner, columns 0 and 1, and half of the size, columns 2 and 3.
# </details>
# <details><summary>Hint 2</summary>
#
# Compute both pairs as arrays (N, 2) and join them with `np.concatenate([...], axis=1)`.
# </details>


# %% exercise="anchors.encode" points=5 stars=2 minutes=8
@exercise("anchors.encode")
def encode(boxes, anchors):
    """Offsets of boxes relative to anchors.

    Args:
        boxes, anchors: arrays (N, 4), x, y, w, h in pixels, paired row by row.

    Returns:
        array (N, 4): dx, dy, dw, dh, dimensionless.
    """
    ### BEGIN SOLUTION
    centres = boxes[:, :2] + boxes[:, 2:] / 2  # (N, 2)
    anchor_centres = anchors[:, :2] + anchors[:, 2:] / 2  # (N, 2)
    growth = np.log(boxes[:, 2:] / anchors[:, 2:])  # (N, 2)
    return np.concatenate([(centres - anchor_centres) / anchors[:, 2:], growth], axis=1)
    ### END SOLUTION


# %% [markdown]
# ### Exercise 07.4 · Decode
# {{exercise}}
#
# A tracker needs the way back: the network answers with offsets, and what we want is a box. Write `decode`, the inverse of `encode`: `decode(encode(b, a), a)` is `b` again.
#
# <details><summary>Hint 1</summary>
#
# The size first: solve $d_w = \log(w / w^a)$ for $w$.
# </details>
# <details><summary>Hint 2</summary>
#
# Then the centre, then corner = centre − size / 2, with the *new* size.
# </details>


# %% exercise="anchors.decode" points=4 stars=2 minutes=6
@exercise("anchors.decode")
def decode(offsets, anchors):
    """Boxes at the given offsets from anchors.

    Args:
        offsets: array (N, 4): dx, dy, dw, dh; anchors: array (N, 4).

    Returns:
        array (N, 4): x, y, w, h in pixels.
    """
    ### BEGIN SOLUTION
    size = anchors[:, 2:] * np.exp(offsets[:, 2:])  # (N, 2)
    centre = anchors[:, :2] + anchors[:, 2:] / 2 + offsets[:, :2] * anchors[:, 2:]  # (N, 2)
    return np.concatenate([centre - size / 2, size], axis=1)
    ### END SOLUTION


# %% [markdown]
# ## Which anchors count
#
# ### Exercise 07.5 · Two thresholds
# {{exercise}}
#
# An anchor whose IoU with the target is above `high` is a positive (1); one below `low` is a negative (0). Anything in between is neither: labelling it one or the other would teach a boundary that does not exist. It gets −1 and does not count, and so does an anchor whose IoU is exactly `high` or `low`. A pair may have no positive at all.
#
# Write `match`, with labels that are whole numbers.
#
# <details><summary>Hint 1</summary>
#
# Start with −1 everywhere: `torch.full(overlap.shape, -1)`.
# </details>
# <details><summary>Hint 2</summary>
#
# Then two assignments to the places where a condition holds, `labels[condition] = …`, one for each threshold.
# </details>


# %% exercise="anchors.match" points=3 stars=1 minutes=4
@exercise("anchors.match")
def match(overlap, high, low):
    """Labels of anchors.

    Args:
        overlap: tensor (B, A), IoU of each pair's target with every anchor.
        high, low: thresholds; positives lie above the first, negatives below the second.

    Returns:
        tensor (B, A) of 1, 0 and -1, int64.
    """
    ### BEGIN SOLUTION
    labels = torch.full(overlap.shape, -1)
    labels[overlap > high] = 1
    labels[overlap < low] = 0
    return labels
    ### END SOLUTION


# %%
anchors = torch.from_numpy(place_anchors(anchor_sizes(ratios), 17, 8, 127.5).reshape(-1, 4))
overlap = overlaps(anchors, torch.from_numpy(target[None]))
labels = match(overlap, 0.6, 0.3)
print(
    f"{labels.numel()} anchors: {int((labels == 1).sum())} positive, {int((labels == 0).sum())} negative, {int((labels == -1).sum())} not counted"
)

# %% [markdown]
# ## Balance
#
# {{part}}
#
# This is a good place for a break: the first part was about boxes, the second is about learning them.
#
# A few positives face a thousand negatives, most of them easy. If all counted equally, "nothing anywhere" would be an excellent answer. There are two ways out, and you will write both.
#
# ### Exercise 07.6 · Sixteen of sixty-four
# {{exercise}}
#
# SiamRPN samples at random: at most 16 positives and 48 negatives of each pair count. The random numbers are given in `draws`, so that the choice can be repeated: of each pair's positives, and of its negatives, keep those with the highest numbers. All others become −1. Where there are fewer than 16 positives, all of them are kept, and no negative takes their place: 48 is the limit.
#
# Write `draw_anchors`. Every pair has more than 48 anchors.
#
# <details><summary>Hint 1</summary>
#
# For each label, take the draws of the anchors that have it and −1 for all others, then use `topk`.
# </details>
# <details><summary>Hint 2</summary>
#
# `topk` returns numbers and their places. A number of −1 says that no anchor of this label was left: that place must keep what it has.
# </details>


# %% exercise="anchors.draw" points=6 stars=3 minutes=12
@exercise("anchors.draw")
def draw_anchors(labels, draws):
    """Labels with at most 16 ones and 48 zeros kept per pair.

    Args:
        labels: tensor (B, A) of 1, 0, -1; draws: tensor (B, A), uniform random in 0 … 1.

    Returns:
        tensor (B, A): the labels kept, -1 everywhere else.
    """
    ### BEGIN SOLUTION
    kept = torch.full_like(labels, -1)
    for label, most in ((1, 16), (0, 48)):
        # (B, most)
        values, index = torch.where(labels == label, draws, -1.0).topk(most, dim=1)
        chosen = torch.where(values >= 0, label, kept.gather(1, index))
        kept = kept.scatter(1, index, chosen)
    return kept
    ### END SOLUTION


# %% [markdown]
# ### Exercise 07.7 · The hardest three
# {{exercise}}
#
# SSD, and the EPFL project with it, looks for the negatives that hurt (*hard negative mining*): three negatives count for each positive, those with the largest losses, and at least 10 per pair (all of them, where there are not so many). Among equal losses any may be taken, but no more than that number. The positives stay, and so does every −1.
#
# Write `hardest_negatives`.
#
# <details><summary>Hint 1</summary>
#
# Sort the losses of the negatives; first set all others to −∞, so that they come last.
# </details>
# <details><summary>Hint 2</summary>
#
# The rank of each anchor is `order.argsort(dim=1)`, where `order = losses.argsort(dim=1, descending=True)`.
# </details>


# %% exercise="anchors.mine" points=5 stars=3 minutes=10
@exercise("anchors.mine")
def hardest_negatives(losses, labels):
    """Labels with only the hardest zeros kept: three for each 1 of the pair, at least 10.

    Args:
        losses: tensor (B, A), each anchor's cross-entropy; labels: tensor (B, A) of 1, 0, -1.

    Returns:
        tensor (B, A): `labels` with the easier zeros set to -1.
    """
    ### BEGIN SOLUTION
    negative = labels == 0  # (B, A)
    count = (3 * (labels == 1).sum(1)).clamp_min(10)  # (B,)
    order = torch.where(negative, losses, -torch.inf).argsort(dim=1, descending=True)
    rank = order.argsort(dim=1)  # (B, A), 0 for the largest loss
    return torch.where(negative & (rank >= count[:, None]), -1, labels)
    ### END SOLUTION


# %% [markdown]
# Here is the same pair with the anchors that count under each rule. The losses imitate a network that is most certain in the upper left half of the image:

# %%
draws = torch.rand(labels.shape, generator=torch.Generator().manual_seed(4))
centres = (anchors[:, :2] + anchors[:, 2:] / 2).numpy()
losses = torch.from_numpy(centres.sum(1))[None] / 510 + 0.3 * draws
rules = {
    "all": labels,
    "16 of 64": draw_anchors(labels, draws),
    "three hardest": hardest_negatives(losses, labels),
}
figure, axes = plots.new_figure(width=9, height=3.2, columns=3)
said = []
for ax, (name, kept) in zip(axes[0], rules.items(), strict=True):
    plots.show_frame(ax, 255 - (255 - search) // 3, name)
    for label, colour, size in ((0, plots.NEUTRAL, 8), (1, plots.EXEMPLAR, 16)):
        ax.scatter(*(centres[(kept[0] == label).numpy()] - 0.5).T, s=size, color=colour)
    plots.draw_box(ax, target)
    said.append(f"{name}: {(kept == 1).sum()} positives, {(kept == 0).sum()} negatives")
said = "; ".join(said)
plots.show(figure, alt=f"The anchors that count in one pair under three rules. {said}.")
print(said)

# %% [markdown]
# ## The loss
#
# ### Exercise 07.8 · Two questions, one number
# {{exercise}}
#
# Every anchor answers two questions: target or not (two logits, cross-entropy), and where exactly (four offsets, smooth L1). SiamRPN's loss for one pair:
#
# $$L = \tfrac12\,\overline{\mathrm{CE}}_{+} + \tfrac12\,\overline{\mathrm{CE}}_{-} + \lambda\;\overline{\textstyle\sum_{j=1}^4 \mathrm{smooth}(d_j - d_j^*)}_{+},$$
#
# where the bars are means over the positives (+) or the negatives (−), and $\mathrm{smooth}(t) = t^2/2$ for $|t| < 1$, $|t| - \tfrac12$ beyond. If there are no positives, their terms are 0. Anchors labelled −1 count nowhere. The first logit is for label 0, something else, the second for label 1, the target.
#
# Write `proposal_loss` for a batch of a single pair. It is learned from: gradients must reach the logits and the offsets.
#
# <details><summary>Hint 1</summary>
#
# `F.cross_entropy(…, reduction="none")` returns one number for each anchor. It refuses −1: give it 0 there, and leave these anchors out of both means.
# </details>
# <details><summary>Hint 2</summary>
#
# The mean of an empty set is NaN: divide a sum by the count, and by 1 if that is 0. `F.smooth_l1_loss(…, reduction="none")` has shape (1, A, 4): first the sum over the four, then the mean over the positives.
# </details>


# %% exercise="anchors.loss" points=8 stars=3 minutes=15
@exercise("anchors.loss")
def proposal_loss(logits, offsets, labels, targets, weight):
    """SiamRPN's loss for one pair.

    Args:
        logits: tensor (1, A, 2); offsets: tensor (1, A, 4): the network's outputs.
        labels: tensor (1, A) of 1, 0, -1; targets: tensor (1, A, 4), the true offsets.
        weight: λ of the box loss.

    Returns:
        tensor ().
    """
    ### BEGIN SOLUTION
    each = F.cross_entropy(logits[0], labels[0].clamp_min(0), reduction="none")  # (A,)
    cost = F.smooth_l1_loss(offsets, targets, reduction="none")[0].sum(1)  # (A,)

    def mean(values, chosen):
        return torch.where(chosen, values, 0.0).sum() / chosen.sum().clamp_min(1)

    positive, negative = labels[0] == 1, labels[0] == 0
    return (
        0.5 * mean(each, positive) + 0.5 * mean(each, negative) + weight * mean(cost, positive)
    )
    ### END SOLUTION


# %% [markdown]
# Smooth L1 needs a second look. Positives have an IoU above 0.6, so their offsets are small, mostly below 0.3. There smooth L1 is a parabola with hardly any slope:

# %%
offsets_of_positives = encode(
    np.repeat(target[None], int((labels == 1).sum()), 0), anchors[labels[0] == 1].numpy()
)
most = float(np.abs(offsets_of_positives).max())
d = np.linspace(0, 1.5, 200)
losses = {  # value and slope
    "|d|": (d, np.ones_like(d)),
    "smooth L1": (np.where(d < 1, d**2 / 2, d - 0.5), np.minimum(d, 1)),
    "smooth L1 of d / 0.2": (
        np.where(d < 0.2, (5 * d) ** 2 / 2, 5 * d - 0.5),
        5 * np.minimum(5 * d, 1),
    ),
}
figure, axes = plots.new_figure(width=7.5, height=2.7, columns=2)
for k, (ax, title) in enumerate(zip(axes[0], ("loss", "its slope"), strict=True)):
    lines = {name: of[k] for name, of in losses.items()}
    plots.draw_lines(ax, lines, d, xlabel="|d|, error of an offset", title=title)
    ax.axvspan(0, most, color=plots.NEUTRAL, alpha=0.15)
axes[0, 0].set_ylim(0, 3)
words = f"Three losses for the error of an offset, and their slopes. The offsets of this pair's positives, at most {most:.2f}, lie where smooth L1 is nearly flat."
plots.show(figure, alt=words)

# %% [markdown]
# Two remedies are in use. SSD divides its offsets by *variances*, 0.1 for positions and 0.2 for sizes, before comparing them, which brings them to the order of 1. The public re-implementations of SiamRPN use plain $|d|$, and so do the course's recipes; the setting is `proposals.smooth`.
#
# ## Up-channel correlation
#
# SiamFC's correlation produces one map. Now we need $2k$ maps for the scores and $4k$ for the offsets, with $k = 5$. SiamRPN lets the exemplar *become the last layer of the network*: a convolution turns $\varphi(z)$, C channels of 6 × 6, into $2k$ kernels of $C \times 4 \times 4$; these slide over $\varphi(x)$. The exemplar branch predicts the weights of a detector for just this object. After the first frame they are constant.
#
# ### Exercise 07.9 · Every pair its own layer
# {{exercise}}
#
# In a batch, every pair has its own kernels. As in lesson 04, the batch becomes groups of channels.
#
# Write `cross_correlate_channels`, for kernels and features of any size. Gradients must reach both.
#
# <details><summary>Hint 1</summary>
#
# One image with B · C channels, in B groups. Which shape must the kernels have, so that group b holds the n kernels of pair b?
# </details>
# <details><summary>Hint 2</summary>
#
# `kernels.flatten(0, 1)` keeps the n kernels of a pair together; reshape the result from (1, B·n, …) to (B, n, …).
# </details>


# %% exercise="anchors.upchannel" points=6 stars=2 minutes=10
@exercise("anchors.upchannel")
def cross_correlate_channels(kernels, x):
    """n maps for each pair.

    Args:
        kernels: tensor (B, n, C, h, w); x: tensor (B, C, H, W), search features.

    Returns:
        tensor (B, n, H - h + 1, W - w + 1).
    """
    ### BEGIN SOLUTION
    B, n = kernels.shape[:2]
    C, H, W = x.shape[1:]
    # (1, B·n, H', W')
    maps = F.conv2d(x.reshape(1, B * C, H, W), kernels.flatten(0, 1), groups=B)
    return maps.reshape(B, n, *maps.shape[2:])
    ### END SOLUTION


# %% [markdown]
# The whole network, at the paper's size, and what it costs:

# %%
from course_lib.models.siamrpn import SiamRPN

rows = {}
for head in ("upchannel", "depthwise"):
    network = SiamRPN(head)
    rows[head] = {
        f"{part}, M": sum(p.numel() for p in getattr(network, part).parameters()) / 1e6
        for part in ("backbone", "head")
    }
    rows[head] |= {f"map at {size}": network.cells(size) for size in (255, 271)}
show_table(
    rows, "Millions of weights, and cells per side of the map", formats=".2f", first="head"
)

# %% [markdown]
# Nearly four fifths of SiamRPN's weights are in the two layers that make the kernels. Lesson 09 shows what SiamRPN++ does about this.
#
# ## Experiment: train one
#
# Train a small SiamRPN from random weights on generated pairs; nothing needs to be downloaded. Validation reports three measures: `hits`, the fraction of pairs whose most probable box has an IoU above one half; `iou`, the mean IoU of that box; and `fit`, the IoU of the box from the anchor nearest to the target, which tests the offsets alone. **Predict:** which of the three rises first?

# %%
from course_lib.training.brief import train_recipe

changed = by_profile(
    smoke={"steps": 6, "validate_every": 3, "validation_pairs": 16, "widths": [8] * 5},
    laptop={},
    gpu={"steps": 3000, "batch": 64, "workers": 8},
)
rows = train_recipe("train_siamrpn_lesson", changed).progress.validation
centre = np.array([95.5, 95.5, 64, 64])
away = np.random.default_rng(0).uniform(-64, 64, (2000, 2))
chance_level = iou(centre + np.pad(away, ((0, 0), (0, 2))), centre).mean()
steps = [row["step"] for row in rows]
curves = {name: [row[name] for row in rows] for name in ("loss", "hits", "iou", "fit")}
last = ", ".join(f"{name} {values[-1]:.2f}" for name, values in curves.items())
figure, ((left, right),) = plots.new_figure(width=8.5, height=2.8, columns=2)
plots.draw_lines(left, {"validation loss": curves.pop("loss")}, steps, True, xlabel="step")
anywhere = "IoU of an average anchor, placed anywhere"
right.axhline(chance_level, color=plots.NEUTRAL, linestyle=":", label=anywhere)
plots.draw_lines(right, curves, steps, True, xlabel="step", title="validation", ylim=(0, 1))
words = f"Validation loss and three measures of a small SiamRPN over {steps[-1]} steps; at the end {last}."
plots.show(figure, alt=words)
print(f"after {steps[-1]} steps: {last}; an average anchor placed anywhere: {chance_level:.2f}")

# %% [markdown]
# ## Boxes that change their shape
#
# These two networks ship with the course. Both were measured on the 22 real targets: SiamFC with three scales, and a SiamRPN whose backbone is initialised from that SiamFC (the first three convolutions stay frozen). The clips are sorted by how much the target's aspect ratio changes.

# %%
from course_lib.models.weights import find_weights, read_card

real = read_measured(RESULTS / "siamrpn_real_sequences.json")
ratios = read_measured(RESULTS / "heads.json")["aspect_change"]  # largest ratio over smallest
order = sorted(ratios, key=ratios.get)
half = len(order) // 2
figure, axes = plots.new_figure(width=9, height=3.4)
ax, said = axes[0, 0], []
for k, name in enumerate(("siamfc-3s", "siamrpn")):
    values = [real["auc_by_sequence"][n][name] for n in order]
    label = f"{name} {real['overall'][name]['auc']:.3f}"
    ax.plot(values, "os"[k], color=plots.CYCLE[k], label=label)
    little, much = np.mean(values[:half]), np.mean(values[half:])
    said.append(
        f"{name}: AUC {little:.3f} where the ratio changes least, {much:.3f} where it changes most"
    )
ax.axvline(half - 0.5, color=plots.NEUTRAL, linewidth=0.8)
names = [f"{n} ×{ratios[n]:.1f}" for n in order]
ax.set_xticks(range(len(order)), names, rotation=70, fontsize=8)
ax.set(ylabel="success AUC", ylim=(0, 1))
ax.legend(fontsize=8)
ax.grid(alpha=0.3)
words = f"Success AUC on 22 real targets, sorted by how much the aspect ratio changes; a line separates the two halves. {'; '.join(said)}."
plots.show(figure, alt=words)
print("\n".join(said))
seen, card = [], read_card(find_weights("siamrpn"))
while card:  # each card contains the card of the weights it was initialised from
    seen.append(card["pairs"])
    card = card.get("started_from")
before = f"on a backbone that had already seen {sum(seen[1:]):,} as a SiamFC"
print(f"SiamRPN: {seen[0]:,} pairs, {before}; {measured_words(real)}")

# %% [markdown]
# Compare the two halves: the gap is smaller where shapes change. Overall SiamFC is ahead, but both had only a few videos and photographs to learn from. SiamFC has nothing to learn but φ, and its three scales are given; a proposal network has to learn what a box is. A public recipe of this family shows the network 600,000 pairs per epoch for 20 epochs; trained at that scale, SiamRPN reaches an AUC of 0.637 on OTB-2015, where SiamFC has 0.582. Lesson 08 tracks with proposals; lesson 09 compares four heads trained from random weights.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Why is a logarithm used for the sizes?
# <details><summary>Answer</summary>
#
# Twice as wide and half as wide are then equally far from 0, and no output of the network can mean a negative width.
# </details>
#
# 2. A search image is 271 × 271 pixels instead of 255 × 255. How many anchors does SiamRPN have?
# <details><summary>Answer</summary>
#
# The map has (271 − 127) / 8 + 1 = 19 cells per side: 5 · 19² = 1,805 anchors.
# </details>
#
# 3. What would happen without the third label, −1?
# <details><summary>Answer</summary>
#
# An anchor with an IoU of 0.59 would be a negative, and its neighbour with 0.61 a positive, although they look alike.
# </details>
#
# 4. Why does the classification loss average positives and negatives separately?
# <details><summary>Answer</summary>
#
# Many pairs have fewer than 16 positives; 48 negatives would outweigh them.
# </details>
#
# 5. From lesson 05: a pair shows two different objects. Which anchors count under DaSiamRPN's rule?
# <details><summary>Answer</summary>
#
# Those in the 7 × 7 cells around the wrong object, as negatives. It looks like a target but is not one: these are the most instructive negatives there are.
# </details>
#
# ## Classic mistakes
#
# * **w / h here, h / w there.** SSD's ratio is width over height, SiamRPN's height over width.
# * **Anchors that differ between training and tracking** by half a cell. Everything runs, and every box is 4 pixels off.
# * **Boxes without area** in the training set: log 0. A single one turns every weight into NaN.
# * **Smooth L1 on tiny offsets**: the slope is nearly 0 where all the positives are.
#
# ## Read next
#
# * `course_lib/geometry/anchors.py` and `course_lib/models/proposals.py`: what you wrote, for a whole batch.
# * Lesson 08: of a thousand proposals, which one is the target's box?
