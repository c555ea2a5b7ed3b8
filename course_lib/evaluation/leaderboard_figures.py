"""Figures of a leaderboard, from the table that `benchmarks/leaderboard.py` keeps; each function
returns the figure and its alternative text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from course_lib import plots
from course_lib.evaluation.published import published_scores

ROW = 0.25  # inches of a figure for each tracker
NAMES = {
    "ope": "one pass",
    "vot": "supervised",
    "multistart": "multi-start",
    "vot-realtime": "supervised, real time",
}


def standings_plot(found: Mapping[str, Any]) -> tuple[Figure, str]:
    """Scores with their intervals, a panel for each protocol, all sorted by the first."""
    trackers, scores = found["trackers"], found["ranked_by"]
    shown = [name for name in scores if any(name in row for row in trackers.values())]
    first = shown[0]
    order = sorted(trackers, key=lambda t: trackers[t].get(first, {}).get(scores[first], 0.0))
    figure, axes = plots.new_figure(
        columns=len(shown), width=2.4 * len(shown) + 1.6, height=1.0 + ROW * len(order)
    )
    told = []
    for ax, protocol in zip(axes.flat, shown, strict=True):
        rows = {t: trackers[t][protocol] for t in order if protocol in trackers[t]}
        for tracker, row in rows.items():
            value, place = row[scores[protocol]], order.index(tracker)
            ax.plot(row["interval"], [place, place], color=plots.CYCLE[0], linewidth=2, alpha=0.5)
            ax.plot(value, place, "o", color=plots.CYCLE[0])
        ax.set_yticks(range(len(order)), order if ax is axes.flat[0] else [""] * len(order))
        ax.set(title=NAMES.get(protocol, protocol), xlabel=scores[protocol].upper())
        ax.set_ylim(-0.5, len(order) - 0.5)  # the same rows where trackers are missing
        ax.grid(alpha=0.3)
        best = sorted(rows, key=lambda t: -rows[t][scores[protocol]])
        told.append(f"{NAMES.get(protocol, protocol)}: {', '.join(best)}")
    return figure, (
        "Scores of trackers with bootstrap intervals, a panel for each protocol. From best to "
        f"worst: {'; '.join(told)}."
    )


def accuracy_against_speed(found: Mapping[str, Any], protocol: str) -> tuple[Figure, str]:
    """The score of a protocol, with its interval, against frames per second.

    Args:
        found: the table.
        protocol: one of its `ranked_by`.
    """
    score = found["ranked_by"][protocol]
    shown = {t: r for t, r in found["trackers"].items() if protocol in r and "fps" in r}
    rows = {t: r for t, r in shown.items() if t != "stay-put"}  # it has nothing to compute
    figure, axes = plots.new_figure(width=8.4, height=4.6)
    ax: Axes = axes[0, 0]
    for k, row in enumerate(rows.values()):
        fps, value = row["fps"], row[protocol][score]
        color = plots.CYCLE[k % 8]
        ax.plot([fps, fps], row[protocol]["interval"], color=color, alpha=0.5)
        ax.plot(fps, value, plots.MARKERS[(k + k // 8) % 8], color=color, markersize=8)
    ax.set(xscale="log", xlabel="frames per second", ylabel=score.upper())
    ax.set_ylim(0, None)
    ax.margins(x=0.15)
    ax.grid(alpha=0.3, which="both")
    plots.label_points(ax, {t: (row["fps"], row[protocol][score]) for t, row in rows.items()})
    listing = "; ".join(
        f"{t} {r[protocol][score]:.3f} at {r['fps']:,.0f} frames per second"
        for t, r in rows.items()
    )
    return figure, (
        f"{score.upper()} ({NAMES.get(protocol, protocol)}) with bootstrap intervals against "
        f"frames per second: {listing}."
    )


def ranks_plot(found: Mapping[str, Any]) -> tuple[Figure, str]:
    """The rank of each tracker under every protocol, of those that have been through all."""
    trackers, scores = found["trackers"], found["ranked_by"]
    protocols = [name for name in scores if any(name in row for row in trackers.values())]
    through = {t: row for t, row in trackers.items() if row.keys() >= set(protocols)}
    figure, axes = plots.new_figure(width=7.6, height=1.0 + ROW * len(through))
    ax: Axes = axes[0, 0]
    orders = [sorted(through, key=lambda t: -through[t][p][scores[p]]) for p in protocols]
    told = []
    for k, tracker in enumerate(through):
        ranks = [order.index(tracker) + 1 for order in orders]
        look = {"color": plots.CYCLE[k % 8], "linestyle": plots.LINES[(k // 8) % len(plots.LINES)]}
        ax.plot(range(len(protocols)), ranks, marker="o", **look)
        ax.annotate(tracker, (len(protocols) - 1, ranks[-1]), (6, -3), textcoords="offset points")
        told.append(f"{tracker} {', '.join(map(str, ranks))}")
    names = [NAMES.get(name, name) for name in protocols]
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel="rank", xlim=(-0.3, len(names)), yticks=range(1, len(through) + 1))
    ax.invert_yaxis()
    return figure, f"Rank of each tracker under {', '.join(names)}: {'; '.join(told)}."


def against_published(found: Mapping[str, Any]) -> tuple[Figure, str]:
    """The course's score of each system, with its interval, over what was published of the system
    of that name; a panel for each comparison in the table."""
    known = published_scores()
    looks: dict[str, int] = {}  # tracker → its place in the cycles of colours and markers
    dots: dict[str, Line2D] = {}
    figure, axes = plots.new_figure(columns=len(found["published"]), width=10.8, height=3.6)
    told = []
    for ax, pair in zip(axes.flat, found["published"], strict=True):
        protocol, column = pair.split(", ")
        score = found["ranked_by"][protocol]
        rows = {t: r[protocol] for t, r in found["trackers"].items() if protocol in r}
        for tracker in (name for name in rows if name in known[column]):
            row, theirs = rows[tracker], known[column][tracker]
            k = looks.setdefault(tracker, len(looks))
            color, marker = plots.CYCLE[k % 8], plots.MARKERS[(k + k // 8) % 8]
            ax.plot([theirs, theirs], row["interval"], color=color, alpha=0.5)
            (dot,) = ax.plot(theirs, row[score], marker, color=color, markersize=8)
            dots.setdefault(tracker, dot)
            told.append(f"{tracker} {theirs:.3f}, here {row[score]:.3f}")
        ax.set(xlabel=f"published, {column}", ylabel=f"here, {NAMES[protocol]}, {score.upper()}")
        ax.grid(alpha=0.3)
    figure.legend(dots.values(), dots.keys(), loc="outside right center", fontsize=9)
    return figure, f"Scores of the course's systems over published ones: {'; '.join(told)}."
