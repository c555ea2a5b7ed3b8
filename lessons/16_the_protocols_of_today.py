# ---
# jupyter:
#   course: {run: [1, 3]}
# ---

# %% [markdown]
# # 16 · The protocols of today
#
# | | |
# |---|---|
# | **You will be able to** | start a tracker from many frames of one sequence, forward and backward, and say how far each run came; compute accuracy, robustness and EAO as VOT did from 2020 to 2022; count a target that is absent; judge a tracker that says how sure it is; and tell whether two protocols rank trackers alike |
# | **You need** | lesson 01 for overlap, one pass, and VOT's supervised protocol; lesson 02 for MOSSE and its PSR |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Kristan et al. (VOT2020, ECCVW 2020; VOTS2023, ICCVW 2023), Lukežič et al. (long-term tracking, IEEE Transactions on Cybernetics 2021), Efron (bootstrap, Annals of Statistics 1979), and VOT's public toolkit |
# | **Words** | {{words}} |

# %%
from functools import partial

import numpy as np

from course_lib import plots
from course_lib.data.generated import SequenceSpec, make_sequence, random_spec
from course_lib.evaluation import eao, multistart_scores
from course_lib.evaluation.bootstrap import (
    Standing,
    draws,
    rank_correlation,
    ratio,
    reversed_pairs,
)
from course_lib.evaluation.leaderboard_figures import NAMES, standings_plot
from course_lib.evaluation.longterm import run_reporting
from course_lib.evaluation.multistart import run_multistart
from course_lib.evaluation.otb import track
from course_lib.evaluation.run_figures import draw_runs, overlap_bar
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.evaluation.vot import run_supervised
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.boxes import iou
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker
from course_lib.widgets import ProtocolExplorer

sequence = make_sequence(
    SequenceSpec("long-occlusion", 813, length=220, occluders=2, distractors=1)
).loaded()
runs = run_multistart(partial(make_tracker, "mosse"), sequence)  # a list of AnchoredRun

# %% [markdown]
# ## Look first
#
# {{part}}
#
# How good is MOSSE on this sequence of 220 frames? One pass from the first frame gives one answer. Lesson 01's supervised protocol gives another: it starts a lost tracker again five frames later. Here is what VOT did from 2020 to 2022. The tracker is started on several frames, the *anchor frames*; each run goes to the end of the sequence, *forward or backward*, whichever side is longer; and a lost tracker is left alone.

# %%
figure, axes = plots.new_figure(width=10, height=3.2)
told = draw_runs(axes[0, 0], runs, len(sequence))
overlap_bar(axes[0, 0])
axes[0, 0].set_title("MOSSE, a run from every anchor frame", fontsize=10)
plots.show(figure, alt=f"A bar for each run over the frames, coloured by overlap: {told}.")

# %% [markdown]
# {{figure look}} Each bar is a run. The triangle marks its first frame and points in its direction; colour is the overlap with the truth; a cross is where the run fails, and the thin line is what comes after. The tracker and the sequence are the same throughout: whether a run comes through depends on where it starts.
#
# Why not restart, as before? A restart five frames after a failure falls into the very trouble that caused it, or right after it, and the score depends on which. The five frames, and the ten after a start that did not count, were settings that could be argued about. *Multi-start* has none of them; and a start from any other frame of the sequence costs nothing but time, since every frame has a true box.
#
# ## Where runs begin
#
# VOT publishes its anchor frames in files. Where there are none, the course places its own: one is wanted on the first frame, on every 50th, and on the last. If the target is hardly visible on such a frame, the anchor is moved to the nearest usable frame, by at most five frames; if there is none, it is left out. Two that end up on the same frame count as one. A run goes forward if at least as many frames follow the anchor frame as precede it.
#
# ### Exercise 16.1 · Anchor frames and runs
# {{exercise}}
#
# Write it for any spacing and reach. Of two usable frames that are equally near take the earlier one.
#
# <details><summary>Hint 1</summary>
#
# Wanted are `[*range(0, T - 1, spacing), T - 1]`: without the end of the range at T − 1 the last frame could be wanted twice.
# </details>
# <details><summary>Hint 2</summary>
#
# `at = np.flatnonzero(usable)`; the nearest is `at[np.abs(at - wanted).argmin()]`, and argmin takes the first of equals. A dictionary by frame keeps each start once.
# </details>


# %% exercise="today.runs" points=5 stars=2 minutes=9
@exercise("today.runs")
def runs_of(usable, spacing, reach):
    """First and last frame of every run of the multi-start protocol.

    Args:
        usable: array (T,) of bool, frames on which a run may start; at least one.
        spacing: frames from one wanted start to the next.
        reach: how many frames a start may be moved.

    Returns:
        list of pairs (first, last), in the order of `first`; last is T − 1 for a run forward, 0
        for one backward.
    """
    ### BEGIN SOLUTION
    T, at, found = len(usable), np.flatnonzero(usable), {}
    for wanted in [*range(0, T - 1, spacing), T - 1]:
        t = int(at[np.abs(at - wanted).argmin()])
        if abs(t - wanted) <= reach:
            found[t] = T - 1 if T - 1 - t >= t else 0
    return sorted(found.items())
    ### END SOLUTION


