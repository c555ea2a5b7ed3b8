# ---
# jupyter:
#   course: {run: [1]}
# ---

# %% [markdown]
# # 02 · Correlation filters: MOSSE
#
# | | |
# |---|---|
# | **You will be able to** | build a tracker that learns online, runs at thousands of frames per second, and knows when it is lost |
# | **You need** | lesson 01; what a Fourier transform is (not how to compute one) |
# | **Time** | about {{minutes}} on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercises |
# | **Follows** | Bolme, Beveridge, Draper, Lui: *Visual Object Tracking using Adaptive Correlation Filters* (CVPR 2010) |
# | **Words** | {{words}} |

# %%
import time

import numpy as np

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.figures import curve_plot, failure_gallery
from course_lib.evaluation.otb import track
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import measured_words, read_measured, show_table
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.boxes import iou, to_centre
from course_lib.places import RESULTS
from course_lib.profile import by_profile
from course_lib.trackers import make_tracker, mosse
from course_lib.widgets import MosseBench

sequences = load_benchmark("generated-v1")
sequence = next(c for c in sequences if "OCC" in c.attributes)

# %% [markdown]
# ## Look first
#
# A MOSSE tracker at work on a clip in which something passes in front of the target. Scrub through the clip and watch three things: the *filter* it has learned,
# the *response* it computes in each frame, and the *PSR*, a number that says how sharp the response's peak is. The sliders come into play later.

# %%
MosseBench(sequence)

# %% [markdown]
# ## The idea
#
# Template matching slides an image of the target, the *template*, over the frame. That has two drawbacks: it is slow, since every position costs one product per pixel of the template, and the
# template never learns. MOSSE fixes both. It looks for a *filter* $h$ whose correlation with the patch $f$ around the target is a response $g$ that we choose: a narrow
# peak on the target and nothing elsewhere.
#
# In the Fourier domain, correlation is a product, frequency by frequency. Capital letters are transforms, $\odot$ multiplies element by element and ${}^*$ conjugates:
#
# $$ G = F \odot H^* $$
#
# So one transform of the patch, one product and one inverse transform yield the response at *all* positions at once. See for yourself that the two ways agree:

# %%
rng = np.random.default_rng(0)
f, h = rng.normal(size=(2, 24, 32))  # a patch and a filter, (24, 32) each

start = time.perf_counter()
slow = np.array(
    [[np.sum(h * np.roll(f, (-dy, -dx), axis=(0, 1))) for dx in range(32)] for dy in range(24)]
)  # (24, 32)
between = time.perf_counter()
fast = np.fft.ifft2(np.fft.fft2(f) * np.conj(np.fft.fft2(h))).real  # (24, 32)
end = time.perf_counter()
print(
    f"largest difference {np.abs(slow - fast).max():.1e}; the direct sum took {(between - start) / (end - between):.0f} times as long"
)

# %% [markdown]
# Look at `np.roll`: what leaves the patch on the left comes back on the right. The Fourier transform treats a patch as if it were repeated forever, like floor tiles, and
# the jumps at the seams would fill the spectrum with edges that belong to no object. The next two exercises prepare the patch for that.
#
# ## Preparing the patch
#
# ### Exercise 02.1 · The cosine window
# {{exercise}}
#
# A cosine (Hann) window fades the patch out towards its edges. In one dimension, over $n$ samples, it is
# $\;w_i = \tfrac12 \bigl(1 - \cos \tfrac{2\pi i}{n-1}\bigr)$; in two dimensions, the product of one along the rows and one along the columns.
#
# <details><summary>Hint 1</summary>
#
# `np.hanning(n)` is exactly this one-dimensional window.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.outer(a, b)` has the element `a[i] * b[j]` in row i, column j. Height comes first.
# </details>


# %% exercise="mosse.window" points=3 stars=1 minutes=4
@exercise("mosse.window")
def cosine_window(height, width):
    """Cosine window.

    Args:
        height, width: size of the patch in pixels.

    Returns:
        array (height, width): 1 at the centre, 0 on the border.
    """
    ### BEGIN SOLUTION
    return np.outer(np.hanning(height), np.hanning(width))
    ### END SOLUTION


