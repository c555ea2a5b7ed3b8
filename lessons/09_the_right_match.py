# ---
# jupyter:
#   course: {run: [1, 1, 1, 3]}
# ---

# %% [markdown]
# # 09 · Is correlation the right match?
#
# | | |
# |---|---|
# | **You will be able to** | match exemplar and search image in four ways, count what each costs, and say why the target's position in training matters |
# | **You need** | lessons 07 and 08 |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | A. Carlier, EPFL semester project (2019): SiamConcatRPN and SiamBroadcastRPN; Li et al., *SiamRPN++* (CVPR 2019) |
# | **Words** | {{words}} |

# %%
import numpy as np
import torch
import torch.nn.functional as F

from course_lib import plots
from course_lib.analysis import diagrams_heads
from course_lib.data.benchmarks import load_benchmark, real_sequences
from course_lib.evaluation.arms import arm_difference
from course_lib.evaluation.figures import draw_curves
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.windows import exemplar_window, search_window
from course_lib.models.runtime import ProposalRuntime, SiamFCRuntime
from course_lib.models.weights import load_network
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.widgets import HeadExplorer

sequences = load_benchmark("generated-v1")
names = ("siamfc", "upchannel", "depthwise", "broadcast", "concat")
networks = {
    name: (ProposalRuntime if k else SiamFCRuntime).load(f"heads-{name}", "auto", "auto")
    for k, name in enumerate(names)
}
pair = sequences["gen-18-distractors"].loaded(by_profile(smoke=6, laptop=60, gpu=60))
other = sequences["gen-04-occlusion-grey"].loaded(1)


def crops(sequence, t):
    """Exemplar (127, 127, 3) and search image (255, 255, 3) of frame t, and their boxes (4,)."""
    z_window, x_window = exemplar_window(sequence.boxes[0]), search_window(sequence.boxes[t])
    z, x = z_window.cut(sequence.frames[0]), x_window.cut(sequence.frames[t])
    z_box = z_window.box_to_crop(sequence.boxes[0])
    return z, x, z_box, x_window.box_to_crop(sequence.boxes[t])


# %% [markdown]
# ## Look first
#
# {{part}}
#
# One exemplar, one search image, five networks: the same backbone, the same training pairs, the same number of steps. They differ in how the two images are matched. Besides, the network with concatenation is given a mask of the target; and SiamFC has no head to train, so the backbone's last stage was trained instead.

# %%
HeadExplorer(pair, other, networks)

# %% [markdown]
# **Find out by playing:** move the target away from the centre with the two sliders. Whose peak follows? Then choose the exemplar of another object, one that is not in the image: which networks notice?
#
# <details><summary>What to see</summary>
#
# Look at the numbers below the image. A network that matches has a lower peak when the exemplar shows something else. One whose peak hardly changes has not learned to *match*; it has learned what targets look like. And `concat` is given a mask of the target's position: see whether it looks at anything else.
# </details>
#
# ## The question
#
# The EPFL lecture makes two remarks about SiamRPN:
#
# 1. A correlation map says *how similar* two things are at every position. Is it odd to read the sides of a box from it?
# 2. The exemplar's own box is known exactly, yet its aspect ratio is used only for the size of the crop.
#
# It then tries two networks without correlation. In this lesson you build their components, and those of SiamRPN++, which keeps a correlation, channel by channel, on a deep padded backbone.
#
# ## SiamConcatRPN: concatenate, and look far

# %%
plots.show(*diagrams_heads.concat_diagram())

# %% [markdown]
# {{figure concat}} SiamConcatRPN from left to right: both images with a mask as fourth channel, one ResNet-50 for both, their maps joined, then nothing but convolutions. No arrow is a correlation: the three global convolutions have to find out that the exemplar's features and the target's are alike. The last maps carry SSD's default boxes, as in lesson 07.
#
# To compare a cell of one map with a distant cell of the other, convolutions must see almost all of the 19 × 19 cells at once. One kernel of 11 × 11 reaches 5 cells to each side; the stages of 11, 9 and 7, each followed by a 3 × 3, reach 15 together. (The small version that ships with this course has the same stages and 32 × 32 cells: from the centre they reach nearly all of them, from a corner a quarter.) Kernels so large are expensive.
#
# ### Exercise 09.1 · What a large kernel costs
# {{exercise}}
#
# A $k \times k$ convolution has $k^2 \cdot C_{in} \cdot C_{out}$ weights. A *global convolution* replaces it with the sum of two branches through $C_{mid}$ channels: $k \times 1$ then $1 \times k$, and $1 \times k$ then $k \times 1$. How much does that save? Count the weights of both, without biases.
#
# <details><summary>Hint 1</summary>
#
# A k × 1 convolution has k weights for each pair of an input and an output channel; so has a 1 × k.
# </details>
# <details><summary>Hint 2</summary>
#
# Write down the four layers of the two branches, and for each the channels it leads from and to. Then add.
# </details>


# %% exercise="match.count" points=3 stars=1 minutes=5
@exercise("match.count")
def weights_of(k, before, mid, after):
    """Number of weights, without biases, of a k × k convolution and of its separable version.

    Args:
        k: side of the kernel; before, after: channels of input and output; mid: channels between
            the two steps of a branch.

    Returns:
        two ints: plain, separable.
    """
    ### BEGIN SOLUTION
    return k * k * before * after, 2 * (k * before * mid + k * mid * after)
    ### END SOLUTION


# %%
stages = ((11, 2048, 512, 512), (9, 512, 256, 512), (7, 512, 256, 512))  # of SiamConcatRPN
sides = range(3, 21, 2)
counted = np.array([weights_of(k, *stages[0][1:]) for k in sides]) / 1e6  # (sides, 2)
figure, axes = plots.new_figure(width=5.5, height=2.8)
lines = {"k × k": counted[:, 0], "two separable branches": counted[:, 1]}
plots.draw_lines(axes[0, 0], lines, sides, True, yscale="log")
axes[0, 0].set(xlabel="side k of the kernel", ylabel="million weights", xticks=sides)
said = []
for k, before, mid, after in stages:
    plain, separable = weights_of(k, before, mid, after)
    words = f"{plain / 1e6:.1f} and {separable / 1e6:.1f} million"
    said.append(f"stage of {k} × {k}: {words}, {plain / separable:.1f} times fewer")
alt = f"Weights of a convolution from 2,048 to 512 channels against the side of its kernel, plain and as two branches through 512 channels, for SiamConcatRPN's {'; '.join(said)}."
plots.show(figure, alt=alt)
print("\n".join(said))

# %% [markdown]
# {{figure cost}} The weights of SiamConcatRPN's first stage, if its kernel had another side. Those of a plain convolution grow with k², those of the branches with k, so the curves part: at k = 3 the branches save little, and at 11, the side that was chosen, they have several times fewer. The printed lines count all three stages.
#
# ### Exercise 09.2 · Two branches
# {{exercise}}
#
# The saving counts only if the sum really covers a square. Write the two branches and add them. No norm or activation stands between the two steps of a branch; the map is padded with zeros and keeps its size, since $k$ is odd.
#
# <details><summary>Hint 1</summary>
#
# Each step is one `F.conv2d`; look up what `padding="same"` does, or pad by half the kernel along the axis on which it is long.
# </details>
# <details><summary>Hint 2</summary>
#
# The names say which two belong together: the left branch begins tall and ends wide, the right one begins wide and ends tall.
# </details>


