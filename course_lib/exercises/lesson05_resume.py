"""Checks of lesson 05: exact resumption, and measuring without a trace."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.compare import as_number, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.training import step


def small_network(rng: np.random.Generator) -> tuple[nn.Module, torch.optim.Optimizer, Tensor]:
    """A tiny network with batch norm, its optimiser, and inputs (6, 3)."""
    torch.manual_seed(int(rng.integers(1000)))
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    return network, small_optimiser(network), torch.from_numpy(rng.normal(size=(6, 3))).float()


def small_optimiser(network: nn.Module) -> torch.optim.Optimizer:
    """SGD with momentum and weight decay."""
    return torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)


def weights_of(network: nn.Module) -> np.ndarray:
    """All weights and statistics (N,)."""
    return torch.cat([v.double().flatten() for v in network.state_dict().values()]).numpy().copy()


def _with(**parts):
    """A mistake: a snapshot with other parts, each made from (network, optimiser, step)."""

    def snapshot(right, *given):
        return {**right(*given), **{name: make(*given) for name, make in parts.items()}}

    return snapshot


def _in_one_place():
    """A mistake: all snapshots are one dictionary."""
    kept = {}

    def snapshot(right, *given):
        kept.update(right(*given))
        return kept

    return snapshot


def _halved(network, *_):
    return {name: value.half() for name, value in network.state_dict().items()}


@check(
    "training.snapshot",
    reference=step.snapshot,
    others={
        "the weights in the snapshot changed while training went on": [
            _with(network=lambda network, *_: network.state_dict()),
            _with(network=lambda network, *_: copy.copy(network.state_dict())),
            lambda right, network, optimiser, k: {
                "network": network.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": k,
            },
        ],
        "the momentum in the snapshot changed while training went on": [
            _with(optimiser=lambda network, optimiser, *_: optimiser.state_dict()),
            _with(optimiser=lambda network, optimiser, *_: dict(optimiser.state_dict())),
        ],
        "lacks 'optimiser' (the optimiser's momentum)": lambda right, network, optimiser, k: {
            "network": copy.deepcopy(network.state_dict()),
            "step": k,
        },
        "holds no momentum": _with(
            optimiser=lambda network, optimiser, *_: {**optimiser.state_dict(), "state": {}}
        ),
        "lacks 'param_groups'": _with(
            optimiser=lambda network, optimiser, *_: {
                "state": copy.deepcopy(optimiser.state_dict()["state"])
            }
        ),
        "the batch norms' statistics among them": _with(
            network=lambda network, *_: copy.deepcopy(dict(network.named_parameters()))
        ),
        "lacks": lambda right, network, *given: copy.deepcopy(network.state_dict()),
        "keep what its state_dict() returns": [
            _with(network=lambda network, *_: copy.deepcopy(network)),
            _with(network=lambda network, *_: copy.deepcopy(list(network.parameters()))),
            _with(optimiser=lambda network, optimiser, *_: copy.deepcopy(optimiser)),
        ],
        "differ from the network's": _with(network=_halved),
        "changes the gradients": lambda right, network, optimiser, k: (
            optimiser.zero_grad(),
            right(network, optimiser, k),
        )[1],
        "changes the network's mode": lambda right, network, *given: right(network.eval(), *given),
        "changes the optimiser's momentum": lambda right, network, optimiser, k: (
            right(network, optimiser, k),
            optimiser.state.clear(),
        )[0],
        "overwrites the first": _in_one_place(),
        "it was taken at step": _with(step=lambda network, optimiser, k: k + 1),
    },
)
def examine_snapshot(answer, rng) -> None:
    """What must be kept for an exact resume."""
    network, optimiser, x = small_network(rng)
    at = int(rng.integers(10, 90))

    def train(n: int, rate: float) -> None:
        optimiser.param_groups[0]["lr"] = rate
        for _ in range(n):
            step.descend(network, optimiser, network(x).square().mean(), 10.0)

    train(3, 0.1)
    before, momentum = copy.deepcopy(network.state_dict()), _momentum(optimiser.state_dict())
    kept = _taken(answer, network, optimiser, at)
    _check_parts(kept, before, at)
    train(4, 0.1)
    straight = weights_of(network)
    train(2, 0.03)
    now = network.state_dict()
    _check_weights(kept["network"], before, now)
    _check_momentum(_momentum(kept["optimiser"]), momentum, _momentum(optimiser.state_dict()))
    second = _taken(answer, network, optimiser, at + 6)
    _check_parts(second, now, at + 6)
    if kept["step"] != at or not same(_flat(kept["network"]), _flat(before), 0):
        raise Wrong("a second snapshot overwrites the first one: return a new dictionary each time")
    if not same(_flat(second["network"]), _flat(now), 0):
        raise Wrong("a second snapshot still holds the weights of the first one")
    try:
        step.restore(network, optimiser, kept)
    except (KeyError, AttributeError, TypeError, RuntimeError, ValueError, IndexError) as problem:
        raise Wrong(
            f"the snapshot cannot be restored ({problem}): keep what state_dict() returns, for "
            "network and optimiser"
        ) from None
    train(4, optimiser.param_groups[0]["lr"])
    if not same(weights_of(network), straight, 1e-7):
        raise Wrong(
            "the continued run ends with different weights: what state_dict() returns for the "
            "optimiser also holds its rate, and must be kept as it was"
        )


def _flat(values: Mapping[str, Any]) -> np.ndarray:
    return np.concatenate(
        [np.ravel(torch.as_tensor(v).detach().double().numpy()) for v in values.values()]
    )


def _momentum(state: Mapping[str, Any]) -> np.ndarray:
    """The momentum (N,) of all weights in an optimiser's state; empty if there is none."""
    found = [of.get("momentum_buffer") for of in state["state"].values()]
    parts = [np.ravel(torch.as_tensor(m).double().numpy()) for m in found if m is not None]
    return np.concatenate([np.zeros(0), *parts])


