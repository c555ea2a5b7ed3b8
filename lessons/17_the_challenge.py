# ---
# jupyter:
#   course: {run: [1, 1, 1, 3]}
# ---

# %% [markdown]
# # 17 · The challenge: your own video, your own tracker
#
# | | |
# |---|---|
# | **You will be able to** | make any tracker look for a target that it has lost; follow several targets; track in your own video and label it; say how sure a difference of two trackers is; and enter a tracker of your own |
# | **You need** | lesson 01 for the interface of a tracker, lesson 02 for MOSSE and its PSR, lesson 16 for protocols |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Kalal et al. (Tracking-Learning-Detection, PAMI 2012), Lukežič et al. (FuCoLoT, ACCV 2018), Efron (the bootstrap, Annals of Statistics 1979), and the last slides of the course's sources |
# | **Words** | {{words}} |

# %%
import numpy as np
from IPython.display import display

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.evaluation.entry_report import (
    entry_report,
    failure_figure,
    score_entry,
    scores_figure,
)
from course_lib.evaluation.leaderboard_figures import (
    NAMES,
    accuracy_against_speed,
    against_published,
    ranks_plot,
    standings_plot,
)
from course_lib.evaluation.published import published_scores
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.evaluation.video import write_video
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.boxes import iou
from course_lib.places import RESULTS, RUNS
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker, confidence_of
from course_lib.trackers.redetection import with_redetection
from course_lib.widgets import TrackerBench, TrackerRace

generated = load_benchmark("generated-v1")
hidden = generated["gen-03-occlusion"].part(0, 60).loaded()

# %%
race = TrackerRace(hidden, {name: make_tracker(name) for name in ("ncc", "mosse", "kcf")})
display(race)
for label, frame in race.failures.items():
    print(f"{label}:", "never misses" if frame is None else f"misses first in frame {frame}")

# %% [markdown]
# ## A race
#
# {{part}}
#
# Three trackers on one sequence: the frame once for each, the true box beside theirs, and below their IoU along the sequence. **Play it:** drag along the chart, then switch from IoU to *how sure*. Which lines fall where something passes in front of the target? Which falls *before* its tracker misses the target, and does it stay low? A tracker that is lost and as sure as before cannot be helped by anything in this lesson.
#
# <details><summary>What to see</summary>
#
# Something passes in front of the target between frames 25 and 37. MOSSE's PSR falls there from above 20 to 4, KCF's peak from about .5 to .2, and both rise again with the target; from frame 54 on something passes again, and the sequence ends while the target is hidden. The score of template matching falls long before the tracker misses: from .95 to .3 within the first 20 frames, since the target no longer looks as it did in the first. In frame 21 the tracker jumps to something else; its score rises to about .4 and stays there. It is surer of the wrong place than it finally was of the right one.
# </details>
#
# What the tracker lacks is not another response: it is something that notices that the target is lost, waits, looks elsewhere, and is not taken in by the first thing that looks similar. After that, the lesson leaves the single target and the course's own sequences: several targets, your own video, your own labels. Last comes your own tracker, which is judged by the trackers that it leaves behind.
#
# ## Sure, unsure, lost
#
# Let a tracker say how sure it is in each frame: PSR, peak or probability (lesson 15 asked which of them can be believed). Three states are enough:
#
# * **sure**: its box counts;
# * **unsure**: the box stays where it was last sure, and *nothing is learned*; a tracker that learns while it is unsure learns what hides its target;
# * **lost**: unsure for more than a few frames, its *patience*. From now on it is asked in the whole frame.
#
# While it is not sure, it is also asked what it would find at other places. There it must be surer than where it is: among thirty places one looks good by chance. So there are two thresholds, `sure` for where it is, and `found`, which is higher, for elsewhere. A score of NaN means that the tracker does not say how sure it is; it is left alone.
#
# ### Exercise 17.1 · Three states
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# First the case in which the target is there: the score is *not below* `sure` (written so, a NaN counts as sure), or `best` has reached `found`.
# </details>
# <details><summary>Hint 2</summary>
#
# Else this frame is one more that is unsure: `unsure + 1` is what is compared with `patience`, and returned.
# </details>


# %% exercise="challenge.state" points=4 stars=1 minutes=6
@exercise("challenge.state")
def next_state(unsure, score, best, sure, found, patience):
    """The state after one more frame.

    Args:
        unsure: number of frames unsure in a row before this one.
        score: how sure the tracker is where it is; NaN if it does not say.
        best: the highest score at other places; -inf if none was asked.
        sure: threshold from which it is believed where it is.
        found: threshold from which it is believed elsewhere.
        patience: after more than so many frames unsure the target counts as lost.

    Returns:
        number of frames unsure in a row, this one included, and "sure", "unsure" or "lost".
    """
    ### BEGIN SOLUTION
    if not score < sure or best >= found:
        return 0, "sure"
    return unsure + 1, "lost" if unsure + 1 > patience else "unsure"
    ### END SOLUTION


# %% [markdown]
# ## Where to look again
#
# A tracker sees only a search region. To look everywhere it is asked at a *grid* of places, as if its target had last been there. Divide width and height of the frame into equal steps, as few as possible, but none longer than `spacing` × the box's side in that direction; a place's centre is the middle of its step. Near places come first, because not all can be asked in one frame.
#
# ### Exercise 17.2 · The grid
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# `n = ceil(width / (spacing * w))` steps; centres at `(k + 1/2) * width / n` for k = 0 … n − 1. The same for the height.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.meshgrid(x, y)`, stacked and reshaped to (N, 2), are all centres. `np.argsort` of their distances from the box's *centre* is the order; last, subtract half a box.
# </details>


