# ---
# jupyter:
#   course: {run: [1, 2]}
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
from copy import deepcopy

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import plots
from course_lib.analysis.diagrams import siamfc_diagram
from course_lib.data.benchmarks import load_benchmark, real_sequences
from course_lib.evaluation.intervals import Interval
from course_lib.evaluation.tables import show_table
from course_lib.exercises import award, exercise, progress
from course_lib.models.device import choose_placement
from course_lib.models.losses import peak_distance
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.siamfc import GAIN
from course_lib.profile import by_profile
from course_lib.widgets import ScoreMapExplorer
from course_lib.widgets.score_maps import untrained

sequences = load_benchmark("generated-v1")
# of OTB and VOT-2014; an empty tuple where they are not in the data folder
real = real_sequences()
sequence, other = sequences["gen-18-distractors"], sequences["gen-01-plain"]

# %% [markdown]
# ## Look first
# {{part}}
#
# On the left is an exemplar, the image of a target. On the right is another frame with a *response* laid over it: bright where a network finds the exemplar again. The network has never seen
# this sequence. Scrub through the frames; drag a box around something else on the left; use another object's exemplar; switch to a network that was never trained; point at the response to read a cell.

# %%
runtimes = {
    "trained": SiamFCRuntime.load("siamfc", "auto", "auto"),
    "untrained": SiamFCRuntime(untrained(), choose_placement()),
}
ScoreMapExplorer(sequence, other, runtimes)

# %% [markdown]
# **Find out by playing:** where does the response light up if you make a look-alike the exemplar? And with the other object's exemplar, is anything still bright?
#
# <details><summary>What to see</summary>
#
# While the look-alike is in the search image, its exemplar mostly lights up the look-alike, more weakly than the target's own lights up the target. With the other object's exemplar the brightest cell is still on the target, at some frames nearly as bright as for the right one. A response always has a maximum, even when the object sought is absent; whether its height tells you so is measured further down, over many sequences.
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
# $\star$ slides $\varphi(z)$ over $\varphi(x)$ as MOSSE slides its filter over the patch, and $b$ is one number, the bias, added everywhere. "Fully convolutional" means that nothing in $\varphi$ depends on the position in the image,
# so one pass over a large $x$ compares $z$ with every position at once.
#
# **Why "Siamese"?** A *Siamese network* has two branches with the *same* weights, whose outputs are compared. The first verified signatures (Bromley et al., 1993); later ones verify faces and re-identify people. Such a network learns no classes but a similarity (*metric learning*), so it also works for a face, or a target, that it never saw in training; and since any two frames of a video make a pair, a few videos make many. SINT, published in the same year as SiamFC, compared candidates in this way, but it was neither fully convolutional nor real-time. GOTURN, of the same year, also learned from pairs of images, but it had to learn what a shift of the second image means, from strongly augmented pairs.

# %%
plots.show(*siamfc_diagram())

# %% [markdown]
# {{figure diagram}} The whole network. Two images of different size pass through the same layers (above each arrow), so their features are 6 and 22 cells wide (below each map: cells × cells × channels). The cross-correlation of the two is
# the response, one score for every place where the 6 × 6 cells fit into the 22 × 22. You will build every part of this drawing, from left to right, and check every number in it.
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
# Every crop of this course, in training and in tracking, begins with this number. Write `context_side(box)`: $s_z$, the side of the exemplar's square.
#
# <details><summary>Hint 1</summary>
#
# The box is `x, y, w, h`, and its position does not matter here. The widened box is $w + p$ wide and $h + p$ high: $p/2$ more on each of its four sides.
# </details>
# <details><summary>Hint 2</summary>
#
# The square has the *area* of the widened box. How long is the side of a square of a given area?
# </details>


