"""TraX, byte by byte: messages, images and boxes by hand, a client over pipes and over a port."""

from __future__ import annotations

import base64
import io
import os
import re
import socket
import subprocess
import sys

import cv2
import numpy as np
import pytest

from course_lib import cli
from course_lib.data.generated import make_sequence, random_spec
from course_lib.errors import CourseError, DataError
from course_lib.evaluation.otb import track
from course_lib.evaluation.trax import serve, state_of
from course_lib.evaluation.trax_messages import Message, box_of, image_of, parse_message
from course_lib.trackers import make_tracker

HELLO = (
    b'@@TRAX:hello "trax.version=1" "trax.name=NAME" "trax.identifier=NAME" '
    b'"trax.image=path;memory;buffer;" "trax.region=rectangle;"\n'
)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """A sequence of eight frames, and its frames as PNG files."""
    sequence = make_sequence(random_spec(750_001, length=8)).loaded()
    folder = tmp_path_factory.mktemp("frames of a clip")
    paths = [folder / f"{t + 1:04}.png" for t in range(len(sequence))]
    for path, frame in zip(paths, sequence.frames, strict=True):
        cv2.imwrite(str(path), frame[:, :, ::-1])
    return sequence, paths


@pytest.mark.parametrize(
    ("line", "kind", "arguments", "properties"),
    [
        ('@@TRAX:quit\n', "quit", (), {}),
        ('@@TRAX:quit \r\n', "quit", (), {}),
        ('@@TRAX:Frame "file:///a b.jpg" \n', "frame", ("file:///a b.jpg",), {}),
        ('@@TRAX:frame file:///a.jpg k=v\n', "frame", ("file:///a.jpg",), {"k": "v"}),
        ('@@TRAX:state "1,2,3,4" "confidence=.5"', "state", ("1,2,3,4",), {"confidence": ".5"}),
        (r'@@TRAX:frame "say \"a\\n\"" "k=two\nlines=="', "frame", ('say "a\\n"',),
         {"k": "two\nlines=="}),
        # Base64 ends in "=", which makes no key of what stands before it
        ('@@TRAX:frame "image:1;1;gray8;AA=="', "frame", ("image:1;1;gray8;AA==",), {}),
        ('@@TRAX:frame "=x" "a-b=x" ""', "frame", ("=x", "a-b=x", ""), {}),
        ('@@TRAX:frame ' + "k" * 65 + "=v", "frame", ("k" * 65 + "=v",), {}),
        (r'@@TRAX:frame a\ b', "frame", ("a b",), {}),
    ],
)  # fmt: skip
def test_messages_by_hand(line, kind, arguments, properties):
    assert parse_message(line) == Message(kind, arguments, properties)


@pytest.mark.parametrize(
    "line", ["", "\n", "loading…\n", " @@TRAX:quit\n", "x@@TRAX:quit", "@@TRAX"]
)
def test_other_output_is_no_message(line):
    assert parse_message(line) is None


@pytest.mark.parametrize(
    "line", ['@@TRAX:frame "a', '@@TRAX:frame "a"b"', "@@TRAX:frame-x", '@@TRAX:"a"']
)
def test_what_is_no_message_after_the_prefix_is_named(line):
    with pytest.raises(DataError, match=re.escape(repr(line)[:20])):
        parse_message(line)


def test_what_is_written_is_what_is_read():
    rng = np.random.default_rng(0)
    signs = list(' "\\\n=;,:abn.é')
    for _ in range(300):
        words = ["".join(rng.choice(signs, rng.integers(0, 9))) for _ in range(3)]
        # a text that looks like a key and a value is a property to every reader
        words = [w for w in words if not re.match(r"[A-Za-z0-9._]+=", w)]
        told = Message("state", tuple(words), {"k.1": "".join(rng.choice(signs, 5))})
        line = told.line()
        assert line.count("\n") == 1 and line.endswith("\n")
        assert parse_message(line) == told


def test_a_message_as_it_is_sent():
    told = Message("state", ('1,2 "x"',), {"a.b": "c\\d\ne"})
    assert told.line() == '@@TRAX:state "1,2 \\"x\\"" "a.b=c\\\\d\\ne"\n'