# %%
visible = sequence.tags["visible"] >= 0.5  # (T,)
mine = runs_of(visible, 50, 5)
lengths = [abs(last - first) + 1 for first, last in mine]
figure, axes = plots.new_figure(width=9, height=2.6, columns=2, width_ratios=[3, 2])
axes[0, 0].fill_between(
    np.arange(len(sequence)), visible, color=plots.NEUTRAL, alpha=0.15, step="mid"
)
for row, (first, last) in enumerate(mine):
    at = 0.9 - 0.8 * row / max(len(mine) - 1, 1)
    axes[0, 0].annotate("", (last, at), (first, at), arrowprops={"arrowstyle": "->"})
    axes[0, 0].plot(first, at, "o", color=plots.EXEMPLAR)
axes[0, 0].set(xlabel="frame", yticks=[], ylim=(0, 1), xlim=(-5, len(sequence) + 4))
passing = np.zeros(len(sequence))
for first, last in mine:
    passing[min(first, last) : max(first, last) + 1] += 1
axes[0, 1].plot(passing, color=plots.EXEMPLAR)
axes[0, 1].set(xlabel="frame", ylabel="runs that pass it", ylim=(0, None))
plots.show(
    figure,
    alt=f"Arrows from the first to the last frame of each run: {mine}; and how many runs pass each frame, {passing.min():.0f} to {passing.max():.0f}.",
)

# %% [markdown]
# {{figure runs}} Left, your runs; shaded is where at least half of the target is visible. Right, how many runs pass each frame: not all frames count equally often.
#
# ## How far a run comes
#
# One bad frame is no failure: a box may miss its target for a moment and be right in the next. VOT calls a frame *bad* if the overlap is at most 0.1, and a run *failed* at the first of ten bad frames in a row. How many frames came before is the run's *progress* $P$; for a run without a failure it is $N$, all of them.
#
# Two details follow the toolkit, and affect the numbers: the tracker reports nothing on its start frame, so that frame has overlap 0 and may be the first of the ten; and a frame without a target is never bad, and ends a row of bad ones.
#
# ### Exercise 16.2 · Failure and progress
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# Go through the frames with a counter: one more for a bad frame, back to 0 for any other.
# </details>
# <details><summary>Hint 2</summary>
#
# When the counter is at `grace`, the row has begun `grace - 1` frames earlier.
# </details>


# %% exercise="today.progress" points=4 stars=1 minutes=8
@exercise("today.progress")
def progress_of(overlaps, present, grace):
    """Frames before a run fails.

    Args:
        overlaps: array (N,), 0 on the start frame.
        present: array (N,) of bool, whether there is a true box.
        grace: bad frames (overlap at most 0.1, with a true box) in a row that are a failure.

    Returns:
        int, the index of the first of them; N without a failure.
    """
    ### BEGIN SOLUTION
    row = 0
    for t in range(len(overlaps)):
        row = row + 1 if overlaps[t] <= 0.1 and present[t] else 0
        if row == grace:
            return t + 1 - grace
    return len(overlaps)
    ### END SOLUTION


# %% [markdown]
# Ten is a choice. **Predict:** what changes if the first bad frame is already a failure, for a tracker whose target is hidden behind a pole for five frames, and that follows it again afterwards?

# %%
graces = (1, 2, 5, 10, 20, 40)
shares = {}
for run in runs:
    way = "backward" if run.backward else "forward"
    came = [progress_of(run.overlaps, run.present, g) / len(run.overlaps) for g in graces]
    shares[f"from {run.anchor} {way}"] = came
figure, axes = plots.new_figure(width=8, height=3)
plots.draw_lines(axes[0, 0], shares, x=graces, markers=True, xlabel="grace, frames")
axes[0, 0].set(ylabel="progress / length", ylim=(-0.05, 1.05), xscale="log")
axes[0, 0].set_xticks(graces, graces)
axes[0, 0].minorticks_off()
axes[0, 0].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
told = "; ".join(
    f"{name}: {', '.join(f'{v:.2f}' for v in came)}" for name, came in shares.items()
)
plots.show(
    figure,
    alt=f"The fraction of each run before its failure, by the number of bad frames in a row that are a failure, {graces}. {told}.",
)

