# ---
# jupyter:
#   course: {run: [1, 4]}
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
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.figures import draw_curves
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.models.runtime import load_proposal_runtime, load_siamfc_runtime
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.widgets import HeadExplorer

sequences = load_benchmark("generated-v1")
names = ("siamfc", "upchannel", "depthwise", "broadcast", "concat")
networks = {
    name: (load_proposal_runtime if k else load_siamfc_runtime)(f"heads-{name}", "auto", "auto")
    for k, name in enumerate(names)
}
pair = sequences["gen-18-distractors"].loaded(by_profile(smoke=6, laptop=60, gpu=60))
other = sequences["gen-04-occlusion-grey"].loaded(1)

# %% [markdown]
# ## Look first
#
# {{part}}
#
# One exemplar, one search image, five networks: the same backbone, the same training pairs, the same number of steps. They differ only in how the two images are matched.

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
# It then tries two networks without correlation. In this lesson you build their components, and those of SiamRPN++, which keeps the correlation and changes everything else.
#
# ## SiamConcatRPN: concatenate, and look far
#
# The two feature maps are concatenated. To compare a cell of one with a distant cell of the other, a convolution must be as large as the map, 11 × 11. That is expensive.
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
rows = []
for k, before, mid, after in ((11, 2048, 512, 512), (9, 512, 256, 512), (7, 512, 256, 512)):
    plain, separable = weights_of(k, before, mid, after)
    rows.append({"k": k, "plain": plain / 1e6, "separable": separable / 1e6})
show_table(rows, "Millions of weights", formats=".1f")

# %% [markdown]
# ### Exercise 09.2 · Two branches
# {{exercise}}
#
# The count pays only if the sum really covers a square. Write the two branches and add them. Nothing stands between the two steps of a branch, zeros surround the map, and it keeps its size: $k$ is odd.
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


# %% [markdown]
# ### Exercise 09.3 · The mask guide
# {{exercise}}
#
# To use the exemplar's box, SiamConcatRPN adds it as a mask, 1 inside and 0 outside, which enters the first layer through a separate convolution. The search image gets a mask too: the box of the previous frame. (In training, it is the true box, shifted and resized at random.)
#
# Write the masks of a batch of boxes. Boxes are not made of whole pixels, and they may reach over the edge of the image. A pixel belongs to the box if its *centre* lies in it; the centre of pixel $i$ is at $i + ½$.
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
# A guide is also a temptation. It says where the target *was*; a network can reach a low loss by moving that box to the nearest outline, without ever looking at the exemplar. The report gives this as the reason why SiamConcatRPN failed. You can measure it by giving the network a wrong mask.

# %%
from course_lib.geometry.anchors import decode
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import exemplar_window, search_window
from course_lib.trackers.siamrpn import with_mask


def best_box(network, sequence, t, mask_shift):
    """The most probable box (4,) in frame t, and the target's box (4,).

    The mask is placed `mask_shift` pixels beside the target.
    """
    z_window, x_window = exemplar_window(sequence.boxes[0]), search_window(sequence.boxes[t])
    z_box, truth = (
        z_window.box_to_crop(sequence.boxes[0]),
        x_window.box_to_crop(sequence.boxes[t]),
    )
    z = with_mask(z_window.cut(sequence.frames[0]), z_box)  # (127, 127, 4)
    x = with_mask(x_window.cut(sequence.frames[t]), truth + [mask_shift, 0, 0, 0])
    answer = network.respond(network.template_features(z, 255), x[None])[0]  # (A, 5)
    best = int(answer[:, 0].argmax())
    return decode(answer[best, 1:], network.anchors(255)[best]), truth


