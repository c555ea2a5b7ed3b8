# ---
# jupyter:
#   course: {run: [1, 2, 2]}
# ---

# %% [markdown]
# # 11 · A larger margin: SiamMargin
#
# | | |
# |---|---|
# | **You will be able to** | read a correlation map and judge whether it can be trusted; train it with a margin; and update the exemplar while tracking without being led astray |
# | **You need** | lessons 04 to 06; lesson 09 helps |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | the slides of SiamMargin, winner of the VOT2019 real-time challenge; CosFace (Wang et al., CVPR 2018) and ArcFace (Deng et al., CVPR 2019) for the margins |
# | **Words** | {{words}} |

# %%
import math
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from course_lib import plots
from course_lib.analysis.distortion import KINDS, maps_of, moments_of, responses_of, study
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.models.correlation import cross_correlate
from course_lib.models.weights import load_network
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.widgets import MarginExplorer

torch.manual_seed(0)
sequences = load_benchmark("generated-alike-v1")
crowd = sequences["gen-alike-06"].loaded(by_profile(smoke=40, laptop=None, gpu=None))

# %% [markdown]
# ## Look first
#
# A target (+) among look-alikes (×). The features of a trained network stay fixed; one small projection of them is trained, with a *margin*: target cells must lie to the right of the coloured band, all others to the left of it. On the right are the cosines of target, look-alikes and background, before training (lines) and after it (areas).

# %%
MarginExplorer(crowd, load_network("ciresnet22"), every=by_profile(smoke=12, laptop=6, gpu=6))

# %% [markdown]
# **Find out by playing:** set the margin to 0, then to 0.4. What happens to the cosines of the look-alikes, and what to those of the background? Then go back to a margin of 0.2 and 60 steps, and compare a scale of 1 with one of 64: which pushes the background further, which the look-alikes, and why?
#
# <details><summary>What to see</summary>
#
# The margin pushes the background far away: that is easy. The look-alikes follow less, or not at all. With a scale of 1 a cosine of 1 is a logit of at most 1 − b: even a perfect map leaves the loss high, every cell pulls equally, and the background, which has the most cells, is pushed furthest. With 64 the loss is nearly 0 for every cell on the correct side of the band; only the few on the wrong side pull, and the look-alikes end up lower.
# </details>
#
# ## A good score above a bad map
#
# {{part}}
#
# SiamRPN++ (lesson 09) slides the exemplar over the search image channel by channel, and a head turns these maps into scores. SiamMargin's authors looked at its correlation map and found it *distorted*: its peak was not on the target, although the score's peak was. Nothing in the loss asks for a map that is highest where the similarity is greatest; the head can turn any map into a good score.
#
# Is that so? Here are the correlation map and the score of a small SiamRPN++, and the map of a second one that was trained with a loss on the map as well. The map is the sum over channels, as a cosine (see the exercise below), averaged over the network's three layers.

# %%
plain, supervised = load_network("siamrpnpp-small"), load_network("siamrpnpp-small-map")
moments = moments_of([crowd], every=by_profile(smoke=12, laptop=6, gpu=6))
reads = {
    "map of SiamRPN++": responses_of(maps_of(plain), moments),
    "its score": responses_of(maps_of(plain, scores=True), moments),
    "map, supervised": responses_of(maps_of(supervised), moments),
}
figure, axes = plots.new_figure(width=9.4, height=2.6, columns=4)
shown, cross = len(moments.targets) // 2, {"markersize": 12, "markeredgewidth": 2.5}
search = moments.searches[shown].permute(1, 2, 0).byte().numpy()  # (255, 255, 3)
plots.show_frame(axes[0, 0], search, "search image")
axes[0, 0].plot(*moments.targets[shown], "+", color=plots.TRUTH, **cross)
for ax, (name, maps) in zip(axes[0, 1:], reads.items(), strict=True):
    plots.show_map(ax, maps[shown], name, peak=True)
    x, y = (moments.targets[shown] - 127.5) / 8 + (maps.shape[-1] - 1) / 2  # cells
    ax.plot(x, y, "+", color="white", **cross)
counts = {name: study(maps, 8, moments).summary() for name, maps in reads.items()}
listing = "; ".join(f"{n}: {100 * c['on_target']:.0f} %" for n, c in counts.items())
words = f"A search image and three maps over it with their peaks. Percentage of {len(moments.targets)} moments in which the peak is on the target: {listing}."
plots.show(figure, alt=words)
print(f"peak on the target, {len(moments.targets)} moments: {listing}")

# %% [markdown]
# ## The map as a cosine
#
# ### Exercise 11.1 · Cosine correlation
# {{exercise}}
#
# A sum of products has no natural scale: a bright or busy window yields large sums, whether it is similar or not. The *cosine* divides by both lengths,
#
# $$c(u) = \frac{\langle z,\; x[u]\rangle}{\lVert z\rVert \; \lVert x[u]\rVert} \in [-1, 1],$$
#
# where $x[u]$ is the window of the search features at $u$, as large as $z$, all channels together. A network will be trained through this map, lengths included, so compute all of it with torch. The lengths of *all* windows come from a single box filter over the squares, summed over the channels.
#
# <details><summary>Hint 1</summary>
#
# `cross_correlate(z, x)` gives the products of all windows. `x.square().sum(1, keepdim=True)` gives the squares, (B, 1, H, W).
# </details>
# <details><summary>Hint 2</summary>
#
# `F.avg_pool2d(squares, (h, w), 1) * h * w` is the box filter. Clamp from below before the root: an exemplar of zeros should give 0, not NaN.
# </details>