# %% exercise="siamfc.side" points=3 stars=1 minutes=4
@exercise("siamfc.side")
def context_side(box):
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
# Public code often pads the frame, cuts, and resizes: two copies of the frame for each crop. A single affine warp is enough. For every pixel of the crop it must know which position of the frame to
# read; positions are again *pixel numbers*, and the centre of pixel 0 is 0.5 from the edge. With $\text{step} = \text{side}/\text{size}$, column $j$ of the crop is read at the frame's column number
#
# $$ (j + 0.5) \cdot \text{step} + \text{left} - 0.5, \qquad \text{left} = \text{centre}_x - \text{side}/2 $$
#
# and row $i$ at the corresponding row number. Write `crop_matrix(cx, cy, side, size)`: this map as a matrix with two rows, whose product with $(j, i, 1)$ is the column and the row in the frame.
#
# <details><summary>Hint 1</summary>
#
# The column in the frame grows by one step with $j$ and not at all with $i$: that gives the first two numbers of the first row. The third is the column for $j = 0$.
# </details>
# <details><summary>Hint 2</summary>
#
# Put $j = 0$ into the formula. The second row has the same form, for $i$ and the top edge.
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


def pair_of(sequence, first, second, away=(0, 0)):
    """Exemplar (127, 127, 3) from one frame and search image (255, 255, 3) from another.

    The target is at the exemplar's centre, and `away` pixels (x, y) from the search image's.
    """
    crops = []
    for t, size, shift in ((first, 127, (0, 0)), (second, 255, away)):
        x, y, w, h = sequence.boxes[t]
        side = context_side(sequence.boxes[t]) * size / 127
        cx, cy = np.array([x + w / 2, y + h / 2]) - np.array(shift) * side / size
        crops.append(cut(sequence.frames[t], float(cx), float(cy), side, size))
    return crops


shown = [sequence, *real[:1]]
figure, axes = plots.new_figure(
    width=9, height=2.9 * len(shown), rows=len(shown), columns=3, width_ratios=[1.4, 0.6, 1.2]
)
for row, seq in enumerate(shown):
    z, x = pair_of(seq, 0, 20)
    plots.show_frame(axes[row, 0], seq.frames[20], f"{seq.name}, frame 20", seq.boxes[20])
    plots.show_frame(axes[row, 1], z, "z, 127 px, from frame 0")
    plots.show_frame(axes[row, 2], x, "x, 255 px, from frame 20")
plots.show(
    figure,
    alt=f"A frame with the true box, the exemplar cut from frame 0, and the search image cut around the target in frame 20, of {' and of '.join(seq.name for seq in shown)}.",
)

