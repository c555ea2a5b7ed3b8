"""`python -m course_lib trax --tracker NAME`: let an evaluation program such as VOT's toolkit drive
a tracker, by the TraX protocol."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import BinaryIO

from course_lib.cli.track import add_tracker_arguments, make_chosen
from course_lib.errors import CourseError, SettingsError
from course_lib.evaluation.trax import serve
from course_lib.trackers.base import Tracker
from course_lib.trackers.redetection import with_redetection

PORT = "TRAX_SOCKET"  # the environment variable in which a client names its port
Streams = tuple[BinaryIO, Callable[[bytes], object]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_tracker_arguments(parser)
    parser.add_argument(
        "--redetect",
        action="store_true",
        help="search everywhere when the target is lost, see trackers/redetection.py",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve one client on standard input and output, or on the port that it names."""

    def make() -> Tracker:
        tracker = make_chosen(arguments)
        return with_redetection(tracker) if arguments.redetect else tracker

    name = make().name  # wrong settings are reported before the client is greeted
    with _streams() as (lines, send), redirect_stdout(sys.stderr):
        count = serve(make, name, lines, send)
    print(f"{name}: {count} frames", file=sys.stderr)
    return 0


@contextmanager
def _streams() -> Iterator[Streams]:
    """Where the client's messages come from, and what sends ours."""
    port = os.environ.get(PORT, "")
    if not port:
        yield sys.stdin.buffer, _sender(sys.stdout.buffer)
        return
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise SettingsError(f"{PORT} is {port!r}; expected the number of the client's port")
    try:
        connected = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
    except OSError as problem:
        raise CourseError(
            f"no client answers at port {port}, which {PORT} names ({problem}); start the "
            f"evaluation program, which starts this command, or unset {PORT}"
        ) from None
    with connected:
        connected.settimeout(None)  # a client may wait as long as it likes between frames
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connected.makefile("rb") as lines:
            yield lines, connected.sendall


def _sender(stream: BinaryIO) -> Callable[[bytes], object]:
    def send(text: bytes) -> None:
        stream.write(text)
        stream.flush()

    return send
