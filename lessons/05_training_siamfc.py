# ---
# jupyter:
#   course: {run: [1]}
# ---

# %% [markdown]
# # 05 · Training SiamFC
#
# | | |
# |---|---|
# | **You will be able to** | train a Siamese network: sample pairs, augment them without moving the target, follow the loss, stop and resume exactly |
# | **You need** | lesson 04; what a gradient and stochastic gradient descent are |
# | **Time** | about {{minutes}} on a laptop without a GPU, part of it waiting |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Bertinetto et al. (ECCV Workshops 2016), the training sections; the San José State University report on it |
# | **Words** | {{words}} |

# %%
import copy
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.loader import batches, collate
from course_lib.data.objects import generated_objects
from course_lib.data.pairs import Augmentation, pair_at
from course_lib.data.pairs_photo import PhotoPairs
from course_lib.exercises import award, exercise, progress
from course_lib.models.device import choose_placement
from course_lib.models.losses import balanced_logistic_loss, label_map, pair_labels
from course_lib.models.siamfc import SiamFC
from course_lib.profile import by_profile
from course_lib.training.loop import train
from course_lib.training.settings import TrainSettings
from course_lib.widgets import LiveCurves

place = choose_placement()
print(
    f"this lesson trains on {place.device}, {'bfloat16' if place.bf16 else 'single precision'} inside the network"
)

# %% [markdown]
# ## Look first
#
# The next two cells train a small SiamFC and draw its progress. Watch three things: the loss, the fraction of held-out pairs whose response peaks within 16 pixels of the target, and the score maps (red on grey) of four of these pairs.

# %%
curves = LiveCurves()
curves

# %%
first_look = TrainSettings(
    name="first-look",
    widths=(16, 32, 48, 48, 32),
    steps=by_profile(smoke=6, laptop=160, gpu=600),
    batch=8,
    rate_start=0.05,
    rate_end=1e-3,
    validate_every=by_profile(smoke=3, laptop=40, gpu=100),
    validation_pairs=by_profile(smoke=8, laptop=64, gpu=256),
)
with tempfile.TemporaryDirectory() as folder:
    train(first_look, Path(folder), watchers=[curves])
plots.show(
    curves.image(),
    alt=f"Loss, hits and score maps of the small network after its last step: {curves.readout}.",
)

# %% [markdown]
# **While you watch:** is the loss below $\log 2 \approx 0.69$, the loss of "I do not know", from the first steps on? Does a peak appear at the centre of the score maps before or after the loss has fallen?
#
# That was the whole lesson in a minute; now piece by piece.
#
# ## A pair from one video
#
# Similarity has to be learned from images of *the same thing at different times*. SiamFC draws a video, one of its frames, and a second frame at most 100 frames away. Frames in which the target is absent or cut off are of no use; `valid` lists the others.
#
# ### Exercise 05.1 · Two frames
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# `np.abs(valid - first) <= gap` marks the frames within reach, before and after the first.
# </details>
# <details><summary>Hint 2</summary>
#
# Leave `first` itself out. If nothing is left, return it twice.
# </details>


# %% exercise="training.pair" points=4 stars=1 minutes=6
@exercise("training.pair")
def sample_two_frames(rng, valid, gap):
    """Two frames of one video.

    Args:
        rng: np.random.Generator; all randomness comes from it.
        valid: int array (n,), the usable frames, sorted.
        gap: largest distance between the two, frames.

    Returns:
        (first, second): two ints from `valid`, different whenever another frame is within reach.
    """
    ### BEGIN SOLUTION
    first = rng.choice(valid)
    near = valid[(np.abs(valid - first) <= gap) & (valid != first)]
    second = rng.choice(near) if len(near) else first
    return int(first), int(second)
    ### END SOLUTION


# %% [markdown]
# Why not neighbouring frames only? They are nearly the same image, and a network that compares grey values pixel by pixel would be good enough. Why not any two? After hundreds of frames the target may look like something else.

