"""Gradients of answers are compared with the reference's where inputs require one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course_lib.exercises import Wrong
from course_lib.exercises.mistakes import declared
from course_lib.exercises.networks import randomised, require_learning
from course_lib.exercises.trial import Trial


def cosine(z: Tensor, x: Tensor) -> Tensor:
    """Cosines (n,) of the rows of z and x."""
    return (z * x).sum(1) / (z.norm(dim=1) * x.norm(dim=1))


def detached(right, z: Tensor, x: Tensor) -> Tensor:
    """A mistake: no gradient reaches x."""
    return right(z, x.detach())


def compare(answer, right=cosine, gradients=True, mistakes=None):
    """Compare an answer on random rows."""
    rng = np.random.default_rng(0)
    z, x = (torch.from_numpy(rng.normal(size=(3, 4))).float() for _ in range(2))
    if gradients:
        z, x = z.requires_grad_(), x.requires_grad_()
    trial = Trial(answer, right, declared(mistakes or {}, compared=True))
    trial.compare((z, x), "the cosine", (3,), tolerance=1e-5)


class TestInputs:
    """Gradients with respect to inputs."""

    def test_another_style_is_right(self):
        compare(lambda z, x: torch.cosine_similarity(z, x))
        compare(lambda a, b: torch.cosine_similarity(a.double(), b.double()))

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (lambda z, x: cosine(z, x).detach(), "the cosine has lost its gradient"),
            (lambda z, x: torch.no_grad()(cosine)(z, x), "the cosine has lost its gradient"),
            (lambda z, x: cosine(z, x.detach()), "the cosine does not reach `x`, so nothing"),
            (lambda q, x: cosine(q.detach(), x), "does not reach `q`"),
            (
                lambda z, x: (z * x).sum(1) / (z.norm(dim=1) * x.norm(dim=1)).detach(),
                r"is right, but its gradient with respect to `z` and `x` is not: in `z` at \(",
            ),
            (
                lambda z, x: (z * x).sum(1) / (z.norm(dim=1) * x.norm(dim=1).detach()),
                r"with respect to `x` is not: at \(\d, \d\) it is [^,]+, expected [^,]+\. Is a",
            ),
            (
                lambda z, x: cosine(z, x) + 0 * (z - z.detach()).sum(1).sqrt(),
                "with respect to `z` is not a number",
            ),
            (lambda z, x: torch.from_numpy(cosine(z, x).numpy()), "NumPy has none"),
        ],
    )
    def test_a_part_that_is_cut_off_is_seen_and_named(self, answer, words):
        with pytest.raises(Wrong, match=words):
            compare(answer)
        compare(answer, gradients=False)  # the values are right

    def test_values_come_first(self):
        with pytest.raises(Wrong, match=r"the cosine at \(\d,\) is"):
            compare(lambda z, x: cosine(z, x.detach()) + 1)

    def test_a_backward_pass_in_the_answer_is_named(self):
        def steps(z, x):
            found = cosine(z, x)
            found.sum().backward()
            return found

        with pytest.raises(Wrong, match="finds no gradient through the cosine: Trying to backward"):
            compare(steps)

    def test_a_known_mistake_gets_its_words(self):
        with pytest.raises(Wrong, match="^learn through x as well$"):
            compare(
                lambda z, x: torch.cosine_similarity(z, x.detach()),
                mistakes={
                    "shifted": lambda right, z, x: right(z, x) + 1 - right(z.detach(), x),
                    "learn through x as well": detached,
                },
            )

    def test_gradients_do_not_count_where_the_reference_has_none(self):
        def labels(z: Tensor, x: Tensor) -> Tensor:
            return cosine(z, x).detach()

        compare(cosine, right=labels)

    def test_tensors_in_lists_are_named_by_their_place(self):
        def total(parts: list, weight: Tensor) -> Tensor:
            return weight * sum(parts)

        parts = [torch.ones(2, requires_grad=True) for _ in range(2)]
        weight = torch.tensor(2.0, requires_grad=True)
        trial = Trial(lambda parts, weight: weight * (parts[0] + parts[1].detach()), total)
        with pytest.raises(Wrong, match=r"does not reach `parts\[1\]`"):
            trial.compare((parts, weight), "the total", (2,))

    def test_every_part_of_a_result_counts(self):
        def both(x: Tensor) -> tuple[Tensor, Tensor]:
            return x.square(), x.square().sum()

        def read(given):
            return tuple(part.detach().numpy() for part in given)

        x = torch.arange(3.0, requires_grad=True)
        Trial(lambda x: [x * x, (x * x).sum()], both).compare((x,), ("squares", "their sum"), read)
        trial = Trial(lambda x: (x * x, (x * x.detach()).sum()), both)
        with pytest.raises(Wrong, match="their sum is right, but its gradient"):
            trial.compare((x,), ("squares", "their sum"), read)


class Two(nn.Module):
    """Two branches, added; the second may be cut off, or the first layer."""

    def __init__(self, cut: str = "") -> None:
        super().__init__()
        self.cut, self.stem = cut, nn.Conv2d(3, 4, 3)
        self.left, self.right = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        if self.cut == "stem":
            x = x.detach()
        return self.left(x) + self.right(x.detach() if self.cut == "branch" else x)


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ("stem", "does not reach `stem.weight`"),
        ("branch", "with respect to `stem.weight` and `stem.bias`"),
        ("frozen", "`left.bias` does not require a gradient"),
    ],
)
def test_weights_of_networks(cut, words):
    like, image = randomised(Two()), torch.rand(1, 3, 8, 8)
    require_learning(Two(), like, image, "the output")
    network = Two(cut)
    network.left.bias.requires_grad_(cut != "frozen")
    with pytest.raises(Wrong, match=words):
        require_learning(network, like, image, "the output")
