"""Answers of another type than the declared one: converted where nothing is lost, refused in words
where something is; inputs stay as they are; draws come from the given generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course_lib.exercises import Wrong, check, core, examine, exercise
from course_lib.exercises.compare import apart, as_array, require_close
from course_lib.exercises.declared import as_declared, cast, converted
from course_lib.exercises.draws import alike
from course_lib.exercises.networks import randomised, with_weights_of
from course_lib.exercises.tracks import SHORT, make_short, run


def test_a_tensor_keeps_the_precision_of_the_inputs_where_nothing_is_learned():
    double = as_declared(lambda r: 2 * r, Tensor, learns=False)(torch.ones(2, dtype=torch.float64))
    assert double.dtype == torch.float64


@pytest.mark.filterwarnings("error")
def test_complex_numbers_without_an_imaginary_part_are_handed_on_as_real_ones():
    right = np.array([1.0, 2.0])
    assert cast(right + 0j, right).dtype == np.float64
    assert cast(right + 1j, right).dtype == np.complex128  # refused by the checks
    passed_on = as_declared(lambda: right + 1e-17j, np.ndarray, right.dtype)
    assert passed_on().dtype == np.float64


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        ([1.0, 2.0], np.ndarray, np.array([1.0, 2.0])),
        (torch.tensor([1.0, 2.0]), np.ndarray, np.array([1.0, 2.0], np.float32)),
        (torch.tensor([1 + 2j]), np.ndarray, np.array([1 + 2j], np.complex64)),
        ([[1.0], [2.0]], Tensor, torch.tensor([[1.0], [2.0]])),
        (np.array([1.0]), Tensor, torch.tensor([1.0])),
        (np.array([1, 2]), Tensor, torch.tensor([1, 2])),
        (np.array([3.0, 4.0]), tuple[float, float], (3.0, 4.0)),
        ([3, [1.0]], tuple[int, np.ndarray], (3, np.array([1.0]))),
        ((1.0, 2.0), list[float], [1.0, 2.0]),
        (np.float32(2.5), float, 2.5),
        (torch.tensor(2.5), float, 2.5),
        (5.0, int, 5),
    ],
)
def test_another_type_is_converted(value, declared, expected):
    found = converted(value, declared)
    assert type(found) is type(expected)
    if isinstance(expected, tuple):
        assert all(type(a) is type(b) for a, b in zip(found, expected, strict=True))
    elif isinstance(expected, (np.ndarray, Tensor)):
        assert found.dtype == expected.dtype and found.tolist() == expected.tolist()
    else:
        assert found == expected


def test_integers_become_a_tensor_beside_tensors_since_they_have_no_gradient_to_lose():
    for value in (np.array([[1, 0, -1]]), [[1, 0, -1]]):
        found = converted(value, Tensor, (torch.ones(1, 3),))
        assert found.dtype == torch.int64 and found.tolist() == [[1, 0, -1]]


@pytest.mark.parametrize(
    ("value", "declared", "inputs"),
    [
        (np.ones(2), Tensor, (torch.ones(2),)),  # the gradient is lost
        (1.5, Tensor, ()),  # a loss without a gradient
        ([[1.0], [1.0, 2.0]], np.ndarray, ()),
        ("text", np.ndarray, ()),
        (np.ones(3), tuple[float, float], ()),
        (5.5, int, ()),
        (None, np.ndarray, ()),
    ],
)
def test_what_cannot_be_converted_stays(value, declared, inputs):
    assert converted(value, declared, inputs) is value


def test_a_double_tensor_gets_the_precision_of_the_inputs_and_keeps_its_gradient():
    x = torch.ones(3, requires_grad=True)
    found = converted(x.double() * 2, Tensor, (x,))
    assert found.dtype == torch.float32
    found.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    assert converted(x.double(), Tensor, (x.double(),)).dtype == torch.float64


@pytest.fixture
def own(monkeypatch):
    """The registry of checks, empty."""
    monkeypatch.setattr(core, "CHECKS", {})
    monkeypatch.setattr(core, "RECORDS", {})
    monkeypatch.setattr(core, "MODULES", {})
    monkeypatch.delenv("COURSE_STRICT", raising=False)


def doubled(x: np.ndarray) -> np.ndarray:
    """2 x."""
    return 2 * x


def test_the_next_cells_get_the_declared_type(own, capsys):
    check("test.doubled", reference=doubled)(
        lambda answer, rng: answer.compare((rng.normal(size=3),), "the double", (3,))
    )
    answer = exercise("test.doubled")(lambda x: [2 * v for v in x])
    assert isinstance(answer(np.ones(3)), np.ndarray)
    assert "get its result as a NumPy array" in capsys.readouterr().out

    def mine(x):
        return x + x

    assert exercise("test.doubled")(mine) is mine
    assert "That is right." in capsys.readouterr().out


def test_an_input_that_is_changed_is_named(own):
    check("test.doubled", reference=doubled)(
        lambda answer, rng: answer.compare((rng.normal(size=3),), "the double", (3,))
    )

    def in_place(x):
        x *= 2
        return x

    assert "changes `x`" in examine("test.doubled", in_place)[1]


def positive(x: np.ndarray) -> np.ndarray:
    """x > 0."""
    return x > 0


def signs(x: Tensor) -> Tensor:
    """−1 and 1, as fractions."""
    return torch.where(x > 0, 1.0, -1.0)


def test_values_that_survive_are_cast(own):
    check("test.mask", reference=positive)(
        lambda answer, rng: answer.compare((rng.normal(size=9),), "the mask", (9,))
    )
    answer = exercise("test.mask")(lambda x: (x > 0) * 1.0)
    assert answer(np.array([1.0, -1.0])).dtype == bool
    assert "expected bool" in examine("test.mask", lambda x: 0.3 * (x > 0))[1]

    check("test.signs", reference=signs)(
        lambda answer, rng: answer.compare((torch.from_numpy(rng.normal(size=9)),), "signs", (9,))
    )
    answer = exercise("test.signs")(lambda x: torch.where(x > 0, 1, -1))
    assert answer(torch.ones(2)).dtype == torch.float32
    words = examine("test.signs", lambda x: torch.where(x > 0, 1.0, -1.0).tolist())[1]
    assert words == "signs should be a tensor; yours is of type list"


def test_numbers_that_differ_are_shown_to_differ():
    assert apart(1.00001, 1.00002) == ("1.00001", "1.00002")
    assert apart(2.0, 3.0) == ("2", "3")
    with pytest.raises(Wrong, match=r"is 204\.41, expected 204\.38"):
        require_close(204.41, 204.38, "the side")


def uniform(rng: np.random.Generator, low: float) -> float:
    """Between low and low + 1."""
    return float(rng.uniform(low, low + 1))


@pytest.fixture
def draw(own):
    mistakes = {
        "twice as wide as [{1}, {1} + 1]": lambda right, rng, low: 2 * right(rng, low) - low
    }
    check("test.uniform", reference=uniform, mistakes=mistakes)(
        lambda answer, rng: answer.compare_draws(lambda g: (g, 3.0), "the number", float)
    )
    return lambda f: examine("test.uniform", f)


def test_draws_from_the_right_distribution_are_right_in_any_style(draw):
    assert draw(lambda rng, low: low + rng.random()) == ("right", "right")
    assert draw(lambda rng, low: low + rng.integers(0, 2**30) / 2**30) == ("right", "right")


def test_draws_that_are_wrong_are_told_why(draw):
    legacy, state = np.random.mtrand._rand, np.random.mtrand._rand.get_state()
    assert "you draw from np.random, or seed it;" in draw(lambda rng, low: low + legacy.rand())[1]
    legacy.set_state(state)
    fresh = np.random.default_rng
    assert "the same seed give different" in draw(lambda rng, low: low + fresh().random())[1]
    assert "nothing is random" in draw(lambda rng, low: low + fresh(0).random())[1]
    assert "twice as wide as [3.0" in draw(lambda rng, low: low + rng.uniform(0, 2))[1]
    words = draw(lambda rng, low: low + rng.random() ** 2)[1]
    assert "in 1,500 draws the number is at most 3." in words


def test_parts_that_depend_on_each_other_are_not_like_independent_ones():
    rng = np.random.default_rng(0)
    both = rng.random((1500, 2))
    assert alike(both, rng.random((1500, 2)))
    assert not alike(both, np.repeat(both[:, :1], 2, axis=1))


class Modules(nn.Sequential):
    """Two convolutions with a norm between them."""

    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))


class Functions(nn.Module):
    """The same in another style and another order."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(4, 2, 1)
        self.norm = nn.BatchNorm2d(4)
        self.first = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.last(self.norm(self.first(x)).clamp_min(0))


