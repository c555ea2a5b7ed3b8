"""Checks of lesson 05: mixed precision, one step, exact resumption."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from course_lib.exercises.compare import as_number, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.training import step


class Probe(nn.Module):
    """Records how it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 3)
        self.bf16: list[bool] = []

    def forward(self, exemplar, search):
        """Something positive, and whether autocast was on."""
        self.bf16.append(torch.is_autocast_enabled("cpu"))
        return (self.layer(search).mean(dim=1) + self.layer(exemplar).mean()).abs() + 1


@check(
    "training.predict",
    reference=step.predict,
    others={
        "outside autocast": lambda right, network, z, x, bf16: right(network, z, x, False),
        "although bf16 is False": lambda right, network, z, x, bf16: right(network, z, x, True),
        "bring them back": lambda right, *given: right(*given).bfloat16(),
        "lost their gradient": lambda right, *given: right(*given).detach(),
        "have become bfloat16": lambda right, network, *given: (
            right(network, *given),
            network.to(torch.bfloat16),
        )[0],
        "the responses": lambda right, network, z, x, bf16: right(network, x, z, bf16),
    },
)
def examine_predict(answer, rng) -> None:
    """Mixed precision around the network, full precision after it."""
    probe = Probe()
    z, x = torch.rand(2, 3, 5, 5), torch.rand(2, 3, 8, 8)
    for bf16 in (True, False):
        probe.bf16.clear()
        given = answer(probe, z, x, bf16)
        if not isinstance(given, torch.Tensor):
            raise Wrong(
                f"the responses should be a tensor; yours is of type {type(given).__name__}"
            )
        _check_precision(probe, given, bf16)
    if torch.is_autocast_enabled("cpu"):
        raise Wrong("autocast is still on after your function: use it as `with torch.autocast(…):`")
    expected = answer.right(probe, z, x, False).detach().numpy()
    require_close(given, expected, "the responses", tolerance=1e-4)


def _check_precision(probe: Probe, given: torch.Tensor, bf16: bool) -> None:
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
            f"the responses are {str(given.dtype).removeprefix('torch.')}: bring them back with "
            ".float(), the loss needs the digits"
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


def _small(rng) -> tuple[nn.Module, torch.optim.Optimizer, torch.Tensor]:
    torch.manual_seed(int(rng.integers(1000)))
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    return network, _optimiser(network), torch.from_numpy(rng.normal(size=(6, 3))).float()


def _optimiser(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)


def _weights(network: nn.Module) -> np.ndarray:
    values = [t.detach().float().flatten() for t in network.state_dict().values()]
    return torch.cat(values).numpy().copy()


def _without(method: str):
    """A mistake: the optimiser's method is never called."""

    def descend(right, network, optimiser, loss, sequence):
        calls = {"zero_grad": optimiser.zero_grad, "step": optimiser.step}
        return right(
            network, SimpleNamespace(**{**calls, method: lambda **given: None}), loss, sequence
        )

    return descend


@check(
    "training.descend",
    reference=step.descend,
    others={
        "add up unless they are zeroed": _without("zero_grad"),
        "have not moved": _without("step"),
        "the gradient is not clipped, or clipped after the step": (
            lambda right, network, optimiser, loss, sequence: right(network, optimiser, loss, 1e9)
        ),
        "elsewhere than expected": lambda right, network, optimiser, loss, sequence: right(
            network, optimiser, loss, 0.8 * sequence
        ),
        "the norm after clipping": lambda right, *given: min(right(*given), given[-1]),
        "norm before clipping is": lambda right, *given: 2 * right(*given),
    },
)
def examine_descend(answer, rng) -> None:
    """Gradient, clip, step."""
    network, optimiser, x = _small(rng)
    twin = copy.deepcopy(network)
    twin_optimiser = _optimiser(twin)
    for k in range(3):
        before = _weights(network)
        given = answer(network, optimiser, (network(x) * 40).square().mean(), 5.0)
        expected = answer.right(twin, twin_optimiser, (twin(x) * 40).square().mean(), 5.0)
        _check_weights(k, before, _weights(network), _weights(twin))
        _check_norm(as_number(given, "the norm"), expected)


def _check_weights(k: int, before: np.ndarray, after: np.ndarray, right: np.ndarray) -> None:
    if k == 0 and same(after[:12], before[:12], 1e-9):
        raise Wrong("the weights have not moved: is optimiser.step() missing?")
    if same(after, right, 1e-4):
        return
    if k > 0:
        raise Wrong(
            "the first step is right, the later ones are not: gradients add up unless they are "
            "zeroed before backward"
        )
    if np.abs(before[:12] - after[:12]).max() > 3 * np.abs(before[:12] - right[:12]).max():
        raise Wrong(
            "the weights moved too far: the gradient is not clipped, or clipped after the step"
        )
    raise Wrong(
        "the weights moved elsewhere than expected: zero, backward, clip, step, in this order"
    )


def _check_norm(norm: float, expected: float) -> None:
    if same(norm, expected, 1e-3):
        return
    if norm <= 5.001:
        raise Wrong(
            f"you return {norm:.3g}, the norm after clipping; clip_grad_norm_ returns the one "
            f"before, {expected:.3g}"
        )
    raise Wrong(f"you return {norm:.3g}; the gradient's norm before clipping is {expected:.3g}")


@check(
    "training.snapshot",
    reference=step.snapshot,
    others={
        "changed while training went on": lambda right, network, optimiser, k: {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": k,
        },
        "lacks 'optimiser' (the optimiser's momentum)": lambda right, network, optimiser, k: {
            "network": network.state_dict(),
            "step": k,
        },
        "ends with different weights": lambda right, network, optimiser, k: {
            **right(network, optimiser, k),
            "optimiser": {**optimiser.state_dict(), "state": {}},
        },
        "lacks": lambda right, network, *given: network.state_dict(),
        "keep what state_dict() returns": lambda right, network, *given: {
            **right(network, *given),
            "network": network,
        },
    },
)
def examine_snapshot(answer, rng) -> None:
    """What must be kept for an exact resume."""
    network, optimiser, x = _small(rng)

    def train(n: int) -> None:
        for _ in range(n):
            step.descend(network, optimiser, network(x).square().mean(), 10.0)

    train(3)
    kept = answer(network, optimiser, 3)
    _check_parts(kept)
    at_three = _weights(network)
    train(4)
    straight = _weights(network)
    try:
        step.restore(network, optimiser, kept)
    except (KeyError, AttributeError, TypeError, RuntimeError, ValueError) as problem:
        raise Wrong(
            f"the snapshot cannot be restored ({problem}): keep what state_dict() returns, for "
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
            "the continued run ends with different weights: the optimiser's momentum is not as it "
            "was (is its state copied?)"
        )


def _check_parts(kept: object) -> None:
    if not isinstance(kept, dict):
        raise Wrong(f"a snapshot is a dictionary; yours is of type {type(kept).__name__}")
    what = {
        "network": "the weights",
        "optimiser": "the optimiser's momentum",
        "step": "how far training has come",
    }
    missing = [f"{name!r} ({what[name]})" for name in sorted(set(what) - set(kept))]
    if missing:
        raise Wrong(f"the snapshot lacks {', '.join(missing)}")
    if as_number(kept["step"], "the step") != 3:
        raise Wrong(f"the snapshot says step {kept['step']}; it was taken at step 3")
