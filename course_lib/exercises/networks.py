"""Networks are compared by what they compute: with the same weights, the same images must give the
same features. How an answer is built, of modules or functions, is its own affair."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from course_lib.exercises import gradients
from course_lib.exercises.words import Wrong


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with random weights and statistics, none of which is 0 or 1, so that each of
    them counts."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if not value.is_floating_point():
            continue
        noise = torch.rand(value.shape, generator=generator)
        if name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
            value.copy_(0.5 + noise)
        elif value.ndim > 1:
            value.copy_((noise - 0.5) * (12 / value[0].numel()) ** 0.5)
        else:
            value.copy_(noise - 0.5)
    return network


def with_weights_of(
    network: nn.Module, like: nn.Module, what: str = "your network", order: Sequence[str] = ()
) -> nn.Module:
    """`network` with the weights and statistics of `like`, matched by kind, shape and order, not by
    name; raises Wrong if they do not fit.

    Args:
        network: the student's.
        like: the reference.
        what: name of the network.
        order: paths of its layers, from `met`; without it the order in which they were made.
    """
    if not isinstance(network, nn.Module):
        raise Wrong(f"{what} should be an nn.Module; it is of type {type(network).__name__}")
    mine, theirs = _by_kind(network, order), _by_kind(like)
    for key in [*theirs, *mine]:
        found, wanted = len(mine.get(key, ())), len(theirs.get(key, ()))
        if found != wanted:
            raise Wrong(_unequal(what, key, found, wanted, mine, theirs))
    with torch.no_grad():
        for key, values in mine.items():
            for value, other in zip(values, theirs[key], strict=True):
                value.copy_(other)
    return network


def require_learning(
    network: nn.Module, like: nn.Module, image: Tensor, what: str, order: Sequence[str] = ()
) -> None:
    """Raise Wrong unless the output of a network has the same gradient as the right one's, with
    respect to every weight and to the image.

    Args:
        network: the student's; it gets the weights, the mode and the norms' epsilon of the right
            one.
        like: the right one.
        image: (B, C, H, W).
        what: name of the output.
        order: paths of its layers, as for `with_weights_of`.
    """
    network = with_weights_of(network, like, order=order).train(like.training)
    norms = [[m for m in n.modules() if isinstance(m, nn.BatchNorm2d)] for n in (network, like)]
    epsilons = {norm.eps for norm in norms[1]}
    if len(epsilons) == 1:  # another small epsilon is right, too, but moves a ReLU's zero
        for norm in norms[0]:
            norm.eps = min(epsilons)
    mine, theirs = _by_kind(network, order), _by_kind(like)
    paths = {id(weight): path for path, weight in network.named_parameters()}
    image = image.detach().clone().requires_grad_()
    own, wanted = {}, {}
    for key, values in theirs.items():
        for weight, other in zip(mine[key], values, strict=True):
            if not other.requires_grad:
                continue
            name = paths.get(id(weight), key[0])
            if not weight.requires_grad:
                raise Wrong(f"the weight `{name}` does not require a gradient: it cannot learn")
            own[name], wanted[name] = weight, other
    own["image"] = wanted["image"] = image
    gradients.require_same(
        gradients.slopes(network(image), own, what), gradients.slopes(like(image), wanted, what)
    )


Kind = tuple[str, tuple[int, ...], tuple[int, ...]]  # name, shape, shape of its module's weight


def met(network: nn.Module, image: Tensor) -> list[str]:
    """Paths of the layers with weights, as an image meets them; [] if it does not meet them all."""
    own = {p: m for p, m in network.named_modules() if [*m.parameters(recurse=False)]}
    met: dict[str, None] = {}
    hooks = [
        module.register_forward_pre_hook(lambda *_, path=path: met.setdefault(path))
        for path, module in own.items()
    ]
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(image)
    except Exception:  # the comparison says what stops it
        return []
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return list(met) if len(met) == len(own) else []


def _by_kind(network: nn.Module, order: Sequence[str] = ()) -> dict[Kind, list[Tensor]]:
    kinds: dict[Kind, list[Tensor]] = defaultdict(list)
    values = network.state_dict(keep_vars=True)
    place = {path: k for k, path in enumerate(order)}
    paths = sorted(values, key=lambda path: place.get(path.rpartition(".")[0], len(place)))
    for path in paths:
        value = values[path]
        module, _, name = path.rpartition(".")
        if value.is_floating_point():  # a norm's bias is not a convolution's, nor conv2's conv5's
            weight = values.get(f"{module}.weight", value)
            kinds[name, tuple(value.shape), tuple(weight.shape)].append(value)
    return dict(kinds)


def _unequal(what: str, key: Kind, found: int, wanted: int, mine: dict, theirs: dict) -> str:
    """Weights that are missing, or too many, in words."""
    name, shape, _ = key
    several = f"{what} has {found} × `{name}` of shape {shape}; expected {wanted}"
    others = Counter({k[1]: len(v) for k, v in mine.items() if k[0] == name})
    others -= Counter({k[1]: len(v) for k, v in theirs.items() if k[0] == name})
    if found < wanted and others:
        return f"{several}, and it has one of shape {next(iter(others))} in its place"
    return several