# %% [markdown]
# ### Exercise 02.2 · Preprocessing
# {{exercise}}
#
# Lighting changes; the filter should not care. Do this, in this order:
#
# 1. $\log(f + 1)$ of the grey values 0 … 255: a shadow multiplies the light, and the logarithm turns a factor into an added constant;
# 2. subtract the mean, and divide by the standard deviation plus $10^{-5}$: this removes the constant, and the contrast with it;
# 3. multiply by the window.
#
# <details><summary>Hint 1</summary>
#
# `np.log1p(x)` is $\log(1 + x)$. Make the patch a float array first: `uint8` arithmetic wraps around.
# </details>
# <details><summary>Hint 2</summary>
#
# The window comes last. If you normalise after it, the border is no longer 0.
# </details>


# %% exercise="mosse.preprocess" points=4 stars=1 minutes=6
@exercise("mosse.preprocess")
def preprocess(patch, window):
    """A grey patch ready for the Fourier transform.

    Args:
        patch: array (h, w), grey values 0 … 255.
        window: array (h, w).

    Returns:
        array (h, w), float.
    """
    ### BEGIN SOLUTION
    patch = np.log1p(np.asarray(patch, dtype=float))  # (h, w)
    patch = (patch - patch.mean()) / (patch.std() + 1e-5)
    return patch * window
    ### END SOLUTION


# %% [markdown]
# ## The response we want
#
# ### Exercise 02.3 · The target response
# {{exercise}}
#
# The response we ask for is a Gaussian with peak 1 on the target's centre:
#
# $$ g(i, j) = \exp\Bigl(-\frac{(i - i_0)^2 + (j - j_0)^2}{2\sigma^2}\Bigr), \qquad i_0 = \lfloor \text{height}/2 \rfloor,\; j_0 = \lfloor \text{width}/2 \rfloor . $$
#
# <details><summary>Hint 1</summary>
#
# `np.arange(height)[:, None]` is a column of row numbers, `np.arange(width)[None, :]` a row of column numbers. Broadcasting combines them into a plane.
# </details>
# <details><summary>Hint 2</summary>
#
# The denominator is $2\sigma^2$. Some public code divides by $2\sigma$ instead; what it calls a sigma of 100 is a sigma of 10 pixels.
# </details>


# %% exercise="mosse.target" points=4 stars=1 minutes=6
@exercise("mosse.target")
def gaussian_target(height, width, sigma):
    """The response we ask for: a Gaussian with peak 1 at (height // 2, width // 2).

    Args:
        height, width: size of the patch in pixels.
        sigma: standard deviation in pixels.

    Returns:
        array (height, width).
    """
    ### BEGIN SOLUTION
    rows = np.arange(height)[:, None] - height // 2  # (h, 1)
    columns = np.arange(width)[None, :] - width // 2  # (1, w)
    return np.exp(-(rows**2 + columns**2) / (2 * sigma**2))  # (h, w)
    ### END SOLUTION


# %% [markdown]
# The filter should connect these two: the patch that goes in, and the response that should come out.


# %%
def grey_patch(frame, centre, height, width):
    """Grey values (height, width) of a frame around centre (x, y); outside the frame its border is repeated."""
    grey = frame.mean(axis=2)  # (H, W)
    rows = np.arange(height) + int(round(centre[1])) - height // 2
    columns = np.arange(width) + int(round(centre[0])) - width // 2
    rows, columns = np.clip(rows, 0, grey.shape[0] - 1), np.clip(columns, 0, grey.shape[1] - 1)
    return grey[np.ix_(rows, columns)]


cx, cy, w, h = to_centre(sequence.boxes[0])
height, width = int(h * 1.5), int(w * 1.5)  # a little of the surroundings as well
window = cosine_window(height, width)
patch = grey_patch(sequence.frames[0], (cx, cy), height, width)
f = preprocess(patch, window)
g = gaussian_target(height, width, sigma=2.0)