# %% exercise="challenge.grid" points=6 stars=2 minutes=10
@exercise("challenge.grid")
def places(box, spacing, height, width):
    """The places of a frame where a lost target is looked for, nearest first.

    Args:
        box: array (4,), x, y, w, h in pixels, where the target was last.
        spacing: the largest distance of neighbouring centres, in sides of the box.
        height: of the frame, pixels.
        width: of the frame, pixels.

    Returns:
        array (N, 4), boxes as large as `box`, by the distance of their centres from its own, in
        pixels.
    """
    ### BEGIN SOLUTION
    limits = np.array([width, height])
    counts = np.ceil(limits / (spacing * box[2:])).astype(int)
    x, y = ((np.arange(n) + 0.5) * limit / n for n, limit in zip(counts, limits, strict=True))
    centres = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)  # (N, 2)
    away = np.linalg.norm(centres - box[:2] - box[2:] / 2, axis=1)  # (N,)
    corners = centres[away.argsort(kind="stable")] - box[2:] / 2
    return np.concatenate([corners, np.tile(box[2:], (len(corners), 1))], axis=1)
    ### END SOLUTION


# %% [markdown]
# Here both are put around template matching, with its correlation as the score: `fork` keeps the tracker as it was before an unsure frame, `ask` says what it would find elsewhere, `believe` puts it there. This scheme does not wait until the target is lost: from the first unsure frame on, it asks at sixteen places of the grid in every frame.


# %%
def look_again(tracker, sequence, sure, found, patience, many=16):
    """Boxes (T, 4), scores (T,) and states of a tracker that looks for what it has lost."""
    box, unsure, asked = sequence.boxes[0], 0, 0
    tracker.init(sequence.frames[0], box)
    boxes, scores, states = [box], [np.nan], ["sure"]
    for frame in sequence.frames.part(1):
        before, best, where = tracker.fork(), -np.inf, None
        new = tracker.update(frame)
        score = confidence_of(tracker)
        if score < sure:
            tracker = before  # what it learned from this frame is forgotten
            every = places(box, 0.75, *frame.shape[:2])
            turn = (asked + np.arange(min(many, len(every)))) % len(every)
            asked += many
            answers = [tracker.ask(frame, place)[1] for place in every[turn]]
            best, where = max(answers), every[turn][int(np.argmax(answers))]
        unsure, state = next_state(unsure, score, best, sure, found, patience)
        if state == "sure":
            if score < sure:
                tracker.believe(where[:2] + where[2:] / 2, where[2:])
                new = tracker.update(frame)
            box, asked = np.array(new), 0
        boxes.append(box)
        scores.append(score)
        states.append(state)
    return np.array(boxes), np.array(scores), states


leaves = generated["gen-21-leaves"].loaded(by_profile(smoke=70, laptop=100, gpu=100))
boxes, scores, states = look_again(make_tracker("ncc"), leaves, 0.4, 0.7, 5)
plain = make_tracker("ncc")
plain.init(leaves.frames[0], leaves.boxes[0])
plain = np.array([leaves.boxes[0], *(plain.update(f) for f in leaves.frames.part(1))])
figure, axes = plots.new_figure(width=9, height=4.2, rows=2, sharex=True)
lines = {"alone": iou(plain, leaves.boxes), "looks again": iou(boxes, leaves.boxes)}
plots.draw_lines(axes[0, 0], lines, ylabel="IoU with the truth", ylim=(0, 1))
plots.draw_lines(axes[1, 0], {"score of “looks again”": scores}, xlabel="frame", ylabel="score")
for threshold in (0.4, 0.7):
    axes[1, 0].axhline(threshold, color="0.5", linewidth=0.8)
for ax in axes[:, 0]:
    for t, state in enumerate(states):
        if state != "sure":
            colour = plots.CYCLE[1] if state == "unsure" else plots.CYCLE[3]
            ax.axvspan(t - 0.5, t + 0.5, color=colour, alpha=0.25, linewidth=0)
counted = ", ".join(f"{states.count(s)} {s}" for s in ("sure", "unsure", "lost"))
told = ", ".join(f"{name} {np.nanmean(v):.2f}" for name, v in lines.items())
plots.show(
    figure,
    alt=f"IoU of template matching alone and when it looks again, on a sequence whose target leaves the view, and its score with both thresholds; frames by state: {counted}. Mean IoU: {told}.",
)

# %% [markdown]
# {{figure again}} A gap in the lines is a frame without the target. Shaded orange, unsure; shaded pink, lost. A score below the lower threshold begins the search. What ends it is a score above the upper one somewhere on the grid, or above the lower one at home; neither proves that it is the target.
#
# ### Does it pay?
#
# One sequence is an anecdote. `trackers/redetection.py` is the same scheme around any tracker that says how sure it is and can be told where to look; thresholds come with the course for template matching, MOSSE, KCF, and the weights of SiamFC, SiamRPN and SiamRPN++; for other weights they are chosen with `benchmarks/refound.py --choose`. While the tracker is unsure, it is asked in a ring around the box; in the whole frame only when the target is lost. **Predict:** which gains more from it, a tracker that searches 2.5 sides of the box or fewer, or one that searches four? And what does it cost in frames per second?


# %%
def measured_file(name):
    """A file of results, or None while nobody has measured it."""
    path = RESULTS / name
    return read_measured(path) if path.is_file() else None


refound = measured_file("refound.json")
names = list(refound["trackers"])
figure, axes = plots.new_figure(width=9.2, height=3.0, columns=2)
titles = {"auc": ("AUC", "all frames"), "after": ("IoU", "after the target was first away")}
for ax, (key, (measure, title)) in zip(axes[0], titles.items(), strict=True):
    rows = [refound["trackers"][name][key] for name in names]
    ax.errorbar(
        [r["mean"] for r in rows],
        range(len(rows)),
        xerr=[r["half_width"] for r in rows],
        fmt="o",
        color=plots.CYCLE[0],
    )
    ax.axvline(0, color="0.5")
    ax.set_yticks(range(len(rows)), names)
    ax.set(title=title, xlabel=f"{measure}, with minus without")
    ax.grid(alpha=0.3)
