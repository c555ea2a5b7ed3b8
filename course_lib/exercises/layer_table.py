"""Which layer of a network is not that of SiamFC's layer table? For networks whose features have
another size, or whose weights have other shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.exercises.words import Wrong

# the table's convolutions: kernel, stride, groups, channels, and cells per side for 127 and 255
TABLE = (
    (11, 2, 1, 96, {127: 59, 255: 123}),
    (5, 1, 2, 256, {127: 25, 255: 57}),
    (3, 1, 1, 384, {127: 10, 255: 26}),
    (3, 1, 2, 384, {127: 8, 255: 24}),
    (3, 1, 2, 256, {127: 6, 255: 22}),
)


def _convolved(network: nn.Module, size: int) -> tuple[list[tuple[nn.Conv2d, Tensor]], object]:
    """The convolutions an image of `size` pixels meets, each with its output; and the network's
    output, or the error that stopped it."""
    met: list[tuple[nn.Conv2d, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda module, _, out: met.append((module, out)))
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        with torch.no_grad():
            return met, network.eval()(torch.zeros(1, 3, size, size))
    except RuntimeError as problem:
        return met, problem
    finally:
        for hook in hooks:
            hook.remove()


def require_sizes(network: nn.Module, size: int) -> None:
    """The size of the features; raises Wrong naming the first convolution whose output differs."""
    cells = TABLE[-1][-1][size]
    met, out = _convolved(network, size)
    if isinstance(out, Tensor) and tuple(out.shape) == (1, 256, cells, cells):
        return
    for k, ((module, given), row) in enumerate(zip(met, TABLE, strict=False), start=1):
        if words := _unlike(module, k, row):
            raise Wrong(words)
        if given.shape[-1] != row[-1][size]:
            raise Wrong(
                f"for an image of {size} pixels conv{k} yields {given.shape[-1]} cells per side; "
                f"expected {row[-1][size]}. Its own kernel and stride are right: look at the "
                "pooling before it"
            )
    if isinstance(out, RuntimeError):
        place = f"gets as far as conv{len(met)}, then" if met else "stops your network at once"
        raise Wrong(f"an image of {size} pixels {place}: {out}")
    shape = tuple(out.shape) if isinstance(out, Tensor) else f"a {type(out).__name__}"
    raise Wrong(
        f"an image of {size} pixels gives {shape}; expected (1, 256, {cells}, {cells}), the output "
        "of conv5"
    )


def _unlike(module: nn.Conv2d, k: int, row: tuple) -> str:
    """What distinguishes a convolution from the table's, or ""."""
    kernel, stride, _, channels, _ = row
    for name, found, wanted in (
        ("kernel", module.kernel_size, kernel),
        ("stride", module.stride, stride),
        ("dilation", module.dilation, 1),
    ):
        if found != (wanted, wanted):
            return f"conv{k} has {name} {found}; the table says {wanted}"
    if module.padding not in ((0, 0), "valid"):
        return (
            f"conv{k} has padding {module.padding}; SiamFC uses none: padding would leak the "
            "target's position into the features"
        )
    if module.out_channels != channels:
        return (
            f"conv{k} yields {module.out_channels} channels; the table says {channels}, of all "
            "groups together"
        )
    return ""


def layer_amiss(network: nn.Module) -> str:
    """A layer whose weights have another shape than the table's, or ""."""
    convolutions = [module for module, _ in _convolved(network, 127)[0]]
    for k, (module, row) in enumerate(zip(convolutions, TABLE, strict=False), start=1):
        if module.groups != row[2]:
            return (
                f"conv{k} has {module.groups} group{'s' * (module.groups > 1)}; in the table each "
                f"of its filters sees {module.in_channels // row[2]} channels: groups={row[2]}"
            )
        if module.bias is None:
            return f"conv{k} has no bias; the count of 2,336,320 parameters has one for each filter"
        if words := _unlike(module, k, row):
            return words
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    if norms != 4:
        return f"your network has {norms} batch norms; conv1 to conv4 have one each, conv5 has none"
    return ""
