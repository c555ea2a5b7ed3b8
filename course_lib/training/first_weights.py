"""Initialising a run's network: weights drawn from the recipe's seed, or loaded from a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from course_lib.errors import SettingsError
from course_lib.models.backbone import Backbone
from course_lib.models.heads import Head
from course_lib.models.networks import build
from course_lib.models.weights import find_weights, load_network
from course_lib.training.building import refusals_in_words

if TYPE_CHECKING:
    from course_lib.training.settings import TrainSettings

# what a proposal network adds to a backbone: weights, and the arguments that create them
ADDED_WEIGHTS = ("bn5", "guide")
ADDED_ARGUMENTS = ("last_norm", "guided")


def first_network(settings: TrainSettings) -> nn.Module:
    """The network of a recipe before its first step.

    Raises:
        SettingsError: it cannot be built, or `start_from` has weights for a different network.
    """
    with refusals_in_words(settings):
        network = seeded(settings.seed, lambda: _built(settings))
    if settings.start_from:
        begin_with(network, settings.start_from)
    if settings.freeze:
        network.backbone.freeze(settings.freeze)
    return network


def _built(settings: TrainSettings) -> nn.Module:
    network = build(settings.about)
    if not settings.proposals.as_similarity and isinstance(getattr(network, "head", None), Head):
        network.head.init_at_random()
    if network.output == "scores" and settings.predictor.as_identity:
        network.begin_as_identity()
    return network


def seeded(seed: int, make: Callable[[], nn.Module]) -> nn.Module:
    """Call `make()` with the random generator set to `seed`; its state is restored afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def begin_with(network: nn.Module, weights: str) -> None:
    """Initialise a network from existing weights: all of them, the backbone's alone if the rest
    differs, or the public weights of the classifier that the backbone comes from.

    Args:
        network: the recipe's network.
        weights: name or path of the weights.

    Raises:
        SettingsError: their backbone is a different one.
    """
    path = find_weights(weights)
    if path.suffix != ".safetensors":
        backbones = [part for part in network.children() if isinstance(part, Backbone)]
        if any([backbone.load_classifier(path) for backbone in backbones]):  # noqa: C419 (each)
            return
    given = load_network(weights)
    if given.about == network.about:
        network.load_state_dict(given.state_dict())
        return
    differ = f"start_from {weights!r} is {given.about}; the recipe needs {network.about}"
    if not all("backbone" in n.about for n in (network, given)):
        raise SettingsError(
            f"{differ}, which is built differently. Start from a network of the same kind, or from "
            "none."
        )
    wanted, there = network.backbone.state_dict(), given.backbone.state_dict()
    common = {n: t for n, t in there.items() if n in wanted and wanted[n].shape == t.shape}
    new = [n for n in wanted if n not in there and not n.startswith(ADDED_WEIGHTS)]
    if len(common) < len(there) or new or _core(network) != _core(given):
        raise SettingsError(
            f"{differ}. Make stride, widths, groups, backbone and width_multiplier equal, or begin "
            "without these weights: `--set start_from=`"
        )
    network.backbone.load_state_dict(common, strict=False)


def _core(network: nn.Module) -> dict[str, Any]:
    """Description of a network's backbone, without what the network added to it and what leaves
    the weights as they are."""
    apart = (*ADDED_ARGUMENTS, *network.backbone.same_weights)
    return {n: v for n, v in network.backbone.about.items() if n not in apart}
