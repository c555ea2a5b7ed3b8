# ---
# jupyter:
#   course: {run: [1, 1, 1]}
# ---

# %% [markdown]
# # 15 · Out of the notebook: fewer tokens, a score that knows, a file
#
# | | |
# |---|---|
# | **You will be able to** | remove the tokens that a network can do without, and put the rest back in their places; compare networks on equal terms; tell from a score that the target is lost; and hand out a tracker as a file that runs without this course |
# | **You need** | lesson 14 for tokens, attention and the one-stream tracker, lesson 13 for a tracker that says "not found" |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Ye et al. (OSTrack, ECCV 2022) for candidate elimination, Fawcett (ROC curves, Pattern Recognition Letters 2006), and OpenCV's code of TrackerVit |
# | **Words** | {{words}} |

# %%
import copy
from importlib.util import find_spec
from time import perf_counter

import cv2
import numpy as np
import torch
from torch import nn

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import SPECS, make_sequence, random_spec
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.otb import track
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.boxes import iou
from course_lib.models.attention import central_token, taken
from course_lib.models.device import choose_placement
from course_lib.models.export import export, opencv_tracker
from course_lib.models.runtime_stream import StreamRuntime
from course_lib.models.stems import DEVIATION, MEAN, map_of, normalised
from course_lib.models.stream_template import FACTOR, PATCH, SEARCH, TEMPLATE
from course_lib.models.weights import find_weights, load_network, read_card
from course_lib.places import RESULTS, RUNS
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker
from course_lib.trackers.base import confidence_of
from course_lib.trackers.onestream import OneStreamSettings, OneStreamTracker, square
from course_lib.widgets import AttentionExplorer

torch.manual_seed(0)
network = load_network("onestream-lite0")
runtime = StreamRuntime(copy.deepcopy(network), choose_placement("cpu", "fp32"))


def onestream():
    """A one-stream tracker, as at the end of lesson 14."""
    return OneStreamTracker(OneStreamSettings(), runtime)


def followed(tracker, sequence):
    """Boxes (T, 4) and scores (T,) of one pass; the first score is NaN."""
    tracker.init(sequence.frames[0], sequence.boxes[0])
    boxes, scores = [sequence.boxes[0]], [np.nan]
    for t in range(1, len(sequence)):
        boxes.append(tracker.update(sequence.frames[t]))
        scores.append(confidence_of(tracker))
    return np.array(boxes), np.array(scores)


def milliseconds(work):
    """Shortest time of a call."""
    spent = []
    for _ in range(by_profile(smoke=2, laptop=15, gpu=15)):
        start = perf_counter()
        work()
        spent.append(1000 * (perf_counter() - start))
    return min(spent)


# one search image, cut where a tracker could believe the target to be
sequence = load_benchmark("generated-v1")["gen-18-distractors"].loaded()
template_crop = square(sequence.boxes[0], FACTOR, TEMPLATE).cut(sequence.frames[0], (0, 0, 0))
x, y, w, h = sequence.boxes[45]
search_window = square((x + 0.5 * w, y - 0.4 * h, w, h), FACTOR * SEARCH / TEMPLATE, SEARCH)
search_crop = search_window.cut(sequence.frames[45], (0, 0, 0))  # (256, 256, 3)
search_box = search_window.box_to_crop(sequence.boxes[45])  # (4,) pixels of the search image
z_image, x_image = (
    torch.from_numpy(crop).permute(2, 0, 1)[None].float()
    for crop in (template_crop, search_crop)
)  # (1, 3, 128, 128) and (1, 3, 256, 256), values 0…255

# %% [markdown]
# ## Look first
#
# {{part}}
#
# Lesson 14 ended with a tracker. Here it follows a target that leaves the image; the bars beside the frames show where its time goes.

