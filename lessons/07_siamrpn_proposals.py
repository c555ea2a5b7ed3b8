# ---
# jupyter:
#   course: {run: [1, 1, 7]}
# ---

# %% [markdown]
# # 07 · SiamRPN: proposals
#
# | | |
# |---|---|
# | **You will be able to** | place anchors of several shapes, encode a box against them, decide which anchors count, train a network that predicts boxes, and say what its offsets are worth |
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
from course_lib.analysis.diagrams_siamrpn import siamrpn_diagram, ssd_diagram
from course_lib.data.benchmarks import load_benchmark, real_sequences
from course_lib.data.loader import batches
from course_lib.data.pairs_video import VideoPairs
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.anchors import overlaps, place_anchors, siamrpn_anchor_sizes
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import search_window
from course_lib.models.networks import build
from course_lib.models.proposals import at_anchor_size
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.weights import find_weights, load_network, read_card
from course_lib.places import RECIPES, RESULTS
from course_lib.profile import by_profile
from course_lib.recipe import load_settings
from course_lib.training.brief import train_recipe
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources
from course_lib.training.tasks import make_task
from course_lib.training.validation import VALIDATION_SEED
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
# **Find out by playing:** with the paper's thresholds, 0.6 and 0.3, how many anchors are positives? Draw a very wide box on the left image: which shapes become positives now? Can you draw a box that has no positives at all?
#
# <details><summary>What to see</summary>
#
# Only a handful out of more than a thousand. That is the first problem of every proposal network: nearly everything is background. A box much larger or smaller than the anchors has no positives: all the network can learn from such a pair is "nothing here".
# </details>
#
# ## Shapes
#
# The idea comes from object detection. SSD, the *single shot detector*, looks at an image once. It does not search for boxes of every size; it starts from boxes fixed in advance, the *default boxes*, and asks of each: what is in it, and how must it move and stretch to fit?

# %%
plots.show(*ssd_diagram())

# %% [markdown]
# {{figure ssd}} The last part of SSD, with the numbers of SiamConcatRPN, a network of lesson 09 that has the same maps. After the backbone the maps become smaller and smaller: a cell of the first one stands for a small part of the image, the single cell of the last one for all of it. At every cell of every map one convolution predicts classes and another one boxes (in the green frames: their kernels and channels). Large maps hold the default boxes for small objects, small maps those for large objects. SSD tells many classes apart; a tracker needs two, the target and anything else.
#
# ### Exercise 07.1 · SSD's default boxes
# {{exercise}}
#
# SSD places boxes on maps of several resolutions. Each map has a scale $s$, and each aspect ratio $a = w/h$ defines a box of the *same area* $s^2$:
#
# $$w = s\sqrt{a}, \qquad h = s/\sqrt{a},$$
#
# plus one extra square of side $\sqrt{s\,s'}$, where $s'$ is the scale of the next map (the lecture writes $s'_k$ for that side itself). (The EPFL lecture and report print $h = s/a$. Compute the area and you will see that this cannot be right.)
#
# Write `default_box_sizes` for one map and any list of ratios: one box for each ratio, in their order, then the extra square. The sizes may be pixels or fractions of the image; nothing is rounded.
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
# Your default boxes at one cell of an 8 × 8 map, as in SSD's own figure; here $s$ and $s'$ are 0.3 and 0.4 of the image's side:

