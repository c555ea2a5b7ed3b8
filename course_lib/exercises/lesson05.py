"""Checks of lesson 05: pairs, augmentation, the learning rate, one step, exact resumption, reading
a curve."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from course_lib.data import pairs_cut, pairs_video
from course_lib.exercises.compare import as_array, as_number, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models.losses import peak_distance
from course_lib.training import monitor, step


@check("training.pair", reference=pairs_video.sample_two_frames)
def examine_pair(answer, reference, rng) -> None:
    """Two frames of one video."""
    valid = np.sort(rng.choice(400, 120, replace=False))
    seen, before = [], 0
    for _ in range(400):
        drawn = answer(rng, valid.copy(), 60)
        if not isinstance(drawn, (tuple, list)) or len(drawn) != 2:
            raise Wrong("the answer has two parts: return first, second")
        first, second = int(as_number(drawn[0], "first")), int(as_number(drawn[1], "second"))
        for frame in (first, second):
            if frame not in valid:
                raise Wrong(
                    f"frame {frame} is not among the valid ones: the target is absent there, or "
                    "cut off. Draw from `valid`"
                )
        if abs(second - first) > 60:
            raise Wrong(
                f"frames {first} and {second} are {abs(second - first)} apart; at most the gap of "
                "60"
            )
        if first == second:
            raise Wrong(
                f"both frames are {first}: a pair of one frame teaches nothing about change. Leave "
                "the first out"
            )
        before += second < first
        seen.append(first)
    if before == 0 or before == 400:
        raise Wrong(
            "your second frame always lies on the same side of the first; time may run either way"
        )
    if len(set(seen)) < 60:
        raise Wrong(
            f"in 400 draws only {len(set(seen))} of 120 frames came first: draw the first among "
            "all valid ones"
        )
    lonely = answer(rng, np.array([5, 300]), 60)
    if tuple(int(v) for v in lonely) not in ((5, 5), (300, 300)):
        raise Wrong(
            f"of frames 5 and 300, with a gap of 60, you drew {tuple(lonely)}: where no other is "
            "in reach, give the first twice"
        )


@check("training.shift", reference=pairs_cut.shifted_centre)
def examine_shift(answer, reference, rng) -> None:
    """Centre of a search window beside the target's."""
    box, shift, scale = np.array([40.0, 60.0, 30.0, 50.0]), 4.0, 0.5
    middle = box[:2] + box[2:] / 2
    points = np.array(
        [as_array(answer(rng, box.copy(), shift, scale), (2,), "the point") for _ in range(600)]
    )
    away = (points - middle) * scale  # crop pixels
    if np.abs(away.mean(axis=0)).max() > 1.0:
        raise Wrong(
            f"your points lie around ({points.mean(axis=0)[0]:.0f}, {points.mean(axis=0)[1]:.0f}); "
            "the box's middle is (55, 85): x + w / 2, y + h / 2"
        )
    if np.abs(away).max() > shift * 1.001:
        raise Wrong(
            f"the target is shifted by up to {np.abs(away).max():.1f} crop pixels, not {shift:g}: "
            f"one frame pixel is {scale:g} crop pixels, "
            "so divide by the scale"
        )
    if np.abs(away).max() < shift * 0.8:
        raise Wrong(
            f"the shift never exceeds {np.abs(away).max():.1f} crop pixels; expected up to "
            f"{shift:g}: divide by the scale, do not multiply"
        )
    if abs(np.corrcoef(away.T)[0, 1]) > 0.5:
        raise Wrong("x and y are shifted by the same amount: draw two numbers")
    if (away > 0).all(axis=0).any() or (away < 0).all(axis=0).any():
        raise Wrong("you shift to one side only: draw between −shift and +shift")


@check("training.rate", reference=step.learning_rate)
def examine_rate(answer, reference, rng) -> None:
    """Geometric schedule."""
    steps, start, end = 50, 1e-2, 1e-5
    given = np.array([as_number(answer(k, steps, start, end), "the rate") for k in range(steps)])
    if same(given / given[0], np.linspace(start, end, steps) / start, 1e-3):
        raise Wrong(
            "your rate falls along a straight line: nearly all steps are large ones. It should "
            "fall by the same factor each step"
        )
    right = np.array([reference(k, steps, start, end) for k in range(steps)])
    if not np.isclose(given[0], start):
        raise Wrong(f"the first step's rate is {given[0]:.3g}; expected {start:g}")
    if same(
        given / right,
        (end / start) ** (np.arange(steps) / steps - np.arange(steps) / (steps - 1)),
        1e-3,
    ):
        raise Wrong(
            f"the last step's rate is {given[-1]:.3g}, not {end:g}: between {steps} steps lie "
            f"{steps - 1} factors"
        )
    if not np.isclose(given[-1], end, rtol=1e-3):
        raise Wrong(f"the last step's rate is {given[-1]:.3g}; expected {end:g}")
    require_close(np.log10(given), np.log10(right), "the logarithm of the rate", tolerance=1e-4)