# %%
leaving = make_sequence(next(spec for spec in SPECS if spec.leaves))
gone = ~np.isfinite(leaving.boxes).all(1)  # (T,)
away = int(np.flatnonzero(gone)[0])
begin, end = by_profile(
    smoke=(away - 4, away + 6), laptop=(0, len(leaving)), gpu=(0, len(leaving))
)
leaving, gone = leaving.part(begin, end).loaded(), gone[begin:end]
away, last = np.flatnonzero(gone)[0], np.flatnonzero(gone)[-1]
own_pass = boxes, scores = followed(onestream(), leaving)
figure, axes = plots.new_figure(width=10.4, height=2.7, columns=4, width_ratios=[1, 1, 1, 1.1])
moments = {"before": away // 2, "away": (away + last) // 2, "at the end": len(leaving) - 1}
for ax, (name, t) in zip(axes[0], moments.items(), strict=False):
    title = f"{name}, frame {t}\nscore {scores[t]:.2f}"
    plots.show_frame(ax, leaving.frames[t], title, truth=leaving.boxes[t], found=boxes[t])
with torch.no_grad():
    kept, seen = network.template(z_image), network.tokens(x_image, network.place_x)
    tokens = network.stream(kept, seen)[0]  # (1, 256, C)
    spent = {
        "crop": milliseconds(lambda: search_window.cut(sequence.frames[45], (0, 0, 0))),
        "tokens": milliseconds(lambda: network.tokens(x_image, network.place_x)),
        "blocks": milliseconds(lambda: network.stream(kept, seen)),
        "head": milliseconds(lambda: network.head(map_of(tokens))),
    }
axes[0, 3].barh(list(spent), list(spent.values()), color=plots.EXEMPLAR)
axes[0, 3].invert_yaxis()
axes[0, 3].set(xlabel="ms", title="a frame")
told = ", ".join(f"{name} {scores[t]:.2f}" for name, t in moments.items())
where = ", ".join(f"{name} {ms:.1f}" for name, ms in spent.items())
plots.show(
    figure,
    alt=f"Three frames of a sequence with the target's box and the tracker's, before the target leaves, while it is away, and the last one; scores: {told}. Right, milliseconds of a frame: {where}.",
)

# %% [markdown]
# {{figure look}} The target's box is solid, the tracker's dashed: the tracker gives one in every frame, even where there is no target to be seen. Right, the time of each part of one frame on this machine, the shortest of several tries.
#
# Whoever wants to *use* the tracker asks four things. Can it be faster? How good is it beside the earlier ones? Does it know when it is lost? And how does it get into a program that is not a notebook? This lesson takes them in turn.
#
# ## Which tokens are in the way?
#
# Most search tokens are background, and every token costs time in every block. OSTrack removes some on the way, and asks the network itself which: the tokens that the *centre of the template* attends to least. That is called *candidate elimination*. Of 256 tokens ⌈0.7 · 256⌉ = 180 stay, and 126 and 89 after two further removals.
#
# ### Exercise 15.1 · Who stays
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


# %% exercise="deploy.remove" points=6 stars=2 minutes=8
@exercise("deploy.remove")
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
# Somebody else has written the function that puts tokens back. With one removal its result is right. Here are the score maps of one search image with no removal, with one and with two, and the symptom: how far the boxes lie from the target in many frames.


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
    return network.head(map_of(put_back(network.norm(x), stayed, 256)))


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
# {{figure fault}} Score maps after 0, 1 and 2 removals of 15 %, each with its peak; right, the distances of the boxes from the targets, in pixels of the search image. No error is raised, since every place has a number below 256.
#
# ### Exercise 15.2 · Back to their places
# {{exercise}}
#
# At the second removal tokens are numbered among those that the first one left. Find the line with the fault, and write the function as it should be, for any number of removals, also none. Write it with torch, so that gradients reach `tokens`.
#
# <details><summary>Hint 1</summary>
#
# If the first removal left the tokens 2, 5, 7, 8 and the second one 0 and 3 of *these*, then 2 and 8 have stayed.
# </details>
# <details><summary>Hint 2</summary>
#
# Begin with the numbers of all tokens, 0 … count − 1, in each row; then `places = places.gather(1, chosen)` for each removal.
# </details>


# %% exercise="deploy.fault" points=5 stars=2 minutes=6
@exercise("deploy.fault")
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
# ## What is saved?
#
# Time depends on the machine; what can be counted beforehand are *products* of two numbers. A block multiplies each of its tokens by the matrices of query, key and value and by $W$, of $C \times C$ numbers each; it multiplies queries by keys, and attention weights by values; and in its second half two layers lead from $C$ channels to a multiple of it, `ratio` · $C$, and back. Sums, norms and the softmax are not counted.
#
# ### Exercise 15.3 · Products of a block
# {{exercise}}
#
# Count them for a block in which tokens are removed. As above they are removed after the attention, before the second half. How many heads there are does not matter.
#
# <details><summary>Hint 1</summary>
#
# A matrix (a, b) times a matrix (b, c) has a · b · c products. Write down the shapes of the eight multiplications.
# </details>
# <details><summary>Hint 2</summary>
#
# Queries (N, C) times keys (C, N): N² · C products; the weights (N, N) times the values (N, C) take as many. With heads each has d channels, and there are C / d of them.
# </details>


# %% exercise="deploy.products" points=4 stars=1 minutes=6
@exercise("deploy.products")
def block_products(before, after, channels, ratio):
    """Products in one block.

    Args:
        before: tokens of both images that enter it.
        after: tokens that are left for its second half.
        channels: C, of a token.
        ratio: channels inside the second half, in multiples of C.

    Returns:
        number of products.
    """
    ### BEGIN SOLUTION
    matrices = 4 * before * channels**2
    attention = 2 * before**2 * channels
    return matrices + attention + 2 * ratio * after * channels**2
    ### END SOLUTION


# %% [markdown]
# OSTrack's network is ViT-B: twelve blocks, 768 channels, ratio 4; tokens are removed in blocks 4, 7 and 10. **Predict:** 89 of 256 search tokens are left at the end, a third. What fraction of the products is left?


# %%
def products_of(channels, ratio, layers, removals, fraction):
    """Products of each block (layers,), and the search tokens that are left behind it."""
    search, products, left = 256, [], []
    for k in range(1, layers + 1):
        before = 64 + search
        if k in removals:
            search = int(np.ceil(fraction * search))
        products.append(block_products(before, 64 + search, channels, ratio) / 1e9)
        left.append(search)
    return np.array(products), np.array(left)


all_stay, _ = products_of(768, 4, 12, (), 1.0)
thinner, left = products_of(768, 4, 12, (4, 7, 10), 0.7)
about = network.about
fewer = {
    f: products_of(about["dim"], about["ratio"], about["layers"], (2, 3), f)
    for f in np.linspace(0.2, 1, 17)
}
lines = {
    "search tokens, at the end": [100 * tokens[-1] / 256 for _, tokens in fewer.values()],
    "products of the blocks": [100 * p.sum() / fewer[1.0][0].sum() for p, _ in fewer.values()],
}
figure, axes = plots.new_figure(width=9.4, height=2.9, columns=2)
blocks = np.arange(1, 13)
for shift, values, name, colour in (
    (-0.2, all_stay, "all stay", plots.NEUTRAL),
    (0.2, thinner, "removed in 4, 7, 10", plots.EXEMPLAR),
):
    label = f"{name}: {values.sum():.1f} in all"
    axes[0, 0].bar(blocks + shift, values, 0.4, label=label, color=colour)
axes[0, 0].set(xlabel="block of ViT-B", ylabel="billions of products", ylim=(0, 3.4))
axes[0, 0].legend(fontsize=7, loc="upper right")
plots.draw_lines(axes[0, 1], lines, 100 * np.array(list(fewer)), ylim=(0, 100))
axes[0, 1].set(xlabel="stays at each of two removals, %", ylabel="%", title="this network")
plots.show(
    figure,
    alt=f"Left, products of each block of ViT-B, if all tokens stay and with removals in three blocks: {all_stay.sum():.1f} and {thinner.sum():.1f} billion in all. Right, for this network: the percentage of search tokens and of products that are left, over the fraction that stays at each of two removals.",
)

# %% [markdown]
# {{figure products}} Left, ViT-B block by block; the legend has the sums. Right, this network's blocks, with removals in blocks 2 and 3.
#
# <details><summary>What came of it</summary>
#
# The saving is smaller than the fraction of tokens that are gone. The blocks before the first removal see all of them, the template's 64 are never removed, and the attention of a block that removes tokens still sees these.
# </details>
#
# ## What it does to the boxes
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
# The printed line says from which fraction on a loss can be told from none, in this sequence. This figure does not show whether the missing tokens cause it, or the zeros that a head of convolutions has never met in its map. The time gained need not match the products counted: the head reads a whole map whatever is left, and the backbone is not in this figure at all.
# </details>
#
# In the explorer of lesson 14 the same network now removes tokens: three tenths in block 2, and three tenths of what is left in block 3. It shows who is gone: in blocks 3 and 4 removed cells are grey.

# %%
thinned = copy.deepcopy(network)
thinned.eliminate, thinned.keep = (2, 3), 0.7
AttentionExplorer(sequence, thinned)

# %% [markdown]
# **Find out by playing:** go through the frames in block 4. Are there frames in which cells of the target are grey, and where in its box do they lie? Do the cells that stay form one piece, or are there islands, and what do these show? And where the score's peak leaves the target: had the target's tokens been removed, or were they still there while something else had the higher score?
#
# <details><summary>What to see</summary>
#
# The target's box holds 16 cells, and in every one of the 59 frames some of them are grey: 3 to 10, most often near its centre. Counted by shared sides, the cells that stay are never in one piece: the largest holds between two fifths and nine tenths of the 126 cells, and up to fifteen smaller ones lie around it. Judged by the square of its cell, the peak leaves the target in two frames. In frame 28 ten of the target's cells are grey; but there the peak leaves the target with all tokens, too. In frame 41 eleven of them are left, and the peak lies at the edge of the box, on a cell that was removed, where the head met a zero; with all tokens it stays on the target. With all tokens, however, it leaves the target in six frames. One sequence of 59 frames does not say how two trackers compare.
# </details>
#
# **A good place to stop.** You know what can be left out, and what it saves.
#
# ## With the same pairs
#
# {{part}}
#
# Run the cells above; your answers are saved in them.
#
# What does attention bring over what came before? Trackers that were published differ in everything: data, backbone, steps. So here networks of this course get the same: pairs from the same videos and photographs, drawn with the same probabilities, and as many steps. Only ATOM's pairs are cut as it needs them, from frames nearer together; all of them show the target, and no look-alikes are pasted into them. SiamRPN++ and ATOM have the same frozen backbone as the one stream; SiamFC is nothing but a backbone, so there its last stage is trained. **Predict:** in which order do they come out?


# %%
def not_yet(ax, words):
    """Say in axes without data what would fill them."""
    ax.text(0.5, 0.5, words, ha="center", fontsize=9)
    ax.set_axis_off()


file = RESULTS / "onestream_arms.json"
arms = read_measured(file) if file.is_file() else None
figure, axes = plots.new_figure(width=9.6, height=3.2, columns=2, sharey=True)
told = "not measured yet"
if arms is None:
    for ax in axes[0]:
        not_yet(ax, "not measured yet:\npython benchmarks/onestream_arms.py")
else:
    tries = {}
    for run in arms["runs"]:
        if run["arm"] in ("one stream", "siamfc", "siamrpn++", "atom"):
            for group, of in run["clips"].items():
                tries.setdefault(group, {}).setdefault(run["arm"], []).append(
                    float(np.mean(list(of.values())))
                )
    for ax, (group, of) in zip(axes[0], tries.items(), strict=True):
        plots.draw_seeds(ax, of)
        ax.set(title=f"tracking, {group}", ylim=(0, 1))
    axes[0, 0].set_ylabel("mean IoU")
    told = ", ".join(f"{name} {np.mean(v):.2f}" for name, v in tries["generated"].items())
    print(f"{arms['pairs']:,} pairs each;", measured_words(arms))
plots.show(
    figure,
    alt=f"Mean IoU while tracking, a dot for each seed, for networks of four kinds with the same pairs; on generated sequences: {told}.",
)

# %% [markdown]
# {{figure pairs}} Each dot is one training run, a short one, two for each network; left, the mean over 24 generated sequences, right, over two held-out videos, too few for an interval. Every network tracks as its own lesson's tracker does.
#
# <details><summary>What came of it</summary>
#
# On generated sequences the one stream comes last, {{see pairs}}: behind SiamFC {{evidence pairs-siamfc above}}, SiamRPN++ {{evidence pairs-siamrpnpp above}} and ATOM {{evidence pairs-atom above}}. No interval here says how these three compare with one another. All this holds for a short training on equal pairs, no more; what ten times as many steps would bring is not measured here.
# </details>
#
# ### On real targets

# %%
real = read_measured(RESULTS / "onestream_real_sequences.json")
figure, axes = plots.new_figure(width=9.6, height=3.2, columns=2, width_ratios=[3, 2])
rows = real["otb+vot2014"]
names = list(rows["overall"])
each = {n: [row[n] for row in rows["auc_by_sequence"].values()] for n in names}
plots.draw_seeds(axes[0, 0], each)
axes[0, 0].set(ylabel="AUC", ylim=(0, 1), title=f"{len(rows['auc_by_sequence'])} real targets")
for k, name in enumerate(names):
    at = real["speed"][name], rows["overall"][name]["auc"]
    axes[0, 1].plot(*at, plots.MARKERS[k], color=plots.CYCLE[k])
axes[0, 1].set(xlabel="frames a second, one thread", ylabel="AUC")
axes[0, 1].margins(0.15)
plots.label_points(
    axes[0, 1], {n: (real["speed"][n], rows["overall"][n]["auc"]) for n in names}
)
told = ", ".join(f"{n} {rows['overall'][n]['auc']:.3f}" for n in names)
show_table(rows["overall"], f"One pass over {len(rows['auc_by_sequence'])} real targets")
print(measured_words(real))
plots.show(
    figure,
    alt=f"AUC on the course's real targets, a dot for each, and the mean AUC over the speed on one thread: {told}.",
)

# %% [markdown]
# {{figure real}} Left, each dot is a target, the bar their mean; right, accuracy over speed. The speeds were taken in turns, on one thread. All have the same backbone but SiamFC; none has seen these sequences.
#
# ### Place, size, or steps?
#
# The one stream had SiamRPN++'s backbone, pairs and steps. What, then, explains the difference in {{see real}}? Take one factor at a time: after every frame the tracker is told the *true size* and keeps the place it found, or is told the *true place* and keeps the size. What remains of the difference when both are told the true size cannot come from size; what remains when both are told the true place cannot come from place. And a question about the training: the networks' cards record the IoU on held-out pairs along the way. **Predict:** attention has to learn how to compare, correlation compares from the first step on. How would that show in the curves?

# %%
told_one = read_measured(RESULTS / "place_or_size.json")
both = {"one stream": "onestream-lite0", "siamrpn++": "siamrpnpp-lite0"}
figure, axes = plots.new_figure(width=9.6, height=3.2, columns=3, width_ratios=[3, 3, 4])
words = []
for k, (name, weights) in enumerate(both.items()):
    style = {"color": plots.CYCLE[k], "marker": plots.MARKERS[k], "label": name}
    for ax, group in zip(axes[0, :2], ("generated", "real"), strict=True):
        means = told_one[group][name]["iou"]
        ax.plot(range(3), list(means.values()), linestyle="", **style)
        ax.set_xticks(range(3), list(means))
        ax.set(title=f"{len(told_one[group][name]['by_sequence']['alone'])} {group} sequences")
        ax.set(xlim=(-0.4, 2.4), ylim=(0.5, 0.9), xlabel="told after every frame")
        words.append(f"{name}, {group}: " + ", ".join(f"{w} {v:.2f}" for w, v in means.items()))
    curve = read_card(find_weights(weights))["validation_curve"]
    axes[0, 2].plot(
        [row["step"] for row in curve],
        [row["iou"] for row in curve],
        linestyle=plots.LINES[k],
        **style,
    )
    words.append(f"{name} on held-out pairs: {curve[0]['iou']:.2f} to {curve[-1]['iou']:.2f}")
axes[0, 0].set(ylabel="mean IoU")
axes[0, 2].set(title="held-out pairs", xlabel="training step", ylabel="IoU")
axes[0, 2].legend(fontsize=7)
print(measured_words(told_one))
plots.show(
    figure,
    alt=f"Mean IoU of two trackers alone, told the true size and told the true place; right, their IoU on held-out pairs over the training steps. {'; '.join(words)}.",
)

# %% [markdown]
# {{figure why}} Left, mean IoU over the first 100 frames of each sequence, by what the tracker is told; right, what a validation found every 1,000 steps.
#
# <details><summary>What came of it</summary>
#
# On generated sequences, {{see why}}, the two alone cannot be told apart; told the true place, they are level as far as the intervals say; told the true size, the one stream stays behind. On the real ones it is not the place: told that, the one stream stays behind about as far as before. Told the true size, whether it stays behind is open. So how much of the difference size explains, these sequences do not say: all of it and none of it lie within the intervals. The one stream's tracker takes the size of every single frame as it comes; SiamRPN++'s tracker penalises and smooths changes of size. The next figure tests whether that is why.
#
# On held-out pairs SiamRPN++ reaches after 1,000 steps what the one stream reaches between 5,000 and 6,000. The arms of lesson 14 show what is missing at first: after 1,500 steps the one stream cannot be told apart from a network that never sees the template, while the three that have a comparison built in, or learn one on the first frame, are ahead with the same pairs, {{see pairs}}. So at that point there is no sign yet that it compares. Whether more pairs would close the rest of the gap has not been measured.
# </details>
#
# Is it the smoothing, then? The one stream can have some: after every frame it believes only a fraction of the change of size that it found. And SiamRPN++ can nearly do without: no penalty, and a rate of 1, at which only the proposal's probability still holds its size back. **Predict:** which of the two changes more?

# %%
figure, axes = plots.new_figure(width=8.4, height=2.4, columns=2)
words = []
for ax, group in zip(axes[0], ("generated", "real"), strict=True):
    for k, (way, row) in enumerate(told_one[group]["smoothed"].items()):
        gain = Interval(**row["gain"], n=len(row["by_sequence"]))
        style = {"color": plots.CYCLE[int(way.startswith("siamrpn"))], "capsize": 3}
        ax.errorbar(gain.mean, k, xerr=gain.half_width, fmt="o", **style)
        words.append(f"{way}, {group}: {gain}")
    ax.axvline(0, color=plots.NEUTRAL, linewidth=1)
    names = list(told_one[group]["smoothed"])
    ax.set(title=f"{len(row['by_sequence'])} {group} sequences", ylim=(3.5, -0.5))
    ax.set(xlabel="mean IoU, minus the tracker as it is", xlim=(-0.15, 0.15))
    ax.set_yticks(range(4), names if group == "generated" else [])
plots.show(
    figure,
    alt=f"What smoothing the size adds to the one stream's mean IoU, at three rates, and what SiamRPN++ has without. {'; '.join(words)}.",
)
print("\n".join(words))

# %% [markdown]
# {{figure smoothing}} A dot is the mean difference over the sequences, the bar its interval; the number after “one stream” is the rate; a rate of 1 would be the tracker as it is.
#
# <details><summary>What came of it</summary>
#
# On the real targets SiamRPN++ without its penalty and at a rate of 1 is worse {{evidence unsmoothed-real below}}; but smoothing gains the one stream nothing that could be told from 0, at any of the three rates (at 0.3 {{evidence smoothed-real open}}, and on the generated sequences {{evidence smoothed-generated open}}). So the tracker around the network explains at most a part of the difference of {{see real}}. What is wrong with the one stream's sizes is not what this kind of smoothing mends.
# </details>
#
# ### What was published
#
# A number on GOT-10k can mean two things. The benchmark's rules ask for training on its own videos alone, and the targets of its test videos belong to other classes than those of its training videos. Many networks were trained on everything there is, and their numbers are larger. The two must not be compared.

# %%
paper = read_measured(RESULTS / "onestream_published.json")
figure, axes = plots.new_figure(width=8.4, height=3.4, columns=2, width_ratios=[3, 2])
kinds = {
    "got10k": "GOT-10k's videos only",
    "everything": "everything",
    "unknown": "not said",
}
spots = {}
for (kind, label), mark, colour in zip(kinds.items(), "os^", plots.CYCLE, strict=False):
    own = [
        r
        for r in paper["trackers"]
        if r["got10k_trained_on"] == kind and r["got10k"] and r["lasot"]
    ]
    at = [[100 * r["lasot"] for r in own], [100 * r["got10k"] for r in own]]
    axes[0, 0].plot(*at, mark, color=colour, label=label, markersize=5)
    spots |= dict(zip((r["tracker"] for r in own), zip(*at, strict=True), strict=True))
axes[0, 0].set(xlabel="LaSOT, AUC %", ylabel="GOT-10k, AO %")
axes[0, 0].margins(0.1)
axes[0, 0].legend(title="trained on", fontsize=7, title_fontsize=7)
plots.label_points(axes[0, 0], spots, fontsize=7)
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
small = {"tracker": "tracker", "parameters": "parameters", "got10k_split": "part of GOT-10k"}
show_table(paper["small"], "Published, small ones", small | heads)
plots.show(
    figure,
    alt=f"Left, GOT-10k over LaSOT as published, with a mark for what the network was trained on. Right, the same tracker in both meanings of a GOT-10k number: {told}.",
)

# %% [markdown]
# {{figure published}} Left, as published; compare marks of one kind. The table of small networks mixes two parts of GOT-10k, validation and test: compare rows of one part. Right, the difference for two trackers whose number is known in both meanings. None of these numbers can be compared with this course's: its network has seen 144,000 pairs from a few videos and photographs, OSTrack's 18 million from thousands of videos.
#
# ## Is it lost?
#
# The question that users of trackers ask most, after "how do I run it on my own video". A tracker always has a highest score; what is it worth? The score of this head was trained with negative pairs, search images without the target, in which all of the heat map is 0.
#
# A score that tells *lost* from *not lost* puts lost frames below the others. How well it does so, over all thresholds at once, is one number: the *area under the ROC curve*. Of all pairs of a lost frame and one that is not lost, it is the fraction in which the lost one has the lower score. Only the order of the scores counts, so a PSR can be compared with a probability.
#
# ### Exercise 15.4 · The area
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


# %% exercise="deploy.lost" points=5 stars=1 minutes=6
@exercise("deploy.lost")
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
# Back to the sequence of {{see look}}, whose target leaves the image and comes back. A frame is *lost* if the target is out of view, or the box has no overlap with it. Each tracker has its own lost frames, and its own score. **Predict:** whose score tells the lost frames best?

# %%
makers = {
    "MOSSE, PSR": lambda: make_tracker("mosse"),
    "KCF, peak": lambda: make_tracker("kcf"),
    "SiamFC, peak": lambda: make_tracker("siamfc", weights="siamfc", precision="fp32"),
}
passes = {name: followed(make(), leaving) for name, make in makers.items()}
passes["one stream, score"] = own_pass
figure, axes = plots.new_figure(width=10, height=2.5, columns=len(passes))
areas = {}
for ax, (name, (boxes, scores)) in zip(axes[0], passes.items(), strict=True):
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
# In this sequence SiamFC's peak and the one stream's score, whose areas are the largest on a laptop. But one sequence has one story: a tracker that never finds its target again has many lost frames that look alike, and another score that falls for a moment may have a large area from a few frames. The figure below has 24 sequences, and intervals.
# </details>

# %%
signals = read_measured(RESULTS / "lost_signals.json")
figure, axes = plots.new_figure(width=9.6, height=3.4, columns=2, width_ratios=[1, 1.2])
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
        [abs(row["mean"] - (row[end] if row[end] is not None else row["mean"])) for row in rows]
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
# {{figure signals}} The same question, answered by results that come with the course. Left, for every threshold: what fraction of the lost frames lies below it, and what fraction of the others. Right, the areas with intervals from resampling the sequences, on generated sequences whose target leaves or is hidden, and on real ones with these attributes. Here a target counts as out of view while less than a tenth of it is visible; a tracker that is lost in no frame of the real ones has no area there. ATOM has two signals, its score and its state (lesson 13).
#
# An area compares *signals*, not trackers: each is asked about its own lost frames. A tracker that is rarely lost can have a smaller area than one that is lost often and knows it.
#
# **A good place to stop.** You know what a score is worth.
#
# ## A file for OpenCV
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
# ### Exercise 15.5 · A module for OpenCV
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


# %% exercise="deploy.export" points=5 stars=1 minutes=6
@exercise("deploy.export")
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
# Two things about OpenCV's part are documented nowhere, and were found by comparing numbers. It does not swap colours: the frames it gets have to be RGB. And it inverts the three deviations wrongly (as those of a quaternion), so that by default the network is given images that are too faint, with two of their colours inverted. `opencv_tracker` sets the deviations so that what arrives is right.

# %%
file = RUNS / "lesson15" / "tracker.onnx"
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
    rates["the course's"] = 1 / result.seconds[1:].mean()
    overlaps["the course's"] = iou(result.boxes, short.boxes)
figure, axes = plots.new_figure(width=7, height=2.6)
if overlaps:
    plots.draw_lines(axes[0, 0], overlaps, xlabel="frame", ylim=(0, 1))
    axes[0, 0].set_ylabel("IoU with the truth")
else:
    not_yet(axes[0, 0], "it needs the package onnx, and an OpenCV with TrackerVit")
told = ", ".join(f"{name} {np.nanmean(v):.2f}" for name, v in overlaps.items()) or "not run"
plots.show(
    figure,
    alt=f"IoU of the same network inside cv2.TrackerVit and in the course's tracker over {len(short)} frames; means: {told}.",
)
print(
    "frames a second:", ", ".join(f"{n} {rate:.0f}" for n, rate in rates.items()) or "not run"
)

# %% [markdown]
# {{figure opencv}} One network, twice: in C++ from the file, and in the course's tracker, from the same box of whole pixels. OpenCV crops at whole pixels and rounds its boxes; the lines need not be the same.
#
# ### How fast is it there?

# %%
speeds = read_measured(RESULTS / "onestream_opencv.json")
ways = {"pytorch": "PyTorch", "pytorch, kept template": "asymmetric, template kept"}
ways |= {"opencv": "cv2.TrackerVit"}
figure, axes = plots.new_figure(width=7, height=2.6)
for k, (key, name) in enumerate(ways.items()):
    at = np.arange(len(speeds["sizes"])) + 0.27 * (k - 1)
    rates = [row[key] for row in speeds["sizes"].values()]
    axes[0, 0].bar(at, rates, 0.27, label=name, color=plots.CYCLE[k])
names = [f"{n}\n{r['megabytes']:.1f} MB" for n, r in speeds["sizes"].items()]
axes[0, 0].set_xticks(range(len(names)), names)
axes[0, 0].set(ylabel="frames a second, one thread")
axes[0, 0].legend(fontsize=7)
told = "; ".join(
    f"{n} {', '.join(f'{r[key]:.0f}' for key in ways)}" for n, r in speeds["sizes"].items()
)
plots.show(
    figure,
    alt=f"Frames a second on one thread for networks of three sizes, in PyTorch, in PyTorch with a template that looks only at itself and is kept, and inside cv2.TrackerVit: {told}.",
)
print(measured_words(speeds))

# %% [markdown]
# {{figure speed}} Whole trackers with new networks of three sizes, whose first layers are convolutions of their own; the smallest has VitTrack's dimensions. OpenCV is ahead of PyTorch with the smallest and a little behind with the others; the middle bars are of networks whose template looks only at itself (lesson 14), so that PyTorch can keep it: against them OpenCV is level with the smallest and further behind with the others. What the file brings is another thing: a program that needs neither PyTorch nor Python.
#
# ## What the figures say
#
# Each line is a difference with its interval, over sequences; where zero lies inside, or nothing has been measured yet, no difference has been shown.
#
# * AUC on the real targets, {{see real}}, one stream minus the other: SiamFC {{evidence stream-siamfc open}}, SiamRPN++ {{evidence stream-siamrpnpp below}}, ATOM {{evidence stream-atom below}}, ATOM with scales {{evidence stream-atom-scales below}}. SiamRPN++ had the same backbone, pairs and steps, so attention alone has not made the better tracker here. It is one network, of one seed.
# * One stream minus SiamRPN++ in mean IoU, {{see why}}: on generated sequences, told the true place {{evidence told-place-generated open}}, the true size {{evidence told-size-generated below}}; on real ones, told the true place {{evidence told-place-real below}}, the true size {{evidence told-size-real open}}.
# * Tracking with equal pairs, {{see pairs}}, the other minus one stream: SiamFC {{evidence pairs-siamfc above}}, SiamRPN++ {{evidence pairs-siamrpnpp above}}, ATOM {{evidence pairs-atom above}}; here the interval is for other sequences and other seeds.
# * The area under the ROC curve, {{see signals}}: the one stream's score minus one half {{evidence lost-stream above}}; minus the area of MOSSE's PSR {{evidence lost-stream-mosse open}}, of SiamFC's peak {{evidence lost-stream-siamfc below}}, of SiamRPN++'s probability {{evidence lost-stream-siamrpnpp below}}, of ATOM's score {{evidence lost-stream-atom below}}.
# * Also, {{see signals}}: SiamRPN++'s probability minus SiamFC's peak {{evidence lost-siamrpnpp-siamfc open}}, ATOM's score minus its state {{evidence lost-atom-state above}}.
#
# ## An open task
#
# OpenCV calls a target lost where score times window is below 0.2, whatever the network; the course's tracker does so where the score alone is below its setting `lost_below`. Choose that setting for your network. The rule: choose it on generated sequences that belong to no benchmark, so that at most 5 % of the followed frames are called lost; then look *once*, on others, at what it finds.


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
threshold = float(np.quantile(kept, 0.05, method="lower"))  # at most 5 % are below it
print(f"threshold {threshold:.3f}, chosen on {len(kept)} followed frames")
for name, of in {"false alarms": False, "found": True}.items():
    rows = [
        np.mean(scores[lost == of] < threshold)
        for scores, lost in looked_at
        if (lost == of).any()
    ]
    print(f"{name}, sequence by sequence: {Interval.of(rows) if rows else 'none'}")

# %% [markdown]
# **Stretch goal.** Let the tracker use its score. `OneStreamSettings(update=…)` replaces a second template by the surest crop since the last time, as MixFormer does (STARK takes the crop of a frame at fixed intervals, if its score is above 0.5); or wrap it with `with_redetection` from `course_lib/trackers/redetection.py`, which looks elsewhere while the score is low. Choose on sequences of your own, and show on others, over all of them and with an interval, in how many frames after it was away the target is followed.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Candidate elimination asks the template's *centre*, not all of the template. Which tokens would stay if the corner of the template were asked?
# <details><summary>Answer</summary>
#
# If a token looked for its like, those that show background, and the target's would be the first to go. It need not be so: in one of lesson 14's heads the corner looks at the target as much as the target's own tokens do. But only at the centre is the template sure to show the target; what a corner looks for is up to what happens to be there.
# </details>
#
# 2. Half of the search tokens are removed in the first of four blocks. Why is not half of the time saved?
# <details><summary>Answer</summary>
#
# A backbone makes all tokens before the first block, and the head reads a whole map after the last, zeros included. Inside the blocks the template's tokens stay, and the first block's attention is computed for all: it says who goes.
# </details>
#
# 3. Somebody exports the head *before* its sigmoids. OpenCV multiplies the window onto the scores. What happens at the border of the search image?
# <details><summary>Answer</summary>
#
# Logits are negative nearly everywhere, and a small factor makes a negative number *larger*: the border wins. A window may be multiplied onto what is never negative, and onto nothing else.
# </details>
#
# 4. A tracker's score has an area of 0.5 on a set of sequences, and yet its threshold of 0.2 is never crossed wrongly. How?
# <details><summary>Answer</summary>
#
# A threshold is one point of the curve: if no followed frame is below it, there are no false alarms, and perhaps no frame is found either. The area asks about the order of all pairs.
# </details>
#
# 5. From lesson 13: ATOM's state, "not found" or "uncertain", is computed from its score map, and has the smaller area of the two. What is it for, then?
# <details><summary>Answer</summary>
#
# It is a decision, made in each frame for the next: whether the box moves, and whether the frame is learned from. A decision has few values, so many pairs of frames are ties and count one half. The order that the score knows is lost in it.
# </details>
#
# ## Classic mistakes
#
# * **A window on logits.** Export what comes after the sigmoids.
# * **Places of places.** After two removals, or two crops, or two resamplings, a number means something else. Say in the docstring what it is an index into.
# * **One threshold for all trackers.** A PSR of 7, a response of 2 and a score of 0.2 have nothing in common but the order of frames.
# * **A comparison with another's numbers.** Other data, other steps, another machine: each is enough to explain a difference.
# * **A file that was never opened.** An exported network is a new program. Run it, and compare numbers, before it leaves; also the numbers that go *in*.
#
# ## Read next
#
# * `course_lib/models/export.py`, `course_lib/evaluation/lost.py` and `course_lib/trackers/redetection.py`.
# * Fawcett, *An introduction to ROC analysis* (Pattern Recognition Letters 2006); Rao et al., *DynamicViT* (NeurIPS 2021), in which a network learns which tokens to leave out.
# * Lesson 16: the protocols of today, by which trackers are compared when targets leave and come back.