# %%
video = make_sequence(
    random_spec(
        11,
        scale=1.6,
        rotation=0.6,
        illumination=0.3,
        bend=0.2,
        length=120,
        scene="astronaut",
        grey=False,
    )
)
valid = np.flatnonzero(~np.isnan(video.boxes[:, 0]))
rng = np.random.default_rng(3)
figure, axes = plots.new_figure(width=9, height=2.3, columns=6)
shown = []
for k in range(3):
    pair = sample_two_frames(rng, valid, 100)
    for ax, t in zip(axes[0, 2 * k : 2 * k + 2], pair, strict=True):
        plots.show_frame(ax, video.frames[t], f"pair {k + 1}: frame {t}", video.boxes[t])
    shown.append(f"{pair[0]} and {pair[1]}")
plots.show(
    figure,
    alt=f"Three pairs of frames of one generated video with the true box: frames {'; '.join(shown)}.",
)

# %% [markdown]
# ## Augmentation that keeps the target where the label says
#
# Without augmentation the target would be exactly at the centre of every search image. SiamFC shifts it by up to 4 pixels, less than a stride, so the label map still holds; and it changes the scale a little. The shift is counted in *crop* pixels, but the crop is cut from the frame.
#
# ### Exercise 05.2 · A shifted centre
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# `rng.uniform(-shift, shift, 2)` draws two numbers, one for x and one for y.
# </details>
# <details><summary>Hint 2</summary>
#
# One frame pixel is `scale` crop pixels, so a shift in frame pixels is the shift in crop pixels divided by `scale`.
# </details>


# %% exercise="training.shift" points=3 stars=1 minutes=5
@exercise("training.shift")
def shifted_centre(rng, box, shift, scale):
    """Where to centre the search window.

    Args:
        rng: np.random.Generator.
        box: array (4,), x, y, w, h of the target, frame pixels.
        shift: largest distance from the box's centre along x and along y, crop pixels.
        scale: crop pixels per frame pixel.

    Returns:
        array (2,), x and y, frame pixels.
    """
    ### BEGIN SOLUTION
    centre = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    return centre + rng.uniform(-shift, shift, 2) / scale
    ### END SOLUTION


# %% [markdown]
# A large set of videos brings its own variety of lighting, blur and background. A small one does not, and needs stronger augmentation. Below are pairs of pasted objects: a cut-out over two different photographs, with photometric jitter, tint, greyscale and blur, some with a look-alike beside the target. Everything is made from a seed:
# pair number 7 is the same today and tomorrow.

# %%
augmentation = Augmentation(
    stretch=0.06,
    rotation=0.1,
    aspect_change=0.06,
    mirror=0.5,
    jitter=0.4,
    tint=0.15,
    grey=0.2,
    blur=0.3,
)
source = PhotoPairs(*generated_objects(), augmentation, distractors=0.3)
batch = collate([pair_at(source, seed=0, index=i) for i in range(6)]).jittered(
    torch.device("cpu")
)
figure, axes = plots.new_figure(width=9, height=3.2, rows=2, columns=6, height_ratios=[1, 1.5])
exemplars, searches = (
    images.permute(0, 2, 3, 1).numpy().astype(np.uint8)
    for images in (batch.exemplar, batch.search)
)
for k in range(6):
    plots.show_frame(axes[0, k], exemplars[k])
    plots.show_frame(axes[1, k], searches[k], truth=batch.box[k].numpy())
plots.show(
    figure,
    alt="Six training pairs: exemplars above, search images with the true box below, with different brightness, tint and blur.",
)

# %% [markdown]
# **Predict:** which of these augmentations teaches the network something, and which would do harm if it were ten times as strong? Think of scale: a tracker that searches at three sizes needs a network that can *tell* sizes apart.
#
# ## How fast to learn
#
# SiamFC's learning rate falls from $10^{-2}$ to $10^{-5}$ by a constant factor (once per epoch in the paper, at every step here).
#
# ### Exercise 05.3 · The schedule
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# Equal factors: at the first step the total factor is 1, at the last it is `end / start`.
# </details>
# <details><summary>Hint 2</summary>
#
# `start * (end / start) ** fraction`, where `fraction` runs from 0 to 1 as the step runs from 0 to `steps - 1`.
# </details>


