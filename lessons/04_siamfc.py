# ---
# jupyter:
#   course: {run: [1]}
# ---

# %% [markdown]
# # 04 · SiamFC: learning similarity
#
# | | |
# |---|---|
# | **You will be able to** | build the network of SiamFC layer by layer, say what each cell of its response stands for, and write its loss |
# | **You need** | lessons 01 and 02; the basics of PyTorch: tensors, `nn.Module`, `F.conv2d` |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Bertinetto, Valmadre, Henriques, Vedaldi, Torr: *Fully-Convolutional Siamese Networks for Object Tracking* (ECCV Workshops 2016) |
# | **Words** | {{words}} |

# %%
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.tables import show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.windows import CropWindow
from course_lib.models.device import choose_placement
from course_lib.models.runtime import SiamFCRuntime, load_siamfc_runtime
from course_lib.profile import by_profile
from course_lib.widgets import ScoreMapExplorer
from course_lib.widgets.score_maps import untrained

sequences = load_benchmark("generated-v1")
sequence, other = sequences["gen-18-distractors"], sequences["gen-01-plain"]

# %% [markdown]
# ## Look first
#
# On the left is an exemplar, the image of a target. On the right is another frame with a *response* laid over it: bright where a network finds the exemplar again. The network has never seen
# this clip. Scrub through the frames; drag a box around something else on the left; use another object's exemplar; switch to a network that was never trained; point at the response to read a cell.

# %%
networks = {
    "trained": load_siamfc_runtime("siamfc", "auto", "auto"),
    "untrained": SiamFCRuntime(untrained(), choose_placement()),
}
ScoreMapExplorer(sequence, other, networks)

# %% [markdown]
# **Find out by playing:** where does the response light up if you make a look-alike the exemplar? And with the other object's exemplar, is anything still bright?
#
# <details><summary>What to see</summary>
#
# There is always a brightest cell: a response has a maximum even when the target is absent. Whether that maximum is *high* is another question, and it is the one that tells
# a lost target from a found one.
# </details>
#
# ## The idea
#
# MOSSE learns a new filter online for every target. SiamFC turns this around: learn *once*, offline, from many videos, a function that measures how similar two images
# are; then track anything with it, without any further learning. One network, the backbone $\varphi$, embeds both images, the exemplar $z$ and the search image $x$, and the similarity at every
# position is a cross-correlation of the two embeddings:
#
# $$ f(z, x) = \varphi(z) \star \varphi(x) + b $$
#
# $\star$ slides $\varphi(z)$ over $\varphi(x)$ as MOSSE slides its filter over the patch. "Fully convolutional" means that nothing in $\varphi$ depends on the position in the image,
# so one pass over a large $x$ compares $z$ with every position at once.
#
# ## What the network sees
#
# The exemplar is a square around the target with some context. With $p = (w + h)/2$, the side of that square in the frame is
#
# $$ s_z = \sqrt{(w + p)(h + p)} $$
#
# and the square is resized to 127 × 127 pixels. The search image has the same scale and is 255 pixels wide, so its side in the frame is $s_x = s_z \cdot 255/127$.
#
# ### Exercise 04.1 · How much context
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# The box is `x, y, w, h`. The widened box is $w + p$ wide and $h + p$ high: $p/2$ more on each of its four sides.
# </details>
# <details><summary>Hint 2</summary>
#
# The square has the *area* of the widened box.
# </details>


# %% exercise="siamfc.side" points=3 stars=1 minutes=4
@exercise("siamfc.side")
def exemplar_side(box):
    """Side of the exemplar's square.

    Args:
        box: array (4,), x, y, w, h in frame pixels.

    Returns:
        float, frame pixels.
    """
    ### BEGIN SOLUTION
    w, h = box[2], box[3]
    p = (w + h) / 2
    return np.sqrt((w + p) * (h + p))
    ### END SOLUTION