# %% [markdown]
# {{figure crops}} A frame with its true box (green), an exemplar, and a search image, which shows the target at the same scale, in a square twice as wide. With OTB or VOT-2014 in your data folder, the lower row is a real sequence.
#
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
# Copies of this table often contain errors. One in circulation prints 192, 192 and 128 for the channels of conv3, conv4 and conv5: those are channels *per group* (conv3's, too, go to the two groups of conv4). Another has its sizes shifted up by a row. Arithmetic finds
# such errors.
#
# ### Exercise 04.3 · Output size
# {{exercise}}
#
# A layer's window moves over its input in steps of its stride, and every position at which it fits is one cell of the output. Write `output_size(size, kernel, stride, padding)`: how many there are.
#
# <details><summary>Hint 1</summary>
#
# Without stride: a window of 3 fits into 5 cells at 3 places. How does that number follow from 5 and 3?
# </details>
# <details><summary>Hint 2</summary>
#
# Padding makes the input wider on both sides. How many *whole* steps can the window take before it reaches the other end? Its first position counts too.
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
# * a kernel of 3 cells spans 2 gaps, one of 5 cells 4 gaps; each gap is as wide as the stride *so far*;
# * then the stride is multiplied by the layer's own stride.
#
# Write `field_and_stride(layers)`: the two numbers after the last layer.
#
# <details><summary>Hint 1</summary>
#
# One loop, two lines in it. To update one of the two numbers you need the other as it was *before* this layer. Which is which?
# </details>
# <details><summary>Hint 2</summary>
#
# Try your code by hand on two layers with kernel 3 and stride 2: field 3, stride 2; then field 3 + 2 · 2 = 7, stride 4.
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
# Compare the table with {{see diagram}}. Cell $(i, j)$ of the 17 × 17 response, row $i$ and column $j$, stands for the position $8\,(j - 8)$ pixels to the right of the search image's centre and $8\,(i - 8)$ below it. That is the link from a response to
# a box, and lesson 06 builds on it.
#
# ## The network
#
# ### Exercise 04.5 · The backbone
# {{exercise}}
#
# Write `build_alexnet()` from the layer table above, with one `nn.Conv2d` for each convolution in it; `nn.Sequential` is enough. The check copies one set of weights into your network and into the course's, and compares their outputs for the same images, so both must have the same 2,336,320 parameters, biases and batch norms included.
#
# <details><summary>Hint 1</summary>
#
# With two groups, each half of a layer's filters sees half of the channels before it: `nn.Conv2d` has an argument for that.
# </details>
# <details><summary>Hint 2</summary>
#
# The order within a block is convolution, `nn.BatchNorm2d`, `nn.ReLU`, then, where there is one, `nn.MaxPool2d` with a window of 3 and a stride of 2. Nothing follows conv5: negative features are as informative as positive ones.
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
# Write `cross_correlate(z, x)`: the responses of all pairs, without a loop.
#
# <details><summary>Hint 1</summary>
#
# Make one image out of the batch of search features: (1, B·C, H, W). The exemplars (B, C, h, w) already have the shape of B filters with C channels each.
# </details>
# <details><summary>Hint 2</summary>
#
# `F.conv2d` has an argument `groups`: with how many of them does each filter see the C channels of its own pair? The result has the batch where the channels usually are.
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
# The forward pass is complete; what follows is about the numbers that it should yield. This is a good place to stop.
#
# ## What should the response be?
# {{part}}
#
# In training the target is at the centre of the search image, so the response should be high at its centre. Cells within $R$ pixels of the centre count as positive too:
#
# $$ y[u] = \begin{cases} +1 & \text{if } k\,\lVert u - c \rVert \le R \\ -1 & \text{otherwise} \end{cases} $$
#
# where $u$ is a cell, $c$ the centre cell and $k$ the stride in pixels. SiamFC uses $R = 16$ and $k = 8$.
#
# ### Exercise 04.7 · The label map
# {{exercise}}
#
# A network learns what its labels say, so an error here is learned faithfully. Write `label_map(size, stride, radius)`, for an odd number of cells per side.
#
# <details><summary>Hint 1</summary>
#
# Counted from 0, the centre of $n$ cells is at $(n - 1)/2$. How far from it is each cell along one axis, in pixels?
# </details>
# <details><summary>Hint 2</summary>
#
# A column of vertical offsets and a row of horizontal ones broadcast to a square: `torch.hypot` of the two holds every cell's distance. Then `torch.where` chooses between 1.0 and −1.0.
# </details>