# %% exercise="training.rate" points=3 stars=1 minutes=4
@exercise("training.rate")
def learning_rate(step, steps, start, end):
    """Learning rate of one step.

    Args:
        step: 0 … steps - 1; steps: length of the whole run (at least 2).
        start, end: rates of the first and of the last step.

    Returns:
        float.
    """
    ### BEGIN SOLUTION
    return start * (end / start) ** (step / (steps - 1))
    ### END SOLUTION


# %% [markdown]
# ## One step
#
# ### Exercise 05.4 · Forward, in mixed precision
# {{exercise}}
#
# Convolutions are most of the work, and they tolerate rounding: bfloat16 keeps the range of single precision with 8 binary digits instead of 24, and processors that support it do two to four times as many multiplications per second. The *weights* must stay in single precision, because a step of $10^{-5}$ would be rounded away. So autocast works on rounded
# copies inside the network, and the loss is computed in single precision.
#
# <details><summary>Hint 1</summary>
#
# `with torch.autocast(exemplar.device.type, dtype=torch.bfloat16, enabled=bf16):` around the call to the network.
# </details>
# <details><summary>Hint 2</summary>
#
# `.float()` converts the responses back to single precision.
# </details>


# %% exercise="training.predict" points=4 stars=2 minutes=6
@exercise("training.predict")
def predict(network, exemplar, search, bf16):
    """Responses of a network that computes in bfloat16.

    Args:
        network: called as network(exemplar, search), returns responses (B, n, n).
        exemplar: tensor (B, 3, 127, 127); search: tensor (B, 3, 239, 239).
        bf16: whether to use bfloat16; otherwise single precision throughout.

    Returns:
        float32 tensor (B, n, n), with its gradient.
    """
    ### BEGIN SOLUTION
    with torch.autocast(exemplar.device.type, dtype=torch.bfloat16, enabled=bf16):
        response = network(exemplar, search)
    return response.float()
    ### END SOLUTION


# %% [markdown]
# ### Exercise 05.5 · Backward, clip, step
# {{exercise}}
#
# Now and then a batch has an enormous gradient, and one step along it can undo a thousand others. Clipping shortens the gradient of *all* weights together to a maximum norm.
#
# <details><summary>Hint 1</summary>
#
# The order: zero the gradients, `loss.backward()`, clip, `optimiser.step()`.
# </details>
# <details><summary>Hint 2</summary>
#
# `nn.utils.clip_grad_norm_(network.parameters(), clip_norm)` clips, and returns the norm before clipping.
# </details>


# %% exercise="training.descend" points=5 stars=2 minutes=8
@exercise("training.descend")
def descend(network, optimiser, loss, clip_norm):
    """One step against the gradient.

    Args:
        network: nn.Module; optimiser: of its parameters.
        loss: tensor (), computed with the network.
        clip_norm: largest norm of the gradient.

    Returns:
        float, the gradient's norm before clipping.
    """
    ### BEGIN SOLUTION
    optimiser.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
    optimiser.step()
    return float(norm)
    ### END SOLUTION


# %% [markdown]
# That is all there is to a training loop. Here is yours, on pairs that are made while it runs:


# %%
def learn(steps, start, end, seed):
    """Losses and gradient norms of a small SiamFC, trained with your own functions."""
    torch.manual_seed(0)
    network = place.network(SiamFC(widths=(16, 32, 48, 48, 32)))
    optimiser = torch.optim.SGD(network.parameters(), lr=start, momentum=0.9, weight_decay=5e-4)
    losses, norms = [], []
    for step, batch in enumerate(batches(source, seed, batch=8, start=0, stop=steps)):
        batch = batch.jittered(place.device)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, start, end)
        exemplar, search = place.images(batch.exemplar), place.images(batch.search)
        response = predict(network, exemplar, search, place.bf16)  # (8, 15, 15)
        labels = pair_labels(batch.positive, response.shape[-1], 8, 16.0)  # (8, 15, 15)
        loss = balanced_logistic_loss(response, labels)
        norms.append(descend(network, optimiser, loss, clip_norm=10.0))
        losses.append(loss.item())
    return losses, norms


