# ---
# jupyter:
#   course: {run: [1, 1, 1, 1]}
# ---

# %% [markdown]
# # 14 · One stream: attention instead of correlation
#
# | | |
# |---|---|
# | **You will be able to** | turn two images into tokens and let them attend to one another; keep what need not be computed twice for the template; say what the heat map, score and boxes should be; and read off the box that a tracker follows |
# | **You need** | lesson 04 for cross-correlation, lesson 07 for boxes by regression, lesson 09 for other ways to match |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Ye et al. (OSTrack, ECCV 2022), Vaswani et al. (attention, NeurIPS 2017), Cui et al. (MixFormer, CVPR 2022), Law and Deng (CornerNet, ECCV 2018), and the public code of OSTrack |
# | **Words** | {{words}} |

# %%
import copy
from time import perf_counter
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F

from course_lib import plots
from course_lib.analysis.attention_maps import attention_maps
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import measured_words, read_measured
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.boxes import from_centre, iou, to_centre
from course_lib.models.centre_head import CentreMaps
from course_lib.models.centre_losses import radius_of
from course_lib.models.device import choose_placement
from course_lib.models.onestream import sized
from course_lib.models.runtime_stream import StreamRuntime
from course_lib.models.stems import map_of
from course_lib.models.stream_template import FACTOR, PATCH, SEARCH, TEMPLATE
from course_lib.models.weights import load_network
from course_lib.places import RESULTS
from course_lib.profile import by_profile
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
# {{figure look}} Left, the template, with the 16 squares marked whose tokens are asked, and the search image. Then where these tokens look, averaged over the 16: for each block, the head that looks most at the target (chosen with the true box; the others look elsewhere). The titles say how much of the attention to the search image falls on the target; attention to the template itself is left out. Right, the network's score map.
#
# The lesson takes such a network apart and puts it together again. Part 1: how an image becomes tokens, and what attention is. Part 2: the block; what need not be computed anew for each frame; and what the network is told. Part 3: what it is trained with. Part 4: how a tracker reads it, and what each of its parts is worth.
#
# ## From a map to tokens
#
# A square of 16 × 16 pixels can become a token by one matrix, as in the first transformers for images, or by a backbone. Here it is EfficientNet-Lite0: its map, brought to $C$ channels by a 1 × 1 convolution, has $n \times n$ cells, one for every square, and a cell has seen something of what lies around its square too. A *transformer* knows no maps, only rows of tokens: $n^2$ vectors of $C$ numbers. And it treats them as a *set*: if two of them are exchanged, two of its answers are exchanged, and nothing else changes. It can tell where a token lies only from the token itself. So each cell has a *position code*, a vector of $C$ learned numbers, which is added to whatever is seen there.
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
# {{figure tokens}} Left, the squares and some of their numbers. Right, how similar the position code of one cell is to those of all cells (cosines, −1 to 1), for the cell in the upper left corner and for one near the centre. Nobody has told the network which cells are neighbours.
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
# Compared with a correlation: the products are taken between *learned* views of the tokens, new ones in every block. The softmax makes the keys *compete*: a token that gets more leaves less for the others, as in lesson 11's losses. The answer is not a score but a mixture of values: a new feature. And *every* token asks: search tokens ask template tokens, and one another.
#
# Why $\sqrt d$? A dot product of two vectors of $d$ independent numbers, of mean 0 and variance 1, has variance $d$; without the root, and with many channels, the softmax is nearly all or nothing and has hardly any gradient.
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
# Four maps of the same search image: the correlation with a single cell, the mean over the template's target of the features that attention is given; the softmax of that correlation; and your attention from the tokens of the template's target, in the first block and in the last, for the heads of {{see look}}. **Predict:** in which maps are there cells outside the target's box that are higher than the highest inside?


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
# The first two always agree: a softmax keeps the order of its inputs, so the highest stays the highest and only stands out more. What changes the order are the learned queries and keys. Those of the last block no longer compare what the backbone saw: by then search tokens have asked the template, the template has asked them, and each has been told what lies beside it. And nothing forces attention to be high on the target: no loss ever looks at it. What the loss looks at comes at the end of part 2.
# </details>
#
# Choose a token of the template by clicking on the left image, or with the sliders. In the search image a cell is brighter the more of its attention the token gives to it; the target's true box is green. On the right is the network's score map.

