"""The library behind the course: single-object tracking, from MOSSE to Siamese networks.

Floors, lowest first; a file imports only from the floors below its own (a test enforces it):

    0  errors, files, places, profile, recipe, lookup, plots  shared; they know nothing of tracking
    1  geometry                            boxes and crops: arithmetic, no image content
    2  models, data                        networks, losses | video, datasets, generated sequences
    3  trackers, analysis                  frame in, box out | what networks see
    4  training, evaluation                from data to weights | from boxes to numbers and plots
    4  grading                             a class: from submissions to points
    5  exercises, widgets, cli             what people work with
"""

__version__ = "0.1.0"