# %% exercise="margin.cosine" points=6 stars=2 minutes=8
@exercise("margin.cosine")
def cosine_correlate(z, x):
    """Cosine of an exemplar with every window of its search features.

    Args:
        z: tensor (B, C, h, w); x: tensor (B, C, H, W).

    Returns:
        tensor (B, H - h + 1, W - w + 1), values in [-1, 1].
    """
    ### BEGIN SOLUTION
    h, w = z.shape[2:]
    squares = x.square().sum(1, keepdim=True)  # (B, 1, H, W)
    windows = F.avg_pool2d(squares, (h, w), 1)[:, 0] * h * w  # (B, H', W')
    own = z.flatten(1).square().sum(1)[:, None, None]  # (B, 1, 1)
    return cross_correlate(z, x) / (own * windows).clamp_min(1e-12).sqrt()
    ### END SOLUTION


# %%
network = load_network("siammargin")
with torch.inference_mode():
    z = network.features(moments.exemplars[:1])
    x = network.features(moments.searches[shown : shown + 1])
    for k in (1, 3):
        most, cosine = (f(z, k * x).max() for f in (cross_correlate, cosine_correlate))
        print(f"search features × {k}: largest sum {most:.1f}, largest cosine {cosine:.3f}")

# %% [markdown]
# ### Exercise 11.2 · Labels with a ring
# {{exercise}}
#
# Cells within 16 pixels of the target are right, cells beyond 32 are wrong. And in between? Two windows one cell apart share nine tenths of their pixels; to demand a wide gap between them is to demand the impossible. Cells in this ring get the label 0: they do not count.
#
# <details><summary>Hint 1</summary>
#
# The centre of the map is at (size − 1) / 2; distances are in cells, times the stride.
# </details>
# <details><summary>Hint 2</summary>
#
# Two `torch.where`, or assign −1 everywhere, then 0 where the distance is at most `ring`, then 1 where it is at most `radius`.
# </details>


# %% exercise="margin.labels" points=3 stars=1 minutes=5
@exercise("margin.labels")
def ring_labels(size, stride, radius, ring):
    """Labels of a map whose target is at the centre.

    Args:
        size: cells per side.
        stride: search pixels per cell.
        radius, ring: search pixels.

    Returns:
        tensor (size, size): 1 up to `radius`, 0 beyond it up to `ring`, -1 further out.
    """
    ### BEGIN SOLUTION
    at = (torch.arange(size).float() - (size - 1) / 2) * stride  # (size,) pixels
    distance = torch.hypot(at[:, None], at[None])
    labels = -torch.ones(size, size)
    labels[distance <= ring] = 0
    labels[distance <= radius] = 1
    return labels
    ### END SOLUTION


# %%
y = ring_labels(17, 8, 16, 32)
print(f"{(y == 1).sum()} target cells, {(y == 0).sum()} in the ring, {(y == -1).sum()} others")

# %% [markdown]
# ## A margin
#
# The slides name a "large margin classification loss" on the map but give no formula. The two below are the course's own, adapted from face recognition, which has the same aim: faces of one person close together, all others far away.
#
# ### Exercise 11.3 · Pixel by pixel
# {{exercise}}
#
# With a threshold $b$, a scale $s$ and a margin $m$, every target cell has to reach $b + m$ and every other cell has to stay below $b - m$:
#
# $$L = \tfrac12 \operatorname*{mean}_{+}\; \mathrm{softplus}\big(-s(c - b - m)\big) + \tfrac12 \operatorname*{mean}_{-}\; \mathrm{softplus}\big(s(c - b + m)\big)$$
#
# With $m = 0$ this is SiamFC's balanced logistic loss of the logits $s(c - b)$. A map without a target has only the second half.
#
# <details><summary>Hint 1</summary>
#
# `F.softplus(v)` is log(1 + e^v) and does not overflow.
# </details>
# <details><summary>Hint 2</summary>
#
# With labels y of ±1 both halves are `F.softplus(-y * s * (c - b) + s * m)`. Select by `y > 0` and `y < 0`; the mean of nothing is NaN.
# </details>


# %% exercise="margin.logistic" points=6 stars=2 minutes=8
@exercise("margin.logistic")
def margin_logistic(cosines, labels, b, scale, margin):
    """Pixel-wise margin loss of one map.

    Args:
        cosines: tensor (n, n).
        labels: tensor (n, n) of 1, 0 (does not count), -1.
        b: threshold.
        scale, margin: the s and m of the formula.

    Returns:
        tensor ().
    """
    ### BEGIN SOLUTION
    cells = F.softplus(-labels * scale * (cosines - b) + scale * margin)  # (n, n)
    loss = 0.5 * cells[labels < 0].mean()
    if (labels > 0).any():
        loss = loss + 0.5 * cells[labels > 0].mean()
    return loss
    ### END SOLUTION


# %% [markdown]
# ### Exercise 11.4 · A margin on the angle
# {{exercise}}
#
# CosFace subtracts $m$ from the cosine. ArcFace adds it to the angle: $\cos(\theta + m) = \cos\theta\cos m - \sin\theta\sin m$. But beyond $\theta + m = \pi$ the cosine *rises* again, and the worst answers would be rewarded. There ArcFace's public code switches to $c - m \sin m$.
#
# <details><summary>Hint 1</summary>
#
# $\theta + m < \pi$ is the same as $c > -\cos m$.
# </details>
# <details><summary>Hint 2</summary>
#
# sin θ is `(1 - c * c).clamp_min(1e-6).sqrt()`; without the clamp the gradient at c = 1 is infinite.
# </details>


