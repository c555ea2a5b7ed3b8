"""A notebook with every widget, the servers that show it, and headless Chromium to drive it."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")
TOKEN = "only-for-this-test"
CELLS = [
    """
import numpy as np
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.models.device import Placement
from course_lib.models.runtime import SiamFCRuntime
from course_lib.widgets import AnchorExplorer, BoxPicker, SequencePlayer, FieldExplorer, MarginExplorer, ShiftExplorer
from course_lib.training.loop import Progress
from course_lib.widgets import LiveCurves, HeadExplorer, ProposalExplorer, SizeLoop, WindowBench
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.runtime import ProposalRuntime
from course_lib.widgets import BoxClimber, ClassifierRoom, MosseBench, ScoreMapExplorer
from course_lib.widgets import TrackerBench, TrackerRace
from course_lib.models.atom import ATOM
from course_lib.models.onestream import OneStream
from course_lib.widgets import AttentionExplorer
from course_lib.models.runtime_online import OnlineRuntime
from course_lib.trackers.atom import ATOMSettings, ATOMTracker
from course_lib.widgets.score_maps import untrained
import torch
torch.manual_seed(0)
rng = np.random.default_rng(1)
square = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
frames = np.full((40, 180, 240, 3), 90, np.uint8)
boxes = np.array([[30 + 2 * t, 40 + t, 48, 48] for t in range(40)], float)
for frame, (x, y, w, h) in zip(frames, boxes.astype(int)):
    frame[y:y + h, x:x + w] = square
