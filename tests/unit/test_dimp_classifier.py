"""DiMP's classifier as a tracker asks it: the same questions as ATOM's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_lib.errors import CourseError
from course_lib.models.predictor import ModelPredictor
from course_lib.models.pyramid import MapPlace
from course_lib.models.target_filter import rms_normalised
from course_lib.trackers.dimp_classifier import DiMPClassifier, DiMPClassifierSettings
from course_lib.trackers.online_classifier import OnlineClassifier
from course_lib.trackers.target_classifier import TargetClassifier, centres_of

C = 12
BOXES = torch.tensor([[6.5, 6.5, 4.0, 4.0], [2.5, 8.5, 4.0, 4.0], [10.5, 4.5, 4.0, 4.0]])


class Normal(nn.Module):
    """A neck that only scales."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return rms_normalised(x) / (C * 16) ** 0.5


class Untrained:
    """The two parts of a DiMP that its classifier uses."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.neck, self.predictor = Normal(), ModelPredictor(MapPlace(C, 16, 0.5))


def shown(boxes: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Features (N, C, 18, 18) with one pattern in each box, before noise."""
    pattern = 2 * torch.randn(C, 4, 4, generator=torch.Generator().manual_seed(9))
    x = torch.randn(len(boxes), C, 18, 18, generator=torch.Generator().manual_seed(seed))
    for n, (cx, cy) in enumerate(centres_of(boxes).tolist()):
        left, top = round(cx - 1.5), round(cy - 1.5)
        x[n, :, top : top + 4, left : left + 4] = pattern
    return x


def learned(**more) -> DiMPClassifier:
    classifier = DiMPClassifier(Untrained(), DiMPClassifierSettings(**{"capacity": 6} | more))
    classifier.learn_first(shown(BOXES), BOXES)
    return classifier


def peak(classifier: TargetClassifier, features: torch.Tensor) -> tuple[float, float]:
    scores = classifier.scores(features)[0]
    best, width = int(scores.argmax()), scores.shape[-1]
    return best % width - classifier.shift, best // width - classifier.shift


@pytest.mark.parametrize("kind", ["dimp", "atom"])
def test_both_find_the_target_in_a_new_place(kind):
    """A pattern of even size lies between cells: here the even filter's centre falls on it."""
    classifier = learned() if kind == "dimp" else OnlineClassifier()
    if kind == "atom":
        classifier.learn_first(shown(BOXES), BOXES)
    box = torch.tensor([[4.5, 9.5, 4.0, 4.0]])
    assert peak(classifier, shown(box, 5)) == (6.5, 11.5)


def test_scores_and_filter_have_their_sizes():
    classifier = learned()
    assert classifier.scores(shown(BOXES)).shape == (3, 19, 19)
    assert classifier.filter.shape == (1, C, 4, 4) and not classifier.filter.requires_grad


def test_it_is_the_predictor_s_own_filter():
    classifier, network = learned(first_steps=3), Untrained()
    x = network.neck(shown(BOXES))[None]
    with torch.no_grad():
        cells = network.predictor.place.pixels(BOXES)  # the predictor takes pixels
        expected = network.predictor(x, cells[None], steps=3)[-1]
    torch.testing.assert_close(classifier.filter, expected, atol=1e-5, rtol=1e-4)


def test_later_steps_lower_the_loss_of_the_memory():
    classifier = learned()
    classifier.remember(shown(BOXES[:1], 7), centres_of(BOXES[0]))
    memory, p = classifier.memory, classifier.predictor
    assert len(memory) == 4
    residuals = p.residuals(
        memory.features[None], (memory.centres + 0.5)[None], memory.weights[None].float()
    )
    with torch.no_grad():
        before = float(residuals(classifier.filter).square().sum())
        classifier.learn(1)
        between = float(residuals(classifier.filter).square().sum())
        classifier.learn()
        assert float(residuals(classifier.filter).square().sum()) < between < before


def test_frozen_nothing_changes():
    classifier = learned(frozen=True)
    before = classifier.filter.clone()
    classifier.remember(shown(BOXES[:1], 7), centres_of(BOXES[0]))
    classifier.learn()
    assert torch.equal(classifier.filter, before) and len(classifier.memory) == 3


def test_asked_too_early_it_says_so():
    with pytest.raises(CourseError, match="call learn_first"):
        DiMPClassifier(Untrained()).learn()


def test_published_settings():
    s = DiMPClassifierSettings()
    assert (s.capacity, s.rate, s.hard_rate, s.floor) == (50, 0.01, 0.02, 0.25)
    assert (s.first_steps, s.steps) == (10, 2)
