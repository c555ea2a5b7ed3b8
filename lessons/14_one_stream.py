# ---
# jupyter:
#   course: {run: [1, 1, 1, 1, 2]}
# ---

# %% [markdown]
# # 14 · One stream: attention instead of correlation
#
# | | |
# |---|---|
# | **You will be able to** | make tokens of two images and let them attend to one another; keep what the template need not compute twice; read a box from a heat map; tell from a score that the target is lost; and hand out a tracker as a file that runs without this course |
# | **You need** | lesson 04 for cross-correlation, lesson 07 for boxes by regression, lesson 09 for other ways to match |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Ye et al. (OSTrack, ECCV 2022), Vaswani et al. (attention, NeurIPS 2017), Cui et al. (MixFormer, CVPR 2022), Law and Deng (CornerNet, ECCV 2018), and the public code of OSTrack and VitTrack |
# | **Words** | {{words}} |

# %%
import copy
from importlib.util import find_spec
from time import perf_counter
from types import SimpleNamespace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import plots
from course_lib.analysis.attention_maps import attention_maps
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import SPECS, make_sequence, random_spec
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.lost import roc
from course_lib.evaluation.otb import track
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import CropWindow
from course_lib.models.attention import central_token, taken
from course_lib.models.centre_losses import radius_of
from course_lib.models.device import choose_placement
from course_lib.models.export import export, opencv_tracker
from course_lib.models.onestream import sized
from course_lib.models.runtime_stream import StreamRuntime
from course_lib.models.stems import DEVIATION, MEAN, map_of, normalised
from course_lib.models.stream_template import FACTOR, PATCH, SEARCH, TEMPLATE
from course_lib.models.weights import load_network
from course_lib.places import RESULTS, RUNS
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker
from course_lib.trackers.base import confidence_of
from course_lib.trackers.onestream import (
    OneStreamSettings,
    OneStreamTracker,
    kept_in_frame,
    square,
)
from course_lib.widgets import AttentionExplorer

torch.manual_seed(0)
network = load_network("onestream-lite0")

sequence = load_benchmark("generated-v1")["gen-18-distractors"].loaded()
template_window = square(sequence.boxes[0], FACTOR, TEMPLATE)
x, y, w, h = sequence.boxes[45]
beside = (x + 0.5 * w, y - 0.4 * h, w, h)  # where a tracker could believe the target to be
search_window = square(beside, FACTOR * SEARCH / TEMPLATE, SEARCH)
template_crop = template_window.cut(sequence.frames[0], (0, 0, 0))  # (128, 128, 3)
search_crop = search_window.cut(sequence.frames[45], (0, 0, 0))  # (256, 256, 3)
search_box = search_window.box_to_crop(sequence.boxes[45])  # (4,) pixels of the search image
z_image, x_image = (
    torch.from_numpy(crop).permute(2, 0, 1)[None].float()
    for crop in (template_crop, search_crop)
)  # (1, 3, 128, 128) and (1, 3, 256, 256), values 0…255
truth = torch.from_numpy(search_box).float()[None] / SEARCH  # (1, 4) fractions

# %% [markdown]
# ## Look first
#
# {{part}}
#
# Every network of the course so far has two branches. One turns the template into features, the other the search image; then they are compared, once, by a correlation or a head. Until then neither branch knows of the other: the features of a search image are the same whatever is being looked for in it.
#
# Here is a network in which there are no branches. Both images are cut into squares of 16 × 16 pixels, and each square becomes a *token*, a vector of features: 64 of the template, 256 of the search image. They all enter *one stream*, and in each of its blocks every token may look at every other, in several ways at once, the *heads*. Where do the tokens on the template's target look?

# %%
extent = (-0.5, SEARCH - 0.5, SEARCH - 0.5, -0.5)