losses, norms = learn(by_profile(smoke=4, laptop=40, gpu=100), 0.05, 1e-3, seed=1)
print(
    f"loss of the first step {losses[0]:.3f}, of the last {losses[-1]:.3f}; gradient norms {min(norms):.2f} … {max(norms):.2f}"
)

# %% [markdown]
# ## Stopping, and resuming exactly
#
# Long runs get interrupted. Resuming *exactly* means that the resumed run ends with the very same weights as one that was never interrupted. That takes the weights, the batch norms' statistics, the optimiser's momentum, the step (for the learning rate), and the position in the stream of pairs. Here the last comes for free: pair number $i$
# depends only on the seed and $i$.
#
# ### Exercise 05.6 · A snapshot
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# `network.state_dict()` and `optimiser.state_dict()` hold everything. But they hold the *live* tensors, which the next step changes.
# </details>
# <details><summary>Hint 2</summary>
#
# Take a `copy.deepcopy(...)` of each.
# </details>


# %% exercise="training.snapshot" points=5 stars=2 minutes=7
@exercise("training.snapshot")
def snapshot(network, optimiser, step):
    """A copy of everything the next steps depend on.

    Args:
        network: nn.Module; optimiser: of its parameters; step: steps done so far.

    Returns:
        dict with the keys "network", "optimiser" (their state_dict()) and "step".
    """
    ### BEGIN SOLUTION
    return {
        "network": copy.deepcopy(network.state_dict()),
        "optimiser": copy.deepcopy(optimiser.state_dict()),
        "step": step,
    }
    ### END SOLUTION


# %% [markdown]
# The course's loop does the same with files. The test: one run goes straight through, another is stopped halfway and resumed by a new call. Are the weights equal, to the last bit?

# %%
short = replace(first_look, name="short", steps=6, checkpoint_every=1, validation_pairs=0)
with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
    straight = train(short, Path(one)).network
    train(short, Path(two), stop_at=3)
    resumed = train(short, Path(two)).network
largest = max(
    float((a - b).abs().max())
    for a, b in zip(straight.state_dict().values(), resumed.state_dict().values(), strict=True)
)
print(f"largest difference between any two weights: {largest:g}")

# %% [markdown]
# ## Is it learning?
#
# The loss says how well the response matches the labels. A tracker needs the *peak* to be in the right place.
#
# ### Exercise 05.7 · How far off is the peak?
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# `response.flatten(1).argmax(1)` is the index of each map's highest cell: row · n + column.
# </details>
# <details><summary>Hint 2</summary>
#
# The row is that index `// n`, the column is `% n`. The centre is at (n − 1) / 2.
# </details>


# %% exercise="training.distance" points=4 stars=2 minutes=6
@exercise("training.distance")
def peak_distance(response, stride):
    """Distance of each response's peak from its centre.

    Args:
        response: tensor (B, n, n); stride: pixels from cell to cell.

    Returns:
        tensor (B,), pixels of the search image.
    """
    ### BEGIN SOLUTION
    n = response.shape[-1]
    highest = response.flatten(1).argmax(dim=1)  # (B,)
    rows = highest // n - (n - 1) / 2
    columns = highest % n - (n - 1) / 2
    return torch.hypot(rows, columns) * stride
    ### END SOLUTION