said = "; ".join(f"{n} {refound['trackers'][n]['after']['said']}" for n in names)
plots.show(
    figure,
    alt=f"What re-detection adds to the AUC and to the IoU after the target was first away, with intervals over sequences, tracker by tracker. The latter: {said}.",
)
show_table(
    {
        n: {"found without": r["again"]["without"], "found with": r["again"]["with"]}
        | {f"frames/s {how}": refound["speed"][n][how] for how in ("without", "with")}
        for n, r in refound["trackers"].items()
    },
    f"Fraction of sequences whose target is followed at the end, and speed on {refound['speed_on']}",
)
print(measured_words(refound))

# %% [markdown]
# {{figure refound}} Differences and their 95 % intervals over the same sequences, whose targets are hidden or leave the view: left, in AUC; right, in the mean IoU over those frames after the target's first absence in which it is visible. The sequences were chosen for that: on others there is less to gain.
#
# <details><summary>What came of it</summary>
#
# All five mean differences are above zero; *What the figures say* tells for which of them the whole interval is. On average, the three classical ones, which search near their box, gain more than the two networks. Whether they gain *because* of that is not isolated: they also differ in how well their scores say that the target is lost. The table has the price: frames per second on a sequence in which the target is hidden for a while.
# </details>
#
# ## Several targets
#
# {{part}}
#
# Several targets take several trackers, one for each; no tracker of this course knows of the others. One thing must be settled between them. If two targets look alike and meet, both trackers may end up on the same one, each of them sure. Two boxes that overlap strongly claim one place, and the surer one is believed; the other is *unsure*, whatever its score, and learns nothing. Scores can be compared since the trackers are of one kind.
#
# The surest target is believed first. Then the next one, unless its box overlaps one that is believed already by an IoU above `most`; and so on. A target that is not believed takes no place from others. An absent one, a box of NaN, is not believed.
#
# ### Exercise 17.3 · Who is believed?
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# Go through `np.argsort(-scores)`, with a list of those believed so far.
# </details>
# <details><summary>Hint 2</summary>
#
# `iou(boxes[kept], boxes[k])` is the IoU with each of them; `(… > most).any()` of nothing is False. It is what detectors call non-maximum suppression.
# </details>


# %% exercise="challenge.several" points=6 stars=2 minutes=8
@exercise("challenge.several")
def believed(boxes, scores, most):
    """Which of K targets are believed.

    Args:
        boxes: array (K, 4), one for each target; NaN where it is absent.
        scores: array (K,), how sure each tracker is.
        most: IoU up to which the boxes of two believed targets may overlap.

    Returns:
        array (K,) of bool.
    """
    ### BEGIN SOLUTION
    kept = np.zeros(len(boxes), dtype=bool)
    for k in np.argsort(-scores):
        if np.isfinite(boxes[k]).all():
            kept[k] = not (iou(boxes[kept], boxes[k]) > most).any()
    return kept
    ### END SOLUTION


# %%
crowd = load_benchmark("generated-alike-v1")["gen-alike-06"].loaded()
targets = np.concatenate([crowd.boxes[:, None], crowd.tags["alike"]], axis=1)  # (T, 3, 4)
pack = [make_tracker("mosse") for _ in range(2)]
for k, tracker in enumerate(pack):
    tracker.init(crowd.frames[0], targets[0, k])
tracks, trusted = [targets[0, :2]], [np.ones(2, bool)]
for frame in crowd.frames.part(1):
    tracks.append(np.array([tracker.update(frame) for tracker in pack]))
    trusted.append(believed(tracks[-1], np.array([confidence_of(t) for t in pack]), 0.3))
tracks, trusted = np.array(tracks), np.array(trusted)  # (T, 2, 4), (T, 2)
shared = iou(tracks[:, 0], tracks[:, 1])
t = int(shared.argmax())
figure, axes = plots.new_figure(width=9.4, height=3, columns=2, width_ratios=[1, 1.5])
plots.show_frame(axes[0, 0], crowd.frames[t], f"frame {t}")
for k in range(2):
    plots.draw_box(axes[0, 0], tracks[t, k], plots.CYCLE[k], f"target {k + 1}", plots.LINES[k])
axes[0, 0].legend(fontsize=8)
lines = {f"target {k + 1}": iou(tracks[:, k], targets[:, k]) for k in range(2)}
plots.draw_lines(axes[0, 1], lines | {"of the two boxes": shared}, xlabel="frame", ylabel="IoU")
for k in range(2):
    at = np.flatnonzero(~trusted[:, k])
    axes[0, 1].plot(at, np.full(len(at), -0.06 * (k + 1)), "|", color=plots.CYCLE[k])
told = ", ".join(f"target {k + 1} {np.sum(~trusted[:, k])}" for k in range(2))
plots.show(
    figure,
    alt=f"Two look-alikes with a tracker each, in the frame in which their boxes overlap most (IoU {shared.max():.2f}); IoU of each with its target, and of the two boxes with each other; frames not believed: {told}.",
)