# %% exercise="match.separable" points=4 stars=2 minutes=6
@exercise("match.separable")
def global_convolution(x, tall_first, wide_second, wide_first, tall_second):
    """A large convolution as two separable branches.

    Args:
        x: tensor (B, C, H, W).
        tall_first: kernels (M, C, k, 1); wide_second: (N, M, 1, k): the left branch. k is odd.
        wide_first: kernels (M, C, 1, k); tall_second: (N, M, k, 1): the right branch.

    Returns:
        tensor (B, N, H, W).
    """
    ### BEGIN SOLUTION
    left = F.conv2d(F.conv2d(x, tall_first, padding="same"), wide_second, padding="same")
    right = F.conv2d(F.conv2d(x, wide_first, padding="same"), tall_second, padding="same")
    return left + right
    ### END SOLUTION


# %%
def footprint(mid, left, right):
    """What one cell looks at, (15, 15), and how many outer products make it up.

    `mid` channels between the two steps, random kernels with k = 11; left and right: factors on
    the two branches.
    """
    rng = np.random.default_rng(1)
    shapes = (mid, 1, 11, 1), (1, mid, 1, 11), (mid, 1, 1, 11), (1, mid, 11, 1)
    kernels = [torch.from_numpy(rng.normal(size=shape)) for shape in shapes]
    impulse = torch.zeros(1, 1, 15, 15, dtype=torch.double)
    impulse[..., 7, 7] = 1
    a, b, c, d = kernels
    seen = global_convolution(impulse, left * a, b, right * c, d)[0, 0].detach().numpy()
    return seen, np.linalg.matrix_rank(seen)


cases = {
    "left branch, 1 channel between": (1, 1, 0),
    "both branches, 1 channel": (1, 1, 1),
    "both branches, 16 channels": (16, 1, 1),
}
figure, axes = plots.new_figure(width=8.5, height=2.9, columns=3)
said = []
for ax, (name, case) in zip(axes[0], cases.items(), strict=True):
    seen, rank = footprint(*case)
    limit = np.abs(seen).max()
    plots.show_map(ax, seen, f"{name}\nrank {rank}", vmin=-limit, vmax=limit)
    said.append(f"{name}: rank {rank}")
alt = f"Cells that a global convolution with k = 11 looks at: a square of 11 × 11 in each case. {'; '.join(said)}."
plots.show(figure, alt=alt)

# %% [markdown]
# {{figure large}} The kernel of your function, shown as its response to one bright cell: every case covers a square of 11 × 11. Left, one branch with a single channel between its steps is a column times a row, a matrix of rank 1. Two branches give rank 2. With at least as many channels between as the kernel has rows (SiamConcatRPN has hundreds), the rank is full: then no single pair of an input and an output channel is restricted to simple patterns. (All pairs together still are: they share the channels between the steps, and so have fewer weights.)
#
# ### Exercise 09.3 · The mask guide
# {{exercise}}
#
# To use the exemplar's box, SiamConcatRPN adds it as a mask, 1 inside and 0 outside, which enters the first layer through a separate convolution. The search image gets a mask too: in tracking the box of the previous frame, in training a true box, shifted and resized at random.
#
# Write the masks of a batch of boxes. The coordinates of a box need not be whole pixels, and a box may extend beyond the image. A pixel belongs to the box if its *centre* lies in it; the centre of pixel $i$ is at $i + ½$.
#
# <details><summary>Hint 1</summary>
#
# Along one axis: lay out the centres of all pixels, and ask of each whether it lies between x and x + w.
# </details>
# <details><summary>Hint 2</summary>
#
# Do the same for y. A pixel is inside if both answers are yes: give one of them an axis for the rows and the other an axis for the columns (`None` in an index adds one), and combine them.
# </details>


# %% exercise="match.mask" points=4 stars=2 minutes=8
@exercise("match.mask")
def box_masks(boxes, size):
    """Masks of boxes.

    Args:
        boxes: tensor (B, 4), x, y, w, h in image pixels, not only whole ones; size: pixels per
            side of the image.

    Returns:
        float tensor (B, 1, size, size) of 0 and 1; the last axis is x.
    """
    ### BEGIN SOLUTION
    at = torch.arange(size) + 0.5  # (size,)
    x, y, w, h = boxes.T[..., None]  # (B, 1) each
    across = (at >= x) & (at < x + w)  # (B, size)
    down = (at >= y) & (at < y + h)  # (B, size)
    return (down[:, :, None] & across[:, None, :])[:, None].float()
    ### END SOLUTION


# %% [markdown]
# In SiamConcatRPN a second convolution turns the mask into as many channels as the first layer has, and its output is added to the first layer's. The report shows what the trained network makes of it on validation pairs. The same figure for the small network that ships with the course:

# %%
from course_lib.geometry.anchors import decode
from course_lib.geometry.boxes import iou
from course_lib.training.proposal_task import jittered


def with_guide(image, box):
    """An image (S, S, 3) uint8 with your mask of the box (4,) as its fourth channel."""
    mask = box_masks(torch.from_numpy(np.asarray(box))[None], image.shape[0])[0, 0]
    return np.dstack([image, mask.numpy().astype(np.uint8)])  # (S, S, 4)


def guided_box(network, z, x, z_box, guide):
    """The most probable box (4,) of a guided network, and the anchors (A, 4)."""
    template = network.template_features(with_guide(z, z_box), 255)
    answer = network.respond(template, with_guide(x, guide)[None])[0]  # (A, 5)
    anchors = network.anchors(255)
    best = int(answer[:, 0].argmax())
    return decode(answer[best, 1:], anchors[best], network.variances), anchors


chosen = [sequences.sequences[k].loaded(6) for k in (0, 6, 12, 18)]  # every sixth sequence
chosen = [*chosen[:2], *[s.loaded(6) for s in real_sequences()[:2]], *chosen[2:]][:4]
figure, axes = plots.new_figure(width=9, height=5.2, rows=2, columns=4)
said = []
for k, subject in enumerate(chosen):
    z, x, z_box, truth = crops(subject, 5)
    guide = jittered(torch.from_numpy(truth)[None], torch.tensor([k]), 0.25)[0].numpy()
    box, anchors = guided_box(networks["concat"], z, x, z_box, guide)
    best = anchors[iou(anchors, np.broadcast_to(truth, anchors.shape)).argmax()]
    plots.show_frame(axes[0, k], z, subject.name)
    plots.draw_box(axes[0, k], z_box, plots.EXEMPLAR, style="--")
    words = f"IoU {iou(box, truth):.2f}, of the guide {iou(guide, truth):.2f}"
    plots.show_frame(axes[1, k], x, words)
    plots.draw_box(axes[1, k], truth, plots.TRUTH, "truth")
    plots.draw_box(axes[1, k], best, plots.CYCLE[4], "best anchor", "-.", 1.5)
    plots.draw_box(axes[1, k], guide, plots.EXEMPLAR, "mask (jittered guide)", "--", 1.5)
    plots.draw_box(axes[1, k], box, plots.PREDICTION, "predicted", "--")
    said.append(f"{subject.name}: {words}")
plots.legend_below(figure, axes[1, 0], columns=4)
alt = f"Four pairs: exemplars with their mask above, search images below with the true box, the predicted one, the anchor nearest to the truth and the jittered guide. {'; '.join(said)}."
plots.show(figure, alt=alt)