# %% [markdown]
# {{figure grace}} The fraction of each run that comes before its failure, by how many bad frames in a row count as a failure.
#
# <details><summary>What came of it</summary>
#
# With a grace of 1 every run fails on its start frame, since that has overlap 0 and is the first bad one: the rule as it is needs a grace of 2 at least. With a grace above five, a tracker that loses a hidden target for five frames and finds it again has not failed. A line that stays below 1 up to a grace of 40 is a run that misses its target for 40 frames in a row, or more.
# </details>
#
# ## Accuracy and robustness
#
# *Accuracy* is the mean overlap before failures, *robustness* the fraction of frames that come before them. On one sequence, over its runs:
#
# $$A = \frac{\sum_{\text{runs}} \sum_{t<P} o_t}{\sum_{\text{runs}} P}, \qquad R = \frac{\sum_{\text{runs}} P}{\sum_{\text{runs}} N}.$$
#
# Over sequences they are averaged with different weights: accuracy by the frames before a failure ($\sum P$), so that frames count and not sequences; robustness by the *length of the sequence*, however many runs it has.
#
# The start frame's 0 counts in $A$: a tracker that is perfect over 200 frames has an accuracy of 199/200.
#
# ### Exercise 16.3 · Accuracy, robustness, and their weights
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# Weighting each sequence's accuracy by its frames before a failure makes the sum of all overlaps before failures, divided by the number of all these frames.
# </details>
# <details><summary>Hint 2</summary>
#
# For the robustness: one share for each sequence, then `np.average(shares, weights=lengths)`.
# </details>


# %% exercise="today.scores" points=5 stars=2 minutes=9
@exercise("today.scores")
def accuracy_robustness(sequences, lengths):
    """Accuracy and robustness over sequences.

    Args:
        sequences: for each sequence a list of its runs, each a pair: overlaps, array (N,), and
            progress, a number of frames.
        lengths: frames of each sequence.

    Returns:
        accuracy and robustness, two numbers.
    """
    ### BEGIN SOLUTION
    kept = sum(P for runs in sequences for _, P in runs)
    total = sum(o[:P].sum() for runs in sequences for o, P in runs)
    shares = [sum(P for _, P in runs) / sum(len(o) for o, _ in runs) for runs in sequences]
    return float(total / kept), float(np.average(shares, weights=lengths))
    ### END SOLUTION


# %%
def counted(runs):
    """Runs as pairs of overlaps and progress, ten bad frames in a row being a failure."""
    return [(run.overlaps, progress_of(run.overlaps, run.present, 10)) for run in runs]


found = {}
for label, part in {"every run alone": None, "all runs": runs}.items():
    groups = [[run] for run in runs] if part is None else [part]
    found[label] = np.array(
        [accuracy_robustness([counted(g)], [len(sequence)]) for g in groups]
    )
figure, axes = plots.new_figure(width=5.4, height=3.2)
for (label, points), mark in zip(found.items(), "oD", strict=True):
    colour = plots.NEUTRAL if mark == "o" else plots.PREDICTION
    axes[0, 0].plot(points[:, 1], points[:, 0], mark, color=colour, label=label)
axes[0, 0].set(xlabel="robustness", ylabel="accuracy", xlim=(0, 1.05), ylim=(0, 1))
axes[0, 0].legend(fontsize=8)
axes[0, 0].grid(alpha=0.3)
A, R = found["all runs"][0]
plots.show(
    figure,
    alt=f"Accuracy over robustness for each run alone, and for all runs together: {A:.2f} and {R:.2f}.",
)

# %% [markdown]
# {{figure ar}} Grey, each run as if it were the only one; red, what the protocol makes of all. One pass would have been the run from frame 0.
#
# ## Expected overlap
#
# Accuracy can be had at the cost of robustness: whoever fails early, fails before it gets difficult. *EAO* is one number for both: what mean overlap is to be expected over $j$ frames? $\Phi(j)$ is a mean over runs, and EAO is the mean of $\Phi(j)$ over typical lengths $j$: from 115 to 754 in VOT2020 to VOT2022. As in lesson 01, a failed run counts as 0 from its failure on. Then, for each $j$:
#
# * a run of more than $j$ frames ($N > j$) counts with the mean of its overlaps in frames $1 \dots j$;
# * a shorter one that did *not* fail is left out: how it would have gone on is unknown;
# * a shorter one that *failed* stays in, as if zeros followed. The toolkit divides its sum of overlaps by $j - 1$, not by $j$.
#
# The $j - 1$ is an oddity, but published numbers contain it, and whoever wants to compare with them needs it.
#
# ### Exercise 16.4 · The expected-overlap curve
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# Two loops will do: over j from 1, and over runs, with a list of the values that count. $\Phi(0)$ means nothing; leave it 0. Set overlaps to 0 from the failure on in a *copy*.
# </details>
# <details><summary>Hint 2</summary>
#
# `o[1:j + 1].sum() / j` if `len(o) > j`; else `o[1:].sum() / (j - 1)` if `P < len(o)`; else nothing.
# </details>