figure, axes = plots.new_figure(width=8, height=2.6, columns=3)
plots.show_frame(axes[0, 0], patch, "grey patch", cmap="gray")
plots.show_frame(axes[0, 1], f, "log, normalised, windowed: f", cmap="gray")
plots.show_frame(axes[0, 2], g, "target response: g", cmap=plots.MAP)
plots.show(
    figure,
    alt="Three images: the grey patch around the target, the same patch faded out towards its border, and a bright dot, the target response.",
)

# %% [markdown]
# ## The filter
#
# ### Exercise 02.4 · One filter for many patches
# {{exercise}}
#
# For a single patch, $H^* = G / F$ would do: its response is exactly $g$. But such a filter is useless on the next frame, since it is huge wherever $|F|$ happens to be tiny. MOSSE looks for the filter
# with the *minimum output sum of squared errors* over several patches $f_1, \dots, f_N$ that should all produce $g$:
#
# $$ \min_{H^*} \sum_{n} \bigl| F_n \odot H^* - G \bigr|^2 . $$
#
# The frequencies are independent of each other, so each is a least-squares problem with one unknown. Set the derivative to zero and you get
#
# $$ H^* = \frac{A}{B}, \qquad A = \sum_n G \odot F_n^*, \qquad B = \sum_n F_n \odot F_n^* + \lambda . $$
#
# $\lambda$ keeps frequencies that are almost absent from being blown up. Compute $A$ and $B$.
#
# <details><summary>Hint 1</summary>
#
# `np.fft.fft2` transforms the last two axes of a stack (N, h, w) at once. `np.conj` conjugates.
# </details>
# <details><summary>Hint 2</summary>
#
# $F \odot F^*$ is $|F|^2$: real and never negative. Only $F$ is conjugated in $A$, not $G$.
# </details>


# %% exercise="mosse.filter" points=6 stars=2 minutes=10
@exercise("mosse.filter")
def train_filter(patches, target, regulariser):
    """Numerator and denominator of the filter that turns every patch into the target response.

    Args:
        patches: array (N, h, w), preprocessed.
        target: array (h, w), the response that each of them should produce.
        regulariser: float, added to the denominator.

    Returns:
        A: complex array (h, w).
        B: real array (h, w). The filter is A / B.
    """
    ### BEGIN SOLUTION
    F, G = np.fft.fft2(patches), np.fft.fft2(target)  # (N, h, w), (h, w)
    A = np.sum(G * np.conj(F), axis=0)  # (h, w)
    B = np.sum(np.abs(F) ** 2, axis=0) + regulariser  # (h, w)
    return A, B
    ### END SOLUTION


# %% [markdown]
# ### Exercise 02.5 · The response, and where its peak is
# {{exercise}}
#
# In a new frame, cut the patch at the old position, transform it, multiply by $H^*$ and transform back. The response peaks where the target is now. If it peaks at the centre
# $(\lfloor h/2 \rfloor, \lfloor w/2 \rfloor)$, the target has not moved.
#
# <details><summary>Hint 1</summary>
#
# `np.fft.ifft2(...)` is complex by type, but its imaginary part is rounding noise here: take `.real`.
# </details>
# <details><summary>Hint 2</summary>
#
# `np.unravel_index(response.argmax(), response.shape)` gives the row and column of the peak. The row is y.
# </details>


# %% exercise="mosse.respond" points=5 stars=2 minutes=8
@exercise("mosse.respond")
def respond(patch, A, B):
    """Response of the filter A / B to a patch, and the displacement of the target.

    Args:
        patch: array (h, w), preprocessed.
        A, B: arrays (h, w), from train_filter.

    Returns:
        response: real array (h, w).
        dx, dy: how far the peak lies to the right of and below (h // 2, w // 2), in pixels.
    """
    ### BEGIN SOLUTION
    response = np.fft.ifft2(np.fft.fft2(patch) * A / B).real  # (h, w)
    row, column = np.unravel_index(response.argmax(), response.shape)
    return response, column - patch.shape[1] // 2, row - patch.shape[0] // 2
    ### END SOLUTION


