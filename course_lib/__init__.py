"""The library behind the course: single-object tracking, from MOSSE to Siamese networks.

Floors, lowest first; a file imports only from floors below its own (a test enforces it):

    0  errors, files, places, profile, recipe, lookup, plots  house-wide, know nothing of tracking
    1  geometry                            boxes, crops: arithmetic without pixels' meaning
    2  models, data                        networks and losses | video, datasets, generated clips
    3  trackers, analysis                  frame in, box out | what networks see
    4  training, evaluation                from data to weights | from boxes to numbers and plots
    5  exercises, widgets, cli             what faces people
"""

__version__ = "0.1.0"