# %% exercise="today.curve" points=7 stars=3 minutes=11
@exercise("today.curve")
def expected_curve(runs, high):
    """The expected-overlap curve.

    Args:
        runs: of all sequences together, each a pair: overlaps, array (N,), and progress.
        high: length of the curve.

    Returns:
        array (high,): Φ(j) for j = 0 … high − 1; 0 for j = 0 and where no run counts.
    """
    ### BEGIN SOLUTION
    curve = np.zeros(high)
    for j in range(1, high):
        values = []
        for overlaps, P in runs:
            o = np.where(np.arange(len(overlaps)) < P, overlaps, 0)
            if len(o) > j:
                values.append(o[1 : j + 1].sum() / j)
            elif len(o) > P:
                values.append(o[1:].sum() / (j - 1))
        curve[j] = np.mean(values) if values else 0
    return curve
    ### END SOLUTION


# %%
curves = {"all runs": expected_curve(counted(runs), len(sequence))}
whole = [(o, P) for o, P in counted(runs) if len(o) == P]
failed = [(o, P) for o, P in counted(runs) if len(o) > P]
for label, part in {"those that fail": failed, "those that do not": whole}.items():
    if part:
        curves[label] = expected_curve(part, len(sequence))
low, high = multistart_scores.interval(sequence.name, runs)
figure, axes = plots.new_figure(width=7, height=3)
j = np.arange(1, len(sequence))
plots.draw_lines(axes[0, 0], {n: c[1:] for n, c in curves.items()}, x=j, ylim=(0, 1))
axes[0, 0].axvspan(low, high - 1, color=plots.NEUTRAL, alpha=0.15, linewidth=0)
axes[0, 0].set(xlabel="frames after the start, j", ylabel="Φ(j)")
values = ", ".join(f"{n} {c[low:high].mean():.3f}" for n, c in curves.items())
plots.show(
    figure,
    alt=f"Expected-overlap curves of MOSSE's runs on the sequence; means over lengths {low} to {high - 1}: {values}.",
)

# %% [markdown]
# {{figure curve}} $\Phi(j)$ over all runs, and over the two kinds apart; EAO is the mean over the shaded lengths. This is one sequence, shorter than VOT's lengths, so the course takes the middle half of the runs' own lengths: such an EAO is not comparable with published ones.
#
# ## Play with the protocol
#
# The same sequence and the same tracker under other rules: which overlap is bad, how many bad frames are a failure, how far anchor frames are apart.

# %%
ProtocolExplorer(sequence, partial(make_tracker, "mosse"), "MOSSE")

# %% [markdown]
# **Find out by playing:** raise the threshold from 0.1 towards 0.6. Accuracy *rises* while robustness falls; why? Which of the three numbers moves least when the anchor frames are put 25 or 100 frames apart instead of 50? And is there a rule under which every run fails?
#
# <details><summary>What to see</summary>
#
# From 0.1 to 0.6 accuracy rises from .914 to .953, robustness falls from .811 to .768. The same two runs fail, only sooner: the frames in which the overlap was already poor now lie behind the failure, so they no longer lower the accuracy, and fewer frames are left before it. With anchor frames 25, 50 and 100 apart accuracy is .927, .914 and .897, while robustness goes from .881 to .731 and EAO, whose shaded lengths move with the runs, from .762 to .610: the same two runs fail, among ten, six and four. Every run fails with a grace of 1, whatever the threshold: the start frame has overlap 0 and is the first bad one.
# </details>
#
# **A good place to stop.** You have the protocol that VOT used from 2020 to 2022.
#
# ## A target that is not there
#
# {{part}}
#
# Run the cells above; your answers are saved in them. So far a tracker had to give a box in every frame. A target that leaves the view has none, and the right answer is "not there". The VOTS challenges (since 2023) score that: in each frame
#
# | | a box is reported | absence is reported |
# |---|---|---|
# | **target present** | the overlap | 0 |
# | **target absent** | 0 | 1 |
#
# The mean over all frames is the *quality*. The first frame counts as 0: nothing is reported there. Beside it stand its parts, among them *robustness*, here the fraction of the frames with a target in which the overlap is above 0, and *absence detection*, the fraction of the frames without a target in which absence is reported; it is not given for ten such frames or fewer.
#
# ### Exercise 16.5 · Quality
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# `noticed = ~present & ~reported`; there the frame counts 1, elsewhere its overlap, which is 0 where one of the two boxes is missing.
# </details>
# <details><summary>Hint 2</summary>
#
# The first frame needs no special case: its overlap is 0, it has a target and no report.
# </details>