# %% [markdown]
# ### Exercise 05.8 · A curve one can read
# {{exercise}}
#
# The loss jumps from batch to batch. TensorBoard smooths it with a running average, $s \leftarrow f\,s + (1 - f)\,\ell$ starting from $s = 0$. Its first values are pulled towards that 0, so after $k$ losses $s$ is divided by $1 - f^k$, the total weight of the real losses in it.
#
# <details><summary>Hint 1</summary>
#
# Keep the undivided $s$ for the next step; divide only what you record.
# </details>
# <details><summary>Hint 2</summary>
#
# After the first loss $s = (1 - f)\,\ell_1$, divided by $1 - f$: exactly $\ell_1$.
# </details>


# %% exercise="training.smooth" points=4 stars=2 minutes=6
@exercise("training.smooth")
def smooth(losses, factor):
    """Exponential moving average, corrected for starting at 0.

    Args:
        losses: n numbers; factor: f, 0 ≤ f < 1; larger is smoother.

    Returns:
        array (n,).
    """
    ### BEGIN SOLUTION
    average, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        average = factor * average + (1 - factor) * loss
        smoothed.append(average / (1 - factor**k))
    return np.array(smoothed)
    ### END SOLUTION


# %% [markdown]
# Three runs of the same small network, with three learning rates. **Predict** which curve is which before you read the legend: one learns too slowly, one well, one too fast.

# %%
steps = by_profile(smoke=4, laptop=60, gpu=150)
figure, axes = plots.new_figure(width=7, height=3)
smoothed = {}
for k, rate in enumerate((0.0005, 0.05, 5.0)):
    losses, _ = learn(steps, rate, rate, seed=2)
    losses = np.minimum(losses, 3.0)  # cut off at 3, to keep the other curves readable
    axes[0, 0].plot(losses, color=plots.CYCLE[k], alpha=0.3)
    smoothed[f"rate {rate:g}"] = smooth(losses, 0.8)
plots.draw_lines(axes[0, 0], smoothed, xlabel="step", ylabel="loss (dotted: log 2)")
axes[0, 0].axhline(np.log(2), color=plots.NEUTRAL, linestyle=":")
listing = ", ".join(f"{name}: {values[-1]:.2f}" for name, values in smoothed.items())
plots.show(
    figure,
    alt=f"Loss against step for three learning rates, raw and smoothed. Smoothed loss at the end: {listing}.",
)

# %% [markdown]
# ## Experiment: train it yourself
#
# The same recipe, trained a little longer. COCO-format photographs and GOT-10k videos are used if they are in your data folder (a name that ends in `?` may be missing); otherwise only generated pairs. On a GPU `python -m course_lib train recipes/train_siamfc.yaml` trains the full-size network. **Predict:** what will the fraction of hits be at the end?

# %%
more = LiveCurves()
more

# %%
mine = TrainSettings(
    name="mine",
    widths=by_profile(
        smoke=(16, 32, 48, 48, 32), laptop=(24, 48, 72, 72, 48), gpu=(96, 256, 384, 384, 256)
    ),
    sources=("generated", "videos:got10k-train?", "photos:photos?"),
    probabilities=(0.2, 0.4, 0.4),
    augmentation=augmentation,
    distractors=0.2,
    steps=by_profile(smoke=6, laptop=1500, gpu=6000),
    batch=by_profile(smoke=8, laptop=8, gpu=32),
    rate_start=0.05,
    rate_end=5e-4,
    validate_every=by_profile(smoke=3, laptop=150, gpu=500),
    validation_pairs=by_profile(smoke=8, laptop=64, gpu=256),
)
with tempfile.TemporaryDirectory() as folder:
    my_network = train(mine, Path(folder), watchers=[more]).network
plots.show(
    more.image(),
    alt=f"Loss, hits and score maps of your network after its last step: {more.readout}.",
)
more.progress.validation[-1]

# %% [markdown]
# What did it learn? Here is your network as a tracker, on clips it was not trained on, next to the network that ships with the course. (Lesson 06 opens up the tracker.)

# %%
from course_lib.evaluation.otb import track
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import read_measured, show_table
from course_lib.models.runtime import SiamFCRuntime, load_siamfc_runtime
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker

