# ---
# jupyter:
#   course: {minutes: 5}
# ---

# %% [markdown]
# # 00 · Welcome
#
# | | |
# |---|---|
# | **You will be able to** | run a notebook of this course, play a clip, write an exercise and read its answer, and say what your machine can do |
# | **You need** | a little Python and NumPy |
# | **Time** | about {{minutes}} minutes on a laptop without a GPU |
# | **Points** | {{points}}, in {{exercises}} exercise |
# | **Follows** | nothing yet: the papers begin in lesson 02 |
# | **Words** | {{words}} |
#
# A tracker is told where a target is in the first frame of a video, and has to find it in every frame after that.
# In this course you build one tracker after another, from a filter of the size of a stamp to deep Siamese networks,
# and measure each on real video.
#
# Run a cell with <kbd>Shift</kbd>+<kbd>Enter</kbd>.

# %%
import time

import numpy as np

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.exercises import award, exercise, progress
from course_lib.geometry.windows import CropWindow, search_side
from course_lib.profile import by_profile, current_profile
from course_lib.widgets import SequencePlayer

sequences = load_benchmark("generated-v1")
print(
    f"profile {current_profile()!r}: {len(sequences)} clips made by code, {sum(len(c) for c in sequences)} frames"
)

# %% [markdown]
# ## Look first
#
# This clip was made by a few lines of code, so the true box is known exactly in every frame. It is the solid green one.
# Play it, then scrub with the slider or with the arrow keys.

# %%
sequence = sequences[0]
SequencePlayer(sequence)

# %% [markdown]
# **Play and answer:** what moves in this clip besides the target? (Watch the background.)
#
# <details><summary>Answer</summary>
#
# The camera moves as well, so the whole background slides. A tracker that looks only for movement would be lost at once;
# it has to know what its target looks like.
# </details>
#
# ## What is a box?
#
# A box is four numbers $(x, y, w, h)$: the top-left corner, the width and the height, in pixels. Coordinates start at 0
# and are continuous. A box that covers the whole of a $W \times H$ image is $(0, 0, W, H)$, and pixel number 0 reaches from 0 to 1.
#
# The clip has one row of four numbers per frame.

# %%
print("boxes:", sequence.boxes.shape, sequence.boxes.dtype)
print("first box (x, y, w, h):", np.round(sequence.boxes[0], 1))
print(
    "frames:",
    len(sequence.frames),
    "of shape",
    sequence.frames[0].shape,
    sequence.frames[0].dtype,
)

# %% [markdown]
# ## How exercises work
#
# ### Exercise 00.1 · The centre of a box
# {{exercise}}
#
# An exercise is a function to write. Its first lines say what goes in and what comes out. As soon as you run the cell your
# function is checked, and the answer says what is right or wrong with it, in words. Run it as it is first, and read what happens.
#
# Then write it: the centre of $(x, y, w, h)$ lies half a width to the right of the corner, and half a height below it.
#
# <details><summary>Hint 1</summary>
#
# `x, y, w, h = box` gives the four numbers names.
# </details>
# <details><summary>Hint 2</summary>
#
# $c_x = x + w/2$ and $c_y = y + h/2$; width and height stay what they are.
# </details>


# %% exercise="welcome.centre" points=3 stars=1 minutes=3
@exercise("welcome.centre")
def to_centre(box):
    """The same box, given by its centre.

    Args:
        box: array (4,), x, y, w, h in pixels.

    Returns:
        array (4,), cx, cy, w, h in pixels.
    """
    ### BEGIN SOLUTION
    x, y, w, h = box
    return np.array([x + w / 2, y + h / 2, w, h])
    ### END SOLUTION


# %% [markdown]
# You can be wrong as often as you like: change the cell and run it again. Until an exercise is right, the course's own version
# takes its place in the cells below, so you are never stuck. Here it draws the path of the target.

# %%
centres = np.array([to_centre(box)[:2] for box in sequence.boxes])  # (T, 2)

figure, axes = plots.new_figure(width=6, height=4)
plots.show_frame(axes[0, 0], sequence.frames[0], "where the target goes")
axes[0, 0].plot(centres[:, 0] - 0.5, centres[:, 1] - 0.5, color="white", linewidth=3)
axes[0, 0].plot(centres[:, 0] - 0.5, centres[:, 1] - 0.5, color=plots.TRUTH, linewidth=1.5)
plots.draw_box(axes[0, 0], sequence.boxes[0])
plots.show(
    figure,
    alt="First frame of the clip with the true box and, as a green line, the path of its centre through all frames.",
)