# %% [markdown]
# {{figure several}} Left, the frame in which the two boxes overlap most. Right, IoU of each box with its own target, and of both boxes; the ticks below zero are frames in which a target is not believed. Here its tracker goes on all the same; the open task below gives it something better to do.
#
# ## Your own video
#
# `TrackerBench()` takes a video file or your webcam. Draw a box with mouse, touch or arrow keys, choose a tracker, *Track*; add further targets, and draw a box again where one is lost. Below the frame stands its score over time, and whether it is sure, unsure or lost. Frames go to Python one at a time, each when the last has been answered, so no cell runs meanwhile. The next cell gives it a film that this notebook makes, so that it works without a camera.

# %%
film = RUNS / "lesson17" / "film.mp4"
film.parent.mkdir(parents=True, exist_ok=True)
write_video(film, list(leaves.frames.part(0, by_profile(smoke=20, laptop=100, gpu=100))), 25)
bench = TrackerBench(video=film, tracker="mosse-redetection")
bench

# %% [markdown]
# **Play it:** track the target once with `mosse`, once with `mosse-redetection`. In which state is each while the target is out of view, and which of them says "sure" of something that is not the target? Then open a video of your own, or `TrackerBench()` with the webcam, cover the target with your hand, and find a gesture that loses the tracker without its knowing.
#
# <details><summary>What to see</summary>
#
# With the true box, on the frames of the film: the target leaves the view and is away from frame 50 to 61. `mosse` loses it before and says so: unsure in frame 36 and again from 43 on, lost from 48. It stands still, and in this film it is not sure again. `mosse-redetection` is on the target again in frame 72. But in frame 36 it had found something else at once, and was sure of that for 34 frames. Your box is another, so your frames may be others.
# </details>
#
# What you did is kept: `bench.repeat("kcf")` runs the same frames and boxes with another tracker, `bench.export("folder")` writes a film and a table. `make demo` shows the bench as a page of its own, and outside a browser there are `python -m course_lib live --camera 0 --select` and `python -m course_lib track --video my.mp4 --select`. VS Code refuses the webcam: use a file there, or the command.
#
# ## Your own data set
#
# To measure on your video you need boxes. Any labelling tool writes a table; the mistakes are always the same ones: corners or sizes, counted from 0 or 1, and frames that have no row because the target is away. So draw the boxes before you compute anything.
#
# ### Find the fault
#
# Here is a table with frame, first and last column and row of pixels, all counted from 1, and a colleague's function that reads it. Nobody saw anything wrong in the first half of the video.


# %%
def their_boxes(rows, length):
    """Boxes (T, 4) of every frame from a table (N, 5)."""
    boxes = np.full((length, 4), np.nan)
    found = np.column_stack([rows[:, 1:3] - 1, rows[:, 3:] - rows[:, 1:3] + 1])
    boxes[: len(rows)] = found[rows[:, 0].argsort()]
    return boxes


there = np.flatnonzero(np.isfinite(leaves.boxes[:, 0]))
whole = leaves.boxes[there].round()
table = np.column_stack([there + 1, whole[:, :2] + 1, whole[:, :2] + whole[:, 2:]])  # (N, 5)


def drawn_boxes(read, whose):
    """Boxes of the table on some frames; the figure and its words."""
    boxes = read(table, len(leaves))
    gap = int(np.flatnonzero(np.isnan(leaves.boxes[:, 0]))[0])
    shown = [2, gap - 3, gap + 1, min(gap + 16, len(leaves) - 1)]
    figure, axes = plots.new_figure(width=9.6, height=2.2, columns=4)
    for ax, t in zip(axes[0], shown, strict=True):
        plots.show_frame(ax, leaves.frames[t], f"frame {t}", truth=boxes[t])
    boxed = ", ".join(str(t) for t in shown if np.isfinite(boxes[t]).all())
    return figure, f"{whose}: frames {shown} with the boxes of the table; a box in {boxed}."


plots.show(*drawn_boxes(their_boxes, "their function"))

# %% [markdown]
# {{figure fault}} Four frames with the boxes that the function returns. In one of them the target is out of view.
#
# ### Exercise 17.4 · The table, mended
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# The table has fewer rows than the sequence has frames. To which frame does row k belong?
# </details>
# <details><summary>Hint 2</summary>
#
# `boxes[rows[:, 0].astype(int) - 1] = …` puts each row where it belongs, in any order.
# </details>


# %% exercise="challenge.fault" points=4 stars=1 minutes=6
@exercise("challenge.fault")
def mended_boxes(rows, length):
    """`their_boxes` without its fault.

    Args:
        rows: array (N, 5), frame, x1, y1, x2, y2: number of the frame, and those of the first and
            last column and row of pixels, all counted from 1.
        length: T, number of frames.

    Returns:
        array (T, 4), x, y, w, h, counted from 0; NaN in frames without a row.
    """
    ### BEGIN SOLUTION
    boxes = np.full((length, 4), np.nan)
    found = np.column_stack([rows[:, 1:3] - 1, rows[:, 3:] - rows[:, 1:3] + 1])
    boxes[rows[:, 0].astype(int) - 1] = found
    return boxes
    ### END SOLUTION


# %%
plots.show(*drawn_boxes(mended_boxes, "mended"))

# %% [markdown]
# {{figure mended}} The same frames. `python data_scripts/own.py make my.mp4 my.csv --dataset mine --first-frame 1 --first-pixel 1` does this for CSV, COCO and CVAT files whose frames and pixels are counted from 1 (leave out the two options if they are counted from 0), and draws a sheet like this one at the end; its x2 and y2 are where the box *ends*, so add 1 to the number of a last pixel. Then `python -m course_lib evaluate --benchmark folder:PATH --tracker kcf` measures on it.
#
# ## How sure is a difference?
#
# {{part}}
#
# A leaderboard says 0.52 against 0.50. On other sequences of the same kind, would it say so too? There are no others, so other benchmarks are drawn from these sequences: each has as many of them, drawn *with replacement*, and a few thousand such benchmarks show how far the difference moves. That is the *bootstrap*.
#
# Two trackers ran on the same sequences, and a hard one is hard for both. So both share each draw: what counts is the difference, sequence by sequence.
#
# ### Exercise 17.5 · The interval of a difference
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# `(ours - theirs)[picks]` is (B, S), one row for each drawn benchmark. Its mean along the sequences is (B,).
# </details>
# <details><summary>Hint 2</summary>
#
# A level of 0.95 leaves out 0.05, half of it at each end: the percentiles 50 · (1 − level) and 50 · (1 + level).
# </details>


