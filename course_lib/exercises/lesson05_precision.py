"""Checks of lesson 05: mixed precision."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor

from course_lib.exercises.compare import require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.probes import OnGPU, Probe, ProbeOnGPU, short
from course_lib.exercises.words import Wrong
from course_lib.training import step


def _rounded_weights(right, network, z, x, bf16):
    """The network itself in half precision."""
    network.bfloat16()
    response = network(z.bfloat16(), x.bfloat16()) if bf16 else network.float()(z, x)
    return response.float()


def _rounded_and_back(right, network, z, x, bf16):
    """The same, and back: the digits are lost."""
    network.bfloat16().float()
    return right(network, z, x, bf16)


def _in_float16(right, network, z, x, bf16):
    with torch.autocast(z.device.type, dtype=torch.float16, enabled=bf16):
        return network(z, x).float()


def _without_type(right, network, z, x, bf16):
    """bfloat16 on a CPU, float16 on a GPU."""
    with torch.autocast(z.device.type, enabled=bf16):
        return network(z, x).float()


def _on_the_cpu(right, network, z, x, bf16):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        return network(z, x).float()


def _left_on(right, network, z, x, bf16):
    torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16).__enter__()
    return network(z, x).float()


def _without_gradient(right, *given):
    with torch.no_grad():
        return right(*given)


@check(
    "training.predict",
    reference=step.predict,
    others={
        "outside autocast": [
            lambda right, network, z, x, bf16: right(network, z, x, False),
            lambda right, network, z, x, bf16: right(network, z, x, not bf16),
        ],
        "although bf16 is False": lambda right, network, z, x, bf16: right(network, z, x, True),
        "float16, whose largest number": _in_float16,
        "you turn on the CPU's autocast": _on_the_cpu,
        "float16, autocast's own choice": _without_type,
        "still on after your function": _left_on,
        "bring them back": lambda right, *given: right(*given).bfloat16(),
        "cut off": [
            lambda right, *given: right(*given).detach(),
            lambda right, *given: right(*given).detach().requires_grad_(),
        ],
        "runs without gradients": _without_gradient,
        "have become bfloat16": [
            _rounded_weights,
            lambda right, network, *given: (right(network, *given), network.bfloat16())[0],
        ],
        "changes the network's weights": _rounded_and_back,
        "in the other order": lambda right, network, z, x, bf16: right(network, x, z, bf16),
        "other images": lambda right, network, z, x, bf16: right(network, z / 255, x / 255, bf16),
        "as they come": lambda right, *given: right(*given).sigmoid(),
        "into evaluation mode": lambda right, network, *given: right(network.eval(), *given),
        "into training mode": lambda right, network, *given: right(network.train(), *given),
        "leave the network's gradients": lambda right, network, *given: (
            network.zero_grad(),
            right(network, *given),
        )[1],
        "with bf16=False the network was never called": lambda right, network, z, x, bf16: (
            right(network, z, x, bf16) if bf16 else None
        ),
        "was called 2 times": lambda right, network, *given: (
            (right(network, *given) + right(network, *given)) / 2
        ),
    },
)
def examine_predict(answer, rng) -> None:
    """Mixed precision around the network, full precision after it."""
    torch.manual_seed(int(rng.integers(1000)))
    for bf16, pairs, training in ((True, 2, True), (False, 3, True), (False, 1, False)):
        probe, z, x = (
            Probe().train(training),
            torch.rand(pairs, 3, 5, 5),
            torch.rand(pairs, 3, 9, 9),
        )
        for weight in probe.parameters():
            weight.grad = torch.ones_like(weight)
        before = copy.deepcopy(probe.state_dict())
        given = answer(probe, z, x, bf16)
        if not probe.calls:
            raise Wrong(f"with bf16={bf16} the network was never called: network(exemplar, search)")
        _check_network(probe, before, training)
        _check_call(probe.calls[0], z, x, bf16)
        _check_output(probe, given)
        right = answer.right(probe, z, x, bf16).detach()
        if same(given.detach(), right.sigmoid(), 1e-5):
            raise Wrong(
                "return the network's responses as they come; the loss takes care of the rest"
            )
        require_close(given, right, "the responses", tolerance=1e-5)
    _check_device(answer)


def _check_network(probe: Probe, before: dict, training: bool) -> None:
    """It is called once, in the mode that it is in, and is left as it was."""
    if {p.dtype for p in probe.parameters()} != {torch.float32}:
        raise Wrong(
            "the network's weights have become bfloat16: small steps would be rounded away. "
            "Autocast rounds copies only"
        )
    if any(not torch.equal(value, before[name]) for name, value in probe.state_dict().items()):
        raise Wrong(
            "your function changes the network's weights: once rounded, they do not get their "
            "digits back. Autocast rounds copies only"
        )
    if {probe.training, probe.calls[0]["training"]} != {training}:
        raise Wrong(
            "your function puts the network into evaluation mode, in the middle of training"
            if training
            else "your function puts the network into training mode; it may also be called to "
            "measure, in evaluation mode. Leave the mode as it is"
        )
    if any(p.grad is None or not bool((p.grad == 1).all()) for p in probe.parameters()):
        raise Wrong(
            "your function changes the gradients of the weights; it only calls the network: leave "
            "the network's gradients to the step"
        )
    if len(probe.calls) > 1:
        raise Wrong(
            f"the network was called {len(probe.calls)} times; once is enough, and each call in "
            "training also changes the batch norms' statistics"
        )


def _check_call(call: dict, z: Tensor, x: Tensor, bf16: bool) -> None:
    """It is called with the images, in the right precision."""
    if not call["gradients"]:
        raise Wrong(
            "the network runs without gradients, which training needs: no torch.no_grad() here"
        )
    if call["autocast"] == "float16":
        raise Wrong(
            "the network ran in float16, whose largest number is 65,504 and whose smallest "
            "gradients become 0: dtype=torch.bfloat16 has the range of single precision"
        )
    if bool(call["autocast"]) is not bf16:
        said = (
            "outside autocast, so in single precision"
            if bf16
            else "in bfloat16 although bf16 is False"
        )
        raise Wrong(
            f"with bf16={bf16} the network ran {said}: with "
            "torch.autocast(exemplar.device.type, …, enabled=bf16)"
        )
    shapes = tuple(tuple(image.shape) for image in call["images"])
    if shapes == (tuple(x.shape), tuple(z.shape)):
        raise Wrong("the network gets its images in the other order: network(exemplar, search)")
    for name, got, wanted in zip(("exemplar", "search"), call["images"], (z, x), strict=True):
        if got.shape != wanted.shape or not same(got.float().detach(), wanted, 0.005):
            raise Wrong(f"the network gets other images than your function: is `{name}` changed?")


def _check_output(probe: Probe, given: object) -> None:
    """Responses in single precision, with the gradient."""
    if not isinstance(given, Tensor):
        raise Wrong(f"the responses should be a tensor; yours is of type {type(given).__name__}")
    if given.dtype != torch.float32:
        raise Wrong(
            f"the responses are {short(given.dtype)}: bring them back to float32 with .float(), "
            "the precision that the loss computes in"
        )
    connected = (
        given.requires_grad
        and torch.autograd.grad(
            given.sum(), probe.layer.weight, retain_graph=True, allow_unused=True
        )[0]
        is not None
    )
    if not connected:
        raise Wrong(
            "the responses are cut off from the network's weights, so nothing can be learned: no "
            ".detach(), .data or torch.tensor() around them"
        )


def _check_device(answer) -> None:
    """The autocast that is turned on is that of the images' device, and rounds to bfloat16 there,
    too."""
    z, x, probe = (*(torch.zeros(1).as_subclass(OnGPU) for _ in range(2)), ProbeOnGPU())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # autocast says that there is no GPU
        answer(probe, z, x, True)
    if probe.misplaced:
        raise Wrong(
            "where the images are on a GPU, you turn on the CPU's autocast: take the type of their "
            "device, torch.autocast(exemplar.device.type, …)"
        )
    if probe.rounds_to != torch.bfloat16:
        raise Wrong(
            "where the images are on a GPU, the network runs in float16, autocast's own choice "
            "there, whose largest number is 65,504: give it dtype=torch.bfloat16"
        )