class _Probe(nn.Module):
    """Notes how it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 3)
        self.bf16: list[bool] = []

    def forward(self, exemplar, search):
        self.bf16.append(torch.is_autocast_enabled("cpu"))
        return (self.layer(search).mean(dim=1) + self.layer(exemplar).mean()).abs() + 1


@check("training.predict", reference=step.predict)
def examine_predict(answer, reference, rng) -> None:
    """Mixed precision around the network, full precision behind it."""
    probe = _Probe()
    z, x = torch.rand(2, 3, 5, 5), torch.rand(2, 3, 8, 8)
    for bf16 in (True, False):
        probe.bf16.clear()
        given = answer(probe, z, x, bf16)
        if not isinstance(given, torch.Tensor):
            raise Wrong(
                f"the responses should be a tensor; yours is of type {type(given).__name__}"
            )
        if not probe.bf16:
            raise Wrong("the network was never called: network(exemplar, search)")
        if probe.bf16[-1] is not bf16:
            said = (
                "outside autocast, so in single precision"
                if bf16
                else "in bfloat16 although bf16 is False"
            )
            raise Wrong(f"with bf16={bf16} the network ran {said}: torch.autocast(…, enabled=bf16)")
        if given.dtype != torch.float32:
            raise Wrong(
                f"the responses are {str(given.dtype).removeprefix('torch.')}: bring them back "
                "with .float(), the loss needs the digits"
            )
        if {p.dtype for p in probe.parameters()} != {torch.float32}:
            raise Wrong(
                "the network's weights have become bfloat16: small steps would be rounded away. "
                "Autocast rounds copies only"
            )
        if not given.requires_grad:
            raise Wrong(
                "the responses have lost their gradient: no torch.no_grad() and no .detach() in "
                "training"
            )
    if torch.is_autocast_enabled("cpu"):
        raise Wrong("autocast is still on after your function: use it as `with torch.autocast(…):`")
    require_close(
        given, reference(probe, z, x, False).detach().numpy(), "the responses", tolerance=1e-4
    )


def _small(rng) -> tuple[nn.Module, torch.optim.Optimizer, torch.Tensor]:
    torch.manual_seed(int(rng.integers(1000)))
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    return network, optimiser, torch.from_numpy(rng.normal(size=(6, 3))).float()


def _weights(network: nn.Module) -> np.ndarray:
    return (
        torch.cat([t.detach().float().flatten() for t in network.state_dict().values()])
        .numpy()
        .copy()
    )


@check("training.descend", reference=step.descend)
def examine_descend(answer, reference, rng) -> None:
    """Gradient, clip, step."""
    network, optimiser, x = _small(rng)
    twin, twin_optimiser = copy.deepcopy(network), None
    twin_optimiser = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    for k in range(3):
        before = _weights(network)
        given = answer(network, optimiser, (network(x) * 40).square().mean(), 5.0)
        expected = reference(twin, twin_optimiser, (twin(x) * 40).square().mean(), 5.0)
        weights, right = _weights(network), _weights(twin)
        if k == 0 and same(weights[:12], before[:12], 1e-9):
            raise Wrong("the weights have not moved: is optimiser.step() missing?")
        if not same(weights, right, 1e-4):
            if k > 0:
                raise Wrong(
                    "the first step is right, the later ones are not: gradients add up unless they "
                    "are zeroed before backward"
                )
            free = copy.deepcopy(before[:12]) - weights[:12]
            if np.abs(free).max() > 3 * np.abs(before[:12] - right[:12]).max():
                raise Wrong(
                    "the weights moved too far: the gradient is not clipped, or clipped after the "
                    "step"
                )
            raise Wrong(
                "the weights moved to another place than expected: zero, backward, clip, step, in "
                "this order"
            )
        norm = as_number(given, "the norm")
        if not same(norm, expected, 1e-3):
            if norm <= 5.001:
                raise Wrong(
                    f"you return {norm:.3g}, the norm after clipping; clip_grad_norm_ returns the "
                    f"one before, {expected:.3g}"
                )
            raise Wrong(
                f"you return {norm:.3g}; the gradient's norm before clipping is {expected:.3g}"
            )


@check("training.snapshot", reference=step.snapshot)
def examine_snapshot(answer, reference, rng) -> None:
    """What must be kept for an exact resume."""
    network, optimiser, x = _small(rng)

    def train(n: int) -> None:
        for _ in range(n):
            step.descend(network, optimiser, network(x).square().mean(), 10.0)

    train(3)
    kept = answer(network, optimiser, 3)
    if not isinstance(kept, dict):
        raise Wrong(f"a snapshot is a dictionary; yours is of type {type(kept).__name__}")
    missing = {"network", "optimiser", "step"} - set(kept)
    if missing:
        what = {
            "network": "the weights",
            "optimiser": "the optimiser's momentum",
            "step": "how far training has come",
        }
        raise Wrong(
            "the snapshot lacks "
            f"{', '.join(repr(m) + ' (' + what[m] + ')' for m in sorted(missing))}"
        )
    if as_number(kept["step"], "the step") != 3:
        raise Wrong(f"the snapshot says step {kept['step']}; it was taken at step 3")
    at_three = _weights(network)
    train(4)
    straight = _weights(network)
    try:
        step.restore(network, optimiser, kept)
    except (KeyError, AttributeError, TypeError, RuntimeError, ValueError) as problem:
        raise Wrong(
            f"the snapshot cannot be restored ({problem}): keep what state_dict() gives, of "
            "network and optimiser"
        ) from None
    if not same(_weights(network), at_three, 0):
        raise Wrong(
            "the snapshot changed while training went on: state_dict() gives the tensors "
            "themselves; copy.deepcopy them"
        )
    train(4)
    if not same(_weights(network), straight, 1e-7):
        raise Wrong(
            "the continued run ends with other weights: the optimiser's momentum is not as it was "
            "(is its state copied?)"
        )


@check("training.distance", reference=peak_distance)
def examine_distance(answer, reference, rng) -> None:
    """Distance of the peak from the middle."""
    for n, stride in ((17, 8), (15, 8), (33, 4)):
        response = torch.from_numpy(rng.normal(size=(4, n, n))).float()
        response[0, n // 2, n // 2] = 50.0
        expected = reference(response, stride)
        given = as_array(answer(response.clone(), stride), (4,), "the distances")
        if same(given * stride, expected, 1e-4):
            raise Wrong("your distances are in cells; one cell is `stride` pixels")
        if not same(given[0], 0):
            raise Wrong(
                f"a peak in the middle cell has distance {given[0]:.3g}, expected 0: the middle is "
                f"(n − 1) / 2 = {(n - 1) // 2}"
            )
        require_close(
            given,
            expected,
            "the distance",
            tolerance=1e-4,
            hint="√(rows² + columns²) · stride, for each response its own peak",
        )


@check("training.smooth", reference=monitor.smooth)
def examine_smooth(answer, reference, rng) -> None:
    """Exponential moving average without the pull to 0."""
    losses = (1 + rng.uniform(0, 1, 30)).tolist()
    expected = reference(losses, 0.9)
    given = as_array(answer(list(losses), 0.9), (30,), "the smoothed curve")
    raw = np.array([expected[k] * (1 - 0.9 ** (k + 1)) for k in range(30)])
    if same(given, raw, 1e-5):
        raise Wrong(
            f"your curve starts at {given[0]:.2f}, the losses at {losses[0]:.2f}: it is drawn to "
            "the 0 it began with. Divide by 1 − factor^k"
        )
    if same(given, reference(losses, 0.1), 1e-5):
        raise Wrong("factor and 1 − factor have changed places: a larger factor smooths more")
    first = [losses[0]]
    for loss in losses[1:]:
        first.append(0.9 * first[-1] + 0.1 * loss)
    if same(given, first, 1e-5):
        raise Wrong(
            "you start from the first loss, which then weighs as much as ten others; start from 0 "
            "and divide by 1 − factor^k"
        )
    require_close(given, expected, "the smoothed curve", tolerance=1e-5)
