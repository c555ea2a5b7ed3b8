"""Score maps over their images: each task says where its cells lie, and what a score is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_overlap_task import DIMP, batch
from test_stream_training import STREAM
from test_training import TINY

from course_lib.models.centre_head import CentreMaps
from course_lib.models.margin import CosineMap
from course_lib.models.proposals import Proposals
from course_lib.models.pyramid import MapPlace
from course_lib.training.loop import train
from course_lib.training.monitor import TensorBoard, maps_over_images
from course_lib.training.settings import ProposalSettings, TrainSettings
from course_lib.training.tasks import Task, make_task

RPN = replace(TINY, network="siamrpn", search=255, proposals=ProposalSettings(channels=4))
TASKS = {
    "siamfc": (TINY, 15),
    "stride 4": (replace(TINY, stride=4), 29),
    "siammargin": (replace(TINY, network="siammargin"), 15),
    "siamrpn": (RPN, 17),
    "dimp": (replace(DIMP, search=287), 19),
    "onestream": (STREAM, 16),
}


def answer(settings: TrainSettings, n: int, row: int, column: int):
    """An output for two images that is sure of one cell of n × n and of no other."""
    logits = torch.full((2, n, n), -9.0)
    logits[:, row, column] = 9.0
    probable = logits.sigmoid()
    if settings.network == "siammargin":
        return CosineMap(logits / 9, torch.tensor(0.4))
    if settings.network == "siamrpn":
        each = logits.flatten(1).repeat(1, 5)  # (2, 5 · n²)
        return Proposals(torch.stack([-each, each], -1), torch.zeros(2, 5 * n * n, 4))
    if settings.network == "dimp":
        return probable.expand(3, 2, n, n)[:, :, None]
    if settings.network == "onestream":
        return CentreMaps(probable[:, None], torch.full((2, 2, n, n), 0.2), torch.zeros(2, 2, n, n))
    return logits


def off(task: Task, output, pairs) -> float:
    """By how many pixels the answer misses the targets, as the task itself measures it."""
    if task.settings.network != "siamrpn":
        return float(task.measures(output, pairs)["distance"].max())
    found = task.boxes(output, pairs)["prediction"]
    return float((found[:, :2] + found[:, 2:] / 2 - pairs.box[:, :2] - pairs.box[:, 2:] / 2).norm())


@pytest.mark.parametrize("name", TASKS)
def test_a_target_where_a_cell_is_drawn_is_what_this_cell_stands_for(name):
    settings, n = TASKS[name]
    task, S, (row, column) = make_task(settings), settings.search, (3, n - 5)
    output = answer(settings, n, row, column)
    maps = task.maps(output)
    place = task.map_place(maps)
    x, y = place.pixels(torch.tensor([column, row], dtype=torch.float32)).tolist()
    pairs = batch(size=S)
    pairs = replace(pairs, box=torch.tensor([[x - 20, y - 15, 40, 30]] * 2))
    assert off(task, output, pairs) == pytest.approx(0, abs=1e-3)
    # a probability of nearly 1 there and of nearly 0 elsewhere, neither squashed again
    assert maps.shape == (2, n, n) and float(maps[0, row, column]) > 0.99
    assert float(maps.flatten(1).median()) < 0.01
    shown = maps_over_images(maps, place, torch.zeros(2, 3, S, S, dtype=torch.uint8))[0, 0]
    at = np.argwhere(shown.numpy() > float(shown.max()) - 1e-4)  # (N, 2) rows and columns
    assert np.abs(at.mean(0) + 0.5 - [y, x]).max() <= 0.51


def test_a_map_ends_half_a_cell_from_its_last_centre():
    shown = maps_over_images(
        torch.ones(1, 2, 3), MapPlace(1, 4, 6.0), torch.zeros(1, 3, 24, 24, dtype=torch.uint8)
    )[0, 0]
    rows, columns = shown.numpy().nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 11, 4, 15)
    assert float(shown.max()) == pytest.approx(0.4)


@pytest.mark.slow
def test_a_resumed_run_writes_no_validation_twice(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for stop in (4, 6):  # validations at 3 and 6
        board = TensorBoard(tmp_path / f"board{stop}", every=1)
        train(TINY, tmp_path / "run", "cpu", [board], stop_at=stop)
        found = EventAccumulator(str(tmp_path / f"board{stop}")).Reload().Scalars("validation/loss")
        assert [event.step for event in found] == [3 if stop == 4 else 6]