# %% exercise="today.quality" points=5 stars=2 minutes=9
@exercise("today.quality")
def quality(overlaps, present, reported):
    """Quality of one run, its robustness, and the absences detected.

    Args:
        overlaps: array (T,), of the reported with the true box; 0 where either is missing, and
            on the first frame.
        present: array (T,) of bool, whether there is a true box; True on the first frame.
        reported: array (T,) of bool, whether the tracker gave a box; False on the first frame.

    Returns:
        quality; robustness, the fraction of the frames with a target whose overlap is above 0;
        fraction of the frames without one that are reported so, NaN if these are ten or fewer.
    """
    ### BEGIN SOLUTION
    noticed, gone = ~present & ~reported, int((~present).sum())
    return (
        float(np.where(noticed, 1.0, overlaps).mean()),
        float((overlaps[present] > 0).mean()),
        float(noticed.sum() / gone) if gone > 10 else float("nan"),
    )
    ### END SOLUTION


# %% [markdown]
# MOSSE says how sure it is by its peak-to-sidelobe ratio (lesson 02). Let it report absence wherever that is below a threshold, on a sequence whose target leaves the view. **Predict:** how do quality, robustness and absence detection go as the threshold rises?

# %%
gone = make_sequence(SequenceSpec("long-leaving", 814, length=220, leaves=True)).loaded()
run = run_reporting(make_tracker("mosse"), gone)  # one pass that reports a box in every frame
limits = np.quantile(run.scores[1:], np.linspace(0, 1, 25))


def said(limit):
    """Overlaps (T,) and reports (T,) of the pass if a score below `limit` means "absent"."""
    reported = run.reported & (run.scores >= limit)
    return np.where(run.present & reported, run.overlaps, 0.0), reported


rows = []
for limit in limits:
    overlaps, reported = said(limit)
    rows.append(quality(overlaps, run.present, reported))
names = ("quality", "robustness", "absence detected")
figure, axes = plots.new_figure(width=9.4, height=3, columns=2, width_ratios=[3, 2])
axes[0, 0].plot(run.scores, color=plots.EXEMPLAR, linewidth=1)
axes[0, 0].fill_between(
    np.arange(len(gone)),
    run.scores.max() * ~run.present,
    color=plots.NEUTRAL,
    alpha=0.3,
    step="mid",
)
axes[0, 0].set(xlabel="frame", ylabel="MOSSE's score")
plots.draw_lines(
    axes[0, 1], dict(zip(names, np.transpose(rows), strict=True)), x=limits, ylim=(-0.02, 1.02)
)
axes[0, 1].set(xlabel='score below which it says "absent"')
axes[0, 1].legend(fontsize=7)
best = int(np.argmax([row[0] for row in rows]))
plots.show(
    figure,
    alt=f"MOSSE's score over a sequence whose target is absent in {int((~run.present).sum())} frames; and quality, robustness and absence detected over the threshold. The quality is highest, {rows[best][0]:.3f}, at {limits[best]:.1f}; without a threshold it is {rows[0][0]:.3f}.",
)

# %% [markdown]
# {{figure quality}} Left, the score; grey where the target is absent. Right, the three numbers, by the score below which absence is reported. The best threshold here was chosen on the sequence it is shown on; chosen in this way it is worth nothing elsewhere.
#
# <details><summary>What came of it</summary>
#
# Robustness can only fall: a report that is withdrawn may have been a hit, and no withdrawal makes one. Absence detection can only rise. Quality is where the two are weighed against one another, frame by frame: it rises as long as more absent frames are noticed than overlap is given away.
# </details>
#
# ## How sure is it?
#
# One threshold is a choice; long-term challenges look at all thresholds. A frame is *reported* at a threshold $\tau$ if its score is at least $\tau$. Then:
#
# $$\mathrm{Pr}(\tau) = \frac{\text{sum of overlaps in reported frames}}{\text{number of reported frames}}, \qquad \mathrm{Re}(\tau) = \frac{\text{the same sum}}{\text{number of frames with a target}}.$$
#
# *Tracking precision* falls with boxes where there is no target, *tracking recall* with targets that are not reported. $F = 2\,\mathrm{Pr}\,\mathrm{Re}/(\mathrm{Pr}+\mathrm{Re})$ is high only if both are, and a tracker's score is the highest $F$ over all thresholds.
#
# ### Find the fault
#
# Somebody else has written the three, and gets a remarkable curve.


# %%
def their_f(overlaps, scores, present, threshold):
    """Tracking precision, recall and F at a threshold of the score."""
    given = scores >= threshold
    total = overlaps[given].sum()
    precision = total / given.sum() if given.any() else 1.0
    recall = total / max((given & present).sum(), 1)
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def f_figure(f, whose):
    """Precision, recall and F over the threshold, and over each other; the figure and its words."""
    overlaps = np.where(run.present, run.overlaps, 0.0)
    found = np.array(
        [f(overlaps, run.scores, run.present, limit) for limit in limits]
    )  # (L, 3)
    figure, axes = plots.new_figure(width=8.6, height=2.8, columns=2)
    lines = dict(zip(("precision", "recall", "F"), found.T, strict=True))
    plots.draw_lines(axes[0, 0], lines, x=limits, ylim=(0, 1.02), xlabel="threshold τ")
    axes[0, 0].set_title(whose, fontsize=10)
    axes[0, 1].plot(found[:, 1], found[:, 0], "o-", color=plots.EXEMPLAR, markersize=3)
    axes[0, 1].set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    at = int(found[:, 2].argmax())
    return (
        figure,
        f"{whose}: precision, recall and F over the threshold, and precision over recall. F is highest, {found[at, 2]:.3f}, at {limits[at]:.1f}, where {int((run.scores >= limits[at]).sum())} of {len(gone)} frames are reported.",
    )


