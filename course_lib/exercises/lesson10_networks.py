"""Checks of lesson 10, second half: CIR units, twins, CIResNet-22, agreement, un-freezing."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.analysis import consistency
from course_lib.exercises.compare import as_array, as_number, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry.traced import live_reception
from course_lib.models.cir import CIR, Crop
from course_lib.training.step import frozen_parts


def cir_unit(x: Tensor, branch: nn.Module, shortcut: nn.Module) -> Tensor:
    """Cropping-inside residual unit: (B, C', n − 2, n − 2) of a map (B, C, n, n)."""
    return F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1]


def _parts(
    rng: np.random.Generator, before: int, after: int
) -> tuple[nn.Module, nn.Module, Tensor]:
    torch.manual_seed(int(rng.integers(1 << 30)))
    branch = nn.Conv2d(before, after, 3, padding=1)
    shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
    return branch, shortcut, torch.from_numpy(rng.normal(size=(2, before, 10, 10))).float()


@check("siamdw.cir", reference=cir_unit)
def examine_cir(answer, reference, rng) -> None:
    """The CIR unit."""
    with torch.no_grad():
        branch, shortcut, x = _parts(rng, 4, 4)
        given = answer(x.clone(), branch, shortcut)
        right = reference(x, branch, shortcut)
        if isinstance(given, Tensor) and given.shape[-1] == 10:
            raise Wrong(
                "your map keeps its 10 × 10 cells: the outermost ones have seen padding and must "
                "be cut off"
            )
        if isinstance(given, Tensor) and given.shape[-1] == 9:
            raise Wrong(
                "your map has 9 cells a side: padding is on all four sides, so cut one cell off "
                "each"
            )
        result = as_array(given, tuple(right.shape), "the unit's output")
        bare = (branch(x) + shortcut(x))[:, :, 1:-1, 1:-1]
        if same(result, bare.numpy(), 1e-5):
            raise Wrong("the ReLU after the sum is missing")
        if same(result, branch(x).relu()[:, :, 1:-1, 1:-1].numpy(), 1e-5):
            raise Wrong("the shortcut is missing: the unit learns what to *add* to its input")
        if same(result, (branch(x).relu() + shortcut(x))[:, :, 1:-1, 1:-1].numpy(), 1e-5):
            raise Wrong("add first, then ReLU; yours cuts the branch before the sum")
        require_close(result, right.numpy(), "the unit's output", tolerance=1e-5)


def cir_d_unit(x: Tensor, branch: nn.Module, shortcut: nn.Module) -> Tensor:
    """CIR-D unit: (B, C', n/2 − 1, n/2 − 1) of a map (B, C, n, n)."""
    return F.max_pool2d(F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1], 2)


@check("siamdw.cird", reference=cir_d_unit)
def examine_cird(answer, reference, rng) -> None:
    """The CIR-D unit."""
    with torch.no_grad():
        branch, shortcut, x = _parts(rng, 3, 6)
        given = answer(x.clone(), branch, shortcut)
        right = reference(x, branch, shortcut)
        if isinstance(given, Tensor) and given.shape[-1] == 8:
            raise Wrong("your map has 8 cells a side: crop, then halve it with a 2 × 2 max pooling")
        if isinstance(given, Tensor) and given.shape[-1] == 3:
            pooled = F.max_pool2d(F.relu(branch(x) + shortcut(x)), 2)[:, :, 1:-1, 1:-1]
            if same(given, pooled, 1e-5):
                raise Wrong(
                    "you pool first and crop after: then each cell that is cut off holds cells "
                    "without padding too, and is lost"
                )
        result = as_array(given, tuple(right.shape), "the unit's output")
        mean = F.avg_pool2d(F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1], 2)
        if same(result, mean.numpy(), 1e-5):
            raise Wrong("the paper halves the map with a maximum, not with a mean")
        require_close(result, right.numpy(), "the unit's output", tolerance=1e-5)


def make_twin(padded: bool, channels: int = 8) -> nn.Sequential:
    """Two twins of SiamFC's layers, without batch norms and ReLUs."""
    pad = int(padded)
    return nn.Sequential(
        nn.Conv2d(3, channels, 11, 2, 5 * pad),
        nn.MaxPool2d(3, 2, pad),
        nn.Conv2d(channels, channels, 5, 1, 2 * pad),
        nn.MaxPool2d(3, 2, pad),
        *(nn.Conv2d(channels, channels, 3, 1, pad) for _ in range(3)),
    )


@check("siamdw.twin", reference=make_twin)
def examine_twin(answer, reference, rng) -> None:
    """Padded and unpadded twin."""
    for padded, size, far in ((False, 6, 22), (True, 16, 32)):
        name = "the padded twin" if padded else "the unpadded twin"
        network = answer(padded)
        if not isinstance(network, nn.Module):
            raise Wrong(f"{name} should be a network; yours is {type(network).__name__}")
        z, x = live_reception(network, 127)[-1], live_reception(network, 255)[-1]
        if (z.field, z.stride) != (87, 8):
            raise Wrong(
                f"{name} has field {z.field} and stride {z.stride}; both twins need 87 and 8: "
                "padding changes neither"
            )
        if padded and z.size == 15:
            raise Wrong(
                "your padded twin gives 15 cells for 127 pixels: pad the poolings too, by 1, and "
                "it is 16"
            )
        if padded and z.size == 6:
            raise Wrong(
                "your padded twin has no padding: half the kernel, rounded down, in every layer"
            )
        if (z.size, x.size) != (size, far):
            raise Wrong(
                f"{name} gives {z.size} and {x.size} cells for 127 and 255 pixels; expected {size} "
                f"and {far}"
            )
    counts = [sum(p.numel() for p in answer(padded).parameters()) for padded in (False, True)]
    if counts[0] != counts[1]:
        raise Wrong(
            f"twins differ in one thing alone; yours have {counts[0]} and {counts[1]} weights"
        )


