"""Checks of lesson 10: receptive arithmetic, padding, CIR units, twins, CIResNet-22, agreement, un-freezing."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import DataError
from course_lib.exercises.compare import as_array, as_number, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import receptive
from course_lib.geometry.receptive import Layer, Reception
from course_lib.models import consistency
from course_lib.models.cir import CIR, Crop
from course_lib.models.fields import live_reception
from course_lib.training import settings


def _row(given: object, what: str) -> Reception:
    if not isinstance(given, Reception):
        raise Wrong(f"{what} should be a Reception(layer, size, field, stride, start); yours is {type(given).__name__}")
    for name in ("size", "field", "stride", "start"):
        as_number(getattr(given, name), f"{what}: {name}")
    return given


@check("siamdw.layer", reference=receptive.behind)
def examine_layer(answer, reference, rng) -> None:
    """One more layer."""
    row = Reception("before", 60, 11, 2, 5.5)
    for layer, about in (
        (Layer("conv", 3), "a plain 3 × 3 convolution"),
        (Layer("pool", 3, 2), "a pooling with stride 2"),
        (Layer("padded", 5, 1, 2), "a convolution with padding 2"),
        (Layer("dilated", 3, dilation=4), "a convolution with dilation 4"),
        (Layer("cropped", 7, 2, 3, crop=2), "a convolution with padding 3 and a crop of 2"),
    ):
        given, right = _row(answer(row, layer), about), reference(row, layer)
        if given.field == row.field + layer.kernel - 1 and layer.dilation == 1 and given.field != right.field:
            raise Wrong(
                f"{about}: a step of one cell is {row.stride} pixels of the picture, so each further tap of the kernel adds "
                f"{row.stride} pixels to the field, not 1"
            )
        if given.field == row.field + (layer.reach - 1) * right.stride and given.field != right.field:
            raise Wrong(
                f"{about}: its taps stand on the cells *before* it, {row.stride} pixels apart; its own stride counts later"
            )
        if layer.dilation > 1 and given.field == row.field + (layer.kernel - 1) * row.stride:
            raise Wrong(
                f"{about}: with dilation d, taps are d cells apart: the kernel reaches over d · (k − 1) + 1 cells"
            )
        if layer.crop and given.size == right.size + 2 * layer.crop:
            raise Wrong(
                f"{about}: the crop takes {layer.crop} cells off *each* side of the output; your map keeps them"
            )
        if layer.crop and given.size == right.size + layer.crop:
            raise Wrong(f"{about}: the crop takes {layer.crop} cells off each of two sides; yours takes them off one")
        if layer.crop and given.field != right.field:
            raise Wrong(f"{about}: a crop throws cells away; what a remaining cell sees stays the same")
        for name in ("size", "field", "stride"):
            require_close(getattr(given, name), getattr(right, name), f"{about}: {name}")
        if layer.crop and same(given.start, right.start - layer.crop * right.stride):
            raise Wrong(
                f"{about}: after the crop another cell is the first one; its centre lies crop · stride further in"
            )
        require_close(
            given.start,
            right.start,
            f"{about}: start",
            hint="the first centre moves by ((reach − 1) / 2 − padding) strides",
        )


@check("siamdw.branches", reference=receptive.joined)
def examine_branches(answer, reference, rng) -> None:
    """Where branches meet."""
    long, short = Reception("long", 28, 17, 4, 10.5), Reception("short", 28, 9, 4, 10.5)
    aside = Reception("aside", 28, 13, 4, 16.5)
    given = _row(answer("sum", [long, short]), "the sum of a long branch and a shortcut")
    if given.field == long.field + short.field:
        raise Wrong("the branches stand side by side, not one behind the other: their fields are not added")
    if given.field == short.field:
        raise Wrong("the cell sees what *any* branch sees; yours sees only what the shortcut does")
    require_close(given.field, 17, "the field of the sum")
    given = _row(answer("sum", [long, aside]), "the sum of two branches that look in different places")
    right = reference("sum", [long, aside])
    if given.field == 17:
        raise Wrong(
            "one branch sees pixels 2 … 19, the other 10 … 23; together 2 … 23: the larger field alone is not enough"
        )
    require_close((given.field, given.start), (right.field, right.start), "field and start of the union")
    for wrong in (Reception("small", 26, 9, 4, 10.5), Reception("coarse", 28, 9, 8, 10.5)):
        try:
            answer("sum", [long, wrong])
        except DataError:
            continue
        raise Wrong(
            f"maps of {long.size} and {wrong.size} cells, strides {long.stride} and {wrong.stride}, cannot be added; raise DataError"
        )


def overlap(field: int, stride: int) -> float:
    """Share of its receptive field that a cell has in common with its neighbour."""
    return 1 - stride / field


@check("siamdw.overlap", reference=overlap)
def examine_overlap(answer, reference, rng) -> None:
    """Overlap of neighbours."""
    for field, stride in ((87, 8), (63, 4), (103, 16)):
        given = as_number(answer(field, stride), "the overlap")
        if same(given, stride / field):
            raise Wrong("that is the share that is *new*; the overlap is the rest")
        if same(given, field - stride):
            raise Wrong("those are pixels; divide by the field, so that networks can be compared")
        require_close(given, reference(field, stride), f"for a field of {field} and stride {stride} the overlap")


def last_kernel(field: int, stride: int, wanted: int) -> tuple[int, int]:
    """The kernel of one more layer that brings a field to `wanted` pixels, and the cells that 127 pixels then give."""
    return (wanted - field) // stride + 1, (127 - wanted) // stride + 1


@check("siamdw.kernel", reference=last_kernel)
def examine_kernel(answer, reference, rng) -> None:
    """The kernel that sets the field."""
    for field, stride, wanted in ((71, 8, 87), (71, 8, 127), (75, 8, 99), (71, 8, 71)):
        given = as_array(answer(field, stride, wanted), (2,), "kernel and cells")
        kernel, cells = reference(field, stride, wanted)
        if given[0] == kernel - 1:
            raise Wrong(
                f"from {field} to {wanted} pixels: a kernel of 1 adds nothing, so k adds (k − 1) · stride pixels"
            )
        if given[1] == cells - 1 and given[0] == kernel:
            raise Wrong(
                "the first cell needs the whole field; each further one needs a stride more: that is one cell more"
            )
        require_close(given, (kernel, cells), f"from {field} to {wanted} pixels at stride {stride}: kernel and cells")


def touched_by_padding(size: int, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """How many of a layer's output cells have seen padding: at the beginning and at the end of a row."""
    first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding  # first pixel each cell reads
    return int((first < 0).sum()), int((first + kernel > size).sum())


