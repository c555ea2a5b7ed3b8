"""The evaluation protocols: one table, `PROTOCOLS`.

A row says how a tracker is run on a sequence, which files keep the results, how they are scored
and what columns their table has. All code that runs, records, exports, reports or lists protocols
asks the row, so a new protocol is one row here and its tests.
"""

from __future__ import annotations

from course_lib.data.sequence import Sequence
from course_lib.evaluation.longterm import run_reporting
from course_lib.evaluation.multistart import run_multistart
from course_lib.evaluation.otb import track
from course_lib.evaluation.protocol import Factory, Protocol, Scored
from course_lib.evaluation.realtime import Realtime, run_realtime
from course_lib.evaluation.scored_protocols import LongTerm, MultiStart, Quality, Supervised
from course_lib.evaluation.tre_sre import sre, sre_boxes, tre, tre_starts
from course_lib.evaluation.vot import run_supervised
from course_lib.lookup import row

__all__ = ["PROTOCOLS", "Factory", "Protocol", "Scored", "Supervised", "protocol_named"]


def _tre_starts(sequence: Sequence) -> dict[str, int]:
    return {f"{start:05d}": start for start in tre_starts(sequence.boxes, sequence.omitted)}


def _sre_starts(sequence: Sequence) -> dict[str, int]:
    return dict.fromkeys(sre_boxes([0, 0, 10, 10], 100, 100), 0)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "ope",
            lambda make, q: [track(make(), q)],
            experiment="unsupervised",
            lockstep=True,
            repetitions=3,  # GOT-10k's; OTB's toolkits run it once
        ),
        Protocol("tre", lambda make, q: [r for _, r in tre(make, q)], _tre_starts),
        Protocol("sre", lambda make, q: list(sre(make, q).values()), _sre_starts),
        Protocol("realtime", lambda make, q: [run_realtime(make(), q)], lambda q: {"0": 0}),
        Supervised(
            "vot",
            lambda make, q: [run_supervised(make, q)],
            experiment="baseline",
            repetitions=15,
        ),
        Supervised(
            "vot-realtime",
            lambda make, q: [run_supervised(lambda: Realtime(make()), q)],
            experiment="realtime",
            title="VOT supervised, in real time",
        ),
        MultiStart("multistart", run_multistart, experiment="baseline"),
        MultiStart(
            "multistart-realtime",
            lambda make, q: run_multistart(lambda: Realtime(make()), q),
            experiment="realtime",
            title="VOT multi-start, in real time",
        ),
        LongTerm("longterm", lambda make, q: [run_reporting(make(), q)], experiment="longterm"),
        Quality("vots", lambda make, q: [run_reporting(make(), q)], experiment="baseline"),
    )
}


def protocol_named(name: str) -> Protocol:
    """The row of a protocol. Raises SettingsError, naming the nearest, if unknown."""
    return row(PROTOCOLS, name, "protocol")
