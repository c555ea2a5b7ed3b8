"""Pictures to play with: a clip player, a box picker, benches for MOSSE, SiamFC, proposals, receptive fields and margins, live training curves.

Each is an anywidget: a short ES module drawn in the page, with no file fetched from elsewhere. Where no kernel
runs (GitHub, an HTML export) the same cell shows a still picture with its alternative text.
"""

from course_lib.widgets.anchor_explorer import AnchorExplorer
from course_lib.widgets.box_picker import BoxPicker
from course_lib.widgets.clip_player import ClipPlayer
from course_lib.widgets.field_explorer import FieldExplorer
from course_lib.widgets.live_curves import LiveCurves
from course_lib.widgets.margin_playground import MarginPlayground
from course_lib.widgets.match_switchboard import MatchSwitchboard
from course_lib.widgets.mosse_bench import MosseBench
from course_lib.widgets.proposal_theatre import ProposalTheatre
from course_lib.widgets.score_maps import ScoreMapExplorer
from course_lib.widgets.shift_explorer import ShiftExplorer
from course_lib.widgets.window_bench import WindowBench

__all__ = [
    "AnchorExplorer",
    "BoxPicker",
    "ClipPlayer",
    "FieldExplorer",
    "LiveCurves",
    "MarginPlayground",
    "MatchSwitchboard",
    "MosseBench",
    "ProposalTheatre",
    "ScoreMapExplorer",
    "ShiftExplorer",
    "WindowBench",
]