shifts = (0, 16, 32, 48, 64)
subjects = sequences.loaded(by_profile(smoke=12, laptop=3, gpu=1), 8)
frames = [(c, t) for c in subjects for t in range(1, 8, by_profile(smoke=6, laptop=2, gpu=1))]
found = np.array(
    [[np.stack(best_box(networks["concat"], c, t, s)) for c, t in frames] for s in shifts]
)  # (shifts, frames, 2, 4)
masks = found[:, :, 1] + np.array([[[s, 0, 0, 0]] for s in shifts])
to_target, to_mask = (iou(found[:, :, 0], other).mean(1) for other in (found[:, :, 1], masks))
figure, axes = plots.new_figure(width=5, height=2.8)
axes[0, 0].plot(shifts, to_target, "o-", color=plots.TRUTH, label="with the target")
axes[0, 0].plot(shifts, to_mask, "s--", color=plots.DISTRACTOR, label="with the mask")
axes[0, 0].set(xlabel="shift of the mask, search pixels", ylim=(0, 1))
axes[0, 0].set_ylabel("mean IoU of the best box")
axes[0, 0].legend(fontsize=8)
both = zip(shifts, to_target, to_mask, strict=True)
said = ", ".join(f"{s} px {a:.2f} / {b:.2f}" for s, a, b in both)
words = f"Mean IoU of SiamConcatRPN's best box with the target and with its mask, for masks shifted sideways: {said}."
plots.show(figure, alt=words)
print(f"IoU with the target / with the mask: {said}")

# %% [markdown]
# Where the mask's curve is above the target's, the network follows its guide, not its eyes.
#
# ## SiamBroadcastRPN: one vector, everywhere
#
# The other approach discards the exemplar's layout: $\varphi(z)$ is max-pooled to a single vector, which is concatenated to every cell of $\varphi(x)$. Convolutions then learn to compare. The idea comes from class-agnostic counting: networks that count objects of a class they are shown one example of.
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
# ## SiamRPN++: correlation, channel by channel
#
# {{part}}
#
# What came so far learns to compare; what follows keeps the correlation. (Before this heading is a good place to stop.)
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
# `F.conv2d` then sees one image with B · C channels and B · C kernels with one channel each. Unfold its answer at the end.
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


# %% [markdown]
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
# ### Exercise 09.6 · Spatial-aware sampling
# {{exercise}}
#
# Why did nobody use a ResNet in a Siamese tracker before? Its convolutions are padded, and padding tells a network *where* it is looking: the border is black. If the target is always at the centre in training, the network need not compare; "at the centre" is a good enough answer. SiamRPN++ shifts the target in the search image at random, uniformly by up to 64 pixels in each direction, so that its position says nothing.
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
# Does the preference for the centre really come from the training data? A small network with padded convolutions is shown noisy images with one bright blob each, and has to say where the blob is. It is trained three times: with the blob always at the centre, within ±4 pixels of it, and within ±12. Afterwards all three networks are shown pure noise, *no blob anywhere*: the mean of a network's maps is what it believes before it sees anything. **Predict** the three maps.

# %%
from torch import nn

SIDE = 32


def blobs(rng, n, shift):
    """Noisy images (n, 1, 32, 32) with one blob each, and the blobs' positions (n, 2).

    A blob is at most `shift` pixels from the centre.
    """
    at = rng.uniform(-shift, shift, (n, 2)) if shift else np.zeros((n, 2))
    grid = np.arange(SIDE) - (SIDE - 1) / 2
    across = (grid[None, None, :] - at[:, :1, None]) ** 2
    down = (grid[None, :, None] - at[:, 1:, None]) ** 2
    hill = np.exp(-(across + down) / 18)  # (n, 32, 32)
    return torch.from_numpy((hill + rng.normal(0, 1, hill.shape))[:, None]).float(), at


