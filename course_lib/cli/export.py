"""`python -m course_lib export --weights NAME --to FILE.onnx`: a one-stream network for OpenCV."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from course_lib.cli.outputs import check_outputs, record_of
from course_lib.errors import SettingsError
from course_lib.files import whole_file
from course_lib.models.export import INPUTS, OPSET, OUTPUTS, export, needed_deviation
from course_lib.models.stems import MEAN
from course_lib.models.weights import find_weights, load_network, read_card


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    option = parser.add_argument
    option("--weights", required=True, help="a name or a .safetensors file of a onestream network")
    option("--to", required=True, type=Path, metavar="FILE.onnx", help="the file to write")


def run(arguments: argparse.Namespace) -> int:
    """Write the file and a record beside it, say how to use it."""
    path: Path = arguments.to
    if path.suffix != ".onnx":
        raise SettingsError(f"--to is {path}; expected a name that ends in .onnx")
    source, record = find_weights(arguments.weights), path.with_suffix(".json")
    check_outputs("export", record, [path], [source, source.with_suffix(".json")], "--to")
    network = load_network(arguments.weights)
    with whole_file(path) as part, whole_file(record) as facts:
        difference = export(network, part)
        deviation = needed_deviation(part)  # runs it in TrackerVit
        about = {
            "weights": str(arguments.weights),
            "sha256": read_card(source).get("sha256"),
            "inputs": INPUTS,
            "outputs": OUTPUTS,
            "opset": OPSET,
            "largest_difference": difference,
            # what TrackerVit must be given where the course is not there to give it
            "opencv": cv2.__version__,
            "frames": "RGB",
            "meanvalue": MEAN,
            "stdvalue": deviation,
        }
        facts.write_text(record_of("export", {path: part}, about), encoding="utf-8")
    print(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB) and {record} (what was exported)")
    print(f"OpenCV reads it, and its maps differ from PyTorch's by {difference:.0e} at most")
    print(
        "elsewhere: give TrackerVit frames in RGB, and stdvalue "
        f"({', '.join(f'{v:.6f}' for v in deviation)})"
    )
    print(
        f"in Python: course_lib.models.export.opencv_tracker({str(path)!r}) returns a "
        "cv2.TrackerVit with it, ready to run; give it frames in RGB"
    )
    return 0