# %% exercise="margin.arc" points=5 stars=2 minutes=7
@exercise("margin.arc")
def harden_by_angle(cosines, margin):
    """Cosines after `margin` is added to their angles.

    Args:
        cosines: tensor (n,) in [-1, 1].
        margin: radians.

    Returns:
        tensor (n,), increasing with `cosines` everywhere, with finite gradients.
    """
    ### BEGIN SOLUTION
    sines = (1 - cosines * cosines).clamp_min(1e-6).sqrt()
    added = cosines * math.cos(margin) - sines * math.sin(margin)
    return torch.where(cosines > -math.cos(margin), added, cosines - margin * math.sin(margin))
    ### END SOLUTION


# %%
c = torch.linspace(-1, 1, 201)
hardened = {"c": c, "c − m": c - 0.4, "cos(θ + m)": harden_by_angle(c, 0.4)}
figure, axes = plots.new_figure(width=5, height=2.8)
plots.draw_lines(axes[0, 0], hardened, c, xlabel="cosine c of the right answer")
axes[0, 0].set_ylabel("after the margin, m = 0.4")
words = "Three lines over the cosine: without a margin; with an additive margin of 0.4, a parallel line below the first; and with 0.4 added to the angle, which lowers the cosine little near 1 and most in the middle."
plots.show(figure, alt=words)

# %% [markdown]
# ### Exercise 11.5 · Places as classes
# {{exercise}}
#
# The pixel-wise loss looks at each cell alone. A softmax lets the cells compete: "*where* is it?" is a question with as many answers as the map has places. One more class, "nowhere", has the cosine $b$: it is the right answer for a pair without a target. With target cells $P$ and all other cells $N$,
#
# $$L = \operatorname*{mean}_{p \in P} -\log \frac{e^{s(c_p - m)}}{e^{s(c_p - m)} + \sum_{n \in N} e^{s c_n} + e^{s b}}, \qquad \text{no target:}\quad L = -\log \frac{e^{s(b - m)}}{e^{s(b - m)} + \sum_{n \in N} e^{s c_n}}.$$
#
# <details><summary>Hint 1</summary>
#
# `torch.logsumexp` adds exponentials without overflow. −log(e^r / (e^r + e^q)) is `F.softplus(q - r)`.
# </details>
# <details><summary>Hint 2</summary>
#
# q = `torch.logaddexp(torch.logsumexp(s * cosines[labels < 0], 0), torch.tensor(s * b))`; r are the target logits after the margin, all of them at once.
# </details>


# %% exercise="margin.softmax" points=8 stars=3 minutes=12
@exercise("margin.softmax")
def margin_softmax(cosines, labels, b, scale, margin):
    """Margin softmax loss over the places of one map.

    Args:
        cosines: tensor (n, n).
        labels: tensor (n, n) of 1, 0 (does not count), -1.
        b: cosine of "nowhere".
        scale, margin: the s and m of the formula.

    Returns:
        tensor ().
    """
    ### BEGIN SOLUTION
    others = torch.logsumexp(scale * cosines[labels < 0], 0)
    if not (labels > 0).any():
        return F.softplus(others - scale * (b - margin))
    rivals = torch.logaddexp(others, torch.tensor(scale * b))
    return F.softplus(rivals - scale * (cosines[labels > 0] - margin)).mean()
    ### END SOLUTION


# %% [markdown]
# ### Exercise 11.6 · How large a scale?
# {{exercise}}
#
# Cosines end at 1, and a softmax of numbers between −1 and 1 is never certain. When $N$ unit vectors are as far apart as possible, each pair has a cosine of $-1/(N-1)$. Which scale does a softmax then need to assign the right one of $N$ classes the probability $P$?
#
# <details><summary>Hint 1</summary>
#
# $P = e^s / (e^s + (N - 1)\, e^{-s/(N-1)})$. Solve for s.
# </details>
# <details><summary>Hint 2</summary>
#
# $s \cdot \frac{N}{N - 1} = \ln \frac{(N - 1) P}{1 - P}$.
# </details>


# %% exercise="margin.scale" points=4 stars=2 minutes=6
@exercise("margin.scale")
def least_scale(classes, probability):
    """The smallest scale with which a softmax over cosines can reach a probability.

    Args:
        classes: N.
        probability: P, 0…1.

    Returns:
        float.
    """
    ### BEGIN SOLUTION
    n, p = classes, probability
    return (n - 1) / n * math.log((n - 1) * p / (1 - p))
    ### END SOLUTION


# %%
for p in (0.5, 0.9, 0.99):
    print(f"17 × 17 cells, probability {p}: scale at least {least_scale(289, p):.1f}")

# %% [markdown]
# ### Exercise 11.7 · Not at once
# {{exercise}}
#
# At first target and background have nearly the same cosine; a margin of 0.2 cannot be met anywhere, and every cell pulls. So the margin rises linearly from 0 during the first part of training.
#
# <details><summary>Hint 1</summary>
#
# `done / ramp` is the fraction of the way, until it is 1.
# </details>
# <details><summary>Hint 2</summary>
#
# Take care of a ramp of 0: the full margin then applies from the first step.
# </details>


# %% exercise="margin.ramp" points=2 stars=1 minutes=3
@exercise("margin.ramp")
def margin_at(done, margin, ramp):
    """The margin after a fraction of the steps.

    Args:
        done: fraction of the steps taken, 0…1.
        margin: the full one.
        ramp: fraction of the steps during which it rises.

    Returns:
        float.
    """
    ### BEGIN SOLUTION
    return margin if done >= ramp else margin * done / ramp
    ### END SOLUTION


# %% [markdown]
# ## Does a margin help?
#
# {{part}}
#
# A good place to begin anew: run the cells above; your answers are saved in them.
#
# ### Exercise 11.8 · Is the peak on the target?
# {{exercise}}
#
# To compare maps of logits with maps of cosines we need a dimensionless measure: how far does the target's highest cell lie above the highest *other* one, in standard deviations of the others? Below 0 another place wins. (The peak-to-sidelobe ratio of lesson 02 compares with the *mean* of the others; a single strong look-alike hardly changes a mean.)
#
# <details><summary>Hint 1</summary>
#
# The others are the cells with label −1; the ring belongs to neither.
# </details>
# <details><summary>Hint 2</summary>
#
# `rest.std(correction=0)`.
# </details>


