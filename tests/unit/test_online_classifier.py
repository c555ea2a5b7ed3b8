"""ATOM's classifier: its activation by hand, and learning on a synthetic map."""

from __future__ import annotations

import math

import pytest
import torch

from course_lib.errors import CourseError, SettingsError
from course_lib.models.optimise import divide_by, gauss_newton
from course_lib.models.target_filter import apply_filters
from course_lib.trackers.online_classifier import (
    ClassifierSettings,
    OnlineClassifier,
    activation,
    project,
)

FEW = {"compressed": 8, "first_rounds": 4, "first_steps": 6, "capacity": 12}
PLACES = ((8, 8), (4, 8), (12, 8), (8, 4), (8, 12))
NEW = ((10, 6), (5, 12), (11, 11))  # none of them was learned from


class World:
    """A 5 × 5 pattern on a map of 18 × 18, before a background that shifts and noise."""

    def __init__(self, seed: int = 0, channels: int = 16) -> None:
        self.draw = torch.Generator().manual_seed(seed)
        self.pattern = self.normal(channels, 5, 5)
        self.other = self.normal(channels, 5, 5)  # something that looks otherwise
        self.back = self.normal(channels, 40, 40)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.draw)

    def map(self, place, back=(0, 0), pattern=None, other=None) -> torch.Tensor:
        """Features (1, C, 18, 18) with the pattern's centre at cell `place`, x and y."""
        x = self.back[:, back[0] : back[0] + 18, back[1] : back[1] + 18].clone()
        for (cx, cy), what in ((place, self.pattern if pattern is None else pattern),) + (
            ((other, self.other),) if other else ()
        ):
            x[:, cy - 2 : cy + 3, cx - 2 : cx + 3] = what
        return (x + 0.1 * self.normal(*x.shape))[None]

    def first(self) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.cat([self.map(p, (k, k)) for k, p in enumerate(PLACES)])
        centres = torch.tensor(PLACES).float()
        return features, torch.cat([centres - 2.5, torch.full((len(PLACES), 2), 5.0)], 1)


def learned(world: World, **more) -> OnlineClassifier:
    classifier = OnlineClassifier(ClassifierSettings(**FEW | more))
    classifier.learn_first(*world.first())
    return classifier


def rounds(world: World, count: int, steps: int, precondition) -> list[float]:
    """‖r‖² before the first Gauss–Newton round of the first frame, and after each."""
    classifier = OnlineClassifier(ClassifierSettings(**FEW))
    residuals, first = classifier.first_problem(*world.first())
    path = [first, *gauss_newton(residuals, first, count, steps, precondition)]
    return [float(residuals(*w).square().sum()) for w in path]


def peak(classifier: OnlineClassifier, features: torch.Tensor) -> tuple[float, float]:
    """The cell (x, y) of features with the highest score."""
    scores = classifier.scores(features)[0]
    best = int(scores.argmax())
    return best % 18 - classifier.shift, best // 18 - classifier.shift


class TestActivation:
    """The modified exponential linear unit."""

    def test_by_hand(self):
        s = torch.tensor([2.0, 0.5, 0.0, -0.05, -0.1, -100.0])
        expected = [2, 0.5, 0, 0.05 * (math.exp(-1) - 1), 0.05 * (math.exp(-2) - 1), -0.05]
        assert activation(s, 0.05).tolist() == pytest.approx(expected)

    def test_its_slope_has_no_step_and_no_nan(self):
        s = torch.tensor([-1e-6, 0.0, 1e-6, 500.0, -500.0], dtype=torch.float64).requires_grad_()
        activation(s, 0.05).sum().backward()
        assert s.grad.tolist() == pytest.approx([1, 1, 1, 1, 0], abs=1e-4)

    def test_gradients_by_differences(self):
        s = torch.linspace(-0.3, 0.3, 8, dtype=torch.float64).requires_grad_()
        assert torch.autograd.gradcheck(lambda s: activation(s, 0.05), s)
        assert torch.autograd.gradgradcheck(lambda s: activation(s, 0.05), s)