# %% [markdown]
# ## Is the machine ready?
#
# Every experiment in the course asks one setting how large it should be: the profile. `smoke` is for the tests, `laptop` for a machine
# without a GPU, `gpu` for one with. The course chose the one printed in the first cell; the environment variable
# `COURSE_PROFILE` overrules it. For a full report, with a remedy for each lack, run `python -m course_lib doctor` in a terminal.
#
# How long do the steps of a tracker take here? Below, four of them are timed: reading a frame, cutting the square around the target
# that a Siamese network looks at (255 × 255 pixels), a Fourier transform of it, and one convolution with 96 filters of 11 × 11, the first layer of
# the network in lesson 04.
#
# **Predict first:** which is the slowest?

# %%
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
frame, box = sequence.frames[0], sequence.boxes[0]
centre = to_centre(box)
window = CropWindow(centre[0], centre[1], float(search_side(box)), 255)
crop = window.cut(frame)  # (255, 255, 3)
grey = crop.mean(axis=2).astype(np.float32)  # (255, 255)
image = torch.from_numpy(crop).permute(2, 0, 1)[None].float().to(device)  # (1, 3, 255, 255)
first_layer = torch.nn.Conv2d(3, 96, kernel_size=11, stride=2).to(device)


def convolve():
    """One pass through the first layer, finished before the clock is read."""
    with torch.inference_mode():
        features = first_layer(image)  # (1, 96, 123, 123)
    return features.sum().item()  # waits for the GPU, which computes behind Python's back


steps = {
    "read a frame": lambda: sequence.frames[len(sequence) // 2],
    "cut the search image": lambda: window.cut(frame),
    "Fourier transform": lambda: np.fft.rfft2(grey),
    f"first layer ({device})": convolve,
}
milliseconds = {}
for name, step in steps.items():
    step()  # the first call pays for things that later ones find ready
    rounds = by_profile(smoke=3, laptop=20, gpu=50)
    start = time.perf_counter()
    for _ in range(rounds):
        step()
    milliseconds[name] = 1000 * (time.perf_counter() - start) / rounds

figure, axes = plots.new_figure(width=7, height=2.4)
bars = axes[0, 0].barh(list(milliseconds), list(milliseconds.values()), color=plots.EXEMPLAR)
axes[0, 0].bar_label(bars, fmt="%.2f ms", padding=4)
axes[0, 0].margins(x=0.2)
axes[0, 0].invert_yaxis()
axes[0, 0].set_xlabel("milliseconds per call on this machine")
slowest = max(milliseconds, key=milliseconds.get)
plots.show(
    figure,
    alt=f"Bar chart of milliseconds per call for four steps of a tracker; the slowest here is: {slowest}.",
)

# %% [markdown]
# A generated frame is drawn at the moment it is asked for; a frame of a video file would be decoded instead.
#
# ## Where you stand

# %%
progress()

# %% [markdown]
# ## Questions to check yourself
#
# 1. What are the width and height of the box $(10, 20, 5, 8)$, and where is its bottom-right corner?
# <details><summary>Answer</summary>
#
# 5 and 8 pixels; the corner is at $(15, 28)$.
# </details>
#
# 2. A file counts pixels from 1 and says a target starts at $x = 1$. What is $x$ in this course?
# <details><summary>Answer</summary>
#
# 0. Such files are converted where they are read, and nowhere else.
# </details>
#
# 3. You run an exercise cell without writing anything. What do the cells below use?
# <details><summary>Answer</summary>
#
# The course's own version, and the page says so. It earns no points.
# </details>
#
# ## Classic mistakes
#
# * **Half a pixel.** $x + (w-1)/2$ is the centre of the middle *pixel* when pixels are counted as points. With continuous boxes it is
#   $x + w/2$. Half a pixel sounds like nothing; over a stride of 8 and a resize it becomes a tracker that drifts.
# * **Rows and columns.** An image is indexed `frame[y, x]`, a box says $(x, y)$.
#
# ## Read next
#
# Lesson 01 asks how good a box is, and how good a tracker is. `make lab LESSON=01` opens a copy of your own that updates
# never touch, as this one is; without make it is `python -m course_lib lab 01`.
#
# *The course's text and figures are under [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), its code under
# Apache-2.0. Datasets keep the terms of those who publish them.*