def test_networks_are_compared_by_what_they_compute():
    right = randomised(Modules()).eval()
    mine = with_weights_of(Functions(), right).eval()
    x = torch.rand(2, 3, 9, 9)
    torch.testing.assert_close(mine(x), right(x))
    other = Modules()
    other[0] = nn.Conv2d(3, 4, 5)
    with pytest.raises(Wrong, match=r"0 × `weight` of shape \(4, 3, 3, 3\).*\(4, 3, 5, 5\)"):
        with_weights_of(other, right)
    with pytest.raises(Wrong, match=r"nn\.Module"):
        with_weights_of(len, right)


def test_clips_are_what_they_say():
    for name, plot in SHORT.items():
        sequence = make_short(name, np.random.default_rng(0))
        assert sequence.boxes[0, 2:].tolist() == list(plot.size)
        x, y, w, h = sequence.boxes[1].astype(int)
        seen = sequence.frames[1][y : y + h, x : x + w, 0]
        assert (seen.std() > 5) and sequence.frames[1].dtype == np.uint8
    hidden = make_short("hidden", np.random.default_rng(0))
    cuts = [
        f[int(y) : int(y + h), int(x) : int(x + w)]
        for f, (x, y, w, h) in zip(hidden.frames, hidden.boxes, strict=True)
    ]
    assert np.array_equal(cuts[3], cuts[9]) and not np.array_equal(cuts[3], cuts[4])