# %% exercise="siamfc.labels" points=4 stars=2 minutes=6
@exercise("siamfc.labels")
def label_map(size, stride, radius):
    """Labels of a response.

    Args:
        size: cells per side; stride: pixels from cell to cell; radius: pixels. The last two may
            be fractions.

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
# 13 positive cells against 212 negative ones: a network that answers "no" everywhere is almost always right. So each class gets half of the weight: every positive cell $w[u] = 0.5/N_+$, every negative cell $w[u] = 0.5/N_-$, where $N_+$ and $N_-$ are the numbers of such cells in that map.
#
# ### Exercise 04.8 · The balanced logistic loss
# {{exercise}}
#
# With $v[u]$ for the response at cell $u$, the loss is
#
# $$ L = \operatorname{mean}_{\text{batch}} \sum_u w[u] \, \log\bigl(1 + e^{-y[u]\,v[u]}\bigr) $$
#
# It is small where the response has the sign of its label. (The formula printed in the paper, and on slides, is the plain mean over the cells, with $w[u] = 1/225$ here; the authors' code balances, as we do, for the reason above.) Write `balanced_logistic_loss(response, labels)`; lesson 05 trains with it.
#
# <details><summary>Hint 1</summary>
#
# A mask of the positive cells, as numbers 0 and 1, gives both counts when it is summed over the last two axes (`keepdim=True` lets the sums broadcast).
# </details>
# <details><summary>Hint 2</summary>
#
# $\log(1 + e^t)$ overflows for a large $t$ if it is written as it stands. PyTorch has it as one function, `F.softplus`.
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
# All parts are there. `GAIN` is the fixed factor 0.001: a sum of 6 · 6 · 256 products is large, and the factor brings it to where the loss is curved.


# %%
class MySiamFC(nn.Module):
    """SiamFC, built from your own pieces."""

    def __init__(self):
        super().__init__()
        self.backbone = build_alexnet()
        self.bias = nn.Parameter(torch.zeros(()))

    def compare(self, z, x):
        """Responses (B, n, n) of features (B, 256, 6, 6) and (B, 256, m, m)."""
        return GAIN * cross_correlate(z, x) + self.bias

    def forward(self, z, x):
        """Responses (B, n, n) of exemplars (B, 3, 127, 127) and search images (B, 3, S, S)."""
        return self.compare(self.backbone(z), self.backbone(x))


def as_images(crops):
    """Crops as a tensor (B, 3, S, S), values 0 … 255."""
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()


# %% [markdown]
# A useful habit: compute the loss before training. A response of 0 everywhere says "I do not know", and its loss is $\log 2 \approx 0.693$. **Predict first:** the weights of a new network are random. Will its loss be about that? And if you change nothing but the bias $b$, can a network that knows nothing get below 0.693?

# %%
torch.manual_seed(0)
network = MySiamFC()
pairs = [pair_of(seq, 0, 10) for seq in list(sequences)[:4]]
exemplars, searches = (as_images([pair[k] for pair in pairs]) for k in (0, 1))
wanted = label_map(17, 8, 16.0).expand(4, 17, 17)
with torch.no_grad():
    fresh = network(exemplars, searches)  # (4, 17, 17)
    biases = torch.linspace(-6, 3, 91)
    costs = [float(balanced_logistic_loss(fresh + b, wanted)) for b in biases]
loss = float(balanced_logistic_loss(fresh, wanted))

figure, axes = plots.new_figure(width=9, height=3, columns=2, width_ratios=[1, 1.6])
shown = plots.show_map(
    axes[0, 0], fresh[0].numpy(), f"a new network: mean response {float(fresh.mean()):.2f}"
)
figure.colorbar(shown, ax=axes[0, 0], shrink=0.8)
lines = {
    f"new network, {loss:.3f} at b = 0": costs,
    f"'I do not know', {np.log(2):.3f}": [np.log(2)] * 91,
}
plots.draw_lines(axes[0, 1], lines, x=biases, xlabel="bias b", ylabel="loss")
axes[0, 1].axvline(0, color=plots.NEUTRAL, linestyle=":")
plots.show(
    figure,
    alt=f"Left: the response of a new network to the first of four pairs. Right: its loss on the four pairs for biases from -6 to 3. It is {loss:.3f} at 0 and has a minimum of {min(costs):.3f} at {float(biases[int(np.argmin(costs))]):.1f}.",
)

# %% [markdown]
# {{figure fresh}} Left, the response of a new network to one pair; the title gives the mean over four pairs, which is above 0. Right, the loss on these four pairs as only the bias changes: it is lowest at a negative $b$, and there and at $b = 0$ it lies below the dashed line.
#
# <details><summary>What came of it</summary>
#
# The responses of a new network are positive nearly everywhere, because both images pass through the *same* filters: their features share a large common part, whose product with itself is positive. Such an offset costs something, by an amount that depends on how the weights were drawn: with PyTorch's default initialisation the loss
# at $b = 0$ stays near 0.693; with the course's own, which draws larger weights, it is nearly twice as high. A wrong factor or a forgotten bias would show here, before an hour of training.
#
# And yes, the loss is a little below 0.693 already, and lower still once $b$ has taken the offset away: what is left of the response is higher at the target than elsewhere. Random filters know something.
# </details>
#
# ## Your network, trained
#
# The network that the course ships has the same layers with fewer channels (64, 128, 192, 192, 128), enough for the data that were at hand. A narrow network is a wide one whose other channels are 0, so `widened` puts its weights into a network of the paper's size, and from there they are copied into *yours*. The explorer's
# untrained network is copied in the same way.

# %%
from course_lib.exercises.networks import with_weights_of
from course_lib.models.weights import load_siamfc
from course_lib.models.widen import widened

networks = {
    "untrained": with_weights_of(deepcopy(network), widened(untrained())),
    "trained": with_weights_of(deepcopy(network), widened(load_siamfc("siamfc"))),
}
z, x = pair_of(sequence, 0, 20)
rows = {}
for name, runtime in runtimes.items():
    with torch.no_grad():
        mine = networks[name].eval()(as_images([z]), as_images([x]))[0].numpy()
    theirs = runtime.respond(runtime.features(z[None]), x[None])[0]
    rows[name] = {
        "highest, your network": mine.max(),
        "highest, the course's": theirs.max(),
        "largest difference": np.abs(mine - theirs).max(),
    }
show_table(rows, "Responses to one pair", formats=".4f", first="")

# %% [markdown]
# It is the same function; the small difference is rounding, because the course's copy folds each batch norm into its convolution, and may compute in half precision.
#
# ### Find the fault
#
# The features of an exemplar are computed once and kept, so it is convenient to have a function for them. This one looks harmless, yet the response of *one and the same pair* depends on which other pairs are computed together with it:


# %%
def embed_wrongly(network, images):
    """Features (B, 256, s, s) of images (B, 3, S, S)."""
    with torch.no_grad():
        return network(images)


faulty = deepcopy(networks["trained"]).train()  # a network is in this mode while it is trained
exemplars, searches = exemplars[:3], searches[:3]
alone = faulty.compare(
    embed_wrongly(faulty.backbone, exemplars[:1]), embed_wrongly(faulty.backbone, searches[:1])
).detach()
beside = faulty.compare(
    embed_wrongly(faulty.backbone, exemplars), embed_wrongly(faulty.backbone, searches)
).detach()
maps = {
    "the first pair alone": alone[0],
    "the same pair beside two others": beside[0],
}
low, high = (float(f(torch.stack([*maps.values()]))) for f in (torch.min, torch.max))
figure, axes = plots.new_figure(width=7.5, height=3, columns=2)
for ax, (name, values) in zip(axes[0], maps.items(), strict=True):
    shown = plots.show_map(
        ax, values.numpy(), f"{name}\nhighest {float(values.max()):.2f}", vmin=low, vmax=high
    )
figure.colorbar(shown, ax=axes[0], shrink=0.8, label="response")
plots.show(
    figure,
    alt=f"Two responses to the same pair: computed alone it is at most {float(alone[0].max()):.2f}, computed beside two other pairs at most {float(beside[0].max()):.2f}.",
)

# %% [markdown]
# {{figure fault}} Two responses of the trained network to the same pair, on the same colour scale. Only the rest of the batch is different, and yet the values have changed.
#
# ### Exercise 04.9 · Each image as if alone
# {{exercise}}
#
# Find out why, and write `embed(network, images)`: features of each image that do not depend on the others, without a gradient. Leave the network as you found it, because lesson 05 will call such a function in the middle of training.
#
# <details><summary>Hint 1</summary>
#
# Which of the layers looks at more than one image at a time?
# </details>
# <details><summary>Hint 2</summary>
#
# A batch norm has two modes. In training mode it takes the mean and the standard deviation from the batch, and keeps a running average of them for later; the other mode uses that average. `network.training` says which mode a network is in.
# </details>


# %% exercise="siamfc.fault" points=5 stars=2 minutes=8
@exercise("siamfc.fault")
def embed(network, images):
    """Features of images, each as if it were alone.

    Args:
        network: nn.Module with batch norms, in training or in evaluation mode. It stays in its
            mode, and its weights and statistics stay as they are.
        images: tensor (B, 3, S, S).

    Returns:
        tensor (B, C, s, s) without a gradient.
    """
    ### BEGIN SOLUTION
    training = network.training
    network.eval()
    with torch.no_grad():
        features = network(images)
    network.train(training)
    return features
    ### END SOLUTION


# %% [markdown]
# There was a second symptom: each call of the faulty function also moved the running averages, so the network changed by being looked at.
#
# ## Experiment: the score map before and after training
#
# Pairs from sequences that neither network was trained on. The target is *not* at the centre of the search image but anywhere up to 48 pixels from it in each direction: a network that always answers "the centre" must not look good. Exemplar and search image are either 1 to 3 or 20 to 30 frames apart.
#
# **Predict first:** does a network with random weights find anything at all? And where does training help more, near or far?


# %%
def draw_pair(seq, seed, gap):
    """Exemplar, search image, and the target's place in it, (2,) pixels from its centre."""
    rng = np.random.default_rng(seed)
    seen = np.flatnonzero(~np.isnan(seq.boxes[:, 0]))
    first = second = 0
    while not gap[0] <= abs(second - first) <= gap[1]:
        first, second = rng.choice(seen, 2)
    away = rng.uniform(-48, 48, 2)
    return *pair_of(seq, first, second, away), away