@check("siamdw.touched", reference=touched_by_padding)
def examine_touched(answer, reference, rng) -> None:
    """Cells that have seen padding."""
    for size, kernel, stride, padding in ((127, 7, 2, 3), (28, 3, 1, 1), (30, 5, 1, 2), (28, 3, 2, 1), (20, 3, 1, 0)):
        case = f"{size} pixels, kernel {kernel}, stride {stride}, padding {padding}"
        given = as_array(answer(size, kernel, stride, padding), (2,), "the two counts")
        right = reference(size, kernel, stride, padding)
        if given[0] == padding != right[0]:
            raise Wrong(
                f"{case}: cells are {stride} pixels apart, so fewer of them reach over the edge than it has pixels"
            )
        if right[0] != right[1] and same(given, (right[0], right[0])):
            raise Wrong(f"{case}: the two sides differ; the last cell may end before the last pixel")
        require_close(given, right, f"{case}: cells with padding at the beginning and at the end")


def cir_unit(x: Tensor, branch: nn.Module, shortcut: nn.Module) -> Tensor:
    """Cropping-inside residual unit: (B, C', n − 2, n − 2) of a map (B, C, n, n)."""
    return F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1]


def _parts(rng: np.random.Generator, before: int, after: int) -> tuple[nn.Module, nn.Module, Tensor]:
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
            raise Wrong("your map keeps its 10 × 10 cells: the outermost ones have seen padding and must be cut off")
        if isinstance(given, Tensor) and given.shape[-1] == 9:
            raise Wrong("your map has 9 cells a side: padding is on all four sides, so cut one cell off each")
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
                    "you pool first and crop after: then each cell that is cut off holds cells without padding too, and is lost"
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
                f"{name} has field {z.field} and stride {z.stride}; both twins need 87 and 8: padding changes neither"
            )
        if padded and z.size == 15:
            raise Wrong("your padded twin gives 15 cells for 127 pixels: pad the poolings too, by 1, and it is 16")
        if padded and z.size == 6:
            raise Wrong("your padded twin has no padding: half the kernel, rounded down, in every layer")
        if (z.size, x.size) != (size, far):
            raise Wrong(f"{name} gives {z.size} and {x.size} cells for 127 and 255 pixels; expected {size} and {far}")
    counts = [sum(p.numel() for p in answer(padded).parameters()) for padded in (False, True)]
    if counts[0] != counts[1]:
        raise Wrong(f"twins differ in one thing alone; yours have {counts[0]} and {counts[1]} weights")