# %%
AttentionExplorer(sequence, network)

# %% [markdown]
# **Find out by playing:** in which block, and in which head, does a token on the target look most at the target? And one at the corner of the template, on the background: does it look at the same kind of ground, or at nothing in particular? Is there a head that looks at the same cells whichever token you choose?
#
# <details><summary>What to see</summary>
#
# Means over every fifth frame: tokens on the target look at it most in block 4, head 4. They give it 14 % of their attention, where an equal share would be 5 %. But the token in the corner gives it as much there: this head looks for the target, whoever asks. In blocks 1 and 2 the corner's token spends about four fifths of its attention on the search image, and the target gets 6 and 8 % of that, where an equal share would be 6 %. The head in which it matters least which token you choose is head 2 of block 2: whichever of the 64 tokens you choose, the cell that gets most attention is one of only about eight. That a head looks at the target is no proof that the score depends on that head; for that one would have to take it away.
# </details>
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
# The first lets tokens learn from each other; the second, two layers with a GELU between them (a smooth ReLU), lets each think about it alone. Both read *normed* tokens, whose channels have mean 0 and variance 1 before a learned scale and offset. The sums themselves are not normalised: they form a straight path from the first block to the last, along which the gradient comes back undiminished, as in lesson 10's residual units.
#
# ### Exercise 14.3 · The one-stream block
# {{exercise}}
#
# `layers` has `norm1`, `qkv`, `proj` (that is $W$), `norm2` and `mlp`, which you call, and the number `heads`; they will be trained, so gradients have to come through. `qkv` turns each token into its query, key and value, one after the other, $C$ channels each. Write the block for the tokens of both images; use your `attention`.
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
# The claim about sets can be tested too. Here is the same search image three times: as it is; with all 256 tokens shuffled *after* they got their codes; with the features shuffled *before*, so that codes and features no longer belong together. Each time the answers are put back in order before the head reads them. **Predict:** which of the two shuffles does the score map notice?


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
# It does not notice the first: up to rounding, nothing has changed. A block does the same to every token, and a sum over all tokens does not depend on their order. It can notice the second, as far as the network relies on its codes; the title says how far that is here. Position has other sources: a backbone of padded convolutions has put traces of the place into its features (lesson 10), and the head is made of convolutions, to which it matters which cells are neighbours. That is why the answers had to be put back in order for the head.
# </details>
#
# ## What need not be computed twice for the template
#
# The attention among all tokens of both images is one matrix, 320 × 320, which falls into four quarters: the template looks at itself, and at the search image; the search image looks at the template, and at itself.

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
# The upper right quarter has a price. Because of it the template's tokens are different for every search image, and all of them go through every block again. MixFormer leaves it out: the template looks only at itself. Then its tokens, and with them their *keys and values* in every block, are the same for the whole video. They are computed once and kept; in each frame only the search image's tokens pass through the blocks, and they look at both images. This is *asymmetric attention*.
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
# Is that the same as attention of all to all in which the upper right quarter is forbidden? With a *mask* the products there are set to $-\infty$ before the softmax. Here are both, through all blocks; and the time for a frame with all tokens, and with the template kept:

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
# The difference is rounding. The time saved is in the blocks alone, and it is at most the template's share of the tokens: here a fifth. It pays where there are many template tokens (MixFormer keeps two templates), and it is what makes *several* templates cheap. The price: the template's tokens no longer learn what they have to be told apart from. This network was trained with all four quarters, so its own score map is the one with all four.
#
# ## What the network is told
#
# After the last block the search image's tokens are a map again, and a head of convolutions reads three things for each of its 16 × 16 cells: a *score*, whether the target's centre is here; the target's *size*, as fractions of the search image; and an *offset*, from the cell to the exact centre. There are no anchors, and each cell has one box.
#
# What should the score be? A centre $c$, as a fraction of the search image, lies at $16\,c$ in cells; the nearest cell has the number $16\,c$ *rounded*, but at most 15, the number of the last cell; the offset is the difference. The score should be 1 in that cell. But a box one cell beside it would still be a good one, and should not be penalised like background. So a *heat map* falls off around the cell, as a Gaussian:
#
# $$\text{heat} = \exp\Big(-\frac{\Delta x^2 + \Delta y^2}{2\sigma^2}\Big) \text{ where } |\Delta x|, |\Delta y| \le r, \text{ else } 0; \qquad \sigma = \frac{2r + 1}{6}.$$
#
# The radius $r$ depends on the target's size in cells. `radius_of` computes it by CornerNet's rule: how far the corners of a box may be displaced with an IoU of 0.7 still left. $r$ is the result, rounded down.
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
# Here is what your function asks for: for the target of this search image, and for boxes around the same centre that are smaller and larger. On the right, the radius over the size of a square target: as `radius_of` computes it, and by the three equations behind it (corners both in, both out, one of each). CornerNet's code as first published divides by 2 where the solution says $2a$, and takes the larger root of the first two; a later version of it is mended, OSTrack's code has the first form.


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
# {{figure heat}} Three heat maps, with their boxes; the cross is the exact centre, the brightest cell the rounded one. Right, two radii. A target of four cells is what the tracker's search image shows: a quarter of its side. There the code as first published gives a radius of one cell; by the equations it would be 0, and the heat map a single point. So what looks like a slip has become part of the recipe.
#
# **A good place to stop.** The network is whole, and knows what it should say.