def test_images_from_memory_and_files(tmp_path):
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 9
    pixels = base64.b64encode(image.tobytes()).decode()
    assert np.array_equal(image_of(f"image:3;2;rgb;{pixels}"), image)
    grey = base64.b64encode(image[..., 1].tobytes()).decode()
    assert np.array_equal(image_of(f"image:3;2;gray8;{grey}"), np.repeat(image[..., 1:2], 3, 2))
    encoded = cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()
    text = base64.b64encode(encoded).decode()
    for address in (
        f"data:image/png;{text}",
        f"data:image/png;base64;{text}",
        f"data:image/png;base64,{text}",
    ):
        assert np.array_equal(image_of(address), image)
    path = tmp_path / "a file.png"
    path.write_bytes(encoded)
    for address in (f"file://{path}", f"file:{path}", str(path)):
        assert np.array_equal(image_of(address), image)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file:///no/such.jpg", "/no/such.jpg does not exist"),
        ("image:3;2;rgb;AAAA", "3 bytes for an image of 3×2 pixels; expected 18"),
        (
            "image:3;2;gray16;AAAA",
            "expected width;height;format; and pixels in Base64, the format one of rgb, gray8",
        ),
        ("image:0;2;rgb;", "'0;2;rgb;'"),
        ("image:3;-2;rgb;AAAA", "'3;-2;rgb;AAAA'"),
        ("image:3;2", "'3;2'"),
        ("image:1;1;rgb;A*A", "not Base64"),
        ("data:image/png;AAAA", "3 bytes as image/png, which do not decode"),
        ("data:image/png;", "0 bytes as image/png"),
        ("data:video/mp4;AAAA", "an image as 'video/mp4'"),
        ("http://a/b.jpg", "an image 'http://a/b.jpg'"),
    ],
)
def test_what_is_no_image_is_named(text, words):
    with pytest.raises(DataError, match=re.escape(words)):
        image_of(text)


def test_regions_by_hand():
    assert box_of("1.5,2,30,4e1").tolist() == [1.5, 2, 30, 40]
    assert box_of("10,5,20,1,12,9").tolist() == [10, 1, 10, 8]
    assert box_of("0,0,4,0,4,3,0,3").tolist() == [0, 0, 4, 3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "1,2,3,4,5,6,7",
        "1,2,x,4",
        "nan,1,2,3",
        "m0,0,2,1,0,2",
        "inf,0,1,1",
    ],
)
def test_what_is_no_region_is_named(text):
    with pytest.raises(DataError, match=re.escape(f"a region {text!r}")):
        box_of(text)


def test_states_by_hand():
    assert state_of(np.array([1, 2.00006, 1 / 3, 4]), 0.25).line() == (
        '@@TRAX:state "1.0000,2.0001,0.3333,4.0000" "confidence=0.25"\n'
    )
    assert (
        state_of(np.full(4, np.nan), np.nan).line()
        == '@@TRAX:state "0.0000,0.0000,0.0000,0.0000"\n'
    )


def talk(lines: bytes, name="mosse", **settings) -> tuple[list[bytes], int]:
    """What is sent in answer to a client's bytes, and the count."""
    sent = []
    count = serve(lambda: make_tracker(name, **settings), "NAME", io.BytesIO(lines), sent.append)
    return sent, count


def address(path) -> bytes:
    return f'"file://{path}"'.encode()


def region(box) -> bytes:
    return ('"' + ",".join(f"{v:.4f}" for v in box) + '"').encode()


def test_a_session_byte_by_byte(filmed):
    """Stay-put's answers are known: a session with two starts, with what a program prints between."""
    _, paths = filmed
    a, b = address(paths[0]), address(paths[1])
    sent, count = talk(
        b"loading\n@@TRAX:initialize " + a + b' "1,2,30,40" "seed=4" \n'
        b"@@TRAX:frame " + b + b"\n\n@@TRAX:initialize " + b + b' "9,8,20,10,30,0"\n'
        b"@@TRAX:frame " + a + b' "note=x"\n@@TRAX:quit \n@@TRAX:frame ' + a + b"\n",
        "stay-put",
    )  # fmt: skip
    assert sent == [
        HELLO,
        b'@@TRAX:state "1.0000,2.0000,30.0000,40.0000"\n',
        b'@@TRAX:state "1.0000,2.0000,30.0000,40.0000"\n',
        b'@@TRAX:state "9.0000,0.0000,21.0000,10.0000"\n',
        b'@@TRAX:state "9.0000,0.0000,21.0000,10.0000"\n',
    ]
    assert count == 4


def messages(sequence, images) -> bytes:
    """A client's messages for one pass, from the frames' arguments."""
    lines = [b"@@TRAX:initialize " + images[0] + b" " + region(sequence.boxes[0])]
    lines += [b"@@TRAX:frame " + image for image in images[1:]]
    return b"\n".join([*lines, b"@@TRAX:quit\n"])


def in_memory(frame) -> bytes:
    H, W = frame.shape[:2]
    return f'"image:{W};{H};rgb;{base64.b64encode(frame.tobytes()).decode()}"'.encode()


def as_png(frame) -> bytes:
    encoded = cv2.imencode(".png", frame[:, :, ::-1])[1].tobytes()
    return f'"data:image/png;{base64.b64encode(encoded).decode()}"'.encode()


@pytest.mark.parametrize("kind", ["path", "memory", "buffer"])
def test_boxes_and_confidence_are_those_of_one_pass(filmed, kind):
    sequence, paths = filmed
    told = {"path": paths, "memory": sequence.frames, "buffer": sequence.frames}[kind]
    argument = {"path": address, "memory": in_memory, "buffer": as_png}[kind]
    sent, count = talk(messages(sequence, [argument(one) for one in told]))
    states = [parse_message(line.decode()) for line in sent[1:]]
    boxes = [[float(v) for v in state.arguments[0].split(",")] for state in states]
    np.testing.assert_allclose(boxes, track(make_tracker("mosse"), sequence).boxes, atol=1e-3)
    assert count == len(sequence) and "confidence" not in states[0].properties
    assert all(float(state.properties["confidence"]) > 5 for state in states[1:])