# %% [markdown]
# ### Exercise 04.2 · The crop is one warp
# {{exercise}}
#
# Public code often pads the frame, cuts, and resizes: two copies of the frame for each crop. A single affine warp is enough. For crop pixel $(i, j)$ (column, row) it must know which position of the frame to
# read; positions are again *pixel numbers*, and the centre of pixel 0 is 0.5 from the edge. With $\text{step} = \text{side}/\text{size}$ and the square's corner $c = \text{centre} - \text{side}/2$, crop column $i$ is read at the frame's column number
#
# $$ (i + 0.5) \cdot \text{step} + c_x - 0.5 $$
#
# Write the map as a matrix with two rows: its product with $(i, j, 1)$ is the column and row in the frame.
#
# <details><summary>Hint 1</summary>
#
# The first row is `[step, 0, the column for i = 0]`, the second `[0, step, …]`.
# </details>
# <details><summary>Hint 2</summary>
#
# For $i = 0$ the column is $0.5 \cdot \text{step} + c_x - 0.5$.
# </details>


# %% exercise="siamfc.crop" points=4 stars=2 minutes=8
@exercise("siamfc.crop")
def crop_matrix(cx, cy, side, size):
    """The map from pixel numbers of a crop to pixel numbers of the frame.

    Args:
        cx, cy: centre of the square in the frame, continuous pixels.
        side: side of the square, frame pixels.
        size: side of the crop, crop pixels.

    Returns:
        array (2, 3) for cv2.warpAffine with WARP_INVERSE_MAP.
    """
    ### BEGIN SOLUTION
    step = side / size
    left = 0.5 * step + (cx - side / 2) - 0.5
    top = 0.5 * step + (cy - side / 2) - 0.5
    return np.array([[step, 0, left], [0, step, top]])
    ### END SOLUTION


# %% [markdown]
# Your two functions at work. Outside the frame the crop is filled with the frame's mean colour: a strong edge there would stand out more than anything else in the image.


# %%
def cut(frame, cx, cy, side, size):
    """The crop (size, size, 3) of a square of the frame (H, W, 3)."""
    return cv2.warpAffine(
        frame,
        crop_matrix(cx, cy, side, size),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=cv2.mean(frame)[:3],
    )


def pair_of(sequence, first, second):
    """Exemplar (127, 127, 3) from one frame and search image (255, 255, 3) from another, both centred on the true target."""
    crops = []
    for t, size in ((first, 127), (second, 255)):
        x, y, w, h = sequence.boxes[t]
        side = exemplar_side(sequence.boxes[t]) * size / 127
        crops.append(cut(sequence.frames[t], x + w / 2, y + h / 2, side, size))
    return crops


z, x = pair_of(sequence, 0, 20)
figure, axes = plots.new_figure(width=8, height=2.8, columns=3, width_ratios=[1.4, 0.6, 1.2])
plots.show_frame(axes[0, 0], sequence.frames[20], "frame 20", truth=sequence.boxes[20])
plots.show_frame(axes[0, 1], z, "z, 127 px, from frame 0")
plots.show_frame(axes[0, 2], x, "x, 255 px, from frame 20")
plots.show(
    figure,
    alt="A frame with the true box, the exemplar cut from frame 0, and the search image cut around the target in frame 20.",
)

# %% [markdown]
# ## How large is the response?
#
# The backbone is an AlexNet with five convolutions and two poolings, none of them padded:
#
# | layer | kernel | stride | channels | note |
# |---|---|---|---|---|
# | conv1 + BN + ReLU | 11 | 2 | 96 | |
# | pool1 (max) | 3 | 2 | | |
# | conv2 + BN + ReLU | 5 | 1 | 256 | 2 groups |
# | pool2 (max) | 3 | 2 | | |
# | conv3 + BN + ReLU | 3 | 1 | 384 | |
# | conv4 + BN + ReLU | 3 | 1 | 384 | 2 groups |
# | conv5 | 3 | 1 | 256 | 2 groups, no BN, no ReLU |
#
# Copies of this table often contain errors. One in circulation prints 192, 192 and 128 for the channels of conv3, conv4 and conv5: those are channels *per group*. Another has its sizes shifted up by a row. Arithmetic finds
# such errors.
#
# ### Exercise 04.3 · Output size
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# Without stride: a window of 3 fits into 5 cells at 3 places, $5 - 3 + 1$.
# </details>
# <details><summary>Hint 2</summary>
#
# The window can take $\lfloor (n + 2p - k)/s \rfloor$ steps, and its first position counts too.
# </details>