# %% [markdown]
# ## How wrong is a heat map?
#
# {{part}}
#
# Run the cells above; your answers are saved in them.
#
# Of 256 cells one is the target's centre. With a plain cross-entropy the 255 others decide what is learned: each costs next to nothing, but together they soon make up most of the loss. SiamRPN drew at most 16 positive anchors and 48 negative ones and threw the rest away (lesson 07). CornerNet keeps all cells and *weights* them:
#
# $$L = -\frac{1}{N} \sum_j \begin{cases} (1 - p_j)^2 \log p_j & \text{where heat}_j = 1, \\ (1 - \text{heat}_j)^4\; p_j^2\, \log(1 - p_j) & \text{elsewhere.} \end{cases}$$
#
# $p_j$ is the score, 0 … 1. The squares say how wrong the cell still is: *focal* means that cells that are already right hardly count. The fourth power is the heat map's contribution: beside a centre a score costs less. $N$ is the number of centres, and at least 1.
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
# An untrained head says about 1 % in every cell (its last bias is made so). Later it says 60 % at the centre and 5 % elsewhere. **Predict:** what fraction of the loss comes from the 255 cells of the background, at first and later, with the cross-entropy and with the focal loss?

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
# {{figure focal}} Left, what one cell costs. Right, what fraction of the loss the 255 other cells contribute together, at first and later.
#
# <details><summary>What came of it</summary>
#
# With the cross-entropy it *grows* while the network learns: as soon as the centre is found, most of what is left to learn is "make the background a little darker". With the focal loss the centre keeps the larger part, until a cell of the background becomes a rival: then its cost is as steep as any.
# </details>
#
# ## The box that will be read
#
# Every cell has a box, and a tracker reads one of them: the one with the highest score. So this is the box that is trained in each image, even where the highest score is in the wrong place: a bad cell may be chosen while tracking, too. Two losses of this box are added,
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
# The intersection goes from the larger of the two left edges to the smaller of the two right ones; for the box around both it is the reverse. Only the sides of the intersection can become negative: `clamp_min(0)` before they are multiplied.
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
# {{figure giou}} Beyond one width the boxes no longer overlap. There 1 − IoU is flat: nothing tells a box on which side the target is. 2 (1 − GIoU) goes on rising, by less and less, and $L_1$ at the same pace as everywhere.
#
# Can a network learn from the focal loss and this one? A habit worth keeping: before a long training, let a network learn *one* pair by heart. One that cannot do that has a fault. Here is a network of VitTrack's size, trained from random weights on this lesson's two images:

# %%


