"""Widgets: a sequence player, a box picker, benches and explorers for trackers, proposals, receptive
fields, margins and attention, live training curves.

Each is an anywidget: a short ES module in the page that fetches no other file.
Where no kernel runs (GitHub, an HTML export) the same cell shows a still image with its
alternative text.

A widget's module is imported when the widget is first asked for: some need PyTorch, which takes
seconds to import, and the lessons before 04 do without it.
"""

from __future__ import annotations

import importlib
from typing import Any

MODULES = {
    "AnchorExplorer": "anchor_explorer",
    "AttentionExplorer": "attention_explorer",
    "BoxClimber": "box_climber",
    "BoxPicker": "box_picker",
    "ClassifierRoom": "classifier_room",
    "SequencePlayer": "sequence_player",
    "FieldExplorer": "field_explorer",
    "LiveCurves": "live_curves",
    "MarginExplorer": "margin_explorer",
    "HeadExplorer": "head_explorer",
    "MosseBench": "mosse_bench",
    "ProposalExplorer": "proposal_explorer",
    "ProtocolExplorer": "protocol_explorer",
    "ScoreMapExplorer": "score_maps",
    "ShiftExplorer": "shift_explorer",
    "SizeLoop": "size_loop",
    "TrackerBench": "tracker_bench",
    "TrackerRace": "race",
    "WindowBench": "window_bench",
}
__all__ = sorted(MODULES)


def __getattr__(name: str) -> Any:
    """Import the widget called `name`."""
    if name not in MODULES:
        raise AttributeError(f"course_lib.widgets has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"course_lib.widgets.{MODULES[name]}"), name)