contest = {
    "yours": SiamFCRuntime(my_network.eval(), place),
    "shipped": load_siamfc_runtime("siamfc", "auto", "auto"),
}
chosen = load_benchmark("generated-v1").loaded(
    by_profile(smoke=12, laptop=4, gpu=1), by_profile(smoke=5, laptop=40, gpu=100)
)
results = {
    name: {c.name: track(SiamFCTracker(SiamFCSettings(), runtime), c) for c in chosen}
    for name, runtime in contest.items()
}
report = Report.from_results(chosen, results)
means = {name: row["auc"] for name, row in report.overall().items()}
rows = {**report.by_sequence(), "mean": means}
show_table(
    rows, "Success AUC of your network and of the shipped one", list(contest), first="clip"
)

# %% [markdown]
# ## How much data does it take?
#
# The paper trained on fractions of its videos and evaluated each network on VOT-15. The course did the same with its own small training set and a small network: the same number of steps for every fraction, two seeds each. Here are both, side by side:

# %%
from course_lib.places import RESULTS

paper = read_measured(RESULTS / "siamfc_published.json")
ours = read_measured(RESULTS / "data_size.json")
each = {}  # AUCs by fraction of the data
for row in ours["runs"]:
    each.setdefault(row["fraction"], []).append(row["auc"])
means = {fraction: np.mean(values) for fraction, values in sorted(each.items())}

figure, axes = plots.new_figure(width=9, height=3.2, columns=3)
eao, failures, aucs = axes[0]
percent = [100 * row["fraction"] for row in paper["data_size"]]
eao.plot(
    percent, [row["expected_overlap"] for row in paper["data_size"]], "o-", color=plots.CYCLE[0]
)
eao.set(title="paper: EAO on VOT-15", ylabel="expected average overlap")
failures.plot(
    percent, [row["failures"] for row in paper["data_size"]], "s-", color=plots.CYCLE[0]
)
failures.set(title="paper: failures on VOT-15", ylabel="failures")
for row in ours["runs"]:
    aucs.plot(100 * row["fraction"], row["auc"], "o", color=plots.CYCLE[1], alpha=0.6)
aucs.plot([100 * f for f in means], list(means.values()), "--", color=plots.CYCLE[1])
aucs.set(title=f"course: {ours['benchmark']}", ylabel="success AUC (a dot per seed)")
for ax in axes[0]:
    ax.set(xscale="log", xlabel="fraction of the training set, %")
    ax.set_xticks([2, 8, 32, 100], labels=["2", "8", "32", "100"])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
listing = ", ".join(f"{100 * f:g} %: {mean:.3f}" for f, mean in means.items())
plots.show(
    figure,
    alt=f"The paper's expected average overlap and failures, and the course's AUC, against the fraction of training data. The course's means: {listing}.",
)

heads = {
    "fraction": "fraction",
    "videos": "videos",
    "photographs": "photographs",
    "seed": "seed",
    "auc": "AUC",
    "precision20": "precision @20 px",
    "validation_loss": "loss on held-out pairs",
}
about = ours["measured"]
caption = f"{ours['pairs']:,} pairs each; {about['hardware']}, commit {about['commit']}"
show_table(ours["runs"], caption, heads, {"fraction": ".0%"})
spread = max(max(values) - min(values) for values in each.values())
print(
    f"largest spread between two seeds: {spread:.3f}; differences between neighbouring means:"
)
for low, high in pairwise(means):
    step = means[high] - means[low]
    note = "" if abs(step) > spread else "(within the spread)"
    print(f"  {100 * low:g} → {100 * high:g} %: {step:+.3f}", note)
print("the paper's numbers:", paper["source"])