def by_heart(boxes_of):
    """A small network learns this lesson's pair; `boxes_of` makes boxes (1, n, n, 4) of its maps.

    Returns both losses of each step, and the last maps.
    """
    torch.manual_seed(1)
    small = sized("d48").train()
    optimiser = torch.optim.Adam(small.parameters(), lr=5e-3)
    rows = []
    for _ in range(by_profile(smoke=3, laptop=150, gpu=150)):
        maps = small(z_image, x_image)
        focal = focal_loss(maps.score[:, 0], heat_map(truth, 16))
        box = box_loss(maps.score[:, 0], boxes_of(maps), truth, yes)
        optimiser.zero_grad()
        (focal + box).backward()
        optimiser.step()
        rows.append((focal.item(), box.item()))
    return rows, maps


rows, maps = by_heart(CentreMaps.boxes)
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
# **A good place to stop.** The network has learned, and you have its losses.
#
# ## From maps to a box
#
# {{part}}
#
# Run the cells above; your answers are saved in them.
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
# ### Find the fault
#
# In training, the loss of the box reads the boxes of *all* cells; above, a function of the library made them. Somebody else has written that function too. A network learns the pair by heart with it, and its loss falls as it should. But your tracker reads other boxes from that network than the loss has read.


# %%
def their_boxes(maps):
    """The box (B, n, n, 4) of each cell, x, y, w, h as fractions, from maps (B, 5, n, n)."""
    _, w, h, dx, dy = maps.unbind(1)  # (B, n, n) each
    n = maps.shape[-1]
    at = (torch.arange(n) + 0.5).to(maps)  # (n,)
    x = (at[None, :] + dx) / n
    y = (at[:, None] + dy) / n
    return torch.stack([x - w / 2, y - h / 2, w, h], -1)


def fault_figure(boxes_of, whose):
    """A pair learned by heart with boxes (B, n, n, 4) of maps (B, 5, n, n); the figure and its words."""
    costs, maps = by_heart(lambda maps: boxes_of(torch.cat(maps, 1)))
    joined = torch.cat(maps, 1).detach()  # (1, 5, 16, 16)
    row, column = divmod(int(joined[0, 0].argmax()), 16)
    boxes = {
        "as the loss reads it": boxes_of(joined)[0, row, column].numpy() * SEARCH,
        "as your tracker reads it": decoded(joined[0].numpy())[0] * SEARCH,
    }
    figure, axes = plots.new_figure(width=9.4, height=3, columns=3, width_ratios=[1.6, 1, 1])
    plots.draw_lines(
        axes[0, 0],
        {"with the library's boxes": [c[1] for c in rows], whose: [c[1] for c in costs]},
        xlabel="steps",
        ylim=(0, None),
    )
    axes[0, 0].set_ylabel("loss of the box")
    told = []
    for ax, (name, one) in zip(axes[0, 1:], boxes.items(), strict=True):
        off = one[:2] + one[2:] / 2 - search_box[:2] - search_box[2:] / 2
        off = off.round(1) + 0.0  # no "-0.0"
        title = f"{name}\ncentre off by ({off[0]:.1f}, {off[1]:.1f}) pixels"
        plots.show_frame(ax, search_crop, title, truth=search_box, found=one)
        ax.title.set_fontsize(9)
        told.append(f"{name}, off by ({off[0]:.1f}, {off[1]:.1f}) pixels")
    return (
        figure,
        f"{whose}: the loss of the box over {len(costs)} steps, from {costs[0][1]:.1f} to {costs[-1][1]:.2f}, and the box of the best cell {'; '.join(told)}.",
    )


plots.show(*fault_figure(their_boxes, "with their boxes"))

# %% [markdown]
# {{figure fault}} Left, the loss of the box with the library's boxes and with theirs. Then the box of the best cell beside the true one, read in two ways from one and the same network; the titles say how far its centre is off, along x and y.
#
# ### Exercise 14.9 · Boxes of all cells
# {{exercise}}
#
# Find the line with the fault, and write the function as it should be.
#
# <details><summary>Hint 1</summary>
#
# The network learned to be wrong in just the way that makes their boxes right. Which of its five maps can take over a displacement that is the same everywhere?
# </details>
# <details><summary>Hint 2</summary>
#
# In exercise 14.5 the offset is counted from the cell's number, and in exercise 14.8 it is added to it.
# </details>