# %% [markdown]
# With one patch there is nothing to average over. So MOSSE makes eight warped copies of the first one, slightly rotated and sheared, all with the same $g$: the filter learns which changes
# do not mean that the target has moved. Below are the filters from one patch and from nine, and their responses five frames later.

# %%
warped = mosse.random_warps(patch, count=8, rng=np.random.default_rng(0))  # (8, h, w)
several = np.array([preprocess(p, window) for p in (patch, *warped)])  # (9, h, w)
later = preprocess(
    grey_patch(sequence.frames[5], to_centre(sequence.boxes[5])[:2], height, width), window
)

figure, axes = plots.new_figure(width=8, height=4.6, rows=2, columns=2)
for row, (name, stack) in enumerate((("one patch", several[:1]), ("nine patches", several))):
    A, B = train_filter(stack, g, regulariser=0.1)
    response, _, _ = respond(later, A, B)
    spatial = np.fft.fftshift(np.fft.ifft2(np.conj(A / B)).real)  # (h, w), origin at the centre
    plots.show_frame(axes[row, 0], spatial, f"filter from {name}", cmap="gray")
    title = f"its response in frame 5, peak {response.max():.2f}"
    plots.show_frame(axes[row, 1], response, title, cmap=plots.MAP)
plots.show(
    figure,
    alt="Filters learned from one patch and from nine, and the response of each five frames later.",
)

# %% [markdown]
# ## Learning online
#
# ### Exercise 02.6 · The update rule
# {{exercise}}
#
# The target changes, so the filter must follow. After each frame, MOSSE cuts the patch at the position it has just found and adds it to two running averages:
#
# $$ A_i = \eta\, G \odot F_i^* + (1-\eta)\, A_{i-1}, \qquad B_i = \eta\, F_i \odot F_i^* + (1-\eta)\, B_{i-1}, \qquad H_i^* = A_i / B_i . $$
#
# The *learning rate* $\eta$ sets how fast the past is forgotten; the paper uses 0.125.
#
# <details><summary>Hint 1</summary>
#
# The new patch has weight $\eta$, the past $1 - \eta$. It is easy to swap them; the filter then forgets almost everything.
# </details>
# <details><summary>Hint 2</summary>
#
# Numerator and denominator are averaged separately. The division comes afterwards.
# </details>


# %% exercise="mosse.update" points=5 stars=2 minutes=6
@exercise("mosse.update")
def update_filter(A, B, patch, target, rate):
    """Add one more patch to the running averages of the filter's numerator and denominator.

    Args:
        A, B: arrays (h, w), the filter so far.
        patch: array (h, w), preprocessed, the target at its centre.
        target: array (h, w), the target response.
        rate: float in [0, 1], the learning rate.

    Returns:
        A, B: the new numerator and denominator, arrays (h, w).
    """
    ### BEGIN SOLUTION
    F, G = np.fft.fft2(patch), np.fft.fft2(target)  # (h, w) each
    A = rate * G * np.conj(F) + (1 - rate) * A
    B = rate * np.abs(F) ** 2 + (1 - rate) * B
    return A, B
    ### END SOLUTION


# %% [markdown]
# ### Exercise 02.7 · The rule on the slide
# {{exercise}}
#
# Lecture slides often show a shorter rule, which averages the *filters*:
#
# $$ H_i^* = \eta\, \frac{G \odot F_i^*}{F_i \odot F_i^* + \lambda} + (1-\eta)\, H_{i-1}^* . $$
#
# It looks equivalent. Write it, and then see whether it is.
#
# <details><summary>Hint 1</summary>
#
# The fraction is the filter trained on this one patch alone.
# </details>
# <details><summary>Hint 2</summary>
#
# `H` goes in and comes out as $H^*$, already conjugated: do not conjugate it again.
# </details>