# %% [markdown]
# The paper's curve rises to its end. The course's does not: its AUC rises up to about a third of the data, and the two largest sets do no better than that third, while the loss on held-out pairs is lowest with all of the data. There are three possible explanations, and this experiment alone cannot decide between them. All runs have the same small number of steps,
# and a larger set may need more. Twenty-two targets are few: a single lost target moves the mean by two hundredths or more. And the scales differ: the course's whole training set, 18 videos and a few hundred photographs, is smaller than the paper's 2 %.
#
# Before you call a difference between two neighbouring fractions an effect, look at the spread between the seeds: if it is as large, two runs do not settle it.
#
# Which of the course's numbers would you trust more to compare two fractions: the tracker's AUC, or the loss on held-out pairs? The second needs no tracker, and every pair counts; the first is what you want in the end.
#
# ## The whole run
#
# The network that ships with the course was trained by `python -m course_lib train` in two stages, with `recipes/train_siamfc_small.yaml` and then `recipes/train_siamfc_small_2.yaml`: in the first, the loss on held-out pairs levelled off while the training loss kept falling, so the second gives the network more things to tell apart. The card has the curve of the second:

# %%
from course_lib.models.weights import find_weights, read_card

card = read_card(find_weights("siamfc"))
figure, axes = plots.new_figure(width=7, height=3)
steps, losses = np.array(card["curve"]).T
axes[0, 0].plot(steps, losses, color=plots.NEUTRAL, alpha=0.5)
axes[0, 0].plot(steps, smooth(losses, 0.8), color=plots.PREDICTION, label="training, smoothed")
steps, losses = np.array([[row["step"], row["loss"]] for row in card["validation_curve"]]).T
axes[0, 0].plot(steps, losses, "o--", color=plots.TRUTH, label="held-out pairs")
axes[0, 0].set(xlabel="step", ylabel="loss", ylim=(0, 0.7))
axes[0, 0].legend()
plots.show(
    figure,
    alt=f"Loss of the shipped network's training and on held-out pairs over {card['steps']} steps; the last validation loss is {card['validation']['loss']:.3f}.",
)
seconds = sum(card["seconds"].values())
spent = ", ".join(f"{name} {value / seconds:.0%}" for name, value in card["seconds"].items())
print(f"{card['pairs']:,} pairs in {seconds / 60:.0f} minutes on {card['hardware']};", end=" ")
print(f"{card['pairs'] / seconds:.0f} pairs/s; time spent: {spent}")

# %% [markdown]
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. The training loss falls, the loss on held-out pairs rises. What happens, and what can be done?
# <details><summary>Answer</summary>
#
# The network memorises its training pairs. The remedies, in this order: more data, stronger augmentation, fewer steps, a smaller network.
# </details>
#
# 2. Your loss stays at 0.69 for thousands of steps. Name two causes.
# <details><summary>Answer</summary>
#
# The response is always 0 (its factor is far too small, or gradients do not reach the network), or labels and pairs do not match (targets not at the centre, 0/1 labels in a −1/+1 loss).
# </details>
#
# 3. You have two machines and put half of the batch on each. Does training end with the same weights as on one?
# <details><summary>Answer</summary>
#
# Only if gradients are averaged *and* the batch norms use the statistics of the whole batch. The course's `torchrun` training does both, and a test compares the weights.
# </details>
#
# 4. Why is the exemplar not shifted?
# <details><summary>Answer</summary>
#
# While tracking, the exemplar is centred on the first box. A shifted exemplar would shift what "at the centre" means.
# </details>
#
# 5. From lesson 02: MOSSE has a learning rate too. How does it differ from the one here?
# <details><summary>Answer</summary>
#
# MOSSE's rate is the weight of the newest frame in a running average, during tracking. Here the rate scales a gradient step, before any tracking.
# </details>
#
# ## Classic mistakes
#
# * **Pairs of one frame.** If the second frame may equal the first, some pairs teach the identity.
# * **Forgetting the momentum.** A resumed run that starts with an empty optimiser is a different run.
# * **`.train()` and `.eval()`.** Validation in training mode changes the batch norms' statistics.
# * **Choosing settings on the test set.** The settings here were chosen by the loss on held-out pairs, never on OTB or VOT.
#
# ## Read next
#
# * The course's training code, `course_lib/training/loop.py`: it is one loop.
# * Lesson 06: the tracker around the network.