# %% exercise="siamfc.output" points=2 stars=1 minutes=3
@exercise("siamfc.output")
def output_size(size, kernel, stride=1, padding=0):
    """Cells per side of a layer's output.

    Args:
        size: cells per side of the input.
        kernel, stride, padding: of the layer, in cells; the padding is added on each side.

    Returns:
        int.
    """
    ### BEGIN SOLUTION
    return (size + 2 * padding - kernel) // stride + 1
    ### END SOLUTION


# %% [markdown]
# ### Exercise 04.4 · Receptive field and stride
# {{exercise}}
#
# One cell of the last map sees a square of the input, its *receptive field*. The squares of neighbouring cells are one *stride* apart. Walk through the layers and keep track of two numbers, starting with field 1 and stride 1
# (a pixel sees itself):
#
# * a kernel of $k$ cells spans $k - 1$ gaps, each as wide as the stride *so far*;
# * then the stride is multiplied by the layer's own stride.
#
# <details><summary>Hint 1</summary>
#
# `field += (kernel - 1) * stride_so_far` comes before `stride_so_far *= stride`.
# </details>
# <details><summary>Hint 2</summary>
#
# For two layers with kernel 3 and stride 2: field 3, stride 2; then field 3 + 2 · 2 = 7, stride 4.
# </details>


# %% exercise="siamfc.field" points=5 stars=2 minutes=7
@exercise("siamfc.field")
def field_and_stride(layers):
    """Receptive field and stride of one cell after a stack of layers.

    Args:
        layers: list of (kernel, stride).

    Returns:
        (field, stride): two ints, input pixels.
    """
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field, jump
    ### END SOLUTION


# %% [markdown]
# With these two functions you can check any table like this one:

# %%
names = ["conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5"]
layers = [(11, 2), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1)]  # kernel, stride
sizes, rows = [127, 255], {}
for k, name in enumerate(names):
    sizes = [output_size(size, *layers[k]) for size in sizes]
    field, jump = field_and_stride(layers[: k + 1])
    rows[name] = {"z": sizes[0], "x": sizes[1], "field": field, "stride": jump}
show_table(rows, "Cells per side, receptive field and stride after each layer", first="layer")
print(
    f"response: {sizes[1] - sizes[0] + 1} cells per side, one every {jump} pixels of the search image"
)
assert sizes == [6, 22] and (field, jump) == (87, 8)

# %% [markdown]
# So cell $(i, j)$ of the 17 × 17 response stands for the position $8\,(j - 8)$ pixels to the right of the search image's centre and $8\,(i - 8)$ below it. That is the link from a response to
# a box, and lesson 06 builds on it.
#
# ### Exercise 04.5 · The network
# {{exercise}}
#
# Build it. `nn.Sequential` is enough. The check looks at the sizes, the padding and the groups, and counts the parameters: 2,336,320, biases and batch norms included.
#
# <details><summary>Hint 1</summary>
#
# `nn.Conv2d(96, 256, 5, groups=2)`: each half of the 256 filters sees 48 of the 96 channels.
# </details>
# <details><summary>Hint 2</summary>
#
# The order within a block is convolution, `nn.BatchNorm2d`, `nn.ReLU`, then, where there is one, `nn.MaxPool2d(3, 2)`. Nothing follows conv5: negative features are as informative as positive ones.
# </details>


# %% exercise="siamfc.alexnet" points=6 stars=2 minutes=10
@exercise("siamfc.alexnet")
def build_alexnet():
    """SiamFC's backbone.

    Returns:
        nn.Module: images (B, 3, 127, 127) to features (B, 256, 6, 6), and (B, 3, 255, 255) to (B, 256, 22, 22).
    """
    ### BEGIN SOLUTION
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=2),  # (B, 96, 59, 59) or (B, 96, 123, 123)
        nn.BatchNorm2d(96),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),  # (B, 96, 29, 29) or (B, 96, 61, 61)
        nn.Conv2d(96, 256, 5, groups=2),  # (B, 256, 25, 25) or (B, 256, 57, 57)
        nn.BatchNorm2d(256),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),  # (B, 256, 12, 12) or (B, 256, 28, 28)
        nn.Conv2d(256, 384, 3),  # (B, 384, 10, 10) or (B, 384, 26, 26)
        nn.BatchNorm2d(384),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, groups=2),  # (B, 384, 8, 8) or (B, 384, 24, 24)
        nn.BatchNorm2d(384),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, groups=2),  # (B, 256, 6, 6) or (B, 256, 22, 22)
    )
    ### END SOLUTION