# %% exercise="stream.fault" points=4 stars=1 minutes=5
@exercise("stream.fault")
def mended_boxes(maps):
    """`their_boxes` without its fault.

    Args:
        maps: tensor (B, 5, n, n): score, width and height (fractions of the search image), offset
            along x and y (cells).

    Returns:
        tensor (B, n, n, 4), x, y, w, h of each cell's box as fractions of the search image.
    """
    ### BEGIN SOLUTION
    _, w, h, dx, dy = maps.unbind(1)  # (B, n, n) each
    n = maps.shape[-1]
    at = torch.arange(n).to(maps)  # (n,)
    x = (at[None, :] + dx) / n
    y = (at[:, None] + dy) / n
    return torch.stack([x - w / 2, y - h / 2, w, h], -1)
    ### END SOLUTION


# %%
plots.show(*fault_figure(mended_boxes, "mended"))

# %% [markdown]
# {{figure mended}} The same with your boxes. A convention that holds in training alone costs nothing there: the weights adapt to it. It is paid for while tracking, in every frame.
#
# ## The window, in a tracker
#
# The rest of the tracker is a search image twice as wide as the template, black beyond the frame, and the network. It follows the target of this lesson among its look-alikes, with your window and without one. **Predict:** where will the two runs part ways?


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
# Where the IoU is near 0, look at the score beside it: a look-alike that was taken for the target has a score, too. That question comes back in lesson 15.
# </details>
#
# ## Experiment: what brings what?
#
# One stream has position codes, attention between the images, and a backbone that has seen ImageNet. What is each of them worth? Here is the same recipe with one of them left out at a time, in short runs with the same pairs. **Predict:** how far does a network get that sees the search image, but never the template?

# %%
file = RESULTS / "onestream_arms.json"
arms = read_measured(file) if file.is_file() else None
figure, axes = plots.new_figure(width=10, height=3.2, columns=2, sharey=True)
told = "not measured yet"
if arms is None:
    for ax in axes[0]:
        words = "not measured yet:\npython benchmarks/onestream_arms.py"
        ax.text(0.5, 0.5, words, ha="center", fontsize=9)
        ax.set_axis_off()
else:
    tries = {}
    for run in arms["runs"]:
        if arms["arms"][run["arm"]]["recipe"] != arms["arms"]["one stream"]["recipe"]:
            continue  # of another network
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
    alt=f"Mean IoU while tracking, a dot for each seed, for the recipe as it is and without one of its parts; on generated sequences: {told}.",
)

# %% [markdown]
# {{figure arms}} Each dot is one training run, two for each recipe; left, the mean over 24 generated sequences, right, over two held-out videos, too few for an interval. Look first at how far the two dots of one recipe lie apart: up to a tenth. "Template not seen" has no attention from one image to the other: whatever it finds, it was not told what to look for. "Asymmetric" and "no position codes" lack one thing each; those from random weights have another first stage, too, and all of their weights are trained.
#
# <details><summary>What came of it</summary>
#
# The network that never sees the template is, in {{see arms}}, the floor for the arms with its backbone: only what is above it has been gained by comparing. After so few steps the recipe as it is {{evidence stream-joint open}} and the network without position codes cannot be told from it. The asymmetric one lies above it {{evidence asymmetric-joint above}}; of several comparisons one may do so by chance. So there is hardly a sign yet that the networks compare. Lesson 15 takes that up. What counts so early is the backbone: from random weights both networks are far behind. It need not surprise that a network without position codes cannot be told apart from the recipe as it is: its backbone is padded, and lesson 10 has shown that padding gives the place away. All intervals are below, under *What the figures say*.
# </details>
#
# ## What the figures say
#
# Each line is a difference in mean IoU while tracking. Its interval allows for other sequences *and* other seeds: two runs of one recipe say little about how far seeds lie apart, so that is estimated from the runs of all recipes together. Where zero lies inside, no difference has been shown.
#
# * Without a part, minus the recipe as it is, {{see arms}}: no position codes {{evidence positions open}}, the template not seen {{evidence joint open}}, a template that looks only at itself {{evidence asymmetric open}}, from random weights {{evidence from-random below}}.
# * From random weights both, {{see arms}}: convolutions minus one matrix for a patch {{evidence convolutions-patches above}}.
#
# ## An open task
#
# Earlier trackers took over only a part of each change of size; this one takes over all of it. Choose the part, or another rule for the size. The rule: choose on generated sequences that belong to no benchmark; then compare *once* on others, over all of them, with an interval.