def peak_distances(responses, aways):
    """Distance (B,) in pixels from the targets to the highest cells of responses (B, 17, 17)."""
    return peak_distance(responses, 8, torch.from_numpy(aways)).numpy()


GAPS = {"1 to 3 frames apart": (1, 3), "20 to 30 frames apart": (20, 30)}
WHICH = ("untrained", "trained")
near, far = GAPS

# the far pair of every fourth sequence
chosen = range(0, 24, 4)
drawn = [draw_pair(sequences[k], (k, 0), GAPS[far]) for k in chosen]
aways = np.array([away for _, _, away in drawn])
responses = {
    name: networks[name]
    .compare(
        *(embed(networks[name].backbone, as_images([d[k] for d in drawn])) for k in (0, 1))
    )
    .detach()
    for name in WHICH
}
figure, axes = plots.new_figure(width=9.5, height=6.4, rows=4, columns=6)
for column, (k, (z, x, away)) in enumerate(zip(chosen, drawn, strict=True)):
    plots.show_frame(axes[0, column], z)
    axes[0, column].set_title(sequences[k].name.removeprefix("gen-"), fontsize=7)
    plots.show_frame(axes[1, column], x)
    axes[1, column].plot(*(127 + away), "+", color=plots.TRUTH, ms=12, mew=2.5, label="target")
    for row, name in enumerate(WHICH, start=2):
        values = responses[name][column]
        i, j = divmod(int(values.argmax()), 17)
        plots.show_frame(axes[row, column], values, cmap=plots.MAP)
        axes[row, column].plot(*(8 + away / 8), "+", color=plots.TRUTH, ms=12, mew=2.5)
        axes[row, column].plot(
            j, i, "o", color=plots.PREDICTION, mec="white", label="highest cell"
        )