# %% [markdown]
# ## The cross-correlation
#
# For one pair, `F.conv2d(x, z)` is the response: PyTorch's convolution does not flip its kernel, so it is already a correlation. In training every pair of the batch has its own exemplar, and a loop over the batch
# is slow. The usual trick: fold the batch into the channels, with one group per pair.
#
# ### Exercise 04.6 · A batch of correlations
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# Reshape `x` (B, C, H, W) to (1, B·C, H, W). Then `z` (B, C, h, w) already has the shape of B filters with C channels each.
# </details>
# <details><summary>Hint 2</summary>
#
# `F.conv2d(x, z, groups=B)` returns (1, B, H', W'): the batch is where the channels usually are.
# </details>


# %% exercise="siamfc.correlate" points=5 stars=2 minutes=8
@exercise("siamfc.correlate")
def cross_correlate(z, x):
    """Slide each exemplar over its own search image.

    Args:
        z: tensor (B, C, h, w), exemplar features.
        x: tensor (B, C, H, W), search features.

    Returns:
        tensor (B, H - h + 1, W - w + 1).
    """
    ### BEGIN SOLUTION
    B, C, H, W = x.shape
    response = F.conv2d(x.reshape(1, B * C, H, W), z, groups=B)  # (1, B, H', W')
    return response[0]  # (B, H', W')
    ### END SOLUTION


# %% [markdown]
# Libraries are not tuned for grouped convolutions with one filter per group. The course's own `cross_correlate` gets the same numbers another way: one batched matrix product of all cells of $z$ with all
# cells of $x$, then 36 shifted sums. Here are both, compared with the loop:

# %%
from time import perf_counter

from course_lib.models import correlation

generator = torch.Generator().manual_seed(0)
zs = torch.randn(8, 256, 6, 6, generator=generator)
xs = torch.randn(8, 256, 20, 20, generator=generator)
# (8, 15, 15)
loop = torch.cat([F.conv2d(xs[k : k + 1], zs[k : k + 1])[:, 0] for k in range(8)])
ways = {"grouped": cross_correlate, "matrix product": correlation.cross_correlate}
rows = {}
for name, function in ways.items():
    function(zs, xs)  # the first call also pays for one-off setup
    start = perf_counter()
    result = function(zs, xs)
    milliseconds = 1e3 * (perf_counter() - start)
    rows[name] = {"ms": milliseconds, "difference": float((result - loop).abs().max())}
caption = "Time per call, and the largest difference from the loop"
show_table(rows, caption, formats={"ms": ".1f", "difference": ".1e"}, first="")

# %% [markdown]
# ## What should the response be?
#
# In training the target is at the centre of the search image, so the response should be high at its centre. Cells within $R$ pixels of the centre count as positive too:
#
# $$ y[u] = \begin{cases} +1 & \text{if } k\,\lVert u - c \rVert \le R \\ -1 & \text{otherwise} \end{cases} $$
#
# where $k$ is the stride in pixels and $c$ the centre cell. SiamFC uses $R = 16$ and $k = 8$.
#
# ### Exercise 04.7 · The label map
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# The centre of $n$ cells is at $(n - 1)/2$. `torch.arange(n) - (n - 1) / 2` holds the offsets along one axis, in cells.
# </details>
# <details><summary>Hint 2</summary>
#
# `torch.hypot(a[:, None], a[None, :])` holds the distance of every cell from the centre. Multiply by the stride before you compare.
# </details>


# %% exercise="siamfc.labels" points=4 stars=2 minutes=6
@exercise("siamfc.labels")
def label_map(size, stride, radius):
    """Labels of a response.

    Args:
        size: cells per side; stride: pixels from cell to cell; radius: pixels.

    Returns:
        float tensor (size, size) of -1 and +1.
    """
    ### BEGIN SOLUTION
    offset = (torch.arange(size) - (size - 1) / 2) * stride  # (size,) pixels
    distance = torch.hypot(offset[:, None], offset[None, :])  # (size, size)
    return torch.where(distance <= radius, 1.0, -1.0)
    ### END SOLUTION


# %%
# training uses search images of 239 pixels, two strides less than 255: 15 × 15 cells
labels = label_map(15, 8, 16.0)
print(f"{int((labels > 0).sum())} of {labels.numel()} cells are positive")
assert int((labels > 0).sum()) == 13