# %%
class Smoothed(MyOneStream):
    """Takes over a part of each change of size."""

    part = 1.0

    def decide(self, responses):
        """Box (4,) from the maps (1, 5, n, n)."""
        before = to_centre(self.box)[2:]
        now = to_centre(super().decide(responses))
        now[2:] = self.part * now[2:] + (1 - self.part) * before
        self.box = kept_in_frame(from_centre(now), *self.frame.shape[1::-1])
        return self.box.copy()


trials = [
    make_sequence(random_spec(745_000 + k, length=by_profile(smoke=5, laptop=40, gpu=80)))
    for k in range(by_profile(smoke=1, laptop=3, gpu=20))
]
covered_by = {}
for part in (1.0, 0.7):
    covered_by[part] = []
    for one in trials:
        tracker = onestream(Smoothed)
        tracker.part = part
        covered_by[part].append(np.nanmean(iou(followed(tracker, one)[0], one.boxes)))
    print(f"part {part}: mean IoU {np.mean(covered_by[part]):.3f}")
print("difference, sequence by sequence:", Interval.of(np.subtract(*covered_by.values())))

# %% [markdown]
# **Stretch goal.** Of the 64 tokens of a template 48 show what lies around the target. Are they needed, to tell the target from its surroundings, or in the way? The stream takes any number of tokens, and each carries its place in its code: give `runtime.prepared` only those on the target, and track. Show on generated sequences of other seeds, over all of them and with an interval, what it costs or brings.
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
# Because that is the cell that is read while tracking. Where the peak is in the right place, the two are the same cell; where it is not, the box is trained in the neighbour that wins, so that a peak that is one cell off still has the right box. That is also what makes the offset useful beyond ± 0.5.
# </details>
#
# 3. Exchange two tokens of the template, each with its code. What changes in the score map? And if only their codes are exchanged?
# <details><summary>Answer</summary>
#
# Up to rounding, nothing: a search token sums over all template tokens, in whatever order they come. With exchanged codes the template is another one, whose left upper corner seems to lie somewhere else; the score may change.
# </details>
#
# 4. From lesson 12: there a box climbed its predicted IoU, five steps for ten boxes. Here it is read from one cell. What could climbing correct that reading cannot?
# <details><summary>Answer</summary>
#
# A reading is one shot: whatever the network says in that cell is the box. Climbing asks the network again at the corrected box, so an error of the first guess can be seen and undone. It costs a pass for every step; and it needs a start that overlaps with the target.
# </details>
#
# ## Classic mistakes
#
# * **A reshape where axes have to change places.** The shape is right, the numbers are not, and nothing stops: in tokens and in heads alike.
# * **The root of the wrong number.** The root is that of one head's number of channels; with $\sqrt C$ the attention of every head is too even.
# * **Two softmaxes for two images.** Kept keys and new ones compete in one, or a search token takes as much from the template whether it fits or not.
# * **A norm on the sum.** What is added is computed from normed tokens; the sum itself stays as it is.
# * **A window that adds.** It is multiplied onto probabilities; added to them it can choose a cell of which the network says 0.
#
# ## Read next
#
# * `course_lib/models/onestream.py` and `course_lib/models/attention.py`; `course_lib/trackers/onestream.py` is all that a tracker needs around them.
# * Ye et al., *Joint Feature Learning and Relation Modeling for Tracking* (ECCV 2022); Cui et al., *MixFormer* (CVPR 2022); Yan et al., *STARK* (ICCV 2021).
# * Lesson 15: the tracker leaves the notebook: how fast it can be, how good it is beside the earlier ones, whether it knows that it is lost, and how it runs without this course.