def test_each_start_gets_a_fresh_tracker(filmed):
    """A random walk continues its random numbers if it is not made anew."""
    sequence, paths = filmed
    one = messages(sequence, [address(p) for p in paths[:4]]).replace(b"@@TRAX:quit\n", b"")
    sent, _ = talk(one + one, "random-walk")
    assert sent[1:5] == sent[5:9] and len(set(sent[1:5])) == 4


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (b'@@TRAX:frame "file:///a.jpg"\n', "a frame before initialize"),
        (
            b'@@TRAX:initialize "file:///a.jpg"\n',
            "initialize with 1 arguments; expected 2: an image and a box",
        ),
        (b'@@TRAX:initialize "1,2,3,4"\n@@TRAX:frame\n', "initialize with 1 arguments"),
        (b'@@TRAX:initialize "file:///no.jpg" "1,2,3,4"\n', "/no.jpg does not exist"),
        (b'@@TRAX:initialize "file:///no.jpg" "mask"\n', "a region 'mask'"),
        (b"@@TRAX:state\n", "'state'; expected initialize, frame or quit"),
        (b'@@TRAX:frame "a\n', "expected a message of TraX"),
    ],
)
def test_a_wrong_message_ends_the_session_with_its_reason(lines, words):
    sent = []
    with pytest.raises(CourseError, match=re.escape(words)):
        serve(lambda: make_tracker("stay-put"), "NAME", io.BytesIO(lines), sent.append)
    last = parse_message(sent[-1].decode())
    assert last.kind == "quit" and words in last.properties["trax.reason"]


def test_the_end_of_the_stream_is_the_end(filmed):
    sent, count = talk(b"@@TRAX:initialize " + address(filmed[1][0]) + b' "1,2,30,40"')
    assert len(sent) == 2 and count == 1


COMMAND = [sys.executable, "-m", "course_lib", "trax"]


def start(*words, **variables):
    """The command, as an evaluation program starts it."""
    return subprocess.Popen(
        [*COMMAND, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **variables},
    )


def test_a_client_over_pipes_waits_for_each_answer(filmed):
    """Nothing is held back: each state arrives before the next frame is sent."""
    sequence, paths = filmed
    with start("--tracker", "mosse", "--set", "rate=0.2") as server:
        got = [server.stdout.readline()]
        for line in messages(sequence, [address(p) for p in paths]).splitlines()[:-1]:
            server.stdin.write(line + b"\n")
            server.stdin.flush()
            got.append(server.stdout.readline())
        server.stdin.write(b"@@TRAX:quit\n")
        rest, told = server.communicate(timeout=60)
    assert got[0] == HELLO.replace(b"NAME", b"mosse") and rest == b"" and server.returncode == 0
    boxes = [[float(v) for v in parse_message(g.decode()).arguments[0].split(",")] for g in got[1:]]
    truth = track(make_tracker("mosse", rate=0.2), sequence).boxes
    np.testing.assert_allclose(boxes, truth, atol=1e-3)
    assert told.strip() == b"mosse: 8 frames"


def test_a_client_at_a_port(filmed):
    _, paths = filmed
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        port = str(listening.getsockname()[1])
        with start("--tracker", "stay-put", TRAX_SOCKET=port) as server:
            connected, _ = listening.accept()
            with connected, connected.makefile("rwb") as stream:
                assert stream.readline() == HELLO.replace(b"NAME", b"stay-put")
                stream.write(b"@@TRAX:initialize " + address(paths[0]) + b' "1,2,30,40"\n')
                stream.flush()
                assert stream.readline() == b'@@TRAX:state "1.0000,2.0000,30.0000,40.0000"\n'
                stream.write(b"@@TRAX:quit\n")
                stream.flush()
                assert stream.readline() == b""
            assert server.communicate(timeout=60)[0] == b"" and server.returncode == 0


def test_wrong_settings_are_said_before_the_client_is_greeted(capfd, monkeypatch):
    monkeypatch.delenv("TRAX_SOCKET", raising=False)
    assert cli.main(["trax", "--tracker", "mosse", "--set", "rat=1"]) == 2
    assert cli.main(["trax", "--tracker", "stay-put", "--redetect"]) == 2
    told = capfd.readouterr()
    assert told.out == "" and "did you mean 'rate'" in told.err
    assert "tracker stay-put cannot be told where its target is" in told.err


@pytest.mark.parametrize(
    ("port", "words"),
    [
        ("abc", "TRAX_SOCKET is 'abc'"),
        ("99999", "is '99999'"),
        ("1", "no client answers at port 1"),
    ],
)
def test_a_port_without_a_client_is_named(port, words, monkeypatch, capfd):
    monkeypatch.setenv("TRAX_SOCKET", port)
    assert cli.main(["trax", "--tracker", "stay-put"]) == 2
    assert words in capfd.readouterr().err