# %% exercise="challenge.bootstrap" points=6 stars=2 minutes=8
@exercise("challenge.bootstrap")
def interval(ours, theirs, picks, level):
    """The percentile interval of mean(ours) − mean(theirs).

    Args:
        ours: array (S,), a tracker's score on each sequence.
        theirs: array (S,), another's on the same sequences.
        picks: array (B, S), indices of the sequences in each drawn benchmark.
        level: of the interval, such as 0.95.

    Returns:
        lower and upper end, percentiles as `np.percentile` has them.
    """
    ### BEGIN SOLUTION
    drawn = (ours - theirs)[picks].mean(1)  # (B,)
    low, high = np.percentile(drawn, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)
    ### END SOLUTION


# %% [markdown]
# With the course's classical trackers on a few generated sequences: **predict** whether the interval of a difference is narrower than that of a single score.

# %%
count = by_profile(smoke=3, laptop=8, gpu=24)
size = {"length": by_profile(smoke=12, laptop=40, gpu=60), "height": 180, "width": 240}
kinds = ({"occluders": 2}, {"leaves": True, "occluders": 0})
mine = [
    make_sequence(random_spec(771_000 + k, size=34.0, **size, **kinds[k % 2])).loaded()
    for k in range(count)
]
classical = score_entry(
    lambda: make_tracker("kcf"),
    {name: (lambda n=name: make_tracker(n)) for name in ("stay-put", "ncc", "mosse")},
    mine,
)
picks = np.random.default_rng(0).integers(0, count, (2000, count))
kcf, zero = classical.scores["kcf"], np.zeros(count)
ends = {"kcf itself": interval(kcf, zero, picks, 0.95)}
ends |= {
    f"kcf − {name}": interval(kcf, of, picks, 0.95)
    for name, of in classical.scores.items()
    if name != "kcf"
}
figure, axes = plots.new_figure(width=7, height=2.4)
for k, (low, high) in enumerate(ends.values()):
    axes[0, 0].plot([low, high], [k, k], linewidth=4, color=plots.CYCLE[0])
axes[0, 0].set_yticks(range(len(ends)), list(ends))
axes[0, 0].axvline(0, color="0.5")
axes[0, 0].set(xlabel="mean IoU", ylim=(-0.5, len(ends) - 0.5))
told = "; ".join(f"{name} {low:+.3f} to {high:+.3f}" for name, (low, high) in ends.items())
plots.show(
    figure, alt=f"Intervals by bootstrap over {count} generated sequences, 95 %: {told}."
)
print(told)

# %% [markdown]
# {{figure bootstrap}} The interval of KCF's own mean IoU, and those of its differences. Where zero lies inside, this set of sequences does not tell the two apart.
#
# <details><summary>What came of it</summary>
#
# It depends on how much the two have in common: what makes a sequence hard for both cancels in the difference, what only one of them finds hard does not. Compare the lengths of the bars; KCF and stay-put have little in common. With as few sequences as here, percentile intervals are also a little too narrow: four draws of the same sequence are no new sequence.
# </details>
#
# ## Your entry
#
# Now a tracker of your own. There are no steps to follow: any combination of what the course has built, or something that it has not. It is a `Tracker`: `init(frame, box)`, `update(frame)` returns a box in every frame, and `last` may hold what it knows, such as a `score`. Its boxes must not depend on what ran before it or runs beside it, and two runs on the same frames have to give the same boxes.
#
# It is judged on eight short generated sequences that this notebook does not have: in half of them things pass in front of the target, in the others it leaves the view and comes back. The measure is the mean IoU over all sequences. There are four steps: it has to score higher than a box that stays put, than MOSSE, than KCF, than SiamFC. Each has its own points, and an entry that takes a high step may be handed in for the lower ones.
#
# ### Exercise 17.6 · More than staying put
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# Begin small: wrap one of the course's trackers, `self.inner = make_tracker("mosse")`, and pass both calls on. Then it is yours to change.
# </details>
# <details><summary>Hint 2</summary>
#
# `self.last = self.inner.last` after each call makes its score known to race and bench.
# </details>


# %% exercise="challenge.entry" points=5 stars=2 minutes=8
@exercise("challenge.entry")
class Entry(Tracker):
    """A tracker of your own."""

    name = "entry"

    def init(self, frame, box):
        """Start on a frame, array (H, W, 3), with the target at a box, array (4,)."""
        ### BEGIN SOLUTION
        self.inner = make_tracker("mosse")
        self.inner.init(frame, box)
        self.last = self.inner.last
        ### END SOLUTION

    def update(self, frame):
        """Box, array (4,), of the target in the next frame, array (H, W, 3)."""
        ### BEGIN SOLUTION
        box = self.inner.update(frame)
        self.last = self.inner.last
        return box
        ### END SOLUTION


# %% [markdown]
# ### Exercise 17.7 · More than MOSSE
# {{exercise}}
#
# MOSSE never looks for what it has lost, and on each of these sequences the target is hidden or away for a while. Choose what you change on sequences of your own (`mine` above, or others with other seeds), never on those that judge you: that is why you do not have them.
#
# <details><summary>Hint 1</summary>
#
# What did the first part of this lesson add to MOSSE? `with_redetection` has it in one call; your own `next_state` and `places` do it, too.
# </details>
# <details><summary>Hint 2</summary>
#
# Other ways: KCF's channels and its pyramid of sizes, a PSR below which nothing is learned, a scale filter. Try one at a time, over all sequences of `mine`.
# </details>


