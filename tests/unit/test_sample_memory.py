"""The memory's weights, by hand."""

from __future__ import annotations

import pytest
import torch

from course_lib.errors import SettingsError
from course_lib.trackers.sample_memory import SampleMemory


def memory(initial: int = 2, capacity: int = 5, floor: float = 0.0) -> SampleMemory:
    features = torch.arange(float(initial))[:, None, None, None].expand(-1, 1, 2, 2)
    return SampleMemory(features, torch.zeros(initial, 2), capacity, floor)


def add(m: SampleMemory, value: float, rate: float = 0.1) -> int:
    return m.add(torch.full((1, 2, 2), value), torch.tensor([value, -value]), rate)


def values(m: SampleMemory) -> list[float]:
    return m.features[:, 0, 0, 0].tolist()


def test_at_first_all_count_alike():
    assert memory(4).weights.tolist() == [0.25] * 4 and len(memory(4)) == 4


def test_six_frames_by_hand():
    """Two samples of the first frame, room for three more, rate 0.1, floor 0.4.

    Unnormalised, a first new sample has 0.1 · 0.9 = 0.09 against 1 of the others; each further one
    the last one's divided by 0.9.
    """
    m = memory(2, 5, floor=0.4)
    assert add(m, 10.0) == 2
    first = 0.09 / 1.09
    assert m.weights.tolist() == pytest.approx([0.5 / 1.09, 0.5 / 1.09, first])
    assert add(m, 11.0) == 3
    total = 1 + first / 0.9
    expected = [0.5 / 1.09 / total, 0.5 / 1.09 / total, first / total, first / 0.9 / total]
    assert m.weights.tolist() == pytest.approx(expected)
    assert add(m, 12.0) == 4
    w = [*expected, expected[3] / 0.9]
    w = [v / sum(w) for v in w]
    assert m.weights.tolist() == pytest.approx(w) and values(m) == [0, 1, 10, 11, 12]
    # full: the least of the later ones, the third, makes room
    assert add(m, 13.0) == 2
    w[2] = w[4] / 0.9
    w = [v / sum(w) for v in w]
    assert m.weights.tolist() == pytest.approx(w) and values(m) == [0, 1, 13, 11, 12]
    assert m.centres[2].tolist() == [13, -13]
    assert add(m, 14.0) == 3  # then the next oldest
    w[3] = w[2] / 0.9
    w = [v / sum(w) for v in w]
    assert m.weights.tolist() == pytest.approx(w)
    assert add(m, 15.0, rate=0.5) == 4  # a hard one counts more
    w[4] = w[3] / 0.5
    w = [v / sum(w) for v in w]
    assert sum(w[:2]) > 0.4  # the floor is not reached yet
    assert m.weights.tolist() == pytest.approx(w) and values(m) == [0, 1, 13, 14, 15]


def test_the_first_frame_keeps_its_floor():
    m = memory(2, 6, floor=0.25)
    for k in range(60):
        add(m, float(k), 0.2)
        assert float(m.weights.sum()) == pytest.approx(1)
        assert float(m.weights[:2].sum()) >= 0.25 - 1e-12
    assert m.weights[:2].tolist() == pytest.approx([0.125, 0.125])
    assert values(m)[:2] == [0, 1] and set(values(m)[2:]) == {56, 57, 58, 59}


def test_without_a_floor_the_first_frame_is_forgotten_and_replaced():
    m = memory(2, 4, floor=0.0)
    for k in range(40):
        add(m, float(k), 0.2)
    assert set(values(m)) == {36, 37, 38, 39}


def test_forgetting_is_exponential():
    m = memory(1, 50, floor=0.0)
    for k in range(20):
        add(m, float(k), 0.1)
    ratios = m.weights[2:] / m.weights[1:-1]
    assert ratios.tolist() == pytest.approx([1 / 0.9] * len(ratios))


def test_a_memory_without_room_is_refused():
    with pytest.raises(SettingsError, match="5 samples, and 5 of the first frame"):
        memory(5, 5)