# %% exercise="margin.lead" points=4 stars=2 minutes=5
@exercise("margin.lead")
def lead(response, labels):
    """How clearly the target wins in a map.

    Args:
        response: tensor (n, n).
        labels: tensor (n, n) of 1, 0, -1.

    Returns:
        float, in standard deviations of the cells with label -1.
    """
    ### BEGIN SOLUTION
    rest = response[labels < 0]
    return float((response[labels > 0].max() - rest.max()) / rest.std(correction=0))
    ### END SOLUTION


# %% [markdown]
# ## Experiment: training with margins
#
# Four networks start from the same CIResNet-22 and see the same pairs in the same order: pieces of photographs, half of them with a look-alike beside the target. **Predict:** does a larger margin raise the cosine of the target, or lower that of the rest? And does the lead grow?

# %%
from course_lib.training.brief import train_recipe

small = by_profile(
    smoke={"steps": 2, "validate_every": 2, "validation_pairs": 8},
    laptop={"steps": 60, "validate_every": 60, "validation_pairs": 64},
    gpu={"steps": 1500, "batch": 64, "workers": 8, "validate_every": 500},
) | {"sources": ["generated"], "probabilities": [1.0]}
trained = {}
for kind, loss in (("pixel by pixel", "logistic"), ("softmax", "softmax")):
    for margin in (0.0, 0.2):
        changed = small | {"margin.loss": loss, "margin.margin": margin}
        one = train_recipe("train_siammargin", changed).network
        trained[f"{kind}, m = {margin:g}"] = one.cpu().eval()

# %%
step, every = by_profile(smoke=20, laptop=5, gpu=1), by_profile(smoke=20, laptop=8, gpu=8)
held = moments_of(list(sequences.loaded(step, 60)), every=every)
colours = dict(zip(KINDS, (plots.TRUTH, plots.DISTRACTOR, plots.NEUTRAL), strict=True))


def draw_cosines(ax, title, edges, fractions):
    """Histograms of cosines: for each kind, the fractions of its cells between `edges`."""
    for kind in KINDS:
        ax.stairs(fractions[kind], edges, fill=True, alpha=0.5, color=colours[kind], label=kind)
    ax.set(xlabel="cosine", yticks=[])
    ax.set_title(title, fontsize=9)


figure, axes = plots.new_figure(width=9.6, height=2.6, columns=4, sharey=True)
edges, said = np.linspace(-0.4, 1, 43), []
for ax, (name, one) in zip(axes[0], trained.items(), strict=True):
    found = study(responses_of(maps_of(one), held), one.stride, held)
    fractions = {k: np.histogram(v, edges)[0] / len(v) for k, v in found.values.items()}
    draw_cosines(ax, name, edges, fractions)
    means = ", ".join(f"{kind} {found.values[kind].mean():.2f}" for kind in KINDS)
    hits, ahead = 100 * found.on_target.mean(), np.median(found.lead)
    said.append(
        f"{name}: mean cosines {means}; peak on target {hits:.0f} %, median lead {ahead:.2f}"
    )
axes[0, 0].legend(fontsize=7)
words = f"Histograms of cosines on clips with look-alikes after training with different losses. {'. '.join(said)}."
plots.show(figure, alt=words)
print("\n".join(said))

# %% [markdown]
# Look at the *widths* of the histograms as well as at their centres: the lead is measured in units of the width. What each loss works on can be seen directly, without training: its gradient at a cell tells how hard it pulls there. Of all the pull on cells that are not the target, how much goes to the highest twentieth of them, the ones that could win?

# %%
from course_lib.models.losses import pair_labels

maps = torch.from_numpy(responses_of(maps_of(load_network("siammargin-cosine")), held))
away = torch.from_numpy(held.targets - 127.5).float()  # (N, 2)
labels = pair_labels(torch.ones(len(away), dtype=torch.bool), maps.shape[-1], 8, 8, away, 32)