hits = {name: int((peak_distances(responses[name], aways) <= 16).sum()) for name in WHICH}
labels = ["exemplar z", "search image x", *(f"{name}: {hits[name]} of 6" for name in WHICH)]
for ax, label in zip(axes[:, 0], labels, strict=True):
    ax.set_ylabel(label, fontsize=8)
handles = [axes[1, 0].lines[0], axes[2, 0].lines[1]]
figure.legend(
    handles, ["target", "highest cell"], loc="outside lower center", ncols=2, fontsize=8
)
plots.show(
    figure,
    alt=f"Six exemplars and search images, and the responses of both networks. Within 16 pixels of the target, the untrained network finds {hits['untrained']} of 6, the trained one {hits['trained']}.",
)

# %% [markdown]
# {{figure pairs}} One pair from every fourth sequence, 20 to 30 frames apart: exemplar, search image, and the responses of your network untrained and trained, each on its own colour scale from lowest to highest value. The count at the left says how often the highest cell lies within 16 pixels of the target. A bright spot elsewhere is something that looks like the exemplar to this network.
#
# Six pairs prove nothing, so here are pairs from all sequences. For every distance the curves give the fraction of pairs whose highest cell is at most that far from the target. Pairs from one sequence resemble each other, so the sequences are counted, not the pairs: the band is the 95 % interval of the mean over sequences.

# %%
count = by_profile(smoke=1, laptop=3, gpu=8)  # pairs of a sequence
sets = {"generated": list(sequences)} | ({"real": list(real)} if real else {})
within = np.arange(0, 121, 2)  # pixels


def measured(seqs, gap):
    """For each network: the distances (sequences, count) of the peaks from the targets, and the heights
    (sequences, count, 2) of the peaks for the target's exemplar and for the next sequence's."""
    found = {name: ([], []) for name in WHICH}
    for turn in range(count):
        pairs = [draw_pair(seq, (k, turn), gap) for k, seq in enumerate(seqs)]
        aways = np.array([away for _, _, away in pairs])
        zs, xs = (as_images([pair[k] for pair in pairs]) for k in (0, 1))
        for name in WHICH:
            z = embed(networks[name].backbone, zs)
            # a few at a time: the first maps of 24 search images take 140 MB
            x = torch.cat([embed(networks[name].backbone, part) for part in xs.split(8)])
            own = networks[name].compare(z, x).detach()
            others = networks[name].compare(z.roll(1, 0), x).detach()
            heights = torch.stack([own.amax((1, 2)), others.amax((1, 2))], 1)  # (sequences, 2)
            found[name][0].append(peak_distances(own, aways))
            found[name][1].append(heights.numpy())
    return {name: [np.stack(values, 1) for values in parts] for name, parts in found.items()}