# %% [markdown]
# 13 against 212: a network that answers "no" everywhere is almost always right. So each class gets half of the weight: every positive cell $0.5/N_+$, every negative cell $0.5/N_-$.
#
# ### Exercise 04.8 · The balanced logistic loss
# {{exercise}}
#
# $$ L = \operatorname{mean}_{\text{batch}} \sum_u w[u] \, \log\bigl(1 + e^{-y[u]\,v[u]}\bigr) $$
#
# <details><summary>Hint 1</summary>
#
# `(y > 0).float()` is 1 at positive cells. Its sum over the last two axes is $N_+$.
# </details>
# <details><summary>Hint 2</summary>
#
# `F.softplus(t)` is $\log(1 + e^t)$ and does not overflow.
# </details>


# %% exercise="siamfc.loss" points=6 stars=2 minutes=10
@exercise("siamfc.loss")
def balanced_logistic_loss(response, labels):
    """Balanced logistic loss, mean over the batch.

    Args:
        response: tensor (B, n, n), v.
        labels: tensor (B, n, n) of -1 and +1, y.

    Returns:
        tensor ().
    """
    ### BEGIN SOLUTION
    positive = (labels > 0).float()  # (B, n, n)
    negative = 1 - positive
    weights = 0.5 * positive / positive.sum((-2, -1), keepdim=True)
    weights = weights + 0.5 * negative / negative.sum((-2, -1), keepdim=True)  # (B, n, n)
    losses = F.softplus(-labels * response)  # (B, n, n)
    return (weights * losses).sum((-2, -1)).mean()
    ### END SOLUTION


# %% [markdown]
# ## The whole network, and a free sanity check
#
# A useful habit: compute the loss before training. A response of 0 everywhere says "I do not know", and its loss is $\log 2 \approx 0.693$. A freshly initialised network should not be much worse; if it is, its responses are too large.


# %%
class MySiamFC(nn.Module):
    """SiamFC, built from your own pieces."""

    def __init__(self):
        super().__init__()
        self.backbone = build_alexnet()
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, z, x):
        """Responses (B, n, n) of exemplars (B, 3, 127, 127) and search images (B, 3, S, S)."""
        raw = cross_correlate(self.backbone(z), self.backbone(x))  # (B, n, n)
        # a sum of 6 · 6 · 256 products is large; the fixed factor scales it to where the loss is curved
        return 1e-3 * raw + self.bias