other = boxes + [6, 0, 0, 0]
other[20:] = np.nan
sequence = Sequence("square", ArrayFrames(frames), boxes, tags={"occlusion": np.arange(40) // 5 == 4})
""",
    "player = SequencePlayer(sequence, {'other': other})\nplayer",
    "picker = BoxPicker(sequence)\npicker",
    "bench = MosseBench(sequence)\nbench",
    "small = SiamFCRuntime(untrained(widths=(4, 8, 8, 8, 4)), Placement(torch.device('cpu'), "
    "bf16=False))\n"
    "maps = ScoreMapExplorer(sequence, sequence.part(20), {'one': small, 'two': small})\nmaps",
    "anchors = AnchorExplorer(np.full((255, 255, 3), 90, np.uint8), [95.5, 95.5, 64, 64])\nanchors",
    "fields = FieldExplorer(np.tile(square, (3, 3, 1))[:127, :127])\nfields",
    "margins = MarginExplorer(sequence, untrained(widths=(4, 8, 8, 8, 4)).eval())\nmargins",
    "shifts = ShiftExplorer(frames[0], boxes[0])\nshifts",
    "windows = WindowBench(sequence.part(0, 6), small)\nwindows",
    "rpn = ProposalRuntime(SiamRPN('depthwise', 4, widths=(4, 8, 8, 8, 4), groups=2).eval(), "
    "small.placement)\n"
    "explorer = ProposalExplorer(sequence.part(0, 5), rpn)\nexplorer",
    "board = HeadExplorer(sequence.part(0, 6), sequence.part(20, 24), {'one': small, 'two': rpn})\nboard",
    "progress = Progress(20, 40, 8, loss=0.5, rate=0.1)\nprogress.seconds['network'] = 2.0\n"
    "progress.curve.append((20, 0.6))\ncurves = LiveCurves(every=0.0)\ncurves",
    "loop = SizeLoop({'one': [-0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4]})\nloop",
    "from course_lib.geometry.anchors import overlaps\n"
    "there = torch.from_numpy(boxes[20:21]).float()\n"
    "climber = BoxClimber(frames[20], boxes[20], lambda b: overlaps(b, there)[0])\nclimber",
    "atom = OnlineRuntime(ATOM('alexnet', 8, widths=(8,) * 5).eval(), small.placement)\n"
    "room = ClassifierRoom(sequence.part(0, 6), ATOMTracker(ATOMSettings(), atom))\nroom",
    "stream = OneStream('patches', 24, 2, 3, 2, 16, eliminate=(1,), keep=0.5)\n"
    "attention = AttentionExplorer(sequence.part(0, 6), stream)\nattention",
    "live = TrackerBench()\nlive",
    "race = TrackerRace(sequence, {'truth': boxes, 'other': other})\nrace",
    "from course_lib.trackers.baselines import StayPut\nfrom course_lib.widgets import ProtocolExplorer\n"
    "protocol = ProtocolExplorer(sequence, StayPut)\nprotocol",
    "progress.step += 1\ncurves(progress)\nprint('read:', player.frame, picker.box, "
    "round(picker.iou, 2), round(bench.rate, 3), bench.frame,"
    " f\"cell {anchors.values['row']:.0f} {anchors.values['column']:.0f}\", "
    "fields.readout.split(',')[0],"
    " 'margins', float(margins.values['margin']), margins.values['loss'], "
    "shifts.readout.split(';')[0],"
    " *[dict(w.values) for w in (windows, explorer, board, room, attention, protocol)],"
    " 'climbed', climber.step, [round(v) for v in climber.box], round(climber.values['length']),"
    " 'rate', loop.values['rate'], loop.values['response'], dict(maps.values), maps.box)",
]
# of the widgets, in the order of the page: a cell ends with its widget's
NAMES = tuple(cell.splitlines()[-1] for cell in CELLS[1:-1])
# the toolbar's circle shows idle before the notebook has its kernel, and cells run then would be
# lost
READY = """
const session = window.jupyterapp?.shell.currentWidget?.context?.sessionContext;
return Boolean(session?.isReady && session.session?.kernel?.status === 'idle');
"""
# every visible text against the first opaque background behind it: WCAG's contrast, at least 4.5
CONTRAST = """
const light = (rgb) => rgb.map((v) => v / 255).map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const behind = (node) => { for (; node; node = node.parentElement) {
  const c = parse(getComputedStyle(node).backgroundColor); if (c.length === 3 || c[3] > .99) return c.slice(0, 3); }
  return [255, 255, 255]; };
return [...document.querySelectorAll('.tc-widget *')].filter((node) => [...node.childNodes].some((c) =>
    c.nodeType === 3 && c.textContent.trim()) && node.tagName !== 'OPTION').map((node) => {
  const style = getComputedStyle(node);
  const back = behind(node);
  const [r, g, b, alpha = 1] = parse(node instanceof SVGElement ? style.fill : style.color);
  const ink = [r, g, b].map((v, i) => v * alpha + back[i] * (1 - alpha));
  const [lighter, darker] = [light(ink), light(back)].sort((p, q) => q - p);
  return [node.textContent.trim(), (lighter + .05) / (darker + .05)]; });
"""


def lacking(*modules: str) -> list[str]:
    """What these tests need and this machine lacks."""
    missing = [name for name in ("selenium", *modules) if find_spec(name) is None]
    return missing + [
        name for name, path in (("chromium", BROWSER), ("chromedriver", DRIVER)) if not path
    ]


def write_notebook(path: Path, cells: list[str]) -> None:
    """A notebook of code cells."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell{i}",
            "source": c,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for i, c in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(
        json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(folder: Path, front: str, port: int) -> subprocess.Popen:
    """Serve widgets.ipynb in `folder` by JupyterLab, by Notebook or by Voilà."""
    own = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "RUNTIME")}
    own |= {f"JUPYTERLAB_{name}_DIR": str(folder / name) for name in ("SETTINGS", "WORKSPACES")}
    own |= {
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", front, "--no-browser", f"--port={port}"]
    if front == "voila":
        template = Path(importlib.import_module("voila").__file__).parents[1] / "share" / "jupyter"
        own["JUPYTER_PATH"] = str(template)  # if Voilà is installed beside the environment
        command += ["widgets.ipynb", "--show_tracebacks=True"]
        address = f"http://127.0.0.1:{port}/static/"
    else:
        command += ["--allow-root", "--expose-app-in-browser", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
        address = f"http://127.0.0.1:{port}/api?token={TOKEN}"
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, env=os.environ | own, stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
    for _ in range(600):  # two minutes on a machine that has much else to do
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return server
        except urllib.error.HTTPError:
            return server  # it answers
        except OSError:
            time.sleep(0.2)
    server.terminate()
    raise RuntimeError(f"{front} did not answer:\n{(folder / 'server.log').read_text()[-2000:]}")


def start_browser(profile: Path, *more: str):
    """Headless Chromium with a profile of its own, and more flags."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    flags = (
        "headless no-sandbox disable-gpu disable-quic no-first-run "
        "disable-background-networking disable-sync"
    )
    for flag in [
        *flags.split(),
        "disable-component-update",
        "disable-dev-shm-usage",
        "window-size=1200,2600",
        *more,
    ]:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    # JupyterLab has no current notebook before the page has the focus, which some versions of
    # headless Chromium never give it
    driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    return driver


class Page:
    """The notebook in the browser: waiting, finding, running, reading."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def until(self, condition, what: str, seconds: float = 30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds:g} s in vain for {what}")

    def all(self, css: str, inside=None) -> list:
        return (inside or self.driver).find_elements("css selector", css)

    def one(self, css: str, inside=None):
        return self.until(lambda: self.all(css, inside), css)[0]

    def widget(self, name: str):
        return self.all(".tc-widget")[NAMES.index(name)]

    def command(self, name: str, arguments: dict | None = None) -> None:
        # not awaited: a command may end only when what it started ends
        self.driver.execute_script(
            "jupyterapp.commands.execute(arguments[0], arguments[1])", name, arguments or {}
        )

    def image(self, canvas) -> str:
        script = "const c = arguments[0]; return c.width && c.toDataURL ? c.toDataURL() : ''"
        return self.until(
            lambda: self.driver.execute_script(script, canvas), "an image on the canvas"
        )

    def kernel_reads(self) -> str:
        """What the last cell prints when run now."""
        last = "[...document.querySelectorAll('.jp-OutputArea-output pre')].at(-1)"
        self.until(
            lambda: self.driver.execute_script(f"return Boolean({last})"),
            "what the last cell printed at first",
        )
        self.driver.execute_script(f"{last}.textContent = ''")
        cell = self.all(".jp-Cell .cm-content")[len(CELLS) - 1]
        # a cell far out of view is not laid out, and a click would miss it
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
        cell.click()
        self.command("notebook:run-cell")
        return self.until(
            lambda: self.driver.execute_script(f"return {last}?.textContent.trim()"),
            "the last cell",
        )