results = {
    (kind, when): measured(seqs, gap)
    for kind, seqs in sets.items()
    for when, gap in GAPS.items()
}

figure, axes = plots.new_figure(9.5, 3.3 * len(sets), len(sets), 2, sharex=True, sharey=True)
said, gains = [], {}
for ax, ((kind, when), result) in zip(axes.flat, results.items(), strict=True):
    hits = {name: (result[name][0] <= 16).mean(1) for name in WHICH}  # (sequences,)
    for k, name in enumerate(WHICH):
        shares = (result[name][0][..., None] <= within).mean(1)  # (sequences, distances)
        rows = [Interval.of(share) for share in shares.T]
        mean = np.array([row.mean for row in rows])
        half = np.array([row.half_width for row in rows])
        ax.plot(within, mean, plots.LINES[k], color=plots.CYCLE[k], label=name)
        ax.fill_between(within, mean - half, mean + half, color=plots.CYCLE[k], alpha=0.2)
    gains[kind, when] = hits["trained"] - hits["untrained"]  # (sequences,)
    gain = Interval.of(gains[kind, when])
    said.append(f"{kind}, {when}: trained minus untrained at 16 pixels {gain}")
    ax.set_title(f"{kind}, {when}\nat 16 px {gain}", fontsize=9)
    ax.axvline(16, color=plots.NEUTRAL, linestyle=":")
    ax.set(
        xlabel="pixels from target to highest cell", ylabel="fraction of pairs", ylim=(0, 1.05)
    )
    ax.legend(fontsize=8, loc="lower right")
plots.show(
    figure,
    alt=f"Fraction of pairs whose highest cell is within a distance of the target, for both networks. {'. '.join(said)}.",
)
for kind in sets:
    print(
        f"{kind}: gain from training, far pairs minus near pairs: {Interval.of(gains[kind, far] - gains[kind, near])}"
    )

# %% [markdown]
# {{figure distances}} Left, pairs 1 to 3 frames apart; right, 20 to 30. The title gives how much higher the trained network's curve is at the dotted line, 16 pixels, with its interval over the sequences. With OTB or VOT-2014 in your data folder, the lower row is the same for these real sequences.
#
# <details><summary>What came of it</summary>
#
# Random filters are not blind: whatever the filters, two equal images have equal features, so where little has changed even random filters find most targets. On pairs far apart training helps: the interval of the difference excludes 0. For near pairs, and for the comparison of far with near printed under the figure, check whether the interval contains 0: if it does, these sequences leave the question open.
# </details>
#
# A network that is to track must also say when the target is *not* there. **Predict:** give both networks the exemplar of another sequence. What does the highest cell do?

# %%
figure, axes = plots.new_figure(9.5, 3.3 * len(sets), len(sets), 2)
said = []
for row, kind in enumerate(sets):
    for ax, name in zip(axes[row], WHICH, strict=True):
        heights = results[kind, far][name][1]  # (sequences, pairs, 2)
        # of a sequence's own peaks, how many are above the other peaks of all sequences
        above = (heights[..., 0, None] > heights[..., 1].ravel()).mean((1, 2))  # (sequences,)
        share = Interval.of(above)
        words = f"own above another's: {share.mean:.2f} ± {share.half_width:.2f} of the cases"
        bins = np.linspace(min(0, heights.min()), heights.max(), 25)
        for k, (label, colour) in enumerate(
            (("the target's exemplar", plots.TRUTH), ("another sequence's", plots.DISTRACTOR))
        ):
            look = {"color": colour, "alpha": 0.6, "hatch": ("", "//")[k]}
            ax.hist(heights[..., k].ravel(), bins, label=label, **look)
        said.append(f"{kind}, {name}: {words}")
        ax.set_title(f"{kind}, {name}\n{words}", fontsize=9)
        ax.set(xlabel="highest cell of the response", ylabel="pairs")
        ax.legend(fontsize=8)
plots.show(
    figure,
    alt=f"Histograms of the highest cell for the target's exemplar and another sequence's. {'. '.join(said)}.",
)