def as_images(images):
    """Crops as a tensor (B, 3, S, S), values 0 … 255."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()


torch.manual_seed(0)
network = MySiamFC()
pairs = [pair_of(c, 0, 10) for c in list(sequences)[:4]]
with torch.no_grad():
    fresh = network(as_images([p[0] for p in pairs]), as_images([p[1] for p in pairs]))
wanted = label_map(17, 8, 16.0).expand(4, 17, 17)
print(
    f"responses {tuple(fresh.shape)}, loss of the new network {float(balanced_logistic_loss(fresh, wanted)):.3f}, of 'I do not know' {np.log(2):.3f}"
)

# %% [markdown]
# ## Experiment: the score map before and after training
#
# Pairs of frames from clips that neither network was trained on: the exemplar comes from one frame, the search image from another, centred on the true target. **Predict first:** does a network with random weights find anything at all?

# %%
rng = np.random.default_rng(1)
count = by_profile(smoke=6, laptop=60, gpu=200)
gap = 25
drawn = []
while len(drawn) < count:
    c = sequences[int(rng.integers(len(sequences)))]
    first = int(rng.integers(len(c) - gap))
    second = first + int(rng.integers(1, gap))
    if not np.isnan(c.boxes[[first, second]]).any():
        drawn.append((c.name, *pair_of(c, first, second)))

responses, distances = {}, {}
for name, runtime in networks.items():
    maps = [runtime.respond(runtime.features(z[None]), x[None])[0] for _, z, x in drawn]
    responses[name] = np.array(maps)  # (N, 17, 17)
    peaks = responses[name].reshape(len(drawn), -1).argmax(axis=1)
    distances[name] = 8 * np.hypot(peaks // 17 - 8, peaks % 17 - 8)  # (N,) pixels

figure, axes = plots.new_figure(width=9, height=4.6, rows=3, columns=6)
for column in range(6):
    name, _, x = drawn[column]
    plots.show_frame(axes[0, column], x)
    axes[0, column].set_title(name.removeprefix("gen-"), fontsize=8)
    for row, which in ((1, "untrained"), (2, "trained")):
        plots.show_frame(axes[row, column], responses[which][column], cmap=plots.MAP)
        axes[row, 0].set_ylabel(which)
listing = ", ".join(
    f"{name}: {np.mean(d <= 16):.0%} of the peaks within 16 pixels"
    for name, d in distances.items()
)
plots.show(
    figure,
    alt=f"Six search images, and below each the responses of an untrained and a trained network. {listing}.",
)
print(f"{len(drawn)} pairs. {listing}")

# %%
figure, axes = plots.new_figure(width=6, height=2.8)
within = np.arange(92)  # pixels; the corner of the response is 8 · √128 ≈ 90.5 from its centre
curves = {name: (d[:, None] <= within).mean(axis=0) for name, d in distances.items()}  # (92,)
plots.draw_lines(axes[0, 0], curves, ylabel="fraction of pairs", ylim=(0, 1.02))
axes[0, 0].set_xlabel("distance of the peak from the target, search pixels")
axes[0, 0].axvline(16, color=plots.NEUTRAL, linestyle=":")
plots.show(
    figure,
    alt=f"Fraction of pairs against the distance of the response's peak from the target, for both networks. {listing}.",
)

# %% [markdown]
# Random filters are not blind: the same image has the same features, so where little has changed even they find the target. Training adds two things: *changed* targets are found, and other objects are not.
#
# The card of the shipped network says how it was trained, and on what:

# %%
from course_lib.models.weights import find_weights, read_card

card = read_card(find_weights("siamfc"))
print(
    f"trained on {', '.join(card['trained_on'])}: {card['pairs']:,} pairs, seed {card['seed']}, {card['hardware']}, commit {card['commit']}"
)
if card.get("validation"):
    print(
        f"on {card['recipe']['validation_pairs']} held-out pairs: loss {card['validation']['loss']:.3f}, peak within the radius for {card['validation']['hits']:.1%}"
    )

# %% [markdown]
# The paper trained on 4,417 videos. This network has the same layers with fewer channels, and saw far less data; its card says how much, and so must any statement about its accuracy.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Why is nothing padded?
# <details><summary>Answer</summary>
#
# With zero padding, a cell near the border has different features from a cell with the same content at the centre. The response would depend on *where* the target is, and the network would learn that it is always at the centre.
# Lesson 10 measures this.
# </details>
#
# 2. The search image is made 16 pixels wider. How does the response change?
# <details><summary>Answer</summary>
#
# It gains two cells per side, one for each stride of 8 pixels; the others keep their values, since each sees only its own part of the image.
# </details>
#
# 3. The exemplar's features are 6 × 6 cells, and each sees 87 × 87 pixels. How many of the 127 pixels per side do they cover together?
# <details><summary>Answer</summary>
#
# $87 + 5 \cdot 8 = 127$: all of them.
# </details>
#
# 4. What is wrong with judging a response by whether its highest cell is on the target?
# <details><summary>Answer</summary>
#
# A maximum exists even when the target is absent. The loss also asks for a peak above 0 and everything else below 0.
# </details>
#
# 5. From lesson 02: MOSSE's response has one value per pixel, SiamFC's one per 8 pixels. What makes this possible for MOSSE, and what does it give up?
# <details><summary>Answer</summary>
#
# It correlates grey values directly, one product per frequency, and learns a filter for this one target. It gives up everything that deep features bring: a target that rotates or is lit differently looks new to it.
# </details>
#
# ## Classic mistakes
#
# * **Labels for 17 cells in training.** Training uses search images of 239 pixels, so the response has 15 × 15 cells.
# * **Images scaled to 0 … 1.** This network's weights expect 0 … 255.
# * **Channels per group.** A table that prints 192 for conv3 means two groups of 192.
# * **Half a pixel.** A crop whose first pixel is centred on the square's corner is shifted by half a pixel, in every frame, in the same direction.
#
# ## Read next
#
# * The paper; its figure 1 says it all.
# * Lesson 05: the same network, trained.