def inside(box):
    """Which cells (16, 16) of the search image have their centres in a box (4,)."""
    at = PATCH * (torch.arange(SEARCH // PATCH) + 0.5)
    x, y, w, h = box
    return ((at >= y) & (at <= y + h))[:, None] & ((at >= x) & (at <= x + w))


def show_score(ax, values, title, **look):
    """Show scores (16, 16) over the search image: cell i stands for the place 16 · i."""
    where = [edge - PATCH / 2 for edge in extent]
    plots.show_map(ax, values.numpy(), title, extent=where, **look)
    ax.set(xlim=extent[:2], ylim=extent[2:])


on = inside(search_box)  # (16, 16)
own = torch.zeros(8, 8, dtype=torch.bool)
own[2:6, 2:6] = True  # the target is half as wide as the template
looks = attention_maps(network, z_image, x_image)[:, :, own.flatten()].mean(2)  # (L, H, 16, 16)
shares = 100 * looks[..., on].sum(-1) / looks.sum((2, 3))  # (L, H) per cent
best = shares.argmax(1).tolist()  # the head of each block
with torch.no_grad():
    score = network(z_image, x_image).score[0, 0]  # (16, 16)
figure, axes = plots.new_figure(width=10.4, height=2.3, columns=3 + len(looks))
plots.show_frame(axes[0, 0], template_crop, "template")
plots.draw_box(axes[0, 0], (2 * PATCH, 2 * PATCH, 4 * PATCH, 4 * PATCH), plots.EXEMPLAR)
plots.show_frame(axes[0, 1], search_crop, "search image", truth=search_box)
for k, head in enumerate(best):
    title = f"block {k + 1}, head {head + 1}\n{shares[k, head]:.0f} % on it"
    plots.show_map(axes[0, 2 + k], looks[k, head].numpy(), title, extent=extent)
show_score(axes[0, -1], score, "score")
for ax in axes[0, 2:]:
    plots.draw_box(ax, search_box)
told = ", ".join(f"{shares[k, head]:.0f}" for k, head in enumerate(best))
area = 100 * on.float().mean()
plots.show(
    figure,
    alt=f"A template with its 16 central squares marked; a search image with the target's box, which covers {area:.0f} % of the cells; for each block where one head of these squares' tokens looks in the search image; and the network's score. On the target lie, block by block, {told} % of the attention.",
)

# %% [markdown]
# {{figure look}} Left, the template with the squares whose tokens look, and the search image. Then where they look, as a mean of the 16: for each block that head which looks most at the target (chosen with the true box; the others look elsewhere). The titles say how much of the attention falls on the target. What the tokens take from the template itself is left out. Right, the score that the network makes of it all.
#
# The lesson takes such a network apart and puts it together again. Part 1: how an image becomes tokens, and what attention is. Part 2: the block; what need not be computed anew for each frame; and what the network is told. Then what it is trained with and how a tracker reads it, how it knows that the target is lost, and how it leaves the course.
#
# ## From a map to tokens
#
# A square of 16 × 16 pixels can become a token by one matrix, as in the first transformers for images, or by a backbone. Here it is EfficientNet-Lite0: its map has $C$ channels in $n \times n$ cells, one for every square, and a cell has seen something of what lies around its square too. A *transformer* knows no maps, only rows of tokens: $n^2$ vectors of $C$ numbers. And it treats them as a *set*: exchange two of them, and all it does is to exchange two of its answers. Where a token lies it can only know from the token itself. So each cell has a *position code*, a vector of $C$ learned numbers, which is added to whatever is seen there.
#
# ### Exercise 14.1 · Tokens with their places
# {{exercise}}
#
# Write both: number the cells row by row, give each its code. Template and search image have codes of their own: the upper left corner of the template, where there is background, should not look like that of the search image, where the target may be.
#
# <details><summary>Hint 1</summary>
#
# `flatten(2)` makes (B, C, n²) of (B, C, n, n), row by row.
# </details>
# <details><summary>Hint 2</summary>
#
# Now channels and cells have to change places: `transpose(1, 2)`. A `reshape` to (B, n², C) has the right shape and the wrong numbers in it.
# </details>


# %% exercise="stream.tokens" points=4 stars=1 minutes=6
@exercise("stream.tokens")
def tokens_of(z, x, place_z, place_x):
    """Two maps as tokens with the codes of their places.

    Args:
        z: tensor (B, C, m, m), features of the template.
        x: tensor (B, C, n, n), features of the search image.
        place_z: tensor (1, m², C), the template's codes.
        place_x: tensor (1, n², C), the search image's codes.

    Returns:
        tensors (B, m², C) and (B, n², C), tokens row by row.
    """
    ### BEGIN SOLUTION
    return z.flatten(2).transpose(1, 2) + place_z, x.flatten(2).transpose(1, 2) + place_x
    ### END SOLUTION


# %%
with torch.no_grad():
    z_map, x_map = (network.embed(network.map(image)) for image in (z_image, x_image))
    z, x = tokens_of(z_map, x_map, network.place_z, network.place_x)  # (1, 64, C), (1, 256, C)
    codes = F.normalize(network.place_x[0], dim=1)  # (256, C)
figure, axes = plots.new_figure(width=10, height=3.1, columns=4)
for ax, crop, name in (
    (axes[0, 0], template_crop, "template"),
    (axes[0, 1], search_crop, "search image"),
):
    n = len(crop) // PATCH
    plots.show_frame(ax, crop, f"{name}: {n * n} tokens")
    for k in range(1, n):
        ax.axhline(PATCH * k - 0.5, color="white", linewidth=0.5)
        ax.axvline(PATCH * k - 0.5, color="white", linewidth=0.5)
    for number in (0, 1, n - 1, n, n * n - 1):
        row, column = divmod(number, n)
        place = PATCH * (column + 0.5), PATCH * (row + 0.5)
        ax.text(*place, number, color="white", fontsize=8 if n == 8 else 6, ha="center")
for ax, number in ((axes[0, 2], 0), (axes[0, 3], 5 * 16 + 9)):
    alike = map_of((codes @ codes[number])[None, :, None])[0, 0].numpy()  # (16, 16)
    plots.show_map(ax, alike, f"code of cell {number}", vmin=-1, vmax=1)
shape_z, shape_x = tuple(z.shape), tuple(x.shape)
plots.show(
    figure,
    alt=f"Template and search image cut into squares that are numbered row by row, and the cosines of two cells' position codes with all 256 codes of the search image. The tokens have shapes {shape_z} and {shape_x}.",
)

# %% [markdown]
# {{figure tokens}} Left, the squares and some of their numbers. Right, how alike the position code of one cell and those of all others are (cosines, −1 to 1), for the cell in the upper left corner and for one near the centre. Nobody has told the network which cells are neighbours.
#
# ## Attention is a match
#
# Lesson 04 compared by cross-correlation. For a template of a single cell, $z$, that is one product per cell $j$ of the search image:
#
# $$r_j = \langle z, x_j \rangle .$$
#
# *Attention* begins in the same way. Each token $t_i$ is multiplied by three learned matrices: its *query* $q_i$ says what it looks for, its *key* $k_i$ what it can be found by, its *value* $v_i$ what it hands over. Then
#
# $$a_{ij} = \frac{\exp(\langle q_i, k_j\rangle / \sqrt d)}{\sum_m \exp(\langle q_i, k_m\rangle / \sqrt d)}, \qquad \text{answer}_i = \sum_j a_{ij}\, v_j .$$
#
# Side by side with a correlation: the products are taken between *learned* views of the tokens, new ones in every block. The softmax makes the keys *compete*: a token that gets more leaves less for the others, as in lesson 11's losses. The answer is no score but a mixture of values: a new feature. And *everybody* asks: search tokens ask template tokens, and one another.
#
# Why $\sqrt d$? A product of $d$ numbers of variance 1 has variance $d$; without the root a softmax over many channels is all or nothing, and has no gradient.
#
# One softmax can point to one thing. So the channels are divided among $H$ *heads* of $d = C/H$ channels, each with its own softmax; their answers are put side by side.
#
# ### Exercise 14.2 · Attention in heads
# {{exercise}}
#
# Write it for queries, keys and values that are given. Return the weights too; the next figures are drawn from them.
#
# <details><summary>Hint 1</summary>
#
# `t.unflatten(2, (heads, -1))` splits the channels: (B, N, H, d). Batched products need the heads in front: `.transpose(1, 2)`.
# </details>
# <details><summary>Hint 2</summary>
#
# `q @ k.transpose(2, 3)` is (B, H, N, M); the softmax goes along the last axis. On the way back the axes have to change places *before* `flatten(2)`.
# </details>


# %% exercise="stream.attention" points=8 stars=2 minutes=12
@exercise("stream.attention")
def attention(q, k, v, heads):
    """Attention in several heads.

    Args:
        q: tensor (B, N, C), queries.
        k: tensor (B, M, C), keys.
        v: tensor (B, M, C), values.
        heads: H; the first C / H channels belong to the first head, and so on.

    Returns:
        mixed values, tensor (B, N, C), the heads side by side, and weights, tensor (B, H, N, M).
    """
    ### BEGIN SOLUTION
    q, k, v = (t.unflatten(2, (heads, -1)).transpose(1, 2) for t in (q, k, v))  # (B, H, ·, d)
    weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1)  # (B, H, N, M)
    return (weights @ v).transpose(1, 2).flatten(2), weights
    ### END SOLUTION


# %% [markdown]
# The same search image, asked in four ways: by the correlation with one cell, the mean of the template's target in the backbone's features; by its softmax; and by your attention from the tokens of the template's target, in the first block and in the last, for the heads of {{see look}}. **Predict:** in which maps are cells outside the target's box higher than the highest inside?


# %%
def queries_keys_values(block, z, x):
    """Queries, keys and values (1, 320, C) of a block for the tokens of both images."""
    return block.attn.qkv(block.norm1(torch.cat([z, x], 1))).chunk(3, -1)


with torch.no_grad():
    one = z_map[0, :, 2:6, 2:6].mean((1, 2))  # (C,)
    plain = torch.einsum("c,cij->ij", one, x_map[0])  # (16, 16)
    seen = {"correlation": plain, "its softmax": plain.flatten().softmax(0).view(16, 16)}
    inner = z, x
    for k, block in enumerate(network.blocks):
        q, key, v = queries_keys_values(block, *inner)
        if k in (0, len(network.blocks) - 1):
            weights = attention(q, key, v, block.attn.heads)[1]  # (1, H, 320, 320)
            row = weights[0, best[k], :64][own.flatten()].mean(0)  # (320,)
            seen[f"attention, block {k + 1}"] = row[64:].view(16, 16)
        inner = [block.think(t) for t in block.together(*inner)[:2]]
higher = {}
figure, axes = plots.new_figure(width=10.4, height=2.5, columns=1 + len(seen))
plots.show_frame(axes[0, 0], search_crop, "search image", truth=search_box)
for ax, (name, values) in zip(axes[0, 1:], seen.items(), strict=True):
    higher[name] = int((values[~on] > values[on].max()).sum())
    plots.show_map(ax, values.numpy(), f"{name}\n{higher[name]} cells higher", extent=extent)
    plots.draw_box(ax, search_box)
told = ", ".join(f"{name} {count}" for name, count in higher.items())
plots.show(
    figure,
    alt=f"A search image and four maps of how well its cells match the template's target. Cells outside the target's box that are higher than the highest inside: {told}.",
)

# %% [markdown]
# {{figure match}} Four answers to the same question. The titles count the cells outside the target's box whose value is higher than the highest inside.
#
# <details><summary>What came of it</summary>
#
# The first two always agree: a softmax keeps the order of what it gets, so what is highest stays highest, it only stands out more. What changes the order are the learned queries and keys. Those of the last block no longer compare what the backbone saw: by then search tokens have asked the template, the template has asked them, and each has been told what lies beside it. And no attention is obliged to be high on the target: no loss ever looks at it. What the loss looks at comes at the end of part 2.
# </details>
#
# Choose a token of the template by a click on the left image, or with the sliders. In the search image the cells are the brighter, the more of its attention the token gives them; the target's true box is green. At the right is the score that the network makes of it all.

# %%
AttentionExplorer(sequence, network)

# %% [markdown]
# **Find out by playing:** in which layer, and in which head, does a token on the target look most at the target? And one at the corner of the template, on the background: does it look at the same kind of ground, or at nothing in particular? Is there a head that looks at the same cells whichever token you choose?
#
# **A good place to stop.** You have what the network sees, and how its tokens look at one another.
#
# ## The block
#
# {{part}}
#
# Run the cells above; your answers are saved in them. Attention alone only mixes. A *block* does two things to the tokens $t$ of both images, and *adds* what each finds to what was there:
#
# $$t \leftarrow t + W \operatorname{attention}(\operatorname{norm}_1(t)), \qquad t \leftarrow t + \operatorname{mlp}(\operatorname{norm}_2(t)).$$
#
# The first lets tokens learn from each other; the second, two layers with a bend between them, lets each think about it alone. Both read *normed* tokens, whose channels have mean 0 and variance 1 before a learned scale and offset. The sums themselves stay without norm: a straight path from the first block to the last, along which the gradient comes back undiminished, as in lesson 10's residual units.
#
# ### Exercise 14.3 · The one-stream block
# {{exercise}}
#
# `layers` has `norm1`, `qkv`, `proj` (that is $W$), `norm2` and `mlp`, which you call, and the number `heads`. `qkv` makes of each token its query, key and value, one behind the other, $C$ channels each. Write the block for the tokens of both images; use your `attention`.
#
# <details><summary>Hint 1</summary>
#
# `torch.cat([z, x], 1)` joins the tokens; after that there is one stream, and the block does not know which token came from where. At the end take it apart again.
# </details>
# <details><summary>Hint 2</summary>
#
# `q, k, v = layers.qkv(layers.norm1(t)).chunk(3, -1)`. In the second step `norm2` reads the tokens as they are after the first.
# </details>


# %% exercise="stream.block" points=7 stars=2 minutes=10
@exercise("stream.block")
def stream_block(layers, z, x):
    """Both images' tokens after one block.

    Args:
        layers: norm1, qkv, proj, norm2 and mlp, functions of tokens; heads, a number.
        z: tensor (B, Nz, C), tokens of the template.
        x: tensor (B, Nx, C), tokens of the search image.

    Returns:
        tensors (B, Nz, C) and (B, Nx, C).
    """
    ### BEGIN SOLUTION
    t = torch.cat([z, x], 1)  # (B, Nz + Nx, C)
    mixed, _ = attention(*layers.qkv(layers.norm1(t)).chunk(3, -1), layers.heads)
    t = t + layers.proj(mixed)
    t = t + layers.mlp(layers.norm2(t))
    return t[:, : z.shape[1]], t[:, z.shape[1] :]
    ### END SOLUTION


# %% [markdown]
# Your tokens, your attention and your block are the whole stream. With the trained weights, and the head of the next section, they must give the score map of the library's network.
#
# And the claim about sets can be tried. Three times the same search image: as it is; with all 256 tokens shuffled *after* they got their codes; with the features shuffled *before*, so that codes and features no longer belong together. Each time the answers are put back in order before the head reads them. **Predict:** which of the two shuffles does the score map notice?


# %%
def layers_of(block):
    """What exercise 14.3 calls `layers`, of a block of the network."""
    parts = {"norm1": block.norm1, "qkv": block.attn.qkv, "proj": block.attn.proj}
    return SimpleNamespace(**parts, norm2=block.norm2, mlp=block.mlp, heads=block.attn.heads)


def streamed(z, x):
    """The search image's tokens (B, Nx, C) after all blocks."""
    for block in network.blocks:
        z, x = stream_block(layers_of(block), z, x)
    return x


def score_map(z, x):
    """The head's maps for the tokens of both images."""
    return network.head(map_of(network.norm(streamed(z, x))))


order = torch.from_numpy(np.random.default_rng(0).permutation(256))
back = order.argsort()
with torch.no_grad():
    whole = network(z_image, x_image).score
    mine = score_map(z, x).score
    after = streamed(z, x[:, order])[:, back]
    before = streamed(z, (x - network.place_x)[:, order] + network.place_x)[:, back]
    shown = {"as it is": mine}
    for name, tokens in (("tokens shuffled", after), ("features shuffled", before)):
        shown[name] = network.head(map_of(network.norm(tokens))).score
print(f"largest difference to the library's network: {float((mine - whole).abs().max()):.1e}")
figure, axes = plots.new_figure(width=9, height=2.7, columns=4)
plots.show_frame(axes[0, 0], search_crop, "search image", truth=search_box)
changes = {}
for ax, (name, values) in zip(axes[0, 1:], shown.items(), strict=True):
    changes[name] = float((values - mine).abs().max())
    title = f"{name}\nchanged by {changes[name]:.1g}"
    show_score(ax, values[0, 0], title, vmin=0, vmax=float(mine.max()))
    plots.draw_box(ax, search_box)
told = ", ".join(f"{name} {change:.1g}" for name, change in changes.items())
plots.show(
    figure,
    alt=f"Score maps of one search image as it is, with its tokens shuffled after they got their codes, and with the features shuffled before. Largest change of a score, which is at most {float(mine.max()):.2g}: {told}.",
)

# %% [markdown]
# {{figure shuffled}} Score maps in the same colours; the titles give the largest change of a score.
#
# <details><summary>What came of it</summary>
#
# Not the first: up to rounding, nothing has changed. A block does the same to every token, and a sum over all tokens does not ask in which order they come. The second it can notice, by as much as the network relies on its codes; the title says how much that is here. There are other sources: a backbone of padded convolutions has put traces of the place into its features (lesson 10), and the head is made of convolutions, which know neighbours very well. That is why the answers had to be put back in order for it.
# </details>
#
# ## What the template need not compute twice
#
# All tokens of both images are one matrix of attention, 320 × 320, and it falls into four quarters: the template looks at itself, and at the search image; the search image looks at the template, and at itself.

# %%
matrices, inner = [], (z, x)
with torch.no_grad():
    for block in network.blocks:
        weights = attention(*queries_keys_values(block, *inner), block.attn.heads)[1]
        matrices.append(weights[0].mean(0).numpy())  # (320, 320), mean of the heads
        inner = stream_block(layers_of(block), *inner)
shared = {
    "template → search image": [100 * m[:64, 64:].sum(1).mean() for m in matrices],
    "search image → template": [100 * m[64:, :64].sum(1).mean() for m in matrices],
}
figure, axes = plots.new_figure(width=9.6, height=3.3, columns=3)
for ax, matrix, name in (
    (axes[0, 0], matrices[0], "block 1"),
    (axes[0, 1], matrices[-1], f"block {len(matrices)}"),
):
    ax.imshow(np.log10(matrix + 1e-6), cmap=plots.MAP)
    ax.axhline(63.5, color="white")
    ax.axvline(63.5, color="white")
    ax.set_title(name, fontsize=10)
    ax.set_xticks([32, 192], ["template", "search image"], fontsize=8)
    ax.set_yticks([32, 192], ["template", "search image"], fontsize=8, rotation=90, va="center")
    ax.set(xlabel="looked at", ylabel="looks")
blocks = range(1, len(matrices) + 1)
plots.draw_lines(axes[0, 2], shared, blocks, markers=True, xlabel="block", ylim=(0, 100))
axes[0, 2].set(ylabel="% of a token's attention", xticks=list(blocks))
axes[0, 2].axhline(20, color=plots.NEUTRAL, linewidth=0.8, linestyle=":")
axes[0, 2].axhline(80, color=plots.NEUTRAL, linewidth=0.8, linestyle=":")
told = "; ".join(
    f"{name} {', '.join(f'{v:.0f}' for v in values)}" for name, values in shared.items()
)
plots.show(
    figure,
    alt=f"The attention of all 320 tokens to one another in the first and the last block, in quarters; and the percentage of attention that crosses from one image to the other, block by block: {told}.",
)

# %% [markdown]
# {{figure quarters}} Left and centre, the whole matrix as a mean of the heads, on a logarithmic scale: rows look, columns are looked at; a vertical stripe is a token that all others look at, whatever they are. Right, how much of a token's attention goes to the other image; the dotted lines are what each would get if all tokens were equally interesting.
#
# The upper right quarter has a price. Because of it the template's tokens are different for every search image, and all of them go through every block again. MixFormer leaves it out: the template looks only at itself. Then its tokens, and with them their *keys and values* in every block, are the same for the whole video. They are computed once and kept; in each frame only the search image's tokens pass the block, and look at both. This is *asymmetric attention*.
#
# ### Exercise 14.4 · A template that is kept
# {{exercise}}
#
# Write the block anew, in two steps: what is done once, and a function that is called for every frame. The template's own tokens after the block are for the next block, which makes its keys and values of them.
#
# <details><summary>Hint 1</summary>
#
# A function defined inside another remembers its variables: `key` and `value` of the template, computed outside, are there whenever `ask` is called.
# </details>
# <details><summary>Hint 2</summary>
#
# In `ask` only x goes through `norm1` and `qkv`. Then `torch.cat([kept.expand(len(x), -1, -1), own], 1)` for keys and for values, and *one* softmax over both.
# </details>


# %% exercise="stream.cache" points=8 stars=3 minutes=12
@exercise("stream.cache")
def template_first(layers, z):
    """A block whose template looks only at itself.

    Args:
        layers: as in exercise 14.3.
        z: tensor (1, Nz, C), tokens of the template.

    Returns:
        the template's tokens after the block, tensor (1, Nz, C); and a function from the search
        images' tokens (B, Nx, C) to those after the block, which does no work for the template.
    """
    ### BEGIN SOLUTION
    q, key, value = layers.qkv(layers.norm1(z)).chunk(3, -1)

    def through(t, q, key, value):
        t = t + layers.proj(attention(q, key, value, layers.heads)[0])
        return t + layers.mlp(layers.norm2(t))

    def ask(x):
        q, *own = layers.qkv(layers.norm1(x)).chunk(3, -1)
        kept = (t.expand(len(x), -1, -1) for t in (key, value))
        return through(x, q, *(torch.cat(pair, 1) for pair in zip(kept, own, strict=True)))

    return through(z, q, key, value), ask
    ### END SOLUTION


# %% [markdown]
# Is that the same as attention of all to all in which the upper right quarter is forbidden? With a *mask* the products there are set to $-\infty$ before the softmax. Both, through all blocks, and the time that each takes for a frame:

# %%
mask = torch.ones(320, 320, dtype=torch.bool)
mask[:64, 64:] = False  # the template does not see the search image


def masked_block(block, z, x):
    """A block of the network with the upper right quarter forbidden."""
    t = torch.cat([z, x], 1)
    q, key, value = block.attn.queries_keys_values(block.norm1(t))  # (1, H, 320, d) each
    mixed = F.scaled_dot_product_attention(q, key, value, attn_mask=mask)
    t = block.think(t + block.attn.proj(mixed.transpose(1, 2).flatten(2)))
    return t[:, :64], t[:, 64:]


def milliseconds(work):
    """Shortest time of a call."""
    spent = []
    for _ in range(by_profile(smoke=2, laptop=15, gpu=15)):
        start = perf_counter()
        work()
        spent.append(1000 * (perf_counter() - start))
    return min(spent)


def asked(x):
    """The search image's tokens after all blocks, beside the template that is kept."""
    for ask in asks:
        x = ask(x)
    return x


with torch.no_grad():
    asks, kept = [], z
    for block in network.blocks:
        kept, ask = template_first(layers_of(block), kept)
        asks.append(ask)
    inner = z, x
    for block in network.blocks:
        inner = masked_block(block, *inner)
    off = float((asked(x) - inner[1]).abs().max())
    took = {
        "all tokens, every frame": milliseconds(lambda: streamed(z, x)),
        "template kept": milliseconds(lambda: asked(x)),
    }
print(f"largest difference to attention under a mask: {off:.1e}")
print("; ".join(f"{name}: {ms:.1f} ms" for name, ms in took.items()))

# %% [markdown]
# The difference is rounding. The time saved is in the blocks alone, and no more than the template has tokens: here a fifth of all. It pays where there are many template tokens (MixFormer keeps two templates), and it is what makes *several* templates cheap. The price: the template's tokens no longer learn what they have to be told apart from. This network was trained with all four quarters, so its own score map is the one with all four.
#
# ## What the network is told
#
# After the last block the search image's tokens are a map again, and a head of convolutions reads three things for each of its 16 × 16 cells: a *score*, whether the target's centre is here; its *size*, as fractions of the search image; and an *offset*, what is missing from the cell to the centre. No anchors, and one box for each cell.
#
# What should the score be? A centre $c$, as a fraction of the search image, lies at $16\,c$ in cells; the nearest cell's number is $16\,c$ *rounded*, and the offset is the difference. The score is 1 there. But a box one cell beside it would still be a good one, and should not be punished as background is. So a *heat map* falls off around the cell, as a Gaussian:
#
# $$\text{heat} = \exp\Big(-\frac{\Delta x^2 + \Delta y^2}{2\sigma^2}\Big) \text{ where } |\Delta x|, |\Delta y| \le r, \text{ else } 0; \qquad \sigma = \frac{2r + 1}{6}.$$
#
# The radius $r$ depends on the target's size in cells. `radius_of` computes it by CornerNet's rule: how far the corners of a box may be displaced so that an IoU of 0.7 is left. $r$ is its whole part.
#
# ### Exercise 14.5 · Heat map and offset
# {{exercise}}
#
# Write both for several boxes at once.
#
# <details><summary>Hint 1</summary>
#
# `(n * centres).round()`, and a `clamp` to 0 … n − 1: a centre at the very edge belongs to the last cell. The Gaussian stands on the *rounded* centre.
# </details>
# <details><summary>Hint 2</summary>
#
# `dx = torch.arange(n) - column[:, None]` is (B, n), the same for `dy` with the rows; as `dx[:, None, :]` and `dy[:, :, None]` they make a map (B, n, n).
# </details>


# %% exercise="stream.heat" points=7 stars=2 minutes=12
@exercise("stream.heat")
def centre_targets(boxes, n):
    """What score and offset should be.

    Args:
        boxes: tensor (B, 4), x, y, w, h as fractions of the search image.
        n: cells per side.

    Returns:
        heat maps, tensor (B, n, n), rows are y; and offsets, tensor (B, 2), along x and y, in
        cells, from the cell's number to the centre.
    """
    ### BEGIN SOLUTION
    exact = n * (boxes[:, :2] + boxes[:, 2:] / 2)  # (B, 2)
    cells = exact.round().clamp(0, n - 1)
    r = radius_of(n * boxes[:, 2:]).floor().clamp_min(0)[:, None, None]  # (B, 1, 1)
    dx = (torch.arange(n) - cells[:, :1])[:, None, :]  # (B, 1, n)
    dy = (torch.arange(n) - cells[:, 1:])[:, :, None]  # (B, n, 1)
    heat = torch.exp(-(dx**2 + dy**2) / (2 * ((2 * r + 1) / 6) ** 2))  # (B, n, n)
    return heat * ((dx.abs() <= r) & (dy.abs() <= r)), exact - cells
    ### END SOLUTION


def heat_map(boxes, n):
    """Heat maps (B, n, n) alone, for boxes (B, 4)."""
    return centre_targets(boxes, n)[0]


# %% [markdown]
# Here is what your function asks for: for the target of this search image, and for boxes around the same centre that are smaller and larger. On the right, the radius over the size of a square target: as `radius_of` has it, and as the three equations say. The code that all of these trackers share divides by 2 where the equation says $2a$.


# %%
def equations(size, overlap=0.7):
    """The largest displacement of the corners of a square that leaves the overlap."""
    area, both = size * size, 2 * size
    found = []
    for a, b, c in (  # a r² + b r + c = 0
        (1, -both, area * (1 - overlap) / (1 + overlap)),  # one corner in, one out
        (4, -2 * both, (1 - overlap) * area),  # both in
        (4 * overlap, 2 * overlap * both, (overlap - 1) * area),  # both out
    ):
        roots = np.roots([a, b, c])
        found.append(min(roots[roots > 0]))
    return min(found)


box = torch.from_numpy(search_box).float()[None] / SEARCH  # (1, 4)
around = box[:, :2] + box[:, 2:] / 2
boxes = torch.cat(
    [torch.cat([around - f * box[:, 2:] / 2, f * box[:, 2:]], 1) for f in (1, 0.4, 2)]
)
heats, offsets = centre_targets(boxes, SEARCH // PATCH)
figure, axes = plots.new_figure(width=10.4, height=2.9, columns=4)
for ax, heat, shown in zip(axes[0, :3], heats.numpy(), boxes.numpy() * 16, strict=True):
    plots.show_map(ax, heat, f"{(heat > 0).sum()} cells above 0", vmin=0, vmax=1)
    plots.draw_box(ax, shown + (0.5, 0.5, 0, 0), "white")  # cell i stands for the place i
    exact = shown[:2] + shown[2:] / 2
    ax.plot(*exact, "+", color=plots.PREDICTION, markersize=10, markeredgewidth=2)
    ax.set(xlim=(-0.5, 15.5), ylim=(15.5, -0.5))
sizes = np.linspace(0.5, 12, 60)
lines = {
    "radius_of": radius_of(torch.from_numpy(sizes)[:, None].expand(-1, 2)).numpy(),
    "the equations": [equations(size) for size in sizes],
}
plots.draw_lines(axes[0, 3], lines, sizes, xlabel="side of a square target, cells")
axes[0, 3].set(ylabel="radius, cells")
at_four = [float(np.interp(4, sizes, line)) for line in lines.values()]
told = ", ".join(f"({dx:.2f}, {dy:.2f})" for dx, dy in offsets.tolist())
plots.show(
    figure,
    alt=f"Heat maps for a target of this size, of 0.4 and of 2 times its size around the same centre, with {', '.join(str(int((h > 0).sum())) for h in heats)} cells above 0; their offsets are {told}. Right, the radius over the side of a square: for 4 cells {at_four[0]:.2f} by the published code, {at_four[1]:.2f} by the equations.",
)

# %% [markdown]
# {{figure heat}} Three heat maps, with their boxes; the cross is the exact centre, the brightest cell the rounded one. Right, two radii. A target of four cells is what the tracker's search image shows: a quarter of its side. There the published code gives a radius of one cell; by the equations it would be 0, and the heat map a single point. So what looks like a slip has become part of the recipe.
#
# **A good place to stop.** The network is whole, and knows what it should say.

# %% [markdown]
# ## How wrong is a heat map?
#
# {{part}}
#
# Run the cells above; your answers are saved in them.
#
# Of 256 cells one is the target's centre. With a plain cross-entropy the 255 others decide what is learned: each costs next to nothing, and together they cost most. SiamRPN drew 16 positive anchors and 48 negative ones and threw the rest away (lesson 07). CornerNet keeps all cells and *weights* them:
#
# $$L = -\frac{1}{N} \sum_j \begin{cases} (1 - p_j)^2 \log p_j & \text{where heat}_j = 1, \\ (1 - \text{heat}_j)^4\; p_j^2\, \log(1 - p_j) & \text{elsewhere.} \end{cases}$$
#
# $p_j$ is the score, 0 … 1. Squared, it says how wrong the cell still is: *focal* means that cells that are right already hardly count. The fourth power is the heat map's part: beside a centre a score costs less. $N$ is the number of centres, and at least 1.
#
# ### Exercise 14.6 · The focal loss
# {{exercise}}
#
# Write it for a batch. Some of its pairs are negative: their heat map is 0 everywhere.
#
# <details><summary>Hint 1</summary>
#
# `right = heat == 1` says where a centre is. `torch.where(right, a, b)` chooses between two tensors cell by cell; so does a sum over `a[right]` and one over `b[~right]`.
# </details>
# <details><summary>Hint 2</summary>
#
# `right.sum().clamp_min(1)` is N. The head keeps scores between 0.0001 and 0.9999, so no logarithm is infinite.
# </details>


# %% exercise="stream.focal" points=5 stars=2 minutes=7
@exercise("stream.focal")
def focal_loss(score, heat):
    """CornerNet's focal loss of score maps.

    Args:
        score: tensor (B, n, n), above 0 and below 1.
        heat: tensor (B, n, n), 1 at a target's centre.

    Returns:
        tensor ().
    """
    ### BEGIN SOLUTION
    right = heat == 1
    hit = (1 - score) ** 2 * score.log()
    miss = (1 - heat) ** 4 * score**2 * (1 - score).log()
    return -torch.where(right, hit, miss).sum() / right.sum().clamp_min(1)
    ### END SOLUTION


# %% [markdown]
# An untrained head says 1 % in every cell (its last bias is made so). Later it says 60 % at the centre and 5 % elsewhere. **Predict:** which part of the loss comes from the 255 cells of the background, at first and later, with the cross-entropy and with the focal loss?

# %%
p = torch.linspace(0.005, 0.995, 199)
lines = {"centre: cross-entropy": -p.log(), "elsewhere: cross-entropy": -(1 - p).log()}
for name, heat in (("centre", 1.0), ("elsewhere", 0.0), ("beside it, heat 0.6", 0.6)):
    cell = torch.full((1, 1, 1), heat)
    lines[f"{name}: focal"] = [float(focal_loss(v.view(1, 1, 1), cell)) for v in p]
alone = torch.zeros(1, 16, 16)
alone[0, 8, 8] = 1.0
parts = {}
for when, at_centre, elsewhere in (("at first", 0.01, 0.01), ("later", 0.6, 0.05)):
    score = torch.where(alone == 1, at_centre, elsewhere)
    crossed = {"all": -score[alone == 1].log().sum() - (1 - score[alone < 1]).log().sum()}
    crossed["elsewhere"] = -(1 - score[alone < 1]).log().sum()
    focal = focal_loss(score, alone), focal_loss(torch.where(alone == 1, 0.9999, score), alone)
    parts[f"cross-entropy,\n{when}"] = 100 * float(crossed["elsewhere"] / crossed["all"])
    parts[f"focal,\n{when}"] = 100 * float(focal[1] / focal[0])
figure, axes = plots.new_figure(width=9.4, height=3, columns=2, width_ratios=[3, 2])
plots.draw_lines(axes[0, 0], lines, p, xlabel="score p of a cell", ylim=(0, 3))
axes[0, 0].set_ylabel("cost")
axes[0, 0].legend(fontsize=7)
axes[0, 1].bar(list(parts), list(parts.values()), color=[plots.NEUTRAL, plots.EXEMPLAR] * 2)
axes[0, 1].set(ylabel="background's part of the loss, %", ylim=(0, 100))
axes[0, 1].tick_params(axis="x", labelsize=8)
told = ", ".join(f"{' '.join(name.split())} {part:.0f} %" for name, part in parts.items())
plots.show(
    figure,
    alt=f"Left, the cost of a cell over its score: cross-entropies are steep from the start, focal costs stay near 0 until a score is clearly wrong, by definition of their weights. Right, the part of the loss that the background has: {told}.",
)

# %% [markdown]
# {{figure focal}} Left, what one cell costs. Right, which part of the loss the 255 other cells have together, at first and later.
#
# <details><summary>What came of it</summary>
#
# With the cross-entropy it *grows* while the network learns: as soon as the centre is found, most of what is left to learn is "make the background a little darker". With the focal loss the centre keeps the larger part, until a cell of the background becomes a rival: then its cost is as steep as any.
# </details>
#
# ## The box that will be read
#
# Every cell has a box, and a tracker reads one of them: that of the highest score. So that is the one that is trained, in each image, even where the highest score is in the wrong place: a bad cell may be chosen while tracking, too. Two losses of it are added,
#
# $$2\,(1 - \text{GIoU}) + 5\, L_1, \qquad \text{GIoU} = \text{IoU} - \frac{|\text{around}| - |\text{union}|}{|\text{around}|} .$$
#
# *Around* is the smallest box that contains both. $L_1$ is the mean absolute difference of the four edges $x_0, y_0, x_1, y_1$, as fractions of the search image.
#
# ### Exercise 14.7 · GIoU and L1
# {{exercise}}
#
# Write the sum of both, as a mean over the images that show their target. In a negative pair there is no box to be found.
#
# <details><summary>Hint 1</summary>
#
# `score.flatten(1).argmax(1)` is one number for each image; `boxes.flatten(1, 2)[torch.arange(B), numbers]` are its boxes (B, 4). Edges first, then everything else: `torch.cat([b[:, :2], b[:, :2] + b[:, 2:]], 1)`.
# </details>
# <details><summary>Hint 2</summary>
#
# What both share goes from the larger of the two left edges to the smaller of the two right ones; what lies around both is the reverse. Only the sides of the former can become negative: `clamp_min(0)` before they are multiplied.
# </details>


# %% exercise="stream.box" points=8 stars=3 minutes=10
@exercise("stream.box")
def box_loss(score, boxes, wanted, positive):
    """The loss of the box with the highest score.

    Args:
        score: tensor (B, n, n).
        boxes: tensor (B, n, n, 4), the box of each cell: x, y, w, h as fractions.
        wanted: tensor (B, 4), the true boxes.
        positive: tensor (B,) of bool, whether an image shows its target.

    Returns:
        tensor (); 0 if no image shows its target.
    """
    ### BEGIN SOLUTION
    at = score.flatten(1).argmax(1)  # (B,)
    found = boxes.flatten(1, 2)[torch.arange(len(at)), at]  # (B, 4)
    a, b = (torch.cat([t[:, :2], t[:, :2] + t[:, 2:]], 1) for t in (found, wanted))
    low, high = torch.maximum(a, b), torch.minimum(a, b)  # (B, 4)
    shared = (high[:, 2:] - low[:, :2]).clamp_min(0).prod(1)  # (B,)
    union = found[:, 2:].prod(1) + wanted[:, 2:].prod(1) - shared
    around = (low[:, 2:] - high[:, :2]).prod(1)
    giou = shared / union - (around - union) / around
    costs = 2 * (1 - giou) + 5 * (a - b).abs().mean(1)
    return (costs * positive).sum() / positive.sum().clamp_min(1)
    ### END SOLUTION


# %%
target = torch.tensor([[0.4, 0.4, 0.2, 0.1]])
away = torch.linspace(-2.5, 2.5, 101)  # widths of the target
one, yes = torch.ones(1, 1, 1), torch.tensor([True])
moved = target + away[:, None] * torch.tensor([0.2, 0, 0, 0])  # (101, 4)
whole = torch.tensor([float(box_loss(one, b.view(1, 1, 1, 4), target, yes)) for b in moved])
edges = 5 * (moved - target)[:, 0].abs() / 2  # two of the four edges move
overlap = torch.tensor(iou(moved.numpy(), target.expand(101, 4).numpy()))
lines = {"2 (1 − GIoU) + 5 L1, yours": whole, "2 (1 − GIoU) alone": whole - edges}
lines |= {"5 L1 alone": edges, "2 (1 − IoU)": 2 * (1 - overlap)}
figure, axes = plots.new_figure(width=7, height=3)
plots.draw_lines(axes[0, 0], lines, away, xlabel="box moved sideways, in widths of the target")
axes[0, 0].set_ylabel("loss")
plots.show(
    figure,
    alt="The loss of a box that is moved sideways over the target. 1 − IoU is flat as soon as the boxes part, one width away; with GIoU and L1 the loss rises further, so its slope points back.",
)

# %% [markdown]
# {{figure giou}} Beyond one width the boxes no longer overlap. There 1 − IoU is flat: nothing tells a box on which side the target is. GIoU goes on rising, by less and less, and $L_1$ at the same pace as everywhere.
#
# Does a network learn from the two of them? A habit worth keeping: before a long training, let a network learn *one* pair by heart. What cannot do that has a fault. Here VitTrack's size, from random weights, on this lesson's two images:

# %%
torch.manual_seed(1)
small = sized("d48").train()
optimiser = torch.optim.Adam(small.parameters(), lr=5e-3)
rows = []
for _ in range(by_profile(smoke=3, laptop=150, gpu=150)):
    maps = small(z_image, x_image)
    focal = focal_loss(maps.score[:, 0], heat_map(truth, 16))
    box = box_loss(maps.score[:, 0], maps.boxes(), truth, yes)
    optimiser.zero_grad()
    (focal + box).backward()
    optimiser.step()
    rows.append((focal.item(), box.item()))
figure, axes = plots.new_figure(width=9, height=2.9, columns=3, width_ratios=[2, 1, 1])
lines = {"focal": [row[0] for row in rows], "box": [row[1] for row in rows]}
plots.draw_lines(axes[0, 0], lines, xlabel="steps", ylim=(0, None))
axes[0, 0].set_ylabel("loss")
score = maps.score[0, 0].detach().numpy()
plots.show_map(axes[0, 1], score, f"its scores, highest {score.max():.2f}", peak=True)
found = maps.best()[0].detach().numpy() * SEARCH
plots.show_frame(axes[0, 2], search_crop, "its box", truth=search_box, found=found)
overlap = float(iou(found, search_box))
plots.show(
    figure,
    alt=f"Both losses over {len(rows)} steps on a single pair: the focal loss from {rows[0][0]:.1f} to {rows[-1][0]:.1f}, that of the box from {rows[0][1]:.1f} to {rows[-1][1]:.1f}. Then the score map, and the box of its peak, whose IoU with the true one is {overlap:.2f}.",
)

# %% [markdown]
# {{figure heart}} Left, both losses while one pair is learned by heart; then the last score map, and its box (dashed) beside the true one.
#
# ## From maps to a box
#
# The trackers before this one had a penalty on changes of shape, a smoothed size, three scales. OSTrack has none of it. One thing has stayed, the Hann window, and it is *multiplied* onto the score, not blended with it: where the network says 0, a window cannot say otherwise.
#
# ### Exercise 14.8 · One box
# {{exercise}}
#
# Write the decoding, from the five maps to a box. The window has no zeros at its border: of a Hann window of $n + 2$ values the outermost two are left out. The score that is returned is the network's own.
#
# <details><summary>Hint 1</summary>
#
# `np.hanning(n + 2)[1:-1]` is one axis of the window, `np.outer` makes two of it. `np.unravel_index(ranked.argmax(), ranked.shape)` is row and column.
# </details>
# <details><summary>Hint 2</summary>
#
# The centre is at (column + offset along x) / n: the offset was counted from the rounded cell, so there is no ½ in it. x and y of the box are its corner's.
# </details>


# %% exercise="stream.decode" points=5 stars=2 minutes=7
@exercise("stream.decode")
def decoded(maps):
    """The box that a tracker reads from the maps.

    Args:
        maps: array (5, n, n): score, width and height (fractions of the search image), offset
            along x and y (cells).

    Returns:
        array (4,), x, y, w, h as fractions of the search image; and the score of its cell, without
        the window.
    """
    ### BEGIN SOLUTION
    n = maps.shape[-1]
    line = np.hanning(n + 2)[1:-1]
    ranked = maps[0] * np.outer(line, line)  # (n, n)
    row, column = np.unravel_index(ranked.argmax(), ranked.shape)
    score, w, h, dx, dy = maps[:, row, column]
    return np.array([(column + dx) / n - w / 2, (row + dy) / n - h / 2, w, h]), float(score)
    ### END SOLUTION


# %% [markdown]
# That was the last part of a tracker. Around it: a search image twice as wide as the template, black beyond the frame; a network; your box. It follows the target of this lesson among its look-alikes, with your window and without one. **Predict:** where will the two part?


# %%
class MyOneStream(OneStreamTracker):
    """The one-stream tracker with your decoding."""

    def decide(self, responses):
        """Box (4,) from the maps (1, 5, n, n)."""
        box, score = decoded(responses[0])
        found = self.window.box_to_frame(np.asarray(box) * SEARCH)
        self.box = kept_in_frame(found, *self.frame.shape[1::-1])
        self.last = SimpleNamespace(score=float(score), maps=responses[0], crop=self.crop)
        return self.box.copy()


def onestream(kind=MyOneStream, **settings):
    """A tracker with this lesson's network."""
    return kind(OneStreamSettings(**settings), runtime)


def followed(tracker, sequence):
    """Boxes (T, 4) and scores (T,) of one pass; the first score is NaN."""
    tracker.init(sequence.frames[0], sequence.boxes[0])
    boxes, scores = [sequence.boxes[0]], [np.nan]
    for t in range(1, len(sequence)):
        boxes.append(tracker.update(sequence.frames[t]))
        scores.append(confidence_of(tracker))
    return np.array(boxes), np.array(scores)


runtime = StreamRuntime(copy.deepcopy(network), choose_placement("cpu", "fp32"))
crowd = sequence.loaded(by_profile(smoke=8, laptop=len(sequence), gpu=len(sequence)))
passes = {
    "with the window": followed(onestream(), crowd),
    "without": followed(onestream(OneStreamTracker, window=False), crowd),
}
overlaps = {name: iou(boxes, crowd.boxes) for name, (boxes, _) in passes.items()}
figure, axes = plots.new_figure(width=9.4, height=2.8, columns=2)
plots.draw_lines(axes[0, 0], overlaps, xlabel="frame", ylim=(0, 1))
axes[0, 0].set_ylabel("IoU")
plots.draw_lines(
    axes[0, 1], {n: s for n, (_, s) in passes.items()}, xlabel="frame", ylim=(0, 1)
)
axes[0, 1].set_ylabel("score")
told = ", ".join(f"{name} {np.nanmean(values):.2f}" for name, values in overlaps.items())
plots.show(
    figure,
    alt=f"IoU and score over {len(crowd)} frames among look-alikes; mean IoU: {told}.",
)
print("mean IoU:", told)

# %% [markdown]
# {{figure tracked}} One sequence: IoU with the true box, and the score of the chosen cell.
#
# <details><summary>What came of it</summary>
#
# Where the lines lie on one another, the same cell was chosen. They part in frames in which a cell far from the centre has the higher score. A product is a strict rule: at the border the window is 0.03, so a score there has to be 30 times as high as one at the centre; a look-alike rarely is. One sequence says nothing of how often a *target* jumps so far; a window takes that from the tracker as well.
#
# Where the IoU is near 0, look at the score beside it: a look-alike that was taken for the target has a score, too. That question comes back below.
# </details>
#
# **A good place to stop.** You have a one-stream tracker of your own.
#
# ## Which tokens are in the way?
#
# {{part}}
#
# Run the cells above; your answers are saved in them.
#
# Most search tokens are background, and every token costs time in every block. OSTrack removes some on the way, and asks the network itself which: the tokens that the *centre of the template* attends to least. That is called candidate elimination. Of 256 tokens ⌈0.7 · 256⌉ = 180 stay, and later 126 and 89.
#
# ### Exercise 14.9 · Who stays
# {{exercise}}
#
# Choose the search tokens that stay. Heads are averaged after their softmax, and the softmax goes over all tokens, the template's too.
#
# <details><summary>Hint 1</summary>
#
# `q[:, :, centre, None]` is the query of one token, (B, H, 1, d). Times `k.transpose(2, 3)`, over √d, softmax: exercise 14.2, for one row.
# </details>
# <details><summary>Hint 2</summary>
#
# After the mean over heads cut the template's part off, `[..., q.shape[2]:]`. `row.topk(count).indices` come by attention; `.sort(1).values` puts them in rising order.
# </details>


# %% exercise="stream.remove" points=6 stars=2 minutes=8
@exercise("stream.remove")
def most_attended(q, k, centre, fraction):
    """The search tokens that stay.

    Args:
        q: tensor (B, H, Nz, d), queries of the template's tokens.
        k: tensor (B, H, Nz + Nx, d), keys of all tokens, the template's first.
        centre: number of the template's central token.
        fraction: of the Nx search tokens that stays; their number is rounded up.

    Returns:
        tensor (B, K) of their numbers among the search tokens, in rising order.
    """
    ### BEGIN SOLUTION
    fits = q[:, :, centre, None] @ k.transpose(2, 3) / q.shape[-1] ** 0.5  # (B, H, 1, Nz + Nx)
    row = fits.softmax(-1).mean(1)[:, 0, q.shape[2] :]  # (B, Nx)
    count = int(np.ceil(fraction * row.shape[1]))
    return row.topk(count).indices.sort(1).values
    ### END SOLUTION


# %%
def removing(z, x, blocks, fraction):
    """The search tokens (B, K, C) after all blocks, some removed on the way, and what stayed.

    Args:
        z, x: tokens of both images, with their places.
        blocks: numbers of the blocks, from 1, in which tokens are removed.
        fraction: of the tokens that stays at each.

    Returns:
        tensor (B, K, C), and a list of what your function chose at each removal.
    """
    stayed = []
    for k, block in enumerate(network.blocks, start=1):
        z, x, q, (keys, _) = block.together(z, x)
        z = block.think(z)
        if k in blocks:
            stayed.append(most_attended(q, keys, central_token(64), fraction))
            x = taken(x, stayed[-1])
        x = block.think(x)
    return x, stayed


with torch.no_grad():
    z, x = network.tokens(z_image, network.place_z), network.tokens(x_image, network.place_x)
    choices = {k + 1: removing(z, x, [k + 1], 0.5)[1][0][0] for k in range(len(network.blocks))}
cells = torch.arange(256)
places = torch.stack([cells % 16, cells // 16], 1).numpy() * PATCH + PATCH / 2  # (256, 2)
on_target = ((places >= search_box[:2]) & (places <= search_box[:2] + search_box[2:])).all(1)
figure, axes = plots.new_figure(width=10, height=2.8, columns=len(choices))
kept_on = []
for ax, (k, stay) in zip(axes[0], choices.items(), strict=True):
    mask = np.zeros(256, bool)
    mask[stay.numpy()] = True
    kept_on.append(100 * mask[on_target].mean())
    shade = np.repeat(np.repeat(mask.reshape(16, 16), PATCH, 0), PATCH, 1)[..., None]
    shown = np.where(shade, search_crop, search_crop // 4 + 120).astype(np.uint8)
    plots.show_frame(
        ax, shown, f"block {k}: {kept_on[-1]:.0f} % of the target's stay", search_box
    )
    ax.title.set_fontsize(8)
told = ", ".join(f"block {k} {part:.0f} %" for k, part in zip(choices, kept_on, strict=True))
plots.show(
    figure,
    alt=f"The search image with the half of its tokens greyed that the template's centre attends to least, block by block. Of the {on_target.sum()} tokens whose centres lie on the target there stay: {told}.",
)

# %% [markdown]
# {{figure stay}} What the template's centre would keep if half of the tokens had to go in one block alone; the rest is greyed. The titles say how many of the tokens on the target stay.
#
# The head is made of convolutions and needs a map: the tokens that stayed go back to their places, and 0 stands where one was removed.
#
# ### Find the fault
#
# Somebody else has written how tokens are put back. With one removal it gives what it should. These are the score maps of one search image with no removal, with one and with two, and a symptom: how far the boxes lie from the target in many frames.


# %%
def their_put_back(tokens, stayed, count):
    """The tokens at their places among `count`, 0 elsewhere; `stayed` has the result of each removal."""
    places = stayed[-1] if stayed else torch.arange(count).expand(len(tokens), -1)  # (B, K)
    full = tokens.new_zeros(len(tokens), count, tokens.shape[-1])
    return full.scatter(1, places[..., None].expand_as(tokens), tokens)


def maps_after(put_back, z, x, removals, fraction=0.85):
    """Centre maps with so many removals, in the last blocks but the very last."""
    last = len(network.blocks)
    x, stayed = removing(z, x, range(last - removals, last), fraction)
    return network.head(map_of(network.norm(put_back(x, stayed, 256))))


def looks_at(frames):
    """Search tokens of frames, each around a place beside the target, and the boxes in them."""
    rng, tokens, boxes = np.random.default_rng(0), [], []
    for t in frames:
        x, y, w, h = sequence.boxes[t]
        dx, dy = rng.uniform(-0.6, 0.6, 2)
        window = square((x + dx * w, y + dy * h, w, h), FACTOR * SEARCH / TEMPLATE, SEARCH)
        crop = torch.from_numpy(window.cut(sequence.frames[t], (0, 0, 0)))
        tokens.append(network.tokens(crop.permute(2, 0, 1)[None].float(), network.place_x))
        boxes.append(window.box_to_crop(sequence.boxes[t]))
    return tokens, np.array(boxes)


def removal_figure(put_back, whose):
    """Score maps, and distances of the boxes, by the number of removals; the figure and its words."""
    figure, axes = plots.new_figure(
        width=9.4, height=2.7, columns=4, width_ratios=[1, 1, 1, 1.3]
    )
    distances = {}
    for n in range(3):
        with torch.no_grad():
            score = maps_after(put_back, z, x, n).score[0, 0].numpy()
            found = [maps_after(put_back, z, own, n).best()[0].numpy() * SEARCH for own in seen]
        plots.show_map(axes[0, n], score, f"{n} removals" if n != 1 else "1 removal", peak=True)
        off = np.array(found)[:, :2] + np.array(found)[:, 2:] / 2
        off = off - seen_boxes[:, :2] - seen_boxes[:, 2:] / 2
        distances[n] = np.hypot(*off.T)
    axes[0, -1].boxplot(list(distances.values()), tick_labels=list(distances))
    axes[0, -1].set(xlabel="removals", ylabel="distance, pixels", title=whose)
    told = ", ".join(f"{np.median(d):.0f} after {n}" for n, d in distances.items())
    return (
        figure,
        f"{whose}: score maps of one search image with 0, 1 and 2 removals, and distances of the boxes from the targets in {len(seen)} frames; medians in pixels: {told}.",
    )


with torch.no_grad():
    seen, seen_boxes = looks_at(range(3, len(sequence), by_profile(smoke=30, laptop=4, gpu=2)))
plots.show(*removal_figure(their_put_back, "their put_back"))

# %% [markdown]
# {{figure fault}} Score maps after 0, 1 and 2 removals of 15 %, each with its peak; right, the distances of the boxes from the targets, in pixels of the search image. Nothing stops with an error: every number of a place is below 256.
#
# ### Exercise 14.10 · Back to their places
# {{exercise}}
#
# At the second removal tokens are numbered among those that the first one left. Find the line with the fault, and write the function as it should be, for any number of removals, also none.
#
# <details><summary>Hint 1</summary>
#
# If the first removal left the tokens 2, 5, 7, 8 and the second one 0 and 3 of *these*, then 2 and 8 have stayed.
# </details>
# <details><summary>Hint 2</summary>
#
# Begin with the numbers of all tokens, 0 … count − 1, in each row; then `places = places.gather(1, chosen)` for each removal.
# </details>


# %% exercise="stream.fault" points=5 stars=2 minutes=6
@exercise("stream.fault")
def mended_put_back(tokens, stayed, count):
    """`their_put_back` without its fault.

    Args:
        tokens: tensor (B, K, C), those that stayed after all removals.
        stayed: list with a tensor (B, Kᵢ) for each removal: which of the tokens before it stayed.
        count: number of tokens before the first removal.

    Returns:
        tensor (B, count, C), 0 where tokens were removed.
    """
    ### BEGIN SOLUTION
    places = torch.arange(count).expand(len(tokens), -1)  # (B, count)
    for chosen in stayed:
        places = places.gather(1, chosen)
    full = tokens.new_zeros(len(tokens), count, tokens.shape[-1])
    return full.scatter(1, places[..., None].expand_as(tokens), tokens)
    ### END SOLUTION


# %%
plots.show(*removal_figure(mended_put_back, "mended"))

# %% [markdown]
# {{figure mended}} The same frames. A map of tokens in wrong places still has a peak: only the distance from the truth tells.
#
# This network has never met a removal while it was trained; OSTrack's has, from its 20th epoch on. **Predict:** how many tokens can be taken from it before the boxes suffer?

# %%
fractions = by_profile(
    smoke=[1.0, 0.5], laptop=[1.0, 0.9, 0.8, 0.6, 0.4], gpu=[1.0, 0.9, 0.8, 0.6, 0.4]
)
overlaps, took = {}, {}
with torch.no_grad():
    for fraction in fractions:
        start, found = perf_counter(), []
        for own in seen:
            maps = maps_after(mended_put_back, z, own, 2, fraction)
            found.append(maps.best()[0].numpy() * SEARCH)
        took[fraction] = 1000 * (perf_counter() - start) / len(seen)
        overlaps[fraction] = iou(np.array(found), seen_boxes)
figure, axes = plots.new_figure(width=8.4, height=2.8, columns=2)
plots.draw_seeds(axes[0, 0], {f"{100 * f:.0f} %": v for f, v in overlaps.items()})
axes[0, 0].set(xlabel="stays at each of two removals", ylabel="IoU", ylim=(0, 1))
axes[0, 1].plot([100 * f for f in took], list(took.values()), "o-", color=plots.EXEMPLAR)
axes[0, 1].set(
    xlabel="stays at each of two removals, %", ylabel="blocks and head, ms", ylim=(0, None)
)
changes = {f: Interval.of(v - overlaps[1.0]) for f, v in overlaps.items() if f < 1}
told = "; ".join(f"{100 * f:.0f} % stay: IoU {c}" for f, c in changes.items())
plots.show(
    figure,
    alt=f"IoU of the boxes in {len(seen)} frames of one sequence, and milliseconds of blocks and head, by the fraction of tokens that stays at each of two removals. Changes against no removal: {told}.",
)
print("against no removal:", told)

# %% [markdown]
# {{figure removed}} Left, a dot for each frame and a bar for the mean; right, the time of blocks and head. The line below has the differences with their intervals, frame by frame of one sequence.
#
# <details><summary>What came of it</summary>
#
# The printed line says from where on the loss is told apart from none, in this sequence. Whether the missing tokens do it, or the zeros that a head of convolutions has never met in its map, this figure does not separate. What is gained is less than the tokens that are gone: the first block and the head see all of them, and the backbone's time is not in this figure at all. In OSTrack's ViT-B, with twelve blocks, elimination takes 29.3 to 21.0 billion products (counted for 256 → 180 → 126 → 89).
# </details>
#
# ## Is it lost?
#
# The question that users of trackers ask most, after "how do I run it on my own video". A tracker always has a highest score; what is it worth? The score of this head was trained with negative pairs, search images without the target, in which all of the heat map is 0.
#
# A score that tells *lost* from *not lost* puts lost frames below the others. How well it does so, over all thresholds at once, is one number: the *area under the ROC curve*, which is the fraction of all pairs, one lost frame and one that is not, in which the lost one has the lower score. It asks for the order alone, so a PSR can be compared with a probability.
#
# ### Exercise 14.11 · The area
# {{exercise}}
#
# Write it. A tie counts one half. There are frames of both kinds.
#
# <details><summary>Hint 1</summary>
#
# `a[:, None] < b` compares every a with every b; the mean of such a table of True and False is a fraction.
# </details>
# <details><summary>Hint 2</summary>
#
# `scores[lost]` and `scores[~lost]` are the two groups; add half of the mean of `==`.
# </details>


# %% exercise="stream.lost" points=5 stars=1 minutes=6
@exercise("stream.lost")
def area(scores, lost):
    """How well a score tells that the target is lost.

    Args:
        scores: array (T,), of each frame; low scores say "lost".
        lost: array (T,) of bool, whether the target is lost.

    Returns:
        number 0 … 1, the area under the ROC curve.
    """
    ### BEGIN SOLUTION
    below, others = scores[lost][:, None], scores[~lost]
    return float((below < others).mean() + 0.5 * (below == others).mean())
    ### END SOLUTION


# %% [markdown]
# Lesson 13's sequence, whose target leaves the image and comes back. *Lost* is a frame in which the target is out of view, or the box has no overlap with it. Each tracker has its own lost frames, and its own score. **Predict:** whose score knows?

# %%
leaving = make_sequence(next(spec for spec in SPECS if spec.leaves))
gone = ~np.isfinite(leaving.boxes).all(1)  # (T,)
away = int(np.flatnonzero(gone)[0]) if gone.any() else len(leaving) // 2
begin, end = by_profile(
    smoke=(away - 4, away + 6), laptop=(0, len(leaving)), gpu=(0, len(leaving))
)
leaving, gone = leaving.part(begin, end).loaded(), gone[begin:end]
makers = {
    "MOSSE, PSR": lambda: make_tracker("mosse"),
    "KCF, peak": lambda: make_tracker("kcf"),
    "SiamFC, peak": lambda: make_tracker("siamfc", weights="siamfc", precision="fp32"),
    "one stream, score": onestream,
}
figure, axes = plots.new_figure(width=10, height=2.5, columns=len(makers))
areas = {}
for ax, (name, make) in zip(axes[0], makers.items(), strict=True):
    boxes, scores = followed(make(), leaving)
    lost = gone | ~(iou(boxes, leaving.boxes) > 0)  # (T,)
    frames = np.arange(len(leaving))
    ax.fill_between(
        frames,
        0,
        1,
        where=gone,
        color=plots.NEUTRAL,
        alpha=0.25,
        transform=ax.get_xaxis_transform(),
    )
    ax.plot(frames, scores, color=plots.EXEMPLAR)
    ax.plot(frames[lost], scores[lost], ".", color=plots.PREDICTION)
    both = lost[1:].any() and not lost[1:].all()
    areas[name] = area(scores[1:], lost[1:]) if both else np.nan
    ax.set_title(
        f"{name}\narea {areas[name]:.2f}, lost {lost.sum()} of {len(lost)}", fontsize=9
    )
    ax.set_xlabel("frame")
told = ", ".join(f"{name} {value:.2f}" for name, value in areas.items())
plots.show(
    figure,
    alt=f"Scores of four trackers over a sequence whose target is out of view in {gone.sum()} frames; lost frames are dotted. Areas under the ROC curve: {told}.",
)

# %% [markdown]
# {{figure lost}} Scores over one sequence, the frames out of view shaded, lost frames dotted; in the titles the areas.
#
# <details><summary>What came of it</summary>
#
# One sequence has one story: a tracker that never finds its target again has many lost frames that look alike, and another score that falls for a moment may have a large area from a few frames. The figure below has 24 sequences, and intervals.
# </details>


# %%
def measured_file(name):
    """A file of results, or None while nobody has measured it."""
    path = RESULTS / name
    return read_measured(path) if path.is_file() else None


def not_yet(ax, words):
    """Say in axes without data what would fill them."""
    ax.text(0.5, 0.5, f"not measured yet:\n{words}", ha="center", fontsize=9)
    ax.set_axis_off()


signals = measured_file("lost_signals.json")
figure, axes = plots.new_figure(width=9.6, height=3.4, columns=2, width_ratios=[1, 1.2])
told = "not measured yet"
if signals is None:
    not_yet(axes[0, 0], "python benchmarks/lost_signals.py")
    not_yet(axes[0, 1], "python benchmarks/lost_signals.py")
else:
    for k, (name, row) in enumerate(signals["signals"].items()):
        curve = row["curve"]
        look = {"color": plots.CYCLE[k % 8], "linestyle": plots.LINES[k % 8]}
        axes[0, 0].plot(curve["false_alarm"], curve["found"], label=name, **look)
    axes[0, 0].plot([0, 1], [0, 1], color=plots.NEUTRAL, linewidth=0.8)
    axes[0, 0].set(xlabel="false alarms, of followed frames", ylabel="found, of lost frames")
    axes[0, 0].legend(fontsize=7)
    names = list(signals["signals"])
    marks = {"generated": ("o", plots.EXEMPLAR), "real": ("s", plots.PREDICTION)}
    for shift, (group, (mark, colour)) in zip((-0.12, 0.12), marks.items(), strict=True):
        found = [signals["signals"][name]["area"][group]["lost"] for name in names]
        # no area where no frame of the sequences that were run is lost
        at = [k for k, row in enumerate(found) if row["mean"] is not None]
        rows = [found[k] for k in at]
        ends = [
            [
                abs(row["mean"] - (row[end] if row[end] is not None else row["mean"]))
                for row in rows
            ]
            for end in ("low", "high")
        ]
        axes[0, 1].errorbar(
            [row["mean"] for row in rows],
            np.array(at) + shift,
            xerr=ends,
            fmt=mark,
            color=colour,
            markersize=4,
            label=f"{group}, {len(signals['clips'][group])} sequences",
        )
    axes[0, 1].set_yticks(range(len(names)), names, fontsize=8)
    axes[0, 1].axvline(0.5, color=plots.NEUTRAL, linewidth=0.8)
    axes[0, 1].set(xlabel="area under the curve", xlim=(0, 1))
    axes[0, 1].legend(fontsize=7, loc="upper left")
    told = ", ".join(
        f"{name} {signals['signals'][name]['area']['generated']['lost']['mean']:.2f}"
        for name in names
    )
    print(measured_words(signals))
plots.show(
    figure,
    alt=f"Left, ROC curves of each tracker's own score as a sign of a lost target, on generated sequences whose target leaves or is hidden. Right, the areas with 95 % intervals, on generated and on real sequences. Areas, generated: {told}.",
)

# %% [markdown]
# {{figure signals}} The same question, shipped. Left, for every threshold: which part of the lost frames is below it, and which part of the others. Right, the areas with intervals from drawing sequences again, on generated sequences whose target leaves or is hidden, and on real ones with these attributes. ATOM has two signals, its score and its state (lesson 13).
#
# An area compares *signals*, not trackers: each is asked about its own lost frames. A tracker that is rarely lost can have a smaller area than one that is lost often and knows it.
#
# **A good place to stop.** You know what a score is worth.
#
# ## Out of the notebook
#
# {{part}}
#
# Run the cells above; your answers are saved in them.
#
# OpenCV has a one-stream tracker, `cv2.TrackerVit`: a network in an ONNX file, and around it a crop, a window, an arg max, in C++. Any network with the same inputs and outputs runs there, without Python and without this course. The agreement:
#
# | | |
# |---|---|
# | `template`, `search` | (1, 3, 128, 128) and (1, 3, 256, 256), RGB, values 0 … 1 minus ImageNet's mean, over its deviation |
# | `output1`, `output2`, `output3` | score (1, 1, 16, 16) and size (1, 2, 16, 16) after their sigmoids, offset (1, 2, 16, 16) |
# | OpenCV's part | crops of 2 and 4 times √(w · h), black beyond the frame; the normalisation; the window; the box; lost where score times window is below 0.2 |
#
# ### Exercise 14.12 · A module for OpenCV
# {{exercise}}
#
# This course's networks take values 0 … 255 and normalise them as they need. So the module undoes OpenCV's normalisation, asks the network, and returns the three maps. Write `forward`.
#
# <details><summary>Hint 1</summary>
#
# (v / 255 − mean) / deviation is undone from the outside to the inside: times the deviation, plus the mean, times 255.
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.tensor(MEAN)[:, None, None]` has shape (3, 1, 1), one number for each colour. `self.network(template, search)` returns maps with `.score`, `.size`, `.offset`; the sigmoids are in it already.
# </details>


# %% exercise="stream.export" points=5 stars=1 minutes=6
@exercise("stream.export")
class ForOpenCV(nn.Module):
    """A network with the inputs and outputs of `cv2.TrackerVit`.

    Args:
        network: one-stream network for images with values 0 … 255.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, template, search):
        """Score (B, 1, 16, 16), size and offset (B, 2, 16, 16) each, of normalised images, tensors
        (B, 3, 128, 128) and (B, 3, 256, 256)."""
        ### BEGIN SOLUTION
        mean, deviation = (torch.tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
        images = (255 * (image * deviation + mean) for image in (template, search))
        maps = self.network(*images)
        return maps.score, maps.size, maps.offset
        ### END SOLUTION


# %% [markdown]
# Now the file. `course_lib/models/export.py` writes it from a module like yours, with PyTorch's *older* exporter (the file of the default one crashes OpenCV's reader), opens it in OpenCV, and keeps it only if its maps agree with PyTorch's. It needs the package `onnx`; without it the cell says so and goes on.
#
# Two things about OpenCV's part are written nowhere, and were found by comparing numbers. It swaps no colours: the frames it gets have to be RGB. And of the three deviations it takes a wrong inverse (that of a quaternion), so that by default the network is given images that are too faint, two of their colours turned round. `opencv_tracker` sets the deviations so that what arrives is right.

# %%
file = RUNS / "lesson14" / "tracker.onnx"
can_write, can_run = find_spec("onnx") is not None, hasattr(cv2, "TrackerVit_create")
if can_write:
    file.parent.mkdir(parents=True, exist_ok=True)
    print(f"OpenCV's maps differ from the library's by {export(network, file):.1e} at most")
    net = cv2.dnn.readNet(str(file))
    given = {"template": normalised(z_image), "search": normalised(x_image)}
    for name, image in given.items():
        net.setInput(image.numpy(), name)
    theirs = net.forward(["output1", "output2", "output3"])
    with torch.no_grad():
        mine = ForOpenCV(network).eval()(*given.values())
    off = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(theirs, mine, strict=True))
    print(
        f"and from your module's by {off:.1e}; the file has {file.stat().st_size / 1e6:.1f} MB"
    )
else:
    print("the package onnx is missing: pip install -e '.[export]' -c constraints.txt")
overlaps, rates = {}, {}
short = sequence.loaded(by_profile(smoke=6, laptop=60, gpu=60))
if can_write and can_run:
    cv2.setNumThreads(1)
    theirs = opencv_tracker(file)
    frames = [short.frames[t] for t in range(len(short))]
    start = tuple(int(v) for v in np.rint(short.boxes[0]))
    theirs.init(frames[0], start)
    boxes, began = [start], perf_counter()
    for frame in frames[1:]:
        boxes.append(theirs.update(frame)[1])
    rates["cv2.TrackerVit"] = (len(frames) - 1) / (perf_counter() - began)
    overlaps["cv2.TrackerVit"] = iou(np.array(boxes, float), short.boxes)
    result = track(onestream(), short, box=np.array(start, float))
    rates["yours"] = 1 / result.seconds[1:].mean()
    overlaps["yours"] = iou(result.boxes, short.boxes)
figure, axes = plots.new_figure(width=7, height=2.6)
if overlaps:
    plots.draw_lines(axes[0, 0], overlaps, xlabel="frame", ylim=(0, 1))
    axes[0, 0].set_ylabel("IoU with the truth")
else:
    not_yet(axes[0, 0], "it needs the package onnx, and an OpenCV with TrackerVit")
told = ", ".join(f"{name} {np.nanmean(v):.2f}" for name, v in overlaps.items()) or "not run"
plots.show(
    figure,
    alt=f"IoU of the same network inside cv2.TrackerVit and in your tracker over {len(short)} frames; means: {told}.",
)
print(
    "frames a second:", ", ".join(f"{n} {rate:.0f}" for n, rate in rates.items()) or "not run"
)

# %% [markdown]
# {{figure opencv}} One network, twice: in C++ from the file, and in your tracker, from the same box of whole pixels. OpenCV crops at whole pixels and rounds its boxes; the lines need not be the same.
#
# ## Experiment: what brings what?
#
# One stream has position codes, attention between the images, and a backbone that has seen ImageNet. What is each of them worth? The same recipe without one of them at a time, short runs with the same pairs, two seeds or more; and beside it earlier networks with these pairs. **Predict:** how far does a network get that sees the search image, but never the template?

# %%
arms = measured_file("onestream_arms.json")
figure, axes = plots.new_figure(width=10, height=3.2, columns=2, sharey=True)
told = "not measured yet"
if arms is None:
    not_yet(axes[0, 0], "python benchmarks/onestream_arms.py")
    not_yet(axes[0, 1], "python benchmarks/onestream_arms.py")
else:
    tries = {}
    for run in arms["runs"]:
        for group, of in run["clips"].items():
            name = run["arm"].replace(" ", "\n")
            tries.setdefault(group, {}).setdefault(name, []).append(
                float(np.mean(list(of.values())))
            )
    for ax, (group, of) in zip(axes[0], tries.items(), strict=True):
        plots.draw_seeds(ax, of)
        ax.set(title=f"tracking, {group}", ylim=(0, 1))
        ax.tick_params(axis="x", labelsize=6)
    axes[0, 0].set_ylabel("mean IoU")
    told = ", ".join(
        f"{' '.join(name.split())} {np.mean(v):.2f}" for name, v in tries["generated"].items()
    )
    print(f"{arms['pairs']:,} pairs each;", measured_words(arms))
plots.show(
    figure,
    alt=f"Mean IoU while tracking, a dot for each seed, for the recipe as it is, without one of its parts, and for earlier networks with the same pairs; on generated sequences: {told}.",
)

# %% [markdown]
# {{figure arms}} Each dot is one training run. "Template not seen" has no attention from one image to the other: it finds what is usually a target at the centre of a search image. The others lack one thing each.
#
# <details><summary>What came of it</summary>
#
# The intervals stand below, under *What the figures say*. The network that never sees the template is a floor: sequences have one object near the centre of the search image, and a box around the most striking thing there is not nothing.
# </details>
#
# ### On real targets

# %%
real = measured_file("onestream_real_sequences.json")
figure, axes = plots.new_figure(width=9.6, height=3.2, columns=2, width_ratios=[3, 2])
told = "not measured yet"
if real is None:
    not_yet(axes[0, 0], "python benchmarks/onestream_real.py")
    not_yet(axes[0, 1], "python benchmarks/onestream_real.py")
else:
    rows = real["otb+vot2014"]
    names = list(rows["overall"])
    each = {n: [row[n] for row in rows["auc_by_sequence"].values()] for n in names}
    plots.draw_seeds(axes[0, 0], each)
    axes[0, 0].set(
        ylabel="AUC", ylim=(0, 1), title=f"{len(rows['auc_by_sequence'])} real targets"
    )
    for k, name in enumerate(names):
        at = real["speed"][name], rows["overall"][name]["auc"]
        axes[0, 1].plot(*at, plots.MARKERS[k], color=plots.CYCLE[k])
        axes[0, 1].annotate(name, at, fontsize=7, xytext=(4, 3), textcoords="offset points")
    axes[0, 1].set(xlabel="frames a second, one thread", ylabel="AUC", xscale="log")
    axes[0, 1].margins(x=0.3)
    told = ", ".join(f"{n} {rows['overall'][n]['auc']:.3f}" for n in names)
    show_table(rows["overall"], f"One pass over {len(rows['auc_by_sequence'])} real targets")
    print(measured_words(real))
plots.show(
    figure,
    alt=f"AUC on the course's real targets, a dot for each, and the mean AUC over the speed on one thread: {told}.",
)

# %% [markdown]
# {{figure real}} Left, each dot is a target, the bar their mean; right, accuracy over speed. The speeds were taken in turns on a machine that had other work to do: they can be compared with one another, not with those of other lessons. All have the same backbone but SiamFC; none has seen these sequences.
#
# ### What was published
#
# A number on GOT-10k has two meanings. Its rules ask for training on its own videos alone; the targets of its test belong to other classes than those. Many networks were trained on everything there is, and their numbers are larger. The two must not be compared.

# %%
paper = measured_file("onestream_published.json")
figure, axes = plots.new_figure(width=8.4, height=3.4, columns=2, width_ratios=[3, 2])
told = "not measured yet"
if paper is None:
    not_yet(axes[0, 0], "results/onestream_published.json is missing")
    not_yet(axes[0, 1], "results/onestream_published.json is missing")
else:
    kinds = {
        "got10k": "GOT-10k's videos only",
        "everything": "everything",
        "unknown": "not said",
    }
    for (kind, label), mark, colour in zip(kinds.items(), "os^", plots.CYCLE, strict=False):
        own = [
            r
            for r in paper["trackers"]
            if r["got10k_trained_on"] == kind and r["got10k"] and r["lasot"]
        ]
        at = [[100 * r["lasot"] for r in own], [100 * r["got10k"] for r in own]]
        axes[0, 0].plot(*at, mark, color=colour, label=label, markersize=5)
        for r, u, v in zip(own, *at, strict=True):
            axes[0, 0].annotate(
                r["tracker"], (u, v), fontsize=6, xytext=(3, 3), textcoords="offset points"
            )
    axes[0, 0].set(xlabel="LaSOT, AUC %", ylabel="GOT-10k, AO %")
    axes[0, 0].margins(x=0.18)
    axes[0, 0].legend(title="trained on", fontsize=7, title_fontsize=7)
    for k, r in enumerate(paper["got10k_both"]):
        pair = [100 * r["got10k"], 100 * r["everything"]]
        axes[0, 1].plot([0, 1], pair, "o-", color=plots.CYCLE[k], label=r["tracker"])
    axes[0, 1].set_xticks([0, 1], ["GOT-10k only", "everything"])
    axes[0, 1].set(ylabel="GOT-10k, AO %", xlim=(-0.2, 1.2))
    axes[0, 1].legend(fontsize=6)
    told = "; ".join(
        f"{r['tracker']} {100 * r['got10k']:.1f} and {100 * r['everything']:.1f}"
        for r in paper["got10k_both"]
    )
    heads = {"tracker": "tracker", "got10k": "GOT-10k AO", "got10k_trained_on": "trained on"}
    heads |= {"lasot": "LaSOT", "trackingnet": "TrackingNet", "fps": "frames/s"}
    heads |= {"device": "on"}
    show_table(paper["trackers"], "Published: AUC, or what the heading says", heads)
    show_table(paper["small"], "Published, small ones", {"parameters": "parameters", **heads})
plots.show(
    figure,
    alt=f"Left, GOT-10k over LaSOT as published, with a mark for what the network was trained on. Right, the same tracker in both meanings of a GOT-10k number: {told}.",
)

# %% [markdown]
# {{figure published}} Left, as published; compare marks of one kind. Right, what the difference is for two trackers that are known in both meanings. None of these numbers can be set beside this course's: its network has seen 144,000 pairs from a few videos and photographs, OSTrack's 18 million from thousands of videos.
#
# ## What the figures say
#
# Each line is a difference with its interval, over sequences; where zero lies inside, or nothing has been measured yet, none is told from none.
#
# * AUC on the real targets, {{see real}}, one stream minus the other: SiamFC {{evidence stream-siamfc open}}, SiamRPN++ {{evidence stream-siamrpnpp below}}, ATOM {{evidence stream-atom below}}, ATOM with scales {{evidence stream-atom-scales below}}. SiamRPN++ had the same backbone, pairs and steps, so attention alone has not made the better tracker here; why is not isolated. It is one network, of one seed.
# * Tracking with equal pairs, {{see arms}}, the other minus one stream: SiamFC {{evidence pairs-siamfc open}}, SiamRPN++ {{evidence pairs-siamrpnpp open}}, ATOM {{evidence pairs-atom open}}.
# * Without a part, {{see arms}}: no position codes {{evidence positions open}}, the template not seen {{evidence joint open}}, a template that looks only at itself {{evidence asymmetric open}}, from random weights {{evidence from-random open}}. And from random weights both, convolutions minus one matrix for a patch {{evidence convolutions-patches open}}.
# * The area under the ROC curve, {{see signals}}: the one stream's score minus one half {{evidence lost-stream above}}; minus the area of MOSSE's PSR {{evidence lost-stream-mosse open}}, of SiamFC's peak {{evidence lost-stream-siamfc below}}, of SiamRPN++'s probability {{evidence lost-stream-siamrpnpp below}}, of ATOM's score {{evidence lost-stream-atom below}}.
# * Also, {{see signals}}: SiamRPN++'s probability minus SiamFC's peak {{evidence lost-siamrpnpp-siamfc open}}, ATOM's score minus its state {{evidence lost-atom-state above}}.
#
# ## An open task
#
# OpenCV calls a target lost where score times window is below 0.2, whatever the network. Choose that threshold for yours. The rule: choose it on generated sequences that belong to no benchmark, so that at most 5 % of the followed frames are called lost; then look *once*, on others, at what it finds.


# %%
def lost_and_scores(first, count):
    """Scores and lost frames, sequence by sequence, of generated sequences with those seeds."""
    found = []
    for k in range(count):
        switches = ({"leaves": True, "occluders": 0}, {"occluders": 2})[k % 2]
        spec = random_spec(
            first + k, length=by_profile(smoke=6, laptop=60, gpu=100), **switches
        )
        one = make_sequence(spec)
        boxes, scores = followed(onestream(), one)
        lost = ~(iou(boxes, one.boxes) > 0) | (one.tags["visible"] < 0.1)
        found.append((scores[1:], lost[1:]))
    return found


count = by_profile(smoke=1, laptop=4, gpu=30)
chosen_on, looked_at = (lost_and_scores(first, count) for first in (750_000, 755_000))
kept = np.concatenate([scores[~lost] for scores, lost in chosen_on])
threshold = float(np.quantile(kept, 0.05))
print(f"threshold {threshold:.3f}, chosen on {len(kept)} followed frames")
for name, of in {"false alarms": False, "found": True}.items():
    rows = [
        np.mean(scores[lost == of] <= threshold)
        for scores, lost in looked_at
        if (lost == of).any()
    ]
    print(f"{name}, sequence by sequence: {Interval.of(rows) if rows else 'none'}")

# %% [markdown]
# **Stretch goal.** Let the tracker use its score. `OneStreamSettings(update=…)` replaces a second template by the surest crop since the last time, as STARK and MixFormer do; or wrap it with `with_redetection` from `course_lib/trackers/redetection.py`, which looks elsewhere while the score is low. Choose on sequences of your own, and show on others, over all of them and with an interval, in how many frames after it was away the target is followed.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. The head's score map has its peak in the right cell, but its score is 0.3. In another frame it is 0.9 and on a look-alike. Which loss would have had to prevent which?
# <details><summary>Answer</summary>
#
# The focal loss, both. Low scores on the target are costs of the cell where the heat is 1; a high score on a look-alike is a cost of a cell where it is 0, if such look-alikes are in the training pairs. The box's loss knows nothing of scores: it only reads which is the highest.
# </details>
#
# 2. Why is the box trained in the cell with the highest score, and not in the cell of the true centre, which would be known?
# <details><summary>Answer</summary>
#
# Because that is the cell that is read while tracking. Near the end of a training the two are the same cell most of the time; before that, the box is trained in the neighbours that win, so that a peak that is one cell off still has the right box. That is also what makes the offset useful beyond ± 0.5.
# </details>
#
# 3. Somebody exports the head *before* its sigmoids. OpenCV multiplies the window onto the scores. What happens at the border of the search image?
# <details><summary>Answer</summary>
#
# Logits are negative nearly everywhere, and a small factor makes a negative number *larger*: the border wins. A window may be multiplied onto what is never negative, and onto nothing else.
# </details>
#
# 4. From lesson 12: there a box climbed its predicted IoU, five steps for ten boxes. Here it is read from one cell. What could climbing correct that reading cannot?
# <details><summary>Answer</summary>
#
# A reading is one shot: whatever the network says in that cell is the box. Climbing asks the network again at the corrected box, so an error of the first guess can be seen and undone. It costs a pass for every step; and it needs a start that overlaps with the target.
# </details>
#
# 5. A tracker's score has an area of 0.5 on a set of sequences, and yet its threshold of 0.2 is never crossed wrongly. How?
# <details><summary>Answer</summary>
#
# A threshold is one point of the curve: if no followed frame is below it, there are no false alarms, and perhaps no frame is found either. The area asks about the order of all pairs.
# </details>
#
# ## Classic mistakes
#
# * **A window on logits.** Multiply it onto probabilities; add it to nothing.
# * **Half a cell.** The rounded centre is in the targets; whoever adds ½ in the decoding moves every box by eight pixels.
# * **Places of places.** After two removals, or two crops, or two resamplings, a number means something else. Say in the docstring among what it counts.
# * **One threshold for all trackers.** A PSR of 7, a response of 2 and a score of 0.2 have nothing in common but the order of frames.
# * **A file that was never opened.** An exported network is a new program. Run it, and compare numbers, before it leaves; also the numbers that go *in*.
#
# ## Read next
#
# * `course_lib/models/onestream.py` and `course_lib/models/attention.py`; `course_lib/trackers/onestream.py` has fewer lines than any tracker since MOSSE.
# * Ye et al., *Joint Feature Learning and Relation Modeling for Tracking* (ECCV 2022); Cui et al., *MixFormer* (CVPR 2022); Yan et al., *STARK* (ICCV 2021).
# * Lesson 15: your own video, your own tracker, and how trackers are compared today.
