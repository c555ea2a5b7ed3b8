"""One page on an entry: what a tracker beats, how surely, and where it fails worst.

The page is one HTML file with its figures inside; it refers to nothing else.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.errors import SettingsError
from course_lib.evaluation.bootstrap import Spread, draws
from course_lib.evaluation.otb import track
from course_lib.files import write_whole
from course_lib.geometry.boxes import iou
from course_lib.trackers.base import Tracker

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border-bottom:1px solid #999;padding:.3rem .8rem;"
    "text-align:left}figure{margin:1rem 0}"
)
FRAMES, FAILURES = 4, 3  # frames of each of the worst failures, and how many of these
ORDER = ("worst", "second worst", "third worst")


@dataclass(frozen=True, eq=False)
class EntryScores:
    """An entry and its rivals on the same sequences.

    Attributes:
        name: of the entry.
        sequences: S of them.
        boxes: the entry's, (T, 4) for each sequence.
        scores: mean IoU (S,) after the first frame, by tracker, the entry's first.
    """

    name: str
    sequences: tuple[Sequence, ...]
    boxes: tuple[np.ndarray, ...]
    scores: dict[str, np.ndarray]

    def ahead_of(self, rival: str) -> Spread:
        """By how much the entry's mean IoU is higher, with its interval over drawn sequences."""
        apart = self.scores[self.name] - self.scores[rival]  # (S,)
        drawn = draws(len(apart)) @ apart / len(apart)  # (B,)
        return Spread.of(apart.mean(), drawn)

    @property
    def from_worst(self) -> list[int]:
        """The sequences, that with the entry's lowest mean IoU first."""
        return np.argsort(self.scores[self.name], kind="stable").tolist()


def score_entry(
    entry: Callable[[], Tracker],
    rivals: Mapping[str, Callable[[], Tracker]],
    sequences: Items[Sequence],
    name: str = "",
) -> EntryScores:
    """One pass of an entry and of each rival over every sequence.

    Args:
        entry: makes the tracker.
        rivals: by name, what makes them.
        sequences: at least two, so that there is an interval.
        name: of the entry; by default its own.

    Raises:
        SettingsError: for fewer than two sequences, no rival, or a rival with the entry's name.
        DataError: if a tracker returns anything but a box.
    """
    name = name or entry().name
    if len(sequences) < 2 or not rivals or name in rivals:
        raise SettingsError(
            f"{len(sequences)} sequences and the rivals {', '.join(rivals) or 'none'} were given "
            f"for the entry {name!r}; expected at least two sequences and a rival with another name"
        )
    scores, boxes = {}, ()
    for label, make in {name: entry, **rivals}.items():
        found = tuple(track(make(), sequence).boxes for sequence in sequences)
        boxes = boxes or found
        scores[label] = np.array(
            [np.nanmean(iou(b[1:], s.boxes[1:])) for b, s in zip(found, sequences, strict=True)]
        )
    return EntryScores(name, tuple(sequences), boxes, scores)


def entry_report(scores: EntryScores, path: Path, words: str = "") -> Path:
    """Write a page of HTML on an entry; returns its path.

    Args:
        scores: see `score_entry`.
        path: of the file, which is replaced if there is one.
        words: of its author on how it works.
    """
    title = html.escape(f"The entry {scores.name}")
    failures = [failure_figure(scores, k) for k in range(min(FAILURES, len(scores.sequences)))]
    figures = "".join(
        f"<figure>{plots.image_html(plots.to_png(figure), alt)}"
        f"<figcaption>{html.escape(alt)}</figcaption></figure>"
        for figure, alt in (scores_figure(scores), *failures)
    )
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1><p>{html.escape(words)}</p>"
        f"<p>Mean IoU after the first frame, one pass over {len(scores.sequences)} sequences: "
        f"{scores.scores[scores.name].mean():.3f}. Intervals come from a bootstrap over the "
        "sequences, with the same draws for both trackers: what other sequences <em>of this "
        f"kind</em> might have shown.</p>{_table(scores)}{figures}</body></html>\n"
    )
    write_whole(path, page)
    return path


def _table(scores: EntryScores) -> str:
    """What the entry beats, as a table of HTML."""
    head = ("rival", "its mean IoU", "entry minus rival", "95 %", "entry higher on", "verdict")
    rows = []
    for rival, of in list(scores.scores.items())[1:]:
        apart = scores.ahead_of(rival)
        more = int((scores.scores[scores.name] > of).sum())
        cells = (
            rival,
            f"{of.mean():.3f}",
            f"{apart.value:+.3f}",
            f"{apart.low:+.3f} to {apart.high:+.3f}",
            f"{more} of {len(of)}",
            verdict(apart),
        )
        rows.append("".join(f"<td>{html.escape(cell)}</td>" for cell in cells))
    headings = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table>"


def verdict(apart: Spread) -> str:
    """ "beaten", "not beaten", or "open" where the interval reaches over zero."""
    return "beaten" if apart.low > 0 else "not beaten" if apart.high < 0 else "open"


def scores_figure(scores: EntryScores) -> tuple[Figure, str]:
    """Mean IoU on each sequence, tracker by tracker, and the alternative text."""
    figure, axes = plots.new_figure(width=7.0, height=2.8)
    plots.draw_seeds(axes[0, 0], scores.scores)
    axes[0, 0].set(ylabel="mean IoU", ylim=(0, 1))
    told = ", ".join(f"{name} {of.mean():.3f}" for name, of in scores.scores.items())
    return figure, f"Mean IoU on each sequence, a dot for each, a bar for the mean: {told}."


def failure_figure(scores: EntryScores, rank: int = 0) -> tuple[Figure, str]:
    """Frames of a sequence that went badly, the IoU along it, and the alternative text.

    `rank` counts from the lowest score, 0.
    """
    place = scores.from_worst[rank]
    sequence, boxes = scores.sequences[place], scores.boxes[place]
    overlap = iou(boxes, sequence.boxes)  # (T,), NaN where the target is absent
    missed = np.flatnonzero(overlap == 0)
    first = int(missed[0]) if len(missed) else int(np.nanargmin(overlap))
    last = len(boxes) - 1
    shown = sorted({max(0, first // 2), first, (first + last) // 2, last})[:FRAMES]
    figure, axes = plots.new_figure(
        width=9.0, height=3.6, rows=2, columns=FRAMES, height_ratios=[1.6, 1]
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, t in zip(axes[0], shown, strict=False):
        plots.show_frame(ax, sequence.frames[t], f"frame {t}", sequence.boxes[t], boxes[t])
    line = figure.add_subplot(axes[1, 0].get_gridspec()[1, :])
    line.plot(overlap, color=plots.CYCLE[0])
    for t in shown:
        line.axvline(t, color="0.6", linewidth=0.8)
    line.set(xlabel="frame", ylabel="IoU", ylim=(0, 1), xlim=(0, last))
    said = f"is first 0 in frame {first}" if len(missed) else f"is lowest in frame {first}"
    return figure, (
        f"The {ORDER[rank]} failure: {sequence.name}, mean IoU "
        f"{scores.scores[scores.name][place]:.3f}. "
        f"Frames {', '.join(map(str, shown))} with the true box (solid) and the entry's (dashed), "
        f"and the IoU along the sequence, which {said}."
    )