def _taken(answer, network: nn.Module, optimiser: torch.optim.Optimizer, at: int) -> Any:
    """The snapshot; raises Wrong if taking it leaves a trace."""

    def states() -> list[tuple[str, np.ndarray]]:
        gradients = [torch.zeros(0) if p.grad is None else p.grad for p in network.parameters()]
        return [
            ("the network's weights or statistics", weights_of(network)),
            ("the optimiser's momentum", _momentum(optimiser.state_dict())),
            ("the optimiser's rate", np.array([g["lr"] for g in optimiser.param_groups])),
            ("the gradients", torch.cat([g.flatten() for g in gradients]).numpy().copy()),
            ("the network's mode", np.array([m.training for m in network.modules()])),
        ]

    before = states()
    kept = answer(network, optimiser, at)
    for (name, old), (_, new) in zip(before, states(), strict=True):
        if not same(old, new, 0):
            raise Wrong(f"your function changes {name}; taking a snapshot should change nothing")
    return kept


def _check_parts(kept: object, network: Mapping[str, Tensor], at: int) -> None:
    """The snapshot has its three parts, and each has all that belongs to it."""
    if not isinstance(kept, dict):
        raise Wrong(f"a snapshot is a dictionary; yours is of type {type(kept).__name__}")
    what = {
        "network": "the weights",
        "optimiser": "the optimiser's momentum",
        "step": "how far training has come",
    }
    missing = [f"{name!r} ({what[name]})" for name in sorted(set(what) - set(kept))]
    if missing:
        others = [repr(name) for name in kept if name not in what][:3]
        more = f"; it has {', '.join(others)}" if others else ""
        raise Wrong(f"the snapshot lacks {', '.join(missing)}{more}")
    for name in ("network", "optimiser"):
        if not isinstance(kept[name], Mapping):
            raise Wrong(
                f"the snapshot's {name!r} is of type {type(kept[name]).__name__}: keep what its "
                "state_dict() returns"
            )
    lost = [name for name in network if name not in kept["network"]]
    if lost:
        raise Wrong(
            f"the snapshot's 'network' lacks {', '.join(lost)}: state_dict() holds everything, the "
            "batch norms' statistics among them"
        )
    for name in ("state", "param_groups"):
        if name not in kept["optimiser"]:
            raise Wrong(
                f"the snapshot's 'optimiser' lacks {name!r}: keep what its state_dict() returns"
            )
    if as_number(kept["step"], "the step") != at:
        raise Wrong(f"the snapshot says step {kept['step']}; it was taken at step {at}")


def _check_weights(
    kept: Mapping[str, Any], then: Mapping[str, Tensor], now: Mapping[str, Tensor]
) -> None:
    """The weights are those of the moment."""
    for name, value in then.items():
        mine, moment, later = (_flat({name: of[name]}) for of in (kept, {name: value}, now))
        if same(mine, moment, 0):
            continue
        if same(mine, later, 0):
            raise Wrong(
                f"the weights in the snapshot changed while training went on ({name!r}): "
                "state_dict() gives the tensors themselves; copy.deepcopy them"
            )
        raise Wrong(
            f"the weights in the snapshot differ from the network's at that moment ({name!r}): "
            "copy them as they are, in full precision"
        )


def _check_momentum(kept: np.ndarray, then: np.ndarray, now: np.ndarray) -> None:
    if not kept.size:
        raise Wrong(
            "the snapshot's 'optimiser' holds no momentum: is the 'state' of its state_dict() "
            "copied? A run that is resumed without it takes another course"
        )
    if same(kept, now, 0):
        raise Wrong(
            "the momentum in the snapshot changed while training went on: copy.deepcopy the "
            "optimiser's state_dict() as well; a copy of the dictionary alone holds the same "
            "tensors"
        )
    if not same(kept, then, 0):
        raise Wrong("the momentum in the snapshot differs from the optimiser's at that moment")