# %% exercise="mosse.ratio" points=4 stars=1 minutes=5
@exercise("mosse.ratio")
def update_ratio(H, patch, target, rate, regulariser):
    """Running average of single-patch filters, the simplified rule.

    Args:
        H: complex array (h, w), the filter so far (H*).
        patch: array (h, w), preprocessed.
        target: array (h, w).
        rate: float in [0, 1].
        regulariser: float, added to the denominator.

    Returns:
        complex array (h, w), the new filter (H*).
    """
    ### BEGIN SOLUTION
    F, G = np.fft.fft2(patch), np.fft.fft2(target)  # (h, w) each
    single = G * np.conj(F) / (np.abs(F) ** 2 + regulariser)  # (h, w)
    return rate * single + (1 - rate) * H
    ### END SOLUTION


# %% [markdown]
# ## Knowing when you are lost
#
# ### Exercise 02.8 · Peak-to-sidelobe ratio
# {{exercise}}
#
# A response always has a peak, even when the target is gone. A good peak stands out from the rest; the *peak-to-sidelobe ratio* measures by how much:
#
# $$ \mathrm{PSR} = \frac{g_{\max} - \mu}{s}, $$
#
# where $\mu$ and $s$ are the mean and standard deviation of the *sidelobe*: all pixels except an 11 × 11 window around the peak. Where the window extends beyond the map, only the part inside is left out.
#
# <details><summary>Hint 1</summary>
#
# Take a boolean mask that is all true, and set the window to false: `mask[top : bottom, left : right] = False`.
# </details>
# <details><summary>Hint 2</summary>
#
# A negative start index counts from the end in Python. `max(0, row - 5)` stops the window at the border.
# </details>
# <details><summary>Hint 3</summary>
#
# The peak ± 5 makes 11 pixels: the slice ends at `row + 6`.
# </details>


# %% exercise="mosse.psr" points=6 stars=2 minutes=10
@exercise("mosse.psr")
def peak_to_sidelobe(response):
    """Peak-to-sidelobe ratio of a response map.

    Args:
        response: array (h, w), larger than 11 × 11.

    Returns:
        float: how many standard deviations of the sidelobe the peak lies above its mean.
    """
    ### BEGIN SOLUTION
    row, column = np.unravel_index(response.argmax(), response.shape)
    sidelobe = np.ones(response.shape, dtype=bool)  # (h, w)
    sidelobe[max(0, row - 5) : row + 6, max(0, column - 5) : column + 6] = False
    rest = response[sidelobe]  # (n,)
    return float((response.max() - rest.mean()) / rest.std())
    ### END SOLUTION


# %% [markdown]
# Now the two update rules can be compared. The same patch comes 40 times, each time with fresh noise; both rules learn from all of them and then respond to one more.
# **Predict first:** is averaging filters as good as averaging $A$ and $B$ separately?