# %% [markdown]
# {{figure validation}} Four pairs from the sequences that trackers are measured on, drawn as in the report: above, the exemplar and the box of its mask; below, the search image with truth, prediction, the anchor that overlaps most with the truth, and the jittered guide. (With OTB in your data folder two of the sequences are real.) The titles give the overlap of the prediction with the truth beside that of the guide it was given: a network that looks should be above its guide.
#
# A guide is also a temptation. It says where the target *was*; a network can reach a low loss by moving that box to the nearest outline, without ever looking at the exemplar. The report gives this as the reason why SiamConcatRPN failed. You can measure it by giving the network a wrong mask. **Predict:** the mask is moved off the target, 16 pixels at a time. Which of the two does the box found stay with?

# %%
shifts = (0, 16, 32, 48, 64)
subjects = [s.loaded(8) for s in sequences][:: by_profile(smoke=12, laptop=3, gpu=1)]
frames = [(c, t) for c in subjects for t in range(1, 8, by_profile(smoke=6, laptop=2, gpu=1))]


def overlaps_at(sequence, t, shift):
    """IoU of the box found with the target, and with a mask that is `shift` pixels beside it."""
    z, x, z_box, truth = crops(sequence, t)
    mask = truth + [shift, 0, 0, 0]
    box, _ = guided_box(networks["concat"], z, x, z_box, mask)
    return iou(box, truth), iou(box, mask)


found = np.array(
    [[overlaps_at(c, t, s) for c, t in frames] for s in shifts]
)  # (shifts, frames, 2)
to_target, to_mask = found.mean(1).T  # (shifts,) each
figure, axes = plots.new_figure(width=5, height=2.8)
axes[0, 0].plot(shifts, to_target, "o-", color=plots.TRUTH, label="with the target")
axes[0, 0].plot(shifts, to_mask, "s--", color=plots.EXEMPLAR, label="with the mask")
axes[0, 0].set(xlabel="shift of the mask, search pixels", ylim=(0, 1))
axes[0, 0].set_ylabel("mean IoU of the best box")
axes[0, 0].legend(fontsize=8)
both = zip(shifts, to_target, to_mask, strict=True)
said = ", ".join(f"{s} px {a:.2f} / {b:.2f}" for s, a, b in both)
words = f"Mean IoU of SiamConcatRPN's best box with the target and with its mask, for masks shifted sideways: {said}."
plots.show(figure, alt=words)
print(f"IoU with the target / with the mask: {said}")

# %% [markdown]
# {{figure temptation}} The overlap of the box found with the target (solid) and with the mask (dashed), as the mask moves away. Where the dashed curve is above the solid one, the box follows its guide and not the image.
#
# <details><summary>What came of it</summary>
#
# Without a shift the two are one box and the curves meet. With the mask up to half a target away, the box overlaps about equally with both; with the mask further off, it stays closer to the target, but nearly half of the overlap is gone. In training the masks were off by a quarter of the target's sides (one standard deviation, along x and along y), and seldom by more than half: a guide that near could be believed, and that is what the network learned.
# </details>
#
# (The end of this section is a good place to stop.)
#
# ## SiamBroadcastRPN: one vector, everywhere
#
# {{part}}

# %%
plots.show(*diagrams_heads.broadcast_diagram())

# %% [markdown]
# {{figure broadcast}} SiamBroadcastRPN: the exemplar's centre becomes one vector, which then stands beside the features of every cell of the search image. Two backbones that share no weights feed it, since nothing requires the two sides to be alike: it is left to convolutions to compare them.
#
# The exemplar's layout is discarded: $\varphi(z)$ is max-pooled to a single vector, which is concatenated to every cell of $\varphi(x)$. Convolutions then learn to compare. The idea comes from class-agnostic counting: networks that count objects of a class they are shown one example of.
#
# ### Exercise 09.4 · Broadcast
# {{exercise}}
#
# Write the step before the concatenation: the vector, at every cell of a map that is as large as $\varphi(x)$. In training each search image has its own vector; in tracking one vector may serve them all.
#
# <details><summary>Hint 1</summary>
#
# `Tensor.expand` repeats axes of length 1 without copying; −1 leaves an axis as it is.
# </details>
# <details><summary>Hint 2</summary>
#
# Take the number of pairs, of rows and of columns from x, and the channels from the vector: x may have others.
# </details>


# %% exercise="match.broadcast" points=3 stars=1 minutes=4
@exercise("match.broadcast")
def broadcast_over(vector, x):
    """One vector, repeated at every cell of a map.

    Args:
        vector: tensor (B or 1, C, 1, 1); x: tensor (B, C', H, W), of which only B, H, W count.

    Returns:
        tensor (B, C, H, W).
    """
    ### BEGIN SOLUTION
    return vector.expand(len(x), -1, *x.shape[2:])
    ### END SOLUTION


# %% [markdown]
# What is lost with the layout? Cut the exemplar's features into their cells, shuffle these like the pieces of a puzzle, and match again, once by one vector at every cell and once by correlation. **Predict:** which of the two maps changes?

# %%
siamfc = load_network("heads-siamfc").eval()
z, x, _, truth = crops(pair, 5)
z_in, x_in = (torch.from_numpy(image).permute(2, 0, 1)[None].float() for image in (z, x))
with torch.no_grad():
    z_map, x_map = siamfc.template(z_in), siamfc.features(x_in)  # (1, C, n, n), (1, C, m, m)
order = torch.from_numpy(np.random.default_rng(0).permutation(z_map.shape[-1] ** 2))
puzzle = z_map.flatten(2)[:, :, order].reshape(z_map.shape)


def by_vector(z, x):
    """Cosine (m, m) between each cell of x and the exemplar's max-pooled vector."""
    return F.cosine_similarity(broadcast_over(z.amax((2, 3), keepdim=True), x), x)[0].numpy()


def by_correlation(z, x):
    """The plain correlation, as a mean of products."""
    return F.conv2d(x, z)[0, 0].numpy() / z.numel()


figure, axes = plots.new_figure(width=8.5, height=2.6, columns=4)
said = []
for k, (name, match) in enumerate({"vector": by_vector, "correlation": by_correlation}.items()):
    whole, shuffled = match(z_map, x_map), match(puzzle, x_map)
    look = {"vmin": min(whole.min(), shuffled.min()), "vmax": max(whole.max(), shuffled.max())}
    plots.show_map(axes[0, 2 * k], whole, f"{name}:\nas it is", peak=True, **look)
    same = np.corrcoef(whole.ravel(), shuffled.ravel())[0, 1]
    title = f"{name}: shuffled\ncorrelated {same:.2f}"
    plots.show_map(axes[0, 2 * k + 1], shuffled, title, peak=True, **look)
    said.append(f"{name}: the two maps are correlated by {same:.2f}")
alt = f"Maps of one pair, matched by one vector and by correlation, with the exemplar's cells as they are and shuffled. {'; '.join(said)}."
plots.show(figure, alt=alt)

# %% [markdown]
# {{figure puzzle}} Left, by one vector: the map is the same to the last digit, with the cells in order or shuffled. Right, by correlation: the map changes, and the title says by how much.
#
# <details><summary>What came of it</summary>
#
# A maximum over cells does not depend on their order, so broadcasting cannot tell an exemplar from its shuffled version: what is left of the layout must already be in the features of single cells. A correlation compares cell with cell, and for it the shuffled exemplar is another exemplar. Whether losing the layout matters is another question: in {{see differences}} and in the report's own numbers below you will see what each network makes of it.
# </details>
#
# ## SiamRPN++: correlation, channel by channel

# %%
plots.show(*diagrams_heads.siamrpnpp_diagram())