class TestFirstFrame:
    """w1 and w2, learned together."""

    def test_the_peak_lies_on_the_target_in_places_never_learned(self):
        world = World()
        classifier = learned(world)
        for place in NEW:
            x, y = peak(classifier, world.map(place, (9, 15)))
            # the centre lies between two cells of the score map
            assert abs(x - place[0]) <= 0.5 and abs(y - place[1]) <= 0.5

    def test_another_pattern_scores_less(self):
        world = World(1)
        classifier = learned(world)
        target = float(classifier.scores(world.map((9, 9))).max())
        other = float(classifier.scores(world.map((9, 9), pattern=world.other)).max())
        assert target > 0.5 and other < 0.5 * target

    def test_the_loss_falls_in_every_round(self):
        losses = rounds(World(2), 6, 6, divide_by(0.1, 1e-4))
        assert len(losses) == 7 and losses == sorted(losses, reverse=True)
        assert losses[-1] < 0.3 * losses[0]

    def test_it_learns_by_these_rounds(self):
        world = World(2)
        classifier = learned(world)
        residuals, _ = classifier.first_problem(*World(2).first())
        loss = float(residuals(classifier.w2, classifier.w1).square().sum())
        assert loss == pytest.approx(rounds(World(2), 4, 6, divide_by(0.1, 1e-4))[-1], rel=1e-3)

    def test_scores_are_raw(self):
        """The activation stands in the loss alone."""
        world = World()
        classifier = learned(world)
        x = world.map((9, 9), (3, 3))
        normed = x / x.square().mean().sqrt()
        expected = apply_filters(project(normed, classifier.w1)[None], classifier.w2)
        scores = classifier.scores(x)
        assert scores.shape == (1, 18, 18) and float(scores.min()) < -0.05
        torch.testing.assert_close(scores, expected[0, :, :18, :18], atol=1e-5, rtol=0)

    def test_the_scale_of_features_does_not_matter(self):
        world = World(3)
        features, boxes = world.first()
        classifier, other = learned(World(3)), OnlineClassifier(ClassifierSettings(**FEW))
        other.learn_first(17 * features, boxes)
        x = world.map((7, 9))
        torch.testing.assert_close(classifier.scores(x), other.scores(17 * x), atol=1e-3, rtol=0)

    def test_the_preconditioner_helps(self):
        """As many products each; what λ1 = 10⁻⁴ leaves free waits without it."""
        helped, plain = (rounds(World(4), 4, 6, p)[-1] for p in (divide_by(0.1, 1e-4), None))
        assert helped < 0.7 * plain
        on, off = (learned(World(4), preconditioned=p).w1 for p in (True, False))
        assert not torch.allclose(on, off, atol=1e-2)

    def test_the_same_seed_learns_the_same(self):
        a, b, c = (learned(World(), seed=seed).w2 for seed in (0, 0, 1))
        assert torch.equal(a, b) and not torch.equal(a, c)

    def test_initial_weights_have_the_published_spread(self):
        w2, w1 = OnlineClassifier().first_weights(256)
        assert w1.shape == (64, 256) and w2.shape == (1, 64, 4, 4)
        assert float(w1.std()) == pytest.approx(1 / 16, rel=0.02)
        assert float(w2.std()) == pytest.approx(1 / 1024, rel=0.05)

    def test_asked_too_early_it_says_so(self):
        with pytest.raises(CourseError, match="call learn_first"):
            OnlineClassifier().learn()

    def test_labels_lie_half_a_cell_further(self):
        classifier = OnlineClassifier()
        labels = classifier.labels(torch.tensor([[3.5, 5.5]]), torch.zeros(1, 4, 9, 9))
        assert int(labels[0].argmax()) == 6 * 9 + 4 and float(labels.max()) == 1
        odd = OnlineClassifier(ClassifierSettings(kernel=3))
        assert (
            int(odd.labels(torch.tensor([[3.0, 5.0]]), torch.zeros(1, 4, 9, 9))[0].argmax()) == 48
        )


class TestLater:
    """The filter goes on learning."""

    def looks_changed(self, frozen: bool) -> list[float]:
        """Scores at the target whose looks change a little from frame to frame."""
        world = World(5)
        classifier = learned(world, frozen=frozen, rate=0.3)
        change, found = world.normal(*world.pattern.shape), []
        for k in range(10):
            turned = math.cos(0.15 * k) * world.pattern + math.sin(0.15 * k) * change
            x = world.map((9, 9), (k, 2 * k), turned)
            found.append(float(classifier.scores(x)[0, 9:11, 9:11].max()))
            classifier.remember(x, torch.tensor([9.0, 9.0]))
            classifier.learn()
        return found

    def test_it_follows_a_target_that_changes(self):
        online, frozen = self.looks_changed(False), self.looks_changed(True)
        assert online[0] == frozen[0] and online[-1] > frozen[-1] + 0.1

    def test_frozen_nothing_changes(self):
        world = World(6)
        classifier = learned(world, frozen=True)
        before = classifier.w2.clone(), classifier.w1.clone(), len(classifier.memory)
        classifier.remember(world.map((5, 5)), torch.tensor([5.0, 5.0]), hard=True)
        classifier.learn()
        assert torch.equal(classifier.w2, before[0]) and torch.equal(classifier.w1, before[1])
        assert len(classifier.memory) == before[2]

    def test_a_look_alike_is_told_apart_once_it_was_seen(self):
        world = World(7)
        world.other = 0.8 * world.pattern + 0.6 * world.other
        classifier = learned(world, hard_rate=0.3)

        def lead() -> float:
            scores = classifier.scores(world.map((5, 9), (7, 7), other=(13, 9)))[0]
            return float(scores[9:11, 5:7].max() - scores[9:11, 13:15].max())

        before = lead()
        for k in range(3):
            classifier.remember(
                world.map((5, 8 + k), (k, k), other=(12, 9)), torch.tensor([5.0, 8.0 + k]), True
            )
            classifier.learn()
        assert lead() > before + 0.05

    def test_only_the_filter_changes_and_the_loss_falls(self):
        world = World(8)
        classifier = learned(world)
        w1, w2 = classifier.w1.clone(), classifier.w2.clone()
        classifier.remember(world.map((5, 11)), torch.tensor([5.0, 11.0]))
        residuals = classifier.problem()
        classifier.learn(3)
        assert torch.equal(classifier.w1, w1) and not torch.equal(classifier.w2, w2)
        before, after = (residuals(w).square().sum() for w in (w2, classifier.w2))
        assert float(after) < float(before)

    def test_a_hard_sample_counts_more(self):
        world, kept = World(9), []
        for hard in (False, True):
            classifier = learned(World(9), rate=0.05, hard_rate=0.2)
            for _ in range(2):
                classifier.remember(world.map((5, 5)), torch.tensor([5.0, 5.0]), hard)
            kept.append(float(classifier.memory.weights[-1]))
        assert kept[1] > 1.5 * kept[0]

    def test_the_memory_keeps_compressed_features(self):
        classifier = learned(World())
        assert classifier.memory.features.shape == (5, 8, 18, 18)
        assert not classifier.memory.features.requires_grad and not classifier.w2.requires_grad

    @pytest.mark.parametrize(
        "wrong", [{"rate": 0.0}, {"floor": 1.0}, {"bend": 0.0}, {"compressed": 0}]
    )
    def test_settings_have_ranges(self, wrong):
        with pytest.raises(SettingsError):
            ClassifierSettings(**wrong)