# %% exercise="challenge.mosse" points=12 stars=2 minutes=25
@exercise("challenge.mosse")
class Finder(Tracker):
    """A better tracker of your own."""

    name = "finder"

    def init(self, frame, box):
        """Start on a frame, array (H, W, 3), with the target at a box, array (4,)."""
        ### BEGIN SOLUTION
        self.inner = with_redetection(make_tracker("mosse"))
        self.inner.init(frame, box)
        self.last = self.inner.last
        ### END SOLUTION

    def update(self, frame):
        """Box, array (4,), of the target in the next frame, array (H, W, 3)."""
        ### BEGIN SOLUTION
        box = self.inner.update(frame)
        self.last = self.inner.last
        return box
        ### END SOLUTION


# %% [markdown]
# ## Further up
#
# {{part}}
#
# The same sequences, two more rivals. KCF has what MOSSE lacks, channels and sizes. SiamFC is a network that learns nothing while it tracks, so that nothing that hides the target can spoil its exemplar. Neither looks for what it has lost. **Predict:** does re-detection add more than channels do, and more than a network does?
#
# ### Exercise 17.8 · More than KCF
# {{exercise}}
#
# <details><summary>Hint 1</summary>
#
# `with_redetection` takes any tracker that can be told where to believe its target, and knows thresholds for template matching, MOSSE, KCF, SiamFC, SiamRPN and SiamRPN++.
# </details>
# <details><summary>Hint 2</summary>
#
# Whatever you built in lessons 03 to 15 may enter. If your `Finder` is good enough for that already, `class Further(Finder): pass` is an answer.
# </details>


# %% exercise="challenge.kcf" points=6 stars=2 minutes=12
@exercise("challenge.kcf")
class Further(Tracker):
    """A tracker of your own that beats KCF."""

    name = "further"

    def init(self, frame, box):
        """Start on a frame, array (H, W, 3), with the target at a box, array (4,)."""
        ### BEGIN SOLUTION
        self.inner = with_redetection(make_tracker("kcf"))
        self.inner.init(frame, box)
        self.last = self.inner.last
        ### END SOLUTION

    def update(self, frame):
        """Box, array (4,), of the target in the next frame, array (H, W, 3)."""
        ### BEGIN SOLUTION
        box = self.inner.update(frame)
        self.last = self.inner.last
        return box
        ### END SOLUTION


# %% [markdown]
# ### Exercise 17.9 · More than SiamFC
# {{exercise}}
#
# Without a GPU this check takes a minute or two if your entry runs a network. SiamFC's score on the sequences was measured once, in single precision; yours has to be .01 higher, since a network's boxes are not quite the same on another machine.
#
# <details><summary>Hint 1</summary>
#
# Look at the sequences of `mine` on which SiamFC is lost: in `TrackerRace`, is the target out of the window when it comes back?
# </details>
# <details><summary>Hint 2</summary>
#
# Two trackers may share the work: one that follows, another that is asked only when the first is unsure.
# </details>


# %% exercise="challenge.siamfc" points=6 stars=2 minutes=12
@exercise("challenge.siamfc")
class Best(Tracker):
    """A tracker of your own that beats SiamFC."""

    name = "best"

    def init(self, frame, box):
        """Start on a frame, array (H, W, 3), with the target at a box, array (4,)."""
        ### BEGIN SOLUTION
        self.inner = with_redetection(make_tracker("siamfc"))
        self.inner.init(frame, box)
        self.last = self.inner.last
        ### END SOLUTION

    def update(self, frame):
        """Box, array (4,), of the target in the next frame, array (H, W, 3)."""
        ### BEGIN SOLUTION
        box = self.inner.update(frame)
        self.last = self.inner.last
        return box
        ### END SOLUTION


# %% [markdown]
# The steps, and what looking again adds to each of them:

# %%
steps = read_measured(RESULTS / "challenge_rivals.json")
figure, axes = plots.new_figure(width=6.4, height=2.4)
names, again = list(steps["rivals"]), steps["with re-detection"]
values = {"itself": steps["rivals"], "with re-detection": again}
for k, (how, of) in enumerate(values.items()):
    at = [names.index(name) + 0.4 * k - 0.2 for name in of]
    axes[0, 0].barh(at, list(of.values()), height=0.4, color=plots.CYCLE[k], label=how)
axes[0, 0].set(xlabel="mean IoU on the hidden sequences", xlim=(0, 1))
axes[0, 0].set_yticks(range(len(names)), names)
axes[0, 0].invert_yaxis()
axes[0, 0].legend(fontsize=9)
told = ", ".join(
    f"{name} {value:.3f}" + (f", with re-detection {again[name]:.3f}" if name in again else "")
    for name, value in steps["rivals"].items()
)
plots.show(figure, alt=f"Mean IoU of the rivals on the hidden sequences: {told}.")
print(f"{told}\n{measured_words(steps)}")

# %% [markdown]
# {{figure steps}} The rivals on the eight hidden sequences, and the same trackers with the course's re-detection.
#
# <details><summary>What came of it</summary>
#
# On these sequences re-detection adds something to each of the three, and to MOSSE less than the step from MOSSE to KCF, or to SiamFC: {{see steps}}. That is the result of eight sequences, chosen because the target goes away, and it has no interval; to get one, use the page below on sequences of your own.
# </details>
#
# ### Your page
#
# Others should be able to check what you compared, on what, how sure the difference is, and where your entry fails. `entry_report` writes that as one HTML file that you can send to somebody.