# %% [markdown]
# {{figure plusplus}} SiamRPN++: three layers of one ResNet-50, a head on each, their answers added. The two networks above learn to compare; here each head correlates again, but channel by channel: the two small maps on the left slide over each other, and only then do 1 × 1 convolutions read scores and offsets from 256 maps.
#
# ### Exercise 09.5 · Depth-wise correlation
# {{exercise}}
#
# The two layers that make SiamRPN's kernels hold nearly four fifths of its weights. In SiamRPN++, channel $c$ of the exemplar slides over channel $c$ of the search image and no other; a 1 × 1 convolution then reads the scores and offsets from the C maps. The head has seven and a half times fewer weights. Write this correlation for a batch of pairs: sums of products, without padding, nothing normalised.
#
# <details><summary>Hint 1</summary>
#
# Lesson 04 folded the batch into the channels and made one group of each pair. Here each pair *and* channel is a group of its own.
# </details>
# <details><summary>Hint 2</summary>
#
# `F.conv2d` then sees one image with B · C channels and B · C kernels with one channel each. Reshape its answer at the end.
# </details>


# %% exercise="match.depthwise" points=5 stars=2 minutes=8
@exercise("match.depthwise")
def cross_correlate_depthwise(z, x):
    """One map for each channel of each pair.

    Args:
        z: tensor (B, C, h, w); x: tensor (B, C, H, W).

    Returns:
        tensor (B, C, H - h + 1, W - w + 1).
    """
    ### BEGIN SOLUTION
    B, C, H, W = x.shape
    maps = F.conv2d(x.reshape(1, B * C, H, W), z.reshape(B * C, 1, *z.shape[2:]), groups=B * C)
    return maps.reshape(B, C, *maps.shape[2:])
    ### END SOLUTION


# %%
depthwise = load_network("heads-depthwise").eval()
branch = depthwise.head.classes  # the branch of the scores
with torch.no_grad():
    kernel = depthwise.template_features(z_in)[0]  # (1, C, h, h)
    searched = branch.x(depthwise.backbone(x_in))  # (1, C, H, H)
    maps = cross_correlate_depthwise(kernel, searched)[0].numpy()  # (C, n, n)


def pixels_off(values):
    """How far a map's peak is from the target, in search pixels."""
    at = np.array(np.unravel_index(values.argmax(), values.shape))[::-1]
    centre = 127.5 + (at - (len(values) - 1) / 2) * depthwise.stride
    return float(np.hypot(*(centre - truth[:2] - truth[2:] / 2)))


off = np.array([pixels_off(m) for m in maps])
liveliest = np.argsort(-maps.std((1, 2)))[:5]
figure, axes = plots.new_figure(width=9, height=2.3, columns=7)
plots.show_frame(axes[0, 0], x, "search image", truth)
for ax, c in zip(axes[0, 1:], liveliest, strict=False):
    plots.show_map(ax, maps[c], f"channel {c}\n{off[c]:.0f} px off", peak=True)
plots.show_map(
    axes[0, 6],
    maps.sum(0),
    f"sum of {len(maps)}\n{pixels_off(maps.sum(0)):.0f} px off",
    peak=True,
)
said = f"{(off <= 16).sum()} of {len(maps)} channels peak within 16 pixels of the target, their sum {pixels_off(maps.sum(0)):.0f} pixels from it"
alt = f"A search image and the correlation maps of the five channels that vary most, and their sum: {said}."
plots.show(figure, alt=alt)
print(said)

# %% [markdown]
# {{figure channels}} Your correlation, with the kernels and features of a trained depth-wise head: the five channels whose maps vary most, and the sum of all. Each channel looks for something of its own, and the titles say how far from the target it finds it; the printed line counts those that peak near it. A plain correlation would pass on the sum alone. The depth-wise head passes on all maps, and weights them differently for the scores and for each offset.
#
# What each network costs, at the size in its paper:

# %%
from course_lib.models.concat_broadcast import SiamBroadcastRPN, SiamConcatRPN
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.siamrpnpp import SiamRPNpp

makers = {
    "SiamRPN, AlexNet, up-channel": SiamRPN,
    "SiamRPN, AlexNet, depth-wise": lambda: SiamRPN("depthwise"),
    "SiamBroadcastRPN, two ResNet backbones": SiamBroadcastRPN,
    "SiamConcatRPN, ResNet-50": SiamConcatRPN,
    "SiamRPN++, ResNet-50": SiamRPNpp,
}
rows = {}
for name, make in makers.items():
    network = make()
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    rows[name] = {"parameters, M": millions, "proposals": len(network.anchors())}
show_table(rows, "What each network costs", formats=".2f", first="network")

# %% [markdown]
# ## Where the target is in training
#
# {{part}}
#
# ### Exercise 09.6 · Spatial-aware sampling
# {{exercise}}
#
# Why did a ResNet bring Siamese trackers so little before? Its convolutions are padded, and padding tells a network *where* it is looking: the border is black. If the target is always at the centre in training, the network need not compare; "at the centre" is a good enough answer. SiamRPN++ shifts the target in the search image at random, uniformly by up to a given number of pixels in each direction, so that its position says nothing. Its paper shows what networks trained with 0, 16 and 32 pixels expect, and settles on 64; lesson 10 repeats that experiment with a network that has seen ImageNet.
#
# Write where to cut: draw one shift for x and one for y, each uniform from −`shift` to `shift` and independent of the other. They are in pixels of the search image; the centre you return is in pixels of the frame. Whether the crop moves one way or the target the other does not matter.
#
# <details><summary>Hint 1</summary>
#
# Draw both numbers from the generator that you are given, and from nothing else: `rng.uniform` takes the two ends and how many to draw.
# </details>
# <details><summary>Hint 2</summary>
#
# A square of `side` frame pixels is shown at 255 pixels. How many frame pixels is one of those? Start from the box's centre, not its corner.
# </details>


# %% exercise="match.sampling" points=4 stars=2 minutes=6
@exercise("match.sampling")
def crop_centre(rng, box, shift, side):
    """Where to cut a training search image.

    Args:
        rng: numpy Generator; box: array (4,), the target in frame pixels.
        shift: the target's largest distance from the centre in each direction, in pixels of the
            255-pixel search image.
        side: of the search square, in frame pixels.

    Returns:
        array (2,): the square's centre x, y, in frame pixels.
    """
    ### BEGIN SOLUTION
    return box[:2] + box[2:] / 2 + rng.uniform(-shift, shift, 2) * side / 255
    ### END SOLUTION


# %% [markdown]
# ### Find the fault
#
# A target that is moved needs a label that moves with it. The function below should give the target's box in the search image that is cut around `centre`. Training ran without an error; the validation loss stayed high, and nobody saw why until someone drew the labels:


# %%
def faulty_label(box, centre, side):
    """The target's box (4,) in the search image of 255 pixels that shows a square of the frame.

    Args:
        box: array (4,), the target, frame pixels; centre: array (2,), of the square; side: of the
            square, frame pixels.
    """
    scale = 255 / side
    size = box[2:] * scale
    away = centre - (box[:2] + box[2:] / 2)
    return np.concatenate([127.5 + away * scale - size / 2, size])


from course_lib.geometry.windows import CropWindow

rng = np.random.default_rng(3)
box, frame = pair.boxes[5], pair.frames[5]
side = search_window(box).side
squares = [(shift, crop_centre(rng, box, shift, side)) for shift in (0, 16, 64, 64)]
figure, axes = plots.new_figure(width=9, height=2.6, columns=4)
said = []
for ax, (shift, centre) in zip(axes[0], squares, strict=True):
    window = CropWindow(*centre, side, 255)
    label, true = faulty_label(box, centre, side), window.box_to_crop(box)
    words = f"within ±{shift} px: IoU {iou(label, true):.2f}"
    plots.show_frame(ax, window.cut(frame), words)
    plots.draw_box(ax, true, plots.TRUTH, "target")
    plots.draw_box(ax, label, plots.PREDICTION, "label", "--")
    said.append(words)