def assemble(first: int = 3, second: int = 4) -> nn.Sequential:
    """CIResNet with `first` and `second` units before and behind the second halving: (3, 4) is CIResNet-22."""
    units = [CIR(64 if k == 0 else 256, 64, 256) for k in range(first)]
    deep = [CIR(512, 128, 512, last=k == second - 1) for k in range(1, second)]
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), Crop(2), nn.MaxPool2d(2)),
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
                f"{name}: the stride is {last.stride}; stem, first pooling and the pooling behind the CIR-D unit make 8"
            )
        if last.field == field + 8:
            raise Wrong(
                f"{name}: the field is {last.field} instead of {field}: the pooling stands behind the *first* unit with 512 "
                "channels, not before it"
            )
        if last.size == size + 1 and last.field == field:
            raise Wrong(
                f"{name}: {last.size} cells instead of {size}: two cells on each side of the stem have seen padding"
            )
        if (last.field, last.size) != (field, size):
            raise Wrong(f"{name}: field {last.field}, {last.size} cells; the table says {field} and {size}")
        count = sum(p.numel() for p in network.parameters())
        if count == weights + 64:
            raise Wrong(f"{name}: 64 weights too many: a convolution before a batch norm needs no bias")
        if count != weights:
            raise Wrong(
                f"{name}: {count:,} weights; expected {weights:,}: 64 and 128 channels inside, 256 and 512 outside"
            )
        if isinstance(network, nn.Sequential) and not getattr(network[-1], "last", True):
            raise Wrong(f"{name}: the last unit ends without a ReLU (last=True), so that features can be negative")


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
        raise Wrong(f"the best window begins at row {place[0]}, column {place[1]}; yours has changed them")
    window = x[:, 4:9, 2:7]
    if same(found, float((z - window).norm()), 1e-4):
        raise Wrong("divide by the length of the window, so that networks with larger features do not look worse")
    if same(found, distance**2, 1e-4):
        raise Wrong("that is the square; take the root at the end")
    if same(found, float((z - window).norm() / z.norm()), 1e-4):
        raise Wrong("divide by the length of the window in the search image, not of the exemplar")
    require_close(where, place, "the place of the best window")
    require_close(found, distance, "the distance", tolerance=1e-4)


@check("siamdw.unfreeze", reference=settings.frozen_parts)
def examine_unfreeze(answer, reference, rng) -> None:
    """Gradual un-freezing."""
    shares = (0.1, 0.2, 0.3, 0.5, 0.6, 0.7)
    for step in (0, 9, 10, 29, 30, 55, 70, 99):
        given = as_number(answer(step, 100, 7, shares), "the number of frozen parts")
        right = reference(step, 100, 7, shares)
        if step == 0 and given == 0:
            raise Wrong("at the beginning 7 parts are frozen; yours begins with all of them trained")
        if given == 7 - right:
            raise Wrong(f"in step {step} of 100 you give the parts that *were* un-frozen; asked are those still frozen")
        if given == right + 1 and step in (10, 30, 70):
            raise Wrong(f"step {step} is the first of the new stage: a share that is just reached counts")
        require_close(given, right, f"in step {step} of 100 the number of frozen parts")