def belief(shift, steps):
    """Mean map (8, 8) over images without a blob.

    The network is padded and was trained with blobs within ±shift.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    layers, before = [], 1
    for stride in (2, 2, 1, 1, 1, 1):
        layers += [nn.Conv2d(before, 16, 3, stride, padding=1), nn.ReLU()]
        before = 16
    network = nn.Sequential(*layers, nn.Conv2d(16, 1, 1))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    cell = (np.arange(8) - 3.5) * 4  # pixels from the centre
    for _ in range(steps):
        images, at = blobs(rng, 32, shift)
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
        return network(noise)[:, 0].sigmoid().mean(0).numpy()


steps = by_profile(smoke=8, laptop=250, gpu=250)
figure, axes = plots.new_figure(width=8.5, height=2.9, columns=3)
said = []
for ax, shift in zip(axes[0], (0, 4, 12), strict=True):
    title = f"within ±{shift} px" if shift else "always at the centre"
    values = belief(shift, steps)
    image = plots.show_map(ax, values, title, vmin=0, vmax=1)
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]]).mean()
    said.append(
        f"{title}: {values[3:5, 3:5].mean():.2f} at the centre, {border:.2f} at the border"
    )
figure.colorbar(image, ax=list(axes[0]), label="probability of a blob")
words = f"What a padded network believes about images of pure noise after training with blobs at the centre, within ±4 and within ±12 pixels. {'; '.join(said)}."
plots.show(figure, alt=words)
print("\n".join(said))

# %% [markdown]
# There is no blob in these images. Any difference between centre and border was learned from where the targets *were* in training, and it can be expressed only because padding tells every cell how far away the border is: a convolution without padding does the same everywhere. Lesson 10 looks at this in detail.
#
# ### Exercise 09.7 · Three depths, one answer
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


# %% [markdown]
# ## Experiment: four heads, one budget
#
# Train the heads here and now, from random weights on generated pairs, next to a SiamFC. **Predict:** which is ahead after so few pairs?

# %%
from course_lib.training.brief import train_recipe

small = by_profile(
    smoke={"steps": 3, "validate_every": 3, "validation_pairs": 16, "widths": [8] * 5},
    laptop={"steps": 120, "validate_every": 40, "validation_pairs": 64},
    gpu={"steps": 1500, "batch": 64, "workers": 8, "validate_every": 250},
)
lines = {}
for head in by_profile(smoke=names[:1] + names[3:4], laptop=names[:4], gpu=names):
    kind = {"network": "siamfc"} if head == "siamfc" else {"proposals.head": head}
    rows = train_recipe("train_siamrpn_lesson", small | kind).progress.validation
    lines[head] = [row["hits"] for row in rows]
steps = [row["step"] for row in rows]
figure, axes = plots.new_figure(width=6, height=2.8)
plots.draw_lines(axes[0, 0], lines, steps, True, xlabel="step", ylabel="hits", ylim=(0, 1))
said = ", ".join(f"{head} {hits[-1]:.2f}" for head, hits in lines.items())
words = f"Fraction of validation pairs that are hits, during training: at the end {said}. For SiamFC a hit is a peak within 16 pixels, for the others a box with an IoU above one half."
plots.show(figure, alt=words)
print(f"hits at the end: {said}")

# %% [markdown]
# (For SiamFC a hit is a peak within 16 pixels of the target, for the others a box with an IoU above one half. These are not the same thing, so compare how the curves *rise*.)
#
# Now for the results of a longer run, which ship with the course: the same five networks, two seeds each, tracking on generated and on real clips. *Held-out IoU* is the IoU of the most probable box on pairs not used for training; the other columns come from tracking (AUC, and precision at 20 pixels).

# %%
heads = read_measured(RESULTS / "heads.json")
paper = read_measured(RESULTS / "siamrpn_published.json")
runs = {name: [r for r in heads["runs"] if r["match"] == name] for name in names}


def each_seed(values):
    """The values of all seeds, in one cell of a table."""
    return " ".join("–" if v is None else f"{v:.3f}" for v in values)


rows = {
    name: {
        "head, M": of[0]["parameters_of_head"] / 1e6,
        "held-out IoU": each_seed(r["validation"].get("iou") for r in of),  # SiamFC has no box
        "generated": each_seed(r["generated-v1"]["auc"] for r in of),
        "22 real": each_seed(r["otb+vot2014"]["auc"] for r in of),
        "precision": each_seed(r["otb+vot2014"]["precision20"] for r in of),
    }
    for name, of in runs.items()
}
caption = f"{heads['pairs']:,} pairs each, two seeds; {heads['measured']['hardware']}"
show_table(rows, caption, formats=".2f", first="match")
show_table(paper["epfl_otb2015"], "OTB-2015, EPFL report")

# %%
real = {name: [r["otb+vot2014"] for r in of] for name, of in runs.items()}
mean = {name: {"auc": np.mean([r["auc"] for r in of])} for name, of in real.items()}
curves = {
    name: {"success": np.mean([r["curves"]["success"] for r in of], axis=0)}
    for name, of in real.items()
}
about = {"benchmark": "22 real targets", "protocol": "ope", "sequences": range(22)}
report = Report.from_dict({**about, "overall": mean, "curves": curves})
figure, axes = plots.new_figure(width=9, height=3.2, columns=2)
said = draw_curves(axes[0, 0], report)
right, benchmarks = axes[0, 1], ["EPFL, OTB-2015", "ours, 22 targets"]
for row, head in zip(paper["epfl_otb2015"], ("upchannel", "broadcast", "concat"), strict=True):
    look = {"color": plots.CYCLE[names.index(head)], "marker": "o"}  # the head's own colour
    right.plot(benchmarks, (row["auc"], mean[head]["auc"]), label=row["tracker"], **look)
right.set(xlim=(-0.2, 1.2), ylabel="AUC", ylim=(0, 0.7))
right.legend(fontsize=8)
words = f"Left: success on 22 real targets, mean of two seeds: {said}. Right: AUC of the three networks of the EPFL report, theirs on OTB-2015 beside ours on the 22 targets."
plots.show(figure, alt=words)
print(said)

# %% [markdown]
# Read the table with three things in mind. The spread between two seeds of the same head is the smallest difference that means anything. The budget is tiny: the networks of the report had pre-trained backbones and saw many more pairs. And one thing is not equal: SiamRPN's head can be *initialised* as SiamFC's similarity (both its convolutions begin as the same projection of φ), and it is; the other heads have no such form and are initialised at random.
#
# Within this budget, the order shows how much each head has to learn before it can match. SiamFC's match has no weights at all: it is a correlation, and that is strong prior knowledge about the world, namely that the same thing looks the same wherever it is. The heads add boxes of any shape, but must first learn to predict them. Lesson 08 measures, for the SiamRPN that ships with the course, how much success is lost to position and how much to size.
#
# Look at `concat`: on held-out *pairs*, where its guide lies near the target, its boxes are among the best; in *tracking*, where the guide is its own last answer, it is by far the worst. An error in one frame becomes the guide for the next. That is the report's explanation, measured.
#
# So the lecture's first remark, that a box is an odd thing to read from a correlation map, is right about the second half of the task, how large, and wrong about the first, where.
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
# Only add a constant to each of its channels, the same at every cell. A product of exemplar and search image, which correlation computes directly, needs the layers and ReLUs that follow.
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
# In principle all of them, since the crop shows it; SiamConcatRPN gets it directly, from its mask.
# </details>
#
# ## Classic mistakes
#
# * **The map grows or shrinks** by a cell in a large padded convolution: k is even.
# * **groups = B** where B · C was meant: the channels are summed, and the head gets one map.
# * **Judging heads by a single seed.** See the table.
# * **Trusting a guide.** If the network is told where the target was, it has no need to look.
#
# ## Read next
#
# * `course_lib/models/heads.py` and `heads_learned.py`: the four heads at a small size; `course_lib/models/concat_broadcast.py` and `siamrpnpp.py`: at the papers' size.
# * Lesson 10: why depth hurt Siamese trackers, and what to do about it.