plots.legend_below(figure, axes[0, 0], columns=2)
alt = f"Search images with the target moved, its true box and the faulty label: {'; '.join(said)}."
plots.show(figure, alt=alt)

# %% [markdown]
# {{figure fault}} Four search images as your `crop_centre` cuts them, with the target (solid) and its label (dashed). With a shift of 0 the label is right, which is why no test on centred pairs found the fault; the further the target is moved, the further the label is from it.
#
# ### Exercise 09.7 · The label of a moved target
# {{exercise}}
#
# Find the fault, and write the function without it.
#
# <details><summary>Hint 1</summary>
#
# Compare the label and the target with the centre of the image. On which side of it is each?
# </details>
# <details><summary>Hint 2</summary>
#
# Think of a square that moves to the right over a target that stays. Where does the target go *in the square*?
# </details>


# %% exercise="match.fault" points=3 stars=1 minutes=6
@exercise("match.fault")
def mended_label(box, centre, side):
    """The target's box in the search image of 255 pixels that is cut around `centre`.

    Args:
        box: array (4,), the target, frame pixels; centre: array (2,), of the square; side: of the
            square, frame pixels.

    Returns:
        array (4,): x, y, w, h in pixels of the search image.
    """
    ### BEGIN SOLUTION
    scale = 255 / side
    size = box[2:] * scale
    away = box[:2] + box[2:] / 2 - centre
    return np.concatenate([127.5 + away * scale - size / 2, size])
    ### END SOLUTION


# %%
for shift, centre in squares:
    true = CropWindow(*centre, side, 255).box_to_crop(box)
    print(f"within ±{shift} px: IoU {iou(mended_label(box, centre, side), true):.2f}")

# %% [markdown]
# ### What a network expects
#
# Does the preference for the centre really come from the training data? A small network with padded convolutions is shown noisy images with one bright blob each, and has to say where the blob is. It is trained three times: with the blob always at the centre, within ±4 pixels of it, and within ±12; your `crop_centre` draws the places. Afterwards all three networks are shown pure noise, *no blob anywhere*: the mean of a network's maps is what it believes before it sees anything. **Predict** the three maps.

# %%
from torch import nn

SIDE = 32


def blobs(rng, n, shift):
    """Noisy images (n, 1, 32, 32) with one blob each, and the blobs' positions (n, 2).

    A blob is at most `shift` pixels from the centre: the image is cut around a place near it.
    """
    box = np.array([-3.0, -3, 6, 6])  # a blob around 0
    at = -np.array([crop_centre(rng, box, shift, 255) for _ in range(n)])  # a pixel is a pixel
    grid = np.arange(SIDE) - (SIDE - 1) / 2
    across = (grid[None, None, :] - at[:, :1, None]) ** 2
    down = (grid[None, :, None] - at[:, 1:, None]) ** 2
    hill = np.exp(-(across + down) / 18)  # (n, 32, 32)
    return torch.from_numpy((hill + rng.normal(0, 1, hill.shape))[:, None]).float(), at


