"""Messages of TraX: lines in quotes and what they carry, images and boxes; see `trax`."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from course_lib.data.frames import read_image
from course_lib.errors import DataError
from course_lib.geometry.boxes import bounding_box

PREFIX = "@@TRAX:"
KEY = re.compile(r"[A-Za-z0-9._]{1,64}")
# one argument and the blanks before it: in quotes, or without; a backslash escapes what follows
ARGUMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|((?:[^\s"\\]|\\.)(?:[^\s\\]|\\.)*))')
CHANNELS = {"rgb": 3, "gray8": 1}  # bytes per pixel of an image in memory
ENCODED = ("image/jpeg", "image/png")
IMAGES = "path;memory;buffer;"
SHOWN = 60  # characters of a line in an error's sentence


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        kind: hello, initialize, frame, state or quit.
        arguments: those without a key: images and boxes, as text.
        properties: those with one.
    """

    kind: str
    arguments: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """The message as it is sent, with the line's end."""
        named = [f"{key}={value}" for key, value in self.properties.items()]
        return " ".join([PREFIX + self.kind, *map(_quoted, (*self.arguments, *named))]) + "\n"


def _quoted(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def parse_message(line: str) -> Message | None:
    """The message in a line, None for a line without the prefix.

    Raises DataError if what follows the prefix is not a message.
    """
    if not line.startswith(PREFIX):
        return None
    head = re.match(r"[A-Za-z0-9]*", line[len(PREFIX) :])[0]
    rest = line[len(PREFIX) + len(head) :].rstrip("\r\n")
    arguments, properties = [], {}
    for text in _split(rest, line):
        key, equals, value = text.partition("=")
        if equals and KEY.fullmatch(key):
            properties[key] = value
        else:  # the "=" of Base64 is no key's
            arguments.append(text)
    return Message(head.lower(), tuple(arguments), properties)


def _split(rest: str, line: str) -> Iterator[str]:
    """The arguments after a message's name, without quotes and escapes."""
    if rest and not rest[0].isspace():
        raise _no_message(line)
    place = 0
    while rest[place:].strip():
        found = ARGUMENT.match(rest, place)
        if found is None:
            raise _no_message(line)
        place = found.end()
        text = found[1] if found[1] is not None else found[2]
        yield re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)


def _no_message(line: str) -> DataError:
    return DataError(
        f"the client sent {line.rstrip()[:SHOWN]!r}; expected a message of TraX: a name, then "
        "arguments in quotes with blanks between"
    )


def image_of(text: str) -> np.ndarray:
    """Frame (H, W, 3) from an argument: a path, pixels in memory, or a JPEG or PNG file in Base64.

    Raises DataError, MissingDataError among them, if there is no such image.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme == "file" or len(scheme) == 1:  # "c:" is a Windows drive
        return read_image(Path(rest.removeprefix("//") if scheme == "file" else text))
    if scheme == "image":
        return _from_memory(rest)
    if scheme == "data":
        return _from_file(rest)
    raise DataError(
        f"the client sent an image {text[:SHOWN]!r}; expected one of {IMAGES} as in file:///a.jpg"
    )


def _from_memory(text: str) -> np.ndarray:
    """Frame (H, W, 3) from "width;height;format;Base64", rows from the top, red first."""
    parts = text.split(";", 3)
    numbers = [int(part) if part.isdecimal() else 0 for part in parts[:2]]
    if len(parts) < 4 or min(numbers) < 1 or parts[2].lower() not in CHANNELS:
        raise DataError(
            f"the client sent an image {text[:SHOWN]!r}; expected width;height;format; and "
            f"pixels in Base64, the format one of {', '.join(CHANNELS)}"
        )
    (W, H), C = numbers, CHANNELS[parts[2].lower()]
    values = np.frombuffer(_bytes_of(parts[3]), np.uint8)
    if values.size != H * W * C:
        raise DataError(
            f"the client sent {values.size} bytes for an image of {W}×{H} pixels; expected "
            f"{H * W * C}"
        )
    image = values.reshape(H, W, C)
    return np.repeat(image, 3 // C, axis=2)  # (H, W, 3)


def _from_file(text: str) -> np.ndarray:
    """Frame (H, W, 3) from "image/jpeg;Base64", or with "base64" before it as in the web's data
    addresses."""
    kind, _, rest = text.partition(";")
    if kind.lower() not in ENCODED:
        raise DataError(f"the client sent an image as {kind[:SHOWN]!r}; expected {ENCODED}")
    encoded = np.frombuffer(_bytes_of(re.sub(r"^base64[;,]", "", rest)), np.uint8)
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None  # (H, W, 3) or None
    if image is None:
        raise DataError(
            f"the client sent {encoded.size} bytes as {kind}, which do not decode; expected a "
            "whole file"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as problem:
        raise DataError(f"the client sent an image that is not Base64 ({problem})") from None


def box_of(text: str) -> np.ndarray:
    """Box (4,) from "x,y,w,h", or around a polygon of three points or more, "x,y,x,y,x,y".

    Raises DataError for anything else, such as a mask.
    """
    try:
        numbers = np.array([float(word) for word in text.split(",")])
    except ValueError:
        numbers = np.empty(0)
    count = len(numbers)
    if not np.isfinite(numbers).all() or (count != 4 and (count < 6 or count % 2)):
        raise DataError(
            f"the client sent a region {text[:SHOWN]!r}; expected a rectangle x,y,w,h or a "
            "polygon. This tracker does not accept masks."
        )
    return numbers if count == 4 else bounding_box(numbers)
