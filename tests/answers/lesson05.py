"""Right answers of lesson 05 in other styles."""

from __future__ import annotations

import copy
import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.models.losses import peak_distance


def pair_as_list(rng, valid, gap):
    """By place in the list, returned as a list."""
    i = rng.integers(len(valid))
    near = [f for f in valid if f != valid[i] and abs(f - valid[i]) <= gap]
    return [valid[i], near[rng.integers(len(near))] if near else valid[i]]


def pair_as_array(rng, valid, gap):
    """By searching both ends of the stretch."""
    first = rng.choice(valid)
    low, high = np.searchsorted(valid, [first - gap, first + gap + 1])
    near = np.setdiff1d(valid[low:high], [first])
    return np.array([first, rng.permutation(near)[0] if near.size else first])


def pair_by_trying(rng, valid, gap):
    """Draws the second until it is within reach."""
    first = int(valid[int(rng.random() * len(valid))])
    if not any(0 < abs(int(f) - first) <= gap for f in valid):
        return first, first
    while True:
        second = int(rng.choice(valid))
        if 0 < abs(second - first) <= gap:
            return first, second


def centre_as_list(rng, box, shift, scale):
    """Number by number."""
    x, y, w, h = box
    reach = shift / scale
    return [x + w / 2 + rng.uniform(-reach, reach), y + h / 2 + rng.uniform(-reach, reach)]


def centre_by_random(rng, box, shift, scale):
    """From numbers in 0…1."""
    return box[:2] + 0.5 * box[2:] + (2 * rng.random(2) - 1) * shift / scale


def centre_as_tensor(rng, box, shift, scale):
    """As a tensor."""
    centre = torch.from_numpy(box[:2] + box[2:] / 2)
    return centre - torch.from_numpy(rng.uniform(-1, 1, size=2)) * (shift / scale)


def rate_in_array(step, steps, start, end):
    """One of all rates."""
    return np.geomspace(start, end, steps)[step]


def rate_by_logarithm(step, steps, start, end):
    """A straight line of logarithms, as a tensor."""
    return torch.tensor(math.exp(math.log(start) + step * math.log(end / start) / (steps - 1)))


def rate_step_by_step(step, steps, start, end):
    """One factor after the other."""
    factor = (end / start) ** (1 / (steps - 1))
    for _ in range(step):
        start *= factor
    return start


def predict_inside(network, exemplar, search, bf16):
    """Converted within autocast."""
    with torch.autocast(search.device.type, dtype=torch.bfloat16, enabled=bf16):
        return network(exemplar=exemplar, search=search).to(torch.float32)


def predict_if(network, exemplar, search, bf16):
    """Two branches."""
    if not bf16:
        return network(exemplar, search)
    with torch.amp.autocast(device_type=exemplar.device.type, dtype=torch.bfloat16):
        response = network(exemplar, search)
    return response.type(torch.float32)


def predict_by_dtype(network, exemplar, search, bf16):
    """Device of the weights; off by a float32 type."""
    device = next(network.parameters()).device.type
    context = torch.autocast(device, dtype=torch.bfloat16) if bf16 else torch.enable_grad()
    with context:
        return 1.0 * network(exemplar, search).float()


def descend_tensor(network, optimiser, loss, clip_norm):
    """The network's own zero_grad, and the norm as it comes."""
    network.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), max_norm=clip_norm)
    optimiser.step()
    return norm


def descend_by_hand(network, optimiser, loss, clip_norm):
    """Clipped by hand."""
    optimiser.zero_grad(set_to_none=False)
    loss.backward()
    gradients = [p.grad for p in network.parameters()]
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    if norm > clip_norm:
        for g in gradients:
            g.mul_(clip_norm / norm)
    optimiser.step()
    return norm


def descend_zero_last(network, optimiser, loss, clip_norm):
    """Zeroed for the next step, with gradients from torch.autograd."""
    weights = [p for group in optimiser.param_groups for p in group["params"]]
    for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        weight.grad = gradient
    norm = nn.utils.clip_grad_norm_(weights, clip_norm).item()
    optimiser.step()
    optimiser.zero_grad()
    return norm


def descend_in_a_closure(network, optimiser, loss, clip_norm):
    """The optimiser calls for the gradient itself."""
    norms = []

    def gradient():
        optimiser.zero_grad()
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(network.parameters(), clip_norm))
        return loss

    optimiser.step(gradient)
    return float(norms[0])


def snapshot_cloned(network, optimiser, step):
    """Tensor by tensor, the step as a tensor."""
    return {
        "step": torch.tensor(step),
        "network": {name: value.clone() for name, value in network.state_dict().items()},
        "optimiser": copy.deepcopy(optimiser).state_dict(),
    }