def belief(shift, steps):
    """Mean map (8, 8) over images without a blob, and the places (n, 2) seen in training.

    The network is padded and was trained with blobs within ±shift.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    layers, before, places = [], 1, []
    for stride in (2, 2, 1, 1, 1, 1):
        layers += [nn.Conv2d(before, 16, 3, stride, padding=1), nn.ReLU()]
        before = 16
    network = nn.Sequential(*layers, nn.Conv2d(16, 1, 1))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    cell = (np.arange(8) - 3.5) * 4  # pixels from the centre
    for _ in range(steps):
        images, at = blobs(rng, 32, shift)
        places.append(at)
        maps = network(images)[:, 0]  # (32, 8, 8)
        away = np.hypot(cell - at[:, :1, None], cell[:, None] - at[:, 1:, None])
        label = torch.from_numpy(away < 4).float()
        weight = torch.where(label > 0, 0.5 / label.sum().clamp_min(1), 0.5 / (1 - label).sum())
        losses = F.binary_cross_entropy_with_logits(maps, label, reduction="none")
        optimiser.zero_grad()
        (weight * losses).sum().backward()
        optimiser.step()
    with torch.no_grad():
        noise = torch.from_numpy(rng.normal(0, 1, (300, 1, SIDE, SIDE))).float()
        return network(noise)[:, 0].sigmoid().mean(0).numpy(), np.concatenate(places)


steps = by_profile(smoke=8, laptop=250, gpu=250)
figure, axes = plots.new_figure(width=8.5, height=4.6, rows=2, columns=3, height_ratios=(1, 1))
said = []
for (above, below), shift in zip(axes.T, (0, 4, 12), strict=True):
    title = f"within ±{shift} px" if shift else "always at the centre"
    values, places = belief(shift, steps)
    above.plot(*places[:400].T, ".", color=plots.TRUTH, markersize=3)
    half = SIDE / 2
    above.set(xlim=(-half, half), ylim=(half, -half), aspect="equal", xticks=[], yticks=[])
    above.set_title(f"seen in training\n{title}", fontsize=10)
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]]).mean()
    centre = values[3:5, 3:5].mean()
    image = plots.show_map(
        below, values, f"expected: centre {centre:.2f}, border {border:.2f}", vmin=0, vmax=1
    )
    said.append(f"{title}: {centre:.2f} at the centre, {border:.2f} at the border")
figure.colorbar(image, ax=list(axes[1]), label="probability of a blob")
words = f"Places of blobs in training, and what a padded network believes about images of pure noise, after training with blobs at the centre, within ±4 and within ±12 pixels. {'; '.join(said)}."
plots.show(figure, alt=words)

# %% [markdown]
# {{figure belief}} Above, the places that `crop_centre` drew; below, what each network expects where there is nothing, with the means at the centre and along the border in the title. There is no blob in these images: any difference between centre and border was learned from where the targets *were* in training.
#
# <details><summary>What came of it</summary>
#
# After a full training run (250 steps; the smoke profile takes 8 and learns nothing), the network that saw only centred blobs expects one at the centre and none at the border; with ±4 pixels the hill is wider, with ±12 pixels it has flattened over the places that were shown. The network can express this preference only because padding tells every cell how far away the border is: a convolution without padding does the same everywhere. Lesson 10 looks at this in detail.
# </details>
#
# ### Exercise 09.8 · Three depths, one answer
# {{exercise}}
#
# SiamRPN++ puts a head on each of three layers: deep ones know *what*, shallow ones *where*. Which layer to believe is learned too: the answers are summed with the factors $\mathrm{softmax}(\alpha)_l$, one set for the scores and another for the offsets. Write the sum for one set.
#
# <details><summary>Hint 1</summary>
#
# The softmax goes over the L weights. Stay in torch, so that the gradient reaches them.
# </details>
# <details><summary>Hint 2</summary>
#
# Go through factors and answers side by side (`zip`), multiply, and add up.
# </details>


# %% exercise="match.aggregate" points=3 stars=1 minutes=5
@exercise("match.aggregate")
def aggregate(answers, weights):
    """Weighted sum of the answers of several layers.

    Args:
        answers: list of L tensors of one shape; weights: tensor (L,), the learned α.

    Returns:
        tensor of the answers' shape.
    """
    ### BEGIN SOLUTION
    factors = weights.softmax(0)
    return sum(factor * answer for factor, answer in zip(factors, answers, strict=True))
    ### END SOLUTION


# %%
plusplus = load_network("siamrpnpp-small").eval()  # on Lite0's last three stages
with torch.no_grad():
    template = plusplus.template_features(z_in)
    kernels = zip(template[::2], template[1::2], strict=True)
    levels = zip(plusplus.heads, kernels, plusplus.levels(x_in), strict=True)
    answers = [head(two, level) for head, two, level in levels]
    whole = aggregate([a.logits for a in answers], plusplus.class_weights)  # (1, A, 2)
    its_own = plusplus.propose(template, x_in).logits
factors = plusplus.class_weights.softmax(0).tolist()
box_factors = plusplus.box_weights.softmax(0).tolist()
titles = [f"stage {k + 3}\n{f:.2f} of the score" for k, f in enumerate(factors)]
figure, axes = plots.new_figure(width=9, height=2.5, columns=5)
plots.show_frame(axes[0, 0], x, "search image", truth)
n = plusplus.cells(255)
for ax, title, logits in zip(
    axes[0, 1:], [*titles, "your sum"], [*(a.logits for a in answers), whole], strict=True
):
    best = logits.softmax(-1)[0, :, 1].reshape(-1, n, n).amax(0).numpy()
    plots.show_map(ax, best, title, peak=True, vmin=0, vmax=1)
said = ", ".join(f"{a:.2f} / {b:.2f}" for a, b in zip(factors, box_factors, strict=True))
alt = f"Scores of a SiamRPN++ on three layers, of each layer and of their weighted sum. Factors of scores / offsets: {said}."
plots.show(figure, alt=alt)
print(f"factors of scores / offsets, from shallow to deep: {said}")
print(f"largest difference to the network's own sum: {(whole - its_own).abs().max():.1e}")

# %% [markdown]
# {{figure depths}} The scores that each of three layers gives, and their sum by your function, which equals the network's own up to rounding. The factors began at a third each; the titles and the printed line say where training moved them, separately for the scores and for the offsets. This small network had a short training, of its heads and of the 1 × 1 convolutions before them (necks) alone; its layers are the ends of Lite0's third, fourth and fifth stage.
#
# ## Experiment: four heads, one budget
#
# {{part}}
#
# Train the heads here and now, next to a SiamFC (`concat` only in the GPU profile). All use the same backbone, which has seen ImageNet and is frozen (except that SiamFC, which has no head, has its last stage trained), all see the same generated pairs, and all heads begin at random. **Predict:** which is ahead after so few pairs?

# %%
from course_lib.training.brief import train_recipe

small = {"sources": ["generated"], "probabilities": [1.0]} | by_profile(
    smoke={"steps": 2, "batch": 2, "validate_every": 2, "validation_pairs": 8},
    laptop={"steps": 60, "batch": 8, "validate_every": 20, "validation_pairs": 64},
    gpu={"steps": 1500, "batch": 64, "workers": 8, "validate_every": 250},
)
lines = {}
for head in by_profile(smoke=(names[0], names[3]), laptop=names[:4], gpu=names):
    kind = {"network": "siamfc", "freeze": 5} if head == "siamfc" else {"proposals.head": head}
    rows = train_recipe("train_heads", small | kind).progress.validation
    lines[head] = [row["hits"] for row in rows]
steps = [row["step"] for row in rows]
figure, axes = plots.new_figure(width=6, height=2.8)
plots.draw_lines(axes[0, 0], lines, steps, True, xlabel="step", ylabel="hits", ylim=(0, 1))
said = ", ".join(f"{head} {hits[-1]:.2f}" for head, hits in lines.items())
words = f"Fraction of validation pairs that are hits, during training: at the end {said}. For SiamFC a hit is a peak within 16 pixels, for the others a box with an IoU above one half."
plots.show(figure, alt=words)
print(f"hits at the end: {said}")

# %% [markdown]
# {{figure budget}} Hits on validation pairs during your training. For SiamFC a hit is a peak within 16 pixels of the target, for the others a box with an IoU above one half. These are not the same thing, so compare the curves' first points, which come after the first stretch of training, and how they rise.
#
# <details><summary>What came of it</summary>
#
# SiamFC is high at its first point already: a correlation has no weights to learn, and the backbone's features have seen ImageNet. The heads have hardly any hits there. They have the same features, but between these and a score stand weights that have learned nothing yet, and the box has to be learned as well.
# </details>
#
# ## The long run, and the report's own
#
# The next table has the results of a longer run, which ship with the course: the same networks, a few seeds each, tracking generated and real sequences; in addition, the up-channel head with another initialisation, and concatenation without its mask. *Held-out IoU* is the IoU of the most probable box on pairs not used for training, *fit* that of the proposal whose anchor overlaps most with the target, whatever its score; the other columns come from tracking (AUC, and precision at 20 pixels). **Predict:** does concatenation choose better on pairs with its mask or without it? And which of the two tracks better?

# %%
heads = read_measured(RESULTS / "heads.json")
paper = read_measured(RESULTS / "siamrpn_published.json")
arms = tuple(dict.fromkeys(run["arm"] for run in heads["runs"]))
runs = {name: [r for r in heads["runs"] if r["arm"] == name] for name in arms}


def each_seed(values):
    """The values of all seeds, in one cell of a table."""
    return " ".join("–" if v is None else f"{v:.3f}" for v in values)


rows = {
    name: {
        "start": of[0]["start"],
        "head, M": of[0]["parameters_of_head"] / 1e6,
        "held-out IoU": each_seed(r["validation"].get("iou") for r in of),  # SiamFC has no box
        "fit": each_seed(r["validation"].get("fit") for r in of),
        "generated": each_seed(r["generated-v1"]["auc"] for r in of),
        "22 real": each_seed(r["otb+vot2014"]["auc"] for r in of),
        "precision": each_seed(r["otb+vot2014"]["precision20"] for r in of),
    }
    for name, of in runs.items()
}
caption = (
    f"{heads['pairs']:,} pairs each, a value for each seed; {heads['measured']['hardware']}"
)
show_table(rows, caption, formats=".2f", first="network")
show_table(paper["epfl_otb2015"], "OTB-2015, EPFL report")

# %% [markdown]
# *Start* says how the matching is initialised. SiamFC's has no weights: it is a similarity. The up-channel head can be *initialised* as one too (the two convolutions of its scores begin as the same projection of φ; those of the offsets are random), and so could the depth-wise head; the two heads that learn to compare have no such form. Among the networks that start at random, backbone, pairs and steps are the same: they differ in their heads, and the two concatenations in the mask. SiamFC also had the backbone's last stage trained. Starting as a similarity gave no lead: the up-channel head with this start minus the one with a random start is {{evidence similar-upchannel open}} in AUC on the real sequences and {{evidence similar-upchannel-generated below}} on the generated ones ({{see differences}}), where it stayed behind.

# %%
real = {name: [r["otb+vot2014"] for r in of] for name, of in runs.items()}
mean = {
    name: {key: np.mean([r[key] for r in of]) for key in ("auc", "precision20")}
    for name, of in real.items()
}
curves = {
    name: {"success": np.mean([r["curves"]["success"] for r in of], axis=0)}
    for name, of in real.items()
}
about = {"benchmark": "22 real targets", "protocol": "ope", "sequences": range(22)}
report = Report.from_dict({**about, "overall": mean, "curves": curves})
figure, axes = plots.new_figure(width=10, height=3.4, columns=3, width_ratios=(1.5, 1, 1))
said = draw_curves(axes[0, 0], report)
benchmarks = ["EPFL report,\nOTB-2015", "ours,\n22 targets"]
for ax, key in zip(axes[0, 1:], ("auc", "precision20"), strict=True):
    for row, head in zip(
        paper["epfl_otb2015"], ("upchannel", "broadcast", "concat"), strict=True
    ):
        look = {
            "color": plots.CYCLE[arms.index(head)],
            "marker": plots.MARKERS[arms.index(head)],
        }
        ax.plot(benchmarks, (row[key], mean[head][key]), label=row["tracker"], **look)
    label = "AUC" if key == "auc" else "precision at 20 px"
    ax.set(xlim=(-0.3, 1.3), ylabel=label, ylim=(0, 0.85))
    ax.grid(alpha=0.3)
axes[0, 1].legend(fontsize=7)
theirs = ", ".join(
    f"{r['tracker']} {r['auc']:.3f} / {r['precision20']:.3f}" for r in paper["epfl_otb2015"]
)
words = f"Left: success on 22 real targets, mean of the seeds: {said}. Middle and right: AUC and precision of the three networks of the EPFL report, theirs on OTB-2015 ({theirs}) beside ours on the 22 targets."
plots.show(figure, alt=words)

# %% [markdown]
# {{figure heads}} Left: success of our networks. Middle and right: the report's three networks, its own values on OTB-2015 beside ours. Read the published side first: SiamBroadcastRPN's AUC is .598 and SiamRPN's .602, a difference of .004 between two trainings on one benchmark; its precision is .035 lower. As published, then, a network without correlation reaches the same success, and SiamConcatRPN does not. (Nothing there isolates the head: SiamBroadcastRPN has two ResNet-50 backbones of its own, the reproduced SiamRPN a large AlexNet.) Ours, with one backbone for all and far fewer pairs, lie lower, and concatenation comes last there too.
#
# How much of that is more than chance? Here are the differences, network minus network on the same sequences; their intervals are there because other sequences, and other seeds, would have given others:

# %%
pairs = [("siamfc", arm) for arm in arms[1:]]
pairs += [("upchannel", "depthwise"), ("depthwise", "broadcast"), ("broadcast", "concat")]
pairs += [(a, b) for a in arms for b in arms if a.startswith(f"{b} ")]  # one head, two ways
figure, axes = plots.new_figure(width=7.5, height=0.45 * len(pairs) + 1.2)
ax, said = axes[0, 0], []
for shift, (which, label) in enumerate(
    (("otb+vot2014", "22 real"), ("generated-v1", "24 generated"))
):
    for k, (a, b) in enumerate(pairs):
        between = arm_difference(heads["runs"], a, b, which)
        look = {"color": plots.CYCLE[shift], "fmt": plots.MARKERS[shift], "capsize": 3}
        place = len(pairs) - k + 0.15 - 0.3 * shift
        ax.errorbar(
            between.mean, place, xerr=between.half_width, label=None if k else label, **look
        )
        said.append(f"{a} minus {b}, {label}: {between}")
ax.set_yticks(range(len(pairs), 0, -1), [f"{a} minus {b}" for a, b in pairs])
ax.axvline(0, color=plots.NEUTRAL, lw=1)
ax.set(xlabel="difference of AUC, with its 95 % interval")
ax.grid(alpha=0.3, axis="x")
ax.legend(fontsize=8)
plots.show(
    figure,
    alt=f"Differences of AUC, sequence by sequence, means over seeds. {'; '.join(said)}.",
)

# %% [markdown]
# {{figure differences}} Each row is a difference of AUC, sequence by sequence, averaged over the seeds: circles on real sequences, squares on generated ones. Its interval allows for other sequences and other seeds; how far apart seeds lie is estimated from all networks together, since one or two seeds of one network say little. A row whose interval contains 0 decides nothing; right of 0, the first network of the pair is ahead. Each of the last two rows compares a head with itself after one change.
#
# <details><summary>What came of it</summary>
#
# With its mask concatenation has a higher IoU on held-out pairs, by {{evidence mask-pairs above}}, and a lower AUC in tracking, by {{evidence mask-tracking below}}: this is the figure's last row with its sign reversed. In a pair for training or validation the mask is a true box, moved and resized at random: a network that believes it is not far off. In tracking the mask is the last box found. Once that is wrong, so is the mask.
# </details>
#
# ## Remark 1: a box, read from a correlation?
#
# A score says *where*; the offsets say *how large*. If a box were an odd thing to read from a correlation, heads that correlate should be worse at the second task ({{see fit}}), even if they win at the first. So take the first task away: look only at the proposal whose anchor overlaps most with the target, whatever its score.

# %%
with_boxes = [name for name in arms if name != "siamfc"]
figure, axes = plots.new_figure(width=11, height=2.8, columns=2, sharey=True)
said = []
for ax, key, title in (
    (axes[0, 0], "iou", "the most probable proposal"),
    (axes[0, 1], "fit", "the proposal nearest to the target"),
):
    values = {
        name.replace(" ", "\n", 1): [r["validation"][key] for r in runs[name]]
        for name in with_boxes
    }
    plots.draw_seeds(ax, values)
    ax.set_title(title, fontsize=10)
    ax.grid(alpha=0.3, axis="y")
    means = ", ".join(f"{name} {np.mean(v):.3f}" for name, v in values.items())
    said.append(f"{title}: {means}")
axes[0, 0].set(ylabel="IoU with the target", ylim=(0, 1))
plots.show(figure, alt=f"IoU on held-out pairs by head and seed. {'; '.join(said)}.")

# %% [markdown]
# {{figure fit}} IoU on held-out pairs, a dot for each seed. Left, of the box that each network chooses: here the heads lie apart. Right, of the box whose anchor overlaps most with the target, *fit*: here they lie close together, whether they correlate or not. What a head loses on pairs it loses mostly by choosing the wrong proposal.
#
# ## Remark 2: the aspect ratio of the exemplar
#
# "The ground-truth aspect ratio is not used", the report says about SiamRPN. Test this with one change at a time. *Mark*: the box in the first frame has k times the target's true aspect ratio (k from 0.5 to 2), but cuts exactly the same exemplar; in later frames the tracker is told the true shape. Does the shape that is found follow the mark? *Mask*: the tracker goes on believing in the marked shape, which a guided network sees as its mask. *Penalty*: as before, but the tracker's penalty on changes of shape (lesson 08) is on, as it is in tracking. *Seen*: the mark is right, but all later frames are stretched. In each case log(found / true) against log k gives a line, as for the size response of lesson 08: a slope of 0 means that the shape is ignored, a slope of 1 that it is followed. **Predict** the four slopes for a depth-wise head.

# %%
aspects = read_measured(RESULTS / "aspect_response.json")
ways = {"marked": "mark", "believed": "mask", "penalised": "penalty", "seen": "seen"}
figure, axes = plots.new_figure(
    width=10, height=3.4, columns=len(aspects["networks"]), sharey=True
)
said = []
for ax, (name, of_sets) in zip(axes[0], aspects["networks"].items(), strict=True):
    k_of = np.array(aspects["aspects"])
    ax.plot(k_of, k_of, color=plots.NEUTRAL, lw=1, ls=":", label="slope 1")
    slopes = []
    for k, (way, label) in enumerate(ways.items()):
        row = of_sets["otb+vot2014"][way]
        look = {"color": plots.CYCLE[k], "ls": plots.LINES[k], "marker": plots.MARKERS[k]}
        ax.plot(k_of, np.exp(row["logs"]), label=label, **look)
        slopes.append(f"{label} {round(row['gain'], 2) + 0:.2f}")
    ax.set(xscale="log", yscale="log", xlabel="k")
    ax.set_xticks(k_of, [f"{v:g}" for v in k_of])
    ax.set_yticks(k_of, [f"{v:g}" for v in k_of])
    ax.minorticks_off()
    head = name.removeprefix("heads-")
    ax.set_title(f"{head}\n{', '.join(slopes[:2])}\n{', '.join(slopes[2:])}", fontsize=9)
    ax.grid(alpha=0.3)
    said.append(f"{head}: {', '.join(slopes)}")
axes[0, 0].set_ylabel("aspect found / true")
plots.legend_below(figure, axes[0, 0], columns=5)
plots.show(
    figure,
    alt=f"Aspect ratio found against the one marked or seen, real sequences, medians. Slopes: {'; '.join(said)}.",
)

# %% [markdown]
# {{figure aspect}} The aspect ratio found, as a multiple of the true one, against k, the multiple that was marked or seen: medians over the real sequences; in the titles is the median of the sequences' slopes. For the three heads without a mask *mark* and *mask* are flat, to the last digit. *Penalty* rises: the tracker holds on to the shape that it was given. *Seen* rises less steeply than the dotted line of slope 1: what the heads answer lies between the shape in the image and a shape they are used to.
#
# <details><summary>What came of it</summary>
#
# The remark is right, and not by measurement alone: the exemplar is a square crop, and all boxes with the same centre and the same context cut the same square. No network can read a shape from pixels that do not depend on it. A mask is one way to tell it the shape; the other is already in the tracker, whose penalty compares every proposal with the last size: so the aspect ratio *is* used, after the network. Whether that is enough is seen where a target is only part of a thing: there the image alone cannot say which part was meant.
# </details>
#
# ## An open task
#
# Think of a head of your own. A head is a class and a row in a table; the one below shows the convolutions the *difference* between every cell and the exemplar's vector, so that they need not learn to subtract. Compare its hits with the broadcast head's in {{see budget}}. Then try products, cosines, several vectors instead of one, a correlation beside the vector. Choose by validation pairs, and with three seeds: two runs of one head differ as well.
#
# **Stretch goal.** Give the depth-wise head what the crop cannot show: the exemplar's marked aspect ratio, for example as one more channel of its kernels. Then measure the aspect response of your network (`course_lib/analysis/aspect_response.py`): does the slope of *mark* rise above 0, and does it show in tracking, on targets that are parts of things?

# %%
from course_lib.models.heads import HEADS, as_proposals
from course_lib.models.heads_learned import BroadcastHead


class DifferenceHead(BroadcastHead):
    """Broadcasts the exemplar's vector, and compares by subtraction."""

    def forward(self, template, x):
        """Proposals for search features (B, C, m, m)."""
        away = x - broadcast_over(template[0], x)  # (B, C, m, m)
        both = self.compare(torch.cat([x, away], 1))
        return as_proposals(self.classes(both), self.boxes(both))