plots.show(*f_figure(their_f, "their version"))

# %% [markdown]
# {{figure theirs}} What somebody else's function gives for the pass above. Whoever reports fewer frames loses targets: can recall rise with the threshold?
#
# ### Exercise 16.6 · Precision, recall, F
# {{exercise}}
#
# Find the line with the fault, and write the function as it should be. The precision of no report at all is 1, as in the toolkit; $F$ is 0 where both are.
#
# <details><summary>Hint 1</summary>
#
# As the threshold rises, the sum in both numerators can only fall. Which denominator must stay as it is?
# </details>
# <details><summary>Hint 2</summary>
#
# A target that is there and not reported has to lower the recall. In their version such a frame counts nowhere.
# </details>


# %% exercise="today.fault" points=4 stars=2 minutes=8
@exercise("today.fault")
def mended_f(overlaps, scores, present, threshold):
    """`their_f` without its fault.

    Args:
        overlaps: array (T,), of the box with the truth, 0 where there is no target.
        scores: array (T,), how sure the tracker was.
        present: array (T,) of bool, whether there is a true box; in one frame at least.
        threshold: frames with at least this score are reported.

    Returns:
        precision, recall and F, three numbers.
    """
    ### BEGIN SOLUTION
    given = scores >= threshold
    total = float(overlaps[given].sum())
    precision = total / given.sum() if given.any() else 1.0
    recall = total / present.sum()
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0
    ### END SOLUTION


# %%
plots.show(*f_figure(mended_f, "mended"))

# %% [markdown]
# {{figure mended}} The same pass. Recall falls with the threshold now, and $F$ is highest where neither of the two is low.
#
# ## In real time
#
# All of this waits for the tracker. VOT's real-time challenge does not: frames arrive at 20 a second, and a tracker that is late is scored with its last box. Lesson 11 runs that challenge; multi-start has a real-time form, too, with the same clock for every run. (The rule here is the paper's, as the course reads it; VOT's two toolkits count late boxes in ways of their own, so the numbers here are comparable only with one another.)
#
# ## Experiment: does the protocol change the ranking?
#
# The same trackers on the same generated sequences under three protocols: one pass (mean IoU), lesson 01's supervised protocol (EAO), and multi-start (EAO, with your functions). How far would a score move with other sequences? The *bootstrap* draws as many sequences as there are, with replacement, two thousand times, and looks at the spread. **Predict:** in which of the three are the intervals widest, relative to the gaps between the trackers?

# %%
trackers = by_profile(
    smoke=("stay-put", "ncc", "mosse"),
    laptop=("stay-put", "ncc", "mosse", "kcf"),
    gpu=("stay-put", "ncc", "mosse", "kcf"),
)
length = by_profile(smoke=60, laptop=140, gpu=220)
sequences = [
    make_sequence(random_spec(860_000 + k, length=length, occluders=k % 3)).loaded()
    for k in range(by_profile(smoke=3, laptop=6, gpu=24))
]
counts = draws(len(sequences), times=2000)  # (B, S)
kept = {
    name: {} for name in ("ope", "vot", "multistart")
}  # protocol → tracker → sequence by sequence
for name in trackers:
    make = partial(make_tracker, name)
    passes = [track(make(), c) for c in sequences]
    kept["ope"][name] = [
        np.nanmean(iou(p.boxes, c.boxes)) for p, c in zip(passes, sequences, strict=True)
    ]
    kept["vot"][name] = [[run_supervised(make, c)] for c in sequences]
    kept["multistart"][name] = [run_multistart(make, c) for c in sequences]


def one_pass(means):
    """Mean IoU, also on drawn sequences (B,)."""
    return np.mean(means), ratio(counts, np.array(means), np.ones(len(means)))


def supervised(of):
    """EAO of the supervised protocol, also on drawn sequences."""
    low, high = eao.interval("", [len(c) for c in sequences])
    sums = np.array([eao.curve_sums(runs, high) for runs in of])  # (S, 2, high)
    drawn = np.nan_to_num(ratio(counts, sums[:, 0], sums[:, 1]))[:, low - 1 :].mean(1)
    return eao.eao([run for runs in of for run in runs], low, high), drawn


