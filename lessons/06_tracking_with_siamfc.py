# ---
# jupyter:
#   course: {run: [1]}
# ---

# %% [markdown]
# # 06 · Tracking with SiamFC
#
# | | |
# |---|---|
# | **You will be able to** | turn a response into a box: scales, upsampling, window, damping; and judge a tracker by OPE, TRE, SRE and attributes |
# | **You need** | lessons 01 and 04; lesson 05 helps |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Bertinetto et al. (ECCV Workshops 2016), the tracking section and the settings of its public code |
# | **Words** | {{words}} |

# %%
from functools import partial

import cv2
import numpy as np

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation import figures
from course_lib.evaluation.otb import track
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.evaluation.tre_sre import sre, tre
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.runtime import load_siamfc_runtime
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker
from course_lib.widgets import WindowBench

sequences = load_benchmark("generated-v1")
runtime = load_siamfc_runtime("siamfc", "auto", "auto")
length = by_profile(smoke=12, laptop=None, gpu=None)
crowd = sequences["gen-18-distractors"].loaded(length)  # drawn once, for all cells

# %% [markdown]
# ## Look first
#
# One step of SiamFC, in a clip with look-alikes. The dotted square is the search region. In the middle is the network's raw response, on the right the response with a *cosine window* mixed in; the dot marks the peak. Change the frame and the influence of the window.

# %%
WindowBench(crowd, runtime, max_frames=by_profile(smoke=6, laptop=60, gpu=80))

# %% [markdown]
# **Find out by playing:** find a frame in which the choice jumps to a look-alike when the window's influence is 0. At what influence does it stay on the target? And what goes wrong at an influence of 1?
#
# <details><summary>What to see</summary>
#
# At 1 the response no longer counts: the box stays where it was. The window says "targets rarely jump", and like every prior it is right until it is not.
# </details>
#
# ## From response to box, in six small steps
#
# SiamFC never learns while it tracks. Everything that makes it a tracker is arithmetic on responses. These are the settings of the two published variants; the course has them in `recipes/siamfc.yaml` and `recipes/siamfc_5s.yaml`:
#
# | | 3 scales | 5 scales |
# |---|---|---|
# | scale step | 1.0375 | 1.0255 |
# | scale penalty | 0.9745 | 0.962 |
# | scale rate | 0.59 | 0.34 |
# | window influence | 0.176 | 0.168 |
# | upsampling | 16 | 16 |
#
# ### Exercise 06.1 · Scales
# {{exercise}}
#
# The target may have grown or shrunk, so the search window is cut at several sizes, each `step` times the one before; the middle one is the size of the last frame.
#
# <details><summary>Hint 1</summary>
#
# For 5 scales the exponents are −2, −1, 0, 1, 2.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.arange(count) - count // 2`, as floats: in NumPy an integer base with negative exponents is an error.
# </details>