# %%
side, cells = len(search), 8
ready = default_box_sizes(0.3 * side, 0.4 * side, (1, 2, 3, 1 / 2, 1 / 3))  # (6, 2)
placed = place_anchors(ready, cells, side / cells, side / 2)  # (6, 8, 8, 4)
figure, axes = plots.new_figure(width=4.6, height=4.8)
ax = axes[0, 0]
plots.show_frame(ax, 255 - (255 - search) // 3)
for line in np.arange(1, cells) * side / cells - 0.5:
    ax.axvline(line, color=plots.NEUTRAL, linewidth=0.4)
    ax.axhline(line, color=plots.NEUTRAL, linewidth=0.4)
centres = placed[0, ..., :2] + placed[0, ..., 2:] / 2 - 0.5  # (8, 8, 2)
ax.plot(*centres.reshape(-1, 2).T, ".", color=plots.NEUTRAL, markersize=3)
names = [f"a = {a}" for a in ("1", "2", "3", "1/2", "1/3")] + ["extra square"]
for k, box in enumerate(placed[:, 3, 4]):
    plots.draw_box(ax, box, plots.CYCLE[k], names[k], plots.LINES[k])
plots.legend_below(figure, ax)
areas = [f"{w * h / side**2:.3f}" for w, h in ready]
words = f"An image with a grid of 8 × 8 cells, a dot at the centre of each, and six default boxes around one of them. Areas, as fractions of the image: {', '.join(areas)}."
plots.show(figure, alt=words)
print(f"areas, as fractions of the image: {', '.join(areas)}")

# %% [markdown]
# {{figure default-boxes}} Your six default boxes at one cell, row 3 and column 4; the same six belong to each of the 64 dots. The first five have one area, $s^2$, and five shapes; the extra square lies between this map's square and the next map's in size.
#
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
        look = {"label": f"h / w = {ratios[k]:g}", "style": plots.LINES[k]}
        plots.draw_box(ax, (-w / 2, -h / 2, w, h), plots.CYCLE[k], **look)
    ax.set(xlim=(-64, 64), ylim=(64, -64), aspect="equal", title=title, xlabel="pixels")
plots.legend_below(figure, axes[0, 0], columns=5)
words = "Five anchors of equal area, and the public code's five, whose areas differ by up to a quarter."
plots.show(figure, alt=words)

# %% [markdown]
# {{figure anchors}} Left, your anchors: five shapes of one area. Right, those of the public code: their areas are up to a quarter smaller, and their true ratios, in the table, differ from the nominal ones. This does no harm as long as training and tracking use the same anchors, but if weights are trained with one set and run with the other, the boxes are off by several pixels. The course uses the exact anchors.
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
# The centres first: each box's corner (columns 0 and 1) plus half of its size (columns 2 and 3).
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
# An anchor whose IoU with the target is above `high` is a positive (1); one below `low` is a negative (0). Anything in between is neither: labelling it one or the other would teach a boundary that does not exist. It gets −1 and does not count; the same goes for an anchor whose IoU is exactly `high` or `low`. A pair may have no positive at all.
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
# ### Why 0.6?
#
# The paper's `high` is 0.6, the EPFL project tried 0.55 and 0.5. What depends on this number? A square target centred on a square anchor overlaps it by $1/1.29^2 = 0.6$ if its sides are 1.29 times as long, and by $0.77^2 = 0.6$ if they are 0.77 times as long. Beyond these limits the pair has no positive, so it teaches nothing about the size of its target. There are two ways out. Either a lower threshold accepts anchors that fit loosely; or each anchor is compared with the target *rescaled to the anchor's area*, so that place and shape alone decide (`any_size` in the recipes). **Predict:** which pairs have no positive at 0.6, and how many of them get one by each of the two ways out?
#
# Your `match`, on the targets of the held-out pairs of the shipped SiamRPN's recipe, in all three ways:

# %%
pairs = read_measured(RESULTS / "proposal_pairs.json")
boxes = torch.tensor(pairs["boxes"], dtype=torch.float64)  # (N, 4)
plain = overlaps(anchors, boxes)  # (N, A)
by_shape = overlaps(anchors, at_anchor_size(boxes, anchors))  # (N, A)
relative = (boxes[:, 2:].prod(1).sqrt() / 64).numpy()  # (N,) size of the target in anchors
ways = {
    "0.6": (plain, 0.6, plots.PREDICTION, "-"),
    "0.5": (plain, 0.5, plots.TRUTH, "--"),
    "0.6, by place and shape": (by_shape, 0.6, plots.EXEMPLAR, "-."),
}
figure, ((left, right),) = plots.new_figure(width=9, height=3.2, columns=2)
left.plot(relative, plain.amax(1), "o", color=plots.NEUTRAL, alpha=0.5, markersize=4)
left.set(
    xscale="log",
    xlabel="size of the target / size of an anchor",
    ylabel="IoU of the best anchor",
)
ticks = (0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5)
left.set_xticks(ticks, [f"{t:g}" for t in ticks])
left.minorticks_off()
said = []
for name, (compared, high, colour, style) in ways.items():
    found = (match(compared, high, 0.3) == 1).sum(1).numpy()  # (N,) positives of each pair
    right.hist(
        found, np.arange(0, 60, 2), histtype="step", color=colour, linestyle=style, label=name
    )
    said.append(
        f"{name}: {found.mean():.1f} positives a pair, none in {(found == 0).sum()} of {len(found)}"
    )
    if compared is plain:
        left.axhline(high, color=colour, linestyle=style, label=name)
    if name == "0.6":
        near = (relative > 0.8) & (relative < 1.25)
        said.append(
            f"   of them {((found == 0) & near).sum()} have a target of 0.8 to 1.25 times the size of an anchor"
        )
right.axvline(16, color=plots.NEUTRAL, linestyle=":", label="limit of 16")
right.set(xlabel="positives of a pair", ylabel="pairs")
for ax in (left, right):
    ax.legend(fontsize=8)
    ax.grid(alpha=0.3)
plots.show(
    figure,
    alt=f"Left: IoU of the best anchor against the size of the target, with two thresholds. Right: histogram of positives per pair in three ways. {'; '.join(said)}.",
)
print("\n".join(said))

# %% [markdown]
# {{figure thresholds}} Each dot on the left is a pair; a pair whose dot is below a line has no positive at that threshold. On the right, how many positives a pair has: at 0.5 far more than the 16 that the next exercise keeps, at 0.6 mostly fewer.
#
# <details><summary>What came of it</summary>
#
# Pairs whose target is much smaller than an anchor: every dot below 0.6 is at the left end of the left panel. (Much larger targets hardly occur in these pairs.) At 0.6 the share of pairs without a positive is larger than at 0.5 {{evidence no-positive above}}, and larger than with matching by place and shape {{evidence any-size above}}. Such a pair still teaches what is background, but nothing about the box of its target.
# </details>
#
# A tracker whose size is off by a third sees just such search images, so training should cover them. Why not 0.5, then? It recovers pairs by accepting anchors that fit loosely in place and shape too; the second way keeps the paper's 0.6 for place and shape and ignores size alone, which the offsets are there to correct. So the recipe of this lesson and `recipes/train_siamrpn_sized.yaml` have `high: 0.6, any_size: true`; lesson 08 tells what it does for a tracker. Which way trains the better network cannot be settled by counting: {{see thresholds}} does not show it, and the open task below takes it up.

# %% [markdown]
# ## Balance
#
# {{part}}
#
# This is a good place for a break: the first part was about boxes, the second is about learning them, the third about what was learned.
#
# A few positives face a thousand negatives, most of them easy. If all counted equally, "nothing anywhere" would be an excellent answer. There are two ways out, and you will write both.
#
# ### Exercise 07.6 · Sixteen of sixty-four
# {{exercise}}
#
# SiamRPN samples at random: at most 16 positives and 48 negatives of each pair count. The random numbers are given in `draws`, so that the choice can be repeated: of each pair's positives, and of its negatives, keep those with the highest numbers. All others become −1. Where there are fewer than 16 positives, all of them are kept, and no negatives fill the free places: 48 remains their limit.
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
# SSD, and the EPFL project with it, looks for the negatives that are hardest to tell from the target (*hard negative mining*): three negatives count for each positive, those with the largest losses, and at least 10 per pair (all of them if there are fewer). The minimum of ten is in the project's code; its slides say exactly three to one. Among equal losses any may be taken, but no more than that number. The positives stay, and so does every −1.
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
        at = centres[(kept[0] == label).numpy()] - 0.5
        ax.scatter(*at.T, s=size, color=colour, label=("negative", "positive")[label])
    plots.draw_box(ax, target, label="target")
    said.append(f"{name}: {(kept == 1).sum()} positives, {(kept == 0).sum()} negatives")
plots.legend_below(figure, axes[0, 0])
said = "; ".join(said)
plots.show(figure, alt=f"The anchors that count in one pair under three rules. {said}.")
print(said)

# %% [markdown]
# {{figure balance}} One pair under three rules: the positives in blue, the negatives that count in grey, and the target's box. If all count, grey dots lie nearly everywhere. Drawn at random, they are spread over the image. Chosen by loss, they lie close together at the bottom right, where the losses of the imitated network are largest. The blue dots are the same in all three, since this pair has no more than 16 positives.
#
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
# Write `proposal_loss` for a batch of a single pair. Training uses it, so gradients must reach the logits and the offsets.
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
# Smooth L1 needs a second look. Positives overlap the target well, so their offsets are small. Your `encode` says how small, for the pair above:

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
# {{figure losses}} The grey band holds all offsets of this pair's positives. In it the parabola of smooth L1 is nearly flat, and its slope, on the right, is a fraction of that of $|d|$: the smaller the error, the less is learned from it. Divided by 0.2, the slope is steeper for all, and the largest of them reach the straight part.
#
# Two remedies are in use. SSD divides its offsets by *variances*, 0.1 for positions and 0.2 for sizes, before comparing them, which brings them to the order of 1. The public re-implementations of SiamRPN use plain $|d|$, and so do the course's recipes; the setting is `proposals.smooth`.
#
# The EPFL project follows SSD, including the negatives of 07.7. Its slides give
#
# $$L = \frac1N\,(L_{\mathrm{conf}} + \alpha\,L_{\mathrm{loc}}),$$
#
# the binary cross-entropy of the anchors that count, and smooth L1 summed over the positives. On the slides everything is divided by one number $N$, whereas SiamRPN takes a separate mean over each kind; and α takes the place of λ. The course's `ssd_loss` follows the project's code, not the slides. There both terms are means: the first a weighted one, in which each negative has a weight of one third, so that three of them weigh as much as one positive; the second over the four offsets too, so it is a quarter of the sum per positive. And the offsets are divided by the variances.
#
# ## Up-channel correlation
#
# SiamFC's correlation produces one map. Now we need $2k$ maps for the scores and $4k$ for the offsets, with $k = 5$. SiamRPN lets the exemplar *become the last layer of the network*: a convolution turns $\varphi(z)$, C channels of 6 × 6, into $2k$ kernels of $C \times 4 \times 4$; these slide over $\varphi(x)$. The exemplar branch predicts the weights of a detector for just this object. After the first frame they are constant.

# %%
plots.show(*siamrpn_diagram())

# %% [markdown]
# {{figure siamrpn}} The whole network. $\varphi$ is the AlexNet of lesson 04 (without groups, and with a batch norm after conv5 too), with the same weights for both images; blue is the exemplar's path, orange the search image's. Four convolutions without padding follow, two for each branch. Those of the exemplar are *up-channel*: 256 channels become 256 · 10 and 256 · 20, read as 10 and 20 kernels. The maps that come out, in green, are 17 × 17 like SiamFC's, with $2k$ and $4k$ numbers in each cell. The last convolution, 1 × 1, lets the four offsets be scaled after the comparison.
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
# What it costs, with the head of the paper and with the one that followed a year later:

# %%
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
# One more thing has changed without being mentioned. SiamFC embeds both images with one and the same $\varphi$, so it does not matter which of them is called the exemplar: $f(z, x) = f(x, z)$. In SiamRPN the two pass through *different* convolutions before they meet, so $f(z, x)$ need not equal $f(x, z)$ any more. Here the exemplars of two held-out pairs are compared both ways (a search image of 127 pixels gives a map of a single cell):

# %%
settings = load_settings(TrainSettings, RECIPES / "train_siamrpn_lesson.yaml")
held_out = make_sources(settings)[1]
count = by_profile(smoke=16, laptop=64, gpu=64)
batch = next(batches(held_out, VALIDATION_SEED, count, 0, 1)).jittered(torch.device("cpu"))
torch.manual_seed(0)
one, other = batch.exemplar[:1], batch.exemplar[1:2]
shipped = load_network("siamrpn")
begun = build(shipped.about)  # the same backbone, a head of random weights
begun.backbone.load_state_dict(shipped.backbone.state_dict())
rows = {}
for name, network in {
    "SiamFC, shipped": load_network("siamfc"),
    "SiamRPN, its head untrained": begun,
    "SiamRPN, shipped": shipped,
}.items():
    with torch.no_grad():
        both = [network.eval()(*images) for images in ((one, other), (other, one))]
    if network.name == "siamrpn":  # of the square anchor, how much more the target than not
        both = [out.logits[0, 2, 1] - out.logits[0, 2, 0] for out in both]
    rows[name] = {"f(z, x)": float(both[0]), "f(x, z)": float(both[1])}
show_table(rows, "One comparison, both ways", formats=".4f", first="network")

# %% [markdown]
# With an untrained head SiamRPN is still symmetric: the course initialises both convolutions of the classification branch with the same projection, so that the first scores are a similarity like SiamFC's. Training changes the two independently, and that breaks the symmetry. It is a freedom, not a fault: an exemplar and a search image are not the same kind of thing.
#
# **A good place to stop.** You have written all that SiamRPN adds to SiamFC; next you train one and look at its boxes.
#
# ## Experiment: train one
#
# {{part}}
#
# Train a small SiamRPN from random weights on generated pairs; nothing needs to be downloaded. Validation reports three measures: `hits`, the fraction of pairs whose most probable box has an IoU above one half; `iou`, the mean IoU of that box; and `fit`, the IoU of the box from the anchor nearest to the target, which tests the offsets alone. **Predict:** which of the three rises first?

# %%
changed = by_profile(
    smoke={"steps": 6, "validate_every": 3, "validation_pairs": 16, "widths": [8] * 5},
    laptop={},
    gpu={"steps": 3000, "batch": 64, "workers": 8},
)
rows = train_recipe("train_siamrpn_lesson", changed).progress.validation
steps = [row["step"] for row in rows]
curves = {name: [row[name] for row in rows] for name in ("loss", "hits", "iou", "fit")}
last = ", ".join(f"{name} {values[-1]:.2f}" for name, values in curves.items())
theirs = batch.box[batch.positive].double()
alone = float(overlaps(anchors, theirs).amax(1).mean())
figure, ((left, right),) = plots.new_figure(width=8.5, height=2.8, columns=2)
plots.draw_lines(left, {"validation loss": curves.pop("loss")}, steps, True, xlabel="step")
right.axhline(
    alone, color=plots.NEUTRAL, linestyle=":", label="the nearest anchors as they are"
)
plots.draw_lines(right, curves, steps, True, xlabel="step", title="validation", ylim=(0, 1))
words = f"Validation loss and three measures of a small SiamRPN over {steps[-1]} steps; at the end {last}. The nearest anchors without any offsets have a mean IoU of {alone:.2f}."
plots.show(figure, alt=words)
print(f"after {steps[-1]} steps: {last}; the nearest anchors as they are: {alone:.2f}")
card = read_card(find_weights("siamrpn"))
columns = {"step": "step", "hits": "hits", "iou": "iou", "fit": "fit"}
show_table(card["validation_curve"], "The same for the shipped SiamRPN", columns, ".3f")

# %% [markdown]
# {{figure training}} Left the loss, right the three measures of your run, all on the same held-out pairs. The dotted line needs no network: it is the mean IoU of the anchor nearest to the target, without any offsets.
#
# <details><summary>What came of it</summary>
#
# Not `fit`. In the table of the shipped network it is above `iou` from the first row on: offsets near 0 leave the nearest anchor where it is, and that anchor is not bad. Between the first row and the last it is the choice of the anchor that improves most, as `hits` and with it `iou` show; `fit` rises by only a few hundredths. Does it ever rise clearly above the dotted line? {{see offsets}} will tell.
# </details>
#
# ## What the network sees
#
# The EPFL report shows validation as images: the truth, the predicted box, the best default box, and, for a network that is told where the target was, the box it is told, the jittered *guide*. The course's training writes similar images into TensorBoard (`validation/boxes`, beside the score maps); its best anchor is the one that overlaps the truth most, in the project's code the one with the highest score. Here are the first held-out pairs: the shipped SiamRPN in the first row, and in the second a network with a guide, a small version of SiamConcatRPN from lesson 09. With OTB in your data folder, the row at the bottom has real sequences.

# %%
WHAT = {  # the colour and line of each box
    "guide": (plots.CYCLE[5], "-."),
    "best anchor": (plots.EXEMPLAR, ":"),
    "prediction": (plots.PREDICTION, "--"),
    "truth": (plots.TRUTH, "-"),
}


@torch.no_grad()
def looked_at(weights, pairs):
    """Boxes (B, 4) by what they are, and the output, of a network for a jittered batch."""
    task = make_task(settings, load_network(weights).eval())
    output = task.network(*task.inputs(pairs))
    return task.boxes(output, pairs), output


real_rows = real_sequences()[::4]
rows = [("siamrpn", batch), ("heads-concat", batch)]
if real_rows:
    seen = VideoPairs(
        [sequence.part(0, 40) for sequence in real_rows], settings.augmentation, search=255
    )
    of_real = next(batches(seen, VALIDATION_SEED, 5, 0, 1)).jittered(torch.device("cpu"))
    rows.append(("siamrpn", of_real))
figure, axes = plots.new_figure(width=10, height=2.2 * len(rows), rows=len(rows), columns=5)
said = []
for row, (name, these) in zip(axes, rows, strict=True):
    found, _ = looked_at(name, these)
    shown = [i for i in range(len(these.box)) if these.positive[i]][:5]
    for ax, i in zip(row, shown, strict=True):
        image = these.search[i].permute(1, 2, 0).byte().numpy()
        ious = [
            float(iou(found[w][i].numpy(), these.box[i].numpy()))
            for w in ("prediction", "best anchor")
        ]
        plots.show_frame(ax, image, f"IoU {ious[0]:.2f}, anchor {ious[1]:.2f}")
        for what, (colour, style) in WHAT.items():
            if what in found:
                plots.draw_box(ax, found[what][i], colour, what, style)
        said.append(f"{ious[0]:.2f} and {ious[1]:.2f}")
    row[0].set_ylabel(name, fontsize=8)
plots.legend_below(figure, axes[1, 0], columns=4)
words = f"Search images of held-out pairs with the true box, the predicted one, the best anchor and, in the second row, the guide. IoU of prediction and best anchor, image by image: {'; '.join(said)}."
plots.show(figure, alt=words)

# %% [markdown]
# {{figure validation}} Five pairs, not chosen: the first that are positive. Solid green the truth, dashed the prediction, dotted the best anchor; above each image, how well the prediction and that anchor overlap the truth. The best anchor is found by means of the truth, so it is a yardstick, not a competitor: where the prediction's number is below it, the network has chosen another anchor, or its offsets have spoilt this one.
#
# Over *all* held-out pairs of the recipe the two causes can be told apart. For each pair, {{see offsets}} shows the IoU of the best anchor after the offsets are applied, minus the IoU of that anchor itself.

# %%
found = {name: np.array(values) for name, values in pairs["iou"]["siamrpn"].items()}
gain = found["from it"] - found["best anchor"]  # (N,)
off = np.abs(np.log(relative))
far = off > np.median(off)
figure, axes = plots.new_figure(width=7.5, height=3.2)
ax = axes[0, 0]
for group, colour, mark, label in (
    (far, plots.PREDICTION, "o", "half of the pairs further from the anchors' size"),
    (~far, plots.EXEMPLAR, "s", "the nearer half"),
):
    ax.plot(
        relative[group],
        gain[group],
        mark,
        color=colour,
        markersize=4,
        alpha=0.5,
        label=f"{label}: {Interval.of(gain[group])}",
    )
ax.axhline(0, color=plots.NEUTRAL, linewidth=0.8)
ax.set(
    xscale="log",
    xlabel="size of the target / size of an anchor",
    ylabel="IoU gained by the offsets",
)
ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
ax.minorticks_off()
ax.legend(fontsize=8)
ax.grid(alpha=0.3)
words = f"IoU gained by the offsets against the size of the target. All pairs: {Interval.of(gain)}; far from the anchors' size: {Interval.of(gain[far])}; near: {Interval.of(gain[~far])}."
plots.show(figure, alt=words)
print(f"all pairs: {Interval.of(gain)}")
print(
    f"prediction minus the box from the best anchor: {Interval.of(found['prediction'] - found['from it'])}"
)
print(measured_words(pairs))

# %% [markdown]
# {{figure offsets}} Above the line the offsets improve the anchor, below the line they make it worse. Orange circles are the half of the pairs whose targets differ most in size from an anchor, in either direction; the intervals of both halves are in the legend. Where the anchor fits badly the offsets gain {{evidence offsets-far above}}; where it fits already they lose {{evidence offsets-near below}}; over all pairs the two cancel out {{evidence offsets open}}. A network whose offsets bring the box no closer to the truth on average cannot be relied on for the size: remember this in lesson 08, where what it is told is its own last answer. It can be taught otherwise: `siamrpn-sized` has the same layers but another recipe: more steps, targets up to 1.6 times too large or too small, anchors matched by place and shape, and more. On *its* held-out pairs, which the best anchors fit less well, the offsets gain {{evidence offsets-sized above}}.
#
# ### Find the fault
#
# Somebody else placed the anchors. Training went well, since it used these same anchors throughout. Then their tracker was given weights that were trained with the course's anchors. This is the function, with its symptom: the shipped network's offsets, decoded with your `decode` on these anchors.


# %%
def their_anchors(sizes, cells, stride, search):
    """Anchors (K, cells, cells, 4) on every cell of a map. Axis 1 is the row."""
    at = (np.arange(cells) - cells / 2) * stride + search / 2  # (cells,)
    anchors = np.empty((len(sizes), cells, cells, 4))
    anchors[..., 0] = at[None, None, :] - sizes[:, None, None, 0] / 2
    anchors[..., 1] = at[None, :, None] - sizes[:, None, None, 1] / 2
    anchors[..., 2:] = sizes[:, None, None, :]
    return anchors


_, output = looked_at("siamrpn", batch)


def place_figure(place, whose):
    """Errors of the places, one dot for each pair: the box from the nearest anchor, as decoded
    with anchors placed by `place`."""
    own = place(anchor_sizes(ratios), 17, 8, 255).reshape(-1, 4)
    errors = []
    for i in torch.where(batch.positive)[0].tolist():
        nearest = int(overlaps(anchors, batch.box[i : i + 1].double()).argmax())
        x, y, w, h = decode(output.offsets[i, [nearest]].double().numpy(), own[[nearest]])[0]
        true = batch.box[i].numpy()
        errors.append([x + w / 2 - true[0] - true[2] / 2, y + h / 2 - true[1] - true[3] / 2])
    errors = np.array(errors)  # (N, 2)
    figure, axes = plots.new_figure(width=4.2, height=3.9)
    ax = axes[0, 0]
    ax.plot(*errors.T, "o", color=plots.PREDICTION, alpha=0.5, markersize=4, label="a pair")
    ax.plot(
        *np.median(errors, axis=0), "P", color=plots.EXEMPLAR, markersize=11, label="medians"
    )
    ax.axhline(0, color=plots.NEUTRAL, linewidth=0.8)
    ax.axvline(0, color=plots.NEUTRAL, linewidth=0.8)
    ax.set(
        xlim=(-16, 16),
        ylim=(16, -16),
        aspect="equal",
        xlabel="too far right, px",
        ylabel="too far down, px",
    )
    x, y = np.median(errors, axis=0)
    ax.set_title(f"{whose}: medians {x:+.1f} and {y:+.1f} px", fontsize=10)
    ax.legend(fontsize=8, loc="lower right")
    words = f"Errors of {len(errors)} boxes, right and down, with {whose}: medians {x:+.1f} and {y:+.1f} pixels."
    return figure, words


plots.show(*place_figure(their_anchors, "their anchors"))

# %% [markdown]
# {{figure symptom}} Each dot is a held-out pair: how far to the right and how far down the centre of the box is from the target's. Without a systematic error the dots would scatter around the crossing of the two lines. These lie to one side of it, along x and along y, although the network is the same as in {{see validation}}.
#
# ### Exercise 07.10 · The mended anchors
# {{exercise}}
#
# Find the line with the fault, and write the function as it should be, for any number of cells, any stride and any search image. Everything else stays as it is.
#
# <details><summary>Hint 1</summary>
#
# Where must the central one of 17 cells lie? Which index does it have, if the first is 0?
# </details>
# <details><summary>Hint 2</summary>
#
# Try the line on a map of one cell, and on one of two: where do their centres come out?
# </details>


# %% exercise="anchors.fault" points=4 stars=2 minutes=8
@exercise("anchors.fault")
def mended_anchors(sizes, cells, stride, search):
    """`their_anchors` without its fault.

    Args:
        sizes: array (K, 2), widths and heights.
        cells: per side of the map.
        stride: pixels from one cell to the next.
        search: pixels per side of the search image.

    Returns:
        array (K, cells, cells, 4): x, y, w, h in search pixels. Axis 1 is the row.
    """
    ### BEGIN SOLUTION
    at = (np.arange(cells) - (cells - 1) / 2) * stride + search / 2  # (cells,)
    anchors = np.empty((len(sizes), cells, cells, 4))
    anchors[..., 0] = at[None, None, :] - sizes[:, None, None, 0] / 2
    anchors[..., 1] = at[None, :, None] - sizes[:, None, None, 1] / 2
    anchors[..., 2:] = sizes[:, None, None, :]
    return anchors
    ### END SOLUTION


# %%
plots.show(*place_figure(mended_anchors, "mended anchors"))

# %% [markdown]
# {{figure mended}} The same offsets, decoded with your anchors: every dot has moved by half a cell, 4 pixels, to the right and down. No error was raised, and a target of 60 pixels still has an IoU of about three quarters with a box that is 4 pixels off. Such a fault hides in an AUC; the median of a signed error shows it.
#
# ## Boxes that change their shape
#
# Two networks that ship with the course were measured on the 22 real targets: SiamFC with three scales, and a SiamRPN whose backbone is initialised from a SiamFC (the first three convolutions stay frozen). SiamFC can only scale its box; SiamRPN can reshape it. **Predict:** is the gap between SiamRPN and SiamFC different where the target's shape changes?

# %%
real = read_measured(RESULTS / "siamrpn_real_sequences.json")
change = read_measured(RESULTS / "heads.json")["aspect_change"]  # largest ratio over smallest
order = sorted(change, key=change.get)
half = len(order) // 2
auc = {
    name: np.array([real["auc_by_sequence"][n][name] for n in order])
    for name in ("siamfc-3s", "siamrpn")
}
difference = auc["siamrpn"] - auc["siamfc-3s"]  # (22,)
figure, axes = plots.new_figure(width=9, height=3.8)
ax = axes[0, 0]
for k, (name, values) in enumerate(auc.items()):
    label = f"{name} {values.mean():.3f}"
    ax.plot(values, "os"[k], color=plots.CYCLE[k], label=label)
ax.vlines(range(len(order)), *auc.values(), color=plots.NEUTRAL, linewidth=0.8)
ax.axvline(half - 0.5, color=plots.NEUTRAL, linestyle=":")
names = [f"{n} ×{change[n]:.1f}" for n in order]
ax.set_xticks(range(len(order)), names, rotation=70, fontsize=8)
ax.set(ylabel="success AUC", ylim=(0, 1))
said = {
    "shape changes least": Interval.of(difference[:half]),
    "shape changes most": Interval.of(difference[half:]),
    "most minus least": Interval.between(difference[half:], difference[:half]),
}
ax.set_title(
    f"siamrpn minus siamfc-3s. Left: {said['shape changes least']}; right: {said['shape changes most']}",
    fontsize=9,
)
ax.legend(fontsize=8)
ax.grid(alpha=0.3)
words = "; ".join(f"{where}: {interval}" for where, interval in said.items())
plots.show(
    figure,
    alt=f"Success AUC of SiamFC and SiamRPN on 22 real targets, sorted by how much the aspect ratio changes; a dotted line separates the two halves. SiamRPN minus SiamFC where the {words}.",
)
print(f"siamrpn minus siamfc-3s, all targets: {Interval.of(difference)}; {words}")
print(measured_words(real))

# %% [markdown]
# {{figure shapes}} Two marks for each target, joined by a line; from left to right the shape changes more and more (behind each name, the largest ratio $w/h$ over the smallest). The title has SiamRPN's AUC less SiamFC's, for the half left of the dotted line and the half right of it.
#
# <details><summary>What came of it</summary>
#
# The two means look different, and it is tempting to read a story into them. But each half is eleven targets, and the difference of the two differences has an interval of its own, which contains 0: {{evidence shape-gap open}}. Two groups are shown to differ only if *that* interval excludes 0; one interval that excludes 0 beside another that does not would be no proof.
# </details>
#
# The published numbers tell another story:

# %%
published = read_measured(RESULTS / "siamrpn_published.json")
points = [(f"{r['tracker']}, published", r["auc"], "o") for r in published["otb2015"][:2]]
points += [
    (f"{r['tracker']}, EPFL report", r["auc"], "^") for r in published["epfl_otb2015"][:1]
]
points += [(f"{name}, shipped here", values.mean(), "s") for name, values in auc.items()]
figure, axes = plots.new_figure(width=7, height=2.4)
ax = axes[0, 0]
looks = {"o": plots.NEUTRAL, "^": plots.NEUTRAL, "s": plots.PREDICTION}
for k, (_, value, mark) in enumerate(points):
    ax.plot(value, k, mark, color=looks[mark], markersize=8)
    ax.annotate(f"{value:.3f}", (value, k), (8, -3), textcoords="offset points", fontsize=9)
ax.set_yticks(range(len(points)), [name for name, *_ in points], fontsize=9)
ax.set(xlim=(0.45, 0.7), ylim=(len(points) - 0.5, -0.5), xlabel="success AUC")
ax.set_title("grey: OTB-2015, orange: 22 targets of OTB and VOT-2014", fontsize=9)
ax.grid(alpha=0.3)
plots.show(
    figure, alt="Success AUC: " + ", ".join(f"{name} {value:.3f}" for name, value, _ in points)
)
sets = read_measured(RESULTS / "training_sets_published.json")
columns = {
    "set": "training set",
    "videos": "videos",
    "frames": "frames or photographs",
    "boxes": "boxes or objects",
    "categories": "categories",
    "used_by": "used by",
}
show_table(sets["sets"], "What such networks are trained on, as published", columns, ",")
seen, card = [], read_card(find_weights("siamrpn"))
data = card["data"]
while card:  # each card contains the card of the weights it was initialised from
    seen.append(card["pairs"])
    card = card.get("started_from")
print(
    f"the SiamRPN here: {seen[0]:,} pairs, on a backbone that saw {sum(seen[1:]):,} as a SiamFC, of"
)
print("\n".join(f"  {part['source']}: {part['from']}" for part in data))

# %% [markdown]
# {{figure published}} In grey, what was published for the 100 sequences of OTB-2015; in orange, what ships here, on the 22 targets of {{see shapes}}: compare grey with grey, orange with orange. In the published results proposals are ahead of three scales; here they are behind {{evidence siamrpn-siamfc below}}. The table and the lines below it show one difference between the two cases: how much data the networks had seen. SiamFC has nothing to learn but $\varphi$, and its three scales are given; a proposal network has to learn what a box is. {{see offsets}} shows how little of that has been learned here, and lesson 08 takes up what follows from it for a tracker. Lesson 09 compares four heads trained from random weights.
#
# ## An open task
#
# 0.5, or 0.6 by place and shape? {{see thresholds}} shows which pairs each leaves without a positive, not which trains the better network. Train both, with several seeds, and compare `fit` and `iou` on the same held-out pairs; report the difference with its interval over the seeds. Before you start: how many seeds will it take to see a difference of 0.01, if `fit` of equal recipes varies by 0.01 from seed to seed?

# %%
short = by_profile(
    smoke={"steps": 3, "validate_every": 3, "validation_pairs": 16, "widths": [8] * 5},
    laptop={"steps": 50, "validate_every": 50},
    gpu={"steps": 1500, "batch": 64, "workers": 8, "validate_every": 1500},
)
for high, any_size in ((0.5, False), (0.6, True)):
    way = {"proposals.high": high, "proposals.any_size": any_size}
    changed = short | way | {"seed": 0}  # a loop over seeds goes here
    row = train_recipe("train_siamrpn_lesson", changed).progress.validation[-1]
    print(f"{way}, seed 0, {row['step']} steps: fit {row['fit']:.3f}, iou {row['iou']:.3f}")

# %% [markdown]
# **Stretch goal.** SSD has boxes of several sizes, SiamRPN of one. Give every cell anchors of three sizes, 48, 64 and 85 pixels, by your `default_box_sizes`, and draw {{see thresholds}} again. How many pairs have no positive now? What does it cost in weights (your `cross_correlate_channels` has $2k$ and $4k$ kernels), and what new mistake can the classifier make?
#
# ## What the figures say
#
# * With `high` at 0.6 more pairs are left without a positive than at 0.5, {{see thresholds}} {{evidence no-positive above}}, and than by place and shape alone {{evidence any-size above}}; in all of these the target is small beside an anchor. Which way trains the more accurate network is not measured here.
# * The offsets of the shipped SiamRPN improve on the best anchor where the target's size is far from the anchors', {{see offsets}} {{evidence offsets-far above}}, and make it worse where it is near {{evidence offsets-near below}}.
# * Over all held-out pairs the gain from the offsets cannot be told from 0: {{see offsets}} {{evidence offsets open}}. The offsets of `siamrpn-sized`, whose recipe differs in several things, do gain on its own held-out pairs {{evidence offsets-sized above}}.
# * The most probable box overlaps the target less than the one from the best anchor: {{see validation}} and the lines under {{see offsets}} {{evidence choice below}}. So the choice among the anchors costs this network more than its offsets do.
# * The box of the guided network is better than the jittered guide that it was given: {{see validation}} {{evidence guide above}}. Whether it finds the target or merely tidies up the guide is a question for lesson 09.
# * On the 22 real targets the shipped SiamRPN is behind the shipped SiamFC: {{see shapes}} {{evidence siamrpn-siamfc below}}.
# * Whether the gap is different where shapes change remains open: {{see shapes}} {{evidence shape-gap open}}. With the spread of these targets it would take about two and a half times as many sequences to see a difference of that size with a probability of 80 %.
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
# 5. From lesson 05: a pair shows two different objects. Which of its anchors would you let count, and as what?
# <details><summary>Answer</summary>
#
# No anchor is a positive. DaSiamRPN's rule, which the course follows: those in the 7 × 7 cells around the wrong object count, as negatives, and no others. That object looks like a target but is not one: a hard negative.
# </details>
#
# ## Classic mistakes
#
# * **w / h here, h / w there.** SSD's ratio is width over height, SiamRPN's height over width.
# * **Anchors that differ between training and tracking** by half a cell. Everything runs, and every box is 4 pixels off: {{see symptom}}.
# * **Boxes without area** in the training set: log 0 is −∞. Where such an offset gets into the loss, the loss is infinite, or NaN if a mask multiplies it by 0. Remove these boxes first.
# * **Smooth L1 on tiny offsets**: the slope is nearly 0 where all the positives are.
#
# ## Read next
#
# * `course_lib/geometry/anchors.py` and `course_lib/models/proposals.py`: what you wrote, for a whole batch.
# * Lesson 08: of a thousand proposals, which one is the target's box?