# %%
rivals = by_profile(
    smoke=["stay-put", "mosse"],
    laptop=["stay-put", "mosse", "kcf", "siamfc"],
    gpu=["stay-put", "mosse", "kcf", "siamfc"],
)
entry = by_profile(smoke=Finder, laptop=Best, gpu=Best)
found = score_entry(
    entry, {name: (lambda n=name: make_tracker(n)) for name in rivals}, mine, "mine"
)
page = entry_report(found, RUNS / "lesson17" / "entry.html", "What I changed, and why: …")
print(f"{page.name} has {page.stat().st_size // 1000} kB, in {page.parent.name}/ of the runs")
plots.show(*scores_figure(found))

# %% [markdown]
# {{figure entry}} A dot is a sequence of `mine`, a bar the mean. The page has the intervals of the differences beside it.

# %%
plots.show(*failure_figure(found))

# %% [markdown]
# {{figure worst}} The sequence on which your entry has the lowest mean IoU, with the true box (solid) and yours (dashed). A page that shows only the best sequence says nothing; this one is chosen by the score, not by you. The page has the two that follow it as well.
#
# And who wins where? The race on the sequence of the largest disagreement:

# %%
every = np.array([of for name, of in found.scores.items() if name != "stay-put"])
apart = int(np.ptp(every, axis=0).argmax())  # every: (trackers, sequences)
TrackerRace(
    mine[apart], {"mine": entry(), **{n: make_tracker(n) for n in rivals if n != "stay-put"}}
)

# %% [markdown]
# **Play it:** find the frame from which on the trackers go different ways. Is it the score map, the size, or what was learned in the frames before?
#
# ## Experiment: the leaderboard
#
# Trackers on the same real sequences, under several protocols, with intervals by bootstrap over the sequences. **Predict:** does the order stay the same when the protocol changes?

# %%
board = measured_file("leaderboard.json")
figure, axes = plots.new_figure(width=6, height=2)
axes[0, 0].text(0.5, 0.5, "not measured yet:\npython benchmarks/leaderboard.py", ha="center")
axes[0, 0].set_axis_off()
shown = figure, "The leaderboard has not been measured yet."
if board is not None:
    shown = standings_plot(board)
    print(
        f"{len(board['sequences'])} sequences of {board['benchmark']};", measured_words(board)
    )
    for pair, row in board["rankings"].items():
        low, high = row["interval"]
        print(
            f"{', '.join(NAMES[n] for n in pair.split(', '))}: rank correlation {row['tau']:.2f} "
            f"({low:.2f} to {high:.2f}), pairs reversed: {len(row['reversed'])}"
        )
plots.show(*shown)

# %% [markdown]
# {{figure board}} One panel for each protocol, all in the order of the first. Where bars of two trackers overlap, look at their *difference* before you call one better. The lines printed above it have Kendall's rank correlation of every two protocols with its interval: 1 is the same order.
#
# <details><summary>What came of it</summary>
#
# Most pairs keep their order; the printed lines give each rank correlation with its interval, and lesson 16's table says how many reversed pairs are sure under both protocols: none of 190 among one pass, supervision and multi-start, and four between multi-start and the real-time rule, all of them ATOM with its search over scales, which is too slow for that rule here. A pair that is reversed counts only if both protocols are sure of it.
# </details>
#
# Who changes places, and with whom?

# %%
if board is not None:
    shown = ranks_plot(board)
plots.show(*shown)

# %% [markdown]
# {{figure ranks}} A line is a tracker, rank 1 the best. Lines that cross are pairs that two protocols order differently; how sure that is, the lines above {{see board}} say.
#
# Accuracy is half of it. Frames per second are measured in turns, on one thread of a machine with a core to spare:

# %%
if board is not None and any("fps" in row for row in board["trackers"].values()):
    shown = accuracy_against_speed(board, "ope")
plots.show(*shown)

# %% [markdown]
# {{figure speed}} AUC of one pass against frames per second, on a logarithmic axis; the bars hold 95 % of the AUC on drawn benchmarks.
#
# The sources report the same systems on benchmarks with other sequences, and the networks after training on whole data sets. A number of theirs must not be compared with one of ours. The *order* may be: **predict** whether a system that is ahead of another in the sources is ahead of it here.

# %%
published = published_scores()
ours = board["trackers"] if board is not None else {}
rows = {}
for benchmark, scores in published.items():
    for system, value in scores.items():
        rows.setdefault(system, {})[benchmark] = value
for system, row in rows.items():
    if "ope" in ours.get(system, {}):
        row["here: AUC"] = ours[system]["ope"]["auc"]
    if "vot" in ours.get(system, {}):
        row["here: EAO"] = ours[system]["vot"]["eao"]
columns = (*published, "here: AUC", "here: EAO")
show_table(rows, "Published of the course's systems, and the course's own", columns, ".3f")
shown = figure, "Fewer than three systems that were published are on the leaderboard."
if board is not None and board["published"]:
    for pair, row in board["published"].items():
        low, high = row["interval"]
        apart = [f"{r['ahead']} here, {r['behind']} there" for r in row["reversed"]]
        print(
            f"{pair}, {row['trackers']} systems: rank correlation {row['tau']:.2f} "
            f"({low:.2f} to {high:.2f}); ahead: {'; '.join(apart) or 'the same everywhere'}"
        )
    shown = against_published(board)
plots.show(*shown)