# %% exercise="search.scales" points=3 stars=1 minutes=4
@exercise("search.scales")
def scale_factors(count, step):
    """Factors for the side of the search window.

    Args:
        count: number of scales, odd; step: factor from one to the next.

    Returns:
        array (count,), increasing, 1 in the middle.
    """
    ### BEGIN SOLUTION
    return step ** (np.arange(count) - count // 2).astype(float)
    ### END SOLUTION


# %% [markdown]
# ### Exercise 06.2 · A finer response
# {{exercise}}
#
# The 17 × 17 cells of a response are 8 search pixels apart, far too coarse for a box. Bicubic interpolation to 272 × 272 can place the peak *between* cells.
#
# <details><summary>Hint 1</summary>
#
# `cv2.resize(array, (width, height), interpolation=...)`: the width comes first.
# </details>
# <details><summary>Hint 2</summary>
#
# `cv2.INTER_CUBIC`.
# </details>


# %% exercise="search.enlarge" points=3 stars=1 minutes=4
@exercise("search.enlarge")
def enlarge(response, factor):
    """The response with `factor` times as many cells per side.

    Args:
        response: float32 array (h, w); factor: int.

    Returns:
        array (h * factor, w * factor).
    """
    ### BEGIN SOLUTION
    h, w = response.shape
    return cv2.resize(response, (w * factor, h * factor), interpolation=cv2.INTER_CUBIC)
    ### END SOLUTION


# %% [markdown]
# ### Exercise 06.3 · Which scale?
# {{exercise}}
#
# Take the scale whose response peaks highest. But sizes change slowly, so every scale but the middle one is penalised: its peak is multiplied by a factor slightly below 1. This happens *before* the window is mixed in.
#
# <details><summary>Hint 1</summary>
#
# `responses.max(axis=(1, 2))` holds the peaks, (S,).
# </details>
# <details><summary>Hint 2</summary>
#
# Make an array of penalties, set the middle one to 1, multiply, take the `argmax`. Do not write into `responses`.
# </details>


# %% exercise="search.choose" points=4 stars=2 minutes=6
@exercise("search.choose")
def choose_scale(responses, penalty):
    """Index of the scale to use.

    Args:
        responses: array (S, n, n), one response per scale, the size of the last frame in the middle.
        penalty: factor on the peaks of all other scales.

    Returns:
        int, 0 … S - 1.
    """
    ### BEGIN SOLUTION
    peaks = responses.max(axis=(1, 2))  # (S,)
    factors = np.full(len(peaks), penalty)
    factors[len(peaks) // 2] = 1.0
    return int(np.argmax(peaks * factors))
    ### END SOLUTION


# %% [markdown]
# ### Exercise 06.4 · The window
# {{exercise}}
#
# Response and window are mixed: $(1 - \lambda)\, r + \lambda\, w$. For that they must be comparable. The window sums to 1; the response can take any values, even negative ones. Subtract its minimum, then divide by its sum.
#
# <details><summary>Hint 1</summary>
#
# First the minimum, then the sum of what is left.
# </details>
# <details><summary>Hint 2</summary>
#
# The window's weight is the influence, the response's weight the rest.
# </details>


# %% exercise="search.blend" points=4 stars=2 minutes=6
@exercise("search.blend")
def blend_with_window(response, window, influence):
    """The response with the window mixed in.

    Args:
        response: array (n, n); window: array (n, n) that sums to 1; influence: 0 … 1.

    Returns:
        array (n, n).
    """
    ### BEGIN SOLUTION
    shifted = response - response.min()
    return (1 - influence) * shifted / shifted.sum() + influence * window
    ### END SOLUTION


# %% [markdown]
# ### Exercise 06.5 · How far, in which direction?
# {{exercise}}
#
# Measure the peak of the 272 × 272 response from its centre. Each cell is $8/16$ of a search pixel wide. Where is the centre of 272 cells? Public trackers disagree: some count from cell 136, which is off by a quarter of a search pixel, in every frame.
#
# <details><summary>Hint 1</summary>
#
# Cells 0 … 271: the centre is at (272 − 1) / 2 = 135.5.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.unravel_index(response.argmax(), response.shape)` returns row and column; x is the column.
# </details>


# %% exercise="search.displacement" points=4 stars=2 minutes=6
@exercise("search.displacement")
def peak_displacement(response, stride, upsample):
    """Displacement of the peak from the centre of the search image.

    Args:
        response: array (n, n), enlarged.
        stride: search pixels per cell before enlarging; upsample: the factor of the enlargement.

    Returns:
        array (2,), x and y, search pixels.
    """
    ### BEGIN SOLUTION
    n = len(response)
    row, column = np.unravel_index(response.argmax(), response.shape)
    return (np.array([column, row]) - (n - 1) / 2) * stride / upsample
    ### END SOLUTION


# %% [markdown]
# ### Exercise 06.6 · Not too fast
# {{exercise}}
#
# The side of the search window moves only part of the way towards the chosen scale, and it always stays within 0.2 … 5 times its first value. The target's width and height change by the same factor.
#
# <details><summary>Hint 1</summary>
#
# `(1 - rate) * side + rate * side * factor`.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.clip(value, 0.2 * first, 5 * first)`.
# </details>


# %% exercise="search.damp" points=3 stars=1 minutes=4
@exercise("search.damp")
def damp(side, factor, rate, first):
    """The next side of the search window.

    Args:
        side: the last side, frame pixels; first: the side in the first frame.
        factor: of the chosen scale; rate: fraction of the way to go.

    Returns:
        float.
    """
    ### BEGIN SOLUTION
    damped = (1 - rate) * side + rate * side * factor
    return float(np.clip(damped, 0.2 * first, 5 * first))
    ### END SOLUTION


# %% [markdown]
# ### Exercise 06.7 · The whole tracker
# {{exercise}}
#
# Put it together. The network is given: `runtime.features(crops)` returns the features of crops (N, S, S, 3), and `runtime.respond(z, crops)` the responses (N, 17, 17) of exemplar features `z` on search crops. A `CropWindow(cx, cy, side, size)` cuts its crop (`.cut(frame, colour)`) and maps points of the crop back to the frame (`.to_frame(points)`); the centre of a 255-pixel crop
# is the point (127.5, 127.5).
#
# <details><summary>Hint 1</summary>
#
# `init` stores the centre, the size, the frame's mean colour, the exemplar's features, and the search window's side, $s_z \cdot 255/127$, twice: as the current side and as the first one.
# </details>
# <details><summary>Hint 2</summary>
#
# `update`: one window per factor; responses; enlarge; choose; blend; displacement; `windows[best].to_frame(displacement + 127.5)` is the new centre; then the side, and the size by the same factor.
# </details>


# %% exercise="search.tracker" points=10 stars=3 minutes=20
@exercise("search.tracker")
class MySiamFC:
    """SiamFC with 3 scales and the published settings."""

    name = "my-siamfc"

    def init(self, frame, box):
        """Store the exemplar of `frame` (H, W, 3) at `box` (4,): x, y, w, h in pixels."""
        ### BEGIN SOLUTION
        box = np.asarray(box, dtype=float)
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:].copy()
        self.colour = cv2.mean(frame)[:3]
        side = float(context_side(box[2:]))
        exemplar = CropWindow(*self.centre, side, 127).cut(frame, self.colour)  # (127, 127, 3)
        self.z = runtime.features(exemplar[None])  # (1, C, 6, 6)
        self.side = self.first = side * 255 / 127
        hann = np.outer(np.hanning(272), np.hanning(272))
        self.window = hann / hann.sum()  # (272, 272)
        ### END SOLUTION

    def update(self, frame):
        """Box (4,) in the next `frame` (H, W, 3)."""
        ### BEGIN SOLUTION
        factors = scale_factors(3, 1.0375)
        windows = [CropWindow(*self.centre, self.side * f, 255) for f in factors]
        crops = np.stack([w.cut(frame, self.colour) for w in windows])  # (3, 255, 255, 3)
        responses = runtime.respond(self.z, crops)  # (3, 17, 17)
        large = np.stack([enlarge(r, 16) for r in responses])  # (3, 272, 272)
        best = choose_scale(large, 0.9745)
        blended = blend_with_window(large[best], self.window, 0.176)  # (272, 272)
        displacement = peak_displacement(blended, 8, 16)  # (2,) search pixels
        self.centre = windows[best].to_frame(displacement + 127.5)
        side = damp(self.side, factors[best], 0.59, self.first)
        self.size = self.size * side / self.side
        self.side = side
        return np.concatenate([self.centre - self.size / 2, self.size])
        ### END SOLUTION


# %% [markdown]
# Your tracker at work:

# %%
subject = sequences["gen-05-scale"].loaded(by_profile(smoke=8, laptop=None, gpu=None))
boxes = track(MySiamFC(), subject).boxes
figure, axes = plots.new_figure(width=9, height=2.4, columns=4)
for ax, t in zip(axes[0], np.linspace(0, len(subject) - 1, 4).astype(int), strict=True):
    plots.show_frame(ax, subject.frames[t], f"frame {t}", subject.boxes[t], boxes[t])
overlap = np.nanmean(iou(boxes, subject.boxes))
plots.show(
    figure,
    alt=f"Four frames of a clip in which the target changes size, with the true box and the tracker's box; mean IoU {overlap:.2f}.",
)
print(f"mean IoU {overlap:.2f}")

# %% [markdown]
# ## Experiment: against earlier trackers
#
# SiamFC was trained offline, on images from elsewhere; MOSSE learns each target online; template matching does not learn at all. **Predict first:** on which attribute does SiamFC gain most?

# %%
step, length = by_profile(smoke=12, laptop=2, gpu=1), by_profile(smoke=8, laptop=None, gpu=None)
chosen = sequences.loaded(step, length)
names = ("siamfc", "mosse", "ncc")
results = {name: {c.name: track(make_tracker(name), c) for c in chosen} for name in names}
report = Report.from_results(chosen, results)
plots.show(*figures.success_and_precision(report))

# %%
from course_lib.data.sequence import OTB_ATTRIBUTES

counts = report.tagged()
rows = {
    OTB_ATTRIBUTES[tag]: {**row, "clips": len(counts[tag])}
    for tag, row in report.by_attribute().items()
}
show_table(rows, "Success AUC by attribute", [*names, "clips"], first="attribute")

# %% [markdown]
# ### OPE, TRE, SRE
#
# The same three protocols as in lesson 01: one pass from the first frame; passes from later frames too; passes from first boxes that are slightly off.

# %%
subject = sequences["gen-14-turning-scale"].loaded(by_profile(smoke=6, laptop=50, gpu=None))
panels = {}
for name in ("siamfc", "mosse"):
    make = partial(make_tracker, name)
    passes = {
        "OPE": track(make(), subject),
        "TRE": tre(make, subject, by_profile(smoke=2, laptop=6, gpu=20)),
        "SRE": [(0, result) for result in sre(make, subject).values()],
    }
    panels[f"{name} on {subject.name}"] = Report.from_results(
        [subject], {protocol: {subject.name: found} for protocol, found in passes.items()}
    )
plots.show(*figures.success_panels(panels))

# %% [markdown]
# ## Experiment: three scales or five?
#
# Five scales cost five crops and five passes through the network. In the paper SiamFC-3s runs at 86 frames per second, SiamFC with five at 58. **Predict:** what do the extra scales gain on clips in which the target changes size?

# %%
growing = [c for c in sequences if "SV" in c.attributes][
    : by_profile(smoke=1, laptop=4, gpu=None)
]
growing = [c.loaded(length) for c in growing]
five = {"scale_step": 1.0255, "scale_penalty": 0.962, "scale_rate": 0.34, "window": 0.168}
variants = {"1 scale": {"scales": 1}, "3 scales": {}, "5 scales": {"scales": 5, **five}}
rows = Report.from_results(
    growing,
    {
        name: {c.name: track(make_tracker("siamfc", **settings), c) for c in growing}
        for name, settings in variants.items()
    },
).overall()
caption = f"{len(growing)} clips with scale variation"
show_table({name: rows[name] for name in variants}, caption, ("auc", "fps"), first="")

# %% [markdown]
# ## Failure gallery
#
# The clips on which SiamFC does worst, each at the moment it loses the target or, if it never does, at its lowest overlap:

# %%
plots.show(
    *figures.failure_gallery(chosen, results["siamfc"], by_profile(smoke=2, laptop=3, gpu=3))
)

# %% [markdown]
# The exemplar is never updated, so a target that turns away for good is compared with an image it no longer resembles. And the network has learned what *objects* look like: faced with a second object of the same kind, it can tell the two apart no better than you could from one small image.
#
# ## Real video
#
# Measured once, in one run, on the 22 real targets of OTB and VOT-2014 that the network never saw. The numbers of lessons 02 and 03 are shown beside them.

# %%
deep = read_measured(RESULTS / "siamfc_real_sequences.json")
before = Report.from_dict(read_measured(RESULTS / "real_sequences.json"))
paper = read_measured(RESULTS / "siamfc_published.json")
siamfc = Report.from_dict(deep)
both = siamfc | before.only(("mosse", "kcf", "ncc", "opencv-csrt", "opencv-kcf"))
caption = f"22 real targets; SiamFC: {measured_words(deep)}, weights {deep['weights']}"
show_table(both.overall(), caption, ("auc", "precision20", "fps"))

figure, axes = plots.new_figure(width=9, height=3.3, columns=2)
left, right = axes[0]
drawn = figures.draw_curves(left, siamfc | before.only(("opencv-csrt", "kcf", "mosse")))
for row in paper["vot2015"]:
    ours, spot = row["tracker"].startswith("SiamFC"), (row["failures"], row["accuracy"])
    right.plot(*spot, "o", color=plots.PREDICTION if ours else plots.NEUTRAL)
    if ours or row["tracker"] in ("MDNet", "DeepSRDCF", "SRDCF"):
        right.annotate(row["tracker"], spot, (4, 4), textcoords="offset points", fontsize=8)
theirs = next(row for row in paper["vot2015"] if row["tracker"] == "SiamFC-3s")
right.set(xlabel="failures (fewer is better)", ylabel="accuracy", ylim=(0.435, 0.58))
right.set_title("VOT-15, published", fontsize=10)
right.grid(alpha=0.3)
plots.show(
    figure,
    alt=f"Left: success curves on 22 real targets, AUC: {drawn}. Right: accuracy against failures of published trackers on VOT-15; SiamFC-3s has accuracy {theirs['accuracy']:.3f} and {theirs['failures']} failures.",
)

# %%
columns = {"tracker": "tracker", "accuracy": "accuracy", "failures": "failures"}
columns |= {"expected_overlap": "EAO", "fps": "fps"}
show_table(paper["vot2015"], "VOT-15, published", columns)
print(paper["source"])

# %% [markdown]
# Why do the course's SiamFC and the paper's differ? The paper's was trained on 4,417 videos with two million boxes, on a GPU; the one that ships here on a few videos and a few hundred photographs, on a CPU, with fewer channels (its card has the numbers). The tracker around it is the same. Load the public weights instead (`weights=path`, see
# `course_lib/models/weights.py`), and you can measure the difference that training makes.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Why is the scale chosen before the window is mixed in?
# <details><summary>Answer</summary>
#
# The blended response is normalised to sum to 1, so its peak says how *narrow* the response is, not how high. Across scales only the raw peaks can be compared.
# </details>
#
# 2. A target stands still for 100 frames, then jumps 60 search pixels. What effect do the window and the search region each have?
# <details><summary>Answer</summary>
#
# The window lowers the score of the new position, and more so the further away it is. The search region decides whether the target is seen at all: the response covers ±64 pixels.
# </details>
#
# 3. With three scales of step 1.0375 and rate 0.59, by how much can the box grow in one frame?
# <details><summary>Answer</summary>
#
# By the factor $1 + 0.59 \cdot 0.0375 \approx 1.022$.
# </details>
#
# 4. A tracker's TRE is above its OPE. Is that a good sign?
# <details><summary>Answer</summary>
#
# It is the usual case: most TRE passes are shorter, so there is less time to lose the target.
# </details>
#
# 5. From lesson 04: response cell (8, 8) of 17 is the centre. After enlarging by 16, which of the 272 cells surround the same position?
# <details><summary>Answer</summary>
#
# 135 and 136 in each direction; the position itself, 135.5, is between them.
# </details>
#
# ## Classic mistakes
#
# * **The centre at 136.** A quarter of a search pixel, always in the same direction: the box creeps.
# * **Displacement times the wrong side.** The peak is measured in the window of the *chosen* scale.
# * **Multiplying by the window.** Then a peak near the border can never win.
# * **Tuning on the test clips.** With five numbers and twenty clips you can always find better settings, and they mean nothing.
#
# ## Read next
#
# * `course_lib/trackers/siamfc.py` and `course_lib/evaluation/lockstep.py`: many targets, one network call.
# * Lesson 07: proposals, boxes that change shape.