def snapshot_through_a_file(network, optimiser, step):
    """Written and read."""
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def snapshot_of_all(network, optimiser, step):
    """One copy of everything."""
    return copy.deepcopy(
        {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step}
    )


def distance_as_list(response, stride):
    """With NumPy, as a list: no gradient is lost, since a peak has none."""
    maps = response.detach().cpu().numpy()
    peaks = [np.unravel_index(one.argmax(), one.shape) for one in maps]
    centre = (maps.shape[-1] - 1) / 2
    return [math.hypot(row - centre, column - centre) * stride for row, column in peaks]


def distance_in_double(response, stride):
    """Response by response, in double precision."""
    n = response.shape[-1]
    found = []
    for one in response:
        row, column = np.unravel_index(int(one.argmax()), (n, n))
        found.append(stride * math.hypot(row - (n - 1) / 2, column - (n - 1) / 2))
    return torch.tensor(found, dtype=torch.float64)


def distance_by_grid(response, stride):
    """From a map of distances."""
    n = response.shape[-1]
    away = (torch.arange(n) - (n - 1) / 2) * stride
    grid = torch.sqrt(away[:, None] ** 2 + away[None] ** 2)
    return grid.flatten()[response.reshape(len(response), -1).argmax(dim=-1)]


def distance_by_maxima(response, stride):
    """Row and column from the maxima of rows and columns."""
    n = response.shape[-1]
    row, column = response.amax(dim=2).argmax(dim=1), response.amax(dim=1).argmax(dim=1)
    places = torch.stack([row, column], dim=1).float() - 0.5 * (n - 1)
    return F.pairwise_distance(places * stride, torch.zeros_like(places), eps=0.0)


def smooth_as_list(losses, factor):
    """As a list."""
    weighted, weight, smoothed = 0.0, 0.0, []
    for loss in losses:
        weighted = factor * weighted + (1 - factor) * float(loss)
        weight = factor * weight + 1 - factor
        smoothed.append(weighted / weight)
    return smoothed


def smooth_as_sums(losses, factor):
    """Each value as a weighted mean."""
    losses = np.asarray(losses)
    return np.array(
        [
            np.average(losses[:k], weights=factor ** np.arange(k)[::-1].astype(float))
            for k in range(1, len(losses) + 1)
        ]
    )


def smooth_as_product(losses, factor):
    """As one product with a triangular matrix, in torch."""
    n = len(losses)
    age = np.arange(n)[:, None] - np.arange(n)
    weights = np.where(age >= 0, float(factor) ** np.abs(age), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return torch.from_numpy(weights) @ torch.as_tensor(np.array(losses, dtype=float))


def hits_as_tensor(network, batches, stride, radius):
    """Each batch alone, as a tensor."""
    was = network.training
    network.train(False)
    with torch.inference_mode():
        found = [peak_distance(network(z, x), stride) <= radius for z, x in batches]
    network.train(was)
    return torch.cat(found).double().mean()


def hits_of_a_copy(network, batches, stride, radius):
    """Measured with a copy."""
    network = copy.deepcopy(network).eval()
    hits = pairs = 0
    for z, x in batches:
        hits += int((peak_distance(network(z, x).detach(), stride) <= radius).sum())
        pairs += len(z)
    return hits / pairs


def hits_whatever_happens(network, batches, stride, radius):
    """Puts the network back even if something fails."""
    back = network.train if network.training else network.eval
    network.eval()
    try:
        with torch.no_grad():
            distances = [d for z, x in batches for d in peak_distance(network(z, x), stride)]
    finally:
        back()
    return np.mean([float(d) <= radius for d in distances])


RIGHT = {
    "training.pair": [pair_as_list, pair_as_array, pair_by_trying],
    "training.shift": [centre_as_list, centre_by_random, centre_as_tensor],
    "training.rate": [rate_by_logarithm, rate_in_array, rate_step_by_step],
    "training.predict": [predict_inside, predict_if, predict_by_dtype],
    "training.descend": [descend_tensor, descend_by_hand, descend_zero_last, descend_in_a_closure],
    "training.snapshot": [snapshot_cloned, snapshot_through_a_file, snapshot_of_all],
    "training.distance": [
        distance_as_list,
        distance_in_double,
        distance_by_grid,
        distance_by_maxima,
    ],
    "training.fault": [hits_as_tensor, hits_of_a_copy, hits_whatever_happens],
    "training.smooth": [smooth_as_list, smooth_as_sums, smooth_as_product],
}
RANDOM = {"training.pair", "training.shift"}