# %%
def compare_rules(regulariser, frames=40, rate=0.125, seed=0):
    """PSR of both rules after `frames` noisy copies of one patch: (A and B averaged, filters averaged)."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(32, 32))
    target = gaussian_target(32, 32, 2.0)
    noisy = clean + 0.5 * rng.normal(size=(frames + 1, 32, 32))  # (frames + 1, 32, 32)
    A, B = train_filter(noisy[:1], target, regulariser)
    H = A / B
    for patch in noisy[1:-1]:
        A, B = update_filter(A, B, patch, target, rate)
        H = update_ratio(H, patch, target, rate, regulariser)
    F = np.fft.fft2(noisy[-1])
    return [peak_to_sidelobe(np.fft.ifft2(F * filter_).real) for filter_ in (A / B, H)]


repeats = by_profile(smoke=3, laptop=20, gpu=20)
lambdas = [0.0, 1.0, 100.0]
# (lambdas, repeats, 2)
psr = np.array([[compare_rules(lam, seed=s) for s in range(repeats)] for lam in lambdas])

figure, axes = plots.new_figure(width=6.5, height=2.8)
for k, name in enumerate(("averages of A and B", "average of filters")):
    mean, spread = psr[:, :, k].mean(axis=1), psr[:, :, k].std(axis=1)  # (lambdas,) each
    look = {"fmt": ("o-", "s--")[k], "color": plots.CYCLE[k], "capsize": 3}
    axes[0, 0].errorbar(range(len(lambdas)), mean, yerr=spread, label=name, **look)
labels = [f"λ = {lam:g}" for lam in lambdas]
axes[0, 0].set(xticks=range(len(lambdas)), xticklabels=labels, ylabel="PSR on one more frame")
axes[0, 0].legend()
axes[0, 0].grid(alpha=0.3)
listing = "; ".join(
    f"λ = {lam:g}: A and B {p[0]:.1f}, filters {p[1]:.1f}"
    for lam, p in zip(lambdas, psr.mean(axis=1), strict=True)
)
plots.show(
    figure,
    alt=f"Mean PSR of two update rules, averages of A and B and average of filters, for three regularisers. {listing}.",
)

# %% [markdown]
# Where a frequency happens to be almost absent from one frame, the single-frame filter is enormous, and the average of filters never recovers from it. When $A$ and $B$ are averaged separately, such a frame has
# little weight in $A$ *and* in $B$. A regulariser tames the average of filters; the averages of $A$ and $B$ hardly need one.

# %% [markdown]
# ## The whole tracker
#
# ### Exercise 02.9 · MOSSE
# {{exercise}}
#
# Put the pieces together. In `init`: cut the patch around the box, make the warped copies, train the filter. In `update`:
#
# 1. cut the patch at the *old* centre, preprocess it, compute the response;
# 2. compute the PSR. If it is below the threshold, change nothing and return the last box;
# 3. otherwise move the centre by the displacement;
# 4. cut again at the *new* centre, preprocess, update the filter;
# 5. return the box: new centre, first size.
#
# `grey_patch` and the functions you have written are all you need.
#
# <details><summary>Hint 1</summary>
#
# Keep `self.centre`, `self.A`, `self.B`, `self.target`, `self.window` between the calls.
# </details>
# <details><summary>Hint 2</summary>
#
# The response is computed at the old centre, but the update needs the patch at the new one. If you use the old patch, the filter learns that
# the target is off-centre, and drifts.
# </details>
# <details><summary>Hint 3</summary>
#
# `mosse.random_warps(patch, 8, np.random.default_rng(0))` returns eight warped copies (8, h, w) of a grey patch; preprocess each.
# </details>


# %% exercise="mosse.tracker" points=10 stars=3 minutes=20
@exercise("mosse.tracker")
class MOSSE:
    """MOSSE with a patch of 1.5 × the box, sigma 2 px, learning rate 0.125 and PSR threshold 7."""

    name = "my-mosse"

    def init(self, frame, box):
        """Learn the filter from `frame` (H, W, 3) with the target at `box` (4,): x, y, w, h in pixels."""
        ### BEGIN SOLUTION
        cx, cy, self.w, self.h = to_centre(box)
        self.centre = np.array([cx, cy])  # (2,)
        self.size = int(1.5 * self.h), int(1.5 * self.w)  # height, width of the patch
        self.window = cosine_window(*self.size)  # (h, w)
        self.target = gaussian_target(*self.size, sigma=2.0)  # (h, w)
        patch = grey_patch(frame, self.centre, *self.size)  # (h, w)
        copies = [patch, *mosse.random_warps(patch, 8, np.random.default_rng(0))]
        patches = np.array([preprocess(p, self.window) for p in copies])  # (9, h, w)
        self.A, self.B = train_filter(patches, self.target, regulariser=1.0)  # (h, w) each
        ### END SOLUTION

    def update(self, frame):
        """The box (4,) in the next `frame` (H, W, 3)."""
        ### BEGIN SOLUTION
        patch = preprocess(grey_patch(frame, self.centre, *self.size), self.window)  # (h, w)
        response, dx, dy = respond(patch, self.A, self.B)  # (h, w)
        if peak_to_sidelobe(response) >= 7:
            self.centre = self.centre + [dx, dy]
            # (h, w)
            patch = preprocess(grey_patch(frame, self.centre, *self.size), self.window)
            self.A, self.B = update_filter(self.A, self.B, patch, self.target, rate=0.125)
        return np.array(
            [self.centre[0] - self.w / 2, self.centre[1] - self.h / 2, self.w, self.h]
        )
        ### END SOLUTION


# %% [markdown]
# MOSSE on the clip from the beginning, with and without the PSR threshold; IoU above, PSR below. Where the PSR falls below the line, the first tracker stops learning; otherwise it would learn the occluder.


# %%
def watch(tracker, sequence):
    """One pass: boxes (T, 4) and PSR (T,)."""
    boxes, psr = [sequence.boxes[0]], [np.nan]
    tracker.init(sequence.frames[0], sequence.boxes[0])
    for frame in sequence.frames.part(1):
        boxes.append(tracker.update(frame))
        psr.append(tracker.last.psr)
    return np.array(boxes), np.array(psr)


overlaps, ratios = {}, {}
for name, threshold in {"stops learning when lost": 7.0, "never stops": 0.0}.items():
    boxes, ratios[name] = watch(make_tracker("mosse", psr_threshold=threshold), sequence)
    overlaps[name] = iou(boxes, sequence.boxes)  # (T,)

figure, axes = plots.new_figure(width=8, height=3.6, rows=2, sharex=True)
above, below = axes[:, 0]
plots.draw_lines(above, overlaps, ylabel="IoU", ylim=(0, 1))
plots.draw_lines(below, ratios, ylabel="PSR", xlabel="frame (grey: target mostly hidden)")
below.axhline(7, color=plots.NEUTRAL, linestyle=":")
for t in np.flatnonzero(sequence.tags["visible"] < 0.5):
    for ax in (above, below):
        ax.axvspan(t - 0.5, t + 0.5, color=plots.NEUTRAL, alpha=0.25, linewidth=0)
listing = "; ".join(f"{name}: mean IoU {np.nanmean(v):.2f}" for name, v in overlaps.items())
plots.show(
    figure,
    alt=f"IoU and PSR along the clip for two trackers, with the frames in which the target is hidden in grey. {listing}.",
)

# %% [markdown]
# ### Play: the widget at the top
#
# Go back to the first widget and find out by playing:
#
# 1. Above which learning rate is the target lost behind the occluder? Look at the IoU, not only at the PSR.
# 2. Find a rate at which the PSR is high and the box is wrong. What has the filter learned there?
# 3. What happens to the filter when the regulariser grows? Why does it get smoother?
# 4. A sigma of 1 pixel makes the sharpest peak. What does it cost?
#
# <details><summary>Answer to 2</summary>
#
# A tracker that learns fast soon learns the occluder, and is sure of itself. A high PSR says that the filter recognises what it sees, not that this is the target.
# </details>
#
# ## Experiment: how fast should it learn?
#
# The same tracker with different learning rates, on three kinds of clips. **Predict first:** for which kind does a high rate help most?


# %%
def mean_auc(rate, sequences):
    """Mean success AUC of MOSSE with this learning rate."""
    results = {s.name: track(make_tracker("mosse", rate=rate), s) for s in sequences}
    return Report.from_results(sequences, {"mosse": results}).overall()["mosse"]["auc"]


per_kind = by_profile(smoke=1, laptop=3, gpu=3)
kinds = {"OCC": "occlusion", "IPR": "rotation", "IV": "changing illumination"}
all_rates = [0.0, 0.02, 0.05, 0.125, 0.25, 0.5, 1.0]
rates = by_profile(smoke=[0.0, 0.125, 0.5], laptop=all_rates, gpu=all_rates)
scores = {}
for tag, kind in kinds.items():
    group = [c for c in sequences if tag in c.attributes][:per_kind]
    group = [c.loaded() for c in group]  # each frame drawn only once
    scores[kind] = [mean_auc(rate, group) for rate in rates]

figure, axes = plots.new_figure(width=6.5, height=3)
plots.draw_lines(axes[0, 0], scores, markers=True, ylabel="mean AUC", ylim=(0, 1))
labels = [f"{rate:g}" for rate in rates]
axes[0, 0].set(xticks=range(len(rates)), xticklabels=labels, xlabel="learning rate η")
best = {kind: rates[int(np.argmax(values))] for kind, values in scores.items()}
listing = ", ".join(f"{kind} {rate:g}" for kind, rate in best.items())
plots.show(
    figure,
    alt=f"Mean success AUC against the learning rate for three kinds of clips. Best rate measured here: {listing}.",
)

# %% [markdown]
# At $\eta = 0$ the filter stays as the first frame made it. At $\eta = 1$ it forgets everything at each frame and follows whatever is in its patch.
# The best rate depends on how fast the target changes, and a tracker cannot know that beforehand.
#
# ## Experiment: speed, accuracy and failures
#
# Speed says nothing without accuracy, so both are measured in one run, for template matching, MOSSE, and the two trackers that never look at the frame.

# %%
chosen = sequences.loaded(by_profile(smoke=6, laptop=1, gpu=1))
names = ("mosse", "ncc", "random-walk", "stay-put")
results = {name: {c.name: track(make_tracker(name), c) for c in chosen} for name in names}
report = Report.from_results(chosen, results)
columns = ("auc", "precision20", "fps")
show_table(report.overall(), f"Four trackers on {len(chosen)} generated clips", columns)

# %% [markdown]
# ### Failure gallery
#
# Here are the three worst clips, each at the moment when MOSSE loses the target. What happened there?

# %%
plots.show(*failure_gallery(chosen, results["mosse"]))

# %% [markdown]
# MOSSE never changes the size of its box, knows no rotation beyond its eight warped copies, and searches only as far as its patch reaches: a target that moves further than that
# between two frames is out of sight. Lesson 03 fixes the first with a scale pyramid.
#
# ## Real video
#
# These results were measured once on 22 targets of OTB and VOT-2014, in the run named in the table's caption, and ship with the course. OpenCV's own MOSSE, KCF and CSRT ran on the same machine within the same few minutes.

# %%
shipped = read_measured(RESULTS / "real_sequences.json")
known = ("mosse", "ncc", "random-walk", "stay-put", "opencv-mosse", "opencv-kcf", "opencv-csrt")
report = Report.from_dict(shipped).only(known)
caption = f"{len(report.names)} real targets, {measured_words(shipped)}, OpenCV {shipped['measured']['opencv']}"
show_table(report.overall(), caption, columns)
plots.show(*curve_plot(report))

# %% [markdown]
# Read the speeds with care. A tracker that reports *lost* and skips the frame is very fast, and keeps its last box. That is why the table shows accuracy beside speed.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. Why is the patch multiplied by a cosine window?
# <details><summary>Answer</summary>
#
# The Fourier transform treats the patch as periodic. Without the window, opposite borders would meet in jumps: edges that are not part of the target.
# </details>
#
# 2. What does the response look like for a patch in which the target has moved 5 pixels to the right?
# <details><summary>Answer</summary>
#
# The same peak, 5 pixels further to the right: a shift of the patch shifts the response.
# </details>
#
# 3. With one training patch and $\lambda = 0$, what is the response to that same patch, and why is this filter a bad one?
# <details><summary>Answer</summary>
#
# Exactly $g$. But $1/F$ is huge where $F$ is nearly 0, so the slightest change in the patch is blown up.
# </details>
#
# 4. The PSR falls below the threshold. Which three things does the tracker not do?
# <details><summary>Answer</summary>
#
# It does not move its box, and it updates neither $A$ nor $B$.
# </details>
#
# 5. From lesson 00: a target's box is $(10, 20, 5, 8)$. At which pixel of the frame is the patch centred if the centre is rounded down?
# <details><summary>Answer</summary>
#
# The centre is $(12.5, 24)$: column 12, row 24.
# </details>
#
# ## Classic mistakes
#
# * **Conjugating the wrong factor.** If the response peaks on the other side of the centre, at the mirrored place, $F$ was used where $F^*$ belongs.
# * **Learning at the old position.** The update needs a patch cut at the new centre.
# * **Rows and columns.** The peak's row is a displacement in y.
# * **Warps that are all the same.** A random generator that is re-seeded inside the warp function makes eight identical copies; some public code does this.
#
# ## Read next
#
# * The paper, which is short and pleasant to read.
# * Lesson 03: the same idea with kernels and many channels, KCF. Lesson 04: a deep network replaces the filter, and the correlation stays.