# %% [markdown]
# {{figure heights}} The highest cell of the response for the target's own exemplar and for another sequence's, over the same search images, 20 to 30 frames apart. The title says how often a peak for the own exemplar is above a peak for another's, with its interval over the sequences; 0.5 would be a coin toss. The two histograms of the untrained network lie around nearly the same height; for the trained one, most peaks of other exemplars are lower than most of the target's.
#
# <details><summary>What came of it</summary>
#
# An untrained network responds to everything: the peak for an exemplar that is nowhere in the image is nearly as high as for the right one. After training that peak is much lower than the target's own, though mostly still above 0: the loss asks for values below 0 wherever the target is not, and gets them only in part. Some other exemplars still get a high peak; they share colours or texture with something in the image.
# </details>
#
# The card of the shipped network says how it was trained, and on what:

# %%
from course_lib.models.weights import find_weights, read_card

card = read_card(find_weights("siamfc"))
stages = [one["pairs"] for one in (card["started_from"], card)]
print(
    f"trained on {', '.join(card['trained_on'])}: {' + '.join(f'{n:,}' for n in stages)} pairs in two stages, seed {card['seed']}, {card['hardware']}, commit {card['commit']}"
)
if card.get("validation"):
    print(
        f"on {card['recipe']['validation_pairs']} held-out pairs: loss {card['validation']['loss']:.3f}, peak within the radius for {card['validation']['hits']:.1%} of those that show the target"
    )

# %% [markdown]
# The paper trained on 4,417 videos. This network has the same layers with fewer channels, and saw far less data; its card says how much, and so must any statement about its accuracy.
#
# ## An open task
#
# What may happen to a target before the network loses it? The cell below rotates the exemplar and leaves the search image as it is, on one pair of every sequence. Change `changed`: make the exemplar darker, blur it, cover half of it, mirror it, cut it with more or less context. Draw a curve with intervals, from
# harmless to fatal, and say in a sentence what the network has learned to ignore and what not.


# %%
def changed(z, amount):
    """The exemplar (127, 127, 3) rotated by so many degrees."""
    turn = cv2.getRotationMatrix2D((63, 63), amount, 1)
    return cv2.warpAffine(z, turn, (127, 127), borderMode=cv2.BORDER_REFLECT)


backbone = networks["trained"].backbone
pairs = [draw_pair(seq, (k, 0), GAPS[near]) for k, seq in enumerate(sequences)]
places = np.array([away for _, _, away in pairs])
features = torch.cat(
    [embed(backbone, part) for part in as_images([x for _, x, _ in pairs]).split(8)]
)


def found(exemplars):
    """Whether the highest cell is within 16 pixels of the target, (24,) of 0 and 1."""
    z = embed(backbone, as_images(exemplars))
    return (
        peak_distances(networks["trained"].compare(z, features).detach(), places) <= 16
    ) * 1.0


for amount in (0, 45, 90):
    print(
        f"rotated by {amount} degrees: {Interval.of(found([changed(z, amount) for z, _, _ in pairs]))} found"
    )

# %% [markdown]
# **Stretch goal.** Make the network immune to your change *without* training it: the mean of the features of several changed exemplars is an exemplar too. Does it find more of the changed targets, and what does it cost on unchanged ones? Answer with the interval of the difference, sequence by sequence, and say how many sequences you would need to be sure.
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
# 5. From lesson 02: MOSSE's response has one value per pixel, SiamFC's one per 8 pixels. What allows MOSSE a value for every pixel, and what does MOSSE give up for it?
# <details><summary>Answer</summary>
#
# It correlates grey values directly, one product per frequency, and learns a filter for this one target. It gives up everything that deep features bring: a target that rotates or is lit differently looks new to it.
# </details>
#
# ## Classic mistakes
#
# * **Labels for 17 cells in training.** Training uses search images of 239 pixels, so the response has 15 × 15 cells.
# * **Images scaled to 0 … 1.** This network's weights expect 0 … 255.
# * **Channels per group.** A table that prints 192 for conv4 means two groups of 192.
# * **Training mode by accident.** A new `nn.Module` is in training mode, and so is one whose weights were just filled in; its batch norms then look at the batch.
# * **Half a pixel.** A crop whose first pixel is centred on the square's corner is shifted by half a pixel, in every frame, in the same direction.
#
# ## Read next
#
# * The paper; its figure 1 shows the whole method.
# * Lesson 05: the same network, trained.