HEADS["difference"] = "__main__:DifferenceHead"  # your notebook is the module __main__
rows = train_recipe("train_heads", small | {"proposals.head": "difference"}).progress.validation
print(", ".join(f"step {row['step']}: hits {row['hits']:.2f}" for row in rows))

# %% [markdown]
# ## What the figures say
#
# * **With this budget SiamFC is ahead of every head**, {{see differences}}; of the depth-wise head, which has the highest mean of them on the real sequences, by {{evidence siamfc-depthwise above}}. The reason is not shown: SiamFC's last stage was trained, too.
# * **Among heads without a mask that began at random, so few pairs decide nothing in tracking**, {{see differences}}: up-channel minus depth-wise {{evidence upchannel-depthwise open}}, depth-wise minus broadcast {{evidence depthwise-broadcast open}}.
# * **On pairs, depth-wise correlation chooses better boxes than broadcasting**, left in {{see fit}} {{evidence choice-depthwise-broadcast above}}.
# * **Remark 1 is not borne out for depth-wise correlation**, right in {{see fit}}: at the right place the depth-wise head's boxes cannot be told from the broadcast head's {{evidence fit-depthwise-broadcast open}}. The up-channel head's are a little behind {{evidence fit-upchannel-broadcast below}}.
# * **Remark 2 holds for the network, not for the tracker**, {{see aspect}}: without a mask the shape found does not follow the mark {{evidence mark-without-mask open}}, by construction. With the tracker's penalty it does, for the depth-wise head with a mean slope of {{evidence penalty-depthwise above}} (the figure has medians). A mask makes the mark visible; `concat` follows it with a mean slope of {{evidence mask-concat above}}, 1 being all the way.
# * **Nor does the depth-wise head measure the shape**, {{see aspect}}: on the real sequences it follows what it sees only a little, with a mean slope of {{evidence seen-depthwise above}}, and falls short of 1 by {{evidence unseen-depthwise above}}.
# * **The mask helps on pairs and harms in tracking.** With it concatenation chooses better boxes on pairs, {{see fit}} {{evidence mask-pairs above}}, and tracks worse, {{see differences}} {{evidence mask-tracking below}}. The report's reason, that it relies on its guide, fits {{see temptation}}; that in tracking its own errors become its guide was not measured apart. Without a mask it cannot be told from broadcasting {{evidence unguided-broadcast open}}.
#
# So is correlation the right match? For *where*, depth-wise correlation is on held-out pairs; in tracking these runs do not tell. It knows from the beginning that a thing looks the same wherever it is; whether that still matters with many pairs was not measured here. For *how large*, {{see fit}} shows no disadvantage. It cannot carry the shape that was marked: that must come from a mask or the tracker.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Why can't a concatenation followed by small kernels match?
# <details><summary>Answer</summary>
#
# A part of the exemplar in one corner has to be compared with the same part of the target, which is somewhere else in the search map. A 3 × 3 kernel sees only neighbours.
# </details>
#
# 2. The first convolution after broadcasting is linear. What can it do with the exemplar's vector?
# <details><summary>Answer</summary>
#
# Only add a constant to each of its channels, the same at every cell (but for a padded border). A product of exemplar and search image, which correlation computes directly, needs the layers and ReLUs that follow.
# </details>
#
# 3. Depth-wise correlation keeps the channels separate. Where are they combined?
# <details><summary>Answer</summary>
#
# In the 1 × 1 convolutions after it, which can weight the channels differently for the scores and for each offset.
# </details>
#
# 4. A network without any padding is trained on centred targets. Does it learn a centre prior?
# <details><summary>Answer</summary>
#
# Not in its maps: every cell is computed in the same way. (In tracking, the cosine window adds one on purpose.)
# </details>
#
# 5. From lesson 07: which of the four heads could use the exemplar's aspect ratio, and how?
# <details><summary>Answer</summary>
#
# Only SiamConcatRPN: its mask is the box. The others get a square crop, which is the same for every box with that centre and that context.
# </details>
#
# ## Classic mistakes
#
# * **The map grows or shrinks** by a cell in a large padded convolution: k is even.
# * **groups = B** where B · C was meant: the channels are summed, and the head gets one map.
# * **Moving the target, not the label.** Nothing stops, and pairs without a shift look right. Draw the labels.
# * **Judging heads by a single seed.** See the table.
# * **Trusting a guide.** If the network is told where the target was, it has no need to look.
#
# ## Read next
#
# * `course_lib/models/heads.py` and `heads_learned.py`: the four heads at a small size; `course_lib/models/concat_broadcast.py` and `siamrpnpp.py`: at the papers' size.
# * Lesson 10: what depth and padding do to Siamese trackers, and the cure.