def multistart(of):
    """EAO of the multi-start protocol by your functions, also on drawn sequences."""
    pooled = [run for runs in of for run in runs]
    low, high = multistart_scores.interval("", pooled)
    sums = np.array([multistart_scores.curve_sums(runs, high) for runs in of])  # (S, 2, high)
    drawn = np.nan_to_num(ratio(counts, sums[:, 0], sums[:, 1]))[:, low:].mean(1)
    return expected_curve(counted(pooled), high)[low:high].mean(), drawn


def standing_of(score, of):
    """All trackers under one protocol, as a Standing."""
    values, drawn = zip(*(score(of[name]) for name in trackers), strict=True)
    return Standing(tuple(trackers), np.array(values), np.stack(drawn, axis=1))


scored = {"ope": one_pass, "vot": supervised, "multistart": multistart}
standings = {name: standing_of(score, kept[name]) for name, score in scored.items()}
table = {"ranked_by": {name: "iou" if name == "ope" else "eao" for name in scored}}
table["trackers"] = {
    name: {
        protocol: {
            table["ranked_by"][protocol]: standing.spread(name).value,
            "interval": [standing.spread(name).low, standing.spread(name).high],
        }
        for protocol, standing in standings.items()
    }
    for name in trackers
}
plots.show(*standings_plot(table))

# %% [markdown]
# {{figure protocols}} Each panel is a protocol; a dot is a tracker's score on these sequences, the line holds 95 % of the scores on drawn ones. The three scales are not comparable; the orders are.
#
# <details><summary>What came of it</summary>
#
# In multi-start, on a laptop's six sequences: there MOSSE and KCF lie close together, under intervals of nearly half the scale. Compare the lines' lengths with the gaps between the dots of one panel. The sequences are few; the intervals say so. That a protocol takes more runs from each sequence does not give it more sequences: the runs of one sequence share its trouble.
# </details>
#
# How alike are two rankings? *Kendall's* $\tau_K$ counts pairs of trackers: those that both protocols order alike minus those they order differently, divided by all pairs. It is 1 for the same order, −1 for the opposite.

# %%
pairs = [("ope", "vot"), ("ope", "multistart"), ("vot", "multistart")]
rows = []
for a, b in pairs:
    turned = reversed_pairs(standings[a], standings[b])
    rows.append(
        {
            "protocols": f"{NAMES[a]}, {NAMES[b]}",
            "Kendall's τ": str(rank_correlation(standings[a], standings[b])),
            "pairs reversed": ", ".join(f"{x} and {y}" for x, y, *_ in turned) or "none",
        }
    )
show_table(rows, f"{len(trackers)} trackers on {len(sequences)} generated sequences")

# %% [markdown]
# ## The course's leaderboard
#
# Here is the same comparison on 22 real targets of OTB and VOT2014, from a run that takes hours: every tracker of the course, and three of OpenCV's. **Predict:** which two protocols agree most, does any pair of trackers surely change places, and whom does the real-time rule cost most?

# %%
path = RESULTS / "leaderboard.json"
board = read_measured(path) if path.is_file() else None
if board is None:
    figure, axes = plots.new_figure(width=7, height=1.4)
    axes[0, 0].text(0.5, 0.5, "not measured yet: python benchmarks/leaderboard.py", ha="center")
    axes[0, 0].set_axis_off()
    plots.show(figure, alt="The course's leaderboard is not measured yet.")
else:
    rows = []
    for pair, of in board["rankings"].items():
        names = [NAMES.get(name, name) for name in pair.split(", ")]
        a, b = pair.split(", ")
        low, high = of["interval"]
        surely = [r for r in of["reversed"] if min(r[a], r[b]) >= 0.975]
        rows.append(
            {
                "protocols": ", ".join(names),
                "trackers": of["trackers"],
                "Kendall's τ": f"{of['tau']:.2f} ({low:.2f} to {high:.2f})",
                "pairs reversed": len(of["reversed"]),
                "of them surely": len(surely),
            }
        )
    show_table(rows, f"{board['benchmark']}, {len(board['sequences'])} sequences")
    late = [
        {
            "tracker": name,
            "frames/s": board["trackers"][name].get("fps"),
            "EAO, real time minus not": of["minus"],
            "interval": "{:.3f} to {:.3f}".format(*of["interval"]),
        }
        for name, of in board["late"].items()
    ]
    show_table(late, "what the real-time rule costs, 20 frames a second")
    print(measured_words(board))
    plots.show(*standings_plot(board))

