"""Maps, seeds and legends, as the lessons and the widgets draw them."""

from __future__ import annotations

import numpy as np

from course_lib import plots


def test_a_map_has_its_peak_marked_where_it_is_highest():
    _, axes = plots.new_figure(columns=2)
    values = np.zeros((4, 5))
    values[1, 3] = 2
    shown = plots.show_map(axes[0, 0], values, "response", peak=True, vmin=-1)
    (mark,) = axes[0, 0].lines
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (3, 1)  # column, then row
    assert shown.get_cmap().name == plots.MAP and shown.get_clim() == (-1, 2)
    assert axes[0, 0].get_title() == "response" and not axes[0, 0].axison
    grey = plots.show_map(axes[0, 1], values, cmap="gray")
    assert grey.get_cmap().name == "gray" and not axes[0, 1].lines


def test_seeds_are_drawn_above_their_name_with_a_bar_at_their_mean():
    _, axes = plots.new_figure()
    ax = axes[0, 0]
    plots.draw_seeds(ax, {"plain": [1.0, 2.0, 6.0], "margin": [4.0]}, label="mean and seeds")
    *dots, bars = ax.lines
    assert [d.get_xydata().tolist() for d in dots] == [[[0, 1], [0, 2], [0, 6]], [[1, 4]]]
    assert bars.get_xydata().tolist() == [[0, 3], [1, 4]] and bars.get_marker() == "_"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["plain", "margin"]
    assert ax.get_legend_handles_labels()[1] == ["mean and seeds"]


def test_a_legend_below_lists_each_name_once():
    figure, axes = plots.new_figure()
    for x in (1, 5, 9):
        plots.draw_box(axes[0, 0], [x, 1, 2, 2], plots.NEUTRAL, "other proposals")
    plots.draw_box(axes[0, 0], [20, 1, 2, 2], plots.TRUTH, "ground truth")
    plots.legend_below(figure, axes[0, 0])
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["other proposals", "ground truth"]


def boxes_of_labels(ax) -> dict:
    ax.figure.draw_without_rendering()
    return {text.get_text(): text.get_window_extent() for text in ax.texts}


def test_names_stand_beside_their_points_and_cover_nothing():
    """Three points close together in the right upper corner, and one on the left."""
    _, axes = plots.new_figure(width=4, height=3)
    ax = axes[0, 0]
    spots = {"a long name": (9.8, 9.5), "another one": (9.7, 8.5), "third": (7.9, 8.9), "d": (0, 0)}
    ax.set(xlim=(0, 10), ylim=(0, 10))
    plots.label_points(ax, spots)
    boxes = boxes_of_labels(ax)
    assert sorted(boxes) == sorted(spots)
    places = ax.transData.transform(list(spots.values()))
    edge = ax.get_window_extent()
    for name, place in zip(spots, places, strict=True):
        box = boxes[name]
        assert not any(box.contains(*other) for other in places)
        assert edge.x0 <= box.x0 and box.x1 <= edge.x1 and box.y1 <= edge.y1
        others = [other for label, other in boxes.items() if label != name]
        assert box.count_overlaps(others) == 0
        nearest = np.clip(place, box.min, box.max)
        assert np.linalg.norm(nearest - place) < 12  # pixels


def test_a_name_with_room_stands_to_the_right():
    _, axes = plots.new_figure()
    axes[0, 0].set(xlim=(0, 10), ylim=(0, 10))
    plots.label_points(axes[0, 0], {"alone": (5, 5)})
    (box,) = boxes_of_labels(axes[0, 0]).values()
    x, y = axes[0, 0].transData.transform((5, 5))
    assert box.x0 > x and box.y0 < y < box.y1