def test_a_tracker_that_changes_its_frame_is_named():
    class Painter:
        def init(self, frame, box):
            self.box = box.copy()

        def update(self, frame):
            frame[:] = 0
            return self.box

    with pytest.raises(Wrong, match="`update` changes the frame"):
        run(Painter(), make_short("plain", np.random.default_rng(0)))


def test_lists_are_arrays_for_the_checks():
    assert as_array([1, 2], (2,), "it").tolist() == [1, 2]


def test_a_list_of_tensors_is_told_to_be_one():
    """NumPy would advise to detach them, and then the gradient is lost."""
    parts = [torch.ones(3, requires_grad=True), torch.ones(3)]
    with pytest.raises(Wrong, match=r"one tensor of shape \(2, 3\); yours is a list of tensors"):
        as_array(parts, (2, 3), "it")
    detached = [part.detach() for part in parts]
    assert as_array(detached, (2, 3), "it").shape == (2, 3)


def test_an_answer_without_a_gradient_may_return_an_array_or_a_list():
    found = exercise("training.distance")(
        lambda response, stride: [
            float(
                stride * np.hypot(*(np.array(divmod(int(r.argmax()), len(r))) - (len(r) - 1) / 2))
            )
            for r in response
        ]
    )
    assert core.RECORDS["training.distance"].status == "right"
    response = torch.zeros(2, 5, 5)
    response[:, 1, 3] = 1.0  # a row above the centre and a column right of it
    assert torch.allclose(found(response, 8), torch.full((2,), 8 * 2**0.5))


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        (lambda: torch.set_grad_enabled(False), "gradients are still switched off"),
        (lambda: torch.set_autocast_enabled("cpu", True), "autocast is still on"),
    ],
)
def test_an_answer_leaves_pytorchs_modes_as_they_were(switch, words):
    def distances(response, stride):
        switch()
        return torch.zeros(len(response))

    status, found = examine("training.distance", distances)
    assert status == "wrong" and words in found
    assert torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def test_whole_numbers_where_pytorch_takes_fractions_are_explained():
    def distances(response, stride):
        places = response.flatten(1).argmax(1)
        return torch.hypot(places, places)

    assert "PyTorch's hypot takes fractions" in examine("training.distance", distances)[1]