# %% [markdown]
# {{figure board}} Scores with intervals, a row for each tracker. The upper table has Kendall's $\tau_K$ of every two protocols with its interval, how many pairs of trackers they put in another order, and how many of these *surely*: the one ahead under each protocol is ahead on at least 97.5 % of the drawn benchmarks.
#
# <details><summary>What came of it</summary>
#
# The table says which two agree most, but it has no interval for the difference of two of its rows. A pair that is reversed between two protocols, but close in both, says nothing about protocols: other sequences would have reversed it as well. Among the three protocols that wait for the tracker, none of 190 pairs surely changes places, {{see board}}. Between multi-start and the real-time rule four do, all of them ATOM with the search over scales, and for these the reason is known: it is too slow for that rule here.
#
# The real-time rule changes nothing for a tracker that keeps up. A tracker that takes a little longer than a twentieth of a second is late in many frames; in each of them it is scored with an old box, around which it then searches. ATOM with the search over scales, first in one pass and in multi-start, falls to the lower half.
# </details>
#
# ## What the figures say
#
# Each bracket is a number with its interval; where zero lies inside, or nothing has been measured yet, no difference has been shown. The numbers are read from the course's leaderboard, {{see board}}.
#
# * How alike protocols rank, Kendall's $\tau_K$, {{see board}}: one pass and supervised {{evidence tau-ope-vot above}}, one pass and multi-start {{evidence tau-ope-multistart above}}, supervised and multi-start {{evidence tau-vot-multistart above}}.
# * Pairs of trackers that two protocols surely rank in opposite order, counted, {{see board}}: one pass and supervised {{evidence turned-ope-vot open}}, one pass and multi-start {{evidence turned-ope-multistart open}}, supervised and multi-start {{evidence turned-vot-multistart open}}. For every pair of 190 that changes places there, at least one protocol is not sure.
# * What the real-time rule costs, EAO with it minus without, {{see board}}: ATOM with scales {{evidence late-atom-scales below}}, SiamFC with five scales {{evidence late-siamfc-5s below}}, SiamMargin {{evidence late-siammargin open}}, SiamRPN++ {{evidence late-siamrpnpp open}}. Kendall's $\tau_K$ of the two {{evidence tau-vot-vot-realtime above}}, pairs surely reversed {{evidence turned-vot-vot-realtime open}}. This is one machine, one thread and single precision; on another, other trackers would be late.
#
# ## An open task
#
# Is a grace of ten frames and an overlap of 0.1 a lucky choice? Take the runs in `kept["multistart"]`, change both over a wide range (`partial(multistart_scores.progress, grace=…, failed_at=…)` goes wherever a function asks for a `rule`), and look at the ranking. Say over which range it stays the same, and where it does not, how sure that is.
#
# **Stretch goal.** Anchor frames are where the truth says that the target is well visible. A user draws a box wherever he likes. Start runs from frames in which less than half of the target is visible, and compare each with the run from the nearest anchor frame, sequence by sequence and with an interval.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. A tracker is perfect for 100 frames of a run of 200 and lost from then on. What are its progress, its accuracy and its robustness on this run?
# <details><summary>Answer</summary>
#
# P = 100. Accuracy 99/100, since the start frame counts as 0; robustness 100/200.
# </details>
#
# 2. Another never comes back after an occlusion, but reports a box around the place in which the target vanished. Which of this lesson's measures punish that, and which do not?
# <details><summary>Answer</summary>
#
# As soon as the target is visible elsewhere, robustness, EAO, the quality, tracking precision and recall do; accuracy does not, since it ends at the failure. While the target is *absent*, quality, absence detection and tracking precision do. Robustness does not: in multi-start such frames are never bad. But each has overlap 0, which counts in accuracy and EAO until the failure.
# </details>
#
# 3. Why is a run that came to its sequence's end left out of Φ(j) for larger j, and not padded with its mean?
# <details><summary>Answer</summary>
#
# How it would have gone on is unknown: trackers fail sooner or later. A mean would say that they never do. The price: at large j only long runs and failed ones are left.
# </details>
#
# 4. Can a tracker raise its F by multiplying all of its scores by ten? Its quality?
# <details><summary>Answer</summary>
#
# Not F: thresholds are taken from the scores, only their order counts. Not the quality, if its own threshold is multiplied too; with the old one nearly everything is reported.
# </details>
#
# ## Classic mistakes
#
# * **Comparing EAO across years.** Lengths, protocol and truth (boxes, polygons, masks) changed; two numbers called EAO can be different things.
# * **Pooling what is weighted.** Accuracy, weighted by frames before a failure, is the same as pooled over all runs; robustness, weighted by the sequences' lengths, is not. Pooling both gives numbers that are nearly right.
# * **A frame without a target counted as a miss**, or as a hit. Say which.
# * **A threshold chosen on the test sequences.** The best of a curve is a description of these sequences, not a setting.
# * **A ranking without intervals.** With few sequences, half of it is the choice of sequences.
#
# ## Read next
#
# * `course_lib/evaluation/multistart_scores.py`, `quality.py` and `longterm.py`; `python -m course_lib evaluate --protocol multistart` runs any tracker.
# * Kristan et al., *The Eighth Visual Object Tracking VOT2020 Challenge Results* (ECCVW 2020) and *VOTS2023* (ICCVW 2023); Lukežič et al., *Performance Evaluation Methodology for Long-Term Single-Object Tracking* (2021).
# * Lesson 17, *The challenge*: your own video and your own tracker under these protocols.
