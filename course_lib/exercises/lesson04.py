"""Checks of lesson 04: crops, receptive arithmetic, the embedding, correlation, labels, loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from course_lib.exercises.compare import as_array, as_number, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import receptive, windows
from course_lib.models import alexnet, correlation, losses


def side_around(box) -> np.ndarray:
    """`context_side` of a box (4,)."""
    return windows.context_side(box[2:])


@check("siamfc.side", reference=side_around)
def examine_side(answer, reference, rng) -> None:
    """Side of the exemplar's square."""
    for _ in range(4):
        box = np.concatenate([rng.uniform(0, 200, 2), rng.uniform(10, 200, 2)])
        w, h = box[2:]
        given, expected = as_number(answer(box.copy()), "the side"), float(reference(box))
        if same(given, np.sqrt((w + (w + h) / 4) * (h + (w + h) / 4))):
            raise Wrong(
                "you widen the box by (w + h) / 4 in all; that much belongs on each side, so w and "
                "h each grow by (w + h) / 2"
            )
        if same(given, expected**2):
            raise Wrong("that is the square's area: take its root")
        if same(given, max(w, h) + (w + h) / 2) or same(given, (w + h) / 2 + (w + h) / 2):
            raise Wrong(
                "the square has the area of the widened box: the root of the product, not the "
                "longer side or the mean"
            )
        if same(given, np.sqrt(w * h)):
            raise Wrong("the context is missing: add (w + h) / 2 to w and to h")
        require_close(given, expected, "the side", hint="√((w + p)(h + p)) with p = (w + h) / 2")


@check("siamfc.crop", reference=windows.crop_matrix)
def examine_crop(answer, reference, rng) -> None:
    """Affine map from crop pixels to frame pixels."""
    for _ in range(4):
        cx, cy, side = (float(v) for v in rng.uniform(30, 200, 3))
        size = int(rng.choice([127, 255]))
        given = as_array(answer(cx, cy, side, size), (2, 3), "the map")
        expected = reference(cx, cy, side, size)
        step = side / size
        if same(given[:, :2], np.eye(2) / step):
            raise Wrong(
                "your map goes from the frame to the crop; cv2.warpAffine is asked for the way "
                "back: a step of side / size"
            )
        if same(given[:, 2], [cx - side / 2, cy - side / 2]):
            raise Wrong(
                "your crop is shifted by half a pixel: pixel 0 has its centre at 0.5, in the crop "
                "and in the frame; "
                "so crop pixel k stands at (k + 0.5)·step + corner − 0.5"
            )
        if same(given[:, 2], [cx, cy]):
            raise Wrong(
                "your crop begins at the target's centre; its corner is half a side up and left of "
                "it"
            )
        if same(given[:, 2], expected[::-1, 2]) and not same(expected[0, 2], expected[1, 2]):
            raise Wrong("x and y have changed places: the first row gives the column x")
        if same(given[:, 2], [cx - (size - 1) / 2 * step, cy - (size - 1) / 2 * step]):
            raise Wrong("the − 0.5 is missing: frame pixel numbers, too, count from pixel centres")
        require_close(given, expected, "the map")


@check("siamfc.output", reference=receptive.output_size)
def examine_output(answer, reference, rng) -> None:
    """Output size of one layer."""
    for size, kernel, stride, padding in (
        (127, 11, 2, 0),
        (59, 3, 2, 0),
        (30, 3, 2, 0),
        (28, 3, 1, 1),
        (255, 11, 2, 0),
        (14, 4, 3, 2),
    ):
        given, expected = (
            as_number(answer(size, kernel, stride, padding), "the size"),
            reference(size, kernel, stride, padding),
        )
        case = (
            f"for {size} cells, kernel {kernel}, stride {stride}, padding {padding} you give "
            f"{given:g}"
        )
        if given == expected:
            continue
        if padding and given in (
            (size - kernel) // stride + 1,
            (size + padding - kernel) // stride + 1,
        ):
            raise Wrong(f"{case}: the padding stands on both sides")
        if given == (size + 2 * padding - kernel) // stride:
            raise Wrong(
                f"{case}: one too few. The window also stands at its first place, before any step"
            )
        if given == (size + 2 * padding - kernel) / stride + 1:
            raise Wrong(f"{case}: a window that does not fit whole is left out, so round down")
        raise Wrong(f"{case}; expected {expected}")