# %% [markdown]
# {{figure published}} Each system once: right is higher in the sources, up is higher here. Were the order the same, every line between two dots would rise to the right; the printed lines have the rank correlation, with an interval from drawing our sequences, and every pair that is the other way round. The published values have no intervals.
#
# <details><summary>What came of it</summary>
#
# The order of one pass is kept in part. All its reversed pairs have KCF or SiamFC ahead, which the sources have behind: KCF learns nothing beforehand, and every network here has seen far fewer pairs than in its paper. Lessons 07 to 15 asked for more reasons: the weights that the backbone starts from, the number of pairs, the size error that feeds on itself.
# </details>
#
# ## What the figures say
#
# * Re-detection, after the target was first away, {{see refound}}: template matching {{evidence refound-ncc above}}, MOSSE {{evidence refound-mosse above}}, KCF {{evidence refound-kcf above}}, SiamRPN {{evidence refound-siamrpn above}}, with minus without. It pays for these four, on sequences chosen because the target goes away.
# * SiamFC, on the same ones, {{see refound}}: {{evidence refound-siamfc open}}; no difference has been shown.
#
# On the leaderboard, {{see board}}, read differences with their intervals, and only within one protocol.
#
# ## An open task
#
# In 17.3 a target that is not believed goes on learning. Make `look_again` a class that follows several targets, in which who is not believed is unsure, forgets what it learned in that frame, and looks elsewhere. The rule: choose on `generated-alike-v1`'s first ten sequences, show on the next thirty, once, with an interval.
#
# **Stretch goal.** Label a video of your own, thirty seconds of something that leaves the view and comes back; run the leaderboard's trackers and your entry on it, and write your page. Then give the video to somebody else's entry.
#
# ## What you have built

# %%
systems = {
    "01": ("template matching, and how to measure", "boxes, IoU, success, protocols"),
    "02–03": ("MOSSE, DCF, KCF", "filters in closed form, channels, kernels, scale"),
    "04–06": ("SiamFC", "a learned similarity, and a tracker around it"),
    "07–08": ("SiamRPN", "boxes from proposals, chosen by penalties"),
    "09": (
        "SiamRPN++ and its relatives",
        "other ways to match; where a centre prior comes from",
    ),
    "10": ("SiamDW", "deep backbones without padding's harm"),
    "11": ("SiamMargin", "margins, and an exemplar that is updated"),
    "12–13": ("ATOM, DiMP", "boxes that climb, a classifier learned online"),
    "14–15": ("one stream", "attention, and a file that leaves the course"),
    "16": ("the protocols of today", "anchors, absence, long-term scores"),
    "17": ("your entry", "lost and found, intervals, a page that others can check"),
}
rows = {n: {"system": of[0], "what it added": of[1]} for n, of in systems.items()}
show_table(rows, "The course, lesson by lesson", first="lesson")

# %% [markdown]
# ## What the sources end on
#
# The slides on SiamDW that this course follows close with a complaint and with advice. The complaint is a "false prosperity": many works are hard to reproduce, and unstable from data set to data set. The advice stands for the most part under *to fresher*. In this course's words, and with what you have seen:
#
# * **Begin small.** Start from SiamFC on AlexNet, they say, and be patient. You did: a filter in closed form came first, and it is still on the leaderboard.
# * **Reproduce honestly.** Not every published number can be reached, and not every one should be tried. Say what you changed, what you trained on, and what failed.
# * **Do not trust one number, not even your own.** "Believe in your experiments": several seeds, an interval, a second protocol, a look at the worst sequence.
# * **Do not pile up tricks.** One change at a time, on sequences that are not those of the test. There is no best tracker for everything; know what yours is for.
# * **Work with others**, and keep your sudden inspiration for the day on which the baseline runs.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Why is `found` higher than `sure`?
# <details><summary>Answer</summary>
#
# The highest of thirty scores is high by chance far more often than one score. At home there is also a reason to believe: the target was there a frame ago.
# </details>
#
# 2. A tracker's score stays high while it follows a look-alike. What does re-detection change?
# <details><summary>Answer</summary>
#
# Nothing: it is sure, so nobody asks elsewhere. Re-detection is as good as the score that starts it; that is what lesson 15's ROC curves were about.
# </details>
#
# 3. Two intervals of single scores overlap. Is the difference open?
# <details><summary>Answer</summary>
#
# Not for that reason. Both contain how much sequences differ in difficulty, which cancels in the difference. Look at the interval of the difference itself.
# </details>
#
# 4. You try twenty versions of your entry against the hidden sequences and keep the best. What is its score worth?
# <details><summary>Answer</summary>
#
# It is the highest of twenty draws, on sequences that have become the ones you chose on. For a number that means something you need sequences that have never been looked at.
# </details>
#
# 5. From lesson 15: a network that you hand out as a file runs inside another program. Which part of today's page must be measured again there?
# <details><summary>Answer</summary>
#
# All of it. Crops, rounding and thresholds are another program's; the speed is another machine's.
# </details>
#
# ## Classic mistakes
#
# * **Learning while unsure.** The filter learns what hides the target, and is sure again, of that.
# * **One threshold for every tracker.** A PSR of 8 and a probability of 0.8 have nothing in common.
# * **Frames by the order of rows.** Wherever a target is away, everything after it is wrong.
# * **Intervals over frames.** Neighbouring frames are nearly the same frame; draw sequences.
# * **The best sequence as the figure.** Show the worst one, chosen by the score.
#
# ## Read next
#
# * `course_lib/trackers/redetection.py`, `course_lib/evaluation/bootstrap.py` and `course_lib/evaluation/entry_report.py`.
# * Kalal et al., *Tracking-Learning-Detection* (PAMI 2012); Lukežič et al., *FuCoLoT* (ACCV 2018); Kristan et al., the reports of the VOT challenges, one for each year.
# * `CONTRIBUTING.md`: a fault that you find, or a tracker that you would like to see here, is welcome.