def pull_on_the_highest(loss, margin):
    """Fraction of a loss's pull on the highest twentieth of the other cells, mean over the maps."""
    found = []
    for cosines, y in zip(maps, labels, strict=True):
        cosines = cosines.clone().requires_grad_()
        loss(cosines, y, 0.5, 16.0, margin).backward()
        pull, rest = cosines.grad[y < 0], cosines.detach()[y < 0]
        highest = rest.topk(len(rest) // 20).indices
        found.append(float(pull[highest].sum() / pull.sum()))
    return np.mean(found)


losses = {"pixel by pixel": margin_logistic, "softmax over places": margin_softmax}
rows = {
    name: {f"m = {m:g}": 100 * pull_on_the_highest(loss, m) for m in (0.0, 0.2, 0.35)}
    for name, loss in losses.items()
}
show_table(rows, "% of the pull on the highest 5 % of the others", formats=".0f", first="loss")

# %% [markdown]
# This is the difference between the two. Pixel by pixel, every cell is a separate question, and two hundred of them are easy. With a margin even the easy ones are not satisfied, so they pull too, and the fraction of the pull on those that matter falls. In a softmax a cell pulls in proportion to how likely it is to win, whatever the margin.
#
# In preparing this lesson we first tried the pixel-wise loss with an increasing margin, in single runs of 400 steps each, measured on generated clips that belong to no benchmark:

# %%
tried = read_measured(RESULTS / "siammargin_tried.json")
heads = {key: key for key in ("loss", "margin", "radius", "start", "spread", "lead")}
heads |= {"lead_on_training_pairs": "lead, trained on", "failures": "failures"}
show_table(tried["runs"], "Tried on the way", heads, ".2f")
print(tried["about"])

# %% [markdown]
# *Spread* is the standard deviation of the background's cosines, *lead* the median lead. As the margin grew, the histograms of the pixel-wise loss widened faster than they moved apart, and failures rose. Lack of data was not the cause: the lead fell even on the training pairs. With a margin the softmax lost fewer targets than the pixel-wise loss, and a smaller circle of target cells helped both; so the long run uses the softmax, a margin of 0.2 and the smaller circle. Note what the table does not show: a margin that beats no margin.
#
# ## Updating the exemplar
#
# SiamFC's exemplar is a crop of the first frame. Lesson 02's MOSSE learned in every frame, at the price of drifting. SiamMargin does a little of both: a running average of templates that cost almost nothing.
#
# ### Exercise 11.9 · Where on the map?
# {{exercise}}
#
# The features of the whole search image are already computed. Those of the target found in it need not be computed again: cut them out of the map. Which square of the map holds the features of an exemplar around pixel `centre`? On the map, cell k covers [k, k + 1]; its centre k + 0.5 corresponds to pixel `first` + k · `stride`. If the target has grown, its exemplar covers `ratio` times as many cells.
#
# <details><summary>Hint 1</summary>
#
# The centre of the square is (centre − first) / stride + 0.5, x and y alike.
# </details>
# <details><summary>Hint 2</summary>
#
# Half its side is ratio · cells / 2; `torch.cat([place - half, place + half])`.
# </details>


# %% exercise="margin.roi" points=5 stars=2 minutes=8
@exercise("margin.roi")
def roi_of(centre, ratio, first, stride, cells):
    """The square of the search features that holds the target's template.

    Args:
        centre: tensor (2,), x and y, search pixels.
        ratio: the target's scale relative to the search image's.
        first: pixel of the first cell's centre.
        stride: pixels per cell.
        cells: per side of the template.

    Returns:
        tensor (4,): x0, y0, x1, y1 in cells.
    """
    ### BEGIN SOLUTION
    place = (centre - first) / stride + 0.5
    half = ratio * cells / 2
    return torch.cat([place - half, place + half])
    ### END SOLUTION


# %% [markdown]
# ### Exercise 11.10 · ROI-Align
# {{exercise}}
#
# That square rarely falls on whole cells. ROI-Align divides it into `cells` × `cells` parts and samples the map at the centre of each, *bilinearly*. Rounding the square to whole cells would shift it by up to four pixels of the search image in every frame.
#
# <details><summary>Hint 1</summary>
#
# The centres along x are x0 + (k + 0.5) · (x1 − x0) / cells. Since the centre of cell k is at k + 0.5, subtract 0.5 to get their *index*.
# </details>
# <details><summary>Hint 2</summary>
#
# With i the index rounded down and f the fraction left over: (1 − f) · map[i] + f · map[i + 1], along the rows, then along the columns. Or `F.grid_sample(features, grid, align_corners=True)`, whose grid runs from −1 at index 0 to 1 at the last index.
# </details>


# %% exercise="margin.align" points=8 stars=3 minutes=12
@exercise("margin.align")
def template_from(features, roi, cells):
    """A template cut out of search features.

    Args:
        features: tensor (1, C, H, W).
        roi: tensor (4,), x0, y0, x1, y1 in cells, inside the map.
        cells: per side of the template.

    Returns:
        tensor (1, C, cells, cells): one bilinear sample at the centre of each part.
    """
    ### BEGIN SOLUTION
    part = (torch.arange(cells) + 0.5) / cells  # (cells,)
    for axis, (low, high) in ((3, (roi[0], roi[2])), (2, (roi[1], roi[3]))):
        at = low + part * (high - low) - 0.5  # (cells,) indices
        below = at.floor().long().clamp(0, features.shape[axis] - 2)
        shape = [1, 1, 1, 1]
        shape[axis] = cells
        rest = (at - below).view(shape)
        features = (1 - rest) * features.index_select(
            axis, below
        ) + rest * features.index_select(axis, below + 1)
    return features
    ### END SOLUTION


# %% [markdown]
# Is this the same as passing the crop through the network? If the target is a whole number of strides from the first cell, exactly: without padding, a window has the same features wherever it lies (lesson 10). In between they are similar, not equal.

# %%
from course_lib.geometry.traced import traced_receptive_fields
from course_lib.geometry.windows import CropWindow

row = traced_receptive_fields(network.backbone, 127)[-1]
frame = np.random.default_rng(0).integers(0, 255, (255, 255, 3), dtype=np.uint8)
frame = CropWindow(40, 40, 80, 255).cut(frame)  # soft shapes instead of noise
image = torch.from_numpy(frame).permute(2, 0, 1)[None].float()  # (1, 3, 255, 255)
with torch.inference_mode():
    features = network.features(image)
    for dx in (0, 2, 4, 8):
        left, top = 64 + dx, 64
        cut = network.features(image[:, :, top : top + 127, left : left + 127])
        centre = torch.tensor([left + 63.5, top + 63.5])
        square = roi_of(centre, 1.0, row.start, row.stride, row.size)
        aligned = template_from(features, square, row.size)
        likeness = F.cosine_similarity(cut.flatten(), aligned.flatten(), 0)
        print(f"shifted by {dx} pixels: cosine of both templates {likeness:.4f}")

# %% [markdown]
# ### Exercise 11.11 · A running average, with care
# {{exercise}}
#
# A new template is mixed into the average only if its `score` is above `sure`: a wrong one would teach the tracker to follow the wrong thing. And the first template, the only one known to be right, keeps its fixed weight in the exemplar. All templates have length 1, and the average is rescaled to length 1.
#
# <details><summary>Hint 1</summary>
#
# `(1 - rate) * average + rate * fresh`, divided by its norm.
# </details>
# <details><summary>Hint 2</summary>
#
# The exemplar is `keep * first + (1 - keep) * average`, with the new average. Return both.
# </details>


# %% exercise="margin.average" points=5 stars=2 minutes=7
@exercise("margin.average")
def renewed(first, average, fresh, score, rate, keep, sure):
    """The exemplar for the next frame.

    Args:
        first, average, fresh: tensors (1, C, h, w) of length 1: the first template, the average so
            far, the new template.
        score: of the new template.
        rate: of the running average.
        keep: weight of the first template in the exemplar.
        sure: score above which a new template counts.

    Returns:
        exemplar (1, C, h, w), new average (1, C, h, w) of length 1.
    """
    ### BEGIN SOLUTION
    if score > sure:
        average = (1 - rate) * average + rate * fresh
        average = average / average.norm()
    return keep * first + (1 - keep) * average, average
    ### END SOLUTION


# %% [markdown]
# ## Where to look
#
# {{part}}
#
# ### Exercise 11.12 · A region that follows the speed
# {{exercise}}
#
# A response of 17 × 17 cells covers 64 pixels on each side of the centre of the search image. A target that moved 40 pixels in the last frames may move 80 in the next. The slides name an "adaptive search region"; our reading: let the search image grow, cell by cell on both sides, until the response covers `reach` times the target's speed.
#
# <details><summary>Hint 1</summary>
#
# The response falls short by reach · speed − 64 pixels: divide by 8 pixels per cell, round up, never below 0.
# </details>
# <details><summary>Hint 2</summary>
#
# Every cell is needed on both sides: 16 pixels each.
# </details>


# %% exercise="margin.region" points=4 stars=2 minutes=6
@exercise("margin.region")
def region_size(speed, reach, base, largest):
    """Side of the next search image, in pixels.

    Args:
        speed: search pixels per frame.
        reach: how many times the speed the response has to cover.
        base: 255.
        largest: the limit.

    Returns:
        int, `base` plus a multiple of 16, at most `largest`.
    """
    ### BEGIN SOLUTION
    steps = math.ceil(max(reach * speed - 64, 0) / 8)
    return min(base + 16 * steps, largest)
    ### END SOLUTION


# %% [markdown]
# ### Exercise 11.13 · One more search
# {{exercise}}
#
# And if the map has no high peak at all? Then search once more, as far as allowed. In a larger map *some* cell is always a little higher, so the second peak must exceed the first by `gain`; otherwise the first search counts.
#
# <details><summary>Hint 1</summary>
#
# `look(size)` costs a pass through the network: call it a second time only if you need to.
# </details>
# <details><summary>Hint 2</summary>
#
# Do not search again if the first peak reaches `unsure`, or if the first search was as wide as the second would be.
# </details>


# %% exercise="margin.again" points=4 stars=2 minutes=6
@exercise("margin.again")
def search_again(look, size, largest, unsure, gain):
    """Search once, and once more where it helps.

    Args:
        look: function from the search image's size to its response, a tensor (n, n).
        size: of the first search image.
        largest: size of the second.
        unsure: peak below which to search again.
        gain: by how much the second peak must be higher.

    Returns:
        the size used, and its response.
    """
    ### BEGIN SOLUTION
    near = look(size)
    if near.max() >= unsure or size >= largest:
        return size, near
    far = look(largest)
    return (largest, far) if far.max() > near.max() + gain else (size, near)
    ### END SOLUTION


# %% [markdown]
# ## Experiment: switch by switch
#
# VOT's supervised protocol: a tracker whose box no longer touches the target has *failed*; it is initialised again five frames later. *Accuracy* is the mean overlap between failures, without the ten frames after each initialisation. *EAO*, the expected average overlap, combines the two: the mean overlap of a run of typical length, counting 0 after a failure. First, live, on the generated clips on which the trackers of the long run failed most:

# %%
from course_lib.evaluation.eao import eao, interval
from course_lib.evaluation.vot import accuracy, run_supervised
from course_lib.trackers import make_tracker

measured = read_measured(RESULTS / "siammargin.json")
runs = measured["runs"]
arms = [r for r in runs if r["arm"] in ("margin", "cosine")]
lost = np.sum([r["plain"]["generated"]["by_clip"] for r in arms], 0)
hardest = np.argsort(-lost, kind="stable")[: by_profile(smoke=2, laptop=5, gpu=20)]
length = by_profile(smoke=14, laptop=None, gpu=None)
few = [sequences[int(k)].loaded(length) for k in hardest]
off = {"update": False, "again": False, "adapt": False}
variants = {
    "cosine, margin 0": ("siammargin-cosine", off),
    "margin": ("siammargin", off),
    "margin + update": ("siammargin", off | {"update": True}),
    "margin + wider search": ("siammargin", off | {"again": True, "adapt": True}),
    "margin + both": ("siammargin", {}),
}
low, high = interval(sequences.name, [len(c) for c in few])
rows = {}
for name, (weights, switches) in variants.items():
    make = partial(make_tracker, "siammargin", weights=weights, **switches)
    found = [run_supervised(make, c) for c in few]
    rows[name] = {"accuracy": accuracy(found), "failures": sum(r.failures for r in found)}
    rows[name]["EAO"] = eao(found, low, high)
frames = sum(len(c) for c in few)
show_table(rows, f"{len(few)} clips, {frames} frames; EAO over {low} … {high} frames")

# %% [markdown]
# Clips picked like this say nothing about clips in general, and one failure more or less changes the order of the rows. The long run has 40 generated clips with look-alikes, the 8 real VOT-2014 clips, 5 real targets among look-alikes, and two or three networks of each kind that differ in their random seed. Below it is the slides' table, measured on VOT2019 under the real-time rule. The EAO columns are not comparable with the slides': VOT publishes an interval of lengths for each of its years but not for these clips, so the course takes the middle half of the clips' own lengths.

# %%
slides = read_measured(RESULTS / "siammargin_published.json")
arms = (
    ("SiamFC", "siamfc", "plain"),
    ("cosine, logistic, m = 0", "cosine", "plain"),
    ("… + wider search", "cosine", "search"),
    ("… + wider search, update", "cosine", "all"),
    ("cosine, logistic, m = .2", "margin pixel by pixel", "plain"),
    ("cosine, softmax, m = 0", "softmax without margin", "plain"),
    ("cosine, softmax, m = .2", "margin", "plain"),
    ("… + update", "margin", "update"),
    ("… + wider search", "margin", "search"),
    ("… + wider search, update", "margin", "all"),
    ("small SiamRPN++", "siamrpn++", "plain"),
    ("… loss on its map too", "siamrpn++ with map", "plain"),
)


def by_seed(arm, variant, group, what):
    """One number of an arm by seed."""
    return {r["seed"]: r[variant][group][what] for r in runs if r["arm"] == arm}


heads = {"accuracy": "A", "failures": "failures", "eao": "EAO"}
rows = [{"trained with": name} for name, *_ in arms]
for row, (_, arm, variant) in zip(rows, arms, strict=True):
    for group in measured["clips"]:
        for what, head in heads.items():
            values = by_seed(arm, variant, group, what).values()
            row[f"{group}: {head}"] = np.mean(list(values))
caption = f"Means over seeds {sorted({r['seed'] for r in runs})}, {measured_words(measured)}"
show_table(rows, caption, formats={f"{group}: failures": ".1f" for group in measured["clips"]})
rows = []
for r in slides["ablation"]:
    on = (k for k in ("margin", "update", "again", "adapt") if r[k])
    rows.append({"switched on": " + ".join(on) or "nothing", **r})
show_table(rows, slides["source"], {"switched on": "switched on"} | heads, {"failures": ".1f"})

# %%
figure, axes = plots.new_figure(width=9.6, height=3.2, columns=3)
pairs = {
    "margin": (("cosine", "plain"), ("margin", "plain")),
    "wider\nsearch": (("margin", "plain"), ("margin", "search")),
    "update": (("margin", "plain"), ("margin", "update")),
    "margin,\nall": (("cosine", "plain"), ("margin", "all")),
    "no\nmargin,\nall": (("cosine", "plain"), ("cosine", "all")),
    "loss on\nRPN's map": (("siamrpn++", "plain"), ("siamrpn++ with map", "plain")),
}
said = []
for ax, group in zip(axes[0], measured["clips"], strict=True):
    gains, told = {}, []
    for name, (before, after) in pairs.items():
        one, two = (by_seed(*arm, group, "failures") for arm in (before, after))
        both = sorted(one.keys() & two.keys())
        gains[name] = np.array([two[s] - one[s] for s in both])
        total = np.mean([one[s] for s in both])
        told.append(f"{' '.join(name.split())} {gains[name].mean():+.1f} of {total:.1f}")
    plots.draw_seeds(ax, gains)
    ax.axhline(0, color=plots.NEUTRAL, linewidth=1)
    ax.set_title(f"{group}: change in failures", fontsize=10)
    said.append(f"{group}: {', '.join(told)}")
words = f"Change in the number of failures with each switch: one dot per seed, a bar for the mean. {'. '.join(said)}."
plots.show(figure, alt=words)
print("\n".join(said))

# %% [markdown]
# Where do the failures on the real clips come from? Here they are clip by clip, as means over the seeds:

# %%
kinds = {"cosine, m = 0": ("cosine", "plain"), "margin": ("margin", "plain")}
kinds["margin, all"] = ("margin", "all")
rows = {}
for group in ("look-alikes", "vot2014"):
    for k, sequence in enumerate(measured["clips"][group]):
        failures = {
            name: np.mean([of[k] for of in by_seed(*arm, group, "by_clip").values()])
            for name, arm in kinds.items()
        }
        if max(failures.values()) > 0:
            rows[sequence] = failures
show_table(rows, "Failures by clip", formats=".1f", first="clip")

# %% [markdown]
# Our reading of the shipped table:
#
# * **Generated look-alikes:** the network trained with the margin loses about four targets where the cosine with a logistic loss loses six; all three seeds agree. But the softmax *without* a margin does as well. The competition between places is what helps here, not the margin.
# * **Real look-alikes:** no difference. The numbers by clip show why: nearly all failures are in two clips. We looked at each failure of the first seed: in DragonBaby a head moves fast and turns away from the camera, in Jogging a runner passes behind a post, in Football1 the box slips off beside a helmet. In none of them did the box go to a look-alike, so a better similarity could not help.
# * **VOT-2014:** *more* failures with the margin, for every seed, in clips of people and hands that bend. A stricter similarity gives up a target that changes; that would fit, but we have not shown it.
# * **The update** then recovers some of these, for every seed, with slightly higher accuracy on average. This is the slides' argument: discriminative features can be updated, and have to be.
# * **The wider search** finds a few more targets among the real look-alikes, for the network with the margin, and costs several on VOT-2014: it also finds other things.
# * **Supervising SiamRPN++'s map:** the counts go both ways.
#
# The slides' 28.8 % fewer failures are not reproduced. Compared with the plain cosine, margin and update lose 44 % fewer targets on the generated clips, no fewer among the real look-alikes and a quarter more on VOT-2014. There are differences: their tracker has a proposal head above the map, ours is the map alone, with 94,000 weights and a few thousand pairs to learn from; and their clips are different ones. The same training with another seed changed SiamFC's failures on VOT-2014 from 4 to 13: eight clips are few.
#
# ### In real time
#
# In VOT's real-time challenge frames arrive at 20 per second: a tracker that is late misses some. For the first seed, on the machine named above:

# %%
rows = []
for r in (r for r in runs if r["seed"] == 0):
    for variant in (v for v in ("plain", "all") if f"{v} in real time" in r):
        late, row = r[f"{variant} in real time"], {"network": f"{r['arm']}, {variant}"}
        for group in ("vot2014", "look-alikes"):
            row[group] = f"{r[variant][group]['failures']} → {late[group]['failures']}"
        rows.append({**row, "ms per frame": 1000 * r[variant]["seconds_a_frame"]})
show_table(rows, "Failures without a clock → at 20 Hz", formats=".1f")

# %% [markdown]
# ### What the update costs
#
# Measured in one run, the update consists of ROI-Align on features that are already there, two weighted sums and two lengths. Its time grows with the number of channels, but more slowly than the rest of the frame's: in the network trained here, with a quarter of the channels, its fraction of the frame's time is larger than in a network of the paper's size.

# %%
rows = {
    f"CIResNet-22, {name}": {**cost, "top": 100 * cost["fraction"]}
    for name, cost in measured["update"].items()
}
heads = {
    "milliseconds_a_frame": "ms per frame",
    "milliseconds_of_update": "ms for the update",
    "top": "% extra",
}
show_table(
    rows,
    "What the update costs",
    heads,
    {"milliseconds_a_frame": ".1f", "milliseconds_of_update": ".2f", "top": ".1f"},
    "network",
)
print(f"slides: {100 * slides['extra_time_of_update']:.2f} %")

# %% [markdown]
# ### Are the maps better?

# %%
rows, heads = {}, {"on target": "on_target", "lead": "lead", "PSR": "psr"}
for arm in dict.fromkeys(r["arm"] for r in runs):
    mine = [r["distortion"] for r in runs if r["arm"] == arm]
    for what in ("map", "score"):
        if f"generated {what}" in mine[0]:
            rows[arm if what == "map" else f"{arm}: its score"] = {
                f"{group}: {head}": np.mean([d[f"{group} {what}"][key] for d in mine])
                for group in ("generated", "look-alikes")
                for head, key in heads.items()
            }
caption = "The maps on generated and real look-alikes"
show_table(rows, caption, formats=".2f", first="trained with")

figure, axes = plots.new_figure(width=9.6, height=2.6, columns=3, sharey=True)
for ax, arm in zip(axes[0], ("cosine", "margin", "siamrpn++ with map"), strict=True):
    first = next(r for r in runs if r["arm"] == arm and r["seed"] == 0)
    draw_cosines(ax, arm, measured["edges"], first["distortion"]["histogram"])
axes[0, 0].legend(fontsize=7)
words = "Histograms of the cosines of target, look-alikes and background on generated clips, for three networks of the long run: cosine without margin, with margin, and SiamRPN++ with a loss on its map."
plots.show(figure, alt=words)

# %% [markdown]
# The slides' observation is clear here: the correlation map of a SiamRPN++ trained on its scores alone is useless. Its peak is on the target in about one generated moment out of eight, although the score's peak is in seven out of eight. A loss on the map repairs the map. The *score* hardly changes: a good map below a head does not yet make a better head.
#
# And the margin? It moves the histograms further apart and widens them by as much: the lead, measured in widths, does not change. That agrees with the failures above. SiamFC's plain sums lead by more than any cosine: dividing by the window's length loses some information. (One reading: strong features mark objects, so their length tells where *something* is.)
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Why divide by the length of the *window* and not of the whole search image's features?
# <details><summary>Answer</summary>
#
# The search image's length is one number for all places, so it changes no comparison between them. The window's length differs from place to place; without it a strong window beats a similar one.
# </details>
#
# 2. At test time the margin is gone. What has it done?
# <details><summary>Answer</summary>
#
# It has changed the features. A loss that is satisfied only with room to spare goes on pulling where an ordinary one would stop.
# </details>
#
# 3. The update is gated by the score. Which mistake does the gate not prevent?
# <details><summary>Answer</summary>
#
# A confident one: a look-alike that scores high. Only features that tell the two apart help against that, and the weight of the first template.
# </details>
#
# 4. In the slides accuracy falls and EAO rises when the update is switched on. Can both be true?
# <details><summary>Answer</summary>
#
# Yes: accuracy is averaged over frames between failures. A tracker that fails less often also keeps tracking in the hard frames, where overlap is low; EAO counts the frames after a failure as 0.
# </details>
#
# 5. From lesson 09: a depth-wise correlation produces one map per channel. How do you get the plain correlation from them?
# <details><summary>Answer</summary>
#
# Add the maps up. The head takes a weighted sum instead, with some weights negative, so a high sum need not mean a high score.
# </details>
#
# ## Classic mistakes
#
# * **The margin on the wrong side.** A target's cosine must be made *smaller* before the loss sees it. If training gets easier with a margin, a sign is wrong.
# * **A margin without a scale.** Logits between −1 and 1 can never satisfy a softmax.
# * **No ring.** Neighbours of the target as negatives: the loss asks two nearly equal windows to be far apart, and cannot be met.
# * **Gating the update by the windowed response.** Use the raw cosine at the chosen place, not the value blended with the window.
#
# ## Read next
#
# * `course_lib/models/margin.py`, `course_lib/trackers/siammargin.py` and `course_lib/analysis/distortion.py`.
# * Lesson 12: instead of a map that knows the right place, a network that knows how good a *box* is.