@check("siamfc.field", reference=receptive.field_and_stride)
def examine_field(answer, reference, rng) -> None:
    """Receptive field and stride of a stack."""
    stacks = [
        [(11, 2)],
        [(11, 2), (3, 2)],
        [(3, 1)] * 3,
        [
            (int(k), int(s))
            for k, s in zip(rng.integers(2, 8, 5), rng.integers(1, 4, 5), strict=True)
        ],
    ]
    for layers in stacks:
        given = answer(list(layers))
        if not isinstance(given, (tuple, list, np.ndarray)) or len(given) != 2:
            raise Wrong("the answer has two parts: return field, stride")
        field, stride = as_number(given[0], "the field"), as_number(given[1], "the stride")
        right_field, right_stride = reference(layers)
        if stride != right_stride:
            total = sum(s for _, s in layers)
            hint = (
                "strides multiply, they do not add"
                if stride == total
                else "it is the product of the layers' strides"
            )
            raise Wrong(f"for {layers} your stride is {stride:g}, expected {right_stride}: {hint}")
        if field != right_field:
            late, jump = 1, 1
            for k, s in layers:
                jump *= s
                late += (k - 1) * jump
            if field == late:
                raise Wrong(
                    f"for {layers} your field is {field:g}: a layer's window is spread by the "
                    "strides before it, not by its own"
                )
            if field == 1 + sum(k - 1 for k, _ in layers):
                raise Wrong(
                    f"for {layers} your field is {field:g}: behind a stride, cells stand further "
                    "apart in the picture"
                )
            if field == right_field - 1:
                raise Wrong(
                    f"for {layers} your field is {field:g}: before the first layer a cell sees 1 "
                    "pixel, not 0"
                )
            raise Wrong(f"for {layers} your field is {field:g}, expected {right_field}")


@check("siamfc.alexnet", reference=alexnet.build_alexnet)
def examine_alexnet(answer, reference, rng) -> None:
    """The embedding of the layer table."""
    network = answer()
    if not isinstance(network, nn.Module):
        raise Wrong(
            "build_alexnet should return a network (nn.Module); yours is of type "
            f"{type(network).__name__}"
        )
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    if len(convolutions) != 5:
        raise Wrong(f"your network has {len(convolutions)} convolutions; the table has 5")
    for k, c in enumerate(convolutions, start=1):
        if any(int(p) for p in c.padding):
            raise Wrong(
                f"conv{k} is padded by {c.padding}; SiamFC pads nothing: the target's place would "
                "leak into the features"
            )
        groups = 2 if k in (2, 4, 5) else 1
        if c.groups != groups:
            raise Wrong(
                f"conv{k} has {c.groups} group(s); the table's filters see "
                f"{c.in_channels // groups} channels: groups={groups}"
            )
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    if norms != 4:
        raise Wrong(
            f"your network has {norms} batch norms; conv1 to conv4 have one each, conv5 has none"
        )
    network.eval()
    with torch.no_grad():
        for size, cells in ((127, 6), (255, 22)):
            out = network(torch.zeros(1, 3, size, size))
            if tuple(out.shape) != (1, 256, cells, cells):
                raise Wrong(
                    f"a picture of {size} pixels gives {tuple(out.shape)}; expected (1, 256, "
                    f"{cells}, {cells}). Look at strides and pooling"
                )
        noise = torch.from_numpy(rng.normal(0, 100, (1, 3, 127, 127))).float()
        if float(network(noise).min()) >= 0:
            raise Wrong("no feature of your network is ever negative: conv5 is followed by no ReLU")
    count = sum(p.numel() for p in network.parameters())
    if count != 2_336_320:
        raise Wrong(f"your network has {count:,} parameters; expected 2,336,320")


@check("siamfc.correlate", reference=correlation.cross_correlate_grouped)
def examine_correlate(answer, reference, rng) -> None:
    """Cross-correlation of a batch by one grouped convolution."""
    B, C = 3, 4
    z = torch.from_numpy(rng.normal(size=(B, C, 3, 2))).float()
    x = torch.from_numpy(rng.normal(size=(B, C, 7, 9))).float()
    given = answer(z.clone(), x.clone())
    if not isinstance(given, torch.Tensor):
        raise Wrong(f"the responses should be a tensor; yours is of type {type(given).__name__}")
    if given.ndim == 4 and 1 in given.shape[:2] and given.numel() == B * 5 * 8:
        raise Wrong(
            f"your responses have shape {tuple(given.shape)}: right in number; reshape them to (B, "
            f"H', W') = ({B}, 5, 8)"
        )
    if tuple(given.shape) == (B, B, 5, 8):
        raise Wrong(
            "every exemplar slid over every search image: with groups=B each keeps to its own"
        )
    if tuple(given.shape) == (B, C, 5, 8) or tuple(given.shape) == (B * C, 5, 8):
        raise Wrong(
            "your channels are kept apart (groups = B·C): the response is the sum over all "
            "channels of one pair"
        )
    result = as_array(given, (B, 5, 8), "the responses")
    expected = reference(z, x)
    if same(result, reference(z.flip(2, 3), x), 1e-4):
        raise Wrong(
            "your exemplar is turned upside down: F.conv2d already correlates, it does not flip "
            "its kernel"
        )
    if same(result, reference(z[:1].expand(B, -1, -1, -1), x), 1e-4):
        raise Wrong("the first exemplar slid over every search image; each has its own")
    require_close(result, expected, "the responses", tolerance=1e-4)
    one = as_array(
        answer(z[:1].clone(), x[:1].clone()), (1, 5, 8), "for a batch of one the responses"
    )
    require_close(one, expected[:1], "for a batch of one the responses", tolerance=1e-4)