def assemble(first: int = 3, second: int = 4) -> nn.Sequential:
    """CIResNet with `first` and `second` units before and behind the second halving: (3, 4) is
    CIResNet-22."""
    units = [CIR(64 if k == 0 else 256, 64, 256) for k in range(first)]
    deep = [CIR(512, 128, 512, last=k == second - 1) for k in range(1, second)]
    return nn.Sequential(
        *(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            Crop(2),
            nn.MaxPool2d(2),
        ),
        *(*units, CIR(256, 128, 512), nn.MaxPool2d(2), *deep),
    )


@check("siamdw.assemble", reference=assemble)
def examine_assemble(answer, reference, rng) -> None:
    """CIResNet-16, -19 and -22."""
    for first, field, size, weights in ((3, 93, 5, 1_444_928), (1, 77, 7, 1_304_128)):
        name = f"CIResNet-{2 + 3 * (first + 4) - 1}"
        network = answer(first, 4)
        if not isinstance(network, nn.Module):
            raise Wrong(f"{name} should be a network; yours is {type(network).__name__}")
        last = live_reception(network, 127)[-1]
        if last.stride != 8:
            raise Wrong(
                f"{name}: the stride is {last.stride}; stem, first pooling and the pooling behind "
                "the CIR-D unit make 8"
            )
        if last.field == field + 8:
            raise Wrong(
                f"{name}: the field is {last.field} instead of {field}: the pooling stands behind "
                "the *first* unit with 512 "
                "channels, not before it"
            )
        if last.size == size + 1 and last.field == field:
            raise Wrong(
                f"{name}: {last.size} cells instead of {size}: two cells on each side of the stem "
                "have seen padding"
            )
        if (last.field, last.size) != (field, size):
            raise Wrong(
                f"{name}: field {last.field}, {last.size} cells; the table says {field} and {size}"
            )
        count = sum(p.numel() for p in network.parameters())
        if count == weights + 64:
            raise Wrong(
                f"{name}: 64 weights too many: a convolution before a batch norm needs no bias"
            )
        if count != weights:
            raise Wrong(
                f"{name}: {count:,} weights; expected {weights:,}: 64 and 128 channels inside, 256 "
                "and 512 outside"
            )
        if isinstance(network, nn.Sequential) and not getattr(network[-1], "last", True):
            raise Wrong(
                f"{name}: the last unit ends without a ReLU (last=True), so that features can be "
                "negative"
            )


@check("siamdw.agreement", reference=consistency.best_window)
def examine_agreement(answer, reference, rng) -> None:
    """How well a map is found again."""
    x = torch.from_numpy(rng.normal(size=(3, 12, 12))).float()
    z = x[:, 4:9, 2:7].clone() * 1.2
    z[:, 0] += torch.from_numpy(rng.normal(size=(3, 5))).float()
    distance, place = reference(z, x)
    given = answer(z.clone(), x.clone())
    if not isinstance(given, tuple) or len(given) != 2:
        raise Wrong("expected two things: the distance, and the (row, column) of the best window")
    found = as_number(given[0], "the distance")
    where = as_array(given[1], (2,), "the place")
    if same(where, place[::-1]):
        raise Wrong(
            f"the best window begins at row {place[0]}, column {place[1]}; yours has changed them"
        )
    window = x[:, 4:9, 2:7]
    if same(found, float((z - window).norm()), 1e-4):
        raise Wrong(
            "divide by the length of the window, so that networks with larger features do not look "
            "worse"
        )
    if same(found, distance**2, 1e-4):
        raise Wrong("that is the square; take the root at the end")
    if same(found, float((z - window).norm() / z.norm()), 1e-4):
        raise Wrong("divide by the length of the window in the search image, not of the exemplar")
    require_close(where, place, "the place of the best window")
    require_close(found, distance, "the distance", tolerance=1e-4)


@check("siamdw.unfreeze", reference=frozen_parts)
def examine_unfreeze(answer, reference, rng) -> None:
    """Gradual un-freezing."""
    shares = (0.1, 0.2, 0.3, 0.5, 0.6, 0.7)
    for step in (0, 9, 10, 29, 30, 55, 70, 99):
        given = as_number(answer(step, 100, 7, shares), "the number of frozen parts")
        right = reference(step, 100, 7, shares)
        if step == 0 and given == 0:
            raise Wrong(
                "at the beginning 7 parts are frozen; yours begins with all of them trained"
            )
        if given == 7 - right:
            raise Wrong(
                f"in step {step} of 100 you give the parts that *were* un-frozen; asked are those "
                "still frozen"
            )
        if given == right + 1 and step in (10, 30, 70):
            raise Wrong(
                f"step {step} is the first of the new stage: a share that is just reached counts"
            )
        require_close(given, right, f"in step {step} of 100 the number of frozen parts")