@check("siamfc.labels", reference=losses.label_map)
def examine_labels(answer, reference, rng) -> None:
    """Label map."""
    for size, stride, radius in ((17, 8, 16.0), (15, 8, 16.0), (33, 4, 16.0), (9, 8, 20.0)):
        expected = as_array(reference(size, stride, radius), (size, size), "")
        labels = as_array(answer(size, stride, radius), (size, size), "the labels")
        values = set(np.unique(labels).tolist())
        if 0.0 in values and values <= {0.0, 1.0}:
            raise Wrong("your labels are 0 and 1; this loss wants −1 and +1")
        if not values <= {-1.0, 1.0}:
            raise Wrong(f"your labels hold {sorted(values)[:4]}; expected −1 and +1 alone")
        found, right = int((labels > 0).sum()), int((expected > 0).sum())
        case = (
            f"for {size} cells, stride {stride} and radius {radius:g} px {found} cells are "
            f"positive, expected {right}"
        )
        offset = np.arange(size) - (size - 1) / 2
        cells = np.hypot(offset[:, None], offset[None, :])
        if same(labels, np.where(cells <= radius, 1, -1)) and found != right:
            raise Wrong(f"{case}: the radius is in pixels, cells stand {stride} pixels apart")
        if same(labels, np.where(cells * stride < radius, 1, -1)) and found != right:
            raise Wrong(f"{case}: a cell at exactly the radius still counts")
        if (
            same(
                labels,
                np.where(
                    np.maximum(*np.meshgrid(abs(offset), abs(offset))) * stride <= radius, 1, -1
                ),
            )
            and found != right
        ):
            raise Wrong(
                f"{case}: the positives form a square; the distance is Euclidean, so they form a "
                "disc"
            )
        middle = labels[size // 2, size // 2]
        if middle < 0 or not same(labels, labels[::-1, ::-1]):
            raise Wrong(
                f"your positives do not lie around the middle cell ({size // 2}, {size // 2})"
            )
        if not same(labels, expected):
            raise Wrong(case)


@check("siamfc.loss", reference=losses.balanced_logistic_loss)
def examine_loss(answer, reference, rng) -> None:
    """Balanced logistic loss."""
    v = torch.from_numpy(rng.normal(-1, 2, (3, 15, 15))).float().requires_grad_()
    y = losses.label_map(15, 8, 16.0).expand(3, 15, 15)
    given = answer(v, y)
    if not isinstance(given, torch.Tensor) or given.ndim:
        raise Wrong(
            "the loss should be one number, a tensor of shape (), that can be differentiated"
        )
    if not given.requires_grad:
        raise Wrong(
            "your loss has lost its gradient: compute it with torch, without .item(), .numpy() or "
            ".detach()"
        )
    value, expected = as_number(given, "the loss"), float(reference(v, y).detach())
    plain = torch.nn.functional.softplus(-y * v)
    if same(value, float(plain.mean().detach()), 1e-4):
        raise Wrong(
            "your loss is not balanced: 13 positives stand against 212 negatives. Give each side "
            "the weight 0.5"
        )
    if same(value, 3 * expected, 1e-4):
        raise Wrong("your loss sums over the batch; take the mean")
    if same(value, 2 * expected, 1e-4):
        raise Wrong(
            "your weights sum to 2 in each map: 0.5 for the positives, 0.5 for the negatives"
        )
    if same(value, float(reference(-v, y).detach()), 1e-4):
        raise Wrong("your loss rewards the wrong sign: log(1 + exp(−y·v)), with the minus")
    require_close(value, expected, "the loss", tolerance=1e-4)
    wild = answer(torch.full((1, 15, 15), 200.0) * -y[:1], y[:1])
    if not bool(torch.isfinite(torch.as_tensor(wild)).all()):
        raise Wrong(
            "for a very wrong response your loss is infinite: exp overflows. F.softplus(t) is "
            "log(1 + exp(t)), computed safely"
        )
